"""``ntkproof datasets``: list the named datasets."""

from __future__ import annotations

import json

import click

from ntkproof.commands.options import json_option
from ntkproof.data.datasets import describe
from ntkproof.show.lines import say


@click.command("datasets")
@json_option
def command(as_json: bool) -> None:
    """List the named datasets."""
    facts = describe()
    if as_json:
        for fact in facts:
            say(json.dumps(fact))
        return
    say(f"{'name':15}{'rows':>6}{'columns':>9}  {'targets':14}{'equal pairs':>12}{'constant columns':>18}")
    for fact in facts:
        numbers = (
            "?" if fact[key] is None else fact[key]
            for key in ("rows", "columns", "duplicate_pairs", "constant_columns")
        )
        rows, columns, pairs, constant = numbers
        say(f"{fact['name']:15}{rows:>6}{columns:>9}  {fact['targets']:14}{pairs:>12}{constant:>18}")
    if not all(fact["available"] for fact in facts):
        say("the named sets need scikit-learn: pip install 'ntkproof[data]'", err=True)

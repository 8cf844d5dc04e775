"""``ntkproof hash``: the hash by which certificates name a dataset."""

from __future__ import annotations

import json
from typing import Any

import click

from ntkproof.commands.options import data_options, json_option, read_data
from ntkproof.show.lines import say
from ntkproof.show.text import domain_line


@click.command("hash")
@data_options
@json_option
def command(as_json: bool, **options: Any) -> None:
    """Print the SHA-256 of DATA, of their shape, inputs and targets, as `check` does; prepared as for `certify`."""
    dataset = read_data(options)
    facts = dataset.facts()
    if as_json:
        say(json.dumps({**facts, "targets": dataset.targets is not None}))
        return
    say(str(facts["sha256"]), domain_line(facts) + ("" if dataset.targets is not None else ", no targets"))

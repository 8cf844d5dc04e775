"""``ntkproof claims``: run the tests of claims and show the verdicts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from ntkproof.checker.logic.numbers import InputError
from ntkproof.literature.claim import REFUTED, Claim, Outcome, Registry, run, select
from ntkproof.show.lines import say, shown

COLOURS = {"proved": "green", "refuted as stated": "red", "supported": "cyan", "out of scope": "dim"}


@click.command("claims")
@click.option("--document", help="Only the claims of this document (its short name).")
@click.option("--id", "ids", multiple=True, help="Only this claim; may be repeated.")
@click.option("--registry", help="MODULE:NAME of your own registry, or tuple of registries, instead of the literature.")
@click.option("--fast", is_flag=True, help="Leave out the slow ones.")
@click.option("--list", "listing", is_flag=True, help="List the claims without running their tests.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def command(
    document: str | None, ids: tuple[str, ...], registry: str | None, fast: bool, listing: bool, as_json: bool
) -> None:
    """Re-establish the verdict of every claim of the literature, or of your paper.

    Exit code 0: every verdict is the one registered; 1: some verdict has changed.
    """
    try:
        found = select(load(registry), document, ids)
    except ValueError as error:
        raise InputError(str(error)) from None
    wanted = [claim for claim in found if not (fast and claim.slow)]
    if listing:
        for claim in wanted:
            say(_json(fields(claim)) if as_json else f"{claim.id:48}{claim.verdict:20}{claim.place}")
        return
    outcomes = list(_run(wanted, as_json))
    if not as_json:
        console = Console(width=None if sys.stdout.isatty() else 120)
        with console.capture() as shown:  # what it prints itself ends the process when the pipe is closed
            console.print(table(outcomes))
        click.echo(shown.get(), nl=False)
        changed = sum(not outcome.unchanged for outcome in outcomes)
        say(f"{len(outcomes)} claims, {changed} changed, {sum(o.seconds for o in outcomes):.1f} s")
    sys.exit(0 if all(outcome.unchanged for outcome in outcomes) else 1)


def load(name: str | None) -> Sequence[Registry]:
    """Return the registries of the literature, or those that ``MODULE:NAME`` names.

    Raises:
        InputError: there is no such module or registry.
    """
    if name is None:
        from ntkproof.literature.literature import LITERATURE  # imports SymPy

        return LITERATURE
    module, found, attribute = name.partition(":")
    if not found:
        raise InputError(f"--registry must be MODULE:NAME, not {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        value = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"--registry {name}: {error}") from None
    registries = (value,) if isinstance(value, Registry) else value
    if not isinstance(registries, Sequence) or not all(isinstance(each, Registry) for each in registries):
        raise InputError(f"--registry {name}: it is neither a Registry nor a sequence of them")
    return registries


def _run(claims: list[Claim], as_json: bool) -> Any:
    """Run the claims one by one, with a progress bar on a terminal; JSON is printed as it comes."""
    console = Console(stderr=True)
    for claim in track(claims, "claims", console=console, transient=True, disable=as_json or not console.is_terminal):
        outcome = run(claim)
        if as_json:
            say(_json({**fields(claim), **results(outcome)}))
        yield outcome


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=not str(getattr(sys.stdout, "encoding", "")).lower().startswith("utf"))


def fields(claim: Claim) -> dict[str, Any]:
    """Return what the registry says of a claim, as JSON fields."""
    from ntkproof.literature.methods import show

    names = ("id", "document", "place", "says", "assumes", "method", "verdict", "remark", "slow")
    formulas = {name: getattr(claim, name) for name in ("formula", "better")}
    shown = {name: None if formula is None else show(formula) for name, formula in formulas.items()}
    return {**{name: getattr(claim, name) for name in names}, **shown}


def results(outcome: Outcome) -> dict[str, Any]:
    """Return what a run found, as JSON fields."""
    return {
        "found": outcome.verdict,
        "unchanged": outcome.unchanged,
        "evidence": outcome.evidence,
        "better_evidence": outcome.better_evidence,
        "seconds": round(outcome.seconds, 3),
    }


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the verdicts as a table; one that has changed says what it was."""
    rows = Table(show_lines=False)
    for name in ("claim", "method", "verdict", "evidence"):
        rows.add_column(name, overflow="fold")
    for outcome in outcomes:
        verdict = Text(shown(outcome.verdict), style=COLOURS.get(outcome.verdict, "yellow"))
        if not outcome.unchanged:
            verdict.append(f" (CHANGED: was {outcome.claim.verdict})", style="bold red")
        kind = "corrected" if outcome.claim.verdict == REFUTED else "sharper"
        evidence = outcome.evidence + (f"; {kind}: {outcome.better_evidence}" if outcome.better_evidence else "")
        rows.add_row(_text(outcome.claim.id), _text(outcome.claim.method), verdict, _text(evidence))
    return rows


def _text(value: str) -> Text:
    """Return a cell of the table, without markup."""
    return Text(shown(value))

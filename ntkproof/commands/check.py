"""``ntkproof check``: check certificates."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ntkproof.checker.check import check
from ntkproof.commands.entry import EXITS
from ntkproof.commands.options import engine_option, json_option, progress
from ntkproof.show.lines import say
from ntkproof.show.text import verdict_fields, verdict_lines


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=Path)
@engine_option
@click.option("--trust", is_flag=True, help="List the files that the verdict rests on, with their lines of code.")
@json_option
def command(files: tuple[Path, ...], engine: str, trust: bool, as_json: bool) -> None:
    """Check certificates: replay every step and accept or reject.

    Exit code 0 valid, 3 holey, 1 invalid, 2 malformed, 71 out of memory, 70 the checker failed; of several files the
    last of these in this order.
    """
    codes = []
    for path in files:
        with progress(str(path), not as_json) as tick:
            verdict = check(path, engine=engine, tick=tick)
        said = [json.dumps(verdict_fields(path, verdict))] if as_json else verdict_lines(path, verdict, trust)
        say(*said)
        codes.append(verdict.exit_code)
    sys.exit(max(codes, key=list(EXITS).index))

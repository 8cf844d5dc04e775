"""``ntkproof certify``: prove a statement about data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ntkproof.checker.logic.format import SUFFIX
from ntkproof.commands.options import GroupedCommand, engine_option, given, json_option, one_file_option, read_data
from ntkproof.commands.prove import prove
from ntkproof.statements.table import statements


@click.command("certify", cls=GroupedCommand, statements=lambda: statements("data"))
@click.argument("data")
@engine_option
@click.option("-o", "--output", type=Path, help=f"The certificate to write [default: DATA{SUFFIX}].")
@one_file_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    data: str,
    statement: str,
    engine: str,
    output: Path | None,
    as_json: bool,
    one_file: bool,
    **options: Any,
) -> None:
    """Prove a statement about DATA (a CSV, NPY or NPZ file, or a named set) and write the certificate.

    An option that the statement does not use is an error.
    """
    said = given(context)
    path = output or Path(Path(data).stem + SUFFIX)
    prove(statement, said, lambda: read_data({**said, "data": data}), path, engine, as_json, one_file)

"""``ntkproof sphere``: prove a statement about the kernel on the unit sphere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.problem.sphere import Sphere
from ntkproof.commands.options import GroupedCommand, engine_option, given, json_option, one_file_option
from ntkproof.commands.prove import prove
from ntkproof.statements.table import statements


@click.command("sphere", cls=GroupedCommand, statements=lambda: statements("sphere"))
@engine_option
@click.option("-o", "--output", type=Path, default=Path(f"sphere{SUFFIX}"), show_default=True, help="What to write.")
@one_file_option
@json_option
@click.pass_context
def command(
    context: click.Context, /, statement: str, engine: str, output: Path, as_json: bool, one_file: bool, **options: Any
) -> None:
    """Prove a statement about the eigenvalues of the kernel on the unit sphere, uniformly distributed.

    An option that the statement does not use is an error.
    """
    said = given(context)
    prove(statement, said, lambda: Sphere(said["dimension"]), output, engine, as_json, one_file)

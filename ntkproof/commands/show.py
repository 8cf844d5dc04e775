"""``ntkproof show``: what a certificate contains, for a reviewer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from ntkproof.certificate import write_files
from ntkproof.checker.check import read
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.reading import Malformed
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.commands.options import writable
from ntkproof.show.lines import say
from ntkproof.show.text import problem_lines
from ntkproof.statements.table import describe, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ntkproof.checker.logic.format import Certificate


@click.command("show")
@click.argument("certificate", type=Path)
@click.option("--data", type=Path, help="Write the inputs, and the targets as last column: a .csv or .npy file.")
def command(certificate: Path, data: Path | None) -> None:
    """Show data, network, steps and conclusion of CERTIFICATE as it states them. Nothing is checked."""
    try:
        found = read(certificate)
    except Malformed as error:
        raise InputError(f"{certificate}: {error}") from None
    if data is not None:
        _write(found.problem.domain, data)
    say(f"{certificate}: not checked; it states:", *_lines(found))


def _lines(certificate: Certificate) -> Iterator[str]:
    facts = certificate.problem.facts()
    conclusion = certificate.conclusion
    try:
        lines = [describe(conclusion, "weights_sha256" in facts)]
        lines += problem_lines(facts, of_kind(str(conclusion["kind"])).about)
    except (KeyError, ValueError, TypeError):  # it states what no statement does
        lines = [_claim(conclusion), *(f"{name}: {value}" for name, value in facts.items())]
    yield from (f"  {line}" for line in lines)
    yield f"  {len(certificate.steps)} steps; the conclusion is that of {certificate.conclusion_step}"
    for step in certificate.steps:
        uses = f" from {', '.join(step.uses)}" if step.uses else ""
        args = "".join(f", {name} {value}" for name, value in step.args.items())
        yield f"  {step.id}: {_claim(step.claim)}"
        arrays = "; ".join(f"{name}: {_array(array)}" for name, array in step.witness.items())
        yield f"    by {step.rule}{uses}{args}" + (f"; witness {arrays}" if arrays else "")


def _claim(claim: Mapping[str, Any]) -> str:
    """Return a claim as it stands, long lists cut."""
    fields = (f"{name} {_short(value)}" for name, value in claim.items() if name != "kind")
    return f"{claim.get('kind')}: {', '.join(fields)}"


def _short(value: Any) -> str:
    if not isinstance(value, list) or len(value) <= 4:
        return str(value)
    return f"[{value[0]}, {value[1]}, … {value[-1]}] ({len(value)} entries)"


def _array(array: Any) -> str:
    return f"{' x '.join(map(str, array.shape))} {array.dtype}"


def _write(domain: Any, path: Path) -> None:
    """Write the exact float64 numbers of a dataset; a CSV has 17 digits, which give them back."""
    if not isinstance(domain, Dataset):
        raise InputError("the certificate is about the sphere: there are no data to write")
    if path.suffix not in (".csv", ".npy"):
        raise InputError(f"{path}: data are written as .csv or .npy")
    table = domain.inputs if domain.targets is None else np.column_stack([domain.inputs, domain.targets])
    stream = io.BytesIO()
    if path.suffix == ".npy":
        np.save(stream, table)
    else:
        np.savetxt(stream, table, fmt="%.17g", delimiter=",")
    write_files({writable(path): stream.getvalue()})

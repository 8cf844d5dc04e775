"""What the commands ``certify`` and ``sphere`` have in common: ask, write the certificate, say what it proves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ntkproof.certificate import TooLong, write
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.sphere import Sphere
from ntkproof.commands.options import progress, writable
from ntkproof.show.lines import say
from ntkproof.show.text import problem_lines
from ntkproof.statements.ask import PREPARED, certify, lambda_0, missed_gap
from ntkproof.statements.statement import Statement
from ntkproof.statements.table import answer


def prove(
    statement: str,
    given: Mapping[str, Any],
    domain: Callable[[], Dataset | Sphere],
    output: Path,
    engine: str,
    as_json: bool,
    one_file: bool,
) -> None:
    """Prove a statement, write its certificate and print the result.

    Args:
        statement: its name.
        given: the options that were said, those about the data among them.
        domain: returns the data or the sphere; called when the options are known to make sense.
        output: the file to write.
        engine: the arithmetic.
        as_json: whether to print JSON.
        one_file: whether to write all arrays into the certificate.

    Raises:
        InputError: unusable options or data, no proof, or a file that cannot be written.
    """
    path, started = writable(output), time.perf_counter()
    found, values = answer(statement, given)
    about = domain()

    def note(topic: str, line: str) -> None:
        say(line, err=as_json or topic == "aside")

    asked: dict[str, Any] = {name: value for name, value in given.items() if name not in PREPARED}
    with progress("proving", not as_json) as tick:
        certificate = certify(about, statement=found.name, engine=engine, tick=tick, note=note, **asked)
    try:
        files = write(certificate, path, one_file=one_file)
    except TooLong as error:  # a proof is not thrown away for that
        say(str(error), err=True)
        files = write(certificate, path)
    seconds = time.perf_counter() - started
    gap = values.get("gap")
    reached = missed_gap(certificate, gap)
    if reached is not None:
        say(f"the gap {gap:g} was not reached; the bounds are {float(reached):.2g} apart, relatively", err=True)
    if as_json:
        say(json.dumps(_fields(found, certificate, path, files, seconds)))
        return
    size = f"{about.n} x {about.d}, " if isinstance(about, Dataset) else ""
    least = lambda_0(certificate)
    lines = problem_lines(certificate.problem.facts(), found.about)
    lines += [] if least is None else [f"λ_0: λ_min(H∞) ≥ {least}"]
    says = found.says(certificate.conclusion, certificate.problem.weights is not None)
    lines.append(f"{path}: {says}  ({size}{seconds:.2f} s)")
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:-1])
        lines.append(f"its arrays, which belong beside it: {names}; ntkproof pack makes one file")
    details = found.details(certificate.conclusion)
    say(*lines, *details.splitlines())


def _fields(
    statement: Statement, certificate: Certificate, path: Path, files: list[Path], seconds: float
) -> dict[str, Any]:
    facts = certificate.problem.facts()
    return {
        "certificate": str(path),
        "files": [str(file) for file in files],
        "statement": statement.name,
        "problem": facts,
        "lambda_0": lambda_0(certificate),
        "conclusion": dict(certificate.conclusion),
        **({"sha256": facts["sha256"]} if "sha256" in facts else {}),
        "seconds": round(seconds, 3),
    }

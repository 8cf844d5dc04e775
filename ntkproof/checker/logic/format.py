"""Certificates as text: a problem, the steps of a proof and its conclusion.

Trusted.  This module only says whether a file *is* a certificate (``docs/certificate-format.md``), never whether it
proves anything.  Everything that is not exactly in the format is a `Malformed` error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ntkproof.checker.logic.arrays import Array, array_in
from ntkproof.checker.logic.reading import Malformed, Reader, identifier, listed, named, record, strict_json, text

FORMAT = "ntkproof-certificate-1"
SUFFIX = ".cert.json"
MAX_TEXT = 64 * 2**20


@dataclass(frozen=True)
class Step:
    """One step of a proof: ``claim`` is said to follow by ``rule`` from the claims of the steps ``uses``."""

    id: str
    rule: str
    uses: tuple[str, ...] = ()
    args: Mapping[str, int | str] = field(default_factory=dict)
    witness: Mapping[str, Array] = field(default_factory=dict)
    claim: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """A problem, the steps of a proof and the conclusion ``claim`` said to be that of step ``step``.

    The logic does not look into the problem.
    """

    problem: Any
    steps: tuple[Step, ...]
    conclusion_step: str
    conclusion: Mapping[str, Any]

    def __repr__(self) -> str:
        rules = ", ".join(dict.fromkeys(step.rule for step in self.steps))
        return f"Certificate({dict(self.conclusion)}, {len(self.steps)} steps by {rules}, about {self.problem})"


ProblemReader = Callable[[Path | None], Reader]
"""Returns the reader of a problem, given the folder of the files beside the certificate."""


def read(path: Path | str, problem: ProblemReader) -> Certificate:
    """Read the certificate at ``path`` and the files it names in its own folder.

    Raises:
        Malformed: anything that is not exactly in the format, including a missing or altered file beside it.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        content = path.read_bytes().decode("utf-8") if size <= MAX_TEXT else ""
    except FileNotFoundError:
        raise Malformed("no such file") from None
    except OSError as error:
        raise Malformed(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from None
    except ValueError:
        raise Malformed("not a file name") from None
    if size > MAX_TEXT:
        raise Malformed(f"the file is longer than {MAX_TEXT} bytes")
    return parse(content, problem, path.parent)


def parse(content: str, problem: ProblemReader, folder: Path | None = None) -> Certificate:
    """Parse the text of a certificate; files beside it are looked up in ``folder`` only.

    Raises:
        Malformed: as `read`.
    """

    def step(raw: Any, where: str) -> Step:
        fields: dict[str, Reader] = {"id": identifier, "rule": identifier, "uses": listed(identifier)}
        fields |= {"args": named(_scalar), "witness": named(array_in(folder)), "claim": _claim}
        return Step(**record(raw, where, fields))

    def conclusion(raw: Any, where: str) -> dict[str, Any]:
        return record(raw, where, {"step": identifier, "claim": _claim})

    readers = {"format": _format, "problem": problem(folder), "steps": listed(step), "conclusion": conclusion}
    top = record(strict_json(content), "certificate", readers)
    return Certificate(top["problem"], top["steps"], top["conclusion"]["step"], top["conclusion"]["claim"])


def _format(raw: Any, where: str) -> None:
    if raw != FORMAT:
        raise Malformed(f"{where}: expected {FORMAT!r}")


def _scalar(raw: Any, where: str) -> int | str:
    if type(raw) is not int and not isinstance(raw, str):
        raise Malformed(f"{where}: expected an integer or a string")
    return text(raw, where) if isinstance(raw, str) else raw


def _claim(raw: Any, where: str) -> dict[str, Any]:
    """Read the fields of a claim as they stand: integers, texts and lists of these."""

    def value(raw: Any, where: str) -> Any:
        return list(listed(_scalar)(raw, where)) if isinstance(raw, list) else _scalar(raw, where)

    claim: dict[str, Any] = named(value)(raw, where)
    return claim

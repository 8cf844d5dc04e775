"""Checks a certificate and says what the verdict rests on.

Trusted.  A verdict never raises for a bad proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.logic import format
from ntkproof.checker.logic.budget import allowing
from ntkproof.checker.logic.claim import Rejection, to_fields
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.load import load, noting
from ntkproof.checker.logic.reading import Malformed
from ntkproof.checker.logic.replay import Replay
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.problem import problem_in
from ntkproof.checker.table import KINDS, RULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ntkproof.checker.arithmetic.protocols import Arithmetic, Tick


@dataclass(frozen=True)
class Verdict:
    """What the checker says of a certificate.

    Args:
        verdict: ``valid``, ``holey`` (every step checks, but something was assumed), ``invalid``, ``malformed``, or
            ``undecided`` (the checker failed, which says nothing of the proof and accepts nothing).
        conclusion: the proved claim (``kind`` and its exact numbers as decimal strings); None unless it holds.
        assumptions: what the proof rests on.
        problem: rows, columns and SHA-256 of the data, or dimension of the sphere, network and kernel; None if
            malformed.
        step, rule: where an invalid proof, or the checker, fails; empty for the conclusion and for malformed files.
        code: short stable name of the error.
        reason: one line for people.
        needed, derived: what was stated or required, and what the checker derives instead.
        rules: the names of the rules that a proof uses.
        modules: those modules of ``ntkproof.checker`` that were needed besides the ones that every check needs.
    """

    verdict: str
    conclusion: Mapping[str, Any] | None = None
    assumptions: tuple[str, ...] = ()
    problem: Mapping[str, Any] | None = None
    step: str = ""
    rule: str = ""
    code: str = ""
    reason: str = ""
    needed: str = ""
    derived: str = ""
    rules: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """True only for ``valid``."""
        return self.verdict == "valid"

    @property
    def exit_code(self) -> int:
        """0 valid, 3 holey, 1 invalid, 2 malformed; undecided 71 for want of memory, else 70."""
        undecided = 71 if self.code == "out-of-memory" else 70
        return {"valid": 0, "holey": 3, "invalid": 1, "undecided": undecided}.get(self.verdict, 2)

    @property
    def trusted_lines(self) -> dict[str, int]:
        """The files of this package that the verdict rests on, and how many lines of code each has."""
        files: dict[str, int] = load("trust").files(self.modules)
        return files


def read(path: Path | str) -> Certificate:
    """Read the certificate at ``path`` and the sidecar files it names in its own folder; raises `Malformed`."""
    return format.read(path, problem_in)


def parse(text: str, folder: Path | None = None) -> Certificate:
    """Parse the text of a certificate; sidecar files are looked up in ``folder`` only.  Raises `Malformed`."""
    return format.parse(text, problem_in, folder)


def check(
    certificate: Certificate | Path | str, *, engine: str = "fast", tick: Tick = lambda done, total: None
) -> Verdict:
    """Check a certificate.

    Args:
        certificate: a `Certificate`, a path, or the JSON text of one (a string that starts with ``{``).
        engine: ``fast`` or ``reference``.
        tick: called with (done, total) during long steps.

    Returns:
        The verdict; nothing is raised for a bad proof.

    Raises:
        ValueError: unknown engine.
    """
    with noting() as modules:
        numbers = arithmetic(engine)
        try:
            if not isinstance(certificate, Certificate):
                is_text = isinstance(certificate, str) and certificate.lstrip()[:1] == "{"
                certificate = parse(str(certificate)) if is_text else read(certificate)
            return _judged(certificate, numbers, tick, modules)
        except Malformed as error:
            return Verdict("malformed", code="malformed", reason=str(error))
        except Exception as error:
            return _undecided(error)


def _judged(certificate: Certificate, numbers: Arithmetic, tick: Tick, modules: set[str]) -> Verdict:
    problem = certificate.problem
    about = problem.facts()
    for part in (problem.domain, problem.training, problem.weights):
        if part is not None:
            load(type(part).__module__.removeprefix("ntkproof.checker."))  # noted, whoever has read the problem
    replay = Replay(Setting(problem, numbers, tick), RULES, KINDS)
    try:
        # what NumPy does at overflow is not for the caller's settings to decide
        with np.errstate(all="ignore"), allowing(certificate.size):
            proved = replay.run(certificate)
    except Rejection as error:
        why = error.code, error.reason, error.needed, error.derived
        return Verdict("invalid", None, (), about, replay.step, replay.rule, *why)
    except Exception as error:  # the default is to reject: a proof the checker stumbles over is not accepted
        return _undecided(error, about, replay.step, replay.rule)
    assumptions = *sorted(proved.assumptions), f"arithmetic ({numbers.name}): {numbers.trusts}"
    rules = tuple(dict.fromkeys(step.rule for step in certificate.steps))
    verdict, claim = "holey" if proved.assumed else "valid", to_fields(proved.claim)
    return Verdict(verdict, claim, assumptions, about, rules=rules, modules=tuple(sorted(modules)))


def _undecided(error: Exception, about: Mapping[str, Any] | None = None, step: str = "", rule: str = "") -> Verdict:
    code = "out-of-memory" if isinstance(error, MemoryError) else "checker-failed"
    failure = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Verdict("undecided", None, (), about, step, rule, code, failure)

"""Asks a question: the one way from the name of a statement and its options to a certificate."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Unpack

from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.sphere import Sphere
from ntkproof.statements.options import DATA, NETWORK, OPTIONS, SPHERE, TARGETS, Options
from ntkproof.statements.spelling import activation_name
from ntkproof.statements.statement import Note, Question
from ntkproof.statements.table import answer, statements

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.protocols import Tick

PREPARED = {*DATA, *TARGETS, *SPHERE}


def certify(
    domain: Dataset | NDArray[np.float64] | Sphere,
    network: Network | None = None,
    *,
    statement: str = "lambda-min",
    engine: str = "fast",
    tick: Tick = lambda done, total: None,
    note: Note = lambda topic, line: None,
    **options: Unpack[Options],
) -> Certificate:
    """Prove a statement and return the proof as a certificate.

    Args:
        domain: a `Dataset`, or inputs of shape (n, d); for the statements about the sphere a `Sphere`.
        network: the network; without one, that of the options ``activation``, ``depth``, ``train``, ``bias``,
            ``weight_std`` and ``input_scale``, with the defaults of the statement.
        statement: its name; ``docs/statements.md`` lists them with what they prove and their options.
        engine: ``fast`` or ``reference``, the arithmetic the enclosures are made with.
        tick: called with (done, total) during long steps.
        note: called with what was noticed on the way: ``aside`` or ``found``, and a line.
        options: those of the statement; None is the same as leaving one out.

    Raises:
        InputError: unknown statement; an option or a network it does not use, or would override; unusable data or
            values; or a hypothesis that fails.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None and value is not False}
    for option in PREPARED & {*given}:
        raise InputError(f"{OPTIONS[option].word} is an option of the command line; use ntkproof.prepare or Sphere")
    if network is not None:
        for option in {*NETWORK} & {*given}:
            raise InputError(f"a network was given: say {OPTIONS[option].word} there")
        given = {**network.facts(), **given}
    found, values = answer(statement, given)
    if not isinstance(domain, Dataset | Sphere):
        domain = Dataset(domain)
    if (found.domain == "sphere") != isinstance(domain, Sphere):
        names = ", ".join(each.name for each in statements() if each.domain != found.domain)
        other = "data" if found.domain == "sphere" else "the sphere"
        raise InputError(f"the statement {found.name} is not about {other}; there are {names}")
    if network is None:
        said = {name: values.get(name, default) for name, default in NETWORK.items()}
        if isinstance(said["activation"], str):
            said["activation"] = activation_name(said["activation"])
        network = Network(**said)
    rest = {name: value for name, value in values.items() if name not in NETWORK}
    return found.prove(Question(domain, network, rest, engine, tick, note))


def missed_gap(certificate: Certificate, gap: Any) -> Fraction | None:
    """Return the relative width of a certified λ_min if that is more than was asked for; None otherwise."""
    conclusion = certificate.conclusion
    if gap is None or conclusion["kind"] != "lambda_min" or conclusion["upper"] == "0":
        return None
    lower, upper = (Fraction(str(conclusion[side])) for side in ("lower", "upper"))
    reached = (upper - lower) / upper
    return reached if reached > Fraction(gap) else None


def lambda_0(certificate: Certificate) -> str | None:
    """Return the best lower bound on λ_min(H∞) that a certificate proves on its way, a decimal; None if none."""
    return max(_lower_bounds(certificate), key=Fraction, default=None)


def _lower_bounds(certificate: Certificate) -> Iterable[str]:
    for step in certificate.steps:
        claim = step.claim
        if claim["kind"] in ("lambda_min", "a_priori"):
            yield str(claim["lower"])
        elif claim["kind"] == "spectrum":
            yield str(claim["lower"][-1])
        elif [claim.get(name) for name in ("matrix", "eigenvalue", "side")] == ["kernel", "min", "lower"]:
            yield str(claim["value"])

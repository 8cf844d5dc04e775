"""The operator norm of the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import DATA
from ntkproof.statements.statement import Question, Statement, interval

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.certify`."""
    from ntkproof.prover.certify import certify

    return certify(question.dataset, question.network, statement="operator-norm", **question.options("gap"))


STATEMENT = Statement(
    name="operator-norm",
    proves="two-sided bounds on ‖X‖, the largest singular value of the inputs",
    network="none: it is about the inputs alone",
    kinds=("operator_norm",),
    options={**DATA, "gap": 1e-6},
    words=interval("‖X‖"),
    prove=prove,
)

"""The condition number of the kernel of infinite width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import DATA, KERNEL
from ntkproof.statements.statement import Question, Statement, interval

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.certify`."""
    from ntkproof.prover.certify import certify

    return certify(
        question.dataset, question.network, statement="condition-number", **question.options("kernel", "gap")
    )


STATEMENT = Statement(
    name="condition-number",
    proves="two-sided bounds on λ_max(H) / λ_min(H)",
    network="1 to 10 hidden layers of infinite width, any activation",
    kinds=("condition_number",),
    options={**DATA, **KERNEL, "gap": 1e-6},
    words=interval("λ_max(H∞)/λ_min(H∞)"),
    prove=prove,
)

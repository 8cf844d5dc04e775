"""The effective rank of the kernel of infinite width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import DATA, KERNEL
from ntkproof.statements.statement import Question, Statement, interval

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.certify`."""
    from ntkproof.prover.certify import certify

    return certify(question.dataset, question.network, statement="effective-rank", **question.options("kernel"))


STATEMENT = Statement(
    name="effective-rank",
    proves="two-sided bounds on trace(H) / λ_max(H)",
    network="1 to 10 hidden layers of infinite width, any activation",
    kinds=("effective_rank",),
    options={**DATA, **KERNEL},
    words=interval("trace(H∞)/λ_max(H∞)"),
    prove=prove,
)

"""The smallest eigenvalue of the kernel of infinite width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import DATA, KERNEL
from ntkproof.statements.statement import Question, Statement, Values, interval

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.certify`."""
    from ntkproof.prover.certify import certify

    return certify(question.dataset, question.network, statement="lambda-min", **question.options("kernel", "gap"))


def words(conclusion: Values) -> str:
    """Name the interval, or the rows that make the matrix singular."""
    rows = conclusion.get("null_rows")
    if not rows:
        return interval("λ_min(H∞)")(conclusion)
    named = ", ".join(str(k) for k in rows[:8]) + (", …" if len(rows) > 8 else "")
    return f"λ_min(H∞) = 0: H∞ is singular, a null vector lives on rows {named} (counted from 0)"


STATEMENT = Statement(
    name="lambda-min",
    proves="two-sided bounds on λ_min(H), the smallest eigenvalue at infinite width, or that it is 0 and why",
    network="1 to 10 hidden layers of infinite width, any activation",
    kinds=("lambda_min",),
    options={**DATA, **KERNEL, "gap": 1e-6},
    words=words,
    prove=prove,
)

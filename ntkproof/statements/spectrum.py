"""All eigenvalues of the kernel of infinite width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import DATA, KERNEL
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.certify`."""
    from ntkproof.prover.certify import certify

    return certify(question.dataset, question.network, statement="spectrum", **question.options("kernel"))


def words(conclusion: Values) -> str:
    """Name the largest and the smallest."""
    lower, upper = conclusion["lower"], conclusion["upper"]
    ends = (f"λ_{k + 1} in [{lower[k]}, {upper[k]}]" for k in (0, len(lower) - 1))
    return f"all {len(lower)} eigenvalues of H∞, {', …, '.join(ends)}"


STATEMENT = Statement(
    name="spectrum",
    proves="two-sided bounds on every eigenvalue of H, each to about n 1e-16 λ_max",
    network="1 to 10 hidden layers of infinite width, any activation",
    kinds=("spectrum",),
    options={**DATA, **KERNEL},
    words=words,
    prove=prove,
)

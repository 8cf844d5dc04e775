"""What rules of other families ask of premises about the limit.

Trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.claim import Rejection

if TYPE_CHECKING:
    from fractions import Fraction

    from ntkproof.checker.logic.rule import Proved


def eigenvalue_bound(premise: Proved, matrix: str, eigenvalue: str, side: str) -> Fraction:
    """Return the value of a premise that bounds this eigenvalue of this matrix from this side, or raise `Rejection`."""
    claim = premise.claim
    needed = (matrix, eigenvalue, side)
    if not isinstance(claim, EigenvalueBound) or (claim.matrix, claim.eigenvalue, claim.side) != needed:
        raise Rejection("bad-premises", f"a premise must be a bound on lambda_{eigenvalue} of {matrix}, side {side}")
    return claim.value


def lambda_zero(premise: Proved) -> Fraction:
    """Return the lower bound ``λ_0 > 0`` on ``λ_min(H∞)`` that a premise states."""
    bound = eigenvalue_bound(premise, "kernel", "min", "lower")
    if bound <= 0:
        raise Rejection("hypothesis", "the limit kernel must be positive definite", "lambda_0 > 0", str(bound))
    return bound


def inputs_norm_squared(premise: Proved) -> Fraction:
    """Return the upper bound on ``‖X‖²`` that a premise states."""
    return eigenvalue_bound(premise, "inputs", "max", "upper")

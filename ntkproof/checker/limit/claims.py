"""What is claimed of the matrices of the limit.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ntkproof.checker.logic.claim import LOWER, UPPER, Claim, claim_field
from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.logic.reading import integer, listed, number, word

if TYPE_CHECKING:
    from fractions import Fraction


POWERS = (1, *range(2, 33, 2))

MATRICES = ("kernel", "initial_kernel", "inputs", "inputs_squared", *(f"power-{k}" for k in POWERS))


@dataclass(frozen=True)
class Enclosure(Claim):
    """``‖M − 2^-precision A‖ ≤ 2^-precision radius`` for the integer matrix ``A`` the checker holds.

    ``matrix`` says what ``M`` is: ``kernel`` (the problem's Gram matrix), ``inputs`` (``XXᵀ`` or ``XᵀX``),
    ``inputs_squared`` (``K∘K`` of ``K = XXᵀ``) or ``power-k`` (``Σ¹_ij ρ_ij^{k−1}``, ρ the cosines of the first
    layer's covariance ``Σ¹``).
    """

    kind: ClassVar[str] = "enclosure"
    matrix: str = claim_field(word(MATRICES))
    precision: int = claim_field(integer)
    radius: int = claim_field(integer, UPPER)


@dataclass(frozen=True)
class EigenvalueBound(Claim):
    """One side of an extreme eigenvalue: ``λ_min`` or ``λ_max`` of ``matrix`` is ``≥`` or ``≤`` ``value``."""

    kind: ClassVar[str] = "eigenvalue_bound"
    matrix: str = claim_field(word(MATRICES))
    eigenvalue: str = claim_field(word(("min", "max")))
    side: str = claim_field(word((LOWER, UPPER)))
    value: Fraction = claim_field(number, "side")
    assumable: ClassVar[bool] = True

    def described(self) -> str:
        return f"lambda_{self.eigenvalue} of {self.matrix}, {self.side} bound {decimal(self.value)}"


@dataclass(frozen=True)
class Interval(Claim):
    """``lower ≤ x ≤ upper``; what ``x`` is, its subclasses say."""

    lower: Fraction = claim_field(number, LOWER)
    upper: Fraction = claim_field(number, UPPER)


@dataclass(frozen=True)
class LambdaMin(Interval):
    """``λ_min`` of the kernel; ``null_rows`` is the support of an exact null vector, if one was shown."""

    kind: ClassVar[str] = "lambda_min"
    concludes: ClassVar[bool] = True
    null_rows: tuple[int, ...] = claim_field(listed(integer), default=())

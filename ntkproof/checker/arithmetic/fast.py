"""The ``fast`` arithmetic: exact integer products on BLAS slices, numbers in float64 or Arb balls.

Trusted.  The answers are those of ``reference``; what has to be believed is listed in `Fast.trusts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic import slices
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.protocols import Fixed


class Fast:
    """See `ntkproof.checker.arithmetic.protocols.Arithmetic`."""

    name = "fast"
    trusts = (
        "CPython integers; IEEE 754 double products and sums of integers below 2^53 in BLAS; "
        "IEEE 754 double + - * / sqrt elementwise in NumPy; Arb (FLINT) balls"
    )
    float64 = True
    context = ArbNumbers(64)

    @property
    def fixed(self) -> Fixed:
        """Fixed-point matrices."""
        found: Fixed = load("arithmetic.fixed_slices").Sliced()
        return found

    def numbers(self, bits: int, places: int = 0) -> AbstractContextManager[ArbNumbers]:
        """Enter Arb balls of this precision."""
        return self.context.at(bits)

    def gram(self, inputs: NDArray[np.float64], exponent: int) -> slices.Symmetric:
        """Return the exact integer Gram matrix of the rows."""
        return slices.gram(inputs, exponent)

    def symmetric(self, n: int, packed: list[int]) -> slices.Symmetric:
        """Return the symmetric matrix of a packed lower triangle."""
        return slices.Symmetric.from_lower(n, packed)

    def residual_norm(self, matrix: Any, shift: int, sign: int, e: int, witness: tuple[int, bytes], f: int) -> int:
        """Return the norm of the residual of a witness."""
        triangle = slices.Triangular.from_bytes(matrix.n, *witness)
        return slices.residual_norm(matrix, shift, sign, e, triangle, f)

    def quadratic_form(self, matrix: Any, v: list[int]) -> int:
        """Return ``vᵀAv``."""
        return slices.quadratic_form(matrix, v)

    def congruence(self, matrix: Any, n: int, witness: tuple[int, bytes]) -> tuple[list[int], int]:
        """Return the diagonal and the off-diagonal norm of ``U A Uᵀ``."""
        found: tuple[list[int], int] = load("arithmetic.slices_congruence").congruence(matrix, n, *witness)
        return found


ENGINE = Fast()

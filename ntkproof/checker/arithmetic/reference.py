"""The ``reference`` arithmetic: Python integers and mpmath intervals, nothing compiled to trust but CPython.

Trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.protocols import Fixed


from ntkproof.checker.arithmetic import exact
from ntkproof.checker.arithmetic.interval import Intervals


class Reference:
    """See `ntkproof.checker.arithmetic.protocols.Arithmetic`."""

    name = "reference"
    trusts = "CPython integers; mpmath interval + - * /"
    float64 = False
    context = Intervals(64)

    @property
    def fixed(self) -> Fixed:
        """Fixed-point matrices."""
        found: Fixed = load("arithmetic.fixed").Exact()
        return found

    def numbers(self, bits: int, places: int = 0) -> AbstractContextManager[Intervals]:
        """Enter intervals of a few bits more, and not fewer than ``places``: more than ``fast`` uses."""
        return self.context.at(max(bits, places) + 16)

    def gram(self, inputs: NDArray[np.float64], exponent: int) -> exact.Symmetric:
        """Return the exact integer Gram matrix of the rows."""
        return exact.gram(inputs, exponent)

    def symmetric(self, n: int, packed: list[int]) -> exact.Symmetric:
        """Return the symmetric matrix of a packed lower triangle."""
        return exact.Symmetric.from_lower(n, packed)

    def residual_norm(
        self, matrix: exact.Symmetric, shift: int, sign: int, e: int, witness: tuple[int, bytes], f: int
    ) -> int:
        """Return the exact norm of the residual of a witness."""
        triangle = exact.Triangular.from_bytes(matrix.n, *witness)
        return exact.residual_norm(matrix, shift, sign, e, triangle, f)

    def quadratic_form(self, matrix: exact.Symmetric, v: list[int]) -> int:
        """Return ``vᵀAv``."""
        return exact.quadratic_form(matrix, v)

    def congruence(self, matrix: exact.Symmetric | None, n: int, witness: tuple[int, bytes]) -> tuple[list[int], int]:
        """Return the diagonal and the off-diagonal norm of ``U A Uᵀ``."""
        found: tuple[list[int], int] = load("arithmetic.exact_products").congruence(matrix, n, *witness)
        return found


ENGINE = Reference()

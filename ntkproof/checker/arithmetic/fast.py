"""The ``fast`` arithmetic: exact integer products on BLAS slices, entries in Arb balls.

Trusted.  The answers are those of ``reference``; what has to be believed is listed in `Fast.trusts`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import Tick, slices
from ntkproof.checker.kernels import enclose_entries
from ntkproof.problem import Problem


class ArbNumbers:
    """Arb balls at the precision of ``flint.ctx`` (set by the caller); see `Numbers`."""

    @property
    def pi(self) -> flint.arb:
        """π."""
        return flint.arb.pi()

    def rational(self, value: Fraction | int) -> flint.arb:
        """Enclose an exact rational."""
        return flint.arb(flint.fmpq(value.numerator, value.denominator))

    def nonnegative(self, x: flint.arb) -> flint.arb:
        """Intersect a ball with ``[0, ∞)``.

        Raises:
            ValueError: the ball is negative: the number is not what the caller said.
        """
        if x >= 0:
            return x
        if not x.is_finite() or x < 0:
            raise ValueError("a number known to be >= 0 is enclosed by negative numbers or by nothing finite")
        half = x.abs_upper() / 2
        return flint.arb(half.mid(), half.abs_upper())

    def sqrt(self, x: flint.arb) -> flint.arb:
        """Enclose √x of a number known to be ≥ 0."""
        x = self.nonnegative(x)
        if x > 0 or x == 0:
            return x.sqrt()
        half = x.abs_upper().sqrt() / 2
        return flint.arb(half.mid(), half.abs_upper())

    def angle(self, x: flint.arb, y: flint.arb) -> flint.arb:
        """Enclose the argument of ``x + iy``, ``y`` known to be ≥ 0, away from the branch cut of atan2."""
        y = self.nonnegative(y)
        if x > 0:
            return self.nonnegative((y / x).atan())
        if x < 0:
            return self.pi - self.nonnegative((y / -x).atan())
        if y > 0:
            return self.pi / 2 - (x / y).atan()
        half = self.pi / 2
        return flint.arb(half.mid(), half.abs_upper())

    def exp(self, x: flint.arb) -> flint.arb:
        """Enclose eˣ."""
        return x.exp()

    def quantise(self, x: flint.arb, precision: int) -> tuple[int, int]:
        """Return integers ``(A, ρ)`` with ``|v − 2^-precision A| ≤ 2^-precision ρ`` for every v in the ball.

        Raises:
            ValueError: the ball is not finite.
        """
        if not x.is_finite():
            raise ValueError("an entry of the kernel has no finite enclosure at this precision")
        mantissa, exponent = x.mid().man_exp()
        mantissa, exponent = int(mantissa), int(exponent) + precision
        if exponent >= 0:
            middle, lost = mantissa << exponent, 0
        else:
            middle = (mantissa + (1 << (-exponent - 1))) >> -exponent
            lost = 1  # rounding moved the midpoint by at most a half, counted as 1
        mantissa, exponent = x.rad().man_exp()
        mantissa, exponent = int(mantissa), int(exponent) + precision
        return middle, lost + (mantissa << exponent if exponent >= 0 else -(-mantissa >> -exponent))


class Fast:
    """See `ntkproof.checker.arithmetic.Arithmetic`."""

    name = "fast"
    trusts = "CPython integers; IEEE 754 double products and sums of integers below 2^53 in BLAS; Arb (FLINT) balls"

    def enclose_kernel(
        self, problem: Problem, precision: int, working: int, tick: Tick
    ) -> tuple[slices.Symmetric, int]:
        """Enclose the kernel's Gram matrix with Arb balls of ``working`` bits."""
        numbers = ArbNumbers()
        inputs = self.gram(problem.dataset.inputs, problem.dataset.exponent)
        with flint.ctx.workprec(working):
            packed, radius = enclose_entries(problem, inputs, numbers, lambda x: numbers.quantise(x, precision), tick)
        return slices.Symmetric.from_lower(inputs.n, packed), radius

    def gram(self, inputs: NDArray[np.float64], exponent: int) -> slices.Symmetric:
        """Return the exact integer Gram matrix of the rows."""
        return slices.gram(inputs, exponent)

    def residual_norm(self, matrix: Any, shift: int, sign: int, e: int, witness: tuple[int, bytes], f: int) -> int:
        """Return the norm of the residual of a witness (an upper bound if it does not fit 62 bits)."""
        triangle = slices.Triangular.from_bytes(matrix.n, *witness)
        return slices.residual_norm(matrix, shift, sign, e, triangle, f)

    def quadratic_form(self, matrix: Any, v: list[int]) -> int:
        """Return ``vᵀAv``."""
        return slices.quadratic_form(matrix, v)

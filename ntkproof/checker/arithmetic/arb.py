"""Arb balls: the ``fast`` number context.

Trusted.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

import flint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

MAX_BITS = 2**16


_ONE_AT_A_TIME = RLock()
"""Held while Arb computes: FLINT's Python binding has one precision for all threads of the process."""

os.register_at_fork(
    before=_ONE_AT_A_TIME.acquire, after_in_parent=_ONE_AT_A_TIME.release, after_in_child=_ONE_AT_A_TIME.release
)


@dataclass(frozen=True)
class ArbNumbers:
    """Arb balls of ``precision`` bits; see `Numbers`.  Compute inside `at` only.

    A ball holds the true value whatever ``flint.ctx.prec`` is: each operation reads that precision once and rounds
    outward to it.  So nothing that decides may depend on ``flint.ctx``; whoever needs a number of bits takes it from
    here.  `at` keeps other threads that compute here away from ``flint.ctx``, so that balls are as narrow as asked.
    Code that sets it behind our back can make a proof fail, and no more.
    """

    precision: int

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
        return flint.arb(0).union(x.abs_upper())

    def sqrt(self, x: flint.arb) -> flint.arb:
        """Enclose √x of a number known to be ≥ 0."""
        x = self.nonnegative(x)
        if x > 0 or x == 0:
            return x.sqrt()
        return flint.arb(0).union(x.abs_upper().sqrt())

    def angle(self, x: flint.arb, y: flint.arb) -> flint.arb:
        """Enclose the argument of ``x + iy``, ``y`` known to be ≥ 0, away from the branch cut of atan2."""
        y = self.nonnegative(y)
        if x > 0:
            return self.nonnegative((y / x).atan())
        if x < 0:
            return self.pi - self.nonnegative((y / -x).atan())
        if y > 0:
            return self.pi / 2 - (x / y).atan()
        return flint.arb(0).union(self.pi)

    def exp(self, x: flint.arb) -> flint.arb:
        """Enclose eˣ."""
        return x.exp()

    def log(self, x: flint.arb) -> flint.arb:
        """Enclose the natural logarithm; not finite unless all of the ball is positive."""
        return x.log()

    def erf(self, x: flint.arb) -> flint.arb:
        """Enclose erf."""
        return x.erf()

    def atan(self, x: flint.arb) -> flint.arb:
        """Enclose atan."""
        return x.atan()

    def sin(self, x: flint.arb) -> flint.arb:
        """Enclose sin."""
        return x.sin()

    def cos(self, x: flint.arb) -> flint.arb:
        """Enclose cos."""
        return x.cos()

    def tanh(self, x: flint.arb) -> flint.arb:
        """Enclose tanh, which increases."""
        return x.lower().tanh().union(x.upper().tanh())

    def sech_squared(self, x: flint.arb) -> flint.arb:
        """Enclose ``1 − tanh² x = 4t/(1 + t)²``, ``t = e^{−2|x|}``, which increases in t on ``[0, 1]``."""
        small, large = ((-2 * end).exp() for end in (x.abs_lower(), x.abs_upper()))
        return (4 * small / (1 + small) ** 2).union(4 * large / (1 + large) ** 2)

    def softplus(self, x: flint.arb) -> flint.arb:
        """Enclose ``log(1 + eˣ)``."""
        return x.lower().exp().log1p().union(x.upper().exp().log1p())

    def positive(self, x: flint.arb) -> flint.arb:
        """Return ``x``; ValueError unless all of it is positive."""
        if not (x.is_finite() and x > 0):
            raise ValueError("a number is not seen to be positive")
        return x

    @contextmanager
    def at(self, bits: int) -> Iterator[ArbNumbers]:
        """Yield a context of this precision, alone with ``flint.ctx`` until it is left."""
        with _ONE_AT_A_TIME, flint.ctx.workprec(bits):
            yield ArbNumbers(bits)

    def ball(self, middle: int, radius: int, p: int) -> flint.arb:
        """Return a ball that holds all v with ``|v − 2^-p middle| ≤ 2^-p radius``."""
        return flint.arb((middle - radius, -p)).union(flint.arb((middle + radius, -p)))

    def product(self, a: list[list[int]], b: list[list[int]]) -> list[list[int]]:
        """Return the exact product of two integer matrices, given as lists of rows."""
        found = (flint.fmpz_mat(a) * flint.fmpz_mat(b)).table()
        return [[int(x) for x in row] for row in found]

    def quantise(self, x: flint.arb, p: int) -> tuple[int, int]:
        """Return integers ``(A, ρ)`` with ``|v − 2^-p A| ≤ 2^-p ρ`` for every v in the ball.

        Raises:
            ValueError: the ball is not finite.
        """
        if not x.is_finite():
            raise ValueError("an entry of the kernel has no finite enclosure at this precision")
        middle, lost = _shifted(x.mid(), p)
        radius, up = _shifted(x.rad(), p)
        return middle, radius + lost + up


def _shifted(x: flint.arb, p: int) -> tuple[int, int]:
    """Return an integer k and e in {0, 1} with ``|2^p x − k| ≤ e`` for an exact x."""
    mantissa, exponent = (int(part) for part in x.man_exp())
    exponent += p
    if mantissa.bit_length() + exponent > MAX_BITS:
        raise ValueError(f"an entry of the kernel needs more than {MAX_BITS} bits at this precision")
    if exponent >= 0:
        return mantissa << exponent, 0
    if mantissa.bit_length() + exponent < 0:
        return 0, 1
    return mantissa >> -exponent, 1

"""Arrays of real numbers enclosed in balls of float64: the number context of the ``fast`` arithmetic.

Trusted.  Of NumPy only ``+ - * / sqrt``, ``floor``, ``ldexp``, ``take`` and comparisons of float64 arrays are
believed: each result is one of the two float64 numbers around the exact one (*faithful*; any rounding mode will
do), and underflow is gradual.  No function of a mathematical library is called: tables come from `elementary`,
short polynomials have proved errors.  Proofs: ``docs/proofs/balls.md``.

A computed mid is off by at most ``U`` of itself; a radius is a sum of products of non-negative numbers,
computed in at most 12 roundings and then multiplied by ``GROWTH``; ``TINY`` pays for all that underflows.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property, lru_cache
from math import floor, inf, isqrt, nextafter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ntkproof.checker.arithmetic import elementary, transcendental

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats: TypeAlias = Any
"""A float64 array of any shape, or one float64."""

U = 2.0**-52  # a faithful result is within U of itself from the exact one
GROWTH = 1 + 2.0**-48  # makes up for the roundings inside a radius
TINY = 2.0**-600  # makes up for underflow inside a mid or a radius
LARGEST = 2.0**300  # of mids and radii: squares of squares do not overflow
NEAREST = 2.0**-400  # divisors closer to zero are refused

_BITS = 80  # precision of tables and constants before they are rounded to float64
_STEPS = 128  # atan is tabulated at k / 128
_EXP_FAR = -420.0  # exp(-420) < TINY
_THIRD = 1.0 / 3.0


class Ball:
    """The numbers in ``[mid - rad, mid + rad]``, elementwise; ``+ - * /`` with balls and ints of 53 bits.

    Args:
        mid: float64 array (or float), at most 2^300 in magnitude.
        rad: float64 array of a shape that broadcasts with ``mid``, from 0 to 2^300.

    Operations broadcast, and enclose the result for all numbers in the balls.  NumPy's warnings of overflow are
    the caller's to silence (``np.errstate``): what overflows is never returned.

    Raises:
        ValueError: NaN, infinity or numbers out of range, here or as the result of an operation.
    """

    __slots__ = ("mid", "rad")
    __array_ufunc__ = None  # so that array * ball is an error and not an array of balls

    def __init__(self, mid: Floats, rad: Floats = 0.0) -> None:
        self.mid, self.rad = np.asarray(mid, np.float64)[()], np.asarray(rad, np.float64)[()]
        if not (np.abs(self.mid).max() <= LARGEST and self.rad.min() >= 0 and self.rad.max() <= LARGEST):
            raise ValueError("a ball has a mid or a radius that is not finite or out of range")

    def __getitem__(self, index: Any) -> Ball:
        """The balls at an index; mid and rad must have the same shape."""
        return Ball(self.mid[index], self.rad[index])

    def __neg__(self) -> Ball:
        return Ball(-self.mid, self.rad)

    def __add__(self, other: Ball | int) -> Ball:
        y = _ball(other)
        return _rounded(self.mid + y.mid, self.rad + y.rad)

    __radd__ = __add__

    def __sub__(self, other: Ball | int) -> Ball:
        y = _ball(other)
        return _rounded(self.mid - y.mid, self.rad + y.rad)

    def __rsub__(self, other: int) -> Ball:
        return _ball(other) - self

    def __mul__(self, other: Ball | int) -> Ball:
        if type(other) is int and other > 0 and other & (other - 1) == 0 and other < 2**53:
            return Ball(self.mid * other, self.rad * other)  # a power of two: nothing rounds
        y = _ball(other)
        error = np.abs(self.mid) * y.rad + self.rad * (np.abs(y.mid) + y.rad)
        return _rounded(self.mid * y.mid, error)

    __rmul__ = __mul__

    def __truediv__(self, other: Ball | int) -> Ball:
        y = _ball(other)
        gap = np.abs(y.mid) - y.rad
        if not gap.min() >= NEAREST:
            raise ValueError("a divisor cannot be told from zero in float64")
        mid = self.mid / y.mid
        return _rounded(mid, (self.rad + np.abs(mid) * y.rad) / gap)

    def __rtruediv__(self, other: int) -> Ball:
        return _ball(other) / self


def _ball(value: Ball | int) -> Ball:
    """Return an operand as a ball."""
    if isinstance(value, Ball):
        return value
    if type(value) is not int or abs(value) > 2**53:
        raise TypeError(f"expected a ball or an int of at most 53 bits, got {value!r:.60}")
    return Ball(float(value))


def _rounded(mid: Floats, error: Floats) -> Ball:
    """Return the ball of a value rounded to ``mid``, its operands being off by ``error`` in all.

    Its radius is above ``U |mid|``, so that the one test also bounds ``mid``.
    """
    rad = (error + np.abs(mid) * U) * GROWTH + TINY
    if not rad.max() <= U * LARGEST:
        raise ValueError("a result is too large for float64 balls, or nothing is known of it")
    ball = Ball.__new__(Ball)
    ball.mid, ball.rad = mid, rad
    return ball


class Balls:
    """The number context of `Ball`; see `ntkproof.checker.activations.Numbers`.  Errors as for `Ball`."""

    @cached_property
    def pi(self) -> Ball:
        """π."""
        return Ball(*enclose(*_fractions(elementary.pi(_BITS))))

    def rational(self, value: Fraction | int) -> Ball:
        """An exact rational."""
        return Ball(*enclose(Fraction(value), Fraction(value)))

    def nonnegative(self, x: Ball) -> Ball:
        """The part of the balls that is not negative; ValueError if a ball has none."""
        top = x.mid + x.rad
        if not top.min() >= 0:
            raise ValueError("a number known to be >= 0 is enclosed by negative numbers")
        straddles = x.mid < x.rad
        if not straddles.any():
            return x
        mid = np.where(straddles, 0.5 * top + TINY, x.mid)
        return Ball(mid, np.where(straddles, mid * GROWTH, x.rad))

    def sqrt(self, x: Ball) -> Ball:
        """√x of numbers known to be ≥ 0: ``|√x − √m| ≤ |x − m| / √m``."""
        x = self.nonnegative(x)
        root = np.sqrt(x.mid)
        return _rounded(root, x.rad / np.where(root > 0, root, 1.0))

    def angle(self, x: Ball, y: Ball) -> Ball:
        """The angle of ``x + iy`` in [0, π], y known to be ≥ 0; all of [0, π] for balls around the origin.

        The angle between the midpoint and another point of the box is at most ``cross / dot`` if that dot
        product is positive.  The midpoint's is ``B ± atan r``, ``B`` from a table, ``|r| ≤ 2^-8``.
        """
        y = self.nonnegative(y)
        a, b = np.abs(x.mid), y.mid
        swapped, left = b > a, x.mid < 0
        t = np.minimum(a, b) / np.maximum(np.maximum(a, b), 2.0**-300)
        k = np.floor(t * _STEPS + 0.5)
        c = k * (1 / _STEPS)
        r = (t - c) / (t * c + 1.0)
        z = r * r
        tail = r + r * z * (z * 0.2 - _THIRD)
        table, table_error = _angles()
        base = table.take((k + np.where(swapped, 1.0, 0.0) * 129 + np.where(left, 258.0, 0.0)).astype(np.intp))
        mid = base + np.where(swapped != left, -tail, tail)
        cross = a * y.rad + b * x.rad
        dot = (a * a + b * b) * (1 - 2.0**-48) - (a * x.rad + b * y.rad) * GROWTH
        known = dot >= np.maximum(cross, NEAREST)
        if known.all():
            return _rounded(mid, cross / dot + (table_error + 0.6 * U))
        error = np.where(known, cross / np.where(known, dot, 1.0) + (table_error + 0.6 * U), 1.6)
        return _rounded(np.where(known, mid, 1.6), error)

    def exp(self, x: Ball) -> Ball:
        """eˣ for x up to 200, radii up to 1/2; below −420 the ball is [−TINY, TINY]."""
        near = x.mid + x.rad >= _EXP_FAR
        m, rad = np.where(near, x.mid, 0.0), np.where(near, x.rad, 0.0)
        if not (m.max() <= 200 and rad.max() <= 0.5):
            raise ValueError("the argument of exp is too large, or too little is known of it")
        high, low, table, table_error = _powers()
        k = np.floor(m * (1 / high) + 0.5)
        r = (m - k * high) - k * low
        p = r + r * r * (r * (r * (r * (r * (1 / 720) + 1 / 120) + 1 / 24) + 1 / 6) + 0.5)
        whole = np.floor(k * (1 / 32))
        base = table.take((k - 32 * whole).astype(np.intp))
        mid = np.where(near, np.ldexp(base + base * p, whole.astype(np.int32)), 0.0)
        return _rounded(mid, mid * (rad + rad * rad + (table_error + 0.2 * U)))


def enclose(low: Fraction, high: Fraction) -> tuple[float, float]:
    """Return floats ``(m, r)`` with ``[low, high]`` in ``[m − r, m + r]``; ValueError if it is out of range.

    Whatever ``float`` does, the radius is compared with the exact error.
    """
    try:
        mid = float((low + high) / 2)
        error = max(high - Fraction(mid), Fraction(mid) - low)
        rad = float(error)
    except OverflowError:
        raise ValueError("a number is too large for float64") from None
    while Fraction(rad) < error:
        rad = nextafter(rad, inf)
    return mid, rad


def _fractions(bounds: elementary.Bounds) -> tuple[Fraction, Fraction]:
    low, high, e = bounds
    return low * Fraction(2) ** e, high * Fraction(2) ** e


def _table(entries: list[tuple[Fraction, Fraction]]) -> tuple[NDArray[np.float64], float]:
    """Return a table of midpoints and the largest of their radii."""
    balls = [enclose(low, high) for low, high in entries]
    return np.array([mid for mid, _ in balls]), max(rad for _, rad in balls)


@lru_cache(maxsize=1)
def _angles() -> tuple[NDArray[np.float64], float]:
    """Return the angles of the four octants above the axis, ``k = 0 … 128`` in each, and their error.

    In order ``129 [y > |x|] + 258 [x < 0] + k``: ``A``, ``π/2 − A``, ``π − A``, ``π/2 + A`` of ``A = atan(k/128)``.
    """
    pi_low, pi_high = _fractions(elementary.pi(_BITS))
    first = [_fractions(transcendental.atan(k, -7, _BITS)) for k in range(_STEPS + 1)]
    return _table(
        first
        + [(pi_low / 2 - high, pi_high / 2 - low) for low, high in first]
        + [(pi_low - high, pi_high - low) for low, high in first]
        + [(pi_low / 2 + low, pi_high / 2 + high) for low, high in first]
    )


@lru_cache(maxsize=1)
def _powers() -> tuple[float, float, NDArray[np.float64], float]:
    """Return ``ln 2 / 32`` as a multiple of 2^-42 plus a rest, and the ``2^(j/32)``, j < 32, with their error."""
    low, high = _fractions(transcendental.log(2, 0, _BITS))
    multiple = floor(low * 2**37)
    rest, _ = enclose(low / 32 - Fraction(multiple, 2**42), high / 32 - Fraction(multiple, 2**42))
    table, error = _table([_root32(j) for j in range(32)])
    return multiple * 2.0**-42, rest, table, error


def _root32(j: int) -> tuple[Fraction, Fraction]:
    """Enclose ``2^(j/32)``: five nested integer square roots are the floor of the 32nd root."""
    root = 1 << (j + 32 * _BITS)
    for _ in range(5):
        root = isqrt(root)
    return Fraction(root, 2**_BITS), Fraction(root + 1, 2**_BITS)

"""What intervals do beyond what every proof needs: ends, balls, exp, log, erf and their kin, exact matrix products.

Trusted.  Each takes the `Intervals` context its argument was made by, and may be asked for as its method; it is
computed from `transcendental` at the ends, by monotonicity, and rounded outward.
"""

from __future__ import annotations

from fractions import Fraction
from operator import mul
from typing import TYPE_CHECKING

from ntkproof.checker.arithmetic import transcendental
from ntkproof.checker.arithmetic.interval import GUARD, ends

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.interval import Dyadic, Interval, Intervals


def positive(numbers: Intervals, x: Interval) -> Interval:
    """Return ``x``. Raises ValueError unless all of it is positive."""
    if ends(x)[0][0] <= 0:
        raise ValueError("a number is not seen to be positive")
    return x


def ball(numbers: Intervals, middle: int, radius: int, p: int) -> Interval:
    """Return an interval that holds all v with ``|v - middle * 2**-p| <= radius * 2**-p``."""
    return numbers.make((middle - radius, -p), (middle + radius, -p))


def endpoints(numbers: Intervals, x: Interval) -> tuple[Fraction, Fraction]:
    """Return the two ends, exactly. Raises ValueError if one is not finite."""
    low, high = (Fraction(m << max(0, e), 1 << max(0, -e)) for m, e in ends(x))
    return low, high


def exp(numbers: Intervals, x: Interval) -> Interval:
    """Enclose exp. Raises OverflowError if ``x`` reaches ``2**24``."""
    return numbers.increasing(transcendental.exp, *ends(x))


def log(numbers: Intervals, x: Interval) -> Interval:
    """Enclose the natural logarithm. Raises ValueError unless all of ``x`` is positive."""
    return numbers.increasing(transcendental.log, *ends(x))


def erf(numbers: Intervals, x: Interval) -> Interval:
    """Enclose erf, 2/sqrt(pi) times the integral of exp(-t**2) for t from 0 to x."""
    return numbers.increasing(transcendental.erf, *ends(x))


def atan(numbers: Intervals, x: Interval) -> Interval:
    """Enclose atan, in radians."""
    return numbers.increasing(transcendental.atan, *ends(x))


def sin(numbers: Intervals, x: Interval) -> Interval:
    """Enclose sin of radians: that of the centre, up to the half width of ``x``, within [-1, 1]."""
    return _wave(numbers, x, 0)


def cos(numbers: Intervals, x: Interval) -> Interval:
    """Enclose cos of radians; see `sin`."""
    return _wave(numbers, x, 1)


def tanh(numbers: Intervals, x: Interval) -> Interval:
    """Enclose tanh to an absolute error. Raises OverflowError like `exp`."""
    return 1 - 2 / (exp(numbers, 2 * x) + 1)


def sech_squared(numbers: Intervals, x: Interval) -> Interval:
    """Enclose 1 - tanh(x)**2 = 4 t/(1 + t)**2, t = exp(-2 abs(x)), which increases in t on [0, 1]."""
    low, high = ends(x)
    smallest = (0, 0) if low[0] <= 0 <= high[0] else low if low[0] > 0 else (-high[0], high[1])
    largest = high if _compare((-low[0], low[1]), high) < 0 else (-low[0], low[1])
    values = []
    for end in (largest, smallest):
        t = exp(numbers, -2 * numbers.make(end, end))
        values.append(ends(4 * t / ((1 + t) * (1 + t))))
    return numbers.make(values[0][0], values[1][1])


def softplus(numbers: Intervals, x: Interval) -> Interval:
    """Enclose log(1 + exp(x)) to an absolute error. Raises OverflowError like `exp`."""
    return log(numbers, 1 + exp(numbers, x))


def product(numbers: Intervals, a: list[list[int]], b: list[list[int]]) -> list[list[int]]:
    """Return the exact product of two integer matrices, given as lists of rows."""
    columns = [list(column) for column in zip(*b, strict=True)]
    return [[sum(map(mul, row, column)) for column in columns] for row in a]


def _wave(numbers: Intervals, x: Interval, which: int) -> Interval:
    """Enclose sin (0) or cos (1), whose slopes are at most 1."""
    (a, e), (b, f) = ends(x)
    base = min(e, f) - 1  # the centre and the half width are whole multiples of 2**base
    low, high = a << (e - base - 1), b << (f - base - 1)
    lo, hi, unit = transcendental.sin_cos(low + high, base, numbers.precision + GUARD)[which]
    shared = min(unit, base, 0)
    width, one = (high - low) << (base - shared), 1 << -shared
    lo, hi = (lo << (unit - shared)) - width, (hi << (unit - shared)) + width
    return numbers.make((max(lo, -one), shared), (min(hi, one), shared))


def _compare(x: Dyadic, y: Dyadic) -> int:
    """Return the sign of x - y (as an integer of that sign)."""
    e = min(x[1], y[1])
    return (x[0] << (x[1] - e)) - (y[0] << (y[1] - e))

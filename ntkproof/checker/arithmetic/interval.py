"""Interval numbers of a fixed precision: the ``reference`` number context.

Values are intervals of a private ``mpmath`` context. Of mpmath only ``+ - * /``, unary minus and rounding
are used: its interval ``exp``, ``log`` and ``atan2`` are not rounded soundly. Everything else, ``sqrt`` and pi
too, is computed by `ntkproof.checker.arithmetic.elementary` at the ends, by monotonicity, and rounded outward.

Why ``+ - * /`` are sound (read in ``mpmath/libmp/libmpi.py`` and ``libmpf.py`` of mpmath 1.3):

- Each lower end is rounded to floor and each upper end to ceiling. Products are exact before rounding, and a
  quotient with a remainder is replaced by a number strictly between its two neighbours before rounding.
- Sums of numbers far apart are replaced by a perturbation of the larger. That is right only if the larger
  fits the precision, and false otherwise (``mpf_add`` can then miss the true sum). Hence the one rule of use:
  *operate only on values made by this context*, which all fit, and on integers, which mpmath rounds outward.
  Anything else that an operator meets goes through ``convert``, which refuses it here.
- Zero and infinite ends: a divisor that contains zero gives an infinite end, never an error; a lower end is
  never +inf and an upper end never -inf, so that every undefined end (inf - inf, 0 * inf) is one that mpmath
  replaces by the infinity, or the zero, that is safe. No finite operands give a NaN.

An infinite end makes every method here raise ValueError; it cannot leave through `Intervals.quantise`.
Comparisons of mpmath intervals may answer None, and are not used.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, TypeAlias

from mpmath.ctx_iv import MPIntervalContext
from mpmath.libmp import from_man_exp

from ntkproof.checker.arithmetic import elementary
from ntkproof.checker.arithmetic.elementary import Bounds
from ntkproof.checker.logic.load import load

Interval: TypeAlias = Any
"""A value of one `Intervals` context: supports ``+ - * /`` with its own kind and with integers."""

Dyadic = tuple[int, int]  # (m, e): the number m * 2**e

GUARD = 10  # extra bits asked of the elementary functions, so that only the final rounding shows


def _context(bits: int) -> Any:
    """Return an mpmath context of its own, whose values meet each other and integers only.

    Operators send every other operand through ``convert``; a value of another precision there is a TypeError.
    """
    context = MPIntervalContext()
    context.prec = bits
    enclose = context.convert

    def convert(x: Any) -> Interval:
        if type(x) is not int:
            raise TypeError("an interval meets one of another precision, or what is no integer")
        return enclose(x)

    context.convert = convert
    return context


class Intervals:
    """Intervals with ends of at most ``bits`` significant bits.

    Every method returns an interval that holds the true value for every number in its arguments that the
    function is defined for. Raises ValueError if ``bits < 2``.
    """

    def __init__(self, bits: int) -> None:
        if bits < 2:
            raise ValueError(f"precision must be at least 2 bits, got {bits}")
        self._context = _context(bits)
        self._bits = bits

    def rational(self, q: Fraction | int) -> Interval:
        """Enclose a rational; exact if it fits the precision. Raises TypeError for any other type."""
        if not isinstance(q, Fraction | int):
            raise TypeError(f"expected a Fraction or an int, got {type(q).__name__}")
        n, d = q.numerator, q.denominator
        shift = self._bits + 1 + d.bit_length() - n.bit_length()  # at least `bits` + 1 bits of quotient
        quotient, rest = divmod(n << max(0, shift), d << max(0, -shift))
        return self.make((quotient, -shift), (quotient + (rest != 0), -shift))

    @cached_property
    def pi(self) -> Interval:
        """The number pi."""
        return self._from_bounds(elementary.pi(self._bits + GUARD))

    def nonnegative(self, x: Interval) -> Interval:
        """Intersect with [0, inf): the true value is known not to be negative.

        Raises ValueError if no number of ``x`` is.
        """
        return self.make(*_clipped(x))

    def sqrt(self, x: Interval) -> Interval:
        """Enclose the root of a value known not to be negative. Raises ValueError like `nonnegative`."""
        return self.increasing(elementary.sqrt, *_clipped(x))

    def angle(self, x: Interval, y: Interval) -> Interval:
        """Enclose the angle of ``x + iy`` in radians, in [0, pi], for ``y`` known not to be negative.

        It decreases in x; in y it increases where x > 0 and decreases where x < 0: so the ends are at two
        corners. A box that holds the origin has the angle [0, pi]. Raises ValueError like `nonnegative`.
        """
        left, right = ends(x)
        bottom, top = _clipped(y)
        if left[0] <= 0 <= right[0] and bottom[0] == 0:
            return self.make((0, 0), ends(self.pi)[1])
        low, high = (bottom if right[0] > 0 else top, right), (top if left[0] > 0 else bottom, left)
        lower = self._angle(*low)
        upper = lower if low == high else self._angle(*high)
        return self.make((lower[0], lower[2]), (upper[1], upper[2]))

    def __getattr__(self, name: str) -> Any:
        """Return a function of `interval_functions`, of this context."""
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(getattr(load("arithmetic.interval_functions"), name), self)

    @property
    def precision(self) -> int:
        """Number of significant bits."""
        return self._bits

    @contextmanager
    def at(self, bits: int) -> Iterator["Intervals"]:
        """Yield a context of another precision; its values and ours do not mix."""
        yield self if bits == self._bits else Intervals(bits)

    def quantise(self, x: Interval, p: int) -> tuple[int, int]:
        """Return integers (A, rho) with ``|v - A * 2**-p| <= rho * 2**-p`` for every v in ``x``.

        A is nearest to the midpoint times ``2**p``, and rho the smallest that holds. Raises ValueError if an
        end is not finite.
        """
        (a, e), (b, f) = ends(x)
        shift = max(1, -e - p, -f - p)  # in units of 2**-(p + shift) all is integer
        low, high = a << (e + p + shift), b << (f + p + shift)
        nearest = (low + high + (1 << shift)) >> (shift + 1)
        centre = nearest << shift
        return nearest, -(-max(high - centre, centre - low) >> shift)

    def make(self, low: Dyadic, high: Dyadic) -> Interval:
        """Round outward to the precision."""
        ends = from_man_exp(*low, self._bits, "f"), from_man_exp(*high, self._bits, "c")
        return self._context.make_mpf(ends)

    def _from_bounds(self, bounds: Bounds) -> Interval:
        return self.make((bounds[0], bounds[2]), (bounds[1], bounds[2]))

    def increasing(self, f: Callable[[int, int, int], Bounds], low: Dyadic, high: Dyadic) -> Interval:
        """Enclose an increasing function on [low, high]."""
        lower = f(*low, self._bits + GUARD)
        upper = lower if low == high else f(*high, self._bits + GUARD)
        return self.make((lower[0], lower[2]), (upper[1], upper[2]))

    def _angle(self, y: Dyadic, x: Dyadic) -> Bounds:
        e = min(y[1], x[1])
        return elementary.atan2(y[0] << (y[1] - e), x[0] << (x[1] - e), self._bits + GUARD)


def ends(x: Interval) -> tuple[Dyadic, Dyadic]:
    """Return the ends as dyadic numbers. Raises ValueError if one is infinite or NaN."""
    low, high = x._mpi_
    return _dyadic(low), _dyadic(high)


def _dyadic(number: Any) -> Dyadic:
    """Return an mpmath number (sign, mantissa, exponent, length) as (m, e); zero is (0, 0)."""
    sign, mantissa, e, _ = number
    if not mantissa and e:
        raise ValueError("an interval has an end that is not a finite number")
    return -int(mantissa) if sign else int(mantissa), int(e)


def _clipped(x: Interval) -> tuple[Dyadic, Dyadic]:
    """Return the ends of the intersection with [0, inf)."""
    low, high = ends(x)
    if high[0] < 0:
        raise ValueError("a value that cannot be negative was enclosed by negative numbers only")
    return low if low[0] > 0 else (0, 0), high

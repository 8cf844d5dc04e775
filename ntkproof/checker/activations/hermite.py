"""Dual activations of any expression: ``T_σ(q,c,r) = Σ_k a_k(q) a_k(r) ρ^k``, ``ρ = c/√(qr)``, enclosed.

Trusted.  ``a_k(q) = E σ(√q Z) h_k(Z)`` with the orthonormal Hermite polynomials ``h_k``.  The function ``z ↦ σ(√q z)``
is replaced by a piecewise polynomial g on ``[−Λ, Λ]``, 0 outside, at a distance in L²(γ) that is bounded; the
coefficients of g are sums over its jumps, in exact integers, and Parseval's equality bounds what is left out.  Taylor
coefficients and Gaussian densities come from the number context; all else is integers in units of ``2^-unit``, each
with an error counted in that unit.  Proofs: ``docs/proofs/hermite.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import isqrt, log2
from typing import Any

from ntkproof.checker.activations.bounds import Growth, growth
from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.hermite_pieces import COARSE, Integers, Measure, Pieces, pieces
from ntkproof.checker.activations.nodes import parity
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.logic.budget import operations, spend

MAX_TERMS = 2000


@dataclass(frozen=True)
class Series:
    """The Hermite coefficients of a function g: ``|a_k − coefficients[k]|`` have a 2-norm ≤ ``lost``.

    All numbers are in units of ``2^-unit``.

    Args:
        coefficients: of orders 0, 1, …
        lost: see above.
        square: ``E g²``, to within ``square_error``.
        square_error: in units.
        constant: whether g is constant, so that the orders above 0 vanish.
    """

    coefficients: Integers
    lost: int
    square: int
    square_error: int
    unit: int
    constant: bool = False

    @cached_property
    def norm(self) -> int:
        """An upper bound of ``‖g‖``."""
        return isqrt((self.square + self.square_error) << self.unit) + 1

    @cached_property
    def partial(self) -> Integers:
        """``Σ_{i≤k} coefficients[i]²`` in squared units."""
        return list(accumulate(a * a for a in self.coefficients))

    @cached_property
    def slope(self) -> int:
        """An upper bound of ``√(Σ k coefficients[k]²)``."""
        return isqrt(sum(k * a * a for k, a in enumerate(self.coefficients))) + 1

    def rest(self, k: int) -> int:
        """An upper bound, in squared units, of the squares of all coefficients of g above k."""
        above = ((self.square + self.square_error) << self.unit) - self.partial[k]
        above += 2 * self.lost * (self.norm + self.lost)
        return max(0, above)


@dataclass(frozen=True)
class Side:
    """One of the two features of a covariance: the series of g and a bound ``error ≥ ‖f(√q·) − g‖``, in units."""

    series: Series
    error: int

    @property
    def unit(self) -> int:
        """All numbers are in units of ``2^-unit``."""
        return self.series.unit

    @property
    def total(self) -> int:
        """All error of the coefficients, in 2-norm."""
        return self.error + self.series.lost

    @property
    def norm(self) -> int:
        """An upper bound of the norms of f, g and of the coefficients."""
        return self.series.norm + self.total


class Smooth:
    """An activation given by an expression; see `Activation`.

    Args:
        text: the expression.
        terms: the number of Hermite coefficients after the first, 0 to 2000.
    """

    homogeneous = False
    linear_plus_even = False
    linear = False

    def __init__(self, text: str, terms: int) -> None:
        self._node = parse(text)
        self._terms = terms
        self.parity = parity(self._node)
        self._pieces: dict[tuple[Fraction, int], Pieces] = {}
        self._series: dict[tuple[Fraction, int, int], list[Series]] = {}
        self._growth: tuple[Growth, Growth] | None = None

    def dual(self, cov: Any) -> Any:
        """``T_σ``."""
        return self._pair(cov, 0)

    def dual_derivative(self, cov: Any) -> Any:
        """``T_σ'``."""
        return self._pair(cov, 1)

    def prepare(self, numbers: Any, q: Any) -> list[Side]:
        """Return σ and σ' as functions of a feature of variance ``q``.

        Raises:
            InputError: the expression has no proved bound of its growth.
            ValueError: no finite enclosure.
        """
        unit = numbers.precision + 8
        middle, radius = numbers.quantise(q, 2 * unit + 32)
        if middle == radius == 0:
            return self._at_zero(numbers, unit)
        if self._growth is None:
            self._growth = growth(self._node, numbers)
        largest = Fraction(middle + radius, 1 << (2 * unit + 32))
        root = Fraction(isqrt(max(0, middle - radius)), 1 << (unit + 16))  # ≤ √q
        power = max(bound.power for bound in self._growth)
        reach = _reach((3 * unit + 16 * power + 16) * largest)
        shift = unit - 14
        scale = isqrt(int(reach * reach * (1 << 2 * shift) / largest))  # Λ = scale / 2^shift ≤ X/√q
        moved = reach * (1 << shift) / scale - root  # ≥ |X/Λ − √q|
        pieces = self._pieces_of(numbers, reach, unit)
        series = self._series_of(numbers, reach, pieces, scale, shift)
        tails = [_tail(numbers, bound, largest, Fraction(scale, 1 << shift), unit) for bound in self._growth]
        return [Side(series[f], pieces.errors[f] + int(pieces.slopes[f] * moved) + 1 + tails[f]) for f in range(2)]

    def mean(self, numbers: Any, q: Any) -> Any:
        """``E σ(√q Z) = a_0``."""
        side = self.prepare(numbers, q)[0]
        return numbers.ball(side.series.coefficients[0], side.total, side.series.unit)

    def _at_zero(self, numbers: Any, unit: int) -> list[Side]:
        """The constants σ(0) and σ'(0) (from the right)."""
        found = jet(self._node, numbers, [numbers.rational(0), numbers.rational(1)], 1)
        sides = []
        for value in found:
            a, radius = numbers.quantise(numbers.rational(0) + value, unit)
            sides.append(Side(Series([a], 0, a * a >> unit, 1, unit, constant=True), radius))
        return sides

    def _pieces_of(self, numbers: Any, reach: Fraction, unit: int) -> Pieces:
        key = reach, unit
        if key not in self._pieces:
            self._pieces[key] = pieces(self._node, numbers, reach, unit)
        return self._pieces[key]

    def _series_of(self, numbers: Any, reach: Fraction, pieces: Pieces, scale: int, shift: int) -> list[Series]:
        key = reach, pieces.unit, scale
        if key not in self._series:
            measure = Measure(numbers, pieces, scale, shift)
            coefficients = measure.coefficients(pieces.jumps[:2], self._terms)
            squares = measure.coefficients(pieces.jumps[2:], 0)
            self._series[key] = [
                Series(a, lost, square[0], square_lost + error, pieces.unit)
                for (a, lost), (square, square_lost), error in zip(
                    coefficients, squares, pieces.errors[2:], strict=True
                )
            ]
        return self._series[key]

    def _pair(self, cov: Any, f: int) -> Any:
        numbers = cov.numbers
        left = (cov.left or self.prepare(numbers, cov.q))[f]
        right = (cov.right or self.prepare(numbers, cov.r))[f]
        unit = _common_unit(left, right)
        if cov.same:
            spread = left.error * (2 * left.norm + left.error)
            return numbers.ball(left.series.square, left.series.square_error + (spread >> unit) + 1, unit)
        rho, spread = (0, 0) if left.series.constant or right.series.constant else _correlation(cov, unit)
        return numbers.ball(*_sum(left, right, rho, spread), unit)


def _reach(square: Fraction) -> Fraction:
    """Return the least ``k 2^e``, ``4 ≤ k < 8``, whose square is at least ``square``."""
    e = (square.numerator.bit_length() - square.denominator.bit_length()) // 2 - 4
    while (7 * Fraction(2) ** e) ** 2 < square:
        e += 1
    return next(x for x in (k * Fraction(2) ** e for k in (4, 5, 6, 7)) if x * x >= square)


def _tail(numbers: Any, bound: Growth, q: Fraction, end: Fraction, unit: int) -> int:
    """Return an upper bound, in units, of the norm of ``f(√q z)`` over ``|z| > end``; it needs ``end² > 2 power``."""
    with numbers.at(COARSE) as coarse:
        density = coarse.exp(coarse.rational(-end * end / 2))
        growing = 2 * bound.factor**2 * (q * end * end) ** bound.power / (end - 2 * bound.power / end)
        square = density * coarse.rational(2 * bound.constant**2 / end + growing)
        middle, radius = coarse.quantise(coarse.sqrt(square), unit)
    return int(middle + radius)


# The sum --------------------------------------------------------------------------------------------------------


def _correlation(cov: Any, unit: int) -> tuple[int, int]:
    """Return ``ρ = c/√(qr)``, known to be in ``[−1, 1]``, as (midpoint, radius) in units."""
    numbers, one = cov.numbers, 1 << unit
    try:
        product = numbers.positive(cov.q * cov.r)
        middle, radius = numbers.quantise(cov.c / numbers.sqrt(product), unit)
    except ValueError:  # a variance is not told from 0
        return 0, one
    low, high = max(middle - radius, -one), min(middle + radius, one)
    if low > high:
        raise ValueError("a covariance is larger than the variances allow")
    return (low + high) >> 1, (high - low + 2) >> 1


def _common_unit(left: Side, right: Side) -> int:
    """Return the unit of two sides; ValueError if they have different ones: their numbers must not meet."""
    if left.unit != right.unit:
        raise ValueError(f"two features are in different units, 2^-{left.unit} and 2^-{right.unit}")
    return left.unit


def _sum(left: Side, right: Side, rho: int, spread: int) -> tuple[int, int]:
    """Return an enclosure of ``Σ_k a_k b_k ρ^k`` of the true coefficients, as (midpoint, radius) in units."""
    unit = _common_unit(left, right)
    x, y = left.series, right.series
    one = 1 << unit
    size = min(one, abs(rho) + spread)
    last = min(len(x.coefficients), len(y.coefficients)) - 1
    if 0 < size < one:  # more terms than this cannot be told from none; any number of terms is sound
        last = min(last, int((unit + 8) / (unit - log2(size))) + 1 if log2(size) < unit else last)
    elif size == 0:
        last = 0
    spend(operations(last + 1, unit))
    total = 0
    for a, b in zip(x.coefficients[last::-1], y.coefficients[last::-1], strict=True):
        total = ((total * rho) >> unit) + ((a * b) >> unit)
    radius = 2 * (last + 1)
    radius += ((spread * x.slope * y.slope) >> (2 * unit)) + 1
    radius += ((_power(size, last + 1, unit) * (isqrt(x.rest(last) * y.rest(last)) + 1)) >> (2 * unit)) + 1
    radius += ((left.total * right.norm + left.norm * right.total) >> unit) + 1
    return total, radius


def _power(x: int, n: int, unit: int) -> int:
    """Return an upper bound of ``x^n``, ``0 ≤ x ≤ 1``, in units."""
    result = 1 << unit
    while n:
        if n % 2:
            result = -(-result * x >> unit)
        x = -(-x * x >> unit)
        n //= 2
    return result

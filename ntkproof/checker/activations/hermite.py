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
from functools import cached_property, lru_cache
from itertools import accumulate
from math import factorial, isqrt, log2
from typing import Any

from ntkproof.checker.activations.bounds import Growth, growth, seed
from ntkproof.checker.activations.expressions import jet, parity, parse

MAX_TERMS = 2000
MAX_BISECTIONS = 24
COARSE = 64  # bits for what is only an error bound

Integers = list[int]


@dataclass(frozen=True)
class Pieces:
    """Piecewise polynomials on ``x = X v``, ``−1 ≤ v ≤ 1``, close to σ and σ', and the squares of these.

    Args:
        unit: every number below but the edges is in units of ``2^-unit``.
        edges: the places of the jumps, ``v = edge / 2^depth``, ascending from −1 to 1.
        depth: see edges.
        jumps: for σ, σ', σ², σ'² the jumps of the derivatives of order m in v: ``jumps[f][m][edge]``, in units.
        errors: for σ, σ', σ², σ'² the largest distance: of the first two from the function, of the squares from
            the square of the first two; in units.
        slopes: upper bounds of ``|σ'|`` and ``|σ''|`` on ``[−X, X]``, apart from 0, in units.
    """

    unit: int
    edges: Integers
    depth: int
    jumps: list[list[Integers]]
    errors: Integers
    slopes: Integers


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
            self._pieces[key] = _pieces(self._node, numbers, reach, unit)
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


# Pieces ---------------------------------------------------------------------------------------------------------


def _pieces(node: Any, numbers: Any, reach: Fraction, unit: int) -> Pieces:
    """Cut ``[−reach, reach]`` at 0 and bisect until Taylor polynomials are accurate to about a unit."""
    order = 8 + unit // 3
    cells = [cell for v in (-1, 0) for cell in _cells(node, numbers, reach, v, 0, order, unit)]
    depth = max(bisections for _, bisections, _ in cells)
    edges = [v << (depth - bisections) for v, bisections, _ in cells] + [1 << depth]
    jumps = [[[0] * len(edges) for _ in range(order)] for _ in range(4)]
    errors, slopes = [0] * 4, [0] * 2
    for b, (_, bisections, (polynomials, distances, steep)) in enumerate(cells):
        errors = [max(pair) for pair in zip(errors, distances, strict=True)]
        slopes = [max(pair) for pair in zip(slopes, steep, strict=True)]
        for f, polynomial in enumerate(polynomials):
            for m, (left, right) in enumerate(_derivatives(polynomial, bisections + 1)):
                jumps[f][m][b] -= left
                jumps[f][m][b + 1] += right
    return Pieces(unit, edges, depth, jumps, errors, slopes)


Cell = tuple[list[Integers], Integers, Integers]


def _cells(
    node: Any, numbers: Any, reach: Fraction, v: int, bisections: int, order: int, unit: int
) -> list[tuple[int, int, Cell]]:
    """Return the cells of ``reach [v, v+1] / 2^bisections`` as (v, bisections, what `_cell` returns)."""
    a, b = (reach * Fraction(k, 1 << bisections) for k in (v, v + 1))
    try:
        cell = _cell(node, numbers, a, b, order, unit, bisections < MAX_BISECTIONS)
    except (ValueError, OverflowError):
        if bisections == MAX_BISECTIONS:
            raise
        cell = None
    if cell is not None:
        return [(v, bisections, cell)]
    halves = (2 * v, 2 * v + 1)
    return [cell for k in halves for cell in _cells(node, numbers, reach, k, bisections + 1, order, unit)]


def _cell(node: Any, numbers: Any, a: Fraction, b: Fraction, order: int, unit: int, choosy: bool) -> Cell | None:
    """Return the polynomials in ``t ∈ [−1, 1]`` of `Pieces` on ``[a, b]``, their errors and slopes; None if bad."""
    side, half = (1 if b > 0 else -1), (b - a) / 2
    with numbers.at(COARSE) as coarse:
        box = jet(node, coarse, seed(coarse, a, b, order + 1, False), side)
        zero = coarse.rational(0)

        def size(value: Any, factor: Fraction) -> int:
            middle, radius = coarse.quantise((zero + value) * coarse.rational(factor), unit)
            return int(abs(middle) + radius)

        distances = [size(box[order], Fraction(1)), size(box[order + 1], (order + 1) / half)]
        if choosy and max(distances) > order:
            return None
        slopes = [size(box[1], 1 / half), size(box[2], 2 / half**2)]
    with numbers.at(unit + 32) as fine:
        point = jet(node, fine, seed(fine, a, b, order, True), side)
        derivative = [(k + 1) * point[k + 1] * fine.rational(1 / half) for k in range(order)]
        rounded = [
            [fine.quantise(fine.rational(0) + c, unit) for c in series] for series in (point[:order], derivative)
        ]
    polynomials = [[middle for middle, _ in series] for series in rounded]
    distances = [d + sum(radius for _, radius in series) for d, series in zip(distances, rounded, strict=True)]
    for polynomial in polynomials[:]:
        square, lost = _square(polynomial, unit)
        polynomials.append(square)
        distances.append(lost)
    return polynomials, distances, slopes


def _square(polynomial: Integers, unit: int) -> tuple[Integers, int]:
    """Return the square cut to as many coefficients, and a bound of what that and rounding change on ``[−1, 1]``."""
    n = len(polynomial)
    exact = [0] * (2 * n - 1)
    for i, a in enumerate(polynomial):
        for j, b in enumerate(polynomial):
            exact[i + j] += a * b
    return [c >> unit for c in exact[:n]], n + (sum(map(abs, exact[n:])) >> unit) + 1


def _derivatives(polynomial: Integers, bisections: int) -> list[tuple[int, int]]:
    """Return the derivatives of orders 0, 1, … at t = −1 and t = 1, each step in t being ``2^-bisections`` in v."""
    right, left = polynomial[:], [-c if k % 2 else c for k, c in enumerate(polynomial)]
    for shifted in (right, left):  # Horner: coefficients about t = 1, or about t = −1 with alternating signs
        for m in range(len(shifted)):
            for i in range(len(shifted) - 2, m - 1, -1):
                shifted[i] += shifted[i + 1]
    found = []
    for m, (a, b) in enumerate(zip(left, right, strict=True)):
        factor = factorial(m) << (bisections * m)
        found.append(((-a if m % 2 else a) * factor, b * factor))
    return found


# Hermite coefficients -------------------------------------------------------------------------------------------


class Measure:
    """Integrates piecewise polynomials of ``v = z/Λ`` against Hermite polynomials and the Gaussian density.

    With ``η_n = (−1)^n φ^{(n)}``, continued to n < 0 by ``η_{n−1} = ∫_z^∞ η_n``, integration by parts gives
    ``∫ g η_k dz = −Σ_m Λ^{-m} Σ_edges jump_m η_{k−1−m}``.  A value of ``η_n`` is held as ``2^{scales[n]}`` times an
    integer in units of ``2^-bits``.

    Args:
        numbers: an enclosing number context.
        pieces: where the edges are.
        scale, shift: ``Λ = scale / 2^shift``.

    The results are in the unit of the pieces.
    """

    def __init__(self, numbers: Any, pieces: Pieces, scale: int, shift: int) -> None:
        self._numbers, self._unit = numbers, pieces.unit
        self._scale, self._shift = scale, shift
        self._places = [scale * edge for edge in pieces.edges]  # z in units of 2^-grid
        self._grid = shift + pieces.depth

    def coefficients(self, jumps: list[list[Integers]], terms: int) -> list[tuple[Integers, int]]:
        """Return for each function ``E g h_k`` for k ≤ terms in units, and a bound of the 2-norm of the errors."""
        order = len(jumps[0])
        scales = _scales(terms)
        count = 0  # bounds the error of every sum below, in units of 2^-(unit + bits)
        for m in reversed(range(order)):
            step = max(sum(map(abs, function[m])) for function in jumps)
            count = -(-(count << self._shift) // self._scale) + 1 + 2 * step
        bits = count.bit_length() + 2
        values = self._values(order, terms, scales, bits)
        rows = [row for function in jumps for row in function]
        sums = self._numbers.product(rows, [list(column) for column in zip(*values, strict=True)])
        roots = _roots(terms, self._unit + 32)
        return [self._combine(sums[f * order : (f + 1) * order], terms, scales, roots, bits) for f in range(len(jumps))]

    def _combine(
        self, sums: list[Integers], terms: int, scales: Integers, roots: Integers, bits: int
    ) -> tuple[Integers, int]:
        order, found, lost = len(sums), [], 0
        for k in range(terms + 1):
            total = 0
            for m in reversed(range(order)):
                n = k - 1 - m
                wider = scales[n] - scales[n - 1] if n > 0 else 0
                total = (total << self._shift) // (self._scale << wider) + sums[m][n + order]
            a = (-total << (self._unit + 32)) // (roots[k] << bits)
            found.append(a)
            lost += (3 + abs(a) // roots[k]) ** 2
        return found, isqrt(lost) + 1

    def _values(self, order: int, terms: int, scales: Integers, bits: int) -> list[Integers]:
        """Return ``η_n`` at the edges for n = −order, …, terms − 1, each to within 2 units of ``2^-bits``."""
        grid, last = self._grid, max(abs(z) for z in self._places)
        up, down = [2, 2], [2, 2]  # errors of η_{-1}, η_0, η_1, … and η_0, η_{-1}, η_{-2}, …
        for n in range(terms):
            narrow, before = (scales[n + 1] - scales[n], scales[n] - scales[n - 1] if n else 0)
            up.append(((last * up[-1] + (n * up[-2] << (grid - before))) >> (grid + narrow)) + 2)
        for n in range(1, order):
            down.append((((down[-2] << grid) + last * down[-1]) // (n << grid)) + 2)
        guard = max(up + down).bit_length()
        tails, densities = self._gaussian(bits + guard)
        rows = [tails, densities]
        for n in range(terms - 1):
            narrow, before = (scales[n + 1] - scales[n], scales[n] - scales[n - 1] if n else 0)
            a, b = rows[-2:]
            rows.append(
                [
                    (z * y - ((n * x) << (grid - before))) >> (grid + narrow)
                    for z, x, y in zip(self._places, a, b, strict=True)
                ]
            )
        if terms == 0:
            rows.pop()
        backwards = [densities, tails]
        for n in range(1, order):
            b, a = backwards[-2:]
            backwards.append([((y << grid) - z * x) // (n << grid) for z, x, y in zip(self._places, a, b, strict=True)])
        return [[x >> guard for x in row] for row in [*reversed(backwards[2:]), *rows]]

    def _gaussian(self, bits: int) -> tuple[Integers, Integers]:
        """Return ``η_{-1} = P(Z > z)`` and ``η_0 = φ(z)`` at the edges, to within 2 units of ``2^-bits``."""
        known: dict[int, tuple[int, int]] = {}
        with self._numbers.at(bits + 48) as fine:
            root = fine.sqrt(2 * fine.pi)
            for place in {abs(z) for z in self._places}:
                z = fine.rational(Fraction(place, 1 << self._grid))
                tail = (1 - fine.erf(z / fine.sqrt(fine.rational(2)))) / 2
                density = fine.exp(-z * z / 2) / root
                found = [fine.quantise(value, bits) for value in (tail, density)]
                if max(radius for _, radius in found) > 2:
                    raise ValueError("the Gaussian density is not known well enough")
                known[place] = found[0][0], found[1][0]
        one = 1 << bits
        tails = [known[z][0] if z >= 0 else one - known[-z][0] for z in self._places]
        return tails, [known[abs(z)][1] for z in self._places]


@lru_cache(maxsize=16)
def _scales(terms: int) -> Integers:
    """Return ``⌊½ log₂ n!⌋`` for n = 0, …, terms."""
    return [(f.bit_length() - 1) // 2 for f in _factorials(terms)]


@lru_cache(maxsize=16)
def _roots(terms: int, bits: int) -> Integers:
    """Return ``⌊2^bits √k! / 2^{scales[k−1]}⌋`` for k = 0, …, terms."""
    scales = _scales(terms)
    return [isqrt(f << 2 * bits) >> (scales[k - 1] if k else 0) for k, f in enumerate(_factorials(terms))]


def _factorials(last: int) -> Integers:
    return list(accumulate(range(1, last + 1), lambda f, k: f * k, initial=1))


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

"""Piecewise polynomials close to an activation, and their Hermite coefficients.  Proofs: ``docs/proofs/hermite.md``.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from math import factorial, isqrt
from typing import Any

from ntkproof.checker.activations.bounds import seed
from ntkproof.checker.activations.nodes import size
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.logic.budget import operations, spend

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


def pieces(node: Any, numbers: Any, reach: Fraction, unit: int) -> Pieces:
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
    spend(operations(size(node) * order**2, unit))
    side, half = (1 if b > 0 else -1), (b - a) / 2
    with numbers.at(COARSE) as coarse:
        box = jet(node, coarse, seed(coarse, a, b, order + 1, False), side)
        zero = coarse.rational(0)

        def above(value: Any, factor: Fraction) -> int:
            middle, radius = coarse.quantise((zero + value) * coarse.rational(factor), unit)
            return int(abs(middle) + radius)

        distances = [above(box[order], Fraction(1)), above(box[order + 1], (order + 1) / half)]
        if choosy and max(distances) > order:
            return None
        slopes = [above(box[1], 1 / half), above(box[2], 2 / half**2)]
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
        order, scales = len(jumps[0]), _scales(terms)
        spend(operations((order + terms) * len(self._places) * len(jumps) * order // 16 + terms * order, self._unit))
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

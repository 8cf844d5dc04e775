"""σ and σ' at many points by short polynomials on cells, in float64.

Trusted.  The line is cut into cells of width ``2^-level``; each cell that occurs has one polynomial, proved from
expansions in a number context.  Of NumPy is believed what ``balls.py`` believes, and int64 shifts, masks, sums and
comparisons.  Proofs: ``docs/proofs/tables.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.activations.bounds import seed
from ntkproof.checker.activations.nodes import size
from ntkproof.checker.activations.pointwise import COARSE, node_of, undefined
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.activations.values import LARGEST, Integers, Values
from ntkproof.checker.logic.budget import operations, spend
from ntkproof.checker.logic.claim import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ntkproof.checker.activations.nodes import Node

Floats = NDArray[np.float64]

DEGREE = 5  # of the polynomial of a cell
BLOCK = 64  # cells that are expanded together, at first
LEVELS = (7, 9, 11, 13)  # the width of a cell is 2^-level; the first that is accurate enough is taken
MAX_CELLS = 2**18  # between the smallest and the largest argument
FINE = 20  # errors are counted in parts: units of 2^-(q + FINE)
TRUNCATION = 2 << FINE  # what a polynomial may be off by before narrower cells are tried
_ORDER = 14  # of the expansion of a block
_CHUNK = 2**14  # points at a time: temporaries stay in the cache


# What both ways share -------------------------------------------------------------------------------------------


# Pointwise ------------------------------------------------------------------------------------------------------


# Cells ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """σ on a cell as ``Σ coefficients[j] t^j``, ``−1 ≤ t < 1``, in parts.

    Args:
        coefficients: orders 0 to DEGREE.
        lost: how far the polynomial is from σ, or its derivative in x from σ', at most, in parts.
        rounding: what float64 adds to that, in parts.
    """

    coefficients: tuple[int, ...]
    lost: int
    rounding: int


@dataclass(frozen=True)
class Block:
    """BLOCK cells: arrays of shapes (DEGREE + 1, BLOCK), (BLOCK,) and (BLOCK,); ``lost`` is −1 where σ is not known.

    ``coefficients`` are in units of ``2^-q``, the others in parts.
    """

    coefficients: Floats
    lost: Integers
    rounding: Integers


@lru_cache(maxsize=2 * MAX_CELLS // BLOCK)
def _block(numbers: Any, node: Node, level: int, q: int, index: int) -> Block:
    """Return the cells ``BLOCK index, …, BLOCK index + BLOCK − 1``; cell c is ``[c, c + 1) 2^-level``."""
    coefficients = np.zeros((DEGREE + 1, BLOCK))
    lost, rounding = np.full(BLOCK, -1, np.int64), np.zeros(BLOCK, np.int64)
    for c, cell in enumerate(_cells(numbers, node, level, q + FINE, BLOCK * index, BLOCK)):
        if cell is not None:
            coefficients[:, c] = [float(a) * 2.0**-FINE for a in cell.coefficients]
            lost[c], rounding[c] = cell.lost, cell.rounding
    return Block(coefficients, lost, rounding)


def _cells(numbers: Any, node: Node, level: int, unit: int, first: int, count: int) -> Iterator[Cell | None]:
    """Yield the cells ``first, …, first + count − 1``, None for one on which no good enclosure exists."""
    piece = _expanded(numbers, node, level, unit, first, count)
    if piece is not None:
        yield from (_cell(piece, level, count, i) for i in range(count))
    elif count == 1:
        yield None
    else:
        yield from _cells(numbers, node, level, unit, first, count // 2)
        yield from _cells(numbers, node, level, unit, first + count // 2, count // 2)


@dataclass(frozen=True)
class Piece:
    """σ on some cells as a polynomial in T, ``−1 ≤ T ≤ 1``, in parts.

    Args:
        polynomial: coefficients of orders 0, 1, …
        value_lost, slope_lost: bounds of the distance from σ, and of that of the T-derivative from ``dσ/dT``.
    """

    polynomial: list[int]
    value_lost: int
    slope_lost: int


def _expanded(numbers: Any, node: Node, level: int, unit: int, first: int, count: int) -> Piece | None:
    """Return the Taylor expansion about the middle of some cells; None if it does not exist or is not accurate."""
    a, b, side = Fraction(first, 1 << level), Fraction(first + count, 1 << level), 1 if first >= 0 else -1
    try:
        with numbers.at(COARSE) as coarse:
            box = jet(node, coarse, seed(coarse, a, b, _ORDER, False), side)
            middle, radius = coarse.quantise(coarse.rational(0) + box[_ORDER], unit)
        remainder = abs(middle) + radius
        if count > 1 and (remainder << (level + 8)) > count << FINE:
            return None
        with numbers.at(unit + COARSE) as fine:
            point = jet(node, fine, seed(fine, a, b, _ORDER - 1, True), side)
            rounded = [fine.quantise(fine.rational(0) + c, unit) for c in point]
    except (ValueError, ArithmeticError):
        return None
    return Piece(
        [middle for middle, _ in rounded],
        remainder + sum(radius for _, radius in rounded),
        _ORDER * remainder + sum(j * radius for j, (_, radius) in enumerate(rounded)),
    )


def _cell(piece: Piece, level: int, count: int, i: int) -> Cell | None:
    """Return cell i of a piece of ``count``, where ``T = (m + t)/count``; None if its numbers are out of range."""
    m, n = 2 * i + 1 - count, len(piece.polynomial)
    exact = [c * count ** (n - 1 - j) for j, c in enumerate(piece.polynomial)]  # in parts of count^-(n-1)
    for j in range(n):  # Horner: the coefficients of powers of T - m
        for k in range(n - 2, j - 1, -1):
            exact[k] += m * exact[k + 1]
    scale = count ** (n - 1)
    kept = [c // scale for c in exact[: DEGREE + 1]]
    rest = [(j, abs(c)) for j, c in enumerate(exact) if j > DEGREE]
    steep = 2 << level  # dt/dx
    lost = (
        piece.value_lost + DEGREE + 1 + _divided(sum(c for _, c in rest), scale),
        _divided(steep * piece.slope_lost, count)
        + steep * (DEGREE * (DEGREE + 1) // 2 + _divided(sum(j * c for j, c in rest), scale)),
    )
    sizes = [abs(c) for c in kept]
    rounding = (
        _divided(sum((2 * j + 2) * c for j, c in enumerate(sizes)), 1 << 52) + 1,
        steep * (_divided(sum(j * (2 * j + 2) * c for j, c in enumerate(sizes)), 1 << 52) + 1),
    )
    largest = max(sum(sizes), steep * sum(j * c for j, c in enumerate(sizes)))
    if not (largest < LARGEST << (FINE - 1) and max(lost + rounding) < LARGEST):
        return None
    return Cell(tuple(kept), max(lost), max(rounding))


def _divided(a: int, b: int) -> int:
    """Return ``⌈a/b⌉``."""
    return -(-a // b)


# Tables ---------------------------------------------------------------------------------------------------------


def values(name: str, z: Integers, p: int, q: int, numbers: Any) -> Values:
    """Return σ, σ' and a bound of their errors at arguments of one dimension; see `activation_values`.

    Args:
        name, z, p, q: see there.
        numbers: an enclosing number context, always an equal one: tables are kept for it.
    """
    table = _table(name, z, p, q, numbers)
    return *table.evaluate(z, p), table.error


@dataclass(frozen=True)
class Table:
    """The polynomials of the cells that occur.

    Args:
        level: the width of a cell is ``2^-level``.
        first: the number of the first cell.
        coefficients: shape (DEGREE + 1, cells), in units of ``2^-q``.
        lost, error: bounds of the error of the polynomials, in parts, and of all error, in units.
    """

    level: int
    first: int
    coefficients: Floats
    lost: int
    error: int

    def evaluate(self, z: Integers, p: int) -> tuple[Integers, Integers]:
        """Return values and slopes at ``z 2^-p``, all of them in cells of the table."""
        values, slopes = np.empty_like(z), np.empty_like(z)
        with np.errstate(all="ignore"):
            for start in range(0, z.size, _CHUNK):
                part = slice(start, start + _CHUNK)
                index, t = _located(z[part], p, self.level)
                index -= self.first
                self._horner(index, t, values[part], slopes[part])
        return values, slopes

    def _horner(self, index: Integers, t: Floats, values: Integers, slopes: Integers) -> None:
        """Evaluate polynomial and derivative, every operation rounded once, and round to integers."""
        c = self.coefficients
        derivative = np.take(c[DEGREE], index)
        value, term = derivative * t, np.take(c[DEGREE - 1], index)
        value += term
        for j in reversed(range(DEGREE - 1)):
            derivative *= t
            derivative += value
            value *= t
            np.take(c[j], index, out=term)
            value += term
        derivative *= 2.0 ** (self.level + 1)
        np.copyto(values, np.rint(value, out=value), casting="unsafe")
        np.copyto(slopes, np.rint(derivative, out=derivative), casting="unsafe")


def _located(z: Integers, p: int, level: int) -> tuple[Integers, Floats]:
    """Return the cells of ``z 2^-p`` and the places in them, ``−1 ≤ t < 1``, both exactly."""
    if p <= level:
        z, p = z << (level + 1 - p), level + 1
    shift = p - level
    place = z & ((1 << shift) - 1)
    place -= 1 << (shift - 1)
    t = place.astype(np.float64)
    t *= 2.0 ** (1 - shift)
    return z >> shift, t


def _table(name: str, z: Integers, p: int, q: int, numbers: Any) -> Table:
    """Return a table for these arguments, of the first level that is accurate enough, or of the most accurate one."""
    node, best = node_of(name), None
    low, high = int(z.min()), int(z.max())
    refusal = Rejection("no-enclosure", f"the arguments of {name[:60]} are too far apart or too large for a table")
    for level in LEVELS:
        first, last = (Fraction(end, 1 << p) * (1 << level) // BLOCK for end in (low, high))
        if (last - first + 1) * BLOCK > MAX_CELLS or max(-low, high) << max(0, level + 1 - p) >= LARGEST:
            break
        try:
            table = _table_at(name, node, z, p, q, level, int(first), int(last), numbers)
        except Rejection as error:
            refusal = error
            continue
        if best is None or table.error < best.error:
            best = table
        if table.lost <= TRUNCATION:
            break
    if best is None:
        raise refusal
    return best


def _table_at(
    name: str, node: Node, z: Integers, p: int, q: int, level: int, first: int, last: int, numbers: Any
) -> Table:
    """Return the table of the cells in the blocks ``first`` to ``last`` that occur; Rejection if σ is not known."""
    cells = (last - first + 1) * BLOCK
    occurs = np.zeros(cells, np.bool_)
    for start in range(0, z.size, _CHUNK):
        occurs[_located(z[start : start + _CHUNK], p, level)[0] - first * BLOCK] = True
    coefficients = np.zeros((DEGREE + 1, cells))
    worst = lost = 0
    for b in np.flatnonzero(occurs.reshape(-1, BLOCK).any(axis=1)).tolist():
        place = slice(b * BLOCK, (b + 1) * BLOCK)
        spend(operations(size(node) * BLOCK, 64))
        block, here = _block(numbers, node, level, q, first + b), occurs[place]
        unknown = np.flatnonzero(here & (block.lost < 0))
        if unknown.size:
            raise undefined(name, Fraction((first + b) * BLOCK + int(unknown[0]), 1 << level))
        coefficients[:, place] = block.coefficients
        lost = max(lost, int(block.lost[here].max()))
        worst = max(worst, int((block.lost + block.rounding)[here].max()))
    return Table(level, first * BLOCK, coefficients, lost, 1 + _divided(worst, 1 << FINE))

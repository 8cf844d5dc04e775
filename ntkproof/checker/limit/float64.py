"""All entries of a kernel's Gram matrix at once, in float64 balls.

Trusted.  The formulas are those of `Kernel`, read in `Balls`.  What is added here is the first layer: its
covariances and determinants come from the exact integers by double-double arithmetic, because the angle between
nearly parallel inputs would lose half of the digits of float64.  Proofs: ``docs/proofs/balls.md``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import slices
from ntkproof.checker.arithmetic.balls import Ball, Balls, enclose
from ntkproof.checker.limit.kernels import FirstLayer, Kernel

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Tick
    from ntkproof.checker.problem.problem import Problem

Floats = NDArray[np.float64]

_BLOCK = 2**15  # entries handled at a time: temporaries stay in the cache
_LARGEST_ENTRY = 2.0**61  # of the integers A
_LARGEST_RADIUS = 2.0**47  # of the integers rho: a row of them fits int64
_MAX_ROWS = 2**15
_MAX_PRECISION = 900
_SPLITTER = 2.0**27 + 1
_COVARIANCE_ERROR = 2.0**-98  # of a double-double covariance, relative to |a g| + b
_DETERMINANT_ERROR = 2.0**-96  # of a double-double determinant, relative to q r


class DoubleDouble(NamedTuple):
    """Numbers ``high + low`` with ``|low| <= 2^-53 |high|``."""

    high: Any
    low: Any


def enclose_kernel_vectorised(
    problem: Problem, inputs_gram: slices.Symmetric, precision: int, tick: Tick
) -> tuple[slices.Symmetric, int]:
    """Enclose the kernel's Gram matrix ``H``, entry by entry.

    Args:
        problem: dataset of n samples, network and kernel.
        inputs_gram: exact integer Gram matrix of the inputs, scaled by ``4**-dataset.exponent``.
        precision: the unit of the result is ``2**-precision``.
        tick: called with (rows done, rows in all).

    Returns:
        Integers ``A`` and ``max_i Σ_j ρ_ij ≥ ‖H − A‖``, both in that unit, ``|H_ij − A_ij| ≤ ρ_ij``.

    Raises:
        ValueError: float64 does not do: its range, or what it knows of a divisor, is too small, ``|A|`` reaches
            2^61, or the processor does not round to nearest with gradual underflow.
    """
    slices.require_ieee()
    if abs(precision) > _MAX_PRECISION or inputs_gram.n > _MAX_ROWS:
        raise ValueError("the precision, or the number of rows, is out of the range of the float64 enclosure")
    with np.errstate(all="ignore"):
        return _Enclosure(problem, inputs_gram, precision).run(tick)


class _Enclosure:
    """The work of `enclose_kernel_vectorised`."""

    def __init__(self, problem: Problem, inputs_gram: slices.Symmetric, precision: int) -> None:
        self._n, self._precision = inputs_gram.n, precision
        self._kernel = Kernel(problem, Balls())
        first = FirstLayer.of(problem.dataset, problem.network)
        self._scale = _constant(Fraction(first.scale, first.denominator))
        self._offset = _constant(Fraction(first.offset, first.denominator))
        self._gram = inputs_gram
        self._norms, q = self._covariance(_double_double(inputs_gram.diagonal()))
        self._variances = self._kernel.variances(q)

    def run(self, tick: Tick) -> tuple[slices.Symmetric, int]:
        n = self._n
        entries = np.zeros((n, n), np.int64)
        same = self._kernel.entry(self._variances, self._variances[0], self._variances, Ball(0.0), diagonal=True)
        diagonal, row_sums = self._quantise(same, (n,))
        for first, high, low in self._gram.high_low(_BLOCK):
            stop = first + len(high)
            middle, radius = self._quantise(self._rows(first, stop, DoubleDouble(high, low)), high.shape)
            entries[first:stop, :stop] = middle
            radius = np.tril(radius, first - 1)  # the rest is counted elsewhere
            row_sums[first:stop] += radius.sum(axis=1)
            row_sums[:stop] += radius.sum(axis=0)
            tick(stop, n)
        entries[np.diag_indices(n)] = diagonal
        return slices.Symmetric.from_int64(entries), int(row_sums.max())

    def _rows(self, first: int, stop: int, gram: DoubleDouble) -> Ball:
        """The entries ``[first, stop) × [0, stop)``; on the diagonal those of orthogonal inputs, to be replaced."""
        covariance, c = self._covariance(gram)
        rows = DoubleDouble(self._norms.high[first:stop, None], self._norms.low[first:stop, None])
        columns = DoubleDouble(self._norms.high[:stop], self._norms.low[:stop])
        q = [ball[first:stop, None] for ball in self._variances]
        r = [ball[:stop] for ball in self._variances]
        det = _determinant(rows, columns, covariance)
        diagonal = np.arange(stop - first), np.arange(first, stop)
        c.mid[diagonal], c.rad[diagonal] = 0.0, 0.0
        det.mid[diagonal] = q[0].mid[:, 0] ** 2
        entries: Ball = self._kernel.entry(q, c, r, det)
        return entries

    def _covariance(self, g: DoubleDouble) -> tuple[DoubleDouble, Ball]:
        """``Σ¹ = a g + b`` to within ``2^-99 (|a g| + b)``, and its ball."""
        a, b = self._scale, self._offset
        product, rest = _two_product(g.high, a.high)
        total, carry = _two_sum(product, b.high)
        result = DoubleDouble(*_two_sum(total, carry + (rest + (g.high * a.low + g.low * a.high) + b.low)))
        error = np.abs(result.low) + _COVARIANCE_ERROR * (np.abs(product) + b.high)
        return result, Ball(result.high, error * (1 + 2.0**-48) + 2.0**-600)

    def _quantise(self, x: Ball, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return integers ``(A, ρ)`` with ``|v − 2^-precision A| ≤ 2^-precision ρ`` for every v in the balls."""
        unit = 2.0**self._precision
        middle, radius = np.rint(x.mid * unit), np.ceil(x.rad * unit) + 1.0
        if not (np.abs(middle).max() < _LARGEST_ENTRY and radius.max() < _LARGEST_RADIUS):
            raise ValueError("an entry of the kernel does not fit 61 bits at this precision, or is not known")
        return np.broadcast_to(middle, shape).astype(np.int64), np.broadcast_to(radius, shape).astype(np.int64)


def _double_double(integers: list[int]) -> DoubleDouble:
    """Round integers to within ``2^-105`` of themselves; ValueError above 2^900."""
    if max(map(abs, integers)) > 2**900:
        raise ValueError("entries must not exceed 2^900 in magnitude")
    high = [float(x) for x in integers]
    low = [float(x - int(h)) for x, h in zip(integers, high, strict=True)]
    return DoubleDouble(np.array(high), np.array(low))


def _constant(value: Fraction) -> DoubleDouble:
    """Round a non-negative rational to within ``2^-105`` of itself; ValueError out of range."""
    if value and not 2.0**-800 < value < 2.0**800:
        raise ValueError("the scale of the inputs does not suit float64")
    high, _ = enclose(value, value)
    low, _ = enclose(value - Fraction(high), value - Fraction(high))
    return DoubleDouble(high, low)


def _determinant(q: DoubleDouble, r: DoubleDouble, c: DoubleDouble) -> Ball:
    """``q r − c²`` to within ``2^-96 q r`` and 2^-51 of itself; q, r and c as from `_covariance`."""
    product, rest = _two_product(q.high, r.high)
    square, square_rest = _two_product(c.high, c.high)
    cross = (q.high * r.low + q.low * r.high) - 2.0 * (c.high * c.low)
    difference = product - square
    mid = difference + ((rest - square_rest) + cross)
    error = _DETERMINANT_ERROR * product + 2.0**-52 * (np.abs(difference) + np.abs(mid))
    return Ball(mid, error * (1 + 2.0**-48) + 2.0**-600)


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Knuth: ``(s, e)`` with ``s = fl(a + b)`` and ``s + e = a + b`` exactly."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def _split(a: Any) -> tuple[Any, Any]:
    """Veltkamp: two numbers of at most 26 bits whose sum is ``a``."""
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """Dekker: ``(p, e)`` with ``p = fl(a b)`` and ``p + e = a b`` exactly, but for underflow."""
    p = a * b
    (a1, a2), (b1, b2) = _split(a), _split(b)
    return p, a2 * b2 - (((p - a1 * b1) - a2 * b1) - a1 * b2)

"""Fixed-point matrices: integers in units of ``2^-p``, every operation rounded by a stated number of units.

Trusted.  `Exact` works with Python integers in object arrays, `Sliced` with int64 arrays, float64 elementwise and
exact BLAS products of slices.  Proofs: ``docs/proofs/given-weights.md``, section 1.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import exact, slices

Ints = NDArray[Any]
"""A two-dimensional array of integers: int64 or Python ints."""

_FLOAT_EXACT = 1 << 53
_ROUNDED = 1 << 50  # results of rounded float64 operations stay below this
_WORD = 1 << 62


class Fixed(Protocol):
    """What the evaluation of a network asks of an arithmetic; each raises OverflowError when numbers are too large."""

    def quantise(self, values: NDArray[np.float64], factor: Fraction, p: int) -> Ints:
        """Return integers ``A`` with ``|A − 2^p s values| ≤ 1`` entry by entry, for every s within 2^-100 of factor."""

    def integers(self, values: NDArray[np.int64]) -> Ints:
        """Return int64 integers as this arithmetic keeps them."""

    def times(self, a: Ints, b: Ints, shift: int) -> Ints:
        """Return integers ``C`` with ``|C − 2^-shift a ∘ b| ≤ 1`` entry by entry; shapes may broadcast."""

    def product(self, a: Ints, b: Ints, shift: int) -> Ints:
        """Return integers ``C`` with ``|C − 2^-shift a bᵀ| ≤ 3`` entry by entry."""

    def grams(self, n: int) -> Grams:
        """Return an empty sum of Gram matrices of order n."""


class Grams(Protocol):
    """An exact sum of Gram matrices ``a aᵀ``."""

    def add(self, a: Ints) -> None:
        """Add ``a aᵀ``; all ``a`` have n rows, and none more columns than the first."""

    def total(self) -> Ints:
        """Return the sum as an array of Python ints."""


class Exact:
    """Python integers."""

    def quantise(self, values: NDArray[np.float64], factor: Fraction, p: int) -> Ints:
        """See `Fixed`."""
        scale = factor * Fraction(2) ** p
        found = np.empty(values.shape, object)
        found[...] = [[floor(Fraction(v) * scale + Fraction(1, 2)) for v in row] for row in values.tolist()]
        if max(found.max(), -found.min()) > _ROUNDED:
            raise OverflowError("a fixed-point number is too large")
        return found

    def integers(self, values: NDArray[np.int64]) -> Ints:
        """See `Fixed`."""
        return values.astype(object)

    def times(self, a: Ints, b: Ints, shift: int) -> Ints:
        """See `Fixed`."""
        return _shifted(a * b, shift)

    def product(self, a: Ints, b: Ints, shift: int) -> Ints:
        """See `Fixed`."""
        found = np.empty((len(a), len(b)), object)
        for i, row in enumerate(exact.product_rows(a.tolist(), b.tolist())):
            found[i] = row
        return _shifted(found, shift)

    def grams(self, n: int) -> Grams:
        """See `Fixed`."""
        return _ExactGrams(n)


class _ExactGrams:
    def __init__(self, n: int) -> None:
        self.sum = np.zeros((n, n), object)

    def add(self, a: Ints) -> None:
        self.sum += Exact().product(a, a, 0)

    def total(self) -> Ints:
        return self.sum


class Sliced:
    """int64 arrays; products of slices on BLAS, exact below 2^53."""

    def quantise(self, values: NDArray[np.float64], factor: Fraction, p: int) -> Ints:
        """See `Fixed`: two roundings of at most 2^-53 relative each, and one to the nearest integer."""
        slices.require_ieee()
        with np.errstate(all="ignore"):  # what is too large is refused
            return _rounded(np.ldexp(values * float(factor), p))

    def integers(self, values: NDArray[np.int64]) -> Ints:
        """See `Fixed`."""
        return values

    def times(self, a: Ints, b: Ints, shift: int) -> Ints:
        """See `Fixed`: three roundings of at most 2^-53 relative each, and one to the nearest integer."""
        return _rounded(np.ldexp(a.astype(np.float64) * b.astype(np.float64), -shift))

    def product(self, a: Ints, b: Ints, shift: int) -> Ints:
        """See `Fixed`: digits from the lowest weight up, each carry rounded down, then the rest shifted into place."""
        bits = slices.slice_bits(a.shape[1])
        left = _digits(a, bits)
        right = left if b is a else _digits(b, bits)
        peaks = [[slices.peak(plane) for plane in side] for side in (left, right)]
        total = np.zeros((len(a), len(b)), np.int64)
        limit, position = 0, 0  # total is known to be at most limit, in units of 2^position
        for weight in range(len(left) + len(right) - 1):
            place = min(bits * weight, shift)
            total >>= place - position
            limit = (limit >> (place - position)) + 1
            position = place
            for s in range(max(0, weight - len(right) + 1), min(weight + 1, len(left))):
                bound = a.shape[1] * peaks[0][s] * peaks[1][weight - s]
                limit += bound << (bits * weight - position)
                if bound > _FLOAT_EXACT or limit >= _WORD:
                    raise OverflowError("a product of fixed-point matrices is too large")
                part = (left[s] @ right[weight - s].T).astype(np.int64)
                total += part << (bits * weight - position)
        return (total + (1 << (shift - position) >> 1)) >> (shift - position)

    def grams(self, n: int) -> Grams:
        """See `Fixed`."""
        return _SlicedGrams(n)


class _SlicedGrams:
    """Words of 64 bits that are emptied into Python integers before they could overflow."""

    FULL = 64  # additions; a word gets at most planes * 2^53 in each

    def __init__(self, n: int) -> None:
        self.sum, self.bits, self.count = np.zeros((n, n), object), 0, 0
        self.words = slices.Words(0, (n, n))

    def add(self, a: Ints) -> None:
        if not self.count:
            self.bits = self.bits or slices.slice_bits(a.shape[1])
            self.words = slices.Words(self.bits, self.sum.shape)
        stack = slices.stack(slices.balanced([a.copy()], self.bits))
        self.words.add_product(stack, stack, 1, 0)
        self.count += 1
        if self.count == self.FULL:
            self.total()

    def total(self) -> Ints:
        if self.count:
            self.sum += slices.python_ints(self.words.words, self.bits)
        self.count = 0
        return self.sum


def _digits(values: Ints, bits: int) -> list[NDArray[np.float64]]:
    """The balanced digits of int64 integers, as float64 matrices."""
    return [plane.astype(np.float64) for plane in slices.balanced([values.copy()], bits)]


def _shifted(values: Ints, shift: int) -> Ints:
    """The nearest integers to ``2^-shift values``."""
    return (values + (1 << shift >> 1)) >> shift if shift >= 0 else values << -shift


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest integers, if they and the errors of up to three roundings before are small enough."""
    if not (np.abs(values) <= _ROUNDED).all():  # False for NaN, too
        raise OverflowError("a fixed-point number is too large")
    return np.rint(values).astype(np.int64)

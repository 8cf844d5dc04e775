"""Fixed-point matrices in int64 arrays: float64 elementwise, exact BLAS products of slices.

Trusted.  Proofs: ``docs/proofs/given-weights.md``, section 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ntkproof.checker.arithmetic import slices
from ntkproof.checker.arithmetic.fixed import LARGEST

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.protocols import Grams, Ints

_FLOAT_EXACT = 1 << 53


_WORD = 1 << 62


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


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest integers, if they and the errors of up to three roundings before are small enough."""
    if not (np.abs(values) <= LARGEST).all():  # False for NaN, too
        raise OverflowError("a fixed-point number is too large")
    return np.rint(values).astype(np.int64)

"""Norms and products of fixed-point matrices, rounded outward.  Proofs: ``docs/proofs/given-weights.md``.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ntkproof.checker.arithmetic.scalars import root

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Fixed, Ints

FORWARD = 40  # activations are in units of 2^-FORWARD
BLOCK = 2**13  # columns, hidden neurons for example, that are handled together
NORM_BITS = 40


FEW = 2**10  # rows whose Gram matrix may be in Python integers


def norm_squared(numbers: Fixed, a: Ints, rounds: int = 6) -> Fraction:
    """Return at least ``‖a‖²``: ``‖B‖² = ‖BBᵀ‖`` again and again, the largest row sum at the end.

    Each ``BBᵀ`` is rounded to about `NORM_BITS` bits; entries off by 3 units move the norm by 3 units per row.
    """
    if len(a) > a.shape[1]:
        a = a.T
    shift = max(0, (peak(a) ** 2 * a.shape[1]).bit_length() - NORM_BITS)
    squared = _squared(numbers, a, shift)
    if rounds == 0:
        norm = Fraction(int(np.abs(squared).sum(axis=1).max()))
    else:
        norm = root(norm_squared(numbers, squared, rounds - 1))
    return Fraction((norm + 3 * len(a)) * 2**shift)


def _squared(numbers: Fixed, a: Ints, shift: int) -> Ints:
    """Return integers ``C`` with ``|C − 2^-shift a aᵀ| ≤ 3`` entry by entry; if rows are few and long, in blocks."""
    if a.shape[1] <= BLOCK or len(a) > FEW:
        return numbers.product(a, a, shift)
    sums = numbers.grams(len(a))
    for first in range(0, a.shape[1], BLOCK):
        sums.add(a[:, first : first + BLOCK])
    rounded = (sums.total() + (1 << shift >> 1)) >> shift
    return numbers.integers(rounded.astype(np.int64))


@dataclass(frozen=True)
class Rounded:
    """A matrix in units of ``2^-FORWARD``, each entry off by at most ``error`` units."""

    values: Ints
    error: int

    def scaled(self, numbers: Fixed, by: Ints, error: int) -> Rounded:
        """Return the product with a diagonal matrix, given as a row or a column."""
        lost = peak(self.values) * error + peak(by) * self.error + self.error * error
        return Rounded(numbers.times(self.values, by, FORWARD), 1 + ceil(Fraction(lost, 2**FORWARD)))

    def after(self, numbers: Fixed, first: Rounded) -> Rounded:
        """Return this matrix times ``first``."""
        across = first.values.T.copy()
        error = product_error(self.values, self.error, across, first.error, FORWARD)
        return Rounded(numbers.product(self.values, across, FORWARD), error)

    def norm(self, numbers: Fixed) -> Fraction:
        """Return at least its norm."""
        size = root(Fraction(self.values.size))
        return Fraction(root(norm_squared(numbers, self.values)) + self.error * size, 2**FORWARD)

    def longest_row(self, numbers: Fixed) -> Fraction:
        """Return at least the norm of its longest row."""
        count = self.values.shape[1]
        shift = max(0, 2 * peak(self.values).bit_length() - NORM_BITS)
        squares = row_sum(numbers.times(self.values, self.values, shift)) + count
        return Fraction(root(Fraction(squares << shift)) + self.error * root(Fraction(count)), 2**FORWARD)


def product_error(a: Ints, a_error: int, b: Ints, b_error: int, shift: int) -> int:
    """A bound on the error of a rounded ``2^-shift a bᵀ`` whose factors have these errors."""
    spread = row_sum(b) * a_error + row_sum(a) * b_error + a.shape[1] * a_error * b_error
    return 3 + ceil(Fraction(spread, 2**shift))


def peak(a: Ints) -> int:
    """Return the largest entry in absolute value."""
    return max(int(a.max()), -int(a.min()))


def row_sum(a: Ints) -> int:
    """At least the largest ``Σ_j |a_ij|``."""
    bound = peak(a) * a.shape[1]
    return bound if bound >= 2**62 else int(np.abs(a).sum(axis=1).max())

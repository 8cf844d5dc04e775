"""Fixed-point matrices: integers in units of ``2^-p``, every operation rounded by a stated number of units.

Trusted.  `Exact` works with Python integers in object arrays, `Sliced` with int64 arrays, float64 elementwise and
exact BLAS products of slices.  Proofs: ``docs/proofs/given-weights.md``, section 1.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import exact_products

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Grams

Ints = NDArray[Any]
"""A two-dimensional array of integers: int64 or Python ints."""

LARGEST = 1 << 50  # results of rounded float64 operations stay below this


class Exact:
    """Python integers."""

    def quantise(self, values: NDArray[np.float64], factor: Fraction, p: int) -> Ints:
        """See `Fixed`."""
        scale = factor * Fraction(2) ** p
        found = np.empty(values.shape, object)
        found[...] = [[floor(Fraction(v) * scale + Fraction(1, 2)) for v in row] for row in values.tolist()]
        if max(found.max(), -found.min()) > LARGEST:
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
        for i, row in enumerate(exact_products.product_rows(a.tolist(), b.tolist())):
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


def _shifted(values: Ints, shift: int) -> Ints:
    """The nearest integers to ``2^-shift values``."""
    return (values + (1 << shift >> 1)) >> shift if shift >= 0 else values << -shift

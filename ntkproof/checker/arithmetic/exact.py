"""Exact integer linear algebra in pure Python integers: the reference implementation.

Every number is a Python ``int``, so nothing can round or overflow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.budget import spend


def check_length(what: str, found: int, expected: int) -> None:
    """Raise ValueError unless a matrix has as many entries, or rows, as it must."""
    if found != expected or found < 1:
        raise ValueError(f"{what} has the length {found} where {expected} is needed")


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Symmetric n x n integer matrix; ``rows[i]`` is (A_i0, ..., A_ii)."""

    n: int
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def from_lower(cls, n: int, packed: Iterable[int]) -> Self:
        """Build from the n(n+1)/2 integers of the row-major lower triangle; ValueError if not that."""
        values = list(packed)
        check_length("the lower triangle", len(values), n * (n + 1) // 2)
        return cls(n, tuple(tuple(values[i * (i + 1) // 2 : (i + 1) * (i + 2) // 2]) for i in range(n)))

    def entry(self, i: int, j: int) -> int:
        """A_ij, for 0 <= i, j < n."""
        return self.rows[max(i, j)][min(i, j)]

    def lower(self) -> Iterator[int]:
        """The n(n+1)/2 entries of the row-major lower triangle."""
        return (value for row in self.rows for value in row)


@dataclass(frozen=True, slots=True)
class Triangular:
    """Lower-triangular n x n integer matrix; ``rows[i]`` is (W_i0, ..., W_ii)."""

    n: int
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def from_bytes(cls, n: int, width: int, data: bytes) -> Self:
        """Read the row-major lower triangle, `width` little-endian two's-complement bytes an entry."""
        check_length("a packed triangle", len(data), width * (n * (n + 1) // 2))
        values = (int.from_bytes(data[k : k + width], "little", signed=True) for k in range(0, len(data), width))
        return cls(n, Symmetric.from_lower(n, values).rows)


def gram(inputs: NDArray[np.float64], exponent: int) -> Symmetric:
    """Exact N N^T (r x r) for the integer matrix N of `integer_rows`, inputs of shape (r, c)."""
    spend(len(inputs) ** 2 * (256 + inputs.shape[1] // 8))
    rows = integer_rows(inputs, exponent)
    return Symmetric(len(rows), tuple(tuple(_products(row, rows[: i + 1])) for i, row in enumerate(rows)))


def residual_norm(matrix: Symmetric, shift: int, sign: int, e: int, witness: Triangular, f: int) -> int:
    """Exact max_i sum_j |2^e sign (A_ij - shift [i=j]) - 2^f (W W^T)_ij|; ValueError unless the orders agree."""
    check_length("the witness", witness.n, matrix.n)
    sums = [0] * matrix.n
    for i, row in enumerate(witness.rows):
        for j, product in enumerate(_products(row, witness.rows[: i + 1])):
            entry = matrix.rows[i][j] - (shift if i == j else 0)
            size = abs((sign * entry << e) - (product << f))
            sums[i] += size
            if i != j:
                sums[j] += size
    return max(sums)


def quadratic_form(matrix: Symmetric, v: list[int]) -> int:
    """v^T A v exactly; ValueError unless v has n entries."""
    halves = (2 * sum(map(mul, row[:-1], v)) + row[-1] * x for row, x in zip(matrix.rows, v, strict=True))
    return sum(map(mul, halves, v))


def integer_rows(inputs: NDArray[np.float64], exponent: int) -> list[list[int]]:
    """The integers inputs * 2^-exponent, by rows; ValueError or OverflowError when one is not an integer."""
    scale = Fraction(2) ** -exponent

    def scaled(value: float) -> int:
        number = Fraction(value) * scale
        if number.denominator != 1:
            raise ValueError(f"{value!r} * 2^{-exponent} is not an integer")
        return number.numerator

    return [[scaled(value) for value in row] for row in inputs.tolist()]


def _products(row: Sequence[int], rows: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the inner products of a row with others, which are as long or end earlier, as if 0 followed."""
    return (sum(map(mul, row, other)) for other in rows)

"""Exact integer linear algebra in pure Python integers: the reference implementation.

Every number is a Python ``int``, so nothing can round or overflow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Self

import numpy as np
from numpy.typing import NDArray

MAX_EXPONENT = 1 << 14  # largest power-of-two exponent accepted (bounds memory, not correctness)
MAX_WIDTH = 512  # largest byte width of a packed witness entry


def check_int(name: str, value: object, low: int | None = None, high: int | None = None) -> int:
    """Return `value` if it is an ``int`` (not ``bool``) in [low, high]; else raise ValueError."""
    if type(value) is not int:
        raise ValueError(f"{name} must be an int, not {type(value).__name__}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{name} = {value} is outside [{low}, {high}]")
    return value


def check_ints(name: str, values: Iterable[int], count: int) -> list[int]:
    """Return `values` as a list of exactly `count` ints (not bools); else raise ValueError."""
    result = list(values)
    if len(result) != count:
        raise ValueError(f"{name} needs {count} integers, got {len(result)}")
    if set(map(type, result)) - {int}:
        raise ValueError(f"{name} must contain ints only")
    return result


def check_packed(n: int, width: int, data: bytes) -> None:
    """Raise ValueError unless `data` is a packed lower triangle of order n, `width` bytes an entry."""
    check_int("n", n, 1)
    check_int("width", width, 1, MAX_WIDTH)
    if not isinstance(data, bytes):
        raise ValueError(f"data must be bytes, not {type(data).__name__}")
    if len(data) != width * (n * (n + 1) // 2):
        raise ValueError(f"data needs {width * (n * (n + 1) // 2)} bytes, got {len(data)}")


def check_residual(orders: tuple[int, int], shift: int, sign: int, e: int, f: int) -> None:
    """Raise ValueError unless the arguments of `residual_norm` are valid (orders: matrix, witness)."""
    if orders[0] != orders[1]:
        raise ValueError(f"matrix has order {orders[0]}, witness has order {orders[1]}")
    check_int("shift", shift)
    if check_int("sign", sign, -1, 1) == 0:
        raise ValueError("sign must be 1 or -1, not 0")
    check_int("e", e, 0, MAX_EXPONENT)
    check_int("f", f, 0, MAX_EXPONENT)


def check_inputs(inputs: NDArray[np.float64], exponent: int) -> None:
    """Raise ValueError unless `inputs` is a finite non-empty float64 matrix and `exponent` an int."""
    check_int("exponent", exponent, -MAX_EXPONENT, MAX_EXPONENT)
    if not isinstance(inputs, np.ndarray) or inputs.dtype != np.float64 or inputs.ndim != 2:
        raise ValueError("inputs must be a two-dimensional float64 array")
    if inputs.size == 0 or not np.isfinite(inputs).all():
        raise ValueError("inputs must be non-empty and finite")


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Symmetric n x n integer matrix; ``rows[i]`` is (A_i0, ..., A_ii)."""

    n: int
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def from_lower(cls, n: int, packed: Iterable[int]) -> Self:
        """Build from the n(n+1)/2 integers of the row-major lower triangle; ValueError if not that."""
        values = check_ints("packed", packed, check_int("n", n, 1) * (n + 1) // 2)
        return cls(n, tuple(tuple(values[i * (i + 1) // 2 : (i + 1) * (i + 2) // 2]) for i in range(n)))

    def entry(self, i: int, j: int) -> int:
        """A_ij; ValueError unless 0 <= i, j < n."""
        check_int("i", i, 0, self.n - 1)
        check_int("j", j, 0, self.n - 1)
        return self.rows[max(i, j)][min(i, j)]

    def diagonal(self) -> list[int]:
        """The n diagonal entries."""
        return [row[-1] for row in self.rows]

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
        check_packed(n, width, data)
        starts = range(0, len(data), width)
        values = (int.from_bytes(data[k : k + width], "little", signed=True) for k in starts)
        return cls(n, Symmetric.from_lower(n, values).rows)


def gram(inputs: NDArray[np.float64], exponent: int) -> Symmetric:
    """Exact N N^T (r x r) for the integer matrix N = inputs * 2^-exponent, inputs of shape (r, c).

    ValueError when an entry is not finite or not an integer after scaling.
    """
    check_inputs(inputs, exponent)
    rows = [[_scaled(value, exponent) for value in row] for row in inputs.tolist()]
    return Symmetric(len(rows), tuple(tuple(_products(row, rows[: i + 1])) for i, row in enumerate(rows)))


def residual_norm(matrix: Symmetric, shift: int, sign: int, e: int, witness: Triangular, f: int) -> int:
    """Exact max_i sum_j |2^e sign (A_ij - shift [i=j]) - 2^f (W W^T)_ij|; ValueError on bad arguments."""
    check_residual((matrix.n, witness.n), shift, sign, e, f)
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
    """v^T A v exactly, v of n ints; ValueError otherwise."""
    check_ints("v", v, matrix.n)
    halves = (2 * sum(map(mul, row[:-1], v)) + row[-1] * x for row, x in zip(matrix.rows, v, strict=True))
    return sum(map(mul, halves, v))


def _scaled(value: float, exponent: int) -> int:
    """value * 2^-exponent from the exact contents of the float64; ValueError if not an integer."""
    numerator, denominator = value.as_integer_ratio()
    numerator <<= max(-exponent, 0)
    quotient, remainder = divmod(numerator, denominator << max(exponent, 0))
    if remainder:
        raise ValueError(f"{value!r} * 2^{-exponent} is not an integer")
    return quotient


def _products(row: Sequence[int], rows: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the inner products of a row with others, which are as long or end earlier, as if 0 followed."""
    return (sum(map(mul, row, other)) for other in rows)

"""Exact integer linear algebra in pure Python integers: the reference implementation.

Every number is a Python ``int``, so nothing can round or overflow.  Inner products use Kronecker
substitution: the entries ``W[j][k]`` of a block of rows j become the slots of one long integer ``P_k``,
and ``sum_k W[i][k] * P_k`` holds the inner products of row i with all rows of the block.  The slot
width is proved in `slot_bytes`; docs/proofs/exact-products.md has the whole argument.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Self

import numpy as np
from numpy.typing import NDArray

MAX_EXPONENT = 1 << 14  # largest power-of-two exponent accepted (bounds memory, not correctness)
MAX_WIDTH = 512  # largest byte width of a packed witness entry
_SLOTS = 128  # rows packed into one long integer: long enough to amortise the interpreter


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


def check_square(order: int | None, n: int, width: int, data: bytes) -> None:
    """Raise ValueError unless `data` is an n x n matrix, `width` bytes an entry, and `order` is n or None."""
    check_int("n", n, 1)
    check_int("width", width, 1, MAX_WIDTH)
    if order not in (None, n):
        raise ValueError(f"matrix has order {order}, witness has order {n}")
    if not isinstance(data, bytes) or len(data) != width * n * n:
        raise ValueError(f"data needs {width * n * n} bytes")


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

    def floats(self, exponent: int) -> NDArray[np.float64]:
        """2^exponent A in float64, of shape (n, n), a few units in the last place off; OverflowError if too large."""
        drop = max(0, max(map(int.bit_length, self.lower())) - 900)
        full = np.zeros((self.n, self.n))
        full[np.tri(self.n, dtype=bool)] = [float(value >> drop) for value in self.lower()]
        with np.errstate(all="ignore"):
            scaled = np.ldexp(full + np.tril(full, -1).T, exponent + drop)
        if not np.isfinite(scaled).all():
            raise OverflowError("entries are too large for float64")
        return scaled


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
    lower: list[list[int]] = [[] for _ in rows]
    for i, _, products in _row_products(rows):
        lower[i] += products
    return Symmetric(len(rows), tuple(map(tuple, lower)))


def residual_norm(matrix: Symmetric, shift: int, sign: int, e: int, witness: Triangular, f: int) -> int:
    """Exact max_i sum_j |2^e sign (A_ij - shift [i=j]) - 2^f (W W^T)_ij|; ValueError on bad arguments."""
    check_residual((matrix.n, witness.n), shift, sign, e, f)
    sums = [0] * matrix.n
    for i, first, products in _row_products(witness.rows):
        for j, product in enumerate(products, first):
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


def congruence(matrix: Symmetric | None, n: int, width: int, data: bytes) -> tuple[list[int], int]:
    """Exact diagonal of C = U A U^T and max_i sum_(j != i) |C_ij|; A is the identity when `matrix` is None.

    `data` holds the n x n integer matrix U by rows, `width` little-endian two's-complement bytes an entry;
    ValueError on bad arguments.
    """
    check_square(None if matrix is None else matrix.n, n, width, data)
    entries = [int.from_bytes(data[k : k + width], "little", signed=True) for k in range(0, len(data), width)]
    rows = [entries[k : k + n] for k in range(0, n * n, n)]
    left = rows
    if matrix is not None:
        left = list(product_rows(rows, [[matrix.entry(i, j) for j in range(n)] for i in range(n)]))
    diagonal, norm = [], 0
    for i, row in enumerate(product_rows(left, rows)):
        diagonal.append(row[i])
        norm = max(norm, sum(map(abs, row)) - abs(row[i]))
    return diagonal, norm


def _scaled(value: float, exponent: int) -> int:
    """value * 2^-exponent from the exact contents of the float64; ValueError if not an integer."""
    numerator, denominator = value.as_integer_ratio()
    numerator <<= max(-exponent, 0)
    quotient, remainder = divmod(numerator, denominator << max(exponent, 0))
    if remainder:
        raise ValueError(f"{value!r} * 2^{-exponent} is not an integer")
    return quotient


def slot_bytes(length: int, left: int, right: int) -> int:
    """Bytes of a slot that holds every sum of `length` products |x| <= left, |y| <= right, signed.

    Such a sum s has |s| <= m = length*left*right < 2^bitlen(m).  A slot of B = 2^(8 bytes) with
    8 bytes >= bitlen(m) + 1 has |s| < B/2, so s + B/2 is in (0, B): adding B/2 to every slot makes all
    of them proper base-B digits, which are unique, and no borrow crosses a slot.
    """
    return (length * left * right).bit_length() // 8 + 1


def _row_products(rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, list[int]]]:
    """Yield (i, first, [row_i . row_j for first <= j <= min(i, last)]), missing entries being 0.

    For every i the runs [first, last] come in ascending order and cover 0..i.
    """
    largest = max(max(map(abs, row)) for row in rows)
    width = slot_bytes(max(map(len, rows)), largest, largest)
    for first in range(0, len(rows), _SLOTS):
        block = rows[first : first + _SLOTS]
        packed = _pack_columns(block, width)
        offset = sum(1 << (8 * width * (slot + 1) - 1) for slot in range(len(block)))
        for i in range(first, len(rows)):
            # map stops at the shorter operand; the entries beyond it are zeros of the other one.
            total = sum(map(mul, rows[i], packed)) + offset
            yield i, first, _unpack(total, width, min(i - first + 1, len(block)), len(block))


def product_rows(left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the rows of L R^T; all rows have the same length."""
    width = slot_bytes(len(right[0]), max(max(map(abs, row)) for row in left), max(max(map(abs, row)) for row in right))
    blocks = [right[first : first + _SLOTS] for first in range(0, len(right), _SLOTS)]
    offset = sum(1 << (8 * width * (slot + 1) - 1) for slot in range(_SLOTS))
    packed = [(_pack_columns(block, width), len(block)) for block in blocks]
    for row in left:
        products: list[int] = []
        for columns, slots in packed:
            total = sum(map(mul, row, columns)) + (offset & ((1 << (8 * width * slots)) - 1))
            products += _unpack(total, width, slots, slots)
        yield products


def _pack_columns(block: Sequence[Sequence[int]], width: int) -> list[int]:
    """For every column k the integer sum_s block[s][k] * 2^(8 width s) (ragged rows padded by 0)."""
    packed = [0] * max(map(len, block))
    for slot, row in enumerate(block):
        for k, value in enumerate(row):
            packed[k] += value << (8 * width * slot)
    return packed


def _unpack(total: int, width: int, count: int, slots: int) -> list[int]:
    """The first `count` of `slots` signed slots of `total`, to every slot of which B/2 was added."""
    data = total.to_bytes(width * slots, "little")  # raises OverflowError if total is not in [0, B^slots)
    half = 1 << (8 * width - 1)
    return [int.from_bytes(data[k : k + width], "little") - half for k in range(0, width * count, width)]

"""Exact products of rectangular matrices of Python integers.

Trusted.  Inner products use Kronecker substitution: the entries ``W[j][k]`` of a block of rows j become the slots of
one long integer ``P_k``, and ``sum_k W[i][k] * P_k`` holds the inner products of row i with all rows of the block.  The
slot width is proved in `slot_bytes`; docs/proofs/exact-products.md has the whole argument.
"""

from collections.abc import Iterator, Sequence
from operator import mul

from ntkproof.checker.arithmetic.exact import Symmetric, check_length

_SLOTS = 128  # rows packed into one long integer: long enough to amortise the interpreter


def congruence(matrix: Symmetric | None, n: int, width: int, data: bytes) -> tuple[list[int], int]:
    """Exact diagonal of C = U A U^T and max_i sum_(j != i) |C_ij|; A is the identity when `matrix` is None.

    `data` holds the n x n integer matrix U by rows, `width` little-endian two's-complement bytes an entry;
    ValueError on bad arguments.
    """
    check_length("a square matrix", len(data), width * n * n)
    entries = [int.from_bytes(data[k : k + width], "little", signed=True) for k in range(0, len(data), width)]
    rows = [entries[k : k + n] for k in range(0, n * n, n)]
    left = rows
    if matrix is not None:
        check_length("the witness", n, matrix.n)
        left = list(product_rows(rows, [[matrix.entry(i, j) for j in range(n)] for i in range(n)]))
    diagonal, norm = [], 0
    for i, row in enumerate(product_rows(left, rows)):
        diagonal.append(row[i])
        norm = max(norm, sum(map(abs, row)) - abs(row[i]))
    return diagonal, norm


def slot_bytes(length: int, left: int, right: int) -> int:
    """Bytes of a slot that holds every sum of `length` products |x| <= left, |y| <= right, signed.

    Such a sum s has |s| <= m = length*left*right < 2^bitlen(m).  A slot of B = 2^(8 bytes) with
    8 bytes >= bitlen(m) + 1 has |s| < B/2, so s + B/2 is in (0, B): adding B/2 to every slot makes all
    of them proper base-B digits, which are unique, and no borrow crosses a slot.
    """
    return (length * left * right).bit_length() // 8 + 1


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

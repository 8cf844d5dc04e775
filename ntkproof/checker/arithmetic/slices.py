"""Exact integer linear algebra on NumPy/BLAS, integers cut into digit slices (long: one representation, one proof).

Why it is exact (proofs in docs/proofs/exact-products.md): an integer matrix is sum_t D_t 2^(bits t) with
balanced digits |D_t| <= 2^(bits-1).  A product of slices goes to BLAS only when length*max|D|*max|D'| <=
2^53, which is checked for every pair; then all partial sums, in any order, with or without FMA, are
integers of at most 2^53 and float64 represents them.  Products are added by weight in int64 words under
a run-time bound, carries make the words digits, and sums of digits become Python ints.  The result is
always the exact integer; a condition that fails raises OverflowError.

Matrices are stored by blocks of `_ROWS` rows; block [first, stop) is dense with `stop` columns, so the
zeros above the diagonal of a triangular witness are neither stored nor multiplied.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import exact
from ntkproof.checker.arithmetic.exact import check_length
from ntkproof.checker.logic.budget import spend

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROWS = 256  # rows of a block: a block of words fits the second-level cache
_STORE_BITS = 30  # digit width of a stored symmetric matrix
_MAX_GRAM_SLICES = 24
_FLOAT_EXACT = 1 << 53  # float64 holds every integer up to here
WORD_LIMIT = 1 << 62  # words stay below this before carries, hence below 2^63 with them


class Slice(NamedTuple):
    """One digit plane: an integer-valued int64 or float64 array and its exact largest magnitude."""

    values: NDArray[Any]
    peak: int


class Stack(NamedTuple):
    """Digit planes of one matrix, lowest first: a float64 array of shape (planes, rows, columns) and their peaks."""

    values: Floats
    peaks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Symmetric n x n integer matrix: int64 digit slices of weight 2^(bits t), by row blocks.

    In the block of rows [first, stop) the slices have shape (stop - first, stop), square part included.
    """

    n: int
    bits: int
    blocks: tuple[tuple[Slice, ...], ...]

    @classmethod
    def from_lower(cls, n: int, packed: Iterable[int]) -> Self:
        """Build from the n(n+1)/2 integers of the row-major lower triangle; ValueError if not that."""
        values = list(packed)
        check_length("the lower triangle", len(values), n * (n + 1) // 2)
        return cls._from_bytes(n, *_packed(values))

    @classmethod
    def from_int64(cls, array: Ints) -> Self:
        """Build from the lower triangle of an int64 (n, n) array, entries below 2^62; else ValueError."""
        if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.ndim != 2:
            raise ValueError("array must be a two-dimensional int64 array")
        n = len(array)
        if n == 0 or array.shape != (n, n):
            raise ValueError(f"array must be square and not empty, not {array.shape}")
        blocks = []
        for first, stop in spans(n):
            rows = array[first:stop, :stop].copy()
            rows[:, first:] = mirrored(rows[:, first:])
            if peak(rows) >= WORD_LIMIT:
                raise ValueError("entries must be below 2^62 in magnitude")
            blocks.append(_slices(balanced([rows], _STORE_BITS)))
        return cls(n, _STORE_BITS, tuple(blocks))

    @classmethod
    def _from_bytes(cls, n: int, width: int, data: bytes) -> Self:
        blocks = []
        for (first, _), planes in zip(spans(n), _read(n, width, data, _STORE_BITS), strict=True):
            for plane in planes:
                plane[:, first:] = mirrored(plane[:, first:])
            blocks.append(_slices(planes))
        return cls(n, _STORE_BITS, tuple(blocks))

    def entry(self, i: int, j: int) -> int:
        """A_ij, for 0 <= i, j < n."""
        block, row = divmod(max(i, j), _ROWS)
        digits = (int(part.values[row, min(i, j)]) for part in self.blocks[block])
        return sum(digit << (self.bits * t) for t, digit in enumerate(digits))

    def diagonal(self) -> list[int]:
        """The n diagonal entries."""
        found: list[int] = []
        for (first, _), block in zip(spans(self.n), self.blocks, strict=True):
            found += python_ints([part.values[:, first:].diagonal() for part in block], self.bits).tolist()
        return found

    def lower(self) -> Iterator[int]:
        """The n(n+1)/2 entries of the row-major lower triangle."""
        for (first, _), block in zip(spans(self.n), self.blocks, strict=True):
            values = python_ints([part.values for part in block], self.bits)
            for i, row in enumerate(values, first):
                yield from row[: i + 1]

    def high_low(self, size: int) -> Iterator[tuple[int, Floats, Floats]]:
        """For runs of rows [first, stop), in order, of up to `size` entries (or one row): first and float64 hi, lo.

        Their shape is (stop - first, stop), |A_ij - (hi + lo)| <= 2^-100 |A_ij| and hi = fl(hi + lo).  So hi is
        within 2^-53 (1 + 2^-40) |A_ij| of A_ij and an integer of at most 53 bits is hi, lo = 0.
        ValueError when an entry, rounded to float64, is above 2^900 in magnitude, or digits have fewer than 6 bits.
        """
        if self.bits < 6:
            raise ValueError("digits of fewer than 6 bits are not added in float64")
        for (begin, end), block in zip(spans(self.n), self.blocks, strict=True):
            if self.bits * (len(block) - 1) > 902:  # the largest entry is above 2^901
                raise ValueError("entries must not exceed 2^900 in magnitude")
            count = max(1, size // end)
            for first in range(begin, end, count):
                stop = min(first + count, end)
                total = error = np.zeros((stop - first, stop))
                for t, part in enumerate(block):
                    digits = part.values[first - begin : stop - begin, :stop].astype(np.float64)
                    total, rest = _two_sum(total, digits * np.ldexp(1.0, self.bits * t))
                    error = error + rest
                high, low = _two_sum(total, error)
                if np.abs(high).max() > 2.0**900:
                    raise ValueError("entries must not exceed 2^900 in magnitude")
                yield first, high, low


@dataclass(frozen=True, slots=True)
class Triangular:
    """Lower-triangular n x n integer matrix: float64 digit slices of weight 2^(bits t), by row blocks.

    In the block of rows [first, stop) the slices have shape (stop - first, stop), zero above the diagonal.
    """

    n: int
    bits: int
    blocks: tuple[Stack, ...]

    @classmethod
    def from_bytes(cls, n: int, width: int, data: bytes) -> Self:
        """Read the row-major lower triangle, `width` little-endian two's-complement bytes an entry."""
        check_length("a packed triangle", len(data), width * (n * (n + 1) // 2))
        bits = slice_bits(n)
        return cls(n, bits, tuple(map(stack, _read(n, width, data, bits))))


class Words:
    """An array of integers sum_k words[k] 2^(bits k), int64 words with a checked bound on each."""

    def __init__(self, bits: int, shape: tuple[int, int]) -> None:
        self.bits, self.shape = bits, shape
        self.words: list[Ints] = []
        self.bounds: list[int] = []

    def add(self, part: Slice, factor: int, position: int) -> None:
        """Add part * factor * 2^position; OverflowError if a word could reach 2^62."""
        k, offset = divmod(position, self.bits)
        while len(self.words) <= k:
            self.words.append(np.zeros(self.shape, np.int64))
            self.bounds.append(0)
        factor <<= offset
        self.bounds[k] += part.peak * abs(factor)
        if max(self.bounds[k], abs(factor)) >= WORD_LIMIT:
            raise OverflowError("a word of the accumulator could reach 2^62")
        self.words[k] += part.values if factor == 1 else part.values * factor

    def add_slices(self, parts: tuple[Slice, ...], bits: int, sign: int, position: int) -> None:
        """Add sign * 2^position * sum_t parts[t] 2^(bits t)."""
        for t, part in enumerate(parts):
            self.add(part, sign, position + bits * t)

    def add_product(self, left: Stack, right: Stack, sign: int, position: int) -> None:
        """Add sign * 2^position * L R^T, L and R of slices of the same width: all their products in one call."""
        length = left.values.shape[2]
        bounds = [[length * x * y for y in right.peaks] for x in left.peaks]
        if max(map(max, bounds)) > _FLOAT_EXACT:
            raise OverflowError("a product of slices could exceed 2^53")
        product = left.values.reshape(-1, length) @ right.values.reshape(-1, length).T
        products = product.astype(np.int64).reshape(len(bounds), -1, len(bounds[0]), self.shape[1])
        for p, row in enumerate(bounds):
            for q, bound in enumerate(row):
                self.add(Slice(products[p, :, q], bound), sign, position + self.bits * (p + q))

    def absolute(self) -> list[Ints]:
        """Consume the words; return non-negative ones, at most 2^bits, of the absolute values."""
        words, mask = self.words, (1 << self.bits) - 1
        k = 0
        while k < len(words) - 1 or peak(words[k]) > mask:
            if k == len(words) - 1:
                words.append(np.zeros(self.shape, np.int64))
            words[k + 1] += words[k] >> self.bits
            words[k] &= mask
            k += 1
        negative = words[-1] >> 63  # -1 where the value is negative: there |x| = ~x + 1, digit by digit
        flip = negative & mask
        for word in words[:-1]:
            word ^= flip
        words[-1] ^= negative
        words[0] -= negative
        return words


def gram(inputs: Floats, exponent: int) -> Symmetric:
    """Exact N N^T (r x r) for the integer matrix N = inputs * 2^-exponent, inputs of shape (r, c).

    ValueError when an entry is not finite or not an integer after scaling.  Inputs whose range needs
    more than 24 slices are passed to the pure-integer implementation: slow, and exact too.
    """
    if not np.isfinite(inputs).all():
        raise ValueError("inputs must be finite")
    spend(len(inputs) ** 2 * (256 + inputs.shape[1] // 8))
    rows, columns = inputs.shape
    bits = slice_bits(4 * columns)  # four products of slices fit float64 together
    planes = _float_planes(inputs, exponent, bits)
    if planes is not None and len(planes) > 4:
        bits = slice_bits(_MAX_GRAM_SLICES * columns)
        planes = _float_planes(inputs, exponent, bits)
    if planes is None:
        return Symmetric.from_lower(rows, exact.gram(inputs, exponent).lower())
    upward, downward = np.concatenate(planes, axis=1), np.concatenate(planes[::-1], axis=1)
    peaks, count = [peak(plane) for plane in planes], len(planes)
    blocks = []
    for first, stop in spans(rows):
        words = []
        for weight in range(2 * count - 1):  # all slices p and weight - p side by side
            low, high = max(0, weight - count + 1), min(weight + 1, count)
            bound = columns * sum(peaks[p] * peaks[weight - p] for p in range(low, high))
            if bound > _FLOAT_EXACT:
                raise OverflowError("a product of slices could exceed 2^53")
            left, right = (slice(columns * (low + k), columns * (high + k)) for k in (0, count - 1 - weight))
            words.append((upward[first:stop, left] @ downward[:stop, right].T).astype(np.int64))
        blocks.append(_slices(balanced(words, bits)))
    return Symmetric(rows, bits, tuple(blocks))


def residual_norm(matrix: Symmetric, shift: int, sign: int, e: int, witness: Triangular, f: int) -> int:
    """Exact max_i sum_j |2^e sign (A_ij - shift [i=j]) - 2^f (W W^T)_ij|; ValueError unless the orders agree.

    Never a bound, always the exact value.  OverflowError if a run-time exactness check fails.
    """
    check_length("the witness", witness.n, matrix.n)
    n, bits = matrix.n, witness.bits
    if n << bits >= WORD_LIMIT:
        raise OverflowError("a sum of digits could reach 2^62")
    # The blocks are those of sign 2^(lift+e-f) (A - shift I) - 2^lift W W^T: both powers are integers.
    lift = bits * -(-max(f - e, 0) // bits)
    totals: list[Ints] = []
    ranges = spans(n)
    for i, (first, stop) in enumerate(ranges):
        for j, (begin, end) in enumerate(ranges[: i + 1]):
            words = Words(bits, (stop - first, end - begin))
            left = witness.blocks[i]
            words.add_product(Stack(left.values[:, :, :end], left.peaks), witness.blocks[j], -1, lift)
            parts = tuple(Slice(part.values[:, begin:end], part.peak) for part in matrix.blocks[i])
            words.add_slices(parts, matrix.bits, sign, lift + e - f)
            if i == j:
                words.add_slices(_scalar(shift, stop - first), _STORE_BITS, -sign, lift + e - f)
            for k, digits in enumerate(words.absolute()):
                if k == len(totals):
                    totals.append(np.zeros(n, np.int64))
                totals[k][first:stop] += digits.sum(axis=1)
                if i != j:
                    totals[k][begin:end] += digits.sum(axis=0)
    norm, remainder = divmod(int(max(python_ints(totals, bits))) << f, 1 << lift)
    if remainder:
        raise ArithmeticError("the scaled norm is not an integer")
    return norm


def quadratic_form(matrix: Symmetric, v: list[int]) -> int:
    """v^T A v exactly; ValueError unless v has n entries."""
    check_length("v", len(v), matrix.n)
    bits = min(_STORE_BITS, 62 - matrix.bits - matrix.n.bit_length())
    width, data = _packed(v)
    total = 0
    for t, digits in enumerate(_slices(unpack(data, width, bits))):
        for (first, stop), block in zip(spans(matrix.n), matrix.blocks, strict=True):
            doubled = digits.values[:stop] * np.where(np.arange(stop) < first, 2, 1)
            for s, part in enumerate(block):
                if 2 * stop * part.peak * digits.peak >= WORD_LIMIT:
                    raise OverflowError("a sum of products could reach 2^62")
                partial = (part.values @ doubled).tolist()
                total += sum(map(int.__mul__, partial, v[first:stop])) << (matrix.bits * s + bits * t)
    return total


def spans(n: int) -> list[tuple[int, int]]:
    """The row blocks [first, stop) of a matrix of n rows."""
    return [(first, min(first + _ROWS, n)) for first in range(0, n, _ROWS)]


def slice_bits(length: int) -> int:
    """The largest width b with length * (2^(b-1))^2 <= 2^53, length rounded up to a power of two."""
    return (53 - (length - 1).bit_length()) // 2 + 1


def mirrored(square: Ints) -> Ints:
    """The symmetric matrix with the lower triangle of a square array."""
    lower = np.tril(square, -1)
    lower += lower.T
    np.fill_diagonal(lower, square.diagonal())
    return lower


def peak(values: NDArray[Any]) -> int:
    """The exact largest magnitude of an integer-valued array (non-empty)."""
    return max(int(values.max()), -int(values.min()))


def _slices(planes: Iterable[NDArray[Any]]) -> tuple[Slice, ...]:
    """The planes made read-only, with their peaks."""
    planes = list(planes)
    for plane in planes:
        plane.flags.writeable = False
    return tuple(Slice(plane, peak(plane)) for plane in planes)


def stack(planes: Iterable[NDArray[Any]]) -> Stack:
    """The planes as one read-only float64 array, with their peaks."""
    values = np.array(list(planes), np.float64)
    values.flags.writeable = False
    return Stack(values, tuple(map(peak, values)))


def python_ints(planes: list[Ints], bits: int) -> NDArray[np.object_]:
    """The integers sum_t planes[t] 2^(bits t) as an array of Python ints."""
    total = np.zeros(planes[0].shape, object)
    for plane in reversed(planes):
        total = (total << bits) + plane.astype(object)
    return total


def _two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Knuth's error-free sum: (s, r) with s = fl(a + b) and s + r = a + b (no overflow)."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def _scalar(value: int, n: int) -> tuple[Slice, ...]:
    """The n x n matrix value * I in slices of `_STORE_BITS` bits."""
    width, data = _packed([value])
    digits = unpack(data, width, _STORE_BITS)
    return _slices([np.eye(n, dtype=np.int64) * digit for digit in digits])


def _read(n: int, width: int, data: bytes, bits: int) -> Iterator[list[Ints]]:
    """For every row block the int64 digit planes of a packed lower triangle, zero above the diagonal."""
    for first, stop in spans(n):
        chunk = data[width * (first * (first + 1) // 2) : width * (stop * (stop + 1) // 2)]
        mask = np.tri(stop - first, stop, first, dtype=bool)
        planes = []
        for digits in unpack(chunk, width, bits):
            plane = np.zeros(mask.shape, np.int64)
            plane[mask] = digits
            planes.append(plane)
        yield planes


def _packed(values: list[int]) -> tuple[int, bytes]:
    """A byte width that fits all the integers, and their little-endian two's-complement bytes."""
    width = max(map(int.bit_length, values)) // 8 + 1
    if width <= 8:
        return 8, np.array(values, "<i8").tobytes()
    return width, b"".join([x.to_bytes(width, "little", signed=True) for x in values])


def unpack(data: bytes, width: int, bits: int) -> list[Ints]:
    """Balanced digits of little-endian two's-complement integers of `width` bytes.

    A digit is read through an 8-byte window; the padding keeps the windows of the ends in the buffer.
    """
    padded = bytes(8) + data + bytes(8)

    def window(byte: int) -> Ints:
        return np.ndarray((len(data) // width,), "<i8", padded, 8 + byte, (width,))

    top = (8 * width - 1) // bits  # digits below lie inside the integer, this one ends with its sign bit
    planes = [(window(t * bits // 8) >> (t * bits % 8)) & ((1 << bits) - 1) for t in range(top)]
    planes.append(window(width - 8) >> (top * bits - 8 * (width - 8)))
    return balanced(planes, bits)


def balanced(words: list[Ints], bits: int) -> list[Ints]:
    """Carry words below 2^62 into digits in [-half, half), the top one in [-half, half], as few as fit."""
    if not 2 <= bits <= _STORE_BITS:
        raise OverflowError(f"digits of {bits} bits are not supported")
    half, k = 1 << (bits - 1), 0
    while k < len(words) - 1 or peak(words[k]) > half:
        if k == len(words) - 1:
            words.append(np.zeros_like(words[k]))
        carry = (words[k] + half) >> bits
        words[k] -= carry << bits
        words[k + 1] += carry
        k += 1
    while len(words) > 1 and peak(folded := words[-2] + (words[-1] << bits)) <= half:
        words[-2:] = [folded]
    return words


def _float_planes(inputs: Floats, exponent: int, bits: int) -> list[Floats] | None:
    """Balanced digit planes of inputs * 2^-exponent, or None when too many would be needed.

    ValueError if an entry is not an integer after scaling.
    """
    if abs(exponent) > 2000:
        return None
    with np.errstate(over="ignore", under="ignore"):
        rest = np.ldexp(inputs, -exponent)
        if (np.ldexp(rest, exponent) != inputs).any():  # the scaling overflowed or lost bits
            return None
    if (np.rint(rest) != rest).any():
        raise ValueError(f"inputs * 2^{-exponent} has an entry that is not an integer")
    count = -(-(peak(rest).bit_length() + 1) // bits)
    if count > _MAX_GRAM_SLICES:
        return None
    planes = []
    for t in reversed(range(count)):
        planes.append(np.rint(np.ldexp(rest, -bits * t)))
        rest = rest - np.ldexp(planes[-1], bits * t)
    if rest.any():
        raise OverflowError("slicing the inputs left a remainder")
    return planes[::-1]


def require_ieee() -> None:
    """Raise ValueError unless sums round to nearest, ties to even, and underflow is gradual, on this thread."""
    one = np.ones(4)
    sums = one + np.array([1.0, 3.0, -0.5, -1.5]) * 2.0**-53
    expected = [1.0, 1 + 2.0**-51, 1.0, 1 - 2.0**-52]
    smallest = np.array([2.0**-1074])
    if sums.tolist() != expected or not (smallest * 1.0 + smallest > smallest)[0]:
        raise ValueError("the processor does not round to nearest with gradual underflow")

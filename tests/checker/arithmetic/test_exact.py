"""Exact products: both implementations against triple loops, FLINT matrices and closed forms."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkproof.checker.arithmetic import exact, exact_products, slices

BOTH = pytest.mark.parametrize("impl", [exact, slices], ids=["exact", "slices"])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small row blocks, so that small matrices have many of them."""
    set_blocks(monkeypatch, 7)


@pytest.fixture
def _real_blocks(_small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_blocks(monkeypatch, 256)


def set_blocks(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(slices, "_ROWS", rows)
    monkeypatch.setattr(exact_products, "_SLOTS", rows)


def pack(values: list[int], width: int) -> bytes:
    return b"".join(x.to_bytes(width, "little", signed=True) for x in values)


def at(packed: list[int], i: int, j: int) -> int:
    i, j = max(i, j), min(i, j)
    return packed[i * (i + 1) // 2 + j]


def square(n: int, packed: list[int], symmetric: bool) -> list[list[int]]:
    return [[at(packed, i, j) if symmetric or j <= i else 0 for j in range(n)] for i in range(n)]


def naive_norm(n: int, a: list[int], shift: int, sign: int, e: int, w: list[int], f: int) -> int:
    rows = []
    for i in range(n):
        total = 0
        for j in range(n):
            product = 0
            for k in range(min(i, j) + 1):
                product += at(w, i, k) * at(w, j, k)
            total += abs(2**e * sign * (at(a, i, j) - shift * (i == j)) - 2**f * product)
        rows.append(total)
    return max(rows)


def flint_norm(n: int, a: list[int], shift: int, sign: int, e: int, w: list[int], f: int) -> int:
    witness = fmpz_mat(square(n, w, False))
    identity = fmpz_mat([[int(i == j) for j in range(n)] for i in range(n)])
    difference = 2**e * sign * (fmpz_mat(square(n, a, True)) - shift * identity)
    difference -= 2**f * (witness * witness.transpose())
    return max(sum(abs(int(x)) for x in row) for row in difference.tolist())


def norm(impl: Any, n: int, a: list[int], shift: int, sign: int, e: int, w: list[int], f: int) -> int:
    width = max((x ^ -(x < 0)).bit_length() for x in w) // 8 + 1
    matrix = impl.Symmetric.from_lower(n, a)
    witness = impl.Triangular.from_bytes(n, width, pack(w, width))
    result = impl.residual_norm(matrix, shift, sign, e, witness, f)
    assert type(result) is int
    return result


def extreme(bits: int) -> st.SearchStrategy[int]:
    """Integers of `bits` bits in two's complement, with its boundaries and those of the digits."""
    edges = [s * (1 << k) + d for k in range(bits - 1) for s in (1, -1) for d in (-1, 0, 1)]
    edges += [-(1 << (bits - 1)), (1 << (bits - 1)) - 1]
    inside = [x for x in edges if -(1 << (bits - 1)) <= x < 1 << (bits - 1)]
    return st.sampled_from(inside) | st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


@st.composite
def problems(draw: st.DrawFn, largest: int = 12) -> tuple[Any, ...]:
    n = draw(st.integers(1, largest))
    count = n * (n + 1) // 2
    a_bits, w_bits = draw(st.integers(1, 450)), draw(st.integers(1, 210))
    a = draw(st.lists(extreme(a_bits), min_size=count, max_size=count))
    w = draw(st.lists(extreme(w_bits), min_size=count, max_size=count))
    e, f = draw(st.integers(0, 90)), draw(st.integers(0, 90))
    return n, a, draw(extreme(draw(st.integers(1, 200)))), draw(st.sampled_from([1, -1])), e, w, f


@given(problems())
@settings(max_examples=150, deadline=None)
def test_residual_norm_is_the_triple_loop(problem: tuple[Any, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        set_blocks(patch, 5)
        expected = naive_norm(*problem)
        assert norm(exact, *problem) == expected
        assert norm(slices, *problem) == expected


@given(st.integers(1, 40), st.integers(1, 450), st.integers(1, 210), st.integers(), st.data())
@settings(max_examples=60, deadline=None)
def test_residual_norm_is_the_flint_norm(n: int, a_bits: int, w_bits: int, seed: int, data: st.DataObject) -> None:
    rng = random.Random(seed)
    a = random_packed(rng, n, a_bits)
    w = random_packed(rng, n, w_bits)
    e, f = data.draw(st.integers(0, 400)), data.draw(st.integers(0, 400))
    problem = (n, a, rng.randrange(-(2**a_bits), 2**a_bits), rng.choice([1, -1]), e, w, f)
    with pytest.MonkeyPatch.context() as patch:
        set_blocks(patch, data.draw(st.integers(1, 41)))
        expected = flint_norm(*problem)
        assert norm(exact, *problem) == expected
        assert norm(slices, *problem) == expected


def random_packed(rng: random.Random, n: int, bits: int) -> list[int]:
    return [rng.randrange(-(1 << (bits - 1)), 1 << (bits - 1)) for _ in range(n * (n + 1) // 2)]


@BOTH
@pytest.mark.parametrize("bits", [8, 16, 21, 22, 23, 24, 26, 27, 28, 44, 64, 65, 72, 128, 200, 1024])
@pytest.mark.parametrize("edge", ["minimum", "maximum", "alternating", "signs"])
def test_extreme_witnesses(impl: Any, bits: int, edge: str) -> None:
    n, low, high = 16, -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    count = n * (n + 1) // 2
    choices = {
        "minimum": [low],
        "maximum": [high],
        "alternating": [low, high],
        "signs": [low, 0, high, -1, 1],
    }
    w = [choices[edge][k % len(choices[edge])] for k in range(count)]
    a = [choices[edge][(k + 1) % len(choices[edge])] for k in range(count)]
    for e, f in ((0, 0), (bits, 0), (3, 40)):
        problem = (n, a, high, -1, e, w, f)
        assert norm(impl, *problem) == flint_norm(*problem)


@BOTH
@pytest.mark.parametrize("error", [0, 1, -1])
def test_an_exact_factor_leaves_exactly_the_error(impl: Any, error: int) -> None:
    """The case the proofs live on: A - lI = W W^T almost, with total cancellation."""
    rng, n = random.Random(5), 30
    w = random_packed(rng, n, 60)
    product = fmpz_mat(square(n, w, False))
    product = (product * product.transpose()).tolist()
    a = [int(product[i][j]) for i in range(n) for j in range(i + 1)]
    a[20] += error  # entry (5, 5)
    a[17] -= 2 * error  # entry (5, 2)
    assert norm(impl, n, a, 0, 1, 0, w, 0) == 3 * abs(error)
    assert norm(impl, n, a, 0, 1, 33, w, 33) == 3 * abs(error) << 33
    shifted = [x + (2**70 if at_diagonal(k) else 0) for k, x in enumerate(a)]
    assert norm(impl, n, shifted, 2**70, 1, 0, w, 0) == 3 * abs(error)


def at_diagonal(k: int) -> bool:
    return k in {i * (i + 3) // 2 for i in range(k + 1)}


@pytest.mark.usefixtures("_real_blocks")
@pytest.mark.parametrize(("top", "planes"), [(-(1 << 21), 1), (-(1 << 21), 2), (1 << 21, 1), ((1 << 21) - 1, 1)])
def test_products_that_reach_two_to_the_53(top: int, planes: int) -> None:
    """n = 2048 gives 22-bit slices, and a product of constant slices +-2^21 sums to 2048 * 2^42 = 2^53."""
    n, value = 2048, sum(top << (22 * t) for t in range(planes))
    witness = slices.Triangular.from_bytes(n, 6, value.to_bytes(6, "little", signed=True) * (n * (n + 1) // 2))
    if top != (1 << 21) - 1:
        assert witness.bits == 22
        assert max(witness.blocks[-1].peaks) == 1 << 21
    matrix = slices.Symmetric.from_int64(np.zeros((n, n), np.int64))
    last_row = sum(range(1, n + 1)) * value * value  # (W W^T)_ij = (min(i, j) + 1) value^2
    assert slices.residual_norm(matrix, 0, 1, 0, witness, 0) == last_row
    assert slices.residual_norm(matrix, 1, -1, 0, witness, 0) == last_row - 1


@pytest.mark.usefixtures("_real_blocks")
@BOTH
def test_agreement_with_flint_at_real_block_sizes(impl: Any) -> None:
    rng, n = random.Random(7), 300
    problem = (n, random_packed(rng, n, 60), 12345678901234567, -1, 27, random_packed(rng, n, 44), 0)
    assert norm(impl, *problem) == flint_norm(*problem)


@pytest.mark.usefixtures("_real_blocks")
@pytest.mark.parametrize("sizes", [(60, 44), (44, 43), (400, 200), (100, 20)])
def test_both_agree_on_random_matrices(sizes: tuple[int, int]) -> None:
    rng, n = random.Random(9), 200
    a, w = random_packed(rng, n, sizes[0]), random_packed(rng, n, sizes[1])
    problem = (n, a, rng.randrange(1 << sizes[0]), 1, 2 * sizes[1], w, sizes[0])
    assert norm(exact, *problem) == norm(slices, *problem)
    v = [rng.randrange(-(1 << 70), 1 << 70) for _ in range(n)]
    forms = {impl.quadratic_form(impl.Symmetric.from_lower(n, a), v) for impl in (exact, slices)}
    assert len(forms) == 1


@BOTH
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_storage_and_quadratic_form(impl: Any, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 20))
    count = n * (n + 1) // 2
    a = data.draw(st.lists(extreme(data.draw(st.integers(1, 500))), min_size=count, max_size=count))
    v = data.draw(st.lists(extreme(data.draw(st.integers(1, 300))), min_size=n, max_size=n))
    with pytest.MonkeyPatch.context() as patch:
        set_blocks(patch, 6)
        matrix = impl.Symmetric.from_lower(n, iter(a))
        assert matrix.n == n
        assert list(matrix.lower()) == a
        assert [[matrix.entry(i, j) for j in range(n)] for i in range(n)] == square(n, a, True)
        assert {type(x) for x in [*matrix.lower()]} == {int}
        expected = sum(v[i] * at(a, i, j) * v[j] for i in range(n) for j in range(n))
        assert impl.quadratic_form(matrix, v) == expected


def check_gram(impl: Any, integers: list[list[int]], exponent: int) -> None:
    inputs = np.array([[float(Fraction(x) * Fraction(2) ** exponent) for x in row] for row in integers])
    result = impl.gram(inputs, exponent)
    expected = fmpz_mat(integers) * fmpz_mat(integers).transpose()
    n = len(integers)
    assert result.n == n
    assert list(result.lower()) == [int(expected[i, j]) for i in range(n) for j in range(i + 1)]
    v = [(-3) ** i for i in range(n)]
    form = sum(v[i] * int(expected[i, j]) * v[j] for i in range(n) for j in range(n))
    assert impl.quadratic_form(result, v) == form


@BOTH
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_gram(impl: Any, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    scale = st.sampled_from([0, 0, 1, 30, 200, 500])
    entry = st.builds(lambda m, k: m << k, extreme(54), scale)
    row = st.lists(entry, min_size=columns, max_size=columns)
    with pytest.MonkeyPatch.context() as patch:
        set_blocks(patch, 6)
        integers = data.draw(st.lists(row, min_size=rows, max_size=rows))
        check_gram(impl, integers, data.draw(st.sampled_from([-500, -60, 0, 60, 400])))


@BOTH
@pytest.mark.parametrize("shape", [(3, 2000), (40, 3), (1, 1), (5, 70000)])
def test_gram_of_the_largest_mantissas(impl: Any, shape: tuple[int, int]) -> None:
    """Many columns make narrow slices; the matrix keeps that width and must still serve everything."""
    check_gram(impl, [[(-1) ** i * (2**53 - 1)] * shape[1] for i in range(shape[0])], -30)


@BOTH
def test_gram_of_the_whole_float_range(impl: Any) -> None:
    inputs = np.array([[5e-324, 1.7976931348623157e308], [-1e-300, 1e300], [0.0, -0.0]])
    numbers = [[int(Fraction(x) * 2**1074) for x in row] for row in inputs.tolist()]
    assert list(impl.gram(inputs, -1074).lower()) == [
        sum(x * y for x, y in zip(numbers[i], numbers[j], strict=True)) for i in range(3) for j in range(i + 1)
    ]


@BOTH
@pytest.mark.parametrize(
    ("inputs", "exponent"),
    [
        (np.array([[1.5]]), 0),
        (np.array([[1.0, 2.0]]), 1),
        (np.array([[0.1]]), -54),
        (np.array([[5e-324]]), -1073),
        (np.array([[5e-324]]), 3),
        (np.array([[1e300]]), 3000),
        (np.array([[np.nan]]), 0),
        (np.array([[1.0, np.inf]]), 0),
    ],
)
def test_gram_refuses(impl: Any, inputs: Any, exponent: Any) -> None:
    with pytest.raises((ValueError, OverflowError), match=r"^[^\n]+$"):
        impl.gram(inputs, exponent)


def test_gram_takes_non_contiguous_inputs() -> None:
    inputs = np.arange(60.0).reshape(6, 10)[::2, ::-3]
    for view in (inputs, inputs.T):
        assert list(slices.gram(view, 0).lower()) == list(exact.gram(view, 0).lower())


@BOTH
@pytest.mark.parametrize(
    ("n", "width", "data"),
    [
        (2, 1, b"ab"),
        (2, 1, b"abcd"),
        (1, 2, b"a"),
        (0, 1, b""),
        (-1, 1, b""),
        (1, 0, b""),
    ],
)
def test_triangular_refuses(impl: Any, n: Any, width: Any, data: Any) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        impl.Triangular.from_bytes(n, width, data)


@BOTH
@pytest.mark.parametrize(
    ("n", "packed"),
    [(2, [1, 2]), (2, [1] * 4), (0, [])],
)
def test_symmetric_refuses(impl: Any, n: Any, packed: Any) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        impl.Symmetric.from_lower(n, packed)


@BOTH
def test_residual_norm_refuses(impl: Any) -> None:
    witness = impl.Triangular.from_bytes(3, 1, bytes(6))
    with pytest.raises(ValueError, match=r"^the witness has the length 3 where 2 is needed$"):
        impl.residual_norm(impl.Symmetric.from_lower(2, [1, 2, 3]), 0, 1, 0, witness, 0)


@BOTH
@pytest.mark.parametrize("v", [[1], [1, 2, 3]])
def test_quadratic_form_refuses(impl: Any, v: Any) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        impl.quadratic_form(impl.Symmetric.from_lower(2, [1, 2, 3]), v)


@BOTH
def test_widest_witness(impl: Any) -> None:
    problem = (3, [1, -1, 5, 0, 7, 9], 3, 1, 0, [-(1 << 4095), (1 << 4095) - 1, 0, 1, -(1 << 4095), -1], 2)
    assert norm(impl, *problem) == flint_norm(*problem)


@BOTH
def test_largest_exponents(impl: Any) -> None:
    top = 1 << 14
    assert norm(impl, 2, [3, 1, -7], 5, -1, top, [1, -1, 1], 0) == flint_norm(2, [3, 1, -7], 5, -1, top, [1, -1, 1], 0)
    assert norm(impl, 2, [3, 1, -7], 5, -1, 0, [1, -1, 1], top) == flint_norm(2, [3, 1, -7], 5, -1, 0, [1, -1, 1], top)


def test_from_int64_reads_the_lower_triangle() -> None:
    rng = np.random.default_rng(1)
    array = rng.integers(-(1 << 62) + 1, 1 << 62, (20, 20))
    array[0, 1] = np.iinfo(np.int64).min  # above the diagonal, not read
    packed = [int(array[i, j]) for i in range(20) for j in range(i + 1)]
    assert list(slices.Symmetric.from_int64(array).lower()) == packed
    assert list(slices.Symmetric.from_int64(np.asfortranarray(array)).lower()) == packed


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), np.int64),
        np.zeros((0, 0), np.int64),
        np.zeros(4, np.int64),
        np.zeros((2, 2)),
        np.zeros((2, 2), np.int32),
        np.array([[1 << 62]]),
        np.array([[-(1 << 62)]]),
        np.array([[-(1 << 63)]]),
        [[1]],
    ],
)
def test_from_int64_refuses(array: Any) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        slices.Symmetric.from_int64(array)


def high_low(matrix: slices.Symmetric, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The lower triangles, from the runs of rows, mirrored."""
    high, low, done = np.zeros((matrix.n, matrix.n)), np.zeros((matrix.n, matrix.n)), 0
    for first, hi, lo in matrix.high_low(size):
        stop = first + len(hi)
        assert first == done
        assert hi.shape == lo.shape == (stop - first, stop)
        assert stop == first + 1 or hi.size <= size
        high[first:stop, :stop], low[first:stop, :stop], done = hi, lo, stop
        high[:stop, first:stop], low[:stop, first:stop] = hi.T, lo.T
    assert done == matrix.n
    return high, low


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_high_low(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 10))
    count = n * (n + 1) // 2
    entry = extreme(900) if data.draw(st.booleans()) else extreme(data.draw(st.integers(1, 200)))
    a = data.draw(st.lists(entry, min_size=count, max_size=count))
    with pytest.MonkeyPatch.context() as patch:
        set_blocks(patch, 4)
        high, low = high_low(slices.Symmetric.from_lower(n, a), data.draw(st.integers(1, 50)))
    for i in range(n):
        for j in range(n):
            x, hi, lo = at(a, i, j), int(high[i, j]), int(low[i, j])
            assert abs(x - hi - lo) << 100 <= abs(x)
            assert abs(x - hi) << 52 <= abs(x)
            assert high[i, j] + low[i, j] == high[i, j]
            if abs(x) <= 1 << 53:
                assert (hi, lo) == (x, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_high_low_range(sign: int) -> None:
    high, low = high_low(slices.Symmetric.from_lower(2, [0, sign << 900, 7]), 9)
    assert high.tolist() == [[0.0, sign * 2.0**900], [sign * 2.0**900, 7.0]]
    assert not low.any()
    for value in ((1 << 900) + (1 << 850), 1 << 901, 1 << 2000):
        with pytest.raises(ValueError, match="2\\^900"):
            list(slices.Symmetric.from_lower(2, [0, sign * value, 7]).high_low(9))


def test_matrices_are_immutable() -> None:
    matrix = slices.Symmetric.from_lower(2, [1, 2, 3])
    witness = slices.Triangular.from_bytes(2, 1, b"abc")
    for block in (*matrix.blocks, witness.blocks, *slices.gram(np.eye(3), 0).blocks):
        for part in block:
            with pytest.raises(ValueError, match="read-only"):
                part.values[0] = 1
    with pytest.raises(AttributeError):
        matrix.n = 3  # type: ignore[misc]


def test_slices_that_are_too_wide_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "slice_bits", lambda length: 28)
    with pytest.raises(OverflowError, match=r"2\^53"):
        norm(slices, 7, [0] * 28, 0, 1, 0, [-(1 << 27)] * 28, 0)
    with pytest.raises(OverflowError, match=r"2\^53"):
        slices.gram(np.full((2, 7), -float(1 << 27)), 0)


def test_the_limit_of_products_is_two_to_the_53() -> None:
    part, above = (slices.Stack(np.full((1, 1, 2), float(x)), (x,)) for x in (1 << 26, (1 << 26) + 1))
    words = slices.Words(27, (1, 1))
    words.add_product(part, part, 1, 0)
    assert words.words[0].tolist() == [[1 << 53]]
    with pytest.raises(OverflowError, match=r"2\^53"):
        words.add_product(part, above, 1, 0)


def test_words_that_could_overflow_are_refused() -> None:
    words = slices.Words(20, (1, 1))
    part = slices.Slice(np.array([[1 << 52]]), 1 << 52)
    for _ in range(1023):
        words.add(part, 1, 0)
    with pytest.raises(OverflowError, match=r"2\^62"):
        words.add(part, -1, 0)
    assert words.words[0][0, 0] == 1023 << 52


@pytest.mark.parametrize("bits", [1, 31, 57])
def test_unsupported_digit_widths_are_refused(bits: int) -> None:
    with pytest.raises(OverflowError, match="digits"):
        slices.unpack(bytes(16), 8, bits)


def test_the_slot_is_wide_enough_at_its_bound() -> None:
    for length, left, right in (
        (1, 127, 1),
        (1, 128, 1),
        (1, 1, 1),
        (3, 2**42, 2**42),
        (255, 1, 1),
        (256, 1, 1),
    ):
        total, half = length * left * right, 1 << (8 * exact_products.slot_bytes(length, left, right) - 1)
        assert total < half
        packed = sum((total if s % 2 else -total) * (2 * half) ** s for s in range(4))
        offset = sum(half * (2 * half) ** s for s in range(4))
        unpacked = exact_products._unpack(packed + offset, exact_products.slot_bytes(length, left, right), 4, 4)
        assert unpacked == [-total, total, -total, total]


@pytest.mark.parametrize("bits", [2, 3, 6, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_carries_of_the_largest_words_fit(bits: int, sign: int) -> None:
    """Words that carry into each other reach 2^62 (2^b)/(2^b - 1): four thirds of 2^62 for digits of two bits."""
    words = [np.full((1, 2), sign * (2**62 - 1)) for _ in range(40)]
    value = sum(sign * (2**62 - 1) << (bits * t) for t in range(40))
    digits = slices.balanced(words, bits)
    assert max(map(slices.peak, digits)) <= 1 << (bits - 1)
    assert slices.python_ints(digits, bits).tolist() == [[value, value]]


def test_high_low_needs_digits_of_six_bits() -> None:
    """Below six bits the sum of the lower digits may exceed the highest: the proof does not hold, so it is refused."""
    plane = np.array([[3]])
    narrow = slices.Symmetric(1, 5, ((slices.Slice(plane, 3),),))
    with pytest.raises(ValueError, match="digits of fewer than 6 bits are not added in float64"):
        list(narrow.high_low(1))
    [(first, high, low)] = slices.Symmetric(1, 6, narrow.blocks).high_low(1)
    assert (first, high.tolist(), low.tolist()) == (0, [[3.0]], [[0.0]])

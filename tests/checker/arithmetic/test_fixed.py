"""Fixed-point operations against exact fractions: every rounding within the stated units, every refusal."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from ntkproof.checker.arithmetic.fixed import Exact
from ntkproof.checker.arithmetic.fixed_slices import Sliced
from ntkproof.checker.arithmetic.protocols import Fixed

ARITHMETICS = (Exact(), Sliced())
arithmetics = pytest.mark.parametrize("numbers", ARITHMETICS, ids=("exact", "sliced"))
UNIT = Fraction(1, 2**100)


def integers(random: Any, bits: int, shape: tuple[int, ...]) -> Any:
    """Integers of up to so many bits; about one in four as large as can be."""
    found = random.integers(-(2**bits) + 1, 2**bits, shape)
    return np.where(random.random(shape) < 0.25, np.sign(found) * (2**bits - 1), found)


def exactly(a: Any) -> list[list[int]]:
    return [[int(x) for x in row] for row in a.tolist()]


def farthest(found: Any, exact: Any, shift: int) -> Fraction:
    pairs = zip(exactly(found), exactly(exact), strict=True)
    return max(abs(x - Fraction(y, 2**shift)) for row, other in pairs for x, y in zip(row, other, strict=True))


# Quantising -----------------------------------------------------------------------------------------------------

FLOATS = [
    [0.0, -0.0, 1.0, -1.0, 0.1, -1 / 3],
    [5e-324, -5e-324, 1e-310, 2.2250738585072014e-308, 1e-300, -1e-12],
    [2.0**-41, -(2.0**-41), 3 * 2.0**-42, 1000.0, -999.9999999, 123.456],
]


@arithmetics
@pytest.mark.parametrize("factor", [Fraction(1), Fraction(1, 3), Fraction(10**17 + 1, 10**17), Fraction(1, 10**9)])
@pytest.mark.parametrize("p", [0, 7, 40])
def test_quantised_numbers_are_within_a_unit(numbers: Fixed, factor: Fraction, p: int) -> None:
    found = numbers.quantise(np.array(FLOATS), factor, p)
    for row, values in zip(exactly(found), FLOATS, strict=True):
        for x, value in zip(row, values, strict=True):
            for s in (factor, factor * (1 + UNIT), factor * (1 - UNIT)):
                assert abs(x - Fraction(value) * s * 2**p) <= 1


@arithmetics
def test_large_numbers_are_quantised_up_to_the_limit(numbers: Fixed) -> None:
    random = np.random.default_rng(0)
    values = random.uniform(2.0**48, 2.0**49, (50, 20))
    found = numbers.quantise(values, Fraction(5, 3), 0)
    off = [
        abs(x - Fraction(value) * Fraction(5, 3))
        for row, others in zip(exactly(found), values.tolist(), strict=True)
        for x, value in zip(row, others, strict=True)
    ]
    assert max(off) <= 1


@arithmetics
@pytest.mark.parametrize("value", [1025.0, -1025.0, 2.0**53, 1e300, -1e308])
def test_what_is_too_large_is_not_quantised(numbers: Fixed, value: float) -> None:
    with pytest.raises(OverflowError):
        numbers.quantise(np.array([[0.0, value]]), Fraction(1), 40)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_not_quantised(value: float) -> None:
    with pytest.raises(OverflowError):
        Sliced().quantise(np.array([[0.0, value]]), Fraction(1), 40)


# Products -------------------------------------------------------------------------------------------------------

SHAPES = [((4, 5), (4, 5)), ((4, 5), (1, 5)), ((4, 5), (4, 1)), ((1, 1), (1, 1))]


@arithmetics
@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize(
    ("bits", "shift"), [(3, 0), (5, 4), (40, 40), (50, 50), (61, 73), (61, 100), (20, 44), (2, 44)]
)
def test_entries_times_entries(numbers: Fixed, left: Any, right: Any, bits: int, shift: int) -> None:
    random = np.random.default_rng(bits)
    a, b = integers(random, bits, left), integers(random, bits, right)
    found = numbers.times(numbers.integers(a), numbers.integers(b), shift)
    assert farthest(found, a.astype(object) * b.astype(object), shift) <= 1


def test_entries_that_would_not_fit_are_refused() -> None:
    a = np.array([[2**30, 2**45]])
    with pytest.raises(OverflowError):
        Sliced().times(a, a, 30)


@arithmetics
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (5, 1, 2), (3, 40, 3), (2, 1000, 2), (1, 5000, 1)])
@pytest.mark.parametrize("bits", [1, 12, 26, 27, 40, 50, 61])
def test_matrix_products(numbers: Fixed, shape: tuple[int, int, int], bits: int) -> None:
    random = np.random.default_rng(bits)
    n, k, m = shape
    a, b = integers(random, bits, (n, k)), integers(random, bits, (m, k))
    exact = a.astype(object) @ b.T.astype(object)
    size = (k * 4**bits).bit_length()
    for shift in {max(0, size - 55), max(0, size - 40), size, size + 10}:
        found = numbers.product(numbers.integers(a), numbers.integers(b), shift)
        assert farthest(found, exact, shift) <= 3


@arithmetics
def test_matrix_products_that_are_all_positive_or_all_negative(numbers: Fixed) -> None:
    for bits, shift in ((50, 58), (20, 0), (20, 44), (13, 26)):
        a = np.full((2, 64), 2**bits - 1)
        for b in (a, -a):
            found = numbers.product(numbers.integers(a), numbers.integers(b), shift)
            assert farthest(found, a.astype(object) @ b.T.astype(object), shift) <= 3


@pytest.mark.parametrize(("bits", "shift"), [(61, 40), (50, 30), (40, 10), (32, 0)])
def test_matrix_products_that_would_not_fit_are_refused(bits: int, shift: int) -> None:
    a = np.full((2, 8), 2**bits - 1)
    with pytest.raises(OverflowError):
        Sliced().product(a, a, shift)


def test_products_leave_their_factors_alone() -> None:
    a = np.array([[2**40 - 1, -5], [7, 2**33]])
    before = a.copy()
    Sliced().product(a, a, 40)
    Sliced().grams(2).add(a)
    assert (a == before).all()


# Gram matrices --------------------------------------------------------------------------------------------------


@arithmetics
@pytest.mark.parametrize("bits", [1, 20, 40, 50, 61])
def test_gram_matrices_add_up_exactly(numbers: Fixed, bits: int) -> None:
    random = np.random.default_rng(bits)
    sums, exact = numbers.grams(3), np.zeros((3, 3), object)
    for count in (7, *[5] * 70, 1, 7):
        a = integers(random, bits, (3, count))
        sums.add(numbers.integers(a))
        exact += a.astype(object) @ a.T.astype(object)
    assert exactly(sums.total()) == exactly(exact)
    assert exactly(sums.total()) == exactly(exact)
    sums.add(numbers.integers(np.ones((3, 2), np.int64)))
    assert exactly(sums.total()) == exactly(exact + 2)


@arithmetics
def test_many_large_gram_matrices(numbers: Fixed) -> None:
    a = np.full((2, 16), 2**52 + 2**25 + 1)
    sums = numbers.grams(2)
    for _ in range(130):
        sums.add(numbers.integers(a))
    assert exactly(sums.total()) == [[130 * 16 * (2**52 + 2**25 + 1) ** 2] * 2] * 2


@arithmetics
def test_no_gram_matrix_is_zero(numbers: Fixed) -> None:
    assert exactly(numbers.grams(2).total()) == [[0, 0], [0, 0]]


def test_a_wider_matrix_than_the_first_is_exact_or_refused() -> None:
    sums = Sliced().grams(1)
    sums.add(np.array([[2**26]]))
    with pytest.raises(OverflowError):
        sums.add(np.full((1, 1000), 2**26))

"""No digit is printed that is not proved."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkproof.show.digits import Interval, downward, interval, mean, places, significant, square, square_root, upward

fractions = st.fractions(-(10**6), 10**6) | st.floats(-1e30, 1e30).map(Fraction)
intervals = st.tuples(fractions, fractions).map(lambda ends: (min(ends), max(ends)))


def unit(text: str) -> Fraction:
    """One unit of the last digit of a decimal."""
    digits, _, power = text.partition("e")
    return Fraction(10) ** (int(power or 0) - len(digits.partition(".")[2]))


@given(intervals, st.floats(0, 1))
def test_digits_are_proved(x: Interval, share: float) -> None:
    narrow = x[0], x[0] + (x[1] - x[0]) * Fraction(share) ** 20
    for text in (significant(narrow), places(narrow)):
        if text[0] == "≤":
            assert all(abs(end) <= Fraction(text[1:]) for end in narrow)
        elif text != "?":
            assert all(abs(end - Fraction(text)) <= unit(text) for end in narrow)


@pytest.mark.parametrize(
    ("value", "radius", "shown", "fixed"),
    [
        (1.2345678, 0.0, "1.23457", "1.2346"),
        (1.2345678, 0.004, "1.23", "1.23"),
        (1.2345678, 0.7, "1", "1"),
        (1.2345678, 0.9, "?", "?"),
        (1.2345678, 2.0, "≤4", "?"),
        (0.0, 0.0, "0", "0.0000"),
        (1e-20, 1e-9, "≤2e-9", "0.0000"),
        (3.0, inf, "?", "?"),
        (nan, 0.0, "?", "?"),
        (9.99, 0.02, "10", "10.0"),
    ],
)
def test_numbers_and_errors(value: float, radius: float, shown: str, fixed: str) -> None:
    assert (significant(interval(value, radius)), places(interval(value, radius))) == (shown, fixed)


def test_bounds_are_rounded_outward() -> None:
    third = Fraction(1, 3)
    assert (downward(third, 4), upward(third, 4)) == ("0.3333", "0.3334")
    assert (downward(-third, 2), upward(Fraction(96, 10**12), 1)) == ("-0.34", "1e-10")


def test_functions_of_intervals() -> None:
    x = (Fraction(-2), Fraction(1))
    assert square(x) == (0, 4)
    assert square((Fraction(-3), Fraction(-2))) == (4, 9)
    assert mean([x, (Fraction(4), Fraction(5))]) == (1, 3)
    low, high = square_root((Fraction(-1), Fraction(2)))
    assert low == 0
    assert 2 <= high**2 < 2 + Fraction(1, 10**40)

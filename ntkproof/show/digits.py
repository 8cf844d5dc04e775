"""Decimals of numbers that are known to lie in an interval: no digit is printed that is not proved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isfinite

from ntkproof.checker.arithmetic.scalars import root, root_below

Interval = tuple[Fraction, Fraction]


def interval(value: float, radius: float) -> Interval | None:
    """Return the numbers within ``radius`` of ``value``, exactly; None if that is not finite."""
    if not (isfinite(value) and isfinite(radius)):
        return None
    return Fraction(value) - Fraction(radius), Fraction(value) + Fraction(radius)


def square(x: Interval) -> Interval:
    """Enclose the square."""
    low, high = sorted(abs(end) for end in x)
    return Fraction(0) if x[0] <= 0 <= x[1] else low**2, high**2


def square_root(x: Interval) -> Interval:
    """Enclose the root of a number known to be ≥ 0."""
    return root_below(max(x[0], Fraction(0))), root(max(x[1], Fraction(0)))


def mean(numbers: Sequence[Interval]) -> Interval:
    """Enclose the mean."""
    return sum(x[0] for x in numbers) / Fraction(len(numbers)), sum(x[1] for x in numbers) / Fraction(len(numbers))


def significant(x: Interval | None, most: int = 6) -> str:
    """Return a number to as many significant digits as are proved: it is within one unit of the last one.

    ``≤`` and a bound on its size if it is not known to differ from 0, ``?`` if no digit is known.
    """
    if x is None:
        return "?"
    if x[0] <= 0 <= x[1]:
        return f"≤{upward(max(map(abs, x)), 1)}" if any(x) else "0"
    candidates = []
    for digits in range(most, 0, -1):
        text = f"{float(sum(x) / 2):.{digits - 1}e}"
        candidates.append((f"{float(text):.{digits}g}", Fraction(10) ** (int(text.partition("e")[2]) - digits + 1)))
    return _proved(x, candidates)


def places(x: Interval | None, most: int = 4) -> str:
    """Return a number to as many decimal places as are proved, see `significant`; ``?`` if none is."""
    if x is None:
        return "?"
    middle = float(sum(x) / 2)
    return _proved(x, ((f"{middle:.{digits}f}", Fraction(1, 10**digits)) for digits in range(most, -1, -1)))


def downward(x: Fraction, digits: int) -> str:
    """Return the largest decimal ≤ x of so many significant digits."""
    return _rounded(x, digits, ROUND_FLOOR)


def upward(x: Fraction, digits: int) -> str:
    """Return the smallest decimal ≥ x of so many significant digits."""
    return _rounded(x, digits, ROUND_CEILING)


def _rounded(x: Fraction, digits: int, way: str) -> str:
    context = Context(prec=digits, rounding=way, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return f"{context.divide(Decimal(x.numerator), Decimal(x.denominator)).normalize(context):g}"


def _proved(x: Interval, candidates: Iterable[tuple[str, Fraction]]) -> str:
    """Return the first text that is within its unit of the whole interval."""
    for text, unit in candidates:
        if max(abs(end - Fraction(text)) for end in x) <= unit:
            return text
    return "?"

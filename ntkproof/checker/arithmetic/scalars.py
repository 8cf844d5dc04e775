"""Scalars of a bound: exact rationals in, exact rationals out, through intervals of 160 bits.

Trusted.  A bound is one plain function over a number context (``Numbers``); here it is read in intervals, in the
prover in floats, in the documentation in SymPy symbols.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.arithmetic.interval_functions import endpoints
from ntkproof.checker.logic.claim import Rejection

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

BITS = 160


def upper(bound: Callable[..., Any], *values: Fraction | int) -> Fraction:
    """Return a number at least ``bound(numbers, *values)``.

    Raises:
        Rejection: ``no-enclosure``: the bound is not defined there.
    """
    return _ends(bound, values)[1]


def lower(bound: Callable[..., Any], *values: Fraction | int) -> Fraction:
    """Return a number at most ``bound(numbers, *values)``; see `upper`."""
    return _ends(bound, values)[0]


def root(square: Fraction | int) -> Fraction:
    """Return at least ``√square``."""
    return upper(lambda numbers, x: numbers.sqrt(x), square)


def root_below(square: Fraction | int) -> Fraction:
    """Return at most ``√square``."""
    return lower(lambda numbers, x: numbers.sqrt(x), square)


@lru_cache(maxsize=1)
def _numbers() -> Intervals:
    return Intervals(BITS)


def _ends(bound: Callable[..., Any], values: tuple[Fraction | int, ...]) -> tuple[Fraction, Fraction]:
    numbers = _numbers()
    try:
        return endpoints(numbers, bound(numbers, *(numbers.rational(value) for value in values)))
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", f"a bound is not defined at these numbers: {error}") from None

"""Scalars of a bound: exact rationals in, exact rationals out, through intervals of 160 bits.

Trusted.  A bound is one plain function over a number context (``Numbers``); here it is read in intervals, in the
prover in floats, in the documentation in SymPy symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

from ntkproof.checker.activations import Numbers
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.claims import Rejection

BITS = 160


class Scalars(Numbers, Protocol):
    """A number context that also has the logarithm."""

    def log(self, x: Any) -> Any:
        """The natural logarithm."""


def upper(bound: Callable[..., Any], *values: Fraction | int) -> Fraction:
    """Return a number at least ``bound(numbers, *values)``.

    Raises:
        Rejection: ``no-enclosure``: the bound is not defined there.
    """
    return _ends(bound, values)[1]


def lower(bound: Callable[..., Any], *values: Fraction | int) -> Fraction:
    """Return a number at most ``bound(numbers, *values)``; see `upper`."""
    return _ends(bound, values)[0]


@lru_cache(maxsize=1)
def _numbers() -> Intervals:
    return Intervals(BITS)


def _ends(bound: Callable[..., Any], values: tuple[Fraction | int, ...]) -> tuple[Fraction, Fraction]:
    numbers = _numbers()
    try:
        return numbers.endpoints(bound(numbers, *(numbers.rational(value) for value in values)))
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", f"a bound is not defined at these numbers: {error}") from None

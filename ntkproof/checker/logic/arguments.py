"""What rules ask of their numbers, and of the events their premises hold on.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.logic.claim import Rejection, show

if TYPE_CHECKING:
    from ntkproof.checker.logic.rule import Inputs


def positive(step: Inputs, name: str) -> Fraction:
    """Return an argument that must be positive."""
    value = step.numbers[name]
    if not value > 0:
        raise Rejection("bad-argument", f"the argument {name} must be positive", "> 0", show(value, 6))
    return value


def in_open_unit(step: Inputs, name: str) -> Fraction:
    """Return an argument, a probability for example, that must be strictly between 0 and 1."""
    value = step.numbers[name]
    if not 0 < value < 1:
        raise Rejection("bad-argument", f"the argument {name} must be strictly between 0 and 1")
    return value


def total_failure(step: Inputs) -> Fraction:
    """Return a bound, below 1, on the probability that one of the events of the premises does not occur."""
    total = sum(step.events.values(), Fraction(0))
    if not total < 1:
        raise Rejection("failure-probability", "the failure probabilities add up to 1 or more", "< 1", show(total, 6))
    return total

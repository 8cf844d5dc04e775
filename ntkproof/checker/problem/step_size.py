"""The step size of gradient descent.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction

from ntkproof.checker.logic.numbers import InputError, exact


def positive_step(value: Fraction | int | float | str) -> Fraction:
    """Return a step size as an exact rational; InputError unless it is from 0 to 10^6."""
    step = exact(value)
    if not 0 < step <= 10**6:
        raise InputError(f"the step size must be from 0 to 10^6, not {value}")
    return step

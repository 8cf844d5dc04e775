"""Certified bounds of an activation and its first two derivatives, by name.

Trusted.  Proofs: ``docs/proofs/hermite.md``, section 2.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from ntkproof.checker.activations.names import expression_of, split_activation
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from types import ModuleType

INCREASING = ("tanh", "sigmoid", "softplus")


def height_squared(text: str) -> Fraction | None:
    """Return an upper bound of ``sup σ²``; None if none is known."""
    if split_activation(text)[0] in ("erf", "sin", "cos", "tanh"):
        return Fraction(1)
    expression = expression_of(text)
    height = None if expression is None else _suprema(load("activations.suprema"), expression)[0]
    return None if height is None else height**2


@lru_cache(maxsize=64)
def _suprema(bounds: ModuleType, expression: str, orders: tuple[int, ...] = (0, 1, 2)) -> tuple[Fraction | None, ...]:
    """Return upper bounds of ``sup|σ|``, ``sup|σ'|`` and ``sup|σ''|``, None where none is known."""
    try:
        return tuple(found.upper for found in bounds.suprema(expression, Intervals(64), orders))
    except (ValueError, ArithmeticError) as error:
        raise Rejection("hypothesis", f"no bounds of the derivatives of the activation: {error}") from None


def activation_facts(text: str) -> tuple[Fraction, Fraction | None, bool, Fraction]:
    """Return bounds of ``sup σ'²`` and ``sup σ''²`` (None if not C²), whether ``σ' ≥ 0``, and its squared jump."""
    name, slope = split_activation(text)
    if name in ("relu", "leaky_relu", "abs"):
        below = {"relu": Fraction(0), "abs": Fraction(-1)}.get(name, slope or Fraction(0))
        return max(Fraction(1), below**2), None, below >= 0, (1 - below) ** 2
    if name == "erf":  # σ' = (2/√π) e^{−z²}, and |σ''| is largest, (2/√π)√(2/e), at z = 1/√2
        square = upper(lambda numbers, x: 4 * x / numbers.pi, 1)
        return square, upper(lambda numbers, x: 8 / (numbers.pi * numbers.exp(x)), 1), True, Fraction(0)
    if name == "identity":
        return Fraction(1), Fraction(0), True, Fraction(0)
    if name in ("sin", "cos"):
        return Fraction(1), Fraction(1), False, Fraction(0)
    if name == "tanh":  # σ' = 1 − t², and |σ''| = 2|t|(1 − t²), t = σ, is largest, 4/(3√3), at t² = 1/3
        return Fraction(1), Fraction(16, 27), True, Fraction(0)
    expression = expression_of(text)
    if expression is None:
        raise Rejection("outside-theorem", f"no derivative bounds for the activation {name}")
    _, steepest, bend = _suprema(load("activations.suprema"), expression)
    if steepest is None or bend is None:
        raise Rejection("hypothesis", f"no finite bounds of the derivatives of {text[:60]} are known")
    return steepest**2, bend**2, name in INCREASING, Fraction(0)


def jerk(text: str) -> Fraction:
    """Return an upper bound of ``sup|σ'''|`` of a smooth activation."""
    name, _ = split_activation(text)
    known = {"identity": Fraction(0), "sin": Fraction(1), "cos": Fraction(1), "tanh": Fraction(2)}
    if name in known:
        return known[name]
    if name == "erf":  # σ''' = (2/√π)(4z² − 2)e^{−z²}, and |4t − 2|e^{−t} is largest at t = 0
        return upper(lambda numbers, x: 4 * x / numbers.sqrt(numbers.pi), 1)
    expression = expression_of(text)
    third = None if expression is None else _suprema(load("activations.suprema"), expression, (3,))[0]
    if third is None:
        raise Rejection("hypothesis", f"no finite bound of the third derivative of {text[:60]} is known")
    return third

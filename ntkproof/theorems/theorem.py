"""What a theorem is to the prover: a plan (a width and the free parameters) and the steps that prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ntkproof.checker.logic.numbers import InputError
from ntkproof.prover.draft import Draft
from ntkproof.theorems.facts import Facts

LARGEST_WIDTH = 10**40


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis of a theorem with its numbers: it holds when ``have > needed``."""

    name: str
    needed: float
    have: float

    @property
    def holds(self) -> bool:
        """Whether it holds (False for NaN)."""
        return self.have > self.needed


@dataclass(frozen=True)
class Plan:
    """A width, the values of the free parameters, and what would follow, in floats.

    Args:
        width: the number of hidden neurons.
        form: which rule concludes.
        args: the free parameters.
        hypotheses: each with its margin at this width.
        rate, radius: of the conclusion; NaN when a hypothesis fails.
    """

    width: int
    form: str
    args: Mapping[str, float]
    hypotheses: tuple[Hypothesis, ...]
    rate: float
    radius: float

    @property
    def holds(self) -> bool:
        """Whether all hypotheses hold."""
        return all(hypothesis.holds for hypothesis in self.hypotheses)


class Theorem(Protocol):
    """A convergence theorem."""

    name: str
    source: str

    def plan(self, facts: Facts, failure: float, width: int) -> Plan:
        """Return the best plan at a width; its hypotheses may fail.

        Raises:
            InputError: the theorem is about other networks or initialisations.
        """

    def prove(self, draft: Draft, facts: Facts, plan: Plan, failure: Any) -> None:
        """Add the steps that prove a plan."""


def least_width(plan_at: Callable[[int], Plan]) -> Plan:
    """Return the plan at the least even width at which one holds, found by bisection.

    Raises:
        InputError: none up to 10^40.
    """
    low, high = 0, 2
    while not plan_at(high).holds:
        low, high = high, 2 * high
        if high > LARGEST_WIDTH:
            worst = next(h for h in plan_at(high).hypotheses if not h.holds)
            raise InputError(f"no width up to {LARGEST_WIDTH:.0e} will do: {worst.name} needs {worst.needed:.3g}")
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (low, middle) if plan_at(middle).holds else (middle, high)
    return plan_at(high)

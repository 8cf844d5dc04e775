"""What a theorem is to the prover: a plan (a width and the free parameters) and the steps that prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ntkproof.checker.logic.numbers import InputError
from ntkproof.prover.draft import Draft
from ntkproof.theorems.facts import Facts

LARGEST_WIDTH = 10**40

_STAYS = "the kernel stays definite until the residual is learnt"
MEANINGS = {
    "1 > δ: H_0 ⪰ (1-δ)H∞ with the probability wanted": "the kernel at the start is near that of infinite width",
    "1 > δ: H_0 ⪰ (1-δ)(1-η)H∞ with the probability wanted": "the kernel at the start is near that of infinite width",
    "the probability wanted > that of ‖H_0 - H∞‖ > λ_0/4": "the kernel at the start is near that of infinite width",
    "λ_0/4 > C n/√m": "the kernel at the start is near that of infinite width",
    "κ > 0": "the step size is small enough",
    "κ = 1 - ηβ²/2 > 0": "the step size is small enough",
    **dict.fromkeys(("σ_0² > 2Λρ_0", "κ σ_0² > 2Λρ_0", "(σ_0 - a)²/(2b) > ρ_0"), _STAYS),
    "κΦ(R) - Rε(R) > ρ_0 for some R": _STAYS,
    "(σ_0 - a)²/(2b) > (ℓ(u_0) - ℓ*)^(1-b')/((1-b')α)": _STAYS,
    "0.2815 > Λω/σ_0": "a solution is so near that the kernel hardly changes on the way",
    "2ε/σ_0 < 1 in the tube that the flow needs": "few neurons flip on the way",
    "σ_0 > deviation by the neurons near a hyperplane": "few neurons flip on the way",
    "σ_0 > a, ‖J - J_0‖ ≤ a + bs": "few neurons flip on the way",
    "R > R': no neuron leaves its ball": "few neurons flip on the way",
    "λ_0/8 > ‖H_t - H_0‖ in the ball": "the kernel hardly changes in training",
    "rate > λ_0/(2n)": "the rate is at least half of that of infinite width",
}
"""What a hypothesis says, in words, by its name."""


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

    @property
    def meaning(self) -> str:
        """What it says, in words; empty where the name says it."""
        return MEANINGS.get(self.name, "")

    def __str__(self) -> str:
        return f"{self.name} needs {self.needed:.4g}, has {self.have:.4g}" + (self.meaning and f" ({self.meaning})")


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
            raise InputError(f"no width up to {LARGEST_WIDTH:.0e} will do: {worst}")
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (low, middle) if plan_at(middle).holds else (middle, high)
    return plan_at(high)

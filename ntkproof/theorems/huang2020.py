"""The theorem ``huang2020``: the notes' chain with the literature's ``‖H_0 − H∞‖ = Õ(n/√m)`` in place of Hoeffding.

The source does not give the constant.  The user supplies C for ``‖H_0 − H∞‖ ≤ C n/√m``; the certificate assumes it,
so the verdict is ``holey``, and what it assumes is listed.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.random_start.claims import Bound
from ntkproof.prover.draft import Draft
from ntkproof.theorems import bowman2023, steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "huang2020"
source = "Huang and Yau 2020 as quoted by Bowman 2023, equation (3): constant supplied by the user"
CONSTANT = "initial_deviation"


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the plan at a width.

    Raises:
        InputError: no constant was supplied, or the theorem is about other networks.
    """
    if CONSTANT not in facts.constants:
        raise InputError(f"‖H_0 - H∞‖ ≤ C n/√m has no known constant; supply --constant {CONSTANT}=C")
    if facts.hadamard is None:
        raise InputError("the theorem huang2020 needs an activation in C²")
    bowman2023.require_flow(facts, name)
    rest = 0.0 if facts.network.training.init == "antisymmetric" else failure
    close = Hypothesis("λ_0/4 > C n/√m", float(_deviation(facts, width)), facts.lambda_0 / 4)
    return bowman2023.in_ball("length", facts, width, {"residual_failure": rest}, close)


def _deviation(facts: Facts, width: int) -> Fraction:
    """Return ``C n/√m``, rounded up."""
    return Fraction(facts.constants[CONSTANT] * facts.n * 10**30) / isqrt(width * 10**60)


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    stated = steps.round_up(Bound("initial_deviation", _deviation(facts, plan.width)))
    draft.derive("distance", "assume", stated=stated)
    draft.derive("sigma", "weyl", ("lower", "distance"), weaken=steps.round_down)
    bowman2023.prove_flow(draft, plan)

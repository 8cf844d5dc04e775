"""The theorem ``lecture``: ``both`` for the loss ``‖r‖²/(2n)``, at a width where the rate is ``λ_0/(2n)`` or more."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ntkproof.prover.draft import Draft
from ntkproof.theorems import both, steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "lecture"
source = "the rate λ_0/(2n) of the infinitely wide network, at finite width (docs/proofs/both-layers.md)"
TRAIN, INIT = "both", "gaussian"
_SAFETY = 1 + 1e-6


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the plan of ``both``, which has to be fast enough.

    Raises:
        InputError: see ``both``.
    """
    found = both.plan(facts, failure, width)
    fast = Hypothesis("rate > λ_0/(2n)", facts.lambda_0 / (2 * facts.n) * _SAFETY, found.rate / facts.n)
    return replace(found, hypotheses=(*found.hypotheses, fast), rate=found.rate / facts.n)


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    both.prove(draft, facts, plan, failure)
    draft.derive("mean_loss", "mean_loss", ("convergence",), weaken=steps.round_convergence)

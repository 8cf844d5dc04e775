"""The theorem ``du2019``: two-layer ReLU on inputs of norm 1, hidden weights trained, gradient flow.

The argument of the source with its constants: Hoeffding for ``‖H_0 − H∞‖ ≤ λ_0/4``; Markov for the activations that
weights within R of the initial ones can flip, ``‖H_t − H_0‖ ≤ λ_0/4``; Markov for ``‖u_0 − y‖``; and each neuron
moves by ``R' = 2√n ‖u_0 − y‖/(√m λ_0) < R`` at most.
"""

from __future__ import annotations

from fractions import Fraction
from math import nan, sqrt

from ntkproof.checker.convergence.induction import UNIT_TOLERANCE, KernelStability, expected_flips, neuron_norm
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.random_start.residual import markov_root
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.bowman2023 import prove_induction, prove_spectrum, quarter, require_flow, spectrum_failure
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "du2019"
source = "Du, Zhai, Poczos and Singh 2019, Theorem 3.2 (docs/proofs/du2019.md)"
_SAFETY = 1 + 1e-6


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the plan at a width, the failure probability split so that ``m`` is least.

    Raises:
        InputError: σ is not ReLU, the inputs do not have norm 1, or the dynamics is not gradient flow.
    """
    _check(facts)
    training, longest = facts.network.training, facts.norms_squared[1]
    tau = quarter(facts)
    spectrum = spectrum_failure(facts, width, tau, failure)
    hypotheses = [Hypothesis("the probability wanted > that of ‖H_0 - H∞‖ > λ_0/4", spectrum, failure)]
    left = failure - spectrum
    rest = 0.0 if training.init == "antisymmetric" else left / 3  # m grows like 1/((left − rest)² rest)
    args = {"tau": tau, "spectrum_failure": spectrum, "residual_failure": rest, "flip_failure": left - rest}
    if not hypotheses[0].holds:
        return Plan(width, "speed", args, tuple(hypotheses), nan, nan)
    radius = facts.lambda_0 / 4 / float(expected_flips(FLOATS, facts.n, longest, 1.0, left - rest))
    residual = _residual(facts, rest)
    moved = 2 * float(neuron_norm(FLOATS, facts.n, longest, width)) * residual / facts.lambda_0 * _SAFETY
    hypotheses.append(Hypothesis("R > R': no neuron leaves its ball", moved, radius))
    path = residual * sqrt(2 / facts.lambda_0)
    return Plan(width, "speed", {**args, "radius": radius}, tuple(hypotheses), facts.lambda_0, path)


def _check(facts: Facts) -> None:
    network = facts.network
    if network.curvature_squared is not None or network.slope_squared != 1 or network.jump_squared != 1:
        raise InputError("the theorem du2019 is about ReLU")
    if not max(abs(x - 1) for x in facts.norms_squared) <= UNIT_TOLERANCE:
        raise InputError("the theorem du2019 needs inputs of norm 1: normalise them")
    require_flow(facts, "du2019")


def _residual(facts: Facts, failure: float) -> float:
    """Return the bound on ``‖r_0‖`` by Markov's inequality; ``‖y‖`` for the antisymmetric start."""
    if facts.network.training.init == "antisymmetric":
        return facts.targets
    mean = facts.mean_norm**2 if facts.network.training.init == "signs" else 0.0
    return float(markov_root(FLOATS, facts.targets**2 + mean + facts.variance, failure)) * _SAFETY


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    prove_spectrum(draft, plan)
    if facts.network.training.init == "antisymmetric":
        steps.prove_start(draft, plan)
    else:
        args = {"failure": steps.short(plan.args["residual_failure"], up=False)}
        draft.derive("residual", "markov_residual", (), args, weaken=steps.round_up)
    args = {"radius": steps.short(plan.args["radius"]), "failure": steps.short(plan.args["flip_failure"], up=False)}
    draft.derive("stability", "markov_flips", (), args, weaken=_round_stability)
    draft.derive("neuron_norm", "neuron_jacobian_norm", weaken=steps.round_up)
    prove_induction(draft, plan.form, "neuron_norm")


def _round_stability(claim: KernelStability) -> KernelStability:
    return KernelStability(claim.ball, claim.radius, steps.rounded(claim.deviation, up=True))

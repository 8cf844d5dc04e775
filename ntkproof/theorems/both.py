"""The theorem ``both``: two layers, both trained, all weights standard normal; σ, σ' and σ'' bounded; gradient flow.

Matrix Chernoff for the summands with ``|a_r|`` cut off; the residual by Gaussian concentration given the hidden
weights; then the master theorem in its residual form.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan, sqrt

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.random_start.both_layers import (
    both_slope,
    gaussian_start,
    largest_weight,
    output_energy,
    truncated_share,
    truncated_summand,
)
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "both"
source = "matrix Chernoff (Tropp 2012), truncated, and the path-length argument (docs/proofs/both-layers.md)"
TRAIN, INIT = "both", "gaussian"
_SAFETY = 1 + 1e-6
_CUTS = (1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0)
_SPECTRUM_SHARES = (0.02, 0.2)
_WEIGHT_SHARES = (0.1, 0.4)
_ENERGY_SHARE = 0.02


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the best plan at a width over the cut, δ and the split of the failure probability.

    Raises:
        InputError: σ, σ' or σ'' is not bounded, the start is not gaussian, or the dynamics is not gradient flow.
    """
    network = facts.network
    if facts.hadamard is None or network.curvature_squared is None or network.height_squared is None:
        raise InputError("the theorem both needs a bounded activation in C²")
    if network.training.init != "gaussian":
        raise InputError("the theorem both is about train=both and init=gaussian")
    if network.training.step_size is not None:
        raise InputError("the theorem both is about gradient flow; leave the step size out")
    plans = [
        _at(facts, width, failure, (spectrum, weights), cut)
        for spectrum in _SPECTRUM_SHARES
        for weights in _WEIGHT_SHARES
        for cut in _CUTS
    ]
    return max(plans, key=lambda p: (p.holds, p.rate if p.holds else _closeness(p)))


def _closeness(plan: Plan) -> float:
    return min(h.have / h.needed if h.needed > 0 else -inf for h in plan.hypotheses)


def _at(facts: Facts, width: int, failure: float, shares: tuple[float, float], cut: float) -> Plan:
    network, (spectrum, weights) = facts.network, shares
    height, slope = float(network.height_squared or 0), float(network.slope_squared)
    energy, rest = failure * _ENERGY_SHARE, failure * (1 - spectrum - weights - _ENERGY_SHARE)
    share = 1 - float(truncated_share(FLOATS, cut))
    summand = float(truncated_summand(FLOATS, facts.n, height, slope, facts.norm_squared, cut))
    delta = (
        steps.chernoff_delta(facts.n, width, share * facts.lambda_0, summand, failure * spectrum) if share > 0 else 1
    )
    sigma = sqrt(max((1 - delta) * share * facts.lambda_0, 0))
    weight = float(largest_weight(FLOATS, max(width, 1), failure * weights))
    curvature = float(network.curvature_squared or 0)
    deviation = float(both_slope(FLOATS, slope, facts.norm_squared, curvature, facts.hadamard, weight, width)) * _SAFETY
    second = facts.mean_norm**2 + facts.variance
    bound = min(facts.n * height, float(output_energy(FLOATS, facts.n, height, second, width, energy)))
    residual = float(gaussian_start(FLOATS, facts.targets**2, bound, rest)) * _SAFETY
    hypotheses = (
        Hypothesis("1 > δ: H_0 ⪰ (1-δ)(1-η)H∞ with the probability wanted", delta, 1.0),
        Hypothesis("σ_0² > 2Λρ_0", 2 * deviation * residual, sigma**2),
    )
    args = {
        "delta": delta,
        "cut": cut,
        "spectrum_failure": failure * spectrum,
        "weights_failure": failure * weights,
        "energy_failure": energy,
        "residual_failure": rest,
    }
    if not all(h.holds for h in hypotheses):
        return Plan(width, "kantorovich", args, hypotheses, nan, nan)
    radius = steps.radius_that_spends(sigma, 0.0, deviation, residual)
    least = sigma - deviation * radius
    return Plan(width, "kantorovich", {**args, "radius": radius}, hypotheses, 2 * least**2, radius)


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    args = plan.args

    def number(name: str, up: bool = False) -> str:
        return steps.short(args[name], up)

    spectrum = {"delta": number("delta", up=True), "cut": number("cut"), "failure": number("spectrum_failure")}
    draft.derive("loewner", "truncated_chernoff", ("lower", "norm"), spectrum, weaken=steps.round_down)
    draft.derive("sigma", "loewner_spectrum", ("loewner", "lower"), weaken=steps.round_down)
    draft.derive("weights", "output_weights", (), {"failure": number("weights_failure")}, weaken=steps.round_up)
    start = {"energy_failure": number("energy_failure"), "failure": number("residual_failure")}
    draft.derive("residual", "gaussian_residual", (), start, weaken=steps.round_up)
    draft.derive("deviation", "both_deviation", ("norm", "hadamard", "weights"), weaken=steps.round_deviation)
    draft.derive("jacobian_norm", "initial_jacobian_norm", ("norm", "weights"), weaken=steps.round_up)
    steps.conclude(draft, plan)

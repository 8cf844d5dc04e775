"""The theorem ``relu``: two layers, ReLU (or leaky ReLU, or |·|), hidden weights trained, gradient flow.

Matrix Chernoff for the spectrum at initialisation; the activations that can flip in a ball are counted; then the
master theorem in its residual form.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import exp, log, nan, sqrt

from ntkproof.checker.rules.deviation import flip_offset, flip_slope, near_share
from ntkproof.problem import InputError
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "relu"
source = "Du et al. 2019, with matrix Chernoff and the path-length argument (docs/proofs/deviation.md)"
_SPECTRUM_SHARES = (0.01, 0.3)
_REST_SHARES = (0.05, 0.3, 0.6)
_SAFETY = 1 + 1e-6


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the best plan at a width over the split of the failure probability, δ and τ.

    Raises:
        InputError: σ is not piecewise linear, or the dynamics is not gradient flow.
    """
    training = facts.network.training
    if facts.network.curvature_squared is not None:
        raise InputError("the theorem relu is about piecewise linear activations")
    if training.step_size is not None:
        raise InputError("the theorem relu is about gradient flow; leave the step size out")
    rests = (0.0,) if training.init == "antisymmetric" else _REST_SHARES
    plans = [
        _at(facts, width, failure * spectrum, failure * rest, failure * (1 - spectrum - rest))
        for spectrum in _SPECTRUM_SHARES
        for rest in rests
        if spectrum + rest < 1
    ]
    return max(plans, key=lambda p: (p.holds, p.hypotheses[-1].have / max(p.hypotheses[-1].needed, 1e-300)))


def _at(facts: Facts, width: int, spectrum: float, rest: float, flips: float) -> Plan:
    delta = steps.least_delta(facts, spectrum, width)
    sigma = sqrt(max((1 - delta) * facts.lambda_0, 0))
    residual = steps.residual(facts, rest) * _SAFETY
    jump = float(facts.network.jump_squared)

    def deviation(tau: float) -> tuple[float, float]:
        share = near_share(FLOATS, tau, facts.n, max(facts.neurons(width), 1), flips)
        return (
            float(flip_offset(FLOATS, jump, facts.norm_squared, share)),
            float(flip_slope(FLOATS, jump, facts.norm_squared, tau, width)),
        )

    def spendable(tau: float) -> float:
        offset, slope = deviation(tau)
        return (sigma - offset) ** 2 / (2 * slope) if sigma > offset else sigma - offset

    tau = exp(maximise(lambda x: spendable(exp(x)), log(1e-12), log(1.0)))
    offset, slope = deviation(tau)
    hypotheses = (
        Hypothesis("1 > δ: H_0 ⪰ (1-δ)H∞ with the probability wanted", delta, 1.0),
        Hypothesis("σ_0 > deviation by the neurons near a hyperplane", offset, sigma),
        Hypothesis("(σ_0 - a)²/(2b) > ρ_0", residual, spendable(tau) if sigma > offset else 0.0),
    )
    args = {"delta": delta, "tau": tau, "spectrum_failure": spectrum, "residual_failure": rest, "flip_failure": flips}
    if not all(h.holds for h in hypotheses):
        return Plan(width, "kantorovich", args, hypotheses, nan, nan)
    radius = steps.radius_that_spends(sigma, offset, slope, residual)
    least = sigma - offset - slope * radius
    return Plan(width, "kantorovich", {**args, "radius": radius}, hypotheses, 2 * least**2, radius)


def maximise(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function of one variable is largest: a grid, refined around its best point."""
    for _ in range(4):
        step = (high - low) / 40
        best = max((low + k * step for k in range(41)), key=f)
        low, high = best - step, best + step
    return best


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    steps.prove_spectrum(draft, plan)
    steps.prove_start(draft, plan)
    args = {"tau": steps.short(plan.args["tau"]), "failure": steps.short(plan.args["flip_failure"], up=False)}
    draft.derive("deviation", "flip_deviation", ("norm",), args, weaken=steps.round_deviation)
    steps.conclude(draft, plan)

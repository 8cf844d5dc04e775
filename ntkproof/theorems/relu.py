"""The theorem ``relu``: two layers, ReLU (or leaky ReLU, or |·|), hidden weights trained, gradient flow.

Matrix Chernoff for the spectrum at initialisation; the activations that can flip in a ball are counted; then the
master theorem in its residual form.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import exp, log, nan, sqrt

import numpy as np

from ntkproof.checker.convergence.formulas import residual_integral, tube_radius
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.random_start.deviation import flip_offset, flip_slope, near_share
from ntkproof.checker.random_start.tube import TubeDeviation, near_one
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
_TUBE_SHARE = 0.3  # of the failure probability, for the spectrum
_DEVIATIONS = (0.002, 0.005, *(k / 100 for k in range(1, 50)))  # ε/σ_0, increasing: the first that works is the fastest


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the best plan at a width over the split of the failure probability, δ and τ.

    Raises:
        InputError: σ is not piecewise linear, or the dynamics is not gradient flow.
    """
    training = facts.network.training
    if facts.network.curvature_squared is not None:
        raise InputError("the theorem relu is about piecewise linear activations")
    if facts.network.jump_squared == 0:
        raise InputError("leaky_relu(1) has no kink; call it identity")
    if training.step_size is not None:
        raise InputError("the theorem relu is about gradient flow; leave the step size out")
    rests = (0.0,) if training.init == "antisymmetric" else _REST_SHARES
    plans = [_in_tube(facts, width, failure)] if training.init == "antisymmetric" else []
    plans += [
        _at(facts, width, failure * spectrum, failure * rest, failure * (1 - spectrum - rest))
        for spectrum in _SPECTRUM_SHARES
        for rest in rests
        if spectrum + rest < 1
    ]
    return max(plans, key=lambda p: (p.holds, p.rate if p.holds else p.hypotheses[-1].have / p.hypotheses[-1].needed))


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


def _in_tube(facts: Facts, width: int, failure: float) -> Plan:
    """The largest rate such that no preactivation leaves the tube, over the deviation as a share of ``σ_0``."""
    spectrum = _TUBE_SHARE * failure
    delta = steps.least_delta(facts, spectrum, width)
    sigma, omega = (sqrt(max((1 - delta) * facts.lambda_0, 0)), sqrt(facts.inverse_form / max(1 - delta, 1e-9)))
    norms = facts.gram.diagonal()
    steepest = sqrt(float(facts.network.slope_squared * np.max((facts.gram**2).sum(axis=1) / norms)) / width)
    best = Hypothesis("2ε/σ_0 < 1 in the tube that the flow needs", 1.0, 0.0)
    args = {"delta": delta, "spectrum_failure": spectrum, "flip_failure": failure - spectrum}
    spectral = Hypothesis("1 > δ: H_0 ⪰ (1-δ)H∞ with the probability wanted", delta, 1.0)
    if not spectral.holds:
        return Plan(width, "tube", args, (spectral,), nan, nan)
    for share in _DEVIATIONS:
        allowed = share * sigma
        tau = steepest * float(residual_integral(FLOATS, omega, sigma, allowed)) * _SAFETY
        deviation = _tube_deviation(facts, tau, facts.neurons(width), failure - spectrum) * _SAFETY
        if allowed / deviation > best.have:
            best = Hypothesis(best.name, 1.0, allowed / deviation)
        if deviation < allowed:
            rate, radius = 2 * (sigma - deviation) ** 2, float(tube_radius(FLOATS, omega, sigma, deviation))
            return Plan(width, "tube", {**args, "tau": tau}, (spectral, best), rate, radius)
    return Plan(width, "tube", args, (spectral, best), nan, nan)


def _tube_deviation(facts: Facts, tau: float, neurons: int, failure: float) -> float:
    """Return the deviation that the rule ``tube_deviation`` will derive."""
    norms, one = facts.gram.diagonal(), float(near_one(FLOATS, tau))
    with np.errstate(all="ignore"):
        gaps = 1 - facts.gram**2 / np.outer(norms, norms)
        two = 2 * tau**2 / (np.pi * np.sqrt(np.maximum(gaps, 1e-300)))
    np.fill_diagonal(two, one)
    shares = np.minimum(one, two)
    events = log(facts.n * (facts.n + 1) / 2 / failure)
    counts = np.minimum(1, shares + np.sqrt(2 * shares * events / neurons) + events / (3 * neurons))
    return sqrt(float(facts.network.jump_squared) * float((np.abs(facts.gram) * counts).sum(axis=1).max()))


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
    if plan.form == "tube":
        draft.derive("tube", "tube_deviation", (), args, weaken=_round_tube)
        uses = ("sigma", "path", "tube", "jacobian_norm")
        draft.derive("convergence", "tube", uses, weaken=steps.round_convergence)
        return
    draft.derive("deviation", "flip_deviation", ("norm",), args, weaken=steps.round_deviation)
    steps.conclude(draft, plan)


def _round_tube(claim: TubeDeviation) -> TubeDeviation:
    return TubeDeviation(claim.tau, steps.rounded(claim.deviation, up=True))

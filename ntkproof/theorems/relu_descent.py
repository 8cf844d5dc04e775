"""The theorem ``relu-descent``: ``relu`` for gradient descent with a step size.

Matrix Chernoff for the spectrum at initialisation; the activations that flip anywhere on the path are counted; the
residual that each step spends bounds the length of the path.
"""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, nan, sqrt

from ntkproof.checker.convergence.formulas import kept, shrinking
from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.random_start.deviation import flip_offset, flip_slope, near_share
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.relu import maximise
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "relu-descent"
source = "flip counting along the path of gradient descent (docs/proofs/relu-descent.md)"
_SHARES = ((0.01, 0.05), (0.01, 0.3), (0.3, 0.05), (0.3, 0.3))
_SAFETY = 1 + 1e-6


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the best plan at a width over the split of the failure probability, δ and τ.

    Raises:
        InputError: σ is not piecewise linear, or there is no step size.
    """
    if facts.network.curvature_squared is not None:
        raise InputError("the theorem relu-descent is about piecewise linear activations")
    if facts.network.jump_squared == 0:
        raise InputError("leaky_relu(1) has no kink; call it identity")
    if facts.network.training.step_size is None:
        raise InputError("the theorem relu-descent needs a step size")
    certain = facts.network.training.init == "antisymmetric"
    plans = [
        _at(facts, width, failure * spectrum, 0.0 if certain else failure * rest, failure) for spectrum, rest in _SHARES
    ]
    return max(plans, key=lambda p: (p.holds, p.hypotheses[-1].have / max(p.hypotheses[-1].needed, 1e-300)))


def _at(facts: Facts, width: int, spectrum: float, rest: float, failure: float) -> Plan:
    delta, flips = steps.least_delta(facts, spectrum, width), failure - spectrum - rest
    sigma = sqrt(max((1 - delta) * facts.lambda_0, 0))
    residual = steps.residual(facts, rest) * _SAFETY
    eta, jump = float(exact(facts.network.training.step_size or 0)), float(facts.network.jump_squared)
    factor = float(kept(FLOATS, eta, sqrt(facts.summand) * _SAFETY))

    def line(tau: float) -> tuple[float, float, float, float]:
        """The deviation ``a + b s``, and A, B of ``κΦ(R) − Rε(R) = A R − B R²/2``."""
        share = near_share(FLOATS, tau, facts.n, max(facts.neurons(width), 1), flips)
        a = float(flip_offset(FLOATS, jump, facts.norm_squared, share))
        b = float(flip_slope(FLOATS, jump, facts.norm_squared, tau, width))
        return a, b, factor * (sigma - a) - a, (factor + 2) * b

    def spendable(x: float) -> float:
        _, _, first, second = line(exp(x))
        return first**2 / (2 * second) if first > 0 else first

    tau = exp(maximise(spendable, log(1e-12), log(1.0)))
    a, b, first, second = line(tau)
    hypotheses = (
        Hypothesis("1 > δ: H_0 ⪰ (1-δ)H∞ with the probability wanted", delta, 1.0),
        Hypothesis("κ = 1 - ηβ²/2 > 0", 0.0, factor),
        Hypothesis("κΦ(R) - Rε(R) > ρ_0 for some R", residual, max(spendable(log(tau)), 0.0)),
    )
    args = {"delta": delta, "tau": tau, "spectrum_failure": spectrum, "residual_failure": rest, "flip_failure": flips}
    if not all(h.holds for h in hypotheses):
        return Plan(width, "flip_descent", args, hypotheses, nan, nan)
    radius = steps.radius_that_spends(first, 0.0, second, residual)
    x = float(shrinking(FLOATS, factor, eta, sigma, a, b, radius))
    return Plan(width, "flip_descent", {**args, "radius": radius}, hypotheses, (2 * x - x * x) / eta, radius)


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    steps.prove_spectrum(draft, plan)
    steps.prove_start(draft, plan)
    args = {"tau": steps.short(plan.args["tau"]), "failure": steps.short(plan.args["flip_failure"], up=False)}
    draft.derive("deviation", "flip_deviation", ("norm",), args, weaken=steps.round_deviation)
    steps.conclude(draft, plan)

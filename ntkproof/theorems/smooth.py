"""The theorem ``smooth``: two layers, σ in C², hidden weights trained.

Matrix Chernoff gives ``H_0 ⪰ (1−δ)H∞``; then the master theorem, in its residual form (Kantorovich) for flow and
descent, or, for gradient flow from an antisymmetric start, in its distance form: the better of the two.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import inf, nan, sqrt

from ntkproof.checker.convergence.formulas import descent_factor, descent_rate
from ntkproof.checker.convergence.master import distance_margin, excursion
from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.random_start.deviation import smooth_slope
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "smooth"
source = "matrix Chernoff (Tropp 2012) and the path-length argument (docs/proofs/convergence.md)"
_SAFETY = 1 + 1e-6
_LEAST_H = 1e-4  # below this floats see nothing of G(h²/s²) - 1
_SPLITS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the better of the forms at a width: one that holds, then the faster rate.

    Raises:
        InputError: σ is not C².
    """
    if facts.hadamard is None or facts.network.curvature_squared is None:
        raise InputError("the theorem smooth needs an activation in C²")
    training = facts.network.training
    plans = []
    if training.init == "antisymmetric":
        plans.append(_residual_form(facts, failure, 0.0, width))
        if training.step_size is None:
            plans.append(_distance_form(facts, failure, width))
    else:
        plans += [_residual_form(facts, failure * (1 - q), failure * q, width) for q in _SPLITS]
    return max(plans, key=lambda p: (p.holds, p.rate if p.holds else _closeness(p)))


def _closeness(candidate: Plan) -> float:
    """Return how near the worst failing hypothesis is to holding."""
    ratios = [h.have / h.needed if h.needed > 0 else h.have for h in candidate.hypotheses if not h.holds]
    return min((r for r in ratios if r == r), default=-inf)


def _residual_form(facts: Facts, spectrum: float, rest: float, width: int) -> Plan:
    """Kantorovich's condition ``σ_0² > 2Λρ_0`` (for descent ``κσ_0² > 2Λρ_0``)."""
    delta = steps.least_delta(facts, spectrum, width)
    sigma = sqrt(max((1 - delta) * facts.lambda_0, 0))
    slope = _slope(facts, width)
    residual = steps.residual(facts, rest) * _SAFETY
    eta, factor = facts.network.training.step_size, 1.0
    hypotheses = [_spectrum_hypothesis(delta)]
    if eta is not None:
        eta = float(exact(eta))
        factor = descent_factor(FLOATS, eta, sqrt(facts.summand), slope, residual)
        hypotheses.append(Hypothesis("κ > 0", 0.0, factor))
    hypotheses.append(Hypothesis("κ σ_0² > 2Λρ_0" if eta else "σ_0² > 2Λρ_0", 2 * slope * residual, factor * sigma**2))
    args = {"delta": delta, "spectrum_failure": spectrum, "residual_failure": rest}
    if not all(h.holds for h in hypotheses):
        return Plan(width, "kantorovich", args, tuple(hypotheses), nan, nan)
    radius = steps.radius_that_spends(sigma, 0.0, slope, residual / factor)
    least = sigma - slope * radius
    rate = 2 * least**2 if eta is None else descent_rate(FLOATS, factor, eta, least)
    form = "kantorovich" if eta is None else "descent"
    return Plan(width, form, {**args, "radius": radius}, tuple(hypotheses), rate, radius)


def _distance_form(facts: Facts, spectrum: float, width: int) -> Plan:
    """The condition ``Λω ≤ 0.2815 σ_0``, ``ω² = yᵀH∞⁻¹y/(1−δ)``."""
    delta = steps.least_delta(facts, spectrum, width)
    if delta >= 1:
        return Plan(width, "distance", {}, (_spectrum_hypothesis(delta),), nan, nan)
    sigma, omega = sqrt((1 - delta) * facts.lambda_0), sqrt(facts.inverse_form / (1 - delta))
    h = max(_slope(facts, width) * omega / sigma * _SAFETY, _LEAST_H)
    hypotheses = (_spectrum_hypothesis(delta), Hypothesis("0.2815 > Λω/σ_0", h, largest_h()[0]))
    args = {"delta": delta, "spectrum_failure": spectrum, "residual_failure": 0.0}
    if not hypotheses[1].holds:
        return Plan(width, "distance", args, hypotheses, nan, nan)
    share = largest_share(h)
    return Plan(
        width,
        "distance",
        {**args, "share": share},
        hypotheses,
        2 * (share * sigma) ** 2,
        omega * excursion(FLOATS, h, share),
    )


def _slope(facts: Facts, width: int) -> float:
    return float(smooth_slope(FLOATS, float(facts.network.curvature_squared or 0), facts.hadamard, width))


def _spectrum_hypothesis(delta: float) -> Hypothesis:
    return Hypothesis("1 > δ: H_0 ⪰ (1-δ)H∞ with the probability wanted", delta, 1.0)


@cache
def largest_h() -> tuple[float, float]:
    """Return the largest ``h`` for which ``distance_margin`` is positive for some share, and that share."""
    low, high = 0.1, 0.5
    for _ in range(60):
        h = (low + high) / 2
        low, high = (h, high) if _best(h)[0] > 1e-9 else (low, h)
    return low, _best(low)[1]


def _best(h: float) -> tuple[float, float]:
    """Return the largest margin over the share and where it is, by ternary search (the margin is concave)."""
    low, high = 0.05, 0.999
    for _ in range(100):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (a, high) if distance_margin(FLOATS, h, a) < distance_margin(FLOATS, h, b) else (low, b)
    return distance_margin(FLOATS, h, low), low


def largest_share(h: float) -> float:
    """Return (almost) the largest share with a positive margin: the fastest rate the distance form proves."""
    low, high = _best(h)[1], 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if distance_margin(FLOATS, h, middle) > 1e-9 else (low, middle)
    return low


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    steps.prove_spectrum(draft, plan)
    steps.prove_start(draft, plan)
    draft.derive("deviation", "smooth_deviation", ("hadamard",), weaken=steps.round_deviation)
    steps.conclude(draft, plan)

"""The theorem ``bowman2023``: two layers, σ in C², hidden weights trained, gradient flow; by continuous induction.

Entrywise Hoeffding gives ``‖H_0 − H∞‖ ≤ λ_0/4``; in the ball of radius ``R_max = 2Kρ_0/λ_0`` the kernel moves by
``λ_0/8`` at most; so the flow stays there and ``L(t) ≤ e^{−λ_0 t} L(0)``.
"""

from __future__ import annotations

from fractions import Fraction
from math import nan, sqrt

from ntkproof.checker.convergence.induction import KernelStability, Trajectory, kernel_drift
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.random_start.deviation import smooth_slope
from ntkproof.checker.random_start.initialization import hoeffding_failure
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan

name = "bowman2023"
source = "Bowman 2023, section 2.3 (docs/proofs/bowman2023.md)"
_SAFETY = 1 + 1e-6


def plan(facts: Facts, failure: float, width: int) -> Plan:
    """Return the plan at a width, with the source's radius ``R_max``.

    Raises:
        InputError: σ is not C², both layers are trained, or the dynamics is not gradient flow.
    """
    return plan_with("speed", facts, failure, width)


def plan_with(movement: str, facts: Facts, failure: float, width: int) -> Plan:
    """Return the plan at a width; ``movement`` says how far the flow goes, see the rule ``continuous_induction``."""
    training, curvature = facts.network.training, facts.network.curvature_squared
    if facts.hadamard is None or curvature is None:
        raise InputError("the theorem bowman2023 needs an activation in C²")
    require_flow(facts, "bowman2023")
    tau = quarter(facts)
    spectrum = spectrum_failure(facts, width, tau, failure)
    rest = 0.0 if training.init == "antisymmetric" else failure - spectrum
    close = Hypothesis("the probability wanted > that of ‖H_0 - H∞‖ > λ_0/4", spectrum, failure)
    return in_ball(movement, facts, width, {"tau": tau, "spectrum_failure": spectrum, "residual_failure": rest}, close)


def in_ball(movement: str, facts: Facts, width: int, args: dict[str, float], close: Hypothesis) -> Plan:
    """Return the plan given ``‖H_0 − H∞‖ ≤ λ_0/4``, the hypothesis ``close``."""
    hypotheses, rest, curvature = [close], args["residual_failure"], facts.network.curvature_squared
    if not close.holds or curvature is None:
        return Plan(width, movement, args, tuple(hypotheses), nan, nan)
    norm, rho = sqrt(facts.summand), steps.residual(facts, rest) * _SAFETY
    radius = 2 * norm * rho / facts.lambda_0 if movement == "speed" else sqrt(2 / facts.lambda_0) * rho
    slope = float(smooth_slope(FLOATS, float(curvature), facts.hadamard, width))
    drift = float(kernel_drift(FLOATS, norm, 0.0, slope, radius)) * _SAFETY
    hypotheses.append(Hypothesis("λ_0/8 > ‖H_t - H_0‖ in the ball", drift, facts.lambda_0 / 8))
    least = 0.75 * facts.lambda_0 - drift
    return Plan(width, movement, {**args, "radius": radius}, tuple(hypotheses), 2 * least, radius)


def require_flow(facts: Facts, theorem: str) -> None:
    """Raise InputError unless the hidden weights are trained by gradient flow."""
    if facts.network.training.step_size is not None:
        raise InputError(f"the theorem {theorem} is about gradient flow; leave the step size out")
    if facts.network.training.init == "gaussian":
        raise InputError(f"the theorem {theorem} is about trained hidden weights only (train=hidden)")


def spectrum_failure(facts: Facts, width: int, tau: float, failure: float) -> float:
    """Return the failure probability of Hoeffding's inequality, and of ``failure`` a thousandth at least."""
    return max(float(hoeffding_failure(FLOATS, facts.n, facts.neurons(width), tau)) * _SAFETY, failure / 1000)


def quarter(facts: Facts) -> float:
    """Return the ``tau`` of Hoeffding's inequality that makes ``‖H_0 − H∞‖ ≤ λ_0/4``."""
    spread = float(facts.network.slope_squared) * (1 if facts.network.monotone else 2)
    return facts.lambda_0 / (4 * spread * facts.frobenius) / _SAFETY


def prove(draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
    """Add the steps of a plan that holds."""
    prove_spectrum(draft, plan)
    prove_flow(draft, plan)


def prove_flow(draft: Draft, plan: Plan) -> None:
    """Add the steps from the spectrum at initialisation (``sigma``) to the convergence."""
    steps.prove_start(draft, plan)
    draft.derive("deviation", "smooth_deviation", ("hadamard",), weaken=steps.round_deviation)
    args = {"radius": steps.short(plan.args["radius"])}
    draft.derive("stability", "kernel_stability", ("deviation", "jacobian_norm"), args, weaken=_round_stability)
    prove_induction(draft, plan.form, "jacobian_norm")


def prove_spectrum(draft: Draft, plan: Plan) -> None:
    """Add ``distance`` and ``sigma``: the spectrum at initialisation by entrywise Hoeffding and Weyl."""
    args = {
        name: steps.short(plan.args[key], up=False) for name, key in (("tau", "tau"), ("failure", "spectrum_failure"))
    }
    draft.derive("distance", "hoeffding", (), args, weaken=steps.round_up)
    draft.derive("sigma", "weyl", ("lower", "distance"), weaken=steps.round_down)


def prove_induction(draft: Draft, movement: str, norm: str) -> None:
    """Add ``trajectory`` and ``convergence``, from ``sigma stability residual`` and a bound on the Jacobian."""
    uses = ("sigma", "stability", norm, "residual")
    draft.derive("trajectory", "continuous_induction", uses, {"movement": movement}, weaken=_round_trajectory)
    draft.derive("convergence", "groenwall", ("trajectory", "residual"), weaken=steps.round_convergence)


def _round_stability(claim: KernelStability) -> KernelStability:
    return KernelStability(claim.ball, claim.radius, steps.rounded(claim.deviation, up=True))


def _round_trajectory(claim: Trajectory) -> Trajectory:
    return Trajectory(steps.rounded(claim.lambda_min, up=False), steps.rounded(claim.deviation, up=True))

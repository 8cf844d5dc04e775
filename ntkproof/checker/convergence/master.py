"""From the initial point to ``L(t) ≤ e^{−ct} L(0)``: the master theorem.  Proofs: ``docs/proofs/convergence.md``.

Trusted.  ``σ_0 ≤ σ_min(J(θ_0))``, ``ρ_0 ≥ ‖r_0‖`` and ``‖J(θ) − J(θ_0)‖ ≤ ε(s) = a + b s`` whenever
``‖θ − θ_0‖ ≤ s``; ``Φ(R) = ∫_0^R (σ_0 − ε) = (σ_0 − a) R − b R²/2``; the loss is ``L = ½‖r‖²``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.scalars import lower, root, root_below, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import (
    DYNAMICS,
    descent_factor,
    descent_rate,
    growth,
    kernel_deviation,
    least_singular_value,
    spent_residual,
)
from ntkproof.checker.logic.arguments import in_open_unit, positive, total_failure
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import exact
from ntkproof.checker.logic.rule import Derived, Inputs, Proved, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation, value
from ntkproof.checker.random_start.two_layer import trained

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers

# The bounds, over any number context ----------------------------------------------------------------------------


def excursion(numbers: Numbers, h: Any, s: Any) -> Any:
    """``1 + √(2G − 1)``: the trajectory stays within this many ``ω`` of ``θ_0``."""
    return 1 + numbers.sqrt(2 * growth(numbers, h, s) - 1)


def distance_margin(numbers: Numbers, h: Any, s: Any) -> Any:
    """``1 − h(1 + √(2G − 1)) − s > 0``: then ``σ_min(J) > s σ_0`` wherever the trajectory can go; ``h = Λω/σ_0``."""
    return 1 - h * excursion(numbers, h, s) - s


# The rules ------------------------------------------------------------------------------------------------------


def _sigma_zero(premise: Proved) -> Fraction:
    lambda_min = value(premise, "initial_lambda_min")
    require("λ_min(H_0) > 0", lambda_min, Fraction(0))
    return root_below(lambda_min)


def _deviation(premise: Proved) -> JacobianDeviation:
    if not isinstance(premise.claim, JacobianDeviation):
        raise Rejection("bad-premises", "a premise must be a jacobian_deviation")
    return premise.claim


def initial_norm(premise: Proved) -> Fraction:
    """Return the bound on ``‖J_0‖`` of a premise about it or about ``‖J‖`` everywhere."""
    initial = isinstance(premise.claim, Bound) and premise.claim.quantity == "initial_jacobian_norm"
    return value(premise, "initial_jacobian_norm" if initial else "jacobian_norm")


def _flow(setting: Setting) -> None:
    if trained(setting).training.step_size is not None:
        raise Rejection("outside-theorem", "the theorem is about gradient flow", "no step size", "gradient descent")


def _kantorovich(setting: Setting, step: Inputs) -> Derived:
    """Gradient flow: if ``ε(R) < σ_0`` and ``Φ(R) > ρ_0``, then it never leaves the ball of radius ``R``."""
    _flow(setting)
    sigma, residual = _sigma_zero(step.premises[0]), value(step.premises[1], "residual")
    deviation, norm = _deviation(step.premises[2]), initial_norm(step.premises[3])
    ball = (deviation.offset, deviation.slope, positive(step, "radius"))
    least = lower(least_singular_value, sigma, *ball)
    require("σ_min > 0 in the ball", least, Fraction(0))
    require("Φ(R) > ρ_0", lower(spent_residual, sigma, *ball), residual)
    return _converges(setting, step, 2 * least**2, step.numbers["radius"], upper(kernel_deviation, norm, *ball))


def _descent(setting: Setting, step: Inputs) -> Derived:
    """Gradient descent with step η: if moreover ``κ > 0`` and ``κ Φ(R) > ρ_0``; ``J`` Lipschitz everywhere."""
    training = trained(setting).training
    if training.step_size is None:
        raise Rejection("outside-theorem", "the theorem is about gradient descent", "a step size", "gradient flow")
    eta = exact(training.step_size)
    sigma, residual = _sigma_zero(step.premises[0]), value(step.premises[1], "residual")
    deviation, norm = _lipschitz(step.premises[2]), value(step.premises[3], "jacobian_norm")
    ball = (deviation.offset, deviation.slope, positive(step, "radius"))
    factor = lower(descent_factor, eta, norm, deviation.slope, residual)
    require("κ > 0", factor, Fraction(0))
    least = lower(least_singular_value, sigma, *ball)
    require("σ_min > 0 in the ball", least, Fraction(0))
    require("κΦ(R) > ρ_0", factor * lower(spent_residual, sigma, *ball), residual)
    rate = lower(descent_rate, factor, eta, least)
    return _converges(setting, step, rate, step.numbers["radius"], upper(kernel_deviation, norm, *ball))


def _lipschitz(premise: Proved) -> JacobianDeviation:
    deviation = _deviation(premise)
    if deviation.lipschitz != "yes" or deviation.offset != 0:
        raise Rejection("hypothesis", "the theorem needs a Lipschitz Jacobian", "lipschitz: yes", "no")
    return deviation


def _distance(setting: Setting, step: Inputs) -> Derived:
    """Gradient flow, from the distance ``ω`` to the solution of the linearised problem instead of the residual."""
    _flow(setting)
    sigma, omega = _sigma_zero(step.premises[0]), root(value(step.premises[1], "linearised_path"))
    deviation, norm = _lipschitz(step.premises[2]), value(step.premises[3], "jacobian_norm")
    share = in_open_unit(step, "share")
    h = deviation.slope * omega / sigma
    require("1 - h(1 + √(2G - 1)) > share", lower(distance_margin, h, share), Fraction(0))
    radius = omega * upper(excursion, h, share)
    least = share * sigma
    return _converges(
        setting, step, 2 * least**2, radius, upper(kernel_deviation, norm, Fraction(0), deviation.slope, radius)
    )


def _converges(setting: Setting, step: Inputs, rate: Fraction, radius: Fraction, kernel: Fraction) -> Derived:
    training = trained(setting).training
    dynamics = "flow" if training.step_size is None else "descent"
    claim = Convergence(dynamics, Fraction(training.width), rate, total_failure(step), radius, kernel)
    return Derived(claim, assumptions=frozenset({f"the network is trained by {DYNAMICS[dynamics]}"}))


_premises = (Bound, Bound, JacobianDeviation, Bound)
kantorovich = Rule(_kantorovich, _premises, numbers=("radius",))
descent = Rule(_descent, _premises, numbers=("radius",))
distance = Rule(_distance, _premises, numbers=("share",))

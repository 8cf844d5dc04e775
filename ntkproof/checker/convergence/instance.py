"""From given weights to ``L(t) ≤ e^{−ct} L(0)``, nothing random.  Proofs: ``docs/proofs/instance.md``.

Trusted.  ``σ_0 ≤ σ_min(J_0)``, ``ρ_0 ≥ ‖r_0‖``; in the ball of radius ``R̄`` around ``θ_0``, ``‖J‖ ≤ β`` and
``‖J(θ) − J_0‖ ≤ a + b s`` at the distance s, and, for what is said to need it, ``b = Λ`` is a Lipschitz constant of J.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.scalars import lower, root_below, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import (
    DYNAMICS,
    descent_factor,
    descent_rate,
    descent_spending,
    growth,
    kept,
    least_singular_value,
    shrinking,
    spent_residual,
)
from ntkproof.checker.given_weights.claims import LocalDeviation, NearbyPoint
from ntkproof.checker.given_weights.given import given, lambda_zero
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.arguments import in_open_unit
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.numbers import exact
from ntkproof.checker.logic.rule import Derived, Inputs, Proved, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, value

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers

# The bounds, over any number context ----------------------------------------------------------------------------


def start_energy(numbers: Numbers, distance: Any, residual: Any, lipschitz: Any) -> Any:
    """``E_0 = ‖θ_0 − p‖² + 2ρ_p/Λ``."""
    return distance * distance + 2 * residual / lipschitz


def wandering(numbers: Numbers, distance: Any, residual: Any, lipschitz: Any, sigma: Any) -> Any:
    """``Δ̄ = √(G(w) E_0 − 2ρ_p/Λ) ≥ ‖θ − p‖`` on the whole path, ``w = Λ²E_0/(2σ_*²)``, ``G(w) = (e^w − 1)/w``."""
    energy = start_energy(numbers, distance, residual, lipschitz)
    h = lipschitz * numbers.sqrt(energy / 2)  # G(h²/σ²)
    return numbers.sqrt(growth(numbers, h, sigma) * energy - 2 * residual / lipschitz)


def descent_strength(numbers: Numbers, factor: Any, step: Any, norm: Any, lipschitz: Any, residual: Any) -> Any:
    """``√(κ(1 − ηβ²/2)e^{−Ληρ_0})``: with σ_* times this, the flow's bound of ‖θ − p‖ holds for descent."""
    return numbers.sqrt(factor * (1 - step * norm * norm / 2) * numbers.exp(-lipschitz * step * residual))


def drift(numbers: Numbers, norm: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``‖H(θ) − H_0‖ ≤ 2β(a + bR)``."""
    return 2 * norm * (offset + slope * radius)


# The rules ------------------------------------------------------------------------------------------------------


def _instance_kantorovich(setting: Setting, step: Inputs) -> Derived:
    """``Φ(R) > ρ_0`` for the flow, ``κΦ(R) > ρ_0`` with ``κ > 0`` for descent: the path is shorter than R."""
    weights, ball = given(setting), _ball(step.premises[2])
    sigma = root_below(lambda_zero(step.premises[0]))
    residual = value(step.premises[1], "residual")
    radius = step.numbers["radius"]
    if not 0 < radius <= ball.radius:
        raise Rejection(
            "bad-argument", "the radius must be positive and within that of the deviation", show(ball.radius, 6)
        )
    within = (ball.offset, ball.slope, radius)
    least = lower(least_singular_value, sigma, *within)
    require("σ_min > 0 in the ball", least, Fraction(0))
    spent = lower(spent_residual, sigma, *within)
    if weights.step_size is None:
        require("Φ(R) > ρ_0", spent, residual)
        return _converges(setting, 2 * least**2, radius, ball)
    if ball.lipschitz == "path":
        return _along_paths(setting, sigma, residual, radius, ball)
    eta, factor = _descent(setting, ball, residual)
    require("κΦ(R) > ρ_0", factor * spent, residual)
    return _converges(setting, lower(descent_rate, factor, eta, least), radius, ball)


def _along_paths(
    setting: Setting, sigma: Fraction, residual: Fraction, radius: Fraction, ball: LocalDeviation
) -> Derived:
    """Descent without a Lipschitz constant: ``κΦ(R) − Rε(R) > ρ_0`` and ``κσ_* > ε(R)``, ``κ = 1 − ηβ²/2``."""
    eta, within = exact(given(setting).step_size or 0), (ball.offset, ball.slope, radius)
    factor = lower(kept, eta, ball.norm)
    require("1 - ηβ²/2 > 0", factor, Fraction(0))
    require("κΦ(R) - Rε(R) > ρ_0", lower(descent_spending, factor, sigma, *within), residual)
    x = lower(shrinking, factor, eta, sigma, *within)
    require("κσ_* > ε(R)", x, Fraction(0))
    return _converges(setting, (2 * x - x * x) / eta, radius, ball)


def _instance_distance(setting: Setting, step: Inputs) -> Derived:
    """``σ_min(J_p) − ΛΔ̄ > σ_*``, from a point p nearby that need not fit the data exactly."""
    point, ball = step.premises[0].claim, _ball(step.premises[2])
    residual, share = value(step.premises[1], "residual"), in_open_unit(step, "share")
    if not isinstance(point, NearbyPoint):
        raise Rejection("bad-premises", "the first premise must be a nearby_point")
    if ball.lipschitz != "yes" or not ball.slope > 0:
        raise Rejection("hypothesis", "the theorem needs a Lipschitz constant Λ > 0 of the Jacobian")
    require("λ_min at the point", point.lambda_min, Fraction(0))
    sigma = root_below(point.lambda_min)
    least, strength, stride = share * sigma, Fraction(1), Fraction(0)
    rate = 2 * least**2
    if given(setting).step_size is not None:
        eta, factor = _descent(setting, ball, residual)
        strength = lower(descent_strength, factor, eta, ball.norm, ball.slope, residual)
        stride, rate = eta * ball.norm * residual, lower(descent_rate, factor, eta, least)
    reach = upper(wandering, point.distance, point.residual, ball.slope, strength * least)
    require("σ_min(J_p) - ΛΔ̄ > share σ_min(J_p)", sigma - ball.slope * reach, least)
    radius = point.distance + reach
    require("the path stays where the deviation is known", ball.radius, radius + stride)
    return _converges(setting, rate, radius, ball)


def _descent(setting: Setting, ball: LocalDeviation, residual: Fraction) -> tuple[Fraction, Fraction]:
    """Return the step size and ``κ = 1 − ηβ²/2 − ηΛρ_0/2 > 0``."""
    if ball.lipschitz != "yes":
        raise Rejection("hypothesis", "gradient descent needs a Lipschitz Jacobian", "lipschitz: yes", "no")
    eta = exact(given(setting).step_size or 0)
    factor = lower(descent_factor, eta, ball.norm, ball.slope, residual)
    require("κ > 0", factor, Fraction(0))
    return eta, factor


def _ball(premise: Proved) -> LocalDeviation:
    if not isinstance(premise.claim, LocalDeviation):
        raise Rejection("bad-premises", "a premise must be a local_deviation")
    return premise.claim


def _converges(setting: Setting, rate: Fraction, radius: Fraction, ball: LocalDeviation) -> Derived:
    weights = given(setting)
    dynamics = "flow" if weights.step_size is None else "descent"
    moved = upper(drift, ball.norm, ball.offset, ball.slope, radius)
    claim = Convergence(dynamics, Fraction(weights.width), rate, Fraction(0), radius, moved)
    return Derived(claim, assumptions=frozenset({f"the network is trained by {DYNAMICS[dynamics]}"}))


instance_kantorovich = Rule(_instance_kantorovich, (EigenvalueBound, Bound, LocalDeviation), numbers=("radius",))
instance_distance = Rule(_instance_distance, (NearbyPoint, Bound, LocalDeviation), numbers=("share",))

"""From given weights to decay by the distance to a point that nearly fits.  Proofs: ``docs/proofs/instance.md``.

Trusted.  Notation as in `instance`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.scalars import lower, root_below, upper
from ntkproof.checker.convergence.formulas import descent_rate, growth
from ntkproof.checker.convergence.instance import ball_of, converges, descent_terms
from ntkproof.checker.given_weights.claims import LocalDeviation, NearbyPoint
from ntkproof.checker.given_weights.given import given
from ntkproof.checker.logic.arguments import in_open_unit
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, value

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers


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


def _instance_distance(setting: Setting, step: Inputs) -> Derived:
    """``σ_min(J_p) − ΛΔ̄ > σ_*``, from a point p nearby that need not fit the data exactly."""
    point, ball = step.premises[0].claim, ball_of(step.premises[2])
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
        eta, factor = descent_terms(setting, ball, residual)
        strength = lower(descent_strength, factor, eta, ball.norm, ball.slope, residual)
        stride, rate = eta * ball.norm * residual, lower(descent_rate, factor, eta, least)
    reach = upper(wandering, point.distance, point.residual, ball.slope, strength * least)
    require("σ_min(J_p) - ΛΔ̄ > share σ_min(J_p)", sigma - ball.slope * reach, least)
    radius = point.distance + reach
    require("the path stays where the deviation is known", ball.radius, radius + stride)
    return converges(setting, rate, radius, ball)


instance_distance = Rule(_instance_distance, (NearbyPoint, Bound, LocalDeviation), numbers=("share",))

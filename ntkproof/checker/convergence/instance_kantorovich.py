"""From given weights to decay by the length of the path.  Proofs: ``docs/proofs/instance.md``.

Trusted.  Notation as in `instance`.
"""

from __future__ import annotations

from fractions import Fraction

from ntkproof.checker.arithmetic.scalars import lower, root_below
from ntkproof.checker.convergence.formulas import (
    descent_rate,
    descent_spending,
    kept,
    least_singular_value,
    shrinking,
    spent_residual,
)
from ntkproof.checker.convergence.instance import ball_of, converges, descent_terms
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.given_weights.given import given, lambda_zero
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.numbers import exact
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, value


def _instance_kantorovich(setting: Setting, step: Inputs) -> Derived:
    """``Φ(R) > ρ_0`` for the flow, ``κΦ(R) > ρ_0`` with ``κ > 0`` for descent: the path is shorter than R."""
    weights, ball = given(setting), ball_of(step.premises[2])
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
        return converges(setting, 2 * least**2, radius, ball)
    if ball.lipschitz == "path":
        return _along_paths(setting, sigma, residual, radius, ball)
    eta, factor = descent_terms(setting, ball, residual)
    require("κΦ(R) > ρ_0", factor * spent, residual)
    return converges(setting, lower(descent_rate, factor, eta, least), radius, ball)


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
    return converges(setting, (2 * x - x * x) / eta, radius, ball)


instance_kantorovich = Rule(_instance_kantorovich, (EigenvalueBound, Bound, LocalDeviation), numbers=("radius",))

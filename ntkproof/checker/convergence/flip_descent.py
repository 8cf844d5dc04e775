"""Gradient descent for piecewise linear σ: the activations that ever flip along the path are counted.

Trusted.  In place of a Lipschitz constant of ``J``: two points of a path of length s from ``θ_0`` differ in few
activations.  Proofs: ``docs/proofs/relu-descent.md``.
"""

from __future__ import annotations

from fractions import Fraction

from ntkproof.checker.arithmetic.scalars import lower, root_below, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import (
    DYNAMICS,
    descent_spending,
    kept,
    kernel_deviation,
    least_singular_value,
    shrinking,
)
from ntkproof.checker.logic.arguments import positive, total_failure
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import exact
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation, value
from ntkproof.checker.random_start.two_layer import hidden_training


def _flip_descent(setting: Setting, step: Inputs) -> Derived:
    """Gradient descent with step η: if ``κΦ(R) − Rε(R) > ρ_0`` and ``κσ_* > ε(R)``, its path is shorter than R."""
    training = hidden_training(setting).training
    if training.step_size is None:
        raise Rejection("outside-theorem", "the theorem is about gradient descent", "a step size", "gradient flow")
    eta, radius, deviation = exact(training.step_size), positive(step, "radius"), step.premises[2].claim
    lambda_min, residual = value(step.premises[0], "initial_lambda_min"), value(step.premises[1], "residual")
    norm = value(step.premises[3], "jacobian_norm")
    if not isinstance(deviation, JacobianDeviation) or deviation.lipschitz == "no":
        raise Rejection("hypothesis", "the deviation must hold along paths", "lipschitz: path", "no")
    require("λ_min(H_0) > 0", lambda_min, Fraction(0))
    sigma = root_below(lambda_min)
    ball = (deviation.offset, deviation.slope, radius)
    factor = lower(kept, eta, norm)
    require("1 - ηβ²/2 > 0", factor, Fraction(0))
    require("σ_min > 0 in the ball", lower(least_singular_value, sigma, *ball), Fraction(0))
    require("κΦ(R) - Rε(R) > ρ_0", lower(descent_spending, factor, sigma, *ball), residual)
    x = lower(shrinking, factor, eta, sigma, *ball)
    require("κσ_* > ε(R)", x, Fraction(0))
    failure = total_failure(step)
    rate, drift = (2 * x - x * x) / eta, upper(kernel_deviation, norm, *ball)
    claim = Convergence("descent", Fraction(training.width), rate, failure, radius, drift)
    return Derived(claim, assumptions=frozenset({f"the network is trained by {DYNAMICS['descent']}"}))


flip_descent = Rule(_flip_descent, (Bound, Bound, JacobianDeviation, Bound), numbers=("radius",))

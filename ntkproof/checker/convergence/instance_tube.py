"""Given weights and a piecewise linear activation: gradient flow never leaves the tube.

Trusted.  Proofs: ``docs/proofs/given-kinks.md``.
"""

from __future__ import annotations

from fractions import Fraction

from ntkproof.checker.arithmetic.scalars import root, root_below, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import DYNAMICS, residual_integral, tube_radius
from ntkproof.checker.convergence.instance import drift
from ntkproof.checker.given_weights.given import given, lambda_zero
from ntkproof.checker.given_weights.kinks import kinked, largest_output_weight
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.inputs_gram import steepest
from ntkproof.checker.limit.premises import inputs_norm_squared
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, value
from ntkproof.checker.random_start.tube import TubeDeviation


def _instance_tube(setting: Setting, step: Inputs) -> Derived:
    """If ``2ε < σ_0`` and ``A B1 ‖K_i‖ ∫‖r‖ ≤ √m τ‖x_i‖`` for every i, gradient flow never leaves the tube."""
    _, slope, _ = kinked(setting)
    weights, tube = given(setting), step.premises[2].claim
    if weights.step_size is not None:
        raise Rejection("outside-theorem", "the theorem is about gradient flow", "no step size", "gradient descent")
    if not isinstance(tube, TubeDeviation):
        raise Rejection("bad-premises", "the third premise must be a tube_deviation")
    sigma = root_below(lambda_zero(step.premises[0]))
    omega, deviation = root(value(step.premises[1], "linearised_path")), tube.deviation
    require("σ_0 > 2ε", sigma, 2 * deviation)
    top = largest_output_weight(setting) ** 2 * slope
    integral = upper(residual_integral, omega, sigma, deviation)
    needed, have = top * steepest(setting) * integral**2, tube.tau**2 * weights.width
    if not needed <= have:
        raise Rejection("hypothesis", "a preactivation may leave the tube", f"<= {show(have, 6)}", show(needed, 6))
    norm = root(top * inputs_norm_squared(step.premises[3]))
    rate, radius = 2 * (sigma - deviation) ** 2, upper(tube_radius, omega, sigma, deviation)
    claim = Convergence("flow", Fraction(weights.width), rate, Fraction(0), radius, upper(drift, norm, deviation, 0, 0))
    return Derived(claim, assumptions=frozenset({f"the network is trained by {DYNAMICS['flow']}"}))


instance_tube = Rule(_instance_tube, (EigenvalueBound, Bound, TubeDeviation, EigenvalueBound))

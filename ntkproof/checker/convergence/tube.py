"""ReLU by tubes: gradient flow never leaves the tube.  Proofs: ``docs/proofs/tube.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.arithmetic.scalars import root, root_below, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import DYNAMICS, kernel_deviation, residual_integral, tube_radius
from ntkproof.checker.limit.inputs_gram import steepest
from ntkproof.checker.logic.arguments import total_failure
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, value
from ntkproof.checker.random_start.tube import TubeDeviation, piecewise_linear

if TYPE_CHECKING:
    pass


def _tube(setting: Setting, step: Inputs) -> Derived:
    """If ``2ε < σ_0`` and ``B1‖K_i‖ ∫‖r‖ ≤ √m τ‖x_i‖`` for every i, the flow never leaves the tube."""
    network, tube = piecewise_linear(setting), step.premises[2].claim
    if network.training.step_size is not None:
        raise Rejection("outside-theorem", "the theorem is about gradient flow", "no step size", "gradient descent")
    if not isinstance(tube, TubeDeviation):
        raise Rejection("bad-premises", "the third premise must be a tube_deviation")
    lambda_min, path = value(step.premises[0], "initial_lambda_min"), value(step.premises[1], "linearised_path")
    norm, deviation = value(step.premises[3], "jacobian_norm"), tube.deviation
    require("λ_min(H_0) > 0", lambda_min, Fraction(0))
    sigma = root_below(lambda_min)
    omega = root(path)
    require("σ_0 > 2ε", sigma, 2 * deviation)
    integral = upper(residual_integral, omega, sigma, deviation)
    needed = network.slope_squared * steepest(setting) * integral**2
    have = tube.tau**2 * network.training.width
    if not needed <= have:
        raise Rejection("hypothesis", "a preactivation may leave the tube", f"<= {show(have, 6)}", show(needed, 6))
    failure = total_failure(step)
    rate, radius = 2 * (sigma - deviation) ** 2, upper(tube_radius, omega, sigma, deviation)
    drift = upper(kernel_deviation, norm, deviation, 0, 0)
    claim = Convergence("flow", Fraction(network.training.width), rate, failure, radius, drift)
    return Derived(claim, assumptions=frozenset({f"the network is trained by {DYNAMICS['flow']}"}))


tube = Rule(_tube, (Bound, Bound, TubeDeviation, Bound))

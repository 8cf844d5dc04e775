"""ReLU by tubes: gradient flow never leaves the tube.  Proofs: ``docs/proofs/tube.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ntkproof.checker.arithmetic.protocols import Scalars
from ntkproof.checker.arithmetic.scalars import root, root_below, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.master import DYNAMICS, kernel_deviation
from ntkproof.checker.logic.arguments import total_failure
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound
from ntkproof.checker.random_start.tube import TubeDeviation, inputs_gram, piecewise_linear
from ntkproof.checker.random_start.two_layer import value


def residual_integral(numbers: Scalars, omega: Any, sigma: Any, deviation: Any) -> Any:
    """``∫‖r‖ ≤ ωσ_0/((σ_0 − ε)(σ_0 − 2ε))``."""
    return omega * sigma / ((sigma - deviation) * (sigma - 2 * deviation))


def tube_radius(numbers: Scalars, omega: Any, sigma: Any, deviation: Any) -> Any:
    """``2ω(σ_0 − ε)²/(σ_0(σ_0 − 2ε)) ≥ ‖θ_t − θ_0‖``."""
    least = sigma - deviation
    return 2 * omega * least * least / (sigma * (sigma - 2 * deviation))


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


def steepest(setting: Setting) -> Fraction:
    """Return ``max_i ‖K_i‖²/‖x_i‖²`` over the rows that are not zero, ``K_i`` the rows of K."""
    gram = inputs_gram(setting)
    squares = [Fraction(0)] * len(gram)
    for i, row in enumerate(gram):
        for j, entry in enumerate(row):
            squares[i] += entry * entry
            if i != j:
                squares[j] += entry * entry
    return max((squares[i] / gram[i][i] for i in range(len(gram)) if gram[i][i]), default=Fraction(0))


tube = Rule(_tube, (Bound, Bound, TubeDeviation, Bound))

"""ReLU by tubes: neurons far from a hyperplane cannot flip there, and few are near two hyperplanes at once.

Trusted.  Gradient flow of ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)`` with σ piecewise linear, hidden weights trained.  The
tube: ``|(w_r − w_r(0))·x_i| ≤ τ‖x_i‖`` for every r and i.  Proofs: ``docs/proofs/tube.md``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ntkproof.checker.claims import Bound, Convergence, Rejection, TubeDeviation, show
from ntkproof.checker.rules.convergence import DYNAMICS, kernel_deviation
from ntkproof.checker.rules.deviation import DIFFERENTIAL_INCLUSION
from ntkproof.checker.rules.initialization import GAUSSIAN
from ntkproof.checker.rules.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.rules.two_layer import TwoLayer, hidden_training, value
from ntkproof.checker.scalars import Scalars, lower, upper

# The bounds, over any number context ----------------------------------------------------------------------------


def near_one(numbers: Scalars, tau: Any) -> Any:
    """``τ√(2/π) ≥ P(|Z| ≤ τ)``."""
    return tau * numbers.sqrt(2 / numbers.pi)


def near_two(numbers: Scalars, tau: Any, gap: Any) -> Any:
    """``2τ²/(π√(1−ρ²)) ≥ P(|Z| ≤ τ, |Z'| ≤ τ)`` for the correlation ρ; ``gap = 1 − ρ²``."""
    return 2 * tau * tau / (numbers.pi * numbers.sqrt(gap))


def counted(numbers: Scalars, share: Any, log_events: Any, neurons: Any) -> Any:
    """``P + √(2PL/N) + L/(3N)``: Bernstein; a larger share of N neurons has probability at most ``e^{−L}``."""
    return share + numbers.sqrt(2 * share * log_events / neurons) + log_events / (3 * neurons)


def residual_integral(numbers: Scalars, omega: Any, sigma: Any, deviation: Any) -> Any:
    """``∫‖r‖ ≤ ωσ_0/((σ_0 − ε)(σ_0 − 2ε))``."""
    return omega * sigma / ((sigma - deviation) * (sigma - 2 * deviation))


def tube_radius(numbers: Scalars, omega: Any, sigma: Any, deviation: Any) -> Any:
    """``2ω(σ_0 − ε)²/(σ_0(σ_0 − 2ε)) ≥ ‖θ_t − θ_0‖``."""
    least = sigma - deviation
    return 2 * omega * least * least / (sigma * (sigma - 2 * deviation))


# The rules ------------------------------------------------------------------------------------------------------


def _piecewise_linear(setting: Setting) -> TwoLayer:
    network = hidden_training(setting)
    if network.curvature_squared is not None:
        raise Rejection("hypothesis", "tubes are for piecewise linear activations")
    return network


def inputs_gram(setting: Setting) -> list[list[Fraction]]:
    """Return ``K = XXᵀ`` exactly, its lower triangle."""
    dataset = setting.problem.dataset
    packed = setting.arithmetic.gram(dataset.inputs, dataset.exponent).lower()
    unit = Fraction(4) ** dataset.exponent
    return [[next(packed) * unit for _ in range(i + 1)] for i in range(dataset.n)]


def _tube_deviation(setting: Setting, step: Inputs) -> Derived:
    """``ε² = B² max_i Σ_j |K_ij| x_ij``, ``x_ij`` the share of neurons near the hyperplanes of ``x_i`` and ``x_j``."""
    network, tau, stated = _piecewise_linear(setting), step.numbers["tau"], step.numbers["failure"]
    if not tau > 0 or not 0 < stated < 1:
        raise Rejection("bad-argument", "tau must be positive and failure strictly between 0 and 1")
    gram = inputs_gram(setting)
    n, neurons = len(gram), network.training.independent_neurons
    if neurons == 0:
        raise Rejection("outside-theorem", "there are no independent neurons")
    log_events = upper(lambda numbers, events, p: numbers.log(events / p), n * (n + 1) // 2, stated)
    one = upper(near_one, tau)
    sums = [Fraction(0)] * n
    for i, row in enumerate(gram):
        for j, entry in enumerate(row):
            if entry == 0:
                continue
            share = one
            gap = 1 - entry * entry / (gram[i][i] * gram[j][j])
            if gap > 0:
                share = min(one, upper(near_two, tau, gap))
            size = abs(entry) * min(Fraction(1), upper(counted, share, log_events, neurons))
            sums[i] += size
            if i != j:
                sums[j] += size
    deviation = upper(lambda numbers, jump, s: numbers.sqrt(jump * s), network.jump_squared, max(sums))
    return Derived(
        TubeDeviation(tau, deviation), assumptions=frozenset({GAUSSIAN, DIFFERENTIAL_INCLUSION}), failure=stated
    )


def _tube(setting: Setting, step: Inputs) -> Derived:
    """If ``2ε < σ_0`` and ``B1‖K_i‖ ∫‖r‖ ≤ √m τ‖x_i‖`` for every i, the flow never leaves the tube."""
    network, tube = _piecewise_linear(setting), step.premises[2].claim
    if network.training.step_size is not None:
        raise Rejection("outside-theorem", "the theorem is about gradient flow", "no step size", "gradient descent")
    if not isinstance(tube, TubeDeviation):
        raise Rejection("bad-premises", "the third premise must be a tube_deviation")
    lambda_min, path = value(step.premises[0], "initial_lambda_min"), value(step.premises[1], "linearised_path")
    norm, deviation = value(step.premises[3], "jacobian_norm"), tube.deviation
    require("λ_min(H_0) > 0", lambda_min, Fraction(0))
    sigma = lower(lambda numbers, x: numbers.sqrt(x), lambda_min)
    omega = upper(lambda numbers, x: numbers.sqrt(x), path)
    require("σ_0 > 2ε", sigma, 2 * deviation)
    integral = upper(residual_integral, omega, sigma, deviation)
    needed = network.slope_squared * steepest(setting) * integral**2
    have = tube.tau**2 * network.training.width
    if not needed <= have:
        raise Rejection("hypothesis", "a preactivation may leave the tube", f"<= {show(have, 6)}", show(needed, 6))
    failure = sum(step.events.values(), Fraction(0))
    if not failure < 1:
        raise Rejection("failure-probability", "the failure probabilities add up to 1 or more", "< 1", show(failure, 6))
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


tube_deviation = Rule(_tube_deviation, numbers=("tau", "failure"))
tube = Rule(_tube, (Bound, Bound, TubeDeviation, Bound))

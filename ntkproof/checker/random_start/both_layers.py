"""Two trained layers, ``a_r`` and ``w_r`` standard normal: spectrum, residual and deviation.

Trusted.  ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``; ``B0``, ``B1``, ``B2`` bound ``|σ|``, ``|σ'|``, ``|σ''|``;
``K = XXᵀ``.  Proofs: ``docs/proofs/both-layers.md``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.premises import eigenvalue_bound, inputs_norm_squared, lambda_zero
from ntkproof.checker.logic.arguments import in_open_unit, positive
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation, value
from ntkproof.checker.random_start.initialization import chernoff_failure, spend
from ntkproof.checker.random_start.residual import output_moments
from ntkproof.checker.random_start.two_layer import both_training

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers, Scalars

GAUSSIAN_WEIGHTS = "all weights are independent standard normal at initialisation"

# The bounds, over any number context ----------------------------------------------------------------------------


def truncated_share(numbers: Numbers, cut: Any) -> Any:
    """``√(2/π) e^{−c²/2} (c + 1/c) ≥ η_c = E a² 1{|a| > c}``, a standard normal (Mills' ratio)."""
    return numbers.sqrt(2 / numbers.pi) * numbers.exp(-cut * cut / 2) * (cut + 1 / cut)


def truncated_summand(numbers: Numbers, n: Any, height: Any, slope: Any, norm: Any, cut: Any) -> Any:
    """``n B0² + c² B1² ‖X‖²``, a bound of a summand ``σ_r σ_rᵀ + a_r² D_r K D_r`` with ``|a_r| ≤ c``."""
    return n * height + cut * cut * slope * norm


def largest_weight(numbers: Scalars, width: Any, failure: Any) -> Any:
    """``√(2 log(m/p))``: no ``|a_r|`` is larger, but with probability p."""
    return numbers.sqrt(2 * numbers.log(width / failure))


def output_energy(numbers: Scalars, n: Any, height: Any, second: Any, width: Any, failure: Any) -> Any:
    """``Σ_i E σ(w·x_i)² + n B0² √(log(1/p)/(2m))``: ``Σ_ir σ(w_r·x_i)²/m`` is larger with probability p at most."""
    return second + n * height * numbers.sqrt(-numbers.log(failure) / (2 * width))


def gaussian_start(numbers: Scalars, targets: Any, energy: Any, failure: Any) -> Any:
    """``√(‖y‖² + v) + √v √(2 log(1/p))``, ``v`` the output energy."""
    return numbers.sqrt(targets + energy) + numbers.sqrt(energy) * numbers.sqrt(-2 * numbers.log(failure))


def both_slope(numbers: Numbers, slope: Any, norm: Any, curvature: Any, hadamard: Any, weight: Any, width: Any) -> Any:
    """``‖M‖/√m``, ``M = [[p, 0], [q, p]]``, ``p = B1‖X‖``, ``q = A B2 √‖K∘K‖``; ``‖M‖ = (q + √(q² + 4p²))/2``."""
    q = weight * numbers.sqrt(curvature * hadamard)
    return (q + numbers.sqrt(q * q + 4 * slope * norm)) / 2 / numbers.sqrt(width)


def start_norm(numbers: Numbers, n: Any, height: Any, slope: Any, norm: Any, weight: Any) -> Any:
    """``√(n B0² + A² B1² ‖X‖²) ≥ ‖J_0‖``."""
    return numbers.sqrt(n * height + weight * weight * slope * norm)


# The rules ------------------------------------------------------------------------------------------------------


def _truncated_chernoff(setting: Setting, step: Inputs) -> Derived:
    """``H_0 ⪰ (1−δ)(1−η_c) H∞``: matrix Chernoff for the summands with ``a_r`` cut off at ``c``."""
    network = both_training(setting)
    delta, cut = in_open_unit(step, "delta"), positive(step, "cut")
    share = 1 - upper(truncated_share, cut)
    if not share > 0:
        raise Rejection("hypothesis", "the cut leaves nothing of the second moment", "> 0", "<= 0")
    lambda_0, norm = lambda_zero(step.premises[0]), inputs_norm_squared(step.premises[1])
    n, height = setting.problem.dataset.n, network.height_squared or Fraction(0)
    summand = upper(truncated_summand, n, height, network.slope_squared, norm, cut)
    stated = spend(step, upper(chernoff_failure, n, network.training.width, share * lambda_0, delta, summand))
    return Derived(Bound("loewner", (1 - delta) * share), assumptions=frozenset({GAUSSIAN_WEIGHTS}), failure=stated)


def _output_weights(setting: Setting, step: Inputs) -> Derived:
    """``max_r |a_r(0)| ≤ √(2 log(m/p))``."""
    width, stated = both_training(setting).training.width, in_open_unit(step, "failure")
    bound = upper(largest_weight, width, stated)
    return Derived(Bound("output_weights", bound), assumptions=frozenset({GAUSSIAN_WEIGHTS}), failure=stated)


def _gaussian_residual(setting: Setting, step: Inputs) -> Derived:
    """``‖r_0‖``: given the hidden weights ``u_0`` is normal, and ``‖u_0 − y‖`` a Lipschitz function of ``a``."""
    network, targets = both_training(setting), setting.problem.dataset.targets
    energy_failure, stated = in_open_unit(step, "energy_failure"), in_open_unit(step, "failure")
    if targets is None:
        raise Rejection("outside-theorem", "the dataset has no targets")
    square = sum((Fraction(y) ** 2 for y in targets.tolist()), Fraction(0))
    n, height = setting.problem.dataset.n, network.height_squared or Fraction(0)
    second = sum(output_moments(setting.problem))
    energy = min(n * height, upper(output_energy, n, height, second, network.training.width, energy_failure))
    bound = upper(gaussian_start, square, energy, stated)
    return Derived(Bound("residual", bound), assumptions=frozenset({GAUSSIAN_WEIGHTS}), failure=stated + energy_failure)


def _both_deviation(setting: Setting, step: Inputs) -> Derived:
    """``ε(s) = ‖M‖ s/√m`` around ``θ_0``."""
    network = both_training(setting)
    norm, weight = inputs_norm_squared(step.premises[0]), value(step.premises[2], "output_weights")
    hadamard = eigenvalue_bound(step.premises[1], "inputs_squared", "max", "upper")
    curvature = network.curvature_squared or Fraction(0)
    slope = upper(both_slope, network.slope_squared, norm, curvature, hadamard, weight, network.training.width)
    return Derived(JacobianDeviation(slope * 0, slope, "no"))


def _initial_jacobian_norm(setting: Setting, step: Inputs) -> Derived:
    """``‖J_0‖² = ‖(1/m) Σ_r (σ_r σ_rᵀ + a_r² D_r K D_r)‖ ≤ n B0² + A² B1² ‖X‖²``."""
    network = both_training(setting)
    norm, weight = inputs_norm_squared(step.premises[0]), value(step.premises[1], "output_weights")
    n, height = setting.problem.dataset.n, network.height_squared or Fraction(0)
    return Derived(Bound("initial_jacobian_norm", upper(start_norm, n, height, network.slope_squared, norm, weight)))


truncated_chernoff = Rule(_truncated_chernoff, (EigenvalueBound, EigenvalueBound), numbers=("delta", "cut", "failure"))
output_weights = Rule(_output_weights, numbers=("failure",))
gaussian_residual = Rule(_gaussian_residual, numbers=("energy_failure", "failure"))
both_deviation = Rule(_both_deviation, (EigenvalueBound, EigenvalueBound, Bound))
initial_jacobian_norm = Rule(_initial_jacobian_norm, (EigenvalueBound, Bound))

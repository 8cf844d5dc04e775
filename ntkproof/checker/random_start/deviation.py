"""How far the Jacobian moves in a ball around the initial point.  Proofs: ``docs/proofs/deviation.md``.

Trusted.  ``‖J(θ) − J(θ_0)‖ ≤ ε(s)`` whenever ``‖θ − θ_0‖ ≤ s``; ``K = XXᵀ``, ``K∘K`` its Hadamard square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.premises import eigenvalue_bound, inputs_norm_squared
from ntkproof.checker.logic.arguments import in_open_unit, positive
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.assumptions import DIFFERENTIAL_INCLUSION, GAUSSIAN, SELECTION
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation
from ntkproof.checker.random_start.two_layer import hidden_training

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Scalars

# The bounds, over any number context ----------------------------------------------------------------------------


def smooth_slope(numbers: Scalars, curvature_squared: Any, hadamard: Any, width: Any) -> Any:
    """``Λ = B2 √‖K∘K‖ / √m``, a Lipschitz constant of ``J`` on all of parameter space."""
    return numbers.sqrt(curvature_squared * hadamard / width)


def near_share(numbers: Scalars, tau: Any, n: Any, neurons: Any, failure: Any) -> Any:
    """``τ√(2/π) + √(log(n/p)/(2N))``: at most this share of the neurons has ``|w_r·x_i| ≤ τ‖x_i‖``, for every i."""
    return tau * numbers.sqrt(2 / numbers.pi) + numbers.sqrt(numbers.log(n / failure) / (2 * neurons))


def flip_offset(numbers: Scalars, slope_squared: Any, norm_squared: Any, share: Any) -> Any:
    """``B ‖X‖ √share``: the deviation by the neurons that are near some hyperplane."""
    return numbers.sqrt(slope_squared * norm_squared * share)


def flip_slope(numbers: Scalars, slope_squared: Any, norm_squared: Any, tau: Any, width: Any) -> Any:
    """``B ‖X‖ / (τ√m)``: at most ``s²/τ²`` neurons move by more than τ."""
    return numbers.sqrt(slope_squared * norm_squared / width) / tau


# The rules ------------------------------------------------------------------------------------------------------


def _smooth_deviation(setting: Setting, step: Inputs) -> Derived:
    """``ε(s) = Λ s`` for σ in C²."""
    network = hidden_training(setting)
    hadamard = eigenvalue_bound(step.premises[0], "inputs_squared", "max", "upper")
    if network.curvature_squared is None:
        raise Rejection("hypothesis", "the activation is not C², so its Jacobian is not Lipschitz")
    slope = upper(smooth_slope, network.curvature_squared, hadamard, network.training.width)
    return Derived(JacobianDeviation(slope * 0, slope, "yes"))


def _flip_deviation(setting: Setting, step: Inputs) -> Derived:
    """``ε(s) = B‖X‖(√share + s/(τ√m))`` for piecewise linear σ whose slopes differ by B, by flips on a path."""
    network = hidden_training(setting)
    tau, stated = positive(step, "tau"), in_open_unit(step, "failure")
    if network.curvature_squared is not None:
        raise Rejection("hypothesis", "flip counting is for piecewise linear activations")
    training, norm = network.training, inputs_norm_squared(step.premises[0])
    jump = network.jump_squared
    share = upper(near_share, tau, setting.problem.dataset.n, training.independent_neurons, stated)
    offset, slope = upper(flip_offset, jump, norm, share), upper(flip_slope, jump, norm, tau, training.width)
    kinks = DIFFERENTIAL_INCLUSION if training.step_size is None else SELECTION
    claim = JacobianDeviation(offset, slope, "path")
    return Derived(claim, assumptions=frozenset({GAUSSIAN, kinks}), failure=stated)


def _jacobian_norm(setting: Setting, step: Inputs) -> Derived:
    """``‖J(θ)‖ ≤ B1 ‖X‖`` for every θ: ``JJᵀ`` is a mean of ``D_r K D_r`` with ``|D_r| ≤ B1``."""
    network = hidden_training(setting)
    norm = upper(
        lambda numbers, b, x: numbers.sqrt(b * x), network.slope_squared, inputs_norm_squared(step.premises[0])
    )
    return Derived(Bound("jacobian_norm", norm))


smooth_deviation = Rule(_smooth_deviation, (EigenvalueBound,))
flip_deviation = Rule(_flip_deviation, (EigenvalueBound,), numbers=("tau", "failure"))
jacobian_norm = Rule(_jacobian_norm, (EigenvalueBound,))

"""What holds at random initialisation, each with its failure probability.  Proofs: ``docs/proofs/initialization.md``.

Trusted.  Two-layer networks ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``, hidden weights standard normal and trained,
``a_r = ±1`` fixed; ``N`` independent neurons, ``K = XXᵀ``, ``B1 = sup|σ'|``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.exact import integer_rows
from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.premises import inputs_norm_squared, lambda_zero
from ntkproof.checker.logic.arguments import in_open_unit, positive
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.assumptions import GAUSSIAN
from ntkproof.checker.random_start.claims import Bound, value
from ntkproof.checker.random_start.two_layer import hidden_training

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Scalars


# The bounds, over any number context ----------------------------------------------------------------------------


def chernoff_exponent(numbers: Scalars, delta: Any) -> Any:
    """``h(δ) = δ + (1−δ) log(1−δ)`` (Tropp 2012, Theorem 1.1, lower tail)."""
    return delta + (1 - delta) * numbers.log(1 - delta)


def chernoff_failure(numbers: Scalars, n: Any, neurons: Any, lambda_0: Any, delta: Any, summand: Any) -> Any:
    """``n exp(−N λ_0 h(δ)/B)``, the probability that not ``H_0 ⪰ (1−δ)H∞``; ``B = B1²‖X‖²`` bounds a summand."""
    return n * numbers.exp(-neurons * lambda_0 * chernoff_exponent(numbers, delta) / summand)


def hoeffding_failure(numbers: Scalars, n: Any, neurons: Any, relative: Any) -> Any:
    """``n(n+1) exp(−2Nτ²)``: some entry of ``H_0`` is further than ``τ · range · |K_ij|`` from its mean."""
    return n * (n + 1) * numbers.exp(-2 * neurons * relative * relative)


# The rules ------------------------------------------------------------------------------------------------------


def _matrix_chernoff(setting: Setting, step: Inputs) -> Derived:
    """``H_0 ⪰ (1−δ) H∞`` but with the stated failure probability (matrix Chernoff on ``H∞^{-1/2} H_0 H∞^{-1/2}``)."""
    network = hidden_training(setting)
    delta = in_open_unit(step, "delta")
    lambda_0 = lambda_zero(step.premises[0])
    summand = network.slope_squared * inputs_norm_squared(step.premises[1])
    neurons = network.training.independent_neurons
    stated = spend(step, upper(chernoff_failure, setting.problem.dataset.n, neurons, lambda_0, delta, summand))
    return Derived(Bound("loewner", 1 - delta), assumptions=frozenset({GAUSSIAN}), failure=stated)


def _loewner_spectrum(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(H_0) ≥ s λ_0`` from ``H_0 ⪰ s H∞``."""
    return Derived(Bound("initial_lambda_min", value(step.premises[0], "loewner") * lambda_zero(step.premises[1])))


def _hoeffding(setting: Setting, step: Inputs) -> Derived:
    """``‖H_0 − H∞‖ ≤ ‖·‖_F ≤ τ · range · ‖K‖_F``: Hoeffding for every entry and a union bound."""
    network = hidden_training(setting)
    tau = positive(step, "tau")
    neurons = network.training.independent_neurons
    stated = spend(step, upper(hoeffding_failure, setting.problem.dataset.n, neurons, tau))
    spread = network.slope_squared * (1 if network.monotone else 2)
    frobenius = _frobenius(setting)
    deviation = upper(lambda numbers, t, k: t * numbers.sqrt(k), tau * spread, frobenius)
    return Derived(Bound("initial_deviation", deviation), assumptions=frozenset({GAUSSIAN}), failure=stated)


def _frobenius(setting: Setting) -> Fraction:
    """Return ``‖XXᵀ‖_F² = Σ_ij (x_i·x_j)²`` exactly."""
    dataset = setting.problem.dataset
    rows = integer_rows(dataset.inputs, dataset.exponent)
    gram = [[sum(a * b for a, b in zip(x, z, strict=True)) for z in rows] for x in rows]
    return Fraction(sum(g * g for row in gram for g in row)) * Fraction(16) ** dataset.exponent


def _weyl(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(H_0) ≥ λ_0 − ‖H_0 − H∞‖`` (Weyl)."""
    deviation = value(step.premises[1], "initial_deviation")
    return Derived(Bound("initial_lambda_min", lambda_zero(step.premises[0]) - deviation))


def spend(step: Inputs, computed: Fraction) -> Fraction:
    """Return the stated failure probability; reject one that is smaller than the computed one."""
    stated = in_open_unit(step, "failure")
    if not computed <= stated:
        raise Rejection(
            "failure-probability", "the failure probability is larger than stated", show(stated, 6), show(computed, 6)
        )
    return stated


matrix_chernoff = Rule(_matrix_chernoff, (EigenvalueBound, EigenvalueBound), numbers=("delta", "failure"))
loewner_spectrum = Rule(_loewner_spectrum, (Bound, EigenvalueBound))
hoeffding = Rule(_hoeffding, numbers=("tau", "failure"))
weyl = Rule(_weyl, (EigenvalueBound, Bound))

"""What the convergence rules ask of a problem and of their premises.

Trusted.  The theorems are about ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``, either with ``a_r = ±1`` fixed and the hidden
weights trained, or with ``a_r`` standard normal and both layers trained: depth 1, no bias (append a constant column
instead), ``σ_w = 1``, input scale 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from ntkproof.checker.activation_bounds import suprema
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.claims import Bound, EigenvalueBound, Rejection
from ntkproof.checker.rules.rule import Proved, Setting
from ntkproof.checker.scalars import upper
from ntkproof.problem import Training, expression_of, split_activation

INCREASING = ("tanh", "sigmoid", "softplus")


@dataclass(frozen=True)
class TwoLayer:
    """A two-layer network in training, with certified bounds on its activation.

    Args:
        training: width, initialisation, dynamics.
        slope_squared: at least ``B1² = sup σ'²``.
        curvature_squared: at least ``B2² = sup σ''²``; None when σ is not C².
        monotone: whether ``σ' ≥ 0`` is known.
        jump_squared: the square of the jump of ``σ'`` at 0, for piecewise linear σ.
        height_squared: at least ``B0² = sup σ²``; None when σ is not known to be bounded.
    """

    training: Training
    slope_squared: Fraction
    curvature_squared: Fraction | None
    monotone: bool
    jump_squared: Fraction = Fraction(0)
    height_squared: Fraction | None = None


def hidden_training(setting: Setting) -> TwoLayer:
    """Return the network if the theorems about trained hidden weights apply; reject it by name of the hypothesis."""
    return _two_layer(setting, "hidden")


def both_training(setting: Setting) -> TwoLayer:
    """Return the network if the theorems about two trained layers apply: a gaussian start, σ in C² and bounded."""
    network = _two_layer(setting, "both")
    if network.curvature_squared is None or network.height_squared is None:
        raise Rejection("hypothesis", "the activation must be bounded and in C²")
    return network


def trained(setting: Setting) -> TwoLayer:
    """Return the network with whichever layers are trained: for rules that only combine their premises."""
    return _two_layer(setting, "both" if setting.problem.network.train == "both" else "hidden")


def _two_layer(setting: Setting, train: str) -> TwoLayer:
    problem = setting.problem
    network, training = problem.network, problem.training
    if training is None:
        raise Rejection("outside-theorem", "the problem says nothing of a width and an initialisation")
    for name, needed, found in (
        ("depth", "1", str(network.depth)),
        ("train", train, network.train),
        ("bias", "0", str(network.bias)),
        ("weight_std", "1", str(network.weight_std)),
        ("input_scale", "1", network.input_scale),
    ):
        if needed != found:
            raise Rejection("outside-theorem", f"the theorem is about another {name}", needed, found)
    if train == "hidden" and training.init == "gaussian":
        raise Rejection("outside-theorem", "with trained hidden weights the output weights are ±1", "±1", "gaussian")
    if train == "both" and training.init != "gaussian":
        raise Rejection("outside-theorem", "with both layers trained a start is normal", "gaussian", training.init)
    return TwoLayer(training, *activation_facts(network.activation), height_squared(network.activation))


def height_squared(text: str) -> Fraction | None:
    """Return an upper bound of ``sup σ²``; None if none is known."""
    if split_activation(text)[0] in ("erf", "sin", "cos"):
        return Fraction(1)
    expression = expression_of(text)
    height = None if expression is None else _suprema(expression)[0]
    return None if height is None else height**2


@lru_cache(maxsize=64)
def _suprema(expression: str) -> tuple[Fraction | None, ...]:
    """Return upper bounds of ``sup|σ|``, ``sup|σ'|``, ``sup|σ''|``, None where none is known."""
    try:
        return tuple(found.upper for found in suprema(expression, Intervals(64)))
    except (ValueError, ArithmeticError) as error:
        raise Rejection("hypothesis", f"no bounds of the derivatives of the activation: {error}") from None


def activation_facts(text: str) -> tuple[Fraction, Fraction | None, bool, Fraction]:
    """Return bounds of ``sup σ'²`` and ``sup σ''²`` (None if not C²), whether ``σ' ≥ 0``, and its squared jump."""
    name, slope = split_activation(text)
    if name in ("relu", "leaky_relu", "abs"):
        below = {"relu": Fraction(0), "abs": Fraction(-1)}.get(name, slope or Fraction(0))
        return max(Fraction(1), below**2), None, below >= 0, (1 - below) ** 2
    if name == "erf":  # σ' = (2/√π) e^{−z²}, and |σ''| is largest, (2/√π)√(2/e), at z = 1/√2
        square = upper(lambda numbers, x: 4 * x / numbers.pi, 1)
        return square, upper(lambda numbers, x: 8 / (numbers.pi * numbers.exp(x)), 1), True, Fraction(0)
    if name == "identity":
        return Fraction(1), Fraction(0), True, Fraction(0)
    if name in ("sin", "cos"):
        return Fraction(1), Fraction(1), False, Fraction(0)
    expression = expression_of(text)
    if expression is None:
        raise Rejection("outside-theorem", f"no derivative bounds for the activation {name}")
    _, steepest, bend = _suprema(expression)
    if steepest is None or bend is None:
        raise Rejection("hypothesis", f"no finite bounds of the derivatives of {text[:60]} are known")
    return steepest**2, bend**2, name in INCREASING, Fraction(0)


def lambda_zero(premise: Proved) -> Fraction:
    """Return the lower bound ``λ_0 > 0`` on ``λ_min(H∞)`` that a premise states."""
    claim = premise.claim
    if not isinstance(claim, EigenvalueBound) or (claim.matrix, claim.eigenvalue, claim.side) != (
        "kernel",
        "min",
        "lower",
    ):
        raise Rejection("bad-premises", "a premise must be a lower bound on lambda_min of the kernel")
    if claim.value <= 0:
        raise Rejection("hypothesis", "the limit kernel must be positive definite", "lambda_0 > 0", str(claim.value))
    return claim.value


def inputs_norm_squared(premise: Proved) -> Fraction:
    """Return the upper bound on ``‖X‖²`` that a premise states."""
    claim = premise.claim
    if not isinstance(claim, EigenvalueBound) or (claim.matrix, claim.eigenvalue, claim.side) != (
        "inputs",
        "max",
        "upper",
    ):
        raise Rejection("bad-premises", "a premise must be an upper bound on lambda_max of the inputs")
    return claim.value


def value(premise: Proved, quantity: str) -> Fraction:
    """Return the value of a premise that bounds ``quantity``."""
    claim = premise.claim
    if not isinstance(claim, Bound) or claim.quantity != quantity:
        raise Rejection("bad-premises", f"a premise must bound {quantity}")
    return claim.value

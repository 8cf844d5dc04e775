"""What the convergence rules ask of a problem and of their premises.

Trusted.  The theorems are about ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``, either with ``a_r = ±1`` fixed and the hidden
weights trained, or with ``a_r`` standard normal and both layers trained: depth 1, no bias (append a constant column
instead), ``σ_w = 1``, input scale 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.activations.facts import activation_facts, height_squared
from ntkproof.checker.logic.claim import Rejection

if TYPE_CHECKING:
    from ntkproof.checker.logic.rule import Setting
    from ntkproof.checker.problem.training import Training


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

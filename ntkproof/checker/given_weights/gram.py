"""The Gram matrix of the Jacobian of an evaluated network.  Proofs: ``docs/proofs/given-weights.md``, section 3.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.arithmetic.scalars import root
from ntkproof.checker.given_weights.evaluation import BACKWARD, Evaluation, Layer
from ntkproof.checker.given_weights.norms import FORWARD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.protocols import Arithmetic, Matrix


def gram(arithmetic: Arithmetic, evaluation: Evaluation, precision: int) -> tuple[Matrix, int]:
    """Return `gram_array` as a matrix of the arithmetic."""
    total, radius = gram_array(evaluation, precision)
    return arithmetic.symmetric(len(total), [int(total[i, j]) for i in range(len(total)) for j in range(i + 1)]), radius


def gram_array(evaluation: Evaluation, precision: int) -> tuple[NDArray[Any], int]:
    """Return integers ``A`` and ``R`` with ``‖JJᵀ − 2^-precision A‖ ≤ 2^-precision R``.

    With ``J̃`` the Jacobian of the approximations and ``δ ≥ ‖J − J̃‖_F``, ``‖JJᵀ − J̃J̃ᵀ‖ ≤ 2‖J̃‖δ + δ²``; ``J̃J̃ᵀ`` is
    exact up to the rounding of each layer's entries, less than one unit each.
    """
    layers = list(evaluation.layers.values())
    n = len(layers[0].inputs)
    total = sum((_rounded_gram(layer, precision) for layer in layers), np.zeros((n, n), object))
    rounding = n * len(layers)
    norm = root(Fraction(max(sum(map(abs, row)) for row in total.tolist()) + rounding, 2**precision))
    lost = sum((jacobian_error(layer) for layer in layers), Fraction(0))
    return total, rounding + ceil((2 * norm + lost) * lost * 2**precision)


def _rounded_gram(layer: Layer, precision: int) -> NDArray[Any]:
    """``c² ĝĝᵀ ∘ (a² xxᵀ + β²)``, rounded down."""
    c, a, b = layer.gradient_scale, layer.input_scale / 4**FORWARD, layer.bias
    inputs = layer.inputs * (a.numerator * b.denominator) + b.numerator * a.denominator
    scale = c / 4**BACKWARD / (a.denominator * b.denominator)
    found: NDArray[Any] = (layer.gradients * inputs * (scale.numerator * 2**precision)) // scale.denominator
    return found


def row_norms(layer: Layer) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Return bounds of ``max_i ‖g_i‖`` (kinks left out) and ``max_i ‖f_i‖``, and of the errors of both."""
    gradient = root(layer.gradient_scale * Fraction(int(layer.gradients.diagonal().max()), 4**BACKWARD))
    inputs = root(layer.input_scale * Fraction(int(layer.inputs.diagonal().max()), 4**FORWARD) + layer.bias)
    gradient_error = root(layer.gradient_scale * layer.gradient_error)
    input_error = root(layer.input_scale * layer.input_error)
    return gradient + gradient_error, inputs + input_error, gradient_error, input_error


def jacobian_error(layer: Layer) -> Fraction:
    """``‖J_l − J̃_l‖_F``: ``‖g⊗f − g̃⊗f̃‖ ≤ ‖g − g̃‖‖f‖ + ‖g̃‖‖f − f̃‖`` for each of the n rows."""
    gradient, inputs, gradient_error, input_error = row_norms(layer)
    rows = root(Fraction(len(layer.inputs)))
    return rows * (gradient_error * inputs + gradient * input_error) + root(layer.gradient_scale * layer.kinks) * inputs

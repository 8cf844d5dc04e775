"""What a network with given weights does on the data: outputs, and the Gram matrix of its Jacobian.

Trusted.  Everything is in fixed point: activations in units of ``2^-FORWARD``, back-propagated vectors in units of
``2^-BACKWARD``, each array with one bound on the error of its entries, in its units.  Proofs:
``docs/proofs/given-weights.md``, sections 2 and 3.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.activations.facts import activation_facts
from ntkproof.checker.activations.values import activation_values
from ntkproof.checker.arithmetic.scalars import root, root_below
from ntkproof.checker.given_weights.norms import BLOCK, FORWARD, peak, product_error
from ntkproof.checker.logic.budget import spend
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.problem.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.fixed import Ints
    from ntkproof.checker.arithmetic.protocols import Arithmetic, Fixed, Tick
    from ntkproof.checker.problem.problem import Problem

BACKWARD = 36


@dataclass(frozen=True)
class Layer:
    """A trained layer: row i of its part of the Jacobian is ``g_i ⊗ f_i``.

    ``g_i = c ĝ_i`` are the back-propagated vectors and ``f_i = (a x_i, β)`` the inputs of the layer, β only with a
    trained bias.

    Args:
        gradients: the Gram matrix of approximations of ``ĝ_i``, in units of ``4^-BACKWARD``.
        gradient_scale: ``c²``.
        gradient_error: a bound of ``‖ĝ_i − its approximation‖²``, for every i.
        kinks: at least ``Σ_i`` of what entries of ``ĝ_i`` at undecided kinks add to that.
        largest: at least every ``|h|``, ``g = σ'(z) ∘ h``; 0 for the output layer.
        inputs: the Gram matrix of approximations of ``x_i``, in units of ``4^-FORWARD``.
        input_scale: ``a²``.
        input_error: a bound of ``‖x_i − its approximation‖²``, for every i.
        bias: ``β²``, 0 without a trained bias.
    """

    gradients: Ints
    gradient_scale: Fraction
    gradient_error: Fraction
    kinks: Fraction
    largest: Fraction
    inputs: Ints
    input_scale: Fraction
    input_error: Fraction
    bias: Fraction


@dataclass(frozen=True)
class Evaluation:
    """A network on the data: ``|r_i − residual[i]| ≤ residual_error`` and its trained layers by number from 1."""

    residual: tuple[Fraction, ...]
    residual_error: Fraction
    layers: dict[int, Layer]


@dataclass
class _Sums:
    """What one layer adds up over blocks of neurons."""

    gradients: Any
    inputs: Any
    gradient_error: Fraction = Fraction(0)
    kinks: Fraction = Fraction(0)
    largest: Fraction = Fraction(0)
    input_error: Fraction = Fraction(0)


@contextmanager
def fitting() -> Iterator[None]:
    """Reject, ``no-enclosure``, numbers that do not fit the fixed point."""
    try:
        yield
    except OverflowError as error:
        raise Rejection("no-enclosure", f"the network's numbers are too large: {error}") from None


class Evaluator:
    """Evaluates a network, layer by layer, in blocks of hidden neurons if it has one hidden layer.

    Args:
        arithmetic, problem: the data, the network and the arithmetic.
        weights: the weights; by themselves, not those of the problem.
        tick: called with (done, total) hidden neurons.

    Raises:
        Rejection: ``hypothesis``, ``outside-theorem``, ``no-enclosure``: the activation or the numbers do not allow it.
    """

    def __init__(self, arithmetic: Arithmetic, problem: Problem, weights: Weights, tick: Tick) -> None:
        self.numbers: Fixed = arithmetic.fixed
        self.arithmetic = arithmetic
        self.network, self.weights, self.tick = problem.network, weights, tick
        slope, curvature, _, jump = activation_facts(self.network.activation)
        if curvature is None and self.network.depth > 1:
            raise Rejection("hypothesis", "with more than one hidden layer the activation must be in C²")
        self.slope, self.curvature, self.jump = root(slope), root(curvature or Fraction(0)), jump
        self.smooth = curvature is not None
        self.dataset = problem.dataset
        self.fan_in = [len(layer[0]) for layer in weights.layers]
        if weights.mirrored:
            self.fan_in[1] *= 2

    def scale(self, layer: int) -> Fraction:
        """Return the square of what multiplies ``W^layer``: ``σ_w²`` or ``σ_w²/n_{layer−1}``."""
        unscaled = layer == 1 and self.network.input_scale == "1"
        return self.network.sigma_w**2 / (1 if unscaled else self.fan_in[layer - 1])

    def preactivations(
        self, inputs: Ints, error: int, layer: Ints, bias: NDArray[np.float64] | None
    ) -> tuple[Ints, int]:
        """Return ``x Wᵀ + β b`` and the error of its entries, from inputs off by ``error`` units."""
        z = self.numbers.product(inputs, layer, FORWARD)
        if bias is not None:
            z = z + self.numbers.quantise(bias[None], self.network.beta, FORWARD)
        return z, 1 + product_error(inputs, error, layer, 1, FORWARD)

    def hyperplanes(self) -> Iterator[tuple[Ints, int, NDArray[np.float64]]]:
        """Yield, block by block, ``z^1`` of every sample, its error, and the first row of ``W²``."""
        with fitting():
            inputs = self.numbers.quantise(self.dataset.inputs, Fraction(1), FORWARD)
            for block in self.blocks():
                layer = self.numbers.quantise(block.layers[0], root(self.scale(1)), FORWARD)
                bias = block.biases[0] if block.biases else None
                yield *self.preactivations(inputs, 1, layer, bias), block.layers[1][0]

    def blocks(self) -> Iterator[Weights]:
        """Yield the weights in blocks of hidden neurons (the output bias with each); all of them if it is deep."""
        weights = self.weights
        if self.network.depth > 1:
            yield weights
            return
        hidden, output = weights.layers
        for first in range(0, len(hidden), BLOCK):
            part = slice(first, first + BLOCK)
            biases = tuple(bias[part] if k == 0 else bias for k, bias in enumerate(weights.biases))
            yield Weights((hidden[part], output[:, part]), biases)
            self.tick(min(first + BLOCK, len(hidden)), len(hidden))

    @fitting()
    def run(self) -> Evaluation:
        """Return the outputs and the trained layers."""
        n, depth, sizes = self.dataset.n, self.network.depth, [layer.shape for layer in self.weights.layers]
        spend(n * sum(a * b // 2 + 100 * a + n * b // 16 for a, b in sizes))
        trained = {"hidden": (1,), "both": (1, 2)}.get(self.network.train, tuple(range(1, depth + 2)))
        sums = {k: _Sums(self.numbers.grams(n), self.numbers.grams(n)) for k in trained}
        inputs = self.numbers.quantise(self.dataset.inputs, Fraction(1), FORWARD)
        if 1 in sums:
            sums[1].inputs.add(inputs)
            sums[1].input_error = _square(1, self.dataset.d, FORWARD)
        outputs, error = np.zeros(n, object), 0
        for block in self.blocks():
            passed = Pass(self, block, inputs)
            outputs += passed.outputs[:, 0].astype(object)
            error += passed.output_error
            passed.add(sums)
        if self.weights.mirrored:
            outputs, error = outputs * 0, 0
        residual, bound = self._residual(outputs, error)
        return Evaluation(residual, bound, {k: self._layer(k, total) for k, total in sums.items()})

    def _residual(self, outputs: NDArray[Any], error: int) -> tuple[tuple[Fraction, ...], Fraction]:
        """From ``Σ_r W_r x_r`` to ``f − y``: the scale is known up to a relative 2^-150 or so."""
        square, unit = self.scale(self.network.depth + 1), Fraction(1, 2**FORWARD)
        scale = root(square)
        doubt = scale - root_below(square)
        biases, last = self.weights.biases, self.network.depth
        bias = self.network.beta * Fraction(float(biases[last][0])) if len(biases) > last else Fraction(0)
        targets = self.dataset.targets
        if targets is None:
            raise Rejection("outside-theorem", "the dataset has no targets")
        sums = [Fraction(int(t)) * unit for t in outputs]
        residual = tuple(scale * t + bias - Fraction(y) for t, y in zip(sums, targets.tolist(), strict=True))
        return residual, scale * error * unit + doubt * max(map(abs, sums))

    def _layer(self, layer: int, sums: _Sums) -> Layer:
        n, last = self.dataset.n, self.network.depth + 1
        copies = 2 if self.weights.mirrored else 1
        ones = np.full((n, n), 4**BACKWARD, object)
        with_bias = len(self.weights.biases) >= layer
        return Layer(
            ones if layer == last else sums.gradients.total() * copies,
            Fraction(1) if layer == last else self.scale(last),
            sums.gradient_error * copies,
            sums.kinks * copies,
            sums.largest,
            sums.inputs.total() * (copies if layer == 2 else 1),
            self.scale(layer),
            sums.input_error * (copies if layer == 2 else 1),
            self.network.beta**2 if with_bias else Fraction(0),
        )


@dataclass(frozen=True)
class Back:
    """The vectors ``ĝ = σ'(z) ∘ ĥ`` and ``ĥ`` of a layer, in units of ``2^-BACKWARD`` and ``2^-unit``, with errors."""

    layer: int
    gradients: Ints
    error: int
    before: Ints
    before_error: int
    unit: int

    @property
    def largest(self) -> Fraction:
        """At least every ``|ĥ|``."""
        return Fraction(peak(self.before) + self.before_error, 2**self.unit)


class Pass:
    """Forward and backward through one block."""

    def __init__(self, of: Evaluator, weights: Weights, inputs: Ints) -> None:
        numbers, depth = of.numbers, of.network.depth
        scales = [root(of.scale(k)) if k <= depth else Fraction(1) for k in range(1, depth + 2)]
        self.of = of
        self.layers = [numbers.quantise(w, s, FORWARD) for w, s in zip(weights.layers, scales, strict=True)]
        self.inputs, self.input_errors = [inputs], [1]
        self.slopes: list[Ints] = []
        self.slope_errors: list[int] = []
        self.undecided: list[int] = []
        for k in range(depth):
            bias = weights.biases[k] if k < len(weights.biases) else None
            z, error = of.preactivations(self.inputs[k], self.input_errors[k], self.layers[k], bias)
            values, slopes, rounding = activation_values(
                of.arithmetic, of.network.activation, int64(z), FORWARD, FORWARD
            )
            self.inputs.append(numbers.integers(values))
            self.input_errors.append(rounding + ceil(of.slope * error))
            self.slopes.append(numbers.integers(slopes))
            self.slope_errors.append(rounding + ceil(of.curvature * error))
            self.undecided.append(0 if of.smooth else int((np.abs(z) <= error).sum()))
        self.outputs = numbers.product(self.inputs[depth], self.layers[depth], FORWARD)
        self.output_error = product_error(self.inputs[depth], self.input_errors[depth], self.layers[depth], 1, FORWARD)

    def add(self, sums: dict[int, _Sums]) -> None:
        """Add the Gram matrices of this block to those of the trained layers."""
        of = self.of
        for back in self.backward():
            total = sums.get(back.layer)
            if total is None:
                continue
            if back.layer > 1:
                inputs, error = self.inputs[back.layer - 1], self.input_errors[back.layer - 1]
                total.inputs.add(inputs)
                total.input_error += _square(error, inputs.shape[1], FORWARD)
            if back.layer <= of.network.depth:
                total.gradients.add(back.gradients)
                total.gradient_error += _square(back.error, back.gradients.shape[1], BACKWARD)
                total.largest = max(total.largest, back.largest)
                total.kinks += of.jump * back.largest**2 * self.undecided[back.layer - 1]

    def backward(self) -> Iterator[Back]:
        """Yield the back-propagated vectors of every layer, the output layer first."""
        numbers, depth = self.of.numbers, self.of.network.depth
        ones = numbers.integers(np.full((len(self.inputs[0]), 1), 2**BACKWARD, np.int64))
        yield Back(depth + 1, ones, 0, ones, 0, BACKWARD)
        before, error, unit = self.layers[depth], 1, FORWARD  # h in units of 2^-unit
        for k in range(depth, 0, -1):
            slopes, slope_error = self.slopes[k - 1], self.slope_errors[k - 1]
            shift = FORWARD + unit - BACKWARD
            gradients = numbers.times(slopes, before, shift)
            largest = peak(before) + error
            lost = 1 + ceil(Fraction(peak(slopes) * error + largest * slope_error, 2**shift))
            yield Back(k, gradients, lost, before, error, unit)
            if k > 1:
                across = self.layers[k - 1].T
                before = numbers.product(gradients, across.copy(), FORWARD)
                error, unit = product_error(gradients, lost, across, 1, FORWARD), BACKWARD


def _square(error: int, count: int, p: int) -> Fraction:
    """The square of the norm of so many errors of so many units of ``2^-p``."""
    return Fraction(error * error * count, 4**p)


def int64(values: Ints) -> NDArray[np.int64]:
    """Return integers as int64; OverflowError from 2^62 on."""
    if peak(values) >= 2**62:
        raise OverflowError("a preactivation is too large")
    return values.astype(np.int64)


# A point nearby --------------------------------------------------------------------------------------------------

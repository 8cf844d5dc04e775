"""What a network with given weights does on the data: outputs, and the Gram matrix of its Jacobian.

Trusted.  Everything is in fixed point: activations in units of ``2^-FORWARD``, back-propagated vectors in units of
``2^-BACKWARD``, each array with one bound on the error of its entries, in its units.  Proofs:
``docs/proofs/given-weights.md``, sections 2 and 3.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, frexp, isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.activations.facts import activation_facts
from ntkproof.checker.activations.values import activation_values
from ntkproof.checker.arithmetic.scalars import root, root_below
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.fixed import Ints
    from ntkproof.checker.arithmetic.protocols import Arithmetic, Fixed, Matrix, Tick
    from ntkproof.checker.problem.problem import Problem

FORWARD = 40
BACKWARD = 36
NORM_BITS = 40
BLOCK = 2**13  # hidden neurons that are evaluated together when there is one hidden layer
FEW = 2**10  # rows whose Gram matrix may be in Python integers


Norms = tuple[tuple[Fraction, ...], ...]


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

    def factors(self) -> Factors:
        """Return what the Jacobians between the layers of a deep network are made of."""
        inputs = self.numbers.quantise(self.dataset.inputs, Fraction(1), FORWARD)
        return Factors(_Pass(self, self.weights, inputs))

    def preactivations(
        self, inputs: Ints, error: int, layer: Ints, bias: NDArray[np.float64] | None
    ) -> tuple[Ints, int]:
        """Return ``x Wᵀ + β b`` and the error of its entries, from inputs off by ``error`` units."""
        z = self.numbers.product(inputs, layer, FORWARD)
        if bias is not None:
            z = z + self.numbers.quantise(bias[None], self.network.beta, FORWARD)
        return z, 1 + _product_error(inputs, error, layer, 1, FORWARD)

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
        n, depth = self.dataset.n, self.network.depth
        trained = {"hidden": (1,), "both": (1, 2)}.get(self.network.train, tuple(range(1, depth + 2)))
        sums = {k: _Sums(self.numbers.grams(n), self.numbers.grams(n)) for k in trained}
        inputs = self.numbers.quantise(self.dataset.inputs, Fraction(1), FORWARD)
        if 1 in sums:
            sums[1].inputs.add(inputs)
            sums[1].input_error = _square(1, self.dataset.d, FORWARD)
        outputs, error = np.zeros(n, object), 0
        for block in self.blocks():
            passed = _Pass(self, block, inputs)
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
class _Back:
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
        return Fraction(_peak(self.before) + self.before_error, 2**self.unit)


class _Pass:
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
                of.arithmetic, of.network.activation, _int64(z), FORWARD, FORWARD
            )
            self.inputs.append(numbers.integers(values))
            self.input_errors.append(rounding + ceil(of.slope * error))
            self.slopes.append(numbers.integers(slopes))
            self.slope_errors.append(rounding + ceil(of.curvature * error))
            self.undecided.append(0 if of.smooth else int((np.abs(z) <= error).sum()))
        self.outputs = numbers.product(self.inputs[depth], self.layers[depth], FORWARD)
        self.output_error = _product_error(self.inputs[depth], self.input_errors[depth], self.layers[depth], 1, FORWARD)

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

    def backward(self) -> Iterator[_Back]:
        """Yield the back-propagated vectors of every layer, the output layer first."""
        numbers, depth = self.of.numbers, self.of.network.depth
        ones = numbers.integers(np.full((len(self.inputs[0]), 1), 2**BACKWARD, np.int64))
        yield _Back(depth + 1, ones, 0, ones, 0, BACKWARD)
        before, error, unit = self.layers[depth], 1, FORWARD  # h in units of 2^-unit
        for k in range(depth, 0, -1):
            slopes, slope_error = self.slopes[k - 1], self.slope_errors[k - 1]
            shift = FORWARD + unit - BACKWARD
            gradients = numbers.times(slopes, before, shift)
            largest = _peak(before) + error
            lost = 1 + ceil(Fraction(_peak(slopes) * error + largest * slope_error, 2**shift))
            yield _Back(k, gradients, lost, before, error, unit)
            if k > 1:
                across = self.layers[k - 1].T
                before = numbers.product(gradients, across.copy(), FORWARD)
                error, unit = _product_error(gradients, lost, across, 1, FORWARD), BACKWARD


def norm_squared(numbers: Fixed, a: Ints, rounds: int = 6) -> Fraction:
    """Return at least ``‖a‖²``: ``‖B‖² = ‖BBᵀ‖`` again and again, the largest row sum at the end.

    Each ``BBᵀ`` is rounded to about `NORM_BITS` bits; entries off by 3 units move the norm by 3 units per row.
    """
    if len(a) > a.shape[1]:
        a = a.T
    shift = max(0, (_peak(a) ** 2 * a.shape[1]).bit_length() - NORM_BITS)
    squared = _squared(numbers, a, shift)
    if rounds == 0:
        norm = Fraction(int(np.abs(squared).sum(axis=1).max()))
    else:
        norm = root(norm_squared(numbers, squared, rounds - 1))
    return Fraction((norm + 3 * len(a)) * 2**shift)


def _squared(numbers: Fixed, a: Ints, shift: int) -> Ints:
    """Return integers ``C`` with ``|C − 2^-shift a aᵀ| ≤ 3`` entry by entry; if rows are few and long, in blocks."""
    if a.shape[1] <= BLOCK or len(a) > FEW:
        return numbers.product(a, a, shift)
    sums = numbers.grams(len(a))
    for first in range(0, a.shape[1], BLOCK):
        sums.add(a[:, first : first + BLOCK])
    rounded = (sums.total() + (1 << shift >> 1)) >> shift
    return numbers.integers(rounded.astype(np.int64))


def _square(error: int, count: int, p: int) -> Fraction:
    """The square of the norm of so many errors of so many units of ``2^-p``."""
    return Fraction(error * error * count, 4**p)


class Factors:
    """``D_l = diag σ'(z^l)`` of each sample and ``S_l W^l``; ``∂x^l/∂z^j = D_l S_l W^l D_{l−1} … D_j``.

    ``steepest[l]``: at least every ``|σ'(z^l)|``, layers counted from 0.
    """

    def __init__(self, passed: _Pass) -> None:
        self.passed = passed
        pairs = zip(passed.slopes, passed.slope_errors, strict=True)
        self.steepest = tuple(Fraction(_peak(slopes) + error, 2**FORWARD) for slopes, error in pairs)

    def norms(self) -> tuple[Norms, Norms, Norms, Norms]:
        """Return, for layers j < l, the largest over the samples of three norms, and a fourth for j ≤ l.

        Of ``∂z^l/∂z^j``, of its longest row, of ``∂x^l/∂z^j``; and ``Σ_{m≥l} ‖D_m ∂z^m/∂z^l‖ ‖D_m ∂z^m/∂z^j‖`` with
        ``D_m = diag |ĥ^m|^{1/2}``.
        """
        of, slopes, errors = self.passed.of, self.passed.slopes, self.passed.slope_errors
        depth, n = of.network.depth, of.dataset.n
        backward = list(self.passed.backward())[:0:-1]
        links, rows, paths = ([[Fraction(0)] * layer for layer in range(depth)] for _ in range(3))
        bends = [[Fraction(0)] * (layer + 1) for layer in range(depth)]
        for sample in range(n):
            found: list[Rounded] = []  # ∂x^{layer−1}/∂z^j, j < layer − 1
            weighted: list[list[Fraction]] = []  # ‖D_m ∂z^m/∂z^j‖, j ≤ m
            for layer in range(depth):
                weights, linked = Rounded(self.passed.layers[layer], 1), []
                if layer:
                    linked = [weights.after(of.numbers, path) for path in found]
                    linked.append(weights.scaled(of.numbers, slopes[layer - 1][sample][None], errors[layer - 1]))
                found = [link.scaled(of.numbers, slopes[layer][sample][:, None], errors[layer]) for link in linked]
                roots = _roots(backward[layer], sample)
                column = of.numbers.integers(np.array(roots, np.int64))[:, None]
                weighted.append([link.scaled(of.numbers, column, 0).norm(of.numbers) for link in linked])
                weighted[layer].append(Fraction(max(roots), 2**FORWARD))
                for j in range(layer):
                    links[layer][j] = max(links[layer][j], linked[j].norm(of.numbers))
                    rows[layer][j] = max(rows[layer][j], linked[j].longest_row(of.numbers))
                    paths[layer][j] = max(paths[layer][j], found[j].norm(of.numbers))
            for layer in range(depth):
                for j in range(layer + 1):
                    bend = sum((row[layer] * row[j] for row in weighted[layer:]), Fraction(0))
                    bends[layer][j] = max(bends[layer][j], bend)
            of.tick(sample + 1, n)
        found_norms = (tuple(map(tuple, lists)) for lists in (links, rows, paths, bends))
        return next(found_norms), next(found_norms), next(found_norms), next(found_norms)


def _roots(back: _Back, sample: int) -> list[int]:
    """Return at least ``|ĥ_r|^{1/2}`` for one sample, in units of ``2^-FORWARD``."""
    row = back.before[sample if len(back.before) > 1 else 0]
    shift = 2 * FORWARD - back.unit
    return [isqrt((abs(int(h)) + back.before_error) << shift) + 1 for h in row]


@dataclass(frozen=True)
class Rounded:
    """A matrix in units of ``2^-FORWARD``, each entry off by at most ``error`` units."""

    values: Ints
    error: int

    def scaled(self, numbers: Fixed, by: Ints, error: int) -> Rounded:
        """Return the product with a diagonal matrix, given as a row or a column."""
        lost = _peak(self.values) * error + _peak(by) * self.error + self.error * error
        return Rounded(numbers.times(self.values, by, FORWARD), 1 + ceil(Fraction(lost, 2**FORWARD)))

    def after(self, numbers: Fixed, first: Rounded) -> Rounded:
        """Return this matrix times ``first``."""
        across = first.values.T.copy()
        error = _product_error(self.values, self.error, across, first.error, FORWARD)
        return Rounded(numbers.product(self.values, across, FORWARD), error)

    def norm(self, numbers: Fixed) -> Fraction:
        """Return at least its norm."""
        size = root(Fraction(self.values.size))
        return Fraction(root(norm_squared(numbers, self.values)) + self.error * size, 2**FORWARD)

    def longest_row(self, numbers: Fixed) -> Fraction:
        """Return at least the norm of its longest row."""
        count = self.values.shape[1]
        shift = max(0, 2 * _peak(self.values).bit_length() - NORM_BITS)
        squares = _row_sum(numbers.times(self.values, self.values, shift)) + count
        return Fraction(root(Fraction(squares << shift)) + self.error * root(Fraction(count)), 2**FORWARD)


def _product_error(a: Ints, a_error: int, b: Ints, b_error: int, shift: int) -> int:
    """A bound on the error of a rounded ``2^-shift a bᵀ`` whose factors have these errors."""
    spread = _row_sum(b) * a_error + _row_sum(a) * b_error + a.shape[1] * a_error * b_error
    return 3 + ceil(Fraction(spread, 2**shift))


def _peak(a: Ints) -> int:
    return max(int(a.max()), -int(a.min()))


def _row_sum(a: Ints) -> int:
    """At least the largest ``Σ_j |a_ij|``."""
    bound = _peak(a) * a.shape[1]
    return bound if bound >= 2**62 else int(np.abs(a).sum(axis=1).max())


def _int64(values: Ints) -> NDArray[np.int64]:
    if _peak(values) >= 2**62:
        raise OverflowError("a preactivation is too large")
    return values.astype(np.int64)


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


# A point nearby --------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")  # what is too large is refused
def moved(evaluator: Evaluator, coefficients: list[Fraction]) -> Weights:
    """Return weights near ``θ_0 + J_0ᵀc``, in rounded float64: whatever they are, they are a point.

    Those of mirrored neurons are written out: both halves, the second with the opposite output weights.

    Raises:
        Rejection: ``bad-witness``: the coefficients are too large for float64 numbers.
    """
    weights, network = evaluator.weights, evaluator.network
    inputs = evaluator.numbers.quantise(evaluator.dataset.inputs, Fraction(1), FORWARD)
    layers, biases = [layer.copy() for layer in weights.layers], [bias.copy() for bias in weights.biases]
    trained = {"hidden": (1,), "both": (1, 2)}.get(network.train, tuple(range(1, network.depth + 2)))
    first = 0
    try:
        c = np.array([float(value) for value in coefficients])
        for block in evaluator.blocks():
            passed, part = _Pass(evaluator, block, inputs), slice(first, first + len(block.layers[0]))
            first = part.stop if network.depth == 1 else 0
            for back in passed.backward():
                if back.layer not in trained:
                    continue
                rows = part if back.layer == 1 and network.depth == 1 else slice(None)
                columns = part if back.layer == 2 and network.depth == 1 else slice(None)
                last = back.layer == network.depth + 1
                size = 1.0 if last else float(root(evaluator.scale(network.depth + 1)))
                g = c[:, None] * (back.gradients.astype(np.float64) * (size * 2.0**-BACKWARD))
                x = passed.inputs[back.layer - 1].astype(np.float64) * 2.0**-FORWARD
                layers[back.layer - 1][rows, columns] += float(root(evaluator.scale(back.layer))) * (g.T @ x)
                if len(biases) >= back.layer and not (last and part.start):
                    biases[back.layer - 1][rows] += float(network.beta) * g.sum(axis=0)
        if weights.mirrored:
            layers, biases = _both_halves(weights, layers, biases)
        return Weights(tuple(layers), tuple(biases))
    except (InputError, OverflowError) as error:
        raise Rejection("bad-witness", f"the coefficients lead to no point: {error}") from None


def _both_halves(
    weights: Weights, layers: list[NDArray[np.float64]], biases: list[NDArray[np.float64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """The hidden weights of the second half move the other way, its output weights the same way."""
    hidden, output = weights.layers
    both = [np.vstack([layers[0], 2 * hidden - layers[0]]), np.hstack([layers[1], layers[1] - 2 * output])]
    return both, [
        np.concatenate([bias, 2 * old - bias]) if k == 0 else bias
        for k, (bias, old) in enumerate(zip(biases, weights.biases, strict=True))
    ]


@np.errstate(all="ignore")
def distance(weights: Weights, point: Weights) -> Fraction:
    """Return at least the distance of two lists of weights, the second written out in full."""
    layers, biases = list(weights.layers), list(weights.biases)
    if weights.mirrored:
        layers = [np.vstack([layers[0]] * 2), np.hstack([layers[1], -layers[1]])]
        biases = [np.concatenate([bias] * 2) if k == 0 else bias for k, bias in enumerate(biases)]
    total = Fraction(0)
    for one, other in zip((*layers, *biases), (*point.layers, *point.biases), strict=True):
        gap = np.abs(one - other)  # rounded, by at most 2^-53 of itself
        largest = float(gap.max())
        if largest == 0:
            continue
        if not largest < 2.0**500:
            raise Rejection("bad-witness", "the point is too far away")
        unit = 2.0 ** max(frexp(largest)[1] - 26, -1000)
        integers = np.ceil(gap / unit).astype(np.int64).ravel()  # at most 2^26 + 1
        squares = sum(int((part * part).sum()) for part in np.array_split(integers, 1 + len(integers) // 256))
        total += squares * Fraction(unit) ** 2
    return root(total) * (1 + Fraction(1, 2**52))

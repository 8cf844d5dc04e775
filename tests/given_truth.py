"""Networks with given weights in Arb balls, written from the definition, at the precision the caller has set.

σ is written once, over power series: its derivatives are their coefficients.  `Truth` back-propagates, with mirrored
neurons written out; `derivatives` differentiates the output by every parameter in turn, forward, and judges it.
Norms and eigenvalues are Rayleigh quotients of approximate vectors: a lower bound of the norm, an upper one of λ_min.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat, arb_series

from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights

BITS = 200


def ball(value: Fraction | int | float) -> arb:
    value = Fraction(value)
    return arb(flint.fmpq(value.numerator, value.denominator))


# Activations ----------------------------------------------------------------------------------------------------

SMOOTH: dict[str, Callable[[arb_series], arb_series]] = {
    "erf": lambda x: x.erf(),
    "tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: (1 + x.exp()).log(),
    "gelu": lambda x: x * (1 + (x / arb(2).sqrt()).erf()) / 2,
    "sin": lambda x: x.sin(),
    "identity": lambda x: x,
}
KINKED = {"relu": Fraction(0), "leaky_relu(0.3)": Fraction(3, 10), "leaky_relu(-2)": Fraction(-2), "abs": Fraction(-1)}


def activation(name: str, x: arb_series, at_kink: Fraction) -> arb_series:
    """Return σ of a power series; at a kink the slope is ``at_kink`` of the way from the left to the right one."""
    if name in SMOOTH:
        return SMOOTH[name](x)
    left, here = KINKED[name], x[0]
    if here > 0:
        return x
    if here < 0:
        return ball(left) * x
    if here != 0:
        raise ValueError("the sign is not known")
    return ball(left + at_kink * (1 - left)) * x


def jet(name: str, x: arb, at_kink: Fraction) -> tuple[arb, arb, arb]:
    """Return σ, σ', σ''."""
    found = activation(name, arb_series([x, 1], prec=3), at_kink)
    return found[0], found[1], 2 * found[2]


# Networks -------------------------------------------------------------------------------------------------------


def written_out(weights: Weights) -> tuple[list[list[list[Any]]], list[list[Any]]]:
    """Return the exact layers and biases as nested lists, both halves of a mirrored network."""
    layers = [[[ball(v) for v in row] for row in layer.tolist()] for layer in weights.layers]
    biases = [[ball(v) for v in bias.tolist()] for bias in weights.biases]
    if weights.mirrored:
        hidden, (output,) = layers
        layers = [hidden + [list(row) for row in hidden], [output + [-a for a in output]]]
        biases = [bias * 2 if k == 0 else bias for k, bias in enumerate(biases)]
    return layers, biases


def scales(network: Network, layers: list[list[list[Any]]]) -> list[arb]:
    """Return what multiplies the weights of each layer."""
    fans = [len(layer[0]) for layer in layers]
    if network.input_scale == "1":
        fans[0] = 1
    return [ball(network.sigma_w) / arb(fan).sqrt() for fan in fans]


def trained(network: Network) -> int:
    """Number of trained layers, counted from the first."""
    return 1 if network.train == "hidden" else network.depth + 1


def dot(u: Iterable[Any], v: Iterable[Any]) -> Any:
    return sum((a * b for a, b in zip(u, v, strict=True)), arb(0))


def length(v: Iterable[arb]) -> arb:
    v = list(v)
    square = dot(v, v)
    return square.sqrt() if square > 0 else arb(0).union(square.abs_upper().sqrt())


class Truth:
    """The network of a problem at some weights; layers are counted from 0, the output is the last, ``depth``.

    ``values[i][l]`` are the inputs of layer l, ``gradients[i][l]`` and ``spikes[i][l]`` the derivatives of the output
    by ``z^l`` and by ``σ(z^l)``, ``slopes[i][l]`` and ``bends[i][l]`` are σ' and σ'' at ``z^l``.
    """

    def __init__(self, problem: Problem, weights: Weights | None = None, at_kink: Fraction = Fraction(1)) -> None:
        self.network, self.dataset = problem.network, problem.dataset
        weights = weights or problem.weights
        assert weights is not None
        self.depth, self.trained, self.beta = self.network.depth, trained(self.network), ball(self.network.beta)
        self.layers, self.biases = written_out(weights)
        self.scales = scales(self.network, self.layers)
        self.outputs: list[arb] = []
        self.values: list[list[list[arb]]] = []
        self.slopes: list[list[list[arb]]] = []
        self.bends: list[list[list[arb]]] = []
        self.spikes: list[list[list[arb]]] = []
        self.gradients: list[list[list[arb]]] = []
        for row in self.dataset.inputs.tolist():
            self._forward([ball(v) for v in row], at_kink)
            self._backward()

    def _forward(self, x: list[arb], at_kink: Fraction) -> None:
        values, jets, z = [x], [], x
        for k in range(self.depth + 1):
            z = [self.scales[k] * dot(row, values[k]) for row in self.layers[k]]
            if k < len(self.biases):
                z = [a + self.beta * b for a, b in zip(z, self.biases[k], strict=True)]
            if k < self.depth:
                jets.append([jet(self.network.activation, a, at_kink) for a in z])
                values.append([value for value, _, _ in jets[k]])
        self.outputs.append(z[0])
        self.values.append(values)
        self.slopes.append([[slope for _, slope, _ in found] for found in jets])
        self.bends.append([[bend for _, _, bend in found] for found in jets])

    def _backward(self) -> None:
        gradients: list[list[arb]] = [[arb(1)]]
        spikes: list[list[arb]] = []
        for k in reversed(range(self.depth)):
            spikes.append([self.scales[k + 1] * dot(c, gradients[-1]) for c in zip(*self.layers[k + 1], strict=True)])
            gradients.append([s * h for s, h in zip(self.slopes[-1][k], spikes[-1], strict=True)])
        self.spikes.append(spikes[::-1])
        self.gradients.append(gradients[::-1])

    @property
    def residual(self) -> list[arb]:
        assert self.dataset.targets is not None
        return [f - ball(y) for f, y in zip(self.outputs, self.dataset.targets.tolist(), strict=True)]

    def features(self, layer: int) -> arb_mat:
        """Rows ``(s x, β)``, β only with a trained bias."""
        bias = [self.beta] if layer < len(self.biases) else []
        return arb_mat([[self.scales[layer] * x for x in values[layer]] + bias for values in self.values])

    def sensitivities(self, layer: int) -> arb_mat:
        return arb_mat([gradients[layer] for gradients in self.gradients])

    @cached_property
    def jacobian(self) -> arb_mat:
        """Its rows: ``g ⊗ (s x, β)``, layer by layer."""
        parts = [paired(self.sensitivities(k), self.features(k)).tolist() for k in range(self.trained)]
        return arb_mat([list(chain.from_iterable(row)) for row in zip(*parts, strict=True)])

    @cached_property
    def kernel(self) -> arb_mat:
        return self.jacobian * self.jacobian.transpose()

    def link(self, sample: int, upper: int, lower: int) -> arb_mat:
        """``∂z^upper/∂z^lower``."""
        found = diagonal([arb(1)] * len(self.layers[lower]))
        for k in range(lower, upper):
            step = arb_mat([[self.scales[k + 1] * w for w in row] for row in self.layers[k + 1]])
            found = step * diagonal(self.slopes[sample][k]) * found
        return found

    def path(self, sample: int, upper: int, lower: int) -> arb_mat:
        """``∂x/∂z^lower``, x the outputs of hidden layer ``upper``."""
        return diagonal(self.slopes[sample][upper]) * self.link(sample, upper, lower)

    def bend(self, sample: int, one: int, other: int) -> arb_mat:
        """``∂g^one/∂z^other = Σ_m (∂z^m/∂z^one)ᵀ diag(σ''(z^m) ∘ h^m) ∂z^m/∂z^other``, one ≥ other."""
        total = arb_mat(len(self.layers[one]), len(self.layers[other]))
        for m in range(one, self.depth):
            middle = [b * h for b, h in zip(self.bends[sample][m], self.spikes[sample][m], strict=True)]
            total += self.link(sample, m, one).transpose() * diagonal(middle) * self.link(sample, m, other)
        return total


def derivatives(problem: Problem) -> list[list[arb]]:
    """Return the Jacobian row by row, each entry from a pass forward in power series of one parameter."""
    network, weights = problem.network, problem.weights
    assert weights is not None
    layers, biases = written_out(weights)
    factors, beta, depth = scales(network, layers), ball(network.beta), network.depth

    def slope(x: list[Any]) -> arb:
        for k, layer in enumerate(layers):
            z = [factors[k] * dot(row, x) for row in layer]
            if k < len(biases):
                z = [a + beta * b for a, b in zip(z, biases[k], strict=True)]
            x = [activation(network.activation, arb_series(a, prec=2), Fraction(1)) for a in z] if k < depth else z
        return arb_series(x[0], prec=2)[1]

    found = []
    for sample in problem.dataset.inputs.tolist():
        inputs, row = [ball(v) for v in sample], []
        for k in range(trained(network)):
            for r, weight in enumerate(layers[k]):
                places = [(weight, j) for j in range(len(weight))] + ([(biases[k], r)] if k < len(biases) else [])
                for group, j in places:
                    kept = group[j]
                    group[j] = arb_series([kept, 1], prec=2)
                    row.append(slope(inputs))
                    group[j] = kept
        found.append(row)
    return found


# Norms ----------------------------------------------------------------------------------------------------------


def diagonal(entries: list[arb]) -> arb_mat:
    n = len(entries)
    return arb_mat([[entries[i] if i == j else arb(0) for j in range(n)] for i in range(n)])


def paired(a: arb_mat, b: arb_mat) -> arb_mat:
    """Rows ``a_i ⊗ b_i``."""
    return arb_mat([[x * y for x in u for y in v] for u, v in zip(a.tolist(), b.tolist(), strict=True)])


def floats(matrix: arb_mat) -> Any:
    return np.array([[float(x.mid()) for x in row] for row in matrix.tolist()])


def norm(matrix: arb_mat) -> arb:
    """At most ``‖M‖``, and within about 1e-30 of it."""
    v = [ball(x) for x in np.linalg.svd(floats(matrix))[2][0].tolist()]
    return length((matrix * arb_mat([[x] for x in v])).entries()) / length(v)


def smallest(matrix: arb_mat) -> arb:
    """At least ``λ_min(M)``, and within about 1e-30 ‖M‖ of it."""
    v = [ball(x) for x in np.linalg.eigh(floats(matrix))[1][:, 0].tolist()]
    column = arb_mat([[x] for x in v])
    return (column.transpose() * matrix * column)[0, 0] / dot(v, v)


def row_lengths(matrix: arb_mat) -> list[arb]:
    """The norms of the rows."""
    return [length(row) for row in matrix.tolist()]


def largest(values: Iterable[arb]) -> arb:
    """The ball with the largest midpoint."""
    return max(values, key=lambda value: value.mid())


def _sharp(truth: arb) -> bool:
    return bool(truth.rad() < 2.0**-80 * (1 + abs(truth.mid())))


def within(value: Fraction | int, truth: arb, error: Fraction | int) -> bool:
    """Whether ``|value − truth| ≤ error`` as far as 200 bits can tell; they must tell a lot."""
    return _sharp(truth) and not abs(ball(value) - truth) > ball(error)


def above(bound: Fraction | int, truth: arb) -> bool:
    """Whether ``bound ≥ truth`` as far as 200 bits can tell."""
    return _sharp(truth) and not ball(bound) < truth


def near(bound: Fraction | int, truth: arb, relative: float = 1e-8, absolute: float = 1e-8) -> bool:
    """Whether a bound is an upper one and close to the truth."""
    return above(bound, truth) and bool(ball(bound) < truth * (1 + relative) + absolute)


# Problems -------------------------------------------------------------------------------------------------------


def given(
    inputs: Any, layers: Iterable[Any], biases: Iterable[Any] = (), mirrored: bool = False, **network: Any
) -> Problem:
    """Return a problem whose targets are 1, −1, 1, …"""
    inputs = np.array(inputs, float)
    targets = np.where(np.arange(len(inputs)) % 2, -1.0, 1.0)
    weights = Weights(tuple(np.array(w, float) for w in layers), tuple(np.array(b, float) for b in biases), mirrored)
    return Problem(Dataset(inputs, targets), Network(**{"train": "hidden", **network}), "ntk", None, weights)


def random_problem(seed: int, widest: int = 6, spread: tuple[float, ...] = (0.3, 1, 3)) -> Problem:
    """Return a small network: activations and depths in turn, the rest at random."""
    random = np.random.default_rng(seed)
    names = [*SMOOTH, *KINKED]
    name = names[seed % len(names)]
    depth = 1 if name in KINKED else 1 + (seed // len(names)) % 4
    train = "all" if depth > 1 else ("hidden", "both", "all")[int(random.integers(3))]
    bias = ("0", "0.1", "1.5")[int(random.integers(3))]
    n, sizes = int(random.integers(2, 6)), [*map(int, random.integers(1, widest + 1, depth + 1)), 1]
    layers = [random.normal(size=(b, a)) * random.choice(spread) for a, b in pairwise(sizes)]
    count = 0 if bias == "0" else depth + 1 if train == "all" else 1
    return given(
        random.normal(size=(n, sizes[0])) * random.choice(spread),
        layers,
        [random.normal(size=b) for b in sizes[1:][:count]],
        mirrored=depth == 1 and bool(random.integers(2)),
        activation=name,
        depth=depth,
        train=train,
        bias=bias,
        weight_std=("1", "0.7", "1.4")[int(random.integers(3))],
        input_scale=("1", "fan-in")[int(random.integers(2))],
    )

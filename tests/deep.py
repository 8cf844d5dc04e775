"""Deep networks in floats, written from the definition, and the bounds of their gradients at 60 digits.

Every array of a network may carry leading axes, for many at once.  The bounds solve the recursions of
``docs/proofs/operator-norms.md`` as linear systems; `in_ball_holds` judges a certificate by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import oracle
from scipy.special import erf, expit
from two_layer import MP, mp

Facts = tuple[Any, Any, float, float | None, float, float | None]
ACTIVATIONS: dict[str, Facts] = {  # σ, σ', |σ(0)|, sup|σ|, sup|σ'|, sup|σ''|, by hand
    "identity": (lambda z: z, np.ones_like, 0, None, 1, 0),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0, 0, None, 1, None),
    "abs": (abs, np.sign, 0, None, 1, None),
    "erf": (erf, lambda z: 2 / np.pi**0.5 * np.exp(-z * z), 0, 1, 2 / np.pi**0.5, (8 / np.pi / np.e) ** 0.5),
    "sin": (np.sin, np.cos, 0, 1, 1, 1),
    "cos": (np.cos, lambda z: -np.sin(z), 1, 1, 1, 1),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2, 0, 1, 1, 4 / 27**0.5),
    "softplus": (lambda z: np.logaddexp(0, z), expit, float(np.log(2)), None, 1, 0.25),
}


def facts(name: str) -> Facts:
    """Return the entry of an activation of the table, or of a leaky ReLU."""
    if not name.startswith("leaky_relu("):
        return ACTIVATIONS[name]
    a = float(name[11:-1])
    return (lambda z: np.where(z > 0, z, a * z), lambda z: np.where(z > 0, 1.0, a), 0, None, max(1, abs(a)), None)


@dataclass(frozen=True)
class Shape:
    """``D`` hidden layers of width m, d inputs, and the hyperparameters."""

    depth: int
    width: int
    inputs: int
    activation: str
    bias: float = 0.0
    weight_std: float = 1.0
    fan_in: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.inputs, *[self.width] * self.depth, 1

    @property
    def parameters(self) -> int:
        return sum(b * (a + 1) for a, b in pairwise(self.sizes))

    def scale(self, layer: int) -> float:
        fan = self.sizes[layer] if layer or self.fan_in else 1
        return self.weight_std / fan**0.5

    def split(self, theta: Any) -> list[tuple[Any, Any]]:
        """Return ``(W^l, b^l)``, l = 1 … D + 1, of a vector of all parameters."""
        found, at = [], 0
        for a, b in pairwise(self.sizes):
            weights = theta[..., at : at + a * b].reshape(*theta.shape[:-1], b, a)
            found.append((weights, theta[..., at + a * b : at + a * b + b]))
            at += b * (a + 1)
        return found

    def norms(self, theta: Any) -> tuple[list[Any], list[Any]]:
        """Return ``‖W^l‖`` and ``‖b^l‖``."""
        layers = self.split(theta)
        return [np.linalg.norm(w, 2, (-2, -1)) for w, _ in layers], [np.linalg.norm(b, axis=-1) for _, b in layers]

    def output(self, theta: Any, x: Any) -> Any:
        """Return ``f(x; θ)``."""
        for layer, (w, b) in enumerate(self.split(theta)):
            x = facts(self.activation)[0](x) if layer else x
            x = self.scale(layer) * (w @ x[..., None])[..., 0] + self.bias * b
        return x[..., 0]

    def gradient(self, theta: Any, x: Any) -> Any:
        """Return ``∇_θ f(x; θ)`` by backpropagation."""
        layers, inputs, slopes = self.split(theta), [], []
        for layer, (w, b) in enumerate(layers):
            if layer:
                slopes.append(facts(self.activation)[1](x))
                x = facts(self.activation)[0](x)
            inputs.append(x)
            x = self.scale(layer) * (w @ x[..., None])[..., 0] + self.bias * b
        g, blocks = np.ones_like(x), []
        for layer in reversed(range(len(layers))):
            weights = self.scale(layer) * g[..., :, None] * inputs[layer][..., None, :]
            blocks[:0] = [weights.reshape(*g.shape[:-1], -1), self.bias * g]
            if layer:
                back = np.swapaxes(layers[layer][0], -1, -2) @ g[..., None]
                g = slopes[layer - 1] * self.scale(layer) * back[..., 0]
        return np.concatenate(blocks, -1)


# Bounds at 60 digits --------------------------------------------------------------------------------------------

SUPREMA = {"erf": (2 / MP.sqrt(MP.pi), MP.sqrt(8 / MP.pi / MP.e)), "tanh": (MP.mpf(1), 4 / MP.sqrt(27))}


def squared_bounds(shape: Shape, weights: list[Any], biases: list[Any], radius: Any, squares: list[Any]) -> list[Any]:
    """Return the squares of the bounds of gradient and Hessian (None for a kink) of samples with these ``‖x‖²``."""
    _, _, _, height, _, _ = facts(shape.activation)
    omega = [mp(w) + radius for w in weights]
    offset = [mp(str(shape.bias)) * (mp(b) + radius) for b in biases] if shape.bias else [MP.mpf(0)] * len(omega)
    found = []
    for square in squares:
        variants = [_squared_bounds(shape, omega, offset, square, bounded) for bounded in {False, height is not None}]
        found.append(tuple(None if None in both else min(both) for both in zip(*variants, strict=True)))
    return found


def _squared_bounds(shape: Shape, omega: list[Any], offset: list[Any], square: Any, bounded: bool) -> tuple[Any, Any]:
    count, (_, _, zero, height, b1, b2) = shape.depth + 1, facts(shape.activation)
    b1, b2 = SUPREMA.get(shape.activation, (MP.mpf(b1), None if b2 is None else MP.mpf(b2)))
    zero, root, beta = MP.log(2) if shape.activation == "softplus" else zero, MP.sqrt(shape.width), mp(str(shape.bias))
    s = [mp(str(shape.weight_std)) / (MP.sqrt(shape.inputs) if shape.fan_in else 1)]
    s += [mp(str(shape.weight_std)) / root] * shape.depth
    g = [MP.fprod(b1 * s[k] * omega[k] for k in range(layer + 1, count)) for layer in range(count)]
    x = [MP.sqrt(square)]
    for k in range(shape.depth):
        line = zero * root + b1 * (s[k] * omega[k] * x[-1] + offset[k])
        x.append(height * root if bounded else line)
    a = [MP.sqrt((s[k] * x[k]) ** 2 + beta**2) for k in range(count)]
    gradient = MP.fsum((g[k] * a[k]) ** 2 for k in range(count))
    if b2 is None:
        return gradient, None
    below, above = MP.matrix(count), MP.matrix(count)  # ζ^l from ζ^{l−1}, and γ^l from γ^{l+1}
    for k in range(1, count):
        below[k, k - 1] = above[k - 1, k] = b1 * s[k] * omega[k]
    zeta = (MP.eye(count) - below) ** -1 * MP.diag(a)
    source = MP.matrix(count)
    for k in range(shape.depth):
        for j in range(count):
            source[k, j] = b2 * s[k + 1] * omega[k + 1] * g[k + 1] * zeta[k, j]
        source[k, k + 1] += b1 * s[k + 1] * g[k + 1]
    blocks = MP.diag(a) * (MP.eye(count) - above) ** -1 * source
    for k in range(1, count):
        for j in range(count):
            blocks[k, j] += s[k] * g[k] * b1 * zeta[k - 1, j]
    return gradient, MP.fsum(entry**2 for entry in blocks)


def in_ball_holds(document: dict[str, Any]) -> bool:
    """Whether a bound in a ball around a gaussian start follows from the data, with the radius of its last step."""
    problem, claim, steps = document["problem"], document["conclusion"]["claim"], {}
    for step in document["steps"]:
        steps[step["id"]] = step
    last = steps[document["conclusion"]["step"]]
    first = steps[last["uses"][0]]
    network, training = problem["network"], problem["training"]
    if (network["train"], training["init"], problem["kernel"]) != ("all", "gaussian", "ntk"):
        return False
    rows = oracle.array(problem["dataset"]["inputs"])
    shape = Shape(
        network["depth"], int(training["width"]), rows.shape[1], network["activation"], float(network["bias"]),
        float(network["weight_std"]), network["input_scale"] == "fan-in",
    )  # fmt: skip
    p, radius = mp(first["args"]["failure"]), mp(last["args"]["radius"])
    if first["rule"] != "gaussian_norms" or not (0 < p < 1 and radius > 0):
        return False
    events = (shape.depth + 1) * (2 if shape.bias else 1)
    t, roots = MP.sqrt(2 * MP.log(events / p)), [MP.sqrt(size) for size in shape.sizes]
    ends = list(pairwise(roots))
    squares = [MP.fsum(mp(v) ** 2 for v in row) for row in rows.tolist()]
    norms = [Fraction(MP.nstr(below + above + t, 58)) for below, above in ends]
    biases = [Fraction(MP.nstr(above + t, 58)) for _, above in ends]
    found = squared_bounds(shape, norms, biases, radius, squares)
    names, which = {"gradient_bound": (("gradient", "jacobian"), 0), "hessian_bound": (("hessian", "lipschitz"), 1)}[
        last["rule"]
    ]
    if last["rule"] != claim["kind"] or found[0][which] is None:
        return False
    truth = MP.sqrt(max(x[which] for x in found)), MP.sqrt(MP.fsum(x[which] for x in found))
    enough = all(mp(claim[name]) >= value * (1 - MP.mpf(10) ** -50) for name, value in zip(names, truth, strict=True))
    return enough and mp(claim["radius"]) <= radius and p <= mp(claim["failure"]) < 1

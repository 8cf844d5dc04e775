"""Networks with given weights in floats, written from the definition, and problems about them.

Every array of trained parameters may carry leading axes, for many at once.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import two_layer
from scipy.special import erf, expit

from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import exact
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.theorems.instance import certify_instance

SMOOTH = ("erf", "tanh", "sigmoid", "softplus", "gelu", "sin")
KINKED = ("relu", "abs", "leaky_relu(0.25)", "leaky_relu(-3)")


def density(z: Any) -> Any:
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def sigma(name: str, z: Any) -> Any:
    if name in ("sigmoid", "softplus", "gelu"):
        return {"sigmoid": expit(z), "softplus": np.logaddexp(0, z), "gelu": z * (1 + erf(z / 2**0.5)) / 2}[name]
    return two_layer.sigma(name, z)


def sigma_prime(name: str, z: Any) -> Any:
    if name in ("softplus", "gelu"):
        return {"softplus": expit(z), "gelu": (1 + erf(z / 2**0.5)) / 2 + z * density(z)}[name]
    return two_layer.sigma_prime(name, z)


class Net:
    """The trained parameters of a problem as one vector; mirrored neurons are written out."""

    def __init__(self, problem: Problem) -> None:
        network, weights = problem.network, problem.weights
        assert weights is not None
        self.x, self.y = problem.dataset.inputs, problem.dataset.targets
        self.name, self.beta, self.step = network.activation, float(network.beta), weights.step_size
        self.layers, self.biases = list(weights.layers), list(weights.biases)
        if weights.mirrored:
            self.layers = [np.vstack([self.layers[0]] * 2), np.hstack([self.layers[1], -self.layers[1]])]
            self.biases[:1] = [np.concatenate([bias] * 2) for bias in self.biases[:1]]
        self.trained = {"hidden": 1, "both": 2}.get(network.train, len(self.layers))
        fan = [w.shape[1] if k or network.input_scale == "fan-in" else 1 for k, w in enumerate(self.layers)]
        self.scales = [float(network.sigma_w) / f**0.5 for f in fan]
        parts = [*self.layers[: self.trained], *self.biases[: self.trained]]
        self.start = np.concatenate([part.ravel() for part in parts])

    def split(self, theta: Any) -> tuple[list[Any], list[Any]]:
        layers, biases, at = list(self.layers), list(self.biases), 0
        for arrays in (layers, biases):
            for k in range(min(self.trained, len(arrays))):
                shape, size = arrays[k].shape, arrays[k].size
                arrays[k] = theta[..., at : at + size].reshape(*theta.shape[:-1], *shape)
                at += size
        return layers, biases

    def forward(self, theta: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the layers, their inputs of shape (…, n, n_l), and the preactivations, the outputs last."""
        layers, biases = self.split(theta)
        x, inputs, z = self.x, [], []
        for k, (w, s) in enumerate(zip(layers, self.scales, strict=True)):
            inputs.append(x)
            z.append(s * x @ np.swapaxes(w, -1, -2))
            if k < len(biases):
                z[-1] = z[-1] + self.beta * biases[k][..., None, :]
            x = sigma(self.name, z[-1])
        return layers, inputs, z

    def residual(self, theta: Any) -> Any:
        return self.forward(theta)[2][-1][..., 0] - self.y

    def jacobian(self, theta: Any) -> Any:
        layers, inputs, z = self.forward(theta)
        g, blocks, shifts = np.ones_like(z[-1]), [], []
        for k in reversed(range(len(layers))):
            if k < self.trained:
                block = self.scales[k] * g[..., :, None] * inputs[k][..., None, :]
                blocks[:0] = [block.reshape(*block.shape[:-2], -1)]
                shifts[:0] = [self.beta * g] if k < len(self.biases) else []
            if k:
                g = sigma_prime(self.name, z[k - 1]) * (self.scales[k] * g @ layers[k])
        return np.concatenate([*blocks, *shifts], -1)


def norm(matrices: Any) -> Any:
    return np.linalg.norm(matrices, 2, axis=(-2, -1))


# Problems -------------------------------------------------------------------------------------------------------


def instance(
    seed: int,
    activation: str = "erf",
    sizes: tuple[int, ...] = (2, 40, 1),
    noise: float = 0.01,
    samples: int = 2,
    mirrored: bool = False,
    step_size: str | None = None,
    **network: Any,
) -> Problem:
    """Return a problem with random weights whose outputs miss the targets by ``noise`` or so."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, sizes[0]))
    x /= np.linalg.norm(x, axis=1)[:, None] / rng.uniform(0.7, 1.3, samples)[:, None]
    depth = len(sizes) - 2
    about = Network(activation, **{"train": "hidden" if depth == 1 else "all", "depth": depth, **network})
    layers = tuple(rng.standard_normal((b, a)) for a, b in pairwise(sizes))
    count = 0 if about.beta == 0 else len(layers) if about.train == "all" else 1
    biases = tuple(rng.standard_normal(layer.shape[0]) for layer in layers[:count])
    weights = Weights(layers, biases, mirrored, step_size)
    bare = Problem(Dataset(x, np.zeros(samples)), about, "ntk", weights=weights)
    net = Net(bare)
    targets = net.residual(net.start) + noise * rng.standard_normal(samples)
    return Problem(Dataset(x, targets), about, "ntk", weights=weights)


@cache
def certified(problem: Problem, form: str | None = None) -> Certificate:
    """Return a certificate of convergence; InputError if there is none."""
    return certify_instance(problem.dataset, problem.network, problem.weights, form=form)  # type: ignore[arg-type]


def train(residual: Any, jacobian: Any, theta: Any, step: float, eta: float | None, steps: int) -> Any:
    """Yield (time or steps, θ) of descent with step η, or of the flow by the classical Runge–Kutta method."""

    def slope(at: Any) -> Any:
        return -jacobian(at).T @ residual(at)

    for k in range(steps + 1):
        yield k * step if eta is None else k, theta
        if eta is not None:
            theta = theta + eta * slope(theta)
            continue
        a = slope(theta)
        b = slope(theta + step / 2 * a)
        c = slope(theta + step / 2 * b)
        theta = theta + step / 6 * (a + 2 * b + 2 * c + slope(theta + step * c))


def tightness(residual: Any, jacobian: Any, start: Any, claim: Any, eta: float | None, steps: int) -> Any:
    """Train, and return the largest ratios to what a convergence claims: of the loss, of movement of θ and of H.

    The first is of ``L/L(0)`` to what is allowed where that is above 1e-18, from the first step on.
    """
    r, j = residual(start), jacobian(start)
    h, loss = j @ j.T, r @ r
    rate, radius, drift = (float(claim[name]) for name in ("rate", "radius", "kernel_deviation"))
    worst = np.zeros(3)
    step = min(0.1 / norm(j) ** 2, 12 / max(rate, 1e-9) / steps) if eta is None else 0.0
    for t, theta in train(residual, jacobian, start, step, eta, steps):
        r, j = residual(theta), jacobian(theta)
        allowed = np.exp(-rate * t) if eta is None else (1 - eta * rate) ** t
        part = r @ r / loss / allowed if t > 0 and allowed > 1e-18 else 0.0
        moved = norm(j @ j.T - h)
        changed = moved / drift if drift > 0 else float(moved > 1e-12) * 2
        worst = np.maximum(worst, (part, np.linalg.norm(theta - start) / radius, changed))
    return worst


def obeys(problem: Problem, certificate: Certificate, steps: int = 200) -> Any:
    """Return `tightness` of a certificate about a network."""
    net = Net(problem)
    eta = None if net.step is None else float(exact(net.step))
    assert problem.weights is not None
    return tightness(net.residual, net.jacobian, net.start, certificate.conclusion, eta, steps)


def number(text: float | str) -> Fraction:
    return Fraction(str(text))

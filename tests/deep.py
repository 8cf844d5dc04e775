"""Deep networks in floats, written from the definition; every array may carry leading axes, for many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf, expit

# σ, σ', |σ(0)|, sup|σ|, sup|σ'|, sup|σ''|, by hand
ACTIVATIONS: dict[str, tuple[Any, Any, float, float | None, float, float | None]] = {
    "identity": (lambda z: z, np.ones_like, 0, None, 1, 0),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0, 0, None, 1, None),
    "abs": (abs, np.sign, 0, None, 1, None),
    "leaky_relu(-2)": (lambda z: np.where(z > 0, z, -2 * z), lambda z: np.where(z > 0, 1.0, -2.0), 0, None, 2, None),
    "erf": (erf, lambda z: 2 / np.pi**0.5 * np.exp(-z * z), 0, 1, 2 / np.pi**0.5, (8 / np.pi / np.e) ** 0.5),
    "sin": (np.sin, np.cos, 0, 1, 1, 1),
    "cos": (np.cos, lambda z: -np.sin(z), 1, 1, 1, 1),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2, 0, 1, 1, 4 / 27**0.5),
    "softplus": (lambda z: np.logaddexp(0, z), expit, float(np.log(2)), None, 1, 0.25),
}


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
        return sum(b * (a + 1) for a, b in zip(self.sizes, self.sizes[1:], strict=False))

    def scale(self, layer: int) -> float:
        fan = self.sizes[layer] if layer or self.fan_in else 1
        return self.weight_std / fan**0.5

    def split(self, theta: Any) -> list[tuple[Any, Any]]:
        """Return ``(W^l, b^l)``, l = 1 … D + 1, of a vector of all parameters."""
        found, at = [], 0
        for a, b in zip(self.sizes, self.sizes[1:], strict=False):
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
            x = ACTIVATIONS[self.activation][0](x) if layer else x
            x = self.scale(layer) * (w @ x[..., None])[..., 0] + self.bias * b
        return x[..., 0]

    def gradient(self, theta: Any, x: Any) -> Any:
        """Return ``∇_θ f(x; θ)`` by backpropagation."""
        layers, inputs, slopes = self.split(theta), [], []
        for layer, (w, b) in enumerate(layers):
            if layer:
                slopes.append(ACTIVATIONS[self.activation][1](x))
                x = ACTIVATIONS[self.activation][0](x)
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

"""Networks of finite width in float64: outputs, gradients and the empirical tangent kernel.

The network is that of `Network`, ``z^{l+1} = F_l W^{l+1}ᵀ + β b^{l+1}`` with the *features*
``F_0 = σ_w s X`` and ``F_l = σ_w n_l^{-1/2} σ(z^l)``, samples as rows, ``f = z^{D+1}``; its weights are
`Weights`, whose entries are standard normal at a random start.  With ``G_l``, the matrix of
``∂f(x_i)/∂z^l``, the gradient of ``f(x_i)`` in ``W^l`` is ``G_l[i] ⊗ F_{l−1}[i]``, so the empirical kernel needs no
Jacobian (Jacot et al. 2018, section 3)::

    H = J Jᵀ = Σ_l (G_l G_lᵀ) ∘ (F_{l−1} F_{l−1}ᵀ + β² [b^l trained])

Parametrisations
----------------
A parametrisation writes the entries of ``W^l`` as ``q_l`` times native parameters, those of ``b^l`` likewise, and the
output as ``γ`` times f.  Training, the Jacobian and distances are about the native parameters; one step of gradient
descent with step size η on them is one with step sizes ``η q_l²`` on the W and b.

===========  ==========================  ===============================  =======
name         γ                           q of ``W^l``                     q of b
===========  ==========================  ===============================  =======
``ntk``      1                           1                                1
``standard`` 1                           ``1/(σ_w s)``, ``√n_{l−1}/σ_w``  ``1/β``
``mup``      ``m^{-1/2}``                ``√m``                           ``√m``
===========  ==========================  ===============================  =======

``standard``: native weights ``N(0, σ_w²/n_{l−1})`` (``N(0, σ_w² s²)`` in the first layer), no scales in the network.
``mup``, maximal update (Yang and Hu 2021, Table 1, SGD): in their terms native weights ``w ~ N(0, 1/m)``, multipliers
``√m`` in the first layer, 1 between hidden layers and ``m^{-1/2}`` in the last.  That is ``γ`` and q above, term by
term, for hidden layers of one width m; for others m is here the width of the last.  For one hidden layer it is the
mean-field scaling ``f = m^{-1} Σ a_r σ(w_r·x)`` with step size ηm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.simulation.activations import activation
from ntkproof.simulation.initialization import bias_vectors, unmirrored

Floats = NDArray[np.float64]

PARAMETRISATIONS = ("ntk", "standard", "mup")


# The network as a function of its parameters ---------------------------------------------------------------------


@dataclass(frozen=True)
class Trace:
    """What one pass forward and one backward leave at some parameters θ; lists over the layers 1 … D + 1.

    Args:
        outputs: ``f(x_i)``, shape (n,).
        features: ``F_{l−1}`` times ``q_l``, shape (n, n_{l−1}).
        gradients: ``∂f(x_i)/∂z^l``, shape (n, n_l).
        preactivations: ``z^l`` of the hidden layers, shape (n, n_l).
    """

    outputs: Floats
    features: tuple[Floats, ...]
    gradients: tuple[Floats, ...]
    preactivations: tuple[Floats, ...]


@dataclass(frozen=True)
class Block:
    """Where the native parameters of one array are in θ: ``kind`` ``W`` or ``b`` of the layer l."""

    kind: str
    layer: int
    shape: tuple[int, ...]
    part: slice


class Model:
    """A network on fixed inputs as a function of its trained native parameters θ, a vector of length P.

    Args:
        network: the network; ``network.train`` says which parameters are trained.
        weights: where it starts; what is not trained stays as it is there.
        inputs: X, shape (n, d).
        parametrisation: ``ntk``, ``standard`` or ``mup``.

    Raises:
        InputError: weights that do not fit the network or the inputs.
    """

    def __init__(self, network: Network, weights: Weights, inputs: Floats, parametrisation: str = "ntk") -> None:
        if parametrisation not in PARAMETRISATIONS:
            raise InputError(f"unknown parametrisation {parametrisation!r}; there are {', '.join(PARAMETRISATIONS)}")
        weights = unmirrored(weights)
        _check_fit(network, weights, inputs)
        self.network = network
        self.parametrisation = parametrisation
        self._evaluate = activation(network.activation)
        self._layers, self._biases = weights.layers, weights.biases
        sizes = [layer.shape[1] for layer in weights.layers]
        self._scales = _feature_scales(network, sizes)
        self._weight_factors, self._bias_factor, self._output_factor = _native(network, sizes, parametrisation)
        self._beta = float(network.beta) * self._bias_factor
        self._first = np.asarray(inputs, dtype=np.float64) * (self._scales[0] * self._weight_factors[0])
        self.blocks = tuple(self._find_blocks())

    def _find_blocks(self) -> Iterator[Block]:
        end = 0
        for kind, arrays in (("W", self._layers), ("b", self._biases)):
            for layer, array in enumerate(arrays, 1):
                if _is_trained(self.network, kind, layer):
                    start, end = end, end + array.size
                    yield Block(kind, layer, array.shape, slice(start, end))

    @property
    def parameters(self) -> int:
        """P, the number of trained parameters."""
        return int(self.blocks[-1].part.stop)

    @cached_property
    def start(self) -> Floats:
        """θ_0, the native parameters of the weights the model was made with, shape (P,)."""
        theta = np.empty(self.parameters)
        for block in self.blocks:
            array = (self._layers if block.kind == "W" else self._biases)[block.layer - 1]
            np.divide(array.reshape(-1), self._factor(block), out=theta[block.part])
        return theta

    def restricted(self, rows: NDArray[np.int64]) -> Model:
        """Return the same network on some of the samples."""
        part = copy(self)
        part._first = self._first[rows]
        return part

    def weights(self, theta: Floats) -> Weights:
        """Return the weights (entries of order 1, both halves written out) of native parameters."""
        layers, biases = list(self._layers), list(self._biases)
        for block in self.blocks:
            where = layers if block.kind == "W" else biases
            where[block.layer - 1] = theta[block.part].reshape(block.shape) * self._factor(block)
        return Weights(tuple(layers), tuple(biases))

    def _factor(self, block: Block) -> float:
        return self._weight_factors[block.layer - 1] if block.kind == "W" else self._bias_factor

    def _arrays(self, theta: Floats | None) -> tuple[list[Floats], list[Floats | None]]:
        """Return all layers and biases in native units; views of θ where they are trained, of the start if None."""
        layers: list[Floats | None] = [None] * len(self._layers)
        biases: list[Floats | None] = [None] * len(self._layers)
        if theta is not None:
            for block in self.blocks:
                (layers if block.kind == "W" else biases)[block.layer - 1] = theta[block.part].reshape(block.shape)
        for k, layer in enumerate(self._layers):
            if layers[k] is None:
                factor = self._weight_factors[k]
                layers[k] = layer if factor == 1 else layer / factor
        for k, bias in enumerate(self._biases):
            if biases[k] is None:
                biases[k] = bias / self._bias_factor
        return [layer for layer in layers if layer is not None], biases

    def trace(self, theta: Floats | None = None) -> Trace:
        """Run the network forward and backward at native parameters θ, or at the start."""
        layers, biases = self._arrays(theta)
        features, slopes, preactivations = [self._first], [], []
        for k, layer in enumerate(layers[:-1]):
            z = self._affine(features[-1], layer, biases[k])
            value, slope = self._evaluate(z)
            factor = self._scales[k + 1] * self._weight_factors[k + 1]
            if factor != 1:
                value *= factor
            features.append(value)
            slopes.append(slope)
            preactivations.append(z)
        outputs = self._output_factor * self._affine(features[-1], layers[-1], biases[-1])[:, 0]
        gradients = [np.full((len(outputs), 1), self._output_factor)]
        for k in range(len(slopes) - 1, -1, -1):
            slopes[k] *= _propagate(gradients[0], layers[k + 1], self._scales[k + 1] * self._weight_factors[k + 1])
            gradients.insert(0, slopes[k])
        return Trace(outputs, tuple(features), tuple(gradients), tuple(preactivations))

    def outputs(self, theta: Floats) -> Floats:
        """Return ``f(x_i)``, shape (n,)."""
        layers, biases = self._arrays(theta)
        feature = self._first
        for k, layer in enumerate(layers[:-1]):
            feature = self._evaluate(self._affine(feature, layer, biases[k]))[0]
            feature *= self._scales[k + 1] * self._weight_factors[k + 1]
        return self._output_factor * self._affine(feature, layers[-1], biases[-1])[:, 0]

    def _affine(self, feature: Floats, layer: Floats, bias: Floats | None) -> Floats:
        z = feature @ layer.T
        if bias is not None:
            z += self._beta * bias
        return z

    def pull(self, trace: Trace, cotangent: Floats) -> Floats:
        """Return ``Jᵀv`` for v of shape (n,), shape (P,): the vector–Jacobian product."""
        result = np.empty(self.parameters)
        for block in self.blocks:
            gradient = trace.gradients[block.layer - 1]
            out = result[block.part].reshape(block.shape)
            if block.kind == "b":
                np.matmul(self._beta * cotangent, gradient, out=out)
            else:
                np.matmul((gradient * cotangent[:, None]).T, trace.features[block.layer - 1], out=out)
        return result

    def push(self, trace: Trace, tangent: Floats) -> Floats:
        """Return ``Jv`` for v of shape (P,), shape (n,): the Jacobian–vector product."""
        result = np.zeros(len(trace.outputs))
        for block in self.blocks:
            gradient, change = trace.gradients[block.layer - 1], tangent[block.part].reshape(block.shape)
            if block.kind == "b":
                result += self._beta * (gradient @ change)
            else:
                result += np.einsum("ir,ir->i", gradient, trace.features[block.layer - 1] @ change.T)
        return result

    def kernel(self, trace: Trace) -> Floats:
        """Return the empirical tangent kernel ``J Jᵀ``, shape (n, n), from two Gram matrices a layer."""
        n = len(trace.outputs)
        result = np.zeros((n, n))
        for layer in sorted({block.layer for block in self.blocks}):
            trained = {block.kind for block in self.blocks if block.layer == layer}
            feature, gradient = trace.features[layer - 1], trace.gradients[layer - 1]
            term = feature @ feature.T if "W" in trained else np.zeros((n, n))
            if "b" in trained:
                term += self._beta**2
            if layer <= len(trace.preactivations):
                term *= gradient @ gradient.T
            else:
                term *= self._output_factor**2
            result += term
        return result

    def jacobian(self, trace: Trace) -> Floats:
        """Return J, shape (n, P)."""
        result = np.empty((len(trace.outputs), self.parameters))
        for block in self.blocks:
            gradient = trace.gradients[block.layer - 1]
            if block.kind == "b":
                result[:, block.part] = self._beta * gradient
            else:
                products = gradient[:, :, None] * trace.features[block.layer - 1][:, None, :]
                result[:, block.part] = products.reshape(len(gradient), -1)
        return result


def _propagate(gradient: Floats, layer: Floats, factor: float) -> Floats:
    """Return ``∂f/∂x`` for the inputs x of a layer; one row for all samples below the one output."""
    if layer.shape[0] == 1:
        return np.asarray((gradient[0, 0] * factor) * layer)
    return np.asarray((factor * gradient) @ layer)


def _is_trained(network: Network, kind: str, layer: int) -> bool:
    if network.train == "all":
        return True
    output = layer == 2 and kind == "W"
    return {"hidden": layer == 1, "output": output, "both": layer == 1 or output}[network.train]


def _feature_scales(network: Network, sizes: Sequence[int]) -> list[float]:
    """Return ``σ_w s`` and the ``σ_w n_l^{-1/2}``; ``sizes`` are n_0 … n_D."""
    sigma = float(network.sigma_w)
    first = sigma / math.sqrt(sizes[0]) if network.input_scale == "fan-in" else sigma
    return [first, *(sigma / math.sqrt(size) for size in sizes[1:])]


def _native(network: Network, sizes: Sequence[int], parametrisation: str) -> tuple[list[float], float, float]:
    """Return the factors ``q_l`` of the layers, that of the biases, and ``γ``."""
    if parametrisation == "standard":
        return [1 / scale for scale in _feature_scales(network, sizes)], 1 / float(network.beta or 1), 1.0
    if parametrisation == "mup":
        root = math.sqrt(sizes[-1])
        return [root] * len(sizes), root, 1 / root
    return [1.0] * len(sizes), 1.0, 1.0


def _check_fit(network: Network, weights: Weights, inputs: Any) -> None:
    if len(weights.layers) != network.depth + 1:
        raise InputError(f"{len(weights.layers)} layers of weights for a network of depth {network.depth}")
    if np.ndim(inputs) != 2 or weights.layers[0].shape[1] != np.shape(inputs)[1]:
        raise InputError(f"W1 takes {weights.layers[0].shape[1]} inputs, the data have shape {np.shape(inputs)}")
    if len(weights.biases) != bias_vectors(network):
        raise InputError(f"{len(weights.biases)} bias vectors where the network has {bias_vectors(network)}")


# For one set of weights ------------------------------------------------------------------------------------------


def outputs(network: Network, weights: Weights, X: Floats, parametrisation: str = "ntk") -> Floats:
    """Return ``f(x_i)``, shape (n,), for inputs of shape (n, d)."""
    model = Model(network, weights, X, parametrisation)
    return model.outputs(model.start)


def gradients(
    network: Network, weights: Weights, X: Floats, parametrisation: str = "ntk"
) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return ``f(x_i)``, shape (n,), and the vector–Jacobian product ``v ↦ Jᵀv``, from (n,) to (P,).

    The P trained native parameters are W¹, W², …, then b¹, b², …, each row by row (`Model.blocks`).
    """
    model = Model(network, weights, X, parametrisation)
    trace = model.trace()
    return trace.outputs, lambda cotangent: model.pull(trace, cotangent)


def jacobian(network: Network, weights: Weights, X: Floats, parametrisation: str = "ntk") -> Floats:
    """Return ``∂f(x_i)/∂θ``, shape (n, P), over the trained native parameters, ordered as in `gradients`."""
    model = Model(network, weights, X, parametrisation)
    return model.jacobian(model.trace())


def empirical_ntk(network: Network, weights: Weights, X: Floats, parametrisation: str = "ntk") -> Floats:
    """Return ``J Jᵀ``, shape (n, n), without forming J; see the top of this module."""
    model = Model(network, weights, X, parametrisation)
    return model.kernel(model.trace())

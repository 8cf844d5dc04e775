"""Random starts of networks of finite width, and mirrored ones written out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.training import INITS
from ntkproof.checker.problem.weights import Weights

Floats = NDArray[np.float64]


def initialise(
    network: Network, inputs: int, widths: int | Sequence[int], init: str, rng: np.random.Generator
) -> Weights:
    """Draw random weights.

    The hidden weights and the biases are standard normal; ``init`` says what the output weights of a network with one
    hidden layer are (`ntkproof.checker.problem.training.Training`).  They are drawn in the order W¹, W², …, b¹, b², …

    Args:
        network: the network.
        inputs: d, the number of inputs.
        widths: the widths of the hidden layers, or one for all; for ``antisymmetric`` both halves count.
        init: ``signs``, ``balanced``, ``antisymmetric`` or ``gaussian``; deep networks are ``gaussian``.
        rng: where the numbers come from.

    Returns:
        The weights; `Weights.mirrored`, one half of them, for ``antisymmetric``.

    Raises:
        InputError: an unknown init, or one that does not fit the depth or the width.
    """
    hidden = [widths] * network.depth if isinstance(widths, int) else list(widths)
    check_init(network, hidden, init)
    if init == "antisymmetric":
        hidden = [hidden[0] // 2]
    sizes = [inputs, *hidden]
    layers = [rng.standard_normal((after, before)) for before, after in pairwise(sizes)]
    layers.append(_output_weights(sizes[-1], init, rng))
    biases = [rng.standard_normal(len(layer)) for layer in layers[: bias_vectors(network)]]
    return Weights(tuple(layers), tuple(biases), mirrored=init == "antisymmetric")


def check_init(network: Network, hidden: Sequence[int], init: str) -> None:
    """Refuse an init that is unknown, or does not fit the depth or the widths of the hidden layers.

    Raises:
        InputError: one of these.
    """
    if init not in INITS:
        raise InputError(f"unknown init {init!r}; there are {', '.join(INITS)}")
    if len(hidden) != network.depth or min(hidden) < 1:
        raise InputError(f"{network.depth} positive widths are needed, not {', '.join(map(str, hidden))}")
    if network.depth > 1 and init != "gaussian":
        raise InputError(f"init={init} is for one hidden layer; deep networks start with init=gaussian")
    if init in ("balanced", "antisymmetric") and hidden[0] % 2:
        raise InputError(f"init={init} needs an even width, not {hidden[0]}")


def _output_weights(width: int, init: str, rng: np.random.Generator) -> Floats:
    if init == "gaussian":
        return rng.standard_normal((1, width))
    if init == "signs":
        return rng.choice([-1.0, 1.0], size=(1, width))
    ones = np.ones((1, width))
    if init == "balanced":
        ones[:, width // 2 :] = -1.0
    return ones


def bias_vectors(network: Network) -> int:
    """Return how many layers have a bias."""
    if network.beta == 0:
        return 0
    return network.depth + 1 if network.train == "all" else 1


def unmirrored(weights: Weights) -> Weights:
    """Return the same weights with both halves of a mirrored network written out."""
    if not weights.mirrored:
        return weights
    first, second = weights.layers
    biases = tuple(np.concatenate([b, b]) for b in weights.biases[:1]) + weights.biases[1:]
    layers = (np.concatenate([first, first]), np.concatenate([second, -second], axis=1))
    return Weights(layers, biases, step_size=weights.step_size)

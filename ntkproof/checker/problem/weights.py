"""The weights a network starts from.

Trusted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from ntkproof.checker.logic.arrays import Source, floats_in
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.logic.reading import Reader, boolean, decimal_text, listed, record
from ntkproof.checker.problem.dataset import float64_array
from ntkproof.checker.problem.network import MAX_DEPTH
from ntkproof.checker.problem.step_size import positive_step

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from ntkproof.checker.problem.problem import Problem

MAX_WEIGHTS = 2**28


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights a network starts from, the float64 numbers themselves, and how it is trained from there.

    They are the ``W`` and ``b`` of `Network` (NTK parametrisation: scales are applied to them, not in them).

    Args:
        layers: ``W¹ … W^{depth+1}``; ``W^l`` of shape ``(n_l, n_{l−1})``, ``n_0`` the inputs, ``n_{depth+1} = 1``.
        biases: ``b^l`` of shape ``(n_l,)``: none for β = 0; else ``b¹`` for ``train`` hidden or both, which have no
            output bias, and ``b¹ … b^{depth+1}`` for ``all``.
        mirrored: for depth 1: the arrays are one half of the hidden neurons, and the other half is the same with
            opposite output weights, so the network starts at 0 (at its output bias, if there is one).
        step_size: the step of gradient descent, or None for gradient flow; the loss is ``½‖f(X) − y‖²``.

    Raises:
        InputError: shapes that do not fit together, absurd sizes, NaN or infinity, or a step size out of range.
    """

    layers: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...] = ()
    mirrored: bool = False
    step_size: Fraction | int | float | str | None = None

    def __post_init__(self) -> None:
        layers = tuple(float64_array(array, f"the weights W{k}", 2) for k, array in enumerate(self.layers, 1))
        biases = tuple(float64_array(array, f"the biases b{k}", 1) for k, array in enumerate(self.biases, 1))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "biases", biases)
        if not 2 <= len(layers) <= MAX_DEPTH + 1:
            raise InputError(f"weights of 2 to {MAX_DEPTH + 1} layers are needed, not {len(layers)}")
        if type(self.mirrored) is not bool or (self.mirrored and len(layers) != 2):
            raise InputError("only networks with one hidden layer can be mirrored")
        for k, (first, second) in enumerate(pairwise(layers), 1):
            if first.size == 0 or second.shape[1] != first.shape[0]:
                raise InputError(f"W{k} of shape {first.shape} does not fit W{k + 1} of shape {second.shape}")
        if layers[-1].shape[0] != 1:
            raise InputError(f"W{len(layers)} must have one row, the one output, not {layers[-1].shape[0]}")
        for k, (layer, bias) in enumerate(zip(layers, biases, strict=False), 1):
            if bias.shape[0] != layer.shape[0]:
                raise InputError(f"b{k} has {bias.shape[0]} entries for the {layer.shape[0]} rows of W{k}")
        if sum(array.size for array in (*layers, *biases)) > MAX_WEIGHTS:
            raise InputError(f"more than {MAX_WEIGHTS} weights")
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive_step(self.step_size))

    def fit(self, problem: Problem) -> None:
        """Raise InputError unless these are weights of the network of a problem, with the inputs of its data."""
        network, inputs = problem.network, self.layers[0].shape[1]
        if network.train == "output":
            raise InputError("given weights are for train=hidden, both or all")
        if len(self.layers) != network.depth + 1:
            raise InputError(f"{len(self.layers)} layers of weights for a network of depth {network.depth}")
        if inputs != problem.dataset.d:
            raise InputError(f"W1 takes {inputs} inputs, the dataset has {problem.dataset.d}")
        biases = 0 if network.beta == 0 else len(self.layers) if network.train == "all" else 1
        if len(self.biases) != biases:
            raise InputError(f"{len(self.biases)} bias vectors where the network has {biases}")

    def __repr__(self) -> str:
        shapes = ", ".join(" x ".join(map(str, array.shape)) for array in (*self.layers, *self.biases))
        return f"Weights({shapes}{', mirrored' if self.mirrored else ''}, sha256 {self.sha256[:16]}…)"

    def facts(self) -> dict[str, str | int]:
        """Return what a verdict says of the weights."""
        step = {} if self.step_size is None else {"step_size": decimal(exact(self.step_size))}
        return {"width": str(self.width), "weights_sha256": self.sha256, **step}

    @property
    def width(self) -> int:
        """Number of hidden neurons of the widest layer, both halves counted."""
        return max(len(layer) for layer in self.layers[:-1]) * (2 if self.mirrored else 1)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of ``mirrored`` if they are, then shape and little-endian float64 of each layer, then each bias."""
        digest = hashlib.sha256(b"mirrored" if self.mirrored else b"")
        for array in (*self.layers, *self.biases):
            digest.update(str(array.shape).encode() + array.astype("<f8").tobytes())
        return digest.hexdigest()


def weights_in(source: Source) -> Reader:
    """Return the reader of ``problem.weights``."""
    layers, biases = (listed(floats_in(source, axes, ("float64", "float32", "float16"))) for axes in (2, 1))
    fields = {"layers": layers, "biases": biases, "mirrored": boolean, "step_size": decimal_text}
    return lambda raw, where: Weights(**record(raw, where, fields, optional=("step_size",)))

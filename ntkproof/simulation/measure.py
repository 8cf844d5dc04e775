"""What is measured along the training of a network of finite width: the quantities that the theory bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.gram import enclose_gram
from ntkproof.simulation.networks import Model
from ntkproof.simulation.training import State

Floats = NDArray[np.float64]

SCALARS = (
    "loss",
    "lambda_min",
    "kernel_norm",
    "kernel_change",
    "limit_distance",
    "parameter_change",
    "neuron_change",
    "flips",
    "most_flips",
    "error",
)


@dataclass(frozen=True, eq=False)
class Limit:
    """The kernel matrix H∞ of infinite width in float64 and its eigenvectors.

    Args:
        kernel: shape (n, n).
    """

    kernel: Floats

    @cached_property
    def _eigen(self) -> tuple[Floats, Floats]:
        eigenvalues, vectors = np.linalg.eigh(self.kernel)
        return eigenvalues, vectors * np.where(vectors.sum(axis=0) < 0, -1.0, 1.0)

    @property
    def eigenvalues(self) -> Floats:
        """λ_i, ascending, shape (n,)."""
        return self._eigen[0]

    @property
    def vectors(self) -> Floats:
        """Eigenvectors as columns, each with a sum that is not negative, shape (n, n)."""
        return self._eigen[1]

    def components(self, residual: Floats) -> Floats:
        """Return the components of a residual along the eigenvectors, shape (n,)."""
        return np.asarray(self.vectors.T @ residual)


def limit(dataset: Dataset, network: Network) -> Limit:
    """Return H∞ of a dataset, entries correct to float64 (`ntkproof.gram.enclose_gram`)."""
    midpoint, _ = enclose_gram(dataset, network)
    return Limit(midpoint)


class Measurement:
    """Compares the states of one training with its start and with H∞.

    Args:
        start: the state at the start.
        reference: H∞.
    """

    def __init__(self, start: State, reference: Limit) -> None:
        self.reference = reference
        self.theta = start.theta
        self.kernel = start.model.kernel(start.trace)
        self.signs = [z > 0 for z in start.trace.preactivations]

    def measure(self, state: State) -> tuple[dict[str, float], Floats]:
        """Return the `SCALARS`, and the components of the residual along the eigenvectors of H∞, shape (n,).

        ``loss`` is ½‖r‖²; ``lambda_min`` and ``kernel_norm`` belong to H_t; ``kernel_change`` is ‖H_t − H_0‖,
        ``limit_distance`` ‖H_t − H∞‖, ``parameter_change`` ‖θ_t − θ_0‖, ``neuron_change`` the largest
        ‖w_r(t) − w_r(0)‖ over the trained hidden neurons (the row of W and the entry of b of a neuron; 0 if none is
        trained), all in native parameters; ``flips`` is the share of pairs of a sample and a hidden neuron whose
        preactivation has changed sign since the start, ``most_flips`` the share of neurons at the worst sample and
        hidden layer; ``error`` is `State.error`.  Norms of matrices are spectral.
        """
        kernel = state.model.kernel(state.trace)
        if not (np.isfinite(kernel).all() and math.isfinite(state.loss)):
            return dict.fromkeys(SCALARS, math.nan), np.full(len(kernel), math.nan)
        eigenvalues = np.linalg.eigvalsh(kernel)
        flipped = [
            np.mean((z > 0) != sign, axis=1) for z, sign in zip(state.trace.preactivations, self.signs, strict=True)
        ]
        sizes = [sign.shape[1] for sign in self.signs]
        change = state.theta - self.theta
        values = {
            "loss": state.loss,
            "lambda_min": float(eigenvalues[0]),
            "kernel_norm": float(eigenvalues[-1]),
            "kernel_change": spectral_norm(kernel - self.kernel),
            "limit_distance": spectral_norm(kernel - self.reference.kernel),
            "parameter_change": float(np.linalg.norm(change)),
            "neuron_change": largest_neuron_change(state.model, change),
            "flips": float(np.average([share.mean() for share in flipped], weights=sizes)),
            "most_flips": float(max(share.max() for share in flipped)),
            "error": state.error,
        }
        return values, self.reference.components(state.residual)


def spectral_norm(symmetric: Floats) -> float:
    """Return ‖M‖ of a symmetric matrix."""
    return float(np.abs(np.linalg.eigvalsh(symmetric)).max())


def largest_neuron_change(model: Model, change: Floats) -> float:
    """Return the largest norm, over hidden neurons, of the change of their trained incoming weights and bias."""
    squares: dict[int, Floats] = {}
    for block in model.blocks:
        if block.layer > model.network.depth:
            continue
        part = change[block.part].reshape(block.shape[0], -1)
        squares[block.layer] = squares.get(block.layer, np.zeros(len(part))) + np.einsum("rk,rk->r", part, part)
    return math.sqrt(max((float(each.max()) for each in squares.values()), default=0.0))

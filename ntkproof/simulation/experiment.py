"""What is simulated: how networks are trained on a dataset, and from which start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import MAX_WEIGHTS, Weights
from ntkproof.simulation.initialization import check_init, initialise
from ntkproof.simulation.networks import PARAMETRISATIONS, Model
from ntkproof.simulation.training import State

Floats = NDArray[np.float64]

FORMAT = "ntkproof-simulation-1"
MAX_SEEDS = 100_000


@dataclass(frozen=True, eq=False)
class Experiment:
    """How networks are trained on a dataset; widths and seeds are given apart.

    Args:
        dataset: with targets.
        network: the network.
        init: as in `ntkproof.checker.problem.training.Training`; deep networks are ``gaussian``.
        parametrisation: ``ntk``, ``standard`` or ``mup`` (`ntkproof.simulation.networks`).
        step_size: of gradient descent; 0 takes one over the norm of the kernel; None is gradient flow.
        steps: of gradient descent; None lets the linear prediction of the loss fall to ``until`` of its start.
        time: of gradient flow; None likewise.
        until: a share of the loss; None takes `DESCENT_UNTIL` or `FLOW_UNTIL`.
        batch: samples in a batch of gradient descent, None for all.
        records: how often, at most, a training is measured, the start included; geometrically spaced.
        tolerance: of gradient flow (`ntkproof.simulation.training.flow`).
        weights: a given start in place of a random one.

    Raises:
        InputError: no targets, or values that are unknown, out of range or do not go together.
    """

    dataset: Dataset
    network: Network
    init: str = "antisymmetric"
    parametrisation: str = "ntk"
    step_size: float | None = None
    steps: int | None = None
    time: float | None = None
    until: float | None = None
    batch: int | None = None
    records: int = 40
    tolerance: float | None = None
    weights: Weights | None = None

    def __post_init__(self) -> None:
        if self.dataset.targets is None:
            raise InputError("training needs targets (--target)")
        if self.parametrisation not in PARAMETRISATIONS:
            names = ", ".join(PARAMETRISATIONS)
            raise InputError(f"unknown parametrisation {self.parametrisation!r}; there are {names}")
        if self.step_size is None and (self.steps is not None or self.batch is not None):
            raise InputError("steps and batches are for gradient descent; give a step size")
        if self.step_size is not None and (self.time is not None or self.tolerance is not None):
            raise InputError("a time and a tolerance are for gradient flow; leave out the step size")
        if self.step_size is not None and not 0 <= self.step_size <= 1e6:
            raise InputError(f"the step size must be from 0 to 10^6, not {self.step_size:g}")
        if self.steps is not None and not 1 <= self.steps <= 10**9:
            raise InputError(f"the number of steps must be from 1 to 10^9, not {self.steps}")
        if self.time is not None and not 0 < self.time <= 1e12:
            raise InputError(f"the time must be above 0 and at most 10^12, not {self.time:g}")
        if self.until is not None and not 1e-24 <= self.until < 1:
            raise InputError(f"the share of the loss that is left must be from 1e-24 to 1, not {self.until:g}")
        if self.batch is not None and not 1 <= self.batch <= self.dataset.n:
            raise InputError(f"a batch must have 1 to {self.dataset.n} samples, not {self.batch}")
        if not 2 <= self.records <= 10_000:
            raise InputError(f"the number of measurements must be from 2 to 10000, not {self.records}")
        if self.tolerance is not None and not 1e-12 <= self.tolerance <= 0.1:
            raise InputError(f"the tolerance must be from 1e-12 to 0.1, not {self.tolerance:g}")

    @property
    def targets(self) -> Floats:
        """y, shape (n,)."""
        assert self.dataset.targets is not None  # see __post_init__
        return self.dataset.targets

    def fingerprint(self) -> dict[str, Any]:
        """Return what makes two experiments the same, as JSON."""
        network = self.network
        return {
            "format": FORMAT,
            "numpy": np.__version__,
            "data": {"sha256": self.dataset.sha256, "rows": self.dataset.n, "columns": self.dataset.d},
            "network": {
                "activation": network.activation,
                "depth": network.depth,
                "train": network.train,
                "bias": decimal(network.beta),
                "weight_std": decimal(network.sigma_w),
                "input_scale": network.input_scale,
            },
            "init": self.init if self.weights is None else f"given weights, sha256 {self.weights.sha256}",
            "parametrisation": self.parametrisation,
            "dynamics": "flow" if self.step_size is None else "descent",
            "step_size": "auto" if self.step_size == 0 else self.step_size,
            "steps": self.steps,
            "time": self.time,
            "until": self.until,
            "batch": self.batch,
            "records": self.records,
            "tolerance": self.tolerance,
        }

    def weights_at(self, width: int, seed: int) -> Weights:
        """Return the weights that a cell starts from."""
        if self.weights is not None:
            return self.weights
        rng = np.random.default_rng([seed, width])
        return initialise(self.network, self.dataset.d, width, self.init, rng)

    def start(self, width: int, seed: int) -> State:
        """Return the state that a cell starts from."""
        model = Model(self.network, self.weights_at(width, seed), self.dataset.inputs, self.parametrisation)
        return State(model, self.targets, model.start)


def check_grid(experiment: Experiment, widths: Sequence[int], seeds: Sequence[int]) -> None:
    """Refuse a grid that cannot be simulated.

    Raises:
        InputError: a width or a seed out of range, too many weights, or an init that does not fit.
    """
    if not widths or not seeds:
        raise InputError("at least one width and one seed are needed")
    if len(seeds) > MAX_SEEDS or min(seeds) < 0 or max(seeds) >= 2**63:
        raise InputError(f"seeds must be from 0 to 2^63 - 1, and at most {MAX_SEEDS}")
    if experiment.weights is not None:
        return
    for width in widths:
        size = width * (experiment.dataset.d + 1) + (experiment.network.depth - 1) * width * width
        if width < 1 or size > MAX_WEIGHTS:
            raise InputError(f"width {width}: must be positive, with at most {MAX_WEIGHTS} weights in all")
        check_init(experiment.network, [width] * experiment.network.depth, experiment.init)

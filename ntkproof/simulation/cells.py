"""One training: a network of one width from one seed, measured, and kept as a file."""

from __future__ import annotations

import io
import math
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import write_files
from ntkproof.checker.logic.numbers import InputError
from ntkproof.data.files import contents
from ntkproof.data.npz import Npz
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.measure import SCALARS, Limit, Measurement
from ntkproof.simulation.training import State, descent, flow

Floats = NDArray[np.float64]

MOST_STEPS = 20_000
FLOW_UNTIL = 1e-8
DESCENT_UNTIL = 1e-4
_BLOW_UP = 1e6


@dataclass(frozen=True, eq=False)
class Cell:
    """One training, measured at T moments; the moments after a blow-up are NaN.

    Args:
        width: m.
        seed: the seed.
        step: steps taken, shape (T,).
        time: t, or step size times steps, shape (T,).
        scalars: the `SCALARS` of `Measurement.measure` by name, each of shape (T,).
        residual: components of the residual along the eigenvectors of H∞, shape (T, n).
        step_size: of gradient descent, 0 for gradient flow.
        seconds: wall time.
        megabytes: the largest resident memory of the process until then.
    """

    width: int
    seed: int
    step: NDArray[np.int64]
    time: Floats
    scalars: Mapping[str, Floats]
    residual: Floats
    step_size: float
    seconds: float
    megabytes: float

    @property
    def blew_up(self) -> bool:
        """Whether the loss left all bounds."""
        return not np.isfinite(self.scalars["loss"][-1])


def train_cell(experiment: Experiment, reference: Limit, width: int, seed: int) -> Cell:
    """Train and measure one network."""
    started = time.perf_counter()
    start = experiment.start(width, seed)
    measurement = Measurement(start, reference)
    kernel, residual = reference.kernel, -experiment.targets
    if experiment.weights is not None or experiment.parametrisation == "standard":
        kernel, residual = measurement.kernel, start.residual
    step_size, moments = schedule(experiment, kernel, residual)
    rows: list[tuple[int, float, dict[str, float], Floats]] = []
    limit_of_loss = _BLOW_UP * max(start.loss, float(start.targets @ start.targets))
    with np.errstate(over="ignore", invalid="ignore"):
        for state in _states(experiment, start, step_size, moments, seed):
            values, components = measurement.measure(state)
            rows.append((state.step, state.time, values, components))
            if not values["loss"] <= limit_of_loss:
                break
    left = len(moments) - len(rows)
    nan = (dict.fromkeys(SCALARS, math.nan), np.full_like(residual, math.nan))
    if left or not np.isfinite(rows[-1][2]["loss"]):
        rows[-1] = (*rows[-1][:2], *nan)
    rows += [(-1, math.nan, *nan)] * left
    return Cell(
        width,
        seed,
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        {name: np.array([row[2][name] for row in rows]) for name in SCALARS},
        np.array([row[3] for row in rows]),
        step_size,
        time.perf_counter() - started,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    )


def schedule(experiment: Experiment, kernel: Floats, residual: Floats) -> tuple[float, list[float]]:
    """Return the step size (0 for flow) and the moments to measure at: steps of descent, or times of flow.

    Args:
        experiment: what is wanted; what it leaves open follows from training as the linear theory predicts it.
        kernel: the kernel matrix of that prediction, shape (n, n).
        residual: its start, shape (n,).
    """
    eigenvalues, vectors = np.linalg.eigh(kernel)
    components, largest = (vectors.T @ residual) ** 2, float(eigenvalues[-1])
    if not largest > 0:
        raise InputError("the kernel is 0: nothing moves in training")
    if experiment.step_size is None:
        end = experiment.time or predicted_time(eigenvalues, components, experiment.until or FLOW_UNTIL)
        return 0.0, [0.0, *np.geomspace(min(0.01 / largest, end / 10), end, experiment.records - 1).tolist()]
    step_size = experiment.step_size or 1 / largest
    predicted = predicted_time(eigenvalues, components, experiment.until or DESCENT_UNTIL) / step_size
    steps = experiment.steps or max(1, min(math.ceil(predicted), MOST_STEPS))
    measured = np.unique(np.rint(np.geomspace(1, steps, experiment.records - 1)))
    return step_size, [0.0, *measured.tolist()]


def predicted_time(eigenvalues: Floats, squares: Floats, share: float) -> float:
    """Return when the linear theory has brought the loss to a share of its start, at most 10^6 / λ_max.

    Args:
        eigenvalues: λ_i.
        squares: the squared components of the residual along the eigenvectors.
        share: of the loss that is left.
    """
    low, high = 0.0, 1e6 / float(eigenvalues[-1])
    rates, total = np.maximum(eigenvalues, 0), float(squares.sum())
    for _ in range(60):
        middle = (low + high) / 2
        if float(squares @ np.exp(-2 * rates * middle)) > share * total:
            low = middle
        else:
            high = middle
    return high


def _states(
    experiment: Experiment, start: State, step_size: float, moments: Sequence[float], seed: int
) -> Iterator[State]:
    """Yield the states at the moments, or one that blew up before."""
    if experiment.step_size is None:
        yield from flow(start, moments, tolerance=experiment.tolerance)
        return
    wanted = set(moments)
    for state in descent(start, step_size, batch=experiment.batch, seed=seed):
        if state.step in wanted or not math.isfinite(float(state.theta[0])):
            yield state
        if state.step == moments[-1]:
            return


def save_cell(folder: Path, cell: Cell) -> None:
    """Write a finished training into ``folder/cells``."""
    arrays = {field.name: np.asarray(getattr(cell, field.name)) for field in fields(Cell) if field.name != "scalars"}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays, **cell.scalars)
    write_files({_cell_path(folder, cell.width, cell.seed): stream.getvalue()})


def load_cell(folder: Path, width: int, seed: int, n: int) -> Cell | None:
    """Return a finished training on n samples, or None if there is none, or none that can be read."""
    try:
        arrays = Npz(contents(_cell_path(folder, width, seed))).arrays()
        numbers = {name: arrays[name].item() for name in ("width", "seed", "step_size", "seconds", "megabytes")}
    except (InputError, KeyError, ValueError):  # no such file, a damaged one, or other arrays
        return None
    series = {name: arrays.get(name, np.zeros(())) for name in ("time", "step", *SCALARS, "residual")}
    moments = series["time"].shape
    shapes = [*[moments] * (len(series) - 1), (*moments, n)]
    if len(moments) != 1 or 0 in moments or [each.shape for each in series.values()] != shapes:
        return None
    numeric = all(array.dtype.kind in "if" for array in arrays.values())
    if not numeric or (numbers["width"], numbers["seed"]) != (width, seed):
        return None
    step, time, residual = (series.pop(name) for name in ("step", "time", "residual"))
    return Cell(step=step, time=time, residual=residual, scalars=series, **numbers)


def _cell_path(folder: Path, width: int, seed: int) -> Path:
    return folder / "cells" / f"width-{width}-seed-{seed}.npz"

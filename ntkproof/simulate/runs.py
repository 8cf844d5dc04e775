"""Many trainings: a grid of widths and seeds over the cores, kept so that an interrupted run goes on where it was.

A run is a folder:

| file | what it is |
|---|---|
| ``experiment.json`` | what is simulated, apart from widths and seeds; a run goes on only with the same |
| ``cells/width-256-seed-3.npz`` | one finished training (`Cell`); each appears whole |
| ``results.npz`` | all cells asked for, as columns (`Results`) |
| ``summary.json`` | what was done, by width, and every verdict |

The random numbers of a cell come from ``numpy.random.default_rng([seed, width])`` alone, so a cell does not depend on
the others.  NumPy may change its streams between versions; ``experiment.json`` records the version.
"""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ntkproof.certificate import write_files
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import MAX_WEIGHTS, Weights
from ntkproof.simulate.measure import SCALARS, Limit, Measurement, limit
from ntkproof.simulate.networks import PARAMETRISATIONS, Model, check_init, initialise
from ntkproof.simulate.training import State, descent, flow

Floats = NDArray[np.float64]
Tick = Callable[[float, float], None]

FORMAT = "ntkproof-simulation-1"
MAX_SEEDS = 100_000
MOST_STEPS = 20_000
FLOW_UNTIL = 1e-8
DESCENT_UNTIL = 1e-4
_BLOW_UP = 1e6


# What is simulated ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Experiment:
    """How networks are trained on a dataset; widths and seeds are given apart.

    Args:
        dataset: with targets.
        network: the network.
        init: as in `ntkproof.problem.Training`; deep networks are ``gaussian``.
        parametrisation: ``ntk``, ``standard`` or ``mup`` (`ntkproof.simulate.networks`).
        step_size: of gradient descent; 0 takes one over the norm of the kernel; None is gradient flow.
        steps: of gradient descent; None lets the linear prediction of the loss fall to ``until`` of its start.
        time: of gradient flow; None likewise.
        until: a share of the loss; None takes `DESCENT_UNTIL` or `FLOW_UNTIL`.
        batch: samples in a batch of gradient descent, None for all.
        records: how often, at most, a training is measured, the start included; geometrically spaced.
        tolerance: of gradient flow (`ntkproof.simulate.training.flow`).
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
    if len(seeds) > MAX_SEEDS or min(seeds) < 0:
        raise InputError(f"seeds must not be negative, and at most {MAX_SEEDS}")
    if experiment.weights is not None:
        return
    for width in widths:
        size = width * (experiment.dataset.d + 1) + (experiment.network.depth - 1) * width * width
        if width < 1 or size > MAX_WEIGHTS:
            raise InputError(f"width {width}: must be positive, with at most {MAX_WEIGHTS} weights in all")
        check_init(experiment.network, [width] * experiment.network.depth, experiment.init)


# One training -----------------------------------------------------------------------------------------------------


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


# Keeping cells ----------------------------------------------------------------------------------------------------


def save_cell(folder: Path, cell: Cell) -> None:
    """Write a finished training into ``folder/cells``."""
    arrays = {field.name: np.asarray(getattr(cell, field.name)) for field in fields(Cell) if field.name != "scalars"}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays, **cell.scalars)
    write_files({_cell_path(folder, cell.width, cell.seed): stream.getvalue()})


def load_cell(folder: Path, width: int, seed: int) -> Cell | None:
    """Return a finished training, or None if there is none, or none that can be read."""
    try:
        arrays = _arrays(_cell_path(folder, width, seed).read_bytes())
    except Exception:  # no such file; and zipfile, zlib and NumPy raise a dozen kinds of error for a damaged one
        return None
    numbers = {name: arrays[name].item() for name in ("width", "seed", "step_size", "seconds", "megabytes")}
    scalars = {name: arrays[name] for name in SCALARS}
    return Cell(step=arrays["step"], time=arrays["time"], residual=arrays["residual"], scalars=scalars, **numbers)


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _cell_path(folder: Path, width: int, seed: int) -> Path:
    return folder / "cells" / f"width-{width}-seed-{seed}.npz"


def open_folder(folder: Path, experiment: Experiment) -> None:
    """Make the folder of a run, or see that it holds the same experiment.

    Raises:
        InputError: it holds another experiment, or something else, or cannot be made.
    """
    path, wanted = folder / "experiment.json", experiment.fingerprint()
    try:
        (folder / "cells").mkdir(parents=True, exist_ok=True)
        if not path.exists():
            if any((folder / "cells").iterdir()):
                raise InputError(f"{folder}: has cells but no experiment.json")
            write_files({path: _json(wanted)})
            return
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as the folder of a run ({error.strerror})") from None
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(f"{path}: not JSON") from None
    different = [name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]]
    if different:
        raise InputError(f"{folder}: holds another experiment (other {', '.join(different)}); choose another folder")


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


# The grid ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Results:
    """All cells of a run as columns; C cells, T moments, n samples.

    Args:
        width: shape (C,).
        seed: shape (C,).
        step: shape (C, T); -1 where a training blew up, or had fewer moments.
        time: shape (C, T).
        scalars: the `SCALARS` by name, each of shape (C, T).
        residual: components along the eigenvectors of H∞, ascending, shape (C, T, n).
        step_size: shape (C,).
        seconds: shape (C,).
        megabytes: shape (C,).
        eigenvalues: of H∞, ascending, shape (n,).
        limit_components: of -y along the eigenvectors of H∞, shape (n,).
    """

    width: NDArray[np.int64]
    seed: NDArray[np.int64]
    step: NDArray[np.int64]
    time: Floats
    scalars: Mapping[str, Floats]
    residual: Floats
    step_size: Floats
    seconds: Floats
    megabytes: Floats
    eigenvalues: Floats
    limit_components: Floats

    def at(self, width: int) -> Results:
        """Return the cells of one width."""
        chosen = self.width == width
        parts = {
            field.name: getattr(self, field.name)[chosen]
            for field in fields(self)
            if field.name not in ("scalars", "eigenvalues", "limit_components")
        }
        return replace(self, **parts, scalars={name: column[chosen] for name, column in self.scalars.items()})


def gather(cells: Sequence[Cell], reference: Limit, targets: Floats) -> Results:
    """Return finished trainings as columns."""
    moments = max(len(cell.time) for cell in cells)

    def padded(values: Floats, filler: float) -> Floats:
        room = np.full((moments - len(values), *values.shape[1:]), filler, dtype=values.dtype)
        return np.concatenate([values, room])

    def column(get: Callable[[Cell], Any], filler: float = math.nan) -> NDArray[Any]:
        values = [get(cell) for cell in cells]
        return np.array(values if np.ndim(values[0]) == 0 else [padded(each, filler) for each in values])

    return Results(
        column(lambda cell: cell.width),
        column(lambda cell: cell.seed),
        column(lambda cell: cell.step, -1),
        column(lambda cell: cell.time),
        {name: column(lambda cell, name=name: cell.scalars[name]) for name in SCALARS},  # type: ignore[misc]
        column(lambda cell: cell.residual),
        column(lambda cell: cell.step_size),
        column(lambda cell: cell.seconds),
        column(lambda cell: cell.megabytes),
        reference.eigenvalues,
        reference.components(-targets),
    )


def save_results(results: Results, path: Path) -> None:
    """Write the columns to an NPZ file."""
    arrays = {field.name: getattr(results, field.name) for field in fields(results) if field.name != "scalars"}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays, **results.scalars)
    write_files({path: stream.getvalue()})


def load_results(folder: Path | str) -> Results:
    """Read ``results.npz`` of a run.

    Raises:
        InputError: there is none, or it is not one.
    """
    path = Path(folder) / "results.npz"
    try:
        arrays = _arrays(path.read_bytes())
        scalars = {name: arrays.pop(name) for name in SCALARS}
        return Results(scalars=scalars, **arrays)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds of error for a damaged file
        raise InputError(f"{path}: not the results of a run ({type(error).__name__})") from None


def simulate(
    experiment: Experiment,
    widths: Sequence[int],
    seeds: Sequence[int],
    folder: Path | str | None = None,
    *,
    jobs: int | None = None,
    tick: Tick = lambda done, total: None,
) -> Results:
    """Train a network for every width and seed, over the cores, and measure each.

    Args:
        experiment: how.
        widths: of the hidden layers; for given weights any one number stands for theirs.
        seeds: of the random starts.
        folder: where finished cells are kept, at once, and taken from when they are there; None keeps nothing.
        jobs: processes, each with one BLAS thread; None takes as many as cores; 1 trains in this process.
        tick: called with the work done and all the work, in neurons times trainings.

    Raises:
        InputError: as `check_grid` and `open_folder`, or a training that cannot go on.
    """
    if experiment.weights is not None:
        widths, seeds = [experiment.weights.width], [0]
    grid = sorted({(width, seed) for width in widths for seed in seeds}, key=lambda cell: (-cell[0], cell[1]))
    check_grid(experiment, widths, seeds)
    if jobs is not None and jobs < 1:
        raise InputError(f"the number of processes must be positive, not {jobs}")
    reference = limit(experiment.dataset, experiment.network)
    cells: dict[tuple[int, int], Cell] = {}
    if folder is not None:
        open_folder(Path(folder), experiment)
        found = ((key, load_cell(Path(folder), *key)) for key in grid)
        cells = {key: cell for key, cell in found if cell is not None}
    total = float(sum(width for width, _ in grid))
    done = float(sum(width for width, _ in cells))
    tick(done, total)
    missing = [key for key in grid if key not in cells]
    for cell in _train_all(experiment, reference, missing, min(jobs or _cores(), max(len(missing), 1))):
        if folder is not None:
            save_cell(Path(folder), cell)
        cells[cell.width, cell.seed] = cell
        done += cell.width
        tick(done, total)
    results = gather([cells[key] for key in sorted(cells)], reference, experiment.targets)
    if folder is not None:
        save_results(results, Path(folder) / "results.npz")
    return results


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _train_all(experiment: Experiment, reference: Limit, grid: Sequence[tuple[int, int]], jobs: int) -> Iterable[Cell]:
    """Yield finished cells as they come."""
    if jobs == 1:
        with threadpool_limits(limits=1, user_api="blas"):
            for width, seed in grid:
                yield train_cell(experiment, reference, width, seed)
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_begin_worker, initargs=(experiment, reference))
    try:
        futures: list[Future[Cell]] = [pool.submit(_work, width, seed) for width, seed in grid]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise MemoryError("a process died, probably for want of memory") from None
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


_worker: dict[str, Any] = {}


def _begin_worker(experiment: Experiment, reference: Limit) -> None:
    """Prepare a process: one BLAS thread, deaf to the keyboard, and gone when its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker.update(experiment=experiment, reference=reference, blas=threadpool_limits(limits=1, user_api="blas"))
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _work(width: int, seed: int) -> Cell:
    return train_cell(_worker["experiment"], _worker["reference"], width, seed)

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
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ntkproof.certificate import write_files
from ntkproof.checker.logic.numbers import InputError
from ntkproof.data.files import contents, json_in, printable
from ntkproof.data.npz import Npz
from ntkproof.data.runs import MAX_RECORD
from ntkproof.simulation.cells import Cell, load_cell, save_cell, train_cell
from ntkproof.simulation.experiment import Experiment, check_grid
from ntkproof.simulation.measure import SCALARS, Limit, limit

Floats = NDArray[np.float64]
Tick = Callable[[float, float], None]


# The columns of a run ---------------------------------------------------------------------------------------------


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
        arrays = Npz(contents(path)).arrays()
        scalars = {name: arrays.pop(name) for name in SCALARS}
        return Results(scalars=scalars, **arrays)
    except InputError as error:
        raise InputError(f"{printable(str(path))}: {error}") from None
    except (KeyError, TypeError):
        raise InputError(f"{printable(str(path))}: not the results of a run (other arrays)") from None


# The folder -------------------------------------------------------------------------------------------------------


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
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as the folder of a run ({error.strerror})") from None
    try:
        found = json_in(path, MAX_RECORD)
    except InputError as error:
        raise InputError(f"{printable(str(path))}: {error}") from None
    different = [name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]]
    if different:
        raise InputError(f"{folder}: holds another experiment (other {', '.join(different)}); choose another folder")


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


# The grid ---------------------------------------------------------------------------------------------------------


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
    check_grid(experiment, widths, seeds)
    grid = sorted({(width, seed) for width in widths for seed in seeds}, key=lambda cell: (-cell[0], cell[1]))
    if jobs is not None and jobs < 1:
        raise InputError(f"the number of processes must be positive, not {jobs}")
    reference = limit(experiment.dataset, experiment.network)
    cells: dict[tuple[int, int], Cell] = {}
    if folder is not None:
        open_folder(Path(folder), experiment)
        found = ((key, load_cell(Path(folder), *key, experiment.dataset.n)) for key in grid)
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
        with _deaf_children():
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


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Start processes that are never interrupted, not while they load modules either; this one is, afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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

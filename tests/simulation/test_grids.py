"""Grids of trainings: measured as one by one, resumed without redoing, reproducible; bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ntkproof import Dataset, Network
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.weights import Weights
from ntkproof.simulation import runs
from ntkproof.simulation.cells import predicted_time, schedule, train_cell
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.measure import SCALARS, limit
from ntkproof.simulation.runs import Results, load_results, simulate

X = np.array([[0.6, 0.8], [1.0, 0.0], [0.25, -1.5]])
DATA = Dataset(X, np.array([1.0, -0.5, 0.25]))
FLOW = Experiment(DATA, Network("erf", train="hidden"), records=6)
DESCENT = replace(FLOW, step_size=0.1, steps=20)


def same(one: Results, other: Results) -> bool:
    arrays = [(one.step, other.step), (one.time, other.time), (one.residual, other.residual), (one.seed, other.seed)]
    arrays += [(one.scalars[name], other.scalars[name]) for name in SCALARS]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in arrays)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The cells that are trained from now on, in this process."""
    found: list[tuple[int, int]] = []
    original = runs.train_cell

    def counted(experiment: Experiment, reference: Any, width: int, seed: int) -> Any:
        found.append((width, seed))
        return original(experiment, reference, width, seed)

    monkeypatch.setattr(runs, "train_cell", counted)
    return found


# Cells ----------------------------------------------------------------------------------------------------------


def test_columns_are_the_cells() -> None:
    results = simulate(FLOW, [4, 16], [3, 5], jobs=1)
    assert list(zip(results.width.tolist(), results.seed.tolist(), strict=True)) == [(4, 3), (4, 5), (16, 3), (16, 5)]
    cell = train_cell(FLOW, limit(DATA, FLOW.network), 16, 3)
    assert np.array_equal(results.scalars["loss"][2], cell.scalars["loss"])
    assert np.array_equal(results.residual[2], cell.residual)
    wide = results.at(16)
    assert wide.seed.tolist() == [3, 5]
    assert np.array_equal(wide.scalars["flips"], results.scalars["flips"][2:])
    squares = (results.residual**2).sum(axis=2)
    assert squares / 2 == pytest.approx(results.scalars["loss"])
    assert results.residual[:, 0] == pytest.approx(np.tile(results.limit_components, (4, 1)))  # f = 0 at the start


def test_descent_is_measured_at_its_steps() -> None:
    results = simulate(DESCENT, [4], [0], jobs=1)
    assert results.step[0].tolist() == [0, 1, 2, 4, 9, 20]  # rounded powers of 20^(1/4)
    assert results.time[0] == pytest.approx(0.1 * results.step[0])
    assert results.step_size.tolist() == [0.1]


def test_a_step_too_large_blows_up_and_is_told() -> None:
    linear = replace(DESCENT, network=Network("identity", train="hidden"), step_size=50.0, steps=400, init="signs")
    results = simulate(linear, [8], [0], jobs=1)
    assert np.isnan(results.scalars["loss"][0, -1])
    assert np.isfinite(results.scalars["loss"][0, 0])
    assert (results.step[0] == -1).any() or np.isnan(results.scalars["loss"][0]).any()


def test_given_weights_are_one_cell() -> None:
    weights = Weights((np.eye(2), np.array([[1.0, -1.0]])))
    results = simulate(replace(DESCENT, weights=weights, init="given"), [100], [4, 5], jobs=1)
    assert (results.width.tolist(), results.seed.tolist()) == ([2], [0])
    by_hand = (0.5**0.5) * np.array([math.erf(x[0]) - math.erf(x[1]) for x in X.tolist()]) - DATA.targets
    assert results.scalars["loss"][0, 0] == pytest.approx(float(by_hand @ by_hand) / 2)


def test_automatic_lengths() -> None:
    """One sample direction with rate 2: the loss is at 1e-8 when e^{−4t} is."""
    eigenvalues, squares = np.array([0.0, 2.0]), np.array([0.0, 3.0])
    assert predicted_time(eigenvalues, squares, 1e-8) == pytest.approx(math.log(1e8) / 4)
    assert predicted_time(eigenvalues, np.array([1.0, 1.0]), 1e-8) == pytest.approx(5e5)  # never; the cap
    kernel = np.diag([2.0, 2.0])
    step_size, moments = schedule(replace(FLOW, step_size=0.0), kernel, np.array([1.0, 1.0]))
    assert (step_size, moments[-1]) == (0.5, math.ceil(math.log(1e4) / 4 / 0.5))
    _, moments = schedule(FLOW, kernel, np.array([1.0, 1.0]))
    assert moments[0] == 0
    assert moments[-1] == pytest.approx(math.log(1e8) / 4)
    assert len(moments) == FLOW.records


@pytest.mark.parametrize("parametrisation", ["standard", "mup"])
def test_other_parametrisations_train(parametrisation: str) -> None:
    results = simulate(replace(FLOW, parametrisation=parametrisation), [16], [0], jobs=1)
    losses = results.scalars["loss"][0]
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.5 * losses[0]


# Folders --------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_without_redoing(tmp_path: Path, trained: list[tuple[int, int]]) -> None:
    folder = tmp_path / "run"
    whole = simulate(FLOW, [4, 8], [0, 1, 2], jobs=1)
    trained.clear()

    def interrupt(done: float, total: float) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(FLOW, [4, 8], [0, 1, 2], folder, jobs=1, tick=interrupt)
    assert trained == [(8, 0), (8, 1)]
    assert not (folder / "results.npz").exists()
    resumed = simulate(FLOW, [4, 8], [0, 1, 2], folder, jobs=1)
    assert trained == [(8, 0), (8, 1), (8, 2), (4, 0), (4, 1), (4, 2)]
    assert same(resumed, whole)
    assert same(load_results(folder), whole)
    more = simulate(FLOW, [4], [0, 7], folder, jobs=1)
    assert trained[6:] == [(4, 7)]
    assert more.seed.tolist() == [0, 7]


def test_a_damaged_cell_is_trained_again(tmp_path: Path, trained: list[tuple[int, int]]) -> None:
    whole = simulate(FLOW, [4], [0, 1], tmp_path, jobs=1)
    path = tmp_path / "cells" / "width-4-seed-1.npz"
    path.write_bytes(path.read_bytes()[:-40])
    trained.clear()
    assert same(simulate(FLOW, [4], [0, 1], tmp_path, jobs=1), whole)
    assert trained == [(4, 1)]


def test_processes_give_the_same_numbers(tmp_path: Path) -> None:
    alone = simulate(FLOW, [4, 8], [0, 1], jobs=1)
    ticks: list[tuple[float, float]] = []
    together = simulate(FLOW, [4, 8], [0, 1], tmp_path, jobs=2, tick=lambda done, total: ticks.append((done, total)))
    assert same(alone, together)
    assert (ticks[0], ticks[-1], len(ticks)) == ((0, 24), (24, 24), 5)


def test_errors_in_processes_arrive(tmp_path: Path) -> None:
    zero = replace(FLOW, dataset=Dataset(np.zeros((3, 2)), DATA.targets))
    with pytest.raises(InputError, match="the kernel is 0"):
        simulate(zero, [4], [0, 1], tmp_path, jobs=2)
    assert list((tmp_path / "cells").iterdir()) == []


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (replace(FLOW, dataset=Dataset(2 * X, DATA.targets)), "data"),
        (replace(FLOW, network=Network("tanh", train="hidden")), "network"),
        (replace(FLOW, init="signs"), "init"),
        (replace(FLOW, records=7), "records"),
        (DESCENT, "dynamics, step_size, steps"),
    ],
)
def test_another_experiment_needs_another_folder(tmp_path: Path, other: Experiment, what: str) -> None:
    simulate(FLOW, [4], [0], tmp_path, jobs=1)
    with pytest.raises(InputError, match=rf"holds another experiment \(other {what}\)"):
        simulate(other, [4], [0], tmp_path, jobs=1)


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be used as the folder of a run"):
        simulate(FLOW, [4], [0], tmp_path / "file", jobs=1)
    simulate(FLOW, [4], [0], tmp_path / "run", jobs=1)
    (tmp_path / "run" / "experiment.json").write_text("{")
    with pytest.raises(InputError, match=r"experiment\.json: not JSON"):
        simulate(FLOW, [4], [0], tmp_path / "run", jobs=1)
    (tmp_path / "run" / "experiment.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="holds another experiment"):
        simulate(FLOW, [4], [0], tmp_path / "run", jobs=1)
    (tmp_path / "run" / "experiment.json").unlink()
    with pytest.raises(InputError, match=r"has cells but no experiment\.json"):
        simulate(FLOW, [4], [0], tmp_path / "run", jobs=1)
    with pytest.raises(InputError, match=r"results\.npz: no such file"):
        load_results(tmp_path)
    (tmp_path / "results.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"results\.npz: not a readable NPZ file"):
        load_results(tmp_path)


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": Dataset(X)}, "training needs targets"),
        ({"parametrisation": "pytorch"}, "unknown parametrisation 'pytorch'"),
        ({"steps": 5}, "steps and batches are for gradient descent"),
        ({"batch": 2}, "steps and batches are for gradient descent"),
        ({"step_size": 0.1, "time": 3.0}, "a time and a tolerance are for gradient flow"),
        ({"step_size": -0.1}, "the step size must be from 0 to"),
        ({"step_size": math.nan}, "the step size must be from 0 to"),
        ({"step_size": 0.1, "steps": 0}, "the number of steps must be from 1 to"),
        ({"step_size": 0.1, "batch": 4}, "a batch must have 1 to 3 samples, not 4"),
        ({"time": 0.0}, "the time must be above 0"),
        ({"time": math.inf}, "the time must be above 0"),
        ({"until": 0.0}, "the share of the loss that is left must be from 1e-24 to 1"),
        ({"records": 1}, "the number of measurements must be from 2 to"),
        ({"tolerance": 0.5}, "the tolerance must be from 1e-12 to 0.1"),
    ],
)
def test_unusable_experiments_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(FLOW, **changes)


@pytest.mark.parametrize(
    ("widths", "seeds", "jobs", "message"),
    [
        ([], [0], 1, "at least one width and one seed"),
        ([4], [], 1, "at least one width and one seed"),
        ([4, 5], [0], 1, "needs an even width, not 5"),
        ([0], [0], 1, "width 0: must be positive"),
        ([10**9], [0], 1, "width 1000000000: must be positive, with at most 268435456 weights"),
        ([4], [-1], 1, r"seeds must be from 0 to 2\^63 - 1, and at most 100000"),
        ([4], [2**63], 1, r"seeds must be from 0 to 2\^63 - 1, and at most 100000"),
        ([4], [0], 0, "the number of processes must be positive"),
    ],
)
def test_unusable_grids_are_refused(tmp_path: Path, widths: Any, seeds: Any, jobs: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(FLOW, widths, seeds, tmp_path / "run", jobs=jobs)
    assert not (tmp_path / "run").exists()

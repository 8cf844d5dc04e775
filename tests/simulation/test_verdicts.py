"""Verdicts on runs that follow the linear theory exactly, on runs that do not, and on a small real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ntkproof import Dataset, InputError, Network
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.measure import SCALARS
from ntkproof.simulation.runs import Results, simulate
from ntkproof.simulation.verdicts import assess, predicted_components

EIGENVALUES = np.array([0.05, 0.4, 1.0, 3.0])
WIDTHS = (64, 256, 1024)


def run_of(speed: float = 1.0, power: float = -0.5, seeds: int = 200, step_size: float = 0.0) -> Results:
    """A run in which components decay ``speed`` times as fast as predicted and distances scale as ``width^power``."""
    rng = np.random.default_rng(1)
    cells = len(WIDTHS) * seeds
    width, seed = np.repeat(WIDTHS, seeds), np.tile(np.arange(seeds), len(WIDTHS))
    step = np.tile(np.unique(np.rint(np.geomspace(1, 4000, 60))).astype(np.int64), (cells, 1))
    step = np.concatenate([np.zeros((cells, 1), dtype=np.int64), step], axis=1)
    time = step * 0.02
    start = rng.choice([-1.0, 1.0], (cells, 1, 4)) * rng.uniform(0.5, 2, (cells, 1, 4))
    decay = np.exp(-speed * time[:, :, None] * EIGENVALUES)
    if step_size:
        decay = (1 - step_size * speed * EIGENVALUES) ** step[:, :, None]
    residual = start * decay
    distance = 3 * width**power * np.exp(0.1 * rng.standard_normal(cells))
    values = dict.fromkeys(SCALARS, np.zeros_like(time))
    values |= {name: np.tile(distance[:, None], time.shape[1]) for name in ("limit_distance", "neuron_change")}
    values["parameter_change"] = values["neuron_change"] * width[:, None] ** 0.5
    values |= {"loss": (residual**2).sum(axis=2) / 2, "kernel_change": np.outer(distance**2, np.arange(time.shape[1]))}
    return Results(
        width, seed, step, time, values, residual, np.full(cells, step_size), np.ones(cells), np.ones(cells),
        EIGENVALUES, residual[0, 0],
    )  # fmt: skip


def verdicts(results: Results) -> list[str]:
    return [finding.verdict for finding in assess(results)]


@pytest.mark.parametrize("step_size", [0.0, 0.02])
def test_a_run_that_follows_the_theory(step_size: float) -> None:
    results = run_of(step_size=step_size)
    assert verdicts(results) == ["supported"] * 9
    np.testing.assert_allclose(predicted_components(results), results.residual, rtol=1e-12)


def test_a_run_at_twice_or_half_the_rate() -> None:
    for speed, bound in ((2.0, "supported"), (0.1, "contradicted")):
        assert verdicts(run_of(speed))[:5] == [bound] * 3 + ["contradicted"] * 2


def test_a_run_that_scales_otherwise() -> None:
    assert verdicts(run_of(power=-0.2))[5:] == ["contradicted", "undecided", "contradicted", "contradicted"]
    assert verdicts(run_of(power=-1.0))[5:] == ["contradicted", "supported", "contradicted", "supported"]


def test_few_seeds_decide_nothing() -> None:
    findings = assess(run_of(seeds=4))
    assert [finding.verdict for finding in findings] == ["undecided"] * 5


def test_trainings_that_blow_up() -> None:
    results = run_of(seeds=20)
    time, loss = results.time.copy(), results.scalars["loss"].copy()
    time[-1, 5:], loss[-1, 5:] = np.nan, np.nan
    residual = results.residual.copy()
    residual[-1, 5:] = np.nan
    broken = replace(results, time=time, residual=residual, scalars={**results.scalars, "loss": loss})
    found = verdicts(broken)
    assert found[:5] == ["undecided"] * 5
    assert "19 of 20 seeds" in assess(broken)[2].reason


def test_nothing_to_judge() -> None:
    with pytest.raises(InputError, match="there are no trainings to judge"):
        assess(run_of().at(7))


def test_real_networks() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.standard_normal((4, 3)), np.array([1.0, -1.0, 0.5, 2.0]))
    results = simulate(Experiment(data, Network("erf", train="hidden"), "signs"), [256, 1024, 4096], range(8), jobs=1)
    findings = assess(results)
    assert [finding.verdict for finding in findings].count("contradicted") == 0
    doubled = replace(results, eigenvalues=2 * results.eigenvalues)
    assert [finding.verdict for finding in assess(doubled)][3:5] == ["contradicted", "contradicted"]

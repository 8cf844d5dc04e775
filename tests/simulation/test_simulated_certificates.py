"""Certificates against trainings: true claims survive, false ones are contradicted."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ntkproof import Dataset, Network
from ntkproof.certificate import write
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.training import Training
from ntkproof.checker.problem.weights import Weights
from ntkproof.simulation.certificates import compare, experiment_of, open_certificate, shares
from ntkproof.simulation.measure import limit
from ntkproof.simulation.runs import Results, simulate
from ntkproof.theorems.certify import certify_convergence

PAIR = Dataset(np.eye(2), np.array([0.1, -0.1]))
WIDTH = 400


def claim(rate: float, failure: str = "0.05", dynamics: str = "flow", radius: str = "100") -> Convergence:
    return Convergence(dynamics, Fraction(WIDTH), Fraction(rate), Fraction(failure), Fraction(radius), Fraction(100))


def trainings(seeds: int, step_size: str | None = None) -> tuple[Results, float]:
    """Networks on two orthogonal samples with equal rates, and that rate ``2 λ_min(H∞)``."""
    problem = Problem(PAIR, Network("erf", train="hidden"), "ntk", Training(WIDTH, "antisymmetric", step_size))
    smallest = float(limit(PAIR, problem.network).eigenvalues[0])
    return simulate(experiment_of(problem, records=12), [WIDTH], range(seeds), jobs=1), 2 * smallest


def test_the_true_rate_is_supported_and_the_doubled_one_contradicted() -> None:
    """Training at width 400 goes at 2λ_min(H∞) to within a few tenths: 0.7 of that is true, twice 0.7 is false."""
    results, rate = trainings(110)
    true, false = (compare(claim(factor * rate), results) for factor in (0.7, 1.4))
    assert (true.verdict, false.verdict) == ("supported", "contradicted")
    assert true.estimate.value == 1
    assert false.estimate.value < 0.5
    assert max(shares(claim(0.7 * rate), results)["loss"]) <= 1 < max(shares(claim(1.4 * rate), results)["loss"])


def test_few_trainings_leave_it_undecided() -> None:
    results, rate = trainings(5)
    found = compare(claim(0.7 * rate), results)
    assert found.verdict == "undecided"
    assert "without a failure would show it" in found.reason
    assert compare(claim(1.4 * rate, failure="0"), results).verdict == "contradicted"
    assert compare(claim(0.7 * rate, failure="0"), results).verdict == "supported"


def test_every_part_of_a_claim_counts() -> None:
    results, rate = trainings(10)
    moved = float(results.scalars["parameter_change"].max())
    changed = float(results.scalars["kernel_change"].max())
    for factor, broken in ((1.01, False), (0.5, True)):
        small = claim(0.5 * rate, failure="0", radius=str(factor * moved))
        assert (compare(small, results).verdict == "contradicted") is broken
        narrow = replace(claim(0.5 * rate, failure="0"), kernel_deviation=Fraction(factor * changed))
        assert (compare(narrow, results).verdict == "contradicted") is broken
        found = shares(small, results)["radius"].max()
        assert found == pytest.approx(1 / factor, rel=2 * float(results.scalars["error"].max()) + 1e-12)


def test_rates_of_descent_and_of_the_mean_loss() -> None:
    results, rate = trainings(10, "0.05")
    eta = 0.05
    exact = (1 - (1 - eta * rate / 2) ** 2) / eta  # L(k) = (1 − ηλ)^{2k} L(0)
    assert compare(claim(0.7 * exact, "0", "descent"), results).verdict == "supported"
    assert compare(claim(1.4 * exact, "0", "descent"), results).verdict == "contradicted"
    flow, rate = trainings(10)
    assert compare(claim(0.7 * rate / 2, "0", "mean_flow"), flow).verdict == "supported"  # two samples: half the speed
    assert compare(claim(1.4 * rate / 2, "0", "mean_flow"), flow).verdict == "contradicted"


def test_a_training_that_blows_up_breaks_every_bound() -> None:
    results, rate = trainings(3)
    loss = results.scalars["loss"].copy()
    loss[1, 5:] = math.nan
    blown = replace(results, scalars={**results.scalars, "loss": loss})
    assert shares(claim(0.1 * rate), blown)["radius"].tolist()[1] == math.inf
    assert compare(claim(0.1 * rate, "0"), blown).verdict == "contradicted"


@pytest.mark.parametrize("activation", ["erf", "relu"])
def test_certificates_survive(activation: str, tmp_path: Path) -> None:
    certificate = certify_convergence(PAIR, Network(activation, train="hidden"))
    write(certificate, tmp_path / "c.cert.json")
    read, claimed = open_certificate(tmp_path / "c.cert.json")
    results = simulate(experiment_of(read.problem, records=15), [int(claimed.width)], range(6), jobs=1)
    found = compare(claimed, results)
    assert found.verdict == "undecided"  # six trainings show no more
    assert found.estimate.value == 1
    assert all(0 < share.max() <= 1 for share in shares(claimed, results).values())


def test_given_weights_are_tested_as_they_are() -> None:
    weights = Weights((np.array([[0.5, 0.25], [-1.0, 0.5]]), np.array([[1.0, -1.0]])), step_size="0.125")
    problem = Problem(PAIR, Network("erf", train="hidden"), weights=weights)
    experiment = experiment_of(problem, steps=3)
    assert (experiment.step_size, experiment.steps, experiment.weights) == (0.125, 3, weights)


def test_what_cannot_be_simulated_is_refused(tmp_path: Path) -> None:
    wide = Problem(PAIR, Network("erf", train="hidden"), "ntk", Training(10**12))
    with pytest.raises(InputError, match="width 1000000000000 is too wide to simulate"):
        experiment_of(wide)
    with pytest.raises(InputError, match="not about training"):
        experiment_of(Problem(PAIR, Network("erf", train="hidden")))
    (tmp_path / "x.cert.json").write_text("{}")
    with pytest.raises(InputError, match=r"x\.cert\.json: "):
        open_certificate(tmp_path / "x.cert.json")

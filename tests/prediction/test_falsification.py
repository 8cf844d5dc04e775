"""Attempts to find a number of a prediction outside of its proved error: spectra that floats cannot tell apart, and
approximate eigenvectors that are not unit vectors.  The truth is computed in 400 bits (mpmath), the kernel in 1000."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ntkproof import Dataset, Network
from ntkproof.prediction import Limit
from ntkproof.prediction.limit import predict
from ntkproof.prediction.results import Enclosed
from tests.test_gram import Oracle

MP = mpmath.mp.clone()
MP.prec = 400
TEST = np.array([[0.75, 0.5, 0.0, -0.25]])
NETWORKS = (Network("relu", train="hidden"), Network("erf", train="both"), Network("relu", depth=2, bias="0.5"))


def gram(network: Network, points: np.ndarray) -> Any:
    oracle, rows = Oracle(network, "ntk"), points.tolist()
    return MP.matrix([[MP.mpf(oracle.entry(x, y)) for y in rows] for x in rows])


def start_kernel(network: Network, points: np.ndarray) -> Any:
    if network.train == "all":
        oracle, rows = Oracle(network, "nngp"), points.tolist()
        return MP.matrix([[MP.mpf(oracle.entry(x, y)) for y in rows] for x in rows])
    return gram(replace(network, train="output"), points)


def outside(name: str, found: Enclosed, truth: Any) -> Iterator[tuple[str, int, float, float]]:
    """Yield every number that its error does not cover: by name, place, value and radius."""
    numbers = [MP.mpf(x) for x in truth]
    assert found.value.size == len(numbers)
    for i, (value, radius, true) in enumerate(zip(found.value.flat, found.radius.flat, numbers, strict=True)):
        if not abs(MP.mpf(float(value)) - true) <= MP.mpf(float(radius)) + MP.mpf(2) ** -350:
            yield name, i, float(value), float(radius)


def falsehoods(limit: Limit, train: Dataset, network: Network, times: tuple[str, ...]) -> list[Any]:
    """Return every number of a prediction that is outside of its proved error."""
    n, found = train.n, []
    assert train.targets is not None
    points = np.concatenate([train.inputs, TEST])
    whole, start = gram(network, points), start_kernel(network, points)
    y, h, cross = MP.matrix(train.targets.tolist()), whole[:n, :n], whole[:n, n:]
    values, vectors = MP.eigsy(h)
    found += outside("rates", limit.rates, values)
    for i in range(n):
        along = sum(vectors[k, i] * MP.mpf(float(limit.directions[k, i])) for k in range(n))
        sign = 1 if along > 0 else -1
        truth = -sign * sum(vectors[k, i] * y[k] for k in range(n))
        each = Enclosed(limit.components.value[i : i + 1], limit.components.radius[i : i + 1])
        found += outside(f"component {i}", each, [truth])
    for time, instant in zip(times, limit.instants, strict=True):
        t = MP.inf if time == "inf" else MP.mpf(time)
        decay = [MP.mpf(0) if time == "inf" else MP.exp(-x * t) for x in values]
        if time == "inf":
            integral = [1 / x for x in values]
        else:  # an eigenvalue that is 0 up to the precision of the truth counts as 0
            integral = [t if abs(x) < MP.mpf(2) ** -370 else -MP.expm1(-x * t) / x for x in values]
        residual = -(vectors * MP.diag(decay) * vectors.T * y)
        a = vectors * MP.diag(integral) * vectors.T * cross
        law = start[n:, n:] + a.T * start[:n, :n] * a - (a.T * start[:n, n:] + start[n:, :n] * a)
        found += outside(f"filter {time}", instant.filter, [1 - x for x in decay])
        found += outside(f"residual {time}", instant.residual, residual)
        found += outside(f"loss {time}", instant.loss, [sum(x * x for x in residual) / 2])
        found += outside(f"mean {time}", instant.mean, a.T * y)
        found += outside(f"covariance {time}", instant.covariance, law)
    for name, kernel, posterior in (("ntk", whole, limit.ntk_posterior), ("nngp", start, limit.nngp_posterior)):
        if posterior is not None:
            a = MP.lu_solve(kernel[:n, :n], kernel[:n, n:])
            found += outside(f"{name} mean", posterior.mean, a.T * y)
            found += outside(f"{name} covariance", posterior.covariance, kernel[n:, n:] - kernel[n:, :n] * a)
    return found


def attack(inputs: list[list[float]], targets: list[float], network: Network) -> None:
    train = Dataset(np.array(inputs), np.array(targets))
    times: tuple[str, ...] = ("0.25", "40")
    limit = predict(train, network, times=times, test=TEST)
    if limit.lambda_min[0] > 0:
        times = (*times, "inf")
        limit = predict(train, network, times=times, test=TEST)
    assert falsehoods(limit, train, network, times) == []


coordinates = st.tuples(st.integers(-3, 3), st.sampled_from([0, 0, 1, 10, 26, 27, 30, 40, 52])).map(
    lambda x: float(x[0]) * 2.0 ** -x[1]
)
rows = st.lists(st.lists(coordinates, min_size=4, max_size=4).filter(any), min_size=2, max_size=3)


@settings(max_examples=12, deadline=None)
@given(rows, st.sampled_from(NETWORKS), st.lists(st.integers(-4, 4).map(float), min_size=3, max_size=3))
@example([[1.0, 2.0**-30, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], NETWORKS[0], [1.0, 2.0, 0.0])
def test_no_number_leaves_its_error(inputs: list[list[float]], network: Network, targets: list[float]) -> None:
    attack(inputs, targets[: len(inputs)], network)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(rows, st.sampled_from(NETWORKS), st.lists(st.integers(-4, 4).map(float), min_size=3, max_size=3))
def test_no_number_leaves_its_error_long(inputs: list[list[float]], network: Network, targets: list[float]) -> None:
    attack(inputs, targets[: len(inputs)], network)


@pytest.mark.parametrize("k", [20, 26, 28, 30, 33, 60, 300])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_eigenvalues_that_floats_cannot_tell_apart(k: int, order: tuple[int, ...]) -> None:
    """``λ = (1, 1 + 2^-2k, 1 + 2^-2k−1)/2`` in any order: a diagonal kernel whose entries are one float64 number."""
    rows = [[1.0, 0, 0, 0, 0], [0, 1.0, 2.0**-k, 0, 0], [0, 0, 0, 1.0, 2.0 ** -(k + 1)]]
    inputs = np.array([rows[i] for i in order])
    limit = predict(Dataset(inputs, np.array([1.0, 2.0, 3.0])), Network("relu", train="hidden"), times=("1",))
    truth = [Fraction(1, 2), *(Fraction(1, 2) * (1 + Fraction(1, 4) ** e) for e in (k + 1, k))]
    for value, radius, true in zip(limit.rates.value, limit.rates.radius, truth, strict=True):
        assert abs(Fraction(float(value)) - true) <= Fraction(float(radius))
    assert (limit.rates.radius < 1e-12).all()


@pytest.mark.parametrize("spoil", [0.0, 1e-12, 1e-6, 1e-2, -1e-2])
def test_eigenvectors_that_are_no_unit_vectors(spoil: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever LAPACK returns, errors cover: vectors scaled by ``1 + spoil`` and turned by about as much."""
    exact = np.linalg.eigh

    def spoilt(matrix: Any) -> Any:
        values, vectors = exact(matrix)
        turn = np.eye(len(values)) * (1 + spoil) + np.triu(np.full(vectors.shape, spoil / 8), 1)
        return values * (1 + spoil / 16), vectors @ turn

    monkeypatch.setattr("ntkproof.prediction.functions.np.linalg.eigh", spoilt)
    for network in NETWORKS:
        attack([[1.0, 0.5, 0.0, 0.0], [0.25, 0.0, 1.0, 0.0], [0.0, -1.0, 0.5, 0.75]], [1.0, -2.0, 0.5], network)

"""What is measured along training, against direct formulas on the Jacobian and the weights."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest

from ntkproof import Dataset, Network, enclose_gram
from ntkproof.simulation.initialization import initialise, unmirrored
from ntkproof.simulation.measure import SCALARS, Limit, Measurement, limit, spectral_norm
from ntkproof.simulation.networks import Model
from ntkproof.simulation.training import State, descent

X = np.array([[0.6, 0.8], [1.0, 0.0], [0.25, -1.5], [-1.0, 0.5]])
Y = np.array([1.0, -0.5, 0.25, 0.75])


@pytest.mark.parametrize(
    ("network", "init", "parametrisation"),
    [
        (Network("relu", train="hidden", bias="0.5"), "antisymmetric", "ntk"),
        (Network("erf", train="both"), "gaussian", "mup"),
        (Network("tanh", train="output"), "signs", "ntk"),
        (Network("tanh", 2, bias="0.5"), "gaussian", "standard"),
    ],
)
def test_measurements(network: Network, init: str, parametrisation: str) -> None:
    weights = initialise(network, 2, 10, init, np.random.default_rng(0))
    model = Model(network, weights, X, parametrisation)
    begin = State(model, Y, model.start)
    dataset = Dataset(X, Y)
    reference = limit(dataset, network)
    assert np.array_equal(reference.kernel, enclose_gram(dataset, network)[0])
    measurement = Measurement(begin, reference)
    state = list(islice(descent(begin, 0.02), 30))[-1]
    found, components = measurement.measure(state)
    assert set(found) == set(SCALARS)

    first, last = (model.jacobian(s.trace) for s in (begin, state))
    kernel = last @ last.T
    assert found["loss"] == pytest.approx(float(((model.outputs(state.theta) - Y) ** 2).sum()) / 2)
    assert found["lambda_min"] == pytest.approx(float(np.linalg.svd(last)[1][-1]) ** 2, rel=1e-8)
    assert found["kernel_norm"] == pytest.approx(float(np.linalg.norm(last, 2)) ** 2)
    assert found["kernel_change"] == pytest.approx(float(np.linalg.norm(kernel - first @ first.T, 2)), rel=1e-8)
    assert found["limit_distance"] == pytest.approx(float(np.linalg.norm(kernel - reference.kernel, 2)), rel=1e-8)
    assert found["parameter_change"] == pytest.approx(float(np.linalg.norm(state.theta - begin.theta)))

    now, then = model.weights(state.theta), unmirrored(weights)
    moves = [0.0]
    for k in range(network.depth if network.train != "output" else 0):
        scale = 1.0
        if parametrisation == "mup":
            scale = math.sqrt(10)
        if parametrisation == "standard":
            scale = [1.0, math.sqrt(10)][k]
        for r in range(10):
            square = float(np.sum((now.layers[k][r] - then.layers[k][r]) ** 2)) / scale**2
            if network.beta:
                bias_scale = 2.0 if parametrisation == "standard" else 1.0
                square += float(now.biases[k][r] - then.biases[k][r]) ** 2 / bias_scale**2
            moves.append(math.sqrt(square))
    assert found["neuron_change"] == pytest.approx(max(moves))
    assert components == pytest.approx(reference.vectors.T @ (model.outputs(state.theta) - Y))


def test_flips_are_counted() -> None:
    """Two of three neurons are moved: one past the first sample, the other past both."""
    network = Network("relu", train="hidden")
    weights = initialise(network, 1, 3, "signs", np.random.default_rng(0))
    model = Model(network, weights, np.array([[1.0], [2.0]]))
    begin = State(model, np.ones(2), np.array([1.0, -1.0, 0.5]))
    moved = State(model, np.ones(2), np.array([-1.0, -1.0, 0.25]))
    found, _ = Measurement(begin, Limit(np.eye(2))).measure(moved)
    assert found["flips"] == pytest.approx(1 / 3)
    assert found["most_flips"] == pytest.approx(1 / 3)
    assert found["parameter_change"] == pytest.approx(math.hypot(2, 0.25))
    assert found["neuron_change"] == pytest.approx(2)


def test_nothing_has_moved_at_the_start() -> None:
    network = Network("erf", train="hidden")
    model = Model(network, initialise(network, 2, 8, "antisymmetric", np.random.default_rng(0)), X)
    begin = State(model, Y, model.start)
    found, components = Measurement(begin, limit(Dataset(X), network)).measure(begin)
    assert [found[name] for name in ("kernel_change", "parameter_change", "neuron_change", "flips")] == [0] * 4
    assert float(components @ components) / 2 == pytest.approx(found["loss"]) == pytest.approx(float(Y @ Y) / 2)


def test_a_network_that_blew_up_is_measured_as_nan() -> None:
    network = Network("relu", train="hidden")
    model = Model(network, initialise(network, 2, 8, "signs", np.random.default_rng(0)), X)
    begin = State(model, Y, model.start)
    with np.errstate(all="ignore"):
        found, components = Measurement(begin, Limit(np.eye(4))).measure(State(model, Y, begin.theta * math.nan))
    assert all(math.isnan(found[name]) for name in ("loss", "kernel_change"))
    assert np.isnan(components).all()


def test_spectral_norms() -> None:
    assert spectral_norm(np.diag([1.0, -3.0, 2.0])) == pytest.approx(3)

"""Certified convergence against training: at the certified width, over seeds, nothing leaves the certified bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from two_layer import ROWS, jacobian, norm, outputs, refutes, sigma, sigma_prime, start

from ntkproof.checker import check
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.logic.claim import parse_claim
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.table import KINDS
from ntkproof.data.datasets import load, prepare
from ntkproof.theorems.certify import certify_convergence

SEEDS = 20


@cache
def samples(name: str) -> Dataset:
    if name == "three":
        return Dataset(ROWS, np.array([-1.0, -0.5, 1.25]))
    if name == "pair":
        return Dataset(np.eye(2), np.array([0.1, -0.1]))
    options = {"drop_constant": True, "standardize": True, "normalize": True, "standardize_targets": True}
    return prepare(load(name), rows=10, **options)


@cache
def certified(name: str, activation: str, init: str, step_size: str | None) -> tuple[Certificate, Convergence]:
    """Return a certificate that checks, at the least width for a failure probability of 0.05, and what it claims."""
    network = Network(activation, train="hidden")
    certificate = certify_convergence(samples(name), network, init=init, step_size=step_size)
    assert check(certificate).valid
    claim = parse_claim(certificate.conclusion, KINDS)
    assert isinstance(claim, Convergence)
    assert claim.failure <= 0.05
    return certificate, claim


@dataclass
class Trained:
    """Ratios to the bounds that are claimed, the largest over the training; all at most 1 if it holds."""

    loss: float = 0.0
    radius: float = 0.0
    kernel: float = 0.0
    left: float = 1.0  # the last loss, as a part of the first


def train(certificate: Certificate, claim: Convergence, seed: int, steps: int) -> Trained:
    """Train one network: gradient flow by Runge-Kutta steps of a fifth of the stable size, or descent as stated."""
    about = certificate.problem
    training, activation = about.training, about.network.activation
    assert training is not None
    assert about.dataset.targets is not None
    rows, y = about.dataset.inputs, about.dataset.targets
    weights, signs = start(training.init, training.width, rows.shape[1], np.random.default_rng(seed))
    first, a, gram = weights[0], signs[0], rows @ rows.T

    def kernel(w: Any) -> Any:
        slopes = sigma_prime(activation, w @ rows.T)
        return gram * (slopes.T @ slopes) / training.width

    def gradient(w: Any) -> Any:
        hidden = w @ rows.T
        residual = a @ sigma(activation, hidden) / np.sqrt(training.width) - y
        return (a[:, None] * sigma_prime(activation, hidden) * residual) @ rows / np.sqrt(training.width)

    def loss(w: Any) -> float:
        return float(((outputs(activation, rows, w, a) - y) ** 2).sum() / 2)

    initial, loss0 = kernel(first), loss(first)
    assert np.allclose(initial, (lambda j: j @ j.T)(jacobian(activation, rows, first, a)))
    if training.step_size is None:
        dt, c = 0.2 / norm(initial), float(claim.rate)
    else:
        dt = float(training.step_size)
        c = -np.log1p(-dt * float(claim.rate)) / dt
    w, found = first, Trained()
    for k in range(1, steps + 1):
        k1 = gradient(w)
        if training.step_size is None:
            k2 = gradient(w - dt / 2 * k1)
            k3 = gradient(w - dt / 2 * k2)
            w = w - dt / 6 * (k1 + 2 * k2 + 2 * k3 + gradient(w - dt * k3))
        else:
            w = w - dt * k1
        if k <= 4 or k % 5 == 0:
            found.left = loss(w) / loss0
            found.loss = max(found.loss, float(found.left * np.exp(c * dt * k)))
            found.radius = max(found.radius, float(np.linalg.norm(w - first)) / float(claim.radius))
            found.kernel = max(found.kernel, float(norm(kernel(w) - initial)) / float(claim.kernel_deviation))
    return found


def violations(name: str, activation: str, init: str, step_size: str | None, seeds: int, steps: int) -> list[Trained]:
    certificate, claim = certified(name, activation, init, step_size)
    runs = [train(certificate, claim, seed, steps) for seed in range(seeds)]
    worst = {field: round(max(getattr(run, field) for run in runs), 4) for field in vars(runs[0])}
    print(f"\n{name} {activation} {init} {step_size}: width {claim.width}, of what is claimed: {worst}")
    assert max(run.left for run in runs) < 0.9  # it did train
    return [run for run in runs if max(run.loss, run.radius, run.kernel) > 1]


@pytest.mark.parametrize("step_size", [None, "0.1"])
def test_three_samples_train_as_certified(step_size: str | None) -> None:
    assert violations("three", "erf", "antisymmetric", step_size, 5, 60) == []


@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu(0.5)"])
def test_flips_do_not_leave_the_certificate(activation: str) -> None:
    """Orthogonal samples with small targets: the certified width is small, from 96 to 3644."""
    assert violations("pair", activation, "antisymmetric", None, 5, 60) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine", "digits"])
def test_flow_stays_within_the_certificate(name: str) -> None:
    assert violations(name, "erf", "antisymmetric", None, SEEDS, 100) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine", "digits"])
def test_descent_stays_within_the_certificate(name: str) -> None:
    assert violations(name, "erf", "antisymmetric", "0.1", SEEDS, 250) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "activation"), [("three", "sin"), ("three", "erf"), ("pair", "leaky_relu(0.5)")])
@pytest.mark.parametrize("init", ["signs", "balanced"])
def test_other_starts_stay_within_the_certificate(name: str, activation: str, init: str) -> None:
    assert violations(name, activation, init, None, SEEDS, 40) == []


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu(0.5)", "leaky_relu(-0.5)"])
def test_many_seeds_of_small_widths_stay_within_the_certificate(activation: str) -> None:
    found = violations("pair", activation, "antisymmetric", None, 200, 100)
    assert not refutes(len(found), 200, 0.05)

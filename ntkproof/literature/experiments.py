"""Simulations with recorded seeds for claims about random networks; every verdict has a confidence of 99.9 %.

Unless said otherwise the networks have one hidden layer, σ = sin (smooth, bounded, kernels in closed form), standard
normal weights, both layers trained by gradient flow on ``½‖r‖²``, with three samples in the plane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.problem.network import Network
from ntkproof.gram import enclose_gram
from ntkproof.literature.claim import Evidence
from ntkproof.literature.methods import at_least
from ntkproof.simulation.initialization import initialise
from ntkproof.simulation.networks import Model, outputs
from ntkproof.simulation.training import State, flow

Floats = NDArray[np.float64]
Z = 3.29  # 99.9 % of a normal distribution, two-sided
SEED = 20260720
SHALLOW, DEEP = Network("sin", train="both"), Network("sin", depth=2)
INPUTS: Floats = np.array([[1.0, 0.0], [0.6, 0.8], [-0.28, 0.96]])
TARGETS: Floats = np.array([1.0, -0.5, 0.25])
TIME, COUNT = 4.0, 300


def models(network: Network, width: int, count: int, inputs: Floats = INPUTS) -> Iterator[Model]:
    """Yield random networks, each with a seed of its own."""
    for seed in range(count):
        generator = np.random.default_rng([SEED, width, seed])
        yield Model(network, initialise(network, inputs.shape[1], width, "gaussian", generator), inputs)


@dataclass(frozen=True)
class Training:
    """What training did to one network."""

    before: Floats  # kernel, shape (n, n)
    after: Floats
    neuron: float  # mean over neurons of the squared distance that its hidden weights moved


@cache
def trained(width: int) -> list[Training]:
    """Train `COUNT` networks of a width up to the time `TIME`."""
    found = []
    for model in models(SHALLOW, width, COUNT):
        start = State(model, TARGETS, model.start)
        (end,) = flow(start, [TIME], tolerance=1e-3)
        moved = [model.weights(state.theta).layers[0] for state in (start, end)]
        distance = float(((moved[1] - moved[0]) ** 2).sum(1).mean())
        found.append(Training(model.kernel(start.trace), model.kernel(end.trace), distance))
    return found


# Exponents ------------------------------------------------------------------------------------------------------


def exponent(small: Floats, large: Floats, ratio: float) -> tuple[float, float]:
    """Return the exponent e of ``√E q ~ widthᵉ`` from samples of q at two widths, and its 99.9 % half width."""
    estimate = log(large.mean() / small.mean()) / (2 * log(ratio))
    spread = sqrt(sum(q.var(ddof=1) / (q.size * q.mean() ** 2) for q in (small, large)))
    return estimate, Z * spread / (2 * log(ratio))


Samples = Callable[[int], list[float]]


def _measured(samples: Samples, widths: tuple[int, int]) -> tuple[float, float, str]:
    small, large = (np.array(samples(width)) for width in widths)
    estimate, half = exponent(small, large, widths[1] / widths[0])
    return estimate, half, f"widths {widths[0]} and {widths[1]}, exponent {estimate:.3f} ± {half:.3f} (99.9 %)"


def _is_exponent(formula: Any, samples: Samples, widths: tuple[int, int], margin: float = 0) -> Evidence:
    estimate, half, text = _measured(samples, widths)
    return Evidence(abs(estimate - float(formula)) <= half + margin if half < 0.1 else None, text)


def _at_most(formula: Any, samples: Samples, widths: tuple[int, int], margin: float = 0.15) -> Evidence:
    estimate, half, text = _measured(samples, widths)
    above, below = estimate - half > float(formula) + margin, estimate + half <= float(formula) + margin
    return Evidence(below or (False if above else None), text)


def kernel_movement_exponent(formula: Any) -> Evidence:
    """The kernel moves by ``O(widthᵉ)`` during training, e at most the formula (within 0.15, for corrections)."""

    def moved(width: int) -> list[float]:
        return [float(((each.after - each.before) ** 2).sum()) for each in trained(width)]

    return _at_most(formula, moved, (64, 512))


def neuron_movement_exponent(formula: Any) -> Evidence:
    """The hidden weights of one neuron move by order ``widthᵉ`` during training (within 0.02, for corrections)."""
    return _is_exponent(formula, lambda width: [each.neuron for each in trained(width)], (64, 512), 0.02)


def initial_deviation_exponent(formula: Any) -> Evidence:
    """``‖H_0 − H∞‖`` is of order ``widthᵉ``, H∞ certified."""
    return _deviation(formula, SHALLOW, 1000, (32, 512), 0)


def deep_deviation_exponent(formula: Any) -> Evidence:
    """The same with two hidden layers (within 0.05: the mean is off by ``O(1/width)``)."""
    return _deviation(formula, DEEP, 300, (64, 512), 0.05)


def _deviation(formula: Any, network: Network, count: int, widths: tuple[int, int], margin: float) -> Evidence:
    limit, _ = enclose_gram(INPUTS, network)

    def distance(width: int) -> list[float]:
        kernels = (model.kernel(model.trace()) for model in models(network, width, count))
        return [float(((kernel - limit) ** 2).sum()) for kernel in kernels]

    return _is_exponent(formula, distance, widths, margin)


# Laws and frequencies -------------------------------------------------------------------------------------------

TRAIN, TEST = INPUTS[:2], INPUTS[2:]
WIDTH = 256


def trained_variance(variance: float) -> Evidence:
    """The output of trained networks at a test point has this variance over the initialisation (χ², 99.9 %)."""
    values = np.array(_outputs_at_test())
    measured = float(np.var(values, ddof=1))
    half = Z * measured * sqrt(2 / (values.size - 1)) + 2 * measured / WIDTH  # and a correction of order 1/width
    text = f"{values.size} networks of width {WIDTH}: variance {measured:.4f} ± {half:.4f}, claimed {variance:.4f}"
    return Evidence(abs(measured - variance) <= half, text)


@cache
def _outputs_at_test() -> list[float]:
    found = []
    for model in models(SHALLOW, WIDTH, 800, TRAIN):
        (end,) = flow(State(model, TARGETS[:2], model.start), [12.0])
        found.append(float(outputs(SHALLOW, model.weights(end.theta), TEST)[0]))
    return found


def aligned_more_often_than(formula: Any) -> Evidence:
    """Training a narrow network turns its kernel towards ``yyᵀ``, in more than this share of networks."""
    count = sum(_alignment(each.after) > _alignment(each.before) for each in trained(64))
    share = Fraction(int(formula.p), int(formula.q))
    holds, fails = at_least(count, COUNT, share), at_least(COUNT - count, COUNT, 1 - share)
    return Evidence(holds or (False if fails else None), f"width 64: in {count} of {COUNT} networks")


def _alignment(kernel: Floats) -> float:
    return float(TARGETS @ kernel @ TARGETS / np.linalg.norm(kernel))


def large_norm_frequency(bound: Callable[[float], Fraction], rows: int = 8, columns: int = 5) -> Evidence:
    """``‖W‖ > √N + √n + t`` is no more frequent than the bound says (Clopper–Pearson), at three t."""
    norms = np.linalg.norm(np.random.default_rng(SEED).standard_normal((20000, rows, columns)), 2, axis=(1, 2))
    texts = []
    for t in (0.25, 0.5, 1.0):
        count = int((norms > sqrt(rows) + sqrt(columns) + t).sum())
        texts.append(f"t = {t:g}: {count}")
        if at_least(count, 20000, bound(t)):
            return Evidence(False, f"more frequent than {float(bound(t)):.3g} at t = {t:g}")
    return Evidence(True, f"{rows} × {columns}, of 20000: {', '.join(texts)}")

"""Simulations with recorded seeds for claims about random networks; every verdict has a confidence of 99.9 %.

The networks are those of `Networks`: one hidden layer, σ = sin (smooth, bounded, dual kernels in closed form), both
layers standard normal and trained by gradient flow on ``½‖r‖²``, many networks at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.claims.claim import Evidence
from ntkproof.claims.methods import at_least
from ntkproof.gram import enclose_gram
from ntkproof.problem import Network

Array = NDArray[np.float64]
Z = 3.29  # 99.9 % of a normal distribution, two-sided
SEED = 20260720
INPUTS: Array = np.array([[1.0, 0.0], [0.6, 0.8], [-0.28, 0.96]])
TARGETS: Array = np.array([1.0, -0.5, 0.25])


@dataclass
class Networks:
    """S networks of width m: hidden weights of shape (S, m, d), output weights (S, m)."""

    hidden: Array
    output: Array

    @classmethod
    def random(cls, count: int, width: int, inputs: int, seed: int) -> Networks:
        """Draw standard normal weights."""
        generator = np.random.default_rng(seed)
        shape = (count, width)
        return cls(generator.standard_normal((*shape, inputs)), generator.standard_normal(shape))

    def values(self, x: Array) -> Array:
        """Return the outputs at inputs of shape (n, d), shape (S, n)."""
        return np.asarray(np.einsum("sm,smn->sn", self.output, np.sin(self.hidden @ x.T)) / sqrt(self.output.shape[1]))

    def kernel(self, x: Array) -> Array:
        """Return ``J Jᵀ``, shape (S, n, n)."""
        z = self.hidden @ x.T
        features, slopes = np.sin(z), self.output[:, :, None] * np.cos(z)
        first = np.einsum("smi,smj->sij", slopes, slopes) * (x @ x.T)
        return np.asarray((first + np.einsum("smi,smj->sij", features, features)) / self.output.shape[1])

    def train(self, x: Array, y: Array, time: float, steps: int) -> Networks:
        """Return the networks after gradient flow (classical Runge–Kutta)."""
        now, step = self, time / steps
        for _ in range(steps):
            k = [_velocity(now, x, y)]
            for share in (0.5, 0.5, 1.0):
                k.append(_velocity(now.moved(share * step, *k[-1]), x, y))
            hidden, output = ((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(*k, strict=True))
            now = now.moved(step, hidden, output)
        return now

    def moved(self, step: float, hidden: Array, output: Array) -> Networks:
        """Return the networks moved along a direction."""
        return Networks(self.hidden + step * hidden, self.output + step * output)


def _velocity(networks: Networks, x: Array, y: Array) -> tuple[Array, Array]:
    """Return ``−∇(½‖r‖²)`` for both layers."""
    hidden, output = networks.hidden, networks.output
    root = sqrt(output.shape[1])
    z = hidden @ x.T
    sine, cosine = np.sin(z), np.cos(z)
    residual = np.einsum("sm,smn->sn", output, sine) / root - y
    pulled = residual[:, None, :] / root
    return -output[:, :, None] * ((pulled * cosine) @ x), -np.einsum("smn,sn->sm", sine, residual) / root


@cache
def _trained(width: int, count: int) -> tuple[Networks, Networks]:
    start = Networks.random(count, width, 2, SEED + width)
    return start, start.train(INPUTS, TARGETS, 4.0, 60)


# Exponents ------------------------------------------------------------------------------------------------------


def exponent(small: Array, large: Array, ratio: float) -> tuple[float, float]:
    """Return the exponent e of ``√E q ~ widthᵉ`` from samples of q at two widths, and its 99.9 % half width."""
    estimate = log(large.mean() / small.mean()) / (2 * log(ratio))
    spread = sqrt(sum(q.var(ddof=1) / (q.size * q.mean() ** 2) for q in (small, large)))
    return estimate, Z * spread / (2 * log(ratio))


def _measured(samples: Callable[[int], Array], widths: tuple[int, int]) -> tuple[float, float, str]:
    estimate, half = exponent(samples(widths[0]), samples(widths[1]), widths[1] / widths[0])
    return estimate, half, f"widths {widths[0]} and {widths[1]}, exponent {estimate:.3f} ± {half:.3f} (99.9 %)"


def _is_exponent(formula: Any, samples: Callable[[int], Array], widths: tuple[int, int], margin: float = 0) -> Evidence:
    estimate, half, text = _measured(samples, widths)
    return Evidence(abs(estimate - float(formula)) <= half + margin if half < 0.1 else None, text)


def _at_most(formula: Any, samples: Callable[[int], Array], widths: tuple[int, int], margin: float = 0.1) -> Evidence:
    estimate, half, text = _measured(samples, widths)
    above, below = estimate - half > float(formula) + margin, estimate + half <= float(formula) + margin
    return Evidence(below or (False if above else None), text)


def kernel_movement_exponent(formula: Any) -> Evidence:
    """The kernel moves by ``O(widthᵉ)`` during training, e at most the formula (within 0.1, for corrections)."""

    def moved(width: int) -> Array:
        start, end = _trained(width, 200)
        return np.asarray(((end.kernel(INPUTS) - start.kernel(INPUTS)) ** 2).sum((1, 2)))

    return _at_most(formula, moved, (64, 512))


def neuron_movement_exponent(formula: Any) -> Evidence:
    """The weights of one neuron move by order ``widthᵉ`` during training."""

    def moved(width: int) -> Array:
        start, end = _trained(width, 200)
        return np.asarray(((end.hidden - start.hidden) ** 2).sum(2).mean(1))

    return _is_exponent(formula, moved, (64, 512), 0.02)


def initial_deviation_exponent(formula: Any) -> Evidence:
    """``‖H_0 − H∞‖`` is of order ``widthᵉ``, H∞ certified."""
    limit, _ = enclose_gram(INPUTS, Network("sin", train="both"))

    def distance(width: int) -> Array:
        kernels = Networks.random(1000, width, 2, SEED).kernel(INPUTS)
        return np.asarray(((kernels - limit) ** 2).sum((1, 2)))

    return _is_exponent(formula, distance, (32, 512))


def deep_deviation_exponent(formula: Any) -> Evidence:
    """The same with two hidden layers; the mean is off by ``O(1/width)``, which two widths of this size do not show."""
    limit, _ = enclose_gram(INPUTS, Network("sin", depth=2))

    def distance(width: int) -> Array:
        generator = np.random.default_rng(SEED)
        found = [_deep_kernel(generator, width) for _ in range(300)]
        return np.array([((kernel - limit) ** 2).sum() for kernel in found])

    return _is_exponent(formula, distance, (64, 512), 0.05)


def _deep_kernel(generator: np.random.Generator, width: int) -> Array:
    """Return ``J Jᵀ`` of a random network with two hidden layers."""
    first, second, last = (generator.standard_normal(shape) for shape in ((width, 2), (width, width), width))
    z1 = first @ INPUTS.T
    z2 = second @ np.sin(z1) / sqrt(width)
    g2 = last[:, None] * np.cos(z2) / sqrt(width)
    g1 = (second.T @ g2 / sqrt(width)) * np.cos(z1)
    x1, x2 = np.sin(z1), np.sin(z2)
    return np.asarray((x2.T @ x2 + (g2.T @ g2) * (x1.T @ x1)) / width + (g1.T @ g1) * (INPUTS @ INPUTS.T))


# Laws and frequencies -------------------------------------------------------------------------------------------

TRAIN: Array = INPUTS[:2]
TEST: Array = INPUTS[2:]


def trained_variance(variance: float) -> Evidence:
    """The output of trained networks at a test point has this variance over the initialisation (χ², 99.9 %)."""
    values, width = _outputs_at_test(), 256
    measured = float(np.var(values, ddof=1))
    half = Z * measured * sqrt(2 / (values.size - 1)) + 2 * measured / width  # and a correction of order 1/width
    text = f"{values.size} networks of width {width}: variance {measured:.4f} ± {half:.4f}, claimed {variance:.4f}"
    return Evidence(abs(measured - variance) <= half, text)


@cache
def _outputs_at_test() -> Array:
    starts = (Networks.random(300, 256, 2, SEED + part) for part in range(5))
    return np.concatenate([start.train(TRAIN, TARGETS[:2], 12.0, 60).values(TEST)[:, 0] for start in starts])


def aligned_more_often_than(formula: Any) -> Evidence:
    """Training a narrow network turns its kernel towards ``yyᵀ``, in more than this share of networks."""
    start, end = _trained(64, 200)
    before, after = (_alignment(networks.kernel(INPUTS)) for networks in (start, end))
    count = int((after > before).sum())
    share = Fraction(int(formula.p), int(formula.q))
    holds = at_least(count, len(after), share)
    fails = at_least(len(after) - count, len(after), 1 - share)
    return Evidence(holds or (False if fails else None), f"width 64: in {count} of {len(after)} networks")


def _alignment(kernels: Array) -> Array:
    form = np.einsum("i,sij,j->s", TARGETS, kernels, TARGETS)
    return np.asarray(form / np.sqrt((kernels**2).sum((1, 2))))


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

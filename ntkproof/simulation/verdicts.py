"""What a run says about the predictions of the limit of infinite width: one finding for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.findings import Finding
from ntkproof.simulation.intervals import FEWEST_SEEDS, LEVEL
from ntkproof.simulation.runs import Results
from ntkproof.simulation.statistics import decay_rate, exponent, exponent_at_most, loss_bound, rate, spectral_bias

Floats = NDArray[np.float64]

FAILURE = 0.05
_WINDOW = (1e-1, 1e-3)  # shares of the predicted loss between which its rate is taken
_FLOOR = 1e-26  # of the loss at the start: float64 knows residuals no better than to 1e-13


def predicted_components(results: Results) -> Floats:
    """Return the components of the residual as the linear theory predicts them from the start, shape (C, T, n)."""
    if results.step_size[0] > 0:
        factors = 1 - results.step_size[:, None] * results.eigenvalues
        decay = np.power(factors[:, None, :], _of_all(results, results.step)[:, :, None])
    else:
        decay = np.exp(-_of_all(results, results.time)[:, :, None] * results.eigenvalues)
    return np.asarray(results.residual[:, :1, :] * decay)


def assess(results: Results, *, level: float = LEVEL) -> list[Finding]:
    """Judge the predictions for networks in the NTK parametrisation.

    For every width the bound ``L(t) ≤ e^{−λ_min(H∞) t} L(0)`` (Du et al. 2019, Theorem 3.2) with probability at least
    0.95; at the largest width the rate of the loss and those of the components along the eigenvectors of H∞; with
    three widths or more and `FEWEST_SEEDS` seeds common to all, the exponents of ``‖H_0 − H∞‖``, of the largest
    ``‖H_t − H_0‖`` and ``‖θ_t − θ_0‖`` and of the largest movement of a neuron.

    Raises:
        InputError: no trainings.
    """
    if results.width.size == 0:
        raise InputError("there are no trainings to judge")
    widths = sorted(set(results.width.tolist()))
    findings = [_bound(results.at(width), width, level) for width in widths]
    widest = results.at(widths[-1])
    findings += [_rate(widest, level), _directions(widest, level)]
    seeds = set.intersection(*(set(results.at(width).seed.tolist()) for width in widths))
    if len(widths) >= 3 and len(seeds) >= FEWEST_SEEDS:
        findings += _exponents(results, widths, sorted(seeds), level)
    return findings


def _bound(results: Results, width: int, level: float) -> Finding:
    losses = results.scalars["loss"]
    slack = 1e-9 + 2 * float(np.nanmax(results.scalars["error"]))
    floor = _FLOOR * float(np.nanmax(losses[:, 0]))
    smallest = max(float(results.eigenvalues[0]), 0.0)
    found = loss_bound(_times(results), losses, smallest, FAILURE, slack=slack, floor=floor, level=level)
    return Finding(f"width {width}: {found.claim}", found.claimed, found.verdict, found.estimate, found.reason)


def _rate(results: Results, level: float) -> Finding:
    predicted = (predicted_components(results) ** 2).sum(axis=2) / 2
    times = _times(results)
    share = predicted.mean(axis=0) / predicted[:, 0].mean()
    start, stop = (float(np.interp(-np.log(s), -np.log(np.maximum(share, 1e-300)), times[0])) for s in _WINDOW)
    if start == stop:  # the run ends before
        start = 0.0
    claimed = decay_rate(times, predicted, (start, stop))
    return rate(times, results.scalars["loss"], claimed, (start, stop), level=level)


def _directions(results: Results, level: float) -> Finding:
    return spectral_bias(_times(results), results.residual, results.eigenvalues, level=level)


def _exponents(results: Results, widths: list[int], seeds: list[int], level: float) -> list[Finding]:
    def values(name: str, moments: slice) -> Floats:
        rows = []
        for width in widths:
            part = results.at(width)
            order = [part.seed.tolist().index(seed) for seed in seeds]
            rows.append(part.scalars[name][order][:, moments].max(axis=1))
        return np.array(rows)

    whole = slice(None)
    return [
        exponent("‖H_0 - H∞‖", widths, values("limit_distance", slice(1)), -0.5, level=level),
        exponent_at_most("max ‖H_t - H_0‖", widths, values("kernel_change", whole), -0.5, level=level),
        exponent("max ‖θ_t - θ_0‖", widths, values("parameter_change", whole), 0.0, level=level),
        exponent_at_most("max ‖w_r(t) - w_r(0)‖", widths, values("neuron_change", whole), -0.5, level=level),
    ]


def _times(results: Results) -> Floats:
    return _of_all(results, results.time)


def _of_all(results: Results, moments: NDArray[Any]) -> NDArray[Any]:
    """Return steps or times, those after a blow-up as in a training that did not."""
    reached = np.isfinite(results.time) & (results.step >= 0)
    return np.where(reached, moments, moments[reached.sum(axis=1).argmax()])

"""What trainings say about claims on rates, bounds, powers of the width and spectral bias; pure functions of arrays.

Estimates are those of `ntkproof.simulation.intervals`, verdicts those of `ntkproof.simulation.findings`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.findings import UNDECIDED, Finding, at_most, equal, happens, together
from ntkproof.simulation.intervals import LEVEL, Estimate, student

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


# Rates ----------------------------------------------------------------------------------------------------------


def decay_rate(times: ArrayLike, values: ArrayLike, window: tuple[float, float]) -> Floats:
    """Return the mean rate of exponential decay from one time to another, ``log(v(t_0)/v(t_1))/(t_1 − t_0)``.

    Args:
        times: ascending, shape (T,) or (S, T).
        values: positive, shape (S, T); between the times their logarithms are interpolated linearly.
        window: ``t_0 < t_1``.

    Returns:
        One rate for each row, shape (S,); NaN where the window is not within the times or a value is not positive.
    """
    t, v = _curves(times, values)
    start, stop = window
    if not start < stop:
        raise InputError(f"the window ends at {stop:g}, before it starts at {start:g}")
    rates = np.full(len(v), np.nan)
    for s, (moments, curve) in enumerate(zip(t, v, strict=True)):
        near = slice(
            max(0, int(np.searchsorted(moments, start, side="right")) - 1), int(np.searchsorted(moments, stop)) + 1
        )
        inside = moments[0] <= start and stop <= moments[-1]
        if inside and (curve[near] > 0).all() and np.isfinite(curve[near]).all():
            first, last = np.interp([start, stop], moments[near], np.log(curve[near]))
            rates[s] = (first - last) / (stop - start)
    return rates


def rate(
    times: ArrayLike,
    losses: ArrayLike,
    claimed: ArrayLike,
    window: tuple[float, float],
    *,
    margin: float = 0.1,
    level: float = LEVEL,
) -> Finding:
    """Judge whether the loss decays at a claimed rate, relatively to within the margin.

    Args:
        times: shape (T,) or (S, T).
        losses: shape (S, T).
        claimed: the rate, one for all seeds or one for each; for what the limit predicts, `decay_rate` of its loss in
            the same window (towards the end of training that is ``2 λ_min``).
        window: where the rate is taken.
        margin: relative.
        level: of the interval.
    """
    rates = np.asarray(claimed, dtype=np.float64)
    if not (rates > 0).all():
        raise InputError(f"the rate claimed must be positive, not {float(rates.min()):g}")
    estimate = student(decay_rate(times, losses, window) / rates, level)
    mean = float(rates.mean())
    what = f"the loss decays at the rate {mean:.4g} from t = {window[0]:.4g} to {window[1]:.4g} (ratio to it)"
    return equal(what, estimate, 1.0, margin)


def loss_bound(
    times: ArrayLike,
    losses: ArrayLike,
    rate: float,
    failure: float = 0.0,
    *,
    slack: float = 1e-9,
    floor: float = 0.0,
    level: float = LEVEL,
) -> Finding:
    """Judge the claim ``L(t) ≤ e^{−ct} L(0)`` at all times, with probability at least ``1 − failure``.

    Args:
        times: shape (T,) or (S, T), the first one 0.
        losses: shape (S, T).
        rate: c.
        failure: the failure probability claimed.
        slack: relative numerical error of a loss.
        floor: losses up to here are not told from 0.
        level: of the interval.
    """
    t, values = _curves(times, losses)
    bound = np.exp(-rate * t) * values[:, :1] * (1 + slack)
    return happens(f"L(t) ≤ e^(-{rate:.4g} t) L(0)", _all_hold(values <= np.maximum(bound, floor)), 1 - failure, level)


def stays_below(
    what: str,
    values: ArrayLike,
    bound: float,
    failure: float = 0.0,
    *,
    slack: float = 1e-9,
    level: float = LEVEL,
) -> Finding:
    """Judge the claim that a quantity stays within a bound, with probability at least ``1 − failure``.

    Used for ``‖H_t − H_0‖``, ``‖θ_t − θ_0‖`` along training, and for ``‖H_0 − H∞‖`` at initialisation.

    Args:
        what: the quantity, in words.
        values: shape (S, T) or (S,).
        bound: the bound claimed.
        failure: the failure probability claimed.
        slack: relative numerical error.
        level: of the interval.
    """
    x = np.asarray(values, dtype=np.float64)
    held = _all_hold(x.reshape(len(x), -1) <= bound * (1 + slack))
    return happens(f"{what} ≤ {bound:.4g}", held, 1 - failure, level)


def stays_above(
    what: str,
    values: ArrayLike,
    bound: float,
    failure: float = 0.0,
    *,
    slack: float = 1e-9,
    level: float = LEVEL,
) -> Finding:
    """Judge the claim that a quantity such as ``λ_min(H_t)`` stays above a bound; see `stays_below`."""
    x = np.asarray(values, dtype=np.float64)
    held = _all_hold(x.reshape(len(x), -1) >= bound - abs(bound) * slack)
    return happens(f"{what} ≥ {bound:.4g}", held, 1 - failure, level)


def _all_hold(comparisons: Bools) -> Bools:
    """Return for each seed whether a comparison holds throughout; NaN compares as False."""
    return np.asarray(comparisons.all(axis=1))


def _curves(times: ArrayLike, values: ArrayLike) -> tuple[Floats, Floats]:
    v = np.asarray(values, dtype=np.float64)
    t = np.asarray(times, dtype=np.float64)
    if v.ndim != 2 or t.shape not in (v.shape, v.shape[1:]):
        raise InputError(f"times of shape {t.shape} for values of shape {v.shape}; (seeds, times) are needed")
    return np.broadcast_to(t, v.shape), v


# Scaling --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PowerLaw:
    """A fit of ``value ∝ width^exponent``.

    Args:
        exponent: its estimate.
        bend: the exponent at the largest widths less that at the smallest, of a parabola through the logarithms; a
            power law has 0.
    """

    exponent: Estimate
    bend: Estimate


def fit_power(widths: ArrayLike, values: ArrayLike, level: float = LEVEL) -> PowerLaw:
    """Fit a power of the width by regression of the logarithms, seed by seed.

    A seed is a cluster: it gives one slope, and the interval is that of the mean of the slopes.  So it is right
    whether or not the trainings of one seed at several widths share random numbers.

    Args:
        widths: at least two different ones, shape (W,).
        values: positive, shape (W, S).
        level: of the intervals.
    """
    m, v = np.asarray(widths, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if m.ndim != 1 or v.ndim != 2 or len(m) != len(v) or len(set(m.tolist())) < 2 or not (m > 0).all():
        raise InputError(f"values of shape {v.shape} for widths of shape {m.shape}; (widths, seeds) are needed")
    x = np.log(m) - np.log(m).mean()
    logs = np.log(np.where(v > 0, v, np.nan))
    slopes = x @ (logs - logs.mean(axis=0)) / (x @ x)
    if len(set(m.tolist())) < 3:
        return PowerLaw(student(slopes, level), Estimate(0.0, 0.0, 0.0, level, v.shape[1], "two widths"))
    square = x * x - (x * x).mean()
    square = square - x * (x @ square) / (x @ x)
    bends = 2 * (x.max() - x.min()) * (square @ logs) / (square @ square)
    return PowerLaw(student(slopes, level), student(bends, level))


def exponent(
    what: str, widths: ArrayLike, values: ArrayLike, claimed: float, *, margin: float = 0.1, level: float = LEVEL
) -> Finding:
    """Judge whether a quantity scales with the width as ``width^claimed``, to within the margin.

    Where the logarithms bend by more than twice the margin there is no power law to judge: undecided.

    Args:
        what: the quantity, in words.
        widths: shape (W,).
        values: shape (W, S).
        claimed: the exponent.
        margin: absolute.
        level: of the interval.
    """
    law = fit_power(widths, values, level)
    return _unless_bent(equal(f"{what} ∝ width^{claimed:.4g}", law.exponent, claimed, margin), law.bend, margin)


def exponent_at_most(
    what: str, widths: ArrayLike, values: ArrayLike, claimed: float, *, margin: float = 0.1, level: float = LEVEL
) -> Finding:
    """Judge whether a quantity shrinks at least as fast as ``width^claimed``, to within the margin; see `exponent`."""
    law = fit_power(widths, values, level)
    finding = at_most(f"{what} = O(width^{claimed:.4g})", law.exponent, claimed + margin)
    return _unless_bent(finding, law.bend, margin)


def _unless_bent(finding: Finding, bend: Estimate, margin: float) -> Finding:
    if finding.verdict != UNDECIDED and (bend.lower > 2 * margin or bend.upper < -2 * margin):
        reason = f"no power law at these widths: the exponent changes by {bend} from the smallest to the largest"
        return replace(finding, verdict=UNDECIDED, reason=f"{reason}; {finding.reason}")
    return finding


# Spectral bias --------------------------------------------------------------------------------------------------


def component_rates(times: ArrayLike, components: ArrayLike, eigenvalues: ArrayLike, *, least: float = 0.05) -> Floats:
    """Return the rates at which the residual decays along the eigenvectors of H∞.

    The rate of the i-th is taken from the start to ``t = 1/λ_i``, when the limit has brought it down to 1/e.

    Args:
        times: shape (T,) or (S, T), from 0 on.
        components: of the residual, shape (S, T, n).
        eigenvalues: λ_i, shape (n,).
        least: components that start below this share of ‖r_0‖ are left out: what leaks into them from others would
            be measured.

    Returns:
        Shape (S, n); NaN where left out, or where the times end before ``1/λ_i``.
    """
    c, values = np.abs(np.asarray(components, dtype=np.float64)), np.asarray(eigenvalues, dtype=np.float64)
    if c.ndim != 3 or values.shape != c.shape[2:]:
        raise InputError(f"{values.shape} eigenvalues for components of shape {c.shape}; (seeds, times, n) are needed")
    sizes = np.linalg.norm(c[:, 0], axis=1)
    rates = np.full((len(c), len(values)), np.nan)
    for i, value in enumerate(values):
        if value > 0:
            rates[:, i] = decay_rate(times, c[:, :, i], (0.0, 1 / value))
            rates[:, i] = np.where(c[:, 0, i] >= least * sizes, rates[:, i], np.nan)
    return rates


def spectral_bias(
    times: ArrayLike,
    components: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    least: float = 0.05,
    margin: float = 0.1,
    level: float = LEVEL,
) -> Finding:
    """Judge whether the component along each eigenvector of H∞ decays at its eigenvalue.

    Two numbers of each seed are tested, both to within the margin: the geometric mean of the ratios of rates to
    eigenvalues, claimed 1, and the slope of the logarithms of the rates on those of the eigenvalues, claimed 1.

    Args:
        times, components, eigenvalues, least: as for `component_rates`.
        margin: absolute.
        level: of each interval; together they fail with at most twice the probability.
    """
    rates = component_rates(times, components, eigenvalues, least=least)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(np.where(rates > 0, rates, np.nan))
        x = np.log(np.asarray(eigenvalues, dtype=np.float64))
    used = ~np.isnan(rates)
    pairs = [_regression(x[mask], row[mask]) for row, mask in zip(logs, used, strict=True)]
    ratio = student([ratio_ for ratio_, _ in pairs], level)
    slope = student([slope_ for _, slope_ in pairs], level)
    directions = f"{int(used.sum(axis=1).min())} to {int(used.sum(axis=1).max())} directions"
    return together(
        f"the component along the i-th eigenvector decays at λ_i ({directions})",
        [equal("mean ratio", ratio, 1.0, margin), equal("slope of the logarithms", slope, 1.0, margin)],
    )


def _regression(x: Floats, y: Floats) -> tuple[float, float]:
    """Return the geometric mean ratio ``exp(mean(y − x))`` and the slope of y on x; NaN from fewer than two x."""
    if len(x) < 2 or np.ptp(x) == 0:
        return math.nan, math.nan
    centred = x - x.mean()
    return float(np.exp(np.mean(y - x))), float(centred @ y / (centred @ centred))

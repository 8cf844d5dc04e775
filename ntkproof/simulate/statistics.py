"""What trainings say about a claim: estimates with confidence intervals over seeds, and verdicts.

Pure functions of arrays.  Seeds are independent; whatever one seed gives (a whole training, all widths of a seed) is
one observation, so nothing within a seed is counted as independent.

Intervals
---------
* `student`: of a mean over seeds (Student 1908); exact for normal samples, asymptotic otherwise.
* `median`: of a median, from order statistics; exact for every continuous distribution.
* `clopper_pearson`: of a probability (Clopper and Pearson 1934); exact: covers with at least the stated confidence.

All are two-sided with confidence `LEVEL`, each side failing with half of what is left.  A verdict is ``supported`` if
the whole interval agrees with the claim, ``contradicted`` if none of it does, ``undecided`` otherwise.  For a claim of
equality a margin says what counts as equal.  So a true claim is contradicted, and a false one supported, with
probability at most ``1 − LEVEL`` for each; who tests k claims and wants this for all of them together asks for the
level ``1 − (1 − LEVEL)/k`` (`for_all`).  NaN and infinities, from trainings that blow up, break every bound and leave
every estimate undecided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntkproof.checker.logic.numbers import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 0.99
FEWEST_SEEDS = 5
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval.

    Args:
        value: the estimate.
        lower, upper: ends of the interval; infinite or NaN if nothing is known.
        level: its confidence.
        seeds: number of independent observations.
        method: ``Student``, ``order statistics`` or ``Clopper-Pearson``.
    """

    value: float
    lower: float
    upper: float
    level: float
    seeds: int
    method: str

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.lower:.4g}, {self.upper:.4g}]"


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim.

    Args:
        claim: what is claimed, in words.
        claimed: the number that is claimed.
        verdict: ``supported``, ``contradicted`` or ``undecided``.
        estimate: what was measured.
        reason: why, in one line.
    """

    claim: str
    claimed: float
    verdict: str
    estimate: Estimate
    reason: str


def for_all(claims: int, level: float = LEVEL) -> float:
    """Return the level of each of several claims for which all intervals hold together (Bonferroni)."""
    if claims < 1:
        raise InputError("at least one claim is needed")
    return 1 - (1 - level) / claims


# Intervals ------------------------------------------------------------------------------------------------------


def student(samples: ArrayLike, level: float = LEVEL) -> Estimate:
    """Estimate the mean of independent samples, shape (S,), from Student's distribution.

    Below `FEWEST_SEEDS` samples, or with one that is not finite, the interval is the whole line.
    """
    x = _samples(samples)
    mean = float(x.mean()) if x.size else math.nan
    if x.size < FEWEST_SEEDS or not math.isfinite(mean):
        return Estimate(mean, -math.inf, math.inf, level, x.size, "Student")
    half = student_quantile(x.size - 1, (1 + level) / 2) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return Estimate(mean, mean - half, mean + half, level, x.size, "Student")


def median(samples: ArrayLike, level: float = LEVEL) -> Estimate:
    """Estimate the median of a continuous distribution from independent samples, shape (S,).

    The interval runs from the k-th smallest sample to the k-th largest, with the largest k for which the median is
    below the former with probability at most ``(1 − level)/2``; without one it is the whole line.
    """
    x = np.sort(_samples(samples))
    n = x.size
    middle = float(np.median(x)) if n else math.nan
    k, below = 0, 0.5**n  # P(Bin(n, ½) ≤ k)
    while below <= (1 - level) / 2:
        k += 1
        below += math.comb(n, k) * 0.5**n
    if k == 0 or not math.isfinite(middle):
        return Estimate(middle, -math.inf, math.inf, level, n, "order statistics")
    return Estimate(middle, float(x[k - 1]), float(x[n - k]), level, n, "order statistics")


def clopper_pearson(successes: int, trials: int, level: float = LEVEL) -> Estimate:
    """Estimate the probability of an event that happened in ``successes`` of ``trials`` independent trials."""
    if not 0 <= successes <= trials or trials < 1:
        raise InputError(f"{successes} successes of {trials} trials")
    tail = (1 - level) / 2
    lower = 0.0 if successes == 0 else beta_quantile(successes, trials - successes + 1, tail)
    upper = 1.0 if successes == trials else beta_quantile(successes + 1, trials - successes, 1 - tail)
    return Estimate(successes / trials, lower, upper, level, trials, "Clopper-Pearson")


@lru_cache(maxsize=4096)
def beta_quantile(a: int | float, b: int | float, p: float) -> float:
    """Return x with ``P(Beta(a, b) ≤ x) = p``, to about 1e-15."""
    mp = _context()
    return _root(lambda x: mp.betainc(a, b, 0, x, regularized=True) - p)


@lru_cache(maxsize=1024)
def student_quantile(freedom: int, p: float) -> float:
    """Return t with ``P(T ≤ t) = p ≥ ½`` for Student's distribution: ``ν/(ν + T²)`` is Beta(ν/2, ½)."""
    x = beta_quantile(freedom / 2, 0.5, 2 * (1 - p))
    return math.sqrt(freedom * (1 - x) / x)


def _context() -> Any:
    context = mpmath.MPContext()
    context.prec = 80
    return context


def _root(increasing: Callable[[float], Any]) -> float:
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if not low < middle < high or high - low < 1e-16:
            return middle
        if increasing(middle) > 0:
            high = middle
        else:
            low = middle


def _samples(samples: ArrayLike) -> Floats:
    x = np.asarray(samples, dtype=np.float64)
    if x.ndim != 1:
        raise InputError(f"samples must have shape (seeds,), not {x.shape}")
    return x if np.isfinite(x).all() else np.where(np.isfinite(x), x, np.nan)


# Verdicts -------------------------------------------------------------------------------------------------------


def equal(claim: str, estimate: Estimate, claimed: float, margin: float) -> Finding:
    """Judge whether a mean is ``claimed`` up to ``margin`` (a test of equivalence)."""
    low, high = claimed - margin, claimed + margin
    return _judged(claim, claimed, estimate, low, high, f"{claimed:.4g} ± {margin:.4g}")


def at_least(claim: str, estimate: Estimate, claimed: float) -> Finding:
    """Judge whether a mean is at least ``claimed``."""
    return _judged(claim, claimed, estimate, claimed, math.inf, f"at least {claimed:.4g}")


def at_most(claim: str, estimate: Estimate, claimed: float) -> Finding:
    """Judge whether a mean is at most ``claimed``."""
    return _judged(claim, claimed, estimate, -math.inf, claimed, f"at most {claimed:.4g}")


def _judged(claim: str, claimed: float, found: Estimate, low: float, high: float, asked: str) -> Finding:
    if not (math.isfinite(found.lower) and math.isfinite(found.upper)):
        few = found.seeds < FEWEST_SEEDS
        why = f"{found.seeds} seeds are too few" if few else "some seeds gave no finite number"
        return Finding(claim, claimed, UNDECIDED, found, f"{why} for an interval; claimed {asked}")
    known = f"{found} ({found.level:.4g} {found.method}, {found.seeds} seeds)"
    if low <= found.lower and found.upper <= high:
        return Finding(claim, claimed, SUPPORTED, found, f"{known} is {asked}")
    if found.upper < low or found.lower > high:
        return Finding(claim, claimed, CONTRADICTED, found, f"{known} is not {asked}")
    return Finding(claim, claimed, UNDECIDED, found, f"{known} neither shows nor excludes {asked}")


def happens(claim: str, events: ArrayLike, probability: float, level: float = LEVEL) -> Finding:
    """Judge whether an event has at least a claimed probability, from independent trials.

    Args:
        claim: in words.
        events: whether it happened, shape (S,).
        probability: the one claimed.  One that is 1 is contradicted by one failure, and supported by none.
        level: of the interval.
    """
    happened = np.asarray(events, dtype=bool)
    if happened.ndim != 1 or happened.size == 0:
        raise InputError(f"events must have shape (seeds,), not {happened.shape}")
    n, k = happened.size, int(happened.sum())
    found = clopper_pearson(k, n, level)
    known = f"{k} of {n} seeds; probability in [{found.lower:.4g}, {found.upper:.4g}] ({level:.4g} {found.method})"
    if probability == 1:
        return Finding(claim, probability, SUPPORTED if k == n else CONTRADICTED, found, f"{known}, claimed 1")
    if found.lower >= probability:
        return Finding(claim, probability, SUPPORTED, found, f"{known}, claimed at least {probability:.4g}")
    if found.upper < probability:
        return Finding(claim, probability, CONTRADICTED, found, f"{known}, claimed at least {probability:.4g}")
    reason = f"{known} neither shows nor excludes {probability:.4g}"
    if k == n and probability > 0:
        needed = math.ceil(math.log((1 - level) / 2) / math.log(probability))
        reason += f"; {needed} seeds without a failure would show it"
    return Finding(claim, probability, UNDECIDED, found, reason)


def together(claim: str, findings: Sequence[Finding]) -> Finding:
    """Return the worst of several findings as the finding on a claim that asserts all of them."""
    order = (CONTRADICTED, UNDECIDED, SUPPORTED)
    worst = min(findings, key=lambda each: order.index(each.verdict))
    reason = "; ".join(f"{each.claim}: {each.reason}" for each in findings)
    return Finding(claim, worst.claimed, worst.verdict, worst.estimate, reason)


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

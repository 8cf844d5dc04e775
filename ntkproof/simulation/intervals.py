"""Estimates from independent seeds, with confidence intervals.

Seeds are independent; whatever one seed gives (a whole training, all widths of a seed) is one observation, so nothing
within a seed is counted as independent.

* `student`: of a mean over seeds (Student 1908); exact for normal samples, asymptotic otherwise.
* `median`: of a median, from order statistics; exact for every continuous distribution.
* `clopper_pearson`: of a probability (Clopper and Pearson 1934); exact: covers with at least the stated confidence.

All are two-sided with confidence `LEVEL`, each side failing with half of what is left.  NaN and infinities, from
trainings that blow up, leave every estimate without an interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntkproof.checker.logic.numbers import InputError

Floats = NDArray[np.float64]

LEVEL = 0.99
FEWEST_SEEDS = 5


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

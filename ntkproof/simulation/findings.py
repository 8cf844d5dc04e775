"""Findings: what an estimate says about a claim.

A verdict is ``supported`` if the whole interval agrees with the claim, ``contradicted`` if none of it does,
``undecided`` otherwise.  For a claim of equality a margin says what counts as equal.  So a true claim is contradicted,
and a false one supported, with probability at most ``1 − LEVEL`` for each; who tests k claims and wants this for all of
them together asks for the level ``1 − (1 − LEVEL)/k`` (`for_all`).  NaN and infinities, from trainings that blow up,
break every bound and leave every estimate undecided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.intervals import FEWEST_SEEDS, LEVEL, Estimate, clopper_pearson

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


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

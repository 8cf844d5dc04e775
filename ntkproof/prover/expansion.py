"""Chooses how many Hermite coefficients, and from how many bits, the kernel of a smooth activation is enclosed.

Untrusted: the rule ``hermite_enclosure`` proves whatever radius follows from the choice.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from ntkproof.checker.activations.hermite import MAX_TERMS
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover.draft import Draft

PER_ENTRY = 16
SMALLEST_TERMS = 48
FIRST_PRECISION = 40


def has_expansion(problem: Problem) -> bool:
    """Whether the activation has no closed form here."""
    return expression_of(problem.network.activation) is not None


def enclose_by_expansion(draft: Draft, precision: int) -> Enclosure:
    """Enclose the kernel so that the radius is a few units per entry.

    A larger radius is accepted at the first precision only, where it may do for a large gap.

    Raises:
        InputError: more terms than are allowed would be needed.
    """
    n = draft.setting.problem.dataset.n
    working, terms = precision + 12, SMALLEST_TERMS
    few = hardest_rows(draft.setting.problem)
    while True:
        working, terms, reached = _search(draft.setting, few, precision, working, terms)
        if not reached and precision > FIRST_PRECISION:
            raise InputError(
                f"{MAX_TERMS} Hermite coefficients of {draft.setting.problem.network.activation} are too few for these "
                "rows; scale them down (--normalize), leave out nearly parallel ones or ask for a larger gap"
            )
        trial = Draft(draft.setting)
        claim = _derive(trial, precision, working, terms)
        if claim.radius <= 2 * PER_ENTRY * n or terms == MAX_TERMS or not reached:
            draft.steps, draft.proved = trial.steps, trial.proved
            return claim
        terms = min(MAX_TERMS, 2 * terms)


def _derive(draft: Draft, precision: int, working: int, terms: int) -> Enclosure:
    args = {"precision": precision, "working_precision": working, "terms": terms}

    def twice(claim: Enclosure) -> Enclosure:
        return Enclosure(claim.matrix, claim.precision, 2 * claim.radius + 2 * draft.setting.problem.dataset.n)

    found: Enclosure = draft.derive("kernel", "hermite_enclosure", args=args, weaken=twice)
    return found


def _search(setting: Setting, problem: Problem, precision: int, working: int, terms: int) -> tuple[int, int, bool]:
    """Return working precision and terms for the hardest rows and whether they do: terms grow while they help."""
    allowed = 2 * PER_ENTRY * problem.dataset.n
    small = Setting(problem, setting.arithmetic, lambda done, total: None)

    def radius(bits: int, k: int) -> int:
        return _derive(Draft(small), precision, bits, k).radius

    found = radius(working, terms)
    while found > allowed:
        sharper = radius(working + 32, terms)
        if 2 * sharper < found:
            working, found = working + 32, sharper
            continue
        more = min(MAX_TERMS, terms + terms // 2)
        better = radius(working, more)
        if more == MAX_TERMS or _hopeless(better, found, more, allowed):
            return working, more, better <= allowed
        terms, found = more, better
    return working, terms, True


def _hopeless(radius: int, before: int, terms: int, allowed: int) -> bool:
    """Whether an error that falls like ``e^{−a √terms}``, as last seen, stays far too large with all terms allowed."""
    rate = log(before / radius) / (sqrt(terms) - sqrt(terms / 1.5))
    return log(radius) - rate * (sqrt(MAX_TERMS) - sqrt(terms)) > log(allowed) + 7


def hardest_rows(problem: Problem) -> Problem:
    """Return the problem of at most six rows: the longest, the shortest and the most nearly parallel ones."""
    inputs = problem.dataset.inputs
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(inputs, axis=1)
        cosines = np.abs(np.nan_to_num((inputs @ inputs.T) / np.outer(norms, norms)))
        closeness = np.tril(cosines * np.sqrt(np.outer(norms, norms)), -1)
    rows = {int(norms.argmax()), int(norms.argmin())}
    for scores in (np.tril(cosines, -1), closeness):
        rows |= {int(k) for k in np.unravel_index(int(scores.argmax()), scores.shape)}
    network, kernel = problem.network, problem.kernel
    return Problem(Dataset(inputs[sorted(rows | {0, 1})]), network, kernel)

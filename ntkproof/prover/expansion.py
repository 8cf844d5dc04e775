"""Chooses how many Hermite coefficients, and from how many bits, the kernel of a smooth activation is enclosed.

Untrusted: the rule ``hermite_enclosure`` proves whatever radius follows from the choice.
"""

from __future__ import annotations

import numpy as np

from ntkproof.checker.claims import Enclosure
from ntkproof.checker.hermite import MAX_TERMS
from ntkproof.checker.rules.rule import Setting
from ntkproof.problem import Dataset, InputError, Problem, expression_of
from ntkproof.prover.draft import Draft

PER_ENTRY = 16
SMALLEST_TERMS = 48
FIRST_PRECISION = 40


def has_expansion(problem: Problem) -> bool:
    """Whether the activation has no closed form here."""
    return expression_of(problem.network.activation) is not None


def enclose_by_expansion(draft: Draft, precision: int) -> Enclosure:
    """Enclose the kernel so that the radius is a few units per entry.

    With all terms allowed a radius above that is accepted at low precision only: more bits would not help.

    Raises:
        InputError: more terms than are allowed would be needed.
    """
    n = draft.setting.problem.dataset.n
    working, terms = precision + 12, SMALLEST_TERMS
    few = _hardest_rows(draft.setting.problem)
    while True:
        working, terms = _search(draft.setting, few, precision, working, terms)
        trial = Draft(draft.setting)
        claim = _derive(trial, precision, working, terms)
        enough = claim.radius <= 2 * PER_ENTRY * n
        if not enough and terms < MAX_TERMS:
            terms = min(MAX_TERMS, 2 * terms)
            continue
        if enough or precision <= FIRST_PRECISION:
            draft.steps, draft.proved = trial.steps, trial.proved
            return claim
        raise InputError(
            f"{MAX_TERMS} Hermite coefficients leave an error of {2.0**-precision * claim.radius:.2g} in the kernel; "
            "scale the rows down (--normalize) or ask for a larger gap"
        )


def _derive(draft: Draft, precision: int, working: int, terms: int) -> Enclosure:
    args = {"precision": precision, "working_precision": working, "terms": terms}

    def twice(claim: Enclosure) -> Enclosure:
        return Enclosure(claim.matrix, claim.precision, 2 * claim.radius + 2 * draft.setting.problem.dataset.n)

    found: Enclosure = draft.derive("kernel", "hermite_enclosure", args=args, weaken=twice)
    return found


def _search(setting: Setting, problem: Problem, precision: int, working: int, terms: int) -> tuple[int, int]:
    """Return working precision and terms that do for the hardest rows: terms grow while they help, else bits."""
    allowed, before = 2 * PER_ENTRY * problem.dataset.n, None
    small = Setting(problem, setting.arithmetic, lambda done, total: None)
    while True:
        radius = _derive(Draft(small), precision, working, terms).radius
        if radius <= allowed:
            return working, terms
        helped = before is None or 2 * radius < before
        before = radius
        if helped and terms < MAX_TERMS:
            terms = min(MAX_TERMS, terms + terms // 2)
        elif working < 2 * precision + 64:
            working += 32
            before = None
        elif terms < MAX_TERMS:
            terms, before = min(MAX_TERMS, 2 * terms), None
        else:
            return working, terms


def _hardest_rows(problem: Problem) -> Problem:
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

"""The earliest saved step of a training run from which convergence is proved: the instance theorem by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.data.runs import read_run, saved_steps
from ntkproof.data.weights import load_weights
from ntkproof.theorems.instance import certify_instance

Report = Callable[[int, str], None]


def certify_run(
    dataset: Dataset,
    folder: Path | str,
    *,
    step_size: Fraction | float | str | None = None,
    report: Report = lambda step, outcome: None,
    **options: Any,
) -> tuple[int, Certificate]:
    """Prove convergence from the earliest saved step that bisection finds.

    Bisection takes for granted that a later step is no harder; where that fails, a still earlier step may do, but the
    certificate holds all the same.

    Args:
        dataset: the data the run was trained on, with targets.
        folder: of ``ntkproof train``: ``run.json`` and ``step-….npz``.
        step_size: of the gradient descent that the statement is about; None for gradient flow.
        report: called with each step that was tried and what came out.
        options: see `certify_instance`.

    Returns:
        The step and its certificate.

    Raises:
        InputError: the run is about other data, or not even its last step will do (why).
    """
    run, steps = read_run(folder), saved_steps(folder)
    if run.sha256 != dataset.sha256:
        raise InputError(f"{folder}: the run was trained on other data (sha256 {run.sha256[:16]}…)")

    def attempt(k: int) -> Certificate | InputError:
        step, path = steps[k]
        try:
            weights = replace(load_weights(path, run.network), step_size=step_size)
            found: Certificate | InputError = certify_instance(dataset, run.network, weights, **options)
        except InputError as error:
            found = error
        report(step, str(found) if isinstance(found, InputError) else "proved")
        return found

    best, low, high = attempt(len(steps) - 1), -1, len(steps) - 1
    if isinstance(best, InputError):
        raise InputError(f"{folder}: not from its last step, {steps[-1][0]}: {best}")
    while high - low > 1:
        middle = (low + high) // 2
        found = attempt(middle)
        if isinstance(found, InputError):
            low = middle
        else:
            best, high = found, middle
    return steps[high][0], best

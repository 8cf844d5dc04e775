"""Simulations against certificates: exactly what a certificate claims about training, tested on trained networks.

A simulation proves nothing, but it can contradict: trainings that break a certified bound more often than the failure
probability allows show that a theorem, its proof or its checker is wrong.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.check import read
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.logic.claim import Rejection, parse_claim, to_fields
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.logic.reading import Malformed
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import MAX_WEIGHTS
from ntkproof.checker.table import KINDS
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.findings import Finding, happens
from ntkproof.simulation.runs import Results

Floats = NDArray[np.float64]

PARTS = ("loss", "radius", "kernel_deviation")
_FLOW_UNTIL = 1e-20
_ROUNDING = 1e-9  # of a ratio; beside the error that the integrator reports
_FLOOR = 1e-13  # of an output, relative to the targets: float64 knows residuals no better


def open_certificate(path: Path) -> tuple[Certificate, Convergence]:
    """Read a certificate and the convergence it concludes; it is not checked.

    Raises:
        InputError: not a certificate, or one of another conclusion.
    """
    try:
        certificate = read(path)
        claim = parse_claim(certificate.conclusion, KINDS)
    except (Malformed, Rejection) as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(claim, Convergence):
        raise InputError(f"{path}: concludes {claim.kind}; simulations test convergence")
    return certificate, claim


def experiment_of(problem: Problem, **options: Any) -> Experiment:
    """Return the trainings that a convergence claim is about; ``options`` as `Experiment`.

    Raises:
        InputError: too wide to simulate, or options out of range.
    """
    training, weights = problem.training, problem.weights
    start = training if training is not None else weights
    if start is None:
        raise InputError("the certificate is not about training")
    if start.width * (problem.dataset.d + 1) > MAX_WEIGHTS:
        raise InputError(f"width {start.width} is too wide to simulate: more than {MAX_WEIGHTS} weights")
    init = "given" if training is None else training.init
    step_size = None if start.step_size is None else float(start.step_size)
    if step_size is None:  # a rate that is too large may break its bound late
        options = {"until": _FLOW_UNTIL, **options}
    return Experiment(problem.dataset, problem.network, init, step_size=step_size, weights=weights, **options)


def shares(claim: Convergence, results: Results) -> dict[str, Floats]:
    """Return by part of the claim the largest measured share of what is claimed in each training, shape (C,).

    A share above 1 breaks the bound.  Numerical error is taken off: the measured loss may be wrong by twice the
    relative error that the integrator reports, and by what rounding leaves of a residual.
    """
    loss, error = results.scalars["loss"], results.scalars["error"]
    squares = float(results.limit_components @ results.limit_components)
    floor = squares * _FLOOR**2
    n = len(results.eigenvalues)
    rate = float(claim.rate) * (n if claim.dynamics == "mean_flow" else 1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if claim.dynamics == "descent":
            logarithm: Floats = np.asarray(results.step * np.log1p(-rate * results.step_size[:, None]))
        else:
            logarithm = -rate * results.time
        left = np.maximum(loss - floor, 0) / loss[:, :1]
        by_part = {
            "loss": np.exp(np.log(left) - logarithm) / (1 + 2 * error),
            "radius": _share(results.scalars["parameter_change"], float(claim.radius)) / (1 + error),
            "kernel_deviation": _share(results.scalars["kernel_change"], float(claim.kernel_deviation)) / (1 + error),
        }
    measured = (results.step > 0) & np.isfinite(loss)
    blew_up = np.asarray(((results.step >= 0) & ~np.isfinite(loss)).any(axis=1))
    return {
        part: np.where(blew_up, math.inf, np.max(np.where(measured, values, 0.0), axis=1))
        for part, values in by_part.items()
    }


def _share(values: Floats, bound: float) -> Floats:
    return values / bound if bound > 0 else np.where(values > 0, math.inf, 0.0)


def compare(claim: Convergence, results: Results) -> Finding:
    """Judge a convergence claim from trainings of the networks it is about, by the exact binomial bound.

    A claim that nothing may fail is contradicted by one training that leaves the bounds, and supported by none.
    """
    held = np.max(list(shares(claim, results).values()), axis=0) <= 1 + _ROUNDING
    what = f"rate {decimal(claim.rate)}, radius {decimal(claim.radius)}, deviation {decimal(claim.kernel_deviation)}"
    return happens(f"{what} at all times", held, 1 - float(claim.failure))


def fields(claim: Convergence, results: Results, finding: Finding) -> dict[str, Any]:
    """Return a claim and what was found about it, as JSON; ``worst`` are the largest `shares`."""
    worst = {part: float(values.max()) for part, values in shares(claim, results).items()}
    return {"conclusion": to_fields(claim), "worst": worst, **finding_fields(finding)}


def finding_fields(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {**vars(finding), "estimate": vars(finding.estimate)}

"""What is proved of given weights before they move: the residual, ``λ_min(H_0)``, how the Jacobian may deviate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, log2

import numpy as np

from ntkproof.checker.arithmetic.protocols import Matrix
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.given_weights.evaluation import Evaluation
from ntkproof.checker.given_weights.given import evaluation
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.claim import Claim
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.random_start.claims import Bound
from ntkproof.prover import factor
from ntkproof.prover.draft import Draft, round_decimal
from ntkproof.prover.matrices import as_floats
from ntkproof.theorems.facts import largest_eigenvalue, narrow_side
from ntkproof.theorems.steps import short

PRECISION = 60  # of Gram matrices
GAP = Fraction(1, 10**7)  # of eigenvalues, relative
SLACK = Fraction(1, 10**7)  # by which claims are weaker than derived, relative: the arithmetics differ by less
ALLOWED = 10  # so many errors of an output more are allowed for in the norm of the residual


@dataclass(frozen=True)
class Start:
    """What is proved of the weights: ``σ_0``, ``ρ_0``, and the deviation in a ball as a function of its radius."""

    sigma: float
    residual: float
    smooth: bool
    deviation: Callable[[float], LocalDeviation]


def prove_start(draft: Draft, paths: str, smooth: bool) -> Start:
    """Prove what every form starts from."""
    at = evaluation(draft.setting)
    residual: Bound = draft.derive("residual", "given_residual", weaken=_weaker_residual(at))
    sigma = least_eigenvalue(draft)
    if not sigma > 0:
        raise InputError(f"λ_min(H_0) is not certified to be positive at these weights: the bound is {sigma:.3g}")
    if not smooth:
        largest_eigenvalue(
            draft, "norm", "inputs", "inputs_enclosure", {"side": narrow_side(draft.setting.problem.dataset)}
        )

    def deviation(radius: float) -> LocalDeviation:
        trial = Draft(draft.setting, [], dict(draft.proved))
        args = {"radius": short(radius)}
        claim: LocalDeviation = (
            trial.derive("deviation", "given_deviation", (), {**args, "paths": paths}, weaken=_rounded_deviation)
            if smooth
            else trial.derive("deviation", "given_flips", ("norm",), args, weaken=_rounded_deviation)
        )
        draft.setting.cache["deviation"] = trial
        return claim

    return Start(sigma**0.5 * (1 - 1e-12), float(residual.value), smooth, deviation)


def least_eigenvalue(draft: Draft) -> float:
    """Prove a lower bound on ``λ_min(H_0)``."""
    enclosure: Enclosure = draft.derive("kernel", "given_kernel", args={"precision": PRECISION}, weaken=_wider)
    matrix = draft.proved["kernel"].matrix
    if matrix is None:
        raise RuntimeError("the enclosure holds no matrix")
    args, witness = cholesky_witness(matrix, enclosure)
    claim: EigenvalueBound = draft.derive(
        "sigma", "psd_bound", ("kernel",), {"eigenvalue": "min", **args}, witness, _lower_eigenvalue(enclosure)
    )
    return float(claim.value)


def cholesky_witness(matrix: Matrix, enclosure: Enclosure) -> tuple[dict[str, int | str], dict[str, Array]]:
    """Return arguments and witness of a lower bound on ``λ_min``."""
    floats = as_floats(matrix, -enclosure.precision)
    least = float(np.linalg.eigvalsh(floats)[0])
    if not least > float(Fraction(enclosure.radius, 2**enclosure.precision)):
        raise InputError("the Jacobian at these weights is not shown to have full rank")
    value = Fraction(least) * (1 - GAP)
    shift = round_decimal(value, value * GAP / 10, up=False)
    top = float(np.abs(floats).sum(axis=1).max()) ** 0.5
    scale = max(0, ceil(log2(8 * len(floats) * (top + 1) / float(value * GAP))))
    packed = factor.cholesky_floats(floats - float(shift) * np.eye(len(floats)), scale)
    if packed is None:
        raise InputError("the Jacobian at these weights is not shown to have full rank")
    return {"shift": decimal(shift), "scale": scale}, {"factor": packed}


# What is stated is a little weaker than what is derived ----------------------------------------------------------


def rounded_up(value: Fraction) -> Fraction:
    """Return a short decimal a little above a number."""
    return value if value == 0 else round_decimal(value * (1 + SLACK), value * SLACK, up=True)


def rounded_down(value: Fraction) -> Fraction:
    """Return a short decimal a little below a number."""
    return value if value == 0 else round_decimal(value * (1 - SLACK), abs(value) * SLACK, up=False)


def _weaker_residual(at: Evaluation) -> Callable[[Bound], Claim]:
    """The two arithmetics differ in the errors they allow for."""
    return lambda claim: Bound(claim.quantity, rounded_up(claim.value + ALLOWED * at.residual_error))


def _wider(claim: Enclosure) -> Claim:
    return replace(claim, radius=2 * claim.radius)


def _lower_eigenvalue(enclosure: Enclosure) -> Callable[[EigenvalueBound], Claim]:
    allowed = Fraction(enclosure.radius, 2**enclosure.precision)
    return lambda claim: replace(claim, value=rounded_down(claim.value - allowed))


def _rounded_deviation(claim: LocalDeviation) -> Claim:
    return replace(claim, offset=rounded_up(claim.offset), slope=rounded_up(claim.slope), norm=rounded_up(claim.norm))

"""What every convergence theorem needs to know of the data, proved once: the steps that do not involve the width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import integer_array
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.training import Training
from ntkproof.checker.random_start.claims import Bound
from ntkproof.checker.random_start.residual import output_moments
from ntkproof.checker.random_start.two_layer import TwoLayer, trained
from ntkproof.prover import factor
from ntkproof.prover.draft import Draft, round_decimal
from ntkproof.prover.matrices import as_floats

RELATIVE = Fraction(1, 10**7)


@dataclass(frozen=True)
class Facts:
    """Numbers of a dataset and an activation, as floats for the search; the draft holds them proved.

    Args:
        n: number of samples.
        network: certified facts of the activation and the training asked for.
        lambda_0: lower bound on ``λ_min(H∞)``.
        norm_squared: upper bound on ``‖X‖²``.
        hadamard: upper bound on ``‖K∘K‖``; None when σ is not C².
        targets: ``‖y‖``.
        inverse_form: upper bound on ``yᵀH∞⁻¹y``.
        mean_norm, variance: ``√Σ (E σ(w·x_i))²`` and ``Σ Var σ(w·x_i)``.
        frobenius: ``‖K‖_F``.
        norms_squared: the least and the largest ``‖x_i‖²``.
        gram: ``K = XXᵀ``, shape (n, n).
        constants: of the literature, supplied by the user; a proof that uses one assumes it.
    """

    n: int
    network: TwoLayer
    lambda_0: float
    norm_squared: float
    hadamard: float | None
    targets: float
    inverse_form: float
    mean_norm: float
    variance: float
    frobenius: float
    norms_squared: tuple[float, float]
    constants: Mapping[str, Fraction]
    gram: NDArray[np.float64]

    @property
    def summand(self) -> float:
        """``B = B1²‖X‖²``."""
        return float(self.network.slope_squared) * self.norm_squared

    def neurons(self, width: int) -> int:
        """Return the number of independent neurons at a width."""
        return width // 2 if self.network.training.init == "antisymmetric" else width


def prove_facts(draft: Draft, constants: Mapping[str, Fraction]) -> Facts:
    """Prove the facts, given a draft that already bounds ``λ_min`` from below by its step ``lower``.

    Adds the steps ``inputs norm inverse_form``, for trained hidden weights ``jacobian_norm`` and for C² activations
    ``inputs_squared hadamard``.
    """
    problem = draft.setting.problem
    network = trained(draft.setting)
    lambda_0 = draft.proved["lower"].claim
    if not isinstance(lambda_0, EigenvalueBound) or lambda_0.value <= 0 or problem.dataset.targets is None:
        raise InputError("the kernel could not be shown to be positive definite")
    norm = largest_eigenvalue(draft, "norm", "inputs", "inputs_enclosure", {"side": narrow_side(problem.dataset)})
    if problem.network.train == "hidden":
        draft.derive("jacobian_norm", "jacobian_norm", ("norm",), weaken=_up)
    hadamard = None
    if network.curvature_squared is not None:
        hadamard = float(largest_eigenvalue(draft, "hadamard", "inputs_squared", "inputs_squared", {}))
    mean_square, variance = output_moments(problem)
    gram = problem.dataset.inputs @ problem.dataset.inputs.T
    return Facts(
        problem.dataset.n,
        network,
        float(lambda_0.value),
        float(norm),
        hadamard,
        float(np.linalg.norm(problem.dataset.targets)),
        _inverse_form(draft),
        float(mean_square) ** 0.5,
        float(variance),
        float(np.linalg.norm(gram)),
        (float(gram.diagonal().min()), float(gram.diagonal().max())),
        constants,
        gram,
    )


def narrow_side(dataset: Dataset) -> str:
    """Return which of ``XXᵀ`` and ``XᵀX`` is smaller, as the rule ``inputs_enclosure`` names it."""
    return "rows" if dataset.n <= dataset.d else "columns"


def largest_eigenvalue(draft: Draft, id: str, matrix: str, rule: str, args: dict[str, Any]) -> Fraction:
    """Prove an upper bound on ``λ_max`` of an exact integer matrix."""
    enclosure: Enclosure = draft.derive(matrix, rule, args=args)
    held = draft.proved[matrix].matrix
    if held is None:
        raise RuntimeError("the enclosure holds no matrix")
    floats = as_floats(held, -enclosure.precision)
    top = Fraction(float(np.linalg.eigvalsh(floats)[-1]))
    shift = round_decimal(top * (1 + RELATIVE), top * RELATIVE / 10, up=True)
    scale = max(0, ceil(log2(4 * len(floats) * ceil(float(top) ** 0.5 + 1) / float(top * RELATIVE))))
    packed = factor.cholesky_floats(float(shift) * np.eye(len(floats)) - floats, scale)
    if packed is None:
        raise InputError(f"no factor of the shifted matrix {matrix}")
    witness: dict[str, int | str] = {"eigenvalue": "max", "shift": decimal(shift), "scale": scale}
    claim: EigenvalueBound = draft.derive(id, "psd_bound", (matrix,), witness, {"factor": packed}, _outward)
    return claim.value


def _outward(claim: EigenvalueBound) -> EigenvalueBound:
    value = round_decimal(claim.value, abs(claim.value) * RELATIVE / 100, up=claim.side == "upper")
    return EigenvalueBound(claim.matrix, claim.eigenvalue, claim.side, value)


def _up(claim: Bound) -> Bound:
    """Round an upper bound up to few digits."""
    return Bound(claim.quantity, round_decimal(claim.value, claim.value * RELATIVE / 100, up=True))


def _inverse_form(draft: Draft) -> float:
    """Prove ``yᵀH∞⁻¹y ≤ …`` from an approximate solution of ``H∞ z = y``."""
    proved = draft.proved["kernel"]
    if proved.matrix is None or not isinstance(proved.claim, Enclosure):
        raise RuntimeError("the enclosure holds no matrix")
    floats = as_floats(proved.matrix, -proved.claim.precision)
    targets = np.asarray(draft.setting.problem.dataset.targets)
    solution = np.linalg.solve(floats, targets)
    solution += np.linalg.solve(floats, targets - floats @ solution)
    scale = max(0, 60 - int(np.frexp(np.abs(solution).max())[1]))
    integers = integer_array([int(x) for x in np.rint(np.ldexp(solution, scale)).astype(np.int64)])
    claim: Bound = draft.derive(
        "inverse_form", "inverse_form", ("kernel", "lower"), {"scale": scale}, {"solution": integers}, _slack(draft)
    )
    return float(claim.value)


def _slack(draft: Draft) -> Any:
    """Weaken the inverse form a little more than the two arithmetics' enclosures can differ."""
    return lambda claim: Bound(
        claim.quantity, round_decimal(claim.value * (1 + RELATIVE), claim.value * RELATIVE / 10, up=True)
    )


def finite_width(training: Training, width: int) -> Training:
    """Return the same training at another width."""
    return Training(width, training.init, training.step_size)

"""Searches for proofs and writes them down as certificates.

Untrusted: it proposes witnesses, runs the checker's own rules on them to see what follows, and states that, a
little weakened so that either arithmetic accepts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import integer_array
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.limit.inputs import OperatorNorm
from ntkproof.checker.logic.claim import Claim, Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover import factor
from ntkproof.prover.a_priori import a_priori, bounds
from ntkproof.prover.draft import Draft, round_decimal
from ntkproof.prover.lambda_min import bound_lambda_min, enclose_spectrum, log2_above, weaken_by
from ntkproof.prover.matrices import as_floats
from ntkproof.prover.null_vectors import find_null_vector
from ntkproof.prover.spectrum import condition_number, effective_rank, spectrum

DEFAULT_GAP = 1e-6


def certify(
    dataset: Dataset | NDArray[np.float64],
    network: Network | None = None,
    *,
    kernel: str = "ntk",
    statement: str = "lambda-min",
    engine: str = "fast",
    gap: float = DEFAULT_GAP,
    tick: Tick = lambda done, total: None,
) -> Certificate:
    """Prove a two-sided bound and return it as a certificate.

    Args:
        dataset: a `Dataset`, or inputs of shape (n, d).
        network: the network (default: two-layer ReLU, all layers trained).
        kernel: ``ntk`` or ``nngp``.
        statement: ``lambda-min``: the smallest eigenvalue of the analytic kernel's Gram matrix; if the matrix is
            singular by symmetry the certificate proves ``λ_min = 0`` with the null vector.
            ``operator-norm``: ``‖X‖``; ``effective-rank``: ``trace / λ_max``.
            ``spectrum``: all eigenvalues, each to about ``n 1e-16 λ_max`` whatever the gap.
            ``condition-number``: ``λ_max / λ_min``; ``a-priori``: lower bounds from the literature, with ratios.
        engine: ``fast`` or ``reference``, the arithmetic the enclosures are made with.
        gap: relative width wanted, from 1e-12 to 0.5.
        tick: called with (done, total) during long steps.

    Raises:
        InputError: unusable data or options.
    """
    if not isinstance(dataset, Dataset):
        dataset = Dataset(dataset)
    if statement not in PROOFS:
        raise InputError(f"unknown statement {statement!r}; there are {', '.join(PROOFS)}")
    if not 1e-12 <= gap <= 0.5:
        raise InputError(f"the gap must be from 1e-12 to 0.5, not {gap}")
    problem = Problem(dataset, network or Network(), kernel)
    draft = Draft(Setting(problem, arithmetic(engine), tick))
    try:
        problem.well_defined()
    except Rejection as error:
        raise InputError(str(error)) from None
    try:
        return PROOFS[statement](draft, gap)
    except (Rejection, OverflowError) as error:
        raise InputError(f"no proof was found for these data: {error}; rescale them (--standardize)") from None


# One proof for each statement -----------------------------------------------------------------------------------


def _prove_lambda_min(draft: Draft, gap: float) -> Certificate:
    vector = find_null_vector(draft.setting.problem)
    if vector is None:
        return bound_lambda_min(draft, gap)
    draft.derive("singular", "null_vector", witness={"vector": integer_array(vector)})
    return draft.certificate()


def _prove_spectrum(draft: Draft, gap: float) -> Certificate:
    enclose_spectrum(draft)
    spectrum(draft)
    return draft.certificate()


def _prove_effective_rank(draft: Draft, gap: float) -> Certificate:
    _prove_spectrum(draft, gap)
    return effective_rank(draft)


def _prove_condition_number(draft: Draft, gap: float) -> Certificate:
    _refuse_null_vectors(draft, "condition-number")
    bound_lambda_min(draft, gap)
    spectrum(draft)
    return condition_number(draft)


def _prove_a_priori(draft: Draft, gap: float) -> Certificate:
    _refuse_null_vectors(draft, "a-priori")
    known = Draft(draft.setting)
    names = bounds(known)
    bound_lambda_min(draft, gap)
    draft.steps += known.steps
    draft.proved |= known.proved
    return a_priori(draft, names)


def _refuse_null_vectors(draft: Draft, statement: str) -> None:
    if find_null_vector(draft.setting.problem) is not None:
        raise InputError(f"λ_min = 0 by symmetry: there is no {statement} to prove; ask for lambda-min or spectrum")


# ‖X‖ ------------------------------------------------------------------------------------------------------------


def _operator_norm(draft: Draft, gap: float) -> Certificate:
    dataset = draft.setting.problem.dataset
    side = "rows" if dataset.n <= dataset.d else "columns"
    enclosure: Enclosure = draft.derive("inputs", "inputs_enclosure", args={"side": side})
    matrix, p = draft.proved["inputs"].matrix, enclosure.precision
    if matrix is None:
        raise RuntimeError("the enclosure holds no matrix")
    floats = as_floats(matrix, -p)
    values, vectors = np.linalg.eigh(floats)
    top = Fraction(float(values[-1]))
    if top == 0:
        raise InputError("the inputs are all zero; their operator norm is 0")
    relative = Fraction(gap) / 2**10
    weaken = weaken_by(Fraction(0), relative)
    shift = round_decimal(top * (1 + Fraction(gap)), top * relative, up=True)
    scale = log2_above(4 * len(floats) * ceil(float(top) ** 0.5 + 1) / (top * Fraction(gap)))
    packed = factor.cholesky_floats(float(shift) * np.eye(len(floats)) - floats, scale)
    if packed is None:
        raise InputError(f"no factor of the shifted Gram matrix at gap {gap}; ask for a larger --gap")
    vector = [round(float(x) * 2**50) for x in vectors[:, -1]]
    args = {"eigenvalue": "max"}
    lower = draft.derive("lower", "rayleigh_bound", ("inputs",), args, {"vector": integer_array(vector)}, weaken)
    draft.derive(
        "upper",
        "psd_bound",
        ("inputs",),
        {**args, "shift": decimal(shift), "scale": max(0, scale)},
        {"factor": packed},
        weaken,
    )
    unit = lower.value * relative

    def outward(claim: OperatorNorm) -> Claim:
        return OperatorNorm(round_decimal(claim.lower, unit, up=False), round_decimal(claim.upper, unit, up=True))

    draft.derive("norm", "operator_norm", ("lower", "upper"), weaken=outward)
    return draft.certificate()


PROOFS: Mapping[str, Callable[[Draft, float], Certificate]] = {
    "lambda-min": _prove_lambda_min,
    "operator-norm": _operator_norm,
    "spectrum": _prove_spectrum,
    "condition-number": _prove_condition_number,
    "effective-rank": _prove_effective_rank,
    "a-priori": _prove_a_priori,
}

"""A-priori lower bounds on ``λ_min``, set beside the certified truth.  Untrusted."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.limit.a_priori import APriori, weight
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover import factor
from ntkproof.prover.draft import Draft, round_decimal, why
from ntkproof.prover.matrices import as_floats

POWERS = (1, 2, 4, 6, 8, 12, 16)
SQUARINGS = 14


def bounds(draft: Draft) -> tuple[str, ...]:
    """Derive every bound that applies and return the names of their steps.

    Raises:
        InputError: the theorems are about other networks or data.
    """
    try:
        for rule in ("separation", "separation_log"):
            draft.derive(rule, rule, weaken=_rounded)
        draft.derive("gershgorin", "gershgorin", args={"squarings": SQUARINGS}, weaken=_rounded)
    except Rejection as error:
        raise InputError(f"no a-priori bound: {why(error)}") from None
    found = _khatri_rao(draft)
    return ("separation", "separation_log", *(("khatri_rao",) if found else ()), "gershgorin")


def a_priori(draft: Draft, names: tuple[str, ...]) -> Certificate:
    """Conclude with the step ``lambda_min`` and the named bounds."""
    draft.derive("a_priori", "a_priori", ("lambda_min", *names), weaken=_short_ratios)
    return draft.certificate()


def _rounded(claim: EigenvalueBound) -> EigenvalueBound:
    value = round_decimal(claim.value, claim.value / 10**12, up=False) if claim.value > 0 else Fraction(0)
    return EigenvalueBound(claim.matrix, claim.eigenvalue, claim.side, value)


def _short_ratios(claim: APriori) -> APriori:
    def short(values: tuple[Fraction, ...], up: bool) -> tuple[Fraction, ...]:
        return tuple(round_decimal(x, x / 10**7, up) if x else x for x in values)

    ratios = short(claim.ratio_lower, False), short(claim.ratio_upper, True)
    return APriori(claim.lower, claim.upper, claim.rules, claim.bounds, *ratios)


def _khatri_rao(draft: Draft) -> bool:
    """Derive ``khatri_rao`` from the power with the largest bound; False if float64 sees none positive."""
    floats = {k: _power(draft.setting.problem, k) for k in POWERS}
    if not all(np.isfinite(matrix).all() for matrix in floats.values()):
        return False
    estimates = {k: float(weight(draft.setting.problem, k)) * np.linalg.eigvalsh(floats[k])[0] for k in POWERS}
    power = max(POWERS, key=lambda k: float(estimates[k]))
    least, largest = np.linalg.eigvalsh(floats[power])[[0, -1]]
    if least <= len(floats[power]) * 1e-13 * largest:
        return False
    slack = Fraction(float(least)) / 2**20
    precision = max(0, ceil(log2(len(floats[power]) / slack)))
    enclosure = draft.derive("power", "power_enclosure", args={"power": power, "precision": precision})
    matrix = draft.proved["power"].matrix
    if matrix is None:
        raise RuntimeError("the enclosure holds no matrix")
    shift = round_decimal(Fraction(float(least)) - slack, slack, up=False)
    scale = max(0, ceil(log2(4 * len(floats[power]) * (float(largest) ** 0.5 + 1) / slack)))
    packed = factor.cholesky_floats(as_floats(matrix, -enclosure.precision) - float(shift) * np.eye(matrix.n), scale)
    if packed is None:
        return False
    args: dict[str, int | str] = {"eigenvalue": "min", "shift": decimal(shift), "scale": scale}
    draft.derive("power_lower", "psd_bound", ("power",), args, {"factor": packed}, _rounded)
    draft.derive("khatri_rao", "khatri_rao", ("power_lower",), weaken=_rounded)
    return True


def _power(problem: Problem, k: int) -> NDArray[np.float64]:
    """Return ``T_k``, shape (n, n), in float64."""
    network, inputs = problem.network, problem.dataset.inputs
    scale = float(network.sigma_w**2) / (problem.dataset.d if network.input_scale == "fan-in" else 1)
    covariance = scale * (inputs @ inputs.T) + float(network.beta**2)
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.diag(covariance))
        return np.asarray(covariance * (covariance / np.outer(norms, norms)) ** (k - 1))

"""Witnesses for all eigenvalues of the kernel: approximate eigenvectors in fixed point.  Untrusted."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import int64_array
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.limit.spectrum import ConditionNumber, EffectiveRank, Spectrum
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.format import Certificate
from ntkproof.prover.draft import Draft, round_decimal
from ntkproof.prover.matrices import as_floats

_SCALE = 54


def spectrum(draft: Draft) -> Spectrum:
    """Derive ``spectrum`` from the step ``kernel``, stated a little weaker than either arithmetic derives it.

    The width is that of float64 eigenvectors, about ``n 1e-16 λ_max``, for every eigenvalue.
    """
    proved = draft.proved["kernel"]
    if proved.matrix is None or not isinstance(proved.claim, Enclosure):
        raise RuntimeError("the enclosure holds no matrix")
    n, p, radius = proved.matrix.n, proved.claim.precision, proved.claim.radius
    vectors = np.linalg.eigh(as_floats(proved.matrix, -p))[1]
    slack = Fraction(4 * (isqrt(n) + 2) * radius, 2**p)  # a perturbation of A by 2 radius moves d and ‖E‖_∞ so much

    def outward(claim: Spectrum) -> Spectrum:
        ends = [(max(Fraction(0), a - slack), b + slack) for a, b in zip(claim.lower, claim.upper, strict=True)]
        grid = max(max(b - a for a, b in ends) / 64, ends[-1][1] / 10**16)
        if not grid:
            return claim
        return Spectrum(
            tuple(round_decimal(a, grid, up=False) for a, _ in ends),
            tuple(round_decimal(b, grid, up=True) for _, b in ends),
        )

    return derive_spectrum(draft, vectors, outward)


def _as_decimals(claim: Spectrum) -> Spectrum:
    """Return a claim rounded outward to less than the narrowest of its intervals."""
    grid = min(b - a for a, b in zip(claim.lower, claim.upper, strict=True)) / 64
    return Spectrum(
        tuple(round_decimal(a, grid, up=False) for a in claim.lower),
        tuple(round_decimal(b, grid, up=True) for b in claim.upper),
    )


def derive_spectrum(
    draft: Draft, vectors: NDArray[np.float64], weaken: Callable[[Spectrum], Spectrum] = _as_decimals
) -> Spectrum:
    """Derive ``spectrum`` from the step ``kernel`` and approximate unit eigenvectors, the columns of a matrix."""
    flat = int64_array(np.rint(np.ldexp(vectors.T, _SCALE)).astype(np.int64).reshape(-1))
    witness = {"vectors": Array(flat.dtype, vectors.shape, flat.data)}
    claim: Spectrum = draft.derive("spectrum", "spectrum", ("kernel",), {"scale": _SCALE}, witness, weaken)
    return claim


def effective_rank(draft: Draft) -> Certificate:
    """Derive ``effective_rank`` from the step ``spectrum``."""

    def outward(claim: EffectiveRank) -> EffectiveRank:
        grid = max((claim.upper - claim.lower) / 64, claim.upper / 10**15)
        return EffectiveRank(round_decimal(claim.lower, grid, up=False), round_decimal(claim.upper, grid, up=True))

    draft.derive("effective_rank", "effective_rank", ("spectrum",), weaken=outward)
    return draft.certificate()


def condition_number(draft: Draft) -> Certificate:
    """Derive ``condition_number`` from the steps ``spectrum`` and ``lambda_min``."""

    def outward(claim: ConditionNumber) -> ConditionNumber:
        grid = max((claim.upper - claim.lower) / 64, claim.upper / 10**15)
        return ConditionNumber(round_decimal(claim.lower, grid, up=False), round_decimal(claim.upper, grid, up=True))

    draft.derive("condition_number", "condition_number", ("spectrum", "lambda_min"), weaken=outward)
    return draft.certificate()

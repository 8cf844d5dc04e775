"""Witnesses for the checker: approximate factors and eigenvectors.  Untrusted: they may be wrong, never unsound.

Float64 does it while ``λ_min`` is far above its rounding noise; otherwise the same in fixed-point integers.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import Array
from ntkproof.checker.arithmetic import Matrix

Integers = NDArray[Any]  # dtype object: Python integers


def as_integers(matrix: Matrix) -> Integers:
    """Return a symmetric matrix as an (n, n) object array of Python integers."""
    n = matrix.n
    full = np.zeros((n, n), dtype=object)
    rows, columns = np.tril_indices(n)
    packed = np.fromiter(matrix.lower(), dtype=object, count=n * (n + 1) // 2)
    full[rows, columns] = packed
    full[columns, rows] = packed
    return full


def smallest_eigenpair(a: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]] | None:
    """Return the smallest eigenvalue of a positive definite float64 matrix and its unit vector; None if not found.

    Lanczos on the inverse, with full orthogonalisation; the eigenvalue is a Rayleigh quotient of ``a`` itself.
    """
    try:
        lower = np.linalg.cholesky(a).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    solve = _solver(lower)
    steps = min(len(a), 120)
    basis, images = np.zeros((steps, len(a))), np.zeros((steps, len(a)))
    vector = following = np.random.default_rng(0).standard_normal(len(a))
    for k in range(steps):
        basis[k] = following / np.linalg.norm(following)
        images[k] = solve(basis[k])
        known, image = basis[: k + 1], images[: k + 1]
        values, weights = np.linalg.eigh(known @ image.T)
        vector = weights[:, -1] @ known
        if np.linalg.norm(weights[:, -1] @ image - values[-1] * vector) <= 1e-8 * abs(values[-1]):
            break
        following = image[k] - (known @ image[k]) @ known
        following = following - (known @ following) @ known
        if not following.any():
            break
    vector = vector / np.linalg.norm(vector)
    value = float(vector @ (a @ vector))
    return (value, vector) if value > 0 else None


def _solver(lower: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the function ``v ↦ (LLᵀ)⁻¹ v``: substitution by blocks, whose diagonal blocks are inverted here."""
    n = len(lower)
    spans = [(first, min(first + 128, n)) for first in range(0, n, 128)]
    inverses = [np.linalg.inv(lower[first:stop, first:stop]) for first, stop in spans]
    blocks = list(zip(spans, inverses, strict=True))

    def solve(v: NDArray[np.float64]) -> NDArray[np.float64]:
        x = v.copy()
        for (first, stop), inverse in blocks:
            x[first:stop] = inverse @ (x[first:stop] - lower[first:stop, :first] @ x[:first])
        for (first, stop), inverse in reversed(blocks):
            x[first:stop] = inverse.T @ (x[first:stop] - lower[stop:, first:stop].T @ x[stop:])
        return x

    return solve


def cholesky_floats(a: NDArray[np.float64], scale: int) -> Array | None:
    """Return the packed lower Cholesky factor of a float64 matrix in units of ``2^-scale``, None if not definite."""
    try:
        factor = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return None
    packed = np.rint(np.ldexp(factor[np.tril_indices(len(a))], scale))
    if not (np.abs(packed) < 2.0**62).all():
        return None
    return Array.from_int64(packed.astype(np.int64))


def cholesky_integers(a: Integers, unit: int, bits: int) -> Integers | None:
    """Return the lower factor, in units of ``2^-bits``, of ``2^-unit a`` in fixed point; None if not definite."""
    shift = 2 * bits - unit
    work = a << shift if shift >= 0 else a >> -shift
    n = len(work)
    factor = np.zeros((n, n), dtype=object)
    for k in range(n):
        if work[k, k] <= 0:
            return None
        pivot = isqrt(work[k, k])
        if pivot == 0:
            return None
        column = work[k + 1 :, k] // pivot
        factor[k, k] = pivot
        factor[k + 1 :, k] = column
        work[k + 1 :, k + 1 :] -= np.outer(column, column)
    return factor


def packed_lower(factor: Integers, drop: int) -> Array:
    """Return a factor's packed lower triangle with its last ``drop`` bits rounded away."""
    packed = factor[np.tril_indices(len(factor))]
    return Array.from_integers(list(packed if drop <= 0 else (packed + (1 << (drop - 1))) >> drop))


def inverse_iterate(factor: Integers, bits: int, v: Integers) -> Integers:
    """Return ``(LLᵀ)⁻¹ v``, rescaled to integers of about ``bits`` bits."""
    x = v.copy()
    n = len(x)
    for k in range(n):
        x[k] = ((x[k] << bits) - (factor[k, :k] @ x[:k] if k else 0)) // factor[k, k]
    for k in reversed(range(n)):
        x[k] = ((x[k] << bits) - (factor[k + 1 :, k] @ x[k + 1 :] if k + 1 < n else 0)) // factor[k, k]
    excess = max(abs(k) for k in x).bit_length() - bits
    rescaled: Integers = x >> excess if excess > 0 else x << -excess
    return rescaled

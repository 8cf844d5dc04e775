"""Witnesses for the checker: approximate factors and eigenvectors.  Untrusted: they may be wrong, never unsound.

Float64 does it while ``λ_min`` is far above its rounding noise; otherwise the same in fixed-point integers.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import int64_array, integer_array
from ntkproof.checker.arithmetic.protocols import Matrix
from ntkproof.checker.logic.arrays import Array

Integers = NDArray[Any]  # dtype object: Python integers

_BLOCK = 64
_FEW_ROWS = 300  # up to here LAPACK is faster than Lanczos


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
    """Return the smallest eigenvalue of a float64 matrix and its unit vector; None if it drowns in rounding noise.

    The eigenvalue is a Rayleigh quotient of ``a`` itself.
    """
    try:
        lower = np.linalg.cholesky(a).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    few = len(a) <= _FEW_ROWS
    vector = np.linalg.eigh(a)[1][:, 0] if few else dominant_vector(_solver(lower), len(a))
    value = float(vector @ (a @ vector))
    return (value, vector) if value > 2.0**-50 * len(a) ** 0.5 * a.diagonal().max() else None


def dominant_vector(apply: Callable[[NDArray[np.float64]], NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    """Return the unit eigenvector of the largest eigenvalue of a symmetric map: Lanczos, fully orthogonalised."""
    steps = min(n, 120)
    basis, images = np.zeros((steps, n)), np.zeros((steps, n))
    vector = following = np.random.default_rng(0).standard_normal(n)
    for k in range(steps):
        basis[k] = following / np.linalg.norm(following)
        images[k] = apply(basis[k])
        known, image = basis[: k + 1], images[: k + 1]
        values, weights = np.linalg.eigh(known @ image.T)
        vector = weights[:, -1] @ known
        if np.linalg.norm(weights[:, -1] @ image - values[-1] * vector) <= 1e-8 * abs(values[-1]):
            break
        following = image[k] - (known @ image[k]) @ known
        following = following - (known @ following) @ known
        if not following.any():
            break
    unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit


def _solver(lower: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the function ``v ↦ (LLᵀ)⁻¹ v``: substitution by blocks, whose diagonal blocks are inverted here."""
    n = len(lower)
    spans = [(first, min(first + 256, n)) for first in range(0, n, 256)]
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
    packed = np.rint(np.ldexp(factor[np.tri(len(a), dtype=bool)], scale))
    if not (np.abs(packed) < 2.0**62).all():
        return None
    return int64_array(packed.astype(np.int64))


def cholesky_integers(a: Integers, unit: int, bits: int) -> Integers | None:
    """Return the lower factor, in units of ``2^-bits``, of ``2^-unit a`` in fixed point; None if not definite.

    By blocks, all but the diagonal ones in exact products of FLINT.
    """
    shift = 2 * bits - unit
    n = len(a)
    spans = [(first, min(first + _BLOCK, n)) for first in range(0, n, _BLOCK)]
    factor = np.zeros((n, n), dtype=object)
    blocks: list[list[Any]] = [[] for _ in spans]
    for k, (begin, end) in enumerate(spans):
        inverse = None
        for i, (first, stop) in list(enumerate(spans))[k:]:
            part = a[first:stop, begin:end]
            rest = flint.fmpz_mat((part << shift if shift >= 0 else part >> -shift).tolist())
            for left, right in zip(blocks[i], blocks[k][:k], strict=True):
                rest -= left * right.transpose()
            if inverse is None:
                found = _cholesky_block(_integers(rest))
                if found is None:
                    return None
                inverse = flint.fmpz_mat(_inverse_block(found, bits).T.tolist())
            else:
                found = _integers(rest * inverse) >> (2 * bits)
            factor[first:stop, begin:end] = found
            blocks[i].append(flint.fmpz_mat(found.tolist()))
    return factor


def _integers(matrix: Any) -> Integers:
    return np.array([[int(x) for x in row] for row in matrix.table()], dtype=object)


def _cholesky_block(work: Integers) -> Integers | None:
    """Factor a square block, in fixed point; None if it is not definite.  The block is consumed."""
    factor = np.zeros_like(work)
    for k in range(len(work)):
        pivot = isqrt(max(0, work[k, k]))
        if pivot == 0:
            return None
        column = work[k + 1 :, k] // pivot
        factor[k, k] = pivot
        factor[k + 1 :, k] = column
        work[k + 1 :, k + 1 :] -= np.outer(column, column)
    return factor


def _inverse_block(lower: Integers, bits: int) -> Integers:
    """Return X with ``LX ≈ I``, all in units of ``2^-bits``: errors are not magnified in ``A = (A Xᵀ) Lᵀ``."""
    inverse = np.zeros_like(lower)
    for k in range(len(lower)):
        row = -(lower[k, :k] @ inverse[:k]) if k else inverse[0]
        row[k] += 1 << (2 * bits)
        inverse[k] = row // lower[k, k]
    return inverse


def packed_lower(factor: Integers, drop: int) -> Array:
    """Return a factor's packed lower triangle with its last ``drop`` bits rounded away."""
    packed = factor[np.tril_indices(len(factor))]
    return integer_array(list(packed if drop <= 0 else (packed + (1 << (drop - 1))) >> drop))


def smallest_vector(factor: Integers, bits: int) -> Integers:
    """Return the eigenvector of the smallest eigenvalue of ``LLᵀ`` in integers of about ``bits`` bits.

    Lanczos in float64, then inverse iteration: it divides the rounding noise along large eigenvalues by these.
    """
    scale = None

    def apply(v: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal scale
        image = _solve_integers(factor, bits, from_floats(v, bits))
        scale = scale or 1 << max(abs(x) for x in image).bit_length()
        return np.array([x / scale for x in image])

    v = from_floats(dominant_vector(apply, len(factor)), bits)
    for _ in range(3):
        v = inverse_iterate(factor, bits, v)
    return v


def from_floats(v: NDArray[np.float64], bits: int) -> Integers:
    """Return a vector of numbers up to 1 in units of ``2^-bits``."""
    return np.array([round(float(x) * 2**50) << (bits - 50) for x in v], dtype=object)


def inverse_iterate(factor: Integers, bits: int, v: Integers) -> Integers:
    """Return ``(LLᵀ)⁻¹ v``, rescaled to integers of about ``bits`` bits."""
    x = _solve_integers(factor, bits, v)
    excess = max(abs(k) for k in x).bit_length() - bits
    rescaled: Integers = x >> excess if excess > 0 else x << -excess
    return rescaled


def _solve_integers(factor: Integers, bits: int, v: Integers) -> Integers:
    x = v.copy()
    n = len(x)
    for k in range(n):
        x[k] = ((x[k] << bits) - (factor[k, :k] @ x[:k] if k else 0)) // factor[k, k]
    for k in reversed(range(n)):
        x[k] = ((x[k] << bits) - (factor[k + 1 :, k] @ x[k + 1 :] if k + 1 < n else 0)) // factor[k, k]
    return x

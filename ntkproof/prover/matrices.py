"""Integer matrices of the checker in floating point, for searches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import slices


def as_floats(matrix: Any, exponent: int) -> NDArray[np.float64]:
    """Return ``2^exponent A`` in float64, of shape (n, n), a few units in the last place off.

    Raises:
        OverflowError: too large for float64.
    """
    with np.errstate(all="ignore"):
        full = _sliced(matrix, exponent) if isinstance(matrix, slices.Symmetric) else _exact(matrix, exponent)
    if not np.isfinite(full).all():
        raise OverflowError("entries are too large for float64")
    return full


def _exact(matrix: Any, exponent: int) -> NDArray[np.float64]:
    drop = max(0, max(map(int.bit_length, matrix.lower())) - 900)
    full = np.zeros((matrix.n, matrix.n))
    full[np.tri(matrix.n, dtype=bool)] = [float(value >> drop) for value in matrix.lower()]
    scaled: NDArray[np.float64] = np.ldexp(full + np.tril(full, -1).T, exponent + drop)
    return scaled


def _sliced(matrix: slices.Symmetric, exponent: int) -> NDArray[np.float64]:
    full = np.zeros((matrix.n, matrix.n))
    for (first, stop), block in zip(slices.spans(matrix.n), matrix.blocks, strict=True):
        rows = full[first:stop, :stop]
        for t, part in reversed(list(enumerate(block))):
            rows += part.values * np.ldexp(1.0, exponent + matrix.bits * t)
        full[:stop, first:stop] = rows.T
    return full

"""Numbers of other types as float64, where that loses nothing: for data from Python, not from a certificate.

Trusted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError


def as_float64(raw: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return an array of floating-point numbers or integers as float64; InputError if that is not exact."""
    if raw.dtype.kind not in "fiu":
        raise InputError(f"{name} must be real numbers, not {raw.dtype}")
    values = raw.astype(np.float64)
    if raw.dtype.kind == "f":
        if raw.dtype.itemsize > 8 and not ((values.astype(raw.dtype) == raw) | ~np.isfinite(values)).all():
            raise InputError(f"{name} of type {raw.dtype} do not fit float64 exactly")
    else:
        large = np.abs(values) >= 2.0**53
        if any(int(integer) != int(number) for integer, number in zip(raw[large], values[large], strict=True)):
            raise InputError(f"{name} contain integers that do not fit float64 exactly")
    return values

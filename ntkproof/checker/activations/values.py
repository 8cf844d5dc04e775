"""σ and σ' at many points, in fixed point, with a proved error.

Trusted.  What is linear on both sides of 0 is computed here; everything else by `tables` or, without float64, by
`pointwise`.  Proofs: ``docs/proofs/tables.md``.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.activations.names import split_activation
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Arithmetic

Integers = NDArray[np.int64]
Values = tuple[Integers, Integers, int]

MAX_PLACES = 60  # of p and q
LARGEST = 2**62  # of values and slopes, in their unit: they fit int64


def activation_values(arithmetic: Arithmetic, name: str, z: Integers, p: int, q: int) -> Values:
    """Return σ and σ' at ``x = 2^-p z``, and one bound of all their errors.

    At a kink at 0 the derivative is the one from the right.

    Args:
        arithmetic: whether float64 may be used, and the number context of what is enclosed.
        name: of σ, as in a `Network`.
        z: int64 array of any shape.
        p, q: places of the arguments and of the results, 0 to 60.

    Returns:
        int64 arrays ``values`` and ``slopes`` of the shape of z and ``error ≥ 0`` with
        ``|σ(x) − 2^-q values| ≤ 2^-q error`` and ``|σ'(x) − 2^-q slopes| ≤ 2^-q error`` at every entry.

    Raises:
        Rejection: ``no-enclosure``: σ or σ' is not known at an argument, does not fit 62 bits, or (with float64) the
            arguments are too large or too far apart.
    """
    if z.dtype != np.int64:
        raise TypeError("the arguments of an activation are int64")
    if not (0 <= p <= MAX_PLACES and 0 <= q <= MAX_PLACES):
        raise Rejection("no-enclosure", f"a fixed point has 0 to {MAX_PLACES} places", derived=f"p = {p}, q = {q}")
    if z.size == 0:
        return z.copy(), z.copy(), 0
    flat, slope = np.ascontiguousarray(z).reshape(-1), _slope(name)
    if slope is not None:
        linear = _linear_in_float64 if arithmetic.float64 else _linear
        values, slopes, error = linear(name, slope, flat, p, q)
    else:
        means = load("activations.tables" if arithmetic.float64 else "activations.pointwise")
        values, slopes, error = means.values(name, flat, p, q, arithmetic.context)
    return values.reshape(z.shape), slopes.reshape(z.shape), error


def _slope(name: str) -> Fraction | None:
    """Return the slope for x < 0 of an activation that is linear on both sides of 0 with slope 1 on the right."""
    word, slope = split_activation(name)
    return {"relu": Fraction(0), "abs": Fraction(-1), "identity": Fraction(1)}.get(word, slope)


def too_large(name: str) -> Rejection:
    """Return the rejection of values that need more than 62 bits."""
    return Rejection("no-enclosure", f"values of {name[:60]} in this unit reach 2^62 and may not fit 64 bits")


def _linear(name: str, slope: Fraction, z: Integers, p: int, q: int) -> Values:
    """Round value and slope at each point by itself."""
    known: dict[int, tuple[int, int]] = {}
    error = 0
    for a in dict.fromkeys(z.tolist()):
        side = slope if a < 0 else Fraction(1)
        exact = (side * Fraction(a, 1 << p) * (1 << q), side * (1 << q))
        known[a] = round(exact[0]), round(exact[1])
        if not max(map(abs, known[a])) < LARGEST:
            raise too_large(name)
        error = max(error, *(int(value.denominator != 1) for value in exact))
    found = np.array([known[a] for a in z.tolist()], np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1], error


def _linear_in_float64(name: str, slope: Fraction, z: Integers, p: int, q: int) -> Values:
    """Return ``z`` and 1 where ``z ≥ 0``, and ``slope z`` and ``slope`` elsewhere."""
    largest = max(-int(z.min()), int(z.max()))
    steepest = max(Fraction(1), abs(slope))
    if not (max(largest * Fraction(2) ** (q - p), Fraction(1 << q)) * steepest < LARGEST // 2 > largest):
        raise too_large(name)
    values, error = _rescaled(z, q - p)
    left = round(slope * (1 << q))
    slopes = np.where(z < 0, np.int64(left), np.int64(1 << q))
    if slope in (-1, 0, 1):
        values = np.where(z < 0, int(slope) * values, values)
        return values, slopes, error
    near = float(slope)
    relative = abs(Fraction(near) - slope) + abs(Fraction(near)) * (2 + Fraction(1, 1 << 40)) / (1 << 52)
    error = max(error, ceil(1 + largest * Fraction(2) ** (q - p) * relative + Fraction(1, 1 << 900)))
    with np.errstate(all="ignore"):
        scaled = np.rint(z.astype(np.float64) * near * 2.0 ** (q - p)).astype(np.int64)
    return np.where(z < 0, scaled, values), slopes, error


def _rescaled(z: Integers, shift: int) -> tuple[Integers, int]:
    """Return ``2^shift z`` rounded, and the error, 0 or 1; the caller has seen that it fits."""
    if shift >= 0:
        return z << shift, 0
    return (z + (1 << (-shift - 1))) >> -shift, 1

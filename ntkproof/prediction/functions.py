"""The functions ``e^{−Ht}`` and ``g_t(H)`` of a kernel matrix, applied to columns, with proved error bounds.

H is known as ``‖H − A‖ ≤ R`` (the rule ``kernel_enclosure`` or ``hermite_enclosure``) and ``0 ≤ λ ≤ λ_min(H)`` (a
certificate).  For any numbers ``d_i ≥ λ``, vectors ``u_i`` and coefficients ``c_i`` let
``r̃_t = Σ c_i e^{−d_i t} u_i``, an approximation of ``r_t = e^{−Ht} b``.  Its defect is
``r̃' + H r̃ = Σ c_i e^{−d_i t} (H u_i − d_i u_i)``, so with ``e_i ≥ ‖H u_i − d_i u_i‖`` and Duhamel's formula::

    ‖r_t − r̃_t‖                ≤ e^{−λt} (‖b − r̃_0‖ + t Σ |c_i| e_i)
    ‖∫_0^t r − ∫_0^t r̃‖        ≤ g_t(λ) (‖b − r̃_0‖ + Σ |c_i| e_i g_t(d_i))

For ``t = ∞`` the second line is ``‖x − x̃‖ ≤ ‖b − Hx̃‖/λ``.  The ``d_i, u_i, c_i`` come from LAPACK, the right-hand
sides are evaluated in Arb balls.  Where this is not accurate enough, ``exp(t [[−H, B], [0, 0]])``, whose upper right
block is ``g_t(H) B``, is enclosed by Arb with more bits, as long as n is small.  Proofs: docs/proofs/predictions.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, nextafter

import numpy as np
from flint import arb, arb_mat

from ntkproof.prediction.balls import ball, column_norms, exact_matrix, floats, scaled_columns, scaled_rows, up


@dataclass(frozen=True, eq=False)
class Columns:
    """``e^{−Ht} B`` and ``g_t(H) B`` up to errors in norm, one for each column."""

    decay: arb_mat
    decay_errors: list[arb]
    integral: arb_mat
    integral_errors: list[arb]


class Spectral:
    """Functions of H through approximate eigenvectors, see the top of this module."""

    def __init__(self, matrix: arb_mat, radius: arb, floor: Fraction) -> None:
        """Take ``‖H − matrix‖ ≤ radius`` and ``0 ≤ floor ≤ λ_min(H)``."""
        self._floor = ball(floor)
        values, vectors = np.linalg.eigh(floats(matrix))
        lowest = float(floor)
        self.vectors = vectors
        self.values = [
            arb(max(float(d), lowest if arb(lowest) >= self._floor else nextafter(lowest, inf))) for d in values
        ]
        self._u = exact_matrix(vectors)
        image = matrix * self._u
        defect = image - scaled_columns(self._u, self.values)
        self.defects = [up(a + radius * b) for a, b in zip(column_norms(defect), column_norms(self._u), strict=True)]

    def apply(self, b: arb_mat, errors: list[arb], time: Fraction | None) -> Columns:
        """Return the two functions of H times columns known up to errors in norm."""
        coefficients = exact_matrix(self.vectors.T @ floats(b))
        start = column_norms(b - self._u * coefficients)
        start = [up(a + e) for a, e in zip(start, errors, strict=True)]
        spent = [_integral(d, time) for d in self.values]
        left = [_decay(d, time) for d in self.values]
        n, k = coefficients.nrows(), coefficients.ncols()
        sizes = [[abs(coefficients[i, j]) * self.defects[i] for i in range(n)] for j in range(k)]
        outer, remaining = _integral(self._floor, time), _decay(self._floor, time)
        duration = arb(0) if time is None else ball(time)
        return Columns(
            self._u * scaled_rows(coefficients, left),
            [up(remaining * (s + duration * sum(size, arb(0)))) for s, size in zip(start, sizes, strict=True)],
            self._u * scaled_rows(coefficients, spent),
            [
                up(outer * (s + sum((x * g for x, g in zip(size, spent, strict=True)), arb(0))))
                for s, size in zip(start, sizes, strict=True)
            ],
        )


class Exponential:
    """Functions of H by Arb's exponential and solver: as accurate as wanted, and slow."""

    def __init__(self, matrix: arb_mat, radius: arb) -> None:
        n = matrix.nrows()
        spread = arb(0, radius)
        self._h = arb_mat([[matrix[i, j] + spread for j in range(n)] for i in range(n)])
        self._radius = radius

    def apply(self, b: arb_mat, errors: list[arb], time: Fraction | None) -> Columns:
        """See `Spectral.apply`; the errors go into the entries."""
        n, k = b.nrows(), b.ncols()
        b = arb_mat([[b[i, j] + arb(0, errors[j]) for j in range(k)] for i in range(n)])
        none = [arb(0)] * k
        if time is None:
            return Columns(arb_mat(n, k), none, self._h.solve(b), none)
        t = ball(time)
        whole = arb_mat(
            [[-t * self._h[i, j] for j in range(n)] + [t * b[i, j] for j in range(k)] for i in range(n)]
            + [[arb(0)] * (n + k)] * k
        ).exp()
        decay = arb_mat([[whole[i, j] for j in range(n)] for i in range(n)]) * b
        integral = arb_mat([[whole[i, n + j] for j in range(k)] for i in range(n)])
        if not all(x.is_finite() for x in integral.entries()):
            raise ZeroDivisionError("the exponential needs more bits")
        return Columns(decay, none, integral, none)


def _integral(d: arb, time: Fraction | None) -> arb:
    """Enclose ``g_t(d) = ∫_0^t e^{−ds} ds`` for ``d ≥ 0``."""
    if time is None:
        return 1 / d
    t = ball(time)
    return t if d == 0 else -(-d * t).expm1() / d


def _decay(d: arb, time: Fraction | None) -> arb:
    return arb(0) if time is None else (-d * ball(time)).exp()

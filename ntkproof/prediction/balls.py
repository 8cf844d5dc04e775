"""Arb balls, exact float64 matrices, and the way back to float64 numbers with radii."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isfinite, nextafter

import flint
import numpy as np
from flint import arb, arb_mat

from ntkproof.prediction.results import Enclosed, Floats


def ball(value: Fraction) -> arb:
    """Enclose a rational number."""
    return arb(flint.fmpq(value.numerator, value.denominator))


def up(x: arb) -> arb:
    """Return an exact number at least x ≥ 0."""
    return x.abs_upper()


def largest(values: Iterable[arb]) -> arb:
    """Enclose the largest of some numbers; 0 for none."""
    result = arb(0)
    for value in values:
        result = result.max(value)
    return result


def exact_matrix(array: Floats) -> arb_mat:
    """Return float64 numbers, exactly."""
    return arb_mat([[arb(x) for x in row] for row in array.tolist()])


def exact_difference(a: Floats, b: Floats) -> arb_mat:
    """Return ``a − b`` of two float64 vectors as a column."""
    return arb_mat([[arb(x) - arb(y)] for x, y in zip(a.tolist(), b.tolist(), strict=True)])


def floats(matrix: arb_mat) -> Floats:
    """Return the midpoints, rounded."""
    return np.array([[float(x.mid()) for x in row] for row in matrix.table()]).reshape(matrix.nrows(), matrix.ncols())


def column_norms(matrix: arb_mat) -> list[arb]:
    """Return upper bounds on the norms of the columns: not to divide by."""
    rows, columns = range(matrix.nrows()), range(matrix.ncols())
    return [up(sum((up(matrix[i, j]) ** 2 for i in rows), arb(0)).sqrt()) for j in columns]


def enclosed_norms(matrix: arb_mat) -> list[arb]:
    """Enclose the norms of the columns, which must not be 0."""
    rows, columns = range(matrix.nrows()), range(matrix.ncols())
    return [sum((matrix[i, j] ** 2 for i in rows), arb(0)).sqrt() for j in columns]


def scaled_columns(matrix: arb_mat, factors: list[arb]) -> arb_mat:
    """Return the matrix with its columns times factors."""
    return arb_mat([[x * f for x, f in zip(row, factors, strict=True)] for row in matrix.table()])


def scaled_rows(matrix: arb_mat, factors: list[arb]) -> arb_mat:
    """Return the matrix with its rows times factors."""
    return arb_mat([[x * f for x in row] for row, f in zip(matrix.table(), factors, strict=True)])


def enclosed(values: list[arb], errors: list[arb] | None = None) -> Enclosed:
    """Return balls, widened by errors, as float64 numbers and radii."""
    shown = np.array([float(x.mid()) for x in values])
    spare = [arb(0)] * len(values) if errors is None else errors
    radii = [_float_up(abs(x - arb(y)) + e) for x, y, e in zip(values, shown.tolist(), spare, strict=True)]
    return Enclosed(shown, np.array(radii))


def _float_up(x: arb) -> float:
    """Return a float64 number at least x ≥ 0."""
    if not x.is_finite():
        return inf
    number = float(x.upper())
    while isfinite(number) and not arb(number) >= x:
        number = nextafter(number, inf)
    return number


def shaped(numbers: Enclosed, shape: tuple[int, ...]) -> Enclosed:
    """Return the same numbers in another shape."""
    return Enclosed(numbers.value.reshape(shape), numbers.radius.reshape(shape))


def nothing(m: int) -> Enclosed:
    """Return an m × m matrix of zeros."""
    return Enclosed(np.zeros((m, m)), np.zeros((m, m)))

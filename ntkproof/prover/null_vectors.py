"""Looks for an exact null vector of the Gram matrix; what it finds, the rule ``null_vector`` has to confirm."""

from __future__ import annotations

from math import gcd

import flint
import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.activations.dual import activation
from ntkproof.checker.arithmetic.exact import integer_rows
from ntkproof.checker.limit.null_vector import linear_part, orbit
from ntkproof.checker.problem.problem import Problem

Vector = dict[int, int]


def find_null_vector(problem: Problem) -> list[int] | None:
    """Return an integer null vector that the symmetries of the network imply, or None if there is none.

    Two rows are preferred to many; for the identity and for ReLU with antipodal pairs the vector comes from an
    exact integer null space.
    """
    linear = activation(problem.network.activation).linear
    if not (linear or _share_lines(problem.dataset.inputs)):
        return None
    rows = [tuple(row) for row in integer_rows(problem.dataset.inputs, problem.dataset.exponent)]
    if linear:
        extra = 1 if problem.network.beta != 0 else 0
        return _dense(_dependency([(*row, extra) for row in rows]), len(rows))
    classes: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for i, row in enumerate(rows):
        representative, factor = orbit(problem, row)
        if factor == 0:
            return _dense({i: 1}, len(rows))
        classes.setdefault(representative, []).append((i, factor))
    if not linear_part(problem):
        for members in classes.values():
            if len(members) > 1:
                return _dense(_cancel(members[0], members[1]), len(rows))
        return None
    return _dense(_antipodal(rows, list(classes.values())), len(rows))


def _share_lines(inputs: NDArray[np.float64]) -> bool:
    """Whether a row may be zero or two may be on a line through 0: equal quotients are equal once rounded."""
    first = np.take_along_axis(inputs, (inputs != 0).argmax(axis=1)[:, None], axis=1)
    if not first.all():
        return True
    with np.errstate(all="ignore"):
        lines = inputs / first + 0.0  # no minus zeros
    return len({line.tobytes() for line in lines}) < len(lines)


def _antipodal(rows: list[tuple[int, ...]], lines: list[list[tuple[int, int]]]) -> Vector | None:
    """Two rows on the same ray, or a combination of antipodal pairs whose inputs cancel."""
    pairs: list[Vector] = []
    for line in lines:
        for first in range(len(line)):
            for second in range(first):
                vector = _cancel(line[second], line[first])
                if not any(_combine(rows, vector)):
                    return vector
        if len(line) == 2:  # three rows on a line always have two on a ray
            pairs.append(_cancel(line[0], line[1]))
    weights = _dependency([tuple(_combine(rows, pair)) for pair in pairs])
    if weights is None:
        return None
    total: Vector = {}
    for k, weight in weights.items():
        for i, x in pairs[k].items():
            total[i] = total.get(i, 0) + weight * x
    return total


def _cancel(first: tuple[int, int], second: tuple[int, int]) -> Vector:
    (i, a), (j, b) = first, second
    common = gcd(a, b)
    return {i: b // common, j: -a // common}


def _combine(rows: list[tuple[int, ...]], vector: Vector) -> list[int]:
    return [sum(x * rows[i][k] for i, x in vector.items()) for k in range(len(rows[0]))]


def _dependency(vectors: list[tuple[int, ...]]) -> Vector | None:
    """Return integers, not all zero, with ``Σ_i w_i vectors_i = 0``, using as few leading vectors as suffice."""
    if not vectors:
        return None
    matrix = flint.fmpz_mat([list(vector) for vector in vectors[: len(vectors[0]) + 1]]).transpose()
    basis, nullity = matrix.nullspace()
    if nullity == 0:
        return None
    column = [int(basis[i, 0]) for i in range(basis.nrows())]
    common = gcd(*column)
    return {i: x // common for i, x in enumerate(column) if x}


def _dense(vector: Vector | None, n: int) -> list[int] | None:
    return None if vector is None else [vector.get(i, 0) for i in range(n)]

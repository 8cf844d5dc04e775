"""An independent judge of statements: kernels in closed form over Arb balls, eigenvalues by counting pivot signs.

It shares nothing with the checker: it reads the JSON and the bytes itself, takes angles from half-angle formulas,
sums the tangent kernel over layers instead of recursing, and proves eigenvalue bounds by Sylvester's law of
inertia at 600 bits.  A statement is false only if it is wrong by more than ``TOLERANCE`` of the trace.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat

BITS = 600
TOLERANCE = Fraction(1, 2**200)
Dual = tuple[Callable[..., arb], Callable[..., arb]]


def array(raw: dict[str, Any], folder: Path | None = None) -> np.ndarray:
    """Return the numbers of a stored array, floats or Python integers."""
    data = base64.b64decode(raw["base64"]) if "base64" in raw else (folder / raw["file"]).read_bytes()
    if raw["dtype"] == "float64":
        return np.frombuffer(data, "<f8").reshape(raw["shape"])
    w = int(raw["dtype"][3:]) // 8
    numbers = [int.from_bytes(data[k : k + w], "little", signed=True) for k in range(0, len(data), w)]
    return np.array(numbers, dtype=object)


# Kernels in Arb -------------------------------------------------------------------------------------------------


def ball(value: Fraction | int) -> arb:
    value = Fraction(value)
    return arb(flint.fmpq(value.numerator, value.denominator))


def root(x: arb) -> arb:
    """√x of a number known to be ≥ 0."""
    return x.sqrt() if x > 0 else arb(0).union(x.abs_upper().sqrt())


def angle(q: arb, c: arb, r: arb) -> arb:
    """The angle between two features, by the half-angle formula; anything if one of them may be zero."""
    if q is c and c is r:  # a sample and itself
        return arb(0)
    size = root(q * r)
    if not size > 0:
        return arb(0).union(arb.pi())
    return 2 * arb.atan2(root((1 - c / size) / 2), root((1 + c / size) / 2))


def leaky(slope: Fraction) -> Dual:
    s = ball(slope)

    def relu(q: arb, c: arb, r: arb, theta: arb) -> arb:
        return (root(q * r) * theta.sin() + (arb.pi() - theta) * c) / (2 * arb.pi())

    def dual(q: arb, c: arb, r: arb) -> arb:
        theta = angle(q, c, r)
        return (1 + s * s) * relu(q, c, r, theta) - 2 * s * relu(q, -c, r, arb.pi() - theta)

    def derivative(q: arb, c: arb, r: arb) -> arb:
        same = 1 - angle(q, c, r) / arb.pi()
        return (1 + s * s) / 2 * same + s * (1 - same)

    return dual, derivative


def _erf(q: arb, c: arb, r: arb) -> arb:
    return 2 / arb.pi() * (2 * c / root((1 + 2 * q) * (1 + 2 * r))).asin()


def _erf_derivative(q: arb, c: arb, r: arb) -> arb:
    return 4 / arb.pi() / root((1 + 2 * q) * (1 + 2 * r) - 4 * c * c)


def _odd_part(q: arb, c: arb, r: arb) -> arb:
    return (-(q + r) / 2).exp() * c.sinh()


def _even_part(q: arb, c: arb, r: arb) -> arb:
    return (-(q + r) / 2).exp() * c.cosh()


DUALS: dict[str, Dual] = {
    "relu": leaky(Fraction(0)),
    "abs": leaky(Fraction(-1)),
    "identity": (lambda q, c, r: c, lambda q, c, r: arb(1)),
    "erf": (_erf, _erf_derivative),
    "sin": (_odd_part, _even_part),
    "cos": (_even_part, _odd_part),
}


def duals(name: str) -> Dual:
    return leaky(Fraction(name[11:-1])) if name.startswith("leaky_relu(") else DUALS[name]


def gram(inputs: np.ndarray) -> arb_mat:
    """``XXᵀ`` of float64 rows."""
    x = arb_mat([[arb(float(value)) for value in row] for row in inputs])
    return x * x.transpose()


def kernel(problem: dict[str, Any], folder: Path | None = None) -> arb_mat:
    """Return the Gram matrix of the ``problem`` field of a certificate."""
    key = json.dumps(
        {**problem, "dataset": {"inputs": problem["dataset"]["inputs"]}, "folder": str(folder)}, sort_keys=True
    )
    return _kernel(key)


@lru_cache(maxsize=256)
def _kernel(key: str) -> arb_mat:
    problem = json.loads(key)
    network, inputs = problem["network"], array(problem["dataset"]["inputs"], Path(problem["folder"]))
    with flint.ctx.workprec(BITS):
        beta2, weight2 = ball(Fraction(network["bias"]) ** 2), ball(Fraction(network["weight_std"]) ** 2)
        fan = inputs.shape[1] if network["input_scale"] == "fan-in" else 1
        products = gram(inputs)
        n = len(inputs)
        first = [[weight2 * products[i, j] / fan + beta2 for j in range(n)] for i in range(n)]
        entries = _entries(problem["kernel"], network, first, beta2, weight2)
        return arb_mat([[entries[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)])


def _entries(kind: str, network: dict[str, Any], first: list[list[arb]], beta2: arb, weight2: arb) -> list[list[arb]]:
    """The lower triangle; tangent = Σ_l Σ^l Π_{h ≥ l} σ_w² Σ̇^h, the sum running over the trained layers."""
    dual, derivative = duals(network["activation"])
    n, depth = len(first), network["depth"]
    variances = [[row[i] for i, row in enumerate(first)]]
    for _ in range(depth):
        variances.append([weight2 * dual(q, q, q) + beta2 for q in variances[-1]])

    def entry(i: int, j: int) -> arb:
        sigma, slopes = [first[i][j]], []
        for layer in range(depth):
            q, r = variances[layer][i], variances[layer][j]
            c = q if i == j else sigma[-1]
            slopes.append(weight2 * derivative(q, c, r))
            sigma.append(weight2 * dual(q, c, r) + beta2)
        if kind == "nngp":
            return sigma[-1]
        if network["train"] == "hidden":
            return sigma[0] * slopes[0]
        if network["train"] == "output":
            return sigma[1] - beta2
        total = arb(0)
        for layer in range(depth + 1):
            term = sigma[layer]
            for slope in slopes[layer:]:
                term = term * slope
            total += term
        return total - beta2 if network["train"] == "both" else total

    return [[entry(i, j) for j in range(i + 1)] for i in range(n)]


# Eigenvalues ----------------------------------------------------------------------------------------------------


def negative_eigenvalues(matrix: arb_mat, shift: Fraction) -> int | None:
    """How many eigenvalues are below ``shift`` (Sylvester, the largest pivot first); None if one may be zero."""
    n = matrix.nrows()
    rows = {i: {j: matrix[i, j] - (ball(shift) if i == j else 0) for j in range(n)} for i in range(n)}
    count = 0
    while rows:
        k = max(rows, key=lambda i: abs(rows[i][i]).mid())
        row = rows.pop(k)
        if not (row[k] > 0 or row[k] < 0):
            return None
        count += int(row[k] < 0)
        for i in rows:
            ratio = rows[i].pop(k) / row[k]
            for j in rows:
                if j <= i:
                    rows[i][j] -= ratio * row[j]
                    rows[j][i] = rows[i][j]
    return count


def _slack(matrix: arb_mat) -> Fraction:
    trace = sum((abs(matrix[i, i]) for i in range(matrix.nrows())), arb(1))
    return TOLERANCE * Fraction(2) ** round(float(trace.abs_upper().log().mid() / arb(2).log().mid()))


def smallest_within(matrix: arb_mat, lower: Fraction, upper: Fraction) -> bool:
    """Whether ``lower ≤ λ_min ≤ upper`` up to the tolerance, proved."""
    with flint.ctx.workprec(BITS):
        slack = _slack(matrix)
        below, above = negative_eigenvalues(matrix, lower - slack), negative_eigenvalues(matrix, upper + slack)
        return below == 0 and above is not None and above > 0


def is_null(matrix: arb_mat, vector: list[int]) -> bool:
    """Whether the matrix maps a vector to zero, up to the tolerance."""
    with flint.ctx.workprec(BITS):
        image = matrix * arb_mat([[arb(x)] for x in vector])
        limit = ball(_slack(matrix)) * max(map(abs, vector))
        return any(vector) and all(abs(image[i, 0]) < limit for i in range(len(vector)))


def smallest_eigenvalue(matrix: arb_mat) -> arb:
    """An enclosure of λ_min, from Arb's eigenvalue solver."""
    with flint.ctx.workprec(BITS):
        values = [value.real for value in flint.acb_mat(matrix).eig(multiple=True)]
        return min(values, key=lambda value: float(value.mid()))


# Statements -----------------------------------------------------------------------------------------------------


def holds(document: dict[str, Any], folder: Path | None = None) -> bool:
    """Whether the conclusion of a certificate is true of its problem."""
    problem, claim = document["problem"], document["conclusion"]["claim"]
    lower, upper = Fraction(claim["lower"]), Fraction(claim["upper"])
    if claim["kind"] == "operator_norm":
        inputs = array(problem["dataset"]["inputs"], folder)
        with flint.ctx.workprec(BITS):
            matrix = gram(inputs if inputs.shape[0] <= inputs.shape[1] else inputs.T)
            minus = arb_mat(matrix.nrows(), matrix.nrows()) - matrix
        return upper >= 0 and smallest_within(minus, -(upper**2), -(max(lower, Fraction(0)) ** 2))
    matrix = kernel(problem, folder)
    if not smallest_within(matrix, lower, upper):
        return False
    rows = claim.get("null_rows", [])
    return not rows or any(
        [i for i, x in enumerate(vector) if x] == rows and is_null(matrix, vector) for vector in _vectors(document)
    )


def _vectors(document: dict[str, Any]) -> list[list[int]]:
    """The integer vectors a certificate carries: a null vector that it claims must be one of them."""
    n = document["problem"]["dataset"]["inputs"]["shape"][0]
    found = [array(step["witness"]["vector"]) for step in document["steps"] if "vector" in step["witness"]]
    return [vector.tolist() for vector in found if len(vector) == n]

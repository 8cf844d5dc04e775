"""Exact singularity: ``Σ_i v_i f(x_i; θ) = 0`` for every θ makes ``v`` a null vector of every ``J Jᵀ``.

Trusted.  Proof: ``docs/proofs/null-vectors.md``.  The identity is checked on the inputs in exact integer arithmetic
from the symmetries of the activation; no interval can prove an eigenvalue to be zero.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

from ntkproof.checker.activations.dual import activation
from ntkproof.checker.arithmetic.exact import integer_rows
from ntkproof.checker.limit.claims import LambdaMin
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting

if TYPE_CHECKING:
    from ntkproof.checker.problem.problem import Problem

Row = tuple[int, ...]


def orbit(problem: Problem, row: Row) -> tuple[Row, int]:
    """Return ``(u, c)`` with ``g(x; θ) = c g(u; θ)`` for every θ, the same ``u`` for all such rows; c may be 0.

    ``g`` is the network's output, up to a part that is linear in the input for σ linear plus even, depth 1 and no
    bias (`linear_part`).
    """
    network = problem.network
    if network.beta != 0:
        return row, 1
    sigma = activation(network.activation)
    size = gcd(*row)
    if size == 0:
        vanishes = sigma.parity == "odd" or sigma.homogeneous or network.train == "hidden"
        return row, 0 if vanishes else 1
    sign = 1 if next(k for k in row if k) > 0 else -1
    direction = tuple(k // size for k in row)
    positive = tuple(sign * k for k in direction)
    if sigma.linear_plus_even and (network.depth == 1 or sigma.parity == "even"):
        return positive, size
    if sigma.homogeneous:
        return direction, size
    if sigma.parity == "even":
        return tuple(sign * k for k in row), 1
    if sigma.parity == "odd":
        return tuple(sign * k for k in row), sign
    return row, 1


def linear_part(problem: Problem) -> bool:
    """Whether ``Σ v_i x_i = 0`` is needed too: the output has a part that is linear in the input."""
    network = problem.network
    sigma = activation(network.activation)
    return network.beta == 0 and network.depth == 1 and sigma.linear_plus_even and sigma.parity != "even"


def _null_vector(setting: Setting, step: Inputs) -> Derived:
    """``λ_min = 0`` with the null vector ``v``, an integer vector."""
    problem = setting.problem
    v = step.witness["vector"].integers()
    rows = [tuple(row) for row in integer_rows(problem.dataset.inputs, problem.dataset.exponent)]
    if len(v) != len(rows):
        raise Rejection("bad-witness", "the vector has the wrong length", str(len(rows)), str(len(v)))
    support = tuple(i for i, x in enumerate(v) if x)
    if not support:
        raise Rejection("bad-witness", "the vector is zero")
    if activation(problem.network.activation).linear:
        columns = [sum(v[i] * rows[i][k] for i in support) for k in range(problem.dataset.d)]
        if problem.network.beta != 0:
            columns.append(sum(v))
        sums: dict[object, int] = dict(enumerate(columns))
    else:
        sums = _orbit_sums(problem, rows, v, support)
    for where, total in sums.items():
        if total:
            raise Rejection(
                "not-null",
                "the vector is not a null vector by symmetry",
                f"sum over {where} = 0",
                show(Fraction(total)),
            )
    return Derived(LambdaMin(Fraction(0), Fraction(0), support))


def _orbit_sums(problem: Problem, rows: list[Row], v: list[int], support: tuple[int, ...]) -> dict[object, int]:
    sums: dict[object, int] = {}
    first: dict[Row, int] = {}
    for i in support:
        representative, factor = orbit(problem, rows[i])
        name = f"the rows like row {first.setdefault(representative, i)}"
        sums[name] = sums.get(name, 0) + factor * v[i]
    if linear_part(problem):
        for k in range(problem.dataset.d):
            sums[f"column {k}"] = sum(v[i] * rows[i][k] for i in support)
    return sums


null_vector = Rule(_null_vector, witness=("vector",))

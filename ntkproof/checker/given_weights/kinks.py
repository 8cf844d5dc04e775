"""Given weights and a piecewise linear activation: neurons near hyperplanes and flips, counted.

Trusted.  Two layers, the hidden one trained: ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``; B the jump of ``σ'`` at 0,
``A = max|a_r|``, ``K = XXᵀ``.  Proofs: ``docs/proofs/given-kinks.md``.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.activations.facts import activation_facts
from ntkproof.checker.arithmetic.scalars import root, upper
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.given_weights.evaluation import Evaluator
from ntkproof.checker.given_weights.given import evaluation, given, lambda_zero
from ntkproof.checker.given_weights.norms import FORWARD, norm_squared
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.limit.inputs_gram import inputs_gram
from ntkproof.checker.limit.premises import inputs_norm_squared
from ntkproof.checker.logic.arguments import positive
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.assumptions import DIFFERENTIAL_INCLUSION, SELECTION
from ntkproof.checker.random_start.claims import Bound
from ntkproof.checker.random_start.linearised import quadratic_inverse
from ntkproof.checker.random_start.tube import TubeDeviation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

UNITS = 40  # bits of the largest entry of a matrix of shares
WEIGHT = 30  # squares of output weights are rounded up to multiples of 2^-WEIGHT


def kinked(setting: Setting) -> tuple[Evaluator, Fraction, Fraction]:
    """Return the evaluator, ``B1²`` and ``B²``; reject other networks than these rules are about."""
    network, weights = setting.problem.network, given(setting)
    for name, needed, found in (
        ("depth", "1", str(network.depth)),
        ("train", "hidden", network.train),
        ("bias", "0", str(network.bias)),
        ("weight_std", "1", str(network.weight_std)),
        ("input_scale", "1", network.input_scale),
    ):
        if needed != found:
            raise Rejection("outside-theorem", f"the theorem is about another {name}", needed, found)
    slope, curvature, _, jump = activation_facts(network.activation)
    if curvature is not None:
        raise Rejection("hypothesis", "tubes and flips are for piecewise linear activations")
    return Evaluator(setting.arithmetic, setting.problem, weights, setting.tick), slope, jump


def largest_output_weight(setting: Setting) -> Fraction:
    """Return ``A = max_r |a_r|``."""
    return Fraction(float(np.abs(given(setting).layers[1]).max()))


def _neurons(evaluator: Evaluator) -> Iterator[tuple[NDArray[Any], int, NDArray[np.int64]]]:
    """Yield ``|z|`` (n rows), its error and ``a_r²`` rounded up, block by block of one half if mirrored."""
    try:
        for z, error, a in evaluator.hyperplanes():
            squares = np.array([ceil(Fraction(x) ** 2 * 2**WEIGHT) for x in a.tolist()], object)
            if int(squares.max()) * len(squares) >= 2**62:
                raise OverflowError("an output weight is too large")
            yield np.abs(z), error, squares.astype(np.int64)
    except OverflowError as error:
        raise Rejection("no-enclosure", f"the network's numbers are too large: {error}") from None


def _given_tube(setting: Setting, step: Inputs) -> Derived:
    """``ε² = (B²/m) ‖(|K_ij| Σ a_r²)_ij‖`` over the neurons near the hyperplanes of both ``x_i`` and ``x_j``."""
    evaluator, _, jump = kinked(setting)
    tau, kernel = positive(step, "tau"), inputs_gram(setting)
    n, weights = len(kernel), given(setting)
    near = [upper(lambda numbers, t, q: t * numbers.sqrt(q), tau, kernel[i][i]) for i in range(n)]
    total = np.zeros((n, n), object)
    for z, error, squares in _neurons(evaluator):
        limits = np.array([ceil(t * 2**FORWARD) + error for t in near], object)
        inside = (z <= limits[:, None]).astype(np.int64)
        total += ((inside * squares) @ inside.T).astype(object)
    scale = jump * (2 if weights.mirrored else 1) / (weights.width * Fraction(2**WEIGHT))
    shares = [[scale * abs(kernel[max(i, j)][min(i, j)]) * int(total[i, j]) for j in range(n)] for i in range(n)]
    deviation = root(_norm(evaluator, shares))
    return Derived(TubeDeviation(tau, deviation), assumptions=frozenset({DIFFERENTIAL_INCLUSION}))


def _norm(evaluator: Evaluator, matrix: list[list[Fraction]]) -> Fraction:
    """Return at least the norm of a nonnegative symmetric matrix: it does not decrease in the entries."""
    unit = Fraction(max(map(max, matrix)), 2**UNITS)
    if unit == 0:
        return unit
    rounded = np.array([[ceil(entry / unit) for entry in row] for row in matrix], np.int64)
    return unit * root(norm_squared(evaluator.numbers, evaluator.numbers.integers(rounded)))


def _given_flips(setting: Setting, step: Inputs) -> Derived:
    """``ε(R)² = (B²A²/m) ‖X‖² max_i k_i(R)``, at most ``k_i`` neurons flip at ``x_i`` on a path of length R."""
    evaluator, slope, jump = kinked(setting)
    radius, kernel, weights = positive(step, "radius"), inputs_gram(setting), given(setting)
    norm = inputs_norm_squared(step.premises[0])
    copies, n = (2 if weights.mirrored else 1), len(kernel)
    budgets = [radius**2 * kernel[i][i] * 4**FORWARD for i in range(n)]
    caps = [isqrt(ceil(budget)) + 1 for budget in budgets]
    found: list[list[NDArray[Any]]] = [[] for _ in range(n)]
    for z, error, _ in _neurons(evaluator):
        for i in range(n):  # neurons beyond the budget cannot flip
            row = np.maximum(z[i] - error, 0)
            found[i].append(row[row <= caps[i]])
    flips = max(
        _affordable(np.concatenate(rows), budget, copies) if budget else 0
        for rows, budget in zip(found, budgets, strict=True)
    )
    top = largest_output_weight(setting) ** 2 * norm / weights.width
    offset, size = root(jump * top * flips), root(slope * top * weights.width)
    claim = LocalDeviation(radius, offset, Fraction(0), "path", size)
    return Derived(claim, assumptions=frozenset({DIFFERENTIAL_INCLUSION if weights.step_size is None else SELECTION}))


def _affordable(sizes: NDArray[Any], budget: Fraction, copies: int) -> int:
    """Return the largest k such that the k smallest squares, each there ``copies`` times, sum to at most a budget."""
    spent, count = 0, 0
    for size in sorted(int(x) for x in sizes):
        for _ in range(copies):
            spent += size * size
            if spent > budget:
                return count
            count += 1
    return count


def _given_path(setting: Setting, step: Inputs) -> Derived:
    """``r_0ᵀH_0⁻¹r_0``, squared distance to the solution of the linearised problem, from any approximate solution."""
    enclosure, matrix = step.premises[0].claim, step.premises[0].matrix
    if not isinstance(enclosure, Enclosure) or enclosure.matrix != "initial_kernel" or matrix is None:
        raise Rejection("bad-premises", "the first premise must be the enclosure of initial_kernel")
    lambda_0, at, scale = lambda_zero(step.premises[1]), evaluation(setting), step.integers["scale"]
    integers = step.witness["solution"].integers()
    if len(integers) != len(at.residual):
        raise Rejection("bad-witness", "the solution has the wrong length", str(len(at.residual)), str(len(integers)))
    z = [Fraction(k, 2**scale) for k in integers]
    form = quadratic_inverse(enclosure, matrix, lambda_0, list(at.residual), z)
    if not form >= 0:
        raise Rejection("no-enclosure", "the quadratic form is negative")
    doubt = len(at.residual) * at.residual_error**2 / lambda_0  # ‖r̃ − r_0‖² in the norm of H_0⁻¹
    return Derived(Bound("linearised_path", (root(form) + root(doubt)) ** 2))


given_tube = Rule(_given_tube, numbers=("tau",))
given_flips = Rule(_given_flips, (EigenvalueBound,), numbers=("radius",))
given_path = Rule(_given_path, (Enclosure, EigenvalueBound), integers={"scale": (0, 4096)}, witness=("solution",))

"""The Gram matrix of the kernel, entry by entry.  Proofs: ``docs/proofs/kernels.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.limit.kernels import FirstLayer, Kernel
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.load import load
from ntkproof.checker.logic.rule import Derived, Inputs, Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from ntkproof.checker.arithmetic.protocols import Arithmetic, Matrix, Numbers, Tick
    from ntkproof.checker.problem.problem import Problem


def enclose_entries(
    problem: Problem,
    inputs_gram: Matrix,
    numbers: Numbers,
    quantise: Callable[[Any], tuple[int, int]],
    tick: Callable[[int, int], None],
    terms: int = 0,
) -> tuple[list[int], int]:
    """Enclose every entry of the kernel's Gram matrix.

    Args:
        problem: dataset of n samples, network and kernel.
        inputs_gram: exact integer Gram matrix of the inputs, scaled by ``4**-dataset.exponent``.
        numbers: an enclosing number context.
        quantise: maps an enclosure to integers ``(A, ρ)``: midpoint and radius in the unit wanted.
        tick: called with (rows done, rows in all).
        terms: of Hermite expansions, see `activation`.

    Returns:
        The packed lower triangle of the integers ``A`` and ``max_i Σ_j ρ_ij ≥ ‖H − A‖``, both in that unit.
    """
    n = inputs_gram.n
    first = FirstLayer.of(problem.dataset, problem.network)
    kernel = Kernel(problem, numbers, terms)
    square = first.denominator**2
    norms = [first.covariance(inputs_gram.entry(i, i)) for i in range(n)]
    variances = [kernel.variances(numbers.rational(Fraction(norm, first.denominator))) for norm in norms]
    packed: list[int] = []
    row_sums = [0] * n
    for i in range(n):
        for j in range(i + 1):
            entry = first.covariance(inputs_gram.entry(i, j))
            covariance = numbers.rational(Fraction(entry, first.denominator))
            det = numbers.rational(Fraction(norms[i] * norms[j] - entry * entry, square))
            value = kernel.entry(variances[i], covariance, variances[j], det, diagonal=i == j)
            midpoint, radius = quantise(value)
            packed.append(midpoint)
            row_sums[i] += radius
            if j < i:
                row_sums[j] += radius
        tick(i + 1, n)
    return packed, max(row_sums)


FLOAT_BITS = 53


def enclose_kernel(
    arithmetic: Arithmetic, problem: Problem, precision: int, working: int, tick: Tick, terms: int = 0
) -> tuple[Matrix, int]:
    """Enclose the kernel's Gram matrix ``H`` from ``working`` bits.

    Args:
        arithmetic: up to 53 bits of a closed form are float64, if it uses that and its range will do.
        problem: dataset, network and kernel.
        precision: the unit is ``2^-precision``.
        working, tick, terms: see above and `enclose_entries`.

    Returns:
        The integer matrix ``A`` and ``ρ`` with ``‖H − 2^-precision A‖ ≤ 2^-precision ρ``.
    """
    inputs = arithmetic.gram(problem.dataset.inputs, problem.dataset.exponent)
    if arithmetic.float64 and working <= FLOAT_BITS and expression_of(problem.network.activation) is None:
        try:
            vectorised = load("limit.float64").enclose_kernel_vectorised
            found: tuple[Matrix, int] = vectorised(problem, inputs, precision, tick)
            return found
        except ValueError:
            pass  # balls have no range to leave
    with arithmetic.numbers(working, precision) as numbers:
        quantise = partial(numbers.quantise, p=precision)
        packed, radius = enclose_entries(problem, inputs, numbers, quantise, tick, terms)
    return arithmetic.symmetric(inputs.n, packed), radius


def enclosure(setting: Setting, step: Inputs, terms: int) -> Derived:
    """Every entry of ``H`` enclosed; ``‖H − 2^-p A‖ ≤ ‖·‖_∞ ≤ 2^-p max_i Σ_j ρ_ij`` by symmetry."""
    precision, working = step.integers["precision"], step.integers["working_precision"]
    try:
        matrix, radius = enclose_kernel(setting.arithmetic, setting.problem, precision, working, setting.tick, terms)
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", str(error)) from None
    return Derived(Enclosure("kernel", precision, radius), matrix)

"""Entrywise enclosures of a kernel's Gram matrix, for use outside a proof."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter
from typing import Any

import mpmath
import numpy as np
from mpmath.libmp import from_man_exp
from numpy.typing import NDArray

from ntkproof.checker.activations.hermite import MAX_TERMS
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.limit.entries import enclose_entries
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem

_GUARD = 40


def enclose_gram(
    X: Dataset | NDArray[np.float64],
    network: Network,
    *,
    kernel: str = "ntk",
    precision: int = 53,
    engine: str = "fast",
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Enclose every entry of the analytic Gram matrix: ``|H_ij − midpoint_ij| ≤ radius_ij``, proved.

    Args:
        X: a `Dataset` or inputs of shape (n, d), taken as exact numbers.
        network: the network.
        kernel: ``ntk`` or ``nngp``.
        precision: bits relative to the largest diagonal entry, 30 to 4096.
        engine: ``fast`` (Arb) or ``reference`` (mpmath intervals).

    Returns:
        midpoint: shape (n, n); float64 for a precision up to 53, beyond that an object array of ``mpmath.mpf``.
        radius: shape (n, n), float64, rounded up.

    Raises:
        InputError: unusable inputs, or a precision out of range.
    """
    dataset = X if isinstance(X, Dataset) else Dataset(X)
    problem = Problem(dataset, network, kernel)
    if type(precision) is not int or not 30 <= precision <= 4096:
        raise InputError(f"the precision must be an integer from 30 to 4096 bits, not {precision!r}")
    if engine not in ("fast", "reference"):
        raise InputError(f"unknown engine {engine!r}; there are reference, fast")
    lower, p = _enclosures(problem, precision, engine)
    n = dataset.n
    midpoint = np.empty((n, n), dtype=np.float64 if precision <= 53 else object)
    radius = np.empty((n, n))
    for (i, j), (middle, spread) in zip(((a, b) for a in range(n) for b in range(a + 1)), lower, strict=True):
        if middle.bit_length() - p > 1000:
            raise InputError(f"the kernel of rows {i} and {j} exceeds the float64 range")
        if precision <= 53:
            midpoint[i, j] = midpoint[j, i] = shown = float(Fraction(middle, 2**p))
            error = Fraction(spread, 2**p) + abs(Fraction(middle, 2**p) - Fraction(shown))
        else:
            midpoint[i, j] = midpoint[j, i] = mpmath.mp.make_mpf(from_man_exp(middle, -p))
            error = Fraction(spread, 2**p)
        radius[i, j] = radius[j, i] = nextafter(float(error), inf) if error else 0.0
    return midpoint, radius


def _enclosures(problem: Problem, precision: int, engine: str) -> tuple[list[tuple[int, int]], int]:
    """Return (A, ρ) of the lower triangle in units of ``2^-p``, and p: ``precision`` bits below the largest.

    Nearly parallel rows lose bits in every layer, so the working precision is raised while that helps, and for an
    activation without a closed form the number of Hermite coefficients.
    """
    working, terms = precision + _GUARD, 125
    expanded = expression_of(problem.network.activation) is not None
    while True:
        found, p = _attempt(problem, precision, working, engine, terms)
        if expanded and terms < MAX_TERMS and max(radius for _, radius in found) > 16:
            terms *= 2
            continue
        if max(radius for _, radius in found) <= 16 or working > 4 * precision + 512:
            return found, p
        working += precision + _GUARD


def _attempt(
    problem: Problem, precision: int, working: int, engine: str, terms: int
) -> tuple[list[tuple[int, int]], int]:
    inputs, exponent = problem.dataset.inputs, problem.dataset.exponent
    found: list[Any] = []

    def keep(x: Any) -> tuple[int, int]:
        found.append(x)
        return 0, 0

    means = arithmetic(engine)
    with means.numbers(working) as numbers:
        gram = means.gram(inputs, exponent)
        enclose_entries(problem, gram, numbers, keep, lambda done, total: None, terms)
        tiny = 4 * (precision + 1100)  # squares of the smallest float64 differ from 0 at this precision
        largest = max(numbers.quantise(found[i * (i + 3) // 2], tiny)[0].bit_length() for i in range(gram.n))
        p = max(precision + 4 + tiny - largest, 0)
        return [numbers.quantise(x, p) for x in found], p

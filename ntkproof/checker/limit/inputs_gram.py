"""``K = XXᵀ`` exactly.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ntkproof.checker.logic.rule import Setting


def inputs_gram(setting: Setting) -> list[list[Fraction]]:
    """Return ``K = XXᵀ`` exactly, its lower triangle."""
    dataset = setting.problem.dataset
    packed = setting.arithmetic.gram(dataset.inputs, dataset.exponent).lower()
    unit = Fraction(4) ** dataset.exponent
    return [[next(packed) * unit for _ in range(i + 1)] for i in range(dataset.n)]


def steepest(setting: Setting) -> Fraction:
    """Return ``max_i ‖K_i‖²/‖x_i‖²`` over the rows that are not zero, ``K_i`` the rows of K."""
    gram = inputs_gram(setting)
    squares = [Fraction(0)] * len(gram)
    for i, row in enumerate(gram):
        for j, entry in enumerate(row):
            squares[i] += entry * entry
            if i != j:
                squares[j] += entry * entry
    return max((squares[i] / gram[i][i] for i in range(len(gram)) if gram[i][i]), default=Fraction(0))

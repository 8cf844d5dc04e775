"""The Jacobians between the layers of a deep network, sample by sample.  Proofs: ``docs/proofs/local-deviation.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np

from ntkproof.checker.given_weights.evaluation import Back, Evaluator, Pass
from ntkproof.checker.given_weights.norms import FORWARD, Rounded, peak
from ntkproof.checker.logic.budget import spend

Norms = tuple[tuple[Fraction, ...], ...]


class Factors:
    """``D_l = diag σ'(z^l)`` of each sample and ``S_l W^l``; ``∂x^l/∂z^j = D_l S_l W^l D_{l−1} … D_j``.

    ``steepest[l]``: at least every ``|σ'(z^l)|``, layers counted from 0.
    """

    def __init__(self, passed: Pass) -> None:
        self.passed = passed
        pairs = zip(passed.slopes, passed.slope_errors, strict=True)
        self.steepest = tuple(Fraction(peak(slopes) + error, 2**FORWARD) for slopes, error in pairs)

    def norms(self) -> tuple[Norms, Norms, Norms, Norms]:
        """Return, for layers j < l, the largest over the samples of three norms, and a fourth for j ≤ l.

        Of ``∂z^l/∂z^j``, of its longest row, of ``∂x^l/∂z^j``; and ``Σ_{m≥l} ‖D_m ∂z^m/∂z^l‖ ‖D_m ∂z^m/∂z^j‖`` with
        ``D_m = diag |ĥ^m|^{1/2}``.
        """
        of, slopes, errors = self.passed.of, self.passed.slopes, self.passed.slope_errors
        depth, n, widths = of.network.depth, of.dataset.n, [layer.shape[0] for layer in self.passed.layers]
        spend(n * depth**2 * max(widths) ** 3 // 16)
        backward = list(self.passed.backward())[:0:-1]
        P, P_rows, Q = ([[Fraction(0)] * layer for layer in range(depth)] for _ in range(3))
        E = [[Fraction(0)] * (layer + 1) for layer in range(depth)]
        for sample in range(n):
            found: list[Rounded] = []  # ∂x^{layer−1}/∂z^j, j < layer − 1
            weighted: list[list[Fraction]] = []  # ‖D_m ∂z^m/∂z^j‖, j ≤ m
            for layer in range(depth):
                weights, linked = Rounded(self.passed.layers[layer], 1), []
                if layer:
                    linked = [weights.after(of.numbers, path) for path in found]
                    linked.append(weights.scaled(of.numbers, slopes[layer - 1][sample][None], errors[layer - 1]))
                found = [link.scaled(of.numbers, slopes[layer][sample][:, None], errors[layer]) for link in linked]
                roots = _roots(backward[layer], sample)
                column = of.numbers.integers(np.array(roots, np.int64))[:, None]
                weighted.append([link.scaled(of.numbers, column, 0).norm(of.numbers) for link in linked])
                weighted[layer].append(Fraction(max(roots), 2**FORWARD))
                for j in range(layer):
                    P[layer][j] = max(P[layer][j], linked[j].norm(of.numbers))
                    P_rows[layer][j] = max(P_rows[layer][j], linked[j].longest_row(of.numbers))
                    Q[layer][j] = max(Q[layer][j], found[j].norm(of.numbers))
            for layer in range(depth):
                for j in range(layer + 1):
                    bend = sum((row[layer] * row[j] for row in weighted[layer:]), Fraction(0))
                    E[layer][j] = max(E[layer][j], bend)
            of.tick(sample + 1, n)
        found_norms = (tuple(map(tuple, lists)) for lists in (P, P_rows, Q, E))
        return next(found_norms), next(found_norms), next(found_norms), next(found_norms)


def _roots(back: Back, sample: int) -> list[int]:
    """Return at least ``|ĥ_r|^{1/2}`` for one sample, in units of ``2^-FORWARD``."""
    row = back.before[sample if len(back.before) > 1 else 0]
    shift = 2 * FORWARD - back.unit
    return [isqrt((abs(int(h)) + back.before_error) << shift) + 1 for h in row]


def factors(evaluator: Evaluator) -> Factors:
    """Return what the Jacobians between the layers of a deep network are made of."""
    inputs = evaluator.numbers.quantise(evaluator.dataset.inputs, Fraction(1), FORWARD)
    return Factors(Pass(evaluator, evaluator.weights, inputs))

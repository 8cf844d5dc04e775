"""The certified quantities of given weights, together.  Proofs: ``docs/proofs/given-weights.md``.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ntkproof.checker.given_weights.evaluation import Evaluator
from ntkproof.checker.given_weights.given import evaluation, given, residual_norm
from ntkproof.checker.given_weights.norms import FORWARD
from ntkproof.checker.given_weights.profile import jacobian_norm, largest_h, weight_norms
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.premises import eigenvalue_bound
from ntkproof.checker.logic.claim import LOWER, START, UPPER, Claim, claim_field
from ntkproof.checker.logic.reading import listed, number
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


@dataclass(frozen=True)
class Quantities(Claim):
    """Of a network at given weights: ``‖r_0‖ ≤ residual``, ``λ_min(H_0) ≥ lambda_min``, ``‖J_0‖ ≤ jacobian_norm``.

    ``weight_norms[l−1] ≥ ‖W^l‖``, l ≤ L; ``largest[l−1] ≥ max_{i,r} |∂f(x_i)/∂x^l_r|``, the back-propagated vectors of
    the hidden layers up to the last trained one; ``margin ≤ min_{i,r} |z^1_r(x_i)|``, how far the samples are from the
    hyperplanes of the first layer.
    """

    kind: ClassVar[str] = "quantities"
    concludes: ClassVar[bool] = True
    about: ClassVar[str] = START
    residual: Fraction = claim_field(number, UPPER)
    lambda_min: Fraction = claim_field(number, LOWER)
    jacobian_norm: Fraction = claim_field(number, UPPER)
    weight_norms: tuple[Fraction, ...] = claim_field(listed(number, 1), UPPER)
    largest: tuple[Fraction, ...] = claim_field(listed(number, 1), UPPER)
    margin: Fraction = claim_field(number, LOWER)


def _given_quantities(setting: Setting, step: Inputs) -> Derived:
    """The certified quantities of the weights, together; ``λ_min(H_0)`` from the premise."""
    least = eigenvalue_bound(step.premises[0], "initial_kernel", "min", "lower")
    at, evaluator = evaluation(setting), Evaluator(setting.arithmetic, setting.problem, given(setting), setting.tick)
    margins = [int(np.abs(z).min()) - error for z, error, _ in evaluator.hyperplanes()]
    claim = Quantities(
        residual_norm(at),
        max(least, Fraction(0)),
        jacobian_norm(evaluator, at),
        weight_norms(evaluator),
        largest_h(evaluator, at),
        Fraction(max(0, min(margins)), 2**FORWARD),
    )
    return Derived(claim)


given_quantities = Rule(_given_quantities, (EigenvalueBound,))

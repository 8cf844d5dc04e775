"""The matrix of the inputs: ``‖X‖`` and what the theorems ask of ``K = XXᵀ``.

Trusted.  Proofs: ``docs/proofs/lambda-min.md``.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, isqrt
from typing import ClassVar

from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure, Interval
from ntkproof.checker.limit.eigenvalues import bounds
from ntkproof.checker.logic.claim import INPUTS, Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


class OperatorNorm(Interval):
    """``‖X‖`` for the matrix of inputs ``X``."""

    kind: ClassVar[str] = "operator_norm"
    concludes: ClassVar[bool] = True
    about: ClassVar[str] = INPUTS


def _operator_norm(setting: Setting, step: Inputs) -> Derived:
    """``‖X‖ = √λ_max``: roots rounded outward to 2^-128 relative."""
    lower, upper = bounds(step, "inputs", "max")
    if upper < 0:
        raise Rejection("bad-premises", "an upper bound on ‖X‖² is negative")
    return Derived(OperatorNorm(root(max(lower, Fraction(0)), 0), root(upper, 1)))


def root(value: Fraction, up: int) -> Fraction:
    """Return a rational at most (``up`` 0) or at least (1) ``√value``."""
    scale = max(0, 128 + (value.denominator.bit_length() - value.numerator.bit_length()) // 2)
    return Fraction(isqrt(floor(value * 4**scale)) + up, 2**scale)


operator_norm = Rule(_operator_norm, (EigenvalueBound, EigenvalueBound))


def _inputs_enclosure(setting: Setting, step: Inputs) -> Derived:
    """``XXᵀ`` (side ``rows``) or ``XᵀX`` (side ``columns``), exactly: ``λ_max`` of either is ``‖X‖²``."""
    dataset = setting.problem.dataset
    inputs = dataset.inputs if step.names["side"] == "rows" else dataset.inputs.T.copy()
    return Derived(Enclosure("inputs", -2 * dataset.exponent, 0), setting.arithmetic.gram(inputs, dataset.exponent))


inputs_enclosure = Rule(_inputs_enclosure, names={"side": ("rows", "columns")})


def _inputs_squared(setting: Setting, step: Inputs) -> Derived:
    """The Hadamard square ``K∘K`` of ``K = XXᵀ``, exactly."""
    dataset = setting.problem.dataset
    gram = setting.arithmetic.gram(dataset.inputs, dataset.exponent)
    squares = setting.arithmetic.symmetric(gram.n, [entry * entry for entry in gram.lower()])
    return Derived(Enclosure("inputs_squared", -4 * dataset.exponent, 0), squares)


inputs_squared = Rule(_inputs_squared)

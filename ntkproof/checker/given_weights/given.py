"""What holds for given weights, certified from the numbers themselves.  Proofs: ``docs/proofs/given-weights.md``.

Trusted.  ``θ_0`` are the weights of the problem, ``J_0`` the Jacobian of the outputs there, ``H_0 = J_0 J_0ᵀ``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.arithmetic.scalars import root
from ntkproof.checker.given_weights.evaluation import Evaluation, Evaluator
from ntkproof.checker.given_weights.gram import gram
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.limit.premises import eigenvalue_bound
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Proved, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound

if TYPE_CHECKING:
    from ntkproof.checker.problem.weights import Weights

PRECISION = (30, 1000)


def given(setting: Setting) -> Weights:
    """Return the weights of the problem; reject problems about random ones."""
    if setting.problem.weights is None:
        raise Rejection("outside-theorem", "the problem has no given weights")
    return setting.problem.weights


def evaluation(setting: Setting) -> Evaluation:
    """Return what the network does on the data at the given weights; evaluated once."""
    if "evaluation" not in setting.cache:
        weights = given(setting)
        evaluator = Evaluator(setting.arithmetic, setting.problem, weights, setting.tick)
        setting.cache["evaluation"] = evaluator.run()
    found: Evaluation = setting.cache["evaluation"]
    return found


def residual_norm(at: Evaluation) -> Fraction:
    """Return at least ``‖r‖``."""
    size = root(sum((r * r for r in at.residual), Fraction(0)))
    return size + root(Fraction(len(at.residual))) * at.residual_error


def lambda_zero(premise: Proved) -> Fraction:
    """Return the lower bound on ``λ_min(H_0)`` that a premise states; require it to be positive."""
    bound = eigenvalue_bound(premise, "initial_kernel", "min", "lower")
    require("λ_min(H_0) > 0", bound, Fraction(0))
    return bound


def _given_kernel(setting: Setting, step: Inputs) -> Derived:
    """``H_0``, from the Gram matrices of the layers."""
    precision = step.integers["precision"]
    matrix, radius = gram(setting.arithmetic, evaluation(setting), precision)
    return Derived(Enclosure("initial_kernel", precision, radius), matrix)


def _given_residual(setting: Setting, step: Inputs) -> Derived:
    """``‖r_0‖ = ‖f(X) − y‖``."""
    return Derived(Bound("residual", residual_norm(evaluation(setting))))


given_kernel = Rule(_given_kernel, integers={"precision": PRECISION})
given_residual = Rule(_given_residual)

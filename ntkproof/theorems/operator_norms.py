"""Bounds of gradient and Hessian of a deep network in a ball around its start: Lemmas 4.1 to 4.3 of Bowman (2023)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.training import Training
from ntkproof.checker.random_start.operator_norms import LayerNorms
from ntkproof.prover.draft import Draft
from ntkproof.theorems.steps import rounded

STATEMENTS = {"gradient-bound": "gradient_bound", "hessian-bound": "hessian_bound"}
_FIELDS = ("gradient", "jacobian", "hessian", "lipschitz")


def certify_in_ball(
    dataset: Dataset,
    network: Network,
    *,
    statement: str = "gradient-bound",
    width: int | None,
    radius: Fraction | float | str | None,
    init: str | None = None,
    failure_probability: Fraction | float | str = "0.05",
    engine: str = "fast",
) -> Certificate:
    """Prove bounds on the gradient or the Hessian that hold in a ball around a gaussian start.

    Args:
        dataset: samples with targets (which the bounds do not depend on).
        network: any depth, all parameters trained.
        statement: ``gradient-bound``: ``‖∇f(x_i; θ)‖`` and ``‖J(θ)‖``; ``hessian-bound``: ``‖∇²f(x_i; θ)‖`` and a
            Lipschitz constant of ``J``, for σ in C².
        width: the number of neurons of every hidden layer.
        radius: of the ball ``‖θ − θ_0‖ ≤ radius``.
        init: ``gaussian`` or None.
        failure_probability: of the random initialisation.
        engine: ``fast`` or ``reference``.

    Raises:
        InputError: unknown statement, an option is missing or out of range, or the bound does not apply.
    """
    if statement not in STATEMENTS:
        raise InputError(f"unknown statement {statement!r}; there are {', '.join(STATEMENTS)}")
    if width is None or radius is None:
        raise InputError(f"the statement {statement} needs a width and a radius")
    if network.train != "all" or init not in (None, "gaussian"):
        raise InputError(f"the statement {statement} is about train=all and init=gaussian")
    numbers = {"failure": exact(failure_probability), "radius": exact(radius)}
    if not (0 < numbers["failure"] < 1 and numbers["radius"] > 0):
        raise InputError("the failure probability must be between 0 and 1, and the radius positive")
    problem = Problem(dataset, network, "ntk", Training(width, "gaussian"))
    draft = Draft(Setting(problem, arithmetic(engine), lambda done, total: None))
    failure, ball = ({name: decimal(value)} for name, value in numbers.items())
    try:
        draft.derive("norms", "gaussian_norms", (), failure, weaken=_round_norms)
        draft.derive("bound", STATEMENTS[statement], ("norms",), ball, weaken=_round_bound)
    except Rejection as error:
        raise InputError(f"the statement {statement} does not apply: {error}") from None
    return draft.certificate()


def _round_norms(claim: LayerNorms) -> LayerNorms:
    return LayerNorms(*(tuple(rounded(x, up=True) for x in xs) for xs in (claim.norms, claim.biases)))


def _round_bound(claim: Any) -> Any:
    return replace(claim, **{name: rounded(getattr(claim, name), True) for name in _FIELDS if hasattr(claim, name)})

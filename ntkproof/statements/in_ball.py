"""Gradient and Hessian of a network of finite width in a ball around its random start."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ntkproof.statements.options import NETWORK, TARGETS
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(statement: str, question: Question) -> Certificate:
    """Prove it by `ntkproof.theorems.operator_norms`."""
    from ntkproof.theorems.operator_norms import certify_in_ball

    return certify_in_ball(
        question.dataset,
        question.network,
        statement=statement,
        engine=question.engine,
        **{option: question.values[option] for option in ("width", "radius", "init", "failure_probability")},
    )


def words(bounds: Callable[[Values], str], conclusion: Values) -> str:
    """Name the bounds, the ball and the probability."""
    c = conclusion
    return f"within {c['radius']} of the start, with probability ≥ 1 - {c['failure']}: {bounds(c)}"


def _statement(name: str, proves: str, activations: str, bounds: Callable[[Values], str]) -> Statement:
    return Statement(
        name=name,
        proves=f"bounds on {proves} in a ball around a random start, with a probability",
        network=f"1 to 10 hidden layers of finite width, all weights trained; {activations}",
        kinds=(name.replace("-", "_"),),
        options={
            **TARGETS,
            **{option: value for option, value in NETWORK.items() if option != "train"},
            "width": None,
            "failure_probability": "0.05",
            "radius": None,
        },
        words=partial(words, bounds),
        prove=partial(prove, name),
        needs=("width", "radius"),
        fixed={"train": "all", "kernel": "ntk", "init": "gaussian"},
    )


GRADIENT = _statement(
    "gradient-bound",
    "‖∇f(x_i; θ)‖ and ‖J(θ)‖",
    "any Lipschitz activation",
    lambda c: f"‖∇f(x_i)‖ ≤ {c['gradient']}, ‖J‖ ≤ {c['jacobian']}",
)
HESSIAN = _statement(
    "hessian-bound",
    "‖∇²f(x_i; θ)‖ and a Lipschitz constant of J",
    "σ ∈ C²",
    lambda c: f"‖∇²f(x_i)‖ ≤ {c['hessian']}, ‖J(p) - J(q)‖ ≤ {c['lipschitz']} ‖p - q‖",
)

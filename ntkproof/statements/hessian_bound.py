"""The Hessian of a network of finite width in a ball around its random start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import NETWORK, TARGETS
from ntkproof.statements.statement import START, Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.theorems.operator_norms`."""
    from ntkproof.theorems.operator_norms import certify_in_ball

    return certify_in_ball(
        question.dataset,
        question.network,
        statement="hessian-bound",
        engine=question.engine,
        **{option: question.values[option] for option in ("width", "radius", "init", "failure_probability")},
    )


def words(conclusion: Values) -> str:
    """Name the bounds, the ball and the probability."""
    c = conclusion
    bounds = f"‖∇²f(x_i)‖ ≤ {c['hessian']}, ‖J(p) - J(q)‖ ≤ {c['lipschitz']} ‖p - q‖"
    return f"within {c['radius']} of the start, with probability ≥ 1 - {c['failure']}: {bounds}"


STATEMENT = Statement(
    name="hessian-bound",
    proves="bounds on ‖∇²f(x_i; θ)‖ and a Lipschitz constant of J in a ball around a random start, with a probability",
    network="1 to 10 hidden layers of finite width, all weights trained; σ ∈ C²",
    kinds=("hessian_bound",),
    options={
        **TARGETS,
        **{name: value for name, value in NETWORK.items() if name != "train"},
        "width": None,
        "failure_probability": "0.05",
        "radius": None,
    },
    words=words,
    prove=prove,
    about=START,
    needs=("width", "radius"),
    fixed={"train": "all", "kernel": "ntk", "init": "gaussian"},
)

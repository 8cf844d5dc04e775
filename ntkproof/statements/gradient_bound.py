"""The gradient of a network of finite width in a ball around its random start."""

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
        statement="gradient-bound",
        engine=question.engine,
        **{option: question.values[option] for option in ("width", "radius", "init", "failure_probability")},
    )


def words(conclusion: Values) -> str:
    """Name the bounds, the ball and the probability."""
    c = conclusion
    bounds = f"‖∇f(x_i)‖ ≤ {c['gradient']}, ‖J‖ ≤ {c['jacobian']}"
    return f"within {c['radius']} of the start, with probability ≥ 1 - {c['failure']}: {bounds}"


STATEMENT = Statement(
    name="gradient-bound",
    proves="bounds on ‖∇f(x_i; θ)‖ and ‖J(θ)‖ in a ball around a random start, with a probability",
    network="1 to 10 hidden layers of finite width, all weights trained; any Lipschitz activation",
    kinds=("gradient_bound",),
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

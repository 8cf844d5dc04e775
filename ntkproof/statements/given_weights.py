"""Convergence of training from weights in a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ntkproof.checker.logic.numbers import InputError
from ntkproof.statements.convergence import require_flow, words
from ntkproof.statements.options import NETWORK, TARGETS
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate
    from ntkproof.checker.problem.weights import Weights


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.theorems.instance`."""
    from ntkproof.theorems.instance import certify_instance

    weights = given_weights(question)
    return certify_instance(question.dataset, question.network, weights, **question.options("form"))


def given_weights(question: Question) -> Weights:
    """Return the weights that a question gives, or names a file of; a conversion is noted aside.

    Raises:
        InputError: an unusable file, or a parametrisation of weights that are in the NTK parametrisation already.
    """
    from ntkproof.checker.problem.weights import Weights
    from ntkproof.data.weights import conversion_note, converted, open_weights

    given, step = question.values["weights"], question.values.get("step_size")
    stated = question.values["parametrisation"]
    if isinstance(given, Weights):
        if stated is not None:
            raise InputError("Weights are in the NTK parametrisation; parametrisation is for files")
        return given if step is None else replace(given, step_size=step)
    weights, rounding = converted(given, open_weights(given), question.network, stated, step)
    if stated == "standard":
        question.note("aside", conversion_note(weights, rounding))
    return weights


def settle(values: Values) -> Values:
    """Return what the options fix: nothing."""
    require_flow(values)
    return {}


STATEMENT = Statement(
    name="convergence-from-weights",
    proves="that training from the weights in a file converges: rate, and how far it moves",
    network="1 to 10 hidden layers with smooth σ, all trained; two layers with a kink, the hidden one trained",
    kinds=("convergence",),
    options={
        **TARGETS,
        **NETWORK,
        "flow": False,
        "step_size": None,
        "weights": None,
        "parametrisation": None,
        "form": None,
    },
    words=words,
    prove=prove,
    needs=("weights",),
    fixed={"kernel": "ntk", "loss": "squared"},
    settle=settle,
    hints=dict.fromkeys(
        ("width", "init", "theorem", "failure_probability", "constants", "loss", "gap"),
        "leave weights out for a random start",
    ),
)

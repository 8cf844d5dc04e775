"""Convergence of training from the earliest saved step of a run that will do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ntkproof.statements.given_weights import STATEMENT as FROM_WEIGHTS
from ntkproof.statements.options import NETWORK, TARGETS
from ntkproof.statements.statement import Question, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.theorems.checkpoint`; what came out at each step is noted aside, the step as found."""
    from ntkproof.theorems.checkpoint import certify_run

    step, certificate = certify_run(
        question.dataset,
        question.values["run"],
        report=lambda step, outcome: question.note("aside", f"step {step}: {outcome}"),
        **question.options("step_size", "form"),
    )
    question.note("found", f"the earliest step that will do: {step}")
    return certificate


def settle(values: Values) -> Values:
    """Return the network of the run."""
    from ntkproof.data.runs import read_run

    FROM_WEIGHTS.settle(values)
    return read_run(values["run"]).network.facts()


STATEMENT = replace(
    FROM_WEIGHTS,
    name="convergence-from-run",
    proves="that training converges from the earliest saved step of a run that will do: rate, and how far it moves",
    options={**TARGETS, **dict.fromkeys(NETWORK), "flow": False, "step_size": None, "run": None, "form": None},
    prove=prove,
    needs=("run",),
    settle=settle,
    hints={
        **{name: hint.replace("weights", "run") for name, hint in FROM_WEIGHTS.hints.items()},
        **dict.fromkeys(NETWORK, "name a run of that network"),
        "parametrisation": "name one of its files with weights",
    },
)

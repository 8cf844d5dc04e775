"""The table of statements: name to module, imported when it is needed.

A statement is one module with a `Statement` called ``STATEMENT`` (or as said behind a colon) and one line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ntkproof.checker.logic.numbers import InputError
from ntkproof.statements.statement import Statement

MODULES = {
    "lambda-min": "ntkproof.statements.lambda_min",
    "spectrum": "ntkproof.statements.spectrum",
    "condition-number": "ntkproof.statements.condition_number",
    "effective-rank": "ntkproof.statements.effective_rank",
    "a-priori": "ntkproof.statements.a_priori",
    "operator-norm": "ntkproof.statements.operator_norm",
    "convergence": "ntkproof.statements.convergence",
    "convergence-from-weights": "ntkproof.statements.given_weights",
    "convergence-from-run": "ntkproof.statements.given_run",
    "quantities": "ntkproof.statements.quantities",
    "gradient-bound": "ntkproof.statements.in_ball:GRADIENT",
    "hessian-bound": "ntkproof.statements.in_ball:HESSIAN",
    "mercer": "ntkproof.statements.mercer",
    "odd-vanish": "ntkproof.statements.vanishing:ODD",
    "even-vanish": "ntkproof.statements.vanishing:EVEN",
}


def statements(domain: str | None = None) -> tuple[Statement, ...]:
    """Return all statements, or those about ``data`` or the ``sphere``."""
    found = map(statement, MODULES)
    return tuple(each for each in found if domain in (None, each.domain))


def statement(name: str) -> Statement:
    """Return the statement of a name; InputError if there is none."""
    if name not in MODULES:
        raise InputError(f"unknown statement {name!r}; there are {', '.join(MODULES)}")
    module, _, attribute = MODULES[name].partition(":")
    found: Statement = getattr(import_module(module), attribute or "STATEMENT")
    return found


def meant(name: str, given: Mapping[str, Any]) -> Statement:
    """Return the statement that is meant by a name when these options are given.

    Raises:
        InputError: no such statement, or two of the options mean different ones.
    """
    named = statement(name)
    chosen = [option for option in named.becomes if option in given]
    if len(chosen) > 1:
        raise InputError(f"{' and '.join(chosen)} exclude each other")
    return statement(named.becomes[chosen[0]]) if chosen else named


def answer(name: str, given: Mapping[str, Any]) -> tuple[Statement, dict[str, Any]]:
    """Return the statement that is meant and the values of its options; raises as `Statement.answer`."""
    found = meant(name, given)
    return found, found.answer(given, statements())


def of_kind(kind: str) -> Statement:
    """Return the first statement that may end in a kind of claim; InputError if none does."""
    for each in statements():
        if kind in each.kinds:
            return each
    raise InputError(f"no statement ends in a claim of kind {kind!r}")


def describe(conclusion: Mapping[str, Any], given_weights: bool) -> str:
    """Return one line that says what a conclusion claims, of given weights or not."""
    return of_kind(str(conclusion["kind"])).says(conclusion, given_weights)

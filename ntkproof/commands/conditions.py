"""``ntkproof conditions``: what the convergence theorems ask of data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from ntkproof.checker.logic.claim import LIMIT
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.commands.options import (
    GroupedCommand,
    data_options,
    engine_option,
    json_option,
    progress,
    read_data,
    table_options,
    targets_option,
)
from ntkproof.show.lines import say
from ntkproof.show.text import problem_lines
from ntkproof.statements.table import statement
from ntkproof.theorems.conditions import Conditions, conditions

_OPTIONS = ("activation", "width", "init", "failure_probability", "constants", "flow", "step_size")


@click.command("conditions", cls=GroupedCommand)
@data_options
@targets_option
@table_options({name: statement("convergence").options[name] for name in _OPTIONS})
@engine_option
@json_option
def command(activation: str, flow: bool, engine: str, as_json: bool, **options: Any) -> None:
    """Show what every convergence theorem asks of DATA: width, rate, radius and which hypothesis binds.

    The network has two layers without bias; which of them are trained is the theorem's to say.
    """
    if flow and options["step_size"] is not None:
        raise InputError("flow and step-size exclude each other")
    chosen = {name: options[name] for name in ("width", "init", "failure_probability", "step_size")}
    dataset, network = read_data(options), Network(activation, train="hidden")
    with progress("enclosing", not as_json) as tick:
        found = conditions(dataset, network, engine=engine, tick=tick, constants=dict(options["constants"]), **chosen)
    facts = {name: value for name, value in Problem(dataset, network).facts().items() if name != "train"}
    least = {each.train: each.lambda_0 for each in found if each.lambda_0 is not None}
    if as_json:
        say(json.dumps({"problem": facts, "lambda_0": least, "theorems": [each.fields() for each in found]}))
        return
    say(*problem_lines(facts, LIMIT), *(_least(*each) for each in least.items()), *_table(found))


def _least(train: str, lambda_0: str) -> str:
    return f"λ_0: λ_min(H∞) ≥ {lambda_0} (train {train})"


def _table(found: Sequence[Conditions]) -> list[str]:
    lines = [f"{'theorem':17}{'holds':>6}{'width required':>16}{'rate':>12}{'radius':>12}  what decides"]
    reasons = {reason: [each.theorem for each in found if each.reason == reason] for reason in _reasons(found)}
    if len(reasons) == 1 and len(*reasons.values()) == len(found):
        return [f"no theorem applies: {reason.removeprefix('no theorem applies: ')}" for reason in reasons]
    for each in found:
        if each.width_required is None:
            lines.append(f"{each.theorem:17}{'no':>6}{'-':>16}{'-':>12}{'-':>12}  {_once(each, reasons)}")
            continue
        rate, radius = ("-" if x is None else f"{x:.4g}" for x in (each.rate, each.radius))
        binding = each.binding
        what = "" if binding is None else str(binding)
        holds = "yes" if each.holds else "no"
        lines.append(f"{each.theorem:17}{holds:>6}{each.width_required:>16.4g}{rate:>12}{radius:>12}  {what}")
    return lines


def _reasons(found: Sequence[Conditions]) -> dict[str, None]:
    return dict.fromkeys(each.reason for each in found if each.width_required is None)


def _once(each: Conditions, reasons: dict[str, list[str]]) -> str:
    """Return the reason, once for all theorems that share it."""
    first = reasons[each.reason][0]
    return each.reason if each.theorem == first else f"as {first}"

"""Every convergence theorem side by side: the width it asks for, the rate, and which hypothesis binds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from math import isfinite
from typing import Any

from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.logic.claim import to_fields
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.training import Training
from ntkproof.theorems import THEOREMS
from ntkproof.theorems.certify import choose, prepare, probability
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Hypothesis, Plan


@dataclass(frozen=True)
class Conditions:
    """What a theorem says of a dataset and a network (float64 search; ``certify`` proves it).

    Args:
        theorem, source: its name and where it comes from.
        train: the layers it is about.
        lambda_0: lower bound on ``λ_min(H∞)`` of these layers, proved, a decimal; None if the theorem does not apply.
        holds: whether every hypothesis holds at the width asked for (at ``width_required`` if none was).
        width: the width the rate, radius and hypotheses are about; None if the theorem does not apply.
        width_required: the least width at which every hypothesis holds.
        rate: ``c`` in ``L(t) ≤ e^{−ct} L(0)``; None if a hypothesis fails.
        radius: bound on ``‖θ_t − θ_0‖``; None if a hypothesis fails.
        hypotheses: each with ``name``, ``needed``, ``have``, ``holds`` (``have > needed``).
        reason: why the theorem does not apply, or empty.
    """

    theorem: str
    source: str
    train: str
    lambda_0: str | None
    holds: bool
    width: int | None
    width_required: int | None
    rate: float | None
    radius: float | None
    hypotheses: tuple[Hypothesis, ...]
    reason: str = ""

    def fields(self) -> dict[str, Any]:
        """Return the conditions as JSON fields."""
        hypotheses = [{**asdict(h), "holds": h.holds} for h in self.hypotheses]
        return {**asdict(self), "hypotheses": hypotheses}

    @property
    def binding(self) -> Hypothesis | None:
        """The hypothesis with the least margin."""
        return min(self.hypotheses, key=lambda h: h.have / h.needed if h.needed > 0 else float("inf"), default=None)


def conditions(
    dataset: Dataset,
    network: Network,
    *,
    width: int | None = None,
    init: str | None = None,
    step_size: Fraction | float | str | None = None,
    failure_probability: Fraction | float | str = "0.05",
    constants: Mapping[str, Fraction | float | str] | None = None,
    engine: str = "fast",
    tick: Tick = lambda done, total: None,
) -> list[Conditions]:
    """Return what every theorem says of a dataset and a network, at a width or at the least width of each.

    Args:
        dataset: samples with targets.
        network: depth 1; each theorem trains its own layers, whatever ``network.train`` says.
        width, init, step_size, failure_probability, constants, engine, tick: see `certify_convergence`.

    Raises:
        InputError: unusable data or options.
    """
    failure = float(probability(failure_probability))
    Training(2 if width is None else width, "signs", step_size)
    if network.depth != 1:
        raise InputError("the convergence theorems are about depth 1")
    facts: dict[tuple[str, str], tuple[str, Facts] | InputError] = {}
    found = []
    for name, module in THEOREMS.items():
        start = getattr(module, "INIT", init or "antisymmetric")
        setting = (getattr(module, "TRAIN", "hidden"), start)
        if init not in (None, start):
            reason = f"the theorem {name} is about init={start}"
            found.append(Conditions(name, module.source, setting[0], None, False, None, None, None, None, (), reason))
            continue
        if setting not in facts:
            trained = replace(network, train=setting[0])
            try:
                draft, known = prepare(dataset, trained, start, step_size, engine, 1e-6, tick, constants)
                facts[setting] = str(to_fields(draft.proved["lower"].claim)["value"]), known
            except InputError as error:
                facts[setting] = error
        found.append(_conditions(name, module, setting[0], facts[setting], failure, width))
    return found


def _conditions(
    name: str, module: Any, train: str, known: tuple[str, Facts] | InputError, failure: float, width: int | None
) -> Conditions:
    lambda_0 = None
    try:
        if isinstance(known, InputError):
            raise known
        lambda_0, facts = known
        least: Plan = choose(module, facts, Fraction(failure), None)
        plan: Plan = least if width is None else module.plan(facts, failure, width)
    except InputError as error:
        return Conditions(name, module.source, train, lambda_0, False, None, None, None, None, (), str(error))
    rate, radius = (x if isfinite(x) else None for x in (plan.rate, plan.radius))
    return Conditions(
        name, module.source, train, lambda_0, plan.holds, plan.width, least.width, rate, radius, plan.hypotheses
    )

"""Proves convergence: the facts of the data once, a plan by search, then the steps of the theorem."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.training import Training
from ntkproof.prover.certify import DEFAULT_GAP, certify
from ntkproof.prover.draft import Draft, round_decimal, why
from ntkproof.theorems import CONSTANTS, THEOREMS
from ntkproof.theorems.facts import Facts, prove_facts
from ntkproof.theorems.other_losses import other_loss
from ntkproof.theorems.theorem import LARGEST_WIDTH, Plan, least_width

LEAST = Fraction(1, 10**100)  # of what the search for a plan takes to be positive


def certify_convergence(
    dataset: Dataset,
    network: Network,
    *,
    theorem: str | None = None,
    width: int | None = None,
    init: str | None = None,
    step_size: Fraction | float | str | None = None,
    failure_probability: Fraction | float | str = "0.05",
    loss: str = "squared",
    constants: Mapping[str, Fraction | float | str] | None = None,
    engine: str = "fast",
    gap: float = DEFAULT_GAP,
    tick: Tick = lambda done, total: None,
) -> Certificate:
    """Prove that training a network of finite width converges, at the least width found or at a given one.

    Args:
        dataset: samples with targets.
        network: depth 1, no bias, ``σ_w = 1``, input scale 1; the theorem says which layers are trained.
        theorem: a name of `ntkproof.theorems.THEOREMS`; None for ``relu`` or ``smooth``, by the activation.
        width: the number of hidden neurons, or None for the least the theorem reaches.
        init: see `Training`; None for that of the theorem, ``antisymmetric`` where it leaves the choice.
        step_size: for gradient descent; None for gradient flow.
        failure_probability: of the random initialisation.
        loss: ``squared``, ``quartic`` (``¼Σ(u_i − y_i)⁴``) or ``custom``; of the others the theorem is
            `ntkproof.theorems.other_losses`, for trained hidden weights and gradient flow.
        constants: values for constants that the literature leaves open; see the theorem ``huang2020``.  Of a custom
            loss: ``exponent``, ``alpha`` and ``gap`` in ``alpha (ℓ − ℓ*)^exponent ≤ ‖∇ℓ‖``, ``ℓ(u_0) − ℓ* ≤ gap``,
            which the certificate assumes.
        engine, gap, tick: see `ntkproof.certify`.

    Raises:
        InputError: the theorem does not apply, or a hypothesis fails at the given width (which, by what factor,
            and the width that would do).
    """
    failure = probability(failure_probability)
    module = theorem_for(theorem, network.activation, loss, constants)
    supplied = {} if loss != "squared" else constants
    train = getattr(module, "TRAIN", "hidden")
    if network.train not in (train, "all"):
        raise InputError(f"the theorem {module.name} is about train={train}, not train={network.train}")
    network = replace(network, train=train)
    start = init or str(getattr(module, "INIT", "antisymmetric"))
    Training(2 if width is None else width, start, step_size)
    draft, facts = prepare(dataset, network, start, step_size, engine, gap, tick, supplied)
    chosen = choose(module, facts, failure, width)
    problem = draft.setting.problem
    training = Training(chosen.width, start, step_size)
    draft.setting = Setting(
        Problem(problem.dataset, problem.network, problem.kernel, training), draft.setting.arithmetic, tick
    )
    try:
        module.prove(draft, facts, chosen, failure)
    except Rejection as error:
        raise InputError(f"the theorem {module.name} fails at width {chosen.width}: {why(error)}") from None
    return draft.certificate()


def probability(value: Fraction | float | str) -> Fraction:
    """Return a failure probability; InputError unless it is between 0 and 1, and not so small that floats lose it."""
    failure = exact(value)
    if not LEAST <= failure < 1:
        raise InputError(f"the failure probability must be between 0 and 1 and at least 10^-100, not {value}")
    return failure


def theorem_for(
    theorem: str | None,
    activation: str,
    loss: str = "squared",
    constants: Mapping[str, Fraction | float | str] | None = None,
) -> Any:
    """Return the theorem that is meant: the module of its name, of the activation, or the theorem for another loss.

    Raises:
        InputError: unknown theorem or loss, or a theorem with another loss than the squared one.
    """
    if loss != "squared":
        if theorem is not None:
            raise InputError(f"the theorem {theorem} is about the squared loss; leave the theorem out")
        return other_loss(loss, {name: exact(value) for name, value in (constants or {}).items()})
    if theorem is None:
        theorem = "relu" if activation.startswith(("relu", "leaky_relu", "abs")) else "smooth"
    if theorem not in THEOREMS:
        raise InputError(f"unknown theorem {theorem!r}; there are {', '.join(THEOREMS)}")
    return THEOREMS[theorem]


def prepare(
    dataset: Dataset,
    network: Network,
    init: str,
    step_size: Fraction | float | str | None,
    engine: str,
    gap: float,
    tick: Tick,
    constants: Mapping[str, Fraction | float | str] | None = None,
) -> tuple[Draft, Facts]:
    """Prove what does not depend on the width: bounds on ``λ_min(H∞)`` and the `Facts`."""
    supplied = {name: exact(value) for name, value in (constants or {}).items()}
    for name, number in supplied.items():
        if name not in CONSTANTS or not LEAST <= number <= 1 / LEAST:
            known = f"the constants are positive numbers for {', '.join(CONSTANTS)}, at most 10^100"
            raise InputError(f"{known}; not {name}={(constants or {})[name]}")
    lambda_min = certify(dataset, network, engine=engine, gap=gap, tick=tick)
    if lambda_min.conclusion.get("lower") == "0":
        raise InputError("the limit kernel is singular or not shown to be definite: no width is enough")
    template = Problem(dataset, network, "ntk", Training(2, init, step_size))
    draft = Draft(Setting(template, arithmetic(engine), tick))
    for step in lambda_min.steps[:-1]:
        draft.adopt(step)
    try:
        return draft, prove_facts(draft, supplied)
    except Rejection as error:
        raise InputError(f"no theorem applies: {why(error)}") from None


def choose(theorem: Any, facts: Facts, failure: Fraction, width: int | None) -> Plan:
    """Return the plan at a width, or at the least width, of a theorem.

    Raises:
        InputError: at this width a hypothesis fails.
    """
    if width is None:
        return _least(theorem, facts, failure)
    plan: Plan = theorem.plan(facts, float(failure), width)
    if plan.holds:
        return plan
    worst = next(h for h in plan.hypotheses if not h.holds)
    slower = largest_step(theorem, facts, failure, width)
    ways = [f"width {_least(theorem, facts, failure).width} would do"] if slower is None else []
    if slower is not None:
        ways.append(f"step size {decimal(slower)} would do at this width")
        with suppress(InputError):
            ways.insert(0, f"width {least_width(lambda m: theorem.plan(facts, float(failure), m)).width} would do")
    raise InputError(f"the theorem {theorem.name} fails at width {width}: {worst}; {', '.join(ways)}")


def _least(theorem: Any, facts: Facts, failure: Fraction) -> Plan:
    """Return the plan at the least width, or say which smaller step size would have one."""
    try:
        return least_width(lambda m: theorem.plan(facts, float(failure), m))
    except InputError as error:
        limit = largest_step(theorem, facts, failure, LARGEST_WIDTH)
        if limit is None:
            raise
        half = round_decimal(limit / 2, limit / 1000, up=False)
        width = least_width(lambda m: theorem.plan(_at_step(facts, half), float(failure), m)).width
        steps = f"step sizes up to {decimal(limit)} would do at some width, {decimal(half)} from width {width} on"
        raise InputError(f"{error}; {steps}") from None


def _at_step(facts: Facts, step: Fraction) -> Facts:
    training = replace(facts.network.training, step_size=step)
    return replace(facts, network=replace(facts.network, training=training))


def largest_step(theorem: Any, facts: Facts, failure: Fraction, width: int) -> Fraction | None:
    """Return about the largest step size below that of the training with a plan at a width, to three digits.

    None for gradient flow, or where no step down to 10^-12 of it will do.
    """
    training = facts.network.training
    if training.step_size is None:
        return None
    asked = exact(training.step_size)

    def holds(step: Fraction) -> bool:
        return bool(theorem.plan(_at_step(facts, step), float(failure), width).holds)

    def at(exponent: float) -> Fraction:
        step = asked * Fraction(10.0**exponent)
        return round_decimal(step, step / 1000, up=False)

    low, high = -12.0, 0.0
    if not holds(at(low)):
        return None
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(at(middle)) else (low, middle)
    return at(low)

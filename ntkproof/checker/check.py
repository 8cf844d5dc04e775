"""Replays a certificate step by step; the default is to reject.

Trusted.  A step is accepted only if its rule, run on the claims of earlier accepted steps, derives a claim that
supports the stated one; from then on the *stated* claim is what is known.  The conclusion is checked as its own
error.  A verdict never raises for a bad proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ntkproof.certificate import Certificate, Malformed, Step, parse, read
from ntkproof.checker.activation_bounds import growth
from ntkproof.checker.arithmetic import Arithmetic, Tick, arithmetic
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.claims import (
    Convergence,
    GradientBound,
    HessianBound,
    LossConvergence,
    Rejection,
    parse_claim,
    to_fields,
)
from ntkproof.checker.expressions import parse as parse_expression
from ntkproof.checker.rules import RULES
from ntkproof.checker.rules.rule import Proved, Setting
from ntkproof.problem import Sphere, decimal, exact, expression_of

CONCLUSIONS = (
    "lambda_min",
    "operator_norm",
    "spectrum",
    "condition_number",
    "effective_rank",
    "a_priori",
    "convergence",
    "loss_convergence",
    "gradient_bound",
    "hessian_bound",
    "mercer",
    "quantities",
    "vanishing",
)
PROBABLE = Convergence | LossConvergence | GradientBound | HessianBound  # these state how probable they are


@dataclass(frozen=True)
class Verdict:
    """What the checker says of a certificate.

    Args:
        verdict: ``valid``, ``holey`` (every step checks, but something was assumed), ``invalid`` or ``malformed``.
        conclusion: the proved claim (``kind`` and its exact numbers as decimal strings); None unless it holds.
        assumptions: what the proof rests on.
        problem: rows, columns and SHA-256 of the data, or dimension of the sphere, network and kernel; None if
            malformed.
        step, rule: where an invalid proof fails; empty for the conclusion and for malformed files.
        code: short stable name of the error.
        reason: one line for people.
        needed, derived: what was stated or required, and what the checker derives instead.
    """

    verdict: str
    conclusion: Mapping[str, Any] | None = None
    assumptions: tuple[str, ...] = ()
    problem: Mapping[str, Any] | None = None
    step: str = ""
    rule: str = ""
    code: str = ""
    reason: str = ""
    needed: str = ""
    derived: str = ""

    @property
    def valid(self) -> bool:
        """True only for ``valid``."""
        return self.verdict == "valid"

    @property
    def exit_code(self) -> int:
        """0 valid, 3 holey, 1 invalid, 2 malformed."""
        return {"valid": 0, "holey": 3, "invalid": 1}.get(self.verdict, 2)


@dataclass
class _Where:
    """The step being checked, for the verdict of a proof that fails there."""

    step: str = ""
    rule: str = ""
    proved: dict[str, Proved] = field(default_factory=dict)


def check(
    certificate: Certificate | Path | str, *, engine: str = "fast", tick: Tick = lambda done, total: None
) -> Verdict:
    """Check a certificate.

    Args:
        certificate: a `Certificate`, a path, or the JSON text of one (a string that starts with ``{``).
        engine: ``fast`` or ``reference``.
        tick: called with (done, total) during long steps.

    Returns:
        The verdict; nothing is raised for a bad proof.

    Raises:
        ValueError: unknown engine.
    """
    numbers = arithmetic(engine)
    if not isinstance(certificate, Certificate):
        try:
            is_text = isinstance(certificate, str) and certificate.lstrip()[:1] == "{"
            certificate = parse(str(certificate)) if is_text else read(certificate)
        except Malformed as error:
            return Verdict("malformed", code="malformed", reason=str(error))
    about = _describe(certificate)
    where = _Where()
    try:
        with np.errstate(all="ignore"):  # what NumPy does at overflow is not for the caller's settings to decide
            proved = _replay(certificate, numbers, tick, where)
    except Rejection as error:
        return Verdict(
            "invalid",
            problem=about,
            step=where.step,
            rule=where.rule,
            code=error.code,
            reason=error.reason,
            needed=error.needed,
            derived=error.derived,
        )
    except Exception as error:  # the default is to reject: a proof the checker stumbles over is not accepted
        failure = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return Verdict("invalid", None, (), about, where.step, where.rule, "checker-failed", failure)
    trusts = f"arithmetic ({numbers.name}): {numbers.trusts}"
    return Verdict(
        "holey" if proved.assumed else "valid",
        to_fields(proved.claim),
        (*sorted(proved.assumptions), trusts),
        about,
    )


def _replay(certificate: Certificate, numbers: Arithmetic, tick: Tick, where: _Where) -> Proved:
    if not certificate.steps:
        raise Rejection("empty-derivation", "a certificate without steps proves nothing")
    setting = Setting(certificate.problem, numbers, tick)
    for step in certificate.steps:
        where.step, where.rule = step.id, step.rule
        if step.id in where.proved:
            raise Rejection("duplicate-step", f"the step id {step.id!r} is used twice")
        where.proved[step.id] = _accept(step, where.proved, setting)
    where.step = where.rule = ""
    stated = parse_claim(certificate.conclusion)
    if stated.kind not in CONCLUSIONS:
        raise Rejection("bad-conclusion", f"a conclusion is one of {', '.join(CONCLUSIONS)}, not {stated.kind}")
    if certificate.conclusion_step not in where.proved:
        raise Rejection(
            "bad-conclusion",
            f"the conclusion names the step {certificate.conclusion_step!r}, which is not there",
        )
    proved = where.proved[certificate.conclusion_step]
    if type(proved.claim) is not type(stated):
        raise Rejection(
            "bad-conclusion",
            "the conclusion is of another kind than its step",
            stated.kind,
            proved.claim.kind,
        )
    _follows(proved.claim, stated)
    if proved.events and not isinstance(stated, PROBABLE):
        raise Rejection("bad-conclusion", "the claim holds with some probability, which the conclusion does not state")
    return Proved(stated, None, proved.assumptions, proved.assumed)


def _accept(step: Step, proved: Mapping[str, Proved], setting: Setting) -> Proved:
    if step.rule not in RULES:
        raise Rejection("unknown-rule", f"there is no rule {step.rule!r}")
    for name in step.uses:
        if name not in proved:
            raise Rejection("unknown-premise", f"uses {name!r}, which is not an earlier step")
    rule = RULES[step.rule]
    if rule.sphere != isinstance(setting.problem.domain, Sphere):
        about = "the sphere" if rule.sphere else "a dataset"
        raise Rejection("wrong-domain", f"the rule {step.rule} is for problems about {about}")
    kernel_exists(setting.problem.network.activation)
    premises = tuple(proved[name] for name in step.uses)
    stated = parse_claim(step.claim)
    inputs = rule.inputs(step, premises, stated)
    derived = rule.derive(setting, inputs)
    _follows(derived.claim, stated)
    events = inputs.events
    if derived.failure:
        events[step.id] = derived.failure
    return Proved(
        stated,
        derived.matrix,
        derived.assumptions.union(*(premise.assumptions for premise in premises)),
        derived.assumed or any(premise.assumed for premise in premises),
        step.rule,
        events,
    )


@lru_cache(maxsize=64)
def kernel_exists(name: str) -> None:
    """Reject an activation given by an expression unless it is continuous and of polynomial growth on all reals.

    Without that the expectations that define the kernel need not exist, and nothing can be said of it.
    """
    expression = expression_of(name)
    if expression is None:
        return
    try:
        growth(parse_expression(expression), Intervals(64))
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", f"no kernel is known to exist for {name[:60]}: {error}") from None


def _follows(derived: Any, stated: Any) -> None:
    if type(derived) is not type(stated):
        raise Rejection("bad-claim", "the stated claim is of another kind", stated.kind, derived.kind)
    derived.supports(stated)


def _describe(certificate: Certificate) -> dict[str, Any]:
    problem = certificate.problem
    domain, network = problem.domain, problem.network
    about: dict[str, Any]
    if isinstance(domain, Sphere):
        about = {"dimension": domain.dimension}
    else:
        about = {"label": domain.label, "rows": domain.n, "columns": domain.d, "sha256": domain.sha256}
    if problem.training is not None:
        training = problem.training
        about |= {"width": str(training.width), "init": training.init}
        about |= {} if training.step_size is None else {"step_size": decimal(exact(training.step_size))}
    if problem.weights is not None:
        weights = problem.weights
        about |= {"width": str(weights.width), "weights_sha256": weights.sha256}
        about |= {} if weights.step_size is None else {"step_size": decimal(exact(weights.step_size))}
    return {
        **about,
        "kernel": problem.kernel,
        "activation": network.activation,
        "depth": network.depth,
        "train": network.train,
        "bias": decimal(network.beta),
        "weight_std": decimal(network.sigma_w),
        "input_scale": network.input_scale,
    }

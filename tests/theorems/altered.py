"""Certificates of theorems about real data, and the same with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

from ntkproof import Dataset, Network, check, load, prepare
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.problem.problem import Problem
from ntkproof.theorems.certify import certify_convergence

DATA = ("wine", "digits", "breast_cancer")
ENGINES = ("fast", "reference")


@cache
def data(name: str, rows: int = 10, normalize: bool = True) -> Dataset:
    return prepare(
        load(name), rows=rows, drop_constant=True, standardize=True, normalize=normalize, standardize_targets=True
    )


@cache
def certificate(name: str, theorem: str, activation: str = "erf", init: str = "antisymmetric", **more: Any) -> Any:
    train = "both" if init == "gaussian" else "hidden"
    return certify_convergence(data(name), Network(activation, train=train), theorem=theorem, init=init, **more)


def number(found: Certificate, step: str, field: str) -> Fraction:
    return Fraction(str(next(s for s in found.steps if s.id == step).claim[field]))


def alter(found: Certificate, step: str, **changes: Any) -> Certificate:
    """Replace parts of a step; mappings are merged, and its claim is concluded if it was."""

    def changed(old: Any) -> Any:
        merged = {k: {**getattr(old, k), **v} if isinstance(v, Mapping) else v for k, v in changes.items()}
        return replace(old, **merged)

    steps = tuple(changed(s) if s.id == step else s for s in found.steps)
    conclusion = next(s.claim for s in steps if s.id == found.conclusion_step)
    return replace(found, steps=steps, conclusion=conclusion)


def scale(found: Certificate, step: str, part: str, field: str, factor: str) -> Certificate:
    """Multiply a number in the ``args`` or the ``claim`` of a step."""
    old = getattr(next(s for s in found.steps if s.id == step), part)[field]
    return alter(found, step, **{part: {field: decimal(Fraction(old) * Fraction(factor))}})


def about(found: Certificate, network: Mapping[str, Any] | None = None, **training: Any) -> Certificate:
    """Change the network or the training that the certificate is about."""
    old = found.problem
    new = Problem(old.dataset, replace(old.network, **(network or {})), old.kernel, replace(old.training, **training))
    return replace(found, problem=new)


def refusal(found: Certificate, engine: str = "fast") -> tuple[str, str]:
    """Return the step at which a certificate fails, and the code."""
    verdict = check(found, engine=engine)
    return verdict.step, verdict.code

"""The rules ``kernel_enclosure`` and ``inputs_enclosure``: what they accept, what they refuse and with which code."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkproof.certificate import integer_array
from ntkproof.checker import Verdict, check
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.rule import Inputs, Proved, Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.table import RULES

ENGINES = ("reference", "fast")
PROBLEM = Problem(Dataset(np.array([[1.0, 2.0, 0.5], [-0.25, 1.0, 3.0]])), Network("relu"))
ARGS = {"precision": 64, "working_precision": 128}
CLAIM = {"kind": "enclosure", "matrix": "kernel", "precision": 64, "radius": 10}


def verdict(step: Step, problem: Problem = PROBLEM, engine: str = "fast") -> Verdict:
    """Check one step; an enclosure is no conclusion, so a step that holds ends in ``bad-conclusion``."""
    return check(Certificate(problem, (step,), step.id, step.claim), engine=engine)


def holds(result: Verdict) -> bool:
    return (result.code, result.step) == ("bad-conclusion", "")


def derive(rule: str, problem: Problem, args: Mapping[str, Any], engine: str) -> Proved:
    step = Step("s", rule, args=args)
    setting = Setting(problem, arithmetic(engine), lambda done, total: None)
    inputs: Inputs = RULES[rule].inputs(step, (), None)
    derived = RULES[rule].derive(setting, inputs)
    return Proved(derived.claim, derived.matrix)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_kernel_enclosure_holds_with_the_derived_radius_and_not_with_less(engine: str) -> None:
    radius = derive("kernel_enclosure", PROBLEM, ARGS, engine).claim.radius
    assert 1 <= radius <= 10
    for stated, accepted in ((radius, True), (radius + 1, True), (radius - 1, False), (-1, False)):
        result = verdict(Step("k", "kernel_enclosure", args=ARGS, claim={**CLAIM, "radius": stated}), engine=engine)
        assert holds(result) is accepted
        assert accepted or (result.code, result.step) == ("claim-not-derived", "k")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"args": {"precision": 64}}, "missing-argument"),
        ({"args": {"working_precision": 64}}, "missing-argument"),
        ({"args": {}}, "missing-argument"),
        ({"args": {**ARGS, "depth": 2}}, "unknown-argument"),
        ({"args": {**ARGS, "precision": True}}, "bad-argument"),
        ({"args": {**ARGS, "precision": "64"}}, "bad-argument"),
        ({"args": {**ARGS, "precision": 64.0}}, "bad-argument"),
        ({"args": {**ARGS, "precision": 29}}, "bad-argument"),
        ({"args": {**ARGS, "precision": 4097}}, "bad-argument"),
        ({"args": {**ARGS, "working_precision": 29}}, "bad-argument"),
        ({"args": {**ARGS, "working_precision": 8193}}, "bad-argument"),
        ({"args": {**ARGS, "working_precision": -128}}, "bad-argument"),
        ({"witness": {"matrix": integer_array([1, 2, 3])}}, "unknown-witness"),
        ({"uses": ("k",)}, "unknown-premise"),
        ({"rule": "kernel"}, "unknown-rule"),
        ({"claim": {**CLAIM, "precision": 65}}, "claim-differs"),
        ({"claim": {**CLAIM, "precision": 63}}, "claim-differs"),
        ({"claim": {**CLAIM, "matrix": "inputs"}}, "claim-differs"),
        ({"claim": {**CLAIM, "matrix": "hessian"}}, "bad-claim"),
        ({"claim": {**CLAIM, "radius": "10"}}, "bad-claim"),
        ({"claim": {**CLAIM, "radius": True}}, "bad-claim"),
        ({"claim": {**CLAIM, "extra": 1}}, "bad-claim"),
        ({"claim": {"kind": "enclosure", "matrix": "kernel", "precision": 64}}, "bad-claim"),
        ({"claim": {"kind": "lambda_min", "lower": "0", "upper": "1"}}, "bad-claim"),
        ({"claim": {"kind": "theorem"}}, "bad-claim"),
        ({"claim": {}}, "bad-claim"),
    ],
)
def test_bad_kernel_enclosures(change: dict[str, Any], code: str, engine: str) -> None:
    fields: dict[str, Any] = {"id": "k", "rule": "kernel_enclosure", "args": ARGS, "claim": CLAIM, **change}
    result = verdict(Step(**fields), engine=engine)
    assert (result.verdict, result.code, result.step) == ("invalid", code, "k")


def test_too_little_working_precision_gives_a_wide_enclosure_and_no_false_one() -> None:
    """60 and 53 bits of work for 200 bits of answer: the radius says so, and the truth is inside."""
    sharp = derive("kernel_enclosure", PROBLEM, {"precision": 200, "working_precision": 300}, "reference")
    for working in (53, 60):
        loose = derive("kernel_enclosure", PROBLEM, {"precision": 200, "working_precision": working}, "fast")
        assert 2**130 < loose.claim.radius < 2**160
        for i, j in ((0, 0), (1, 0), (1, 1)):
            assert abs(loose.matrix.entry(i, j) - sharp.matrix.entry(i, j)) <= loose.claim.radius + sharp.claim.radius


def test_an_enclosure_that_does_not_exist_is_refused() -> None:
    """``e^{−q}`` with q = 10^40 known to 30 bits: the exponent itself is uncertain by 10^30."""
    problem = Problem(Dataset(np.array([[1e20, 0.0], [1e20, 1e19]])), Network("sin"))
    args = {"precision": 30, "working_precision": 30}
    for engine in ENGINES:
        result = verdict(Step("k", "kernel_enclosure", args=args, claim={**CLAIM, "precision": 30}), problem, engine)
        assert (result.verdict, result.step) == ("invalid", "k")
        assert result.code in ("no-enclosure", "claim-not-derived")


@given(st.integers(30, 300), st.integers(30, 400), st.sampled_from(["relu", "abs", "erf", "sin", "cos"]))
@settings(max_examples=40, deadline=None)
def test_enclosures_of_any_two_precisions_and_arithmetics_overlap(p: int, working: int, name: str) -> None:
    """All of them hold the same matrix: a false radius would tear two of them apart."""
    problem = Problem(PROBLEM.dataset, Network(name, 2, bias="0.1"))
    sharp = derive("kernel_enclosure", problem, {"precision": 400, "working_precision": 600}, "reference")
    for engine in ENGINES:
        loose = derive("kernel_enclosure", problem, {"precision": p, "working_precision": working}, engine)
        bound = Fraction(loose.claim.radius, 2**p) + Fraction(sharp.claim.radius, 2**400)
        for i in range(2):
            gaps = (
                abs(Fraction(loose.matrix.entry(i, j), 2**p) - Fraction(sharp.matrix.entry(i, j), 2**400))
                for j in range(2)
            )
            assert sum(gaps) <= bound


# Inputs -----------------------------------------------------------------------------------------------------------

ROWS = {"kind": "enclosure", "matrix": "inputs", "precision": 4, "radius": 0}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("side", ["rows", "columns"])
def test_inputs_are_enclosed_exactly(side: str, engine: str) -> None:
    """Quarters: the unit is 2^-2, its square 2^-4, and the integers are those of exact fractions."""
    proved = derive("inputs_enclosure", PROBLEM, {"side": side}, engine)
    assert (proved.claim.precision, proved.claim.radius) == (4, 0)
    x = [[Fraction(v) for v in row] for row in PROBLEM.dataset.inputs.tolist()]
    vectors = x if side == "rows" else list(zip(*x, strict=True))
    for i, left in enumerate(vectors):
        for j, right in enumerate(vectors):
            exact = sum(a * b for a, b in zip(left, right, strict=True))
            assert Fraction(proved.matrix.entry(i, j), 16) == exact


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scale", [2.0**-1074, 2.0**-500, 1.0, 2.0**971])
def test_inputs_at_the_ends_of_the_float_range(scale: float, engine: str) -> None:
    problem = Problem(Dataset(np.array([[3.0, 1.0], [1.0, 0.0]]) * scale), Network())
    proved = derive("inputs_enclosure", problem, {"side": "rows"}, engine)
    assert Fraction(2) ** -proved.claim.precision == Fraction(scale) ** 2
    assert [proved.matrix.entry(i, j) for i, j in ((0, 0), (1, 0), (1, 1))] == [10, 3, 1]


@given(st.lists(st.lists(st.integers(-(2**53), 2**53), min_size=2, max_size=2), min_size=2, max_size=4))
@settings(max_examples=40, deadline=None)
def test_both_sides_have_the_same_nonzero_characteristic_values(rows: list[list[int]]) -> None:
    """``λ^{d} det(λI − XXᵀ) = λ^{n} det(λI − XᵀX)`` in exact rationals."""
    problem = Problem(Dataset(np.array(rows, dtype=float)), Network())
    polynomials = []
    for side in ("rows", "columns"):
        proved = derive("inputs_enclosure", problem, {"side": side}, "fast")
        n = proved.matrix.n
        entries = [[proved.matrix.entry(i, j) for j in range(n)] for i in range(n)]
        coefficients = [int(c) for c in flint.fmpz_mat(entries).charpoly().coeffs()]
        while coefficients and coefficients[0] == 0:
            coefficients.pop(0)
        polynomials.append(coefficients)
    assert polynomials[0] == polynomials[1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"args": {}}, "missing-argument"),
        ({"args": {"side": "diagonal"}}, "bad-argument"),
        ({"args": {"side": 1}}, "bad-argument"),
        ({"args": {"side": "rows", "precision": 4}}, "unknown-argument"),
        ({"witness": {"x": integer_array([1])}}, "unknown-witness"),
        ({"claim": {**ROWS, "precision": 5}}, "claim-differs"),
        ({"claim": {**ROWS, "matrix": "kernel"}}, "claim-differs"),
        ({"claim": {**ROWS, "radius": -1}}, "claim-not-derived"),
    ],
)
def test_bad_inputs_enclosures(change: dict[str, Any], code: str, engine: str) -> None:
    fields: dict[str, Any] = {"id": "x", "rule": "inputs_enclosure", "args": {"side": "rows"}, "claim": ROWS, **change}
    result = verdict(Step(**fields), engine=engine)
    assert (result.verdict, result.code, result.step) == ("invalid", code, "x")
    assert holds(verdict(Step("x", "inputs_enclosure", args={"side": "rows"}, claim=ROWS), engine=engine))

"""The rules on extreme eigenvalues against exact rational arithmetic and known spectra.

``λ_min(M) ≥ v`` for rational M and v is decided exactly: all roots of the characteristic polynomial of ``M − vI`` are
real, so none is negative if and only if its coefficients alternate in sign (zeros allowed).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkproof.certificate import float_array, integer_array
from ntkproof.checker import Verdict, check
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.entries import enclose_kernel
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.claim import Rejection, parse_claim
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.logic.rule import Proved, Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.table import KINDS, RULES

ENGINES = ("reference", "fast")
ULP = Fraction(1, 10**300)
Matrix = list[list[Fraction]]

# Exact truth ------------------------------------------------------------------------------------------------------


def is_psd(matrix: Matrix, shift: Fraction = Fraction(0), sign: int = 1) -> bool:
    """Whether ``sign (M − shift I)`` is positive semidefinite."""
    n = len(matrix)
    entries = [[sign * (matrix[i][j] - (shift if i == j else 0)) for j in range(n)] for i in range(n)]
    rows = [[flint.fmpq(e.numerator, e.denominator) for e in row] for row in entries]
    coefficients = flint.fmpq_mat(rows).charpoly().coeffs()  # lowest first; of order n the sign is (−1)^(n−k)
    return all((-1) ** (n - k) * c >= 0 for k, c in enumerate(coefficients))


def eigenvalues(matrix: Matrix) -> list[arb]:
    """The eigenvalues at 300 bits, ascending."""
    with flint.ctx.workprec(300):
        rows = [[flint.acb(flint.fmpq(e.numerator, e.denominator)) for e in row] for row in matrix]
        return sorted((x.real for x in flint.acb_mat(rows).eig(multiple=True)), key=lambda x: x.mid())


def gram(x: np.ndarray) -> Matrix:
    rows = [[Fraction(v) for v in row] for row in x.tolist()]
    return [[sum((a * b for a, b in zip(p, q, strict=True)), Fraction(0)) for q in rows] for p in rows]


def exact_psd_bound(matrix: Matrix, factor: list[list[int]], scale: int, shift: Fraction, sign: int) -> Fraction:
    """``ℓ ∓ ‖±(M − ℓI) − 4^-q ΛΛᵀ‖_∞`` in fractions."""
    n = len(matrix)
    worst = Fraction(0)
    for i in range(n):
        row = Fraction(0)
        for j in range(n):
            product = sum(a * b for a, b in zip(factor[i], factor[j], strict=True))
            entry = sign * (matrix[i][j] - (shift if i == j else 0))
            row += abs(entry - Fraction(product, 4**scale))
        worst = max(worst, row)
    return shift - sign * worst


# Steps ------------------------------------------------------------------------------------------------------------


def linear_problem(x: np.ndarray) -> Problem:
    """A problem whose kernel is ``XXᵀ`` exactly: identity, second layer trained."""
    return Problem(Dataset(x), Network("identity", 1, "output"))


def bound(matrix: str, eigenvalue: str, side: str, value: Fraction | str) -> dict[str, Any]:
    text = value if isinstance(value, str) else decimal(value)
    return {"kind": "eigenvalue_bound", "matrix": matrix, "eigenvalue": eigenvalue, "side": side, "value": text}


def enclosure(matrix: str, problem: Problem, side: str = "rows") -> Step:
    """A step that encloses the matrix, its claim as derived."""
    if matrix == "inputs":
        args: dict[str, int | str] = {"side": side}
        claim = {"precision": -2 * problem.dataset.exponent, "radius": 0}
    else:
        args, claim = {"precision": 64, "working_precision": 192}, {"precision": 64, "radius": 64}
    return Step("m", f"{matrix}_enclosure", args=args, claim={"kind": "enclosure", "matrix": matrix, **claim})


def run(problem: Problem, steps: list[Step], engine: str = "fast") -> Verdict:
    return check(Certificate(problem, tuple(steps), steps[-1].id, steps[-1].claim), engine=engine)


def accepted(result: Verdict) -> bool:
    """All steps hold: what is left to complain about is that an eigenvalue bound is no conclusion."""
    return result.valid or (result.code, result.step) == ("bad-conclusion", "")


def derive(problem: Problem, steps: list[Step], engine: str, radius: int | None = None) -> Any:
    """The claim that the last step's rule derives; ``radius`` replaces that of the enclosure."""
    setting = Setting(problem, arithmetic(engine), lambda done, total: None)
    proved: dict[str, Proved] = {}
    for step in steps:
        premises = tuple(proved[name] for name in step.uses)
        stated = parse_claim(step.claim, KINDS) if step.claim else None
        derived = RULES[step.rule].derive(setting, RULES[step.rule].inputs(step, premises, stated))
        claim = derived.claim
        if radius is not None and step.id == "m":
            claim = type(claim)(claim.matrix, claim.precision, radius)
        proved[step.id] = Proved(claim, derived.matrix)
    return claim


def packed(factor: list[list[int]]) -> Array:
    return integer_array([factor[i][j] for i in range(len(factor)) for j in range(i + 1)])


def psd(factor: Array, shift: Fraction | str, scale: int, eigenvalue: str, claim: Mapping[str, Any] = {}) -> Step:
    text = shift if isinstance(shift, str) else decimal(shift)
    return Step(
        "b", "psd_bound", ("m",), {"eigenvalue": eigenvalue, "shift": text, "scale": scale}, {"factor": factor}, claim
    )


def rayleigh(vector: list[int], eigenvalue: str, claim: Mapping[str, Any] = {}) -> Step:
    return Step("b", "rayleigh_bound", ("m",), {"eigenvalue": eigenvalue}, {"vector": integer_array(vector)}, claim)


def cholesky(matrix: Matrix, shift: Fraction, sign: int, scale: int) -> list[list[int]]:
    floats = sign * (np.array([[float(e) for e in row] for row in matrix]) - float(shift) * np.eye(len(matrix)))
    lower = np.linalg.cholesky(floats + 1e-12 * np.eye(len(matrix)))
    return [[round(Fraction(float(v)) * 2**scale) for v in row] for row in lower]


SECOND_DIFFERENCES = np.array([[1.0, -1, 0, 0, 0], [0, 1, -1, 0, 0], [0, 0, 1, -1, 0], [0, 0, 0, 1, -1]])
SMALL = np.array([[3.0, 1.0], [1.0, 2.0]])

# Good cases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("matrix", ["kernel", "inputs"])
def test_the_spectrum_of_second_differences(matrix: str, engine: str) -> None:
    """``tridiag(−1, 2, −1)`` of order 4 has the eigenvalues ``2 − 2 cos(kπ/5)``: both bounds close in on them."""
    problem, truth = linear_problem(SECOND_DIFFERENCES), gram(SECOND_DIFFERENCES)
    with flint.ctx.workprec(300):
        extremes = {"min": 2 - 2 * (arb.pi() / 5).cos(), "max": 2 + 2 * (arb.pi() / 5).cos()}
    angle = {"min": np.pi / 5, "max": 4 * np.pi / 5}
    for name, sign in (("min", 1), ("max", -1)) if matrix == "kernel" else (("max", -1),):
        value = Fraction(float(extremes[name]))
        shift = Fraction(round((value - sign * Fraction(1, 10**6)) * 10**9), 10**9)
        outer = derive(
            problem,
            [enclosure(matrix, problem), psd(packed(cholesky(truth, shift, sign, 40)), shift, 40, name)],
            engine,
        ).value
        vector = [round(2**40 * np.sin(angle[name] * k)) for k in range(1, 5)]
        inner = derive(problem, [enclosure(matrix, problem), rayleigh(vector, name)], engine).value
        assert is_psd(truth, outer, sign)
        assert not is_psd(truth, inner + sign * Fraction(1, 10**15), sign)
        assert abs(outer - value) < Fraction(1, 10**5)
        assert abs(inner - value) < Fraction(1, 10**12)


@given(st.data(), st.sampled_from(ENGINES), st.sampled_from(["kernel", "inputs"]))
@settings(max_examples=60, deadline=None)
def test_bounds_are_the_exact_rationals_and_are_true(data: st.DataObject, engine: str, matrix: str) -> None:
    """Any factor, any shift, any vector: the bound is the formula in fractions, and no eigenvalue contradicts it."""
    n, d = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 4))
    cells = st.lists(st.lists(st.integers(-6, 6), min_size=d, max_size=d), min_size=n, max_size=n)
    x = np.array(data.draw(cells), dtype=float) / 4
    problem, truth = linear_problem(x), gram(x)
    name, sign = data.draw(st.sampled_from([("max", -1), ("min", 1)][: 2 if matrix == "kernel" else 1]))
    scale = data.draw(st.sampled_from([0, 1, 3, 8, 31, 32, 33, 40]))
    size = data.draw(st.sampled_from([1, 100, 2**scale, 2 ** (scale + 3)]))
    factor = [[data.draw(st.integers(-size, size)) if j <= i else 0 for j in range(n)] for i in range(n)]
    shift = Fraction(data.draw(st.integers(-256, 1024)), 16)  # a multiple of the unit 4^-2 of the inputs
    step = enclosure(matrix, problem)
    if matrix == "inputs":  # the unit is 4^exponent, possibly above 1/16: the shift is floored to it
        unit = Fraction(4) ** problem.dataset.exponent
        rounded = shift // unit * unit
    else:
        rounded = shift
    found = derive(problem, [step, psd(packed(factor), shift, scale, name)], engine, radius=0).value
    assert found == exact_psd_bound(truth, factor, scale, rounded, sign)
    assert is_psd(truth, found, sign)
    vector = data.draw(st.lists(st.integers(-(2**70), 2**70), min_size=n, max_size=n).filter(any))
    quotient = derive(problem, [step, rayleigh(vector, name)], engine, radius=0).value
    form = sum(a * b * truth[i][j] for i, a in enumerate(vector) for j, b in enumerate(vector))
    assert quotient == form / sum(a * a for a in vector)
    assert sign * quotient >= sign * found
    widened = derive(problem, [step, rayleigh(vector, name)], engine, radius=5).value
    unit = Fraction(2) ** -step.claim["precision"]
    assert widened == quotient + 5 * sign * unit
    widened = derive(problem, [step, psd(packed(factor), shift, scale, name)], engine, radius=5).value
    assert widened == found - 5 * sign * unit


@pytest.mark.parametrize("name", ["min", "max"])
@pytest.mark.parametrize("seed", range(3))
def test_ascent_on_the_violation_never_gets_past_the_eigenvalue(name: str, seed: int) -> None:
    """Hill climbing over factor and shift for a bound beyond the truth: it comes close and stays on its side."""
    rng, sign = random.Random(seed), 1 if name == "min" else -1
    x = np.array([[rng.randint(-8, 8) for _ in range(3)] for _ in range(3)], dtype=float)
    problem, truth = linear_problem(x), gram(x)
    extreme = eigenvalues(truth)[0 if sign == 1 else -1]
    scale = 10
    start = Fraction(round(float(extreme)) - 3 * sign)
    factor, shift = cholesky(truth, start, sign, scale), start

    def violation(trial: list[list[int]], at: Fraction) -> tuple[float, Fraction]:
        value = derive(problem, [enclosure("kernel", problem), psd(packed(trial), at, scale, name)], "fast", 0).value
        with flint.ctx.workprec(300):
            gap = sign * (arb(flint.fmpq(value.numerator, value.denominator)) - extreme)
            assert not gap > 0
        return float(gap), value

    best, value = violation(factor, shift)
    first = best
    for turn in range(150):
        trial, at = [row[:] for row in factor], shift
        if turn % 3 == 0:
            at += sign * Fraction(rng.randint(-40, 100), 100)
            try:
                trial = cholesky(truth, at, sign, scale)
            except np.linalg.LinAlgError:
                continue
        else:
            i = rng.randrange(3)
            trial[i][rng.randrange(i + 1)] += rng.choice([-8, -1, 1, 8])
        gap, now = violation(trial, at)
        if gap > best:
            factor, shift, best, value = trial, at, gap, now
    assert is_psd(truth, value, sign)
    assert first <= best <= 0
    assert best > -1.0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("radius", [1, 1000])
def test_the_radius_covers_the_worst_matrix_in_the_enclosure(radius: int, engine: str) -> None:
    """For ``A ± R u e eᵀ`` (e the extreme eigenvector, norm R u) the bounds still hold: they are tight in R."""
    problem = linear_problem(np.diag([3.0, 2.0]))  # eigenvalues 4 and 9, eigenvectors e_2 and e_1
    unit = Fraction(1, 2**64)
    step = enclosure("kernel", problem)
    exact_factor = integer_array([0, 0, 0])
    lower = derive(problem, [step, psd(exact_factor, "4", 10, "min")], engine, radius).value
    assert lower == 4 - 5 - radius * unit  # the residual is diag(5, 0)
    factor = integer_array([0, 0, 2])  # 9 − 4 = 5 is no square: the residual is diag(0, 5 − 4)
    upper = derive(problem, [step, psd(factor, "9", 0, "max")], engine, radius).value
    assert upper == 9 + 1 + radius * unit
    assert derive(problem, [step, rayleigh([0, 7], "min")], engine, radius).value == 4 + radius * unit
    assert derive(problem, [step, rayleigh([-1, 0], "max")], engine, radius).value == 9 - radius * unit


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_bounds_of_a_transcendental_kernel_hold_of_the_true_one(name: str) -> None:
    """The kernel at 300 bits of answer decides: the 64-bit bounds lie on the right sides of its eigenvalues."""
    x = np.array([[1.0, 2.0], [2.0, -0.5], [0.25, 1.0]])
    problem = Problem(Dataset(x), Network(name, 2, bias="0.3"))
    sharp, _ = enclose_kernel(arithmetic("reference"), problem, 300, 500, lambda done, total: None)
    truth = [[Fraction(sharp.entry(i, j), 2**300) for j in range(3)] for i in range(3)]
    values = eigenvalues(truth)
    vectors = np.linalg.eigh(np.array([[float(e) for e in row] for row in truth]))[1]
    for which, sign in (("min", 1), ("max", -1)):
        value = Fraction(float(values[0 if sign == 1 else -1]))
        shift = Fraction(round((value - sign * Fraction(1, 10**6)) * 10**12), 10**12)
        for engine in ENGINES:
            steps = [enclosure("kernel", problem), psd(packed(cholesky(truth, shift, sign, 45)), shift, 45, which)]
            outer = derive(problem, steps, engine).value
            vector = [round(float(v) * 2**50) for v in vectors[:, 0 if sign == 1 else -1]]
            inner = derive(problem, [steps[0], rayleigh(vector, which)], engine).value
            assert is_psd(truth, outer, sign)
            assert not is_psd(truth, inner + sign * Fraction(1, 2**200), sign)
            assert sign * (inner - outer) < Fraction(1, 10**5)


# Bad cases --------------------------------------------------------------------------------------------------------

GOOD_FACTOR = integer_array([1, 0, 1])
PSD = psd(GOOD_FACTOR, "0", 0, "min", bound("kernel", "min", "lower", "-100"))
RAYLEIGH = rayleigh([1, 0], "min", bound("kernel", "min", "upper", "100"))
FLOATS = float_array(np.array([1.0, 0.0, 1.0]))


def replaced(step: Step, **changes: Any) -> Step:
    return Step(**{**vars(step), **changes})


BAD = [
    (PSD, {"witness": {"factor": integer_array([1, 0])}}, "bad-witness"),
    (PSD, {"witness": {"factor": integer_array([1, 0, 1, 0])}}, "bad-witness"),
    (PSD, {"witness": {"factor": FLOATS}}, "bad-witness"),
    (PSD, {"witness": {"factor": Array("int8", (3, 1), b"\1\0\1")}}, "bad-witness"),
    (PSD, {"witness": {}}, "missing-witness"),
    (PSD, {"witness": {"vector": GOOD_FACTOR}}, "missing-witness"),
    (PSD, {"witness": {"factor": GOOD_FACTOR, "more": GOOD_FACTOR}}, "unknown-witness"),
    (PSD, {"args": {"eigenvalue": "min", "shift": "0"}}, "missing-argument"),
    (PSD, {"args": {"eigenvalue": "min", "scale": 0}}, "missing-argument"),
    (PSD, {"args": {"shift": "0", "scale": 0}}, "missing-argument"),
    (PSD, {"args": {**PSD.args, "sign": 1}}, "unknown-argument"),
    (PSD, {"args": {**PSD.args, "scale": -1}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "scale": 4097}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "scale": False}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "scale": "0"}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "shift": 0}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "shift": "nan"}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "shift": "1/2"}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "eigenvalue": "2"}}, "bad-argument"),
    (PSD, {"args": {**PSD.args, "eigenvalue": 0}}, "bad-argument"),
    (PSD, {"uses": ()}, "bad-premises"),
    (PSD, {"uses": ("m", "m")}, "bad-premises"),
    (PSD, {"uses": ("psd",)}, "bad-premises"),
    (PSD, {"uses": ("later",)}, "unknown-premise"),
    (PSD, {"claim": bound("kernel", "min", "upper", "100")}, "claim-differs"),
    (PSD, {"claim": bound("kernel", "max", "lower", "-100")}, "claim-differs"),
    (PSD, {"claim": bound("inputs", "min", "lower", "-100")}, "claim-differs"),
    (PSD, {"claim": bound("kernel", "min", "lower", "1e9")}, "claim-not-derived"),
    (PSD, {"claim": bound("kernel", "min", "lower", "inf")}, "bad-claim"),
    (PSD, {"claim": {**bound("kernel", "min", "lower", "0"), "value": 0}}, "bad-claim"),
    (PSD, {"claim": {**bound("kernel", "min", "lower", "0"), "rows": []}}, "bad-claim"),
    (PSD, {"claim": {"kind": "lambda_min", "lower": "-100", "upper": "100"}}, "bad-claim"),
    (RAYLEIGH, {"witness": {"vector": integer_array([1])}}, "bad-witness"),
    (RAYLEIGH, {"witness": {"vector": integer_array([1, 0, 0])}}, "bad-witness"),
    (RAYLEIGH, {"witness": {"vector": integer_array([0, 0])}}, "bad-witness"),
    (RAYLEIGH, {"witness": {"vector": float_array(np.array([1.0, 0.0]))}}, "bad-witness"),
    (RAYLEIGH, {"witness": {"vector": Array("int8", (1, 2), b"\1\0")}}, "bad-witness"),
    (RAYLEIGH, {"witness": {"factor": GOOD_FACTOR}}, "missing-witness"),
    (RAYLEIGH, {"args": {}}, "missing-argument"),
    (RAYLEIGH, {"args": {"eigenvalue": "min", "shift": "0"}}, "unknown-argument"),
    (RAYLEIGH, {"args": {"eigenvalue": "mean"}}, "bad-argument"),
    (RAYLEIGH, {"uses": ("psd",)}, "bad-premises"),
    (RAYLEIGH, {"uses": ("m", "psd")}, "bad-premises"),
    (RAYLEIGH, {"claim": bound("kernel", "min", "lower", "-100")}, "claim-differs"),
    (RAYLEIGH, {"claim": bound("kernel", "min", "upper", "0")}, "claim-not-derived"),
    (Step("b", "gram_is_psd", claim=bound("kernel", "min", "lower", "0")), {"uses": ("m",)}, "bad-premises"),
    (Step("b", "gram_is_psd", args={"n": 2}, claim=bound("kernel", "min", "lower", "0")), {}, "unknown-argument"),
    (Step("b", "gram_is_psd", claim=bound("inputs", "min", "lower", "0")), {}, "claim-differs"),
    (Step("b", "gram_is_psd", claim=bound("kernel", "min", "lower", ULP)), {}, "claim-not-derived"),
    (Step("b", "gram_is_psd", claim=bound("kernel", "min", "upper", "0")), {}, "claim-differs"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("step", "changes", "code"), BAD)
def test_bad_steps(step: Step, changes: dict[str, Any], code: str, engine: str) -> None:
    problem = linear_problem(SMALL)
    known = [enclosure("kernel", problem), Step("psd", "gram_is_psd", claim=bound("kernel", "min", "lower", "0"))]
    result = run(problem, [*known, replaced(step, **changes)], engine)
    assert (result.verdict, result.code, result.step) == ("invalid", code, "b")


def test_the_steps_that_the_bad_ones_start_from_are_good() -> None:
    problem = linear_problem(SMALL)
    for step in (PSD, RAYLEIGH, Step("b", "gram_is_psd", claim=bound("kernel", "min", "lower", "0"))):
        for engine in ENGINES:
            assert accepted(run(problem, [enclosure("kernel", problem), step], engine))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("matrix", "name"), [("kernel", "min"), ("kernel", "max"), ("inputs", "max")])
def test_equal_and_weaker_claims_are_accepted_and_the_least_sharper_one_is_not(
    matrix: str, name: str, engine: str
) -> None:
    problem, sign = linear_problem(SMALL), 1 if name == "min" else -1
    for make, direction in ((psd(GOOD_FACTOR, "3", 1, name), sign), (rayleigh([3, -2], name), -sign)):
        first = enclosure(matrix, problem)
        value = derive(problem, [first, make], engine, first.claim["radius"]).value
        side = "lower" if direction == 1 else "upper"
        grid = Fraction(round(value * 10**300), 10**300) - direction * ULP  # a decimal at most two units weaker
        for change, good in ((-1, True), (0, True), (3 * ULP, False)):
            stated = grid + direction * change
            claim = bound(matrix, name, side, stated)
            result = run(problem, [first, replaced(make, claim=claim)], engine)
            assert accepted(result) is good
            assert good or (result.code, result.step) == ("claim-not-derived", "b")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stated_weaker_enclosure_is_what_counts(engine: str) -> None:
    """Later steps use the stated radius, not the derived one."""
    problem = linear_problem(SMALL)
    wide = replaced(enclosure("kernel", problem), claim={**enclosure("kernel", problem).claim, "radius": 2**64})
    for radius_step, good in ((enclosure("kernel", problem), True), (wide, False)):
        # XXᵀ − I = [[9, 5], [5, 4]] has the row sum 14; a radius of 2^64 units takes 1 more
        step = replaced(PSD, claim=bound("kernel", "min", "lower", Fraction(-141, 10)))
        assert accepted(run(problem, [radius_step, step], engine)) is good


# Conclusions ------------------------------------------------------------------------------------------------------

LOWER, UPPER = Fraction(2), Fraction(3)


def assumed(id: str, matrix: str, eigenvalue: str, side: str, value: Fraction | str) -> Step:
    return Step(id, "assume", claim=bound(matrix, eigenvalue, side, value))


def joined(
    rule: str, lower: Step, upper: Step, claim: Mapping[str, Any], uses: tuple[str, ...] = ("l", "u")
) -> Verdict:
    steps = [lower, upper, Step("b", rule, uses, claim=claim)]
    return run(linear_problem(SMALL), steps)


@pytest.mark.parametrize(
    ("lower", "upper", "code"),
    [
        ("2", "3", ""),
        ("1.9", "3", ""),
        ("-5", "1e9", ""),
        ("2.0000000001", "3", "claim-not-derived"),
        ("2", "2.9999999999", "claim-not-derived"),
        ("3", "2", "claim-not-derived"),
    ],
)
def test_lambda_min_joins_a_lower_and_an_upper_bound(lower: str, upper: str, code: str) -> None:
    premises = assumed("l", "kernel", "min", "lower", LOWER), assumed("u", "kernel", "min", "upper", UPPER)
    result = joined("lambda_min", *premises, {"kind": "lambda_min", "lower": lower, "upper": upper})
    assert (result.verdict, result.code) == (("invalid", code) if code else ("holey", ""))


WRONG_PREMISES = [
    ("lambda_min", ("kernel", "min", "upper"), ("kernel", "min", "lower")),
    ("lambda_min", ("kernel", "min", "lower"), ("kernel", "max", "upper")),
    ("lambda_min", ("kernel", "max", "lower"), ("kernel", "min", "upper")),
    ("lambda_min", ("inputs", "min", "lower"), ("inputs", "min", "upper")),
    ("lambda_min", ("kernel", "min", "lower"), ("kernel", "min", "lower")),
    ("operator_norm", ("kernel", "max", "lower"), ("kernel", "max", "upper")),
    ("operator_norm", ("inputs", "min", "lower"), ("inputs", "max", "upper")),
    ("operator_norm", ("inputs", "max", "lower"), ("inputs", "min", "upper")),
    ("operator_norm", ("inputs", "max", "upper"), ("inputs", "max", "lower")),
]


@pytest.mark.parametrize(("rule", "first", "second"), WRONG_PREMISES)
def test_premises_about_something_else(rule: str, first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    claim = {"kind": rule, "lower": "0", "upper": "100"}
    result = joined(rule, assumed("l", *first, LOWER), assumed("u", *second, UPPER), claim)
    assert (result.verdict, result.step) == ("invalid", "b")
    assert result.code == "bad-premises"


@pytest.mark.parametrize("rule", ["lambda_min", "operator_norm"])
def test_numbers_and_kinds_of_premises(rule: str) -> None:
    matrix, which = ("kernel", "min") if rule == "lambda_min" else ("inputs", "max")
    premises = assumed("l", matrix, which, "lower", LOWER), assumed("u", matrix, which, "upper", UPPER)
    claim = {"kind": rule, "lower": "0", "upper": "100"}
    assert joined(rule, *premises, claim).verdict == "holey"
    for uses in ((), ("l",), ("l", "u", "u")):
        assert joined(rule, *premises, claim, uses).code == "bad-premises"
    assert joined(rule, *premises, claim, ("u", "l")).code == "bad-premises"
    other = "operator_norm" if rule == "lambda_min" else "lambda_min"
    assert joined(rule, *premises, {**claim, "kind": other}).code == "bad-claim"
    problem = linear_problem(SMALL)
    steps = [enclosure("kernel", problem), premises[0], Step("b", rule, ("l", "m"), claim=claim)]
    assert run(problem, steps).code == "bad-premises"


@given(st.fractions(0, 10**6), st.integers(-900, 900))
@settings(max_examples=100, deadline=None)
def test_roots_are_rounded_outward_and_tight(value: Fraction, power: int) -> None:
    """``lower² ≤ λ ≤ upper²`` and the two are within 2^-120 of each other, over the whole range of decimals."""
    bits = 2**64
    value = Fraction(round(value * bits), bits) * Fraction(2) ** power
    problem = linear_problem(SMALL)
    setting = Setting(problem, arithmetic("fast"), lambda done, total: None)
    premises = tuple(Proved(EigenvalueBound("inputs", "max", side, value)) for side in ("lower", "upper"))
    rule = RULES["operator_norm"]
    claim = rule.derive(setting, rule.inputs(Step("b", "operator_norm"), premises, None)).claim
    assert claim.lower >= 0
    assert claim.lower**2 <= value <= claim.upper**2
    if value:
        assert claim.upper - claim.lower <= claim.upper / 2**120


def test_the_norm_of_a_matrix_with_a_known_one() -> None:
    """``XXᵀ = [[10, 5], [5, 5]]``: ‖X‖ is the root of ``(15 + √125)/2``."""
    problem = linear_problem(SMALL)
    for engine in ENGINES:
        for side in ("rows", "columns"):
            first = enclosure("inputs", problem, side)
            truth = gram(SMALL if side == "rows" else SMALL.T)
            shift = Fraction(131, 10)
            factor = packed(cholesky(truth, shift, -1, 30))
            top = np.linalg.eigh(np.array(truth, dtype=float))[1][:, -1]
            steps = [
                first,
                replaced(rayleigh([round(v * 2**30) for v in top], "max"), id="l"),
                replaced(psd(factor, shift, 30, "max"), id="u"),
            ]
            values = {
                k: derive(problem, [first, replaced(steps[i], id="b")], engine).value for k, i in (("l", 1), ("u", 2))
            }
            low, high = Fraction(int(values["l"] * 10**9), 10**9), Fraction(int(values["u"] * 10**9) + 1, 10**9)
            steps[1] = replaced(steps[1], claim=bound("inputs", "max", "lower", low))
            steps[2] = replaced(steps[2], claim=bound("inputs", "max", "upper", high))
            for lower, upper, code in (
                ("3.618033", "3.63", ""),
                ("3.6180340", "3.63", "claim-not-derived"),
                ("3.61", "3.618033", "claim-not-derived"),
            ):
                claim = {"kind": "operator_norm", "lower": lower, "upper": upper}
                result = run(problem, [*steps, Step("n", "operator_norm", ("l", "u"), claim=claim)], engine)
                assert (result.verdict, result.code) == (("invalid", code) if code else ("valid", ""))


def test_a_negative_upper_bound_never_becomes_a_norm() -> None:
    """It can only be assumed."""
    premises = assumed("l", "inputs", "max", "lower", "0"), assumed("u", "inputs", "max", "upper", "-1")
    result = joined("operator_norm", *premises, {"kind": "operator_norm", "lower": "0", "upper": "1"})
    assert (result.verdict, result.code, result.step) == ("invalid", "bad-premises", "b")


@pytest.mark.parametrize("width", [512, 513, 8192])
def test_wide_factors_are_answered_with_a_verdict(width: int) -> None:
    problem = linear_problem(SMALL)
    step = replaced(PSD, witness={"factor": Array(f"int{8 * width}", (3,), bytes(3 * width))})
    result = run(problem, [enclosure("kernel", problem), step])
    assert accepted(result) if width == 512 else (result.code, result.step) == ("bad-witness", "b")


def test_the_least_eigenvalue_of_the_inputs_is_ambiguous_and_refused() -> None:
    """``XXᵀ`` and ``XᵀX`` share ``λ_max`` only."""
    problem = linear_problem(SMALL)
    for step in (PSD, RAYLEIGH):
        side = step.claim["side"]
        result = run(problem, [enclosure("inputs", problem), replaced(step, claim=bound("inputs", "min", side, "0"))])
        assert (result.verdict, result.code, result.step) == ("invalid", "bad-premises", "b")


def test_derivations_raise_only_rejections_for_bad_shapes() -> None:
    problem = linear_problem(SMALL)
    with pytest.raises(Rejection, match="packed lower triangle"):
        derive(problem, [enclosure("kernel", problem), psd(integer_array([1]), "0", 0, "min")], "fast")

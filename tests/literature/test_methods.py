"""Identities, inequalities, enclosures, tails: what is true is seen, what is false refuted, the rest stays open."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import flint
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from ntkproof.literature.methods import at_least, enclose, evaluate, identity, inequality, linear_flow, show, sign, tail
from ntkproof.literature.models import J, equation, gaussian_moment, i, psi, r

x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
a = sp.IndexedBase("a")


@pytest.mark.parametrize(
    ("left", "right", "holds"),
    [
        (sp.sin(x) ** 2 + sp.cos(x) ** 2, 1, True),
        ((x + y) ** 2, x**2 + 2 * x * y + y**2, True),
        (sp.sqrt(x**2), x, False),
        ((x + y) ** 2, x**2 + y**2, False),
        (psi(x + x), psi(2 * x), True),
        (psi(x), psi(y), False),
        (psi(x, 1), psi(x), False),
        (psi(x).diff(x, 2), psi(x, 2), True),
        (psi(x * y).diff(x), y * psi(x * y, 1), True),
    ],
)
def test_identities(left: Any, right: Any, holds: bool) -> None:
    assert identity(equation(left, right), {}).holds is holds


def test_an_identity_that_is_not_understood_stays_open() -> None:
    unknown = sp.Function("F")(x)
    hidden = sp.Integral(sp.exp(-(x**3)) * unknown, (x, 0, 1))
    assert identity(equation(hidden, 0), {}).holds is None


def test_two_values_of_one_function_at_one_point_are_no_counterexample() -> None:
    # as free numbers ψ(x) and ψ(x·y²/y²) would differ; they are the same function at the same argument
    assert identity(equation(psi(x), psi(x + sp.Integer(0) * y)), {}).holds is True


def test_matrices_of_the_wrong_shape_are_not_well_formed() -> None:
    meaning = {J: sp.ones(2, 3), r: sp.ones(2, 1)}
    assert (
        identity(
            equation(sp.MatrixSymbol("b", 3, 1), J.T * r), {**meaning, sp.MatrixSymbol("b", 3, 1): sp.ones(2, 1)}
        ).holds
        is False
    )


def test_sums_and_matrices_are_written_out() -> None:
    double = sp.Sum(sp.Sum(a[i] * a[n], (n, 1, 2)), (i, 1, 3))
    assert evaluate(double, {a: lambda k: k}) == (1 + 2) * (1 + 2 + 3)
    values = {J: sp.Matrix(2, 3, range(6)), r: sp.Matrix([1, 2])}
    assert evaluate(J * J.T * r, values) == values[J] * values[J].T * values[r]
    assert evaluate(sp.ZeroMatrix(1, 1), {}) == sp.zeros(1, 1)


@pytest.mark.parametrize(
    ("formula", "holds"),
    [
        (sp.Ge(p**2 + q**2, 2 * p * q, evaluate=False), None),  # a square, of a sign SymPy does not know
        (sp.Ge((p + q) ** 2, 4 * p * q, evaluate=False), None),
        (sp.Ge((x - y) ** 2, 0, evaluate=False), True),
        (sp.Gt((x - y) ** 2, 0, evaluate=False), False),
        (sp.Ge(p + q, p, evaluate=False), True),
        (sp.Gt(p + q, p, evaluate=False), True),
        (sp.Le(p + q, p, evaluate=False), False),
        (sp.Lt(p, p, evaluate=False), False),
        (sp.Le(p, p, evaluate=False), True),
        (sp.Ge(p**2, p, evaluate=False), False),
        (sp.Ge(sp.exp(p), 1 + p, evaluate=False), None),
    ],
)
def test_inequalities(formula: Any, holds: bool | None) -> None:
    found = inequality(formula, {}).holds
    assert found is holds or (holds is None and found is True)


@given(st.fractions(min_value=-3, max_value=3, max_denominator=20))
def test_linear_inequalities_are_decided_rightly(slope: Fraction) -> None:
    s = sp.Rational(slope.numerator, slope.denominator)
    assert inequality(sp.Ge(s * p, 0, evaluate=False), {}).holds is (slope >= 0)


@given(st.lists(st.fractions(min_value=-5, max_value=5, max_denominator=50), min_size=3, max_size=3))
def test_enclosures_hold_the_value(numbers: list[Fraction]) -> None:
    u, v, w = (sp.Rational(k.numerator, k.denominator) for k in numbers)
    expression = sp.exp(u) * sp.cos(v) + sp.sqrt(u**2 + 1) / (w**2 + 2) + sp.pi**2 - sp.tanh(w) + sp.erf(v)
    with flint.ctx.workprec(200):
        ball = enclose(expression)
        assert ball.rad() < 1e-40
        value = sp.N(expression, 70)
        assert abs(ball.mid() - flint.arb(str(value))) < 1e-40


def test_signs() -> None:
    assert sign(sp.pi - 3) == 1
    assert sign(sp.exp(sp.Rational(1, 10**30)) - 1 - sp.Rational(2, 10**30)) == -1
    assert sign(sp.sqrt(2) ** 2 - 2) == 0
    assert sign(sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1) == 0
    assert sign(sp.gamma(sp.Rational(1, 3)) - sp.gamma(sp.Rational(1, 4))) is None


def test_matrix_exponentials() -> None:
    t = sp.Symbol("t", positive=True)
    assert linear_flow(-t, t).holds is True
    assert linear_flow(-t / 3, t, sp.Rational(1, 3)).holds is True
    for wrong in (t, -2 * t, -t + 1, -(t**2)):
        assert linear_flow(wrong, t).holds is False


@given(st.integers(0, 12), st.integers(1, 12), st.fractions(min_value=Fraction(1, 20), max_value=Fraction(19, 20)))
def test_the_tail_is_that_of_the_binomial(successes: int, trials: int, probability: Fraction) -> None:
    exact = sum(
        comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(successes, trials + 1)
    )
    if successes <= trials:
        assert abs(float(tail(successes, trials, probability)) - float(exact)) < 1e-12


def test_the_confidence_limit_is_clopper_and_pearson() -> None:
    scipy = pytest.importorskip("scipy.stats")
    for successes, trials in ((60, 100), (148, 200), (5, 300)):
        limit = scipy.beta.ppf(1e-3, successes, trials - successes + 1)
        assert at_least(successes, trials, Fraction(limit * 0.999).limit_denominator(10**9))
        assert not at_least(successes, trials, Fraction(limit * 1.001).limit_denominator(10**9))


@pytest.mark.parametrize(("power", "moment"), [(1, 0), (2, 1), (3, 0), (4, 3), (6, 15)])
def test_gaussian_moments(power: int, moment: int) -> None:
    assert gaussian_moment(x**power, [x]) == moment
    assert gaussian_moment(p * x**power * y**2, [x, y]) == p * moment


def test_formulas_are_shown_in_one_line() -> None:
    assert show(sp.Ge(p, q, evaluate=False)) == "p ≥ q"
    assert show(equation(r, J * J.T * r)) == "r = J*Jᵀ*r"
    assert show(sp.Sum(a[i] * psi(a[i], 1), (i, 1, n))) == "Σ_i(ψ'(a[i])*a[i])"
    assert show(sp.oo) == "∞"

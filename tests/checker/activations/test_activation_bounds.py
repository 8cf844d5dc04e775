"""Certified bounds of activations: known values, sampled values, tails, refusals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

from ntkproof.checker.activations.bounds import Tail, Tails, growth
from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.facts import activation_facts, height_squared, jerk
from ntkproof.checker.activations.names import EXPRESSIONS
from ntkproof.checker.activations.suprema import suprema
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.logic.numbers import InputError

INF = math.inf
ROOT3 = math.sqrt(3)
KNOWN = {
    "tanh": (1, 1, 4 / (3 * ROOT3)),
    "sigmoid": (1, 1 / 4, 1 / (6 * ROOT3)),
    "softplus": (INF, 1, 1 / 4),
    "gelu": (INF, 1.1289041453294, math.sqrt(2 / math.pi)),
    "silu": (INF, 1.0998393203123, 1 / 2),
    "gaussian": (1, math.exp(-1 / 2), 1),
    "erf(x)": (1, 2 / math.sqrt(math.pi), 2 * math.sqrt(2 / (math.pi * math.e))),
    "sin(x)": (1, 1, 1),
    "cos(x)": (1, 1, 1),
    "x/(1 + x**2)": (1 / 2, 1, 1.4571067811865),
    "atan(x)": (math.pi / 2, 1, 3 * ROOT3 / 8),
    "sqrt(1 + x**2)": (INF, 1, 1),
    "tanh(x - 10)": (1, 1, 4 / (3 * ROOT3)),
    "sigmoid(x/100)": (1, 1 / 400, 1 / (60000 * ROOT3)),
    "sin(x**2)": (1, INF, INF),
    "x**3 - 3*x": (INF, INF, INF),
    "2": (2, 0, 0),
    "3*x + sin(2*x)": (INF, 5, 4),
}


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("name", KNOWN)
def test_known_suprema(name: str, engine: str) -> None:
    found = suprema(EXPRESSIONS.get(name, name), Intervals(64) if engine == "reference" else ArbNumbers(64))
    for bound, known in zip(found, KNOWN[name], strict=True):
        if known == INF:
            assert bound.upper is None
            continue
        assert bound.upper is not None
        assert bound.lower <= bound.upper
        assert float(bound.lower) <= known * (1 + 1e-12) + 1e-300
        assert float(bound.upper) >= known * (1 - 1e-12)
        if name not in ("atan(x)", "sqrt(1 + x**2)"):  # there a supremum is only approached, slowly
            assert float(bound.upper - bound.lower) <= 1e-6 * known
    assert float(found[1].upper or 0) < 1e9


FLOATS: dict[str, Any] = {
    "tanh(x)": np.tanh,
    "x*tanh(softplus(x))": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "sin(3*x)*exp(-x**2/8) + x/2": lambda x: np.sin(3 * x) * np.exp(-x * x / 8) + x / 2,
    "log(1 + x**2)*atan(x)": lambda x: np.log1p(x * x) * np.arctan(x),
    "x**2/(1 + abs(x))": lambda x: x * x / (1 + abs(x)),
    "relu(x) - relu(-x)/4": lambda x: np.where(x > 0, x, x / 4),
    "sqrt(1 + x**2)*sigmoid(x)": lambda x: np.sqrt(1 + x * x) / (1 + np.exp(-x)),
    "x**5 - x": lambda x: x**5 - x,
    "(x**2 + 1)/(x**4 + 2)": lambda x: (x**2 + 1) / (x**4 + 2),
}


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("text", FLOATS)
def test_growth_bounds_every_sampled_value_and_slope(text: str, engine: str) -> None:
    f = FLOATS[text]
    points = np.concatenate([-np.geomspace(1e-6, 500, 4000)[::-1], np.geomspace(1e-6, 500, 4000)])
    with np.errstate(over="ignore"):
        values, steps = f(points), 1e-5 * np.maximum(abs(points), 0.01)
        slopes = (f(points + steps) - f(points - steps)) / (2 * steps)
    for bound, sampled in zip(
        growth(parse(text), Intervals(64) if engine == "reference" else ArbNumbers(64)), (values, slopes), strict=True
    ):
        allowed = float(bound.constant) + float(bound.factor) * abs(points) ** bound.power
        assert (abs(sampled) <= allowed * (1 + 1e-6)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exp(x)", "grows faster than any power"),
        ("exp(x**2)", "grows faster than any power"),
        ("x*exp(-x)", "grows faster than any power"),
        ("1/x", "no finite value or derivative near x = 0"),
        ("1/(x - 3)", "no finite value or derivative near x = "),
        ("log(x)", "no bound of the activation for large |x|"),
        ("log(x**2)", "no finite value or derivative near x = 0"),
        ("sqrt(x)", "no bound of the activation for large |x|"),
        ("sqrt(x**2)", "no finite value or derivative near x = 0"),
        ("1/sin(x)", "no bound of the activation for large |x|"),
        ("1/(x - x)", "not seen to be positive"),
        ("abs(x)", "not twice differentiable"),
        ("relu(x)*x", "not twice differentiable"),
        ("x**64*x**64*x**64*x**64*x**64", "power of x is too large"),
    ],
)
def test_what_has_no_bounds(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        suprema(text, Intervals(64))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# Tails ------------------------------------------------------------------------------------------------------------

TAILS = {
    "exp": lambda u: u.exp(),
    "tanh": lambda u: u.tanh(),
    "sech_squared": lambda u: 1 / u.cosh() ** 2,
    "erf": lambda u: u.erf(),
    "softplus": lambda u: u.exp().log1p(),
    "atan": lambda u: u.atan(),
    "log": lambda u: u.log(),
    "sqrt": lambda u: u.sqrt(),
    "sin": lambda u: u.sin(),
    "cos": lambda u: u.cos(),
}
ARGUMENTS: list[dict[int, Fraction]] = [
    {1: Fraction(3), 0: Fraction(-2)},
    {1: Fraction(-3), 0: Fraction(5)},
    {2: Fraction(-1, 2), 1: Fraction(1, 3), -1: Fraction(7)},
    {2: Fraction(1, 2), 0: Fraction(-1)},
    {0: Fraction(1, 2), -1: Fraction(-3), -3: Fraction(11)},
    {-1: Fraction(2)},
    {3: Fraction(1)},
    {0: Fraction(-4, 3)},
    {},
]


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("terms", ARGUMENTS)
def test_functions_of_tails_hold_the_values(name: str, terms: dict[int, Fraction]) -> None:
    numbers = Intervals(80)
    context = Tails(numbers, 64)
    try:
        result: Tail = getattr(context, name)(Tail(context, {k: numbers.rational(c) for k, c in terms.items()}))
    except ValueError:
        assert name in ("exp", "log", "sqrt") or not terms
        return
    with flint.ctx.workprec(4000):
        for x in (64, 65, 100, 1000):
            u = sum(
                (flint.arb(flint.fmpq(c.numerator, c.denominator)) * flint.arb(x) ** k for k, c in terms.items()),
                flint.arb(0),
            )
            value = TAILS[name](u)
            ends = [numbers.endpoints(c * numbers.rational(Fraction(x) ** k)) for k, c in result.terms.items()]
            low, high = (sum((end[side] for end in ends), Fraction(0)) for side in (0, 1))
            assert not value < flint.arb(flint.fmpq(low.numerator, low.denominator))
            assert not value > flint.arb(flint.fmpq(high.numerator, high.denominator))


def test_arithmetic_of_tails() -> None:
    numbers = Intervals(80)
    context = Tails(numbers, 64)
    x = context.variable(1)
    quotient = (3 * x * x - 1) / (2 * x + 5)
    for point in (64, 99, 5000):
        ends = [numbers.endpoints(c * numbers.rational(Fraction(point) ** k)) for k, c in quotient.terms.items()]
        assert sum(e[0] for e in ends) <= Fraction(3 * point**2 - 1, 2 * point + 5) <= sum(e[1] for e in ends)
    small = Tail(context, {-20: numbers.rational(1)})
    assert set(small.terms) == {-8}
    assert not (x - x).terms
    with pytest.raises(ValueError, match="zero"):
        1 / (x - x)
    with pytest.raises(ValueError, match="too large"):
        Tail(context, {300: numbers.rational(1)})


def test_what_is_known_of_tanh_is_what_a_search_finds() -> None:
    search = [found.upper for found in suprema("tanh(x)", Intervals(64), (0, 1, 2, 3))]
    steepest, bend, increasing, jump = activation_facts("tanh")
    assert bend is not None
    known = [height_squared("tanh"), steepest, bend, jerk("tanh") ** 2]
    assert (increasing, jump) == (True, 0)
    for square, bound in zip(known, search, strict=True):
        assert square is not None
        assert bound is not None
        assert square <= bound**2 <= square * (1 + Fraction(1, 10**6))

"""SymPy expressions become text of the activation language, or are refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from ntkproof import Dataset, InputError, Network, certify, check
from ntkproof.certificate import to_json
from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.data.sympy_activation import activation_text

x = sp.Symbol("x", real=True)
t = sp.Symbol("t")

GOOD = [
    (sp.tanh(t), "tanh(x)"),
    (x / (1 + sp.exp(-x)), "x*sigmoid(x)"),
    (1 / (1 + sp.exp(-2 * x)) ** 3, "sigmoid(x*2)**3"),
    (sp.log(1 + sp.exp(x)), "softplus(x)"),
    (x * (1 + sp.erf(x / sp.sqrt(2))) / 2, "x*(1 + erf(x*sqrt(2)/2))/2"),
    (sp.exp(-(t**2) / 2), "exp(-(x**2/2))"),
    (sp.sqrt(1 + x**2), "sqrt(1 + x**2)"),
    (1 / (1 + x**2), "(1 + x**2)**-1"),
    (sp.Max(x, 0), "relu(x)"),
    (sp.Min(x, 0), "-relu(-x)"),
    (sp.Abs(2 * x / 3), "abs(x)*2/3"),
    (sp.Max(0, -x / 2) + x / 4, "x/4 + relu(-(x/2))"),
    (0.1 * x + sp.sin(x), "1/10*x + sin(x)"),
    (sp.erfc(x), "1 - erf(x)"),
    (2 ** (-(x**2)), "exp(-x**2*log(2))"),
    (sp.pi * sp.atan(x) * sp.cos(3 * x), "pi*atan(x)*cos(x*3)"),
    (sp.E * x - sp.Rational(1, 2), "-1/2 + exp(1)*x"),
]


@pytest.mark.parametrize(("expression", "text"), GOOD)
def test_the_text(expression: Any, text: str) -> None:
    assert activation_text(expression) == f"expr({text})"
    assert Network(expression).activation == f"expr({text})"


@pytest.mark.parametrize("expression", [expression for expression, _ in GOOD])
def test_the_text_means_the_expression(expression: Any) -> None:
    node, numbers = parse(activation_text(expression)[5:-1]), Intervals(80)
    (symbol,) = expression.free_symbols
    for value in (sp.Rational(-7, 3), sp.Rational(1, 5), sp.Integer(2)):
        argument = numbers.rational(int(value.p)) / int(value.q)
        jets = jet(node, numbers, [argument, numbers.rational(1)], 1 if value > 0 else -1)
        low, high = numbers.endpoints(numbers.rational(0) + jets[0])
        exact = sp.N(expression.subs(symbol, value), 30)
        assert float(low) - 1e-15 <= float(exact) <= float(high) + 1e-15
        assert float(high - low) < 1e-18 * max(1, abs(float(exact)))


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (x + t, "one symbol, not 2"),
        (sp.Integer(3) + 0 * x, "one symbol, not 0"),
        (sp.I * x, "real and finite: I is not"),
        (sp.zoo * x, "real and finite"),
        (sp.gamma(x), "not in the language of activations: gamma"),
        (sp.Heaviside(x), "not in the language of activations: Heaviside"),
        (sp.Piecewise((x, x > 0), (0, True)), "not in the language of activations: Piecewise"),
        (sp.re(t), "not in the language"),
        (sp.Function("f")(x), "not in the language of activations: f"),
        (x**x, "not in the language"),
        (sp.Float("0.1", 50) * x, "not in the language"),
        ((1 + x**2) ** sp.Rational(1, 3), "not in the language"),
        (sp.Max(x - 1, 0), "relu takes a multiple of x only"),
        (1 / x, "near x = 0"),
        (sp.sqrt(x), "not usable as an activation"),
        (sp.log(x), "not usable as an activation"),
        (x ** sp.Rational(3, 2), "not usable as an activation"),
        (sp.sqrt(x**2 + x**4), "not usable as an activation"),
        (sp.exp(x), "grows faster than any power of x"),
        (x**65, "an exponent must be an integer from -64 to 64"),
    ],
)
def test_what_is_refused(expression: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Network(expression)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("thing", [None, 3, [x], sp.Eq(x, 1), sp.Matrix([x])])
def test_what_is_no_expression(thing: Any) -> None:
    with pytest.raises(InputError):
        Network(thing)


def test_a_proof() -> None:
    data = Dataset(np.array([[1.0, 0.5], [0.25, -1.0], [-0.5, 0.75]]))
    certificate = certify(data, Network(x * sp.tanh(x)), gap=1e-3)
    assert [check(to_json(certificate), engine=engine).verdict for engine in ("fast", "reference")] == ["valid"] * 2

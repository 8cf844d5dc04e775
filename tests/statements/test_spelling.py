"""Activations as people write them."""

from __future__ import annotations

import numpy as np
import pytest

import ntkproof
from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.activations import activation
from ntkproof.statements.spelling import activation_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ReLU", "relu"),
        ("SiLU", "silu"),
        ("Leaky_ReLU(0.1)", "leaky_relu(0.1)"),
        ("EXPR(x*tanh(x))", "expr(x*tanh(x))"),
    ],
)
def test_names_in_any_case(text: str, name: str) -> None:
    assert activation_name(text) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x^2", "unknown activation 'x^2'; write expr(x**2)"),
        ("x*tanh(x)", "unknown activation 'x*tanh(x)'; write expr(x*tanh(x))"),
        ("Swish", "unknown activation 'swish'; write silu; with a factor b inside, expr(x*sigmoid(b*x))"),
        (
            "ELU",
            "unknown activation 'elu'; write expr(relu(x) + exp(-relu(-x)) - 1); "
            "with another slope a below 0, a*(exp(-relu(-x)) - 1)",
        ),
        ("relu6", "unknown activation 'relu6'; it cannot be written as an expression: a kink must be at x = 0"),
        ("expr(x^2)", "not an expression in x: 'x^2' (numbers, names, + - * / ** and parentheses); write expr(x**2)"),
        *(
            (
                f"expr({text})",
                f"not an expression in x: {text!r} (numbers, names, + - * / ** and parentheses); write expr({write})",
            )
            for text, write in [
                ("max(x,0)", "relu(x)"),
                ("max(0, x)^2", "relu(x)**2"),
                ("min(x, 0)", "-relu(-x)"),
            ]
        ),
        ("expr(x**0.5)", "an exponent must be an integer from -64 to 64; use exp, log or sqrt"),
        ("leaky_relu(11)", "the slope of leaky_relu must be from -10 to 10, not 11"),
    ],
)
def test_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        activation_name(text)
    assert str(caught.value) == message


def test_the_expression_for_elu_is_elu() -> None:
    x = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    values = activation("expr(relu(x) + exp(-relu(-x)) - 1)")(x)[0]
    np.testing.assert_allclose(values, np.where(x > 0, x, np.expm1(x)), atol=1e-15)


def test_python_takes_names_in_any_case() -> None:
    certificate = ntkproof.certify(np.eye(2), activation="ReLU")
    assert certificate.problem.network.activation == "relu"

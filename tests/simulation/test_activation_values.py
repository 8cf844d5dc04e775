"""Activations in float64 against mpmath at 30 digits, from their definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from ntkproof.checker.activations.names import ACTIVATIONS
from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.activations import activation, has_kinks

MP = mpmath.MPContext()
MP.dps = 30


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + MP.exp(-x))


DEFINITIONS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: max(x, MP.mpf(0)),
    "leaky_relu(0.25)": lambda x: x if x > 0 else x / 4,
    "leaky_relu(-3)": lambda x: x if x > 0 else -3 * x,
    "abs": abs,
    "identity": lambda x: x,
    "erf": MP.erf,
    "sin": MP.sin,
    "cos": MP.cos,
    "tanh": MP.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: MP.log(1 + MP.exp(x)),
    "gelu": lambda x: x * (1 + MP.erf(x / MP.sqrt(2))) / 2,
    "silu": lambda x: x * _sigmoid(x),
    "gaussian": lambda x: MP.exp(-x * x / 2),
    "expr(x*tanh(x) - 3*x**2/(1 + x**2))": lambda x: x * MP.tanh(x) - 3 * x**2 / (1 + x**2),
    "expr(atan(x)*sqrt(2 + sin(x)) + log(3 + cos(2*x)))": lambda x: (
        MP.atan(x) * MP.sqrt(2 + MP.sin(x)) + MP.log(3 + MP.cos(2 * x))
    ),
    "expr(abs(-2*x) + relu(x/3) - softplus(x) + exp(-x**2)*pi)": lambda x: (
        abs(2 * x) + max(x / 3, MP.mpf(0)) - MP.log(1 + MP.exp(x)) + MP.exp(-(x**2)) * MP.pi
    ),
    "expr((1 + x**2)**-3 + x**0 - (-x)**3)": lambda x: (1 + x * x) ** -3 + 1 + x**3,
}
POINTS = np.concatenate(
    [np.linspace(-8, 8, 97)[np.linspace(-8, 8, 97) != 0], [1e-9, -1e-9, 5.999, 6.001, 30.0, -30.0, 0.1, 1.0]]
)


def test_all_activations_are_here() -> None:
    assert {name.split("(")[0] for name in DEFINITIONS} >= set(ACTIVATIONS)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_values_and_derivatives(name: str) -> None:
    value, slope = activation(name)(POINTS)
    for x, v, s in zip(POINTS.tolist(), value.tolist(), slope.tolist(), strict=True):
        exact, derivative = DEFINITIONS[name](MP.mpf(x)), MP.diff(DEFINITIONS[name], MP.mpf(x), h=MP.mpf(10) ** -12)
        assert abs(v - exact) <= 2e-14 * max(1, abs(exact)), x
        assert abs(s - derivative) <= 2e-13 * max(1, abs(derivative)), x


def test_erf_is_accurate_to_a_few_units() -> None:
    x = np.linspace(-7, 7, 1501)
    value, slope = activation("erf")(x)
    for point, v, s in zip(x.tolist(), value.tolist(), slope.tolist(), strict=True):
        assert abs(v - MP.erf(point)) <= 5e-16
        assert abs(s - 2 / MP.sqrt(MP.pi) * MP.exp(-(MP.mpf(point) ** 2))) <= 5e-16


def test_arrays_of_any_shape_and_size() -> None:
    z = np.random.default_rng(0).standard_normal((3, 7001, 2))
    value, slope = activation("tanh")(z)
    assert value.shape == slope.shape == z.shape
    assert np.array_equal(value, np.tanh(z))
    one, _ = activation("tanh")(z[1, 17:18, 1])
    assert one[0] == value[1, 17, 1]
    transposed, _ = activation("gelu")(z.T)
    assert np.array_equal(transposed, activation("gelu")(z)[0].T)


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu(0.25)", "leaky_relu(-3)"])
def test_at_a_kink_the_derivative_is_that_from_the_left(name: str) -> None:
    (value,), (slope,) = activation(name)(np.zeros(1))
    assert value == 0
    assert slope == float(DEFINITIONS[name](MP.mpf(-1)) * -1)


@pytest.mark.parametrize(
    ("name", "kinks"),
    [
        *[("relu", True), ("abs", True), ("leaky_relu(0.5)", True), ("leaky_relu(1)", False), ("identity", False)],
        *[("erf", False), ("gelu", False), ("expr(relu(x) + x)", True), ("expr(x*tanh(x))", False)],
    ],
)
def test_kinks(name: str, kinks: bool) -> None:
    assert has_kinks(name) is kinks


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="unknown activation"):
        activation("swoosh")

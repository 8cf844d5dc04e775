"""Activations and their derivatives in float64, elementwise on arrays.  Untrusted: for simulations.

``tanh``, ``sigmoid``, ``gelu`` and the others with an expression in `ntkproof.checker.activations.names` are evaluated
by it: its tree is walked with dual numbers (value, derivative).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.names import expression_of, split_activation
from ntkproof.checker.activations.nodes import Node, has_kink

Floats = NDArray[np.float64]
Evaluate = Callable[[Floats], tuple[Floats, Floats]]
"""From ``z`` to ``(σ(z), σ'(z))``, all of the same shape."""

_BLOCK = 1 << 14  # elements at a time: what is computed on the way stays in the cache


@cache
def activation(name: str) -> Evaluate:
    """Return the function ``z ↦ (σ(z), σ'(z))`` of an activation, for arrays ``z`` of any shape.

    At a kink σ' is the left derivative.

    Args:
        name: as in `ntkproof.checker.problem.network.Network`.

    Raises:
        InputError: unknown name.
    """
    kind, slope = split_activation(name)
    expression = expression_of(kind)
    if expression is not None:
        tree = parse(expression)
        return _by_blocks(lambda z: _materialise(_dual(tree, z), z))
    below = {"relu": 0.0, "abs": -1.0, "identity": 1.0, "leaky_relu": float(slope or 0)}
    if kind in below:
        return _by_blocks(lambda z: _piecewise_linear(z, below[kind]))
    return _by_blocks({"erf": _erf_dual, "sin": lambda z: (np.sin(z), np.cos(z)), "cos": _cos_dual}[kind])


def has_kinks(name: str) -> bool:
    """Whether σ has a derivative that jumps (at 0)."""
    kind, slope = split_activation(name)
    expression = expression_of(kind)
    return kind in ("relu", "abs") or slope not in (None, 1) or (expression is not None and has_kink(parse(expression)))


def _by_blocks(evaluate: Evaluate) -> Evaluate:
    def whole(z: Floats) -> tuple[Floats, Floats]:
        flat = np.ascontiguousarray(z).reshape(-1)
        value, slope = np.empty_like(flat), np.empty_like(flat)
        for k in range(0, flat.size, _BLOCK):
            value[k : k + _BLOCK], slope[k : k + _BLOCK] = evaluate(flat[k : k + _BLOCK])
        return value.reshape(z.shape), slope.reshape(z.shape)

    return whole


def _piecewise_linear(z: Floats, below: float) -> tuple[Floats, Floats]:
    slope = np.greater(z, 0.0, out=np.empty_like(z), casting="same_kind")
    if below:
        slope = below + (1 - below) * slope
    return slope * z, slope


def _cos_dual(z: Floats) -> tuple[Floats, Floats]:
    return np.cos(z), -np.sin(z)


# erf ------------------------------------------------------------------------------------------------------------

_FAR = 6.0  # 1 - erf(6) < 2^-55
_BEND = 1.5
_TERMS = 22


@cache
def _erf_polynomial() -> tuple[float, ...]:
    """Return the coefficients, highest first, of a polynomial p with ``erf(x) ≈ 1 − e^{−x²} p(s)`` on [0, 6].

    ``s`` in [-1, 1] is linear in ``(x − b)/(x + b)``; p interpolates ``e^{x²} erfc(x)`` at Chebyshev nodes.  The
    error is below 5e-16 (tests/simulate/test_activation_values.py).
    """
    mp = mpmath.MPContext()
    mp.dps = 40
    top = (mp.mpf(_FAR) - _BEND) / (mp.mpf(_FAR) + _BEND)
    angles = [mp.pi * (k + mp.mpf(1) / 2) / _TERMS for k in range(_TERMS)]

    def scaled_erfc(s: Any) -> Any:
        t = (s + 1) * (top + 1) / 2 - 1
        x = _BEND * (1 + t) / (1 - t)
        return mp.exp(x * x) * mp.erfc(x)

    values = [scaled_erfc(mp.cos(angle)) for angle in angles]
    chebyshev = [
        2 * mp.fsum(v * mp.cos(k * angle) for v, angle in zip(values, angles, strict=True)) / _TERMS
        for k in range(_TERMS)
    ]
    chebyshev[0] /= 2
    powers = np.polynomial.chebyshev.cheb2poly(np.array([float(c) for c in chebyshev]))
    return tuple(float(c) for c in powers[::-1])


def _erf_dual(z: Floats) -> tuple[Floats, Floats]:
    x = np.minimum(np.abs(z), _FAR)
    first, *others = _erf_polynomial()
    s = (x - _BEND) / (x + _BEND)
    width = (_FAR - _BEND) / (_FAR + _BEND) + 1
    s = (s + 1) * (2 / width) - 1
    polynomial = np.full_like(s, first)
    for coefficient in others:
        polynomial *= s
        polynomial += coefficient
    gauss = np.exp(-z * z)
    return np.copysign(1 - gauss * polynomial, z), gauss * (2 / math.sqrt(math.pi))


# Expressions ----------------------------------------------------------------------------------------------------

Dual = tuple[Any, Any]
"""Value and derivative: arrays, or numbers where they are constant."""


def _materialise(dual: Dual, z: Floats) -> tuple[Floats, Floats]:
    return np.broadcast_to(dual[0], z.shape), np.broadcast_to(dual[1], z.shape)


def _dual(node: Node, x: Floats) -> Dual:
    """Return value and derivative of an expression at the numbers ``x``."""
    if node.op == "x":
        return x, 1.0
    if node.op in ("number", "pi"):
        return (float(node.value) if node.op == "number" else math.pi), 0.0
    operands = [_dual(argument, x) for argument in node.args]
    (u, du), (v, dv) = operands[0], operands[-1]
    if node.op == "+":
        return u + v, du + dv
    if node.op == "-":
        return u - v, du - dv
    if node.op == "neg":
        return -u, -du
    if node.op == "*":
        return u * v, du * v + u * dv
    if node.op == "/":
        return u / v, (du - (u / v) * dv) / v
    if node.op == "**":
        return _power(u, du, node.value)
    value, slope = _FUNCTIONS[node.op](np.asarray(u))
    return value, slope * du


def _power(u: Any, du: Any, exponent: Fraction) -> Dual:
    n = int(exponent)
    if n == 0:
        return np.ones_like(u), 0.0
    u = np.asarray(u, dtype=np.float64)
    below = u ** (n - 1)
    return below * u if n > 0 else u**n, n * below * du


def _exp(u: Floats) -> tuple[Floats, Floats]:
    value = np.exp(u)
    return value, value


def _sqrt(u: Floats) -> tuple[Floats, Floats]:
    value = np.sqrt(u)
    return value, 0.5 / value


def _tanh(u: Floats) -> tuple[Floats, Floats]:
    value = np.tanh(u)
    return value, 1 - value * value


def _sigmoid(u: Floats) -> tuple[Floats, Floats]:
    value = 0.5 + 0.5 * np.tanh(u / 2)
    return value, value * (1 - value)


def _softplus(u: Floats) -> tuple[Floats, Floats]:
    return np.maximum(u, 0) + np.log1p(np.exp(-np.abs(u))), _sigmoid(u)[0]


_FUNCTIONS: dict[str, Evaluate] = {
    "exp": _exp,
    "log": lambda u: (np.log(u), 1 / u),
    "sqrt": _sqrt,
    "sin": lambda u: (np.sin(u), np.cos(u)),
    "cos": _cos_dual,
    "tanh": _tanh,
    "atan": lambda u: (np.arctan(u), 1 / (1 + u * u)),
    "erf": _erf_dual,
    "abs": lambda u: _piecewise_linear(u, -1.0),
    "relu": lambda u: _piecewise_linear(u, 0.0),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
}

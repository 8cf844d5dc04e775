"""SymPy expressions as activations.

Untrusted: it writes text in the language of ``ntkproof.checker.expressions``, and that text is what is proved about.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

from ntkproof.checker.activations.bounds import growth
from ntkproof.checker.activations.expressions import FUNCTIONS, normalise, parse
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.logic.numbers import InputError

_NAMES = {"Abs": "abs", **{name: name for name in ("exp", "log", "erf", "tanh", "sin", "cos", "atan")}}


def activation_text(expression: Any) -> str:
    """Return the activation ``expr(…)`` of a SymPy expression in one real symbol.

    Args:
        expression: built of rational numbers, decimals (at their shortest), pi, E, ``+ * **`` with integer or
            half-integer powers, and exp, log, sqrt, tanh, erf, erfc, sin, cos, atan, and ``Abs(a*x)``,
            ``Max(a*x, 0)`` or ``Min(a*x, 0)`` with a rational a.

    Raises:
        InputError: more than one symbol or none, complex or infinite constants, other functions, or a function that
            is not finite and twice differentiable for every real x (a kink of ``Abs``, ``Max`` or ``Min`` at 0 apart).
    """
    if not isinstance(expression, sympy.Expr):
        raise InputError(f"not a SymPy expression: {str(expression)[:60]}")
    symbols = sorted(map(str, expression.free_symbols))
    if len(symbols) != 1:
        raise InputError(f"an activation has one symbol, not {len(symbols)} ({', '.join(symbols) or 'a constant'})")
    text = normalise(_text(expression))
    try:
        growth(parse(text), Intervals(64))
    except InputError as error:
        raise InputError(f"{str(expression)[:60]} is not usable as an activation: {error}") from None
    return f"expr({text})"


def _text(node: Any) -> str:
    """Return the text of a SymPy node, in parentheses where in doubt."""
    if node.is_Symbol:
        return "x"
    if node is sympy.pi:
        return "pi"
    if node is sympy.E:
        return "exp(1)"
    if node.is_Rational:
        return _number(Fraction(int(node.p), int(node.q)))
    if node.is_Float and sympy.Float(float(node), precision=node._prec) == node:
        return _number(Fraction(repr(float(node))))
    if node.is_Add:
        return "(" + " + ".join(_text(term) for term in node.args) + ")"
    if node.is_Mul:
        return _product(node)
    return _power(node) if node.is_Pow else _function(node)


def _number(value: Fraction) -> str:
    text = f"{abs(value.numerator)}/{value.denominator}" if value.denominator > 1 else str(abs(value.numerator))
    return f"(-{text})" if value < 0 else f"({text})"


def _product(node: Any) -> str:
    """Rational factors come last, so that ``abs`` and ``relu`` see a multiple of x."""
    text = "*".join(_text(factor) for factor in node.args if not factor.is_Rational)
    for factor in node.args:
        if factor.is_Rational:
            text = f"{text}*{abs(factor.p)}" if abs(factor.p) > 1 else text
            text = f"{text}/{factor.q}" if factor.q > 1 else text
            text = f"-({text})" if factor.p < 0 else text
    return f"({text})"


def _power(node: Any) -> str:
    base, power = node.args
    if base is sympy.E:
        return f"exp({_text(power)})"
    if power.is_Integer:
        inside = _exponent_beside_one(base)
        if inside is not None and power < 0:  # 1/(1 + e^u) is sigmoid(-u)
            return f"sigmoid({_text(-inside)})**{-int(power)}" if power < -1 else f"sigmoid({_text(-inside)})"
        return f"({_text(base)})**({int(power)})"
    if power.is_Rational and power.q == 2:
        return f"sqrt({_text(base)})**({int(power.p)})" if power.p != 1 else f"sqrt({_text(base)})"
    if base.is_Number and base.is_positive:
        return f"exp({_text(power)}*log({_text(base)}))"
    return _refuse(node)


def _exponent_beside_one(node: Any) -> Any:
    """Return ``u`` if the node is ``1 + e^u``, else None."""
    if node.is_Add and len(node.args) == 2 and sympy.S.One in node.args:
        other = next(term for term in node.args if term != 1)
        if other.func == sympy.exp:
            return other.exp
    return None


def _function(node: Any) -> str:
    name = type(node).__name__
    if name == "log" and _exponent_beside_one(node.args[0]) is not None:
        return f"softplus({_text(_exponent_beside_one(node.args[0]))})"
    if name in _NAMES and len(node.args) == 1:
        return f"{_NAMES[name]}({_text(node.args[0])})"
    if name == "erfc":
        return f"(1 - erf({_text(node.args[0])}))"
    if name in ("Max", "Min") and len(node.args) == 2 and sympy.S.Zero in node.args:
        inside = next(argument for argument in node.args if argument != 0)
        return f"relu({_text(inside)})" if name == "Max" else f"(-relu({_text(-inside)}))"
    if node.is_number and not node.is_real:
        raise InputError(f"an activation is real and finite: {str(node)[:60]} is not")
    return _refuse(node)


def _refuse(node: Any) -> str:
    raise InputError(
        f"not in the language of activations: {str(node)[:60]} (there are {', '.join(sorted(FUNCTIONS))}; see its docs)"
    )

"""Taylor arithmetic of expressions, over any number context.

Trusted.  Recurrences and proofs: ``docs/proofs/hermite.md``, section 1.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ntkproof.checker.activations.nodes import KINKS, Node, slope

Jet = list[Any]


def jet(node: Node, numbers: Any, x: Jet, side: int) -> Jet:
    """Return the Taylor coefficients of the expression composed with those of ``x``.

    Args:
        node: the expression.
        numbers: a number context with `FUNCTIONS` (``sigmoid``, ``abs`` and ``relu`` apart), ``pi``, ``rational``
            and ``positive``.
        x: coefficients of orders 0 to m ≥ 1.
        side: 1 if every value of x is known to be ≥ 0, -1 if ≤ 0; it decides which side of a kink counts.

    Raises:
        ValueError, OverflowError: no finite enclosure, such as a divisor, or an argument of log, not seen to be
            other than 0.  Enclosures of a function that is not defined everywhere are never returned.
    """
    zeros: Jet = [0] * (len(x) - 1)
    if node.op == "x":
        return x
    if node.op in ("number", "pi"):
        return [numbers.pi if node.op == "pi" else numbers.rational(node.value), *zeros]
    if node.op in KINKS:
        a = slope(node.args[0])
        size = _scaled(x, numbers.rational(side * abs(a)))
        return size if node.op == "abs" or side * a > 0 else [numbers.rational(0), *zeros]
    jets = [jet(argument, numbers, x, side) for argument in node.args]
    if node.op == "**":
        return _power(numbers, jets[0], int(node.value))
    if node.op in _COMPOSED:
        return _COMPOSED[node.op](numbers, jets[0])
    return _arithmetic(numbers, node.op, jets)


def _arithmetic(numbers: Any, op: str, jets: list[Jet]) -> Jet:
    u, v = jets[0], jets[-1]
    if op == "neg":
        return _scaled(u, -1)
    if op == "+":
        return [a + b for a, b in zip(u, v, strict=True)]
    if op == "-":
        return [a - b for a, b in zip(u, v, strict=True)]
    return _product(u, v) if op == "*" else _quotient(numbers, u, v)


def _is_zero(a: Any) -> bool:
    return type(a) is int and a == 0


def _sum(products: list[tuple[Any, Any]]) -> Any:
    """Return ``Σ a b`` without the terms that are exactly 0."""
    total: Any = 0
    for a, b in products:
        if not _is_zero(a) and not _is_zero(b):
            total = total + a * b
    return total


def _scaled(u: Jet, factor: Any) -> Jet:
    return [a if _is_zero(a) else a * factor for a in u]


def _product(u: Jet, v: Jet) -> Jet:
    return [_sum([(u[i], v[k - i]) for i in range(k + 1)]) for k in range(len(u))]


def _square_term(w: Jet, k: int) -> Any:
    """Return coefficient k of ``w²``."""
    total = 2 * _sum([(w[i], w[k - i]) for i in range((k + 1) // 2)])
    return total if k % 2 else total + _sum([(w[k // 2], w[k // 2])])


def _quotient(numbers: Any, u: Jet, v: Jet) -> Jet:
    try:
        numbers.positive(v[0])
    except ValueError:
        numbers.positive(-v[0])
    w: Jet = []
    for k in range(len(u)):
        rest = u[k] - _sum([(v[i], w[k - i]) for i in range(1, k + 1)])
        w.append(rest if _is_zero(rest) else rest / v[0])
    return w


def _power(numbers: Any, u: Jet, n: int) -> Jet:
    one: Jet = [numbers.rational(1), *[0] * (len(u) - 1)]
    if n < 0:
        return _quotient(numbers, one, _power(numbers, u, -n))
    result = None
    while n:
        if n % 2:
            result = u if result is None else _product(result, u)
        n //= 2
        if n:
            u = [_square_term(u, k) for k in range(len(u))]
    return one if result is None else result


def _integral(start: Any, u: Jet, derivative: Callable[[int], Any]) -> Jet:
    """Return ``w`` with ``w_0 = start`` and ``w' = u' d``; ``derivative(k)`` is ``d_k``, asked for in order."""
    w, d = [start], []
    for k in range(1, len(u)):
        d.append(derivative(k - 1))
        total = _sum([(u[i] if _is_zero(u[i]) else i * u[i], d[k - i]) for i in range(1, k + 1)])
        w.append(total if _is_zero(total) else total / k)
    return w


def _exp(numbers: Any, u: Jet) -> Jet:
    w: Jet = [numbers.exp(u[0])]
    for k in range(1, len(u)):
        total = _sum([(u[i] if _is_zero(u[i]) else i * u[i], w[k - i]) for i in range(1, k + 1)])
        w.append(total if _is_zero(total) else total / k)
    return w


def _log(numbers: Any, u: Jet) -> Jet:
    one: Jet = [numbers.rational(1), *[0] * (len(u) - 1)]
    return _integral(numbers.log(numbers.positive(u[0])), u, _quotient(numbers, one, u).__getitem__)


def _sqrt(numbers: Any, u: Jet) -> Jet:
    w: Jet = [numbers.sqrt(numbers.positive(u[0]))]
    for k in range(1, len(u)):
        rest = u[k] - _sum([(w[i], w[k - i]) for i in range(1, k)])
        w.append(rest if _is_zero(rest) else rest / (2 * w[0]))
    return w


def _tanh(numbers: Any, u: Jet) -> Jet:
    """``w' = u' d`` with ``d = 1 − w²``, whose first coefficient is known better than by that difference."""
    w: Jet = [numbers.tanh(u[0])]
    d: Jet = [numbers.sech_squared(u[0])]
    for k in range(1, len(u)):
        if k > 1:
            d.append(-_square_term(w, k - 1))
        total = _sum([(u[i] if _is_zero(u[i]) else i * u[i], d[k - i]) for i in range(1, k + 1)])
        w.append(total if _is_zero(total) else total / k)
    return w


def _sigmoid(numbers: Any, u: Jet) -> Jet:
    """``sigmoid(u) = (1 + tanh(u/2))/2``."""
    half = numbers.rational(Fraction(1, 2))
    w = _scaled(_tanh(numbers, _scaled(u, half)), half)
    return [half + w[0], *w[1:]]


def _softplus(numbers: Any, u: Jet) -> Jet:
    return _integral(numbers.softplus(u[0]), u, _sigmoid(numbers, u).__getitem__)


def _erf(numbers: Any, u: Jet) -> Jet:
    gauss = _exp(numbers, [-_square_term(u, k) for k in range(len(u))])
    scale = 2 / numbers.sqrt(numbers.pi)
    return _integral(numbers.erf(u[0]), u, _scaled(gauss, scale).__getitem__)


def _atan(numbers: Any, u: Jet) -> Jet:
    square = [_square_term(u, k) for k in range(len(u))]
    one: Jet = [numbers.rational(1), *[0] * (len(u) - 1)]
    return _integral(numbers.atan(u[0]), u, _quotient(numbers, one, [1 + square[0], *square[1:]]).__getitem__)


def _sin_cos(numbers: Any, u: Jet) -> tuple[Jet, Jet]:
    s: Jet = [numbers.sin(u[0])]
    c: Jet = [numbers.cos(u[0])]
    for k in range(1, len(u)):
        slopes = [u[i] if _is_zero(u[i]) else i * u[i] for i in range(1, k + 1)]
        up = _sum([(slopes[i - 1], c[k - i]) for i in range(1, k + 1)])
        down = _sum([(slopes[i - 1], s[k - i]) for i in range(1, k + 1)])
        s.append(up if _is_zero(up) else up / k)
        c.append(down if _is_zero(down) else -down / k)
    return s, c


_COMPOSED: dict[str, Callable[[Any, Jet], Jet]] = {
    "exp": _exp,
    "log": _log,
    "sqrt": _sqrt,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": _erf,
    "atan": _atan,
    "sin": lambda numbers, u: _sin_cos(numbers, u)[0],
    "cos": lambda numbers, u: _sin_cos(numbers, u)[1],
}

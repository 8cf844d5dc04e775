"""Activations as expressions in ``x``: a strict parser, a canonical text and Taylor arithmetic.

Trusted.  The language: ``x``, ``pi``, exact decimals, ``+ - * /``, integer powers, and the functions of `FUNCTIONS`.
``abs`` and ``relu`` take a rational multiple of x only, so that every kink is at 0.  A parsed text is never run: its
syntax tree is read node by node.  Recurrences and proofs: ``docs/proofs/hermite.md``, section 1.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.numbers import InputError, decimal, parse_decimal

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH = 500
MAX_DEPTH = 40
MAX_POWER = 64
MAX_DIGITS = 40
KINKS = ("abs", "relu")
ODD = ("erf", "tanh", "sin", "atan")
FUNCTIONS = ("exp", "log", "sqrt", "sigmoid", "softplus", "cos", *ODD, *KINKS)

_TOKENS = re.compile(r"(?: |\*\*|[-+*/()]|[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?(?![a-z0-9_.])|[a-z]+(?![a-z0-9_.]))*")
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}

Jet = list[Any]
"""Taylor coefficients of order 0, 1, …; an integer 0 is exact and costs nothing."""


@dataclass(frozen=True)
class Node:
    """A node of an expression: ``x``, ``pi``, ``number``, ``+ - * /``, ``neg``, ``**`` or a function's name.

    Args:
        op: which.
        args: its operands.
        value: of a number (exact), or the exponent of a power.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Fraction = Fraction(0)


# Text -----------------------------------------------------------------------------------------------------------


def parse(text: str) -> Node:
    """Return the tree of an expression such as ``x*tanh(x)``.

    Raises:
        InputError: anything outside the language; the message says what.
    """
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise InputError(f"an activation must be text of at most {MAX_LENGTH} characters")
    if not _TOKENS.fullmatch(text):
        raise InputError(f"not an expression in x: {text[:60]!r} (numbers, names, + - * / ** and parentheses)")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"not an expression in x: {text[:60]!r}") from None
    return _read(tree, text.strip(), MAX_DEPTH)


def _read(tree: ast.expr, text: str, depth: int) -> Node:
    """Return the node of a syntax tree."""
    if depth == 0:
        raise InputError(f"the expression is nested more than {MAX_DEPTH} deep")
    if isinstance(tree, ast.BinOp) and type(tree.op) in _BINARY:
        return Node(_BINARY[type(tree.op)], (_read(tree.left, text, depth - 1), _read(tree.right, text, depth - 1)))
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Pow):
        return Node("**", (_read(tree.left, text, depth - 1),), _exponent(_read(tree.right, text, depth - 1)))
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return Node("neg", (_read(tree.operand, text, depth - 1),))
    if isinstance(tree, ast.Name) and tree.id in ("x", "pi"):
        return Node(tree.id)
    if isinstance(tree, ast.Constant):
        return _number(text[tree.col_offset : tree.end_col_offset])
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and len(tree.args) == 1 and not tree.keywords:
        return _call(tree.func.id, _read(tree.args[0], text, depth - 1))
    raise InputError(f"not allowed in an activation: {text[tree.col_offset : tree.end_col_offset][:60]!r}")


def _number(text: str) -> Node:
    value = parse_decimal(text)
    if value < 0 or len(decimal(value)) > MAX_DIGITS:
        raise InputError(f"the number {text[:60]} has more than {MAX_DIGITS} digits")
    return Node("number", value=value)


def _exponent(node: Node) -> Fraction:
    sign, node = (-1, node.args[0]) if node.op == "neg" else (1, node)
    if node.op != "number" or node.value.denominator != 1 or node.value > MAX_POWER:
        raise InputError(f"an exponent must be an integer from -{MAX_POWER} to {MAX_POWER}; use exp, log or sqrt")
    return sign * node.value


def _call(name: str, argument: Node) -> Node:
    if name not in FUNCTIONS:
        raise InputError(f"unknown function {name[:60]!r}; there are {', '.join(sorted(FUNCTIONS))}")
    if name in KINKS and not slope(argument):
        raise InputError(f"{name} takes a multiple of x only: its kink must be at x = 0")
    return Node(name, (argument,))


def slope(node: Node) -> Fraction:
    """Return ``a`` if the node is plainly ``a·x`` with a rational ``a``, else 0."""
    if node.op == "x":
        return Fraction(1)
    if node.op == "neg":
        return -slope(node.args[0])
    if node.op not in ("*", "/"):
        return Fraction(0)
    left, right = (_rational(argument) for argument in node.args)
    if node.op == "/":
        return slope(node.args[0]) / right if right else Fraction(0)
    return left * slope(node.args[1]) + right * slope(node.args[0])


def _rational(node: Node) -> Fraction:
    """Return the value of a number, a negated number or a fraction; 0 for any other node."""
    if node.op == "neg":
        return -_rational(node.args[0])
    if node.op == "/" and _rational(node.args[1]):
        return _rational(node.args[0]) / _rational(node.args[1])
    return node.value if node.op == "number" else Fraction(0)


def canonical(node: Node) -> str:
    """Return the text that stands for a tree in certificates; parsing it gives the same tree."""
    if node.op in ("x", "pi"):
        return node.op
    if node.op == "number":
        return decimal(node.value)
    if node.op not in _RANK:
        return f"{node.op}({canonical(node.args[0])})"
    rank = _RANK[node.op]
    first = _wrapped(node.args[0], rank + (node.op == "**"), leading=rank < 3)
    if node.op == "neg":
        return f"-{first}"
    if node.op == "**":
        return f"{first}**{node.value}"
    second = _wrapped(node.args[1], rank + 1)
    return f"{first} {node.op} {second}" if rank == 1 else f"{first}{node.op}{second}"


def _wrapped(node: Node, least: int, leading: bool = False) -> str:
    """Return the text of an operand, in parentheses if it binds less than ``least`` or has a sign inside."""
    text = canonical(node)
    bare = _RANK.get(node.op, 5) >= least and (node.op != "neg" or leading)
    return text if bare else f"({text})"


def normalise(text: str) -> str:
    """Return the canonical text of an expression.

    Raises:
        InputError: as `parse`, or if the canonical text is too long.
    """
    shown = canonical(parse(text))
    parse(shown)
    return shown


# Properties -----------------------------------------------------------------------------------------------------


def parity(node: Node) -> str:
    """Return ``even`` or ``odd`` if the form of the expression proves it, else ``none``."""
    if node.op == "x":
        return "odd"
    if not node.args:
        return "even"
    kinds = [parity(argument) for argument in node.args]
    if "none" in kinds:
        return "none"
    if node.op in "+-":
        return kinds[0] if kinds[0] == kinds[1] else "none"
    if node.op in "*/":
        return "even" if kinds[0] == kinds[1] else "odd"
    if node.op == "**":
        return kinds[0] if node.value % 2 else "even"
    if kinds[0] == "even" or node.op in ("cos", "abs"):
        return "even"
    return "odd" if node.op == "neg" or node.op in ODD else "none"


def has_kink(node: Node) -> bool:
    """Whether ``abs`` or ``relu`` occurs: the function may fail to be differentiable at 0, and only there."""
    return node.op in KINKS or any(has_kink(argument) for argument in node.args)


# Taylor arithmetic ----------------------------------------------------------------------------------------------


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

"""Activations as expressions in ``x``: a strict parser and a canonical text.

Trusted.  The language: ``x``, ``pi``, exact decimals, ``+ - * /``, integer powers, and the functions of `FUNCTIONS`.
A parsed text is never run: its
syntax tree is read node by node.  Recurrences and proofs: ``docs/proofs/hermite.md``, section 1.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from ntkproof.checker.activations.nodes import KINKS, ODD, Node, slope
from ntkproof.checker.logic.numbers import InputError, decimal, parse_decimal

if TYPE_CHECKING:
    from fractions import Fraction

    pass

MAX_LENGTH = 500
MAX_DEPTH = 40
MAX_POWER = 64
MAX_DIGITS = 40
FUNCTIONS = ("exp", "log", "sqrt", "sigmoid", "softplus", "cos", *ODD, *KINKS)

_TOKENS = re.compile(r"(?: |\*\*|[-+*/()]|[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?(?![a-z0-9_.])|[a-z]+(?![a-z0-9_.]))*+")
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}

"""Taylor coefficients of order 0, 1, …; an integer 0 is exact and costs nothing."""


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

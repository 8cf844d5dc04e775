"""Expressions in ``x`` as trees, and what is read off their form.

Trusted.  ``abs`` and ``relu`` take a rational multiple of x only, so that every kink is at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

KINKS = ("abs", "relu")


ODD = ("erf", "tanh", "sin", "atan")


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
    if node.op == "/":
        below = _rational(node.args[1])
        return _rational(node.args[0]) / below if below else below
    return node.value if node.op == "number" else Fraction(0)


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


def size(node: Node) -> int:
    """Return the number of nodes."""
    return 1 + sum(map(size, node.args))


def has_kink(node: Node) -> bool:
    """Whether ``abs`` or ``relu`` occurs: the function may fail to be differentiable at 0, and only there."""
    return node.op in KINKS or any(has_kink(argument) for argument in node.args)

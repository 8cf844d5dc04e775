"""σ and σ' at many points, each enclosed by itself: no tables, no floating point.

Trusted.  Proofs: ``docs/proofs/tables.md``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.activations.nodes import Node
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.activations.values import LARGEST, Integers, Values, too_large
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.load import load

COARSE = 64  # bits for what is only an error bound


def values(name: str, z: Integers, p: int, q: int, numbers: Any) -> Values:
    """Return σ, σ' and a bound of their errors at arguments of one dimension; see `activation_values`.

    Args:
        name, z, p, q: see there.
        numbers: an enclosing number context.
    """
    node, error = node_of(name), 0
    known: dict[int, tuple[int, int]] = {}
    with numbers.at(2 * max(p, q) + COARSE) as fine:
        for a in dict.fromkeys(z.tolist()):
            pair = _enclosed_at(name, node, fine, Fraction(a, 1 << p), q)
            known[a] = pair[0][0], pair[1][0]
            if not max(map(abs, known[a])) < LARGEST:
                raise too_large(name)
            error = max(error, pair[0][1], pair[1][1])
    found = np.array([known[a] for a in z.tolist()], np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1], error


def _enclosed_at(name: str, node: Node, numbers: Any, x: Fraction, q: int) -> list[tuple[int, int]]:
    try:
        found = jet(node, numbers, [numbers.rational(x), numbers.rational(1)], 1 if x >= 0 else -1)
        return [numbers.quantise(numbers.rational(0) + value, q) for value in found]
    except (ValueError, ArithmeticError):
        raise undefined(name, x) from None


def node_of(name: str) -> Node:
    """Return the expression of an activation; erf, sin and cos are such too."""
    text = expression_of(name)
    if text is None:
        return Node(name, (Node("x"),))
    node: Node = load("activations.expressions").parse(text)
    return node


def undefined(name: str, x: Fraction) -> Rejection:
    """Return the rejection of a point where σ or σ' is not known."""
    return Rejection("no-enclosure", f"no enclosure of {name[:60]} or of its derivative near x = {float(x):.6g}")

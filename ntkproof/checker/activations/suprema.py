"""Suprema of an activation and its derivatives over the whole line, by branch and bound.

Trusted.  Proofs: ``docs/proofs/hermite.md``, section 2.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.bounds import BITS, largest, octaves, seed, size, tails_of
from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.nodes import has_kink
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.logic.numbers import InputError

if TYPE_CHECKING:
    from ntkproof.checker.activations.bounds import Tail
    from ntkproof.checker.activations.nodes import Node

TOLERANCE = 2**30  # branch and bound stops at a relative gap of 1/TOLERANCE
MAX_BOXES = 2_000


@dataclass(frozen=True)
class Supremum:
    """``lower ≤ sup |f| ≤ upper``; ``upper`` is None if no finite bound is known."""

    lower: Fraction
    upper: Fraction | None


def suprema(text: str, numbers: Any, orders: tuple[int, ...] = (0, 1, 2)) -> tuple[Supremum, ...]:
    """Return ``B0 = sup |σ|``, ``B1 = sup |σ'|`` and ``B2 = sup |σ''|`` over all reals, each two-sided.

    Args:
        text: the expression of σ.
        numbers: an enclosing number context (its precision does not matter).
        orders: of the derivatives.

    Raises:
        InputError: not an expression, not twice differentiable, or no bound was found; the message says why.
    """
    node = parse(text)
    if has_kink(node):
        raise InputError("abs and relu are not twice differentiable at 0")
    with numbers.at(BITS) as coarse:
        start, tails = tails_of(node, coarse, max(orders))
        return tuple(_supremum(node, coarse, start, tails[order], order) for order in orders)


def _supremum(node: Node, numbers: Any, start: int, tails: list[Tail], order: int) -> Supremum:
    """Branch and bound for one derivative; the heap holds (−upper bound, a, b)."""
    outside = [tail.context.bounded(tail) for tail in tails]
    lower = Fraction(0)
    heap: list[tuple[Fraction, Fraction, Fraction]] = []
    for a, b in octaves(start):
        upper, value = _box(node, numbers, a, b, order)
        lower = max(lower, value)
        heapq.heappush(heap, (-upper, a, b))
    if None in outside:
        return Supremum(lower, None)
    far = max(size(numbers, value)[1] for value in outside)
    for _ in range(MAX_BOXES):
        top, a, b = heap[0]
        if -top - lower <= lower / TOLERANCE:
            break
        heapq.heappop(heap)
        for ends in ((a, (a + b) / 2), ((a + b) / 2, b)):
            upper, value = _box(node, numbers, *ends, order)
            lower = max(lower, value)
            heapq.heappush(heap, (-min(upper, -top), *ends))
    return Supremum(lower, max(far, -heap[0][0]))


def _box(node: Node, numbers: Any, a: Fraction, b: Fraction, order: int) -> tuple[Fraction, Fraction]:
    """Return an upper bound of ``|f|`` on ``[a, b]`` and a lower bound of ``|f|`` at its centre, f = σ^(order)."""
    *_, value, derivative = largest(node, numbers, a, b, order + 1)
    half = (b - a) / 2
    at = jet(node, numbers, seed(numbers, a, b, order + 1, True), 1 if b > 0 else -1)
    low, high = (bound * factorial(order) / half**order for bound in size(numbers, at[order]))
    return min(value, high + derivative * half), low

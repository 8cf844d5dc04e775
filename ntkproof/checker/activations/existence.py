"""Whether the expectations that define a kernel exist.

Trusted.
"""

from __future__ import annotations

from functools import lru_cache

from ntkproof.checker.activations.bounds import growth
from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.logic.claim import Rejection


def require_growth(name: str, expression: str) -> None:
    """Reject an activation given by an expression unless it is continuous and of polynomial growth on all reals.

    Without that the expectations that define the kernel need not exist, and nothing can be said of it.
    """
    try:
        _growth(expression)
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", f"no kernel is known to exist for {name[:60]}: {error}") from None


@lru_cache(maxsize=64)
def _growth(expression: str) -> None:
    growth(parse(expression), Intervals(64))

"""Numbers: intervals, balls, fixed point, exact products.  Knows no kernel and no network.

Two arithmetics, ``reference`` and ``fast``, give the same answers by different means.
"""

from __future__ import annotations

from typing import Any

from ntkproof.checker.logic.load import load

ENGINES = ("fast", "reference")


def arithmetic(name: str) -> Any:
    """Return the `Arithmetic` ``reference`` or ``fast``.

    Raises:
        ValueError: any other name.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; there are reference, fast")
    return load(f"arithmetic.{name}").ENGINE

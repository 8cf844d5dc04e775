"""The names of activations.

Trusted.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.load import load
from ntkproof.checker.logic.numbers import InputError, parse_decimal

if TYPE_CHECKING:
    from collections.abc import Callable

EXPRESSIONS = {
    "tanh": "tanh(x)",
    "sigmoid": "sigmoid(x)",
    "softplus": "softplus(x)",
    "gelu": "x*(1 + erf(x/sqrt(2)))/2",
    "silu": "x*sigmoid(x)",
    "gaussian": "exp(-x**2/2)",
}

ACTIVATIONS = ("relu", "leaky_relu", "abs", "identity", "erf", "sin", "cos", *EXPRESSIONS)

DEFAULT_LEAKY_SLOPE = Fraction(1, 100)

CONVERTERS: list[Callable[[Any], str]] = []  # from symbolic expressions to text; the text is what counts


def split_activation(text: str) -> tuple[str, Fraction | None]:
    """Return the name of an activation and the slope of ``leaky_relu(slope)`` (0.01 if not given).

    The name of an expression is its canonical text: ``expr(x*tanh(x))``.

    Raises:
        InputError: unknown name (the message lists those that exist), a slope outside ``[-10, 10]``, or an
            expression outside the language of ``ntkproof.checker.expressions``.
    """
    if isinstance(text, str) and text.startswith("expr(") and text.endswith(")"):
        return f"expr({load('activations.expressions').normalise(text[5:-1])})", None
    match = re.fullmatch(r"([a-z_]+)(?:\(([^()]*)\))?", text) if isinstance(text, str) else None
    if match is None or match[1] not in ACTIVATIONS:
        known = ", ".join("leaky_relu(slope)" if name == "leaky_relu" else name for name in ACTIVATIONS)
        raise InputError(f"unknown activation {str(text)[:60]!r}; there are {known}, expr(…)")
    if match[1] != "leaky_relu":
        if match[2] is not None:
            raise InputError(f"the activation {match[1]} takes no parameter")
        return match[1], None
    slope = DEFAULT_LEAKY_SLOPE if match[2] is None else parse_decimal(match[2])
    if abs(slope) > 10:
        raise InputError(f"the slope of leaky_relu must be from -10 to 10, not {match[2]}")
    return match[1], slope


def expression_of(name: str) -> str | None:
    """Return the expression in ``x`` of an activation that has no closed form here, given its canonical name."""
    return name[5:-1] if name.startswith("expr(") else EXPRESSIONS.get(name)

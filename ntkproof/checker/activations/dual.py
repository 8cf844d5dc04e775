"""Dual activations ``T_σ(q,c,r) = E σ(u)σ(v)`` and ``T_σ'`` for ``(u,v) ~ N(0, [[q,c],[c,r]])``, by name.

Trusted.  Each formula is written once over a number context: intervals and balls give enclosures, floats the search,
SymPy the formula itself.  Sources and independent derivations: ``docs/proofs/kernels.md``, ``docs/proofs/hermite.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.checker.activations.names import expression_of, split_activation
from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from ntkproof.checker.activations.protocols import Activation

CLOSED_FORMS = {
    "relu": "piecewise_linear",
    "leaky_relu": "piecewise_linear",
    "abs": "piecewise_linear",
    "identity": "piecewise_linear",
    "erf": "erf",
    "sin": "waves",
    "cos": "waves",
}


def activation(text: str, terms: int = 0) -> Activation:
    """Return the activation named ``text`` in a `Network`.

    Args:
        text: its name.
        terms: of Hermite expansions, how many coefficients after the first; closed forms ignore it.

    Raises:
        InputError: unknown name.
    """
    name, slope = split_activation(text)
    expression = expression_of(name)
    if expression is not None:
        found: Activation = load("activations.hermite").Smooth(expression, terms)
    else:
        found = load(f"activations.{CLOSED_FORMS[name]}").dual(name, slope)
    return found

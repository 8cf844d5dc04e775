"""Activations as people write them: names in any case, and what to write instead of names and signs not known here.

Untrusted: what comes out is text for `Network`, which the checker reads by its own strict rules.
"""

from __future__ import annotations

import re

from ntkproof.checker.activations.expressions import normalise
from ntkproof.checker.activations.names import ACTIVATIONS, split_activation
from ntkproof.checker.logic.numbers import InputError

SAME = {
    "swish": ("silu", "with a factor b inside, expr(x*sigmoid(b*x))"),
    "logistic": ("sigmoid", ""),
    "linear": ("identity", ""),
    "sine": ("sin", ""),
    "prelu": ("leaky_relu(slope)", ""),
    "leakyrelu": ("leaky_relu(slope)", ""),
    "elu": ("expr(relu(x) + exp(-relu(-x)) - 1)", "with another slope a below 0, a*(exp(-relu(-x)) - 1)"),
    "mish": ("expr(x*tanh(softplus(x)))", ""),
    "softsign": ("expr(x/(1 + abs(x)))", ""),
}
"""Names used elsewhere: what to write here, and for a variant."""

NOT_SAID = {
    **dict.fromkeys(("relu6", "hardtanh", "hardsigmoid", "hardswish"), "a kink must be at x = 0"),
    **dict.fromkeys(("step", "heaviside", "sign"), "an activation must be continuous"),
}
"""Names used elsewhere of functions outside the language of expressions, and why."""

_EXTREME = re.compile(
    r"\b(max|min|maximum|minimum)\(\s*(?:0(?:\.0*)?\s*,\s*([^,()]+?)|([^,()]+?)\s*,\s*0(?:\.0*)?)\s*\)"
)


def activation_name(text: str) -> str:
    """Return an activation with its name in small letters, or say what to write.

    Raises:
        InputError: unknown, or not an expression; the message leads on where the meaning can be guessed.
    """
    known = re.sub(r"^\s*(\w+)", lambda match: match[1].lower(), text).strip()
    try:
        split_activation(known)
        return known
    except InputError as error:
        advice = _advice(known)
        if not advice:
            raise
        reason = str(error).partition(";")[0]  # without the list of what exists
        raise InputError(f"{reason}; {advice}") from None


def _advice(text: str) -> str:
    """Return what to write, or nothing."""
    stem = text.partition("(")[0]
    if stem in ACTIVATIONS:
        return ""
    name = re.sub(r"[\s_-]", "", stem)
    if name in SAME:
        write, variant = SAME[name]
        return f"write {write}" + (f"; {variant}" if variant else "")
    if name in NOT_SAID:
        return f"it cannot be written as an expression: {NOT_SAID[name]}"
    inner = text[5:-1] if text.startswith("expr(") and text.endswith(")") else text
    meant = _EXTREME.sub(_rectified, inner.lower().replace("^", "**"))
    try:
        return f"write expr({normalise(meant)})"
    except InputError:
        return ""


def _rectified(match: re.Match[str]) -> str:
    argument = match[2] or match[3]
    return f"relu({argument})" if match[1].startswith("max") else f"(-relu(-({argument})))"

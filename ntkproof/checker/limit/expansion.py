"""Enclosures of the kernel of an activation without closed form.  Proofs: ``docs/proofs/hermite.md``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.activations.hermite import MAX_TERMS
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.limit.entries import enclosure
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


def _hermite_enclosure(setting: Setting, step: Inputs) -> Derived:
    """`enclosure` of the entries from ``terms`` Hermite coefficients and a bound of the rest."""
    if expression_of(setting.problem.network.activation) is None:
        raise Rejection("wrong-activation", "the activation has a closed form; use kernel_enclosure")
    return enclosure(setting, step, step.integers["terms"])


hermite_enclosure = Rule(
    _hermite_enclosure,
    integers={"precision": (30, 2048), "working_precision": (30, 2048), "terms": (0, MAX_TERMS)},
)

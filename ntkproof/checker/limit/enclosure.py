"""Enclosures of the kernel of an activation with a closed form.  Proofs: ``docs/proofs/kernels.md``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.limit.entries import enclosure
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


def _kernel_enclosure(setting: Setting, step: Inputs) -> Derived:
    """`enclosure` of the entries from their formula."""
    if expression_of(setting.problem.network.activation) is not None:
        raise Rejection("wrong-activation", "the activation has no closed form; use hermite_enclosure")
    return enclosure(setting, step, 0)


kernel_enclosure = Rule(_kernel_enclosure, integers={"precision": (30, 4096), "working_precision": (30, 8192)})

"""A claim taken on trust: the one rule that proves nothing and makes every verdict that rests on it ``holey``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


def _assume(setting: Setting, step: Inputs) -> Derived:
    if not step.stated.assumable:
        raise Rejection("bad-claim", f"a claim of the kind {step.stated.kind} cannot be assumed")
    assumption = f"assumed without proof: {step.stated.described()}"
    return Derived(step.stated, assumptions=frozenset({assumption}), assumed=True)


assume = Rule(_assume)

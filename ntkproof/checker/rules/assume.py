"""A claim taken on trust: the one rule that proves nothing and makes every verdict that rests on it ``holey``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.claims import EigenvalueBound, Rejection, to_fields
from ntkproof.checker.rules.rule import Derived, Inputs, Rule, Setting


def _assume(setting: Setting, step: Inputs) -> Derived:
    claim = step.stated
    if not isinstance(claim, EigenvalueBound):
        raise Rejection("bad-claim", "only an eigenvalue_bound can be assumed")
    fields = to_fields(claim)
    return Derived(
        claim,
        assumptions=frozenset(
            {
                f"assumed without proof: lambda_{claim.eigenvalue} of {claim.matrix}, {claim.side} bound {fields['value']}"
            }
        ),
        assumed=True,
    )


assume = Rule(_assume)

"""A claim taken on trust: the one rule that proves nothing and makes every verdict that rests on it ``holey``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.claims import Bound, EigenvalueBound, LossInequality, Rejection, to_fields
from ntkproof.checker.rules.rule import Derived, Inputs, Rule, Setting


def _assume(setting: Setting, step: Inputs) -> Derived:
    claim = step.stated
    fields = to_fields(claim)
    if isinstance(claim, EigenvalueBound):
        what = f"lambda_{claim.eigenvalue} of {claim.matrix}, {claim.side} bound {fields['value']}"
    elif isinstance(claim, LossInequality):
        what = f"loss inequality with exponent {fields['exponent']}, constant {fields['constant']}, gap {fields['gap']}"
    elif isinstance(claim, Bound):
        what = f"{claim.quantity}, {claim.side} bound {fields['value']}"
    else:
        raise Rejection("bad-claim", "only an eigenvalue_bound, a bound or a loss_inequality can be assumed")
    return Derived(claim, assumptions=frozenset({f"assumed without proof: {what}"}), assumed=True)


assume = Rule(_assume)

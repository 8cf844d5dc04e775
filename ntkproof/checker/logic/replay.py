"""Replays a certificate step by step; the default is to reject.

Trusted.  A step is accepted only if its rule, run on the claims of earlier accepted steps, derives a claim that
supports the stated one; from then on the *stated* claim is what is known.  The conclusion is checked as its own
error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.budget import STEP, spend
from ntkproof.checker.logic.claim import Claim, Rejection, parse_claim
from ntkproof.checker.logic.rule import Proved, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ntkproof.checker.logic.format import Certificate, Step


@dataclass
class Replay:
    """What is known of a certificate, step by step; ``step`` and ``rule`` say where it stands.

    Args:
        setting: what every rule may use.
        rules, kinds: the rules and the kinds of claims there are, by name.
    """

    setting: Setting
    rules: Mapping[str, Rule]
    kinds: Mapping[str, type[Claim]]
    step: str = ""
    rule: str = ""
    proved: dict[str, Proved] = field(default_factory=dict)

    def run(self, certificate: Certificate) -> Proved:
        """Return the conclusion and what it rests on, or raise `Rejection`."""
        if not certificate.steps:
            raise Rejection("empty-derivation", "a certificate without steps proves nothing")
        for step in certificate.steps:
            self.step, self.rule = step.id, step.rule
            if step.id in self.proved:
                raise Rejection("duplicate-step", f"the step id {step.id!r} is used twice")
            self.proved[step.id] = self._accept(step)
        self.step = self.rule = ""
        return self._conclude(certificate)

    def _accept(self, step: Step) -> Proved:
        if step.rule not in self.rules:
            raise Rejection("unknown-rule", f"there is no rule {step.rule!r}")
        for name in step.uses:
            if name not in self.proved:
                raise Rejection("unknown-premise", f"uses {name!r}, which is not an earlier step")
        rule = self.rules[step.rule]
        if rule.about != self.setting.problem.domain.about:
            raise Rejection("wrong-domain", f"the rule {step.rule} is for problems about {rule.about}")
        self.setting.problem.well_defined()
        premises = tuple(self.proved[name] for name in step.uses)
        spend(STEP + 100 * sum(len(premise.events) + 1 for premise in premises))
        stated = parse_claim(step.claim, self.kinds)
        inputs = rule.inputs(step, premises, stated)
        derived = rule.derive(self.setting, inputs)
        _follows(derived.claim, stated)
        events = inputs.events | ({step.id: derived.failure} if derived.failure else {})
        assumptions = derived.assumptions.union(*(premise.assumptions for premise in premises))
        assumed = derived.assumed or any(premise.assumed for premise in premises)
        return Proved(stated, derived.matrix, assumptions, assumed, step.rule, events)

    def _conclude(self, certificate: Certificate) -> Proved:
        stated = parse_claim(certificate.conclusion, self.kinds)
        if not stated.concludes:
            raise Rejection("bad-conclusion", f"a certificate does not end in a claim of the kind {stated.kind}")
        proved = self.proved.get(certificate.conclusion_step)
        if proved is None:
            raise Rejection("bad-conclusion", f"there is no step {certificate.conclusion_step!r}, which it names")
        _follows(proved.claim, stated, "bad-conclusion")
        if proved.events and not stated.probable:
            raise Rejection("bad-conclusion", "the claim holds with a probability that the conclusion does not state")
        self.setting.problem.require_used(stated.about)
        return Proved(stated, None, proved.assumptions, proved.assumed)


def _follows(derived: Any, stated: Any, code: str = "bad-claim") -> None:
    if type(derived) is not type(stated):
        raise Rejection(code, "the stated claim is of another kind", stated.kind, derived.kind)
    derived.supports(stated)

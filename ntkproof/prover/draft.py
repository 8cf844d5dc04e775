"""A proof being written.

Untrusted: it runs the checker's own rules, so that it states only what they derive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, log2
from typing import Any

from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.claim import Claim, Rejection, parse_claim, to_fields
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.rule import Proved, Setting
from ntkproof.checker.table import KINDS, RULES


@dataclass
class Draft:
    """A proof being written: each step is run through its rule and its claim weakened before it is recorded."""

    setting: Setting
    steps: list[Step] = field(default_factory=list)
    proved: dict[str, Proved] = field(default_factory=dict)

    def derive(
        self,
        id: str,
        rule: str,
        uses: tuple[str, ...] = (),
        args: Mapping[str, int | str] | None = None,
        witness: Mapping[str, Array] | None = None,
        weaken: Callable[[Any], Claim] = lambda claim: claim,
        stated: Claim | None = None,
    ) -> Any:
        """Run a rule, record the step with its weakened claim, and return that claim."""
        step = Step(id, rule, uses, args or {}, witness or {})
        premises = tuple(self.proved[name] for name in uses)
        placeholder = stated or EigenvalueBound("kernel", "min", "lower", Fraction(0))
        inputs = RULES[rule].inputs(step, premises, placeholder)
        derived = RULES[rule].derive(self.setting, inputs)
        fields = to_fields(weaken(derived.claim))
        claim = parse_claim(fields, KINDS)
        events = inputs.events | ({id: derived.failure} if derived.failure else {})
        self.proved[id] = Proved(claim, derived.matrix, rule=rule, events=events)
        self.steps.append(Step(id, rule, uses, step.args, step.witness, fields))
        return claim

    def adopt(self, step: Step) -> None:
        """Add a step of another proof about the same dataset, network and kernel."""
        self.derive(
            step.id, step.rule, step.uses, step.args, step.witness, lambda claim: parse_claim(step.claim, KINDS)
        )

    def certificate(self) -> Certificate:
        """Return the certificate that concludes the last step."""
        last = self.steps[-1]
        return Certificate(self.setting.problem, tuple(self.steps), last.id, last.claim)


def round_decimal(value: Fraction, grid: Fraction, up: bool) -> Fraction:
    """Return ``value`` rounded outward to a multiple of the largest power of ten ≤ ``grid``."""
    power = floor(log2(grid.numerator) - log2(grid.denominator)) if grid > 0 else -400
    unit = Fraction(10) ** floor(power * 0.30103)
    return (ceil(value / unit) if up else floor(value / unit)) * unit


def why(error: Rejection) -> str:
    """Return the reason of a rejection in one line, with the numbers where it has some."""
    numbers = [f"{word} {value}" for word, value in (("needed", error.needed), ("found", error.derived)) if value]
    return f"{error}" + (f" ({', '.join(numbers)})" if numbers else "")

"""What is claimed of a training.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ntkproof.checker.logic.claim import LOWER, TRAINING, UPPER, Claim, claim_field
from ntkproof.checker.logic.reading import number, word

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class Convergence(Claim):
    """With probability at least ``1 − failure`` over the initialisation, training at this width converges.

    For ``flow``: ``L(t) ≤ e^{−rate t} L(0)``, ``‖θ_t − θ_0‖ ≤ radius`` and ``‖H_t − H_0‖ ≤ kernel_deviation`` for all
    t ≥ 0.  For ``descent`` with step η the same with ``L(k) ≤ (1 − η rate)^k L(0)``.  ``mean_flow`` is gradient flow on
    ``‖r‖²/(2n)`` in place of ``½‖r‖²``.
    """

    kind: ClassVar[str] = "convergence"
    concludes: ClassVar[bool] = True
    about: ClassVar[str] = TRAINING
    probable: ClassVar[bool] = True
    dynamics: str = claim_field(word(("flow", "descent", "mean_flow")))
    width: Fraction = claim_field(number)
    rate: Fraction = claim_field(number, LOWER)
    failure: Fraction = claim_field(number, UPPER)
    radius: Fraction = claim_field(number, UPPER)
    kernel_deviation: Fraction = claim_field(number, UPPER)

    def flaw(self) -> str:
        return "" if self.failure < 1 else "a failure probability of 1 or more says nothing"

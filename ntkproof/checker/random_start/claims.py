"""What is claimed of a network at its start and around it.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ntkproof.checker.logic.claim import UPPER, Claim, Rejection, claim_field
from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.logic.reading import number, word

if TYPE_CHECKING:
    from fractions import Fraction

    from ntkproof.checker.logic.rule import Proved

QUANTITIES = {
    "residual": "upper",  # ‖r_0‖
    "loewner": "lower",  # s with H_0 ⪰ s H∞
    "initial_deviation": "upper",  # ‖H_0 − H∞‖
    "initial_lambda_min": "lower",  # λ_min(H_0)
    "inverse_form": "upper",  # yᵀ H∞⁻¹ y
    "linearised_path": "upper",  # r_0ᵀ H_0⁻¹ r_0: the squared distance to the solution of the linearised problem
    "jacobian_norm": "upper",  # ‖J‖ everywhere
    "initial_jacobian_norm": "upper",  # ‖J_0‖
    "neuron_jacobian_norm": "upper",  # ‖∂u/∂w_r‖ for every neuron r, everywhere
    "output_weights": "upper",  # max_r |a_r| at initialisation
}


@dataclass(frozen=True)
class Bound(Claim):
    """One side (`QUANTITIES`) of a quantity of the network at initialisation."""

    kind: ClassVar[str] = "bound"
    quantity: str = claim_field(word(tuple(QUANTITIES)))
    value: Fraction = claim_field(number, "side")
    assumable: ClassVar[bool] = True

    def described(self) -> str:
        return f"{self.quantity}, {self.side} bound {decimal(self.value)}"

    @property
    def side(self) -> str:
        """Whether ``value`` is a lower or an upper bound."""
        return QUANTITIES[self.quantity]


@dataclass(frozen=True)
class JacobianDeviation(Claim):
    """``‖J(θ) − J(θ_0)‖ ≤ offset + slope s`` whenever ``‖θ − θ_0‖ ≤ s``, for every s.

    ``lipschitz``: ``yes``, ``slope`` is also a Lipschitz constant of ``J`` everywhere; ``path``, also
    ``‖J(p) − J(q)‖ ≤ offset + slope s`` for any two points of a path of length s from ``θ_0``; or ``no``.
    """

    kind: ClassVar[str] = "jacobian_deviation"
    offset: Fraction = claim_field(number, UPPER)
    slope: Fraction = claim_field(number, UPPER)
    lipschitz: str = claim_field(word(("no", "path", "yes")), ("no", "path", "yes"))


def value(premise: Proved, quantity: str) -> Fraction:
    """Return the value of a premise that bounds ``quantity``."""
    claim = premise.claim
    if not isinstance(claim, Bound) or claim.quantity != quantity:
        raise Rejection("bad-premises", f"a premise must bound {quantity}")
    return claim.value

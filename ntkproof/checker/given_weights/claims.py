"""What is claimed of a network at given weights and near them.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ntkproof.checker.logic.claim import LOWER, UPPER, Claim, claim_field
from ntkproof.checker.logic.reading import number, word

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class LocalDeviation(Claim):
    """For ``‖θ − θ_0‖ ≤ radius``: ``‖J(θ) − J(θ_0)‖ ≤ offset + slope ‖θ − θ_0‖`` and ``‖J(θ)‖ ≤ norm``.

    ``lipschitz``: ``yes``, ``slope`` is also a Lipschitz constant of ``J`` on that ball and ``offset`` is 0; ``path``,
    also ``‖J(p) − J(q)‖ ≤ offset + slope s`` for any two points of a path of length ``s ≤ radius`` from θ_0; ``no``.
    """

    kind: ClassVar[str] = "local_deviation"
    radius: Fraction = claim_field(number, LOWER)
    offset: Fraction = claim_field(number, UPPER)
    slope: Fraction = claim_field(number, UPPER)
    lipschitz: str = claim_field(word(("no", "path", "yes")), ("no", "path", "yes"))
    norm: Fraction = claim_field(number, UPPER)

    def flaw(self) -> str:
        return "a Lipschitz constant needs the offset 0" if self.lipschitz == "yes" and self.offset != 0 else ""


@dataclass(frozen=True)
class NearbyPoint(Claim):
    """There is a point p with ``‖p − θ_0‖ ≤ distance``, ``‖u(p) − y‖ ≤ residual`` and ``λ_min(J_p J_pᵀ) ≥ lambda_min``.

    ``u`` are the outputs on the data and ``J_p`` their Jacobian at p.
    """

    kind: ClassVar[str] = "nearby_point"
    distance: Fraction = claim_field(number, UPPER)
    residual: Fraction = claim_field(number, UPPER)
    lambda_min: Fraction = claim_field(number, LOWER)

"""From given weights to ``L(t) ≤ e^{−ct} L(0)``, nothing random.  Proofs: ``docs/proofs/instance.md``.

Trusted.  ``σ_0 ≤ σ_min(J_0)``, ``ρ_0 ≥ ‖r_0‖``; in the ball of radius ``R̄`` around ``θ_0``, ``‖J‖ ≤ β`` and
``‖J(θ) − J_0‖ ≤ a + b s`` at the distance s, and, for what is said to need it, ``b = Λ`` is a Lipschitz constant of J.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.scalars import lower, upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import DYNAMICS, descent_factor
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.given_weights.given import given
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import exact
from ntkproof.checker.logic.rule import Derived, Proved, Setting, require

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers

# The bounds, over any number context ----------------------------------------------------------------------------


def drift(numbers: Numbers, norm: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``‖H(θ) − H_0‖ ≤ 2β(a + bR)``."""
    return 2 * norm * (offset + slope * radius)


# The rules ------------------------------------------------------------------------------------------------------


def descent_terms(setting: Setting, ball: LocalDeviation, residual: Fraction) -> tuple[Fraction, Fraction]:
    """Return the step size and ``κ = 1 − ηβ²/2 − ηΛρ_0/2 > 0``."""
    if ball.lipschitz != "yes":
        raise Rejection("hypothesis", "gradient descent needs a Lipschitz Jacobian", "lipschitz: yes", "no")
    eta = exact(given(setting).step_size or 0)
    factor = lower(descent_factor, eta, ball.norm, ball.slope, residual)
    require("κ > 0", factor, Fraction(0))
    return eta, factor


def ball_of(premise: Proved) -> LocalDeviation:
    """Return the claim of a premise that must be a local_deviation."""
    if not isinstance(premise.claim, LocalDeviation):
        raise Rejection("bad-premises", "a premise must be a local_deviation")
    return premise.claim


def converges(setting: Setting, rate: Fraction, radius: Fraction, ball: LocalDeviation) -> Derived:
    """Return the convergence of a training that stays within the radius."""
    weights = given(setting)
    dynamics = "flow" if weights.step_size is None else "descent"
    moved = upper(drift, ball.norm, ball.offset, ball.slope, radius)
    claim = Convergence(dynamics, Fraction(weights.width), rate, Fraction(0), radius, moved)
    return Derived(claim, assumptions=frozenset({f"the network is trained by {DYNAMICS[dynamics]}"}))

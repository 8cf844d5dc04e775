"""How fast the Jacobian of a smooth network changes near given weights.  Proofs: ``docs/proofs/local-deviation.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction

from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.given_weights.evaluation import Evaluator
from ntkproof.checker.given_weights.given import evaluation, given
from ntkproof.checker.given_weights.local_deviation import lipschitz
from ntkproof.checker.given_weights.profile import profile
from ntkproof.checker.logic.arguments import positive
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


def _given_deviation(setting: Setting, step: Inputs) -> Derived:
    """``Λ(R)``, a Lipschitz constant of J in the ball of radius R, and ``‖J‖ ≤ ‖J_0‖ + Λ(R)R`` there."""
    radius, matrices = positive(step, "radius"), step.names["paths"] == "matrices"
    at, key = evaluation(setting), f"profile-{matrices}"
    if key not in setting.cache:
        evaluator = Evaluator(setting.arithmetic, setting.problem, given(setting), setting.tick)
        try:
            setting.cache[key] = profile(evaluator, at, matrices)
        except OverflowError as error:
            raise Rejection("no-enclosure", f"the network's numbers are too large: {error}") from None
    found = setting.cache[key]
    slope = upper(lambda numbers, r: lipschitz(numbers, found.within(numbers), r), radius)
    return Derived(LocalDeviation(radius, Fraction(0), slope, "yes", found.jacobian + slope * radius))


given_deviation = Rule(_given_deviation, numbers=("radius",), names={"paths": ("weights", "matrices")})

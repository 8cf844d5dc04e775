"""The loss ``‖r‖²/(2n)`` in place of ``½‖r‖²``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.two_layer import trained

MEAN_LOSS = "gradient flow on ‖r‖²/(2n) is gradient flow on ½‖r‖² with the time divided by n"


def _mean_loss(setting: Setting, step: Inputs) -> Derived:
    """From the loss ``½‖r‖²`` to ``‖r‖²/(2n)``: the same path, every rate divided by n."""
    claim = step.premises[0].claim
    trained(setting)
    if not isinstance(claim, Convergence) or claim.dynamics != "flow":
        raise Rejection("bad-premises", "the premise must be a convergence of gradient flow")
    rate = claim.rate / setting.problem.dataset.n
    others = (claim.failure, claim.radius, claim.kernel_deviation)
    return Derived(Convergence("mean_flow", claim.width, rate, *others), assumptions=frozenset({MEAN_LOSS}))


mean_loss = Rule(_mean_loss, (Convergence,))

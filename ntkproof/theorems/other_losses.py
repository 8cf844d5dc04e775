"""The theorem for losses other than ``½‖u − y‖²``: two layers, hidden weights trained, gradient flow.

Matrix Chernoff for the spectrum at the start; then the master theorem with ``(ℓ(u_0) − ℓ*)^{1−b}/((1−b)α)`` in place
of the residual, for a loss with ``α (ℓ − ℓ*)^b ≤ ‖∇ℓ‖``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import exp, inf, log, nan, sqrt
from typing import Any

from ntkproof.checker.convergence.other_losses import LOSS_TABLE, LossInequality, required_spending
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.random_start.deviation import flip_offset, flip_slope, near_share, smooth_slope
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems import steps
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.relu import maximise
from ntkproof.theorems.theorem import Hypothesis, Plan

CONSTANTS = ("exponent", "alpha", "gap")
LOSSES = (*LOSS_TABLE, "custom")
_SAFETY = 1 + 1e-6
_SHARES = (0.01, 0.1, 0.3, 0.6)
_ROUNDED = {"constant": False, "gap": True, "rate": False, "radius": True, "kernel_deviation": True}


@dataclass(frozen=True)
class OtherLoss:
    """The theorem for one loss: a `Theorem`.

    Args:
        loss: ``squared``, ``quartic`` or ``custom``.
        inequality: of a custom loss, as the user supplies it: the certificate assumes it.
    """

    loss: str
    inequality: LossInequality | None = None
    source: str = "Bowman 2023, section 2.1, and the path-length argument (docs/proofs/other-losses.md)"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"for the {self.loss} loss"

    def plan(self, facts: Facts, failure: float, width: int) -> Plan:
        """Return the best plan at a width over the split of the failure probability, δ and τ.

        Raises:
            InputError: the dynamics is not gradient flow.
        """
        if facts.network.training.step_size is not None:
            raise InputError("the theorem for other losses is about gradient flow; leave the step size out")
        certain = self.inequality is not None or facts.network.training.init == "antisymmetric"
        smooth = facts.network.curvature_squared is not None
        plans = [
            self._at(facts, width, failure * rest, failure * flips, failure * (1 - rest - flips))
            for rest in ((0.0,) if certain else _SHARES)
            for flips in ((0.0,) if smooth else (1 - rest - x for x in _SHARES))
            if rest + flips < 1 and flips >= 0
        ]
        return max(plans, key=lambda p: (p.holds, p.rate if p.holds else _closeness(p)))

    def _at(self, facts: Facts, width: int, rest: float, flips: float, spectrum: float) -> Plan:
        delta = steps.least_delta(facts, spectrum, width)
        sigma = sqrt(max((1 - delta) * facts.lambda_0, 0))
        spend = self._spending(facts, rest) * _SAFETY
        tau = _best_tau(facts, width, flips, sigma)
        offset, slope = _deviation(facts, width, flips, tau)
        room = (sigma - offset) ** 2 / (2 * slope) if sigma > offset else 0.0
        hypotheses = (
            Hypothesis("1 > δ: H_0 ⪰ (1-δ)H∞ with the probability wanted", delta, 1.0),
            Hypothesis("σ_0 > a, ‖J - J_0‖ ≤ a + bs", offset, sigma),
            Hypothesis("(σ_0 - a)²/(2b) > (ℓ(u_0) - ℓ*)^(1-b')/((1-b')α)", spend, room),
        )
        args = {"delta": delta, "tau": tau, "spectrum_failure": spectrum, "residual_failure": rest, "flips": flips}
        if not all(h.holds for h in hypotheses):
            return Plan(width, "loss_kantorovich", args, hypotheses, nan, nan)
        radius = steps.radius_that_spends(sigma, offset, slope, spend)
        least = sigma - offset - slope * radius
        rate = (least * float(self._constants(facts)[1])) ** 2
        return Plan(width, "loss_kantorovich", {**args, "radius": radius}, hypotheses, rate, radius)

    def _constants(self, facts: Facts) -> tuple[Fraction, Any]:
        """Return the exponent and the constant."""
        if self.inequality is not None:
            return self.inequality.exponent, self.inequality.constant
        exponent, constant, _ = LOSS_TABLE[self.loss]
        return exponent, constant(FLOATS, facts.n)

    def _spending(self, facts: Facts, rest: float) -> float:
        """Return what the path has to spend."""
        exponent, constant = self._constants(facts)
        if self.inequality is not None:
            gap = float(self.inequality.gap)
        else:
            gap = LOSS_TABLE[self.loss][2](FLOATS, steps.residual(facts, rest) * _SAFETY, facts.n)
        return float(required_spending(FLOATS, float(exponent), float(constant), gap))

    def prove(self, draft: Draft, facts: Facts, plan: Plan, failure: Fraction) -> None:
        """Add the steps of a plan that holds."""
        steps.prove_spectrum(draft, plan)
        if self.inequality is None:
            steps.prove_start(draft, plan)
            draft.derive("loss", "loss_inequality", ("residual",), {"loss": self.loss}, weaken=_round)
        else:
            draft.derive("loss", "assume", stated=self.inequality)
        if facts.network.curvature_squared is not None:
            draft.derive("deviation", "smooth_deviation", ("hadamard",), weaken=steps.round_deviation)
        else:
            flips = {"tau": steps.short(plan.args["tau"]), "failure": steps.short(plan.args["flips"], up=False)}
            draft.derive("deviation", "flip_deviation", ("norm",), flips, weaken=steps.round_deviation)
        uses = ("sigma", "loss", "deviation", "jacobian_norm")
        draft.derive(
            "convergence", "loss_kantorovich", uses, {"radius": steps.short(plan.args["radius"])}, weaken=_round
        )


def _closeness(plan: Plan) -> float:
    return min((h.have / h.needed if h.needed > 0 else inf) for h in plan.hypotheses if not h.holds)


def _deviation(facts: Facts, width: int, flips: float, tau: float) -> tuple[float, float]:
    """Return a and b in ``‖J − J_0‖ ≤ a + bs``."""
    network = facts.network
    if network.curvature_squared is not None:
        return 0.0, float(smooth_slope(FLOATS, float(network.curvature_squared), facts.hadamard, width)) * _SAFETY
    jump, share = (
        float(network.jump_squared),
        near_share(FLOATS, tau, facts.n, max(facts.neurons(width), 1), flips),
    )
    offset = float(flip_offset(FLOATS, jump, facts.norm_squared, share)) * _SAFETY
    return offset, float(flip_slope(FLOATS, jump, facts.norm_squared, tau, width)) * _SAFETY


def _best_tau(facts: Facts, width: int, flips: float, sigma: float) -> float:
    """Return the τ that leaves the most to spend; 1 where none is needed."""
    if facts.network.curvature_squared is not None:
        return 1.0

    def room(x: float) -> float:
        offset, slope = _deviation(facts, width, flips, exp(x))
        return (sigma - offset) ** 2 / (2 * slope) if sigma > offset else sigma - offset

    return exp(maximise(room, log(1e-12), log(1.0)))


def _round(claim: Any) -> Any:
    """Round a claim about a loss outward to about ten digits."""
    return replace(
        claim, **{k: steps.rounded(getattr(claim, k), up) for k, up in _ROUNDED.items() if hasattr(claim, k)}
    )


def other_loss(loss: str, constants: Mapping[str, Fraction]) -> OtherLoss:
    """Return the theorem for a loss; ``constants`` are what the user supplies for a custom one.

    Raises:
        InputError: unknown loss, or constants that are missing, out of range, or for another loss.
    """
    if loss not in LOSSES:
        raise InputError(f"unknown loss {loss!r}; there are {', '.join(LOSSES)}")
    if loss != "custom":
        if constants:
            raise InputError(f"the constants {', '.join(constants)} are not for the loss {loss}")
        return OtherLoss(loss)
    if set(constants) != set(CONSTANTS):
        raise InputError(f"a custom loss needs the constants {', '.join(CONSTANTS)}: alpha (ℓ - ℓ*)^exponent ≤ ‖∇ℓ‖")
    exponent, alpha, gap = (constants[name] for name in CONSTANTS)
    if not (0 <= exponent < 1 and alpha > 0 and gap > 0):
        raise InputError("the exponent must be from 0 to below 1, alpha and gap positive")
    return OtherLoss(loss, LossInequality("custom", exponent, alpha, gap))

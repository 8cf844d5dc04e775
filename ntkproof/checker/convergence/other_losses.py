"""Gradient flow on losses with an inequality ``α (ℓ − ℓ*)^b ≤ ‖∇ℓ‖`` in function space.

Trusted.  The master theorem of ``convergence`` with the residual replaced by ``(ℓ − ℓ*)^{1−b}/((1−b)α)``.
Proofs: ``docs/proofs/other-losses.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from ntkproof.checker.arithmetic.scalars import lower, root_below, upper
from ntkproof.checker.convergence.formulas import kernel_deviation, least_singular_value, spent_residual
from ntkproof.checker.convergence.master import initial_norm
from ntkproof.checker.logic.arguments import total_failure
from ntkproof.checker.logic.claim import LOWER, TRAINING, UPPER, Claim, Rejection, claim_field, show
from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.logic.reading import number, word
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation, value
from ntkproof.checker.random_start.two_layer import trained

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Scalars

LOSSES = ("squared", "quartic", "custom")


@dataclass(frozen=True)
class LossInequality(Claim):
    """``constant (ℓ − ℓ*)^exponent ≤ ‖∇ℓ‖`` on ``ℝⁿ`` where ``ℓ > ℓ* = inf ℓ``, and ``ℓ(u_0) − ℓ* ≤ gap``.

    ``loss``, a function of the outputs u: ``squared``, ``½‖u − y‖²``; ``quartic``, ``¼Σ(u_i − y_i)⁴``; ``custom``,
    another one, continuous, and continuously differentiable where ``ℓ > ℓ*``.
    """

    kind: ClassVar[str] = "loss_inequality"
    assumable: ClassVar[bool] = True
    loss: str = claim_field(word(LOSSES))
    exponent: Fraction = claim_field(number)
    constant: Fraction = claim_field(number, LOWER)
    gap: Fraction = claim_field(number, UPPER)

    def described(self) -> str:
        exponent, constant, gap = (decimal(x) for x in (self.exponent, self.constant, self.gap))
        return f"loss inequality with exponent {exponent}, constant {constant}, gap {gap}"


@dataclass(frozen=True)
class LossConvergence(Claim):
    """With probability at least ``1 − failure``, gradient flow on ``ℓ(u(θ))``, a `LossInequality` loss, converges.

    Its path is no longer than ``radius``, ``‖H_t − H_0‖ ≤ kernel_deviation``, and ``g = ℓ(u_t) − ℓ*`` has
    ``g' ≤ −rate g^{2b}``, b = ``exponent``, until it is 0 and stays 0: ``g(t) ≤ e^{−rate t} g(0)`` for b = ½,
    ``g(t) ≤ (g(0)^{−(2b−1)} + (2b−1) rate t)^{−1/(2b−1)}`` for b > ½, ``g(t) = 0`` from some time on for b < ½.
    """

    kind: ClassVar[str] = "loss_convergence"
    concludes: ClassVar[bool] = True
    about: ClassVar[str] = TRAINING
    probable: ClassVar[bool] = True
    loss: str = claim_field(word(LOSSES))
    exponent: Fraction = claim_field(number)
    width: Fraction = claim_field(number)
    rate: Fraction = claim_field(number, LOWER)
    failure: Fraction = claim_field(number, UPPER)
    radius: Fraction = claim_field(number, UPPER)
    kernel_deviation: Fraction = claim_field(number, UPPER)


# The bounds, over any number context ----------------------------------------------------------------------------


def required_spending(numbers: Scalars, exponent: Any, constant: Any, gap: Any) -> Any:
    """``(ℓ(u_0) − ℓ*)^{1−b}/((1−b)α)``: as long as ``Φ`` stays below it the loss may stay above its infimum."""
    return numbers.exp((1 - exponent) * numbers.log(gap)) / ((1 - exponent) * constant)


def squared_gap(numbers: Scalars, residual: Any, n: Any) -> Any:
    """``½ρ_0²``."""
    return residual * residual / 2


def quartic_gap(numbers: Scalars, residual: Any, n: Any) -> Any:
    """``¼ρ_0⁴ ≥ ¼Σ r_i⁴``."""
    return residual * residual * residual * residual / 4


def squared_constant(numbers: Scalars, n: Any) -> Any:
    """``√2``: ``‖r‖ = √2 (½‖r‖²)^{1/2}``."""
    return numbers.sqrt(numbers.rational(2))


def quartic_constant(numbers: Scalars, n: Any) -> Any:
    """``4^{3/4} n^{-1/4}``: ``(Σ r_i⁶)^{1/2} ≥ n^{-1/4} (Σ r_i⁴)^{3/4}``."""
    return numbers.sqrt(8 / numbers.sqrt(n))


LOSS_TABLE = {
    "squared": (Fraction(1, 2), squared_constant, squared_gap),
    "quartic": (Fraction(3, 4), quartic_constant, quartic_gap),
}

# The rules ------------------------------------------------------------------------------------------------------


def _loss_inequality(setting: Setting, step: Inputs) -> Derived:
    """The inequality of a loss of the table, from ``‖u_0 − y‖ ≤ ρ_0``."""
    residual, n = value(step.premises[0], "residual"), setting.problem.dataset.n
    exponent, constant, gap = LOSS_TABLE[step.names["loss"]]
    claim = LossInequality(step.names["loss"], exponent, lower(constant, n), upper(gap, residual, n))
    return Derived(claim)


def _loss_kantorovich(setting: Setting, step: Inputs) -> Derived:
    """If ``ε(R) < σ_0`` and ``(1−b) α Φ(R) > (ℓ(u_0) − ℓ*)^{1−b}``, the flow never leaves the ball of radius R."""
    training = trained(setting).training
    if training.step_size is not None:
        raise Rejection("outside-theorem", "the theorem is about gradient flow", "no step size", "gradient descent")
    loss, deviation, radius = step.premises[1].claim, step.premises[2].claim, step.numbers["radius"]
    lambda_min, norm = value(step.premises[0], "initial_lambda_min"), initial_norm(step.premises[3])
    if not isinstance(loss, LossInequality) or not isinstance(deviation, JacobianDeviation):
        raise Rejection("bad-premises", "the premises must be a loss_inequality and a jacobian_deviation")
    if not 0 <= loss.exponent < 1:
        raise Rejection("hypothesis", "the exponent must be from 0 to below 1", "0 <= b < 1", show(loss.exponent, 6))
    if not (loss.constant > 0 and loss.gap > 0 and radius > 0):
        raise Rejection("bad-argument", "the constant, the gap and the radius must be positive")
    require("λ_min(H_0) > 0", lambda_min, Fraction(0))
    sigma = root_below(lambda_min)
    ball = (deviation.offset, deviation.slope, radius)
    least = lower(least_singular_value, sigma, *ball)
    require("σ_min > 0 in the ball", least, Fraction(0))
    required = upper(required_spending, loss.exponent, loss.constant, loss.gap)
    require("(1-b) α Φ(R) > (ℓ(u_0) - ℓ*)^(1-b)", lower(spent_residual, sigma, *ball), required)
    failure = total_failure(step)
    rate, drift = (least * loss.constant) ** 2, upper(kernel_deviation, norm, *ball)
    claim = LossConvergence(loss.loss, loss.exponent, Fraction(training.width), rate, failure, radius, drift)
    return Derived(claim, assumptions=frozenset({f"the network is trained by gradient flow on the {loss.loss} loss"}))


loss_inequality = Rule(_loss_inequality, (Bound,), names={"loss": tuple(LOSS_TABLE)})
loss_kantorovich = Rule(_loss_kantorovich, (Bound, LossInequality, JacobianDeviation, Bound), numbers=("radius",))

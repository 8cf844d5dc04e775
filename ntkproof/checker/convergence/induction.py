"""Convergence by continuous induction: the kernel moves little in a ball, so the flow stays in the ball.

Trusted.  The classical argument (Du et al. 2019, section 3; Bowman 2023, section 2.3), for networks whose hidden
weights are trained by gradient flow on ``½‖r‖²``.  Proofs: ``docs/proofs/bowman2023.md``, ``docs/proofs/du2019.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from ntkproof.checker.activations.names import split_activation
from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.formulas import DYNAMICS
from ntkproof.checker.logic.arguments import in_open_unit, positive, total_failure
from ntkproof.checker.logic.claim import LOWER, UPPER, Claim, Rejection, claim_field, show
from ntkproof.checker.logic.reading import number, word
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.assumptions import DIFFERENTIAL_INCLUSION, GAUSSIAN
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation, value
from ntkproof.checker.random_start.two_layer import TwoLayer, hidden_training, trained

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers
    from ntkproof.checker.problem.dataset import Dataset

BALLS = ("parameters", "neurons")


@dataclass(frozen=True)
class KernelStability(Claim):
    """``‖H(θ) − H(θ_0)‖ ≤ deviation`` for every θ in a ball around ``θ_0``.

    ``ball``: ``parameters``, ``‖θ − θ_0‖ ≤ radius``, or ``neurons``, ``‖w_r − w_r(0)‖ ≤ radius`` for every neuron r.
    """

    kind: ClassVar[str] = "kernel_stability"
    ball: str = claim_field(word(BALLS))
    radius: Fraction = claim_field(number, LOWER)
    deviation: Fraction = claim_field(number, UPPER)


@dataclass(frozen=True)
class Trajectory(Claim):
    """Gradient flow on ``½‖r‖²``: ``λ_min(H_t) ≥ lambda_min`` and ``‖H_t − H_0‖ ≤ deviation`` for all t ≥ 0."""

    kind: ClassVar[str] = "trajectory"
    lambda_min: Fraction = claim_field(number, LOWER)
    deviation: Fraction = claim_field(number, UPPER)


UNIT_TOLERANCE = Fraction(1, 10**9)

# The bounds, over any number context ----------------------------------------------------------------------------


def kernel_drift(numbers: Numbers, norm: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``2Kε(R) ≥ ‖H(θ) − H(θ_0)‖`` in the ball of radius R, ``K ≥ ‖J‖`` everywhere."""
    return 2 * norm * (offset + slope * radius)


def expected_flips(numbers: Numbers, n: Any, longest: Any, radius: Any, failure: Any) -> Any:
    """``2√(2/π) n² x_max² R/p``: Markov for the activations that weights within R of the initial ones can flip."""
    return 2 * numbers.sqrt(2 / numbers.pi) * n * n * longest * radius / failure


def neuron_norm(numbers: Numbers, n: Any, longest: Any, width: Any) -> Any:
    """``√n x_max/√m ≥ ‖∂u/∂w_r‖``, ``longest = x_max²``."""
    return numbers.sqrt(n * longest / width)


def path_length(numbers: Numbers, residual: Any, least: Any) -> Any:
    """``ρ_0/√c``: the length of the path while ``λ_min(H_t) ≥ c``, by the residual it spends."""
    return residual / numbers.sqrt(least)


# The rules ------------------------------------------------------------------------------------------------------


def _kernel_stability(setting: Setting, step: Inputs) -> Derived:
    """``‖H(θ) − H(θ_0)‖ ≤ (‖J(θ)‖ + ‖J(θ_0)‖) ‖J(θ) − J(θ_0)‖``."""
    claim, norm = step.premises[0].claim, value(step.premises[1], "jacobian_norm")
    if not isinstance(claim, JacobianDeviation):
        raise Rejection("bad-premises", "the first premise must be a jacobian_deviation")
    radius = positive(step, "radius")
    deviation = upper(kernel_drift, norm, claim.offset, claim.slope, radius)
    return Derived(KernelStability("parameters", radius, deviation))


def _markov_flips(setting: Setting, step: Inputs) -> Derived:
    """``‖H(w) − H(w(0))‖_F ≤ Σ_ij |·|`` for all ``w`` with ``‖w_r − w_r(0)‖ ≤ R``, by Markov (Du et al., Lemma 3.2)."""
    _relu(setting)
    radius, stated = positive(step, "radius"), in_open_unit(step, "failure")
    dataset = setting.problem.dataset
    deviation = upper(expected_flips, dataset.n, longest_unit(dataset), radius, stated)
    return Derived(
        KernelStability("neurons", radius, deviation),
        assumptions=frozenset({GAUSSIAN, DIFFERENTIAL_INCLUSION}),
        failure=stated,
    )


def _neuron_jacobian_norm(setting: Setting, step: Inputs) -> Derived:
    """``‖∂u/∂w_r‖ ≤ √(Σ_i ‖x_i‖²/m)`` for every neuron of a ReLU network."""
    network, dataset = _relu(setting), setting.problem.dataset
    bound = upper(neuron_norm, dataset.n, longest_unit(dataset), network.training.width)
    return Derived(Bound("neuron_jacobian_norm", bound))


def _continuous_induction(setting: Setting, step: Inputs) -> Derived:
    """``c = λ_min(H_0) − D > 0``, and what moves while ``λ_min(H_t) ≥ c`` moves at most ``R``: so it stays so.

    ``movement``: ``speed``, ``∫ K‖r‖ ≤ Kρ_0/c``, or ``length``, ``ρ_0/√c``.
    """
    if trained(setting).training.step_size is not None:
        raise Rejection("outside-theorem", "the theorem is about gradient flow", "no step size", "gradient descent")
    stability = step.premises[1].claim
    if not isinstance(stability, KernelStability):
        raise Rejection("bad-premises", "the second premise must be a kernel_stability")
    norm = value(step.premises[2], "jacobian_norm" if stability.ball == "parameters" else "neuron_jacobian_norm")
    residual = value(step.premises[3], "residual")
    least = value(step.premises[0], "initial_lambda_min") - stability.deviation
    if not least > 0:
        raise Rejection("hypothesis", "the hypothesis λ_min(H_0) > ‖H_t − H_0‖ fails", "> 0", show(least, 6))
    moved = norm * residual / least if step.names["movement"] == "speed" else upper(path_length, residual, least)
    if not moved <= stability.radius:
        raise Rejection("hypothesis", "the flow may leave the ball", f"<= {show(stability.radius, 6)}", show(moved, 6))
    return Derived(
        Trajectory(least, stability.deviation),
        assumptions=frozenset({f"the network is trained by {DYNAMICS['flow']}"}),
    )


def _groenwall(setting: Setting, step: Inputs) -> Derived:
    """``L' = −rᵀH_t r ≤ −2cL``, so ``L(t) ≤ e^{−2ct}L(0)``."""
    claim, residual = step.premises[0].claim, value(step.premises[1], "residual")
    if not isinstance(claim, Trajectory) or not claim.lambda_min > 0:
        raise Rejection("bad-premises", "the first premise must be a trajectory with a positive eigenvalue")
    failure = total_failure(step)
    width, radius = Fraction(trained(setting).training.width), upper(path_length, residual, claim.lambda_min)
    return Derived(Convergence("flow", width, 2 * claim.lambda_min, failure, radius, claim.deviation))


# Hypotheses -----------------------------------------------------------------------------------------------------


def _relu(setting: Setting) -> TwoLayer:
    network = hidden_training(setting)
    name = split_activation(setting.problem.network.activation)[0]
    if name != "relu":
        raise Rejection("hypothesis", "the theorem is about another activation", "relu", name)
    return network


def longest_unit(dataset: Dataset) -> Fraction:
    """Return ``max ‖x_i‖²`` of inputs of norm 1 up to ``UNIT_TOLERANCE``; reject others."""
    squares = [sum((Fraction(x) ** 2 for x in row), Fraction(0)) for row in dataset.inputs.tolist()]
    worst = max(squares, key=lambda square: abs(square - 1))
    if not abs(worst - 1) <= UNIT_TOLERANCE:
        raise Rejection("hypothesis", "the inputs must have norm 1", "| ‖x‖² − 1 | <= 1e-9", f"‖x‖² = {show(worst, 6)}")
    return max(squares)


kernel_stability = Rule(_kernel_stability, (JacobianDeviation, Bound), numbers=("radius",))
markov_flips = Rule(_markov_flips, numbers=("radius", "failure"))
neuron_jacobian_norm = Rule(_neuron_jacobian_norm)
continuous_induction = Rule(
    _continuous_induction, (Bound, KernelStability, Bound, Bound), names={"movement": ("speed", "length")}
)
groenwall = Rule(_groenwall, (Trajectory, Bound))

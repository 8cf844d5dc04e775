"""ReLU by tubes: neurons far from a hyperplane cannot flip there, and few are near two hyperplanes at once.

Trusted.  Gradient flow of ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)`` with σ piecewise linear, hidden weights trained.  The
tube: ``|(w_r − w_r(0))·x_i| ≤ τ‖x_i‖`` for every r and i.  Proofs: ``docs/proofs/tube.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.limit.inputs_gram import inputs_gram
from ntkproof.checker.logic.arguments import in_open_unit, positive
from ntkproof.checker.logic.claim import UPPER, Claim, Rejection, claim_field
from ntkproof.checker.logic.reading import number
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.assumptions import DIFFERENTIAL_INCLUSION, GAUSSIAN
from ntkproof.checker.random_start.two_layer import TwoLayer, hidden_training

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Scalars


@dataclass(frozen=True)
class TubeDeviation(Claim):
    """``‖D‖ ≤ deviation`` for all D that are like a change of J by flips in a tube.

    The blocks are ``D_ir = m^{-1/2} a_r c_ri x_iᵀ`` with ``|c_ri|`` at most the jump of σ', and 0 unless
    ``|w_r(0)·x_i| ≤ tau ‖x_i‖``.
    """

    kind: ClassVar[str] = "tube_deviation"
    tau: Fraction = claim_field(number)
    deviation: Fraction = claim_field(number, UPPER)


# The bounds, over any number context ----------------------------------------------------------------------------


def near_one(numbers: Scalars, tau: Any) -> Any:
    """``τ√(2/π) ≥ P(|Z| ≤ τ)``."""
    return tau * numbers.sqrt(2 / numbers.pi)


def near_two(numbers: Scalars, tau: Any, gap: Any) -> Any:
    """``2τ²/(π√(1−ρ²)) ≥ P(|Z| ≤ τ, |Z'| ≤ τ)`` for the correlation ρ; ``gap = 1 − ρ²``."""
    return 2 * tau * tau / (numbers.pi * numbers.sqrt(gap))


def counted(numbers: Scalars, share: Any, log_events: Any, neurons: Any) -> Any:
    """``P + √(2PL/N) + L/(3N)``: Bernstein; a larger share of N neurons has probability at most ``e^{−L}``."""
    return share + numbers.sqrt(2 * share * log_events / neurons) + log_events / (3 * neurons)


# The rules ------------------------------------------------------------------------------------------------------


def piecewise_linear(setting: Setting) -> TwoLayer:
    """Return the network; reject it unless its activation is piecewise linear."""
    network = hidden_training(setting)
    if network.curvature_squared is not None:
        raise Rejection("hypothesis", "tubes are for piecewise linear activations")
    return network


def _tube_deviation(setting: Setting, step: Inputs) -> Derived:
    """``ε² = B² max_i Σ_j |K_ij| x_ij``, ``x_ij`` the share of neurons near the hyperplanes of ``x_i`` and ``x_j``."""
    network, tau, stated = piecewise_linear(setting), positive(step, "tau"), in_open_unit(step, "failure")
    gram = inputs_gram(setting)
    n, neurons = len(gram), network.training.independent_neurons
    if neurons == 0:
        raise Rejection("outside-theorem", "there are no independent neurons")
    log_events = upper(lambda numbers, events, p: numbers.log(events / p), n * (n + 1) // 2, stated)
    one = upper(near_one, tau)
    sums = [Fraction(0)] * n
    for i, row in enumerate(gram):
        for j, entry in enumerate(row):
            if entry == 0:
                continue
            share = one
            gap = 1 - entry * entry / (gram[i][i] * gram[j][j])
            if gap > 0:
                share = min(one, upper(near_two, tau, gap))
            size = abs(entry) * min(Fraction(1), upper(counted, share, log_events, neurons))
            sums[i] += size
            if i != j:
                sums[j] += size
    deviation = upper(lambda numbers, jump, s: numbers.sqrt(jump * s), network.jump_squared, max(sums))
    return Derived(
        TubeDeviation(tau, deviation), assumptions=frozenset({GAUSSIAN, DIFFERENTIAL_INCLUSION}), failure=stated
    )


tube_deviation = Rule(_tube_deviation, numbers=("tau", "failure"))

"""The certified quantities of given weights that bound how fast the Jacobian changes around them.

Trusted.  From the Gram matrices of an `Evaluation`, and norms of matrices of weights.  Proofs:
``docs/proofs/given-weights.md``, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.activations.facts import jerk
from ntkproof.checker.arithmetic.scalars import root
from ntkproof.checker.given_weights.evaluation import BACKWARD, Evaluation, Evaluator, fitting
from ntkproof.checker.given_weights.gram import gram_array, row_norms
from ntkproof.checker.given_weights.local_deviation import Profile
from ntkproof.checker.given_weights.norms import FORWARD, Rounded, norm_squared
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ntkproof.checker.arithmetic.protocols import Fixed
    from ntkproof.checker.given_weights.paths import Factors, Norms

UNIT = 36  # Gram matrices are rounded to multiples of 2^-UNIT before their norms are bounded


@fitting()
def profile(evaluator: Evaluator, evaluation: Evaluation, matrices: bool) -> Profile:
    """Return the `Profile` of the weights of an evaluator.

    Args:
        evaluator: the network and the arithmetic.
        evaluation: what `Evaluator.run` returned.
        matrices: whether to bound ``‖∂x^l/∂z^j‖`` from these matrices, sample by sample (sharper, slower), or from the
            norms of the weights.

    Raises:
        Rejection: ``hypothesis``, ``no-enclosure``: the activation is not smooth enough, or the numbers are too large.
    """
    if not evaluator.smooth:
        raise Rejection("hypothesis", "the activation is not C², so its Jacobian is not Lipschitz")
    network, numbers, n = evaluator.network, evaluator.numbers, evaluator.dataset.n
    depth, trained = network.depth, len(evaluation.layers)
    features, gradients = [], []
    for layer in evaluation.layers.values():
        g, f, g_error, f_error = row_norms(layer)
        features.append(_Rows.of(layer.inputs, layer.input_scale / 4**FORWARD, layer.bias, f, f_error))
        gradients.append(_Rows.of(layer.gradients, layer.gradient_scale / 4**BACKWARD, Fraction(0), g, g_error))
    gradients.append(_Rows.of(np.zeros((n, n), object), Fraction(0), Fraction(1), Fraction(1), Fraction(0)))
    rounded, weights = _rounded(evaluator), weight_norms(evaluator)
    scales = tuple(root(evaluator.scale(k)) for k in range(1, depth + 2))
    h = largest_h(evaluator, evaluation)
    steps = tuple(scale * weight for scale, weight in zip(scales, weights, strict=True))  # ‖∂z^l/∂x^{l−1}‖
    factors = load("given_weights.paths").factors(evaluator) if depth > 1 else None
    P, P_rows, Q, E = _between(evaluator, factors, rounded, scales, matrices)
    if E is None:
        E = _norms_of_E(evaluator.curvature, h, factors, steps, P)
    else:
        factor = evaluator.curvature * scales[-1]
        E = tuple(tuple(factor * norm for norm in row) for row in E)
    padding = (Fraction(0),) * (depth + 1 - trained)
    return Profile(
        trained=trained,
        scales=scales,
        slope=evaluator.slope,
        curvature=evaluator.curvature,
        jerk=jerk(network.activation) if depth > 1 else Fraction(0),
        weights=weights,
        features=(*(rows.largest for rows in features), *padding),
        sensitivities=(*(rows.largest for rows in gradients[: min(depth, trained)]), Fraction(1)),
        h=h,
        feature_norms=(*(each.norm(numbers) for each in features), *padding),
        sensitivity_norms=tuple(each.norm(numbers) for each in gradients[: depth + 1]),
        feature_pairs=tuple(
            tuple(features[k].pair(numbers, features[j]) for j in range(k + 1)) for k in range(min(depth, trained))
        ),
        mixed_pairs=tuple(tuple(gradients[k].pair(numbers, features[j]) for j in range(k)) for k in range(trained)),
        columns=tuple(Rounded(layer.values.T.copy(), 1).longest_row(numbers) for layer in rounded),
        P=P,
        P_rows=P_rows,
        Q=Q,
        E=(*E[:-1], E[-1][:-1]),
        jacobian=jacobian_norm(evaluator, evaluation),
    )


def jacobian_norm(evaluator: Evaluator, evaluation: Evaluation) -> Fraction:
    """Return at least ``‖J_0‖``."""
    kernel, radius = gram_array(evaluation, UNIT)
    return root(_spectral(evaluator.numbers, kernel) + Fraction(radius, 2**UNIT))


def weight_norms(evaluator: Evaluator) -> tuple[Fraction, ...]:
    """Return at least ``‖W^l‖`` for every layer, both halves of a mirrored network counted."""
    copies = root(Fraction(2 if evaluator.weights.mirrored else 1))
    return tuple(layer.norm(evaluator.numbers) * copies for layer in _rounded(evaluator))


def largest_h(evaluator: Evaluator, evaluation: Evaluation) -> tuple[Fraction, ...]:
    """Return at least ``max_r |h^l_r|`` over the samples, for the hidden layers with trained ones at or below."""
    layers = evaluation.layers.items()
    return tuple(root(layer.gradient_scale) * layer.largest for k, layer in layers if k <= evaluator.network.depth)


def _rounded(evaluator: Evaluator) -> list[Rounded]:
    numbers = evaluator.numbers
    return [Rounded(numbers.quantise(layer, Fraction(1), FORWARD), 1) for layer in evaluator.weights.layers]


@dataclass(frozen=True)
class _Rows:
    """A matrix with a row for each sample: the Gram matrix of approximate rows, rounded down to ``2^-UNIT`` by entries.

    ``largest``: a bound of the norms of the rows; ``error``: of the norms of what each is off by.
    """

    gram: NDArray[Any]
    largest: Fraction
    error: Fraction

    @classmethod
    def of(cls, gram: NDArray[Any], scale: Fraction, bias: Fraction, largest: Fraction, error: Fraction) -> _Rows:
        """``scale gram + bias``."""
        numerator = gram * (scale.numerator * bias.denominator) + bias.numerator * scale.denominator
        return cls((numerator << UNIT) // (scale.denominator * bias.denominator), largest, error)

    def norm(self, numbers: Fixed) -> Fraction:
        """Return at least the norm of the matrix."""
        n = Fraction(len(self.gram))
        return root(_spectral(numbers, self.gram) + n / 2**UNIT) + root(n) * self.error

    def pair(self, numbers: Fixed, other: _Rows) -> Fraction:
        """Return at least ``‖A ∘ B‖^{1/2}`` of the Gram matrices: the norm of the matrix of rows ``a_i ⊗ b_i``."""
        n = Fraction(len(self.gram))
        rounding = n * (self.largest**2 + other.largest**2 + 3) / 2**UNIT
        product = _spectral(numbers, (self.gram * other.gram) >> UNIT)
        error = self.error * other.largest + (self.largest + self.error) * other.error
        return root(product + rounding) + root(n) * error


def _spectral(numbers: Fixed, gram: NDArray[Any]) -> Fraction:
    """Return at least the norm of a symmetric matrix in units of ``2^-UNIT``."""
    if max(int(gram.max()), -int(gram.min())) >= 2**62:
        raise OverflowError("a Gram matrix is too large")
    return Fraction(root(norm_squared(numbers, numbers.integers(gram.astype(np.int64)))), 2**UNIT)


def _between(
    evaluator: Evaluator, factors: Factors | None, weights: list[Rounded], scales: tuple[Fraction, ...], matrices: bool
) -> tuple[Norms, Norms, Norms, Norms | None]:
    """``[l][j]``, j < l: norms of ``∂z^l/∂z^j``, of its longest row and of ``∂x^l/∂z^j``; the last as `Factors.norms`.

    ``∂x^l/∂z^j = D_l s_l W^l … D_j`` with ``D_l = diag σ'(z^l)``.
    """
    if factors is None:
        return ((),), ((),), ((),), None
    if matrices:
        return factors.norms()
    numbers = evaluator.numbers
    P: list[list[Fraction]] = [[]]
    P_rows: list[list[Fraction]] = [[]]
    for layer in range(1, evaluator.network.depth):
        below = [factors.steepest[layer - 1] * norm for norm in (*P[-1], Fraction(1))]
        P.append([scales[layer] * weights[layer].norm(numbers) * norm for norm in below])
        P_rows.append([scales[layer] * weights[layer].longest_row(numbers) * norm for norm in below])
    Q = ([norm * steepest for norm in row] for row, steepest in zip(P, factors.steepest, strict=True))
    return tuple(map(tuple, P)), tuple(map(tuple, P_rows)), tuple(map(tuple, Q)), None


def _norms_of_E(
    curvature: Fraction,
    h: tuple[Fraction, ...],
    factors: Factors | None,
    steps: tuple[Fraction, ...],
    P: Norms,
) -> Norms:
    """``[l][j]``: ``∂g^l/∂z^j = diag(σ''(z^l)h^l) ∂z^l/∂z^j + D_l (S_{l+1} W^{l+1})ᵀ ∂g^{l+1}/∂z^j``, norm by norm."""
    depth = len(h)
    E = [[curvature * h[layer] * norm for norm in (*P[layer], Fraction(1))] for layer in range(depth)]
    for layer in reversed(range(depth - 1)):
        steepest = factors.steepest[layer] if factors else Fraction(0)
        for j in range(layer + 1):
            E[layer][j] += steepest * steps[layer + 1] * E[layer + 1][j]
    return tuple(map(tuple, E))

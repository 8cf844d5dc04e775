"""A point near given weights where the data are fitted better.  Proofs: ``docs/proofs/given-weights.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from math import frexp
from typing import TYPE_CHECKING

import numpy as np

from ntkproof.checker.arithmetic.scalars import root
from ntkproof.checker.given_weights.claims import NearbyPoint
from ntkproof.checker.given_weights.evaluation import BACKWARD, Evaluation, Evaluator, Pass
from ntkproof.checker.given_weights.given import PRECISION, given, residual_norm
from ntkproof.checker.given_weights.gram import gram
from ntkproof.checker.given_weights.norms import FORWARD
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.limit.eigenvalues import shifted_bound
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.problem.weights import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray


@np.errstate(all="ignore")  # what is too large is refused
def moved(evaluator: Evaluator, coefficients: list[Fraction]) -> Weights:
    """Return weights near ``θ_0 + J_0ᵀc``, in rounded float64: whatever they are, they are a point.

    Those of mirrored neurons are written out: both halves, the second with the opposite output weights.

    Raises:
        Rejection: ``bad-witness``: the coefficients are too large for float64 numbers.
    """
    weights, network = evaluator.weights, evaluator.network
    inputs = evaluator.numbers.quantise(evaluator.dataset.inputs, Fraction(1), FORWARD)
    layers, biases = [layer.copy() for layer in weights.layers], [bias.copy() for bias in weights.biases]
    trained = {"hidden": (1,), "both": (1, 2)}.get(network.train, tuple(range(1, network.depth + 2)))
    first = 0
    try:
        c = np.array([float(value) for value in coefficients])
        for block in evaluator.blocks():
            passed, part = Pass(evaluator, block, inputs), slice(first, first + len(block.layers[0]))
            first = part.stop if network.depth == 1 else 0
            for back in passed.backward():
                if back.layer not in trained:
                    continue
                rows = part if back.layer == 1 and network.depth == 1 else slice(None)
                columns = part if back.layer == 2 and network.depth == 1 else slice(None)
                last = back.layer == network.depth + 1
                size = 1.0 if last else float(root(evaluator.scale(network.depth + 1)))
                g = c[:, None] * (back.gradients.astype(np.float64) * (size * 2.0**-BACKWARD))
                x = passed.inputs[back.layer - 1].astype(np.float64) * 2.0**-FORWARD
                layers[back.layer - 1][rows, columns] += float(root(evaluator.scale(back.layer))) * (g.T @ x)
                if len(biases) >= back.layer and not (last and part.start):
                    biases[back.layer - 1][rows] += float(network.beta) * g.sum(axis=0)
        if weights.mirrored:
            layers, biases = _both_halves(weights, layers, biases)
        return Weights(tuple(layers), tuple(biases))
    except (InputError, OverflowError) as error:
        raise Rejection("bad-witness", f"the coefficients lead to no point: {error}") from None


def _both_halves(
    weights: Weights, layers: list[NDArray[np.float64]], biases: list[NDArray[np.float64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """The hidden weights of the second half move the other way, its output weights the same way."""
    hidden, output = weights.layers
    both = [np.vstack([layers[0], 2 * hidden - layers[0]]), np.hstack([layers[1], layers[1] - 2 * output])]
    return both, [
        np.concatenate([bias, 2 * old - bias]) if k == 0 else bias
        for k, (bias, old) in enumerate(zip(biases, weights.biases, strict=True))
    ]


@np.errstate(all="ignore")
def distance(weights: Weights, point: Weights) -> Fraction:
    """Return at least the distance of two lists of weights, the second written out in full."""
    layers, biases = list(weights.layers), list(weights.biases)
    if weights.mirrored:
        layers = [np.vstack([layers[0]] * 2), np.hstack([layers[1], -layers[1]])]
        biases = [np.concatenate([bias] * 2) if k == 0 else bias for k, bias in enumerate(biases)]
    total = Fraction(0)
    for one, other in zip((*layers, *biases), (*point.layers, *point.biases), strict=True):
        gap = np.abs(one - other)  # rounded, by at most 2^-53 of itself
        largest = float(gap.max())
        if largest == 0:
            continue
        if not largest < 2.0**500:
            raise Rejection("bad-witness", "the point is too far away")
        unit = 2.0 ** max(frexp(largest)[1] - 26, -1000)
        integers = np.ceil(gap / unit).astype(np.int64).ravel()  # at most 2^26 + 1
        squares = sum(int((part * part).sum()) for part in np.array_split(integers, 1 + len(integers) // 256))
        total += squares * Fraction(unit) ** 2
    return root(total) * (1 + Fraction(1, 2**52))


def nearby(setting: Setting, coefficients: list[int], scale: int) -> tuple[Weights, Evaluation]:
    """Return a point near ``θ_0 + J_0ᵀc``, ``c = 2^-scale coefficients``, and the network there."""
    key = (scale, *coefficients)
    if setting.cache.get("nearby", (None,))[0] != key:
        weights, problem = given(setting), setting.problem
        evaluator = Evaluator(setting.arithmetic, problem, weights, setting.tick)
        point = moved(evaluator, [Fraction(c, 2**scale) for c in coefficients])
        at = Evaluator(setting.arithmetic, problem, point, setting.tick).run()
        setting.cache["nearby"] = (key, point, at)
    _, point, at = setting.cache["nearby"]
    return point, at


def _nearby_point(setting: Setting, step: Inputs) -> Derived:
    """The point ``p ≈ θ_0 + J_0ᵀc``: its distance, its residual, and ``λ_min(J_p J_pᵀ)``; any ``p`` would do."""
    coefficients, n = step.witness["coefficients"].integers(), setting.problem.dataset.n
    if len(coefficients) != n:
        raise Rejection("bad-witness", "the coefficients have the wrong length", str(n), str(len(coefficients)))
    point, at = nearby(setting, coefficients, step.integers["coefficient_scale"])
    precision = step.integers["precision"]
    matrix, radius = gram(setting.arithmetic, at, precision)
    value = shifted_bound(setting, step, Enclosure("initial_kernel", precision, radius), matrix, 1)
    return Derived(NearbyPoint(distance(given(setting), point), residual_norm(at), value))


nearby_point = Rule(
    _nearby_point,
    integers={"precision": PRECISION, "scale": (0, 4096), "coefficient_scale": (0, 1000)},
    numbers=("shift",),
    witness=("coefficients", "factor"),
)

"""What the tests of the convergence rules share: one rule run alone, and two-layer networks in floats.

The networks are written from the definition, ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)`` with the hidden weights trained;
every array may carry leading axes, for many networks at once.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.special import erf, expit
from scipy.stats import beta

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Step
from ntkproof.checker.logic.rule import Derived, Proved, Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.training import Training
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation
from ntkproof.checker.table import RULES

ENGINES = ("reference", "fast")
ROWS = np.array([[0.6, 0.8], [1.0, 0.0], [0.25, -1.5]])
TARGETS = np.array([1.0, -0.5, 0.25])
MP = mpmath.MPContext()
MP.dps = 60


# One rule -------------------------------------------------------------------------------------------------------


def problem(
    activation: str = "erf",
    width: int = 100,
    init: str = "antisymmetric",
    step_size: str | None = None,
    rows: Any = ROWS,
    targets: Any = TARGETS,
    **network: Any,
) -> Problem:
    training = Training(width, init, step_size)
    dataset = Dataset(np.array(rows, dtype=float), np.array(targets, dtype=float))
    return Problem(dataset, Network(activation, **{"train": "hidden", **network}), "ntk", training)


def derive(
    about: Problem, rule: str, premises: tuple[Any, ...], args: Any = None, witness: Any = None, engine: str = "fast"
) -> Derived:
    """Run one rule on premises taken as true (claims, or `Proved` for those with a matrix or events)."""
    proved = tuple(p if isinstance(p, Proved) else Proved(p) for p in premises)
    inputs = RULES[rule].inputs(
        Step("step", rule, (), args or {}, witness or {}), proved, Bound("residual", Fraction(0))
    )
    return RULES[rule].derive(Setting(about, arithmetic(engine), lambda done, total: None), inputs)


def rejection(*args: Any, **kwargs: Any) -> str:
    """Return the code by which a rule refuses."""
    with pytest.raises(Rejection) as caught:
        derive(*args, **kwargs)
    return caught.value.code


def quantity(name: str, value: str) -> Bound:
    return Bound(name, Fraction(value))


def kernel_min(value: str) -> EigenvalueBound:
    return EigenvalueBound("kernel", "min", "lower", Fraction(value))


def inputs_max(value: str) -> EigenvalueBound:
    return EigenvalueBound("inputs", "max", "upper", Fraction(value))


def hadamard_max(value: str) -> EigenvalueBound:
    return EigenvalueBound("inputs_squared", "max", "upper", Fraction(value))


def deviation(offset: str, slope: str, lipschitz: str = "yes") -> JacobianDeviation:
    return JacobianDeviation(Fraction(offset), Fraction(slope), lipschitz)


def mp(x: Fraction | float | str) -> Any:
    """Return an exact number at 60 digits (a float stands for itself)."""
    q = Fraction(x)
    return MP.mpf(q.numerator) / q.denominator


def is_upper(value: Fraction, truth: Any, relative: float = 1e-30) -> bool:
    """Whether a number is at least the truth, to the 55 digits the truth is known, and close to it."""
    return mp(value) >= truth * (1 - MP.mpf(10) ** -55) and mp(value) <= truth + abs(truth) * relative


# sup|σ'|², sup σ''², and whether σ' >= 0, by hand
SLOPE_SQUARED = {
    "erf": 4 / MP.pi,
    "sin": MP.mpf(1),
    "cos": MP.mpf(1),
    "identity": MP.mpf(1),
    "relu": MP.mpf(1),
    "abs": MP.mpf(1),
    "leaky_relu(0.25)": MP.mpf(1),
    "leaky_relu(-3)": MP.mpf(9),
    "leaky_relu(2.5)": MP.mpf("6.25"),
}
CURVATURE_SQUARED = {"erf": 8 / (MP.pi * MP.e), "sin": MP.mpf(1), "cos": MP.mpf(1), "identity": MP.mpf(0)}
JUMP = {"relu": 1, "abs": 2, "leaky_relu(0.25)": Fraction(3, 4), "leaky_relu(-3)": 4, "leaky_relu(2.5)": Fraction(3, 2)}
MONOTONE = {"erf", "identity", "relu", "leaky_relu(0.25)", "leaky_relu(2.5)"}


# Networks in floats ---------------------------------------------------------------------------------------------


def slope_below(activation: str) -> float:
    return {"relu": 0.0, "abs": -1.0}.get(activation) if activation in ("relu", "abs") else float(activation[11:-1])


def sigma(activation: str, z: Any) -> Any:
    if activation in ("erf", "sin", "cos", "tanh"):
        return {"erf": erf, "sin": np.sin, "cos": np.cos, "tanh": np.tanh}[activation](z)
    return np.where(z > 0, z, slope_below(activation) * z)


def sigma_prime(activation: str, z: Any) -> Any:
    if activation == "erf":
        return 2 / np.sqrt(np.pi) * np.exp(-z * z)
    if activation in ("sin", "cos"):
        return np.cos(z) if activation == "sin" else -np.sin(z)
    if activation == "tanh":
        return 1 - np.tanh(z) ** 2
    if activation == "sigmoid":
        return expit(z) * expit(-z)
    if activation == "gaussian":
        return -z * np.exp(-z * z / 2)
    return np.where(z > 0, 1.0, slope_below(activation))


def signs(init: str, width: int, rng: np.random.Generator, many: int = 1) -> Any:
    """Return output weights ±1, many rows of them."""
    if init == "signs":
        return rng.choice([-1.0, 1.0], size=(many, width))
    return np.tile(np.repeat([1.0, -1.0], width // 2), (many, 1))


def start(init: str, width: int, d: int, rng: np.random.Generator, many: int = 1) -> tuple[Any, Any]:
    """Return hidden weights of shape (many, width, d) and output weights of shape (many, width)."""
    weights = rng.standard_normal((many, width // 2 if init == "antisymmetric" else width, d))
    weights = np.concatenate([weights, weights], axis=1) if init == "antisymmetric" else weights
    return weights, signs(init, width, rng, many)


def outputs(activation: str, inputs: Any, weights: Any, a: Any) -> Any:
    """Return ``f(X)``."""
    hidden = sigma(activation, weights @ np.swapaxes(inputs, -1, -2))
    return (a[..., None] * hidden).sum(-2) / np.sqrt(a.shape[-1])


def jacobian(activation: str, inputs: Any, weights: Any, a: Any) -> Any:
    """Return ``∂f(x_i)/∂(w_r)``: shape (…, n, m d)."""
    slopes = a[..., None] * sigma_prime(activation, weights @ np.swapaxes(inputs, -1, -2)) / np.sqrt(a.shape[-1])
    blocks = np.swapaxes(slopes, -1, -2)[..., None] * inputs[..., :, None, :]
    return blocks.reshape(*blocks.shape[:-2], -1)


def norm(matrices: Any) -> Any:
    """Return spectral norms."""
    return np.linalg.norm(matrices, 2, axis=(-2, -1))


def limit_kernel(activation: str, rows: Any = ROWS) -> Any:
    """Return ``H∞ = K ∘ E σ'(u)σ'(v)`` at 60 digits, for erf, sin and piecewise linear σ."""
    x = [[mp(v) for v in row] for row in np.asarray(rows).tolist()]
    k = [[sum((u * v for u, v in zip(a, b, strict=True)), MP.mpf(0)) for b in x] for a in x]

    def derivative(q: Any, c: Any, r: Any) -> Any:
        if activation == "erf":
            return 4 / MP.pi / MP.sqrt((1 + 2 * q) * (1 + 2 * r) - 4 * c * c)
        if activation == "sin":
            return MP.exp(-(q + r) / 2) * MP.cosh(c)
        opposite = MP.acos(max(min(c / MP.sqrt(q * r), MP.mpf(1)), MP.mpf(-1))) / MP.pi  # P(uv < 0)
        s = mp(str(slope_below(activation)))
        return (1 - opposite) * (1 + s * s) / 2 + opposite * s

    n = len(x)
    return MP.matrix([[k[i][j] * derivative(k[i][i], k[i][j], k[j][j]) for j in range(n)] for i in range(n)])


# Frequencies ----------------------------------------------------------------------------------------------------


def refutes(violations: int, trials: int, claimed: float, level: float = 1e-6) -> bool:
    """Whether so many violations refute a probability of at most ``claimed``, by the exact binomial test."""
    least = beta.ppf(level, violations, trials - violations + 1) if violations else 0.0
    return bool(least > claimed)

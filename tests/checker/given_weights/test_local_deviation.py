"""How far the Jacobian of a network with given weights moves, against networks written from the definition.

The oracle: many small networks at once in float64, every norm by the singular value decomposition, the profile
widened by 1e-9.  The search climbs over weights, inputs and two points of the ball for the largest
``‖J(θ) − J(θ')‖ / (Λ(R) ‖θ − θ'‖)`` and ``‖J(θ)‖ / norm``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import e, pi, sqrt
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.special import erf, expit
from two_layer import MP, is_upper, mp

from ntkproof.checker.arithmetic.scalars import lower, upper
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.given_weights.local_deviation import Ball, Profile, jacobian_norm, lipschitz, spectral
from ntkproof.checker.logic.claim import Rejection, parse_claim, to_fields
from ntkproof.checker.random_start.both_layers import both_slope
from ntkproof.checker.random_start.deviation import smooth_slope
from ntkproof.checker.table import KINDS

WIDER = 1 + 1e-9


class Floats:
    """The number context of floats and of arrays of them."""

    pi = pi
    sqrt = staticmethod(np.sqrt)

    @staticmethod
    def rational(value: Any) -> Any:
        return float(value) if isinstance(value, Fraction | int) else value


class Symbols:
    """The number context of SymPy."""

    pi = sp.pi
    sqrt = staticmethod(sp.sqrt)

    @staticmethod
    def rational(value: Any) -> Any:
        return sp.Rational(value.numerator, value.denominator) if isinstance(value, Fraction | int) else value


FLOATS: Any = Floats()
SYMBOLS: Any = Symbols()


# Activations, and the suprema of their derivatives by hand ------------------------------------------------------


def density(z: Any) -> Any:
    return np.exp(-z * z / 2) / sqrt(2 * pi)


@dataclass(frozen=True)
class Activation:
    value: Callable[[Any], Any]
    first: Callable[[Any], Any]
    second: Callable[[Any], Any]
    bounds: tuple[float, float, float]


def logistic(z: Any) -> Any:
    return expit(z) * expit(-z)


GELU_BEND = sqrt((7 - sqrt(33)) / 2)  # the root of x⁴ − 7x² + 4 where |σ'''| is largest
ACTIVATIONS = {
    "tanh": Activation(
        np.tanh, lambda z: 1 / np.cosh(z) ** 2, lambda z: -2 * np.tanh(z) / np.cosh(z) ** 2, (1, 4 / 3**1.5, 2)
    ),
    "erf": Activation(
        erf,
        lambda z: 2 / sqrt(pi) * np.exp(-z * z),
        lambda z: -4 * z / sqrt(pi) * np.exp(-z * z),
        (2 / sqrt(pi), sqrt(8 / (pi * e)), 4 / sqrt(pi)),
    ),
    "sigmoid": Activation(
        expit, logistic, lambda z: logistic(z) * (1 - 2 * expit(z)), (1 / 4, 1 / (6 * sqrt(3)), 1 / 8)
    ),
    "softplus": Activation(lambda z: np.logaddexp(0, z), expit, logistic, (1, 1 / 4, 1 / (6 * sqrt(3)))),
    "gelu": Activation(
        lambda z: z * (1 + erf(z / sqrt(2))) / 2,
        lambda z: (1 + erf(z / sqrt(2))) / 2 + z * density(z),
        lambda z: density(z) * (2 - z * z),
        (
            (1 + float(erf(1))) / 2 + 1 / (e * sqrt(pi)),
            sqrt(2 / pi),
            (4 * GELU_BEND - GELU_BEND**3) * density(GELU_BEND),
        ),
    ),
    "sin": Activation(np.sin, np.cos, lambda z: -np.sin(z), (1, 1, 1)),
}


# The oracle: many networks of one shape --------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """A network but for its weights and inputs: ``sizes`` are ``n_0 … n_L``."""

    activation: str
    sizes: tuple[int, ...]
    samples: int = 2
    train: str = "all"
    weight_std: float = 1.0
    bias: float = 0.0

    @property
    def layers(self) -> int:
        return len(self.sizes) - 1

    @property
    def scales(self) -> list[float]:
        return [self.weight_std / sqrt(size if layer else 1) for layer, size in enumerate(self.sizes[:-1])]

    @property
    def trained(self) -> int:
        return 1 if self.train == "hidden" else self.layers

    def biased(self, layer: int) -> bool:
        """Whether the layer has a bias; it is trained if the layer is."""
        return self.bias > 0 and (self.train == "all" or layer == 0)

    @property
    def columns(self) -> list[int]:
        """The parameters of each neuron of each layer."""
        return [size + self.biased(layer) for layer, size in enumerate(self.sizes[:-1])]

    @property
    def parameters(self) -> list[int]:
        """Of each layer."""
        return [rows * columns for rows, columns in zip(self.sizes[1:], self.columns, strict=True)]

    @property
    def moving(self) -> int:
        """Number of trained parameters."""
        return sum(self.parameters[: self.trained])


@dataclass(frozen=True)
class Pass:
    """Forward and backward: lists by layer of arrays ``(…, samples, neurons)``."""

    weights: list[Any]
    z: list[Any]
    features: list[Any]  # f̃, as wide as the parameters of a neuron
    h: list[Any]
    g: list[Any]


def run(shape: Shape, theta: Any, inputs: Any) -> Pass:
    """Run networks; ``theta``: (…, all parameters), layer by layer and neuron by neuron, its bias last."""
    sigma = ACTIVATIONS[shape.activation]
    blocks = np.split(theta, np.cumsum(shape.parameters)[:-1], axis=-1)
    blocks = [b.reshape(*b.shape[:-1], -1, c) for b, c in zip(blocks, shape.columns, strict=True)]
    weights = [b[..., :size] for b, size in zip(blocks, shape.sizes, strict=False)]
    x, z, features = inputs, [], []
    for layer, block in enumerate(blocks):
        beta = np.full((*x.shape[:-1], 1), shape.bias)[..., : shape.biased(layer)]
        features.append(np.concatenate([shape.scales[layer] * x, beta], axis=-1))
        z.append(features[-1] @ np.swapaxes(block, -1, -2))
        x = sigma.value(z[-1])
    g, h = [np.ones_like(z[-1])], []
    for layer in reversed(range(shape.layers - 1)):
        h.insert(0, shape.scales[layer + 1] * g[0] @ weights[layer + 1])
        g.insert(0, sigma.first(z[layer]) * h[0])
    return Pass(weights, z, features, h, g)


def jacobian(shape: Shape, theta: Any, inputs: Any) -> Any:
    """Return ``∂f(x_i)/∂θ`` over the trained parameters, (…, samples, moving)."""
    done = run(shape, theta, inputs)
    blocks = [
        (g[..., :, None] * f[..., None, :]).reshape(*g.shape[:-1], -1)
        for g, f in zip(done.g, done.features, strict=True)
    ]
    return np.concatenate(blocks[: shape.trained], axis=-1)


def norm(matrices: Any) -> Any:
    return np.linalg.norm(matrices, 2, axis=(-2, -1))


def hadamard(a: Any, b: Any) -> Any:
    """Return ``‖AAᵀ ∘ BBᵀ‖^{1/2}``."""
    return np.sqrt(norm((a @ np.swapaxes(a, -1, -2)) * (b @ np.swapaxes(b, -1, -2))))


def longest(vectors: Any) -> Any:
    """Return the largest Euclidean norm of the rows."""
    return np.linalg.norm(vectors, axis=-1).max(-1)


def derivatives(shape: Shape, done: Pass) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """Return ``∂z^l/∂z^j``, ``∂x^l/∂z^j`` and ``∂g^l/∂z^j`` of every sample, (…, samples, n_l, n_j)."""
    sigma, hidden = ACTIVATIONS[shape.activation], shape.layers - 1
    links: dict[Any, Any] = {}
    for j in range(hidden):
        links[j, j] = np.eye(shape.sizes[j + 1]) + 0 * done.z[j][..., None]
        for layer in range(j + 1, hidden):
            slopes = sigma.first(done.z[layer - 1])[..., None] * links[layer - 1, j]
            links[layer, j] = shape.scales[layer] * done.weights[layer][..., None, :, :] @ slopes
    paths = {(k, j): sigma.first(done.z[k])[..., None] * link for (k, j), link in links.items()}
    bends = {}
    for k, j in links:
        terms = []
        for m in range(k, hidden):
            diagonal = (sigma.second(done.z[m]) * done.h[m])[..., None]
            terms.append(np.swapaxes(links[m, k], -1, -2) @ (diagonal * links[m, j]))
        bends[k, j] = sum(terms)
    return links, paths, bends


def profile_of(shape: Shape, theta: Any, inputs: Any) -> Profile:
    """Return the profile of each network, its numbers arrays."""
    done, hidden = run(shape, theta, inputs), shape.layers - 1
    links, paths, bends = derivatives(shape, done)
    features, g = done.features, done.g

    def largest(found: dict[Any, Any], size: Callable[[Any], Any], count: Callable[[int], int]) -> Any:
        return tuple(
            tuple(size(found[layer, j]).max(-1) * WIDER for j in range(count(layer))) for layer in range(hidden)
        )

    def widened(values: list[Any]) -> tuple[Any, ...]:
        return tuple(value * WIDER for value in values)

    slope, curvature, jerk = (bound * WIDER for bound in ACTIVATIONS[shape.activation].bounds)
    return Profile(
        trained=shape.trained,
        scales=widened(shape.scales),
        slope=slope,
        curvature=curvature,
        jerk=jerk,
        weights=widened([norm(w) for w in done.weights]),
        features=widened([longest(f) for f in features]),
        sensitivities=widened([longest(x) for x in g]),
        h=widened([np.abs(h).max((-2, -1)) for h in done.h]),
        feature_norms=widened([norm(f) for f in features]),
        sensitivity_norms=widened([norm(x) for x in g]),
        feature_pairs=tuple(widened([hadamard(features[j], features[k]) for j in range(k + 1)]) for k in range(hidden)),
        mixed_pairs=tuple(widened([hadamard(features[j], g[k]) for j in range(k)]) for k in range(hidden + 1)),
        columns=widened([longest(np.swapaxes(w, -1, -2)) for w in done.weights]),
        P=largest(links, norm, lambda layer: layer),
        P_rows=largest(links, longest, lambda layer: layer),
        Q=largest(paths, norm, lambda layer: layer),
        E=largest(bends, norm, lambda layer: layer + (layer < hidden - 1)),
        jacobian=norm(jacobian(shape, theta, inputs)) * WIDER,
    )


# The oracle itself ------------------------------------------------------------------------------------------------


def shapes() -> list[Shape]:
    """Every depth from 1 to 4 and every training, for one activation each."""
    named = list(ACTIVATIONS)
    trains = [(1, "hidden"), (1, "both"), (1, "all"), (2, "all"), (3, "all"), (4, "all")]
    return [
        Shape(named[k], (2, *[3, 2, 3, 2][:depth], 1), 3, train, 1.25, [0.0, 0.5][k % 2])
        for k, (depth, train) in enumerate(trains)
    ]


by_shape = pytest.mark.parametrize("shape", shapes(), ids=lambda s: f"{s.activation}-{s.layers - 1}-{s.train}")


def random(shape: Shape, many: int, seed: int = 0, size: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    theta = size * rng.standard_normal((many, sum(shape.parameters)))
    return theta, rng.standard_normal((many, shape.samples, shape.sizes[0]))


@by_shape
def test_the_oracle_differentiates_its_network(shape: Shape) -> None:
    theta, inputs = random(shape, 2)
    found, step = jacobian(shape, theta, inputs), 1e-6
    for k in range(shape.moving):
        change = step * np.eye(theta.shape[1])[k]
        above, below = (run(shape, theta + s * change, inputs).z[-1][..., 0] for s in (1, -1))
        assert found[..., k] == pytest.approx((above - below) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_suprema_are_those_of_the_derivatives(activation: str) -> None:
    sigma = ACTIVATIONS[activation]
    z = np.linspace(-20, 20, 400_001)
    third = (sigma.second(z[2:]) - sigma.second(z[:-2])) / (z[2] - z[0])
    for values, bound in zip((sigma.first(z), sigma.second(z), third), sigma.bounds, strict=True):
        assert np.abs(values).max() == pytest.approx(bound, rel=1e-6)


@by_shape
def test_the_oracle_differentiates_g(shape: Shape) -> None:
    """``∂g^l/∂z^j`` by moving the one-sample network's ``b^j``, which moves ``z^j`` alone."""
    biased = replace(shape, bias=1.0, samples=1, train="all")
    theta, inputs = random(biased, 1)
    _, _, bends = derivatives(biased, run(biased, theta, inputs))
    starts, step = np.cumsum([0, *biased.parameters]), 1e-6
    for (k, j), bend in bends.items():
        for r in range(biased.sizes[j + 1]):
            change = np.zeros_like(theta)
            change[0, starts[j] + (r + 1) * biased.columns[j] - 1] = step
            above, below = (run(biased, theta + s * change, inputs).g[k] for s in (1, -1))
            assert bend[0, 0, :, r] == pytest.approx(((above - below) / (2 * step))[0, 0], abs=1e-7)


# The search ---------------------------------------------------------------------------------------------------------


Objective = Callable[[Shape, Any, Any, Any, Any, Any], Any]


def speed(shape: Shape, theta: Any, inputs: Any, one: Any, other: Any, radius: Any) -> Any:
    """Return ``‖J(θ) − J(θ')‖ / (Λ(R) ‖θ − θ'‖)``: at most 1 if Λ is what it says."""
    apart = np.linalg.norm(other - one, axis=-1)
    ends = [jacobian(shape, end, inputs) for end in (one, other)]
    rounding = 1e-14 * norm(ends[0])
    slope = lipschitz(FLOATS, profile_of(shape, theta, inputs), radius)
    with np.errstate(all="ignore"):
        return np.where(apart > 1e-5 * radius, (norm(ends[1] - ends[0]) - rounding) / apart / slope, 0.0)


def growth(name: str) -> Objective:
    """Return how much of what a quantity may grow in the ball it grows from ``θ_0`` to ``θ``, the largest of all."""

    def grown(shape: Shape, theta: Any, inputs: Any, one: Any, other: Any, radius: Any) -> Any:
        start, end = (profile_of(shape, at, inputs) for at in (theta, one))
        ball = Ball(FLOATS, start, radius)
        if name in ("feature_pairs", "mixed_pairs"):
            bounds: Any = [
                [(ball.pair if name == "feature_pairs" else ball.mixed_pair)(k, j) for j in range(len(row))]
                for k, row in enumerate(getattr(start, name))
            ]
        else:
            bounds = getattr(ball, name)
        found = [np.full_like(radius, -1.0)]
        flat = (_flat(getattr(start, name)), _flat(getattr(end, name)), _flat(bounds, start, name))
        for before, after, bound in zip(*flat, strict=True):
            with np.errstate(all="ignore"):
                share = (after - before - 1e-13 * before) / (bound - before)
            fixed = np.where(after > bound * (1 + 1e-12), 2.0, -1.0)  # it may not grow at all
            found.append(np.where(bound - before > 1e-9 * before, share, fixed))
        return np.max(found, axis=0)

    return grown


def _flat(values: Any, start: Profile | None = None, name: str = "") -> list[Any]:
    """Return the entries of a profile's list, or those of a ball's that a profile has."""
    if start is not None:
        given = getattr(start, name)
        values = [row[: len(g)] if isinstance(g, tuple) else row for row, g in zip(values, given, strict=True)]
    return [entry for row in values for entry in (row if isinstance(row, tuple | list) else [row])]


def climb(
    objective: Objective, shape: Shape, many: int, steps: int, seed: int, radii: tuple[float, float] = (1e-3, 3.0)
) -> float:
    """Ascend from many random problems at once, by forward differences, and return the largest value.

    A point is the parameters, the inputs and two moves of the trained parameters, the second from the first; both
    ends are put back onto the ball.
    """
    rng = np.random.default_rng(seed)
    radius = np.exp(rng.uniform(*np.log(radii), many))
    total, width = sum(shape.parameters), shape.samples * shape.sizes[0]

    def value(point: Any, radius: Any) -> Any:
        theta, inputs, first, second = np.split(point, [total, total + width, total + width + shape.moving], axis=-1)

        def moved(move: Any) -> Any:
            inside = move / np.maximum(1, np.linalg.norm(move, axis=-1, keepdims=True)) * radius[..., None]
            return np.concatenate([theta[..., : shape.moving] + inside, theta[..., shape.moving :]], axis=-1)

        inputs = inputs.reshape(*inputs.shape[:-1], shape.samples, shape.sizes[0])
        return objective(shape, theta, inputs, moved(first), moved(first + second), radius)

    theta = 10 ** rng.uniform(-1, 0.5, (many, 1)) * rng.standard_normal((many, total))
    moves = rng.standard_normal((many, 2 * shape.moving)) / sqrt(shape.moving)
    point = np.concatenate([theta, rng.standard_normal((many, width)), moves], axis=-1)
    best, step, small = value(point, radius), np.full((many, 1), 0.2), 1e-6
    directions = small * np.eye(point.shape[1])
    for _ in range(steps):
        nearby = value(point[:, None] + directions, np.broadcast_to(radius[:, None], (many, len(directions))))
        slopes = (nearby - best[:, None]) / small
        trial = point + step * slopes / (np.linalg.norm(slopes, axis=-1, keepdims=True) + 1e-300)
        reached = value(trial, radius)
        up = reached > best
        point, best = np.where(up[:, None], trial, point), np.where(up, reached, best)
        step = np.where(up[:, None], step * 1.5, step / 3)
    assert not np.isnan(best).any()
    return float(best.max())


QUANTITIES = (
    "features",
    "feature_norms",
    "P",
    "P_rows",
    "Q",
    "h",
    "sensitivities",
    "sensitivity_norms",
    "E",
    "feature_pairs",
    "mixed_pairs",
)
TRAINED = ((1, "hidden"), (1, "both"), (1, "all"), (2, "all"), (3, "all"), (4, "all"))


@by_shape
def test_no_climb_exceeds_the_lipschitz_constant(shape: Shape) -> None:
    small = replace(shape, sizes=(1, *[1] * (shape.layers - 1), 1), samples=1)
    assert 0.5 < climb(speed, small, 10, 15, 1) <= 1
    assert 0 < climb(speed, shape, 2, 3, 1) <= 1


@pytest.mark.parametrize("name", QUANTITIES)
def test_no_climb_exceeds_what_a_quantity_may_grow(name: str) -> None:
    assert 0.5 < climb(growth(name), Shape("sin", (1, 1, 1, 1), 1, bias=0.5), 10, 15, 1, (1e-3, 1e-1)) <= 1
    assert 0.5 < climb(growth(name), Shape("gelu", (1, 1, 1, 1), 1), 10, 15, 1, (1e-3, 1e-1)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("depth", "train"), TRAINED)
def test_a_long_climb_exceeds_no_lipschitz_constant(activation: str, depth: int, train: str) -> None:
    """36 times 32 problems, half of them in large balls."""
    for bias, radii, seed in ((0.0, (1e-3, 0.1), 1), (0.5, (0.1, 3.0), 2)):
        narrow = Shape(activation, (1, *[1] * depth, 1), 1, train, bias=bias)
        wide = Shape(activation, (2, *[2] * depth, 1), 2, train, bias=bias)
        uneven = Shape(activation, (1, *[3, 1, 2, 1][:depth], 1), 3, train, 1.5, bias)
        for shape, many in ((narrow, 8), (wide, 4), (uneven, 4)):
            assert 0 < climb(speed, shape, many, 30, seed, radii) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", QUANTITIES)
def test_a_long_climb_exceeds_nothing_a_quantity_may_grow(name: str, activation: str) -> None:
    for depth, radii in ((2, (1e-3, 1e-1)), (2, (0.1, 3.0)), (3, (1e-3, 1e-1))):
        narrow = Shape(activation, (1, *[1] * depth, 1), 1, bias=0.5)
        wide = Shape(activation, (1, *[2] * depth, 1), 2, bias=0.5)
        assert 0 < climb(growth(name), narrow, 10, 25, 3, radii) <= 1
        assert climb(growth(name), wide, 3, 25, 3, radii) <= 1


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("slope", 1),
        ("curvature", 1),
        ("h", 1),
        ("feature_pairs", 1),
        ("mixed_pairs", 1),
        ("Q", 2),
        ("E", 2),
    ],
)
def test_the_search_finds_a_bound_that_is_too_small(name: str, depth: int) -> None:
    def halved(value: Any) -> Any:
        return tuple(map(halved, value)) if isinstance(value, tuple) else value / 2

    def broken(shape: Shape, theta: Any, inputs: Any, one: Any, other: Any, radius: Any) -> Any:
        profile = profile_of(shape, theta, inputs)
        wrong = replace(profile, **{name: halved(getattr(profile, name))})
        right = lipschitz(FLOATS, profile, radius)
        return speed(shape, theta, inputs, one, other, radius) * right / lipschitz(FLOATS, wrong, radius)

    assert climb(broken, Shape("sin", (1, *[1] * depth, 1), 1, bias=0.5), 20, 25, 1, (1e-3, 1e-2)) > 1.1


@by_shape
def test_the_norm_bounds_the_jacobian_in_the_ball(shape: Shape) -> None:
    theta, inputs = random(shape, 200, 5)
    rng = np.random.default_rng(6)
    radius = 10 ** rng.uniform(-2, 0, 200)
    move = rng.standard_normal((200, shape.moving))
    theta_there = theta.copy()
    theta_there[:, : shape.moving] += move / np.linalg.norm(move, axis=1, keepdims=True) * radius[:, None]
    profile = profile_of(shape, theta, inputs)
    assert (norm(jacobian(shape, theta_there, inputs)) <= jacobian_norm(FLOATS, profile, radius)).all()


# Closed forms -------------------------------------------------------------------------------------------------------


def two_layers(trained: int, height: Any, norm: Any, pair: Any, scale: Any, slope: Any, curvature: Any) -> Profile:
    """Return the profile of ``m^{-1/2} Σ a_r σ(w_r·x)``, ``scale`` being ``m^{-1/2}`` and ``height`` ``max |a_r|``."""
    return Profile(
        trained=trained,
        scales=(1, scale),
        slope=slope,
        curvature=curvature,
        jerk=0,
        weights=(7, 7),
        features=(3, 5),
        sensitivities=(2, 1),
        h=(scale * height,),
        feature_norms=(norm, 11),
        sensitivity_norms=(13, 2),
        feature_pairs=((pair,),),
        mixed_pairs=((), (norm,)),
        columns=(3, height),
        P=((),),
        P_rows=((),),
        Q=((),),
        E=((),),
        jacobian=17,
    )


def test_hidden_weights_have_the_known_constant_in_every_ball() -> None:
    b, h, m, radius = sp.symbols("b h m R", positive=True)
    profile = two_layers(1, 1, 3, sp.sqrt(h), 1 / sp.sqrt(m), 1, sp.sqrt(b))
    assert sp.simplify(lipschitz(SYMBOLS, profile, radius) - smooth_slope(SYMBOLS, b, h, m)) == 0


def test_both_layers_have_the_known_constant_with_larger_output_weights() -> None:
    slope, norm, curvature, pair, weight, width, radius = 0.9, 3.5, 0.7, 4.5, 1.5, 100.0, 0.25
    profile = two_layers(2, weight, norm, pair, width**-0.5, slope, curvature)
    known = both_slope(FLOATS, slope**2, norm**2, curvature**2, pair**2, weight + radius, width)
    assert known <= lipschitz(FLOATS, profile, radius) <= known * 2 ** (1 / 128)


def test_one_neuron_and_one_sample_lose_nothing_at_the_start() -> None:
    """All signs agree for positive weights and softplus, so Λ(0) is the norm of the Hessian of f."""
    shape = Shape("softplus", (1, 1, 1), 1)
    theta, inputs = np.abs(random(shape, 50, 3)[0]) + 0.1, np.ones((50, 1, 1))
    step = 1e-5
    ends = [[jacobian(shape, theta + s * e, inputs)[:, 0] for s in (step, -step)] for e in np.eye(2)]
    hessian = norm(np.stack([(above - below) / (2 * step) for above, below in ends], axis=-1))
    z, sigma = run(shape, theta, inputs).z[0][:, 0, 0], ACTIVATIONS["softplus"]
    here = replace(profile_of(shape, theta, inputs), slope=sigma.first(z), curvature=sigma.second(z))
    found = lipschitz(FLOATS, here, 0.0)
    assert (found >= hessian * (1 - 1e-8)).all()
    assert (found <= hessian * 2 ** (1 / 128) * (1 + 1e-8)).all()


@pytest.mark.parametrize("size", [1, 2, 3, 11])
def test_the_norm_of_the_matrix_of_layers(size: int) -> None:
    rng = np.random.default_rng(size)
    for scale in (1e-6, 1.0, 1e9):
        matrix = scale * np.abs(rng.standard_normal((size, size)))
        matrix = matrix + matrix.T
        truth = np.linalg.norm(matrix, 2)
        assert truth * (1 - 1e-12) <= spectral(FLOATS, matrix.tolist()) <= truth * size ** (1 / 128) * (1 + 1e-12)
    equal = np.eye(size)  # the worst case: all eigenvalues of one size
    assert spectral(FLOATS, equal.tolist()) == pytest.approx(size ** (1 / 128) if size > 1 else 1)


# Number contexts ----------------------------------------------------------------------------------------------------


def rational(profile: Profile, k: int) -> Profile:
    """Return the profile of the k-th network in rationals, above it by 1e-9 at most."""

    def convert(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(convert, value))
        return Fraction(float(np.broadcast_to(value, k + 1)[k])).limit_denominator(10**12)

    read = {name: convert(value) for name, value in vars(profile).items() if name != "trained"}
    return Profile(trained=profile.trained, **read)


class HighPrecision:
    """The number context of mpmath at 60 digits."""

    sqrt = staticmethod(MP.sqrt)

    @staticmethod
    def rational(value: Any) -> Any:
        return mp(value)


@by_shape
@pytest.mark.parametrize("formula", [lipschitz, jacobian_norm])
def test_the_contexts_agree(shape: Shape, formula: Any) -> None:
    exact = rational(profile_of(shape, *random(shape, 3, 11)), 2)
    radius = Fraction(1, 64)

    def bound(numbers: Any, radius: Any) -> Any:
        return formula(numbers, exact.within(numbers), radius)

    truth = bound(HighPrecision(), mp(radius))
    assert is_upper(upper(bound, radius), truth)
    assert is_upper(-lower(bound, radius), -truth)
    assert bound(FLOATS, float(radius)) == pytest.approx(float(truth), rel=1e-12)


def test_the_contexts_agree_with_sympy() -> None:
    shape = Shape("tanh", (2, 3, 2, 1), 3, bias=0.5)
    exact = rational(profile_of(shape, *random(shape, 1, 13)), 0)
    radius = sp.Rational(1, 64)
    symbolic = Ball(SYMBOLS, exact.within(SYMBOLS), radius)
    floats = Ball(FLOATS, exact.within(FLOATS), 1 / 64)
    for k in range(3):
        for j in range(k + 1):
            assert float(sp.N(symbolic.entry(k, j), 30)) == pytest.approx(floats.entry(k, j), rel=1e-12)
    a, b, c = sp.symbols("a b c", positive=True)
    fourth = spectral(SYMBOLS, [[a, b], [b, c]], 1) ** 4
    matrix = sp.Matrix([[a, b], [b, c]])
    assert sp.simplify(fourth - (matrix**4).trace()) == 0


def test_the_constant_grows_with_the_ball() -> None:
    for shape in shapes():
        profile = profile_of(shape, *random(shape, 20, 17))
        values = [lipschitz(FLOATS, profile, radius) for radius in (0.0, 0.01, 0.1, 1.0)]
        for small, large in pairwise(values):
            assert (small <= large * (1 + 1e-12)).all()


def test_a_profile_that_lacks_a_layer_gives_no_bound() -> None:
    shape = Shape("tanh", (2, 3, 2, 2, 1), 3)
    exact = rational(profile_of(shape, *random(shape, 1)), 0)
    for name, value in vars(exact).items():
        if isinstance(value, tuple):
            short = replace(exact, **{name: value[:-1]})
            with pytest.raises((IndexError, ValueError, Rejection)):
                upper(lambda numbers, r, short=short: lipschitz(numbers, short.within(numbers), r), Fraction(1, 8))


# The claim ----------------------------------------------------------------------------------------------------------

DERIVED = LocalDeviation(Fraction(1, 2), Fraction(0), Fraction(3), "yes", Fraction(7))


@pytest.mark.parametrize(
    "weaker",
    [{}, {"radius": "0.25"}, {"slope": "4"}, {"norm": "8"}, {"lipschitz": "no"}, {"lipschitz": "no", "offset": "1"}],
)
def test_a_weaker_claim_is_supported(weaker: dict[str, str]) -> None:
    DERIVED.supports(parse_claim({**to_fields(DERIVED), **weaker}, KINDS))


@pytest.mark.parametrize(
    ("stronger", "code"),
    [
        ({"radius": "0.75"}, "claim-not-derived"),
        ({"slope": "2.9"}, "claim-not-derived"),
        ({"norm": "6.9"}, "claim-not-derived"),
        ({"offset": "-1", "lipschitz": "no"}, "claim-not-derived"),
        ({"offset": "1"}, "bad-claim"),
        ({"lipschitz": "sometimes"}, "bad-claim"),
        ({"radius": 1}, "bad-claim"),
        ({"radius": "nan"}, "bad-claim"),
    ],
)
def test_a_stronger_claim_is_not(stronger: dict[str, Any], code: str) -> None:
    with pytest.raises(Rejection) as caught:
        DERIVED.supports(parse_claim({**to_fields(DERIVED), **stronger}, KINDS))
    assert caught.value.code == code


def test_a_deviation_in_the_ball_is_no_lipschitz_constant() -> None:
    with pytest.raises(Rejection) as caught:
        LocalDeviation(Fraction(1, 2), Fraction(0), Fraction(3), "no", Fraction(7)).supports(DERIVED)
    assert caught.value.code == "claim-differs"

"""Networks in float64: outputs by definition, gradients by differences and SymPy, kernels by Jacobians and limits."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import sympy

from ntkproof import Dataset, Network, enclose_gram
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.weights import Weights
from ntkproof.simulation.initialization import initialise, unmirrored
from ntkproof.simulation.networks import PARAMETRISATIONS, Model, empirical_ntk, gradients, jacobian, outputs

X = np.random.default_rng(7).standard_normal((5, 3))
KINDS = [(1, "hidden", "antisymmetric"), (1, "both", "gaussian"), (1, "output", "signs"), (1, "all", "balanced")]
KINDS += [(1, "hidden", "gaussian"), (1, "both", "antisymmetric"), (3, "all", "gaussian")]
CASES = list(itertools.product(KINDS, ["0", "0.3"], PARAMETRISATIONS, ["1", "fan-in"]))


def drawn(kind: tuple[int, str, str], bias: str = "0.3", scale: str = "1", seed: int = 0) -> tuple[Network, Weights]:
    depth, train, init = kind
    network = Network("gelu", depth, train, bias, "1.3", scale)
    widths = (8,) if depth == 1 else (8, 6, 10)
    return network, initialise(network, 3, widths, init, np.random.default_rng(seed))


# Definitions ----------------------------------------------------------------------------------------------------


def by_definition(network: Network, weights: Weights, x: Any) -> float:
    """``f(x)`` neuron by neuron, as `Network` defines it, for tanh."""
    sigma, beta = float(network.sigma_w), float(network.beta)
    value, scale = list(x), 1 / math.sqrt(len(x)) if network.input_scale == "fan-in" else 1.0
    for k, layer in enumerate(weights.layers):
        z = []
        for r, row in enumerate(layer):
            bias = beta * weights.biases[k][r] if k < len(weights.biases) else 0.0
            z.append(sigma * scale * sum(w * v for w, v in zip(row, value, strict=True)) + bias)
        value, scale = [math.tanh(each) for each in z], 1 / math.sqrt(len(z))
    return float(z[0])


@pytest.mark.parametrize(("depth", "train"), [(1, "hidden"), (1, "all"), (2, "all"), (4, "all")])
@pytest.mark.parametrize("scale", ["1", "fan-in"])
def test_outputs_by_definition(depth: int, train: str, scale: str) -> None:
    network = Network("tanh", depth, train, "0.7", "1.5", scale)
    weights = initialise(network, 3, 6, "gaussian", np.random.default_rng(3))
    expected = [by_definition(network, weights, x) for x in X.tolist()]
    assert outputs(network, weights, X) == pytest.approx(expected, rel=1e-13)


def test_mirrored_networks_start_at_zero_exactly() -> None:
    network, weights = drawn((1, "hidden", "antisymmetric"))
    assert weights.mirrored
    assert weights.layers[0].shape == (4, 3)
    whole = unmirrored(weights)
    assert whole.layers[0].shape == (8, 3)
    assert np.array_equal(whole.layers[1][0, :4], -whole.layers[1][0, 4:])
    assert np.abs(outputs(network, weights, X)).max() < 1e-16
    assert np.array_equal(outputs(network, weights, X), outputs(network, whole, X))


def test_a_mirrored_network_starts_at_its_output_bias() -> None:
    network, weights = drawn((1, "all", "antisymmetric"), bias="0.5")
    assert outputs(network, weights, X) == pytest.approx([0.5 * weights.biases[1][0]] * 5, rel=1e-13)


# Gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bias", "parametrisation", "scale"), CASES)
def test_jacobian_by_differences(kind: Any, bias: str, parametrisation: str, scale: str) -> None:
    network, weights = drawn(kind, bias, scale)
    model = Model(network, weights, X, parametrisation)
    theta, h = model.start, 1e-5
    found = jacobian(network, weights, X, parametrisation)
    assert found.shape == (5, model.parameters)
    for column, direction in zip(found.T, np.eye(model.parameters), strict=True):
        forward, back = model.outputs(theta + h * direction), model.outputs(theta - h * direction)
        assert (forward - back) / (2 * h) == pytest.approx(column, abs=1e-8)


def test_jacobian_by_sympy() -> None:
    """f(x) = σ_w 2^{-1/2} Σ_r a_r tanh(σ_w (u_r x_1 + v_r x_2) + β b_r), differentiated in W¹ (row by row), W², b¹."""
    network = Network("tanh", 1, "both", "0.5", "2")
    weights = Weights((np.array([[0.25, -1.0], [0.5, 2.0]]), np.array([[1.5, -0.75]])), (np.array([0.125, -0.25]),))
    u1, v1, u2, v2, a1, a2, b1, b2 = parameters = sympy.symbols("u1 v1 u2 v2 a1 a2 b1 b2")
    values = dict(zip(parameters, ("1/4", "-1", "1/2", "2", "3/2", "-3/4", "1/8", "-1/4"), strict=True))
    point = (sympy.Rational(3, 4), sympy.Rational(-1, 3))
    inside = [2 * (u * point[0] + v * point[1]) + b / 2 for u, v, b in ((u1, v1, b1), (u2, v2, b2))]
    f = sympy.sqrt(2) * (a1 * sympy.tanh(inside[0]) + a2 * sympy.tanh(inside[1]))
    expected = [float(sympy.diff(f, p).subs(values).evalf(20)) for p in parameters]
    found = jacobian(network, weights, np.array([[0.75, -1 / 3]]))
    assert found[0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("kind", "bias", "parametrisation", "scale"), CASES)
def test_products_with_the_jacobian(kind: Any, bias: str, parametrisation: str, scale: str) -> None:
    network, weights = drawn(kind, bias, scale)
    matrix = jacobian(network, weights, X, parametrisation)
    model = Model(network, weights, X, parametrisation)
    trace, rng = model.trace(model.start), np.random.default_rng(1)
    cotangent, tangent = rng.standard_normal(5), rng.standard_normal(model.parameters)
    f, pull = gradients(network, weights, X, parametrisation)
    assert f == pytest.approx(model.outputs(model.start), rel=1e-13)
    assert pull(cotangent) == pytest.approx(matrix.T @ cotangent, rel=1e-11, abs=1e-12)
    assert model.push(trace, tangent) == pytest.approx(matrix @ tangent, rel=1e-11, abs=1e-12)
    kernel = empirical_ntk(network, weights, X, parametrisation)
    assert kernel == pytest.approx(matrix @ matrix.T, rel=1e-11, abs=1e-12)
    assert np.array_equal(kernel, kernel.T)


def test_some_of_the_samples() -> None:
    network, weights = drawn((3, "all", "gaussian"))
    model = Model(network, weights, X)
    rows = np.array([3, 0])
    assert model.restricted(rows).outputs(model.start) == pytest.approx(model.outputs(model.start)[rows], rel=1e-13)


def test_weights_and_parameters() -> None:
    network, weights = drawn((3, "all", "gaussian"))
    for parametrisation in PARAMETRISATIONS:
        model = Model(network, weights, X, parametrisation)
        found = model.weights(model.start)
        for one, other in zip((*found.layers, *found.biases), (*weights.layers, *weights.biases), strict=True):
            assert one == pytest.approx(other, rel=1e-15)


# Parametrisations -----------------------------------------------------------------------------------------------


def test_standard_descent_is_descent_on_plain_weights() -> None:
    """One step on ``f(x) = c + V² tanh(V¹x + b)`` with all of V, b, c trained, gradients written out by hand."""
    network = Network("tanh", 1, "all", "0.5", "1.5", "fan-in")
    weights = initialise(network, 3, 4, "gaussian", np.random.default_rng(5))
    model = Model(network, weights, X, "standard")
    y, eta = np.arange(5.0), 0.05
    first, second = weights.layers[0] * 1.5 / math.sqrt(3), weights.layers[1] * 1.5 / 2
    b, c = 0.5 * weights.biases[0], 0.5 * weights.biases[1]

    def forward(first: Any, second: Any, b: Any, c: Any) -> tuple[Any, Any]:
        hidden = np.tanh(X @ first.T + b)
        return hidden, hidden @ second[0] + c[0]

    hidden, f = forward(first, second, b, c)
    assert model.outputs(model.start) == pytest.approx(f, rel=1e-13)
    r = f - y
    back = r[:, None] * second * (1 - hidden**2)
    after = (first - eta * back.T @ X, second - eta * r @ hidden, b - eta * back.sum(axis=0), c - eta * r.sum())
    trace = model.trace(model.start)
    moved = model.start - eta * model.pull(trace, trace.outputs - y)
    assert model.outputs(moved) == pytest.approx(forward(*after)[1], rel=1e-12)


def test_mup_descent_is_that_of_yang_and_hu() -> None:
    """abc-parametrisation with a = (-1/2, 0, 1/2), b = 1/2, c = 0 (Yang and Hu 2021, Table 1), two hidden layers."""
    width = 6
    network = Network("tanh", 2)
    weights = initialise(network, 3, width, "gaussian", np.random.default_rng(6))
    model = Model(network, weights, X, "mup")
    y, eta, root = np.arange(5.0), 0.05, math.sqrt(width)
    w = [layer / root for layer in weights.layers]  # native weights, N(0, 1/m)

    def forward(w: list[Any]) -> tuple[Any, Any, Any]:
        h1 = np.tanh(root * (X @ w[0].T))
        h2 = np.tanh(h1 @ w[1].T)
        return h1, h2, (h2 @ w[2].T)[:, 0] / root

    h1, h2, f = forward(w)
    assert model.outputs(model.start) == pytest.approx(f, rel=1e-12)
    r = f - y
    d2 = r[:, None] * (w[2] / root) * (1 - h2**2)
    d1 = (d2 @ w[1]) * (1 - h1**2)
    steps = [root * d1.T @ X, d2.T @ h1, (r @ h2)[None, :] / root]
    trace = model.trace(model.start)
    moved = model.start - eta * model.pull(trace, trace.outputs - y)
    after = forward([a - eta * b for a, b in zip(w, steps, strict=True)])[2]
    assert model.outputs(moved) == pytest.approx(after, rel=1e-12)


def test_mup_and_ntk_have_the_same_kernel_at_the_start() -> None:
    network, weights = drawn((3, "all", "gaussian"), bias="0")
    scaled = empirical_ntk(network, weights, X, "mup")
    assert scaled == pytest.approx(empirical_ntk(network, weights, X), rel=1e-12)


# Initialisation -------------------------------------------------------------------------------------------------


def test_output_weights_at_the_start() -> None:
    network = Network("relu", train="hidden")
    rng = np.random.default_rng(0)
    signs = initialise(network, 2, 400, "signs", rng).layers[1]
    assert set(signs.ravel().tolist()) == {-1.0, 1.0}
    assert abs(signs.sum()) < 100  # five standard deviations
    balanced = initialise(network, 2, 400, "balanced", rng).layers[1]
    assert sorted(balanced.ravel().tolist()) == [-1.0] * 200 + [1.0] * 200
    normal = initialise(network, 2, 4000, "gaussian", rng)
    assert abs(np.mean(normal.layers[1] ** 2) - 1) < 5 * math.sqrt(2 / 4000)
    assert abs(np.mean(normal.layers[0] ** 2) - 1) < 5 * math.sqrt(2 / 8000)


def test_equal_seeds_give_equal_weights() -> None:
    network = Network("relu", 3, bias="0.5")
    one, other, third = (initialise(network, 2, 7, "gaussian", np.random.default_rng(s)) for s in (4, 4, 5))
    assert one.sha256 == other.sha256 != third.sha256
    assert [b.shape for b in one.biases] == [(7,), (7,), (7,), (1,)]


@pytest.mark.parametrize(
    ("network", "widths", "init", "message"),
    [
        (Network("relu"), 7, "antisymmetric", "needs an even width, not 7"),
        (Network("relu"), 7, "balanced", "needs an even width, not 7"),
        (Network("relu"), 8, "orthogonal", "unknown init 'orthogonal'"),
        (Network("relu", 2), 8, "signs", "is for one hidden layer"),
        (Network("relu", 2), (8,), "gaussian", "2 positive widths are needed, not 8"),
        (Network("relu"), 0, "gaussian", "1 positive widths are needed, not 0"),
    ],
)
def test_unusable_starts_are_refused(network: Network, widths: Any, init: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        initialise(network, 2, widths, init, np.random.default_rng(0))


def test_weights_that_do_not_fit_are_refused() -> None:
    network, weights = drawn((1, "hidden", "gaussian"))
    with pytest.raises(InputError, match="W1 takes 3 inputs"):
        outputs(network, weights, X[:, :2])
    with pytest.raises(InputError, match="2 layers of weights for a network of depth 2"):
        outputs(Network("relu", 2, bias="0.3"), weights, X)
    with pytest.raises(InputError, match="1 bias vectors where the network has 0"):
        outputs(Network("relu", train="hidden"), weights, X)
    with pytest.raises(InputError, match="unknown parametrisation"):
        Model(network, weights, X, "ntp")


# Infinite width -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("init", "independent"), [("signs", 1), ("antisymmetric", 2)])
def test_variance_of_the_kernel_of_relu(init: str, independent: int) -> None:
    """``m E‖H_0 − H∞‖_F² = Σ K_ij² p_ij (1 − p_ij)`` for ReLU: σ'(u)σ'(v) is a coin with p_ij = H∞_ij / K_ij."""
    network = Network("relu", train="hidden")
    limit, _ = enclose_gram(Dataset(X), network)
    gram = X @ X.T
    expected = independent * float((limit * (gram - limit)).sum())
    for width in (16, 256):
        found = []
        for seed in range(200):
            weights = initialise(network, 3, width, init, np.random.default_rng([seed, width]))
            found.append(width * float(((empirical_ntk(network, weights, X) - limit) ** 2).sum()))
        assert abs(np.mean(found) - expected) < 5 * np.std(found) / math.sqrt(200)


@pytest.mark.parametrize(
    "network",
    [
        Network("erf", train="both", bias="0.5"),
        Network("tanh", train="all", weight_std="1.5"),
        Network("relu", train="output"),
        Network("gelu", 2, bias="0.3", input_scale="fan-in"),
        Network("sin", 3),
    ],
)
def test_kernels_approach_their_limit_like_the_root_of_the_width(network: Network) -> None:
    """The mean square of ``H_0 − H∞`` falls by 16 from width 16 to 256 for one layer, to within its error for more."""
    limit, _ = enclose_gram(Dataset(X), network)
    means = []
    for width in (32, 512):
        squares = []
        for seed in range(60):
            weights = initialise(network, 3, width, "gaussian", np.random.default_rng([seed, width]))
            squares.append(float(((empirical_ntk(network, weights, X) - limit) ** 2).sum()))
        means.append(np.mean(squares))
    assert 16 / 2 < means[0] / means[1] < 16 * 2

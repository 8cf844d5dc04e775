"""The kernels against the integrals of ``test_activations`` in the product form of Arora et al. 2019, and sampling.

The checker runs the recursion ``Θ ← Σ + σ_w² Θ T_σ'``; here ``Θ = Σ_h Σ^h Π_{h' ≥ h} σ_w² T_σ'`` is summed from exact
rational first-layer covariances, every expectation being an integral.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from math import prod

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_activations import ENGINES, NAMES, TRUTH_BITS, expectation, sampled, to_arb

from ntkproof.checker.activations.dual import activation
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.limit.entries import enclose_entries, enclose_kernel
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem

PAIR = np.array([[0.5, -1.25, 1.0], [1.5, 0.25, -0.125]])


def network(name: str, depth: int = 1, train: str = "all", **scales: str) -> Network:
    return Network(name, depth, train, **scales)


def enclose(engine: str, problem: Problem, precision: int = 160, working: int = 256) -> tuple[list[list[int]], int]:
    """All entries of the integer matrix and the radius, in units of 2^-precision."""
    matrix, radius = enclose_kernel(arithmetic(engine), problem, precision, working, lambda done, total: None)
    return [[matrix.entry(i, j) for j in range(matrix.n)] for i in range(matrix.n)], radius


# The independent truth --------------------------------------------------------------------------------------------


def true_entry(problem: Problem, i: int, j: int) -> arb:
    """The kernel of rows i and j from exact covariances and integrals, at `TRUTH_BITS` bits."""
    net, rows = problem.network, [[Fraction(x) for x in row] for row in problem.dataset.inputs.tolist()]
    scale = net.sigma_w**2 / (problem.dataset.d if net.input_scale == "fan-in" else 1)

    def first(a: int, b: int) -> Fraction:
        return scale * sum(x * y for x, y in zip(rows[a], rows[b], strict=True)) + net.beta**2

    q, c, r = first(i, i), first(i, j), first(j, j)
    gap = q * r - c * c
    with flint.ctx.workprec(TRUTH_BITS):
        weight, bias = to_arb(net.sigma_w**2), to_arb(net.beta**2)
        triple = [to_arb(x) for x in (q, c, r)]
        det = None if gap == 0 else to_arb(gap)
        sigmas, slopes = [triple[1]], []
        for _ in range(net.depth):
            slopes.append(weight * expectation(net.activation, *triple, det, derivative=True))
            q_, c_, r_ = triple
            duals = [expectation(net.activation, q_, q_, q_, None), None, None]
            duals[1] = duals[0] if i == j else expectation(net.activation, q_, c_, r_, det)
            duals[2] = duals[0] if i == j else expectation(net.activation, r_, r_, r_, None)
            triple = [weight * dual + bias for dual in duals]
            if i != j and det is not None:
                det = triple[0] * triple[2] - triple[1] ** 2
            sigmas.append(triple[1])
        if problem.kernel == "nngp":
            return sigmas[-1]
        if net.train == "hidden":
            return sigmas[0] * slopes[0]
        if net.train == "output":
            return sigmas[1] - bias
        if net.train == "both":
            return sigmas[0] * slopes[0] + sigmas[1] - bias
        return sum((sigma * prod(slopes[h:], start=arb(1)) for h, sigma in enumerate(sigmas)), arb(0))


def assert_true(problem: Problem, width: int = 64) -> None:
    """Both arithmetics enclose the true matrix: ``max_i Σ_j |H_ij − 2^-p A_ij| ≤ 2^-p R`` with a small R."""
    n = problem.dataset.n
    truth = [[true_entry(problem, max(i, j), min(i, j)) for j in range(n)] for i in range(n)]
    # the fast arithmetic has another implementation for up to 53 bits
    for engine, (precision, working) in product(ENGINES, ((160, 256), (50, 53))):
        entries, radius = enclose(engine, problem, precision, working)
        largest = max(abs(value) for row in entries for value in row)
        assert radius <= (width if working == 256 else 64 + largest / 2**30), (engine, radius)
        with flint.ctx.workprec(TRUTH_BITS):
            unit = arb(2) ** -precision
            for i in range(n):
                distances = [abs(truth[i][j] - entries[i][j] * unit) for j in range(n)]
                assert sum((t.rad() for t in distances), arb(0)) < unit / 2**20
                assert sum((t.mid() for t in distances), arb(0)) <= radius * unit + unit / 2**20, (engine, i)


SCALES = [("1", "0"), ("1.5", "0"), ("0.8", "0.3"), ("1.2", "2")]
SETTINGS = [
    *((depth, "all", kernel) for depth in (1, 2, 3, 5) for kernel in ("ntk", "nngp")),
    *((1, train, "ntk") for train in ("hidden", "output", "both")),
]


def grid(name: str) -> list[Problem]:
    return [
        Problem(
            Dataset(PAIR),
            Network(name, depth, train, bias=bias, weight_std=weight, input_scale=scale),
            kernel,
        )
        for (depth, train, kernel), (weight, bias), scale in product(SETTINGS, SCALES, ("1", "fan-in"))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_kernels_enclose_the_truth(name: str) -> None:
    """A sample of the grid; over all activations every depth, scale and set of trained parameters occurs."""
    for problem in grid(name)[NAMES.index(name) :: 17]:
        assert_true(problem)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_kernels_enclose_the_truth_on_the_whole_grid(name: str) -> None:
    for problem in grid(name):
        assert_true(problem)


# Special points ---------------------------------------------------------------------------------------------------

SPECIAL = {
    "identical": [[0.5, 1.0], [0.5, 1.0]],
    "antipodal": [[0.5, 1.0], [-1.0, -2.0]],
    "nearly identical": [[1.0, 0.0], [1.0, 2.0**-20]],  # 1 − ρ is about 5e-13
    "nearly antipodal": [[1.0, 0.0], [-1.0, 2.0**-20]],
    "short": [[1e-8, 0.0], [3e-9, 1e-8]],
    "long and short": [[30.0, 0.0], [3e-9, 1e-8]],
}


@pytest.mark.parametrize("case", SPECIAL)
@pytest.mark.parametrize("name", ["relu", "leaky_relu(-2.5)", "erf", "cos"])
def test_special_rows_at_the_first_layer(name: str, case: str) -> None:
    """Parallel first-layer features are exact: no precision is lost at depth 1."""
    for kernel in ("ntk", "nngp"):
        assert_true(Problem(Dataset(np.array(SPECIAL[case])), network(name), kernel), width=16)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["relu", "abs", "erf", "sin"])
def test_parallel_rows_at_depth_3(name: str, engine: str) -> None:
    """Every layer where features stay parallel halves the bits of a kinked σ (1024, 512, 256), never the truth."""
    net = network(name, 3)
    x, y = [0.5, 1.0], [1.0, 2.0]
    entries, radius = enclose(engine, Problem(Dataset(np.array([x, x])), net), 100, 1024)
    assert radius <= 16
    assert abs(entries[1][0] - entries[0][0]) <= 2 * radius
    opposite, radius = enclose(engine, Problem(Dataset(np.array([x, [-1.0, -2.0]])), net), 100, 1024)
    parallel, slack = enclose(engine, Problem(Dataset(np.array([x, y])), net), 100, 1024)
    assert max(radius, slack) <= 16
    sign = {"even": 1, "odd": -1, "none": 0}[activation(name).parity]
    if sign:  # K(x, −y) = ± K(x, y)
        assert abs(opposite[1][0] - sign * parallel[1][0]) <= radius + slack
    if name == "relu":  # T_relu = T_relu' = 0 between opposite features: the layers above see (q, 0, r)
        with flint.ctx.workprec(TRUTH_BITS):
            q, r = arb(5) / 4, arb(5)
            second = (q * r).sqrt() / (4 * arb.pi())  # Σ³ = Θ³ from q/2, 0, r/2
            theta = (second * 4 / (q * r).sqrt()).acos()
            slope = 1 - theta / arb.pi()
            final = (q * r).sqrt() / 8 * (theta.sin() + arb.pi() * slope * theta.cos()) / arb.pi()
            expected = final + second * slope / 2
            assert abs(expected * arb(2) ** 100 - opposite[1][0]) <= radius + 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_zero_row(name: str, depth: int, engine: str) -> None:
    """Without bias a row of zeros has ``Σ¹ = 0``; if σ(0) = 0 its row of every kernel is zero."""
    for kernel in ("ntk", "nngp"):
        problem = Problem(Dataset(np.array([[0.0, 0.0], [1.0, 2.0]])), network(name, depth), kernel)
        entries, radius = enclose(engine, problem, 100, 192)
        assert radius <= 2**12
        if name != "cos":
            assert max(abs(entries[0][0]), abs(entries[1][0])) <= radius
        elif depth == 1:  # T_cos(0, 0, r) = e^{-r/2}, and the first-layer term vanishes with Σ¹
            with flint.ctx.workprec(TRUTH_BITS):
                truth = (-arb(5) / 2).exp() * 2**100
                assert abs(truth - entries[1][0]) < radius + 1
                assert abs(entries[0][0] - 2**100) <= radius


@pytest.mark.parametrize("engine", ENGINES)
def test_hidden_kernel_of_a_zero_row_vanishes_for_cos_too(engine: str) -> None:
    problem = Problem(Dataset(np.array([[0.0, 0.0], [1.0, 2.0]])), network("cos", 1, "hidden"))
    entries, _ = enclose(engine, problem, 100, 192)
    assert entries[0] == [0, 0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_norms_of_1e8_and_their_inverse(scale: float, engine: str) -> None:
    """Equal, orthogonal and opposite rows by hand, in proportion to the squared norm."""
    rows = np.array([[scale, 0.0], [0.0, scale], [-scale, 0.0]])
    entries, radius = enclose(engine, Problem(Dataset(rows), network("relu")), 200, 400)
    q = Fraction(scale) ** 2
    with flint.ctx.workprec(TRUTH_BITS):
        # Θ(x, x) = q/2 + q/2; Θ(x, ⊥) = q/2π; Θ(x, −x) = 0
        expected = [[arb(1), 1 / (2 * arb.pi()), arb(0)], [1 / (2 * arb.pi()), arb(1), 1 / (2 * arb.pi())]]
        for i, row in enumerate(expected):
            for j, value in enumerate(row):
                assert abs(value * to_arb(q) * arb(2) ** 200 - entries[i][j]) < radius + 1
    assert radius <= 16


# Sampling ---------------------------------------------------------------------------------------------------------


def empirical(net: Network, x: np.ndarray, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The NTK of one random network of this width from explicit per-sample gradients, and its outputs."""
    weight, bias = float(net.sigma_w), float(net.beta)
    sizes = [x.shape[1], *[width] * net.depth, 1]
    weights = [rng.standard_normal((out, into)) for into, out in pairwise(sizes)]
    biases = [rng.standard_normal(out) for out in sizes[1:]]
    scales = [1.0 if net.input_scale == "1" else x.shape[1] ** -0.5, *[width**-0.5] * net.depth]
    gradients, outputs = [], []
    for row in x:
        z, h = [], [row]
        for w, b, s in zip(weights, biases, scales, strict=True):
            z.append(weight * s * w @ h[-1] + bias * b)
            h.append(sampled(net.activation, z[-1]))
        back, parts = np.ones(1), []
        for layer in reversed(range(net.depth + 1)):
            parts += [weight * scales[layer] * np.outer(back, h[layer]).ravel(), bias * back]
            if layer:
                back = weight * scales[layer] * (weights[layer].T @ back)
                back = back * sampled(net.activation, z[layer - 1], derivative=True)
        chosen = {"all": parts, "hidden": parts[2:], "output": parts[:1], "both": [parts[0], *parts[2:]]}
        gradients.append(np.concatenate(chosen[net.train]))
        outputs.append(z[-1][0])
    jacobian = np.array(gradients)
    return jacobian @ jacobian.T, np.array(outputs)


def midpoint(problem: Problem) -> np.ndarray:
    entries, _ = enclose("reference", problem, 60, 120)
    return np.array([[value / 2**60 for value in row] for row in entries])


@pytest.mark.parametrize("train", ["all", "hidden", "output", "both"])
@pytest.mark.parametrize("name", NAMES)
def test_depth_1_kernel_is_the_mean_of_finite_networks(name: str, train: str) -> None:
    """At depth 1 the mean of the empirical NTK is the kernel at every width: six standard errors."""
    net = Network(name, 1, train, bias="0.5", weight_std="1.25", input_scale="fan-in")
    rng = np.random.default_rng(7)
    draws = np.array([empirical(net, PAIR, 64, rng)[0] for _ in range(200)])
    error = draws.std(axis=0) / np.sqrt(len(draws)) + 1e-9
    assert (np.abs(draws.mean(axis=0) - midpoint(Problem(Dataset(PAIR), net))) < 6 * error).all()


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("name", ["relu", "abs", "erf", "sin", "cos"])
def test_deep_kernel_is_the_limit_of_wide_networks(name: str, depth: int) -> None:
    """The distance to the kernel falls with the width, about as its inverse root."""
    net = Network(name, depth, bias="0.5", weight_std="1.25", input_scale="fan-in")
    truth, rng = midpoint(Problem(Dataset(PAIR), net)), np.random.default_rng(11)
    distance = {}
    for width, count in ((16, 60), (400, 12)):
        draws = np.array([empirical(net, PAIR, width, rng)[0] for _ in range(count)])
        distance[width] = np.sqrt(((draws - truth) ** 2).mean()) / np.abs(truth).max()
    assert distance[400] < 0.12
    assert distance[400] < distance[16] / 2.5  # √25 = 5 in the limit
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - truth) < 6 * error + np.abs(truth).max() * 4 / 400).all()


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_nngp_is_the_covariance_of_outputs(name: str) -> None:
    """The outputs' sample covariance; at depth 1 it is the kernel at every width."""
    net = Network(name, 1, bias="0.5", weight_std="1.25")
    rng = np.random.default_rng(3)
    draws = np.array([empirical(net, PAIR, 16, rng)[1] for _ in range(3000)])
    products = draws[:, :, None] * draws[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(products.mean(axis=0) - midpoint(Problem(Dataset(PAIR), net, "nngp"))) < 6 * error).all()


# Metamorphic properties -------------------------------------------------------------------------------------------

INPUTS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 4), st.integers(1, 3)),
    elements=st.integers(-40, 40).map(lambda k: k / 8),
)


@st.composite
def problems(draw: st.DrawFn, **fixed: str) -> Problem:
    depth = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = draw(st.sampled_from(["ntk", "nngp"]))
    train = "all" if depth > 1 or kernel == "nngp" else draw(st.sampled_from(["all", "hidden", "output", "both"]))
    bias, weight = draw(st.sampled_from(["0", "0.5"])), draw(st.sampled_from(["1", "1.5"]))
    options = {"bias": bias, "weight_std": weight, "input_scale": draw(st.sampled_from(["1", "fan-in"]))}
    name = fixed.pop("name", None) or draw(st.sampled_from(NAMES))
    return Problem(Dataset(draw(INPUTS)), Network(name, depth, train, **{**options, **fixed}), kernel)


def changed(problem: Problem, inputs: np.ndarray) -> Problem:
    return Problem(Dataset(inputs), problem.network, problem.kernel)


@given(problems(), st.sampled_from(ENGINES), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_row_permutations_column_permutations_and_column_signs(problem: Problem, engine: str, random) -> None:
    """Permuting rows permutes H; an orthogonal map of the inputs (signed permutation: exact) leaves it alone."""
    x = problem.dataset.inputs
    rows, columns = list(range(len(x))), list(range(x.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    signs = np.array([random.choice([-1.0, 1.0]) for _ in columns])
    before, radius = enclose(engine, problem, 60, 128)
    after, slack = enclose(engine, changed(problem, (x[rows][:, columns]) * signs), 60, 128)
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            assert abs(after[i][j] - before[a][b]) <= radius + slack
            assert after[i][j] == after[j][i]


@given(problems(name="relu", bias="0"), st.sampled_from(ENGINES), st.integers(-6, 6))
@settings(max_examples=30, deadline=None)
def test_relu_without_bias_is_homogeneous_of_degree_two(problem: Problem, engine: str, power: int) -> None:
    before, radius = enclose(engine, problem, 100, 192)
    after, slack = enclose(engine, changed(problem, problem.dataset.inputs * 2.0**power), 100, 192)
    factor = Fraction(4) ** power
    for row, scaled in zip(before, after, strict=True):
        for a, b in zip(row, scaled, strict=True):
            assert abs(b - factor * a) <= slack + factor * radius


@given(problems(), st.sampled_from(ENGINES))
@settings(max_examples=40, deadline=None)
def test_gram_matrices_are_psd_up_to_their_radius(problem: Problem, engine: str) -> None:
    entries, radius = enclose(engine, problem, 60, 128)
    smallest = np.linalg.eigvalsh(np.array(entries, dtype=float) / 2.0**60)[0]
    size = max(1.0, *(row[i] / 2**60 for i, row in enumerate(entries)))
    assert smallest >= -radius / 2.0**60 - 1e-13 * size


@given(INPUTS, st.sampled_from(ENGINES), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_closed_forms_of_the_diagonal(x: np.ndarray, engine: str, depth: int) -> None:
    """ReLU with σ_w = 2: ``q^{l+1} = 2 q^l`` and ``σ_w² T_σ' = 2``; identity with β = 2: ``q^{l+1} = q^l + 4``."""
    squares = [sum(Fraction(v) ** 2 for v in row) for row in x.tolist()]
    entries, radius = enclose(engine, Problem(Dataset(x), network("relu", depth, weight_std="2")), 60, 128)
    for i, norm in enumerate(squares):  # Σ^h = 4·2^(h−1) |x|², each times the slopes 2 above it
        exact = (depth + 1) * 4 * 2**depth * norm
        assert abs(entries[i][i] - exact * 2**60) <= radius
    entries, radius = enclose(engine, Problem(Dataset(x), network("identity", depth, bias="2")), 60, 128)
    for i, norm in enumerate(squares):  # Σ^h = |x|² + 4h, slopes 1
        exact = sum(norm + 4 * h for h in range(1, depth + 2))
        assert abs(entries[i][i] - exact * 2**60) <= radius


@given(problems(), st.sampled_from(ENGINES))
@settings(max_examples=30, deadline=None)
def test_train_modes_add_up(problem: Problem, engine: str) -> None:
    """``hidden + output = both`` and ``all = both + β²`` at depth 1: gradients of disjoint sets of parameters."""
    total = {}
    for train in ("hidden", "output", "both", "all"):
        net = Network(
            problem.network.activation,
            1,
            train,
            problem.network.beta,
            problem.network.sigma_w,
            problem.network.input_scale,
        )
        total[train] = enclose(engine, Problem(problem.dataset, net), 60, 128)
    beta = problem.network.beta**2 * 2**60
    slack = sum(radius for _, radius in total.values())
    for hidden, output, both, everything in zip(*(total[t][0] for t in total), strict=True):
        for a, b, c, d in zip(hidden, output, both, everything, strict=True):
            assert abs(a + b - c) <= slack
            assert abs(c + beta - d) <= slack


def test_the_radius_is_the_largest_row_sum_of_the_symmetric_matrix() -> None:
    """Entries below the diagonal count for two rows; here the first row, which has but one of its own, is largest."""
    radii = iter([32, 16, 4, 8, 2, 1])
    problem = Problem(Dataset(np.eye(3)), network("identity"))
    gram = arithmetic("reference").gram(problem.dataset.inputs, 0)
    packed, radius = enclose_entries(problem, gram, Intervals(64), lambda x: (0, next(radii)), lambda done, total: None)
    assert (packed, radius) == ([0] * 6, 32 + 16 + 8)


@pytest.mark.parametrize("engine", ENGINES)
def test_progress_is_told_row_by_row(engine: str) -> None:
    ticks: list[tuple[int, int]] = []
    problem = Problem(Dataset(np.eye(4)), network("relu"))
    enclose_kernel(arithmetic(engine), problem, 60, 100, lambda done, total: ticks.append((done, total)))
    assert ticks == [(1, 4), (2, 4), (3, 4), (4, 4)]

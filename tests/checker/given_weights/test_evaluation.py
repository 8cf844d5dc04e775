"""Networks with given weights: residual, Jacobian Gram matrix and distance against 200-bit Arb balls, both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb, arb_mat
from given_truth import (
    BITS,
    KINKED,
    SMOOTH,
    Truth,
    above,
    ball,
    derivatives,
    floats,
    given,
    largest,
    length,
    near,
    norm,
    paired,
    random_problem,
    row_lengths,
    smallest,
    within,
    written_out,
)
from two_layer import derive
from units import change

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.given_weights import evaluation, norms
from ntkproof.checker.given_weights.evaluation import Evaluation, Evaluator, Layer
from ntkproof.checker.given_weights.given import residual_norm
from ntkproof.checker.given_weights.gram import gram_array, jacobian_error, row_norms
from ntkproof.checker.given_weights.nearby import distance, moved
from ntkproof.checker.given_weights.norms import Rounded, norm_squared
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Proved
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.prover.factor import cholesky_floats
from ntkproof.prover.matrices import as_floats

ENGINES = ("reference", "fast")
engines = pytest.mark.parametrize("engine", ENGINES)
SEEDS = [*range(22), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(22, 264))]
PRECISION = 80


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with flint.ctx.workprec(BITS):
        yield


def evaluator(problem: Problem, engine: str = "fast", weights: Weights | None = None) -> Evaluator:
    chosen = weights or problem.weights
    assert chosen is not None
    return Evaluator(arithmetic(engine), problem, chosen, lambda done, total: None)


def evaluate(problem: Problem, engine: str = "fast", weights: Weights | None = None) -> Evaluation:
    return evaluator(problem, engine, weights).run()


def matrix(found: Any, precision: int) -> arb_mat:
    return arb_mat([[ball(Fraction(int(x), 2**precision)) for x in row] for row in found.tolist()])


def contains(at: Evaluation, truth: Truth, precision: int = PRECISION) -> bool:
    """Whether the residual and ``H_0`` are where the evaluation says."""
    pairs = zip(at.residual, truth.residual, strict=True)
    assert all(within(r, exact, at.residual_error) for r, exact in pairs)
    assert above(residual_norm(at), length(truth.residual))
    found, radius = gram_array(at, precision)
    assert above(Fraction(radius, 2**precision), norm(truth.kernel - matrix(found, precision)))
    return True


# The oracle -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(22))
def test_the_oracle_backpropagates_what_it_differentiates_forward(seed: int) -> None:
    problem = random_problem(seed)
    for row, other in zip(Truth(problem).jacobian.tolist(), derivatives(problem), strict=True):
        assert all(abs(x - y) < 1e-45 * (1 + abs(y)) for x, y in zip(row, other, strict=True))


# Containment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_contain_the_truth_and_agree(seed: int) -> None:
    problem = random_problem(seed)
    truth, found = Truth(problem), [evaluate(problem, engine) for engine in ENGINES]
    size = norm(truth.kernel)
    for at in found:
        assert contains(at, truth)
        assert contains(at, truth, 30)
        assert at.residual_error < 1e-6 * (1 + max(map(abs, at.residual)))
        assert near(Fraction(gram_array(at, PRECISION)[1], 2**PRECISION), 0 * size, 0, 1e-4 * (1 + float(size.mid())))
        for layer in at.layers.values():
            g, f, g_error, f_error = row_norms(layer)
            assert max(g_error, f_error) < 1e-5 * (1 + max(g, f))
            assert layer.kinks == 0
        for k in range(truth.trained):
            g, f, _, _ = row_norms(at.layers[k + 1])
            assert near(g, largest(row_lengths(truth.sensitivities(k))), 1e-5, 1e-5)
            assert near(f, largest(row_lengths(truth.features(k))), 1e-5, 1e-5)
            if k < truth.depth:
                spike = largest(abs(h) for sample in truth.spikes for h in sample[k])
                assert near(at.layers[k + 1].largest ** 2 * at.layers[k + 1].gradient_scale, spike**2, 1e-5, 1e-5)
    one, other = found
    for r, s in zip(one.residual, other.residual, strict=True):
        assert abs(r - s) <= one.residual_error + other.residual_error
    (a, r), (b, s) = (gram_array(at, PRECISION) for at in found)
    assert float(norm(matrix(a - b, PRECISION)).mid()) <= float(Fraction(r + s, 2**PRECISION)) * (1 + 1e-12)


@pytest.mark.parametrize("seed", SEEDS[:8] + SEEDS[22:60])
def test_the_smallest_eigenvalue_is_below_the_truth(seed: int) -> None:
    problem = random_problem(seed)
    exact = smallest(Truth(problem).kernel)
    for engine in ENGINES:
        derived = derive(problem, "given_kernel", (), {"precision": 60}, engine=engine)
        assert isinstance(derived.claim, Enclosure)
        assert derived.matrix is not None
        found = as_floats(derived.matrix, -60)
        shift = max(0.0, float(exact.mid()) - 1e-6 * np.trace(found))
        factor = cholesky_floats(found - shift * np.eye(len(found)) + 1e-9 * np.trace(found) * np.eye(len(found)), 48)
        assert factor is not None
        args = {"eigenvalue": "min", "shift": str(Fraction(shift)) if not shift else f"{shift:.30f}", "scale": 48}
        bound = derive(
            problem, "psd_bound", (Proved(derived.claim, derived.matrix),), args, {"factor": factor}, engine
        ).claim
        assert isinstance(bound, EigenvalueBound)
        assert not exact < ball(bound.value)
        assert bound.value > float(exact.mid()) - 1e-4 * (1 + np.trace(found))


# Few bits: what the error bounds leave out shows -----------------------------------------------------------------


@pytest.fixture(params=[(4, 4), (9, 3), (8, 12), (14, 14)])
def coarse(request: Any, monkeypatch: Any) -> tuple[int, int]:
    change(monkeypatch, FORWARD=request.param[0], BACKWARD=request.param[1])
    return request.param[0], request.param[1]


def entries_hold(problem: Problem, engine: str) -> bool:
    """Whether every entry of a pass forward and backward is within its error."""
    of, truth = evaluator(problem, engine), Truth(problem)
    weights, depth = problem.weights, problem.network.depth
    assert weights is not None
    half = len(weights.layers[0])
    inputs = of.numbers.quantise(problem.dataset.inputs, Fraction(1), evaluation.FORWARD)
    passed = evaluation.Pass(of, weights, inputs)
    forward, backward = (Fraction(1, 2**p) for p in (evaluation.FORWARD, evaluation.BACKWARD))

    def hold(found: Any, exact: list[list[arb]], unit: Fraction, error: int) -> bool:
        return all(
            within(int(a) * unit, b, error * unit)
            for row, other in zip(found.tolist(), exact, strict=True)
            for a, b in zip(row, other, strict=False)  # of mirrored neurons the first half
        )

    last = truth.scales[-1]
    for k in range(depth):
        assert hold(passed.inputs[k], [values[k] for values in truth.values], forward, passed.input_errors[k])
        if of.smooth:
            assert hold(passed.slopes[k], [s[k] for s in truth.slopes], forward, passed.slope_errors[k])
    sums = [[dot_of(values[depth][:half] if weights.mirrored else values[depth], weights)] for values in truth.values]
    assert hold(passed.outputs, sums, forward, passed.output_error)
    for back in passed.backward():
        if back.layer <= depth and of.smooth:
            exact = [[g / last for g in gradients[back.layer - 1]] for gradients in truth.gradients]
            assert hold(back.gradients, exact, backward, back.error)
            spikes = [abs(h) / last for sample in truth.spikes for h in sample[back.layer - 1]]
            assert all(above(back.largest, h) for h in spikes)
    return True


def dot_of(values: list[arb], weights: Weights) -> arb:
    return sum((ball(a) * x for a, x in zip(weights.layers[-1][0].tolist(), values, strict=True)), arb(0))


@engines
@pytest.mark.parametrize("widest", [1, 3])
def test_with_few_bits_every_entry_is_within_its_error(engine: str, widest: int, coarse: tuple[int, int]) -> None:
    for seed in range(0, 66, 2 if engine == "reference" else 9):
        assert entries_hold(random_problem(seed, widest, (0.02, 1, 14)), engine)


@engines
def test_with_few_bits_the_truth_is_contained(engine: str, coarse: tuple[int, int]) -> None:
    for seed in range(0, 110, 3 if engine == "reference" else 19):
        problem = random_problem(seed, 2, (0.02, 1, 7))
        assert contains(evaluate(problem, engine), Truth(problem), 90)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_with_few_bits_the_truth_is_contained_in_more_networks(seed: int, coarse: tuple[int, int]) -> None:
    problem = random_problem(seed, 3, (0.02, 0.3, 1, 14))
    assert contains(evaluate(problem, "reference"), Truth(problem), 90)
    assert entries_hold(problem, "reference")


# Kinks ----------------------------------------------------------------------------------------------------------


@engines
@pytest.mark.parametrize("name", list(KINKED))
@pytest.mark.parametrize("train", ["hidden", "both", "all"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_hyperplanes_hit_exactly(engine: str, name: str, train: str, mirrored: bool) -> None:
    inputs = [[1.0, 1.0, 0.0], [2.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
    hidden = [[1.0, -1.0, 2.0], [0.5, 0.25, 1.0], [-1.0, 1.0, 3.0], [0.0, 0.0, 0.0]]
    problem = given(inputs, [hidden, [[1.5, -0.5, 2.0, 3.0]]], (), mirrored, activation=name, train=train)
    at = evaluate(problem, engine)
    for at_kink in (Fraction(0), Fraction(1, 3), Fraction(1)):
        assert contains(at, Truth(problem, at_kink=at_kink))
    copies = 2 if mirrored else 1
    jump = (1 - KINKED[name]) ** 2
    largest = at.layers[1].largest
    assert 3 <= largest <= Fraction(3) + Fraction(1, 2**30)
    assert at.layers[1].kinks == copies * jump * largest**2 * (3 + 3 + 4)  # of the first, second and third sample


@engines
def test_one_hyperplane_hit_exactly_is_paid_in_full(engine: str) -> None:
    problem = given([[1.0], [0.0]], [[[1.0]], [[2.0]]], [[0.0]], activation="relu", bias="1", train="hidden")
    at = evaluate(problem, engine)
    for at_kink in (Fraction(0), Fraction(1, 2), Fraction(1)):
        assert contains(at, Truth(problem, at_kink=at_kink))


@engines
def test_a_kink_in_a_deep_network_is_refused(engine: str) -> None:
    problem = given([[1.0], [2.0]], [[[1.0]], [[1.0]], [[1.0]]], (), activation="relu", depth=2, train="all")
    with pytest.raises(Rejection) as caught:
        evaluate(problem, engine)
    assert caught.value.code == "hypothesis"


# Extremes -------------------------------------------------------------------------------------------------------

TINY = (1e-300, 5e-324, 2.0**-1030, 1e-13)


@engines
@pytest.mark.parametrize("name", ["erf", "softplus", "relu", "identity"])
@pytest.mark.parametrize("tiny", TINY)
def test_tiny_numbers(engine: str, name: str, tiny: float) -> None:
    for where, mirrored in product(range(3), (False, True)):
        arrays = [np.array([[1.0, -0.5], [0.25, 2.0]]), np.array([[0.5, 1.0], [-1.0, 0.75]]), np.array([[1.0, -2.0]])]
        arrays[where] = np.where(np.arange(arrays[where].size).reshape(arrays[where].shape) % 2, tiny, -tiny)
        problem = given(arrays[0], arrays[1:], (), mirrored, activation=name, train="both")
        at = evaluate(problem, engine)
        for at_kink in (Fraction(0), Fraction(1)):
            assert contains(at, Truth(problem, at_kink=at_kink))


@engines
@pytest.mark.parametrize("value", [1e300, -1e300, 1.7e308, 1e17, 1025.0])
@pytest.mark.parametrize("where", range(4))
def test_what_is_too_large_is_refused(engine: str, value: float, where: int) -> None:
    arrays = [np.ones((2, 1)), np.ones((2, 1)), np.ones((1, 2)), np.ones(2)]
    arrays[where].flat[0] = value
    problem = given(*arrays[:1], arrays[1:3], [arrays[3], [0.0]], activation="erf", bias="1", train="all")
    with pytest.raises(Rejection) as caught:
        evaluate(problem, engine)
    assert caught.value.code == "no-enclosure"


@engines
def test_an_output_bias_of_any_size_is_exact(engine: str) -> None:
    problem = given([[1.0], [2.0]], [[[1.0]], [[1.0]]], [[0.5], [1e300]], activation="erf", bias="0.1", train="all")
    at = evaluate(problem, engine)
    assert contains(at, Truth(problem))
    assert at.residual_error < 1e-9


@engines
def test_zeros(engine: str) -> None:
    for name, train, mirrored in product(("erf", "identity", "softplus"), ("hidden", "both"), (False, True)):
        problem = given(
            np.zeros((2, 3)), [np.zeros((2, 3)), np.zeros((1, 2))], (), mirrored, activation=name, train=train
        )
        assert contains(evaluate(problem, engine), Truth(problem))


@engines
def test_no_targets_no_residual(engine: str) -> None:
    problem = Problem(Dataset(np.ones((2, 1))), Network("erf", train="hidden"))
    with pytest.raises(Rejection) as caught:
        evaluate(problem, engine, Weights((np.ones((1, 1)), np.ones((1, 1)))))
    assert caught.value.code == "outside-theorem"


@engines
@pytest.mark.parametrize(("n", "d", "width"), [(2, 2000, 2), (40, 3, 5), (2, 1, 1), (3, 2, 200)])
def test_sizes(engine: str, n: int, d: int, width: int) -> None:
    random = np.random.default_rng(n)
    problem = given(
        random.normal(size=(n, d)) / d**0.5,
        [random.normal(size=(width, d)), random.normal(size=(1, width))],
        activation="erf",
        train="both",
    )
    assert contains(evaluate(problem, engine), Truth(problem))


@engines
@pytest.mark.parametrize("name", ["erf", "relu", "abs"])
@pytest.mark.parametrize(("width", "block"), [(4, 3), (3, 3), (7, 1), pytest.param(150, 2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("train", ["hidden", "both", "all"])
def test_blocks_add_up(engine: str, name: str, width: int, block: int, train: str, monkeypatch: Any) -> None:
    random = np.random.default_rng(width)
    biases = [random.normal(size=width), random.normal(size=1)][: 2 if train == "all" else 1]
    problem = given(
        random.normal(size=(3, 2)),
        [random.normal(size=(width, 2)), random.normal(size=(1, width))],
        biases,
        activation=name,
        bias="0.3",
        train=train,
    )
    whole = evaluate(problem, engine)
    change(monkeypatch, BLOCK=block)
    at = evaluate(problem, engine)
    assert contains(at, Truth(problem))
    assert contains(whole, Truth(problem))
    found = [[layer.gradients.tolist(), layer.inputs.tolist()] for layer in at.layers.values()]
    if name != "erf":  # exact values: cut or not, the same integers
        assert found == [[layer.gradients.tolist(), layer.inputs.tolist()] for layer in whole.layers.values()]


@engines
def test_many_blocks_add_up(engine: str, monkeypatch: Any) -> None:
    change(monkeypatch, BLOCK=1)
    random = np.random.default_rng(0)
    layers = [random.normal(size=(70, 2)), random.normal(size=(1, 70))]
    problem = given(random.normal(size=(2, 2)), layers, (), True, activation="sin", train="both")
    assert contains(evaluate(problem, engine), Truth(problem))


@engines
@pytest.mark.parametrize("name", ["erf", "abs"])
def test_a_mirrored_network_is_the_one_written_out(engine: str, name: str) -> None:
    w, a, b = np.array([[1.0, 0.5], [-2.0, 0.25]]), np.array([[1.5, -0.75]]), np.array([0.5, 1.0])
    options = {"activation": name, "train": "both", "bias": "0.5"}
    inputs = [[1.0, -2.0], [0.5, 1.0]]
    one = evaluate(given(inputs, [w, a], [b], True, **options), engine)
    two = evaluate(given(inputs, [np.vstack([w, w]), np.hstack([a, -a])], [np.hstack([b, b])], **options), engine)
    for k in (1, 2):
        assert (one.layers[k].gradients == two.layers[k].gradients).all()
        assert (one.layers[k].inputs == two.layers[k].inputs).all()
        assert replace(one.layers[k], gradients=0, inputs=0) == replace(two.layers[k], gradients=0, inputs=0)


# The parts, at their worst --------------------------------------------------------------------------------------


def worst(random: Any, shape: tuple[int, ...], error: int) -> tuple[Any, Any]:
    """Small integers and what they may stand for, every entry off by the whole error."""
    held = random.integers(-6, 7, shape)
    return held, held + error * random.choice([-1, 1], shape)


@engines
@pytest.mark.parametrize("errors", [(0, 5), (5, 0), (3, 4), (20, 20), (0, 0)])
def test_errors_of_products(engine: str, errors: tuple[int, int]) -> None:
    numbers, random, attained = arithmetic(engine).fixed, np.random.default_rng(0), 0.0
    for _ in range(60):
        k = int(random.integers(1, 4))
        (a, true_a), (b, true_b) = worst(random, (2, k), errors[0]), worst(random, (3, k), errors[1])
        bound = norms.product_error(numbers.integers(a), errors[0], numbers.integers(b), errors[1], 2)
        found = numbers.product(numbers.integers(a), numbers.integers(b), 2)
        off = max(
            abs(Fraction(int(x)) - Fraction(int(y), 4))
            for x, y in zip(found.flat, (true_a @ true_b.T).flat, strict=True)
        )
        assert off <= bound
        attained = max(attained, float(off / bound))
    assert attained > 0.5 or errors == (0, 0)


@engines
@pytest.mark.parametrize("errors", [(0, 300), (300, 0), (100, 200), (0, 0)])
def test_matrices_with_errors(engine: str, errors: tuple[int, int], monkeypatch: Any) -> None:
    change(monkeypatch, FORWARD=3)
    numbers, random = arithmetic(engine).fixed, np.random.default_rng(1)
    unit = Fraction(1, 8)

    def held(found: Rounded, exact: Any) -> bool:
        return all(
            abs(int(x) * unit - Fraction(y)) <= found.error * unit
            for x, y in zip(found.values.flat, exact.flat, strict=True)
        )

    for _ in range(40):
        (a, true_a), (b, true_b) = worst(random, (3, 2), errors[0]), worst(random, (2, 4), errors[1])
        one, other = Rounded(numbers.integers(a), errors[0]), Rounded(numbers.integers(b), errors[1])
        exact_a, exact_b = true_a.astype(object) * unit, true_b.astype(object) * unit
        assert held(one.after(numbers, other), exact_a.dot(exact_b))
        (row, true_row), (column, true_column) = worst(random, (1, 2), errors[1]), worst(random, (3, 1), errors[1])
        assert held(one.scaled(numbers, numbers.integers(row), errors[1]), exact_a * (true_row.astype(object) * unit))
        assert held(
            one.scaled(numbers, numbers.integers(column), errors[1]), exact_a * (true_column.astype(object) * unit)
        )
        truth = arb_mat([[ball(x) for x in line] for line in exact_a.tolist()])
        assert above(one.norm(numbers), norm(truth))
        assert above(one.longest_row(numbers), largest(row_lengths(truth)))


@engines
@pytest.mark.parametrize("bits", [1, 5, 20, 40, 49])
def test_norms_of_integer_matrices(engine: str, bits: int) -> None:
    numbers, random = arithmetic(engine).fixed, np.random.default_rng(bits)
    for shape in ((1, 1), (1, 7), (7, 1), (3, 5), (6, 2), (4, 4)):
        a = random.integers(-(2**bits), 2**bits + 1, shape)
        exact = arb_mat([[arb(int(x)) for x in row] for row in a.tolist()])
        assert near(norm_squared(numbers, numbers.integers(a)), norm(exact) ** 2, 0.05, 20)
        longest = Rounded(numbers.integers(a), 0).longest_row(numbers) * 2**evaluation.FORWARD
        assert near(longest, largest(row_lengths(exact)), 1e-8, 4)
    assert norm_squared(numbers, numbers.integers(np.zeros((2, 3), np.int64))) <= 10


def test_a_jacobian_as_far_off_as_a_layer_allows() -> None:
    """The rows of ``G`` and ``F`` at the ends of what their errors allow: ``H_0`` and ``J`` are still enclosed."""
    random, attained = np.random.default_rng(2), 0.0
    unit_f, unit_g = 2.0**-evaluation.FORWARD, 2.0**-evaluation.BACKWARD
    for trial in range(200):
        sizes = [float(x) for x in random.choice([0.0, 1e-6, 1e-3, 1.0], 4)]
        bias, a, c = Fraction(trial % 3), Fraction(1 + trial % 2), Fraction(1, 1 + trial % 4)
        layers, true, held = {}, [], []
        for k in (1, 2):
            g, f = (np.rint(random.normal(size=(2, 2)) * 2.0**30) for _ in range(2))
            signs = [random.choice([-1.0, 1.0]) * x / np.linalg.norm(x, axis=1)[:, None] for x in (g, f)]
            off_g, off_f = sizes[0] * signs[0] / unit_g, sizes[1] * signs[1] / unit_f
            kinks = sizes[2] * signs[0] / unit_g
            layers[k] = Layer(
                exact_gram(g), c, Fraction(sizes[0]) ** 2, 2 * Fraction(sizes[2]) ** 2, Fraction(1),
                exact_gram(f), a, Fraction(sizes[1]) ** 2, bias**2,
            )  # fmt: skip
            for where, x, y in ((true, g + off_g + kinks, f + off_f), (held, g, f)):
                features = [[ball(v) * ball(unit_f) * ball(a).sqrt() for v in row] + [ball(bias)] for row in y.tolist()]
                gradients = [[ball(v) * ball(unit_g) * ball(c).sqrt() for v in row] for row in x.tolist()]
                where.append(paired(arb_mat(gradients), arb_mat(features)))
        off = [t - h for t, h in zip(true, held, strict=True)]
        lost = [jacobian_error(layer) for layer in layers.values()]
        slack = 1 + Fraction(1, 10**6)  # the directions above are floats
        for gap, bound in zip(off, lost, strict=True):
            frobenius = length(x for row in gap.tolist() for x in row)
            assert above(bound * slack, frobenius)
        at = Evaluation((Fraction(0),) * 2, Fraction(0), layers)
        found, radius = gram_array(at, PRECISION)
        kernel = sum((t * t.transpose() for t in true), arb_mat(2, 2))
        error = norm(kernel - matrix(found, PRECISION))
        assert above(slack * Fraction(radius, 2**PRECISION), error)
        attained = max(attained, float(error.mid()) * 2.0**PRECISION / radius)
    assert attained > 0.3


def exact_gram(x: Any) -> Any:
    found = np.array([[int(v) for v in row] for row in x.tolist()], object)
    return found.dot(found.T)


def test_rounding_of_gram_matrices_is_paid_for() -> None:
    ones = np.full((3, 3), 4**evaluation.BACKWARD, object)
    thirds = Layer(
        ones,
        Fraction(1, 3),
        Fraction(0),
        Fraction(0),
        Fraction(0),
        np.full((3, 3), 4**40, object) * 0,
        Fraction(1),
        Fraction(0),
        Fraction(1),
    )
    at = Evaluation((Fraction(0),) * 3, Fraction(0), {1: thirds, 2: replace(thirds, gradient_scale=Fraction(2, 3))})
    for precision in (1, 2, 30):
        found, radius = gram_array(at, precision)
        assert above(Fraction(radius, 2**precision), norm(arb_mat([[arb(1)] * 3] * 3) - matrix(found, precision)))


# A point nearby -------------------------------------------------------------------------------------------------


def flat(weights: Weights) -> list[arb]:
    """All parameters in the order of the Jacobian's columns: of each layer by neuron, its weights, then biases."""
    layers, biases = written_out(weights)
    found = []
    for k, layer in enumerate(layers):
        for r, row in enumerate(layer):
            found += row + ([biases[k][r]] if k < len(biases) else [])
    return found


@engines
@pytest.mark.parametrize("seed", SEEDS[:22] + SEEDS[40:80])
def test_the_point_nearby_is_where_it_should_be(seed: int, engine: str, monkeypatch: Any) -> None:
    change(monkeypatch, BLOCK=2)
    problem = random_problem(seed)
    weights, truth = problem.weights, Truth(problem)
    assert weights is not None
    coefficients = [Fraction(k + 1, 8 * (1 + k % 3)) * (-1) ** k for k in range(problem.dataset.n)]
    point = moved(evaluator(problem, engine), coefficients)
    assert not point.mirrored
    start = flat(weights)
    steps = arb_mat([[ball(c) for c in coefficients]]) * truth.jacobian
    there, count = flat(point), truth.jacobian.ncols()
    for k, (x, x0) in enumerate(zip(there, start, strict=True)):
        step = steps[0, k] if k < count else arb(0)
        assert abs(x - x0 - step) < 1e-7 * (1 + abs(step))
    gap = length(x - x0 for x, x0 in zip(there, start, strict=True))
    assert near(distance(weights, point), gap, 1e-6, 0)
    assert contains(evaluate(problem, engine, point), Truth(problem, point))


@pytest.mark.parametrize(
    "pair",
    [
        ([[1.0, 2.0]], [[1.0, 2.0]]),
        ([[1.0, 2.0]], [[1.0, 2.0000000000000004]]),
        ([[0.1, 0.2]], [[0.3, 1e-300]]),
        ([[5e-324, 0.0]], [[0.0, 5e-324]]),
        ([[1e-300, 3e-310]], [[-1e-300, 0.0]]),
        ([[2.0**499, 5e-324]], [[0.0, 0.0]]),
        ([[1e100, 1.0]], [[-1e100, 3.0]]),
        ([[1 / 3] * 1000], [[-1 / 7] * 1000]),
    ],
)
def test_distances(pair: Any) -> None:
    one, other = (Weights((np.array(x), np.ones((1, 1)))) for x in pair)
    squares = sum(((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(*pair[0], *pair[1], strict=True)), Fraction(0))
    for found in (distance(one, other), distance(other, one)):
        assert found**2 >= squares
        assert max(0, found - Fraction(1, 2**999)) ** 2 <= squares * (1 + Fraction(1, 10**6))


def test_a_distance_counts_both_halves_and_every_array() -> None:
    one = Weights((np.array([[1.0]]), np.array([[2.0]])), (np.array([3.0]),), mirrored=True)
    other = Weights((np.array([[1.0], [2.0]]), np.array([[2.0, -2.0]])), (np.array([3.0, 3.0]),))
    assert 1 <= distance(one, other) < 1 + 1e-9
    other = Weights((np.array([[1.0], [1.0]]), np.array([[2.0, 2.0]])), (np.array([3.0, 3.0]),))
    assert 4 <= distance(one, other) < 4 + 1e-8
    other = Weights((np.array([[1.0], [1.0]]), np.array([[2.0, -2.0]])), (np.array([6.0, -1.0]),))
    assert 5 <= distance(one, other) < 5 + 1e-8
    whole = Weights((np.array([[1.0]]), np.array([[2.0]])), (np.array([3.0]), np.array([0.0])))
    assert 7 <= distance(whole, replace(whole, biases=(np.array([3.0]), np.array([7.0])))) < 7 + 1e-8


@pytest.mark.parametrize("far", [1e300, -1.7e308, 2.0**502])
def test_a_point_too_far_away_is_refused(far: float) -> None:
    one, other = (Weights((np.array([[x]]), np.ones((1, 1)))) for x in (1.7e308, far))
    with pytest.raises(Rejection) as caught:
        distance(one, other)
    assert caught.value.code == "bad-witness"


@engines
@pytest.mark.parametrize("size", [Fraction(10) ** 400, Fraction(10) ** 308, -(Fraction(10) ** 308)])
def test_coefficients_too_large_are_refused(engine: str, size: Fraction) -> None:
    problem = given([[100.0], [90.0]], [[[0.001]], [[100.0]]], activation="erf", train="both")
    with pytest.raises(Rejection) as caught:
        moved(evaluator(problem, engine), [size, size])
    assert caught.value.code == "bad-witness"


def test_every_smooth_activation_is_there() -> None:
    names = {random_problem(seed).network.activation for seed in range(22)}
    assert names == {*SMOOTH, *KINKED}


def test_progress_is_reported_in_neurons(monkeypatch: Any) -> None:
    change(monkeypatch, BLOCK=2)
    problem, seen = given([[1.0], [2.0]], [np.ones((5, 1)), np.ones((1, 5))], activation="erf"), []
    assert problem.weights is not None
    Evaluator(arithmetic("fast"), problem, problem.weights, lambda done, total: seen.append((done, total))).run()
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_the_kernel_of_a_wide_network_is_close_in_float64() -> None:
    random = np.random.default_rng(0)
    problem = given(
        random.normal(size=(5, 4)), [random.normal(size=(9000, 4)), random.normal(size=(1, 9000))], activation="tanh"
    )
    x, (w, (a,)) = problem.dataset.inputs, problem.weights.layers if problem.weights else ()
    slopes = a / np.cosh(x @ w.T) ** 2
    expected = (slopes @ slopes.T / 9000) * (x @ x.T)
    found, radius = gram_array(evaluate(problem), 60)
    assert np.abs(floats(matrix(found, 60)) - expected).max() < 1e-7
    assert radius < 2**60 * 1e-6

"""Every field of a profile against 200-bit Arb balls: an upper bound, and a close one where nothing is estimated."""

from __future__ import annotations

from collections.abc import Iterator
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
    Truth,
    above,
    ball,
    floats,
    given,
    largest,
    length,
    near,
    norm,
    paired,
    random_problem,
    row_lengths,
)
from units import change

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.given_weights import profile
from ntkproof.checker.given_weights.evaluation import Evaluator
from ntkproof.checker.given_weights.local_deviation import Profile
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.problem.problem import Problem

ENGINES = ("reference", "fast")
engines = pytest.mark.parametrize("engine", ENGINES)
SMOOTH_SEEDS = [seed for seed in range(400) if seed % 11 < 7]
SEEDS = [*SMOOTH_SEEDS[:28:2], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SMOOTH_SEEDS[28:])]
SUPREMA = {  # of σ', σ'' and σ''' in absolute value: what they are between, by hand
    "erf": ((1.12837, 1.12838), (0.96788, 0.9679), (2.25675, 2.25677)),
    "tanh": ((1, 1.00001), (0.7698, 0.8), (2, 2.1)),
    "sigmoid": ((0.25, 0.26), (0.09622, 0.1), (0.125, 0.13)),
    "softplus": ((1, 1.00001), (0.25, 0.26), (0.09622, 0.1)),
    "gelu": ((1.1289, 1.13), (0.79788, 0.81), (0.6, 0.8)),
    "sin": ((1, 1), (1, 1), (1, 1)),
    "identity": ((1, 1), (0, 0), (0, 0)),
}


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with flint.ctx.workprec(BITS):
        yield


@pytest.fixture(autouse=True)
def _quick(request: Any, monkeypatch: Any) -> None:
    """Without the search for the supremum of the third derivative, which takes seconds, where tests are not slow."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(profile, "jerk", lambda name: Fraction(SUPREMA[name][2][0]))


def profiled(problem: Problem, engine: str, matrices: bool) -> Profile:
    weights = problem.weights
    assert weights is not None
    of = Evaluator(arithmetic(engine), problem, weights, lambda done, total: None)
    return profile.profile(of, of.run(), matrices)


def holds(found: Profile, truth: Truth, matrices: bool, sharp: bool = True) -> bool:
    """Whether every field is an upper bound; if ``sharp``, a close one unless a product of norms stands for it."""

    def bound(value: Fraction, exact: arb) -> bool:
        return near(value, exact, 0.02, 1e-4) if sharp else above(value, exact)

    depth, last, samples = truth.depth, truth.depth + 1, range(truth.dataset.n)
    count = truth.trained
    f, g = ([part(k) for k in range(last)] for part in (truth.features, truth.sensitivities))
    assert found.trained == count
    assert all(near(s, exact, 0, 1e-30) for s, exact in zip(found.scales, truth.scales, strict=True))
    layers = [arb_mat(layer) for layer in truth.layers]
    assert all(bound(w, norm(layer)) for w, layer in zip(found.weights, layers, strict=True))
    for k in range(last):
        assert k == 0 or bound(found.columns[k], largest(row_lengths(layers[k].transpose())))
        assert bound(found.sensitivities[k], largest(row_lengths(g[k])))
        assert bound(found.sensitivity_norms[k], norm(g[k]))
        if k < count:
            assert bound(found.features[k], largest(row_lengths(f[k])))
            assert bound(found.feature_norms[k], norm(f[k]))
    assert (found.sensitivities[depth], len(found.features), len(found.feature_norms)) == (1, last, last)
    for k in range(depth):
        assert bound(found.h[k], largest(abs(h) for i in samples for h in truth.spikes[i][k]))
    assert len(found.h) == depth
    assert [len(row) for row in found.feature_pairs] == list(range(1, min(depth, count) + 1))
    for k, row in enumerate(found.feature_pairs):
        assert all(bound(pair, norm(paired(f[k], f[j]))) for j, pair in enumerate(row))
    assert [len(row) for row in found.mixed_pairs] == list(range(count))
    for k, row in enumerate(found.mixed_pairs):
        assert all(bound(pair, norm(paired(g[k], f[j]))) for j, pair in enumerate(row))
    assert bound(found.jacobian, norm(truth.jacobian))
    for lists in (found.P, found.P_rows, found.Q):
        assert [len(row) for row in lists] == list(range(depth))
    assert [len(row) for row in found.E] == [*range(1, depth), depth - 1]
    for upper in range(depth):
        for lower in range(upper):
            links = [truth.link(i, upper, lower) for i in samples]
            between = (
                (found.P, [norm(link) for link in links]),
                (found.P_rows, [length for link in links for length in row_lengths(link)]),
                (found.Q, [norm(truth.path(i, upper, lower)) for i in samples]),
            )
            for bounds, exact in between:
                assert (bound if matrices else above)(bounds[upper][lower], largest(exact))
        for lower, bend in enumerate(found.E[upper]):
            assert above(bend, largest(norm(truth.bend(i, upper, lower)) for i in samples))
    facts = (found.slope, found.curvature, found.jerk)
    for value, (least, most) in zip(facts[: 3 if depth > 1 else 2], SUPREMA[truth.network.activation], strict=False):
        assert Fraction(least) <= value <= Fraction(most)
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_every_field_is_an_upper_bound(seed: int) -> None:
    problem = random_problem(seed)
    truth = Truth(problem)
    for engine, matrices in product(ENGINES, (False, True) if problem.network.depth > 1 else (False,)):
        assert holds(profiled(problem, engine, matrices), truth, matrices)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_deep_and_wider(name: str, depth: int) -> None:
    random = np.random.default_rng(depth)
    layers = [random.normal(size=(9, 3)), *(random.normal(size=(9, 9)) for _ in range(depth - 1))]
    biases = [random.normal(size=9) for _ in range(depth)]
    problem = given(
        random.normal(size=(3, 3)),
        [*layers, random.normal(size=(1, 9))],
        [*biases, random.normal(size=1)],
        activation=name,
        depth=depth,
        train="all",
        bias="0.5",
        weight_std="1.2",
    )
    for matrices in (False, True):
        assert holds(profiled(problem, "fast", matrices), Truth(problem), matrices)


@pytest.mark.parametrize("bits", [(4, 4), (9, 4), (8, 12)])
def test_with_few_bits_every_field_is_an_upper_bound(bits: tuple[int, int], monkeypatch: Any) -> None:
    change(monkeypatch, FORWARD=bits[0], BACKWARD=bits[1])
    for seed in SMOOTH_SEEDS[bits[0] % 3 : 75 : 8]:
        problem = random_problem(seed, 2, (0.02, 1, 2))
        for matrices in (False, True):
            assert holds(profiled(problem, "reference", matrices), Truth(problem), matrices, sharp=False)


@engines
@pytest.mark.parametrize("n", [2, 40])
def test_sizes(engine: str, n: int) -> None:
    random = np.random.default_rng(n)
    problem = given(
        random.normal(size=(n, 3)),
        [random.normal(size=(4, 3)), random.normal(size=(1, 4))],
        [random.normal(size=4)],
        True,
        activation="erf",
        train="both",
        bias="0.2",
    )
    assert holds(profiled(problem, engine, False), Truth(problem), False)


@engines
def test_zeros(engine: str) -> None:
    problem = given(np.zeros((2, 2)), [np.zeros((2, 2)), np.zeros((1, 2))], activation="tanh", train="both")
    found = profiled(problem, engine, False)
    assert holds(found, Truth(problem), False)


@engines
@pytest.mark.parametrize("matrices", [False, True])
def test_large_weights_are_no_matter_until_they_do_not_fit(engine: str, matrices: bool) -> None:
    for size in (33.0, 45.0):
        layers = [[[size], [1.0]], [[1.0, 0.5], [0.25, size]], [[1.0, -size]]]
        problem = given([[0.001], [0.002]], layers, activation="sin", depth=2, train="all")
        assert holds(profiled(problem, engine, matrices), Truth(problem), matrices)
    layers = [[[1.0]], [[1e6]], [[1.0]]]
    problem = given([[1.0], [2.0]], layers, activation="sin", depth=2, train="all", weight_std="0.000001")
    with pytest.raises(Rejection) as caught:
        profiled(problem, engine, matrices)
    assert caught.value.code == "no-enclosure"


@engines
@pytest.mark.parametrize("name", list(KINKED))
def test_kinks_have_no_profile(engine: str, name: str) -> None:
    with pytest.raises(Rejection) as caught:
        profiled(given([[1.0], [2.0]], [[[1.0]], [[1.0]]], activation=name), engine, False)
    assert caught.value.code == "hypothesis"


# Rows known up to an error --------------------------------------------------------------------------------------


@engines
def test_norms_of_rows_as_far_off_as_allowed(engine: str) -> None:
    """Rows held and true, off by the whole error in their own direction: both norms and that of the product."""
    numbers, random = arithmetic(engine).fixed, np.random.default_rng(5)
    slack = 1 + Fraction(1, 10**9)  # sizes and directions are floats
    for trial in range(60):
        true, found = [], []
        for error in random.choice([0.0, 1e-3, 1.0, 30.0], 2):
            x = np.rint(random.normal(size=(3, 2)) * 2.0**12)
            row = x / np.linalg.norm(x, axis=1)[:, None] if trial % 2 else np.tile([0.6, 0.8], (3, 1))
            exact = x * 2.0**-10 + error * row
            gram = np.array([[sum(int(a) * int(b) for a, b in zip(u, v, strict=True)) for v in x] for u in x], object)
            size = max(np.linalg.norm(exact, axis=1).max(), np.linalg.norm(x, axis=1).max() * 2.0**-10)
            found.append(profile._Rows.of(gram, Fraction(1, 4**10), Fraction(0), Fraction(size), Fraction(error)))
            true.append(arb_mat([[ball(v) for v in line] for line in exact.tolist()]))
        for rows, exact_rows in zip(found, true, strict=True):
            assert above(slack * rows.norm(numbers), norm(exact_rows))
        assert above(slack * found[0].pair(numbers, found[1]), norm(paired(*true)))
        assert above(slack * found[1].pair(numbers, found[0]), norm(paired(*true)))


@engines
def test_rounding_of_gram_matrices_in_pairs(engine: str) -> None:
    numbers, tiny = arithmetic(engine).fixed, Fraction(1, 2**profile.UNIT)
    for size in (Fraction(1), Fraction(1000), tiny):
        scale = size * (1 - tiny / 3)  # just below a multiple of the unit
        one = profile._Rows.of(np.full((4, 4), 1, object), scale, Fraction(0), Fraction(40), Fraction(0))
        exact = arb_mat([[ball(scale).sqrt()]] * 4)
        assert near(one.norm(numbers), norm(exact), 1e-6, 1e-4)
        assert near(one.pair(numbers, one), norm(paired(exact, exact)), 1e-6, 1e-3)


def test_a_biased_row() -> None:
    gram = np.array([[4, 2], [2, 5]], object)
    rows = profile._Rows.of(gram, Fraction(3, 7), Fraction(1, 3), Fraction(3), Fraction(0))
    exact = [[Fraction(3, 7) * x + Fraction(1, 3) for x in row] for row in gram.tolist()]
    off = [
        y - Fraction(x, 2**profile.UNIT)
        for row, other in zip(rows.gram.tolist(), exact, strict=True)
        for x, y in zip(row, other, strict=True)
    ]
    assert all(0 <= gap < Fraction(1, 2**profile.UNIT) for gap in off)
    eigenvalue = np.linalg.eigvalsh(np.array(exact, float))[1]
    assert eigenvalue**0.5 <= rows.norm(arithmetic("fast").fixed) <= eigenvalue**0.5 * 1.02


def test_floats_of_the_oracle() -> None:
    assert floats(arb_mat([[arb(1), arb(2)]])).tolist() == [[1.0, 2.0]]
    assert length([arb(3), arb(4)]) == 5

"""The rules about the Jacobian's movement: values, refusals, and searches for parameters that break the bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from two_layer import (
    CURVATURE_SQUARED,
    ENGINES,
    JUMP,
    MP,
    ROWS,
    SLOPE_SQUARED,
    derive,
    deviation,
    hadamard_max,
    inputs_max,
    is_upper,
    jacobian,
    kernel_min,
    mp,
    norm,
    problem,
    quantity,
    refutes,
    rejection,
    start,
)

from ntkproof.checker.activations.facts import activation_facts
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation
from ntkproof.checker.random_start.deviation import flip_offset, flip_slope, near_share, smooth_slope
from ntkproof.prover.floats import FLOATS

engines = pytest.mark.parametrize("engine", ENGINES)
SMOOTH, KINKED = tuple(CURVATURE_SQUARED), tuple(JUMP)


# Values and refusals --------------------------------------------------------------------------------------------


@engines
@pytest.mark.parametrize(
    "rows",
    [ROWS, [[0.0, 0.0], [1.0, 2.0]], [[0.0], [0.0]], [[1e-300, 3.0], [2e10, 5e-324]], [[8.0, 16.0], [-8.0, 24.0]]],
)
def test_inputs_squared_is_exact(engine: str, rows: Any) -> None:
    derived = derive(problem(rows=rows, targets=[0.0] * len(rows)), "inputs_squared", (), engine=engine)
    exact = [[Fraction(x) for x in row] for row in np.asarray(rows, dtype=float).tolist()]
    gram = [[sum(u * v for u, v in zip(a, b, strict=True)) for b in exact] for a in exact]
    assert isinstance(derived.claim, Enclosure)
    assert (derived.claim.matrix, derived.claim.radius) == ("inputs_squared", 0)
    assert derived.matrix is not None
    unit = Fraction(2) ** -derived.claim.precision
    held = [[derived.matrix.entry(i, j) * unit for j in range(len(rows))] for i in range(len(rows))]
    assert held == [[g * g for g in row] for row in gram]


@engines
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize(("width", "init"), [(2, "antisymmetric"), (7, "signs"), (10**30, "balanced")])
@pytest.mark.parametrize("hadamard", ["12.5", "1e-12", "0"])
def test_smooth_deviation_is_a_lipschitz_constant(
    engine: str, activation: str, width: int, init: str, hadamard: str
) -> None:
    derived = derive(problem(activation, width, init), "smooth_deviation", (hadamard_max(hadamard),), engine=engine)
    assert isinstance(derived.claim, JacobianDeviation)
    assert (derived.claim.offset, derived.claim.lipschitz, derived.failure) == (0, "yes", 0)
    assert is_upper(derived.claim.slope, MP.sqrt(CURVATURE_SQUARED[activation] * mp(hadamard) / width))


# max |σ'|, max |σ''| of activations whose bounds come from branch and bound, by hand
ENCLOSED = {
    "tanh": (MP.mpf(1), 4 / MP.sqrt(27)),
    "sigmoid": (MP.mpf(1) / 4, 1 / MP.sqrt(108)),
    "gaussian": (MP.exp(MP.mpf(-1) / 2), MP.mpf(1)),
    "gelu": (None, MP.sqrt(2 / MP.pi)),
    "softplus": (MP.mpf(1), MP.mpf(1) / 4),
}


@pytest.mark.parametrize("activation", ENCLOSED)
def test_bounds_of_other_activations(activation: str) -> None:
    steepest, bend = ENCLOSED[activation]
    slope = derive(problem(activation), "smooth_deviation", (hadamard_max("25"),)).claim
    assert isinstance(slope, JacobianDeviation)
    assert is_upper(slope.slope, bend / 2, 1e-7)
    if steepest is not None:
        height = derive(problem(activation), "jacobian_norm", (inputs_max("4"),)).claim
        assert isinstance(height, Bound)
        assert is_upper(height.value, 2 * steepest, 1e-7)


@pytest.mark.parametrize(
    "expression", ["abs(x)", "relu(x)", "tanh(abs(x))", "abs(x)*x/(1+x**2)", "sqrt(abs(x))", "1/x"]
)
def test_kinks_and_poles_are_not_smooth(expression: str) -> None:
    """Where σ'' exists almost everywhere its supremum is no Lipschitz constant of σ'."""
    about = problem(f"expr({expression})")
    assert rejection(about, "smooth_deviation", (hadamard_max("4"),)) == "hypothesis"


@engines
@pytest.mark.parametrize("activation", KINKED)
@pytest.mark.parametrize(
    ("width", "init", "neurons"), [(10, "antisymmetric", 5), (7, "signs", 7), (10**9, "balanced", 10**9)]
)
@pytest.mark.parametrize(("tau", "failure"), [("0.01", "0.05"), ("3", "0.999"), ("1e-9", "1e-9")])
def test_flip_deviation_counts(
    engine: str, activation: str, width: int, init: str, neurons: int, tau: str, failure: str
) -> None:
    args = {"tau": tau, "failure": failure}
    derived = derive(problem(activation, width, init), "flip_deviation", (inputs_max("4"),), args, engine=engine)
    share = mp(tau) * MP.sqrt(2 / MP.pi) + MP.sqrt(MP.log(3 / mp(failure)) / (2 * neurons))
    jump = mp(Fraction(JUMP[activation]))
    assert isinstance(derived.claim, JacobianDeviation)
    assert is_upper(derived.claim.offset, jump * 2 * MP.sqrt(share))
    assert is_upper(derived.claim.slope, jump * 2 / (mp(tau) * MP.sqrt(width)))
    assert (derived.claim.lipschitz, derived.failure) == ("path", Fraction(failure))


def test_a_line_has_no_flips() -> None:
    args = {"tau": "0.1", "failure": "0.1"}
    claim = derive(problem("leaky_relu(1)"), "flip_deviation", (inputs_max("4"),), args).claim
    assert claim == deviation("0", "0", "path")


@engines
@pytest.mark.parametrize("activation", SLOPE_SQUARED)
@pytest.mark.parametrize("square", ["4", "3e-20", "0"])
def test_jacobian_norm_is_that_of_the_inputs(engine: str, activation: str, square: str) -> None:
    derived = derive(problem(activation), "jacobian_norm", (inputs_max(square),), engine=engine)
    assert isinstance(derived.claim, Bound)
    assert derived.claim.quantity == "jacobian_norm"
    assert is_upper(derived.claim.value, MP.sqrt(SLOPE_SQUARED[activation] * mp(square)))


FLIP = {"tau": "0.1", "failure": "0.1"}


@pytest.mark.parametrize(
    ("code", "rule", "premise", "args", "network"),
    [
        ("hypothesis", "smooth_deviation", hadamard_max("4"), {}, {"activation": "relu"}),
        ("hypothesis", "smooth_deviation", hadamard_max("4"), {}, {"activation": "leaky_relu(1)"}),
        ("hypothesis", "smooth_deviation", hadamard_max("4"), {}, {"activation": "abs"}),
        ("bad-premises", "smooth_deviation", inputs_max("4"), {}, {}),
        ("bad-premises", "smooth_deviation", kernel_min("4"), {}, {}),
        ("bad-premises", "smooth_deviation", EigenvalueBound("inputs_squared", "max", "lower", Fraction(4)), {}, {}),
        ("bad-premises", "smooth_deviation", EigenvalueBound("inputs_squared", "min", "upper", Fraction(4)), {}, {}),
        ("bad-premises", "smooth_deviation", quantity("jacobian_norm", "4"), {}, {}),
        ("outside-theorem", "smooth_deviation", hadamard_max("4"), {}, {"train": "all"}),
        ("outside-theorem", "smooth_deviation", hadamard_max("4"), {}, {"train": "both", "init": "gaussian"}),
        ("outside-theorem", "smooth_deviation", hadamard_max("4"), {}, {"init": "gaussian"}),
        ("outside-theorem", "smooth_deviation", hadamard_max("4"), {}, {"bias": "0.5"}),
        ("outside-theorem", "smooth_deviation", hadamard_max("4"), {}, {"weight_std": "1.5"}),
        ("outside-theorem", "smooth_deviation", hadamard_max("4"), {}, {"input_scale": "fan-in"}),
        ("hypothesis", "flip_deviation", inputs_max("4"), FLIP, {"activation": "erf"}),
        ("hypothesis", "flip_deviation", inputs_max("4"), FLIP, {"activation": "identity"}),
        ("bad-argument", "flip_deviation", inputs_max("4"), FLIP | {"tau": "0"}, {"activation": "relu"}),
        ("bad-argument", "flip_deviation", inputs_max("4"), FLIP | {"tau": "-0.1"}, {"activation": "relu"}),
        ("bad-argument", "flip_deviation", inputs_max("4"), FLIP | {"failure": "0"}, {"activation": "relu"}),
        ("bad-argument", "flip_deviation", inputs_max("4"), FLIP | {"failure": "1"}, {"activation": "relu"}),
        ("bad-argument", "flip_deviation", inputs_max("4"), FLIP | {"failure": "-0.1"}, {"activation": "relu"}),
        ("bad-argument", "flip_deviation", inputs_max("4"), FLIP | {"failure": "5"}, {"activation": "relu"}),
        ("bad-premises", "flip_deviation", hadamard_max("4"), FLIP, {"activation": "relu"}),
        (
            "bad-premises",
            "flip_deviation",
            EigenvalueBound("inputs", "max", "lower", Fraction(4)),
            FLIP,
            {"activation": "relu"},
        ),
        (
            "outside-theorem",
            "flip_deviation",
            inputs_max("4"),
            FLIP,
            {"activation": "relu", "train": "both", "init": "gaussian"},
        ),
        ("outside-theorem", "flip_deviation", inputs_max("4"), FLIP, {"activation": "relu", "init": "gaussian"}),
        ("missing-argument", "flip_deviation", inputs_max("4"), {"tau": "0.1"}, {"activation": "relu"}),
        ("bad-premises", "jacobian_norm", hadamard_max("4"), {}, {}),
        ("bad-premises", "jacobian_norm", EigenvalueBound("inputs", "max", "lower", Fraction(4)), {}, {}),
        ("outside-theorem", "jacobian_norm", inputs_max("4"), {}, {"train": "all"}),
        ("outside-theorem", "jacobian_norm", inputs_max("4"), {}, {"bias": "0.5"}),
    ],
)
def test_refusals(code: str, rule: str, premise: Any, args: dict[str, str], network: dict[str, Any]) -> None:
    assert rejection(problem(**network), rule, (premise,), args) == code


# Searches for a violation ---------------------------------------------------------------------------------------
#
# A search takes many problems of one shape at once and keeps, for each, the better of the current point and a changed
# one: a hill-climb with steps of all sizes.

MANY = 40
SHAPES = [(1, 1, 1), (1, 2, 3), (2, 1, 2), (2, 2, 1), (2, 3, 8), (3, 2, 4), (3, 4, 6), (4, 2, 8), (5, 3, 3), (5, 4, 7)]
TOLERANCE = 1 + 1e-9


def hard_rows(n: int, d: int, rng: np.random.Generator) -> Any:
    """Return problems with rows that are repeated, parallel, opposite, huge, tiny or zero."""
    rows = rng.standard_normal((MANY, n, d))
    for k in range(0, MANY, 2):
        i, j = rng.integers(n, size=2)
        rows[k, i] = rng.choice([1.0, -1.0, 2.0, -50.0, 1e-3]) * rows[k, j]
    rows[1::6] *= rng.choice([1e-2, 1e2], size=(len(rows[1::6]), 1, 1))
    rows[3::10, 0] = 0.0
    return rows


def climb(ratio: Any, point: Any, change: Any, rounds: int, rng: np.random.Generator) -> Any:
    """Return the largest ratios found from some points, one for each problem."""
    best = ratio(point)
    for _ in range(rounds):
        size = 10 ** rng.uniform(-4, 0.5, size=(MANY,) + (1,) * (point.ndim - 1))
        candidate = change(point, size * rng.standard_normal(point.shape) * (rng.random(point.shape) < 0.5))
        value = ratio(candidate)
        better = value > best
        best, point[better] = np.where(better, value, best), candidate[better]
    return best


@pytest.mark.parametrize("activation", ["erf", "sin", "cos", "tanh", "sigmoid", "gaussian"])
def test_no_two_points_break_the_lipschitz_constant(activation: str) -> None:
    """Over all of parameter space: two free points, near and far."""
    rng, reached = np.random.default_rng(1), []
    curvature = float(activation_facts(activation)[1] or 0)
    for n, d, m in SHAPES:
        rows = hard_rows(n, d, rng)
        a = rng.choice([-1.0, 1.0], size=(MANY, m))
        hadamard = np.linalg.eigvalsh((rows @ rows.swapaxes(1, 2)) ** 2)[:, -1]
        slope = np.array([smooth_slope(FLOATS, curvature, h, m) for h in hadamard])

        def ratio(points: Any, rows: Any = rows, a: Any = a, slope: Any = slope) -> Any:
            move = jacobian(activation, rows, points[:, 1], a) - jacobian(activation, rows, points[:, 0], a)
            distance = np.sqrt(((points[:, 1] - points[:, 0]) ** 2).sum((1, 2)))
            # a move below 1e-6 of the Jacobian is mostly rounding
            resolved = norm(move) > 1e-6 * norm(jacobian(activation, rows, points[:, 0], a))
            return np.where(resolved, norm(move) / (slope * distance + 1e-300), 0)

        scale = np.abs(rows).max((1, 2), initial=1e-3)[:, None, None, None]
        points = rng.standard_normal((MANY, 2, m, d)) / scale
        points[::2, 1] = points[::2, 0] + 1e-3 * (points[::2, 1] - points[::2, 0])
        reached.append(climb(ratio, points, lambda p, c, s=scale: p + c / s, 150, rng))
    ratios = np.concatenate(reached)
    print(f"\n{activation}: {len(ratios)} problems, largest ratio {ratios.max():.6f}, median {np.median(ratios):.3f}")
    assert ratios.max() <= TOLERANCE
    assert ratios.max() > 0.9
    assert np.median(ratios) > 0.3


@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu(0.25)", "leaky_relu(-3)"])
def test_no_flip_breaks_the_deviation(activation: str) -> None:
    """With the share of near neurons as it is: every τ, points that move just the neurons that are cheapest to flip."""
    rng, reached = np.random.default_rng(KINKED.index(activation)), []
    jump = float(activation_facts(activation)[3])
    for n, d, m in SHAPES:
        rows = hard_rows(n, d, rng)
        a = rng.choice([-1.0, 1.0], size=(MANY, m))
        square = norm(rows) ** 2
        tau = 10 ** rng.uniform(-2, 0.5, size=MANY)
        first = rng.standard_normal((MANY, m, d))
        row_norms = np.linalg.norm(rows, axis=2)
        distance = np.abs(first @ rows.swapaxes(1, 2)) / np.where(row_norms > 0, row_norms, 1)[:, None]
        on_edge = np.arange(MANY) % 3 == 0  # τ at the distance of some neuron, just not near
        tau[on_edge] = distance[on_edge].reshape(on_edge.sum(), -1).min(1) * (1 - 1e-9) + 1e-12
        near = ((distance <= tau[:, None, None]) & (row_norms > 0)[:, None]).mean(1).max(1)
        initial = jacobian(activation, rows, first, a)

        def ratio(points: Any, rows: Any = rows, a: Any = a, given: Any = (near, tau, square, first, initial)) -> Any:
            near, tau, square, first, initial = given
            s = np.sqrt(((points - first) ** 2).sum((1, 2)))
            allowed = [
                flip_offset(FLOATS, jump, q, p) + flip_slope(FLOATS, jump, q, t, a.shape[1]) * r
                for q, p, t, r in zip(square, near, tau, s, strict=True)
            ]
            return norm(jacobian(activation, rows, points, a) - initial) / (np.array(allowed) + 1e-300)

        i = rng.integers(n, size=MANY)
        x = rows[np.arange(MANY), i][:, None]
        size = np.where((x**2).sum(2, keepdims=True) > 0, (x**2).sum(2, keepdims=True), 1)
        project = first - (1 + 1e-9) * (first * x).sum(2, keepdims=True) / size * x  # just over the hyperplane of x_i
        cheapest = np.argsort(np.abs((first * x).sum(2)), axis=1) < rng.integers(1, m + 1, size=MANY)[:, None]
        points = np.where(cheapest[..., None], project, first)
        reached.append(climb(ratio, points, lambda p, c: p + c, 100, rng))
    ratios = np.concatenate(reached)
    print(f"\n{activation}: {len(ratios)} problems, largest ratio {ratios.max():.6f}, median {np.median(ratios):.3f}")
    assert ratios.max() <= TOLERANCE
    assert ratios.max() > 0.9


@pytest.mark.parametrize("activation", ["erf", "sin", "tanh", "gaussian", "relu", "leaky_relu(-3)"])
def test_no_point_breaks_the_jacobian_norm(activation: str) -> None:
    rng, reached = np.random.default_rng(3), []
    for n, d, m in SHAPES:
        rows = hard_rows(n, d, rng)
        a = rng.choice([-1.0, 1.0], size=(MANY, m))
        bound = np.sqrt(float(activation_facts(activation)[0])) * norm(rows)

        def ratio(points: Any, rows: Any = rows, a: Any = a, bound: Any = bound) -> Any:
            return norm(jacobian(activation, rows, points, a)) / (bound + 1e-300)

        reached.append(climb(ratio, rng.standard_normal((MANY, m, d)), lambda p, c: 0.97 * p + c, 60, rng))
    ratios = np.concatenate(reached)
    print(f"\n{activation}: {len(ratios)} problems, largest ratio {ratios.max():.6f}, median {np.median(ratios):.3f}")
    assert ratios.max() <= TOLERANCE
    assert np.median(ratios) > 0.7


@pytest.mark.parametrize(("init", "width"), [("signs", 5), ("signs", 40), ("antisymmetric", 10), ("antisymmetric", 60)])
@pytest.mark.parametrize("rows", [ROWS, np.eye(5), np.array([[1.0, 0.0], [0.0, 0.0]])])
def test_the_share_of_near_neurons_is_not_refuted(init: str, width: int, rows: Any) -> None:
    rng, trials = np.random.default_rng(width), 10_000
    weights, _ = start(init, width, rows.shape[1], rng, trials)
    norms = np.linalg.norm(rows, axis=1)
    distance = np.abs(weights @ rows[norms > 0].T) / norms[norms > 0]
    neurons = width // 2 if init == "antisymmetric" else width
    closest = 0.0
    for tau in (0.01, 0.1, 0.5, 1.0):
        share = (distance <= tau).mean(1).max(1)
        for failure in (0.05, 0.2, 0.5):
            violations = int((share > near_share(FLOATS, tau, len(rows), neurons, failure)).sum())
            closest = max(closest, violations / trials / failure)
            assert not refutes(violations, trials, failure)
    print(f"\n{init} {width}: at most {closest:.3f} of the failure probability claimed")


def test_the_share_for_fewer_neurons_is_refuted() -> None:
    """Not blind: twins counted as independent neurons would be seen."""
    weights, _ = start("antisymmetric", 20, 1, np.random.default_rng(0), 10_000)
    share = (np.abs(weights) <= 0.674).mean(1).max(1)  # the median of |Z|
    assert refutes(int((share > 0.5 + np.sqrt(np.log(1 / 0.05) / 80)).sum()), 10_000, 0.05)

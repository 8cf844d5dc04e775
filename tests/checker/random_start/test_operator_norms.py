"""Norms of deep networks: values, refusals, frequencies at the start, and searches for points that break the bounds."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest
from deep import ACTIVATIONS, Shape, facts, squared_bounds
from hypothesis import given
from hypothesis import strategies as st
from theorems.altered import about, alter, refusal, scale
from theorems.ascent import ascend
from two_layer import ENGINES, MP, ROWS, derive, is_upper, mp, problem, quantity, refutes, rejection

from ntkproof import Dataset, InputError, Network, check
from ntkproof.checker.logic.rule import Proved
from ntkproof.checker.random_start.operator_norms import LayerNorms, Layers, at_zero, gradient_square, hessian_square
from ntkproof.theorems.operator_norms import certify_in_ball

engines = pytest.mark.parametrize("engine", ENGINES)


def deep(activation: str = "erf", depth: int = 2, width: int = 50, init: str = "gaussian", **more: Any) -> Any:
    return problem(activation, width, init, **{"train": "all", "depth": depth, **more})


def norms(*values: str, biases: tuple[str, ...] = ()) -> LayerNorms:
    return LayerNorms(tuple(map(Fraction, values)), tuple(map(Fraction, biases)))


# Values, with matrices at 60 digits -----------------------------------------------------------------------------


SHAPES = [
    (Shape(1, 50, 2, "erf"), ("9", "8"), ()),
    (Shape(1, 3, 2, "erf"), ("0.01", "0.02"), ()),
    (Shape(2, 50, 2, "erf", 0.5, 1.5, True), ("9", "15", "8.5"), ("7", "8", "1")),
    (Shape(3, 20, 2, "softplus", 0.25), ("6", "9", "10", "5"), ("4", "5", "6", "7")),
    (Shape(2, 10, 2, "cos", 0, 0.5), ("4", "5", "6"), ()),
    (Shape(2, 10, 2, "relu", 1), ("4", "5", "6"), ("1", "2", "3")),
    (Shape(1, 10, 2, "leaky_relu(-2)", 0, 1, True), ("4", "5"), ()),
    (Shape(4, 7, 2, "tanh", 2), ("4", "5", "6", "7", "3"), ("1", "2", "3", "4", "5")),
]


@engines
@pytest.mark.parametrize(("shape", "weights", "biases"), SHAPES, ids=lambda x: getattr(x, "activation", ""))
@pytest.mark.parametrize("radius", ["0.125", "3"])
def test_the_bounds_are_what_the_page_says(
    engine: str, shape: Shape, weights: tuple[str, ...], biases: tuple[str, ...], radius: str
) -> None:
    network = {
        "bias": str(shape.bias),
        "weight_std": str(shape.weight_std),
        "input_scale": "fan-in" if shape.fan_in else "1",
    }
    about = deep(shape.activation, shape.depth, shape.width, **network)
    squares = [sum((mp(x) ** 2 for x in row), MP.mpf(0)) for row in ROWS.tolist()]
    results = squared_bounds(shape, list(weights), list(biases), mp(radius), squares)
    uses, args = (norms(*weights, biases=biases),), {"radius": radius}
    claim = derive(about, "gradient_bound", uses, args, engine=engine).claim
    slack = 1e-7 if shape.activation in ("tanh", "softplus") else 1e-30  # their suprema come from branch and bound
    assert (claim.radius, claim.failure) == (Fraction(radius), 0)
    assert is_upper(claim.gradient, MP.sqrt(max(x for x, _ in results)), slack)
    assert is_upper(claim.jacobian, MP.sqrt(MP.fsum(x for x, _ in results)), slack)
    if results[0][1] is None:
        assert rejection(about, "hessian_bound", uses, args, engine=engine) == "hypothesis"
        return
    claim = derive(about, "hessian_bound", uses, args, engine=engine).claim
    assert is_upper(claim.hessian, MP.sqrt(max(x for _, x in results)), slack)
    assert is_upper(claim.lipschitz, MP.sqrt(MP.fsum(x for _, x in results)), slack)


@engines
@pytest.mark.parametrize(("depth", "bias", "events"), [(1, "0", 2), (3, "0", 4), (3, "0.5", 8), (10, "1", 22)])
@pytest.mark.parametrize("failure", ["0.9", "1e-30"])
def test_gaussian_norms_are_what_the_page_says(engine: str, depth: int, bias: str, events: int, failure: str) -> None:
    derived = derive(deep(depth=depth, bias=bias), "gaussian_norms", (), {"failure": failure}, engine=engine)
    t, m = MP.sqrt(2 * MP.log(events / mp(failure))), MP.sqrt(50)
    middle = [m + m] * (depth - 1)
    assert derived.failure == Fraction(failure)
    for found, truth in zip(derived.claim.norms, [m + MP.sqrt(2), *middle, 1 + m], strict=True):
        assert is_upper(found, truth + t)
    truths = [m] * depth + [MP.mpf(1)] if bias != "0" else []
    for found, truth in zip(derived.claim.biases, truths, strict=True):
        assert is_upper(found, truth + t)


@pytest.mark.parametrize(
    ("activation", "truth"),
    [
        ("erf", 0),
        ("cos", 1),
        ("leaky_relu(0.5)", 0),
        ("softplus", MP.log(2)),
        ("sigmoid", MP.mpf("0.5")),
        ("gaussian", 1),
        ("tanh", 0),
        ("expr(x - 3)", 3),
        ("expr(1/3 + x)", MP.mpf(1) / 3),
    ],
)
def test_the_value_at_zero(activation: str, truth: Any) -> None:
    assert truth <= mp(at_zero(activation)) + MP.mpf(10) ** -55
    assert mp(at_zero(activation)) <= truth + MP.mpf(10) ** -30


# Refusals -------------------------------------------------------------------------------------------------------

THREE, R = norms("9", "15", "8"), {"radius": "1"}


@pytest.mark.parametrize("rule", ["gradient_bound", "hessian_bound"])
@pytest.mark.parametrize(
    ("code", "about", "premise", "radius"),
    [
        ("bad-argument", deep(), THREE, "0"),
        ("bad-argument", deep(), THREE, "-1"),
        ("bad-argument", deep(), THREE, "nan"),
        ("bad-premises", deep(), norms("9", "15"), "1"),
        ("bad-premises", deep(), norms("9", "15", "8", "8"), "1"),
        ("bad-premises", deep(), norms("9", "-15", "8"), "1"),
        ("bad-premises", deep(bias="1"), norms("9", "15", "8", biases=("1", "-1", "1")), "1"),
        ("bad-premises", deep(bias="1"), THREE, "1"),
        ("bad-premises", deep(), quantity("residual", "3"), "1"),
        ("outside-theorem", deep(init="signs"), THREE, "1"),
        ("outside-theorem", deep(depth=1, train="both"), norms("9", "8"), "1"),
        ("outside-theorem", deep(depth=1, train="hidden"), norms("9", "8"), "1"),
        ("hypothesis", deep("expr(x**2)"), THREE, "1"),
        ("failure-probability", deep(), Proved(THREE, events={"a": Fraction(1)}), "1"),
    ],
)
def test_bad_steps_are_refused(rule: str, code: str, about: Any, premise: Any, radius: str) -> None:
    assert rejection(about, rule, (premise,), {"radius": radius}) == code


@pytest.mark.parametrize(
    ("code", "about", "failure"),
    [
        ("bad-argument", deep(), "0"),
        ("bad-argument", deep(), "1"),
        ("bad-argument", deep(), "1.5"),
        ("bad-argument", deep(), "-0.5"),
        ("outside-theorem", deep(init="antisymmetric"), "0.5"),
        ("outside-theorem", deep(depth=1, train="both"), "0.5"),
    ],
)
def test_bad_norms_are_refused(code: str, about: Any, failure: str) -> None:
    assert rejection(about, "gaussian_norms", (), {"failure": failure}) == code


@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu(2)"])
def test_a_kink_has_no_hessian(activation: str) -> None:
    assert rejection(deep(activation), "hessian_bound", (THREE,), R) == "hypothesis"
    assert derive(deep(activation), "gradient_bound", (THREE,), R).claim.gradient > 0


# Frequencies and searches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["0.02", "0.5", "0.99"])
def test_norms_are_rarely_larger(failure: str) -> None:
    """1200 starts of 12 shapes; a start fails if any layer is larger than claimed."""
    rng, failed, closest = np.random.default_rng(3), 0, 0.0
    shapes = [Shape(d, m, k, "erf", b) for d, b in ((1, 0), (2, 1)) for m in (1, 4, 30) for k in (1, 9)]
    for shape in shapes:
        rows = np.ones((2, shape.inputs))
        about = deep(depth=shape.depth, width=shape.width, bias=str(shape.bias), rows=rows, targets=[0, 0])
        claim = derive(about, "gaussian_norms", (), {"failure": failure}).claim
        weights, biases = shape.norms(rng.standard_normal((100, shape.parameters)))
        pairs = [*zip(weights, claim.norms, strict=True), *zip(biases if shape.bias else [], claim.biases, strict=True)]
        ratios = np.max([found / float(bound) for found, bound in pairs], axis=0)
        failed, closest = failed + int((ratios > 1).sum()), max(closest, float(ratios.max()))
    assert not refutes(failed, 100 * len(shapes), float(failure))
    assert closest > 0.8  # ‖W‖ of a 30 x 30 matrix is near 2√30


def test_one_event_may_fail_nearly_as_often_as_claimed() -> None:
    """A judge that never objects would be worthless: with t halved the bound of one normal number is refuted."""
    draws = np.random.default_rng(0).standard_normal(4000)
    claim = derive(deep(depth=1, width=1), "gaussian_norms", (), {"failure": "0.02"}).claim
    excess = float(claim.norms[1]) - 2
    assert refutes(int((abs(draws) > excess / 2).sum()), 4000, 0.01)
    assert not refutes(int((abs(draws) > excess).sum()), 4000, 0.01)


class Arrays:
    """The number context of arrays, one entry a problem."""

    pi = np.pi
    sqrt = staticmethod(np.sqrt)

    @staticmethod
    def rational(value: Any) -> Any:
        return np.asarray(value, dtype=float)


def bound(formula: Any, shape: Shape, theta: Any, radius: Any, x: Any) -> Any:
    """Return a bound in floats for many starts at once, from their own norms."""
    _, _, zero, height, slope, curvature = facts(shape.activation)
    weights, biases = shape.norms(theta)
    found = []
    for h in (None,) if height is None else (None, height):
        layers = Layers(
            tuple(w + radius for w in weights), tuple(b + radius for b in biases) if shape.bias else (), shape.width,
            shape.inputs if shape.fan_in else 1, shape.weight_std, shape.bias, zero, slope**2,
            None if curvature is None else curvature**2, h,
        )  # fmt: skip
        found.append(np.sqrt(formula(Arrays(), layers, (x * x).sum(-1))))
    return np.min(found, axis=0)


def within(start: Any, move: Any, radius: float) -> Any:
    """Return a point of the ball."""
    size = np.linalg.norm(move, axis=-1, keepdims=True)
    return start + move * radius / np.maximum(size, radius)


SEARCHED = [
    Shape(1, 1, 1, "identity"),
    Shape(2, 1, 1, "identity", 0, 0.5, True),
    Shape(1, 2, 2, "relu", 0.5),
    Shape(2, 2, 1, "abs", 1),
    Shape(2, 2, 2, "erf"),
    Shape(1, 2, 1, "cos", 1, 2),
    Shape(2, 1, 2, "softplus", 0.5, 1, True),
    Shape(3, 1, 1, "tanh", 0.25, 1.5),
    Shape(2, 2, 1, "leaky_relu(-2)"),
]
REACHED = {"identity": 0.9}  # at m = d = 1 and a tiny radius the bound is attained
MOST = 1 + 1e-9


def search(formula: Any, shape: Shape, many: int, steps: int, sampled: Any) -> float:
    """Climb from many starts at once, over start, input, and the points of the ball."""
    rng = np.random.default_rng(11)
    p, d = shape.parameters, shape.inputs
    best = 0.0
    for radius in (1e-3, 0.5, 4.0):

        def ratio(z: Any, radius: float = radius) -> Any:
            start, x, moves = z[..., :p], z[..., p : p + d], z[..., p + d :].reshape(*z.shape[:-1], 2, p)
            points = [within(start, moves[..., k, :], radius) for k in range(2)]
            return sampled(shape, points, x) / bound(formula, shape, start, radius, x)

        z = rng.standard_normal((many, 3 * p + d)) * 10 ** rng.uniform(-1, 0.7, (many, 1))
        best = max(best, ascend(ratio, z, steps))
    return best


def length(shape: Shape, points: list[Any], x: Any) -> Any:
    return np.linalg.norm(shape.gradient(points[0], x), axis=-1)


def difference(shape: Shape, points: list[Any], x: Any) -> Any:
    change = shape.gradient(points[0], x) - shape.gradient(points[1], x)
    return np.linalg.norm(change, axis=-1) / (np.linalg.norm(points[0] - points[1], axis=-1) + 1e-7)


names = pytest.mark.parametrize("shape", SEARCHED, ids=lambda s: f"{s.activation}-{s.depth}")


@names
@pytest.mark.parametrize(
    ("many", "steps"), [(40, 12), pytest.param(350, 60, marks=pytest.mark.slow)], ids=["sample", "full"]
)
def test_no_gradient_is_longer(shape: Shape, many: int, steps: int) -> None:
    best = search(gradient_square, shape, many, steps, length)
    print(f"\ngradient, {shape.activation}, depth {shape.depth}: {best:.4f} of the bound")
    assert REACHED.get(shape.activation, 0.2) < best <= MOST


@pytest.mark.parametrize(
    "shape",
    [s for s in SEARCHED if facts(s.activation)[5] is not None],
    ids=lambda s: f"{s.activation}-{s.depth}",
)
@pytest.mark.parametrize(
    ("many", "steps"), [(40, 12), pytest.param(350, 60, marks=pytest.mark.slow)], ids=["sample", "full"]
)
def test_no_gradient_changes_faster(shape: Shape, many: int, steps: int) -> None:
    best = search(hessian_square, shape, many, steps, difference)
    print(f"\nHessian, {shape.activation}, depth {shape.depth}: {best:.4f} of the bound")
    assert 0.05 < best <= MOST


shapes = st.builds(
    Shape,
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([*ACTIVATIONS, "leaky_relu(-2)", "leaky_relu(0.5)"]),
    st.sampled_from([0.0, 0.125, 1.0, 10.0]),
    st.sampled_from([0.25, 1.0, 3.0]),
    st.booleans(),
)


@given(shapes, st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 30.0]), st.sampled_from([0.01, 1.0, 10.0]))
def test_no_network_is_outside(shape: Shape, seed: int, radius: float, size: float) -> None:
    rng, many = np.random.default_rng(seed), 40
    start = rng.standard_normal((many, shape.parameters)) * size
    x = rng.standard_normal((many, shape.inputs)) * rng.choice([0.1, 1, 10], (many, 1))
    points = [within(start, 100 * rng.standard_normal(start.shape), radius) for _ in range(2)]
    assert (length(shape, points, x) <= MOST * bound(gradient_square, shape, start, radius, x)).all()
    if facts(shape.activation)[5] is not None:
        limit = bound(hessian_square, shape, start, radius, x) + 1e-9 * bound(gradient_square, shape, start, radius, x)
        assert (difference(shape, points, x) <= MOST * limit).all()


@pytest.mark.parametrize("shape", SEARCHED, ids=lambda s: f"{s.activation}-{s.depth}")
def test_the_gradient_of_these_tests_is_the_derivative(shape: Shape) -> None:
    rng = np.random.default_rng(1)
    theta, x = rng.standard_normal(shape.parameters), rng.standard_normal(shape.inputs)
    steps = 1e-6 * np.eye(shape.parameters)
    slopes = (shape.output(theta + steps, x) - shape.output(theta - steps, x)) / 2e-6
    assert np.allclose(slopes, shape.gradient(theta, x), atol=1e-7)


# Certificates ---------------------------------------------------------------------------------------------------

SAMPLES = Dataset(ROWS, np.array([1.0, -0.5, 0.25]))
STATEMENTS = ("gradient-bound", "hessian-bound")


def certified(statement: str, activation: str = "erf", depth: int = 2, bias: str = "0.5", radius: str = "2") -> Any:
    return certify_in_ball(SAMPLES, Network(activation, depth, bias=bias), statement=statement, width=40, radius=radius)


@engines
@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_certificate_holds_for_networks_of_its_width(engine: str, statement: str) -> None:
    found = certified(statement)
    verdict = check(found, engine=engine)
    assert verdict.verdict == "valid", verdict
    gaussian = "all weights and biases are independent standard normal at initialisation"
    assert [text for text in verdict.assumptions if not text.startswith("arithmetic")] == [gaussian]
    claim = {k: float(v) for k, v in found.conclusion.items() if k != "kind"}
    assert claim["failure"] == 0.05
    rng, shape = np.random.default_rng(2), Shape(2, 40, 2, "erf", 0.5)
    theta = rng.standard_normal((200, 1, shape.parameters))
    ends = [within(theta, 10 * rng.standard_normal(theta.shape), claim["radius"]) for _ in range(2)]
    first, second = (shape.gradient(end + np.zeros((200, 3, 1)), ROWS + np.zeros((200, 1, 1))) for end in ends)
    if statement == "gradient-bound":
        ratios = np.linalg.norm(first, axis=-1).max(1) / claim["gradient"]
        whole = np.linalg.norm(first, 2, (1, 2)) / claim["jacobian"]
    else:
        far = np.linalg.norm(ends[0] - ends[1], axis=-1)
        ratios = (np.linalg.norm(first - second, axis=-1) / far).max(1) / claim["hessian"]
        whole = np.linalg.norm(first - second, 2, (1, 2)) / far[:, 0] / claim["lipschitz"]
    assert not refutes(int((np.maximum(ratios, whole) > 1).sum()), 200, 0.05)


BAD = {
    "radius": (lambda c: scale(c, "bound", "claim", "radius", "1.01"), ("bound", "claim-not-derived")),
    "ball": (lambda c: scale(c, "bound", "args", "radius", "1.01"), ("bound", "claim-not-derived")),
    "p": (lambda c: scale(c, "bound", "claim", "failure", "0.9"), ("bound", "claim-not-derived")),
    "no p": (lambda c: alter(c, "bound", claim={"failure": "0"}), ("bound", "claim-not-derived")),
    "p = 1": (lambda c: alter(c, "bound", claim={"failure": "1"}), ("bound", "bad-claim")),
    "surer": (lambda c: scale(c, "norms", "args", "failure", "0.5"), ("norms", "claim-not-derived")),
    "width": (lambda c: about(c, width=41), ("norms", "claim-not-derived")),
    "narrower": (lambda c: about(c, width=39), ("bound", "claim-not-derived")),
    "start": (lambda c: about(c, init="signs"), ("norms", "outside-theorem")),
    "no biases": (lambda c: alter(c, "norms", claim={"biases": []}), ("norms", "claim-differs")),
    "norm": (
        lambda c: alter(c, "norms", claim={"norms": [*c.steps[0].claim["norms"][:2], "1"]}),
        ("norms", "claim-not-derived"),
    ),
    "layer": (
        lambda c: alter(c, "norms", claim={"norms": c.steps[0].claim["norms"][:2]}),
        ("norms", "bad-claim"),
    ),
}


@engines
@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize(("change", "expected_refusal"), BAD.values(), ids=BAD)
def test_altered_certificates_are_rejected(
    engine: str, statement: str, change: Any, expected_refusal: tuple[str, str]
) -> None:
    assert refusal(change(certified(statement)), engine) == expected_refusal


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("gradient-bound", "gradient"),
        ("gradient-bound", "jacobian"),
        ("hessian-bound", "hessian"),
        ("hessian-bound", "lipschitz"),
    ],
)
def test_a_sharper_bound_is_rejected(statement: str, field: str) -> None:
    changed = scale(certified(statement), "bound", "claim", field, "0.999999999")
    assert refusal(changed) == ("bound", "claim-not-derived")


def test_a_conclusion_may_not_hide_that_the_norms_are_random() -> None:
    found = certified("gradient-bound")
    only = type(found)(found.problem, found.steps[:1], "norms", found.steps[0].claim)
    assert refusal(only) == ("", "bad-conclusion")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statement": "gradient"}, "unknown statement"),
        ({"width": None}, "needs a width and a radius"),
        ({"radius": None}, "needs a width and a radius"),
        ({"radius": "0"}, "the radius positive"),
        ({"radius": "x"}, "not a decimal number"),
        ({"failure_probability": "1"}, "between 0 and 1"),
        ({"init": "signs"}, "init=gaussian"),
        ({"network": Network("erf", train="both")}, "train=all"),
        ({"network": Network("relu"), "statement": "hessian-bound"}, "not C²"),
        ({"dataset": Dataset(ROWS)}, "needs targets"),
    ],
)
def test_unusable_options_are_named(options: dict[str, Any], message: str) -> None:
    known = {"dataset": SAMPLES, "network": Network("erf"), "width": 10, "radius": "1", **options}
    with pytest.raises(InputError, match=message):
        certify_in_ball(known.pop("dataset"), known.pop("network"), **known)


def test_the_bound_of_two_layers_is_that_of_the_literature_without_its_constants() -> None:
    """Depth 1, β = 0, σ the identity: ``‖∇f‖² ≤ (‖W¹‖ + R)²‖x‖²/m + (‖W²‖ + R)²‖x‖²/m``."""
    about = deep("identity", 1, 25)
    claim = derive(about, "gradient_bound", (norms("3", "4"),), {"radius": "1"}).claim
    largest = sqrt(max((ROWS**2).sum(1)))
    assert float(claim.gradient) == pytest.approx(largest * sqrt(16 + 25) / 5, rel=1e-12)

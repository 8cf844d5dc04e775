"""What is certified of given weights: values at 200 bits, refusals, and climbs that would leave the bounds.

The oracle at 200 bits is written from the definition of the network, in mpmath.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from given import KINKED, SMOOTH, Net, instance, norm
from theorems.ascent import ascend
from two_layer import CURVATURE_SQUARED, ENGINES, MP, derive, mp, problem, rejection

from ntkproof.certificate import integer_array
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.given_weights.claims import LocalDeviation, NearbyPoint
from ntkproof.checker.given_weights.given import evaluation
from ntkproof.checker.given_weights.nearby import nearby
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.claim import Rejection, parse_claim
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Proved, Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.training import Training
from ntkproof.checker.problem.weights import Weights
from ntkproof.checker.table import KINDS, RULES
from ntkproof.prover.factor import cholesky_floats

engines = pytest.mark.parametrize("engine", ENGINES)
SMALL: dict[str, dict[str, Any]] = {
    "hidden": {"sizes": (2, 7, 1)},
    "both": {"sizes": (2, 6, 1), "activation": "tanh", "train": "both", "bias": "0.5"},
    "all": {"sizes": (3, 5, 1), "activation": "gelu", "train": "all", "bias": "0.25", "input_scale": "fan-in"},
    "mirrored": {"sizes": (2, 5, 1), "activation": "sin", "train": "both", "mirrored": True},
    "mirrored, biases": {"sizes": (2, 4, 1), "activation": "erf", "train": "all", "mirrored": True, "bias": "0.75"},
    "two hidden layers": {"sizes": (2, 4, 5, 1), "activation": "softplus", "bias": "1", "weight_std": "1.5"},
    "three hidden layers": {"sizes": (2, 3, 4, 3, 1), "activation": "sigmoid"},
    "relu": {"sizes": (2, 9, 1), "activation": "relu"},
    "relu, both": {"sizes": (2, 9, 1), "activation": "relu", "train": "both", "bias": "0.5"},
    "leaky": {"sizes": (2, 9, 1), "activation": "leaky_relu(-3)"},
}


def small(name: str) -> Problem:
    return instance(4, **{"noise": 0.3, **SMALL[name]})


# The oracle at 200 bits ------------------------------------------------------------------------------------------


def precise(name: str, z: Any) -> tuple[Any, Any]:
    """Return σ and σ' at an mpmath number."""
    density, below = MP.npdf(z), (1 + MP.erf(z / MP.sqrt(2))) / 2
    logistic = 1 / (1 + MP.exp(-z))
    found = {
        "erf": lambda: (MP.erf(z), 2 / MP.sqrt(MP.pi) * MP.exp(-z * z)),
        "tanh": lambda: (MP.tanh(z), 1 - MP.tanh(z) ** 2),
        "sigmoid": lambda: (logistic, logistic * (1 - logistic)),
        "softplus": lambda: (MP.log(1 + MP.exp(z)), logistic),
        "gelu": lambda: (z * below, below + z * density),
        "sin": lambda: (MP.sin(z), MP.cos(z)),
        "relu": lambda: (max(z, 0), 1 if z > 0 else 0),
        "leaky_relu(-3)": lambda: (z, 1) if z > 0 else (-3 * z, -3),
    }
    value, slope = found[name]()
    return MP.mpf(value), MP.mpf(slope)


def truth(about: Problem, weights: Weights) -> tuple[list[Any], Any]:
    """Return the residual and ``H = J Jᵀ`` at weights, at 60 digits."""
    network, depth = about.network, about.network.depth
    trained = {"hidden": 1, "both": 2}.get(network.train, depth + 1)
    layers, biases = [w.tolist() for w in weights.layers], [b.tolist() for b in weights.biases]
    if weights.mirrored:
        layers = [layers[0] * 2, [[*layers[1][0], *(-v for v in layers[1][0])]]]
        biases[:1] = [bias * 2 for bias in biases[:1]]
    std, beta = mp(network.sigma_w), mp(network.beta)
    scales = [std / MP.sqrt(len(w[0])) if k or network.input_scale == "fan-in" else std for k, w in enumerate(layers)]
    residual, rows = [], []
    for x, y in zip(about.dataset.inputs.tolist(), about.dataset.targets.tolist(), strict=True):  # type: ignore
        vector, inputs, slopes = [mp(v) for v in x], [], []
        for k, (w, s) in enumerate(zip(layers, scales, strict=True)):
            inputs.append(vector)
            z = [s * MP.fsum(mp(a) * b for a, b in zip(row, vector, strict=True)) for row in w]
            if k < len(biases):
                z = [a + beta * mp(b) for a, b in zip(z, biases[k], strict=True)]
            if k < depth:
                pairs = [precise(network.activation, a) for a in z]
                vector = [a for a, _ in pairs]
                slopes.append([b for _, b in pairs])
        residual.append(z[0] - mp(y))
        g, gradient = [MP.mpf(1)], []
        for k in reversed(range(depth + 1)):
            if k < trained:
                gradient += [scales[k] * a * b for a in g for b in inputs[k]]
                gradient += [beta * a for a in g] if k < len(biases) else []
            if k:
                back = [scales[k] * MP.fsum(a * mp(row[r]) for a, row in zip(g, layers[k], strict=True))
                        for r in range(len(layers[k][0]))]  # fmt: skip
                g = [a * b for a, b in zip(slopes[k - 1], back, strict=True)]
        rows.append(gradient)
    h = MP.matrix([[MP.fsum(a * b for a, b in zip(one, two, strict=True)) for two in rows] for one in rows])
    return residual, h


def off_by(h: Any, matrix: Any, precision: int) -> Any:
    """Return the Frobenius norm of ``H − 2^-p A``, p units of it."""
    return MP.sqrt(MP.fsum((h[i, j] * MP.mpf(2) ** precision - matrix.entry(i, j)) ** 2
                           for i in range(h.rows) for j in range(h.cols)))  # fmt: skip


@engines
@pytest.mark.parametrize("name", SMALL)
def test_kernel_and_residual_contain_the_truth_at_200_bits(engine: str, name: str) -> None:
    about = small(name)
    residual, h = truth(about, about.weights)  # type: ignore[arg-type]
    derived = derive(about, "given_kernel", (), {"precision": 60}, engine=engine)
    claim = derived.claim
    assert isinstance(claim, Enclosure)
    assert off_by(h, derived.matrix, 60) <= claim.radius <= 2**36  # 2^-24 at worst
    size = MP.sqrt(MP.fsum(r * r for r in residual))
    stated = mp(derive(about, "given_residual", (), engine=engine).claim.value)
    assert size <= stated <= size + MP.mpf(2) ** -28


@engines
@pytest.mark.parametrize("name", SMALL)
def test_a_point_nearby_is_where_it_is_said_to_be(engine: str, name: str) -> None:
    about = small(name)
    setting = Setting(about, arithmetic(engine), lambda done, total: None)
    coefficients = [(-1) ** i * (3 << 40) // (i + 7) for i in range(about.dataset.n)]
    point, _ = nearby(setting, coefficients, 44)
    residual, h = truth(about, point)
    net = Net(about)
    theta = Net(Problem(about.dataset, about.network, "ntk", weights=point)).start
    floats = np.array([[float(h[i, j]) for j in range(h.cols)] for i in range(h.rows)])
    packed = cholesky_floats(floats - np.eye(len(floats)) * np.linalg.eigvalsh(floats)[0] * 0.999, 50)
    args = {"precision": 60, "scale": 50, "coefficient_scale": 44, "shift": f"{np.linalg.eigvalsh(floats)[0] * 0.999}"}
    witness = {"coefficients": integer_array(coefficients), "factor": packed}
    claim = derive(about, "nearby_point", (), args, witness, engine=engine).claim
    assert isinstance(claim, NearbyPoint)
    gap = MP.sqrt(MP.fsum((mp(a) - mp(b)) ** 2 for a, b in zip(theta, net.start, strict=True)))
    assert gap <= mp(claim.distance) <= gap * (1 + MP.mpf(10) ** -6)
    size = MP.sqrt(MP.fsum(r * r for r in residual))
    assert size <= mp(claim.residual) <= size + MP.mpf(2) ** -28
    assert mp(claim.lambda_min) <= min(MP.eigsy(h, eigvals_only=True)) * (1 + MP.mpf(10) ** -50)
    assert float(claim.lambda_min) > np.linalg.eigvalsh(floats)[0] * 0.99
    # near θ_0 + J_0ᵀc, though nothing rests on it
    goal = net.start + net.jacobian(net.start).T @ (np.array(coefficients) / 2.0**44)
    assert np.allclose(theta, goal, atol=1e-8)


def test_only_trained_parameters_move() -> None:
    about = instance(0, "erf", (2, 5, 1), bias="0.5", train="both", mirrored=True)
    setting = Setting(about, arithmetic("fast"), lambda done, total: None)
    assert nearby(setting, [1, 2], 0)[0].biases[0].shape == (10,)
    about = instance(0, "erf", (2, 5, 1), bias="0.5", mirrored=True)
    point, _ = nearby(Setting(about, arithmetic("fast"), lambda done, total: None), [1, 2], 0)
    output = about.weights.layers[1]  # type: ignore[union-attr]
    assert np.array_equal(point.layers[1], np.hstack([output, -output]))


# Mirrored weights are the same as both halves written out --------------------------------------------------------


def written_out(about: Problem) -> Problem:
    weights = about.weights
    assert weights is not None
    hidden, output = weights.layers
    biases = tuple(np.concatenate([b, b]) if k == 0 else b for k, b in enumerate(weights.biases))
    both = Weights((np.vstack([hidden, hidden]), np.hstack([output, -output])), biases, False, weights.step_size)
    return Problem(about.dataset, about.network, "ntk", weights=both)


@pytest.mark.parametrize(
    ("activation", "train"), [("erf", "hidden"), ("sin", "both"), ("erf", "all"), ("relu", "hidden")]
)
def test_mirrored_weights_are_two_halves(activation: str, train: str) -> None:
    about = instance(5, activation, (2, 30, 1), mirrored=True, train=train, bias="0.5" if train != "hidden" else "0")
    full = written_out(about)
    one, two = (derive(each, "given_kernel", (), {"precision": 60}) for each in (about, full))
    assert max(abs(one.matrix.entry(i, j) - two.matrix.entry(i, j)) for i in range(2) for j in range(2)) < 2**36
    one, two = (derive(each, "given_residual", ()) for each in (about, full))
    assert abs(one.claim.value - two.claim.value) < Fraction(1, 2**25)
    if activation != "relu":
        for radius in ("0.1", "3"):
            args = {"radius": radius, "paths": "weights"}
            one, two = (derive(each, "given_deviation", (), args) for each in (about, full))
            assert abs(float(one.claim.slope / two.claim.slope) - 1) < 1e-6
            assert abs(float(one.claim.norm / two.claim.norm) - 1) < 1e-6


@engines
@pytest.mark.parametrize("activation", ["erf", "sin"])
def test_two_layers_have_the_least_constant_of_the_page(engine: str, activation: str) -> None:
    about = instance(3, activation, (2, 20, 1), samples=3)
    claim = derive(about, "given_deviation", (), {"radius": "7", "paths": "weights"}, engine=engine).claim
    assert isinstance(claim, LocalDeviation)
    k, top = about.dataset.inputs @ about.dataset.inputs.T, abs(about.weights.layers[1]).max()  # type: ignore
    expected = float(MP.sqrt(CURVATURE_SQUARED[activation])) * top * norm(k * k) ** 0.5 / 20**0.5
    assert expected <= float(claim.slope) <= expected * 1.01
    assert (claim.offset, claim.lipschitz, claim.radius) == (0, "yes", 7)


# Refusals -------------------------------------------------------------------------------------------------------

ABOUT = instance(0)
DEVIATION = {"radius": "1", "paths": "weights"}
NEARBY = {"precision": 60, "scale": 40, "coefficient_scale": 40, "shift": "0.01"}


def huge(**more: float) -> Problem:
    weights = ABOUT.weights
    assert weights is not None
    layers = [layer.copy() for layer in weights.layers]
    for name, value in more.items():
        layers[int(name[1:]) - 1][0, 0] = value
    return Problem(ABOUT.dataset, ABOUT.network, "ntk", weights=Weights(tuple(layers)))


def witness(coefficients: list[int], factor: list[int]) -> dict[str, Array]:
    return {"coefficients": integer_array(coefficients), "factor": integer_array(factor)}


ONES = witness([1, 1], [1, 1, 1])
EYE = problem(rows=np.eye(2), targets=[1, 2])
WHOLE = {**NEARBY, "coefficient_scale": 0}
BAD: dict[str, tuple[str, tuple[Any, ...]]] = {
    "kernel of random weights": ("outside-theorem", (problem(), "given_kernel", (), {"precision": 60})),
    "residual of random weights": ("outside-theorem", (problem(), "given_residual", ())),
    "deviation of random weights": ("outside-theorem", (problem(), "given_deviation", (), DEVIATION)),
    "point of random weights": ("outside-theorem", (EYE, "nearby_point", (), NEARBY, ONES)),
    "precision": ("bad-argument", (ABOUT, "given_kernel", (), {"precision": 29})),
    "no precision": ("missing-argument", (ABOUT, "given_kernel", (), {})),
    "precision of a point": ("bad-argument", (ABOUT, "nearby_point", (), {**NEARBY, "precision": 1001}, ONES)),
    "R = 0": ("bad-argument", (ABOUT, "given_deviation", (), {**DEVIATION, "radius": "0"})),
    "R < 0": ("bad-argument", (ABOUT, "given_deviation", (), {**DEVIATION, "radius": "-1"})),
    "paths": ("bad-argument", (ABOUT, "given_deviation", (), {**DEVIATION, "paths": "norms"})),
    "a kink": ("hypothesis", (instance(0, "relu"), "given_deviation", (), DEVIATION)),
    "a deep kink": ("hypothesis", (instance(0, "relu", (2, 4, 4, 1)), "given_kernel", (), {"precision": 60})),
    "no known second derivative": (
        "hypothesis",
        (Problem(ABOUT.dataset, Network("expr(exp(-abs(x)**3))", train="hidden"), "ntk", weights=ABOUT.weights),
         "given_deviation", (), DEVIATION),
    ),
    "too few coefficients": ("bad-witness", (ABOUT, "nearby_point", (), NEARBY, witness([1], [1, 1, 1]))),
    "too small a factor": ("bad-witness", (ABOUT, "nearby_point", (), NEARBY, witness([1, 1], [1, 1]))),
    "no such point": ("bad-witness", (ABOUT, "nearby_point", (), WHOLE, witness([1 << 1030, 0], [1, 1, 1]))),
    "a large point": ("no-enclosure", (ABOUT, "nearby_point", (), WHOLE, witness([1 << 60, 0], [1, 1, 1]))),
    "large hidden weights": ("no-enclosure", (huge(W1=1e9), "given_kernel", (), {"precision": 60})),
    "large output weights": ("no-enclosure", (huge(W2=1e300), "given_residual", ())),
    "premises": ("bad-premises", (ABOUT, "given_residual", (LocalDeviation(*[Fraction(1)] * 3, "no", Fraction(1)),))),
}  # fmt: skip


@engines
@pytest.mark.parametrize(("code", "case"), BAD.values(), ids=BAD)
def test_bad_steps_are_refused(engine: str, code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case, engine=engine) == code


RANDOM_START = [
    ("matrix_chernoff", ("delta", "failure")),
    ("hoeffding", ("tau", "failure")),
    ("initial_residual", ("failure", "signs_failure")),
    ("smooth_deviation", ()),
    ("flip_deviation", ("tau", "failure")),
    ("tube_deviation", ("tau", "failure")),
    ("both_deviation", ()),
    ("jacobian_norm", ()),
    ("output_weights", ("failure",)),
    ("gaussian_residual", ("energy_failure", "failure")),
    ("markov_residual", ("failure",)),
    ("markov_flips", ("radius", "failure")),
    ("neuron_jacobian_norm", ()),
    ("gaussian_norms", ("failure",)),
    ("linearised_path", ()),
    ("kantorovich", ("radius",)),
    ("distance", ("share",)),
    ("descent", ("radius",)),
    ("flip_descent", ("radius",)),
    ("mean_loss", ()),
    ("continuous_induction", ("movement",)),
    ("groenwall", ()),
    ("tube", ()),
]
ANY: dict[str, dict[str, str]] = {  # a claim of each kind
    "bound": {"quantity": "residual", "value": "1"},
    "eigenvalue_bound": {"matrix": "kernel", "eigenvalue": "min", "side": "lower", "value": "1"},
    "jacobian_deviation": {"offset": "0", "slope": "1", "lipschitz": "yes"},
    "tube_deviation": {"tau": "1", "deviation": "0.1"},
    "kernel_stability": {"ball": "parameters", "radius": "1", "deviation": "0.1"},
    "trajectory": {"lambda_min": "1", "deviation": "0.1"},
    "convergence": {
        "dynamics": "flow", "width": "40", "rate": "1", "failure": "0", "radius": "1", "kernel_deviation": "1"
    },
}  # fmt: skip


@pytest.mark.parametrize(("rule", "names"), RANDOM_START)
def test_rules_about_random_starts_say_nothing_of_given_weights(rule: str, names: tuple[str, ...]) -> None:
    args = {name: "speed" if name == "movement" else "0.5" for name in names}
    about = instance(0, train="both") if rule in ("both_deviation", "output_weights", "gaussian_residual") else ABOUT
    premises = tuple(parse_claim({"kind": kind.kind, **ANY[kind.kind]}, KINDS) for kind in RULES[rule].premises)
    assert rejection(about, rule, premises, args) == "outside-theorem"


def start_kernel() -> Proved:
    derived = derive(ABOUT, "given_kernel", (), {"precision": 40})
    return Proved(derived.claim, derived.matrix)


START = EigenvalueBound("initial_kernel", "min", "lower", Fraction(1))
KERNEL_RULES: dict[str, tuple[Any, ...]] = {
    "lambda_min": ((START, replace(START, side="upper")), {}),
    "khatri_rao": ((START,), {}),
    "spectrum": ((start_kernel(),), {"scale": 1}, {"vectors": Array("int8", (2, 2), bytes([2, 0, 0, 2]))}),
    "inverse_form": ((start_kernel(), START), {"scale": 1}, {"solution": integer_array([1, 1])}),
}


@pytest.mark.parametrize(("rule", "case"), KERNEL_RULES.items(), ids=KERNEL_RULES)
def test_the_kernel_at_the_start_is_not_the_limit(rule: str, case: tuple[Any, ...]) -> None:
    assert rejection(ABOUT, rule, *case) == "bad-premises"


def test_weights_and_a_random_start_exclude_each_other() -> None:
    with pytest.raises(InputError, match="either random or given"):
        Problem(ABOUT.dataset, ABOUT.network, "ntk", Training(40), ABOUT.weights)


# Climbs ---------------------------------------------------------------------------------------------------------


def climb(about: Problem, radius: float, paths: str, seed: int, points: int, steps: int) -> tuple[float, float]:
    """Return the largest ``‖J(θ) − J(θ')‖ / Λ‖θ − θ'‖`` and ``‖J(θ)‖/norm`` found in the ball."""
    claim = derive(about, "given_deviation", (), {"radius": str(radius), "paths": paths}).claim
    assert isinstance(claim, LocalDeviation)
    net, rng = Net(about), np.random.default_rng(seed)
    size, j_0 = len(net.start), net.jacobian(net.start)

    def inside(z: Any) -> Any:
        return net.start + radius * z / np.maximum(1, np.linalg.norm(z, axis=-1, keepdims=True))

    def between(z: Any) -> Any:
        p, q = inside(z[:, :size]), inside(z[:, size:])
        moved = norm(net.jacobian(p) - net.jacobian(q))
        return moved / (float(claim.slope) * np.linalg.norm(p - q, axis=-1) + 1e-300)

    def from_start(z: Any) -> Any:
        p = inside(z)
        return norm(net.jacobian(p) - j_0) / (float(claim.slope) * np.linalg.norm(p - net.start, axis=-1) + 1e-300)

    def largest(z: Any) -> Any:
        return norm(net.jacobian(inside(z))) / float(claim.norm)

    z = rng.standard_normal((points, 2 * size)) / size**0.5
    moved = max(ascend(between, z, steps), ascend(from_start, z[:, :size], steps))
    return moved, ascend(largest, z[:, :size], steps)


CLIMBS = [
    ("erf", (2, 6, 1), {}),
    ("erf", (2, 4, 1), {"train": "both", "bias": "0.5"}),
    ("sin", (2, 4, 1), {"train": "all", "mirrored": True, "bias": "0.5"}),
    ("sin", (2, 3, 3, 1), {}),
    ("erf", (1, 2, 2, 1), {"bias": "1"}),
]


@pytest.mark.parametrize(("activation", "sizes", "options"), CLIMBS)
def test_climbs_stay_within_the_bounds(activation: str, sizes: tuple[int, ...], options: dict[str, Any]) -> None:
    about = instance(8, activation, sizes, **options)
    for radius, paths in ((0.3, "matrices"), (2.0, "weights")):
        moved, size = climb(about, radius, paths, 0, 6, 12)
        assert moved <= 1 + 1e-5
        assert size <= 1 + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("activation", SMOOTH)
def test_long_climbs_stay_within_the_bounds(activation: str) -> None:
    worst = np.zeros(2)
    for seed, (sizes, options) in enumerate(
        [
            ((2, 4, 1), {}),
            ((1, 1, 1), {}),
            ((2, 4, 1), {"train": "both", "bias": "0.5"}),
            ((2, 3, 1), {"train": "all", "mirrored": True, "bias": "0.5", "input_scale": "fan-in"}),
            ((2, 3, 3, 1), {"weight_std": "1.5"}),
            ((1, 1, 1, 1), {}),
            ((2, 2, 3, 2, 1), {"bias": "0.5"}),
            ((1, 2, 2, 2, 2, 1), {}),
        ]
    ):
        about = instance(seed, activation, sizes, **options)
        for radius in (0.05, 0.5, 3.0):
            for paths in ("matrices", "weights"):
                found = climb(about, radius, paths, seed, 6, 25)
                worst = np.maximum(worst, found)
                assert found[0] <= 1 + 1e-5, (sizes, radius, paths)
                assert found[1] <= 1 + 1e-9, (sizes, radius, paths)
    print(activation, worst)


@pytest.mark.parametrize("activation", KINKED)
def test_a_neuron_on_its_hyperplane_may_have_either_slope(activation: str) -> None:
    """At ``w·x = 0`` every choice of σ' gives a Gram matrix within the radius."""
    x = np.array([[1.0, 0.0], [0.6, 0.8]])
    weights = Weights((np.array([[0.0, 2.0], [1.0, 1.0]]), np.array([[1.0, -1.0]])))
    about = Problem(Dataset(x, np.array([0.0, 1.0])), Network(activation, train="hidden"), "ntk", weights=weights)
    derived = derive(about, "given_kernel", (), {"precision": 60})
    claim, below = derived.claim, {"relu": 0.0, "abs": -1.0}.get(activation)
    below = float(activation[11:-1]) if below is None else below
    assert isinstance(claim, Enclosure)
    for choice in np.linspace(below, 1, 7):
        slopes = np.array([[choice, 1.0], [1.0, 1.0]])  # sample by neuron
        j = (slopes * [1.0, -1.0] / 2**0.5)[..., None] * x[:, None]
        h = j.reshape(2, 4) @ j.reshape(2, 4).T
        found = np.array([[derived.matrix.entry(i, k) for k in range(2)] for i in range(2)], float) / 2.0**60
        assert norm(h - found) <= float(claim.radius) / 2.0**60


def test_evaluations_are_shared() -> None:
    setting = Setting(ABOUT, arithmetic("fast"), lambda done, total: None)
    assert evaluation(setting) is evaluation(setting)
    with pytest.raises(Rejection, match="no given weights"):
        evaluation(Setting(problem(), arithmetic("fast"), lambda done, total: None))

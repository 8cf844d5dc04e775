"""Given weights and a kink: counts and sums against exact rationals, refusals, and searches that flip all they can."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from given import KINKED, Net, certified, instance, norm, train
from two_layer import ENGINES, JUMP, MP, derive, inputs_max, kernel_min, mp, problem, quantity, rejection, slope_below

from ntkproof import InputError
from ntkproof.certificate import integer_array
from ntkproof.checker import check
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.given_weights.claims import LocalDeviation
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.rule import Proved
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.checker.random_start.tube import TubeDeviation

engines = pytest.mark.parametrize("engine", ENGINES)
SLOPE = {"relu": 1, "abs": 1, "leaky_relu(0.25)": 1, "leaky_relu(-3)": 3}


def random_net(seed: int, activation: str = "relu", width: int = 40, mirrored: bool = False, **more: Any) -> Problem:
    """Output weights of all sizes, one of them zero; three samples, one of them 0, or nearly parallel ones."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 2))
    x[1] = (0, 0) if seed % 3 == 0 else x[0] * 1.3 + 1e-3
    output = rng.standard_normal((1, width)) * 10 ** rng.uniform(-1, 1, (1, width))
    output[0, 0] = 0
    weights = Weights((rng.standard_normal((width, 2)), output), (), mirrored, more.pop("step_size", None))
    network = Network(activation, **{"train": "hidden", **more})
    return Problem(Dataset(x, rng.standard_normal(3)), network, "ntk", weights=weights)


class Exact:
    """The preactivations, ``K`` and ``a_r`` of a problem as exact rationals, mirrored neurons written out."""

    def __init__(self, about: Problem) -> None:
        weights = about.weights
        assert weights is not None
        self.x = [[Fraction(v) for v in row] for row in about.dataset.inputs.tolist()]
        w = [[Fraction(v) for v in row] for row in weights.layers[0].tolist()]
        self.a = [Fraction(v) for v in weights.layers[1][0].tolist()]
        if weights.mirrored:
            w, self.a = w + w, self.a + [-v for v in self.a]
        self.z = [[sum(p * q for p, q in zip(row, x, strict=True)) for row in w] for x in self.x]
        self.k = [[sum(p * q for p, q in zip(one, two, strict=True)) for two in self.x] for one in self.x]
        self.m, self.top = len(w), max(map(abs, self.a))

    def tube(self, tau: Fraction, jump: Fraction) -> Any:
        """Return S."""
        n = len(self.k)
        inside = [[z * z <= tau * tau * self.k[i][i] for z in self.z[i]] for i in range(n)]
        return [
            [
                abs(self.k[i][j]) * jump**2 / self.m
                * sum(a * a for a, p, q in zip(self.a, inside[i], inside[j], strict=True) if p and q)
                for j in range(n)
            ]
            for i in range(n)
        ]  # fmt: skip

    def flips(self, radius: Fraction) -> int:
        """Return ``max_i k_i``."""
        found = []
        for i, row in enumerate(self.z):
            spent, count = Fraction(0), 0
            for square in sorted(z * z for z in row):
                spent += square
                count += spent <= radius**2 * self.k[i][i]
            found.append(count if self.k[i][i] else 0)
        return max(found)


def inputs_norm(about: Problem) -> EigenvalueBound:
    """An upper bound on ``‖X‖²``, generous."""
    return inputs_max(str(norm(about.dataset.inputs) ** 2 * (1 + 1e-9)))


# Values ---------------------------------------------------------------------------------------------------------


@engines
@pytest.mark.parametrize("activation", KINKED)
@pytest.mark.parametrize("mirrored", [False, True])
def test_tube_is_the_sum_of_the_page(engine: str, activation: str, mirrored: bool) -> None:
    for seed in range(4):
        about = random_net(seed, activation, mirrored=mirrored)
        for tau in ("1e-6", "0.05", "0.4", "7"):
            claim = derive(about, "given_tube", (), {"tau": tau}, engine=engine).claim
            assert isinstance(claim, TubeDeviation)
            shares = Exact(about).tube(Fraction(tau), Fraction(JUMP[activation]))
            expected = norm(np.array(shares, float)) ** 0.5
            assert expected * (1 - 1e-9) <= float(claim.deviation) <= expected * 1.01 + 1e-6
            assert claim.tau == Fraction(tau)


@engines
@pytest.mark.parametrize("activation", KINKED)
@pytest.mark.parametrize("mirrored", [False, True])
def test_flips_are_the_count_of_the_page(engine: str, activation: str, mirrored: bool) -> None:
    for seed in range(4):
        about = random_net(seed, activation, mirrored=mirrored)
        exact, square = Exact(about), inputs_norm(about)
        for radius in ("0.001", "0.1", "1", "30"):
            claim = derive(about, "given_flips", (square,), {"radius": radius}, engine=engine).claim
            assert isinstance(claim, LocalDeviation)
            size = MP.sqrt(mp(exact.top**2 * square.value / exact.m))
            offset = JUMP[activation] * size * MP.sqrt(exact.flips(Fraction(radius)))
            assert offset <= mp(claim.offset) * (1 + MP.mpf(10) ** -30)
            assert mp(claim.offset) <= offset * (1 + MP.mpf(10) ** -30)
            assert abs(mp(claim.norm) / (SLOPE[activation] * size * MP.sqrt(exact.m)) - 1) < MP.mpf(10) ** -30
            assert (claim.slope, claim.radius, claim.lipschitz) == (0, Fraction(radius), "path")


@engines
@pytest.mark.parametrize("activation", ["erf", "relu", "sin"])
def test_the_path_is_that_of_the_linearised_problem(engine: str, activation: str) -> None:
    about = instance(2, activation, (2, 50, 1), noise=0.1)
    kernel = derive(about, "given_kernel", (), {"precision": 60}, engine=engine)
    net = Net(about)
    j, r = net.jacobian(net.start), net.residual(net.start)
    truth = r @ np.linalg.solve(j @ j.T, r)
    least = EigenvalueBound("initial_kernel", "min", "lower", Fraction(np.linalg.eigvalsh(j @ j.T)[0] * 0.99))
    premises = (Proved(kernel.claim, kernel.matrix), least)
    for spoiled in (0, 1e-3, 0.1, 1):
        z = np.rint((np.linalg.solve(j @ j.T, r) + spoiled) * 2.0**50)
        witness = {"solution": integer_array([int(v) for v in z])}
        claim = derive(about, "given_path", premises, {"scale": 50}, witness, engine=engine).claim
        assert claim.quantity == "linearised_path"
        assert float(claim.value) >= truth * (1 - 1e-9)
        if not spoiled:
            assert float(claim.value) <= truth * (1 + 1e-3) + 1e-6


PATH, TUBE = quantity("linearised_path", "0.04"), TubeDeviation(Fraction(1, 2), Fraction(1, 4))
SIGMA = EigenvalueBound("initial_kernel", "min", "lower", Fraction(4))


def plain(activation: str = "relu", step_size: str | None = None, **network: Any) -> Problem:
    """Two orthogonal unit samples, 16 neurons, ``max|a_r| = 2``."""
    output = np.linspace(-2, 1.5, 16)[None]
    weights = Weights((np.random.default_rng(0).standard_normal((16, 2)), output), (), False, step_size)
    network = {"train": "hidden", **network}
    return Problem(Dataset(np.eye(2), np.ones(2)), Network(activation, **network), "ntk", weights=weights)


def tube(*claims: Any, about: Any = None) -> Any:
    return about or plain(), "instance_tube", claims + (SIGMA, PATH, TUBE, inputs_max("1"))[len(claims) :]


@engines
def test_the_tube_theorem_computes_what_the_page_says(engine: str) -> None:
    claim = derive(*tube(), engine=engine).claim
    assert isinstance(claim, Convergence)
    exact = Fraction(49, 8), Fraction(2, 5) * Fraction(49, 16) / 3, Fraction(1)  # σ_0 = 2, ε = 1/4, ω = 1/5, A = 2
    assert claim.rate == exact[0]
    assert 0 <= claim.radius - exact[1] < Fraction(1, 10**30)
    assert 0 <= claim.kernel_deviation - exact[2] < Fraction(1, 10**30)
    assert (claim.dynamics, claim.width, claim.failure) == ("flow", 16, 0)


@engines
def test_the_tube_theorem_refuses_on_the_edge(engine: str) -> None:
    """``A B1‖K_i‖I* = √m τ‖x_i‖``: ``2 ω 2/((7/4)(3/2)) = 4τ`` at ``τ = ω·8/21``."""
    edge = Fraction(1, 5) * Fraction(8, 21)
    wider, narrower = (TubeDeviation(edge * (1 + sign * Fraction(1, 10**12)), Fraction(1, 4)) for sign in (1, -1))
    derive(*tube(SIGMA, PATH, wider), engine=engine)
    assert rejection(*tube(SIGMA, PATH, narrower), engine=engine) == "hypothesis"
    steep = plain("leaky_relu(-3)")
    assert rejection(*tube(SIGMA, PATH, wider, about=steep), engine=engine) == "hypothesis"
    derive(*tube(SIGMA, PATH, TubeDeviation(3 * wider.tau, Fraction(1, 4)), about=steep), engine=engine)


# Refusals -------------------------------------------------------------------------------------------------------


def given_tube(about: Any = None, tau: str = "0.1") -> Any:
    return about or plain(), "given_tube", (), {"tau": tau}


def given_flips(about: Any = None, claim: Any = None, radius: str = "0.1") -> Any:
    return about or plain(), "given_flips", (claim or inputs_max("1"),), {"radius": radius}


def enclosed(rule: str, **args: int) -> Proved:
    """Return what a rule encloses at these weights."""
    derived = derive(plain(), rule, (), {"precision": 40, **args})
    return Proved(derived.claim, derived.matrix)


START, LIMIT = enclosed("given_kernel"), enclosed("kernel_enclosure", working_precision=60)


def given_path(*claims: Any, about: Any = None, entries: int = 2) -> Any:
    least = EigenvalueBound("initial_kernel", "min", "lower", Fraction(1, 100))
    witness = {"solution": integer_array([1] * entries)}
    return about or plain(), "given_path", claims + (START, least)[len(claims) :], {"scale": 0}, witness


def huge(layer: int) -> Problem:
    layers = [array.copy() for array in plain().weights.layers]  # type: ignore[union-attr]
    layers[layer][0, 0] = 1e300
    return Problem(plain().dataset, plain().network, "ntk", weights=Weights(tuple(layers)))


BAD: dict[str, tuple[str, Any]] = {
    "τ = 0": ("bad-argument", given_tube(tau="0")),
    "τ < 0": ("bad-argument", given_tube(tau="-1")),
    "tube, random": ("outside-theorem", given_tube(problem("relu"))),
    "tube, both layers": ("outside-theorem", given_tube(plain(train="both"))),
    "tube, bias": ("outside-theorem", given_tube(instance(0, "relu", bias="1"))),
    "tube, weight std": ("outside-theorem", given_tube(plain(weight_std="2"))),
    "tube, input scale": ("outside-theorem", given_tube(plain(input_scale="fan-in"))),
    "tube, deep": ("outside-theorem", given_tube(instance(0, "erf", (2, 3, 3, 1)))),
    "tube, smooth": ("hypothesis", given_tube(plain("erf"))),
    "tube, linear": ("hypothesis", given_tube(plain("identity"))),
    "tube, large hidden": ("no-enclosure", given_tube(huge(0))),
    "tube, large output": ("no-enclosure", given_tube(huge(1))),
    "R = 0": ("bad-argument", given_flips(radius="0")),
    "R < 0": ("bad-argument", given_flips(radius="-1")),
    "flips, random": ("outside-theorem", given_flips(problem("relu"))),
    "flips, both layers": ("outside-theorem", given_flips(plain(train="all"))),
    "flips, smooth": ("hypothesis", given_flips(plain("sin"))),
    "flips, large hidden": ("no-enclosure", given_flips(huge(0))),
    "flips, least norm": ("bad-premises", given_flips(claim=EigenvalueBound("inputs", "max", "lower", Fraction(1)))),
    "flips, other norm": ("bad-premises", given_flips(claim=EigenvalueBound("kernel", "max", "upper", Fraction(1)))),
    "flips, negative norm": ("no-enclosure", given_flips(claim=inputs_max("-1"))),
    "path, limit kernel": ("bad-premises", given_path(LIMIT)),
    "path, no matrix": ("bad-premises", given_path(Proved(START.claim))),
    "path, limit eigenvalue": ("bad-premises", given_path(START, kernel_min("1"))),
    "path, largest eigenvalue": (
        "bad-premises", given_path(START, EigenvalueBound("initial_kernel", "max", "upper", Fraction(1)))
    ),
    "path, singular": ("hypothesis", given_path(START, EigenvalueBound("initial_kernel", "min", "lower", Fraction(0)))),
    "path, long witness": ("bad-witness", given_path(entries=3)),
    "path, random": ("outside-theorem", given_path(about=problem("relu"))),
    "flow only": ("outside-theorem", tube(about=plain(step_size="0.1"))),
    "theorem, random": ("outside-theorem", tube(about=problem("relu"))),
    "theorem, smooth": ("hypothesis", tube(about=plain("erf"))),
    "σ_0 = 2ε": ("hypothesis", tube(SIGMA, PATH, TubeDeviation(Fraction(9), Fraction(1)))),
    "σ_0 < 2ε": ("hypothesis", tube(SIGMA, PATH, TubeDeviation(Fraction(9), Fraction(3)))),
    "leaves the tube": ("hypothesis", tube(SIGMA, quantity("linearised_path", "4"))),
    "λ_min = 0": ("hypothesis", tube(EigenvalueBound("initial_kernel", "min", "lower", Fraction(0)))),
    "λ_min of the limit": ("bad-premises", tube(EigenvalueBound("kernel", "min", "lower", Fraction(4)))),
    "λ_max": ("bad-premises", tube(EigenvalueBound("initial_kernel", "max", "upper", Fraction(4)))),
    "another quantity": ("bad-premises", tube(SIGMA, quantity("inverse_form", "0.04"))),
    "ball for tube": ("bad-premises", tube(SIGMA, PATH, LocalDeviation(*[Fraction(1)] * 3, "no", Fraction(1)))),
    "not of the inputs": ("bad-premises", tube(SIGMA, PATH, TUBE, SIGMA)),
}  # fmt: skip


@engines
@pytest.mark.parametrize(("code", "case"), BAD.values(), ids=BAD)
def test_bad_steps_are_refused(engine: str, code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case, engine=engine) == code


# Searches -------------------------------------------------------------------------------------------------------


def pushed(net: Net, sample: int, length: float) -> Any:
    """Return θ at a distance at most ``length`` where as many neurons as can be have crossed at a sample."""
    w = net.start.reshape(-1, net.x.shape[1])
    row = net.x[sample]
    gaps = w @ row / np.linalg.norm(row)
    order = np.argsort(abs(gaps))
    reached = order[np.sqrt(np.cumsum((abs(gaps[order]) * 1.000001) ** 2)) <= length]
    turned = w.copy()
    turned[reached] -= 1.000001 * gaps[reached, None] * row / np.linalg.norm(row)
    return turned.ravel()


def flip_ratio(seed: int, activation: str, width: int, mirrored: bool) -> float:
    rng, worst = np.random.default_rng(seed), 0.0
    about = random_net(3 * seed + 1, activation, width, mirrored)
    if seed % 2:  # output weights of one size and parallel samples: nothing is lost but by the sums
        x = np.outer(rng.uniform(0.5, 2, 3), rng.standard_normal(2))
        weights = Weights((about.weights.layers[0], np.ones((1, width))), (), mirrored)  # type: ignore[union-attr]
        about = Problem(Dataset(x, np.ones(3)), about.network, "ntk", weights=weights)
    net, square = Net(about), inputs_norm(about)
    j_0 = net.jacobian(net.start)
    for radius in 10 ** rng.uniform(-2, 1, 5):
        claim = derive(about, "given_flips", (square,), {"radius": f"{radius:.6f}"}).claim
        assert isinstance(claim, LocalDeviation)
        for sample in range(3):
            theta = pushed(net, sample, float(claim.radius) * (1 - 1e-9))
            assert np.linalg.norm(theta - net.start) <= float(claim.radius)
            moved = norm(net.jacobian(theta) - j_0)
            assert moved <= float(claim.offset) * (1 + 1e-9)
            assert norm(net.jacobian(theta)) <= float(claim.norm) * (1 + 1e-9)
            worst = max(worst, moved / float(claim.offset) if claim.offset else 0)
    return worst


@pytest.mark.parametrize("activation", KINKED)
@pytest.mark.parametrize("mirrored", [False, True])
def test_pushing_the_nearest_neurons_across_stays_within(activation: str, mirrored: bool) -> None:
    ratios = [flip_ratio(seed, activation, 30, mirrored) for seed in range(6)]
    assert max(ratios) > 0.9  # the count is attained, if samples are parallel


@pytest.mark.slow
@pytest.mark.parametrize("activation", KINKED)
def test_many_pushes_stay_within(activation: str) -> None:
    ratios = [flip_ratio(seed, activation, width, bool(seed % 4 == 3)) for seed in range(100) for width in (1, 7, 200)]
    print(activation, max(ratios))


def worst_change(about: Problem, tau: float, jump: float, rng: np.random.Generator) -> float:
    """Climb to a large ``‖D‖``, D of the kind of the page: best signs for a vector, best vector for the signs."""
    exact = Exact(about)
    x, z = about.dataset.inputs, np.array(exact.z, float)
    a = np.array(exact.a, float) / exact.m**0.5
    inside = abs(z) <= tau * np.linalg.norm(x, axis=1)[:, None]
    choices = np.array(np.meshgrid(*[[-1, 0, 1]] * len(x))).reshape(len(x), -1).T
    best, v = 0.0, rng.standard_normal(len(x))
    for _ in range(15):
        sums = np.linalg.norm((choices[:, None] * inside.T * v) @ x, axis=2)  # choice by neuron
        c = jump * choices[sums.argmax(0)] * inside.T  # neuron by sample
        d = (a[:, None, None] * c[..., None] * x).transpose(1, 0, 2).reshape(len(x), -1)
        u, s, _ = np.linalg.svd(d, full_matrices=False)
        best, v = max(best, float(s[0])), u[:, 0]
    return best


@pytest.mark.parametrize("activation", KINKED)
def test_no_change_in_the_tube_is_larger(activation: str) -> None:
    rng, worst = np.random.default_rng(7), 0.0
    for seed in range(8):
        about = random_net(seed, activation, mirrored=bool(seed % 2))
        for tau in ("0.01", "0.2", "2"):
            claim = derive(about, "given_tube", (), {"tau": tau}).claim
            assert isinstance(claim, TubeDeviation)
            found = worst_change(about, float(tau), float(JUMP[activation]), rng)
            assert found <= float(claim.deviation) * (1 + 1e-9)
            worst = max(worst, found / float(claim.deviation) if claim.deviation else 0)
    assert worst > 0.9


def test_the_flow_stays_in_its_tube() -> None:
    held = 0
    for seed in range(40):
        activation = KINKED[seed % 3]
        about = instance(
            seed, activation, (2, 1000, 1), noise=10 ** (-3.6 - seed % 2 / 2), mirrored=bool(seed % 5 == 4)
        )
        try:
            found = certified(about, "tube")
        except InputError:
            continue
        held += 1
        claim, net = found.conclusion, Net(about)
        tau = float(Fraction(next(s.args["tau"] for s in found.steps if s.rule == "given_tube")))
        j = net.jacobian(net.start)
        step, lengths = 0.05 / norm(j) ** 2, np.linalg.norm(net.x, axis=1)
        for t, theta in train(net.residual, net.jacobian, net.start, step, None, 150):
            moved = abs((theta - net.start).reshape(-1, 2) @ net.x.T) / lengths
            assert moved.max() <= tau
            loss = np.sum(net.residual(theta) ** 2) / np.sum(net.residual(net.start) ** 2)
            assert loss <= np.exp(-float(claim["rate"]) * t) * (1 + 1e-6)
            assert np.linalg.norm(theta - net.start) <= float(claim["radius"])
        if held == 8:
            break
    assert held >= 5
    assert check(found, engine="reference").verdict == "valid"


def test_slopes_of_the_table() -> None:
    for name in KINKED:
        assert JUMP[name] == abs(1 - slope_below(name))
        assert SLOPE[name] == max(1, abs(slope_below(name)))

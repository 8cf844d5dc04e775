"""The theorem bowman2023 on real data, and its rules: refusals, trajectories, searches for violations."""

from __future__ import annotations

from fractions import Fraction
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from altered import DATA, ENGINES, about, alter, certificate, data, number, refusal, scale
from ascent import ascend
from scipy.integrate import solve_ivp
from two_layer import derive, deviation, jacobian, norm, outputs, problem, quantity, rejection, start

from ntkproof import InputError, Network, check
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.convergence.induction import KernelStability, Trajectory
from ntkproof.checker.logic.rule import Proved
from ntkproof.theorems.certify import certify_convergence

engines = pytest.mark.parametrize("engine", ENGINES)


@engines
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("theorem", ["bowman2023", "bowman2023-path"])
@pytest.mark.parametrize("init", ["antisymmetric", "signs", "balanced"])
def test_it_holds_on_real_data(engine: str, name: str, theorem: str, init: str) -> None:
    found = certificate(name, theorem, init=init)
    verdict = check(found, engine=engine)
    assert verdict.verdict == "valid", verdict
    lambda_0 = number(found, "lower", "value")
    assert Fraction(found.conclusion["rate"]) > lambda_0
    assert Fraction(found.conclusion["failure"]) <= Fraction("0.05")
    assert number(found, "distance", "value") <= lambda_0 / 4
    assert number(found, "stability", "deviation") <= lambda_0 / 8


@pytest.mark.parametrize("name", DATA)
def test_the_widths_are_those_of_the_page(name: str) -> None:
    found, path = certificate(name, "bowman2023"), certificate(name, "bowman2023-path")
    lambda_0, norm_squared = (float(number(found, step, "value")) for step in ("lower", "norm"))
    hadamard, rho = (float(number(found, step, "value")) for step in ("hadamard", "residual"))
    k2, curvature = 4 / np.pi * norm_squared, 8 / (np.pi * np.e) * hadamard
    for certified, width in (
        (found, (32 * k2 * rho / lambda_0**2) ** 2 * curvature),
        (path, 512 * k2 * curvature * rho**2 / lambda_0**3),
    ):
        assert width <= int(certified.conclusion["width"]) <= width * (1 + 1e-5) + 2
    gram = data(name).inputs @ data(name).inputs.T
    spectrum = 8 * (4 / np.pi * np.linalg.norm(gram) / lambda_0) ** 2 * log(110 / 5e-5)
    assert 2 * spectrum < int(path.conclusion["width"])


@pytest.mark.parametrize("theorem", ["bowman2023", "bowman2023-path"])
def test_a_smaller_width_is_refused(theorem: str) -> None:
    least = int(certificate("wine", theorem).conclusion["width"])
    args: dict[str, Any] = {"theorem": theorem, "width": least - 2}
    with pytest.raises(InputError, match=f"λ_0/8 > .* width {least} would do"):
        certify_convergence(data("wine"), Network("erf", train="hidden"), **args)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "relu"}, "needs an activation in C²"),
        ({"step_size": "0.1"}, "about gradient flow"),
        ({"init": "gaussian"}, "are ±1"),
    ],
)
def test_other_settings_are_refused(change: dict[str, str], message: str) -> None:
    network = Network(change.pop("activation", "erf"), train="hidden")
    with pytest.raises(InputError, match=message):
        certify_convergence(data("wine"), network, theorem="bowman2023", **change)


def shrink(found: Any) -> Any:
    return scale(scale(found, "stability", "args", "radius", "0.5"), "stability", "claim", "radius", "0.5")


BAD: dict[str, tuple[Any, tuple[str, str]]] = {
    "width": (lambda c: about(c, width=int(c.conclusion["width"]) - 2), ("deviation", "claim-not-derived")),
    "rate": (lambda c: scale(c, "convergence", "claim", "rate", "1.000001"), ("convergence", "claim-not-derived")),
    "failure": (lambda c: scale(c, "convergence", "claim", "failure", "0.999"), ("convergence", "claim-not-derived")),
    "radius": (lambda c: scale(c, "convergence", "claim", "radius", "0.999"), ("convergence", "claim-not-derived")),
    "movement": (lambda c: alter(c, "trajectory", args={"movement": "speed"}), ("trajectory", "hypothesis")),
    "ball": (lambda c: scale(c, "stability", "args", "radius", "0.5"), ("stability", "claim-not-derived")),
    "ball, claimed": (shrink, ("trajectory", "hypothesis")),
    "premise": (lambda c: alter(c, "trajectory", uses=("sigma", "stability")), ("trajectory", "bad-premises")),
    "start": (lambda c: about(c, init="signs"), ("residual", "bad-argument")),
    "descent": (lambda c: about(c, step_size="0.1"), ("trajectory", "outside-theorem")),
    "rule": (lambda c: alter(c, "convergence", rule="weyl"), ("convergence", "bad-premises")),
}


@engines
@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_altered_certificates_are_rejected(engine: str, change: Any, expected: tuple[str, str]) -> None:
    assert refusal(change(certificate("wine", "bowman2023-path")), engine) == expected


# The rules ------------------------------------------------------------------------------------------------------


def stability(ball: str = "parameters", radius: str = "2", drift: str = "0.5") -> KernelStability:
    return KernelStability(ball, Fraction(radius), Fraction(drift))


SIGMA, NORM, RHO = quantity("initial_lambda_min", "1.5"), quantity("jacobian_norm", "2"), quantity("residual", "1")
PATH = Trajectory(Fraction(1), Fraction(1))


def induction(*claims: Any, movement: str = "speed", **network: Any) -> Any:
    """A step that is right (the first claims may be replaced)."""
    premises = claims + (SIGMA, stability(), NORM, RHO)[len(claims) :]
    return problem(**network), "continuous_induction", premises, {"movement": movement}


def drift(norm: Any = NORM, radius: str = "1") -> Any:
    return problem(), "kernel_stability", (deviation("0", "1"), norm), {"radius": radius}


@engines
def test_the_rules_compute_what_the_page_says(engine: str) -> None:
    premises = (deviation("0.25", "0.5"), quantity("jacobian_norm", "3"))
    claim = derive(problem(), "kernel_stability", premises, {"radius": "0.5"}, engine=engine).claim
    assert claim == stability("parameters", "0.5", "3")
    assert derive(*induction(), engine=engine).claim == Trajectory(Fraction(1), Fraction(1, 2))
    trajectory = Proved(Trajectory(Fraction(4), Fraction(1, 2)), events={"a": Fraction(1, 8), "b": Fraction(1, 4)})
    claim = derive(problem(width=12), "groenwall", (trajectory, quantity("residual", "3")), engine=engine).claim
    assert claim == Convergence("flow", Fraction(12), Fraction(8), Fraction(3, 8), Fraction(3, 2), Fraction(1, 2))


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("hypothesis", induction(quantity("initial_lambda_min", "0.5"))),
        ("hypothesis", induction(quantity("initial_lambda_min", "-3"))),
        ("hypothesis", induction(SIGMA, stability(radius="1.999"))),
        ("hypothesis", induction(SIGMA, stability(radius="0.999"), movement="length")),
        ("bad-premises", induction(RHO)),
        ("bad-premises", induction(SIGMA, stability("neurons"))),
        ("bad-premises", induction(SIGMA, stability(), quantity("initial_jacobian_norm", "2"))),
        ("bad-premises", induction(SIGMA, PATH)),
        ("bad-argument", induction(movement="leap")),
        ("outside-theorem", induction(step_size="0.1")),
        ("outside-theorem", induction(train="both")),
        ("outside-theorem", induction(train="output")),
        ("outside-theorem", induction(bias="1")),
        ("bad-argument", drift(radius="0")),
        ("bad-argument", drift(radius="-1")),
        ("bad-premises", drift(RHO)),
        ("bad-premises", drift(quantity("initial_jacobian_norm", "1"))),
        ("bad-premises", (problem(), "groenwall", (Trajectory(Fraction(0), Fraction(1)), RHO))),
        ("bad-premises", (problem(), "groenwall", (PATH, NORM))),
        ("failure-probability", (problem(), "groenwall", (Proved(PATH, events={"a": Fraction(1)}), RHO))),
    ],
)
def test_bad_premises_are_refused(code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case) == code


@pytest.mark.parametrize("movement", ["speed", "length"])
def test_real_trajectories_obey_the_induction(movement: str) -> None:
    """Networks in floats whose ``λ_min(H_0)`` is known: the flow does what the rules say."""
    rng, held, tightest = np.random.default_rng(5), 0, 0.0
    for _ in range(40):
        inputs = rng.standard_normal((2, 3))
        weights, a = (x[0] for x in start("signs", 40, 3, rng))
        targets = outputs("erf", inputs, weights, a) + rng.standard_normal(2) * 10 ** rng.uniform(-2.5, -0.5)
        j = jacobian("erf", inputs, weights, a)
        lambda_0, rho = np.linalg.eigvalsh(j @ j.T)[0], np.linalg.norm(outputs("erf", inputs, weights, a) - targets)
        k, gram = 2 / sqrt(np.pi) * np.linalg.norm(inputs, 2), (inputs @ inputs.T) ** 2
        slope = sqrt(8 / (np.pi * np.e) * np.linalg.norm(gram, 2) / 40)
        radius = 2 * k * rho / lambda_0 if movement == "speed" else 2 * rho / sqrt(lambda_0)
        drift = 2 * k * slope * radius
        if not drift < lambda_0 / 2:
            continue
        held += 1
        premises = (quantity("initial_lambda_min", str(lambda_0)), stability("parameters", str(radius), str(drift)))
        claim = derive(
            *induction(*premises, quantity("jacobian_norm", str(k)), quantity("residual", str(rho)), movement=movement)
        ).claim

        def flow(t: float, w: Any, inputs: Any = inputs, a: Any = a, targets: Any = targets) -> Any:
            w = w.reshape(40, 3)
            return -jacobian("erf", inputs, w, a).T @ (outputs("erf", inputs, w, a) - targets)

        path = solve_ivp(flow, (0, 3 / lambda_0), weights.ravel(), rtol=1e-8, atol=1e-10).y.T.reshape(-1, 40, 3)
        moved = jacobian("erf", inputs, path, a)
        kernels = moved @ np.swapaxes(moved, -1, -2)
        assert np.linalg.eigvalsh(kernels)[:, 0].min() >= float(claim.lambda_min)
        assert norm(kernels - kernels[0]).max() <= float(claim.deviation)
        distance = np.linalg.norm((path - path[0]).reshape(len(path), -1), axis=1).max()
        tightest = max(tightest, distance / radius)
        assert distance <= radius
    assert held >= 10
    assert tightest > 0.05


def test_no_kernel_moves_further() -> None:
    """Ascent by finite differences on ‖H − H_0‖ / 2KΛR, over data, weights and movement of 1000 networks."""
    rng = np.random.default_rng(7)
    shapes = {"inputs": (2, 2), "weights": (2, 2), "move": (2, 2)}
    sizes = [int(np.prod(s)) for s in shapes.values()]

    def ratio(z: Any) -> Any:
        inputs, weights, move = (
            part.reshape(-1, *shape)
            for part, shape in zip(np.split(z, np.cumsum(sizes)[:-1], -1), shapes.values(), strict=True)
        )
        a = np.ones((len(z), 2))
        first, last = (jacobian("erf", inputs, w, a) for w in (weights, weights + move))
        drift = norm(last @ np.swapaxes(last, 1, 2) - first @ np.swapaxes(first, 1, 2))
        slope = np.sqrt(8 / (np.pi * np.e) / 2 * norm((inputs @ np.swapaxes(inputs, 1, 2)) ** 2))
        distance = np.linalg.norm(move.reshape(len(z), -1), axis=1)
        return drift / (4 / np.sqrt(np.pi) * norm(inputs) * slope * distance)

    best = ascend(ratio, rng.standard_normal((1000, sum(sizes))) * rng.choice([0.1, 0.5, 1], (1000, 1)))
    assert 0.3 < best <= 1 + 1e-9, best

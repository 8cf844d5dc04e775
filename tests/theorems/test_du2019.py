"""The theorem du2019 on real data, and its rules: values, refusals, frequencies of failure."""

from __future__ import annotations

from fractions import Fraction
from math import log, pi, sqrt
from typing import Any

import numpy as np
import pytest
from altered import DATA, ENGINES, about, alter, certificate, data, number, refusal, scale
from two_layer import (
    MP,
    derive,
    is_upper,
    jacobian,
    mp,
    norm,
    outputs,
    problem,
    quantity,
    refutes,
    rejection,
    start,
)

from ntkproof import InputError, Network, check
from ntkproof.checker.convergence.induction import KernelStability, Trajectory
from ntkproof.theorems.certify import certify_convergence

engines = pytest.mark.parametrize("engine", ENGINES)
UNIT = [[0.0, 1.0], [1.0, 0.0], [-0.6, 0.8]]
LONGEST = max(sum(Fraction(x) ** 2 for x in row) for row in UNIT)


@engines
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("init", ["antisymmetric", "signs", "balanced"])
def test_it_holds_on_real_data(engine: str, name: str, init: str) -> None:
    found = certificate(name, "du2019", "relu", init)
    verdict = check(found, engine=engine)
    assert verdict.verdict == "valid", verdict
    assert any("differential inclusion" in text for text in verdict.assumptions)
    lambda_0 = number(found, "lower", "value")
    assert number(found, "distance", "value") <= lambda_0 / 4
    assert abs(Fraction(found.conclusion["rate"]) / lambda_0 - 1) < Fraction(1, 10**5)
    assert Fraction(found.conclusion["failure"]) <= Fraction("0.05")


@pytest.mark.parametrize("name", DATA)
def test_the_width_is_that_of_the_page(name: str) -> None:
    found = certificate(name, "du2019", "relu", "signs")
    targets, lambda_0 = data(name).targets, float(number(found, "lower", "value"))
    assert targets is not None
    left = 0.05 * 0.999
    energy = targets @ targets + 5
    width = 512 / pi * 10**5 * energy / (left / 3) / lambda_0**4 / (2 * left / 3) ** 2
    assert width <= int(found.conclusion["width"]) <= width * (1 + 1e-4)
    gram = data(name).inputs @ data(name).inputs.T
    assert 8 * (np.linalg.norm(gram) / lambda_0) ** 2 * log(110 / 5e-5) < width


def test_a_smaller_width_is_refused() -> None:
    least = int(certificate("wine", "du2019", "relu").conclusion["width"])
    args: dict[str, Any] = {"theorem": "du2019", "width": least - 2}
    with pytest.raises(InputError, match=f"R > R'.* width {least} would do"):
        certify_convergence(data("wine"), Network("relu", train="hidden"), **args)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "erf"}, "is about ReLU"),
        ({"activation": "abs"}, "is about ReLU"),
        ({"activation": "leaky_relu(0.5)"}, "is about ReLU"),
        ({"activation": "leaky_relu(2)"}, "is about ReLU"),
        ({"step_size": "0.1"}, "gradient flow"),
        ({"normalize": False}, "normalise them"),
    ],
)
def test_other_settings_are_refused(change: dict[str, Any], message: str) -> None:
    change = dict(change)
    network = Network(change.pop("activation", "relu"), train="hidden")
    dataset = data("digits", normalize=change.pop("normalize", True))
    with pytest.raises(InputError, match=message):
        certify_convergence(dataset, network, theorem="du2019", **change)


def shrink(found: Any) -> Any:
    return scale(scale(found, "stability", "args", "radius", "0.999"), "stability", "claim", "radius", "0.999")


BAD: dict[str, tuple[Any, tuple[str, str]]] = {
    "width": (lambda c: about(c, width=int(c.conclusion["width"]) // 2), ("neuron_norm", "claim-not-derived")),
    "rate": (lambda c: scale(c, "convergence", "claim", "rate", "1.001"), ("convergence", "claim-not-derived")),
    "failure": (lambda c: scale(c, "convergence", "claim", "failure", "0.999"), ("convergence", "claim-not-derived")),
    "kernel": (
        lambda c: scale(c, "convergence", "claim", "kernel_deviation", "0.999"),
        ("convergence", "claim-not-derived"),
    ),
    "flips surer": (lambda c: scale(c, "stability", "args", "failure", "0.999"), ("stability", "claim-not-derived")),
    "start surer": (lambda c: scale(c, "residual", "args", "failure", "0.999"), ("residual", "claim-not-derived")),
    "p = 1": (lambda c: alter(c, "stability", args={"failure": "1"}), ("stability", "bad-argument")),
    "ball": (shrink, ("trajectory", "hypothesis")),
    "premise": (lambda c: alter(c, "trajectory", uses=("sigma", "stability")), ("trajectory", "bad-premises")),
    "norm": (
        lambda c: alter(c, "trajectory", uses=("sigma", "stability", "jacobian_norm", "residual")),
        ("trajectory", "bad-premises"),
    ),
    "start": (lambda c: about(c, init="antisymmetric"), ("residual", "outside-theorem")),
    "descent": (lambda c: about(c, step_size="0.1"), ("trajectory", "outside-theorem")),
}


@engines
@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_altered_certificates_are_rejected(engine: str, change: Any, expected: tuple[str, str]) -> None:
    assert refusal(change(certificate("wine", "du2019", "relu", "signs")), engine) == expected


# The rules ------------------------------------------------------------------------------------------------------


def relu(init: str = "signs", rows: Any = UNIT, activation: str = "relu", **network: Any) -> Any:
    return problem(activation, 100, init, rows=rows, **network)


FLIPS = {"radius": "0.01", "failure": "0.1"}


@engines
def test_the_rules_compute_what_the_page_says(engine: str) -> None:
    flips = derive(relu(), "markov_flips", (), FLIPS, engine=engine)
    assert isinstance(flips.claim, KernelStability)
    assert (flips.claim.ball, flips.claim.radius, flips.failure) == ("neurons", Fraction(1, 100), Fraction(1, 10))
    assert is_upper(flips.claim.deviation, 2 * MP.sqrt(2 / MP.pi) * 9 * mp(LONGEST) / 100 * 10)
    bound = derive(relu(), "neuron_jacobian_norm", (), engine=engine).claim
    assert bound.quantity == "neuron_jacobian_norm"
    assert is_upper(bound.value, MP.sqrt(3 * mp(LONGEST) / 100))
    squares = sum((sum(mp(x) ** 2 for x in row) for row in UNIT), MP.mpf(0))
    for init, second in (("signs", squares / 2), ("balanced", squares / 2 * (1 - 1 / MP.pi))):
        residual = derive(relu(init), "markov_residual", (), {"failure": "0.2"}, engine=engine)
        assert residual.failure == Fraction(1, 5)
        assert is_upper(residual.claim.value, MP.sqrt((mp("1.3125") + second) * 5))
    neurons = KernelStability("neurons", Fraction(2), Fraction(1, 2))
    uses = (
        quantity("initial_lambda_min", "1.5"),
        neurons,
        quantity("neuron_jacobian_norm", "2"),
        quantity("residual", "1"),
    )
    claim = derive(relu(), "continuous_induction", uses, {"movement": "speed"}, engine=engine).claim
    assert claim == Trajectory(Fraction(1), Fraction(1, 2))


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("hypothesis", (relu(activation="erf"), "markov_flips", (), FLIPS)),
        ("hypothesis", (relu(activation="leaky_relu(0.1)"), "markov_flips", (), FLIPS)),
        ("hypothesis", (relu(rows=[[0.0, 1.001], [1.0, 0.0], [0.6, 0.8]]), "markov_flips", (), FLIPS)),
        ("hypothesis", (relu(rows=[[0.0, 1 + 1e-9], [1.0, 0.0], [0.6, 0.8]]), "markov_flips", (), FLIPS)),
        ("hypothesis", (relu(rows=[[0.0, 0.5], [1.0, 0.0], [0.6, 0.8]]), "neuron_jacobian_norm", ())),
        ("hypothesis", (relu(activation="abs"), "neuron_jacobian_norm", ())),
        ("bad-argument", (relu(), "markov_flips", (), FLIPS | {"failure": "1"})),
        ("bad-argument", (relu(), "markov_flips", (), FLIPS | {"failure": "1.5"})),
        ("bad-argument", (relu(), "markov_flips", (), FLIPS | {"failure": "0"})),
        ("bad-argument", (relu(), "markov_flips", (), FLIPS | {"radius": "0"})),
        ("bad-argument", (relu(), "markov_flips", (), FLIPS | {"radius": "-0.1"})),
        ("bad-argument", (relu(), "markov_residual", (), {"failure": "1"})),
        ("outside-theorem", (relu("antisymmetric"), "markov_residual", (), {"failure": "0.1"})),
        ("outside-theorem", (relu("gaussian"), "markov_residual", (), {"failure": "0.1"})),
        ("outside-theorem", (relu("gaussian", train="both"), "markov_flips", (), FLIPS)),
        ("outside-theorem", (relu(bias="1"), "markov_flips", (), FLIPS)),
    ],
)
def test_bad_steps_are_refused(code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case) == code


def test_norms_of_one_up_to_rounding_are_accepted() -> None:
    derive(relu(rows=[[0.0, 1 + 4e-10], [1.0, 0.0], [0.6, 0.8]]), "markov_flips", (), FLIPS)


TRIALS = 4000


@pytest.mark.parametrize("init", ["signs", "antisymmetric"])
@pytest.mark.parametrize("radius", ["0.02", "0.1"])
def test_adversarial_weights_in_the_ball_rarely_move_the_kernel_far(init: str, radius: str) -> None:
    rng, inputs = np.random.default_rng(3), np.array(UNIT)
    weights, a = start(init, 20, 2, rng, TRIALS)
    first = jacobian("relu", inputs, weights, a)
    kernel = first @ np.swapaxes(first, 1, 2)
    drift = np.zeros(TRIALS)
    for row in inputs:  # push every neuron across the hyperplane of this row, if the ball reaches it
        moved = weights - float(radius) * np.sign(weights @ row)[..., None] * row
        j = jacobian("relu", inputs, moved, a)
        drift = np.maximum(drift, norm(j @ np.swapaxes(j, 1, 2) - kernel))
    for failure in ("0.05", "0.3", "0.9"):
        claim = derive(relu(init), "markov_flips", (), {"radius": radius, "failure": failure}).claim
        assert not refutes(int((drift > float(claim.deviation)).sum()), TRIALS, float(failure))
    assert drift.max() > 0


@pytest.mark.parametrize("init", ["signs", "balanced"])
@pytest.mark.parametrize("activation", ["relu", "erf", "cos"])
@pytest.mark.parametrize("failure", ["0.02", "0.2", "0.9"])
def test_starts_are_rarely_worse(init: str, activation: str, failure: str) -> None:
    rng, about_it = np.random.default_rng(11), problem(activation, 6, init)
    weights, a = start(init, 6, 2, rng, TRIALS)
    assert about_it.dataset.targets is not None
    residuals = np.linalg.norm(
        outputs(activation, about_it.dataset.inputs, weights, a) - about_it.dataset.targets, axis=-1
    )
    bound = float(derive(about_it, "markov_residual", (), {"failure": failure}).claim.value)
    assert not refutes(int((residuals > bound).sum()), TRIALS, float(failure))
    mean = bound * sqrt(float(failure))
    assert abs(float(np.sqrt((residuals**2).mean())) / mean - 1) < 0.05  # the second moment itself is right


def test_no_neuron_has_a_larger_jacobian() -> None:
    rng = np.random.default_rng(2)
    bound = float(derive(relu(), "neuron_jacobian_norm", ()).claim.value)
    j = jacobian("relu", np.array(UNIT), rng.standard_normal((1000, 100, 2)), np.ones((1000, 100)))
    sizes = norm(np.moveaxis(j.reshape(1000, 3, 100, 2), 2, 1))
    assert 0.5 * bound < sizes.max() <= bound

"""The theorems both and lecture on real data, and their rules: values, refusals, frequencies, searches."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest
from altered import DATA, ENGINES, about, alter, certificate, data, number, refusal, scale
from ascent import ascend
from two_layer import (
    CURVATURE_SQUARED,
    MP,
    SLOPE_SQUARED,
    derive,
    hadamard_max,
    inputs_max,
    is_upper,
    jacobian,
    kernel_min,
    mp,
    norm,
    outputs,
    problem,
    quantity,
    refutes,
    rejection,
    sigma,
)

from ntkproof import InputError, Network, check
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.random_start.claims import Bound
from ntkproof.theorems.certify import certify_convergence

engines = pytest.mark.parametrize("engine", ENGINES)
ACTIVATIONS = ("erf", "sin", "cos")


@engines
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("theorem", ["both", "lecture"])
def test_it_holds_on_real_data(engine: str, name: str, theorem: str) -> None:
    found = certificate(name, theorem, init="gaussian")
    verdict = check(found, engine=engine)
    assert verdict.verdict == "valid", verdict
    assert Fraction(found.conclusion["failure"]) <= Fraction("0.05")
    if theorem == "lecture":
        assert found.conclusion["dynamics"] == "mean_flow"
        assert Fraction(found.conclusion["rate"]) >= number(found, "lower", "value") / 20


@pytest.mark.parametrize("activation", ["sin", "cos", pytest.param("tanh", marks=pytest.mark.slow)])
def test_other_bounded_activations(activation: str) -> None:
    found = certificate("wine", "both", activation, "gaussian")
    assert check(found).valid


@pytest.mark.parametrize("theorem", ["both", "lecture"])
def test_a_smaller_width_is_refused(theorem: str) -> None:
    least = int(certificate("wine", theorem, init="gaussian").conclusion["width"])
    args: dict[str, Any] = {"theorem": theorem, "width": least - 2, "init": "gaussian"}
    with pytest.raises(InputError, match=f"width {least} would do"):
        certify_convergence(data("wine"), Network("erf", train="both"), **args)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "relu"}, "bounded activation in C²"),
        ({"activation": "identity"}, "bounded activation in C²"),
        ({"step_size": "0.1"}, "gradient flow"),
        ({"init": "signs"}, "gaussian|normal"),
    ],
)
def test_other_settings_are_refused(change: dict[str, str], message: str) -> None:
    change = {"init": "gaussian", **change}
    network = Network(change.pop("activation", "erf"), train="both")
    with pytest.raises(InputError, match=message):
        certify_convergence(data("wine"), network, theorem="both", **change)


BAD: dict[str, tuple[Any, tuple[str, str]]] = {
    "width": (lambda c: about(c, width=int(c.conclusion["width"]) - 1), ("loewner", "failure-probability")),
    "rate": (lambda c: scale(c, "mean_loss", "claim", "rate", "1.000001"), ("mean_loss", "claim-not-derived")),
    "rate of the sum": (
        lambda c: scale(c, "convergence", "claim", "rate", "1.01"),
        ("convergence", "claim-not-derived"),
    ),
    "not divided": (lambda c: scale(c, "mean_loss", "claim", "rate", "10"), ("mean_loss", "claim-not-derived")),
    "failure": (lambda c: scale(c, "mean_loss", "claim", "failure", "0.999"), ("mean_loss", "claim-not-derived")),
    "cut": (lambda c: scale(c, "loewner", "args", "cut", "0.9"), ("loewner", "claim-not-derived")),
    "wide cut": (lambda c: scale(c, "loewner", "args", "cut", "1.5"), ("loewner", "failure-probability")),
    "delta": (lambda c: scale(c, "loewner", "args", "delta", "0.9"), ("loewner", "failure-probability")),
    "surer": (lambda c: scale(c, "loewner", "args", "failure", "0.99"), ("loewner", "failure-probability")),
    "p = 1": (lambda c: alter(c, "weights", args={"failure": "1"}), ("weights", "bad-argument")),
    "ball": (lambda c: scale(c, "convergence", "args", "radius", "0.9"), ("convergence", "hypothesis")),
    "premise": (lambda c: alter(c, "convergence", uses=("sigma", "residual")), ("convergence", "bad-premises")),
    "hidden rule": (
        lambda c: alter(c, "jacobian_norm", rule="jacobian_norm", uses=("norm",)),
        ("jacobian_norm", "outside-theorem"),
    ),
    "hidden residual": (
        lambda c: drop(alter(c, "residual", rule="initial_residual", uses=("norm",), args={"signs_failure": "0"})),
        ("residual", "outside-theorem"),
    ),
    "hidden spectrum": (
        lambda c: drop(alter(c, "loewner", rule="matrix_chernoff"), "loewner", "cut"),
        ("loewner", "outside-theorem"),
    ),
    "start": (lambda c: about(c, init="signs"), ("loewner", "outside-theorem")),
    "descent": (lambda c: about(c, step_size="0.1"), ("convergence", "outside-theorem")),
}


def drop(found: Any, step: str = "residual", name: str = "energy_failure") -> Any:
    """Remove an argument of a step."""
    steps = tuple(
        replace(s, args={k: v for k, v in s.args.items() if k != name}) if s.id == step else s for s in found.steps
    )
    return replace(found, steps=steps)


@engines
@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_altered_certificates_are_rejected(engine: str, change: Any, expected: tuple[str, str]) -> None:
    assert refusal(change(certificate("wine", "lecture", init="gaussian")), engine) == expected


# The rules ------------------------------------------------------------------------------------------------------


def both(activation: str = "erf", width: int = 1000, init: str = "gaussian", **network: Any) -> Any:
    return problem(activation, width, init, **{"train": "both", **network})


CHERNOFF = {"delta": "0.5", "cut": "2", "failure": "0.9"}
START = {"energy_failure": "0.1", "failure": "0.2"}
A = quantity("output_weights", "3")


def tail(c: Any) -> Any:
    """``E a² 1{|a| > c}`` exactly."""
    c = mp(c)
    return MP.sqrt(2 / MP.pi) * c * MP.exp(-c * c / 2) + MP.erfc(c / MP.sqrt(2))


@engines
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("cut", ["1.4", "2", "5"])
def test_chernoff_spends_what_the_page_says(engine: str, activation: str, cut: str) -> None:
    args = {"delta": "0.5", "cut": cut, "failure": "0.9"}
    uses = (kernel_min("0.5"), inputs_max("4"))
    bound = MP.sqrt(2 / MP.pi) * MP.exp(-(mp(cut) ** 2) / 2) * (mp(cut) + 1 / mp(cut))
    assert tail(cut) < bound
    summand = 3 + mp(cut) ** 2 * SLOPE_SQUARED[activation] * 4
    width = int(MP.ceil(MP.log(3 / mp("0.9")) * summand / ((1 - bound) * mp("0.5") * (mp("0.5") - MP.log(2) / 2))))
    derived = derive(both(activation, width), "truncated_chernoff", uses, args, engine=engine)
    assert derived.failure == Fraction("0.9")
    assert derived.claim.quantity == "loewner"
    value = mp(derived.claim.value)
    assert (1 - bound) / 2 * (1 - MP.mpf(10) ** -30) < value <= (1 - bound) / 2
    assert rejection(both(activation, width - 1), "truncated_chernoff", uses, args) == "failure-probability"


@engines
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_rules_compute_what_the_page_says(engine: str, activation: str) -> None:
    weights = derive(both(), "output_weights", (), {"failure": "0.1"}, engine=engine)
    assert weights.failure == Fraction("0.1")
    assert is_upper(weights.claim.value, MP.sqrt(2 * MP.log(10000)))
    p, q = 2 * MP.sqrt(SLOPE_SQUARED[activation]), 3 * MP.sqrt(CURVATURE_SQUARED[activation] * 5)
    claim = derive(both(activation), "both_deviation", (inputs_max("4"), hadamard_max("5"), A), engine=engine).claim
    assert (claim.offset, claim.lipschitz) == (0, "no")
    assert is_upper(claim.slope, MP.svd_r(MP.matrix([[p, 0], [q, p]]), compute_uv=False)[0] / MP.sqrt(1000))
    claim = derive(both(activation), "initial_jacobian_norm", (inputs_max("4"), A), engine=engine).claim
    assert claim.quantity == "initial_jacobian_norm"
    assert is_upper(claim.value, MP.sqrt(3 + 36 * SLOPE_SQUARED[activation]))
    start = derive(both(activation), "gaussian_residual", (), START, engine=engine)
    norms = [sum(mp(x) ** 2 for x in row) for row in both().dataset.inputs.tolist()]
    second = sum(second_moment(activation, x) for x in norms) + 3 * MP.sqrt(MP.log(10) / 2000)
    assert start.failure == Fraction("0.3")
    assert is_upper(start.claim.value, MP.sqrt(mp("1.3125") + second) + MP.sqrt(2 * second * MP.log(5)))
    few = derive(both(activation, 2), "gaussian_residual", (), START, engine=engine).claim
    assert is_upper(few.value, MP.sqrt(mp("4.3125")) + MP.sqrt(6 * MP.log(5)))
    flow = Convergence("flow", Fraction(1000), Fraction(3), Fraction("0.1"), Fraction(2), Fraction(5))
    claim = derive(both(), "mean_loss", (flow,), engine=engine).claim
    assert claim == replace(flow, dynamics="mean_flow", rate=Fraction(1))


def second_moment(activation: str, q: Any) -> Any:
    """``E σ(√q Z)²``."""
    if activation == "erf":
        return 2 / MP.pi * MP.asin(2 * q / (1 + 2 * q))
    return (1 + (1 if activation == "cos" else -1) * MP.exp(-2 * q)) / 2


FLOW = Convergence("flow", Fraction(1000), Fraction(3), Fraction("0.1"), Fraction(2), Fraction(5))
SPECTRUM = (kernel_min("0.5"), inputs_max("4"))


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("hypothesis", (both("relu"), "truncated_chernoff", SPECTRUM, CHERNOFF)),
        ("hypothesis", (both("identity"), "output_weights", (), {"failure": "0.1"})),
        ("hypothesis", (both("identity"), "gaussian_residual", (), START)),
        ("hypothesis", (both("abs"), "both_deviation", (inputs_max("4"), hadamard_max("5"), A))),
        ("hypothesis", (both(), "truncated_chernoff", (kernel_min("0"), inputs_max("4")), CHERNOFF)),
        ("hypothesis", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"cut": "0.5"})),
        ("bad-argument", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"cut": "0"})),
        ("bad-argument", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"cut": "-2"})),
        ("bad-argument", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"delta": "1"})),
        ("bad-argument", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"delta": "-0.5"})),
        ("bad-argument", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"failure": "1"})),
        ("bad-argument", (both(), "truncated_chernoff", SPECTRUM, CHERNOFF | {"failure": "1.5"})),
        ("bad-argument", (both(), "output_weights", (), {"failure": "1"})),
        ("bad-argument", (both(), "gaussian_residual", (), START | {"energy_failure": "0"})),
        ("bad-argument", (both(), "gaussian_residual", (), START | {"failure": "2"})),
        ("bad-premises", (both(), "truncated_chernoff", SPECTRUM[::-1], CHERNOFF)),
        ("bad-premises", (both(), "both_deviation", (hadamard_max("5"), inputs_max("4"), A))),
        ("bad-premises", (both(), "both_deviation", (inputs_max("4"), inputs_max("4"), A))),
        ("bad-premises", (both(), "both_deviation", (inputs_max("4"), hadamard_max("5"), quantity("residual", "3")))),
        ("bad-premises", (both(), "initial_jacobian_norm", (inputs_max("4"), quantity("residual", "3")))),
        ("bad-premises", (both(), "mean_loss", (replace(FLOW, dynamics="descent"),))),
        ("bad-premises", (both(), "mean_loss", (replace(FLOW, dynamics="mean_flow"),))),
        ("outside-theorem", (problem(), "truncated_chernoff", SPECTRUM, CHERNOFF)),
        ("outside-theorem", (both(init="signs"), "output_weights", (), {"failure": "0.1"})),
        ("outside-theorem", (both(init="balanced"), "gaussian_residual", (), START)),
        ("outside-theorem", (both(bias="1"), "gaussian_residual", (), START)),
        ("outside-theorem", (both(), "matrix_chernoff", SPECTRUM, {"delta": "0.5", "failure": "0.9"})),
        ("outside-theorem", (both(), "hoeffding", (), {"tau": "0.5", "failure": "0.9"})),
        ("outside-theorem", (both(), "smooth_deviation", (hadamard_max("5"),))),
        ("outside-theorem", (both(), "jacobian_norm", (inputs_max("4"),))),
    ],
)
def test_bad_steps_are_refused(code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case) == code


def test_a_deviation_that_is_no_lipschitz_constant_is_refused() -> None:
    claim = derive(both(), "both_deviation", (inputs_max("4"), hadamard_max("5"), A)).claim
    uses = (
        quantity("initial_lambda_min", "9"),
        quantity("linearised_path", "1e-4"),
        claim,
        quantity("jacobian_norm", "3"),
    )
    assert rejection(both(), "distance", uses, {"share": "0.5"}) == "hypothesis"


# Frequencies and searches ---------------------------------------------------------------------------------------

TRIALS = 4000


def networks(activation: str, width: int, inputs: Any, rng: Any, many: int = TRIALS) -> tuple[Any, Any, Any]:
    """Return hidden weights, output weights and ``J = [J_a, J_w]`` of many gaussian starts."""
    weights, a = rng.standard_normal((many, width, inputs.shape[1])), rng.standard_normal((many, width))
    return weights, a, full_jacobian(activation, inputs, weights, a)


def full_jacobian(activation: str, inputs: Any, weights: Any, a: Any) -> Any:
    features = np.swapaxes(sigma(activation, weights @ np.swapaxes(inputs, -1, -2)), -1, -2) / sqrt(a.shape[-1])
    return np.concatenate([features, jacobian(activation, inputs, weights, a)], -1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("delta", "cut"), [("0.9", "1.5"), ("0.7", "2"), ("0.5", "2.5")])
def test_spectra_are_rarely_lower(activation: str, delta: str, cut: str) -> None:
    """At the width where the claimed probability is 0.3; the limit kernel by averaging, to a percent."""
    rng, rows = np.random.default_rng(8), np.array([[0.6, 0.8], [1.0, -0.5]])
    many = full_jacobian(activation, rows, rng.standard_normal((200_000, 2)), np.ones(200_000))  # E a² = 1
    kernel = many @ many.T
    lambda_0, square = np.linalg.eigvalsh(kernel)[0] * 1.02, np.linalg.norm(rows, 2) ** 2
    share = 1 - sqrt(2 / np.pi) * np.exp(-(float(cut) ** 2) / 2) * (float(cut) + 1 / float(cut))
    summand = 2 + float(cut) ** 2 * float(SLOPE_SQUARED[activation]) * square
    d = float(delta)
    width = int(np.log(2 / 0.29) * summand / (share * lambda_0 * (d + (1 - d) * np.log(1 - d)))) + 1
    uses = (kernel_min(f"{lambda_0:.9f}"), inputs_max(f"{square:.9f}"))
    about_it = both(activation, width, rows=rows, targets=[0.0, 0.0])
    derived = derive(about_it, "truncated_chernoff", uses, {"delta": delta, "cut": cut, "failure": "0.3"})
    root = np.linalg.inv(np.linalg.cholesky(kernel))
    starts = networks(activation, width, rows, rng, 400)[2]
    shares = np.linalg.eigvalsh(root @ (starts @ np.swapaxes(starts, 1, 2)) @ root.T)[:, 0]
    assert not refutes(int((shares < float(derived.claim.value)).sum()), len(shares), 0.3)


@pytest.mark.parametrize("width", [1, 3, 50])
@pytest.mark.parametrize("failure", ["0.01", "0.3", "0.9"])
def test_output_weights_are_rarely_larger(width: int, failure: str) -> None:
    bound = float(derive(both(width=width), "output_weights", (), {"failure": failure}).claim.value)
    a = np.random.default_rng(4).standard_normal((20_000, width))
    assert not refutes(int((abs(a).max(1) > bound).sum()), len(a), float(failure))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", [1, 4, 60])
@pytest.mark.parametrize(("energy", "failure"), [("0.01", "0.02"), ("0.3", "0.3"), ("0.05", "0.9")])
def test_starts_are_rarely_worse(activation: str, width: int, energy: str, failure: str) -> None:
    about_it = both(activation, width)
    assert about_it.dataset.targets is not None
    weights, a, _ = networks(activation, width, about_it.dataset.inputs, np.random.default_rng(9))
    residuals = np.linalg.norm(
        outputs(activation, about_it.dataset.inputs, weights, a) - about_it.dataset.targets, axis=-1
    )
    derived = derive(about_it, "gaussian_residual", (), {"energy_failure": energy, "failure": failure})
    assert not refutes(int((residuals > float(derived.claim.value)).sum()), TRIALS, min(1.0, float(derived.failure)))


@pytest.mark.parametrize("activation", ["erf", *(pytest.param(x, marks=pytest.mark.slow) for x in ("sin", "cos"))])
def test_no_jacobian_moves_further(activation: str) -> None:
    """Ascent on ‖J − J_0‖ √m / ‖M‖s, over data, start and movement of 1000 networks; ``J_0`` itself too."""
    rng, shapes = np.random.default_rng(6), ((2, 2), (2, 2), (2,), (2, 2), (2,))
    sizes = [int(np.prod(shape)) for shape in shapes]
    b1, b2 = (float(MP.sqrt(x[activation])) for x in (SLOPE_SQUARED, CURVATURE_SQUARED))

    def parts(z: Any) -> list[Any]:
        return [x.reshape(-1, *s) for x, s in zip(np.split(z, np.cumsum(sizes)[:-1], -1), shapes, strict=True)]

    def ratio(z: Any) -> Any:
        inputs, weights, a, move, change = parts(z)
        first = full_jacobian(activation, inputs, weights, a)
        last = full_jacobian(activation, inputs, weights + move, a + change)
        p, gram = b1 * norm(inputs), (inputs @ np.swapaxes(inputs, 1, 2)) ** 2
        q = abs(a).max(1) * b2 * np.sqrt(norm(gram))
        distance = np.sqrt((move**2).sum((1, 2)) + (change**2).sum(1))
        return norm(last - first) * sqrt(2) / ((q + np.sqrt(q * q + 4 * p * p)) / 2 * distance)

    z = rng.standard_normal((1000, sum(sizes))) * rng.choice([0.1, 0.5, 1.0], (1000, 1))
    best = ascend(ratio, z, 40)
    assert 0.3 < best <= 1 + 1e-9, best
    inputs, weights, a = parts(z)[:3]
    start = np.sqrt(2 + (abs(a).max(1) * b1 * norm(inputs)) ** 2)
    assert (norm(full_jacobian(activation, inputs, weights, a)) <= start).all()


def test_a_bound_is_not_a_quantity_of_another_name() -> None:
    flow = (Bound("initial_lambda_min", Fraction(9)), quantity("residual", "0.1"))
    claim = derive(both(), "both_deviation", (inputs_max("4"), hadamard_max("5"), A)).claim
    good = (*flow, claim, quantity("initial_jacobian_norm", "5"))
    assert derive(both(), "kantorovich", good, {"radius": "0.1"}).claim.kind == "convergence"
    assert rejection(both(), "kantorovich", (*good[:3], A), {"radius": "0.1"}) == "bad-premises"

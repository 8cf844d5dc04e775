"""Convergence from given weights: proofs of every form, forged ones, and why there is none."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from altered import ENGINES, alter, refusal, scale
from given import Net, certified, instance, norm, obeys
from two_layer import CURVATURE_SQUARED

from ntkproof import InputError, check
from ntkproof.certificate import to_json
from ntkproof.checker.check import parse
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.theorems import instance_start
from ntkproof.theorems.instance import certify_instance

engines = pytest.mark.parametrize("engine", ENGINES)
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "flow": ("kantorovich", {"noise": 1e-3}),
    "descent": ("kantorovich", {"noise": 1e-3, "step_size": "0.1"}),
    "distance": ("distance", {"noise": 3e-3, "mirrored": True}),
    "distance, descent": ("distance", {"noise": 3e-3, "step_size": "0.1", "train": "both", "bias": "0.5"}),
    "deep": ("distance", {"activation": "sin", "sizes": (2, 16, 16, 1), "noise": 1e-3}),
    "deep, descent": (
        "kantorovich",
        {"activation": "sin", "sizes": (2, 16, 16, 1), "noise": 3e-4, "step_size": "0.05"},
    ),
    "tube": ("tube", {"activation": "relu", "sizes": (2, 1000, 1), "noise": 3e-4}),
    "flips": ("kantorovich", {"activation": "abs", "sizes": (2, 60, 1), "noise": 1e-4}),
    "flips, descent": ("kantorovich", {"activation": "abs", "sizes": (2, 60, 1), "noise": 1e-4, "step_size": "0.05"}),
}


@cache
def found(name: str) -> tuple[Problem, Certificate]:
    form, options = FORMS[name]
    problem = instance(3, **options)
    return problem, certified(problem, form)


@engines
@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_proved_and_checked(engine: str, name: str) -> None:
    problem, certificate = found(name)
    verdict = check(to_json(certificate), engine=engine)
    assert verdict.verdict == "valid", verdict
    assert certificate.steps[-1].rule == f"instance_{FORMS[name][0]}"
    assert certificate.conclusion["failure"] == "0"
    assert verdict.problem is not None
    assert verdict.problem["weights_sha256"] == problem.weights.sha256  # type: ignore[union-attr]
    dynamics = "descent" if "step_size" in FORMS[name][1] else "flow"
    assert any(dynamics in text for text in verdict.assumptions)
    assert (obeys(problem, certificate, 60) <= 1 + 1e-7).all()


@pytest.mark.parametrize("name", FORMS)
def test_it_survives_being_written(name: str) -> None:
    _, certificate = found(name)
    again = parse(to_json(certificate))
    assert to_json(again) == to_json(certificate)


@pytest.mark.parametrize(("activation", "other", "width"), [("sin", "distance", 100), ("relu", "tube", 1000)])
def test_the_faster_form_is_taken(activation: str, other: str, width: int) -> None:
    for noise in (1e-2, 1e-3, 1e-4):
        problem, rates = instance(11, activation, (2, width, 1), noise), []
        for form in ("kantorovich", other):
            try:
                rates.append(Fraction(certified(problem, form).conclusion["rate"]))
            except InputError:
                rates.append(Fraction(0))
        if max(rates):
            assert Fraction(certified(problem).conclusion["rate"]) == max(rates)
    assert max(rates) > 0


# Forgeries ------------------------------------------------------------------------------------------------------

SHARPER = {
    ("residual", "value"): "0.999",
    ("sigma", "value"): "1.001",
    ("kernel", "radius"): "0",
    ("deviation", "radius"): "1.001",
    ("deviation", "slope"): "0.999",
    ("deviation", "offset"): "0.999",
    ("deviation", "norm"): "0.999",
    ("point", "distance"): "0.999",
    ("point", "residual"): "0.5",
    ("point", "lambda_min"): "1.001",
    ("path", "value"): "0.999",
    ("tube", "deviation"): "0.98",
    ("convergence", "rate"): "1.001",
    ("convergence", "radius"): "0.999",
    ("convergence", "kernel_deviation"): "0.999",
}


CASES = [*(("fast", name) for name in FORMS), ("reference", "descent"), ("reference", "flips")]


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_nothing_sharper_is_accepted(engine: str, name: str) -> None:
    _, certificate = found(name)
    tried = 0
    for (step, field), factor in SHARPER.items():
        stated = next((s.claim[field] for s in certificate.steps if s.id == step and field in s.claim), "0")
        if stated in ("0", 0):
            continue
        forged = scale(certificate, step, "claim", field, factor)
        if field == "radius" and step == "kernel":
            forged = alter(certificate, "kernel", claim={"radius": 0})
        assert refusal(forged, engine) == (step, "claim-not-derived"), (step, field)
        tried += 1
    assert tried >= 6


def with_weights(certificate: Certificate, change: Any) -> Certificate:
    old = certificate.problem
    assert old.weights is not None
    return replace(certificate, problem=replace(old, weights=change(old.weights)))


def nudged(weights: Weights, layer: int, by: float) -> Weights:
    layers = [array.copy() for array in weights.layers]
    layers[layer][0, 0] += by
    return replace(weights, layers=tuple(layers))


OTHERS: dict[str, Any] = {
    "another hidden weight": lambda w: nudged(w, 0, 0.01),
    "another output weight": lambda w: nudged(w, -1, 0.5),
    "longer steps": lambda w: replace(w, step_size="3"),
    "no steps": lambda w: replace(w, step_size=None),
    "half of the neurons": lambda w: replace(w, layers=(w.layers[0][:-1], w.layers[1][:, :-1])),
    "mirrored": lambda w: replace(w, mirrored=True),
}


@engines
@pytest.mark.parametrize("name", OTHERS)
def test_other_weights_are_other_weights(engine: str, name: str) -> None:
    _, certificate = found("descent")
    verdict = check(with_weights(certificate, OTHERS[name]), engine=engine)
    assert verdict.verdict == "invalid"
    assert verdict.code in ("claim-not-derived", "hypothesis", "claim-differs"), verdict


def test_the_dynamics_are_those_of_the_problem() -> None:
    _, flow = found("flow")
    assert refusal(alter(flow, "convergence", claim={"dynamics": "mean_flow"}))[1] == "claim-differs"
    assert refusal(with_weights(flow, lambda w: replace(w, step_size="0.1")))[1] in ("claim-differs", "hypothesis")


# Reasons --------------------------------------------------------------------------------------------------------


def reason(problem: Problem, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        certify_instance(problem.dataset, problem.network, problem.weights, **options)  # type: ignore[arg-type]
    return str(caught.value)


def figure(text: str) -> float:
    match = re.search(r" is (-?[0-9.e+]+)|factor ([0-9.e+]+)", text)
    assert match is not None, text
    return float(match[1] or match[2])


def test_kantorovich_says_by_what_factor_it_fails() -> None:
    problem = instance(3, noise=0.1)
    text, net = reason(problem, form="kantorovich"), Net(problem)
    x, j = problem.dataset.inputs, net.jacobian(net.start)
    k, top = x @ x.T, abs(problem.weights.layers[1]).max()  # type: ignore[union-attr]
    slope = float(CURVATURE_SQUARED["erf"]) ** 0.5 * top * norm(k * k) ** 0.5 / 40**0.5
    expected = 2 * slope * np.linalg.norm(net.residual(net.start)) / np.linalg.eigvalsh(j @ j.T)[0]
    assert "2Λρ_0/σ_0²" in text
    assert abs(figure(text) / expected - 1) < 0.01


REASONS: dict[str, tuple[dict[str, Any], dict[str, Any], str, bool]] = {
    "far": ({"noise": 0.1}, {"form": "distance"}, r"Λ‖θ_0 − p‖/σ_min\(J_p\) is .*about 0.4956", True),
    "step": ({"noise": 1e-4, "step_size": "100"}, {"form": "kantorovich"}, "κ is -.*not positive", False),
    "step, distance": ({"noise": 1e-4, "step_size": "100"}, {"form": "distance"}, "κ is -.*not positive", False),
    "step, both": ({"noise": 1e-4, "step_size": "100"}, {}, "κ is -.*not positive", False),
    "tube": ({"activation": "relu", "noise": 0.1}, {"form": "tube"}, "may leave the tube by a factor", True),
    "flips": ({"activation": "relu", "noise": 0.1}, {"form": "kantorovich"}, "ρ_0/Φ.R. is .*not below 1", True),
    "flips, step": (
        {"activation": "relu", "noise": 1e-4, "step_size": "9"}, {}, "κ = 1 - ηβ²/2 is -.*not positive", False
    ),
    "deep kink": ({"activation": "relu", "sizes": (2, 4, 4, 1)}, {}, "must be in C²", False),
    "kink and bias": ({"activation": "relu", "bias": "1"}, {}, "another bias", False),
    "no such form": ({}, {"form": "newton"}, "unknown form 'newton'; there are kantorovich, distance, tube", False),
    "tube for erf": ({}, {"form": "tube"}, "the form tube is not for the activation erf; kantorovich, distance", False),
    "distance for relu": ({"activation": "relu"}, {"form": "distance"}, "not for the activation relu", False),
}  # fmt: skip


@pytest.mark.parametrize(("about", "options", "pattern", "above_one"), REASONS.values(), ids=REASONS)
def test_failures_name_the_hypothesis(
    about: dict[str, Any], options: dict[str, Any], pattern: str, above_one: bool
) -> None:
    text = reason(instance(3, **about), **options)
    assert re.search(pattern, text), text
    assert "\n" not in text
    if above_one and " inf" not in text:
        assert figure(text) > (0.4956 if "0.4956" in text else 1)


def test_equal_rows_leave_no_rank() -> None:
    problem = instance(3)
    twice = Dataset(problem.dataset.inputs[[0, 0]], np.array([1.0, 2.0]))
    assert "full rank" in reason(replace(problem, domain=twice))


def test_a_bound_that_is_not_positive_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # float64 sees a positive eigenvalue and the certified bound is below 0: once a TypeError
    monkeypatch.setattr(instance_start, "least_eigenvalue", lambda draft: -1e-9)
    assert "λ_min(H_0) is not certified to be positive" in reason(instance(3))


def test_enormous_weights_are_refused() -> None:
    problem = instance(3)
    layers = (problem.weights.layers[0] * 1e9, problem.weights.layers[1])  # type: ignore[union-attr]
    assert "too large" in reason(replace(problem, weights=Weights(layers)))

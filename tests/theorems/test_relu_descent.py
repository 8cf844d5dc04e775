"""The theorem relu-descent on real data, and its rules: values, refusals, paths that must obey it."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest
from altered import DATA, ENGINES, about, alter, certificate, data, refusal, scale
from two_layer import (
    derive,
    deviation,
    inputs_max,
    jacobian,
    norm,
    outputs,
    problem,
    quantity,
    refutes,
    rejection,
    sigma_prime,
    start,
)

from ntkproof import InputError, Network, check
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Proved
from ntkproof.checker.random_start.claims import JacobianDeviation
from ntkproof.theorems.certify import certify_convergence

engines = pytest.mark.parametrize("engine", ENGINES)


@engines
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(("init", "step"), [("antisymmetric", "0.1"), ("signs", "0.01"), ("balanced", "0.001")])
def test_it_holds_on_real_data(engine: str, name: str, init: str, step: str) -> None:
    found = certificate(name, "relu-descent", "relu", init, step_size=step)
    verdict = check(found, engine=engine)
    assert verdict.verdict == "valid", verdict
    assert found.conclusion["dynamics"] == "descent"
    assert 0 < Fraction(found.conclusion["rate"]) * Fraction(step) < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "erf", "step_size": "0.1"}, "piecewise linear"),
        ({}, "needs a step size"),
        ({"step_size": "10"}, "κ = 1 - ηβ²/2 > 0"),
    ],
)
def test_other_settings_are_refused(change: dict[str, str], message: str) -> None:
    change = dict(change)
    network = Network(change.pop("activation", "relu"), train="hidden")
    with pytest.raises(InputError, match=message):
        certify_convergence(data("wine"), network, theorem="relu-descent", **change)


BAD: dict[str, tuple[Any, tuple[str, str]]] = {
    "width": (lambda c: about(c, width=int(c.conclusion["width"]) // 4 * 2), ("loewner", "failure-probability")),
    "rate": (lambda c: scale(c, "convergence", "claim", "rate", "1.000001"), ("convergence", "claim-not-derived")),
    "ball": (lambda c: scale(c, "convergence", "args", "radius", "0.9"), ("convergence", "hypothesis")),
    "flow": (lambda c: about(c, step_size=None), ("convergence", "outside-theorem")),
    "longer steps": (lambda c: about(c, step_size="0.2"), ("convergence", "hypothesis")),
    "far too long": (lambda c: about(c, step_size="5"), ("convergence", "hypothesis")),
    "no path": (lambda c: alter(c, "deviation", claim={"lipschitz": "no"}), ("convergence", "hypothesis")),
    "lipschitz": (lambda c: alter(c, "deviation", claim={"lipschitz": "yes"}), ("deviation", "claim-differs")),
    "smooth rule": (lambda c: alter(c, "convergence", rule="descent"), ("convergence", "hypothesis")),
}


@engines
@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_altered_certificates_are_rejected(engine: str, change: Any, expected: tuple[str, str]) -> None:
    assert refusal(change(certificate("wine", "relu-descent", "relu", step_size="0.1")), engine) == expected


# The rules ------------------------------------------------------------------------------------------------------

LINE = deviation("0.125", "0.25", "path")
SIGMA, RHO, NORM = quantity("initial_lambda_min", "4"), quantity("residual", "0.49"), quantity("jacobian_norm", "4")


def descent(*claims: Any, radius: str = "1", step_size: Any = "0.0625", **network: Any) -> Any:
    about_it = problem(**{"activation": "relu", "step_size": step_size, **network})
    return about_it, "flip_descent", claims + (SIGMA, RHO, LINE, NORM)[len(claims) :], {"radius": radius}


@engines
def test_it_computes_what_the_page_says(engine: str) -> None:
    claim = derive(*descent(), engine=engine).claim
    x = Fraction(13, 8) / 16 * (Fraction(13, 16) - Fraction(3, 8))  # η σ_* (κ σ_* − ε), κ = 1/2, σ_* = 13/8, ε = 3/8
    expected = Convergence("descent", Fraction(100), 16 * (2 * x - x * x), Fraction(0), Fraction(1), Fraction(201, 64))
    assert abs(claim.rate / expected.rate - 1) < Fraction(1, 10**30)
    assert abs(claim.kernel_deviation / expected.kernel_deviation - 1) < Fraction(1, 10**30)
    assert (claim.dynamics, claim.width, claim.failure, claim.radius) == ("descent", 100, 0, 1)
    # κΦ(R) − Rε(R) = (15/8 − 1/8)/2 − 3/8 = 1/2: not more than ρ_0
    assert rejection(*descent(SIGMA, quantity("residual", "0.5")), engine=engine) == "hypothesis"


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("hypothesis", descent(quantity("initial_lambda_min", "0"))),
        ("hypothesis", descent(SIGMA, quantity("residual", "0.6"))),
        ("hypothesis", descent(SIGMA, RHO, deviation("0.125", "0.25", "no"))),
        ("hypothesis", descent(SIGMA, quantity("residual", "0.01"), LINE, NORM, radius="0.001")),
        ("hypothesis", descent(SIGMA, quantity("residual", "0"), LINE, NORM, radius="7.6")),
        ("hypothesis", descent(step_size="0.125")),
        ("bad-argument", descent(radius="0")),
        ("bad-argument", descent(radius="-1")),
        ("bad-argument", descent(radius="-1000")),
        ("bad-premises", descent(RHO)),
        ("bad-premises", descent(SIGMA, RHO, LINE, quantity("initial_jacobian_norm", "4"))),
        ("bad-premises", descent(SIGMA, RHO, LINE, RHO)),
        ("failure-probability", descent(Proved(SIGMA, events={"a": Fraction(1)}), quantity("residual", "0.1"))),
        ("outside-theorem", descent(step_size=None)),
        ("outside-theorem", descent(bias="1")),
        ("outside-theorem", descent(init="gaussian", train="both", activation="erf")),
        ("hypothesis", (problem("erf"), "flip_deviation", (inputs_max("4"),), {"tau": "0.1", "failure": "0.1"})),
        ("bad-argument", (problem("relu"), "flip_deviation", (inputs_max("4"),), {"tau": "0.1", "failure": "1"})),
    ],
)
def test_bad_steps_are_refused(code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case) == code


@pytest.mark.parametrize(("stronger", "weaker"), [("yes", "path"), ("yes", "no"), ("path", "no")])
def test_which_deviation_follows_from_which(stronger: str, weaker: str) -> None:
    deviation("0", "1", stronger).supports(deviation("0", "1", weaker))
    with pytest.raises(Rejection):
        deviation("0", "1", weaker).supports(deviation("0", "1", stronger))


TRIALS = 3000


@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu(-3)"])
@pytest.mark.parametrize("init", ["signs", "antisymmetric"])
def test_paths_that_flip_all_they_can_rarely_move_the_jacobian_further(activation: str, init: str) -> None:
    """The path pushes the neurons nearest to a hyperplane across it and back, as far as its length lasts."""
    rng, about_it, m = np.random.default_rng(21), problem(activation, 30, init), 30
    rows = about_it.dataset.inputs
    weights, a = start(init, m, 2, rng, TRIALS)
    square = inputs_max(str(np.linalg.norm(rows, 2) ** 2))
    for tau, failure in (("0.05", "0.3"), ("0.3", "0.05"), ("1", "0.9")):
        claim = derive(about_it, "flip_deviation", (square,), {"tau": tau, "failure": failure}).claim
        assert isinstance(claim, JacobianDeviation)
        assert claim.lipschitz == "path"
        for length in (0.1, 1.0, 5.0):
            worst = np.zeros(TRIALS)
            for row in rows:
                gaps = abs(weights @ row) / np.linalg.norm(row)
                order = np.argsort(gaps, 1)
                spent = np.sqrt(np.cumsum(np.take_along_axis(gaps, order, 1) ** 2, 1)) * 1.001
                reached = np.zeros_like(gaps)
                np.put_along_axis(reached, order, (spent <= length).astype(float), 1)
                turn = (
                    (reached * gaps * 1.0005)[..., None] * np.sign(weights @ row)[..., None] * row / np.linalg.norm(row)
                )
                moved = jacobian(activation, rows, weights - turn, a) - jacobian(activation, rows, weights, a)
                worst = np.maximum(worst, norm(moved))
            allowed = float(claim.offset) + float(claim.slope) * length
            assert not refutes(int((worst > allowed).sum()), TRIALS, float(failure))


def test_real_descents_obey_it() -> None:
    """ReLU networks in floats with their own flip counts as deviation: descent does what the rule says."""
    rng, held, m = np.random.default_rng(30), 0, 4000
    inputs = np.array([[1.0, 0.2], [-0.3, 1.0]])
    for _ in range(12):
        weights, a = (x[0] for x in start("signs", m, 2, rng))
        targets = outputs("relu", inputs, weights, a) + rng.standard_normal(2) * 0.01
        j = jacobian("relu", inputs, weights, a)
        lambda_0, rho = np.linalg.eigvalsh(j @ j.T)[0], np.linalg.norm(outputs("relu", inputs, weights, a) - targets)
        beta, eta, tau = np.linalg.norm(inputs, 2), 0.25, 0.02
        share = (abs(weights @ inputs.T) / np.linalg.norm(inputs, axis=1) <= tau).mean(0).max()
        line = deviation(str(beta * sqrt(share)), str(beta / (tau * sqrt(m))), "path")
        uses = (quantity("initial_lambda_min", str(lambda_0)), quantity("residual", str(rho)), line)
        about_it = problem("relu", m, "signs", str(eta))
        try:
            claim = derive(
                about_it, "flip_descent", (*uses, quantity("jacobian_norm", str(beta))), {"radius": "0.08"}
            ).claim
        except Rejection:
            continue
        held += 1
        w, losses, path = weights, [], 0.0
        for _ in range(60):
            j, r = jacobian("relu", inputs, w, a), outputs("relu", inputs, w, a) - targets
            losses.append(r @ r)
            step = eta * (j.T @ r).reshape(m, 2)
            w, path = w - step, path + np.linalg.norm(step)
            assert (sigma_prime("relu", w @ inputs.T) >= 0).all()
        ratios = np.array(losses[1:]) / np.array(losses[:-1])
        assert (ratios[np.array(losses[:-1]) > 1e-20] <= 1 - eta * float(claim.rate) + 1e-9).all()
        assert path < 0.08
    assert held >= 5

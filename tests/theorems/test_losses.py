"""The theorem for other losses: certificates that check, at the least width; what is refused; custom losses."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest
from altered import ENGINES, data, number
from scipy.special import erf

from ntkproof import InputError, Network, check
from ntkproof.theorems.certify import certify_convergence

engines = pytest.mark.parametrize("engine", ENGINES)
GAUSSIAN = "the hidden weights are independent standard normal at initialisation"
INCLUSION = "gradient flow is any absolutely continuous solution of the differential inclusion"
CUSTOM = {"exponent": "0.5", "alpha": "1.4142", "gap": "5.1"}


def certificate(activation: str = "erf", loss: str = "quartic", rows: int = 10, **more: Any) -> Any:
    return certify_convergence(data("wine", rows), Network(activation, train="hidden"), loss=loss, **more)


def about(verdict: Any) -> set[str]:
    return {text for text in verdict.assumptions if not text.startswith("arithmetic")}


@engines
@pytest.mark.parametrize(
    ("activation", "init", "extra"),
    [
        ("erf", "antisymmetric", set()),
        ("erf", "balanced", set()),
        ("sin", "signs", set()),
        ("relu", "antisymmetric", {INCLUSION}),
        ("abs", "signs", {INCLUSION}),
    ],
)
def test_it_checks_and_says_what_it_rests_on(engine: str, activation: str, init: str, extra: set[str]) -> None:
    found = certificate(activation, init=init)
    verdict = check(found, engine=engine)
    assert verdict.verdict == "valid", verdict
    assert about(verdict) == {GAUSSIAN, "the network is trained by gradient flow on the quartic loss", *extra}
    claim = found.conclusion
    assert (claim["kind"], claim["loss"], claim["exponent"]) == ("loss_convergence", "quartic", "0.75")
    assert Fraction(claim["failure"]) <= Fraction("0.05")


def test_the_least_width_is_that_of_the_hypotheses() -> None:
    """Gradient flow on the quartic loss asks for ``σ_0² > 2Λ n^{1/4} ‖y‖`` where the squared loss asks for ``‖y‖``."""
    found = certificate()
    width = int(found.conclusion["width"])
    with pytest.raises(InputError, match=f"width {width} would do"):
        certificate(width=width - 2)
    x, y = data("wine").inputs, data("wine").targets
    assert y is not None
    gram = x @ x.T
    q = 1 + 2 * gram.diagonal()
    lambda_0 = np.linalg.eigvalsh(gram * 4 / np.pi / np.sqrt(np.outer(q, q) - 4 * gram**2))[0]
    slope = sqrt(8 / np.pi / np.e * np.linalg.norm(gram**2, 2))
    delta = 1 - float(number(found, "loewner", "value"))
    needed = (2 * slope * 10**0.25 * np.linalg.norm(y) / ((1 - delta) * lambda_0)) ** 2
    assert width == pytest.approx(needed, rel=1e-3)


def test_a_wider_network_is_faster() -> None:
    rates = [Fraction(certificate(width=width).conclusion["rate"]) for width in (23_000, 40_000, 10**6)]
    assert 0 < rates[0] < rates[1] < rates[2]


@engines
def test_a_custom_loss_is_assumed(engine: str) -> None:
    found = certificate(loss="custom", constants=CUSTOM)
    verdict = check(found, engine=engine)
    assert verdict.verdict == "holey"
    assumed = "assumed without proof: loss inequality with exponent 0.5, constant 1.4142, gap 5.1"
    assert about(verdict) == {GAUSSIAN, "the network is trained by gradient flow on the custom loss", assumed}
    assert "residual" not in {step.id for step in found.steps}


@pytest.mark.parametrize("init", ["balanced", "signs"])
def test_a_custom_loss_spends_nothing_on_the_residual(init: str) -> None:
    found = certificate(loss="custom", constants=CUSTOM, init=init)
    assert check(found).verdict == "holey"
    assert [step.id for step in found.steps if "failure" in step.args] == ["loewner"]


def test_the_unsquared_norm_is_a_custom_loss() -> None:
    """``ℓ = ‖u − y‖`` has b = 0 and α = 1: it is 0 after a finite time."""
    y = data("wine").targets
    assert y is not None
    gap = f"{np.linalg.norm(y) * (1 + 1e-9):.9f}"
    found = certificate(loss="custom", constants={"exponent": "0", "alpha": "1", "gap": gap}, width=20_000)
    assert check(found).verdict == "holey"
    assert float(found.conclusion["rate"]) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "logistic"}, "unknown loss 'logistic'; there are squared, quartic, custom"),
        ({"loss": "custom"}, "needs the constants exponent, alpha, gap"),
        ({"loss": "custom", "constants": {"exponent": "0.5", "alpha": "1"}}, "needs the constants"),
        ({"loss": "custom", "constants": {**CUSTOM, "beta": "1"}}, "needs the constants"),
        ({"loss": "custom", "constants": {**CUSTOM, "exponent": "1"}}, "from 0 to below 1"),
        ({"loss": "custom", "constants": {**CUSTOM, "exponent": "-0.5"}}, "from 0 to below 1"),
        ({"loss": "custom", "constants": {**CUSTOM, "alpha": "0"}}, "positive"),
        ({"loss": "custom", "constants": {**CUSTOM, "gap": "-1"}}, "positive"),
        ({"loss": "custom", "constants": {**CUSTOM, "gap": "nan"}}, "not a decimal number"),
        ({"loss": "quartic", "constants": CUSTOM}, "not for the loss quartic"),
        ({"loss": "squared", "constants": CUSTOM}, "not exponent"),
        ({"loss": "quartic", "theorem": "smooth"}, "leave the theorem out"),
        ({"loss": "quartic", "step_size": "0.1"}, "leave the step size out"),
        ({"loss": "quartic", "width": 10}, "fails at width 10: .* would do"),
        ({"loss": "quartic", "init": "gaussian"}, "±1"),
        ({"loss": "quartic", "failure_probability": "2"}, "between 0 and 1"),
    ],
)
def test_unusable_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        certificate(**options)


def test_only_hidden_weights_are_trained() -> None:
    with pytest.raises(InputError, match="for the quartic loss is about train=hidden"):
        certify_convergence(data("wine"), Network("erf", train="both"), loss="quartic")


def test_networks_of_the_certified_width_obey_it() -> None:
    """Euler steps of the flow on ``¼Σr⁴`` for two starts, at a width where it is not slow."""
    found = certificate(width=40_000)
    claim = {name: float(found.conclusion[name]) for name in ("rate", "radius", "kernel_deviation")}
    x, y = data("wine").inputs, data("wine").targets
    assert y is not None
    m, gram = 40_000, x @ x.T
    signs = np.repeat([1.0, -1.0], m // 2)
    for seed in range(2):
        half = np.random.default_rng(seed).standard_normal((m // 2, x.shape[1]))
        first = w = np.concatenate([half, half])
        initial = slopes = None
        t, step, start = 0.0, 0.05, float((y**4).sum() / 4)
        for _ in range(25):
            hidden = w @ x.T
            slopes = 2 / sqrt(np.pi) * np.exp(-hidden * hidden)
            kernel = gram * (slopes.T @ slopes) / m
            initial = kernel if initial is None else initial
            residual = signs @ erf(hidden) / sqrt(m) - y
            left = float((residual**4).sum() / 4)
            assert left <= (start**-0.5 + 0.5 * claim["rate"] * t) ** -2 * 1.01
            assert np.linalg.norm(w - first) <= claim["radius"]
            assert np.linalg.norm(kernel - initial, 2) <= claim["kernel_deviation"]
            w = w - step * (signs[:, None] * slopes * residual**3) @ x / sqrt(m)
            t += step
        assert left < 0.9 * start

"""Other losses: the inequalities of the table, the master theorem, refusals, and flows that must obey it."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from two_layer import (
    ENGINES,
    MP,
    TARGETS,
    derive,
    deviation,
    hadamard_max,
    is_upper,
    jacobian,
    mp,
    norm,
    outputs,
    problem,
    quantity,
    rejection,
    start,
)

from ntkproof.checker.check import check
from ntkproof.checker.convergence.other_losses import LossConvergence, LossInequality
from ntkproof.checker.logic.claim import Rejection, parse_claim, to_fields
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.rule import Proved
from ntkproof.checker.table import KINDS

engines = pytest.mark.parametrize("engine", ENGINES)


def loss(exponent: str = "0.5", constant: str = "2", gap: str = "0.25", name: str = "custom") -> LossInequality:
    return LossInequality(name, Fraction(exponent), Fraction(constant), Fraction(gap))


SIGMA, LINE, NORM = quantity("initial_lambda_min", "4"), deviation("0", "0.5"), quantity("jacobian_norm", "3")
Y_SQUARED = Fraction(21, 16)


def step(inequality: Any = None, radius: str = "0.5", sigma: Any = SIGMA, line: Any = LINE, **network: Any) -> Any:
    premises = (sigma, inequality or loss(), line, NORM)
    return problem(**network), "loss_kantorovich", premises, {"radius": radius}


@engines
@pytest.mark.parametrize(
    ("exponent", "constant", "gap", "needed"),
    [
        ("0.5", "2", "0.25", MP.mpf("0.5")),
        ("0.75", "0.5", "16", MP.mpf(16)),
        ("0", "3", "1.5", MP.mpf("0.5")),
        ("0.9", "4", "1024", MP.mpf(5)),
        ("0.25", "2", "0.1", MP.mpf("0.1") ** MP.mpf("0.75") / MP.mpf("1.5")),
    ],
)
def test_the_radius_must_spend_what_the_page_says(
    engine: str, exponent: str, constant: str, gap: str, needed: Any
) -> None:
    line = deviation("0", "1e-9")  # Φ(R) = 2R − 5e-10 R²
    root = needed / (1 + MP.sqrt(1 - needed * MP.mpf("5e-10")))
    above, below = (str(MP.nstr(root * (1 + MP.mpf(k) * MP.mpf(10) ** -25), 40)) for k in (1, -1))
    claim = derive(*step(loss(exponent, constant, gap), above, line=line), engine=engine).claim
    assert isinstance(claim, LossConvergence)
    assert (claim.loss, claim.exponent, claim.width) == ("custom", Fraction(exponent), 100)
    assert rejection(*step(loss(exponent, constant, gap), below, line=line), engine=engine) == "hypothesis"


@engines
def test_it_claims_what_the_page_says(engine: str) -> None:
    premises = (
        Proved(SIGMA, events={"a": Fraction(1, 8)}),
        Proved(loss(), events={"a": Fraction(1, 8), "b": Fraction(1, 4)}),
        deviation("0.25", "0.5"),
        NORM,
    )
    derived = derive(problem(), "loss_kantorovich", premises, {"radius": "0.5"}, engine=engine)
    claim = derived.claim
    assert mp(claim.rate) <= 9 <= mp(claim.rate) * (1 + MP.mpf(10) ** -30)  # (α σ_*)² = (2 · 1.5)²
    assert (claim.failure, claim.radius) == (Fraction(3, 8), Fraction(1, 2))
    assert is_upper(claim.kernel_deviation, MP.mpf("3.25"))  # (2 · 3 + 0.5) · 0.5
    assert any("custom loss" in text for text in derived.assumptions)


@engines
@pytest.mark.parametrize("residual", ["0.125", "7"])
def test_the_table_of_losses(engine: str, residual: str) -> None:
    rho = mp(residual)
    for name, exponent, constant, gap in (
        ("squared", "0.5", MP.sqrt(2), rho**2 / 2),
        ("quartic", "0.75", MP.mpf(4) ** MP.mpf("0.75") / MP.mpf(3) ** MP.mpf("0.25"), rho**4 / 4),
    ):
        claim = derive(
            problem(), "loss_inequality", (quantity("residual", residual),), {"loss": name}, engine=engine
        ).claim
        assert (claim.loss, claim.exponent) == (name, Fraction(exponent))
        assert is_upper(claim.gap, gap)
        assert mp(claim.constant) <= constant * (1 + MP.mpf(10) ** -55)
        assert mp(claim.constant) >= constant * (1 - MP.mpf(10) ** -30)


@pytest.mark.parametrize(("name", "power"), [("squared", 2), ("quartic", 4)])
def test_the_inequalities_hold_and_are_sharp(name: str, power: int) -> None:
    rng, n = np.random.default_rng(0), 3
    claim = derive(problem(), "loss_inequality", (quantity("residual", "1"),), {"loss": name}).claim
    r = np.concatenate([rng.standard_normal((100_000, n)) * 10 ** rng.uniform(-6, 6, (100_000, 1)), np.ones((1, n))])
    ratio = np.linalg.norm(r ** (power - 1), axis=1) / ((abs(r) ** power).sum(1) / power) ** float(claim.exponent)
    assert float(claim.constant) * (1 - 1e-12) <= ratio.min() <= float(claim.constant) * (1 + 1e-12)


def test_the_squared_loss_is_the_master_theorem() -> None:
    for radius in ("0.3", "0.30001", "0.31", "1"):
        uses = (SIGMA, quantity("residual", "0.5776"), LINE, NORM)  # Φ(0.3) = 0.6 − 0.0225 = 0.5775
        inequality = derive(problem(), "loss_inequality", uses[1:2], {"loss": "squared"}).claim
        try:
            flow = derive(problem(), "kantorovich", uses, {"radius": radius}).claim
        except Rejection:
            assert rejection(*step(inequality, radius)) == "hypothesis"
            continue
        claim = derive(*step(inequality, radius)).claim
        assert abs(claim.rate / flow.rate - 1) < Fraction(1, 10**30)
        assert (claim.radius, claim.kernel_deviation) == (flow.radius, flow.kernel_deviation)


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("hypothesis", step(loss("1"))),
        ("hypothesis", step(loss("1.5"))),
        ("hypothesis", step(loss("-0.5"))),
        ("hypothesis", step(sigma=quantity("initial_lambda_min", "0"))),
        ("hypothesis", step(sigma=quantity("initial_lambda_min", "-4"))),
        ("hypothesis", step(radius="4")),
        ("hypothesis", step(radius="40000")),
        ("hypothesis", step(radius="0.1")),
        ("hypothesis", step(loss(constant="0.01"))),
        ("hypothesis", step(loss(gap="100"))),
        ("bad-argument", step(radius="0")),
        ("bad-argument", step(radius="-1")),
        ("bad-argument", step(loss(constant="0"))),
        ("bad-argument", step(loss(constant="-2"))),
        ("bad-argument", step(loss(gap="0"))),
        ("bad-premises", step(sigma=NORM)),
        ("bad-premises", (problem(), "loss_kantorovich", (SIGMA, loss(), LINE, SIGMA), {"radius": "0.5"})),
        ("bad-premises", (problem(), "loss_kantorovich", (SIGMA, loss(), LINE), {"radius": "0.5"})),
        ("bad-premises", (problem(), "loss_kantorovich", (SIGMA, SIGMA, LINE, NORM), {"radius": "0.5"})),
        ("outside-theorem", step(step_size="0.1")),
        ("outside-theorem", step(init="gaussian")),
        ("outside-theorem", step(train="output")),
        ("failure-probability", step(Proved(loss(), events={"a": Fraction(1)}))),
        ("bad-argument", (problem(), "loss_inequality", (quantity("residual", "1"),), {"loss": "custom"})),
        ("bad-premises", (problem(), "loss_inequality", (NORM,), {"loss": "squared"})),
    ],
)
def test_bad_steps_are_refused(code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case) == code


@pytest.mark.parametrize("field", ["constant", "gap", "exponent", "loss"])
def test_a_sharper_inequality_does_not_follow(field: str) -> None:
    derived = loss()
    changed = {"constant": "2.1", "gap": "0.2", "exponent": "0.4", "loss": "squared"}[field]
    with pytest.raises(Rejection):
        derived.supports(parse_claim({**to_fields(derived), field: changed}, KINDS))  # type: ignore[arg-type]
    derived.supports(loss("0.5", "1.9", "0.3"))


@pytest.mark.parametrize("field", ["loss", "exponent", "width", "rate", "failure", "radius", "kernel_deviation"])
def test_a_better_convergence_does_not_follow(field: str) -> None:
    derived = LossConvergence("quartic", *(Fraction(x) for x in ("0.75", "10", "1", "0.1", "2", "3")))
    better = {"loss": "squared", "exponent": "0.5", "width": "9", "rate": "1.1"}.get(field, "0.01")
    with pytest.raises(Rejection):
        derived.supports(parse_claim({**to_fields(derived), field: better}, KINDS))  # type: ignore[arg-type]


@engines
def test_assumed_inequalities_leave_a_hole(engine: str) -> None:
    assumed = {"sigma": SIGMA, "loss": loss(), "hadamard": hadamard_max("1"), "norm": NORM}
    steps = [Step(name, "assume", claim=to_fields(claim)) for name, claim in assumed.items()]
    steps.append(Step("line", "smooth_deviation", ("hadamard",), claim=to_fields(deviation("0", "0.1"))))
    claim = LossConvergence("custom", *(Fraction(x) for x in ("0.5", "100", "15", "0", "0.5", "0.4")))
    uses = ("sigma", "loss", "line", "norm")
    steps.append(Step("end", "loss_kantorovich", uses, {"radius": "0.5"}, claim=to_fields(claim)))
    verdict = check(Certificate(problem(), tuple(steps), "end", to_fields(claim)), engine=engine)
    assert verdict.verdict == "holey", verdict
    assert any("loss inequality with exponent 0.5, constant 2, gap 0.25" in text for text in verdict.assumptions)
    verdict = check(Certificate(problem(), tuple(steps), "loss", to_fields(loss())), engine=engine)
    assert verdict.code == "bad-conclusion"
    wrong = Step("line", "assume", claim=to_fields(LINE))
    assert check(Certificate(problem(), (wrong,), "line", wrong.claim), engine=engine).code == "bad-claim"


@pytest.mark.parametrize("name", ["squared", "quartic"])
def test_real_flows_obey_it(name: str) -> None:
    """Networks in floats near a solution: the path is as short, and the loss decays as fast, as claimed."""
    rng, held = np.random.default_rng(12), 0
    power = 2 if name == "squared" else 4
    for _ in range(30):
        inputs = rng.standard_normal((3, 3))
        weights, a = (x[0] for x in start("signs", 60, 3, rng))
        targets = outputs("erf", inputs, weights, a) + TARGETS * 10 ** rng.uniform(-2.5, -0.5)
        j = jacobian("erf", inputs, weights, a)
        lambda_0, rho = np.linalg.eigvalsh(j @ j.T)[0], np.linalg.norm(outputs("erf", inputs, weights, a) - targets)
        slope = sqrt(8 / (np.pi * np.e) * np.linalg.norm((inputs @ inputs.T) ** 2, 2) / 60)
        inequality = derive(problem(), "loss_inequality", (quantity("residual", str(rho)),), {"loss": name}).claim
        spend = (1 if name == "squared" else 3**0.25) * rho * 1.001
        if not lambda_0 > 2 * slope * spend:
            continue
        held += 1
        radius = (sqrt(lambda_0) - sqrt(lambda_0 - 2 * slope * spend)) / slope
        bound = quantity("jacobian_norm", str(2 / sqrt(np.pi) * np.linalg.norm(inputs, 2)))
        uses = (quantity("initial_lambda_min", str(lambda_0)), inequality, deviation("0", str(slope)), bound)
        claim = derive(problem(width=60), "loss_kantorovich", uses, {"radius": str(radius)}).claim

        def flow(t: float, w: Any, inputs: Any = inputs, a: Any = a, targets: Any = targets) -> Any:
            w = w.reshape(60, 3)
            return -jacobian("erf", inputs, w, a).T @ (outputs("erf", inputs, w, a) - targets) ** (power - 1)

        found = solve_ivp(flow, (0, 5 / float(claim.rate)), weights.ravel(), rtol=1e-9, atol=1e-12)
        path = found.y.T.reshape(-1, 60, 3)
        left = (abs(outputs("erf", inputs, path, a) - targets) ** power).sum(1) / power
        rate = float(claim.rate)
        if name == "squared":
            allowed = np.exp(-rate * found.t) * left[0]
        else:
            allowed = (left[0] ** -0.5 + 0.5 * rate * found.t) ** -2
        assert (left <= allowed * (1 + 1e-6) + 1e-20).all()
        assert np.linalg.norm((path - path[0]).reshape(len(path), -1), axis=1).max() <= radius
        kernels = (moved := jacobian("erf", inputs, path, a)) @ np.swapaxes(moved, 1, 2)
        assert norm(kernels - kernels[0]).max() <= float(claim.kernel_deviation)
    assert held >= 8

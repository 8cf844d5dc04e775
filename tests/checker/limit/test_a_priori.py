"""A-priori bounds against the truth: searches for a counterexample, closed forms, hypotheses, forged ratios."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from math import comb, log, pi, sqrt
from typing import Any

import flint
import numpy as np
import oracle
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ntkproof.certificate import to_json
from ntkproof.checker import Verdict, check
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.limit.a_priori import A_PRIORI, PI, _tails, weight
from ntkproof.checker.limit.claims import POWERS, EigenvalueBound
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Proved, Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.table import RULES
from ntkproof.prover.a_priori import _power, bounds
from ntkproof.prover.certify import certify
from ntkproof.prover.draft import Draft
from ntkproof.prover.matrices import as_floats

ENGINES = ("reference", "fast")
HIDDEN = Network("relu", 1, "hidden")
ACTIVATIONS = ("relu", "relu", "abs", "leaky_relu(0.3)", "leaky_relu(-3)")


def setting(x: np.ndarray, network: Network = HIDDEN, engine: str = "reference", kernel: str = "ntk") -> Setting:
    return Setting(Problem(Dataset(x), network, kernel), arithmetic(engine), lambda done, total: None)


def derive(where: Setting, rule: str, premises: tuple[Proved, ...] = (), **args: int) -> Any:
    nothing = EigenvalueBound("kernel", "min", "lower", Fraction(0))
    step = Step("x", rule, (), args)
    return RULES[rule].derive(where, RULES[rule].inputs(step, premises, nothing)).claim


def derived(where: Setting, squarings: int = 10) -> dict[str, Fraction]:
    """The bounds of the three rules without a premise."""
    found = {rule: derive(where, rule).value for rule in ("separation", "separation_log")}
    return {**found, "gershgorin": derive(where, "gershgorin", squarings=squarings).value}


def power_bound(where: Setting, k: int, value: Fraction) -> Fraction:
    premise = Proved(EigenvalueBound(f"power-{k}", "min", "lower", value))
    return derive(where, "khatri_rao", (premise,)).value


def kernel(problem: Problem) -> flint.arb_mat:
    """The Gram matrix in Arb."""
    return oracle.kernel(json.loads(to_json(Certificate(problem, (), "x", {})))["problem"])


def estimate(problem: Problem) -> float:
    """λ_min of the hidden layer's kernel in float64."""
    slope = {"relu": 0.0, "abs": -1.0}.get(problem.network.activation)
    a = float(problem.network.activation[11:-1]) if slope is None else slope
    c = _power(problem, 1)
    norms = np.sqrt(np.diag(c))
    angle = np.arccos(np.clip(c / np.outer(norms, norms), -1, 1))
    np.fill_diagonal(angle, 0)
    return float(np.linalg.eigvalsh(c * (a + (1 - a) ** 2 * (pi - angle) / (2 * pi)))[0])


def ratios(x: np.ndarray, network: Network) -> dict[str, float]:
    """Each bound by the estimate of λ_min; khatri_rao from float64."""
    where = setting(x, network)
    truth = estimate(where.problem)
    if truth < 1e-8:
        return {}
    found = {name: float(value) / truth for name, value in derived(where).items()}
    best = max(float(weight(where.problem, k)) * np.linalg.eigvalsh(_power(where.problem, k))[0] for k in (1, 2, 4, 8))
    return {**found, "khatri_rao": best / truth}


def climb(seed: int, name: str, steps: int) -> tuple[float, np.ndarray, Network]:
    """Push points on spheres towards a larger ratio of one bound to the truth."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 13)), int(rng.integers(2, 9))
    network = Network(str(rng.choice(ACTIVATIONS)), 1, "hidden")
    radii = rng.uniform(0.2, 3, (n, 1)) if rng.random() < 0.3 else np.ones((n, 1))
    x = rng.standard_normal((n, d))
    best, size = 0.0, 0.5
    for _ in range(steps):
        y = x + size * rng.standard_normal((n, d)) * (rng.random((n, 1)) < 0.5)
        y *= radii / np.linalg.norm(y, axis=1, keepdims=True)
        found = ratios(y, network).get(name, 0.0)
        size = size if found > best else 0.93 * size
        best, x = max((best, x), (found, y), key=lambda pair: pair[0])
    return best, x, network


def assert_below_truth(where: Setting) -> None:
    """No eigenvalue is below a bound: no pivot of the shifted matrix is negative."""
    found = derived(where)
    with flint.ctx.workprec(oracle.BITS):
        for value in found.values():
            assert oracle.negative_eigenvalues(kernel(where.problem), value) == 0


# Falsification ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", A_PRIORI)
def test_no_counterexample_by_climbing(name: str) -> None:
    found = [climb(seed, name, 40) for seed in range(24)]
    assert min(ratio for ratio, _, _ in found) > 0
    assert max(ratio for ratio, _, _ in found) <= 1 + 1e-9
    for _, x, network in found[:4]:
        assert_below_truth(setting(x, network))


@pytest.mark.slow
@pytest.mark.parametrize("name", A_PRIORI)
def test_no_counterexample_by_long_climbing(name: str) -> None:
    found = [climb(seed, name, 150) for seed in range(100, 160)]
    print(name, max(ratio for ratio, _, _ in found))
    assert max(ratio for ratio, _, _ in found) <= 1 + 1e-9


coordinates = st.sampled_from([-2, -1, 0, 1, 0.5]) | st.floats(-4, 4, width=32)


@given(st.data())
def test_no_counterexample_by_hypothesis(data: Any) -> None:
    n, d = data.draw(st.integers(2, 5)), data.draw(st.integers(2, 4))
    x = np.random.default_rng(data.draw(st.integers(0, 2**30))).standard_normal((n, d))
    for _ in range(data.draw(st.integers(0, 3))):  # nearly parallel, short, or with equal coordinates
        i, j = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))
        x[i] = data.draw(coordinates) * x[j] + x[i] * 2.0 ** -data.draw(st.integers(0, 40))
    network = Network(
        data.draw(st.sampled_from(ACTIVATIONS)),
        1,
        data.draw(st.sampled_from(["hidden", "both", "all"])),
        data.draw(st.sampled_from(["0", "0.5", "2"])),
        data.draw(st.sampled_from(["1", "0.3"])),
        data.draw(st.sampled_from(["1", "fan-in"])),
    )
    where = setting(x, network, data.draw(st.sampled_from(ENGINES)))
    with suppress(Rejection):  # zero or parallel rows: seldom
        assert_below_truth(where)


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_certificate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = Network(ACTIVATIONS[seed % 5], 1, ("hidden", "both", "all")[seed % 3], bias=("0", "0.5")[seed % 2])
    certificate = certify(rng.standard_normal((8, 4)), network, statement="a-priori", engine=ENGINES[seed % 2])
    for engine in ENGINES:
        assert check(certificate, engine=engine).valid
    claim = certificate.conclusion
    assert set(claim["rules"]) == set(A_PRIORI)
    truth = oracle.smallest_eigenvalue(kernel(certificate.problem))
    with flint.ctx.workprec(oracle.BITS):
        assert oracle.ball(Fraction(claim["lower"])) < truth < oracle.ball(Fraction(claim["upper"]))
        for value, low, high in zip(claim["bounds"], claim["ratio_lower"], claim["ratio_upper"], strict=True):
            ratio = oracle.ball(Fraction(value)) / truth
            assert oracle.ball(Fraction(low)) <= ratio <= oracle.ball(Fraction(high))
            assert Fraction(high) < 1


# Closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu(0.5)"])
def test_gershgorin_is_sharp_for_orthogonal_rows(activation: str) -> None:
    where = setting(np.diag([1.0, 2.0, 3.0]), Network(activation, 1, "hidden", weight_std="2"))
    slope = {"relu": 0, "abs": -1}.get(activation, Fraction(1, 2))
    truth = 4 * 4 * Fraction(1 + slope * slope) / 2
    assert truth - Fraction(1, 10**15) < derive(where, "gershgorin", squarings=3).value <= truth


def test_the_weights_sum_to_the_diagonal() -> None:
    problem = setting(np.eye(2)).problem
    assert weight(problem, 1) == Fraction(1, 4)
    assert weight(problem, 2) < 1 / (2 * pi)
    assert float(weight(problem, 2)) == pytest.approx(1 / (2 * pi), rel=1e-15)
    assert float(weight(problem, 8)) == pytest.approx(comb(6, 3) / 64 / 7 / (2 * pi), rel=1e-15)
    assert PI[0] < Fraction(3141592653589793238462643, 10**24) < PI[1]


def test_tails() -> None:
    with flint.ctx.workprec(200):
        for j, tail in enumerate(_tails(9)):
            exact = sum((Fraction(comb(2 * m, m), 4**m * (2 * m + 1)) for m in range(2**j - 1)), Fraction(0))
            truth = arb(1) / 4 - oracle.ball(exact) / (2 * arb.pi())
            assert oracle.ball(tail) <= truth
            assert truth - oracle.ball(tail) < 1e-19
            assert truth > 1 / (2 * arb.pi() ** 1.5 * (arb(2**j) - 0.5).sqrt())  # Wallis


def test_separation_closed_forms() -> None:
    angle = 0.1
    x = np.array([[1.0, 0], [np.cos(angle), np.sin(angle)], [0, -5]])
    found = derived(setting(x))
    delta = 2 * np.sin(angle / 2)
    assert float(found["separation"]) == pytest.approx(delta / 900, rel=1e-12)
    assert float(found["separation_log"]) == pytest.approx(delta / (22.2734 * sqrt(1 + 0.6932 * 3)), rel=1e-12)
    assert found["separation_log"] <= delta / (4 * pi**1.5 * sqrt(1 + log(4)))


@pytest.mark.parametrize("k", POWERS)
def test_power_enclosure(k: int) -> None:
    rng = np.random.default_rng(k)
    where = setting(rng.standard_normal((5, 3)), Network(bias="0.5"), ENGINES[k % 2])
    step = Step("x", "power_enclosure", (), {"power": k, "precision": 60})
    nothing = EigenvalueBound("kernel", "min", "lower", Fraction(0))
    found = RULES["power_enclosure"].derive(where, RULES["power_enclosure"].inputs(step, (), nothing))
    assert (found.claim.matrix, found.claim.radius) == (f"power-{k}", 5)
    assert np.allclose(as_floats(found.matrix, -60), _power(where.problem, k), rtol=1e-12, atol=1e-15)


def test_scaling_the_rows_scales_the_bounds() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3))
    small, large = derived(setting(x)), derived(setting(4 * x))
    assert all(large[name] == 16 * small[name] for name in small)


# Hypotheses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "network", "code"),
    [
        (np.eye(2), Network("relu", 2), "wrong-depth"),
        (np.eye(2), Network("relu", 1, "output"), "wrong-train"),
        (np.eye(2), Network("erf", 1, "hidden"), "wrong-activation"),
        (np.eye(2), Network("identity", 1, "hidden"), "wrong-activation"),
        (np.array([[1.0, 2], [0, 0]]), HIDDEN, "zero-row"),
        (np.array([[1.0, 2], [2, 4]]), HIDDEN, "not-separated"),
        (np.array([[1.0, 2], [3, 1], [-0.5, -1]]), HIDDEN, "not-separated"),
        (np.array([[1.0, 2], [1, 2]]), Network("relu", 1, "hidden", "1"), "not-separated"),
    ],
)
def test_hypotheses(x: np.ndarray, network: Network, code: str) -> None:
    for engine in ENGINES:
        for rule, args in (("separation", {}), ("separation_log", {}), ("gershgorin", {"squarings": 3})):
            with pytest.raises(Rejection) as caught:
                derive(setting(x, network, engine), rule, **args)
            assert caught.value.code == code
            assert caught.value.needed
            assert caught.value.derived


def test_a_bias_separates_parallel_rows() -> None:
    found = derived(setting(np.array([[1.0, 2], [2, 4]]), Network("relu", 1, "hidden", "1")))
    assert all(value > 0 for value in found.values())


def test_the_nngp_kernel_and_other_premises_are_refused() -> None:
    with pytest.raises(Rejection, match="another network"):
        derive(setting(np.eye(2), Network(), kernel="nngp"), "separation")
    with pytest.raises(Rejection, match="another network"):
        power_bound(setting(np.eye(2), Network("erf", 1, "hidden")), 2, Fraction(1))
    for claim in (
        EigenvalueBound("kernel", "min", "lower", Fraction(1)),
        EigenvalueBound("power-2", "max", "lower", Fraction(1)),
        EigenvalueBound("power-2", "min", "upper", Fraction(1)),
    ):
        with pytest.raises(Rejection) as caught:
            derive(setting(np.eye(2)), "khatri_rao", (Proved(claim),))
        assert caught.value.code == "bad-premises"
    assert power_bound(setting(np.eye(2)), 2, Fraction(-1)) == 0


@pytest.mark.parametrize(("rule", "args"), [("power_enclosure", (3, 60)), ("power_enclosure", (34, 60))])
def test_odd_and_large_powers_are_refused(rule: str, args: tuple[int, int]) -> None:
    with pytest.raises(Rejection) as caught:
        derive(setting(np.eye(2)), rule, power=args[0], precision=args[1])
    assert caught.value.code == "bad-argument"


# Forgeries --------------------------------------------------------------------------------------------------------

GOOD = certify(np.array([[1.0, 2], [3, -1], [0.5, 0.25]]), statement="a-priori")


def with_step(name: str, **changes: Any) -> Verdict:
    steps = tuple(replace(step, **changes) if step.id == name else step for step in GOOD.steps)
    return check(replace(GOOD, steps=steps))


def claim_of(name: str, **changes: Any) -> Mapping[str, Any]:
    return {**next(step for step in GOOD.steps if step.id == name).claim, **changes}


def test_the_good_one_is_accepted() -> None:
    for engine in ENGINES:
        assert check(GOOD, engine=engine).valid


@pytest.mark.parametrize(
    ("name", "changes", "code"),
    [
        ("separation", {"claim": claim_of("separation", value="0.01")}, "claim-not-derived"),
        ("separation_log", {"claim": claim_of("separation_log", value="0.2")}, "claim-not-derived"),
        ("gershgorin", {"claim": claim_of("gershgorin", value="0.9")}, "claim-not-derived"),
        ("gershgorin", {"claim": claim_of("gershgorin", side="upper")}, "claim-differs"),
        ("gershgorin", {"args": {"squarings": 21}}, "bad-argument"),
        ("khatri_rao", {"claim": claim_of("khatri_rao", value="0.9")}, "claim-not-derived"),
        ("khatri_rao", {"uses": ("lower",)}, "bad-premises"),
        ("power", {"claim": claim_of("power", radius=2)}, "claim-not-derived"),
        ("power", {"claim": claim_of("power", matrix="kernel")}, "claim-differs"),
        ("khatri_rao", {"uses": ("power",)}, "bad-premises"),
        ("a_priori", {"uses": ("lambda_min",)}, "bad-premises"),
        ("a_priori", {"uses": ("lambda_min", "lower")}, "bad-premises"),
        ("a_priori", {"uses": ("lambda_min", "upper")}, "bad-premises"),
        ("a_priori", {"uses": ("lambda_min", "separation")}, "claim-differs"),
        ("a_priori", {"claim": claim_of("a_priori", rules=["gershgorin"] * 4)}, "claim-differs"),
        ("a_priori", {"claim": claim_of("a_priori", bounds=["0"] * 4)}, "claim-differs"),
        ("a_priori", {"claim": claim_of("a_priori", ratio_upper=["0.001"] * 4)}, "claim-not-derived"),
        ("a_priori", {"claim": claim_of("a_priori", ratio_lower=["0.9"] * 4)}, "claim-not-derived"),
        ("a_priori", {"claim": claim_of("a_priori", ratio_lower=["0"] * 3)}, "bad-claim"),
        ("a_priori", {"claim": claim_of("a_priori", rules=["lambda_min"] * 4)}, "bad-claim"),
        ("a_priori", {"claim": claim_of("a_priori", rules=[])}, "bad-claim"),
        ("lambda_min", {"claim": claim_of("lambda_min", lower="0")}, "not-positive"),
    ],
)
def test_forgeries_are_rejected(name: str, changes: dict[str, Any], code: str) -> None:
    assert with_step(name, **changes).code == code


def test_the_prover_says_which_hypothesis_fails() -> None:
    with pytest.raises(InputError, match=r"another network \(needed 1, found 2\)"):
        certify(np.eye(3), Network("relu", 2), statement="a-priori")
    with pytest.raises(InputError, match="λ_min = 0 by symmetry"):
        certify(np.array([[1.0, 2], [2, 4]]), statement="a-priori")
    with pytest.raises(InputError, match="parallel"):
        certify(np.array([[1.0, 2], [-2, -4]]), statement="a-priori")


def test_khatri_rao_is_left_out_where_no_power_has_full_rank() -> None:
    x = np.array([[np.cos(t), np.sin(t)] for t in np.linspace(0, 3.1, 24)])
    assert "khatri_rao" not in bounds(Draft(setting(x)))

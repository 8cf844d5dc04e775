"""Hermite expansions against integrals that share no code with them: Arb's rigorous quadrature and trapezoidal sums."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from fractions import Fraction as F
from functools import cache
from typing import Any

import flint
import numpy as np
import pytest
from flint import acb, arb
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf as float_erf
from scipy.special import expit

from ntkproof.certificate import to_json
from ntkproof.checker import check
from ntkproof.checker.activations.covariance import Covariance
from ntkproof.checker.activations.dual import activation
from ntkproof.checker.activations.hermite import Series, Side, _power, _reach, _sum
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.limit.entries import enclose_kernel
from ntkproof.checker.logic.claim import Rejection, parse_claim
from ntkproof.checker.logic.format import Step
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.table import KINDS, RULES
from ntkproof.data.datasets import load, prepare
from ntkproof.gram import enclose_gram
from ntkproof.prover.certify import certify

ENGINES = ("reference", "fast")
TRUTH_BITS = 120
TRUTH_ERROR = F(1, 10**20)
NAMES = ("tanh", "sigmoid", "softplus", "gelu", "silu", "gaussian")


def gelu_slope(x: Any, one: Any) -> Any:
    return (one + (x / arb(2).sqrt()).erf()) / 2 + x * (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def logistic(x: Any) -> Any:
    return 1 / (1 + (-x).exp())


EXACT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (lambda x: x.tanh(), lambda x: 1 / x.cosh() ** 2),
    "sigmoid": (logistic, lambda x: logistic(x) * logistic(-x)),
    "softplus": (lambda x: (1 + x.exp()).log(), logistic),
    "gelu": (lambda x: x * (1 + (x / arb(2).sqrt()).erf()) / 2, lambda x: gelu_slope(x, 1)),
    "silu": (lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x))),
    "gaussian": (lambda x: (-x * x / 2).exp(), lambda x: -x * (-x * x / 2).exp()),
}


def float_gelu_slope(x: np.ndarray) -> np.ndarray:
    return (1 + float_erf(x / np.sqrt(2))) / 2 + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


FLOATS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (expit, lambda x: expit(x) * expit(-x)),
    "softplus": (lambda x: np.logaddexp(0, x), expit),
    "gelu": (lambda x: x * (1 + float_erf(x / np.sqrt(2))) / 2, float_gelu_slope),
    "silu": (lambda x: x * expit(x), lambda x: expit(x) * (1 + x * expit(-x))),
    "gaussian": (lambda x: np.exp(-x * x / 2), lambda x: -x * np.exp(-x * x / 2)),
    "expr(x**3 - 3*x)": (lambda x: x**3 - 3 * x, lambda x: 3 * x**2 - 3),
    "expr(x*tanh(x))": (lambda x: x * np.tanh(x), lambda x: np.tanh(x) + x / np.cosh(x) ** 2),
    "expr(atan(x) + cos(2*x))": (lambda x: np.arctan(x) + np.cos(2 * x), lambda x: 1 / (1 + x**2) - 2 * np.sin(2 * x)),
}


@contextlib.contextmanager
def numbers(engine: str, bits: int) -> Iterator[Any]:
    with ArbNumbers(bits).at(bits) as balls:
        yield Intervals(bits) if engine == "reference" else balls


def duals(
    engine: str, name: str, q: Fraction, c: Fraction, r: Fraction, terms: int, bits: int = 64, same: bool = False
) -> list[tuple[Fraction, Fraction]]:
    """Enclosures of T_σ and T_σ' as (midpoint, radius)."""
    with numbers(engine, bits) as context:
        sigma = activation(name, terms)
        qq, rr = context.rational(q), context.rational(r)
        ready = sigma.prepare(context, qq), sigma.prepare(context, rr)
        cov = Covariance(context, qq, context.rational(c), rr, context.rational(q * r - c * c), *ready, same)
        found = [context.quantise(value, 200) for value in (sigma.dual(cov), sigma.dual_derivative(cov))]
    return [(F(middle, 2**200), F(radius, 2**200)) for middle, radius in found]


def exact_value(x: arb) -> Fraction:
    m, e = (int(part) for part in x.mid().man_exp())
    return F(m) * F(2) ** e


def to_arb(x: Fraction) -> arb:
    return arb(flint.fmpq(x.numerator, x.denominator))


@cache
def truth(name: str, derivative: bool, q: Fraction, rho: Fraction, ratio: Fraction = F(1)) -> Fraction:
    """``E f(u) f(v)``, variances q and ``ratio² q``, correlation rho: to 20 digits."""
    f = EXACT[name][derivative]
    with flint.ctx.workprec(TRUTH_BITS):
        root = to_arb(q).sqrt()
        if abs(rho) == 1:
            other = root * to_arb(ratio * rho)

            def integrand(z: acb, _: bool) -> acb:
                return f(root * z) * f(other * z) * (-z * z / 2).exp() / (2 * acb.pi()).sqrt()

            return exact_value(acb.integral(integrand, -13, 13, rel_tol=arb(2) ** -90).real)
        steepest = F(float(root)) * max(1, ratio)
        strip = (3 if name in ("sigmoid", "softplus", "silu") else F(3, 2)) / max(steepest, 1)
        step = min(F(1, 8), strip / 9)
        if name in ("gelu", "gaussian"):  # entire
            step = F(3, 10) / F(float((1 + to_arb(steepest) ** 2).sqrt()))
        step = F(round(step * 256), 256) or F(1, 256)
        count = int(F(21, 2) / step)
        h, sine = to_arb(step), to_arb(1 - rho * rho).sqrt()
        points = [k * h for k in range(-count, count + 1)]
        weights = [(-z * z / 2).exp() * h / (2 * arb.pi()).sqrt() for z in points]
        first, scale = root * to_arb(ratio * rho), root * to_arb(ratio) * sine
        turned = [scale * z for z in points]
        total = arb(0)
        for z, w in zip(points, weights, strict=True):
            inner = sum((g * f(first * z + t) for g, t in zip(weights, turned, strict=True)), arb(0))
            total += w * f(root * z) * inner
        return exact_value(total)


def assert_holds(found: tuple[Fraction, Fraction], value: Fraction, width: Fraction | None = None) -> None:
    middle, radius = found
    assert abs(middle - value) <= radius + TRUTH_ERROR * max(1, abs(value)), (float(middle), float(value))
    if width is not None:
        assert radius <= width, float(radius)


def compare(engine: str, name: str, q: Fraction, rho: Fraction, ratio: Fraction, terms: int) -> None:
    found = duals(engine, name, q, rho * ratio * q, ratio**2 * q, terms)
    for derivative in (False, True):
        width = F(1, 2**40) if abs(rho) < F(1, 2) and q <= 1 else None
        assert_holds(found[derivative], truth(name, derivative, q, rho, ratio), width)


# Against integrals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_trapezoidal_truth_has_converged(name: str) -> None:
    """At ρ = 1 − 10^-30 the sum must be the rigorous one-dimensional integral."""
    near = 1 - F(1, 10**50)
    for derivative in (False, True):
        assert abs(truth(name, derivative, F(1), near) - truth(name, derivative, F(1), F(1))) < TRUTH_ERROR


@pytest.mark.parametrize("rho", [F(3, 10), F(-999999, 10**6), F(1), F(-1)])
@pytest.mark.parametrize("name", NAMES)
def test_named_activations(name: str, rho: Fraction) -> None:
    compare("fast", name, F(1), rho, F(1), 150)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_different_norms_in_both_arithmetics(name: str, engine: str) -> None:
    compare(engine, name, F(3, 10), F(-3, 10), F(3, 2), 60)


GRID = [F(0), F(3, 10), F(-3, 10), F(999999, 10**6), F(-999999, 10**6), F(1), F(-1)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("q", [F(1, 10**6), F(3, 10), F(1), F(7), F(50)])
@pytest.mark.parametrize("name", NAMES)
def test_the_grid(name: str, q: Fraction, engine: str) -> None:
    for rho in GRID:
        for terms in (20, 200):
            compare(engine, name, q, rho, F(1), terms)
            if q <= 1:
                compare(engine, name, q, rho, F(4, 3), terms)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_the_diagonal_is_a_single_integral(name: str, engine: str) -> None:
    q = F(13, 10)
    for derivative, found in enumerate(duals(engine, name, q, q, q, 0, same=True)):
        assert_holds(found, truth(name, bool(derivative), q, F(1)), F(1, 2**57))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_rows_of_zeros(name: str, engine: str) -> None:
    """``q = 0``: ``T = f(0) E f(√r Z)``; both zero: ``f(0)²``."""
    for r in (F(0), F(2)):
        for derivative, found in enumerate(duals(engine, name, F(0), F(0), r, 30)):
            f = EXACT[name][derivative]
            with flint.ctx.workprec(TRUTH_BITS):
                if r == 0:
                    value = exact_value(f(arb(0)) ** 2)
                else:
                    g = lambda z, _, f=f: f(acb(2).sqrt() * z) * (-z * z / 2).exp() / (2 * acb.pi()).sqrt()  # noqa: E731
                    mean = acb.integral(g, -13, 13).real
                    value = exact_value(f(arb(0)) * mean)
            assert_holds(found, value, F(1, 2**55))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "bits"), [("tanh", 64), ("gelu", 128), ("softplus", 30)])
def test_every_coefficient_is_within_its_error(name: str, bits: int, engine: str) -> None:
    """``E σ(√q Z) h_k(Z)`` by rigorous quadrature of the definition."""
    q = F(2)
    with numbers(engine, bits) as context:
        sides = activation(name, 24).prepare(context, context.rational(q))
    for side, f in zip(sides, EXACT[name], strict=True):
        for k in (0, 1, 2, 7, 24):

            def integrand(z: acb, _: bool, k: int = k, f: Any = f) -> acb:
                before, h = acb(0), acb(1)
                for n in range(k):
                    before, h = h, (z * h - acb(n).sqrt() * before) / acb(n + 1).sqrt()
                return f(acb(2).sqrt() * z) * h * (-z * z / 2).exp() / (2 * acb.pi()).sqrt()

            with flint.ctx.workprec(220):
                value = exact_value(acb.integral(integrand, -20, 20, rel_tol=arb(2) ** -180).real)
            unit = F(1, 2**side.series.unit)
            assert abs(side.series.coefficients[k] * unit - value) <= side.total * unit + F(1, 2**160)
            assert side.total * unit <= F(1, 2 ** (bits - 8))
        norm = sum(a * a for a in side.series.coefficients)
        assert norm <= side.norm**2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "closed", "terms"),
    [
        ("expr(relu(x))", "relu", 300),
        ("expr(abs(x))", "abs", 40),
        ("expr(erf(x))", "erf", 60),
        ("expr(sin(x))", "sin", 40),
        ("expr(cos(x))", "cos", 40),
        ("expr(x)", "identity", 3),
        ("expr(relu(x) - relu(-x)/4)", "leaky_relu(0.25)", 40),
    ],
)
def test_closed_forms_come_out_of_the_same_door(name: str, closed: str, terms: int, engine: str) -> None:
    for q, c, r in ((F(1), F(3, 10), F(1)), (F(2), F(-1), F(1, 2)), (F(5), F(2), F(4, 3)), (F(1), F(99, 100), F(1))):
        found = duals(engine, name, q, c, r, terms)
        with numbers("reference", 300) as context:
            arguments = [context.rational(value) for value in (q, c, r, q * r - c * c)]
            sigma, cov = activation(closed), Covariance(context, *arguments)
            known = [context.endpoints(value) for value in (sigma.dual(cov), sigma.dual_derivative(cov))]
        for (middle, radius), (low, high) in zip(found, known, strict=True):
            assert middle - radius <= low
            assert high <= middle + radius


# In floating point, many cases ------------------------------------------------------------------------------------

POINTS = np.arange(-9, 9.001, 0.05)
WEIGHTS = np.exp(-(POINTS**2) / 2) * 0.05 / np.sqrt(2 * np.pi)


def float_truth(name: str, derivative: bool, q: float, c: float, r: float) -> float:
    f = FLOATS[name][derivative]
    if q == 0 or r == 0:
        a, b = (float(WEIGHTS @ f(np.sqrt(x) * POINTS)) for x in (q, r))
        return a * b
    rho = min(1.0, max(-1.0, c / np.sqrt(q * r)))
    u = np.sqrt(q) * POINTS[:, None]
    v = np.sqrt(r) * (rho * POINTS[:, None] + np.sqrt(1 - rho * rho) * POINTS[None, :])
    return float(WEIGHTS @ (f(u) * f(v)) @ WEIGHTS)


@given(
    st.sampled_from(sorted(FLOATS)),
    st.fractions(F(1, 1000), 12, max_denominator=1000),
    st.fractions(F(1, 10), 3, max_denominator=100),
    st.fractions(-1, 1, max_denominator=100),
    st.integers(0, 40),
    st.sampled_from([30, 34, 40]),
)
@settings(max_examples=40, deadline=None)
def test_no_counterexample(name: str, q: Fraction, ratio: Fraction, rho: Fraction, terms: int, bits: int) -> None:
    c, r = rho * ratio * q, ratio**2 * q
    for derivative, (middle, radius) in enumerate(duals("fast", name, q, c, r, terms, bits)):
        value = float_truth(name, bool(derivative), float(q), float(c), float(r))
        size = 1 + float_truth(name, bool(derivative), float(r), float(r), float(r))
        assert abs(float(middle) - value) <= float(radius) + 1e-11 * max(1.0, abs(value), size)


def float_kernel(name: str, network: Network, kernel: str, x: np.ndarray, y: np.ndarray) -> float:
    weight, bias = float(network.sigma_w**2), float(network.beta**2)
    q, c, r = (weight * float(a @ b) + bias for a, b in ((x, x), (x, y), (y, y)))
    tangent = c
    for layer in range(network.depth):
        slope, value = float_truth(name, True, q, c, r), float_truth(name, False, q, c, r)
        if network.train == "hidden":
            return weight * tangent * slope
        if network.train == "output":
            return weight * value
        if network.train == "both":
            return weight * (tangent * slope + value)
        q, r = (weight * float_truth(name, False, t, t, t) + bias for t in (q, r))
        c = weight * value + bias
        tangent = c + weight * tangent * slope if kernel == "ntk" else c
        del layer
    return tangent


ROWS = np.array([[1.0, 0.5, -0.25], [0.25, -1.0, 0.5], [1.0, 0.5, -0.3125], [-1.0, -0.5, 0.25], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("network", "kernel"),
    [
        (Network("tanh"), "ntk"),
        (Network("gelu", train="hidden", bias="0.5"), "ntk"),
        (Network("silu", train="output", weight_std="1.5"), "ntk"),
        (Network("sigmoid", train="both"), "ntk"),
        (Network("tanh", depth=3, weight_std="1.2"), "ntk"),
        (Network("gelu", depth=2, bias="0.1", weight_std="1.4"), "ntk"),
        (Network("gaussian", depth=2), "nngp"),
        (Network("expr(x*tanh(x))", depth=2), "ntk"),
    ],
)
def test_whole_kernels_in_both_arithmetics(network: Network, kernel: str) -> None:
    problem = Problem(Dataset(ROWS), network, kernel)
    n, precision = len(ROWS), 44
    expected = [[float_kernel(network.activation, network, kernel, x, y) for y in ROWS] for x in ROWS]
    for engine in ENGINES:
        matrix, radius = enclose_kernel(arithmetic(engine), problem, precision, 60, lambda done, total: None, 120)
        assert radius < 2**18
        entries = iter(matrix.lower())
        for i in range(n):
            for j in range(i + 1):
                assert abs(next(entries) / 2**precision - expected[i][j]) < radius / 2**precision + 1e-9, (engine, i, j)


# Parts ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=12), st.integers(-(2**20), 2**20), st.integers(0, 500))
@settings(max_examples=200, deadline=None)
def test_the_sum_of_known_coefficients(a: list[int], rho: int, spread: int) -> None:
    unit = 20
    series = Series(a, 0, sum(x * x for x in a) >> unit, 1, unit)
    middle, radius = _sum(Side(series, 0), Side(series, 0), rho, spread)
    for r in (max(-1, F(rho - spread, 2**unit)), min(1, F(rho + spread, 2**unit))):
        value = sum(F(x, 2**unit) ** 2 * r**k for k, x in enumerate(a))
        assert abs(F(middle, 2**unit) - value) <= F(radius, 2**unit)


@given(st.integers(0, 2**30), st.integers(0, 3000))
def test_powers_are_rounded_up(x: int, n: int) -> None:
    assert F(x, 2**30) ** n <= F(_power(x, n, 30), 2**30) <= F(x, 2**30) ** n + F(4 * n + 4, 2**30)


@given(st.fractions(F(1, 10**12), 10**12))
def test_reach(square: Fraction) -> None:
    reach = _reach(square)
    assert square <= reach**2 <= square * F(25, 16)
    assert reach.denominator & (reach.denominator - 1) == 0


# Rules and proofs -------------------------------------------------------------------------------------------------

PAIR = Dataset(np.array([[1.0, 0.5], [0.25, -1.0]]))
ARGS = {"precision": 40, "working_precision": 64, "terms": 60}


def derive(rule: str, network: Network, args: dict[str, Any], dataset: Dataset = PAIR) -> Any:
    setting = Setting(Problem(dataset, network), arithmetic("fast"), lambda done, total: None)
    claim = parse_claim({"kind": "enclosure", "matrix": "kernel", "precision": 40, "radius": 1}, KINDS)
    step = Step("k", rule, args=args, claim={})
    return RULES[rule].derive(setting, RULES[rule].inputs(step, (), claim))


@pytest.mark.parametrize(
    ("rule", "name", "change", "code"),
    [
        ("kernel_enclosure", "tanh", None, "wrong-activation"),
        ("hermite_enclosure", "relu", {}, "wrong-activation"),
        ("hermite_enclosure", "tanh", {"terms": 2001}, "bad-argument"),
        ("hermite_enclosure", "tanh", {"terms": -1}, "bad-argument"),
        ("hermite_enclosure", "tanh", {"working_precision": 5000}, "bad-argument"),
        ("hermite_enclosure", "expr(exp(x))", {}, "no-enclosure"),
        ("hermite_enclosure", "expr(1/x)", {}, "no-enclosure"),
        ("hermite_enclosure", "expr(log(x))", {}, "no-enclosure"),
        ("hermite_enclosure", "expr(sqrt(x**2))", {}, "no-enclosure"),
        ("hermite_enclosure", "expr(1/(x - 1))", {}, "no-enclosure"),
        ("hermite_enclosure", "expr(exp(x**2))", {}, "no-enclosure"),
    ],
)
def test_what_the_rule_refuses(rule: str, name: str, change: dict[str, int] | None, code: str) -> None:
    args = {"precision": 40, "working_precision": 64} if change is None else {**ARGS, **change}
    with pytest.raises(Rejection) as caught:
        derive(rule, Network(name), args)
    assert caught.value.code == code


def test_more_terms_and_more_bits_tighten() -> None:
    radii = [derive("hermite_enclosure", Network("tanh"), {**ARGS, "terms": k}).claim.radius for k in (0, 4, 16, 64)]
    assert radii == sorted(radii, reverse=True)
    assert radii[0] > 2**20 > 2**6 > radii[-1]


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_wine_is_certified_and_checked_by_both_arithmetics(name: str) -> None:
    data = prepare(load("wine"), rows=50, standardize=True, normalize=True)
    certificate = certify(data, Network(name))
    text = to_json(certificate)
    for engine in ENGINES:
        assert check(text, engine=engine).verdict == "valid"
    low, high = (F(certificate.conclusion[side]) for side in ("lower", "upper"))
    assert 0 < low < high < low * (1 + F(1, 10**6))


@pytest.mark.parametrize(("name", "depth"), [("tanh", 1), pytest.param("expr(x*tanh(x))", 2, marks=pytest.mark.slow)])
def test_a_proof_found_by_the_reference_arithmetic(name: str, depth: int) -> None:
    data = prepare(load("iris"), rows=4, normalize=True)
    certificate = certify(data, Network(name, depth=depth), engine="reference", gap=1e-2)
    assert [check(to_json(certificate), engine=engine).verdict for engine in ENGINES] == ["valid", "valid"]


def test_odd_and_even_symmetries_make_exact_zeros() -> None:
    data = Dataset(np.array([[1.0, 2.0], [-1.0, -2.0], [0.5, 1.0]]))
    for name in ("tanh", "gaussian", "expr(x*tanh(x))", "expr(x**3 - 3*x)"):
        certificate = certify(data, Network(name))
        assert certificate.conclusion["upper"] == "0"
        assert check(to_json(certificate)).verdict == "valid"
    assert float(str(certify(data, Network("gelu")).conclusion["lower"])) > 0


def test_rows_too_long_for_the_expansion_get_a_weak_proof_and_no_false_one() -> None:
    certificate = certify(np.array([[3000.0, 0.0], [3000.0, 1.0], [2999.0, 1.0]]), Network("tanh"))
    assert certificate.conclusion["lower"] == "0"
    assert check(certificate).valid


def test_enclosures_of_entries_for_use_outside_a_proof() -> None:
    for name in ("tanh", "gelu"):
        middle, radius = enclose_gram(ROWS[:3], Network(name), precision=40)
        network = Network(name)
        for i in range(3):
            for j in range(3):
                assert abs(middle[i, j] - float_kernel(name, network, "ntk", ROWS[i], ROWS[j])) < radius[i, j] + 1e-9
        assert radius.max() < 1e-9


def test_one_activation_may_be_prepared_at_several_precisions() -> None:
    sigma, value = activation("tanh", 120), truth("tanh", False, F(1), F(3, 10))
    for bits in (40, 90, 64, 40):
        numbers = Intervals(bits)
        q, c = numbers.rational(1), numbers.rational(F(3, 10))
        side = sigma.prepare(numbers, q)
        low, high = numbers.endpoints(sigma.dual(Covariance(numbers, q, c, q, 1 - c * c, side, side)))
        assert low - TRUTH_ERROR <= value <= high + TRUTH_ERROR
        assert high - low < F(1, 2 ** (bits - 12))

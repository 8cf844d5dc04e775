"""Eigenvalues on the sphere against closed forms, quadrature of other formulas, and forgeries.

The checker sums κ at ``tanh(j/s)`` over balls; here κ is written with angles, in mpmath or NumPy, and integrated over
the angle by Gauss and Legendre, where it is smooth even for ReLU.
"""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from math import comb, factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import eval_chebyt, eval_gegenbauer, eval_hermitenorm, expit, ndtr

from ntkproof.certificate import to_json
from ntkproof.checker import Verdict, check
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.check import parse
from ntkproof.checker.limit.sphere import Mercer, vanishing
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.sphere import Sphere
from ntkproof.checker.problem.training import Training
from ntkproof.checker.table import RULES
from ntkproof.commands.main import cli
from ntkproof.prover.certify import certify
from ntkproof.prover.sphere import certify_sphere, multiplicity
from ntkproof.statements.statement import Question

ENGINES = ("fast", "reference")
FOLDER = Path(__file__).parents[3] / "certificates" / "sphere"
NAMES = ("relu", "leaky_relu(0.3)", "leaky_relu(-0.5)", "abs", "identity", "erf", "sin", "cos")
TINY = Fraction(1, 10**25)


# The independent truth --------------------------------------------------------------------------------------------


class Float:
    """The functions of a kernel in NumPy; `mpmath.mp` has them under the same names."""

    pi, sqrt, exp, sin, cosh, sinh, asin = np.pi, np.sqrt, np.exp, np.sin, np.cosh, np.sinh, np.arcsin

    @staticmethod
    def acos(x: Any) -> Any:
        return np.arccos(np.clip(x, -1, 1))

    @staticmethod
    def mpf(x: Any) -> Any:
        return np.float64(x)


SMOOTH = {
    "tanh": np.tanh,
    "sigmoid": expit,
    "softplus": lambda z: np.logaddexp(0, z),
    "gelu": lambda z: z * ndtr(z),
    "silu": lambda z: z * expit(z),
    "gaussian": lambda z: np.exp(-z * z / 2),
}


def smooth_duals(name: str, q: float, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over Hermite coefficients by quadrature, to about 1e-7; those of σ' are ``√(k/q) a_k`` (Stein)."""
    z, weights = np.polynomial.hermite_e.hermegauss(150)
    weights = weights / weights.sum()
    k = np.arange(41)
    h = np.array([eval_hermitenorm(n, z) / np.sqrt(float(factorial(n))) for n in k])
    squares = (h @ (weights * SMOOTH[name](np.sqrt(q) * z))) ** 2
    rho = np.asarray(c / q)[..., None]
    return (squares * rho**k).sum(-1), (squares * k / q * rho ** np.maximum(k - 1, 0)).sum(-1)


def duals(name: str, m: Any, q: Any, c: Any) -> tuple[Any, Any]:
    """``E σ(u)σ(v)`` and ``E σ'(u)σ'(v)`` for variances q and covariance c."""
    if name == "identity":
        return c, 1
    if name in SMOOTH:
        return smooth_duals(name, q, c)
    if name == "erf":
        return 2 / m.pi * m.asin(2 * c / (1 + 2 * q)), 4 / m.pi / m.sqrt((1 + 2 * q) ** 2 - 4 * c * c)
    if name in ("sin", "cos"):
        odd, even = m.exp(-q) * m.sinh(c), m.exp(-q) * m.cosh(c)
        return (odd, even) if name == "sin" else (even, odd)
    slope = m.mpf({"relu": "0", "abs": "-1"}.get(name, name[11:-1]))
    theta = m.acos(c / q)
    same = 1 - theta / m.pi
    relu, flipped = ((q * m.sin(theta) + (m.pi - t) * x) / (2 * m.pi) for t, x in ((theta, c), (m.pi - theta, -c)))
    return (1 + slope**2) * relu - 2 * slope * flipped, (1 + slope**2) / 2 * same + slope * (1 - same)


def kappa(problem: Problem, m: Any, t: Any) -> Any:
    """The kernel as a sum over the trained layers, ``Σ_l Σ^l Π_{h ≥ l} σ_w² T_σ'``."""
    net = problem.network
    weight, bias = (m.mpf(x.numerator) / x.denominator for x in (net.sigma_w**2, net.beta**2))
    scale = weight / problem.domain.d if net.input_scale == "fan-in" else weight
    q, sigma, slopes = scale + bias, [scale * t + bias], []
    for _ in range(net.depth):
        dual, derivative = duals(net.activation, m, q, sigma[-1])
        sigma.append(weight * dual + bias)
        slopes.append(weight * derivative)
        q = weight * duals(net.activation, m, q, q)[0] + bias
    terms = []
    for layer, value in enumerate(sigma):
        for slope in slopes[layer:]:
            value = value * slope
        terms.append(value)
    if problem.kernel == "nngp":
        return sigma[-1]
    return {"all": sum(terms), "both": sum(terms) - bias, "output": terms[-1] - bias, "hidden": terms[0]}[net.train]


@cache
def gauss() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(400)
    return (nodes + 1) * np.pi / 2, weights


def in_floats(problem: Problem, highest: int) -> np.ndarray:
    """``λ_0 … λ_highest`` by 400 nodes in the angle, to about 1e-13 of κ(1)."""
    d = problem.domain.d
    phi, weights = gauss()
    t, weights = np.cos(phi), weights * np.sin(phi) ** (d - 2)
    k = np.arange(highest + 1)[:, None]
    nu = d / 2 - 1
    values = eval_chebyt(k, t) if d == 2 else eval_gegenbauer(k, nu, t) / eval_gegenbauer(k, nu, 1.0)
    return values @ (weights * kappa(problem, Float, t)) / weights.sum()


def in_sixty_digits(problem: Problem, k: int) -> Any:
    """``λ_k`` by mpmath's quadrature in the angle."""
    d = problem.domain.d
    nu = mp.mpf(d) / 2 - 1

    def legendre(t: Any) -> Any:
        return mp.chebyt(k, t) if d == 2 else mp.gegenbauer(k, nu, t) / mp.gegenbauer(k, nu, 1)

    def integrand(phi: Any) -> Any:
        t = mp.cos(phi)
        return kappa(problem, mp, t) * legendre(t) * mp.sin(phi) ** (d - 2)

    total = mp.quad(integrand, [0, mp.pi / 2, mp.pi], method="gauss-legendre")
    return total * mp.gamma(nu + 1) / mp.gamma(nu + mp.mpf(1) / 2) / mp.sqrt(mp.pi)


def fraction(x: Any) -> Fraction:
    return Fraction(*x.as_integer_ratio()) if isinstance(x, float) else Fraction(int(mp.floor(x * 2**300)), 2**300)


def ends(certificate: Certificate) -> tuple[list[Fraction], list[Fraction]]:
    """The intervals of a certificate."""
    claim = certificate.conclusion
    return [Fraction(x) for x in claim["lower"]], [Fraction(x) for x in claim["upper"]]


def derive(problem: Problem, highest: int, s: int, nodes: int, precision: int, engine: str = "fast") -> Mercer:
    args = {"max_frequency": highest, "inverse_step": s, "nodes": nodes, "precision": precision, "terms": 0}
    rule = RULES["mercer"]
    setting = Setting(problem, arithmetic(engine), lambda done, total: None)
    claim = rule.derive(setting, rule.inputs(Step("s", "mercer", args=args), (), None)).claim
    assert isinstance(claim, Mercer)
    return claim


# Closed forms -----------------------------------------------------------------------------------------------------


def by_sympy(d: int, train: str, k: int) -> sympy.Expr:
    """``λ_k`` of the two-layer ReLU kernel by symbolic integration over the angle."""
    phi = sympy.Symbol("phi", positive=True)
    hidden = (sympy.pi - phi) * sympy.cos(phi) / (2 * sympy.pi)
    output = (sympy.sin(phi) + (sympy.pi - phi) * sympy.cos(phi)) / (2 * sympy.pi)
    kernel = {"hidden": hidden, "output": output, "all": hidden + output}[train]
    legendre = sympy.cos(k * phi) if d == 2 else sympy.legendre(k, sympy.cos(phi)) * sympy.sin(phi)
    factor = 1 / sympy.pi if d == 2 else sympy.Rational(1, 2)
    integrand = sympy.expand(kernel * legendre).rewrite(sympy.exp).expand()
    return sympy.simplify(factor * sympy.integrate(integrand, (phi, 0, sympy.pi)))


@pytest.mark.parametrize("train", ["hidden", "output"])
@pytest.mark.parametrize("d", [2, 3])
def test_relu_by_sympy(d: int, train: str) -> None:
    lower, upper = ends(certify_sphere(d, Network("relu", 1, train), max_frequency=4, gap=1e-30))
    for k in range(4):
        truth = by_sympy(d, train, k)
        with mp.workdps(60):
            value = fraction(mp.mpf(sympy.re(truth.evalf(60))))
        assert lower[k] - TINY**2 <= value <= upper[k] + TINY**2, k
        assert (lower[k] == upper[k] == 0) == (k % 2 == 1 and k >= 3) == (truth == 0)


def test_relu_on_the_circle_by_hand() -> None:
    """``(1/π) ∫ (π − φ) cos φ cos kφ / (2π) = ((k+1)⁻² + (k−1)⁻²) / (2π²)`` for even k: ``∫ (π−φ) cos mφ = 2/m²``."""
    lower, upper = ends(certify_sphere(2, Network("relu", 1, "hidden"), max_frequency=40, gap=1e-20))
    with mp.workdps(60):
        scale = fraction(1 / (2 * mp.pi**2))
    for k in range(0, 41, 2):
        value = scale * (Fraction(1, (k + 1) ** 2) + Fraction(1, (k - 1) ** 2))
        assert lower[k] - TINY**2 <= value <= upper[k] + TINY**2
    assert lower[1] <= Fraction(1, 8) <= upper[1]


def test_powers_of_t_have_rational_eigenvalues() -> None:
    """On S²: ``κ = t`` has λ_1 = 1/3; with bias 1/2 the identity of depth 1, all trained, ``2(t + 1/4) + 1/4``."""
    lower, upper = ends(certify_sphere(3, Network("identity", bias="0.5"), max_frequency=4))
    assert all(abs(x - y) < 1e-9 for x, y in zip(lower, (0.75, 2 / 3, 0, 0, 0), strict=True))
    assert lower[2:] == upper[2:] == [0, 0, 0]


# Sixty digits -----------------------------------------------------------------------------------------------------

DEEP = [
    (2, Network("relu", 3), "ntk"),
    (3, Network("relu", 2, bias="0.5", weight_std="1.5"), "ntk"),
    (3, Network("leaky_relu(-0.5)", 3, bias="0.1", input_scale="fan-in"), "nngp"),
    (5, Network("erf", 3, bias="0.3"), "ntk"),
    (10, Network("relu", 3, bias="0.1"), "ntk"),
    (10, Network("sin", 2, bias="1"), "ntk"),
    (7, Network("abs", 2), "ntk"),
]


@pytest.mark.parametrize(("d", "network", "kernel"), DEEP)
def test_deep_kernels_in_sixty_digits(d: int, network: Network, kernel: str) -> None:
    problem = Problem(Sphere(d), network, kernel)
    lower, upper = ends(certify_sphere(d, network, kernel=kernel, max_frequency=20, gap=1e-12))
    with mp.workdps(60):
        for k in (0, 1, 20):
            value = fraction(in_sixty_digits(problem, k))
            assert lower[k] - TINY**2 <= value <= upper[k] + TINY**2
            assert 0 < upper[k] - lower[k] <= lower[k] * Fraction(1, 10**12) or upper[k] == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("d", [2, 3, 5, 10])
def test_six_digits_at_frequency_twenty_by_either_arithmetic(d: int, engine: str) -> None:
    certificate = certify_sphere(d, Network("relu", 2, bias="0.2"), engine=engine)
    lower, upper = ends(certificate)
    assert all(high - low <= low / 10**9 for low, high in zip(lower, upper, strict=True))
    assert all(check(certificate, engine=other).valid for other in ENGINES)


# What holds for every kernel ----------------------------------------------------------------------------------------


def test_multiplicities() -> None:
    assert [multiplicity(2, k) for k in range(4)] == [1, 2, 2, 2]
    assert [multiplicity(3, k) for k in range(4)] == [1, 3, 5, 7]
    for d in (4, 7):
        for k in range(6):  # all polynomials of degree k on the sphere
            assert sum(multiplicity(d, j) for j in range(k + 1)) == comb(k + d - 1, d - 1) + comb(k + d - 2, d - 1)


@pytest.mark.parametrize(("d", "rest"), [(2, 1e-7), (3, 1e-6), (6, 1e-3)])
def test_the_trace_is_the_diagonal(d: int, rest: float) -> None:
    network = Network("erf", 2, bias="0.5")
    lower, upper = ends(certify_sphere(d, network, max_frequency=40))
    diagonal = kappa(Problem(Sphere(d), network), Float, np.float64(1))
    low, high = (float(sum(multiplicity(d, k) * x for k, x in enumerate(column))) for column in (lower, upper))
    assert low <= diagonal * (1 + 1e-12)
    assert diagonal * (1 - rest) <= high


@pytest.mark.parametrize("d", [2, 5])
def test_a_bias_makes_the_odd_frequencies_positive(d: int) -> None:
    lower, _ = ends(certify_sphere(d, Network("relu", 1, "hidden", bias="0.01"), max_frequency=31))
    assert all(lower[k] > 0 for k in range(3, 32, 2))


networks = st.builds(
    lambda name, depth, bias, weight, scale, train: Network(
        name, depth, train if depth == 1 else "all", bias=bias, weight_std=weight, input_scale=scale
    ),
    st.sampled_from(NAMES),
    st.integers(1, 3),
    st.sampled_from(["0", "0.1", "1"]),
    st.sampled_from(["0.5", "1", "2"]),
    st.sampled_from(["1", "fan-in"]),
    st.sampled_from(["hidden", "output", "both", "all"]),
)
problems = st.builds(
    lambda d, network, kernel: Problem(Sphere(d), network, kernel if network.train == "all" else "ntk"),
    st.integers(2, 12),
    networks,
    st.sampled_from(["ntk", "nngp"]),
)


@given(problems, st.integers(0, 12), st.data())
def test_no_claim_is_false_and_none_can_be_sharpened(problem: Problem, highest: int, data: st.DataObject) -> None:
    certificate = certify_sphere(
        problem.domain.d, problem.network, kernel=problem.kernel, max_frequency=highest, gap=1e-3
    )
    size = kappa(problem, Float, np.float64(1))
    claim = certificate.conclusion
    for k, value in enumerate(in_floats(problem, highest)):
        assert float(claim["lower"][k]) - 1e-11 * size <= value <= float(claim["upper"][k]) + 1e-11 * size
    k, side = data.draw(st.integers(0, highest)), data.draw(st.sampled_from(["lower", "upper"]))
    other = Fraction(claim["upper" if side == "lower" else "lower"][k])
    moved = [*claim[side]]
    moved[k] = decimal(other + (1 if side == "lower" else -1) * max(other, TINY))
    forged = restated(certificate, {**claim, side: moved})
    assert check(forged).code == "claim-not-derived"


@given(
    problems,
    st.integers(0, 8),
    st.integers(1, 6),
    st.integers(1, 40),
    st.integers(30, 80),
    st.sampled_from(ENGINES),
)
@settings(max_examples=40)
def test_little_effort_gives_wide_intervals_and_no_wrong_ones(
    problem: Problem, highest: int, s: int, nodes: int, precision: int, engine: str
) -> None:
    claim = derive(problem, highest, s, nodes, precision, engine)
    size = kappa(problem, Float, np.float64(1))
    for k, value in enumerate(in_floats(problem, highest)):
        assert float(claim.lower[k]) - 1e-11 * size <= value <= float(claim.upper[k]) + 1e-11 * size


@pytest.mark.parametrize("network", [Network("relu", 2), Network("cos", bias="1")])
@pytest.mark.parametrize("d", [2, 4])
def test_both_parts_of_the_error_are_needed_and_nearly_met(d: int, network: Network) -> None:
    """With a long step the sum errs by 1/200 of what is allowed, or more; with few nodes by 1/10."""
    problem = Problem(Sphere(d), network)
    truth = derive(problem, 0, 16, 1200, 200).upper[0]
    for s, nodes, factor in ((1, 80, 200), (8, 40, 10)):
        claim = derive(problem, 0, s, nodes, 100)
        radius, error = (claim.upper[0] - claim.lower[0]) / 2, abs((claim.upper[0] + claim.lower[0]) / 2 - truth)
        assert claim.lower[0] > 0
        assert radius / factor < error <= radius


@pytest.mark.parametrize(
    ("name", "depth", "zeros"),
    [
        ("tanh", 1, [0, 2, 4]),
        ("tanh", 2, [0, 2, 4]),
        ("sigmoid", 1, [2, 4]),
        ("sigmoid", 2, []),
        ("softplus", 1, [3, 5]),
        ("gelu", 1, [3, 5]),
        ("gelu", 2, []),
        ("silu", 1, [3, 5]),
        ("gaussian", 1, [1, 3, 5]),
    ],
)
def test_smooth_activations(name: str, depth: int, zeros: list[int]) -> None:
    problem = Problem(Sphere(6), Network(name, depth))
    lower, upper = ends(certify_sphere(6, problem.network, max_frequency=5, gap=1e-3))
    for k, value in enumerate(in_floats(problem, 5)):
        assert float(lower[k]) - 1e-6 <= value <= float(upper[k]) + 1e-6
        assert (lower[k] == 0) == (upper[k] == 0) == (k in zeros)


# Frequencies that vanish --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", ["0", "0.5"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_what_vanishes_is_zero_and_what_is_zero_vanishes(name: str, depth: int, bias: str) -> None:
    for train in ("hidden", "output", "both", "all") if depth == 1 else ("all",):
        problem = Problem(Sphere(3), Network(name, depth, train, bias=bias))
        values = np.abs(in_floats(problem, 9))
        for parity in (0, 1):
            first = vanishing(problem, parity)
            small = [k for k in range(parity, 10, 2) if values[k] < 1e-13]
            if first is None:
                assert len(small) <= 2, (train, parity)
            else:
                assert small == list(range(first, 10, 2)), (train, parity)


def test_the_statements_that_vanish() -> None:
    claim = certify_sphere(5, Network("relu", 1, "both"), statement="odd-vanish").conclusion
    assert claim == {"kind": "vanishing", "dimension": 5, "parity": "odd", "first": 3}
    assert certify_sphere(2, Network("sin", 4), statement="even-vanish").conclusion["first"] == 0
    for network in (Network("relu", bias="0.001"), Network("relu", 2), Network("erf")):
        with pytest.raises(InputError, match="no symmetry"):
            certify_sphere(3, network, statement="odd-vanish")


@pytest.mark.parametrize("text", ["1/x", "x/(x*x - 1)", "abs(x)/x", "x*exp(x**2)", "log(x)", "sqrt(x*x - 1)"])
def test_an_expression_without_a_kernel_has_no_eigenvalues(text: str) -> None:
    network = Network(f"expr({text})")
    for statement in ("odd-vanish", "even-vanish", "mercer"):
        with pytest.raises(InputError, match="no proof was found"):
            certify_sphere(3, network, statement=statement)
    for parity in ("odd", "even"):
        claim = {"kind": "vanishing", "dimension": 3, "parity": parity, "first": 1000}
        step = Step("s", "frequencies_vanish", args={"parity": parity}, claim=claim)
        for engine in ENGINES:
            verdict = check(Certificate(Problem(Sphere(3), network), (step,), "s", claim), engine=engine)
            assert (verdict.verdict, verdict.code) == ("invalid", "no-enclosure")


def test_an_odd_expression() -> None:
    claim = certify_sphere(3, Network("expr(x**3 + tanh(x))", 2), statement="even-vanish").conclusion
    assert claim["first"] == 0


# Shipped certificates and forgeries ---------------------------------------------------------------------------------

SHIPPED = ("relu-d2", "relu-bias-d3", "erf-d3-depth3", "relu-odd-d5")


@cache
def shipped(name: str) -> str:
    return (FOLDER / f"sphere-{name}.cert.json").read_text()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_certificates_are_valid(name: str, engine: str) -> None:
    verdict = check(FOLDER / f"sphere-{name}.cert.json", engine=engine)
    assert (verdict.verdict, verdict.exit_code) == ("valid", 0)
    assert verdict.conclusion == json.loads(shipped(name))["conclusion"]["claim"]
    assert verdict.problem is not None
    assert verdict.problem["dimension"] == int(name.split("-d")[1][0])
    assert "rows" not in verdict.problem
    assert len(verdict.assumptions) == 1


@pytest.mark.parametrize("name", SHIPPED)
def test_a_certificate_is_written_as_it_was_read(name: str) -> None:
    assert to_json(parse(shipped(name))) == shipped(name)


def restated(certificate: Certificate, claim: dict[str, Any]) -> Certificate:
    (step,) = certificate.steps
    step = Step(step.id, step.rule, step.uses, step.args, step.witness, claim)
    return Certificate(certificate.problem, (step,), step.id, claim)


def forged(name: str, *changes: tuple[str, Any]) -> str:
    """A shipped certificate with fields changed, in both the step and the conclusion if they are of the claim."""
    document = json.loads(shipped(name))
    for where, value in changes:
        *path, last = where.split(".")
        if path[0] == "claim":
            places = [document["steps"][0]["claim"], document["conclusion"]["claim"]]
        else:
            places = [document["steps"][0] if path[0] == "step" else document]
        for place in places:
            for key in path[1:] if path[0] in ("claim", "step") else path:
                place = place[int(key) if isinstance(place, list) else key]
            key = int(last) if isinstance(place, list) else last
            if value is None:
                del place[key]
            else:
                place[key] = value(place[key]) if callable(value) else value
    return json.dumps(document)


def unit(sign: int) -> Any:
    """Move a decimal by a unit of its last digit."""
    return lambda text: decimal(Fraction(text) + sign * Fraction(1, 10 ** len(text.split(".")[1])))


def dataset_with_claim() -> str:
    """A valid certificate about a dataset whose conclusion and step claim eigenvalues on the sphere."""
    document = json.loads(to_json(certify(Dataset(np.array([[1.0, 2.0], [3.0, 4.0]])), Network())))
    sphere = json.loads(shipped("relu-d2"))
    document["steps"], document["conclusion"] = sphere["steps"], sphere["conclusion"]
    return json.dumps(document)


def dataset_concluding_sphere() -> str:
    document = json.loads(to_json(certify(Dataset(np.array([[1.0, 2.0], [3.0, 4.0]])), Network())))
    document["conclusion"]["claim"] = json.loads(shipped("relu-d2"))["conclusion"]["claim"]
    return json.dumps(document)


def sphere_with_dataset_rule(rule: str) -> str:
    document = json.loads(shipped("relu-d2"))
    claim = {"kind": "eigenvalue_bound", "matrix": "kernel", "eigenvalue": "min", "side": "lower", "value": "0"}
    document["steps"] = [{"id": "a", "rule": rule, "uses": [], "args": {}, "witness": {}, "claim": claim}]
    document["conclusion"] = {"step": "a", "claim": claim}
    return json.dumps(document)


def longer(values: list[str]) -> list[str]:
    return [*values, "0.0001"]


FORGERIES = {
    "a lower end raised by a unit": (forged("relu-d2", ("claim.lower.2", unit(1))), "claim-not-derived"),
    "an upper end lowered by a unit": (forged("relu-d2", ("claim.upper.4", unit(-1))), "claim-not-derived"),
    "only the conclusion sharpened": (
        forged("relu-d2", ("conclusion.claim.lower.2", unit(1))),
        "claim-not-derived",
    ),
    "zero at an odd frequency with a bias": (
        forged("relu-bias-d3", ("claim.lower.3", "0"), ("claim.upper.3", "0")),
        "claim-not-derived",
    ),
    "positive at an odd frequency, no bias": (
        forged("relu-d2", ("claim.lower.3", "0.0001")),
        "claim-not-derived",
    ),
    "odd frequencies vanish with a bias": (
        forged("relu-odd-d5", ("problem.network.bias", "0.000001")),
        "no-symmetry",
    ),
    "odd frequencies vanish in a deep network": (
        forged("relu-odd-d5", ("problem.network.depth", 2), ("problem.network.train", "all")),
        "no-symmetry",
    ),
    "the first odd frequency vanishes": (forged("relu-odd-d5", ("claim.first", 1)), "claim-not-derived"),
    "even frequencies vanish": (forged("relu-odd-d5", ("claim.parity", "even")), "claim-differs"),
    "even frequencies by the rule": (forged("relu-odd-d5", ("step.args.parity", "even")), "no-symmetry"),
    "another dimension": (forged("relu-d2", ("problem.sphere.dimension", 3)), "claim-differs"),
    "another dimension in the claim": (forged("relu-d2", ("claim.dimension", 3)), "claim-differs"),
    "another network": (forged("relu-d2", ("problem.network.weight_std", "1.0000001")), "claim-not-derived"),
    "nngp for ntk": (forged("relu-d2", ("problem.kernel", "nngp")), "claim-not-derived"),
    "one frequency more": (
        forged("relu-d2", ("claim.lower", longer), ("claim.upper", longer)),
        "claim-differs",
    ),
    "one lower end more": (forged("relu-d2", ("claim.lower", longer)), "bad-claim"),
    "no frequencies": (forged("relu-d2", ("claim.lower", []), ("claim.upper", [])), "bad-claim"),
    "a claim of another kind": (forged("relu-odd-d5", ("claim.kind", "mercer")), "bad-claim"),
    "K absurd": (forged("relu-d2", ("step.args.max_frequency", 10**9)), "bad-argument"),
    "K negative": (forged("relu-d2", ("step.args.max_frequency", -1)), "bad-argument"),
    "K smaller than the lists": (forged("relu-d2", ("step.args.max_frequency", 19)), "claim-differs"),
    "nodes negative": (forged("relu-d2", ("step.args.nodes", -5)), "bad-argument"),
    "step negative": (forged("relu-d2", ("step.args.inverse_step", -14)), "bad-argument"),
    "step zero": (forged("relu-d2", ("step.args.inverse_step", 0)), "bad-argument"),
    "a tolerance": (forged("relu-d2", ("step.args.tolerance", "-1")), "unknown-argument"),
    "too few nodes": (forged("relu-d2", ("step.args.nodes", 300)), "claim-not-derived"),
    "too long a step": (forged("relu-d2", ("step.args.inverse_step", 8)), "claim-not-derived"),
    "too little precision": (forged("relu-d2", ("step.args.precision", 40)), "claim-not-derived"),
    "a rule of datasets": (sphere_with_dataset_rule("gram_is_psd"), "wrong-domain"),
    "an assumption": (sphere_with_dataset_rule("assume"), "wrong-domain"),
    "a dataset with a rule of the sphere": (dataset_with_claim(), "wrong-domain"),
    "a dataset that concludes about the sphere": (dataset_concluding_sphere(), "bad-conclusion"),
    "dimension 1": (forged("relu-d2", ("problem.sphere.dimension", 1)), "malformed"),
    "dimension 1001": (forged("relu-d2", ("problem.sphere.dimension", 1001)), "malformed"),
    "dimension a text": (forged("relu-d2", ("problem.sphere.dimension", "2")), "malformed"),
    "dimension true": (forged("relu-d2", ("problem.sphere.dimension", True)), "malformed"),
    "no dimension": (forged("relu-d2", ("problem.sphere.dimension", None)), "malformed"),
    "a radius": (forged("relu-d2", ("problem.sphere.radius", 2)), "malformed"),
    "no sphere": (forged("relu-d2", ("problem.sphere", None)), "malformed"),
    "a sphere and a dataset": (forged("relu-d2", ("problem.dataset", {"label": ""})), "malformed"),
    "a sphere and training": (forged("relu-d2", ("problem.training", {"width": "4", "init": "signs"})), "malformed"),
}


def by_reference(name: str) -> Any:
    """What is slightly false is integrated once more: not every time."""
    slow = [pytest.mark.slow] if FORGERIES[name][1] == "claim-not-derived" else []
    return pytest.param(name, "reference", marks=slow)


@pytest.mark.parametrize(("name", "engine"), [*((name, "fast") for name in FORGERIES), *map(by_reference, FORGERIES)])
def test_forgeries_are_rejected(name: str, engine: str) -> None:
    text, code = FORGERIES[name]
    verdict: Verdict = check(text, engine=engine)
    assert (verdict.verdict, verdict.code) == ("malformed" if code == "malformed" else "invalid", code), verdict
    assert verdict.conclusion is None


def test_a_problem_is_about_one_domain() -> None:
    network = Network()
    sphere, dataset = Problem(Sphere(3), network), Problem(Dataset(np.eye(2)), network)
    with pytest.raises(InputError, match="not about a dataset"):
        _ = sphere.dataset
    with pytest.raises(InputError, match="not about the sphere"):
        _ = Question(dataset.dataset, network, {}, "fast", lambda done, total: None, lambda kind, line: None).sphere
    with pytest.raises(InputError):
        Problem(Sphere(3), network, training=Training(4))
    for dimension in (1, 0, -2, 1001, True, 2.0, "3", None):
        with pytest.raises(InputError, match="dimension"):
            Sphere(dimension)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"max_frequency": -1},
        {"max_frequency": 501},
        {"max_frequency": 2.0},
        {"gap": 0.0},
        {"gap": float("nan")},
        {"statement": "lambda-min"},
    ],
)
def test_the_prover_refuses(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        certify_sphere(3, Network(), **options)


# Command line -------------------------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "s.cert.json"
    command = ["sphere", "--dimension", "4", "--max-frequency", "3", "--bias", "0.5", "-o", str(path)]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert [line.split()[1] for line in done.output.splitlines()[4:]] == ["1", "4", "9", "16"]
    done = CliRunner().invoke(cli, [*command, "--json"], catch_exceptions=False)
    assert json.loads(done.output)["conclusion"] == json.loads(path.read_text())["conclusion"]["claim"]
    done = CliRunner().invoke(cli, ["check", str(path)], catch_exceptions=False)
    assert "valid: eigenvalues on the sphere, λ_0 in [" in done.output
    assert "unit vectors of dimension 4" in done.output
    odd = [*command[:3], "--statement", "odd-vanish", "-o", str(path)]
    assert "λ_k = 0 for every odd k ≥ 3" in CliRunner().invoke(cli, odd, catch_exceptions=False).output
    with pytest.raises(InputError, match="dimension"):
        CliRunner().invoke(cli, ["sphere", "--dimension", "1"], catch_exceptions=False)

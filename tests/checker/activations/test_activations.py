"""The dual activations against integrals that share nothing with their closed forms.

`expectation` integrates ``σ(u) E[σ(v) | u]`` over one Gaussian variable with Arb's rigorous integrator at 320 bits:
no angle, no arcsine and no two-dimensional formula occurs in it.  A second family of tests integrates ``T_σ'`` over
the covariance (Price's theorem), a third samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from math import isqrt
from typing import Any

import flint
import numpy as np
import pytest
from flint import acb, arb
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkproof.checker.activations.covariance import Covariance
from ntkproof.checker.activations.dual import activation
from ntkproof.checker.activations.names import split_activation
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.arithmetic.protocols import Numbers
from ntkproof.checker.logic.numbers import InputError

TRUTH_BITS = 320
LIMIT = 24  # the Gaussian density at 24 is below 2^-415
NAMES = ("relu", "leaky_relu(0.01)", "leaky_relu(-2.5)", "abs", "identity", "erf", "sin", "cos")
KINKED = ("relu", "leaky_relu", "abs")
SLOPES = {"relu": Fraction(0), "abs": Fraction(-1)}
ENGINES = ("reference", "fast")


def to_arb(value: Fraction | int) -> arb:
    return arb(flint.fmpq(value.numerator, value.denominator))


# The independent truth --------------------------------------------------------------------------------------------


def conditional_mean(name: str, derivative: bool, m: acb, s: acb | None) -> acb:
    """``E σ(m + s w)`` or ``E σ'(m + s w)`` for ``w ~ N(0, 1)`` and σ with a kink, sine, cosine or erf; s > 0."""
    kind, slope = split_activation(name)
    if kind in KINKED:
        slope = to_arb(SLOPES.get(kind, slope))
        t = m / s
        above = (-t / acb(2).sqrt()).erfc() / 2
        if derivative:
            return above + slope * (1 - above)
        density = (-t * t / 2).exp() / (2 * acb.pi()).sqrt()
        return m * above + s * density + slope * (m * (1 - above) - s * density)
    if kind == "identity":
        return acb(1) if derivative else m
    if kind == "erf":
        width = 1 + 2 * s * s
        if derivative:
            return 2 / (acb.pi() * width).sqrt() * (-m * m / width).exp()
        return (m / width.sqrt()).erf()
    if kind == "cos":
        m = m + acb.pi() / 2  # cos z = sin(z + π/2)
    return (-s * s / 2).exp() * (m.cos() if derivative else m.sin())


def sigma(name: str, derivative: bool, z: acb, positive: bool) -> acb:
    """``σ(z)`` or ``σ'(z)``; ``positive`` says on which side of the kink."""
    kind, slope = split_activation(name)
    if kind in KINKED:
        factor = acb(1) if positive else acb(to_arb(SLOPES.get(kind, slope)))
        return factor if derivative else factor * z
    if kind == "identity":
        return acb(1) if derivative else z
    if kind == "erf":
        return 2 / acb.pi().sqrt() * (-z * z).exp() if derivative else z.erf()
    if kind == "sin":
        return z.cos() if derivative else z.sin()
    return -z.sin() if derivative else z.cos()


def expectation(name: str, q: arb, c: arb, r: arb, det: arb | None, derivative: bool = False) -> arb:
    """``E σ(u)σ(v)`` (or with σ') for ``(u, v) ~ N(0, [[q, c], [c, r]])``, ``q r > 0``; det None means it is 0."""
    slope, sign = c / q, 1 if c > 0 else -1
    spread = None if det is None else acb((det / q).sqrt())
    scale = acb(q.sqrt())

    def integrand(side: int) -> Callable[[acb, bool], acb]:
        def value(z: acb, _: bool) -> acb:
            u = scale * z * side
            if spread is None:
                other = sigma(name, derivative, slope * u, side * sign > 0)
            else:
                other = conditional_mean(name, derivative, slope * u, spread)
            return sigma(name, derivative, u, side > 0) * other * (-z * z / 2).exp()

        return value

    total = sum(
        (
            acb.integral(integrand(side), a, b).real
            for side in (1, -1)
            for a, b in pairwise((acb(0), acb(2), acb(LIMIT)))
        ),
        arb(0),
    )
    # |σ|, |σ'| ≤ 11 (1 + |z|) in the tests: what lies beyond LIMIT is far below this
    tail = (1 + q) * (1 + r) * arb(2) ** -380
    return total / (2 * arb.pi()).sqrt() + arb(0, tail.abs_upper())


def exact_value(x: arb) -> Fraction:
    mantissa, exponent = x.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def assert_encloses(quantised: tuple[int, int], precision: int, truth: arb, width: int) -> None:
    """The ball ``(A ± ρ) 2^-precision`` meets the truth (known 100 bits better) and ρ is at most ``width``."""
    middle, radius = quantised
    assert truth.rad() < arb(2) ** -(precision + 40), truth
    assert abs(to_arb(Fraction(middle, 2**precision)) - truth.mid()) <= arb(radius) / 2**precision + truth.rad()
    assert radius <= width


# The checker's formulas in the checker's arithmetics ---------------------------------------------------------------


@contextmanager
def numbers(engine: str, bits: int) -> Iterator[Any]:
    if engine == "reference":
        yield Intervals(bits)
    else:
        with ArbNumbers(bits).at(bits) as balls:
            yield balls


def rational_covariance(context: Numbers, q: Fraction, c: Fraction, r: Fraction) -> Covariance:
    return Covariance(context, *(context.rational(x) for x in (q, c, r, q * r - c * c)))


def dual(context: Numbers, name: str, q: Fraction, c: Fraction, r: Fraction, derivative: bool) -> Any:
    cov = rational_covariance(context, q, c, r)
    return activation(name).dual_derivative(cov) if derivative else activation(name).dual(cov)


F = Fraction
COVARIANCES = [
    (F(1), F(0), F(1)),
    (F(1), F(1, 2), F(1)),
    (F(2), F(-1), F(3)),
    (F(1, 7), F(1, 11), F(5)),
    (F(30), F(-29), F(30)),
    (F(1, 1000), F(1, 2000), F(1, 500)),
]
EXTREME = [
    (F(1), 1 - F(1, 10**12), F(1)),
    (F(1), -1 + F(1, 10**12), F(1)),
    (F(4), 2 - F(1, 10**12), F(1)),
    (F(1, 10**16), F(1, 2 * 10**16), F(1, 10**16)),
    (F(1, 10**8), F(-1, 3), F(10**8)),
]
PARALLEL = [(F(1), F(1), F(1)), (F(4), F(-2), F(1)), (F(9, 4), F(3), F(4)), (F(1, 100), F(-1, 10), F(1))]


@pytest.mark.parametrize("derivative", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_dual_functions_enclose_the_integral(name: str, derivative: bool) -> None:
    for q, c, r in (*COVARIANCES, *EXTREME, *PARALLEL):
        det = q * r - c * c
        with flint.ctx.workprec(TRUTH_BITS):
            truth = expectation(name, *map(to_arb, (q, c, r)), to_arb(det) if det else None, derivative)
            if max(q, r) > 10**6 and name in ("erf", "sin", "cos"):
                continue  # an oscillation of 10^4 radians: see test_large_variances
            for engine in ENGINES:
                with numbers(engine, 256) as context:
                    found = context.quantise(dual(context, name, q, c, r, derivative), 200)
                with flint.ctx.workprec(TRUTH_BITS):
                    assert_encloses(found, 200, truth, 4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_price_theorem_the_derivative_in_c_is_the_dual_of_the_derivative(name: str, engine: str) -> None:
    """``T_σ(c) − T_σ(0) = ∫₀ᶜ T_σ'(t) dt``, with the ``T_σ'`` of Gaussian integrals."""
    q, r = F(3, 2), F(2, 3)
    kind, slope = split_activation(name)
    slope = SLOPES.get(kind, slope)

    def derivative(t: acb, analytic: bool) -> acb:
        if analytic and not abs(t.real) < 1:
            return acb("nan")  # the integrator asks not to be lied to across the branch cuts
        if slope is not None:  # P(u > 0, v > 0) = 1/4 + asin(ρ)/2π (Sheppard); here q r = 1
            s = to_arb(slope)
            both = acb(1) / 4 + t.asin() / (2 * acb.pi())
            return both * (1 + s * s) + (1 - 2 * both) * s
        if kind == "identity":
            return acb(1)
        if kind == "erf":  # the Gaussian integral of exp(−x·(Σ⁻¹ + 2I)x/2)
            return 4 / acb.pi() / ((1 + 2 * acb(to_arb(q))) * (1 + 2 * acb(to_arb(r))) - 4 * t * t).sqrt()
        damping = (-acb(to_arb(q + r)) / 2).exp()
        return damping * (t.cosh() if kind == "sin" else t.sinh())

    for c in (F(-9, 10), F(-1, 3), F(1, 5), F(99, 100)):
        with flint.ctx.workprec(TRUTH_BITS):
            truth = acb.integral(derivative, acb(0), acb(to_arb(c))).real
        with numbers(engine, 256) as context:
            change = dual(context, name, q, c, r, False) - dual(context, name, q, F(0), r, False)
            found = context.quantise(change, 200)
        with flint.ctx.workprec(TRUTH_BITS):
            assert_encloses(found, 200, truth, 4)


@pytest.mark.parametrize("name", NAMES)
def test_monte_carlo(name: str) -> None:
    """The sample mean of ``σ(u)σ(v)`` and ``σ'(u)σ'(v)`` lies within six standard errors."""
    rng = np.random.default_rng(20260)
    q, c, r = F(3, 2), F(-2, 3), F(4, 5)
    u, v = rng.multivariate_normal([0, 0], [[q, c], [c, r]], 400_000).T
    for derivative in (False, True):
        products = sampled(name, u, derivative) * sampled(name, v, derivative)
        with numbers("reference", 64) as context:
            low, high = context.endpoints(dual(context, name, q, c, r, derivative))
        error = products.std() / np.sqrt(len(products)) + 1e-12
        assert abs(products.mean() - float(low)) < 6 * error
        assert high - low < F(1, 2**50)


def sampled(name: str, z: np.ndarray, derivative: bool = False) -> np.ndarray:
    """σ or σ' in floating point, from its definition."""
    from scipy.special import erf

    kind, slope = split_activation(name)
    if kind in KINKED:
        factor = np.where(z > 0, 1.0, float(SLOPES.get(kind, slope)))
        return factor if derivative else factor * z
    functions = {
        "identity": (lambda x: x, np.ones_like),
        "erf": (erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
        "sin": (np.sin, np.cos),
        "cos": (np.cos, lambda x: -np.sin(x)),
    }
    return functions[kind][derivative](z)


# Special values ---------------------------------------------------------------------------------------------------

KNOWN: list[tuple[str, bool, tuple[Any, Any, Any], Callable[[], arb]]] = [
    # Cho and Saul 2009, table of J_0 and J_1 with their 1/π and factor 2: orthogonal, equal, opposite
    ("relu", False, (1, 0, 1), lambda: 1 / (2 * arb.pi())),
    ("relu", False, (4, 4, 4), lambda: arb(2)),
    ("relu", False, (4, -4, 4), lambda: arb(0)),
    ("relu", True, (1, 0, 1), lambda: arb(1) / 4),
    ("relu", True, (4, 4, 4), lambda: arb(1) / 2),
    ("relu", True, (4, -4, 4), lambda: arb(0)),
    # 60 degrees: J_0 = 2π/3 and J_1 = √3/2 + (2π/3)/2
    ("relu", True, (1, F(1, 2), 1), lambda: arb(1) / 3),
    ("relu", False, (1, F(1, 2), 1), lambda: arb(3).sqrt() / (4 * arb.pi()) + arb(1) / 6),
    ("abs", False, (1, 0, 1), lambda: 2 / arb.pi()),  # (E|u|)²
    ("abs", True, (1, 0, 1), lambda: arb(0)),
    ("abs", True, (4, -4, 4), lambda: arb(-1)),
    ("leaky_relu(0.5)", False, (1, 1, 1), lambda: arb(5) / 8),  # (1 + 1/4)/2
    ("leaky_relu(0.5)", False, (1, -1, 1), lambda: -arb(1) / 2),
    ("leaky_relu(1)", False, (3, 2, 5), lambda: arb(2)),
    ("leaky_relu(1)", True, (3, 2, 5), lambda: arb(1)),
    ("identity", False, (3, 2, 5), lambda: arb(2)),
    # Williams 1997 with equal arguments: asin(2/3) and 4/π 1/√5
    ("erf", False, (1, 1, 1), lambda: 2 / arb.pi() * (arb(2) / 3).asin()),
    ("erf", True, (1, 1, 1), lambda: 4 / arb.pi() / arb(5).sqrt()),
    ("erf", False, (1, 0, 7), lambda: arb(0)),
    ("sin", False, (1, 1, 1), lambda: (1 - arb(-2).exp()) / 2),
    ("cos", False, (1, 1, 1), lambda: (1 + arb(-2).exp()) / 2),
    ("cos", False, (1, 0, 4), lambda: (arb(-5) / 2).exp()),  # E cos u · E cos v
    ("cos", True, (1, 0, 4), lambda: arb(0)),
]


@pytest.mark.parametrize("engine", ENGINES)
def test_known_values(engine: str) -> None:
    for name, derivative, (q, c, r), value in KNOWN:
        with numbers(engine, 256) as context:
            found = context.quantise(dual(context, name, F(q), F(c), F(r), derivative), 200)
        with flint.ctx.workprec(TRUTH_BITS):
            assert_encloses(found, 200, value(), 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_feature_without_variance_is_the_constant_zero(engine: str) -> None:
    """``q = 0``: ``u = 0`` almost surely, so ``T_σ = σ(0) E σ(v)``; exact for σ(0) = 0."""
    for name in NAMES:
        with numbers(engine, 128) as context:
            for q, r in ((F(0), F(0)), (F(0), F(2)), (F(5), F(0))):
                found = context.quantise(dual(context, name, q, F(0), r, False), 100)
                if name != "cos":  # exactly 0 for homogeneous σ, as nearly as they can for erf and sin
                    assert found == (0, 0) or (found == (0, 1) and name in ("erf", "sin"))
                    continue
                with flint.ctx.workprec(TRUTH_BITS):
                    assert_encloses(found, 100, (-to_arb(q + r) / 2).exp(), 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_dual_derivatives_without_variance_are_finite_and_bounded(engine: str) -> None:
    """For a kink at ``q = 0`` the value is a convention that only multiplies zero: any value in σ'(±)·σ'(±) will do."""
    for name in NAMES:
        with numbers(engine, 128) as context:
            middle, radius = context.quantise(dual(context, name, F(0), F(0), F(2), True), 100)
            assert abs(middle) + radius <= 64 << 100
            if name in ("identity", "erf", "sin", "cos"):  # σ' is continuous at 0: no convention needed
                with flint.ctx.workprec(TRUTH_BITS):
                    truth = {
                        "identity": arb(1),
                        "erf": 4 / arb.pi() / arb(5).sqrt(),
                        "sin": arb(-1).exp(),
                        "cos": arb(0),
                    }[name]
                    assert_encloses((middle, radius), 100, truth, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_large_variances(engine: str) -> None:
    """At ``q = 10^16`` a sine is equidistributed: 1/2 on the diagonal, 0 elsewhere; erf is a sign."""
    large = F(10**16)
    expected = {
        ("sin", large): F(1, 2),
        ("sin", -large): F(-1, 2),
        ("sin", F(0)): F(0),
        ("cos", large): F(1, 2),
        ("cos", -large): F(1, 2),
        ("cos", large / 2): F(0),
        ("identity", large / 2): large / 2,
        ("relu", -large): F(0),
        ("relu", large): large / 2,
    }
    for (name, c), value in expected.items():
        with numbers(engine, 320) as context:
            middle, radius = context.quantise(dual(context, name, large, c, large, False), 200)
        assert abs(Fraction(middle, 2**200) - value) <= Fraction(radius, 2**200) <= F(1, 2**190)
    with numbers(engine, 320) as context:  # sign u · sign v has the mean (2/π) asin ρ
        middle, radius = context.quantise(dual(context, "erf", large, large / 2, large, False), 200)
    assert radius < 2**10
    assert abs(Fraction(middle, 2**200) - F(1, 3)) < F(1, 10**15)


@given(
    st.sampled_from(NAMES),
    st.fractions(F(1, 100), 100, max_denominator=1000),
    st.fractions(F(1, 100), 100, max_denominator=1000),
    st.fractions(-1, 1, max_denominator=1000),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_both_contexts_agree_are_symmetric_and_bounded(
    name: str, q: Fraction, r: Fraction, rho: Fraction, derivative: bool
) -> None:
    """``T(q,c,r) = T(r,c,q)`` and Cauchy and Schwarz: ``T(q,c,r)² ≤ T(q,q,q) T(r,r,r)``."""
    c = rho * F(isqrt(int(q * r * 10**12)), 10**6)
    found: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}
    for engine in ENGINES:
        with numbers(engine, 200) as context:
            for label, triple in {"": (q, c, r), "swap": (r, c, q), "q": (q, q, q), "r": (r, r, r)}.items():
                middle, radius = context.quantise(dual(context, name, *triple, derivative), 160)
                found[engine, label] = Fraction(middle, 2**160), Fraction(radius, 2**160)
                assert radius <= 64
    for label in ("", "swap", "q", "r"):
        (a, x), (b, y) = found["reference", label], found["fast", label]
        assert abs(a - b) <= x + y
    (a, x), (b, y) = found["reference", ""], found["reference", "swap"]
    assert abs(a - b) <= x + y
    (s, u), (t, w) = found["reference", "q"], found["reference", "r"]
    assert max(abs(a) - x, 0) ** 2 <= (s + u) * (t + w)


@pytest.mark.parametrize("name", [*NAMES, "leaky_relu(1)", "leaky_relu(-1)", "leaky_relu(0)"])
def test_symmetries_are_true_of_sigma(name: str) -> None:
    """A flag that is set must hold: the rule ``null_vector`` builds on it."""
    z = np.random.default_rng(5).standard_normal(200)
    sigma_, values, mirrored = activation(name), sampled(name, z), sampled(name, -z)
    even, odd = np.allclose(mirrored, values), np.allclose(mirrored, -values)
    assert {"even": even, "odd": odd, "none": True}[sigma_.parity]
    if sigma_.homogeneous:
        for factor in (0.0, 0.25, 3.0):
            np.testing.assert_allclose(sampled(name, factor * z), factor * values)
    if sigma_.linear_plus_even:
        slope = (sampled(name, np.ones(1)) - sampled(name, -np.ones(1)))[0] / 2
        np.testing.assert_allclose(mirrored + slope * z, values - slope * z, atol=1e-12)
    if sigma_.linear:
        np.testing.assert_allclose(values, z * sampled(name, np.ones(1)))


@pytest.mark.parametrize("name", ["", "RELU", "relu(1)", "elu", "leaky_relu()", "leaky_relu(nan)", "leaky_relu(11)"])
def test_unknown_activations(name: str) -> None:
    with pytest.raises(InputError):
        activation(name)

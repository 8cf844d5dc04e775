"""Entrywise enclosures against formulas written anew in 1000-bit floating point (arccos and arcsin forms)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath.libmp import to_rational

from ntkproof import Dataset, InputError, Network, enclose_gram

BITS = 1000
POINTS = np.array([[1.0, 2.0], [-0.5, 0.25], [1.0, 2.0000000001], [-2.0, -4.0], [0.1, 0.0]])

NETWORKS = [
    Network("relu", train="hidden"),
    Network("relu", train="output", weight_std="1.5"),
    Network("relu", train="both", bias="0.1"),
    Network("relu", depth=3, bias="0.3", input_scale="fan-in"),
    Network("leaky_relu(0.2)", depth=2),
    Network("abs"),
    Network("identity", depth=2, bias="2", weight_std="0.5"),
    Network("erf", train="hidden"),
    Network("erf", depth=3, weight_std="1.25"),
    Network("sin", train="both"),
    Network("sin", depth=2, bias="0.5"),
    Network("cos", depth=2, input_scale="fan-in"),
]


def fraction(x: Any) -> Fraction:
    """Return the exact value of a float or an mpmath float."""
    if isinstance(x, float):
        return Fraction(x)
    return Fraction(*(int(part) for part in to_rational(x._mpf_)))


class Oracle:
    """The kernel of two samples at `BITS` bits, the recursion of Jacot et al. read with angles and correlations."""

    def __init__(self, network: Network, kernel: str) -> None:
        self.mp = mpmath.mp.clone()
        self.mp.prec = BITS
        self.network, self.kernel = network, kernel
        self.weight, self.bias = self.number(network.sigma_w) ** 2, self.number(network.beta) ** 2

    def number(self, value: Fraction) -> Any:
        return self.mp.mpf(value.numerator) / value.denominator

    def duals(self, q: Any, c: Any, r: Any) -> tuple[Any, Any]:
        """Return E σ(u)σ(v) and E σ'(u)σ'(v)."""
        mp, name = self.mp, self.network.activation
        if name == "identity":
            return c, mp.one
        if name == "erf":
            root = mp.sqrt((1 + 2 * q) * (1 + 2 * r))
            return 2 / mp.pi * mp.asin(2 * c / root), 4 / mp.pi / mp.sqrt(root**2 - 4 * c**2)
        damping = mp.exp(-(q + r) / 2)
        if name == "sin":
            return damping * mp.sinh(c), damping * mp.cosh(c)
        if name == "cos":
            return damping * mp.cosh(c), damping * mp.sinh(c)
        slope = {"relu": mp.zero, "abs": -mp.one}.get(name) if "(" not in name else mp.mpf(1) / 5
        rho = max(-mp.one, min(mp.one, c / mp.sqrt(q * r)))
        theta = mp.acos(rho)
        relu = mp.sqrt(q * r) / (2 * mp.pi) * (mp.sin(theta) + (mp.pi - theta) * rho)
        step = (mp.pi - theta) / (2 * mp.pi)
        # σ = relu − slope · relu(−·): expand the product of two
        flipped = mp.sqrt(q * r) / (2 * mp.pi) * (mp.sin(theta) - theta * rho)
        return (1 + slope**2) * relu - 2 * slope * flipped, (1 + slope**2) * step + slope * theta / mp.pi

    def entry(self, x: list[float], y: list[float]) -> Any:
        network, mp = self.network, self.mp
        first = self.weight / (len(x) if network.input_scale == "fan-in" else 1)

        def inner(a: list[float], b: list[float]) -> Any:
            return first * sum((mp.mpf(s) * mp.mpf(t) for s, t in zip(a, b, strict=True)), mp.zero) + self.bias

        q, c, r = inner(x, x), inner(x, y), inner(y, y)
        tangent = c
        for _ in range(network.depth):
            dual, derivative = self.duals(q, c, r)
            if network.train != "all":
                hidden, output = self.weight * tangent * derivative, self.weight * dual
                return {"hidden": hidden, "output": output, "both": hidden + output}[network.train]
            q, r = (self.weight * self.duals(z, z, z)[0] + self.bias for z in (q, r))
            c = self.weight * dual + self.bias
            tangent = c + self.weight * tangent * derivative
        return tangent if self.kernel == "ntk" else c


def agrees(network: Network, kernel: str, precision: int, engine: str, points: np.ndarray = POINTS) -> None:
    midpoint, radius = enclose_gram(points, network, kernel=kernel, precision=precision, engine=engine)
    n = len(points)
    assert midpoint.shape == radius.shape == (n, n)
    assert radius.dtype == np.float64
    assert midpoint.dtype == (np.float64 if precision <= 53 else object)
    assert precision <= 53 or isinstance(midpoint[0, 0], mpmath.mpf)
    oracle = Oracle(network, kernel)
    rows = points.tolist()
    truth = [[fraction(oracle.entry(x, y)) for y in rows] for x in rows]
    largest = max(truth[i][i] for i in range(n))
    for i in range(n):
        for j in range(n):
            found = fraction(midpoint[i, j] if precision > 53 else float(midpoint[i, j]))
            assert (midpoint[i, j], radius[i, j]) == (midpoint[j, i], radius[j, i])
            # the oracle loses at most half its bits, at parallel samples
            assert abs(truth[i][j] - found) <= Fraction(float(radius[i, j])) + Fraction(1, 2**450)
            assert Fraction(float(radius[i, j])) <= largest / 2 ** (precision - 2)


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize(
    "network", NETWORKS, ids=lambda network: f"{network.activation}-{network.depth}-{network.train}"
)
def test_entries_are_enclosed_in_float64(network: Network, engine: str) -> None:
    agrees(network, "ntk", 53, engine)


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("precision", [30, 54, 120, 400])
@pytest.mark.parametrize("network", [NETWORKS[3], NETWORKS[8], NETWORKS[10]], ids=["relu", "erf", "sin"])
def test_entries_are_enclosed_at_any_precision(network: Network, precision: int, engine: str) -> None:
    agrees(network, "ntk", precision, engine)


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("network", [NETWORKS[4], NETWORKS[8]], ids=["leaky_relu", "erf"])
def test_the_covariance_of_the_output(network: Network, engine: str) -> None:
    agrees(network, "nngp", 100, engine)


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("scale", [1e-160, 1e-20, 1e20, 1e140])
def test_the_precision_is_relative(scale: float, engine: str) -> None:
    points = np.array([[1.0, 2.0], [3.0, -4.0]]) * scale
    midpoint, radius = enclose_gram(points, Network("identity"), precision=80, engine=engine)
    exact = [[2 * sum(Fraction(s) * Fraction(t) for s, t in zip(x, y, strict=True)) for y in points] for x in points]
    for i in range(2):
        for j in range(2):
            assert abs(exact[i][j] - fraction(midpoint[i, j])) <= Fraction(float(radius[i, j]))
            assert Fraction(float(radius[i, j])) <= max(exact[1][1] / 2**78, Fraction(5e-324))


def test_a_dataset_or_an_array() -> None:
    by_array = enclose_gram(POINTS, Network())
    by_dataset = enclose_gram(Dataset(POINTS), Network())
    assert (by_array[0] == by_dataset[0]).all()
    assert (by_array[1] == by_dataset[1]).all()


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (POINTS, {"precision": 29}, "the precision must be an integer from 30 to 4096 bits, not 29"),
        (POINTS, {"precision": 4097}, "the precision must be an integer from 30 to 4096 bits, not 4097"),
        (POINTS, {"precision": 53.0}, "the precision must be an integer from 30 to 4096 bits, not 53.0"),
        (POINTS, {"engine": "slow"}, "unknown engine 'slow'"),
        (POINTS, {"kernel": "rbf"}, "unknown kernel 'rbf'"),
        (np.ones((1, 2)), {}, "the dataset has one row"),
        (np.array([[1e200, 1.0], [1.0, 2.0]]), {}, "exceeds the float64 range"),
        (np.array([[1e200, 1.0], [1.0, 2.0]]), {"precision": 100}, "exceeds the float64 range"),
    ],
)
def test_unusable_arguments(points: np.ndarray, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        enclose_gram(points, Network(), **options)
    assert message in str(caught.value)

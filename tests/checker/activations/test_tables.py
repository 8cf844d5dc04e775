"""Tables of activations against Arb at 300 bits, by formulas of σ and σ' written here; both arithmetics."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from ntkproof.checker.activations import tables
from ntkproof.checker.activations.pointwise import node_of
from ntkproof.checker.activations.values import Values, activation_values
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.arithmetic.fast import Fast
from ntkproof.checker.arithmetic.reference import Reference
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.problem.network import Network

ENGINES = (Fast(), Reference())
P = Q = 40
ONE = 1 << P


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with flint.ctx.workprec(300):
        yield


# Truth ----------------------------------------------------------------------------------------------------------

Truth = Callable[[Any], tuple[Any, Any]]


def arb(x: Fraction) -> Any:
    return flint.arb(flint.fmpq(x.numerator, x.denominator))


def erf(x: Any) -> tuple[Any, Any]:
    return x.erf(), 2 / flint.arb.pi().sqrt() * (-x * x).exp()


def tanh(x: Any) -> tuple[Any, Any]:
    return x.tanh(), x.sech() ** 2


def sigmoid(x: Any) -> tuple[Any, Any]:
    return 1 / (1 + (-x).exp()), 1 / ((x / 2).cosh() ** 2 * 4)


def softplus(x: Any) -> tuple[Any, Any]:
    return x.exp().log1p(), sigmoid(x)[0]


def gelu(x: Any) -> tuple[Any, Any]:
    normal = ((x / flint.arb(2).sqrt()).erf() + 1) / 2
    return x * normal, normal + x * (-x * x / 2).exp() / (2 * flint.arb.pi()).sqrt()


def silu(x: Any) -> tuple[Any, Any]:
    s, d = sigmoid(x)
    return x * s, s + x * d


def bent(left: Fraction) -> Truth:
    """Linear on both sides of 0, with the derivative from the right at 0."""
    return lambda x: (x if x >= 0 else arb(left) * x, flint.arb(1) if x >= 0 else arb(left))


SMOOTH: dict[str, Truth] = {
    "erf": erf,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "gelu": gelu,
    "silu": silu,
    "gaussian": lambda x: ((-x * x / 2).exp(), -x * (-x * x / 2).exp()),
    "sin": lambda x: (x.sin(), x.cos()),
    "cos": lambda x: (x.cos(), -x.sin()),
}
LINEAR: dict[str, Truth] = {
    "identity": lambda x: (x, flint.arb(1)),
    "relu": bent(Fraction(0)),
    "abs": bent(Fraction(-1)),
    "leaky_relu": bent(Fraction(1, 100)),
    "leaky_relu(-0.3)": bent(Fraction(-3, 10)),
    "leaky_relu(9.9999999999999999999)": bent(Fraction("9.9999999999999999999")),
    "leaky_relu(1e-300)": bent(Fraction("1e-300")),
}
EXPRESSIONS: dict[str, Truth] = {
    "expr(sin(20*x))": lambda x: ((20 * x).sin(), 20 * (20 * x).cos()),
    "expr(1/(1 + x**2))": lambda x: (1 / (1 + x * x), -2 * x / (1 + x * x) ** 2),
    "expr(sqrt(1 + x**2) - x/2)": lambda x: ((1 + x * x).sqrt() - x / 2, x / (1 + x * x).sqrt() - flint.arb(1) / 2),
    "expr(log(2 + cos(x)))": lambda x: ((2 + x.cos()).log(), -x.sin() / (2 + x.cos())),
    "expr(atan(3*x))": lambda x: ((3 * x).atan(), 3 / (1 + 9 * x * x)),
    "expr(exp(-abs(x)))": lambda x: ((-abs(x)).exp(), (-abs(x)).exp() * (-1 if x >= 0 else 1)),
    "expr(x*relu(x) + 3)": lambda x: (x * x + 3, 2 * x) if x >= 0 else (flint.arb(3), flint.arb(0)),
}
TRUTH = SMOOTH | LINEAR | EXPRESSIONS


def name_of(text: str) -> str:
    return Network(text).activation


def largest_ratio(name: str, z: Any, p: int, q: int, found: Values) -> float:
    """Require every entry to be within the stated error; return the largest error over the stated one."""
    values, slopes, error = found
    assert values.shape == slopes.shape == z.shape
    assert values.dtype == slopes.dtype == np.int64
    assert type(error) is int
    worst = 0.0
    for a, *pair in zip(z.ravel().tolist(), values.ravel().tolist(), slopes.ravel().tolist(), strict=True):
        for have, true in zip(pair, TRUTH[name](arb(Fraction(a, 1 << p))), strict=True):
            off = abs(true * (1 << q) - have)
            assert off <= error, (name, a, p, q, have, error)
            worst = max(worst, float(off) / max(error, 1))
    return worst


def adversarial(p: int = P) -> Any:
    """Zero and its neighbours, cell boundaries and centres of every level, tiny, large and random arguments."""
    rng = np.random.default_rng(5)
    points = [s * (1 << e) + d for e in range(p + 4) for s in (-1, 1) for d in (-1, 0, 1)]
    for level in tables.LEVELS:
        cells = [*rng.integers(-(8 << level), 8 << level, 12).tolist(), -64, -1, 0, 1, 63, 64]
        points += [(2 * c + half << (p - level - 1)) + d for c in cells for half in (0, 1) for d in (-1, 0, 1)]
    points += (rng.standard_normal(100) * (1 << p)).astype(np.int64).tolist()
    return np.array(points, np.int64)


# Containment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRUTH)
def test_every_value_and_slope_is_within_the_error(name: str) -> None:
    z = adversarial()
    found = activation_values(Fast(), name_of(name), z, P, Q)
    ratio = largest_ratio(name, z, P, Q, found)
    if name in SMOOTH:
        assert found[2] <= 4  # 2^-38, for functions of size about 1
        assert ratio > 0.2  # and not several times too large
    if name in ("identity", "relu", "abs"):
        assert found[2] == 0


@pytest.mark.parametrize("name", TRUTH)
def test_the_reference_point_by_point(name: str) -> None:
    z = adversarial()[::7]
    found = activation_values(Reference(), name_of(name), z, P, Q)
    largest_ratio(name, z, P, Q, found)
    assert found[2] <= 1
    fast = activation_values(Fast(), name_of(name), z, P, Q)
    for mine, other in zip(found[:2], fast[:2], strict=True):
        assert np.abs(mine - other).max() <= found[2] + fast[2]


@pytest.mark.parametrize("name", [*SMOOTH, *LINEAR, "expr(exp(-abs(x)))", "expr(sqrt(1 + x**2) - x/2)"])
def test_large_arguments(name: str) -> None:
    """Up to the widest range of a table; values are large, or all digits are 0 or 1."""
    rng = np.random.default_rng(6)
    z = np.concatenate([[1000 * ONE, -1000 * ONE], rng.integers(-1000 * ONE, 1000 * ONE, 30)])
    for engine in ENGINES:
        found = activation_values(engine, name_of(name), z, P, Q)
        largest_ratio(name, z, P, Q, found)
        assert found[2] <= (4 if name not in LINEAR and TRUTH[name](arb(Fraction(9)))[0] < 2 else 40)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize(("p", "q"), [(0, 0), (40, 40), (60, 50), (20, 23)])
def test_linear_activations_of_large_odd_integers(name: str, p: int, q: int) -> None:
    """More bits than float64 has; and multiples of 10, where a value is exact and the slope is not."""
    rng = np.random.default_rng(8)
    z = np.concatenate([rng.integers(-(2**54), 2**54, 60) | 1, [-10 << min(p, 50), -10 << 40, 10 << 40]])
    for engine in ENGINES:
        largest_ratio(name, z, p, q, activation_values(engine, name_of(name), z, p, q))


@pytest.mark.parametrize("name", ["sin", "cos", "erf", "tanh", "sigmoid", "gaussian"])
@pytest.mark.parametrize("p", [0, 3, 7, 30])
def test_arguments_far_away_but_close_together(name: str, p: int) -> None:
    for centre in (2 ** (min(p, 8) + 53), -(2 ** (min(p, 8) + 53)), 12345 << p):
        z = np.array([centre + d for d in range(-5, 6)], np.int64)
        largest_ratio(name, z, p, 30, activation_values(Fast(), name, z, p, 30))


@st.composite
def fixed_points(draw: st.DrawFn) -> tuple[list[int], int]:
    """Arguments near 0 in real size, or anywhere, or next to a power of two; and their places."""
    p = draw(st.integers(0, 60))
    anywhere = st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.builds(lambda s, e, d: s * 2**e + d, st.sampled_from([-1, 1]), st.integers(0, 61), st.integers(-3, 3)),
    )
    near = st.integers(-(1 << min(p + 3, 62)), 1 << min(p + 3, 62))
    z = draw(st.one_of(st.lists(near, min_size=1, max_size=6), st.lists(anywhere, min_size=1, max_size=3)))
    return z, p


@given(st.sampled_from(list(TRUTH)), fixed_points(), st.integers(0, 60), st.sampled_from(ENGINES))
def test_any_arguments_are_enclosed_or_refused(name: str, points: tuple[list[int], int], q: int, engine: Any) -> None:
    z, p = np.array(points[0], np.int64), points[1]
    try:
        found = activation_values(engine, name_of(name), z, p, q)
    except Rejection as refusal:
        code, found = refusal.code, None
    if found is not None:
        target(largest_ratio(name, z, p, q, found), label=f"error used, {engine.name}")
        return
    assert code == "no-enclosure"
    assert q > 45 or max(map(abs, points[0])) > 8 << p


@given(st.sampled_from(list(SMOOTH)), st.lists(st.integers(-8 * ONE, 8 * ONE), min_size=1, max_size=8))
def test_search_for_a_larger_error(name: str, z: list[int]) -> None:
    array = np.array(z, np.int64)
    target(largest_ratio(name, array, P, Q, activation_values(Fast(), name, array, P, Q)))


@pytest.mark.parametrize("name", ["erf", "gelu", "expr(sin(20*x))"])
def test_climbing_towards_a_larger_error(name: str) -> None:
    """From many arguments, steps of every size, each kept if the error of value or slope grows in its cell."""
    rng = np.random.default_rng(7)
    z = rng.integers(-3 * ONE, 3 * ONE, 12)

    def off(at: Any) -> list[float]:
        values, slopes, error = activation_values(Fast(), name_of(name), at, P, Q)
        pairs = zip(at.tolist(), values.tolist(), slopes.tolist(), strict=True)
        ratios = []
        for a, *pair in pairs:
            true = TRUTH[name](arb(Fraction(a, ONE)))
            assert all(abs(t * (1 << Q) - have) <= error for t, have in zip(true, pair, strict=True))
            ratios.append(max(float(abs(t * (1 << Q) - have)) for t, have in zip(true, pair, strict=True)))
        return ratios

    best = off(z)
    for exponent in range(34, 0, -3):
        for sign in (-1, 1):
            moved = z + sign * (1 << exponent)
            new = off(moved)
            z = np.where(np.array(new) > np.array(best), moved, z)
            best = [max(pair) for pair in zip(best, new, strict=True)]
    assert max(best) > 0.4  # rounding to a unit alone gives a half


# What a cell says of itself ----------------------------------------------------------------------------------------


@given(
    st.sampled_from([*SMOOTH, *EXPRESSIONS]),
    st.sampled_from(tables.LEVELS),
    st.integers(-20, 20),
    st.sampled_from([10, 40, 50]),
    st.integers(0, tables.BLOCK - 1),
    st.one_of(st.sampled_from([Fraction(-1), Fraction(0), Fraction(1023, 1024)]), st.fractions(-1, 1)),
)
def test_the_polynomial_of_a_cell(name: str, level: int, block: int, q: int, c: int, t: Fraction) -> None:
    """Exactly evaluated it is within ``lost``; and in float64 within ``rounding`` of that."""
    node = node_of(name_of(name))
    cells = list(tables._cells(ArbNumbers(64), node, level, q + tables.FINE, tables.BLOCK * block, tables.BLOCK))
    cell = cells[c]
    assert cell is not None
    x = Fraction(2 * (tables.BLOCK * block + c) + 1 + t) / (2 << level)
    exact = (
        sum(a * t**j for j, a in enumerate(cell.coefficients)),
        (2 << level) * sum(j * a * t ** (j - 1) for j, a in enumerate(cell.coefficients) if j),
    )
    side = 1 if tables.BLOCK * block + c >= 0 else -1
    if x != 0 or side == 1:
        for have, true in zip(exact, TRUTH[name](arb(x)), strict=True):
            assert abs(true * (1 << (q + tables.FINE)) - arb(Fraction(have))) <= cell.lost
    near = Fraction(float(t))
    row = tables._block(ArbNumbers(64), node, level, q, block).coefficients[:, c : c + 1]
    table = tables.Table(level, 0, row, 0, 0)
    values, slopes = np.empty(1, np.int64), np.empty(1, np.int64)
    table._horner(np.zeros(1, np.int64), np.array([float(t)]), values, slopes)
    exact = (
        sum(a * near**j for j, a in enumerate(cell.coefficients)),
        (2 << level) * sum(j * a * near ** (j - 1) for j, a in enumerate(cell.coefficients) if j),
    )
    for have, true in zip((int(values[0]), int(slopes[0])), exact, strict=True):
        assert abs(have * 2**tables.FINE - true) <= cell.rounding + 2**tables.FINE


@pytest.mark.parametrize("name", SMOOTH)
def test_the_bounds_of_an_expansion(name: str) -> None:
    """Cells up to 1 wide, so that Taylor's remainder is all of the error; value and slope apart."""
    unit, used = 60, [0.0, 0.0]
    for level, first in ((0, 0), (0, -1), (1, 2), (1, -3), (2, 5)):
        piece = tables._expanded(ArbNumbers(64), node_of(name), level, unit, first, 1)
        assert piece is not None
        for t in (-1, 1):
            value = sum(c * t**j for j, c in enumerate(piece.polynomial))
            slope = sum(j * c * t ** (j - 1) for j, c in enumerate(piece.polynomial) if j)
            true = TRUTH[name](arb(Fraction(2 * first + 1 + t, 2 << level)))
            off = abs(true[0] * 2**unit - value), abs(true[1] * 2**unit / (2 << level) - slope)
            for k, bound in enumerate((piece.value_lost, piece.slope_lost)):
                assert off[k] <= bound
                used[k] = max(used[k], float(off[k]) / bound)
    if name in ("sin", "cos"):
        assert min(used) > 0.5  # else intervals are wider than the derivative


@pytest.mark.parametrize("name", ["erf", "tanh", "gaussian", "sin", "gelu"])
def test_the_bound_of_a_cell_is_nearly_attained(name: str) -> None:
    """At the ends of wide cells the terms left out are all of the error, and all of one sign at one of the ends."""
    q, level, used = 50, 5, 0.0
    for c, cell in enumerate(tables._cells(ArbNumbers(64), node_of(name), level, q + tables.FINE, 0, tables.BLOCK)):
        assert cell is not None
        for t in (-1, 1):
            slope = (2 << level) * sum(j * a * t ** (j - 1) for j, a in enumerate(cell.coefficients) if j)
            true = TRUTH[name](arb(Fraction(2 * c + 1 + t, 2 << level)))[1] * 2 ** (q + tables.FINE)
            assert abs(true - slope) <= cell.lost
            used = max(used, float(abs(true - slope)) / cell.lost)
    assert used > 0.9


UPWARD, DOWNWARD, TOWARD_ZERO = 0x800, 0x400, 0xC00  # of <fenv.h> on x86-64


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="rounding modes of x86-64 Linux")
@pytest.mark.parametrize("mode", [UPWARD, DOWNWARD, TOWARD_ZERO])
def test_any_rounding_mode_will_do(mode: int) -> None:
    z, names = adversarial(), ("erf", "gelu", "leaky_relu(-0.3)", "relu")
    for name in names:
        activation_values(Fast(), name, z, P, Q)  # the tables
    fenv = ctypes.CDLL(None)
    try:
        fenv.fesetround(mode)
        found = [activation_values(Fast(), name, z, P, Q) for name in names]
    finally:
        fenv.fesetround(0)
    for name, each in zip(names, found, strict=True):
        largest_ratio(name, z, P, Q, each)


def test_the_answer_does_not_depend_on_chunks_order_or_what_is_tabulated(monkeypatch: pytest.MonkeyPatch) -> None:
    z = adversarial()
    values, slopes, error = activation_values(Fast(), "tanh", z, P, Q)
    tables._block.cache_clear()
    monkeypatch.setattr(tables, "_CHUNK", 7)
    for shaped in (z.reshape(2, -1) if z.size % 2 == 0 else z[None], z[::-1], np.stack([z, z], axis=1)[:, 1]):
        found = activation_values(Fast(), "tanh", shaped, P, Q)
        expected = [a[::-1] if shaped.strides[0] < 0 else a.reshape(shaped.shape) for a in (values, slopes)]
        assert (found[0] == expected[0]).all()
        assert (found[1] == expected[1]).all()
        assert found[2] == error


def test_narrower_cells_where_the_function_bends_more() -> None:
    z = np.arange(-3 * ONE, 3 * ONE, ONE // 50)
    levels = {
        name: tables._table(name_of(name), z, P, Q, ArbNumbers(64)).level
        for name in ("sin", "expr(sin(20*x))", "expr(sin(90*x))")
    }
    assert levels["sin"] == 7 < levels["expr(sin(20*x))"] < levels["expr(sin(90*x))"]


# Shapes and kinks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("name", ["erf", "relu", "leaky_relu"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (), (1,), (3, 0), (2, 3, 4)])
def test_shapes(engine: Any, name: str, shape: tuple[int, ...]) -> None:
    z = np.full(shape, ONE // 3, np.int64)
    values, slopes, error = activation_values(engine, name, z, P, Q)
    assert values.shape == slopes.shape == shape
    if z.size:
        largest_ratio(name, z, P, Q, (values, slopes, error))
    z[...] = 0
    assert (values != 0).all()  # a copy, not a view


def test_the_derivative_at_a_kink_is_the_one_from_the_right() -> None:
    z = np.array([-1, 0, 1], np.int64)
    for engine in ENGINES:
        for name, slopes in (("relu", [0, 1, 1]), ("abs", [-1, 1, 1]), ("expr(exp(-abs(x)))", [1, -1, -1])):
            found = activation_values(engine, name, z, 60, 20)
            assert np.abs(found[1] - np.array(slopes) * 2**20).max() <= found[2]


def test_a_slope_that_is_rounded_counts_where_the_value_is_exact() -> None:
    for engine in ENGINES:
        z = np.array([-10 * ONE], np.int64)
        largest_ratio("leaky_relu(-0.3)", z, P, Q, activation_values(engine, "leaky_relu(-0.3)", z, P, Q))

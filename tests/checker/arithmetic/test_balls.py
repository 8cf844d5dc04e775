"""Float64 balls against exact rationals and 300-bit Arb; the vectorised enclosure against Arb entries."""

from __future__ import annotations

import ctypes
import platform
import random
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import inf, nan, nextafter
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkproof.certificate import int64_array, integer_array
from ntkproof.checker.arithmetic import balls, exact, slices
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.arithmetic.balls import GROWTH, LARGEST, TINY, Ball, Balls, U
from ntkproof.checker.arithmetic.fast import Fast
from ntkproof.checker.arithmetic.reference import Reference
from ntkproof.checker.limit import float64 as vectorised
from ntkproof.checker.limit.entries import enclose_entries, enclose_kernel
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover import factor
from ntkproof.prover.matrices import as_floats

NUMBERS = Balls()


@pytest.fixture(autouse=True)
def _quiet_and_precise() -> Iterator[None]:
    with np.errstate(all="ignore"), flint.ctx.workprec(300):
        yield


# Strategies -----------------------------------------------------------------------------------------------------

magnitudes = st.one_of(
    st.floats(0, 2.0**290),
    st.floats(0.5, 2),
    st.floats(0, 2.0**-1000),
    st.sampled_from([0.0, 5e-324, 2.0**-1022, 2.0**-600, 2.0**-400, 1.0, 2.0**200, 1e90]),
)
signed = st.builds(lambda sign, x: sign * x, st.sampled_from([-1, 1]), magnitudes)


@st.composite
def any_ball(draw: st.DrawFn, mids: st.SearchStrategy[float] = signed) -> Ball:
    """A ball whose radius is zero, a few units in the last place, about its midpoint, or anything."""
    mid = draw(mids)
    relative = st.sampled_from([0.0, 1e-20, 2.0**-53, 2.0**-50, 1e-9, 0.3, 1.0, 1 + 2.0**-52, 3.0])
    rad = draw(st.one_of(relative.map(lambda r: abs(mid) * r), magnitudes))
    return Ball(mid, min(rad, LARGEST))


def points(x: Ball) -> list[Fraction]:
    """Ends and inner points of a ball of one number."""
    mid, rad = Fraction(float(x.mid)), Fraction(float(x.rad))
    return [mid + rad * Fraction(k, 7) for k in (-7, -5, 0, 1, 7)]


def inside(x: Ball, value: Fraction) -> bool:
    return abs(value - Fraction(float(x.mid))) <= Fraction(float(x.rad))


def arb(value: Fraction | float) -> flint.arb:
    value = Fraction(value)
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def encloses(x: Ball, value: flint.arb) -> bool:
    """True only if the real number that ``value`` encloses is proved to be in the ball."""
    return bool(abs(value - arb(float(x.mid))) <= arb(float(x.rad)))


# Arithmetic -----------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(x=any_ball(), y=any_ball())
def test_operations_contain_every_result(name: str, x: Ball, y: Ball) -> None:
    try:
        result = OPERATIONS[name](x, y)
    except ValueError:
        return
    for a in points(x):
        for b in points(y):
            assert inside(result, OPERATIONS[name](a, b))


@pytest.mark.parametrize("name", OPERATIONS)
@given(x=any_ball(), k=st.sampled_from([1, 2, 3, 4, -1, -2, 0, 7, 2**52, 2**53, -(2**53)]))
def test_operations_with_integers(name: str, x: Ball, k: int) -> None:
    for left, right, swap in ((x, k, False), (k, x, True)):
        try:
            result = OPERATIONS[name](left, right)
        except ValueError:
            continue
        for a in points(x):
            assert inside(result, OPERATIONS[name](Fraction(k), a) if swap else OPERATIONS[name](a, Fraction(k)))


@given(x=any_ball(st.floats(2.0**-100, 2.0**100)), y=any_ball(st.floats(2.0**-100, 2.0**100)))
def test_operations_are_tight(x: Ball, y: Ball) -> None:
    a, b, r, s = (Fraction(float(v)) for v in (x.mid, y.mid, x.rad, y.rad))
    propagated = {"add": r + s, "sub": r + s, "mul": a * s + b * r + r * s}
    if b - s > 0:
        propagated["div"] = (r + a / b * s) / (b - s)
    for name, error in propagated.items():
        try:
            result = OPERATIONS[name](x, y)
        except ValueError:
            assert max(error, abs(OPERATIONS[name](a, b))) > 2**190
            continue
        least = error + Fraction(U) * abs(OPERATIONS[name](a, b))
        assert Fraction(float(result.rad)) <= least * (1 + Fraction(1, 2**47)) + 2 * Fraction(TINY)


def test_what_is_not_finite_never_passes() -> None:
    for mid, rad in ((nan, 0.0), (inf, 0.0), (0.0, nan), (0.0, inf), (0.0, -1e-300), (2 * LARGEST, 0.0)):
        with pytest.raises(ValueError, match="finite"):
            Ball(np.array([0.0, mid]), np.array([0.0, rad]))
    huge = Ball(np.array([1.0, 2.0**299]))
    for action in (lambda: huge * huge, lambda: huge * (2**52), lambda: huge * 3 * (2**50) + huge * 2):
        with pytest.raises(ValueError, match=r"large|finite"):
            action()
    for divisor in (Ball(0.0), Ball(1.0, 1.0), Ball(0.0, 1.0), Ball(1.0, 2.0), Ball(2.0**-500)):
        with pytest.raises(ValueError, match="divisor"):
            _ = 1 / divisor
    with pytest.raises(TypeError):
        huge + 0.5  # type: ignore[operator]
    with pytest.raises(TypeError):
        huge + True
    with pytest.raises(TypeError):
        huge * (2**53 + 1)
    with pytest.raises(TypeError):
        np.ones(2) * huge  # type: ignore[operator]


@given(x=any_ball())
def test_negation_and_clipping(x: Ball) -> None:
    assert all(inside(-x, -a) for a in points(x))
    if Fraction(float(x.mid)) + Fraction(float(x.rad)) < 0:
        with pytest.raises(ValueError, match=">= 0"):
            NUMBERS.nonnegative(x)
        return
    clipped = NUMBERS.nonnegative(x)
    assert all(inside(clipped, a) for a in points(x) if a >= 0)
    assert Fraction(float(clipped.mid)) - Fraction(float(clipped.rad)) >= -Fraction(TINY) * 2 - points(x)[-1] / 2**46


@given(x=any_ball(st.one_of(magnitudes, signed)))
def test_square_roots(x: Ball) -> None:
    top = points(x)[-1]
    if top < 0:
        with pytest.raises(ValueError, match=">= 0"):
            NUMBERS.sqrt(x)
        return
    root = NUMBERS.sqrt(x)
    for a in points(x):
        if a >= 0:
            assert encloses(root, arb(a).sqrt())
    assert arb(float(root.rad)) <= 2 * (arb(top) + 4 * arb(TINY)).sqrt()


@given(st.fractions(), st.integers(-300, 300))
def test_rationals(value: Fraction, e: int) -> None:
    value = value * Fraction(10) ** e
    try:
        ball = NUMBERS.rational(value)
    except ValueError:
        assert abs(value) > LARGEST / 2
        return
    assert inside(ball, value)
    assert Fraction(float(ball.rad)) <= abs(value) / 2**53 + Fraction(nextafter(0, 1))


def test_pi() -> None:
    assert encloses(NUMBERS.pi, flint.arb.pi())
    assert NUMBERS.pi.rad <= U


# Elementary functions -------------------------------------------------------------------------------------------


def true_angle(x: Fraction, y: Fraction) -> flint.arb:
    """The angle by half-angle formulas that have no cut: exact on the axes."""
    if x == 0:
        return flint.arb.pi() / 2
    if y <= abs(x):
        part = (arb(y) / arb(abs(x))).atan()
        return part if x > 0 else flint.arb.pi() - part
    return flint.arb.pi() / 2 - (arb(x) / arb(y)).atan()


@given(x=any_ball(), y=any_ball(st.one_of(magnitudes, signed)))
def test_angles_of_any_boxes(x: Ball, y: Ball) -> None:
    if points(y)[-1] < 0:
        return
    result = NUMBERS.angle(x, y)
    for a in points(x):
        for b in points(y):
            if b >= 0 and (a or b):
                assert encloses(result, true_angle(a, b))


def near(value: float, steps: int) -> float:
    for _ in range(abs(steps)):
        value = nextafter(value, inf if steps > 0 else -inf)
    return value


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("swap", [False, True])
def test_angles_at_table_boundaries(sign: int, swap: bool) -> None:
    """Ratios at k/128 and (k + 1/2)/128, some floats to either side, in all four octants."""
    ratios = [near(half / 256, step) for half in range(257) for step in (-2, -1, 0, 1, 2)]
    small = np.array([max(0.0, min(r, 1.0)) * 1.5 for r in ratios])
    large = np.full(len(small), 1.5)
    x, y = (small, large) if swap else (large, small)
    result = NUMBERS.angle(Ball(sign * x), Ball(y))
    for k in range(len(x)):
        one = Ball(result.mid[k], result.rad[k])
        assert encloses(one, true_angle(Fraction(sign * x[k]), Fraction(y[k])))
    assert result.rad.max() <= 5 * U


def test_random_angles_and_their_tightness() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(4000) * 10.0 ** rng.integers(-12, 12, 4000)
    y = np.abs(rng.standard_normal(4000)) * 10.0 ** rng.integers(-12, 12, 4000)
    result = NUMBERS.angle(Ball(x), Ball(y))
    worst = 0.0
    for k in range(len(x)):
        error = abs(true_angle(Fraction(x[k]), Fraction(y[k])) - arb(result.mid[k]))
        assert error <= arb(result.rad[k])
        worst = max(worst, float(error / arb(result.rad[k])))
    assert worst > 0.3  # the radius is not several times too large
    assert result.rad.max() <= 5 * U


def test_angles_of_axes_and_of_the_origin() -> None:
    zero, one = Ball(0.0), Ball(1.0)
    assert encloses(NUMBERS.angle(one, zero), arb(0))
    assert encloses(NUMBERS.angle(-one, zero), flint.arb.pi())
    assert encloses(NUMBERS.angle(zero, one), flint.arb.pi() / 2)
    for origin in (NUMBERS.angle(zero, zero), NUMBERS.angle(Ball(1.0, 1.0), zero), NUMBERS.angle(zero, Ball(0.1, 0.2))):
        assert encloses(origin, arb(0))
        assert encloses(origin, flint.arb.pi())


@given(any_ball(st.one_of(st.floats(-430, 200), st.floats(-1, 1), st.floats(-1e300, -400).map(lambda x: x / 1e210))))
def test_exponentials(x: Ball) -> None:
    try:
        result = NUMBERS.exp(x)
    except ValueError:
        assert x.rad > 0.5 or x.mid + x.rad > 199
        return
    for a in points(x):
        if abs(a) < 10**6:
            assert encloses(result, arb(a).exp())
        else:
            assert a < 0
            assert encloses(result, arb(0))


def test_exponentials_at_table_boundaries_and_their_tightness() -> None:
    step = float(np.log(2) / 64)
    x = np.array([near(k * step, d) for k in range(-38000, 9000, 53) for d in (-1, 0, 1)])
    x = np.concatenate([x, [0.0, -0.0, 5e-324, -5e-324, 1e-17, -420.0, near(-420.0, 1), near(-420.0, -1)]])
    result = NUMBERS.exp(Ball(x))
    for k in range(len(x)):
        assert encloses(Ball(result.mid[k], result.rad[k]), arb(x[k]).exp())
    normal = x > -350
    assert (result.rad <= 1.8 * U * result.mid)[normal].all()


def test_tables_hold_what_they_say() -> None:
    angles, error = balls._angles()
    assert error <= U
    for octant, (a, b) in enumerate(((0, 1), (1, -1), (2, -1), (1, 1))):
        for k in range(129):
            true = a * flint.arb.pi() / 2 + b * arb(Fraction(k, 128)).atan()
            assert abs(true - arb(float(angles[129 * octant + k]))) <= arb(error)
    high, low, powers, error = balls._powers()
    assert error <= U / 2
    assert (high * 2**42).is_integer()
    assert abs(flint.arb(2).log() / 32 - arb(high) - arb(low)) <= arb(Fraction(1, 2**94))
    for j in range(32):
        assert abs(arb(2) ** arb(Fraction(j, 32)) - arb(float(powers[j]))) <= arb(error)


UPWARD, DOWNWARD, TOWARD_ZERO = 0x800, 0x400, 0xC00  # of <fenv.h> on x86-64


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="rounding modes of x86-64 Linux")
@pytest.mark.parametrize("mode", [UPWARD, DOWNWARD, TOWARD_ZERO])
def test_any_rounding_mode_will_do(mode: int) -> None:
    rng = np.random.default_rng(8)
    x = Ball(rng.standard_normal(500), np.abs(rng.standard_normal(500)) * 2.0 ** rng.integers(-60, -10, 500))
    y = Ball(np.abs(rng.standard_normal(500)) + 0.01, np.abs(rng.standard_normal(500)) * 2.0**-50)
    third = NUMBERS.rational(Fraction(1, 3))
    assert NUMBERS.angle(x, y) is not None  # the tables are built to nearest
    assert NUMBERS.exp(x) is not None
    fenv = ctypes.CDLL(None)
    try:
        fenv.fesetround(mode)
        results = [x + y, x - y, x * y, x / y, third * x, NUMBERS.sqrt(y), NUMBERS.angle(x, y), NUMBERS.exp(x)]
        with pytest.raises(ValueError, match="round to nearest"):
            slices.require_ieee()
    finally:
        fenv.fesetround(0)
    for k in range(500):
        a, b = (Fraction(float(v.mid[k])) + Fraction(float(v.rad[k])) * s for v, s in ((x, 1), (y, -1)))
        rationals = [a + b, a - b, a * b, a / b, a / 3]
        assert all(inside(result[k], value) for result, value in zip(results, rationals, strict=False))
        real = [arb(b).sqrt(), true_angle(a, b), arb(a).exp()]
        assert all(encloses(result[k], value) for result, value in zip(results[5:], real, strict=True))


def test_growth_covers_twelve_roundings() -> None:
    assert Fraction(GROWTH) * (1 - Fraction(U)) ** 12 >= 1 + 3 * Fraction(U)


# Double-double --------------------------------------------------------------------------------------------------

doubles = st.floats(-(2.0**200), 2.0**200).filter(lambda x: x == 0 or abs(x) > 2.0**-200)


@given(doubles, doubles)
def test_error_free_sums_and_products(a: float, b: float) -> None:
    x, y = np.array([a]), np.array([b])
    s, e = vectorised._two_sum(x, y)
    assert Fraction(s[0]) + Fraction(e[0]) == Fraction(a) + Fraction(b)
    p, e = vectorised._two_product(x, y)
    assert Fraction(p[0]) + Fraction(e[0]) == Fraction(a) * Fraction(b)


def test_the_processor_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    slices.require_ieee()

    def flushed(shape: int) -> Any:
        return np.zeros(shape)

    monkeypatch.setattr(vectorised.np, "ones", flushed)
    with pytest.raises(ValueError, match="round to nearest"):
        slices.require_ieee()


# End to end -----------------------------------------------------------------------------------------------------


def base(n: int = 6, d: int = 4, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def beside(distance: float) -> np.ndarray:
    """Unit rows, two of them that far apart, and its antipodal neighbour."""
    x = base()
    step = distance * base(seed=1)[0]
    return np.vstack([x, x[0] + step, -x[1] - step, -x[2]])


DATA = {
    "unit": base(),
    "gaussian": np.random.default_rng(5).standard_normal((9, 3)),
    "1e-3 apart": beside(1e-3),
    "1e-6 apart": beside(1e-6),
    "1e-9 apart": beside(1e-9),
    "1e-12 apart": beside(1e-12),
    "1e-15 apart": beside(1e-15),
    "zero row": np.vstack([base(4), np.zeros(4)]),
    "norms 1e-6 to 1e6": base(9) * 10.0 ** np.array([-6, -5, -3, -1, 0, 1, 3, 5, 6])[:, None],
    "integers": np.random.default_rng(6).integers(-3, 4, (8, 3)).astype(float),
    "tiny": base() * 2.0**-200,
}
NETWORKS = [
    *(
        Network(name, depth=depth)
        for name in ("relu", "abs", "leaky_relu(-0.3)", "erf", "sin", "cos", "identity")
        for depth in (1, 2, 3, 5)
    ),
    *(Network("relu", train=train) for train in ("hidden", "output", "both")),
    *(Network("erf", train=train, bias="0.3") for train in ("hidden", "output", "both")),
    *(Network(name, depth=2, bias="0.1", weight_std="1.5", input_scale="fan-in") for name in ("relu", "erf", "sin")),
    Network("relu", depth=3, bias="1000", weight_std="0.001"),
]


def entries(problem: Problem, precision: int) -> list[int]:
    """The lower triangle from Arb at 6000 bits, in units of 2^-precision."""
    numbers = ArbNumbers(6000)
    gram = slices.gram(problem.dataset.inputs, problem.dataset.exponent)
    with flint.ctx.workprec(6000):
        packed, radius = enclose_entries(
            problem, gram, numbers, lambda x: numbers.quantise(x, precision), lambda done, total: None
        )
    assert radius <= 4 * problem.dataset.n
    return packed


def triangle(n: int, packed: list[int]) -> list[list[int]]:
    return [[packed[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in range(n)] for i in range(n)]


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda net: f"{net.activation}-{net.depth}-{net.train}-{net.bias}")
@pytest.mark.parametrize("kernel", ["ntk", "nngp"])
def test_the_enclosure_holds_the_kernel(data: str, network: Network, kernel: str) -> None:
    if kernel == "nngp" and network.train != "all":
        return
    problem = Problem(Dataset(DATA[data]), network, kernel)
    n = problem.dataset.n
    gram = slices.gram(problem.dataset.inputs, problem.dataset.exponent)
    try:
        enclosure = vectorised._Enclosure(problem, gram, 40)
        pairs = [(i, vectorised.DoubleDouble(high, low)) for i, high, low in gram.high_low(1)]
        rows = [enclosure._rows(i, i + 1, pair) for i, pair in pairs]
    except ValueError:
        assert "norms" in data or "1000" in str(network.bias)  # only these may be out of reach of float64
        return
    unit = 900 if data == "tiny" else 200
    truth = triangle(n, entries(problem, unit))
    for i in range(n):
        for j in range(i):
            one = Ball(np.broadcast_to(rows[i].mid, (1, i + 1))[0, j], np.broadcast_to(rows[i].rad, (1, i + 1))[0, j])
            assert inside(one, Fraction(truth[i][j], 2**unit))
    for precision in (30, 45, 58):
        try:
            matrix, radius = vectorised.enclose_kernel_vectorised(problem, gram, precision, lambda done, total: None)
        except ValueError:
            assert precision > 30 or network.depth > 1 or "norms" in data
            continue
        found = triangle(n, list(matrix.lower()))
        shift = unit - precision
        norm = max(
            sum(abs((a << shift) - b) for a, b in zip(ra, rb, strict=True)) for ra, rb in zip(found, truth, strict=True)
        )
        assert norm <= (radius << shift)


def test_radii_are_a_few_units_in_the_last_place() -> None:
    problem = Problem(Dataset(base(60, 20)), Network("relu"))
    _, radius = enclose_kernel(Fast(), problem, 58, 53, lambda done, total: None)
    assert radius / 60 / 2**6 < 4


def test_parallel_rows_keep_their_digits() -> None:
    problem = Problem(Dataset(beside(1e-12)), Network("relu"))
    n = problem.dataset.n
    _, radius = enclose_kernel(Fast(), problem, 58, 53, lambda done, total: None)
    assert radius / n / 2**58 < 2.0**-46


def test_blocks_are_independent_of_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(Dataset(base(40)), Network("erf", depth=2, bias="0.5"))
    whole, radius = enclose_kernel(Fast(), problem, 55, 53, lambda done, total: None)
    for size in (1, 7, 100, 333):
        monkeypatch.setattr(vectorised, "_BLOCK", size)
        ticks: list[tuple[int, int]] = []
        part, same = enclose_kernel(Fast(), problem, 55, 53, lambda done, total, seen=ticks: seen.append((done, total)))
        assert list(part.lower()) == list(whole.lower())
        assert same == radius
        assert ticks[-1] == (40, 40)


def test_what_float64_cannot_reach_goes_to_arb() -> None:
    gram_error = Problem(Dataset(base() * 2.0**400), Network("relu"))
    gram = slices.gram(gram_error.dataset.inputs, gram_error.dataset.exponent)
    with pytest.raises(ValueError):  # noqa: PT011
        vectorised.enclose_kernel_vectorised(gram_error, gram, 30, lambda done, total: None)
    matrix, radius = enclose_kernel(Fast(), gram_error, 30, 53, lambda done, total: None)
    truth = entries(gram_error, 30)
    assert all(abs(a - b) <= radius for a, b in zip(matrix.lower(), truth, strict=True))
    with pytest.raises(ValueError, match="precision"):
        vectorised.enclose_kernel_vectorised(gram_error, gram, 901, lambda done, total: None)
    unit = Problem(Dataset(base()), Network("relu"))
    with pytest.raises(ValueError, match="61 bits"):
        vectorised.enclose_kernel_vectorised(
            unit, slices.gram(unit.dataset.inputs, unit.dataset.exponent), 62, lambda done, total: None
        )


@pytest.mark.parametrize("network", [Network("relu"), Network("erf", depth=3, bias="0.2"), Network("cos", depth=2)])
def test_the_reference_is_sharper(network: Network) -> None:
    problem = Problem(Dataset(base()), network)
    fast, radius = enclose_kernel(Fast(), problem, 56, 53, lambda done, total: None)
    reference, sharp = enclose_kernel(Reference(), problem, 56, 53, lambda done, total: None)
    assert sharp <= radius
    rows = zip(triangle(6, list(fast.lower())), triangle(6, list(reference.lower())), strict=True)
    assert max(sum(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in rows) <= radius + sharp


# What the prover takes from these matrices ------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [3, 2**40, 2**61, 2**200, 2**1500])
def test_matrices_as_floats(largest: int) -> None:
    rng = random.Random(largest)
    packed = [rng.randint(-largest, largest) for _ in range(300 * 301 // 2)]
    truth = np.array(triangle(300, packed), dtype=object)
    for kind in (slices.Symmetric, exact.Symmetric):
        for exponent in (-largest.bit_length(), -largest.bit_length() - 900):
            found = as_floats(kind.from_lower(300, packed), exponent)
            scaled = np.array([[float(Fraction(x) * Fraction(2) ** exponent) for x in row] for row in truth])
            assert (np.abs(found - scaled) <= 4 * U * np.abs(scaled) + 2.0**-1000).all()
    with pytest.raises(OverflowError):
        as_floats(slices.Symmetric.from_lower(300, packed), 1030)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_packing_int64(values: list[int]) -> None:
    assert int64_array(np.array(values, np.int64)) == integer_array(values)


@pytest.mark.parametrize("n", [2, 3, 127, 128, 129, 300])
def test_smallest_eigenpairs(n: int) -> None:
    rng = np.random.default_rng(n)
    root = rng.standard_normal((n, n + 5))
    a = root @ root.T
    found = factor.smallest_eigenpair(a)
    assert found is not None
    value, vector = found
    assert abs(value - np.linalg.eigvalsh(a)[0]) <= 1e-9 * value
    assert np.linalg.norm(a @ vector - value * vector) <= 1e-3 * value
    assert factor.smallest_eigenpair(a - 2 * value * np.eye(n)) is None

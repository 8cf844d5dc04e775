"""The trusted elementary functions against Arb, which shares no code with them, at 300 bits more."""

import random
from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkproof.checker.arithmetic import elementary, transcendental

BITS = [30, 31, 53, 64, 100, 113, 200, 400]
UNARY = {
    "atan": flint.arb.atan,
    "exp": flint.arb.exp,
    "log": flint.arb.log,
    "erf": flint.arb.erf,
    "sqrt": flint.arb.sqrt,
}


MODULES = (elementary, transcendental)


def function(name):
    return next(getattr(module, name) for module in MODULES if hasattr(module, name))


def replace_everywhere(monkeypatch, name, value):
    for module in MODULES:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)


def exact(number, floor=None):
    """An exact arb as a Fraction; a radius below 2**floor is replaced by that bound."""
    m, e = (int(part) for part in number.man_exp())
    if floor is not None and m and m.bit_length() + e < floor:
        m, e = 1, floor
    return Fraction(m << max(0, e), 1 << max(0, -e))


def check(bounds, bits, argument_bits, truth, at_most_one=False):
    """Assert that the bounds hold all of Arb's ball for `truth`, and that they are as tight as promised."""
    lo, hi, e = bounds
    with flint.ctx.workprec(bits + 300 + 2 * argument_bits):
        ball = truth() * flint.arb((1, -e))
    assert ball.is_finite()
    middle, radius = exact(ball.mid()), exact(ball.rad(), floor=-40000)
    assert radius * 2 ** (bits + 100) <= abs(middle), "the oracle is too coarse"
    low, high = middle - radius, middle + radius
    if at_most_one:  # Arb's ball around erf = 1 - tiny sticks out of [-1, 1]
        one = Fraction(2) ** -e
        low, high = max(low, -one), min(high, one)
    if lo == hi:  # a point can only be inside the ball
        assert low <= lo <= high, bounds
    else:
        assert lo <= low, bounds
        assert high <= hi, bounds
    assert (hi - lo) * 2 ** (bits - 3) <= max(-low, high), "too wide"


def check_unary(name, m, e, bits):
    bounds = function(name)(m, e, bits)
    check(bounds, bits, m.bit_length(), lambda: UNARY[name](flint.arb((m, e))), at_most_one=name == "erf")


def in_domain(name, m, e):
    magnitude = m.bit_length() + e
    if name == "log":
        return m > 0
    if name == "sqrt":
        return m >= 0
    return magnitude <= 16 if name == "exp" else True


def random_dyadic(rng):
    length = rng.choice([1, 2, 10, 60, 130, 300])
    m = rng.getrandbits(length) * rng.choice([1, -1])
    near_one = rng.randint(-length - 12, 8 - length)
    return m, rng.choice([near_one, near_one, -length, rng.randint(-5000, 5000)])


dyadics = st.builds(
    lambda m, shift: (m, shift - m.bit_length()),
    st.integers(-(2**300), 2**300),
    st.one_of(st.integers(-12, 9), st.integers(-5000, 5000)),
)
precisions = st.integers(30, 400)


@pytest.mark.parametrize("bits", [2, 3, *BITS, 1000, 2000, 4000])
def test_pi(bits):
    check(elementary.pi(bits), bits, 0, flint.arb.pi)


@pytest.mark.parametrize("name", UNARY)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(dyadics, precisions)
def test_unary_on_any_dyadic(name, x, bits):
    if in_domain(name, *x):
        check_unary(name, *x, bits)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("bits", BITS)
def test_unary_on_fixed_seeds(name, bits):
    rng = random.Random(f"{name} {bits}")
    arguments = [random_dyadic(rng) for _ in range(120)]
    for m, e in arguments:
        if in_domain(name, m, e):
            check_unary(name, m, e, bits)
    assert any(in_domain(name, *x) for x in arguments)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize(("m", "e"), [(3, -2), (1, -2000), (2**90 - 5, -90), (11, -1), (-7, -3), (1, 2000)])
def test_unary_at_2000_bits(name, m, e):
    if in_domain(name, m, e):
        check_unary(name, m, e, 2000)


@pytest.mark.parametrize("bits", [30, 100, 400])
@pytest.mark.parametrize("name", UNARY)
def test_unary_at_the_ends_of_the_range(name, bits):
    cases = [(sign * m, e) for sign in (1, -1) for m in (1, 3, 2**61 - 1) for e in (-5000, -1000, -70, 4900)]
    near_one = [(2**n + d, -n) for n in (1, 9, 10, 11, 40, 200, 1000, 2500) for d in (-1, 1)]
    for m, e in cases + near_one + [(-m, e) for m, e in near_one]:
        if in_domain(name, m, e):
            check_unary(name, m, e, bits)


@pytest.mark.parametrize("bits", [30, 100])
def test_atan2_on_every_table_direction_and_every_boundary(bits):
    tiny = 2**150
    for twice_k in range(1025):  # tan = k/256 and (k + 1/2)/256 from both sides, and past the diagonal
        for delta in (-1, 0, 1):
            y = twice_k * tiny + delta
            if y >= 0:
                for x in (512 * tiny, -512 * tiny):
                    check(
                        elementary.atan2(y, x, bits),
                        bits,
                        160,
                        lambda y=y, x=x: flint.arb.atan2(flint.arb(y), flint.arb(x)),
                    )


@pytest.mark.parametrize("bits", [30, 100])
def test_log_on_every_table_entry_and_every_boundary(bits):
    for twice_k in range(513):
        for delta in (-1, 0, 1):
            for e in (-159, -160, 700):
                check_unary("log", (512 + twice_k) * 2**150 + delta, e, bits)


@pytest.mark.parametrize("bits", [30, 100])
def test_exp_on_every_table_entry_and_around_multiples_of_log_two(bits):
    for j in range(-300, 301):
        for delta in (-1, 0, 1):
            check_unary("exp", j * 2**150 + delta, -158, bits)
    with flint.ctx.workprec(400):
        multiples = [int((flint.arb(n) * flint.arb.const_log2() * 2**150).floor().unique_fmpz()) for n in NS]
    for multiple in multiples:
        for delta in (-1, 0, 1, 2):
            check_unary("exp", multiple + delta, -150, bits)


NS = [n for n in range(-40, 41) if n] + [1000, -1000, 40000, -40000]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(dyadics, dyadics, precisions)
def test_atan2_on_any_direction(y, x, bits):
    base = min(y[1], x[1])
    b, a = abs(y[0]) << (y[1] - base), x[0] << (x[1] - base)
    if a or b:
        size = max(a.bit_length(), b.bit_length())
        bounds = elementary.atan2(b, a, bits)
        check(bounds, bits, size, lambda: flint.arb.atan2(flint.arb(b), flint.arb(a)))
        # Only the ratio matters: a common factor changes nothing but the enclosure.
        scaled = elementary.atan2(7 * b, 7 * a, bits)
        check(scaled, bits, size, lambda: flint.arb.atan2(flint.arb(b), flint.arb(a)))


@pytest.mark.parametrize("bits", [30, 100, 4000])
@pytest.mark.parametrize(("y", "x"), [(1, 1), (1, -1), (0, -3), (5, 0), (1, 2**5000), (2**5000, -1), (3, -4)])
def test_atan2_on_special_directions(y, x, bits):
    truth = lambda: flint.arb.atan2(flint.arb(y), flint.arb(x))  # noqa: E731
    check(elementary.atan2(y, x, bits), bits, max(y.bit_length(), x.bit_length()), truth)


@pytest.mark.parametrize(
    ("name", "arguments", "exact_bounds"),
    [
        ("atan2", (0, 1), (0, 0, 0)),
        ("atan2", (0, 2**5000), (0, 0, 0)),
        ("atan", (0, 7), (0, 0, 0)),
        ("exp", (0, 0), (1, 1, 0)),
        ("log", (1, 0), (0, 0, 0)),
        ("log", (2**70, -70), (0, 0, 0)),
        ("erf", (0, -3), (0, 0, 0)),
    ],
)
def test_exact_values(name, arguments, exact_bounds):
    assert function(name)(*arguments, 100) == exact_bounds


@pytest.mark.parametrize(("m", "e"), [(0, 0), (9, 0), (9, 4), (1, -5000), (49, -8), (2, 1), (2**101, 5)])
def test_sqrt_of_a_square_is_a_point(m, e):
    lo, hi, scale = elementary.sqrt(m, e, 64)
    assert lo == hi
    assert Fraction(lo) ** 2 * Fraction(4) ** scale == Fraction(m) * Fraction(2) ** e


@pytest.mark.parametrize(("m", "e"), [(2**24 - 1, 0), (-(2**24) + 1, 0), (2**90 - 1, -66), (3, 22), (-1, 23), (1, 23)])
def test_exp_just_below_its_limit(m, e):
    check_unary("exp", m, e, 60)


@pytest.mark.parametrize(("m", "e"), [(-1, 24), (-3, 23), (-1, 5000), (-(2**80), -40)])
def test_exp_saturates_soundly_below(m, e):
    lo, hi, scale = transcendental.exp(m, e, 60)
    with flint.ctx.workprec(100):
        assert exact((flint.arb((-1, 24)).exp() * flint.arb((1, -scale))).upper()) <= hi
    assert lo == 0


@pytest.mark.parametrize("bits", [30, 100, 400])
def test_erf_around_the_switch_to_one(bits):
    for square in range(bits // 2, 2 * bits, 7):
        root, _, e = elementary.sqrt(square, 0, 40)
        for m in (root, root + 1, -root):
            check_unary("erf", m, e, bits)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: elementary.atan2(0, 0, 50), ValueError, "origin"),
        (lambda: elementary.atan2(-1, 1, 50), ValueError, "y >= 0"),
        (lambda: elementary.atan2(-1, 0, 50), ValueError, "y >= 0"),
        (lambda: elementary.sqrt(-1, 0, 50), ValueError, "negative"),
        (lambda: transcendental.log(0, 0, 50), ValueError, "not positive"),
        (lambda: transcendental.log(-1, 0, 50), ValueError, "not positive"),
        (lambda: transcendental.exp(1, 24, 50), OverflowError, r"2\*\*24"),
        (lambda: transcendental.exp(1, 2**70, 50), OverflowError, r"2\*\*24"),
        (lambda: elementary.pi(1), ValueError, "2 bits"),
        (lambda: elementary.atan2(1, 1, -5), ValueError, "2 bits"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


# The kernels' counted errors, at low precision and without guard bits to hide behind.


def units_off(total, wp, truth):
    with flint.ctx.workprec(2 * wp + 200):
        ball = truth() * flint.arb((1, wp)) - total
    return abs(exact(ball.mid())) + exact(ball.rad(), floor=-40000)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_counted_error_of_the_odd_series(sign):
    rng = random.Random(sign)
    truth = flint.arb.atan if sign < 0 else flint.arb.atanh
    for _ in range(3000):
        wp = rng.randint(16, 120)
        d = rng.getrandbits(rng.randint(9, 80)) + 256
        p = rng.choice([d >> 8, rng.randint(0, d >> 8)])
        total, error = elementary.odd_series(p, d, wp, sign)
        off = units_off(total, wp, lambda p=p, d=d: truth(flint.arb(p) / d))
        turns = (error - 3) // 4
        assert off <= Fraction(28, 10) * turns + Fraction(12, 10), "the bound proved in docs/proofs/elementary.md"
        assert off <= error


def test_the_counted_error_of_the_exponential_series():
    rng = random.Random(3)
    for _ in range(2000):
        wp = rng.randint(8, 120)
        f = rng.randint(0, 2 ** rng.randint(0, wp))
        total, error = transcendental._exp_series(f, wp)
        off = units_off(total, wp, lambda f=f, wp=wp: flint.arb((f, -wp)).exp())
        assert off <= Fraction(3, 2) * (error // 2 - 1) + Fraction(3, 4)


@pytest.mark.parametrize("wp", [32, 64, 128, 1024])
def test_every_table_entry_is_within_its_counted_error(wp):
    atans, atan_error = elementary.table_of(wp, -1)
    logs, log_error = elementary.table_of(wp, 1)
    assert len(atans) == len(logs) == 257
    assert max(atan_error, log_error) <= 2
    for k in range(257):
        assert units_off(atans[k], wp, lambda k=k: flint.arb((k, -8)).atan()) <= atan_error
        assert units_off(logs[k], wp, lambda k=k: flint.arb((256 + k, -8)).log() / 2) <= log_error


def test_the_series_of_erf_encloses_both_ends_of_its_argument():
    rng = random.Random(4)
    for _ in range(600):
        wp = rng.choice([rng.randint(1, 6), rng.randint(16, 150)])
        z = rng.randint(0, 2 ** (wp + rng.randint(-wp, 5)))
        lo, hi = transcendental._erf_series(z, wp)
        for end, bound in ((z, lo), (z + 1, hi)):
            with flint.ctx.workprec(3 * wp + 300):
                x = flint.arb((end, -wp - 1)).sqrt() if end else flint.arb(0)
                # G(2 x**2) = erf(x) exp(x**2) sqrt(pi) / (2 x)
                true = x.erf() * (x * x).exp() * flint.arb.pi().sqrt() / (2 * x) if end else flint.arb(1)
                true *= flint.arb((1, wp))
            middle, radius = exact(true.mid()), exact(true.rad(), floor=-40000)
            assert bound <= middle - radius + (radius if not end else 0) if end == z else bound >= middle + radius
        assert hi - lo <= (hi >> wp) * 400 + 400


# How the counts are passed on: with ingredients as bad as they declare, and with ingredients as good as can be.


def contains(bounds, bits, truth):
    lo, hi, e = bounds
    with flint.ctx.workprec(2 * bits + 300):
        ball = truth() * flint.arb((1, -e))
    radius = exact(ball.rad(), floor=-40000)
    return lo <= exact(ball.mid()) - radius and exact(ball.mid()) + radius <= hi


@pytest.mark.parametrize("direction", [1, -1, 0])
@pytest.mark.parametrize("victim", ["odd_series", "_exp_series", "_exp_entry", "table_of"])
def test_bounds_survive_ingredients_that_are_as_wrong_as_they_declare(monkeypatch, victim, direction):
    honest, rng, harm = function(victim), random.Random(9), 2**20

    def off():
        return (direction or rng.choice([1, -1])) * harm

    def wrong(*arguments):
        result, error = honest(*arguments)
        if isinstance(result, tuple):  # a table; its entry 0 is exact, and never off
            return (0, *(entry + off() for entry in result[1:])), error + harm
        return result + off(), error + harm

    if victim == "odd_series":  # not while a table is built: a sum of errors would hide the one
        for wp in (64, 96):
            elementary.table_of(wp, 1)
            elementary.table_of(wp, -1)
    for j in range(178):
        transcendental._exp_entry(j, 64)
    replace_everywhere(monkeypatch, victim, wrong)
    for _ in range(400):
        m, x = rng.getrandbits(40) + 2**40, rng.choice([1, -1]) * (rng.getrandbits(41) + 2**38)
        angle = elementary.atan2(m, x, 40)
        assert contains(angle, 40, lambda m=m, x=x: flint.arb.atan2(flint.arb(m), flint.arb(x)))
        scale = rng.choice([-40, -41, 0, -70])
        assert contains(transcendental.log(m, scale, 40), 40, lambda m=m, e=scale: flint.arb((m, e)).log())
        assert contains(transcendental.exp(x, -40, 40), 40, lambda x=x: flint.arb((x, -40)).exp())
    assert contains(elementary.pi(40), 40, flint.arb.pi)


def narrowest(truth, e):
    """The integers next to the truth, in units of 2**e."""
    with flint.ctx.workprec(1000):
        floor = int((truth() * flint.arb((1, -e))).floor().unique_fmpz())
    return floor, floor + 1, e


@pytest.mark.parametrize("w", range(64, 80))
def test_bounds_need_no_slack_in_their_ingredients(monkeypatch, w):
    """Every floor and ceiling taken by erf itself, laid bare."""

    def series(z, wp):
        def truth():
            x = flint.arb((2 * z + 1, -wp - 2)).sqrt()  # amid the cell of the argument
            return x.erf() * (x * x).exp() * flint.arb.pi().sqrt() / (2 * x)

        return narrowest(truth, -wp)[:2]

    replace_everywhere(monkeypatch, "working", lambda bits: w)
    replace_everywhere(monkeypatch, "pi", lambda bits: narrowest(flint.arb.pi, -w))
    replace_everywhere(monkeypatch, "exp", lambda m, e, bits: narrowest(flint.arb((m, e)).exp, -w))
    replace_everywhere(monkeypatch, "_erf_series", series)
    rng = random.Random(w)
    for _ in range(60):
        length = rng.choice([1, 2, 3, 20])
        m, e = rng.choice([1, -1]) * (2 * rng.getrandbits(length) + 1), -length - 1 - rng.randint(0, 20)
        for name in ("erf",):
            bounds = function(name)(m, e, w)
            assert contains(bounds, w, lambda name=name, m=m, e=e: UNARY[name](flint.arb((m, e)))), (name, m, e)

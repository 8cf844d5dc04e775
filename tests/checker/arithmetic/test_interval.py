"""The reference intervals: containment and tightness against Arb and exact rationals, and the refusals."""

import itertools
import random
from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath.libmp import finf, fnan, fninf, fone

from ntkproof.checker.arithmetic.interval import Intervals

BITS = [2, 30, 64, 100, 150, 400]
precisions = st.integers(30, 400)
rationals = st.builds(
    lambda n, d, e: Fraction(n, d) * Fraction(2) ** e,
    st.integers(-(2**200), 2**200),
    st.integers(1, 2**100),
    st.one_of(st.integers(-200, 50), st.integers(-5000, 5000)),
)
fixed = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def exact(number):
    m, e = (int(part) for part in number.man_exp())
    return Fraction(m << max(0, e), 1 << max(0, -e))


def ball(truth, bits, *points):
    """Return the ends of Arb's ball for a function of rationals."""
    with flint.ctx.workprec(bits + 400):
        value = truth(*(flint.arb(flint.fmpq(q.numerator, q.denominator)) for q in points))
    return exact(value.mid()) - exact(value.rad()), exact(value.mid()) + exact(value.rad())


def make(numbers, low, high):
    """An interval with these ends, made with the operations of the context alone."""
    from_zero = numbers.nonnegative(make_symmetric(numbers))
    width = numbers.rational((high - low) / numbers.endpoints(from_zero)[1])
    return numbers.rational(low) + from_zero * width


def make_symmetric(numbers):
    """An interval around zero: 1/3 - 1/3 at this precision."""
    third = numbers.rational(Fraction(1, 3))
    return third - third


@pytest.mark.parametrize("bits", BITS)
def test_pi_is_the_narrowest_enclosure(bits):
    numbers = Intervals(bits)
    low, high = numbers.endpoints(numbers.pi)
    inner = ball(lambda: flint.arb.pi(), bits)
    assert low <= inner[0]
    assert inner[1] <= high
    assert high - low == Fraction(4, 2**bits)  # one unit in the last place of a number in [2, 4)
    assert numbers.pi is numbers.pi


@fixed
@given(rationals, precisions)
def test_rational_encloses_and_is_exact_when_it_can_be(q, bits):
    numbers = Intervals(bits)
    low, high = numbers.endpoints(numbers.rational(q))
    assert low <= q <= high
    assert high - low <= abs(q) * Fraction(2) ** (1 - bits)
    assert numbers.endpoints(numbers.rational(low)) == (low, low)
    assert numbers.endpoints(numbers.rational(high)) == (high, high)


@pytest.mark.parametrize("q", [0, 1, -1, 3, 2**5000, -(2**29) + 1, Fraction(5, 2**5000), Fraction(-7, 8)])
def test_representable_rationals_are_points(q):
    numbers = Intervals(30)
    assert numbers.endpoints(numbers.rational(q)) == (q, q)


@fixed
@given(rationals, rationals, precisions)
def test_field_operations_hold_the_exact_result(a, b, bits):
    numbers = Intervals(bits)
    x, y = numbers.rational(a), numbers.rational(b)
    results = [(x + y, a + b), (x - y, a - b), (x * y, a * b), (-x, -a), (x + 3, a + 3), (3 * x, 3 * a)]
    if b:
        results += [(x / y, a / b), (2 / y, 2 / b)]
    for result, truth in results:
        low, high = numbers.endpoints(result)
        assert low <= truth <= high


@pytest.mark.parametrize("bits", [2, 30, 64])
def test_sums_of_numbers_far_apart_are_sound(bits):
    """The path where mpmath perturbs the larger number instead of adding; right while it fits the precision."""
    numbers = Intervals(bits)
    for gap, sign, large in itertools.product([bits, bits + 3, bits + 6, 99, 101, 300, 5000], [1, -1], [1, 3, -1]):
        a, b = Fraction(large), Fraction(sign, 2**gap)
        for p, q in ((a, b), (b, a)):
            total = numbers.rational(p) + numbers.rational(q)
            difference = numbers.rational(p) - numbers.rational(q)
            for result, truth in ((total, p + q), (difference, p - q)):
                low, high = numbers.endpoints(result)
                assert low <= truth <= high


def test_a_quotient_by_an_interval_with_zero_never_yields_finite_ends():
    numbers = Intervals(50)
    around = make_symmetric(numbers)
    for divisor in (around, numbers.nonnegative(around), numbers.rational(0)):
        quotient = numbers.rational(1) / divisor
        for result in (quotient, quotient - quotient, quotient * around, quotient + 1, -quotient):
            with pytest.raises(ValueError, match="not a finite number"):
                numbers.endpoints(result)


FUNCTIONS = {
    "sqrt": (flint.arb.sqrt, lambda rng: abs(wide(rng))),
    "exp": (flint.arb.exp, lambda rng: Fraction(rng.getrandbits(90) - 2**89, 2 ** rng.randint(80, 200))),
    "log": (flint.arb.log, lambda rng: abs(wide(rng))),
    "erf": (flint.arb.erf, lambda rng: Fraction(rng.getrandbits(90) - 2**89, 2 ** rng.randint(88, 200))),
}


def wide(rng):
    return Fraction(rng.getrandbits(150) + 1, rng.getrandbits(60) + 1) * Fraction(2) ** rng.randint(-400, 300)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_points_and_of_intervals(name, bits):
    truth, draw = FUNCTIONS[name]
    numbers = Intervals(bits)
    rng = random.Random(f"{name} {bits}")
    for _ in range(60):
        q = draw(rng)
        x = numbers.rational(q)
        low, high = numbers.endpoints(getattr(numbers, name)(x))
        inside = ball(truth, bits, q)
        assert low <= inside[0]
        assert inside[1] <= high
        # Tight: no wider than the function over the ends of x, and two units in the last place.
        left, right = numbers.endpoints(x)
        below, above = ball(truth, bits, left)[0], ball(truth, bits, right)[1]
        unit = max(abs(low), abs(high)) * Fraction(2) ** (2 - bits)
        assert below - unit <= low
        assert high <= above + unit


@pytest.mark.parametrize("bits", [30, 100])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_wide_intervals_hold_every_point(name, bits):
    truth, draw = FUNCTIONS[name]
    numbers = Intervals(bits)
    rng = random.Random(f"wide {name} {bits}")
    for _ in range(40):
        first, second = sorted([draw(rng), draw(rng)])
        if name == "log" and second > first * 2 ** (bits // 2):
            continue  # the lower end of the constructed interval would not be positive
        x = make(numbers, first, second)
        low, high = numbers.endpoints(getattr(numbers, name)(x))
        for step in range(5):
            inside = ball(truth, bits, first + (second - first) * Fraction(step, 4))
            assert low <= inside[0]
            assert inside[1] <= high


@pytest.mark.parametrize("bits", [2, 30, 100])
def test_angle_of_boxes_in_every_position(bits):
    numbers = Intervals(bits)
    values = [Fraction(n, 3) * Fraction(2) ** e for n in (1, 2, 5) for e in (-60, 0, 20)]
    spans = [(0, 0), (0, 1), (Fraction(1, 3), Fraction(1, 3)), (Fraction(1, 7), 9), (Fraction(1, 2**70), 2**40)]
    signed = [*spans, *((-high, -low) for low, high in spans), (-1, 2), (-values[0], values[1])]
    for (x_low, x_high), (y_low, y_high) in itertools.product(signed, spans):
        x, y = make(numbers, Fraction(x_low), Fraction(x_high)), make(numbers, Fraction(y_low), Fraction(y_high))
        low, high = numbers.endpoints(numbers.angle(x, y))
        box = [sorted({*numbers.endpoints(side), Fraction(0)}) for side in (x, y)]
        sides = [
            [q for q in points if numbers.endpoints(side)[0] <= q <= numbers.endpoints(side)[1]]
            for points, side in zip(box, (x, y), strict=True)
        ]
        corners = [(a, b) for a in sides[0] for b in sides[1] if b >= 0]
        if (0, 0) in corners:
            assert (low, high) == (0, numbers.endpoints(numbers.pi)[1])
            continue
        angles = [ball(lambda q, p: flint.arb.atan2(p, q), bits, *corner) for corner in corners]
        smallest, largest = min(angles), max(angles)
        assert low <= smallest[0]
        assert largest[1] <= high
        unit = high * Fraction(2) ** (1 - bits)
        assert smallest[0] - unit <= low
        assert high <= largest[1] + unit


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(rationals, rationals, precisions)
def test_angle_of_points(a, b, bits):
    numbers = Intervals(bits)
    low, high = numbers.endpoints(numbers.angle(numbers.rational(a), numbers.rational(abs(b))))
    if a or b:
        inside = ball(lambda x, y: flint.arb.atan2(y, x), bits, a, abs(b))
        assert low <= inside[0]
        assert inside[1] <= high
        assert (high - low) * 2 ** (bits - 5) <= high
    else:
        assert (low, high) == (0, numbers.endpoints(numbers.pi)[1])


def test_clipping_uses_what_is_known():
    numbers = Intervals(60)
    around = make_symmetric(numbers)
    assert numbers.endpoints(around)[0] < 0
    assert numbers.endpoints(numbers.nonnegative(around)) == (0, numbers.endpoints(around)[1])
    assert numbers.endpoints(numbers.sqrt(around))[0] == 0
    assert numbers.endpoints(numbers.sqrt(numbers.rational(Fraction(9, 4)))) == (Fraction(3, 2),) * 2
    assert numbers.endpoints(numbers.angle(numbers.rational(1), around))[0] == 0
    assert numbers.endpoints(numbers.nonnegative(numbers.rational(2))) == (2, 2)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(rationals, rationals, precisions, st.integers(-100, 300))
def test_quantise_is_the_nearest_centre_and_the_smallest_radius(a, b, bits, p):
    numbers = Intervals(bits)
    x = numbers.rational(a) + numbers.rational(b) * make_symmetric(numbers)
    low, high = (end * Fraction(2) ** p for end in numbers.endpoints(x))
    centre, radius = numbers.quantise(x, p)
    assert abs(centre - (low + high) / 2) <= Fraction(1, 2)
    reach = max(high - centre, centre - low)
    assert radius - 1 < reach <= radius


@pytest.mark.parametrize(
    ("q", "p", "expected"),
    [
        (0, 10, (0, 0)),
        (Fraction(3, 4), 2, (3, 0)),
        (Fraction(3, 4), 1, (2, 1)),
        (Fraction(-3, 4), 1, (-1, 1)),
        (2**5000, -5000, (1, 0)),
        (Fraction(1, 2**5000), 0, (0, 1)),
        (Fraction(-1, 2**5000), 5001, (-2, 0)),
    ],
)
def test_quantise_of_points(q, p, expected):
    numbers = Intervals(40)
    assert numbers.quantise(numbers.rational(q), p) == expected


def test_contexts_are_private():
    import mpmath

    before = mpmath.iv.prec
    fine, coarse = Intervals(200), Intervals(40)
    low, high = fine.endpoints(fine.rational(Fraction(1, 3)))
    assert 0 < high - low < Fraction(1, 2**200)
    assert coarse.endpoints(coarse.pi)[1] - coarse.endpoints(coarse.pi)[0] == Fraction(4, 2**40)
    assert mpmath.iv.prec == before


NUMBERS = Intervals(50)
TWO = NUMBERS.rational(2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Intervals(1), ValueError, "2 bits"),
        (lambda: NUMBERS.rational(0.5), TypeError, "float"),
        (lambda: NUMBERS.rational("1/3"), TypeError, "str"),
        (lambda: NUMBERS.sqrt(-TWO), ValueError, "cannot be negative"),
        (lambda: NUMBERS.nonnegative(-TWO), ValueError, "cannot be negative"),
        (lambda: NUMBERS.angle(TWO, -TWO), ValueError, "cannot be negative"),
        (lambda: NUMBERS.log(NUMBERS.rational(0)), ValueError, "not positive"),
        (lambda: NUMBERS.log(make_symmetric(NUMBERS)), ValueError, "not positive"),
        (lambda: NUMBERS.exp(NUMBERS.rational(2**24)), OverflowError, r"2\*\*24"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("ends", [(fone, finf), (fninf, fone), (fninf, finf), (fnan, fnan), (fone, fnan)])
@pytest.mark.parametrize("name", ["sqrt", "nonnegative", "exp", "log", "erf", "endpoints"])
def test_an_end_that_is_not_finite_is_refused_by_every_method(name, ends):
    bad = NUMBERS._context.make_mpf(ends)
    for call in (
        lambda: getattr(NUMBERS, name)(bad),
        lambda: NUMBERS.angle(bad, TWO),
        lambda: NUMBERS.angle(TWO, bad),
        lambda: NUMBERS.quantise(bad, 3),
    ):
        with pytest.raises(ValueError, match="not a finite number"):
            call()

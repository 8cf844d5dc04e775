"""Elementary functions of dyadic numbers, enclosed by pure integer arithmetic.

This is the trusted root of every number in the project. Each function takes exact integers and returns
``Bounds`` ``(lo, hi, e)`` with ``lo * 2**e <= value <= hi * 2**e``, where ``hi - lo`` is at most
``2**(3 - bits)`` of the value, and an exact zero is ``(0, 0, 0)``. No floating point and no library function
beyond ``math.isqrt`` is used.

Each kernel returns its result together with an error *counted* in units of ``2**-wp`` (every floor, and the
remainder of the series), and the callers add these counts; guard bits only make the bounds tight. The counts
are proved in ``docs/proofs/elementary.md``; the identities behind the reductions are in Abramowitz & Stegun,
4.1, 4.2, 4.4 and 7.1.6.
"""

from functools import lru_cache
from math import isqrt

Bounds = tuple[int, int, int]

EXP_LIMIT_LOG2 = 24
"""``exp`` serves arguments below ``2**24`` in size: no result has an exponent too large to shift by."""


def pi(bits: int) -> Bounds:
    """Enclose pi to relative width ``2**(3 - bits)``. Raises ValueError if ``bits < 2``."""
    wp = _working(bits)
    table, err = _table(wp, -1)
    return 4 * (table[256] - err), 4 * (table[256] + err), -wp


def atan2(y: int, x: int, bits: int) -> Bounds:
    """Enclose the angle of ``x + iy`` in radians, in [0, pi]; only the ratio of the integers matters.

    Raises ValueError if ``y < 0`` or if both are zero.
    """
    if y <= 0 or x == 0:
        return _on_axis(y, x, bits)
    size = abs(x)
    num, den = (y, size) if y <= size else (size, y)
    # atan(num/den) = atan(k/256) + atan(p/d); k is nearest to 256 num/den, so |p/d| <= (1/2)/256.
    k = ((num << 9) // den + 1) >> 1
    p = (num << 8) - k * den
    d = (den << 8) + k * num
    wp = _working(bits)
    if k == 0 and y <= size and x > 0:  # a small angle: keep relative accuracy
        wp += den.bit_length() - num.bit_length()
        total, err = _odd_series(p, d, wp, -1)
        return total - err, total + err, -wp
    table, unit = _table(wp, -1)
    total, err = _odd_series(abs(p), d, wp, -1)
    total = table[k] + total if p >= 0 else table[k] - total
    err += unit
    if y > size:  # pi/2 - angle
        total = 2 * table[256] - total
        err += 2 * unit
    if x < 0:  # pi - angle
        total = 4 * table[256] - total
        err += 4 * unit
    return total - err, total + err, -wp


def atan(m: int, e: int, bits: int) -> Bounds:
    """Enclose atan(m * 2**e) in radians."""
    y = abs(m)
    bounds = atan2(y << e, 1, bits) if e >= 0 else atan2(y, 1 << -e, bits)
    return _negated(bounds) if m < 0 else bounds


def asin(m: int, e: int, bits: int) -> Bounds:
    """Enclose asin(m * 2**e) in radians. Raises ValueError outside [-1, 1]."""
    x, cosines = _leg(m, e, bits)
    bounds = _hull([atan2(abs(x), c, bits) for c in cosines])
    return _negated(bounds) if m < 0 else bounds


def acos(m: int, e: int, bits: int) -> Bounds:
    """Enclose acos(m * 2**e) in radians. Raises ValueError outside [-1, 1]."""
    x, sines = _leg(m, e, bits)
    return _hull([atan2(s, x, bits) for s in sines])


def sqrt(m: int, e: int, bits: int) -> Bounds:
    """Enclose the square root of m * 2**e; exact squares of short numbers give ``lo == hi``.

    Raises ValueError if ``m < 0``.
    """
    if m < 0:
        raise ValueError("square root of a negative number")
    # Scale by an even power of two so that the root has at least `bits` bits: then one unit is 2**(1-bits).
    shift = max(0, _working(bits) - m.bit_length() // 2) * 2 + (e & 1)
    root = isqrt(m << shift)
    return root, root + (root * root != m << shift), (e - shift) >> 1


def exp(m: int, e: int, bits: int) -> Bounds:
    """Enclose exp(m * 2**e).

    Raises OverflowError for arguments of ``2**24`` and above; at ``-2**24`` and below returns the sound but
    coarse ``(0, 1, -2**24)``.
    """
    magnitude = m.bit_length() + e  # |x| < 2**magnitude, and |x| >= 2**(magnitude-1) unless m == 0
    if m == 0:
        return 1, 1, 0
    if magnitude > EXP_LIMIT_LOG2:
        if m > 0:
            raise OverflowError(f"exp of a number of at least 2**{EXP_LIMIT_LOG2}")
        return 0, 1, -(1 << EXP_LIMIT_LOG2)  # exp(x) < 2**x for x < 0
    wp = _working(bits + max(0, magnitude))
    table, unit = _table(wp, 1)
    # x = k ln 2 + j/256 + f with 0 <= f < 1/256; x is off by one unit, each of the k ln 2 by 2*unit.
    k, rest = divmod(_shift(m, e + wp), 2 * table[256])
    j = rest >> (wp - 8)
    power, power_err = _exp_entry(j, wp)
    tail, tail_err = _exp_series(rest - (j << (wp - 8)), wp)
    tail_err += 2 * (1 + 2 * unit * abs(k))
    # Both factors are at most 2: the product is off by at most 2 * (sum of the errors), and one floor.
    total = (power * tail) >> wp
    err = 2 * (power_err + tail_err) + 1
    return total - err, total + err, k - wp


def sin_cos(m: int, e: int, bits: int) -> tuple[Bounds, Bounds]:
    """Enclose sin and cos of m * 2**e to *absolute* width ``2**(3 - bits)``.

    At ``2**4096`` and above returns the sound but useless ``[-1, 1]``.
    """
    if m == 0:
        return (0, 0, 0), (1, 1, 0)
    magnitude = m.bit_length() + e
    if magnitude > 4096:
        return (-1, 1, 0), (-1, 1, 0)
    wp = _working(bits + max(0, magnitude))
    table, unit = _table(wp, -1)
    # x = k pi/2 + f with 0 <= f < pi/2; x is off by one unit, each of the k pi/2 by 2*unit.
    k, f = divmod(_shift(m, e + wp), 2 * table[256])
    s, c, err = _sin_cos_series(f, wp)
    err += 1 + 2 * unit * abs(k)
    turned = ((s, c), (c, -s), (-s, -c), (-c, s))[k % 4]
    return (turned[0] - err, turned[0] + err, -wp), (turned[1] - err, turned[1] + err, -wp)


def log(m: int, e: int, bits: int) -> Bounds:
    """Enclose the natural logarithm of m * 2**e. Raises ValueError if ``m <= 0``."""
    if m <= 0:
        raise ValueError("logarithm of a number that is not positive")
    size = m.bit_length() - 1
    n = size + e  # the number is 2**n * z with 1 <= z < 2, z = m / 2**size
    # log z = log(1 + k/256) + 2 atanh(p/d); k is nearest to 256 (z - 1), so |p/d| < (1/2)/511.
    k = ((((m << 9) >> size) + 1) >> 1) - 256
    p = (m << 8) - ((256 + k) << size)
    d = (m << 8) + ((256 + k) << size)
    if k == 256:  # log(1 + 256/256) is one more ln 2
        n, k = n + 1, 0
    wp = _working(bits)
    if n == k == 0:  # a number near 1: keep relative accuracy
        if p == 0:
            return 0, 0, 0
        wp += d.bit_length() - abs(p).bit_length()
        total, err = _odd_series(abs(p), d, wp, 1)
        total = total if p > 0 else -total
    else:
        table, unit = _table(wp, 1)
        total, err = _odd_series(abs(p), d, wp, 1)
        total = table[k] + n * table[256] + (total if p > 0 else -total)
        err += (1 + abs(n)) * unit
    return total - err, total + err, 1 - wp


def erf(m: int, e: int, bits: int) -> Bounds:
    """Enclose erf(m * 2**e) = 2/sqrt(pi) * (integral of exp(-t**2) for t from 0 to m * 2**e)."""
    if m == 0:
        return 0, 0, 0
    wp = _working(bits)
    if m.bit_length() + e > wp or _shift(m * m, 2 * e) >= wp:  # x**2 >= wp
        bounds = (1 << wp) - 1, 1 << wp, -wp  # 0 < 1 - erf(x) <= exp(-x**2) < 2**-wp
        return _negated(bounds) if m < 0 else bounds
    # erf(x) = 2 x exp(-x**2) G(2 x**2) / sqrt(pi), all factors positive for x > 0.
    gauss_lo, gauss_hi, scale = exp(-m * m, 2 * e, wp)
    series_lo, series_hi = _erf_series(_shift(m * m, 2 * e + 1 + wp), wp)
    pi_lo, pi_hi, pi_e = pi(wp)
    root_lo, root_hi = isqrt(pi_lo << -pi_e), isqrt(pi_hi << -pi_e) + 1  # sqrt(pi) in units of 2**pi_e
    lo = abs(m) * gauss_lo * series_lo // root_hi
    hi = -(-abs(m) * gauss_hi * series_hi // root_lo)
    bounds = lo, hi, scale + e + 1 - wp - pi_e
    return _negated(bounds) if m < 0 else bounds


def _working(bits: int) -> int:
    """Return the working precision: guard bits, rounded up so that few tables are ever built."""
    if bits < 2:
        raise ValueError(f"precision must be at least 2 bits, got {bits}")
    return (bits + bits.bit_length() + 14 + 31) & ~31


def _shift(n: int, by: int) -> int:
    """Return floor(n * 2**by)."""
    return n << by if by >= 0 else n >> -by


def _negated(bounds: Bounds) -> Bounds:
    lo, hi, e = bounds
    return -hi, -lo, e


def _hull(parts: list[Bounds]) -> Bounds:
    """Return the smallest bounds that hold all parts."""
    e = min(part[2] for part in parts)
    return min(lo << (f - e) for lo, _, f in parts), max(hi << (f - e) for _, hi, f in parts), e


def _on_axis(y: int, x: int, bits: int) -> Bounds:
    """Return atan2 on the axes, and refuse what it does not define."""
    if y < 0 or x == y == 0:
        raise ValueError("atan2 needs y >= 0 and a point that is not the origin")
    if y == 0 and x > 0:
        return 0, 0, 0
    lo, hi, e = pi(bits)
    return lo, hi, e if y == 0 else e - 1


def _leg(m: int, e: int, bits: int) -> tuple[int, list[int]]:
    """Return x and floor and ceiling of sqrt(1 - x**2), to a common scale, for x = m * 2**e.

    asin and acos are monotone in that leg, so the two ends enclose them.
    """
    if m and m.bit_length() + e > 1:  # |x| >= 2; also keeps the shift below short
        raise ValueError("asin and acos need an argument in [-1, 1]")
    if e > 0:
        m, e = m << e, 0
    square = (1 << -2 * e) - m * m
    if square < 0:
        raise ValueError("asin and acos need an argument in [-1, 1]")
    lo, hi, scale = sqrt(square, 2 * e, bits)
    return m << (e - scale), [lo] if lo == hi else [lo, hi]


def _odd_series(p: int, d: int, wp: int, sign: int) -> tuple[int, int]:
    """Return atan(p/d) (sign -1) or atanh(p/d) (sign 1) and its error, in units of 2**-wp; 0 <= p/d <= 2**-8.

    Sums sign**j t**(2j+1)/(2j+1), two terms a turn. Flooring t costs at most 1.1 units. Each power is off by
    at most 1.1, hence each term by at most 1.1/3 + 1 < 1.4; what is left after a vanished power is below 0.1.
    After r turns that is at most 2.8 r + 1.2 <= 4 r + 3 = n.
    """
    power = total = (p << wp) // d
    square = (power * power) >> wp
    n = 3
    while power:
        power = (power * square) >> wp
        total += sign * (power // n)
        power = (power * square) >> wp
        total += power // (n + 2)
        n += 4
    return total, n


@lru_cache(maxsize=64)
def _table(wp: int, sign: int) -> tuple[tuple[int, ...], int]:
    """Return atan(k/256) (sign -1) or log(1 + k/256)/2 (sign 1) for k = 0..256, and the error of each.

    The steps are atan((k+1)/256) - atan(k/256) = atan(256/(256**2 + k(k+1))) and
    log((257+k)/(256+k))/2 = atanh(1/(513+2k)). Entry 256 is pi/4 or (ln 2)/2. The error is the sum of the
    counts, rounded up, and one for the final floor.
    """
    guard = wp.bit_length() + 10
    total = err = 0
    table = [0]
    for k in range(256):
        p, d = (256, 65536 + k * (k + 1)) if sign < 0 else (1, 513 + 2 * k)
        step, step_err = _odd_series(p, d, wp + guard, sign)
        total += step
        err += step_err
        table.append(total >> guard)
    return tuple(table), (err >> guard) + 2


def _exp_series(f: int, wp: int) -> tuple[int, int]:
    """Return exp(f * 2**-wp), 0 <= f <= 2**wp, and its error, in units of 2**-wp.

    Term n is off by at most (error of term n-1)/n + 1 <= 1.5 (two nested floors are one floor). The terms
    after a vanished one sum to at most 0.75. So the error is at most 1.5 (n - 1) + 0.75 < 2 n.
    """
    term = f
    total = (1 << wp) + f
    n = 1
    while term:
        n += 1
        term = ((term * f) >> wp) // n
        total += term
    return total, 2 * n


def _sin_cos_series(f: int, wp: int) -> tuple[int, int, int]:
    """Return sin and cos of f * 2**-wp, 0 <= f < 1.58 * 2**wp, and their error, in units of 2**-wp.

    Term n is off by at most 1.58 (error of term n-1)/n + 1 < 1.7 (two nested floors are one floor; term 1 is
    exact), so one that vanishes was below 1.7, and all later ones sum to less than 1.7 * 0.53 / 0.47 < 2. So the
    error is at most 1.7 (n - 1) + 2 < 2 n + 1.
    """
    term, n = f, 1
    sums = [1 << wp, f, 0, 0]  # the terms of order 0, 1, 2, 3 modulo 4
    while term:
        n += 1
        term = ((term * f) >> wp) // n
        sums[n % 4] += term
    return sums[1] - sums[3], sums[0] - sums[2], 2 * n + 1


@lru_cache(maxsize=4096)
def _exp_entry(j: int, wp: int) -> tuple[int, int]:
    """Return exp(j/256), 0 <= j < 256 ln 2, and its error, in units of 2**-wp."""
    return _exp_series(j << (wp - 8), wp)


def _erf_series(z: int, wp: int) -> tuple[int, int]:
    """Enclose G = sum of Z**n / (1 * 3 * ... * (2n+1)) for z <= Z * 2**wp < z + 1, in units of 2**-wp.

    The lower sum floors every term and drops the tail; the upper sum takes ceilings and adds a bound for the
    tail: once Z/(2n+3) <= 1/2, all later terms together are at most the last one.
    """
    lo = hi = lo_total = hi_total = 1 << wp
    n = 0
    while lo or z + 1 > (2 * n + 3) << (wp - 1):
        n += 1
        lo = ((lo * z) >> wp) // (2 * n + 1)
        hi = -((-hi * (z + 1)) // ((2 * n + 1) << wp))
        lo_total += lo
        hi_total += hi
    return lo_total, hi_total + hi

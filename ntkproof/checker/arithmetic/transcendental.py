"""Transcendental functions of dyadic numbers, enclosed by pure integer arithmetic; see `elementary`.

Trusted.  Proofs: ``docs/proofs/elementary.md``.
"""

from functools import lru_cache
from math import isqrt

from ntkproof.checker.arithmetic.elementary import Bounds, atan2, odd_series, pi, table_of, working

EXP_LIMIT_LOG2 = 24
"""``exp`` serves arguments below ``2**24`` in size: no result has an exponent too large to shift by."""


def atan(m: int, e: int, bits: int) -> Bounds:
    """Enclose atan(m * 2**e) in radians."""
    y = abs(m)
    bounds = atan2(y << e, 1, bits) if e >= 0 else atan2(y, 1 << -e, bits)
    return _negated(bounds) if m < 0 else bounds


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
    wp = working(bits + max(0, magnitude))
    table, unit = table_of(wp, 1)
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
    wp = working(bits + max(0, magnitude))
    table, unit = table_of(wp, -1)
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
    wp = working(bits)
    if n == k == 0:  # a number near 1: keep relative accuracy
        if p == 0:
            return 0, 0, 0
        wp += d.bit_length() - abs(p).bit_length()
        total, err = odd_series(abs(p), d, wp, 1)
        total = total if p > 0 else -total
    else:
        table, unit = table_of(wp, 1)
        total, err = odd_series(abs(p), d, wp, 1)
        total = table[k] + n * table[256] + (total if p > 0 else -total)
        err += (1 + abs(n)) * unit
    return total - err, total + err, 1 - wp


def erf(m: int, e: int, bits: int) -> Bounds:
    """Enclose erf(m * 2**e) = 2/sqrt(pi) * (integral of exp(-t**2) for t from 0 to m * 2**e)."""
    if m == 0:
        return 0, 0, 0
    wp = working(bits)
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


def _shift(n: int, by: int) -> int:
    """Return floor(n * 2**by)."""
    return n << by if by >= 0 else n >> -by


def _negated(bounds: Bounds) -> Bounds:
    lo, hi, e = bounds
    return -hi, -lo, e


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

"""Roots, angles and pi of dyadic numbers, enclosed by pure integer arithmetic.

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


def pi(bits: int) -> Bounds:
    """Enclose pi to relative width ``2**(3 - bits)``. Raises ValueError if ``bits < 2``."""
    wp = working(bits)
    table, err = table_of(wp, -1)
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
    wp = working(bits)
    if k == 0 and y <= size and x > 0:  # a small angle: keep relative accuracy
        wp += den.bit_length() - num.bit_length()
        total, err = odd_series(p, d, wp, -1)
        return total - err, total + err, -wp
    table, unit = table_of(wp, -1)
    total, err = odd_series(abs(p), d, wp, -1)
    total = table[k] + total if p >= 0 else table[k] - total
    err += unit
    if y > size:  # pi/2 - angle
        total = 2 * table[256] - total
        err += 2 * unit
    if x < 0:  # pi - angle
        total = 4 * table[256] - total
        err += 4 * unit
    return total - err, total + err, -wp


def sqrt(m: int, e: int, bits: int) -> Bounds:
    """Enclose the square root of m * 2**e; exact squares of short numbers give ``lo == hi``.

    Raises ValueError if ``m < 0``.
    """
    if m < 0:
        raise ValueError("square root of a negative number")
    # Scale by an even power of two so that the root has at least `bits` bits: then one unit is 2**(1-bits).
    shift = max(0, working(bits) - m.bit_length() // 2) * 2 + (e & 1)
    root = isqrt(m << shift)
    return root, root + (root * root != m << shift), (e - shift) >> 1


def working(bits: int) -> int:
    """Return the working precision: guard bits, rounded up so that few tables are ever built."""
    if bits < 2:
        raise ValueError(f"precision must be at least 2 bits, got {bits}")
    return (bits + bits.bit_length() + 14 + 31) & ~31


def _on_axis(y: int, x: int, bits: int) -> Bounds:
    """Return atan2 on the axes, and refuse what it does not define."""
    if y < 0 or x == y == 0:
        raise ValueError("atan2 needs y >= 0 and a point that is not the origin")
    if y == 0 and x > 0:
        return 0, 0, 0
    lo, hi, e = pi(bits)
    return lo, hi, e if y == 0 else e - 1


def odd_series(p: int, d: int, wp: int, sign: int) -> tuple[int, int]:
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
def table_of(wp: int, sign: int) -> tuple[tuple[int, ...], int]:
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
        step, step_err = odd_series(p, d, wp + guard, sign)
        total += step
        err += step_err
        table.append(total >> guard)
    return tuple(table), (err >> guard) + 2

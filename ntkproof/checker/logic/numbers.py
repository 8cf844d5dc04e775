"""Exact numbers as text: decimals in certificates and options.

Trusted.
"""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]{0,399})(?:\.([0-9]{1,400}))?(?:e(-?(?:0|[1-9][0-9]{0,2})))?")
_CHUNK = 500  # digits: Python may refuse to convert more than 640 at once, as the process is set up


class InputError(ValueError):
    """The user's input is unusable; the message is one line that says what and where."""


def parse_decimal(text: str) -> Fraction:
    """Return the exact value of a decimal literal such as ``-1.25e-3``.

    At most 400 digits before and after the point, exponents of at most three digits.

    Raises:
        InputError: if ``text`` is anything else (``nan``, ``inf``, ``1_0``, ``+1``, ``.5`` …).
    """
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InputError(f"not a decimal number: {str(text)[:60]!r}")
    sign, whole, part, power = match.groups(default="0")
    size = (int(whole) + Fraction(int(part), 10 ** len(part))) * Fraction(10) ** int(power)
    return -size if sign == "-" else size


def exact(value: int | float | str | Fraction) -> Fraction:
    """Return a hyperparameter as an exact rational; a float means its shortest decimal (0.1 is 1/10)."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"not a number: {value!r}")
    text = value if isinstance(value, str) else repr(float(value)) if isinstance(value, float) else repr(int(value))
    return parse_decimal(text if isinstance(value, str) else text.replace("e+", "e").replace("e-0", "e-"))


def decimal(value: Fraction) -> str:
    """Return the decimal string of a rational whose denominator divides a power of ten.

    Raises:
        InputError: if the decimal expansion does not end.
    """
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    for prime in (2, 5):
        while rest % prime == 0:
            rest, places = rest // prime, places + 1
    if rest != 1:
        raise InputError(f"{value} has no finite decimal expansion")
    digits = _digits(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")


def _digits(n: int) -> str:
    """Return the digits of an integer that is not negative."""
    high, low = divmod(n, 10**_CHUNK)
    return _digits(high) + str(low).rjust(_CHUNK, "0") if high else str(low)

"""Strict JSON, and readers of its values: each returns a value of the type it says, or says where it is not.

Trusted.  A reader takes a value and where it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NoReturn

from ntkproof.checker.logic.numbers import InputError, decimal, parse_decimal

MAX_INTEGER = 2**53

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

Reader = Callable[[Any, str], Any]


class Malformed(ValueError):
    """The file is not a certificate; the message is one line that says where and why."""


def strict_json(text: str) -> Any:
    """Return the value of a JSON text without duplicate keys, floats, NaN, large integers or -0."""

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise Malformed(f"duplicate key {key[:60]!r}")
            seen[key] = value
        return seen

    def no_float(literal: str) -> NoReturn:
        raise Malformed(f"the number {literal[:40]} is not an integer; other numbers are decimal strings")

    def small_integer(literal: str) -> int:
        if len(literal) > 17 or abs(int(literal)) > MAX_INTEGER:
            raise Malformed(f"the integer {literal[:20]}… exceeds 2^53")
        if literal == "-0":
            raise Malformed("the integer -0 is not canonical")
        return int(literal)

    try:
        return json.loads(
            text,
            object_pairs_hook=no_duplicates,
            parse_float=no_float,
            parse_constant=no_float,
            parse_int=small_integer,
        )
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise Malformed("nested too deeply") from None


def record(raw: Any, where: str, readers: Mapping[str, Reader], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read an object that has these fields and no others, each by its reader."""
    if not isinstance(raw, dict):
        raise Malformed(f"{where}: expected an object")
    for key in raw:
        if key not in readers:
            raise Malformed(f"{where}: unknown field {key[:60]!r}")
    for key in readers:
        if key not in raw and key not in optional:
            raise Malformed(f"{where}: the field {key!r} is missing")
    place = "" if where == "certificate" else f"{where}."
    return {key: read(raw[key], f"{place}{key}") for key, read in readers.items() if key in raw}


def listed(read: Reader, least: int = 0) -> Reader:
    """Return the reader of a list of at least so many entries: of a tuple of what ``read`` reads."""

    def read_list(raw: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(raw, list) or len(raw) < least:
            raise Malformed(f"{where}: expected a list of at least {least} entries")
        return tuple(read(each, f"{where}[{k}]") for k, each in enumerate(raw))

    return read_list


def named(read: Reader) -> Reader:
    """Return the reader of an object whose names are free."""

    def read_named(raw: Any, where: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise Malformed(f"{where}: expected an object")
        return {identifier(name, where): read(value, f"{where}.{name}") for name, value in raw.items()}

    return read_named


def anything(raw: Any, where: str) -> Any:
    """Leave a value to be read later."""
    return raw


def text(raw: Any, where: str) -> str:
    """Read a printable text of at most 2000 characters."""
    if not isinstance(raw, str) or len(raw) > 2000 or not raw.isprintable():
        raise Malformed(f"{where}: expected printable text of at most 2000 characters")
    return raw


def identifier(raw: Any, where: str) -> str:
    """Read a name of letters, digits, ``_``, ``.`` and ``-``, of at most 64 characters."""
    if not isinstance(raw, str) or not _IDENTIFIER.fullmatch(raw):
        raise Malformed(f"{where}: expected a name of letters, digits, '_', '.', '-'")
    return raw


def integer(raw: Any, where: str) -> int:
    """Read an integer."""
    if type(raw) is not int:  # bool is an int in Python, not here
        raise Malformed(f"{where}: expected an integer")
    return raw


def boolean(raw: Any, where: str) -> bool:
    """Read true or false."""
    if type(raw) is not bool:
        raise Malformed(f"{where}: expected true or false")
    return raw


def between(least: int, largest: int) -> Reader:
    """Return the reader of an integer in a range."""

    def read_integer(raw: Any, where: str) -> int:
        if not least <= integer(raw, where) <= largest:
            raise Malformed(f"{where}: {raw} is not from {least} to {largest}")
        return int(raw)

    return read_integer


def word(allowed: tuple[str, ...]) -> Reader:
    """Return the reader of one of some words."""

    def read_word(raw: Any, where: str) -> str:
        if not isinstance(raw, str) or raw not in allowed:
            raise Malformed(f"{where}: expected one of {', '.join(allowed)}")
        return raw

    return read_word


def number(raw: Any, where: str) -> Fraction:
    """Read a decimal number, exactly."""
    try:
        return parse_decimal(raw)
    except InputError as error:
        raise Malformed(f"{where}: {error}") from None


def decimal_text(raw: Any, where: str) -> str:
    """Read a decimal number in its canonical form, as text."""
    if decimal(number(raw, where)) != raw:
        raise Malformed(f"{where}: not a canonical decimal: {raw[:60]!r}")
    return str(raw)

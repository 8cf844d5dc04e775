"""Files from outside: the one way to read their bytes, and the one-line messages of their readers.

Untrusted.  Only regular files are opened, links to them included, and never more than a limit is read, whatever a file
says of its length (``docs/robustness.md``).  A number is taken over exactly or refused.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.weights import MAX_WEIGHTS

Floats = NDArray[np.float64]

MAX_NUMBERS = MAX_WEIGHTS
MAX_BYTES = 8 * MAX_NUMBERS + 2**20
MAX_DIGITS = 400
_SHOWN = 200
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def contents(path: Path | str, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file, at most ``limit`` of them.

    Pipes, sockets and devices are refused, at once; so is a file that is longer or shorter than it says.

    Raises:
        InputError: there is no such file, it is not a regular one, it is too long, or it cannot be read; the message is
            one line without the name of the file.
    """
    try:
        _require_regular(os.stat(path), limit)
        with open(os.open(path, _FLAGS), "rb") as stream:
            size = _require_regular(os.fstat(stream.fileno()), limit)
            content = stream.read(size + 1) or b""
    except FileNotFoundError:
        raise InputError("no such file") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or one_line(error)})") from None
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError("cannot be read (not a file name)") from None
    if len(content) != size:
        raise InputError(f"cannot be read (the length is said to be {size} bytes, and is not)")
    return content


def _require_regular(status: os.stat_result, limit: int) -> int:
    """Return the length that a regular file says it has."""
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"is {_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file")
    if status.st_size > limit:
        raise InputError(f"the file has {status.st_size} bytes; the limit is {limit}")
    return status.st_size


def json_in(path: Path | str, limit: int) -> Any:
    """Return what a JSON file holds; no field of an object may occur twice.

    Raises:
        InputError: as `contents`, or the file is not JSON; the message is one line without the name of the file.
    """
    try:
        return json.loads(contents(path, limit), object_pairs_hook=_unique, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, InputError) else InputError("not JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise InputError(f"a field of {quoted(', '.join(key for key, _ in pairs))} occurs more than once")
    return dict(pairs)


def _integer(literal: str) -> int:
    if len(literal) > MAX_DIGITS:
        raise InputError(f"the integer {literal[:20]}... has more than {MAX_DIGITS} digits")
    return int(literal)


def exact_float64(array: NDArray[Any], where: str = "") -> Floats:
    """Return an array of integers or floats of at most 8 bytes as float64, if float64 holds every number exactly.

    Raises:
        InputError: another type, NaN, infinity or an integer that does not fit; the message starts with ``where``.
    """
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        kind = "structured" if array.dtype.names else str(array.dtype)
        raise InputError(f"{where}the type is {kind}; integers, float16, float32 or float64 are needed")
    with np.errstate(invalid="ignore"):  # of signalling NaN; it is refused below
        floats = np.array(array, dtype=np.float64, order="C")
    if array.dtype.kind in "iu":
        inside = floats < 2.0 ** (8 * array.dtype.itemsize - (array.dtype.kind == "i"))
        exact = np.where(inside, floats, 0).astype(array.dtype) == array
        if not exact.all():
            index = _first(~exact)
            raise InputError(f"{where}entry {[*index]} is {array[index]}, an integer that float64 cannot hold exactly")
    elif not np.isfinite(floats).all():
        index = _first(~np.isfinite(floats))
        raise InputError(f"{where}entry {[*index]} is {floats[index]}; finite numbers are needed")
    return floats


def _first(where: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the index of the first true entry."""
    return tuple(int(k) for k in np.unravel_index(int(where.argmax()), where.shape))


def printable(text: str) -> str:
    """Return a text, or its representation if it has characters that do not print."""
    return text if text.isprintable() else repr(text)


def quoted(text: str) -> str:
    """Return a text in quotes, cut after 40 characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def listed(names: list[str]) -> str:
    """Return the first names in quotes, and how many there are."""
    shown = ", ".join(quoted(name) for name in names[:12]) or "no arrays"
    return shown if len(names) <= 12 else f"{shown}, ... ({len(names)} in all)"


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, cut after 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."

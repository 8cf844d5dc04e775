"""Arrays and one-line messages for the readers of files: `ntkproof.datasets` and `ntkproof.weights`.

Untrusted, as they are.  A number is taken over exactly or refused.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError

Floats = NDArray[np.float64]


def npy_array(content: bytes) -> NDArray[Any]:
    """Return the array in the bytes of an NPY file, which must end where it ends; nothing is unpickled.

    Raises:
        InputError: anything else.
    """
    stream = io.BytesIO(content)
    try:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # on damaged headers numpy raises ValueError, TokenError, MemoryError, ...
        raise InputError(f"not a readable NPY array ({one_line(error)})") from None
    if stream.read(1):
        raise InputError("not a readable NPY array (there are more bytes after the end of the array)")
    return array


def exact_float64(array: NDArray[Any], where: str = "") -> Floats:
    """Return an array of integers or floats of at most 8 bytes as float64, if float64 holds every number exactly.

    Raises:
        InputError: another type, NaN, infinity or an integer that does not fit; the message starts with ``where``.
    """
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        kind = "structured" if array.dtype.names else str(array.dtype)
        raise InputError(f"{where}the type is {kind}; integers, float16, float32 or float64 are needed")
    floats = np.array(array, dtype=np.float64, order="C")
    if array.dtype.kind in "iu":
        for position in np.argwhere((array > 2**53) | (array < -(2**53))):
            index = tuple(position.tolist())
            if int(array[index]) != int(floats[index]):
                entry = f"entry {list(index)} is {int(array[index])}"
                raise InputError(f"{where}{entry}, an integer that float64 cannot hold exactly")
    for position in np.argwhere(~np.isfinite(floats)):
        index = tuple(position.tolist())
        raise InputError(f"{where}entry {list(index)} is {floats[index]}; finite numbers are needed")
    return floats


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
    """Return the message of an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__

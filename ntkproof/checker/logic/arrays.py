"""Arrays of exact numbers in certificates: inline or in files beside it, with their hashes.

Trusted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkproof.checker.logic.load import load
from ntkproof.checker.logic.reading import Malformed, Reader, anything, integer, listed, record

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_ARRAY = 2**31
MAX_BYTES = 2**32  # of all arrays of a certificate
MAX_INTEGER_WIDTH = 8192

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DTYPE = re.compile(r"float(?:16|32|64)|int([1-9][0-9]{0,5})")


@dataclass(frozen=True)
class Array:
    """An exact numeric array: little-endian float64, float32 or float16, or two's-complement integers of one width.

    Args:
        dtype: ``float64``, ``float32``, ``float16``, or ``int8``, ``int16``, ``int24`` … (whole bytes, up to 8192).
        shape: its lengths; row-major order.  A packed lower triangle of order n has shape ``(n(n+1)/2,)``.
        data: the bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes = field(repr=False)

    def __repr__(self) -> str:
        return f"Array({self.dtype}, {self.shape}, sha256 {hashlib.sha256(self.data).hexdigest()[:16]}…)"

    @property
    def width(self) -> int:
        """Bytes per number."""
        return int(self.dtype.removeprefix("float" if self.is_float else "int")) // 8

    @property
    def is_float(self) -> bool:
        """Whether it holds floating-point numbers."""
        return self.dtype.startswith("float")

    def floats(self) -> NDArray[np.float64]:
        """Return the numbers as a float64 array, exactly."""
        return np.frombuffer(self.data, dtype=f"<f{self.width}").reshape(self.shape).astype(np.float64)

    def integers(self) -> list[int]:
        """Return the integers in order."""
        w, data = self.width, self.data
        return [int.from_bytes(data[k : k + w], "little", signed=True) for k in range(0, len(data), w)]


@dataclass
class Source:
    """Where the arrays of a certificate are read from.

    Args:
        folder: where files beside it are; None if there are none.
        left: how many bytes all arrays that are still to be read may have.
    """

    folder: Path | None = None
    left: int = MAX_BYTES

    def take(self, size: int, where: str) -> None:
        """Count an array, or raise `Malformed`."""
        self.left -= size
        if self.left < 0:
            raise Malformed(f"{where}: the arrays have more than {MAX_BYTES} bytes in all, each use counted")


def array_in(source: Source) -> Reader:
    """Return the reader of an array."""

    def read(raw: Any, where: str) -> Array:
        stored = isinstance(raw, dict) and "file" in raw
        content = {"file": anything, "bytes": integer} if stored else {"base64": anything}
        top = record(raw, where, {"dtype": anything, "shape": listed(integer), "sha256": anything, **content})
        dtype, shape, sha256 = top["dtype"], top["shape"], top["sha256"]
        size = _size(dtype, shape, where)
        source.take(size, where)
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise Malformed(f"{where}.sha256: expected 64 lower-case hexadecimal digits")
        if stored:
            data: bytes = load("logic.sidecars").content(top["file"], top["bytes"], size, where, source.folder)
        else:
            data = _base64(top["base64"], where)
        if len(data) != size:
            raise Malformed(f"{where}: {len(data)} bytes of data where dtype and shape say {size}")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Malformed(f"{where}.sha256: the data do not have this hash")
        return Array(dtype, shape, data)

    return read


def floats_in(source: Source, dimensions: int, dtypes: tuple[str, ...] = ("float64",)) -> Reader:
    """Return the reader of an array of floating-point numbers as float64."""

    def read(raw: Any, where: str) -> NDArray[np.float64]:
        array: Array = array_in(source)(raw, where)
        if array.dtype not in dtypes or len(array.shape) != dimensions:
            raise Malformed(f"{where}: expected a {' or '.join(dtypes)} array of {dimensions} dimension(s)")
        return array.floats()

    return read


def _size(dtype: Any, shape: tuple[int, ...], where: str) -> int:
    """Return the number of bytes of an array."""
    match = _DTYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if match is None or (match[1] and (int(match[1]) % 8 or int(match[1]) > 8 * MAX_INTEGER_WIDTH)):
        raise Malformed(f"{where}.dtype: expected float64, float32, float16 or int8, int16, int24, …")
    size = int(match[1] or dtype.removeprefix("float")) // 8
    for length in shape:
        size *= max(length, 0)
    if not 1 <= len(shape) <= 2 or not 0 < size <= MAX_ARRAY:
        raise Malformed(f"{where}.shape: expected one or two positive lengths, at most {MAX_ARRAY} bytes in all")
    return size


def _base64(raw: Any, where: str) -> bytes:
    try:
        data = base64.b64decode(raw.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error):
        raise Malformed(f"{where}.base64: not base64") from None
    if base64.b64encode(data).decode("ascii") != raw:
        raise Malformed(f"{where}.base64: not canonical base64")
    return data

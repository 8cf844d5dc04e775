"""NPY and NPZ files: the one reader of arrays in NumPy's formats, for tables, weights, runs and simulations.

Untrusted.  Nothing is unpickled, and nothing is unpacked or allocated before its size is known to be modest: what an
archive unpacks to is bounded by what it says *and* by how far it is compressed, each array by its own header.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.data.files import MAX_BYTES, MAX_NUMBERS, one_line, printable, quoted

MAX_ARRAYS = 1000
MAX_RATIO = 100  # of compression, for archives that unpack to more than MODEST: weights hardly compress
MODEST = 2**26
_ENTRY = b"PK\x01\x02"  # begins each entry of the directory of a ZIP archive
_DAMAGED = "not a readable NPY array"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def npy_array(content: bytes) -> NDArray[Any]:
    """Return the array in the bytes of an NPY file, which must end where it ends; read-only, nothing is unpickled.

    Raises:
        InputError: anything else.
    """
    stream = io.BytesIO(content)
    try:
        with warnings.catch_warnings(action="ignore"):  # of numbers written as Python 2 did, of odd escapes
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, columns_first, dtype = read(stream)
    except Exception as error:  # on damaged headers numpy raises ValueError, TokenError, MemoryError, ...
        raise InputError(f"{_DAMAGED} ({printable(one_line(error))})") from None
    if dtype.hasobject:
        raise InputError(f"{_DAMAGED} (Object arrays cannot be loaded: nothing is unpickled)")
    if not all(type(length) is int and length >= 0 for length in shape) or len(shape) > 32:
        raise InputError(f"{_DAMAGED} (the shape is {quoted(str(shape))})")
    count, offset = math.prod(shape), stream.tell()
    if max(count, *shape, 0) > MAX_NUMBERS:
        raise InputError(f"{_DAMAGED} (the shape is {quoted(str(shape))}; the limit is {MAX_NUMBERS} numbers)")
    needed, there = count * dtype.itemsize, len(content) - offset
    if there > needed:
        raise InputError(f"{_DAMAGED} (there are more bytes after the end of the array)")
    if there < needed:
        raise InputError(f"{_DAMAGED} ({there} bytes of numbers where type and shape say {needed})")
    try:
        flat = np.frombuffer(content, dtype, count, offset) if needed else np.empty(count, dtype)
        return flat.reshape(shape, order="F" if columns_first else "C")
    except Exception as error:  # types that NumPy can describe and not read
        raise InputError(f"{_DAMAGED} ({printable(one_line(error))})") from None


class Npz:
    """The arrays of an NPZ file, each unpacked when it is asked for.

    Args:
        content: the bytes of the file.

    Raises:
        InputError: not a ZIP archive; one with members that occur twice, are not called ``NAME.npy``, are encrypted or
            compressed in a way other than deflate; or one that unpacks to too much.
    """

    def __init__(self, content: bytes) -> None:
        require_modest(content)
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._archive.infolist():
            if not member.filename.endswith(".npy"):
                raise InputError(f"the archive holds {quoted(member.filename)}, which is not an array")
            self._members[member.filename.removesuffix(".npy")] = member
        self.names = list(self._members)

    def array(self, name: str) -> NDArray[Any]:
        """Return an array as `npy_array` does.

        Raises:
            InputError: damaged, or not an array; the message names it.
            KeyError: there is none of this name.
        """
        member = self._members[name]
        try:
            with self._archive.open(member) as stream:
                data = stream.read(member.file_size + 1)  # not read(): it unpacks first and cuts then
        except MemoryError:
            raise
        except Exception as error:  # zipfile and its decompressors raise a dozen types on damaged files
            raise InputError(f"not a readable NPZ file ({printable(one_line(error))})") from None
        try:
            return npy_array(data)
        except InputError as error:
            raise InputError(f"array {quoted(name)}: {error}") from None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by name; raises as `array`, or for more than `MAX_NUMBERS` numbers in all."""
        found: dict[str, NDArray[Any]] = {}
        for name in self.names:
            found[name] = self.array(name)
            if sum(array.size for array in found.values()) > MAX_NUMBERS:
                raise InputError(f"array {quoted(name)}: more than {MAX_NUMBERS} numbers with those before it")
        return found


def require_modest(content: bytes) -> None:
    """Require a ZIP archive whose members are different, plain or deflated, and unpack to no more than is modest.

    Raises:
        InputError: anything else.
    """
    if content.count(_ENTRY) > MAX_ARRAYS:
        raise InputError(f"the archive holds more than {MAX_ARRAYS} arrays")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except Exception as error:
        raise InputError(f"not a readable NPZ file ({printable(one_line(error))})") from None
    for name, count in Counter(member.filename for member in members).items():
        if count > 1:
            raise InputError(f"the archive holds {quoted(name)} more than once")
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in _METHODS:
            how = "encrypted" if member.flag_bits & 1 else "compressed, and not by deflate"
            raise InputError(f"the archive holds {quoted(member.filename)}, which is {how}")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_BYTES:
        raise InputError(f"the archive unpacks to {unpacked} bytes; the limit is {MAX_BYTES}")
    if unpacked > max(MODEST, MAX_RATIO * len(content)):
        raise InputError(f"suspicious compression: the archive unpacks from {len(content)} bytes to {unpacked}")

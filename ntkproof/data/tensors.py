"""Named arrays from NPZ, safetensors and PyTorch files, read strictly.

Untrusted: what is proved is about the numbers, wherever they came from.  Nothing is unpickled but by PyTorch's own
loader with ``weights_only=True``; safetensors is parsed here, from its published format.  Sizes are checked before
memory is taken: no file may claim more than `MAX_NUMBERS` numbers.
"""

from __future__ import annotations

import importlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.data.files import MAX_NUMBERS, contents, exact_float64, one_line, printable, quoted
from ntkproof.data.npz import Npz, require_modest

MAX_HEADER = 2**20


@dataclass(frozen=True)
class Tensor:
    """An array of a file: its numbers as float64 (or one boolean), exactly, and the type the file has them in."""

    values: NDArray[Any]
    dtype: str

    @property
    def is_flag(self) -> bool:
        """Whether it is one boolean."""
        return self.values.dtype == bool and self.values.shape == ()


def read_tensors(path: Path | str) -> dict[str, Tensor]:
    """Read the arrays of a file: ``.npz``, ``.safetensors``, or ``.pt`` and ``.pth`` with PyTorch.

    Float64, float32, float16 and bfloat16 numbers become float64, which is exact; so do the integers of an NPZ file
    if float64 holds them.

    Raises:
        InputError: no such file, an unknown suffix, anything not in its format, absurd sizes, NaN or infinity.
            The message is one line without the name of the file.
    """
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise InputError(f"unknown format; the formats of weights are {', '.join(READERS)}")
    return reader(contents(path))


def _floats(name: str, array: NDArray[Any], dtype: str | None = None) -> Tensor:
    return Tensor(exact_float64(array, f"array {quoted(name)}: "), dtype or str(array.dtype))


# NPZ ------------------------------------------------------------------------------------------------------------


def _read_npz(content: bytes) -> dict[str, Tensor]:
    return {name: _npz_tensor(name, array) for name, array in Npz(content).arrays().items()}


def _npz_tensor(name: str, array: NDArray[Any]) -> Tensor:
    if array.dtype == bool and array.shape == ():
        return Tensor(array, "bool")
    return _floats(name, array)


# safetensors ----------------------------------------------------------------------------------------------------
# https://huggingface.co/docs/safetensors: 8 bytes, the length N of the header; N bytes of JSON; the numbers, without
# gaps, in little-endian and row-major order.

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_DTYPE_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def _read_safetensors(content: bytes) -> dict[str, Tensor]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 + length or length < 2:
        raise InputError("not a safetensors file (it ends before its header does)")
    if length > MAX_HEADER:
        raise InputError(f"the header has {length} bytes; the limit is {MAX_HEADER}")
    header = _header(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InputError("header: __metadata__ must map names to texts")
    places = {name: _place(name, entry) for name, entry in header.items()}
    if sum(math.prod(shape) for _, shape, _, _ in places.values()) > MAX_NUMBERS:
        raise InputError(f"more than {MAX_NUMBERS} weights")
    end = 0
    for name, (_, _, begin, stop) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != end:
            raise InputError(f"array {quoted(name)}: begins at byte {begin} of the numbers, not at {end}")
        end = stop
    if end != len(content) - 8 - length:
        raise InputError(f"the arrays end at byte {end} of the numbers, the file at {len(content) - 8 - length}")
    numbers = memoryview(content)[8 + length :]
    return {name: _stored(name, numbers[place[2] : place[3]], *place[:2]) for name, place in places.items()}


def _header(raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise InputError(f"header: {quoted(key)} occurs more than once")
        return dict(pairs)

    def integer(literal: str) -> int:
        if not literal.isdigit() or len(literal) > 15:
            raise InputError(f"header: {literal[:20]} is not a number of bytes or entries")
        return int(literal)

    def refuse(literal: str) -> NoReturn:
        raise InputError(f"header: {literal[:20]} is not an integer")

    try:
        text = raw.decode("utf-8")
        header = json.loads(
            text, object_pairs_hook=unique, parse_int=integer, parse_float=refuse, parse_constant=refuse
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"header: not JSON ({printable(one_line(error))})") from None
    if not isinstance(header, dict) or not text.startswith("{") or not text.rstrip(" ").endswith("}"):
        raise InputError("header: expected an object")
    return header


def _place(name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Return dtype, shape and the range of bytes of an entry of the header."""
    where = f"array {quoted(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{where}: expected dtype, shape and data_offsets in the header")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise InputError(f"{where}: the type is {quoted(str(dtype))}; {', '.join(_DTYPES)} are read")
    if not isinstance(shape, list) or len(shape) > 2 or not all(type(length) is int for length in shape):
        raise InputError(f"{where}: expected a shape of at most two lengths, not {quoted(str(shape))}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(offset) is int for offset in offsets):
        raise InputError(f"{where}: expected two data_offsets, not {quoted(str(offsets))}")
    needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != needed:
        raise InputError(f"{where}: {offsets[1] - offsets[0]} bytes where type and shape say {needed}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _stored(name: str, data: memoryview, dtype: str, shape: tuple[int, ...]) -> Tensor:
    array: NDArray[Any] = np.frombuffer(data, dtype=_DTYPES[dtype]).reshape(shape)
    if dtype == "BF16":  # the upper half of a float32
        array = (array.astype("<u4") << 16).view("<f4")
    return _floats(name, array, _DTYPE_NAMES[dtype])


# PyTorch --------------------------------------------------------------------------------------------------------


def _read_torch(content: bytes) -> dict[str, Tensor]:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        advice = "pip install 'ntkproof[torch]', or save the weights as safetensors"
        raise InputError(f"a PyTorch file needs PyTorch: {advice}") from None
    if not content.startswith(b"PK\x03\x04"):
        raise InputError("not a PyTorch file of 2020 or later, a ZIP archive (torch.save writes one)")
    require_modest(content)
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises a dozen types, and its own with advice not to follow
        reason = f"{type(error).__name__} with weights_only=True; save model.state_dict()"
        raise InputError(f"not a PyTorch state_dict ({reason})") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise InputError("not a PyTorch state_dict (expected tensors by name; save model.state_dict())")
    if sum(tensor.numel() for tensor in state.values()) > MAX_NUMBERS:
        raise InputError(f"more than {MAX_NUMBERS} weights")
    return {name: _torch_tensor(torch, name, tensor) for name, tensor in state.items()}


def _torch_tensor(torch: Any, name: str, tensor: Any) -> Tensor:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in _DTYPE_NAMES.values() or tensor.layout is not torch.strided:
        kind = dtype if tensor.layout is torch.strided else str(tensor.layout)
        raise InputError(f"array {quoted(name)}: the type is {kind}; {', '.join(_DTYPE_NAMES.values())} are read")
    return _floats(name, tensor.detach().to(torch.float64).numpy(), dtype)


READERS: dict[str, Callable[[bytes], dict[str, Tensor]]] = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pt": _read_torch,
    ".pth": _read_torch,
}

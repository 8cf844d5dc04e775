"""Certificates as text: strict canonical JSON, exact numbers, hashed arrays.

Trusted.  A certificate states a problem, the steps of a proof and its conclusion; this module only says whether
a file *is* a certificate (``docs/certificate-format.md``), never whether it proves anything.  Everything that is
not exactly in the format is a `Malformed` error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ntkproof.checker.logic.numbers import InputError, decimal, parse_decimal

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "ntkproof-certificate-1"

SUFFIX = ".cert.json"

MAX_TEXT = 64 * 2**20

MAX_ARRAY = 2**31

MAX_INTEGER = 2**53

MAX_INTEGER_WIDTH = 8192

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")

_SHA256 = re.compile(r"[0-9a-f]{64}")

_DTYPE = re.compile(r"float(?:16|32|64)|int([1-9][0-9]{0,5})")


class Malformed(ValueError):
    """The file is not a certificate; the message is one line that says where and why."""


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


@dataclass(frozen=True)
class Step:
    """One step of a proof: ``claim`` is said to follow by ``rule`` from the claims of the steps ``uses``."""

    id: str
    rule: str
    uses: tuple[str, ...] = ()
    args: Mapping[str, int | str] = field(default_factory=dict)
    witness: Mapping[str, Array] = field(default_factory=dict)
    claim: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """A problem (which the logic does not look into), the steps of a proof and the conclusion ``claim`` said to be that of step ``step``."""

    problem: Any
    steps: tuple[Step, ...]
    conclusion_step: str
    conclusion: Mapping[str, Any]


Reader = Callable[[Any, Path | None], Any]
"""Reads the problem of a certificate, given the folder of its sidecar files; raises `Malformed`."""


def read(path: Path | str, problem: Reader) -> Certificate:
    """Read the certificate at ``path`` and the sidecar files it names in its own folder.

    Raises:
        Malformed: anything that is not exactly in the format, including a missing or altered sidecar.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        text = path.read_bytes().decode("utf-8") if size <= MAX_TEXT else ""
    except FileNotFoundError:
        raise Malformed("no such file") from None
    except OSError as error:
        raise Malformed(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from None
    except ValueError:
        raise Malformed("not a file name") from None
    if size > MAX_TEXT:
        raise Malformed(f"the file is longer than {MAX_TEXT} bytes")
    return parse(text, problem, path.parent)


def parse(text: str, problem: Reader, folder: Path | None = None) -> Certificate:
    """Parse the text of a certificate; sidecar files are looked up in ``folder`` only.

    Raises:
        Malformed: as `read`.
    """
    top = json_fields(_strict_json(text), "certificate", ("format", "problem", "steps", "conclusion"))
    if top["format"] != FORMAT:
        raise Malformed(f"format: expected {FORMAT!r}")
    conclusion = json_fields(top["conclusion"], "conclusion", ("step", "claim"))
    return Certificate(
        problem(top["problem"], folder),
        tuple(_step(raw, f"steps[{k}]", folder) for k, raw in enumerate(json_list(top["steps"], "steps"))),
        _identifier(conclusion["step"], "conclusion.step"),
        _claim(conclusion["claim"], "conclusion.claim"),
    )


def _strict_json(text: str) -> Any:
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


def json_fields(raw: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise Malformed(f"{where}: expected an object")
    for key in raw:
        if key not in required and key not in optional:
            raise Malformed(f"{where}: unknown field {key[:60]!r}")
    for key in required:
        if key not in raw:
            raise Malformed(f"{where}: the field {key!r} is missing")
    return raw


def json_list(raw: Any, where: str) -> list[Any]:
    if not isinstance(raw, list):
        raise Malformed(f"{where}: expected a list")
    return raw


def json_text(raw: Any, where: str, limit: int = 2000) -> str:
    if not isinstance(raw, str) or len(raw) > limit or not raw.isprintable():
        raise Malformed(f"{where}: expected printable text of at most {limit} characters")
    return raw


def _identifier(raw: Any, where: str) -> str:
    if not isinstance(raw, str) or not _IDENTIFIER.fullmatch(raw):
        raise Malformed(f"{where}: expected a name of letters, digits, '_', '.', '-'")
    return raw


def json_integer(raw: Any, where: str) -> int:
    if type(raw) is not int:  # bool is an int in Python, not here
        raise Malformed(f"{where}: expected an integer")
    return raw


def json_decimal(raw: Any, where: str) -> str:
    try:
        if decimal(parse_decimal(raw)) == raw:
            return str(raw)
    except InputError as error:
        raise Malformed(f"{where}: {error}") from None
    raise Malformed(f"{where}: not a canonical decimal: {raw[:60]!r}")


def json_floats(raw: Any, where: str, dimensions: int, folder: Path | None) -> NDArray[np.float64]:
    array = json_array(raw, where, folder)
    if array.dtype != "float64" or len(array.shape) != dimensions:
        raise Malformed(f"{where}: expected a float64 array of {dimensions} dimension(s)")
    return array.floats()


def _step(raw: Any, where: str, folder: Path | None) -> Step:
    top = json_fields(raw, where, ("id", "rule", "uses", "args", "witness", "claim"))
    args = json_fields(top["args"], f"{where}.args", (), tuple(top["args"]) if isinstance(top["args"], dict) else ())
    for name, value in args.items():
        _identifier(name, f"{where}.args")
        if type(value) is not int and not isinstance(value, str):
            raise Malformed(f"{where}.args.{name}: expected an integer or a string")
        if isinstance(value, str):
            json_text(value, f"{where}.args.{name}")
    if not isinstance(top["witness"], dict):
        raise Malformed(f"{where}.witness: expected an object")
    return Step(
        _identifier(top["id"], f"{where}.id"),
        _identifier(top["rule"], f"{where}.rule"),
        tuple(_identifier(name, f"{where}.uses") for name in json_list(top["uses"], f"{where}.uses")),
        args,
        {
            _identifier(k, f"{where}.witness"): json_array(v, f"{where}.witness.{k}", folder)
            for k, v in top["witness"].items()
        },
        _claim(top["claim"], f"{where}.claim"),
    )


def _claim(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise Malformed(f"{where}: expected an object")
    for name, value in raw.items():
        _identifier(name, where)
        if isinstance(value, list):
            for k, element in enumerate(value):
                (json_text if isinstance(element, str) else json_integer)(element, f"{where}.{name}[{k}]")
        elif isinstance(value, str):
            json_text(value, f"{where}.{name}")
        else:
            json_integer(value, f"{where}.{name}")
    return raw


def json_array(raw: Any, where: str, folder: Path | None) -> Array:
    common = ("dtype", "shape", "sha256")
    stored = isinstance(raw, dict) and "file" in raw
    top = json_fields(raw, where, (*common, "file", "bytes") if stored else (*common, "base64"))
    match = _DTYPE.fullmatch(top["dtype"]) if isinstance(top["dtype"], str) else None
    if match is None or (match[1] and (int(match[1]) % 8 or int(match[1]) > 8 * MAX_INTEGER_WIDTH)):
        raise Malformed(f"{where}.dtype: expected float64, float32, float16 or int8, int16, int24, …")
    shape = tuple(json_integer(k, f"{where}.shape") for k in json_list(top["shape"], f"{where}.shape"))
    size = int(match[1] or top["dtype"].removeprefix("float")) // 8
    for length in shape:
        size *= max(length, 0)
    if not 1 <= len(shape) <= 2 or not 0 < size <= MAX_ARRAY:
        raise Malformed(f"{where}.shape: expected one or two positive lengths, at most {MAX_ARRAY} bytes in all")
    if not isinstance(top["sha256"], str) or not _SHA256.fullmatch(top["sha256"]):
        raise Malformed(f"{where}.sha256: expected 64 lower-case hexadecimal digits")
    if stored:
        data = _sidecar(top["file"], json_integer(top["bytes"], f"{where}.bytes"), size, where, folder)
    else:
        data = _base64(top["base64"], where)
    if len(data) != size:
        raise Malformed(f"{where}: {len(data)} bytes of data where dtype and shape say {size}")
    if hashlib.sha256(data).hexdigest() != top["sha256"]:
        raise Malformed(f"{where}.sha256: the data do not have this hash")
    return Array(top["dtype"], shape, data)


def _base64(raw: Any, where: str) -> bytes:
    try:
        data = base64.b64decode(raw.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error):
        raise Malformed(f"{where}.base64: not base64") from None
    if base64.b64encode(data).decode("ascii") != raw:
        raise Malformed(f"{where}.base64: not canonical base64")
    return data


def _sidecar(name: Any, declared: int, size: int, where: str, folder: Path | None) -> bytes:
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
        raise Malformed(f"{where}.file: expected a plain file name in the certificate's own folder")
    if declared != size:
        raise Malformed(f"{where}.bytes: {declared} where dtype and shape say {size}")
    if folder is None:
        raise Malformed(f"{where}.file: this certificate has no folder to look for {name} in")
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file():
            raise Malformed(f"{where}.file: {name} is missing or not a regular file")
        if path.stat().st_size != size:
            raise Malformed(f"{where}.file: {name} has {path.stat().st_size} bytes, not {size}")
        return path.read_bytes()
    except OSError as error:
        raise Malformed(f"{where}.file: {name} cannot be read: {error.strerror}") from None

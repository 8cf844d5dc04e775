"""Certificates on disk: strict canonical JSON, exact numbers, hashed arrays.

Trusted.  A certificate states a problem, the steps of a proof and its conclusion; this module only says whether
a file *is* a certificate (``docs/certificate-format.md``), never whether it proves anything.  Everything that is
not exactly in the format is a `Malformed` error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ntkproof.problem import (
    Dataset,
    InputError,
    Network,
    Problem,
    Sphere,
    Training,
    Weights,
    decimal,
    exact,
    parse_decimal,
)

FORMAT = "ntkproof-certificate-1"
SUFFIX = ".cert.json"
MAX_TEXT = 64 * 2**20
MAX_ARRAY = 2**31
MAX_INTEGER = 2**53
MAX_INTEGER_WIDTH = 8192
INLINE = 256 * 2**10

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
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

    @classmethod
    def from_floats(cls, values: NDArray[np.float64]) -> Array:
        """Store a float64 array exactly."""
        return cls("float64", tuple(int(k) for k in values.shape), values.astype("<f8").tobytes())

    @classmethod
    def from_weights(cls, values: NDArray[np.float64]) -> Array:
        """Store a float64 array exactly, in the shortest of the three formats that holds its numbers."""
        for dtype, stored in (("float16", "<f2"), ("float32", "<f4")):
            with np.errstate(over="ignore", under="ignore"):
                short = values.astype(stored)
            if (short.astype(np.float64) == values).all():
                return cls(dtype, tuple(int(k) for k in values.shape), short.tobytes())
        return cls.from_floats(values)

    @classmethod
    def from_integers(cls, values: list[int]) -> Array:
        """Store a list of integers of any size with the least width that holds them all."""
        width = max(1, max((v if v >= 0 else ~v).bit_length() // 8 + 1 for v in values))
        return cls(
            f"int{8 * width}",
            (len(values),),
            b"".join(v.to_bytes(width, "little", signed=True) for v in values),
        )

    @classmethod
    def from_int64(cls, values: NDArray[np.int64]) -> Array:
        """Store a one-dimensional int64 array, as `from_integers` does."""
        largest = max(int(values.max()), ~int(values.min()), 0)
        width = largest.bit_length() // 8 + 1
        octets = values.astype("<i8").view(np.uint8).reshape(-1, 8)
        return cls(f"int{8 * width}", (len(values),), octets[:, :width].tobytes())

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
    """A problem, the steps of a proof and the conclusion ``claim`` said to be that of step ``step``."""

    problem: Problem
    steps: tuple[Step, ...]
    conclusion_step: str
    conclusion: Mapping[str, Any]


# Reading --------------------------------------------------------------------------------------------------------


def read(path: Path | str) -> Certificate:
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
    return parse(text, path.parent)


def parse(text: str, folder: Path | None = None) -> Certificate:
    """Parse the text of a certificate; sidecar files are looked up in ``folder`` only.

    Raises:
        Malformed: as `read`.
    """
    top = _fields(_strict_json(text), "certificate", ("format", "problem", "steps", "conclusion"))
    if top["format"] != FORMAT:
        raise Malformed(f"format: expected {FORMAT!r}")
    conclusion = _fields(top["conclusion"], "conclusion", ("step", "claim"))
    return Certificate(
        _problem(top["problem"], folder),
        tuple(_step(raw, f"steps[{k}]", folder) for k, raw in enumerate(_list(top["steps"], "steps"))),
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


def _fields(raw: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise Malformed(f"{where}: expected an object")
    for key in raw:
        if key not in required and key not in optional:
            raise Malformed(f"{where}: unknown field {key[:60]!r}")
    for key in required:
        if key not in raw:
            raise Malformed(f"{where}: the field {key!r} is missing")
    return raw


def _list(raw: Any, where: str) -> list[Any]:
    if not isinstance(raw, list):
        raise Malformed(f"{where}: expected a list")
    return raw


def _text(raw: Any, where: str, limit: int = 2000) -> str:
    if not isinstance(raw, str) or len(raw) > limit or not raw.isprintable():
        raise Malformed(f"{where}: expected printable text of at most {limit} characters")
    return raw


def _identifier(raw: Any, where: str) -> str:
    if not isinstance(raw, str) or not _IDENTIFIER.fullmatch(raw):
        raise Malformed(f"{where}: expected a name of letters, digits, '_', '.', '-'")
    return raw


def _integer(raw: Any, where: str) -> int:
    if type(raw) is not int:  # bool is an int in Python, not here
        raise Malformed(f"{where}: expected an integer")
    return raw


def _problem(raw: Any, folder: Path | None) -> Problem:
    about = "sphere" if isinstance(raw, dict) and "sphere" in raw else "dataset"
    top = _fields(raw, "problem", (about, "network", "kernel"), ("training", "weights"))
    net = _fields(
        top["network"],
        "problem.network",
        ("activation", "depth", "train", "bias", "weight_std", "input_scale"),
    )
    numbers = {key: _decimal(net[key], f"problem.network.{key}") for key in ("bias", "weight_std")}
    names = {key: _text(net[key], f"problem.network.{key}") for key in ("activation", "train", "input_scale")}
    try:
        domain = _sphere(top[about]) if about == "sphere" else _dataset(top[about], folder)
        network = Network(depth=_integer(net["depth"], "problem.network.depth"), **names, **numbers)
        training = _training(top["training"]) if "training" in top else None
        weights = _weights(top["weights"], folder) if "weights" in top else None
        problem = Problem(domain, network, _text(top["kernel"], "problem.kernel"), training, weights)
    except InputError as error:
        raise Malformed(f"problem: {error}") from None
    if network.activation != net["activation"]:
        raise Malformed(f"problem.network.activation: the canonical form is {network.activation!r}")
    return problem


def _training(raw: Any) -> Training:
    top = _fields(raw, "problem.training", ("width", "init"), ("step_size",))
    width = _decimal(top["width"], "problem.training.width")
    if not width.isdigit():
        raise Malformed("problem.training.width: expected a whole number as a string")
    step = _decimal(top["step_size"], "problem.training.step_size") if "step_size" in top else None
    return Training(int(width), _text(top["init"], "problem.training.init"), step)


def _weights(raw: Any, folder: Path | None) -> Weights:
    where = "problem.weights"
    top = _fields(raw, where, ("layers", "biases", "mirrored"), ("step_size",))
    if type(top["mirrored"]) is not bool:
        raise Malformed(f"{where}.mirrored: expected true or false")
    layers, biases = (
        tuple(_stored_weights(each, f"{where}.{name}[{k}]", axes, folder) for k, each in enumerate(arrays))
        for name, axes in (("layers", 2), ("biases", 1))
        for arrays in (_list(top[name], f"{where}.{name}"),)
    )
    step = _decimal(top["step_size"], f"{where}.step_size") if "step_size" in top else None
    return Weights(layers, biases, top["mirrored"], step)


def _stored_weights(raw: Any, where: str, dimensions: int, folder: Path | None) -> NDArray[np.float64]:
    array = _array(raw, where, folder)
    if not array.is_float or len(array.shape) != dimensions:
        raise Malformed(f"{where}: expected a float64, float32 or float16 array of {dimensions} dimension(s)")
    return array.floats()


def _dataset(raw: Any, folder: Path | None) -> Dataset:
    data = _fields(raw, "problem.dataset", ("label", "inputs"), ("targets",))
    targets = data.get("targets")
    return Dataset(
        _floats(data["inputs"], "problem.dataset.inputs", 2, folder),
        None if targets is None else _floats(targets, "problem.dataset.targets", 1, folder),
        _text(data["label"], "problem.dataset.label"),
    )


def _sphere(raw: Any) -> Sphere:
    return Sphere(_integer(_fields(raw, "problem.sphere", ("dimension",))["dimension"], "problem.sphere.dimension"))


def _decimal(raw: Any, where: str) -> str:
    try:
        if decimal(parse_decimal(raw)) == raw:
            return str(raw)
    except InputError as error:
        raise Malformed(f"{where}: {error}") from None
    raise Malformed(f"{where}: not a canonical decimal: {raw[:60]!r}")


def _floats(raw: Any, where: str, dimensions: int, folder: Path | None) -> NDArray[np.float64]:
    array = _array(raw, where, folder)
    if array.dtype != "float64" or len(array.shape) != dimensions:
        raise Malformed(f"{where}: expected a float64 array of {dimensions} dimension(s)")
    return array.floats()


def _step(raw: Any, where: str, folder: Path | None) -> Step:
    top = _fields(raw, where, ("id", "rule", "uses", "args", "witness", "claim"))
    args = _fields(top["args"], f"{where}.args", (), tuple(top["args"]) if isinstance(top["args"], dict) else ())
    for name, value in args.items():
        _identifier(name, f"{where}.args")
        if type(value) is not int and not isinstance(value, str):
            raise Malformed(f"{where}.args.{name}: expected an integer or a string")
        if isinstance(value, str):
            _text(value, f"{where}.args.{name}")
    if not isinstance(top["witness"], dict):
        raise Malformed(f"{where}.witness: expected an object")
    return Step(
        _identifier(top["id"], f"{where}.id"),
        _identifier(top["rule"], f"{where}.rule"),
        tuple(_identifier(name, f"{where}.uses") for name in _list(top["uses"], f"{where}.uses")),
        args,
        {
            _identifier(k, f"{where}.witness"): _array(v, f"{where}.witness.{k}", folder)
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
                (_text if isinstance(element, str) else _integer)(element, f"{where}.{name}[{k}]")
        elif isinstance(value, str):
            _text(value, f"{where}.{name}")
        else:
            _integer(value, f"{where}.{name}")
    return raw


def _array(raw: Any, where: str, folder: Path | None) -> Array:
    common = ("dtype", "shape", "sha256")
    stored = isinstance(raw, dict) and "file" in raw
    top = _fields(raw, where, (*common, "file", "bytes") if stored else (*common, "base64"))
    match = _DTYPE.fullmatch(top["dtype"]) if isinstance(top["dtype"], str) else None
    if match is None or (match[1] and (int(match[1]) % 8 or int(match[1]) > 8 * MAX_INTEGER_WIDTH)):
        raise Malformed(f"{where}.dtype: expected float64, float32, float16 or int8, int16, int24, …")
    shape = tuple(_integer(k, f"{where}.shape") for k in _list(top["shape"], f"{where}.shape"))
    size = int(match[1] or top["dtype"].removeprefix("float")) // 8
    for length in shape:
        size *= max(length, 0)
    if not 1 <= len(shape) <= 2 or not 0 < size <= MAX_ARRAY:
        raise Malformed(f"{where}.shape: expected one or two positive lengths, at most {MAX_ARRAY} bytes in all")
    if not isinstance(top["sha256"], str) or not _SHA256.fullmatch(top["sha256"]):
        raise Malformed(f"{where}.sha256: expected 64 lower-case hexadecimal digits")
    if stored:
        data = _sidecar(top["file"], _integer(top["bytes"], f"{where}.bytes"), size, where, folder)
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
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
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


# Writing --------------------------------------------------------------------------------------------------------


def write(certificate: Certificate, path: Path | str) -> list[Path]:
    """Write a certificate, its larger arrays as sidecar files beside it; return the files written.

    Arrays go inline while they fit in 256 KiB together.  Every file is written under a temporary name and renamed,
    the certificate last, so an interruption leaves no half-written certificate.

    Raises:
        InputError: the folder does not exist or cannot be written, or the name cannot name sidecar files.
    """
    path = Path(path)
    stem = path.name.removesuffix(SUFFIX).removesuffix(".json")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the directory {path.parent} does not exist")
    arrays = dict(_arrays(certificate))
    inline = sum(len(array.data) for array in arrays.values()) <= INLINE
    names = {} if inline else {where: f"{stem}.{k}-{where.replace(':', '.')}.bin" for k, where in enumerate(arrays)}
    if not all(_FILE_NAME.fullmatch(name) for name in names.values()):
        raise InputError(f"{path}: {stem[:60]!r} cannot name sidecar files; use letters, digits, '_', '.', '+', '-'")
    contents = {path.parent / name: arrays[where].data for where, name in names.items()}
    contents[path] = to_json(certificate, names).encode()
    write_files(contents)
    return list(contents)


def to_json(certificate: Certificate, files: Mapping[str, str] | None = None) -> str:
    """Return the canonical JSON of a certificate; ``files`` maps the arrays kept outside to their file names."""
    names = files or {}

    def array(where: str, value: Array) -> dict[str, Any]:
        head = {
            "dtype": value.dtype,
            "shape": list(value.shape),
            "sha256": hashlib.sha256(value.data).hexdigest(),
        }
        if where in names:
            return {**head, "file": names[where], "bytes": len(value.data)}
        return {**head, "base64": base64.b64encode(value.data).decode()}

    stored = dict(_arrays(certificate))
    domain, network = certificate.problem.domain, certificate.problem.network
    if isinstance(domain, Sphere):
        about: dict[str, Any] = {"sphere": {"dimension": domain.dimension}}
    else:
        arrays = {name: array(name, stored[name]) for name in ("inputs", "targets") if name in stored}
        about = {"dataset": {"label": domain.label, **arrays}}
    top: dict[str, Any] = {
        "format": FORMAT,
        "problem": {
            **about,
            "network": {
                "activation": network.activation,
                "depth": network.depth,
                "train": network.train,
                "bias": decimal(network.beta),
                "weight_std": decimal(network.sigma_w),
                "input_scale": network.input_scale,
            },
            "kernel": certificate.problem.kernel,
        },
        "steps": [
            {
                "id": step.id,
                "rule": step.rule,
                "uses": list(step.uses),
                "args": dict(step.args),
                "witness": {name: array(f"{step.id}:{name}", value) for name, value in step.witness.items()},
                "claim": dict(step.claim),
            }
            for step in certificate.steps
        ],
        "conclusion": {"step": certificate.conclusion_step, "claim": dict(certificate.conclusion)},
    }
    training = certificate.problem.training
    if training is not None:
        fields = {"width": str(training.width), "init": training.init}
        if training.step_size is not None:
            fields["step_size"] = decimal(exact(training.step_size))
        top["problem"]["training"] = fields
    weights = certificate.problem.weights
    if weights is not None:
        kinds: dict[str, Any] = {
            name: [array(f"{name}:{k}", stored[f"{name}:{k}"]) for k in range(len(arrays))]
            for name, arrays in (("layers", weights.layers), ("biases", weights.biases))
        }
        top["problem"]["weights"] = {**kinds, "mirrored": weights.mirrored}
        if weights.step_size is not None:
            top["problem"]["weights"]["step_size"] = decimal(exact(weights.step_size))
    return json.dumps(top, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _arrays(certificate: Certificate) -> Iterator[tuple[str, Array]]:
    domain = certificate.problem.domain
    if isinstance(domain, Dataset):
        yield "inputs", Array.from_floats(domain.inputs)
        if domain.targets is not None:
            yield "targets", Array.from_floats(domain.targets)
    weights = certificate.problem.weights
    if weights is not None:
        for name, arrays in (("layers", weights.layers), ("biases", weights.biases)):
            for k, values in enumerate(arrays):
                yield f"{name}:{k}", Array.from_weights(values)
    for step in certificate.steps:
        for name, value in step.witness.items():
            yield f"{step.id}:{name}", value


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files so that an interruption leaves none of them half-written: stage all, then rename in order.

    Raises:
        InputError: a file cannot be written; nothing is left behind.
    """
    staged: dict[str, Path] = {}
    try:
        for path, data in contents.items():
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            staged[temporary] = path
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            os.chmod(temporary, 0o644)
        for temporary, path in staged.items():
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{list(contents)[-1]}: cannot be written: {error.strerror}") from None
    finally:
        for temporary in staged:
            Path(temporary).unlink(missing_ok=True)

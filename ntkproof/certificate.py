"""Certificates as files, for those who make them: writing them, and arrays of numbers as they are stored.

Untrusted: what is written is read and checked by `ntkproof.checker`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.format import FORMAT, MAX_TEXT, SUFFIX, Certificate
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.logic.reading import strict_json
from ntkproof.checker.logic.sidecars import FILE_NAME
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.sphere import Sphere

INLINE = 256 * 2**10


def float_array(values: NDArray[np.float64]) -> Array:
    """Store a float64 array exactly."""
    return Array("float64", tuple(int(k) for k in values.shape), values.astype("<f8").tobytes())


def weight_array(values: NDArray[np.float64]) -> Array:
    """Store a float64 array exactly, in the shortest of the three formats that holds its numbers."""
    for dtype, stored in (("float16", "<f2"), ("float32", "<f4")):
        with np.errstate(over="ignore", under="ignore"):
            short = values.astype(stored)
        if (short.astype(np.float64) == values).all():
            return Array(dtype, tuple(int(k) for k in values.shape), short.tobytes())
    return float_array(values)


def integer_array(values: list[int]) -> Array:
    """Store a list of integers of any size with the least width that holds them all."""
    width = max(1, max((v if v >= 0 else ~v).bit_length() // 8 + 1 for v in values))
    return Array(
        f"int{8 * width}",
        (len(values),),
        b"".join(v.to_bytes(width, "little", signed=True) for v in values),
    )


def int64_array(values: NDArray[np.int64]) -> Array:
    """Store a one-dimensional int64 array, as `integer_array` does."""
    largest = max(int(values.max()), ~int(values.min()), 0)
    width = largest.bit_length() // 8 + 1
    octets = values.astype("<i8").view(np.uint8).reshape(-1, 8)
    return Array(f"int{8 * width}", (len(values),), octets[:, :width].tobytes())


class TooLong(InputError):
    """A certificate is longer than the format allows."""


def write(certificate: Certificate, path: Path | str, *, one_file: bool = False) -> list[Path]:
    """Write a certificate, its larger arrays as sidecar files beside it; return the files written.

    Arrays go inline while they fit in 256 KiB together.  Every file is written under a temporary name and renamed,
    the certificate last, so an interruption leaves the certificate that was there whole.  A sidecar is named after the
    certificate and its content, so no other certificate has it; those of the certificate that was there are removed.

    Args:
        certificate: what to write.
        path: where.
        one_file: write all arrays inline.

    Raises:
        InputError: the folder does not exist or cannot be written; `TooLong` if one file would be longer than the
            format allows.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the directory {path.parent} does not exist")
    arrays = dict(_arrays(certificate))
    inline = one_file or sum(len(array.data) for array in arrays.values()) <= INLINE
    names = {} if inline else {where: _file_name(path, where, array) for where, array in arrays.items()}
    text = to_json(certificate, names).encode()
    if len(text) > MAX_TEXT:
        raise TooLong(f"{path}: one file has at most {MAX_TEXT} bytes, not {len(text)}; arrays go beside it")
    contents = {path.parent / name: arrays[where].data for where, name in names.items()}
    before: dict[str, str] = {}
    with suppress(OSError):
        before = _sidecars(path)
    write_files({**contents, path: text})
    with suppress(OSError):  # what cannot be looked at is left alone
        _remove(path, before, names.values())
    return [*contents, path]


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
        yield "inputs", float_array(domain.inputs)
        if domain.targets is not None:
            yield "targets", float_array(domain.targets)
    weights = certificate.problem.weights
    if weights is not None:
        for name, arrays in (("layers", weights.layers), ("biases", weights.biases)):
            for k, values in enumerate(arrays):
                yield f"{name}:{k}", weight_array(values)
    for step in certificate.steps:
        for name, value in step.witness.items():
            yield f"{step.id}:{name}", value


# Files ----------------------------------------------------------------------------------------------------------


def _file_name(path: Path, where: str, array: Array) -> str:
    """Return the name of a sidecar: the certificate's (or its hash), where the array is, 64 bits of the array's hash.

    Another certificate has a sidecar of this name only if that has the same content.
    """
    rest = f".{where.replace(':', '.')}.{hashlib.sha256(array.data).hexdigest()[:16]}.bin"
    name = path.name + rest
    return name if FILE_NAME.fullmatch(name) else hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16] + rest


def _sidecars(path: Path) -> dict[str, str]:
    """Return the files that a certificate names, with their hashes; none if it is not a certificate."""
    found: dict[str, str] = {}
    if not path.is_file() or path.stat().st_size > MAX_TEXT:
        return found
    with path.open("rb") as stream:
        if stream.read(1000).lstrip()[:1] not in (b"", b"{"):
            return found
    try:
        document = strict_json(path.read_text("utf-8"))
    except ValueError:
        return found
    waiting = [document] if isinstance(document, dict) and document.get("format") == FORMAT else []
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and isinstance(part.get("file"), str) and isinstance(part.get("sha256"), str):
            found[part["file"]] = part["sha256"]
        elif isinstance(part, dict | list):
            waiting += part.values() if isinstance(part, dict) else part
    return found


def _remove(path: Path, sidecars: Mapping[str, str], kept: Iterable[str]) -> None:
    """Remove the sidecars of the certificate that was at a path, but for those that are kept.

    Removed is only a file in its folder that has a name that this program gives and the content that the certificate
    said, and that no certificate in the folder names; a letter's case makes no other name.
    """
    named = {name.casefold() for name in kept}
    orphans = [name for name in sidecars if name.casefold() not in named and FILE_NAME.fullmatch(name)]
    orphans = [name for name in orphans if _is_sidecar(path.parent / name, sidecars[name], path)]
    if orphans:
        for other in path.parent.iterdir():
            named |= {name.casefold() for name in _sidecars(other)}
    for name in orphans:
        if name.casefold() not in named:
            (path.parent / name).unlink(missing_ok=True)


def _is_sidecar(file: Path, sha256: str, path: Path) -> bool:
    """Return whether a file has a name that this program gives, or gave in version 0.1.0, and this content."""
    stem = re.escape(path.name.removesuffix(SUFFIX).removesuffix(".json"))
    ours = file.name.endswith(f".{sha256[:16]}.bin") or re.fullmatch(rf"{stem}\.[0-9]+-.*\.bin", file.name)
    if not ours or file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files so that an interruption leaves none of them half-written: stage all, then rename in order.

    Raises:
        InputError: a file cannot be written; nothing is left behind.
    """
    staged: dict[str, Path] = {}
    fresh = [path for path in contents if not path.exists()]
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
        waiting = [temporary for temporary in staged if os.path.exists(temporary)]
        for temporary, path in staged.items():
            if temporary in waiting:
                Path(temporary).unlink(missing_ok=True)
            elif waiting and path in fresh:
                path.unlink(missing_ok=True)

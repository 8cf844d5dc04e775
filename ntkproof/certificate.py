"""Certificates as files, for those who make them: writing them, and arrays of numbers as they are stored.

Untrusted: what is written is read and checked by `ntkproof.checker`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.format import FORMAT, SUFFIX, Certificate
from ntkproof.checker.logic.numbers import InputError, decimal, exact
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
    if not all(FILE_NAME.fullmatch(name) for name in names.values()):
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

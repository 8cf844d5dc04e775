"""The forgeries that must be rejected: what the lists in ``rejected/`` say, and the files that they stand for.

A forgery is a shipped certificate with one lie in it, told as an adversary would: hashes are recomputed unless the
hash is the lie.  ``rejected/README.md`` describes the lists.  ``python certificates/forgeries.py FOLDER`` writes the
forgeries as files, to be looked at.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import jsonpatch
import jsonpointer
import numpy as np

from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.logic.numbers import decimal

FOLDER = Path(__file__).parent
FLOATS = {"float16": "e", "float32": "f", "float64": "d"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Forgery:
    """A lie: the certificate it is told in, how, what it would assert, and the verdict it must get.

    Args:
        name: short, unique.
        base: name of the shipped certificate.
        falsehood: what accepting the forgery would assert.
        code: the error expected; ``malformed`` for files that are no certificates.
        step: where the proof must fail; empty for the conclusion and for malformed files.
        patch: changes of the document, see `patched`.
        text: replacements in its text, one after the other: the first ``old`` (all of it, if there is none) becomes
            ``new``, ``times`` times; ``{old}`` in it is what it replaces.
        encoding: of the text.
        sidecars: files beside it, path to base64; a path that ends with ``/`` is an empty folder.
    """

    name: str
    base: str
    falsehood: str
    code: str = "malformed"
    step: str = ""
    patch: tuple[Json, ...] = ()
    text: tuple[Json, ...] = ()
    encoding: str = "utf-8"
    sidecars: dict[str, str] = field(default_factory=dict)

    def build(self) -> bytes:
        """Return the bytes of the forged certificate."""
        document = shipped(self.base)
        for operation in self.patch:
            document = patched(document, operation)
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        for edit in self.text:
            old = edit.get("old", text)
            if old not in text:
                raise ValueError(f"{self.name}: {old!r} does not occur")
            text = text.replace(old, edit["new"].replace("{old}", old) * edit.get("times", 1), 1)
        return text.encode(self.encoding)

    def write(self, folder: Path) -> Path:
        """Write the certificate and its sidecars; return the path of the certificate."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.sidecars.items():
            (folder / name.rpartition("/")[0]).mkdir(exist_ok=True)
            if not name.endswith("/"):
                (folder / name).write_bytes(base64.b64decode(data))
        path = folder / (self.name + SUFFIX)
        path.write_bytes(self.build())
        return path


def forgeries() -> list[Forgery]:
    """Return all forgeries, list by list; a field of a group holds for each of its forgeries that says no other."""
    groups = [group for path in sorted((FOLDER / "rejected").glob("*.json")) for group in json.loads(path.read_text())]
    return [Forgery(**{**group, **lie}) for group in groups for lie in group.pop("forgeries")]


@cache
def places() -> dict[str, Path]:
    """Return where the shipped certificates are, by name."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(FOLDER.glob(f"*/*{SUFFIX}"))}


def shipped(name: str) -> Json:
    """Return the document of a shipped certificate."""
    return json.loads(places()[name].read_text())


def patched(document: Json, operation: Json) -> Json:
    """Return a document, changed by one operation of JSON Patch (RFC 6902) with a few more words.

    In a pointer ``@name`` is the step of that name, ``/claim`` is the claim of the last step and that of the
    conclusion, both, and ``/values`` below an array are its numbers, as nested lists.  In ``from``, ``name#`` before a
    pointer is another shipped certificate.  In a value, an array may be given by its ``dtype`` and ``values`` (or
    ``zeros``, its shape).  Two operations more: ``scale`` multiplies decimals or numbers by ``factor``, and ``nudge``
    adds ``units`` of the last digit.
    """
    for path in _paths(document, operation["path"]):
        head, below, tail = path.partition("/values")
        if below:
            array = jsonpointer.resolve_pointer(document, head)
            array.update(_packed(_changed(_opened(array), operation, below + tail, head)))
        else:
            document = _changed(document, operation, path)
    return document


def _changed(document: Json, operation: Json, path: str, head: str = "") -> Json:
    operation = {**operation, "path": path}
    if operation["op"] in ("scale", "nudge"):
        value = jsonpointer.resolve_pointer(document, path)
        value = _scaled(value, operation["factor"]) if "factor" in operation else _nudged(value, operation["units"])
        operation = {"op": "replace", "path": path, "value": value}
    if "value" in operation:
        operation["value"] = _filled(operation["value"])
    if "from" in operation:
        name, other, pointer = operation["from"].rpartition("#")
        source = shipped(name) if other else document
        (operation["from"],) = _paths(source, pointer.removeprefix(head))
        if other:
            operation = {"op": "add", "path": path, "value": jsonpointer.resolve_pointer(source, operation["from"])}
    return jsonpatch.apply_patch(document, [operation], in_place=True)


def _paths(document: Json, pointer: str) -> Iterator[str]:
    if pointer.startswith("/claim"):
        yield from (f"/steps/{len(document['steps']) - 1}{pointer}", f"/conclusion{pointer}")
        return
    parts = pointer.split("/")
    if len(parts) > 2 and parts[2].startswith("@"):
        parts[2] = str([step["id"] for step in document["steps"]].index(parts[2][1:]))
    yield "/".join(parts)


def _scaled(value: Any, factor: str | float) -> Any:
    if isinstance(value, list):
        return [_scaled(each, factor) for each in value]
    return decimal(Fraction(value) * Fraction(factor)) if isinstance(value, str) else value * factor


def _nudged(value: int | str, units: int) -> int | str:
    if isinstance(value, int):
        return value + units
    return decimal(Fraction(value) + Fraction(units, 10 ** len(value.partition(".")[2])))


def _filled(value: Any) -> Any:
    """Return a value with its arrays packed."""
    if isinstance(value, list):
        return [_filled(each) for each in value]
    if isinstance(value, dict):
        return _packed(value) if {"values", "zeros"} & set(value) else {k: _filled(v) for k, v in value.items()}
    return value


def _packed(array: Json) -> Json:
    """Return an inline array with its true hash."""
    dtype = array["dtype"]
    numbers = np.array(array["values"], dtype=object) if "values" in array else np.zeros(array["zeros"], dtype=object)
    if dtype in FLOATS:
        data = struct.pack(f"<{numbers.size}{FLOATS[dtype]}", *map(float, numbers.flat))
    else:
        data = b"".join(x.to_bytes(int(dtype[3:]) // 8, "little", signed=True) for x in numbers.flat)
    text = base64.b64encode(data).decode()
    return {"dtype": dtype, "shape": list(numbers.shape), "sha256": hashlib.sha256(data).hexdigest(), "base64": text}


def _opened(array: Json) -> Json:
    """Return an inline array by its numbers."""
    dtype, data = array["dtype"], base64.b64decode(array["base64"])
    if dtype in FLOATS:
        numbers = [x for (x,) in struct.iter_unpack(f"<{FLOATS[dtype]}", data)]
    else:
        width = int(dtype[3:]) // 8
        numbers = [int.from_bytes(data[k : k + width], "little", signed=True) for k in range(0, len(data), width)]
    return {"dtype": dtype, "values": np.array(numbers, dtype=object).reshape(array["shape"]).tolist()}


def main() -> None:
    """Write every forgery into a folder of its name in the folder named."""
    for forgery in forgeries():
        forgery.write(Path(sys.argv[1]) / forgery.name)


if __name__ == "__main__":
    main()

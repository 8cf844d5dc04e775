"""Fuzzing of what comes in: grammars of hostile files and command lines, each input under limits of time and memory.

The suite runs some hundred inputs per entry point (`test_fuzz.py`); the long mode is, in the folder ``tests``,

    python -m data.fuzz --inputs 100000 [ENTRY …]

Each entry point runs in a process of its own with bounded memory; an input that takes too long, raises anything but
`InputError` in one line, or leaves through another exit code ends it, and is shown.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SECONDS = 30  # of the clock, for one input: other processes may be busy
BYTES = 2**30  # of address space above what the process has when it starts
LARGE = 3 * 10**6  # characters of a table
LONGEST_LINE = 2000  # characters of a message
ROUND = 500  # inputs that Hypothesis draws at a time

# Numbers as text ------------------------------------------------------------------------------------------------

SMALL = ["0", "1", "2", "3", "4", "-1"]
ABSURD = [
    *("-0", "+1", "1.5", "1e3", "1e400", "-1e400", "1e-400", "1e999", "1e-999", "1e99999999999", "nan", "-inf", "1_0"),
    *("", " ", "0x10", "٣", "²", "1,5", "None", "True", "1L", "(", "[]", "\\d", "9" * 20, "9" * 400, "-" + "9" * 400),
    *(str(2**31), str(2**32 - 1), str(2**63), str(2**64), "9" * 639, "9" * 641, "9" * 4301, "9" * 10**5),
    *("1/3", "1/0", "0." + "3" * 900),
]  # fmt: skip
numbers = st.sampled_from(SMALL) | st.sampled_from(ABSURD)

# NPY ------------------------------------------------------------------------------------------------------------

DESCRIPTIONS = [
    *("'<f8'", "'<f4'", "'<f2'", "'>f8'", "'<i8'", "'<u8'", "'|b1'", "'|O'", "'<U3'", "'|V0'", "'|S0'", "'<c16'"),
    *("'<f16'", "'<M8[ns]'", "[('a', '<f8')]", "[('a', '|O')]", "'|V999999999999'", "'<U9999999999'", "'f8,f8'", "''"),
    *("('<f8', (1000000, 1000000))", "[('a', '<f8')] * 3", "'\\d'", "b'<f8'", "None", "'é'"),
]
lengths = st.sampled_from(["0", "1", "2", "3"]) | numbers


@st.composite
def npy_files(draw: st.DrawFn) -> bytes:
    """NPY files: mostly sound, or with an absurd type, shape, order, header, version or length."""
    dtype = draw(st.sampled_from(["<f8", "<f4", "<f2", "<i8", "|u1", "|b1"]))
    shape = draw(st.sampled_from([[2, 2], [3, 1], [2, 3], [1, 2], [2], [3], [0, 2], [], [2, 2, 2]]))
    count, size = int(np.prod(shape)), np.dtype(dtype).itemsize
    descr, order, dims = f"'{dtype}'", "False", "(" + "".join(f"{n}, " for n in shape) + ")"
    if draw(st.booleans()):
        stream = io.BytesIO()
        np.save(stream, draw(st.sampled_from([np.ones, np.zeros]))(shape, dtype))
        return stream.getvalue()
    fault = draw(st.sampled_from(["", "descr", "shape", "order", "keys", "text", "many", "deep"]))
    if fault == "descr":
        descr = draw(st.sampled_from(DESCRIPTIONS))
    elif fault == "shape":
        dims = "(" + ", ".join(draw(st.lists(lengths, max_size=3))) + ",)"
    elif fault == "many":
        dims = "(" + draw(st.sampled_from(["1,", "0,", "2,"])) * draw(st.sampled_from([31, 33, 64, 65, 3000])) + ")"
    elif fault == "deep":
        dims = "(" * draw(st.sampled_from([50, 99, 101, 4000])) + "1"
    elif fault == "order":
        order = draw(st.sampled_from(["True", "1", "None", "'C'"]))
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {dims}, }}"
    if fault == "keys":
        header = draw(
            st.sampled_from([header[:-1] + "'x': 1}", header[:-1] + "'shape': (1,)}", "{}", "[1]", "1" * 9000])
        )
    elif fault == "text":
        header = draw(st.text(max_size=40))
    raw = header.encode("utf-8", "surrogatepass") + b"\n"
    version = draw(st.sampled_from([(1, 0), (1, 0), (2, 0), (3, 0), (0, 0), (255, 255)]))
    length = len(raw) + draw(st.sampled_from([0, 0, 0, 0, 1, -1, 2**16]))
    field = (
        struct.pack("<H", min(max(length, 0), 2**16 - 1)) if version == (1, 0) else struct.pack("<I", max(length, 0))
    )
    body = draw(st.binary(min_size=count * size, max_size=count * size)) + draw(
        st.sampled_from([b"", b"", b"\0", b"PK"])
    )
    return b"\x93NUMPY" + bytes(version) + field + raw + body[: len(body) - draw(st.sampled_from([0, 0, 0, 0, 1, 8]))]


# ZIP ------------------------------------------------------------------------------------------------------------

BOMB = zlib.compress(bytes(2**28), 9)[2:-4]  # 256 MiB of zeros in 255 KiB
NAMES = ["X", "y", "inputs", "targets", "W1", "W2", "b1", "b2", "mirrored", "W", "a", "b", "x.weight", "x.bias", ""]
FIELDS = {"flags": "<H", "method": "<H", "crc": "<I", "packed": "<I", "size": "<I", "offset": "<I", "extra": "<H"}


@st.composite
def npz_files(draw: st.DrawFn) -> bytes:
    """ZIP archives of NPY files: mostly sound, or with lies in the headers, bombs, odd names and damage."""
    if draw(st.integers(0, 3)) == 0:
        stream, width = io.BytesIO(), draw(st.integers(1, 3))
        arrays = draw(st.sampled_from([{"X": (width, 2), "y": (width,)}, {"W1": (width, 2), "W2": (1, width)}]))
        draw(st.sampled_from([np.savez, np.savez_compressed]))(stream, **{k: np.ones(v) for k, v in arrays.items()})
        return damaged(draw, stream.getvalue())
    content, directory, count = b"", b"", draw(st.integers(0, 3))
    for _ in range(count):
        name = draw(st.sampled_from(NAMES)) + draw(st.sampled_from([".npy", ".npy", ".npy", "", "\0.npy", "/"]))
        name = draw(st.sampled_from([name, name, name, "../" + name, "n" * 60_000 + name, "é" + name, "\n" + name]))
        data = draw(npy_files())
        packed, method = (data, 0) if draw(st.booleans()) else (zlib.compress(data)[2:-4], 8)
        said = {"flags": 0, "method": method, "crc": zlib.crc32(data), "packed": len(packed), "size": len(data)}
        fault = draw(st.sampled_from(["", "", "", "lie", "bomb", "garbage"]))
        if fault == "bomb":
            packed = BOMB[: draw(st.sampled_from([len(BOMB), 1000]))]
            said |= {"method": 8, "packed": len(packed), "size": draw(st.sampled_from([2**28, 128, 2**32 - 2, 10**6]))}
        elif fault == "garbage":
            packed = draw(st.binary(max_size=40))
        said |= {"offset": len(content), "extra": 0}
        if fault == "lie":
            values = st.sampled_from([0, 1, 2, 8, 12, 14, 93, 99, 2**15, 2**16 - 1, 2**31, 2**32 - 1])
            said[draw(st.sampled_from([*FIELDS]))] = draw(values)
        head = {name: struct.pack(kind, said[name] % 256 ** struct.calcsize(kind)) for name, kind in FIELDS.items()}
        raw = name.encode()
        common = head["flags"] + head["method"] + bytes(4) + head["crc"] + head["packed"] + head["size"]
        local = common + struct.pack("<H", len(raw)) + head["extra"] + raw
        directory += b"PK\x01\x02" + b"\x14\0\x14\0" + common + struct.pack("<H", len(raw)) + head["extra"]
        directory += bytes(10) + head["offset"] + raw
        content += b"PK\x03\x04\x14\0" + local + packed
    entries = draw(st.sampled_from([count, count, count, 0, 2**16 - 1]))
    begin = len(content) + draw(st.sampled_from([0, 0, 0, 1, 2**31]))
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, entries, entries, len(directory), begin, 0)
    content += directory * draw(st.sampled_from([1, 1, 1, 1, 2000 if len(directory) < 1000 else 1])) + end
    return damaged(draw, content)


def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes as they are, mostly; or cut, or with some of them altered."""
    altered = bytearray(content)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 3])) if content else 0):
        altered[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(altered[: len(altered) - draw(st.sampled_from([0, 0, 0, 0, 1, 22, 100]))])


# safetensors ----------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.sampled_from(["null", "true", "NaN", "Infinity", "1e400", '""', '"x"', '"\\ud800"', "{}"]) | numbers,
    lambda inner: (
        st.builds("[{}]".format, st.lists(inner, max_size=3).map(", ".join))
        | st.builds('{{"{}": {}}}'.format, st.sampled_from(["a", "dtype", "shape"]), inner)
    ),
    max_leaves=4,
)


@st.composite
def safetensors_files(draw: st.DrawFn) -> bytes:
    """safetensors files: mostly sound, or with absurd headers, offsets, shapes, types and lengths."""
    parts, data, sound = [], b"", draw(st.booleans())
    for name, shape in [("W1", [2, 3]), ("W2", [1, 2])] if sound else [("", [])] * draw(st.integers(0, 3)):
        if not sound:
            name = draw(st.sampled_from([*NAMES, "__metadata__", "\\n", "\\ud800", "n" * 10**5]))
            shape = draw(st.lists(st.integers(0, 4), max_size=2))
        dtype, size = draw(st.sampled_from([("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8)]))
        length = int(np.prod(shape)) * size
        entry = {"dtype": f'"{dtype}"', "shape": str(shape), "data_offsets": f"[{len(data)}, {len(data) + length}]"}
        data += bytes(length) if sound else draw(st.binary(min_size=length, max_size=length))
        if draw(st.integers(0, 3)) == 3:
            entry[draw(st.sampled_from([*entry, "x"]))] = draw(
                json_values | st.lists(lengths, max_size=3).map(lambda each: f"[{', '.join(each)}]")
            )
        fields = [f'"{key}": {value}' for key, value in entry.items()]
        parts.append(f'"{name}": {{{", ".join(fields * draw(st.sampled_from([1, 1, 1, 2])))}}}')
    header = "{" + ", ".join(parts) + "}"
    if draw(st.integers(0, 7)) == 7:
        odd = [header[:-1], " " + header, header + "\n", header + " " * 2**20, "[" * 10**5, '{"a":' * 10**5, header * 2]
        header = draw(st.sampled_from(odd) | json_values)
    raw = header.encode("utf-8", "surrogatepass")
    length = draw(st.sampled_from([len(raw)] * 6 + [0, 1, len(raw) + 1, 2**20 + 1, 2**63, 2**64 - 1]))
    return damaged(draw, struct.pack("<Q", length) + raw + data)


# Tables ---------------------------------------------------------------------------------------------------------

ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "cp037"]
cells = (
    st.sampled_from(["1", "2.5", "-3e2", ".5", "0", "7", "1e-3"])
    | numbers
    | st.sampled_from(['"1"', '"a,b"', '"a\nb"', '"', "a", "é", "ÿ", "\0", "NA", "?", "\ufeff", "x" * 131_073, " 1 "])
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, str, str | None, dict[str, Any]]:
    """Texts of tables with the suffix of their file, the target, and what is done to them."""
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", " ", "|", ", ", ";,"]))
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    sound = st.sampled_from(["1", "2.5", "-3e2", ".5", "7"])
    rows = [[draw(sound) for _ in range(width)] for _ in range(height)]
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        rows[draw(st.integers(0, height - 1))][draw(st.integers(0, width - 1))] = draw(cells)
    if draw(st.booleans()):
        rows.insert(0, [draw(st.sampled_from(["a", "b", "y", "", '"q"', "1st"])) for _ in range(width)])
    if draw(st.integers(0, 9)) == 9:
        k = draw(st.integers(0, len(rows) - 1))
        rows[k] = rows[k] * min(draw(st.sampled_from([2, 30_000, 300_000])), LARGE // (1 + len("".join(rows[k]))) + 2)
    if draw(st.integers(0, 9)) == 9:
        rows += rows[-1:] * min(draw(st.sampled_from([100, 21_000])), LARGE // (1 + len("".join(rows[-1]))) + 2)
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", "\u2028", ""]))
    text = end.join(delimiter.join(row) for row in rows) + draw(st.sampled_from(["", end, end * 3, " ", "\0"]))
    content = damaged(draw, text.encode(draw(st.sampled_from(ENCODINGS)), "replace"))
    suffix = draw(st.sampled_from([".csv", ".csv", ".tsv", "", ".dat", ".npy", ".npz"]))
    target = draw(st.none() | st.sampled_from(["y", "0", "-1", "a", "\n"]) | numbers)
    recipe = {name: draw(st.booleans()) for name in ("drop_duplicates", "standardize", "normalize")}
    recipe["rows"] = draw(st.sampled_from([None, None, 2, -1, 10**400]))
    return content, suffix, target, recipe


# Folders --------------------------------------------------------------------------------------------------------

RECORD = {
    "format": '"ntkproof-run-1"',
    "network": '{"activation": "tanh", "depth": 1, "train": "all", "bias": "0", "weight_std": "1", "input_scale": "1"}',
    "step_size": '"0.1"',
    "data": '{"sha256": "HASH", "label": ""}',
    "notes": '{"width": 2, "init": "antisymmetric", "seed": 0}',
}
STEPS = (
    ["step-00000000.npz"] * 3
    + ["step-00000001.npz"] * 3
    + ["step-1.npz", "Step-00000002.npz", "step-999999999999999.npz"]
)
KINDS = ["file"] * 6 + ["zeros", "pipe", "folder", "self", "device", "nothing"]


@st.composite
def folders(draw: st.DrawFn) -> tuple[bytes, dict[str, tuple[str, bytes]], bytes, bytes]:
    """A record, steps by name, each of some kind and with some content; an ``experiment.json`` and a cell."""
    record = dict(RECORD)
    if draw(st.integers(0, 2)) == 2:
        record[draw(st.sampled_from([*RECORD, "x"]))] = draw(json_values)
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in record.items()) + "}"
    if draw(st.integers(0, 4)) == 4:
        place = draw(st.sampled_from(["tanh", '1, "train', '"0"', '"1"', '"all"', "HASH", "0}"]))
        text = text.replace(place, draw(numbers), 1)
    width, d = draw(st.sampled_from([(1, 2), (1, 2), (2, 2), (1, 3)]))
    mirrored = {"mirrored": np.array(True)} if draw(st.booleans()) else {}
    stream = io.BytesIO()
    np.savez(stream, W1=np.ones((width, d)), W2=np.ones((1, width)), **mirrored)
    sound = stream.getvalue()
    contents = st.just(sound) | st.just(sound) | st.just(sound).map(lambda each: each[:-30]) | npz_files()
    steps = draw(st.dictionaries(st.sampled_from(STEPS), st.tuples(st.sampled_from(KINDS), contents), max_size=3))
    experiment = draw(
        st.sampled_from([b"{}", b"[1]", b"[" * 10**5, b'{"a": ' + b"9" * 5000 + b"}"]) | st.binary(max_size=9)
    )
    return text.encode("utf-8", "surrogatepass"), steps, experiment, draw(npz_files())


# Command lines --------------------------------------------------------------------------------------------------

DECIMALS = ("--bias", "--weight-std", "--input-scale", "--failure-probability", "--radius", "--gap")
INTEGERS = ("--rows", "--shuffle-seed", "--depth", "--target", "--width", "--max-frequency", "--dimension")
constants = (
    st.builds("{}={}".format, st.sampled_from(["initial_deviation", "alpha", "gap", "exponent"]), numbers) | cells
)
ACTIVATIONS = ["relu", "leaky_relu(0.1)", "leaky_relu({})", "{}", "expr({})"]


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Commands on a small table, with options whose values are mostly absurd."""
    command = draw(
        st.sampled_from(
            ["certify", "certify", "certify", "sphere", "conditions", "predict", "weights", "train", "simulate"]
        )
    )
    options: dict[str, str] = {}
    own = {
        "certify": [*DECIMALS, *INTEGERS, "--step-size", "--constant", "--form", "--theorem"],
        "sphere": ["--dimension", "--max-frequency", "--bias", "--depth", "--weight-std"],
        "conditions": ["--rows", "--width", "--failure-probability", "--step-size", "--constant", "--target"],
        "predict": ["--time", "--test-rows", "--noise", "--depth", "--bias", "--rows", "--test"],
        "weights": ["--bias", "--weight-std", "--input-scale", "--parametrisation"],
        "train": ["--width", "--seed", "--step-size", "--steps", "--batch", "--save-every", "--rows", "--depth"],
        "simulate": ["--seeds", "--first-seed", "--batch", "--tolerance", "--records", "--step-size", "--time"],
    }[command]  # fmt: skip
    if command == "sphere":
        options |= {"--dimension": "2", "--max-frequency": "2"}
    if command in ("train", "simulate"):
        options |= {"--width": "2", "--steps": "2"}
    if command == "simulate":
        options |= {"--step-size": "0.1", "--seeds": "1", "--jobs": "1"}
    if command in ("conditions", "predict", "train", "simulate"):
        options["--target"] = "y"
    if command == "certify":
        statement = st.sampled_from(
            ["lambda-min", "spectrum", "condition-number", "convergence", "a-priori", "nothing"]
        )
        options["--statement"] = draw(statement)
        if options["--statement"] == "convergence":
            options["--target"] = "y"
    for name in draw(st.lists(st.sampled_from(own), min_size=1, max_size=2, unique=True)):
        options[name] = draw(
            constants
            if name == "--constant"
            else numbers
            if name in (*INTEGERS, "--steps", "--seeds", "--records")
            else numbers | cells
        )
    if command not in ("weights", "sphere") and draw(st.integers(0, 3)) == 3:
        options["--activation"] = draw(st.sampled_from(ACTIVATIONS)).format(draw(numbers))
    words = [f"{name}={value}" for name, value in options.items()]
    data = {"sphere": [], "weights": ["w.npz"]}.get(command, ["d.csv"])
    output = {"weights": [], "conditions": [], "predict": []}.get(command, ["-o", "out"])
    return [command, *data, *words, *output]


# Entry points ---------------------------------------------------------------------------------------------------


class Fault(BaseException):
    """What no input may do; not an `Exception`, so that nothing on the way takes it for damage."""


def _refused(call: Callable[[], Any], *names: str) -> bool:
    """Whether a call refuses its input in one line that begins with a file's name; anything else raises."""
    from ntkproof.checker.logic.numbers import InputError

    try:
        call()
    except InputError as error:
        text = str(error)
        if not text.isprintable() or len(text) > LONGEST_LINE or not text.startswith(names or ""):
            raise Fault(f"not one line about {names}: {text[:500]!r}") from None
        return True
    return False


def _file(readers: list[str]) -> Callable[[Path, bytes], bool]:
    def enter(folder: Path, content: bytes) -> bool:
        from ntkproof.data.datasets import load
        from ntkproof.data.weights import open_weights

        outcomes = []
        for name in readers:
            path = folder / name
            path.write_bytes(content)
            calls = [lambda: load(path)] if name == "d.npz" or name.endswith(".npy") else []  # noqa: B023
            calls += [] if name.endswith(".npy") else [lambda: open_weights(path)]  # noqa: B023
            outcomes += [_refused(call, f"{path}: ") for call in calls]
        return all(outcomes)

    return enter


def _table(folder: Path, drawn: tuple[bytes, str, str | None, dict[str, Any]]) -> bool:
    from ntkproof.data.datasets import load, prepare

    content, suffix, target, recipe = drawn
    path = folder / f"table{suffix}"
    path.write_bytes(content)
    if _refused(lambda: load(path, target=target), f"{path}: "):
        return True
    return _refused(lambda: prepare(load(path, target=target), **recipe))


def _folder(folder: Path, drawn: tuple[bytes, dict[str, tuple[str, bytes]], bytes, bytes]) -> bool:
    from ntkproof.checker.problem.dataset import Dataset
    from ntkproof.checker.problem.network import Network
    from ntkproof.data.runs import read_run, saved_steps
    from ntkproof.data.weights import load_weights
    from ntkproof.simulation.cells import load_cell
    from ntkproof.simulation.experiment import Experiment
    from ntkproof.simulation.runs import open_folder
    from ntkproof.simulation.saved import train

    record, steps, experiment, cell = drawn
    dataset = Dataset(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 2.0]))
    (folder / "run.json").write_bytes(record.replace(b"HASH", dataset.sha256.encode()))
    for name, (kind, content) in steps.items():
        path = folder / name
        if kind in ("self", "device"):
            path.symlink_to(path if kind == "self" else "/dev/zero")
        elif kind in ("pipe", "folder"):
            (os.mkfifo if kind == "pipe" else os.mkdir)(path)
        elif kind != "nothing":
            path.write_bytes(content if kind == "file" else bytes(1000))
    (folder / "cells").mkdir()
    (folder / "cells" / "width-2-seed-0.npz").write_bytes(cell)
    load_cell(folder, 2, 0, 2)
    (folder / "experiment.json").write_bytes(experiment)
    trained = Experiment(dataset, Network("tanh"), step_size=0.1, steps=2)
    _refused(lambda: open_folder(folder, trained), f"{folder}")
    refused = _refused(lambda: read_run(folder), f"{folder}")
    refused |= _refused(lambda: [load_weights(path) for _, path in saved_steps(folder)], f"{folder}")
    refused |= _refused(lambda: train(trained, 2, 0, folder, 1, "0.1"), f"{folder}")
    return refused


def _command(folder: Path, words: list[str]) -> bool:
    from ntkproof.commands import entry

    (folder / "d.csv").write_text("a,b,y\n1,0,1\n0,1,2\n3,4,0\n5,-12,1\n")
    np.savez(folder / "w.npz", W1=np.ones((2, 2)), W2=np.ones((1, 2)))
    before, arguments = os.getcwd(), sys.argv
    out, err = io.StringIO(), io.StringIO()
    try:
        os.chdir(folder)
        sys.argv = ["ntkproof", *words]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            entry.main()
    except SystemExit as left:
        code = left.code
    finally:
        os.chdir(before)
        sys.argv = arguments
    lines = err.getvalue().splitlines()
    if code == 2 and len(lines) >= 1 and lines[-1].startswith("ntkproof: error: ") and "out of memory" not in lines[-1]:
        return True
    if code != 0 or any("Traceback" in line or "Warning" in line for line in lines):
        raise Fault(f"exit code {code}: {err.getvalue()[-500:]!r}")
    return False


ENTRIES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Path, Any], bool]]] = {
    "npy": (npy_files(), _file(["d.npy"])),
    "npz": (npz_files(), _file(["d.npz"])),
    "safetensors": (safetensors_files(), _file(["w.safetensors"])),
    "tables": (tables(), _table),
    "folders": (folders(), _folder),
    "commands": (command_lines(), _command),
}


# The process ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def too_long(*_: Any) -> None:
        raise Fault(f"more than {SECONDS} seconds")

    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def work(name: str, inputs: int, first_seed: int) -> dict[str, Any]:
    """Feed inputs to an entry point of this process and return what they took; a fault is raised."""
    strategy, enter = ENTRIES[name]
    count = refused = 0
    longest = 0.0
    enter_once = Path(tempfile.mkdtemp())
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES,) * 2)
    warnings.simplefilter("error")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def one(drawn: Any) -> None:
        nonlocal count, refused, longest
        folder = enter_once / "in"
        folder.mkdir()
        started = time.perf_counter()
        try:
            with _limited():
                refused += enter(folder, drawn)
        except BaseException:
            print(f"the input was {repr(drawn)[:2000]}", file=sys.stderr)
            raise
        finally:
            shutil.rmtree(folder)
        count += 1
        longest = max(longest, time.perf_counter() - started)

    while count < inputs:
        chosen = settings(
            max_examples=min(ROUND, inputs - count),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(first_seed + count)(chosen(given(strategy)(one)))()
    shutil.rmtree(enter_once)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) / 1024
    return {"entry": name, "inputs": count, "refused": refused, "longest": round(longest, 2), "megabytes": round(grown)}


def run(name: str, inputs: int, first_seed: int = 0, timeout: float | None = None) -> dict[str, Any]:
    """Run `work` in a process of its own; raises AssertionError with what it said if it fails."""
    command = [sys.executable, "-m", "data.fuzz", "--work", "--inputs", str(inputs), "--seed", str(first_seed), name]
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    if name != "commands":
        environment["PYTHONINTMAXSTRDIGITS"] = "640"
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=timeout)
    if done.returncode:
        raise AssertionError(f"{name}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", action="store_true")
    parser.add_argument("entries", nargs="*", choices=[*ENTRIES], default=[*ENTRIES])
    asked = parser.parse_args()
    for each in asked.entries:
        print(json.dumps((work if asked.work else run)(each, asked.inputs, asked.seed)), flush=True)

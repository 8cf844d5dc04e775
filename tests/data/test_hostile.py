"""What comes in may be anything: pipes, devices, bombs and lies end in one line, at once and in little memory."""

from __future__ import annotations

import io
import os
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from command import runner
from data import fuzz

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.data import files, npz, runs, tables
from ntkproof.data.datasets import load
from ntkproof.data.files import contents, json_in
from ntkproof.data.runs import Run, saved_steps, step_path, write_run
from ntkproof.data.weights import open_weights, save_weights
from ntkproof.simulation.cells import load_cell
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.runs import simulate
from ntkproof.simulation.saved import train

ROOT = Path(__file__).parents[2]
DATA = Dataset(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 2.0]))


def refused(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    return str(caught.value)


# Fuzzing --------------------------------------------------------------------------------------------------------


BUDGET = {"npy": 150, "npz": 150, "safetensors": 150, "tables": 150, "folders": 60, "commands": 60}


@pytest.mark.parametrize("name", BUDGET)
def test_fuzz(name: str) -> None:
    result = fuzz.run(name, BUDGET[name], timeout=120)
    assert result["inputs"] >= BUDGET[name]
    assert result["refused"] > 0
    assert result["refused"] < result["inputs"] or name == "folders"  # few of those are sound
    assert result["longest"] < fuzz.SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", BUDGET)
def test_fuzz_for_longer(name: str) -> None:
    result = fuzz.run(name, 10 * BUDGET[name], first_seed=10**6)
    assert 0 < result["refused"] < result["inputs"]


# Opening --------------------------------------------------------------------------------------------------------


def test_only_regular_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    os.mkfifo("pipe.csv")
    Path("link.csv").symlink_to("pipe.csv")
    Path("zero.npz").symlink_to("/dev/zero")
    Path("loop.csv").symlink_to("loop.csv")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.csv")
        assert refused(load, "socket.csv") == "socket.csv: is a socket, not a file"
    assert refused(load, "pipe.csv") == "pipe.csv: is a named pipe, not a file"
    assert refused(load, "link.csv") == "link.csv: is a named pipe, not a file"
    assert refused(load, "zero.npz") == "zero.npz: is a device, not a file"
    assert refused(open_weights, "zero.npz") == "zero.npz: is a device, not a file"
    assert refused(load, "loop.csv").startswith("loop.csv: cannot be read (")
    Path("table.csv").write_text("1\n2\n")
    Path("sound.csv").symlink_to("table.csv")
    assert load("sound.csv").inputs.tolist() == [[1], [2]]


def test_no_more_is_read_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert contents(path, 5) == b"12345"
    assert refused(contents, path, 4) == "the file has 5 bytes; the limit is 4"
    size = os.stat_result([*os.stat(path)[:6], 3, *os.stat(path)[7:]])  # it grows after it was looked at
    monkeypatch.setattr(os, "fstat", lambda _: size)
    assert refused(contents, path, 5) == "cannot be read (the length is said to be 3 bytes, and is not)"


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, plain = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(pipe)
    plain.write_bytes(b"1")
    status = os.stat(plain)
    monkeypatch.setattr(os, "stat", lambda *_, **__: status)
    assert refused(contents, pipe) == "is a named pipe, not a file"


def test_the_command_line_refuses_a_pipe_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.csv")
    command = [sys.executable, "-m", "ntkproof", "certify", "p.csv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (2, "ntkproof: error: p.csv: is a named pipe, not a file\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "not JSON"),
        ('{"a": ' + "9" * 401 + "}", "the integer 99999999999999999999... has more than 400 digits"),
        ('{"a": 1, "a": 1}', "a field of 'a, a' occurs more than once"),
    ],
)
def test_hostile_json(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert refused(json_in, tmp_path / "a.json", 2**20) == message


# Archives -------------------------------------------------------------------------------------------------------


def bomb(size: int) -> bytes:
    """An archive of ``X``, that many zeros of float64 in two columns."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("X.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (size // 2, 2)})
        for _ in range(size // 2**17):
            member.write(bytes(2**20))
    return stream.getvalue()


def test_data_and_weights_refuse_the_same_bombs(tmp_path: Path) -> None:
    path, content = tmp_path / "a.npz", bomb(2**24)
    path.write_bytes(content)
    message = f"{path}: suspicious compression: the archive unpacks from {len(content)} bytes to {2**27 + 128}"
    assert refused(load, path) == refused(open_weights, path) == message
    end = content.rindex(b"PK\x01\x02")
    huge = content[: end + 24] + struct.pack("<I", 2**32 - 2) + content[end + 28 :]
    path.write_bytes(huge)
    message = f"{path}: the archive unpacks to {2**32 - 2} bytes; the limit is {files.MAX_BYTES}"
    assert refused(load, path) == refused(open_weights, path) == message


def test_an_entry_that_lies_about_its_size_is_unpacked_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bomb(2**24)
    end = content.rindex(b"PK\x01\x02")
    path = tmp_path / "a.npz"
    path.write_bytes(content[: end + 24] + struct.pack("<I", 160) + content[end + 28 :])
    asked: list[int] = []
    decompressor = zlib.decompressobj

    class Counting:
        def __init__(self, *arguments: int) -> None:
            self.inner = decompressor(*arguments)

        def decompress(self, data: bytes, most: int = 0) -> bytes:
            asked.append(len(found := self.inner.decompress(data, most)))
            return found

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    assert refused(load, path) == f"{path}: not a readable NPZ file (Bad CRC-32 for file 'X.npy')"
    assert 0 < sum(asked) <= 2**13  # zipfile's least buffer, not 128 MiB


def test_archives_of_too_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(npz.MAX_ARRAYS + 1):
            archive.writestr(f"{k}.npy", b"")
    assert refused(load, path) == f"{path}: the archive holds more than {npz.MAX_ARRAYS} arrays"


def test_archives_compressed_in_other_ways(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("X.npy", b"")
    assert refused(load, path) == f"{path}: the archive holds 'X.npy', which is compressed, and not by deflate"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(-1, 2)", "the shape is '(-1, 2)'"),
        ("(True, 2)", "the shape is '(True, 2)'"),
        ("(0, 9999999999999999999999)", f"the shape is '(0, 9999999999999999999999)'; the limit is {2**28} numbers"),
        ("(65536, 65536)", f"the shape is '(65536, 65536)'; the limit is {2**28} numbers"),
        ("(2, 2)", "0 bytes of numbers where type and shape say 32"),
    ],
)
def test_absurd_shapes(tmp_path: Path, shape: str, message: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header)
    assert refused(load, path) == f"{path}: not a readable NPY array ({message})"


def test_large_integers_are_compared_at_once(tmp_path: Path) -> None:
    values = np.full((300, 1000), 2**62)
    np.save(tmp_path / "a.npy", values)
    assert load(tmp_path / "a.npy").inputs[299, 999] == 2.0**62
    for dtype, value in (("i8", 2**63 - 1), ("i8", -(2**63) + 1), ("u8", 2**64 - 1)):
        np.save(tmp_path / "b.npy", np.array([[0], [value]], dtype))
        expected = f"entry [1, 0] is {value}, an integer that float64 cannot hold exactly"
        assert refused(load, tmp_path / "b.npy") == f"{tmp_path / 'b.npy'}: {expected}"


# Tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",".join(["1"] * 100_002) + "\n", "line 1: more than 100000 columns, which is the limit"),
        ('"\n",1,' * 100_001, "line 1: more than 100000 columns, which is the limit"),
        ("1\n" * 20_001, "line 20001: there are more than 20000 rows, which is the limit"),
        ("1" * 200_000 + "\n2\n", "line 1: malformed CSV (field larger than field limit (131072))"),
        ("1" * 100_000 + "\n2\n", "line 1, column 1: '" + "1" * 37 + "...' is too large for float64"),
        ("0\n1e99999999999\n", "line 2, column 1: '1e99999999999' is too large for float64"),
    ],
)
def test_absurd_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert refused(load, path) == f"{path}: {message}"


def test_long_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1\n2\n")
    monkeypatch.setattr(tables, "MAX_TEXT", 3)
    assert refused(load, path) == f"{path}: the text has 4 bytes; the limit is 3 (an NPY file may be longer)"


# Folders --------------------------------------------------------------------------------------------------------


def test_folders_of_too_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(4):
        step_path(tmp_path, step).write_bytes(b"")
    assert len(saved_steps(tmp_path)) == 4
    monkeypatch.setattr(runs, "MAX_STEPS", 3)
    assert refused(saved_steps, tmp_path) == f"{tmp_path}: more than 3 saved steps"


def test_steps_that_lead_elsewhere(tmp_path: Path) -> None:
    path = step_path(tmp_path, 1)
    for target in (path, Path("/dev/zero"), tmp_path):
        path.symlink_to(target)
        assert refused(saved_steps, tmp_path) == f"{path}: not a file"
        path.unlink()


def test_a_run_whose_weights_are_another_network(tmp_path: Path) -> None:
    experiment = Experiment(DATA, Network("tanh"), step_size=0.1, steps=2)
    train(experiment, 2, 0, tmp_path, 1, "0.1")
    path = step_path(tmp_path, 2)
    save_weights(Weights((np.ones((2, 3)), np.ones((1, 2)))), path)
    assert refused(train, experiment, 2, 0, tmp_path, 1, "0.1") == f"{path}: W1 takes 3 inputs, the dataset has 2"
    save_weights(Weights((np.ones((4, 2)), np.ones((1, 4)))), path)
    assert refused(train, experiment, 2, 0, tmp_path, 1, "0.1") == f"{path}: 12 trained weights where the run has 6"
    write_run(tmp_path, Run(Network("tanh"), "0" * 64))
    assert "holds another training (other data, " in refused(train, experiment, 2, 0, tmp_path, 1, "0.1")


def test_cells_of_other_shapes_are_trained_again(tmp_path: Path) -> None:
    experiment = Experiment(DATA, Network("tanh"), step_size=0.1, steps=2)
    simulate(experiment, [2], [0], tmp_path, jobs=1)
    assert load_cell(tmp_path, 2, 0, 2) is not None
    assert load_cell(tmp_path, 2, 0, 3) is None  # other data
    path = tmp_path / "cells" / "width-2-seed-0.npz"
    sound = dict(np.load(path))
    for name, value in (("width", 4), ("time", np.zeros((0,))), ("loss", np.zeros((1,))), ("seconds", "long")):
        np.savez(path, **{**sound, name: value})
        assert load_cell(tmp_path, 2, 0, 2) is None
    path.unlink()
    os.mkfifo(path)
    assert load_cell(tmp_path, 2, 0, 2) is None


# Numbers on the command line ------------------------------------------------------------------------------------

CONVERGENCE = ("certify", "d.csv", "--statement=convergence")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*CONVERGENCE, "--bias=1e99999999999"], "is about bias=0 here, not"),
        ([*CONVERGENCE, "--bias=1/0"], "is about bias=0 here, not bias=1/0"),
        (
            ["conditions", "d.csv", "--failure-probability=-1e400"],
            "the failure probability must be between 0 and 1 and at least 10^-100, not -1e400",
        ),
        (
            [*CONVERGENCE, "--failure-probability=1e-400"],
            "the failure probability must be between 0 and 1 and at least 10^-100, not 1e-400",
        ),
        (["conditions", "d.csv", "--width=1" + "0" * 61], "the width must be an integer from 1 to 1e+60"),
        (
            [*CONVERGENCE, "--theorem=huang2020", "--constant=initial_deviation=1e999"],
            "at most 10^100; not initial_deviation=1e999",
        ),
        ([*CONVERGENCE, "--activation=leaky_relu(1)"], "leaky_relu(1) has no kink; call it identity"),
        (
            [*CONVERGENCE, "--activation=leaky_relu(1)", "--step-size=1e-3", "--theorem=relu-descent"],
            "leaky_relu(1) has no kink; call it identity",
        ),
        (["train", "d.csv", "--width=2", "--step-size=1e999", "-o", "o"], "the step size must be from 0 to 10^6"),
        (["simulate", "d.csv", "--seeds=1" + "0" * 30, "-o", "o"], "--seeds must be from 1 to 100000"),
        (["simulate", "d.csv", "--seeds=1", "--first-seed=9" + "0" * 30, "-o", "o"], "seeds must be from 0 to 2^63"),
    ],
)
def test_absurd_numbers(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("a,b,y\n1,0,1\n0,1,2\n")
    code, out, err = runner(capsys, monkeypatch)(*words, "--target=y")
    lines = err.splitlines()
    assert (code, out) == (2, "")
    assert lines[-1].startswith("ntkproof: error: ")
    assert message in lines[-1]
    assert len(lines) == 1

"""The folder of a run: steps in order, a strict record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.runs import Run, read_run, saved_steps, step_path, write_run
from ntkproof.data.weights import load_weights, save_weights

RUN = Run(Network("tanh", 3, bias="0.1"), "0" * 64, "wine rows=50", "0.01", {"seed": 3, "init": "gaussian"})


def refused(call: Any, *args: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*args)
    text = str(caught.value)
    assert text.isprintable()  # one line
    return text


def test_steps_are_sorted_by_number(tmp_path: Path) -> None:
    for step in (160, 0, 99_999_999, 100_000_000, 7, 20):
        save_weights(Weights((np.full((2, 1), float(step)), np.ones((1, 2)))), step_path(tmp_path, step))
    write_run(tmp_path, RUN)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".step-00000160.npz.x1y2").write_text("half written")
    steps = saved_steps(tmp_path)
    assert [step for step, _ in steps] == [0, 7, 20, 160, 99_999_999, 100_000_000]
    assert steps[3][1] == tmp_path / "step-00000160.npz"
    assert all(load_weights(path).layers[0][0, 0] == step for step, path in steps)


@pytest.mark.parametrize(
    "name",
    ["step-160.npz", "step-000000160.npz", "step-00000160.npy", "step-0000016x.npz", "Step-00000160.npz", "steps"],
)
def test_names_that_look_like_steps(tmp_path: Path, name: str) -> None:
    (tmp_path / "step-00000001.npz").write_text("")
    (tmp_path / name).write_text("")
    expected = f"{tmp_path / name}: not the name of a step; they are called step-00000160.npz"
    assert refused(saved_steps, tmp_path) == expected


def test_folders_without_steps(tmp_path: Path) -> None:
    assert refused(saved_steps, tmp_path) == f"{tmp_path}: no saved steps; they are called step-00000160.npz"
    assert refused(saved_steps, tmp_path / "none") == f"{tmp_path / 'none'}: no such folder"
    (tmp_path / "file").write_text("")
    assert refused(saved_steps, tmp_path / "file") == f"{tmp_path / 'file'}: not a folder"
    (tmp_path / "step-00000160.npz").mkdir()
    assert refused(saved_steps, tmp_path) == f"{tmp_path / 'step-00000160.npz'}: not a file"


@pytest.mark.parametrize("step", [-1, 10**15])
def test_numbers_that_are_no_steps(step: int) -> None:
    assert refused(step_path, "run", step) == f"{step} is not a number of steps"


@pytest.mark.parametrize("run", [RUN, Run(Network(), "a1" * 32)])
def test_the_record_comes_back(tmp_path: Path, run: Run) -> None:
    assert write_run(tmp_path, run) == tmp_path / "run.json"
    assert read_run(tmp_path) == run


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name not in names}


GOOD: dict[str, Any] = {
    "format": "ntkproof-run-1",
    "network": {
        "activation": "tanh",
        "depth": 1,
        "train": "all",
        "bias": "0",
        "weight_std": "1",
        "input_scale": "1",
    },
    "step_size": "0.1",
    "data": {"sha256": "0" * 64, "label": ""},
    "notes": {},
}
NETWORK, DATA = GOOD["network"], GOOD["data"]
BAD: dict[str, tuple[Any, str]] = {
    "list": ([], "the record: expected an object with the fields data, format, network, notes, step_size"),
    "missing": (without("notes"), "the record: expected an object with the fields"),
    "unknown": ({**GOOD, "x": 1}, "the record: expected an object with the fields"),
    "format": ({**GOOD, "format": "ntkproof-run-2"}, "format: expected 'ntkproof-run-1'"),
    "network": ({**GOOD, "network": "tanh"}, "network: expected an object with the fields activation"),
    "activation": ({**GOOD, "network": {**NETWORK, "activation": "tan"}}, "unknown activation 'tan'"),
    "depth": ({**GOOD, "network": {**NETWORK, "depth": True}}, "depth must be an integer from 1 to 10, not True"),
    "bias": ({**GOOD, "network": {**NETWORK, "bias": 0.1}}, "bias: expected a text"),
    "hash": ({**GOOD, "data": {**DATA, "sha256": "0" * 63}}, "sha256: expected 64 lower-case hexadecimal digits"),
    "label": ({**GOOD, "data": {**DATA, "label": None}}, "label: expected a text"),
    "step": ({**GOOD, "step_size": 0.1}, "step_size: expected a decimal as a text, or null"),
    "step nan": ({**GOOD, "step_size": "nan"}, "not a decimal number: 'nan'"),
    "step zero": ({**GOOD, "step_size": "0"}, "step_size: must be positive, not 0"),
    "notes": ({**GOOD, "notes": {"x": [1]}}, "notes: expected integers and texts by name"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_records(tmp_path: Path, case: str) -> None:
    record, expected = BAD[case]
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert refused(read_run, tmp_path).startswith(f"{tmp_path / 'run.json'}: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"notes": ' + b"9" * 401 + b"}", "the integer 99999999999999999999... has more than 400 digits"),
        (b'{"notes": 1, "notes": 2}', "a field of 'notes, notes' occurs more than once"),
        (b" " * (2**20 + 1), "the file has 1048577 bytes; the limit is 1048576"),
    ],
)
def test_records_that_are_not_json(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    assert refused(read_run, tmp_path) == f"{tmp_path / 'run.json'}: {expected}"


def test_a_missing_record(tmp_path: Path) -> None:
    assert refused(read_run, tmp_path) == f"{tmp_path / 'run.json'}: no such file"

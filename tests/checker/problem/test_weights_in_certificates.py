"""Weights in certificates: written as small as is exact, read back exactly, refused in one line."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given import certified, instance

from ntkproof.certificate import to_json, write
from ntkproof.checker import check
from ntkproof.checker.check import parse, read
from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.logic.reading import Malformed
from ntkproof.checker.problem.weights import Weights

Json = dict[str, Any]


def document(**options: Any) -> Json:
    problem = instance(3, **{"noise": 1e-3, "sizes": (2, 12, 1), **options})
    certificate = certified(instance(3, noise=1e-3))
    found: Json = json.loads(to_json(replace(certificate, problem=problem)))
    return found


def array(values: Any, dtype: str = "float64") -> Json:
    data = np.asarray(values, dtype).tobytes()
    shape = list(np.shape(values))
    return {
        "dtype": dtype,
        "shape": shape,
        "sha256": hashlib.sha256(data).hexdigest(),
        "base64": base64.b64encode(data).decode(),
    }


@pytest.mark.parametrize(("dtype", "scale"), [("float16", 2.0**-3), ("float32", 2.0**-20), ("float64", 1 / 3)])
def test_the_smallest_exact_type_is_written_and_read_back(dtype: str, scale: float) -> None:
    problem = instance(3, sizes=(2, 5, 1))
    layers = (np.arange(-5, 5).reshape(5, 2) * scale + (1 if dtype == "float32" else 0), np.ones((1, 5)))
    certificate = replace(certified(instance(3, noise=1e-3)), problem=replace(problem, weights=Weights(layers)))
    text = to_json(certificate)
    written = json.loads(text)["problem"]["weights"]
    assert [each["dtype"] for each in written["layers"]] == [dtype, "float16"]
    again = parse(text).problem.weights
    assert again is not None
    assert all(np.array_equal(a, b) for a, b in zip(again.layers, layers, strict=True))
    assert all(each.dtype == np.float64 for each in again.layers)
    assert again.sha256 == Weights(layers).sha256
    assert (written["biases"], written["mirrored"], "step_size" in written) == ([], False, False)


def test_all_parts_are_written(tmp_path: Path) -> None:
    problem = instance(3, sizes=(2, 9000, 1), mirrored=True, bias="0.5", train="all", step_size="0.125")
    certificate = replace(certified(instance(3, noise=1e-3)), problem=problem)
    path = tmp_path / f"net{SUFFIX}"
    files = write(certificate, path)
    assert any("layers.0" in file.name for file in files)
    assert any("biases.1" in file.name for file in files)
    again = read(path).problem.weights
    assert again is not None
    assert problem.weights is not None
    assert (again.mirrored, again.step_size, again.sha256) == (True, problem.weights.step_size, problem.weights.sha256)
    assert [bias.shape for bias in again.biases] == [(9000,), (1,)]
    other = next(file for file in files if "layers.0" in file.name)
    data = bytearray(other.read_bytes())
    data[5] ^= 1
    other.write_bytes(bytes(data))
    with pytest.raises(Malformed, match="do not have this hash"):
        read(path)


def test_the_hash_tells_shapes_apart() -> None:
    numbers = np.arange(10.0)
    wide = Weights((numbers[:2].reshape(1, 2), numbers[2:6].reshape(4, 1), numbers[6:].reshape(1, 4)))
    deep = Weights((numbers[:6].reshape(3, 2), numbers[6:9].reshape(1, 3), numbers[9:].reshape(1, 1)))
    assert wide.sha256 != deep.sha256
    one = Weights((np.ones((3, 2)), np.ones((1, 3))))
    assert one.sha256 != replace(one, mirrored=True).sha256


ONE, NAN = np.ones((12, 2)), np.full((12, 2), np.nan)
BAD: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "not a number": (("layers", 0), array(NAN), "weights W1 contain NaN or infinity"),
    "infinite": (("layers", 1), array(np.full((1, 12), np.inf), "float16"), "weights W2 contain NaN or infinity"),
    "integers": (("layers", 0), array(ONE, "int64"), "expected a float64 or float32 or float16 array"),
    "flat": (("layers", 0), array(np.ones(24)), "of 2 dimension"),
    "matrix of biases": (("biases",), [array(np.ones((12, 1)))], "of 1 dimension"),
    "bias where β is 0": (("biases",), [array(np.ones(12))], "1 bias vectors where the network has 0"),
    "long bias": (("biases",), [array(np.ones(13))], "b1 has 13 entries for the 12 rows"),
    "other inputs": (("layers", 0), array(np.ones((12, 3))), "W1 takes 3 inputs, the dataset has 2"),
    "other width": (("layers", 0), array(np.ones((11, 2))), "does not fit W2"),
    "two outputs": (("layers", 1), array(np.ones((2, 12))), "W2 must have one row"),
    "one layer": (("layers",), [array(np.ones((1, 2)))], "weights of 2 to 11 layers are needed, not 1"),
    "deeper": (
        ("layers",),
        [array(ONE), array(np.ones((3, 12))), array(np.ones((1, 3)))],
        "3 layers of weights for a network of depth 1",
    ),
    "no layers": (("layers",), [], "weights of 2 to 11 layers"),
    "layers no list": (("layers",), {}, "expected a list"),
    "mirrored a number": (("mirrored",), 1, "mirrored: expected true or false"),
    "mirrored a text": (("mirrored",), "true", "mirrored: expected true or false"),
    "step 0": (("step_size",), "0", "step size must be from 0 to 10"),
    "negative step": (("step_size",), "-1", "step size must be from 0 to 10"),
    "step an integer": (("step_size",), 1, "step_size: not a decimal number"),
    "step not canonical": (("step_size",), "0.10", "not a canonical decimal"),
    "more": (("width",), "12", "unknown field 'width'"),
}


@pytest.mark.parametrize(("path", "value", "message"), BAD.values(), ids=BAD)
def test_malformed_weights_are_refused(path: tuple[str | int, ...], value: Any, message: str) -> None:
    found = document()
    node: Any = found["problem"]["weights"]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(Malformed, match=message):
        parse(json.dumps(found))


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "random and given": ({"training": {"width": "12", "init": "signs"}}, "either random or given"),
    "the other kernel": ({"kernel": "nngp"}, "leave train out"),
    "weights no object": ({"weights": []}, "weights: expected an object"),
}


@pytest.mark.parametrize(("change", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems_that_are_none(change: dict[str, Any], message: str) -> None:
    found = document()
    found["problem"] |= change
    verdict = check(json.dumps(found))
    assert (verdict.verdict, verdict.exit_code) == ("malformed", 2)
    assert message in verdict.reason


def test_a_sphere_has_no_weights_and_training_needs_targets() -> None:
    found = document()
    sphere = copy.deepcopy(found)
    sphere["problem"]["sphere"] = {"dimension": 2}
    del sphere["problem"]["dataset"]
    assert "sphere" in check(json.dumps(sphere)).reason
    del found["problem"]["dataset"]["targets"]
    assert "needs targets" in check(json.dumps(found)).reason
    found = document(train="all")
    found["problem"]["network"]["train"] = "output"
    assert "train=hidden, both or all" in check(json.dumps(found)).reason


@pytest.mark.parametrize("name", ["layers", "biases", "mirrored"])
def test_every_field_is_needed(name: str) -> None:
    found = document()
    del found["problem"]["weights"][name]
    with pytest.raises(Malformed, match=f"the field '{name}' is missing"):
        parse(json.dumps(found))

"""The certificate format: what is refused and how, round trips, and writing that leaves no trace when it fails."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkproof import certificate as certificate_module
from ntkproof.certificate import float_array, integer_array, to_json, write
from ntkproof.checker.check import parse, read
from ntkproof.checker.logic import format as format_module
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.reading import Malformed
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import KERNELS, Problem
from ntkproof.prover.certify import certify

CERTIFICATE = certify(Dataset(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), np.array([0.0, 1.0, 1.0]), label="toy"))
TEXT = to_json(CERTIFICATE)
VALUE = json.loads(TEXT)


def refusal(text: str, folder: Path | None = None) -> str:
    """Return the message a text is refused with: one line."""
    with pytest.raises(Malformed) as caught:
        parse(text, folder)
    message = str(caught.value)
    assert message.isprintable()
    return message


def edited(path: str, change: Callable[[Any], Any]) -> str:
    """Return the certificate with the value at a dotted path changed."""
    value = copy.deepcopy(VALUE)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    place = value
    for part in parents:
        place = place[part]
    place[last] = change(place[last])
    return json.dumps(value)


def constant(value: Any) -> Callable[[Any], Any]:
    return lambda old: value


def without(name: str) -> Callable[[Any], Any]:
    return lambda old: {key: value for key, value in old.items() if key != name}


def extended(**fields: Any) -> Callable[[Any], Any]:
    return lambda old: {**old, **fields}


# JSON -----------------------------------------------------------------------------------------------------------


def test_the_certificate_itself_is_accepted() -> None:
    assert to_json(parse(TEXT)) == TEXT


@pytest.mark.parametrize(
    "literal",
    ["1.0", "1e3", "1E-3", "1e400", "-1e400", "0.1", "-0.0", "1e0"],
)
def test_numbers_with_a_point_or_an_exponent_are_refused(literal: str) -> None:
    message = refusal(TEXT.replace('"depth": 1', f'"depth": {literal}'))
    assert message == f"the number {literal} is not an integer; other numbers are decimal strings"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_refused(literal: str) -> None:
    assert f"the number {literal} is not an integer" in refusal(TEXT.replace('"depth": 1', f'"depth": {literal}'))


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ("-0", "the integer -0 is not canonical"),
        ("9007199254740993", "exceeds 2^53"),
        ("-9007199254740993", "exceeds 2^53"),
        ("1" + "0" * 17, "exceeds 2^53"),
        ("9" * 100_000, "exceeds 2^53"),
        ("01", "Expecting ',' delimiter"),
        ("+1", "Expecting value"),
        ("1_0", "Expecting ',' delimiter"),
        ("0x1", "Expecting ',' delimiter"),
        ("nan", "Expecting value"),
        ("'1'", "Expecting value"),
        ("True", "Expecting value"),
        ("", "Expecting value"),
        ("1 1", "Expecting ',' delimiter"),
        ("1 /* one */", "Expecting ',' delimiter"),
        ("1, ", "Expecting property name"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ("[" * 40 + "]" * 40, "problem.network.depth: expected an integer"),
        ('"1', "control character"),
        ('"\\x"', "Invalid \\escape"),
        ('"\\ud800"', "problem.network.depth: expected an integer"),
        ("true", "problem.network.depth: expected an integer"),
        ("null", "problem.network.depth: expected an integer"),
        ('"1"', "problem.network.depth: expected an integer"),
        ("9007199254740992", "problem: depth must be an integer from 1 to 10"),
        ('1, "depth": 1', "duplicate key 'depth'"),
        ('1, "\\u0064epth": 1', "duplicate key 'depth'"),
    ],
)
def test_bad_literals_are_refused(literal: str, message: str) -> None:
    assert message in refusal(TEXT.replace('"depth": 1,', f'"depth": {literal},'))


def test_a_syntax_error_has_a_place() -> None:
    lines = TEXT.splitlines()
    line = next(k for k, row in enumerate(lines) if '"depth"' in row)
    lines[line] = lines[line].replace("1", "+1")
    column = lines[line].index("+") + 1
    assert refusal("\n".join(lines)) == f"line {line + 1}, column {column}: Expecting value"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: Expecting value"),
        ("   \n", "line 2, column 1: Expecting value"),
        ("\ufeff" + TEXT, "Unexpected UTF-8 BOM"),
        (TEXT + "{}", "Extra data"),
        (TEXT + "\x00", "Extra data"),
        ("[]", "certificate: expected an object"),
        ("null", "certificate: expected an object"),
        ("1", "certificate: expected an object"),
        ('"text"', "certificate: expected an object"),
        ("{}", "certificate: the field 'format' is missing"),
        ('{"a": 1, "a": 1}', "duplicate key 'a'"),
    ],
)
def test_other_texts_are_refused(text: str, message: str) -> None:
    assert message in refusal(text)


def test_every_proper_prefix_is_refused() -> None:
    for end in range(len(TEXT.rstrip())):
        refusal(TEXT[:end])


@pytest.mark.parametrize("edge", [2**53, -(2**53)])
def test_integers_up_to_2_to_the_53_are_accepted(edge: int) -> None:
    assert parse(edited("steps/0/claim/radius", constant(edge))).steps[0].claim["radius"] == edge


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(VALUE),
        json.dumps(VALUE, indent=8, sort_keys=True),
        "\r\n\t " + TEXT,
        TEXT.replace('"ntk"', '"\\u006etk"'),
    ],
)
def test_layout_order_and_escapes_are_free(text: str) -> None:
    assert json.loads(to_json(parse(text))) == VALUE


# Fields ---------------------------------------------------------------------------------------------------------

OBJECTS = {
    "certificate": ("", ("format", "problem", "steps", "conclusion")),
    "problem": ("problem", ("dataset", "network", "kernel")),
    "problem.dataset": ("problem/dataset", ("label", "inputs")),
    "problem.network": (
        "problem/network",
        ("activation", "depth", "train", "bias", "weight_std", "input_scale"),
    ),
    "problem.dataset.inputs": ("problem/dataset/inputs", ("dtype", "shape", "sha256", "base64")),
    "steps[1]": ("steps/1", ("id", "rule", "uses", "args", "witness", "claim")),
    "steps[1].witness.vector": ("steps/1/witness/vector", ("dtype", "shape", "sha256", "base64")),
    "conclusion": ("conclusion", ("step", "claim")),
}


@pytest.mark.parametrize(("where", "name"), [(where, name) for where, (_, names) in OBJECTS.items() for name in names])
def test_a_missing_field_is_refused(where: str, name: str) -> None:
    path = OBJECTS[where][0]
    text = edited(path, without(name)) if path else json.dumps(without(name)(VALUE))
    assert refusal(text) == f"{where}: the field {name!r} is missing"


@pytest.mark.parametrize("where", OBJECTS)
def test_an_unknown_field_is_refused(where: str) -> None:
    path = OBJECTS[where][0]
    text = edited(path, extended(extra=1)) if path else json.dumps(extended(extra=1)(VALUE))
    assert refusal(text) == f"{where}: unknown field 'extra'"


@pytest.mark.parametrize("value", [None, 1, "x", [1], True])
@pytest.mark.parametrize("where", [where for where in OBJECTS if where != "certificate"])
def test_something_else_than_an_object_is_refused(where: str, value: Any) -> None:
    assert refusal(edited(OBJECTS[where][0], constant(value))) == f"{where}: expected an object"


INPUTS = VALUE["problem"]["dataset"]["inputs"]


def with_data(dtype: str, shape: list[int], data: bytes) -> Callable[[Any], Any]:
    encoded = base64.b64encode(data).decode()
    return constant({"dtype": dtype, "shape": shape, "sha256": hashlib.sha256(data).hexdigest(), "base64": encoded})


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("format", constant("ntkproof-certificate-2"), "format: expected 'ntkproof-certificate-1'"),
        ("format", constant(1), "format: expected 'ntkproof-certificate-1'"),
        ("steps", constant({}), "steps: expected a list"),
        ("problem/kernel", constant("rbf"), "problem: unknown kernel 'rbf'"),
        ("problem/kernel", constant(1), "problem.kernel: expected printable text"),
        ("problem/network/activation", constant("steps"), "problem: unknown activation 'steps'; there are relu"),
        ("problem/network/activation", constant("leaky_relu"), "the canonical form is 'leaky_relu(0.01)'"),
        ("problem/network/activation", constant("leaky_relu(0.20)"), "the canonical form is 'leaky_relu(0.2)'"),
        ("problem/network/train", constant("none"), "problem: unknown train 'none'"),
        ("problem/network/input_scale", constant("2"), "problem: unknown input scale '2'"),
        ("problem/network/input_scale", constant(1), "problem.network.input_scale: expected printable text"),
        ("problem/network/depth", constant(0), "problem: depth must be an integer from 1 to 10, not 0"),
        ("problem/network/depth", constant(2), ""),
        ("problem/network/bias", constant(0), "problem.network.bias: not a decimal number: '0'"),
        ("problem/network/bias", constant("-1"), "problem: bias must be from 0 to 10^6, not -1"),
        ("problem/network/bias", constant("0.0"), "problem.network.bias: not a canonical decimal: '0.0'"),
        ("problem/network/bias", constant("-0"), "problem.network.bias: not a canonical decimal: '-0'"),
        ("problem/network/bias", constant("1e0"), "problem.network.bias: not a canonical decimal: '1e0'"),
        ("problem/network/bias", constant("nan"), "problem.network.bias: not a decimal number: 'nan'"),
        ("problem/network/weight_std", constant("1.50"), "problem.network.weight_std: not a canonical decimal"),
        ("problem/network/weight_std", constant("01"), "problem.network.weight_std: not a decimal number"),
        ("problem/network/weight_std", constant("0"), "problem: weight std must be from 10^-6 to 10^6, not 0"),
        ("problem/dataset/label", constant("two\nlines"), "problem.dataset.label: expected printable text"),
        ("problem/dataset/label", constant("x" * 2001), "problem.dataset.label: expected printable text"),
        ("problem/dataset/label", constant("\ud800"), "problem.dataset.label: expected printable text"),
        ("problem/dataset/label", constant(None), "problem.dataset.label: expected printable text"),
        ("problem/dataset/targets", with_data("float64", [2], bytes(16)), "problem: 2 targets for 3 rows"),
        ("problem/dataset/targets", constant([]), "problem.dataset.targets: expected an object"),
        ("problem/dataset/inputs", with_data("float64", [6], bytes(48)), "expected a float64 array of 2 dimension(s)"),
        ("problem/dataset/inputs", with_data("int64", [3, 2], bytes(48)), "expected a float64 array of 2 dimension"),
        ("problem/dataset/inputs", with_data("float64", [1, 6], bytes(48)), "problem: the dataset has one row"),
        ("problem/dataset/inputs", with_data("float64", [3, 2], b"\xff" * 48), "inputs contain NaN or infinity"),
        ("problem/dataset/inputs/dtype", constant("float32"), "bytes of data where dtype and shape say"),
        ("problem/dataset/inputs/dtype", constant("float8"), "inputs.dtype: expected float64, float32"),
        ("problem/dataset/inputs/dtype", constant("int7"), "inputs.dtype: expected float64, float32"),
        ("problem/dataset/inputs/dtype", constant("int0"), "inputs.dtype: expected float64, float32"),
        ("problem/dataset/inputs/dtype", constant("int08"), "inputs.dtype: expected float64, float32"),
        (
            "problem/dataset/inputs/dtype",
            constant("int65544"),
            "inputs.dtype: expected float64, float32",
        ),
        ("problem/dataset/inputs/dtype", constant("uint8"), "inputs.dtype: expected float64, float32"),
        ("problem/dataset/inputs/dtype", constant(64), "inputs.dtype: expected float64, float32"),
        ("problem/dataset/inputs/shape", constant([2, 2]), "48 bytes of data where dtype and shape say 32"),
        ("problem/dataset/inputs/shape", constant([3, 2, 1]), "inputs.shape: expected one or two positive lengths"),
        ("problem/dataset/inputs/shape", constant([]), "inputs.shape: expected one or two positive lengths"),
        ("problem/dataset/inputs/shape", constant([0, 2]), "inputs.shape: expected one or two positive lengths"),
        ("problem/dataset/inputs/shape", constant([-3, -2]), "inputs.shape: expected one or two positive lengths"),
        ("problem/dataset/inputs/shape", constant([2**28, 2]), "inputs.shape: expected one or two positive lengths"),
        ("problem/dataset/inputs/shape", constant([2**53] * 2), "inputs.shape: expected one or two positive lengths"),
        ("problem/dataset/inputs/shape", constant(["3", 2]), "inputs.shape[0]: expected an integer"),
        ("problem/dataset/inputs/shape", constant([True, 2]), "inputs.shape[0]: expected an integer"),
        ("problem/dataset/inputs/shape", constant(6), "inputs.shape: expected a list"),
        ("problem/dataset/inputs/sha256", constant("0" * 64), "inputs.sha256: the data do not have this hash"),
        ("problem/dataset/inputs/sha256", constant("0" * 63), "inputs.sha256: expected 64 lower-case hexadecimal"),
        ("problem/dataset/inputs/sha256", str.upper, "inputs.sha256: expected 64 lower-case hexadecimal digits"),
        ("problem/dataset/inputs/sha256", constant(0), "inputs.sha256: expected 64 lower-case hexadecimal digits"),
        ("problem/dataset/inputs/base64", constant("*"), "inputs.base64: not base64"),
        ("problem/dataset/inputs/base64", constant("é"), "inputs.base64: not base64"),
        ("problem/dataset/inputs/base64", constant(None), "inputs.base64: not base64"),
        ("problem/dataset/inputs/base64", lambda s: s + "\n", "inputs.base64: not base64"),
        ("problem/dataset/inputs/base64", lambda s: s[:-4], "45 bytes of data where dtype and shape say 48"),
        ("problem/dataset/inputs/base64", lambda s: s[:-1], "inputs.base64: not base64"),
        ("problem/dataset/targets/base64", lambda s: s.replace("=", ""), ""),
        ("steps/0/witness/x", constant({**INPUTS, "dtype": "int8", "shape": [1], "base64": "AB=="}), "not canonical"),
        ("steps/0/id", constant(""), "steps[0].id: expected a name"),
        ("steps/0/id", constant("a b"), "steps[0].id: expected a name"),
        ("steps/0/id", constant("-a"), "steps[0].id: expected a name"),
        ("steps/0/id", constant("../a"), "steps[0].id: expected a name"),
        ("steps/0/id", constant("a" * 65), "steps[0].id: expected a name"),
        ("steps/0/id", constant("a\n"), "steps[0].id: expected a name"),
        ("steps/0/id", constant(1), "steps[0].id: expected a name"),
        ("steps/0/rule", constant(None), "steps[0].rule: expected a name"),
        ("steps/1/uses", constant("kernel"), "steps[1].uses: expected a list"),
        ("steps/1/uses", constant([1]), "steps[1].uses[0]: expected a name"),
        ("steps/0/args", constant([]), "steps[0].args: expected an object"),
        ("steps/0/args", constant({"a b": 1}), "steps[0].args: expected a name"),
        ("steps/0/args", constant({"a": None}), "steps[0].args.a: expected an integer or a string"),
        ("steps/0/args", constant({"a": True}), "steps[0].args.a: expected an integer or a string"),
        ("steps/0/args", constant({"a": [1]}), "steps[0].args.a: expected an integer or a string"),
        ("steps/0/args", constant({"a": "x\ty"}), "steps[0].args.a: expected printable text"),
        ("steps/0/witness", constant([]), "steps[0].witness: expected an object"),
        ("steps/0/witness", constant({"a b": INPUTS}), "steps[0].witness: expected a name"),
        ("steps/0/witness", constant({"a": 1}), "steps[0].witness.a: expected an object"),
        ("steps/0/claim", constant([]), "steps[0].claim: expected an object"),
        ("steps/0/claim/kind", constant(None), "steps[0].claim.kind: expected an integer"),
        ("steps/0/claim/kind", constant("a\nb"), "steps[0].claim.kind: expected printable text"),
        ("steps/0/claim/kind", constant([None]), "steps[0].claim.kind[0]: expected an integer"),
        ("steps/0/claim", constant({"a b": 1}), "steps[0].claim: expected a name"),
        ("conclusion/step", constant(3), "conclusion.step: expected a name"),
        ("conclusion/claim/lower", constant({}), "conclusion.claim.lower: expected an integer"),
    ],
)
def test_bad_values_are_refused(path: str, change: Callable[[Any], Any], message: str) -> None:
    value = copy.deepcopy(VALUE)
    if path == "steps/0/witness/x":
        value["steps"][0]["witness"]["x"] = None
        text = json.dumps(value).replace('"x": null', f'"x": {json.dumps(change(None))}')
    elif message == "":
        assert to_json(parse(edited(path, change)))  # fine as a format
        return
    else:
        text = edited(path, change)
    assert message in refusal(text)


@given(st.data())
def test_damaged_bytes_give_a_certificate_or_one_line(data: st.DataObject) -> None:
    raw = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        stop = data.draw(st.integers(start, min(len(raw), start + 8)))
        raw[start:stop] = data.draw(st.binary(max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.cert.json"
        path.write_bytes(bytes(raw))
        with contextlib.suppress(Malformed):
            read(path)


# Files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("junk", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5", b"\xe2\x82"])
def test_bytes_that_are_not_utf_8_are_refused(junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.cert.json"
    path.write_bytes(TEXT.encode() + junk)
    with pytest.raises(Malformed, match=f"not UTF-8 at byte {len(TEXT.encode())}$"):
        read(path)


def test_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.cert.json"
    path.write_bytes(TEXT.encode("utf-16"))
    with pytest.raises(Malformed, match="not UTF-8 at byte 0"):
        read(path)


def test_missing_files_directories_and_long_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Malformed, match=r"^no such file$"):
        read(tmp_path / "absent.cert.json")
    with pytest.raises(Malformed, match=r"^cannot be read: Is a directory$"):
        read(tmp_path)
    path = tmp_path / "long.cert.json"
    path.write_text(TEXT)
    monkeypatch.setattr(format_module, "MAX_TEXT", 10)
    with pytest.raises(Malformed, match=r"^the file is longer than 10 bytes$"):
        read(path)


@pytest.fixture
def sidecars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the certificate with all arrays outside."""
    monkeypatch.setattr(certificate_module, "INLINE", 0)
    path = tmp_path / "toy.cert.json"
    written = write(CERTIFICATE, path)
    assert written[-1] == path
    assert {file.name for file in written} == {file.name for file in tmp_path.iterdir()}
    return path


def inputs_file(certificate: Path) -> Path:
    """Return the sidecar that holds the inputs."""
    return certificate.parent / json.loads(certificate.read_text())["problem"]["dataset"]["inputs"]["file"]


def test_sidecars_come_back(sidecars: Path) -> None:
    assert to_json(read(sidecars)) == TEXT
    assert inputs_file(sidecars).read_bytes() == CERTIFICATE.problem.dataset.inputs.tobytes()
    assert 'base64"' not in sidecars.read_text()


def test_a_text_without_a_folder_has_no_sidecars(sidecars: Path) -> None:
    assert f"this certificate has no folder to look for {inputs_file(sidecars).name} in" in refusal(
        sidecars.read_text()
    )


@pytest.mark.parametrize(
    "name",
    [
        "../toy.inputs.bin",
        "sub/x.bin",
        "/etc/passwd",
        "..",
        ".",
        "",
        ".hidden",
        "a\\b",
        "c:x",
        "a\nb",
        "é",
        "a" * 201,
        1,
    ],
)
def test_sidecars_stay_in_the_folder(name: Any, sidecars: Path) -> None:
    text = sidecars.read_text().replace(f'"{inputs_file(sidecars).name}"', json.dumps(name))
    assert "file: expected a plain file name in the certificate's own folder" in refusal(text, sidecars.parent)


def test_a_symlink_is_no_sidecar(sidecars: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    inside = inputs_file(sidecars)
    outside = tmp_path_factory.mktemp("elsewhere") / "x.bin"
    inside.rename(outside)
    inside.symlink_to(outside)
    with pytest.raises(Malformed, match=r"inputs\.[0-9a-f]{16}\.bin is missing or not a regular file"):
        read(sidecars)


def test_a_directory_or_nothing_is_no_sidecar(sidecars: Path) -> None:
    inside = inputs_file(sidecars)
    inside.unlink()
    with pytest.raises(Malformed, match=r"inputs\.[0-9a-f]{16}\.bin is missing or not a regular file"):
        read(sidecars)
    inside.mkdir()
    with pytest.raises(Malformed, match=r"inputs\.[0-9a-f]{16}\.bin is missing or not a regular file"):
        read(sidecars)


def test_a_sidecar_of_another_size_or_content_is_refused(sidecars: Path) -> None:
    inside = inputs_file(sidecars)
    data = inside.read_bytes()
    inside.write_bytes(data[:-1])
    with pytest.raises(Malformed, match=r"inputs\.[0-9a-f]{16}\.bin has 47 bytes, not 48"):
        read(sidecars)
    inside.write_bytes(data + b"\0")
    with pytest.raises(Malformed, match=r"inputs\.[0-9a-f]{16}\.bin has 49 bytes, not 48"):
        read(sidecars)
    inside.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(Malformed, match="the data do not have this hash"):
        read(sidecars)


def test_a_sidecar_declares_its_size_and_nothing_else(sidecars: Path) -> None:
    text = sidecars.read_text()
    assert "inputs.bytes: 47 where dtype and shape say 48" in refusal(text.replace('"bytes": 48', '"bytes": 47'))
    assert "inputs.bytes: expected an integer" in refusal(text.replace('"bytes": 48', '"bytes": "48"'))
    both = text.replace('"file": ', '"base64": "", "file": ', 1)
    assert "inputs: unknown field 'base64'" in refusal(both)


# Round trips ----------------------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
integers = st.integers(-(2**53), 2**53)
texts = st.text(st.characters(exclude_categories=("C", "Z")), max_size=10)
arrays = st.builds(integer_array, st.lists(st.integers(-(2**200), 2**200), min_size=1, max_size=4)) | st.builds(
    lambda values: float_array(np.array(values)), st.lists(finite, min_size=1, max_size=4)
)
claims = st.dictionaries(names, integers | texts | st.lists(integers, max_size=3), max_size=4)
steps = st.builds(
    Step,
    names,
    names,
    st.lists(names, max_size=3).map(tuple),
    st.dictionaries(names, integers | texts, max_size=3),
    st.dictionaries(names, arrays, max_size=2),
    claims,
)
scales = st.integers(1, 10**6).map(lambda k: f"{k}e-3")
networks = st.builds(
    Network,
    activation=st.sampled_from(["relu", "leaky_relu(0.25)", "abs", "identity", "erf", "sin", "cos"]),
    depth=st.integers(1, 10),
    bias=scales,
    weight_std=scales,
    input_scale=st.sampled_from(["1", "fan-in"]),
)


@st.composite
def certificates(draw: st.DrawFn) -> Certificate:
    n, d = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(finite, min_size=d, max_size=d), min_size=n, max_size=n))
    targets = draw(st.none() | st.lists(finite, min_size=n, max_size=n))
    dataset = Dataset(np.array(rows), None if targets is None else np.array(targets), draw(texts))
    problem = Problem(dataset, draw(networks), draw(st.sampled_from(KERNELS)))
    proof = draw(st.lists(steps, max_size=3, unique_by=lambda step: step.id))
    return Certificate(problem, tuple(proof), draw(names), draw(claims))


@given(certificates(), st.booleans())
def test_what_is_written_is_read_back(certificate: Certificate, outside: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificate_module, "INLINE", 0 if outside else 2**18)
        path = Path(folder) / "x.cert.json"
        write(certificate, path)
        found = read(path)
    assert found.steps == certificate.steps
    assert (found.conclusion_step, found.conclusion) == (certificate.conclusion_step, certificate.conclusion)
    assert found.problem.network == certificate.problem.network
    assert found.problem.kernel == certificate.problem.kernel
    assert found.problem.dataset.label == certificate.problem.dataset.label
    assert found.problem.dataset.sha256 == certificate.problem.dataset.sha256  # keeps the sign of -0.0 too
    assert to_json(found) == to_json(certificate)


@given(st.lists(st.integers(-(2**2000), 2**2000) | st.integers(-300, 300), min_size=1, max_size=8))
def test_integers_are_stored_in_the_least_width(values: list[int]) -> None:
    array = integer_array(values)
    assert array.integers() == values
    bound = 1 << (8 * array.width - 1)
    assert all(-bound <= value < bound for value in values)
    if array.width > 1:
        assert not all(-(bound >> 8) <= value < bound >> 8 for value in values)


def test_floats_are_stored_as_they_are() -> None:
    values = np.array([[0.0, -0.0], [5e-324, -1.7976931348623157e308]])
    array = float_array(values)
    assert array.floats().tobytes() == values.tobytes()
    assert (array.dtype, array.shape, array.width) == ("float64", (2, 2), 8)


# Writing --------------------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_certificate_is_a_plain_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "a.cert.json"
    assert write(CERTIFICATE, path) == [path]
    assert path.read_text("utf-8") == TEXT
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["fdopen", "chmod", "replace"])
def test_a_failure_leaves_the_folder_as_it_was(
    call: str, error: BaseException, outside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.cert.json"
    path.write_text("the one before")
    before = contents(tmp_path)

    def fail(*args: Any, **options: Any) -> None:
        if call == "fdopen":
            os.close(args[0])
        raise error

    monkeypatch.setattr(certificate_module, "INLINE", 0 if outside else 2**18)
    monkeypatch.setattr(certificate_module.os, call, fail)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else InputError
    with pytest.raises(expected) as caught:
        write(CERTIFICATE, path)
    monkeypatch.undo()
    if expected is InputError:
        assert str(caught.value) == f"{path}: cannot be written: No space left on device"
    left = contents(tmp_path)
    staged = {name for name in left if name.startswith(".")}
    assert call == "fdopen" or not staged
    assert {name: data for name, data in left.items() if name not in staged} == before


def test_a_failure_half_way_through_the_data_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(certificate: Certificate) -> Iterator[tuple[str, Array]]:
        yield "inputs", CERTIFICATE.steps[1].witness["vector"]
        raise RuntimeError("bad luck")

    monkeypatch.setattr(certificate_module, "_arrays", broken)
    with pytest.raises(RuntimeError, match="bad luck"):
        write(CERTIFICATE, tmp_path / "a.cert.json")
    assert contents(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(certificate_module.tempfile, "mkstemp", denied)
    path = tmp_path / "a.cert.json"
    with pytest.raises(InputError, match=r"a\.cert\.json: cannot be written: Permission denied$"):
        write(CERTIFICATE, path)
    assert contents(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_input_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        write(CERTIFICATE, tmp_path / "a.cert.json")
    assert contents(tmp_path) == {}


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the directory .*/absent does not exist"):
        write(CERTIFICATE, tmp_path / "absent" / "a.cert.json")


def test_any_name_can_have_sidecars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_module, "INLINE", 0)
    for name in ("my proof.cert.json", "é", "-", ".hidden", "a" * 200):
        (tmp_path / "new").mkdir()
        files = write(CERTIFICATE, tmp_path / "new" / name)
        assert len(files) > 2
        assert to_json(read(tmp_path / "new" / name)) == TEXT
        (tmp_path / "new").rename(tmp_path / str(len(list(tmp_path.iterdir()))))

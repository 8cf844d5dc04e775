"""Files of arrays: every format is read exactly, and forged or damaged files end in one line."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ntkproof.checker.logic.numbers import InputError
from ntkproof.data import files, npz, tensors
from ntkproof.data.tensors import read_tensors

IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, -0.5]])


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_tensors(path)
    text = str(caught.value)
    assert text.isprintable()  # one line
    return text


def read_or_refused(path: Path) -> dict[str, tensors.Tensor]:
    """Return the arrays of a file, or none after one line of error; anything else fails the test."""
    try:
        return read_tensors(path)
    except InputError as error:
        text = str(error)
    assert text.isprintable()
    return {}


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch, zipfile.ZipFile(stream, "w", compression) as archive:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # of duplicate names
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: Any = "F32", shape: Any = (1, 2), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# Sources --------------------------------------------------------------------------------------------------------


def test_sources(tmp_path: Path) -> None:
    assert refused(tmp_path / "w.npz") == "no such file"
    assert refused(tmp_path / "w.csv") == "unknown format; the formats of weights are .npz, .safetensors, .pt, .pth"
    (tmp_path / "folder.npz").mkdir()
    assert refused(tmp_path / "folder.npz") == "is a directory, not a file"
    assert "cannot be read" in refused(tmp_path / ("x" * 5000 + ".npz"))
    assert refused(Path("nul\0.npz")) == "cannot be read (not a file name)"


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "w.safetensors", "wb") as stream:
        stream.truncate(files.MAX_BYTES + 1)  # sparse
    assert refused(tmp_path / "w.safetensors").startswith(f"the file has {files.MAX_BYTES + 1} bytes; the limit is")


# NPZ ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "w.NPZ.npz", W1=NUMBERS, half=NUMBERS.astype("f2"), mirrored=np.array(True))
    found = read_tensors(tmp_path / "w.NPZ.npz")
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "W1": "float64",
        "half": "float16",
        "mirrored": "bool",
    }
    assert found["W1"].values.tolist() == found["half"].values.tolist() == NUMBERS.tolist()
    assert found["half"].values.dtype == np.float64
    assert found["mirrored"].is_flag


GOOD = npy(NUMBERS)
FORGED_ZIPS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a readable NPZ file"),
    "npy": (GOOD, "not a readable NPZ file"),
    "text": (b"W1,W2\n", "not a readable NPZ file"),
    "duplicate": (zipped(("W1.npy", GOOD), ("W1.npy", GOOD)), "the archive holds 'W1.npy' more than once"),
    "other member": (zipped(("W1.npy", GOOD), ("W1", GOOD)), "the archive holds 'W1', which is not an array"),
    "folder": (zipped(("a/", b"")), "the archive holds 'a/', which is not an array"),
    "not an array": (zipped(("W1.npy", b"hello")), "array 'W1': not a readable NPY array"),
    "pickle": (
        zipped(("W1.npy", npy(np.array([[print]], dtype=object)))),
        "array 'W1': not a readable NPY array (Object arrays cannot be loaded",
    ),
    "short array": (zipped(("W1.npy", GOOD[:-1])), "array 'W1': not a readable NPY array"),
    "long array": (zipped(("W1.npy", GOOD + b"\0")), "array 'W1': not a readable NPY array (there are more bytes"),
    "huge shape": (
        zipped(("W1.npy", GOOD.replace(b"(2, 3)", b"(2000000000, 3000000)"))),
        "array 'W1': not a readable NPY array",
    ),
    "truncated": (zipped(("W1.npy", GOOD))[:-30], "not a readable NPZ file"),
    "altered": (
        zipped(("W1.npy", GOOD)).replace(NUMBERS.tobytes(), NUMBERS[::-1].tobytes()),
        "not a readable NPZ file (Bad CRC-32",
    ),
}


@pytest.mark.parametrize("case", FORGED_ZIPS)
def test_forged_archives(tmp_path: Path, case: str) -> None:
    content, expected = FORGED_ZIPS[case]
    assert refused(write(tmp_path, "w.npz", content)).startswith(expected)


def test_large_arrays_of_suspicious_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = zipped(("W1.npy", npy(np.zeros((1000, 1000)))), compression=zipfile.ZIP_DEFLATED)
    path = write(tmp_path, "w.npz", content)
    assert read_tensors(path)["W1"].values.shape == (1000, 1000)
    monkeypatch.setattr(npz, "MODEST", 2**20)
    assert refused(path) == (f"suspicious compression: the archive unpacks from {len(content)} bytes to 8000128")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(("W1.npy", GOOD)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    assert "encrypted" in refused(write(tmp_path, "w.npz", bytes(content)))


def test_declared_sizes_are_limited(tmp_path: Path) -> None:
    content = zipped(("W1.npy", GOOD))
    directory = content.index(b"PK\x01\x02")
    forged = content[: directory + 24] + struct.pack("<I", 2**32 - 2) + content[directory + 28 :]
    assert refused(write(tmp_path, "w.npz", forged)) == (
        f"the archive unpacks to {2**32 - 2} bytes; the limit is {files.MAX_BYTES}"
    )


# safetensors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "data", "expected"),
    [
        # IEEE 754 and bfloat16 by their definitions: sign, exponent, fraction
        ("F64", "000000000000f03f" + "0100000000000080", [1.0, -(2.0**-1074)]),
        ("F32", "0000803f" + "01000080", [1.0, -(2.0**-149)]),
        ("F16", "003c" + "0180", [1.0, -(2.0**-24)]),
        ("BF16", "803f" + "0180", [1.0, -(2.0**-133)]),
        ("BF16", "7f7f" + "4940", [(2 - 2.0**-7) * 2.0**127, 3.140625]),
    ],
)
def test_safetensors_numbers(tmp_path: Path, dtype: str, data: str, expected: list[float]) -> None:
    raw = bytes.fromhex(data)
    path = write(tmp_path, "w.safetensors", safetensors({"x": entry(dtype, [2], [0, len(raw)])}, raw))
    assert read_tensors(path)["x"].values.tolist() == expected


def test_safetensors_of_the_reference_implementation(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    arrays = {
        "net.10.weight": NUMBERS,
        "net.2.weight": NUMBERS.T.astype("f4").copy(),
        "b": np.arange(5, dtype="f2"),
        "a.bias": np.array([7.0]),
    }
    library.save_file(arrays, tmp_path / "w.safetensors", metadata={"format": "pt"})
    found = read_tensors(tmp_path / "w.safetensors")
    assert {name: (t.values.tolist(), t.dtype) for name, t in found.items()} == {
        name: (array.tolist(), str(array.dtype)) for name, array in arrays.items()
    }


PAIR = struct.pack("<2f", 1, 2)
ONE = {"x": entry()}
BAD_SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a safetensors file (it ends before its header does)"),
    "seven bytes": (b"\0" * 7, "not a safetensors file"),
    "no header": (struct.pack("<Q", 0), "not a safetensors file"),
    "short header": (struct.pack("<Q", 100) + b"{}", "not a safetensors file"),
    "huge header": (struct.pack("<Q", 2**63) + b"{}", "not a safetensors file"),
    "long header": (safetensors(b"{" + b" " * 2**20 + b"}"), "the header has 1048578 bytes; the limit is 1048576"),
    "not UTF-8": (safetensors(b'{"\xff": 1}'), "header: not JSON"),
    "not JSON": (safetensors(b"{x}"), "header: not JSON"),
    "a list": (safetensors([]), "header: expected an object"),
    "leading space": (safetensors(b" {}"), "header: expected an object"),
    "trailing newline": (safetensors(b"{}\n"), "header: expected an object"),
    "deep": (safetensors(b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "header: not JSON"),
    "duplicate": (safetensors(b'{"x": 1, "x": 2}'), "header: 'x' occurs more than once"),
    "NaN": (safetensors(b'{"x": NaN}'), "header: NaN is not an integer"),
    "float": (safetensors(b'{"x": 1e3}'), "header: 1e3 is not an integer"),
    "negative": (safetensors({"x": entry(offsets=[-8, 0])}), "header: -8 is not a number of bytes"),
    "large": (safetensors({"x": entry(shape=[10**20, 0])}), "header: 10000000000000000000 is not a number of bytes"),
    "metadata": (safetensors({"__metadata__": {"a": 1}}), "header: __metadata__ must map names to texts"),
    "no fields": (safetensors({"x": {}}), "array 'x': expected dtype, shape and data_offsets in the header"),
    "more fields": (safetensors({"x": {**entry(), "y": 1}}), "array 'x': expected dtype, shape"),
    "integers": (safetensors({"x": entry("I64")}), "array 'x': the type is 'I64'; F64, F32, F16, BF16 are read"),
    "type list": (safetensors({"x": entry(["F32"])}), "array 'x': the type is "),
    "shape": (safetensors({"x": entry(shape="12")}), "array 'x': expected a shape of at most two lengths, not '12'"),
    "axes": (safetensors({"x": entry(shape=[1, 1, 2])}), "array 'x': expected a shape of at most two lengths"),
    "true": (safetensors({"x": entry(shape=[True, 2])}), "array 'x': expected a shape of at most two lengths"),
    "one offset": (safetensors({"x": entry(offsets=[0])}), "array 'x': expected two data_offsets"),
    "offset text": (safetensors({"x": entry(offsets=["0", 8])}), "array 'x': expected two data_offsets"),
    "size": (safetensors({"x": entry(offsets=[0, 12])}), "array 'x': 12 bytes where type and shape say 8"),
    "backwards": (safetensors({"x": entry(offsets=[8, 0])}), "array 'x': -8 bytes where type and shape say 8"),
    "gap": (
        safetensors({"x": entry(offsets=[4, 12])}, PAIR * 2),
        "array 'x': begins at byte 4 of the numbers, not at 0",
    ),
    "overlap": (
        safetensors({"x": entry(), "y": entry()}, PAIR),
        "array 'y': begins at byte 0 of the numbers, not at 8",
    ),
    "short": (safetensors(ONE, PAIR[:7]), "the arrays end at byte 8 of the numbers, the file at 7"),
    "long": (safetensors(ONE, PAIR + b"\0"), "the arrays end at byte 8 of the numbers, the file at 9"),
    "nan": (safetensors(ONE, struct.pack("<2f", 1, float("nan"))), "array 'x': entry [0, 1] is nan"),
    "bfloat16 infinity": (safetensors({"x": entry("BF16", [1], [0, 2])}, b"\x80\x7f"), "array 'x': entry [0] is inf"),
}


@pytest.mark.parametrize("case", BAD_SAFETENSORS)
def test_bad_safetensors(tmp_path: Path, case: str) -> None:
    content, expected = BAD_SAFETENSORS[case]
    assert refused(write(tmp_path, "w.safetensors", content)).startswith(expected)


def test_padding_and_empty_arrays(tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"a": "b"}, "e": entry(shape=[0], offsets=[0, 0]), **ONE}).encode()
    found = read_tensors(write(tmp_path, "w.safetensors", safetensors(header + b"   ", PAIR)))
    assert {name: tensor.values.tolist() for name, tensor in found.items()} == {"e": [], "x": [[1.0, 2.0]]}


# Damage ---------------------------------------------------------------------------------------------------------

SAMPLES = {
    "w.npz": zipped(("W1.npy", GOOD), ("mirrored.npy", npy(np.array(False))), compression=zipfile.ZIP_DEFLATED),
    "w.safetensors": safetensors({"__metadata__": {"a": "b"}, "x": entry(), "y": entry("F16", [4], [8, 16])}, PAIR * 2),
}


@pytest.mark.parametrize("name", SAMPLES)
@IN_PLACE
@given(data=st.data())
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    path = write(tmp_path, name, bytes(content[:end]))
    found = read_or_refused(path)
    assert all(np.isfinite(tensor.values).all() for tensor in found.values())


# PyTorch --------------------------------------------------------------------------------------------------------


def test_without_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    expected = "a PyTorch file needs PyTorch: pip install 'ntkproof[torch]', or save the weights as safetensors"
    assert refused(write(tmp_path, "w.pt", b"")) == expected


def test_pytorch_is_asked_for_weights_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def load(_: Any, **options: Any) -> None:
        asked.update(options)
        raise ValueError("two\nlines of advice")

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(load=load))
    expected = "not a PyTorch state_dict (ValueError with weights_only=True; save model.state_dict())"
    assert refused(write(tmp_path, "w.pt", zipped(("w/data.pkl", b"")))) == expected
    assert asked == {"map_location": "cpu", "weights_only": True}


def test_pytorch_reads_modest_archives_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    expected = "not a PyTorch file of 2020 or later, a ZIP archive (torch.save writes one)"
    assert refused(write(tmp_path, "w.pth", b"hello")) == expected
    monkeypatch.setattr(npz, "MODEST", 2**20)
    content = zipped(("w/data/0", bytes(2**21)), compression=zipfile.ZIP_DEFLATED)
    assert refused(write(tmp_path, "w.pth", content)) == (
        f"suspicious compression: the archive unpacks from {len(content)} bytes to {2**21}"
    )


def test_pytorch_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    def saved(content: Any) -> Path:
        torch.save(content, tmp_path / "w.pth")
        return tmp_path / "w.pth"

    numbers = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, -0.5]])
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        found = read_tensors(saved({"x": numbers.to(getattr(torch, dtype)).T}))["x"]
        assert (found.values.tolist(), found.dtype) == (NUMBERS.T.tolist(), dtype)
    parameter = torch.nn.Parameter(numbers)
    assert read_tensors(saved({"x": parameter}))["x"].values.tolist() == NUMBERS.tolist()
    assert refused(saved({"x": numbers.to(torch.int64)})).startswith("array 'x': the type is int64; float64,")
    assert refused(saved({"x": numbers.to_sparse()})).startswith("array 'x': the type is torch.sparse_coo;")
    assert refused(saved({"x": torch.ones(1).expand(2**15, 2**15)})) == f"more than {2**28} weights"
    assert refused(saved({"x": numbers * float("inf")})).startswith("array 'x': entry [0, 0] is inf")
    for content in (numbers, [numbers], {"state_dict": {"x": numbers}}, {1: numbers}):
        assert "(expected tensors by name; save model.state_dict())" in refused(saved(content))
    assert "with weights_only=True" in refused(saved(torch.nn.Linear(3, 2)))

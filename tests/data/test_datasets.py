"""Loading and preparing data: expected values are written out by hand or follow from a closed form."""

from __future__ import annotations

import io
import math
import re
import sys
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.data.datasets import NAMED, describe, load, prepare


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def message(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert text.isprintable()  # one line
    return text


def loaded_or_refused(path: Path) -> Dataset | None:
    """The data set, or None after one line of error about that file; anything else fails the test."""
    try:
        return load(path)
    except InputError as error:
        text = str(error)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    return None


def dataset(rows: list[list[float]], targets: list[float] | None = None, label: str = "toy") -> Dataset:
    return Dataset(np.array(rows), None if targets is None else np.array(targets), label=label)


def bits(values: Any) -> bytes:
    return np.ascontiguousarray(values, dtype=np.float64).tobytes()


# --------------------------------------------------------------------------------------------------------
# Named sets

SHAPES = {
    "iris": (150, 4),
    "wine": (178, 13),
    "breast_cancer": (569, 30),
    "diabetes": (442, 10),
    "digits": (1797, 64),
}


@pytest.mark.parametrize("name", SHAPES)
def test_named_sets_are_those_of_scikit_learn(name: str) -> None:
    sets = pytest.importorskip("sklearn.datasets")
    bunch = getattr(sets, f"load_{name}")()
    loaded = load(name)
    assert loaded.inputs.shape == SHAPES[name]
    assert bits(loaded.inputs) == bits(bunch.data)
    assert loaded.targets is not None
    assert loaded.targets.dtype == np.float64
    assert loaded.targets.tolist() == bunch.target.tolist()
    assert loaded.label == name
    classes = NAMED[name].classes
    assert classes is None or set(loaded.targets.tolist()) == set(range(classes))


def test_describe() -> None:
    pytest.importorskip("sklearn")
    facts = {row["name"]: row for row in describe()}
    assert {name: (row["rows"], row["columns"]) for name, row in facts.items()} == SHAPES
    assert all(row["available"] and row["description"].isprintable() for row in facts.values())
    assert facts["iris"]["duplicate_pairs"] == 1  # flowers 102 and 143
    assert facts["wine"]["duplicate_pairs"] == 0
    assert facts["digits"]["constant_columns"] == 3  # pixels 0, 32 and 39 are blank in every image
    assert facts["iris"]["targets"] == "classes 0..2"
    assert facts["diabetes"]["targets"] == "real"


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    expected = "the named dataset 'wine' needs scikit-learn: pip install 'ntkproof[data]'"
    assert message(load, "wine") == expected
    facts = describe()
    assert [row["name"] for row in facts] == list(NAMED)
    assert not any(row["available"] or row["rows"] for row in facts)


def test_a_file_wins_over_a_named_set_only_with_a_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "wine", "1,2\n3,4\n")
    write(tmp_path, "wine.csv", "5,6\n7,8\n")
    assert load("./wine").inputs.tolist() == [[1, 2], [3, 4]]
    assert load(tmp_path / "wine").inputs.tolist() == [[1, 2], [3, 4]]
    assert load("wine.csv").inputs.tolist() == [[5, 6], [7, 8]]
    pytest.importorskip("sklearn")
    assert load("wine").inputs.shape == (178, 13)


def test_a_named_set_takes_no_target() -> None:
    assert "'wine' has its own targets" in message(load, "wine", target=0)


# --------------------------------------------------------------------------------------------------------
# Sources


@pytest.mark.parametrize("source", ["nope.csv", "./nope", "no/such/folder/x.npy"])
def test_missing_file(source: str) -> None:
    assert message(load, source) == f"{source}: no such file"


@pytest.mark.parametrize("source", ["wien", ""])
def test_unknown_name_lists_the_choices(source: str) -> None:
    text = message(load, source)
    assert all(name in text for name in [*NAMED, ".csv", ".npy", ".npz"])


def test_unreadable_sources(tmp_path: Path) -> None:
    assert message(load, tmp_path) == f"{tmp_path}: is a directory, not a file"
    assert "cannot be read" in message(load, "x" * 5000 + ".csv")
    assert "cannot be read" in message(load, "nul\0.csv")
    assert "cannot be read" in message(load, write(tmp_path, "file.csv", "1\n2\n") / "below.csv")


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"hello world\n", b'{"a": [1]}', b"\xff\xfe1,2"])
def test_unknown_format_lists_the_choices(tmp_path: Path, content: bytes) -> None:
    text = message(load, write(tmp_path, "thing.dat", content))
    assert "thing.dat: unknown format; the named datasets are iris" in text
    assert ".npz" in text


@pytest.mark.parametrize("name", ["data", "data.txt", "data.bin"])
@pytest.mark.parametrize("content", [b"1,2\n3,4\n", npy([[1, 2], [3, 4]]), npz(X=[[1, 2], [3, 4]])])
def test_recognised_by_content(tmp_path: Path, name: str, content: bytes) -> None:
    loaded = load(write(tmp_path, name, content))
    assert loaded.inputs.tolist() == [[1, 2], [3, 4]]
    assert loaded.label == name


def test_suffix_decides_and_case_does_not_matter(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.NPY", npy([[1.0], [2.0]]))).inputs.tolist() == [[1], [2]]
    assert "line 1: not UTF-8 text" in message(load, write(tmp_path, "a.csv", npy([[1.0], [2.0]])))
    assert "not a readable NPZ file" in message(load, write(tmp_path, "a.npz", npy([[1.0], [2.0]])))


# --------------------------------------------------------------------------------------------------------
# CSV


@pytest.mark.parametrize(
    "content",
    [
        "1,2.5\n-3e2,.5\n",
        "1,2.5\n-3e2,.5",
        "1,2.5\r\n-3e2,.5\r\n\r\n\n  \n",
        "1,2.5\r-3e2,.5\r",
        "1;2.5\n-3E+2;0.5\n",
        "1\t2.5\n-3e2\t0.50\n",
        "\ufeff1,2.5\n-3e2,.5\n",
        "\ufeffa,b\n1,2.5\n-3e2,.5\n",
        "a,b\n1,2.5\n-3e2,.5\n",
        '"a, ""x""",b;c\n1,2.5\n-3e2,.5\n',
        '"1","2.5"\n"-3e2",".5"\n',
        ' 1 , 2.5 \n-3e2\t, "0.5"\n',
        "a;b,c\td\n1;2.5\n-3e2;.5\n",
        "alpha;beta (g,l)\n+1.;2.5\n-300;0.5\n",
        '"two\nlines",b\n1,2.5\n-3e2,.5\n',
        ",b\n1,2.5\n-3e2,.5\n",
        "1stFlrSF,Area\n1,2.5\n-3e2,.5\n",
    ],
)
def test_csv_dialects(tmp_path: Path, content: str) -> None:
    loaded = load(write(tmp_path, "data.csv", content))
    assert loaded.inputs.tolist() == [[1.0, 2.5], [-300.0, 0.5]]
    assert loaded.targets is None
    assert loaded.label == "data.csv"


def test_csv_of_one_column(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.csv", "x\n1\n2\n")).inputs.tolist() == [[1], [2]]
    assert load(write(tmp_path, "b.csv", "-0\n0.1\n")).inputs.tolist() == [[0], [0.1]]


def test_csv_numbers_are_the_nearest_float64(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "-0.0,0.1\n5e-324,1.7976931348623157e308\n9007199254740994,00012\n")
    inputs = load(path).inputs
    assert math.copysign(1, inputs[0, 0]) == -1
    assert Fraction(inputs[0, 1]) == Fraction(3602879701896397, 2**55)
    assert inputs[1].tolist() == [2.0**-1074, sys.float_info.max]
    assert inputs[2].tolist() == [2.0**53 + 2, 12]


@pytest.mark.parametrize(
    ("target", "inputs", "targets"),
    [
        ("y", [[1, 3], [4, 6]], [2, 5]),
        ("z", [[1, 2], [4, 5]], [3, 6]),
        (0, [[2, 3], [5, 6]], [1, 4]),
        (-1, [[1, 2], [4, 5]], [3, 6]),
        ("-3", [[2, 3], [5, 6]], [1, 4]),
        ("1", [[1, 3], [4, 6]], [2, 5]),
    ],
)
def test_csv_target(tmp_path: Path, target: str | int, inputs: list[list[float]], targets: list[float]) -> None:
    loaded = load(write(tmp_path, "data.csv", "x,y,z\n1,2,3\n4,5,6\n"), target=target)
    assert loaded.inputs.tolist() == inputs
    assert loaded.targets is not None
    assert loaded.targets.tolist() == targets
    assert loaded.label == f"data.csv target={target}"


@pytest.mark.parametrize(
    ("content", "target", "fragment"),
    [
        ("x,y\n1,2\n3,4\n", "w", "no column is called 'w': the header has 'x', 'y'"),
        ("1,2\n3,4\n", "w", "no column is called 'w': there is no header"),
        ("x,x\n1,2\n3,4\n", "x", "several columns are called 'x'; give the index"),
        ("x,y\n1,2\n3,4\n", 2, "target column 2 does not exist: the column indices are 0..1 (or -2..-1"),
        ("x,y\n1,2\n3,4\n", "-3", "target column -3 does not exist"),
        ("1\n2\n", 0, "the dataset is empty: 2 rows, 0 columns"),
    ],
)
def test_csv_bad_target(tmp_path: Path, content: str, target: str | int, fragment: str) -> None:
    text = message(load, write(tmp_path, "data.csv", content), target=target)
    assert text.startswith(f"{tmp_path / 'data.csv'}: {fragment}")


LONG = "1" * 300 + "x"
HINT = " (the first line is a header only if none of its cells is a number)"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the file is empty"),
        ("\n \r\n", "the file is empty"),
        ("x,y\n", "there are no rows below the header"),
        ("x,y\n1,2\n", "the dataset has one row; at least two are needed"),
        ("1,2\n3,abc\n", "line 2, column 2: 'abc' is not a finite decimal number"),
        ("x,y\n1,2\n\n3,4\n", "line 3: blank line inside the table"),
        ("\n1,2\n3,4\n", "line 1: blank line inside the table"),
        ("x,y\n1,2\n3,abc\n", "line 3, column 2 ('y'): 'abc' is not a finite decimal number"),
        ("x,y\r\n1,2\r\n3,nan\r\n", "line 3, column 2 ('y'): 'nan' is not a finite decimal number"),
        ("nan,2\n3,4\n", "line 1, column 1: 'nan' is not a finite decimal number"),
        ("1,2\n3,-Infinity\n", "line 2, column 2: '-Infinity' is not a finite decimal number"),
        ("1,2\n3,\n", "line 2, column 2: the cell is empty"),
        ("x,y\n,2\n3,4\n", "line 2, column 1 ('x'): the cell is empty"),
        ("1,2\n3,4\n,\n", "line 3, column 1: the cell is empty"),
        ("1,2,\n3,4,\n", "line 1, column 3: the cell is empty"),
        ("1,2\n3,1_000\n", "line 2, column 2: '1_000' is not a finite decimal number"),
        ("1_000,2\n3,4\n", "line 1, column 1: '1_000' is not a finite decimal number"),
        ("1,0x1F\n3,4\n", "line 1, column 2: '0x1F' is not a finite decimal number"),
        ("1,2\n0x1p3,4\n", "line 2, column 1: '0x1p3' is not a finite decimal number"),
        ("1,2\n3,1d5\n", "line 2, column 2: '1d5' is not a finite decimal number"),
        ("1,2\n3,٣\n", "line 2, column 2: '٣' is not a finite decimal number"),
        ("1,2\n3,4\xa0\n", "line 2, column 2: '4\\xa0' is not a finite decimal number"),
        ("1,2\n3,1+2j\n", "line 2, column 2: '1+2j' is not a finite decimal number"),
        ("1,2\n3,True\n", "line 2, column 2: 'True' is not a finite decimal number"),
        ("1,2\n3,1e400\n", "line 2, column 2: '1e400' is too large for float64"),
        ("1,2\n3,1e-400\n", "line 2, column 2: '1e-400' is too small for float64"),
        (f"1,2\n3,{'9' * 400}\n", f"line 2, column 2: '{'9' * 37}...' is too large for float64"),
        (
            "1,2\n3,9007199254740993\n",
            "line 2, column 2: '9007199254740993' is an integer that float64 cannot hold exactly",
        ),
        (f"1,2\n3,{LONG}\n", f"line 2, column 2: '{LONG[:37]}...' is not a finite decimal number"),
        ("1,2,3\n4,5\n", "line 2, column 3: the cell is missing, the width is 2, that of line 1 is 3"),
        ("a,b\n1,2\n4,5,6\n", "line 3, column 3: '6' is too much, the width is 3, that of line 1 is 2"),
        (
            "a,b\n1\n2\n",
            "line 2, column 2 ('b'): the cell is missing, the width is 1, that of line 1 is 2",
        ),
        ("1,2\n'3',4\n", "line 2, column 1: \"'3'\" is not a finite decimal number"),
        ("name,2001\n1,2\n3,4\n", "line 1, column 1: 'name' is not a finite decimal number" + HINT),
        ("1.O,x\n3,4\n", None),
        ("1.O,2.O\n3,4\n", "line 1, column 1: '1.O' is not a finite decimal number" + HINT),
        ("NA,?\n3,4\n", "line 1, column 1: 'NA' is not a finite decimal number" + HINT),
        ("1,5;2,5\n3,5;4,5\n", "line 1, column 1: '1,5' is not a finite decimal number" + HINT),
        ("a;b\n1;2,5\n3;4,5\n", "line 2, column 2 ('b'): '2,5' is not a finite decimal number"),
        ('1,2\n"3,4\n5,6\n', "line 2: malformed CSV (unexpected end of data)"),
        ('1,2\n"3"x,4\n', "line 2: malformed CSV (',' expected after '\"')"),
        ('a,"b\nc"\n1,2\n3,x\n', "line 4, column 2 ('b\\nc'): 'x' is not a finite decimal number"),
        ("1,2\n3,4\x00\n", "line 2, column 2: '4\\x00' is not a finite decimal number"),
        (b"1,2\n3,\xe9\n", "line 2: not UTF-8 text (byte 0xe9)"),
        ("1,2\n3,4\n".encode("utf-16"), "line 1: not UTF-8 text (byte 0xff)"),
    ],
)
def test_csv_errors_say_where(tmp_path: Path, content: str | bytes, expected: str | None) -> None:
    path = write(tmp_path, "bad.csv", content)
    if expected is None:
        assert "one row" in message(load, path)
    else:
        assert message(load, path) == f"{path}: {expected}"


def test_odd_file_names_stay_on_one_line(tmp_path: Path) -> None:
    assert "is empty" in message(load, write(tmp_path, "a\nb.csv", ""))
    assert load(write(tmp_path, "a\nb.csv", "1\n2\n")).label == r"'a\nb.csv'"


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(data=st.data())
def test_csv_round_trip_is_exact(tmp_path: Path, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(FINITE, min_size=width, max_size=width), min_size=2, max_size=6))
    delimiter = data.draw(st.sampled_from(",;\t"))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    header = data.draw(st.sampled_from([[], [delimiter.join(f"c{k}" for k in range(width))]]))
    bom = data.draw(st.sampled_from(["", "\ufeff"]))
    lines = header + [delimiter.join(map(repr, row)) for row in rows]
    loaded = load(write(tmp_path, "round.csv", bom + end.join(lines) + end))
    assert bits(loaded.inputs) == bits(rows)


@QUICK
@given(cell=st.text(max_size=12) | st.from_regex(r"[-+.0-9eExX_]{1,8}", fullmatch=True))
def test_any_cell_is_exact_or_refused(tmp_path: Path, cell: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    path = write(tmp_path, "cell.csv", f"0,0\n1,{quoted}\n".encode("utf-8", "replace"))
    loaded = loaded_or_refused(path)
    if loaded is not None:
        assert re.fullmatch(r"[-+.0-9eE]+", cell.strip(" \t"))
        assert loaded.inputs[1, 1] == float(Fraction(cell.strip(" \t")))


# --------------------------------------------------------------------------------------------------------
# NPY and NPZ


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i4", "<i8", ">u8", "<f2", ">f2", "<f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_types(tmp_path: Path, dtype: str, order: Any) -> None:
    array = np.asarray(np.array([[1, 2, 3], [4, 5, 100]], dtype=dtype), order=order)
    loaded = load(write(tmp_path, "a.npy", npy(array)))
    assert loaded.inputs.dtype == np.float64
    assert loaded.inputs.tolist() == [[1, 2, 3], [4, 5, 100]]
    assert loaded.targets is None


def test_npy_floats_are_widened_exactly(tmp_path: Path) -> None:
    half = load(write(tmp_path, "h.npy", npy(np.array([[0.1], [2**-24]], dtype=np.float16)))).inputs
    assert half.tolist() == [[1638 / 16384], [2.0**-24]]
    single = load(write(tmp_path, "s.npy", npy(np.array([[0.1], [-0.0]], dtype=np.float32)))).inputs
    assert single[0, 0] == 13421773 / 2**27
    assert math.copysign(1, single[1, 0]) == -1


def test_npy_large_integers(tmp_path: Path) -> None:
    exact = np.array([[2**53, -(2**53)], [2**53 + 2, -(2**63)]], dtype=np.int64)
    assert load(write(tmp_path, "a.npy", npy(exact))).inputs.tolist() == exact.tolist()
    top = np.array([[2**63], [2**64 - 2**11]], dtype=np.uint64)
    assert load(write(tmp_path, "a.npy", npy(top))).inputs.tolist() == [[2.0**63], [2.0**64 - 2.0**11]]
    for value, dtype in [
        (2**53 + 1, np.int64),
        (-(2**53) - 1, np.int64),
        (2**63 - 1, np.int64),
        (2**64 - 1, np.uint64),
    ]:
        path = write(tmp_path, "b.npy", npy(np.array([[0, 0], [0, value]], dtype=dtype)))
        expected = f"{path}: entry [1, 1] is {value}, an integer that float64 cannot hold exactly"
        assert message(load, path) == expected


def test_npy_target_by_index(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, "a.npy", npy([[1, 2], [3, 4]])), target=-1)
    assert loaded.inputs.tolist() == [[1], [3]]
    assert loaded.targets is not None
    assert loaded.targets.tolist() == [2, 4]
    assert "there is no header" in message(load, tmp_path / "a.npy", target="y")


OBJECTS = np.array([[None], [1]], dtype=object)
STRUCTURED = np.zeros((2, 2), dtype=[("a", "f8"), ("b", "f8")])


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (npy([1.0, 2.0]), "the shape is (2,); two dimensions (rows, columns) are needed"),
        (npy(np.zeros((2, 2, 2))), "the shape is (2, 2, 2); two dimensions"),
        (npy(3.0), "the shape is (); two dimensions"),
        (npy([[1j], [2j]]), "the type is complex128; integers, float16, float32 or float64 are needed"),
        (npy([[True], [False]]), "the type is bool;"),
        (npy([["a"], ["b"]]), "the type is <U1;"),
        (npy(np.zeros((2, 2), dtype="m8[s]")), "the type is timedelta64[s];"),
        (npy(STRUCTURED), "the type is structured;"),
        (
            npy(OBJECTS, allow_pickle=True),
            "not a readable NPY array (Object arrays",
        ),
        (npy([[1.0], [np.nan]]), "entry [1, 0] is nan; finite numbers are needed"),
        (npy([[1.0], [-np.inf]]), "entry [1, 0] is -inf; finite numbers are needed"),
        (npy([[1.0, 2.0]]), "the dataset has one row; at least two are needed"),
        (npy(np.zeros((0, 2))), "the dataset is empty"),
        (npy(np.zeros((2, 0))), "the dataset is empty"),
        (npy([[1.0], [2.0]])[:-1], "not a readable NPY array"),
        (npy([[1.0], [2.0]])[:40], "not a readable NPY array"),
        (npy([[1.0], [2.0]]) + b"\0", "not a readable NPY array (there are more bytes after the end"),
        (b"", "not a readable NPY array"),
        (b"1,2\n3,4\n", "not a readable NPY array"),
    ],
)
def test_npy_errors(tmp_path: Path, content: bytes, fragment: str) -> None:
    path = write(tmp_path, "bad.npy", content)
    assert message(load, path).startswith(f"{path}: {fragment}")


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize <= 8, reason="long double is double here")
def test_npy_long_double_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.npy", npy(np.ones((2, 2), dtype=np.longdouble)))
    assert "integers, float16, float32 or float64 are needed" in message(load, path)


@pytest.mark.parametrize(
    ("content", "targets"),
    [
        (npz(X=[[1], [2]]), None),
        (npz(inputs=[[1], [2]]), None),
        (npz(anything=[[1], [2]]), None),
        (npz(X=[[1], [2]], y=[3, 4]), [3, 4]),
        (npz(inputs=[[1], [2]], targets=np.array([0.5, 4], dtype=np.float32)), [0.5, 4]),
        (npz(X=[[1], [2]], targets=[3, 4], extra=["a"], X_test=[[9]]), [3, 4]),
    ],
)
def test_npz_keys(tmp_path: Path, content: bytes, targets: list[float] | None) -> None:
    loaded = load(write(tmp_path, "a.npz", content))
    assert loaded.inputs.tolist() == [[1], [2]]
    assert (None if loaded.targets is None else loaded.targets.tolist()) == targets


def test_npz_target_by_index(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, "a.npz", npz(X=[[1, 2], [3, 4]])), target=0)
    assert loaded.inputs.tolist() == [[2], [4]]
    assert "has its own targets" in message(load, write(tmp_path, "b.npz", npz(X=[[1, 2], [3, 4]], y=[5, 6])), target=0)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (npz(a=[[1], [2]], b=[[1], [2]]), "no array is called 'X' or 'inputs', and the file has 'a', 'b'"),
        (npz(a=[[1], [2]], y=[1, 2]), "no array is called 'X' or 'inputs', and the file has 'a', 'y'"),
        (npz(), "no array is called 'X' or 'inputs', and the file has no arrays"),
        (npz(X=[[1]], inputs=[[1]]), "'X' or 'inputs' is ambiguous: the file has 'X', 'inputs'"),
        (npz(X=[[1]], y=[1], targets=[1]), "'y' or 'targets' is ambiguous: the file has 'X', 'y', 'targets'"),
        (npz(X=[1, 2]), "array 'X': the shape is (2,)"),
        (npz(X=[[1], [2]], y=[[1], [2]]), "array 'y': the shape is (2, 1); targets need one dimension"),
        (npz(X=[[1], [2]], y=["a", "b"]), "array 'y': the type is <U1"),
        (npz(X=[[1], [2]], y=[0, 2**53 + 1]), "array 'y': entry [1] is 9007199254740993, an integer"),
        (npz(X=[[1], [2]], y=[0, np.inf]), "array 'y': entry [1] is inf; finite numbers"),
        (npz(X=[[1], [2]], y=[1, 2, 3]), "3 targets for 2 rows"),
        (npz(X=OBJECTS), "array 'X': not a readable NPY array (Object arrays"),
        (npz(X=[[1], [2]])[:-30], "not a readable NPZ file"),
        (flipped(npz(X=[[1], [2]]), 60), "not a readable NPZ file"),
        (b"", "not a readable NPZ file"),
    ],
)
def test_npz_errors(tmp_path: Path, content: bytes, fragment: str) -> None:
    path = write(tmp_path, "bad.npz", content)
    assert message(load, path).startswith(f"{path}: {fragment}")


def test_npz_with_a_repeated_member(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("X.npy", npy([[1], [2]]))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("X.npy", npy([[3], [4]]))
    path = write(tmp_path, "bad.npz", stream.getvalue())
    assert "the archive holds 'X.npy' more than once" in message(load, path)


@pytest.mark.filterwarnings("ignore")
@QUICK
@given(
    archive=st.booleans(),
    cut=st.integers(0, 400),
    position=st.integers(0, 399),
    value=st.integers(0, 255),
)
def test_damaged_binary_files_give_one_line(tmp_path: Path, archive: bool, cut: int, position: int, value: int) -> None:
    content = npz(X=[[1.5], [2.5]], y=[1, 2]) if archive else npy([[1.5, 2.5], [3.5, 4.5]])
    damaged = bytearray(content[: len(content) - cut // 40])
    damaged[position % len(damaged)] = value
    path = write(tmp_path, "damaged.npz" if archive else "damaged.npy", bytes(damaged))
    loaded_or_refused(path)


# --------------------------------------------------------------------------------------------------------
# Preparation


def test_prepare_nothing_keeps_every_bit() -> None:
    data = dataset([[0.1, -0.0], [1e300, 5e-324]], [1.0, 2.0])
    same = prepare(data)
    assert bits(same.inputs) == bits(data.inputs)
    assert same.targets is not None
    assert same.targets.tolist() == [1, 2]
    assert same.label == "toy"


def test_duplicates_keep_the_first_and_the_order() -> None:
    data = dataset([[3, 0.0], [1, 1], [3, -0.0], [1, 1], [2, 2], [1, 1.0000000000000002]], [0, 1, 2, 3, 4, 5])
    distinct = prepare(data, drop_duplicates=True)
    assert distinct.inputs.tolist() == [[3, 0], [1, 1], [2, 2], [1, 1.0000000000000002]]
    assert distinct.targets is not None
    assert distinct.targets.tolist() == [0, 1, 4, 5]
    assert distinct.label == "toy deduplicated"


def test_rows_are_the_head_of_a_seeded_permutation() -> None:
    data = dataset([[k, 10 * k] for k in range(6)], [float(k) for k in range(6)])
    for seed in (0, 7):
        expected = np.random.Generator(np.random.PCG64(seed)).permutation(6)[:4].tolist()
        some = prepare(data, rows=4, shuffle_seed=seed)
        assert some.targets is not None
        assert some.targets.tolist() == expected
        assert some.inputs[:, 1].tolist() == [10 * k for k in expected]
        assert some.label == f"toy rows=4 seed={seed}"
    everything = prepare(data, rows=6).targets
    assert everything is not None
    assert sorted(everything.tolist()) == [0, 1, 2, 3, 4, 5]
    assert prepare(data, shuffle_seed=3).inputs.tolist() == data.inputs.tolist()


def test_the_seeded_permutation_is_pinned() -> None:
    data = dataset([[float(k)] for k in range(8)])
    assert prepare(data, rows=8, shuffle_seed=0).inputs[:, 0].tolist() == [2, 4, 3, 6, 5, 0, 1, 7]


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"rows": 4}, "rows is 4, but there are only 3 to choose from"),
        ({"rows": 3, "drop_duplicates": True}, "rows is 3, but there are only 2 to choose from"),
        ({"rows": 1}, "rows is 1; at least two are needed"),
        ({"rows": -2}, "rows is -2; at least two are needed"),
        ({"rows": 2, "shuffle_seed": -1}, "the shuffle seed is -1; it must not be negative"),
        ({"standardize": True}, "column 1 (counting from 0) is constant"),
        ({"standardize": True}, "try --drop-constant-columns"),
        ({"standardize_targets": True}, "there are no targets to standardize"),
    ],
)
def test_prepare_errors(options: dict[str, Any], fragment: str) -> None:
    assert fragment in message(prepare, dataset([[0, 5], [0, 5], [1, 5]]), **options)


def test_prepare_errors_of_degenerate_data() -> None:
    twins = dataset([[1, 2], [1, 2]], [3, 3])
    assert "one row; at least two are needed" in message(prepare, twins, drop_duplicates=True)
    assert "all columns are constant" in message(prepare, twins, drop_constant=True)
    assert "the targets are constant" in message(prepare, twins, standardize_targets=True)


def test_constant_columns_are_those_with_equal_entries() -> None:
    data = dataset([[1, 7, 0.0, 1], [2, 7, -0.0, np.nextafter(1, 2)]])
    kept = prepare(data, drop_constant=True)
    assert kept.inputs.tolist() == [[1, 1], [2, np.nextafter(1, 2)]]
    assert kept.label == "toy non-constant"


# (-1, 0, 1) has mean 0 and population variance 2/3; (0, 0, 1) has mean 1/3 and population variance 2/9.
THREE = [-math.sqrt(1.5), 0.0, math.sqrt(1.5)]
SPIKE = [-math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, 2, 3], THREE),
        ([0, 0, 1], SPIKE),
        ([1e308, -1e308], [1, -1]),
        ([1.7e308, 1.7e308, 1.6e308], [-x for x in SPIKE]),
        ([-1e300, 0, 1e300], THREE),
        ([5e-324, 1e-323, 1.5e-323], THREE),
        ([0, 0, 5e-324], SPIKE),
        ([1, 1, np.nextafter(1, 2)], SPIKE),
        ([1, np.nextafter(1, 2), np.nextafter(1, 2)], [-x for x in reversed(SPIKE)]),
        ([1e16, 1e16 + 2, 1e16 + 4], THREE),
        ([1e300, 1e300, np.nextafter(1e300, np.inf)], SPIKE),
        ([0.1, 0.1, np.nextafter(0.1, 1)], SPIKE),
        ([0] * 9999 + [1e-200], [-1 / math.sqrt(9999)] * 9999 + [math.sqrt(9999)]),
    ],
)
def test_standardized_columns(column: list[float], expected: list[float]) -> None:
    data = dataset([[x, k] for k, x in enumerate(column)], column)
    both = prepare(data, standardize=True, standardize_targets=True)
    assert both.inputs[:, 0] == pytest.approx(expected, rel=1e-14, abs=1e-15)
    assert both.targets is not None
    assert both.targets.tolist() == both.inputs[:, 0].tolist()
    assert both.label == "toy standardized targets-standardized"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([3, 4], [0.6, 0.8]),
        ([-3e300, 4e300], [-0.6, 0.8]),
        ([1.7e308, 1.7e308], [math.sqrt(0.5)] * 2),
        ([5e-324, 0], [1, 0]),
        ([-1.5e-323, 2e-323], [-0.6, 0.8]),
        ([1e300, 1e-300], [1, 0]),
    ],
)
def test_normalized_rows(row: list[float], expected: list[float]) -> None:
    unit = prepare(dataset([[1, 1], row]), normalize=True)
    assert unit.inputs[0] == pytest.approx([math.sqrt(0.5)] * 2, rel=1e-15)
    assert unit.inputs[1] == pytest.approx(expected, rel=1e-15, abs=1e-300)
    assert unit.label == "toy normalized"


def test_a_zero_row_is_named_as_in_the_source() -> None:
    data = dataset([[1, 1], [1, 1], [0, -0.0], [2, 3]])
    assert "row 2 (counting from 0) is zero" in message(prepare, data, normalize=True)
    assert "row 2 (counting from 0) is zero" in message(prepare, data, drop_duplicates=True, normalize=True)


def test_the_order_of_the_steps() -> None:
    # Without the duplicate of row 0 the first column is (1, 3), which standardizes to (-1, 1); the second
    # becomes constant only once the duplicates are gone, and so must be dropped after them.
    data = dataset([[1, 4, 0], [1, 4, 0], [3, 4, 8]], [5, 9, 7])
    all_steps = prepare(
        data,
        drop_duplicates=True,
        rows=2,
        shuffle_seed=1,
        drop_constant=True,
        standardize=True,
        normalize=True,
        standardize_targets=True,
    )
    order = np.random.Generator(np.random.PCG64(1)).permutation(2).tolist()
    half = math.sqrt(0.5)
    expected = [[[-half, -half], [half, half]][k] for k in order]
    assert all_steps.inputs == pytest.approx(np.array(expected), rel=1e-15)
    assert all_steps.targets is not None
    assert all_steps.targets.tolist() == [[-1, 1][k] for k in order]
    recipe = "deduplicated rows=2 seed=1 non-constant standardized normalized targets-standardized"
    assert all_steps.label == f"toy {recipe}"


def test_standardizing_comes_before_normalizing() -> None:
    data = dataset([[1, 30], [3, 10], [2, 20]])
    assert "row 2 (counting from 0) is zero" in message(prepare, data, standardize=True, normalize=True)


def test_recipes_of_named_sets() -> None:
    pytest.importorskip("sklearn")
    wine = prepare(load("wine"), standardize=True, normalize=True)
    assert wine.label == "wine standardized normalized"
    assert np.linalg.norm(wine.inputs, axis=1) == pytest.approx(np.ones(178), rel=1e-15)
    digits = prepare(load("digits"), rows=500, drop_constant=True)
    assert digits.label == "digits rows=500 seed=0 non-constant"
    assert digits.inputs.shape[0] == 500


PAIRS = st.lists(
    st.tuples(FINITE, FINITE), min_size=2, max_size=8, unique_by=(lambda pair: pair[0], lambda pair: pair[1])
)


@QUICK
@given(pairs=PAIRS)
def test_any_data_can_be_standardized(pairs: list[tuple[float, float]]) -> None:
    columns = prepare(dataset([list(pair) for pair in pairs]), standardize=True).inputs
    assert columns.mean(axis=0) == pytest.approx(np.zeros(2), abs=1e-14)
    assert columns.std(axis=0) == pytest.approx(np.ones(2), rel=1e-14)

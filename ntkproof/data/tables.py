"""Tables of numbers from CSV, NPY and NPZ files.

A number is either taken over exactly, or (a decimal fraction in a CSV file) rounded once to the nearest float64, or
refused with a one-line `InputError` that says where it stands.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.data.files import Floats, exact_float64, listed, npy_array, one_line, quoted


@dataclass(frozen=True)
class Table:
    """What a file holds: values (rows, columns), column names if any, targets (rows,) if separate."""

    values: Floats
    names: list[str] | None = None
    targets: Floats | None = None


# CSV --------------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBER_OR_DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_STARTS_LIKE_NUMBER = re.compile(r"[+-]?[.,]?[0-9]")
_MISSING = frozenset({"", "?", "-", "na", "n/a", "null", "none"})
_DELIMITERS = ",;\t"

_Record = tuple[int, list[str]]  # the 1-based number of its first line, its cells


def read_csv(content: bytes) -> Table:
    """Read text whose cells are separated by commas, semicolons or tabs, with a header or without."""
    text = _decoded(content)
    if not text:
        raise InputError("the file is empty")
    records = _records(text, _delimiter(text))
    first_line, first = records[0]
    names = first if _is_header(first) else None
    rows = records if names is None else records[1:]
    if not rows:
        raise InputError("there are no rows below the header")
    values = [_row(line, cells, first_line, len(first), names) for line, cells in rows]
    return Table(np.array(values, dtype=np.float64), names)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").rstrip(" \r\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line}: not UTF-8 text (byte 0x{content[error.start]:02x})") from None


def _records(text: str, delimiter: str) -> list[_Record]:
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
    records: list[_Record] = []
    line = 1
    try:
        for cells in reader:
            records.append((line, [cell.strip(" \t") for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"line {line}: malformed CSV ({one_line(error)})") from None
    return records


def _delimiter(text: str) -> str:
    present = [delimiter for delimiter in _DELIMITERS if delimiter in text]
    if len(present) < 2:
        return present[0] if present else ","
    return max(present, key=lambda delimiter: _share_of_numbers(text, delimiter))


def _share_of_numbers(text: str, delimiter: str) -> float:
    """The share of cells that are numbers; a decimal comma counts, so that such a file is not torn."""
    try:
        cells = [cell for _, row in _records(text, delimiter) for cell in row]
    except InputError:
        return -1.0
    return sum(_NUMBER_OR_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells) / max(len(cells), 1)


def is_numeric_text(content: bytes) -> bool:
    """Whether at least half of the cells of a text are numbers."""
    try:
        text = _decoded(content)
    except InputError:
        return False
    return _share_of_numbers(text, _delimiter(text)) >= 0.5


def _is_header(cells: list[str]) -> bool:
    """No cell reads as a number of any kind, and one is a name: not missing, not a mistyped number."""
    named = any(cell.lower() not in _MISSING and not _STARTS_LIKE_NUMBER.match(cell) for cell in cells)
    return named and not any(_reads_as_number(cell) for cell in cells)


def _reads_as_number(cell: str) -> bool:
    try:
        float(cell)  # wider than _NUMBER: also nan, inf and 1_000, which are no column names either
    except ValueError:
        return re.fullmatch(r"[+-]?0[xXoObB][0-9a-fA-F_]+", cell) is not None
    return True


def _row(line: int, cells: list[str], first_line: int, width: int, names: list[str] | None) -> list[float]:
    if not cells:
        raise InputError(f"line {line}: blank line inside the table")
    if len(cells) != width:
        problem = "the cell is missing" if len(cells) < width else f"{quoted(cells[width])} is too much"
        widths = f"the width is {len(cells)}, that of line {first_line} is {width}"
        raise InputError(f"{_place(line, min(len(cells), width), names)}: {problem}, {widths}")
    values = []
    for column, cell in enumerate(cells):
        try:
            values.append(_number(cell))
        except InputError as error:
            raise InputError(f"{_place(line, column, names)}: {error}{_header_hint(line, cells)}") from None
    return values


def _place(line: int, column: int, names: list[str] | None) -> str:
    name = "" if names is None else "".join(names[column : column + 1])
    return f"line {line}, column {column + 1}" + (f" ({quoted(name)})" if name else "")


def _header_hint(line: int, cells: list[str]) -> str:
    mixed = line == 1 and any(cell and not _reads_as_number(cell) for cell in cells)
    return " (the first line is a header only if none of its cells is a number)" if mixed else ""


def _number(cell: str) -> float:
    """The float64 nearest to a decimal number; an integer must be exactly a float64."""
    if not cell:
        raise InputError("the cell is empty")
    if not _NUMBER.fullmatch(cell):
        raise InputError(f"{quoted(cell)} is not a finite decimal number")
    value = float(cell)
    if math.isinf(value):
        raise InputError(f"{quoted(cell)} is too large for float64")
    if value == 0.0 and re.search("[1-9]", re.split("[eE]", cell)[0]):
        raise InputError(f"{quoted(cell)} is too small for float64")
    digits = cell.lstrip("+-").lstrip("0")
    if digits.isdigit() and int(digits) != abs(value):
        raise InputError(f"{quoted(cell)} is an integer that float64 cannot hold exactly")
    return value


# NPY and NPZ ------------------------------------------------------------------------------------------------------


def read_npy(content: bytes) -> Table:
    """Read one array of inputs."""
    return Table(_matrix(npy_array(content)))


def read_npz(content: bytes) -> Table:
    """Read an archive of inputs, and of targets if it has them."""
    arrays = _npz_members(content)
    inputs = _only_one(arrays, ("X", "inputs"))
    if inputs is None:
        if len(arrays) != 1:
            raise InputError(f"no array is called 'X' or 'inputs', and the file has {listed(list(arrays))}")
        return Table(_matrix(_member(arrays, next(iter(arrays)))))
    targets = _only_one(arrays, ("y", "targets"))
    return Table(
        _matrix(_member(arrays, inputs), f"array {inputs!r}: "),
        targets=None if targets is None else _vector(_member(arrays, targets), f"array {targets!r}: "),
    )


def _npz_members(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            repeated = [name for name, count in Counter(names).items() if count > 1]
            members = {name.removesuffix(".npy"): archive.read(name) for name in names}
    except Exception as error:  # zipfile and its decompressors raise a dozen types on damaged files
        raise InputError(f"not a readable NPZ file ({one_line(error)})") from None
    if repeated:
        raise InputError(f"the archive holds {quoted(repeated[0])} more than once")
    return members


def _only_one(arrays: dict[str, bytes], names: tuple[str, str]) -> str | None:
    present = [name for name in names if name in arrays]
    if len(present) > 1:
        raise InputError(f"{names[0]!r} or {names[1]!r} is ambiguous: the file has {listed(list(arrays))}")
    return present[0] if present else None


def _member(arrays: dict[str, bytes], name: str) -> NDArray[Any]:
    try:
        return npy_array(arrays[name])
    except InputError as error:
        raise InputError(f"array {quoted(name)}: {error}") from None


def _matrix(array: NDArray[Any], where: str = "") -> Floats:
    if array.ndim != 2:
        raise InputError(f"{where}the shape is {array.shape}; two dimensions (rows, columns) are needed")
    return exact_float64(array, where)


def _vector(array: NDArray[Any], where: str) -> Floats:
    if array.ndim != 1:
        raise InputError(f"{where}the shape is {array.shape}; targets need one dimension (rows,)")
    return exact_float64(array, where)

"""Tables of numbers from CSV, NPY and NPZ files.

A number is either taken over exactly, or (a decimal fraction in a CSV file) rounded once to the nearest float64, or
refused with a one-line `InputError` that says where it stands.
"""

from __future__ import annotations

import csv
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import MAX_COLUMNS, MAX_ROWS
from ntkproof.data.files import Floats, exact_float64, listed, one_line, quoted
from ntkproof.data.npz import Npz, npy_array

MAX_TEXT = 2**28


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
    text = _stripped(content)
    if not text:
        raise InputError("the file is empty")
    records = _records(text, _delimiter(text))
    first_line, first = next(records)
    names = first if _is_header(first) else None
    values: list[Floats] = []
    for line, cells in records if names else chain([(first_line, first)], records):
        if len(values) == MAX_ROWS:
            raise InputError(f"line {line}: there are more than {MAX_ROWS} rows, which is the limit")
        values.append(np.array(_row(line, cells, first_line, len(first), names), dtype=np.float64))
    if not values:
        raise InputError("there are no rows below the header")
    return Table(np.stack(values), names)


def _stripped(content: bytes) -> bytes:
    """Return a text without byte order mark and blank lines at the end."""
    if len(content) > MAX_TEXT:
        raise InputError(f"the text has {len(content)} bytes; the limit is {MAX_TEXT} (an NPY file may be longer)")
    return content.removeprefix(BOM_UTF8).rstrip(b" \r\n")


def _records(text: bytes, delimiter: str) -> Iterator[_Record]:
    """Yield the records of a table one by one; no more of it is in memory than one record of limited width."""
    line = 1
    width = 0

    def lines() -> Iterator[str]:
        nonlocal width
        for physical in TextIOWrapper(BytesIO(text), "utf-8", newline=""):
            width += physical.count(delimiter)
            if width > MAX_COLUMNS:
                raise InputError(f"line {line}: more than {MAX_COLUMNS} columns, which is the limit")
            yield physical

    reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            yield line, [cell.strip(" \t") for cell in cells]
            line, width = reader.line_num + 1, 0
    except csv.Error as error:
        raise InputError(f"line {line}: malformed CSV ({one_line(error)})") from None
    except UnicodeDecodeError as error:  # its position is that in a piece of the text
        byte = error.object[error.start]
        raise InputError(f"line {_undecodable(text)}: not UTF-8 text (byte 0x{byte:02x})") from None


def _undecodable(text: bytes) -> int:
    """Return the line of the first byte that is not UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return text.count(b"\n", 0, error.start) + 1
    return 0


def _delimiter(text: bytes) -> str:
    present = [delimiter for delimiter in _DELIMITERS if delimiter.encode() in text]
    if len(present) < 2:
        return present[0] if present else ","
    return max(present, key=lambda delimiter: _share_of_numbers(text, delimiter))


def _share_of_numbers(text: bytes, delimiter: str) -> float:
    """The share of cells that are numbers; a decimal comma counts, so that such a file is not torn."""
    numbers = total = 0
    try:
        for _, row in _records(text, delimiter):
            numbers += sum(_NUMBER_OR_DECIMAL_COMMA.fullmatch(cell) is not None for cell in row)
            total += len(row)
    except InputError:
        return -1.0
    return numbers / max(total, 1)


def is_numeric_text(content: bytes) -> bool:
    """Whether at least half of the cells of a text are numbers."""
    try:
        text = _stripped(content)
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
    """Read an archive of inputs, and of targets if it has them; other arrays are not looked at."""
    archive = Npz(content)
    inputs = _only_one(archive.names, ("X", "inputs"))
    if inputs is None:
        if len(archive.names) != 1:
            raise InputError(f"no array is called 'X' or 'inputs', and the file has {listed(archive.names)}")
        return Table(_matrix(archive.array(archive.names[0])))
    targets = _only_one(archive.names, ("y", "targets"))
    return Table(
        _matrix(archive.array(inputs), f"array {inputs!r}: "),
        targets=None if targets is None else _vector(archive.array(targets), f"array {targets!r}: "),
    )


def _only_one(arrays: list[str], names: tuple[str, str]) -> str | None:
    present = [name for name in names if name in arrays]
    if len(present) > 1:
        raise InputError(f"{names[0]!r} or {names[1]!r} is ambiguous: the file has {listed(arrays)}")
    return present[0] if present else None


def _matrix(array: NDArray[Any], where: str = "") -> Floats:
    if array.ndim != 2:
        raise InputError(f"{where}the shape is {array.shape}; two dimensions (rows, columns) are needed")
    return exact_float64(array, where)


def _vector(array: NDArray[Any], where: str) -> Floats:
    if array.ndim != 1:
        raise InputError(f"{where}the shape is {array.shape}; targets need one dimension (rows,)")
    return exact_float64(array, where)

"""Data loading and preparation: named sets, CSV, NPY and NPZ files become a `Dataset`.

This module is on the untrusted side.  The statement that is proved is about the float64 numbers in the
`Dataset` it returns, whatever they are; its duty is that those numbers are the ones in the file.  So a
number is either taken over exactly, or (a decimal fraction in a CSV file) rounded once to the nearest
float64, or refused with a one-line `InputError` that says where it stands.  Nothing is guessed, filled in,
skipped or downloaded.
"""

from __future__ import annotations

import importlib
import math
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.data.files import Floats, contents, exact_float64, listed, printable, quoted
from ntkproof.data.tables import Table, is_numeric_text, read_csv, read_npy, read_npz

__all__ = ["NAMED", "NamedFacts", "NamedSet", "describe", "load", "prepare"]


# --------------------------------------------------------------------------------------------------------
# Named sets


@dataclass(frozen=True)
class NamedSet:
    """A data set that ships with scikit-learn.

    `loader` is the function of `sklearn.datasets`, `classes` the number of class labels 0, 1, ... in the
    targets (None: real-valued targets), `description` one line with the origin.
    """

    loader: str
    classes: int | None
    description: str

    @property
    def targets(self) -> str:
        """What the targets are: "classes 0..2" or "real"."""
        return "real" if self.classes is None else f"classes 0..{self.classes - 1}"


NAMED: dict[str, NamedSet] = {
    "iris": NamedSet("load_iris", 3, "sepals and petals of three iris species, in cm (Fisher 1936)"),
    "wine": NamedSet("load_wine", 3, "chemical analysis of wines of three cultivars (Forina, UCI 1991)"),
    "breast_cancer": NamedSet(
        "load_breast_cancer",
        2,
        "cell nuclei of breast masses, 0 malignant and 1 benign (Street, Wolberg and Mangasarian, UCI 1993)",
    ),
    "diabetes": NamedSet(
        "load_diabetes",
        None,
        "disease progression after a year, inputs as scaled by scikit-learn (Efron et al. 2004)",
    ),
    "digits": NamedSet(
        "load_digits", 10, "8x8 images of handwritten digits, pixels 0..16 (Alpaydin and Kaynak, UCI 1998)"
    ),
}


class NamedFacts(TypedDict):
    """One row of `describe`; a number is None if scikit-learn is not installed."""

    name: str
    rows: int | None
    columns: int | None
    targets: str
    duplicate_pairs: int | None
    constant_columns: int | None
    available: bool
    description: str


def describe() -> list[NamedFacts]:
    """Facts about every named set, in the order of `NAMED`.

    `duplicate_pairs` counts the pairs i < j of equal input rows, `constant_columns` the input columns
    whose entries are all equal, `available` says whether scikit-learn can be imported.  Never raises.
    """
    return [_facts(name) for name in NAMED]


def _facts(name: str) -> NamedFacts:
    facts = NamedFacts(
        name=name,
        rows=None,
        columns=None,
        targets=NAMED[name].targets,
        duplicate_pairs=None,
        constant_columns=None,
        available=False,
        description=NAMED[name].description,
    )
    try:
        inputs = _load_named(name).inputs
    except InputError:
        return facts
    facts["available"] = True
    facts["rows"], facts["columns"] = inputs.shape
    facts["duplicate_pairs"] = sum(math.comb(count, 2) for count in Counter(_row_keys(inputs)).values())
    facts["constant_columns"] = int(np.count_nonzero(_constant_columns(inputs)))
    return facts


def _load_named(name: str) -> Dataset:
    try:
        module = importlib.import_module("sklearn.datasets")
    except ImportError:
        hint = "needs scikit-learn: pip install 'ntkproof[data]'"
        raise InputError(f"the named dataset {name!r} {hint}") from None
    bunch = getattr(module, NAMED[name].loader)()
    return Dataset(exact_float64(bunch.data), exact_float64(bunch.target), label=name)


# --------------------------------------------------------------------------------------------------------
# Loading


def load(source: str | Path, *, target: str | int | None = None) -> Dataset:
    """Load a named set or a file, as float64 inputs of shape (rows, columns) and targets of shape (rows,).

    A source that equals a name in `NAMED` (in any case, if there is no such file) is that named set, with its
    scikit-learn targets as float64; a
    file wins over a named set only if it has a suffix, so a file that is called just "wine" is reached as
    the string "./wine" or by its absolute path.  Every other source is a file:

    - CSV (.csv, .tsv): comma, semicolon or tab; decimal point; UTF-8 with or without BOM.  The first line
      is a header if none of its cells is a number.  All other cells must be finite decimal numbers.
    - NPY (.npy): one array of shape (rows, columns) of integers, float16, float32 or float64.
    - NPZ (.npz): the array "X" or "inputs", and optionally "y" or "targets" of shape (rows,), other arrays
      being ignored; or an archive of exactly one array, the inputs.

    A file with another suffix or none is recognised by its content if that is unambiguous.  `target`
    selects the column that becomes the targets and leaves the inputs: a name from the CSV header, or a
    0-based index, negative ones counting from the end (a string that is no header name may be such an
    index).  Without it all columns are inputs, and targets is None unless the NPZ file has them.

    Files are regular files or links to them, within the limits of ``docs/robustness.md``.

    Raises `InputError`, in one line, if there is no such set or file, or if anything in the file is not a
    number that float64 holds (integers must be held exactly).
    """
    name, path = str(source), Path(source)
    if name not in NAMED and not os.path.exists(name):
        name = name.lower()
    if name in NAMED:
        if target is not None:
            raise InputError(f"the named dataset {name!r} has its own targets; drop the target column")
        return _load_named(name)
    content = _content(path, str(source))
    try:
        table = _reader(path, content)(content)
        inputs, targets = _split(table, target)
        chosen = [] if target is None else [f"target={target}"]
        return Dataset(inputs, targets, label=_joined(path.name, chosen))
    except InputError as error:
        raise InputError(f"{printable(str(source))}: {error}") from None


def _content(path: Path, source: str) -> bytes:
    if not source.strip():
        raise InputError(f"the name of the dataset is empty; {_CHOICES}")
    if not (path.suffix or path.name != source or os.path.lexists(path)):
        raise InputError(f"{source!r} is neither a named dataset nor a file; {_CHOICES}")
    try:
        return contents(path)
    except InputError as error:
        raise InputError(f"{printable(source)}: {error}") from None


def _reader(path: Path, content: bytes) -> Callable[[bytes], Table]:
    suffix = path.suffix.lower()
    if suffix in _READERS:
        return _READERS[suffix]
    if content.startswith(b"\x93NUMPY"):
        return read_npy
    if content.startswith(b"PK\x03\x04"):
        return read_npz
    if is_numeric_text(content):
        return read_csv
    raise InputError(f"unknown format; {_CHOICES}")


def _split(table: Table, target: str | int | None) -> tuple[Floats, Floats | None]:
    if target is None:
        return table.values, table.targets
    if table.targets is not None:
        raise InputError("the file has its own targets; drop the target column")
    index = _target_index(target, table.names, table.values.shape[1])
    return np.delete(table.values, index, axis=1), table.values[:, index]


def _target_index(target: str | int, names: list[str] | None, width: int) -> int:
    if isinstance(target, str) and names is not None and target in names:
        if names.count(target) > 1:
            raise InputError(f"several columns are called {quoted(target)}; give the index of the target")
        return names.index(target)
    if isinstance(target, str) and not re.fullmatch(r"[+-]?[0-9]{1,9}", target):
        columns = "there is no header" if names is None else "the header has " + listed(names)
        raise InputError(f"no column is called {quoted(target)}: {columns}")
    index = int(target)
    if not -width <= index < width:
        allowed = f"0..{width - 1} (or {-width}..-1, from the end)"
        raise InputError(f"target column {index} does not exist: the column indices are {allowed}")
    return index % width


# --------------------------------------------------------------------------------------------------------
# Preparation


def prepare(
    dataset: Dataset,
    *,
    drop_duplicates: bool = False,
    rows: int | None = None,
    shuffle_seed: int = 0,
    drop_constant: bool = False,
    standardize: bool = False,
    normalize: bool = False,
    standardize_targets: bool = False,
) -> Dataset:
    """Select rows and columns and rescale, always in this order, and record the recipe in the label.

    1. `drop_duplicates`: of equal input rows (as real numbers: 0.0 equals -0.0) the first one stays, with
       its target; the order is kept.
    2. `rows`: the first `rows` (2..n) of numpy's PCG64 `Generator(shuffle_seed).permutation`; None keeps
       all rows in their order.
    3. `drop_constant`: input columns whose entries are all equal go.
    4. `standardize`: every input column gets mean 0 and population standard deviation 1 (ddof = 0).
    5. `normalize`: every input row gets Euclidean norm 1, up to rounding.
    6. `standardize_targets`: the targets get mean 0 and population standard deviation 1.

    The result is a new `Dataset` of shape (rows kept, columns kept); values are dimensionless after 4-6.
    A column is constant only if all entries are equal, however near they are; neither large nor tiny
    values overflow or underflow on the way.  Raises `InputError` for `rows` or a seed out of range, a
    constant column in 4, a zero row in 5 (both 0-based, the row as in `dataset`), nothing left after 1
    or 3, and for absent or constant targets in 6.
    """
    kept = _distinct_rows(dataset.inputs) if drop_duplicates else np.arange(len(dataset.inputs))
    if rows is not None:
        kept = kept[_sample(len(kept), rows, shuffle_seed)]
    if len(kept) < 2:
        raise InputError("without duplicates the dataset has one row; at least two are needed")
    inputs = dataset.inputs[kept]
    targets = None if dataset.targets is None else dataset.targets[kept]
    if drop_constant:
        inputs = _without_constant_columns(inputs)
    if standardize:
        inputs = _standardized_columns(inputs)
    if normalize:
        inputs = _normalized_rows(inputs, kept)
    if standardize_targets:
        targets = _standardized_targets(targets)
    recipe = [
        (drop_duplicates, "deduplicated"),
        (rows is not None, f"rows={rows} seed={shuffle_seed}"),
        (drop_constant, "non-constant"),
        (standardize, "standardized"),
        (normalize, "normalized"),
        (standardize_targets, "targets-standardized"),
    ]
    return Dataset(inputs, targets, label=_joined(dataset.label, [word for used, word in recipe if used]))


def duplicates(dataset: Dataset) -> str:
    """Return in one line how many rows `prepare` drops as duplicates and whether their targets differ."""
    rows = len(dataset.inputs)
    kept = dict(zip(reversed(_row_keys(dataset.inputs)), reversed(range(rows)), strict=True))  # the first of each key
    firsts = [kept[key] for key in _row_keys(dataset.inputs)]
    gone = rows - len(kept)
    line = f"--drop-duplicates: {gone} of {rows} rows dropped"
    if dataset.targets is None or not gone:
        return line
    others = [k for k, first in enumerate(firsts) if dataset.targets[k] != dataset.targets[first]]
    if not others:
        return f"{line}, with the same targets as the rows that stay"
    k = others[0]
    return (
        f"{line}, {len(others)} with another target than the row that stays: row {k} (counting from 0) has "
        f"{dataset.targets[k]:.6g}, row {firsts[k]} has {dataset.targets[firsts[k]]:.6g}"
    )


def _row_keys(inputs: Floats) -> list[bytes]:
    """One key per row, equal exactly for equal rows (adding 0.0 turns -0.0 into 0.0)."""
    return [row.tobytes() for row in inputs + 0.0]


def _distinct_rows(inputs: Floats) -> NDArray[np.int64]:
    first: dict[bytes, int] = {}
    for index, key in enumerate(_row_keys(inputs)):
        first.setdefault(key, index)
    return np.array(list(first.values()), dtype=np.int64)


def _sample(available: int, rows: int, seed: int) -> NDArray[np.int64]:
    if rows < 2:
        raise InputError(f"rows is {rows}; at least two are needed")
    if rows > available:
        raise InputError(f"rows is {rows}, but there are only {available} to choose from")
    if seed < 0:
        raise InputError(f"the shuffle seed is {seed}; it must not be negative")
    return np.random.Generator(np.random.PCG64(seed)).permutation(available)[:rows]


def _constant_columns(inputs: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.all(inputs == inputs[0], axis=0))


def _without_constant_columns(inputs: Floats) -> Floats:
    constant = _constant_columns(inputs)
    if constant.all():
        raise InputError("all columns are constant; nothing is left after dropping them")
    return inputs[:, ~constant]


def _standardized_columns(inputs: Floats) -> Floats:
    constant = np.flatnonzero(_constant_columns(inputs))
    if constant.size:
        advice = "it cannot be standardized; try --drop-constant-columns"
        raise InputError(f"column {constant[0]} (counting from 0) is constant: {advice}")
    return np.column_stack([_standardized(column) for column in inputs.T])


def _standardized_targets(targets: Floats | None) -> Floats:
    if targets is None:
        raise InputError("there are no targets to standardize")
    if np.all(targets == targets[0]):
        raise InputError("the targets are constant: they cannot be standardized")
    return _standardized(targets)


def _standardized(values: Floats) -> Floats:
    """(values - mean) / std for values that are not all equal, without overflow or cancellation.

    With the largest magnitude in [1/2, 1), two different values differ by at least 2^-54, so the squares
    do not underflow.  The second centring removes the rounding error of the first mean, which for nearly
    constant values is as large as the deviations themselves; those differences are exact (Sterbenz).
    """
    scaled = _unit_scaled(values)
    centred = scaled - _mean(scaled)
    centred = centred - _mean(centred)
    return np.asarray(centred / math.sqrt(_mean(centred * centred)))


def _mean(values: Floats) -> float:
    return math.fsum(values.tolist()) / len(values)


def _unit_scaled(values: Floats) -> Floats:
    """The values times the power of two that brings the largest magnitude into [1/2, 1)."""
    exponent = math.frexp(float(np.max(np.abs(values))))[1]
    return np.asarray(np.ldexp(values, -exponent))


def _normalized_rows(inputs: Floats, kept: NDArray[np.int64]) -> Floats:
    zero = np.flatnonzero(~np.any(inputs, axis=1))
    if zero.size:
        raise InputError(f"row {kept[zero[0]]} (counting from 0) is zero: it has no direction to normalize")
    return np.vstack([_normalized(row) for row in inputs])


def _normalized(row: Floats) -> Floats:
    scaled = _unit_scaled(row)
    return np.asarray(scaled / math.sqrt(math.fsum((scaled * scaled).tolist())))


# --------------------------------------------------------------------------------------------------------
# One-line messages


def _joined(label: str, words: list[str]) -> str:
    return " ".join(printable(word) for word in [label, *words] if word)


_CHOICES = f"the named datasets are {', '.join(NAMED)}, the file formats .csv, .npy and .npz"
_READERS: dict[str, Callable[[bytes], Table]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".npy": read_npy,
    ".npz": read_npz,
}

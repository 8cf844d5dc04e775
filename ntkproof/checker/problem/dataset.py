"""The samples: the float64 numbers themselves, taken as exact real numbers.

Trusted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ntkproof.checker.logic.arrays import Source, floats_in
from ntkproof.checker.logic.load import load
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.reading import Reader, record, text

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ROWS = 20_000

MAX_COLUMNS = 100_000

MAX_LABEL = 2000


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset of ``n`` samples with ``d`` inputs: the float64 numbers themselves.

    Args:
        inputs: array of shape ``(n, d)``; converted to float64 only if that is exact.
        targets: array of shape ``(n,)`` or None.
        label: where the data came from; a comment, never part of a statement.

    Raises:
        InputError: wrong shape, fewer than two rows, absurd sizes, NaN or infinity, or a lossy conversion.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64] | None = None
    label: str = ""
    about: ClassVar[str] = "a dataset"

    def __post_init__(self) -> None:
        if len(self.label) > MAX_LABEL or not self.label.isprintable():
            raise InputError(f"the label must be printable and at most {MAX_LABEL} characters")
        inputs = float64_array(self.inputs, "inputs", 2)
        n, d = inputs.shape
        if n == 0 or d == 0:
            raise InputError(f"the dataset is empty: {n} rows, {d} columns")
        if n == 1:
            raise InputError("the dataset has one row; at least two are needed")
        if n > MAX_ROWS or d > MAX_COLUMNS:
            raise InputError(f"the dataset is {n} x {d}; the limits are {MAX_ROWS} rows and {MAX_COLUMNS} columns")
        object.__setattr__(self, "inputs", inputs)
        if self.targets is not None:
            targets = float64_array(self.targets, "targets", 1)
            if targets.shape != (n,):
                raise InputError(f"{targets.shape[0]} targets for {n} rows")
            object.__setattr__(self, "targets", targets)

    @property
    def n(self) -> int:
        """Number of samples (rows)."""
        return int(self.inputs.shape[0])

    @property
    def d(self) -> int:
        """Number of inputs (columns)."""
        return int(self.inputs.shape[1])

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of shape and little-endian float64 (row-major) of the inputs, then of the targets if any."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets):
            if array is not None:
                digest.update(str(array.shape).encode() + array.astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def exponent(self) -> int:
        """The largest ``k`` (at most 0 if all inputs are zero) such that ``inputs * 2**-k`` are integers."""
        numbers = self.inputs[self.inputs != 0]
        if numbers.size == 0:
            return 0
        mantissas, exponents = np.frexp(numbers)
        integers = (mantissas * 2.0**53).astype(np.int64)
        trailing = np.bitwise_count((integers & -integers) - 1).astype(np.int64)
        return int((exponents.astype(np.int64) - 53 + trailing).min())

    def __repr__(self) -> str:
        targets = "" if self.targets is None else ", with targets"
        return f"Dataset({self.n} x {self.d}{targets}, sha256 {self.sha256[:16]}…, {self.label or 'no label'})"

    def facts(self) -> dict[str, str | int]:
        """Return what a verdict says of the data."""
        return {"label": self.label, "rows": self.n, "columns": self.d, "sha256": self.sha256}


def float64_array(array: Any, name: str, dimensions: int) -> NDArray[np.float64]:
    """Return an array of so many dimensions as float64, read-only; InputError unless that is exact and finite."""
    raw = np.asarray(array)
    if raw.ndim != dimensions:
        raise InputError(f"{name} must have {dimensions} dimension(s), not {raw.ndim}")
    if raw.dtype != np.float64:
        raw = load("problem.conversion").as_float64(raw, name)
    values = np.array(raw, order="C")
    if not np.isfinite(values).all():
        where = ", ".join(str(int(k)) for k in np.argwhere(~np.isfinite(values))[0])
        raise InputError(f"{name} contain NaN or infinity at [{where}] (counted from 0)")
    values.setflags(write=False)
    return values


def dataset_in(source: Source) -> Reader:
    """Return the reader of ``problem.dataset``."""

    def read(raw: Any, where: str) -> Dataset:
        fields = {"label": text, "inputs": floats_in(source, 2), "targets": floats_in(source, 1)}
        return Dataset(**record(raw, where, fields, optional=("targets",)))

    return read

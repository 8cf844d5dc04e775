"""What formulas and rules ask of an arithmetic: for readers and type checkers; nothing here runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from fractions import Fraction

    import numpy as np

Tick = Callable[[int, int], None]


Ints = NDArray[Any]
"""A two-dimensional array of integers: int64 or Python ints."""


class Numbers(Protocol):
    """Arithmetic a formula is read in.  Its values also support ``+ − × ÷`` among themselves and with ``int``."""

    @property
    def pi(self) -> Any:
        """π."""

    def rational(self, value: Fraction | int) -> Any:
        """An exact rational."""

    def sqrt(self, x: Any) -> Any:
        """√x of a number known to be ≥ 0."""

    def nonnegative(self, x: Any) -> Any:
        """x itself, known to be ≥ 0."""

    def angle(self, x: Any, y: Any) -> Any:
        """The argument of ``x + iy`` in ``[0, π]``; ``y`` is known to be ≥ 0; any such angle if both are 0."""

    def exp(self, x: Any) -> Any:
        """eˣ."""


class Scalars(Numbers, Protocol):
    """A number context that also has the logarithm."""

    def log(self, x: Any) -> Any:
        """The natural logarithm."""


class Fixed(Protocol):
    """What the evaluation of a network asks of an arithmetic; each raises OverflowError when numbers are too large."""

    def quantise(self, values: NDArray[np.float64], factor: Fraction, p: int) -> Ints:
        """Return integers ``A`` with ``|A − 2^p s values| ≤ 1`` entry by entry, for every s within 2^-100 of factor."""

    def integers(self, values: NDArray[np.int64]) -> Ints:
        """Return int64 integers as this arithmetic keeps them."""

    def times(self, a: Ints, b: Ints, shift: int) -> Ints:
        """Return integers ``C`` with ``|C − 2^-shift a ∘ b| ≤ 1`` entry by entry; shapes may broadcast."""

    def product(self, a: Ints, b: Ints, shift: int) -> Ints:
        """Return integers ``C`` with ``|C − 2^-shift a bᵀ| ≤ 3`` entry by entry."""

    def grams(self, n: int) -> Grams:
        """Return an empty sum of Gram matrices of order n."""


class Grams(Protocol):
    """An exact sum of Gram matrices ``a aᵀ``."""

    def add(self, a: Ints) -> None:
        """Add ``a aᵀ``; all ``a`` have n rows, and none more columns than the first."""

    def total(self) -> Ints:
        """Return the sum as an array of Python ints."""


class Matrix(Protocol):
    """A symmetric integer matrix, as an arithmetic keeps it."""

    @property
    def n(self) -> int:
        """Its order."""

    def entry(self, i: int, j: int) -> int:
        """Entry ``(i, j)``."""

    def lower(self) -> Iterator[int]:
        """The lower triangle, row by row."""


class Arithmetic(Protocol):
    """What the rules ask of an arithmetic; every answer is exact or a proved enclosure."""

    name: str
    trusts: str
    float64: bool  # whether float64 is used elementwise, where it is exact or its error is proved
    context: Any  # a number context: `Numbers` with ``at``, ``ball`` and ``quantise``

    @property
    def fixed(self) -> Fixed:
        """Fixed-point matrices."""

    def numbers(self, bits: int, places: int = 0) -> AbstractContextManager[Any]:
        """Enter `context` at a precision of at least so many bits; ``places`` are those of what it is to give."""

    def gram(self, inputs: NDArray[np.float64], exponent: int) -> Matrix:
        """Return the exact integer matrix ``4^-exponent XXᵀ``."""

    def residual_norm(self, matrix: Matrix, shift: int, sign: int, e: int, witness: tuple[int, bytes], f: int) -> int:
        """Return ``max_i Σ_j |2^e sign (A_ij − shift δ_ij) − 2^f (ΛΛᵀ)_ij|``, Λ given as (width, packed bytes)."""

    def quadratic_form(self, matrix: Matrix, v: list[int]) -> int:
        """Return ``vᵀAv``."""

    def congruence(self, matrix: Matrix | None, n: int, witness: tuple[int, bytes]) -> tuple[list[int], int]:
        """Return the diagonal of ``C = U A Uᵀ`` and ``max_i Σ_{j≠i} |C_ij|``; A is the identity if None.

        U is an n x n matrix given by rows as (width, bytes).
        """

    def symmetric(self, n: int, packed: list[int]) -> Matrix:
        """Return the symmetric matrix with this row-major lower triangle."""

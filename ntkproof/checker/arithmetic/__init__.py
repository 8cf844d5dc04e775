"""The two arithmetics a proof is checked in: ``reference`` and ``fast``; the same answers, by different means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic.fixed import Fixed
from ntkproof.problem import Problem

Tick = Callable[[int, int], None]


class Matrix(Protocol):
    """A symmetric integer matrix, as an arithmetic keeps it."""

    @property
    def n(self) -> int:
        """Its order."""

    def entry(self, i: int, j: int) -> int:
        """Entry ``(i, j)``."""

    def floats(self, exponent: int) -> NDArray[np.float64]:
        """Return ``2^exponent A`` rounded to float64, shape ``(n, n)``; untrusted, for searches."""

    def lower(self) -> Iterator[int]:
        """The lower triangle, row by row."""


class Arithmetic(Protocol):
    """What the rules ask of an arithmetic; every answer is exact or a proved enclosure."""

    name: str
    trusts: str
    fixed: Fixed

    def enclose_kernel(
        self, problem: Problem, precision: int, working: int, tick: Tick, terms: int = 0
    ) -> tuple[Matrix, int]:
        """Return integers ``A`` and ``ρ`` with ``‖H − 2^-precision A‖ ≤ 2^-precision ρ``, from ``working`` bits.

        ``terms`` is the length of Hermite expansions, for activations without a closed form.
        """

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

    def activation_values(
        self, name: str, z: NDArray[np.int64], p: int, q: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Return σ and σ' at ``x = 2^-p z``, and one bound of all their errors.

        At a kink at 0 the derivative is the one from the right; `tables.kinks` says where that happens.

        Args:
            name: of σ, as in a `Network`.
            z: int64 array of any shape.
            p, q: places of the arguments and of the results, 0 to 60.

        Returns:
            int64 arrays ``values`` and ``slopes`` of the shape of z and ``error ≥ 0`` with
            ``|σ(x) − 2^-q values| ≤ 2^-q error`` and ``|σ'(x) − 2^-q slopes| ≤ 2^-q error`` at every entry.

        Raises:
            Rejection: ``no-enclosure``: σ or σ' is not known at an argument, does not fit 62 bits, or (``fast``) the
                arguments are too large or too far apart.
        """

    def numbers(self, bits: int) -> AbstractContextManager[Any]:
        """Enter an enclosing number context (`Numbers` with ``quantise``) of at least so many bits."""


def arithmetic(name: str) -> Any:
    """Return the arithmetic ``reference`` or ``fast``.

    Raises:
        ValueError: any other name.
    """
    if name == "reference":
        from ntkproof.checker.arithmetic.reference import Reference

        return Reference()
    if name == "fast":
        from ntkproof.checker.arithmetic.fast import Fast

        return Fast()
    raise ValueError(f"unknown engine {name!r}; there are reference, fast")

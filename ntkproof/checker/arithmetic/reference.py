"""The ``reference`` arithmetic: Python integers and mpmath intervals, nothing compiled to trust but CPython.

Trusted.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import Tick, exact, tables
from ntkproof.checker.arithmetic.fixed import Exact
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.kernels import enclose_entries
from ntkproof.problem import Problem

_INTERVALS = Intervals(64)


class Reference:
    """See `ntkproof.checker.arithmetic.Arithmetic`."""

    name = "reference"
    fixed = Exact()
    trusts = "CPython integers; mpmath interval + - * /"

    def enclose_kernel(
        self, problem: Problem, precision: int, working: int, tick: Tick, terms: int = 0
    ) -> tuple[exact.Symmetric, int]:
        """Enclose the kernel's Gram matrix with intervals of at least ``working`` bits, more than ``fast`` uses."""
        numbers = Intervals(max(working, precision) + 16)
        inputs = self.gram(problem.dataset.inputs, problem.dataset.exponent)
        packed, radius = enclose_entries(
            problem, inputs, numbers, lambda x: numbers.quantise(x, precision), tick, terms
        )
        return exact.Symmetric.from_lower(inputs.n, packed), radius

    def gram(self, inputs: NDArray[np.float64], exponent: int) -> exact.Symmetric:
        """Return the exact integer Gram matrix of the rows."""
        return exact.gram(inputs, exponent)

    def residual_norm(
        self, matrix: exact.Symmetric, shift: int, sign: int, e: int, witness: tuple[int, bytes], f: int
    ) -> int:
        """Return the exact norm of the residual of a witness."""
        triangle = exact.Triangular.from_bytes(matrix.n, *witness)
        return exact.residual_norm(matrix, shift, sign, e, triangle, f)

    def quadratic_form(self, matrix: exact.Symmetric, v: list[int]) -> int:
        """Return ``vᵀAv``."""
        return exact.quadratic_form(matrix, v)

    def congruence(self, matrix: exact.Symmetric | None, n: int, witness: tuple[int, bytes]) -> tuple[list[int], int]:
        """Return the diagonal and the off-diagonal norm of ``U A Uᵀ``."""
        return exact.congruence(matrix, n, *witness)

    def symmetric(self, n: int, packed: list[int]) -> exact.Symmetric:
        """Return the symmetric matrix of a packed lower triangle."""
        return exact.Symmetric.from_lower(n, packed)

    def activation_values(
        self, name: str, z: NDArray[np.int64], p: int, q: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Enclose σ and σ' at each point by itself."""
        return tables.pointwise(name, z, p, q, _INTERVALS)

    def numbers(self, bits: int) -> AbstractContextManager[Intervals]:
        """Enter intervals of a few bits more."""
        return nullcontext(Intervals(bits + 16))

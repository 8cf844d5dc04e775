"""Exact congruences ``U A Uᵀ`` on NumPy/BLAS, for whole spectra; see `slices`.

Trusted.  Proofs: ``docs/proofs/exact-products.md``.
"""

from __future__ import annotations

import numpy as np

from ntkproof.checker.arithmetic.exact import check_length
from ntkproof.checker.arithmetic.slices import (
    WORD_LIMIT,
    Floats,
    Stack,
    Symmetric,
    Words,
    balanced,
    python_ints,
    slice_bits,
    spans,
    stack,
    unpack,
)


def congruence(matrix: Symmetric | None, n: int, width: int, data: bytes) -> tuple[list[int], int]:
    """Exact diagonal of C = U A U^T and max_i sum_(j != i) |C_ij|; A is the identity when `matrix` is None.

    Arguments and errors as `exact.congruence`; OverflowError if a run-time exactness check fails.
    """
    check_length("a square matrix", len(data), width * n * n)
    bits = slice_bits(n)
    if n << bits >= WORD_LIMIT:
        raise OverflowError("a sum of digits could reach 2^62")
    rows = left = stack([plane.reshape(n, n) for plane in unpack(data, width, bits)])
    if matrix is not None:
        check_length("the witness", n, matrix.n)
        words = _product(rows, _dense(matrix, bits), bits)
        left = stack(balanced(words.words, bits))
    words = _product(left, rows, bits)
    diagonal = python_ints([word.diagonal() for word in words.words], bits).tolist()
    for word in words.words:
        np.fill_diagonal(word, 0)
    totals = [digits.sum(axis=1) for digits in words.absolute()]
    return diagonal, int(max(python_ints(totals, bits)))


def _product(left: Stack, right: Stack, bits: int) -> Words:
    """L R^T, one slice of L at a time: less memory."""
    words = Words(bits, (left.values.shape[1], right.values.shape[1]))
    for t in range(len(left.peaks)):
        words.add_product(Stack(left.values[t : t + 1], left.peaks[t : t + 1]), right, 1, bits * t)
    return words


def _dense(matrix: Symmetric, bits: int) -> Stack:
    """The whole of a symmetric matrix in float64 slices of `bits` bits."""
    full: list[Floats] = []
    for (first, stop), block in zip(spans(matrix.n), matrix.blocks, strict=True):
        words = Words(bits, (stop - first, stop))
        words.add_slices(block, matrix.bits, 1, 0)
        planes = balanced(words.words, bits)
        full += [np.zeros((matrix.n, matrix.n)) for _ in planes[len(full) :]]
        for target, plane in zip(full, planes, strict=False):
            target[first:stop, :stop] = plane
            target[:stop, first:stop] = plane.T
    return stack(full)

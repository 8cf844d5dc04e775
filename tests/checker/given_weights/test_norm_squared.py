"""Norms of matrices with a few long rows, whose Gram matrix is summed in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from units import change

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.given_weights.norms import BLOCK, norm_squared


def random_integers(rows: int, columns: int, bits: int = 40) -> np.ndarray:
    return np.random.default_rng(rows + columns).integers(-(2**bits), 2**bits, (rows, columns))


@pytest.mark.parametrize("columns", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_norm_of_long_rows_is_a_bound_and_sharp(columns: int, transposed: bool):
    a = random_integers(6, columns)
    truth = np.linalg.norm(a.astype(np.float64) / 2**40, 2) ** 2
    numbers = arithmetic("fast").fixed
    found = float(norm_squared(numbers, a.T if transposed else a)) / 4**40
    assert truth * (1 - 1e-12) <= found <= truth * 6 ** (2.0**-6) * (1 + 1e-9)


def test_the_arithmetics_agree_on_long_rows():
    a = random_integers(3, BLOCK + 1000)
    fast, reference = (arithmetic(name).fixed for name in ("fast", "reference"))
    exact = norm_squared(reference, a.astype(object))
    assert abs(norm_squared(fast, a) - exact) <= exact / 10**9


def test_many_long_rows_are_not_cut(monkeypatch: pytest.MonkeyPatch):
    """Their Gram matrix is in 64-bit words: it would be large in Python integers."""
    a, numbers = random_integers(4, BLOCK + 1), arithmetic("fast").fixed
    cut = norm_squared(numbers, a)
    change(monkeypatch, FEW=3)
    monkeypatch.setattr(numbers, "grams", None, raising=False)
    assert abs(norm_squared(numbers, a) - cut) <= cut / 10**9

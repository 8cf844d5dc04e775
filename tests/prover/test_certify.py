"""The search for proofs of λ_min: near-singular kernels, every gap, and what it says when a gap is out of reach.

The truth comes from `oracle`, which knows nothing of the package.
"""

from __future__ import annotations

import json
import random
from fractions import Fraction
from itertools import product
from pathlib import Path

import flint
import numpy as np
import oracle
import pytest

from ntkproof.certificate import write
from ntkproof.checker import check
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover import factor
from ntkproof.prover import lambda_min as search
from ntkproof.prover.certify import certify

RELU_FAMILY = ("relu", "leaky_relu(0.3)", "leaky_relu(-0.5)", "abs", "identity")
POWERS = {"erf": 2, "sin": 2, "relu": 1, "abs": 1}  # lambda_min of rows eps apart is about eps to this power
CLOSED = (*RELU_FAMILY, "erf", "sin", "cos")


@pytest.fixture(autouse=True)
def many_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer halves the digits that the oracle has of the angle of parallel rows."""
    monkeypatch.setattr(oracle, "BITS", 2400)


def planted(n: int, d: int, eps: float, pairs: int = 1, seed: int = 1) -> np.ndarray:
    """Unit rows, the last ones ``eps`` apart from the first."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    x /= np.linalg.norm(x, axis=1)[:, None]
    for k in range(pairs):
        x[n - 1 - k] = x[k] + eps * rng.standard_normal(d)
    return x


def reached(certificate: Certificate) -> Fraction:
    lower, upper = (Fraction(certificate.conclusion[side]) for side in ("lower", "upper"))
    return (upper - lower) / upper


def true(certificate: Certificate, folder: Path) -> bool:
    """Whether the oracle confirms the conclusion."""
    path = folder / "it.cert.json"
    write(certificate, path)
    return oracle.holds(json.loads(path.read_text()), folder)


# Near-singular kernels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "power", "size"),
    [(name, power, size) for size in (4, 8, 13, 18, 24) for name, power in POWERS.items() if size < 15 * power],
)
def test_an_eigenvalue_of_any_size_is_enclosed(activation: str, power: int, size: int, tmp_path: Path) -> None:
    certificate = certify(Dataset(planted(12, 5, 10.0 ** (-size / power))), Network(activation))
    assert reached(certificate) <= Fraction(1, 10**6)
    assert 10.0 ** (-size - 4) < float(certificate.conclusion["upper"]) < 10.0 ** (3 - size)
    assert all(check(certificate, engine=engine).valid for engine in ("fast", "reference"))
    assert true(certificate, tmp_path)


@pytest.mark.parametrize("pairs", [2, 8])
def test_several_eigenvalues_of_one_size(pairs: int, tmp_path: Path) -> None:
    certificate = certify(Dataset(planted(30, 6, 1e-11, pairs)), Network("erf", train="hidden"), gap=1e-9)
    assert reached(certificate) <= Fraction(1, 10**9)
    assert check(certificate).valid
    assert true(certificate, tmp_path)


def test_a_small_eigenvalue_that_no_pair_of_rows_explains(tmp_path: Path) -> None:
    x = np.linspace(-0.3, 0.3, 16)[:, None] * np.array([[1.0, 0.0]]) + np.array([[0.0, 0.5]])
    certificate = certify(Dataset(x), Network("erf"))
    assert 0 < float(certificate.conclusion["upper"]) < 1e-12
    assert reached(certificate) <= Fraction(1, 10**6)
    assert check(certificate).valid
    assert true(certificate, tmp_path)


def test_deep_kernels_of_nearly_parallel_rows(tmp_path: Path) -> None:
    certificate = certify(Dataset(planted(14, 5, 1e-9)), Network("relu", depth=3, bias="0.1"))
    assert reached(certificate) <= Fraction(1, 10**6)
    assert check(certificate).valid
    assert true(certificate, tmp_path)


def test_one_precise_enclosure_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    precisions = []
    enclose = search.enclose

    def counted(draft: search.Draft, precision: int) -> search.Enclosure:
        precisions.append(precision)
        return enclose(draft, precision)

    monkeypatch.setattr(search, "enclose", counted)
    for eps in (1e-3, 1e-6, 1e-9, 1e-12):
        precisions.clear()
        certify(Dataset(planted(40, 8, eps)), Network("erf", train="hidden"))
        assert len(precisions) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "eps"), [("erf", 1e-12), ("relu", 1e-14)])
def test_five_hundred_rows(activation: str, eps: float) -> None:
    certificate = certify(Dataset(planted(500, 20, eps)), Network(activation, train="hidden"))
    assert reached(certificate) <= Fraction(1, 10**6)
    assert check(certificate).valid


# Gaps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [1e-12, 1e-9, 1e-3, 0.1, 0.5])
@pytest.mark.parametrize(
    "network", [Network("relu", train="hidden"), Network("erf", depth=2), Network("cos", bias="0.5")], ids=str
)
def test_every_gap(gap: float, network: Network, tmp_path: Path) -> None:
    certificate = certify(Dataset(planted(20, 6, 0.01)), network, gap=gap)
    assert reached(certificate) <= Fraction(gap)
    assert all(check(certificate, engine=engine).valid for engine in ("fast", "reference"))
    assert true(certificate, tmp_path)


def test_a_narrow_gap_from_the_reference(tmp_path: Path) -> None:
    certificate = certify(Dataset(planted(8, 4, 1e-6)), Network("erf"), gap=1e-12, engine="reference")
    assert reached(certificate) <= Fraction(1, 10**12)
    assert check(certificate).valid
    assert true(certificate, tmp_path)


def barely_apart(exponent: int) -> Dataset:
    return Dataset(np.array([[1.0, 0.0], [1.0, 10.0**exponent], [0.3, 0.5]]))


def test_a_gap_out_of_reach_leaves_a_weaker_certificate() -> None:
    certificate = certify(barely_apart(-152), Network("erf", train="hidden"), gap=1e-9)
    assert Fraction(1, 10**9) < reached(certificate) <= Fraction(1, 2)
    assert certificate.conclusion["lower"] != "0"
    assert all(check(certificate, engine=engine).valid for engine in ("fast", "reference"))


def test_an_eigenvalue_out_of_reach_is_bounded_from_above() -> None:
    certificate = certify(barely_apart(-200), Network("erf", train="hidden"))
    assert certificate.conclusion["lower"] == "0"
    assert 0 < Fraction(certificate.conclusion["upper"]) < Fraction(1, 10**290)
    assert all(check(certificate, engine=engine).valid for engine in ("fast", "reference"))


def test_an_enclosure_that_fails_later_leaves_what_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    enclose = search.enclose

    def limited(draft: search.Draft, precision: int) -> search.Enclosure:
        if precision > 100:
            raise search.InputError("too much work")
        return enclose(draft, min(precision, 60))

    monkeypatch.setattr(search, "enclose", limited)
    certificate = certify(Dataset(planted(10, 4, 1e-5)), Network("erf", train="hidden"), gap=1e-9)
    assert Fraction(1, 10**9) < reached(certificate) < 1
    assert check(certificate).valid


# All kernels ----------------------------------------------------------------------------------------------------


def settings() -> list[tuple[Network, str]]:
    """Networks of every closed form, depth, trained part, bias, scale and kernel."""
    rng = random.Random(7)
    found = []
    for activation, depth, bias in product(CLOSED, (1, 2, 3), ("0", "0.3")):
        parts = [("ntk", train) for train in ("all", "hidden", "output", "both")[: 4 if depth == 1 else 1]]
        for kernel, train in (*parts, ("nngp", "all")):
            weight, scale = rng.choice(("1", "1.4", "0.7")), rng.choice(("1", "fan-in"))
            found.append((Network(activation, depth, train, bias, weight, scale), kernel))
    return found


SETTINGS = settings()


def test_there_are_two_hundred() -> None:
    assert len(CASES) >= 200


CASES = [*SETTINGS, *SETTINGS[::2]]


@pytest.mark.parametrize("k", range(len(CASES)))
def test_random_problems(k: int, tmp_path: Path) -> None:
    (network, kernel), rng = CASES[k], np.random.default_rng(k)
    n, d = int(rng.integers(2, 7)), int(rng.integers(1, 5))
    inputs = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-1, 2)
    if rng.random() < 0.3:
        inputs[-1] = rng.choice((-1.0, 1.0, 2.0)) * inputs[0]  # often singular
    certificate = certify(Dataset(inputs), network, kernel=kernel)
    assert all(check(certificate, engine=engine).valid for engine in ("fast", "reference"))
    assert true(certificate, tmp_path)


# Factors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 150])
def test_the_integer_factor(n: int) -> None:
    rng = np.random.default_rng(n)
    root = rng.standard_normal((n, n))
    a = np.array([[int(x) << 60 for x in row] for row in np.rint(root @ root.T * 2**20)], dtype=object)
    a[np.diag_indices(n)] += 1 << 30  # 2^-80 of the rest
    lower = factor.cholesky_integers(a, 80, 150)
    assert lower is not None
    assert not np.triu(lower, 1).any()
    exact = flint.fmpz_mat(lower.tolist()) * flint.fmpz_mat(lower.T.tolist())
    error = max(abs(int(x) - (y << 220)) for x, y in zip(exact.entries(), a.ravel().tolist(), strict=True))
    assert error < n << 160
    a[n // 2, n // 2] = -1
    assert factor.cholesky_integers(a, 80, 150) is None


def test_a_float_factor_that_drowns_in_noise_is_not_used() -> None:
    assert factor.smallest_eigenpair(np.ones((4, 4)) + 1e-17 * np.eye(4)) is None
    found = factor.smallest_eigenpair(np.ones((4, 4)) + 1e-9 * np.eye(4))
    assert found is not None
    assert 0.9e-9 < found[0] < 1.1e-9


def test_the_hardest_rows_are_the_nearly_parallel_ones() -> None:
    problem = Problem(Dataset(planted(30, 6, 1e-7)), Network("erf"))
    rows = search.hardest_rows(problem).dataset.inputs
    assert any(np.array_equal(row, problem.dataset.inputs[0]) for row in rows)
    assert any(np.array_equal(row, problem.dataset.inputs[29]) for row in rows)
    assert arithmetic("fast").gram(rows, problem.dataset.exponent).n == len(rows)

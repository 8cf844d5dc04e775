"""All eigenvalues against Arb and known spectra; forged vectors; what follows from a spectrum."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import oracle
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ntkproof.certificate import float_array, integer_array, to_json
from ntkproof.checker import check
from ntkproof.checker.arithmetic import exact_products, slices_congruence
from ntkproof.checker.check import parse
from ntkproof.checker.limit.spectrum import Spectrum
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.claim import Rejection, parse_claim
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.table import KINDS
from ntkproof.prover.certify import certify

ENGINES = ("reference", "fast")
IDENTITY = Network("identity", 1, "output")  # its kernel is XXᵀ
NETWORKS = [
    *((Network(name, 1, train, "0.5"), "ntk") for name in ("relu", "erf", "cos") for train in ("hidden", "both")),
    *((Network(name, depth), "ntk") for name in ("leaky_relu(0.25)", "abs", "sin") for depth in (1, 3)),
    *((Network(name, 2, bias="0.1", weight_std="1.5"), "nngp") for name in ("relu", "erf", "identity")),
    (Network("relu", 1, "output", input_scale="fan-in"), "ntk"),
]


def spectrum_of(certificate: Certificate) -> Spectrum:
    claim = parse_claim(certificate.conclusion, KINDS)
    assert isinstance(claim, Spectrum)
    return claim


def true_eigenvalues(certificate: Certificate) -> list[arb]:
    matrix = oracle.kernel(json.loads(to_json(certificate))["problem"])
    with flint.ctx.workprec(oracle.BITS):
        return sorted((x.real for x in flint.acb_mat(matrix).eig(multiple=True)), key=lambda x: x.mid())


def assert_encloses(certificate: Certificate) -> None:
    """By Arb's eigenvalues, or where it cannot isolate them by counting the signs of pivots."""
    claim, n = spectrum_of(certificate), certificate.problem.dataset.n
    assert len(claim.lower) == len(claim.upper) == n
    with flint.ctx.workprec(oracle.BITS):
        try:
            truth = true_eigenvalues(certificate)
        except ValueError:
            matrix = oracle.kernel(json.loads(to_json(certificate))["problem"])
            room = claim.upper[-1] / 2**60  # nested roots of zeros are known to no more than about 2^-75
            for k in range(n):
                ends = claim.lower[k] - room, claim.upper[k] + room
                below, up_to = (oracle.negative_eigenvalues(matrix, end) for end in ends)
                assert below in range(k + 1)
                assert up_to in range(k + 1, n + 1)
        else:
            for lower, upper, value in zip(claim.lower, claim.upper, truth, strict=True):
                assert value.rad() < 1e-12 * truth[-1]
                assert not value < oracle.ball(lower)
                assert not value > oracle.ball(upper)
    assert claim.upper[-1] - claim.lower[-1] < claim.upper[-1] / 10**10
    assert claim.upper[0] - claim.lower[0] < claim.upper[-1] / 10**10


def rows(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 7)), int(rng.integers(1, 6))
    x = rng.standard_normal((n, d)) * 2.0 ** rng.integers(-3, 3)
    if seed % 4 == 0:
        x[-1] = x[0]  # an eigenvalue 0
    if seed % 4 == 1:
        x[-1] = x[0] * (1 + 2.0**-30)  # a tiny one
    return x


@pytest.mark.parametrize("case", range(len(NETWORKS)))
def test_the_true_eigenvalues_are_enclosed(case: int) -> None:
    network, kernel = NETWORKS[case]
    for seed in range(14):
        x = rows(100 * case + seed)
        assert_encloses(certify(x, network, kernel=kernel, statement="spectrum", engine=ENGINES[seed % 7 != 0]))


@pytest.mark.parametrize("engine", ENGINES)
def test_both_arithmetics_accept(engine: str) -> None:
    x = np.random.default_rng(1).standard_normal((20, 4))
    for statement in ("spectrum", "condition-number", "effective-rank"):
        for maker in ENGINES:
            assert check(certify(x, statement=statement, engine=maker), engine=engine).valid


@pytest.mark.parametrize(
    ("x", "eigenvalues"),
    [
        (np.eye(4), [1, 1, 1, 1]),
        (np.diag([1.0, 2.0, 3.0, 1000.0]), [1, 4, 9, 10**6]),
        (np.ones((5, 1)), [0, 0, 0, 0, 5]),
        (np.array([[1.0, 1], [1, -1], [2, 0]]), [0, 2, 6]),
        (np.eye(6) + np.ones((6, 6)), [1, 1, 1, 1, 1, 49]),
        (np.zeros((3, 2)), [0, 0, 0]),
        (np.diag([2.0**-400, 2.0**-401]), [Fraction(1, 4**401), Fraction(1, 4**400)]),
    ],
)
def test_known_spectra(x: np.ndarray, eigenvalues: list[Fraction]) -> None:
    claim = spectrum_of(certify(x, IDENTITY, statement="spectrum"))
    assert all(a <= v <= b for a, v, b in zip(claim.lower, eigenvalues, claim.upper, strict=True))


def test_a_cluster_and_duplicates() -> None:
    rng = np.random.default_rng(3)
    x = np.eye(12) + 2.0**-30 * rng.standard_normal((12, 12))
    assert_encloses(certify(x, statement="spectrum"))
    assert_encloses(certify(np.vstack([x[:5], x[:5]]), statement="spectrum"))


# Products ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(0, 200), st.integers(0, 120), st.integers(0, 2**30))
def test_congruence(n: int, bits: int, width: int, seed: int) -> None:
    rng = random.Random(seed)
    packed = [rng.randint(-(2**bits), 2**bits) for _ in range(n * (n + 1) // 2)]
    u = [rng.choice([-(2**width), 2**width - 1, rng.randint(-(2**width), 2**width)]) for _ in range(n * n)]
    witness, square = integer_array(u), np.array(u, dtype=object).reshape(n, n)
    full = np.zeros((n, n), dtype=object)
    full[np.tril_indices(n)] = packed
    for a in (full + np.tril(full, -1).T, None):
        product = square @ square.T if a is None else square @ a @ square.T
        diagonal = list(product.diagonal())
        expected = (diagonal, max(abs(product).sum(axis=1) - abs(product.diagonal())))
        for module in (exact_products, slices_congruence):
            matrix = None if a is None else module.Symmetric.from_lower(n, packed)
            assert module.congruence(matrix, n, witness.width, witness.data) == expected


@pytest.mark.parametrize("n", [129, 300])
def test_congruence_over_several_blocks(n: int) -> None:
    rng = random.Random(n)
    packed = [rng.randint(-(2**90), 2**90) for _ in range(n * (n + 1) // 2)]
    u = integer_array([rng.randint(-(2**50), 2**50) for _ in range(n * n)])
    found = [
        m.congruence(m.Symmetric.from_lower(n, packed), n, u.width, u.data) for m in (exact_products, slices_congruence)
    ]
    assert found[0] == found[1]
    assert all(type(x) is int for x in (*found[1][0], found[1][1]))


@pytest.mark.parametrize("module", [exact_products, slices_congruence])
def test_congruence_refuses_other_shapes(module: Any) -> None:
    matrix = module.Symmetric.from_lower(2, [1, 0, 1])
    for order, width, data in ((3, 1, bytes(9)), (2, 1, bytes(5)), (2, 0, b"")):
        with pytest.raises(ValueError, match=r"(the witness|a square matrix) has the length"):
            module.congruence(matrix, order, width, data)


# Forgeries --------------------------------------------------------------------------------------------------------

X = np.array([[1.0, 2], [3, -1], [0.5, 0.25]])


def forged(vectors: list[list[int]], scale: int = 0, dtype: str = "", **claim: Any) -> Certificate:
    """A certificate that states a spectrum which follows from any vectors, or the given lists."""
    kernel = certify(X, statement="spectrum").steps[0]
    flat = integer_array([x for row in vectors for x in row])
    array = Array(dtype or flat.dtype, (len(vectors), len(vectors[0])), flat.data)
    stated = {"kind": "spectrum", "lower": ["0"] * 3, "upper": ["1000000"] * 3, **claim}
    step = Step("spectrum", "spectrum", ("kernel",), {"scale": scale}, {"vectors": array}, stated)
    return Certificate(certify(X).problem, (kernel, step), "spectrum", stated)


UNIT = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_unit_vectors_prove_something() -> None:
    for engine in ENGINES:
        assert check(forged(UNIT), engine=engine).valid


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        (forged([[1, 0, 0], [1, 0, 0], [0, 0, 1]]), "not-orthogonal"),
        (forged([[0, 0, 0], [0, 1, 0], [0, 0, 1]]), "not-orthogonal"),
        (forged([[0, 0, 0]] * 3), "not-orthogonal"),
        (forged([[2, 0, 0], [0, 2, 0], [0, 0, 2]]), "not-orthogonal"),
        (forged(UNIT, scale=4097), "bad-argument"),
        (forged([[1, 0], [0, 1]]), "bad-witness"),
        (forged([[1, 0, 0], [0, 1, 0]]), "bad-witness"),
        (forged([[1 << 5000, 0, 0], *UNIT[1:]]), "bad-witness"),
        (forged(UNIT, upper=["0.1", "0.2", "0.3"]), "claim-not-derived"),
        (forged(UNIT, lower=["0.1", "0.2", "9"]), "claim-not-derived"),
        (forged(UNIT, lower=["0"] * 2, upper=["1000000"] * 2), "claim-differs"),
        (forged(UNIT, lower=["0"] * 2), "bad-claim"),
        (forged(UNIT, lower=["0.1", "0", "0.2"]), "bad-claim"),
        (forged(UNIT, lower=[]), "bad-claim"),
        (forged(UNIT, lower=[0, 0, 0]), "bad-claim"),
        (forged(UNIT, lower=["0", "0", "nan"]), "bad-claim"),
        (forged(UNIT, lower="0"), "bad-claim"),
        (forged(UNIT, more="0"), "bad-claim"),
    ],
)
def test_forgeries_are_rejected(certificate: Certificate, code: str) -> None:
    for engine in ENGINES:
        assert check(certificate, engine=engine).code == code


def test_flat_or_float_vectors_are_rejected() -> None:
    certificate = forged(UNIT)
    flat = integer_array([x for row in UNIT for x in row])
    floats = float_array(np.eye(3))
    for array in (flat, floats):
        step = replace(certificate.steps[1], witness={"vectors": array})
        assert check(replace(certificate, steps=(certificate.steps[0], step))).code == "bad-witness"


def test_only_the_spectrum_of_the_kernel() -> None:
    certificate = forged(UNIT)
    enclosure = certify(X.T, statement="operator-norm").steps[0]
    enclosure = replace(enclosure, id="kernel", args={"side": "rows"})
    assert check(replace(certificate, steps=(enclosure, certificate.steps[1]))).code == "bad-premises"


def test_every_end_moved_inward_is_rejected() -> None:
    certificate = certify(X, IDENTITY, statement="spectrum")
    claim = certificate.conclusion
    for side, sign in (("lower", 1), ("upper", -1)):
        for k in range(1, 3):
            ends = list(claim[side])
            ends[k] = str(float(ends[k]) * (1 + sign * 1e-9))
            step = replace(certificate.steps[1], claim={**claim, side: ends})
            moved = replace(certificate, steps=(certificate.steps[0], step), conclusion=step.claim)
            assert check(moved).code == "claim-not-derived"


def test_the_certificate_survives_json() -> None:
    certificate = certify(X, statement="condition-number")
    assert check(parse(to_json(certificate))).valid


# What follows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_condition_number_and_effective_rank(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((6, 3))
    condition, rank = (certify(x, statement=name) for name in ("condition-number", "effective-rank"))
    values = true_eigenvalues(rank)
    with flint.ctx.workprec(oracle.BITS):
        for certificate, truth in ((condition, values[-1] / values[0]), (rank, sum(values, arb(0)) / values[-1])):
            lower, upper = (Fraction(certificate.conclusion[side]) for side in ("lower", "upper"))
            assert oracle.ball(lower) < truth < oracle.ball(upper)
            assert upper - lower < upper / 10**5


def test_a_tiny_eigenvalue_does_not_spoil_the_condition_number() -> None:
    x = np.diag([1.0, 2.0**-40])
    claim = certify(x, IDENTITY, statement="condition-number").conclusion
    assert Fraction(claim["lower"]) <= 4**40 <= Fraction(claim["upper"])
    assert Fraction(claim["upper"]) < Fraction(1.00001) * 4**40


def test_no_condition_number_of_a_singular_matrix() -> None:
    with pytest.raises(InputError, match="λ_min = 0 by symmetry"):
        certify(np.ones((2, 2)), statement="condition-number")
    with pytest.raises(InputError, match="lambda_max is not known to be positive"):
        certify(np.zeros((2, 2)), IDENTITY, statement="effective-rank")


def test_the_quotients_ask_for_positive_numbers() -> None:
    good = certify(Dataset(X), statement="condition-number")
    for name, ends in (("lambda_min", ("0", "0.1")), ("spectrum", None)):
        steps = list(good.steps)
        for k, step in enumerate(steps):
            if step.id == name and ends:
                steps[k] = replace(step, claim={**step.claim, "lower": ends[0]})
            if step.id == "condition_number":
                steps[k] = replace(step, uses=step.uses if ends else tuple(reversed(step.uses)))
        assert check(replace(good, steps=tuple(steps))).code == ("not-positive" if ends else "bad-premises")


def test_a_spectrum_does_not_support_a_sharper_or_shorter_one() -> None:
    claim = Spectrum((Fraction(1), Fraction(2)), (Fraction(3), Fraction(4)))
    claim.supports(Spectrum((Fraction(0), Fraction(2)), (Fraction(3), Fraction(5))))
    for lower, upper in (((1, 3), (3, 4)), ((1, 2), (2, 4)), ((1,), (4,))):
        with pytest.raises(Rejection):
            claim.supports(Spectrum(tuple(map(Fraction, lower)), tuple(map(Fraction, upper))))

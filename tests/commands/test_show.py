"""``show`` and ``hash``: what a reviewer asks of a certificate."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates.forgeries import places
from ntkproof import check
from ntkproof.checker.check import read
from ntkproof.checker.logic.claim import show
from tests.test_cli import Run, run

__all__ = ["run"]  # a fixture

SHIPPED = [path for path in places().values() if path.stat().st_size < 20_000]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_step_and_the_conclusion_are_shown(run: Run, path: Path) -> None:
    result, certificate = run("show", str(path)), read(path)
    assert result.code == 0
    lines = result.out.split("\n")
    assert lines[0] == f"{path}: not checked; it states:"
    assert lines[1].strip() in run("check", str(path)).out
    for step in certificate.steps:
        assert any(line.startswith(f"  {step.id}: {step.claim['kind']}: ") for line in lines)
        assert any(line.startswith(f"    by {step.rule}") for line in lines)


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_the_data_are_written_exactly(run: Run, tmp_path: Path, suffix: str) -> None:
    path = places()["wine10-relu-hidden-depth1"]
    assert run("show", str(path), "--data", str(tmp_path / f"d.{suffix}")).code == 0
    written = tmp_path / f"d.{suffix}"
    found = np.load(written) if suffix == "npy" else np.loadtxt(written, delimiter=",")
    dataset = read(path).problem.dataset
    assert np.array_equal(found, np.column_stack([dataset.inputs, dataset.targets]))
    verdict = check(path)
    assert verdict.problem is not None
    hashed = run("hash", str(written), "--target", str(dataset.d), "--json")
    assert json.loads(hashed.out)["sha256"] == verdict.problem["sha256"]


def test_what_cannot_be_shown(run: Run, tmp_path: Path) -> None:
    for arguments, message in (
        ((str(tmp_path / "none"),), "none: no such file"),
        ((str(places()["sphere-relu-d2"]), "--data", "d.csv"), "the certificate is about the sphere"),
        ((str(places()["three-relu-hidden-depth1"]), "--data", "d.xls"), "data are written as .csv or .npy"),
    ):
        result = run("show", *arguments)
        assert result.code == 2
        assert message in result.err


def test_a_conclusion_that_no_statement_has_is_shown_as_it_stands(run: Run, tmp_path: Path) -> None:
    document = json.loads(places()["three-relu-hidden-depth1"].read_text())
    document["conclusion"]["claim"] = {"kind": "convergence", "rate": "1"}
    (tmp_path / "c.cert.json").write_text(json.dumps(document))
    result = run("show", str(tmp_path / "c.cert.json"))
    assert (result.code, result.out.split("\n")[1]) == (0, "  convergence: rate 1")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (Fraction(807840627941205173, 10**19), 4, "0.08078"),
        (Fraction(314, 10**40), 4, "3.14e-38"),
        (Fraction(-1, 3), 6, "-0.333333"),
        (0, 6, "0"),
        (10**40, 4, "1e40"),
        (1000, 6, "1000"),
        (Fraction(999999, 10**6), 4, "1"),
        (Fraction(1, 2**9000), 6, "2^-9000"),
    ],
)
def test_numbers_as_people_write_them(value: Fraction, digits: int, text: str) -> None:
    assert show(value, digits) == text


@given(st.fractions(), st.integers(1, 20))
def test_a_shown_number_is_within_a_unit_of_its_last_digit(value: Fraction, digits: int) -> None:
    assert abs(Fraction(show(value, digits)) - value) <= abs(value) * Fraction(11, 10**digits)

"""The pytest plugin: silent unless asked for; a certificate passes exactly when it is valid."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ntkproof import Dataset, Network, certify, check
from ntkproof.certificate import to_json

TEXT = to_json(certify(Dataset(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])), Network()))


def with_lower(**fields: Any) -> str:
    """Return the certificate with fields of its step ``lower`` replaced."""
    value = json.loads(TEXT)
    value["steps"] = [step | fields if step["id"] == "lower" else step for step in value["steps"]]
    return json.dumps(value)


VALID = TEXT
HOLEY = with_lower(rule="assume", uses=[], args={}, witness={})
CLAIM = {"kind": "eigenvalue_bound", "matrix": "kernel", "eigenvalue": "min", "side": "lower", "value": "0.2"}
INVALID = with_lower(claim=CLAIM)
MALFORMED = "{}"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with one ordinary test."""
    pytester.makepyfile(test_ordinary="def test_ordinary(): pass")
    return pytester


def add(project: pytest.Pytester, text: str, name: str = "proof.cert.json") -> None:
    (project.path / name).write_text(text, "utf-8")


def test_certificates_are_not_collected_by_default(project: pytest.Pytester) -> None:
    add(project, MALFORMED)
    project.runpytest().assert_outcomes(passed=1)


def test_the_flag_collects_them(project: pytest.Pytester) -> None:
    add(project, VALID)
    add(project, MALFORMED, "other.json")
    result = project.runpytest("--ntkproof", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["proof.cert.json::certificate PASSED*"])


def test_the_ini_option_collects_them(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nntkproof_certificates = true")
    add(project, VALID)
    project.runpytest().assert_outcomes(passed=2)


def test_one_file_can_be_named(project: pytest.Pytester) -> None:
    add(project, VALID)
    add(project, MALFORMED, "bad.cert.json")
    project.runpytest("--ntkproof", "proof.cert.json").assert_outcomes(passed=1)


def test_an_invalid_certificate_fails_and_names_the_step(project: pytest.Pytester) -> None:
    add(project, INVALID)
    result = project.runpytest("--ntkproof")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*certificate proof.cert.json*",
            "invalid: step lower (psd_bound): the stated value is sharper than what follows",
            "  needed:  value: 0.2 <= 0.1361*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_malformed_certificate_fails(project: pytest.Pytester) -> None:
    add(project, MALFORMED)
    result = project.runpytest("--ntkproof")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["malformed: certificate: the field 'format' is missing"])


def test_a_holey_certificate_fails_and_names_what_was_assumed(project: pytest.Pytester) -> None:
    add(project, HOLEY)
    result = project.runpytest("--ntkproof")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["holey: *", "  rests on: assumed without proof: lambda_min of kernel, lower bound *"])


def test_a_holey_certificate_passes_where_the_project_allows_it(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nntkproof_certificates = true\nntkproof_allow_holey = true")
    add(project, HOLEY)
    add(project, INVALID, "invalid.cert.json")
    project.runpytest().assert_outcomes(passed=2, failed=1)


@pytest.mark.parametrize("arguments", [["--ntkproof-engine", "reference"], []])
def test_the_engine_can_be_chosen(arguments: list[str], project: pytest.Pytester) -> None:
    if not arguments:
        project.makeini("[pytest]\nntkproof_engine = reference")
    add(project, HOLEY)
    result = project.runpytest("--ntkproof", *arguments)
    result.stdout.fnmatch_lines(["  rests on: arithmetic (reference): *"])


def test_an_unknown_engine_is_wrong_usage(project: pytest.Pytester) -> None:
    assert project.runpytest("--ntkproof", "--ntkproof-engine", "slow").ret == pytest.ExitCode.USAGE_ERROR


# Expectations ---------------------------------------------------------------------------------------------------

VERDICT = check(TEXT)
SHA256 = VERDICT.problem["sha256"] if VERDICT.problem else ""
LOWER = VERDICT.conclusion["lower"] if VERDICT.conclusion else ""


@pytest.mark.parametrize(
    ("expected", "failure"),
    [
        (f'sha256 = "{SHA256}"\nactivation = "relu"\ndepth = 1\nkind = "lambda_min"\nlower = "{LOWER}"', ""),
        (f'sha256 = "{SHA256[:16]}"\nbias = "0.0"\nlower = "0.0001"\nupper = "9"', ""),
        (f'sha256 = "{SHA256[:15]}"', f"sha256 is {SHA256}, expected {SHA256[:15]}"),
        ('sha256 = "0000000000000000"', f"sha256 is {SHA256}, expected 0000000000000000"),
        ('train = "hidden"', "train is all, expected hidden"),
        ('lower = "9"', "the conclusion is weaker than expected: lower: 9 <= "),
        ('upper = "0"', "the conclusion is weaker than expected: upper: "),
        ('kind = "spectrum"', "the conclusion is of the kind lambda_min, expected spectrum"),
        ('rate = "1"', "rate is expected, of which the verdict says nothing"),
        ('lower = "much"', "the conclusion is weaker than expected: lambda_min.lower: not a decimal number: 'much'"),
    ],
)
def test_what_is_expected_of_a_certificate(project: pytest.Pytester, expected: str, failure: str) -> None:
    project.makeini("[pytest]\nntkproof_certificates = true\nntkproof_expectations = expected.toml")
    add(project, VALID)
    (project.path / "expected.toml").write_text(f'["proof.cert.json"]\n{expected}\n', "utf-8")
    result = project.runpytest()
    result.assert_outcomes(passed=1 if failure else 2, failed=1 if failure else 0)
    assert f"not as expected: {failure}" in result.stdout.str() or not failure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["gone.cert.json"]', "*ntkproof_expectations: there is no *gone.cert.json"),
        ('"proof.cert.json" = 1', "*proof.cert.json is not a table*"),
        ("[", "*expected.toml: *"),
    ],
)
def test_expectations_that_are_none(project: pytest.Pytester, text: str, message: str) -> None:
    project.makeini("[pytest]\nntkproof_expectations = expected.toml")
    add(project, VALID)
    (project.path / "expected.toml").write_text(text + "\n", "utf-8")
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_registry_is_a_collection() -> None:
    from collections.abc import Collection

    from ntkproof.literature.literature import LITERATURE

    for registry in LITERATURE:
        assert isinstance(registry, Collection)
        assert all(claim in registry for claim in registry)
        assert "none" not in registry

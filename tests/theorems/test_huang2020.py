"""A constant the literature leaves open: supplied by the user, assumed by the certificate, holey for the checker."""

from math import sqrt

import pytest

from ntkproof import Dataset, InputError, Network, check, load, prepare
from ntkproof.theorems.certify import certify_convergence
from ntkproof.theorems.conditions import conditions

ERF = Network("erf", train="hidden")


@pytest.fixture(scope="module")
def wine() -> Dataset:
    return prepare(
        load("wine"), rows=10, drop_constant=True, standardize=True, normalize=True, standardize_targets=True
    )


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_the_verdict_is_holey_and_says_what_is_assumed(wine: Dataset, engine: str) -> None:
    certificate = certify_convergence(wine, ERF, theorem="huang2020", constants={"initial_deviation": "0.5"})
    verdict = check(certificate, engine=engine)
    assert verdict.verdict == "holey"
    assumed = [text for text in verdict.assumptions if text.startswith("assumed without proof: initial_deviation")]
    width = int(certificate.conclusion["width"])
    assert float(assumed[0].split()[-1]) == pytest.approx(0.5 * wine.n / sqrt(width), rel=1e-8)


def test_a_worse_constant_needs_a_larger_width(wine: Dataset) -> None:
    widths = [
        int(
            certify_convergence(wine, ERF, theorem="huang2020", constants={"initial_deviation": constant}).conclusion[
                "width"
            ]
        )
        for constant in ("0.5", "500")
    ]
    assert widths[0] < widths[1]


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({}, "supply --constant initial_deviation=C"),
        ({"initial_deviation": "-1"}, "positive numbers"),
        ({"initial_deviation": "nan"}, "not a decimal number"),
        ({"gravity": "9.81"}, "not gravity"),
    ],
)
def test_a_missing_or_unusable_constant_is_named(wine: Dataset, constants: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        certify_convergence(wine, ERF, theorem="huang2020", constants=constants)


def test_conditions_say_that_a_constant_is_missing(wine: Dataset) -> None:
    (found,) = (each for each in conditions(wine, ERF) if each.theorem == "huang2020")
    assert not found.holds
    assert "has no known constant" in found.reason

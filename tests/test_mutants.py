"""A sample of the mutants of every family: see ``mutants``."""

from __future__ import annotations

import random

import mutants
import pytest

NAMES = [(family, name) for family, names in mutants.families().items() for name in names]


@pytest.mark.parametrize(("family", "name"), NAMES)
def test_no_mutant_says_more_than_is_true(family: str, name: str) -> None:
    tally = mutants.block(name, "fast", random.Random(name).randrange(1000), 25)
    assert tally.wrong == []
    assert tally.counts["rejected"] > 12


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), NAMES)
def test_no_mutant_of_many_says_more_than_is_true(family: str, name: str) -> None:
    assert mutants.block(name, "fast", 0, 2000).wrong == []
    assert mutants.block(name, "reference", 0, 50).wrong == []


def test_every_family_has_small_certificates() -> None:
    assert set(mutants.families()) == {path.parent.name for path in mutants.places().values()}


def test_a_sharper_conclusion_is_told_from_a_weaker_one() -> None:
    known = mutants.load("three-relu-hidden-depth1")
    claim = known["conclusion"]["claim"]
    for lower, upper, follows in (
        ("0", "9", True),
        (claim["upper"], claim["upper"], False),
        ("0", claim["lower"], False),
    ):
        new = {**known, "conclusion": {**known["conclusion"], "claim": {**claim, "lower": lower, "upper": upper}}}
        assert mutants.implied(known, new) is follows
        assert mutants.holds(new) is follows


def test_vanishing_frequencies_are_told_from_others() -> None:
    known = mutants.load("sphere-relu-odd-d5")
    assert mutants.holds(known)
    claim = known["conclusion"]["claim"]
    for change in ({"first": claim["first"] - 2}, {"parity": "even"}, {"dimension": 6}):
        assert not mutants.holds({**known, "conclusion": {**known["conclusion"], "claim": {**claim, **change}}})

"""Claims as data: what a registry accepts, and what a run makes of a test's answers."""

from __future__ import annotations

from typing import Any

import pytest

from ntkproof.literature import Claim, Document, Evidence, Registry, run, select

GOOD: dict[str, Any] = {"id": "d.a", "document": "d", "place": "(1)", "says": "x", "formula": 1}
ANSWERS = {1: True, 2: False, 3: None}


def answer(formula: int) -> Evidence:
    return Evidence(ANSWERS[formula], f"saw {formula}")


def make(**fields: Any) -> Claim:
    return Claim(**{**GOOD, "test": answer, **fields})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"verdict": "true"}, "the verdict must be one of"),
        ({"method": "proof"}, "the method must be one of"),
        ({"formula": None}, "it needs a formula and a test"),
        ({"test": None}, "it needs a formula and a test"),
        ({"verdict": "refuted as stated", "remark": "wrong"}, "needs the corrected formula"),
        ({"verdict": "refuted as stated", "better": 1}, "needs a remark"),
        ({"verdict": "out of scope", "remark": "why"}, "out of scope has the method none"),
        ({"method": "none"}, "out of scope has the method none"),
        ({"verdict": "out of scope", "method": "none"}, "needs a remark"),
        ({"method": "statistical"}, "does not prove"),
        ({"says": ""}, "must not be empty"),
        ({"place": ""}, "must not be empty"),
    ],
)
def test_an_entry_that_could_not_be_reestablished_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(**fields)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"formula": 1}, "proved"),
        ({"formula": 1, "method": "statistical", "verdict": "supported"}, "supported"),
        ({"formula": 2}, "refuted as stated"),
        ({"formula": 3}, "undecided"),
        ({"formula": 1, "better": 1}, "proved"),
        ({"formula": 1, "better": 2}, "undecided"),
        ({"formula": 1, "better": 3}, "undecided"),
        ({"formula": 2, "better": 1, "verdict": "refuted as stated", "remark": "r"}, "refuted as stated"),
        ({"formula": 2, "better": 2, "verdict": "refuted as stated", "remark": "r"}, "undecided"),
    ],
)
def test_the_verdict_follows_the_test(fields: dict[str, Any], verdict: str) -> None:
    claim = make(**fields)
    outcome = run(claim)
    assert outcome.verdict == verdict
    assert outcome.unchanged == (verdict == claim.verdict)
    assert outcome.evidence == f"saw {claim.formula}"


def test_another_formula_is_what_the_test_reads() -> None:
    assert run(make().with_formula(2)).verdict == "refuted as stated"


def test_a_registry_keeps_order_and_refuses_a_second_of_one_id() -> None:
    registry = Registry(Document("d", "A document"))
    registry.add("b", place="(1)", says="x", formula=1, test=answer)
    decorated = registry.claim("a", place="(2)", says="y", formula=2)(answer)
    assert decorated is answer
    registry.outside("c", "(3)", "z", "empirical")
    assert [claim.id for claim in registry] == ["d.b", "d.a", "d.c"]
    assert (len(registry), registry["a"], str(registry["d.c"])) == (3, registry["d.a"], "d.c")
    assert run(registry["c"]).unchanged
    with pytest.raises(ValueError, match="occurs twice"):
        registry.outside("a", "(3)", "z", "empirical")


def test_claims_are_selected_by_document_and_id() -> None:
    registries = [Registry(Document(name, name)) for name in "de"]
    for registry in registries:
        registry.outside("a", "(1)", "z", "empirical")
    assert [claim.id for claim in select(registries)] == ["d.a", "e.a"]
    assert [claim.id for claim in select(registries, "e")] == ["e.a"]
    assert [claim.id for claim in select(registries, ids=["d.a"])] == ["d.a"]
    with pytest.raises(ValueError, match="unknown document"):
        select(registries, "f")
    with pytest.raises(ValueError, match="unknown claim"):
        select(registries, "d", ["e.a"])

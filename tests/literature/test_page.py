"""``docs/claims.md`` is what the registry generates, and the worked example of ``docs/your-claims.md`` runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ntkproof.literature import run
from ntkproof.literature.claim import STATISTICAL, Outcome
from ntkproof.literature.literature import LITERATURE
from ntkproof.literature.page import MEASURED, page

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```py\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def without_measurements(text: str) -> list[str]:
    """Return the lines but those with measured numbers, which differ in the last digit between machines."""
    return [line for line in text.splitlines() if not line.startswith(MEASURED)]


def test_the_page_is_what_the_registry_generates() -> None:
    outcomes = {
        claim.id: Outcome(claim, claim.verdict, "") if claim.method == STATISTICAL else run(claim)
        for registry in LITERATURE
        for claim in registry
    }
    assert without_measurements(page(LITERATURE, outcomes)) == without_measurements(
        (DOCS / "claims.md").read_text("utf-8")
    )


def test_the_page_says_what_was_measured() -> None:
    text = (DOCS / "claims.md").read_text("utf-8")
    claims = [claim for registry in LITERATURE for claim in registry if claim.method == STATISTICAL]
    assert text.count(MEASURED) == sum(1 if claim.better is None else 2 for claim in claims)


@pytest.fixture
def paper(pytester: pytest.Pytester) -> pytest.Pytester:
    """The repository of the worked example."""
    blocks = dict(BLOCK.findall((DOCS / "your-claims.md").read_text("utf-8")))
    assert set(blocks) == {"paper_claims.py", "test_paper.py"}
    for name, source in blocks.items():
        (pytester.path / name).write_text(source, "utf-8")
    pytester.makeini("[pytest]\npythonpath = .")
    return pytester


def test_the_worked_example_passes(paper: pytest.Pytester) -> None:
    result = paper.runpytest_subprocess("-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*test_claim?wide2026.decay? PASSED*"])


def test_a_wrong_constant_fails_with_one_message(paper: pytest.Pytester) -> None:
    source = (paper.path / "paper_claims.py").read_text("utf-8")
    (paper.path / "paper_claims.py").write_text(source.replace("sp.Rational(1, 20)", "sp.Rational(1, 2)"), "utf-8")
    result = paper.runpytest_subprocess("-k", "assumption")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "wide2026.assumption-1 (Assumption 1, *): registered as proved, found refuted as stated",
            "  certified: λ_min in *",
        ]
    )


def test_the_command_line_reads_it(paper: pytest.Pytester) -> None:
    result = paper.run(
        sys.executable,
        "-c",
        "from ntkproof.commands.entry import main; main()",
        "claims",
        "--registry",
        "paper_claims:paper",
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(["3 claims, 0 changed*"])

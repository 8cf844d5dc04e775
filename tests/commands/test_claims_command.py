"""``ntkproof claims``: what it prints, its exit codes, and registries of other projects."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command import runner

from ntkproof.literature.literature import LITERATURE

OWN = """
from ntkproof.literature import Document, Evidence, Registry
own = Registry(Document("own", "Own"))
def test(formula): return Evidence({1: True, 2: False, 3: None}[formula], f"saw {formula}")
own.add("good", place="(1)", says="x", formula=1, test=test)
changed = Registry(Document("changed", "Changed"))
changed.add("bad", place="(1)", says="x", formula=2, test=test)
changed.add("open", place="(2)", says="x", formula=3, test=test)
both = (own, changed)
number = 7
"""


@pytest.fixture
def ntkproof(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command line in a project with registries of its own; return (exit code, stdout, stderr)."""
    (tmp_path / "own_claims.py").write_text(OWN, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_claims", raising=False)

    return runner(capsys, monkeypatch)


def test_claims_of_the_literature_by_id(ntkproof: Any) -> None:
    code, out, err = ntkproof("claims", "--id", "bowman2023.loss-ode", "--id", "lecture.exercise-2", "--json")
    assert (code, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert (first["id"], first["found"], first["unchanged"], first["better"]) == (
        "bowman2023.loss-ode",
        "proved",
        True,
        None,
    )
    assert (second["verdict"], second["found"], second["document"]) == (*["refuted as stated"] * 2, "lecture")
    assert "f[s]" in second["better"]
    assert "f[s]" not in second["formula"]


def test_a_table_for_people(ntkproof: Any) -> None:
    code, out, _ = ntkproof("claims", "--document", "post", "--id", "post.time-scale", "--id", "post.depth")
    assert code == 0
    assert "refuted as stated" in out
    assert out.splitlines()[-1].startswith("2 claims, 0 changed")


def test_the_list_runs_nothing(ntkproof: Any) -> None:
    code, out, _ = ntkproof("claims", "--list")
    assert code == 0
    assert len(out.splitlines()) == sum(map(len, LITERATURE))
    assert [line.split()[0] for line in ntkproof("claims", "--list", "--document", "note")[1].splitlines()] == [
        claim.id for claim in LITERATURE[2]
    ]
    assert json.loads(ntkproof("claims", "--list", "--json")[1].splitlines()[0])["id"] == next(iter(LITERATURE[0])).id


def test_slow_claims_can_be_left_out(ntkproof: Any) -> None:
    assert ntkproof("claims", "--fast", "--list", "--id", "note.law-of-trained-networks")[:2] == (0, "")


def test_a_changed_verdict_is_exit_code_1(ntkproof: Any) -> None:
    assert ntkproof("claims", "--registry", "own_claims:own")[0] == 0
    code, out, _ = ntkproof("claims", "--registry", "own_claims:both")
    assert code == 1
    assert "CHANGED" in out
    assert out.splitlines()[-1].startswith("3 claims, 2 changed")
    code, out, _ = ntkproof("claims", "--registry", "own_claims:both", "--json")
    assert code == 1
    assert [json.loads(line)["found"] for line in out.splitlines()] == ["proved", "refuted as stated", "undecided"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--document", "thesis"], "unknown document 'thesis'; there are bowman2023, lecture, note, post"),
        (["--id", "post.nothing"], "unknown claim 'post.nothing'"),
        (["--document", "post", "--id", "note.frozen"], "unknown claim 'note.frozen'"),
        (["--registry", "own_claims"], "--registry must be MODULE:NAME, not 'own_claims'"),
        (["--registry", "own_claims:nothing"], "--registry own_claims:nothing: "),
        (["--registry", "no_such_module:own"], "--registry no_such_module:own: No module named"),
        (["--registry", "own_claims:number"], "it is neither a Registry nor a sequence of them"),
    ],
)
def test_bad_input_is_one_line(ntkproof: Any, arguments: list[str], message: str) -> None:
    code, out, err = ntkproof("claims", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ntkproof: error: ")
    assert message in err
    assert len(err.splitlines()) == 1

"""A new rule is one file and one table entry; so is a new kind of claim."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ntkproof.checker
from ntkproof import Dataset, certify, check
from ntkproof.checker.logic.format import Certificate, Step
from ntkproof.checker.table import KINDS, RULES

TOY = '''
"""Toy: how many rows the data have."""

from dataclasses import dataclass
from typing import ClassVar

from ntkproof.checker.logic.claim import LOWER, Claim, claim_field
from ntkproof.checker.logic.reading import integer
from ntkproof.checker.logic.rule import Derived, Rule


@dataclass(frozen=True)
class Rows(Claim):
    """There are at least so many rows."""

    kind: ClassVar[str] = "rows"
    concludes: ClassVar[bool] = True
    least: int = claim_field(integer, LOWER)


rows_counted = Rule(lambda setting, step: Derived(Rows(setting.problem.dataset.n)))
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(ntkproof.checker, "__path__", [*ntkproof.checker.__path__, str(tmp_path)])
    monkeypatch.setitem(RULES.data, "rows_counted", "toy")  # type: ignore[attr-defined]
    monkeypatch.setitem(KINDS.data, "rows", "toy")  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "ntkproof.checker.toy", raising=False)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_a_rule_is_one_file_and_one_entry(engine: str) -> None:
    problem = certify(Dataset(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]))).problem
    claim = {"kind": "rows", "least": 3}
    certificate = Certificate(problem, (Step("count", "rows_counted", claim=claim),), "count", claim)
    verdict = check(certificate, engine=engine)
    assert (verdict.verdict, verdict.conclusion, verdict.rules) == ("valid", claim, ("rows_counted",))
    assert "checker/toy.py" in verdict.trusted_lines
    assert check(replace(certificate, conclusion={"kind": "rows", "least": 2}), engine=engine).valid
    false = replace(certificate, conclusion={"kind": "rows", "least": 4})
    assert check(false, engine=engine).code == "claim-not-derived"

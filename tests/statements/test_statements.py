"""The table of statements: what it holds, what is refused and with which words, and how it grows."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Run, runner

from ntkproof import Dataset, InputError, Network, Sphere, certify, check
from ntkproof.checker.table import KINDS
from ntkproof.statements import table
from ntkproof.statements.options import OPTIONS
from ntkproof.statements.table import describe, of_kind, statements

DATA = Path(__file__).parents[1] / "data"
POINTS = Dataset(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), np.array([1.0, -1.0, 2.0]))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text("a,b,y\n1,2,1\n3,4,-1\n5,7,2\n")
    return runner(capsys, monkeypatch)


@pytest.mark.parametrize("each", statements(), ids=lambda each: each.name)
def test_an_entry_is_complete(each: table.Statement) -> None:
    assert set(each.kinds) <= set(KINDS)
    assert all(KINDS[kind].concludes for kind in each.kinds)
    assert set(each.options) | set(each.fixed) | set(each.needs) | set(each.becomes) <= set(OPTIONS)
    assert not set(each.options) & set(each.fixed)
    assert each.proves[0].islower() or each.proves[0] in "λ‖"


def test_every_conclusion_has_a_statement() -> None:
    concluding = {kind for kind in KINDS if KINDS[kind].concludes}
    assert concluding == {kind for each in statements() for kind in each.kinds}
    assert all(kind in of_kind(kind).kinds for kind in concluding)


@pytest.mark.parametrize(
    ("options", "flaw", "instead"),
    [
        ("--statement convergence --train all", "train=hidden here, not train=all", "theorem=both (train=both)"),
        ("--statement convergence --kernel nngp", "kernel=ntk here, not kernel=nngp", "statement=lambda-min"),
        ("--statement convergence --depth 2 --train all", "depth=1 here, not depth=2", "give weights or a run"),
        ("--width 100", "lambda-min does not use width", "statement=convergence, gradient-bound or hessian-bound"),
        ("--rows 2 --width 100", "lambda-min does not use width", "statement=convergence"),
        ("--theorem smooth", "lambda-min does not use theorem", "statement=convergence"),
        ("--loss quartic", "lambda-min does not use loss", "statement=convergence"),
        ("--init signs", "lambda-min does not use init", "statement=convergence"),
        ("--step-size 0.1", "lambda-min does not use step-size", "statement=convergence"),
        ("--failure-probability 0.1", "lambda-min does not use failure-probability", "statement=convergence"),
        ("--constant alpha=1", "lambda-min does not use constant", "statement=convergence"),
        ("--radius 1", "lambda-min does not use radius", "statement=gradient-bound or hessian-bound"),
        ("--form tube", "lambda-min does not use form", "statement=convergence-from-weights"),
        ("--statement spectrum --gap 1e-3", "spectrum does not use gap", "statement=lambda-min"),
        ("--statement operator-norm --activation erf", "operator-norm does not use activation", "statement=lambda-min"),
        ("--statement a-priori --kernel nngp", "a-priori is about kernel=ntk here", "statement=lambda-min"),
        ("--statement a-priori --depth 2", "a-priori is about depth=1 here", "leave depth out"),
        ("--statement convergence --radius 1", "convergence does not use radius", "statement=gradient-bound"),
        ("--statement gradient-bound --width 9 --radius 1 --step-size 1", "gradient-bound does not use step-size", ""),
        ("--statement gradient-bound --width 9 --radius 1 --train hidden", "train=all here, not train=hidden", ""),
        ("--statement quantities --weights w.npz --step-size 1", "quantities does not use step-size", ""),
    ],
)
def test_options_that_would_do_nothing_are_refused(options: str, flaw: str, instead: str, run: Run) -> None:
    result = run("certify", "points.csv", *options.split(), "-o", "p.cert.json")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"ntkproof: error: [^\n]+\n", result.err)
    assert flaw in result.err
    assert instead in result.err
    assert "it proves " in result.err
    assert not Path("p.cert.json").exists()


def test_what_is_said_and_true_is_no_error(run: Run) -> None:
    said = ["--statement", "convergence", "--train", "hidden", "--kernel", "ntk", "--depth", "1", "--bias", "0.0"]
    data = ["wine", "--rows", "10", "--drop-constant-columns", "--standardize", "--normalize", "--standardize-targets"]
    assert run("certify", *data, "--activation", "erf", *said, "-o", "p.cert.json").code == 0


def test_python_refuses_in_the_same_words() -> None:
    with pytest.raises(InputError, match="lambda-min does not use width: it proves two-sided bounds on λ_min"):
        certify(POINTS, width=100)
    with pytest.raises(InputError, match="is about train=hidden here, not train=all"):
        certify(POINTS, Network("erf", train="all"), statement="convergence")
    with pytest.raises(InputError, match="unknown statement 'lambda_max'; there are lambda-min"):
        certify(POINTS, statement="lambda_max")
    with pytest.raises(InputError, match="unknown option 'widht'"):
        certify(POINTS, widht=100)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="mercer is not about data"):
        certify(POINTS, statement="mercer")
    with pytest.raises(InputError, match="lambda-min is not about the sphere"):
        certify(Sphere(3))


def test_python_reaches_every_domain() -> None:
    certificate = certify(Sphere(3), Network("relu", train="hidden"), statement="mercer", max_frequency=2)
    verdict = check(certificate)
    assert verdict.valid
    assert describe(verdict.conclusion or {}).startswith("eigenvalues on the sphere")


def test_data_network_and_lambda_0_come_first(run: Run) -> None:
    data = ["wine", "--rows", "10", "--drop-constant-columns", "--standardize", "--normalize", "--standardize-targets"]
    data += ["--activation", "erf"]
    for command in (["certify", *data, "--statement", "convergence", "-o", "p.cert.json"], ["conditions", *data]):
        lines = run(*command).out.splitlines()
        assert lines[0].startswith("data: 10 x 13, sha256 ")
        assert lines[1].startswith("network: ntk, erf, depth 1, ")
        assert any(line.startswith("λ_0: λ_min(H∞) ≥ 0.1218") for line in lines[2:4])
    report = json.loads(run("certify", *data, "--statement", "convergence", "-o", "p.cert.json", "--json").out)
    assert float(report["lambda_0"]) == pytest.approx(0.12182765, rel=1e-6)
    assert report["problem"]["rows"] == 10


def test_certify_and_conditions_have_the_same_defaults(run: Run) -> None:
    data = ["wine", "--rows", "10", "--standardize", "--normalize", "--standardize-targets"]
    networks = [
        [line for line in run(*command).out.splitlines() if line.startswith("network: ntk, relu, depth 1")]
        for command in (["certify", *data, "--statement", "convergence", "-o", "p.cert.json"], ["conditions", *data])
    ]
    assert all(networks)


# Words that could mislead -------------------------------------------------------------------------------------------


def test_a_ratio_is_printed_with_both_its_ends(run: Run) -> None:
    path = DATA / "apriori-ratio.cert.json"  # true; once one end was printed as if it were the ratio
    claim = json.loads(path.read_text())["conclusion"]["claim"]
    out = run("check", str(path)).out
    for low, high in zip(claim["ratio_lower"], claim["ratio_upper"], strict=True):
        assert f"a share in [{low}, {high}]" in out


def test_a_limit_is_not_printed_as_if_it_were_about_a_training(run: Run) -> None:
    out = run("check", str(DATA / "lambda-min-with-training.cert.json")).out
    assert "  training: " not in out
    assert re.search(r"not about the training in the file \(width \d+, .*\), but about infinite width", out)


# A new statement: one file and one entry -----------------------------------------------------------------------------

TOY = '''
"""Toy: how many rows there are, proved by the operator norm."""

from ntkproof.statements.options import TARGETS
from ntkproof.statements.operator_norm import STATEMENT as NORM
from dataclasses import replace

STATEMENT = replace(NORM, name="toy", proves="that a statement is one file", words=lambda conclusion: "one file")
'''


def test_a_statement_is_one_file_and_one_entry(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_statement.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(table.MODULES, "toy", "toy_statement")
    assert "that a statement is one file" in " ".join(run("certify", "--help").out.split())
    made = run("certify", "points.csv", "--statement", "toy", "-o", "p.cert.json")
    assert (made.code, made.err) == (0, "")
    assert "p.cert.json: one file  (3 x 2" in made.out or "p.cert.json: one file  (3 x 3" in made.out
    assert check(certify(POINTS, statement="toy")).valid
    with pytest.raises(InputError, match="the statement toy does not use width: it proves that a statement is one"):
        certify(POINTS, statement="toy", width=3)
    sys.modules.pop("toy_statement", None)

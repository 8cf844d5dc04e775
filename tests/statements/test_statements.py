"""The table of statements: what is refused, what is printed, and that a statement is one file and one line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Result, Run, runner

from ntkproof import Dataset, InputError, Network, Sphere, Weights, certify, check, save_weights
from ntkproof.checker.problem.training import INITS
from ntkproof.checker.table import KINDS
from ntkproof.statements import table
from ntkproof.statements.options import OPTIONS, TARGETS, Options
from ntkproof.theorems import THEOREMS
from ntkproof.theorems.instance import FORMS
from ntkproof.theorems.other_losses import LOSSES

DATA = Path(__file__).parents[1] / "data"
ROWS = "x,z,y\n0.6,0.8,1\n-0.8,0.6,2\n0.28,-0.96,3\n"
SAMPLES = Dataset(np.array([[0.6, 0.8], [-0.8, 0.6], [0.28, -0.96]]), np.array([1.0, 2.0, 3.0]))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text(ROWS)
    return runner(capsys, monkeypatch)


# The table ------------------------------------------------------------------------------------------------------


def test_every_entry_is_complete() -> None:
    for name in table.MODULES:
        entry = table.statement(name)
        assert entry.name == name
        assert {*entry.options, *entry.fixed, *entry.becomes, *entry.hints, *entry.needs} <= {*OPTIONS}
        assert not {*entry.options} & {*entry.fixed}
        assert {*entry.becomes.values()} <= {*table.MODULES}
        assert {*entry.kinds} <= {*KINDS}


def test_every_kind_that_concludes_belongs_to_a_statement() -> None:
    for kind, claim in KINDS.items():
        if claim.concludes:
            assert kind in table.of_kind(kind).kinds


def test_python_knows_the_options_of_the_table() -> None:
    assert {*Options.__annotations__} == {*OPTIONS} - {*TARGETS, "dimension"}


@pytest.mark.parametrize(
    ("option", "names"), [("theorem", THEOREMS), ("init", INITS), ("loss", LOSSES), ("form", FORMS)]
)
def test_the_help_names_what_there_is(option: str, names: Any) -> None:
    assert {*names} <= {*re.findall(r"[a-z0-9-]+", OPTIONS[option].help)}


# What is refused ------------------------------------------------------------------------------------------------

CONVERGENCE: dict[str, Any] = {"statement": "convergence", "activation": "erf"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({**CONVERGENCE, "train": "all"}, "about train=hidden here, not train=all", "ask for theorem=both (train=both)"),
    (
        {**CONVERGENCE, "theorem": "both", "train": "hidden"},
        "about train=both here, not train=hidden",
        "leave train out",
    ),
    ({**CONVERGENCE, "kernel": "nngp"}, "about kernel=ntk here, not kernel=nngp", "ask for statement=lambda-min"),
    ({**CONVERGENCE, "depth": 2, "train": "all"}, "about depth=1 here, not depth=2", "give weights or a run"),
    ({**CONVERGENCE, "bias": "0.1"}, "about bias=0 here, not bias=0.1", "leave bias out"),
    ({**CONVERGENCE, "radius": "1"}, "does not use radius", "statement=gradient-bound or hessian-bound"),
    ({**CONVERGENCE, "form": "tube"}, "does not use form", "give weights or a run"),
    ({**CONVERGENCE, "theorem": "both", "init": "signs"}, "about init=gaussian here, not init=signs", "leave init out"),
    ({**CONVERGENCE, "theorem": "smooth", "constants": {"c": "1"}}, "has no constant to supply", "theorem=huang2020"),
    ({**CONVERGENCE, "flow": True, "step_size": "0.1"}, "flow and step-size exclude each other", ""),
    ({"width": 100}, "lambda-min does not use width", "statement=convergence, gradient-bound or hessian-bound"),
    ({"theorem": "smooth"}, "does not use theorem", "ask for statement=convergence"),
    ({"loss": "quartic"}, "does not use loss", "ask for statement=convergence"),
    ({"failure_probability": "0.1"}, "does not use failure-probability", "ask for statement=convergence"),
    ({"constants": {"initial_deviation": "1"}}, "does not use constant", "ask for statement=convergence"),
    ({"form": "tube"}, "does not use form", "ask for statement=convergence-from-weights"),
    ({"init": "signs"}, "does not use init", "ask for statement=convergence"),
    ({"step_size": "0.1"}, "does not use step-size", "ask for statement=convergence"),
    ({"flow": True}, "does not use flow", "ask for statement=convergence"),
    ({"weights": "w.npz"}, "does not use weights", "convergence-from-weights or quantities"),
    ({"run": "folder"}, "does not use run", "ask for statement=convergence"),
    ({"max_frequency": 3}, "does not use max-frequency", "ask for statement=mercer"),
    ({"statement": "spectrum", "gap": 1e-3}, "does not use gap", "ask for statement=lambda-min"),
    ({"statement": "operator-norm", "activation": "erf"}, "does not use activation", "‖X‖"),
    ({"statement": "a-priori", "depth": 2}, "about depth=1 here, not depth=2", "ask for statement=lambda-min"),
    ({"statement": "a-priori", "kernel": "nngp"}, "about kernel=ntk here", "ask for statement=lambda-min"),
    (
        {"statement": "gradient-bound", "width": 9, "radius": "1", "train": "hidden"},
        "about train=all here",
        "lambda-min",
    ),
    ({"statement": "gradient-bound", "width": 9, "radius": "1", "init": "signs"}, "about init=gaussian here", ""),
    ({"statement": "gradient-bound", "width": 9, "radius": "1", "gap": 0.1}, "does not use gap", ""),
    ({"statement": "gradient-bound", "width": 9}, "needs width and radius", ""),
    ({"statement": "quantities"}, "the statement quantities needs weights", ""),
    ({"statement": "convergence", "weights": "w.npz", "run": "r"}, "weights and run exclude each other", ""),
    ({"statement": "convergence", "weights": "w.npz", "width": 9}, "does not use width", "leave weights out"),
    ({"statement": "convergence", "weights": "w.npz", "loss": "quartic"}, "about loss=squared here", ""),
]


def arguments(options: dict[str, Any]) -> list[str]:
    """Spell options for the command line."""
    words = []
    for name, value in options.items():
        flag = "--statement" if name == "statement" else f"--{OPTIONS[name].word}"
        values = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else [str(value)]
        words += [flag] if value is True else [word for each in values for word in (flag, each)]
    return words


@pytest.mark.parametrize(("options", "flaw", "instead"), REFUSED)
def test_what_a_statement_does_not_use_is_refused(options: dict[str, Any], flaw: str, instead: str, run: Run) -> None:
    result = run("certify", "d.csv", "--target", "y", *arguments(options))
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"ntkproof: error: [^\n]+\n", result.err)
    assert flaw in result.err
    assert instead in result.err
    assert not list(Path.cwd().glob("*.cert.json"))
    with pytest.raises(InputError) as caught:
        certify(SAMPLES, **options)
    assert result.err == f"ntkproof: error: {caught.value}\n"


def test_what_concerns_data_only(run: Run) -> None:
    err = run("certify", "d.csv", "--standardize-targets").err
    assert "the statement lambda-min does not use standardize-targets" in err
    with pytest.raises(InputError, match="rows is an option of the command line; use"):
        certify(SAMPLES, rows=2)  # type: ignore[call-arg]


@pytest.mark.parametrize("option", ["--gap=0.1", "--max-frequency=3"])
def test_the_sphere_refuses_too(option: str, run: Run) -> None:
    result = run("sphere", "--dimension", "3", "--statement", "odd-vanish", option)
    assert (result.code, result.out) == (2, "")
    assert f"the statement odd-vanish does not use {option[2:].split('=')[0]}: " in result.err
    assert "ask for statement=mercer" in result.err
    assert "Missing option '--dimension'" in run("sphere").err


def test_a_network_given_in_python_is_not_overridden() -> None:
    with pytest.raises(InputError, match="about train=hidden here, not train=all"):
        certify(SAMPLES, Network("erf"), statement="convergence")
    with pytest.raises(InputError, match="a network was given: say depth there"):
        certify(SAMPLES, Network("erf"), depth=2)
    with pytest.raises(InputError, match="unknown option 'widht'"):
        certify(SAMPLES, widht=3)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="the statement lambda-min is not about the sphere; there are mercer"):
        certify(Sphere(3))
    with pytest.raises(InputError, match="the statement mercer is not about data; there are lambda-min"):
        certify(SAMPLES, statement="mercer")


def test_what_is_taken_for_granted_may_be_said(run: Run) -> None:
    said = ("--kernel", "ntk", "--depth", "1", "--bias", "0.0", "--train", "hidden")
    common = ("d.csv", "--target", "y", "--statement", "convergence", "--activation", "erf", "-o", "c.cert.json")
    assert run("certify", *common, *said).code == 0
    problem = json.loads(run("check", "--json", "c.cert.json").out)["problem"]
    assert (problem["train"], problem["depth"]) == ("hidden", 1)


def test_the_network_of_a_run_is_not_overridden(run: Run) -> None:
    data = ("d.csv", "--target", "y")
    trained = ("--activation", "erf", "--train", "hidden", "--width", "512", "--steps", "60", "--save-every", "20")
    assert run("train", *data, *trained, "-o", "run").code == 0
    asked = ("certify", *data, "--statement", "convergence", "--run", "run", "-o", "r.cert.json")
    refused = run(*asked, "--activation", "tanh")
    assert "about activation=erf here, not activation=tanh" in refused.err
    proved = run(*asked)
    assert proved.code == 0
    assert "network: ntk, erf, depth 1, train hidden," in proved.out
    assert "the earliest step that will do: " in proved.out


# Every statement from Python ------------------------------------------------------------------------------------

GIVEN = Weights((np.tile(np.array([[0.6, 0.8], [-0.8, 0.6], [0.28, -0.96]]), (100, 1)), np.ones((1, 300))))
ASKED: list[dict[str, Any]] = [
    {"statement": "lambda-min", "activation": "erf"},
    {"statement": "spectrum", "kernel": "nngp"},
    {"statement": "condition-number", "gap": 1e-3},
    {"statement": "effective-rank", "depth": 2},
    {"statement": "a-priori", "train": "hidden"},
    {"statement": "operator-norm"},
    {"statement": "convergence", "activation": "erf", "step_size": "0.01"},
    {"statement": "quantities", "activation": "erf", "train": "hidden", "weights": GIVEN},
    {"statement": "gradient-bound", "width": 50, "radius": "0.5"},
    {"statement": "hessian-bound", "width": 50, "radius": "0.5", "activation": "sin"},
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked["statement"])
def test_certify_proves_every_statement(asked: dict[str, Any]) -> None:
    certificate = certify(SAMPLES, **asked)
    verdict = check(certificate)
    assert verdict.valid, verdict
    assert verdict.conclusion is not None
    assert verdict.conclusion["kind"] in table.statement(asked["statement"]).kinds
    assert table.describe(verdict.conclusion, "weights" in asked)


@pytest.mark.parametrize("statement", ["mercer", "odd-vanish"])
def test_certify_proves_statements_about_the_sphere(statement: str) -> None:
    assert check(certify(Sphere(3), statement=statement)).valid


def test_weights_from_a_file_are_those_from_memory(tmp_path: Path) -> None:
    save_weights(GIVEN, tmp_path / "w.npz")
    asked: dict[str, Any] = {"statement": "quantities", "activation": "erf", "train": "hidden"}
    memory, file = (certify(SAMPLES, weights=each, **asked) for each in (GIVEN, tmp_path / "w.npz"))
    assert memory.conclusion == file.conclusion


# What is printed ------------------------------------------------------------------------------------------------


def test_json_says_what_the_lines_say(run: Run) -> None:
    result = json.loads(run("certify", "d.csv", "--target", "y", "--json").out)
    assert result["statement"] == "lambda-min"
    assert (result["problem"]["rows"], result["problem"]["activation"]) == (3, "relu")
    assert result["lambda_0"] == result["conclusion"]["lower"]


def test_conditions_and_certify_have_the_same_defaults(run: Run) -> None:
    text = run("conditions", "d.csv", "--target", "y").out.splitlines()
    assert text[0].startswith("data: 3 x 2, sha256 ")
    assert text[1] == "network: ntk, relu, depth 1, σ_w 1, β 0, input scale 1"
    assert re.fullmatch(r"λ_0: λ_min\(H∞\) ≥ 0\.\d+ \(train hidden\)", text[2])
    found = json.loads(run("conditions", "d.csv", "--target", "y", "--json").out)
    hidden = run("certify", "d.csv", "--target", "y", "--train", "hidden", "--json")
    assert found["lambda_0"]["hidden"] == json.loads(hidden.out)["lambda_0"]
    assert [each["theorem"] for each in found["theorems"]] == list(THEOREMS)
    assert found["problem"]["activation"] == "relu"


def test_conditions_do_not_override_the_start(run: Run) -> None:
    lines = run("conditions", "d.csv", "--target", "y", "--activation", "erf", "--init", "signs").out.splitlines()
    for name in ("both", "lecture"):
        assert f"the theorem {name} is about init=gaussian" in next(line for line in lines if line.startswith(name))


def test_a_ratio_is_printed_as_the_interval_it_is(run: Run) -> None:
    result = run("check", str(DATA / "apriori-ratio.cert.json"))
    assert result.code == 0
    assert "separation: λ_min(H∞) ≥ 0.000506502229013, a share of it in [0.001985808, 7];" in result.out
    assert ", 7 of λ_min" not in result.out


def test_a_statement_about_infinite_width_does_not_come_with_a_training(run: Run) -> None:
    path = DATA / "lambda-min-with-training.cert.json"
    result = run("check", str(path))
    assert (result.code, result.out) == (
        1,
        f"{path}: INVALID: the conclusion is not about the training of the problem\n",
    )


CONVERGENCE = {"kind": "convergence", "dynamics": "flow", "width": "8", "rate": "0.5", "failure": "0"}
CONVERGENCE |= {"radius": "2", "kernel_deviation": "3"}


def test_given_weights_are_named_where_there_are_some_and_not_where_nothing_may_fail() -> None:
    says = "at width 8: L(t) ≤ e^(-0.5 t) L(0), ‖θ_t - θ_0‖ ≤ 2, ‖H_t - H_0‖ ≤ 3"
    assert table.describe(CONVERGENCE, False) == says
    assert table.describe(CONVERGENCE, True) == f"from these weights, {says}"
    mean = table.describe({**CONVERGENCE, "dynamics": "mean_flow", "failure": "0.1"}, False)
    assert mean.startswith("at width 8, with probability ≥ 1 - 0.1, on ‖r‖²/(2n): L(t) ≤ e^(-0.5 t) L(0)")


def test_check_says_what_the_verdict_rests_on(run: Run) -> None:
    run("certify", "d.csv", "-o", "p.cert.json")
    short = run("check", "p.cert.json").out
    long = run("check", "--trust", "p.cert.json").out
    found = re.search(r"  rests on: ([\d,]+) lines of code in (\d+) files, rules (.*)\n", short)
    assert found is not None
    assert found[3] == "kernel_enclosure, rayleigh_bound, psd_bound, lambda_min"
    listed = re.findall(r"^ {4} +(\d+)  (checker\S*\.py)$", long, re.MULTILINE)
    assert len(listed) == int(found[2])
    assert sum(int(count) for count, _ in listed) == int(found[1].replace(",", ""))
    report = json.loads(run("check", "--json", "p.cert.json").out)
    assert report["rules"] == found[3].split(", ")
    assert report["trusted"] == {file: int(count) for count, file in listed}
    assert report["trusted_lines"] == sum(report["trusted"].values())


# One file and one line ------------------------------------------------------------------------------------------

TOY = """
from ntkproof.statements.options import DATA
from ntkproof.statements.statement import Statement

def prove(question):
    from ntkproof.prover.certify import certify
    return certify(question.dataset, question.network, statement="operator-norm", **question.options("gap"))

STATEMENT = Statement(
    name="toy", proves="that toys have norms", network="none", kinds=("operator_norm",),
    options={**DATA, "gap": 0.25}, words=lambda c: f"a toy of norm at most {c['upper']}", prove=prove,
)
"""


def test_a_statement_is_one_file_and_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_statement.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(table.MODULES, "toy", "toy_statement")
    try:
        text = " ".join(run("certify", "--help").out.split())
        assert "toy that toys have norms; network: none" in text
        assert "[default: 0.25 or 1e-06]" in text
        made: Result = run("certify", "d.csv", "--target", "y", "--statement", "toy", "-o", "t.cert.json")
        assert made.code == 0
        assert "t.cert.json: a toy of norm at most 1." in made.out
        upper = float(certify(SAMPLES, statement="toy").conclusion["upper"])
        assert np.linalg.norm(SAMPLES.inputs, 2) <= upper <= 1.25**2 * np.linalg.norm(SAMPLES.inputs, 2)
        with pytest.raises(InputError, match="the statement toy does not use width: it proves that toys have norms"):
            certify(SAMPLES, statement="toy", width=3)
        assert "convergence or toy" in run("certify", "d.csv", "--statement", "spectrum", "--gap", "0.1").err
    finally:
        sys.modules.pop("toy_statement", None)

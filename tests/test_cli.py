"""The command line: what it prints, its exit codes, and one line for every bad input."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Result, Run, runner

import ntkproof
from ntkproof.checker.check import read
from ntkproof.commands.options import ENGINES
from ntkproof.data import datasets

POINTS = "a,b\n1,2\n3,4\n5,7\n"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command line in an empty directory that has ``points.csv``."""
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text(POINTS)

    return runner(capsys, monkeypatch)


def refused(result: Result, message: str, *leave: str) -> None:
    """Require one line on stderr, nothing on stdout, exit code 2 and no file but those named."""
    assert message in result.err
    assert re.fullmatch(r"ntkproof: error: [^\n]+\n", result.err)
    assert (result.code, result.out) == (2, "")
    assert {path.name for path in Path.cwd().iterdir()} == {"points.csv", *leave}


# certify and check ----------------------------------------------------------------------------------------------


def test_certify_then_check(run: Run) -> None:
    made = run("certify", "points.csv", "-o", "p.cert.json")
    assert (made.code, made.err) == (0, "")
    head = made.out.splitlines()
    assert head[0].startswith("data: 3 x 2, sha256 ")
    assert head[1] == "network: ntk, relu, depth 1, train all, σ_w 1, β 0, input scale 1"
    assert re.fullmatch(r"λ_0: λ_min\(H∞\) ≥ 0\.1361\d+", head[2])
    assert re.fullmatch(r"p\.cert\.json: λ_min\(H∞\) in \[0\.1361\d+, 0\.1361\d+\]  \(3 x 2, \d+\.\d\d s\)", head[3])
    checked = run("check", "p.cert.json")
    assert (checked.code, checked.err) == (0, "")
    lines = checked.out.splitlines()
    assert lines[0].startswith("p.cert.json: valid: λ_min(H∞) in [0.1361")
    assert lines[1].startswith("  data: 3 x 2, sha256 ")
    assert lines[1].endswith(", label (unchecked): points.csv")
    assert lines[2] == "  network: ntk, relu, depth 1, train all, σ_w 1, β 0, input scale 1"
    assert lines[3].startswith("  rests on: arithmetic (fast): ")


def test_every_option_of_the_network_reaches_the_certificate(run: Run) -> None:
    options = "--activation leaky_relu(0.10) --depth 2 --train all --bias 0.1 --weight-std 1.50 --input-scale fan-in"
    assert run("certify", "points.csv", *options.split(), "--kernel", "nngp", "-o", "p.cert.json").code == 0
    problem = read("p.cert.json").problem
    assert problem.kernel == "nngp"
    assert problem.network == ntkproof.Network("leaky_relu(0.1)", 2, "all", "0.1", "1.5", "fan-in")
    line = run("check", "p.cert.json").out.splitlines()[2]
    assert line == "  network: nngp, leaky_relu(0.1), depth 2, train all, σ_w 1.5, β 0.1, input scale fan-in"


@pytest.mark.parametrize("train", ["hidden", "output", "both", "all"])
@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_either_engine_proves_what_both_accept(run: Run, engine: str, train: str) -> None:
    assert run("certify", "points.csv", "--train", train, "--engine", engine, "-o", "p.cert.json").code == 0
    for other in ENGINES:
        assert f"arithmetic ({other})" in run("check", "--engine", other, "p.cert.json").out


def test_the_output_has_a_default_name(run: Run) -> None:
    assert run("certify", "points.csv").code == 0
    assert Path("points.cert.json").is_file()


def test_certify_prints_json(run: Run) -> None:
    result = run("certify", "points.csv", "--json", "-o", "p.cert.json")
    report = json.loads(result.out)
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert report["certificate"] == "p.cert.json"
    assert report["files"] == ["p.cert.json"]
    assert report["conclusion"]["kind"] == "lambda_min"
    assert report["sha256"] == ntkproof.load("points.csv").sha256
    assert report["seconds"] >= 0


def test_a_gap_that_is_not_reached_is_said_on_stderr(run: Run) -> None:
    Path("close.csv").write_text("1,0\n1,1e-152\n0.3,0.5\n")
    options = ("--activation", "erf", "--train", "hidden", "--gap", "1e-9")
    made = run("certify", "close.csv", *options)
    assert made.code == 0
    assert re.fullmatch(r"the gap 1e-09 was not reached; the bounds are 0\.\d+ apart, relatively\n", made.err)
    assert run("check", "close.cert.json").code == 0
    assert run("certify", "points.csv", *options).err == ""


def test_a_singular_matrix_is_refuted_with_its_rows(run: Run) -> None:
    Path("twice.csv").write_text("1,2\n3,4\n1,2\n")
    made = run("certify", "twice.csv", "-o", "p.cert.json")
    said = "λ_min(H∞) = 0: H∞ is singular, a null vector lives on rows 0, 2 (counted from 0)"
    assert said in made.out
    assert said in run("check", "p.cert.json").out
    conclusion = json.loads(run("check", "--json", "p.cert.json").out)["conclusion"]
    assert conclusion == {"kind": "lambda_min", "lower": "0", "upper": "0", "null_rows": [0, 2]}


def test_the_operator_norm(run: Run) -> None:
    assert run("certify", "points.csv", "--statement", "operator-norm", "-o", "p.cert.json").code == 0
    norm = np.linalg.norm(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), 2)
    conclusion = json.loads(run("check", "--json", "p.cert.json").out)["conclusion"]
    assert conclusion["kind"] == "operator_norm"
    assert float(conclusion["lower"]) <= norm * (1 + 1e-12)
    assert norm * (1 - 1e-12) <= float(conclusion["upper"])
    assert "‖X‖ in [" in run("check", "p.cert.json").out


@pytest.mark.parametrize(
    ("statement", "said"), [("gradient-bound", "‖∇f(x_i)‖ ≤ "), ("hessian-bound", "‖∇²f(x_i)‖ ≤ ")]
)
def test_bounds_in_a_ball(run: Run, statement: str, said: str) -> None:
    size = ("--depth", "2", "--width", "100", "--radius", "0.5", "--activation", "sin")
    arguments = ("points.csv", "--target", "b", "--statement", statement, *size, "--failure-probability", "0.25")
    first = run("certify", *arguments, "-o", "p.cert.json")
    assert (first.code, first.err) == (0, "")
    assert f"within 0.5 of the start, with probability ≥ 1 - 0.25: {said}" in first.out
    problem = json.loads(Path("p.cert.json").read_text())["problem"]
    assert (problem["network"]["depth"], problem["training"]) == (2, {"width": "100", "init": "gaussian"})
    verdict = run("check", "p.cert.json")
    assert (verdict.code, verdict.err) == (0, "")
    assert said in verdict.out
    assert "  start: width 100, init gaussian\n" in verdict.out


def test_other_losses(run: Run) -> None:
    common = ("points.csv", "--target", "b", "--statement", "convergence", "--activation", "erf")
    first = run("certify", *common, "--loss", "quartic", "-o", "p.cert.json")
    assert (first.code, first.err) == (0, "")
    assert "for the quartic loss: g = ℓ - ℓ* has g' ≤ -" in first.out
    assert run("check", "p.cert.json").code == 0
    constants = [f"--constant={name}" for name in ("exponent=0.5", "alpha=1.25", "gap=100")]
    assert run("certify", *common, "--loss", "custom", *constants, "-o", "c.cert.json").code == 0
    verdict = run("check", "c.cert.json")
    assert verdict.code == 3
    assert "rests on: assumed without proof: loss inequality with exponent 0.5, constant 1.25, gap 100" in verdict.out
    assert "g^1," in verdict.out


@pytest.fixture
def verdicts(run: Run) -> dict[str, str]:
    """Write a certificate of every verdict; return their names."""
    assert run("certify", "points.csv", "-o", "valid.cert.json").code == 0
    value = json.loads(Path("valid.cert.json").read_text())
    assumed = {"rule": "assume", "uses": [], "args": {}, "witness": {}}
    holey = {**value, "steps": [step | assumed if step["id"] == "lower" else step for step in value["steps"]]}
    Path("holey.cert.json").write_text(json.dumps(holey))
    sharper = [
        step | {"claim": step["claim"] | {"value": "0.2"}} if step["id"] == "lower" else step for step in value["steps"]
    ]
    Path("invalid.cert.json").write_text(json.dumps({**value, "steps": sharper}))
    Path("malformed.cert.json").write_text("{}")
    return {name: f"{name}.cert.json" for name in ("valid", "holey", "invalid", "malformed")}


@pytest.mark.parametrize(("name", "code"), [("valid", 0), ("holey", 3), ("invalid", 1), ("malformed", 2)])
def test_exit_codes(name: str, code: int, run: Run, verdicts: dict[str, str]) -> None:
    result = run("check", verdicts[name])
    assert (result.code, result.err) == (code, "")
    assert name in result.out.lower()
    report = json.loads(run("check", "--json", verdicts[name]).out)
    assert report["verdict"] == name
    assert report["file"] == verdicts[name]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["valid", "valid"], 0),
        (["valid", "holey"], 3),
        (["holey", "invalid", "valid"], 1),
        (["invalid", "malformed", "holey"], 2),
        (["malformed", "valid"], 2),
    ],
)
def test_of_several_files_the_worst_counts(names: list[str], code: int, run: Run, verdicts: dict[str, str]) -> None:
    result = run("check", "--json", *(verdicts[name] for name in names))
    assert result.code == code
    assert [json.loads(line)["verdict"] for line in result.out.splitlines()] == names


def test_json_of_every_verdict(run: Run, verdicts: dict[str, str]) -> None:
    reports: dict[str, Any] = {name: json.loads(run("check", "--json", file).out) for name, file in verdicts.items()}
    for name in ("valid", "holey"):
        assert set(reports[name]) == {
            *("file", "verdict", "conclusion", "assumptions", "problem"),
            *("rules", "trusted", "trusted_lines"),
        }
        assert set(reports[name]["conclusion"]) == {"kind", "lower", "upper"}
        assert reports[name]["assumptions"][-1].startswith("arithmetic (fast)")
    assert len(reports["valid"]["assumptions"]) == 1
    assert reports["holey"]["assumptions"][0].startswith("assumed without proof: lambda_min of kernel, lower bound")
    invalid, malformed = reports["invalid"], reports["malformed"]
    assert (invalid["step"], invalid["rule"], invalid["code"]) == ("lower", "psd_bound", "claim-not-derived")
    assert invalid["conclusion"] is None
    assert invalid["reason"] == "the stated value is sharper than what follows"
    assert (malformed["conclusion"], malformed["step"], malformed["problem"]) == (None, "", None)
    assert malformed["reason"] == "certificate: the field 'format' is missing"


def test_verdicts_for_people(run: Run, verdicts: dict[str, str]) -> None:
    invalid = run("check", verdicts["invalid"]).out
    assert invalid.startswith("invalid.cert.json: INVALID: step lower (psd_bound): the stated value is sharper than")
    assert "[needed value: 0.2 <= 0.1361]" in invalid
    assert run("check", verdicts["malformed"]).out == (
        "malformed.cert.json: MALFORMED: certificate: the field 'format' is missing\n"
    )
    assert "  rests on: assumed without proof" in run("check", verdicts["holey"]).out
    assert run("check", "absent.cert.json") == Result(2, "absent.cert.json: MALFORMED: no such file\n", "")


# The rest -------------------------------------------------------------------------------------------------------


def test_the_named_datasets(run: Run) -> None:
    pytest.importorskip("sklearn")
    result = run("datasets")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()][1:] == list(datasets.NAMED)
    facts = [json.loads(line) for line in run("datasets", "--json").out.splitlines()]
    assert {fact["name"]: fact["duplicate_pairs"] for fact in facts}["iris"] == 1


def test_version_and_help(run: Run) -> None:
    assert run("--version") == Result(0, f"ntkproof, version {ntkproof.__version__}\n", "")
    for arguments in ([], ["--help"], ["-h"], ["certify", "--help"], ["check", "-h"], ["datasets", "--help"]):
        result = run(*arguments)
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith("Usage: ntkproof")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "bad.csv: the file is empty"),
        ("a,b\n", "bad.csv: there are no rows below the header"),
        ("1,2\n", "bad.csv: the dataset has one row; at least two are needed"),
        ("1,2\n3\n", "bad.csv: line 2, column 2: the cell is missing"),
        ("1,2\n3,4,5\n", "bad.csv: line 2, column 3: '5' is too much"),
        ("1,2\n3,x\n", "bad.csv: line 2, column 2: 'x'"),
        ("a,b\n1,2\n3,nan\n", "bad.csv: line 3, column 2 ('b'): 'nan'"),
        ("1,2\n3,inf\n", "bad.csv: line 2, column 2: 'inf'"),
        ("1,2\n3,\n", "bad.csv: line 2, column 2:"),
        ("1,2\n3,1e999\n", "bad.csv: line 2, column 2: '1e999'"),
    ],
)
def test_bad_csv_files(content: str, message: str, run: Run) -> None:
    Path("bad.csv").write_text(content)
    refused(run("certify", "bad.csv", "-o", "p.cert.json"), message, "bad.csv")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_npy_files_with_other_than_numbers(bad: float, run: Run) -> None:
    np.save("bad.npy", np.array([[1.0, 2.0], [bad, 4.0]]))
    refused(run("certify", "bad.npy", "-o", "p.cert.json"), "bad.npy: entry [1, 0] is", "bad.npy")


def test_bad_preparations(run: Run) -> None:
    Path("bad.csv").write_text("1,0\n1,2\n")
    refused(run("certify", "bad.csv", "--standardize"), "column 0 (counting from 0) is constant", "bad.csv")
    Path("bad.csv").write_text("0,0\n1,2\n")
    refused(run("certify", "bad.csv", "--normalize"), "row 0 (counting from 0) is zero", "bad.csv")
    Path("bad.csv").write_text("1,2\n1,2\n")
    refused(run("certify", "bad.csv", "--drop-duplicates"), "at least two are needed", "bad.csv")
    refused(run("certify", "bad.csv", "--drop-constant-columns"), "all columns are constant", "bad.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv"], "absent.csv: no such file"),
        (["absent"], "'absent' is neither a named dataset nor a file; the named datasets are iris, wine"),
        (["."], ".: is a directory"),
        (
            ["points.csv", "--activation", "steps"],
            "unknown activation 'steps'; there are relu, leaky_relu(slope), abs, identity, erf, sin, cos",
        ),
        (["points.csv", "--activation", "leaky_relu(11)"], "the slope of leaky_relu must be from -10 to 10, not 11"),
        (["points.csv", "--depth", "0"], "depth must be an integer from 1 to 10, not 0"),
        (["points.csv", "--depth", "11"], "depth must be an integer from 1 to 10, not 11"),
        (["points.csv", "--depth", "two"], "'two' is not a valid integer"),
        (["points.csv", "--depth", "2", "--train", "hidden"], "train=hidden is for depth 1"),
        (["points.csv", "--train", "none"], "unknown train 'none'; there are hidden, output, both, all"),
        (["points.csv", "--kernel", "rbf"], "unknown kernel 'rbf'; there are ntk, nngp"),
        (["points.csv", "--kernel", "nngp", "--train", "both"], "the nngp kernel does not depend on what is trained"),
        (["points.csv", "--bias", "-1"], "bias must be from 0 to 10^6, not -1"),
        (["points.csv", "--bias", "1/3"], "not a decimal number: '1/3'"),
        (["points.csv", "--weight-std", "0"], "weight std must be from 10^-6 to 10^6, not 0"),
        (["points.csv", "--weight-std", "nan"], "not a decimal number: 'nan'"),
        (["points.csv", "--input-scale", "2"], "unknown input scale '2'; there are 1, fan-in"),
        (["points.csv", "--rows", "4"], "rows is 4, but there are only 3 to choose from"),
        (["points.csv", "--rows", "1"], "rows is 1; at least two are needed"),
        (["points.csv", "--rows", "2", "--shuffle-seed", "-1"], "the shuffle seed is -1"),
        (["points.csv", "--target", "c"], "no column is called 'c'"),
        (["points.csv", "--gap", "0"], "the gap must be from 1e-12 to 0.5, not 0.0"),
        (["points.csv", "--gap", "nan"], "the gap must be from 1e-12 to 0.5, not nan"),
        (["points.csv", "--engine", "slow"], "'slow' is not one of 'fast', 'reference'"),
        (["points.csv", "--statement", "x"], "'x' is not one of 'lambda-min', 'spectrum'"),
        (["points.csv", "--statement", "gradient-bound", "--width", "9"], "needs width and radius"),
        (["points.csv", "--statement", "gradient-bound", "--radius", "1"], "needs width and radius"),
        (["points.csv", "--statement", "hessian-bound", "--width", "9", "--radius", "1"], "needs targets"),
        (
            ["points.csv", "--statement", "convergence", "--loss", "hinge"],
            "unknown loss 'hinge'; there are squared, quartic, custom",
        ),
        (
            ["points.csv", "--target", "b", "--statement", "convergence", "--loss", "custom"],
            "a custom loss needs the constants exponent, alpha, gap",
        ),
        (["points.csv", "-o", "absent/p.cert.json"], "absent/p.cert.json: the directory absent does not exist"),
        (["points.csv", "-o", "."], ".: is a directory"),
        (["points.csv", "--wrong"], "No such option"),
        (["points.csv", "more"], "unexpected extra argument"),
        ([], "Missing argument 'DATA'"),
    ],
)
def test_bad_arguments_of_certify(arguments: list[str], message: str, run: Run) -> None:
    refused(run("certify", *arguments), message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prove"], "No such command 'prove'"),
        (["--wrong"], "No such option"),
        (["check"], "Missing argument 'FILES...'"),
        (["check", "--engine", "slow", "p.cert.json"], "'slow' is not one of"),
        (["datasets", "iris"], "unexpected extra argument"),
    ],
)
def test_other_wrong_usage(arguments: list[str], message: str, run: Run) -> None:
    refused(run(*arguments), message)


@pytest.mark.parametrize("activation", ["relu", "sin"])
def test_data_out_of_reach(activation: str, run: Run) -> None:
    Path("huge.csv").write_text("1e200,1\n2,1e200\n")
    refused(run("certify", "huge.csv", "--activation", activation), "no proof was found", "huge.csv")


def test_running_out_of_memory_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*arguments: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("ntkproof.commands.prove.certify", hungry)
    assert run("certify", "points.csv") == Result(71, "", "ntkproof: error: out of memory\n")
    assert [path.name for path in Path.cwd().iterdir()] == ["points.csv"]


def test_an_existing_certificate_survives_a_bad_run(run: Run) -> None:
    Path("p.cert.json").write_text("the one before")
    refused(run("certify", "points.csv", "--depth", "0", "-o", "p.cert.json"), "depth must be", "p.cert.json")
    assert Path("p.cert.json").read_text() == "the one before"


# As a process ---------------------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-c", "from ntkproof.commands.entry import main; main()"]


def test_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(POINTS)

    def process(*arguments: str) -> Result:
        done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60)
        return Result(done.returncode, done.stdout, done.stderr)

    assert process("certify", "points.csv", "-o", "p.cert.json").code == 0
    assert process("check", "p.cert.json", "absent.cert.json").code == 2
    bad = process("certify", "absent.csv")
    assert bad == Result(2, "", "ntkproof: error: absent.csv: no such file\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.cert.json", "points.csv"]


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((600, 4))
    np.save(tmp_path / "long.npy", rows)
    script = (  # where the tests run in the background of a script, the interruption is ignored
        "import signal, ntkproof.commands.entry; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "print('ready', flush=True); ntkproof.commands.entry.main()"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", script, "certify", "long.npy", "--engine", "reference", "--depth", "3"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with job:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        time.sleep(1)
        job.send_signal(signal.SIGINT)
        out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert err == "ntkproof: error: interrupted; nothing half-written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["long.npy"]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("1,0,1\n0,1,2\n1,1,3\n", "--drop-duplicates: 0 of 3 rows dropped\n"),
        (
            "1,0,1\n0,1,2\n1,0,1\n",
            "--drop-duplicates: 1 of 3 rows dropped, with the same targets as the rows that stay\n",
        ),
        (
            "1,0,1\n0,1,2\n1,0,1\n0,1,4\n",
            "--drop-duplicates: 2 of 4 rows dropped, 1 with another target than the row that stays: "
            "row 3 (counting from 0) has 4, row 1 has 2\n",
        ),
    ],
)
def test_dropped_rows_are_counted(rows: str, line: str, run: Run) -> None:
    Path("twins.csv").write_text(rows)
    result = run("certify", "twins.csv", "--target", "2", "--drop-duplicates", "-o", "p.cert.json")
    assert (result.code, result.err) == (0, line)


def test_named_sets_in_any_case(run: Run) -> None:
    result = run("certify", "Iris", "--rows", "2", "--statement", "operator-norm", "-o", "p.cert.json")
    assert result.code == 0
    assert "label (unchecked): iris rows=2 seed=0" in result.out


@pytest.mark.parametrize(
    ("activation", "reason"),
    [
        ("expr(1/x)", "the activation has no finite value or derivative near x = 0"),
        (
            "expr(exp(x))",
            "no bound of the activation for large |x| was found: it grows faster than any power of x",
        ),
    ],
)
def test_no_advice_where_none_helps(activation: str, reason: str, run: Run) -> None:
    result = run("certify", "points.csv", "--activation", activation)
    assert result.err == f"ntkproof: error: no kernel is known to exist for {activation}: {reason}\n"


def test_conditions_say_one_reason_once(run: Run) -> None:
    Path("twins.csv").write_text("1,0,1\n0,1,2\n1,0,1\n")
    result = run("conditions", "twins.csv", "--target", "2")
    reason = "the limit kernel is singular or not shown to be definite: no width is enough"
    assert result.out.splitlines()[2:] == [f"no theorem applies: {reason}"]
    Path("few.csv").write_text("1,0,1\n0,1,2\n0.6,0.8,3\n")
    result = run("conditions", "few.csv", "--target", "2", "--activation", "expr(abs(x) + x)")
    reason = "no bounds of the derivatives of the activation: abs and relu are not twice differentiable at 0"
    assert result.out.splitlines()[2:] == [f"no theorem applies: {reason}"]
    lines = run("conditions", "few.csv", "--target", "2").out.splitlines()
    assert next(line for line in lines if line.startswith("bowman2023-path")).endswith("  as bowman2023")


def test_a_large_step_size_is_told_which_would_do(run: Run) -> None:
    Path("few.csv").write_text("1,0,1\n0,1,2\n0.6,0.8,3\n")
    asked = ("certify", "few.csv", "--target", "2", "--statement", "convergence", "--activation", "tanh")
    refusal = run(*asked, "--step-size", "5").err
    found = re.fullmatch(
        r"ntkproof: error: no width up to 1e\+40 will do: κ > 0 needs 0, has -4 \(the step size is small enough\); "
        r"step sizes up to (0\.999\d?) would do at some width, (0\.499\d?) from width (\d+) on\n",
        refusal,
    )  # κ → 1 - η‖X‖²/2 = 1 - η: ‖X‖² = 2, sup tanh' = 1
    assert found is not None
    width = int(found[3])
    assert run(*asked, "--step-size", found[2], "--width", str(width), "-o", "p.cert.json").code == 0
    assert "would do" in run(*asked, "--step-size", found[2], "--width", str(width - 2)).err
    assert "no width up to" in run(*asked, "--step-size", "1.001").err

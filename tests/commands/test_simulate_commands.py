"""The commands ``simulate`` and ``train``: what they write, going on after an interruption, bad input."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from command import Result, Run, runner

from ntkproof import Network, load
from ntkproof.data.runs import read_run, saved_steps
from ntkproof.data.weights import load_weights
from ntkproof.simulation.initialization import unmirrored
from ntkproof.simulation.networks import Model
from ntkproof.simulation.runs import load_results
from ntkproof.simulation.saved import rounded_down

POINTS = "a,b,y\n0.6,0.8,1\n1,0,-0.5\n0.25,-1.5,0.25\n"
DATA = ("points.csv", "--target", "y", "--activation", "erf", "--train", "hidden")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command line in an empty directory that has ``points.csv``."""
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text(POINTS)

    return runner(capsys, monkeypatch)


def refused(result: Result, message: str) -> None:
    """Require one line on stderr, nothing on stdout, exit code 2 and nothing written."""
    assert message in result.err
    assert re.fullmatch(r"ntkproof: error: [^\n]+\n", result.err)
    assert (result.code, result.out) == (2, "")
    assert [path.name for path in Path.cwd().iterdir()] == ["points.csv"]


# simulate -------------------------------------------------------------------------------------------------------


def test_simulate_writes_a_run(run: Run) -> None:
    asked = ("simulate", *DATA, "--width", "16,4", "--seeds", "2", "--jobs", "1", "--records", "5", "-o", "run")
    made = run(*asked)
    assert (made.code, made.err) == (0, "")
    assert [line.split()[:2] for line in made.out.splitlines()[1:3]] == [["4", "2"], ["16", "2"]]
    results = load_results("run")
    assert results.width.tolist() == [4, 4, 16, 16]
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["experiment"]["data"]["sha256"] == load("points.csv", target="y").sha256
    assert [row["width"] for row in summary["widths"]] == [4, 16]
    median = float(np.median(results.at(16).scalars["kernel_change"].max(axis=1)))
    assert summary["widths"][1]["kernel_change"] == pytest.approx(median)
    assert {finding["verdict"] for finding in summary["findings"]} <= {"supported", "contradicted", "undecided"}
    cells = {path.name: path.stat().st_mtime_ns for path in Path("run/cells").iterdir()}
    again = run(*asked, "--json")
    assert json.loads(again.out) == summary
    assert {path.name: path.stat().st_mtime_ns for path in Path("run/cells").iterdir()} == cells


def test_simulate_tests_a_certificate(run: Run) -> None:
    """And says when the certificate itself is wrong: its rate is twice what is true."""
    Path("points.csv").write_text("a,b,y\n1,0,0.1\n0,1,-0.1\n")
    assert run("certify", *DATA, "--statement", "convergence", "-o", "c.cert.json").code == 0
    tested = run("simulate", "--certificate", "c.cert.json", "--seeds", "3", "--jobs", "1", "-o", "run", "--json")
    assert (tested.code, tested.err) == (0, "")
    found = json.loads(tested.out)["certificate"]
    assert (found["check"], found["verdict"], found["estimate"]["value"]) == ("valid", "undecided", 1)
    forged = json.loads(Path("c.cert.json").read_text())
    rate = float(forged["conclusion"]["claim"]["rate"])
    assert rate < 0.8  # the true one is 2 λ_min(H∞) = 8/(3π) = 0.849 for orthogonal unit samples
    forged["conclusion"]["claim"]["rate"] = "1.7"  # twice the true one, rounded
    Path("f.cert.json").write_text(json.dumps(forged))
    asked = ("simulate", "--certificate", "f.cert.json", "--seeds", "12", "--jobs", "1", "-o", "false", "--json")
    found = json.loads(run(*asked).out)["certificate"]
    assert (found["check"], found["verdict"], found["estimate"]["value"]) == ("invalid", "contradicted", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "run"), "DATA is missing"),
        ((*DATA, "-o", "run", "--width", "5"), "needs an even width, not 5"),
        ((*DATA, "-o", "run", "--width", "4,x"), "--width must be positive integers with commas between, not '4,x'"),
        ((*DATA, "-o", "run", "--width", ""), "--width must be positive integers"),
        (
            (*DATA, "-o", "run", "--seeds", "0"),
            "--seeds must be from 1 to 100000 and --first-seed not negative, not 0 and 0",
        ),
        ((*DATA, "-o", "run", "--seeds", str(10**30)), "--seeds must be from 1 to 100000"),
        ((*DATA, "-o", "run", "--first-seed", "-1"), "--first-seed not negative"),
        ((*DATA, "-o", "run", "--steps", "5"), "steps and batches are for gradient descent"),
        ((*DATA, "-o", "run", "--steps", "many"), "--steps must be a positive integer or auto"),
        ((*DATA, "-o", "run", "--step-size", "nan"), "--step-size must be a positive number or auto, not 'nan'"),
        ((*DATA, "-o", "run", "--time", "-3"), "--time must be a positive number or auto, not '-3'"),
        ((*DATA, "-o", "run", "--kernel", "nngp"), "leave out --kernel"),
        ((*DATA, "-o", "run", "--init", "zero"), "unknown init 'zero'"),
        ((*DATA, "-o", "points.csv"), "points.csv: cannot be used as the folder of a run"),
        ((*DATA, "-o", "run", "--jobs", "0"), "the number of processes must be positive"),
        (("points.csv", "-o", "run"), "training needs targets"),
        (("--certificate", "none.cert.json", "-o", "run"), "none.cert.json: "),
        (("--certificate", "c.cert.json", "--width", "8", "-o", "run"), "leave out --width"),
        (("points.csv", "--certificate", "c.cert.json", "-o", "run"), "leave out DATA"),
    ],
)
def test_simulate_refuses(run: Run, arguments: tuple[str, ...], message: str) -> None:
    refused(run("simulate", *arguments), message)


def test_figures(run: Run) -> None:
    pytest.importorskip("matplotlib")
    asked = ("simulate", *DATA, "--width", "4,8", "--seeds", "2", "--jobs", "1", "-o", "run", "--plot")
    assert run(*asked).code == 0
    for name in ("training.png", "directions.png"):
        assert Path("run", name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_grid_goes_on(run: Run, tmp_path: Path) -> None:
    asked = ["simulate", *DATA, "--width", "2000", "--seeds", "6", "-o", "run"]
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from ntkproof.commands.entry import main; main()"
    )
    started = subprocess.Popen([sys.executable, "-c", code, *asked], cwd=tmp_path, stderr=subprocess.PIPE)
    while len(list(tmp_path.glob("run/cells/*.npz"))) < 2:
        assert started.poll() is None
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=30)
    assert started.returncode == 130
    assert err == b"ntkproof: error: interrupted; nothing half-written\n"
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("run/cells/*")}
    assert all(name.endswith(".npz") for name in kept)
    assert run(*asked).code == 0
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("run/cells/*")}
    assert len(after) == 6
    assert {name: after[name] for name in kept} == kept


# train ----------------------------------------------------------------------------------------------------------


def test_train_saves_and_goes_on(run: Run) -> None:
    asked = ("train", *DATA, "--width", "6", "--save-every", "10", "--step-size", "0.25")
    made = run(*asked, "--steps", "25", "-o", "parts")
    assert (made.code, made.err) == (0, "")
    assert [step for step, _ in saved_steps("parts")] == [0, 10, 20, 25]
    record = read_run("parts")
    assert (record.network, record.step_size) == (Network("erf", train="hidden"), "0.25")
    assert dict(record.notes) == {"width": 6, "init": "antisymmetric", "seed": 0}
    assert json.loads(run(*asked, "--steps", "40", "-o", "parts", "--json").out)["first"] == 25
    assert run(*asked, "--steps", "40", "-o", "whole").code == 0
    for step in (0, 10, 20, 40):
        name = f"step-{step:08d}.npz"
        assert Path("parts", name).read_bytes() == Path("whole", name).read_bytes()


def test_saved_weights_are_those_of_descent(run: Run) -> None:
    """``θ_{k+1} = θ_k − ηJᵀr`` by explicit Jacobians."""
    assert (
        run("train", *DATA, "--width", "6", "--save-every", "1", "--steps", "3", "--step-size", "0.25", "-o", "r").code
        == 0
    )
    data = load("points.csv", target="y")
    network = Network("erf", train="hidden")
    weights = [load_weights(path, network) for _, path in saved_steps("r")]
    assert weights[0].mirrored
    for before, after in pairwise(weights):
        model = Model(network, before, data.inputs)
        trace = model.trace()
        expected = model.start - 0.25 * model.jacobian(trace).T @ (trace.outputs - data.targets)
        assert after.layers[0].reshape(-1) == pytest.approx(expected, rel=1e-13)
        assert np.array_equal(after.layers[1], unmirrored(before).layers[1])


def test_deep_networks_and_batches_go_on_too(run: Run) -> None:
    asked = ("train", "points.csv", "--target", "y", "--activation", "tanh", "--depth", "3", "--bias", "0.5")
    asked += ("--width", "5", "--save-every", "4", "--batch", "2", "--seed", "9")
    assert run(*asked, "--steps", "6", "-o", "parts").code == 0
    assert run(*asked, "--steps", "10", "-o", "parts").code == 0
    assert run(*asked, "--steps", "10", "-o", "whole").code == 0
    assert Path("parts/step-00000010.npz").read_bytes() == Path("whole/step-00000010.npz").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--step-size", "0.5"), "other step size"),
        (("--seed", "1"), "other width, init, seed or batch"),
        (("--activation", "tanh"), "other network"),
        (("--normalize",), "other data"),
    ],
)
def test_another_training_needs_another_folder(run: Run, changes: tuple[str, ...], message: str) -> None:
    asked = ("train", *DATA, "--width", "6", "--steps", "3", "--step-size", "0.25", "-o", "r")
    assert run(*asked).code == 0
    before = sorted((path.name, path.stat().st_mtime_ns) for path in Path("r").iterdir())
    again = run(*asked, *changes)
    assert (again.code, message in again.err) == (2, True)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in Path("r").iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--width", "7"), "needs an even width, not 7"),
        (("--width", "6", "--step-size", "x"), "not a decimal number: 'x'"),
        (("--width", "6", "--save-every", "0"), "the number of steps between savings must be positive"),
        (("--width", "6", "--steps", "0"), "the number of steps must be from 1"),
        (("--width", "6", "--seed", "-1"), "seeds must be from 0 to 2^63 - 1"),
        (("--width", "6", "--kernel", "nngp"), "leave out --kernel"),
        (("--width", "6", "--batch", "9"), "a batch must have 1 to 3 samples"),
    ],
)
def test_train_refuses(run: Run, changes: tuple[str, ...], message: str) -> None:
    refused(run("train", *DATA, *changes, "-o", "r"), message)


def test_a_training_that_blows_up_is_told(run: Run) -> None:
    asked = ("train", "points.csv", "--target", "y", "--activation", "identity", "--train", "hidden", "--init", "signs")
    told = run(*asked, "--width", "6", "--step-size", "1000", "--steps", "400", "--save-every", "50", "-o", "r")
    assert told.code == 2
    assert "blew up before step" in told.err
    assert all(np.isfinite(load_weights(path).layers[0]).all() for _, path in saved_steps("r"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.73399, "0.733"), (1.0, "1"), (12345.6, "12300"), (0.00099999, "0.000999"), (2.0**-22, "0.000000238")],
)
def test_step_sizes_are_rounded_down(value: float, expected: str) -> None:
    assert rounded_down(value) == expected
    assert float(expected) <= value

"""The command ``ntkproof predict``: its tables, its JSON, and one line for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ntkproof import Dataset, Network, load, predict
from tests.test_cli import Run, refused, run

__all__ = ["run"]  # a fixture

XOR = "a,b,y\n1,1,-1\n-1,-1,-1\n1,-1,1\n-1,1,1\n2,1,-1\n"
ERF = ("--activation", "erf", "--train", "both")


@pytest.fixture
def xor(run: Run) -> tuple[str, ...]:
    Path("points.csv").write_text(XOR)
    return "points.csv", "--target", "y"


def test_json_has_every_number_with_its_error(run: Run, xor: tuple[str, ...]) -> None:
    result = run("predict", *xor, "--test-rows", "1", *ERF, "--time", "0.5", "--time", "30", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    data = load("points.csv", target="y")
    assert data.targets is not None
    limit = predict(
        Dataset(data.inputs[:4], data.targets[:4]),
        Network("erf", train="both"),
        times=("0.5", "30"),
        test=data.inputs[4:],
    )
    assert found["rates"] == {"value": limit.rates.value.tolist(), "radius": limit.rates.radius.tolist()}
    for fields, instant in zip(found["instants"], limit.instants, strict=True):
        assert fields["time"] == instant.time
        for name in ("filter", "residual", "loss", "mean", "covariance"):
            assert fields[name]["value"] == getattr(instant, name).value.tolist()
            assert fields[name]["radius"] == getattr(instant, name).radius.tolist()
    assert found["test_targets"] == [-1.0]
    assert found["ntk_posterior"] == "the kernel is not proved regular"  # two pairs of opposite rows, erf is odd


def test_the_end_of_training_is_called_inf(run: Run, xor: tuple[str, ...]) -> None:
    found = json.loads(run("predict", *xor, "--activation", "relu", "--time", "inf", "--json").out)
    assert found["instants"][0]["time"] == "inf"
    assert found["nngp_posterior"] == found["ntk_posterior"] == "there are no test inputs"
    assert float(found["lambda_min"]["lower"]) > 0


def test_tables(run: Run, xor: tuple[str, ...]) -> None:
    result = run("predict", *xor, "--test-rows", "1", "--bias", "0.5", *ERF, "--time", "1", "--time", "inf")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("4 training rows, 1 test rows; λ_min(H∞) in [0.")
    assert any(" ".join(line.split()) == "i λ_i share of ‖r_0‖² learnt at 1 learnt at inf" for line in lines)
    assert any(line.split()[:2] == ["inf", "0"] for line in lines)
    assert "posterior of the NTK" in result.out
    assert "posterior of the NNGP" in result.out
    assert result.out.count("±") >= 3
    assert result.out.rstrip().endswith("-1.0000")


def test_a_file_of_test_inputs(run: Run, xor: tuple[str, ...]) -> None:
    np.save("new.npy", np.array([[0.5, 0.25], [1.0, 3.0]]))
    found = json.loads(run("predict", *xor, "--test", "new.npy", "--activation", "relu", "--json").out)
    assert len(found["instants"][0]["mean"]["value"]) == 2
    assert found["test_targets"] == []
    np.save("new.npy", np.ones((2, 3)))
    refused(run("predict", *xor, "--test", "new.npy"), "new.npy: 3 columns of inputs where the data have 2", "new.npy")
    np.save("new.npy", np.ones((2, 2)))
    refused(run("predict", *xor, "--test", "new.npy", "--test-rows", "1"), "exclude each other", "new.npy")
    refused(run("predict", *xor, "--test", "new.npy", "--normalize"), "--test is used as it is", "new.npy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--time", "-1"], "a time must be from 0 to 1e30, or inf, not -1"),
        (["--time", "1_0"], "not a decimal number"),
        (["--test-rows", "4"], "--test-rows must be from 0 to 3, not 4"),
        (["--test-rows", "-1"], "--test-rows must be from 0 to 3, not -1"),
        (["--kernel", "nngp"], "predict shows both kernels; leave out --kernel"),
        (["--noise", "x"], "not a decimal number"),
        ([*ERF, "--time", "inf"], "λ_min(H) > 0 is not proved"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, run: Run, xor: tuple[str, ...]) -> None:
    refused(run("predict", *xor, *arguments), message)


def test_targets_are_needed(run: Run) -> None:
    Path("points.csv").write_text("a,b\n1,1\n2,1\n3,5\n")
    np.save("inputs.npy", np.eye(3))
    refused(run("predict", "inputs.npy"), "a prediction needs targets", "inputs.npy")

"""Text from outside is printed as what it is: no name makes a line of its own, or turns one around."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ntkproof import Weights, save_weights
from ntkproof.commands.main import COMMANDS
from ntkproof.show.lines import shown
from tests.test_cli import Run, run

__all__ = ["run"]  # a fixture

FORGED = "forged.cert.json: valid: λ_min(H∞) in [1, 1]"
HOSTILE = f"a\n{FORGED}\r\x1b[2K\x9b1A\u202e\u2028b"
SHOWN = f"a\\n{FORGED}\\r\\u001b[2K\\u009b1A\\u202e\\u2028b"
SHIPPED = Path(__file__).parents[2] / "certificates" / "lambda_min" / "three-relu-hidden-depth1.cert.json"
SMALL = ("--steps", "2", "--width", "4")
ASKED = {  # every command, with the hostile name wherever it takes a text
    "certify": [
        ("{csv}",),
        ("{csv}", "-o", "{name}.cert.json"),
        ("{csv}", "--target", "{name}"),
        ("{csv}", "--activation", "{name}"),
        ("{csv}", "--statement", "{name}"),
        ("{csv}", "--{name}"),
        ("{name}",),
    ],
    "check": [("{cert}",), ("{cert}", "--json"), ("{bad}",), ("{bad}", "--json"), ("{name}",)],
    "claims": [("--id", "{name}"), ("--document", "{name}"), ("--registry", "{name}:x"), ("--list", "--fast")],
    "conditions": [("{csv}", "--target", "1"), ("{csv}", "--target", "1", "--init", "{name}"), ("{name}",)],
    "datasets": [(), ("{name}",)],
    "predict": [("{csv}", "--target", "1"), ("{csv}", "--target", "1", "--test", "{name}")],
    "simulate": [("{csv}", "--target", "1", "-o", "{name}", "--seeds", "1", *SMALL), ("--certificate", "{bad}")],
    "sphere": [("--dimension", "3", "--max-frequency", "2", "-o", "{name}.cert.json"), ("--activation", "{name}")],
    "hash": [("{csv}", "--target", "{name}"), ("{csv}",), ("{csv}", "--json"), ("{name}",)],
    "show": [("{cert}",), ("{cert}", "--data", "{name}.csv"), ("{bad}",), ("{name}",)],
    "pack": [("{cert}", "-o", "{name}.packed.cert.json"), ("{bad}", "-o", "b"), ("{name}",)],
    "unpack": [("{cert}", "-o", "{name}.loose.cert.json"), ("{bad}", "-o", "b"), ("{name}",)],
    "train": [("{csv}", "--target", "1", "-o", "{name}r", *SMALL), ("{csv}", "--init", "{name}", "-o", "r", *SMALL)],
    "weights": [("{npz}",), ("{npz}", "--json"), ("{bad}",), ("{name}",)],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_name_forges_a_line(run: Run, command: str) -> None:
    names = {kind: f"{HOSTILE}.{kind}" for kind in ("csv", "cert", "bad", "npz")}
    Path(names["csv"]).write_text("1,2\n3,4\n5,7\n")
    shutil.copy(SHIPPED, names["cert"])
    Path(names["bad"]).write_text(json.dumps({HOSTILE: HOSTILE}))
    weights = Weights((np.ones((4, 1)), np.ones((1, 4))))
    save_weights(weights, names["npz"])
    for arguments in ASKED[command]:
        result = run(command, *(each.format(name=HOSTILE, **names) for each in arguments))
        lines = (result.out + result.err).split("\n")
        assert all(line.isprintable() for line in lines), (arguments, lines)
        assert not any(line.startswith(FORGED) for line in lines), (arguments, lines)


def test_a_file_name_is_shown_as_it_is(run: Run) -> None:
    shutil.copy(SHIPPED, HOSTILE)
    first, *_ = run("check", HOSTILE).out.split("\n")
    assert first == f"{SHOWN}: valid: λ_min(H∞) in [0.5185881873, 0.5185884501]"
    assert json.loads(run("check", HOSTILE, "--json").out)["file"] == HOSTILE


def test_a_long_label_is_cut_and_marked(run: Run) -> None:
    document = json.loads(SHIPPED.read_text())
    document["problem"]["dataset"]["label"] = " " * 200 + FORGED
    Path("l.cert.json").write_text(json.dumps(document))
    line = run("check", "l.cert.json").out.split("\n")[1]
    assert line.endswith(", label (unchecked): " + " " * 120 + "…")


@pytest.mark.parametrize("text", ["plain λ ‖x‖²", '{"a": "b\\n"}', ""])
def test_printable_text_stays(text: str) -> None:
    assert shown(text) == text


def test_bytes_that_are_no_text_are_shown() -> None:
    assert shown("\udcff\U000e0001\t") == "\\udcff\\udb40\\udc01\\t"

"""What a certificate may cost: small files that once hung the checker, exhausted it or made it raise."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from certificates.forgeries import places
from ntkproof.checker import Verdict, check
from ntkproof.checker.activations.expressions import normalise
from ntkproof.checker.logic import arrays, budget
from ntkproof.checker.logic.arrays import Source
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import InputError, decimal, parse_decimal
from ntkproof.checker.logic.reading import Malformed, contents, strict_json

Json = dict[str, Any]
SECONDS, BYTES = 10, 2**30


def small(activation: str = "relu") -> Json:
    document: Json = json.loads(places()["three-relu-hidden-depth1"].read_text())
    if activation.startswith("expr("):
        with suppress(InputError):  # what cannot be read is to be refused when it is
            activation = f"expr({normalise(activation[5:-1])})"
    document["problem"]["network"]["activation"] = activation
    return document


def heavy(precision: int, terms: int) -> Json:
    document = small("tanh")
    document["steps"][0]["rule"] = "hermite_enclosure"
    document["steps"][0]["args"] = {"precision": precision, "working_precision": precision, "terms": terms}
    return document


def array(dtype: str, shape: list[int], data: bytes) -> Json:
    known = {"dtype": dtype, "shape": shape, "sha256": hashlib.sha256(data).hexdigest()}
    return {**known, "base64": base64.b64encode(data).decode()}


def wide(columns: int) -> Json:
    """Two rows, and the Gram matrix of the columns."""
    document = json.loads(places()["three-operator-norm"].read_text())
    document["problem"]["dataset"]["inputs"] = array("float64", [2, columns], b"\0\0\0\0\0\0\xf0?" * 2 * columns)
    document["problem"]["dataset"].pop("targets", None)
    document["steps"][0]["args"] = {"side": "columns"}
    return document


def mercer(**args: int) -> Json:
    document = json.loads(places()["sphere-relu-d2"].read_text())
    document["steps"][0]["args"] |= args
    return document


TOWER = "x"
for _ in range(6):
    TOWER = f"exp({TOWER})"

HOSTILE: dict[str, tuple[Json, str]] = {
    "quotients, nested 36 deep": (small("expr(relu(x/" + "(1/" * 35 + "1" + ")" * 35 + "))"), "wrong-activation"),
    "stars that a pattern may group in many ways": (small("expr(" + "*" * 60 + "!)"), "malformed"),
    "no enclosure on any box": (small("expr(x/(1 + 33554432*(x - x)))"), "no-enclosure"),
    "a tower of powers": (small("expr((((((2**64)**64)**64)**64)**64)**64*x)"), "no-enclosure"),
    "a tower of exponentials": (small(f"expr(x/({TOWER}))"), "no-enclosure"),
    "an angle of such": (small("expr(atan(((((2**64)**64)**64)**64)**64*x))"), "no-enclosure"),
    "a tiny number": (small("expr(x + (((((2**-64)**64)**64)**64)**64)*x**2)"), "no-enclosure"),
    "precision and terms at their limits": (heavy(2048, 2000), "too-costly"),
    "many terms": (heavy(1024, 2000), "too-costly"),
    "a Gram matrix of 100,000 columns": (wide(100_000), "too-costly"),
    "many nodes": (mercer(nodes=50_000, precision=8192, max_frequency=500), "too-costly"),
    "a cut far below 2^-20000": (mercer(nodes=5000, inverse_step=1, max_frequency=0), "claim-differs"),
}


def judged(text: str, engine: str, environment: dict[str, str] | None = None) -> Json:
    """The verdict of a process of its own with limits, how long it took and how much memory."""
    program = (
        "import sys, json, resource; from ntkproof import check; v = check(sys.stdin.read(), engine=sys.argv[1]);"
        "print(json.dumps([v.verdict, v.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, engine],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, **(environment or {})},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 * BYTES, 4 * BYTES)),
    )
    verdict, code, kilobytes = json.loads(done.stdout)
    return {"verdict": verdict, "code": code, "bytes": kilobytes * 1024}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_rejected_soon_and_in_little_memory(name: str) -> None:
    document, code = HOSTILE[name]
    text, start = json.dumps(document), time.process_time()
    found = judged(text, "fast")
    assert (found["verdict"], found["code"]) == ("malformed" if code == "malformed" else "invalid", code)
    assert found["bytes"] < BYTES
    assert time.process_time() - start < SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_rejected_by_reference_too(name: str) -> None:
    document, code = HOSTILE[name]
    found = judged(json.dumps(document), "reference")
    assert (found["code"], found["bytes"] < BYTES) == (code, True)


def test_low_limits_of_conversion_change_nothing() -> None:
    document = json.loads(places()["three-relu-hidden-depth1"].read_text())
    document["conclusion"]["claim"]["lower"] = "-" + "9" * 400 + "." + "1" * 400
    document["conclusion"]["claim"]["upper"] = "1e999"
    found = judged(json.dumps(document), "fast", {"PYTHONINTMAXSTRDIGITS": "640"})
    assert found["verdict"] == "valid"


@pytest.mark.parametrize("text", ["0", "-0.5", "1e999", "12.5e-3", "9" * 400 + "." + "1" * 399 + "5", "-1e-999"])
def test_decimals_of_any_length(text: str) -> None:
    value = parse_decimal(text)
    assert parse_decimal(decimal(value)[:400]) <= abs(value) if "e999" in text else decimal(value) == decimal(value)
    mantissa, _, power = text.partition("e")
    whole, _, part = mantissa.lstrip("-").partition(".")
    sign = -1 if text.startswith("-") else 1
    assert value * 10 ** len(part) * 10**1000 == sign * int(whole + part) * 10 ** (1000 + int(power or 0))


# Bytes ----------------------------------------------------------------------------------------------------------


def test_every_use_of_a_file_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source.__init__, "__defaults__", (None, 10**6))
    document = json.loads(places()["three-relu-hidden-depth1"].read_text())
    data = bytes(30_000)
    (tmp_path / "w.bin").write_bytes(data)
    named = {key: value for key, value in array("int8", [30_000], data).items() if key != "base64"}
    witness = {f"w{k}": {**named, "file": "w.bin", "bytes": 30_000} for k in range(40)}
    document["steps"][0]["witness"] = witness
    (tmp_path / "c.cert.json").write_text(json.dumps(document))
    verdict = check(tmp_path / "c.cert.json")
    assert verdict.verdict == "malformed"
    assert verdict.reason == (
        "steps[0].witness.w33: the arrays have more than 4294967296 bytes in all, each use counted"
    )


def test_the_default_is_the_limit_of_the_format() -> None:
    assert Source().left == arrays.MAX_BYTES == 2**32


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "pipe", "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "none", "no such file"),
        (tmp_path / ("n" * 300), "cannot be read: File name too long"),
    ):
        verdict = check(path)
        assert (verdict.verdict, verdict.reason) == ("malformed", reason)
    (tmp_path / "long").write_bytes(bytes(11))
    assert contents(tmp_path / "long", 11) == bytes(11)
    with pytest.raises(Malformed, match="longer than 10 bytes"):
        contents(tmp_path / "long", 10)


def test_too_many_lists() -> None:
    with pytest.raises(Malformed, match="more than 1048576 lists and objects"):
        strict_json("[" + "[]," * 2**20 + "[]]")


# Work -----------------------------------------------------------------------------------------------------------


def test_work_is_spent_within_a_check_only() -> None:
    budget.spend(10**30)
    with budget.allowing(0) as left:
        budget.spend(budget.BASE)
        assert left == [0]
        with budget.allowing(1):
            budget.spend(budget.BASE + budget.PER_BYTE)
        with pytest.raises(Rejection, match="more work than its size allows"):
            budget.spend(1)
    budget.spend(10**30)


def verdict_with(work: int, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    monkeypatch.setattr(budget, "BASE", work)
    monkeypatch.setattr(budget, "PER_BYTE", 0)
    return check(places()["three-relu-hidden-depth1"])


def test_the_same_work_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least allowance that suffices, by bisection, is that of the second time."""
    found = []
    for _ in range(2):
        low, high = 0, 10**6
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if verdict_with(middle, monkeypatch).valid else (middle, high)
        found.append(high)
        assert verdict_with(low, monkeypatch).code == "too-costly"
    assert found[0] == found[1] > 40_000


def test_texts_of_activations_are_read_in_time_that_grows_slowly() -> None:
    start = time.process_time()
    for text in ("(1/" * 30 + "x" + ")" * 30, "relu(x/" + "(1/" * 37 + "2" + ")" * 38, "-" * 38 + "x", "x" + "*x" * 38):
        normalise(text)
    for text in ("*" * 499, "1" * 499 + "!", "x*" * 249 + "!", "(" * 400, "1.1" * 160, "e" * 499, "** " * 160):
        with pytest.raises(InputError):
            normalise(text)
    assert time.process_time() - start < 5

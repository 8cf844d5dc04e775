"""Exit codes do not lie: crashes, interruptions, terminals without λ, closed pipes, full disks, no memory."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Result, Run, runner

import ntkproof
from ntkproof import Network, certify, write
from ntkproof.checker.check import Verdict, check
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.replay import Replay
from ntkproof.commands.entry import EXITS
from ntkproof.commands.main import COMMANDS
from ntkproof.show.ascii import plain

ROOT = Path(__file__).parents[2]
PACKAGE = Path(ntkproof.__file__).parent
POINTS = "a,b\n1,2\n3,4\n5,7\n"
ONE_LINE = re.compile(r"ntkproof: error: [^\n]+\n")
INTERRUPTED = "ntkproof: error: interrupted; nothing half-written\n"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, which has data and their certificate."""
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text(POINTS)
    write(certify(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), Network()), "p.cert.json")
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Run:
    return runner(capsys, monkeypatch)


def process(
    *arguments: str,
    before: str = "",
    stdout: Any = subprocess.PIPE,
    limits: Callable[[], None] | None = None,
    wrap: tuple[str, ...] = (),
    **environment: str,
) -> Result:
    """Run the command line as a process whose SIGINT is not ignored, whatever runs the tests."""
    program = f"""
        import os, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        {textwrap.indent(textwrap.dedent(before), " " * 8).strip()}
        from ntkproof.commands.entry import main
        main()
    """
    done = subprocess.run(
        [*wrap, sys.executable, "-c", textwrap.dedent(program), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8", **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=limits,
        timeout=60,
    )
    return Result(done.returncode, (done.stdout or b"").decode("latin-1"), done.stderr.decode("latin-1"))


# The table ------------------------------------------------------------------------------------------------------


def test_the_codes_are_in_one_table(run: Run) -> None:
    (table,) = re.findall(
        r"^\| exit code \| meaning \|\n\|.*\n((?:\|.*\n)+)", (ROOT / "README.md").read_text("utf-8"), re.M
    )
    rows = [re.fullmatch(r"\| (\d+) \| (.*) \|", row) for row in table.splitlines()]
    assert {int(row[1]): row[2] for row in rows if row} == EXITS
    shown = " ".join(run("--help").out.split("Exit codes:\n")[1].split())
    assert shown == " ".join(f"{code} {words.replace('`', '')}" for code, words in EXITS.items())
    codes = ("valid", "holey", "invalid", "malformed", "undecided")
    assert [Verdict(verdict).exit_code for verdict in codes] == [0, 3, 1, 2, 70]
    assert Verdict("undecided", code="out-of-memory").exit_code == 71


# Errors of ours -------------------------------------------------------------------------------------------------


def test_a_crash_is_one_line_and_code_70(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError("by\nnought")

    monkeypatch.setattr("ntkproof.commands.prove.certify", broken)
    for arguments in (("certify", "points.csv"), ("certify", "points.csv", "--json")):
        code, out, err = run(*arguments)
        assert (code, out) == (70, "")
        assert re.fullmatch(
            r"ntkproof: error: an error in ntkproof itself: ZeroDivisionError: by nought "
            r"\(test_exits\.py, line \d+\); NTKPROOF_DEBUG=1 shows more\n",
            err,
        )
    monkeypatch.setenv("NTKPROOF_DEBUG", "1")
    code, out, err = run("certify", "points.csv")
    assert (code, out) == (70, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert ONE_LINE.fullmatch(err.splitlines(keepends=True)[-1])


def refusal(cause: OSError) -> InputError:
    """Return the error that becomes of an error of the system."""
    error = InputError("p: no space")
    error.__context__ = cause
    return error


@pytest.mark.parametrize("command", [*COMMANDS])
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("bad luck"), 70, "an error in ntkproof itself: RuntimeError: bad luck (test_exits.py, line "),
        (
            OSError(24, "Too many open files"),
            70,
            "an error in ntkproof itself: OSError: [Errno 24] Too many open files (",
        ),
        (
            OSError(28, "No space left on device"),
            74,
            "the standard output cannot be written: No space left on device\n",
        ),
        (refusal(OSError(28, "No space left on device")), 74, "p: no space\n"),
        (refusal(OSError(13, "Permission denied")), 2, "p: no space\n"),
        (BrokenPipeError(32, "Broken pipe"), 141, "the output was closed before all was printed\n"),
        (MemoryError(), 71, "out of memory\n"),
        (MemoryError("Unable to allocate 3 GiB"), 71, "out of memory: Unable to allocate 3 GiB\n"),
        (KeyboardInterrupt(), 130, "interrupted; nothing half-written\n"),
    ],
)
def test_no_command_takes_an_error_for_a_verdict(
    command: str, error: BaseException, code: int, message: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise error

    module = __import__(f"ntkproof.commands.{command}", fromlist=["command"])
    monkeypatch.setattr(module.command, "invoke", broken)
    arguments = {
        "sphere": ["--dimension", "3"],
        "train": ["p", "--width", "1", "-o", "r"],
        "datasets": [],
        "claims": [],
    }
    given = {"pack": ["p", "-o", "q"], "unpack": ["p", "-o", "q"], "simulate": ["p", "-o", "r"], **arguments}
    found = run(command, *given.get(command, ["p"]))
    assert (found.code, found.out) == (code, "")
    assert found.err.startswith(f"ntkproof: error: {message}")
    assert ONE_LINE.fullmatch(found.err)


@pytest.mark.parametrize(
    ("error", "code", "name", "reason"),
    [
        (RuntimeError("bad\nluck"), 70, "checker-failed", "RuntimeError: bad luck"),
        (MemoryError(), 71, "out-of-memory", "MemoryError: "),
        (RecursionError("too deep"), 70, "checker-failed", "RecursionError: too deep"),
    ],
)
def test_a_checker_that_fails_has_no_verdict(
    error: Exception, code: int, name: str, reason: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bad.cert.json").write_text("{}")
    whole, times = Replay.run, []

    def broken(replay: Any, certificate: Any) -> Any:
        times.append(1)
        if len(times) == 1:
            raise error
        return whole(replay, certificate)

    monkeypatch.setattr(Replay, "run", broken)
    code_of_all, out, err = run("check", "--json", "p.cert.json", "p.cert.json", "bad.cert.json")
    first, second, third = map(json.loads, out.splitlines())
    assert (first["verdict"], first["code"], first["conclusion"]) == ("undecided", name, None)
    assert first["reason"].strip() == reason.strip()
    assert (second["verdict"], third["verdict"]) == ("valid", "malformed")
    assert (code_of_all, err) == (code, "")
    times.clear()
    assert run("check", "p.cert.json") == Result(code, f"p.cert.json: UNDECIDED: {reason}".rstrip() + "\n", "")


def test_a_checker_that_fails_while_it_reads_has_no_verdict(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("ntkproof.checker.logic.format.strict_json", hungry)
    verdict = check("p.cert.json")
    assert (verdict.verdict, verdict.code, verdict.exit_code, verdict.problem) == (
        "undecided",
        "out-of-memory",
        71,
        None,
    )


@posix
def test_no_memory_is_code_71(folder: Path) -> None:
    import resource

    np.save("large.npy", np.arange(24000.0).reshape(12000, 2))

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (5 * 2**28, 5 * 2**28))

    code, out, err = process("certify", "large.npy", "-o", "l.cert.json", limits=limits)
    assert (code, out) == (71, "")
    assert err.startswith("ntkproof: error: out of memory: Unable to allocate ")
    assert ONE_LINE.fullmatch(err)
    assert not Path("l.cert.json").exists()


# Output ---------------------------------------------------------------------------------------------------------


SPOKEN = {
    "help": ["certify", "--help"],
    "certify": ["certify", "points.csv", "-o", "q.cert.json"],
    "check": ["check", "p.cert.json", "absent.cert.json"],
    "json": ["check", "--json", "p.cert.json"],
    "conditions": ["conditions", "points.csv", "--target", "b"],
    "predict": ["predict", "points.csv", "--target", "b"],
    "claims": ["claims", "--id", "post.time-scale"],
    "claims in JSON": ["claims", "--id", "bowman2023.rate", "--json"],
    "list": ["claims", "--list"],
    "refusal": ["certify", "points.csv", "--statement", "convergence", "--train", "all"],
}


def spoken(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], encoding: str) -> tuple[int, str, str]:
    """Return the exit code and what a terminal of an encoding gets to see."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        code = run(*arguments).code
    shown = (stream.buffer.getvalue().decode("ascii" if encoding == "us-ascii" else encoding) for stream in streams)
    return code, *(re.sub(r"\d+\.\d+ s\b", "0 s", re.sub(r"(\"seconds\": )[\d.]+", r"\g<1>0", text)) for text in shown)


@pytest.mark.parametrize("name", SPOKEN)
def test_a_terminal_without_greek_letters_shows_ascii(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = spoken(run, monkeypatch, SPOKEN[name], "utf-8")
    assert code == {"check": 2, "refusal": 2}.get(name, 0)
    for encoding in ("cp1252", "latin-1", "cp437", "koi8-r", "us-ascii"):
        found, shown, said = spoken(run, monkeypatch, SPOKEN[name], encoding)
        assert (found, plain(said)) == (code, plain(err))
        if name == "claims in JSON":
            assert (json.loads(shown), shown.isascii(), out.isascii()) == (json.loads(out), True, False)
        elif name != "claims":  # a table, which is as wide as the terminal
            assert plain(shown) == plain(out)
        assert "\\u" not in shown + said or "JSON" in name


def test_characters_that_the_terminal_has_stay(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = spoken(run, monkeypatch, ["check", "p.cert.json"], "iso8859-7")
    assert "λ_min(Hinf) in [" in out
    assert "σ_w 1, β 0" in out


def test_every_character_that_the_package_prints_has_ascii() -> None:
    found = {
        (character, f"{path.name}:{node.lineno}")
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for character in node.value
        if not character.isascii()
    }
    assert len({character for character, _ in found}) > 80
    assert {(character, place) for character, place in found if "\\" in plain(character)} == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("λ_min(H∞) ≤ ‖X‖²", "lambda_min(Hinf) <= ||X||^2"),
        ("H⁻¹ᵀ y₁₀", "H^-1T y_10"),
        ("2ηλ and ηc, αβ, σ'", "2 eta lambda and eta c, alpha beta, sigma'"),
        ("½‖f(X) − y‖²", "(1/2)||f(X) - y||^2"),
        ("√2 √(2) ∇f ∇²f", "sqrt 2 sqrt(2) grad f grad^2f"),
        ("d\u00e9\udc80.csv", "d\\xe9\\udc80.csv"),
        ("", ""),
    ],
)
def test_ascii(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_encodings_of_a_process(environment: dict[str, str], folder: Path) -> None:
    code, out, err = process("check", "p.cert.json", **environment)
    assert (code, err) == (0, "")
    assert out.startswith("p.cert.json: valid: lambda_min(Hinf) in [0.1361")
    code, out, err = process("certify", "λ.csv", **environment)
    assert (code, out, err) == (2, "", "ntkproof: error: lambda.csv: no such file\n") or environment.get("LC_ALL")
    assert ONE_LINE.fullmatch(err)


SAID = [["check", "p.cert.json"], ["check", "--json", "p.cert.json"], ["--help"], ["claims", "--list"]]
SAID += [
    ["claims", "--id", "post.time-scale"],
    ["certify", "points.csv"],
    ["conditions", "points.csv", "--target", "b"],
]


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", SAID)
def test_a_closed_pipe_is_code_141(arguments: list[str], unbuffered: str, folder: Path) -> None:
    read, written = os.pipe()
    os.close(read)
    found = process(*arguments, stdout=written, PYTHONUNBUFFERED=unbuffered)
    os.close(written)
    assert found == Result(141, "", "ntkproof: error: the output was closed before all was printed\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", SAID)
def test_a_full_disk_under_the_output_is_code_74(arguments: list[str], unbuffered: str, folder: Path) -> None:
    with Path("/dev/full").open("w") as stream:
        found = process(*arguments, stdout=stream, PYTHONUNBUFFERED=unbuffered)
    message = "the standard output cannot be written: No space left on device"
    assert found == Result(74, "", f"ntkproof: error: {message}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_error_that_cannot_be_printed_keeps_its_code(folder: Path) -> None:
    with Path("/dev/full").open("w") as stream:
        wrap = ("sh", "-c", f'exec "$@" 2>/proc/self/fd/{stream.fileno()}', "sh")
        done = subprocess.run(
            [*wrap, sys.executable, "-m", "ntkproof", "certify", "absent.csv"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[stream.fileno()],
            check=False,
        )
    assert done.returncode == 2


@posix
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_under_the_certificate_is_code_74(more: list[str], folder: Path) -> None:
    import resource

    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    code, out, err = process("certify", "points.csv", "-o", "p.cert.json", *more, limits=limits)
    assert (code, out) == (74, "")
    assert err.splitlines()[-1] == "ntkproof: error: p.cert.json: cannot be written: File too large"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Interruptions --------------------------------------------------------------------------------------------------

HOOK = """
class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            for _ in range({times}):
                os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Hook())
"""


@posix
@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize(
    "module", ["click", "ntkproof.commands.certify", "numpy", "flint", "ntkproof.prover.certify", "rich.console"]
)
def test_an_interruption_while_modules_load(module: str, times: int, folder: Path) -> None:
    found = process("certify", "points.csv", "-o", "q.cert.json", before=HOOK.format(module=module, times=times))
    assert found == Result(130, "", INTERRUPTED)
    assert {path.name for path in folder.iterdir()} == {"points.csv", "p.cert.json"}


DROPPED = """
import threading
class Trap:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for k in range(1000): pass
class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            Trap()
            threading.Event().wait(20)
sys.meta_path.insert(0, Hook())
"""
TRANSLATED = """
class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == "flint":
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for k in range(1000): pass
            except KeyboardInterrupt:
                raise ImportError("numpy.core.multiarray failed to import")
sys.meta_path.insert(0, Hook())
"""


@posix
@pytest.mark.parametrize("before", [DROPPED, TRANSLATED])
def test_an_interruption_that_python_or_a_library_swallows(before: str, folder: Path) -> None:
    started = time.monotonic()
    assert process("check", "p.cert.json", before=before) == Result(130, "", INTERRUPTED)
    assert time.monotonic() - started < 10


@posix
def test_an_interruption_of_executed_text_is_not_remembered(folder: Path) -> None:
    """Dataclasses execute text; ``python -m`` ends by the signal if an interruption passed through any."""
    (folder / "bin").mkdir()
    hook = HOOK.format(module="flint", times=1).replace("os.kill(os.getpid(), signal.SIGINT)", "exec(TEXT)")
    text = 'TEXT = "os.kill(os.getpid(), signal.SIGINT)\\nfor k in range(1000): pass"\n'
    start = "import os, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (folder / "bin" / "sitecustomize.py").write_text(start + text + hook)
    done = subprocess.run(
        [sys.executable, "-m", "ntkproof", "check", "p.cert.json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "bin"), str(ROOT)])},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert Result(done.returncode, done.stdout, done.stderr) == Result(130, "", INTERRUPTED)


@posix
@pytest.mark.skipif(shutil.which("timeout") is None, reason="no timeout")
@pytest.mark.parametrize("arguments", [["certify", "--engine", "reference", "--depth", "3"], ["simulate", "-o", "run"]])
def test_timeout_interrupts_twice(arguments: list[str], folder: Path) -> None:
    np.save("long.npy", np.random.default_rng(0).standard_normal((600, 4)))
    more = ["--width", "20000", "--target", "0", "--jobs", "2"] if arguments[0] == "simulate" else []
    wrap = ("timeout", "-s", "INT", "--preserve-status", "2")
    found = process(arguments[0], "long.npy", *arguments[1:], *more, wrap=wrap)
    assert found == Result(130, "", INTERRUPTED)
    assert not [path for path in folder.rglob("*") if path.name.startswith(".") or path.name.startswith("long.cert")]


@posix
def test_an_ignored_interruption_stays_ignored(folder: Path) -> None:
    before = f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{HOOK.format(module='numpy', times=1)}"
    code, out, err = process("check", "p.cert.json", before=before)
    assert (code, err) == (0, "")
    assert out.startswith("p.cert.json: valid")

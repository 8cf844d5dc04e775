"""Files beside a certificate: no two certificates share one, none is left over, none is lost; packing."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Result, Run, runner

from ntkproof import certificate as certificate_module
from ntkproof.certificate import TooLong, to_json, write
from ntkproof.checker.check import Verdict, check, read
from ntkproof.checker.logic.format import MAX_TEXT, Certificate
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.prover.certify import certify

SHIPPED = Path(__file__).parents[1] / "certificates" / "lambda_min" / "diabetes-relu-hidden-depth1.cert.json"
DATA = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
FIRST = certify(Dataset(DATA, np.array([0.0, 1.0, 1.0]), label="toy"))
SECOND = certify(Dataset(DATA + 1, np.array([0.0, 1.0, 1.0]), label="toy"))  # the same targets
SMALLER = certify(Dataset(DATA), Network())
ARRAYS = 4


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory; all arrays go outside."""
    monkeypatch.setattr(certificate_module, "INLINE", 0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Run:
    return runner(capsys, monkeypatch)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same(path: str, certificate: Certificate) -> bool:
    """Return whether a path holds this certificate, with all its arrays."""
    return to_json(read(path)) == to_json(certificate)


# Names ----------------------------------------------------------------------------------------------------------


def test_a_sidecar_is_named_after_certificate_array_and_content(folder: Path) -> None:
    files = write(FIRST, "a.cert.json")
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files]
    places = ("inputs", "targets", "upper.vector", "lower.factor")
    expected = [f"a.cert.json.{place}.{sha256}.bin" for place, sha256 in zip(places, hashes, strict=False)]
    assert [path.name for path in files] == [*expected, "a.cert.json"]


NAMES = ("a.cert.json", "a.json", "a", "a.cert.json.cert.json", "a.bin", "b.cert.json", "a.cert")


def test_no_two_certificates_share_a_sidecar(folder: Path) -> None:
    kept = {name: (FIRST, SECOND)[k % 2] for k, name in enumerate(NAMES)}
    files = [file for name, certificate in kept.items() for file in write(certificate, name)]
    assert len(files) == len(set(files)) == len(NAMES) * (ARRAYS + 1)
    assert all(same(name, certificate) for name, certificate in kept.items())
    for name in NAMES:  # again, the other way round: each leaves the others as they are
        kept[name] = SECOND if kept[name] is FIRST else FIRST
        write(kept[name], name)
        assert all(same(each, certificate) for each, certificate in kept.items())
    assert len(contents(folder)) == len(files)


def test_names_that_differ_in_case_only_lose_nothing(folder: Path) -> None:
    """Where case makes no difference between file names, a sidecar of the one may be that of the other."""
    write(FIRST, "a.cert.json")
    write(FIRST, "A.cert.json")
    write(SECOND, "a.cert.json")
    assert same("a.cert.json", SECOND)
    if len(list(folder.glob("*.json"))) == 2:
        assert same("A.cert.json", FIRST)


# What becomes of the old ones -----------------------------------------------------------------------------------


def test_a_smaller_certificate_leaves_no_orphans(folder: Path) -> None:
    write(FIRST, "a.cert.json")
    before = contents(folder)
    files = write(SMALLER, "a.cert.json")
    assert {path.name for path in folder.iterdir()} == {path.name for path in files}
    assert len(files) < len(before)
    write(SMALLER, "a.cert.json", one_file=True)
    assert [path.name for path in folder.iterdir()] == ["a.cert.json"]
    write(FIRST, "a.cert.json")
    assert contents(folder) == before
    write(FIRST, "a.cert.json")
    assert contents(folder) == before


def old_style(certificate: Certificate, stem: str) -> None:
    """Write a certificate as version 0.1.0 did."""
    arrays = dict(certificate_module._arrays(certificate))
    names = {where: f"{stem}.{k}-{where.replace(':', '.')}.bin" for k, where in enumerate(arrays)}
    for where, name in names.items():
        Path(name).write_bytes(arrays[where].data)
    Path(f"{stem}.cert.json").write_text(to_json(certificate, names))


def test_sidecars_of_version_0_1_are_removed_too(folder: Path) -> None:
    old_style(FIRST, "a")
    assert same("a.cert.json", FIRST)
    files = write(SECOND, "a.cert.json")
    assert {path.name for path in folder.iterdir()} == {path.name for path in files}


def test_what_another_certificate_names_stays(folder: Path) -> None:
    old_style(FIRST, "a")
    shutil.copy("a.cert.json", "copy.txt")
    write(SECOND, "a.cert.json")
    shutil.copy("a.cert.json", "moved")
    write(FIRST, "a.cert.json")
    assert same("copy.txt", FIRST)
    assert same("moved", SECOND)
    assert same("a.cert.json", FIRST)


def renamed(path: str, old: str, new: str) -> None:
    """Give a sidecar another name."""
    Path(path).write_text(Path(path).read_text().replace(f'"{old}"', json.dumps(new)))


def test_no_file_of_the_user_is_removed(folder: Path) -> None:
    files = [path.name for path in write(FIRST, "a.cert.json")]
    Path("data").mkdir()
    Path(files[0]).rename("wine.bin")  # a name that this program does not give
    renamed("a.cert.json", files[0], "wine.bin")
    Path(files[1]).write_bytes(b"mine")  # other content than the certificate says
    Path(files[2]).rename("data/x")  # a link
    Path(files[2]).symlink_to("data/x")
    Path("a.cert.json.targets.0123456789abcdef.bin").write_bytes(b"like one, named by none")
    left = {"wine.bin", "data", files[1], files[2], "a.cert.json.targets.0123456789abcdef.bin"}
    written = {path.name for path in write(SECOND, "a.cert.json", one_file=True)}
    assert {path.name for path in folder.iterdir()} == written | left


@pytest.mark.parametrize("place", ["../x", "sub/x", "sub/../x", "{folder}/x", "in\\x", ".x"])
def test_only_plain_names_in_the_folder_are_removed(place: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in/sub").mkdir(parents=True)
    monkeypatch.chdir("in")
    file = write(FIRST, "a.cert.json")[0]
    name = f"{place.format(folder=folder)}.{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}.bin"
    file.rename(name)
    renamed("a.cert.json", file.name, name)
    write(SECOND, "a.cert.json", one_file=True)
    assert [path.name for path in folder.rglob("*.bin")] == [Path(name).name]


@pytest.mark.parametrize(
    "old", ["", "{", "[]", '"x"', "[" * 100000, "\x00\xff", '{"format": "other", "file": "b.bin", "sha256": "0"}']
)
def test_what_is_no_certificate_is_replaced(old: str, folder: Path) -> None:
    Path("a.cert.json").write_text(old, "latin-1")
    write(FIRST, "a.cert.json")
    assert same("a.cert.json", FIRST)


# Crashes --------------------------------------------------------------------------------------------------------


CALLS = 2 * (ARRAYS + 1)  # temporary files and renames


@pytest.mark.parametrize("crash", range(CALLS + 5))
def test_a_crash_leaves_the_old_certificate_or_the_new_one(
    crash: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is gone at one of the calls that change the folder: no clean-up runs."""
    write(FIRST, "a.cert.json")
    write(SECOND, "b.cert.json")
    calls = []

    def counted(call: Any) -> Any:
        def instead(*arguments: Any, **options: Any) -> Any:
            if len(calls) >= crash:
                raise SystemError
            calls.append(call)
            return call(*arguments, **options)

        return instead

    with monkeypatch.context() as patch, suppress(SystemError):
        for place, name in ((certificate_module.tempfile, "mkstemp"), (os, "replace"), (Path, "unlink")):
            patch.setattr(place, name, counted(getattr(place, name)))
        write(SECOND, "a.cert.json")
    assert same("b.cert.json", SECOND)
    assert same("a.cert.json", FIRST if crash < CALLS else SECOND)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("calls", range(ARRAYS + 1))
def test_a_failure_between_the_renames_leaves_the_folder_as_it_was(
    calls: int, error: BaseException, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(FIRST, "a.cert.json")
    before, replaced = contents(folder), []

    def failing(source: str, target: Path) -> None:
        if len(replaced) == calls:
            raise error
        replaced.append(Path(source).rename(target))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises((KeyboardInterrupt, InputError)):
            write(SECOND, "a.cert.json")
    assert contents(folder) == before


def test_an_interruption_just_after_the_last_rename_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(FIRST, "a.cert.json")

    def interrupted(source: str, target: Path) -> None:
        Path(source).rename(target)
        if target.name == "a.cert.json":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(SECOND, "a.cert.json")
    assert same("a.cert.json", SECOND)


# One file -------------------------------------------------------------------------------------------------------


def verdict(path: str) -> Verdict:
    """Return the verdict without the modules: files beside a certificate need one more."""
    return replace(check(path), modules=())


def test_packing_and_unpacking(run: Run, folder: Path) -> None:
    files = [str(path) for path in write(FIRST, "a.cert.json")]
    before = contents(folder)
    assert run("pack", "a.cert.json", "-o", "one.cert.json") == Result(0, "one.cert.json\n", "")
    assert Path("one.cert.json").read_text() == to_json(FIRST)
    assert verdict("one.cert.json") == verdict("a.cert.json")
    (folder / "there").mkdir()
    shutil.move("one.cert.json", "there/one.cert.json")
    assert verdict("there/one.cert.json") == verdict("a.cert.json")
    assert verdict("a.cert.json").valid
    shown = run("unpack", "there/one.cert.json", "-o", "there/a.cert.json", "--json")
    assert json.loads(shown.out) == {
        "certificate": "there/a.cert.json",
        "files": [f"there/{name}" for name in files],
    }
    Path("there/one.cert.json").unlink()
    assert contents(folder / "there") == before
    shutil.rmtree("there")
    assert run("pack", "a.cert.json", "-o", "a.cert.json").code == 0  # in its place
    assert {path.name for path in folder.iterdir()} == {"a.cert.json"}
    assert run("unpack", "a.cert.json", "-o", "a.cert.json").out.splitlines() == files
    assert contents(folder) == before


def test_a_shipped_certificate_is_packed_and_unpacked(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    os.chdir(folder)
    assert run("pack", str(SHIPPED), "-o", "one.cert.json").code == 0
    assert run("unpack", "one.cert.json", "-o", "many.cert.json").code == 0
    assert run("pack", "many.cert.json", "-o", "again.cert.json").code == 0
    assert Path("again.cert.json").read_bytes() == Path("one.cert.json").read_bytes()
    assert len(list(folder.glob("many.cert.json.*.bin"))) == 4
    hashes = [set(hashes_in(path)) for path in (SHIPPED, Path("one.cert.json"), Path("many.cert.json"))]
    assert hashes[0] == hashes[1] == hashes[2]
    assert verdict("one.cert.json") == verdict("many.cert.json") == verdict(str(SHIPPED))
    assert verdict("one.cert.json").valid


def hashes_in(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if '"sha256"' in line]


def test_certify_names_the_sidecars(run: Run, folder: Path) -> None:
    np.savetxt("points.csv", DATA, delimiter=",")
    made = run("certify", "points.csv", "-o", "p.cert.json")
    beside = sorted(path.name for path in folder.glob("*.bin"))
    assert len(beside) == 3
    (line,) = [line for line in made.out.splitlines() if line.startswith("its arrays")]
    assert sorted(line.removeprefix("its arrays, which belong beside it: ").split("; ")[0].split(", ")) == beside
    assert line.endswith("; ntkproof pack makes one file")
    for more in ([], ["--json"]):
        one = run("certify", "points.csv", "-o", "p.cert.json", "--one-file", *more)
        assert (one.code, "its arrays" in one.out) == (0, False)
        assert {path.name for path in folder.iterdir()} == {"points.csv", "p.cert.json"}
    assert json.loads(one.out)["files"] == ["p.cert.json"]
    sphere = run("sphere", "--dimension", "3", "--one-file", "-o", "s.cert.json")
    assert (sphere.code, sphere.err) == (0, "")


def test_one_file_has_a_limit(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).standard_normal((40, 3))
    np.savetxt("points.csv", rows, delimiter=",")
    longer = certify(Dataset(rows))
    write(longer, "a.cert.json")
    before = contents(folder)
    monkeypatch.setattr(certificate_module, "MAX_TEXT", 6000)
    message = f"one.cert.json: one file has at most 6000 bytes, not {len(to_json(longer))}; arrays go beside it"
    with pytest.raises(TooLong, match=message):
        write(longer, "one.cert.json", one_file=True)
    assert run("pack", "a.cert.json", "-o", "one.cert.json") == Result(2, "", f"ntkproof: error: {message}\n")
    assert contents(folder) == before
    made = run("certify", "points.csv", "-o", "p.cert.json", "--one-file")  # the proof is not thrown away
    assert made.code == 0
    assert made.err.startswith("p.cert.json: one file has at most 6000 bytes, not ")
    assert check("p.cert.json").valid


def test_the_limit_of_one_file_is_that_of_the_format(folder: Path) -> None:
    large = Dataset(np.zeros((96, 2**16)))
    assert len(base64.b64encode(large.inputs.tobytes())) == MAX_TEXT
    certificate = replace(SMALLER, problem=replace(SMALLER.problem, domain=large))
    with pytest.raises(TooLong, match=rf"^a\.cert\.json: one file has at most {MAX_TEXT} bytes, not 6711\d{{4}}; "):
        write(certificate, "a.cert.json", one_file=True)
    assert contents(folder) == {}


@pytest.mark.parametrize("command", ["pack", "unpack"])
def test_only_certificates_are_packed(command: str, run: Run, folder: Path) -> None:
    Path("a.cert.json").write_text("{}")
    missing = "ntkproof: error: a.cert.json: certificate: the field 'format' is missing\n"
    assert run(command, "a.cert.json", "-o", "b.cert.json") == Result(2, "", missing)
    assert run(command, "absent", "-o", "b.cert.json") == Result(2, "", "ntkproof: error: absent: no such file\n")
    write(FIRST, "a.cert.json")[0].unlink()
    code, out, err = run(command, "a.cert.json", "-o", "b.cert.json")
    assert (code, out) == (2, "")
    assert err.endswith(".bin is missing or not a regular file\n")
    assert not Path("b.cert.json").exists()

"""The documents: their examples run, their links lead somewhere, and the specification names all there is."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ntkproof
from ntkproof.checker.table import KINDS, RULES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
SPECIFICATION = (ROOT / "docs" / "certificate-format.md").read_text("utf-8")


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a page in these languages, in order."""
    return [(name, text) for name, text in BLOCK.findall(page.read_text("utf-8")) if name in languages]


def sections(page: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the commands in each section of a page, with what they print; a section stands alone."""
    found: dict[str, list[tuple[str, str]]] = {}
    for part in re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE):
        text = "".join(block for kind, block in BLOCK.findall(part) if kind == "console")
        if commands := COMMAND.findall(text):
            found[f"{page.name}: {part.splitlines()[0]}"] = commands
    return found


COMMANDS = {name: commands for page in PAGES for name, commands in sections(page).items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_print_what_the_page_shows(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("bin")  # the command of this checkout, whatever is installed
    (own / "ntkproof").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ntkproof "$@"\n')
    (own / "ntkproof").chmod(0o755)
    path = os.pathsep.join([str(own), str(Path(sys.executable).parent), os.environ["PATH"]])
    checker = doctest.OutputChecker()
    for command, expected in COMMANDS[name]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        assert checker.check_output(expected, done.stdout, doctest.ELLIPSIS), f"{command}\n{done.stdout}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for _, block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "docs" / "proofs").glob("*.md"))], ids=lambda page: page.name)
def test_the_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_specification_has_every_rule_with_its_arguments() -> None:
    for name, rule in RULES.items():
        section = re.search(rf"^### `{name}`$(.*?)(?=^##)", SPECIFICATION, re.MULTILINE | re.DOTALL)
        assert section is not None, name
        for word in [*rule.integers, *rule.numbers, *rule.names, *rule.witness, *rule.matrices]:
            assert f"`{word}`" in section[1], f"{name}: {word}"


def test_the_specification_has_every_kind_of_claim() -> None:
    for kind in KINDS:
        assert f"`{kind}`" in SPECIFICATION, kind


def test_the_specification_has_every_error_code() -> None:
    codes = {
        "malformed",
        "checker-failed",
        "out-of-memory",
        *(f"{a}-{b}" for a in ("missing", "unknown") for b in ("argument", "witness")),
    }
    for path in (Path(ntkproof.__file__).parent / "checker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "Rejection"
                and isinstance(node.args[0], ast.Constant)
            ):
                codes.add(node.args[0].value)
    for code in codes:
        assert f"| `{code}` |" in SPECIFICATION, code

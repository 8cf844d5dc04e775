"""The proofs cover the code: every function of the checker is named by a page of ``docs/proofs``, with its file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from ntkproof.checker.table import KINDS

ROOT = Path(__file__).parents[1]
CHECKER = ROOT / "ntkproof" / "checker"
PAGES = {page.name: page.read_text("utf-8") for page in sorted((ROOT / "docs" / "proofs").glob("*.md"))}
HEADING = "\n## In the code\n"
DECLARATIONS = ("arithmetic/protocols.py", "activations/protocols.py")  # for readers and type checkers: nothing runs
FILES = sorted(path.relative_to(CHECKER).as_posix() for path in CHECKER.rglob("*.py"))
TREES = {file: ast.parse((CHECKER / file).read_text("utf-8")) for file in FILES}


def defined(file: str) -> set[str]:
    """Return the functions and methods of a module, but for Python's own hooks and functions inside functions."""

    def inside(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef) and not re.fullmatch("__.*__", node.name):
                yield node.name
            elif isinstance(node, ast.ClassDef):
                yield from inside(node.body)

    return set(inside(TREES[file].body))


def named() -> dict[str, dict[str, set[str]]]:
    """Return the names that each page lists for each file, from its last section."""
    found: dict[str, dict[str, set[str]]] = {}
    for page, text in PAGES.items():
        _, heading, section = text.partition(HEADING)
        for entry in section.split("\n* ")[1:] if heading else []:
            file, _, words = entry.partition(":")
            names = {name.split(".")[-1] for name in re.findall(r"`([A-Za-z_][\w.]*)`", words)}
            found.setdefault(file.strip("`"), {})[page] = names
    return found


@pytest.mark.parametrize("file", [file for file in FILES if file not in DECLARATIONS])
def test_every_function_is_named_by_the_page_that_proves_it(file: str) -> None:
    listed = set().union(*named().get(file, {}).values())
    missing = sorted(defined(file) - listed)
    assert not missing, f"no page of docs/proofs names, in its section 'In the code': {file}: {', '.join(missing)}"


def test_pages_name_no_function_that_is_gone() -> None:
    for file, pages in named().items():
        assert file in FILES, f"{', '.join(pages)} name {file}, which is not there"
        source = (CHECKER / file).read_text("utf-8")
        for page, names in pages.items():
            gone = sorted(name for name in names if not re.search(rf"\b{name}\b", source))
            assert not gone, f"{page} names what is not in {file}: {', '.join(gone)}"


ENTRIES = {  # called from outside of the checker, or by a name that is put together
    "check.py": {"check", "valid", "exit_code", "trusted_lines"},
    "problem/dataset.py": {"dataset_in"},
    "problem/sphere.py": {"sphere_in"},
    "problem/training.py": {"training_in"},
    "problem/weights.py": {"weights_in"},
    "given_weights/local_deviation.py": {"jacobian_norm"},  # what the rule adds up, for searches
}


@pytest.mark.parametrize("file", [file for file in FILES if file not in DECLARATIONS])
def test_every_function_has_a_trusted_caller(file: str) -> None:
    """What only the prover needs does not belong here: each is named in its module, imported, or an attribute."""
    module = "ntkproof.checker." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    used = {node.id for node in ast.walk(TREES[file]) if isinstance(node, ast.Name)}
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and node.module == module:
                used |= {alias.name for alias in node.names}
    assert not defined(file) - used - ENTRIES.get(file, set())


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_weakening_of_every_kind_of_claim_is_proved(kind: str) -> None:
    """The table of ``logic.md`` has a row for each kind, with every field that may be stated differently."""
    [row] = [line for line in PAGES["logic.md"].splitlines() if re.match(rf"\| .*`{kind}`.* \|", line)]
    down, up = row.split(" |")[1:3]
    for each in fields(KINDS[kind]):
        way = each.metadata["way"]
        if way in ("lower", "upper", "side"):
            assert re.search(rf"\b{each.name}", down) or way == "upper"
            assert re.search(rf"\b{each.name}", up) or way == "lower"
        else:
            assert not re.search(rf"\b{each.name}\b", down + up)

"""The house: modules are short, imports between rooms go down, and ``docs/house.md`` is a true map."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ntkproof"
MAP = (ROOT / "docs" / "house.md").read_text("utf-8")
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
LARGEST = 400  # lines of a module, all of them

# A module imports from its own room and from those before it; ``checker`` imports from none (`test_trust`).
ROOMS = (
    "checker",
    "certificate",
    "gram",
    "data",
    "prover",
    "theorems",
    "prediction",
    "simulation",
    "literature",
    "statements",
    "show",
    "commands",
    "__main__",
    "expectations",
    "pytest_plugin",
    "__init__",
)
EXCEPTIONS: dict[tuple[str, str], str] = {}  # (module, room that it imports from all the same): the reason


def room(name: str) -> str:
    """Return the room of a file, ``commands`` for ``commands/cli.py`` and ``gram`` for ``gram.py``."""
    return name.split("/")[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the rooms a file imports from, inside functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "ntkproof" and rest not in ("", "__version__"):  # every room may tell the version
                inside = rest.split(".")[0]
                yield inside if inside in ROOMS else "__init__"


@pytest.mark.parametrize("name", FILES)
def test_modules_are_short(name: str) -> None:
    lines = FILES[name].read_text("utf-8").splitlines()
    assert len(lines) <= LARGEST or re.search(r"\blong\b", lines[0].lower()), f"{name} has {len(lines)} lines"


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name: str) -> None:
    for other in imported(FILES[name]):
        down = ROOMS.index(other) <= ROOMS.index(room(name))
        assert down or (name, other) in EXCEPTIONS, f"{name} imports from {other}"


def test_exceptions_are_needed() -> None:
    for name, other in EXCEPTIONS:
        assert ROOMS.index(other) > ROOMS.index(room(name))
        assert other in imported(FILES[name]), f"{name} no longer imports from {other}"


def places() -> dict[str, str]:
    """Return what the map names, as paths in the package, and what it says of each."""
    (tree,) = re.findall(r"^```text\nntkproof/\n(.*?)^```$", MAP, re.MULTILINE | re.DOTALL)
    found, above = {}, ""
    for line in tree.splitlines():
        entry = re.fullmatch(r"(  |    )(\w+(?:/|\.py)) +(\S.*)", line)
        assert entry is not None, line
        indent, name, words = entry.groups()
        above = name if indent == "  " else above
        found[name if indent == "  " else above + name] = words
    return found


def test_the_map_names_what_there_is() -> None:
    packages = {name.removesuffix("__init__.py") for name in FILES if name.endswith("/__init__.py")}
    assert set(places()) == packages | {name for name in FILES if "/" not in name and name != "__init__.py"}


def test_the_map_is_in_the_order_of_imports() -> None:
    rooms = dict.fromkeys(room(place) for place in places())
    assert [*rooms, "__init__"] == list(ROOMS)

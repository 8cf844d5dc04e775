"""What is trusted, measured: ``python docs/trusted.py`` prints the tables; ``--write`` puts them into ``trusted.md``.

One table has the files of the checker, room by room, with their lines of code (no blank lines, comments,
docstrings or imports for types only), without ``protocols``, which never run, and ``trust``, which counts and decides
nothing; the other, for every shipped certificate, how many lines its verdict rests on in each arithmetic.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from ntkproof.checker import check
from ntkproof.checker.arithmetic import ENGINES
from ntkproof.checker.check import Verdict, read
from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.trust import code_lines

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "ntkproof"
CHECKER = PACKAGE / "checker"
SHIPPED = DOCS.parent / "certificates"
PAGE = DOCS / "trusted.md"
ROWS, PRODUCTS = 50, 200_000  # rows, and weights times rows, beyond which ``reference`` takes long


def lines(path: Path) -> int:
    """Return the lines of code of a file."""
    return code_lines(path.read_text("utf-8"))


def rooms() -> str:
    """Return the table of the files of the checker."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for path in sorted(CHECKER.rglob("*.py")):
        if (count := lines(path)) and path.stem not in ("protocols", "trust"):
            room = path.parent.relative_to(CHECKER).as_posix()
            found["checker" if room == "." else room].append((path.stem, count))
    rows = [
        f"| {room} | {', '.join(f'`{name}` {count}' for name, count in files)} | {sum(count for _, count in files)} |"
        for room, files in sorted(found.items(), key=lambda item: -sum(count for _, count in item[1]))
    ]
    total = sum(count for files in found.values() for _, count in files)
    return "\n".join(
        ["| room | files, lines of code | sum |", "|---|---|---:|", *rows, f"| **total** | | **{total}** |"]
    )


def shipped() -> list[Path]:
    """Return the certificates that are shipped as true."""
    return [path for path in sorted(SHIPPED.rglob(f"*{SUFFIX}")) if "rejected" not in path.parts]


def is_large(path: Path) -> bool:
    """Whether ``reference`` takes long: then the lines of ``fast`` are shown only."""
    problem = read(path).problem
    if not isinstance(problem.domain, Dataset):
        return False
    size = 0 if problem.weights is None else sum(layer.size for layer in problem.weights.layers)
    return problem.dataset.n > ROWS or size * problem.dataset.n > PRODUCTS


def rests_on(path: Path) -> str:
    """Return the row of a certificate."""
    cells = []
    verdict = Verdict("malformed")
    for engine in ENGINES:
        if engine == "reference" and is_large(path):
            cells.append("")
            continue
        verdict = check(path, engine=engine)
        cells.append(str(sum(verdict.trusted_lines.values())))
    rules = ", ".join(f"`{rule}`" for rule in verdict.rules)
    return f"| {path.name.removesuffix(SUFFIX)} | {' | '.join(cells)} | {rules} |"


def certificates() -> str:
    """Return the table of the shipped certificates."""
    head = f"| certificate | {' | '.join(f'`{engine}`' for engine in ENGINES)} | rules |"
    return "\n".join([head, "|---|---:|---:|---|", *map(rests_on, shipped())])


def replaced(page: str, name: str, table: str) -> str:
    """Return the page with the table between its two marks replaced."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = page.split(start)
    return f"{before}{start}{table}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    tables = {"rooms": rooms(), "certificates": certificates()}
    print("\n\n".join(tables.values()))
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text("utf-8")
        for name, table in tables.items():
            page = replaced(page, name, table)
        PAGE.write_text(page, "utf-8")

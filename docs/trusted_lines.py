"""Counts the lines of code of the trusted base: no blank lines, comments or docstrings.

``python docs/trusted_lines.py`` prints the table; with ``--write`` it also puts it into ``how-it-works.md``.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "ntkproof"
PAGE = DOCS / "how-it-works.md"
START, END = "<!-- trusted lines -->\n", "<!-- end of trusted lines -->\n"
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def trusted_files(package: Path = PACKAGE) -> list[Path]:
    """Return the files of the trusted base, in order."""
    return [package / "problem.py", package / "certificate.py", *sorted((package / "checker").rglob("*.py"))]


def code_lines(source: str) -> int:
    """Return the number of lines of Python source that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def table(package: Path = PACKAGE) -> str:
    """Return the Markdown table of the files, their lines of code and the sum."""
    rows = [
        (path.relative_to(package).as_posix(), code_lines(path.read_text("utf-8"))) for path in trusted_files(package)
    ]
    cells = [f"| `{name}` | {count} |" for name, count in rows]
    return "\n".join(
        [
            "| file in `ntkproof/` | lines of code |",
            "|---|---:|",
            *cells,
            f"| **total** | **{sum(n for _, n in rows)}** |",
            "",
        ]
    )


def with_table(page: str, package: Path = PACKAGE) -> str:
    """Return the page with its table replaced by the measured one."""
    before, rest = page.split(START)
    return before + START + table(package) + END + rest.split(END)[1]


if __name__ == "__main__":
    print(table(), end="")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")

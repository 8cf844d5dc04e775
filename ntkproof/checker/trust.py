"""The files that a verdict rests on, from the imports in their source.

It decides nothing: what it counts is what has decided.
"""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = "ntkproof.checker"
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def files(modules: Iterable[str] = ()) -> dict[str, int]:
    """Return the files of the checker that a check runs, and how many lines of code each has.

    Args:
        modules: what it needed besides `ntkproof.checker.check`, as in `Verdict.modules`.
    """
    reached: set[str] = set()
    ahead = [f"{PACKAGE}.check", *(f"{PACKAGE}.{name}" for name in modules)]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += _imported(name)
    counted = {name.removeprefix("ntkproof.").replace(".", "/"): _lines(name) for name in sorted(reached)}
    return {f"{name}.py": lines for name, lines in counted.items() if lines}


@cache
def _source(module: str) -> str | None:
    """Return the source of a module; None if there is no such module."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin).read_text("utf-8")


@cache
def _imported(module: str) -> tuple[str, ...]:
    """Return the modules of the checker that one imports when it runs (not for type checkers), and its packages."""
    named = {".".join(module.split(".")[:k]) for k in range(2, module.count(".") + 1)}
    for node in _run(ast.parse(_source(module) or "")):
        if isinstance(node, ast.Import):
            named |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            named |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return tuple(sorted(name for name in named if name.startswith(PACKAGE) and _source(name) is not None))


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a syntax tree without what stands under ``if TYPE_CHECKING``."""
    yield node
    if _for_types(node):
        return
    for child in ast.iter_child_nodes(node):
        yield from _run(child)


@cache
def _lines(module: str) -> int:
    return code_lines(_source(module) or "")


def code_lines(source: str) -> int:
    """Return the number of lines of Python source that run: no blank lines, comments, docstrings, imports for types."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if isinstance(node, ast.stmt) and (text or _for_types(node)):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"

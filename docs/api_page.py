"""Writes ``api.md`` from docstrings and ``statements.md`` from the table: ``python docs/api_page.py --write``."""

from __future__ import annotations

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ntkproof import NAMES
from ntkproof.statements.options import OPTIONS, TARGETS
from ntkproof.statements.statement import Statement
from ntkproof.statements.table import statements

DOCS = Path(__file__).resolve().parent
GROUPS = {
    "Proofs": ("certify", "check", "conditions", "describe", "read", "write", "Certificate", "Verdict", "Conditions"),
    "Problems": ("Dataset", "Network", "Sphere", "Training", "Weights", "load", "prepare"),
    "Weights": ("read_weights", "save_weights", "read_run", "Run", "empirical_ntk"),
    "Infinite and finite width": ("enclose_gram", "predict", "simulate", "train", "Experiment"),
    "Claims of papers": ("Registry", "Claim", "Document", "Evidence", "Outcome", "run_claim"),
    "Errors": ("InputError", "Malformed"),
}


def found(name: str) -> Any:
    """Return what a name of the package stands for."""
    module, _, attribute = NAMES[name].partition(":")
    return getattr(import_module(f"ntkproof.{module}"), attribute or name)


def entry(name: str) -> str:
    """Return the section of a name: how it is called, and its docstring."""
    value = found(name)
    try:
        call = re.sub(r"<function <lambda> at 0x[0-9a-f]+>", "…", str(inspect.signature(value)))
        call = re.sub(r"(: |-> )'([^']*)'", r"\1\2", call)  # annotations are texts
    except ValueError:
        call = ""
    call = "" if isinstance(value, type) and issubclass(value, Exception) else call
    return f"### `{name}`\n\n```text\n{name}{wrapped(call)}\n```\n\n{markdown(inspect.getdoc(value) or '')}\n"


def wrapped(call: str) -> str:
    """Return a signature with a parameter a line, if it is long."""
    if len(call) < 90:
        return call
    inside, depth, lines, line = call[1 : call.rindex(")")], 0, [], ""
    if " -> " in call:
        inside = call[1 : call.rindex(") -> ")]
    for letter in inside:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            lines.append(line.strip())
            line = ""
        else:
            line += letter
    parameters = "".join(f"    {each},\n" for each in [*lines, line.strip()])
    return f"(\n{parameters}){call[len(inside) + 2 :]}"


def markdown(doc: str) -> str:
    """Return a docstring in Markdown: its sections become lists."""
    out = []
    for block in doc.replace("``", "`").split("\n\n"):
        head, *rest = block.split("\n")
        if head in ("Args:", "Returns:", "Raises:"):
            items = re.split(r"\n    (?=\S)", "\n" + "\n".join(rest))
            lines = [" ".join(item.split()) for item in items if item.strip()]
            out.append(f"*{head[:-1]}*\n\n" + "\n".join(f"- {line}" for line in lines))
        else:
            out.append(block)
    return "\n\n".join(out)


def api() -> str:
    """Return the page of the Python interface."""
    parts = [
        "# Python interface",
        "All of these are imported from `ntkproof`. This page is written from the docstrings, by\n"
        "`python docs/api_page.py --write`.",
    ]
    for group, names in GROUPS.items():
        parts += [f"## {group}", *(entry(name).rstrip("\n") for name in names)]
    return "\n\n".join(parts) + "\n"


HEAD = """# Statements

What can be asked, on the command line with `--statement NAME`, in Python with `certify(data, statement="name")`.
Options that a statement does not list are errors, and so are other values of what it takes for granted. Options of the
data go with every statement about data, `standardize-targets` with those that use targets. This page is written from
the table, by `python docs/api_page.py --write`."""


def catalogue() -> str:
    """Return the page of the statements."""
    return "\n\n".join([HEAD, *map(section, statements())]) + "\n"


def section(statement: Statement) -> str:
    """Return the section of a statement."""
    own = {name: default for name, default in statement.options.items() if name not in TARGETS}
    shown = ", ".join(
        f"`{OPTIONS[name].word}`" + (f" ({default})" if default not in (None, False) else "")
        for name, default in own.items()
    )
    granted = ", ".join(f"{OPTIONS[name].word} = {value}" for name, value in statement.fixed.items())
    means = "; ".join(f"with `{option}` it is `{other}`" for option, other in statement.becomes.items())
    rows = [
        ("proves", statement.proves),
        ("network", statement.network),
        ("conclusion", ", ".join(f"`{kind}`" for kind in statement.kinds)),
        ("options (defaults)", shown),
        ("takes for granted", granted),
        ("becomes another", means),
    ]
    table = "\n".join(f"| {name} | {text} |" for name, text in rows if text)
    return f"## `{statement.name}`\n\n| | |\n|---|---|\n{table}"


PAGES = {"api.md": api, "statements.md": catalogue}

if __name__ == "__main__":
    for name, page in PAGES.items():
        if "--write" in sys.argv[1:]:
            (DOCS / name).write_text(page(), "utf-8")
        else:
            print(page())

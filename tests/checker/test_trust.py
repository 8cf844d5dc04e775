"""What the trusted base may use, read from its source; and that it does not depend on assertions."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import ntkproof

PACKAGE = Path(ntkproof.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
FLINT = {"checker/arithmetic/fast.py"}
EXACT_ONLY = ("checker/rules/", "checker/check.py", "checker/claims.py")


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script("trusted_lines")
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in SCRIPT.trusted_files(PACKAGE)}
TRUSTED = {"ntkproof." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES}


def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text("utf-8"))


def imports(name: str) -> Iterator[str]:
    """Yield the modules a file imports; ``from package import module`` counts as the module."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            assert node.module is not None
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in TRUSTED else node.module


def called(name: str) -> Iterator[str]:
    """Yield the names that a file uses, dotted as written."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Name | ast.Attribute):
            yield ast.unparse(node)


def test_the_trusted_base_is_what_the_docs_say() -> None:
    assert {"problem.py", "certificate.py", "checker/check.py", "checker/rules/null_vector.py"} <= set(FILES)
    assert set((PACKAGE / "checker").rglob("*.py")) < set(FILES.values())


@pytest.mark.parametrize("name", FILES)
def test_it_imports_nothing_untrusted(name: str) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "mpmath", *(["flint"] if name in FLINT else [])}
    for module in imports(name):
        assert module in TRUSTED or module.split(".")[0] in allowed, f"{name} imports {module}"


@pytest.mark.parametrize("name", FILES)
def test_it_has_no_assert_and_runs_no_text(name: str) -> None:
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree(name)))
    forbidden = re.compile(r"(?:builtins\.)?(?:eval|exec|compile|__import__)|(?:pickle|marshal|shelve|subprocess)\b.*")
    for use in called(name):
        assert not forbidden.fullmatch(use), f"{name} uses {use}"
    assert not {module.split(".")[0] for module in imports(name)} & {"pickle", "marshal", "shelve", "subprocess"}


@pytest.mark.parametrize("name", FILES)
def test_it_uses_no_interval_function_of_mpmath(name: str) -> None:
    for use in called(name):
        assert not re.match(r"(?:mpmath\.)?(?:iv|mp|fp)\.", use), f"{name} uses {use}"
    functions = {"exp", "log", "ln", "sqrt", "atan", "atan2", "asin", "acos", "erf", "sin", "cos", "pi", "gamma"}
    for use in called(name):
        place, _, last = use.rpartition(".")
        assert not (place.endswith("_context") and last in functions), f"{name} uses {use}"


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(EXACT_ONLY)])
def test_no_decision_is_made_in_floating_point(name: str) -> None:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Compare):
            for part in ast.walk(node):
                assert not (isinstance(part, ast.Constant) and isinstance(part.value, float)), ast.unparse(node)
                assert not (isinstance(part, ast.Name) and part.id == "float"), ast.unparse(node)


def test_the_stated_number_of_lines_is_the_measured_one() -> None:
    page = SCRIPT.PAGE.read_text("utf-8")
    total = sum(SCRIPT.code_lines(path.read_text("utf-8")) for path in FILES.values())
    assert f"| **total** | **{total}** |" in page, "run: python docs/trusted_lines.py --write"
    assert SCRIPT.with_table(page, PACKAGE) == page, "run: python docs/trusted_lines.py --write"


def test_how_lines_are_counted() -> None:
    source = '"""Doc\nstring."""\n\nx = 1  # why\n# why\n\ndef f():\n    """Doc."""\n    return (\n        x\n    )\n'
    assert SCRIPT.code_lines(source) == 5
    assert SCRIPT.code_lines('x = """a\nb"""\n') == 2
    assert SCRIPT.code_lines("") == 0


OPTIMISED = """
import json
import numpy as np
from ntkproof import Dataset, Network, certify, check
from ntkproof.certificate import to_json

if __debug__:
    raise SystemExit("not optimised")
data = Dataset(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]))
text = to_json(certify(data, Network("erf")))
for engine in ("fast", "reference"):
    print(check(text, engine=engine).verdict, check("{}", engine=engine).verdict)
    value = json.loads(text)
    value["conclusion"]["claim"]["lower"] = "5"
    print(check(json.dumps(value), engine=engine).code)
    value = json.loads(text)
    value["steps"][0]["claim"]["radius"] = 0
    print(check(json.dumps(value), engine=engine).code)
    for k in range(len(value["steps"])):
        value = json.loads(text)
        del value["steps"][k]
        print(check(json.dumps(value), engine=engine).code)
print(check(to_json(certify(np.array([[1.0], [1.0]]), Network()))).conclusion["upper"])
"""


def test_the_checker_rejects_the_same_without_assertions() -> None:
    done = subprocess.run([sys.executable, "-O", "-c", OPTIMISED], capture_output=True, encoding="utf-8", timeout=120)
    assert done.stderr == ""
    one = ["valid malformed", "claim-not-derived", "claim-not-derived"]
    one += ["unknown-premise", "unknown-premise", "unknown-premise", "bad-conclusion"]
    assert done.stdout.splitlines() == [*one, *one, "0"]

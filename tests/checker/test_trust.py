"""What the trusted base may use, read from its source; what a verdict rests on; and that assertions do not matter."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ntkproof.checker import check, trust
from ntkproof.checker.logic.load import load, noting
from ntkproof.checker.table import KINDS, RULES

ROOT = Path(__file__).parents[2]
CHECKER = ROOT / "ntkproof" / "checker"
SHIPPED = ROOT / "certificates"
FILES = {path.relative_to(CHECKER).as_posix(): path for path in sorted(CHECKER.rglob("*.py"))}
MODULES = {"ntkproof.checker." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES}
MODULES.add("ntkproof.checker")
FLINT = {"arithmetic/arb.py"}
FAMILIES = ("limit", "random_start", "given_weights", "convergence")
ROOMS = ("logic", "arithmetic", "activations", "problem", *FAMILIES, "")  # an import goes to the left, or stays
ENGINES = ("fast", "reference")
ELEMENTWISE = (
    "limit/float64.py",
    "given_weights/evaluation.py",
    "given_weights/nearby.py",
)  # float64, with its errors proved
LARGEST = 400  # lines of a module, all of them


def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text("utf-8"))


def imports(name: str) -> Iterator[str]:
    """Yield the modules a file imports, for type checkers too; ``from package import module`` counts as the module."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            assert node.module is not None
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in MODULES else node.module


def room(name: str) -> str:
    return name.rpartition("/")[0]


def called(name: str) -> Iterator[str]:
    """Yield the names that a file uses, dotted as written."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Name | ast.Attribute):
            yield ast.unparse(node)


@pytest.mark.parametrize("name", FILES)
def test_it_imports_nothing_untrusted(name: str) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "mpmath", *(["flint"] if name in FLINT else [])}
    for module in imports(name):
        assert module in MODULES or module.split(".")[0] in allowed, f"{name} imports {module}"


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name: str) -> None:
    for node in trust._run(tree(name)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ntkproof.checker."):
            other = str(node.module).split(".")[2]
            assert other not in ROOMS or ROOMS.index(other) <= ROOMS.index(room(name)), f"{name} imports {node.module}"


@pytest.mark.parametrize("name", [name for name in FILES if room(name) == "logic"])
def test_the_logic_knows_no_theorem(name: str) -> None:
    names = {*RULES, *KINDS} - {"assume"}
    text = FILES[name].read_text("utf-8")
    assert not [word for word in re.findall(r"[a-z_]+", text) if "_" in word and word in names]


@pytest.mark.parametrize("name", FILES)
def test_it_has_no_assert_and_runs_no_text(name: str) -> None:
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree(name)))
    forbidden = re.compile(r"(?:builtins\.)?(?:eval|exec|compile|__import__)|(?:pickle|marshal|shelve|subprocess)\b.*")
    for use in called(name):
        assert not forbidden.fullmatch(use), f"{name} uses {use}"
    assert not {module.split(".")[0] for module in imports(name)} & {"pickle", "marshal", "shelve", "subprocess"}
    if name != "logic/load.py":
        assert "import_module" not in set(called(name)), "modules that only some certificates need go through `load`"


@pytest.mark.parametrize("name", FILES)
def test_it_uses_no_interval_function_of_mpmath(name: str) -> None:
    for use in called(name):
        assert not re.match(r"(?:mpmath\.)?(?:iv|mp|fp)\.", use), f"{name} uses {use}"
    functions = {"exp", "log", "ln", "sqrt", "atan", "atan2", "asin", "acos", "erf", "sin", "cos", "pi", "gamma"}
    for use in called(name):
        place, _, last = use.rpartition(".")
        assert not (place.endswith("_context") and last in functions), f"{name} uses {use}"


@pytest.mark.parametrize("name", [n for n in FILES if room(n) in ("logic", *FAMILIES, "") and n not in ELEMENTWISE])
def test_no_decision_is_made_in_floating_point(name: str) -> None:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Compare):
            for part in ast.walk(node):
                assert not (isinstance(part, ast.Constant) and isinstance(part.value, float)), ast.unparse(node)
                assert not (isinstance(part, ast.Name) and part.id == "float"), ast.unparse(node)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_loaded_where_it_is_cached(name: str) -> None:
    """What is loaded inside a function that is cached over several checks would be noted the first time only."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef) and "cache" in " ".join(map(ast.unparse, node.decorator_list)):
            inside = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
            assert "load" not in inside, f"{name}: {node.name}"


@pytest.mark.parametrize(("table", "kind"), [(RULES, "rule"), (KINDS, "claim")], ids=["rules", "claims"])
def test_the_tables_name_what_there_is(table: dict[str, object], kind: str) -> None:
    for name in table:
        assert table[name].kind == name if kind == "claim" else table[name].derive  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_what_it_has(family: str) -> None:
    page = ast.get_docstring(tree(f"{family}/__init__.py")) or ""
    for table in (RULES, KINDS):
        for name, module in table.data.items():  # type: ignore[attr-defined]
            if module.startswith(f"{family}."):
                assert re.search(rf"\b{name}\b", page), f"{name} is not on the page of {family}"
    for files in re.findall(r"docs/proofs/\{(.*?)\}\.md", page):
        assert all((ROOT / "docs" / "proofs" / f"{file}.md").exists() for file in files.split(",")), family


# What a verdict rests on --------------------------------------------------------------------------------------------

RUN = """
import json, sys
from ntkproof.checker import check
found = []
for path in sys.argv[2:]:
    verdict = check(path, engine=sys.argv[1])
    loaded = sorted(name for name in sys.modules if name.startswith("ntkproof.checker"))
    found.append([verdict.verdict, verdict.modules, loaded])
print(json.dumps(found))
"""


def told(names: dict[str, int]) -> set[str]:
    return {"ntkproof." + name.removesuffix(".py").replace("/", ".") for name in names}


def empty(module: str) -> bool:
    """Whether a module is a package without code of its own."""
    return not trust._lines(module)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "name",
    [
        "three-relu-hidden-depth1",
        "wine10-erf-hidden-depth1",
        "wine20-sin-all-depth1",
        "wine10-spectrum",
        "iris-relu-all-depth1",
        "sphere-relu-d2",
        "sphere-erf-d3-depth3",
        "convergence-wine-10-tanh-smooth",
        "convergence-wine-10-relu-relu",
        "ball-three-erf-hessian-bound",
        "given-three-erf-deep-descent",
        "given-three-relu",
        "given-three-quantities",
    ],
)
def test_the_files_told_are_those_that_ran(name: str, engine: str) -> None:
    """In a process of its own a check imports exactly what it says that it rests on."""
    (path,) = SHIPPED.rglob(f"{name}.cert.json")
    done = subprocess.run([sys.executable, "-c", RUN, engine, path], capture_output=True, encoding="utf-8", check=True)
    ((verdict, modules, loaded),) = json.loads(done.stdout)
    assert verdict == "valid"
    assert {name for name in loaded if not empty(name)} == told(trust.files(modules))
    again = check(path, engine=engine)  # here, where much is imported and cached already
    assert sorted(again.modules) == sorted(modules)


def test_notes_of_two_threads_do_not_mix() -> None:
    with noting() as outer:
        with noting() as inner:
            load("logic.numbers")
        load("logic.claim")
    assert (inner, outer) == ({"logic.numbers"}, {"logic.claim"})


def test_how_lines_are_counted() -> None:
    source = '"""Doc\nstring."""\n\nx = 1  # why\n# why\n\ndef f():\n    """Doc."""\n    return (\n        x\n    )\n'
    assert trust.code_lines(source) == 5
    assert trust.code_lines('x = """a\nb"""\n') == 2
    assert trust.code_lines("") == 0


@pytest.mark.parametrize("name", FILES)
def test_modules_are_short(name: str) -> None:
    lines = FILES[name].read_text("utf-8").splitlines()
    assert len(lines) <= LARGEST or "long" in lines[0], f"{name} has {len(lines)} lines"


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

"""What ``import ntkproof`` gives, and what it leaves alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ntkproof
from ntkproof import Dataset, Weights, certify

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import api_page  # noqa: E402


def imported(code: str) -> set[str]:
    """Return the top packages and modules of this package that a program has imported."""
    program = f"{code}\nimport sys, json; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", cwd=ROOT, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_it_imports_nothing_else() -> None:
    found = imported("import ntkproof")
    assert {name for name in found if name.startswith("ntkproof")} == {"ntkproof"}
    assert not found & {"numpy", "click", "sympy", "flint", "mpmath", "rich"}


def test_the_help_imports_no_prover() -> None:
    found = imported(
        "import sys\nsys.argv[1:] = ['--help']\nfrom ntkproof.commands.main import cli\ncli.main(standalone_mode=False)"
    )
    assert "click" in found
    assert not found & {"numpy", "sympy", "rich"}
    assert not {name for name in found if name.startswith(("ntkproof.prover", "ntkproof.theorems", "ntkproof.checker"))}


def test_the_help_of_certify_imports_no_prover() -> None:
    found = imported(
        "import sys\nfrom ntkproof.commands.main import cli\ncli.main(['certify', '--help'], standalone_mode=False)"
    )
    assert not {name for name in found if name.startswith(("ntkproof.prover", "ntkproof.theorems"))}


def test_every_name_is_there() -> None:
    space: dict[str, object] = {}
    exec("from ntkproof import *", space)
    assert {*ntkproof.NAMES} <= {*space}
    assert {*ntkproof.NAMES} == {*ntkproof.__all__}
    assert {*ntkproof.NAMES} <= {*dir(ntkproof)}
    for name in ntkproof.NAMES:
        assert callable(space[name])
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ntkproof.nothing  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "ntkproof" / "__init__.py").read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        for alias in node.names:
            name = alias.asname or alias.name
            place = node.module.removeprefix("ntkproof.")
            seen[name] = place if alias.name == name else f"{place}:{alias.name}"
    assert seen == ntkproof.NAMES


@pytest.mark.parametrize("first", ["import ntkproof.simulation.runs", "import ntkproof.prediction", "pass"])
def test_no_module_takes_the_place_of_a_function(first: str) -> None:
    code = (
        f"{first}\nfrom ntkproof import predict, simulate\nimport numpy as np\nfrom ntkproof import Dataset, Network\n"
    )
    code += "data = Dataset(np.eye(2), np.ones(2))\nassert predict(data, Network('erf')).lambda_min[0] > 0\n"
    code += "from ntkproof.simulation.runs import simulate as inner\nassert callable(simulate)"
    assert "ntkproof.prediction" in imported(code)


def test_the_pages_are_current() -> None:
    assert {name for names in api_page.GROUPS.values() for name in names} == {*ntkproof.NAMES}
    for name, page in api_page.PAGES.items():
        assert (ROOT / "docs" / name).read_text("utf-8") == page(), f"run python docs/api_page.py --write: {name}"


def test_representations_are_short() -> None:
    data = Dataset(np.arange(600.0).reshape(200, 3), np.arange(200.0), "numbers")
    assert repr(data) == f"Dataset(200 x 3, with targets, sha256 {data.sha256[:16]}…, numbers)"
    weights = Weights((np.ones((50, 3)), np.ones((1, 50))), mirrored=True)
    assert repr(weights) == f"Weights(50 x 3, 1 x 50, mirrored, sha256 {weights.sha256[:16]}…)"
    certificate = certify(data, gap=0.01)
    assert len(repr(certificate)) < 800
    assert all(len(repr(step)) < 800 for step in certificate.steps)

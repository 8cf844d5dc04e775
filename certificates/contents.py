"""Writes ``README.md`` beside this file, the list of the shipped certificates: ``python certificates/contents.py``."""

from __future__ import annotations

import json
from pathlib import Path

from ntkproof.checker.logic.format import SUFFIX

FOLDER = Path(__file__).parent
FAMILIES = {
    "lambda_min": "The least eigenvalue of a kernel matrix",
    "spectrum": "Spectrum, condition number, effective rank, operator norm, a-priori bounds",
    "sphere": "Eigenvalues on the sphere",
    "ball": "Gradients and Hessians in a ball around a random start",
    "convergence": "Convergence from a random start",
    "given_weights": "Given weights: convergence from them, and their quantities",
    "holey": "With assumptions: these are not proofs, and `check` says so",
}
INTRODUCTION = """# Shipped certificates

`ntkproof check certificates/FAMILY/NAME.cert.json` checks one. `python certificates/regenerate.py` makes them anew,
those about given weights `python certificates/given.py`. What must be refused is in [rejected](rejected/README.md).
`python certificates/contents.py` writes this page from the certificates; the size is that of all files of one.
"""


def page() -> str:
    """Return the page: a table for each family."""
    tables = (table(folder, title) for folder, title in FAMILIES.items())
    return "\n".join([INTRODUCTION, *tables])


def table(folder: str, title: str) -> str:
    """Return the section of a family."""
    rows = [row(path) for path in sorted((FOLDER / folder).glob("*" + SUFFIX))]
    head = ["| certificate | data | network | what it says | kB |", "|---|---|---|---|---:|"]
    return "\n".join([f"## {title}", "", *head, *rows, ""])


def row(path: Path) -> str:
    """Return the line of a certificate."""
    from ntkproof.statements.table import describe

    document, name = json.loads(path.read_text()), path.name.removesuffix(SUFFIX)
    problem = document["problem"]
    size = sum(each.stat().st_size for each in path.parent.glob(f"{name}.*"))
    says = describe(document["conclusion"]["claim"], "weights" in problem).replace("|", "\\|")
    link = f"[{name}]({path.relative_to(FOLDER)})"
    return f"| {link} | {data(problem)} | {network(problem)} | {says} | {size / 1000:.1f} |"


def data(problem: dict) -> str:
    """Return what a problem is about."""
    if "sphere" in problem:
        return f"sphere in dimension {problem['sphere']['dimension']}"
    dataset = problem["dataset"]
    return f"{dataset['label']}, {' x '.join(map(str, dataset['inputs']['shape']))}"


def network(problem: dict) -> str:
    """Return the network of a problem, without what is as usual."""
    about = problem["network"]
    usual = {"bias": "0", "weight_std": "1", "input_scale": "1"}
    more = [f"{name.replace('_', ' ')} {about[name]}" for name, value in usual.items() if about[name] != value]
    kernel = [] if problem["kernel"] == "ntk" else [problem["kernel"].upper()]
    return ", ".join([about["activation"], f"depth {about['depth']}", f"train {about['train']}", *kernel, *more])


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(page())

"""Print the least widths that each theorem proves, as a markdown table.

Run ``python benchmarks/widths.py [n ...]`` (default 10 20 50).  Data: n rows of each set, constant columns dropped,
standardized, rows normalized, targets standardized; gradient flow (for ``relu-descent`` descent with step
``1/(2‖X‖²)``), the antisymmetric start or the one the theorem is about, failure probability 0.05.  The widths come from
the search in float64; with ``--certify`` every one is proved and checked as well, and a width that is not is marked.
"""

from __future__ import annotations

import sys

import numpy as np

from ntkproof.checker import check
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.data.datasets import load, prepare
from ntkproof.theorems import THEOREMS
from ntkproof.theorems.certify import certify_convergence
from ntkproof.theorems.conditions import Conditions, conditions

SETS = ("wine", "breast_cancer", "digits")
ACTIVATIONS = ("erf", "relu", "tanh")
COLUMNS = tuple(name for name in THEOREMS if name != "huang2020")  # it needs a constant that its source does not give
NONE = "–"


def samples(name: str, rows: int) -> Dataset:
    options = {"drop_constant": True, "standardize": True, "normalize": True, "standardize_targets": True}
    return prepare(load(name), rows=rows, **options)


def cell(found: Conditions, dataset: Dataset, network: Network, step_size: str | None, certify: bool) -> str:
    """Return the width, to three digits if it is long, and whether it could be proved."""
    if found.width_required is None:
        return NONE
    width = found.width_required
    text = str(width) if width < 10**6 else f"{width:.2e}".replace("e+", "e").replace("e0", "e")
    if not certify:
        return text
    try:
        certificate = certify_convergence(dataset, network, theorem=found.theorem, step_size=step_size)
    except InputError:
        return f"{text} (not proved)"
    return text if check(certificate).valid else f"{text} (not proved)"


def row(dataset: Dataset, activation: str, certify: bool) -> list[str]:
    """Return the cells of the theorems, in the order of the table."""
    network, cells = Network(activation), dict.fromkeys(COLUMNS, NONE)
    step = f"{0.5 / np.linalg.norm(dataset.inputs, 2) ** 2:.4f}"
    for step_size in (None, step) if activation == "relu" else (None,):
        for found in conditions(dataset, network, step_size=step_size):
            if found.theorem in cells and (step_size is None) == (found.theorem != "relu-descent"):
                cells[found.theorem] = cell(found, dataset, network, step_size, certify)
    return list(cells.values())


def main(arguments: list[str]) -> None:
    certify = "--certify" in arguments
    sizes = [int(x) for x in arguments if x != "--certify"] or [10, 20, 50]
    print(f"| data | n | σ | {' | '.join(COLUMNS)} |")
    print(f"|---|---|---|{'---|' * len(COLUMNS)}")
    for name in SETS:
        for rows in sizes:
            dataset = samples(name, rows)
            for activation in ACTIVATIONS:
                cells = row(dataset, activation, certify)
                if set(cells) != {NONE}:
                    print(f"| {name} | {rows} | {activation} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The options that questions have: one table of their names, and what each group has unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from ntkproof.checker.problem.weights import Weights

    Number = Fraction | int | float | str

GROUPS = ("data", "network", "training", "statement")


@dataclass(frozen=True)
class Option:
    """An option of a question.

    Args:
        name: in Python; the command line has dashes for underscores.
        group: one of `GROUPS`; those about data prepare it and exist on the command line only.
        help: one line.
        kind: of its value: ``text``, ``activation``, ``integer``, ``number``, ``flag``, ``file``, ``width`` (a number
            or ``auto``) or ``pairs`` (``NAME=VALUE``, again and again).
        spelling: on the command line, if it is not the name.
    """

    name: str
    group: str
    help: str
    kind: str = "text"
    spelling: str = ""

    @property
    def word(self) -> str:
        """What messages call it: the name with dashes."""
        return self.spelling or self.name.replace("_", "-")


_INITS = "signs, balanced, antisymmetric or gaussian [default: antisymmetric, or the theorem's]."
_THEOREMS = "smooth, relu, relu-descent, bowman2023, bowman2023-path, huang2020, du2019, both or lecture"

_LISTED = (
    Option("target", "data", "Target column of a CSV, NPY or NPZ file: a name or an index."),
    Option("drop_duplicates", "data", "Keep the first of equal rows.", "flag"),
    Option("rows", "data", "Keep the first N rows after a seeded shuffle.", "integer"),
    Option("shuffle_seed", "data", "Seed of that shuffle.", "integer"),
    Option("drop_constant_columns", "data", "Drop columns whose entries are all equal.", "flag"),
    Option("standardize", "data", "Columns to mean 0 and standard deviation 1.", "flag"),
    Option("normalize", "data", "Rows to Euclidean norm 1 (up to rounding).", "flag"),
    Option("standardize_targets", "data", "Targets to mean 0 and standard deviation 1.", "flag"),
    Option("dimension", "data", "d of the unit sphere in R^d, 2 to 1000.", "integer"),
    Option("activation", "network", "relu, leaky_relu(slope), erf, …", "activation"),
    Option("depth", "network", "Number of hidden layers, 1 to 10.", "integer"),
    Option("train", "network", "hidden, output, both (depth 1) or all."),
    Option("kernel", "network", "ntk or nngp."),
    Option("bias", "network", "Bias scale β, a decimal."),
    Option("weight_std", "network", "Weight scale σ_w, a decimal."),
    Option("input_scale", "network", "1 or fan-in."),
    Option("width", "training", "Number of hidden neurons, or auto.", "width"),
    Option("init", "training", _INITS),
    Option("failure_probability", "training", "Of the initialisation, a decimal."),
    Option("flow", "training", "Gradient flow (the default).", "flag"),
    Option("step_size", "training", "Gradient descent with this step, a decimal."),
    Option("weights", "training", "From the weights in this file, whatever made them.", "file"),
    Option("parametrisation", "training", "Of --weights: ntk or standard [default for our NPZ: ntk]."),
    Option("run", "training", "From the earliest saved step of this run that will do.", "file"),
    Option("theorem", "statement", f"{_THEOREMS} [default: smooth or relu]."),
    Option("loss", "statement", "squared, quartic or custom."),
    Option("constants", "statement", "A constant the literature leaves open.", "pairs", "constant"),
    Option("form", "statement", "Of the proof: kantorovich, distance or tube [default: the best]."),
    Option("radius", "statement", "Of the ball around the start, a decimal."),
    Option("max_frequency", "statement", "The largest frequency, 0 to 500.", "integer"),
    Option("gap", "statement", "Relative width wanted of an interval.", "number"),
)
OPTIONS: Mapping[str, Option] = {option.name: option for option in _LISTED}

DATA: Mapping[str, Any] = {
    "target": None,
    "drop_duplicates": False,
    "rows": None,
    "shuffle_seed": 0,
    "drop_constant_columns": False,
    "standardize": False,
    "normalize": False,
}
TARGETS: Mapping[str, Any] = {**DATA, "standardize_targets": False}
SPHERE: Mapping[str, Any] = {"dimension": None}
NETWORK: Mapping[str, Any] = {
    "activation": "relu",
    "depth": 1,
    "train": "all",
    "bias": "0",
    "weight_std": "1",
    "input_scale": "1",
}
KERNEL: Mapping[str, Any] = {**NETWORK, "kernel": "ntk"}


class Options(TypedDict, total=False):
    """The options of `ntkproof.certify`, those of all statements; each statement takes some of them."""

    activation: str
    depth: int
    train: str
    kernel: str
    bias: Number
    weight_std: Number
    input_scale: str
    width: int | None
    init: str | None
    failure_probability: Number
    flow: bool
    step_size: Number | None
    weights: Weights | Path | str | None
    parametrisation: str | None
    run: Path | str | None
    theorem: str | None
    loss: str
    constants: Mapping[str, Number] | None
    form: str | None
    radius: Number | None
    max_frequency: int
    gap: float

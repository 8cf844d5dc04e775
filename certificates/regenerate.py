"""Regenerates the shipped certificates: ``python certificates/regenerate.py [--only PATTERN]``.

Every certificate is made through the Python API.  Named datasets are prepared with constant columns dropped,
columns standardised and rows normalised, unless the entry says otherwise.  Delete and rerun at will: the files
depend only on the data, the prover and the gap.  The name of an entry starts with its folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ntkproof.certificate import write
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.format import SUFFIX, Certificate, Step
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.data.datasets import load, prepare
from ntkproof.prover.certify import certify
from ntkproof.prover.draft import Draft
from ntkproof.prover.sphere import certify_sphere
from ntkproof.theorems.certify import certify_convergence
from ntkproof.theorems.operator_norms import certify_in_ball

FOLDER = Path(__file__).parent
THREE = [[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]]
HOLEY = "holey/"


@dataclass(frozen=True)
class Entry:
    """A shipped certificate: its name, how to get its data, the network and the options of `certify`."""

    name: str
    data: Callable[[], Dataset]
    network: Network
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Certificate:
        """Return the certificate; a holey one has its lower bound replaced by an assumption."""
        dataset = self.data()
        if not self.name.startswith(HOLEY):
            return certify(dataset, self.network, **self.options)
        return assume_lower(certify(dataset, self.network, **self.options))


@dataclass(frozen=True)
class SphereEntry:
    """A shipped certificate about the unit sphere: its name, the dimension, the network and the options."""

    name: str
    dimension: int
    network: Network
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Certificate:
        """Return the certificate."""
        return certify_sphere(self.dimension, self.network, **self.options)


@dataclass(frozen=True)
class ConvergenceEntry:
    """A shipped certificate that training converges: its data, the activation, the theorem and the options."""

    name: str
    data: Callable[[], Dataset]
    activation: str
    theorem: str | None
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Certificate:
        """Return the certificate."""
        return certify_convergence(self.data(), Network(self.activation), theorem=self.theorem, **self.options)


@dataclass(frozen=True)
class BallEntry:
    """A shipped certificate of bounds in a ball around a random start: its data, the network and the options."""

    name: str
    data: Callable[[], Dataset]
    network: Network
    options: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Certificate:
        """Return the certificate."""
        return certify_in_ball(self.data(), self.network, **self.options)


def prepared(name: str, rows: int | None = None, *, targets: bool = False) -> Callable[[], Dataset]:
    """Return a function that loads and prepares a named dataset, all of it or a seeded sample."""
    options = {"drop_constant": True, "standardize": True, "normalize": True, "standardize_targets": targets}
    return lambda: prepare(load(name), rows=rows, shuffle_seed=0, **options)


def planted(label: str, rows: list[list[float]], targets: list[float] | None = None) -> Callable[[], Dataset]:
    """Return a function that makes a tiny dataset."""
    return lambda: Dataset(np.array(rows), None if targets is None else np.array(targets), label)


def assume_lower(certificate: Certificate) -> Certificate:
    """Return the proof with its lower bound replaced by a bold assumption, replayed so that the rest is derived."""
    steps = {step.id: step for step in certificate.steps}
    draft = Draft(Setting(certificate.problem, arithmetic("fast"), lambda done, total: None))
    kernel, upper = steps["kernel"], steps["upper"]
    draft.derive("kernel", kernel.rule, args=kernel.args, weaken=lambda claim: _restated(claim, kernel))
    draft.derive(
        "upper", upper.rule, upper.uses, upper.args, upper.witness, weaken=lambda claim: _restated(claim, upper)
    )
    bold = EigenvalueBound("kernel", "min", "lower", Fraction(upper.claim["value"]) / 2)
    draft.derive("lower", "assume", stated=bold)
    draft.derive("lambda_min", "lambda_min", ("lower", "upper"))
    return draft.certificate()


def _restated(claim: Any, step: Step) -> Any:
    """Return the claim a step already states (the derived one, weakened)."""
    values = {
        name: Fraction(value) if name == "value" else value for name, value in step.claim.items() if name != "kind"
    }
    return type(claim)(**values)


def hidden_or_all(depth: int) -> str:
    """Depth 1: only the first layer is trained; deeper: everything."""
    return "hidden" if depth == 1 else "all"


def _full() -> list[Entry]:
    sets = [("wine", None), ("diabetes", None), ("breast_cancer", None), ("digits", 500)]
    return [
        Entry(
            f"lambda_min/{name}{rows or ''}-{activation}-{hidden_or_all(depth)}-depth{depth}",
            prepared(name, rows),
            Network(activation, depth, hidden_or_all(depth)),
        )
        for name, rows in sets
        for activation in ("relu", "erf")
        for depth in (1, 3)
    ]


def _small() -> list[Entry]:
    tiny = [
        Entry(
            f"lambda_min/three-{activation}-hidden-depth1",
            planted("three points", THREE),
            Network(activation, 1, "hidden"),
        )
        for activation in ("relu", "erf")
    ]
    return tiny + [
        Entry(
            f"lambda_min/{name}{rows}-{activation}-hidden-depth1",
            prepared(name, rows),
            Network(activation, 1, "hidden"),
        )
        for name in ("wine", "digits")
        for rows in (10, 20, 50)
        for activation in ("relu", "erf")
    ]


def _refutations() -> list[Entry]:
    pairs = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [-1.0, -1.0]]
    plane = [*THREE, [-2.0, 1.0]]
    return [
        Entry("lambda_min/iris-relu-all-depth1", lambda: load("iris"), Network("relu")),
        Entry("lambda_min/iris-erf-all-depth1", lambda: load("iris"), Network("erf")),
        Entry("lambda_min/pairs-relu-all-depth1", planted("antipodal pairs", pairs), Network("relu")),
        Entry("lambda_min/plane-identity-all-depth2", planted("four points in a plane", plane), Network("identity", 2)),
    ]


def _others() -> list[Entry]:
    biased = Network("leaky_relu(0.1)", 2, bias="0.25", weight_std="1.5")
    return [
        Entry("lambda_min/wine20-relu-nngp-depth2", prepared("wine", 20), Network("relu", 2), {"kernel": "nngp"}),
        Entry("lambda_min/wine20-leaky-bias-all-depth2", prepared("wine", 20), biased),
        Entry("lambda_min/wine20-sin-all-depth1", prepared("wine", 20), Network("sin")),
        Entry("lambda_min/wine20-cos-all-depth1", prepared("wine", 20), Network("cos", input_scale="fan-in")),
        Entry("lambda_min/wine10-relu-both-depth1", prepared("wine", 10), Network("relu", 1, "both", bias="0.5")),
        Entry(
            "spectrum/three-operator-norm", planted("three points", THREE), Network(), {"statement": "operator-norm"}
        ),
        Entry("spectrum/wine-operator-norm", prepared("wine"), Network(), {"statement": "operator-norm"}),
        Entry("spectrum/wine10-operator-norm", prepared("wine", 10), Network(), {"statement": "operator-norm"}),
        Entry(HOLEY + "wine10-relu-assumed-lower", prepared("wine", 10), Network("relu", 1, "hidden")),
    ]


def _spheres() -> list[SphereEntry]:
    return [
        SphereEntry("sphere/sphere-relu-d2", 2, Network("relu")),
        SphereEntry("sphere/sphere-relu-bias-d3", 3, Network("relu", bias="0.5")),
        SphereEntry("sphere/sphere-erf-d3-depth3", 3, Network("erf", 3)),
        SphereEntry("sphere/sphere-relu-odd-d5", 5, Network("relu", 1, "hidden"), {"statement": "odd-vanish"}),
    ]


def _further() -> list[Entry]:
    wine = prepared("wine", 10)
    return [
        Entry("lambda_min/wine50-tanh-hidden-depth1", prepared("wine", 50), Network("tanh", 1, "hidden")),
        Entry("lambda_min/wine50-gelu-hidden-depth1", prepared("wine", 50), Network("gelu", 1, "hidden")),
        Entry("spectrum/wine10-spectrum", wine, Network("erf", 1, "hidden"), {"statement": "spectrum"}),
        Entry("spectrum/wine10-condition-number", wine, Network("erf", 1, "hidden"), {"statement": "condition-number"}),
        Entry("spectrum/wine10-effective-rank", wine, Network("erf", 1, "hidden"), {"statement": "effective-rank"}),
        Entry("spectrum/wine10-a-priori", wine, Network("relu", 1, "hidden"), {"statement": "a-priori"}),
    ]


def _in_ball() -> list[BallEntry]:
    three, network = planted("three points", THREE, [1.0, -0.5, 0.25]), Network("erf", 2, bias="0.5")
    return [
        BallEntry(f"ball/ball-three-erf-{name}", three, network, {"statement": name, "width": 1000, "radius": "2"})
        for name in ("gradient-bound", "hessian-bound")
    ]


def _convergence() -> list[ConvergenceEntry]:
    def entry(name: str, rows: int, activation: str, theorem: str, suffix: str = "", **options: Any) -> Any:
        title = "-".join(filter(None, ("convergence", name, str(rows), activation, theorem, suffix)))
        return ConvergenceEntry(
            f"convergence/{title}", prepared(name, rows, targets=True), activation, theorem, options
        )

    table = [
        entry(name, rows, activation, theorem)
        for name in ("wine", "breast_cancer", "digits")
        for rows in (10, 20, 50)
        for activation, theorem in (("erf", "smooth"), ("tanh", "smooth"), ("relu", "relu"))
    ]
    others = [entry("wine", 10, "erf", theorem) for theorem in ("bowman2023", "bowman2023-path", "both", "lecture")]
    return [
        *table,
        *others,
        entry("wine", 10, "relu", "du2019"),
        entry("wine", 10, "relu", "du2019", "signs", init="signs"),
        entry("wine", 10, "erf", "smooth", "descent", step_size="0.01"),
        entry("wine", 10, "relu", "relu-descent", step_size="0.01"),
        entry("wine", 10, "erf", "smooth", "balanced", init="balanced"),
        entry("wine", 10, "erf", "smooth", "signs", init="signs"),
        entry("wine", 10, "relu", "relu", "signs", init="signs"),
        ConvergenceEntry(
            "convergence/convergence-wine-10-erf-quartic",
            prepared("wine", 10, targets=True),
            "erf",
            None,
            {"loss": "quartic", "width": 40_000},
        ),
        ConvergenceEntry(
            HOLEY + "convergence-wine-10-erf-huang2020",
            prepared("wine", 10, targets=True),
            "erf",
            "huang2020",
            {"constants": {"initial_deviation": "1"}},
        ),
        ConvergenceEntry(
            HOLEY + "convergence-wine-10-erf-custom",
            prepared("wine", 10, targets=True),
            "erf",
            None,
            {"loss": "custom", "constants": {"exponent": "0.5", "alpha": "1", "gap": "5"}},
        ),
    ]


def entries() -> list[Entry | SphereEntry | ConvergenceEntry | BallEntry]:
    """Return the shipped certificates, small ones first."""
    return [*_refutations(), *_small(), *_spheres(), *_others(), *_further(), *_in_ball(), *_convergence(), *_full()]


def main() -> None:
    """Regenerate the certificates whose names match, with a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", metavar="PATTERN", help="shell pattern of names, e.g. 'wine*depth1'")
    pattern = parser.parse_args().only
    for entry in entries():
        if not any(fnmatch(name, pattern) for name in (entry.name, entry.name.partition("/")[2])):
            continue
        started = time.perf_counter()
        path = FOLDER / (entry.name + SUFFIX)
        path.parent.mkdir(exist_ok=True)
        for old in path.parent.glob(f"{path.name.removesuffix(SUFFIX)}.*"):
            old.unlink()
        files = write(entry.build(), path)
        size = sum(file.stat().st_size for file in files)
        print(f"{entry.name:56}{size:>10} bytes{time.perf_counter() - started:>9.2f} s", flush=True)


if __name__ == "__main__":
    main()

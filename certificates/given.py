"""Makes the certificates about given weights from scratch: ``python certificates/given.py [PATTERN]``.

Weights are drawn from a seeded generator, or come from some steps of gradient descent; then they are rounded to
float16 or float32 numbers, and the certificate is about these.  The random numbers and the last bits of a training
differ between versions of NumPy and its BLAS, so another machine may make other weights, and other certificates.
The larger ones (`LARGER`) are not kept here: ``--larger -o FOLDER`` makes them, and ``benchmarks/given_weights.py``
makes and checks them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ntkproof.certificate import write
from ntkproof.checker.logic.format import SUFFIX, Certificate
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.datasets import load, prepare
from ntkproof.data.runs import step_path
from ntkproof.data.weights import load_weights
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.saved import train
from ntkproof.theorems.instance import certify_instance, certify_quantities

FOLDER = Path(__file__).parent / "given_weights"


@dataclass(frozen=True)
class GivenEntry:
    """A certificate about given weights: the data, the network and where the weights come from.

    Args:
        name: of the file.
        data: loads and prepares the data.
        network: the network.
        weights: makes the weights from the data and the network.
        form: of the proof; ``quantities`` for the statement of that name.
        step_size: of the descent that the statement is about; None for gradient flow.
    """

    name: str
    data: Callable[[], Dataset]
    network: Network
    weights: Callable[[Dataset, Network], Weights]
    form: str
    step_size: str | None = None

    def build(self) -> Certificate:
        """Return the certificate."""
        dataset = self.data()
        weights = replace(self.weights(dataset, self.network), step_size=self.step_size)
        if self.form == "quantities":
            return certify_quantities(dataset, self.network, weights)
        return certify_instance(dataset, self.network, weights, form=self.form)


def prepared(name: str, rows: int) -> Callable[[], Dataset]:
    """Return a function that loads and prepares a seeded sample of a named dataset; its rows have norm 1."""
    options = {"drop_constant": True, "standardize": True, "normalize": True, "standardize_targets": True}
    return lambda: prepare(load(name), rows=rows, **options)


def three() -> Dataset:
    """Return three points in the plane."""
    return Dataset(np.array([[1.1, 2.3], [0.7, -1.3], [2.9, 0.3]]), np.array([0.02, -0.01, 0.005]), "three points")


def ten_digits() -> Dataset:
    """Return ten digits whose images are far apart, not normalised: the larger the rows, the fewer the neurons."""
    return prepare(
        load("digits"), rows=10, shuffle_seed=82, drop_constant=True, standardize=True, standardize_targets=True
    )


def mirrored(width: int, seed: int = 0) -> Callable[[Dataset, Network], Weights]:
    """Return a function that draws hidden weights, each for two neurons with output weights 1 and -1."""

    def draw(dataset: Dataset, network: Network) -> Weights:
        hidden = np.random.default_rng(seed).standard_normal((width // 2, dataset.d)).astype(np.float16)
        return Weights((hidden.astype(np.float64), np.ones((1, width // 2))), mirrored=True)

    return draw


def trained(width: int, steps: int, init: str, seed: int = 0) -> Callable[[Dataset, Network], Weights]:
    """Return a function that makes weights as ``ntkproof train --width W --steps K`` does, rounded to float32."""

    def descend(dataset: Dataset, network: Network) -> Weights:
        experiment = Experiment(dataset, network, init, step_size=0.0, steps=steps)
        with tempfile.TemporaryDirectory() as place:
            train(experiment, width, seed, Path(place), save_every=steps)
            weights = load_weights(step_path(place, steps), network)
        layers, biases = (
            tuple(each.astype(np.float32).astype(np.float64) for each in arrays)
            for arrays in (weights.layers, weights.biases)
        )
        return Weights(layers, biases)

    return descend


ERF, TANH = Network("erf", 1, "hidden"), Network("tanh", 2, "all")

RELU, BIASED = Network("relu", 1, "hidden"), Network("erf", 2, "all", bias="0.5")

SMALL = [  # what forgeries are made of
    GivenEntry("given-three-erf", three, ERF, trained(16, 10, "antisymmetric"), "kantorovich"),
    GivenEntry("given-three-erf-deep-descent", three, BIASED, trained(8, 30, "gaussian"), "distance", "0.01"),
    GivenEntry("given-three-quantities", three, BIASED, trained(8, 30, "gaussian"), "quantities"),
    GivenEntry("given-three-relu", three, RELU, mirrored(1_000), "tube"),
    GivenEntry("given-three-relu-descent", three, RELU, trained(512, 8, "antisymmetric"), "kantorovich", "0.01"),
]

ENTRIES = [
    *SMALL,
    GivenEntry("given-wine-20-erf", prepared("wine", 20), ERF, mirrored(16_000), "distance"),
    GivenEntry("given-wine-20-erf-descent", prepared("wine", 20), ERF, mirrored(20_000), "distance", "0.01"),
    GivenEntry("given-wine-50-erf", prepared("wine", 50), ERF, mirrored(172_000), "distance"),
    GivenEntry(
        "given-digits-50-erf-step140", prepared("digits", 50), ERF, trained(64, 140, "antisymmetric"), "distance"
    ),
    GivenEntry("given-digits-50-tanh-step300", prepared("digits", 50), TANH, trained(256, 300, "gaussian"), "distance"),
    GivenEntry(
        "given-digits-50-tanh-step300-descent",
        prepared("digits", 50),
        TANH,
        trained(256, 300, "gaussian"),
        "distance",
        "0.01",
    ),
    GivenEntry("given-digits-10-relu", ten_digits, RELU, mirrored(50_000), "tube"),
]

LARGER = [
    GivenEntry("given-wine-50-erf-wide", prepared("wine", 50), ERF, mirrored(1_000_000), "distance"),
    GivenEntry("given-breast_cancer-50-erf", prepared("breast_cancer", 50), ERF, mirrored(300_000), "distance"),
    GivenEntry(
        "given-digits-50-tanh", prepared("digits", 50), Network("tanh", 1, "hidden"), mirrored(100_000), "distance"
    ),
    GivenEntry("given-digits-50-erf-descent", prepared("digits", 50), ERF, mirrored(300_000), "distance", "0.01"),
]


def main() -> None:
    """Make the certificates whose names match, with a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pattern", nargs="?", default="*", help="shell pattern of names, e.g. 'given-wine*'")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="the folder to write to")
    parser.add_argument("--larger", action="store_true", help="make those that are not kept in that folder")
    given = parser.parse_args()
    if given.larger and given.output == FOLDER:
        parser.error("--larger needs --output")
    for entry in LARGER if given.larger else ENTRIES:
        if not fnmatch(entry.name, given.pattern):
            continue
        started = time.perf_counter()
        for old in given.output.glob(f"{entry.name}.*"):
            old.unlink()
        files = write(entry.build(), given.output / (entry.name + SUFFIX))
        size = sum(file.stat().st_size for file in files)
        print(f"{entry.name:36}{size:>10} bytes{time.perf_counter() - started:>9.2f} s", flush=True)


if __name__ == "__main__":
    main()

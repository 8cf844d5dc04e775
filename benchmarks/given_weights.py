"""Certificates about given weights: speed, larger examples and the least widths.

``python benchmarks/given_weights.py speed|larger|widths``; tables in Markdown on stdout.

``speed``: σ_min of the Jacobian of a two-layer network (breast cancer, n = 150, d = 30, erf, hidden weights), proved
and checked, against the same Gram matrix and ``eigvalsh`` in float64, each in its own process with one BLAS thread.
``larger``: the examples of ``certificates/given.py`` that are too large to be kept.  ``widths``: the least width from
which one seeded start is proved to converge, by form, to 3 %.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib.util
import json
import math
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ntkproof.certificate import write
from ntkproof.checker import check
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.datasets import load, prepare
from ntkproof.prover.draft import Draft
from ntkproof.theorems.instance import certify_instance, certify_quantities

ROWS = 150
BLOCK = 2**13
NARROWEST, WIDEST = 2**6, 2**21
PARTS = {  # functions of the checker that a table names
    "activation": ("tables.py", "evaluate"),
    "activation tables": ("tables.py", "_table_at"),
    "products": ("fixed.py", "product"),
    "Gram": ("slices.py", "add_product"),
    "digits": ("slices.py", "balanced"),
}


def silent(done: int, total: int) -> None:
    """Report no progress."""


def examples() -> ModuleType:
    """Return ``certificates/given.py``."""
    path = Path(__file__).parents[1] / "certificates" / "given.py"
    spec = importlib.util.spec_from_file_location("given", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = sys.modules["given"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data() -> Dataset:
    """Return 150 rows of the breast cancer data."""
    options = {"standardize": True, "normalize": True, "standardize_targets": True}
    return prepare(load("breast_cancer"), rows=ROWS, **options)


def weights(width: int, d: int) -> Weights:
    """Return standard normal hidden weights, full float64 numbers, and signs."""
    rng = np.random.default_rng(0)
    return Weights((rng.standard_normal((width, d)), rng.choice([-1.0, 1.0], (1, width))))


def peak() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def in_float64(width: int) -> dict[str, Any]:
    """Time the Gram matrix of the Jacobian and its eigenvalues in float64."""
    dataset = data()
    hidden, x = weights(width, dataset.d).layers[0], dataset.inputs
    started = time.process_time(), time.perf_counter()
    gram = np.zeros((ROWS, ROWS))
    for first in range(0, width, BLOCK):
        z = x @ hidden[first : first + BLOCK].T
        slopes = 2 / math.sqrt(math.pi) * np.exp(-z * z)
        gram += slopes @ slopes.T
    least = np.linalg.eigvalsh(gram * (x @ x.T) / width)[0]
    seconds = time.process_time() - started[0], time.perf_counter() - started[1]
    return {"seconds": seconds, "sigma": math.sqrt(least), "peak": peak()}


def certified(width: int) -> dict[str, Any]:
    """Time the proof of all quantities, the check of σ_min alone, and that of everything."""
    dataset, network = data(), Network("erf", 1, "hidden")
    started = time.process_time()
    certificate = certify_quantities(dataset, network, weights(width, dataset.d))
    prove = time.process_time() - started
    setting = Setting(certificate.problem, arithmetic("fast"), silent)
    replay, profile = Draft(setting), cProfile.Profile()
    started = time.process_time(), time.perf_counter()
    profile.enable()
    for step in certificate.steps:
        if step.id in ("kernel", "sigma"):
            replay.derive(step.id, step.rule, step.uses, step.args, step.witness)
    profile.disable()
    seconds = time.process_time() - started[0], time.perf_counter() - started[1]
    sigma = next(step.claim["value"] for step in certificate.steps if step.id == "sigma")
    shares = {name: share(profile, *where) / seconds[1] for name, where in PARTS.items()}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"weights{SUFFIX}"
        write(certificate, path)
        before = time.process_time()
        if not check(path).valid:
            raise RuntimeError("the certificate is not valid")
        whole = time.process_time() - before
    found = {"seconds": seconds, "prove": prove, "check": whole, "sigma": math.sqrt(float(sigma)), "peak": peak()}
    return {**found, "shares": shares}


def share(profile: cProfile.Profile, file: str, function: str) -> float:
    """Return the seconds in a function and those it calls."""
    entries = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    return float(sum(entry[3] for (path, _, name), entry in entries if path.endswith(file) and name == function))


def apart(task: str, width: int) -> dict[str, Any]:
    """Run a task in a process of its own, with one BLAS thread."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, task, str(width)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def speed(widths: list[int]) -> None:
    """Print the table of speed."""
    columns = ("m", "σ_min float64", "σ_min proved", "float64, s", "check σ_min, s", "ratio")
    columns += ("prove all, s", "check all, s", "peak, MiB")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    shares = {}
    for width in widths:
        plain, proof = apart("float64", width), apart("certified", width)
        (cpu, wall), (cpu2, wall2) = plain["seconds"], proof["seconds"]
        print(
            f"| {width} | {plain['sigma']:.9f} | {proof['sigma']:.9f} | {cpu:.2f} / {wall:.2f} "
            f"| {cpu2:.2f} / {wall2:.2f} | {cpu2 / cpu:.1f} / {wall2 / wall:.1f} "
            f"| {proof['prove']:.1f} | {proof['check']:.1f} | {plain['peak']:.0f}, {proof['peak']:.0f} |",
            flush=True,
        )
        shares[width] = proof["shares"]
    print()
    for width, parts in shares.items():
        print(f"Of the check of σ_min at m = {width}: " + ", ".join(f"{k} {v:.0%}" for k, v in parts.items()) + ".")


def larger() -> None:
    """Print what is proved of the larger examples."""
    print("| example | m | rate | radius | MB | prove, s | check, s |")
    print("|---|---|---|---|---|---|---|")
    for entry in examples().LARGER:
        with tempfile.TemporaryDirectory() as place:
            path, started = Path(place) / (entry.name + SUFFIX), time.process_time()
            certificate = entry.build()
            prove = time.process_time() - started
            size = sum(file.stat().st_size for file in write(certificate, path)) / 1e6
            started = time.process_time()
            verdict = check(path)
            seconds = time.process_time() - started
        claim = certificate.conclusion
        rate, radius = float(claim["rate"]), float(claim["radius"])
        valid = "" if verdict.valid else " (INVALID)"
        print(
            f"| {entry.name}{valid} | {claim['width']} | {rate:.4g} | {radius:.4g} | {size:.1f} "
            f"| {prove:.1f} | {seconds:.1f} |",
            flush=True,
        )


def widths() -> None:
    """Print the least widths by form."""
    given = examples()
    print("| data | n | activation | Kantorovich | distance |")
    print("|---|---|---|---|---|")
    for name in ("wine", "digits", "breast_cancer"):
        for rows in (10, 20, 50):
            for activation in ("erf", "tanh"):
                dataset, network = given.prepared(name, rows)(), Network(activation, 1, "hidden")
                distance = least_width(given, dataset, network, "distance", NARROWEST)
                kantorovich = least_width(given, dataset, network, "kantorovich", distance or NARROWEST)
                cells = (f"> {WIDEST:.0e}" if w is None else f"{w:.3g}" for w in (kantorovich, distance))
                print(f"| {name} | {rows} | {activation} | {' | '.join(cells)} |", flush=True)


def least_width(given: ModuleType, dataset: Dataset, network: Network, form: str, low: int) -> int | None:
    """Return a width from which a seeded mirrored start is certified, while one 3 % below it is not."""

    def proved(width: int) -> bool:
        try:
            certify_instance(dataset, network, given.mirrored(width)(dataset, network), form=form)
        except InputError:
            return False
        return True

    high = low
    while not proved(high):
        if high >= WIDEST:
            return None
        low, high = high, min(2 * high, WIDEST)
    while high > 1.03 * low:
        middle = round(math.sqrt(low * high) / 2) * 2
        low, high = (low, middle) if proved(middle) else (middle, high)
    return high


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "larger", "widths", "float64", "certified"))
    parser.add_argument("width", type=int, nargs="*", default=[10**5, 10**6])
    given = parser.parse_args()
    if given.what in ("float64", "certified"):
        print(json.dumps({"float64": in_float64, "certified": certified}[given.what](given.width[0])))
    elif given.what == "speed":
        speed(given.width)
    else:
        {"larger": larger, "widths": widths}[given.what]()


if __name__ == "__main__":
    main()

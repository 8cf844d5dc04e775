"""Time certificates against plain float64, as a markdown table.

Run ``python benchmarks/certify_speed.py [n ...]`` (default 178 569 1797: wine, breast cancer, digits, standardized
and normalized).  The yardstick of the same run is the kernel in float64, unproved, and all its eigenvalues by
``np.linalg.eigvalsh``; the ratio is (certify + check) / yardstick.  Memory is the peak of a process of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ntkproof.checker.check import check
from ntkproof.datasets import load, prepare
from ntkproof.problem import Dataset, Network
from ntkproof.prover.certify import certify

NAMES = {178: "wine", 569: "breast_cancer", 1797: "digits"}
NETWORKS = [Network("relu"), Network("erf"), Network("relu", depth=3)]


def float_kernel(x: np.ndarray, network: Network) -> np.ndarray:
    """Return the NTK in float64, all layers trained, no bias, weight scale 1."""
    c = x @ x.T
    tangent, q = c, np.diag(c).copy()
    for _ in range(network.depth):
        if network.activation == "relu":
            root = np.sqrt(np.outer(q, q))
            angle = np.arccos(np.clip(c / root, -1, 1))
            derivative = (np.pi - angle) / (2 * np.pi)
            c = root * np.sin(angle) / (2 * np.pi) + derivative * c
            q = q / 2
        else:
            product = np.outer(1 + 2 * q, 1 + 2 * q)
            derivative = 4 / np.pi / np.sqrt(product - 4 * c * c)
            c = 2 / np.pi * np.arcsin(2 * c / np.sqrt(product))
            q = np.diag(c).copy()
        tangent = c + tangent * derivative
    return tangent


def best(action: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the shortest of some times in seconds, and the last result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - start)
    return min(times), result


def measure(dataset: Dataset, network: Network) -> list[str]:
    """Return one row of the table."""
    repeats = 3
    plain, value = best(lambda: np.linalg.eigvalsh(float_kernel(dataset.inputs, network))[0], repeats)
    proving, certificate = best(lambda: certify(dataset, network), repeats)
    checking, verdict = best(lambda: check(certificate), repeats)
    low, high = (Fraction(certificate.conclusion[side]) for side in ("lower", "upper"))
    if not verdict.valid or abs(value - float(low)) > 1e-5 * float(high):
        raise RuntimeError(f"{verdict.reason}: {value}, {certificate.conclusion}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return [
        f"{dataset.n}",
        f"{network.activation}, depth {network.depth}",
        f"{plain:.3f}",
        f"{proving:.3f}",
        f"{checking:.3f}",
        f"{(proving + checking) / plain:.1f}",
        f"{float((high - low) / high):.1e}",
        f"{peak:.0f}",
    ]


def row(n: int, network: Network, pipe: Any) -> None:
    """Measure in a process of its own and send the row."""
    data = prepare(load(NAMES[n]), drop_constant=True, standardize=True, normalize=True)
    pipe.send(measure(data, network))


def main() -> None:
    """Print the machine and the table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{platform.platform()}, {platform.machine()}, {cores} cores, Python {platform.python_version()}, ", end="")
    print(f"NumPy {np.__version__}; seconds, best of 3\n")
    heads = ["n", "network", "float64 kernel + eigvalsh", "certify", "check fast", "ratio", "gap", "peak MiB"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    context = multiprocessing.get_context("spawn")
    for n in [int(x) for x in sys.argv[1:]] or sorted(NAMES):
        for network in NETWORKS:
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=row, args=(n, network, sender))
            process.start()
            process.join()
            print("| " + " | ".join(receiver.recv()) + " |", flush=True)


if __name__ == "__main__":
    main()

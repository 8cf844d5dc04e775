"""Time certificates of λ_min against plain float64 and against what exists, as markdown tables.

Run ``python benchmarks/certify_speed.py [--quick] [--all]``; ``benchmarks/results.md`` is what it printed.  The
yardstick of the same run is the kernel in float64, unproved, and all its eigenvalues by ``np.linalg.eigvalsh``; a ratio
is (certify + check) / yardstick.  Every row is measured in a process of its own with the named number of BLAS threads.
``--quick`` leaves out n = 5000, ``--all`` checks with the reference above n = 569 too.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import numpy as np
from flint import arb
from mpmath import iv

from ntkproof.certificate import write
from ntkproof.checker.arithmetic.fast import Fast
from ntkproof.checker.check import check
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.data.datasets import load, prepare
from ntkproof.prover import factor
from ntkproof.prover.certify import certify

NAMES = {178: "wine", 569: "breast_cancer", 1797: "digits"}
NETWORKS = [Network("relu", train="hidden"), Network("erf", train="hidden"), Network("relu", depth=3)]
PARTS = {
    "enclosure": (Fast, ("enclose_kernel",)),
    "factor": (factor, ("smallest_eigenpair", "cholesky_floats", "cholesky_integers", "smallest_vector")),
    "residual": (Fast, ("residual_norm",)),
}


def rows(n: int) -> Dataset:
    """Return the set of that size, standardized and normalized; for 5000 random numbers of 30 columns."""
    if n in NAMES:
        data = prepare(load(NAMES[n]), drop_constant=True, standardize=True, normalize=True)
        return Dataset(data.inputs)
    return Dataset(np.random.default_rng(0).standard_normal((n, 30)))


def planted(n: int, eps: float) -> Dataset:
    """Return random unit rows, one of them given twice, ``eps`` apart."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, 20))
    x /= np.linalg.norm(x, axis=1)[:, None]
    x[-1] = x[0] + eps * rng.standard_normal(20)
    return Dataset(x)


def float_kernel(x: np.ndarray, network: Network) -> np.ndarray:
    """Return the NTK in float64, no bias, weight scale 1."""
    c = x @ x.T
    tangent, q = c, np.diag(c).copy()
    for _ in range(network.depth):
        if network.activation == "relu":
            root = np.sqrt(np.outer(q, q))
            angle = np.arccos(np.clip(c / root, -1, 1))
            derivative = (np.pi - angle) / (2 * np.pi)
            if network.train == "hidden":
                return c * derivative
            c = root * np.sin(angle) / (2 * np.pi) + derivative * c
            q = q / 2
        else:
            product = np.outer(1 + 2 * q, 1 + 2 * q)
            derivative = 4 / np.pi / np.sqrt(product - 4 * c * c)
            if network.train == "hidden":
                return c * derivative
            c = 2 / np.pi * np.arcsin(2 * c / np.sqrt(product))
            q = np.diag(c).copy()
        tangent = c + tangent * derivative
    return tangent


# Timing -------------------------------------------------------------------------------------------------------------


def best(action: Callable[[], Any], repeats: int) -> tuple[np.ndarray, Any]:
    """Return the least CPU and the least wall-clock seconds of some runs, and the last result."""
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        result = action()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return np.array(times).min(axis=0), result


@contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Add up the CPU seconds of the parts."""
    spent, originals = dict.fromkeys(PARTS, 0.0), []
    for part, (owner, names) in PARTS.items():
        for name in names:
            original = getattr(owner, name)
            originals.append((owner, name, original))

            def timed(*args: Any, run: Callable[..., Any] = original, part: str = part) -> Any:
                start = time.process_time()
                try:
                    return run(*args)
                finally:
                    spent[part] += time.process_time() - start

            setattr(owner, name, timed)
    try:
        yield spent
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def gap(certificate: Certificate) -> float:
    low, high = (Fraction(certificate.conclusion[side]) for side in ("lower", "upper"))
    return float((high - low) / high)


def size(certificate: Certificate) -> int:
    """Return the bytes of all files of a certificate."""
    with tempfile.TemporaryDirectory() as folder:
        return sum(path.stat().st_size for path in write(certificate, Path(folder) / "it.cert.json"))


def measure(n: int, network: Network, reference: bool) -> list[str]:
    """Return one row of the table."""
    dataset, repeats = rows(n), 1 if n > 2000 else 5
    proving, certificate = best(lambda: certify(dataset, network), repeats)
    checking, verdict = best(lambda: check(certificate), repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    plain, value = best(lambda: np.linalg.eigvalsh(float_kernel(dataset.inputs, network))[0], repeats)
    if not verdict.valid or abs(value - float(certificate.conclusion["lower"])) > 1e-5 * abs(value):
        raise RuntimeError(f"{verdict.reason}: {value}, {certificate.conclusion}")
    with stopwatch() as spent:
        start = time.process_time()
        check(certify(dataset, network))
        total = time.process_time() - start
    slow = f"{best(lambda: check(certificate, engine='reference'), 1)[0][0]:.1f}" if reference else "–"
    ratios = (proving + checking) / plain
    return [
        f"{n}",
        f"{network.activation}, depth {network.depth}, {network.train}",
        *(f"{seconds[0]:.3g} / {seconds[1]:.3g}" for seconds in (plain, proving, checking)),
        f"{ratios[0]:.1f} / {ratios[1]:.1f}",
        slow,
        " / ".join(f"{100 * part / total:.0f}" for part in spent.values()),
        f"{gap(certificate):.1e}",
        f"{size(certificate) / 1e6:.2f}",
        f"{peak:.0f}",
    ]


def measure_planted(n: int, activation: str, eps: float) -> list[str]:
    """Return one row of the table of near-singular kernels."""
    dataset, network = planted(n, eps), Network(activation, train="hidden")
    proving, certificate = best(lambda: certify(dataset, network), 1)
    checking, verdict = best(lambda: check(certificate), 1)
    if not verdict.valid:
        raise RuntimeError(verdict.reason)
    lowest = float(certificate.conclusion["upper"]) / np.linalg.norm(float_kernel(dataset.inputs, network), 2)
    times = [f"{seconds[0]:.1f}" for seconds in (proving, checking)]
    return [f"{n}", f"{activation}, {eps:g}", f"{lowest:.1e}", *times, f"{gap(certificate):.1e}"]


# What exists --------------------------------------------------------------------------------------------------------


def arb_kernel(inputs: np.ndarray) -> list[list[arb]]:
    """Return the two-layer ReLU kernel, hidden layer trained."""
    x = flint.arb_mat([[arb(float(value)) for value in row] for row in inputs])
    g, n = x * x.transpose(), len(inputs)
    roots = [g[i, i].sqrt() for i in range(n)]

    def entry(i: int, j: int) -> arb:
        if i == j:
            return g[i, i] / 2
        return g[i, j] * (1 - (g[i, j] / (roots[i] * roots[j])).acos() / arb.pi()) / 2

    lower = [[entry(i, j) for j in range(i + 1)] for i in range(n)]
    return [[lower[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)]


def pivots(a: list[list[Any]]) -> list[Any]:
    """Return the pivots of ``LDLᵀ``: interval arithmetic all the way."""
    a, found = [row[: i + 1] for i, row in enumerate(a)], []
    for k in range(len(a)):
        found.append(a[k][k])
        for i in range(k + 1, len(a)):
            ratio = a[i][k] / a[k][k]
            for j in range(k + 1, i + 1):
                a[i][j] = a[i][j] - ratio * a[j][k]
    return found


def eigenvalues(kernel: list[list[arb]]) -> list[Any]:
    """Return Arb's enclosures of all eigenvalues."""
    return [value.real for value in flint.acb_mat(flint.arb_mat(kernel)).eig()]


def as_iv(x: arb) -> Any:
    middle, radius = (int(part) for part in x.mid().man_exp()), x.rad().man_exp()
    (m, e), (r, f) = tuple(middle), (int(part) for part in radius)
    return iv.ldexp(iv.mpf(m), e) + iv.ldexp(iv.mpf([-r, r]), f)


def compare(n: int) -> list[str]:
    """Return one row: ``λ_min ≥ 0.999 λ`` by interval ``LDLᵀ``, and Arb's certified eigenvalues, against this."""
    dataset, network = Dataset(rows(1797).inputs[:n]), NETWORKS[0]
    bound = 0.999 * float(np.linalg.eigvalsh(float_kernel(dataset.inputs, network))[0])
    iv.prec = 128
    with flint.ctx.workprec(128):
        entries, kernel = best(lambda: arb_kernel(dataset.inputs), 3)
        shifted = [[x - bound if i == j else x for j, x in enumerate(row)] for i, row in enumerate(kernel)]
        naive, found = best(lambda: pivots(shifted), 3)
        if not all(x > 0 for x in found):
            raise RuntimeError("a pivot is not positive")
        others = [entries + naive]
        for action in (lambda: pivots([[as_iv(x) for x in row] for row in shifted]), lambda: eigenvalues(kernel)):
            others.append(entries + best(action, 1)[0] if n <= 100 else np.array([np.nan]))
    proving, certificate = best(lambda: certify(dataset, network), 3)
    checking, _ = best(lambda: check(certificate), 3)
    judging, _ = best(lambda: check(certificate, engine="reference"), 3)
    return [f"{n}", *(f"{seconds[0]:.3f}".replace("nan", "–") for seconds in (proving, checking, judging, *others))]


# Tables -------------------------------------------------------------------------------------------------------------


def child(action: Callable[..., list[str]], arguments: tuple[Any, ...], pipe: Any) -> None:
    pipe.send(action(*arguments))


def table(heads: list[str], action: Callable[..., list[str]], jobs: list[tuple[Any, ...]], threads: int) -> None:
    """Print a table; a row is the result of a process of its own."""
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    context = multiprocessing.get_context("spawn")
    for arguments in jobs:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=child, args=(action, arguments, sender))
        process.start()
        sender.close()
        print("| " + " | ".join(receiver.recv()) + " |", flush=True)
        process.join()
    print()


def machine() -> str:
    """Return what was measured on."""
    about = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = re.findall(r"model name\s*: (.*)", about)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.platform()}, {names[0] if names else platform.machine()}, {cores} cores, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, {blas['name']} {blas['version']}"
    )


def load_average() -> str:
    return " ".join(f"{x:.1f}" for x in os.getloadavg())


def main(options: list[str]) -> None:
    """Print the machine and the tables."""
    sizes = sorted(NAMES) + ([] if "--quick" in options else [5000])
    command = " ".join(["python benchmarks/certify_speed.py", *options])
    print(f"# Speed of λ_min\n\nPrinted by `{command}`.\n\n{machine()}.")
    print(f"Load average at the start: {load_average()} (this program makes 1 of it with one thread).\n")
    heads = ["n", "network", "float64 kernel + eigvalsh", "certify", "check fast", "ratio", "check reference"]
    heads += ["enclosure / factor / residual, %", "gap", "certificate, MB", "peak, MiB"]
    for threads in (1, 2):
        print(
            f"## {threads} BLAS thread{'s' * (threads > 1)}\n\nSeconds and ratios are CPU / wall, the best of 5 ",
            end="",
        )
        print("(n = 5000: one run); reference: CPU, one run.\n")
        largest = 0 if threads > 1 else 10**9 if "--all" in options else 569
        jobs = [(n, network, n <= largest) for n in sizes if threads == 1 or n < 5000 for network in NETWORKS]
        table(heads, measure, jobs, threads)
    print("## Near-singular kernels\n\nTwo of n unit rows are ε apart; CPU seconds.\n")
    heads = ["n", "activation, ε", "λ_min / λ_max", "certify", "check fast", "gap"]
    jobs = [(n, *case) for n in (100, 500) for case in (("erf", 1e-6), ("erf", 1e-12), ("relu", 1e-13))]
    table(heads, measure_planted, jobs, 1)
    print("## What exists\n\nThe first n rows of digits, ReLU, depth 1, hidden; CPU seconds. Intervals of 128 bits;")
    print("`LDLᵀ` proves only that λ_min is above 0.999 of its value; the entries are Arb's each time; –: not tried.\n")
    heads = ["n", "certify", "check fast", "check reference", "Arb LDLᵀ", "mpmath LDLᵀ", "Arb eigenvalues"]
    table(heads, compare, [(50,), (100,), (200,), (400,)], 1)
    print(f"Load average at the end: {load_average()}.")


if __name__ == "__main__":
    main(sys.argv[1:])

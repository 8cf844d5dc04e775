"""The empirical NTK against ``neural_tangents.empirical_ntk_fn`` in all its implementations, in one run.

Both compute ``H = J Jᵀ`` over all weights of the same network, weights and inputs in float64 on the CPU, and must
agree to 1e-10 of the norm.  Ours runs as it does in the tool; theirs is compiled by ``jax.jit`` before the clock
starts, is told that samples are independent (``vmap_axes=0``, their advice) and is waited for.  One core and one
thread for both; what counts is CPU time, so other work on the machine disturbs little.

Needs ``pip install neural-tangents 'jax==0.4.30' 'jaxlib==0.4.30' 'tf2jax==0.3.6'``: neural-tangents 0.6.5 does not
import with the jax that it installs.  Run: ``python benchmarks/empirical_ntk.py >> benchmarks/results.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

ROUNDS = 15
CASES = (  # activation, depth, width, rows, columns
    ("relu", 1, 1024, 50, 13),
    ("relu", 1, 16384, 50, 13),
    ("relu", 1, 4096, 178, 13),
    ("erf", 1, 4096, 178, 13),
    ("relu", 1, 1024, 500, 64),
    ("relu", 3, 512, 50, 13),
    ("relu", 3, 2048, 50, 13),
    ("relu", 3, 512, 500, 64),
    ("erf", 3, 512, 178, 13),
    ("relu", 8, 512, 100, 64),
)


def bind_to_one_core() -> None:
    """Keep this process to one core, and BLAS and XLA to one thread; before either is imported."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"


def best(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the least CPU seconds of each function, called in turn so that all see the same machine.

    What takes thirty times as long as the fastest is called twice only.
    """
    times = dict.fromkeys(functions, float("inf"))
    for k in range(rounds):
        for name, function in functions.items():
            if k < 2 or times[name] < 30 * min(times.values()):
                started = time.process_time()
                function()
                times[name] = min(times[name], time.process_time() - started)
    return times


def theirs(weights: Any, X: Any, activation: str, depth: int) -> dict[str, Callable[[], Any]]:
    """Return the compiled implementations of neural-tangents as functions of nothing."""
    import jax
    import neural_tangents as nt
    from jax._src import source_info_util
    from jax.interpreters import ad
    from neural_tangents import stax

    ad.source_info_util, ad.config = source_info_util, jax.config  # where structured derivatives look for them
    jax.config.update("jax_enable_x64", True)
    nonlinearity = {"relu": stax.Relu, "erf": stax.Erf}[activation]
    width = weights.layers[0].shape[0]
    layers = [layer for _ in range(depth) for layer in (stax.Dense(width, b_std=None), nonlinearity())]
    _, apply, _ = stax.serial(*layers, stax.Dense(1, b_std=None))
    parameters: list[Any] = []
    for k, layer in enumerate(weights.layers):
        parameters.append((jax.numpy.asarray(layer.T), None))
        if k < depth:
            parameters.append(())
    inputs = jax.numpy.asarray(X)

    def compiled(implementation: Any) -> Callable[[], Any]:
        kernel = jax.jit(nt.empirical_ntk_fn(apply, trace_axes=(-1,), vmap_axes=0, implementation=implementation))
        return lambda: kernel(inputs, None, parameters).block_until_ready()

    return {name: compiled(getattr(nt.NtkImplementation, name)) for name in IMPLEMENTATIONS}


IMPLEMENTATIONS = ("JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS", "STRUCTURED_DERIVATIVES", "AUTO")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    bind_to_one_core()

    import jax
    import neural_tangents as nt
    import numpy as np

    from ntkproof.checker.problem.network import Network
    from ntkproof.simulation.initialization import initialise
    from ntkproof.simulation.networks import empirical_ntk

    print("\n# Empirical NTK\n")
    print("Printed by `python benchmarks/empirical_ntk.py`: milliseconds of CPU, one thread, the best of")
    print(f"{options.rounds} rounds (two of what is thirty times slower); ratio: the best of neural-tangents over")
    print(f"ours.  NumPy {np.__version__}, jax {jax.__version__}, neural-tangents {nt.__version__},", end=" ")
    print(f"Python {platform.python_version()};", end=" ")
    print("load average " + " ".join(f"{x:.1f}" for x in os.getloadavg()) + ".\n")
    print("| network | n x d | ours | jacobian | vector products | structured | auto | ratio | agree to |")
    print("|---|---|---|---|---|---|---|---|---|")
    for activation, depth, width, n, d in CASES:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, d))
        network = Network(activation, depth, input_scale="fan-in")
        weights = initialise(network, d, width, "gaussian", rng)
        functions: dict[str, Callable[[], Any]] = {"ours": lambda: empirical_ntk(network, weights, X)}  # noqa: B023
        compiled = theirs(weights, X, activation, depth)
        reference = functions["ours"]()
        with redirect_stdout(sys.stderr):  # one implementation prints while it compiles
            error = max(float(np.abs(np.asarray(f()) - reference).max()) for f in compiled.values())
        error /= float(np.abs(reference).max())
        if not error < 1e-10:
            sys.exit(f"the kernels differ by {error:g}")
        times = best(functions | compiled, options.rounds)
        shown = " | ".join(f"{1000 * seconds:.3g}" for seconds in times.values())
        ratio = min(times[name] for name in IMPLEMENTATIONS) / times["ours"]
        name = f"{activation}, {depth} x {width}"
        print(f"| {name} | {n} x {d} | {shown} | **{ratio:.2f}** | {error:.0e} |", flush=True)


if __name__ == "__main__":
    main()

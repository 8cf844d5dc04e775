"""Time the exact products: residual norms at a 44-bit witness and a 60-bit matrix, both implementations.

Run ``python benchmarks/exact_products.py [n ...]`` (default 178 569 1797).  Yardsticks of the same run: the
inexact float64 product ``a @ a.T`` and FLINT's exact ``fmpz_mat`` product W W^T.  The last columns say how
often slower `residual_norm` is than the float64 product, and whether all exact results agree.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import fmpz_mat

from ntkproof.checker.arithmetic import exact, slices

SHIFT, SIGN, E, F = 12345678901234567, 1, 28, 0


def timed(action: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Return the best wall-clock time of `repeats` runs in seconds, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = action()
        best = min(best, time.perf_counter() - start)
    return best, result


def flint_norm(product: fmpz_mat, entries: np.ndarray) -> int:
    """Return the norm from FLINT's product, by Python integers."""
    rows = zip(product.tolist(), entries.tolist(), strict=True)
    return max(
        sum(
            abs((SIGN * (a - SHIFT * (i == j)) << E) - (int(g) << F)) for j, (g, a) in enumerate(zip(*row, strict=True))
        )
        for i, row in enumerate(rows)
    )


def measure(n: int) -> list[str]:
    """Return one row of the table."""
    rng = np.random.default_rng(n)
    lower = np.tri(n, dtype=bool)
    entries = rng.integers(-(1 << 59), 1 << 59, (n, n))
    entries = np.tril(entries) + np.tril(entries, -1).T
    witness = np.tril(rng.integers(-(1 << 43), 1 << 43, (n, n)))
    data = witness[lower].astype("<i8").view(np.uint8).reshape(-1, 8)[:, :6].tobytes()
    packed = entries[lower].tolist()

    a = witness.astype(np.float64)
    times = [timed(lambda: a @ a.T, 3)[0]]
    left = fmpz_mat(witness.tolist())
    seconds, product = timed(lambda: left * left.transpose())
    times.append(seconds)
    norms = {flint_norm(product, entries)}
    for implementation, repeats in ((slices, 3), (exact, 1)):
        seconds, matrix = timed(lambda m=implementation: m.Symmetric.from_lower(n, packed))
        times.append(seconds)
        seconds, triangle = timed(lambda m=implementation: m.Triangular.from_bytes(n, 6, data))
        times.append(seconds)
        seconds, norm = timed(
            lambda m=implementation, s=matrix, t=triangle: m.residual_norm(s, SHIFT, SIGN, E, t, F), repeats
        )
        times.append(seconds)
        norms.add(norm)
    agree = "yes" if len(norms) == 1 else "NO"
    return [str(n), *(f"{1000 * t:.1f}" for t in times), f"{times[4] / times[0]:.1f}", agree]


def main() -> None:
    """Print the table, times in milliseconds."""
    header = ["n", "a @ a.T", "fmpz_mat"]
    header += [f"{name} {part}" for name in ("fast", "ref") for part in ("matrix", "witness", "norm")]
    print("  ".join(f"{name:>12}" for name in [*header, "norm/float", "agree"]))
    for n in [int(x) for x in sys.argv[1:]] or [178, 569, 1797]:
        print("  ".join(f"{cell:>12}" for cell in measure(n)), flush=True)


if __name__ == "__main__":
    main()

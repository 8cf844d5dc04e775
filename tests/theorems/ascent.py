"""Searches for parameters that break a bound."""

from __future__ import annotations

from typing import Any

import numpy as np


def ascend(ratio: Any, z: Any, steps: int = 50) -> float:
    """Climb from many points at once and return the largest ratio seen."""
    step, best = np.full((len(z), 1), 0.1), ratio(z)
    for _ in range(steps):
        slopes = np.stack([(ratio(z + 1e-6 * e) - best) / 1e-6 for e in np.eye(z.shape[1])], -1)
        trial = z + step * slopes / (np.linalg.norm(slopes, axis=1, keepdims=True) + 1e-300)
        value = ratio(trial)
        up = value > best
        z, best = np.where(up[:, None], trial, z), np.where(up, value, best)
        step = np.where(up[:, None], step * 1.3, step / 2)
    return float(np.nanmax(best))

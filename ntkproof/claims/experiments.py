"""Simulations with recorded seeds for claims about random networks; every verdict has a confidence of 99.9 %."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.claims.claim import Evidence

Array = NDArray[np.float64]
Z = 3.29  # two-sided 99.9 % of a normal distribution


def kernel_movement_exponent(formula: Any) -> Evidence:
    """stub"""
    return Evidence(None, "")

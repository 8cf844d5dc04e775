"""The bounds read in floats: what the search minimises and ``conditions`` shows.  Untrusted."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any


class Floats:
    """The number context of Python floats; see `ntkproof.checker.scalars.Scalars`."""

    pi = math.pi

    def rational(self, value: Fraction | int) -> float:
        """Return the nearest float."""
        return float(value)

    def nonnegative(self, x: float) -> float:
        """Return x, or 0 if rounding made it negative."""
        return max(x, 0.0)

    def sqrt(self, x: float) -> float:
        """Return √x, NaN below 0."""
        return math.sqrt(x) if x >= 0 else math.nan

    def angle(self, x: float, y: float) -> float:
        """Return the argument of x + iy."""
        return math.atan2(y, x)

    def exp(self, x: float) -> float:
        """Return eˣ, infinity beyond the range of floats."""
        return math.exp(x) if x < 700 else math.inf

    def log(self, x: float) -> float:
        """Return the natural logarithm, NaN below 0."""
        return math.log(x) if x > 0 else math.nan


FLOATS: Any = Floats()

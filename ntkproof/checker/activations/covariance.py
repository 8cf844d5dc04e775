"""A 2×2 covariance and what the Gaussian expectations of an activation are computed from.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers


@dataclass(frozen=True)
class Covariance:
    """A 2×2 covariance ``[[q, c], [c, r]]`` with ``det = q r − c²`` (≥ 0), given apart because it is known better."""

    numbers: Numbers
    q: Any
    c: Any
    r: Any
    det: Any
    left: Any = None  # what `Activation.prepare` returned for q, and for r
    right: Any = None
    same: bool = False  # one feature with itself

    @cached_property
    def sine(self) -> Any:
        """``√(q r) sin θ``, ``θ`` the angle between the two features."""
        return self.numbers.sqrt(self.det)

    @cached_property
    def angle(self) -> Any:
        """``θ = arccos(c/√(q r))``; arbitrary in ``[0, π]`` when ``q r = 0``, where it only multiplies zero."""
        return self.numbers.angle(self.c, self.sine)

    @cached_property
    def erf_root(self) -> Any:
        """``√((1+2q)(1+2r) − 4c²)``, free of cancellation."""
        return self.numbers.sqrt(1 + 2 * self.q + 2 * self.r + 4 * self.det)

    @cached_property
    def exponentials(self) -> tuple[Any, Any]:
        """``e^{−(q+r)/2 + c}`` and ``e^{−(q+r)/2 − c}``."""
        half = (self.q + self.r) / 2
        return self.numbers.exp(self.c - half), self.numbers.exp(-self.c - half)


class ClosedForm:
    """An activation whose dual functions are closed forms: nothing is prepared."""

    def prepare(self, numbers: Numbers, q: Any) -> None:
        return None

"""ReLU, leaky ReLU, the absolute value (Cho and Saul 2009) and the identity.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.covariance import ClosedForm

if TYPE_CHECKING:
    from ntkproof.checker.activations.covariance import Covariance
    from ntkproof.checker.arithmetic.protocols import Numbers


class LeakyReLU(ClosedForm):
    """``σ(z) = max(z, 0) + slope · min(z, 0)``: ReLU (0), the absolute value (−1) and everything between."""

    homogeneous = True
    linear_plus_even = True
    linear = False

    def __init__(self, slope: Fraction) -> None:
        self._slope = slope
        self.parity = "even" if slope == -1 else "none"

    def dual(self, cov: Covariance) -> Any:
        numbers = cov.numbers
        arc_cosine = (cov.sine + (numbers.pi - cov.angle) * cov.c) / (2 * numbers.pi)
        return self._combine(numbers, cov.c, arc_cosine)

    def dual_derivative(self, cov: Covariance) -> Any:
        numbers = cov.numbers
        both_positive = (numbers.pi - cov.angle) / (2 * numbers.pi)
        return self._combine(numbers, 1, both_positive)

    def mean(self, numbers: Numbers, q: Any) -> Any:
        return numbers.rational(1 - self._slope) * numbers.sqrt(q / (2 * numbers.pi))

    def _combine(self, numbers: Numbers, linear: Any, relu: Any) -> Any:
        if self._slope == 0:
            return relu
        return numbers.rational(self._slope) * linear + numbers.rational((1 - self._slope) ** 2) * relu


class Identity(ClosedForm):
    """``σ(z) = z``."""

    parity = "odd"
    homogeneous = True
    linear_plus_even = True
    linear = True

    def mean(self, numbers: Numbers, q: Any) -> Any:
        return numbers.rational(0)

    def dual(self, cov: Covariance) -> Any:
        return cov.c

    def dual_derivative(self, cov: Covariance) -> Any:
        return cov.numbers.rational(1)


def dual(name: str, slope: Fraction | None) -> LeakyReLU | Identity:
    """Return the activation of a name; ``slope`` is that of ``leaky_relu``."""
    if name == "identity":
        return Identity()
    return LeakyReLU({"relu": Fraction(0), "abs": Fraction(-1)}.get(name, slope or Fraction(0)))

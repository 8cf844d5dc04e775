"""Sine and cosine.

Trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.covariance import ClosedForm

if TYPE_CHECKING:
    from fractions import Fraction

    from ntkproof.checker.activations.covariance import Covariance
    from ntkproof.checker.arithmetic.protocols import Numbers


class Sine(ClosedForm):
    """``σ(z) = sin z``."""

    parity = "odd"
    homogeneous = False
    linear_plus_even = False
    linear = False

    def mean(self, numbers: Numbers, q: Any) -> Any:
        return numbers.rational(0)

    def dual(self, cov: Covariance) -> Any:
        plus, minus = cov.exponentials
        return (plus - minus) / 2

    def dual_derivative(self, cov: Covariance) -> Any:
        plus, minus = cov.exponentials
        return (plus + minus) / 2


class Cosine(Sine):
    """``σ(z) = cos z``; its derivative is ``−sin``, so the two dual functions change places."""

    parity = "even"

    def mean(self, numbers: Numbers, q: Any) -> Any:
        return numbers.exp(-q / 2)

    def dual(self, cov: Covariance) -> Any:
        return super().dual_derivative(cov)

    def dual_derivative(self, cov: Covariance) -> Any:
        return super().dual(cov)


def dual(name: str, slope: Fraction | None) -> Sine:
    """Return the activation of a name."""
    return Sine() if name == "sin" else Cosine()

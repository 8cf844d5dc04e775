"""The error function (Williams 1997).

Trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.covariance import ClosedForm

if TYPE_CHECKING:
    from fractions import Fraction

    from ntkproof.checker.activations.covariance import Covariance
    from ntkproof.checker.arithmetic.protocols import Numbers


class Erf(ClosedForm):
    """``σ(z) = erf(z) = 2/√π ∫₀ᶻ e^{−t²} dt``."""

    parity = "odd"
    homogeneous = False
    linear_plus_even = False
    linear = False

    def mean(self, numbers: Numbers, q: Any) -> Any:
        return numbers.rational(0)

    def dual(self, cov: Covariance) -> Any:
        numbers = cov.numbers
        # (2/π) asin(2c/√((1+2q)(1+2r))), and asin = π/2 − arg: no division, nothing special at ±1
        return 1 - 2 * numbers.angle(2 * cov.c, cov.erf_root) / numbers.pi

    def dual_derivative(self, cov: Covariance) -> Any:
        return 4 / (cov.numbers.pi * cov.erf_root)


def dual(name: str, slope: Fraction | None) -> Erf:
    """Return the activation of a name: there is one."""
    return Erf()

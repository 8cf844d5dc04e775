"""What a kernel needs to know of an activation: for readers and type checkers; nothing here runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ntkproof.checker.activations.covariance import Covariance
    from ntkproof.checker.arithmetic.protocols import Numbers


class Activation(Protocol):
    """What a kernel needs to know of σ, and the symmetries that make Gram matrices singular."""

    parity: str  # "even", "odd" or "none"
    homogeneous: bool  # σ(cz) = cσ(z) for c > 0
    linear_plus_even: bool  # σ(z) = αz + e(z), e even and homogeneous
    linear: bool

    def prepare(self, numbers: Numbers, q: Any) -> Any:
        """Return what is worth computing once for a variance ``q``, for use in a `Covariance`; None if nothing."""

    def dual(self, cov: Covariance) -> Any:
        """``T_σ``."""

    def dual_derivative(self, cov: Covariance) -> Any:
        """``T_σ'``."""

    def mean(self, numbers: Numbers, q: Any) -> Any:
        """``E σ(√q Z)``, Z standard normal."""

"""What is returned: numbers with proved error bounds, at every time asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.format import Certificate

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Enclosed:
    """Numbers with proved error bounds: the true ones differ from ``value`` by at most ``radius``, entrywise.

    Args:
        value: float64, any shape.
        radius: of the same shape, rounded up.
    """

    value: Floats
    radius: Floats

    @property
    def lower(self) -> Floats:
        """Lower bounds, rounded down."""
        return np.nextafter(self.value - self.radius, -inf)

    @property
    def upper(self) -> Floats:
        """Upper bounds, rounded up."""
        return np.nextafter(self.value + self.radius, inf)


@dataclass(frozen=True, eq=False)
class Instant:
    """What the limit predicts after training for a time t.

    Args:
        time: t; ``inf`` for the end of training.
        filter: ``1 − e^{−λ_i t}``, shape (n,): the share of each component that is learnt, eigenvalues ascending.
        residual: ``r_t`` on the training inputs, shape (n,).
        loss: ``½‖r_t‖²``, shape ().
        mean: ``f_t`` at the test inputs, shape (m,); for a random start its expectation, given ``initial`` = 0.
        covariance: of ``f_t`` at the test inputs over random starts, shape (m, m).
    """

    time: float
    filter: Enclosed
    residual: Enclosed
    loss: Enclosed
    mean: Enclosed
    covariance: Enclosed


@dataclass(frozen=True, eq=False)
class Posterior:
    """A Gaussian process conditioned on the training targets: mean (m,) and covariance (m, m) at the test inputs."""

    mean: Enclosed
    covariance: Enclosed


@dataclass(frozen=True, eq=False)
class Limit:
    """The predictions of the limit of infinite width for n training inputs and m test inputs.

    Args:
        certificate: that of ``λ_min(H)``.
        rates: the eigenvalues ``λ_i`` of H, ascending, shape (n,).
        directions: approximate unit eigenvectors as columns, shape (n, n): an estimate, without a proved error.
        components: ``u_i·r_0`` for the true eigenvectors, with the sign of ``directions``, shape (n,); the radius
            is the trivial one where an eigenvalue is not seen to be simple.
        instants: one for each time.
        nngp_posterior: of the Gaussian process with the covariance of ``f_0``; None without test inputs, or if that
            matrix is not proved to be regular.
        ntk_posterior: of the Gaussian process with covariance H; None likewise.
    """

    certificate: Certificate
    rates: Enclosed
    directions: Floats
    components: Enclosed
    instants: tuple[Instant, ...]
    nngp_posterior: Posterior | None
    ntk_posterior: Posterior | None

    @property
    def lambda_min(self) -> tuple[Fraction, Fraction]:
        """The certified bounds on ``λ_min(H)``."""
        claim = self.certificate.conclusion
        return Fraction(str(claim["lower"])), Fraction(str(claim["upper"]))

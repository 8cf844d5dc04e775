"""The analytic NTK and NNGP kernel of a network, entry by entry, over any number context.

Trusted.  The recursion is Jacot et al. 2018, Theorem 1, with weight scale σ_w (Lee et al. 2019, section 2); the
case of depth 1 is the two-layer kernel of Du et al. 2019.  The first layer's covariances are exact rationals:
``Σ¹_ij = P_ij / M`` with integers, so its determinants are exact too and parallel inputs are no special case.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.covariance import Covariance
from ntkproof.checker.activations.dual import activation

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers
    from ntkproof.checker.problem.dataset import Dataset
    from ntkproof.checker.problem.network import Network
    from ntkproof.checker.problem.problem import Problem
    from ntkproof.checker.problem.sphere import Sphere


@dataclass(frozen=True)
class FirstLayer:
    """``Σ¹ = (scale · G + offset) / denominator`` with ``G`` the exact integer Gram matrix of the inputs."""

    scale: int
    offset: int
    denominator: int

    @classmethod
    def of(cls, dataset: Dataset | Sphere, network: Network) -> FirstLayer:
        """Return ``σ_w² s² x·x' + β²`` as integers, the inputs being ``2^exponent`` times integers."""
        factor = network.sigma_w**2 * Fraction(4) ** dataset.exponent
        if network.input_scale == "fan-in":
            factor /= dataset.d
        shift = network.beta**2
        denominator = factor.denominator * shift.denominator
        return cls(factor.numerator * shift.denominator, shift.numerator * factor.denominator, denominator)

    def covariance(self, entry: int) -> int:
        """Return the integer ``P_ij`` for the Gram entry ``G_ij``."""
        return self.scale * entry + self.offset


@dataclass(frozen=True)
class Feature:
    """The variance ``q`` of a pre-activation and what the activation prepared for it."""

    q: Any
    prepared: Any


class Kernel:
    """The kernel of a problem over a number context.

    Args:
        problem: which network and kernel.
        numbers: the number context the formulas are read in.
        terms: of Hermite expansions, see `activation`.
    """

    def __init__(self, problem: Problem, numbers: Numbers, terms: int = 0) -> None:
        self._network, self._kernel, self._numbers = problem.network, problem.kernel, numbers
        self._activation = activation(self._network.activation, terms)
        self._weight = numbers.rational(self._network.sigma_w**2)
        self._bias = numbers.rational(self._network.beta**2)

    def variances(self, q: Any) -> list[Any]:
        """Return ``[q¹, …, q^D]``, the pre-activation variances of one sample, from ``q = q¹``.

        They are numbers for closed forms, and a `Feature` each if the activation prepares something.
        """
        found = [self._feature(q)]
        while len(found) < self._network.depth:
            same = self._covariance(found[-1], _variance(found[-1]), found[-1], self._numbers.rational(0), True)
            found.append(self._feature(self._affine(self._activation.dual(same))))
        return found

    def entry(self, q: list[Any], c: Any, r: list[Any], det: Any, diagonal: bool = False) -> Any:
        """Return the kernel of two samples.

        Args:
            q, r: their `variances`.
            c: ``Σ¹`` of the two.
            det: ``q¹ r¹ − c²``.
            diagonal: True when the two are the same sample (all determinants are then exactly 0).
        """
        numbers, sigma, network = self._numbers, self._activation, self._network
        tangent = c
        for layer in range(network.depth):
            cov = self._covariance(q[layer], c, r[layer], det, diagonal)
            if network.train == "hidden":
                return self._weight * tangent * sigma.dual_derivative(cov)
            if network.train == "output":
                return self._weight * sigma.dual(cov)
            if network.train == "both":
                return self._weight * (tangent * sigma.dual_derivative(cov) + sigma.dual(cov))
            c = self._affine(sigma.dual(cov))
            if self._kernel == "ntk":
                tangent = c + self._weight * tangent * sigma.dual_derivative(cov)
            if layer + 1 < network.depth and not diagonal:
                det = numbers.nonnegative(_variance(q[layer + 1]) * _variance(r[layer + 1]) - c * c)
        return tangent if self._kernel == "ntk" else c

    def _affine(self, dual: Any) -> Any:
        return self._weight * dual + self._bias

    def _feature(self, q: Any) -> Any:
        prepared = self._activation.prepare(self._numbers, q)
        return q if prepared is None else Feature(q, prepared)

    def _covariance(self, left: Any, c: Any, right: Any, det: Any, same: bool) -> Covariance:
        q, left = (left.q, left.prepared) if isinstance(left, Feature) else (left, None)
        r, right = (right.q, right.prepared) if isinstance(right, Feature) else (right, None)
        return Covariance(self._numbers, q, c, r, det, left, right, same)


def _variance(feature: Any) -> Any:
    return feature.q if isinstance(feature, Feature) else feature

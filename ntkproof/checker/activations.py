"""Dual activations in closed form: ``T_σ(q,c,r) = E σ(u)σ(v)`` and ``T_σ'`` for ``(u,v) ~ N(0, [[q,c],[c,r]])``.

Trusted.  Each formula is written once over a number context (`Numbers`): intervals and balls give enclosures,
floats the search, SymPy the formula itself.  Sources and independent derivations: ``docs/proofs/kernels.md``
(Cho and Saul 2009 for ReLU, Williams 1997 for erf).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

from ntkproof.checker.hermite import Smooth
from ntkproof.problem import expression_of, split_activation


class Numbers(Protocol):
    """Arithmetic a formula is read in.  Its values also support ``+ − × ÷`` among themselves and with ``int``."""

    @property
    def pi(self) -> Any:
        """π."""

    def rational(self, value: Fraction | int) -> Any:
        """An exact rational."""

    def sqrt(self, x: Any) -> Any:
        """√x of a number known to be ≥ 0."""

    def nonnegative(self, x: Any) -> Any:
        """x itself, known to be ≥ 0."""

    def angle(self, x: Any, y: Any) -> Any:
        """The argument of ``x + iy`` in ``[0, π]``; ``y`` is known to be ≥ 0; any such angle if both are 0."""

    def exp(self, x: Any) -> Any:
        """eˣ."""


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


class ClosedForm:
    """An activation whose dual functions are closed forms: nothing is prepared."""

    def prepare(self, numbers: Numbers, q: Any) -> None:
        return None


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


def activation(text: str, terms: int = 0) -> Activation:
    """Return the activation named ``text`` in a `Network`.

    Args:
        text: its name.
        terms: of Hermite expansions, how many coefficients after the first; closed forms ignore it.

    Raises:
        InputError: unknown name.
    """
    name, slope = split_activation(text)
    expression = expression_of(name)
    if expression is not None:
        return Smooth(expression, terms)
    if slope is not None:
        return LeakyReLU(slope)
    table: dict[str, Activation] = {
        "relu": LeakyReLU(Fraction(0)),
        "abs": LeakyReLU(Fraction(-1)),
        "identity": Identity(),
        "erf": Erf(),
        "sin": Sine(),
        "cos": Cosine(),
    }
    return table[name]

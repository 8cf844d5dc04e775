"""Mercer eigenvalues of the kernel on the unit sphere, uniformly distributed.  Proofs: ``docs/proofs/sphere.md``.

Trusted.  The kernel is zonal, ``κ(t) = Σ_n a_n tⁿ`` with all ``a_n ≥ 0`` (Schoenberg 1942), so ``|κ| ≤ κ(1)`` in the
complex unit disk.  The eigenvalue of frequency k is ``λ_k = C_d ∫ κ(t) P_k(t) (1−t²)^{(d−3)/2} dt`` (Funk and Hecke;
``P_k`` the Legendre polynomial in dimension d, ``P_k(1) = 1``).  With ``t = tanh u`` the integrand is analytic in the
strip ``|Im u| < π/4``, which maps into that disk, and so the trapezoidal rule errs by an explicit exponentially small
number (Trefethen and Weideman 2014, Theorem 5.1), whatever the singularities of κ at ``t = ±1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from ntkproof.checker.activations.dual import activation
from ntkproof.checker.activations.hermite import MAX_TERMS
from ntkproof.checker.limit.kernels import FirstLayer, Kernel
from ntkproof.checker.logic.claim import LOWER, UPPER, Claim, Rejection, claim_field
from ntkproof.checker.logic.reading import integer, listed, number, word
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ntkproof.checker.arithmetic.protocols import Numbers, Tick
    from ntkproof.checker.problem.problem import Problem

PARITIES = ("even", "odd")


@dataclass(frozen=True)
class Mercer(Claim):
    """``lower_k ≤ λ_k ≤ upper_k``, k = 0 … K, on the unit sphere of ``ℝ^dimension`` with the uniform distribution.

    ``λ_k`` is the eigenvalue of the kernel's integral operator on the spherical harmonics of degree k.
    """

    kind: ClassVar[str] = "mercer"
    concludes: ClassVar[bool] = True
    dimension: int = claim_field(integer)
    lower: tuple[Fraction, ...] = claim_field(listed(number, 1), LOWER)
    upper: tuple[Fraction, ...] = claim_field(listed(number, 1), UPPER)

    def flaw(self) -> str:
        same = len(self.lower) == len(self.upper)
        return "" if same else f"{len(self.lower)} lower and {len(self.upper)} upper ends"


@dataclass(frozen=True)
class Vanishing(Claim):
    """``λ_k = 0`` exactly for every ``k ≥ first`` of this parity; ``λ_k`` and the dimension as in `Mercer`."""

    kind: ClassVar[str] = "vanishing"
    concludes: ClassVar[bool] = True
    dimension: int = claim_field(integer)
    parity: str = claim_field(word(PARITIES))
    first: int = claim_field(integer, UPPER)


LINEAR_PLUS_EVEN = ("gelu", "silu", "softplus")  # σ(z) − z/2 is even: z erf(z/√2)/2, z tanh(z/2)/2, log(2 cosh(z/2))
CONSTANT_PLUS_ODD = ("sigmoid",)  # 1/2 + tanh(z/2)/2


class Zonal:
    """The kernel of two points of the unit sphere as a function of their inner product, over a number context."""

    def __init__(self, problem: Problem, numbers: Numbers, terms: int) -> None:
        first = FirstLayer.of(problem.domain, problem.network)
        self._kernel, self._zero = Kernel(problem, numbers, terms), numbers.rational(0)
        self._slope = numbers.rational(Fraction(first.scale, first.denominator))
        self._offset = numbers.rational(Fraction(first.offset, first.denominator))
        self._variance = numbers.rational(Fraction(first.covariance(1), first.denominator))
        self._variances = self._kernel.variances(self._variance)

    def __call__(self, plus: Any, minus: Any) -> Any:
        """Return ``κ(t)`` from ``1 + t`` and ``1 − t``: the determinant of the first layer has no cancellation."""
        covariance = self._slope * (plus - minus) / 2 + self._offset
        det = self._slope * minus * (self._slope * plus + 2 * self._offset)
        return self._kernel.entry(self._variances, covariance, self._variances, det)

    def at_one(self) -> Any:
        """Return ``κ(1)``."""
        return self._kernel.entry(self._variances, self._variance, self._variances, self._zero, diagonal=True)


def _mercer(setting: Setting, step: Inputs) -> Derived:
    """``λ_k`` for k ≤ K, from κ at 2N+1 points ``tanh(j/s)``; zero where a symmetry says so, and never negative."""
    problem, d = setting.problem, setting.problem.domain.d
    highest, s, nodes, p = (step.integers[name] for name in ("max_frequency", "inverse_step", "nodes", "precision"))
    try:
        with setting.arithmetic.numbers(p) as numbers:
            kernel, constant = Zonal(problem, numbers, step.integers["terms"]), _constant(d, numbers)
            sums = _sums(kernel, numbers, d, highest, s, nodes, setting.tick)
            found = [numbers.quantise(constant * total / s, p) for total in sums]
            largest = sum(numbers.quantise(constant * kernel.at_one(), p))
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", str(error)) from None
    lower, upper = [], []
    for k, ((middle, radius), share) in enumerate(zip(found, _errors(d, s, nodes), strict=False)):
        first, zero = vanishing(problem, k % 2), Fraction(0)
        vanishes = first is not None and k >= first
        lower.append(zero if vanishes else max(zero, (middle - radius - largest * share) / 2**p))
        upper.append(zero if vanishes else (middle + radius + largest * share) / 2**p)
    return Derived(Mercer(d, tuple(lower), tuple(upper)))


def _constant(d: int, numbers: Numbers) -> Any:
    """Return ``C_d = 1/∫₀^π sin^{d−2}``, the integral by Wallis's recursion."""
    integral = Fraction(2 if d % 2 else 1)
    for n in range(2 + d % 2, d - 1, 2):
        integral *= Fraction(n - 1, n)
    return numbers.rational(1 / integral) / (1 if d % 2 else numbers.pi)


def _sums(kernel: Zonal, numbers: Numbers, d: int, highest: int, s: int, nodes: int, tick: Tick) -> list[Any]:
    """Return ``Σ_{|j| ≤ nodes} κ(t_j) P_k(t_j) sech(j/s)^{d−1}``, ``t_j = tanh(j/s)``, for k = 0 … highest."""
    sums = [numbers.rational(0)] * (highest + 1)
    for j in range(nodes + 1):
        decay = numbers.exp(numbers.rational(Fraction(-j, s)))
        plus = 2 / (1 + decay * decay)
        minus = decay * decay * plus
        weight = _power(decay * plus, d - 1)
        right = weight * kernel(plus, minus)
        left = weight * kernel(minus, plus) if j else 0
        parts = right + left, right - left  # P_k is even or odd as k is
        for k, value in enumerate(_legendre(d, highest, numbers.rational(1), (plus - minus) / 2)):
            sums[k] += parts[k % 2] * value
        tick(j + 1, nodes + 1)
    return sums


def _power(x: Any, n: int) -> Any:
    power = x
    for bit in bin(n)[3:]:
        power = power * power * x if bit == "1" else power * power
    return power


def _legendre(d: int, highest: int, one: Any, t: Any) -> Iterator[Any]:
    """Yield ``P_0(t), …, P_highest(t)``: Gegenbauer polynomials divided by their values at 1 (DLMF 18.9.1)."""
    yield one
    before, value = one, t
    for k in range(1, highest + 1):
        yield value
        before, value = value, ((2 * k + d - 2) * t * value - k * before) / (k + d - 2)


def _errors(d: int, s: int, nodes: int) -> Iterator[Fraction]:
    """Yield, for every k, the error of ``C_d s⁻¹ Σ_j`` in units of ``C_d κ(1)``: of the step and of the cut."""
    cut = Fraction(2) ** (d - 10 * (d - 1) * nodes // (7 * s)) / (d - 1)
    for size in _largest(d):
        yield Fraction(size << (d + 5) // 2, 2 ** (7 * s) - 1) + cut


def _largest(d: int) -> Iterator[int]:
    """Yield upper bounds of ``|P_k(i)| = max_{|t| ≤ 1} |P_k(t)|``: the recurrence at ``t = i``, rounded up."""
    yield 1
    before, size = 1, 1
    for k in count(1):
        yield size
        before, size = size, -(-((2 * k + d - 2) * size + k * before) // (k + d - 2))


def vanishing(problem: Problem, parity: int) -> int | None:
    """Return n if a symmetry makes ``λ_k = 0`` for all ``k ≥ n`` of a parity (0 even, 1 odd), otherwise None."""
    network = problem.network
    sigma = activation(network.activation)
    if network.beta != 0:
        return 2 + parity if sigma.linear else None
    if parity == 0:
        shifted = network.depth == 1 and network.activation in CONSTANT_PLUS_ODD
        return 0 if sigma.parity == "odd" else 2 if shifted else None
    if sigma.parity == "even":
        return 1
    tilted = network.depth == 1 and (sigma.linear_plus_even or network.activation in LINEAR_PLUS_EVEN)
    return 3 if sigma.linear or tilted else None


def _frequencies_vanish(setting: Setting, step: Inputs) -> Derived:
    """``λ_k = 0`` for all k of a parity from some k on: the kernel is even, odd, linear plus even, or affine."""
    parity = step.names["parity"]
    try:  # an expression may be no activation: log(x), exp(x**2)
        with setting.arithmetic.numbers(64) as numbers:
            numbers.quantise(Zonal(setting.problem, numbers, 0).at_one(), 64)
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", str(error)) from None
    first = vanishing(setting.problem, PARITIES.index(parity))
    if first is None:
        raise Rejection("no-symmetry", f"no symmetry makes the eigenvalues of {parity} frequency vanish")
    return Derived(Vanishing(setting.problem.domain.d, parity, first))


mercer = Rule(
    _mercer,
    integers={
        "max_frequency": (0, 500),
        "inverse_step": (1, 5000),
        "nodes": (1, 50_000),
        "precision": (30, 8192),
        "terms": (0, MAX_TERMS),
    },
    about="the sphere",
)
frequencies_vanish = Rule(_frequencies_vanish, names={"parity": PARITIES}, about="the sphere")

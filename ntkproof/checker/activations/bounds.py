"""Bounds of an activation over the whole line, and whether the expectations that define its kernel exist.

Trusted.  On ``|x| ≤ X`` Taylor jets of intervals; beyond X the same jets over `Tails`, an
arithmetic of functions on ``[X, ∞)``.  Proofs: ``docs/proofs/hermite.md``, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import factorial
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.nodes import Node
from ntkproof.checker.activations.taylor import Jet, jet
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.numbers import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

BITS = 96
UNIT = 80  # values are compared in units of 2^-80
STARTS = tuple(2**k for k in range(5, 17))
LEAST_POWER = -8
DECAY = 72  # e^u counts as small once u <= -DECAY; more than -LEAST_POWER
LARGEST_POWER = 256
FINEST = Fraction(1, 2**30)


# Functions on [X, ∞) --------------------------------------------------------------------------------------------


class Tail:
    """The functions f on ``[X, ∞)`` with ``f(x) ∈ Σ_k c_k x^k`` for every x, ``c_k`` enclosures; see `Tails`."""

    def __init__(self, context: Tails, terms: dict[int, Any]) -> None:
        self.context = context
        self.terms: dict[int, Any] = {}
        for power, c in terms.items():
            if power > LARGEST_POWER:
                raise ValueError("a power of x is too large")
            if power < LEAST_POWER:  # x^k ≤ X^(k - LEAST_POWER) x^LEAST_POWER
                power, c = LEAST_POWER, c * context.up_to(power - LEAST_POWER)
            if context.numbers.quantise(c, 0) != (0, 0):  # that answer is given for an exact zero only
                self.terms[power] = self.terms[power] + c if power in self.terms else c

    def __neg__(self) -> Tail:
        return Tail(self.context, {k: -c for k, c in self.terms.items()})

    def __add__(self, other: Any) -> Tail:
        terms = dict(self.terms)
        for k, c in self.context.of(other).terms.items():
            terms[k] = terms[k] + c if k in terms else c
        return Tail(self.context, terms)

    def __sub__(self, other: Any) -> Tail:
        return self + -self.context.of(other)

    def __mul__(self, other: Any) -> Tail:
        total = Tail(self.context, {})
        for power, b in self.context.of(other).terms.items():
            total = total + Tail(self.context, {k + power: c * b for k, c in self.terms.items()})
        return total

    def __truediv__(self, other: Any) -> Tail:
        power, factor, sign = self.context.leading(self.context.of(other))
        if sign == 0:
            raise ValueError("a divisor is zero")
        return self * Tail(self.context, {-power: 1 / factor})

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Tail:
        return self.context.of(other) - self

    def __rtruediv__(self, other: Any) -> Tail:
        return self.context.of(other) / self


def _unless_bounded(f: Callable[[Tails, Tail], Tail]) -> Callable[[Tails, Tail], Tail]:
    """Use f where u is not seen to be bounded; else the function of the same name of the numbers."""

    def function(self: Tails, u: Tail) -> Tail:
        inside = self.bounded(u)
        return f(self, u) if inside is None else self.of(getattr(self.numbers, f.__name__)(inside))

    return function


class Tails:
    """The number context of functions on ``[start, ∞)``, start ≥ 3.

    Every method raises ValueError where it cannot tell the sign, or where the result has no polynomial bound.
    """

    def __init__(self, numbers: Any, start: int) -> None:
        self.numbers, self.start = numbers, start
        self._unit = numbers.ball(1, 1, 1)  # [0, 1]

    def up_to(self, power: int) -> Any:
        """Return ``[0, start^power]``, which holds ``x^power`` for a power ≤ 0."""
        return self._unit * self.numbers.rational(Fraction(self.start) ** power)

    def of(self, value: Any) -> Tail:
        """Return a number, or what is a tail already, as a tail."""
        if isinstance(value, Tail):
            return value
        return Tail(self, {0: self.numbers.rational(value) if isinstance(value, int) else value})

    def _part(self, u: Tail) -> Tail:
        """Return the functions between 0 and ``u``."""
        return Tail(self, {k: c * self._unit for k, c in u.terms.items()})

    def variable(self, sign: int) -> Tail:
        """Return ``x ↦ ±x``."""
        return Tail(self, {1: self.numbers.rational(sign)})

    def rational(self, value: Fraction | int) -> Tail:
        """A constant."""
        return Tail(self, {0: self.numbers.rational(value)})

    @property
    def pi(self) -> Tail:
        """π."""
        return Tail(self, {0: self.numbers.pi})

    def leading(self, u: Tail) -> tuple[int, Any, int]:
        """Return ``(k, D, sign)`` with ``u(x) ∈ x^k D`` and the sign of all of D; the sign 0 means ``u = 0``."""
        if not u.terms:
            return 0, self.numbers.rational(0), 0
        power = max(u.terms)
        factor = u.terms[power]
        for k, c in u.terms.items():
            if k != power:
                factor = factor + c * self.up_to(k - power)
        try:
            self.numbers.positive(factor)
        except ValueError:
            self.numbers.positive(-factor)
            return power, factor, -1
        return power, factor, 1

    def bounded(self, u: Tail) -> Any:
        """Return an enclosure of all values, or None if powers above 0 occur."""
        total = self.numbers.rational(0)
        for k, c in u.terms.items():
            if k > 0:
                return None
            total = total + (c * self.up_to(k) if k else c)
        return total

    def positive(self, u: Tail) -> Tail:
        """Return ``u`` if it is positive."""
        if self.leading(u)[2] != 1:
            raise ValueError("a function is not seen to be positive")
        return u

    @_unless_bounded
    def exp(self, u: Tail) -> Tail:
        """``eᵘ``; for ``u = D x^k``, D < 0: ``x^8 e^u`` decreases once ``−D k x^k ≥ 8``."""
        power, factor, sign = self.leading(u)
        if sign > 0:
            raise ValueError("it grows faster than any power of x")
        top = factor * self.start**power
        self.numbers.positive(-top - DECAY)
        return Tail(self, {LEAST_POWER: self.numbers.exp(top) * self.start**-LEAST_POWER * self._unit})

    @_unless_bounded
    def tanh(self, u: Tail) -> Tail:
        """``1 − 2e^{−2u} ≤ tanh u ≤ 1`` for u ≥ 0."""
        sign = self.leading(u)[2]
        return self.rational(sign) - self._part(self.exp(u * (-2 * sign)) * (2 * sign))

    @_unless_bounded
    def sech_squared(self, u: Tail) -> Tail:
        """``1 − tanh² u ≤ 4e^{−2|u|}``."""
        return self._part(self.exp(u * (-2 * self.leading(u)[2])) * 4)

    @_unless_bounded
    def erf(self, u: Tail) -> Tail:
        """``1 − e^{−u²} ≤ erf u ≤ 1`` for u ≥ 0."""
        sign = self.leading(u)[2]
        return self.rational(sign) - self._part(self.exp(-(u * u)) * sign)

    @_unless_bounded
    def softplus(self, u: Tail) -> Tail:
        """``max(u, 0) ≤ log(1 + eᵘ) ≤ max(u, 0) + e^{−|u|}``."""
        sign = self.leading(u)[2]
        rest = self._part(self.exp(u * -sign))
        return u + rest if sign > 0 else rest

    @_unless_bounded
    def atan(self, u: Tail) -> Tail:
        """``π/2 − 1/u ≤ atan u ≤ π/2`` for u > 0."""
        sign = self.leading(u)[2]
        return self.of(self.numbers.pi / 2 * sign) - self._part(1 / u)

    def log(self, u: Tail) -> Tail:
        """``log(x^k D) = k log x + log D``, and ``log x / x`` decreases from e on."""
        power, factor, _ = self.leading(self.positive(u))
        slope = self.numbers.log(self.numbers.rational(self.start)) / self.start * self._unit
        return Tail(self, {0: self.numbers.log(factor), 1: slope * power})

    def sqrt(self, u: Tail) -> Tail:
        """``√(x^k D)``; for an odd k with ``√x ≤ x/√start``."""
        power, factor, _ = self.leading(self.positive(u))
        root = self.numbers.sqrt(factor)
        if power % 2:
            root = root * self._unit / self.numbers.sqrt(self.numbers.rational(self.start))
        return Tail(self, {(power + 1) // 2: root})

    @_unless_bounded
    def sin(self, u: Tail) -> Tail:
        """Within ``[−1, 1]``."""
        return self.of(self.numbers.ball(0, 1, 0))

    @_unless_bounded
    def cos(self, u: Tail) -> Tail:
        """Within ``[−1, 1]``."""
        return self.of(self.numbers.ball(0, 1, 0))


def tails_of(node: Node, numbers: Any, order: int) -> tuple[int, list[list[Tail]]]:
    """Return X and, for each order of derivative, it as a `Tail` at x and at −x; InputError if there is no such X."""
    why: Exception = ValueError()
    for start in STARTS:
        context = Tails(numbers, start)
        try:
            seeds: list[Jet] = [[context.variable(s), context.rational(1), *[0] * (order - 1)] for s in (1, -1)]
            sides = [jet(node, context, seed, side) for seed, side in zip(seeds, (1, -1), strict=True)]
        except (ValueError, OverflowError) as error:
            why = error
            continue
        return start, [[context.of(side[k]) * factorial(k) for side in sides] for k in range(order + 1)]
    raise InputError(f"no bound of the activation for large |x| was found: {why}")


# Boxes ----------------------------------------------------------------------------------------------------------


def seed(numbers: Any, a: Fraction, b: Fraction, order: int, point: bool) -> Jet:
    """Return the coefficients of ``t ↦ x`` with ``x = (a+b)/2 + t (b−a)/2``, at t = 0 or over ``[-1, 1]``."""
    centre, half = numbers.rational((a + b) / 2), numbers.rational((b - a) / 2)
    return [centre if point else centre + half * numbers.ball(0, 1, 0), half, *[0] * (order - 1)]


def size(numbers: Any, value: Any) -> tuple[Fraction, Fraction]:
    """Return lower and upper bounds of the absolute value of an enclosed number."""
    middle, radius = numbers.quantise(numbers.rational(0) + value, UNIT)
    return Fraction(max(0, abs(middle) - radius), 2**UNIT), Fraction(abs(middle) + radius, 2**UNIT)


def largest(node: Node, numbers: Any, a: Fraction, b: Fraction, order: int) -> list[Fraction]:
    """Return upper bounds of ``|σ|, |σ'|, …`` on ``[a, b]``, on one side of 0, bisecting where it has to."""
    try:
        jets = jet(node, numbers, seed(numbers, a, b, order, False), 1 if b > 0 else -1)
        half = (b - a) / 2
        return [size(numbers, c)[1] * factorial(k) / half**k for k, c in enumerate(jets)]
    except (ValueError, OverflowError) as error:
        if b - a < FINEST:
            raise InputError(f"the activation has no finite value or derivative near x = {float(a):.6g}") from error
    middle = (a + b) / 2
    parts = [largest(node, numbers, *ends, order) for ends in ((a, middle), (middle, b))]
    return [max(pair) for pair in zip(*parts, strict=True)]


def octaves(start: int) -> list[tuple[Fraction, Fraction]]:
    """Split ``[−start, start]``, start a power of two, at 0, ±1, ±2, ±4, …"""
    ends = [Fraction(0), *(Fraction(2**k) for k in range(start.bit_length()))]
    right = list(pairwise(ends))
    return right + [(-b, -a) for a, b in right]


# Growth ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Growth:
    """``|f(x)| ≤ constant + factor |x|^power`` for every real x."""

    constant: Fraction
    factor: Fraction
    power: int


def growth(node: Node, numbers: Any) -> tuple[Growth, Growth]:
    """Return polynomial bounds of σ and of σ' (away from 0, if it has a kink there).

    Raises:
        InputError: none was found; the message says where.
    """
    with numbers.at(BITS) as coarse:
        start, tails = tails_of(node, coarse, 1)
        cores = [largest(node, coarse, a, b, 1) for a, b in octaves(start)]
        found = []
        for order, sides in enumerate(tails):
            power = max([0, *(k for tail in sides for k in tail.terms)])
            factor = max(
                sum((size(coarse, c)[1] * Fraction(start) ** (k - power) for k, c in tail.terms.items()), Fraction(0))
                for tail in sides
            )
            found.append(Growth(max(core[order] for core in cores), factor, power))
    return found[0], found[1]


def require_growth(name: str, expression: str) -> None:
    """Reject an activation given by an expression unless it is continuous and of polynomial growth on all reals.

    Without that the expectations that define the kernel need not exist, and nothing can be said of it.
    """
    try:
        _growth(expression)
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", f"no kernel is known to exist for {name[:60]}: {error}") from None


@lru_cache(maxsize=64)
def _growth(expression: str) -> None:
    growth(parse(expression), Intervals(64))

"""Enclosures of all eigenvalues of the kernel, and what follows.  Proofs: ``docs/proofs/spectrum.md``.

Trusted.  For an integer matrix ``U`` whose rows are nearly orthonormal in units of ``2^-s``, ``4^-s U A Uᵀ`` has
the eigenvalues of ``A`` up to factors in ``[1−τ, 1+τ]`` (Ostrowski 1959), and those of its diagonal up to the norm
of the rest (Weyl 1912).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

from ntkproof.checker.limit.claims import Enclosure, Interval, LambdaMin
from ntkproof.checker.limit.eigenvalues import MAX_FACTOR_WIDTH, enclosed
from ntkproof.checker.logic.claim import LOWER, UPPER, Claim, Rejection, claim_field, show
from ntkproof.checker.logic.reading import listed, number
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting


class ConditionNumber(Interval):
    """``λ_max / λ_min`` of the kernel."""

    kind: ClassVar[str] = "condition_number"
    concludes: ClassVar[bool] = True


class EffectiveRank(Interval):
    """``trace / λ_max`` of the kernel: its intrinsic dimension (Tropp 2015, Definition 7.1.1)."""

    kind: ClassVar[str] = "effective_rank"
    concludes: ClassVar[bool] = True


@dataclass(frozen=True)
class Spectrum(Claim):
    """``lower_i ≤ λ_i(kernel) ≤ upper_i`` for all n eigenvalues, ``λ_1 ≤ … ≤ λ_n``; both lists ascend."""

    kind: ClassVar[str] = "spectrum"
    concludes: ClassVar[bool] = True
    lower: tuple[Fraction, ...] = claim_field(listed(number, 1), LOWER)
    upper: tuple[Fraction, ...] = claim_field(listed(number, 1), UPPER)

    def flaw(self) -> str:
        if len(self.lower) != len(self.upper):
            return f"{len(self.lower)} lower and {len(self.upper)} upper ends"
        ascends = all(a <= b for ends in (self.lower, self.upper) for a, b in pairwise(ends))
        return "" if ascends else "the ends must ascend"


def _spectrum(setting: Setting, step: Inputs) -> Derived:
    """Every ``λ_i`` of the kernel from approximate eigenvectors, the rows of ``U``; the kernel itself is ``⪰ 0``."""
    claim, matrix, unit = enclosed(step.premises[0], "all")
    vectors = step.witness["vectors"]
    if claim.matrix != "kernel":
        raise Rejection("bad-premises", "the premise encloses something else", "kernel", claim.matrix)
    if vectors.width > MAX_FACTOR_WIDTH:
        raise Rejection("bad-witness", f"the integers of the vectors are wider than {MAX_FACTOR_WIDTH} bytes")
    if vectors.shape != (matrix.n, matrix.n):
        needed, found = (f"{a} x {b}" for a, b in ((matrix.n, matrix.n), vectors.shape))
        raise Rejection("bad-witness", "the matrix of vectors has the wrong shape", needed, found)
    one = 4 ** step.integers["scale"]
    witness = (vectors.width, vectors.data)
    squares, defect = setting.arithmetic.congruence(None, matrix.n, witness)
    tau = Fraction(defect + max(abs(x - one) for x in squares), one)
    if tau >= 1:
        raise Rejection("not-orthogonal", "the vectors are too far from orthonormal", "tau < 1", show(tau))
    values, rest = setting.arithmetic.congruence(matrix, matrix.n, witness)
    zero = Fraction(0)
    ends = [(max(zero, Fraction(x - rest, one)), max(zero, Fraction(x + rest, one))) for x in sorted(values)]
    return Derived(
        Spectrum(
            tuple(max(zero, (low / (1 + tau) - claim.radius) * unit) for low, _ in ends),
            tuple((high / (1 - tau) + claim.radius) * unit for _, high in ends),
        )
    )


def _condition_number(setting: Setting, step: Inputs) -> Derived:
    """``λ_max / λ_min``: ``λ_max`` from the spectrum, ``λ_min`` from its own two-sided bound."""
    spectrum, least = step.premises[0].claim, step.premises[1].claim
    if not isinstance(spectrum, Spectrum) or not isinstance(least, LambdaMin):
        raise Rejection("bad-premises", "the premises are not a spectrum and a lambda_min")
    _positive("lambda_min", least.lower, least.upper)
    return Derived(
        ConditionNumber(max(Fraction(0), spectrum.lower[-1]) / least.upper, spectrum.upper[-1] / least.lower)
    )


def _effective_rank(setting: Setting, step: Inputs) -> Derived:
    """``Σ λ_i / λ_max``, the intrinsic dimension (Tropp 2015, Definition 7.1.1); not the entropy of the spectrum."""
    spectrum = step.premises[0].claim
    if not isinstance(spectrum, Spectrum):
        raise Rejection("bad-premises", "the premise is not a spectrum")
    _positive("lambda_max", spectrum.lower[-1], spectrum.upper[-1])
    return Derived(EffectiveRank(sum(spectrum.lower) / spectrum.upper[-1], sum(spectrum.upper) / spectrum.lower[-1]))


def _positive(name: str, lower: Fraction, upper: Fraction) -> None:
    if not 0 < lower <= upper:
        raise Rejection("not-positive", f"{name} is not known to be positive", f"{name} > 0", f">= {show(lower)}")


spectrum = Rule(_spectrum, (Enclosure,), integers={"scale": (0, 4096)}, matrices=("vectors",))
condition_number = Rule(_condition_number, (Spectrum, LambdaMin))
effective_rank = Rule(_effective_rank, (Spectrum,))

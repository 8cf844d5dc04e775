"""Two-sided bounds on extreme eigenvalues from exact integer witnesses.  Proofs: ``docs/proofs/lambda-min.md``.

Trusted.  With ``‖M − 2^-p A‖ ≤ 2^-p R``, any integer ``Λ`` and ``S = ±(A − ℓI) − 2^{p−2q}ΛΛᵀ`` computed exactly,
``±(M − 2^-p ℓ I) ⪰ −2^-p(‖S‖_∞ + R) I`` because ``ΛΛᵀ ⪰ 0`` and ``‖S‖ ≤ ‖S‖_∞`` for symmetric ``S``.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure, LambdaMin
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Proved, Rule, Setting

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Matrix

MAX_FACTOR_WIDTH = 512


def enclosed(premise: Proved, eigenvalue: str) -> tuple[Enclosure, Matrix, Fraction]:
    """Return an enclosure, its integer matrix ``A`` and its unit ``2^-p``, or raise `Rejection` if it is none."""
    if not isinstance(premise.claim, Enclosure) or premise.matrix is None:
        raise Rejection("bad-premises", "the premise is not an enclosure that holds a matrix")
    if (premise.claim.matrix, eigenvalue) == ("inputs", "min"):
        raise Rejection("bad-premises", "of the inputs only lambda_max is ‖X‖²; lambda_min depends on the side")
    return premise.claim, premise.matrix, Fraction(2) ** -premise.claim.precision


def _psd_bound(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(M) ≥ shift − …`` (eigenvalue ``min``) or ``λ_max(M) ≤ shift + …`` (``max``) from the witness Λ."""
    claim, matrix, _ = enclosed(step.premises[0], step.names["eigenvalue"])
    sign = 1 if step.names["eigenvalue"] == "min" else -1
    value = shifted_bound(setting, step, claim, matrix, sign)
    return Derived(EigenvalueBound(claim.matrix, step.names["eigenvalue"], "lower" if sign == 1 else "upper", value))


def shifted_bound(setting: Setting, step: Inputs, claim: Enclosure, matrix: Matrix, sign: int) -> Fraction:
    """Return a lower bound of ``λ_min(M)`` (sign 1) or an upper one of ``λ_max(M)`` (-1) from the step's witness."""
    p, q, unit = claim.precision, step.integers["scale"], Fraction(2) ** -claim.precision
    triangle = step.witness["factor"]
    if triangle.width > MAX_FACTOR_WIDTH:
        raise Rejection("bad-witness", f"the integers of the factor are wider than {MAX_FACTOR_WIDTH} bytes")
    found, expected = triangle.shape[0], matrix.n * (matrix.n + 1) // 2
    if found != expected:
        reason = "the factor is not a packed lower triangle"
        raise Rejection("bad-witness", reason, f"{expected} integers", str(found))
    shift = floor(step.numbers["shift"] / unit)
    e, f = max(0, 2 * q - p), max(0, p - 2 * q)
    residual = setting.arithmetic.residual_norm(matrix, shift, sign, e, (triangle.width, triangle.data), f)
    return (shift - sign * (Fraction(residual, 2**e) + claim.radius)) * unit


def _rayleigh_bound(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(M) ≤ vᵀMv/vᵀv ≤ λ_max(M)`` for the integer vector ``v``."""
    claim, matrix, unit = enclosed(step.premises[0], step.names["eigenvalue"])
    v = step.witness["vector"].integers()
    if len(v) != matrix.n:
        raise Rejection("bad-witness", "the vector has the wrong length", str(matrix.n), str(len(v)))
    square = sum(x * x for x in v)
    if square == 0:
        raise Rejection("bad-witness", "the vector is zero")
    sign = 1 if step.names["eigenvalue"] == "min" else -1
    quotient = Fraction(setting.arithmetic.quadratic_form(matrix, v), square) + sign * claim.radius
    side = "upper" if sign == 1 else "lower"
    return Derived(EigenvalueBound(claim.matrix, step.names["eigenvalue"], side, quotient * unit))


def _gram_is_psd(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(H) ≥ 0``: the kernels are expectations of Gram matrices."""
    return Derived(EigenvalueBound("kernel", "min", "lower", Fraction(0)))


def bounds(step: Inputs, matrix: str, eigenvalue: str) -> tuple[Fraction, Fraction]:
    """Return the values of the two premises, which must be a lower and an upper bound of the same eigenvalue."""
    values = []
    for premise, side in zip(step.premises, ("lower", "upper"), strict=True):
        claim = premise.claim
        if not isinstance(claim, EigenvalueBound):
            raise Rejection("bad-premises", "the premise is not an eigenvalue bound")
        needed = EigenvalueBound(matrix, eigenvalue, side, claim.value)
        if claim != needed:
            raise Rejection("bad-premises", "the premise is another bound", needed.described(), claim.described())
        values.append(claim.value)
    return values[0], values[1]


def _lambda_min(setting: Setting, step: Inputs) -> Derived:
    """A lower and an upper bound on ``λ_min`` of the kernel, together."""
    return Derived(LambdaMin(*bounds(step, "kernel", "min")))


_eigenvalue = {"eigenvalue": ("min", "max")}
psd_bound = Rule(_psd_bound, (Enclosure,), {"scale": (0, 4096)}, ("shift",), _eigenvalue, ("factor",))
rayleigh_bound = Rule(_rayleigh_bound, (Enclosure,), names=_eigenvalue, witness=("vector",))
gram_is_psd = Rule(_gram_is_psd)
lambda_min = Rule(_lambda_min, (EigenvalueBound, EigenvalueBound))

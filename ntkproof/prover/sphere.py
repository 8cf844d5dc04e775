"""Certificates about the eigenvalues of a kernel on the unit sphere.

Untrusted: it only chooses how finely the checker's rule integrates.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

from ntkproof.checker.activations.hermite import MAX_TERMS
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.limit.sphere import PARITIES, Mercer, Zonal
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.sphere import Sphere
from ntkproof.prover.draft import Draft, round_decimal

STATEMENTS = ("mercer", *(f"{parity}-vanish" for parity in PARITIES))
DEFAULT_GAP = 1e-9
MAX_FREQUENCY = 500
MAX_BITS = 512
MAX_BITS_OF_EXPANSIONS = 256


def certify_sphere(
    dimension: int,
    network: Network | None = None,
    *,
    kernel: str = "ntk",
    max_frequency: int = 20,
    statement: str = "mercer",
    engine: str = "fast",
    gap: float = DEFAULT_GAP,
    tick: Tick = lambda done, total: None,
) -> Certificate:
    """Prove a statement about a kernel on the unit sphere with its uniform distribution.

    Args:
        dimension: ``d`` of ``S^{d−1}``, from 2 to 1000.
        network: the network (default: two-layer ReLU, all layers trained).
        kernel: ``ntk`` or ``nngp``.
        max_frequency: the largest frequency K, from 0 to 500.
        statement: ``mercer``: two-sided bounds of the eigenvalues ``λ_0, …, λ_K``; ``odd-vanish``, ``even-vanish``:
            by symmetry ``λ_k = 0`` for all k of this parity from the least possible k on.
        engine: ``fast`` or ``reference``, the arithmetic the integrals are enclosed with.
        gap: relative width wanted of every interval, from 1e-60 to 0.5; an eigenvalue below about ``2^-512`` of the
            largest (``2^-256`` for activations without closed form) gets the lower bound 0 instead.
        tick: called with (done, total) during long steps.

    Raises:
        InputError: unusable options, or no symmetry to prove the statement with.
    """
    problem = Problem(Sphere(dimension), network or Network(), kernel)
    if statement not in STATEMENTS:
        raise InputError(f"unknown statement {statement!r}; there are {', '.join(STATEMENTS)}")
    if type(max_frequency) is not int or not 0 <= max_frequency <= MAX_FREQUENCY:
        raise InputError(f"the largest frequency must be an integer from 0 to {MAX_FREQUENCY}, not {max_frequency!r}")
    if not 1e-60 <= gap <= 0.5:
        raise InputError(f"the gap must be from 1e-60 to 0.5, not {gap}")
    draft = Draft(Setting(problem, arithmetic(engine), tick))
    try:
        if statement == "mercer":
            _mercer(draft, max_frequency, Fraction(gap))
        else:
            draft.derive("vanishing", "frequencies_vanish", args={"parity": statement.removesuffix("-vanish")})
    except (Rejection, ValueError, ArithmeticError) as error:
        raise InputError(f"no proof was found: {error}") from None
    return draft.certificate()


def multiplicity(d: int, k: int) -> int:
    """Return the dimension of the spherical harmonics of degree k in ``ℝ^d``: how often ``λ_k`` counts."""
    return comb(k + d - 1, d - 1) - (comb(k + d - 3, d - 1) if k > 1 else 0)


def _mercer(draft: Draft, highest: int, gap: Fraction) -> None:
    """Refine until every eigenvalue is within the gap, or the limit of bits is reached."""
    smooth = expression_of(draft.setting.problem.network.activation) is not None
    bits, limit = 64, MAX_BITS_OF_EXPANSIONS if smooth else MAX_BITS
    while True:
        trial = Draft(draft.setting)
        args = {**_effort(draft.setting, highest, bits), "terms": min(MAX_TERMS, 4 * bits) if smooth else 0}
        claim = trial.derive("mercer", "mercer", args=args, weaken=lambda derived: _outward(derived, gap))
        missing = max(_missing(*ends, gap) for ends in zip(claim.lower, claim.upper, strict=True))
        if missing == 0 or bits == limit:
            draft.steps, draft.proved = trial.steps, trial.proved
            return
        bits = min(limit, bits + missing)


def _missing(lower: Fraction, upper: Fraction, gap: Fraction) -> int:
    """Return about how many more bits are needed, 0 if none."""
    if upper - lower <= gap * lower:
        return 0
    return 64 if lower == 0 else _log2((upper - lower) / (gap * lower)) + 8


def _log2(x: Fraction) -> int:
    """Return the binary logarithm, rounded up to within one."""
    return x.numerator.bit_length() - x.denominator.bit_length() + 1


def _effort(setting: Setting, highest: int, bits: int) -> dict[str, int | str]:
    """Return the arguments that enclose all eigenvalues to about ``2^-bits κ(1)``; see ``docs/proofs/sphere.md``."""
    d = setting.problem.domain.d
    s = -(-(bits + 2 + 13 * highest // 10 + (d + 5) // 2) // 7)  # |P_k(i)| <= (1 + sqrt 2)^k < 2^(1.3 k)
    with setting.arithmetic.numbers(64) as numbers:
        size = sum(numbers.quantise(Zonal(setting.problem, numbers, 0).at_one(), 2000)).bit_length() - 2000
    return {
        "max_frequency": highest,
        "inverse_step": s,
        "nodes": -(-7 * s * (bits + d + 3) // (10 * (d - 1))),
        "precision": bits + 2 * highest + 64 + max(0, -size),
    }


def _outward(claim: Mercer, gap: Fraction) -> Mercer:
    """Round outward to few digits, with room for what another arithmetic derives."""
    lower, upper = [], []
    for low, high in zip(claim.lower, claim.upper, strict=True):
        width = high - low
        grid = max(width, high * gap / 8, Fraction(1, 10**390)) if high else Fraction(0)
        lower.append(max(Fraction(0), round_decimal(low - width, grid, up=False)) if high else high)
        upper.append(round_decimal(high + width, grid, up=True) if high else high)
    return Mercer(claim.dimension, tuple(lower), tuple(upper))

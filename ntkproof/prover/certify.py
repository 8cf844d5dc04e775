"""Searches for proofs and writes them down as certificates.

Untrusted: it proposes witnesses, runs the checker's own rules on them to see what follows, and states that, a
little weakened so that either arithmetic accepts it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, frexp, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import integer_array
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.balls import Ball, Balls
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.limit.inputs import OperatorNorm
from ntkproof.checker.limit.kernels import Kernel
from ntkproof.checker.logic.arrays import Array
from ntkproof.checker.logic.claim import Claim, Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover import factor
from ntkproof.prover.a_priori import a_priori, bounds
from ntkproof.prover.draft import Draft, round_decimal
from ntkproof.prover.expansion import FIRST_PRECISION, enclose_by_expansion, hardest_rows, has_expansion
from ntkproof.prover.matrices import as_floats
from ntkproof.prover.null_vectors import find_null_vector
from ntkproof.prover.spectrum import condition_number, effective_rank, spectrum

STATEMENTS = ("lambda-min", "operator-norm", "spectrum", "condition-number", "effective-rank", "a-priori")
DEFAULT_GAP = 1e-6
LARGEST_PRECISION = 1024


def certify(
    dataset: Dataset | NDArray[np.float64],
    network: Network | None = None,
    *,
    kernel: str = "ntk",
    statement: str = "lambda-min",
    engine: str = "fast",
    gap: float = DEFAULT_GAP,
    tick: Tick = lambda done, total: None,
) -> Certificate:
    """Prove a two-sided bound and return it as a certificate.

    Args:
        dataset: a `Dataset`, or inputs of shape (n, d).
        network: the network (default: two-layer ReLU, all layers trained).
        kernel: ``ntk`` or ``nngp``.
        statement: ``lambda-min``: the smallest eigenvalue of the analytic kernel's Gram matrix; if the matrix is
            singular by symmetry the certificate proves ``λ_min = 0`` with the null vector.
            ``operator-norm``: ``‖X‖``; ``effective-rank``: ``trace / λ_max``.
            ``spectrum``: all eigenvalues, each to about ``n 1e-16 λ_max`` whatever the gap.
            ``condition-number``: ``λ_max / λ_min``; ``a-priori``: lower bounds from the literature, with ratios.
        engine: ``fast`` or ``reference``, the arithmetic the enclosures are made with.
        gap: relative width wanted, from 1e-12 to 0.5.
        tick: called with (done, total) during long steps.

    Raises:
        InputError: unusable data or options.
    """
    if not isinstance(dataset, Dataset):
        dataset = Dataset(dataset)
    if statement not in STATEMENTS:
        raise InputError(f"unknown statement {statement!r}; there are {', '.join(STATEMENTS)}")
    if not 1e-12 <= gap <= 0.5:
        raise InputError(f"the gap must be from 1e-12 to 0.5, not {gap}")
    problem = Problem(dataset, network or Network(), kernel)
    draft = Draft(Setting(problem, arithmetic(engine), tick))
    try:
        problem.well_defined()
    except Rejection as error:
        raise InputError(str(error)) from None
    try:
        if statement == "operator-norm":
            return _operator_norm(draft, gap)
        if statement in ("spectrum", "effective-rank"):
            _enclose_spectrum(draft)
            spectrum(draft)
            return draft.certificate() if statement == "spectrum" else effective_rank(draft)
        vector = find_null_vector(problem)
        if vector is not None and statement != "lambda-min":
            raise InputError(f"λ_min = 0 by symmetry: there is no {statement} to prove; ask for lambda-min or spectrum")
        if vector is not None:
            draft.derive("singular", "null_vector", witness={"vector": integer_array(vector)})
            return draft.certificate()
        known = Draft(draft.setting)
        names = bounds(known) if statement == "a-priori" else ()
        certificate = _lambda_min(draft, gap)
        if statement == "lambda-min":
            return certificate
        if statement == "condition-number":
            spectrum(draft)
            return condition_number(draft)
        draft.steps += known.steps
        draft.proved |= known.proved
        return a_priori(draft, names)
    except (Rejection, OverflowError) as error:
        raise InputError(f"no proof was found for these data: {error}; rescale them (--standardize)") from None


# Rounding -------------------------------------------------------------------------------------------------------


def _weaken(slack: Fraction, relative: Fraction) -> Callable[[EigenvalueBound], Claim]:
    """Move a bound outward by ``slack`` (what another arithmetic may see differently), then to few digits."""

    def outward(claim: EigenvalueBound) -> Claim:
        up = claim.side == "upper"
        value = claim.value + (slack if up else -slack)
        grid = abs(value) * relative
        return EigenvalueBound(
            claim.matrix, claim.eigenvalue, claim.side, round_decimal(value, grid, up) if grid else value
        )

    return outward


# λ_min ----------------------------------------------------------------------------------------------------------


def _lambda_min(draft: Draft, gap: float) -> Certificate:
    """Try float64, then raise the precision until the relative gap is met; else state the best that was reached."""
    attempt = Draft(draft.setting)
    enclosure = _enclose_in_float64(attempt)
    precision = FIRST_PRECISION // 2 if has_expansion(draft.setting.problem) else 32
    needed = None if enclosure is None else _bounds(attempt, enclosure, gap, (False,))
    while enclosure is None or (needed is not None and precision < LARGEST_PRECISION):
        precision = min(LARGEST_PRECISION, max(2 * precision, needed or 0))
        finer = Draft(draft.setting)
        try:
            found = enclose(finer, precision)
        except (InputError, Rejection):
            if enclosure is None:
                raise
            break
        attempt, enclosure = finer, found
        needed = _bounds(attempt, enclosure, gap, (False, True))
    if needed is not None:
        _weaker(attempt, enclosure, gap, needed)
    attempt.derive("lambda_min", "lambda_min", ("lower", "upper"))
    draft.steps, draft.proved = attempt.steps, attempt.proved
    return draft.certificate()


def _weaker(draft: Draft, enclosure: Enclosure, gap: float, needed: int) -> None:
    """Derive ``lower`` and ``upper`` with the least gap up to 1/2 that this enclosure permits, else from 0."""
    missing = needed - enclosure.precision - 3
    reachable = gap * 2.0**missing if missing < 60 else 1.0
    for wider in (reachable, 0.5):
        if wider <= 0.5 and _bounds(draft, enclosure, wider, (False, True)) is None:
            return
    _nothing_below(draft, enclosure)


def _enclose_in_float64(draft: Draft) -> Enclosure | None:
    """Enclose the kernel from 53 bits, in the finest unit that keeps its entries below about 2^58.

    Only ``fast`` derives from 53 bits a radius that both arithmetics accept: ``reference`` uses more.
    """
    problem = draft.setting.problem
    if draft.setting.arithmetic.name != "fast" or has_expansion(problem):
        return None
    dataset, network = problem.dataset, problem.network
    with np.errstate(all="ignore"):
        norms = np.einsum("ij,ij->i", dataset.inputs, dataset.inputs)
    scale = float(network.sigma_w**2) / (dataset.d if network.input_scale == "fan-in" else 1)
    kernel = Kernel(problem, Balls())
    try:
        q = kernel.variances(Ball(scale * norms + float(network.beta**2)))
        largest = kernel.entry(q, q[0], q, Ball(0.0), diagonal=True).mid.max()
        args = {"precision": max(30, 58 - frexp(largest)[1]), "working_precision": 53}
        claim: Enclosure = draft.derive("kernel", "kernel_enclosure", args=args, weaken=_twice)
    except (Rejection, ValueError):
        return None
    return claim


def enclose(draft: Draft, precision: int) -> Enclosure:
    """Derive the step ``kernel``, with a radius of a few units per entry; the hardest rows say with how many bits."""
    setting = draft.setting
    if has_expansion(setting.problem):
        return enclose_by_expansion(draft, precision)
    few = Setting(hardest_rows(setting.problem), setting.arithmetic, lambda done, total: None)
    working = precision + 32
    for part in (few, setting):
        while True:
            args = {"precision": precision, "working_precision": working}
            trial = Draft(part)
            claim: Enclosure = trial.derive("kernel", "kernel_enclosure", args=args, weaken=_twice)
            if claim.radius <= 16 * part.problem.dataset.n or working >= 2 * precision + 256:
                break
            working += max(32, claim.radius.bit_length())
    draft.steps, draft.proved = trial.steps, trial.proved
    return claim


def _enclose_spectrum(draft: Draft) -> None:
    """Enclose the kernel to well below the rounding noise of its eigenvectors in float64."""
    enclosure = _enclose_in_float64(draft) or enclose(draft, 64)
    while enclosure.precision < LARGEST_PRECISION:
        matrix = draft.proved["kernel"].matrix
        if matrix is None:
            raise RuntimeError("the enclosure holds no matrix")
        largest = max(matrix.entry(i, i) for i in range(matrix.n)).bit_length()
        missing = 40 + enclosure.radius.bit_length() - largest
        if missing <= 0:
            return
        enclosure = enclose(draft, min(LARGEST_PRECISION, enclosure.precision + missing))


def _twice(claim: Enclosure) -> Claim:
    """State twice the radius derived: the other arithmetic rounds differently."""
    return Enclosure(claim.matrix, claim.precision, 2 * claim.radius)


def _bounds(draft: Draft, enclosure: Enclosure, gap: float, ways: tuple[bool, ...]) -> int | None:
    """Derive ``lower`` and ``upper`` within the gap, or return the precision that might be enough.

    The ``ways`` to search for witnesses are False (float64) and True (fixed point in integers).  An eigenvalue that
    float64 does not resolve is taken for 2^-100 of the largest.
    """
    matrix = draft.proved["kernel"].matrix
    if matrix is None:
        raise RuntimeError("the enclosure holds no matrix")
    p = enclosure.precision
    slack = Fraction(2 * enclosure.radius, 2**p)
    floats = as_floats(matrix, -p)
    for exact in ways:
        found = _refine(matrix, p, enclosure.radius) if exact else _in_float64(floats)
        if found is None:
            continue
        eigenvalue, vector = found
        if 16 * slack > eigenvalue * Fraction(gap):
            return p + 8 + _log2(slack / (eigenvalue * Fraction(gap)))
        trial = Draft(draft.setting, [*draft.steps], {**draft.proved})
        if _two_sided(trial, floats, slack, vector, gap, exact):
            draft.steps, draft.proved = trial.steps, trial.proved
            return None
    return 2 * p if True in ways else p + 60 + _log2(len(floats) / Fraction(gap))


def _in_float64(floats: NDArray[np.float64]) -> tuple[Fraction, list[int]] | None:
    """Return an estimate of the smallest eigenvalue and its vector in units of 2^-50; None if not resolved."""
    found = factor.smallest_eigenpair(floats)
    if found is None:
        return None
    return Fraction(found[0]), [round(float(x) * 2**50) for x in found[1]]


def _two_sided(
    draft: Draft, floats: NDArray[np.float64], slack: Fraction, vector: list[int], gap: float, exact: bool
) -> bool:
    """Derive ``upper`` from the vector and ``lower`` from a factor; False if they are not within the gap."""
    proved = draft.proved["kernel"]
    if proved.matrix is None or not isinstance(proved.claim, Enclosure):
        raise RuntimeError("the enclosure holds no matrix")
    relative = Fraction(gap) / 2**10
    args = {"eigenvalue": "min"}
    upper = draft.derive(
        "upper",
        "rayleigh_bound",
        ("kernel",),
        args,
        {"vector": integer_array(vector)},
        _weaken(slack, relative),
    )
    shift = round_decimal(upper.value * (1 - 3 * Fraction(gap) / 8), upper.value * relative, up=False)
    wanted = upper.value * Fraction(gap) / 4
    witness = _lower_factor(proved.matrix, floats, proved.claim.precision, shift, wanted, exact)
    if witness is None:
        return False
    scale, packed = witness
    lower = draft.derive(
        "lower",
        "psd_bound",
        ("kernel",),
        {"eigenvalue": "min", "shift": decimal(shift), "scale": scale},
        {"factor": packed},
        _weaken(slack, relative),
    )
    return bool(upper.value - lower.value <= Fraction(gap) * upper.value)


def _refine(matrix: Any, p: int, radius: int) -> tuple[Fraction, list[int]] | None:
    """Return the smallest eigenvalue and its vector, found in fixed point; None if not resolved."""
    integers, bits = factor.as_integers(matrix), p + 32
    lower = factor.cholesky_integers(integers, p, bits)
    if lower is None:
        return None
    v = factor.smallest_vector(lower, bits)
    quotient = Fraction(int(v @ (integers @ v)), int(v @ v) << p)
    return (quotient, [int(x) for x in v]) if quotient > Fraction(4 * radius, 2**p) else None


def _lower_factor(
    matrix: Any, floats: NDArray[np.float64], p: int, shift: Fraction, wanted: Fraction, exact: bool
) -> tuple[int, Array] | None:
    """Return (scale, packed factor) of ``M − shift I`` whose rounding costs at most about ``wanted``, or None."""
    n = len(floats)
    random = float(np.diag(floats).max()) ** 0.5 * (n / 2 + 2.5 * n**0.5)  # a row sum of random rounding errors
    scale = max(0, _log2(Fraction(random) / wanted))
    if not exact:
        packed = factor.cholesky_floats(floats - float(shift) * np.eye(n), scale)
        return None if packed is None else (scale, packed)
    integers = factor.as_integers(matrix)
    integers[np.diag_indices(n)] -= floor(shift * 2**p)
    bits = max(p, scale) + 32
    lower = factor.cholesky_integers(integers, p, bits)
    return None if lower is None else (scale, factor.packed_lower(lower, bits - scale))


def _nothing_below(draft: Draft, enclosure: Enclosure) -> None:
    """State ``0 ≤ λ_min ≤`` the best Rayleigh quotient: the eigenvalue is too small to be told from 0."""
    matrix = draft.proved["kernel"].matrix
    draft.steps, draft.proved = draft.steps[:1], {"kernel": draft.proved["kernel"]}
    if matrix is None:
        raise RuntimeError("the enclosure holds no matrix")
    floats = as_floats(matrix, -enclosure.precision)
    vector = np.linalg.eigh(floats)[1][:, 0]
    slack = Fraction(2 * enclosure.radius, 2**enclosure.precision)
    draft.derive(
        "upper",
        "rayleigh_bound",
        ("kernel",),
        {"eigenvalue": "min"},
        {"vector": integer_array(_null_direction(matrix, enclosure, vector))},
        _weaken(slack, Fraction(1, 2**10)),
    )
    draft.derive("lower", "gram_is_psd")


def _null_direction(matrix: Any, enclosure: Enclosure, start: NDArray[np.float64]) -> list[int]:
    """Return the best integer vector known for a matrix singular to its precision: one regularised refinement."""
    p = enclosure.precision
    integers = factor.as_integers(matrix)
    integers[np.diag_indices(len(integers))] += 16 * enclosure.radius
    bits = p + 32
    lower = factor.cholesky_integers(integers, p, bits)
    v = factor.from_floats(start, bits)
    if lower is not None:
        for _ in range(4):
            v = factor.inverse_iterate(lower, bits, v)
    return [int(x) for x in v]


def _log2(x: Fraction) -> int:
    return ceil(log2(x.numerator) - log2(x.denominator))


# ‖X‖ ------------------------------------------------------------------------------------------------------------


def _operator_norm(draft: Draft, gap: float) -> Certificate:
    dataset = draft.setting.problem.dataset
    side = "rows" if dataset.n <= dataset.d else "columns"
    enclosure: Enclosure = draft.derive("inputs", "inputs_enclosure", args={"side": side})
    matrix, p = draft.proved["inputs"].matrix, enclosure.precision
    if matrix is None:
        raise RuntimeError("the enclosure holds no matrix")
    floats = as_floats(matrix, -p)
    values, vectors = np.linalg.eigh(floats)
    top = Fraction(float(values[-1]))
    if top == 0:
        raise InputError("the inputs are all zero; their operator norm is 0")
    weaken = _weaken(Fraction(0), relative := Fraction(gap) / 2**10)
    shift = round_decimal(top * (1 + Fraction(gap)), top * relative, up=True)
    scale = _log2(4 * len(floats) * ceil(float(top) ** 0.5 + 1) / (top * Fraction(gap)))
    packed = factor.cholesky_floats(float(shift) * np.eye(len(floats)) - floats, scale)
    if packed is None:
        raise InputError(f"no factor of the shifted Gram matrix at gap {gap}; ask for a larger --gap")
    vector = [round(float(x) * 2**50) for x in vectors[:, -1]]
    args = {"eigenvalue": "max"}
    lower = draft.derive("lower", "rayleigh_bound", ("inputs",), args, {"vector": integer_array(vector)}, weaken)
    draft.derive(
        "upper",
        "psd_bound",
        ("inputs",),
        {**args, "shift": decimal(shift), "scale": max(0, scale)},
        {"factor": packed},
        weaken,
    )
    unit = lower.value * relative

    def outward(claim: OperatorNorm) -> Claim:
        return OperatorNorm(round_decimal(claim.lower, unit, up=False), round_decimal(claim.upper, unit, up=True))

    draft.derive("norm", "operator_norm", ("lower", "upper"), weaken=outward)
    return draft.certificate()

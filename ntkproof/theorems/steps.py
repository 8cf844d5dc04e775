"""Steps that several theorems share, and the choices they leave to the search."""

from __future__ import annotations

from fractions import Fraction
from math import inf, log, sqrt

from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.random_start.claims import Bound, JacobianDeviation
from ntkproof.checker.random_start.initialization import chernoff_failure
from ntkproof.checker.random_start.residual import concentrated_residual, sign_sum
from ntkproof.prover.draft import Draft, round_decimal
from ntkproof.prover.floats import FLOATS
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.theorem import Plan

_DIGITS = Fraction(1, 10**9)


def least_delta(facts: Facts, failure: float, width: int) -> float:
    """Return the least δ with ``n exp(−N λ_0 h(δ)/B) ≤ failure``, a little more; 1 if there is none."""
    return chernoff_delta(facts.n, facts.neurons(width), facts.lambda_0, facts.summand, failure)


def chernoff_delta(n: int, neurons: int, lambda_0: float, summand: float, failure: float) -> float:
    """Return the least δ with ``chernoff_failure ≤ failure``, a little more; 1 if there is none."""

    def fails(delta: float) -> float:
        return float(chernoff_failure(FLOATS, n, neurons, lambda_0, delta, summand))

    low, high = 0.0, 1 - 1e-9
    if neurons == 0 or not fails(high) <= failure:
        return 1.0
    simple = sqrt(2 * summand * log(n / failure) / (neurons * lambda_0))  # h(δ) ≥ δ²/2
    if simple < 1e-4:  # where h(δ) cancels in floats
        return max(simple * (1 + 1e-6), 1e-9)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if fails(middle) <= failure else (middle, high)
    return min(high * (1 + 1e-9) + 1e-12, 1.0)


def residual(facts: Facts, failure: float) -> float:
    """Return the bound on ``‖r_0‖`` that the rule ``initial_residual`` will derive."""
    init = facts.network.training.init
    if init == "antisymmetric":
        return facts.targets
    size, concentration = facts.targets, failure
    if init == "signs":
        concentration = failure / 2
        size += float(sign_sum(FLOATS, failure / 2)) * facts.mean_norm
    return float(concentrated_residual(FLOATS, size, facts.variance, sqrt(facts.summand), concentration))


def radius_that_spends(sigma: float, offset: float, slope: float, residual: float) -> float:
    """Return the least R with ``Φ(R) ≥ residual``, a little more; infinity if there is none."""
    gap = (sigma - offset) ** 2 - 2 * slope * residual
    if not gap > 0:
        return inf
    return 2 * residual / (sigma - offset + sqrt(gap)) * (1 + 1e-9)


def short(x: float, up: bool = True) -> str:
    """Return a float as a decimal string of about ten digits, rounded up or down."""
    return decimal(rounded(Fraction(x), up))


def rounded(value: Fraction, up: bool) -> Fraction:
    """Return a number with about ten digits, rounded up or down."""
    return round_decimal(value, abs(value) * _DIGITS, up)


def prove_spectrum(draft: Draft, plan: Plan) -> None:
    """Add ``loewner`` and ``sigma``: the spectrum at initialisation by matrix Chernoff."""
    args = {"delta": short(plan.args["delta"]), "failure": short(plan.args["spectrum_failure"], up=False)}
    draft.derive("loewner", "matrix_chernoff", ("lower", "norm"), args)
    draft.derive("sigma", "loewner_spectrum", ("loewner", "lower"), weaken=round_down)


def prove_start(draft: Draft, plan: Plan) -> None:
    """Add ``residual`` or, for the forms by distance, ``path``: how far the start is from a solution."""
    if plan.form in ("distance", "tube"):
        draft.derive("path", "linearised_path", ("loewner", "inverse_form"), weaken=round_up)
        return
    training = draft.setting.problem.training
    failure = signs = 0.0
    if training is not None and training.init != "antisymmetric":
        failure = plan.args["residual_failure"]
        if training.init == "signs":
            failure = signs = failure / 2
    args = {"failure": short(failure, up=False), "signs_failure": short(signs, up=False)}
    draft.derive("residual", "initial_residual", ("norm",), args, weaken=round_up)


def conclude(draft: Draft, plan: Plan) -> None:
    """Add the convergence by the rule that the plan names."""
    start = "path" if plan.form == "distance" else "residual"
    name = "share" if plan.form == "distance" else "radius"
    args = {name: short(plan.args[name], up=plan.form != "distance")}
    draft.derive(
        "convergence", plan.form, ("sigma", start, "deviation", "jacobian_norm"), args, weaken=round_convergence
    )


def round_up(claim: Bound) -> Bound:
    """Round an upper bound up to about ten digits."""
    return Bound(claim.quantity, round_decimal(claim.value, claim.value * _DIGITS, up=True))


def round_down(claim: Bound) -> Bound:
    """Round a lower bound down to about ten digits."""
    return Bound(claim.quantity, round_decimal(claim.value, claim.value * _DIGITS, up=False))


def round_deviation(claim: JacobianDeviation) -> JacobianDeviation:
    """Round a deviation up to about ten digits."""
    offset, slope = (round_decimal(x, x * _DIGITS, up=True) if x else x for x in (claim.offset, claim.slope))
    return JacobianDeviation(offset, slope, claim.lipschitz)


def round_convergence(claim: Convergence) -> Convergence:
    """Round a convergence outward to about ten digits."""
    rate = round_decimal(claim.rate, claim.rate * _DIGITS, up=False)
    others = (round_decimal(x, x * _DIGITS, up=True) for x in (claim.radius, claim.kernel_deviation))
    return Convergence(claim.dynamics, claim.width, rate, claim.failure, *others)

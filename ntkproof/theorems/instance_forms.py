"""How convergence from given weights is concluded: Kantorovich's form, the distance to a solution, a tube."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import integer_array
from ntkproof.checker.activations.facts import activation_facts
from ntkproof.checker.convergence.formulas import (
    descent_factor,
    descent_rate,
    descent_spending,
    kept,
    residual_integral,
    shrinking,
)
from ntkproof.checker.convergence.instance_distance import descent_strength, wandering
from ntkproof.checker.given_weights.claims import LocalDeviation, NearbyPoint
from ntkproof.checker.given_weights.evaluation import Evaluation
from ntkproof.checker.given_weights.gram import gram
from ntkproof.checker.given_weights.nearby import nearby
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.logic.claim import Claim, Rejection
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.checker.random_start.claims import Bound
from ntkproof.checker.random_start.tube import TubeDeviation
from ntkproof.prover.draft import Draft
from ntkproof.prover.floats import FLOATS
from ntkproof.prover.matrices import as_floats
from ntkproof.theorems.instance_start import ALLOWED, PRECISION, Start, cholesky_witness, rounded_down, rounded_up
from ntkproof.theorems.steps import radius_that_spends, round_convergence, short

FITS = 3e-3  # a point fits well enough when 2ρ_p/Λ is this part of its squared distance
STEPS = 12


@dataclass(frozen=True)
class Plan:
    """A way to conclude: the rate it proves (0 if none), or by what factor a hypothesis fails and which."""

    rate: float
    prove: Callable[[], Any] = lambda: None
    short: float = inf
    why: str = ""


def _kantorovich(draft: Draft, start: Start) -> Plan:
    eta = _eta(draft)
    radius = start.residual / start.sigma
    if not start.smooth:
        return _by_flips(draft, start, radius)
    for _ in range(STEPS):  # the radius that spends the residual, where the deviation is known that far
        ball = start.deviation(radius)
        slope, share = float(ball.slope), 1.0
        if eta:
            share = float(descent_factor(FLOATS, eta, float(ball.norm), slope, start.residual))
            if not share > 0:
                return Plan(
                    0.0, short=1 - share, why=f"κ is {share:.4g}, not positive (Kantorovich); {_slower(eta, share)}"
                )
        needed = 2 * slope * start.residual / start.sigma**2 / share
        if not needed < 1:
            return Plan(
                0.0,
                short=needed,
                why=f"2Λρ_0/σ_0² is {needed:.4g}, not below 1 (Kantorovich); {_longer(start, eta, needed)}",
            )
        spent = radius_that_spends(start.sigma, 0.0, slope, start.residual / share) * (1 + 1e-7)
        if spent <= radius:
            break
        radius = spent * 1.02
    else:
        return Plan(0.0, short=needed, why="no radius was found in which the path stays (Kantorovich)")
    least = start.sigma - slope * spent
    rate = 2 * least**2 if not eta else float(descent_rate(FLOATS, share, eta, least))
    found: Draft = draft.setting.cache["deviation"]

    def prove() -> None:
        _join(draft, found)
        args = {"radius": short(spent)}
        draft.derive(
            "convergence",
            "instance_kantorovich",
            ("sigma", "residual", "deviation"),
            args,
            weaken=round_convergence,
        )

    return Plan(rate, prove)


def _slower(eta: float, kappa: float) -> str:
    """Return below which step sizes ``κ > 0``, with ``1 − κ`` proportional to the step size; rounded down."""
    return f"step sizes below {0.995 * eta / (1 - kappa):.3g} make it positive"


def _longer(start: Start, eta: float, factor: float) -> str:
    """Estimate how long to train on for a residual so much smaller: ``ρ_t ≤ e^{−σ_0² t} ρ_0`` for a kernel at rest."""
    time = log(factor) / start.sigma**2 if factor > 1 else 0.0
    spell = f"about {ceil(time / eta):.3g} steps" if eta else f"about t = {time:.3g}"
    return f"train on until the residual is {1 / factor:.3g} of what it is ({spell}, an estimate)"


def _by_flips(draft: Draft, start: Start, radius: float) -> Plan:
    """Kantorovich's form with the neurons that can flip counted: the deviation is an offset that grows with R."""
    eta, needed = _eta(draft), inf
    for _ in range(2 * STEPS):
        ball = start.deviation(radius)
        offset, norm = float(ball.offset), float(ball.norm)
        keep = kept(FLOATS, eta, norm)
        if not keep > 0:
            return Plan(
                0.0,
                short=1 - keep,
                why=f"κ = 1 - ηβ²/2 is {keep:.4g}, not positive (Kantorovich, flips); {_slower(eta, keep)}",
            )
        spent = (
            descent_spending(FLOATS, keep, start.sigma, offset, 0.0, radius) if eta else (start.sigma - offset) * radius
        )
        if start.sigma > offset and spent > start.residual * (1 + 1e-9):
            break
        needed = min(needed, start.residual / spent if spent > 0 else inf)
        radius *= 1.05
    else:
        return Plan(0.0, short=needed, why=f"ρ_0/Φ(R) is {needed:.4g} at best, not below 1 (Kantorovich, flips)")
    x = shrinking(FLOATS, keep, eta, start.sigma, offset, 0.0, radius) if eta else 0.0
    rate = (2 * x - x * x) / eta if eta else 2 * (start.sigma - offset) ** 2
    found: Draft = draft.setting.cache["deviation"]

    def prove() -> None:
        _join(draft, found)
        args = {"radius": decimal(ball.radius)}
        uses = ("sigma", "residual", "deviation")
        draft.derive("convergence", "instance_kantorovich", uses, args, weaken=round_convergence)

    return Plan(float(rate), prove)


def _tube(draft: Draft, start: Start) -> Plan:
    if _eta(draft):
        return Plan(0.0, why="tubes are for gradient flow")
    problem, weights = draft.setting.problem, draft.setting.problem.weights
    kernel = draft.proved["kernel"]
    if weights is None or kernel.matrix is None or not isinstance(kernel.claim, Enclosure):
        raise RuntimeError("the enclosure holds no matrix")
    h = as_floats(kernel.matrix, -kernel.claim.precision)
    residual = np.array([float(r) for r in draft.setting.cache["evaluation"].residual])
    solution = np.linalg.solve(h, residual)
    omega = float(residual @ solution) ** 0.5 * (1 + 1e-6)
    tau, needed = _best_tau(problem, weights, start.sigma, omega)
    if not needed < 1:
        return Plan(0.0, short=needed, why=f"a preactivation may leave the tube by a factor {needed:.4g} (tube)")

    scale = max(0, 60 - int(np.frexp(np.abs(solution).max())[1]))
    integers = [int(x) for x in np.rint(np.ldexp(solution, scale)).astype(np.int64)]
    found = Draft(draft.setting, proved=dict(draft.proved))
    witness = {"solution": integer_array(integers)}
    found.derive("path", "given_path", ("kernel", "sigma"), {"scale": scale}, witness, _weaker)
    tube: TubeDeviation = found.derive("tube", "given_tube", (), {"tau": short(tau)}, weaken=_rounded_tube)
    left = start.sigma - float(tube.deviation)

    def prove() -> None:
        _join(draft, found)
        uses = ("sigma", "path", "tube", "norm")
        draft.derive("convergence", "instance_tube", uses, weaken=round_convergence)

    return Plan(2 * left**2 if 2 * left > start.sigma else 0.0, prove)


def _best_tau(problem: Problem, weights: Weights, sigma: float, omega: float) -> tuple[float, float]:
    """Return the half-width of the tube that leaves most room, and what it needs as a part of what it has."""
    steepest, _, _, jump = (float(fact or 0) for fact in activation_facts(problem.network.activation))
    inputs = problem.dataset.inputs
    gram, norms = inputs @ inputs.T, np.linalg.norm(inputs, axis=1)
    hidden, output = weights.layers
    distances = np.abs(hidden @ inputs.T) / np.where(norms > 0, norms, 1)
    top, size = float(np.abs(output).max()), len(hidden)
    rise = float((np.linalg.norm(gram, axis=1) / np.where(norms > 0, norms, 1)).max()) * top * steepest**0.5
    best = (0.0, inf)
    for tau in np.geomspace(1e-5, 1.0, 120):
        near = (distances <= tau) * np.abs(output).T
        deviation = float(np.linalg.eigvalsh(np.abs(gram) * (near.T @ near) * jump / size)[-1]) ** 0.5
        if not sigma > 2 * deviation * (1 + 1e-6):
            break
        needed = rise * residual_integral(FLOATS, omega, sigma, deviation) / (tau * weights.width**0.5) * (1 + 1e-5)
        best = min(best, (float(tau), float(needed)), key=lambda pair: pair[1])
    return best


def _distance(draft: Draft, start: Start) -> Plan:
    eta = _eta(draft)
    trial, radius = Draft(draft.setting), start.residual / start.sigma / 2
    ball = start.deviation(radius)
    try:
        point: NearbyPoint = _nearby(draft, trial, ball)
    except (Rejection, InputError) as error:
        return Plan(0.0, why=f"no point nearby fits the data: {error} (distance)")
    sigma, gap, misfit = (float(x) for x in (point.lambda_min, point.distance, point.residual))
    sigma = sigma**0.5 * (1 - 1e-9)
    for _ in range(STEPS):
        slope, norm = float(ball.slope), float(ball.norm)
        factor_, strength = 1.0, 1.0
        if eta:
            factor_ = float(descent_factor(FLOATS, eta, norm, slope, start.residual))
            if not factor_ > 0:
                return Plan(0.0, short=1 - factor_, why=f"κ is {factor_:.4g}, not positive (distance)")
            strength = float(descent_strength(FLOATS, factor_, eta, norm, slope, start.residual))

        def reach(share: float, slope: float = slope, strength: float = strength) -> float:
            found: float = wandering(FLOATS, gap, misfit, slope, share * strength * sigma)
            return found

        def margin(share: float, slope: float = slope, reach: Callable[[float], float] = reach) -> float:
            left: float = 1 - slope * reach(share) / sigma - share
            return left

        share = _largest_share(margin)
        if share is None:
            have = slope * gap / sigma
            return Plan(
                0.0,
                short=have / 0.4956,
                why=f"Λ‖θ_0 − p‖/σ_min(J_p) is {have:.4g}, where about 0.4956 is allowed (distance)",
            )
        whole = gap + reach(share) + eta * norm * start.residual
        if whole * (1 + 1e-7) <= float(ball.radius):
            break
        ball = start.deviation(whole * 1.02)
    else:
        return Plan(0.0, why="no radius was found in which the path stays (distance)")
    least = share * sigma
    rate = 2 * least**2 if not eta else float(descent_rate(FLOATS, factor_, eta, least))
    found: Draft = draft.setting.cache["deviation"]

    def prove() -> None:
        _join(draft, found)
        _join(draft, trial)
        draft.derive(
            "convergence",
            "instance_distance",
            ("point", "residual", "deviation"),
            {"share": short(share, up=False)},
            weaken=round_convergence,
        )

    return Plan(rate, prove)


PLANS: dict[str, Callable[[Draft, Start], Plan]] = {
    "kantorovich": _kantorovich,
    "distance": _distance,
    "tube": _tube,
}


def _eta(draft: Draft) -> float:
    weights = draft.setting.problem.weights
    return 0.0 if weights is None or weights.step_size is None else float(exact(weights.step_size))


def _join(draft: Draft, other: Draft) -> None:
    draft.steps += other.steps
    draft.proved |= other.proved


def _nearby(draft: Draft, trial: Draft, ball: LocalDeviation) -> NearbyPoint:
    """Find ``c`` with ``u(θ_0 + J_0ᵀc) ≈ y``, by Newton's method with ``H_0`` for ``J_p J_0ᵀ``, and prove the point."""
    setting, kernel = draft.setting, draft.proved["kernel"]
    if kernel.matrix is None or not isinstance(kernel.claim, Enclosure):
        raise RuntimeError("the enclosure holds no matrix")
    h = as_floats(kernel.matrix, -kernel.claim.precision)
    c: NDArray[np.float64] = np.zeros(len(h))
    residual = np.array([float(r) for r in setting.cache["evaluation"].residual])
    best: tuple[float, list[int], int] | None = None
    for _ in range(STEPS):
        c = c - np.linalg.solve(h, residual)
        scale = max(0, 60 - int(np.frexp(np.abs(c).max())[1]))
        integers = [int(x) for x in np.rint(np.ldexp(c, scale)).astype(np.int64)]
        _, at = nearby(setting, integers, scale)
        residual = np.array([float(r) for r in at.residual])
        misfit = float(np.linalg.norm(residual))
        if best is not None and misfit > best[0] / 2:
            break
        best = (misfit, integers, scale)
        if 2 * misfit / max(float(ball.slope), 1e-30) <= FITS * float(c @ h @ c):
            break
    if best is None:
        raise InputError("Newton's method leads nowhere")
    _, integers, scale = best
    _, at = nearby(setting, integers, scale)
    matrix, radius = gram(setting.arithmetic, at, PRECISION)
    enclosure = Enclosure("initial_kernel", PRECISION, radius)
    args, witness = cholesky_witness(matrix, enclosure)
    args |= {"precision": PRECISION, "coefficient_scale": scale}
    witness["coefficients"] = integer_array(integers)
    claim: NearbyPoint = trial.derive("point", "nearby_point", (), args, witness, _rounded_point(at, enclosure))
    return claim


def _largest_share(margin: Callable[[float], float]) -> float | None:
    """Return almost the largest share with a positive margin; None if there is none."""
    shares = np.linspace(0.02, 0.998, 200)
    good = [share for share in shares if margin(float(share)) > 1e-6]
    if not good:
        return None
    low, high = float(good[-1]), min(float(good[-1]) + 0.005, 0.9999999)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if margin(middle) > 1e-6 else (low, middle)
    return low


# What is stated is a little weaker than what is derived ----------------------------------------------------------


def _weaker(claim: Bound) -> Claim:
    return Bound(claim.quantity, rounded_up(claim.value))


def _rounded_tube(claim: TubeDeviation) -> Claim:
    return replace(claim, deviation=rounded_up(claim.deviation))


def _rounded_point(at: Evaluation, enclosure: Enclosure) -> Callable[[NearbyPoint], Claim]:
    allowed = Fraction(enclosure.radius, 2**enclosure.precision)
    return lambda claim: NearbyPoint(
        rounded_up(claim.distance),
        rounded_up(claim.residual + ALLOWED * at.residual_error),
        rounded_down(claim.lambda_min - allowed),
    )

"""Predictions from kernels known to more and more bits, until they are as accurate as wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import inf

import flint
import numpy as np
from flint import arb, arb_mat

from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prediction.balls import (
    ball,
    column_norms,
    enclosed,
    enclosed_norms,
    exact_difference,
    exact_matrix,
    largest,
    nothing,
    shaped,
)
from ntkproof.prediction.functions import Exponential, Spectral
from ntkproof.prediction.kernels import Known, know
from ntkproof.prediction.posterior import enclose_covariance, posterior
from ntkproof.prediction.results import Enclosed, Floats, Instant, Limit
from ntkproof.prediction.task import Task, Time, initial_outputs, parse_time, test_inputs
from ntkproof.prover.certify import certify
from ntkproof.prover.expansion import has_expansion

DEFAULT_ACCURACY = 1e-6
_MOST_ROWS_FOR_BALLS = 250


def predict(
    dataset: Dataset,
    network: Network,
    *,
    times: Sequence[Time] | None = None,
    test: Floats | None = None,
    initial: tuple[Floats, Floats] | None = None,
    noise: Time = 0,
    accuracy: float = DEFAULT_ACCURACY,
    tick: Tick = lambda done, total: None,
) -> Limit:
    """Predict the training of wide networks on a dataset.

    Args:
        dataset: n training inputs with targets y.
        network: the network; ``network.train`` says what is trained.  Unless it is ``all`` the output has no bias.
        times: decimals, or ``inf``; by default some from ``1/λ_max`` to ``1/λ_min``, and ``inf`` if
            ``λ_min > 0`` is proved.  Units: those of gradient flow on ``½‖r‖²``.
        test: m test inputs, shape (m, d).
        initial: ``f_0`` at the training inputs (n,) and at the test inputs (m,); zeros if not given.
        noise: variance of the observation noise in the posteriors, a decimal.
        accuracy: error wanted in means and covariances, relative to the largest target and variance; reached where
            that is cheap.
        tick: called with (done, total) during long steps.

    Raises:
        InputError: unusable data, no targets, times out of range, or ``inf`` with a kernel not proved regular.
    """
    if dataset.targets is None:
        raise InputError("a prediction needs targets")
    points = test_inputs(dataset, test)
    task = Task(dataset, network, points, initial_outputs(dataset, len(points), initial), exact(noise))
    if not 0 <= task.noise <= 10**6:
        raise InputError(f"the noise must be from 0 to 10^6, not {noise}")
    wanted = None if times is None else tuple(parse_time(t) for t in times)
    certificate = certify(dataset, network, tick=tick)
    best, reason = None, ""
    for bits, balls in _attempts(task):
        try:
            found = _limit(task, certificate, wanted, bits, balls, tick)
        except (Rejection, ZeroDivisionError) as error:
            reason = str(error)
            continue  # more bits may do
        except InputError:
            if best is None:
                raise
            break
        if best is None or _error(task, found) < _error(task, best):
            best = found
        if _error(task, best) <= accuracy:
            break
    if best is None:
        hint = "where inputs or targets are very large or small, rescaling them may help"
        raise InputError(f"no prediction was enclosed for these data: {reason}; {hint}")
    return best


def _attempts(task: Task) -> Iterator[tuple[int, bool]]:
    """Yield how many bits to enclose the kernel with, and whether to go on in balls."""
    if has_expansion(task.tangent):
        yield from ((bits, False) for bits in (40, 56))
        return
    yield 96, False
    if task.dataset.n <= _MOST_ROWS_FOR_BALLS:
        yield from ((bits, True) for bits in (192, 384, 768))


def _error(task: Task, found: Limit) -> float:
    """Return the largest relative error of means and covariances."""
    scale = max(float(np.abs(task.targets).max()), 1e-300)
    errors = [float(each.residual.radius.max()) / scale for each in found.instants]
    if len(task.test):
        pairs = [(each.mean, each.covariance) for each in found.instants]
        pairs += [(each.mean, each.covariance) for each in (found.nngp_posterior, found.ntk_posterior) if each]
        for mean, covariance in pairs:
            variance = max(float(np.abs(covariance.value).max()), 1e-300)
            errors += [float(mean.radius.max()) / scale, float(covariance.radius.max()) / variance]
    return max(errors, default=0.0)


def _limit(
    task: Task,
    certificate: Certificate,
    times: tuple[Fraction | None, ...] | None,
    bits: int,
    balls: bool,
    tick: Tick,
) -> Limit:
    """Make all predictions from kernels known to ``bits`` bits."""
    n = task.dataset.n
    floor = max(Fraction(0), Fraction(str(certificate.conclusion["lower"])))
    with flint.ctx.workprec(bits + 96):
        tangent = know(task.tangent, n, bits, tick)
        spectral = Spectral(tangent.train, tangent.radius, floor)
        rates = tangent.eigenvalues(spectral.vectors, floor)
        start = know(task.start, n, bits, tick) if len(task.test) else None
        chosen = _default_times(spectral, floor) if times is None else times
        if floor == 0 and None in chosen:
            raise InputError(_no_infinity(task))
        method = Exponential(tangent.train, tangent.radius) if balls else spectral
        return Limit(
            certificate,
            enclosed(rates),
            spectral.vectors,
            _components(task, spectral, rates),
            tuple(_instant(task, tangent, start, rates, method, time) for time in chosen),
            None if start is None else posterior(task, start, _floor_of(task, task.start, tick), balls),
            None if start is None else posterior(task, tangent, floor, balls),
        )


def _no_infinity(task: Task) -> str:
    """Say why ``t = inf`` is not predicted: the limit exists, ``P_{ker H} r_0`` stays, but no bound on it is proved.

    H is symmetric and positive semidefinite, so ``e^{−Ht} r_0 → P_{ker H} r_0``, and ``k_x`` is in the range of H, so
    ``f_t(x)`` converges too.  Where the kernel of the distinct rows is regular, the limit interpolates at each the mean
    of its targets.
    """
    seen: dict[bytes, int] = {}
    for j, row in enumerate(task.dataset.inputs + 0.0):
        i = seen.setdefault(row.tobytes(), j)
        if i < j:
            y = task.targets[i], task.targets[j]
            same = f"both have target {y[0]:.6g}: --drop-duplicates leaves one of them"
            other = f"their targets are {y[0]:.6g} and {y[1]:.6g}: leave one row with the mean of all its targets"
            return (
                f"rows {i} and {j} (counting from 0) are equal, so λ_min(H) = 0; t = inf is predicted for regular "
                f"kernels only; {same if y[0] == y[1] else other} (gradient flow has a limit here too, and if the "
                "kernel is regular without equal rows it is the same), or ask for finite times"
            )
    return (
        "λ_min(H) > 0 is not proved; t = inf is predicted for regular kernels only (gradient flow "
        "has a limit for every kernel); ask for finite times"
    )


def _default_times(spectral: Spectral, floor: Fraction) -> tuple[Fraction | None, ...]:
    """Return five times from ``1/λ_max`` to ``1/λ_min``, and infinity if the matrix is regular."""
    values = [float(d.mid()) for d in spectral.values]
    top = max(values)
    bottom = min(d for d in values if d > 1e-12 * top) if top > 0 else 1.0
    times = [Fraction(f"{t:.2g}") for t in np.geomspace(1 / max(top, bottom), 1 / bottom, 5)]
    return (*dict.fromkeys(times), *([None] if floor > 0 else []))


def _floor_of(task: Task, problem: Problem, tick: Tick) -> Fraction:
    """Return a certified lower bound on the smallest eigenvalue of a problem's training block."""
    certificate = certify(task.dataset, problem.network, kernel=problem.kernel, tick=tick)
    return max(Fraction(0), Fraction(str(certificate.conclusion["lower"])))


def _instant(
    task: Task,
    tangent: Known,
    start: Known | None,
    rates: list[arb],
    method: Spectral | Exponential,
    time: Fraction | None,
) -> Instant:
    n, m = tangent.n, len(task.test)
    here, there = task.initial
    gap = exact_difference(task.targets, here)
    columns = arb_mat([[gap[i, 0], *(tangent.matrix[i, n + j] for j in range(m))] for i in range(n)])
    found = method.apply(columns, [arb(0)] + [tangent.radius] * m, time)
    residual = [-found.decay[i, 0] for i in range(n)]
    error = found.decay_errors[0]
    least, most = (sum((end(x) ** 2 for x in residual), arb(0)).sqrt() for end in (arb.abs_lower, arb.abs_upper))
    norm = (least - error).max(0).union(most + error)
    weights = arb_mat([[found.integral[i, 0]] for i in range(n)])
    norms = column_norms(tangent.cross) if m else []
    loose = [
        a * found.integral_errors[0] + tangent.radius * (column_norms(weights)[0] + found.integral_errors[0])
        for a in norms
    ]
    mean = tangent.cross.transpose() * weights if m else arb_mat(0, 1)
    return Instant(
        inf if time is None else float(time),
        enclosed([arb(1) if time is None else -(-rate * ball(time)).expm1() for rate in rates]),
        enclosed(residual, [error] * n),
        shaped(enclosed([norm * norm / 2]), ()),
        enclosed([mean[j, 0] + arb(float(there[j])) for j in range(m)], loose),
        enclose_covariance(start, found, 1, arb(0)) if start is not None else nothing(m),
    )


def _components(task: Task, spectral: Spectral, rates: list[arb]) -> Enclosed:
    """Enclose the components of ``r_0`` along the eigenvectors.

    If all eigenvalues but the i-th differ from ``d_i`` by ``gap`` or more, ``sin ∠(u_i, ũ_i) ≤ ‖Hũ_i − d_iũ_i‖ /
    (gap ‖ũ_i‖)``, and unit vectors at an angle θ ≤ π/2 differ by at most ``√2 sin θ``.
    """
    start = exact_difference(task.initial[0], task.targets)
    size = column_norms(start)[0]
    u = exact_matrix(spectral.vectors)
    raw = u.transpose() * start
    values, radii = [], []
    for i, (d, defect, norm) in enumerate(zip(spectral.values, spectral.defects, enclosed_norms(u), strict=True)):
        value = raw[i, 0] / norm
        gaps = [(d - rate).abs_lower() * norm for j, rate in enumerate(rates) if j != i]
        sine = largest(defect / gap if gap > 0 else arb(1) for gap in gaps)
        values.append(value)
        radii.append(arb(2).sqrt() * sine * size if sine < 1 else size + abs(value))
    return enclosed(values, radii)

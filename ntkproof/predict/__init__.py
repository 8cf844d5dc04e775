"""What the limit of infinite width predicts about training, with proved error bounds.

With the kernel ``H = H∞`` of the training inputs X, gradient flow on ``½‖f(X) − y‖²`` and ``r = f(X) − y`` (Jacot et
al. 2018, section 5; Lee et al. 2019, sections 2.2 and 2.3)::

    r_t    = e^{−Ht} r_0,                             the component along the i-th eigenvector decays as e^{−λ_i t}
    f_t(x) = f_0(x) − k_xᵀ g_t(H) r_0,                g_t(λ) = (1 − e^{−λt})/λ = ∫_0^t e^{−λs} ds,  k_x = H(X, x)

At ``t = ∞`` that is kernel regression.  Over the random start, with K the covariance of ``f_0`` (the NNGP kernel),
``f_t`` at test inputs is Gaussian (Lee et al. 2019, equations 15 and 16), with ``a_x = g_t(H) k_x``::

    E f_t(x) = a_xᵀ y,    cov(f_t(x), f_t(x')) = z_xᵀ K z_x',    z_x = (1 at x, −a_x at X)

A Gaussian process with covariance K (or H) conditioned on ``f(X) = y`` has the same form with ``a_x = K⁻¹ k_x`` (or
``H⁻¹ k_x``) and K (or H) in the middle.  For ``t = ∞`` the means of the law and of the posterior of H agree, their
covariances do not.

Error bounds
------------
H is known as ``‖H − A‖ ≤ R`` (the rule ``kernel_enclosure`` or ``hermite_enclosure``) and ``0 ≤ λ ≤ λ_min(H)`` (a
certificate).  For any numbers ``d_i ≥ λ``, vectors ``u_i`` and coefficients ``c_i`` let
``r̃_t = Σ c_i e^{−d_i t} u_i``, an approximation of ``r_t = e^{−Ht} b``.  Its defect is
``r̃' + H r̃ = Σ c_i e^{−d_i t} (H u_i − d_i u_i)``, so with ``e_i ≥ ‖H u_i − d_i u_i‖`` and Duhamel's formula::

    ‖r_t − r̃_t‖                ≤ e^{−λt} (‖b − r̃_0‖ + t Σ |c_i| e_i)
    ‖∫_0^t r − ∫_0^t r̃‖        ≤ g_t(λ) (‖b − r̃_0‖ + Σ |c_i| e_i g_t(d_i))

For ``t = ∞`` the second line is ``‖x − x̃‖ ≤ ‖b − Hx̃‖/λ``.  The ``d_i, u_i, c_i`` come from LAPACK, the right-hand
sides are evaluated in Arb balls.  Where this is not accurate enough, ``exp(t [[−H, B], [0, 0]])``, whose upper right
block is ``g_t(H) B``, is enclosed by Arb with more bits, as long as n is small.  Proofs: docs/proofs/predictions.md.

Not trusted by the checker, and nothing here is a certificate but `Limit.certificate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf, isfinite, nextafter

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prover.certify import certify, enclose
from ntkproof.prover.draft import Draft
from ntkproof.prover.expansion import has_expansion

Floats = NDArray[np.float64]
Time = int | float | str | Fraction

DEFAULT_ACCURACY = 1e-6
_MOST_ROWS_FOR_BALLS = 250
_LARGEST_TIME = Fraction(10) ** 30


# Results --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Enclosed:
    """Numbers with proved error bounds: the true ones differ from ``value`` by at most ``radius``, entrywise.

    Args:
        value: float64, any shape.
        radius: of the same shape, rounded up.
    """

    value: Floats
    radius: Floats

    @property
    def lower(self) -> Floats:
        """Lower bounds, rounded down."""
        return np.nextafter(self.value - self.radius, -inf)

    @property
    def upper(self) -> Floats:
        """Upper bounds, rounded up."""
        return np.nextafter(self.value + self.radius, inf)


@dataclass(frozen=True, eq=False)
class Instant:
    """What the limit predicts after training for a time t.

    Args:
        time: t; ``inf`` for the end of training.
        filter: ``1 − e^{−λ_i t}``, shape (n,): the share of each component that is learnt, eigenvalues ascending.
        residual: ``r_t`` on the training inputs, shape (n,).
        loss: ``½‖r_t‖²``, shape ().
        mean: ``f_t`` at the test inputs, shape (m,); for a random start its expectation, given ``initial`` = 0.
        covariance: of ``f_t`` at the test inputs over random starts, shape (m, m).
    """

    time: float
    filter: Enclosed
    residual: Enclosed
    loss: Enclosed
    mean: Enclosed
    covariance: Enclosed


@dataclass(frozen=True, eq=False)
class Posterior:
    """A Gaussian process conditioned on the training targets: mean (m,) and covariance (m, m) at the test inputs."""

    mean: Enclosed
    covariance: Enclosed


@dataclass(frozen=True, eq=False)
class Limit:
    """The predictions of the limit of infinite width for n training inputs and m test inputs.

    Args:
        certificate: that of ``λ_min(H)``.
        rates: the eigenvalues ``λ_i`` of H, ascending, shape (n,).
        directions: approximate unit eigenvectors as columns, shape (n, n); not proved.
        components: ``u_i·r_0`` for the true eigenvectors, with the sign of ``directions``, shape (n,); the radius
            is the trivial one where an eigenvalue is not seen to be simple.
        instants: one for each time.
        nngp_posterior: of the Gaussian process with the covariance of ``f_0``; None without test inputs, or if that
            matrix is not proved to be regular.
        ntk_posterior: of the Gaussian process with covariance H; None likewise.
    """

    certificate: Certificate
    rates: Enclosed
    directions: Floats
    components: Enclosed
    instants: tuple[Instant, ...]
    nngp_posterior: Posterior | None
    ntk_posterior: Posterior | None

    @property
    def lambda_min(self) -> tuple[Fraction, Fraction]:
        """The certified bounds on ``λ_min(H)``."""
        claim = self.certificate.conclusion
        return Fraction(str(claim["lower"])), Fraction(str(claim["upper"]))


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
    points = _test_inputs(dataset, test)
    task = _Task(dataset, network, points, _start(dataset, len(points), initial), exact(noise))
    if not 0 <= task.noise <= 10**6:
        raise InputError(f"the noise must be from 0 to 10^6, not {noise}")
    wanted = None if times is None else tuple(_time(t) for t in times)
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
        raise InputError(f"no prediction was enclosed for these data: {reason}; rescale them (--standardize)")
    return best


@dataclass(frozen=True, eq=False)
class _Task:
    """What is asked: training data, network, test inputs, the outputs at the start and the noise of posteriors."""

    dataset: Dataset
    network: Network
    test: Floats
    initial: tuple[Floats, Floats]
    noise: Fraction

    @property
    def targets(self) -> Floats:
        if self.dataset.targets is None:
            raise InputError("a prediction needs targets")
        return self.dataset.targets

    @property
    def start(self) -> Problem:
        """Whose Gram matrix is the covariance of ``f_0``."""
        points = self._points()
        if self.network.train == "all":
            return Problem(points, self.network, "nngp")
        return Problem(points, replace(self.network, train="output"))

    @property
    def tangent(self) -> Problem:
        return Problem(self._points(), self.network)

    def _points(self) -> Dataset:
        return Dataset(np.concatenate([self.dataset.inputs, self.test]))


def _test_inputs(dataset: Dataset, test: Floats | None) -> Floats:
    points = np.zeros((0, dataset.d)) if test is None else np.asarray(test, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != dataset.d:
        raise InputError(f"the test inputs have shape {points.shape}; {dataset.d} columns are needed")
    return points


def _start(dataset: Dataset, m: int, initial: tuple[Floats, Floats] | None) -> tuple[Floats, Floats]:
    if initial is None:
        return np.zeros(dataset.n), np.zeros(m)
    here, there = (np.asarray(part, dtype=np.float64) for part in initial)
    if here.shape != (dataset.n,) or there.shape != (m,):
        raise InputError(
            f"the outputs at the start have shapes {here.shape}, {there.shape}, not ({dataset.n},), ({m},)"
        )
    if not (np.isfinite(here).all() and np.isfinite(there).all()):
        raise InputError("the outputs at the start contain NaN or infinity")
    return here, there


def _time(value: Time) -> Fraction | None:
    """Return a time; None for infinity."""
    if str(value) == "inf":
        return None
    time = exact(value)
    if not 0 <= time <= _LARGEST_TIME:
        raise InputError(f"a time must be from 0 to 1e30, or inf, not {value}")
    return time


def _attempts(task: _Task) -> Iterator[tuple[int, bool]]:
    """Yield how many bits to enclose the kernel with, and whether to go on in balls."""
    if has_expansion(task.tangent):
        yield from ((bits, False) for bits in (40, 56))
        return
    yield 96, False
    if task.dataset.n <= _MOST_ROWS_FOR_BALLS:
        yield from ((bits, True) for bits in (192, 384, 768))


def _error(task: _Task, found: Limit) -> float:
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


# Known matrices -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Known:
    """The Gram matrix of n training and m test inputs: ``‖H − matrix‖ ≤ radius``, matrix exact."""

    matrix: arb_mat
    radius: arb
    n: int

    def block(self, rows: slice, columns: slice) -> arb_mat:
        order = range(self.matrix.nrows())
        return arb_mat([[self.matrix[i, j] for j in order[columns]] for i in order[rows]])

    @property
    def train(self) -> arb_mat:
        return self.block(slice(0, self.n), slice(0, self.n))

    @property
    def cross(self) -> arb_mat:
        """Training inputs by test inputs."""
        return self.block(slice(0, self.n), slice(self.n, None))


def _know(problem: Problem, n: int, bits: int, tick: Tick) -> _Known:
    """Enclose a Gram matrix to so many bits below its largest entry."""
    precision = bits
    while True:
        draft = Draft(Setting(problem, arithmetic("fast"), tick))
        claim: Enclosure = enclose(draft, precision)
        matrix = draft.proved["kernel"].matrix
        if matrix is None:
            raise RuntimeError("the enclosure holds no matrix")
        size = max(matrix.entry(i, i) for i in range(matrix.n)).bit_length()
        if size + 8 >= bits or precision >= 2000:
            break
        precision += bits - size
    entries = [[arb(0)] * matrix.n for _ in range(matrix.n)]
    packed = iter(matrix.lower())
    for i in range(matrix.n):
        for j in range(i + 1):
            entries[i][j] = entries[j][i] = arb((next(packed), -claim.precision))
    return _Known(arb_mat(entries), arb((claim.radius, -claim.precision)), n)


@dataclass(frozen=True, eq=False)
class _Columns:
    """``e^{−Ht} B`` and ``g_t(H) B`` up to errors in norm, one for each column."""

    decay: arb_mat
    decay_errors: list[arb]
    integral: arb_mat
    integral_errors: list[arb]


class _Spectral:
    """Functions of H through approximate eigenvectors, see the top of this module."""

    def __init__(self, matrix: arb_mat, radius: arb, floor: Fraction) -> None:
        """Take ``‖H − matrix‖ ≤ radius`` and ``0 ≤ floor ≤ λ_min(H)``."""
        self._floor = _ball(floor)
        values, vectors = np.linalg.eigh(_floats(matrix))
        lowest = float(floor)
        self.vectors = vectors
        self.values = [
            arb(max(float(d), lowest if arb(lowest) >= self._floor else nextafter(lowest, inf))) for d in values
        ]
        self._u = _exact(vectors)
        image = matrix * self._u
        self._norms = _norms(self._u)
        defect = image - _scaled(self._u, self.values)
        self.defects = [_up(a + radius * b) for a, b in zip(_norms(defect), self._norms, strict=True)]
        self.rates = self._eigenvalues(image, radius)

    def _eigenvalues(self, image: arb_mat, radius: arb) -> list[arb]:
        """Enclose the eigenvalues of H in ascending order (Ostrowski and Weyl, as the rule ``spectrum``)."""
        transposed = self._u.transpose()
        overlaps, form = transposed * self._u, transposed * image
        n = len(self.values)
        tau = _up(_largest(sum((abs(overlaps[i, j] - (i == j)) for j in range(n)), arb(0)) for i in range(n)))
        off = _up(_largest(sum((abs(form[i, j]) for j in range(n) if j != i), arb(0)) for i in range(n)))
        off = _up(off + radius * (1 + tau))
        if not tau < 1:
            raise ZeroDivisionError("the eigenvectors are not nearly orthogonal")
        scale = (1 / (1 + tau)).union(1 / (1 - tau))
        middles = sorted((form[i, i] for i in range(n)), key=lambda x: float(x.mid()))
        lows = [(x - off) * scale for x in middles]
        highs = [(x + off) * scale for x in middles]
        return [
            low.lower().max(self._floor).union(high.upper().max(self._floor))
            for low, high in zip(lows, highs, strict=True)
        ]

    def apply(self, b: arb_mat, errors: list[arb], time: Fraction | None) -> _Columns:
        """Return the two functions of H times columns known up to errors in norm."""
        coefficients = _exact(self.vectors.T @ _floats(b))
        start = _norms(b - self._u * coefficients)
        start = [_up(a + e) for a, e in zip(start, errors, strict=True)]
        spent = [_integral(d, time) for d in self.values]
        left = [_decay(d, time) for d in self.values]
        n, k = coefficients.nrows(), coefficients.ncols()
        sizes = [[abs(coefficients[i, j]) * self.defects[i] for i in range(n)] for j in range(k)]
        outer, remaining = _integral(self._floor, time), _decay(self._floor, time)
        duration = arb(0) if time is None else _ball(time)
        return _Columns(
            self._u * _scaled_rows(coefficients, left),
            [_up(remaining * (s + duration * sum(size, arb(0)))) for s, size in zip(start, sizes, strict=True)],
            self._u * _scaled_rows(coefficients, spent),
            [
                _up(outer * (s + sum((x * g for x, g in zip(size, spent, strict=True)), arb(0))))
                for s, size in zip(start, sizes, strict=True)
            ],
        )


class _Balls:
    """Functions of H by Arb's exponential and solver: as accurate as wanted, and slow."""

    def __init__(self, matrix: arb_mat, radius: arb) -> None:
        n = matrix.nrows()
        spread = arb(0, radius)
        self._h = arb_mat([[matrix[i, j] + spread for j in range(n)] for i in range(n)])
        self._radius = radius

    def apply(self, b: arb_mat, errors: list[arb], time: Fraction | None) -> _Columns:
        """See `_Spectral.apply`; the errors go into the entries."""
        n, k = b.nrows(), b.ncols()
        b = arb_mat([[b[i, j] + arb(0, errors[j]) for j in range(k)] for i in range(n)])
        none = [arb(0)] * k
        if time is None:
            return _Columns(arb_mat(n, k), none, self._h.solve(b), none)
        t = _ball(time)
        whole = arb_mat(
            [[-t * self._h[i, j] for j in range(n)] + [t * b[i, j] for j in range(k)] for i in range(n)]
            + [[arb(0)] * (n + k)] * k
        ).exp()
        decay = arb_mat([[whole[i, j] for j in range(n)] for i in range(n)]) * b
        integral = arb_mat([[whole[i, n + j] for j in range(k)] for i in range(n)])
        if not all(x.is_finite() for x in integral.entries()):
            raise ZeroDivisionError("the exponential needs more bits")
        return _Columns(decay, none, integral, none)


def _integral(d: arb, time: Fraction | None) -> arb:
    """Enclose ``g_t(d) = ∫_0^t e^{−ds} ds`` for ``d ≥ 0``."""
    if time is None:
        return 1 / d
    t = _ball(time)
    return t if d == 0 else -(-d * t).expm1() / d


def _decay(d: arb, time: Fraction | None) -> arb:
    return arb(0) if time is None else (-d * _ball(time)).exp()


# Predictions ----------------------------------------------------------------------------------------------------


def _limit(
    task: _Task,
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
        tangent = _know(task.tangent, n, bits, tick)
        spectral = _Spectral(tangent.train, tangent.radius, floor)
        start = _know(task.start, n, bits, tick) if len(task.test) else None
        chosen = _default_times(spectral, floor) if times is None else times
        if floor == 0 and None in chosen:
            raise InputError(
                "λ_min(H) > 0 is not proved, so there is no limit t = inf to predict; ask for finite times only"
            )
        method = _Balls(tangent.train, tangent.radius) if balls else spectral
        return Limit(
            certificate,
            _enclosed(spectral.rates),
            spectral.vectors,
            _components(task, spectral),
            tuple(_instant(task, tangent, start, spectral.rates, method, time) for time in chosen),
            None if start is None else _posterior(task, start, _floor_of(task, task.start, tick), balls),
            None if start is None else _posterior(task, tangent, floor, balls),
        )


def _default_times(spectral: _Spectral, floor: Fraction) -> tuple[Fraction | None, ...]:
    """Return five times from ``1/λ_max`` to ``1/λ_min``, and infinity if the matrix is regular."""
    values = [float(d.mid()) for d in spectral.values]
    top = max(values)
    bottom = min(d for d in values if d > 1e-12 * top) if top > 0 else 1.0
    times = [Fraction(f"{t:.2g}") for t in np.geomspace(1 / max(top, bottom), 1 / bottom, 5)]
    return (*dict.fromkeys(times), *([None] if floor > 0 else []))


def _floor_of(task: _Task, problem: Problem, tick: Tick) -> Fraction:
    """Return a certified lower bound on the smallest eigenvalue of a problem's training block."""
    certificate = certify(task.dataset, problem.network, kernel=problem.kernel, tick=tick)
    return max(Fraction(0), Fraction(str(certificate.conclusion["lower"])))


def _instant(
    task: _Task,
    tangent: _Known,
    start: _Known | None,
    rates: list[arb],
    method: _Spectral | _Balls,
    time: Fraction | None,
) -> Instant:
    n, m = tangent.n, len(task.test)
    here, there = task.initial
    gap = _exact_difference(task.targets, here)
    columns = arb_mat([[gap[i, 0], *(tangent.matrix[i, n + j] for j in range(m))] for i in range(n)])
    found = method.apply(columns, [arb(0)] + [tangent.radius] * m, time)
    residual = [-found.decay[i, 0] for i in range(n)]
    error = found.decay_errors[0]
    least, most = (sum((end(x) ** 2 for x in residual), arb(0)).sqrt() for end in (arb.abs_lower, arb.abs_upper))
    norm = (least - error).max(0).union(most + error)
    weights = arb_mat([[found.integral[i, 0]] for i in range(n)])
    norms = _norms(tangent.cross) if m else []
    loose = [
        a * found.integral_errors[0] + tangent.radius * (_norms(weights)[0] + found.integral_errors[0]) for a in norms
    ]
    mean = tangent.cross.transpose() * weights if m else arb_mat(0, 1)
    return Instant(
        inf if time is None else float(time),
        _enclosed([arb(1) if time is None else -(-rate * _ball(time)).expm1() for rate in rates]),
        _enclosed(residual, [error] * n),
        _shaped(_enclosed([norm * norm / 2]), ()),
        _enclosed([mean[j, 0] + arb(float(there[j])) for j in range(m)], loose),
        _covariance(start, found, 1, arb(0)) if start is not None else _nothing(m),
    )


def _posterior(task: _Task, known: _Known, floor: Fraction, balls: bool) -> Posterior | None:
    """Condition the Gaussian process on the targets, observed with noise."""
    n, m = known.n, len(task.test)
    if floor + task.noise == 0:
        return None
    noise = _ball(task.noise)
    matrix = known.train
    for i in range(n):
        matrix[i, i] += noise
    method = _Balls(matrix, known.radius) if balls else _Spectral(matrix, known.radius, floor + task.noise)
    found = method.apply(known.cross, [known.radius] * m, None)
    y = _exact(task.targets[:, None])
    mean, size = found.integral.transpose() * y, _norms(y)[0]
    return Posterior(
        _enclosed([mean[j, 0] for j in range(m)], [size * e for e in found.integral_errors]),
        _covariance(known, found, 0, noise),
    )


def _covariance(known: _Known, found: _Columns, first: int, noise: arb) -> Enclosed:
    """Enclose ``z_xᵀ (K + noise on the training block) z_x'`` with ``z_x = (−a_x, 1)``, columns from ``first``.

    With ``z = z̃ + δ``, δ on the training inputs and ``‖δ_x‖ ≤ ε_x``, and ``K = K̃ + E``, ``‖E‖ ≤ R``, the error is at
    most ``‖(K̃z̃_x)_X‖ε_x' + ε_x‖(K̃z̃_x')_X‖ + ‖K̃_XX‖ε_xε_x' + R‖z_x‖‖z_x'‖``.
    """
    n, m = known.n, known.matrix.nrows() - known.n
    errors = found.integral_errors[first:]
    a = arb_mat([[found.integral[i, first + j] for j in range(m)] for i in range(n)])
    z = arb_mat(
        [[-a[i, j] for j in range(m)] for i in range(n)] + [[arb(int(i == j)) for j in range(m)] for i in range(m)]
    )
    matrix = arb_mat(known.matrix)
    for i in range(n):
        matrix[i, i] += noise
    image = matrix * z
    value = z.transpose() * image
    steep = _norms(arb_mat([[image[i, j] for j in range(m)] for i in range(n)]))
    train = [[matrix[i, j] for j in range(n)] for i in range(n)]
    bound = _up(_largest(sum((abs(x) for x in row), arb(0)) for row in train))
    sizes = [_up(size + e) for size, e in zip(_norms(z), errors, strict=True)]
    entries, radii = [], []
    for i in range(m):
        for j in range(m):
            entries.append(value[i, j])
            radii.append(
                steep[i] * errors[j]
                + errors[i] * steep[j]
                + bound * errors[i] * errors[j]
                + known.radius * sizes[i] * sizes[j]
            )
    return _shaped(_enclosed(entries, radii), (m, m))


def _components(task: _Task, spectral: _Spectral) -> Enclosed:
    """Enclose the components of ``r_0`` along the eigenvectors.

    If all eigenvalues but the i-th differ from ``d_i`` by ``gap`` or more, ``sin ∠(u_i, ũ_i) ≤ ‖Hũ_i − d_iũ_i‖ /
    (gap ‖ũ_i‖)``, and unit vectors at an angle θ ≤ π/2 differ by at most ``√2 sin θ``.
    """
    n = task.dataset.n
    start = _exact_difference(task.initial[0], task.targets)
    size = _norms(start)[0]
    u = _exact(spectral.vectors)
    raw = u.transpose() * start
    values, radii = [], []
    for i, (d, defect, norm) in enumerate(zip(spectral.values, spectral.defects, _norms(u), strict=True)):
        gap = _smallest([(d - rate).abs_lower() for j, rate in enumerate(spectral.rates) if j != i])
        value = raw[i, 0] / norm
        sine = defect / (gap * norm) if gap > 0 else arb(1)
        values.append(value)
        radii.append(arb(2).sqrt() * sine * size if sine < 1 else size + abs(value))
    return _enclosed(values, radii) if n else _nothing(0)


# Arb ------------------------------------------------------------------------------------------------------------


def _ball(value: Fraction) -> arb:
    return arb(flint.fmpq(value.numerator, value.denominator))


def _up(x: arb) -> arb:
    """Return an exact number at least x ≥ 0."""
    return x.abs_upper()


def _largest(values: Iterable[arb]) -> arb:
    """Enclose the largest of some numbers; 0 for none."""
    result = arb(0)
    for value in values:
        result = result.max(value)
    return result


def _smallest(values: Iterable[arb]) -> arb:
    """Enclose the smallest of some numbers; 0 for none."""
    found = list(values)
    result = found[0] if found else arb(0)
    for value in found[1:]:
        result = result.min(value)
    return result


def _exact(array: Floats) -> arb_mat:
    """Return float64 numbers, exactly."""
    return arb_mat([[arb(x) for x in row] for row in array.tolist()])


def _exact_difference(a: Floats, b: Floats) -> arb_mat:
    """Return ``a − b`` of two float64 vectors as a column."""
    return arb_mat([[arb(x) - arb(y)] for x, y in zip(a.tolist(), b.tolist(), strict=True)])


def _floats(matrix: arb_mat) -> Floats:
    """Return the midpoints, rounded."""
    return np.array([[float(x.mid()) for x in row] for row in matrix.table()]).reshape(matrix.nrows(), matrix.ncols())


def _norms(matrix: arb_mat) -> list[arb]:
    """Return upper bounds on the norms of the columns."""
    rows, columns = range(matrix.nrows()), range(matrix.ncols())
    return [_up(sum((_up(matrix[i, j]) ** 2 for i in rows), arb(0)).sqrt()) for j in columns]


def _scaled(matrix: arb_mat, factors: list[arb]) -> arb_mat:
    """Return the matrix with its columns times factors."""
    return arb_mat([[x * f for x, f in zip(row, factors, strict=True)] for row in matrix.table()])


def _scaled_rows(matrix: arb_mat, factors: list[arb]) -> arb_mat:
    return arb_mat([[x * f for x in row] for row, f in zip(matrix.table(), factors, strict=True)])


def _enclosed(values: list[arb], errors: list[arb] | None = None) -> Enclosed:
    """Return balls, widened by errors, as float64 numbers and radii."""
    shown = np.array([float(x.mid()) for x in values])
    spare = [arb(0)] * len(values) if errors is None else errors
    radii = [_float_up(abs(x - arb(y)) + e) for x, y, e in zip(values, shown.tolist(), spare, strict=True)]
    return Enclosed(shown, np.array(radii))


def _float_up(x: arb) -> float:
    """Return a float64 number at least x ≥ 0."""
    if not x.is_finite():
        return inf
    number = float(x.upper())
    while isfinite(number) and not arb(number) >= x:
        number = nextafter(number, inf)
    return number


def _shaped(enclosed: Enclosed, shape: tuple[int, ...]) -> Enclosed:
    return Enclosed(enclosed.value.reshape(shape), enclosed.radius.reshape(shape))


def _nothing(m: int) -> Enclosed:
    return Enclosed(np.zeros((m, m)), np.zeros((m, m)))

"""Training networks of finite width: gradient descent, with or without batches, and gradient flow.

Both are iterators over `State`; whoever consumes them decides when to look, to save and to stop.  The loss is
``L = ½‖f(X) − y‖²``, θ the native parameters of `ntkproof.simulation.networks.Model`.

Gradient flow ``θ' = F(θ) = −Jᵀr`` is stiff: its time scales are the reciprocal eigenvalues of ``H = J Jᵀ``.  The
integrator solves the flow of the linearised network exactly, as if H did not move, and integrates the rest
(exponential time differencing, third order with embedded second: Cox and Matthews 2002, section 2.2, linearised anew
at every step).  ``φ_k`` of the P × P matrix ``−h JᵀJ`` acts through n × n matrices,
``φ_k(−h JᵀJ) v = v/k! − h Jᵀ φ_{k+1}(−hH) J v``, so a step costs about as much as one of a Runge–Kutta pair, and a
network in the linear regime needs few of them however long it trains.

For σ with kinks F jumps.  A neuron may be held at a kink from both sides; the flow then slides along it (a solution in
the sense of Filippov) and the integrator chatters, so errors shrink with the first power of the step only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.activations import has_kinks
from ntkproof.simulation.networks import Model, Trace

Floats = NDArray[np.float64]

TOLERANCE = 1e-4
TOLERANCE_AT_KINKS = 1e-3
_SAFETY = 0.8
_GROWTH = 10.0


@dataclass(frozen=True)
class State:
    """A network at one moment of its training.

    Args:
        model: the network.
        targets: y, shape (n,).
        theta: its native parameters, shape (P,).
        step: how many steps were taken.
        time: gradient flow: t; descent: step size times ``step``.
        error: gradient flow: the estimated relative error of the residual and of ``θ − θ_0``, local errors summed.
    """

    model: Model
    targets: Floats
    theta: Floats
    step: int = 0
    time: float = 0.0
    error: float = 0.0

    @cached_property
    def trace(self) -> Trace:
        """The pass forward and backward on all samples."""
        return self.model.trace(self.theta)

    @property
    def residual(self) -> Floats:
        """``f(X) − y``, shape (n,)."""
        return self.trace.outputs - self.targets

    @property
    def loss(self) -> float:
        """``½‖f(X) − y‖²``."""
        return float(self.residual @ self.residual) / 2


# Gradient descent -----------------------------------------------------------------------------------------------


def descent(start: State, step_size: float, *, batch: int | None = None, seed: int = 0) -> Iterator[State]:
    """Yield the states of gradient descent without end, ``start`` first.

    Args:
        start: where it starts; ``start.step`` may be above 0 when training is taken up again.
        step_size: η.
        batch: samples in a batch, or None for all.  Epoch e takes the samples in the order that the seeds
            ``(seed, e)`` give, so a training taken up again goes on as it would have; the gradient is multiplied by
            n/batch, to be right in the mean.  A remainder of n/batch samples is left out of the epoch.
        seed: of the batches.
    """
    state, n = start, len(start.targets)
    size = n if batch is None else min(batch, n)
    while True:
        yield state
        if size == n:
            gradient = state.model.pull(state.trace, state.residual)
        else:
            epoch, k = divmod(state.step, n // size)
            rows = np.random.default_rng([seed, epoch]).permutation(n)[k * size : (k + 1) * size]
            part = state.model.restricted(rows)
            trace = part.trace(state.theta)
            gradient = part.pull(trace, (trace.outputs - state.targets[rows]) * (n / size))
        theta = state.theta - step_size * gradient
        state = State(state.model, state.targets, theta, state.step + 1, (state.step + 1) * step_size)


# Gradient flow --------------------------------------------------------------------------------------------------


def flow(start: State, times: Sequence[float], *, tolerance: float | None = None) -> Iterator[State]:
    """Yield the states of gradient flow at given times.

    ``State.error`` adds up local errors, and those of the embedded method; for smooth σ it was some hundred times the
    true error in tests.

    Args:
        start: the state at ``start.time``.
        times: ascending, none before ``start.time``.
        tolerance: the estimated local error allowed in a step, relative to the residual and to the path so far; unless
            given, 1e-4 for smooth σ and 1e-3 for σ with kinks.

    Raises:
        InputError: the step size becomes negligible: the parameters blow up, or the tolerance is out of reach.
    """
    if tolerance is None:
        tolerance = TOLERANCE_AT_KINKS if has_kinks(start.model.network.activation) else TOLERANCE
    state, beginning, step = start, start.theta, math.inf
    for time in times:
        while state.time < time:
            left = time - state.time
            state, grown = _advance(state, beginning, min(step, left), time, tolerance)
            whole = step > left and state.time == time  # only cut short, so what was planned stands
            step = max(step, grown) if whole else grown
        yield state


def _advance(state: State, beginning: Floats, step: float, time: float, tolerance: float) -> tuple[State, float]:
    """Take one step of at most ``step``, halved until its error is small; return the state and the next step."""
    linear = Linearised(state)
    if not np.isfinite(linear.eigenvalues).all():
        raise InputError(f"gradient flow leaves the float64 range at t = {state.time:.6g}")
    while True:
        if not step > 1e-14 * time:
            raise InputError(f"gradient flow cannot go on at t = {state.time:.6g} with tolerance {tolerance:g}")
        moved, error = linear.step(step, state.theta - beginning)
        if error <= tolerance:
            break
        step *= max(0.1, _SAFETY * (tolerance / error) ** (1 / 3)) if math.isfinite(error) else 0.1
    reached = time if step >= time - state.time else state.time + step
    after = State(state.model, state.targets, state.theta + moved, state.step + 1, reached, state.error + error)
    growth = _GROWTH if error == 0 else min(_GROWTH, _SAFETY * (tolerance / error) ** (1 / 3))
    return after, step * growth


class Linearised:
    """Gradient flow near one state: the linearised network exactly, and steps of the flow itself."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.residual = state.residual
        kernel = state.model.kernel(state.trace)
        if not np.isfinite(kernel).all():
            self.eigenvalues = np.full(len(kernel), np.nan)
            return
        eigenvalues, self.vectors = np.linalg.eigh(kernel)
        self.eigenvalues = np.maximum(eigenvalues, 0.0)

    def _apply(self, function: Floats, vector: Floats) -> Floats:
        """Return ``f(H) v`` for the values of f at the eigenvalues."""
        return np.asarray(self.vectors @ (function * (self.vectors.T @ vector)))

    def _pull(self, vector: Floats) -> Floats:
        return self.state.model.pull(self.state.trace, vector)

    def _push(self, vector: Floats) -> Floats:
        return self.state.model.push(self.state.trace, vector)

    def _nonlinear(self, change: Floats, output_change: Floats) -> Floats:
        """Return ``N(v) − N(0)``, ``N(v) = F(θ + v) + JᵀJ v``, given v and ``Jv``; shape (P,)."""
        there = State(self.state.model, self.state.targets, self.state.theta + change)
        return self._pull(output_change + self.residual) - there.model.pull(there.trace, there.residual)

    def step(self, h: float, path: Floats) -> tuple[Floats, float]:
        """Return the change of θ in time h and its relative error, that of the embedded method.

        Args:
            h: the step.
            path: the way from the start of the training, to which an error in θ is relative.
        """
        z = -h * self.eigenvalues
        phi = phi_functions(z)
        half = phi_functions(z / 2)[1]

        inner = -h / 2 * self._apply(half, self.residual)
        first = self._nonlinear(self._pull(inner), self._apply(self.eigenvalues, inner))
        first_outputs = self._push(first)

        linear = -h * self._apply(phi[1], self.residual)
        correction = -2 * h**2 * self._apply(phi[2], first_outputs)
        change = self._pull(linear + correction) + 2 * h * first
        outputs = self._apply(self.eigenvalues, linear + correction) + 2 * h * first_outputs
        second = self._nonlinear(change, outputs)
        second_outputs = self._push(second)

        def combined(a: dict[int, int], b: dict[int, int]) -> tuple[Floats, Floats]:
            """Return ``h Σ_k (a_k φ_k) first + (b_k φ_k) second``: a change of θ, and its part within ``Jᵀ``."""
            inside = np.zeros_like(self.residual)
            outside = np.zeros_like(first)
            for weights, vector, seen in ((a, first, first_outputs), (b, second, second_outputs)):
                outside += h * sum(c / math.factorial(k) for k, c in weights.items()) * vector
                inside -= h**2 * self._apply(np.sum([c * phi[k + 1] for k, c in weights.items()], axis=0), seen)
            return outside, inside

        outside, inside = combined({2: 4, 3: -8}, {2: -1, 3: 4})
        moved = outside + self._pull(linear + inside)
        outside, inside = combined({2: 2, 3: -8}, {2: -1, 3: 4})
        error = outside + self._pull(inside)
        return moved, self._relative(error, moved, path)

    def _relative(self, error: Floats, moved: Floats, path: Floats) -> float:
        size = max(float(np.linalg.norm(path + moved)), float(np.linalg.norm(moved)))
        residual = float(np.linalg.norm(self.residual))
        in_theta = float(np.linalg.norm(error)) / size if size > 0 else 0.0
        in_outputs = float(np.linalg.norm(self._push(error))) / residual if residual > 0 else 0.0
        return max(in_theta, in_outputs) if math.isfinite(in_theta + in_outputs) else math.inf


def phi_functions(z: Floats) -> list[Floats]:
    """Return ``φ_0 … φ_4`` at numbers ``z ≤ 0``: ``φ_0 = e^z``, ``φ_{k+1}(z) = (φ_k(z) − 1/k!)/z``.

    Where z is small they are summed as ``φ_k(z) = Σ_j z^j/(j + k)!``; relative errors stay below 1e-12.
    """
    z = np.asarray(z, dtype=np.float64)
    near = np.abs(z) < 1.0
    safe = np.where(near, -1.0, z)
    far = [np.exp(safe)]
    for k in range(4):
        far.append((far[k] - 1 / math.factorial(k)) / safe)
    small = np.where(near, z, 0.0)
    result = []
    for k in range(5):
        series = np.zeros_like(z)
        for j in range(20, -1, -1):
            series = series * small + 1 / math.factorial(j + k)
        result.append(np.where(near, series, far[k]))
    return result

"""What is asked: training data, a network, test inputs, outputs at the start, noise and times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.prediction.results import Floats

Time = int | float | str | Fraction

_LARGEST_TIME = Fraction(10) ** 30


@dataclass(frozen=True, eq=False)
class Task:
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


def test_inputs(dataset: Dataset, test: Floats | None) -> Floats:
    """Return the test inputs, shape (m, d), or refuse them."""
    points = np.zeros((0, dataset.d)) if test is None else np.asarray(test, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != dataset.d:
        raise InputError(f"the test inputs have shape {points.shape}; {dataset.d} columns are needed")
    return points


def initial_outputs(dataset: Dataset, m: int, initial: tuple[Floats, Floats] | None) -> tuple[Floats, Floats]:
    """Return ``f_0`` at the training and at the m test inputs, or refuse it; zeros if None."""
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


def parse_time(value: Time) -> Fraction | None:
    """Return a time; None for infinity."""
    if str(value) == "inf":
        return None
    time = exact(value)
    if not 0 <= time <= _LARGEST_TIME:
        raise InputError(f"a time must be from 0 to 1e30, or inf, not {value}")
    return time

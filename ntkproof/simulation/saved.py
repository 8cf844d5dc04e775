"""One training whose weights are saved on the way, in a folder as `ntkproof.data.runs` describes it.

Gradient descent in the NTK parametrisation, so the saved weights are those that certificates about given weights are
about.  An interrupted training goes on from the last saved step, and to the same weights, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.step_size import positive_step
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.runs import RECORD, Run, read_run, saved_steps, step_path, write_run
from ntkproof.data.weights import load_weights, save_weights
from ntkproof.simulation.cells import schedule
from ntkproof.simulation.experiment import Experiment, check_grid
from ntkproof.simulation.measure import limit
from ntkproof.simulation.networks import Model
from ntkproof.simulation.training import State, descent


@dataclass(frozen=True)
class Trained:
    """What a training did.

    Args:
        step_size: η, a decimal.
        first: the step it went on from, 0 for a new one.
        last: the last step.
        losses: the loss ½‖r‖² at the saved steps, from ``first`` on.
    """

    step_size: str
    first: int
    last: int
    losses: dict[int, float]


def train(
    experiment: Experiment,
    width: int,
    seed: int,
    folder: Path,
    save_every: int,
    step_size: str | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Trained:
    """Train one network by gradient descent and save its weights at the start, every so many steps, and at the end.

    Args:
        experiment: data, network, init, steps and batch; for given weights they are the start.
        width: of the hidden layers.
        seed: of the start and of the batches; the start is that of the same cell of `ntkproof.simulation.runs`.
        folder: made if it is not there; if it holds a part of the same training, that goes on.
        save_every: steps.
        step_size: η, a decimal; None takes 1/λ_max(H∞), rounded down to three digits.
        tick: called with the steps done and all steps.

    Raises:
        InputError: unusable values, a folder that holds something else, or a training that blows up.
    """
    if save_every < 1:
        raise InputError(f"the number of steps between savings must be positive, not {save_every}")
    check_grid(experiment, [width], [seed])
    if step_size is None:
        largest = float(limit(experiment.dataset, experiment.network).eigenvalues[-1])
        step_size = rounded_down(1 / largest)
    positive_step(step_size)
    steps = experiment.steps or _predicted_steps(experiment, float(exact(step_size)))
    start = experiment.start(width, seed)
    record = _record(experiment, width, seed, step_size)
    state = _taken_up(start, record, folder, experiment)
    with np.errstate(over="ignore", invalid="ignore"):
        losses = _train(state, experiment, seed, folder, save_every, step_size, steps, tick)
    return Trained(step_size, state.step, max(losses), losses)


def _train(
    state: State,
    experiment: Experiment,
    seed: int,
    folder: Path,
    save_every: int,
    step_size: str,
    steps: int,
    tick: Callable[[int, int], None],
) -> dict[int, float]:
    """Train to a step and save; return the loss by saved step."""
    losses: dict[int, float] = {}
    first = state.step
    for now in descent(state, float(exact(step_size)), batch=experiment.batch, seed=seed):
        if now.step % save_every == 0 or now.step in (first, steps):
            losses[now.step] = now.loss
            if not math.isfinite(now.loss):
                raise InputError(f"the training blew up before step {now.step}; a smaller step size may help")
            if now.step > first:
                save_weights(now.model.weights(now.theta), step_path(folder, now.step))
        tick(now.step, steps)
        if now.step >= steps:
            break
    return losses


def rounded_down(value: float, digits: int = 3) -> str:
    """Return the decimal of a positive number cut to some significant digits."""
    unit = Fraction(10) ** (math.floor(math.log10(value)) - digits + 1)
    return decimal(Fraction(value) // unit * unit)


def _predicted_steps(experiment: Experiment, step_size: float) -> int:
    kernel = limit(experiment.dataset, experiment.network).kernel
    chosen = Experiment(experiment.dataset, experiment.network, step_size=step_size)
    return int(schedule(chosen, kernel, -experiment.targets)[1][-1])


def _record(experiment: Experiment, width: int, seed: int, step_size: str) -> Run:
    notes: dict[str, int | str] = {"width": width, "init": experiment.init, "seed": seed}
    if experiment.weights is not None:
        notes = {"start_sha256": experiment.weights.sha256}
    if experiment.batch is not None:
        notes |= {"batch": experiment.batch, "batch_seed": seed}
    dataset = experiment.dataset
    return Run(experiment.network, dataset.sha256, dataset.label, decimal(exact(step_size)), notes)


def _taken_up(start: State, record: Run, folder: Path, experiment: Experiment) -> State:
    """Return the state to go on from: the last one that is saved, or the start, which is saved then."""
    if (folder / RECORD).exists():
        found = read_run(folder)
        names = {
            "network": "network",
            "sha256": "data",
            "step_size": "step size",
            "notes": "width, init, seed or batch",
        }
        different = [shown for name, shown in names.items() if getattr(found, name) != getattr(record, name)]
        if different:
            raise InputError(f"{folder}: holds another training (other {', '.join(different)}); choose another folder")
        step, path = saved_steps(folder)[-1]
        weights = load_weights(path, record.network)
        try:
            Problem(experiment.dataset, record.network, weights=weights)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        model = Model(record.network, weights, experiment.dataset.inputs)
        if len(model.start) != len(start.theta):
            raise InputError(f"{path}: {len(model.start)} trained weights where the run has {len(start.theta)}")
        return State(model, start.targets, model.start, step)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(path != step_path(folder, 0) for path in folder.glob("step-*")):
            raise InputError(f"{folder}: has saved steps but no {RECORD}")
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as the folder of a run ({error.strerror})") from None
    save_weights(_start_weights(experiment, start, record), step_path(folder, 0))
    write_run(folder, record)
    return start


def _start_weights(experiment: Experiment, start: State, record: Run) -> Weights:
    """Return the weights at the start, one half of them if they are mirrored."""
    if experiment.weights is not None:
        return experiment.weights
    return experiment.weights_at(int(record.notes["width"]), int(record.notes["seed"]))

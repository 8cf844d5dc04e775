"""Continues the training of the shipped certificates about given weights, and draws it beside what is certified.

``python docs/given_weights.py`` prints the table of ``docs/given-weights.md``; with ``--write`` it draws
``docs/figures/given-weights.png`` as well, which takes some minutes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.checker.check import read
from ntkproof.checker.logic.format import SUFFIX, Certificate
from ntkproof.checker.logic.numbers import decimal, exact
from ntkproof.checker.problem.weights import Weights
from ntkproof.simulation.networks import Model
from ntkproof.simulation.training import State, descent, flow

FOLDER = Path(__file__).parents[1] / "certificates" / "given_weights"
FIGURE = Path(__file__).parent / "figures" / "given-weights.png"
EXAMPLES = (
    "wine-20-erf",
    "wine-20-erf-descent",
    "wine-50-erf",
    "digits-50-erf-step140",
    "digits-50-tanh-step300",
    "digits-50-tanh-step300-descent",
    "digits-10-relu",
)
FORMS = {"instance_kantorovich": "Kantorovich", "instance_distance": "distance", "instance_tube": "tube"}
RECORDS = 30
DECAYS = {"flow": 7.0, "descent": 1.0}  # how long: until the certified bound of the loss is e^-this
NEGLIGIBLE = 1e-13  # of the loss, about the square of what float64 knows of the residual

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Continued:
    """A training from the certified weights on; arrays over the moments that were looked at.

    Args:
        time: t, or the step size times the number of steps.
        loss: as a part of the loss at the start; ``loss_bound`` likewise.
        distance: ``‖θ_t − θ_0‖``, certified to stay within ``radius``.
        least: ``λ_min(H_t)``, certified to stay above ``least_bound``.
        change: ``‖H_t − H_0‖``, certified to stay within ``change_bound``.
    """

    time: Floats
    loss: Floats
    loss_bound: Floats
    distance: Floats
    radius: float
    least: Floats
    least_bound: float
    change: Floats
    change_bound: float


def certificate(name: str) -> Certificate:
    """Return a shipped certificate about given weights."""
    return read(FOLDER / f"given-{name}{SUFFIX}")


def given(proof: Certificate) -> Weights:
    """Return the weights a certificate is about."""
    if proof.problem.weights is None:
        raise ValueError("no given weights")
    return proof.problem.weights


def start(proof: Certificate) -> State:
    """Return the network at the weights of a certificate."""
    dataset = proof.problem.dataset
    if dataset.targets is None:
        raise ValueError("no targets")
    model = Model(proof.problem.network, given(proof), dataset.inputs)
    return State(model, dataset.targets, model.start)


def moments(proof: Certificate) -> Iterator[State]:
    """Yield the training at the start and at about `RECORDS` moments, geometrically spaced."""
    claim, first = proof.conclusion, start(proof)
    rate, dynamics = float(claim["rate"]), str(claim["dynamics"])
    end = DECAYS[dynamics] / rate
    if dynamics == "flow":
        yield from flow(first, [0.0, *np.geomspace(end / 1e4, end, RECORDS)])
        return
    size = float(given(proof).step_size or 0)
    wanted = sorted({round(k) for k in [0.0, *np.geomspace(1, end / size, RECORDS)]})
    for state in descent(first, size):
        if state.step in wanted:
            yield state
        if state.step == wanted[-1]:
            return


def continued(proof: Certificate) -> Continued:
    """Train on from the weights of a certificate, in float64, and measure what it bounds."""
    claim, rows = proof.conclusion, []
    rate, beginning, kernel, loss = float(claim["rate"]), None, None, math.nan
    size = float(given(proof).step_size or 0)
    for state in moments(proof):
        now = state.model.kernel(state.trace)
        if beginning is None or kernel is None:
            beginning, kernel, loss = state.theta, now, state.loss
        bound = (1 - size * rate) ** state.step if size else math.exp(-rate * state.time)
        change = np.linalg.norm(now - kernel, 2)
        moved = np.linalg.norm(state.theta - beginning)
        rows.append((state.time, state.loss / loss, bound, moved, np.linalg.eigvalsh(now)[0], change))
        if state.loss < NEGLIGIBLE * loss:
            break
    time, losses, bounds, moved, least, change = np.array(rows, dtype=np.float64).T
    # in each theorem the rate of descent is (2x − x²)/η with x ≤ η σ_*², and σ_*² bounds λ_min(H) from below
    least_bound = (1 - math.sqrt(1 - size * rate)) / size if size else rate / 2
    radius, drift = float(claim["radius"]), float(claim["kernel_deviation"])
    return Continued(time, losses, bounds, moved, radius, least, least_bound, change, drift)


def table() -> list[str]:
    """Return the rows of the table of the examples, in Markdown."""
    rows = []
    for name in EXAMPLES:
        proof = certificate(name)
        claim, dataset, network = proof.conclusion, proof.problem.dataset, proof.problem.network
        data, step = dataset.label.split()[0], name.partition("step")[2].removesuffix("-descent") or "0"
        eta = given(proof).step_size
        cells = (
            f"{data}, {dataset.n} × {dataset.d}",
            f"{network.activation}, {network.depth} hidden, train {network.train}",
            f"{int(claim['width']):,}".replace(",", " "),
            step,
            "flow" if eta is None else f"descent, η = {decimal(exact(eta))}",
            FORMS[proof.steps[-1].rule],
            f"{float(claim['rate']):.3g}",
            f"{float(claim['radius']):.3g}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def draw() -> None:
    """Write the figure."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(2.3 * len(EXAMPLES), 6.2), layout="constrained")
    panels = figure.subplots(3, len(EXAMPLES))
    for column, name in zip(panels.T, EXAMPLES, strict=True):
        found = continued(certificate(name))
        seen = found.time > 0
        time = found.time[seen]
        for axes, values, bound in zip(
            column,
            (found.loss, found.distance, found.least),
            (found.loss_bound[seen], found.radius + 0 * time, found.least_bound + 0 * time),
            strict=True,
        ):
            axes.plot(time, values[seen], color="C0", label="training")
            axes.plot(time, bound, color="C3", linestyle="--", label="certified")
            axes.set(xscale="log", ylim=(0, None))
            axes.tick_params(labelsize=7)
            axes.minorticks_off()
        column[0].set(yscale="log", ylim=(1e-8, 3))
        column[0].set_title(name.replace("-descent", "\ndescent").replace("-step", "\nstep "), fontsize=8)
        column[2].set_xlabel("t" if given(certificate(name)).step_size is None else "ηk", fontsize=8)
        print(f"{name}: {len(time)} moments", flush=True)
    for axes, label in zip(panels[:, 0], ("loss / loss at the start", "distance", "λ_min(H)"), strict=True):
        axes.set_ylabel(label, fontsize=8)
    panels[0, 0].legend(fontsize=7)
    figure.savefig(FIGURE, dpi=75)


def main() -> None:
    """Print the table, or draw as well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="draw the figure")
    print("\n".join(table()))
    if parser.parse_args().write:
        draw()


if __name__ == "__main__":
    main()

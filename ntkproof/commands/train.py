"""The command ``ntkproof train``: one network trained by gradient descent, its weights saved on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.training import INITS
from ntkproof.commands.options import (
    GroupedCommand,
    data_options,
    json_option,
    network_options,
    progress,
    read_data,
    read_network,
    targets_option,
)
from ntkproof.show.lines import say
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.saved import train


@click.command("train", cls=GroupedCommand)
@data_options
@targets_option
@network_options
@click.option("--width", type=int, required=True, help="Of the hidden layers.")
@click.option("--init", help=f"{', '.join(INITS)} [default: antisymmetric; gaussian for deep networks].")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the start and of the batches.")
@click.option("--step-size", default="auto", show_default=True, help="η, a decimal, or auto: one over λ_max(H∞).")
@click.option("--steps", type=int, help="[default: until the linear prediction is at 1e-4 of the loss]")
@click.option("--batch", type=int, help="Samples in a batch [default: all].")
@click.option("--save-every", type=int, default=100, show_default=True, metavar="K", help="Save every K steps.")
@click.option("-o", "--output", type=Path, required=True, help="The folder of the run; it may hold a part of it.")
@json_option
def command(
    kernel: str, width: int, seed: int, step_size: str, save_every: int, output: Path, as_json: bool, **options: Any
) -> None:
    """Train one network on DATA by gradient descent on ½‖f(X) − y‖² and save its weights.

    The same command goes on where it was interrupted, and takes more --steps.
    """
    if kernel != "ntk":
        raise InputError("networks train by the tangent kernel; leave out --kernel")
    init, steps, batch = options.pop("init"), options.pop("steps"), options.pop("batch")
    dataset, network = read_data(options), read_network(options)
    init = init or ("antisymmetric" if network.depth == 1 else "gaussian")
    experiment = Experiment(dataset, network, init, step_size=0.0, steps=steps, batch=batch)
    chosen = None if step_size == "auto" else step_size
    with progress("training", not as_json) as tick:
        trained = train(experiment, width, seed, output, save_every, chosen, tick)
    if as_json:
        say(json.dumps({"folder": str(output), **vars(trained)}))
        return
    losses = list(trained.losses.values())
    went_on = f" (from step {trained.first})" if trained.first else ""
    say(
        f"{output}: {trained.last} steps of {trained.step_size}{went_on}, "
        f"loss {losses[0]:.6g} to {losses[-1]:.6g}, {len(losses)} saved"
    )

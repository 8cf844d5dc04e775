"""``ntkproof weights``: show what is in a file of weights."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ntkproof.checker.problem.network import Network
from ntkproof.commands.options import json_option
from ntkproof.data.weights import PARAMETRISATIONS, conversion_note, converted, describe_arrays, open_weights
from ntkproof.show.lines import say


@click.command("weights")
@click.argument("file", type=Path)
@click.option("--parametrisation", type=click.Choice(PARAMETRISATIONS), help="Of FILE; standard is converted.")
@click.option("--bias", default="0", show_default=True, help="To convert: the bias scale β, a decimal.")
@click.option("--weight-std", default="1", show_default=True, help="To convert: the weight scale σ_w, a decimal.")
@click.option("--input-scale", default="1", show_default=True, help="To convert: 1 or fan-in.")
@json_option
def command(file: Path, parametrisation: str | None, as_json: bool, **scales: str) -> None:
    """Show the layers of a FILE of weights: NPZ, safetensors, or a PyTorch state_dict. Norms are approximate."""
    found = open_weights(file)
    weights, rounding, kind = found.weights, 0.0, parametrisation or ("ntk" if found.own_layout else None)
    if kind == "standard":
        depth, train = len(weights.layers) - 1, "both" if len(weights.biases) == 1 else "all"
        weights, rounding = converted(file, found, Network(depth=depth, train=train, **scales), kind)
    arrays = [
        {**array, "in_file": name, "dtype": dtype}
        for array, name, dtype in zip(describe_arrays(weights), found.names, found.dtypes, strict=True)
    ]
    inputs, width = weights.layers[0].shape[1], weights.width
    if as_json:
        report = {"file": str(file), "parametrisation": kind, "rounding": rounding, "mirrored": weights.mirrored}
        size = {"inputs": inputs, "width": width, "sha256": weights.sha256}
        say(json.dumps({**report, **size, "arrays": arrays}))
        return
    layers = f"{len(weights.layers)} layers, {inputs} inputs, width {width}{' (mirrored)' if weights.mirrored else ''}"
    stated = {None: "parametrisation not stated", "ntk": "NTK parametrisation", "standard": "converted"}[kind]
    say(f"{file}: {layers}, {stated}, sha256 {weights.sha256[:16]}…")
    say(f"{'':4}{'shape':>16}{'largest':>11}{'Frobenius':>11}{'operator':>11}  in the file")
    for array in arrays:
        shape = " x ".join(map(str, array["shape"]))
        norms = "".join(f"{array[name]:>11.4g}" for name in ("largest", "frobenius_norm", "operator_norm"))
        say(f"{array['name']:4}{shape:>16}{norms}  {array['in_file']} ({array['dtype']})")
    if kind == "standard":
        say(conversion_note(weights, rounding))

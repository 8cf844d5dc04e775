"""The command ``ntkproof simulate``: networks of finite width trained on a dataset, against the theory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from ntkproof.certificate import write_files
from ntkproof.checker import check
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
from ntkproof.show.plots import write_figures
from ntkproof.simulation import certificates
from ntkproof.simulation.experiment import MAX_SEEDS, Experiment
from ntkproof.simulation.networks import PARAMETRISATIONS
from ntkproof.simulation.runs import Results, simulate
from ntkproof.simulation.verdicts import assess

_OF_THE_PROBLEM = (
    *("activation", "depth", "train", "bias", "weight_std", "input_scale", "init", "parametrisation", "step_size"),
    *("width", "batch", "target", "rows", "standardize", "normalize", "drop_duplicates", "drop_constant_columns"),
    *("standardize_targets", "shuffle_seed"),
)


@click.command("simulate", cls=GroupedCommand)
@data_options
@targets_option
@network_options
@click.option("--certificate", type=Path, metavar="FILE", help="Test what this certificate claims; without DATA.")
@click.option("--width", default="256,1024,4096", show_default=True, help="Widths of the hidden layers, with commas.")
@click.option("--seeds", type=int, default=20, show_default=True, help="Random starts at each width.")
@click.option("--first-seed", type=int, default=0, show_default=True, help="The first of their seeds.")
@click.option("--init", help=f"{', '.join(INITS)} [default: antisymmetric; gaussian for deep networks].")
@click.option("--parametrisation", type=click.Choice(PARAMETRISATIONS), default="ntk", show_default=True)
@click.option("--step-size", help="Gradient descent with this step, or auto; without it, gradient flow.")
@click.option("--steps", default="auto", show_default=True, help="Of gradient descent.")
@click.option("--time", default="auto", show_default=True, help="Of gradient flow.")
@click.option("--batch", type=int, help="Samples in a batch of gradient descent [default: all].")
@click.option("--tolerance", type=float, help="Of gradient flow, in a step [default: 1e-4; 1e-3 at kinks].")
@click.option("--records", type=int, default=40, show_default=True, help="How often a training is measured.")
@click.option("--jobs", type=int, help="Processes [default: as many as cores].")
@click.option("--plot", is_flag=True, help="Write figures into the folder, too (needs matplotlib).")
@click.option("-o", "--output", type=Path, required=True, help="The folder of the run; it may hold a part of it.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    kernel: str,
    certificate: Path | None,
    plot: bool,
    output: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Train networks of finite width on DATA, many times, and measure what the theory bounds.

    Finished trainings are kept in the folder at once; the same command goes on where it was interrupted, or adds
    widths and seeds.
    """
    if kernel != "ntk":
        raise InputError("networks train by the tangent kernel; leave out --kernel")
    count, first, jobs = options.pop("seeds"), options.pop("first_seed"), options.pop("jobs")
    if not 1 <= count <= MAX_SEEDS or first < 0:
        limits = f"--seeds must be from 1 to {MAX_SEEDS} and --first-seed not negative"
        raise InputError(f"{limits}, not {count} and {first}")
    seeds, widths = range(first, first + count), _widths(options.pop("width"))
    if plot:
        write_figures(None, output)
    if certificate is None:
        experiment = _experiment(options)
    else:
        _refuse(context, options)
        read, claim = certificates.open_certificate(certificate)
        experiment = certificates.experiment_of(read.problem, **_length(options))
        widths = [int(claim.width)]
    with progress("training", not as_json) as tick:
        results = simulate(
            experiment, widths, seeds, output, jobs=jobs, tick=lambda done, total: tick(int(done), int(total))
        )
    summary: dict[str, Any] = {"experiment": experiment.fingerprint(), "label": experiment.dataset.label}
    summary |= {"seeds": [first, first + count - 1], "widths": [_row(results.at(int(m))) for m in set(results.width)]}
    summary["widths"].sort(key=lambda row: row["width"])
    if certificate is not None:
        found = certificates.fields(claim, results, certificates.compare(claim, results))
        summary["certificate"] = {"file": str(certificate), "check": check(certificate).verdict, **found}
    elif experiment.parametrisation == "ntk":
        summary["findings"] = _findings(results)
    write_files({output / "summary.json": (json.dumps(_finite(summary), indent=1, ensure_ascii=False) + "\n").encode()})
    figures = write_figures(results, output) if plot else []
    if as_json:
        say(json.dumps(_finite(summary)))
        return
    say(*_lines(summary, output))
    for path in figures:
        say(str(path))


def _experiment(options: dict[str, Any]) -> Experiment:
    if options["data"] is None:
        raise InputError("DATA is missing: a file, a named set, or --certificate FILE")
    step, given = options.pop("step_size"), options.pop("init")
    length = _length(options)
    batch, parametrisation = options.pop("batch"), options.pop("parametrisation")
    dataset, network = read_data(options), read_network(options)
    init = given or ("antisymmetric" if network.depth == 1 else "gaussian")
    if step is not None and step != "auto":
        step = _positive("--step-size", step)
    step_size = 0.0 if step == "auto" else step
    return Experiment(dataset, network, init, parametrisation, step_size, batch=batch, **length)


def _length(options: dict[str, Any]) -> dict[str, Any]:
    """Return how long to train and how closely to look, taking the options out."""
    steps, end = options.pop("steps"), options.pop("time")
    if steps != "auto" and not (steps.isascii() and steps.isdigit() and len(steps) < 12):
        raise InputError(f"--steps must be a positive integer or auto, not {steps!r}")
    return {
        "steps": None if steps == "auto" else int(steps),
        "time": None if end == "auto" else _positive("--time", end),
        "records": options.pop("records"),
        "tolerance": options.pop("tolerance"),
    }


def _positive(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{option} must be a positive number or auto, not {text!r}")
    return value


def _widths(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and 0 < len(part) < 12 for part in parts):
        raise InputError(f"--width must be positive integers with commas between, not {text!r}")
    return [int(part) for part in parts]


def _refuse(context: click.Context, options: dict[str, Any]) -> None:
    """Refuse what would make the trainings others than those the certificate is about."""
    if options["data"] is not None:
        raise InputError("the data are in the certificate; leave out DATA")
    for name in _OF_THE_PROBLEM:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise InputError(f"the certificate says what is trained; leave out --{name.replace('_', '-')}")


# Summary ----------------------------------------------------------------------------------------------------------


def _row(results: Results) -> dict[str, Any]:
    """Return what to say about the trainings of one width: medians over seeds, of the largest or last over time."""
    scalars = results.scalars
    with np.errstate(invalid="ignore"):
        left = scalars["loss"] / scalars["loss"][:, :1]
        final = [row[step >= 0][-1] for row, step in zip(left, results.step, strict=True)]
        largest = {name: np.nanmax(scalars[name], axis=1) for name in scalars}
    return {
        "width": int(results.width[0]),
        "trainings": len(results.width),
        "blew_up": int(np.sum(~np.isfinite(final))),
        "loss_left": float(np.median(final)),
        "lambda_min_start": float(np.median(scalars["lambda_min"][:, 0])),
        "limit_distance_start": float(np.median(scalars["limit_distance"][:, 0])),
        **{name: float(np.median(largest[name])) for name in ("kernel_change", "parameter_change", "neuron_change")},
        "flips": float(np.median(largest["most_flips"])),
        "error": float(np.max(largest["error"])),
        "seconds": float(results.seconds.sum()),
        "megabytes": float(results.megabytes.max()),
    }


def _finite(value: Any) -> Any:
    """Return JSON without NaN and infinities, which become null."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _findings(results: Results) -> list[dict[str, Any]]:
    """Return the verdicts on what infinite width predicts; none if the linear prediction cannot be formed."""
    try:
        return [certificates.finding_fields(finding) for finding in assess(results)]
    except InputError:
        return []


_COLUMNS = {
    "width": "width",
    "trainings": "seeds",
    "loss_left": "L(end)/L(0)",
    "lambda_min_start": "λ_min(H_0)",
    "limit_distance_start": "‖H_0 - H∞‖",
    "kernel_change": "max ‖H_t - H_0‖",
    "parameter_change": "max ‖θ_t - θ_0‖",
    "neuron_change": "max neuron",
    "flips": "flips",
}


def _lines(summary: dict[str, Any], output: Path) -> list[str]:
    rows = [[_shown(row[name]) for name in _COLUMNS] for row in summary["widths"]]
    widths = [max(map(len, column)) for column in zip(list(_COLUMNS.values()), *rows, strict=True)]
    table = [list(_COLUMNS.values()), *rows]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in table]
    seconds = sum(row["seconds"] for row in summary["widths"])
    memory = max(row["megabytes"] for row in summary["widths"])
    lines.append(
        f"medians over seeds; {seconds:.0f} s of processes with at most {memory:.0f} MiB; {output / 'summary.json'}"
    )
    blown = sum(row["blew_up"] for row in summary["widths"])
    if blown:
        lines.append(f"{blown} trainings blew up; a smaller --step-size may help")
    lines += [f"{each['verdict']}: {each['claim']}: {each['reason']}" for each in summary.get("findings", [])]
    if "certificate" in summary:
        tested = summary["certificate"]
        worst = ", ".join(f"{part} {share:.3g}" for part, share in tested["worst"].items())
        lines.append(f"{tested['file']} ({tested['check']}): {tested['verdict']}: {tested['reason']}")
        lines.append(f"largest shares of what is claimed: {worst}")
    return lines


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


next(parameter for parameter in command.params if parameter.name == "data").required = False

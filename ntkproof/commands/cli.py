"""The command line: ``certify``, ``sphere``, ``check``, ``conditions``, ``weights``, ``datasets``.

Exit codes: 0 done, or every certificate valid; 3 holey; 1 invalid; 2 malformed input or wrong usage; 130
interrupted.  Errors are one line on stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from threadpoolctl import threadpool_limits

import ntkproof
from ntkproof.certificate import write
from ntkproof.checker import Verdict, check
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.training import INITS
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.datasets import describe, load, prepare
from ntkproof.data.weights import PARAMETRISATIONS, conversion_note, converted, describe_arrays, open_weights
from ntkproof.prover import sphere
from ntkproof.prover.certify import DEFAULT_GAP, STATEMENTS, certify
from ntkproof.theorems import THEOREMS
from ntkproof.theorems.certify import certify_convergence
from ntkproof.theorems.checkpoint import certify_run
from ntkproof.theorems.conditions import conditions
from ntkproof.theorems.instance import FORMS, certify_instance, certify_quantities
from ntkproof.theorems.operator_norms import STATEMENTS as IN_BALL
from ntkproof.theorems.operator_norms import certify_in_ball
from ntkproof.theorems.other_losses import LOSSES

ENGINES = ("fast", "reference")
COMMANDS = {  # in modules of their own, each with a function ``command``
    "claims": "ntkproof.commands.claims",
    "predict": "ntkproof.commands.predict",
    "simulate": "ntkproof.commands.simulate",
    "train": "ntkproof.commands.train",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
engine_option = click.option(
    "--engine", type=click.Choice(ENGINES), default="fast", show_default=True, help="The arithmetic."
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument DATA and the options that say how to read and prepare it."""
    options = [
        click.argument("data"),
        click.option("--target", help="Target column of a CSV, NPY or NPZ file: a name or an index."),
        click.option("--drop-duplicates", is_flag=True, help="Keep the first of equal rows."),
        click.option("--rows", type=int, help="Keep the first N rows after a seeded shuffle."),
        click.option("--shuffle-seed", type=int, default=0, show_default=True, help="Seed of that shuffle."),
        click.option("--drop-constant-columns", is_flag=True, help="Drop columns whose entries are all equal."),
        click.option("--standardize", is_flag=True, help="Columns to mean 0 and standard deviation 1."),
        click.option("--normalize", is_flag=True, help="Rows to Euclidean norm 1 (up to rounding)."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that define the network and the kernel."""
    options = [
        click.option("--activation", default="relu", show_default=True, help="relu, leaky_relu(slope), erf, …"),
        click.option("--depth", type=int, default=1, show_default=True, help="Number of hidden layers, 1 to 10."),
        click.option("--train", default="all", show_default=True, help="hidden, output, both (depth 1) or all."),
        click.option("--kernel", default="ntk", show_default=True, help="ntk or nngp."),
        click.option("--bias", default="0", show_default=True, help="Bias scale β, a decimal."),
        click.option("--weight-std", default="1", show_default=True, help="Weight scale σ_w, a decimal."),
        click.option("--input-scale", default="1", show_default=True, help="1 or fan-in."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options about a network of finite width in training."""
    options = [
        click.option("--standardize-targets", is_flag=True, help="Targets to mean 0 and standard deviation 1."),
        click.option("--init", help=f"{', '.join(INITS)} [default: antisymmetric, or the theorem's]."),
        click.option("--width", default="auto", show_default=True, help="Number of hidden neurons, or auto."),
        click.option("--failure-probability", default="0.05", show_default=True, help="Of the initialisation."),
        click.option("--constant", multiple=True, metavar="NAME=VALUE", help="A constant the literature leaves open."),
        click.option("--flow", is_flag=True, help="Gradient flow (the default)."),
        click.option("--step-size", help="Gradient descent with this step, a decimal."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def read_training(options: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments that the training options describe, taking them out of ``options``."""
    width, flow, step = options.pop("width"), options.pop("flow"), options.pop("step_size")
    if flow and step is not None:
        raise InputError("--flow and --step-size exclude each other")
    if width != "auto" and not (width.isascii() and width.isdigit() and int(width) > 0):
        raise InputError(f"--width must be a positive integer or auto, not {width!r}")
    return {
        "width": None if width == "auto" else int(width),
        "init": options.pop("init"),
        "step_size": step,
        "failure_probability": options.pop("failure_probability"),
        "constants": dict(_constant(text) for text in options.pop("constant")),
    }


def _constant(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise InputError(f"--constant must be NAME=VALUE, not {text!r}")
    return name, value


def read_data(options: dict[str, Any]) -> Dataset:
    """Load and prepare the dataset that the data options name, taking them out of ``options``."""
    dataset = load(options.pop("data"), target=options.pop("target"))
    return prepare(
        dataset,
        drop_duplicates=options.pop("drop_duplicates"),
        rows=options.pop("rows"),
        shuffle_seed=options.pop("shuffle_seed"),
        drop_constant=options.pop("drop_constant_columns"),
        standardize=options.pop("standardize"),
        normalize=options.pop("normalize"),
        standardize_targets=options.pop("standardize_targets", False),
    )


def read_network(options: dict[str, Any]) -> Network:
    """Build the network that the network options describe, taking them out of ``options``."""
    return Network(
        activation=options.pop("activation"),
        depth=options.pop("depth"),
        train=options.pop("train"),
        bias=options.pop("bias"),
        weight_std=options.pop("weight_std"),
        input_scale=options.pop("input_scale"),
    )


@contextmanager
def progress(what: str, shown: bool) -> Iterator[Tick]:
    """Yield a callback that draws a progress bar on stderr when it is a terminal."""
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Commands(click.Group):
    """The commands of this module and those in `COMMANDS`, which are imported when they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return all names, sorted."""
        return sorted([*self.commands, *COMMANDS])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command of a name, or None."""
        if name not in COMMANDS:
            return super().get_command(context, name)
        found: click.Command = import_module(COMMANDS[name]).command
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(ntkproof.__version__, prog_name="ntkproof")
@click.pass_context
def cli(context: click.Context) -> None:
    """Prove, and check, statements about the Neural Tangent Kernel of a dataset and a network."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def reached_gap(conclusion: Mapping[str, Any]) -> Fraction | None:
    """Return the relative width of an interval for λ_min; None if another statement is concluded, or λ_min = 0."""
    if conclusion["kind"] != "lambda_min" or conclusion["upper"] == "0":
        return None
    upper = Fraction(conclusion["upper"])
    return (upper - Fraction(conclusion["lower"])) / upper


@cli.command("certify")
@data_options
@network_options
@click.option(
    "--statement",
    type=click.Choice((*STATEMENTS, "convergence", *IN_BALL, "quantities")),
    default="lambda-min",
    show_default=True,
)
@click.option("--theorem", help=f"For convergence: {', '.join(THEOREMS)} [default: smooth or relu].")
@training_options
@click.option("--loss", type=click.Choice(LOSSES), default="squared", show_default=True, help="For convergence.")
@click.option("--weights", type=Path, help="For convergence: from the weights in this file, whatever made them.")
@click.option("--parametrisation", type=click.Choice(PARAMETRISATIONS), help="Of --weights [default for our NPZ: ntk].")
@click.option("--run", type=Path, help="For convergence: from the earliest saved step of this run that will do.")
@click.option("--form", type=click.Choice(FORMS), help="Of the proof, with --weights or --run [default: the best].")
@click.option("--radius", help="For gradient-bound and hessian-bound: of the ball around the start.")
@click.option("--gap", type=float, default=DEFAULT_GAP, show_default=True, help="Relative width wanted.")
@engine_option
@click.option("-o", "--output", type=Path, help=f"The certificate to write [default: DATA{SUFFIX}].")
@json_option
def certify_command(
    kernel: str,
    statement: str,
    theorem: str | None,
    loss: str,
    weights: Path | None,
    parametrisation: str | None,
    run: Path | None,
    form: str | None,
    radius: str | None,
    gap: float,
    engine: str,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Prove a statement about DATA (a CSV, NPY or NPZ file, or a named set) and write the certificate."""
    path = writable(output or Path(Path(options["data"]).stem + SUFFIX))
    started = time.perf_counter()
    training = read_training(options)
    given = weights or run
    if given is not None:
        only_given(statement, theorem, loss, training, both=weights is not None and run is not None)
    elif form is not None or parametrisation is not None or statement == "quantities":
        raise InputError("--form, --parametrisation and --statement quantities go with --weights")
    dataset, network = read_data(options), read_network(options)
    with progress("evaluating" if given else "enclosing", not as_json) as tick:
        if weights is not None:
            start, note = given_weights(weights, network, parametrisation, training["step_size"])
            if note:
                click.echo(note, err=True)
            if statement == "quantities":
                certificate = certify_quantities(dataset, network, start, engine=engine, tick=tick)
            else:
                certificate = certify_instance(dataset, network, start, form=form, engine=engine, tick=tick)
        elif run is not None:
            tried: list[str] = []
            step, certificate = certify_run(
                dataset,
                run,
                step_size=training["step_size"],
                report=lambda step, outcome: tried.append(f"step {step}: {outcome}"),
                form=form,
                engine=engine,
                tick=tick,
            )
            click.echo("\n".join(tried), err=True)
            click.echo(f"the earliest step that will do: {step}", err=as_json)
        elif statement == "convergence":
            certificate = certify_convergence(
                dataset, network, theorem=theorem, loss=loss, engine=engine, gap=gap, tick=tick, **training
            )
        elif statement in IN_BALL:
            chosen = {name: training[name] for name in ("width", "init", "failure_probability")}
            certificate = certify_in_ball(dataset, network, statement=statement, radius=radius, engine=engine, **chosen)
        else:
            certificate = certify(
                dataset, network, kernel=kernel, statement=statement, engine=engine, gap=gap, tick=tick
            )
    files = write(certificate, path)
    seconds = time.perf_counter() - started
    conclusion = dict(certificate.conclusion)
    reached = reached_gap(conclusion)
    if reached is not None and reached > Fraction(gap):
        click.echo(f"the gap {gap:g} was not reached; the bounds are {float(reached):.2g} apart, relatively", err=True)
    if as_json:
        report = {"certificate": str(path), "files": [str(f) for f in files], "conclusion": conclusion}
        click.echo(json.dumps({**report, "sha256": dataset.sha256, "seconds": round(seconds, 3)}))
        return
    click.echo(f"{path}: {describe_conclusion(conclusion)}  ({dataset.n} x {dataset.d}, {seconds:.2f} s)")


def only_given(statement: str, theorem: str | None, loss: str, training: dict[str, Any], both: bool) -> None:
    """Raise InputError if options for random initialisation come with --weights or --run."""
    if both:
        raise InputError("--weights and --run exclude each other")
    if statement not in ("convergence", "quantities"):
        raise InputError("--weights and --run are for --statement convergence; --weights also for quantities")
    if theorem not in (None, "instance", "checkpoint"):
        raise InputError(f"the theorem {theorem} is about random weights; leave --theorem out")
    if loss != "squared":
        raise InputError("given weights are for the squared loss")
    if training["width"] is not None or training["init"] is not None or training["constants"]:
        raise InputError("--width, --init and --constant are about random weights")


def given_weights(
    path: Path, network: Network, parametrisation: str | None, step_size: str | None
) -> tuple[Weights, str]:
    """Read the weights of a file, and return what to say if they were converted."""
    found = open_weights(path)
    weights, rounding = converted(path, found, network, parametrisation, step_size)
    return weights, conversion_note(weights, rounding) if parametrisation == "standard" else ""


def writable(path: Path) -> Path:
    """Return a path, or raise InputError if no certificate can be written there."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: the directory {path.parent} does not exist")
    if path.is_dir():
        raise InputError(f"{path}: is a directory")
    return path


@cli.command("sphere")
@click.option("--dimension", type=int, required=True, help="d of the unit sphere in R^d, 2 to 1000.")
@network_options
@click.option("--max-frequency", type=int, default=20, show_default=True, help="The largest frequency, 0 to 500.")
@click.option("--statement", type=click.Choice(sphere.STATEMENTS), default="mercer", show_default=True)
@click.option("--gap", type=float, default=sphere.DEFAULT_GAP, show_default=True, help="Relative width wanted.")
@engine_option
@click.option("-o", "--output", type=Path, default=Path(f"sphere{SUFFIX}"), show_default=True, help="What to write.")
@json_option
def sphere_command(dimension: int, kernel: str, output: Path, as_json: bool, **options: Any) -> None:
    """Prove bounds on the eigenvalues of the kernel on the unit sphere, uniformly distributed."""
    path, started = writable(output), time.perf_counter()
    network = read_network(options)
    with progress("integrating", not as_json) as tick:
        certificate = sphere.certify_sphere(dimension, network, kernel=kernel, tick=tick, **options)
    files = write(certificate, path)
    seconds = time.perf_counter() - started
    conclusion = dict(certificate.conclusion)
    if as_json:
        report = {"certificate": str(path), "files": [str(f) for f in files], "conclusion": conclusion}
        click.echo(json.dumps({**report, "seconds": round(seconds, 3)}))
        return
    click.echo(f"{path}: {describe_conclusion(conclusion)}  ({seconds:.2f} s)")
    if conclusion["kind"] == "mercer":
        click.echo(mercer_table(conclusion))


def mercer_table(conclusion: dict[str, Any]) -> str:
    """Return the eigenvalues of a conclusion as a table, with their multiplicities."""
    d, ends = conclusion["dimension"], zip(conclusion["lower"], conclusion["upper"], strict=True)
    rows = [(str(k), str(sphere.multiplicity(d, k)), *pair) for k, pair in enumerate(ends)]
    rows.insert(0, ("k", "multiplicity", "λ_k ≥", "λ_k ≤"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.rjust, row, widths)) for row in rows)


def describe_conclusion(conclusion: dict[str, Any]) -> str:
    """Return one line that says what a conclusion claims."""
    kind = conclusion.get("kind")
    if kind == "lambda_min" and conclusion.get("null_rows"):
        rows = conclusion["null_rows"]
        named = ", ".join(str(k) for k in rows[:8]) + (", …" if len(rows) > 8 else "")
        return f"λ_min = 0: the Gram matrix is singular, a null vector lives on rows {named} (counted from 0)"
    if kind == "spectrum":
        lower, upper = conclusion["lower"], conclusion["upper"]
        ends = (f"λ_{k + 1} in [{lower[k]}, {upper[k]}]" for k in (0, len(lower) - 1))
        return f"all {len(lower)} eigenvalues, {', …, '.join(ends)}"
    if kind == "mercer":
        lower, upper = conclusion["lower"], conclusion["upper"]
        first = next((k for k, end in enumerate(upper) if end != "0"), 0)
        ends = (f"λ_{k} in [{lower[k]}, {upper[k]}]" for k in sorted({first, len(lower) - 1}))
        return f"eigenvalues on the sphere, {', …, '.join(ends)}"
    if kind == "vanishing":
        return f"eigenvalues on the sphere: λ_k = 0 for every {conclusion['parity']} k ≥ {conclusion['first']}"
    if kind == "convergence":
        c = conclusion
        where = f"at width {c['width']}, with probability ≥ 1 - {c['failure']}"
        if c["failure"] == "0":  # nothing is random: given weights
            where = f"from these weights (width {c['width']})"
        loss = "L(k) ≤ (1 - η {rate})^k L(0)" if c["dynamics"] == "descent" else "L(t) ≤ e^(-{rate} t) L(0)"
        return f"{where}: {loss.format(rate=c['rate'])}, ‖θ - θ_0‖ ≤ {c['radius']}, ‖H - H_0‖ ≤ {c['kernel_deviation']}"
    if kind == "loss_convergence":
        c = conclusion
        return (
            f"at width {c['width']}, with probability ≥ 1 - {c['failure']}, for the {c['loss']} loss: g = ℓ - ℓ* has "
            f"g' ≤ -{c['rate']} g^{decimal(2 * Fraction(c['exponent']))}, ‖θ - θ_0‖ ≤ {c['radius']}, "
            f"‖H - H_0‖ ≤ {c['kernel_deviation']}"
        )
    if kind == "quantities":
        c = conclusion
        norms, largest = (", ".join(c.get(name, ())) for name in ("weight_norms", "largest"))
        return (
            f"‖r_0‖ ≤ {c['residual']}, λ_min(H_0) ≥ {c['lambda_min']}, ‖J_0‖ ≤ {c['jacobian_norm']}, ‖W^l‖ ≤ {norms}, "
            f"max |∂f/∂x^l| ≤ {largest}, |z^1| ≥ {c['margin']}"
        )
    if kind in ("gradient_bound", "hessian_bound"):
        c = conclusion
        what = (
            f"‖∇f(x_i)‖ ≤ {c['gradient']}, ‖J‖ ≤ {c['jacobian']}"
            if kind == "gradient_bound"
            else f"‖∇²f(x_i)‖ ≤ {c['hessian']}, ‖J(p) - J(q)‖ ≤ {c['lipschitz']} ‖p - q‖"
        )
        return f"within {c['radius']} of the start, with probability ≥ 1 - {c['failure']}: {what}"
    names = {
        "lambda_min": "λ_min",
        "a_priori": "λ_min",
        "operator_norm": "‖X‖",
        "condition_number": "λ_max/λ_min",
        "effective_rank": "trace/λ_max",
    }
    line = f"{names.get(str(kind), str(kind))} in [{conclusion.get('lower')}, {conclusion.get('upper')}]"
    bounds = zip(*(conclusion.get(name, ()) for name in ("rules", "bounds", "ratio_upper")), strict=True)
    return line + "".join(f"; {rule}: {bound}, {ratio} of λ_min" for rule, bound, ratio in bounds)


@cli.command("check")
@click.argument("files", nargs=-1, required=True, type=Path)
@engine_option
@json_option
def check_command(files: tuple[Path, ...], engine: str, as_json: bool) -> None:
    """Check certificates: replay every step and accept or reject.

    Exit code 0 valid, 3 holey, 1 invalid, 2 malformed; of several files the last of these in this order.
    """
    severity = [0, 3, 1, 2]
    worst = 0
    for path in files:
        with progress(str(path), not as_json) as tick:
            verdict = check(path, engine=engine, tick=tick)
        click.echo(json.dumps(verdict_fields(path, verdict)) if as_json else describe_verdict(path, verdict))
        worst = max(worst, severity.index(verdict.exit_code))
    sys.exit(severity[worst])


def verdict_fields(path: Path, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON fields; those that say where a proof fails only when it does."""
    fields: dict[str, Any] = {"file": str(path), "verdict": verdict.verdict, "conclusion": verdict.conclusion}
    fields |= {"assumptions": list(verdict.assumptions), "problem": verdict.problem}
    if verdict.conclusion is None:
        for name in ("step", "rule", "code", "reason", "needed", "derived"):
            fields[name] = getattr(verdict, name)
    return fields


def describe_domain(about: dict[str, Any]) -> str:
    """Return what a statement is about besides the network, from the ``problem`` of a verdict."""
    if "dimension" in about:
        return f"sphere: unit vectors of dimension {about['dimension']}, uniformly distributed"
    size = f"{about['rows']} x {about['columns']}"
    return f"data: {size}, sha256 {about['sha256'][:16]}… ({about['label'] or 'no label'})"


def describe_verdict(path: Path, verdict: Verdict) -> str:
    """Return a verdict in a few lines for people."""
    if verdict.conclusion is None:
        place = f" step {verdict.step} ({verdict.rule}):" if verdict.step else ""
        detail = f" [needed {verdict.needed}; derived {verdict.derived}]" if verdict.needed else ""
        return f"{path}: {verdict.verdict.upper()}:{place} {verdict.reason}{detail}"
    about = verdict.problem or {}
    lines = [
        f"{path}: {verdict.verdict}: {describe_conclusion(dict(verdict.conclusion))}",
        f"  {describe_domain(dict(about))}",
        f"  network: {about['kernel']}, {about['activation']}, depth {about['depth']}, train {about['train']}, "
        f"σ_w {about['weight_std']}, β {about['bias']}, input scale {about['input_scale']}",
    ]
    if "width" in about:
        step = f", gradient descent with step {about['step_size']}" if "step_size" in about else ", gradient flow"
        step = "" if verdict.conclusion["kind"] in IN_BALL.values() else step
        start = f"init {about['init']}" if "init" in about else f"weights sha256 {about['weights_sha256'][:16]}…"
        lines.append(f"  training: width {about['width']}, {start}{step}")
    return "\n".join([*lines, *(f"  rests on: {assumption}" for assumption in verdict.assumptions)])


@cli.command("conditions")
@data_options
@click.option("--activation", default="erf", show_default=True, help="The activation of the two-layer network.")
@training_options
@engine_option
@json_option
def conditions_command(activation: str, engine: str, as_json: bool, **options: Any) -> None:
    """Show what every convergence theorem asks of DATA: width, rate, radius and which hypothesis binds."""
    training = read_training(options)
    with progress("enclosing", not as_json) as tick:
        found = conditions(
            read_data(options), Network(activation, train="hidden"), engine=engine, tick=tick, **training
        )
    if as_json:
        click.echo(json.dumps([each.fields() for each in found]))
        return
    click.echo(f"{'theorem':13}{'holds':>6}{'width required':>16}{'rate':>12}{'radius':>12}  binding hypothesis")
    for each in found:
        if each.width_required is None:
            click.echo(f"{each.theorem:13}{'no':>6}{'-':>16}{'-':>12}{'-':>12}  {each.reason}")
            continue
        rate, radius = ("-" if x is None else f"{x:.4g}" for x in (each.rate, each.radius))
        binding = each.binding
        what = "" if binding is None else f"{binding.name}: needs > {binding.needed:.4g}, has {binding.have:.4g}"
        holds = "yes" if each.holds else "no"
        click.echo(f"{each.theorem:13}{holds:>6}{each.width_required:>16.4g}{rate:>12}{radius:>12}  {what}")


@cli.command("weights")
@click.argument("file", type=Path)
@click.option("--parametrisation", type=click.Choice(PARAMETRISATIONS), help="Of FILE; standard is converted.")
@click.option("--bias", default="0", show_default=True, help="To convert: the bias scale β, a decimal.")
@click.option("--weight-std", default="1", show_default=True, help="To convert: the weight scale σ_w, a decimal.")
@click.option("--input-scale", default="1", show_default=True, help="To convert: 1 or fan-in.")
@json_option
def weights_command(file: Path, parametrisation: str | None, as_json: bool, **scales: str) -> None:
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
        click.echo(json.dumps({**report, **size, "arrays": arrays}))
        return
    layers = f"{len(weights.layers)} layers, {inputs} inputs, width {width}{' (mirrored)' if weights.mirrored else ''}"
    stated = {None: "parametrisation not stated", "ntk": "NTK parametrisation", "standard": "converted"}[kind]
    click.echo(f"{file}: {layers}, {stated}, sha256 {weights.sha256[:16]}…")
    click.echo(f"{'':4}{'shape':>16}{'largest':>11}{'Frobenius':>11}{'operator':>11}  in the file")
    for array in arrays:
        shape = " x ".join(map(str, array["shape"]))
        norms = "".join(f"{array[name]:>11.4g}" for name in ("largest", "frobenius_norm", "operator_norm"))
        click.echo(f"{array['name']:4}{shape:>16}{norms}  {array['in_file']} ({array['dtype']})")
    if kind == "standard":
        click.echo(conversion_note(weights, rounding))


@cli.command("datasets")
@json_option
def datasets_command(as_json: bool) -> None:
    """List the named datasets."""
    facts = describe()
    if as_json:
        for fact in facts:
            click.echo(json.dumps(fact))
        return
    click.echo(f"{'name':15}{'rows':>6}{'columns':>9}  {'targets':14}{'equal pairs':>12}{'constant columns':>18}")
    for fact in facts:
        numbers = (
            "?" if fact[key] is None else fact[key]
            for key in ("rows", "columns", "duplicate_pairs", "constant_columns")
        )
        rows, columns, pairs, constant = numbers
        click.echo(f"{fact['name']:15}{rows:>6}{columns:>9}  {fact['targets']:14}{pairs:>12}{constant:>18}")
    if not all(fact["available"] for fact in facts):
        click.echo("the named sets need scikit-learn: pip install 'ntkproof[data]'", err=True)


def main() -> NoReturn:
    """Run the command line; every error is one line on stderr."""
    try:
        # not cli.main: it prints an empty line of its own when interrupted
        with cli.make_context("ntkproof", sys.argv[1:]) as context, one_blas_thread():
            cli.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        fail(error.format_message())
    except InputError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; nothing half-written", 130)
    except MemoryError:
        fail("out of memory")
    sys.exit(0)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to one thread unless the environment says how many.

    On a busy machine two of them wait for each other: ten times slower; on an idle one they gain a sixth.
    """
    chosen = any(name in os.environ for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"))
    return nullcontext() if chosen else threadpool_limits(limits=1, user_api="blas")


def fail(message: str, code: int = 2) -> NoReturn:
    """Print one line on stderr and exit."""
    print("ntkproof: error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(code)

"""The command ``ntkproof predict``: what infinite width predicts about training on a dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isfinite, isinf
from pathlib import Path
from typing import Any

import click

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
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
from ntkproof.data.datasets import load
from ntkproof.prediction import Floats, Limit
from ntkproof.prediction.limit import predict
from ntkproof.prediction.results import Enclosed, Instant, Posterior
from ntkproof.show.digits import Interval, downward, interval, mean, places, significant, square, square_root, upward
from ntkproof.show.lines import say

_SHOWN = 8


@click.command("predict", cls=GroupedCommand)
@data_options
@network_options
@targets_option
@click.option("--time", "times", multiple=True, metavar="T", help="A training time, a decimal or inf; repeat it.")
@click.option("--test-rows", type=int, default=0, metavar="K", help="The last K rows are test inputs.")
@click.option("--test", "test_file", type=Path, help="A file of test inputs alone, used as they are.")
@click.option("--noise", default="0", show_default=True, help="Noise variance of the posteriors, a decimal.")
@json_option
def command(
    kernel: str,
    times: tuple[str, ...],
    test_rows: int,
    test_file: Path | None,
    noise: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Predict how wide networks train on DATA: spectrum, residual, test outputs and their law.

    Every number of the prediction has a proved error bound (--json has them all), and the tables show no digit that is
    not proved up to one unit of the last.  Time is that of gradient flow on ½‖f(X) − y‖².
    """
    if kernel != "ntk":
        raise InputError("predict shows both kernels; leave out --kernel")
    if test_file is not None and (options["standardize"] or options["normalize"] or options["drop_constant_columns"]):
        raise InputError("--test is used as it is: prepare its inputs yourself, or take --test-rows")
    train, test, truth = _split(read_data(options), test_rows, test_file)
    with progress("predicting", not as_json) as tick:
        limit = predict(train, read_network(options), times=times or None, test=test, noise=noise, tick=tick)
    say(*([json.dumps(_fields(train, limit, truth))] if as_json else _lines(train, limit, truth)))


def _split(dataset: Dataset, rows: int, file: Path | None) -> tuple[Dataset, Floats, Floats | None]:
    """Return training data, test inputs, and their targets if known."""
    if file is not None:
        if rows:
            raise InputError("--test and --test-rows exclude each other")
        points = load(str(file))
        if points.d != dataset.d:
            raise InputError(f"{file}: {points.d} columns of inputs where the data have {dataset.d}")
        return dataset, points.inputs, None
    if not 0 <= rows <= dataset.n - 2:
        raise InputError(f"--test-rows must be from 0 to {dataset.n - 2}, not {rows}: two rows are needed for training")
    n = dataset.n - rows
    targets = dataset.targets
    if targets is None:
        raise InputError("a prediction needs targets (--target)")
    label = f"{dataset.label} without the last {rows}" if rows else dataset.label
    return Dataset(dataset.inputs[:n], targets[:n], label=label), dataset.inputs[n:], targets[n:]


# JSON -----------------------------------------------------------------------------------------------------------


def _ball(enclosed: Enclosed) -> dict[str, Any]:
    return {"value": enclosed.value.tolist(), "radius": enclosed.radius.tolist()}


def _fields(train: Dataset, limit: Limit, truth: Floats | None) -> dict[str, Any]:
    lower, upper = limit.certificate.conclusion["lower"], limit.certificate.conclusion["upper"]
    m = len(limit.instants[0].mean.value)
    return {
        "sha256": train.sha256,
        "lambda_min": {"lower": lower, "upper": upper},
        "rates": _ball(limit.rates),
        "components": _ball(limit.components),
        "instants": [_instant_fields(each) for each in limit.instants],
        "nngp_posterior": _posterior_fields(limit.nngp_posterior, m),
        "ntk_posterior": _posterior_fields(limit.ntk_posterior, m),
        "test_targets": [] if truth is None else truth.tolist(),
    }


def _instant_fields(instant: Instant) -> dict[str, Any]:
    names = ("filter", "residual", "loss", "mean", "covariance")
    time = "inf" if isinf(instant.time) else instant.time
    return {"time": time, **{name: _ball(getattr(instant, name)) for name in names}}


def _posterior_fields(posterior: Posterior | None, m: int) -> dict[str, Any] | str:
    if posterior is None:
        return "the kernel is not proved regular" if m else "there are no test inputs"
    return {"mean": _ball(posterior.mean), "covariance": _ball(posterior.covariance)}


# Text -----------------------------------------------------------------------------------------------------------


def _lines(train: Dataset, limit: Limit, truth: Floats | None) -> list[str]:
    lower, upper = limit.lambda_min
    m = len(limit.instants[0].mean.value)
    lines = [
        f"{train.n} training rows, {m} test rows; λ_min(H∞) in [{downward(lower, 10)}, {upward(upper, 10)}]",
        f"all errors are proved: at most {_worst(limit)} in residuals and test outputs,"
        " and one unit of the last digit below",
        "",
        "the start: f_0 = 0, r_0 = -y.  Its components along the eigenvectors of H, fastest first:",
        *_spectrum(train, limit),
        "",
        "training: loss ½‖r‖², test outputs over random starts (Gaussian output weights)",
        *_course(limit, truth),
    ]
    if m:
        lines += ["", *_side_by_side(limit, truth)]
    return lines


def _worst(limit: Limit) -> str:
    radii = [r for each in limit.instants for r in (each.residual.radius, each.mean.radius)]
    worst = max((float(r.max()) for r in radii if r.size), default=0.0)
    return upward(Fraction(worst), 1) if isfinite(worst) else "?"


def _spectrum(train: Dataset, limit: Limit) -> list[str]:
    n = train.n
    total = sum(Fraction(y) ** 2 for y in ([] if train.targets is None else train.targets.tolist()))
    shown = list(range(n)) if n <= _SHOWN else [*range(_SHOWN - 3), *range(n - 3, n)]
    rows = [["i", "λ_i", "share of ‖r_0‖²", *(f"learnt at {_time(each)}" for each in limit.instants)]]
    for previous, i in zip([-1, *shown], shown, strict=False):
        if i != previous + 1:
            rows.append(["…"] * len(rows[0]))
        share = _of_all(lambda known: square(known[0]), [_at(limit.components, n - 1 - i)])
        if share is not None and total:
            share = share[0] / total, share[1] / total
        learnt = (places(_at(each.filter, n - 1 - i)) for each in limit.instants)
        rows.append([str(i + 1), significant(_at(limit.rates, n - 1 - i)), places(share), *learnt])
    return _table(rows)


def _course(limit: Limit, truth: Floats | None) -> list[str]:
    rows = [["t", "loss"]]
    m = len(limit.instants[0].mean.value)
    if m:
        rows[0] += ["mean std"] + (["rms error of the mean"] if truth is not None else [])
    for each in limit.instants:
        row = [_time(each), significant(_at(each.loss))]
        if m:
            row.append(significant(_of_all(mean, [_deviation(each.covariance, j) for j in range(m)]), 4))
            if truth is not None:
                row.append(significant(_of_all(_rms, [_at(each.mean, j, truth[j]) for j in range(m)]), 4))
        rows.append(row)
    return _table(rows)


def _side_by_side(limit: Limit, truth: Floats | None) -> list[str]:
    """Return the law of trained networks and the two posteriors, test input by test input."""
    last = limit.instants[-1]
    sources: list[tuple[str, Instant | Posterior | None]] = [
        (f"trained, t = {_time(last)}", last),
        ("posterior of the NTK", limit.ntk_posterior),
        ("posterior of the NNGP", limit.nngp_posterior),
    ]
    rows = [["test row", *(name for name, _ in sources), *(["target"] if truth is not None else [])]]
    m = len(last.mean.value)
    for j in range(min(m, _SHOWN)):
        row = [str(j)]
        for _, source in sources:
            if source is None:
                row.append("unknown")
            else:
                row.append(f"{places(_at(source.mean, j))} ± {places(_deviation(source.covariance, j))}")
        rows.append(row + ([f"{truth[j]:.4f}"] if truth is not None else []))
    lines = ["mean ± standard deviation; trained networks follow the first column, not a posterior", *_table(rows)]
    return lines if m <= _SHOWN else [*lines, f"… {m - _SHOWN} more; --json has all"]


def _at(numbers: Enclosed, index: Any = (), less: float = 0.0) -> Interval | None:
    """Return what is known of one number, less another that is exact."""
    found = interval(float(numbers.value[index]), float(numbers.radius[index]))
    return None if found is None else (found[0] - Fraction(less), found[1] - Fraction(less))


def _deviation(covariance: Enclosed, j: int) -> Interval | None:
    return _of_all(lambda variance: square_root(variance[0]), [_at(covariance, (j, j))])


def _rms(errors: list[Interval]) -> Interval:
    return square_root(mean([square(error) for error in errors]))


def _of_all(function: Callable[[list[Interval]], Interval], numbers: list[Interval | None]) -> Interval | None:
    """Return a function of numbers, if something is known of each."""
    known = [each for each in numbers if each is not None]
    return function(known) if len(known) == len(numbers) else None


def _time(instant: Instant) -> str:
    return "inf" if isinf(instant.time) else f"{instant.time:g}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.rjust, row, widths)) for row in rows]

"""Simulations of the documentation: figures, the numbers behind them, and the tables of ``docs/simulations.md``.

``python docs/reproduce.py`` runs everything and takes some minutes on two cores; ``python docs/reproduce.py circle
grid`` runs parts; ``--draw`` only draws and writes tables, from the numbers kept in ``docs/figures/numbers.json``.
Needs the extras ``data`` and ``plot``.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ntkproof import Dataset, Network, enclose_gram, load, prepare
from ntkproof.certificate import write_files
from ntkproof.prediction.limit import predict
from ntkproof.simulation.activations import activation
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.initialization import initialise
from ntkproof.simulation.intervals import student
from ntkproof.simulation.networks import Model, empirical_ntk
from ntkproof.simulation.runs import simulate
from ntkproof.simulation.statistics import component_rates, fit_power
from ntkproof.simulation.training import State, descent, flow
from ntkproof.simulation.verdicts import assess

Floats = NDArray[np.float64]
Numbers = dict[str, Any]

FOLDER = Path(__file__).parent / "figures"
NUMBERS = FOLDER / "numbers.json"
PAGE = Path(__file__).parent / "simulations.md"


def wine(rows: int) -> Dataset:
    """Wine, columns standardised, rows of norm 1, targets standardised."""
    return prepare(
        load("wine"), rows=rows, drop_constant=True, standardize=True, normalize=True, standardize_targets=True
    )


def rounded(values: Any) -> Any:
    """Return numbers with eight significant digits, for a file that people read."""
    return np.vectorize(lambda x: float(f"{x:.8g}"))(np.asarray(values)).tolist()


# Jacot et al. 2018, figure 1: the kernel on the circle -----------------------------------------------------------

CIRCLE = Network("relu", depth=3, bias="0.1", input_scale="fan-in")
ANGLES = np.linspace(-np.pi, np.pi, 61)
CIRCLE_STEPS = 200


def circle_points() -> Floats:
    """Return (1, 0) and then the points at the angles."""
    return np.concatenate([[[1.0, 0.0]], np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)])


def wide_kernel(network: Network, width: int, seed: int, points: Floats) -> Floats:
    """Return the first row of the empirical kernel of a random deep network, whose weights are never all in memory.

    The layers are drawn by blocks of rows, once going forward and again, the same, going backward.
    """
    sizes = [points.shape[1], *[width] * network.depth, 1]
    scales = [float(network.sigma_w) / np.sqrt(size if layer or network.input_scale == "fan-in" else 1)
              for layer, size in enumerate(sizes[:-1])]  # fmt: skip
    beta, evaluate, last = float(network.beta), activation(network.activation), network.depth

    def blocks(layer: int) -> Any:
        rng, height = np.random.default_rng([seed, layer]), max(1, 10**7 // sizes[layer])
        for first in range(0, sizes[layer + 1], height):
            rows = slice(first, min(first + height, sizes[layer + 1]))
            yield rows, rng.standard_normal((rows.stop - rows.start, sizes[layer]))

    biases = np.random.default_rng([seed, network.depth + 1])
    features, slopes = [points * scales[0]], []
    for layer in range(last):
        z = np.concatenate([features[-1] @ block.T for _, block in blocks(layer)], axis=1)
        value, slope = evaluate(z + beta * biases.standard_normal(width))
        features.append(value * scales[layer + 1])
        slopes.append(slope)
    gradient, total = np.ones((len(points), 1)), features[-1] @ features[-1][0] + beta**2
    for layer in range(last, 0, -1):
        back = np.zeros((len(points), sizes[layer]))
        for rows, block in blocks(layer):
            back += gradient[:, rows] @ block
        gradient = slopes[layer - 1] * back * scales[layer]
        total += (features[layer - 1] @ features[layer - 1][0] + beta**2) * (gradient @ gradient[0])
    return np.asarray(total)


def trained_on_the_circle(width: int, seed: int, steps: int) -> tuple[Floats, Floats]:
    """Return the kernel of one network before and after gradient descent on f*(x) = x_1 x_2 for 50 normal inputs.

    The loss of Jacot et al. is half the mean square, their step size 1.
    """
    rng = np.random.default_rng([seed, width])
    weights = initialise(CIRCLE, 2, width, "gaussian", rng)
    inputs = rng.standard_normal((50, 2))
    model = Model(CIRCLE, weights, inputs)
    states = descent(State(model, inputs[:, 0] * inputs[:, 1], model.start), 1 / len(inputs))
    state = next(state for state in states if state.step == steps)
    before, after = (empirical_ntk(CIRCLE, w, circle_points())[0, 1:] for w in (weights, model.weights(state.theta)))
    return before, after


def circle(seeds: int = 10, width: int = 500, wide: int = 10000, wide_seeds: int = 5) -> Numbers:
    """Concentration of the kernel at width 500 and 10000, and its inflation by training at 500."""
    pairs = np.array([trained_on_the_circle(width, seed, CIRCLE_STEPS) for seed in range(seeds)])
    at_wide = np.array([wide_kernel(CIRCLE, wide, seed, circle_points())[1:] for seed in range(wide_seeds)])
    before, after = pairs[:, 0], pairs[:, 1]
    limit = enclose_gram(circle_points(), CIRCLE)[0][0, 1:]
    distance = [np.sqrt(np.mean((kernels - limit) ** 2)) for kernels in (before, at_wide)]
    growth = student(after.mean(axis=1) / before.mean(axis=1))
    return {
        "width": width, "wide": wide, "angles": rounded(ANGLES), "limit": rounded(limit),
        "before": rounded(before), "after": rounded(after), "at_wide": rounded(at_wide),
        "distance": rounded(distance), "distance_ratio": distance[0] / distance[1],
        "growth": [growth.value, growth.lower, growth.upper],
    }  # fmt: skip


def draw_circle(axes: Any, numbers: Numbers) -> None:
    """Draw every network, as in the original."""
    styles = (("before", "C2", f"width {numbers['width']}, t = 0"),
              ("after", "C0", f"width {numbers['width']}, {CIRCLE_STEPS} steps"),
              ("at_wide", "C1", f"width {numbers['wide']}, t = 0"))  # fmt: skip
    for name, color, label in styles:
        for k, row in enumerate(numbers[name]):
            axes.plot(numbers["angles"], row, color=color, linewidth=0.7, label="" if k else label)
    axes.plot(numbers["angles"], numbers["limit"], "k--", linewidth=1.2, label="H∞")
    axes.set(xlabel="γ", ylabel="kernel of (1, 0) and (cos γ, sin γ)")


def table_circle(numbers: Numbers) -> list[list[str]]:
    """Return the table of the page."""
    value, lower, upper = numbers["growth"]
    root = (numbers["wide"] / numbers["width"]) ** 0.5
    return [
        ["quantity", "value"],
        [f"rms distance to H∞, width {numbers['width']}", f"{numbers['distance'][0]:.4f}"],
        [f"rms distance to H∞, width {numbers['wide']}", f"{numbers['distance'][1]:.4f}"],
        [f"ratio (m^(-1/2) predicts {root:.2f})", f"{numbers['distance_ratio']:.2f}"],
        [f"growth of the kernel in {CIRCLE_STEPS} steps at width {numbers['width']}",
         f"{value:.3f} [{lower:.3f}, {upper:.3f}]"],
    ]  # fmt: skip


# Jacot et al. 2018, section 6.2: decay along the eigenvectors ----------------------------------------------------


def directions(rows: int = 50, width: int = 4096, seeds: int = 10) -> Numbers:
    """Residual components along five eigenvectors of H∞, and the rates of all that start large enough."""
    results = simulate(Experiment(wine(rows), Network("erf", train="hidden"), records=60), [width], range(seeds))
    rates = component_rates(results.time, results.residual, results.eigenvalues)
    used = np.flatnonzero(np.isfinite(rates).all(axis=0))[::-1]
    shown = used[np.unique(np.linspace(0, len(used) - 1, 5).round().astype(int))]
    estimates = {int(i): student(rates[:, i] / results.eigenvalues[i]) for i in used}
    share = np.abs(results.residual[:, :, shown] / results.residual[:, :1, shown])
    return {
        "width": width, "seeds": seeds, "time": rounded(results.time[0]),
        "eigenvalues": rounded(results.eigenvalues[used]),
        "ratio": [rounded([e.value, e.lower, e.upper]) for e in estimates.values()],
        "shown": [int(np.flatnonzero(used == i)[0]) for i in shown],
        "share": rounded(np.exp(np.log(np.maximum(share, 1e-12)).mean(axis=0)).T),
    }  # fmt: skip


def draw_directions(axes: Any, numbers: Numbers) -> None:
    """Draw measured components and the exponentials predicted."""
    times = np.array(numbers["time"][1:])
    for color, (k, share) in enumerate(zip(numbers["shown"], numbers["share"], strict=True)):
        value = numbers["eigenvalues"][k]
        axes.plot(times, share[1:], color=f"C{color}", label=f"λ = {value:.3g}")
        axes.plot(times, np.exp(-value * times), "k--", linewidth=0.8)
    axes.set(xscale="log", yscale="log", ylim=(1e-4, 2), xlabel="t", ylabel="component / its start")


def table_directions(numbers: Numbers) -> list[list[str]]:
    """Return the table of the page."""
    rows = [["λ_i", "measured rate / λ_i"]]
    for k in numbers["shown"]:
        value, lower, upper = numbers["ratio"][k]
        rows.append([f"{numbers['eigenvalues'][k]:.4g}", f"{value:.4f} [{lower:.4f}, {upper:.4f}]"])
    return rows


# Lee et al. 2019, figures 2 and 3: trained networks against the linear dynamics ------------------------------------

OUTPUTS = Network("erf", depth=2)
OUTPUTS_TIMES = np.concatenate([[0.0], np.geomspace(0.05, 60, 24)])


def output_paths(width: int, seed: int, rows: int = 40, test: int = 10) -> tuple[Floats, Floats, Floats, Floats]:
    """Return loss and test outputs along training, measured and as the limit predicts them from the same start."""
    data = wine(rows)
    targets = data.targets
    assert targets is not None
    train, points = Dataset(data.inputs[:-test], targets[:-test]), data.inputs[-test:]
    weights = initialise(OUTPUTS, data.d, width, "gaussian", np.random.default_rng([seed, width]))
    model, there = (Model(OUTPUTS, weights, x) for x in (train.inputs, points))
    states = list(flow(State(model, targets[:-test], model.start), OUTPUTS_TIMES.tolist()))
    losses = np.array([state.loss for state in states])
    outputs = np.array([there.outputs(state.theta) for state in states])
    start = model.outputs(model.start), outputs[0]
    limit = predict(train, OUTPUTS, times=OUTPUTS_TIMES.tolist(), test=points, initial=start)
    predicted = np.array([float(each.loss.value) for each in limit.instants])
    return losses, outputs, predicted, np.array([each.mean.value for each in limit.instants])


def outputs(widths: Sequence[int] = (64, 256, 1024), seeds: int = 8) -> Numbers:
    """Loss and test outputs of deep networks beside the linear ordinary differential equation."""
    errors, curves = [], {}
    for width in widths:
        paths = [output_paths(width, seed) for seed in range(seeds)]
        errors.append([np.sqrt(np.mean((f - g) ** 2, axis=1)).max() for _, f, _, g in paths])
        losses, f, predicted, g = paths[0]
        curves[str(width)] = {"loss": rounded(losses), "predicted": rounded(predicted),
                              "outputs": rounded(f[:, :3]), "predicted_outputs": rounded(g[:, :3])}  # fmt: skip
    law = fit_power(widths, errors)
    return {
        "widths": list(widths), "seeds": seeds, "time": rounded(OUTPUTS_TIMES), "curves": curves,
        "errors": rounded(errors), "exponent": [law.exponent.value, law.exponent.lower, law.exponent.upper],
    }  # fmt: skip


def draw_outputs(axes: Any, numbers: Numbers) -> None:
    """Draw the losses of one seed by width, and what the limit predicts from each start."""
    times = numbers["time"][1:]
    for color, (width, curve) in enumerate(numbers["curves"].items()):
        axes.plot(times, curve["loss"][1:], color=f"C{color}", label=f"width {width}")
        axes.plot(times, curve["predicted"][1:], "--", color=f"C{color}", linewidth=1)
    axes.set(xscale="log", yscale="log", ylim=(1e-5, None), xlabel="t", ylabel="loss; dashed: linear ODE")


def table_outputs(numbers: Numbers) -> list[list[str]]:
    """Return the table of the page."""
    rows = [["width", "largest rms difference of test outputs"]]
    for width, errors in zip(numbers["widths"], numbers["errors"], strict=True):
        estimate = student(errors)
        rows.append([str(width), f"{estimate.value:.4f} [{estimate.lower:.4f}, {estimate.upper:.4f}]"])
    value, lower, upper = numbers["exponent"]
    return [*rows, ["exponent", f"{value:.3f} [{lower:.3f}, {upper:.3f}]"]]


# Three regimes ---------------------------------------------------------------------------------------------------

REGIMES = Network("tanh", train="both")
REGIME_WIDTHS = (64, 128, 256, 512, 1024, 2048)


def movement(parametrisation: str, widths: Sequence[int], seeds: Sequence[int]) -> Floats:
    """Return the largest ``‖H_t − H_0‖ / ‖H_0‖`` along 400 steps of descent, shape (widths, seeds).

    The step size is 0.2 over ``‖H_0‖`` of the first seed: time in units of the kernel at the start.
    """
    rows = []
    for width in widths:
        experiment = Experiment(wine(20), REGIMES, "gaussian", parametrisation)
        start = experiment.start(width, 0)
        step_size = 0.2 / float(np.linalg.norm(start.model.kernel(start.trace), 2))
        experiment = replace(experiment, step_size=step_size, steps=400, records=15)
        scalars = simulate(experiment, [width], seeds).scalars
        rows.append(scalars["kernel_change"].max(axis=1) / scalars["kernel_norm"][:, 0])
    return np.array(rows)


def regimes(seeds: int = 10) -> Numbers:
    """Relative movement of the kernel against the width in the NTK, standard and maximal-update parametrisation."""
    found: Numbers = {"widths": list(REGIME_WIDTHS), "seeds": seeds}
    for name in ("ntk", "standard", "mup"):
        values = movement(name, REGIME_WIDTHS, range(seeds))
        law = fit_power(REGIME_WIDTHS, values)
        found[name] = {"movement": rounded(values),
                       "exponent": [law.exponent.value, law.exponent.lower, law.exponent.upper]}  # fmt: skip
    return found


REGIME_NAMES = {"ntk": "NTK", "standard": "standard", "mup": "μP"}


def draw_regimes(axes: Any, numbers: Numbers) -> None:
    """Draw means over seeds with one standard deviation."""
    for color, (name, label) in enumerate(REGIME_NAMES.items()):
        values = np.array(numbers[name]["movement"])
        axes.errorbar(numbers["widths"], values.mean(axis=1), values.std(axis=1), fmt="o-", color=f"C{color}",
                      label=f"{label}, exponent {numbers[name]['exponent'][0]:.2f}", capsize=2)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="width", ylabel="max ‖H_t - H_0‖ / ‖H_0‖")


def table_regimes(numbers: Numbers) -> list[list[str]]:
    """Return the table of the page."""
    widths = numbers["widths"]
    rows = [["parametrisation", f"movement at width {widths[0]}", f"at width {widths[-1]}", "exponent"]]
    for name, label in REGIME_NAMES.items():
        values = np.array(numbers[name]["movement"]).mean(axis=1)
        value, lower, upper = numbers[name]["exponent"]
        rows.append([label, f"{values[0]:.3f}", f"{values[-1]:.3g}", f"{value:.3f} [{lower:.3f}, {upper:.3f}]"])
    return rows


# The grid --------------------------------------------------------------------------------------------------------

GRID_WIDTHS = (128, 256, 512, 1024, 2048)


def grid(rows: int = 50, seeds: int = 20) -> Numbers:
    """Five widths, twenty seeds: every prediction judged, and the rate doubled on purpose."""
    started = time.perf_counter()
    results = simulate(Experiment(wine(rows), Network("erf", train="hidden")), GRID_WIDTHS, range(seeds))
    seconds = time.perf_counter() - started
    doubled = simulate_doubled(results)
    return {
        "widths": list(GRID_WIDTHS), "seeds": seeds, "rows": rows, "seconds": round(seconds, 1),
        "megabytes": float(results.megabytes.max()),
        "findings": [fields(each) for each in assess(results)],
        "doubled": [fields(each) for each in doubled],
        "start_distance": rounded([results.at(w).scalars["limit_distance"][:, 0] for w in GRID_WIDTHS]),
        "movement": rounded([results.at(w).scalars["kernel_change"].max(axis=1) for w in GRID_WIDTHS]),
        "neuron": rounded([results.at(w).scalars["neuron_change"].max(axis=1) for w in GRID_WIDTHS]),
    }  # fmt: skip


def simulate_doubled(results: Any) -> list[Any]:
    """Return the findings on the rates if the eigenvalues of H∞ were twice what they are."""
    findings = assess(replace(results, eigenvalues=2 * results.eigenvalues))
    return findings[len(GRID_WIDTHS) : len(GRID_WIDTHS) + 2]


def fields(finding: Any) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {"claim": finding.claim, "verdict": finding.verdict, "reason": finding.reason}


def draw_grid(axes: Any, numbers: Numbers) -> None:
    """Draw the three distances against the width."""
    names = {"start_distance": "‖H_0 - H∞‖", "movement": "max ‖H_t - H_0‖", "neuron": "max ‖w_r(t) - w_r(0)‖"}
    for color, (name, label) in enumerate(names.items()):
        values = np.array(numbers[name])
        law = fit_power(numbers["widths"], values).exponent
        axes.errorbar(numbers["widths"], values.mean(axis=1), values.std(axis=1), fmt="o-", color=f"C{color}",
                      label=f"{label}, exponent {law.value:.2f}", capsize=2)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="width")


def table_grid(numbers: Numbers) -> list[list[str]]:
    """Return the table of the page."""
    rows = [["claim", "verdict", "reason"]]
    for each in numbers["findings"]:
        rows.append([each["claim"], each["verdict"], each["reason"]])
    return rows + [["if every λ_i were doubled: " + e["claim"], e["verdict"], e["reason"]] for e in numbers["doubled"]]


# Figures and page ------------------------------------------------------------------------------------------------

PARTS: dict[str, tuple[Callable[[], Numbers], Callable[[Any, Numbers], None], Callable[[Numbers], list[list[str]]]]] = {
    "circle": (circle, draw_circle, table_circle),
    "directions": (directions, draw_directions, table_directions),
    "outputs": (outputs, draw_outputs, table_outputs),
    "regimes": (regimes, draw_regimes, table_regimes),
    "grid": (grid, draw_grid, table_grid),
}


def figure(name: str, numbers: Numbers) -> bytes:
    """Return a figure as PNG."""
    import io

    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9}):
        page = Figure(figsize=(5.6, 3.8), layout="constrained")
        axes = page.subplots()
        PARTS[name][1](axes, numbers)
        axes.legend(fontsize=8)
        stream = io.BytesIO()
        page.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def markdown(rows: list[list[str]]) -> str:
    """Return rows as a table; the first one is its head."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_tables(page: str, numbers: Numbers) -> str:
    """Return the page with the table of every part between its two comments."""
    for name, part in numbers.items():
        table = markdown(PARTS[name][2](part))
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        page = re.sub(pattern, lambda match, table=table: match[1] + table + "\n" + match[2], page, flags=re.DOTALL)  # type: ignore[misc]
    return page


def main(arguments: list[str]) -> None:
    """Run the parts named, or all, and write numbers, figures and tables."""
    numbers = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    names = [] if "--draw" in arguments else arguments or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    for name in names:
        started = time.perf_counter()
        with threadpool_limits(limits=1, user_api="blas"):
            numbers[name] = PARTS[name][0]()
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    files = {NUMBERS: (json.dumps(numbers, ensure_ascii=False) + "\n").encode()}
    files |= {FOLDER / f"{name}.png": figure(name, part) for name, part in numbers.items()}
    write_files(files)
    PAGE.write_text(with_tables(PAGE.read_text(), numbers))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Figures of a run: loss, kernel and parameters along training, by width.  Needs matplotlib (the extra ``plot``)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ntkproof.certificate import write_files
from ntkproof.checker.logic.numbers import InputError
from ntkproof.simulation.runs import Results

_PANELS = {
    "loss": "loss L(t)",
    "kernel_change": "‖H_t - H_0‖",
    "limit_distance": "‖H_t - H∞‖",
    "lambda_min": "λ_min(H_t)",
    "parameter_change": "‖θ_t - θ_0‖",
    "neuron_change": "max ‖w_r(t) - w_r(0)‖",
}


def write_figures(results: Results | None, folder: Path) -> list[Path]:
    """Write ``training.png`` and ``directions.png`` into a folder; return their paths.

    Args:
        results: the trainings; None only makes sure that figures can be drawn.
        folder: where.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("figures need matplotlib: pip install 'ntkproof[plot]'") from None
    if results is None:
        return []
    with mpl.rc_context({"font.size": 9}):
        figures = {"training.png": _training(Figure, results), "directions.png": _directions(Figure, results)}
        contents = {}
        for name, figure in figures.items():
            stream = io.BytesIO()
            figure.savefig(stream, format="png", dpi=130)
            contents[folder / name] = stream.getvalue()
    write_files(contents)
    return list(contents)


def _bands(axes: Any, results: Results, values: Any, label: str, color: Any) -> None:
    """Draw the median over seeds and the range from the 5th to the 95th percentile."""
    shown = np.isfinite(values).any(axis=0) & (results.time[0] > 0)
    time = np.nanmedian(results.time, axis=0)[shown]
    low, middle, high = np.nanpercentile(values[:, shown], [5, 50, 95], axis=0)
    axes.plot(time, middle, color=color, label=label)
    axes.fill_between(time, low, high, color=color, alpha=0.2, linewidth=0)


def _training(Figure: Any, results: Results) -> Any:
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    widths = sorted(set(results.width.tolist()))
    for axes, (name, title) in zip(figure.subplots(2, 3).flat, _PANELS.items(), strict=True):
        for k, width in enumerate(widths):
            part = results.at(width)
            _bands(axes, part, part.scalars[name], f"width {width}", f"C{k % 10}")
        if name == "loss":
            time = results.time[0][results.time[0] > 0]
            decay = np.exp(-2 * np.outer(time, np.maximum(results.eigenvalues, 0)))
            axes.plot(time, decay @ results.limit_components**2 / 2, "k--", linewidth=1, label="H∞, linear")
            axes.legend()
        if name == "lambda_min":
            axes.axhline(results.eigenvalues[0], color="k", linestyle="--", linewidth=1)
        positive = np.nanmin(results.scalars[name][:, 1:]) > 0
        axes.set(xscale="log", yscale="log" if positive else "linear", xlabel="time", title=title)
    return figure


def _directions(Figure: Any, results: Results) -> Any:
    """Draw the residual along five eigenvectors of H∞ at the largest width, and e^{−λ_i t}."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    part = results.at(int(results.width.max()))
    n = len(results.eigenvalues)
    time = part.time[0][part.time[0] > 0]
    for color, i in enumerate(np.unique(np.linspace(0, n - 1, 5).round().astype(int))[::-1]):
        start = np.abs(part.residual[:, :1, i])
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.abs(part.residual[:, :, i]) / start
        _bands(axes, part, values, f"λ = {results.eigenvalues[i]:.3g}", f"C{color}")
        axes.plot(time, np.exp(-results.eigenvalues[i] * time), "--", color=f"C{color}", linewidth=1)
    axes.set(
        xscale="log", yscale="log", ylim=(1e-6, 2), xlabel="time", title="|⟨r_t, v_i⟩ / ⟨r_0, v_i⟩|; dashed: e^(-λ t)"
    )
    axes.legend()
    return figure

"""The folder of a training run: saved weights by step, and what was trained.

| file | what it is |
|---|---|
| ``run.json`` | the network, the step size and the data, written by `write_run` |
| ``step-00000160.npz`` | the weights after 160 steps (`ntkproof.weights.save_weights`); step 0 is the start |

The number of a step has at least eight digits, and leading zeros only to reach eight.  Untrusted: a certificate
about saved weights holds the weights and the data themselves.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ntkproof.certificate import write_files
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.problem.network import Network
from ntkproof.data.files import json_in, printable

FORMAT = "ntkproof-run-1"
RECORD = "run.json"
MAX_RECORD = 2**20
MAX_STEPS = 100_000

_STEP = re.compile(r"step-([0-9]{8}|[1-9][0-9]{8,14})\.npz")
_FIELDS = {"format", "network", "step_size", "data", "notes"}
_NETWORK = {"activation", "depth", "train", "bias", "weight_std", "input_scale"}


@dataclass(frozen=True)
class Run:
    """What a folder of saved steps is about.

    Args:
        network: the network that was trained.
        sha256: the hash of the prepared data (`Dataset.sha256`); the certifier compares it with that of its data.
        label: where the data came from.
        step_size: of gradient descent, a decimal; None if the run approximates gradient flow in another way.
        notes: anything else worth recording, such as the seed: integers and texts by name.
    """

    network: Network
    sha256: str
    label: str = ""
    step_size: str | None = None
    notes: Mapping[str, int | str] = field(default_factory=dict)


def step_path(folder: Path | str, step: int) -> Path:
    """Return the name of the weights after a number of steps: ``step-00000160.npz`` in ``folder``.

    Raises:
        InputError: a number that is negative or has more than 15 digits.
    """
    path = Path(folder) / f"step-{step:08d}.npz"
    if not _STEP.fullmatch(path.name):
        raise InputError(f"{step} is not a number of steps")
    return path


def saved_steps(folder: Path | str) -> list[tuple[int, Path]]:
    """Return the saved steps of a run in increasing order, each with its file; at least one.

    Files of other names are ignored, but for those that look like a step.

    Raises:
        InputError: no such folder, no steps or more than `MAX_STEPS`, a name such as ``step-160.npz``, or a step that
            is not a file.
    """
    folder = Path(folder)
    shown = printable(str(folder))
    try:
        with os.scandir(folder) as entries:
            found = (folder / entry.name for entry in entries if entry.name.lower().startswith("step"))
            paths = sorted(islice(found, MAX_STEPS + 1))
    except FileNotFoundError:
        raise InputError(f"{shown}: no such folder") from None
    except NotADirectoryError:
        raise InputError(f"{shown}: not a folder") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown}: cannot be read ({getattr(error, 'strerror', None) or 'not a name'})") from None
    if len(paths) > MAX_STEPS:
        raise InputError(f"{shown}: more than {MAX_STEPS} saved steps")
    steps = sorted((_step(path), path) for path in paths)
    if not steps:
        raise InputError(f"{shown}: no saved steps; they are called {step_path('', 160)}")
    return steps


def _step(path: Path) -> int:
    match = _STEP.fullmatch(path.name)
    if match is None:
        raise InputError(f"{printable(str(path))}: not the name of a step; they are called {step_path('', 160)}")
    if not path.is_file():
        raise InputError(f"{printable(str(path))}: not a file")
    return int(match[1])


def write_run(folder: Path | str, run: Run) -> Path:
    """Write ``run.json`` into a folder that exists, atomically; return its path.

    Raises:
        InputError: it cannot be written.
    """
    network = run.network
    record = {
        "format": FORMAT,
        "network": {
            "activation": network.activation,
            "depth": network.depth,
            "train": network.train,
            "bias": decimal(network.beta),
            "weight_std": decimal(network.sigma_w),
            "input_scale": network.input_scale,
        },
        "step_size": None if run.step_size is None else decimal(exact(run.step_size)),
        "data": {"sha256": run.sha256, "label": run.label},
        "notes": dict(run.notes),
    }
    path = Path(folder) / RECORD
    write_files({path: (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()})
    return path


def read_run(folder: Path | str) -> Run:
    """Read ``run.json`` of a folder.

    Raises:
        InputError: it is missing, or not exactly in the format.
    """
    path = Path(folder) / RECORD
    try:
        return _run(json_in(path, MAX_RECORD))
    except InputError as error:
        raise InputError(f"{printable(str(path))}: {error}") from None


def _run(raw: Any) -> Run:
    top = _object(raw, "the record", _FIELDS)
    if top["format"] != FORMAT:
        raise InputError(f"format: expected {FORMAT!r}")
    network = _object(top["network"], "network", _NETWORK)
    data = _object(top["data"], "data", {"sha256", "label"})
    notes, step = top["notes"], top["step_size"]
    texts = {name: value for name, value in network.items() if name != "depth"} | data
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f"{name}: expected a text")
    if not re.fullmatch("[0-9a-f]{64}", data["sha256"]):
        raise InputError("sha256: expected 64 lower-case hexadecimal digits")
    if step is not None and not isinstance(step, str):
        raise InputError("step_size: expected a decimal as a text, or null")
    if not isinstance(notes, dict) or not all(type(value) in (int, str) for value in notes.values()):
        raise InputError("notes: expected integers and texts by name")
    if step is not None and exact(step) <= 0:
        raise InputError(f"step_size: must be positive, not {step}")
    return Run(Network(**network), data["sha256"], data["label"], step, notes)


def _object(raw: Any, where: str, fields: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict) or set(raw) != fields:
        raise InputError(f"{where}: expected an object with the fields {', '.join(sorted(fields))}")
    return raw

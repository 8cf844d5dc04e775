"""The shipped certificates about given weights beside trainings in float64, and the page that shows them."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
QUICK = ["three-erf", "three-erf-deep-descent", "three-relu", "three-relu-descent", "digits-50-erf-step140"]
SLOW = ["digits-50-tanh-step300", "wine-20-erf", "digits-10-relu"]


@cache
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("given_weights_page", DOCS / "given_weights.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_training_stays_within_what_is_certified(name: str):
    """The integrator of the flow is accurate to 1e-4, so a bound that is sharp may seem to fail by as much."""
    found = page().continued(page().certificate(name))
    assert len(found.time) > 10
    assert (found.loss <= found.loss_bound * (1 + 1e-3)).all()
    assert found.loss[-1] < 0.4
    assert found.distance.max() <= found.radius
    assert found.least.min() >= found.least_bound
    assert found.change.max() <= found.change_bound


@pytest.mark.parametrize("name", QUICK)
def test_the_loss_falls_no_faster_than_the_largest_eigenvalue_allows(name: str):
    """So the certified rate is of the right kind: ``L' = −r·Hr ≥ −2‖H‖L``, and steps of descent likewise."""
    proof = page().certificate(name)
    found, state = page().continued(proof), page().start(proof)
    fastest = 2 * np.linalg.eigvalsh(state.model.kernel(state.trace))[-1] + 2 * found.change_bound
    eta = float(page().given(proof).step_size or 0)
    slowest = (1 - eta * fastest / 2) ** (2 * found.time / eta) if eta else np.exp(-fastest * found.time)
    seen = slowest > 1e-10
    assert seen.sum() > 5
    assert (found.loss[seen] >= slowest[seen] * (1 - 1e-3)).all()


def test_the_page_shows_the_table_of_the_certificates():
    text = (DOCS / "given-weights.md").read_text("utf-8")
    rows = re.findall(r"^\| (?:wine|digits),.*$", text, re.MULTILINE)
    assert rows == page().table()

"""The simulations of the documentation: a cheap sample is made anew, and the page shows the numbers that are kept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ntkproof import Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.simulation.networks import empirical_ntk

DOCS = Path(__file__).parents[1] / "docs"


def _script() -> Any:
    specification = importlib.util.spec_from_file_location("reproduce", DOCS / "reproduce.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


reproduce = _script()
NUMBERS = json.loads((DOCS / "figures" / "numbers.json").read_text("utf-8"))


def test_the_page_has_the_tables_of_the_numbers() -> None:
    page = (DOCS / "simulations.md").read_text("utf-8")
    assert set(NUMBERS) == set(reproduce.PARTS)
    assert reproduce.with_tables(page, NUMBERS) == page
    for name in NUMBERS:
        assert f"](figures/{name}.png)" in page
        assert reproduce.markdown(reproduce.PARTS[name][2](NUMBERS[name])) in page
        assert (DOCS / "figures" / f"{name}.png").stat().st_size < 150_000


@pytest.mark.parametrize("network", [reproduce.CIRCLE, Network("erf", depth=2, weight_std="1.5")])
def test_a_kernel_without_its_weights_in_memory(network: Network) -> None:
    """Against the kernel of the same weights, drawn the way `wide_kernel` says."""
    width, seed, points = 40, 3, reproduce.circle_points()[:7]
    sizes = [2, *[width] * network.depth, 1]
    layers = [
        np.random.default_rng([seed, k]).standard_normal((sizes[k + 1], sizes[k])) for k in range(network.depth + 1)
    ]
    rng = np.random.default_rng([seed, network.depth + 1])
    biases = [rng.standard_normal(size) for size in sizes[1:]] if network.beta else []
    weights = Weights(tuple(layers), tuple(biases))
    truth = empirical_ntk(network, weights, points)[0]
    np.testing.assert_allclose(reproduce.wide_kernel(network, width, seed, points), truth, rtol=1e-10)


def test_the_circle_before_training() -> None:
    before, _ = reproduce.trained_on_the_circle(NUMBERS["circle"]["width"], 0, 1)
    np.testing.assert_allclose(before, NUMBERS["circle"]["before"][0], rtol=1e-6)


def test_a_path_of_outputs() -> None:
    """Of the smallest width, with the prediction from the same start."""
    found = NUMBERS["outputs"]
    width = found["widths"][0]
    losses, outputs, predicted, there = reproduce.output_paths(width, 0)
    curve = found["curves"][str(width)]
    np.testing.assert_allclose(losses[:15], curve["loss"][:15], rtol=1e-4)
    np.testing.assert_allclose(predicted, curve["predicted"], rtol=1e-6)
    np.testing.assert_allclose(outputs[:, :3], curve["outputs"], atol=1e-4)
    np.testing.assert_allclose(there[:, :3], curve["predicted_outputs"], atol=1e-6)


@pytest.mark.parametrize(
    "parametrisation",
    [pytest.param("ntk", marks=pytest.mark.slow), pytest.param("standard", marks=pytest.mark.slow), "mup"],
)
def test_a_movement_of_the_kernel(parametrisation: str) -> None:
    width = NUMBERS["regimes"]["widths"][0]
    found = reproduce.movement(parametrisation, [width], [0])
    np.testing.assert_allclose(found[0, 0], NUMBERS["regimes"][parametrisation]["movement"][0][0], rtol=1e-4)


def test_what_the_page_says_in_words() -> None:
    """The kernel concentrates like m^{-1/2}, training inflates it, and the three regimes differ as the theory says."""
    circle, regimes, grid = NUMBERS["circle"], NUMBERS["regimes"], NUMBERS["grid"]
    assert circle["distance_ratio"] == pytest.approx(20**0.5, rel=0.4)
    assert circle["growth"][1] > 1
    assert regimes["ntk"]["exponent"][2] < -0.4
    assert regimes["mup"]["exponent"][1] > -0.1
    judged = [finding["verdict"] for finding in grid["findings"]]
    assert "contradicted" not in judged
    assert judged.count("supported") >= 3
    assert [finding["verdict"] for finding in grid["doubled"]] == ["contradicted", "contradicted"]

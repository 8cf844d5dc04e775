"""Weights in files: bits survive, conversions are the nearest numbers, and every bad file has its message."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import MAX_DEPTH, Network
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.weights import (
    converted,
    describe_arrays,
    from_standard,
    load_weights,
    open_weights,
    read_weights,
    save_weights,
)

IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def message(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert text.isprintable()  # one line
    return text


def refused(path: Path, **options: Any) -> str:
    """Return why a file is refused, without its name, which every message starts with."""
    text = message(open_weights, path, **options)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def bits(weights: Weights) -> list[tuple[tuple[int, ...], bytes]]:
    return [(array.shape, array.tobytes()) for array in (*weights.layers, *weights.biases)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


@st.composite
def random_weights(draw: st.DrawFn, numbers: st.SearchStrategy[float] = FINITE) -> Weights:
    depth = draw(st.integers(1, MAX_DEPTH))
    widths = [draw(st.integers(1, 3)) for _ in range(depth + 1)] + [1]
    biases = draw(st.sampled_from([0, 1, 2] if depth == 1 else [0, depth + 1]))

    def array(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(numbers, min_size=size, max_size=size))).reshape(shape)

    return Weights(
        tuple(array(rows, columns) for columns, rows in pairwise(widths)),
        tuple(array(rows) for rows in widths[1 : 1 + biases]),
        depth == 1 and draw(st.booleans()),
    )


# Round trips ----------------------------------------------------------------------------------------------------


@IN_PLACE
@given(
    weights=random_weights()
    | random_weights(
        st.sampled_from((16, 32)).flatmap(lambda width: st.floats(allow_nan=False, allow_infinity=False, width=width))
    )
)
def test_bits_survive(tmp_path: Path, weights: Weights) -> None:
    path = tmp_path / "w.npz"
    save_weights(weights, path)
    loaded = load_weights(path)
    assert bits(loaded) == bits(weights)
    assert (loaded.mirrored, loaded.step_size, loaded.sha256) == (weights.mirrored, None, weights.sha256)


def test_equal_weights_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_weights(Weights((normal(5, 3), normal(1, 5)), (normal(5),)), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    save_weights(Weights((normal(5, 3), np.ones((1, 5))), (normal(5),), mirrored=True), path)
    with np.load(path) as stored:
        assert {name: (stored[name].dtype.str, stored[name].shape) for name in stored} == {
            "W1": ("<f8", (5, 3)),
            "W2": ("<f2", (1, 5)),
            "b1": ("<f8", (5,)),
            "mirrored": ("|b1", ()),
        }


def test_two_layer_names(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    hidden, output, bias = normal(4, 2), normal(4), normal(4)
    np.savez(path, W=hidden, a=output, b=bias, mirrored=np.array(False))
    expected = Weights((hidden, output[np.newaxis]), (bias,))
    assert bits(load_weights(path)) == bits(expected)
    assert open_weights(path).names == ("W", "a", "b")


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">f4", "<f2", "<i8", "|i1", "<u4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_types_and_orders(tmp_path: Path, dtype: str, order: Any) -> None:
    path = tmp_path / "w.npz"
    numbers = np.array([[1, 2, 3], [4, 5, 6]])
    np.savez(path, W1=np.asarray(numbers, dtype=dtype, order=order), W2=np.ones((1, 2)))
    assert load_weights(path).layers[0].tolist() == numbers.tolist()


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    weights = Weights((normal(5, 3), normal(1, 5)))
    (tmp_path / "w.npz").mkdir()
    assert "cannot be written" in message(save_weights, weights, tmp_path / "w.npz")
    assert "cannot be written" in message(save_weights, weights, tmp_path / "none" / "w.npz")
    assert "must be called NAME.npz" in message(save_weights, weights, tmp_path / "w.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


# Bad files ------------------------------------------------------------------------------------------------------

W1, W2, B1, B2 = normal(4, 3), normal(1, 4), normal(4), normal(1)
NAN = np.where(np.arange(12).reshape(4, 3) == 5, np.nan, W1)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "the file has no arrays of weights"),
    "only mirrored": ({"mirrored": True}, "the file has no arrays of weights"),
    "unknown": ({"W1": W1, "W2": W2, "c": B1}, "array 'c' is unknown: known are W1, b1, W2"),
    "unknown alone": ({"weights": W1}, "array 'weights' is unknown"),
    "W0": ({"W0": W1, "W1": W2}, "array 'W0' is unknown"),
    "mixed layouts": ({"W": W1, "a": W2[0], "b1": B1}, "array 'W' is unknown"),
    "missing layer": ({"W1": W1, "W3": W2}, "array 'W2' is missing: the file has 'W1', 'W3'"),
    "missing a": ({"W": W1, "b": B1}, "array 'a' is missing"),
    "missing W": ({"a": B1}, "array 'W' is missing"),
    "one layer": ({"W1": W2}, "weights of 2 to 11 layers are needed, not 1"),
    "bias without layer": ({"W1": W1, "W2": W2, "b3": B1}, "array 'b3': there is no W3"),
    "bias of the output only": ({"W1": W1, "W2": W2, "b2": B2}, "array 'W1' has no biases, other layers have"),
    "bias missing": (
        {"W1": W1, "W2": normal(4, 4), "W3": W2, "b1": B1, "b2": B1},
        "array 'W3' has no biases, other layers have",
    ),
    "one dimension": ({"W1": B1, "W2": W2}, "array 'W1': the shape is 4; 2 dimension(s) are needed"),
    "three dimensions": ({"W1": W1[None], "W2": W2}, "array 'W1': the shape is 1 x 4 x 3; 2 dimension(s) are needed"),
    "no dimension": ({"W1": W1, "W2": 1.0}, "array 'W2': the shape is (); 2 dimension(s) are needed"),
    "a is a matrix": ({"W": W1, "a": W2}, "array 'a': the shape is 1 x 4; 1 dimension(s) are needed"),
    "a bias matrix": ({"W1": W1, "W2": W2, "b1": W2}, "array 'b1': the shape is 1 x 4; 1 dimension(s) are needed"),
    "a is short": ({"W": W1, "a": B1[1:]}, "array 'a': takes 3 inputs, 'W' before it has 4 rows"),
    "transposed": ({"W1": W1.T, "W2": W2}, "array 'W2': takes 4 inputs, 'W1' before it has 3 rows"),
    "short bias": ({"W1": W1, "W2": W2, "b1": B1[1:]}, "array 'b1': 3 entries for the 4 rows of 'W1'"),
    "two outputs": ({"W1": W1, "W2": normal(2, 4)}, "array 'W2': 2 outputs; only networks with one are read"),
    "no neurons": ({"W1": W1[:0], "W2": W2[:, :0]}, "W1 of shape (0, 3) does not fit W2 of shape (1, 0)"),
    "NaN": ({"W1": NAN, "W2": W2}, "array 'W1': entry [1, 2] is nan; finite numbers are needed"),
    "infinity": ({"W1": W1, "W2": W2 * np.inf}, "array 'W2': entry [0, 0] is "),
    "complex": ({"W1": W1 + 0j, "W2": W2}, "array 'W1': the type is complex128"),
    "text": ({"W1": np.array([["1"]]), "W2": W2}, "array 'W1': the type is <U1"),
    "flags": ({"W1": W1 > 0, "W2": W2}, "array 'W1': the type is bool"),
    "one flag": ({"W1": True, "W2": W2}, "array 'W1': the shape is (); 2 dimension(s) are needed"),
    "objects": ({"W1": np.array([[None]]), "W2": W2}, "array 'W1': not a readable NPY array (Object arrays cannot"),
    "large integer": ({"W1": np.array([[2**53 + 1]]), "W2": B2[None]}, "array 'W1': entry [0, 0] is 9007199254740993"),
    "mirrored is a number": ({"W1": W1, "W2": W2, "mirrored": 1}, "array 'mirrored': expected one boolean"),
    "mirrored is a list": ({"W1": W1, "W2": W2, "mirrored": [True]}, "array 'mirrored': "),
    "mirrored and deep": (
        {"W1": W1, "W2": normal(4, 4), "W3": W2, "mirrored": True},
        "only networks with one hidden layer can be mirrored",
    ),
    "too deep": ({f"W{k}": [[1.0]] for k in range(1, 13)}, "weights of 2 to 11 layers are needed, not 12"),
    "bias alone": ({"net.0.bias": B1}, "array 'net.0.bias': there is no weight beside this bias"),
    "norm layer": (
        {"0.weight": W1, "1.weight": B1, "2.weight": W2},
        "array '1.weight': the shape is 4; 2 dimension(s) are needed",
    ),
    "running mean": ({"0.weight": W1, "1.running_mean": B1}, "array '1.running_mean' is unknown"),
    "does not fit": (
        {"net.0.weight": W1, "net.2.weight": normal(5, 5), "net.10.weight": W2},
        "array 'net.2.weight': takes 5 inputs, 'net.0.weight' before it has 4 rows",
    ),
    "no chain": ({"in.weight": W1, "out.weight": normal(1, 5)}, "the layers 'in' 4 x 3, 'out' 1 x 5 do not make"),
    "ambiguous": (
        {"a.weight": normal(4, 4), "b.weight": normal(4, 4), "c.weight": W2},
        "the order of the layers 'a' 4 x 4, 'b' 4 x 4, 'c' 1 x 4 is ambiguous; number them",
    ),
    "many layers": ({f"{k}.weight": [[1.0]] for k in range(12)}, "12 layers; at most 11 are read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_say_where(tmp_path: Path, case: str) -> None:
    arrays, expected = BAD[case]
    np.savez(tmp_path / "w.npz", **arrays)
    assert refused(tmp_path / "w.npz").startswith(expected)


def test_own_files_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, **{"0.weight": W1, "2.weight": W2})
    assert message(load_weights, path) == f"{path}: not an NPZ file with the arrays W1, W2, …"


# Names of layers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["net.0", "net.2", "net.4"],
        ["fc1", "fc2", "fc10"],
        ["layers.9.linear", "layers.10.linear", "layers.11.linear"],
        ["input", "hidden", "output"],
        ["z", "y", "x"],
        ["layer2", "layer7", "head"],
    ],
)
def test_layers_are_ordered_by_number_and_shape(tmp_path: Path, names: list[str]) -> None:
    arrays = {names[0]: normal(4, 3), names[1]: normal(4, 4), names[2]: normal(1, 4)}
    shuffled = {f"{name}.weight": arrays[name] for name in sorted(arrays, reverse=True)}
    np.savez(tmp_path / "w.npz", **shuffled)
    found = open_weights(tmp_path / "w.npz")
    assert found.names == tuple(f"{name}.weight" for name in names)
    assert bits(found.weights) == bits(Weights(tuple(arrays.values())))
    assert not found.own_layout


# Parametrisations -----------------------------------------------------------------------------------------------


def standard_function(weights: Weights, x: np.ndarray) -> np.ndarray:
    """``V^{D+1} tanh(… tanh(V¹x + c¹)) + c^{D+1}``, as PyTorch's ``nn.Linear`` defines it."""
    z = x
    for k, layer in enumerate(weights.layers):
        z = (np.tanh(z) if k else x) @ layer.T + (weights.biases[k] if k < len(weights.biases) else 0)
    return z[:, 0]


def ntk_function(weights: Weights, network: Network, x: np.ndarray) -> np.ndarray:
    """The function of the class `Network`, as its docstring defines it."""
    sigma, beta = float(network.sigma_w), float(network.beta)
    scale = x.shape[1] ** -0.5 if network.input_scale == "fan-in" else 1.0
    z = x
    for k, layer in enumerate(weights.layers):
        z = sigma * (np.tanh(z) * z.shape[1] ** -0.5 if k else x * scale) @ layer.T
        z = z + (beta * weights.biases[k] if k < len(weights.biases) else 0)
    return z[:, 0]


@pytest.mark.parametrize("input_scale", ["1", "fan-in"])
@pytest.mark.parametrize(("depth", "biases"), [(1, 0), (1, 1), (1, 2), (3, 0), (3, 4)])
def test_the_converted_network_is_the_same_function(depth: int, biases: int, input_scale: str) -> None:
    widths = [*[3, 7, 5, 6][: depth + 1], 1]
    weights = Weights(
        tuple(normal(rows, columns) for columns, rows in pairwise(widths)),
        tuple(normal(rows) for rows in widths[1 : 1 + biases]),
    )
    network = Network("tanh", depth, bias="0.3", weight_std="1.7", input_scale=input_scale)
    x = normal(10, 3)
    result, rounding = from_standard(weights, network)
    assert ntk_function(result, network, x) == pytest.approx(standard_function(weights, x), rel=1e-12, abs=1e-14)
    assert 0 < rounding <= 2.0**-53


def root(square: Fraction) -> Fraction:
    return Fraction(isqrt(square.numerator * square.denominator * 4**300), square.denominator * 2**300)


@given(
    numbers=st.lists(st.floats(2.0**-900, 2.0**900) | st.floats(-(2.0**900), -(2.0**-900)), min_size=1, max_size=5),
    width=st.integers(1, 40),
    sigma=st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(7, 5), Fraction(1, 10**6), Fraction(10**6)]),
)
def test_conversion_is_to_the_nearest_number(numbers: list[float], width: int, sigma: Fraction) -> None:
    hidden = np.array(numbers)[np.newaxis].repeat(width, axis=0)
    output = np.resize(np.array(numbers), (1, width))
    weights = Weights((hidden, output))
    result, rounding = from_standard(weights, Network("tanh", weight_std=sigma))
    for before, after, square in zip(weights.layers, result.layers, (Fraction(1), Fraction(width)), strict=True):
        for value, number in zip(before.flat, after.flat, strict=True):
            exact = Fraction(value) * root(square / sigma**2)
            error = abs(Fraction(number) - exact)
            assert error <= (Fraction(1, 2) + Fraction(1, 2**40)) * Fraction(np.spacing(abs(number)))
            assert float(error / abs(exact)) <= rounding * 1.000001 + 2.0**-100


def test_large_arrays_are_converted_as_small_ones_are(tmp_path: Path) -> None:
    hidden = normal(20_000, 2)
    network = Network("tanh", input_scale="fan-in")
    whole, _ = from_standard(Weights((hidden, np.ones((1, 20_000)))), network)
    parts = [from_standard(Weights((part, np.ones((1, 5_000)))), network)[0] for part in np.split(hidden, 4)]
    assert whole.layers[0].tobytes() == np.vstack([part.layers[0] for part in parts]).tobytes()
    hidden[19_000, 1] = 1.5e308
    expected = "entry [19000, 1] of W1 leaves the range of float64 when it is converted"
    assert message(from_standard, Weights((hidden, np.ones((1, 20_000)))), network) == expected


@pytest.mark.parametrize("width", [1, 4, 16, 64])
def test_powers_of_four_are_exact(width: int) -> None:
    weights = Weights((normal(width, 3), normal(1, width)))
    result, rounding = from_standard(weights, Network("tanh"))
    assert rounding == 0
    assert bits(result) == bits(Weights((weights.layers[0], weights.layers[1] * np.sqrt(width))))


def test_a_mirrored_network_is_as_wide_as_both_halves() -> None:
    result, rounding = from_standard(Weights((normal(8, 3), normal(1, 8)), mirrored=True), Network("tanh"))
    assert result.mirrored
    assert rounding == 0
    assert (result.layers[1] == 4 * normal(1, 8)).all()


def test_zeros_stay_and_numbers_that_leave_the_range_are_refused(tmp_path: Path) -> None:
    network = Network("tanh", weight_std="0.001")
    result, _ = from_standard(Weights((np.zeros((3, 2)), np.zeros((1, 3)))), network)
    assert not any(layer.any() for layer in result.layers)
    for number, sigma in ((1e307, "0.001"), (1e-307, "1000"), (5e-324, "3")):
        path = tmp_path / "w.npz"
        save_weights(Weights((np.array([[1.0, 1.0], [1.0, number]]), np.ones((1, 2)))), path)
        text = message(read_weights, path, Network("tanh", weight_std=sigma), "standard")
        assert text == f"{path}: entry [1, 1] of W1 leaves the range of float64 when it is converted"


def test_the_parametrisation_is_never_guessed(tmp_path: Path) -> None:
    own, foreign = tmp_path / "own.npz", tmp_path / "foreign.npz"
    weights = Weights((W1, W2))
    save_weights(weights, own)
    np.savez(foreign, **{"0.weight": W1, "2.weight": W2})
    network = Network("tanh", weight_std="2")
    assert bits(read_weights(own, network)) == bits(weights)
    assert bits(read_weights(foreign, network, "ntk")) == bits(weights)
    assert bits(read_weights(own, network, "standard")) == bits(from_standard(weights, network)[0])
    assert read_weights(own, network, step_size="0.1").step_size == Fraction(1, 10)
    assert "Say --parametrisation standard or ntk" in message(read_weights, foreign, network)
    assert "unknown parametrisation 'mup'" in message(read_weights, own, network, "mup")
    assert "the step size must be" in message(read_weights, own, network, step_size="-1")


@pytest.mark.parametrize(
    ("biases", "network", "expected"),
    [
        (
            (B1, B2),
            Network("tanh"),
            "the file has biases ('b1' …), the network has none: say which β, such as --bias 1",
        ),
        ((), Network("tanh", bias=1), "0 bias vectors where the network has 2"),
        ((B1,), Network("tanh", bias=1), "1 bias vectors where the network has 2"),
        ((B1, B2), Network("tanh", bias=1, train="both"), "2 bias vectors where the network has 1"),
        ((), Network("tanh", 2), "2 layers of weights for a network of depth 2"),
        ((), Network("tanh", train="output"), "given weights are for train=hidden, both or all"),
    ],
)
@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
def test_weights_must_fit_the_network(
    tmp_path: Path, biases: tuple[np.ndarray, ...], network: Network, expected: str, parametrisation: str
) -> None:
    path = tmp_path / "w.npz"
    save_weights(Weights((W1, W2), biases), path)
    assert message(read_weights, path, network, parametrisation) == f"{path}: {expected}"
    assert message(load_weights, path, network) == f"{path}: {expected}"


def test_a_conversion_says_its_rounding(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    save_weights(Weights((W1, W2)), path)
    found = open_weights(path)
    assert converted(path, found, Network("tanh"))[1] == 0
    assert converted(path, found, Network("tanh", input_scale="fan-in"), "standard")[1] > 0
    assert "biases need a bias scale" in message(from_standard, Weights((W1, W2), (B1,)), Network("tanh"))


# Norms ----------------------------------------------------------------------------------------------------------


def test_norms() -> None:
    rows = describe_arrays(
        Weights((np.array([[3.0, 0.0], [0.0, -4.0]]), np.zeros((1, 2))), (np.array([5e300, 12e300]),))
    )
    assert [row["name"] for row in rows] == ["W1", "W2", "b1"]
    norms = [[row[name] for name in ("largest", "frobenius_norm", "operator_norm")] for row in rows]
    assert norms[0] == pytest.approx([4, 5, 4])
    assert norms[1] == [0, 0, 0]
    assert norms[2] == pytest.approx([12e300, 13e300, 13e300])


# Interoperation -------------------------------------------------------------------------------------------------


def test_a_pytorch_state_dict(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(3, 6), torch.nn.Tanh(), torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)]
    model = torch.nn.Sequential(*layers).double()
    x = torch.randn(10, 3, dtype=torch.float64)
    torch.save(model.state_dict(), tmp_path / "w.pt")
    network = Network("tanh", 2, bias="0.1", weight_std="1.5")
    weights = read_weights(tmp_path / "w.pt", network, "standard")
    expected = model(x).detach().numpy()[:, 0]
    assert ntk_function(weights, network, x.numpy()) == pytest.approx(expected, rel=1e-12, abs=1e-14)


# Command line ---------------------------------------------------------------------------------------------------


def test_the_command_shows_what_a_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ntkproof.commands.main import cli

    path = tmp_path / "w.npz"
    weights = Weights((np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([[0.1, 0.2]])))
    save_weights(weights, path)
    cli.main(["weights", str(path)], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    size = "2 layers, 2 inputs, width 2, NTK parametrisation"
    assert lines[0] == f"{path}: {size}, sha256 {weights.sha256[:16]}…"
    assert re.fullmatch(r"W1 +2 x 2 +4 +5 +4  W1 \(float16\)", lines[2])
    assert re.fullmatch(r"W2 +1 x 2 +0\.2 +0\.2236 +0\.2236  W2 \(float64\)", lines[3])
    cli.main(["weights", str(path), "--parametrisation", "standard", "--json"], standalone_mode=False)
    report = json.loads(capsys.readouterr().out)
    expected, rounding = from_standard(weights, Network("relu"))
    assert (report["parametrisation"], report["rounding"]) == ("standard", rounding)
    assert (report["sha256"], report["width"], report["mirrored"]) == (expected.sha256, 2, False)
    assert [array["dtype"] for array in report["arrays"]] == ["float16", "float64"]
    cli.main(["weights", str(path), "--parametrisation", "standard"], standalone_mode=False)
    assert "the statement is about the converted numbers" in capsys.readouterr().out

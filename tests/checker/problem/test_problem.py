"""Problems: what is accepted, what is refused and why, and the exact numbers behind it."""

from __future__ import annotations

import hashlib
import struct
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkproof.checker.activations.names import split_activation
from ntkproof.checker.arithmetic.exact import integer_rows
from ntkproof.checker.logic.numbers import InputError, decimal, exact, parse_decimal
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem

finite = st.floats(allow_nan=False, allow_infinity=False)
matrices = st.integers(1, 4).flatmap(
    lambda d: st.lists(st.lists(finite, min_size=d, max_size=d), min_size=2, max_size=5)
)


# Decimals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("7", 7),
        ("-1.25e-3", Fraction(-1, 800)),
        ("0.10", Fraction(1, 10)),
        ("1e0", 1),
        ("1e400", 10**400),
        ("1e-999", Fraction(1, 10**999)),
        ("9" * 400, 10**400 - 1),
    ],
)
def test_a_decimal_has_its_exact_value(text: str, value: Fraction | int) -> None:
    assert parse_decimal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", " 1", "1 ", "1\n", "+1", ".5", "1.", "01", "-01", "1_0", "1,0", "0x1", "1/3", "1e", "1e+3"),
        *("1E3", "1e03", "1e1000", "e1", "--1", "nan", "inf", "-Infinity", "NaN", "١", "1e5.0", "9" * 401),
        *(None, 1, 1.5, b"1", ["1"]),
    ],
)
def test_anything_else_is_no_decimal(text: Any) -> None:
    with pytest.raises(InputError, match="not a decimal number"):
        parse_decimal(text)


@given(st.integers(-(10**30), 10**30), st.integers(0, 40), st.integers(0, 40))
def test_decimal_writes_what_parse_decimal_reads(numerator: int, twos: int, fives: int) -> None:
    value = Fraction(numerator, 2**twos * 5**fives)
    text = decimal(value)
    assert parse_decimal(text) == value
    assert decimal(parse_decimal(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(1, 8), "0.125"), (Fraction(-3), "-3"), (Fraction(0), "0"), (Fraction(-1, 100), "-0.01"), (100, "100")],
)
def test_the_canonical_form_of_a_decimal(value: Fraction | int, text: str) -> None:
    assert decimal(Fraction(value)) == text


def test_a_rational_without_a_finite_expansion_has_no_decimal() -> None:
    with pytest.raises(InputError, match="1/3 has no finite decimal expansion"):
        decimal(Fraction(1, 3))


@given(finite)
def test_a_float_hyperparameter_means_its_shortest_decimal(value: float) -> None:
    assert exact(value) == Fraction(repr(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, Fraction(1, 10)), (3, 3), ("2.50", Fraction(5, 2)), (Fraction(1, 3), Fraction(1, 3)), (1e22, 10**22)],
)
def test_hyperparameters_are_exact(value: Any, expected: Fraction) -> None:
    assert exact(value) == expected


@pytest.mark.parametrize("value", [True, None, 1j, [1], float("nan"), float("inf"), "x"])
def test_other_hyperparameters_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"not a (decimal )?number"):
        exact(value)


# Datasets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ([1.0, 2.0], None, "inputs must have 2 dimension(s), not 1"),
        (np.zeros((2, 2, 2)), None, "inputs must have 2 dimension(s), not 3"),
        (np.zeros((0, 3)), None, "the dataset is empty: 0 rows, 3 columns"),
        (np.zeros((3, 0)), None, "the dataset is empty: 3 rows, 0 columns"),
        ([[1.0, 2.0]], None, "one row; at least two are needed"),
        (np.zeros((20_001, 1)), None, "the limits are 20000 rows and 100000 columns"),
        (np.zeros((2, 100_001)), None, "the limits are 20000 rows and 100000 columns"),
        ([[1.0], [float("nan")]], None, "inputs contain NaN or infinity at [1, 0] (counted from 0)"),
        ([[1.0], [float("-inf")]], None, "inputs contain NaN or infinity at [1, 0]"),
        ([["a"], ["b"]], None, "inputs must be real numbers, not <U1"),
        ([[True], [False]], None, "inputs must be real numbers, not bool"),
        ([[1j], [2j]], None, "inputs must be real numbers, not complex128"),
        ([[2**53 + 1], [0]], None, "inputs contain integers that do not fit float64 exactly"),
        (np.array([[2**63 - 1], [0]]), None, "inputs contain integers that do not fit float64 exactly"),
        (np.array([[2**64 - 1], [0]], dtype=np.uint64), None, "integers that do not fit float64 exactly"),
        ([[1.0], [2.0]], [1.0], "1 targets for 2 rows"),
        ([[1.0], [2.0]], [[1.0], [2.0]], "targets must have 1 dimension(s), not 2"),
        ([[1.0], [2.0]], [1.0, float("nan")], "targets contain NaN or infinity at [1]"),
    ],
)
def test_unusable_data_are_refused(inputs: Any, targets: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Dataset(inputs, targets)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long double is float64 here")
def test_long_doubles_must_fit() -> None:
    third = np.array([[1], [2]], dtype=np.longdouble) / 3
    with pytest.raises(InputError, match="do not fit float64 exactly"):
        Dataset(third)
    assert Dataset(np.array([[0.5], [0.25]], dtype=np.longdouble)).inputs.tolist() == [[0.5], [0.25]]


def test_the_data_are_a_private_read_only_copy() -> None:
    source = np.array([[1, 2], [3, 2**53]], dtype=np.int64)
    dataset = Dataset(source, source[:, 0])
    source[0, 0] = 9
    assert dataset.inputs.dtype == np.float64
    assert dataset.inputs.tolist() == [[1.0, 2.0], [3.0, 2.0**53]]
    assert (dataset.n, dataset.d) == (2, 2)
    with pytest.raises(ValueError, match="read-only"):
        dataset.inputs[0, 0] = 1.0
    assert dataset.targets is not None
    with pytest.raises(ValueError, match="read-only"):
        dataset.targets[0] = 1.0


def test_the_order_in_memory_does_not_matter() -> None:
    rows = np.arange(6.0).reshape(2, 3)
    assert Dataset(np.asfortranarray(rows)).sha256 == Dataset(rows).sha256 == Dataset(rows.astype(">f8")).sha256


@given(matrices)
def test_the_hash_is_that_of_shape_and_numbers(rows: list[list[float]]) -> None:
    flat = [value for row in rows for value in row]
    data = f"({len(rows)}, {len(rows[0])})".encode() + struct.pack(f"<{len(flat)}d", *flat)
    assert Dataset(np.array(rows)).sha256 == hashlib.sha256(data).hexdigest()
    targets = [row[0] for row in rows]
    data += f"({len(rows)},)".encode() + struct.pack(f"<{len(targets)}d", *targets)
    assert Dataset(np.array(rows), np.array(targets)).sha256 == hashlib.sha256(data).hexdigest()


def test_equal_bytes_of_other_shapes_have_other_hashes() -> None:
    numbers = np.arange(12.0)
    found = {Dataset(numbers.reshape(shape)).sha256 for shape in ((2, 6), (3, 4), (4, 3), (6, 2), (12, 1))}
    found |= {
        Dataset(numbers[:8].reshape(4, 2), numbers[8:]).sha256,
        Dataset(numbers[:6].reshape(6, 1), numbers[6:]).sha256,
    }
    assert len(found) == 7


@given(matrices)
def test_the_inputs_are_integers_times_a_power_of_two(rows: list[list[float]]) -> None:
    dataset = Dataset(np.array(rows))
    integers = integer_rows(dataset.inputs, dataset.exponent)
    unit = Fraction(2) ** dataset.exponent
    assert [[k * unit for k in row] for row in integers] == [[Fraction(value) for value in row] for row in rows]
    flat = [k for row in integers for k in row]
    if any(flat):
        assert any(k % 2 for k in flat)  # the exponent is the largest possible
    else:
        assert dataset.exponent == 0


@pytest.mark.parametrize(
    ("rows", "exponent"),
    [
        ([[1.0], [3.0]], 0),
        ([[12.0], [8.0]], 2),
        ([[0.75], [5.0]], -2),
        ([[5e-324], [0.0]], -1074),
        ([[2.0**1023]] * 2, 1023),
    ],
)
def test_the_exponent(rows: list[list[float]], exponent: int) -> None:
    assert Dataset(np.array(rows)).exponent == exponent


# Networks and problems ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relu", ("relu", None)),
        ("erf", ("erf", None)),
        ("leaky_relu", ("leaky_relu", Fraction(1, 100))),
        ("leaky_relu(0.2)", ("leaky_relu", Fraction(1, 5))),
        ("leaky_relu(-10)", ("leaky_relu", Fraction(-10))),
    ],
)
def test_activations(text: str, expected: tuple[str, Fraction | None]) -> None:
    assert split_activation(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "unknown activation 'foo'; there are relu, leaky_relu(slope), abs, identity, erf, sin, cos"),
        ("ReLU", "unknown activation 'ReLU'; there are relu"),
        ("", "unknown activation ''"),
        ("relu ", "unknown activation 'relu '"),
        (None, "unknown activation 'None'"),
        ("relu(1)", "the activation relu takes no parameter"),
        ("leaky_relu()", "not a decimal number: ''"),
        ("leaky_relu(1/3)", "not a decimal number: '1/3'"),
        ("leaky_relu(nan)", "not a decimal number: 'nan'"),
        ("leaky_relu(10.1)", "the slope of leaky_relu must be from -10 to 10, not 10.1"),
    ],
)
def test_unknown_activations_are_refused(text: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        split_activation(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth must be an integer from 1 to 10, not 0"),
        ({"depth": 11}, "depth must be an integer from 1 to 10, not 11"),
        ({"depth": True}, "depth must be an integer from 1 to 10, not True"),
        ({"depth": 2.0}, "depth must be an integer from 1 to 10, not 2.0"),
        ({"train": "everything"}, "unknown train 'everything'; there are hidden, output, both, all"),
        ({"depth": 2, "train": "hidden"}, "train=hidden is for depth 1; at depth 2 use train=all"),
        ({"bias": -1}, "bias must be from 0 to 10^6, not -1"),
        ({"bias": "1000000.1"}, "bias must be from 0 to 10^6, not 1000000.1"),
        ({"bias": "much"}, "not a decimal number: 'much'"),
        ({"bias": float("nan")}, "not a decimal number: 'nan'"),
        ({"weight_std": 0}, "weight std must be from 10^-6 to 10^6, not 0"),
        ({"weight_std": "-1"}, "weight std must be from 10^-6 to 10^6, not -1"),
        ({"input_scale": "2"}, "unknown input scale '2'; there are 1, fan-in"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Network(**options)
    assert message in str(caught.value)


def test_a_network_keeps_exact_canonical_hyperparameters() -> None:
    network = Network(activation="leaky_relu(0.20)", bias=0.1, weight_std="1.50", input_scale=1)  # type: ignore[arg-type]
    assert network.activation == "leaky_relu(0.2)"
    assert (network.beta, network.sigma_w, network.input_scale) == (Fraction(1, 10), Fraction(3, 2), "1")
    assert network == Network("leaky_relu(0.2)", bias="0.1", weight_std=1.5)


def test_a_problem_needs_a_known_kernel() -> None:
    dataset = Dataset(np.eye(2))
    with pytest.raises(InputError, match="unknown kernel 'rbf'; there are ntk, nngp"):
        Problem(dataset, Network(), "rbf")
    with pytest.raises(InputError, match="the nngp kernel does not depend on what is trained"):
        Problem(dataset, Network(train="hidden"), "nngp")
    assert Problem(dataset, Network(train="hidden")).kernel == "ntk"
    assert Problem(dataset, Network(), "nngp").kernel == "nngp"

"""The rules about random initialisation: values by independent mathematics, refusals, and frequencies."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from two_layer import (
    ENGINES,
    MONOTONE,
    MP,
    ROWS,
    SLOPE_SQUARED,
    TARGETS,
    derive,
    inputs_max,
    is_upper,
    jacobian,
    kernel_min,
    limit_kernel,
    mp,
    norm,
    outputs,
    problem,
    quantity,
    refutes,
    rejection,
    start,
)

from ntkproof.certificate import integer_array
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.logic.rule import Proved
from ntkproof.checker.random_start.claims import Bound

engines = pytest.mark.parametrize("engine", ENGINES)
ALL = tuple(SLOPE_SQUARED)
GRAM = ROWS @ ROWS.T


def just(above: bool, x: Any) -> str:
    """Return a decimal that is larger or smaller than x by one part in 10^40."""
    return MP.nstr(x * (1 + (1 if above else -1) * MP.mpf(10) ** -40), 50, strip_zeros=False).replace("e+", "e")


# matrix_chernoff, loewner_spectrum ------------------------------------------------------------------------------


@engines
@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize(
    ("width", "init", "neurons", "delta", "lambda_0", "square"),
    [
        (400, "antisymmetric", 200, "0.5", "0.3", "4"),
        (400, "signs", 400, "0.99999999", "0.2", "4"),
        (401, "signs", 401, "0.25", "0.71", "3.5"),
        (10**9, "balanced", 10**9, "0.001", "0.01", "3.5"),
        (2, "antisymmetric", 1, "0.999", "4", "1.25"),
    ],
)
def test_matrix_chernoff_asks_for_the_failure_of_tropp(
    engine: str, activation: str, width: int, init: str, neurons: int, delta: str, lambda_0: str, square: str
) -> None:
    d = mp(delta)
    exponent = d + (1 - d) * MP.log(1 - d)
    least = 3 * MP.exp(-neurons * mp(lambda_0) * exponent / (SLOPE_SQUARED[activation] * mp(square)))
    about, premises = problem(activation, width, init), (kernel_min(lambda_0), inputs_max(square))

    def args(failure: str) -> dict[str, str]:
        return {"delta": delta, "failure": failure}

    if least >= 1:
        assert rejection(about, "matrix_chernoff", premises, args("0.999999"), engine=engine) == "failure-probability"
        return
    derived = derive(about, "matrix_chernoff", premises, args(just(True, least)), engine=engine)
    assert derived.claim == Bound("loewner", 1 - Fraction(delta))
    assert derived.failure == Fraction(just(True, least))
    assert derived.assumptions
    assert not derived.assumed
    assert rejection(about, "matrix_chernoff", premises, args(just(False, least)), engine=engine) == (
        "failure-probability"
    )


CHERNOFF = {"delta": "0.9", "failure": "0.5"}
GOOD = (kernel_min("0.5"), inputs_max("4"))


@pytest.mark.parametrize(
    ("code", "premises", "args", "network"),
    [
        ("bad-argument", GOOD, {"delta": "0"}, {}),
        ("bad-argument", GOOD, {"delta": "1"}, {}),
        ("bad-argument", GOOD, {"delta": "-0.5"}, {}),
        ("bad-argument", GOOD, {"delta": "1.5"}, {}),
        ("bad-argument", GOOD, {"delta": "nan"}, {}),
        ("bad-argument", GOOD, {"failure": "1"}, {}),
        ("bad-argument", GOOD, {"failure": "1e9"}, {}),
        ("bad-argument", GOOD, {"failure": "0"}, {}),
        ("bad-argument", GOOD, {"failure": "-1"}, {}),
        ("failure-probability", GOOD, {"failure": "1e-300"}, {}),
        ("no-enclosure", GOOD, {"delta": "0." + 399 * "9"}, {}),
        ("hypothesis", (kernel_min("0"), inputs_max("4")), {}, {}),
        ("hypothesis", (kernel_min("-3"), inputs_max("4")), {}, {}),
        ("bad-premises", GOOD[::-1], {}, {}),
        ("bad-premises", GOOD[:1], {}, {}),
        ("bad-premises", (*GOOD, inputs_max("4")), {}, {}),
        ("bad-premises", (kernel_min("0.5"), quantity("jacobian_norm", "4")), {}, {}),
        ("outside-theorem", GOOD, {}, {"train": "both", "init": "gaussian"}),
        ("outside-theorem", GOOD, {}, {"train": "all"}),
        ("outside-theorem", GOOD, {}, {"train": "output"}),
        ("outside-theorem", GOOD, {}, {"train": "all", "depth": 2}),
        ("outside-theorem", GOOD, {}, {"bias": "0.1"}),
        ("outside-theorem", GOOD, {}, {"weight_std": "2"}),
        ("outside-theorem", GOOD, {}, {"input_scale": "fan-in"}),
        ("outside-theorem", GOOD, {}, {"init": "gaussian"}),
    ],
)
def test_matrix_chernoff_refuses(code: str, premises: Any, args: dict[str, str], network: dict[str, Any]) -> None:
    assert rejection(problem(**network), "matrix_chernoff", premises, CHERNOFF | args) == code


@pytest.mark.parametrize("change", [{"matrix": "inputs"}, {"eigenvalue": "max"}, {"side": "upper"}])
def test_matrix_chernoff_needs_lambda_min_of_the_kernel(change: dict[str, str]) -> None:
    claim = type(GOOD[0])(**{**vars(GOOD[0]), **change})
    assert rejection(problem(), "matrix_chernoff", (claim, GOOD[1]), CHERNOFF) == "bad-premises"


@pytest.mark.parametrize("change", [{"matrix": "kernel"}, {"matrix": "inputs_squared"}, {"side": "lower"}])
def test_matrix_chernoff_needs_lambda_max_of_the_inputs(change: dict[str, str]) -> None:
    claim = type(GOOD[1])(**{**vars(GOOD[1]), **change})
    assert rejection(problem(), "matrix_chernoff", (GOOD[0], claim), CHERNOFF) == "bad-premises"


def test_statements_without_training_have_no_theorem() -> None:
    about = problem()
    bare = type(about)(about.dataset, about.network)
    assert rejection(bare, "matrix_chernoff", GOOD, CHERNOFF) == "outside-theorem"


def test_an_activation_of_unbounded_slope_has_no_theorem() -> None:
    assert rejection(problem("expr(x**2)"), "matrix_chernoff", GOOD, CHERNOFF) == "hypothesis"


@engines
def test_loewner_spectrum_is_a_product(engine: str) -> None:
    premises = (quantity("loewner", "0.125"), kernel_min("0.75"))
    claim = derive(problem(), "loewner_spectrum", premises, engine=engine).claim
    assert claim == Bound("initial_lambda_min", Fraction(3, 32))


@pytest.mark.parametrize(
    ("code", "premises"),
    [
        ("bad-premises", (quantity("residual", "0.1"), kernel_min("1"))),
        ("bad-premises", (quantity("loewner", "0.1"), inputs_max("1"))),
        ("bad-premises", (kernel_min("1"), quantity("loewner", "0.1"))),
        ("hypothesis", (quantity("loewner", "0.1"), kernel_min("0"))),
    ],
)
def test_loewner_spectrum_refuses(code: str, premises: Any) -> None:
    assert rejection(problem(), "loewner_spectrum", premises) == code


# hoeffding, weyl ------------------------------------------------------------------------------------------------


@engines
@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize(
    ("width", "init", "neurons", "tau"),
    [(1000, "antisymmetric", 500, "0.1"), (999, "signs", 999, "0.05"), (4 * 10**8, "balanced", 4 * 10**8, "1e-4")],
)
def test_hoeffding_bounds_every_entry(
    engine: str, activation: str, width: int, init: str, neurons: int, tau: str
) -> None:
    least = 12 * MP.exp(-2 * neurons * mp(tau) ** 2)
    exact = sum(
        sum(mp(u) * mp(v) for u, v in zip(a, b, strict=True)) ** 2 for a in ROWS.tolist() for b in ROWS.tolist()
    )
    reach = (1 if activation in MONOTONE else 2) * SLOPE_SQUARED[activation]
    about = problem(activation, width, init)
    derived = derive(about, "hoeffding", (), {"tau": tau, "failure": just(True, least)}, engine=engine)
    assert isinstance(derived.claim, Bound)
    assert derived.claim.quantity == "initial_deviation"
    assert is_upper(derived.claim.value, mp(tau) * reach * MP.sqrt(exact))
    assert derived.failure == Fraction(just(True, least))
    too_small = {"tau": tau, "failure": just(False, least)}
    assert rejection(about, "hoeffding", (), too_small, engine=engine) == "failure-probability"


@pytest.mark.parametrize(
    ("code", "args", "network"),
    [
        ("bad-argument", {"tau": "0"}, {}),
        ("bad-argument", {"tau": "-1"}, {}),  # its square would be as good as that of 1
        ("bad-argument", {"failure": "1"}, {}),
        ("bad-argument", {"failure": "0"}, {}),
        ("bad-argument", {"tau": "1e30", "failure": "0"}, {}),
        ("bad-argument", {"tau": "3", "failure": "0"}, {"width": 10**9}),
        ("failure-probability", {"tau": "1e-9"}, {}),
        ("outside-theorem", {}, {"bias": "1"}),
        ("outside-theorem", {}, {"init": "gaussian"}),
    ],
)
def test_hoeffding_refuses(code: str, args: dict[str, str], network: dict[str, Any]) -> None:
    assert rejection(problem(**network), "hoeffding", (), {"tau": "0.3", "failure": "0.1"} | args) == code


def test_weyl_subtracts() -> None:
    premises = (kernel_min("0.5"), quantity("initial_deviation", "0.75"))
    assert derive(problem(), "weyl", premises).claim == Bound("initial_lambda_min", Fraction(-1, 4))
    assert rejection(problem(), "weyl", premises[::-1]) == "bad-premises"
    assert rejection(problem(), "weyl", (premises[0], quantity("loewner", "0.1"))) == "bad-premises"


# initial_residual -----------------------------------------------------------------------------------------------


def integral(f: Any) -> Any:
    """Return ``E f(Z)``, Z standard normal, to 24 digits by quadrature split at the kink."""
    with MP.workdps(26):
        return MP.quad(lambda z: f(z) * MP.exp(-z * z / 2), [-12, -4, 0, 4, 12]) / MP.sqrt(2 * MP.pi)


def moments(activation: str) -> tuple[Any, Any]:
    """Return ``Σ (E σ(w·x_i))²`` and ``Σ Var σ(w·x_i)``."""
    functions = {"erf": MP.erf, "sin": MP.sin, "cos": MP.cos, "relu": lambda z: max(z, MP.mpf(0)), "abs": abs}
    below = {"leaky_relu(-3)": -3}.get(activation)
    f = functions.get(activation) or (lambda z: z if z > 0 else below * z)
    scales = [MP.sqrt(sum(mp(x) ** 2 for x in row)) for row in ROWS.tolist()]
    means = [integral(lambda z, s=s: f(s * z)) for s in scales]
    squares = [integral(lambda z, s=s: f(s * z) ** 2) for s in scales]
    mean_square = sum(m * m for m in means)
    return mean_square, sum(squares) - mean_square


@engines
def test_the_antisymmetric_start_is_zero(engine: str) -> None:
    args = {"failure": "0", "signs_failure": "0"}
    derived = derive(problem(), "initial_residual", (inputs_max("4"),), args, engine=engine)
    assert isinstance(derived.claim, Bound)
    assert derived.failure == 0
    assert is_upper(derived.claim.value, MP.sqrt(sum(mp(y) ** 2 for y in TARGETS.tolist())))


def test_zero_targets_leave_no_residual() -> None:
    about = problem(targets=[0.0, 0.0, 0.0])
    claim = derive(about, "initial_residual", (inputs_max("4"),), {"failure": "0", "signs_failure": "0"}).claim
    assert claim == Bound("residual", Fraction(0))


@pytest.mark.parametrize("activation", ["erf", "cos", "relu", "abs", "leaky_relu(-3)"])
@pytest.mark.parametrize(("init", "failure", "signs"), [("balanced", "0.03", "0"), ("signs", "0.001", "0.4")])
def test_initial_residual_concentrates(activation: str, init: str, failure: str, signs: str) -> None:
    mean_square, variance = moments(activation)
    size = MP.sqrt(sum(mp(y) ** 2 for y in TARGETS.tolist()))
    if init == "signs":
        size += MP.sqrt(2 * MP.log(2 / mp(signs)) * mean_square)
    lipschitz = MP.sqrt(SLOPE_SQUARED[activation] * 4)
    truth = MP.sqrt(size**2 + variance) + lipschitz * MP.sqrt(-2 * MP.log(mp(failure)))
    about = problem(activation, 50, init)
    derived = derive(about, "initial_residual", (inputs_max("4"),), {"failure": failure, "signs_failure": signs})
    assert isinstance(derived.claim, Bound)
    assert derived.failure == Fraction(failure) + Fraction(signs)
    assert abs(mp(derived.claim.value) / truth - 1) < 1e-20


@pytest.mark.parametrize(
    ("code", "init", "args"),
    [
        ("bad-argument", "antisymmetric", {"failure": "0.1"}),
        ("bad-argument", "antisymmetric", {"failure": "0", "signs_failure": "0.1"}),
        ("bad-argument", "balanced", {"failure": "0"}),
        ("bad-argument", "balanced", {"failure": "1"}),
        ("bad-argument", "balanced", {"failure": "-0.1"}),
        ("bad-argument", "balanced", {"failure": "1.5"}),
        ("bad-argument", "balanced", {"signs_failure": "0.1"}),
        ("bad-argument", "signs", {}),
        ("bad-argument", "signs", {"signs_failure": "1"}),
        ("bad-argument", "signs", {"signs_failure": "2"}),
        ("bad-argument", "signs", {"signs_failure": "-0.1"}),
        ("outside-theorem", "gaussian", {}),
    ],
)
def test_initial_residual_refuses(code: str, init: str, args: dict[str, str]) -> None:
    given_args = {"failure": "0.1", "signs_failure": "0"} | args
    assert rejection(problem(init=init), "initial_residual", (inputs_max("4"),), given_args) == code


def test_initial_residual_needs_the_norm_of_the_inputs() -> None:
    args = {"failure": "0.1", "signs_failure": "0"}
    assert rejection(problem(init="balanced"), "initial_residual", (kernel_min("1"),), args) == "bad-premises"


def test_a_zero_row_has_moments() -> None:
    about = problem("cos", 50, "signs", rows=[[0.0, 0.0], [1.0, 0.0]], targets=[0.0, 0.0])
    args = {"failure": "0.5", "signs_failure": "0.5"}
    claim = derive(about, "initial_residual", (inputs_max("1"),), args).claim
    second = (1 + MP.exp(-2)) / 2  # E cos² Z; E cos Z = e^{-1/2}, and cos 0 = 1
    size = MP.sqrt(2 * MP.log(4) * (1 + MP.exp(-1)))
    assert isinstance(claim, Bound)
    assert is_upper(claim.value, MP.sqrt(size**2 + second - MP.exp(-1)) + MP.sqrt(2 * MP.log(2)))


# inverse_form, linearised_path ----------------------------------------------------------------------------------


def kernel_premise(about: Any, engine: str, extra: int = 0) -> Proved:
    """Enclose the kernel; with ``extra``, as a step that states a larger radius."""
    args = {"precision": 80, "working_precision": 160}
    derived = derive(about, "kernel_enclosure", (), args, engine=engine)
    assert isinstance(derived.claim, Enclosure)
    stated = Enclosure(derived.claim.matrix, derived.claim.precision, derived.claim.radius + extra)
    return Proved(stated, derived.matrix)


def true_inverse_form(activation: str, targets: Any = TARGETS) -> Any:
    y = MP.matrix([mp(v) for v in np.asarray(targets).tolist()])
    return (y.T * MP.lu_solve(limit_kernel(activation), y))[0]


def bound_by(activation: str, vector: list[int], scale: int, engine: str = "fast", extra: int = 0, **about: Any) -> Any:
    network = problem(activation, **about)
    lambda_0 = MP.nstr(min(MP.eigsy(limit_kernel(activation), eigvals_only=True)) * (1 - MP.mpf(10) ** -20), 30)
    premises = (kernel_premise(network, engine, extra), kernel_min(lambda_0))
    witness = {"solution": integer_array(vector)}
    claim = derive(network, "inverse_form", premises, {"scale": scale}, witness, engine).claim
    assert isinstance(claim, Bound)
    return mp(claim.value)


@engines
@pytest.mark.parametrize("activation", ["erf", "sin", "relu", "abs", "leaky_relu(2.5)"])
def test_inverse_form_of_a_good_solution_is_sharp(engine: str, activation: str) -> None:
    z = MP.lu_solve(limit_kernel(activation), MP.matrix([mp(v) for v in TARGETS.tolist()]))
    truth = true_inverse_form(activation)
    found = bound_by(activation, [int(MP.nint(x * 2**60)) for x in z], 60, engine)
    assert truth <= found <= truth * (1 + MP.mpf(10) ** -15)


@given(
    st.sampled_from(["erf", "sin", "relu"]),
    st.lists(st.integers(-(2**70), 2**70) | st.integers(-64, 64), min_size=3, max_size=3),
    st.integers(0, 70),
    st.sampled_from([0, 1, 2**60, 2**80, 2**100]),
)
def test_inverse_form_holds_for_any_vector_and_any_radius(
    activation: str, vector: list[int], scale: int, extra: int
) -> None:
    assert bound_by(activation, vector, scale, extra=extra) >= true_inverse_form(activation)


def test_inverse_form_of_zero_targets() -> None:
    assert bound_by("erf", [0, 0, 0], 0, targets=[0.0, 0.0, 0.0]) == 0
    assert bound_by("erf", [1, -1, 3], 0, targets=[0.0, 0.0, 0.0]) >= 0


@pytest.mark.parametrize("length", [1, 2, 4])
def test_inverse_form_needs_a_vector_of_n(length: int) -> None:
    about = problem()
    witness = {"solution": integer_array([1] * length)}
    premises = (kernel_premise(about, "fast"), kernel_min("0.1"))
    assert rejection(about, "inverse_form", premises, {"scale": 0}, witness) == "bad-witness"


def test_inverse_form_needs_the_kernel_and_targets() -> None:
    about, witness = problem(), {"solution": integer_array([1, 2, 3])}
    inputs = derive(about, "inputs_enclosure", (), {"side": "rows"})
    kernel = kernel_premise(about, "fast")
    for premises, code in (
        ((Proved(inputs.claim, inputs.matrix), kernel_min("0.1")), "bad-premises"),
        ((Proved(kernel.claim), kernel_min("0.1")), "bad-premises"),
        ((kernel, inputs_max("0.1")), "bad-premises"),
        ((kernel, kernel_min("0")), "hypothesis"),
    ):
        assert rejection(about, "inverse_form", premises, {"scale": 0}, witness) == code
    unsupervised = type(about)(type(about.dataset)(ROWS), about.network)
    assert (
        rejection(unsupervised, "inverse_form", (kernel, kernel_min("1")), {"scale": 0}, witness) == "outside-theorem"
    )


def test_linearised_path_divides_by_the_share() -> None:
    premises = (quantity("loewner", "0.25"), quantity("inverse_form", "3"))
    assert derive(problem(), "linearised_path", premises).claim == Bound("linearised_path", Fraction(12))


@pytest.mark.parametrize(
    ("code", "premises", "init"),
    [
        ("hypothesis", (quantity("loewner", "0"), quantity("inverse_form", "3")), "antisymmetric"),
        ("hypothesis", (quantity("loewner", "-1"), quantity("inverse_form", "3")), "antisymmetric"),
        ("bad-premises", (quantity("inverse_form", "3"), quantity("loewner", "0.5")), "antisymmetric"),
        ("bad-premises", (quantity("initial_lambda_min", "0.5"), quantity("inverse_form", "3")), "antisymmetric"),
        ("outside-theorem", (quantity("loewner", "0.5"), quantity("inverse_form", "3")), "balanced"),
        ("outside-theorem", (quantity("loewner", "0.5"), quantity("inverse_form", "3")), "signs"),
    ],
)
def test_linearised_path_refuses(code: str, premises: Any, init: str) -> None:
    assert rejection(problem(init=init), "linearised_path", premises) == code


# Frequencies ----------------------------------------------------------------------------------------------------

TRIALS = 10_000
PAIR = np.array([[1.0, 0.0], [-1.0, 0.0]])  # one of the two rows is active for every neuron: the largest variance


def least_eigenvalues(activation: str, rows: Any, neurons: int, rng: np.random.Generator) -> Any:
    """Return ``λ_min(H∞^{-1/2} H_0 H∞^{-1/2})`` and ``‖H_0 − H∞‖`` of many initialisations."""
    limit = np.array(limit_kernel(activation, rows).tolist(), dtype=float)
    weights, a = start("signs", neurons, rows.shape[1], rng, TRIALS)
    jacobians = jacobian(activation, rows, weights, a)
    kernels = jacobians @ jacobians.swapaxes(-1, -2)
    values, vectors = np.linalg.eigh(limit)
    root = vectors / np.sqrt(values) @ vectors.T
    return np.linalg.eigvalsh(root @ kernels @ root)[:, 0], norm(kernels - limit)


@pytest.mark.parametrize("activation", ["relu", "erf", "sin"])
@pytest.mark.parametrize(("rows", "neurons"), [(PAIR, 6), (PAIR, 12), (ROWS, 12), (ROWS[:2], 10)])
def test_matrix_chernoff_is_not_refuted(activation: str, rows: Any, neurons: int) -> None:
    if rows is PAIR and activation != "relu":
        rows = np.eye(2)
    least, _ = least_eigenvalues(activation, rows, neurons, np.random.default_rng(neurons))
    lambda_0 = float(min(MP.eigsy(limit_kernel(activation, rows), eigvals_only=True)))
    summand = float(SLOPE_SQUARED[activation]) * np.linalg.norm(rows, 2) ** 2
    for delta in np.linspace(0.3, 0.999, 12):
        exponent = delta + (1 - delta) * np.log1p(-delta)
        claimed = len(rows) * np.exp(-neurons * lambda_0 * exponent / summand)
        assert not refutes(int((least <= 1 - delta).sum()), TRIALS, claimed), (delta, claimed)


@pytest.mark.parametrize("activation", ["relu", "abs", "erf", "cos"])
@pytest.mark.parametrize("neurons", [3, 10])
def test_hoeffding_is_not_refuted(activation: str, neurons: int) -> None:
    rng = np.random.default_rng(neurons)
    frobenius = np.linalg.norm(GRAM)
    weights, a = start("signs", neurons, 2, rng, TRIALS)
    jacobians = jacobian(activation, ROWS, weights, a)
    kernels = jacobians @ jacobians.swapaxes(-1, -2)
    many, b = start("signs", 2 * 10**5, 2, rng)  # the limit by the law of large numbers, to about 0.01
    mean = jacobian(activation, ROWS, many, b)[0]
    off = norm(kernels - mean @ mean.T) - 0.03
    reach = float(SLOPE_SQUARED[activation]) * (1 if activation in MONOTONE else 2)
    for claimed in (0.05, 0.2, 0.5):
        tau = np.sqrt(np.log(12 / claimed) / (2 * neurons))
        assert not refutes(int((off > tau * reach * frobenius).sum()), TRIALS, claimed)


@pytest.mark.parametrize("activation", ["relu", "erf", "cos", "abs"])
@pytest.mark.parametrize(
    ("init", "width"), [("balanced", 2), ("balanced", 20), ("signs", 1), ("signs", 3), ("signs", 20)]
)
def test_initial_residual_is_not_refuted(activation: str, init: str, width: int) -> None:
    rng = np.random.default_rng(width)
    weights, a = start(init, width, 2, rng, TRIALS)
    residuals = np.linalg.norm(outputs(activation, ROWS, weights, a) - TARGETS, axis=-1)
    about, square = problem(activation, width, init), repr(float(np.linalg.norm(ROWS, 2) ** 2) * (1 + 1e-12))
    for half in ("0.05", "0.25"):
        args = {"failure": half, "signs_failure": half if init == "signs" else "0"}
        derived = derive(about, "initial_residual", (inputs_max(square),), args)
        assert isinstance(derived.claim, Bound)
        violations = int((residuals > float(derived.claim.value)).sum())
        assert not refutes(violations, TRIALS, float(derived.failure))


def test_the_mean_is_where_the_residual_bound_puts_it() -> None:
    """Not blind: without the spread over the signs the bound for iid signs is false, and seen to be."""
    weights, a = start("signs", 1000, 2, np.random.default_rng(0), 2000)
    residuals = np.linalg.norm(outputs("cos", 0.01 * ROWS, weights, a) - TARGETS, axis=-1)
    assert refutes(int((residuals > np.linalg.norm(TARGETS) + 0.1).sum()), 2000, 0.1)

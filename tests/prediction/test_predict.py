"""Predictions of infinite width against mpmath at 400 bits, SciPy, identities of the theory, and wide networks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import scipy.linalg
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ntkproof import Dataset, InputError, Network, enclose_gram, load, prepare
from ntkproof.prediction import Limit
from ntkproof.prediction.balls import exact_matrix, floats
from ntkproof.prediction.functions import Spectral
from ntkproof.prediction.limit import predict
from ntkproof.prediction.results import Enclosed
from tests.test_gram import Oracle

TRAIN = Dataset(np.array([[1.0, 0.5], [-0.5, 1.25], [0.25, -1.0], [-1.5, -0.75]]), np.array([1.0, -0.5, 0.25, 2.0]))
TEST = np.array([[0.75, 0.75], [-1.0, 0.125]])
TIMES = ("0", "0.3", "4", "inf")
NETWORKS = [
    Network("erf", train="hidden"),
    Network("relu", train="both", weight_std="1.5"),
    Network("relu", depth=3, bias="0.3", input_scale="fan-in"),
    Network("sin", train="output", bias="0.5"),
]
MP = mpmath.mp.clone()
MP.prec = 400
NAMES = [f"{network.activation}-{network.depth}-{network.train}" for network in NETWORKS]


# mpmath ---------------------------------------------------------------------------------------------------------


def gram(network: Network, kernel: str) -> Any:
    """The Gram matrix of training and test inputs, from the angles."""
    return oracle_gram(network, kernel, np.concatenate([TRAIN.inputs, TEST]))


def oracle_gram(network: Network, kernel: str, points: np.ndarray) -> Any:
    oracle, rows = Oracle(network, kernel), points.tolist()
    return MP.matrix([[MP.mpf(oracle.entry(x, y)) for y in rows] for x in rows])


def start_kernel(network: Network) -> Any:
    """The covariance of f_0: without an output bias unless everything is trained."""
    return gram(network, "nngp") if network.train == "all" else gram(replace(network, train="output"), "ntk")


def within(enclosed: Enclosed, truth: Any, width: float) -> None:
    """Require the truth in the enclosure and a radius of at most ``width``."""
    numbers = [MP.mpf(x) for x in truth]
    assert enclosed.value.size == enclosed.radius.size == len(numbers)
    for value, radius, true in zip(enclosed.value.flat, enclosed.radius.flat, numbers, strict=True):
        assert abs(MP.mpf(float(value)) - true) <= MP.mpf(float(radius)) + MP.mpf(2) ** -300
        assert radius <= width


def blocks(matrix: Any) -> tuple[Any, Any, Any]:
    n = TRAIN.n
    return matrix[:n, :n], matrix[:n, n:], matrix[n:, n:]


def flow(h: Any, time: str) -> tuple[Any, Any]:
    """``e^{−Ht}`` and ``H⁻¹(1 − e^{−Ht})``."""
    one = MP.eye(h.rows)
    decay = MP.zeros(h.rows) if time == "inf" else MP.expm(-MP.mpf(time) * h, method="taylor")
    return decay, MP.inverse(h) * (one - decay)


def agrees(limit: Limit, network: Network, width: float, noise: str = "0") -> None:
    tangent, start = gram(network, "ntk"), start_kernel(network)
    h, cross, _ = blocks(tangent)
    y = MP.matrix(TRAIN.targets.tolist())
    for time, instant in zip(TIMES, limit.instants, strict=True):
        decay, integral = flow(h, time)
        a = integral * cross
        residual = -decay * y
        within(instant.residual, residual, width)
        within(instant.loss, [sum(x * x for x in residual) / 2], width)
        within(instant.mean, a.T * y, width)
        within(instant.covariance, quadratic(start, a), width)
        values = sorted(MP.eigsy(h, eigvals_only=True))
        within(instant.filter, [1 if time == "inf" else 1 - MP.exp(-x * MP.mpf(time)) for x in values], width)
    within(limit.rates, sorted(MP.eigsy(h, eigvals_only=True)), width)
    for kernel, posterior in ((tangent, limit.ntk_posterior), (start, limit.nngp_posterior)):
        assert posterior is not None
        k, cross, corner = blocks(kernel)
        inverse = MP.inverse(k + MP.mpf(noise) * MP.eye(k.rows))
        within(posterior.mean, cross.T * inverse * y, width)
        within(posterior.covariance, corner - cross.T * inverse * cross, width)


def quadratic(kernel: Any, a: Any) -> Any:
    """Lee et al. 2019, equation 16, term by term."""
    k, cross, corner = blocks(kernel)
    return corner + a.T * k * a - (a.T * cross + cross.T * a)


@pytest.mark.parametrize("network", NETWORKS, ids=NAMES)
def test_every_number_is_enclosed(network: Network) -> None:
    agrees(predict(TRAIN, network, times=TIMES, test=TEST), network, 1e-10)


@pytest.mark.parametrize("network", NETWORKS[:2], ids=NAMES[:2])
def test_balls_enclose_to_the_last_digit(network: Network) -> None:
    limit = predict(TRAIN, network, times=TIMES, test=TEST, accuracy=0.0)
    assert max(float(each.mean.radius.max()) for each in limit.instants) < 3e-16
    agrees(limit, network, 1e-10)


def test_noise_of_the_posteriors() -> None:
    agrees(predict(TRAIN, NETWORKS[0], times=TIMES, test=TEST, noise="0.25"), NETWORKS[0], 1e-10, "0.25")


def test_outputs_at_the_start() -> None:
    network = NETWORKS[0]
    here, there = np.array([0.5, -1.0, 0.25, 0.1]), np.array([2.0, -0.5])
    limit = predict(TRAIN, network, times=TIMES, test=TEST, initial=(here, there))
    h, cross, _ = blocks(gram(network, "ntk"))
    start = MP.matrix(here.tolist()) - MP.matrix(TRAIN.targets.tolist())
    for time, instant in zip(TIMES, limit.instants, strict=True):
        decay, integral = flow(h, time)
        within(instant.residual, decay * start, 1e-10)
        within(instant.mean, MP.matrix(there.tolist()) - cross.T * integral * start, 1e-10)


def test_components_along_the_eigenvectors() -> None:
    limit = predict(TRAIN, NETWORKS[0], times=("1",))
    h, _, _ = blocks(gram(NETWORKS[0], "ntk"))
    _, vectors = MP.eigsy(h)
    y = TRAIN.targets
    for i in range(TRAIN.n):
        sign = 1 if sum(vectors[k, i] * float(limit.directions[k, i]) for k in range(TRAIN.n)) > 0 else -1
        truth = -sign * sum(vectors[k, i] * MP.mpf(float(y[k])) for k in range(TRAIN.n))
        component = Enclosed(limit.components.value[i : i + 1], limit.components.radius[i : i + 1])
        within(component, [truth], 1e-10)


def test_components_of_a_multiple_eigenvalue_are_left_open() -> None:
    limit = predict(Dataset(np.eye(3), np.array([1.0, 2.0, 3.0])), Network("identity", train="hidden"), times=("1",))
    assert (limit.components.radius >= np.sqrt(14)).all()
    within(limit.rates, [1, 1, 1], 1e-14)


# Error bounds ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-12, 1e-6, 1e-3]), st.sampled_from(["0", "0.1", "3", "40", None]))
def test_bounds_cover_what_is_not_known(seed: int, radius: float, time: str | None) -> None:
    """H, its columns and λ are anything within the stated errors; the truth is computed in float64 from H itself."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    vectors = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = 10 ** rng.uniform(-1.5, 1, n)
    h = (vectors * values) @ vectors.T
    error = rng.standard_normal((n, n))
    error = (error + error.T) / 2
    near = h + radius * error / np.linalg.norm(error, 2)
    b = rng.standard_normal((n, 2))
    moved = rng.standard_normal((n, 2))
    moved *= radius / np.linalg.norm(moved, axis=0)
    floor = Fraction(float(values.min() * rng.uniform(0.2, 0.999)))
    t = None if time is None else Fraction(time)
    decay = np.zeros(n) if t is None else np.exp(-values * float(t))
    with flint.ctx.workprec(200):
        errors = [arb(radius)] * 2
        tight = arb(radius) * arb("1.0000001")  # float64 met the radius up to rounding
        found = Spectral(exact_matrix((near + near.T) / 2), tight, floor).apply(
            exact_matrix(b + moved), [x * arb("1.0000001") for x in errors], t
        )
        for exact, approximate, bounds in (
            (decay, found.decay, found.decay_errors),
            ((1 - decay) / values, found.integral, found.integral_errors),
        ):
            truth = (vectors * exact) @ (vectors.T @ b)
            distance = np.linalg.norm(truth - floats(approximate), axis=0)
            assert (distance <= np.array([float(x) for x in bounds]) + 1e-12 * (1 + np.abs(truth).max())).all()


def test_nearly_equal_rows_need_more_bits() -> None:
    inputs = np.array([[1.0, 0.0], [1.0, 1e-8], [-0.5, 1.0]])
    limit = predict(Dataset(inputs, np.array([1.0, -1.0, 0.5])), Network("relu"), times=("1e3", "inf"), test=TEST)
    for instant in limit.instants:
        assert instant.mean.radius.max() < 1e-6
    h = [[float(x) for x in row] for row in enclose_gram(inputs, Network("relu"), precision=200)[0]]
    assert np.linalg.cond(np.array(h)) > 1e6  # float64 alone would do no better than 1e-10 times this
    kernel = oracle_gram(Network("relu"), "ntk", np.concatenate([inputs, TEST]))
    within(limit.instants[1].mean, (MP.inverse(kernel[:3, :3]) * kernel[:3, 3:]).T * MP.matrix([1, -1, 0.5]), 1e-6)


def test_against_scipy_on_data() -> None:
    wine = prepare(load("wine"), rows=30, drop_constant=True, standardize=True, normalize=True)
    assert wine.targets is not None
    train, network = Dataset(wine.inputs[:25], wine.targets[:25]), Network("erf", depth=2)
    limit = predict(train, network, times=("0.5", "20"), test=wine.inputs[25:])
    kernel = enclose_gram(wine, network)[0]
    for time, instant in zip((0.5, 20.0), limit.instants, strict=True):
        decay = scipy.linalg.expm(-kernel[:25, :25] * time)
        np.testing.assert_allclose(instant.residual.value, -decay @ wine.targets[:25], atol=1e-10)
        weights = np.linalg.solve(kernel[:25, :25], wine.targets[:25] - decay @ wine.targets[:25])
        np.testing.assert_allclose(instant.mean.value, kernel[25:, :25] @ weights, atol=1e-10)


# The theory -----------------------------------------------------------------------------------------------------


def test_training_the_output_layer_samples_the_nngp_posterior() -> None:
    """Then H = K, and trained networks are posterior samples (Lee et al. 2019, section 2.3.1)."""
    limit = predict(TRAIN, Network("erf", train="output"), times=("inf",), test=TEST)
    assert limit.nngp_posterior is not None
    for name in ("mean", "covariance"):
        trained, posterior = getattr(limit.instants[0], name), getattr(limit.nngp_posterior, name)
        assert (np.abs(trained.value - posterior.value) <= trained.radius + posterior.radius).all()


def test_the_law_of_trained_networks_is_not_the_posterior_of_the_ntk() -> None:
    limit = predict(TRAIN, Network("erf", train="both"), times=("inf",), test=TEST)
    law, posterior = limit.instants[0], limit.ntk_posterior
    assert posterior is not None
    assert (np.abs(law.mean.value - posterior.mean.value) <= law.mean.radius + posterior.mean.radius).all()
    assert (np.diag(posterior.covariance.lower) > 1.5 * np.diag(law.covariance.upper)).all()


def test_training_inputs_are_fitted_in_the_end() -> None:
    limit = predict(TRAIN, Network("relu", depth=2), times=("inf",), test=TRAIN.inputs[:2])
    assert TRAIN.targets is not None
    within(limit.instants[0].mean, TRAIN.targets[:2], 1e-10)
    within(limit.instants[0].covariance, [0.0] * 4, 1e-10)
    within(limit.instants[0].filter, [1.0] * 4, 0.0)


def test_a_singular_kernel_has_finite_times_only() -> None:
    twice = Dataset(np.array([[1.0, 2.0], [1.0, 2.0], [0.5, -1.0]]), np.array([1.0, 3.0, 0.0]))
    limit = predict(twice, Network("erf"), test=TEST, times=("2", "1e4"))
    assert limit.ntk_posterior is None
    assert limit.nngp_posterior is None
    within(limit.instants[1].residual, [1.0, -1.0, 0.0], 1e-6)  # of the two targets only the mean is learnt
    assert all(np.isfinite(each.time) for each in predict(twice, Network("erf")).instants)
    noisy = predict(twice, Network("erf"), test=TEST, times=("1",), noise="0.1")
    assert noisy.nngp_posterior is not None


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (
            [[1.0, 2.0], [0.5, -1.0], [1.0, 2.0]],
            [1.0, 0.0, 3.0],
            "rows 0 and 2 (counting from 0) are equal, so λ_min(H) = 0; t = inf is predicted for regular kernels only; "
            "their targets are 1 and 3: leave one row with the mean of all its targets (gradient flow has a limit here "
            "too, and if the kernel is regular without equal rows it is the same), or ask for finite times",
        ),
        (
            [[0.0, 2.0], [0.5, -1.0], [-0.0, 2.0]],
            [1.0, 0.0, 1.0],
            "rows 0 and 2 (counting from 0) are equal, so λ_min(H) = 0; t = inf is predicted for regular kernels only; "
            "both have target 1: --drop-duplicates leaves one of them (gradient flow has a limit here too, and if the "
            "kernel is regular without equal rows it is the same), or ask for finite times",
        ),
        (
            [[1.0, 2.0], [0.5, -1.0], [-1.0, -2.0]],
            [1.0, 0.0, 1.0],
            "λ_min(H) > 0 is not proved; t = inf is predicted for regular kernels only (gradient flow has a limit for "
            "every kernel); ask for finite times",
        ),
    ],
)
def test_infinity_with_a_singular_kernel(inputs: list[list[float]], targets: list[float], message: str) -> None:
    with pytest.raises(InputError) as caught:
        predict(Dataset(np.array(inputs), np.array(targets)), Network("erf"), times=("inf",))
    assert str(caught.value) == message


def test_equal_rows_have_the_limit_of_one_row_with_the_mean() -> None:
    twice = Dataset(np.array([[1.0, 2.0], [1.0, 2.0], [0.5, -1.0]]), np.array([1.0, 3.0, 0.0]))
    once = Dataset(np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([2.0, 0.0]))
    late = predict(twice, Network("erf"), test=TEST, times=("1e5",)).instants[0]
    limit = predict(once, Network("erf"), test=TEST, times=("inf",)).instants[0]
    assert (abs(late.mean.value - limit.mean.value) <= late.mean.radius + limit.mean.radius).all()
    assert max(late.mean.radius.max(), limit.mean.radius.max()) < 1e-9


def test_hermite_expansions_are_enclosed_too() -> None:
    network = Network("expr(x**3/6 + x)", train="hidden")
    limit = predict(TRAIN, network, times=("1", "inf"), test=TEST)
    x = np.concatenate([TRAIN.inputs, TEST])
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    w = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)  # standard normal in the plane of the inputs
    slopes = (w @ x.T) ** 2 / 2 + 1
    h = (x @ x.T) * ((slopes.T * np.outer(weights, weights).reshape(-1)) @ slopes) / (2 * np.pi)
    truth = h[4:, :4] @ np.linalg.solve(h[:4, :4], TRAIN.targets)
    np.testing.assert_allclose(limit.instants[1].mean.value, truth, atol=1e-9)
    assert limit.instants[1].mean.radius.max() < 1e-6


# Wide networks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("train", ["hidden", "both"])
def test_wide_networks_follow_the_law(train: str) -> None:
    """Many networks with sin, Gaussian start, gradient flow by Runge–Kutta: mean and covariance within 4σ."""
    width, seeds, time, steps = 512, 400, 2.0, 12
    rng = np.random.default_rng(2)
    x, points, y = TRAIN.inputs[:3], TEST, TRAIN.targets[:3]  # type: ignore[index]
    w, a = rng.standard_normal((seeds, width, 2)), rng.standard_normal((seeds, width))

    def velocity(w: Any, a: Any) -> tuple[Any, Any]:
        z = w @ x.T
        value, slope = np.sin(z), np.cos(z)
        residual = (np.einsum("sr,sri->si", a, value) / width**0.5 - y) / width**0.5
        weights = -np.einsum("sr,sri,si,id->srd", a, slope, residual, x, optimize=True)
        return weights, (-np.einsum("sri,si->sr", value, residual) if train == "both" else 0 * a)

    h = time / steps
    for _ in range(steps):
        k1 = velocity(w, a)
        k2 = velocity(w + h / 2 * k1[0], a + h / 2 * k1[1])
        k3 = velocity(w + h / 2 * k2[0], a + h / 2 * k2[1])
        k4 = velocity(w + h * k3[0], a + h * k3[1])
        w = w + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
        a = a + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
    outputs = np.einsum("sr,sri->si", a, np.sin(w @ points.T)) / width**0.5

    limit = predict(Dataset(x, y), Network("sin", train=train), times=(time,), test=points)
    instant = limit.instants[0]
    deviation = np.sqrt(np.diag(instant.covariance.value))
    assert (np.abs(outputs.mean(axis=0) - instant.mean.value) < 4 * deviation / seeds**0.5).all()
    spread = np.cov(outputs.T)
    # a sample covariance of Gaussians has variance (c_ii c_jj + c_ij²)/(seeds − 1)
    sigma = np.sqrt((np.outer(deviation**2, deviation**2) + instant.covariance.value**2) / (seeds - 1))
    assert (np.abs(spread - instant.covariance.value) < 4 * sigma).all()
    assert limit.ntk_posterior is not None
    at_the_end = predict(Dataset(x, y), Network("sin", train=train), times=("inf",), test=points)
    assert (np.abs(spread - limit.ntk_posterior.covariance.value) > 4 * sigma).any()
    assert at_the_end.instants[0].time == np.inf


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": ("-1",)}, "a time must be from 0 to 1e30, or inf, not -1"),
        ({"times": ("soon",)}, "not a decimal number: 'soon'"),
        ({"times": ("nan",)}, "not a decimal number"),
        ({"test": np.ones((2, 3))}, r"the test inputs have shape \(2, 3\); 2 columns are needed"),
        ({"test": np.array([[np.nan, 1.0]])}, "contain NaN or infinity"),
        ({"noise": "-1"}, "the noise must be from 0"),
        ({"initial": (np.zeros(3), np.zeros(0))}, "the outputs at the start have shapes"),
        ({"initial": (np.full(4, np.inf), np.zeros(0))}, "the outputs at the start contain NaN or infinity"),
    ],
)
def test_unusable_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict(TRAIN, Network("erf"), **options)


def test_targets_are_needed() -> None:
    with pytest.raises(InputError, match="a prediction needs targets"):
        predict(Dataset(TRAIN.inputs), Network("erf"))

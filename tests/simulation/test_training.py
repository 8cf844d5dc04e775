"""Gradient descent and gradient flow against closed forms of linear networks and SciPy's integrators."""

from __future__ import annotations

import math
from itertools import islice, pairwise

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import Network
from ntkproof.simulation.initialization import initialise
from ntkproof.simulation.networks import Model
from ntkproof.simulation.training import Linearised, State, descent, flow, phi_functions

X = np.array([[0.6, 0.8], [1.0, 0.0], [0.25, -1.5], [-1.0, 0.5]])
Y = np.array([1.0, -0.5, 0.25, 0.75])


def start(activation: str, width: int, init: str = "antisymmetric", train: str = "hidden", **options: str) -> State:
    network = Network(activation, train=train)
    weights = initialise(network, 2, width, init, np.random.default_rng(width))
    model = Model(network, weights, X, **options)
    return State(model, Y, model.start)


def kernel_power(state: State, function: object) -> np.ndarray:
    eigenvalues, vectors = np.linalg.eigh(state.model.kernel(state.trace))
    return np.asarray(vectors @ (function(np.maximum(eigenvalues, 0)) * (vectors.T @ state.residual)))  # type: ignore[operator]


# Descent --------------------------------------------------------------------------------------------------------


def test_descent_of_a_linear_network() -> None:
    """``r_k = (I − ηH)^k r_0`` when f is linear in what is trained."""
    begin = start("identity", 12, "signs")
    for k, state in enumerate(islice(descent(begin, 0.2), 40)):
        assert (state.step, state.time) == (k, pytest.approx(0.2 * k))
        expected = kernel_power(begin, lambda x, k=k: (1 - 0.2 * x) ** k)
        assert state.residual == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_one_step_of_descent() -> None:
    begin = start("tanh", 6, "gaussian", "both")
    _, after = islice(descent(begin, 0.3), 2)
    jacobian = begin.model.jacobian(begin.trace)
    assert after.theta == pytest.approx(begin.theta - 0.3 * jacobian.T @ (begin.trace.outputs - Y), rel=1e-12)
    assert begin.loss == pytest.approx(float(((begin.trace.outputs - Y) ** 2).sum()) / 2)


def test_batches_visit_every_sample_once_an_epoch_and_are_right_in_the_mean() -> None:
    """With f linear, the steps of one epoch add up to twice the full gradient at small η: n/b times b of n samples."""
    begin = start("identity", 8, "signs")
    eta = 1e-9
    states = list(islice(descent(begin, eta, batch=2, seed=3), 3))
    full = begin.model.pull(begin.trace, begin.residual)
    assert (begin.theta - states[2].theta) / eta == pytest.approx(2 * full, rel=1e-5, abs=1e-5)
    assert (begin.theta - states[1].theta) / eta != pytest.approx(full, rel=1e-2)


def test_descent_taken_up_again_goes_on_as_it_would_have() -> None:
    begin = start("tanh", 8)
    whole = list(islice(descent(begin, 0.1, batch=3, seed=5), 12))
    rest = list(islice(descent(whole[5], 0.1, batch=3, seed=5), 7))
    for one, other in zip(whole[5:], rest, strict=True):
        assert np.array_equal(one.theta, other.theta)
    others = list(islice(descent(begin, 0.1, batch=3, seed=6), 12))
    assert not np.array_equal(others[-1].theta, whole[-1].theta)


# Flow -----------------------------------------------------------------------------------------------------------


def test_flow_of_a_linear_network_is_exact() -> None:
    """``r_t = e^{−Ht} r_0``, in one step however long."""
    begin = start("identity", 12, "signs")
    for state in flow(begin, [0.0, 0.5, 30.0, 1000.0]):
        expected = kernel_power(begin, lambda x, t=state.time: np.exp(-t * x))
        assert state.residual == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert state.step == 3


@pytest.mark.parametrize(
    ("activation", "width", "train", "parametrisation"),
    [("erf", 8, "hidden", "ntk"), ("tanh", 100, "both", "ntk"), ("erf", 30, "hidden", "mup"), ("sin", 6, "all", "ntk")],
)
def test_flow_against_an_independent_integrator(activation: str, width: int, train: str, parametrisation: str) -> None:
    begin = start(activation, width, "antisymmetric", train, parametrisation=parametrisation)
    jacobian = begin.model.jacobian

    def field(_: float, theta: np.ndarray) -> np.ndarray:
        trace = begin.model.trace(theta)
        return -jacobian(trace).T @ (trace.outputs - Y)

    times = [0.3, 3.0, 20.0]
    exact = solve_ivp(field, (0, 20), begin.theta, method="DOP853", rtol=1e-12, atol=1e-13, t_eval=times)
    for tolerance in (1e-3, 1e-5):
        for state, theta in zip(flow(begin, times, tolerance=tolerance), exact.y.T, strict=True):
            path = np.linalg.norm(theta - begin.theta)
            assert np.linalg.norm(state.theta - theta) <= state.error * path
            assert state.error < 300 * tolerance


def test_steps_are_of_third_order_and_their_error_is_estimated() -> None:
    begin = start("tanh", 6, "gaussian", "both")
    step, changes, errors = Linearised(begin), [], []
    for h in (0.1, 0.05):
        changes.append(step.step(h, np.zeros_like(begin.theta))[0])
        fine = next(flow(begin, [h], tolerance=1e-10)).theta - begin.theta
        errors.append(float(np.linalg.norm(changes[-1] - fine)) / float(np.linalg.norm(fine)))
        assert errors[-1] < step.step(h, np.zeros_like(begin.theta))[1]
    assert 2**2.6 < errors[0] / errors[1] < 2**3.6  # relative to a change of order h


def test_flow_at_kinks_keeps_to_its_tolerance() -> None:
    """Between two tolerances the difference is within the sum of what is reported."""
    begin = start("relu", 20)
    coarse, fine = (next(flow(begin, [5.0], tolerance=t)) for t in (1e-2, 1e-3))
    path = float(np.linalg.norm(fine.theta - begin.theta))
    assert float(np.linalg.norm(coarse.theta - fine.theta)) <= (coarse.error + fine.error) * path
    assert fine.loss < 0.2 * begin.loss


def test_the_loss_falls_along_flow() -> None:
    losses = [state.loss for state in flow(start("erf", 10), np.linspace(0, 20, 30).tolist())]
    assert all(a > b for a, b in pairwise(losses))


def test_flow_that_leaves_the_range_of_floats_is_refused() -> None:
    begin = start("expr(exp(x**2)*x**9)", 4, "signs")
    with pytest.raises(InputError, match="gradient flow"), np.errstate(all="ignore"):
        list(flow(State(begin.model, Y * 1e200, begin.theta * 1e3), [1.0]))


def test_phi_functions() -> None:
    mp = mpmath.MPContext()
    mp.dps = 120
    z = np.concatenate([-np.geomspace(1e-12, 1e6, 60), [0.0, -0.999, -1.0, -1.001]])
    for k, values in enumerate(phi_functions(z)):
        for x, value in zip(z.tolist(), values.tolist(), strict=True):
            phi = mp.exp(x)
            for j in range(k):
                phi = (phi - 1 / mp.factorial(j)) / x if x else 1 / mp.factorial(j + 1)
            assert value == pytest.approx(float(phi), rel=1e-12)
    assert phi_functions(np.zeros(1))[3][0] == pytest.approx(1 / math.factorial(3))

"""Intervals against SciPy and by coverage; verdicts on synthetic data whose truth is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ntkproof import InputError
from ntkproof.simulation.findings import Finding, for_all, happens
from ntkproof.simulation.intervals import LEVEL, clopper_pearson, median, student
from ntkproof.simulation.statistics import (
    component_rates,
    decay_rate,
    exponent,
    exponent_at_most,
    fit_power,
    loss_bound,
    rate,
    spectral_bias,
    stays_above,
    stays_below,
)

TRIALS = 2000


def covers(misses: int, trials: int, level: float) -> bool:
    """Whether so many misses are what this confidence allows: not in the upper 1e-6 tail of the binomial."""
    return bool(scipy.stats.binom.sf(misses - 1, trials, 1 - level) > 1e-6)


# Intervals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.9, 0.99, 0.9999])
@pytest.mark.parametrize("n", [5, 20, 400])
def test_student_is_scipys(n: int, level: float) -> None:
    x = np.random.default_rng(n).standard_normal(n)
    found = student(x, level)
    expected = scipy.stats.ttest_1samp(x, 0).confidence_interval(level)
    np.testing.assert_allclose([found.lower, found.upper], [expected.low, expected.high], rtol=1e-9)
    assert (found.value, found.level, found.seeds, found.method) == (x.mean(), level, n, "Student")


@pytest.mark.parametrize("level", [0.9, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (3, 20), (199, 200), (500, 1000)])
def test_clopper_pearson_is_scipys(k: int, n: int, level: float) -> None:
    found = clopper_pearson(k, n, level)
    expected = scipy.stats.binomtest(k, n).proportion_ci(level, method="exact")
    np.testing.assert_allclose([found.lower, found.upper], [expected.low, expected.high], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_clopper_pearson_covers_every_probability(n: int) -> None:
    """The coverage in closed form: the binomial weights of the outcomes whose interval holds the truth."""
    intervals = [clopper_pearson(k, n, 0.95) for k in range(n + 1)]
    for p in np.linspace(0, 1, 301):
        weights = scipy.stats.binom.pmf(range(n + 1), n, p)
        assert (
            sum(w for w, each in zip(weights, intervals, strict=True) if each.lower <= p <= each.upper) >= 0.95 - 1e-9
        )


@pytest.mark.parametrize(("estimate", "truth"), [(student, 1.0), (median, math.log(2))])
def test_intervals_cover(estimate: Callable[..., Any], truth: float) -> None:
    """Means of normal samples and medians of exponential ones."""
    rng = np.random.default_rng(1)
    misses = wide = 0
    for _ in range(TRIALS):
        x = rng.normal(1, 3, 12) if estimate is student else rng.exponential(1, 12)
        found = estimate(x, 0.95)
        misses += not found.lower <= truth <= found.upper
        wide += not math.isfinite(found.upper)
    assert covers(misses, TRIALS, 0.95)
    assert misses > TRIALS * 0.02  # not idly wide
    assert wide == 0


def test_slopes_are_covered_though_widths_share_their_seed() -> None:
    """A seed's own slope is most of the noise; points taken for independent would miss far more often than stated."""
    rng = np.random.default_rng(2)
    widths = np.array([16, 64, 256, 1024])
    misses = 0
    for _ in range(400):
        slopes = rng.normal(-0.5, 0.05, 10)
        values = np.exp(np.outer(np.log(widths), slopes) + rng.normal(0, 0.01, (4, 10)) + rng.normal(0, 1, 10))
        found = fit_power(widths, values, 0.95).exponent
        misses += not found.lower <= -0.5 <= found.upper
    assert covers(misses, 400, 0.95)


def test_too_little_is_no_interval() -> None:
    for found in (student([1.0, 2.0, 3.0, 4.0]), student([1.0] * 9 + [math.nan]), median([1.0, 2.0, 3.0], 0.95)):
        assert (found.lower, found.upper) == (-math.inf, math.inf)
    assert student([]).seeds == 0


def test_many_claims() -> None:
    assert for_all(1) == LEVEL
    assert for_all(10, 0.9) == pytest.approx(0.99)


# Synthetic trainings --------------------------------------------------------------------------------------------

EIGENVALUES = np.array([0.05, 0.4, 1.0, 3.0])
TIMES = np.concatenate([[0], np.geomspace(1e-2, 60, 50)])


def trainings(rng: np.random.Generator, seeds: int, spread: float = 0.03, power: float = 1.0) -> tuple[Any, Any]:
    """Residual components that decay at ``λ_i^power``, up to a random factor of each seed, and the losses."""
    start = rng.choice([-1, 1], (seeds, 1, 4)) * rng.uniform(0.5, 2, (seeds, 1, 4))
    rates = EIGENVALUES**power * np.exp(spread * rng.standard_normal((seeds, 1, 1)))
    components = start * np.exp(-TIMES[:, None] * rates)
    return components, (components**2).sum(axis=2) / 2


def verdicts(judge: Callable[[np.random.Generator], Finding], repeats: int = 100) -> Counter[str]:
    rng = np.random.default_rng(3)
    return Counter(judge(rng).verdict for _ in range(repeats))


WINDOW = (30.0, 60.0)


def test_the_true_rate_is_supported_and_its_double_contradicted() -> None:
    def judge(factor: float, seeds: int = 20) -> Callable[[np.random.Generator], Finding]:
        return lambda rng: rate(TIMES, trainings(rng, seeds)[1], factor * 2 * EIGENVALUES[0], WINDOW)

    assert verdicts(judge(1)) == {"supported": 100}
    assert verdicts(judge(2)) == {"contradicted": 100}
    assert verdicts(judge(0.5)) == {"contradicted": 100}
    assert verdicts(judge(1, seeds=3)) == {"undecided": 100}
    assert "3 seeds are too few" in judge(2, seeds=3)(np.random.default_rng(0)).reason


def test_a_true_claim_is_hardly_ever_contradicted_and_a_false_one_hardly_ever_supported() -> None:
    """At the edge of the margin the error probability is that of one side of the interval."""
    level = 0.9

    def judge(factor: float) -> Callable[[np.random.Generator], Finding]:
        return lambda rng: rate(
            TIMES, trainings(rng, 6, 0.05)[1], factor * 2 * EIGENVALUES[0], WINDOW, margin=0.1, level=level
        )

    assert covers(verdicts(judge(1 / 1.1), 600)["contradicted"], 600, level)
    assert covers(verdicts(judge(1 / 1.11), 600)["supported"], 600, level)


def test_the_bound_on_the_loss() -> None:
    rng = np.random.default_rng(4)
    _, losses = trainings(rng, 100, spread=0.0)
    slow = 2 * EIGENVALUES[0]
    assert loss_bound(TIMES, losses, slow, failure=0.1).verdict == "supported"
    assert loss_bound(TIMES, losses, slow).verdict == "supported"
    assert loss_bound(TIMES, losses, 10 * slow, failure=0.1).verdict == "contradicted"
    few = loss_bound(TIMES, losses[:10], slow, failure=0.1)
    assert few.verdict == "undecided"
    assert few.reason.endswith("51 seeds without a failure would show it")  # 0.9^51 < 0.005 < 0.9^50
    assert loss_bound(TIMES, losses[:51], slow, failure=0.1).verdict == "supported"


def test_a_bound_at_the_last_moment_counts() -> None:
    losses = np.exp(-TIMES)[None].repeat(30, axis=0)
    assert loss_bound(TIMES, losses, 1.0).verdict == "supported"
    losses[7, -1] *= 1.001
    assert loss_bound(TIMES, losses, 1.0).verdict == "contradicted"
    assert loss_bound(TIMES, losses, 1.0, slack=0.01).verdict == "supported"
    assert loss_bound(TIMES, losses, 1.0, floor=1e-20).verdict == "supported"  # e^-60 is below


def test_trainings_that_blow_up_break_every_bound() -> None:
    losses = np.exp(-TIMES)[None].repeat(30, axis=0)
    losses[3, 20:] = np.nan
    assert loss_bound(TIMES, losses, 0.5).verdict == "contradicted"
    values = np.ones((30, 4))
    values[0, 2] = np.inf
    for judge in (stays_below, stays_above):
        assert judge("x", np.ones((30, 4)), 1.0).verdict == "supported"
        assert judge("x", np.where(np.isinf(values), np.nan, values), 1.0).verdict == "contradicted"
    assert stays_below("x", values, 1.0).verdict == "contradicted"
    found = rate(TIMES, losses, 1.0, WINDOW)
    assert (found.verdict, "some seeds gave no finite number" in found.reason) == ("undecided", True)


def test_bounds_on_quantities_of_one_moment() -> None:
    rng = np.random.default_rng(5)
    distances = rng.uniform(0, 1, 500)
    assert stays_below("‖H_0 - H∞‖", distances, 0.9, failure=0.2).verdict == "supported"
    assert stays_below("‖H_0 - H∞‖", distances, 0.9, failure=0.1).verdict == "undecided"
    assert stays_below("‖H_0 - H∞‖", distances, 0.9, failure=0.01).verdict == "contradicted"
    assert stays_above("λ_min(H_0)", distances, 0.1, failure=0.2).verdict == "supported"


@given(st.integers(1, 60), st.data())
def test_an_event_of_any_count(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    p = data.draw(st.floats(0.001, 0.999))
    found = happens("x", np.arange(n) < k, p)
    # one-sided exact tests of the same size
    reject_below = scipy.stats.binom.cdf(k, n, p) < 0.005
    reject_above = scipy.stats.binom.sf(k - 1, n, p) < 0.005
    near = min(abs(scipy.stats.binom.cdf(k, n, p) - 0.005), abs(scipy.stats.binom.sf(k - 1, n, p) - 0.005)) < 1e-9
    expected = "contradicted" if reject_below else "supported" if reject_above else "undecided"
    assert near or found.verdict == expected


# Scaling --------------------------------------------------------------------------------------------------------

WIDTHS = np.array([32, 64, 128, 256, 512])


def scaling(power: float, noise: float = 0.1, bend: float = 0.0) -> Callable[[np.random.Generator, int], Any]:
    def draw(rng: np.random.Generator, seeds: int) -> Any:
        x = np.log(WIDTHS / WIDTHS[0])[:, None]
        return np.exp(power * x + bend * x**2 + noise * rng.standard_normal((5, seeds)))

    return draw


def test_exponents() -> None:
    def judge(draw: Any, claimed: float, seeds: int = 20) -> Callable[[np.random.Generator], Finding]:
        return lambda rng: exponent("‖H_0 - H∞‖", WIDTHS, draw(rng, seeds), claimed)

    assert verdicts(judge(scaling(-0.5), -0.5)) == {"supported": 100}
    assert verdicts(judge(scaling(-0.5), -1.0)) == {"contradicted": 100}
    assert verdicts(judge(scaling(-0.5), -0.5, seeds=4)) == {"undecided": 100}
    assert verdicts(judge(scaling(-0.5, noise=3.0), -0.5))["supported"] < 5
    fast = judge(scaling(-1.0), -0.5)
    assert verdicts(lambda rng: exponent_at_most("x", WIDTHS, scaling(-1.0)(rng, 20), -0.5)) == {"supported": 100}
    assert verdicts(lambda rng: exponent_at_most("x", WIDTHS, scaling(-0.2)(rng, 20), -0.5)) == {"contradicted": 100}
    assert verdicts(fast) == {"contradicted": 100}
    bent = judge(scaling(-0.9, bend=0.15), -0.5)(np.random.default_rng(0))
    assert bent.verdict == "undecided"
    assert "no power law at these widths" in bent.reason


def test_a_parabola_is_found() -> None:
    x = np.log(WIDTHS)
    law = fit_power(WIDTHS, np.exp(0.3 * x - 0.2 * x**2)[:, None].repeat(6, axis=1))
    assert law.bend.value == pytest.approx(-0.4 * math.log(16))
    assert law.exponent.value == pytest.approx(np.polyfit(x, 0.3 * x - 0.2 * x**2, 1)[0])


def test_exponents_of_numbers_without_logarithm() -> None:
    values = np.ones((5, 9))
    values[2, 3] = 0
    assert exponent("x", WIDTHS, values, 0.0).verdict == "undecided"
    assert exponent("x", WIDTHS[:2], np.ones((2, 9)), 0.0).verdict == "supported"


# Spectral bias --------------------------------------------------------------------------------------------------


def test_components_decay_at_their_eigenvalues() -> None:
    def judge(power: float, seeds: int = 20) -> Callable[[np.random.Generator], Finding]:
        return lambda rng: spectral_bias(TIMES, trainings(rng, seeds, power=power)[0], EIGENVALUES)

    assert verdicts(judge(1.0)) == {"supported": 100}
    assert verdicts(judge(0.5)) == {"contradicted": 100}  # all components at more equal rates
    assert verdicts(judge(1.0, seeds=4)) == {"undecided": 100}
    doubled = spectral_bias(TIMES, trainings(np.random.default_rng(0), 20)[0], EIGENVALUES / 2)
    assert doubled.verdict == "contradicted"


def test_component_rates_are_those_of_the_components() -> None:
    components, _ = trainings(np.random.default_rng(6), 5, spread=0.0)
    rates = component_rates(TIMES, components, EIGENVALUES)
    # on [0, 1e-2] and between geometric times the logarithm is linear, so interpolation is exact
    np.testing.assert_allclose(rates, np.tile(EIGENVALUES, (5, 1)), rtol=1e-9)
    components[:, :, 0] *= 1e-3
    assert np.isnan(component_rates(TIMES, components, EIGENVALUES)[:, 0]).all()
    assert np.isnan(component_rates(TIMES[:20], components[:, :20], EIGENVALUES)[:, 0]).all()


def test_decay_rates_are_secants_of_the_logarithm() -> None:
    times = np.array([0.0, 1.0, 2.0, 4.0])
    values = np.exp(-np.array([[0.0, 3.0, 4.0, 6.0], [0.0, 0.0, 0.0, -2.0]]))
    np.testing.assert_allclose(decay_rate(times, values, (0.0, 4.0)), [1.5, -0.5])
    np.testing.assert_allclose(decay_rate(times, values, (0.5, 3.0)), [(5 - 1.5) / 2.5, -1 / 2.5])
    assert np.isnan(decay_rate(times, values, (0.0, 4.1))).all()
    assert np.isnan(decay_rate(times, [[1.0, 0.5, 0.0, 0.1]], (0.0, 4.0))).all()
    np.testing.assert_allclose(decay_rate(times, [[1.0, 0.5, 0.0, 0.1]], (0.0, 1.0)), [math.log(2)])


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: student(np.ones((2, 2))), r"samples must have shape \(seeds,\)"),
        (lambda: clopper_pearson(3, 2), "3 successes of 2 trials"),
        (lambda: clopper_pearson(0, 0), "0 successes of 0 trials"),
        (lambda: happens("x", [], 0.5), "events must have shape"),
        (lambda: decay_rate([0, 1], [[1, 2, 3]], (0, 1)), "times of shape"),
        (lambda: decay_rate([0, 1], [[1, 2]], (1, 1)), "the window ends at 1, before it starts at 1"),
        (lambda: rate([0, 1], [[1, 2]], 0.0, (0, 1)), "the rate claimed must be positive"),
        (lambda: fit_power([1, 1], [[1], [2]]), "for widths of shape"),
        (lambda: fit_power([1, 2], [[1], [2], [3]]), "for widths of shape"),
        (lambda: component_rates([0, 1], np.ones((2, 2, 3)), [1.0]), "eigenvalues for components of shape"),
        (lambda: for_all(0), "at least one claim is needed"),
    ],
)
def test_unusable_arguments(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()

"""The bounds read in SymPy symbols: the same functions that the checker reads in intervals and the search in floats."""

from fractions import Fraction
from typing import Any

import pytest
import sympy as sp

from ntkproof.checker.convergence.formulas import (
    descent_factor,
    descent_rate,
    growth,
    kernel_deviation,
    least_singular_value,
    residual_integral,
    spent_residual,
    tube_radius,
)
from ntkproof.checker.convergence.master import distance_margin, excursion
from ntkproof.checker.random_start.both_layers import both_slope
from ntkproof.checker.random_start.deviation import flip_offset, flip_slope, smooth_slope
from ntkproof.checker.random_start.initialization import chernoff_exponent, chernoff_failure


class Symbols:
    """The number context of SymPy expressions."""

    pi = sp.pi
    sqrt = staticmethod(sp.sqrt)
    exp = staticmethod(sp.exp)
    log = staticmethod(sp.log)

    @staticmethod
    def rational(value: Fraction | int) -> Any:
        return sp.Rational(Fraction(value).numerator, Fraction(value).denominator)


S: Any = Symbols()
a, b, c, m, n, r, s, h, eta, delta, eps = sp.symbols("a b c m n r s h eta delta epsilon", positive=True)


def test_phi_is_the_integral_of_what_is_left_of_sigma() -> None:
    x = sp.symbols("x", positive=True)
    assert sp.expand(spent_residual(S, s, a, b, r) - sp.integrate(s - a - b * x, (x, 0, r))) == 0
    assert sp.diff(spent_residual(S, s, a, b, r), r) == least_singular_value(S, s, a, b, r)


def test_kantorovich_has_a_radius_iff_sigma_squared_exceeds_twice_slope_times_residual() -> None:
    best = sp.solve(sp.diff(spent_residual(S, s, 0, b, r), r), r)[0]
    assert sp.simplify(spent_residual(S, s, 0, b, best) - s**2 / (2 * b)) == 0


def test_kernel_deviation_is_the_product_of_sum_and_difference() -> None:
    assert sp.expand(kernel_deviation(S, c, a, b, r) - ((c + a + b * r) ** 2 - c**2)) == 0


def test_a_step_of_descent_shrinks_the_loss_by_the_square() -> None:
    x = c * eta * s**2
    assert sp.expand(1 - eta * descent_rate(S, c, eta, s) - (1 - x) ** 2) == 0
    assert sp.expand(descent_factor(S, eta, b, c, r) - (1 - eta * b**2 / 2 - eta * c * r / 2)) == 0


def test_growth_tends_to_one_and_the_margin_to_that_of_two_steps() -> None:
    assert sp.limit(growth(S, h, s), h, 0) == 1
    assert sp.limit(excursion(S, h, s), h, 0) == 2
    assert sp.series(distance_margin(S, h, s), h, 0, 2).removeO() == 1 - s - 2 * h


def test_the_end_of_the_path_maximises_the_energy_of_the_distance_form() -> None:
    z, w = sp.symbols("z w", positive=True)
    energy = (w - z) * sp.exp(z) + sp.exp(z) - 1
    assert sp.solve(sp.diff(energy, z), z) == [w]
    assert sp.simplify(energy.subs(z, w) - w * growth(S, sp.sqrt(w), 1)) == 0


def test_chernoff_exponent_is_the_legendre_transform_of_poisson() -> None:
    t = sp.symbols("t", real=True)
    cumulant = sp.exp(-t) - 1  # log E e^{-tX}, X Poisson of mean 1
    least = -sp.log(1 - delta)
    assert sp.diff(cumulant + t * (1 - delta), t).subs(t, least).simplify() == 0
    assert sp.simplify((cumulant + t * (1 - delta)).subs(t, least) + chernoff_exponent(S, delta)) == 0
    assert sp.series(chernoff_exponent(S, delta), delta, 0, 3).removeO() == delta**2 / 2
    assert chernoff_failure(S, n, 0, a, delta, b) == n


def test_slopes_fall_like_the_root_of_the_width() -> None:
    for slope in (smooth_slope(S, a, b, m), flip_slope(S, a, b, c, m), both_slope(S, a, b, c, h, s, m)):
        assert sp.simplify(slope.subs(m, 4 * m) / slope) == sp.Rational(1, 2)
    assert sp.simplify(flip_offset(S, a, b, c) ** 2 - a * b * c) == 0


def test_the_slope_for_both_layers_is_the_norm_of_its_matrix() -> None:
    p, q = sp.symbols("p q", positive=True)
    norm = both_slope(S, 1, p**2, 1, 1, q, 1)
    matrix = sp.Matrix([[p, 0], [q, p]])
    assert sp.simplify((matrix.T * matrix).charpoly().eval(norm**2)) == 0
    assert sp.simplify(norm.subs(q, 0) - p) == 0


def test_the_tube_solves_its_two_quadratics() -> None:
    omega = sp.symbols("omega", positive=True)
    least = s - eps
    total = tube_radius(S, omega, s, eps)  # D + omega
    distance = total - omega
    ratio = eps / least
    assert sp.simplify(distance**2 - omega**2 - ratio**2 * (distance + omega) ** 2) == 0
    integral = residual_integral(S, omega, s, eps)
    assert sp.simplify(least**2 * integral**2 - 2 * eps * total * integral - omega**2) == 0


@pytest.mark.parametrize("share", [0, sp.Rational(1, 10), sp.Rational(1, 4)])
def test_the_tube_is_sharper_than_three_deviations(share: Any) -> None:
    ours = residual_integral(S, 1, 1, share)
    assert ours <= 1 / (1 - 3 * share)

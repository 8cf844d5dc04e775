"""B. Bowman (2023), sections 2.2, 2.3, appendix: limit, induction, widths; long: claims of one part of a document."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from ntkproof.checker import check
from ntkproof.checker.convergence.induction import kernel_drift
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.random_start.deviation import smooth_slope
from ntkproof.checker.random_start.initialization import hoeffding_failure
from ntkproof.literature.bowman2023_flow import bowman2023, ge, le
from ntkproof.literature.claim import CERTIFIED, REFUTED, STATISTICAL, SUPPORTED, Evidence
from ntkproof.literature.experiments import (
    deep_deviation_exponent,
    initial_deviation_exponent,
    kernel_movement_exponent,
    large_norm_frequency,
)
from ntkproof.literature.methods import SYMBOLS, identity, inequality, show, sign
from ntkproof.literature.models import equation, gaussian_moment, two_layer
from ntkproof.prover.certify import certify

__all__ = ["bowman2023"]

n, m, d, p, depth = sp.symbols("n m d p D", positive=True)
lam, rho, norm, radius, t = sp.symbols("λ ρ K R t", positive=True)
fan_in, fan_out = sp.symbols("n_{l-1} n_l", positive=True)
gap = sp.Symbol("g", nonnegative=True)
gap_2 = sp.Symbol("g'", nonnegative=True)

# Section 2.2: the parametrisation -------------------------------------------------------------------------------


def _scales(formula: Any) -> tuple[Any, Any]:
    """Return the scales of both layers of a network with 1 input, m hidden neurons and 1 output."""
    return formula.subs({fan_in: 1, fan_out: m}), formula.subs({fan_in: m, fan_out: 1})


@bowman2023.claim(
    "parametrisation",
    place="section 2.2",
    says="The NTK parametrisation scales layer l by n_l^{−1/2}, n_l its number of outputs.",
    formula=1 / sp.sqrt(fan_out),
    verdict=REFUTED,
    better=1 / sp.sqrt(fan_in),
    assumes="widths m → ∞ with a fixed number of inputs and one output; σ(z) = z + z³",
    remark="The scale is that of the inputs, n_{l−1}. As printed the first preactivation has variance O(1/m), the last "
    "layer no factor at all; the limit kernel is that of a linear model, and singular for more than d samples.",
)
def _parametrisation(formula: Any) -> Evidence:
    z, other = sp.symbols("z z'", real=True)
    sigma, slope = z + z**3, 1 + 3 * z**2
    first, last = _scales(formula)
    inputs = (1, 2)

    def entry(left: int, right: int) -> Any:
        """The expectation of the kernel: m equal neurons, output weights standard normal."""
        both = {z: first * left * other}, {z: first * right * other}
        values, slopes = (s.subs(both[0]) * s.subs(both[1]) for s in (sigma, slope))
        kernel = gaussian_moment(values, [other]) + first**2 * left * right * gaussian_moment(slopes, [other])
        return sp.limit(sp.simplify(m * last**2 * kernel), m, sp.oo)

    gram = sp.Matrix(2, 2, lambda a, b: entry(inputs[a], inputs[b]))
    if any(not value.is_finite for value in gram):
        return Evidence(False, "the kernel has no finite limit")
    return Evidence(
        bool(gram.det() > 0), f"inputs 1 and 2: the limit kernel is {gram.tolist()}, of determinant {gram.det()}"
    )


bias, variance = sp.symbols("β^2 Var(W)", nonnegative=True)


@bowman2023.claim(
    "standard-parametrisation",
    place="section 2.2",
    says="With W ~ N(0, 1/n_l) the standard network has the law of the NTK network with scale n_l^{−1/2}.",
    formula=1 / fan_out,
    assumes="the printed scale; with n_{l−1} in both places the same holds",
)
def _standard(formula: Any) -> Evidence:
    weights = sp.symbols("w1:4")
    left, right = ((w, x) for w, x in ((weights, sp.symbols("x1:4")), (weights, sp.symbols("z1:4"))))
    products = [sum(a * b for a, b in zip(*pair, strict=True)) for pair in (left, right)]
    covariance = gaussian_moment(products[0] * products[1], weights)
    return identity(equation(covariance / fan_out, formula * covariance), {}, "covariance of preactivations, 3 inputs")


step = sp.Symbol("η", positive=True)


@bowman2023.claim(
    "step-rescaling",
    place="section 2.2",
    says="Descent in both parametrisations is the same up to rescaling steps: V = c W, η_V = c² η, c = n_l^{−1/2}.",
    formula=step / fan_out,
)
def _rescaling(formula: Any) -> Evidence:
    v, w, c_0, c_1, c_2 = sp.symbols("V W c_0 c_1 c_2", real=True)
    scale = 1 / sp.sqrt(fan_out)
    loss = c_0 + c_1 * v + c_2 * v**2
    moved = w - step * loss.subs(v, scale * w).diff(w)
    return identity(equation(scale * moved, (v - formula * loss.diff(v)).subs(v, scale * w)), {}, "any loss, one step")


shift = sp.Symbol("β", real=True)


@bowman2023.claim(
    "same-functions",
    place="section 2.2",
    says="Both parametrisations realise the same functions, for every β ≥ 0.",
    formula=ge(shift, 0),
    verdict=REFUTED,
    better=sp.Gt(shift, 0, evaluate=False),
    remark="For β = 0 the standard network still has biases, which start at 0 and are trained; the other has none.",
)
def _same_functions(formula: Any) -> Evidence:
    admits_zero = bool(formula.subs(shift, 0))
    if admits_zero:
        return Evidence(False, "β = 0: no b has β b = 1, the bias of a standard network")
    b = sp.Symbol("b")
    positive = sp.Symbol("β", positive=True)
    found = sp.solve(sp.Eq(positive * b, 1), b)
    return Evidence(found == [1 / positive], f"β b = 1 has the solution {found}; weights are rescaled by n^{{1/2}}")


PLANE = np.array([[1.0, 0.0], [0.5, 0.75], [-0.25, 0.5], [0.75, -0.5]])


@bowman2023.claim(
    "positive-definite",
    place="section 2.2",
    says="If no two inputs are parallel, λ_min(H∞) > 0, for the networks of section 2.2.",
    formula=sp.Symbol("identity"),
    method=CERTIFIED,
    verdict=REFUTED,
    better=sp.Symbol("relu"),
    remark="An assumption on the activation is missing: with σ(z) = z the limit kernel has rank d. For ReLU it is a "
    "theorem of Du et al.; here certified for four inputs of the plane. The formula is the activation.",
)
def _definite(formula: Any) -> Evidence:
    verdict = check(certify(Dataset(PLANE), Network(str(formula), train="both")))
    if not verdict.valid or verdict.conclusion is None:
        return Evidence(None, verdict.reason)
    lower, upper = (float(verdict.conclusion[end]) for end in ("lower", "upper"))
    if upper == 0:
        return Evidence(False, f"certified with {formula}: λ_min = 0 for four inputs of the plane, none parallel")
    return Evidence(lower > 0, f"certified with {formula}: λ_min ≥ {lower:.6f} for four inputs of the plane")


bowman2023.add(
    "infinite-width-start",
    place="section 2.2",
    says="H_0 → H∞ in probability: ‖H_0 − H∞‖ is of the order m^e, e = −1/2.",
    formula=sp.Rational(-1, 2),
    test=initial_deviation_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    assumes="one hidden layer, sin, both layers; H∞ certified",
)
bowman2023.add(
    "infinite-width-start-deep",
    place="section 2.2",
    says="The same with two hidden layers.",
    formula=sp.Rational(-1, 2),
    test=deep_deviation_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    assumes="sin, all layers; H∞ certified",
)
bowman2023.add(
    "infinite-width-training",
    place="section 2.2",
    says="H_t → H∞ uniformly on [0, T]: ‖H_T − H_0‖ = O(m^e), e = −1/2.",
    formula=sp.Rational(-1, 2),
    test=kernel_movement_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    better=sp.Rational(-1),
    assumes="one hidden layer, sin, both layers, T = 4",
    remark="Measured, the kernel moves by O(1/m): faster than the bound in a ball.",
)

# Section 2.2: perturbation --------------------------------------------------------------------------------------

lam_t = sp.Symbol("λ_min(H_t)", real=True)
bowman2023.add(
    "weyl",
    place="section 2.2",
    says="‖H_0 − H∞‖, ‖H_t − H_0‖ ≤ λ/4 give λ_min(H_t) ≥ λ/2, λ = λ_min(H∞).",
    formula=ge(lam_t, lam / 2),
    test=lambda formula: inequality(formula, {lam_t: lam - lam / 4 - lam / 4 + gap}, "Weyl"),
)
failure = sp.Symbol("p", positive=True)


@bowman2023.claim(
    "initial-deviation",
    place="eq. (3)",
    says="‖H_0 − H∞‖ = Õ(n/√m): with probability 1 − p at most n (log(n(n + 1)/p)/(2m))^{1/2}.",
    formula=n * sp.sqrt(sp.log(n * (n + 1) / failure) / (2 * m)),
    assumes="one hidden layer, hidden weights trained, 0 ≤ σ' ≤ 1, inputs of norm at most 1",
    remark="Explicit constants by the checker's rule hoeffding; deeper networks are out of reach of that rule.",
)
def _initial_deviation(formula: Any) -> Evidence:
    stated = hoeffding_failure(SYMBOLS, n, m, formula / n)
    size = sp.simplify(sp.log(stated / failure).expand(force=True))
    if sp.simplify(size) == 0 or sp.simplify(sp.exp(size)) == 1:
        return Evidence(True, "the rule's failure probability n(n + 1) exp(−2mτ²) at τ = formula/n is p exactly")
    if sp.limit((formula**2 * m).subs({n: 2, failure: sp.Rational(1, 10)}), m, sp.oo) == 0:
        return Evidence(False, "an entry has the standard deviation √(v/m), which is larger")
    order = sp.limit((formula**2 * m).subs({n: 2, failure: sp.Rational(1, 10)}), m, sp.oo)
    needed = sp.log(60) * 2
    return Evidence(None if sign(order - needed) == -1 else True, "compared with Hoeffding at n = 2, p = 1/10")


power = sp.Symbol("e")


def _small_ball(formula: Any) -> Evidence:
    """Whether ``‖H(θ) − H(θ_0)‖ ≤ C R^e`` can hold for all R: towards 0 the deviation is of first order."""
    net = two_layer(1, 1, 1)
    slope = sp.expand(sum(sp.diff(net.kernel(1, 1), w) * w for w in net.parameters))
    if slope == 0:
        return Evidence(None, "the kernel does not move to first order")
    if formula > 1:
        return Evidence(False, f"along θ_0 + sθ_0, dH/ds is not 0: H moves by order R, not R^{formula}")
    drift = kernel_drift(SYMBOLS, norm, 0, smooth_slope(SYMBOLS, 1, 1, m), radius)
    bounded = sp.limit(drift / radius**formula, radius, 0, "+").is_finite
    return Evidence(bool(bounded), f"the rules kernel_stability and smooth_deviation give {show(drift)}")


bowman2023.add(
    "kernel-deviation-radius",
    place="eq. (4)",
    says="For any R > 0, ‖H_t − H_0‖ = Õ(n R^{3D}/√m) in the ball: the exponent of R for D = 1.",
    formula=sp.Integer(3),
    test=_small_ball,
    verdict=REFUTED,
    better=sp.Integer(1),
    assumes="D = 1; the correction: hidden weights trained, σ ∈ C², σ' and σ'' bounded",
    remark="False for small R, for every network that moves its kernel to first order. R ≥ 1 is needed (the lemmas of "
    "the appendix have it); for one hidden layer the rules prove R in place of R³ for all R.",
)
share = sp.Symbol("c", real=True)


@bowman2023.claim(
    "ball-centre",
    place="eq. (4)",
    says="The ball is B(0, R): its centre is c θ_0 with c = 0.",
    formula=sp.Integer(0),
    verdict=REFUTED,
    better=sp.Integer(1),
    remark="The centre is θ_0. E ‖θ_0‖² is the number of parameters: a ball of fixed radius around 0 does not contain "
    "wide initialisations.",
)
def _ball_centre(formula: Any) -> Evidence:
    weights = sp.symbols("w1:4")
    distance = gaussian_moment(sum((w - formula * w) ** 2 for w in weights), weights) / 3  # of one parameter
    inside = sp.limit(distance * p, p, sp.oo).is_finite
    return Evidence(bool(inside), f"E ‖θ_0 − cθ_0‖² = {show(distance * p)} for p parameters")


# Section 2.3: the induction -------------------------------------------------------------------------------------


@bowman2023.claim(
    "width-initial",
    place="section 2.3",
    says="By (3), m ≳ n² λ^{−2} gives ‖H_0 − H∞‖ ≤ λ/4.",
    formula=8 * (n / lam) ** 2 * sp.log(n * (n + 1) / failure),
    assumes="as for (3); the Õ of (3) hides the logarithm that the printed condition drops",
)
def _width_initial(formula: Any) -> Evidence:
    bound = (n * sp.sqrt(sp.log(n * (n + 1) / failure) / (2 * m))) ** 2
    ratio = sp.simplify(bound.subs(m, formula) / (lam / 4) ** 2)
    return inequality(le(ratio, 1), {}, "square of the bound of (3) at this width, over (λ/4)²")


x = sp.Symbol("θ", real=True)
EVER, ALWAYS = sp.Symbol("sup{t : λ_min(H_t) ≥ λ/2}"), sp.Symbol("sup{t : λ_min(H_s) ≥ λ/2 for all s ≤ t}")


@bowman2023.claim(
    "stopping-time",
    place="section 2.3",
    says="With T = sup{t : λ_min(H_t) ≥ λ/2, ‖J_t‖ ≤ K} the bounds hold for all t ≤ T.",
    formula=EVER,
    verdict=REFUTED,
    better=ALWAYS,
    remark="The supremum must be over the t up to which the bounds hold throughout; a set of times may have gaps.",
)
def _stopping_time(formula: Any) -> Evidence:
    # u' = 1 − ¾θ(2 − θ), y = u(2): the flow from 0 runs through (0, 2) and takes for ever; λ = λ_min(H_0) = 1
    slope = 1 - sp.Rational(3, 4) * x * (2 - x)
    eigenvalue = slope**2
    start, middle, end = (eigenvalue.subs(x, value) for value in (0, 1, 2))
    if sp.solveset(slope, x, sp.Interval(0, 2)) != sp.EmptySet or start != 1:
        return Evidence(None, "the flow does not run through")
    ever = bool(end > sp.Rational(1, 2))  # late times are in the set: its supremum is ∞
    if formula == EVER and ever and middle < sp.Rational(1, 2):
        return Evidence(False, f"u' = {show(slope)}: T = ∞, but λ_min = {middle} on the way")
    return Evidence(formula == ALWAYS, "by definition the bounds hold for all s < T, at T by continuity")


bowman2023.add(
    "residual-decay",
    place="section 2.3",
    says="λ_min(H_t) ≥ λ/2 gives ‖r_t‖² ≤ e^{−λt} ‖r_0‖².",
    formula=ge(-lam * t, -2 * lam_t * t),
    test=lambda formula: inequality(formula, {lam_t: lam / 2 + gap}, "logarithms of both sides"),
)


@bowman2023.claim(
    "speed",
    place="section 2.3",
    says="‖∂_t θ‖ ≤ K e^{−λt/2} ‖r_0‖.",
    formula=norm * sp.exp(-lam * t / 2) * rho,
)
def _speed(formula: Any) -> Evidence:
    largest = norm * sp.exp(-lam * t / 2) * rho  # of ‖Jᵀr‖ over ‖J‖ ≤ K, ‖r‖ ≤ e^{−λt/2}ρ, attained by both
    return inequality(ge(sp.simplify(formula / largest), 1), {}, "quotient with the largest ‖J‖‖r‖")


@bowman2023.claim(
    "radius",
    place="section 2.3",
    says="‖θ_T − θ_0‖ ≤ R' = 2K‖r_0‖/λ.",
    formula=2 * norm * rho / lam,
    better=rho * sp.sqrt(2 / lam),
    remark="Sharper, without K: the residual is spent at the rate √(λ/2) a unit of path, so ‖θ_T − θ_0‖ ≤ √(2/λ)‖r_0‖, "
    "attained for H = λ/2. (Du et al. have 4 in place of 2, for descent; for the flow 2 is right.)",
)
def _radius(formula: Any) -> Evidence:
    integral = sp.integrate(sp.exp(-lam * t / 2), (t, 0, sp.oo))
    if integral != 2 / lam:
        return Evidence(None, "the integral of the speed")
    sharp = rho * sp.sqrt(2 / lam)
    meaning = {norm: sp.sqrt(lam / 2) * (1 + gap)}  # λ/2 ≤ λ_min(H) ≤ ‖J‖² ≤ K²
    return inequality(ge(sp.expand(formula / sharp), 1), meaning, "quotient with the length of the path, K² ≥ λ/2")


y_1, a_1, a_2 = sp.symbols("y a_1 a_2", real=True)
s_1, s_2 = sp.symbols("σ_1 σ_2", real=True)


@bowman2023.claim(
    "initial-residual",
    place="section 2.3",
    says="‖r_0‖ = O(√n): E (f(x) − y)² = y² + (1/m) Σ_r σ(w_r·x)² over the output weights.",
    formula=y_1**2 + (s_1**2 + s_2**2) / 2,
    assumes="one hidden layer, bounded labels; O(√n) with high probability by Markov's inequality",
)
def _initial_residual(formula: Any) -> Evidence:
    output = (a_1 * s_1 + a_2 * s_2) / sp.sqrt(2)
    mean = gaussian_moment((output - y_1) ** 2, (a_1, a_2))
    return identity(equation(mean, formula), {}, "two neurons, any σ")


constant, other = sp.symbols("C c", positive=True)
bowman2023.add(
    "radius-without-width",
    place="section 2.3",
    says="With K = C√n and ‖r_0‖ = c√n the radius 2K‖r_0‖/λ is of the order n/λ, and no width occurs in it.",
    formula=equation(2 * norm * rho / lam, 2 * constant * other * n / lam),
    test=lambda formula: identity(formula, {norm: constant * sp.sqrt(n), rho: other * sp.sqrt(n)}, "no m in it"),
    assumes="so that K may be chosen before the width, and the argument is not circular",
)


@bowman2023.claim(
    "width-deviation",
    place="section 2.3",
    says="By (4), m ≥ 64 [C n R_max^{3D}/λ]² gives ‖H_T − H_0‖ ≤ λ/8.",
    formula=64 * (constant * n * radius ** (3 * depth) / lam) ** 2,
    assumes="(4) with the constant C, R_max ≥ 1",
)
def _width_deviation(formula: Any) -> Evidence:
    ratio = sp.simplify((constant * n * radius ** (3 * depth)) ** 2 / formula / (lam / 8) ** 2)
    return inequality(le(ratio, 1), {}, "square of the bound of (4) at this width, over (λ/8)²")


lam_T = sp.Symbol("λ_min(H_T)", real=True)
bowman2023.add(
    "five-eighths",
    place="eq. (5)",
    says="λ/4 and λ/8 give λ_min(H_T) ≥ (5/8) λ.",
    formula=ge(lam_T, sp.Rational(5, 8) * lam),
    test=lambda formula: inequality(formula, {lam_T: lam - lam / 4 - lam / 8 + gap}, "Weyl"),
)


@bowman2023.claim(
    "share-of-the-deviation",
    place="section 2.3",
    says="‖H_T − H_0‖ ≤ λ/8 is the share of λ that the induction asks for.",
    formula=sp.Rational(1, 8),
    better=sp.Rational(1, 4),
    remark="λ/4 would do, for a quarter of the width: the induction over the closed ball needs no strict inequality.",
)
def _share(formula: Any) -> Evidence:
    rest = 1 - sp.Rational(1, 4) - formula
    return inequality(ge(rest, sp.Rational(1, 2)), {}, "1 − 1/4 − share against 1/2")


@bowman2023.claim(
    "rate",
    place="section 2.3",
    says="L(t) ≤ e^{−λt} L(0).",
    formula=lam,
    better=sp.Rational(5, 4) * lam,
    remark="The induction proves λ_min(H_t) ≥ (5/8) λ, hence the rate (5/4) λ.",
)
def _rate(formula: Any) -> Evidence:
    # the slowest decay the chain allows: λ_min(H_s) = (5/8)λ + (λ/8) e^{−s}, log L(t)/L(0) = −2∫
    exponent = -2 * sp.integrate(sp.Rational(5, 8) * lam + lam / 8 * sp.exp(-t), (t, 0, t))
    least = sp.limit(-exponent.subs(lam, 1) / t, t, sp.oo)
    return inequality(ge(least * lam, formula), {}, f"the slowest rate that λ_min ≥ (5/8)λ allows is {least} λ")


square, largest = sp.symbols("‖J‖² max‖∇f‖²", nonnegative=True)
bowman2023.add(
    "jacobian-norm",
    place="section 2.3",
    says="‖J‖ ≤ √n max_i ‖∇f(x_i)‖.",
    formula=le(square, n * largest),
    test=lambda formula: inequality(formula, {square: n * largest - gap}, "‖J‖² ≤ tr JJᵀ = Σ_i ‖∇f(x_i)‖²"),
)
bowman2023.add(
    "width-exponents",
    place="section 2.3",
    says="m ≳ n² R_max^{6D} λ^{−2} with R_max = K√n/λ, K = √n is n^{2+6D} λ^{−2−6D}: polynomial in n at fixed depth.",
    formula=equation(n**2 * radius ** (6 * depth) / lam**2, n ** (2 + 6 * depth) * lam ** (-2 - 6 * depth)),
    test=lambda formula: identity(formula.subs(radius, sp.sqrt(n) * sp.sqrt(n) / lam), {}, "R_max = n/λ"),
    assumes="n^{O(D)} follows only if λ = Ω(1)",
)
theta = sp.Symbol("δ", positive=True)


@bowman2023.claim(
    "eigenvalue-order-one",
    place="section 2.3",
    says="For general inputs λ_min(H∞) = Ω(1).",
    formula=constant,
    verdict=REFUTED,
    better=theta / (2 * sp.pi),
    assumes="ReLU, hidden weights trained, two inputs of norm 1 at the angle δ < π/2",
    remark="λ_min → 0 as two inputs approach, and n inputs in fixed dimension must approach each other. A bound needs "
    "their separation (for n inputs of the order δ/n², Oymak and Soltanolkotabi); the theorem cited assumes random "
    "inputs of growing dimension.",
)
def _order_one(formula: Any) -> Evidence:
    kernel = (sp.pi - theta) / (2 * sp.pi) * sp.cos(theta)
    least = sp.Rational(1, 2) - kernel  # eigenvalue of (1, −1)/√2, the smaller one as the kernel is nonnegative
    if sp.limit(least / formula, theta, 0, "+") < 1:
        return Evidence(False, f"λ_min = {show(least)} is smaller for small δ, and tends to 0")
    rest = (sp.pi - theta) * (1 - sp.cos(theta)) / (2 * sp.pi)  # nonnegative
    if sp.expand(least - rest - theta / (2 * sp.pi)) != 0:
        return Evidence(None, "the remainder of λ_min − δ/(2π)")
    found = inequality(ge(theta / (2 * sp.pi), formula), {})
    return Evidence(found.holds, "λ_min = δ/(2π) + (π − δ)(1 − cos δ)/(2π)")


# Appendix -------------------------------------------------------------------------------------------------------


@bowman2023.claim(
    "smallest-width",
    place="Lemmas 4.1–4.3",
    says="m = min n_l over l ≥ 1, that is over l = 1, …, D + 1.",
    formula=depth + 1,
    verdict=REFUTED,
    better=depth,
    remark="n_{D+1} = 1 for the scalar networks of the text, so m = 1, and the lemmas are empty: m ≥ d and n_l ≤ Am "
    "bound the widths. The minimum is over hidden layers. The formula is the last l.",
)
def _smallest_width(formula: Any) -> Evidence:
    layers = 3
    limits = [sp.oo] * layers + [sp.Integer(1)]  # of the widths n_1, …, n_D, n_{D+1}
    least = min(limits[: int(formula.subs(depth, layers))])
    return Evidence(least == sp.oo, f"for D = {layers} hidden layers of width m → ∞ the minimum tends to {show(least)}")


root, ratio_out, ratio_in = sp.symbols("√A √(n_l/m) √(n_{l-1}/m)", nonnegative=True)
bowman2023.add(
    "operator-norm",
    place="Lemma 4.1",
    says="‖W‖/√m ≤ 2√A + 1 when ‖W‖ ≤ √n_l + √n_{l−1} + √m.",
    formula=le(ratio_out + ratio_in + 1, 2 * root + 1),
    test=lambda formula: inequality(
        formula, {ratio_out: root - gap, ratio_in: root - gap_2}, "√(n_l/m) = √A − g, √(n_{l−1}/m) = √A − g'"
    ),
    assumes="n_l ≤ A m for all l ≥ 0, so d ≤ A m",
)


@bowman2023.claim(
    "operator-norm-probability",
    place="Lemma 4.1, proof",
    says="‖W_0‖ ≤ √n_l + √n_{l−1} + t fails with probability at most 2 e^{−t²/2}.",
    formula=2 * sp.exp(-(t**2) / 2),
    better=sp.exp(-(t**2) / 2),
    assumes="Davidson and Szarek 2001, Theorem II.13: E‖W‖ ≤ √n_l + √n_{l−1}, and Gaussian concentration",
    remark="The factor 2 is not needed: it belongs to the two-sided statement about both extreme singular values.",
)
def _norm_probability(formula: Any) -> Evidence:
    # upper side: Gaussian concentration of a 1-Lipschitz function above its mean, which is ≤ √n_l + √n_{l−1}
    exact = 1 - sp.erf((2 + t) / sp.sqrt(2))  # 1 × 1: P(|W| > 2 + t)
    for value in (1, 2, 3, 4):
        if sign((formula - exact).subs(t, value)) == -1:
            return Evidence(False, f"P(|W| > 2 + t) is larger for a 1 × 1 matrix at t = {value}")
    return inequality(ge(sp.simplify(formula * sp.exp(t**2 / 2)), 1), {}, "quotient with e^{−t²/2} (concentration)")


@bowman2023.claim(
    "operator-norm-frequency",
    place="Lemma 4.1, proof",
    says="The same, measured.",
    formula=2 * sp.exp(-(t**2) / 2),
    method=STATISTICAL,
    verdict=SUPPORTED,
    better=sp.exp(-(t**2) / 2),
)
def _norm_frequency(formula: Any) -> Evidence:
    def bound(value: float) -> Fraction:
        return min(Fraction(1), Fraction(float(formula.subs(t, sp.Float(value)))))

    return large_norm_frequency(bound)


@bowman2023.claim(
    "operator-norm-union",
    place="Lemma 4.1",
    says="All D + 1 matrices obey it with probability 1 − C e^{−cm}: C = 2(D + 1), c = 1/2.",
    formula=2 * (depth + 1) * sp.exp(-m / 2),
    better=(depth + 1) * sp.exp(-m / 2),
)
def _norm_union(formula: Any) -> Evidence:
    needed = (depth + 1) * sp.exp(-m / 2)  # e^{−t²/2} at t = √m, D + 1 times
    return inequality(ge(sp.simplify(formula / needed), 1), {}, "union bound at t = √m")


height, slope, size, omega, part = sp.symbols("B_0 B_1 ‖x‖ ω N", nonnegative=True)
gradient_square = sp.Symbol("‖∇f‖²", nonnegative=True)
moved = radius / sp.sqrt(m)
inside = {omega: part + gap_2 - moved, gradient_square: height**2 - gap + slope**2 * size**2 * part**2}


@bowman2023.claim(
    "gradient-in-ball",
    place="Lemma 4.2",
    says="‖a_0‖ ≤ ω√m gives ‖∇f(x; θ)‖ = O(max{1, R/√m}^{O(D)}) in the ball: here B_0² + B_1²‖x‖²(ω + R/√m)².",
    formula=le(gradient_square, height**2 + slope**2 * size**2 * (omega + moved) ** 2),
    assumes="D = 1, |σ| ≤ B_0, |σ'| ≤ B_1: the exponent is 1",
)
def _gradient_in_ball(formula: Any) -> Evidence:
    return inequality(formula, inside, "‖∇f‖² = (1/m)Σσ² + ‖x‖²(1/m)Σa²σ'², ‖a‖ ≤ ‖a_0‖ + R")


largest_input = sp.Symbol("sup‖x‖", positive=True)


@bowman2023.claim(
    "input-domain",
    place="Lemmas 4.2, 4.3",
    says="The supremum over x ∈ X is finite, with no assumption on X.",
    formula=sp.oo,
    verdict=REFUTED,
    better=largest_input,
    remark="X must be bounded: the gradient grows with ‖x‖. The formula is the radius of X.",
)
def _input_domain(formula: Any) -> Evidence:
    w, a = sp.symbols("w a", positive=True)
    # one ReLU neuron, w > 0: f = a w x, ‖∇f‖² = (w² + a²) x²
    supremum = sp.limit((w**2 + a**2) * x**2, x, formula)
    return Evidence(bool(supremum.is_finite), f"one ReLU neuron: sup ‖∇f‖² = {show(supremum)}")


@bowman2023.claim(
    "gradient-bounded",
    place="Lemma 4.3",
    says="On the event of Lemma 4.1, and if R ≤ √m, ‖∇f‖² ≤ B_0² + B_1²‖x‖²(2√A + 2)² in the ball.",
    formula=le(gradient_square, height**2 + slope**2 * size**2 * (2 * root + 2) ** 2),
    assumes="as for Lemma 4.2, D = 1",
)
def _gradient_bounded(formula: Any) -> Evidence:
    # ω = 2√A + 1 and R/√m = 1 at most: N + g' = 2√A + 2
    meaning = {root: (part + gap_2 - 2) / 2, gradient_square: inside[gradient_square]}
    return inequality(formula, meaning, "ω ≤ 2√A + 1, R/√m ≤ 1")


bowman2023.outside(
    "kernel-deviation-deep",
    "eq. (4)",
    "The exponent 3D for D > 1 hidden layers.",
    "no explicit constant is proved here for inner layers at random initialisation; D = 1 is above",
)

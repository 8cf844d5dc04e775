"""A reading note on Jacot, Gabriel and Hongler (NeurIPS 2018); long: the claims of one document."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.gram import enclose_gram
from ntkproof.literature.claim import REFUTED, STATISTICAL, SUPPORTED, Document, Evidence, Registry
from ntkproof.literature.experiments import (
    TEST,
    TRAIN,
    deep_deviation_exponent,
    kernel_movement_exponent,
    neuron_movement_exponent,
    trained_variance,
)
from ntkproof.literature.methods import evaluate, identity, inequality, linear_flow, scalar, show, sign
from ntkproof.literature.models import H, column, equation, g, gaussian_moment, generic_flow, number

note = Registry(
    Document(
        "note",
        "a reading note on A. Jacot, F. Gabriel, C. Hongler, Neural Tangent Kernel: Convergence and Generalization in "
        "Neural Networks (NeurIPS 2018), with an interactive demo",
    )
)

t, n, lam = sp.symbols("t n λ", positive=True)
k_low, k_gap = sp.symbols("λ_1 g", nonnegative=True)
GENERIC = "any network and point: its 1-jet is free"

# Setup ----------------------------------------------------------------------------------------------------------

second, bias, fan_in = sp.symbols("E[α²] β n_l", positive=True)


@note.claim(
    "preactivation-scale",
    place="Setup",
    says="The factor 1/√n_l keeps preactivations O(1): their variance is E[α²] + β² at every width.",
    formula=second + bias**2,
)
def _scale(formula: Any) -> Evidence:
    for width in (1, 2, 3):
        weights, shift = sp.symbols(f"w1:{width + 1}"), sp.Symbol("b")
        features = sp.symbols(f"a1:{width + 1}")
        value = sum(w * a for w, a in zip(weights, features, strict=True)) / sp.sqrt(width) + bias * shift
        variance = gaussian_moment(value**2, (*weights, shift)).subs(dict.fromkeys(features, sp.sqrt(second)))
        found = identity(equation(variance, formula), {}, "widths 1, 2, 3")
        if not found.holds:
            return found
    return found


w_1, w_2 = sp.symbols("w_1 w_2", real=True)


@note.claim(
    "convex-composite",
    place="Setup",
    says="The cost is convex in the function, and not in the parameters (here f = w_2 w_1).",
    formula=w_2 * w_1,
)
def _convex(formula: Any) -> Evidence:
    value = sp.Symbol("f", real=True)
    convex = sp.diff((value - 1) ** 2 / 2, value, 2) > 0
    eigenvalues = sp.hessian((formula - 1) ** 2 / 2, (w_1, w_2)).subs({w_1: 0, w_2: 0}).eigenvals()
    return Evidence(bool(convex) and min(eigenvalues) < 0, f"Hessian in f: 1; in w at 0: {sorted(eigenvalues)}")


# Kernel gradient descent ----------------------------------------------------------------------------------------

d_1, d_2, k_1, k_2, k_12 = sp.symbols("d_1 d_2 K_11 K_22 K_12", real=True)
dC, double = sp.Symbol("∂_t C"), sp.Symbol("dᵀKd")


@note.claim(
    "kernel-gradient",
    place="Kernel gradient descent",
    says="Along kernel gradient descent ∂_t C = −dᵀKd/N², C = (1/(2N)) Σ (f − f*)² for least squares.",
    formula=equation(dC, -double / 4),
    assumes="N = 2",
)
def _kernel_gradient(formula: Any) -> Evidence:
    kernel, d = sp.Matrix([[k_1, k_12], [k_12, k_2]]), sp.Matrix([d_1, d_2])  # d = f − f*
    velocity = -kernel * d / 2
    cost = (d.T * velocity)[0] / 2  # d/dt of (1/(2N)) Σ d_j²
    return identity(formula, {dC: cost, double: (d.T * kernel * d)[0]}, "chain rule in function space")


f_0 = sp.Symbol("f_0", real=True)


@note.claim(
    "global-minimum",
    place="Kernel gradient descent",
    says="For a convex cost and a positive definite kernel the path converges to a global minimum f* (the formula).",
    formula=sp.Symbol("f*", real=True),
    verdict=REFUTED,
    better=sp.oo,
    remark="The cost must have a minimum. For C(f) = e^{−f}, K = 1, N = 1 the cost tends to its infimum 0 and f(t) to "
    "infinity. What holds: C(f(t)) → inf C.",
)
def _minimum(formula: Any) -> Evidence:
    path = sp.log(t + sp.exp(f_0))
    if sp.simplify(path.diff(t) - sp.exp(-path)) != 0:
        return Evidence(None, "not the solution")
    limit = sp.limit(path.subs(f_0, 0), t, sp.oo)
    return Evidence(limit == formula, f"C = e^(-f): f(t) = {show(path)} → {show(limit)}, and C → 0 = inf C")


bowman_H = equation(column("∂_t f"), -H * g)
note.add(
    "function-space",
    place="The Neural Tangent Kernel",
    says="Under gradient flow ∂_t f = −∇_Θ C: on the samples −Θ times the gradient of the cost.",
    formula=bowman_H,
    test=lambda formula: identity(
        formula, {**generic_flow(False).meaning, column("∂_t f"): generic_flow(False).meaning[column("∂_t r")]}, GENERIC
    ),
    remark="g = ∂C/∂f(x_j) contains the 1/N of the kernel gradient.",
)
eta = sp.Symbol("η", positive=True)


@note.claim(
    "vanilla-descent",
    place="Kernel gradient descent",
    says="A network trained by vanilla gradient descent follows kernel gradient descent: a step leaves no remainder.",
    formula=sp.Integer(0),
    verdict=REFUTED,
    better=eta**2,
    remark="Exact for gradient flow only. A step of size η leaves a remainder of the order η², the curvature of f. "
    "The formula is the order of the remainder.",
)
def _vanilla(formula: Any) -> Evidence:
    w = sp.Symbol("w", real=True)
    output = w**2
    moved = w - eta * ((output - 1) ** 2 / 2).diff(w)
    kernel = output.diff(w) ** 2
    remainder = sp.expand(output.subs(w, moved) - (output - eta * kernel * (output - 1))).subs(w, 2)
    if formula == 0:
        return Evidence(remainder == 0, f"f = w², y = 1, w = 2: the remainder of one step is {show(remainder)}")
    limit = sp.limit(remainder / formula, eta, 0, "+")
    return Evidence(bool(limit.is_finite), f"f = w², y = 1, w = 2: remainder/order → {show(limit)} as η → 0")


# The kernel at finite width -------------------------------------------------------------------------------------


@cache
def _finite(polynomial: tuple[Any, ...]) -> tuple[Any, dict[Any, Any]]:
    """The kernel of a network with 2 inputs, one hidden neuron and biases; σ is the polynomial; its expectation."""
    z = sp.Symbol("z")
    sigma = sum(c * z**power for power, c in enumerate(polynomial))
    w, b, v, c = sp.symbols("w1:3"), sp.Symbol("b"), sp.Symbol("v"), sp.Symbol("c")
    beta = sp.Symbol("β", positive=True)
    points = (sp.Rational(1), sp.Rational(2)), (sp.Rational(-1), sp.Rational(1))
    inner = [sum(s * p for s, p in zip(w, point, strict=True)) / sp.sqrt(2) + beta * b for point in points]
    outputs = [v * sigma.subs(z, value) + beta * c for value in inner]
    parameters = (*w, b, v, c)
    parts = {p: gaussian_moment(outputs[0].diff(p) * outputs[1].diff(p), parameters) for p in parameters}
    products = [sigma.subs(z, inner[0]) * sigma.subs(z, inner[1])]
    products.append(sigma.diff(z).subs(z, inner[0]) * sigma.diff(z).subs(z, inner[1]))
    covariance, derivative = (gaussian_moment(product, parameters) for product in products)
    first = sum(a * b for a, b in zip(*points, strict=True)) / sp.Integer(2) + beta**2
    meaning = {Theta: first, Sigma: covariance + beta**2, Sigma_dot: derivative}
    last = sp.expand(parts[v] + parts[c])
    meaning |= {WITHOUT: sp.expand(sum(parts.values()) - parts[c]), BIAS_SQUARED: beta**2}
    meaning |= {NEXT: sp.expand(sum(parts.values())), LAST: last, EARLIER: sp.expand(sum(parts.values()) - last)}
    return beta, meaning


Theta, Sigma, Sigma_dot = sp.symbols("Θ^(l) Σ^(l+1) Σ'^(l+1)", real=True)
NEXT, LAST, EARLIER = sp.symbols("Θ^(l+1) last earlier", real=True)
WITHOUT, BIAS_SQUARED = sp.symbols("Θ_no_output_bias β²", real=True)


def _recursion(formula: Any) -> Evidence:
    for polynomial in ((0, 1), (1, 0, 1), (sp.Rational(1, 2), 1, 1, sp.Rational(1, 3))):
        found = identity(formula, _finite(polynomial)[1], "l = 1, σ = z, 1 + z², 1/2 + z + z² + z³/3: E ΣΔf∂f' exactly")
        if not found.holds:
            return found
    return found


note.add(
    "recursion",
    place="Theorem 1",
    says="Θ^(l+1) = Θ^(l) Σ'^(l+1) + Σ^(l+1).",
    formula=equation(NEXT, Theta * Sigma_dot + Sigma),
    test=_recursion,
    assumes="all weights and biases trained; Σ^(l+1) = E σσ + β² includes the output bias",
)
note.add(
    "last-layer",
    place="Theorem 1",
    says="The summand Σ^(l+1) is the contribution of the last layer.",
    formula=equation(LAST, Sigma),
    test=_recursion,
    remark="Of its weights and its bias.",
)
note.add(
    "output-bias",
    place="Setup and Theorem 1",
    says="The last layer has a bias, too, which is trained: without it the kernel is smaller by β².",
    formula=equation(NEXT - WITHOUT, BIAS_SQUARED),
    test=_recursion,
    remark="The networks of Du et al. have none; `all` and `both` of this project.",
)
note.add(
    "earlier-layers",
    place="Theorem 1",
    says="The summand Θ^(l) Σ'^(l+1) is the contribution of all earlier layers.",
    formula=equation(EARLIER, Theta * Sigma_dot),
    test=_recursion,
)
note.add(
    "deterministic-limit",
    place="Theorem 1",
    says="At initialisation Θ tends to its limit in probability, here at the rate n^e, e = −1/2, for L = 3.",
    formula=sp.Rational(-1, 2),
    test=deep_deviation_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    assumes="two hidden layers, sin; limit certified from the recursion",
)
spread = sp.Symbol("v", positive=True)


@note.claim(
    "independent-outputs",
    place="Theorem 1",
    says="The limit is ⊗ Id: the kernel between two outputs has mean 0 and variance v/n → 0.",
    formula=spread / n,
)
def _independent(formula: Any) -> Evidence:
    for width in (1, 2, 3):
        a, b, s = (sp.symbols(f"{name}1:{width + 1}") for name in "abs")  # s_i = σ'(z_i)σ'(z_i') x·x'
        cross = sum(p * q * u for p, q, u in zip(a, b, s, strict=True)) / width
        if gaussian_moment(cross, (*a, *b)) != 0:
            return Evidence(None, "the mean is not 0")
        variance = gaussian_moment(cross**2, (*a, *b)).subs(dict.fromkeys(s, sp.sqrt(spread)))
        if sp.simplify(variance - formula.subs(n, width)) != 0:
            return Evidence(False, f"for {width} neurons the variance is {show(variance)}")
    return Evidence(sp.limit(formula, n, sp.oo) == 0, "exact for 1, 2, 3 neurons, over the output weights")


DEPTH, ACTIVATION, VARIANCE, BIAS = sp.symbols("depth σ variance β")


@note.claim(
    "depends-only-on",
    place="Theorem 1",
    says="The limit depends only on depth, activation and initialisation variance.",
    formula=sp.Tuple(DEPTH, ACTIVATION, VARIANCE),
    verdict=REFUTED,
    better=sp.Tuple(DEPTH, ACTIVATION, VARIANCE, BIAS),
    remark="And on β, which in this parametrisation is not the variance of anything: biases are N(0, 1).",
)
def _depends(formula: Any) -> Evidence:
    beta, meaning = _finite((1, 0, 1))
    slope = sp.expand(meaning[NEXT].diff(beta))
    if BIAS not in formula:
        return Evidence(slope == 0, f"σ = 1 + z²: ∂Θ/∂β = {show(slope)}")
    return Evidence(True, "σ, β and the depth are all that the recursion reads, the variances being 1")


least_depth = sp.Symbol("L", integer=True, positive=True)


@note.claim(
    "random-and-moving",
    place="The Neural Tangent Kernel",
    says="For any finite network (depth L ≥ 1) the kernel is random and changes during training.",
    formula=sp.Integer(1),
    verdict=REFUTED,
    better=sp.Integer(2),
    remark="Not for L = 1, where Θ = x·x'/n_0 + β² exactly; nor where the loss is stationary. The formula is the least "
    "depth.",
)
def _random(formula: Any) -> Evidence:
    w, b, v, x = sp.symbols("w b v x", real=True)
    output = w * x + b if formula == 1 else v * (w * x) ** 2 + b  # depth 1, and depth 2 with σ = z²
    parameters = (w, b) if formula == 1 else (w, v, b)
    kernel = sum(output.diff(p) ** 2 for p in parameters)
    moves = sum(kernel.diff(p) * output.diff(p) for p in parameters)  # times −residual: ∂_t Θ
    random = bool(kernel.free_symbols & set(parameters))
    return Evidence(random and sp.expand(moves) != 0, f"Θ(x, x) = {show(sp.expand(kernel))}")


# Theorem 2 ------------------------------------------------------------------------------------------------------

note.add(
    "frozen",
    place="Theorem 2",
    says="Θ(t) → Θ∞ uniformly on [0, T]: it moves by O(n^e), e = −1/2.",
    formula=sp.Rational(-1, 2),
    test=kernel_movement_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    better=sp.Rational(-1),
    assumes="one hidden layer, sin, T = 4, least squares",
    remark="Jacot et al. assume σ twice differentiable with bounded σ''; the note does not say so; its demo is ReLU.",
)
note.add(
    "single-neuron",
    place="Theorem 2",
    says="Each neuron changes by O(1/√n) during training.",
    formula=sp.Rational(-1, 2),
    test=neuron_movement_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    assumes="one hidden layer, sin, T = 4",
)
speed = sp.Symbol("∂_t‖d‖²", real=True)
d_i, d_j = sp.symbols("d_i d_j", real=True)
note.add(
    "bounded-direction",
    place="Theorem 2",
    says="For least squares ∫_0^T ‖d_t‖ dt stays bounded: ‖d_t‖ does not grow, so it is at most T‖d_0‖.",
    formula=sp.Le(speed, 0, evaluate=False),
    test=lambda formula: inequality(
        formula, {speed: -2 * (k_low * d_i**2 + (k_low + k_gap) * d_j**2)}, "d' = −Πd, in the eigenbasis of Π ⪰ 0"
    ),
)
note.add(
    "training-direction",
    place="Theorem 2",
    says="∂_t f = Φ_Θ(⟨d_t, ·⟩), with d the gradient of the cost: on the samples Θ times the gradient.",
    formula=equation(column("∂_t f"), H * g),
    test=lambda formula: identity(
        formula, {**generic_flow(False).meaning, column("∂_t f"): generic_flow(False).meaning[column("∂_t r")]}, GENERIC
    ),
    verdict=REFUTED,
    better=bowman_H,
    remark="In Jacot et al. d_t is the training direction, minus the gradient. The note defines d as the gradient, and "
    "so needs a minus sign.",
)

# Least squares --------------------------------------------------------------------------------------------------

N = sp.Symbol("N", positive=True)
note.add(
    "least-squares",
    place="Consequences for least squares",
    says="f_t = f* + e^{c Π}(f_0 − f*), c = −t, Π = Θ/N on the samples.",
    formula=-t,
    test=lambda formula: linear_flow(formula, t),
)
cut = sp.Symbol("λ", positive=True)


@note.claim(
    "truncation",
    place="Why this matters",
    says="Early stopping truncates the spectrum: at time t a component has been learned (1) if λt ≥ 1, else not (0).",
    formula=sp.Heaviside(cut * t - 1),
    verdict=REFUTED,
    better=1 - sp.exp(-cut * t),
    remark="It is a smooth filter: a component with λ = 1/t is learned to 63 %.",
)
def _filter(formula: Any) -> Evidence:
    exact = 1 - sp.exp(-cut * t)  # f' = λ(1 − f), f(0) = 0
    if sp.simplify(exact.diff(t) - cut * (1 - exact)) != 0:
        return Evidence(None, "not the solution")
    difference = (exact - formula).subs({cut: 1, t: 2})
    if sp.simplify(exact - formula) == 0:
        return Evidence(True, "it solves f' = λ(1 − f), f(0) = 0")
    wrong = sign(difference) in (1, -1)
    return Evidence(False if wrong else None, f"at λ = 1, t = 2 it is off by {sp.N(difference, 3)}")


signal, noise, kept = sp.symbols("b² σ² q", positive=True)


@note.claim(
    "early-stopping",
    place="Consequences for least squares",
    says="Stopping early helps with noise: the risk b² q² + σ² (1 − q)² of a component, q = e^{−λt}, is least at the "
    "formula, inside (0, 1).",
    formula=noise / (signal + noise),
    assumes="labels with independent noise of variance σ²",
)
def _early(formula: Any) -> Evidence:
    risk = signal * kept**2 + noise * (1 - kept) ** 2
    stationary = sp.simplify(risk.diff(kept).subs(kept, formula))
    if stationary != 0:
        sizes = stationary.subs({signal: 2, noise: 3})
        return Evidence(False if sign(sizes) in (1, -1) else None, f"the derivative there is {show(stationary)}")
    found = inequality(sp.Gt(formula * (1 - formula), 0, evaluate=False), {})
    return Evidence(found.holds and risk.diff(kept, 2).is_positive, "stationary and convex there; 0 < q < 1")


@note.claim(
    "spectral-order",
    place="Consequences for least squares",
    says="Large eigenvalues are fitted first: 1 − e^{−λt} grows with λ.",
    formula=1 - sp.exp(-cut * t),
)
def _order(formula: Any) -> Evidence:
    return inequality(sp.Gt(formula.diff(cut), 0, evaluate=False), {}, "derivative in λ")


# The function at the end ----------------------------------------------------------------------------------------

Kt, S = sp.MatrixSymbol("K", 2, 2), sp.MatrixSymbol("Σ", 2, 2)
kappa, s_x, y_star, y_0 = (sp.MatrixSymbol(name, 2, 1) for name in ("κ", "σ", "y*", "y_0"))
f_end, f_start, f_var, k_xx, s_xx = (number(name) for name in ("f_∞(x)", "f_0(x)", "Var f_∞(x)", "Θ(x,x)", "Σ(x,x)"))


def _matrix(name: str) -> Any:
    a, b, c = sp.symbols(f"{name}_1 {name}_2 {name}_3", real=True)
    return sp.Matrix([[a**2 + 1, b], [b, b**2 + c**2 + 1]])  # positive definite


def _column(name: str) -> Any:
    return sp.Matrix(sp.symbols(f"{name}_1:3", real=True))


VALUES: dict[Any, Any] = {
    Kt: _matrix("K"),
    S: _matrix("S"),
    kappa: _column("κ"),
    s_x: _column("s"),
    y_star: _column("y"),
    y_0: _column("u"),
    f_start: sp.Matrix([sp.Symbol("f_0", real=True)]),
    k_xx: sp.Matrix([sp.Symbol("k", positive=True)]),
    s_xx: sp.Matrix([sp.Symbol("s", positive=True)]),
}


@note.claim(
    "end-of-training",
    place="Consequences for least squares",
    says="f_∞(x) = κᵀK⁻¹y* + (f_0(x) − κᵀK⁻¹y_0).",
    formula=equation(f_end, kappa.T * Kt.inv() * y_star + f_start - kappa.T * Kt.inv() * y_0),
    assumes="K invertible",
)
def _end(formula: Any) -> Evidence:
    # ∂_t f(x) = −κᵀ e^{−Kt}(y_0 − y*); in the eigenbasis of K (time in units of N)
    a, b = sp.symbols("λ_1 λ_2", positive=True)
    meaning = {**VALUES, Kt: sp.diag(a, b)}
    start = meaning[y_0] - meaning[y_star]
    integrals = [sp.integrate(sp.exp(-value * t), (t, 0, sp.oo)) for value in (a, b)]
    change = sum(meaning[kappa][j] * integrals[j] * start[j] for j in (0, 1))
    meaning[f_end] = sp.Matrix([meaning[f_start][0] - change])
    return identity(formula, meaning, "two samples, integral of ∂_t f(x) over all times")


posterior_mean = number("mean")


@note.claim(
    "map-estimate",
    place="Consequences for least squares",
    says="κᵀK⁻¹y* is the posterior mean (MAP) under the prior with covariance Θ∞, the limit of ridge regression.",
    formula=equation(posterior_mean, kappa.T * Kt.inv() * y_star),
)
def _map(formula: Any) -> Evidence:
    ridge = sp.Symbol("ε", positive=True)
    a, b = sp.symbols("λ_1 λ_2", positive=True)
    meaning = {**VALUES, Kt: sp.diag(a, b)}
    solution = meaning[kappa].T * (meaning[Kt] + ridge * sp.eye(2)).inv() * meaning[y_star]
    meaning[posterior_mean] = solution.applyfunc(lambda entry: sp.limit(entry, ridge, 0))
    return identity(formula, meaning, "ridge → 0, in the eigenbasis of K; a Gaussian peaks at its mean")


def _law_variance(meaning: dict[Any, Any]) -> Any:
    """Var of ``f_0(x) − κᵀK⁻¹f_0(X)`` for ``f_0 ~ GP(0, Σ)``: the quadratic form of (1, −K⁻¹κ)."""
    covariance = sp.Matrix(sp.BlockMatrix([[meaning[s_xx], meaning[s_x].T], [meaning[s_x], meaning[S]]]))
    combination = sp.Matrix([1, *(-meaning[Kt].inv() * meaning[kappa])])
    return combination.T * covariance * combination


@cache
def _relu_numbers() -> dict[Any, Any]:
    """ReLU, one hidden layer, both layers trained, orthogonal unit inputs: exact kernels."""
    far, near = 1 / (2 * sp.pi), sp.Rational(1, 2)
    gram = sp.Matrix([[1, far], [far, 1]])
    return {
        Kt: gram,
        S: sp.Matrix([[near, far], [far, near]]),
        kappa: sp.Matrix([far, far]),
        s_x: sp.Matrix([far, far]),
        k_xx: sp.Matrix([1]),
        s_xx: sp.Matrix([near]),
    }


def _variance(formula: Any) -> Evidence:
    """Compare with the exact law: generic kernels first, then those of ReLU at three orthogonal inputs."""
    numbers = _relu_numbers()
    exact = {**numbers, f_var: _law_variance(numbers)}
    sides = [scalar(evaluate(side, exact)) for side in (formula.lhs, formula.rhs)]
    if sign(sides[0] - sides[1]) in (1, -1):
        shown = " and ".join(f"{float(sp.N(side)):.4f}" for side in sides)
        return Evidence(False, f"ReLU, three orthogonal unit inputs: exact and claimed are {shown}")
    return identity(formula, {**VALUES, f_var: _law_variance(VALUES)}, "all Θ > 0, Σ; two samples, a test point")


_inverse = Kt.inv()
LAW = equation(
    f_var,
    s_xx - kappa.T * _inverse * s_x - s_x.T * _inverse * kappa + kappa.T * _inverse * S * _inverse * kappa,
)
note.add(
    "posterior-law",
    place="Consequences for least squares",
    says="The trained infinitely wide network is a GP posterior: its variance is Θ(x, x) − κᵀK⁻¹κ.",
    formula=equation(f_var, k_xx - kappa.T * _inverse * kappa),
    test=_variance,
    verdict=REFUTED,
    better=LAW,
    assumes="f_0 ~ GP(0, Σ), the kernel of the outputs at initialisation, and Θ ≠ Σ when all layers are trained",
    remark="Its mean is a posterior mean, its covariance is that of no posterior of Θ or Σ (Lee et al. 2019). The grey "
    "band of the demo is not the spread of trained networks.",
)
note.add(
    "nngp-posterior-law",
    place="Consequences for least squares",
    says="Nor is it the posterior of the output kernel Σ.",
    formula=equation(f_var, s_xx - s_x.T * S.inv() * s_x),
    test=_variance,
    verdict=REFUTED,
    better=LAW,
    remark="That is the law when only the last layer is trained. The reading that `posterior` might mean Σ fails too.",
)
note.add(
    "vanishing-fluctuation",
    place="Why this matters",
    says="The function reached is kernel regression up to a vanishing Gaussian fluctuation: its variance is 0.",
    formula=equation(f_var, sp.ZeroMatrix(1, 1)),
    test=_variance,
    verdict=REFUTED,
    better=LAW,
    remark="It vanishes on the training points only; elsewhere it is of order one at infinite width.",
)


@note.claim(
    "zero-on-training-points",
    place="Consequences for least squares",
    says="The fluctuation f_0(x) − κᵀK⁻¹y_0 vanishes on the training points.",
    formula=equation(number("at x_1"), f_start - kappa.T * Kt.inv() * y_0),
)
def _zero_on_training(formula: Any) -> Evidence:
    meaning = {**VALUES, kappa: VALUES[Kt][:, 0], f_start: sp.Matrix([VALUES[y_0][0]])}
    return identity(formula, {**meaning, number("at x_1"): sp.Matrix([0])}, "x = x_1: κ is the first column of K")


@note.claim(
    "law-of-trained-networks",
    place="Consequences for least squares",
    says="Measured: trained networks have the posterior variance Θ(x, x) − κᵀK⁻¹κ at a test point.",
    formula=k_xx - kappa.T * _inverse * kappa,
    method=STATISTICAL,
    verdict=REFUTED,
    better=LAW.rhs,
    assumes="width 256, sin, both layers, two samples; kernels certified",
    remark="800 networks are told apart from the posterior, and agree with the corrected law.",
    slow=True,
)
def _measured_law(formula: Any) -> Evidence:
    points = Dataset(np.vstack([TRAIN, TEST]))
    theta, _ = enclose_gram(points, Network("sin", train="both"))
    sigma, _ = enclose_gram(points, Network("sin", train="output"))
    meaning = {Kt: theta[:2, :2], S: sigma[:2, :2], kappa: theta[:2, 2:], s_x: sigma[:2, 2:]}
    meaning |= {k_xx: theta[2:, 2:], s_xx: sigma[2:, 2:]}
    value = scalar(evaluate(formula, {symbol: sp.Matrix(array) for symbol, array in meaning.items()}))
    return trained_variance(float(value))


# The demo -------------------------------------------------------------------------------------------------------

theta_angle = sp.Symbol("θ", positive=True)
phi = sp.Symbol("φ", real=True)


@note.claim(
    "relu-dual",
    place="Try it yourself",
    says="The limiting ReLU kernel has a closed form: E σ(u)σ(v) of standard normals at the angle θ.",
    formula=(sp.sin(theta_angle) + (sp.pi - theta_angle) * sp.cos(theta_angle)) / (2 * sp.pi),
    assumes="variances 1",
)
def _relu_dual(formula: Any) -> Evidence:
    # polar coordinates: both positive for φ in (θ − π/2, π/2), and ∫ r³ e^{−r²/2} dr = 2
    integrand = sp.expand_trig(sp.cos(phi) * sp.cos(phi - theta_angle)).expand()
    exact = 2 * sp.integrate(integrand, (phi, theta_angle - sp.pi / 2, sp.pi / 2)) / (2 * sp.pi)
    return _same_function(exact, formula)


@note.claim(
    "relu-dual-derivative",
    place="Try it yourself",
    says="E σ'(u)σ'(v) = (π − θ)/(2π).",
    formula=(sp.pi - theta_angle) / (2 * sp.pi),
)
def _relu_dual_derivative(formula: Any) -> Evidence:
    exact = sp.integrate(1, (phi, theta_angle - sp.pi / 2, sp.pi / 2)) / (2 * sp.pi)
    return _same_function(exact, formula)


def _same_function(exact: Any, formula: Any) -> Evidence:
    if sp.simplify(exact - formula) == 0:
        return Evidence(True, "integrated in polar coordinates")
    value = (exact - formula).subs(theta_angle, 1)
    return Evidence(False if sign(value) in (1, -1) else None, f"at θ = 1 it is off by {sp.N(value, 3)}")


note.outside(
    "kernel-inflates",
    "Why this matters",
    "The experiments of the paper show that for n = 500 the kernel inflates during training.",
    "a report of somebody else's experiment, whose data and seeds are not given; that the kernel moves is "
    "note.frozen, that it turns towards the target bowman2023.adapts-to-target",
)
note.outside(
    "feature-learning",
    "Why this matters",
    "Feature learning requires the kernel to move.",
    "by definition, as the note says",
)

"""Stat 946, lecture 5: one hidden layer of width n, trained on m samples; long: the claims of one document."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from ntkproof.checker import check
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.literature.claim import CERTIFIED, REFUTED, STATISTICAL, SUPPORTED, Document, Evidence, Registry
from ntkproof.literature.experiments import kernel_movement_exponent
from ntkproof.literature.methods import identity, inequality, linear_flow, show
from ntkproof.literature.models import (
    G,
    K,
    W,
    alpha,
    beta,
    equation,
    f,
    gamma,
    gaussian_moment,
    h,
    i,
    m,
    n,
    psi,
    s,
    two_layer,
    y,
)
from ntkproof.prover.certify import certify

lecture = Registry(
    Document(
        "lecture",
        "M. Li (scribe S. Bajaj), Stat 946: Mathematical Foundations of Deep Learning, lecture 5 (2025)",
    )
)

# Symbols of this document: derivatives along the flow, T the contraction of two gradients with a Hessian
df, dK, T = (sp.IndexedBase(name) for name in ("∂_t f", "∂_t K", "T"))
t, lam, loss_0 = sp.symbols("t λ L_0", positive=True)
dL = sp.Symbol("∂_t L")


def _network(formula: Any) -> Evidence:
    """Two neurons, two inputs, three samples, any activation: every derivative is taken of the definition."""
    net = two_layer()
    meaning = {
        **net.meaning,
        df: lambda a: net.along_flow(net.output(a)),
        dK: lambda a, b: net.along_flow(net.kernel(a, b)),
        T: lambda b, a, c: (net.gradient(b).T * net.hessian(a) * net.gradient(c))[0],
    }
    return identity(formula, meaning, "2 neurons, 2 inputs, 3 samples, any smooth ψ")


dtheta, nabla = sp.IndexedBase("∂_t θ"), sp.IndexedBase("∂f/∂θ")
k = sp.Symbol("k", integer=True, positive=True)


@lecture.claim(
    "gradient-flow",
    place="eq. (1)",
    says="Gradient flow on L = Σ (f^α − y^α)²/(2m) moves θ_k by the mean of residual times gradient.",
    formula=equation(dtheta[k], -sp.Sum((f[alpha] - y[alpha]) * nabla[alpha, k], (alpha, 1, m)) / m),
)
def _gradient_flow(formula: Any) -> Evidence:
    net = two_layer()
    for index in range(1, len(net.parameters) + 1):
        meaning = {**net.meaning, k: index, nabla: lambda a, j: net.gradient(a)[j - 1]}
        meaning |= {dtheta: lambda j: net.velocity[j - 1]}
        meaning.pop(alpha)
        found = identity(formula, meaning, "every parameter of 2 neurons, 2 inputs, 3 samples, any smooth ψ")
        if not found.holds:
            return found
    return found


lecture.add(
    "residual",
    place="eq. (2)",
    says="The residual of a sample is driven by all residuals, mixed by the tangent kernel.",
    formula=equation(df[alpha], -sp.Sum(K[alpha, s] * (f[s] - y[s]), (s, 1, m)) / m),
    test=_network,
)


# The solution of the linear equation ----------------------------------------------------------------------------

lecture.add(
    "solution",
    place="eqs. (3), (4)",
    says="With a constant kernel f − y = exp(c K) (f(θ(0)) − y), c = −t/m.",
    formula=-t / m,
    test=lambda formula: linear_flow(formula, t, 1 / m),
    assumes="K symmetric and constant (Theorem 1)",
)

# Other losses ---------------------------------------------------------------------------------------------------

dl = sp.IndexedBase("∂l")
dL_star = sp.Symbol("∂_t L*")
point_kernel = sp.IndexedBase("K(x,y)")  # the kernel at an input and a label, as printed


@cache
def _one_input() -> dict[Any, Any]:
    """Any loss l(f, y) and one-dimensional inputs, for which labels too are points of the input space."""
    net = two_layer(2, 1, 2)
    slopes = sp.symbols("l1:3", real=True)  # ∂l/∂f at (f^α, y^α)
    speed = sp.Matrix([-sum(slopes[a - 1] * net.gradient(a)[j] for a in (1, 2)) / 2 for j in range(4)])

    def at_label(a: int, b: int) -> Any:
        moved = dict(zip(net.points[b - 1], [net.labels[b - 1]], strict=True))
        return net.gradient(a).dot(net.gradient(b).xreplace(moved))

    rates = [sum(d * v for d, v in zip(net.gradient(a), speed, strict=True)) for a in (1, 2)]
    return {
        m: 2,
        dl: lambda a: slopes[a - 1],
        K: net.kernel,
        point_kernel: at_label,
        df: lambda a: rates[a - 1],
        dL_star: sum(slope * rate for slope, rate in zip(slopes, rates, strict=True)) / 2,
    }


def _other_loss(formula: Any) -> Evidence:
    return identity(formula, _one_input(), "2 neurons, 1 input, 2 samples, any smooth ψ and loss")


lecture.add(
    "loss-chain-rule",
    place="eq. (5), first line",
    says="A mean of losses of the outputs changes by the mean of ∂l times ∂_t f.",
    formula=equation(dL_star, sp.Sum(dl[alpha] * df[alpha], (alpha, 1, m)) / m),
    test=_other_loss,
    remark="L* is printed with l(f^α, x^α); what follows is about l(f^α, y^α).",
)
_double = sp.Sum(sp.Sum(dl[alpha] * K[alpha, beta] * dl[beta], (beta, 1, m)), (alpha, 1, m))
lecture.add(
    "loss-double-sum",
    place="eq. (5), second line (exercise for the reader)",
    says="∂_t L* is −1/m² times the double sum of ∂l K(x^α, y^β) ∂l.",
    formula=equation(
        dL_star,
        -sp.Sum(sp.Sum(dl[alpha] * point_kernel[alpha, beta] * dl[beta], (beta, 1, m)), (alpha, 1, m)) / m**2,
    ),
    test=_other_loss,
    verdict=REFUTED,
    better=equation(dL_star, -_double / m**2),
    remark="The kernel is evaluated at a label: y^β should be x^β. With one-dimensional inputs the printed line has a "
    "meaning, and is false.",
)
lecture.add(
    "loss-quadratic-form",
    place="eq. (5), third line",
    says="∂_t L* = −(1/m²) (∂l)ᵀ K ∂l.",
    formula=equation(dL_star, -_double / m**2),
    test=_other_loss,
    remark="The gradient is with respect to f; the lecture writes ∂_x l.",
)
_residuals = sp.Sum(sp.Sum((f[alpha] - y[alpha]) * K[alpha, beta] * (f[beta] - y[beta]), (beta, 1, m)), (alpha, 1, m))


@lecture.claim(
    "squared-loss",
    place="after eq. (5)",
    says="For the mean squared loss ∂_t L = −(1/m²) (f − y)ᵀ K (f − y).",
    formula=equation(dL, -_residuals / m**2),
)
def _squared_loss(formula: Any) -> Evidence:
    net = two_layer()
    loss = sum((net.output(a) - net.labels[a - 1]) ** 2 for a in (1, 2, 3)) / 6
    meaning = {key: value for key, value in net.meaning.items() if key not in (alpha, beta)}
    return identity(formula, {**meaning, dL: net.along_flow(loss)}, "2 neurons, 2 inputs, 3 samples, any smooth ψ")


# Lemma 2 and Grönwall -------------------------------------------------------------------------------------------

least, gap = sp.Symbol("λ*", real=True), sp.Symbol("g", nonnegative=True)
u_1, u_2 = sp.symbols("u_1 u_2", real=True)
form, square = sp.symbols("uᵀMu ‖u‖²", real=True)


@lecture.claim(
    "lemma-2",
    place="Lemma 2",
    says="λ*(M) ‖u‖² ≤ uᵀMu for the least eigenvalue of a symmetric PSD matrix.",
    formula=sp.Le(least * square, form, evaluate=False),
    assumes="M symmetric",
    remark="PSD is not needed, and its proof uses that λ* is the least eigenvalue, not that eigenvalues are "
    "nonnegative. The lemma says μ where it means u.",
)
def _lemma_2(formula: Any) -> Evidence:
    meaning = {square: u_1**2 + u_2**2, form: least * u_1**2 + (least + gap) * u_2**2}
    return inequality(formula, meaning, "in the eigenbasis, for every sign of λ*")


size, loss, samples = sp.Symbol("‖f-y‖²", nonnegative=True), sp.Symbol("L", nonnegative=True), m


def _chain(formula: Any) -> Evidence:
    return inequality(formula, {size: 2 * m * loss, dL: -(lam + gap) * 2 * m * loss / m**2}, "(f−y)ᵀK(f−y) ≥ λ*‖f−y‖²")


lecture.add(
    "differential-inequality",
    place="after Lemma 2, third line",
    says="∂_t L ≤ −2 (λ*/m) L.",
    formula=sp.Le(dL, -2 * lam / m * loss, evaluate=False),
    test=_chain,
)
lecture.add(
    "differential-inequality-weakened",
    place="after Lemma 2, fourth line",
    says="∂_t L ≤ −(1/2) (λ*/m) L.",
    formula=sp.Le(dL, -lam / m * loss / 2, evaluate=False),
    test=_chain,
    better=sp.Le(dL, -2 * lam / m * loss, evaluate=False),
    remark="True, but the step from the line above gives away a factor 4 for nothing.",
)


@lecture.claim(
    "rate",
    place="eq. (6)",
    says="L(t) ≤ e^{−rate·t} L(0), rate = λ*/(2m).",
    formula=lam / (2 * m),
    better=2 * lam / m,
    remark="The lecture's own chain proves four times this rate, 2λ*/m, which is attained.",
)
def _rate(formula: Any) -> Evidence:
    # every solution of L' ≤ −(2λ/m)L is below the one with equality, which is that of the eigenvector of λ*
    slowest = sp.exp(-2 * lam * t / m)
    found = inequality(sp.Ge(2 * lam / m - formula, 0, evaluate=False), {})
    if found.holds:
        return Evidence(True, f"the slowest decay is {show(slowest)}, and {found.text}")
    return Evidence(found.holds, f"a residual along the eigenvector of λ* decays like {show(slowest)}: {found.text}")


POINTS = np.array([[1.0, 0.0], [0.5, 0.75], [-0.25, 0.5]])


@lecture.claim(
    "positive-definite",
    place="after eq. (6)",
    says="λ*(K) > 0 can be shown (by random matrix theory), for the inputs at hand.",
    formula=sp.Symbol("any inputs"),
    method=CERTIFIED,
    verdict=REFUTED,
    better=sp.Symbol("no two inputs parallel"),
    assumes="ReLU",
    remark="Two equal inputs make K singular, whatever the network: an assumption on the inputs is missing. "
    "Random matrix theory speaks of random inputs only.",
)
def _positive_definite(formula: Any) -> Evidence:
    inputs = np.vstack([POINTS, POINTS[:1]]) if str(formula) == "any inputs" else POINTS
    verdict = check(certify(Dataset(inputs), Network("relu", train="both")))
    if not verdict.valid or verdict.conclusion is None:
        return Evidence(None, verdict.reason)
    if "null_rows" in verdict.conclusion:
        return Evidence(False, f"certified: λ_min = 0, null vector on rows {verdict.conclusion['null_rows']}")
    lower = verdict.conclusion["lower"]
    return Evidence(float(lower) > 0, f"certified for three inputs of the plane: λ_min ≥ {float(lower):.6f}")


# The network at initialisation ----------------------------------------------------------------------------------


@lecture.claim(
    "output-scale",
    place="recap",
    says="With standard normal output weights the output has the variance Σ_i ψ(h_i)²/n given the hidden layer.",
    formula=equation(sp.Symbol("Var f"), sp.Sum(psi(h[i, alpha]) ** 2, (i, 1, n)) / n),
)
def _output_scale(formula: Any) -> Evidence:
    net = two_layer()
    variance = gaussian_moment(sp.expand(net.output(1) ** 2), net.weights)
    return identity(formula, {**net.meaning, sp.Symbol("Var f"): variance}, "2 neurons, any ψ")


@lecture.claim(
    "gp-kernel",
    place="exercise 1, underbrace",
    says="The first term of the kernel is the covariance of the outputs over the output weights (GP kernel).",
    formula=equation(sp.Symbol("Cov"), sp.Sum(psi(h[i, alpha]) * psi(h[i, beta]), (i, 1, n)) / n),
)
def _gp_kernel(formula: Any) -> Evidence:
    net = two_layer()
    covariance = gaussian_moment(sp.expand(net.output(1) * net.output(2)), net.weights)
    return identity(formula, {**net.meaning, sp.Symbol("Cov"): covariance}, "2 neurons, any ψ")


variance_of_mean = sp.Symbol("v", positive=True)


@lecture.claim(
    "law-of-large-numbers",
    place="Theorem 1, at t = 0",
    says="At the start the kernel is a mean of n independent terms, of variance v/n → 0: it tends to its expectation.",
    formula=variance_of_mean / n,
    assumes="the terms have a finite variance v",
)
def _law(formula: Any) -> Evidence:
    errors = []
    for neurons in (1, 2, 3):
        terms = sp.symbols(f"z1:{neurons + 1}")
        mean = sum(terms) / neurons
        exact = variance_of_mean * gaussian_moment(mean**2, terms)  # centred terms of variance v
        errors.append(sp.simplify(formula.subs(n, neurons) - exact))
    holds = not any(errors) and sp.limit(formula.subs(variance_of_mean, 1), n, sp.oo) == 0
    return Evidence(holds, f"for 1, 2, 3 neurons the formula errs by {', '.join(map(str, errors))}")


lecture.add(
    "kernel-stays",
    place="Theorem 1, during training",
    says="The kernel stays constant during training: max_t ‖K_t − K_0‖ = O(n^e) with e = −1/2.",
    formula=sp.Rational(-1, 2),
    test=kernel_movement_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    better=sp.Rational(-1),
    assumes="one hidden layer, sin, both layers trained",
    remark="The law of large numbers named as the reason covers t = 0 only: trained neurons are not independent. "
    "Measured, the kernel moves by O(1/n).",
)

# The exercises --------------------------------------------------------------------------------------------------

_first = sp.Sum(psi(h[i, alpha]) * psi(h[i, beta]), (i, 1, n)) / n
_second = sp.Sum(W[i] ** 2 * psi(h[i, alpha], 1) * psi(h[i, beta], 1), (i, 1, n)) * G[alpha, beta] / n
lecture.add(
    "exercise-1",
    place="exercise 1",
    says="The kernel is (1/n)⟨ψ(h^α), ψ(h^β)⟩ + (1/n)⟨diag ψ'(h^α) (x_α W_1)ᵀ, diag ψ'(h^β) (x_β W_1)ᵀ⟩.",
    formula=equation(K[alpha, beta], _first + _second),
    test=_network,
    remark="The second inner product is Frobenius's, of n × n_0 matrices; written out it is the sum below.",
)


def _change(residual: Any) -> Any:
    terms = residual * (T[beta, alpha, s] + T[alpha, beta, s])
    return equation(dK[alpha, beta], -sp.Sum(terms, (s, 1, m)) / m)


lecture.add(
    "exercise-2",
    place="exercise 2",
    says="∂_t K(x^α, x^β) = −(1/m) Σ_γ (f^α − y^α) [∇f^βᵀ ∇²f^α ∇f^γ + ∇f^αᵀ ∇²f^β ∇f^γ].",
    formula=_change(f[alpha] - y[alpha]),
    test=_network,
    verdict=REFUTED,
    better=_change(f[s] - y[s]),
    remark="The residual belongs to the sample that is summed over: f^γ − y^γ.",
)


def _third(first: Any, last: Any) -> Any:
    """Exercise 3 with the inner products of its first and of its last term as given."""
    root = sp.sqrt(n) * n
    from_beta = W[i] * psi(h[i, beta]) * psi(h[i, alpha], 1) * psi(h[i, gamma], 1)
    from_gamma = W[i] * psi(h[i, gamma]) * psi(h[i, alpha], 1) * psi(h[i, beta], 1)
    cubic = W[i] ** 3 * psi(h[i, beta], 1) * psi(h[i, alpha], 2) * psi(h[i, gamma], 1)
    total = first * sp.Sum(from_beta, (i, 1, n)) + G[alpha, beta] * sp.Sum(from_gamma, (i, 1, n))
    return equation(T[beta, alpha, gamma], (total + last * sp.Sum(cubic, (i, 1, n))) / root)


_right = G[alpha, beta] * G[alpha, gamma]
lecture.add(
    "exercise-3",
    place="exercise 3",
    says="∇f^βᵀ ∇²f^α ∇f^γ as three sums over neurons, all with ⟨x^α, x^β⟩, the last with its square.",
    formula=_third(G[alpha, beta], G[alpha, beta] ** 2),
    test=_network,
    verdict=REFUTED,
    better=_third(G[alpha, gamma], _right),
    remark="Two index slips: the first term has ⟨x^α, x^γ⟩, the third ⟨x^α, x^β⟩⟨x^α, x^γ⟩.",
)
lecture.add(
    "exercise-3-first-term",
    place="exercise 3, first term alone",
    says="The same with the last term corrected.",
    formula=_third(G[alpha, beta], _right),
    test=_network,
    verdict=REFUTED,
    better=_third(G[alpha, gamma], _right),
    remark="Each of the two slips alone makes the equation false: this is the first.",
)
lecture.add(
    "exercise-3-third-term",
    place="exercise 3, third term alone",
    says="The same with the first term corrected.",
    formula=_third(G[alpha, gamma], G[alpha, beta] ** 2),
    test=_network,
    verdict=REFUTED,
    better=_third(G[alpha, gamma], _right),
    remark="Each of the two slips alone makes the equation false: this is the second.",
)

exponent = sp.Symbol("e")


@lecture.claim(
    "kernel-derivative-order",
    place="exercise 3, consequence",
    says="∂_t K = O(n^e) with e = −1/2, because the sums over neurons are O(1).",
    formula=sp.Rational(-1, 2),
    better=sp.Rational(-1),
    assumes="at the start, at fixed residual; ψ with finite moments",
    remark="W_i has mean 0 and is independent of h, so the sums, W_i³ among them, are O(n^{-1/2}): ∂_t K = O(1/n).",
)
def _derivative_order(formula: Any) -> Evidence:
    # E T² for odd and even powers of W; ψ-values are free numbers, those of different neurons too
    sizes = []
    for neurons in (1, 2, 3):
        net = two_layer(neurons, 1, 3)
        third = sp.expand((net.gradient(2).T * net.hessian(1) * net.gradient(3))[0])
        sizes.append(gaussian_moment(third**2, net.weights))
    # E T² = (sum over neurons of a square) / n³: n equal terms leave n^-2
    expected = [neurons * sp.Rational(1, neurons**3) for neurons in (1, 2, 3)]
    net = two_layer(1, 1, 3)
    for value, share, neurons in zip(sizes, expected, (1, 2, 3), strict=True):
        wide = two_layer(neurons, 1, 3)
        equal = {row[0]: net.rows[0][0] for row in wide.rows}
        if sp.expand(value.xreplace(equal) - share * sizes[0]) != 0:
            return Evidence(None, "E T² is not n^-2 times that of one neuron")
    holds = bool(2 * formula >= -2)
    return Evidence(holds, "E T² = n^-2 E(W c_1 + W³ c_2)², exactly: T has the order n^-1 and no smaller one")

"""B. Bowman (2023), sections 3 and 4: spectral bias, Mercer, the circle, limitations."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import flint
import sympy as sp

from ntkproof.checker import check
from ntkproof.checker.problem.network import Network
from ntkproof.literature.bowman2023_flow import le
from ntkproof.literature.bowman2023_width import bowman2023
from ntkproof.literature.claim import CERTIFIED, REFUTED, STATISTICAL, SUPPORTED, Evidence
from ntkproof.literature.experiments import aligned_more_often_than
from ntkproof.literature.methods import BITS, enclose, identity, inequality, linear_flow, show
from ntkproof.literature.models import equation
from ntkproof.prover.sphere import certify_sphere

__all__ = ["bowman2023"]  # now complete

t, n, m = sp.symbols("t n m", positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
gap, lam_1 = sp.symbols("g λ_1", nonnegative=True)

# Section 3: the training set ------------------------------------------------------------------------------------

bowman2023.add(
    "linear-flow",
    place="eq. (6)",
    says="∂_t r = −H∞ r has the solution exp(c H∞) r_0, c = −t.",
    formula=-t,
    test=lambda formula: linear_flow(formula, t),
)
lam_i, start = sp.symbols("λ_i ⟨u_i|r_0⟩", real=True)


@bowman2023.claim(
    "directions",
    place="section 3",
    says="Along the eigenvector u_i the residual is e^{−λ_i t} ⟨u_i, r_0⟩.",
    formula=sp.exp(-lam_i * t) * start,
)
def _directions(formula: Any) -> Evidence:
    found = identity(equation(formula.diff(t), -lam_i * formula), {}, "⟨u_i, r⟩' = −λ_i ⟨u_i, r⟩")
    if found.holds and formula.subs(t, 0) != start:
        return Evidence(False, "it is not ⟨u_i, r_0⟩ at t = 0")
    return found


share, diagonal, mean = sp.symbols("C κ a_0", positive=True)
count = sp.Symbol("N", nonnegative=True)


@bowman2023.claim(
    "few-large-eigenvalues",
    place="section 3",
    says="O(1) eigenvalues are of the order of the largest: N = #{i : λ_i ≥ λ_1/C} ≤ C κ/a_0, for every n.",
    formula=le(count, share * diagonal / mean),
    assumes="inputs of norm 1 with K(x, x) = κ, entries of mean at least a_0 > 0 (for σ with E σ ≠ 0, a_0 = (E σ)²)",
)
def _few(formula: Any) -> Evidence:
    # N λ_1/C ≤ tr H = κn and λ_1 ≥ 1ᵀH1/n ≥ a_0 n
    largest = mean * n * (1 + gap)
    meaning = {count: share * (diagonal * n - lam_1) / largest}
    return inequality(formula, meaning, "N λ_1/C ≤ tr H = κn, λ_1 ≥ a_0 n")


# Section 3: Mercer and the circle -------------------------------------------------------------------------------

even = sp.Rational(1, 2) / sp.pi**2 * (1 / (k + 1) ** 2 + 1 / (k - 1) ** 2)


@cache
def _circle(bias: str, highest: int = 12) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Return certified bounds of the eigenvalues on the circle, ReLU, hidden weights trained."""
    verdict = check(certify_sphere(2, Network("relu", train="hidden", bias=bias), max_frequency=highest))
    if not verdict.valid or verdict.conclusion is None:
        raise ValueError(verdict.reason)
    lower, upper = (tuple(map(Fraction, verdict.conclusion[end])) for end in ("lower", "upper"))
    return lower, upper


@bowman2023.claim(
    "circle-eigenvalues",
    place="section 3",
    says="For a shallow ReLU network on the circle the eigenvalue of an even frequency k is the formula.",
    formula=even,
    method=CERTIFIED,
    assumes="hidden weights trained, no bias, uniform distribution; λ_1 = 1/8, other odd ones 0",
)
def _circle_eigenvalues(formula: Any) -> Evidence:
    lower, upper = _circle("0")
    with flint.ctx.workprec(BITS):
        values = {j: enclose(formula.subs(k, j)) for j in range(0, 13, 2)}
        bounds = {j: [flint.arb(flint.fmpq(*end.as_integer_ratio())) for end in (lower[j], upper[j])] for j in values}
        if all(bounds[j][0] <= value <= bounds[j][1] for j, value in values.items()):
            return Evidence(True, "inside the certified interval for k = 0, 2, …, 12")
        outside = [j for j, value in values.items() if value > bounds[j][1] or value < bounds[j][0]]
    return Evidence(False if outside else None, f"outside the certified interval for k = {outside}")


total = sp.Symbol("Σ σ_i φ_i(x)²")


@bowman2023.claim(
    "mercer",
    place="section 3",
    says="Mercer: K∞(x, x') = Σ σ_i φ_i(x) φ_i(x'); on the diagonal of the circle the sum is K∞(x, x) = 1/2.",
    formula=equation(total, sp.Rational(1, 2)),
    assumes="compact domain; ReLU, hidden weights trained; with the eigenvalues of the entry before",
)
def _mercer(formula: Any) -> Evidence:
    j = sp.Symbol("j", integer=True, nonnegative=True)
    odd = sp.summation(1 / (2 * j + 1) ** 2, (j, 0, sp.oo))
    tail = (odd - 1 + odd) / (2 * sp.pi**2)  # Σ over even k ≥ 2 of λ_k
    value = even.subs(k, 0) + 2 * sp.Rational(1, 8) + 2 * tail
    return identity(formula, {total: sp.simplify(value)}, "λ_0 + 2λ_1 + 2 Σ λ_2k, summed exactly")


angle, point = sp.symbols("s θ", real=True)
coefficients = sp.symbols("c_0:3", real=True)
image, factor = sp.symbols("Tφ_k σ_k")


@bowman2023.claim(
    "fourier-basis",
    place="section 3",
    says="On the circle the eigenfunctions are cos kθ, sin kθ: T cos kθ = σ_k cos kθ.",
    formula=equation(image, factor * sp.cos(2 * point)),
    assumes="k = 2, any zonal kernel Σ c_j cos(j(θ − s)), j ≤ 2 (others average to 0)",
)
def _fourier(formula: Any) -> Evidence:
    kernel = sum(c * sp.cos(j * (point - angle)) for j, c in enumerate(coefficients))
    transformed = sp.integrate(sp.expand_trig(kernel) * sp.cos(2 * angle), (angle, 0, 2 * sp.pi)) / (2 * sp.pi)
    return identity(formula, {image: transformed, factor: coefficients[2] / 2}, "c_2/2 is the eigenvalue")


@bowman2023.claim(
    "low-frequencies",
    place="section 3",
    says="For d = 2 and shallow ReLU networks the large eigenvalues belong to the low frequencies: σ_k > σ_{k+1}.",
    formula=sp.Integer(0),
    method=CERTIFIED,
    verdict=REFUTED,
    better=sp.Integer(1),
    assumes="hidden weights trained, k < 12; the formula is the bias β",
    remark="Without a bias σ_0 = 1/π² < σ_1 = 1/8, and σ_3 = σ_5 = … = 0 < σ_4: these are not learned at all. "
    "With a bias the order holds.",
)
def _low(formula: Any) -> Evidence:
    lower, upper = _circle(str(formula))
    wrong = [j for j in range(12) if upper[j] < lower[j + 1]]
    right = [j for j in range(12) if lower[j] > upper[j + 1]]
    if wrong:
        return Evidence(False, f"certified: σ_k < σ_{{k+1}} for k = {', '.join(map(str, wrong))}")
    return Evidence(True if len(right) == 12 else None, "certified: σ_0 > σ_1 > … > σ_12")


@bowman2023.claim(
    "gram-to-operator",
    place="before eq. (7)",
    says="In the limit of infinite data the matrix c H∞ converges to T, c = 1.",
    formula=sp.Integer(1),
    verdict=REFUTED,
    better=1 / n,
    remark="H∞/n does: the eigenvalues of H∞ grow like n. As the loss is a sum over the data, the residual decays like "
    "e^{−n σ_i t}; (7) and (8) hold for the mean loss, or with time in units of 1/n.",
)
def _gram(formula: Any) -> Evidence:
    c_0, c_1 = sp.symbols("c_0 c_1", positive=True)
    for size in (3, 5, 8):  # equispaced points; eigenvalue of the vector cos θ_j for the kernel c_0 + c_1 cos
        angles = [2 * sp.pi * j / size for j in range(size)]
        eigenvalue = sum((c_0 + c_1 * sp.cos(a)) * sp.cos(a) for a in angles)
        if sp.simplify(eigenvalue - size * c_1 / 2) != 0:
            return Evidence(None, "the eigenvalue of the Gram matrix is not n σ_1")
    limit = sp.limit(formula * n * c_1 / 2, n, sp.oo)
    return Evidence(limit == c_1 / 2, f"equispaced points: c · n σ_1 → {show(limit)}, and σ_1 = c_1/2")


sigma_i = sp.Symbol("σ_i", positive=True)
bowman2023.add(
    "eigenfunctions",
    place="eqs. (7), (8)",
    says="Under r_t = exp(−T t) r_0 the component along φ_i decays like e^{c σ_i}, c = −t.",
    formula=-t,
    test=lambda formula: linear_flow(formula, t),
    assumes="(7), which is about the mean loss",
)

# Section 4 ------------------------------------------------------------------------------------------------------

layers = sp.Symbol("L", positive=True)
ratio = sp.Symbol("c", positive=True)


@bowman2023.claim(
    "depth-with-width",
    place="section 4",
    says="The limit breaks down when depth grows with width: E‖x^L‖⁴/(E‖x^L‖²)² does not tend to 1 for L = c n.",
    formula=(1 + 5 / n) ** layers,
    assumes="ReLU, He scaling, equal widths n, no bias",
)
def _depth(formula: Any) -> Evidence:
    # one layer, ‖x‖ = 1: ‖x'‖² = (1/n) Σ q_i, q_i = 2 relu(Z_i)² with E q = 1, E q² = 2²·3/2 = 6
    for width in (1, 2, 3):
        exact = sp.Rational(6 * width + width * (width - 1), width**2)
        if sp.simplify(formula.subs({n: width, layers: 1}) - exact) != 0:
            return Evidence(False, f"one layer of {width} neurons has the ratio {exact}")
    limit = sp.limit(formula.subs(layers, ratio * n), n, sp.oo)
    return Evidence(bool(limit != 1), f"exact for one layer of 1, 2, 3 neurons; the limit for L = cn is {show(limit)}")


@bowman2023.claim(
    "learning-rate",
    place="section 4",
    says="Moderate rates behave differently: at η = 3/λ_0 linearised training diverges, the network's does not.",
    formula=sp.Integer(3),
    method=CERTIFIED,
    assumes="f = m^{−1/2} Σ a_r w_r, m = 64, target 0 (Lewkowycz et al.); 200 steps in Arb balls; the formula is ηλ_0",
)
def _catapult(formula: Any) -> Evidence:
    width = 64
    with flint.ctx.workprec(4 * BITS):
        f, curvature = flint.arb(1), flint.arb(2)
        start, eta = curvature, enclose(formula) / curvature
        linear = abs(1 - eta * start)
        peak = f
        for _ in range(200):
            # exact recursions of gradient descent on ½f² for (f, λ), λ = (‖a‖² + ‖w‖²)/m
            square = f * f
            f, curvature = (
                f * (1 - eta * curvature + eta**2 * square / width),
                curvature + eta * square / width * (eta * curvature - 4),
            )
            peak = peak.max(abs(f))
        differs = linear > 1 and abs(f) < flint.arb("1e-6") and curvature * eta < 2
        same = linear < 1 or abs(f) > 1
        ends = [float(x.mid()) for x in (linear, peak, abs(f), curvature * eta)]
    text = "|1 − ηλ_0| = {:.3g}; |f| rises to {:.3g} and falls to {:.1e}, ηλ to {:.3g}".format(*ends)
    return Evidence(True if differs else False if same else None, text)


bowman2023.add(
    "adapts-to-target",
    place="section 4",
    says="At finite width the kernel turns to the target: yᵀHy/‖H‖ grows in more than this share of networks.",
    formula=sp.Rational(1, 2),
    test=aligned_more_often_than,
    method=STATISTICAL,
    verdict=SUPPORTED,
    assumes="one hidden layer of 64 neurons, sin, three samples",
)
bowman2023.outside(
    "first-approximation",
    "section 4",
    "Infinite-width networks serve well as a first approximation of the average behaviour of finite ones.",
    "a judgement about experiments on benchmarks, without a quantity to test",
)

"""B. Bowman (2023), sections 1 and 2.1: gradient flow; long: the claims of one part of a document.

The document is "A Brief Introduction to the Neural Tangent Kernel".
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from ntkproof.literature.claim import REFUTED, Document, Evidence, Registry
from ntkproof.literature.methods import identity, inequality, show, sign
from ntkproof.literature.models import (
    GenericFlow,
    H,
    J,
    column,
    equation,
    g,
    gaussian_moment,
    generic_flow,
    m,
    n,
    number,
    r,
    v,
)

bowman2023 = Registry(
    Document("bowman2023", "B. Bowman, A Brief Introduction to the Neural Tangent Kernel (thesis excerpt, May 2023)")
)

t, lam, c, a, b = sp.symbols("t λ c α β", positive=True)
less = sp.Symbol("g", nonnegative=True)  # a gap: λ_max = λ_min + g
GENERIC = "any network and point: its 1-jet is free"


def ge(left: Any, right: Any) -> Any:
    """Return ``left ≥ right``, unevaluated."""
    return sp.Ge(left, right, evaluate=False)


def le(left: Any, right: Any) -> Any:
    """Return ``left ≤ right``, unevaluated."""
    return sp.Le(left, right, evaluate=False)


def along(flow: GenericFlow) -> Any:
    """Return the test of an identity about this flow."""
    return lambda formula: identity(formula, flow.meaning, GENERIC)


# Section 1 ------------------------------------------------------------------------------------------------------

order = sp.Symbol("k", integer=True, positive=True)
cumulant = sp.Symbol("κ_k", positive=True)


@bowman2023.claim(
    "gaussian-process",
    place="section 1",
    says="Outputs converge to a Gaussian process: the k-th cumulant of f(x) is κ_k m^{1−k/2}, κ_k that of one neuron.",
    formula=cumulant * m ** (1 - order / 2),
    assumes="one hidden layer, independent neurons with all moments",
)
def _cumulants(formula: Any) -> Evidence:
    # fourth cumulant of m^{-1/2} Σ a_r s_r, a_r standard normal, s_r² any number of mean p and second moment q
    p, q = sp.symbols("p q", positive=True)
    for neurons in (1, 2, 3):
        weights = sp.symbols(f"a1:{neurons + 1}")
        features = sp.symbols(f"s1:{neurons + 1}")
        output = sum(x * y for x, y in zip(weights, features, strict=True)) / sp.sqrt(neurons)
        fourth, second = (_feature_mean(gaussian_moment(output**j, weights), features, p, q) for j in (4, 2))
        exact = sp.expand(fourth - 3 * second**2)
        claimed = formula.subs({m: neurons, order: 4, cumulant: 3 * q - 3 * p**2})
        if sp.expand(exact - claimed) != 0:
            return Evidence(False, f"with {neurons} neurons the fourth cumulant is {show(exact)}")
    limits = [sp.limit(formula.subs({order: j, cumulant: 1}), m, sp.oo) for j in (3, 4, 5)]
    return Evidence(not any(limits), "exact for k = 4 and 1, 2, 3 neurons; the limit is 0 for k > 2")


def _feature_mean(expression: Any, features: Any, p: Any, q: Any) -> Any:
    """Return the mean over independent features with ``E s² = p``, ``E s⁴ = q``."""
    total = sp.S.Zero
    for powers, coefficient in sp.Poly(expression, *features).terms():
        total += coefficient * sp.prod([{0: 1, 2: p, 4: q}[power] for power in powers])
    return total


norm = sp.Symbol("c", positive=True)


@bowman2023.claim(
    "vacuous-complexity",
    place="section 1",
    says="A class that interpolates all labels has a vacuous (≥ 1) Rademacher bound.",
    formula=sp.oo,
    verdict=REFUTED,
    better=1,
    remark="True of the class without a norm. The ball ‖f‖ ≤ B that holds the interpolant has the complexity bound "
    "B √tr H / n, which tends to 0 for H = I + c 11ᵀ and labels y = 1, though H > 0 interpolates all labels. "
    "The formula is the radius of the class in units of √(yᵀH⁻¹y).",
)
def _vacuous(formula: Any) -> Any:
    if formula == sp.oo:
        bound = sp.oo
    else:
        needed = n / (1 + norm * n)  # yᵀ H⁻¹ y for y = 1: H 1 = (1 + cn) 1
        for size in (2, 3):
            matrix = sp.eye(size) + norm * sp.ones(size, size)
            exact = (sp.ones(1, size) * matrix.inv() * sp.ones(size, 1))[0]
            if sp.simplify(exact - needed.subs(n, size)) != 0:
                return Evidence(None, "yᵀH⁻¹y is not n/(1 + cn)")
        bound = sp.limit((formula * sp.sqrt(needed * n * (1 + norm)) / n).subs(norm, 1), n, sp.oo)
    if bound == 0:
        return Evidence(True, "H = I + 11ᵀ, y = 1: the bound is √(2/(1 + n)) → 0 and the interpolant is in the class")
    return Evidence(False, "a class of unbounded norm contains every labelling: its complexity is that of all signs")


bowman2023.outside(
    "vc-dimension",
    "section 1",
    "The VC dimension of typical networks grows at least linearly with the number of parameters.",
    "about classification and combinatorics, cited; nothing in the NTK theory rests on it",
)

# Section 2.1: nonconvexity --------------------------------------------------------------------------------------

w_1, w_2, x = sp.symbols("w_1 w_2 x", real=True)


@bowman2023.claim(
    "nonconvex",
    place="section 2.1",
    says="Even for a deep linear network f = w_2 w_1 x the squared loss is not convex in the parameters.",
    formula=w_2 * w_1 * x,
)
def _nonconvex(formula: Any) -> Evidence:
    hessian = sp.hessian((formula - 1) ** 2 / 2, (w_1, w_2)).subs({w_1: 0, w_2: 0, x: 1})
    negative = [value for value in hessian.eigenvals() if value < 0]
    return Evidence(bool(negative), f"the Hessian at 0 for x = y = 1 has the eigenvalues {sorted(hessian.eigenvals())}")


step = sp.Symbol("h", positive=True)


@bowman2023.claim(
    "relu-gradient",
    place="section 2.1",
    says="With ReLU the gradient of the loss is not Lipschitz.",
    formula=sp.Max(w_1, 0),
)
def _relu_gradient(formula: Any) -> Evidence:
    right, left = (sp.diff((formula.subs(w_1, side * step) - 1) ** 2 / 2, step) * side for side in (1, -1))
    slope = sp.limit(sp.Abs(sp.simplify(right.doit() - left.doit())) / (2 * step), step, 0, "+")
    return Evidence(slope == sp.oo, f"L = ½(σ(w) − 1)²: |L'(h) − L'(−h)|/(2h) → {show(slope)} as h → 0")


# The chain rule -------------------------------------------------------------------------------------------------

bowman2023.add(
    "gradient",
    place="section 2.1",
    says="∂_θ L = Jᵀ r.",
    formula=equation(sp.MatrixSymbol("(∂_θ L)", 3, 1), J.T * r),
    test=along(generic_flow()),
)
bowman2023.add(
    "residual-ode",
    place="section 2.1",
    says="∂_t r = −J Jᵀ r = −H r.",
    formula=equation(column("∂_t r"), -J * J.T * r),
    test=along(generic_flow()),
)
bowman2023.add(
    "loss-ode",
    place="section 2.1",
    says="∂_t L = −rᵀ H r.",
    formula=equation(number("∂_t L"), -r.T * H * r),
    test=along(generic_flow()),
)
bowman2023.add(
    "loss-is-half-square",
    place="section 2.1",
    says="2 L = ‖r‖².",
    formula=equation(number("2 L"), r.T * r),
    test=along(generic_flow()),
)
bowman2023.add(
    "positive-semidefinite",
    place="section 2.1",
    says="The Gram matrix H is positive semidefinite: vᵀHv = ‖Jᵀv‖².",
    formula=equation(v.T * H * v, (J.T * v).T * (J.T * v)),
    test=lambda formula: identity(formula, {**generic_flow().meaning, v: sp.Matrix(sp.symbols("v1:3", real=True))}),
)
bowman2023.add(
    "general-loss-ode",
    place="section 2.1",
    says="For a general loss ∂_t L = −(∂_u L)ᵀ H ∂_u L.",
    formula=equation(number("∂_t L"), -g.T * H * g),
    test=along(generic_flow(False)),
)
bowman2023.add(
    "energy",
    place="section 2.1",
    says="∂_t L = −‖∂_θ L‖².",
    formula=equation(number("∂_t L"), -sp.MatrixSymbol("(∂_θ L)", 3, 1).T * sp.MatrixSymbol("(∂_θ L)", 3, 1)),
    test=along(generic_flow(False)),
)

# The inequalities -----------------------------------------------------------------------------------------------

r_1, r_2 = sp.symbols("r_1 r_2", real=True)
form, square, loss, dL, gradient = sp.symbols("rᵀHr ‖r‖² L ∂_tL ‖∂_uL‖²", real=True)
EIGENBASIS = {
    square: r_1**2 + r_2**2,
    form: lam * r_1**2 + (lam + less) * r_2**2,
    dL: -lam * r_1**2 - (lam + less) * r_2**2,
    loss: (r_1**2 + r_2**2) / 2,
    gradient: r_1**2 + r_2**2,
}


def _eigenbasis(formula: Any) -> Evidence:
    return inequality(formula, EIGENBASIS, "in the eigenbasis of H, eigenvalues λ and λ + g")


bowman2023.add(
    "polyak-lojasiewicz",
    place="section 2.1",
    says="∂_t L ≤ −λ_min(H) ‖r‖² = −2 λ_min(H) L.",
    formula=le(dL, -2 * lam * loss),
    test=_eigenbasis,
)
bowman2023.add(
    "general-loss-decay",
    place="section 2.1",
    says="For a general loss ∂_t L ≤ −λ_min(H) ‖∂_u L‖².",
    formula=le(dL, -lam * gradient),
    test=_eigenbasis,
)
time, rate_0, rate_1 = sp.symbols("s a_0 a_1", positive=True)
integral = sp.Symbol("∫λ_min", positive=True)


@bowman2023.claim(
    "groenwall",
    place="section 2.1",
    says="Grönwall: L(t) ≤ L(0) exp(−2 ∫_0^t λ_min(H_s) ds).",
    formula=-2 * integral,
)
def _groenwall(formula: Any) -> Evidence:
    # L' = −2(λ(t) + g) L with λ(t) = a_0 + a_1 t; the bound holds for all such L iff its logarithm is the larger
    path = rate_0 * t + rate_1 * t**2 / 2
    logarithm = -2 * (path + less * t)  # of L(t)/L(0)
    return inequality(ge(formula.subs(integral, path) - logarithm, 0), {}, "log of bound minus log of solution")


bowman2023.add(
    "exponential-decay",
    place="eq. (1)",
    says="If 2 λ_min(H_t) ≥ c for all t, then L(t) ≤ L(0) e^{−ct}.",
    formula=ge(-c * t, -2 * lam * t),
    test=lambda formula: inequality(formula, {lam: c / 2 + less}, "logarithms of both sides, 2λ = c + 2g"),
)

# General losses -------------------------------------------------------------------------------------------------

least_gradient, gap = (sp.Symbol(name, nonnegative=True) for name in ("min‖∂_uL‖²", "(L(0) - inf L)"))
bowman2023.add(
    "gradient-vanishes",
    place="section 2.1",
    says="If L is bounded below, liminf ‖∂_u L‖² = 0: min_{s ≤ t} ‖∂_u L‖² ≤ (L(0) − inf L)/(c t).",
    formula=le(least_gradient, gap / (c * t)),
    test=lambda formula: inequality(formula, {gap: c * t * least_gradient + less}, "∫ c ‖∂_u L‖² ≤ L(0) − inf L"),
)
distance, slope, pairing = sp.symbols("‖u-u*‖ ‖∇L‖ ⟨u-u*|∇L⟩", nonnegative=True)


@bowman2023.claim(
    "strong-convexity",
    place="section 2.1",
    says="If L is α-strongly convex in u, ‖∇_u L(u)‖ ≥ α ‖u − u*‖.",
    formula=ge(slope, a * distance),
)
def _strong(formula: Any) -> Evidence:
    # ⟨u−u*, ∇L⟩ ≥ α‖u−u*‖² and Cauchy–Schwarz; where u ≠ u* the slope is at least pairing/distance
    positive = sp.Symbol("‖u-u*‖", positive=True)
    meaning = {distance: positive, slope: (a * positive**2 + less) / positive}
    return inequality(formula, meaning, "α‖u−u*‖² ≤ ⟨u−u*, ∇L⟩ ≤ ‖u−u*‖ ‖∇L‖")


bowman2023.add(
    "unique-minimum",
    place="section 2.1",
    says="If L is strongly convex in u, its global minimum is unique: α ‖u − u'‖² ≤ 0 for two of them.",
    formula=le(a * distance**2, pairing),
    test=lambda formula: inequality(formula, {pairing: a * distance**2 + less}, "both gradients vanish, so u = u'"),
)
excess = sp.Symbol("(L-L*)", positive=True)
theta_slope, sigma = sp.symbols("‖∂_θL‖ σ_min", nonnegative=True)


@bowman2023.claim(
    "pl-in-parameters",
    place="eq. (2) and after",
    says="α|L − L*|^β ≤ ‖∇_u L‖ and λ_min(H) ≥ c give ‖∂_θ L‖ ≥ α c^{1/2} |L − L*|^β.",
    formula=a * sp.sqrt(c) * excess**b,
)
def _pl(formula: Any) -> Evidence:
    smallest = sp.sqrt(c) * a * excess**b  # of σ_min ‖∂_u L‖ over σ_min ≥ √c, ‖∂_u L‖ ≥ α (L − L*)^β
    ratio = sp.simplify(formula / smallest)
    return inequality(le(ratio, 1), {}, "quotient with σ_min ‖∂_u L‖ at its smallest")


sing, wide = sp.symbols("σ_min(J)² λ_min(H)", nonnegative=True)


@bowman2023.claim(
    "singular-value",
    place="sections 2.1, 2.2",
    says="λ_min(H) is the square of the smallest singular value of the n × p Jacobian, for all p.",
    formula=ge(sp.Symbol("p"), 1),
    verdict=REFUTED,
    better=ge(sp.Symbol("p"), 2),
    assumes="n = 2",
    remark="With fewer parameters than samples H is singular, whatever the singular values of J: p ≥ n is needed. "
    "The formula is the range of p.",
)
def _singular(formula: Any) -> Evidence:
    columns = {1: sp.Matrix([1, 1]), 2: sp.Matrix([[1, 2], [0, 1]]), 3: sp.Matrix([[1, 2, 0], [0, 1, 1]])}
    for p, matrix in columns.items():
        if not formula.subs(sp.Symbol("p"), p):
            continue
        smallest = min((matrix.T * matrix).eigenvals() if p < 2 else (matrix * matrix.T).eigenvals(), key=sp.N)
        eigenvalue = min((matrix * matrix.T).eigenvals(), key=sp.N)
        if sp.simplify(smallest - eigenvalue) != 0:
            return Evidence(False, f"J = (1, 1)ᵀ: σ_min² = {smallest}, λ_min(JJᵀ) = {eigenvalue}")
    return Evidence(True, "for p ≥ n the squares of the n singular values are the eigenvalues of JJᵀ, by definition")


ode_time, initial, speed = sp.symbols("t E_0 k", positive=True)
power = sp.Symbol("β", positive=True)


@bowman2023.claim(
    "pl-is-enough",
    place="section 2.1",
    says="The inequality (2) gives L(u_t) → L* for every exponent β > 0.",
    formula=(sp.Rational(1, 4), sp.Rational(1, 2), sp.Rational(1), sp.Rational(2)),
    assumes="L* attained; the formula lists the exponents tried, one of every case of the comparison equation",
    remark="The loss converges; the parameters need not: their path is at most (L(0) − L*)^{1−β}/((1 − β) α √c), "
    "finite for β < 1 only.",
)
def _pl_enough(formula: Any) -> Evidence:
    # E' = −k E^{2β}: E^{1−2β} = E_0^{1−2β} − (1 − 2β) k t
    for beta in formula:
        if beta == sp.Rational(1, 2):
            solution = initial * sp.exp(-speed * ode_time)
        else:
            solution = (initial ** (1 - 2 * beta) - (1 - 2 * beta) * speed * ode_time) ** (1 / (1 - 2 * beta))
        defect = solution.diff(ode_time) + speed * solution ** (2 * beta)
        if sp.simplify(defect.subs({initial: 2, speed: 1, ode_time: sp.Rational(1, 5)})) != 0:
            return Evidence(None, f"not the solution for β = {beta}")
        if beta >= sp.Rational(1, 2):
            end = sp.limit(solution.subs({initial: 1, speed: 1}), ode_time, sp.oo)
        else:  # zero at a finite time
            zero = initial ** (1 - 2 * beta) / ((1 - 2 * beta) * speed)
            end = sp.simplify(solution.subs(ode_time, zero))
        if end != 0 or beta <= 0:
            return Evidence(False, f"for β = {beta} the comparison equation tends to {end}")
    return Evidence(True, "E' = −kE^{2β} reaches 0: in finite time, exponentially or like t^{1/(1−2β)}")


eta, ell, mu = sp.symbols("η ℓ μ", positive=True)
factor = 1 - eta * mu * (1 - eta * ell / 2)


@bowman2023.claim(
    "descent",
    place="section 2.1",
    says="With an ℓ-Lipschitz gradient and μ(L − L*) ≤ ‖∂_θ L‖², descent with any constant step η converges.",
    formula=sp.oo,
    verdict=REFUTED,
    better=2 / ell,
    remark="The step must be below 2/ℓ; then L − L* shrinks by 1 − ημ(1 − ηℓ/2) a step, and by (1 − ηℓ)² exactly for "
    "L = ½ℓθ². The formula is the supremum of the steps.",
)
def _descent(formula: Any) -> Evidence:
    quadratic = (1 - eta * ell) ** 2  # L = ½ℓθ², μ = 2ℓ
    if sp.expand(quadratic - factor.subs(mu, 2 * ell)) != 0:
        return Evidence(None, "the factor of a quadratic is not the one of the descent lemma")
    tried = [sp.Rational(9, 10) * formula if formula != sp.oo else 3 / ell]
    growth = sp.simplify(quadratic.subs(eta, tried[0]))
    if sign(growth - 1) != -1:
        return Evidence(False, f"L = ½ℓθ² with the step {show(tried[0])} grows by the factor {growth} a step")
    share = sp.Symbol("s", positive=True)  # η = (2/ℓ) s/(1 + s) runs through all steps below 2/ℓ
    decay = (1 - factor).subs(eta, formula * share / (1 + share))
    return inequality(sp.Gt(sp.factor(decay), 0, evaluate=False), {}, "descent lemma, every step below")


# Section 2.2, first part ----------------------------------------------------------------------------------------

bowman2023.add(
    "gradient-bound",
    place="section 2.2",
    says="‖∂_θ L‖² ≥ σ_min(J)² · 2 L: where σ_min > 0 every critical point is a global minimum.",
    formula=ge(form, 2 * lam * loss),
    test=_eigenbasis,
    remark="‖∂_θ L‖² = rᵀHr.",
)


@bowman2023.claim(
    "saddles",
    place="section 2.2",
    says="Networks have spurious critical points: θ = 0 is one of f = w_2 w_1 x, and no minimum.",
    formula=w_2 * w_1 * x,
)
def _saddles(formula: Any) -> Evidence:
    total = (formula - 1) ** 2 / 2
    here = {w_1: 0, w_2: 0, x: 1}
    critical = all(total.diff(w).subs(here) == 0 for w in (w_1, w_2))
    return Evidence(bool(critical and total.subs(here) > 0), f"∇L(0) = 0 and L(0) = {total.subs(here)} > 0 = inf L")

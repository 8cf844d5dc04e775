"""A post of the series "Mathematics of Data" (EE-556, EPFL) on the NTK; long: the claims of one document.

Its displayed formulas are missing in the text at hand; a formula below is the one that the words around it describe.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
import sympy as sp

from ntkproof.checker import check
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.gram import enclose_gram
from ntkproof.literature.bowman2023_flow import le
from ntkproof.literature.claim import CERTIFIED, REFUTED, STATISTICAL, SUPPORTED, Document, Evidence, Registry
from ntkproof.literature.experiments import initial_deviation_exponent, kernel_movement_exponent
from ntkproof.literature.methods import BITS, enclose, identity, inequality, linear_flow, show, sign
from ntkproof.literature.models import (
    H,
    J,
    K,
    alpha,
    beta,
    column,
    equation,
    gaussian_moment,
    generic_flow,
    psi,
    r,
    two_layer,
    v,
)
from ntkproof.literature.note import VALUES, Kt, f_end, f_start, kappa, y_0, y_star
from ntkproof.theorems.certify import certify_convergence

post = Registry(
    Document(
        "post",
        '"Mathematics of Data", notes on EE-556 (EPFL): post on the Neural Tangent Kernel (its displayed formulas are '
        "missing in the text at hand; those here are what the words around them describe)",
    )
)

t, n, c, lam, x, w, a = sp.symbols("t n c λ x w a", positive=True)
gap = sp.Symbol("g", nonnegative=True)
GENERIC = "any network and point: its 1-jet is free"

# The landscape --------------------------------------------------------------------------------------------------


@post.claim(
    "rescaling",
    place="introduction",
    says="Scaling w → c w, a → a/c preserves a two-layer network, but not the geometry.",
    formula=(c * w, a / c),
    assumes="ReLU (positively homogeneous), c > 0; the geometry is the tangent kernel",
    remark="For other activations, tanh for one, it does not preserve the network.",
)
def _rescaling(formula: Any) -> Evidence:
    def output(weights: Any) -> Any:
        return weights[1] * sp.Max(weights[0], 0) * x  # x > 0: σ(wx) = x σ(w)

    before, after = sp.simplify(output((w, a))), sp.simplify(output(formula))
    if sp.simplify(before - after) != 0:
        return Evidence(False, f"a σ(wx) becomes {show(after)}")
    kernels = [
        sum((a * w * x).diff(p) ** 2 for p in (a, w)).subs({w: u, a: s}, simultaneous=True)
        for u, s in ((w, a), formula)
    ]
    return Evidence(sp.simplify(kernels[0] - kernels[1]) != 0, f"f is the same, K(x, x) = {show(kernels[1])} is not")


theta_1, theta_2 = sp.symbols("θ_1 θ_2", real=True)


@post.claim(
    "linear-models-are-convex",
    place="Why it works",
    says="If f is linear in θ the squared loss is convex: its Hessian is JᵀJ, of determinant ≥ 0 and trace ≥ 0.",
    formula=sp.Integer(1),
    assumes="the formula is the degree of f in θ",
)
def _convex(formula: Any) -> Evidence:
    b_1, b_2, y = sp.symbols("b_1 b_2 y", real=True)
    loss = ((b_1 * theta_1 + b_2 * theta_2) ** formula - y) ** 2 / 2
    hessian = sp.hessian(loss, (theta_1, theta_2))
    trace, det = sp.factor(hessian.trace()), sp.factor(hessian.det())
    if trace.is_nonnegative and det.is_nonnegative:
        return Evidence(True, f"trace {show(trace)}, determinant {show(det)}")
    point = {b_1: 1, b_2: 0, theta_1: 0, theta_2: 0, y: 1}
    return Evidence(False if sign(trace.subs(point)) == -1 else None, "the trace is negative at θ = 0, y = 1")


radius = sp.Symbol("R", positive=True)


@post.claim(
    "convex-at-infinite-width",
    place="introduction",
    says="In the limit of infinite width the loss landscape becomes convex (within a distance given by the formula).",
    formula=sp.oo,
    verdict=REFUTED,
    better=radius,
    assumes="one hidden layer, n neurons; the refutation: σ odd",
    remark="In function space it is convex at every width, in the parameters at none: θ and −θ are equal networks with "
    "the zero network between. Within a fixed distance R the defect of convexity is O(R²‖∇²f‖) = O(R² n^{−1/2}).",
)
def _landscape(formula: Any) -> Evidence:
    if bool(sp.limit(formula**2 / sp.sqrt(n), n, sp.oo) == 0):
        return Evidence(True, "R²‖∇²f‖ → 0, ‖∇²f‖ by the next entry")
    for neurons in (1, 2, 3):  # σ(z) = z³ stands for an odd activation
        weights, values = (sp.symbols(f"{name}1:{neurons + 1}") for name in "wa")
        f = sum(q * p**3 for p, q in zip(weights, values, strict=True)) / sp.sqrt(neurons)
        mirrored = f.subs({s: -s for s in (*weights, *values)}, simultaneous=True)
        if sp.expand(f - mirrored) != 0 or f.subs(dict.fromkeys((*weights, *values), 0)) != 0:
            return Evidence(None, "θ and −θ are not equal networks")
    return Evidence(False, "f(θ) = f(−θ) = y and f(0) = 0: L is 0 at both and y²/2 between them, at every width")


block = sp.Symbol("‖∇²f‖²", nonnegative=True)


@post.claim(
    "linearisation",
    place="Why it works",
    says="As the width grows the linearisation becomes exact: the Hessian of one neuron has the squared norm at most "
    "(B_1²x² · 2 + W²B_2²x⁴)/n → 0.",
    formula=le(block, (2 * sp.Symbol("B_1") ** 2 * x**2 + sp.Symbol("W") ** 2 * sp.Symbol("B_2") ** 2 * x**4) / n),
    assumes="one input x; |σ'| ≤ B_1, |σ''| ≤ B_2; ∇²f is block diagonal over neurons",
)
def _linearisation(formula: Any) -> Evidence:
    net = two_layer(1, 1, 1)
    hessian = net.hessian(1)
    point, weight = net.points[0][0], net.weights[0]
    slope, curve = psi(net.preactivation(1, 1), 1), psi(net.preactivation(1, 1), 2)
    frobenius = sp.expand(sum(entry**2 for entry in hessian))
    if sp.expand(frobenius - (2 * slope**2 * point**2 + weight**2 * curve**2 * point**4)) != 0:
        return Evidence(None, "the Hessian of one neuron")
    p, q = sp.symbols("|σ'| |σ''|", nonnegative=True)
    first, second, bound = sp.symbols("B_1 B_2 W")
    meaning = {block: (2 * p**2 * x**2 + bound**2 * q**2 * x**4) / n, first: p + gap, second: q + gap}
    meaning[bound] = sp.Symbol("W", nonnegative=True)
    meaning[block] = meaning[block].subs(bound, meaning[bound])
    return inequality(formula, meaning, "exact Frobenius norm of the Hessian of one neuron, times 1/n")


@post.claim(
    "weight-contribution",
    place="Why it works",
    says="Each weight has a gradient of the order n^{−1/2}: the gradient in w_i is n^{−1/2} W_i ψ'(w_i·x) x.",
    formula=sp.Symbol("W") * psi(sp.Symbol("z"), 1) * x / sp.sqrt(n),
)
def _contribution(formula: Any) -> Evidence:
    for neurons in (1, 2, 3):
        net = two_layer(neurons, 1, 1)
        exact = net.output(1).diff(net.rows[0][0])
        values = {sp.Symbol("W"): net.weights[0], sp.Symbol("z"): net.preactivation(1, 1), x: net.points[0][0]}
        found = identity(equation(exact, formula.subs(n, neurons).xreplace(values)), {}, "1, 2, 3 neurons, any ψ")
        if not found.holds:
            return found
    return found


# The kernel -----------------------------------------------------------------------------------------------------

post.add(
    "symmetric",
    place="Definition",
    says="The tangent kernel is symmetric.",
    formula=equation(K[alpha, beta], K[beta, alpha]),
    test=lambda formula: identity(formula, two_layer().meaning, "two neurons, any ψ"),
)
post.add(
    "positive-semidefinite",
    place="Definition",
    says="It is positive semidefinite: vᵀHv = ‖Jᵀv‖².",
    formula=equation(v.T * H * v, (J.T * v).T * (J.T * v)),
    test=lambda formula: identity(formula, {**generic_flow().meaning, v: sp.Matrix(sp.symbols("v1:3", real=True))}),
)
post.add(
    "deterministic",
    place="Two remarkable things, 1",
    says="K becomes deterministic at initialisation by the law of large numbers: it is off by the order n^e, e = −1/2.",
    formula=sp.Rational(-1, 2),
    test=initial_deviation_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    assumes="one hidden layer, sin; limit certified",
)
post.add(
    "constant",
    place="Two remarkable things, 2",
    says="K stays constant during training: it moves by O(n^e), e = −1/2.",
    formula=sp.Rational(-1, 2),
    test=kernel_movement_exponent,
    method=STATISTICAL,
    verdict=SUPPORTED,
    better=sp.Rational(-1),
    assumes="one hidden layer, sin, T = 4",
)

# Training -------------------------------------------------------------------------------------------------------

post.add(
    "residual-ode",
    place="gradient flow",
    says="The residual obeys r' = −K r.",
    formula=equation(column("∂_t r"), -H * r),
    test=lambda formula: identity(formula, generic_flow().meaning, GENERIC),
    assumes="loss ½‖f − y‖²",
)
post.add(
    "solution",
    place="gradient flow",
    says="With constant K the residual is exp(c K) r_0, c = −t.",
    formula=-t,
    test=lambda formula: linear_flow(formula, t),
)
size = sp.Symbol("log(‖r_t‖/‖r_0‖)", real=True)
post.add(
    "linear-rate",
    place="key result",
    says="If K > 0 the residual decays at a rate given by its smallest eigenvalue: log(‖r_t‖/‖r_0‖) ≤ −λ_min t.",
    formula=le(size, -lam * t),
    test=lambda formula: inequality(formula, {size: -(lam + gap) * t}, "each direction decays like e^{−(λ_min + g)t}"),
)
post.add(
    "kernel-regression",
    place="main theorem",
    says="Training reduces to kernel regression with K: the limit is κᵀK⁻¹y.",
    formula=equation(f_end, kappa.T * Kt.inv() * y_star),
    test=lambda formula: identity(
        formula,
        {**VALUES, f_end: VALUES[f_start] + VALUES[kappa].T * VALUES[Kt].inv() * (VALUES[y_star] - VALUES[y_0])},
        "two samples, every K > 0; the exact limit is note.end-of-training",
    ),
    verdict=REFUTED,
    better=equation(f_end, kappa.T * Kt.inv() * y_star + f_start - kappa.T * Kt.inv() * y_0),
    remark="The network at the start adds f_0(x) − κᵀK⁻¹f_0(X), which is of order one: the solution is not unique. "
    "True if f_0 = 0, as for an antisymmetric start.",
)
component = sp.Symbol("y_i", real=True)


@post.claim(
    "spectral-filter",
    place="Generalization",
    says="After time T the i-th component of the learned function is (1 − e^{−λ_i T}) y_i.",
    formula=(1 - sp.exp(-lam * t)) * component,
    assumes="f_0 = 0",
)
def _filter(formula: Any) -> Evidence:
    if formula.subs(t, 0) != 0:
        return Evidence(False, "it is not 0 at time 0")
    return identity(equation(formula.diff(t), lam * (component - formula)), {}, "f_i' = λ_i (y_i − f_i), f_i(0) = 0")


@post.claim(
    "time-scale",
    place="Convergence",
    says="Directions converge within time 1/λ: the residual left at that time is the formula.",
    formula=sp.exp(-1),
)
def _time_scale(formula: Any) -> Evidence:
    return identity(equation(sp.exp(-lam * t).subs(t, 1 / lam), formula), {}, "37 %: a time scale, not an end")


norm, sample = sp.symbols("B tr(K)", positive=True)


@post.claim(
    "rkhs-norm-bounds-error",
    place="Generalization",
    says="The RKHS norm B of the solution bounds the generalisation error (by the formula; n samples).",
    formula=norm,
    verdict=REFUTED,
    better=norm * sp.sqrt(sample) / n,
    remark="Not the norm alone: off the sample the target may be anything. What holds is a bound B √(tr K)/n of the "
    "Rademacher complexity of the ball, which bounds the gap to the training error for i.i.d. data.",
)
def _rkhs(formula: Any) -> Evidence:
    if n not in formula.free_symbols:
        s = sp.Symbol("s", positive=True)  # K = I on a training and an unseen point, target (1, s): solution (1, 0)
        error = s**2 / 2
        return Evidence(
            False, f"K = I, target (1, s): the solution has norm 1, its error is {show(error)} at the other"
        )
    # E_ε sup_{‖f‖ ≤ B} (1/n) Σ ε_j f(x_j) = (B/n) E √(εᵀKε), exactly over all signs
    p, q = sp.symbols("p q", positive=True)
    gram = sp.Matrix([[p + q, p - q], [p - q, p + q]])  # any symmetric circulant 2×2; εᵀKε is 4p or 4q
    forms = [(sp.Matrix(e).T * gram * sp.Matrix(e))[0] for e in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    complexity = norm * sum(sp.sqrt(sp.expand(form)) for form in forms) / 4 / 2
    difference = sp.expand(formula.subs({n: 2, sample: gram.trace()}) ** 2 - complexity**2)
    square = sp.expand((sp.sqrt(p) - sp.sqrt(q)) ** 2 * norm**2 / 4)
    excess = sp.simplify(difference - square)
    if excess.is_nonnegative:
        return Evidence(True, "n = 2, all signs: bound² − complexity² = B²(√p − √q)²/4 ≥ 0")
    point = {p: 1, q: 1, norm: 1}
    return Evidence(False if sign(difference.subs(point)) == -1 else None, "the complexity at n = 2, p = q is larger")


# Parametrisations -----------------------------------------------------------------------------------------------

E_value, E_slope = sp.symbols("E[σ²] E[σ'²]", positive=True)


@post.claim(
    "standard-parametrisation",
    place="μP",
    says="In the standard parametrisation layers scale differently: to K(x, x) the output layer adds n E[σ²], the "
    "hidden layer x² E[σ'²].",
    formula=(n * E_value, x**2 * E_slope),
    assumes="one hidden layer, one input, output weights N(0, 1/n)",
)
def _standard(formula: Any) -> Evidence:
    for neurons in (1, 2, 3):
        weights = sp.symbols(f"a1:{neurons + 1}")
        scaled = [s / sp.sqrt(neurons) for s in weights]  # N(0, 1/n)
        last = neurons * E_value  # Σ_i (∂f/∂a_i)² = Σ_i σ_i²
        hidden = gaussian_moment(sum(s**2 * E_slope * x**2 for s in scaled), weights)
        for exact, claimed in zip((last, hidden), formula, strict=True):
            if sp.simplify(exact - claimed.subs(n, neurons)) != 0:
                return Evidence(False, f"{neurons} neurons: {show(exact)}, not {show(claimed.subs(n, neurons))}")
    return Evidence(True, "expectations for 1, 2, 3 neurons")


@post.claim(
    "mup-kernel",
    place="μP",
    says="In μP the kernel stabilises as the width grows: K(x, x) is E[σ²] + E[a²] x² E[σ'²].",
    formula=E_value + x**2 * E_slope,
    assumes="one hidden layer: f = (1/n) Σ a_i σ(w_i x), steps times n, a_i ~ N(0, 1)",
    remark="It stabilises but does not freeze: ∂_t K is of order one, which is the point of μP.",
)
def _mup(formula: Any) -> Evidence:
    for neurons in (1, 2, 3):
        weights = sp.symbols(f"a1:{neurons + 1}")
        kernel = neurons * sum(E_value + s**2 * x**2 * E_slope for s in weights) / neurons**2
        found = identity(equation(gaussian_moment(kernel, weights), formula), {}, "expectation, 1, 2, 3 neurons")
        if not found.holds:
            return found
    return found


post.outside(
    "hyperparameter-transfer",
    "μP",
    "The optimal learning rate of a small model transfers to a large one.",
    "an empirical statement about tuning; no quantity is defined",
)

# Limitations ----------------------------------------------------------------------------------------------------


def _ratios() -> list[tuple[Fraction, Fraction]]:
    """Enclose Θ(x, −x)/Θ(x, x) for 1, 2 and 3 hidden layers of ReLU neurons without bias."""
    found = []
    for depth in (1, 2, 3):
        middle, spread = enclose_gram(np.array([[1.0], [-1.0]]), Network("relu", depth=depth))
        (low, high), (least, most) = (
            (Fraction(middle[0, j]) - Fraction(spread[0, j]), Fraction(middle[0, j]) + Fraction(spread[0, j]))
            for j in (1, 0)
        )
        found.append((min(low / least, low / most), max(high / least, high / most)))
    return found


@post.claim(
    "depth",
    place="Limitations, depth",
    says="At infinite width the NTK is the same regardless of depth: Θ(x, −x)/Θ(x, x) is that of depth 1 at 1, 2, 3.",
    formula=sp.Tuple(0, 0, 0),
    method=CERTIFIED,
    verdict=REFUTED,
    better=sp.Tuple(
        0,
        1 / (3 * sp.pi),
        (sp.sqrt(sp.pi**2 - 1) + 2 * sp.pi - 2 * sp.acos(1 / sp.pi)) / (4 * sp.pi**2),
    ),
    assumes="ReLU, no bias; the ratio does not depend on the scale of the weights",
    remark="The kernel depends on the depth. What does not is how fast its eigenvalues on the sphere decay, k^{−d} "
    "(Bietti and Bach 2021).",
)
def _depth(formula: Any) -> Evidence:
    with flint.ctx.workprec(BITS):
        for depth, (value, ends) in enumerate(zip(formula, _ratios(), strict=True), 1):
            low, high = (flint.arb(flint.fmpq(*end.as_integer_ratio())) for end in ends)
            ball = enclose(value)
            if ball < low or ball > high:
                return Evidence(False, f"certified: at depth {depth} it is {float(ends[0]):.5f}…")
            if not low <= ball <= high:
                return Evidence(None, f"the enclosure at depth {depth} is too wide")
    return Evidence(True, "in the certified enclosures at depths 1, 2, 3")


post.outside(
    "depth-in-practice",
    "Limitations, depth",
    "A network with one layer performs much worse than one with a hundred on natural images.",
    "an empirical comparison, without data or numbers",
)
eta, curvature = sp.symbols("η λ_max", positive=True)


@post.claim(
    "infinitesimal-steps",
    place="Limitations, practical learning rates",
    says="The theory holds for infinitesimally small learning rates only: the largest step it allows is the formula.",
    formula=sp.Integer(0),
    verdict=REFUTED,
    better=2 / curvature,
    remark="Descent on the linear model converges for every step below 2/λ_max; for networks see the next entry.",
)
def _steps(formula: Any) -> Evidence:
    share = sp.Symbol("s", positive=True)
    below = 2 / curvature * share / (1 + share)  # every step below 2/λ_max
    if formula == 0:
        square = sp.factor(1 - (1 - below * curvature) ** 2)
        return Evidence(False if square.is_positive else None, f"|1 − ηλ| < 1 at every η = {show(below)}")
    inside = sp.factor(1 - (1 - formula * share / (1 + share) * curvature) ** 2)
    at_end = sp.simplify((1 - formula * curvature) ** 2)
    if inside.is_positive and at_end == 1:
        return Evidence(True, f"1 − (1 − ηλ)² = {show(inside)} > 0 below it, 0 at it")
    return Evidence(False, f"(1 − ηλ)² = {show(at_end)} at that step")


SIX = np.array([[1.0, 0.0], [0.6, 0.8], [-0.28, 0.96]])


@post.claim(
    "finite-steps-finite-width",
    place="Limitations, practical learning rates",
    says="(The same at finite width.) Descent with the step of the formula provably converges.",
    formula=sp.Rational(1, 10),
    method=CERTIFIED,
    assumes="three samples, erf, hidden weights trained, width 200000, probability 0.95",
)
def _finite_steps(formula: Any) -> Evidence:
    data = Dataset(SIX, np.array([1.0, -1.0, 0.5]))
    try:
        certificate = certify_convergence(data, Network("erf"), width=200_000, step_size=str(float(formula)))
    except ValueError as error:
        return Evidence(False, str(error))
    verdict = check(certificate)
    if not verdict.valid or verdict.conclusion is None:
        return Evidence(None, verdict.reason)
    return Evidence(True, f"certified: L(k) ≤ (1 − {float(formula)} · {float(verdict.conclusion['rate']):.4f})^k L(0)")


post.outside(
    "corrections",
    "Limitations, finite width",
    "Corrections at finite width are of a certain order and compound over long training.",
    "the order is missing in the text at hand; measured exponents are post.deterministic and post.constant",
)

"""An independent judge of convergence claims about two layers: the theorems once more, from the data, at 50 digits.

It shares nothing with the checker.  It reads the JSON and the bytes itself and takes from a derivation only the free
parameters (δ, τ, R, the split of the probability); every constant it computes from the data as it is, where the checker
has bounds of bounds.  Every number of a conclusion is better the better the constants are; so a conclusion that does
not follow here does not follow at all.
"""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from typing import Any

import flint
import mpmath
import oracle

MP = mpmath.MPContext()
MP.dps = 50
SLACK = 1 + MP.mpf(10) ** -40
SPENDING = ("failure", "signs_failure", "energy_failure")

Json = dict[str, Any]


def number(text: str) -> Any:
    q = Fraction(text)
    return MP.mpf(q.numerator) / q.denominator


class Refuted(Exception):
    """The conclusion does not follow; the message says why."""


def require(true: bool, why: str) -> None:
    if not true:
        raise Refuted(why)


@lru_cache(maxsize=64)
def _spectral(text: str) -> tuple[Any, ...]:
    """Return ``K``, ``λ_min(H∞)``, ``‖X‖²``, ``‖K∘K‖`` and ``yᵀH∞⁻¹y`` of a problem."""
    problem = json.loads(text)
    with flint.ctx.workprec(oracle.BITS):
        kernel = oracle.kernel(problem)
        least = oracle.smallest_eigenvalue(kernel)
        n = kernel.nrows()
        h = MP.matrix([[MP.mpf(kernel[i, j].str(60, radius=False)) for j in range(n)] for i in range(n)])
        lambda_0 = MP.mpf(least.str(60, radius=False))
    x = MP.matrix([[MP.mpf(v) for v in row] for row in oracle.array(problem["dataset"]["inputs"]).tolist()])
    y = MP.matrix(oracle.array(problem["dataset"]["targets"]).tolist())
    gram = x * x.T
    squares = MP.matrix([[gram[i, j] ** 2 for j in range(n)] for i in range(n)])
    largest = [max(MP.eigsy(matrix, eigvals_only=True)) for matrix in (gram, squares)]
    form = (y.T * MP.lu_solve(h, y))[0] if lambda_0 > 0 else MP.inf
    return gram, lambda_0, *largest, form


class Facts:
    """The network that a problem is about, and what its data are like; refuted if no theorem is about it."""

    def __init__(self, problem: Json) -> None:
        network, training = problem["network"], problem["training"]
        plain = (network["depth"], network["bias"], network["weight_std"], network["input_scale"])
        require(plain == (1, "0", "1", "1") and problem["kernel"] == "ntk", "another network")
        self.both, self.init = network["train"] == "both", training["init"]
        require(network["train"] in ("hidden", "both") and self.both == (self.init == "gaussian"), "another start")
        about = {**problem, "dataset": {k: problem["dataset"][k] for k in ("inputs", "targets")}}
        found = _spectral(json.dumps({k: v for k, v in about.items() if k != "training"}, sort_keys=True))
        self.gram, self.lambda_0, self.norm, self.hadamard, self.form = found
        self.n, self.m = self.gram.rows, int(training["width"])
        self.neurons = self.m // 2 if self.init == "antisymmetric" else self.m
        self.eta = number(training["step_size"]) if "step_size" in training else None
        self.name = network["activation"]
        self.y = MP.sqrt(MP.fsum(MP.mpf(v) ** 2 for v in oracle.array(problem["dataset"]["targets"]).tolist()))
        self.squares = [self.gram[i, i] for i in range(self.n)]
        self.b0, self.b1, self.b2, self.jump, self.monotone = self._suprema()

    def _suprema(self) -> tuple[Any, ...]:
        """``sup|σ|``, ``sup|σ'|``, ``sup|σ''|`` (None where infinite), the jump of σ', and whether σ' ≥ 0."""
        if self.name == "erf":
            return 1, 2 / MP.sqrt(MP.pi), MP.sqrt(8 / (MP.pi * MP.e)), 0, True
        if self.name in ("sin", "cos"):
            return 1, 1, 1, 0, False
        if self.name == "identity":
            return None, 1, 0, 0, True
        below = {"relu": MP.mpf(0), "abs": MP.mpf(-1)}.get(self.name)
        below = number(self.name[11:-1]) if below is None else below
        return None, max(1, abs(below)), None, 1 - below, below >= 0

    @cached_property
    def moments(self) -> tuple[Any, Any]:
        """``Σ (E σ)²`` and ``Σ Var σ`` over the samples."""
        means, seconds = [], []
        for q in self.squares:
            if self.name == "erf":
                means.append(0)
                seconds.append(2 / MP.pi * MP.asin(2 * q / (1 + 2 * q)))
            elif self.name in ("sin", "cos"):
                means.append(MP.exp(-q / 2) if self.name == "cos" else 0)
                seconds.append((1 + (1 if self.name == "cos" else -1) * MP.exp(-2 * q)) / 2)
            elif self.name == "identity":
                means.append(0)
                seconds.append(q)
            else:
                below = 1 - self.jump
                means.append((1 - below) * MP.sqrt(q / (2 * MP.pi)))
                seconds.append((1 + below**2) * q / 2)
        first = MP.fsum(mean**2 for mean in means)
        return first, MP.fsum(seconds) - first


class Derivation:
    """The free parameters of the steps that a conclusion rests on, by rule, and the sum of the probabilities spent."""

    def __init__(self, document: Json) -> None:
        steps = {step["id"]: step for step in document["steps"]}
        needed, reached = [document["conclusion"]["step"]], {}
        while needed:
            step = steps[needed.pop()]
            reached[step["id"]] = step
            needed += [name for name in step["uses"] if name not in reached]
        self.args = {step["rule"]: step["args"] for step in reached.values()}
        self.last = steps[document["conclusion"]["step"]]["rule"]
        self.spent = sum(Fraction(step["args"].get(name, "0")) for step in reached.values() for name in SPENDING)

    def __contains__(self, rule: str) -> bool:
        return rule in self.args

    def value(self, rule: str, name: str) -> Any:
        return number(self.args[rule][name])


# What holds at the start ----------------------------------------------------------------------------------------


def exponent(delta: Any) -> Any:
    return delta + (1 - delta) * MP.log(1 - delta)


def share(f: Facts, d: Derivation) -> Any:
    """Return s with ``H_0 ⪰ s H∞``."""
    require(f.lambda_0 > 0, "H∞ is singular")
    rule = "truncated_chernoff" if f.both else "matrix_chernoff"
    delta, p = d.value(rule, "delta"), d.value(rule, "failure")
    require(0 < delta < 1 and p > 0, "δ or p is out of range")
    kept, summand = MP.mpf(1), f.b1**2 * f.norm
    if f.both:
        c = d.value(rule, "cut")
        require(c > 0 and f.b0 is not None and f.b2 is not None, "the cut, or σ")
        kept = 1 - MP.sqrt(2 / MP.pi) * MP.exp(-c * c / 2) * (c + 1 / c)
        require(kept > 0, "the cut is too low")
        summand = f.n * f.b0**2 + c * c * summand
    likely = f.n * MP.exp(-f.neurons * kept * f.lambda_0 * exponent(delta) / summand)
    require(likely <= p * SLACK, "matrix Chernoff spends more")
    return (1 - delta) * kept


def least_eigenvalue(f: Facts, d: Derivation) -> Any:
    """Return a lower bound of ``λ_min(H_0)``."""
    if "hoeffding" not in d:
        return share(f, d) * f.lambda_0
    tau, p = d.value("hoeffding", "tau"), d.value("hoeffding", "failure")
    require(not f.both and tau > 0 and p > 0, "Hoeffding")
    require(f.n * (f.n + 1) * MP.exp(-2 * f.neurons * tau**2) <= p * SLACK, "Hoeffding spends more")
    frobenius = MP.sqrt(MP.fsum(entry**2 for entry in f.gram))
    return f.lambda_0 - tau * f.b1**2 * (1 if f.monotone else 2) * frobenius


def residual(f: Facts, d: Derivation) -> Any:
    """Return an upper bound of ``‖r_0‖``."""
    first, variance = f.moments
    lipschitz = f.b1 * MP.sqrt(f.norm)
    if "gaussian_residual" in d:
        p1, p2 = d.value("gaussian_residual", "energy_failure"), d.value("gaussian_residual", "failure")
        require(f.both and f.b0 is not None and 0 < p1 < 1 and 0 < p2 < 1, "gaussian residual")
        energy = first + variance + f.n * f.b0**2 * MP.sqrt(-MP.log(p1) / (2 * f.m))
        energy = min(energy, f.n * f.b0**2)
        return MP.sqrt(f.y**2 + energy) + MP.sqrt(-2 * energy * MP.log(p2))
    require(not f.both, "the residual of hidden training")
    if "markov_residual" in d:
        require(f.init in ("signs", "balanced"), "random signs")
        square = f.y**2 + variance + (first if f.init == "signs" else 0)
        return MP.sqrt(square / d.value("markov_residual", "failure"))
    p, signs = (d.value("initial_residual", name) for name in ("failure", "signs_failure"))
    if f.init == "antisymmetric":
        return f.y
    require(0 < p < 1, "the probability of the residual")
    size = f.y
    if f.init == "signs":
        require(0 < signs < 1, "the probability of the signs")
        size = f.y + MP.sqrt(2 * MP.log(2 / signs) * first)
    return MP.sqrt(size**2 + variance) + lipschitz * MP.sqrt(-2 * MP.log(p))


def weight(f: Facts, d: Derivation) -> Any:
    p = d.value("output_weights", "failure")
    require(0 < p < 1, "the probability of the output weights")
    return MP.sqrt(2 * MP.log(f.m / p))


def norm(f: Facts, d: Derivation) -> Any:
    """Return an upper bound of ``‖J_0‖``; for trained hidden weights, of ``‖J‖`` everywhere."""
    if f.both:
        return MP.sqrt(f.n * f.b0**2 + weight(f, d) ** 2 * f.b1**2 * f.norm)
    return f.b1 * MP.sqrt(f.norm)


def deviation(f: Facts, d: Derivation) -> tuple[Any, Any]:
    """Return a and b in ``‖J − J_0‖ ≤ a + bs``."""
    rule = "flip_deviation"
    if rule not in d:
        require(f.b2 is not None, "σ is not C²")
        q = f.b2 * MP.sqrt(f.hadamard)
        if not f.both:
            return MP.mpf(0), q / MP.sqrt(f.m)
        q, p = weight(f, d) * q, f.b1 * MP.sqrt(f.norm)
        return MP.mpf(0), max(MP.svd_r(MP.matrix([[p, 0], [q, p]]), compute_uv=False)) / MP.sqrt(f.m)
    tau, p = d.value(rule, "tau"), d.value(rule, "failure")
    require(f.b2 is None and not f.both and tau > 0 and 0 < p < 1, "flip counting")
    near = tau * MP.sqrt(2 / MP.pi) + MP.sqrt(MP.log(f.n / p) / (2 * f.neurons))
    size = f.jump * MP.sqrt(f.norm)
    return size * MP.sqrt(near), size / (tau * MP.sqrt(f.m))


# What follows: rate, radius, kernel deviation -------------------------------------------------------------------

Result = tuple[Any, Any, Any]


def ball(f: Facts, d: Derivation, rule: str) -> tuple[Any, Any, Any, Any, Any]:
    """Return ``σ_0``, ``σ_*``, ``Φ(R)``, R and the kernel's deviation in a ball."""
    least, radius = least_eigenvalue(f, d), d.value(rule, "radius")
    require(least > 0 and radius > 0, "λ_min(H_0) or R is not positive")
    a, b = deviation(f, d)
    sigma, eps = MP.sqrt(least), a + b * radius
    require(sigma > eps, "σ_* is not positive")
    return sigma, sigma - eps, (sigma - a) * radius - b * radius**2 / 2, radius, (2 * norm(f, d) + eps) * eps


def kantorovich(f: Facts, d: Derivation) -> Result:
    _, least, spent, radius, drift = ball(f, d, "kantorovich")
    require(f.eta is None and spent > residual(f, d), "Φ(R) > ρ_0")
    return 2 * least**2, radius, drift


def descent(f: Facts, d: Derivation) -> Result:
    _, least, spent, radius, drift = ball(f, d, "descent")
    require(f.eta is not None and not f.both and f.b2 is not None, "descent of a Lipschitz Jacobian")
    kappa = 1 - f.eta * (norm(f, d) ** 2 + deviation(f, d)[1] * residual(f, d)) / 2
    require(kappa > 0 and kappa * spent > residual(f, d), "κΦ(R) > ρ_0")
    x = kappa * f.eta * least**2
    return (1 - (1 - x) ** 2) / f.eta, radius, drift


def flip_descent(f: Facts, d: Derivation) -> Result:
    sigma, least, spent, radius, drift = ball(f, d, "flip_descent")
    require(f.eta is not None and not f.both, "descent of the hidden weights")
    eps, kappa = sigma - least, 1 - f.eta * norm(f, d) ** 2 / 2
    require(kappa > 0 and kappa * spent - radius * eps > residual(f, d), "κΦ(R) - Rε(R) > ρ_0")
    x = f.eta * least * (kappa * least - eps)
    require(x > 0, "κσ_* > ε")
    return (1 - (1 - x) ** 2) / f.eta, radius, drift


def distance(f: Facts, d: Derivation) -> Result:
    require(f.eta is None and f.init == "antisymmetric" and f.b2 is not None, "the distance form")
    s, kept = d.value("distance", "share"), share(f, d)
    require(0 < s < 1, "the share")
    sigma, omega, slope = MP.sqrt(kept * f.lambda_0), MP.sqrt(f.form / kept), deviation(f, d)[1]
    w = (slope * omega / (sigma * s)) ** 2
    reach = 1 + MP.sqrt(2 * MP.expm1(w) / w - 1)
    require(1 - slope * omega / sigma * reach > s, "the margin of the distance form")
    eps = slope * omega * reach
    return 2 * (s * sigma) ** 2, omega * reach, (2 * norm(f, d) + eps) * eps


def tube(f: Facts, d: Derivation) -> Result:
    require(f.eta is None and f.init == "antisymmetric" and f.b2 is None and not f.both, "the tube")
    tau, p, kept = d.value("tube_deviation", "tau"), d.value("tube_deviation", "failure"), share(f, d)
    require(tau > 0 and 0 < p < 1, "the tube's τ or p")
    events, one = MP.log(f.n * (f.n + 1) / (2 * p)), tau * MP.sqrt(2 / MP.pi)
    sums = []
    for i in range(f.n):
        row = []
        for j in range(f.n):
            away = 1 - f.gram[i, j] ** 2 / (f.squares[i] * f.squares[j])
            two = 2 * tau**2 / (MP.pi * MP.sqrt(away)) if i != j and away > MP.mpf(10) ** -30 else one
            chance = min(one, two)
            count = chance + MP.sqrt(2 * chance * events / f.neurons) + events / (3 * f.neurons)
            row.append(abs(f.gram[i, j]) * min(1, count))
        sums.append(MP.fsum(row))
    eps, sigma, omega = f.jump * MP.sqrt(max(sums)), MP.sqrt(kept * f.lambda_0), MP.sqrt(f.form / kept)
    require(sigma > 2 * eps, "σ_0 > 2ε")
    integral = omega * sigma / ((sigma - eps) * (sigma - 2 * eps))
    rows = [MP.fsum(f.gram[i, j] ** 2 for j in range(f.n)) / f.squares[i] for i in range(f.n)]
    require(f.b1**2 * integral**2 * max(rows) <= tau**2 * f.m * SLACK, "a preactivation may leave the tube")
    radius = 2 * omega * (sigma - eps) ** 2 / (sigma * (sigma - 2 * eps))
    return 2 * (sigma - eps) ** 2, radius, (2 * norm(f, d) + eps) * eps


def groenwall(f: Facts, d: Derivation) -> Result:
    require(f.eta is None and not f.both, "flow of the hidden weights")
    if "markov_flips" in d:
        radius, p = d.value("markov_flips", "radius"), d.value("markov_flips", "failure")
        require(f.name == "relu" and radius > 0 and 0 < p < 1, "Markov's inequality for flips")
        require(all(abs(q - 1) <= MP.mpf(10) ** -9 for q in f.squares), "the rows have norm 1")
        longest = max(f.squares)
        drift = 2 * MP.sqrt(2 / MP.pi) * f.n**2 * longest * radius / p
        speed = MP.sqrt(f.n * longest / f.m)
    else:
        a, b = deviation(f, d)
        radius, speed = d.value("kernel_stability", "radius"), norm(f, d)
        require(radius > 0, "R is not positive")
        drift = 2 * speed * (a + b * radius)
    rho, c = residual(f, d), least_eigenvalue(f, d) - drift
    require(c > 0, "λ_min(H_0) > ‖H_t - H_0‖")
    moved = speed * rho / c if d.args["continuous_induction"]["movement"] == "speed" else rho / MP.sqrt(c)
    require(moved <= radius * SLACK, "the flow may leave the ball")
    return 2 * c, rho / MP.sqrt(c), drift


def mean_loss(f: Facts, d: Derivation) -> Result:
    rate, radius, drift = kantorovich(f, d)
    return rate / f.n, radius, drift


LOSSES = {
    "squared": lambda rho, n: (Fraction(1, 2), MP.sqrt(2), rho**2 / 2),
    "quartic": lambda rho, n: (Fraction(3, 4), MP.mpf(4) ** MP.mpf("0.75") / MP.root(n, 4), rho**4 / 4),
}


def loss_kantorovich(f: Facts, d: Derivation) -> Result:
    _, least, spent, radius, drift = ball(f, d, "loss_kantorovich")
    b, alpha, gap = LOSSES[d.args["loss_inequality"]["loss"]](residual(f, d), f.n)
    power = 1 - number(str(b))
    require(f.eta is None and spent * power * alpha > gap**power, "(1-b)αΦ(R) > gap^(1-b)")
    return (alpha * least) ** 2, radius, drift


CONCLUDING = {
    "kantorovich": kantorovich,
    "descent": descent,
    "flip_descent": flip_descent,
    "distance": distance,
    "tube": tube,
    "groenwall": groenwall,
    "mean_loss": mean_loss,
    "loss_kantorovich": loss_kantorovich,
}
ACTIVATIONS = ("erf", "sin", "cos", "identity", "relu", "abs", "leaky_relu")


@cache
def is_judged(kind: str, activation: str) -> bool:
    """Whether this judge knows such a conclusion."""
    return kind in ("convergence", "loss_convergence") and activation.startswith(ACTIVATIONS)


def objection(document: Json) -> str:
    """Return why the conclusion of a certificate does not follow from its data, or an empty string."""
    claim = document["conclusion"]["claim"]
    try:
        d, f = Derivation(document), Facts(document["problem"])
        require(d.last in CONCLUDING, "no theorem concludes")
        rate, radius, drift = CONCLUDING[d.last](f, d)
        if d.last == "loss_kantorovich":
            loss = d.args["loss_inequality"]["loss"]
            require((claim["kind"], claim["loss"]) == ("loss_convergence", loss), "another loss")
            require(Fraction(claim["exponent"]) == LOSSES[loss](MP.mpf(1), f.n)[0], "another exponent")
        else:
            flow = "mean_flow" if d.last == "mean_loss" else "flow"
            require((claim["kind"], claim["dynamics"]) == ("convergence", flow if f.eta is None else "descent"), "kind")
        require(Fraction(claim["width"]) == f.m, "another width")
        require(d.spent <= Fraction(claim["failure"]) < 1, "more may fail")
        require(number(claim["rate"]) <= rate * SLACK, "it is slower")
        require(number(claim["radius"]) * SLACK >= radius, "it moves further")
        require(number(claim["kernel_deviation"]) * SLACK >= drift, "the kernel moves more")
    except (Refuted, KeyError, ValueError, ZeroDivisionError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def holds(document: Json) -> bool:
    """Whether the conclusion of a certificate follows from its data."""
    return not objection(document)

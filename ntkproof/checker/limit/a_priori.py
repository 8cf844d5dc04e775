"""Lower bounds on ``λ_min`` known before the matrix is: closed forms in the data.  Proofs: ``docs/proofs/a-priori.md``.

Trusted.  For one hidden layer with a derivative ``σ' = 1`` or ``slope`` and trained hidden weights,
``H ⪰ Σ_k w_k T_k``, where ``T_k = Σ¹_ij ρ_ij^{k−1} ⪰ 0`` with the cosines ``ρ`` of the covariance ``Σ¹`` of the
first layer, and ``w_k ≥ 0`` is ``σ_w²`` times the square of a Hermite coefficient of ``σ'``:
``w_1 = σ_w² (1+slope)²/4`` and ``w_{2m+2} = σ_w² (1−slope)² a_m/(2π)``, ``a_m = C(2m,m)/(4^m (2m+1))``.
No data are assumed to have unit norm: all that is used of ``Σ¹`` is ``Σ¹_ij = ρ_ij √(Σ¹_ii Σ¹_jj)``, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb, isqrt
from typing import TYPE_CHECKING, Any, ClassVar

from ntkproof.checker.activations.names import split_activation
from ntkproof.checker.limit.claims import POWERS, EigenvalueBound, Enclosure, Interval, LambdaMin
from ntkproof.checker.limit.inputs import root
from ntkproof.checker.limit.kernels import FirstLayer
from ntkproof.checker.logic.claim import LOWER, UPPER, Rejection, claim_field
from ntkproof.checker.logic.reading import listed, number, word
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ntkproof.checker.problem.problem import Problem

A_PRIORI = ("separation", "separation_log", "khatri_rao", "gershgorin")


@dataclass(frozen=True)
class APriori(Interval):
    """``λ_min`` of the kernel beside lower bounds known a priori, and how sharp these are.

    ``bounds[k] ≤ λ_min`` by the rule ``rules[k]``, and ``ratio_lower[k] ≤ bounds[k] / λ_min ≤ ratio_upper[k]``.
    """

    kind: ClassVar[str] = "a_priori"
    concludes: ClassVar[bool] = True
    rules: tuple[str, ...] = claim_field(listed(word(A_PRIORI)))
    bounds: tuple[Fraction, ...] = claim_field(listed(number, 1))
    ratio_lower: tuple[Fraction, ...] = claim_field(listed(number, 1), LOWER)
    ratio_upper: tuple[Fraction, ...] = claim_field(listed(number, 1), UPPER)

    def flaw(self) -> str:
        lengths = {len(x) for x in (self.rules, self.bounds, self.ratio_lower, self.ratio_upper)}
        return "" if len(lengths) == 1 else "the lists differ in length"


PI = (Fraction(314159265358979323846, 10**20), Fraction(314159265358979323847, 10**20))
SLOPES = {"relu": Fraction(0), "abs": Fraction(-1)}
_POWERS = {f"power-{k}": k for k in POWERS}
_BITS = 256
_ONE = 1 << _BITS


def _hypotheses(problem: Problem) -> tuple[Fraction, Fraction]:
    """Check what the theorems ask of the network; return ``w_1`` and ``w_{2m+2} · 2π/a_m``."""
    network = problem.network
    name, slope = split_activation(network.activation)
    slope = SLOPES.get(name, slope)
    for code, holds, needed, found in (
        ("wrong-kernel", problem.kernel == "ntk", "ntk", problem.kernel),
        ("wrong-depth", network.depth == 1, "1", str(network.depth)),
        ("wrong-train", network.train != "output", "hidden, both or all", network.train),
        ("wrong-activation", slope is not None, "relu, leaky_relu or abs", name),
    ):
        if not holds:
            raise Rejection(code, "the theorem is about another network", needed, found)
    slope = slope or Fraction(0)
    return network.sigma_w**2 * (1 + slope) ** 2 / 4, network.sigma_w**2 * (1 - slope) ** 2


def _covariances(setting: Setting) -> tuple[list[list[int]], int]:
    """Return the integers ``M Σ¹_ij`` for ``j ≤ i``, and ``M``; every row of the data is seen not to be zero."""
    dataset, network = setting.problem.dataset, setting.problem.network
    first = FirstLayer.of(dataset, network)
    packed = setting.arithmetic.gram(dataset.inputs, dataset.exponent).lower()
    rows = [[first.covariance(next(packed)) for _ in range(i + 1)] for i in range(dataset.n)]
    for i, row in enumerate(rows):
        if row[i] == 0:
            raise Rejection("zero-row", f"row {i} (counted from 0) is zero", "norm > 0", "0")
    return rows, first.denominator


def _squared_cosines(setting: Setting) -> tuple[list[list[int]], Fraction]:
    """Return ``ρ_ij²`` for ``j < i`` in units of ``2^-256``, rounded up and below 1, and ``min Σ¹_ii``."""
    rows, denominator = _covariances(setting)
    norms = [row[-1] for row in rows]
    squares = [
        [-(-(p * p << _BITS) // (norms[i] * norms[j])) for j, p in enumerate(row[:-1])] for i, row in enumerate(rows)
    ]
    for i, row in enumerate(squares):
        if _ONE in row:
            j = row.index(_ONE)
            raise Rejection("not-separated", f"rows {j} and {i} (counted from 0) are parallel", "cosine^2 < 1", "1")
    return squares, Fraction(min(norms), denominator)


def _separation(setting: Setting, step: Inputs) -> Derived:
    """``λ_min ≥ w min Σ¹_ii δ / (100 n²)``, Oymak and Soltanolkotabi 2020."""
    return _separated(setting, Fraction(100 * setting.problem.dataset.n**2))


def _separation_log(setting: Setting, step: Inputs) -> Derived:
    """``λ_min ≥ w min Σ¹_ii δ / (4 π^{3/2} √(1 + ln(2(n−1))))``, proved here: almost no loss with n."""
    logarithm = Fraction(6932, 10**4) * (2 * setting.problem.dataset.n - 2).bit_length()  # ln 2 < 0.6932
    return _separated(setting, Fraction(222734, 10**4) * root(1 + logarithm, 1))


def _separated(setting: Setting, divisor: Fraction) -> Derived:
    """``w min Σ¹_ii δ / divisor``: δ is the least ``‖u_i ± u_j‖`` of normalised data, ``δ² = 2 − 2 max |ρ_ij|``."""
    even = _hypotheses(setting.problem)[1]
    squares, least = _squared_cosines(setting)
    cosine = Fraction(isqrt(max(map(max, squares[1:])) << _BITS) + 1, _ONE)
    return _bound(even * least * root(max(Fraction(0), 2 - 2 * cosine), 0) / divisor)


def _power_enclosure(setting: Setting, step: Inputs) -> Derived:
    """``T_k``, each entry rounded towards zero: ``|T_k| = √(P_ij^{2k} / (P_ii P_jj)^{k−1}) / M``, ``P = M Σ¹``."""
    k, p = step.integers["power"], step.integers["precision"]
    if k not in POWERS:
        raise Rejection("bad-argument", "the argument power is 1 or even", ", ".join(map(str, POWERS)), str(k))
    rows, denominator = _covariances(setting)
    norms = [row[-1] for row in rows]

    def entry(x: int, q: int, r: int) -> int:
        size = isqrt((x ** (2 * k) << 2 * p) // (denominator**2 * (q * r) ** (k - 1)))
        return -size if k == 1 and x < 0 else size

    packed = [entry(x, norms[i], norms[j]) for i, row in enumerate(rows) for j, x in enumerate(row)]
    return Derived(Enclosure(f"power-{k}", p, len(rows)), setting.arithmetic.symmetric(len(rows), packed))


def _khatri_rao(setting: Setting, step: Inputs) -> Derived:
    """``λ_min ≥ w_k λ_min(T_k)``, as in Nguyen, Mondelli and Montúfar 2021 for the Khatri-Rao powers of ``X``."""
    claim = step.premises[0].claim
    if not isinstance(claim, EigenvalueBound) or (claim.eigenvalue, claim.side) != ("min", "lower"):
        raise Rejection("bad-premises", "the premise bounds something else", "lower bound on lambda_min of a power-k")
    if claim.matrix not in _POWERS:
        raise Rejection("bad-premises", "the premise bounds something else", "power-k", claim.matrix)
    return _bound(weight(setting.problem, _POWERS[claim.matrix]) * max(Fraction(0), claim.value))


def weight(problem: Problem, k: int) -> Fraction:
    """Return a lower bound of ``w_k``, k one of `POWERS`; `Rejection` if the theorem is about another network."""
    linear, even = _hypotheses(problem)
    m = k // 2 - 1
    return linear if k == 1 else even * Fraction(comb(2 * m, m), 4**m * (2 * m + 1)) / (2 * PI[1])


def _gershgorin(setting: Setting, step: Inputs) -> Derived:
    """``λ_min ≥ min Σ¹_ii Σ_k w_k (1 − max_i Σ_{j≠i} |ρ_ij|^k)_+``, the gap constant between powers 2, 4, 8, 16, …

    The power series is that of Murray, Jin, Bowman and Montúfar 2023.
    """
    linear, even = _hypotheses(setting.problem)
    squares, least = _squared_cosines(setting)
    total = linear * _gap([[isqrt(x << _BITS) + 1 for x in row] for row in squares])
    before = Fraction(0)
    for tail in _tails(step.integers["squarings"]):
        gap = _gap(squares)
        total += even * tail * (gap - before)  # ≥ 0: the gap of a higher power is not smaller
        before = gap
        squares = [[-(-x * x >> _BITS) for x in row] for row in squares]
    return _bound(total * least)


def _gap(rows: list[list[int]]) -> Fraction:
    """Return ``(1 − max_i Σ_{j≠i} x_ij)_+`` for the strict lower triangle of a symmetric matrix."""
    sums = [sum(row) for row in rows]
    for row in rows:
        for j, x in enumerate(row):
            sums[j] += x
    return Fraction(max(0, _ONE - max(sums)), _ONE)


def _tails(count: int) -> Iterator[Fraction]:
    """Yield lower bounds of ``Σ_{m ≥ 2^j − 1} a_m / (2π) = 1/4 − Σ_{m < 2^j − 1} a_m / (2π)``, j from 0 to count."""
    m, binomial, total = 0, _ONE, 0  # C(2m,m)/4^m and the sum, in units of 2^-256, rounded up
    for j in range(count + 1):
        while m < 2**j - 1:
            total -= -binomial // (2 * m + 1)
            binomial = -(-binomial * (2 * m + 1) // (2 * m + 2))
            m += 1
        yield Fraction(1, 4) - Fraction(total, 2 * _ONE) / PI[0]


def _bound(value: Fraction) -> Derived:
    return Derived(EigenvalueBound("kernel", "min", "lower", value))


def _a_priori(setting: Setting, step: Inputs) -> Derived:
    """The certified ``λ_min``, the bounds known a priori, and the ratio of each of them to it."""
    truth, bounds = step.premises[0].claim, step.premises[1:]
    if not isinstance(truth, LambdaMin) or not 0 < truth.lower <= truth.upper:
        raise Rejection("not-positive", "lambda_min is not known to be positive", "lambda_min > 0")
    values = [_value(premise.rule, premise.claim) for premise in bounds]
    return Derived(
        APriori(
            truth.lower,
            truth.upper,
            tuple(premise.rule for premise in bounds),
            tuple(values),
            tuple(value / truth.upper for value in values),
            tuple(value / truth.lower for value in values),
        )
    )


def _value(rule: str, claim: Any) -> Fraction:
    if rule not in A_PRIORI or not isinstance(claim, EigenvalueBound) or claim.value < 0:
        raise Rejection("bad-premises", "a premise is not a bound >= 0 by one of the rules", ", ".join(A_PRIORI), rule)
    return claim.value


separation = Rule(_separation)
separation_log = Rule(_separation_log)
power_enclosure = Rule(_power_enclosure, integers={"power": (1, POWERS[-1]), "precision": (0, 4096)})
khatri_rao = Rule(_khatri_rao, (EigenvalueBound,))
gershgorin = Rule(_gershgorin, integers={"squarings": (0, 20)})
a_priori = Rule(_a_priori, (LambdaMin, EigenvalueBound), repeat=True)

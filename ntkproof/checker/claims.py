"""What can be concluded: each kind of claim, its exact reading from a certificate, and what it follows from.

Trusted.  A claim derived by a rule `supports` the claim a certificate states when the stated one is equal or
weaker; numbers are compared as exact rationals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

from ntkproof.problem import InputError, decimal, parse_decimal


class Rejection(Exception):
    """A step (or the conclusion) does not hold.

    Args:
        code: a stable short name of the error, listed in ``docs/certificate-format.md``.
        reason: one line for people.
        needed: what the certificate states or the rule requires.
        derived: what the checker derives instead.
    """

    def __init__(self, code: str, reason: str, needed: str = "", derived: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.needed, self.derived = code, reason, needed, derived


POWERS = (1, *range(2, 33, 2))
MATRICES = ("kernel", "inputs", "inputs_squared", *(f"power-{k}" for k in POWERS))
PARITIES = ("even", "odd")
BALLS = ("parameters", "neurons")
LOSSES = ("squared", "quartic", "custom")
A_PRIORI = ("separation", "separation_log", "khatri_rao", "gershgorin")


@dataclass(frozen=True)
class Enclosure:
    """``‖M − 2^-precision A‖ ≤ 2^-precision radius`` for the integer matrix ``A`` the checker holds.

    ``matrix`` says what ``M`` is: ``kernel`` (the problem's Gram matrix), ``inputs`` (``XXᵀ`` or ``XᵀX``) or
    ``inputs_squared`` (``K∘K`` of ``K = XXᵀ``) or ``power-k`` (``Σ¹_ij ρ_ij^{k−1}``, ρ the cosines of the first layer's covariance ``Σ¹``).
    """

    kind: ClassVar[str] = "enclosure"
    matrix: str
    precision: int
    radius: int

    def supports(self, stated: Enclosure) -> None:
        """Reject a stated enclosure that is tighter than this one."""
        _same("matrix", stated.matrix, self.matrix)
        _same("precision", stated.precision, self.precision)
        _at_most("radius", Fraction(self.radius), Fraction(stated.radius))


@dataclass(frozen=True)
class EigenvalueBound:
    """One side of an extreme eigenvalue: ``λ_min`` or ``λ_max`` of ``matrix`` is ``≥`` or ``≤`` ``value``."""

    kind: ClassVar[str] = "eigenvalue_bound"
    matrix: str
    eigenvalue: str
    side: str
    value: Fraction

    def supports(self, stated: EigenvalueBound) -> None:
        """Reject a stated bound that is sharper than this one."""
        for name in ("matrix", "eigenvalue", "side"):
            _same(name, getattr(stated, name), getattr(self, name))
        if self.side == "lower":
            _at_most("value", stated.value, self.value)
        else:
            _at_most("value", self.value, stated.value)


@dataclass(frozen=True)
class LambdaMin:
    """``lower ≤ λ_min(kernel) ≤ upper``; ``null_rows`` is the support of an exact null vector, if one was shown."""

    kind: ClassVar[str] = "lambda_min"
    lower: Fraction
    upper: Fraction
    null_rows: tuple[int, ...] = ()

    def supports(self, stated: LambdaMin) -> None:
        """Reject a stated interval that does not contain this one, or other null rows."""
        _at_most("lower", stated.lower, self.lower)
        _at_most("upper", self.upper, stated.upper)
        _same("null_rows", stated.null_rows, self.null_rows)


@dataclass(frozen=True)
class Interval:
    """``lower ≤ x ≤ upper``; what ``x`` is, its subclasses say."""

    lower: Fraction
    upper: Fraction

    def supports(self, stated: Interval) -> None:
        """Reject a stated interval that does not contain this one."""
        _at_most("lower", stated.lower, self.lower)
        _at_most("upper", self.upper, stated.upper)


class OperatorNorm(Interval):
    """``‖X‖`` for the matrix of inputs ``X``."""

    kind: ClassVar[str] = "operator_norm"


class ConditionNumber(Interval):
    """``λ_max / λ_min`` of the kernel."""

    kind: ClassVar[str] = "condition_number"


class EffectiveRank(Interval):
    """``trace / λ_max`` of the kernel: its intrinsic dimension (Tropp 2015, Definition 7.1.1)."""

    kind: ClassVar[str] = "effective_rank"


@dataclass(frozen=True)
class Spectrum:
    """``lower_i ≤ λ_i(kernel) ≤ upper_i`` for all n eigenvalues, ``λ_1 ≤ … ≤ λ_n``; both lists ascend."""

    kind: ClassVar[str] = "spectrum"
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]

    def supports(self, stated: Spectrum) -> None:
        """Reject a stated list of another length, or with an interval that does not contain the derived one."""
        _same("number of eigenvalues", len(stated.lower), len(self.lower))
        for k in range(len(self.lower)):
            _at_most(f"lower[{k}]", stated.lower[k], self.lower[k])
            _at_most(f"upper[{k}]", self.upper[k], stated.upper[k])


@dataclass(frozen=True)
class APriori:
    """``lower ≤ λ_min(kernel) ≤ upper`` beside lower bounds known a priori, and how sharp these are.

    ``bounds[k] ≤ λ_min`` by the rule ``rules[k]``, and ``ratio_lower[k] ≤ bounds[k] / λ_min ≤ ratio_upper[k]``.
    """

    kind: ClassVar[str] = "a_priori"
    lower: Fraction
    upper: Fraction
    rules: tuple[str, ...]
    bounds: tuple[Fraction, ...]
    ratio_lower: tuple[Fraction, ...]
    ratio_upper: tuple[Fraction, ...]

    def supports(self, stated: APriori) -> None:
        """Reject other rules or bounds, and intervals that do not contain the derived ones."""
        _same("rules", stated.rules, self.rules)
        _same("bounds", stated.bounds, self.bounds)
        derived, claimed = (((c.lower, *c.ratio_lower), (c.upper, *c.ratio_upper)) for c in (self, stated))
        for k, name in enumerate(("λ_min", *self.rules)):
            _at_most(f"lower end of {name}", claimed[0][k], derived[0][k])
            _at_most(f"upper end of {name}", derived[1][k], claimed[1][k])


QUANTITIES = {
    "residual": "upper",  # ‖r_0‖
    "loewner": "lower",  # s with H_0 ⪰ s H∞
    "initial_deviation": "upper",  # ‖H_0 − H∞‖
    "initial_lambda_min": "lower",  # λ_min(H_0)
    "inverse_form": "upper",  # yᵀ H∞⁻¹ y
    "linearised_path": "upper",  # r_0ᵀ H_0⁻¹ r_0: the squared distance to the solution of the linearised problem
    "jacobian_norm": "upper",  # ‖J‖ everywhere
    "initial_jacobian_norm": "upper",  # ‖J_0‖
    "neuron_jacobian_norm": "upper",  # ‖∂u/∂w_r‖ for every neuron r, everywhere
    "output_weights": "upper",  # max_r |a_r| at initialisation
}


@dataclass(frozen=True)
class Bound:
    """One side (`QUANTITIES`) of a quantity of the network at initialisation."""

    kind: ClassVar[str] = "bound"
    quantity: str
    value: Fraction

    def supports(self, stated: Bound) -> None:
        """Reject a stated bound that is sharper than this one."""
        _same("quantity", stated.quantity, self.quantity)
        small, large = (stated, self) if QUANTITIES[self.quantity] == "lower" else (self, stated)
        _at_most("value", small.value, large.value)


@dataclass(frozen=True)
class JacobianDeviation:
    """``‖J(θ) − J(θ_0)‖ ≤ offset + slope s`` whenever ``‖θ − θ_0‖ ≤ s``, for every s.

    ``lipschitz``: ``yes``, ``slope`` is also a Lipschitz constant of ``J`` everywhere; ``path``, also
    ``‖J(p) − J(q)‖ ≤ offset + slope s`` for any two points of a path of length s from ``θ_0``; or ``no``.
    """

    kind: ClassVar[str] = "jacobian_deviation"
    offset: Fraction
    slope: Fraction
    lipschitz: str

    def supports(self, stated: JacobianDeviation) -> None:
        """Reject a stated deviation that is smaller than this one."""
        _at_most("offset", self.offset, stated.offset)
        _at_most("slope", self.slope, stated.slope)
        if stated.lipschitz == "yes" or (stated.lipschitz == "path" and self.lipschitz == "no"):
            _same("lipschitz", stated.lipschitz, self.lipschitz)


@dataclass(frozen=True)
class Convergence:
    """With probability at least ``1 − failure`` over the initialisation, training at this width converges.

    For ``flow``: ``L(t) ≤ e^{−rate t} L(0)``, ``‖θ_t − θ_0‖ ≤ radius`` and ``‖H_t − H_0‖ ≤ kernel_deviation`` for all
    t ≥ 0.  For ``descent`` with step η the same with ``L(k) ≤ (1 − η rate)^k L(0)``.  ``mean_flow`` is gradient flow on
    ``‖r‖²/(2n)`` in place of ``½‖r‖²``.
    """

    kind: ClassVar[str] = "convergence"
    dynamics: str
    width: Fraction
    rate: Fraction
    failure: Fraction
    radius: Fraction
    kernel_deviation: Fraction

    def supports(self, stated: Convergence) -> None:
        """Reject a stated convergence that is faster, surer or closer than this one, or of another width."""
        _same("dynamics", stated.dynamics, self.dynamics)
        _same("width", stated.width, self.width)
        _at_most("rate", stated.rate, self.rate)
        for name in ("failure", "radius", "kernel_deviation"):
            _at_most(name, getattr(self, name), getattr(stated, name))


@dataclass(frozen=True)
class KernelStability:
    """``‖H(θ) − H(θ_0)‖ ≤ deviation`` for every θ in a ball around ``θ_0``.

    ``ball``: ``parameters``, ``‖θ − θ_0‖ ≤ radius``, or ``neurons``, ``‖w_r − w_r(0)‖ ≤ radius`` for every neuron r.
    """

    kind: ClassVar[str] = "kernel_stability"
    ball: str
    radius: Fraction
    deviation: Fraction

    def supports(self, stated: KernelStability) -> None:
        """Reject another kind of ball, a larger one, and a smaller deviation."""
        _same("ball", stated.ball, self.ball)
        _at_most("radius", stated.radius, self.radius)
        _at_most("deviation", self.deviation, stated.deviation)


@dataclass(frozen=True)
class Trajectory:
    """Gradient flow on ``½‖r‖²``: ``λ_min(H_t) ≥ lambda_min`` and ``‖H_t − H_0‖ ≤ deviation`` for all t ≥ 0."""

    kind: ClassVar[str] = "trajectory"
    lambda_min: Fraction
    deviation: Fraction

    def supports(self, stated: Trajectory) -> None:
        """Reject a larger eigenvalue or a smaller deviation."""
        _at_most("lambda_min", stated.lambda_min, self.lambda_min)
        _at_most("deviation", self.deviation, stated.deviation)


@dataclass(frozen=True)
class LossInequality:
    """``constant (ℓ − ℓ*)^exponent ≤ ‖∇ℓ‖`` on ``ℝⁿ`` where ``ℓ > ℓ* = inf ℓ``, and ``ℓ(u_0) − ℓ* ≤ gap``.

    ``loss``, a function of the outputs u: ``squared``, ``½‖u − y‖²``; ``quartic``, ``¼Σ(u_i − y_i)⁴``; ``custom``,
    another one, continuous, and continuously differentiable where ``ℓ > ℓ*``.
    """

    kind: ClassVar[str] = "loss_inequality"
    loss: str
    exponent: Fraction
    constant: Fraction
    gap: Fraction

    def supports(self, stated: LossInequality) -> None:
        """Reject another loss or exponent, a larger constant and a smaller gap."""
        _same("loss", stated.loss, self.loss)
        _same("exponent", stated.exponent, self.exponent)
        _at_most("constant", stated.constant, self.constant)
        _at_most("gap", self.gap, stated.gap)


@dataclass(frozen=True)
class LossConvergence:
    """With probability at least ``1 − failure``, gradient flow on ``ℓ(u(θ))``, a `LossInequality` loss, converges.

    Its path is no longer than ``radius``, ``‖H_t − H_0‖ ≤ kernel_deviation``, and ``g = ℓ(u_t) − ℓ*`` has
    ``g' ≤ −rate g^{2b}``, b = ``exponent``, until it is 0 and stays 0: ``g(t) ≤ e^{−rate t} g(0)`` for b = ½,
    ``g(t) ≤ (g(0)^{−(2b−1)} + (2b−1) rate t)^{−1/(2b−1)}`` for b > ½, ``g(t) = 0`` from some time on for b < ½.
    """

    kind: ClassVar[str] = "loss_convergence"
    loss: str
    exponent: Fraction
    width: Fraction
    rate: Fraction
    failure: Fraction
    radius: Fraction
    kernel_deviation: Fraction

    def supports(self, stated: LossConvergence) -> None:
        """Reject a convergence that is faster, surer or closer than this one, or of another loss or width."""
        for name in ("loss", "exponent", "width"):
            _same(name, getattr(stated, name), getattr(self, name))
        _at_most("rate", stated.rate, self.rate)
        for name in ("failure", "radius", "kernel_deviation"):
            _at_most(name, getattr(self, name), getattr(stated, name))


@dataclass(frozen=True)
class Mercer:
    """``lower_k ≤ λ_k ≤ upper_k``, k = 0 … K, on the unit sphere of ``ℝ^dimension`` with the uniform distribution.

    ``λ_k`` is the eigenvalue of the kernel's integral operator on the spherical harmonics of degree k.
    """

    kind: ClassVar[str] = "mercer"
    dimension: int
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]

    def supports(self, stated: Mercer) -> None:
        """Reject another dimension or number of frequencies, and an interval that does not contain the derived one."""
        _same("dimension", stated.dimension, self.dimension)
        _same("number of frequencies", len(stated.lower), len(self.lower))
        for k in range(len(self.lower)):
            _at_most(f"lower[{k}]", stated.lower[k], self.lower[k])
            _at_most(f"upper[{k}]", self.upper[k], stated.upper[k])


@dataclass(frozen=True)
class Vanishing:
    """``λ_k = 0`` exactly for every ``k ≥ first`` of this parity; ``λ_k`` and the dimension as in `Mercer`."""

    kind: ClassVar[str] = "vanishing"
    dimension: int
    parity: str
    first: int

    def supports(self, stated: Vanishing) -> None:
        """Reject another dimension or parity, and a smaller first frequency."""
        _same("dimension", stated.dimension, self.dimension)
        _same("parity", stated.parity, self.parity)
        _at_most("first", Fraction(self.first), Fraction(stated.first))


Claim = (
    Enclosure
    | EigenvalueBound
    | LambdaMin
    | OperatorNorm
    | ConditionNumber
    | EffectiveRank
    | Spectrum
    | APriori
    | Bound
    | JacobianDeviation
    | Convergence
    | KernelStability
    | Trajectory
    | LossInequality
    | LossConvergence
    | Mercer
    | Vanishing
)


def _same(name: str, stated: object, derived: object) -> None:
    if stated != derived:
        raise Rejection("claim-differs", f"the stated {name} is not the derived one", str(stated), str(derived))


def _at_most(name: str, small: Fraction, large: Fraction) -> None:
    if small <= large:
        return
    raise Rejection(
        "claim-not-derived",
        f"the stated {name} is sharper than what follows",
        f"{name}: {show(small)} <= {show(large)}",
        "false",
    )


def show(value: Fraction, digits: int = 17) -> str:
    """Return a short decimal for messages (rounded; never used to decide)."""
    if value == 0:
        return "0"
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    power = bits * 30103 // 100000 - digits
    return f"{round(value / Fraction(10) ** power)}e{power}"


# Reading --------------------------------------------------------------------------------------------------------


def parse_claim(raw: Mapping[str, Any]) -> Claim:
    """Return the claim a certificate states.

    Raises:
        Rejection: ``bad-claim`` when a field is missing, unknown, of the wrong type or out of range.
    """
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in _READERS:
        raise Rejection("bad-claim", f"unknown kind of claim {str(kind)[:60]!r}; there are {', '.join(_READERS)}")
    return _READERS[kind](_Fields(raw))


class _Fields:
    """Takes the fields of a claim one by one; what is left over at the end is an error."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._left = dict(raw)
        self._kind = self._left.pop("kind")

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise Rejection("bad-claim", f"the claim {self._kind} lacks the field {name!r}")
        return self._left.pop(name)

    def integer(self, name: str) -> int:
        value = self._take(name)
        if type(value) is not int:
            raise Rejection("bad-claim", f"{self._kind}.{name}: expected an integer")
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self._take(name)
        if not isinstance(value, str) or value not in allowed:
            raise Rejection("bad-claim", f"{self._kind}.{name}: expected one of {', '.join(allowed)}")
        return value

    def number(self, name: str) -> Fraction:
        value = self._take(name)
        try:
            return parse_decimal(value)
        except InputError:
            raise Rejection("bad-claim", f"{self._kind}.{name}: expected a decimal string") from None

    def number_list(self, name: str) -> tuple[Fraction, ...]:
        values = self._take(name)
        if not isinstance(values, list) or not values:
            raise Rejection("bad-claim", f"{self._kind}.{name}: expected a list of decimal strings")
        try:
            return tuple(parse_decimal(value) for value in values)
        except InputError as error:
            raise Rejection("bad-claim", f"{self._kind}.{name}: {error}") from None

    def choice_list(self, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        values = self._take(name)
        if not isinstance(values, list) or any(value not in allowed for value in values):
            raise Rejection("bad-claim", f"{self._kind}.{name}: expected a list of {', '.join(allowed)}")
        return tuple(values)

    def rows(self, name: str) -> tuple[int, ...]:
        value = self._left.pop(name, [])
        if not isinstance(value, list) or any(type(k) is not int for k in value):
            raise Rejection("bad-claim", f"{self._kind}.{name}: expected a list of integers")
        return tuple(value)

    def done(self) -> None:
        for name in self._left:
            raise Rejection("bad-claim", f"{self._kind}: unknown field {name!r}")


def _enclosure(fields: _Fields) -> Claim:
    claim = Enclosure(fields.choice("matrix", MATRICES), fields.integer("precision"), fields.integer("radius"))
    fields.done()
    return claim


def _eigenvalue_bound(fields: _Fields) -> Claim:
    claim = EigenvalueBound(
        fields.choice("matrix", MATRICES),
        fields.choice("eigenvalue", ("min", "max")),
        fields.choice("side", ("lower", "upper")),
        fields.number("value"),
    )
    fields.done()
    return claim


def _lambda_min(fields: _Fields) -> Claim:
    claim = LambdaMin(fields.number("lower"), fields.number("upper"), fields.rows("null_rows"))
    fields.done()
    return claim


def _interval(kind: type[OperatorNorm | ConditionNumber | EffectiveRank]) -> Callable[[_Fields], Claim]:
    def read(fields: _Fields) -> Claim:
        claim = kind(fields.number("lower"), fields.number("upper"))
        fields.done()
        return claim

    return read


def _spectrum(fields: _Fields) -> Claim:
    claim = Spectrum(fields.number_list("lower"), fields.number_list("upper"))
    fields.done()
    if len(claim.lower) != len(claim.upper):
        raise Rejection("bad-claim", f"spectrum: {len(claim.lower)} lower and {len(claim.upper)} upper ends")
    for ends in (claim.lower, claim.upper):
        if any(a > b for a, b in pairwise(ends)):
            raise Rejection("bad-claim", "spectrum: the ends must ascend")
    return claim


def _a_priori(fields: _Fields) -> Claim:
    claim = APriori(
        fields.number("lower"),
        fields.number("upper"),
        fields.choice_list("rules", A_PRIORI),
        fields.number_list("bounds"),
        fields.number_list("ratio_lower"),
        fields.number_list("ratio_upper"),
    )
    fields.done()
    if {len(x) for x in (claim.bounds, claim.ratio_lower, claim.ratio_upper)} != {len(claim.rules)}:
        raise Rejection("bad-claim", "a_priori: the lists differ in length")
    return claim


def _bound(fields: _Fields) -> Claim:
    claim = Bound(fields.choice("quantity", tuple(QUANTITIES)), fields.number("value"))
    fields.done()
    return claim


def _jacobian_deviation(fields: _Fields) -> Claim:
    claim = JacobianDeviation(
        fields.number("offset"), fields.number("slope"), fields.choice("lipschitz", ("yes", "path", "no"))
    )
    fields.done()
    return claim


def _convergence(fields: _Fields) -> Claim:
    dynamics = fields.choice("dynamics", ("flow", "descent", "mean_flow"))
    names = ("width", "rate", "failure", "radius", "kernel_deviation")
    claim = Convergence(dynamics, *(fields.number(name) for name in names))
    fields.done()
    return claim


def _kernel_stability(fields: _Fields) -> Claim:
    claim = KernelStability(fields.choice("ball", BALLS), fields.number("radius"), fields.number("deviation"))
    fields.done()
    return claim


def _trajectory(fields: _Fields) -> Claim:
    claim = Trajectory(fields.number("lambda_min"), fields.number("deviation"))
    fields.done()
    return claim


def _loss_inequality(fields: _Fields) -> Claim:
    names = ("exponent", "constant", "gap")
    claim = LossInequality(fields.choice("loss", LOSSES), *(fields.number(name) for name in names))
    fields.done()
    return claim


def _loss_convergence(fields: _Fields) -> Claim:
    names = ("exponent", "width", "rate", "failure", "radius", "kernel_deviation")
    claim = LossConvergence(fields.choice("loss", LOSSES), *(fields.number(name) for name in names))
    fields.done()
    return claim


def _mercer(fields: _Fields) -> Claim:
    claim = Mercer(fields.integer("dimension"), fields.number_list("lower"), fields.number_list("upper"))
    fields.done()
    if len(claim.lower) != len(claim.upper):
        raise Rejection("bad-claim", f"mercer: {len(claim.lower)} lower and {len(claim.upper)} upper ends")
    return claim


def _vanishing(fields: _Fields) -> Claim:
    claim = Vanishing(fields.integer("dimension"), fields.choice("parity", PARITIES), fields.integer("first"))
    fields.done()
    return claim


_READERS: dict[str, Callable[[_Fields], Claim]] = {
    Mercer.kind: _mercer,
    Vanishing.kind: _vanishing,
    Bound.kind: _bound,
    JacobianDeviation.kind: _jacobian_deviation,
    Convergence.kind: _convergence,
    KernelStability.kind: _kernel_stability,
    Trajectory.kind: _trajectory,
    LossInequality.kind: _loss_inequality,
    LossConvergence.kind: _loss_convergence,
    Enclosure.kind: _enclosure,
    EigenvalueBound.kind: _eigenvalue_bound,
    LambdaMin.kind: _lambda_min,
    OperatorNorm.kind: _interval(OperatorNorm),
    ConditionNumber.kind: _interval(ConditionNumber),
    EffectiveRank.kind: _interval(EffectiveRank),
    Spectrum.kind: _spectrum,
    APriori.kind: _a_priori,
}


def to_fields(claim: Claim) -> dict[str, Any]:
    """Return a claim as a certificate states it."""
    raw: dict[str, Any] = {"kind": claim.kind}
    for name, value in vars(claim).items():
        if isinstance(value, Fraction):
            raw[name] = decimal(value)
        elif isinstance(value, tuple):
            if value:
                raw[name] = [decimal(x) if isinstance(x, Fraction) else x for x in value]
        else:
            raw[name] = value
    return raw

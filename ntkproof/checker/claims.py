"""What can be concluded: each kind of claim, its exact reading from a certificate, and what it follows from.

Trusted.  A claim derived by a rule `supports` the claim a certificate states when the stated one is equal or
weaker; numbers are compared as exact rationals.  A claim is a dataclass; each field says how it is read and which
way it may be stated: exactly, or as a lower or an upper bound.  A new kind of claim is one class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
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
MATRICES = ("kernel", "initial_kernel", "inputs", "inputs_squared", *(f"power-{k}" for k in POWERS))
PARITIES = ("even", "odd")
BALLS = ("parameters", "neurons")
LOSSES = ("squared", "quartic", "custom")
A_PRIORI = ("separation", "separation_log", "khatri_rao", "gershgorin")
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


# How a field is read, and which way it may be weakened ----------------------------------------------------------

SAME, LOWER, UPPER = "same", "lower", "upper"
Read = Callable[[str, Any], Any]


def _integer(where: str, value: Any) -> int:
    if type(value) is not int:
        raise Rejection("bad-claim", f"{where}: expected an integer")
    return value


def _number(where: str, value: Any) -> Fraction:
    try:
        return parse_decimal(value)
    except InputError:
        raise Rejection("bad-claim", f"{where}: expected a decimal string") from None


def _list_of(read: Read, least: int = 1) -> Read:
    def read_list(where: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise Rejection("bad-claim", f"{where}: expected a list of at least {least} entries")
        return tuple(read(f"{where}[{k}]", element) for k, element in enumerate(value))

    return read_list


def _word(allowed: tuple[str, ...]) -> Read:
    def read_word(where: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Rejection("bad-claim", f"{where}: expected one of {', '.join(allowed)}")
        return value

    return read_word


def _field(read: Read, way: str | tuple[str, ...] = SAME, **options: Any) -> Any:
    """Declare a field; ``way`` is SAME, LOWER, UPPER, the name of an attribute that says which, or words in order.

    Of words in order, an earlier one may be stated in place of a later one.
    """
    return field(metadata={"read": read, "way": way}, **options)


@dataclass(frozen=True)
class Claim:
    """What a step states and a rule derives."""

    kind: ClassVar[str]

    def supports(self, stated: Any) -> None:
        """Reject a stated claim of this kind that does not follow from this one."""
        for each in fields(self):
            way = each.metadata["way"]
            way = getattr(self, way) if isinstance(way, str) and way not in (SAME, LOWER, UPPER) else way
            _follows(each.name, way, getattr(stated, each.name), getattr(self, each.name))

    def flaw(self) -> str:
        """Return what is wrong between the fields, or an empty string."""
        return ""


def _follows(name: str, way: str | tuple[str, ...], stated: Any, derived: Any) -> None:
    if isinstance(way, tuple):
        if way.index(stated) > way.index(derived):
            _same(name, stated, derived)
    elif way == SAME:
        _same(name, stated, derived)
    elif isinstance(derived, tuple):
        _same(f"length of {name}", len(stated), len(derived))
        for k, (one, other) in enumerate(zip(stated, derived, strict=True)):
            _follows(f"{name}[{k}]", way, one, other)
    elif way == LOWER:
        _at_most(name, stated, derived)
    else:
        _at_most(name, derived, stated)


def _same(name: str, stated: object, derived: object) -> None:
    if stated != derived:
        raise Rejection("claim-differs", f"the stated {name} is not the derived one", str(stated), str(derived))


def _at_most(name: str, small: Fraction | int, large: Fraction | int) -> None:
    if small <= large:
        return
    raise Rejection(
        "claim-not-derived",
        f"the stated {name} is sharper than what follows",
        f"{name}: {show(small)} <= {show(large)}",
        "false",
    )


def show(value: Fraction | int, digits: int = 17) -> str:
    """Return a short decimal for messages (rounded; never used to decide)."""
    if value == 0:
        return "0"
    value = Fraction(value)
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    if abs(bits) > 8000:  # the decimal digits would take longer than the proof
        return f"{'-' if value < 0 else ''}2^{bits}"
    power = bits * 30103 // 100000 - digits
    return f"{round(value / Fraction(10) ** power)}e{power}"


# The claims -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Enclosure(Claim):
    """``‖M − 2^-precision A‖ ≤ 2^-precision radius`` for the integer matrix ``A`` the checker holds.

    ``matrix`` says what ``M`` is: ``kernel`` (the problem's Gram matrix), ``inputs`` (``XXᵀ`` or ``XᵀX``),
    ``inputs_squared`` (``K∘K`` of ``K = XXᵀ``) or ``power-k`` (``Σ¹_ij ρ_ij^{k−1}``, ρ the cosines of the first
    layer's covariance ``Σ¹``).
    """

    kind: ClassVar[str] = "enclosure"
    matrix: str = _field(_word(MATRICES))
    precision: int = _field(_integer)
    radius: int = _field(_integer, UPPER)


@dataclass(frozen=True)
class EigenvalueBound(Claim):
    """One side of an extreme eigenvalue: ``λ_min`` or ``λ_max`` of ``matrix`` is ``≥`` or ``≤`` ``value``."""

    kind: ClassVar[str] = "eigenvalue_bound"
    matrix: str = _field(_word(MATRICES))
    eigenvalue: str = _field(_word(("min", "max")))
    side: str = _field(_word((LOWER, UPPER)))
    value: Fraction = _field(_number, "side")


@dataclass(frozen=True)
class Interval(Claim):
    """``lower ≤ x ≤ upper``; what ``x`` is, its subclasses say."""

    lower: Fraction = _field(_number, LOWER)
    upper: Fraction = _field(_number, UPPER)


@dataclass(frozen=True)
class LambdaMin(Interval):
    """``λ_min`` of the kernel; ``null_rows`` is the support of an exact null vector, if one was shown."""

    kind: ClassVar[str] = "lambda_min"
    null_rows: tuple[int, ...] = _field(_list_of(_integer, 0), default=())


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
class Spectrum(Claim):
    """``lower_i ≤ λ_i(kernel) ≤ upper_i`` for all n eigenvalues, ``λ_1 ≤ … ≤ λ_n``; both lists ascend."""

    kind: ClassVar[str] = "spectrum"
    lower: tuple[Fraction, ...] = _field(_list_of(_number), LOWER)
    upper: tuple[Fraction, ...] = _field(_list_of(_number), UPPER)

    def flaw(self) -> str:
        if len(self.lower) != len(self.upper):
            return f"{len(self.lower)} lower and {len(self.upper)} upper ends"
        ascends = all(a <= b for ends in (self.lower, self.upper) for a, b in pairwise(ends))
        return "" if ascends else "the ends must ascend"


@dataclass(frozen=True)
class APriori(Interval):
    """``λ_min`` of the kernel beside lower bounds known a priori, and how sharp these are.

    ``bounds[k] ≤ λ_min`` by the rule ``rules[k]``, and ``ratio_lower[k] ≤ bounds[k] / λ_min ≤ ratio_upper[k]``.
    """

    kind: ClassVar[str] = "a_priori"
    rules: tuple[str, ...] = _field(_list_of(_word(A_PRIORI), 0))
    bounds: tuple[Fraction, ...] = _field(_list_of(_number))
    ratio_lower: tuple[Fraction, ...] = _field(_list_of(_number), LOWER)
    ratio_upper: tuple[Fraction, ...] = _field(_list_of(_number), UPPER)

    def flaw(self) -> str:
        lengths = {len(x) for x in (self.rules, self.bounds, self.ratio_lower, self.ratio_upper)}
        return "" if len(lengths) == 1 else "the lists differ in length"


@dataclass(frozen=True)
class Bound(Claim):
    """One side (`QUANTITIES`) of a quantity of the network at initialisation."""

    kind: ClassVar[str] = "bound"
    quantity: str = _field(_word(tuple(QUANTITIES)))
    value: Fraction = _field(_number, "side")

    @property
    def side(self) -> str:
        """Whether ``value`` is a lower or an upper bound."""
        return QUANTITIES[self.quantity]


@dataclass(frozen=True)
class JacobianDeviation(Claim):
    """``‖J(θ) − J(θ_0)‖ ≤ offset + slope s`` whenever ``‖θ − θ_0‖ ≤ s``, for every s.

    ``lipschitz``: ``yes``, ``slope`` is also a Lipschitz constant of ``J`` everywhere; ``path``, also
    ``‖J(p) − J(q)‖ ≤ offset + slope s`` for any two points of a path of length s from ``θ_0``; or ``no``.
    """

    kind: ClassVar[str] = "jacobian_deviation"
    offset: Fraction = _field(_number, UPPER)
    slope: Fraction = _field(_number, UPPER)
    lipschitz: str = _field(_word(("no", "path", "yes")), ("no", "path", "yes"))


@dataclass(frozen=True)
class LocalDeviation(Claim):
    """For ``‖θ − θ_0‖ ≤ radius``: ``‖J(θ) − J(θ_0)‖ ≤ offset + slope ‖θ − θ_0‖`` and ``‖J(θ)‖ ≤ norm``.

    ``lipschitz``: ``yes``, ``slope`` is also a Lipschitz constant of ``J`` on that ball and ``offset`` is 0; ``path``,
    also ``‖J(p) − J(q)‖ ≤ offset + slope s`` for any two points of a path of length ``s ≤ radius`` from θ_0; ``no``.
    """

    kind: ClassVar[str] = "local_deviation"
    radius: Fraction = _field(_number, LOWER)
    offset: Fraction = _field(_number, UPPER)
    slope: Fraction = _field(_number, UPPER)
    lipschitz: str = _field(_word(("no", "path", "yes")), ("no", "path", "yes"))
    norm: Fraction = _field(_number, UPPER)

    def flaw(self) -> str:
        return "a Lipschitz constant needs the offset 0" if self.lipschitz == "yes" and self.offset != 0 else ""


@dataclass(frozen=True)
class Quantities(Claim):
    """Of a network at given weights: ``‖r_0‖ ≤ residual``, ``λ_min(H_0) ≥ lambda_min``, ``‖J_0‖ ≤ jacobian_norm``.

    ``weight_norms[l−1] ≥ ‖W^l‖``, l ≤ L; ``largest[l−1] ≥ max_{i,r} |∂f(x_i)/∂x^l_r|``, the back-propagated vectors of
    the hidden layers up to the last trained one; ``margin ≤ min_{i,r} |z^1_r(x_i)|``, how far the samples are from the
    hyperplanes of the first layer.
    """

    kind: ClassVar[str] = "quantities"
    residual: Fraction = _field(_number, UPPER)
    lambda_min: Fraction = _field(_number, LOWER)
    jacobian_norm: Fraction = _field(_number, UPPER)
    weight_norms: tuple[Fraction, ...] = _field(_list_of(_number), UPPER)
    largest: tuple[Fraction, ...] = _field(_list_of(_number), UPPER)
    margin: Fraction = _field(_number, LOWER)


@dataclass(frozen=True)
class NearbyPoint(Claim):
    """There is a point p with ``‖p − θ_0‖ ≤ distance``, ``‖u(p) − y‖ ≤ residual`` and ``λ_min(J_p J_pᵀ) ≥ lambda_min``.

    ``u`` are the outputs on the data and ``J_p`` their Jacobian at p.
    """

    kind: ClassVar[str] = "nearby_point"
    distance: Fraction = _field(_number, UPPER)
    residual: Fraction = _field(_number, UPPER)
    lambda_min: Fraction = _field(_number, LOWER)


@dataclass(frozen=True)
class TubeDeviation(Claim):
    """``‖D‖ ≤ deviation`` for all D that are like a change of J by flips in a tube.

    The blocks are ``D_ir = m^{-1/2} a_r c_ri x_iᵀ`` with ``|c_ri|`` at most the jump of σ', and 0 unless
    ``|w_r(0)·x_i| ≤ tau ‖x_i‖``.
    """

    kind: ClassVar[str] = "tube_deviation"
    tau: Fraction = _field(_number)
    deviation: Fraction = _field(_number, UPPER)


@dataclass(frozen=True)
class Convergence(Claim):
    """With probability at least ``1 − failure`` over the initialisation, training at this width converges.

    For ``flow``: ``L(t) ≤ e^{−rate t} L(0)``, ``‖θ_t − θ_0‖ ≤ radius`` and ``‖H_t − H_0‖ ≤ kernel_deviation`` for all
    t ≥ 0.  For ``descent`` with step η the same with ``L(k) ≤ (1 − η rate)^k L(0)``.  ``mean_flow`` is gradient flow on
    ``‖r‖²/(2n)`` in place of ``½‖r‖²``.
    """

    kind: ClassVar[str] = "convergence"
    dynamics: str = _field(_word(("flow", "descent", "mean_flow")))
    width: Fraction = _field(_number)
    rate: Fraction = _field(_number, LOWER)
    failure: Fraction = _field(_number, UPPER)
    radius: Fraction = _field(_number, UPPER)
    kernel_deviation: Fraction = _field(_number, UPPER)

    def flaw(self) -> str:
        return "" if self.failure < 1 else "a failure probability of 1 or more says nothing"


@dataclass(frozen=True)
class KernelStability(Claim):
    """``‖H(θ) − H(θ_0)‖ ≤ deviation`` for every θ in a ball around ``θ_0``.

    ``ball``: ``parameters``, ``‖θ − θ_0‖ ≤ radius``, or ``neurons``, ``‖w_r − w_r(0)‖ ≤ radius`` for every neuron r.
    """

    kind: ClassVar[str] = "kernel_stability"
    ball: str = _field(_word(BALLS))
    radius: Fraction = _field(_number, LOWER)
    deviation: Fraction = _field(_number, UPPER)


@dataclass(frozen=True)
class Trajectory(Claim):
    """Gradient flow on ``½‖r‖²``: ``λ_min(H_t) ≥ lambda_min`` and ``‖H_t − H_0‖ ≤ deviation`` for all t ≥ 0."""

    kind: ClassVar[str] = "trajectory"
    lambda_min: Fraction = _field(_number, LOWER)
    deviation: Fraction = _field(_number, UPPER)


@dataclass(frozen=True)
class LossInequality(Claim):
    """``constant (ℓ − ℓ*)^exponent ≤ ‖∇ℓ‖`` on ``ℝⁿ`` where ``ℓ > ℓ* = inf ℓ``, and ``ℓ(u_0) − ℓ* ≤ gap``.

    ``loss``, a function of the outputs u: ``squared``, ``½‖u − y‖²``; ``quartic``, ``¼Σ(u_i − y_i)⁴``; ``custom``,
    another one, continuous, and continuously differentiable where ``ℓ > ℓ*``.
    """

    kind: ClassVar[str] = "loss_inequality"
    loss: str = _field(_word(LOSSES))
    exponent: Fraction = _field(_number)
    constant: Fraction = _field(_number, LOWER)
    gap: Fraction = _field(_number, UPPER)


@dataclass(frozen=True)
class LossConvergence(Claim):
    """With probability at least ``1 − failure``, gradient flow on ``ℓ(u(θ))``, a `LossInequality` loss, converges.

    Its path is no longer than ``radius``, ``‖H_t − H_0‖ ≤ kernel_deviation``, and ``g = ℓ(u_t) − ℓ*`` has
    ``g' ≤ −rate g^{2b}``, b = ``exponent``, until it is 0 and stays 0: ``g(t) ≤ e^{−rate t} g(0)`` for b = ½,
    ``g(t) ≤ (g(0)^{−(2b−1)} + (2b−1) rate t)^{−1/(2b−1)}`` for b > ½, ``g(t) = 0`` from some time on for b < ½.
    """

    kind: ClassVar[str] = "loss_convergence"
    loss: str = _field(_word(LOSSES))
    exponent: Fraction = _field(_number)
    width: Fraction = _field(_number)
    rate: Fraction = _field(_number, LOWER)
    failure: Fraction = _field(_number, UPPER)
    radius: Fraction = _field(_number, UPPER)
    kernel_deviation: Fraction = _field(_number, UPPER)


@dataclass(frozen=True)
class LayerNorms(Claim):
    """``‖W^l‖ ≤ norms[l−1]`` at the start, l = 1 … D + 1, and ``‖b^l‖ ≤ biases[l−1]`` unless ``biases`` is empty.

    ``norms`` bounds operator norms, ``biases`` Euclidean ones.
    """

    kind: ClassVar[str] = "layer_norms"
    norms: tuple[Fraction, ...] = _field(_list_of(_number), UPPER)
    biases: tuple[Fraction, ...] = _field(_list_of(_number, 0), UPPER, default=())

    def flaw(self) -> str:
        same = len(self.biases) in (0, len(self.norms))
        return "" if same else f"{len(self.norms)} norms and {len(self.biases)} biases"


@dataclass(frozen=True)
class GradientBound(Claim):
    """With probability at least ``1 − failure``, for every θ with ``‖θ − θ_0‖ ≤ radius`` and every sample i:

    ``‖∇_θ f(x_i; θ)‖ ≤ gradient`` and ``‖J(θ)‖ ≤ jacobian``.  Where σ has a kink any slope between its two may stand
    for σ'.
    """

    kind: ClassVar[str] = "gradient_bound"
    radius: Fraction = _field(_number, LOWER)
    failure: Fraction = _field(_number, UPPER)
    gradient: Fraction = _field(_number, UPPER)
    jacobian: Fraction = _field(_number, UPPER)

    def flaw(self) -> str:
        return "" if self.failure < 1 else "a failure probability of 1 or more says nothing"


@dataclass(frozen=True)
class HessianBound(Claim):
    """With probability at least ``1 − failure``, in the ball ``‖θ − θ_0‖ ≤ radius``:

    ``‖∇²_θ f(x_i; θ)‖ ≤ hessian`` for every sample i, and ``lipschitz`` is a Lipschitz constant of ``J``.
    """

    kind: ClassVar[str] = "hessian_bound"
    radius: Fraction = _field(_number, LOWER)
    failure: Fraction = _field(_number, UPPER)
    hessian: Fraction = _field(_number, UPPER)
    lipschitz: Fraction = _field(_number, UPPER)

    def flaw(self) -> str:
        return "" if self.failure < 1 else "a failure probability of 1 or more says nothing"


@dataclass(frozen=True)
class Mercer(Claim):
    """``lower_k ≤ λ_k ≤ upper_k``, k = 0 … K, on the unit sphere of ``ℝ^dimension`` with the uniform distribution.

    ``λ_k`` is the eigenvalue of the kernel's integral operator on the spherical harmonics of degree k.
    """

    kind: ClassVar[str] = "mercer"
    dimension: int = _field(_integer)
    lower: tuple[Fraction, ...] = _field(_list_of(_number), LOWER)
    upper: tuple[Fraction, ...] = _field(_list_of(_number), UPPER)

    def flaw(self) -> str:
        same = len(self.lower) == len(self.upper)
        return "" if same else f"{len(self.lower)} lower and {len(self.upper)} upper ends"


@dataclass(frozen=True)
class Vanishing(Claim):
    """``λ_k = 0`` exactly for every ``k ≥ first`` of this parity; ``λ_k`` and the dimension as in `Mercer`."""

    kind: ClassVar[str] = "vanishing"
    dimension: int = _field(_integer)
    parity: str = _field(_word(PARITIES))
    first: int = _field(_integer, UPPER)


KINDS: dict[str, type[Claim]] = {
    claim.kind: claim
    for claim in (
        Enclosure,
        EigenvalueBound,
        LambdaMin,
        OperatorNorm,
        ConditionNumber,
        EffectiveRank,
        Spectrum,
        APriori,
        Bound,
        JacobianDeviation,
        LocalDeviation,
        NearbyPoint,
        Quantities,
        TubeDeviation,
        Convergence,
        KernelStability,
        Trajectory,
        LossInequality,
        LossConvergence,
        LayerNorms,
        GradientBound,
        HessianBound,
        Mercer,
        Vanishing,
    )
}


# Reading and writing --------------------------------------------------------------------------------------------


def parse_claim(raw: Mapping[str, Any]) -> Claim:
    """Return the claim a certificate states.

    Raises:
        Rejection: ``bad-claim`` when a field is missing, unknown, of the wrong type or out of range.
    """
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Rejection("bad-claim", f"unknown kind of claim {str(kind)[:60]!r}; there are {', '.join(KINDS)}")
    declared = {each.name: each for each in fields(KINDS[kind])}
    for name in raw:
        if name != "kind" and name not in declared:
            raise Rejection("bad-claim", f"{kind}: unknown field {name!r}")
    for name, each in declared.items():
        if name not in raw and each.default is MISSING:
            raise Rejection("bad-claim", f"the claim {kind} lacks the field {name!r}")
    read = {name: each.metadata["read"](f"{kind}.{name}", raw[name]) for name, each in declared.items() if name in raw}
    claim = KINDS[kind](**read)
    flaw = claim.flaw()
    if flaw:
        raise Rejection("bad-claim", f"{kind}: {flaw}")
    return claim


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

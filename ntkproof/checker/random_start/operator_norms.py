"""Deep networks: norms of the layers at a gaussian start, and bounds of gradient and Hessian in a ball around it.

Trusted.  Lemmas 4.1 to 4.3 of Bowman (2023) with every constant, for ``D`` hidden layers of width m, all parameters
trained.  Proofs: ``docs/proofs/operator-norms.md``.  Notation: ``s_l`` scales layer l (σ_w times ``d^{-1/2}`` or 1 for
l = 1, σ_w ``m^{-1/2}`` above), ``B1``, ``B2`` bound ``|σ'|``, ``|σ''|``; θ is any point of the ball of radius R.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from ntkproof.checker.activations.expressions import parse
from ntkproof.checker.activations.facts import activation_facts, height_squared
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.activations.taylor import jet
from ntkproof.checker.arithmetic.exact import integer_rows
from ntkproof.checker.arithmetic.scalars import lower, root, upper
from ntkproof.checker.logic.arguments import in_open_unit, positive, total_failure
from ntkproof.checker.logic.claim import LOWER, START, UPPER, Claim, Rejection, claim_field
from ntkproof.checker.logic.reading import listed, number
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from ntkproof.checker.arithmetic.protocols import Numbers, Scalars
    from ntkproof.checker.problem.problem import Problem
    from ntkproof.checker.problem.training import Training


@dataclass(frozen=True)
class LayerNorms(Claim):
    """``‖W^l‖ ≤ norms[l−1]`` at the start, l = 1 … D + 1, and ``‖b^l‖ ≤ biases[l−1]`` unless ``biases`` is empty.

    ``norms`` bounds operator norms, ``biases`` Euclidean ones.
    """

    kind: ClassVar[str] = "layer_norms"
    norms: tuple[Fraction, ...] = claim_field(listed(number, 1), UPPER)
    biases: tuple[Fraction, ...] = claim_field(listed(number), UPPER, default=())

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
    concludes: ClassVar[bool] = True
    about: ClassVar[str] = START
    probable: ClassVar[bool] = True
    radius: Fraction = claim_field(number, LOWER)
    failure: Fraction = claim_field(number, UPPER)
    gradient: Fraction = claim_field(number, UPPER)
    jacobian: Fraction = claim_field(number, UPPER)

    def flaw(self) -> str:
        return "" if self.failure < 1 else "a failure probability of 1 or more says nothing"


@dataclass(frozen=True)
class HessianBound(Claim):
    """With probability at least ``1 − failure``, in the ball ``‖θ − θ_0‖ ≤ radius``:

    ``‖∇²_θ f(x_i; θ)‖ ≤ hessian`` for every sample i, and ``lipschitz`` is a Lipschitz constant of ``J``.
    """

    kind: ClassVar[str] = "hessian_bound"
    concludes: ClassVar[bool] = True
    about: ClassVar[str] = START
    probable: ClassVar[bool] = True
    radius: Fraction = claim_field(number, LOWER)
    failure: Fraction = claim_field(number, UPPER)
    hessian: Fraction = claim_field(number, UPPER)
    lipschitz: Fraction = claim_field(number, UPPER)

    def flaw(self) -> str:
        return "" if self.failure < 1 else "a failure probability of 1 or more says nothing"


GAUSSIAN_LAYERS = "all weights and biases are independent standard normal at initialisation"


@dataclass(frozen=True)
class Layers:
    """A network and what bounds its parameters at every θ; rationals, or numbers of one context.

    Args:
        norms: upper bounds of ``‖W^l‖``, l = 1 … D + 1.
        biases: the same of ``‖b^l‖``, or empty when β = 0.
        width: m.
        fan_in: the first layer is divided by its square root: d or 1.
        weight_std, bias: σ_w and β.
        at_zero: at least ``|σ(0)|``.
        slope_squared: at least ``B1²``.
        curvature_squared: at least ``B2²``; None when σ is not C².
        height_squared: at least ``sup σ²``; None when σ is not known to be bounded.
    """

    norms: tuple[Any, ...]
    biases: tuple[Any, ...]
    width: Any
    fan_in: Any
    weight_std: Any
    bias: Any
    at_zero: Any
    slope_squared: Any
    curvature_squared: Any
    height_squared: Any

    def within(self, numbers: Numbers) -> Layers:
        """Return the same as numbers of a context."""

        def convert(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(convert(x) for x in value)
            return None if value is None else numbers.rational(value)

        return Layers(*(convert(getattr(self, each.name)) for each in fields(self)))


# The bounds, over any number context ----------------------------------------------------------------------------


def gaussian_excess(numbers: Scalars, events: Any, failure: Any) -> Any:
    """``t = √(2 log(k/p))``: each of k events fails with probability ``e^{−t²/2} = p/k`` at most."""
    return numbers.sqrt(2 * numbers.log(events / failure))


def gaussian_norm(numbers: Numbers, rows: Any, columns: Any, excess: Any) -> Any:
    """``√n_l + √n_{l−1} + t``."""
    return numbers.sqrt(rows) + numbers.sqrt(columns) + excess


def gaussian_length(numbers: Numbers, rows: Any, excess: Any) -> Any:
    """``√n_l + t``."""
    return numbers.sqrt(rows) + excess


def scales(numbers: Numbers, layers: Layers) -> list[Any]:
    """``s_1 … s_{D+1}``."""
    first = layers.weight_std / numbers.sqrt(layers.fan_in)
    return [first] + [layers.weight_std / numbers.sqrt(layers.width)] * (len(layers.norms) - 1)


def activities(numbers: Numbers, layers: Layers, square: Any) -> list[Any]:
    """Bounds of ``‖x^0‖ … ‖x^D‖`` for ``‖x^0‖² = square``.

    ``‖z^l‖ ≤ s_l ‖W^l‖ ‖x^{l−1}‖ + β‖b^l‖`` and ``‖σ(z)‖ ≤ |σ(0)|√m + B1 ‖z‖``, or ``√m sup|σ|`` when that is known.
    """
    found, root = [numbers.sqrt(square)], numbers.sqrt(layers.width)
    for layer, scale in enumerate(scales(numbers, layers)[:-1]):
        z = scale * layers.norms[layer] * found[-1]
        if layers.biases:
            z = z + layers.bias * layers.biases[layer]
        if layers.height_squared is None:
            found.append(layers.at_zero * root + numbers.sqrt(layers.slope_squared) * z)
        else:
            found.append(numbers.sqrt(layers.height_squared) * root)
    return found


def sensitivities(numbers: Numbers, layers: Layers) -> list[Any]:
    """Bounds of ``‖∂f/∂z^1‖ … ‖∂f/∂z^{D+1}‖ = 1``: ``‖g^l‖ ≤ B1 s_{l+1} ‖W^{l+1}‖ ‖g^{l+1}‖``."""
    found, slope = [numbers.rational(1)], numbers.sqrt(layers.slope_squared)
    for norm, scale in zip(layers.norms[:0:-1], scales(numbers, layers)[:0:-1], strict=True):
        found.append(slope * scale * norm * found[-1])
    return found[::-1]


def reaches(numbers: Numbers, layers: Layers, square: Any) -> list[Any]:
    """``a_l² = s_l² ‖x^{l−1}‖² + β²``, l = 1 … D + 1: ``‖z^l‖`` moves by ``a_l`` per unit of ``(W^l, b^l)``."""
    pairs = zip(scales(numbers, layers), activities(numbers, layers, square), strict=True)
    return [scale * scale * x * x + layers.bias * layers.bias for scale, x in pairs]


def gradient_square(numbers: Numbers, layers: Layers, square: Any) -> Any:
    """``Σ_l ‖g^l‖² a_l² ≥ ‖∇f(x; θ)‖²``, ``‖x‖² = square``."""
    pairs = zip(sensitivities(numbers, layers), reaches(numbers, layers, square), strict=True)
    total = numbers.rational(0)
    for g, reach in pairs:
        total = total + g * g * reach
    return total


def hessian_square(numbers: Numbers, layers: Layers, square: Any) -> Any:
    """``‖M‖_F² ≥ ‖∇²f(x; θ)‖²``, ``‖x‖² = square``.

    ``M_lk`` bounds how fast block l of the gradient moves per unit of the parameters of layer k.
    """
    count, slope, curve = len(layers.norms), numbers.sqrt(layers.slope_squared), numbers.sqrt(layers.curvature_squared)
    scale, g = scales(numbers, layers), sensitivities(numbers, layers)
    reach = [numbers.sqrt(x) for x in reaches(numbers, layers, square)]
    zero = numbers.rational(0)
    forward = [[zero] * count]  # of ‖ż^l‖ per unit of each layer, from l = 0
    for layer in range(count):
        before = [slope * scale[layer] * layers.norms[layer] * z for z in forward[-1]]
        forward.append([z + reach[layer] if k == layer else z for k, z in enumerate(before)])
    backward, total = [zero] * count, zero  # of ‖ġ^l‖, from l = D + 1 down
    for layer in reversed(range(count)):
        above = layer + 1
        if above < count:
            push = scale[above] * layers.norms[above]  # ≥ ‖h‖ / ‖g‖ for h = s Wᵀ g of the layer above
            turned = [slope * push * y for y in backward]
            turned[above] = turned[above] + slope * scale[above] * g[above]
            backward = [curve * push * g[above] * z + y for z, y in zip(forward[above], turned, strict=True)]
        for y, z in zip(backward, forward[layer], strict=True):
            entry = reach[layer] * y + scale[layer] * g[layer] * slope * z
            total = total + entry * entry
    return total


# The rules ------------------------------------------------------------------------------------------------------


def _training(setting: Setting) -> Training:
    """Return the training if all parameters of a gaussian start are trained."""
    problem = setting.problem
    if problem.training is None:
        raise Rejection("outside-theorem", "the problem says nothing of a width and an initialisation")
    if problem.network.train != "all":
        raise Rejection("outside-theorem", "the theorem is about all parameters", "train all", problem.network.train)
    if problem.training.init != "gaussian":
        raise Rejection("outside-theorem", "the theorem is about a gaussian start", "gaussian", problem.training.init)
    return problem.training


def _gaussian_norms(setting: Setting, step: Inputs) -> Derived:
    """``‖W^l‖ ≤ √n_l + √n_{l−1} + t`` and, if β ≠ 0, ``‖b^l‖ ≤ √n_l + t``, for all layers at once."""
    width, failure = _training(setting).width, in_open_unit(step, "failure")
    network = setting.problem.network
    sizes = (setting.problem.dataset.d, *[width] * network.depth, 1)
    biased = network.beta > 0
    excess = upper(gaussian_excess, (network.depth + 1) * (2 if biased else 1), failure)
    norms = tuple(upper(gaussian_norm, sizes[k + 1], sizes[k], excess) for k in range(network.depth + 1))
    biases = tuple(upper(gaussian_length, size, excess) for size in sizes[1:]) if biased else ()
    return Derived(LayerNorms(norms, biases), assumptions=frozenset({GAUSSIAN_LAYERS}), failure=failure)


def _gradient_bound(setting: Setting, step: Inputs) -> Derived:
    """``‖∇f(x_i; θ)‖`` for every sample, and ``‖J(θ)‖ ≤ (Σ_i ‖∇f(x_i; θ)‖²)^{1/2}``."""
    layers = _layers(setting, step)
    gradient, jacobian = _norms(gradient_square, layers, setting.problem)
    return Derived(GradientBound(step.numbers["radius"], total_failure(step), gradient, jacobian))


def _hessian_bound(setting: Setting, step: Inputs) -> Derived:
    """``‖∇²f(x_i; θ)‖`` for every sample, and a Lipschitz constant ``(Σ_i ‖∇²f(x_i; θ)‖²)^{1/2}`` of J."""
    layers = _layers(setting, step)
    if layers.curvature_squared is None:
        raise Rejection("hypothesis", "the activation is not C², so its gradient is not Lipschitz")
    hessian, lipschitz = _norms(hessian_square, layers, setting.problem)
    return Derived(HessianBound(step.numbers["radius"], total_failure(step), hessian, lipschitz))


def _layers(setting: Setting, step: Inputs) -> Layers:
    """Return what holds for every θ with ``‖θ − θ_0‖ ≤ radius``: each norm of the start and the radius together."""
    training, network, radius = _training(setting), setting.problem.network, positive(step, "radius")
    claim = step.premises[0].claim
    if not isinstance(claim, LayerNorms) or len(claim.norms) != network.depth + 1:
        raise Rejection("bad-premises", "the premise must bound every layer", f"{network.depth + 1} layers")
    if not min(*claim.norms, *claim.biases) >= 0:
        raise Rejection("bad-premises", "a norm is not negative")
    if network.beta > 0 and not claim.biases:
        raise Rejection("bad-premises", "the premise must bound the biases, as β is not 0")
    slope, curvature, _, _ = activation_facts(network.activation)
    return Layers(
        norms=tuple(norm + radius for norm in claim.norms),
        biases=tuple(norm + radius for norm in claim.biases) if network.beta > 0 else (),
        width=Fraction(training.width),
        fan_in=Fraction(setting.problem.dataset.d if network.input_scale == "fan-in" else 1),
        weight_std=network.sigma_w,
        bias=network.beta,
        at_zero=at_zero(network.activation),
        slope_squared=slope,
        curvature_squared=curvature,
        height_squared=height_squared(network.activation),
    )


def at_zero(activation: str) -> Fraction:
    """Return an upper bound of ``|σ(0)|``, given the canonical name of σ."""
    expression = expression_of(activation)
    if expression is None:
        return Fraction(1 if activation == "cos" else 0)
    node = parse(expression)

    def value(numbers: Any) -> Any:
        return numbers.rational(0) + jet(node, numbers, [numbers.rational(0), numbers.rational(1)], 1)[0]

    return max(upper(value), -lower(value))


def _norms(bound: Callable[..., Any], layers: Layers, problem: Problem) -> tuple[Fraction, Fraction]:
    """Return the roots of the largest and of the sum of the bounds for the samples."""
    unit = Fraction(4) ** problem.dataset.exponent
    variants = [layers] if layers.height_squared is None else [layers, replace(layers, height_squared=None)]

    def at(square: Fraction) -> Fraction:
        return min(upper(lambda numbers, x, v=v: bound(numbers, v.within(numbers), x), square) for v in variants)

    squares = [
        at(unit * sum(a * a for a in row)) for row in integer_rows(problem.dataset.inputs, problem.dataset.exponent)
    ]
    return root(max(squares)), root(sum(squares, Fraction(0)))


gaussian_norms = Rule(_gaussian_norms, numbers=("failure",))
gradient_bound = Rule(_gradient_bound, (LayerNorms,), numbers=("radius",))
hessian_bound = Rule(_hessian_bound, (LayerNorms,), numbers=("radius",))

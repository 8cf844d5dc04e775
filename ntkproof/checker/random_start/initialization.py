"""What holds at random initialisation, each with its failure probability.  Proofs: ``docs/proofs/initialization.md``.

Trusted.  Two-layer networks ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``, hidden weights standard normal and trained,
``a_r = ±1`` fixed; ``N`` independent neurons, ``K = XXᵀ``, ``B1 = sup|σ'|``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.arithmetic.protocols import Scalars
from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.logic.arguments import in_open_unit, positive
from ntkproof.checker.logic.claim import Rejection, show
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.claims import Bound
from ntkproof.checker.random_start.two_layer import hidden_training, inputs_norm_squared, lambda_zero, value

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Matrix

GAUSSIAN = "the hidden weights are independent standard normal at initialisation"


# The bounds, over any number context ----------------------------------------------------------------------------


def chernoff_exponent(numbers: Scalars, delta: Any) -> Any:
    """``h(δ) = δ + (1−δ) log(1−δ)`` (Tropp 2012, Theorem 1.1, lower tail)."""
    return delta + (1 - delta) * numbers.log(1 - delta)


def chernoff_failure(numbers: Scalars, n: Any, neurons: Any, lambda_0: Any, delta: Any, summand: Any) -> Any:
    """``n exp(−N λ_0 h(δ)/B)``, the probability that not ``H_0 ⪰ (1−δ)H∞``; ``B = B1²‖X‖²`` bounds a summand."""
    return n * numbers.exp(-neurons * lambda_0 * chernoff_exponent(numbers, delta) / summand)


def hoeffding_failure(numbers: Scalars, n: Any, neurons: Any, relative: Any) -> Any:
    """``n(n+1) exp(−2Nτ²)``: some entry of ``H_0`` is further than ``τ · range · |K_ij|`` from its mean."""
    return n * (n + 1) * numbers.exp(-2 * neurons * relative * relative)


# The rules ------------------------------------------------------------------------------------------------------


def _matrix_chernoff(setting: Setting, step: Inputs) -> Derived:
    """``H_0 ⪰ (1−δ) H∞`` but with the stated failure probability (matrix Chernoff on ``H∞^{-1/2} H_0 H∞^{-1/2}``)."""
    network = hidden_training(setting)
    delta = in_open_unit(step, "delta")
    lambda_0 = lambda_zero(step.premises[0])
    summand = network.slope_squared * inputs_norm_squared(step.premises[1])
    neurons = network.training.independent_neurons
    stated = spend(step, upper(chernoff_failure, setting.problem.dataset.n, neurons, lambda_0, delta, summand))
    return Derived(Bound("loewner", 1 - delta), assumptions=frozenset({GAUSSIAN}), failure=stated)


def _loewner_spectrum(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(H_0) ≥ s λ_0`` from ``H_0 ⪰ s H∞``."""
    return Derived(Bound("initial_lambda_min", value(step.premises[0], "loewner") * lambda_zero(step.premises[1])))


def _hoeffding(setting: Setting, step: Inputs) -> Derived:
    """``‖H_0 − H∞‖ ≤ ‖·‖_F ≤ τ · range · ‖K‖_F``: Hoeffding for every entry and a union bound."""
    network = hidden_training(setting)
    tau = positive(step, "tau")
    neurons = network.training.independent_neurons
    stated = spend(step, upper(hoeffding_failure, setting.problem.dataset.n, neurons, tau))
    spread = network.slope_squared * (1 if network.monotone else 2)
    frobenius = _frobenius(setting)
    deviation = upper(lambda numbers, t, k: t * numbers.sqrt(k), tau * spread, frobenius)
    return Derived(Bound("initial_deviation", deviation), assumptions=frozenset({GAUSSIAN}), failure=stated)


def _frobenius(setting: Setting) -> Fraction:
    """Return ``‖XXᵀ‖_F² = Σ_ij (x_i·x_j)²`` exactly."""
    dataset = setting.problem.dataset
    rows = dataset.integer_rows()
    gram = [[sum(a * b for a, b in zip(x, z, strict=True)) for z in rows] for x in rows]
    return Fraction(sum(g * g for row in gram for g in row)) * Fraction(16) ** dataset.exponent


def _weyl(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(H_0) ≥ λ_0 − ‖H_0 − H∞‖`` (Weyl)."""
    deviation = value(step.premises[1], "initial_deviation")
    return Derived(Bound("initial_lambda_min", lambda_zero(step.premises[0]) - deviation))


def _inverse_form(setting: Setting, step: Inputs) -> Derived:
    """``yᵀH∞⁻¹y = zᵀHz + 2zᵀe + eᵀH⁻¹e`` with ``e = y − Hz`` for any z: at most ``… + ‖e‖²/λ_0``."""
    enclosure, matrix = step.premises[0].claim, step.premises[0].matrix
    if not isinstance(enclosure, Enclosure) or enclosure.matrix != "kernel" or matrix is None:
        raise Rejection("bad-premises", "the first premise must be the enclosure of the kernel")
    dataset, scale = setting.problem.dataset, step.integers["scale"]
    if dataset.targets is None:
        raise Rejection("outside-theorem", "the dataset has no targets")
    integers = step.witness["solution"].integers()
    if len(integers) != dataset.n:
        raise Rejection("bad-witness", "the solution has the wrong length", str(dataset.n), str(len(integers)))
    z = [Fraction(k, 2**scale) for k in integers]
    targets = [Fraction(y) for y in dataset.targets.tolist()]
    form = quadratic_inverse(enclosure, matrix, lambda_zero(step.premises[1]), targets, z)
    return Derived(Bound("inverse_form", form))


def quadratic_inverse(
    enclosure: Enclosure, matrix: Matrix, lambda_0: Fraction, targets: list[Fraction], z: list[Fraction]
) -> Fraction:
    """Return at least ``yᵀH⁻¹y``, from any z, better the nearer ``Hz`` to y; ``λ_0 ≤ λ_min(H)``."""
    unit = Fraction(2) ** -enclosure.precision
    image = [unit * sum(matrix.entry(i, j) * z[j] for j in range(len(z))) for i in range(len(z))]
    error = [y - w for y, w in zip(targets, image, strict=True)]
    # Hz = image + g with ‖g‖ ≤ 2^-p radius ‖z‖, so e = error − g
    square = sum(x * x for x in z)
    blur = enclosure.radius * unit
    main = sum(a * (b + 2 * e) for a, b, e in zip(z, image, error, strict=True)) + blur * square
    left = upper(
        lambda numbers, e, g: (numbers.sqrt(e) + numbers.sqrt(g)) * (numbers.sqrt(e) + numbers.sqrt(g)),
        sum(e * e for e in error),
        blur * blur * square,
    )
    return Fraction(main + left / lambda_0)


def _linearised_path(setting: Setting, step: Inputs) -> Derived:
    """``r_0ᵀH_0⁻¹r_0 ≤ yᵀH∞⁻¹y / s`` from ``H_0 ⪰ s H∞`` when ``r_0 = −y``: antisymmetric initialisation."""
    if hidden_training(setting).training.init != "antisymmetric":
        raise Rejection("outside-theorem", "r_0 = -y needs the antisymmetric initialisation")
    share = value(step.premises[0], "loewner")
    if share <= 0:
        raise Rejection("hypothesis", "the share of the limit kernel must be positive", "> 0", str(share))
    return Derived(Bound("linearised_path", value(step.premises[1], "inverse_form") / share))


def spend(step: Inputs, computed: Fraction) -> Fraction:
    """Return the stated failure probability; reject one that is smaller than the computed one."""
    stated = in_open_unit(step, "failure")
    if not computed <= stated:
        raise Rejection(
            "failure-probability", "the failure probability is larger than stated", show(stated, 6), show(computed, 6)
        )
    return stated


matrix_chernoff = Rule(_matrix_chernoff, (EigenvalueBound, EigenvalueBound), numbers=("delta", "failure"))
loewner_spectrum = Rule(_loewner_spectrum, (Bound, EigenvalueBound))
hoeffding = Rule(_hoeffding, numbers=("tau", "failure"))
weyl = Rule(_weyl, (EigenvalueBound, Bound))
inverse_form = Rule(_inverse_form, (Enclosure, EigenvalueBound), integers={"scale": (0, 4096)}, witness=("solution",))
linearised_path = Rule(_linearised_path, (Bound, Bound))

"""What holds at random initialisation, each with its failure probability.  Proofs: ``docs/proofs/initialization.md``.

Trusted.  Two-layer networks ``f(x) = m^{-1/2} Σ_r a_r σ(w_r·x)``, hidden weights standard normal and trained,
``a_r = ±1`` fixed; ``N`` independent neurons, ``K = XXᵀ``, ``B1 = sup|σ'|``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ntkproof.checker.activations import Covariance, activation
from ntkproof.checker.arithmetic import Matrix
from ntkproof.checker.claims import Bound, EigenvalueBound, Enclosure, Rejection, show
from ntkproof.checker.rules.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.rules.two_layer import hidden_training, inputs_norm_squared, lambda_zero, value
from ntkproof.checker.scalars import Scalars, upper
from ntkproof.problem import Problem

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


def concentrated_residual(numbers: Scalars, mean: Any, variance: Any, lipschitz: Any, failure: Any) -> Any:
    """``√(mean² + variance) + L √(2 log(1/p))``: ``‖r_0‖`` is an ``L``-Lipschitz function of Gaussians."""
    return numbers.sqrt(mean * mean + variance) + lipschitz * numbers.sqrt(-2 * numbers.log(failure))


def sign_sum(numbers: Scalars, failure: Any) -> Any:
    """``√(2 log(2/p))``: a bound on ``m^{-1/2}|Σ a_r|`` for independent signs (Hoeffding)."""
    return numbers.sqrt(2 * numbers.log(2 / failure))


# The rules ------------------------------------------------------------------------------------------------------


def _matrix_chernoff(setting: Setting, step: Inputs) -> Derived:
    """``H_0 ⪰ (1−δ) H∞`` but with the stated failure probability (matrix Chernoff on ``H∞^{-1/2} H_0 H∞^{-1/2}``)."""
    network = hidden_training(setting)
    delta, stated = step.numbers["delta"], step.numbers["failure"]
    _open_unit("delta", delta)
    lambda_0 = lambda_zero(step.premises[0])
    summand = network.slope_squared * inputs_norm_squared(step.premises[1])
    neurons = network.training.independent_neurons
    _spend(upper(chernoff_failure, setting.problem.dataset.n, neurons, lambda_0, delta, summand), stated)
    return Derived(Bound("loewner", 1 - delta), assumptions=frozenset({GAUSSIAN}), failure=stated)


def _loewner_spectrum(setting: Setting, step: Inputs) -> Derived:
    """``λ_min(H_0) ≥ s λ_0`` from ``H_0 ⪰ s H∞``."""
    return Derived(Bound("initial_lambda_min", value(step.premises[0], "loewner") * lambda_zero(step.premises[1])))


def _hoeffding(setting: Setting, step: Inputs) -> Derived:
    """``‖H_0 − H∞‖ ≤ ‖·‖_F ≤ τ · range · ‖K‖_F``: Hoeffding for every entry and a union bound."""
    network = hidden_training(setting)
    tau, stated = step.numbers["tau"], step.numbers["failure"]
    if tau <= 0:
        raise Rejection("bad-argument", "the argument tau must be positive")
    _spend(upper(hoeffding_failure, setting.problem.dataset.n, network.training.independent_neurons, tau), stated)
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


def _initial_residual(setting: Setting, step: Inputs) -> Derived:
    """``‖r_0‖``: ``‖y‖`` for the antisymmetric initialisation, else Gaussian concentration."""
    network = hidden_training(setting)
    stated, signs = step.numbers["failure"], step.numbers["signs_failure"]
    targets = _square(setting.problem)
    if network.training.init == "antisymmetric":
        if stated != 0 or signs != 0:
            raise Rejection("bad-argument", "the antisymmetric initialisation leaves nothing to chance: failure is 0")
        return Derived(Bound("residual", upper(lambda numbers, y: numbers.sqrt(y), targets)))
    _open_unit("failure", stated)
    mean_square, variance = output_moments(setting.problem)
    size = upper(lambda numbers, y: numbers.sqrt(y), targets)
    if network.training.init == "signs":
        _open_unit("signs_failure", signs)
        size += upper(lambda numbers, p, s: sign_sum(numbers, p) * numbers.sqrt(s), signs, mean_square)
    elif signs != 0:
        raise Rejection("bad-argument", "signs_failure is for init=signs; here it is 0")
    lipschitz = upper(
        lambda numbers, b, x: numbers.sqrt(b * x), network.slope_squared, inputs_norm_squared(step.premises[0])
    )
    bound = upper(concentrated_residual, size, variance, lipschitz, stated)
    return Derived(Bound("residual", bound), assumptions=frozenset({GAUSSIAN}), failure=stated + signs)


def _square(problem: Problem) -> Fraction:
    """Return ``‖y‖²`` exactly."""
    if problem.dataset.targets is None:
        raise Rejection("outside-theorem", "the dataset has no targets")
    return sum((Fraction(y) ** 2 for y in problem.dataset.targets.tolist()), Fraction(0))


def output_moments(problem: Problem) -> tuple[Fraction, Fraction]:
    """Return upper bounds of ``Σ_i (E σ(w·x_i))²`` and ``Σ_i Var σ(w·x_i)``."""
    sigma = activation(problem.network.activation)
    unit = Fraction(4) ** problem.dataset.exponent
    norms = [sum(x * x for x in row) * unit for row in problem.dataset.integer_rows()]

    def squared_mean(numbers: Scalars, *q: Any) -> Any:
        return sum((sigma.mean(numbers, x) * sigma.mean(numbers, x) for x in q), numbers.rational(0))

    def variance(numbers: Scalars, *q: Any) -> Any:
        second = (sigma.dual(Covariance(numbers, x, x, x, numbers.rational(0), same=True)) for x in q)
        return sum(second, numbers.rational(0)) - squared_mean(numbers, *q)

    return upper(squared_mean, *norms), upper(variance, *norms)


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


def _spend(computed: Fraction, stated: Fraction) -> None:
    """Reject a stated failure probability that is not between 0 and 1 or smaller than the computed one."""
    _open_unit("failure", stated)
    if not computed <= stated:
        raise Rejection(
            "failure-probability", "the failure probability is larger than stated", show(stated, 6), show(computed, 6)
        )


def _open_unit(name: str, x: Fraction) -> None:
    if not 0 < x < 1:
        raise Rejection("bad-argument", f"the argument {name} must be strictly between 0 and 1")


matrix_chernoff = Rule(_matrix_chernoff, (EigenvalueBound, EigenvalueBound), numbers=("delta", "failure"))
loewner_spectrum = Rule(_loewner_spectrum, (Bound, EigenvalueBound))
hoeffding = Rule(_hoeffding, numbers=("tau", "failure"))
weyl = Rule(_weyl, (EigenvalueBound, Bound))
initial_residual = Rule(_initial_residual, (EigenvalueBound,), numbers=("failure", "signs_failure"))
inverse_form = Rule(_inverse_form, (Enclosure, EigenvalueBound), integers={"scale": (0, 4096)}, witness=("solution",))
linearised_path = Rule(_linearised_path, (Bound, Bound))

"""How far a network at random is from the targets, with its failure probability.

Trusted.  Proofs: ``docs/proofs/initialization.md``; Markov: ``docs/proofs/du2019.md``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.covariance import Covariance
from ntkproof.checker.activations.dual import activation
from ntkproof.checker.arithmetic.exact import integer_rows
from ntkproof.checker.arithmetic.scalars import root, upper
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.limit.premises import inputs_norm_squared
from ntkproof.checker.logic.arguments import in_open_unit
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.assumptions import GAUSSIAN
from ntkproof.checker.random_start.claims import Bound
from ntkproof.checker.random_start.two_layer import hidden_training

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers, Scalars
    from ntkproof.checker.problem.problem import Problem


def concentrated_residual(numbers: Scalars, mean: Any, variance: Any, lipschitz: Any, failure: Any) -> Any:
    """``√(mean² + variance) + L √(2 log(1/p))``: ``‖r_0‖`` is an ``L``-Lipschitz function of Gaussians."""
    return numbers.sqrt(mean * mean + variance) + lipschitz * numbers.sqrt(-2 * numbers.log(failure))


def sign_sum(numbers: Scalars, failure: Any) -> Any:
    """``√(2 log(2/p))``: a bound on ``m^{-1/2}|Σ a_r|`` for independent signs (Hoeffding)."""
    return numbers.sqrt(2 * numbers.log(2 / failure))


def _initial_residual(setting: Setting, step: Inputs) -> Derived:
    """``‖r_0‖``: ``‖y‖`` for the antisymmetric initialisation, else Gaussian concentration."""
    network = hidden_training(setting)
    stated, signs = step.numbers["failure"], step.numbers["signs_failure"]
    targets = _square(setting.problem)
    if network.training.init == "antisymmetric":
        if stated != 0 or signs != 0:
            raise Rejection("bad-argument", "the antisymmetric initialisation leaves nothing to chance: failure is 0")
        return Derived(Bound("residual", root(targets)))
    in_open_unit(step, "failure")
    mean_square, variance = output_moments(setting.problem)
    size = root(targets)
    if network.training.init == "signs":
        in_open_unit(step, "signs_failure")
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
    norms = [sum(x * x for x in row) * unit for row in integer_rows(problem.dataset.inputs, problem.dataset.exponent)]

    def squared_mean(numbers: Scalars, *q: Any) -> Any:
        return sum((sigma.mean(numbers, x) * sigma.mean(numbers, x) for x in q), numbers.rational(0))

    def variance(numbers: Scalars, *q: Any) -> Any:
        second = (sigma.dual(Covariance(numbers, x, x, x, numbers.rational(0), same=True)) for x in q)
        return sum(second, numbers.rational(0)) - squared_mean(numbers, *q)

    return upper(squared_mean, *norms), upper(variance, *norms)


initial_residual = Rule(_initial_residual, (EigenvalueBound,), numbers=("failure", "signs_failure"))


def markov_root(numbers: Numbers, mean_square: Any, failure: Any) -> Any:
    """``√(E/p)``: ``‖r_0‖`` is larger with probability at most p when ``E‖r_0‖² ≤ E``."""
    return numbers.sqrt(mean_square / failure)


def _markov_residual(setting: Setting, step: Inputs) -> Derived:
    """``E‖r_0‖² = ‖y‖² + Σ_i E f(x_i)²`` for random signs, and Markov (Du et al., section 3)."""
    network, stated = hidden_training(setting), in_open_unit(step, "failure")
    targets = setting.problem.dataset.targets
    if network.training.init not in ("signs", "balanced") or targets is None:
        raise Rejection("outside-theorem", "the output weights must be random signs", "signs", network.training.init)
    mean_square, variance = output_moments(setting.problem)
    total = sum((Fraction(y) ** 2 for y in targets.tolist()), variance)
    if network.training.init == "signs":
        total += mean_square
    bound = upper(markov_root, total, stated)
    return Derived(Bound("residual", bound), assumptions=frozenset({GAUSSIAN}), failure=stated)


markov_residual = Rule(_markov_residual, numbers=("failure",))

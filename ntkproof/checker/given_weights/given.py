"""What holds for given weights, certified from the numbers themselves.  Proofs: ``docs/proofs/given-weights.md``.

Trusted.  ``θ_0`` are the weights of the problem, ``J_0`` the Jacobian of the outputs there, ``H_0 = J_0 J_0ᵀ``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.arithmetic.scalars import root, upper
from ntkproof.checker.given_weights.claims import LocalDeviation, NearbyPoint
from ntkproof.checker.given_weights.evaluation import Evaluation, Evaluator, distance, gram, moved
from ntkproof.checker.given_weights.local_deviation import lipschitz
from ntkproof.checker.given_weights.profile import profile
from ntkproof.checker.limit.claims import Enclosure, eigenvalue_bound
from ntkproof.checker.limit.eigenvalues import shifted_bound
from ntkproof.checker.logic.arguments import positive
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Proved, Rule, Setting, require
from ntkproof.checker.random_start.claims import Bound

if TYPE_CHECKING:
    from ntkproof.checker.problem.weights import Weights

PRECISION = (30, 1000)


def given(setting: Setting) -> Weights:
    """Return the weights of the problem; reject problems about random ones."""
    if setting.problem.weights is None:
        raise Rejection("outside-theorem", "the problem has no given weights")
    return setting.problem.weights


def evaluation(setting: Setting) -> Evaluation:
    """Return what the network does on the data at the given weights; evaluated once."""
    if "evaluation" not in setting.cache:
        weights = given(setting)
        evaluator = Evaluator(setting.arithmetic, setting.problem, weights, setting.tick)
        setting.cache["evaluation"] = evaluator.run()
    found: Evaluation = setting.cache["evaluation"]
    return found


def residual_norm(at: Evaluation) -> Fraction:
    """Return at least ``‖r‖``."""
    size = root(sum((r * r for r in at.residual), Fraction(0)))
    return size + root(Fraction(len(at.residual))) * at.residual_error


def lambda_zero(premise: Proved) -> Fraction:
    """Return the lower bound on ``λ_min(H_0)`` that a premise states; require it to be positive."""
    bound = eigenvalue_bound(premise, "initial_kernel", "min", "lower")
    require("λ_min(H_0) > 0", bound, Fraction(0))
    return bound


def _given_kernel(setting: Setting, step: Inputs) -> Derived:
    """``H_0``, from the Gram matrices of the layers."""
    precision = step.integers["precision"]
    matrix, radius = gram(setting.arithmetic, evaluation(setting), precision)
    return Derived(Enclosure("initial_kernel", precision, radius), matrix)


def _given_residual(setting: Setting, step: Inputs) -> Derived:
    """``‖r_0‖ = ‖f(X) − y‖``."""
    return Derived(Bound("residual", residual_norm(evaluation(setting))))


def _given_deviation(setting: Setting, step: Inputs) -> Derived:
    """``Λ(R)``, a Lipschitz constant of J in the ball of radius R, and ``‖J‖ ≤ ‖J_0‖ + Λ(R)R`` there."""
    radius, matrices = positive(step, "radius"), step.names["paths"] == "matrices"
    at, key = evaluation(setting), f"profile-{matrices}"
    if key not in setting.cache:
        evaluator = Evaluator(setting.arithmetic, setting.problem, given(setting), setting.tick)
        try:
            setting.cache[key] = profile(evaluator, at, matrices)
        except OverflowError as error:
            raise Rejection("no-enclosure", f"the network's numbers are too large: {error}") from None
    found = setting.cache[key]
    slope = upper(lambda numbers, r: lipschitz(numbers, found.within(numbers), r), radius)
    return Derived(LocalDeviation(radius, Fraction(0), slope, "yes", found.jacobian + slope * radius))


def nearby(setting: Setting, coefficients: list[int], scale: int) -> tuple[Weights, Evaluation]:
    """Return a point near ``θ_0 + J_0ᵀc``, ``c = 2^-scale coefficients``, and the network there."""
    key = (scale, *coefficients)
    if setting.cache.get("nearby", (None,))[0] != key:
        weights, problem = given(setting), setting.problem
        evaluator = Evaluator(setting.arithmetic, problem, weights, setting.tick)
        point = moved(evaluator, [Fraction(c, 2**scale) for c in coefficients])
        at = Evaluator(setting.arithmetic, problem, point, setting.tick).run()
        setting.cache["nearby"] = (key, point, at)
    _, point, at = setting.cache["nearby"]
    return point, at


def _nearby_point(setting: Setting, step: Inputs) -> Derived:
    """The point ``p ≈ θ_0 + J_0ᵀc``: its distance, its residual, and ``λ_min(J_p J_pᵀ)``; any ``p`` would do."""
    coefficients, n = step.witness["coefficients"].integers(), setting.problem.dataset.n
    if len(coefficients) != n:
        raise Rejection("bad-witness", "the coefficients have the wrong length", str(n), str(len(coefficients)))
    point, at = nearby(setting, coefficients, step.integers["coefficient_scale"])
    precision = step.integers["precision"]
    matrix, radius = gram(setting.arithmetic, at, precision)
    value = shifted_bound(setting, step, Enclosure("initial_kernel", precision, radius), matrix, 1)
    return Derived(NearbyPoint(distance(given(setting), point), residual_norm(at), value))


given_kernel = Rule(_given_kernel, integers={"precision": PRECISION})
given_residual = Rule(_given_residual)
given_deviation = Rule(_given_deviation, numbers=("radius",), names={"paths": ("weights", "matrices")})
nearby_point = Rule(
    _nearby_point,
    integers={"precision": PRECISION, "scale": (0, 4096), "coefficient_scale": (0, 1000)},
    numbers=("shift",),
    witness=("coefficients", "factor"),
)

"""The distance to the solution of the linearised problem.  Proofs: ``docs/proofs/initialization.md``.

Trusted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.arithmetic.scalars import upper
from ntkproof.checker.limit.claims import EigenvalueBound, Enclosure
from ntkproof.checker.limit.premises import lambda_zero
from ntkproof.checker.logic.budget import spend
from ntkproof.checker.logic.claim import Rejection
from ntkproof.checker.logic.rule import Derived, Inputs, Rule, Setting
from ntkproof.checker.random_start.claims import Bound, value
from ntkproof.checker.random_start.two_layer import hidden_training

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Matrix


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
    spend(64 * len(z) ** 2)
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


inverse_form = Rule(_inverse_form, (Enclosure, EigenvalueBound), integers={"scale": (0, 4096)}, witness=("solution",))


linearised_path = Rule(_linearised_path, (Bound, Bound))

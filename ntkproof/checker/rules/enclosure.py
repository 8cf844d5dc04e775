"""Enclosures of the matrices a proof is about.  Proofs: ``docs/proofs/kernels.md``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.claims import Enclosure, Rejection
from ntkproof.checker.hermite import MAX_TERMS
from ntkproof.checker.rules.rule import Derived, Inputs, Rule, Setting
from ntkproof.problem import expression_of


def _kernel_enclosure(setting: Setting, step: Inputs) -> Derived:
    """Every entry of ``H`` enclosed; ``‖H − 2^-p A‖ ≤ ‖·‖_∞ ≤ 2^-p max_i Σ_j ρ_ij`` by symmetry."""
    if expression_of(setting.problem.network.activation) is not None:
        raise Rejection("wrong-activation", "the activation has no closed form; use hermite_enclosure")
    return _enclosure(setting, step, 0)


def _hermite_enclosure(setting: Setting, step: Inputs) -> Derived:
    """The same from ``terms`` Hermite coefficients and a bound of the rest.  Proofs: ``docs/proofs/hermite.md``."""
    if expression_of(setting.problem.network.activation) is None:
        raise Rejection("wrong-activation", "the activation has a closed form; use kernel_enclosure")
    return _enclosure(setting, step, step.integers["terms"])


def _enclosure(setting: Setting, step: Inputs, terms: int) -> Derived:
    precision, working = step.integers["precision"], step.integers["working_precision"]
    try:
        matrix, radius = setting.arithmetic.enclose_kernel(setting.problem, precision, working, setting.tick, terms)
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", str(error)) from None
    return Derived(Enclosure("kernel", precision, radius), matrix)


def _inputs_enclosure(setting: Setting, step: Inputs) -> Derived:
    """``XXᵀ`` (side ``rows``) or ``XᵀX`` (side ``columns``), exactly: ``λ_max`` of either is ``‖X‖²``."""
    dataset = setting.problem.dataset
    inputs = dataset.inputs if step.names["side"] == "rows" else dataset.inputs.T.copy()
    return Derived(Enclosure("inputs", -2 * dataset.exponent, 0), setting.arithmetic.gram(inputs, dataset.exponent))


kernel_enclosure = Rule(_kernel_enclosure, integers={"precision": (30, 4096), "working_precision": (30, 8192)})
hermite_enclosure = Rule(
    _hermite_enclosure,
    integers={"precision": (30, 2048), "working_precision": (30, 2048), "terms": (0, MAX_TERMS)},
)
inputs_enclosure = Rule(_inputs_enclosure, names={"side": ("rows", "columns")})

"""Enclosures of the matrices a proof is about.  Proofs: ``docs/proofs/kernels.md``.

Trusted.
"""

from __future__ import annotations

from ntkproof.checker.claims import Enclosure, Rejection
from ntkproof.checker.rules.rule import Derived, Inputs, Rule, Setting


def _kernel_enclosure(setting: Setting, step: Inputs) -> Derived:
    """Every entry of ``H`` enclosed; ``‖H − 2^-p A‖ ≤ ‖·‖_∞ ≤ 2^-p max_i Σ_j ρ_ij`` by symmetry."""
    precision, working = step.integers["precision"], step.integers["working_precision"]
    try:
        matrix, radius = setting.arithmetic.enclose_kernel(setting.problem, precision, working, setting.tick)
    except (ValueError, ArithmeticError) as error:
        raise Rejection("no-enclosure", str(error)) from None
    return Derived(Enclosure("kernel", precision, radius), matrix)


def _inputs_enclosure(setting: Setting, step: Inputs) -> Derived:
    """``XXᵀ`` (side ``rows``) or ``XᵀX`` (side ``columns``), exactly: ``λ_max`` of either is ``‖X‖²``."""
    dataset = setting.problem.dataset
    inputs = dataset.inputs if step.names["side"] == "rows" else dataset.inputs.T.copy()
    return Derived(Enclosure("inputs", -2 * dataset.exponent, 0), setting.arithmetic.gram(inputs, dataset.exponent))


kernel_enclosure = Rule(_kernel_enclosure, integers={"precision": (30, 4096), "working_precision": (30, 8192)})
inputs_enclosure = Rule(_inputs_enclosure, names={"side": ("rows", "columns")})

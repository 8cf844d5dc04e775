"""What the theorems about given weights start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import NETWORK, TARGETS
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.theorems.instance`."""
    from ntkproof.statements.given_weights import given_weights
    from ntkproof.theorems.instance import certify_quantities

    return certify_quantities(question.dataset, question.network, given_weights(question), **question.options())


def words(conclusion: Values) -> str:
    """Name them all."""
    c = conclusion
    norms, largest = (", ".join(c[name]) for name in ("weight_norms", "largest"))
    return (
        f"‖r_0‖ ≤ {c['residual']}, λ_min(H_0) ≥ {c['lambda_min']}, ‖J_0‖ ≤ {c['jacobian_norm']}, ‖W^l‖ ≤ {norms}, "
        f"max |∂f/∂x^l| ≤ {largest}, |z^1| ≥ {c['margin']}"
    )


STATEMENT = Statement(
    name="quantities",
    proves="what the theorems about given weights start from: bounds on residual, λ_min(H_0), ‖J_0‖ and the layers",
    network="the weights in a file: 1 to 10 hidden layers with smooth σ, all trained; two layers with a kink",
    kinds=("quantities",),
    options={**TARGETS, **NETWORK, "weights": None, "parametrisation": None},
    words=words,
    prove=prove,
    needs=("weights",),
    fixed={"kernel": "ntk"},
    hints={"step_size": "ask for statement=convergence", "run": "name one of its files with weights"},
)

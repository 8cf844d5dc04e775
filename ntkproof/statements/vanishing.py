"""Which eigenvalues of the kernel on the sphere are exactly 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import KERNEL, SPHERE
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def _statement(parity: str) -> Statement:
    name = f"{parity}-vanish"

    def prove(question: Question) -> Certificate:
        from ntkproof.prover.sphere import certify_sphere

        return certify_sphere(question.sphere.dimension, question.network, statement=name, **question.options("kernel"))

    return Statement(
        name=name,
        proves=f"that λ_k = 0 on the sphere for every {parity} k from some frequency on",
        network="1 to 10 hidden layers of infinite width, where a symmetry makes it so",
        kinds=("vanishing",),
        options={**SPHERE, **KERNEL},
        words=words,
        prove=prove,
        domain="sphere",
    )


def words(conclusion: Values) -> str:
    """Name the parity and the first frequency."""
    return f"eigenvalues on the sphere: λ_k = 0 for every {conclusion['parity']} k ≥ {conclusion['first']}"


ODD, EVEN = _statement("odd"), _statement("even")

"""The eigenvalues of the kernel on the sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import KERNEL, SPHERE
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.sphere`."""
    from ntkproof.prover.sphere import certify_sphere

    return certify_sphere(
        question.sphere.dimension,
        question.network,
        statement="mercer",
        **question.options("kernel", "max_frequency", "gap"),
    )


def words(conclusion: Values) -> str:
    """Name the first that is not 0, and the last."""
    lower, upper = conclusion["lower"], conclusion["upper"]
    first = next((k for k, end in enumerate(upper) if end != "0"), 0)
    ends = (f"λ_{k} in [{lower[k]}, {upper[k]}]" for k in sorted({first, len(lower) - 1}))
    return f"eigenvalues on the sphere, {', …, '.join(ends)}"


def table(conclusion: Values) -> str:
    """Return the eigenvalues of a conclusion as a table, with their multiplicities."""
    from ntkproof.prover.sphere import multiplicity

    d, ends = conclusion["dimension"], zip(conclusion["lower"], conclusion["upper"], strict=True)
    rows = [(str(k), str(multiplicity(d, k)), *pair) for k, pair in enumerate(ends)]
    rows.insert(0, ("k", "multiplicity", "λ_k ≥", "λ_k ≤"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.rjust, row, widths)) for row in rows)


STATEMENT = Statement(
    name="mercer",
    proves="two-sided bounds on the eigenvalues of the kernel's integral operator on the sphere, by frequency",
    network="1 to 10 hidden layers of infinite width, any activation",
    kinds=("mercer",),
    options={**SPHERE, **KERNEL, "max_frequency": 20, "gap": 1e-9},
    words=words,
    prove=prove,
    domain="sphere",
    details=table,
)

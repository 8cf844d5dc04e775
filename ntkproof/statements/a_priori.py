"""Lower bounds on λ_min known beforehand, beside the certified one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntkproof.statements.options import DATA, NETWORK
from ntkproof.statements.statement import Question, Statement, Values, interval

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.prover.certify`."""
    from ntkproof.prover.certify import certify

    return certify(question.dataset, question.network, statement="a-priori", **question.options("gap"))


def words(conclusion: Values) -> str:
    """Name every bound, and the interval in which its share of λ_min lies."""
    fields = ("rules", "bounds", "ratio_lower", "ratio_upper")
    bounds = zip(*(conclusion[name] for name in fields), strict=True)
    return interval("λ_min(H∞)")(conclusion) + "".join(
        f"; {rule}: λ_min(H∞) ≥ {bound}, a share of it in [{low}, {high}]" for rule, bound, low, high in bounds
    )


STATEMENT = Statement(
    name="a-priori",
    proves="lower bounds on λ_min(H) known beforehand, from the literature, and what share of λ_min(H) they are",
    network="one hidden layer of infinite width; relu, leaky_relu and abs; hidden, both or all trained",
    kinds=("a_priori",),
    options={**DATA, **{name: value for name, value in NETWORK.items() if name != "depth"}, "gap": 1e-6},
    words=words,
    prove=prove,
    fixed={"depth": 1, "kernel": "ntk"},
)

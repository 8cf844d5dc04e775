"""The claims as a page for readers: a referee's report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ntkproof.literature.claim import (
    CERTIFIED,
    OUT_OF_SCOPE,
    PROVED,
    REFUTED,
    STATISTICAL,
    SUPPORTED,
    SYMBOLIC,
    VERDICTS,
    Claim,
    Outcome,
    Registry,
)
from ntkproof.literature.methods import show

MEASURED = "- *Measured:* "
HEADER = """# Claims of the literature, with verdicts

Generated from `ntkproof/literature` by `python docs/claims_page.py --write`; do not edit. A referee's report on four
documents about the Neural Tangent Kernel: what each states, whether it is so, and what shows it. `ntkproof claims`
runs every test again and fails if a verdict changes.

A claim is *proved* by its test: an identity whose difference SymPy simplifies to 0, an inequality whose difference
has a sign that SymPy sees, or a certificate that the checker accepts. It is *refuted as stated* by an exact
counterexample (once by simulation, and it says so), and then the corrected form stands beside it and passes the same
test. It is *supported* if a simulation with recorded seeds agrees with it at 99.9 % confidence. The formula is what
the test reads; what it does not say is in the words before it. SymPy, which is not part of the trusted base, is
believed here, and so are the theorems named under *Assuming*.

## From small networks to all

Identities are checked on small networks with an arbitrary activation: ψ(z), ψ'(z), ψ''(z) at different z are free
symbols. That is enough:

- A network with one hidden layer is a sum over neurons, n^{-1/2} Σ f_i, and f_i contains the parameters of neuron i
  only. Gradients, Hessians and what is contracted from them are sums over neurons of one expression, with a power
  of n in front: blocks for different neurons do not mix. An identity that holds for two neurons holds for one term,
  and so for n; two neurons check the power of n as well.
- Sums over samples are linear in what each sample contributes. Three samples, of which two or three are named,
  contain every coincidence of indices that occurs.
- Inputs enter through x·x' and w·x only. Two coordinates make these independent numbers.
- The chain rule is about one point. Outputs and loss are replaced by polynomials of degree two with free
  coefficients: first derivatives along the flow involve no others.
- For a symmetric matrix, what does not change under rotation is checked in the eigenbasis; two eigenvalues, the
  smallest and another, give the general sum.
- Moments of sums over n independent neurons are compared at n = 1, 2, 3 with a formula in n: they are polynomials
  in n of degree two, without a constant term, over a power of n.

"""


def page(registries: Sequence[Registry], outcomes: Mapping[str, Outcome]) -> str:
    """Return the page; claims without an outcome are shown without evidence."""
    parts = [HEADER, summary(registries)]
    for registry in registries:
        parts.append(f"\n## `{registry.document.name}`\n\n{registry.document.title}.\n")
        parts += [entry(claim, outcomes.get(claim.id)) for claim in registry]
    return "".join(parts)


def summary(registries: Sequence[Registry]) -> str:
    """Return the table of how many claims have which verdict, and the list of what was refuted."""
    lines = ["## Verdicts\n\n| document | claims | " + " | ".join(VERDICTS) + " |", "|---|" + "---:|" * 5]
    for registry in registries:
        counts = Counter(claim.verdict for claim in registry)
        numbers = " | ".join(str(counts[verdict]) for verdict in VERDICTS)
        lines.append(f"| `{registry.document.name}` | {len(registry)} | {numbers} |")
    everything = [claim for registry in registries for claim in registry]
    counts = Counter(claim.verdict for claim in everything)
    lines.append(f"| all | {len(everything)} | " + " | ".join(str(counts[verdict]) for verdict in VERDICTS) + " |")
    lines.append("\nRefuted as stated:\n")
    for claim in everything:
        if claim.verdict == REFUTED:
            lines.append(f"- `{claim.id}`, {claim.place}. {claim.remark}")
    lines.append("\nTrue, but not sharp:\n")
    for claim in everything:
        if claim.verdict != REFUTED and claim.better is not None:
            forms = f"`{show(claim.formula)}`; sharper: `{show(claim.better)}`"
            lines.append(f"- `{claim.id}`, {claim.place}. {claim.says} {forms}.")
    return "\n".join(lines) + "\n"


PHRASES = {
    (PROVED, SYMBOLIC): "**Proved**, symbolically.",
    (PROVED, CERTIFIED): "**Proved**, by certified numbers.",
    (REFUTED, SYMBOLIC): "**Refuted as stated**, exactly.",
    (REFUTED, CERTIFIED): "**Refuted as stated**, by certified numbers.",
    (REFUTED, STATISTICAL): "**Refuted as stated**, by simulation.",
    (SUPPORTED, STATISTICAL): "**Supported**, by simulation.",
}


def entry(claim: Claim, outcome: Outcome | None) -> str:
    """Return one claim as a section."""
    lines = [f"\n### `{claim.id}`\n", f"{claim.place[0].upper()}{claim.place[1:]}. {claim.says}\n"]
    if claim.verdict == OUT_OF_SCOPE:
        return "\n".join([*lines, f"**Out of scope**: {claim.remark}.\n"])
    lines.append(f"- *Formula:* `{show(claim.formula)}`")
    if claim.assumes:
        lines.append(f"- *Assuming:* {claim.assumes}.")
    label = MEASURED if claim.method == STATISTICAL else "- *Evidence:* "
    if outcome is not None:
        lines.append(f"{label}{outcome.evidence}.")
    if claim.better is not None:
        lines.append(f"- *{'Corrected' if claim.verdict == REFUTED else 'Sharper'}:* `{show(claim.better)}`")
        if outcome is not None:
            lines.append(f"{label}{outcome.better_evidence}.")
    closing = " ".join([PHRASES[claim.verdict, claim.method], claim.remark]).strip()
    return "\n".join([*lines, f"\n{closing}\n"])

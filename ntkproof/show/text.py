"""Problems and verdicts in lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.claim import INPUTS, LIMIT, START
from ntkproof.statements.table import describe, of_kind

if TYPE_CHECKING:
    from ntkproof.checker.check import Verdict

Facts = Mapping[str, Any]

LABEL = 120


def domain_line(facts: Facts) -> str:
    """Return what a problem is about besides the network, from what `Problem.facts` says."""
    if "dimension" in facts:
        return f"sphere: unit vectors of dimension {facts['dimension']}, uniformly distributed"
    size = f"{facts['rows']} x {facts['columns']}"
    label = facts["label"] if len(facts["label"]) <= LABEL else facts["label"][:LABEL] + "…"
    return f"data: {size}, sha256 {facts['sha256'][:16]}…, " + (f"label (unchecked): {label}" if label else "no label")


def network_line(facts: Facts) -> str:
    """Return the network of a problem; what is trained is left out where nothing is said of it."""
    train = f"train {facts['train']}, " if "train" in facts else ""
    return (
        f"network: {facts['kernel']}, {facts['activation']}, depth {facts['depth']}, {train}"
        f"σ_w {facts['weight_std']}, β {facts['bias']}, input scale {facts['input_scale']}"
    )


def problem_lines(facts: Facts, about: str) -> list[str]:
    """Return what a conclusion is about, from the facts of its problem; ``about`` is one of `ABOUT`."""
    lines = [domain_line(facts)] if about == INPUTS else [domain_line(facts), network_line(facts)]
    if about in (INPUTS, LIMIT):
        return lines
    start = f"init {facts['init']}" if "init" in facts else f"weights sha256 {facts['weights_sha256'][:16]}…"
    step = f"gradient descent with step {facts['step_size']}" if "step_size" in facts else "gradient flow"
    finite = f"width {facts['width']}, {start}"
    if about == START:
        return [*lines, f"start: {finite}"]
    return [*lines, f"training: {finite}, {step}"]


def verdict_lines(path: Path, verdict: Verdict, trust: bool = False) -> list[str]:
    """Return a verdict in a few lines; with ``trust``, every file it rests on.

    Args:
        path: of the certificate.
        verdict: what the checker says of it.
        trust: whether to list the files and how many lines of code each has.
    """
    if verdict.conclusion is None:
        place = f" step {verdict.step} ({verdict.rule}):" if verdict.step else ""
        found = f"; derived {verdict.derived}" if verdict.derived else ""
        detail = f" [needed {verdict.needed}{found}]" if verdict.needed else ""
        return [f"{path}: {verdict.verdict.upper()}:{place} {verdict.reason}{detail}"]
    facts = verdict.problem or {}
    lines = problem_lines(facts, of_kind(verdict.conclusion["kind"]).about)
    lines += [f"rests on: {assumption}" for assumption in verdict.assumptions]
    files = verdict.trusted_lines
    lines.append(
        f"rests on: {sum(files.values()):,} lines of code in {len(files)} files, rules {', '.join(verdict.rules)}"
    )
    if trust:
        lines += [f"  {count:>5}  {file}" for file, count in files.items()]
    first = f"{path}: {verdict.verdict}: {describe(verdict.conclusion, 'weights_sha256' in facts)}"
    return [first, *(f"  {line}" for line in lines)]


def verdict_fields(path: Path, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON fields: what it rests on if the conclusion holds, where the proof fails if not."""
    fields: dict[str, Any] = {"file": str(path), "verdict": verdict.verdict, "conclusion": verdict.conclusion}
    fields |= {"assumptions": list(verdict.assumptions), "problem": verdict.problem}
    if verdict.conclusion is None:
        return fields | {
            name: getattr(verdict, name) for name in ("step", "rule", "code", "reason", "needed", "derived")
        }
    files = verdict.trusted_lines
    return fields | {"rules": list(verdict.rules), "trusted": files, "trusted_lines": sum(files.values())}

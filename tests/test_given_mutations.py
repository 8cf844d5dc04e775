"""Every single-field change of a certificate about given weights is rejected, or what it then states is true.

The judge trains the network of the changed file in floats, by Runge–Kutta steps or by the steps of descent, and looks
whether loss, weights and kernel do what is stated; it shares no code with the checker but the reading of the file.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from given import Net, certified, instance, obeys
from test_mutations import Change, Json, agree, changed, tally

from ntkproof.certificate import to_json
from ntkproof.checker import check
from ntkproof.checker.check import parse
from ntkproof.checker.problem.problem import Problem

SAMPLED = 20  # mutations of each certificate that are always tried
BUILT: dict[str, tuple[str, dict[str, Any]]] = {
    "kantorovich": ("kantorovich", {"noise": 1e-3, "sizes": (2, 20, 1), "step_size": "0.1"}),
    "distance": ("distance", {"noise": 1e-3, "sizes": (2, 20, 1), "mirrored": True, "train": "both", "bias": "0.5"}),
    "deep": ("distance", {"noise": 1e-4, "activation": "sin", "sizes": (2, 6, 6, 1)}),
    "tube": ("tube", {"noise": 3e-4, "activation": "relu", "sizes": (2, 1000, 1)}),
    "flips": ("kantorovich", {"noise": 1e-5, "activation": "abs", "sizes": (2, 40, 1), "step_size": "0.05"}),
}


@cache
def built(name: str) -> Json:
    form, options = BUILT[name]
    document: Json = json.loads(to_json(certified(instance(3, **options), form)))
    return document


def holds(document: Json) -> bool:
    """Whether training of the network in a file does what its conclusion states."""
    certificate = parse(json.dumps(document))
    weights, claim = certificate.problem.weights, certificate.conclusion
    if weights is None or claim["kind"] != "convergence" or int(claim["width"]) != weights.width:
        return False
    if claim["dynamics"] != ("flow" if weights.step_size is None else "descent"):
        return False
    obeyed = bool((obeys(certificate.problem, certificate, 40) <= 1 + 1e-7).all())
    return obeyed and float(claim["rate"]) <= 1.01 * final_rate(certificate.problem)


def final_rate(problem: Problem) -> float:
    """The rate of the loss in the end, that of the least eigenvalue of H at the solution, found by Gauss–Newton."""
    net = Net(problem)
    theta = net.start
    for _ in range(8):
        theta = theta - np.linalg.pinv(net.jacobian(theta)) @ net.residual(theta)
    least = float(np.linalg.svd(net.jacobian(theta), compute_uv=False)[-1]) ** 2
    return 2 * least if net.step is None else (2 - float(net.step) * least) * least


def outcome(document: Json, change: Change, engine: str) -> str:
    """``rejected``, ``holey`` or ``true``; anything else is a hole in the checker."""
    new = changed(document, change)
    verdict = check(json.dumps(new), engine=engine)
    if verdict.verdict in ("invalid", "malformed"):
        assert verdict.code not in ("", "checker-failed"), (change, verdict)
        assert verdict.conclusion is None
        return "rejected"
    assert agree(new["conclusion"]["claim"], verdict.conclusion)
    if verdict.verdict == "holey":
        assert any(text.startswith("assumed without proof") for text in verdict.assumptions)
        return "holey"
    return "true" if holds(new) else f"unsound: {change}"


def sweep(name: str, engine: str, limit: int | None = None, kinds: tuple[str, ...] = ()) -> Counter[str]:
    """Try the changes (of some kinds), all or a fixed sample, and count what came of them."""
    return tally(name, built(name), outcome, engine, limit, kinds)


@pytest.mark.parametrize("name", BUILT)
def test_a_sample_of_mutations(name: str) -> None:
    assert sweep(name, "fast", SAMPLED)["rejected"] > SAMPLED / 2


@pytest.mark.parametrize("name", ["kantorovich", "distance", "flips"])
def test_a_sample_of_other_numbers(name: str) -> None:
    """Some are harmless: were none accepted, the judge would never have been asked."""
    assert sweep(name, "fast", SAMPLED, ("number",))["true"] > 0


@pytest.mark.parametrize("name", ["kantorovich", "flips"])
def test_a_sample_of_mutations_by_reference(name: str) -> None:
    assert sweep(name, "reference", 8)["rejected"] > 3


@pytest.mark.parametrize("name", BUILT)
def test_the_judge_knows_falsehood(name: str) -> None:
    document, claim = built(name), ("conclusion", "claim")
    assert holds(document)
    faster = f"{1.1 * final_rate(parse(json.dumps(document)).problem):.9f}"
    for change in (("", (*claim, "rate"), faster), ("", (*claim, "radius"), "0.000001")):
        assert not holds(changed(document, change)), change


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_every_mutation(name: str) -> None:
    sweep(name, "fast")

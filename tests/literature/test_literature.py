"""Every claim of the literature: its verdict is re-established, and mutating its formula flips it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from ntkproof.literature import Claim, Registry, experiments, run
from ntkproof.literature.experiments import exponent
from ntkproof.literature.literature import LITERATURE
from ntkproof.literature.models import G, W, alpha, beta, gamma, h, i, n, psi

CLAIMS = {claim.id: claim for registry in LITERATURE for claim in registry}
FAST = [claim for claim in CLAIMS.values() if not claim.slow]
SLOW = [claim for claim in CLAIMS.values() if claim.slow]


def test_every_document_has_claims() -> None:
    assert {registry.document.name for registry in LITERATURE} == {"bowman2023", "lecture", "note", "post"}
    assert len(CLAIMS) == sum(map(len, LITERATURE)) >= 140


@pytest.mark.parametrize("claim", FAST, ids=str)
def test_the_verdict_stands(claim: Claim, establish_claim: Any) -> None:
    establish_claim(claim)


@pytest.mark.slow
@pytest.mark.parametrize("claim", SLOW, ids=str)
def test_the_verdict_of_a_slow_claim_stands(claim: Claim, establish_claim: Any) -> None:
    establish_claim(claim)


# Mutations ------------------------------------------------------------------------------------------------------


def negated(claim: Claim) -> Any:
    return claim.formula.func(claim.formula.lhs, -claim.formula.rhs, evaluate=False)


def doubled(claim: Claim) -> Any:
    return claim.formula.func(claim.formula.lhs, 2 * claim.formula.rhs, evaluate=False)


def scaled(factor: Any) -> Any:
    return lambda claim: claim.formula * factor


def replaced(old: Any, new: Any) -> Any:
    return lambda claim: _rebuilt(claim.formula, old, new)


def _rebuilt(formula: Any, old: Any, new: Any) -> Any:
    return formula.xreplace({old: new})


def value(number: Any) -> Any:
    return lambda claim: sp.sympify(number)


EQUATIONS = [
    "bowman2023.gradient",
    "bowman2023.residual-ode",
    "bowman2023.loss-ode",
    "bowman2023.general-loss-ode",
    "bowman2023.energy",
    "bowman2023.positive-semidefinite",
    "bowman2023.loss-is-half-square",
    "lecture.residual",
    "lecture.squared-loss",
    "lecture.loss-chain-rule",
    "lecture.loss-quadratic-form",
    "lecture.output-scale",
    "lecture.gp-kernel",
    "lecture.exercise-1",
    "note.function-space",
    "note.recursion",
    "note.last-layer",
    "note.earlier-layers",
    "note.end-of-training",
    "note.map-estimate",
    "note.kernel-gradient",
    "post.residual-ode",
    "bowman2023.mercer",
]
MUTATIONS: list[tuple[str, str, Any]] = [
    *((name, "sign", negated) for name in EQUATIONS),
    *((name, "constant", doubled) for name in EQUATIONS),
    ("lecture.exercise-1", "index", replaced(h[i, beta], h[i, alpha])),
    ("lecture.exercise-1", "derivative", replaced(psi(h[i, beta], 1), psi(h[i, beta]))),
    ("lecture.exercise-1", "power", replaced(W[i] ** 2, W[i])),
    ("lecture.exercise-1", "power of the width", replaced(1 / n, 1 / n**2)),
    ("bowman2023.polyak-lojasiewicz", "constant", doubled),
    ("bowman2023.general-loss-decay", "constant", doubled),
    ("bowman2023.five-eighths", "constant", doubled),
    ("bowman2023.weyl", "constant", doubled),
    ("bowman2023.strong-convexity", "constant", doubled),
    ("bowman2023.groenwall", "constant", scaled(2)),
    ("bowman2023.groenwall", "constant", scaled(sp.Rational(3, 2))),
    ("bowman2023.radius", "constant", scaled(sp.Rational(1, 2))),
    ("bowman2023.speed", "constant", scaled(sp.Rational(1, 2))),
    ("bowman2023.rate", "constant", scaled(2)),
    ("bowman2023.width-initial", "constant", scaled(sp.Rational(1, 2))),
    ("bowman2023.width-deviation", "constant", scaled(sp.Rational(1, 4))),
    ("bowman2023.share-of-the-deviation", "constant", scaled(3)),
    ("bowman2023.standard-parametrisation", "constant", scaled(2)),
    ("bowman2023.step-rescaling", "constant", scaled(2)),
    ("bowman2023.initial-residual", "constant", scaled(2)),
    ("bowman2023.operator-norm-union", "constant", scaled(sp.Rational(1, 4))),
    ("bowman2023.circle-eigenvalues", "constant", scaled(sp.Rational(1001, 1000))),
    ("bowman2023.linear-flow", "sign", scaled(-1)),
    ("bowman2023.eigenfunctions", "constant", scaled(2)),
    ("bowman2023.depth-with-width", "constant", value("(1 + 4/n)**L")),
    ("bowman2023.learning-rate", "constant", value(1)),
    ("bowman2023.learning-rate", "constant", value(5)),
    ("bowman2023.infinite-width-start", "exponent", value(-1)),
    ("bowman2023.infinite-width-start-deep", "exponent", value(-1)),
    ("bowman2023.infinite-width-training", "exponent", value("-3/2")),
    ("bowman2023.adapts-to-target", "share", value("9/10")),
    ("lecture.rate", "constant", scaled(5)),
    ("lecture.solution", "sign", scaled(-1)),
    ("lecture.lemma-2", "constant", doubled),
    ("lecture.law-of-large-numbers", "constant", scaled(2)),
    ("lecture.kernel-derivative-order", "exponent", value("-3/2")),
    ("note.preactivation-scale", "constant", scaled(2)),
    ("note.early-stopping", "constant", scaled(sp.Rational(1, 2))),
    ("note.independent-outputs", "constant", scaled(2)),
    ("note.single-neuron", "exponent", value(-1)),
    ("note.relu-dual", "constant", scaled(2)),
    ("note.relu-dual-derivative", "sign", scaled(-1)),
    ("post.solution", "sign", scaled(-1)),
    ("post.time-scale", "constant", scaled(2)),
    ("post.spectral-filter", "sign", scaled(-1)),
    ("post.mup-kernel", "constant", scaled(2)),
    ("post.weight-contribution", "constant", scaled(2)),
    ("post.linear-rate", "constant", doubled),
    ("post.finite-steps-finite-width", "constant", value(20)),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation[0]}, {mutation[1]}")
def test_a_mutated_formula_is_refuted(mutation: tuple[str, str, Any]) -> None:
    name, _, mutate = mutation
    claim = CLAIMS[name]
    mutated = claim.with_formula(mutate(claim))
    assert mutated.formula != claim.formula
    assert mutated.test is not None
    assert mutated.test(mutated.formula).holds is False, mutated.test(mutated.formula)


def test_a_corrected_formula_is_mutated_too() -> None:
    for name, factor in (("bowman2023.eigenvalue-order-one", 2), ("bowman2023.descent", 2), ("note.truncation", 2)):
        claim = CLAIMS[name]
        mutated = replace(claim, better=claim.better * factor)
        assert run(mutated).verdict == "undecided", name


REFUTED = [claim for claim in FAST if claim.verdict == "refuted as stated"]


@pytest.mark.parametrize("claim", REFUTED, ids=str)
def test_with_the_corrected_formula_a_refuted_claim_is_proved(claim: Claim) -> None:
    assert run(claim.with_formula(claim.better)).verdict == "proved"


def test_the_two_slips_of_exercise_3_are_where_the_entry_says() -> None:
    printed, corrected = CLAIMS["lecture.exercise-3"].formula, CLAIMS["lecture.exercise-3"].better
    assert printed.has(G[alpha, beta])
    assert not printed.has(G[alpha, gamma])
    assert corrected.has(G[alpha, gamma])
    assert sp.expand(corrected.rhs.subs(G[alpha, gamma], G[alpha, beta]) - printed.rhs) == 0


# The statistics -------------------------------------------------------------------------------------------------


def test_the_exponent_of_exact_powers() -> None:
    generator = np.random.default_rng(0)
    noise = generator.uniform(0.5, 1.5, (2, 4000))
    for power in (-1.0, -0.5, 0.0):
        estimate, half = exponent(noise[0] * 64 ** (2 * power), noise[1] * 512 ** (2 * power), 8)
        assert abs(estimate - power) < half < 0.02


def test_a_variance_that_is_wrong_is_told_apart() -> None:
    generator = np.random.default_rng(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "_outputs_at_test", lambda: list(generator.standard_normal(2000) * 0.5))
        assert experiments.trained_variance(0.25).holds is True
        assert experiments.trained_variance(0.5).holds is False


def test_registries_are_of_their_documents() -> None:
    for registry in LITERATURE:
        assert isinstance(registry, Registry)
        assert all(claim.id.startswith(f"{registry.document.name}.") for claim in registry)

"""Convergence from given weights: Kantorovich's form or the distance to a point that nearly fits the data.

Two-layer or deep networks with a C² activation; gradient flow, or descent with a step size.  From the weights after
some steps of training it is the same theorem, applied there.
"""

from __future__ import annotations

from fractions import Fraction

from ntkproof.checker.activations.facts import activation_facts
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.given_weights.quantities import Quantities
from ntkproof.checker.logic.claim import Claim, Rejection
from ntkproof.checker.logic.format import Certificate
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.rule import Setting
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.prover.draft import Draft, why
from ntkproof.theorems.instance_forms import PLANS
from ntkproof.theorems.instance_start import ALLOWED, least_eigenvalue, prove_start, rounded_down, rounded_up

FORMS = tuple(PLANS)


def certify_instance(
    dataset: Dataset,
    network: Network,
    weights: Weights,
    *,
    form: str | None = None,
    paths: str | None = None,
    engine: str = "fast",
    tick: Tick = lambda done, total: None,
) -> Certificate:
    """Prove that training from given weights converges to zero training loss, at which rate and staying how close.

    Args:
        dataset: samples with targets.
        network: of a C² activation and any depth; or two layers with a piecewise linear activation, the hidden one
            trained, without bias, σ_w = 1, input scale 1.
        weights: where training starts, with its step size if it is gradient descent.
        form: ``kantorovich``, ``distance`` (C² activations) or ``tube`` (piecewise linear ones, gradient flow); None
            for the one that proves the fastest rate.
        paths: ``weights`` or ``matrices``, see the rule ``given_deviation``; None for matrices at depth 2 and more.
        engine, tick: see `ntkproof.certify`.

    Raises:
        InputError: a hypothesis fails: which, by what factor.
    """
    if form not in (None, *FORMS):
        raise InputError(f"unknown form {form!r}; there are {', '.join(FORMS)}")
    problem = Problem(dataset, network, "ntk", weights=weights)
    draft = Draft(Setting(problem, arithmetic(engine), tick))
    try:
        smooth = activation_facts(network.activation)[1] is not None
        forms = ("kantorovich", "distance" if smooth else "tube")
        if form is not None and form not in forms:
            raise InputError(f"the form {form} is not for the activation {network.activation}; {', '.join(forms)} are")
        start = prove_start(draft, paths or ("weights" if network.depth == 1 else "matrices"), smooth)
        plans = [PLANS[name](draft, start) for name in forms if form in (None, name)]
        best = max(plans, key=lambda plan: plan.rate)
        if not best.rate > 0:
            closest = min(plans, key=lambda plan: plan.short)
            raise InputError(f"convergence is not proved from these weights: {closest.why}")
        best.prove()
    except Rejection as error:
        raise InputError(f"convergence is not proved from these weights: {why(error)}") from None
    return draft.certificate()


def certify_quantities(
    dataset: Dataset,
    network: Network,
    weights: Weights,
    *,
    engine: str = "fast",
    tick: Tick = lambda done, total: None,
) -> Certificate:
    """Prove the quantities of given weights that the theorems start from; see the claim `Quantities`.

    Args:
        dataset: samples with targets.
        network, weights: any that `certify_instance` takes.
        engine, tick: see `ntkproof.certify`.

    Raises:
        InputError: the Jacobian is not shown to have full rank, or the numbers are too large.
    """
    draft = Draft(Setting(Problem(dataset, network, "ntk", weights=weights), arithmetic(engine), tick))
    try:
        least_eigenvalue(draft)
        draft.derive("quantities", "given_quantities", ("sigma",), weaken=_rounded_quantities)
    except Rejection as error:
        raise InputError(f"nothing is proved of these weights: {why(error)}") from None
    return draft.certificate()


def _rounded_quantities(claim: Quantities) -> Claim:
    return Quantities(
        rounded_up(claim.residual + ALLOWED * Fraction(1, 10**9)),
        rounded_down(claim.lambda_min),
        rounded_up(claim.jacobian_norm),
        tuple(map(rounded_up, claim.weight_norms)),
        tuple(map(rounded_up, claim.largest)),
        rounded_down(max(Fraction(0), claim.margin - Fraction(1, 10**9))),
    )

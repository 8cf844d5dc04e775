"""Convergence of training from a random start at a finite width."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ntkproof.checker.logic.numbers import InputError, decimal
from ntkproof.statements.options import TARGETS
from ntkproof.statements.statement import Question, Statement, Values

if TYPE_CHECKING:
    from ntkproof.checker.logic.format import Certificate

OPTIONS = ("theorem", "loss", "width", "init", "step_size", "failure_probability", "constants", "gap")


def prove(question: Question) -> Certificate:
    """Prove it by `ntkproof.theorems.certify`."""
    from ntkproof.theorems.certify import certify_convergence

    return certify_convergence(question.dataset, question.network, **question.options(*OPTIONS))


def settle(values: Values) -> Values:
    """Return what the theorem fixes: which layers are trained, and perhaps the start."""
    from ntkproof.theorems.certify import theorem_for

    require_flow(values)
    module = theorem_for(values["theorem"], values["activation"], values["loss"], values["constants"])
    if values["constants"] and module.name != "huang2020" and values["loss"] != "custom":
        raise InputError(
            f"the theorem {module.name} has no constant to supply; leave constant out, or ask for theorem=huang2020 or "
            "loss=custom"
        )
    start = {"init": module.INIT} if hasattr(module, "INIT") else {}
    return {"train": getattr(module, "TRAIN", "hidden"), **start}


def require_flow(values: Values) -> None:
    """Raise InputError if gradient flow and a step size are asked for."""
    if values["flow"] and values["step_size"] is not None:
        raise InputError("flow and step-size exclude each other")


def words(conclusion: Values) -> str:
    """Name width, probability, rate, radius and change of the kernel."""
    c = conclusion
    where = f"at width {c['width']}"
    if c["failure"] != "0":
        where += f", with probability ≥ 1 - {c['failure']}"
    k = "k" if c.get("dynamics") == "descent" else "t"
    if c["kind"] == "loss_convergence":
        power = decimal(2 * Fraction(c["exponent"]))
        loss = f", for the {c['loss']} loss: g = ℓ - ℓ* has g' ≤ -{c['rate']} g^{power}"
    else:
        loss = ": L(k) ≤ (1 - η {})^k L(0)" if c["dynamics"] == "descent" else ": L(t) ≤ e^(-{} t) L(0)"
        where += ", on ‖r‖²/(2n)" if c["dynamics"] == "mean_flow" else ""
        loss = loss.format(c["rate"])
    return f"{where}{loss}, ‖θ_{k} - θ_0‖ ≤ {c['radius']}, ‖H_{k} - H_0‖ ≤ {c['kernel_deviation']}"


STATEMENT = Statement(
    name="convergence",
    proves="that training from a random start converges at a finite width: rate, probability, and how far it moves",
    network="two layers without bias, σ_w 1, input scale 1; the theorem says which layers are trained",
    kinds=("convergence", "loss_convergence"),
    options={
        **TARGETS,
        "activation": "relu",
        "train": None,
        "width": None,
        "init": None,
        "failure_probability": "0.05",
        "flow": False,
        "step_size": None,
        "theorem": None,
        "loss": "squared",
        "constants": None,
        "gap": 1e-6,
    },
    words=words,
    prove=prove,
    fixed={"depth": 1, "kernel": "ntk", "bias": "0", "weight_std": "1", "input_scale": "1"},
    settle=settle,
    becomes={"weights": "convergence-from-weights", "run": "convergence-from-run"},
    hints={
        "train": "ask for theorem=both (train=both), or give weights or a run (train=all)",
        "depth": "give weights or a run, or ask for statement=gradient-bound",
        "form": "give weights or a run",
        "parametrisation": "give weights",
    },
)

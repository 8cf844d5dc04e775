"""ntkproof: machine-checked proofs about the Neural Tangent Kernel of a dataset and a network.

Everything a user needs is here under one name; it is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkproof.certificate import write
    from ntkproof.checker.check import Verdict, check, read
    from ntkproof.checker.logic.format import Certificate
    from ntkproof.checker.logic.numbers import InputError
    from ntkproof.checker.logic.reading import Malformed
    from ntkproof.checker.problem.dataset import Dataset
    from ntkproof.checker.problem.network import Network
    from ntkproof.checker.problem.sphere import Sphere
    from ntkproof.checker.problem.training import Training
    from ntkproof.checker.problem.weights import Weights
    from ntkproof.data.datasets import load, prepare
    from ntkproof.data.runs import Run, read_run
    from ntkproof.data.weights import read_weights, save_weights
    from ntkproof.gram import enclose_gram
    from ntkproof.literature.claim import Claim, Document, Evidence, Outcome, Registry
    from ntkproof.literature.claim import run as run_claim
    from ntkproof.prediction import predict
    from ntkproof.simulation.experiment import Experiment
    from ntkproof.simulation.networks import empirical_ntk
    from ntkproof.simulation.runs import simulate
    from ntkproof.simulation.saved import train
    from ntkproof.statements.ask import certify
    from ntkproof.statements.table import describe
    from ntkproof.theorems.conditions import Conditions, conditions

__version__ = "0.1.0"

NAMES = {  # the module of each name; behind a colon what it is called there
    "Certificate": "checker.logic.format",
    "certify": "statements.ask",
    "check": "checker.check",
    "Claim": "literature.claim",
    "Conditions": "theorems.conditions",
    "conditions": "theorems.conditions",
    "Dataset": "checker.problem.dataset",
    "describe": "statements.table",
    "Document": "literature.claim",
    "empirical_ntk": "simulation.networks",
    "enclose_gram": "gram",
    "Evidence": "literature.claim",
    "Experiment": "simulation.experiment",
    "InputError": "checker.logic.numbers",
    "load": "data.datasets",
    "Malformed": "checker.logic.reading",
    "Network": "checker.problem.network",
    "Outcome": "literature.claim",
    "predict": "prediction",
    "prepare": "data.datasets",
    "read": "checker.check",
    "read_run": "data.runs",
    "read_weights": "data.weights",
    "Registry": "literature.claim",
    "Run": "data.runs",
    "run_claim": "literature.claim:run",
    "save_weights": "data.weights",
    "simulate": "simulation.runs",
    "Sphere": "checker.problem.sphere",
    "train": "simulation.saved",
    "Training": "checker.problem.training",
    "Verdict": "checker.check",
    "Weights": "checker.problem.weights",
    "write": "certificate",
}

__all__ = [
    "Certificate",
    "Claim",
    "Conditions",
    "Dataset",
    "Document",
    "Evidence",
    "Experiment",
    "InputError",
    "Malformed",
    "Network",
    "Outcome",
    "Registry",
    "Run",
    "Sphere",
    "Training",
    "Verdict",
    "Weights",
    "certify",
    "check",
    "conditions",
    "describe",
    "empirical_ntk",
    "enclose_gram",
    "load",
    "predict",
    "prepare",
    "read",
    "read_run",
    "read_weights",
    "run_claim",
    "save_weights",
    "simulate",
    "train",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'ntkproof' has no attribute {name!r}")
    if name == "Network":
        _accept_sympy()
    module, _, attribute = NAMES[name].partition(":")
    found = globals()[name] = getattr(import_module(f"ntkproof.{module}"), attribute or name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES})


def _accept_sympy() -> None:
    """Let a network take a SymPy expression as its activation; SymPy is imported when one comes."""
    from ntkproof.checker.activations.names import CONVERTERS

    def text(expression: object) -> str:
        from ntkproof.data.sympy_activation import activation_text

        return activation_text(expression)

    CONVERTERS.append(text)

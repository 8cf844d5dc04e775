"""ntkproof: machine-checked proofs about the Neural Tangent Kernel of a dataset and a network.

Everything a user needs is here under one name; it is imported when it is first asked for.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

NAMES = {
    "Certificate": "checker.logic.format",
    "Dataset": "checker.problem.dataset",
    "InputError": "checker.logic.numbers",
    "Malformed": "checker.logic.format",
    "Network": "checker.problem.network",
    "Training": "checker.problem.training",
    "Verdict": "checker.check",
    "Weights": "checker.problem.weights",
    "certify": "prover.certify",
    "check": "checker.check",
    "enclose_gram": "gram",
    "load": "data.datasets",
    "prepare": "data.datasets",
    "read": "checker.check",
    "write": "certificate",
}

__all__ = sorted(NAMES)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'ntkproof' has no attribute {name!r}")
    if name == "Network":
        _accept_sympy()
    found = globals()[name] = getattr(import_module(f"ntkproof.{NAMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *NAMES]


def _accept_sympy() -> None:
    """Let a network take a SymPy expression as its activation; SymPy is imported when one comes."""
    from ntkproof.checker.activations.names import CONVERTERS

    def text(expression: object) -> str:
        from ntkproof.data.sympy_activation import activation_text

        return activation_text(expression)

    CONVERTERS.append(text)

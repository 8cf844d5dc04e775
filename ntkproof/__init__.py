"""ntkproof: machine-checked proofs about the Neural Tangent Kernel of a dataset and a network."""

from ntkproof.checker import Verdict, check
from ntkproof.datasets import load, prepare
from ntkproof.gram import enclose_gram
from ntkproof.problem import CONVERTERS, Dataset, InputError, Network
from ntkproof.prover.certify import certify

__version__ = "0.1.0"

__all__ = ["Dataset", "InputError", "Network", "Verdict", "certify", "check", "enclose_gram", "load", "prepare"]


def _symbolic(expression: object) -> str:
    from ntkproof.sympy_activation import activation_text  # imports SymPy, which takes half a second

    return activation_text(expression)


CONVERTERS.append(_symbolic)

"""The network of a statement.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ntkproof.checker.activations.names import CONVERTERS, split_activation
from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.logic.reading import Malformed, decimal_text, integer, record, text

MAX_DEPTH = 10

TRAINED = ("hidden", "output", "both", "all")

INPUT_SCALES = ("1", "fan-in")


@dataclass(frozen=True)
class Network:
    """A fully connected network in the NTK parametrisation (Jacot et al. 2018, section 2).

    ``z¹ = σ_w s W¹x + β b¹``, ``z^{l+1} = σ_w n_l^{-1/2} W^{l+1} σ(z^l) + β b^{l+1}``, ``f = z^{depth+1}``, all
    entries of the ``W`` and ``b`` standard normal, ``s = 1`` or ``d^{-1/2}``.

    Args:
        activation: ``relu``, ``leaky_relu(slope)``, ``abs``, ``identity``, ``erf``, ``sin``, ``cos``, one of
            `EXPRESSIONS`, ``expr(…)`` with an expression in x such as ``expr(x*tanh(x))``, or a SymPy expression.
        depth: number of hidden layers, 1 to 10.
        train: which parameters the NTK is taken over.  ``all`` (any depth): every weight and bias.  For depth 1
            also ``hidden`` (``W¹, b¹``), ``output`` (``W²``) and ``both`` (``W¹, b¹, W²``; no output bias, as in
            Du et al. 2019: there ``all`` and ``both`` differ by ``β²``).
        bias: ``β ≥ 0``; a float means its shortest decimal.
        weight_std: ``σ_w > 0``.
        input_scale: ``"1"`` or ``"fan-in"`` (``s = d^{-1/2}``).

    Raises:
        InputError: unknown names or values out of range.
    """

    activation: str = "relu"
    depth: int = 1
    train: str = "all"
    bias: Fraction | int | float | str = Fraction(0)
    weight_std: Fraction | int | float | str = Fraction(1)
    input_scale: str = "1"

    def __post_init__(self) -> None:
        text: Any = self.activation
        for convert in CONVERTERS if hasattr(text, "free_symbols") else ():
            text = convert(text)
        name, slope = split_activation(text)
        if slope is not None:
            name = f"{name}({decimal(slope)})"
        object.__setattr__(self, "activation", name)
        if type(self.depth) is not int or not 1 <= self.depth <= MAX_DEPTH:
            raise InputError(f"depth must be an integer from 1 to {MAX_DEPTH}, not {self.depth!r}")
        if self.train not in TRAINED:
            raise InputError(f"unknown train {self.train!r}; there are {', '.join(TRAINED)}")
        if self.depth > 1 and self.train != "all":
            raise InputError(f"train={self.train} is for depth 1; at depth {self.depth} use train=all")
        object.__setattr__(self, "bias", exact(self.bias))
        object.__setattr__(self, "weight_std", exact(self.weight_std))
        if not 0 <= self.beta <= 10**6:
            raise InputError(f"bias must be from 0 to 10^6, not {decimal(self.beta)}")
        if not Fraction(1, 10**6) <= self.sigma_w <= 10**6:
            raise InputError(f"weight std must be from 10^-6 to 10^6, not {decimal(self.sigma_w)}")
        if str(self.input_scale) not in INPUT_SCALES:
            raise InputError(f"unknown input scale {self.input_scale!r}; there are {', '.join(INPUT_SCALES)}")
        object.__setattr__(self, "input_scale", str(self.input_scale))

    @property
    def beta(self) -> Fraction:
        """The bias scale β."""
        return exact(self.bias)

    @property
    def sigma_w(self) -> Fraction:
        """The weight scale σ_w."""
        return exact(self.weight_std)

    def facts(self) -> dict[str, str | int]:
        """Return what a verdict says of the network, and how a certificate states it."""
        return {
            "activation": self.activation,
            "depth": self.depth,
            "train": self.train,
            "bias": decimal(self.beta),
            "weight_std": decimal(self.sigma_w),
            "input_scale": self.input_scale,
        }


def read_network(raw: Any, where: str) -> Network:
    """Read ``problem.network`` of a certificate."""
    words = dict.fromkeys(("activation", "train", "input_scale"), text)
    numbers = dict.fromkeys(("bias", "weight_std"), decimal_text)
    network = Network(**record(raw, where, {**words, **numbers, "depth": integer}))
    if network.activation != raw["activation"]:
        raise Malformed(f"{where}.activation: the canonical form is {network.activation!r}")
    return network

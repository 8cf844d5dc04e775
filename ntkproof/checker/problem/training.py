"""A random start and how the network is trained from it.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.numbers import InputError, decimal, exact
from ntkproof.checker.logic.reading import Malformed, Reader, decimal_text, record, text
from ntkproof.checker.problem.step_size import positive_step

if TYPE_CHECKING:
    from fractions import Fraction

    from ntkproof.checker.logic.arrays import Source

MAX_WIDTH = 10**60

INITS = ("signs", "balanced", "antisymmetric", "gaussian")


@dataclass(frozen=True)
class Training:
    """How a two-layer network of finite width is initialised and trained on the loss ``½‖f(X) − y‖²``.

    Args:
        width: number ``m`` of hidden neurons.
        init: the output weights ``a``: ``signs`` (iid ±1), ``balanced`` (±1, half of each), ``antisymmetric``
            (±1, every neuron twice with opposite sign, so the network starts at 0) or ``gaussian``; the hidden
            weights are standard normal (for ``antisymmetric``: those of ``m/2`` neurons).
        step_size: the step of gradient descent, or None for gradient flow.

    Raises:
        InputError: unknown names or values out of range.
    """

    width: int
    init: str = "antisymmetric"
    step_size: Fraction | int | float | str | None = None

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 1 <= self.width <= MAX_WIDTH:
            raise InputError(f"the width must be an integer from 1 to {MAX_WIDTH:.0e}, not {self.width!r}")
        if self.init not in INITS:
            raise InputError(f"unknown init {self.init!r}; there are {', '.join(INITS)}")
        if self.init in ("balanced", "antisymmetric") and self.width % 2:
            raise InputError(f"init={self.init} needs an even width, not {self.width}")
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive_step(self.step_size))

    def facts(self) -> dict[str, str | int]:
        """Return what a verdict says of the training, and how a certificate states it."""
        step = {} if self.step_size is None else {"step_size": decimal(exact(self.step_size))}
        return {"width": str(self.width), "init": self.init, **step}

    @property
    def independent_neurons(self) -> int:
        """Number of independent hidden neurons at initialisation."""
        return self.width // 2 if self.init == "antisymmetric" else self.width


def training_in(source: Source) -> Reader:
    """Return the reader of ``problem.training``."""

    def width(raw: Any, where: str) -> int:
        if not decimal_text(raw, where).isdigit():
            raise Malformed(f"{where}: expected a whole number as a string")
        return int(raw)

    fields = {"width": width, "init": text, "step_size": decimal_text}
    return lambda raw, where: Training(**record(raw, where, fields, optional=("step_size",)))

"""The unit sphere in place of a dataset.

Trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.reading import Reader, integer, record

if TYPE_CHECKING:
    from ntkproof.checker.logic.arrays import Source

MAX_DIMENSION = 1000


@dataclass(frozen=True)
class Sphere:
    """The unit sphere ``S^{d−1}`` of ``ℝ^d`` with its uniform distribution, in place of a dataset.

    Args:
        dimension: ``d``, from 2 to 1000.

    Raises:
        InputError: another dimension.
    """

    dimension: int
    about: ClassVar[str] = "the sphere"
    exponent: ClassVar[int] = 0  # as in `Dataset`: the inner products of points are numbers t in [-1, 1], unscaled

    def __post_init__(self) -> None:
        if type(self.dimension) is not int or not 2 <= self.dimension <= MAX_DIMENSION:
            raise InputError(f"the dimension must be an integer from 2 to {MAX_DIMENSION}, not {self.dimension!r}")

    def facts(self) -> dict[str, str | int]:
        """Return what a verdict says of the domain."""
        return {"dimension": self.dimension}

    @property
    def d(self) -> int:
        """Number of inputs, the dimension."""
        return self.dimension


def sphere_in(source: Source) -> Reader:
    """Return the reader of ``problem.sphere``."""
    return lambda raw, where: Sphere(**record(raw, where, {"dimension": integer}))

"""What a statement is about: data, network and kernel.

Trusted: the checker rebuilds these objects from a certificate, so their validation is part of the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.logic.claim import START, TRAINING, Rejection
from ntkproof.checker.logic.load import load
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.reading import Malformed, Reader, record, text
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network, read_network

if TYPE_CHECKING:
    from ntkproof.checker.logic.arrays import Source
    from ntkproof.checker.problem.sphere import Sphere
    from ntkproof.checker.problem.training import Training
    from ntkproof.checker.problem.weights import Weights


KERNELS = ("ntk", "nngp")


@dataclass(frozen=True, eq=False)
class Problem:
    """Data, a network and which of its kernels: together they define the Gram matrix ``H``, or a kernel on the sphere.

    Args:
        domain: the samples, or the sphere; ``dataset`` and ``sphere`` give it, if it is that.
        network: the network.
        kernel: ``ntk`` or ``nngp``; the NNGP kernel is the covariance of ``f`` and ignores no parameter, so it
            asks for ``train="all"``.
        training: for statements about a randomly initialised network of finite width; these need targets.
        weights: for statements about a network with given weights; these need targets, too.

    Raises:
        InputError: unknown kernel, ``nngp`` with a choice of trained layers, training without targets, or weights
            that do not fit the data and the network.
    """

    domain: Dataset | Sphere
    network: Network
    kernel: str = "ntk"
    training: Training | None = None
    weights: Weights | None = None

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise InputError(f"unknown kernel {self.kernel!r}; there are {', '.join(KERNELS)}")
        if self.kernel == "nngp" and self.network.train != "all":
            raise InputError("the nngp kernel does not depend on what is trained; leave train out (train=all)")
        if self.training is not None or self.weights is not None:
            if self.dataset.targets is None:
                raise InputError("a statement about training needs targets")
            if self.kernel != "ntk":
                raise InputError("a statement about training needs the ntk kernel")
        if self.weights is not None:
            if self.training is not None:
                raise InputError("weights are either random or given, not both")
            self.weights.fit(self)

    @property
    def dataset(self) -> Dataset:
        """The samples. Raises InputError if the problem is about the sphere."""
        if not isinstance(self.domain, Dataset):
            raise InputError("the problem is about the sphere, not about a dataset")
        return self.domain

    @property
    def size(self) -> int:
        """The bytes of its arrays."""
        arrays = [] if not isinstance(self.domain, Dataset) else [self.domain.inputs]
        arrays += [] if self.weights is None else self.weights.layers
        return sum(array.nbytes for array in arrays)

    def facts(self) -> dict[str, str | int]:
        """Return what a verdict says of the problem."""
        parts = (part.facts() for part in (self.domain, self.training, self.weights) if part is not None)
        return {**{k: v for part in parts for k, v in part.items()}, "kernel": self.kernel, **self.network.facts()}

    def require_used(self, about: str) -> None:
        """Raise `Rejection` if a conclusion about this (one of ``claim.ABOUT``) does not use all that is said here."""
        start = self.training or self.weights
        if start is not None and about not in (START, TRAINING):
            raise Rejection("unused", f"the conclusion is not about the {type(start).__name__.lower()} of the problem")
        if start is not None and start.step_size is not None and about != TRAINING:
            raise Rejection("unused", "the conclusion is not about the step size of the problem")

    def well_defined(self) -> None:
        """Raise `Rejection` unless the kernel is known to exist: some expressions grow too fast for expectations."""
        expression = expression_of(self.network.activation)
        if expression is not None:
            load("activations.bounds").require_growth(self.network.activation, expression)


def problem_in(source: Source) -> Reader:
    """Return the reader of ``problem``, whose parts are read by the modules of their names."""

    def part(name: str) -> Reader:
        def read(raw: Any, where: str) -> Any:
            return getattr(load(f"problem.{name}"), f"{name}_in")(source)(raw, where)

        return read

    def read(raw: Any, where: str) -> Problem:
        domain = "sphere" if isinstance(raw, dict) and "sphere" in raw else "dataset"
        parts = {name: part(name) for name in (domain, "training", "weights")}
        fields = {**parts, "network": read_network, "kernel": text}
        try:
            top = record(raw, where, fields, optional=("training", "weights"))
            return Problem(top.pop(domain), **top)
        except InputError as error:
            raise Malformed(f"{where}: {error}") from None

    return read

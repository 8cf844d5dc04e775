"""What a rule is: a name, the shape of its steps, and the function that derives a claim.

Trusted.  The shape (arguments, witness arrays, kinds of premises) is checked before the function runs, so a rule
sees only what it declared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.claim import Claim, Rejection, show
from ntkproof.checker.logic.reading import Malformed, between, number, record, word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ntkproof.checker.arithmetic.protocols import Arithmetic, Matrix, Tick
    from ntkproof.checker.logic.arrays import Array
    from ntkproof.checker.logic.format import Step
    from ntkproof.checker.problem.problem import Problem


@dataclass(frozen=True)
class Proved:
    """A claim that holds: the accepted conclusion of a step.

    Args:
        claim: the claim, as stated by the step (equal to or weaker than what its rule derived).
        matrix: the integer matrix ``A`` when the claim is an `Enclosure`.
        assumptions: what the proof so far rests on, beyond the arithmetic.
        assumed: True when some premise was assumed and not proved.
        rule: the name of the rule that derived it.
        events: the random events the claim holds on, each with a bound on the probability that it fails.
    """

    claim: Claim
    matrix: Matrix | None = None
    assumptions: frozenset[str] = frozenset()
    assumed: bool = False
    rule: str = ""
    events: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """What every rule may use besides the step: the problem, the arithmetic and a progress callback.

    ``cache`` keeps what several steps derive from the problem alone.
    """

    problem: Problem
    arithmetic: Arithmetic
    tick: Tick
    cache: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Inputs:
    """A step as its rule sees it, everything already of the declared type."""

    premises: tuple[Proved, ...]
    integers: Mapping[str, int]
    numbers: Mapping[str, Fraction]
    names: Mapping[str, str]
    witness: Mapping[str, Array]
    stated: Claim

    @property
    def events(self) -> dict[str, Fraction]:
        """The random events the premises hold on, each counted once."""
        return {name: failure for premise in self.premises for name, failure in premise.events.items()}


@dataclass(frozen=True)
class Derived:
    """What a rule derives: a claim, its matrix if it is an enclosure, and what it assumes.

    ``failure`` bounds the probability that a new random event, on which the claim holds, does not occur.
    """

    claim: Claim
    matrix: Matrix | None = None
    assumptions: frozenset[str] = frozenset()
    assumed: bool = False
    failure: Fraction = Fraction(0)


@dataclass(frozen=True)
class Rule:
    """A rule of the checker.

    Args:
        derive: the function; it returns a claim that holds whenever the premises do, or raises `Rejection`.
        premises: the kinds of claims it uses, in order.
        integers: integer arguments with their least and largest values.
        numbers: arguments that are decimal strings.
        names: arguments that are one of some words.
        witness: names of its witness arrays (of integers, one-dimensional).
        matrices: names of its two-dimensional witness arrays (of integers).
        repeat: the last kind of premise may occur any number of times, at least once.
        about: what a problem must be about: ``a dataset``, or ``the sphere``.
    """

    derive: Callable[[Setting, Inputs], Derived]
    premises: tuple[type[Claim], ...] = ()
    integers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    witness: tuple[str, ...] = ()
    matrices: tuple[str, ...] = ()
    repeat: bool = False
    about: str = "a dataset"

    def inputs(self, step: Step, premises: tuple[Proved, ...], stated: Claim) -> Inputs:
        """Return the step as this rule sees it, or raise `Rejection` when it does not have the declared shape."""
        _exactly("argument", step.args, (*self.integers, *self.numbers, *self.names))
        _exactly("witness", step.witness, (*self.witness, *self.matrices))
        kinds = tuple(type(premise.claim) for premise in premises)
        more = self.premises[-1:] * (len(kinds) - len(self.premises)) if self.repeat else ()
        if kinds != (*self.premises, *more):
            expected = ", ".join(kind.kind for kind in self.premises) or "no premises"
            found = ", ".join(kind.kind for kind in kinds) or "no premises"
            raise Rejection("bad-premises", "the rule uses other kinds of claims", expected, found)
        for name, array in step.witness.items():
            dimensions = 2 if name in self.matrices else 1
            if array.is_float or len(array.shape) != dimensions:
                raise Rejection(
                    "bad-witness", f"the witness {name} must be an array of integers, {dimensions}-dimensional"
                )
        readers = {name: between(*bounds) for name, bounds in self.integers.items()}
        readers |= dict.fromkeys(self.numbers, number) | {name: word(choices) for name, choices in self.names.items()}
        try:
            args = record(step.args, "args", readers)
        except Malformed as error:
            raise Rejection("bad-argument", str(error)) from None
        integers, numbers, names = ({k: args[k] for k in kind} for kind in (self.integers, self.numbers, self.names))
        return Inputs(premises, integers, numbers, names, step.witness, stated)


def require(name: str, have: Fraction, needed: Fraction) -> None:
    """Require the hypothesis ``have > needed``, or raise `Rejection`."""
    if not have > needed:
        raise Rejection("hypothesis", f"the hypothesis {name} fails", f"> {show(needed, 6)}", show(have, 6))


def _exactly(what: str, given: Mapping[str, object], declared: tuple[str, ...]) -> None:
    for name in declared:
        if name not in given:
            raise Rejection(f"missing-{what}", f"the {what} {name!r} is missing")
    for name in given:
        if name not in declared:
            raise Rejection(f"unknown-{what}", f"the rule has no {what} {name!r}")

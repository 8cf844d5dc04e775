"""What a statement is: its options with their defaults, what it proves, in which words, and what proves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.claim import TRAINING
from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.problem.sphere import Sphere
from ntkproof.checker.table import KINDS
from ntkproof.statements.options import OPTIONS

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Tick
    from ntkproof.checker.logic.format import Certificate
    from ntkproof.checker.problem.dataset import Dataset
    from ntkproof.checker.problem.network import Network
    from ntkproof.checker.problem.problem import Problem


Values = Mapping[str, Any]
Note = Callable[[str, str], None]


@dataclass(frozen=True)
class Question:
    """A statement that is asked.

    Args:
        domain: the samples, or the sphere.
        network: the network.
        values: all options of the statement but those of its data and its network, with their defaults filled in.
        engine: ``fast`` or ``reference``.
        tick: called with (done, total) during long steps.
        note: called with what was noticed on the way: ``aside`` or ``found``, and a line.
    """

    domain: Dataset | Sphere
    network: Network
    values: Values
    engine: str
    tick: Tick
    note: Note

    @property
    def dataset(self) -> Dataset:
        """The samples. Raises InputError if the question is about the sphere."""
        return self._problem().dataset

    @property
    def sphere(self) -> Sphere:
        """The sphere. Raises InputError if the question is about samples."""
        domain = self._problem().domain
        if not isinstance(domain, Sphere):
            raise InputError("the problem is about a dataset, not about the sphere")
        return domain

    def _problem(self) -> Problem:
        from ntkproof.checker.problem.problem import Problem

        return Problem(self.domain, self.network)

    def options(self, *names: str) -> dict[str, Any]:
        """Return these options, with the engine and the tick, as a prover takes them."""
        return {"engine": self.engine, "tick": self.tick, **{name: self.values[name] for name in names}}


@dataclass(frozen=True)
class Statement:
    """What can be asked.

    Args:
        name: on the command line and in Python.
        proves: what it proves, as the end of "it proves …".
        network: for which network.
        kinds: the kinds of claims it may end in.
        options: the options it uses, with their defaults; None where it finds a value itself.
        words: puts a conclusion in one line.
        prove: proves it; imports what it needs itself.
        domain: ``data`` or ``sphere``.
        needs: options that must be given.
        fixed: options it does not have, because they have one value; giving that value is no error.
        settle: returns what else is fixed by the options of a question.
        becomes: the statement that is meant when an option is given, by option.
        hints: how to ask for what an option means that it does not use or has fixed, where the table does not tell.
        details: lines of text to print below the words.
    """

    name: str
    proves: str
    network: str
    kinds: tuple[str, ...]
    options: Values
    words: Callable[[Values], str]
    prove: Callable[[Question], Certificate]
    domain: str = "data"
    needs: tuple[str, ...] = ()
    fixed: Values = field(default_factory=dict)
    settle: Callable[[Values], Values] = lambda values: {}
    becomes: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    details: Callable[[Values], str] = lambda conclusion: ""

    @property
    def about(self) -> str:
        """What its conclusion is about, one of `ABOUT` of `ntkproof.checker.logic.claim`, where its kind says it."""
        return KINDS[self.kinds[0]].about

    def says(self, conclusion: Values, given_weights: bool) -> str:
        """Return a conclusion in one line; ``given_weights``: whether its problem has some."""
        return ("from these weights, " if given_weights and self.about == TRAINING else "") + self.words(conclusion)

    def uses(self, option: str) -> bool:
        """Whether it uses an option, itself or in the form it takes when the option is given."""
        return option in self.options or option in self.becomes

    def answer(self, given: Values, others: tuple[Statement, ...]) -> dict[str, Any]:
        """Return the values of its options when these are given.

        Args:
            given: options by name, those that were said only.
            others: all statements, to say which of them uses an option that this one does not.

        Raises:
            InputError: an option is unknown, not used, fixed to another value, or missing.
        """
        for option, value in given.items():
            if option not in OPTIONS:
                raise InputError(f"unknown option {option!r}; there are {', '.join(OPTIONS)}")
            if option not in self.options and option not in self.fixed:
                raise InputError(self._unused(option, others))
            self._require(option, value, self.fixed, others)
        for option in self.needs:
            if given.get(option) is None:
                raise InputError(f"the statement {self.name} needs {' and '.join(map(_word, self.needs))}")
        values = {**self.options, **self.fixed, **given}
        settled = self.settle(values)
        for option, value in given.items():
            self._require(option, value, settled, others)
        return {**values, **settled}

    def _require(self, option: str, value: Any, fixed: Values, others: tuple[Statement, ...]) -> None:
        if option in fixed and not _equal(value, fixed[option]):
            word = _word(option)
            flaw = f"the statement {self.name} is about {word}={fixed[option]} here, not {word}={value}"
            raise InputError(f"{flaw}: {self._instead(option, others)}")

    def _unused(self, option: str, others: tuple[Statement, ...]) -> str:
        return f"the statement {self.name} does not use {_word(option)}: {self._instead(option, others)}"

    def _instead(self, option: str, others: tuple[Statement, ...]) -> str:
        """Say what is proved instead of what an option asks for, and how to ask for that."""
        using = [other for other in others if other.uses(option)]
        near = [other for other in using if other.domain == self.domain]
        users = [other.name for other in near or using]
        ask = self.hints.get(option) or (f"ask for statement={_either(users)}" if users else "")
        return f"it proves {self.proves}; leave {_word(option)} out{', or ' if ask else ''}{ask}"


def _either(names: list[str]) -> str:
    return " or ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _word(option: str) -> str:
    return OPTIONS[option].word


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are the same; texts may be decimals."""
    try:
        return exact(one) == exact(other)
    except InputError:
        return str(one) == str(other)


def interval(what: str) -> Callable[[Values], str]:
    """Return words for a claim of two bounds."""
    return lambda conclusion: f"{what} in [{conclusion['lower']}, {conclusion['upper']}]"

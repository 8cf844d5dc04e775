"""A claim of a document as data, and the run that re-establishes its verdict.

A claim holds a formula and a test.  The test reads the formula: change a sign, a constant or an index in it and the
same test finds another verdict.  Nothing here is trusted by the checker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

PROVED, REFUTED, SUPPORTED = "proved", "refuted as stated", "supported"
OUT_OF_SCOPE, UNDECIDED = "out of scope", "undecided"
VERDICTS = (PROVED, REFUTED, SUPPORTED, OUT_OF_SCOPE)
SYMBOLIC, CERTIFIED, STATISTICAL, NO_METHOD = "symbolic", "certified", "statistical", "none"
METHODS = (SYMBOLIC, CERTIFIED, STATISTICAL, NO_METHOD)


@dataclass(frozen=True)
class Document:
    """What the claims are taken from: a short stable name, and how to find it."""

    name: str
    title: str


@dataclass(frozen=True)
class Evidence:
    """What a test found about one formula.

    Attributes:
        holds: True: the formula is established; False: its negation is; None: neither.
        text: why, in one line.
    """

    holds: bool | None
    text: str


Test = Callable[[Any], Evidence]


@dataclass(frozen=True)
class Claim:
    """One mathematical claim of a document.

    Attributes:
        id: ``document.name``, unique.
        document: the short name of the document.
        place: section, equation or exercise.
        says: the claim in words.
        formula: the claim in SymPy, as the document states it; None only if it is out of scope.
        test: establishes or refutes a formula; it must read the one it is given.
        method: ``symbolic``, ``certified`` or ``statistical``; ``none`` if out of scope.
        verdict: ``proved``, ``refuted as stated``, ``supported`` or ``out of scope``.
        assumes: what the document or this entry assumes.
        better: the corrected formula if it is refuted; otherwise, if there is one, a sharper formula. It is tested too.
        remark: what is wrong, what is sharper, or why it is out of scope.
        slow: the test takes more than a few seconds.
    """

    id: str
    document: str
    place: str
    says: str
    formula: Any = None
    test: Test | None = field(default=None, repr=False)
    method: str = SYMBOLIC
    verdict: str = PROVED
    assumes: str = ""
    better: Any = None
    remark: str = ""
    slow: bool = False

    def __post_init__(self) -> None:
        """Refuse an entry that could not be re-established.

        Raises:
            ValueError: which field, and why.
        """
        outside = self.verdict == OUT_OF_SCOPE
        demands = {
            f"the verdict must be one of {', '.join(VERDICTS)}": self.verdict in VERDICTS,
            f"the method must be one of {', '.join(METHODS)}": self.method in METHODS,
            "what is out of scope has the method none, and nothing else has": outside == (self.method == NO_METHOD),
            "it needs a formula and a test": outside or (self.formula is not None and self.test is not None),
            "a refuted claim needs the corrected formula (better)": self.verdict != REFUTED or self.better is not None,
            "what is refuted or out of scope needs a remark": self.verdict in (PROVED, SUPPORTED) or self.remark,
            "a statistical test supports or refutes, it does not prove": (self.method, self.verdict)
            != (STATISTICAL, PROVED),
            "id, place and says must not be empty": self.id and self.place and self.says,
        }
        for reason, met in demands.items():
            if not met:
                raise ValueError(f"claim {self.id!r}: {reason}")

    def __str__(self) -> str:
        return self.id

    def with_formula(self, formula: Any) -> Claim:
        """Return the claim with another formula in place of the printed one, for mutation tests."""
        return replace(self, formula=formula)


@dataclass(frozen=True)
class Outcome:
    """A claim after its test has run: the verdict found, and the evidence for it."""

    claim: Claim
    verdict: str
    evidence: str
    better_evidence: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def unchanged(self) -> bool:
        """Whether the verdict is the one that the registry states."""
        return self.verdict == self.claim.verdict


def run(claim: Claim) -> Outcome:
    """Run a claim's test on its formula, and on the corrected or sharper one, and return the verdict found.

    The verdict is ``undecided`` if the test decides nothing, or if the ``better`` formula is not established.
    """
    if claim.test is None:
        return Outcome(claim, OUT_OF_SCOPE, claim.remark)
    started = time.perf_counter()
    found = claim.test(claim.formula)
    positive = SUPPORTED if claim.method == STATISTICAL else PROVED
    verdict = UNDECIDED if found.holds is None else positive if found.holds else REFUTED
    corrected = Evidence(True, "") if claim.better is None else claim.test(claim.better)
    if corrected.holds is not True:
        verdict = UNDECIDED
    return Outcome(claim, verdict, found.text, corrected.text, time.perf_counter() - started)


class Registry(Collection["Claim"]):
    """The claims of one document, in order.

    Raises:
        ValueError: two claims of one id, or a claim that is not well formed.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._claims: dict[str, Claim] = {}

    def add(self, name: str, **fields: Any) -> Claim:
        """Register the claim ``document.name`` with the fields of `Claim` and return it."""
        claim = Claim(id=f"{self.document.name}.{name}", document=self.document.name, **fields)
        if claim.id in self._claims:
            raise ValueError(f"claim {claim.id!r}: the id occurs twice")
        self._claims[claim.id] = claim
        return claim

    def claim(self, name: str, **fields: Any) -> Callable[[Test], Test]:
        """Register the decorated function as the test of a claim; see `add`."""

        def register(test: Test) -> Test:
            self.add(name, test=test, **fields)
            return test

        return register

    def outside(self, name: str, place: str, says: str, reason: str) -> Claim:
        """Register a claim that is out of scope, with the reason."""
        return self.add(name, place=place, says=says, verdict=OUT_OF_SCOPE, method=NO_METHOD, remark=reason)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims.values())

    def __len__(self) -> int:
        return len(self._claims)

    def __contains__(self, claim: object) -> bool:
        return claim in self._claims.values()

    def __getitem__(self, name: str) -> Claim:
        """Return a claim by its id, with or without the document's name."""
        return self._claims[name if name in self._claims else f"{self.document.name}.{name}"]


def select(registries: Iterable[Registry], document: str | None = None, ids: Iterable[str] = ()) -> list[Claim]:
    """Return the claims of a document and of these ids; all if neither is given.

    Raises:
        ValueError: there is no such document or id.
    """
    registries, wanted = list(registries), list(ids)
    names = [registry.document.name for registry in registries]
    if document is not None and document not in names:
        raise ValueError(f"unknown document {document!r}; there are {', '.join(names)}")
    found = [claim for registry in registries for claim in registry if document in (None, registry.document.name)]
    missing = set(wanted) - {claim.id for claim in found}
    if missing:
        raise ValueError(f"unknown claim {min(missing)!r}; `ntkproof claims --list` names them all")
    return [claim for claim in found if not wanted or claim.id in wanted]

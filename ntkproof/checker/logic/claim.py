"""What can be concluded: how a claim is read from a certificate, and what it follows from.

Trusted.  A claim derived by a rule `supports` the claim a certificate states when the stated one is equal or
weaker; numbers are compared as exact rationals.  A claim is a dataclass; each field says how it is read and which
way it may be stated: exactly, or as a lower or an upper bound.  A new kind of claim is one class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar

from ntkproof.checker.logic.numbers import decimal
from ntkproof.checker.logic.reading import Malformed, Reader, record


class Rejection(Exception):
    """A step (or the conclusion) does not hold.

    Args:
        code: a stable short name of the error, listed in ``docs/certificate-format.md``.
        reason: one line for people.
        needed: what the certificate states or the rule requires.
        derived: what the checker derives instead.
    """

    def __init__(self, code: str, reason: str, needed: str = "", derived: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.needed, self.derived = code, reason, needed, derived


SAME, LOWER, UPPER = "same", "lower", "upper"


def claim_field(read: Reader, way: str | tuple[str, ...] = SAME, **options: Any) -> Any:
    """Declare a field; ``way`` is SAME, LOWER, UPPER, the name of an attribute that says which, or words in order.

    Of words in order, an earlier one may be stated in place of a later one.
    """
    return field(metadata={"read": read, "way": way}, **options)


ABOUT = INPUTS, LIMIT, START, TRAINING = "inputs", "limit", "start", "training"
"""What a claim is about: the inputs alone; infinite width; a network of finite width at or around its start; and that
network in training."""


@dataclass(frozen=True)
class Claim:
    """What a step states and a rule derives.

    ``concludes``: a certificate may end in it.  ``probable``: it says with what probability it holds.  ``assumable``:
    it may be assumed, which makes a proof holey.  ``about``: one of `ABOUT`.
    """

    kind: ClassVar[str]
    concludes: ClassVar[bool] = False
    probable: ClassVar[bool] = False
    assumable: ClassVar[bool] = False
    about: ClassVar[str] = LIMIT

    def described(self) -> str:
        """Return what is claimed, for the list of assumptions."""
        return ", ".join(f"{name} {value}" for name, value in to_fields(self).items() if name != "kind")

    def supports(self, stated: Any) -> None:
        """Reject a stated claim of this kind that does not follow from this one."""
        for each in fields(self):
            way = each.metadata["way"]
            way = getattr(self, way) if isinstance(way, str) and way not in (SAME, LOWER, UPPER) else way
            _follows(each.name, way, getattr(stated, each.name), getattr(self, each.name))

    def flaw(self) -> str:
        """Return what is wrong between the fields, or an empty string."""
        return ""


def _follows(name: str, way: str | tuple[str, ...], stated: Any, derived: Any) -> None:
    if isinstance(way, tuple):
        if way.index(stated) > way.index(derived):
            _same(name, stated, derived)
    elif way == SAME:
        _same(name, stated, derived)
    elif isinstance(derived, tuple):
        _same(f"length of {name}", len(stated), len(derived))
        for k, (one, other) in enumerate(zip(stated, derived, strict=True)):
            _follows(f"{name}[{k}]", way, one, other)
    elif way == LOWER:
        _at_most(name, stated, derived)
    else:
        _at_most(name, derived, stated)


def _same(name: str, stated: object, derived: object) -> None:
    if stated != derived:
        raise Rejection("claim-differs", f"the stated {name} is not the derived one", str(stated), str(derived))


def _at_most(name: str, small: Fraction | int, large: Fraction | int) -> None:
    if small <= large:
        return
    short, long = next(((a, b) for k in (4, 8, 17) if (a := show(small, k)) != (b := show(large, k))), ("x", "less"))
    raise Rejection(
        "claim-not-derived", f"the stated {name} is sharper than what follows", f"{name}: {short} <= {long}"
    )


def show(value: Fraction | int, digits: int = 17) -> str:
    """Return a decimal of so many digits for messages (cut; never used to decide): ``0.0807``, ``3.14e-38``."""
    value = Fraction(value)
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    if value == 0 or abs(bits) > 8000:  # the decimal digits would take longer than the proof
        return f"{'-' if value < 0 else ''}2^{bits}" if value else "0"
    power = bits * 30103 // 100000 - digits
    text = str(round(abs(value) / Fraction(10) ** power))
    leading = power + len(text) - 1
    plain = -5 < leading < digits
    text = text[:digits].rstrip("0")
    if plain:
        text = text.rjust(len(text) - min(leading, 0), "0").ljust(leading + 1, "0")
    point = max(leading, 0) + 1 if plain else 1
    part = f".{text[point:]}" if text[point:] else ""
    return f"{'-' if value < 0 else ''}{text[:point]}{part}{'' if plain else f'e{leading}'}"


def parse_claim(raw: Mapping[str, Any], kinds: Mapping[str, type[Claim]]) -> Claim:
    """Return the claim a certificate states, of one of these kinds.

    Raises:
        Rejection: ``bad-claim`` when a field is missing, unknown, of the wrong type or out of range.
    """
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise Rejection("bad-claim", f"unknown kind of claim {str(kind)[:60]!r}; there are {', '.join(kinds)}")
    declared = fields(kinds[kind])
    optional = tuple(each.name for each in declared if each.default is not MISSING)
    stated = {name: value for name, value in raw.items() if name != "kind"}
    try:
        claim = kinds[kind](**record(stated, kind, {each.name: each.metadata["read"] for each in declared}, optional))
    except Malformed as error:
        raise Rejection("bad-claim", str(error)) from None
    flaw = claim.flaw()
    if flaw:
        raise Rejection("bad-claim", f"{kind}: {flaw}")
    return claim


def to_fields(claim: Claim) -> dict[str, Any]:
    """Return a claim as a certificate states it."""
    raw: dict[str, Any] = {"kind": claim.kind}
    for name, value in vars(claim).items():
        if isinstance(value, Fraction):
            raw[name] = decimal(value)
        elif isinstance(value, tuple):
            if value:
                raw[name] = [decimal(x) if isinstance(x, Fraction) else x for x in value]
        else:
            raw[name] = value
    return raw

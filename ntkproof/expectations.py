"""What a project expects of its certificates, in a TOML file: the data, the network, and bounds that are good enough.

A table for each certificate, named by its path from the file::

    ["certificates/wine.cert.json"]
    sha256 = "5b0d35bfaeb0bfd5"   # of the data, or its first digits (16 at least)
    activation = "erf"            # anything that a verdict says of data, network, training and weights
    kind = "lambda_min"
    lower = "0.0051"              # a decimal: the proved bound must be as sharp or sharper
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.claim import Rejection, parse_claim
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.table import KINDS

if TYPE_CHECKING:
    from ntkproof.checker.check import Verdict

HASH = 16  # hexadecimal digits that name data


def read_expectations(path: Path) -> dict[Path, dict[str, Any]]:
    """Return what is expected of each certificate, by resolved path; raises InputError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f'{path}: {name} is not a table; write ["{name}"]')
    return {(path.parent / name).resolve(): table for name, table in tables.items()}


def unmet(verdict: Verdict, expected: Mapping[str, Any]) -> str:
    """Return which expectation a verdict does not meet, one line; empty if it meets all."""
    facts, conclusion = dict(verdict.problem or {}), dict(verdict.conclusion or {})
    bounds = {name: value for name, value in expected.items() if name in conclusion}
    for name, value in expected.items():
        if name not in facts and name not in conclusion:
            return f"{name} is expected, of which the verdict says nothing"
        if name in facts and name not in conclusion and not _same(name, facts[name], value):
            return f"{name} is {facts[name]}, expected {value}"
    if not conclusion:
        return ""
    proved = parse_claim(conclusion, KINDS)
    if bounds.get("kind", proved.kind) != proved.kind:
        return f"the conclusion is of the kind {proved.kind}, expected {bounds['kind']}"
    try:
        proved.supports(parse_claim({**conclusion, **bounds}, KINDS))
    except Rejection as error:
        return f"the conclusion is weaker than expected: {error.needed or error}"
    return ""


def _same(name: str, found: Any, expected: Any) -> bool:
    if name.endswith("sha256"):
        return len(str(expected)) >= HASH and str(found).startswith(str(expected))
    try:
        return Fraction(str(found)) == Fraction(str(expected))
    except ValueError:
        return str(found) == str(expected)

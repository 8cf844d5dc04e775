"""Every single-field change of a small certificate is rejected, or what it then states is true all the same.

The judges of truth are ``oracle`` and, for convergence, ``convergence_oracle``, for bounds in a ball ``deep``, which
share no code with the checker.  The changes: numbers nudged, digits
flipped, fields dropped, added and retyped, steps reordered, dropped and doubled, names exchanged, bytes of data
and witnesses nudged (with the hash that fits, and without).
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import convergence_oracle
import deep
import oracle
import pytest

from certificates.forgeries import places
from ntkproof.checker import check
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.table import RULES

LARGEST = 60  # rows of a certificate that is mutated
BYTES_SAMPLED = 24  # of each array
ALWAYS = 50  # mutations of each certificate that are always tried
OF_TRAINING = 20  # the same of a convergence, and as many of its numbers

Json = dict[str, Any]
Where = tuple[str | int, ...]
Change = tuple[str, Where, Any]  # what is done, where, and the new value (or its parts)

NAMES = {
    "activation": ("relu", "abs", "identity", "erf", "sin", "cos", "leaky_relu(0.1)", "leaky_relu(-1)", "nonesuch"),
    "train": ("hidden", "output", "both", "all", "none"),
    "input_scale": ("1", "fan-in", "2"),
    "kernel": ("ntk", "nngp", "ntks"),
    "rule": (*RULES, "Assume"),
    "kind": ("enclosure", "eigenvalue_bound", "lambda_min", "operator_norm", "spectrum", "convergence", "theorem"),
    "matrix": ("kernel", "initial_kernel", "inputs", "data"),
    "eigenvalue": ("min", "max", "all"),
    "side": ("lower", "upper", "rows", "columns", "both"),
    "dtype": ("float64", "int8", "int16", "int24", "int56", "int64", "int72", "float32", "float16"),
    "format": ("ntkproof-certificate-0",),
    "init": ("signs", "balanced", "antisymmetric", "gaussian", "zero"),
    "dynamics": ("flow", "descent", "mean_flow"),
    "quantity": ("residual", "loewner", "initial_lambda_min", "jacobian_norm", "linearised_path", "output_weights"),
    "lipschitz": ("no", "path", "yes"),
    "movement": ("speed", "length"),
    "ball": ("parameters", "neurons"),
    "loss": ("squared", "quartic", "custom"),
    "paths": ("weights", "matrices", "norms"),
}
RETYPED = (None, True, False, 0, -1, 1.5, "", "0", [], {}, [0], {"kind": "lambda_min"}, "NaN", 10**30)
ADDED = {"kind": "lambda_min", "null_rows": [0, 1], "assumed": 0, "base64": "", "file": "x", "value": "1"}


def load(name: str) -> Json:
    return json.loads(places()[name].read_text())


def rows(name: str) -> int:
    """The number of samples; none for statements about the sphere, of which the oracle knows nothing."""
    return load(name)["problem"].get("dataset", {"inputs": {"shape": [0]}})["inputs"]["shape"][0]


def small_ones() -> list[str]:
    """The certificates with few rows, holey ones included."""
    return sorted(name for name in places() if 0 < rows(name) <= LARGEST and judged(name))


def judged(name: str) -> bool:
    """Whether the oracle can tell if what a certificate states is true: eigenvalues and norms, in closed form."""
    document = load(name)
    known = document["conclusion"]["claim"]["kind"] in ("lambda_min", "operator_norm")
    return known and expression_of(document["problem"]["network"]["activation"]) is None


MUTATED = small_ones()


def convergences() -> list[str]:
    """The certificates of convergence that the judge of convergence knows, of at most 20 rows."""
    names = [name for name, path in places().items() if path.parent.name == "convergence"]
    return [name for name in names if rows(name) <= 20 and is_converging(load(name))]


def is_converging(document: Json) -> bool:
    kind, name = document["conclusion"]["claim"].get("kind"), document["problem"]["network"]["activation"]
    return convergence_oracle.is_judged(kind, name)


CONVERGENCES = convergences()
QUICK = [name for name in CONVERGENCES if rows(name) <= 10 and name.startswith("convergence-wine")]


# What is changed ------------------------------------------------------------------------------------------------


def leaves(node: Any, path: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every node of a document with its path, the root left out."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key), child
        yield from leaves(child, (*path, key))


def changes(document: Json, chance: random.Random) -> Iterator[Change]:
    """All changes of one field."""
    for path, value in leaves(document):
        yield from leaf_changes(document, path, value, chance)


def leaf_changes(document: Json, path: Where, value: Any, chance: random.Random) -> Iterator[Change]:
    """All changes of one field of a document."""
    steps = document.get("steps")
    step_ids = [step.get("id") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    yield "drop", path, None
    for other in RETYPED:
        if type(other) is not type(value) or other != value:
            yield "retype", path, other
    if isinstance(value, dict):
        for key, other in ADDED.items():
            if key not in value:
                yield "add", path, (key, other)
        if "sha256" in value:
            yield from array_changes(path, value, chance)
    elif isinstance(value, list) and path[-1] in ("steps", "uses", "shape", "null_rows"):
        yield from list_changes(path, value)
    elif isinstance(value, str) and path[-1] not in ("base64", "sha256", "label"):
        yield from text_changes(path, value, step_ids)
    elif type(value) is int:
        yield from (("integer", path, other) for other in integers_near(value))


def text_changes(path: Where, value: str, step_ids: list[str]) -> Iterator[Change]:
    """Names exchanged for others, numbers nudged by a unit of each place and digit by digit."""
    for other in NAMES.get(str(path[-1]), ()):
        if other != value:
            yield "name", path, other
    for other in (*step_ids, "nothing"):
        if value in step_ids and other != value:
            yield "reference", path, other
    if not value.strip("-.0123456789") and any(c.isdigit() for c in value):
        yield from (("number", path, other) for other in numbers_near(value))


def numbers_near(value: str) -> Iterator[str]:
    """Other decimals: each digit replaced by each other, one unit up and down in each place, other forms."""
    for k, digit in enumerate(value):
        if digit.isdigit():
            yield from (value[:k] + other + value[k + 1 :] for other in "0123456789" if other != digit)
    places = len(value.partition(".")[2])
    for place in range(places + 3):
        for sign in (1, -1):
            number = Fraction(value) + sign * Fraction(1, 10**place)
            yield f"{'-' if number < 0 else ''}{_digits(abs(number), places + 3)}"
    yield from (
        "-" + value,
        "+" + value,
        "0" + value,
        value + "0",
        value + "e1",
        value + "e-1",
        value + "e999",
        value + "1",
    )


def _digits(number: Fraction, places: int) -> str:
    text = str(round(number * 10**places)).rjust(places + 1, "0")
    return f"{text[:-places]}.{text[-places:]}".rstrip("0").rstrip(".")


def integers_near(value: int) -> set[int]:
    near = {value + d for d in (-100, -10, -2, -1, 1, 2, 10, 100)}
    return (near | {-value, 2 * value, value // 2, 0, 30, 53, 54, 4096, 2**53, 2**53 + 1}) - {value}


def list_changes(path: Where, value: list[Any]) -> Iterator[Change]:
    """Elements exchanged, dropped and doubled; the list reversed and emptied."""
    for i in range(len(value)):
        yield "list", path, value[:i] + value[i + 1 :]
        yield "list", path, value[: i + 1] + value[i:]
        for j in range(i):
            exchanged = list(value)
            exchanged[i], exchanged[j] = value[j], value[i]
            if exchanged != value:
                yield "list", path, exchanged
    yield "list", path, []
    yield "list", path, [*value, "nothing"]


def array_changes(path: Where, array: Json, chance: random.Random) -> Iterator[Change]:
    """Sampled bytes nudged with the hash that fits, one without; numbers dropped and doubled at the end."""
    data = base64.b64decode(array["base64"])
    width = int(array["dtype"].lstrip("floatin")) // 8
    kind = "data" if "dataset" in path or "weights" in path else "witness"
    for k in sorted(chance.sample(range(len(data)), min(BYTES_SAMPLED, len(data)))):
        for change in (1, 0x10, 0x80, 0xFF):
            yield kind, path, rewritten(array, data[:k] + bytes([data[k] ^ change]) + data[k + 1 :])
    yield kind, path, rewritten(array, bytes(len(data)))
    if len(array["shape"]) == 1:
        yield kind, path, rewritten(array, data[:-width], array["shape"][0] - 1)
        yield kind, path, rewritten(array, data + data[-width:], array["shape"][0] + 1)
        turned = [data[k : k + width] for k in range(0, len(data), width)][::-1]
        yield kind, path, rewritten(array, b"".join(turned))
    else:
        rows = [
            data[k : k + len(data) // array["shape"][0]] for k in range(0, len(data), len(data) // array["shape"][0])
        ]
        yield kind, path, rewritten(array, b"".join(rows[1:2] + rows[:1] + rows[2:]))
        yield kind, path, rewritten(array, b"".join(rows[:1] + rows[:1] + rows[2:]))
    stale = {**array, "base64": base64.b64encode(bytes([data[0] ^ 1]) + data[1:]).decode()}
    yield "stale hash", path, stale


def rewritten(array: Json, data: bytes, length: int | None = None) -> Json:
    """An array with other bytes and the hash of those."""
    head = {**array, "sha256": hashlib.sha256(data).hexdigest(), "base64": base64.b64encode(data).decode()}
    return head if length is None else {**head, "shape": [length]}


def changed(document: Json, change: Change) -> Json:
    """The document with one change."""
    what, path, value = change
    result = copy.deepcopy(document)
    node: Any = result
    for key in path[:-1]:
        node = node[key]
    if what == "drop":
        del node[path[-1]]
    elif what == "add":
        node[path[-1]][value[0]] = value[1]
    else:
        node[path[-1]] = value
    return result


# What must come of it -------------------------------------------------------------------------------------------


def outcome(document: Json, change: Change, engine: str) -> str:
    """``rejected``, ``holey`` or ``true``; anything else is a hole in the checker."""
    new = changed(document, change)
    verdict = check(json.dumps(new), engine=engine)
    if verdict.verdict in ("invalid", "malformed"):
        assert verdict.code != "checker-failed", (change, verdict)
        assert verdict.conclusion is None
        assert verdict.code, verdict
        return "rejected"
    assert agree(new["conclusion"]["claim"], verdict.conclusion)
    if verdict.verdict == "holey":
        assert any(text.startswith("assumed without proof") for text in verdict.assumptions)
        return "holey"
    return "true" if holds(new) else f"unsound: {change}"


def holds(document: Json) -> bool:
    """Whether the conclusion is true, by the judge of its kind."""
    if document["conclusion"]["claim"]["kind"] in ("gradient_bound", "hessian_bound"):
        return deep.in_ball_holds(document)
    return convergence_oracle.holds(document) if is_converging(document) else oracle.holds(document)


def agree(claim: Json, reported: Any) -> bool:
    """Whether a verdict reports the claim that was stated, its decimals perhaps spelt otherwise."""
    return {key for key, value in claim.items() if value != []} == set(reported) and all(
        _alike(claim[key], reported[key]) for key in reported
    )


def _alike(stated: Any, reported: Any) -> bool:
    if isinstance(reported, list):
        return len(stated) == len(reported) and all(_alike(*pair) for pair in zip(stated, reported, strict=True))
    return stated == reported or Fraction(stated) == Fraction(reported)


def sweep(name: str, engine: str, limit: int | None = None, kinds: tuple[str, ...] = ()) -> Counter[str]:
    """Try the changes of a certificate (of some kinds), all or a fixed sample, and count what came of them."""
    return tally(name, load(name), outcome, engine, limit, kinds)


def tally(
    name: str,
    document: Json,
    judge: Callable[[Json, Change, str], str],
    engine: str,
    limit: int | None = None,
    kinds: tuple[str, ...] = (),
) -> Counter[str]:
    """Count the judgements on the changes of a document; require none to be ``unsound…``."""
    chance = random.Random(name)
    found = [change for change in changes(document, chance) if not kinds or change[0] in kinds]
    if limit is not None:
        found = chance.sample(found, min(limit, len(found)))
    counts = Counter(judge(document, change, engine) for change in found)
    print(f"{name} ({engine}): {len(found)} mutations, {dict(counts)}")
    unsound = [key for key in counts if key.startswith("unsound")]
    assert not unsound, unsound
    return counts


@pytest.mark.parametrize("name", MUTATED)
def test_a_sample_of_mutations(name: str):
    assert sweep(name, "fast", ALWAYS)["rejected"] > ALWAYS / 2


@pytest.mark.parametrize("name", [name for name in MUTATED if rows(name) <= 10])
def test_a_sample_of_mutations_by_reference(name: str):
    assert sweep(name, "reference", ALWAYS)["rejected"] > ALWAYS / 2


@pytest.mark.parametrize("name", ["three-relu-hidden-depth1", "pairs-relu-all-depth1"])
def test_every_mutation_of_the_smallest(name: str):
    """Some changes are harmless: were none accepted, the oracle would never have been asked."""
    assert sweep(name, "fast")["true"] > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATED)
def test_every_mutation(name: str):
    sweep(name, "fast")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MUTATED if rows(name) <= 10])
def test_every_mutation_by_reference(name: str):
    sweep(name, "reference")


# Convergence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVERGENCES)
def test_every_convergence_follows_and_a_sharper_one_does_not(name: str):
    """By the judge of convergence: at 50 digits, from the data, with the free parameters of the certificate."""
    document = load(name)
    assert convergence_oracle.objection(document) == ""
    claim = document["conclusion"]["claim"]
    sharper = {
        "rate": ("2", "slower"),
        "radius": ("0.999", "moves further"),
        "kernel_deviation": ("0.999", "kernel moves more"),
        "failure": ("0.999", "more may fail"),
        "width": ("0.5", "another width"),
    }
    for field, (factor, objection) in sharper.items():
        number = Fraction(claim[field]) * Fraction(factor)
        changed = {**document, "conclusion": {**document["conclusion"], "claim": {**claim, field: str(number)}}}
        assert objection in convergence_oracle.objection(changed)


@pytest.mark.parametrize("name", QUICK)
def test_a_sample_of_mutations_of_a_convergence(name: str):
    assert sweep(name, "fast", OF_TRAINING)["rejected"] > OF_TRAINING / 2


def test_numbers_of_convergences_are_nudged():
    """Some numbers may be weaker than they are: were none accepted, the judge would never have been asked."""
    counts = sum((sweep(name, "fast", OF_TRAINING, ("number",)) for name in QUICK), Counter())
    assert min(counts["true"], counts["rejected"]) > len(QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERGENCES)
def test_every_mutation_of_a_convergence(name: str):
    sweep(name, "fast")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_many_mutations_of_a_convergence_by_reference(name: str):
    sweep(name, "reference", 500)


# Bounds in a ball -----------------------------------------------------------------------------------------------

IN_BALL = [name for name, path in places().items() if path.parent.name == "ball"]


@pytest.mark.parametrize("name", IN_BALL)
def test_mutations_of_bounds_in_a_ball(name: str):
    document = load(name)
    assert deep.in_ball_holds(document)
    claim = document["conclusion"]["claim"]
    for field in claim.keys() - {"kind", "radius"}:
        sharper = {**claim, field: str(Fraction(claim[field]) * Fraction("0.99999"))}
        assert not deep.in_ball_holds({**document, "conclusion": {**document["conclusion"], "claim": sharper}})
    assert sweep(name, "fast", 300)["true"] > 5
    assert sweep(name, "reference", OF_TRAINING)["rejected"] > OF_TRAINING / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_BALL)
def test_every_mutation_of_bounds_in_a_ball(name: str):
    sweep(name, "fast")
    sweep(name, "reference")

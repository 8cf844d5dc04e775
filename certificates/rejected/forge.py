"""Forges the certificates that must be rejected: ``python certificates/rejected/forge.py``.

Each forgery is a shipped certificate with one lie in it, told as an adversary would: hashes are recomputed unless
the hash is the lie.  ``index.json`` says what accepting each would assert and how the checker must answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ntkproof.checker import check
from ntkproof.checker.logic.format import SUFFIX
from ntkproof.checker.logic.numbers import decimal

FOLDER = Path(__file__).parent
THREE, WINE = "three-relu-hidden-depth1", "wine10-relu-hidden-depth1"
ERF, BOTH, NORM = "wine10-erf-hidden-depth1", "wine10-relu-both-depth1", "three-operator-norm"
PAIRS, PLANE, IRIS = "pairs-relu-all-depth1", "plane-identity-all-depth2", "iris-relu-all-depth1"
TRAINED = "convergence-wine-10-"
DISTANCE, SIGNS, DESCENT, BOWMAN, LECTURE, QUARTIC = (
    f"{TRAINED}erf-{name}" for name in ("smooth", "smooth-signs", "smooth-descent", "bowman2023", "lecture", "quartic")
)
RELU, RELU_SIGNS, RELU_DESCENT, DU_SIGNS = (
    f"{TRAINED}relu-{name}" for name in ("relu", "relu-signs", "relu-descent", "du2019-signs")
)
TANH = f"{TRAINED}tanh-smooth"
SPECTRUM, CONDITION = "wine10-spectrum", "wine10-condition-number"
RANK, A_PRIORI = "wine10-effective-rank", "wine10-a-priori"
GRADIENT, HESSIAN = "ball-three-erf-gradient-bound", "ball-three-erf-hessian-bound"
GIVEN, GIVEN_DEEP, GIVEN_RELU, GIVEN_FLIPS, QUANTITIES = (
    f"given-three-{name}" for name in ("erf", "erf-deep-descent", "relu", "relu-descent", "quantities")
)
UNLIKELY, OUTSIDE = "failure-probability", "outside-theorem"

Json = dict[str, Any]
Edit = Callable[[Json], Any]


@dataclass(frozen=True)
class Forgery:
    """A lie: the certificate it is told in, how, what it would assert, and the verdict it must get.

    Args:
        name: short name, part of the file name.
        base: name of the shipped certificate.
        edit: changes its JSON in place, or returns the text or bytes of the forgery.
        falsehood: what accepting it would assert.
        code: the error expected; ``malformed`` for files that are no certificates.
        step: where the proof must fail; empty for the conclusion and for malformed files.
        sidecars: files written beside it, name (after the number) to contents.
    """

    name: str
    base: str
    edit: Edit
    falsehood: str
    code: str = "malformed"
    step: str = ""
    sidecars: tuple[tuple[str, bytes], ...] = ()


# Editing --------------------------------------------------------------------------------------------------------


def step(document: Json, name: str) -> Json:
    """Return the step called ``name``."""
    return next(step for step in document["steps"] if step["id"] == name)


def put(path: str, value: Any) -> Edit:
    """Return an edit that sets the field at a dotted path; ``@name`` is the step of that name."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        owner[last] = value

    return edit


def add(path: str, amount: int) -> Edit:
    """Return an edit that adds to the integer at a path."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        owner[last] += amount

    return edit


def drop(path: str) -> Edit:
    """Return an edit that removes the field at a path."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        del owner[last]

    return edit


def _owner(document: Json, path: str) -> tuple[Any, Any]:
    *parts, last = path.split(".")
    node: Any = document
    for part in parts:
        node = step(document, part[1:]) if part.startswith("@") else node[int(part) if part.isdigit() else part]
    return node, int(last) if isinstance(node, list) else last


def both(*edits: Edit) -> Edit:
    """Return the edits one after the other."""

    def edit(document: Json) -> None:
        for each in edits:
            each(document)

    return edit


def everywhere(name: str, value: Any) -> Edit:
    """Return an edit that states ``value`` for a field of the last step's claim and of the conclusion."""

    def edit(document: Json) -> None:
        document["steps"][-1]["claim"][name] = document["conclusion"]["claim"][name] = value

    return edit


def text(find: str, replace: str) -> Edit:
    """Return an edit of the text itself; ``find`` must occur."""

    def edit(document: Json) -> str:
        written = dump(document)
        if find not in written:
            raise ValueError(f"{find!r} does not occur")
        return written.replace(find, replace, 1)

    return edit


def dump(document: Json) -> str:
    """Return the text of a certificate."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def stored(data: bytes, dtype: str, *shape: int) -> Json:
    """Return an inline array with its true hash."""
    return {
        "dtype": dtype,
        "shape": list(shape),
        "sha256": hashlib.sha256(data).hexdigest(),
        "base64": base64.b64encode(data).decode(),
    }


def content(array: Json) -> bytes:
    """Return the bytes of an inline array."""
    return base64.b64decode(array["base64"])


def resize(path: str, change: Callable[[bytes], bytes], dtype: str, *shape: int) -> Edit:
    """Return an edit that replaces an array by changed bytes of another type and shape."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        owner[last] = stored(change(content(owner[last])), dtype, *shape)

    return edit


def integers(path: str, values: list[int]) -> Edit:
    """Return an edit that replaces an array by small integers."""
    return put(path, stored(struct.pack(f"<{len(values)}b", *values), "int8", len(values)))


def numbers(change: Callable[[list[float], int], None]) -> Edit:
    """Return an edit of the data: ``change`` gets the flat numbers and the number of columns."""

    def edit(document: Json) -> None:
        inputs = document["problem"]["dataset"]["inputs"]
        data = content(inputs)
        flat = list(struct.unpack(f"<{len(data) // 8}d", data))
        change(flat, inputs["shape"][1])
        document["problem"]["dataset"]["inputs"] = stored(
            struct.pack(f"<{len(flat)}d", *flat), "float64", len(flat) // inputs["shape"][1], inputs["shape"][1]
        )

    return edit


def table(rows: list[list[float]]) -> Edit:
    """Return an edit that replaces the data (and drops the targets)."""

    def edit(document: Json) -> None:
        flat = [x for row in rows for x in row]
        document["problem"]["dataset"] = {
            "label": "forged",
            "inputs": stored(struct.pack(f"<{len(flat)}d", *flat), "float64", len(rows), len(rows[0])),
        }

    return edit


def network(**fields: Any) -> Edit:
    """Return an edit of the network (``kernel`` names the kernel)."""

    def edit(document: Json) -> None:
        for name, value in fields.items():
            (document["problem"] if name == "kernel" else document["problem"]["network"])[name] = value

    return edit


def null(vector: list[int]) -> Edit:
    """Return an edit that claims ``vector`` as the null vector, its support everywhere."""
    support = [i for i, x in enumerate(vector) if x]
    return both(integers("@singular.witness.vector", vector), everywhere("null_rows", support))


def swap_rows(flat: list[float], d: int) -> None:
    """Exchange rows 0 and 1."""
    flat[:d], flat[d : 2 * d] = flat[d : 2 * d], flat[:d]


def assign(index: int, value: float) -> Callable[[list[float], int], None]:
    """Return a change of one number."""

    def change(flat: list[float], d: int) -> None:
        flat[index] = value

    return change


def scaled(factor: float) -> Callable[[list[float], int], None]:
    """Return a change of all numbers."""

    def change(flat: list[float], d: int) -> None:
        flat[:] = [factor * x for x in flat]

    return change


def nudged(value: str, units: int) -> str:
    """Return a decimal moved by units of its last digit."""
    places = len(value.partition(".")[2])
    return decimal(Fraction(value) + Fraction(units, 10**places))


def nudge_everywhere(name: str, units: int) -> Edit:
    """Return an edit that moves a bound of the conclusion and of the last step."""
    return lambda document: everywhere(name, nudged(document["conclusion"]["claim"][name], units))(document)


def least_rejected(path: str, sign: int) -> Edit:
    """Return an edit that sharpens a number just beyond what either arithmetic derives.

    The number is moved by 1, 2, 4 … units until both reject, then bisected: one unit less and one accepts.
    """

    def moved(value: Any, units: int) -> Any:
        return value + units if isinstance(value, int) else nudged(value, units)

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        value = owner[last]

        def rejected(units: int) -> bool:
            owner[last] = moved(value, sign * units)
            verdicts = [check(dump(document), engine=engine) for engine in ("fast", "reference")]
            name = path.split(".")[0][1:]
            return all(verdict.step == name and verdict.code == "claim-not-derived" for verdict in verdicts)

        high = 1
        while not rejected(high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if rejected(middle) else (middle, high)
        owner[last] = moved(value, sign * high)

    return edit


def side_file(path: str, name: str, size: int | None = None, declared: int | None = None) -> Edit:
    """Return an edit that moves an array to a sidecar called ``name``, stating its true size unless told."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        array = owner[last]
        length = len(content(array)) if size is None else size
        del array["base64"]
        array |= {"file": name, "bytes": length if declared is None else declared}

    return edit


def add_step(before: str, new: Json) -> Edit:
    """Return an edit that inserts a step before another one."""

    def edit(document: Json) -> None:
        index = next(k for k, each in enumerate(document["steps"]) if each["id"] == before)
        document["steps"].insert(index, new)

    return edit


def new_step(id: str, rule: str, uses: list[str], claim: Json, args: Json | None = None) -> Json:
    """Return a step without witness."""
    return {"id": id, "rule": rule, "uses": uses, "args": args or {}, "witness": {}, "claim": claim}


def bound(matrix: str, eigenvalue: str, side: str, value: str) -> Json:
    """Return an eigenvalue bound."""
    return {"kind": "eigenvalue_bound", "matrix": matrix, "eigenvalue": eigenvalue, "side": side, "value": value}


# The forgeries --------------------------------------------------------------------------------------------------


def _structure() -> list[Forgery]:
    nothing = "any eigenvalue bound whatever follows from nothing"
    tight = {"kind": "lambda_min", "lower": "1", "upper": "1"}
    other = {"kind": "operator_norm", "lower": "0.51858", "upper": "0.51859"}
    return [
        Forgery(
            "empty-derivation",
            THREE,
            both(put("steps", []), put("conclusion.claim", tight)),
            nothing,
            "empty-derivation",
        ),
        Forgery("unknown-rule", THREE, put("@lower.rule", "trust_me"), nothing, "unknown-rule", "lower"),
        Forgery("rule-in-capitals", THREE, put("@lower.rule", "PSD_BOUND"), nothing, "unknown-rule", "lower"),
        Forgery(
            "forward-reference", THREE, _last_first, "a step may use what comes later", "unknown-premise", "lambda_min"
        ),
        Forgery(
            "self-reference", THREE, put("@lower.uses", ["lower"]), "a claim proves itself", "unknown-premise", "lower"
        ),
        Forgery("unknown-premise", THREE, put("@lower.uses", ["nothing"]), nothing, "unknown-premise", "lower"),
        Forgery(
            "duplicate-step",
            THREE,
            add_step("lambda_min", new_step("lower", "gram_is_psd", [], bound("kernel", "min", "lower", "0"))),
            "a step can be replaced after the fact",
            "duplicate-step",
            "lower",
        ),
        Forgery("missing-premise", THREE, put("@lambda_min.uses", ["lower"]), nothing, "bad-premises", "lambda_min"),
        Forgery("no-premise", THREE, put("@lower.uses", []), "a bound without a matrix", "bad-premises", "lower"),
        Forgery(
            "three-premises",
            THREE,
            put("@lambda_min.uses", ["lower", "upper", "lower"]),
            nothing,
            "bad-premises",
            "lambda_min",
        ),
        Forgery("conclusion-unknown-step", THREE, put("conclusion.step", "qed"), nothing, "bad-conclusion"),
        Forgery(
            "conclusion-other-step",
            THREE,
            put("conclusion.step", "lower"),
            "a lower bound is an interval",
            "bad-conclusion",
        ),
        Forgery(
            "conclusion-other-kind",
            THREE,
            put("conclusion.claim", other),
            "an eigenvalue is an operator norm",
            "bad-conclusion",
        ),
        Forgery(
            "conclusion-is-a-bound",
            THREE,
            both(put("conclusion.step", "lower"), put("conclusion.claim", bound("kernel", "min", "lower", "9"))),
            "lambda_min >= 9",
            "bad-conclusion",
        ),
        Forgery(
            "conclusion-exact",
            THREE,
            _conclusion_exact,
            "lambda_min is known exactly",
            "claim-not-derived",
        ),
        Forgery(
            "conclusion-stronger",
            THREE,
            _conclusion_raised,
            "lambda_min is above what the last step states",
            "claim-not-derived",
        ),
        Forgery(
            "assumed-interval",
            THREE,
            both(
                put("steps", [new_step("lambda_min", "assume", [], tight)]),
                put("conclusion.claim", tight),
            ),
            "lambda_min = 1, by assumption",
            "bad-claim",
            "lambda_min",
        ),
        Forgery(
            "assumed-with-premise",
            THREE,
            both(put("@lower.rule", "assume"), put("@lower.args", {}), put("@lower.witness", {})),
            "an assumption that looks derived",
            "bad-premises",
            "lower",
        ),
        Forgery(
            "premise-of-another-kind",
            PLANE,
            add_step("singular", new_step("low", "psd_bound", ["singular"], bound("kernel", "min", "lower", "1"))),
            "lambda_min >= 1 for a singular matrix",
            "unknown-premise",
            "low",
        ),
        Forgery(
            "null-vector-as-enclosure",
            PLANE,
            _appended(
                new_step(
                    "low", "rayleigh_bound", ["singular"], bound("kernel", "min", "upper", "-1"), {"eigenvalue": "min"}
                )
            ),
            "lambda_min <= -1",
            "missing-witness",
            "low",
        ),
    ]


def _last_first(document: Json) -> None:
    document["steps"].insert(2, document["steps"].pop())


def _conclusion_exact(document: Json) -> None:
    claim = document["conclusion"]["claim"]
    claim["upper"] = claim["lower"]


def _conclusion_raised(document: Json) -> None:
    claim = document["conclusion"]["claim"]
    claim["lower"] = nudged(claim["lower"], 1)


def _appended(new: Json) -> Edit:
    def edit(document: Json) -> None:
        document["steps"].append(new)
        document["conclusion"]["step"] = new["id"]

    return edit


def _numbers() -> list[Forgery]:
    high, low = (
        "lambda_min is at least a number that was not derived",
        "lambda_min is below a number that was not derived",
    )
    near = "the kernel is known more sharply than it was computed"
    return [
        Forgery("lower-raised", WINE, least_rejected("@lower.claim.value", 1), high, "claim-not-derived", "lower"),
        Forgery("lower-raised-erf", ERF, least_rejected("@lower.claim.value", 1), high, "claim-not-derived", "lower"),
        Forgery("upper-lowered", WINE, least_rejected("@upper.claim.value", -1), low, "claim-not-derived", "upper"),
        Forgery("upper-lowered-erf", ERF, least_rejected("@upper.claim.value", -1), low, "claim-not-derived", "upper"),
        Forgery("interval-lower-raised", WINE, nudge_everywhere("lower", 1), high, "claim-not-derived", "lambda_min"),
        Forgery("interval-upper-lowered", WINE, nudge_everywhere("upper", -1), low, "claim-not-derived", "lambda_min"),
        Forgery(
            "lower-doubled",
            THREE,
            put("@lower.claim.value", "1.0371763746"),
            "lambda_min is twice what it is",
            "claim-not-derived",
            "lower",
        ),
        Forgery(
            "lower-1e999",
            THREE,
            put("@lower.claim.value", "1e999"),
            "lambda_min is astronomical",
            "claim-not-derived",
            "lower",
        ),
        Forgery(
            "upper-negative",
            THREE,
            put("@upper.claim.value", "-1e-9"),
            "a positive semidefinite matrix is not",
            "claim-not-derived",
            "upper",
        ),
        Forgery(
            "radius-one-less", WINE, least_rejected("@kernel.claim.radius", -1), near, "claim-not-derived", "kernel"
        ),
        Forgery(
            "radius-zero",
            WINE,
            put("@kernel.claim.radius", 0),
            "transcendental numbers are dyadic",
            "claim-not-derived",
            "kernel",
        ),
        Forgery("radius-negated", WINE, put("@kernel.claim.radius", -40), near, "claim-not-derived", "kernel"),
        Forgery(
            "working-precision-low",
            WINE,
            put("@kernel.args.working_precision", 29),
            near,
            "bad-argument",
            "kernel",
        ),
        Forgery("precision-of-claim", WINE, add("@kernel.claim.precision", 1), near, "claim-differs", "kernel"),
        Forgery("precision-of-argument", WINE, add("@kernel.args.precision", -1), near, "claim-differs", "kernel"),
        Forgery("precision-1", WINE, put("@kernel.args.precision", 1), near, "bad-argument", "kernel"),
        Forgery("precision-negative", WINE, put("@kernel.args.precision", -64), near, "bad-argument", "kernel"),
        Forgery("precision-text", WINE, put("@kernel.args.precision", "64"), near, "bad-argument", "kernel"),
        Forgery("precision-boolean", WINE, put("@kernel.args.precision", True), near),
        Forgery("precision-huge", WINE, put("@kernel.args.precision", 2**53), near, "bad-argument", "kernel"),
        Forgery("radius-boolean", WINE, put("@kernel.claim.radius", True), near),
        Forgery("radius-text", WINE, put("@kernel.claim.radius", "40"), near, "bad-claim", "kernel"),
        Forgery("radius-null", WINE, put("@kernel.claim.radius", None), near),
        Forgery(
            "psd-stronger", THREE, _positive, "every Gram matrix is positive definite", "claim-not-derived", "lower"
        ),
        Forgery(
            "norm-lower-raised",
            NORM,
            nudge_everywhere("lower", 1),
            "the operator norm is larger",
            "claim-not-derived",
            "norm",
        ),
        Forgery(
            "norm-upper-lowered",
            NORM,
            nudge_everywhere("upper", -1),
            "the operator norm is smaller",
            "claim-not-derived",
            "norm",
        ),
        Forgery(
            "norm-squared",
            NORM,
            everywhere("lower", "11.0899"),
            "the operator norm is its square",
            "claim-not-derived",
            "norm",
        ),
        Forgery(
            "norm-bound-lowered",
            NORM,
            least_rejected("@upper.claim.value", -1),
            "lambda_max is smaller than derived",
            "claim-not-derived",
            "upper",
        ),
        Forgery(
            "norm-bound-raised",
            NORM,
            least_rejected("@lower.claim.value", 1),
            "lambda_max is larger than derived",
            "claim-not-derived",
            "lower",
        ),
        Forgery(
            "norm-radius-negative",
            NORM,
            put("@inputs.claim.radius", -1),
            "exact products are better than exact",
            "claim-not-derived",
            "inputs",
        ),
        Forgery(
            "null-upper-negative",
            PLANE,
            everywhere("upper", "-0.1"),
            "lambda_min is negative",
            "claim-not-derived",
            "singular",
        ),
        Forgery(
            "null-lower-positive",
            PLANE,
            everywhere("lower", "1e-400"),
            "a singular matrix is not singular",
            "claim-not-derived",
            "singular",
        ),
    ]


def _positive(document: Json) -> None:
    index = next(k for k, each in enumerate(document["steps"]) if each["id"] == "lower")
    document["steps"][index] = new_step("lower", "gram_is_psd", [], bound("kernel", "min", "lower", "1e-300"))


def _problem() -> list[Forgery]:
    witness = "the witness of one problem proves another: "
    late = "claim-not-derived"
    lies = [
        Forgery("rows-swapped", WINE, numbers(swap_rows), witness + "rows exchanged", late, "upper"),
        Forgery("data-doubled", WINE, numbers(scaled(2.0)), witness + "inputs doubled", late, "upper"),
        Forgery("data-halved", WINE, numbers(scaled(0.5)), witness + "inputs halved", late, "lower"),
        Forgery("data-sign-bit", WINE, _flip_bit(7, 7), witness + "one sign bit flipped", late, "upper"),
        Forgery("data-exponent-bit", WINE, _flip_bit(6, 4), witness + "one exponent bit flipped", late, "upper"),
        Forgery("data-mantissa-bit", WINE, _flip_bit(6, 3), witness + "one high mantissa bit flipped", late, "lower"),
        Forgery("data-duplicated-row", WINE, numbers(_duplicate), "lambda_min > 0 with two equal rows", late, "lower"),
        Forgery("data-transposed", THREE, _transposed, witness + "two rows of three numbers", "bad-witness", "upper"),
        Forgery("data-row-dropped", WINE, _row_dropped, witness + "nine rows", "bad-witness", "upper"),
        Forgery("activation-erf", WINE, network(activation="erf"), witness + "erf", late, "lower"),
        Forgery("activation-abs", WINE, network(activation="abs"), witness + "abs", late, "upper"),
        Forgery(
            "activation-identity",
            WINE,
            network(activation="identity"),
            "lambda_min > 0 for ten points and a linear network",
            late,
            "lower",
        ),
        Forgery("activation-leaky", WINE, network(activation="leaky_relu(0.5)"), witness + "leaky ReLU", late, "lower"),
        Forgery("activation-relu-for-erf", ERF, network(activation="relu"), witness + "ReLU", late, "upper"),
        Forgery(
            "activation-unknown", WINE, network(activation="nonesuch"), witness + "an activation without a formula"
        ),
        Forgery("activation-not-canonical", WINE, network(activation="leaky_relu"), "a slope that is not written down"),
        Forgery("activation-homoglyph", WINE, network(activation="r\u0435lu"), "a name that looks like relu"),
        Forgery("depth-2", WINE, network(depth=2, train="all"), witness + "two hidden layers", late, "upper"),
        Forgery("depth-2-hidden", WINE, network(depth=2), "a kernel that is not defined"),
        Forgery("depth-0", WINE, network(depth=0), "a network without hidden layers"),
        Forgery("depth-boolean", WINE, network(depth=True), "True is a depth"),
        Forgery("depth-text", WINE, network(depth="1"), "a text is a depth"),
        Forgery("train-output", WINE, network(train="output"), witness + "output layer", late, "lower"),
        Forgery("train-both", WINE, network(train="both"), witness + "both layers", late, "upper"),
        Forgery(
            "train-hidden-bias", BOTH, network(train="hidden"), witness + "hidden layer with biases", late, "lower"
        ),
        Forgery("train-unknown", WINE, network(train="last"), "a kernel that is not defined"),
        Forgery("bias-1", WINE, network(bias="1"), witness + "biases", late, "upper"),
        Forgery("bias-negative", WINE, network(bias="-1"), "a negative bias scale"),
        Forgery("bias-none", BOTH, network(bias="0"), witness + "no biases", late, "lower"),
        Forgery("weight-std-2", WINE, network(weight_std="2"), witness + "weight scale 2", late, "upper"),
        Forgery("weight-std-zero", WINE, network(weight_std="0"), "a network without weights"),
        Forgery(
            "input-scale-fan-in",
            WINE,
            network(input_scale="fan-in"),
            witness + "inputs scaled by fan-in",
            late,
            "lower",
        ),
        Forgery("input-scale-number", WINE, network(input_scale=1), "a number is a name"),
        Forgery("kernel-nngp", WINE, network(kernel="nngp", train="all"), witness + "the NNGP kernel", late, "lower"),
        Forgery("kernel-nngp-hidden", WINE, network(kernel="nngp"), "a kernel that is not defined"),
        Forgery("kernel-unknown", WINE, network(kernel="NTK"), "a kernel that is not defined"),
    ]
    return [replace(lie, edit=both(_widened, lie.edit)) if lie.code == late else lie for lie in lies]


def _widened(document: Json) -> None:
    """Leave room in the enclosure: the radius of another problem is not the lie."""
    step(document, "kernel")["claim"]["radius"] *= 16


def _flip_bit(byte: int, bit: int) -> Edit:
    def edit(document: Json) -> None:
        inputs = document["problem"]["dataset"]["inputs"]
        data = bytearray(content(inputs))
        data[byte] ^= 1 << bit
        document["problem"]["dataset"]["inputs"] = stored(bytes(data), "float64", *inputs["shape"])

    return edit


def _duplicate(flat: list[float], d: int) -> None:
    flat[d : 2 * d] = flat[:d]


def _transposed(document: Json) -> None:
    document["problem"]["dataset"]["inputs"]["shape"].reverse()


def _row_dropped(document: Json) -> None:
    del document["problem"]["dataset"]["targets"]
    numbers(lambda flat, d: flat.__delitem__(slice(0, d)))(document)


def _witnesses() -> list[Forgery]:
    half = "a bound follows from half a witness"
    side = "an upper bound is a lower bound"
    factor = "@lower.witness.factor"
    inputs = new_step(
        "inputs",
        "inputs_enclosure",
        [],
        {"kind": "enclosure", "matrix": "inputs", "precision": 4, "radius": 0},
        {"side": "rows"},
    )
    return [
        Forgery("witness-truncated", THREE, _shorter, half, "bad-witness", "lower"),
        Forgery("witness-too-long", THREE, _longer, "what is left over does not matter", "bad-witness", "lower"),
        Forgery("witness-retyped", THREE, _retyped, "bytes mean what the reader likes", "bad-witness", "lower"),
        Forgery(
            "witness-square", THREE, put(f"{factor}.shape", [2, 3]), "a triangle is a rectangle", "bad-witness", "lower"
        ),
        Forgery(
            "witness-float64",
            THREE,
            put(factor, stored(bytes(48), "float64", 6)),
            "a rounded factor is exact",
            "bad-witness",
            "lower",
        ),
        Forgery(
            "witness-zero",
            THREE,
            put(factor, stored(bytes(6), "int8", 6)),
            "lambda_min >= 0.5 without a factor",
            "claim-not-derived",
            "lower",
        ),
        Forgery(
            "witness-missing",
            THREE,
            put("@lower.witness", {}),
            "lambda_min >= 0.5 without a factor",
            "missing-witness",
            "lower",
        ),
        Forgery("witness-extra", THREE, _extra_witness, "a witness nobody reads", "unknown-witness", "lower"),
        Forgery("witness-bit", THREE, _factor_bit, "a factor with a wrong entry will do", "claim-not-derived", "lower"),
        Forgery("witness-width-12", THREE, put(f"{factor}.dtype", "int12"), "half bytes"),
        Forgery("witness-unsigned", THREE, put(f"{factor}.dtype", "uint48"), "no number is negative"),
        Forgery("witness-width-zero", THREE, put(f"{factor}.dtype", "int0"), "numbers without bytes"),
        Forgery(
            "witness-too-wide",
            THREE,
            put(factor, stored(bytes(6 * 513), "int4104", 6)),
            "integers of 4104 bits",
            "bad-witness",
            "lower",
        ),
        Forgery(
            "vector-zero",
            THREE,
            integers("@upper.witness.vector", [0, 0, 0]),
            "0/0 is an upper bound",
            "bad-witness",
            "upper",
        ),
        Forgery("vector-short", THREE, integers("@upper.witness.vector", [1, 1]), half, "bad-witness", "upper"),
        Forgery(
            "vector-other",
            THREE,
            integers("@upper.witness.vector", [1, 0, 0]),
            "any vector is an eigenvector",
            "claim-not-derived",
            "upper",
        ),
        Forgery("upper-as-lower", THREE, put("@upper.claim.side", "lower"), side, "claim-differs", "upper"),
        Forgery(
            "lower-as-upper",
            THREE,
            put("@lower.claim.side", "upper"),
            "lambda_min is at most its lower bound",
            "claim-differs",
            "lower",
        ),
        Forgery(
            "min-as-max",
            THREE,
            put("@lower.claim.eigenvalue", "max"),
            "lambda_max >= 0.5 from lambda_min",
            "claim-differs",
            "lower",
        ),
        Forgery(
            "sign-swapped",
            THREE,
            put("@lower.args.eigenvalue", "max"),
            "the factor of M - l is one of l - M",
            "claim-differs",
            "lower",
        ),
        Forgery("sign-swapped-everywhere", THREE, _all_max, "lambda_max <= 0.52", "claim-not-derived", "lower"),
        Forgery(
            "premises-swapped", THREE, put("@lambda_min.uses", ["upper", "lower"]), side, "bad-premises", "lambda_min"
        ),
        Forgery(
            "premise-twice",
            THREE,
            put("@lambda_min.uses", ["lower", "lower"]),
            "lambda_min is known exactly",
            "bad-premises",
            "lambda_min",
        ),
        Forgery(
            "premise-of-lambda-max",
            THREE,
            _lambda_max_premise,
            "lambda_min >= a bound on lambda_max",
            "bad-premises",
            "lambda_min",
        ),
        Forgery(
            "premise-of-inputs",
            THREE,
            both(add_step("upper", inputs), put("@upper.uses", ["inputs"])),
            "the inputs' Gram matrix is the kernel",
            "bad-premises",
            "upper",
        ),
        Forgery(
            "inputs-called-kernel",
            NORM,
            put("@inputs.claim.matrix", "kernel"),
            "the inputs' Gram matrix is the kernel",
            "claim-differs",
            "inputs",
        ),
        Forgery(
            "kernel-called-inputs",
            THREE,
            put("@kernel.claim.matrix", "inputs"),
            "the kernel is the inputs' Gram matrix",
            "claim-differs",
            "kernel",
        ),
        Forgery(
            "norm-of-the-kernel",
            THREE,
            _norm_of_kernel,
            "lambda_min of the kernel is the norm of the inputs",
            "bad-premises",
            "lambda_min",
        ),
        Forgery(
            "lambda-min-of-inputs",
            NORM,
            put("@norm.rule", "lambda_min"),
            "the norm of the inputs is lambda_min of the kernel",
            "bad-premises",
            "norm",
        ),
        Forgery(
            "inputs-lambda-min",
            NORM,
            put("@lower.args.eigenvalue", "min"),
            "lambda_min of the inputs, whichever side",
            "bad-premises",
            "lower",
        ),
        Forgery(
            "inputs-precision",
            NORM,
            add("@inputs.claim.precision", 2),
            "the inputs are a quarter of what they are",
            "claim-differs",
            "inputs",
        ),
        Forgery(
            "scale-off-by-one",
            THREE,
            add("@lower.args.scale", 1),
            "the factor in other units",
            "claim-not-derived",
            "lower",
        ),
        Forgery(
            "scale-negative", THREE, put("@lower.args.scale", -1), "the factor in absurd units", "bad-argument", "lower"
        ),
        Forgery("scale-text", THREE, put("@lower.args.scale", "41"), "a text is an integer", "bad-argument", "lower"),
        Forgery("scale-fraction", THREE, put("@lower.args.scale", 41.5), "half a bit"),
        Forgery(
            "scale-too-large",
            THREE,
            put("@lower.args.scale", 4097),
            "the factor in absurd units",
            "bad-argument",
            "lower",
        ),
        Forgery("shift-number", THREE, put("@lower.args.shift", 0), "an integer is a decimal", "bad-argument", "lower"),
        Forgery("shift-float", THREE, put("@lower.args.shift", 0.5), "a float is a decimal"),
        Forgery("shift-nan", THREE, put("@lower.args.shift", "nan"), "lambda_min >= NaN", "bad-argument", "lower"),
        Forgery(
            "shift-raised",
            THREE,
            both(put("@lower.args.shift", "0.6"), put("@lower.claim.value", "0.6")),
            "lambda_min >= the shift, whatever the factor",
            "claim-not-derived",
            "lower",
        ),
        Forgery(
            "shift-1e999999",
            THREE,
            put("@lower.args.shift", "1e999999"),
            "a number that fills the memory",
            "bad-argument",
            "lower",
        ),
        Forgery(
            "argument-missing",
            THREE,
            drop("@lower.args.shift"),
            "no shift is the best shift",
            "missing-argument",
            "lower",
        ),
        Forgery(
            "argument-unknown",
            THREE,
            put("@lower.args.trusted", 1),
            "arguments nobody reads",
            "unknown-argument",
            "lower",
        ),
        Forgery("argument-list", THREE, put("@lower.args.shift", ["0.5"]), "a list is a decimal"),
    ]


def _shorter(document: Json) -> None:
    array = step(document, "lower")["witness"]["factor"]
    width = int(array["dtype"][3:]) // 8
    resize("@lower.witness.factor", lambda data: data[:-width], array["dtype"], 5)(document)


def _longer(document: Json) -> None:
    array = step(document, "lower")["witness"]["factor"]
    width = int(array["dtype"][3:]) // 8
    resize("@lower.witness.factor", lambda data: data + bytes(width), array["dtype"], 7)(document)


def _retyped(document: Json) -> None:
    count = len(content(step(document, "lower")["witness"]["factor"]))
    resize("@lower.witness.factor", lambda data: data, "int8", count)(document)


def _factor_bit(document: Json) -> None:
    array = step(document, "lower")["witness"]["factor"]
    width = int(array["dtype"][3:]) // 8
    change = bytearray(content(array))
    change[width - 2] ^= 1
    resize("@lower.witness.factor", lambda data: bytes(change), array["dtype"], 6)(document)


def _extra_witness(document: Json) -> None:
    witness = step(document, "lower")["witness"]
    witness["proof"] = witness["factor"]


def _all_max(document: Json) -> None:
    lower = step(document, "lower")
    lower["args"]["eigenvalue"] = lower["claim"]["eigenvalue"] = "max"
    lower["claim"] |= {"side": "upper", "value": "0.52"}


def _lambda_max_premise(document: Json) -> None:
    upper = step(document, "upper")
    claim = bound("kernel", "max", "lower", "0.5185")
    top = {**upper, "id": "top", "args": {"eigenvalue": "max"}, "claim": claim}
    both(add_step("lambda_min", top), put("@lambda_min.uses", ["top", "upper"]))(document)


def _norm_of_kernel(document: Json) -> None:
    put("@lambda_min.rule", "operator_norm")(document)
    for claim in (step(document, "lambda_min")["claim"], document["conclusion"]["claim"]):
        claim["kind"] = "operator_norm"


def _null_vectors() -> list[Forgery]:
    singular = "a nonsingular kernel is singular"
    signs, support = [[1.0, 2.0], [-1.0, -2.0], [2.0, 1.0]], "the null vector is supported elsewhere"
    ray, zero = [[1.0, 2.0], [2.0, 4.0], [2.0, 1.0]], [[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]]

    def claimed(rows: list[list[float]], vector: list[int], **fields: Any) -> Edit:
        return both(table(rows), network(depth=1, **fields), null(vector))

    not_null = ("not-null", "singular")
    return [
        Forgery("null-zero", PAIRS, null([0] * 6), singular + ", with the null vector 0", "bad-witness", "singular"),
        Forgery("null-short", PLANE, null([1, -1, 1]), singular, "bad-witness", "singular"),
        Forgery("null-unequal-rows", IRIS, _rows_101_143, "rows 101 and 143 of iris are equal", *not_null),
        Forgery("null-one-ulp", IRIS, _iris_ulp, "two rows that differ in the last bit are equal", *not_null),
        Forgery("null-pairs-bias", PAIRS, network(bias="1"), singular + ", with biases", *not_null),
        Forgery(
            "null-pairs-tiny-bias",
            PAIRS,
            network(bias="0." + "0" * 398 + "1"),
            singular + ", with tiny biases",
            *not_null,
        ),
        Forgery("null-pairs-depth-2", PAIRS, network(depth=2), singular + ", at depth 2", *not_null),
        Forgery("null-pairs-erf", PAIRS, network(activation="erf"), "erf is even", *not_null),
        Forgery("null-one-pair", PAIRS, null([1, -1, 0, 0, 0, 0]), "relu(z) = relu(-z)", *not_null),
        Forgery("null-pair-sum", PAIRS, null([1, 1, 0, 0, 0, 0]), "relu(z) = -relu(-z)", *not_null),
        Forgery(
            "null-pairs-weights", PAIRS, null([1, -1, 1, -1, 1, -1]), "the linear parts need not cancel", *not_null
        ),
        Forgery(
            "null-pairs-unbalanced", PAIRS, null([2, -1, 1, -1, -1, 1]), "the even parts need not cancel", *not_null
        ),
        Forgery(
            "null-pairs-moved",
            PAIRS,
            numbers(assign(0, 1.0000000000000002)),
            "almost antipodal is antipodal",
            *not_null,
        ),
        Forgery("null-odd-as-even", PLANE, claimed(signs, [1, -1, 0], activation="erf"), "erf is even", *not_null),
        Forgery("null-even-as-odd", PLANE, claimed(signs, [1, 1, 0], activation="cos"), "cos is odd", *not_null),
        Forgery("null-abs-as-odd", PLANE, claimed(signs, [1, 1, 0], activation="abs"), "|z| is odd", *not_null),
        Forgery(
            "null-sin-bias",
            PLANE,
            claimed(signs, [1, 1, 0], activation="sin", bias="0.5"),
            "a network with biases is odd",
            *not_null,
        ),
        Forgery("null-erf-ray", PLANE, claimed(ray, [2, -1, 0], activation="erf"), "erf is homogeneous", *not_null),
        Forgery(
            "null-relu-ray-weights", PLANE, claimed(ray, [1, -1, 0], activation="relu"), "relu(2z) = relu(z)", *not_null
        ),
        Forgery(
            "null-relu-ray-sign", PLANE, claimed(ray, [2, 1, 0], activation="relu"), "relu(2z) = -2 relu(z)", *not_null
        ),
        Forgery("null-cos-zero-row", PLANE, claimed(zero, [1, 0, 0], activation="cos"), "cos(0) = 0", *not_null),
        Forgery(
            "null-relu-zero-row-bias",
            PLANE,
            claimed(zero, [1, 0, 0], activation="relu", bias="1"),
            "biases do not act on a zero row",
            *not_null,
        ),
        Forgery("null-identity-bias", PLANE, network(bias="0.1"), "an affine network is linear", *not_null),
        Forgery("null-identity-relu", PLANE, network(activation="relu"), "relu is linear", *not_null),
        Forgery("null-identity-other", PLANE, null([1, 1, 1, 0]), "any vector is a null vector", *not_null),
        Forgery("null-overflow", PLANE, _wraps, "2^64 is 0", *not_null),
        Forgery("null-rows-edited", PAIRS, everywhere("null_rows", [0, 1]), support, "claim-differs", "singular"),
        Forgery(
            "null-rows-extended", PLANE, everywhere("null_rows", [0, 1, 2, 3]), support, "claim-differs", "singular"
        ),
        Forgery("null-rows-dropped", PLANE, _rows_dropped, support, "claim-differs", "singular"),
        Forgery("null-rows-reordered", PLANE, everywhere("null_rows", [2, 1, 0]), support, "claim-differs", "singular"),
        Forgery("null-rows-conclusion", PLANE, put("conclusion.claim.null_rows", [0, 1]), support, "claim-differs"),
        Forgery("null-rows-invented", THREE, everywhere("null_rows", [0, 1]), singular, "claim-differs", "lambda_min"),
        Forgery("null-rows-text", PLANE, everywhere("null_rows", "0, 1, 2"), support, "bad-claim", "singular"),
        Forgery("null-rows-boolean", PLANE, everywhere("null_rows", [False, True, 2]), "True is 1"),
        Forgery(
            "null-vector-float64",
            PLANE,
            put("@singular.witness.vector", stored(bytes(32), "float64", 4)),
            singular,
            "bad-witness",
            "singular",
        ),
    ]


def _rows_101_143(document: Json) -> None:
    vector = [0] * 150
    vector[101], vector[143] = 1, -1
    null(vector)(document)


def _iris_ulp(document: Json) -> None:
    index = 8 * 4 * 101
    _flip_bit(index, 0)(document)


def _wraps(document: Json) -> None:
    """Rows 1 and 2 cancel modulo 2^64 only."""
    table([[1.0], [2.0], [4.0]])(document)
    null([1, 1, 0])(document)
    vector = b"".join(x.to_bytes(9, "little", signed=True) for x in (2**64 - 2, 1, 0))
    put("@singular.witness.vector", stored(vector, "int72", 3))(document)


def _rows_dropped(document: Json) -> None:
    both(drop("@singular.claim.null_rows"), drop("conclusion.claim.null_rows"))(document)


def _claims() -> list[Forgery]:
    number = "a text that is not a decimal is a bound"
    spellings = {
        "plus": "+1",
        "leading-zero": "01",
        "bare-point": ".5",
        "trailing-point": "1.",
        "underscore": "1_0",
        "full-width": "\uff10.\uff15",
        "arabic-digits": "\u0660.\u0665",
        "nan": "NaN",
        "infinity": "-Infinity",
        "hexadecimal": "0x1p-3",
        "fraction": "1/2",
        "capital-exponent": "1E-3",
        "signed-exponent": "1e+0",
        "empty": "",
        "space": " 0.5",
        "huge-exponent": "-1e999999",
    }
    return [
        *(
            Forgery(f"value-{name}", THREE, put("@lower.claim.value", value), number, "bad-claim", "lower")
            for name, value in spellings.items()
        ),
        Forgery("value-newline", THREE, put("@lower.claim.value", "0.5\n"), number),
        Forgery("value-integer", THREE, put("@lower.claim.value", 0), number, "bad-claim", "lower"),
        Forgery("conclusion-nan", THREE, put("conclusion.claim.lower", "nan"), "lambda_min >= NaN", "bad-claim"),
        Forgery("claim-kind-unknown", THREE, put("@lower.claim.kind", "theorem"), "anything", "bad-claim", "lower"),
        Forgery("claim-kind-list", THREE, put("@lower.claim.kind", [1]), "anything", "bad-claim", "lower"),
        Forgery("claim-kind-other", THREE, _other_kind, "a factor is an enclosure", "bad-claim", "lower"),
        Forgery(
            "claim-matrix-unknown",
            THREE,
            put("@lower.claim.matrix", "hessian"),
            "a bound on another matrix",
            "bad-claim",
            "lower",
        ),
        Forgery(
            "claim-matrix-inputs",
            THREE,
            put("@lower.claim.matrix", "inputs"),
            "a bound on another matrix",
            "claim-differs",
            "lower",
        ),
        Forgery(
            "claim-eigenvalue-unknown",
            THREE,
            put("@lower.claim.eigenvalue", "all"),
            "a bound on every eigenvalue",
            "bad-claim",
            "lower",
        ),
        Forgery(
            "claim-side-unknown",
            THREE,
            put("@lower.claim.side", "both"),
            "one witness bounds from both sides",
            "bad-claim",
            "lower",
        ),
        Forgery(
            "claim-field-unknown",
            THREE,
            put("@lower.claim.almost", 1),
            "claims say more than is checked",
            "bad-claim",
            "lower",
        ),
        Forgery("claim-field-missing", THREE, drop("@lower.claim.side"), "a bound on no side", "bad-claim", "lower"),
        Forgery("claim-empty", THREE, put("@lower.claim", {}), "no claim is any claim", "bad-claim", "lower"),
        Forgery("claim-object", THREE, put("@lower.claim.value", {"lower": "1"}), number),
        Forgery("claim-null", THREE, put("conclusion.claim", None), "no claim is any claim"),
    ]


def _other_kind(document: Json) -> None:
    step(document, "lower")["claim"] = {"kind": "enclosure", "matrix": "kernel", "precision": 64, "radius": 0}


def _format() -> list[Forgery]:
    lax = "a file that is not in the format is a certificate"
    shape = "problem.dataset.inputs.shape"
    data = "problem.dataset.inputs"
    return [
        Forgery("field-unknown", THREE, put("verified", "yes"), lax),
        Forgery("field-unknown-network", THREE, network(width="1000"), "the bound holds for a network of width 1000"),
        Forgery("field-unknown-step", THREE, put("@lower.note", "trust me"), lax),
        Forgery("field-missing", THREE, drop("conclusion"), lax),
        Forgery("field-missing-network", THREE, drop("problem.network.bias"), "defaults are part of a statement"),
        Forgery("format-version", THREE, put("format", "ntkproof-certificate-2"), lax),
        Forgery("format-number", THREE, put("format", 1), lax),
        Forgery("steps-object", THREE, put("steps", {}), lax),
        Forgery("uses-text", THREE, put("@lower.uses", "kernel"), lax),
        Forgery("id-not-ascii", THREE, put("@lower.id", "l\u043ewer"), "two steps have the same name to the eye"),
        Forgery("id-space", THREE, put("@lower.id", "lower "), lax),
        Forgery("label-newline", THREE, put("problem.dataset.label", "wine\nvalid"), "a label can write a verdict"),
        Forgery("label-bidi", THREE, put("problem.dataset.label", "wine\u202edilav"), "a label can write a verdict"),
        Forgery("n-1", THREE, table([[1.0, 2.0]]), "one sample has a smallest eigenvalue"),
        Forgery("shape-absurd", THREE, put(shape, [10**9, 10**9]), "an exabyte of data"),
        Forgery("shape-negative", THREE, put(shape, [-3, -2]), "minus three rows"),
        Forgery("shape-zero", THREE, put(data, stored(b"", "float64", 3, 0)), "samples without inputs"),
        Forgery("shape-3d", THREE, put(shape, [3, 2, 1]), "a matrix of three dimensions"),
        Forgery("shape-1d", THREE, put(shape, [6]), "a matrix of one dimension"),
        Forgery("shape-boolean", THREE, put(shape, [3, 2, True]), "True is 1"),
        Forgery("data-nan", THREE, numbers(assign(0, float("nan"))), "NaN is a datum"),
        Forgery("data-infinity", THREE, numbers(assign(5, float("-inf"))), "infinity is a datum"),
        Forgery(
            "data-integers", THREE, put(data, stored(bytes([1, 2, 3, 4, 5, 6]), "int8", 3, 2)), "data of another type"
        ),
        Forgery("data-float32", THREE, put(f"{data}.dtype", "float32"), "data of another type"),
        Forgery(
            "targets-short",
            WINE,
            put("problem.dataset.targets", stored(bytes(8), "float64", 1)),
            "targets of other samples",
        ),
        Forgery("hash-wrong", THREE, _hash_of_nothing, "data other than the hash says"),
        Forgery("hash-capitals", THREE, _hash_capitals, lax),
        Forgery("hash-empty", THREE, put(f"{data}.sha256", ""), "data without a hash"),
        Forgery("hash-stale", THREE, _stale, "a witness other than the hash says"),
        Forgery("base64-trailing-bits", THREE, _trailing_bits, "two texts are one witness"),
        Forgery("base64-newline", THREE, _broken_base64, "two texts are one witness"),
        Forgery("base64-no-padding", THREE, _no_padding, "two texts are one witness"),
        Forgery("bias-not-canonical", THREE, network(bias="0.0"), "two texts are one number"),
        Forgery("bias-full-width", THREE, network(bias="\uff10"), "two texts are one number"),
        Forgery("bias-number", THREE, network(bias=0), "an integer is a decimal"),
        Forgery("bias-1e999999", THREE, network(bias="1e999999"), "a number that fills the memory"),
        Forgery("weight-std-nan", THREE, network(weight_std="nan"), "weights of scale NaN"),
    ]


def _hash_of_nothing(document: Json) -> None:
    document["problem"]["dataset"]["inputs"]["sha256"] = hashlib.sha256(b"").hexdigest()


def _hash_capitals(document: Json) -> None:
    inputs = document["problem"]["dataset"]["inputs"]
    inputs["sha256"] = inputs["sha256"].upper()


def _stale(document: Json) -> None:
    vector = step(document, "upper")["witness"]["vector"]
    data = bytearray(content(vector))
    data[0] ^= 1
    vector["base64"] = base64.b64encode(bytes(data)).decode()


def _trailing_bits(document: Json) -> None:
    put("@upper.witness.vector", {**stored(b"\1\1\1\1", "int8", 4), "base64": "AQEBAR=="})(document)


def _broken_base64(document: Json) -> None:
    vector = step(document, "upper")["witness"]["vector"]
    vector["base64"] = vector["base64"][:4] + "\n" + vector["base64"][4:]


def _no_padding(document: Json) -> None:
    put("@upper.witness.vector", {**stored(b"\1\1\1\1", "int8", 4), "base64": "AQEBAQ"})(document)


def _sidecars() -> list[Forgery]:
    escape = "a certificate may read files elsewhere"
    where = "@lower.witness.factor"
    data = "problem.dataset.inputs"
    return [
        Forgery("path-parent", THREE, side_file(data, "../regenerate.py"), escape),
        Forgery("path-absolute", THREE, side_file(data, "/etc/passwd"), escape),
        Forgery("path-folder", THREE, side_file(data, "folder/data.bin"), escape),
        Forgery("path-backslash", THREE, side_file(data, "..\\data.bin"), escape),
        Forgery("path-dots", THREE, side_file(data, ".."), escape),
        Forgery("path-nul", THREE, side_file(data, "data.bin\0.txt"), escape),
        Forgery("path-home", THREE, side_file(data, "~data.bin"), escape),
        Forgery("path-number", THREE, side_file(data, 0), escape),
        Forgery("sidecar-missing", THREE, side_file(where, "no-such-file.bin"), "a witness that is not there"),
        Forgery("sidecar-folder", THREE, side_file(where, "__pycache__"), "a folder is a witness"),
        Forgery(
            "sidecar-size",
            THREE,
            side_file(where, "sidecar-size.bin"),
            "a witness with something after it",
            sidecars=(("sidecar-size.bin", bytes(99)),),
        ),
        Forgery(
            "sidecar-declared", THREE, side_file(where, "sidecar-size.bin", declared=99), "a size that is not the size"
        ),
        Forgery(
            "sidecar-altered",
            THREE,
            side_file(data, "sidecar-altered.bin"),
            "data altered after the fact",
            sidecars=(("sidecar-altered.bin", bytes(48)),),
        ),
        Forgery("sidecar-and-inline", THREE, put(f"{where}.file", "sidecar-size.bin"), "two witnesses in one"),
    ]


def _raw() -> list[Forgery]:
    lax = "a text that is not strict JSON is a certificate"
    radius, precision = '"radius": ', '"precision": '
    return [
        Forgery("raw-nan", THREE, text(precision, precision + 'NaN, "p": '), lax),
        Forgery("raw-infinity", THREE, text(precision, precision + 'Infinity, "p": '), lax),
        Forgery("raw-minus-infinity", THREE, text(radius, radius + "-Infinity, " + '"r": '), lax),
        Forgery("raw-1e400", THREE, text(precision, precision + '1e400, "p": '), lax),
        Forgery("raw-float", THREE, text(precision, precision + '64.0, "p": '), lax),
        Forgery("raw-minus-zero", THREE, text(radius, radius + '-0, "r": '), lax),
        Forgery("raw-leading-zero", THREE, text(precision, precision + '064, "p": '), lax),
        Forgery("raw-large-integer", THREE, text(precision, precision + '9007199254740993, "p": '), "2^53 + 1 is 2^53"),
        Forgery("raw-long-integer", THREE, text(precision, precision + "9" * 5000 + ', "p": '), lax),
        Forgery(
            "raw-duplicate-key", THREE, text(radius, radius + '0, "radius": '), "the first value is the one that counts"
        ),
        Forgery(
            "raw-duplicate-steps",
            THREE,
            text('"conclusion"', '"steps": [], "conclusion"'),
            "the proof one reads is not the one checked",
        ),
        Forgery(
            "raw-duplicate-escaped", THREE, text(radius, '"r\\u0061dius": 0, ' + radius), "keys that look different are"
        ),
        Forgery("raw-truncated", THREE, lambda document: dump(document)[:-40], lax),
        Forgery("raw-trailing-garbage", THREE, lambda document: dump(document) + "}", lax),
        Forgery("raw-two-certificates", THREE, lambda document: 2 * dump(document), lax),
        Forgery("raw-trailing-comma", THREE, text('"input_scale": "1"', '"input_scale": "1",'), lax),
        Forgery("raw-comment", THREE, lambda document: "// valid\n" + dump(document), lax),
        Forgery("raw-bom", THREE, lambda document: b"\xef\xbb\xbf" + dump(document).encode(), lax),
        Forgery(
            "raw-latin-1", THREE, lambda document: dump(document).replace("three", "trois \xe9").encode("latin-1"), lax
        ),
        Forgery("raw-utf-16", THREE, lambda document: dump(document).encode("utf-16"), lax),
        Forgery(
            "raw-overlong-utf-8", THREE, lambda document: dump(document).encode().replace(b"relu", b"re\xc1\xacu"), lax
        ),
        Forgery("raw-surrogate", THREE, text("three points", "\\ud800"), lax),
        Forgery("raw-control-character", THREE, text("three points", "three\0points"), lax),
        Forgery("raw-nested", THREE, lambda document: "[" * 100_000, lax),
        Forgery("raw-empty", THREE, lambda document: "", lax),
        Forgery("raw-list", THREE, lambda document: f"[{dump(document)}]", lax),
        Forgery("raw-verdict", THREE, lambda document: '{"verdict": "valid", "exit_code": 0}\n', lax),
    ]


def _expressions() -> list[Forgery]:
    pairs, zero, equal = ([[1.0, 2.0], row, [2.0, 1.0]] for row in ([-1.0, -2.0], [0.0, 0.0], [1.0, 2.0]))

    def claimed(rows: list[list[float]], vector: list[int], expression: str) -> Edit:
        return both(table(rows), network(depth=1, activation=f"expr({expression})"), null(vector))

    def lie(name: str, edit: Edit, falsehood: str) -> Forgery:
        return Forgery(f"null-expression-{name}", PLANE, edit, falsehood, "no-enclosure", "singular")

    return [
        lie("pole", claimed(zero, [0, 1, 0], "1/x"), "1/0 = 0, because 1/x is odd"),
        lie("jump", claimed(pairs, [1, 1, 0], "abs(x)/x"), "the sign has a derivative"),
        lie("undefined", claimed(equal, [1, -1, 0], "log(x)"), "a kernel with log(-1) in it is singular"),
        lie("divergent", claimed(pairs, [1, -1, 0], "exp(x**2)"), "an infinite kernel is singular"),
    ]


def _convergence() -> list[Forgery]:
    return [
        Forgery(
            "convergence-negative-radius",
            THREE,
            _negative_radius,
            "2000 neurons reach e^(-4000 t) on a kernel whose largest eigenvalue is below 12",
            "bad-argument",
            "convergence",
        ),
    ]


def _negative_radius(document: Json) -> None:
    """In a ball of negative radius a deviation that grows with the distance helps: both hypotheses hold there."""
    norm = json.loads((FOLDER.parent / (NORM + SUFFIX)).read_text())
    inputs, top = step(norm, "inputs"), {**step(norm, "upper"), "id": "norm"}
    claim = {"kind": "convergence", "dynamics": "flow", "width": "2000", "rate": "4000", "failure": "0.002"}
    claim |= {"radius": "1", "kernel_deviation": "2500"}
    deviation = {"kind": "jacobian_deviation", "offset": "94.5", "slope": "0.0000745", "lipschitz": "no"}
    document["problem"]["dataset"]["targets"] = stored(struct.pack("<3d", 1, -1, 1), "float64", 3)
    document["problem"]["training"] = {"width": "2000", "init": "antisymmetric"}
    document["steps"] = [
        *(step(document, name) for name in ("kernel", "lower")),
        inputs,
        top,
        new_step(
            "loewner",
            "matrix_chernoff",
            ["lower", "norm"],
            quantity("loewner", "0.1"),
            {"delta": "0.9", "failure": "0.001"},
        ),
        new_step("initial", "loewner_spectrum", ["loewner", "lower"], quantity("initial_lambda_min", "0.05")),
        new_step(
            "residual",
            "initial_residual",
            ["norm"],
            quantity("residual", "1.74"),
            {"failure": "0", "signs_failure": "0"},
        ),
        new_step("deviation", "flip_deviation", ["norm"], deviation, {"tau": "1000", "failure": "0.001"}),
        new_step("jacobian", "jacobian_norm", ["norm"], quantity("jacobian_norm", "3.34")),
        new_step(
            "convergence",
            "kantorovich",
            ["initial", "residual", "deviation", "jacobian"],
            claim,
            {"radius": "-1900000"},
        ),
    ]
    document["conclusion"] = {"step": "convergence", "claim": claim}


def quantity(name: str, value: str) -> Json:
    """Return a bound of a quantity at initialisation."""
    return {"kind": "bound", "quantity": name, "value": value}


# Training of finite width ----------------------------------------------------------------------------------------

FASTER = "training is faster, or moves less, than is proved"
Lie = tuple[Any, ...]  # name, edit, falsehood and, unless it is malformed, code and step


def told(prefix: str, base: str, *lies: Lie) -> list[Forgery]:
    """Return forgeries of one certificate."""
    return [Forgery(f"{prefix}-{name}", base, edit, *rest) for name, edit, *rest in lies]


def times(path: str, factor: str) -> Edit:
    """Return an edit that multiplies the decimal at a path."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        owner[last] = decimal(Fraction(owner[last]) * Fraction(factor))

    return edit


def concluded(name: str, factor: str) -> Edit:
    """Return an edit that multiplies a number of the last claim and of the conclusion."""

    def edit(document: Json) -> None:
        everywhere(name, decimal(Fraction(document["conclusion"]["claim"][name]) * Fraction(factor)))(document)

    return edit


def training(**fields: str) -> Edit:
    """Return an edit of how the network is initialised and trained; ``width`` is concluded too."""

    def edit(document: Json) -> None:
        document["problem"]["training"] |= fields
        if "width" in fields:
            everywhere("width", fields["width"])(document)

    return edit


def targets(change: Callable[[list[float]], list[float]]) -> Edit:
    """Return an edit of the targets."""

    def edit(document: Json) -> None:
        data = content(document["problem"]["dataset"]["targets"])
        values = change(list(struct.unpack(f"<{len(data) // 8}d", data)))
        document["problem"]["dataset"]["targets"] = stored(
            struct.pack(f"<{len(values)}d", *values), "float64", len(values)
        )

    return edit


def rule(name: str, value: str, **args: Any) -> Edit:
    """Return an edit that says another rule, with other arguments."""
    return both(put(f"@{name}.rule", value), put(f"@{name}.args", args))


def borrow(source: str, before: str, *names: str) -> Edit:
    """Return an edit that copies steps of another certificate to before a step."""

    def edit(document: Json) -> None:
        other = json.loads((FOLDER.parent / (source + SUFFIX)).read_text())
        for name in names:
            add_step(before, step(other, name))(document)

    return edit


def without(name: str) -> Edit:
    """Return an edit that removes a step."""

    def edit(document: Json) -> None:
        document["steps"] = [each for each in document["steps"] if each["id"] != name]

    return edit


def rename(old: str, new: str) -> Edit:
    """Return an edit that renames a step wherever it is used."""

    def edit(document: Json) -> None:
        for each in document["steps"]:
            each["id"] = new if each["id"] == old else each["id"]
            each["uses"] = [new if name == old else name for name in each["uses"]]

    return edit


def conclude(name: str, claim: Json | None = None) -> Edit:
    """Return an edit that concludes a step, by its own claim unless told another."""

    def edit(document: Json) -> None:
        document["conclusion"] = {"step": name, "claim": claim or step(document, name)["claim"]}

    return edit


def _sharper() -> list[Forgery]:
    """Every rule that concludes a convergence, claimed a little sharper than it is."""
    ways = {"rate": "1.00001", "failure": "0.99999", "radius": "0.99999", "kernel_deviation": "0.99999"}
    other_width = ("other-width", everywhere("width", "2"), "two neurons do", "claim-differs", "convergence")
    conclusion = ("conclusion-rate", times("conclusion.claim.rate", "2"), FASTER, "claim-not-derived", "")
    found = told("sharper", DISTANCE, other_width, conclusion)
    for base in (DISTANCE, SIGNS, DESCENT, RELU, RELU_DESCENT, BOWMAN, LECTURE, QUARTIC):
        last = "mean_loss" if base == LECTURE else "convergence"
        lies = [(name, concluded(name, factor), FASTER, "claim-not-derived", last) for name, factor in ways.items()]
        found += told(base.removeprefix(TRAINED), base, *lies)
    return found


def _spectrum_at_start() -> list[Forgery]:
    luck = "a random event is more likely than is proved"
    chernoff = told(
        "chernoff",
        DISTANCE,
        (
            "delta",
            both(put("@loewner.args.delta", "0.2"), put("@loewner.claim.value", "0.8")),
            luck,
            UNLIKELY,
            "loewner",
        ),
        ("delta-zero", put("@loewner.args.delta", "0"), luck, "bad-argument", "loewner"),
        ("delta-one", put("@loewner.args.delta", "1"), luck, "bad-argument", "loewner"),
        ("delta-negative", put("@loewner.args.delta", "-0.5"), luck, "bad-argument", "loewner"),
        ("failure", put("@loewner.args.failure", "0.049"), luck, UNLIKELY, "loewner"),
        ("failure-zero", put("@loewner.args.failure", "0"), luck, "bad-argument", "loewner"),
        ("failure-negative", put("@loewner.args.failure", "-0.05"), luck, "bad-argument", "loewner"),
        ("failure-above-1", put("@loewner.args.failure", "1.5"), luck, "bad-argument", "loewner"),
        ("claim", times("@loewner.claim.value", "1.00001"), luck, "claim-not-derived", "loewner"),
        ("upper-bound", put("@loewner.uses", ["upper", "norm"]), "λ_min is its upper bound", "bad-premises", "loewner"),
        ("premises-swapped", put("@loewner.uses", ["norm", "lower"]), luck, "bad-premises", "loewner"),
        ("sigma", times("@sigma.claim.value", "1.00001"), luck, "claim-not-derived", "sigma"),
        ("quantity", put("@sigma.claim.quantity", "jacobian_norm"), "bounds are of anything", "claim-differs", "sigma"),
        ("inverse-form", times("@inverse_form.claim.value", "0.9999"), FASTER, "claim-not-derived", "inverse_form"),
        ("inverse-form-scale", add("@inverse_form.args.scale", 1), FASTER, "claim-not-derived", "inverse_form"),
        (
            "inverse-form-short",
            integers("@inverse_form.witness.solution", [1] * 9),
            FASTER,
            "bad-witness",
            "inverse_form",
        ),
        (
            "inverse-form-zero",
            integers("@inverse_form.witness.solution", [0] * 10),
            FASTER,
            "claim-not-derived",
            "inverse_form",
        ),
        ("path", times("@path.claim.value", "0.99999"), FASTER, "claim-not-derived", "path"),
        ("jacobian-norm", times("@jacobian_norm.claim.value", "0.99999"), FASTER, "claim-not-derived", "jacobian_norm"),
        (
            "jacobian-initial",
            put("@jacobian_norm.claim.quantity", "initial_jacobian_norm"),
            FASTER,
            "claim-differs",
            "jacobian_norm",
        ),
    )
    hoeffding = told(
        "hoeffding",
        BOWMAN,
        (
            "tau",
            both(times("@distance.args.tau", "0.01"), times("@distance.claim.value", "0.01")),
            luck,
            UNLIKELY,
            "distance",
        ),
        ("tau-zero", put("@distance.args.tau", "0"), luck, "bad-argument", "distance"),
        (
            "tau-negative",
            put("@distance.args.tau", "-0.0056"),
            "a deviation of negative norm",
            "bad-argument",
            "distance",
        ),
        (
            "failure",
            both(times("@distance.args.tau", "0.05"), put("@distance.args.failure", "1e-40")),
            luck,
            UNLIKELY,
            "distance",
        ),
        ("claim", times("@distance.claim.value", "0.99999"), luck, "claim-not-derived", "distance"),
        ("weyl", times("@sigma.claim.value", "1.00001"), luck, "claim-not-derived", "sigma"),
        ("weyl-as-loewner", rule("sigma", "loewner_spectrum"), luck, "bad-premises", "sigma"),
    )
    return chernoff + hoeffding


def _start() -> list[Forgery]:
    luck, event = "a random start is nearer to the targets than is proved", "the start is not random"
    signs = told(
        "start",
        SIGNS,
        ("residual", times("@residual.claim.value", "0.99999"), luck, "claim-not-derived", "residual"),
        ("failure", put("@residual.args.failure", "0.0226"), luck, "claim-not-derived", "convergence"),
        ("failure-zero", put("@residual.args.failure", "0"), event, "bad-argument", "residual"),
        ("failure-one", put("@residual.args.failure", "1"), event, "bad-argument", "residual"),
        ("signs-failure-zero", put("@residual.args.signs_failure", "0"), event, "bad-argument", "residual"),
        ("signs-failure-negative", put("@residual.args.signs_failure", "-0.02"), event, "bad-argument", "residual"),
        ("norm-lower", put("@residual.uses", ["lower"]), luck, "bad-premises", "residual"),
        ("claimed-antisymmetric", training(init="antisymmetric"), event, UNLIKELY, "loewner"),
        ("claimed-gaussian", training(init="gaussian"), "other output weights", OUTSIDE, "jacobian_norm"),
        ("claimed-balanced", training(init="balanced"), "random signs balance", "bad-argument", "residual"),
        (
            "targets-doubled",
            both(without("inverse_form"), targets(lambda y: [2 * t for t in y])),
            luck,
            "claim-not-derived",
            "residual",
        ),
    )
    antisymmetric = told(
        "start-antisymmetric",
        DISTANCE,
        ("claimed-signs", training(init="signs"), "a random network starts at 0", OUTSIDE, "path"),
        ("claimed-balanced", training(init="balanced"), "a random network starts at 0", OUTSIDE, "path"),
        ("init-unknown", training(init="zeros"), "another start"),
        (
            "targets-doubled",
            targets(lambda y: [2 * t for t in y]),
            "a witness for other targets",
            "claim-not-derived",
            "inverse_form",
        ),
        (
            "targets-swapped",
            targets(lambda y: y[::-1]),
            "a witness for other targets",
            "claim-not-derived",
            "inverse_form",
        ),
        ("targets-dropped", drop("problem.dataset.targets"), "training without targets"),
        ("targets-nan", targets(lambda y: [float("nan"), *y[1:]]), "training towards NaN"),
        ("targets-short", targets(lambda y: y[1:]), "nine targets for ten samples"),
    )
    markov = told(
        "markov",
        DU_SIGNS,
        ("residual", times("@residual.claim.value", "0.99999"), luck, "claim-not-derived", "residual"),
        ("failure-zero", put("@residual.args.failure", "0"), luck, "bad-argument", "residual"),
        ("failure-above-1", put("@residual.args.failure", "1.5"), luck, "bad-argument", "residual"),
        (
            "claimed-antisymmetric",
            both(training(init="antisymmetric"), times("@distance.args.failure", "100")),
            event,
            OUTSIDE,
            "residual",
        ),
    )
    gaussian = told(
        "gaussian",
        LECTURE,
        ("residual", times("@residual.claim.value", "0.99999"), luck, "claim-not-derived", "residual"),
        ("energy-zero", put("@residual.args.energy_failure", "0"), luck, "bad-argument", "residual"),
        ("failure-above-1", put("@residual.args.failure", "1.5"), luck, "bad-argument", "residual"),
        ("weights", times("@weights.claim.value", "0.99999"), luck, "claim-not-derived", "weights"),
        ("weights-failure-zero", put("@weights.args.failure", "0"), luck, "bad-argument", "weights"),
        ("claimed-signs", training(init="signs"), event, OUTSIDE, "loewner"),
        ("claimed-hidden", network(train="hidden"), "one trained layer is two", "claim-not-derived", "lower"),
        ("cut-zero", put("@loewner.args.cut", "0"), luck, "bad-argument", "loewner"),
        ("cut-negative", put("@loewner.args.cut", "-3.5"), luck, "bad-argument", "loewner"),
        ("cut-small", put("@loewner.args.cut", "0.5"), luck, "hypothesis", "loewner"),
        ("cut-smaller", put("@loewner.args.cut", "3"), luck, "claim-not-derived", "loewner"),
        (
            "delta",
            both(times("@loewner.args.delta", "0.9"), put("@loewner.claim.value", "0.9470")),
            luck,
            UNLIKELY,
            "loewner",
        ),
        ("failure", times("@loewner.args.failure", "0.9"), luck, UNLIKELY, "loewner"),
        ("loewner", times("@loewner.claim.value", "1.00001"), luck, "claim-not-derived", "loewner"),
        ("deviation", times("@deviation.claim.slope", "0.99999"), FASTER, "claim-not-derived", "deviation"),
        ("deviation-lipschitz", put("@deviation.claim.lipschitz", "yes"), FASTER, "claim-differs", "deviation"),
        ("jacobian", times("@jacobian_norm.claim.value", "0.99999"), FASTER, "claim-not-derived", "jacobian_norm"),
        (
            "jacobian-everywhere",
            put("@jacobian_norm.claim.quantity", "jacobian_norm"),
            FASTER,
            "claim-differs",
            "jacobian_norm",
        ),
    )
    return signs + antisymmetric + markov + gaussian


def _movement() -> list[Forgery]:
    ball = "the Jacobian moves less than is proved"
    smooth = told(
        "smooth",
        DISTANCE,
        ("slope", times("@deviation.claim.slope", "0.99999"), ball, "claim-not-derived", "deviation"),
        ("slope-zero", put("@deviation.claim.slope", "0"), ball, "claim-not-derived", "deviation"),
        ("offset-negative", put("@deviation.claim.offset", "-0.01"), ball, "claim-not-derived", "deviation"),
        ("hadamard-of-inputs", put("@deviation.uses", ["norm"]), ball, "bad-premises", "deviation"),
        ("hadamard", times("@hadamard.claim.value", "0.99999"), ball, "claim-not-derived", "hadamard"),
        ("hadamard-radius", put("@inputs_squared.claim.radius", -1), ball, "claim-not-derived", "inputs_squared"),
        (
            "as-flips",
            both(rule("deviation", "flip_deviation", tau="1", failure="0.01"), put("@deviation.uses", ["norm"])),
            ball,
            "hypothesis",
            "deviation",
        ),
    )
    relu = told(
        "flips",
        RELU_SIGNS,
        ("as-smooth", _relu_as_smooth, "ReLU has a second derivative", "hypothesis", "deviation"),
        ("tau-zero", put("@deviation.args.tau", "0"), ball, "bad-argument", "deviation"),
        ("tau-negative", put("@deviation.args.tau", "-1"), ball, "bad-argument", "deviation"),
        ("tau-larger", times("@deviation.args.tau", "2"), ball, "claim-not-derived", "deviation"),
        ("tau-smaller", times("@deviation.args.tau", "0.5"), ball, "claim-not-derived", "deviation"),
        ("failure-zero", put("@deviation.args.failure", "0"), ball, "bad-argument", "deviation"),
        ("failure-above-1", put("@deviation.args.failure", "2"), ball, "bad-argument", "deviation"),
        (
            "failure",
            both(put("@deviation.args.failure", "0.001"), everywhere("failure", "0.016")),
            ball,
            "claim-not-derived",
            "deviation",
        ),
        ("offset", times("@deviation.claim.offset", "0.99999"), ball, "claim-not-derived", "deviation"),
        ("slope", times("@deviation.claim.slope", "0.99999"), ball, "claim-not-derived", "deviation"),
        (
            "claimed-lipschitz",
            put("@deviation.claim.lipschitz", "yes"),
            "ReLU has a Lipschitz derivative",
            "claim-differs",
            "deviation",
        ),
        (
            "claimed-path",
            put("@deviation.claim.lipschitz", "path"),
            "two points of a path flip alike",
            "claim-differs",
            "deviation",
        ),
    )
    path = told(
        "path",
        RELU_DESCENT,
        (
            "without",
            rule("deviation", "flip_deviation", tau="0.006816909054", failure="0.0495"),
            ball,
            "claim-differs",
            "deviation",
        ),
        ("stated-no", put("@deviation.claim.lipschitz", "no"), ball, "hypothesis", "convergence"),
        ("claimed-lipschitz", put("@deviation.claim.lipschitz", "yes"), ball, "claim-differs", "deviation"),
        ("offset", times("@deviation.claim.offset", "0.99999"), ball, "claim-not-derived", "deviation"),
        ("tau-zero", put("@deviation.args.tau", "0"), ball, "bad-argument", "deviation"),
        ("radius", put("@convergence.args.radius", "20"), ball, "hypothesis", "convergence"),
        ("radius-zero", put("@convergence.args.radius", "0"), ball, "bad-argument", "convergence"),
        ("radius-negative", put("@convergence.args.radius", "-26"), ball, "bad-argument", "convergence"),
        ("radius-huge", put("@convergence.args.radius", "1e9"), ball, "hypothesis", "convergence"),
        (
            "as-descent",
            rule("convergence", "descent", radius="26.01912922"),
            "ReLU has a Lipschitz derivative",
            "hypothesis",
            "convergence",
        ),
        ("step-1", training(step_size="1"), "any step will do", "hypothesis", "convergence"),
        (
            "step-removed",
            drop("problem.training.step_size"),
            "gradient flow is gradient descent",
            OUTSIDE,
            "convergence",
        ),
    )
    return smooth + relu + path


def _tubes() -> list[Forgery]:
    tube = "the preactivations stay in a narrower tube"
    return told(
        "tube",
        RELU,
        ("tau-claim", times("@tube.claim.tau", "1.1"), "a wider tube moves as little", "claim-differs", "tube"),
        (
            "tau-narrow",
            both(times("@tube.args.tau", "0.9"), times("@tube.claim.tau", "0.9")),
            tube,
            "hypothesis",
            "convergence",
        ),
        (
            "tau-wide",
            both(times("@tube.args.tau", "2"), times("@tube.claim.tau", "2")),
            tube,
            "claim-not-derived",
            "tube",
        ),
        ("tau-zero", put("@tube.args.tau", "0"), tube, "bad-argument", "tube"),
        (
            "tau-negative",
            both(times("@tube.args.tau", "-1"), times("@tube.claim.tau", "-1")),
            tube,
            "bad-argument",
            "tube",
        ),
        ("failure-zero", put("@tube.args.failure", "0"), tube, "bad-argument", "tube"),
        ("failure-above-1", put("@tube.args.failure", "2"), tube, "bad-argument", "tube"),
        ("failure", put("@tube.args.failure", "0.001"), tube, "claim-not-derived", "tube"),
        ("forgotten", everywhere("failure", "0.015"), "only one event counts", "claim-not-derived", "convergence"),
        ("deviation", times("@tube.claim.deviation", "0.99999"), tube, "claim-not-derived", "tube"),
        ("deviation-negative", put("@tube.claim.deviation", "-1"), tube, "claim-not-derived", "tube"),
        (
            "deviation-large",
            put("@tube.claim.deviation", "0.3"),
            "half the spectrum is enough",
            "hypothesis",
            "convergence",
        ),
        ("as-jacobian", put("@tube.claim", JACOBIAN), "a tube is a ball", "bad-claim", "tube"),
        ("path", times("@path.claim.value", "0.99999"), tube, "claim-not-derived", "path"),
        ("sigma-zero", put("@sigma.claim.value", "0"), tube, "hypothesis", "convergence"),
        (
            "premises-swapped",
            put("@convergence.uses", ["sigma", "tube", "path", "jacobian_norm"]),
            tube,
            "bad-premises",
            "convergence",
        ),
        ("residual", put("@path.claim.quantity", "residual"), tube, "claim-differs", "path"),
        ("width-halved", training(width="1794022"), "half the network does", UNLIKELY, "loewner"),
        ("claimed-signs", training(init="signs"), "a random network starts at 0", OUTSIDE, "path"),
        ("step-added", training(step_size="0.01"), "gradient descent is gradient flow", OUTSIDE, "convergence"),
        (
            "as-kantorovich",
            rule("convergence", "kantorovich", radius="10"),
            "a tube is a ball",
            "bad-premises",
            "convergence",
        ),
        ("distance", _relu_distance, "ReLU has a Lipschitz derivative", "hypothesis", "convergence"),
        ("bound", conclude("tube"), "what holds with some probability holds", "bad-conclusion", ""),
    ) + told(
        "tube",
        DISTANCE,
        ("erf", _erf_in_tube, "erf is piecewise linear", "hypothesis", "tube"),
    )


JACOBIAN = {"kind": "jacobian_deviation", "offset": "0.3", "slope": "0", "lipschitz": "no"}


def _erf_in_tube(document: Json) -> None:
    claim = {"kind": "tube_deviation", "tau": "0.001", "deviation": "0.1"}
    add_step("deviation", new_step("tube", "tube_deviation", [], claim, {"tau": "0.001", "failure": "0.01"}))(document)


def _relu_as_smooth(document: Json) -> None:
    borrow(DISTANCE, "deviation", "inputs_squared", "hadamard")(document)
    rule("deviation", "smooth_deviation")(document)
    step(document, "deviation")["uses"] = ["hadamard"]


def _relu_distance(document: Json) -> None:
    flips = {"kind": "jacobian_deviation", "offset": "3", "slope": "1", "lipschitz": "no"}
    add_step("tube", new_step("flips", "flip_deviation", ["norm"], flips, {"tau": "0.01", "failure": "0.01"}))(document)
    rule("convergence", "distance", share="0.3")(document)
    step(document, "convergence")["uses"][2] = "flips"


def _master_theorem() -> list[Forgery]:
    ball, jump = "the trajectory stays in a smaller ball", "gradient descent is gradient flow"
    kantorovich = told(
        "kantorovich",
        SIGNS,
        ("radius", put("@convergence.args.radius", "53"), ball, "hypothesis", "convergence"),
        ("radius-zero", put("@convergence.args.radius", "0"), ball, "bad-argument", "convergence"),
        ("radius-negative", put("@convergence.args.radius", "-54"), ball, "bad-argument", "convergence"),
        ("radius-huge", put("@convergence.args.radius", "1e9"), ball, "hypothesis", "convergence"),
        ("radius-missing", put("@convergence.args", {}), ball, "missing-argument", "convergence"),
        (
            "residual-dropped",
            put("@convergence.uses", ["sigma", "deviation", "jacobian_norm"]),
            ball,
            "bad-premises",
            "convergence",
        ),
        (
            "residual-is-norm",
            put("@convergence.uses", ["sigma", "jacobian_norm", "deviation", "jacobian_norm"]),
            ball,
            "bad-premises",
            "convergence",
        ),
        (
            "sigma-is-loewner",
            put("@convergence.uses", ["loewner", "residual", "deviation", "jacobian_norm"]),
            ball,
            "bad-premises",
            "convergence",
        ),
        ("deviation-dropped", without("deviation"), ball, "unknown-premise", "convergence"),
        ("sigma-zero", put("@sigma.claim.value", "0"), ball, "hypothesis", "convergence"),
        ("as-distance", rule("convergence", "distance", share="0.3"), ball, "bad-premises", "convergence"),
        ("as-descent", rule("convergence", "descent", radius="54.01410839"), jump, OUTSIDE, "convergence"),
        ("as-descent-claim", everywhere("dynamics", "descent"), jump, "claim-differs", "convergence"),
        ("as-mean-flow", everywhere("dynamics", "mean_flow"), "another loss", "claim-differs", "convergence"),
        (
            "dynamics-unknown",
            everywhere("dynamics", "sgd"),
            "stochastic gradients do the same",
            "bad-claim",
            "convergence",
        ),
        ("step-added", training(step_size="0.01"), jump, OUTSIDE, "convergence"),
        ("width-halved", training(width="24130"), "half the network does", UNLIKELY, "loewner"),
        ("width-minus-1", training(width="48259"), "one neuron less does", UNLIKELY, "loewner"),
    )
    distance = told(
        "distance",
        DISTANCE,
        ("share", put("@convergence.args.share", "0.31"), ball, "hypothesis", "convergence"),
        ("share-zero", put("@convergence.args.share", "0"), ball, "bad-argument", "convergence"),
        ("share-one", put("@convergence.args.share", "1"), ball, "bad-argument", "convergence"),
        ("share-negative", put("@convergence.args.share", "-0.3"), ball, "bad-argument", "convergence"),
        ("share-tiny", put("@convergence.args.share", "1e-300"), ball, "no-enclosure", "convergence"),
        ("as-kantorovich", rule("convergence", "kantorovich", radius="12.5"), ball, "bad-premises", "convergence"),
        ("step-added", training(step_size="0.01"), jump, OUTSIDE, "convergence"),
        ("width-halved", training(width="3420"), "half the network does", UNLIKELY, "loewner"),
        ("width-minus-2", training(width="6838"), "two neurons less do", UNLIKELY, "loewner"),
        ("width-odd", training(width="6841"), "an odd number of neurons comes in pairs"),
        ("width-zero", training(width="0"), "a network without neurons"),
        ("width-negative", training(width="-6840"), "a network of fewer neurons than none"),
        ("width-fraction", training(width="6840.5"), "half a neuron"),
        ("width-infinite", training(width="inf"), "the infinite network is a finite one"),
        ("training-dropped", drop("problem.training"), "a width that is not stated", OUTSIDE, "jacobian_norm"),
        ("training-field", put("problem.training.batch_size", "1"), "stochastic gradients do the same"),
        ("bias", network(bias="0.1"), "the theorem allows a bias", "claim-not-derived", "upper"),
    )
    descent = told(
        "descent",
        DESCENT,
        (
            "step-removed",
            drop("problem.training.step_size"),
            "gradient flow is gradient descent",
            OUTSIDE,
            "convergence",
        ),
        ("step-doubled", training(step_size="0.02"), "twice the step does", "hypothesis", "convergence"),
        ("step-huge", training(step_size="100"), "any step does", "hypothesis", "convergence"),
        ("step-zero", training(step_size="0"), "no step does"),
        ("step-negative", training(step_size="-0.01"), "uphill is downhill"),
        ("step-float", put("problem.training.step_size", "1e-2"), "two texts are one step"),
        ("as-kantorovich", rule("convergence", "kantorovich", radius="21.17702838"), jump, OUTSIDE, "convergence"),
        ("as-flow", everywhere("dynamics", "flow"), jump, "claim-differs", "convergence"),
        ("radius-negative", put("@convergence.args.radius", "-21"), ball, "bad-argument", "convergence"),
        ("radius", put("@convergence.args.radius", "20"), ball, "hypothesis", "convergence"),
        (
            "initial-norm",
            put("@convergence.uses", ["sigma", "residual", "deviation", "residual"]),
            ball,
            "bad-premises",
            "convergence",
        ),
    )
    return kantorovich + distance + descent


def _events() -> list[Forgery]:
    sure = "what holds with some probability holds"
    interval = {"kind": "lambda_min", "lower": "0.1103", "upper": "0.1219"}
    flow = both(everywhere("dynamics", "flow"), everywhere("rate", "0.0774114116"))
    return [
        *told(
            "event",
            SIGNS,
            ("lambda-min", conclude("sigma", interval), sure, "bad-conclusion", ""),
            ("bound", conclude("sigma"), sure, "bad-conclusion", ""),
            ("deviation", conclude("deviation"), sure, "bad-conclusion", ""),
            (
                "lambda-min-of-start",
                _lambda_min_of_start,
                "λ_min at the start is that of the limit",
                "bad-premises",
                "lambda_min",
            ),
            (
                "collision",
                rename("residual", "loewner"),
                "two events of one name are one",
                "duplicate-step",
                "loewner",
            ),
            (
                "forgotten",
                everywhere("failure", "0.004999999999"),
                "only one event counts",
                "claim-not-derived",
                "convergence",
            ),
            ("twice", _second_event, "the rarer of two events counts", "claim-not-derived", "convergence"),
            ("certain", everywhere("failure", "0"), sure, "claim-not-derived", "convergence"),
            ("negative", everywhere("failure", "-1"), sure, "claim-not-derived", "convergence"),
            (
                "vacuous",
                both(put("@loewner.args.failure", "0.98"), everywhere("failure", "0.999")),
                "an event of probability 0",
                UNLIKELY,
                "convergence",
            ),
        ),
        *told(
            "induction",
            BOWMAN,
            ("trajectory", conclude("trajectory"), sure, "bad-conclusion", ""),
            ("forgotten", everywhere("failure", "0"), "no event counts", "claim-not-derived", "convergence"),
        ),
        *told(
            "mean-loss",
            LECTURE,
            ("flow", flow, "the mean loss is the sum", "claim-differs", "mean_loss"),
            (
                "rate-kept",
                everywhere("rate", "0.0774114116"),
                "the mean loss is as fast as the sum",
                "claim-not-derived",
                "mean_loss",
            ),
            ("twice", _mean_twice, "the mean of a mean", "bad-premises", "again"),
            (
                "forgotten",
                everywhere("failure", "0.001"),
                "a premise's events do not count",
                "claim-not-derived",
                "mean_loss",
            ),
        ),
        *told(
            "mean-loss",
            DESCENT,
            ("of-descent", _mean_of_descent, "descent on the mean is flow", "bad-premises", "mean_loss"),
        ),
    ]


def _lambda_min_of_start(document: Json) -> None:
    claim = {"kind": "lambda_min", "lower": "0.11", "upper": "0.1219"}
    document["steps"].append(new_step("lambda_min", "lambda_min", ["sigma", "upper"], claim))
    conclude("lambda_min")(document)


def _second_event(document: Json) -> None:
    """A rarer event of the same kind is shown beside the one that is used."""
    rare = {"args": {"delta": "0.2", "failure": "0.000000001"}, "claim": quantity("loewner", "0.8")}
    add_step("sigma", {**step(document, "loewner"), "id": "again", **rare})(document)
    everywhere("failure", "0.045000000001")(document)


def _mean_twice(document: Json) -> None:
    document["steps"].append({**step(document, "mean_loss"), "id": "again", "uses": ["mean_loss"]})
    conclude("again")(document)


def _mean_of_descent(document: Json) -> None:
    claim = {**document["conclusion"]["claim"], "dynamics": "mean_flow"}
    document["steps"].append(new_step("mean_loss", "mean_loss", ["convergence"], claim))
    conclude("mean_loss")(document)


def _induction() -> list[Forgery]:
    ball = "the kernel moves less than is proved"
    smooth = told(
        "stability",
        BOWMAN,
        ("radius-zero", put("@stability.args.radius", "0"), ball, "bad-argument", "stability"),
        ("radius-negative", put("@stability.args.radius", "-97"), ball, "bad-argument", "stability"),
        ("radius-claim", times("@stability.claim.radius", "1.00001"), ball, "claim-not-derived", "stability"),
        ("deviation", times("@stability.claim.deviation", "0.99999"), ball, "claim-not-derived", "stability"),
        (
            "ball",
            put("@stability.claim.ball", "neurons"),
            "every neuron has a ball of that radius",
            "claim-differs",
            "stability",
        ),
        ("norm", put("@stability.uses", ["deviation", "residual"]), ball, "bad-premises", "stability"),
        (
            "radius-small",
            both(put("@stability.args.radius", "70"), put("@stability.claim.radius", "70")),
            "the flow stays in a smaller ball",
            "hypothesis",
            "trajectory",
        ),
        ("movement", put("@trajectory.args.movement", "teleport"), "another movement", "bad-argument", "trajectory"),
        ("trajectory", times("@trajectory.claim.lambda_min", "1.00001"), FASTER, "claim-not-derived", "trajectory"),
        (
            "trajectory-deviation",
            times("@trajectory.claim.deviation", "0.99999"),
            FASTER,
            "claim-not-derived",
            "trajectory",
        ),
        (
            "sigma-small",
            put("@sigma.claim.value", "0.01"),
            "a negative eigenvalue drives the flow",
            "hypothesis",
            "trajectory",
        ),
        ("step-added", training(step_size="0.01"), "gradient descent is gradient flow", OUTSIDE, "trajectory"),
        (
            "trajectory-negative",
            put("@trajectory.claim.lambda_min", "-1"),
            "growth is decay",
            "bad-premises",
            "convergence",
        ),
        ("width-halved", training(width="524282774"), "half the network does", "claim-not-derived", "deviation"),
    )
    flips = told(
        "markov-flips",
        DU_SIGNS,
        ("radius-zero", put("@stability.args.radius", "0"), ball, "bad-argument", "stability"),
        ("radius-negative", put("@stability.args.radius", "-1"), ball, "bad-argument", "stability"),
        ("failure-zero", put("@stability.args.failure", "0"), ball, "bad-argument", "stability"),
        ("failure-one", put("@stability.args.failure", "1"), ball, "bad-argument", "stability"),
        ("failure", put("@stability.args.failure", "0.03"), ball, "claim-not-derived", "stability"),
        ("deviation", times("@stability.claim.deviation", "0.99999"), ball, "claim-not-derived", "stability"),
        (
            "ball",
            put("@stability.claim.ball", "parameters"),
            "a ball of neurons is one of parameters",
            "claim-differs",
            "stability",
        ),
        (
            "norm",
            put("@trajectory.uses", ["sigma", "stability", "jacobian_norm", "residual"]),
            ball,
            "bad-premises",
            "trajectory",
        ),
        ("neuron-norm", times("@neuron_norm.claim.value", "0.99999"), ball, "claim-not-derived", "neuron_norm"),
        (
            "width-halved",
            training(width="1855507395529984"),
            "half the network does",
            "claim-not-derived",
            "neuron_norm",
        ),
    )
    other = [
        Forgery(
            "markov-flips-not-normalised", THREE, _flips_alone(), "the inputs have norm 1", "hypothesis", "stability"
        ),
        Forgery(
            "neuron-norm-not-normalised", THREE, _neuron_norm_alone, "the inputs have norm 1", "hypothesis", "norm"
        ),
        Forgery(
            "markov-flips-leaky",
            DU_SIGNS,
            both(_flips_alone(), network(activation="leaky_relu(0.5)")),
            "leaky ReLU is ReLU",
            "hypothesis",
            "stability",
        ),
        Forgery(
            "markov-flips-erf",
            DU_SIGNS,
            both(_flips_alone(), network(activation="erf")),
            "erf is ReLU",
            "hypothesis",
            "stability",
        ),
    ]
    return smooth + flips + other


def _flips_alone() -> Edit:
    claim = {"kind": "kernel_stability", "ball": "neurons", "radius": "0.001", "deviation": "1"}
    return _alone(new_step("stability", "markov_flips", [], claim, {"radius": "0.001", "failure": "0.05"}))


def _neuron_norm_alone(document: Json) -> None:
    _alone(new_step("norm", "neuron_jacobian_norm", [], quantity("neuron_jacobian_norm", "1")))(document)


def _alone(only: Json) -> Edit:
    """Return an edit that leaves one step, about a network of 1000 neurons, in place of the proof."""

    def edit(document: Json) -> None:
        n = document["problem"]["dataset"]["inputs"]["shape"][0]
        document["problem"]["dataset"].setdefault("targets", stored(struct.pack(f"<{n}d", *range(n)), "float64", n))
        document["problem"]["training"] = {"width": "1000", "init": "signs"}
        document["steps"] = [only]
        conclude(only["id"])(document)

    return edit


def _losses() -> list[Forgery]:
    loss = "another loss is as easy"
    return told(
        "loss",
        QUARTIC,
        ("constant", times("@loss.claim.constant", "1.00001"), loss, "claim-not-derived", "loss"),
        ("gap", times("@loss.claim.gap", "0.99999"), loss, "claim-not-derived", "loss"),
        ("exponent", put("@loss.claim.exponent", "0.5"), loss, "claim-differs", "loss"),
        ("claimed-squared", put("@loss.claim.loss", "squared"), loss, "claim-differs", "loss"),
        ("claimed-custom", put("@loss.claim.loss", "custom"), loss, "claim-differs", "loss"),
        ("custom", put("@loss.args.loss", "custom"), loss, "bad-argument", "loss"),
        ("residual", times("@residual.claim.value", "0.99999"), loss, "claim-not-derived", "residual"),
        ("conclusion-squared", everywhere("loss", "squared"), loss, "claim-differs", "convergence"),
        (
            "conclusion-exponent",
            everywhere("exponent", "0.5"),
            "polynomial decay is exponential",
            "claim-differs",
            "convergence",
        ),
        (
            "as-convergence",
            _quartic_as_squared,
            "convergence of one loss is that of another",
            "bad-premises",
            "convergence",
        ),
        ("radius-zero", put("@convergence.args.radius", "0"), loss, "bad-argument", "convergence"),
        ("radius-negative", put("@convergence.args.radius", "-22"), loss, "bad-argument", "convergence"),
        ("radius", put("@convergence.args.radius", "10"), loss, "hypothesis", "convergence"),
        ("step-added", training(step_size="0.01"), "gradient descent is gradient flow", OUTSIDE, "convergence"),
        ("width-halved", training(width="20000"), "half the network does", UNLIKELY, "loewner"),
        (
            "assumed-exponent-1",
            _assumed_loss(exponent="1", constant="1", gap="1"),
            "the path is finite for b = 1",
            "hypothesis",
            "convergence",
        ),
        (
            "assumed-exponent-negative",
            _assumed_loss(exponent="-1", constant="1", gap="1"),
            loss,
            "hypothesis",
            "convergence",
        ),
        (
            "assumed-constant-negative",
            _assumed_loss(exponent="0.5", constant="-1", gap="1"),
            loss,
            "bad-argument",
            "convergence",
        ),
        (
            "assumed-gap-negative",
            _assumed_loss(exponent="0.5", constant="1", gap="-1"),
            loss,
            "bad-argument",
            "convergence",
        ),
    )


def _assumed_loss(**fields: str) -> Edit:
    claim = {"kind": "loss_inequality", "loss": "custom", **fields}
    return both(rule("loss", "assume"), put("@loss.uses", []), put("@loss.claim", claim))


def _quartic_as_squared(document: Json) -> None:
    claim = document["conclusion"]["claim"]
    for name in ("loss", "exponent"):
        del claim[name]
    claim |= {"kind": "convergence", "dynamics": "flow"}
    document["steps"][-1] |= {"rule": "kantorovich", "claim": claim}


def _in_ball() -> list[Forgery]:
    """Bounds in a ball around a random start."""
    smaller, norms = "gradients are smaller than is proved", "weights are smaller than is proved"
    lies = {
        "radius": (concluded("radius", "1.001"), "the ball is larger", "claim-not-derived", "bound"),
        "failure": (concluded("failure", "0.999"), "it is likelier", "claim-not-derived", "bound"),
        "surely": (everywhere("failure", "0"), "it is sure", "claim-not-derived", "bound"),
        "conclusion-surely": (put("conclusion.claim.failure", "0"), "it is sure", "claim-not-derived", ""),
        "norm": (times("@norms.claim.norms.1", "0.99999"), norms, "claim-not-derived", "norms"),
        "bias-norm": (times("@norms.claim.biases.2", "0.99999"), norms, "claim-not-derived", "norms"),
        "norm-negative": (put("@norms.claim.norms.0", "-40"), norms, "claim-not-derived", "norms"),
        "no-biases": (drop("@norms.claim.biases"), norms, "claim-differs", "norms"),
        "layer-dropped": (_without_a_layer, norms, "claim-differs", "norms"),
        "p-halved": (times("@norms.args.failure", "2"), norms, "claim-not-derived", "bound"),
        "width": (put("problem.training.width", "1001"), norms, "claim-not-derived", "norms"),
        "depth": (network(depth=3), "depth changes nothing", "claim-differs", "norms"),
        "no-bias": (network(bias="0"), "a bias changes nothing", "claim-differs", "norms"),
        "bias-doubled": (network(bias="1"), smaller, "claim-not-derived", "bound"),
        "weight-std": (network(weight_std="2"), smaller, "claim-not-derived", "bound"),
        "start": (training(init="signs"), "another start is as good", OUTSIDE, "norms"),
        "radius-negative": (put("@bound.args.radius", "-1"), smaller, "bad-argument", "bound"),
        "no-premise": (put("@bound.uses", []), smaller, "bad-premises", "bound"),
        "conclude-norms": (conclude("norms"), norms, "bad-conclusion", ""),
    }
    found = told("ball", GRADIENT, *((name, *lie) for name, lie in lies.items()))
    for base, fields in ((GRADIENT, ("gradient", "jacobian")), (HESSIAN, ("hessian", "lipschitz"))):
        edits = [(name, concluded(name, "0.99999"), smaller, "claim-not-derived", "bound") for name in fields]
        found += told("ball", base, *edits)
    kinked = ("hessian-relu", network(activation="relu"), "ReLU has a Hessian", "hypothesis", "bound")
    as_hessian = ("gradient-as-hessian", _gradient_as_hessian, smaller, "bad-claim", "bound")
    return found + told("ball", HESSIAN, kinked) + told("ball", GRADIENT, as_hessian)


def _without_a_layer(document: Json) -> None:
    claim = step(document, "norms")["claim"]
    del claim["norms"][1], claim["biases"][1]


def _gradient_as_hessian(document: Json) -> None:
    step(document, "bound")["rule"] = "hessian_bound"


# Spectra, a priori bounds, expansions, the sphere ------------------------------------------------------------------


def nth(name: str, index: int, factor: str) -> Edit:
    """Return an edit that multiplies one number of a list in the last claim and the conclusion."""
    return both(
        lambda document: times(f"@{document['conclusion']['step']}.claim.{name}.{index}", factor)(document),
        times(f"conclusion.claim.{name}.{index}", factor),
    )


def _spectra() -> list[Forgery]:
    sharp = "an eigenvalue is where it is not"
    spectrum = told(
        "spectrum",
        SPECTRUM,
        ("lower", nth("lower", 0, "1.0000001"), sharp, "claim-not-derived", "spectrum"),
        ("upper", nth("upper", 9, "0.9999999"), sharp, "claim-not-derived", "spectrum"),
        ("middle", nth("lower", 4, "1.01"), sharp, "claim-not-derived", "spectrum"),
        ("descending", nth("upper", 0, "100"), "eigenvalues in no order", "bad-claim", "spectrum"),
        (
            "short",
            drop("@spectrum.claim.upper.9"),
            "nine of ten eigenvalues",
            "bad-claim",
            "spectrum",
        ),
        (
            "vectors-zero",
            put("@spectrum.witness.vectors", stored(bytes(100), "int8", 10, 10)),
            sharp,
            "not-orthogonal",
            "spectrum",
        ),
        (
            "vectors-few",
            put("@spectrum.witness.vectors", stored(bytes(90), "int8", 9, 10)),
            sharp,
            "bad-witness",
            "spectrum",
        ),
        (
            "vectors-flat",
            put("@spectrum.witness.vectors", stored(bytes(100), "int8", 100)),
            sharp,
            "bad-witness",
            "spectrum",
        ),
        ("scale", add("@spectrum.args.scale", 1), sharp, "claim-not-derived", "spectrum"),
        ("scale-negative", put("@spectrum.args.scale", -1), sharp, "bad-argument", "spectrum"),
        ("as-lambda-min", _spectrum_as_lambda_min, sharp, "bad-conclusion", ""),
    )
    ratios = told(
        "condition-number",
        CONDITION,
        ("lower", concluded("lower", "1.0000001"), sharp, "claim-not-derived", "condition_number"),
        ("upper", concluded("upper", "0.9999999"), sharp, "claim-not-derived", "condition_number"),
        ("one-premise", put("@condition_number.uses", ["spectrum"]), sharp, "bad-premises", "condition_number"),
        ("singular", put("@lambda_min.claim.lower", "0"), "a ratio to 0", "not-positive", "condition_number"),
        ("as-rank", rule("condition_number", "effective_rank"), sharp, "bad-premises", "condition_number"),
    ) + told(
        "effective-rank",
        RANK,
        ("lower", concluded("lower", "1.0000001"), sharp, "claim-not-derived", "effective_rank"),
        ("upper", concluded("upper", "0.9999999"), sharp, "claim-not-derived", "effective_rank"),
    )
    return spectrum + ratios


def _spectrum_as_lambda_min(document: Json) -> None:
    claim = document["conclusion"]["claim"]
    conclude("spectrum", {"kind": "lambda_min", "lower": claim["lower"][0], "upper": claim["upper"][0]})(document)


def _a_priori() -> list[Forgery]:
    better = "a bound of the literature is better than it is"
    names = ("separation", "separation_log", "gershgorin", "khatri_rao")
    return told(
        "a-priori",
        A_PRIORI,
        *((name, times(f"@{name}.claim.value", "1.00001"), better, "claim-not-derived", name) for name in names),
        ("ratio", nth("ratio_upper", 0, "0.9"), "a bound is worse than it is", "claim-not-derived", "a_priori"),
        ("ratio-lower", nth("ratio_lower", 3, "1.1"), better, "claim-not-derived", "a_priori"),
        ("bounds", nth("bounds", 1, "2"), better, "claim-differs", "a_priori"),
        (
            "misattributed",
            everywhere("rules", ["khatri_rao"] * 4),
            "a theorem of others",
            "claim-differs",
            "a_priori",
        ),
        (
            "certified",
            put("@a_priori.uses.1", "lower"),
            "the certified bound was known a priori",
            "bad-premises",
            "a_priori",
        ),
        ("assumed", rule("separation", "assume"), "an assumption is a theorem", "bad-premises", "a_priori"),
        ("negative", put("@gershgorin.claim.value", "-1"), "a bound below 0", "bad-premises", "a_priori"),
        (
            "squarings",
            put("@gershgorin.args.squarings", 10**6),
            "a number that fills the time",
            "bad-argument",
            "gershgorin",
        ),
        ("power-odd", put("@power.args.power", 3), "odd powers of ReLU", "bad-argument", "power"),
        ("power-other", put("@power.args.power", 4), better, "claim-differs", "power"),
        ("power-radius", put("@power.claim.radius", 9), better, "claim-not-derived", "power"),
        ("erf", network(activation="erf"), "erf is piecewise linear", "claim-not-derived", "lower"),
    )


def _expansions() -> list[Forgery]:
    terms = "a few terms are the whole expansion"
    tanh = told(
        "hermite",
        TANH,
        ("terms-zero", put("@kernel.args.terms", 0), terms, "claim-not-derived", "kernel"),
        ("terms-few", put("@kernel.args.terms", 5), terms, "claim-not-derived", "kernel"),
        ("terms-huge", put("@kernel.args.terms", 10**9), "a number that fills the memory", "bad-argument", "kernel"),
        ("terms-negative", put("@kernel.args.terms", -1), terms, "bad-argument", "kernel"),
        ("terms-missing", drop("@kernel.args.terms"), terms, "missing-argument", "kernel"),
        ("radius", put("@kernel.claim.radius", 1), terms, "claim-not-derived", "kernel"),
        (
            "as-closed-form",
            both(put("@kernel.rule", "kernel_enclosure"), drop("@kernel.args.terms")),
            "tanh has a closed form",
            "wrong-activation",
            "kernel",
        ),
        ("softer", network(activation="expr(tanh(0.99*x))"), "another activation", "claim-not-derived", "lower"),
        ("not-c2", network(activation="expr(abs(x))"), "the modulus is smooth", "claim-not-derived", "upper"),
        ("not-canonical", network(activation="expr(tanh( x ))"), "two texts are one activation"),
        ("not-canonical-number", network(activation="expr(tanh(1.0*x))"), "two texts are one activation"),
        ("code", network(activation="expr(__import__('os').getpid()*x)"), "a certificate runs code"),
        ("attribute", network(activation="expr(x.real)"), "a certificate runs code"),
        ("nested", network(activation="expr(" + "tanh(" * 60 + "x" + ")" * 60 + ")"), "a tower of functions"),
        ("two-variables", network(activation="expr(x*y)"), "a function of two variables"),
        ("kink-elsewhere", network(activation="expr(relu(x - 1))"), "a kink that is not at 0"),
    )
    wrong_rule = both(put("@kernel.rule", "hermite_enclosure"), put("@kernel.args.terms", 50))
    other = ("for-erf", wrong_rule, "two rules for one activation", "wrong-activation", "kernel")
    return tanh + told("hermite", DISTANCE, other)


def _spheres() -> list[Forgery]:
    mercer, odd = "sphere-relu-d2", "sphere-relu-odd-d5"
    wrong = "a frequency is learned as fast as it is not"
    return told(
        "sphere",
        mercer,
        ("lower", nth("lower", 0, "1.001"), wrong, "claim-not-derived", "mercer"),
        ("upper", nth("upper", 2, "0.999"), wrong, "claim-not-derived", "mercer"),
        ("dimension", everywhere("dimension", 3), "another sphere", "claim-differs", "mercer"),
        ("of-other-dimension", put("problem.sphere.dimension", 3), "another sphere", "claim-differs", "mercer"),
        ("step-coarse", put("@mercer.args.inverse_step", 1), wrong, "claim-not-derived", "mercer"),
        ("nodes-few", put("@mercer.args.nodes", 1), wrong, "claim-not-derived", "mercer"),
        ("dataset-rule", rule("mercer", "gram_is_psd"), "a sphere is a dataset", "wrong-domain", "mercer"),
        ("training", put("problem.training", {"width": "10", "init": "signs"}), "training on a sphere"),
    ) + told(
        "sphere-odd",
        odd,
        ("first", everywhere("first", 1), "linear functions are not learned", "claim-not-derived", "vanishing"),
        (
            "parity",
            both(everywhere("parity", "even"), put("@vanishing.args.parity", "even")),
            wrong,
            "no-symmetry",
            "vanishing",
        ),
        ("bias", network(bias="0.5"), "a bias changes nothing", "no-symmetry", "vanishing"),
        ("depth", network(depth=2, train="all"), "depth changes nothing", "no-symmetry", "vanishing"),
        ("on-data", rule("vanishing", "mercer"), wrong, "missing-argument", "vanishing"),
    )


# Given weights --------------------------------------------------------------------------------------------------


FIRST, LAST = "problem.weights.layers.0", "problem.weights.layers.1"
RESIDUAL, DEVIATION = (("claim-not-derived", name) for name in ("residual", "deviation"))
LAYERS = {"kind": "layer_norms", "norms": ["9", "9"], "biases": []}
NARROW = {"kind": "tube_deviation", "tau": "0.1", "deviation": "0"}


def floats(path: str, change: Callable[[list[float]], None]) -> Edit:
    """Return an edit of the numbers of an inline float32 or float16 array; the hash fits."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        array = owner[last]
        code, size = {"float32": ("f", 4), "float16": ("e", 2)}[array["dtype"]]
        data = content(array)
        flat = list(struct.unpack(f"<{len(data) // size}{code}", data))
        change(flat)
        owner[last] = stored(struct.pack(f"<{len(flat)}{code}", *flat), array["dtype"], *array["shape"])

    return edit


def ulps(path: str, index: int, units: int) -> Edit:
    """Return an edit that moves one number of an inline float array by units of its last place; the hash fits."""

    def edit(document: Json) -> None:
        owner, last = _owner(document, path)
        array = owner[last]
        size = {"float32": 4, "float16": 2}[array["dtype"]]
        data = bytearray(content(array))
        part = slice(size * index, size * (index + 1))
        data[part] = (int.from_bytes(data[part], "little") + units).to_bytes(size, "little")
        owner[last] = stored(bytes(data), array["dtype"], *array["shape"])

    return edit


def _given() -> list[Forgery]:
    """Lies about given weights."""
    return [*_given_weights(), *_given_smooth(), *_given_deep(), *_given_kinks(), *_given_quantities()]


def _given_weights() -> list[Forgery]:
    other = "the proof holds for other weights than those it is about"
    nothing = "weights that are none"
    random = {"width": "16", "init": "antisymmetric"}
    return told(
        "given",
        GIVEN,
        ("ulp", ulps(FIRST, 0, 1), other, "claim-not-derived", "residual"),
        ("wrong-hash", put(f"{FIRST}.sha256", "0" * 64), other),
        ("ulp-old-hash", _nudged_with_old_hash, other),
        ("as-float16", floats(FIRST, _rounded_to_halves), other, "claim-not-derived", "residual"),
        ("negated", floats(FIRST, lambda flat: flat.__setitem__(0, -flat[0])), other, "claim-not-derived", "residual"),
        ("zero", floats(LAST, lambda flat: flat.__setitem__(slice(None), [0.0] * len(flat))), other, *RESIDUAL),
        ("nan", floats(FIRST, lambda flat: flat.__setitem__(3, math.nan)), nothing),
        ("infinite", floats(FIRST, lambda flat: flat.__setitem__(3, math.inf)), nothing),
        ("transposed", put(f"{FIRST}.shape", [2, 16]), nothing),
        ("other-type", put(f"{FIRST}.dtype", "float16"), nothing),
        ("layer-dropped", drop(LAST), nothing),
        (
            "bias-added",
            put("problem.weights.biases", [stored(struct.pack("<16e", *[0.0] * 16), "float16", 16)]),
            nothing,
        ),
        ("and-random", put("problem.training", random), "weights that are both given and random"),
        ("none", drop("problem.weights"), "a residual without weights", "outside-theorem", "residual"),
        ("mirrored", put("problem.weights.mirrored", True), "twice the neurons", *RESIDUAL),
        ("mirrored-0", put("problem.weights.mirrored", 0), nothing),
        ("activation", network(activation="sin"), "another activation", *RESIDUAL),
        ("scale", network(input_scale="fan-in"), "another scale", *RESIDUAL),
        ("weight-std", network(weight_std="1.00001"), "another scale", "claim-not-derived", "sigma"),
        ("train-both", network(train="both"), "the output weights are trained, too", "claim-not-derived", "sigma"),
        ("train-output", network(train="output"), "the hidden weights are not trained"),
        ("data", numbers(assign(0, 1.2)), "other data", *RESIDUAL),
        ("nngp", network(kernel="nngp"), "the kernel of the outputs is that of the gradients"),
    )


def _given_smooth() -> list[Forgery]:
    closer, farther = "the weights fit the data better than they do", "the training moves less than it does"
    smoother, stiffer = "the Jacobian changes less than it does", "the Jacobian is better conditioned than it is"
    kantorovich = told(
        "given",
        GIVEN,
        ("residual", times("@residual.claim.value", "0.99999"), closer, *RESIDUAL),
        ("residual-zero", put("@residual.claim.value", "0"), closer, *RESIDUAL),
        ("residual-negative", put("@residual.claim.value", "-1"), closer, *RESIDUAL),
        ("lambda-min", times("@sigma.claim.value", "1.00001"), stiffer, "claim-not-derived", "sigma"),
        ("lambda-min-factor", integers("@sigma.witness.factor", [0] * 6), stiffer, "claim-not-derived", "sigma"),
        ("lambda-max", put("@sigma.args.eigenvalue", "max"), stiffer, "claim-differs", "sigma"),
        ("kernel-radius", put("@kernel.claim.radius", 0), stiffer, "claim-not-derived", "kernel"),
        ("kernel-precision", put("@kernel.args.precision", 29), stiffer, "bad-argument", "kernel"),
        ("kernel-precision-claim", put("@kernel.claim.precision", 61), stiffer, "claim-differs", "kernel"),
        (
            "kernel-limit",
            rule("kernel", "kernel_enclosure", precision=60, working_precision=100),
            stiffer,
            "claim-differs",
            "kernel",
        ),
        ("lipschitz", times("@deviation.claim.slope", "0.99999"), smoother, *DEVIATION),
        ("lipschitz-zero", put("@deviation.claim.slope", "0"), smoother, *DEVIATION),
        ("norm", times("@deviation.claim.norm", "0.99999"), smoother, *DEVIATION),
        ("ball", put("@deviation.claim.radius", "1"), smoother, *DEVIATION),
        ("ball-zero", put("@deviation.args.radius", "0"), smoother, "bad-argument", "deviation"),
        ("ball-paths", put("@deviation.args.paths", "none"), smoother, "bad-argument", "deviation"),
        ("ball-small", _smaller_ball, smoother, "bad-argument", "convergence"),
        ("radius-small", times("@convergence.args.radius", "0.9"), farther, "hypothesis", "convergence"),
        ("radius-large", put("@convergence.args.radius", "1"), farther, "bad-argument", "convergence"),
        ("radius-negative", put("@convergence.args.radius", "-1"), farther, "bad-argument", "convergence"),
        ("rate", concluded("rate", "1.00001"), FASTER, "claim-not-derived", "convergence"),
        ("radius", concluded("radius", "0.99999"), farther, "claim-not-derived", "convergence"),
        ("kernel-deviation", concluded("kernel_deviation", "0.99999"), smoother, "claim-not-derived", "convergence"),
        ("width", everywhere("width", "17"), "another network", "claim-differs", "convergence"),
        ("dynamics", everywhere("dynamics", "descent"), "descent is flow", "claim-differs", "convergence"),
        ("step-added", put("problem.weights.step_size", "0.01"), "flow is descent", "hypothesis", "convergence"),
        ("step-huge", _huge_step, "descent with giant steps converges", "hypothesis", "convergence"),
        ("step-zero", put("problem.weights.step_size", "0"), "descent that stands still"),
        ("step-negative", put("problem.weights.step_size", "-0.01"), "descent uphill"),
        ("lemma-dropped", _without("residual"), closer, "unknown-premise", "convergence"),
        (
            "premises",
            put("@convergence.uses", ["residual", "sigma", "deviation"]),
            closer,
            "bad-premises",
            "convergence",
        ),
        ("no-premises", put("@convergence.uses", []), "convergence from nothing", "bad-premises", "convergence"),
        (
            "as-random",
            both(rule("convergence", "kantorovich", radius="0.001"), put("@convergence.uses", ["sigma", "residual"])),
            "a theorem about random weights",
            "bad-premises",
            "convergence",
        ),
        (
            "random-residual",
            both(
                borrow(GIVEN_RELU, "residual", "inputs", "norm"),
                rule("residual", "initial_residual", failure="0.01", signs_failure="0"),
                put("@residual.uses", ["norm"]),
            ),
            "a bound for random weights holds for these",
            "outside-theorem",
            "residual",
        ),
        (
            "random-jacobian",
            add_step("residual", new_step("layers", "gaussian_norms", [], LAYERS, {"failure": "0.01"})),
            "a bound for random weights holds for these",
            "outside-theorem",
            "layers",
        ),
        (
            "flips-of-smooth",
            both(
                borrow(GIVEN_RELU, "deviation", "inputs", "norm"),
                rule("deviation", "given_flips", radius="0.001"),
                put("@deviation.uses", ["norm"]),
            ),
            "a smooth activation has a kink",
            "hypothesis",
            "deviation",
        ),
        (
            "tube-of-smooth",
            add_step("residual", new_step("tube", "given_tube", [], NARROW, {"tau": "0.1"})),
            "a smooth activation has a kink",
            "hypothesis",
            "tube",
        ),
    )
    unknown = new_step("residual", "given_residual", [], {"kind": "bound", "quantity": "residual", "value": "0"})
    unknown |= {"id": "given"}
    return kantorovich + told(
        "given",
        DISTANCE,
        ("at-random", add_step("lower", unknown), "random weights are given", "outside-theorem", "given"),
    )


def _given_deep() -> list[Forgery]:
    nearer, faster = "a solution is nearer than it is", "descent from given weights is faster than it is"
    smoother = "the Jacobian of a deep network changes less than it does"
    return told(
        "given-deep",
        GIVEN_DEEP,
        ("ulp", ulps(LAST, 0, 1), nearer, *RESIDUAL),
        ("ulp-bias", ulps("problem.weights.biases.0", 0, 1), nearer, "claim-not-derived", "point"),
        ("bias-scale", network(bias="0.50001"), "another bias", *RESIDUAL),
        ("no-biases", put("problem.weights.biases", []), "biases that are trained and not there"),
        ("depth", network(depth=3), "another depth"),
        ("kink", network(activation="relu"), "a deep network with kinks", "hypothesis", "residual"),
        ("distance", times("@point.claim.distance", "0.99999"), nearer, "claim-not-derived", "point"),
        ("distance-zero", put("@point.claim.distance", "0"), nearer, "claim-not-derived", "point"),
        ("point-residual", times("@point.claim.residual", "0.1"), nearer, "claim-not-derived", "point"),
        ("point-residual-zero", put("@point.claim.residual", "0"), nearer, "claim-not-derived", "point"),
        ("point-lambda-min", times("@point.claim.lambda_min", "1.00001"), nearer, "claim-not-derived", "point"),
        ("coefficients", integers("@point.witness.coefficients", [1, 2, 3]), nearer, "claim-not-derived", "point"),
        ("coefficients-zero", integers("@point.witness.coefficients", [0, 0, 0]), nearer, "claim-not-derived", "point"),
        ("coefficients-few", integers("@point.witness.coefficients", [1, 2]), nearer, "bad-witness", "point"),
        ("coefficients-huge", put("@point.args.coefficient_scale", 0), nearer, "no-enclosure", "point"),
        ("coefficients-shrunk", add("@point.args.coefficient_scale", 1), nearer, "claim-not-derived", "point"),
        ("factor", integers("@point.witness.factor", [0] * 6), nearer, "claim-not-derived", "point"),
        ("precision", put("@point.args.precision", 29), nearer, "bad-argument", "point"),
        ("lipschitz", times("@deviation.claim.slope", "0.99999"), smoother, *DEVIATION),
        ("norm", times("@deviation.claim.norm", "0.99999"), smoother, *DEVIATION),
        ("ball", _larger_ball, smoother, *DEVIATION),
        ("paths", put("@deviation.args.paths", "weights"), smoother, *DEVIATION),
        ("by-path", put("@deviation.claim.lipschitz", "path"), smoother, "hypothesis", "convergence"),
        ("share", times("@convergence.args.share", "1.01"), faster, "hypothesis", "convergence"),
        ("share-one", put("@convergence.args.share", "1"), faster, "bad-argument", "convergence"),
        ("share-zero", put("@convergence.args.share", "0"), faster, "bad-argument", "convergence"),
        ("rate", concluded("rate", "1.00001"), faster, "claim-not-derived", "convergence"),
        ("radius", concluded("radius", "0.99999"), nearer, "claim-not-derived", "convergence"),
        ("kernel-deviation", concluded("kernel_deviation", "0.99999"), smoother, "claim-not-derived", "convergence"),
        ("step-larger", put("problem.weights.step_size", "0.02"), faster, "claim-not-derived", "convergence"),
        ("step-huge", put("problem.weights.step_size", "2"), faster, "hypothesis", "convergence"),
        ("step-dropped", drop("problem.weights.step_size"), "flow is descent", "claim-differs", "convergence"),
        (
            "premises",
            put("@convergence.uses", ["sigma", "residual", "deviation"]),
            nearer,
            "bad-premises",
            "convergence",
        ),
    )


def _given_kinks() -> list[Forgery]:
    narrow, few = "fewer neurons are near a kink than there are", "fewer neurons can flip than can"
    shorter = "the linearised path is shorter than it is"
    smooth = both(
        rule("deviation", "given_deviation", radius="0.003402231188", paths="weights"), put("@deviation.uses", [])
    )
    tube = told(
        "given-tube",
        GIVEN_RELU,
        ("deviation", times("@tube.claim.deviation", "0.99999"), narrow, "claim-not-derived", "tube"),
        ("deviation-zero", put("@tube.claim.deviation", "0"), narrow, "claim-not-derived", "tube"),
        ("tau", _for_tube("tau", "2"), narrow, "claim-not-derived", "tube"),
        ("tau-claim", times("@tube.claim.tau", "1.1"), narrow, "claim-differs", "tube"),
        ("tau-narrow", _for_tube("tau", "0.5"), narrow, "hypothesis", "convergence"),
        ("tau-zero", put("@tube.args.tau", "0"), narrow, "bad-argument", "tube"),
        ("tau-negative", put("@tube.args.tau", "-1"), narrow, "bad-argument", "tube"),
        ("path", times("@path.claim.value", "0.99999"), shorter, "claim-not-derived", "path"),
        ("path-zero", put("@path.claim.value", "0"), shorter, "claim-not-derived", "path"),
        ("solution", integers("@path.witness.solution", [0, 0, 0]), shorter, "claim-not-derived", "path"),
        ("solution-short", integers("@path.witness.solution", [1]), shorter, "bad-witness", "path"),
        ("path-premises", put("@path.uses", ["inputs", "sigma"]), shorter, "bad-premises", "path"),
        ("norm", times("@norm.claim.value", "0.99"), "the inputs are smaller", "claim-not-derived", "norm"),
        ("not-mirrored", put("problem.weights.mirrored", False), "half of the neurons", *RESIDUAL),
        ("output-weight", ulps(LAST, 0, -1024), "a neuron of another weight", "claim-not-derived", "sigma"),
        ("modulus", network(activation="abs"), "another activation", "claim-not-derived", "sigma"),
        ("descent", _tube_descent, "tubes hold for descent", "outside-theorem", "convergence"),
        ("rate", concluded("rate", "1.00001"), FASTER, "claim-not-derived", "convergence"),
        ("radius", concluded("radius", "0.99999"), shorter, "claim-not-derived", "convergence"),
        ("kernel-deviation", concluded("kernel_deviation", "0.99999"), narrow, "claim-not-derived", "convergence"),
    )
    return tube + told(
        "given-flips",
        GIVEN_FLIPS,
        ("offset", times("@deviation.claim.offset", "0.99999"), few, *DEVIATION),
        ("offset-zero", put("@deviation.claim.offset", "0"), few, *DEVIATION),
        ("norm", times("@deviation.claim.norm", "0.99999"), few, *DEVIATION),
        ("as-lipschitz", put("@deviation.claim.lipschitz", "yes"), "a kink is smooth", "bad-claim", "deviation"),
        ("radius", _larger_ball, few, *DEVIATION),
        ("smooth-rule", smooth, "a kink is smooth", "hypothesis", "deviation"),
        ("rate", concluded("rate", "1.00001"), FASTER, "claim-not-derived", "convergence"),
        ("step-larger", put("problem.weights.step_size", "0.02"), FASTER, "hypothesis", "convergence"),
        ("step-dropped", drop("problem.weights.step_size"), "flow is descent", "claim-differs", "convergence"),
        ("nudged", ulps(FIRST, 0, 2**16), "other weights", *RESIDUAL),
    )


def _given_quantities() -> list[Forgery]:
    better = "a quantity of the weights is better than it is"
    lower, upper = ("lambda_min", "margin"), ("residual", "jacobian_norm")
    numbers = [(name, concluded(name, "1.00001" if name in lower else "0.99999")) for name in (*upper, *lower)]
    lists = [(f"{name}-{k}", nth(name, k, "0.99999")) for name, k in (("weight_norms", 1), ("largest", 0))]
    return told(
        "quantities",
        QUANTITIES,
        *((name.replace("_", "-"), edit, better, "claim-not-derived", "quantities") for name, edit in numbers + lists),
        ("ulp", _nearer_a_hyperplane, better, "claim-not-derived", "quantities"),
        ("few-layers", everywhere("weight_norms", ["1", "1"]), better, "claim-differs", "quantities"),
        ("premise", put("@quantities.uses", ["kernel"]), better, "bad-premises", "quantities"),
    )


def _nearer_a_hyperplane(document: Json) -> None:
    """Move the weight that decides the margin by one unit in the last place, towards a smaller margin."""
    weights, dataset = document["problem"]["weights"], document["problem"]["dataset"]
    hidden = struct.unpack("<16f", content(weights["layers"][0]))
    bias = struct.unpack("<8f", content(weights["biases"][0]))
    x = struct.unpack("<6d", content(dataset["inputs"]))
    pairs = [(i, r) for i in range(3) for r in range(8)]
    z = [hidden[2 * r] * x[2 * i] + hidden[2 * r + 1] * x[2 * i + 1] + bias[r] / 2 for i, r in pairs]
    least = min(z, key=abs)
    i, r = pairs[z.index(least)]
    ulps(FIRST, 2 * r, -1 if least * hidden[2 * r] * x[2 * i] > 0 else 1)(document)


def _nudged_with_old_hash(document: Json) -> None:
    before = document["problem"]["weights"]["layers"][0]["sha256"]
    ulps(FIRST, 0, 1)(document)
    document["problem"]["weights"]["layers"][0]["sha256"] = before


def _rounded_to_halves(flat: list[float]) -> None:
    flat[:] = [struct.unpack("<e", struct.pack("<e", x))[0] for x in flat]


def _ball_scaled(factor: str) -> Edit:
    return both(times("@deviation.args.radius", factor), times("@deviation.claim.radius", factor))


def _larger_ball(document: Json) -> None:
    """Claim in a larger ball what holds in a smaller one."""
    _ball_scaled("2")(document)


def _smaller_ball(document: Json) -> None:
    """Use in a larger ball what holds in a smaller one."""
    _ball_scaled("0.5")(document)


def _for_tube(name: str, factor: str) -> Edit:
    return both(times(f"@tube.args.{name}", factor), times(f"@tube.claim.{name}", factor))


def _huge_step(document: Json) -> None:
    document["problem"]["weights"]["step_size"] = "100"
    everywhere("dynamics", "descent")(document)


def _tube_descent(document: Json) -> None:
    document["problem"]["weights"]["step_size"] = "0.001"
    everywhere("dynamics", "descent")(document)


def _without(name: str) -> Edit:
    """Return an edit that leaves out a step."""

    def edit(document: Json) -> None:
        document["steps"] = [each for each in document["steps"] if each["id"] != name]

    return edit


def forgeries() -> list[Forgery]:
    """Return all forgeries; the empty derivation is the first."""
    return [
        *_structure(),
        *_numbers(),
        *_problem(),
        *_witnesses(),
        *_null_vectors(),
        *_claims(),
        *_format(),
        *_sidecars(),
        *_raw(),
        *_convergence(),
        *_expressions(),
        *_sharper(),
        *_spectrum_at_start(),
        *_start(),
        *_movement(),
        *_tubes(),
        *_master_theorem(),
        *_events(),
        *_induction(),
        *_losses(),
        *_spectra(),
        *_a_priori(),
        *_expansions(),
        *_spheres(),
        *_in_ball(),
        *_given(),
    ]


def written(forgery: Forgery) -> bytes:
    """Return the bytes of a forgery."""
    document = json.loads((FOLDER.parent / (forgery.base + SUFFIX)).read_text())
    result = forgery.edit(document)
    if result is None:
        result = dump(document)
    return result if isinstance(result, bytes) else result.encode()


def build() -> dict[str, bytes]:
    """Return every file of this folder that is generated, by name."""
    files: dict[str, bytes] = {}
    index = []
    for number, forgery in enumerate(forgeries(), 1):
        name = f"{number:03}-{forgery.name}{SUFFIX}"
        files[name] = written(forgery)
        files |= dict(forgery.sidecars)
        index.append(
            {
                "file": name,
                "base": forgery.base,
                "falsehood": forgery.falsehood,
                "verdict": "malformed" if forgery.code == "malformed" else "invalid",
                "code": forgery.code,
                "step": forgery.step,
            }
        )
    files["index.json"] = (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode()
    return files


def main() -> None:
    """Write the folder anew."""
    files = build()
    for old in [*FOLDER.glob("*.json"), *FOLDER.glob("*.bin")]:
        old.unlink()
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")


if __name__ == "__main__":
    main()

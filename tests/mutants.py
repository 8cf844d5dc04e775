"""Mutated certificates of every family, by the million: none may be accepted that says more than is true.

``python tests/mutants.py 1000000`` is the long mode: certificates in turn, each changed in one to three random places,
one block in twenty checked by ``reference``, in all cores; it prints what came of them by family and ends with an error
if one was accepted wrongly.  Judges that share no code with the checker say what is true; a conclusion that the
unchanged certificate implies, about the same problem, needs none.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import convergence_oracle
import deep
import flint
import given
import numpy as np
import oracle
from scipy.special import gegenbauer, roots_jacobi
from test_mutations import Change, Json, agree, changed, is_converging, leaf_changes, leaves, load, rows

from certificates.forgeries import places
from ntkproof.checker import check
from ntkproof.checker.activations.names import expression_of
from ntkproof.checker.check import parse

SMALL = 10  # rows, and bytes of the file / 1000 below
KILOBYTES = 12
BLOCK = 500  # mutants a task

UPPER = {"upper", "radius", "kernel_deviation", "failure", "residual", "jacobian_norm", "weight_norms", "largest"}
UPPER |= {"gradient", "jacobian", "hessian", "lipschitz", "gap", "ratio_upper", "first"}
LOWER = {"lower", "rate", "lambda_min", "margin", "ratio_lower"}


def families() -> dict[str, list[str]]:
    """The small certificates of each family."""
    found: dict[str, list[str]] = {}
    for name, path in sorted(places().items()):
        if rows(name) <= SMALL and path.stat().st_size <= KILOBYTES * 1000 and "file" not in path.read_text():
            found.setdefault(path.parent.name, []).append(name)
    return found


# Mutants --------------------------------------------------------------------------------------------------------


def mutant(document: Json, chance: random.Random) -> tuple[Json, list[Change]]:
    """The document with one to three changes of single fields."""
    made = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        path, value = chance.choice(list(leaves(document)))
        try:
            options = list(leaf_changes(document, path, value, chance))
        except (
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
        ):  # a change before this one has broken it
            continue
        made.append(chance.choice(options))
        document = changed(document, made[-1])
    return document, made


# What is true ---------------------------------------------------------------------------------------------------


def outcome(name: str, document: Json, engine: str) -> str:
    """``rejected``, ``holey``, ``implied`` or ``true``; anything else is a hole in the checker."""
    verdict = check(json.dumps(document), engine=engine)
    if verdict.verdict in ("invalid", "malformed"):
        return "rejected" if verdict.code and verdict.code != "checker-failed" else f"fault: {verdict}"
    claim = document["conclusion"]["claim"]
    if not agree(claim, verdict.conclusion):
        return "unsound: the verdict reports another claim"
    if verdict.verdict == "holey":
        return "holey" if any("assumed without proof" in text for text in verdict.assumptions) else "unsound: holey"
    if implied(load(name), document):
        return "implied"
    if holds(document):
        return "true"
    return "unjudged" if unjudged(document) else "unsound"


def unjudged(document: Json) -> bool:
    """Whether no judge knows such a conclusion: convergence, of other data, of an activation without closed form."""
    kind, problem = document["conclusion"]["claim"]["kind"], document["problem"]
    return kind == "convergence" and "weights" not in problem and not is_converging(document)


def implied(known: Json, document: Json) -> bool:
    """Whether the conclusion follows from the known one: of the same problem, with bounds that are no sharper."""
    problems = [json.loads(json.dumps(each["problem"])) for each in (known, document)]
    for problem in problems:
        problem.get("dataset", {}).pop("label", None)
        network = problem["network"]
        if (network["train"], Fraction(network["bias"])) == ("both", 0):  # the output bias is all that differs
            network["train"] = "all"
    strong, weak = (each["conclusion"]["claim"] for each in (known, document))
    return (
        problems[0] == problems[1]
        and strong.keys() == weak.keys()
        and all(_no_sharper(key, strong[key], weak[key]) for key in strong)
    )


def _no_sharper(key: str, strong: Any, weak: Any) -> bool:
    if isinstance(strong, list):
        return len(strong) == len(weak) and all(_no_sharper(key, a, b) for a, b in zip(strong, weak, strict=True))
    if key in UPPER:
        return Fraction(strong) <= Fraction(weak)
    return Fraction(strong) >= Fraction(weak) if key in LOWER else strong == weak


def holds(document: Json) -> bool:
    """Whether the conclusion is true, by a judge of its kind; False where there is none."""
    kind, problem = document["conclusion"]["claim"]["kind"], document["problem"]
    if kind in ("gradient_bound", "hessian_bound"):
        return deep.in_ball_holds(document)
    if "weights" in problem:
        return of_given_weights(document)
    if is_converging(document):
        return convergence_oracle.holds(document)
    if kind == "vanishing":
        return of_vanishing(document)
    if "dataset" not in problem or expression_of(problem["network"]["activation"]) is not None:
        return False
    return of_eigenvalues(document) if kind in EIGENVALUES else oracle.holds(document)


def of_given_weights(document: Json) -> bool:
    """By training the network, or by the quantities themselves, in floats."""
    certificate = parse(json.dumps(document))
    claim, problem = certificate.conclusion, certificate.problem
    if claim["kind"] == "convergence":
        return bool((given.obeys(problem, certificate, 60) <= 1 + 1e-7).all())
    net = given.Net(problem)
    values = np.linalg.svd(net.jacobian(net.start), compute_uv=False)
    norms = [np.linalg.norm(layer, 2) for layer in net.layers]
    margin, near = np.abs(net.forward(net.start)[2][0]).min(), 1 + 1e-12
    return (
        float(claim["residual"]) * near >= np.linalg.norm(net.residual(net.start))
        and float(claim["lambda_min"]) <= values[-1] ** 2 * near
        and float(claim["jacobian_norm"]) * near >= values[0]
        and all(float(a) * near >= b for a, b in zip(claim["weight_norms"], norms, strict=True))
        and float(claim["margin"]) <= margin * near
    )


def of_vanishing(document: Json) -> bool:
    """By projections of the kernel, at the nodes of a Gauss quadrature, on the Gegenbauer polynomials that vanish."""
    claim, problem = document["conclusion"]["claim"], document["problem"]
    d, first = problem["sphere"]["dimension"], claim["first"]
    nodes, weights = roots_jacobi(80, (d - 3) / 2, (d - 3) / 2)
    points = np.zeros((81, d))
    points[0, 0], points[1:, 0], points[1:, 1] = 1, nodes, np.sqrt(1 - nodes**2)
    data = {"dtype": "float64", "shape": [81, d], "base64": base64.b64encode(points.tobytes()).decode()}
    matrix = oracle.kernel({**problem, "dataset": {"inputs": data}})
    values = np.array([float(matrix[0, k].mid()) for k in range(1, 81)])
    parity = {"even": 0, "odd": 1}[claim["parity"]]
    vanishing = range(first + (first - parity) % 2, 40, 2)
    polynomials = [gegenbauer(k, d / 2 - 1)(nodes) if d > 2 else np.cos(k * np.arccos(nodes)) for k in vanishing]
    sizes = [abs(weights @ (values * p)) / (weights @ abs(p)) for p in polynomials]
    return claim["dimension"] == d and max(sizes) < 1e-10 * abs(values).max()


EIGENVALUES = ("spectrum", "condition_number", "effective_rank")


def of_eigenvalues(document: Json) -> bool:
    """By Arb's eigenvalues of the kernel."""
    claim = document["conclusion"]["claim"]
    with flint.ctx.workprec(oracle.BITS):
        values = flint.acb_mat(oracle.kernel(document["problem"])).eig(multiple=True)
        found = sorted((value.real for value in values), key=lambda value: float(value.mid()))
        if claim["kind"] == "condition_number":
            found = [found[-1] / found[0]]
        elif claim["kind"] == "effective_rank":
            found = [sum(found[1:], found[0]) / found[-1]]
        ends = (claim[side] if isinstance(claim[side], list) else [claim[side]] for side in ("lower", "upper"))
        bounds = list(zip(*ends, strict=True))
        return len(bounds) == len(found) and all(
            oracle.ball(Fraction(a)) <= value <= oracle.ball(Fraction(b))
            for (a, b), value in zip(bounds, found, strict=True)
        )


# In large numbers -----------------------------------------------------------------------------------------------


@cache
def _document(name: str) -> Json:
    return load(name)


@dataclass
class Tally:
    """What came of mutants, those that should not be accepted, and the one that took longest."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def __iadd__(self, other: Tally) -> Tally:
        self.counts += other.counts
        self.wrong += other.wrong
        self.slowest = max(self.slowest, other.slowest)
        return self


def block(name: str, engine: str, seed: int, count: int) -> Tally:
    """Judge so many mutants of a certificate."""
    chance, tally = random.Random(f"{name} {engine} {seed}"), Tally()
    for _ in range(count):
        document, made = mutant(_document(name), chance)
        start = time.perf_counter()
        found = outcome(name, document, engine)
        about = f"{name} ({engine}): {found}: {made}"[:1000]
        tally.slowest = max(tally.slowest, (time.perf_counter() - start, about))
        tally.counts[found.partition(":")[0]] += 1
        if found.startswith(("unsound", "fault")):
            tally.wrong.append(about)
    return tally


def main(total: int) -> int:
    """Try so many mutants of all families; print a table; return how many were accepted wrongly."""
    certificates = [(family, name) for family, names in families().items() for name in names]
    seeds = range(-(-total // BLOCK // len(certificates)))
    work = [
        (*each, "reference" if seed % 20 == 1 else "fast", seed)
        for seed in seeds
        for each in certificates
        if seed % 10 == 1 or not ("tanh" in each[1] or each[0] == "sphere")  # those take long
    ]
    tallies = {family: Tally() for family in families()}
    start = time.monotonic()
    with ProcessPoolExecutor() as pool:
        waiting = {pool.submit(block, name, engine, seed, BLOCK): family for family, name, engine, seed in work}
        for done, future in enumerate(as_completed(waiting), 1):
            tallies[waiting[future]] += future.result()
            for line in future.result().wrong:
                print(f"\n{line}")
            print(f"\r{done * BLOCK:,} of {len(work) * BLOCK:,}, {time.monotonic() - start:.0f} s", end="", flush=True)
    head = (
        "family",
        "certificates",
        "mutants",
        "rejected",
        "implied",
        "true",
        "unjudged",
        "holey",
        "wrong",
        "longest, s",
    )
    print(f"\n| {' | '.join(head)} |\n|---{'|---:' * (len(head) - 1)}|")
    for family, tally in tallies.items():
        some = tally.counts
        columns = (
            len(families()[family]),
            some.total(),
            *(some[word] for word in ("rejected", "implied", "true", "unjudged", "holey")),
            len(tally.wrong),
        )
        print(f"| {family} | {' | '.join(f'{x:,}' for x in columns)} | {tally.slowest[0]:.1f} |")
    print("longest:", max(tally.slowest for tally in tallies.values()))
    return sum(len(tally.wrong) for tally in tallies.values())


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1])) else 0)

"""Trusted code and the state that its libraries keep for the whole process or thread.

FLINT has one precision, mpmath two contexts, NumPy an error state.  Whatever other code does to them meanwhile, a false
proof is never accepted; and checks that run beside each other say what they say alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import flint
import mpmath
import numpy as np
import pytest

from ntkproof.checker import check
from ntkproof.checker.activations.hermite import Series, Side, Smooth, _sum
from ntkproof.checker.arithmetic.arb import ArbNumbers
from ntkproof.checker.arithmetic.interval import Intervals
from ntkproof.checker.check import read

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "certificates"
FALSE = Path(__file__).parents[1] / "data" / "false-lambda-min.cert.json"  # claims λ_min ≥ 0.318; it is 0.0278
ENGINES = ("fast", "reference")


@pytest.fixture
def short_switches() -> Iterator[None]:
    """Threads take turns every few microseconds instead of every 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    yield
    sys.setswitchinterval(before)


@contextmanager
def meanwhile(work: Any) -> Iterator[None]:
    """Repeat ``work`` in another thread."""
    stop = Event()

    def run() -> None:
        while not stop.is_set():
            work()

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_precision_set_between_two_features_does_not_reach_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    # what another thread may do to the precision of the process; with these four the false file was once accepted
    prepare, precisions = Smooth.prepare, iter((52, 64, 64, 100))

    def disturbed(self: Smooth, numbers: Any, q: Any) -> Any:
        flint.ctx.prec = next(precisions)
        return prepare(self, numbers, q)

    monkeypatch.setattr(Smooth, "prepare", disturbed)
    verdict = check(FALSE)
    assert (verdict.verdict, verdict.code) == ("invalid", "claim-not-derived")


def test_numbers_of_different_units_do_not_meet() -> None:
    one, other = (Side(Series([1 << unit], 0, 1 << unit, 1, unit), 0) for unit in (40, 48))
    with pytest.raises(ValueError, match="different units"):
        _sum(one, other, 0, 0)


def test_intervals_of_different_contexts_do_not_meet() -> None:
    coarse, fine = Intervals(20), Intervals(200)
    for operation in ("__add__", "__sub__", "__mul__", "__truediv__", "__radd__", "__rsub__", "__rtruediv__"):
        with pytest.raises(TypeError, match="another precision"):
            getattr(coarse.rational(1), operation)(fine.rational(3))


def test_the_precision_of_balls_is_their_own() -> None:
    with ArbNumbers(64).at(80) as numbers:
        flint.ctx.prec = 30
        assert numbers.precision == 80
        assert numbers.rational(0) + 1 == 1
    assert flint.ctx.prec == 53


@pytest.mark.parametrize("engine", ENGINES)
def test_a_false_proof_beside_threads_that_compute_and_set_everything(engine: str, short_switches: None) -> None:
    chance = random.Random(1)

    def other_check() -> None:
        check(SHIPPED / "lambda_min" / "wine50-tanh-hidden-depth1.cert.json")

    def settings() -> None:
        flint.ctx.prec = chance.randint(2, 400)
        mpmath.mp.prec, mpmath.iv.prec = chance.randint(2, 400), chance.randint(2, 400)
        np.seterr(all=chance.choice(["raise", "ignore"]))

    try:
        with meanwhile(other_check), meanwhile(settings):
            verdicts = [check(FALSE, engine=engine) for _ in range(1 if engine == "reference" else 8)]
    finally:
        flint.ctx.prec, mpmath.mp.prec, mpmath.iv.prec = 53, 53, 53
    assert not any(verdict.valid for verdict in verdicts)


def covering() -> list[Path]:
    """Return small shipped certificates that use every rule that any shipped certificate of at most 60 kB uses."""
    rules = {}
    for path in sorted(SHIPPED.rglob("*.cert.json")):
        if path.stat().st_size <= 60_000:
            certificate = read(path)
            cost = certificate.problem.domain.d if hasattr(certificate.problem.domain, "n") else 0
            rules[path] = (cost, path.stat().st_size, {step.rule for step in certificate.steps})
    missing = set().union(*(used for *_, used in rules.values()))
    chosen: list[Path] = []
    while missing:
        path = min(
            (p for p in rules if rules[p][2] & missing), key=lambda p: (-len(rules[p][2] & missing), rules[p][:2])
        )
        missing -= rules[path][2]
        chosen.append(path)
    return chosen


@pytest.mark.parametrize("engine", ENGINES)
def test_checks_beside_each_other_say_what_they_say_alone(engine: str, short_switches: None) -> None:
    files = [*covering(), FALSE]
    alone = [check(path, engine=engine) for path in files]
    assert [verdict.exit_code in (0, 3) for verdict in alone] == [True] * (len(files) - 1) + [False]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda path: check(path, engine=engine), files))
    assert beside == alone

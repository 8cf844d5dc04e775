"""The theorems for given weights: values, refusals, and training that must obey them.

Two searches: maps with quadratic outputs, whose constants are known exactly and where the theorems are nearly tight,
and networks of every kind with certificates.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from given import KINKED, SMOOTH, certified, instance, number, obeys, tightness
from two_layer import ENGINES, MP, derive, mp, problem, quantity, rejection

from ntkproof import InputError
from ntkproof.checker.convergence.claims import Convergence
from ntkproof.checker.given_weights.claims import LocalDeviation, NearbyPoint
from ntkproof.checker.limit.claims import EigenvalueBound
from ntkproof.checker.logic.claim import to_fields
from ntkproof.checker.random_start.claims import Bound

engines = pytest.mark.parametrize("engine", ENGINES)


def sigma(value: str, matrix: str = "initial_kernel", eigenvalue: str = "min", side: str = "lower") -> EigenvalueBound:
    return EigenvalueBound(matrix, eigenvalue, side, Fraction(value))


def ball(radius: str, offset: str, slope: str, norm: str, lipschitz: str = "yes") -> LocalDeviation:
    return LocalDeviation(Fraction(radius), Fraction(offset), Fraction(slope), lipschitz, Fraction(norm))


def point(distance: str, residual: str, lambda_min: str) -> NearbyPoint:
    return NearbyPoint(Fraction(distance), Fraction(residual), Fraction(lambda_min))


FLOW = instance(0)
DESCENT = instance(0, step_size="0.0625")
SIGMA, RHO = sigma("4"), quantity("residual", "0.49")
BALL, PATH, LINE = ball("2", "0", "0.5", "4"), ball("1", "0.125", "0.25", "4", "path"), ball("1", "1", "0.5", "4", "no")
POINT, AROUND = point("0.5", "0.01", "4"), ball("2", "0", "0.5", "3")


def kantorovich(*claims: Any, radius: str = "1", about: Any = FLOW) -> Any:
    return about, "instance_kantorovich", claims + (SIGMA, RHO, BALL)[len(claims) :], {"radius": radius}


def distance(*claims: Any, share: str = "0.75", about: Any = FLOW) -> Any:
    return about, "instance_distance", claims + (POINT, RHO, AROUND)[len(claims) :], {"share": share}


def near(value: Fraction, truth: Any, up: bool) -> bool:
    """Whether a number is the truth to 30 digits, on its safe side."""
    gap = (mp(value) - truth) * (1 if up else -1)
    return bool(-(MP.mpf(10) ** -50) <= gap <= MP.mpf(10) ** -30)


# Values ---------------------------------------------------------------------------------------------------------


@engines
def test_kantorovich_computes_what_the_page_says(engine: str) -> None:
    flow = derive(*kantorovich(SIGMA, RHO, LINE), engine=engine).claim  # ε = 3/2, σ_* = 1/2, Φ = 3/4
    assert flow == Convergence("flow", Fraction(40), Fraction(1, 2), Fraction(0), Fraction(1), Fraction(12))
    x = (1 - (16 + Fraction("0.245")) / 32) / 16 * Fraction(9, 4)  # κ = 1 − η(β² + Λρ)/2, σ_* = 3/2
    expected = Convergence("descent", Fraction(40), 16 * (2 * x - x * x), Fraction(0), Fraction(1), Fraction(4))
    found = derive(*kantorovich(about=DESCENT), engine=engine).claim
    assert near(found.rate, mp(expected.rate), up=False)
    assert to_fields(found) | {"rate": ""} == to_fields(expected) | {"rate": ""}
    y = Fraction(13, 8) / 16 * (Fraction(13, 16) - Fraction(3, 8))  # along a path: κ = 1/2, ε = 3/8, σ_* = 13/8
    found = derive(*kantorovich(SIGMA, RHO, PATH, about=DESCENT), engine=engine).claim
    assert near(found.rate, mp(16 * (2 * y - y * y)), up=False)
    assert found.kernel_deviation == 3


def wandering(d: str, rho: str, slope: str, s: Any) -> Any:
    d, rho, slope = (MP.mpf(x) for x in (d, rho, slope))
    energy = d * d + 2 * rho / slope
    w = slope**2 * energy / (2 * s * s)
    return MP.sqrt(MP.expm1(w) / w * energy - 2 * rho / slope)


@engines
def test_distance_computes_what_the_page_says(engine: str) -> None:
    found = derive(*distance(), engine=engine).claim
    reach = wandering("0.5", "0.01", "0.5", MP.mpf("1.5"))
    assert found.rate == Fraction(9, 2)
    assert near(found.radius, reach + MP.mpf("0.5"), up=True)
    assert near(found.kernel_deviation, 3 * (reach + MP.mpf("0.5")), up=True)
    found = derive(*distance(about=DESCENT), engine=engine).claim
    eta, kappa = MP.mpf(1) / 16, 1 - (9 + MP.mpf("0.245")) / 32
    strength = MP.sqrt(kappa * (1 - 9 * eta / 2) * MP.exp(-MP.mpf("0.245") * eta))
    reach, x = wandering("0.5", "0.01", "0.5", MP.mpf("1.5") * strength), kappa * eta * MP.mpf("2.25")
    assert near(found.radius, reach + MP.mpf("0.5"), up=True)
    assert near(found.rate, (2 * x - x * x) / eta, up=False)
    assert (found.dynamics, found.failure, found.width) == ("descent", 0, 40)


# Refusals -------------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[str, Any]] = {
    "Φ(R) = ρ_0": ("hypothesis", kantorovich(SIGMA, quantity("residual", "1.75"))),
    "κΦ(R) below ρ_0": ("hypothesis", kantorovich(SIGMA, quantity("residual", "0.9"), about=DESCENT)),
    "κΦ(R) − Rε(R) below ρ_0": (
        "hypothesis",
        kantorovich(SIGMA, quantity("residual", "0.51"), PATH, about=DESCENT),
    ),
    "κσ_* below ε": (
        "hypothesis",
        kantorovich(SIGMA, quantity("residual", "0"), ball("1", "0.7", "0", "4", "path"), about=DESCENT),
    ),
    "σ_* = 0": ("hypothesis", kantorovich(SIGMA, quantity("residual", "0"), ball("4", "0", "0.5", "4"), radius="4")),
    "σ_* and Φ negative": ("hypothesis", kantorovich(SIGMA, RHO, ball("9", "3", "0", "4", "no"), radius="1")),
    "λ_min = 0": ("hypothesis", kantorovich(sigma("0"))),
    "λ_min < 0": ("hypothesis", kantorovich(sigma("-4"))),
    "κ = 0": ("hypothesis", kantorovich(SIGMA, quantity("residual", "0"), ball("2", "0", "0", "5.657"), about=DESCENT)),
    "κ < 0 twice": (
        "hypothesis",
        kantorovich(SIGMA, RHO, ball("1", "1.9", "0", "8", "path"), about=DESCENT),
    ),
    "descent without Lipschitz": ("hypothesis", kantorovich(SIGMA, RHO, LINE, about=DESCENT)),
    "R = 0": ("bad-argument", kantorovich(radius="0")),
    "R < 0": ("bad-argument", kantorovich(radius="-1")),
    "R < 0, very": ("bad-argument", kantorovich(SIGMA, RHO, ball("2", "3", "0", "4", "no"), radius="-1000")),
    "R outside": ("bad-argument", kantorovich(radius="2.0000000001")),
    "R̄ < 0": ("bad-argument", kantorovich(SIGMA, RHO, ball("-2", "0", "0.5", "4"))),
    "R no number": ("bad-argument", kantorovich(radius="nan")),
    "limit kernel": ("bad-premises", kantorovich(sigma("4", "kernel"))),
    "upper side": ("bad-premises", kantorovich(sigma("4", side="upper"))),
    "largest eigenvalue": ("bad-premises", kantorovich(sigma("4", eigenvalue="max"))),
    "random start": ("bad-premises", kantorovich(quantity("initial_lambda_min", "4"))),
    "no residual": ("bad-premises", kantorovich(SIGMA, quantity("linearised_path", "0.49"))),
    "point as ball": ("bad-premises", kantorovich(SIGMA, RHO, POINT)),
    "nothing given": ("outside-theorem", kantorovich(about=problem())),
    "distance, nothing given": ("outside-theorem", distance(about=problem())),
    "share 0": ("bad-argument", distance(share="0")),
    "share 1": ("bad-argument", distance(share="1")),
    "share -1": ("bad-argument", distance(share="-1")),
    "share too large": ("hypothesis", distance(share="0.9")),
    "share too small": ("hypothesis", distance(share="0.05")),
    "far point": ("hypothesis", distance(point("1.99", "0.01", "4"))),
    "point that does not fit": ("hypothesis", distance(point("0.5", "2", "4"))),
    "singular point": ("hypothesis", distance(point("0.5", "0.01", "0"))),
    "negative eigenvalue": ("hypothesis", distance(point("0.5", "0.01", "-4"))),
    "no Lipschitz constant": ("hypothesis", distance(POINT, RHO, ball("2", "0", "0.5", "3", "path"))),
    "Λ = 0": ("hypothesis", distance(POINT, RHO, ball("2", "0", "0", "3"))),
    "Λ < 0": ("hypothesis", distance(POINT, RHO, ball("2", "0", "-0.5", "3"))),
    "ball too small": ("hypothesis", distance(POINT, RHO, ball("1", "0", "0.5", "3"))),
    "ball too small for a step": ("hypothesis", distance(POINT, RHO, ball("1.05", "0", "0.5", "3"), about=DESCENT)),
    "steps too long": ("hypothesis", distance(POINT, RHO, ball("2", "0", "0.5", "5.7"), about=DESCENT)),
    "at the point": ("no-enclosure", distance(point("0", "0", "4"))),
    "negative distance": ("hypothesis", distance(point("-1.99", "0.01", "4"))),
    "negative residual": ("no-enclosure", distance(point("0.5", "-1", "4"))),
    "residual of what": ("bad-premises", distance(POINT, quantity("output_weights", "0.49"))),
    "ball as point": ("bad-premises", distance(BALL)),
}


@engines
@pytest.mark.parametrize(("code", "case"), BAD.values(), ids=BAD)
def test_bad_steps_are_refused(engine: str, code: str, case: tuple[Any, ...]) -> None:
    assert rejection(*case, engine=engine) == code


def test_a_smaller_ball_is_enough_where_a_larger_one_was_refused() -> None:
    derive(*distance(POINT, RHO, ball("1.05", "0", "0.5", "3")))
    derive(*kantorovich(SIGMA, RHO, ball("1", "0", "0.5", "4"), radius="1"))


@pytest.mark.parametrize("case", [kantorovich(), kantorovich(about=DESCENT), distance(), distance(about=DESCENT)])
def test_weaker_premises_prove_less(case: tuple[Any, ...]) -> None:
    """Every premise weakened in every field: what is derived is never stronger."""
    about, rule, claims, args = case
    best = derive(*case).claim
    for k, claim in enumerate(claims):
        for name, better in (
            ("value", isinstance(claim, EigenvalueBound)),
            *((n, False) for n in ("norm", "residual")),
        ):
            worse = {name: getattr(claim, name, None)}
            if worse[name] is None:
                continue
            worse[name] *= Fraction(99, 100) if better else Fraction(101, 100)
            weaker = type(claim)(**{**vars(claim), **worse})
            found = derive(about, rule, (*claims[:k], weaker, *claims[k + 1 :]), args).claim
            best.supports(found)


# Quadratic maps -------------------------------------------------------------------------------------------------


class Quadratic:
    """``u(θ) = u_0 + J_0θ + ½Q(θ, θ)``, the start at 0 and the targets at 0; Λ is the norm of Q."""

    def __init__(self, rng: np.random.Generator, outputs: int, parameters: int, bend: float) -> None:
        self.j = rng.standard_normal((outputs, parameters)) + 2 * np.eye(outputs, parameters)
        q = rng.standard_normal((outputs, parameters, parameters))
        self.q = (q + np.swapaxes(q, 1, 2)) * bend / np.linalg.norm(q)
        self.r = rng.standard_normal(outputs)
        angles = np.linspace(0, np.pi, 721 if parameters == 2 else 1, endpoint=False)
        ways = np.stack([np.cos(angles), np.sin(angles)], -1) if parameters == 2 else np.ones((1, 1))
        steepest = np.linalg.norm(np.einsum("apq,kq->kap", self.q, ways), 2, (1, 2)).max()
        self.lipschitz = float(steepest) / np.cos(np.pi / 1442) * (1 + 1e-12)  # between two angles

    def residual(self, theta: Any) -> Any:
        return self.r + self.j @ theta + (self.q @ theta) @ theta / 2

    def jacobian(self, theta: Any) -> Any:
        return self.j + self.q @ theta

    def solution(self) -> Any:
        theta = np.zeros(self.j.shape[1])
        for _ in range(30):
            theta = theta - np.linalg.pinv(self.jacobian(theta)) @ self.residual(theta)
        return theta

    def ball(self, radius: float) -> LocalDeviation:
        norm = np.linalg.norm(self.j, 2) + self.lipschitz * radius
        return LocalDeviation(number(radius), Fraction(0), number(self.lipschitz), "yes", number(norm * (1 + 1e-12)))


def least(j: Any) -> float:
    return float(np.linalg.svd(j, compute_uv=False)[-1])


def square(value: float) -> EigenvalueBound:
    return EigenvalueBound("initial_kernel", "min", "lower", number(value) ** 2)


def by_residual(u: Quadratic, eta: str | None, tight: float) -> tuple[Any, Any] | None:
    """Scale the residual to this part of what Kantorovich's form allows; return the claim and the map."""
    s, slope = least(u.j), u.lipschitz
    radius, norm = s / slope * (1 - (1 - tight) ** 0.5), np.linalg.norm(u.j, 2)
    spent, share = s * radius - slope * radius**2 / 2, 1.0
    if eta:
        share = 1 - float(eta) / 2 * ((norm + slope * radius) ** 2 + slope * spent)
        if share <= 0:
            return None
    u.r *= spent * share / np.linalg.norm(u.r) * (1 - 1e-9)
    uses = (square(s * (1 - 1e-12)), Bound("residual", number(np.linalg.norm(u.r))), u.ball(radius * (1 + 1e-9)))
    about = instance(0, step_size=eta)
    args = {"radius": f"{radius * (1 + 1e-10):.17g}"}
    return derive(about, "instance_kantorovich", uses, args).claim, u


def by_distance(u: Quadratic, eta: str | None, tight: float) -> tuple[Any, Any] | None:
    """Scale the residual so that ``Λ‖p‖/σ_min(J_p)`` is about this part of 0.4956; search the largest share."""
    goal = 0.4956 * tight
    for _ in range(40):
        p = u.solution()
        have = u.lipschitz * np.linalg.norm(p) / max(least(u.jacobian(p)), 1e-9)
        u.r *= min(max(goal / have, 0.5), 1.5) if have > 0 else 1.0
    p = u.solution()
    misfit, away, rho = np.linalg.norm(u.residual(p)), np.linalg.norm(p), np.linalg.norm(u.r)
    fits = NearbyPoint(
        number(away * (1 + 1e-12)), number(misfit + 1e-12), number(least(u.jacobian(p)) * (1 - 1e-12)) ** 2
    )
    wide = away * 2.6
    if eta:
        wide += float(eta) * rho * (np.linalg.norm(u.j, 2) + 4 * u.lipschitz * away)
    about, uses = instance(0, step_size=eta), (fits, Bound("residual", number(rho)), u.ball(wide))
    for share in np.linspace(0.98, 0.02, 60):
        try:
            return derive(about, "instance_distance", uses, {"share": f"{share:.6f}"}).claim, u
        except Exception as error:
            if getattr(error, "code", "") != "hypothesis":
                raise
    return None


def search(rng: np.random.Generator, form: Any, eta: str | None, count: int, steps: int) -> Any:
    """Train random quadratic maps as near to the edge as they come; return how many and the worst ratios."""
    worst, tried = np.zeros(3), 0
    for _ in range(count):
        outputs, parameters = [(1, 1), (1, 2), (2, 2)][rng.integers(3)]
        u = Quadratic(rng, outputs, parameters, 10 ** rng.uniform(-2, 0.5))
        if rng.random() < 0.5:  # bent against the way it goes
            u.q = -np.sign(u.r)[:, None, None] * abs(u.q) if parameters == 1 else u.q
        proved = form(u, eta, rng.uniform(0.3, 1 - 1e-9))
        if proved is None:
            continue
        tried += 1
        fields = to_fields(proved[0])
        step = None if eta is None else float(eta)
        found = tightness(u.residual, u.jacobian, np.zeros(parameters), fields, step, steps)
        worst = np.maximum(worst, found)
    return tried, worst


SEARCHES = [(by_residual, None), (by_residual, "0.05"), (by_distance, None), (by_distance, "0.05")]


@pytest.mark.parametrize(("form", "eta"), SEARCHES)
def test_quadratic_maps_obey_them(form: Any, eta: str | None) -> None:
    tried, worst = search(np.random.default_rng(5), form, eta, 25, 150)
    assert tried >= 10
    assert (worst <= 1 + 1e-6).all(), worst


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "eta"), [*SEARCHES, (by_residual, "0.2"), (by_distance, "0.2"), (by_distance, "0.001")]
)
def test_many_quadratic_maps_obey_them(form: Any, eta: str | None) -> None:
    tried, worst = search(np.random.default_rng(6), form, eta, 200, 300)
    print(form.__name__, eta, tried, worst)
    assert tried >= 25
    assert (worst <= 1 + 1e-6).all(), worst


def test_one_parameter_attains_them() -> None:
    """``u = r_0 − σ_0θ + Λθ²/2``: all of ``Φ`` is spent, and the rate ends at ``2σ_*²``."""
    u = Quadratic(np.random.default_rng(0), 1, 1, 1.0)
    u.j, u.r, u.q = np.array([[-2.0]]), np.array([1.0]), np.array([[[1.0]]])
    u.lipschitz = 1.0
    claim, _ = by_residual(u, None, 0.75)  # type: ignore[misc]
    assert abs(float(claim.radius) - 1) < 1e-9  # σ_0 − ΛR = 1: the root is at θ = 1, where J = −1
    worst = tightness(u.residual, u.jacobian, np.zeros(1), to_fields(claim), None, 4000)
    assert 0.99 < worst[1] <= 1
    assert abs(float(claim.rate) / 2 - 1) < 1e-8
    end = u.solution()
    assert abs(end[0] - 1) < 1e-6
    assert abs(u.jacobian(end)[0, 0] + 1) < 1e-6


# Networks -------------------------------------------------------------------------------------------------------


def random_problem(rng: np.random.Generator, activations: tuple[str, ...], depths: tuple[int, ...] = (1, 2)) -> Any:
    activation = str(rng.choice(activations))
    if activation in KINKED:
        step = None if rng.random() < 0.5 else "0.02"
        sizes = (2, int(rng.choice([60, 400, 1000])), 1)
        return instance(int(rng.integers(1 << 30)), activation, sizes, 10 ** rng.uniform(-5, -3.3), step_size=step)
    depth = int(rng.choice(depths))
    options: dict[str, Any] = {"step_size": None if rng.random() < 0.5 else f"{rng.uniform(0.005, 0.4):.3f}"}
    if rng.random() < 0.5:
        options |= {"bias": "0.5"}
    if depth == 1:
        options |= {"train": str(rng.choice(["hidden", "both", "all"])), "mirrored": bool(rng.random() < 0.3)}
    if rng.random() < 0.3:
        options |= {"weight_std": "1.3", "input_scale": "fan-in"}
    sizes = {1: (2, 60, 1), 2: (3, 24, 20, 1), 3: (3, 14, 12, 10, 1)}[depth]
    noise = 10 ** rng.uniform(-4.5, -2) / 10 ** (depth - 1)
    return instance(int(rng.integers(1 << 30)), activation, sizes, noise, **options)


def train_many(seed: int, activations: tuple[str, ...], wanted: int, steps: int, depths: tuple[int, ...]) -> Any:
    rng, worst, held, forms = np.random.default_rng(seed), np.zeros(3), 0, set()
    for _ in range(8 * wanted):
        about = random_problem(rng, activations, depths)
        try:
            found = certified(about, [None, "kantorovich"][rng.integers(2)])
        except InputError:
            continue
        held += 1
        forms.add((found.steps[-1].rule, found.conclusion["dynamics"]))
        ratios = obeys(about, found, steps)
        assert (ratios <= 1 + 1e-7).all(), (about.network, ratios)
        worst = np.maximum(worst, ratios)
        if held == wanted:
            break
    return held, worst, forms


def test_trained_networks_obey_their_certificates() -> None:
    held, _, forms = train_many(1, ("erf", "sin", "relu", "abs"), 24, 120, (1, 2))
    assert held == 24
    assert len(forms) >= 4, forms


@pytest.mark.slow
@pytest.mark.parametrize("activation", [*SMOOTH, *KINKED])
def test_many_trained_networks_obey_their_certificates(activation: str) -> None:
    held, worst, forms = train_many(2, (activation,), 25, 300, (1, 2, 3))
    print(activation, held, worst, forms)
    assert held == 25

"""Every shipped certificate is valid and true; every forgery is rejected, where and why it should be."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import flint
import numpy as np
import oracle
import pytest
from scipy.special import ndtr

from certificates import contents, given, regenerate
from certificates.forgeries import FOLDER, Forgery, forgeries, places
from ntkproof.checker import check
from ntkproof.checker.activations.names import EXPRESSIONS
from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.check import read
from ntkproof.checker.logic.format import SUFFIX, Certificate
from ntkproof.simulation.networks import Model
from ntkproof.simulation.training import State

ENGINES = ("fast", "reference")
SIDECARS = FOLDER / "lambda_min"  # of the certificates that float64 is compared with
LARGEST_QUICK = 200  # rows up to which the reference arithmetic always checks
MAX_BYTES = 17 * 10**6  # of everything but the certificates about given weights
MAX_GIVEN_BYTES = 10 * 10**6  # of those


@cache
def document(name: str) -> dict[str, Any]:
    return json.loads(places()[name].read_text())


def rows(name: str) -> int:
    return document(name)["problem"]["dataset"]["inputs"]["shape"][0]


def activation(name: str) -> str:
    return document(name)["problem"]["network"]["activation"]


def kind(name: str) -> str:
    return document(name)["conclusion"]["claim"]["kind"]


def is_slow(name: str) -> bool:
    """Whether the reference arithmetic takes more than 3 seconds."""
    if name in GIVEN:
        return name not in QUICK_GIVEN
    return rows(name) > (40 if activation(name) in EXPRESSIONS else LARGEST_QUICK)


def rests_on(name: str) -> set[str]:
    """What a shipped certificate may assume, besides the arithmetic."""
    if name in IN_BALL:
        return {BOTH_AND_BIASES}
    if name in GIVEN:
        return GIVEN[name]
    return RESTS_ON[name.split("-", 4)[4]] if name in CONVERGENT else set()


def names(*families: str) -> list[str]:
    """The shipped certificates of some families."""
    return [name for name, path in places().items() if path.parent.name in families]


def trusts(engine: str) -> str:
    return f"arithmetic ({engine}): {arithmetic(engine).trusts}"


STATIC, CONVERGENT = names("lambda_min", "spectrum"), names("convergence")
IN_BALL = names("ball")  # see tests/checker/random_start/test_operator_norms.py
SHIPPED = [*STATIC, *CONVERGENT, *IN_BALL, *names("given_weights")]  # spheres: see tests/checker/limit/test_sphere.py
HOLEY = {  # the step that is assumed, in words, and what else a certificate rests on
    "wine10-relu-assumed-lower": ("lower", "lambda_min of kernel, lower bound {value}", ()),
    "convergence-wine-10-erf-huang2020": ("distance", "initial_deviation, upper bound {value}", ("FLOW",)),
    "convergence-wine-10-erf-custom": (
        "loss",
        "loss inequality with exponent {exponent}, constant {constant}, gap {gap}",
        ("GAUSSIAN", "CUSTOM"),
    ),
}
FORGED = forgeries()
SHARPEST = (  # lies by so few units that one fewer is derived
    "lower-raised",
    "lower-raised-erf",
    "upper-lowered",
    "upper-lowered-erf",
    "radius-one-less",
    "norm-bound-lowered",
    "norm-bound-raised",
)
GAUSSIAN = "the hidden weights are independent standard normal at initialisation"
BOTH = "all weights are independent standard normal at initialisation"
BOTH_AND_BIASES = "all weights and biases are independent standard normal at initialisation"
FLOW = "the network is trained by gradient flow on ½‖r‖²"
CUSTOM = "the network is trained by gradient flow on the custom loss"
DESCENT = "the network is trained by exact gradient descent on ½‖r‖²"
INCLUSION = "gradient flow is any absolutely continuous solution of the differential inclusion"
SELECTION = "where a preactivation is 0, gradient descent may take any number between the slopes of σ for σ'"
RESTS_ON = {
    "smooth": {GAUSSIAN, FLOW},
    "smooth-balanced": {GAUSSIAN, FLOW},
    "smooth-signs": {GAUSSIAN, FLOW},
    "smooth-descent": {GAUSSIAN, DESCENT},
    "bowman2023": {GAUSSIAN, FLOW},
    "bowman2023-path": {GAUSSIAN, FLOW},
    "relu": {GAUSSIAN, FLOW, INCLUSION},
    "relu-signs": {GAUSSIAN, FLOW, INCLUSION},
    "du2019": {GAUSSIAN, FLOW, INCLUSION},
    "du2019-signs": {GAUSSIAN, FLOW, INCLUSION},
    "relu-descent": {GAUSSIAN, DESCENT, SELECTION},
    "both": {BOTH, FLOW},
    "lecture": {BOTH, FLOW, "gradient flow on ‖r‖²/(2n) is gradient flow on ½‖r‖² with the time divided by n"},
    "quartic": {GAUSSIAN, "the network is trained by gradient flow on the quartic loss"},
}
GIVEN = {  # nothing is random here
    "given-three-erf": {FLOW},
    "given-three-erf-deep-descent": {DESCENT},
    "given-three-quantities": set(),
    "given-three-relu": {FLOW, INCLUSION},
    "given-three-relu-descent": {DESCENT, SELECTION},
    "given-wine-20-erf": {FLOW},
    "given-wine-20-erf-descent": {DESCENT},
    "given-wine-50-erf": {FLOW},
    "given-digits-50-erf-step140": {FLOW},
    "given-digits-50-tanh-step300": {FLOW},
    "given-digits-50-tanh-step300-descent": {DESCENT},
    "given-digits-10-relu": {FLOW, INCLUSION},
}
QUICK_GIVEN = [*(name for name in GIVEN if name.startswith("given-three")), "given-digits-50-erf-step140"]
DEEP_GIVEN = [name for name in GIVEN if "tanh" in name]  # 6 seconds each


# Shipped certificates -------------------------------------------------------------------------------------------


def test_the_script_knows_all_certificates():
    known = {entry.name for entry in regenerate.entries()} | {f"given_weights/{entry.name}" for entry in given.ENTRIES}
    assert known == {f"{path.parent.name}/{name}" for name, path in places().items()}
    assert len(known) == len(list(FOLDER.rglob("*" + SUFFIX)))  # no two of one name


def test_the_folder_is_small():
    files = [path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    given = {path for path in files if path.name.startswith("given-")}
    assert sum(path.stat().st_size for path in given) < MAX_GIVEN_BYTES
    assert sum(path.stat().st_size for path in files if path not in given) < MAX_BYTES


def test_the_page_lists_the_certificates():
    assert (FOLDER / "README.md").read_text() == contents.page()
    assert {path.parent.name for path in places().values()} == set(contents.FAMILIES)


def test_no_sidecar_is_left_over():
    named = set()
    for name in SHIPPED:
        folder = places()[name].parent
        dataset = document(name)["problem"]["dataset"]
        arrays = [dataset["inputs"], dataset.get("targets", {})]
        arrays += [array for step in document(name)["steps"] for array in step["witness"].values()]
        weights = document(name)["problem"].get("weights", {"layers": [], "biases": []})
        arrays += weights["layers"] + weights["biases"]
        named |= {folder / array["file"] for array in arrays if "file" in array}
    assert named == set(FOLDER.rglob("*.bin"))


def is_valid(name: str, engine: str) -> None:
    verdict = check(places()[name], engine=engine)
    assert (verdict.verdict, verdict.code, verdict.exit_code) == ("valid", "", 0), verdict
    assert verdict.assumptions == (*sorted(rests_on(name)), trusts(engine))
    assert verdict.conclusion == document(name)["conclusion"]["claim"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in DEEP_GIVEN else []) for name in SHIPPED]
)
def test_valid_by_fast(name: str):
    is_valid(name, "fast")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if is_slow(name) else []) for name in SHIPPED]
)
def test_valid_by_reference(name: str):
    is_valid(name, "reference")


# Truth, in float64 and in Arb -----------------------------------------------------------------------------------


SMOOTH = {  # σ and σ'
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)),
}


def by_quadrature(f: Any, q: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``E f(u)f(v)`` by Gauss and Hermite; rows of norm 1, so ``u`` is the same for all pairs."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    rho = np.clip(c / np.sqrt(np.outer(q, q)), -1, 1)[..., None, None]
    size = np.sqrt(q)
    assert np.ptp(size) < 1e-9
    v = size[0] * (rho * nodes[:, None] + np.sqrt(1 - rho**2) * nodes)
    return np.einsum("ijkl,k,l->ij", f(v), weights * f(size[0] * nodes), weights)


def float_duals(name: str, q: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The dual activation and that of the derivative, of a covariance matrix ``c`` with diagonal ``q``."""
    if name == "identity":
        return c, np.ones_like(c)
    if name == "erf":
        ends = np.outer(1 + 2 * q, 1 + 2 * q)
        return 2 / np.pi * np.arcsin(2 * c / np.sqrt(ends)), 4 / np.pi / np.sqrt(ends - 4 * c * c)
    if name in ("sin", "cos"):
        size = np.exp(-np.add.outer(q, q) / 2)
        odd, even = size * np.sinh(c), size * np.cosh(c)
        return (odd, even) if name == "sin" else (even, odd)
    if name in SMOOTH:
        return tuple(by_quadrature(f, q, c) for f in SMOOTH[name])
    slope = float(name[11:-1]) if name.startswith("leaky") else 0.0
    norm = np.sqrt(np.outer(q, q))
    theta = np.arccos(np.clip(c / norm, -1, 1))
    np.fill_diagonal(theta, 0)
    relu = (norm * np.sin(theta) + (np.pi - theta) * c) / (2 * np.pi)
    return slope * c + (1 - slope) ** 2 * relu, slope + (1 - slope) ** 2 * (np.pi - theta) / (2 * np.pi)


def float_kernel(problem: dict[str, Any]) -> np.ndarray:
    """The Gram matrix in float64: the recursion written once more, for whole matrices."""
    network, x = problem["network"], oracle.array(problem["dataset"]["inputs"], SIDECARS)
    beta2, weight2 = float(network["bias"]) ** 2, float(network["weight_std"]) ** 2
    c = weight2 * (x @ x.T) / (x.shape[1] if network["input_scale"] == "fan-in" else 1) + beta2
    tangent = c
    for _ in range(network["depth"]):
        dual, derivative = float_duals(network["activation"], np.diag(c).copy(), c)
        hidden, c = weight2 * tangent * derivative, weight2 * dual + beta2
        tangent = hidden + c
    if problem["kernel"] == "nngp":
        return c
    return {"all": tangent, "hidden": hidden, "output": c - beta2, "both": tangent - beta2}[network["train"]]


def float_estimate(name: str) -> tuple[float, float]:
    """What a conclusion says lies between its ends, and how well float64 knows it."""
    values = np.linalg.eigvalsh(float_kernel(document(name)["problem"]))
    error = 64 * np.finfo(float).eps * values[-1] * len(values)
    if activation(name) in SMOOTH:
        return values[0], 1e-7 * values[-1]
    if kind(name) in ("lambda_min", "a_priori"):
        return values[0], error
    ratio = values[-1] / values[0] if kind(name) == "condition_number" else values.sum() / values[-1]
    return ratio, ratio * error / values[0]


@pytest.mark.parametrize("name", [name for name in STATIC if kind(name) != "spectrum"])
def test_the_conclusion_contains_the_float64_estimate(name: str):
    claim = document(name)["conclusion"]["claim"]
    if claim["kind"] == "operator_norm":
        estimate = np.linalg.norm(oracle.array(document(name)["problem"]["dataset"]["inputs"], SIDECARS), 2)
        error = 64 * np.finfo(float).eps * estimate
    else:
        estimate, error = float_estimate(name)
    assert float(claim["lower"]) - error <= estimate <= float(claim["upper"]) + error


def test_the_spectrum_contains_the_float64_estimates():
    claim = document("wine10-spectrum")["conclusion"]["claim"]
    values = np.linalg.eigvalsh(float_kernel(document("wine10-spectrum")["problem"]))
    for lower, upper, value in zip(claim["lower"], claim["upper"], values, strict=True):
        assert float(lower) - 1e-14 <= value <= float(upper) + 1e-14
        assert float(upper) - float(lower) < 1e-12


def test_the_a_priori_bounds_are_below_the_truth_and_their_ratios_right():
    claim = document("wine10-a-priori")["conclusion"]["claim"]
    least = np.linalg.eigvalsh(float_kernel(document("wine10-a-priori")["problem"]))[0]
    assert claim["rules"] == ["separation", "separation_log", "khatri_rao", "gershgorin"]
    for bound, low, high in zip(claim["bounds"], claim["ratio_lower"], claim["ratio_upper"], strict=True):
        assert 0 < float(bound) < least
        assert float(low) - 1e-12 <= float(bound) / least <= float(high) + 1e-12


JUDGED = [
    name
    for name in STATIC
    if rows(name) <= 50 and activation(name) not in SMOOTH and kind(name) in ("lambda_min", "operator_norm")
]


@pytest.mark.parametrize("name", JUDGED)
def test_the_conclusion_contains_the_truth(name: str):
    claim = document(name)["conclusion"]["claim"]
    if claim["kind"] == "lambda_min":
        truth = oracle.smallest_eigenvalue(oracle.kernel(document(name)["problem"]))
        with flint.ctx.workprec(oracle.BITS):
            slack = oracle.ball(Fraction(1, 2**100))
            assert truth.rad() < slack
            assert oracle.ball(Fraction(claim["lower"])) - slack < truth < oracle.ball(Fraction(claim["upper"])) + slack
    assert oracle.holds(document(name))


@pytest.mark.parametrize("name", JUDGED)
def test_the_oracle_refutes_what_is_nearly_true(name: str):
    """A judge that says yes to everything would be worthless: 1 per mille beyond the truth is false."""
    changed = json.loads(json.dumps(document(name)))
    claim = changed["conclusion"]["claim"]
    size = Fraction(claim["upper"]) / 1000 or Fraction(1, 10**9)
    for field, other, sign in (("lower", "upper", 1), ("upper", "lower", -1)):
        before = claim[field]
        claim[field] = str(Fraction(claim[other]) + sign * size)
        assert not oracle.holds(changed)
        claim[field] = before


# Convergence ----------------------------------------------------------------------------------------------------


def conclusion(name: str, field: str) -> Fraction:
    return Fraction(document(f"convergence-{name}")["conclusion"]["claim"][field])


@pytest.mark.parametrize("name", CONVERGENT)
def test_a_convergence_says_what_its_problem_says(name: str):
    claim, problem = document(name)["conclusion"]["claim"], document(name)["problem"]
    assert claim["width"] == problem["training"]["width"]
    assert (claim.get("dynamics") == "descent") == ("step_size" in problem["training"])
    assert "targets" in problem["dataset"]
    assert 0 < Fraction(claim["failure"]) <= Fraction(1, 20)
    assert min(Fraction(claim[field]) for field in ("rate", "radius", "kernel_deviation")) > 0


@pytest.mark.parametrize("name", [name for name in CONVERGENT if activation(name) not in SMOOTH])
def test_the_rate_and_the_radius_are_possible(name: str):
    """No rate is above ``2λ_max(H)``, and a path to ``u = y`` is at least ``‖y‖/(B1‖X‖)`` long."""
    problem, claim = document(name)["problem"], document(name)["conclusion"]["claim"]
    x = oracle.array(problem["dataset"]["inputs"], SIDECARS)
    y = oracle.array(problem["dataset"]["targets"], SIDECARS)
    assert float(claim["rate"]) <= 2 * np.linalg.eigvalsh(float_kernel(problem))[-1]
    steepest = 2 / np.sqrt(np.pi) if activation(name) == "erf" else 1
    if problem["training"]["init"] == "antisymmetric":
        assert float(claim["radius"]) >= np.linalg.norm(y) / (steepest * np.linalg.norm(x, 2))


@pytest.mark.parametrize("name", CONVERGENT)
def test_the_limit_kernel_is_bounded_from_below_by_the_truth(name: str):
    """The number every theorem starts from, in float64."""
    lower = next(step for step in document(name)["steps"] if step["id"] == "lower")
    truth = np.linalg.eigvalsh(float_kernel(document(name)["problem"]))[0]
    assert truth * (1 - 1e-5) - 1e-9 < float(lower["claim"]["value"]) < truth + 1e-9


@pytest.mark.parametrize("data", ["wine", "breast_cancer", "digits"])
def test_the_widths_are_not_vacuous(data: str):
    for activation in ("erf", "tanh"):
        widths = [conclusion(f"{data}-{n}-{activation}-smooth", "width") for n in (10, 20, 50)]
        assert widths == sorted(widths)
        assert widths[0] < 2 * 10**4
        assert widths[2] < 2 * 10**6
    assert conclusion(f"{data}-10-relu-relu", "width") < 10**8


def test_the_theorems_of_the_literature_ask_for_more():
    smooth, path, bowman, du = (
        conclusion(f"wine-10-{name}", "width")
        for name in ("erf-smooth", "erf-bowman2023-path", "erf-bowman2023", "relu-du2019")
    )
    assert smooth < path / 1000 < bowman / 1000
    assert conclusion("wine-10-relu-relu", "width") < du / 10**5


# Given weights --------------------------------------------------------------------------------------------------


def start(name: str) -> tuple[Certificate, State]:
    """The certificate and the network at its weights, in float64."""
    certificate = read(places()[name])
    problem = certificate.problem
    model = Model(problem.network, problem.weights, problem.dataset.inputs)
    return certificate, State(model, problem.dataset.targets, model.start)


def test_every_certificate_about_given_weights_is_pinned():
    assert sorted(GIVEN) == sorted(names("given_weights"))


@pytest.mark.parametrize("name", [name for name in GIVEN if kind(name) == "convergence"])
def test_what_is_certified_of_given_weights_is_true_and_sharp(name: str):
    certificate, state = start(name)
    claims = {step.id: step.claim for step in certificate.steps}
    least = np.linalg.eigvalsh(state.model.kernel(state.trace))[0]
    assert least * (1 - 2e-4) <= float(claims["sigma"]["value"]) <= least * (1 + 1e-9)
    norm = np.linalg.norm(state.residual)
    assert norm * (1 - 1e-7) - 1e-9 <= float(claims["residual"]["value"]) <= norm * (1 + 1e-4) + 1e-9
    claim = certificate.conclusion
    assert (claim["failure"], int(claim["width"])) == ("0", certificate.problem.weights.width)
    assert 0 < float(claim["rate"]) <= 2 * least


def test_widths_of_given_weights():
    widths = {name: int(document(name)["conclusion"]["claim"].get("width", 0)) for name in GIVEN}
    assert widths["given-wine-20-erf"] <= 3 * 10**4
    assert widths["given-wine-50-erf"] <= 3 * 10**5
    assert widths["given-digits-50-erf-step140"] == 64
    assert widths["given-digits-50-tanh-step300"] == 256


# Holey certificates ---------------------------------------------------------------------------------------------


def test_every_holey_certificate_is_pinned():
    assert sorted(names("holey")) == sorted(HOLEY)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", HOLEY)
def test_holey(name: str, engine: str):
    verdict = check(places()[name], engine=engine)
    assert (verdict.verdict, verdict.code, verdict.exit_code, verdict.valid) == ("holey", "", 3, False)
    step, words, others = HOLEY[name]
    claim = next(each["claim"] for each in document(name)["steps"] if each["id"] == step)
    assumed = "assumed without proof: " + words.format(**claim)
    assert verdict.assumptions == (*sorted([assumed, *(globals()[other] for other in others)]), trusts(engine))


# Forgeries ------------------------------------------------------------------------------------------------------


def test_every_forgery_has_a_name_and_a_falsehood():
    assert len({forgery.name for forgery in FORGED}) == len(FORGED) >= 769
    assert all(
        forgery.falsehood and (forgery.patch or forgery.text or forgery.encoding != "utf-8") for forgery in FORGED
    )


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for forgeries."""
    return tmp_path_factory.mktemp("forged")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("forgery", FORGED, ids=lambda forgery: forgery.name)
def test_forgery_is_rejected(forgery: Forgery, engine: str, forged: Path):
    verdict = check(forgery.write(forged / forgery.name), engine=engine)
    expected = "malformed" if forgery.code == "malformed" else "invalid"
    assert (verdict.verdict, verdict.code, verdict.step) == (expected, forgery.code, forgery.step), verdict
    assert verdict.exit_code == {"invalid": 1, "malformed": 2}[expected]
    assert verdict.conclusion is None
    assert verdict.reason
    assert "\n" not in verdict.reason


@pytest.mark.parametrize("name", SHARPEST)
def test_one_unit_less_is_no_lie(name: str):
    """At least one arithmetic derives the number that is one unit closer to the truth."""
    (forgery,) = (each for each in FORGED if each.name == name)
    (operation,) = forgery.patch
    units = operation["units"]
    closer = replace(forgery, patch=({**operation, "units": units - (1 if units > 0 else -1)},))
    steps = {check(closer.build().decode(), engine=engine).step for engine in ENGINES}
    assert steps != {forgery.step}


def test_a_sidecar_is_no_link(tmp_path: Path):
    """A link to the true bytes is refused too: what a link points at can change between two looks."""
    source = document("three-relu-hidden-depth1")
    changed = json.loads(json.dumps(source))
    array = changed["problem"]["dataset"]["inputs"]
    data = oracle.array(array).tobytes()
    del array["base64"]
    array |= {"file": "inputs.bin", "bytes": len(data)}
    path = tmp_path / ("linked" + SUFFIX)
    path.write_text(json.dumps(changed))
    (tmp_path / "elsewhere.bin").write_bytes(data)
    (tmp_path / "inputs.bin").symlink_to(tmp_path / "elsewhere.bin")
    assert check(path).code == "malformed"
    (tmp_path / "inputs.bin").unlink()
    (tmp_path / "inputs.bin").mkdir()
    assert check(path).code == "malformed"
    (tmp_path / "inputs.bin").rmdir()
    (tmp_path / "inputs.bin").write_bytes(data)
    assert check(path).valid


def test_a_text_has_no_folder_to_read_sidecars_from():
    verdict = check(json.dumps(document("diabetes-relu-hidden-depth1")))
    assert (verdict.code, "no folder" in verdict.reason) == ("malformed", True)

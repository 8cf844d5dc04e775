"""Which forms of the convergence theorems and which rules of the checker win anywhere: tables in Markdown on stdout.

``python benchmarks/forms.py [random] [given] [starts] [a-priori] [rules] [--quick] [--full]``; all tables unless named.

``random``: the least width at which each form proves convergence from a random start (search in float64), and the form
with the fastest rate at ten times the least of these widths; the last column is the best theorem of the literature.
Rows for antisymmetric starts and flow, all with ``--full``; then how often each form wins.
``given``: networks in training; the first saved step from which each form proves convergence (certificates, all
proved), and at how many saved steps it has the fastest rate and the smallest radius.  ``starts``: the least power of
two from which a seeded mirrored start is proved.  ``a-priori``: the lower bounds on λ_min of ReLU as shares of it.
``rules``: for every rule the modules that derive it and the shipped certificates that use it.
"""

from __future__ import annotations

import argparse
import ast
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from math import inf, nan
from pathlib import Path

import numpy as np

from ntkproof.checker.convergence.formulas import kept, shrinking
from ntkproof.checker.logic.numbers import InputError, exact
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.training import Training as TrainingOf
from ntkproof.checker.problem.weights import Weights
from ntkproof.checker.table import RULES
from ntkproof.data.datasets import load, prepare
from ntkproof.data.runs import saved_steps
from ntkproof.data.weights import load_weights
from ntkproof.prover.certify import certify
from ntkproof.prover.floats import FLOATS
from ntkproof.simulation.experiment import Experiment
from ntkproof.simulation.saved import train
from ntkproof.theorems import both, bowman2023, bowman2023_path, du2019, lecture, relu, relu_descent, smooth, steps
from ntkproof.theorems.certify import prepare as prepare_facts
from ntkproof.theorems.facts import Facts
from ntkproof.theorems.instance import certify_instance
from ntkproof.theorems.other_losses import other_loss
from ntkproof.theorems.theorem import Hypothesis, Plan, least_width

SETS = ("wine", "breast_cancer", "digits", "diabetes")
SMOOTH = ("erf", "tanh", "sin")
KINKED = ("relu", "leaky_relu(0.1)", "abs")
FAILURE = 0.05
SPLITS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)
LONGEST = 3000  # steps of a training
SAVED = 16  # steps of a training
WIDEST = 2**16
ROOT = Path(__file__).parents[1]
NONE = "–"
OTHERS = ("lecture", "loss squared", "loss quartic")  # other statements, and the formula of kantorovich once more

PlanAt = Callable[[int], Plan]


def silent(done: int, total: int) -> None:
    """Report no progress."""


@cache
def samples(name: str, rows: int, normalize: bool = True) -> Dataset:
    """Return a seeded sample of a named set, standardised."""
    options = {"drop_constant": True, "standardize": True, "standardize_targets": True}
    return prepare(load(name), rows=rows, normalize=normalize, **options)


def number(x: float) -> str:
    """Return a number in few characters."""
    return str(int(x)) if x == int(x) and abs(x) < 10**6 else f"{x:.3g}".replace("e+", "e").replace("e0", "e")


def row(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def head(*cells: str) -> None:
    """Print the head of a table."""
    row(*cells)
    print(f"{'|---' * len(cells)}|")


# Random starts --------------------------------------------------------------------------------------------------


def best(plans: list[Plan]) -> Plan:
    """Return the plan that holds with the fastest rate, else any."""
    return max(plans, key=lambda plan: (plan.holds, plan.rate if plan.holds else 0.0))


def smooth_forms(facts: Facts) -> Iterator[tuple[str, PlanAt]]:
    """Yield the forms for hidden weights and σ in C²."""
    training = facts.network.training
    certain, descends = training.init == "antisymmetric", training.step_size is not None
    shares = (0.0,) if certain else SPLITS

    def residual(width: int) -> Plan:
        return best([smooth._residual_form(facts, FAILURE * (1 - q), FAILURE * q, width) for q in shares])

    yield "descent" if descends else "kantorovich", residual
    if descends:
        yield "flip_descent", lambda m: best([along_paths(facts, FAILURE * (1 - q), FAILURE * q, m) for q in shares])
    elif certain:
        yield "distance", lambda m: smooth._distance_form(facts, FAILURE, m)


def along_paths(facts: Facts, spectrum: float, rest: float, width: int) -> Plan:
    """Return the plan of the rule ``flip_descent`` with a Lipschitz Jacobian, which no theorem proposes."""
    plan = smooth._residual_form(facts, spectrum, rest, width)
    sigma = max((1 - plan.args["delta"]) * facts.lambda_0, 0) ** 0.5
    eta, slope = float(exact(facts.network.training.step_size or 0)), smooth._slope(facts, width)
    factor, residual = float(kept(FLOATS, eta, facts.summand**0.5)), steps.residual(facts, rest)
    radius = steps.radius_that_spends(factor * sigma, 0.0, (factor + 2) * slope, residual) if factor > 0 else inf
    x = float(shrinking(FLOATS, factor, eta, sigma, 0.0, slope, radius)) if radius < inf else nan
    holds = (Hypothesis("κΦ(R) - Rε(R) > ρ_0, κσ_* > ε(R)", 0.0, x),)
    return Plan(width, "flip_descent", {}, holds, (2 * x - x * x) / eta, radius)


def kinked_forms(facts: Facts) -> Iterator[tuple[str, PlanAt]]:
    """Yield the forms for hidden weights and piecewise linear σ."""
    training = facts.network.training
    if training.step_size is not None:
        yield "flip_descent", lambda m: relu_descent.plan(facts, FAILURE, m)
        return
    certain = training.init == "antisymmetric"
    shares = [(s, r) for s in relu._SPECTRUM_SHARES for r in ((0.0,) if certain else relu._REST_SHARES) if s + r < 1]
    yield (
        "kantorovich",
        lambda m: best([relu._at(facts, m, FAILURE * s, FAILURE * r, FAILURE * (1 - s - r)) for s, r in shares]),
    )
    if certain:
        yield "tube", lambda m: relu._in_tube(facts, m, FAILURE)


def literature(facts: Facts) -> Iterator[tuple[str, PlanAt]]:
    """Yield the theorems of the literature for gradient flow."""
    for module in (bowman2023, bowman2023_path, du2019):
        yield module.name, partial(module.plan, facts, FAILURE)


def least(plan_at: PlanAt) -> float:
    """Return the least width, infinity if there is none."""
    try:
        return least_width(plan_at).width
    except InputError:
        return inf


@cache
def facts_of(dataset: Dataset, activation: str, kind: str) -> Facts:
    """Return what a theorem needs to know of the data; the start and the step size are put in later."""
    init = "gaussian" if kind == "both" else "antisymmetric"
    return prepare_facts(dataset, Network(activation, 1, kind), init, None, "fast", 1e-6, silent)[1]


def random_row(dataset: Dataset, label: str, activation: str, init: str, descends: bool) -> list[str]:
    """Return the cells for one start: the widths of the forms, the least, the fastest, the best of the literature."""
    step = f"{0.5 / np.linalg.norm(dataset.inputs, 2) ** 2:.4f}" if descends else None
    facts = facts_of(dataset, activation, "both" if init == "gaussian" else "hidden")
    facts = replace(facts, network=replace(facts.network, training=TrainingOf(2, init, step)))
    forms: dict[str, PlanAt] = {}
    if init == "gaussian":
        forms = {module.name: partial(module.plan, facts, FAILURE) for module in (both, lecture)}
    else:
        forms = dict(smooth_forms(facts) if activation in SMOOTH else kinked_forms(facts))
    if not descends and init != "gaussian":
        for loss in ("squared", "quartic"):
            forms[f"loss {loss}"] = partial(other_loss(loss, {}).plan, facts, FAILURE)
    widths = {name: least(plan_at) for name, plan_at in forms.items()}
    rivals = {name: width for name, width in widths.items() if name not in OTHERS}
    winner = min(rivals, key=lambda name: rivals[name])
    rates = {name: plan.rate for name in rivals for plan in (forms[name](10 * int(rivals[winner])),) if plan.holds}
    known = {name: least(at) for name, at in literature(facts)} if not descends and init != "gaussian" else {"": inf}
    old = min(known, key=lambda name: known[name])
    return [
        label,
        str(dataset.n),
        activation,
        init,
        "descent" if descends else "flow",
        ", ".join(f"{name} {number(w)}" for name, w in widths.items() if w < inf),
        winner,
        max(rates, key=lambda name: rates[name]),
        f"{old} {number(known[old])}" if known[old] < inf else NONE,
    ]


def random_starts(quick: bool, full: bool) -> None:
    """Print the rows of antisymmetric starts and flow, or all, and how often each form wins."""
    head("data", "n", "σ", "start", "training", "width by form", "least", "fastest at 10×", "literature")
    wins: dict[tuple[str, str, str], list[Counter[str]]] = {}
    for name in SETS[:1] + SETS[3:] if quick else SETS:
        for rows in (10,) if quick else (10, 20, 50):
            for activation in ("erf", "relu") if quick else (*SMOOTH, *KINKED):
                starts = [(init, d) for init in ("antisymmetric", "balanced", "signs") for d in (False, True)]
                for init, descends in starts + ([("gaussian", False)] if activation in SMOOTH else []):
                    cells = random_row(samples(name, rows), name, activation, init, descends)
                    if full or (init, descends) == starts[0]:
                        row(*cells)
                    kind = "in C²" if activation in SMOOTH else "piecewise linear"
                    counts = wins.setdefault((kind, cells[3], cells[4]), [Counter(), Counter()])
                    counts[0][cells[6]] += 1
                    counts[1][cells[7]] += 1
    print()
    head("σ", "start", "training", "least width", "fastest at 10×")
    for group, counts in wins.items():
        row(*group, *(", ".join(f"{name} {k}" for name, k in each.most_common()) for each in counts))


# Given weights --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Training:
    """A training whose saved steps are certified."""

    data: str
    rows: int
    network: Network
    width: int
    normalize: bool = True


TRAININGS = (
    *(Training(name, 10, Network("erf", 1, "hidden"), 64) for name in SETS),
    *(Training("wine", 10, Network("erf", 1, "hidden"), width) for width in (32, 512)),
    Training("diabetes", 10, Network("erf", 1, "hidden"), 1024),
    Training("wine", 20, Network("erf", 1, "hidden"), 256),
    Training("digits", 20, Network("tanh", 1, "hidden"), 64),
    Training("digits", 50, Network("erf", 1, "hidden"), 64),
    Training("wine", 10, Network("sin", 1, "hidden"), 64),
    Training("wine", 10, Network("erf", 1, "all"), 64),
    *(Training("wine", 10, Network("tanh", 2, "all"), width) for width in (64, 256)),
    Training("digits", 10, Network("tanh", 2, "all"), 128),
    Training("digits", 20, Network("erf", 2, "all", bias="0.5"), 128),
    Training("digits", 10, Network("erf", 3, "all"), 64),
    *(Training("wine", 10, Network("relu", 1, "hidden"), width) for width in (128, 512, 4096)),
    *(Training("digits", 10, Network("relu", 1, "hidden"), width, False) for width in (128, 512)),
    Training("digits", 20, Network("relu", 1, "hidden"), 512),
    Training("breast_cancer", 10, Network("relu", 1, "hidden"), 512),
    Training("diabetes", 10, Network("relu", 1, "hidden"), 512),
    Training("wine", 10, Network("leaky_relu(0.1)", 1, "hidden"), 512),
    Training("digits", 10, Network("abs", 1, "hidden"), 512),
)
QUICK = (TRAININGS[0], Training("wine", 10, Network("tanh", 2, "all"), 64), TRAININGS[-1])


def forms_of(network: Network, descends: bool) -> tuple[tuple[str, str | None], ...]:
    """Return the forms and, for smooth deep networks, the ``paths`` to try."""
    if network.activation in KINKED:
        return (("kantorovich", None),) if descends else (("kantorovich", None), ("tube", None))
    ways = ("weights", "matrices") if network.depth > 1 else (None,)  # one formula at depth 1
    return tuple((form, way) for form in ("kantorovich", "distance") for way in ways)


def proved(dataset: Dataset, network: Network, weights: Weights, form: str, paths: str | None) -> tuple[float, float]:
    """Return the rate and the radius that a form proves, NaN if none."""
    try:
        claim = certify_instance(dataset, network, weights, form=form, paths=paths).conclusion
    except (InputError, TypeError):  # TypeError: the prover stumbles over a lower bound of λ_min(H_0) below 0
        return nan, nan
    return float(claim["rate"]), float(claim["radius"])


def training_rows(entry: Training) -> None:
    """Train, and print what each form proves from the saved steps."""
    dataset, network = samples(entry.data, entry.rows, entry.normalize), entry.network
    experiment = Experiment(
        dataset, network, "antisymmetric" if network.train == "hidden" else "gaussian", step_size=0.0
    )
    with tempfile.TemporaryDirectory() as place:
        first = train(replace(experiment, steps=1), entry.width, 0, Path(place) / "one", LONGEST)
        times = 4 if network.activation in KINKED else 2
        last = min(LONGEST, times * predicted(experiment, first.step_size))
        train(replace(experiment, steps=last), entry.width, 0, Path(place) / "run", max(1, last // SAVED))
        saved = [(step, load_weights(path, network)) for step, path in saved_steps(Path(place) / "run")]
    eta = f"{float(first.step_size) / 10:.3g}"
    for step_size in (None, eta):
        forms = forms_of(network, step_size is not None)
        found = {
            each: [proved(dataset, network, replace(weights, step_size=step_size), *each) for _, weights in saved]
            for each in forms
        }
        firsts = {
            each: next((step for (step, _), (rate, _) in zip(saved, values, strict=True) if rate > 0), inf)
            for each, values in found.items()
        }
        rates = tally({each: [rate for rate, _ in values] for each, values in found.items()})
        radii = tally({each: [-radius for _, radius in values] for each, values in found.items()})
        least_step = min(firsts.values())
        shown = [each for each in forms if firsts[each] < inf]
        row(
            entry.data,
            str(entry.rows),
            f"{network.activation}, {network.depth} hidden, {network.train}",
            str(entry.width),
            "flow" if step_size is None else f"η = {eta}",
            str(saved[-1][0]),
            *("; ".join(f"{title(e)} {show(d[e])}" for e in shown) or NONE for d in (firsts, rates, radii)),
            ", ".join(title(e) for e in forms if firsts[e] == least_step < inf) or NONE,
        )


def predicted(experiment: Experiment, step_size: str) -> int:
    """Return the steps after which the linear prediction of the loss is at 1e-4 of its start."""
    from ntkproof.simulation.saved import _predicted_steps

    return _predicted_steps(experiment, float(exact(step_size)))


def title(form: tuple[str, str | None]) -> str:
    """Return what a form is called in the table."""
    return form[0] if form[1] is None else f"{form[0]}/{form[1]}"


def show(x: float) -> str:
    """Return a count or a step."""
    return NONE if x == inf else number(x)


def tally(values: dict[tuple[str, str | None], list[float]]) -> dict[tuple[str, str | None], float]:
    """Return how often each is the largest, ties (to 1e-6) counted for all."""
    counts = dict.fromkeys(values, 0.0)
    for column in zip(*values.values(), strict=True):
        top = max((x for x in column if x == x), default=nan)
        for each, x in zip(values, column, strict=True):
            counts[each] += x == x and abs(x - top) <= 1e-6 * abs(top)
    return counts


def given_weights(quick: bool, full: bool) -> None:
    """Print the table of trainings."""
    head("data", "n", "network", "width", "training", "last step", "first step", "fastest", "smallest", "earliest")
    for entry in QUICK if quick else TRAININGS:
        training_rows(entry)


def mirrored_starts(quick: bool, full: bool) -> None:
    """Print the least power of two from which a seeded start is proved, by form."""
    head("data", "n", "σ", "training", "least width by form", "least")
    for name in SETS[:1] if quick else SETS:
        for activation in ("erf", "sin"):
            dataset, network = samples(name, 10), Network(activation, 1, "hidden")
            for step_size in (None, f"{0.1 / np.linalg.norm(dataset.inputs, 2) ** 2:.2g}"):
                found = {}
                for form in forms_of(network, step_size is not None):
                    found[form] = least_start(dataset, network, step_size, *form)
                winner = min(found, key=lambda form: found[form])
                row(
                    name,
                    "10",
                    activation,
                    "flow" if step_size is None else f"η = {step_size}",
                    ", ".join(f"{form} {show(w)}" for (form, _), w in found.items()),
                    winner[0] if found[winner] < inf else NONE,
                )


def least_start(dataset: Dataset, network: Network, step_size: str | None, form: str, paths: str | None) -> float:
    """Return the least power of two from which a mirrored start is proved, infinity beyond `WIDEST`."""
    width = 2**8
    while width <= WIDEST:
        hidden = np.random.default_rng(0).standard_normal((width // 2, dataset.d)).astype(np.float16)
        weights = Weights((hidden.astype(np.float64), np.ones((1, width // 2))), mirrored=True, step_size=step_size)
        if proved(dataset, network, weights, form, paths)[0] > 0:
            return width
        width *= 2
    return inf


# Lower bounds and rules -----------------------------------------------------------------------------------------


def lower_bounds(quick: bool, full: bool) -> None:
    """Print the a-priori bounds as shares of λ_min."""
    head("data", "n", "σ", "bounds, share of λ_min", "sharpest")
    for name in SETS[:1] if quick else SETS:
        for rows in (10, 20, 50):
            for activation in ("relu", "abs"):
                network = Network(activation, 1, "hidden")
                try:
                    claim = certify(samples(name, rows), network, statement="a-priori").conclusion
                except InputError as error:
                    row(name, str(rows), activation, str(error)[:60], NONE)
                    continue
                ratios = dict(zip(claim["rules"], map(float, claim["ratio_lower"]), strict=True))
                shares = ", ".join(f"{rule} {number(ratio)}" for rule, ratio in ratios.items())
                row(name, str(rows), activation, shares, max(ratios, key=lambda rule: ratios[rule]))


def strings(path: Path) -> set[str]:
    """Return the string constants of a Python file."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def rules(quick: bool, full: bool) -> None:
    """Print who derives each rule and which shipped certificates use it."""
    sources = {
        path.relative_to(ROOT / "ntkproof").as_posix(): strings(path)
        for folder in ("prover", "theorems")
        for path in sorted((ROOT / "ntkproof" / folder).glob("*.py"))
    }
    uses: dict[str, list[str]] = {name: [] for name in RULES}
    rejected = dict.fromkeys(RULES, 0)
    for path in sorted((ROOT / "certificates").rglob("*.cert.json")):
        try:
            found = {step["rule"] for step in json.loads(path.read_text("utf-8"))["steps"]}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
        for name in (rule for rule in found if isinstance(rule, str) and rule in RULES):
            if path.parent.name == "rejected":
                rejected[name] += 1
            else:
                uses[name].append(path.name.removesuffix(".cert.json"))
    head("rule", "file", "derived by", "shipped", "rejected")
    for name, rule in sorted(RULES.items(), key=lambda pair: (pair[1].derive.__module__, pair[0])):
        users = ", ".join(f"`{file}`" for file, texts in sources.items() if name in texts)
        shown = str(len(uses[name])) if len(uses[name]) > 2 or not uses[name] else ", ".join(uses[name])
        row(f"`{name}`", f"`{rule.derive.__module__.split('.')[-1]}.py`", users or "nobody", shown, str(rejected[name]))


TABLES = {
    "random": random_starts,
    "given": given_weights,
    "starts": mirrored_starts,
    "a-priori": lower_bounds,
    "rules": rules,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="a sample of each table")
    parser.add_argument("--full", action="store_true", help="every row of the table of random starts")
    chosen = parser.parse_args()
    for name in chosen.tables or TABLES:
        print(f"\n{name}\n")
        TABLES[name](chosen.quick, chosen.full)


if __name__ == "__main__":
    main()

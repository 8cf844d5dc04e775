"""Ways to establish or refute a formula: identities, inequalities, enclosures, exact binomial tails.

Each returns `Evidence`: True and False are proofs (or, for statistics, confident); None decides nothing.  An identity
or inequality is refuted by an exact rational point at which it fails, enclosed in Arb balls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import reduce
from itertools import islice, product
from math import comb
from operator import add, mul
from typing import Any

import flint
import sympy as sp

from ntkproof.literature.claim import Evidence

BITS = 256
Meaning = Mapping[Any, Any]

# Reading a formula ----------------------------------------------------------------------------------------------


def evaluate(node: Any, meaning: Meaning) -> Any:
    """Return a formula with its symbols replaced by what they mean, matrices explicit and sums written out.

    Args:
        node: a SymPy expression, over scalars, `MatrixSymbol` and `Indexed`.
        meaning: of each symbol a value, of each `IndexedBase` or function name a callable of the indices.
    """
    if node in meaning:
        return meaning[node]
    if isinstance(node, sp.Indexed):
        return meaning[node.base](*(evaluate(index, meaning) for index in node.indices))
    if isinstance(node, sp.Sum):
        (index, first, last), *outer = node.limits
        ends = evaluate(first, meaning), evaluate(last, meaning)
        inner = node.func(node.function, *outer) if outer else node.function
        return reduce(
            add, (evaluate(inner, {**meaning, index: sp.Integer(k)}) for k in range(int(ends[0]), int(ends[1]) + 1))
        )
    if not node.args:
        return node
    if isinstance(node, sp.ZeroMatrix):
        return sp.zeros(*node.shape)
    if isinstance(node, sp.core.function.AppliedUndef) and type(node).__name__ in meaning:
        return meaning[type(node).__name__](*(evaluate(argument, meaning) for argument in node.args))
    arguments = [evaluate(argument, meaning) for argument in node.args]
    if isinstance(node, sp.MatMul | sp.Mul):
        return reduce(mul, arguments)
    if isinstance(node, sp.MatAdd | sp.Add):
        return reduce(add, arguments)
    if isinstance(node, sp.Transpose):
        return arguments[0].T
    if isinstance(node, sp.Inverse):
        return arguments[0].inv()
    if isinstance(node, sp.Pow | sp.MatPow):
        return arguments[0] ** arguments[1]
    return node.func(*arguments)


def entries(value: Any) -> list[Any]:
    """Return the entries of a matrix, or the number itself, as a list."""
    return list(value) if isinstance(value, sp.MatrixBase) else [sp.sympify(value)]


def scalar(value: Any) -> Any:
    """Return the entry of a 1×1 matrix, or the number itself."""
    return value[0] if isinstance(value, sp.MatrixBase) and value.shape == (1, 1) else value


# Exact numbers --------------------------------------------------------------------------------------------------

_FUNCTIONS: dict[Any, Callable[[flint.arb], flint.arb]] = {
    sp.exp: flint.arb.exp,
    sp.log: flint.arb.log,
    sp.acos: flint.arb.acos,
    sp.asin: flint.arb.asin,
    sp.sin: flint.arb.sin,
    sp.cos: flint.arb.cos,
    sp.tanh: flint.arb.tanh,
    sp.erf: flint.arb.erf,
    sp.Abs: abs,
}


def enclose(number: Any) -> flint.arb:
    """Return a ball that holds the value of a SymPy number, at ``flint.ctx.prec`` bits.

    Raises:
        ValueError: it is not built of rationals, π, ``+ * **`` and elementary functions.
    """
    number = sp.sympify(number)
    if number.is_Rational:
        return flint.arb(flint.fmpq(int(number.p), int(number.q)))
    if number is sp.pi:
        return flint.arb.pi()
    if number is sp.E:
        return flint.arb(1).exp()
    if number.is_Add or number.is_Mul:
        return reduce(add if number.is_Add else mul, (enclose(term) for term in number.args))
    if number.is_Pow:
        base, power = number.args
        if power.is_Integer:
            return enclose(base) ** int(power)
        return enclose(base).sqrt() if power == sp.Rational(1, 2) else enclose(base) ** enclose(power)
    if number.func in (sp.Max, sp.Min):
        return reduce(flint.arb.max if number.func is sp.Max else flint.arb.min, map(enclose, number.args))
    if number.func in _FUNCTIONS:
        return _FUNCTIONS[number.func](enclose(number.args[0]))
    raise ValueError(f"no enclosure of {number}")


def sign(number: Any) -> int | None:
    """Return the sign of a SymPy number if Arb, or SymPy for zero, can tell."""
    with flint.ctx.workprec(BITS):
        try:
            ball = enclose(number)
        except ValueError:
            return None
        if ball > 0:
            return 1
        if ball < 0:
            return -1
    return 0 if sp.simplify(number) == 0 else None


def grid(symbols: Iterable[Any]) -> Iterator[dict[Any, Any]]:
    """Yield rational points for the symbols, in keeping with what SymPy assumes of each."""
    symbols = sorted(symbols, key=str)
    steps = [sp.Rational(k, 7) for k in (3, 5, -4, 9, 16, -11, 2, -1, 60, -40)]
    integers = [sp.Integer(k) for k in (2, 3, 1, 5, 8, -1, -3)]

    def allowed(symbol: Any) -> list[Any]:
        values = integers if symbol.is_integer else steps
        return [v for v in values if not ((symbol.is_nonnegative and v < 0) or (symbol.is_nonpositive and v > 0))]

    columns = [allowed(symbol) for symbol in symbols]
    # first points whose coordinates differ, then all combinations
    longest = max(map(len, columns), default=1)
    yield from (
        {s: column[(k + j) % len(column)] for j, (s, column) in enumerate(zip(symbols, columns, strict=True))}
        for k in range(longest)
    )
    yield from (dict(zip(symbols, values, strict=True)) for values in islice(product(*columns), 3000))


# Identities and inequalities ------------------------------------------------------------------------------------


def identity(formula: Any, meaning: Meaning, about: str = "") -> Evidence:
    """Establish an equation by simplifying its difference to zero, or refute it at a rational point."""
    try:
        sides = [entries(scalar(evaluate(side, meaning))) for side in (formula.lhs, formula.rhs)]
    except (sp.ShapeError, sp.matrices.exceptions.NonInvertibleMatrixError) as error:
        return Evidence(False, f"it is not well formed: {error}")
    if len(sides[0]) != len(sides[1]):
        return Evidence(False, f"its sides have {len(sides[0])} and {len(sides[1])} entries")
    differences = [a - b for a, b in zip(*sides, strict=True)]
    rest = [difference for difference in differences if sp.expand(difference) != 0]
    for difference in rest:
        unknown = _atoms(difference)
        for point in islice(grid(unknown.values()), 20):
            if not _consistent(unknown, point):
                continue
            value = difference.xreplace({atom: point[symbol] for atom, symbol in unknown.items()})
            if sign(value) in (1, -1):
                return Evidence(False, f"the sides differ by {_short(value)} at {_where(point)}")
    if all(sp.simplify(difference) == 0 for difference in rest):
        return Evidence(True, f"the difference of the sides simplifies to 0{about and '; ' + about}")
    return Evidence(None, "the difference neither simplifies to 0 nor is seen to differ from it")


def _atoms(expression: Any) -> dict[Any, Any]:
    """Return the free symbols, and a symbol for each value of an unknown function that they are the arguments of."""
    known = {*_FUNCTIONS, sp.Max, sp.Min}
    taken = {f: sp.Symbol(show(f), real=True) for f in expression.atoms(sp.Function) if f.func not in known}
    return {**taken, **{symbol: symbol for symbol in expression.free_symbols}}


def _consistent(unknown: Mapping[Any, Any], point: Mapping[Any, Any]) -> bool:
    """Whether no unknown function is given two values at one argument."""
    calls = [atom.func(*(argument.subs(point) for argument in atom.args)) for atom in unknown if not atom.is_Symbol]
    return len(set(calls)) == len(calls)


def inequality(formula: Any, meaning: Meaning, about: str = "") -> Evidence:
    """Establish an inequality from the signs that SymPy sees in the factored difference, or refute it at a point.

    Hypotheses enter through ``meaning``: ``a ≥ b`` as ``a = b + s`` with a nonnegative symbol s.
    """
    large, small = (formula.lhs, formula.rhs) if isinstance(formula, sp.Ge | sp.Gt) else (formula.rhs, formula.lhs)
    strict = isinstance(formula, sp.Gt | sp.Lt)
    difference = scalar(evaluate(large, meaning)) - scalar(evaluate(small, meaning))
    for rewrite in (sp.expand, sp.factor, sp.simplify):
        form = difference = rewrite(difference)
        if form.is_positive or (form.is_nonnegative and not strict):
            relation = ">" if strict else "≥"
            return Evidence(True, f"the difference is {_short(form)} {relation} 0{about and '; ' + about}")
    for point in islice(grid(difference.free_symbols), 1000):
        value = sign(difference.subs(point))
        if value == -1 or (value == 0 and strict):
            return Evidence(False, f"it fails at {_where(point)}")
    return Evidence(None, f"the sign of {_short(difference)} is not seen")


def _where(point: Mapping[Any, Any]) -> str:
    if len(point) > 6:
        return f"a rational point ({len(point)} numbers)"
    return ", ".join(f"{symbol} = {value}" for symbol, value in point.items()) or "every point"


def _short(expression: Any) -> str:
    text = show(expression)
    if len(text) > 60 and not expression.free_symbols and not expression.atoms(sp.Function):
        text = str(sp.N(expression, 4))
    return text if len(text) <= 60 else f"a sum of {len(sp.Add.make_args(sp.expand(expression)))} terms"


def linear_flow(exponent: Any, time: Any, rate: Any = 1) -> Evidence:
    """Establish that ``X = exp(exponent · M)`` solves ``X' = −rate · M X``, ``X(0) = I``, for symmetric M.

    In an eigenbasis of M both are statements about one eigenvalue.
    """
    eigenvalue = sp.Symbol("λ_i", real=True)
    flow = sp.exp(exponent * eigenvalue)
    defects = [flow.subs(time, 0) - 1, flow.diff(time) + rate * eigenvalue * flow]
    if all(sp.simplify(defect) == 0 for defect in defects):
        return Evidence(True, "along every eigenvector the exponential is 1 at time 0 and solves the equation")
    point = {symbol: sp.Rational(k + 2, 3) for k, symbol in enumerate(sorted({*flow.free_symbols, time}, key=str))}
    wrong = any(sign(defect.subs(point)) in (1, -1) for defect in defects)
    return Evidence(False if wrong else None, "along an eigenvector the exponential does not solve the equation")


# Statistics -----------------------------------------------------------------------------------------------------


def tail(successes: int, trials: int, probability: Fraction) -> flint.arb:
    """Enclose ``P(Bin(trials, probability) ≥ successes)``: the Clopper–Pearson p-value."""
    p = flint.arb(flint.fmpq(probability.numerator, probability.denominator))
    term = flint.arb(comb(trials, successes)) * p**successes * (1 - p) ** (trials - successes)
    total = term
    for k in range(successes, trials):
        term = term * (trials - k) / (k + 1) * p / (1 - p)
        total += term
    return total


def at_least(successes: int, trials: int, probability: Fraction, level: Fraction = Fraction(1, 1000)) -> bool:
    """Whether the Clopper–Pearson lower confidence limit exceeds ``probability`` (which is below 1)."""
    with flint.ctx.workprec(BITS):
        return bool(tail(successes, trials, probability) < flint.arb(flint.fmpq(level.numerator, level.denominator)))


# Showing --------------------------------------------------------------------------------------------------------


class _Printer(sp.printing.str.StrPrinter):  # type: ignore[misc]
    """Equations as equations, transposes and inverses as superscripts."""

    def _print_Relational(self, node: Any) -> str:
        sign = {"==": "=", ">=": "≥", "<=": "≤", "!=": "≠"}.get(node.rel_op, node.rel_op)
        return f"{self._print(node.lhs)} {sign} {self._print(node.rhs)}"

    def _print_Transpose(self, node: Any) -> str:
        return f"{self.parenthesize(node.arg, 100)}ᵀ"

    def _print_Inverse(self, node: Any) -> str:
        return f"{self.parenthesize(node.arg, 100)}⁻¹"

    def _print_Sum(self, node: Any) -> str:
        indices = "".join(self._print(limit[0]) for limit in node.limits)
        return f"Σ_{indices}({self._print(node.function)})"

    def _print_Infinity(self, node: Any) -> str:
        return "∞"

    def _print_And(self, node: Any) -> str:
        return " and ".join(self._print(part) for part in node.args)


def show(formula: Any) -> str:
    """Return a formula as one line of text."""
    return str(_Printer().doprint(formula)).replace("**", "^")


class Symbols:
    """The number context of SymPy expressions: the checker's bounds read as formulas."""

    pi = sp.pi
    sqrt = staticmethod(sp.sqrt)
    exp = staticmethod(sp.exp)
    log = staticmethod(sp.log)

    @staticmethod
    def rational(value: Fraction | int) -> Any:
        """Return an exact rational."""
        return sp.Rational(Fraction(value).numerator, Fraction(value).denominator)


SYMBOLS: Any = Symbols()

"""Small networks and flows in symbols, for every smooth activation at once: what the symbols of a formula mean.

A network of two or three neurons proves an identity between sums over neurons, because both sides are polynomials
that treat all neurons alike; the general step is argued in ``docs/claims.md``.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import sympy as sp


class Psi(sp.Function):  # type: ignore[misc]
    """``Psi(k, z)``: the k-th derivative of an arbitrary smooth activation at z, a number of which nothing is known."""

    nargs = 2

    def _eval_derivative(self, symbol: Any) -> Any:
        order, argument = self.args
        inner = argument.diff(symbol)
        return inner * Psi(order + 1, argument) if inner != 0 else sp.S.Zero

    def _sympystr(self, printer: Any) -> str:
        order, argument = self.args
        return f"ψ{chr(39) * int(order)}({printer._print(argument)})"


def psi(argument: Any, order: int = 0) -> Any:
    """Return the activation, or a derivative of it, at ``argument``."""
    return Psi(sp.Integer(order), argument)


def equation(left: Any, right: Any) -> Any:
    """Return an equation that SymPy leaves as it is."""
    return sp.Eq(left, right, evaluate=False)


# The vocabulary of the formulas ---------------------------------------------------------------------------------

# indices: samples α, β, γ, s and neurons i; n neurons, m samples (Bowman has it the other way round)
alpha, beta, gamma, i, s = sp.symbols("α β γ i s", integer=True, positive=True)
n, m = sp.symbols("n m", integer=True, positive=True)
# G[α,β] = x^α·x^β, h[i,α] = w_i·x^α, W[i] output weights, f network, y labels, K tangent kernel
G, h, W, f, y, K = (sp.IndexedBase(name) for name in ("G", "h", "W", "f", "y", "K"))
# matrices of a network with two outputs (samples) and three parameters
J, H = sp.MatrixSymbol("J", 2, 3), sp.MatrixSymbol("H", 2, 2)
r, g, v = (sp.MatrixSymbol(name, 2, 1) for name in ("r", "(∂_u L)", "v"))


def number(name: str) -> Any:
    """Return a 1×1 matrix symbol: the name of a number that a matrix product gives."""
    return sp.MatrixSymbol(name, 1, 1)


def column(name: str, rows: int = 2) -> Any:
    """Return a column of unknowns under one name."""
    return sp.MatrixSymbol(name, rows, 1)


# Networks -------------------------------------------------------------------------------------------------------


class TwoLayer:
    """``f(x) = n^{-1/2} Σ_i W_i ψ(w_i·x)`` in symbols, all parameters trained.

    Args:
        neurons, inputs, samples: sizes.
    """

    def __init__(self, neurons: int = 2, inputs: int = 2, samples: int = 3) -> None:
        self.neurons, self.inputs, self.samples = neurons, inputs, samples
        self.weights = sp.symbols(f"W1:{neurons + 1}", real=True)
        self.rows = [sp.symbols(f"w{j + 1}_1:{inputs + 1}", real=True) for j in range(neurons)]
        self.points = [sp.symbols(f"x{a + 1}_1:{inputs + 1}", real=True) for a in range(samples)]
        self.labels = sp.symbols(f"y1:{samples + 1}", real=True)
        self.parameters = [*self.weights, *(w for row in self.rows for w in row)]

    def inner(self, a: int, b: int) -> Any:
        """``x^a·x^b``, samples counted from 1."""
        return sum(s * t for s, t in zip(self.points[a - 1], self.points[b - 1], strict=True))

    def preactivation(self, j: int, a: int) -> Any:
        """``w_j·x^a``."""
        return sum(s * t for s, t in zip(self.rows[j - 1], self.points[a - 1], strict=True))

    def output(self, a: int) -> Any:
        """``f(x^a)``."""
        terms = (self.weights[j - 1] * psi(self.preactivation(j, a)) for j in range(1, self.neurons + 1))
        return sum(terms) / sp.sqrt(self.neurons)

    @cache  # noqa: B019 (few models, alive as long as the process)
    def gradient(self, a: int) -> Any:
        """``∇_θ f(x^a)`` as a column."""
        return sp.Matrix([sp.diff(self.output(a), p) for p in self.parameters])

    @cache  # noqa: B019
    def hessian(self, a: int) -> Any:
        """``∇²_θ f(x^a)``."""
        return sp.Matrix([[sp.diff(entry, p) for p in self.parameters] for entry in self.gradient(a)])

    def kernel(self, a: int, b: int) -> Any:
        """``∇f(x^a)·∇f(x^b)``."""
        return self.gradient(a).dot(self.gradient(b))

    @cached_property
    def velocity(self) -> Any:
        """``−∇_θ L`` for ``L = Σ (f − y)²/(2m)``, by differentiating L."""
        loss = sum((self.output(a) - self.labels[a - 1]) ** 2 for a in range(1, self.samples + 1)) / (2 * self.samples)
        return sp.Matrix([-sp.diff(loss, p) for p in self.parameters])

    def along_flow(self, expression: Any) -> Any:
        """``∂_t`` of an expression in the parameters, along gradient flow."""
        terms = (sp.diff(expression, p) * v for p, v in zip(self.parameters, self.velocity, strict=True))
        return sum(terms)

    @cached_property
    def meaning(self) -> dict[Any, Any]:
        """What the symbols of a formula mean; the samples α, β, γ are the first three."""
        return {
            alpha: 1,
            beta: min(2, self.samples),
            gamma: min(3, self.samples),
            n: self.neurons,
            m: self.samples,
            G: self.inner,
            h: self.preactivation,
            W: lambda j: self.weights[j - 1],
            f: self.output,
            y: lambda a: self.labels[a - 1],
            K: self.kernel,
        }


@cache
def two_layer(neurons: int = 2, inputs: int = 2, samples: int = 3) -> TwoLayer:
    """Return a network, made once."""
    return TwoLayer(neurons, inputs, samples)


class GenericFlow:
    """Gradient flow of any loss of any outputs ``u_1, u_2`` of any parameters ``θ_1, θ_2, θ_3``, at one point.

    Outputs and loss are polynomials of degree two with free coefficients: every value, gradient and Hessian occurs, so
    an identity between first derivatives along the flow that holds for them holds for all smooth networks.

    Args:
        squared: the loss is ``½‖u − y‖²`` in place of a free one.
    """

    def __init__(self, squared: bool) -> None:
        theta = sp.symbols("θ1:4", real=True)
        start = dict.fromkeys(theta, 0)
        outputs = sp.Matrix([_quadratic(f"u{k}", theta) for k in (1, 2)])
        u = sp.symbols("z1:3", real=True)
        labels = sp.Matrix(sp.symbols("y1:3", real=True))
        loss = sum((s - t) ** 2 for s, t in zip(u, labels, strict=True)) / 2 if squared else _quadratic("l", u)
        total = loss.subs(dict(zip(u, outputs, strict=True)))
        gradient = sp.Matrix([sp.diff(total, p).subs(start) for p in theta])
        time = sp.Symbol("t")
        path = {p: -time * s for p, s in zip(theta, gradient, strict=True)}
        jacobian = outputs.jacobian(theta).subs(start)
        values = dict(zip(u, outputs.subs(start), strict=True))
        self.meaning: dict[Any, Any] = {
            J: jacobian,
            H: jacobian * jacobian.T,
            g: sp.Matrix([sp.diff(loss, s) for s in u]).subs(values),
            r: outputs.subs(start) - labels,
            sp.MatrixSymbol("(∂_θ L)", 3, 1): gradient,
            column("∂_t r"): outputs.subs(path).diff(time).subs(time, 0),
            number("∂_t L"): sp.Matrix([total.subs(path).diff(time).subs(time, 0)]),
            number("2 L"): sp.Matrix([2 * total.subs(start)]),
        }


def _quadratic(name: str, variables: Any) -> Any:
    """Return a polynomial of degree two with free coefficients."""
    result = sp.Symbol(f"{name}_0", real=True)
    for a, s in enumerate(variables):
        result += sp.Symbol(f"{name}_{a}'", real=True) * s
        for b, t in enumerate(variables[a:], a):
            result += sp.Symbol(f"{name}_{a}{b}", real=True) * s * t
    return result


@cache
def generic_flow(squared: bool = True) -> GenericFlow:
    """Return the flow of the squared or of a free loss, made once."""
    return GenericFlow(squared)


# Gaussian expectations ------------------------------------------------------------------------------------------


def gaussian_moment(polynomial: Any, variables: Any) -> Any:
    """Return ``E p(Z)`` for independent standard normal variables."""
    poly = sp.Poly(sp.expand(polynomial), *variables)
    total = sp.S.Zero
    for powers, coefficient in poly.terms():
        if all(power % 2 == 0 for power in powers):
            total += coefficient * sp.prod([sp.factorial2(power - 1) if power else 1 for power in powers])
    return sp.expand(total)

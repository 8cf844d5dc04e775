"""The bounds that several theorems of convergence share, over any number context.

Trusted.  ``σ_0 ≤ σ_min(J(θ_0))``, ``ρ_0 ≥ ‖r_0‖``, ``ε(s) = a + b s`` bounds the change of J at the distance s.
``docs/proofs/convergence.md``, ``docs/proofs/relu-descent.md``, ``docs/proofs/tube.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Numbers, Scalars

DYNAMICS = {"flow": "gradient flow on ½‖r‖²", "descent": "exact gradient descent on ½‖r‖²"}


def spent_residual(numbers: Numbers, sigma: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``Φ(R)``: a path of length ``R`` spends at least this much of the residual."""
    return (sigma - offset) * radius - slope * radius * radius / 2


def least_singular_value(numbers: Numbers, sigma: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``σ_* = σ_0 − ε(R) ≤ σ_min(J)`` in the ball of radius ``R``."""
    return sigma - offset - slope * radius


def kernel_deviation(numbers: Numbers, norm: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``‖H(θ) − H(θ_0)‖ ≤ (2‖J_0‖ + ε) ε``."""
    deviation = offset + slope * radius
    return (2 * norm + deviation) * deviation


def descent_factor(numbers: Numbers, step: Any, norm: Any, slope: Any, residual: Any) -> Any:
    """``κ = 1 − ηβ²/2 − ηΛρ_0/2``: what a step of descent keeps of the flow's progress."""
    return 1 - step * (norm * norm + slope * residual) / 2


def descent_rate(numbers: Numbers, factor: Any, step: Any, sigma: Any) -> Any:
    """``(2x − x²)/η`` with ``x = κησ_*²``: ``‖r‖`` shrinks by ``1 − x``, the loss by ``(1 − x)² = 1 − η rate``."""
    x = factor * step * sigma * sigma
    return (2 * x - x * x) / step


def growth(numbers: Numbers, h: Any, s: Any) -> Any:
    """``G(w) = (e^w − 1)/w`` at ``w = h²/s²``."""
    w = h * h / (s * s)
    return (numbers.exp(w) - 1) / w


def kept(numbers: Numbers, step: Any, norm: Any) -> Any:
    """``κ = 1 − ηβ²/2``."""
    return 1 - step * norm * norm / 2


def descent_spending(numbers: Numbers, factor: Any, sigma: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``κΦ(R) − Rε(R)``: a path of length R of gradient descent spends at least this much of the residual."""
    spent = (sigma - offset) * radius - slope * radius * radius / 2
    return factor * spent - radius * (offset + slope * radius)


def shrinking(numbers: Numbers, factor: Any, step: Any, sigma: Any, offset: Any, slope: Any, radius: Any) -> Any:
    """``x = ησ_*(κσ_* − ε(R))``, ``σ_* = σ_0 − ε(R)``: a step shrinks the residual by ``1 − x``."""
    deviation = offset + slope * radius
    least = sigma - deviation
    return step * least * (factor * least - deviation)


def residual_integral(numbers: Scalars, omega: Any, sigma: Any, deviation: Any) -> Any:
    """``∫‖r‖ ≤ ωσ_0/((σ_0 − ε)(σ_0 − 2ε))``."""
    return omega * sigma / ((sigma - deviation) * (sigma - 2 * deviation))


def tube_radius(numbers: Scalars, omega: Any, sigma: Any, deviation: Any) -> Any:
    """``2ω(σ_0 − ε)²/(σ_0(σ_0 − 2ε)) ≥ ‖θ_t − θ_0‖``."""
    least = sigma - deviation
    return 2 * omega * least * least / (sigma * (sigma - 2 * deviation))

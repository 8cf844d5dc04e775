"""How fast the Jacobian of a network with given weights can change in a ball around them.

Trusted.  The parameters ``θ_0`` are known, so what the bounds start from, a `Profile`, is certified for them.  Proofs:
``docs/proofs/local-deviation.md``.  Notation, for sample i and layers l = 1 … L, L = D + 1:
``z^l = s_l W^l x^{l−1} + β b^l``, ``x^l = σ(z^l)``, ``f = z^L``; ``f̃^{l−1} = (s_l x^{l−1}, β)`` is what multiplies the
parameters of layer l, without the β if its bias is not trained; ``g^l = ∂f/∂z^l``, ``h^l = ∂f/∂x^l``, ``g^L = 1``;
``B1``, ``B2``, ``B3`` bound ``|σ'|``, ``|σ''|``, ``|σ'''|``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ntkproof.checker.arithmetic.protocols import Numbers

ROUNDS = 6  # squarings for the norm of the matrix of layers: at most a factor L^{1/128} is lost


@dataclass(frozen=True)
class Profile:
    """Upper bounds at ``θ_0``: rationals, or numbers of one context.  Lists go by layer, from layer 1.

    Of vectors and matrices that belong to one sample, the bound is for all samples.  ``F^l`` and ``G^l`` have a row
    for each sample, ``f̃^{l−1}`` and ``g^l``.  Norms are Euclidean for vectors and spectral for matrices.

    Args:
        trained: the number of trained layers, 1 (the first) or L (all).
        scales: ``s_l``, with σ_w in it.
        slope, curvature, jerk: ``B1``, ``B2``, ``B3``; ``B3`` is used for D ≥ 2 only.
        weights: ``‖W^l‖``, l ≤ L.
        features: ``‖f̃^{l−1}‖``, l ≤ L.
        sensitivities: ``‖g^l‖``, l ≤ L; the last is 1.
        h: ``max_r |h^l_r|``, l ≤ D.
        feature_norms: ``‖F^l‖``, l ≤ L.
        sensitivity_norms: ``‖G^l‖``, l ≤ L; the last is √n.
        feature_pairs: ``[k][j]``, j ≤ k ≤ D: ``‖F^jF^jᵀ ∘ F^kF^kᵀ‖^{1/2}``.
        mixed_pairs: ``[k][j]``, j < k ≤ L: ``‖F^jF^jᵀ ∘ G^kG^kᵀ‖^{1/2}``; so the first list is empty.
        columns: ``max_r ‖W^l e_r‖``, l ≤ L, the longest column; that of ``W¹`` is not used.
        P: ``[l][j]``, j < l ≤ D: ``‖P^{lj}‖``, ``P^{lj} = ∂z^l/∂z^j``; the first list is empty.
        P_rows: ``[l][j]``, j < l ≤ D: ``max_r ‖e_rᵀP^{lj}‖``; the first list is empty.
        Q: ``[l][j]``, j < l ≤ D: ``‖Q^{lj}‖``, ``Q^{lj} = ∂x^l/∂z^j``; the first list is empty.
        E: ``[l][j]``, j ≤ l ≤ D: ``‖E^{lj}‖``, ``E^{lj} = ∂g^l/∂z^j``, the other parameters fixed; the last
            list is without j = l = D.
        jacobian: ``‖J(θ_0)‖``.
    """

    trained: int
    scales: tuple[Any, ...]
    slope: Any
    curvature: Any
    jerk: Any
    weights: tuple[Any, ...]
    features: tuple[Any, ...]
    sensitivities: tuple[Any, ...]
    h: tuple[Any, ...]
    feature_norms: tuple[Any, ...]
    sensitivity_norms: tuple[Any, ...]
    feature_pairs: tuple[tuple[Any, ...], ...]
    mixed_pairs: tuple[tuple[Any, ...], ...]
    columns: tuple[Any, ...]
    P: tuple[tuple[Any, ...], ...]
    P_rows: tuple[tuple[Any, ...], ...]
    Q: tuple[tuple[Any, ...], ...]
    E: tuple[tuple[Any, ...], ...]
    jacobian: Any

    def within(self, numbers: Numbers) -> Profile:
        """Return the same as numbers of a context."""

        def convert(value: Any) -> Any:
            return tuple(map(convert, value)) if isinstance(value, tuple) else numbers.rational(value)

        read = {each.name: convert(getattr(self, each.name)) for each in fields(self) if each.name != "trained"}
        return Profile(trained=self.trained, **read)


# The bounds, over any number context ----------------------------------------------------------------------------


class Ball:
    """What holds at every θ of the ball: bounds as in `Profile`, lists by layer from 0, D of the layers hidden.

    Each is the bound at ``θ_0`` plus R times the length of a *rate*: a list with an entry for each trained layer,
    how fast the quantity can change per unit of the parameters of that layer.

    Args:
        numbers: the number context.
        profile: the bounds at ``θ_0``, numbers of this context.
        radius: R.
    """

    def __init__(self, numbers: Numbers, profile: Profile, radius: Any) -> None:
        self.numbers, self.profile, self.radius = numbers, profile, radius
        self.hidden, self.zero = len(profile.h), numbers.rational(0)
        still = [self.zero] * profile.trained
        self.gains = [  # s_l ‖W^l‖
            scale * self._in_ball(profile.weights, layer) for layer, scale in enumerate(profile.scales)
        ]
        self.features, self.feature_norms = [profile.features[0]], [profile.feature_norms[0]]
        self.feature_rates = [still]
        self.P: list[list[Any]] = []
        self.P_rows: list[list[Any]] = []
        self.Q: list[list[Any]] = []
        self.moves: list[list[Any]] = []  # rates of z^l
        self.slope_rates: list[list[Any]] = []  # of σ'(z^l), in the maximum norm
        for layer in range(self.hidden):
            self._up(layer)
        self.E: list[list[Any]] = [[None] * (layer + 1) for layer in range(self.hidden)]  # None: not yet bounded
        self.sensitivities, self.sensitivity_norms = list(profile.sensitivities), list(profile.sensitivity_norms)
        self.h = list(profile.h)
        self.turns: list[Any] = [None] * self.hidden + [still]  # rates of g^l
        self.sways: list[Any] = [None] * self.hidden  # rates of σ''(z^l) ∘ h^l, in the maximum norm
        for layer in reversed(range(self.hidden)):
            self._down(layer)

    def _up(self, layer: int) -> None:
        """Bound ``∂z^l/∂z^j``, ``∂x^l/∂z^j`` and ``x^l`` from the layers below."""
        profile, below = self.profile, range(layer)
        P, P_rows = ([None] * layer + [self.numbers.rational(1)] for _ in range(2))
        for j in reversed(below):
            P[j] = profile.P[layer][j] + self._change(self._chain(P, layer, j))
            P_rows[j] = profile.P_rows[layer][j] + self._change(self._chain(P_rows, layer, j))
        self.P.append(P)
        self.P_rows.append(P_rows)
        self.moves.append(self._by_layer(norm * a for norm, a in zip(P_rows, self.features, strict=True)))
        self.slope_rates.append(_times(profile.curvature, self.moves[layer]))
        Q = [None] * layer + [profile.slope]
        for j in reversed(below):
            rates = [_times(P[j], self.slope_rates[layer]), *self._chain(Q, layer, j)]
            Q[j] = profile.Q[layer][j] + self._change(rates)
        self.Q.append(Q)
        scale = profile.scales[layer + 1]
        rate = _times(scale, self._by_layer(norm * a for norm, a in zip(Q, self.features, strict=True)))
        norms = _times(scale, self._by_layer(norm * a for norm, a in zip(Q, self.feature_norms, strict=True)))
        self.feature_rates.append(rate)
        self.features.append(profile.features[layer + 1] + self._change([rate]))
        self.feature_norms.append(profile.feature_norms[layer + 1] + self._change([norms]))

    def _chain(self, upper: list[Any], layer: int, j: int) -> list[list[Any]]:
        """Rates of a product of layers, from ``z^j`` to layer l, by its weights and by the slopes between them.

        ``upper[m]`` bounds the factor above layer m, j < m ≤ l.
        """
        scales = self.profile.scales
        return [
            *(self._unit(upper[m] * scales[m] * self.Q[m - 1][j], m) for m in range(j + 1, layer + 1)),
            *(_times(upper[m + 1] * self.gains[m + 1] * self.P[m][j], self.slope_rates[m]) for m in range(j, layer)),
        ]

    def _down(self, layer: int) -> None:
        """Bound ``∂g^l/∂z^j``, j ≤ l, and ``g^l`` from the layers above."""
        profile, above, scales = self.profile, layer + 1, self.profile.scales
        pull = _plus(  # rate of h^l
            [
                self._unit(scales[above] * self.sensitivities[above], above),
                _times(scales[above] * self._in_ball(profile.columns, above), self.turns[above]),
            ]
        )
        h = self.h[layer] = profile.h[layer] + self._change([pull])
        self.sways[layer] = _plus([_times(profile.jerk * h, self.moves[layer]), _times(profile.curvature, pull)])
        for j in reversed(range(layer + 1)):
            if j == self.hidden - 1:  # the diagonal matrix σ''(z^D) ∘ h^D
                self.E[layer][j] = profile.curvature * h
            else:
                self.E[layer][j] = profile.E[layer][j] + self._change(self._rates_of_E(layer, j))
        self.turns[layer] = self._by_layer(self._turn(layer, self.features, self.sensitivities))
        norms = self._by_layer(self._turn(layer, self.feature_norms, self.sensitivity_norms))
        self.sensitivities[layer] = profile.sensitivities[layer] + self._change([self.turns[layer]])
        self.sensitivity_norms[layer] = profile.sensitivity_norms[layer] + self._change([norms])

    def _rates_of_E(self, layer: int, j: int) -> list[list[Any]]:
        """Rates of ``∂g^l/∂z^j = Σ_m (∂z^m/∂z^l)ᵀ diag(σ''(z^m) ∘ h^m) (∂z^m/∂z^j)``, m from l to D."""
        rates = [_times(self.P[m][layer] * self.P[m][j], self.sways[m]) for m in range(layer, self.hidden)]
        for moving, fixed in ((j, layer), (layer, j)):
            upper = [self._E(m, fixed) for m in range(self.hidden)]
            rates.extend(self._chain(upper, self.hidden - 1, moving))
        return rates

    def _E(self, one: int, other: int) -> Any:
        return self.E[max(one, other)][min(one, other)]

    def _turn(self, layer: int, features: list[Any], sensitivities: list[Any]) -> list[Any]:
        """How fast ``g^l`` changes by each layer, given the sizes of ``f̃`` and ``g``."""
        rate = [self.E[layer][k] * features[k] for k in range(layer + 1)]
        for k in range(layer + 1, self.hidden + 1):
            through = self.profile.scales[k] * self.Q[k - 1][layer] * sensitivities[k]
            rate.append(through + self.E[k][layer] * features[k] if k < self.hidden else through)
        return rate

    def _in_ball(self, norms: tuple[Any, ...], layer: int) -> Any:
        """Return a norm of a layer's weights, with what they can move."""
        return norms[layer] + self.radius if layer < self.profile.trained else norms[layer]

    def _unit(self, value: Any, layer: int) -> list[Any]:
        return self._by_layer([self.zero] * layer + [value])

    def _by_layer(self, entries: Iterable[Any]) -> list[Any]:
        """Return a rate: the entries of the trained layers, 0 where there is none."""
        kept = list(entries)[: self.profile.trained]
        return kept + [self.zero] * (self.profile.trained - len(kept))

    def _change(self, rates: list[list[Any]]) -> Any:
        return self.radius * _length(self.numbers, _plus(rates))

    def pair(self, k: int, j: int) -> Any:
        """Bound ``‖F^jF^jᵀ ∘ F^kF^kᵀ‖^{1/2}``."""
        rates = [
            _times(self.feature_norms[k], self.feature_rates[j]),
            _times(self.feature_norms[j], self.feature_rates[k]),
        ]
        return self.profile.feature_pairs[k][j] + self._change(rates)

    def mixed_pair(self, k: int, j: int) -> Any:
        """Bound ``‖F^jF^jᵀ ∘ G^kG^kᵀ‖^{1/2}``."""
        rates = [
            _times(self.sensitivity_norms[k], self.feature_rates[j]),
            _times(self.feature_norms[j], self.turns[k]),
        ]
        return self.profile.mixed_pairs[k][j] + self._change(rates)

    def entry(self, k: int, j: int) -> Any:
        """Bound ``M_kj``, j ≤ k: the change of block k of J per unit of the parameters of layer j."""
        own = self.E[k][j] * self.pair(k, j) if k < self.hidden else self.zero
        return own + self.profile.scales[k] * self.Q[k - 1][j] * self.mixed_pair(k, j) if j < k else own


def lipschitz(numbers: Numbers, profile: Profile, radius: Any) -> Any:
    """Return ``Λ(R) ≥ ‖M‖``, a Lipschitz constant of J on the ball of radius R; it does not decrease in R."""
    ball = Ball(numbers, profile, radius)
    lower = [[ball.entry(k, j) for j in range(k + 1)] for k in range(profile.trained)]
    layers = range(profile.trained)
    return spectral(numbers, [[lower[max(k, j)][min(k, j)] for j in layers] for k in layers])


def jacobian_norm(numbers: Numbers, profile: Profile, radius: Any) -> Any:
    """Return ``‖J_0‖ + Λ(R) R``, at least ``‖J(θ)‖`` in the ball."""
    return profile.jacobian + lipschitz(numbers, profile, radius) * radius


def spectral(numbers: Numbers, matrix: list[list[Any]], rounds: int = ROUNDS) -> Any:
    """Return ``‖M^{2^k}‖_F^{1/2^k} ≥ ‖M‖``, k ``rounds``, for a symmetric M, not 0; of one entry ≥ 0, itself."""
    if len(matrix) == 1:
        return matrix[0][0]
    length = _length(numbers, [entry for row in matrix for entry in row])
    if rounds == 0:
        return length
    unit = [[entry / length for entry in row] for row in matrix]
    square = [[_sum([a * b for a, b in zip(row, other, strict=True)]) for other in unit] for row in unit]
    return length * numbers.sqrt(spectral(numbers, square, rounds - 1))


def _times(factor: Any, rate: list[Any]) -> list[Any]:
    return [factor * entry for entry in rate]


def _plus(rates: list[list[Any]]) -> list[Any]:
    return [_sum(list(entries)) for entries in zip(*rates, strict=True)]


def _length(numbers: Numbers, entries: list[Any]) -> Any:
    return numbers.sqrt(_sum([entry * entry for entry in entries]))


def _sum(entries: list[Any]) -> Any:
    total = entries[0]
    for entry in entries[1:]:
        total = total + entry
    return total

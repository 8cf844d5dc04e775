"""Weights of a network from files, and into them (``docs/weights.md``).

Untrusted: the statement that is proved is about the float64 numbers of `Weights`, which the
certificate contains.  The duty of this module is that those are the numbers of the file, or the nearest ones after a
change of parametrisation:

- **ntk** (Jacot et al. 2018, section 2): ``z¹ = σ_w s W¹x + β b¹`` and
  ``z^{l+1} = σ_w n_l^{-1/2} W^{l+1} σ(z^l) + β b^{l+1}``.
- **standard**, that of PyTorch: ``z^{l+1} = V^{l+1} σ(z^l) + c^{l+1}``.  The same function has
  ``W^{l+1} = V^{l+1} n_l^{1/2} / σ_w`` (``W¹ = V¹ / (σ_w s)``) and ``b^l = c^l / β``.

What the arrays of a file are called: `ntkproof.data.layouts`.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntkproof.certificate import write_files
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.dataset import Dataset
from ntkproof.checker.problem.network import Network
from ntkproof.checker.problem.problem import Problem
from ntkproof.checker.problem.weights import Weights
from ntkproof.data.files import Floats, printable, quoted
from ntkproof.data.layouts import ordered, require_layers, take_mirrored
from ntkproof.data.tensors import read_tensors

PARAMETRISATIONS = ("ntk", "standard")
_SPLITTER = 2.0**27 + 1
_BLOCK = 2**14


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """What a file of weights holds.

    Args:
        weights: its numbers, in whatever parametrisation they are.
        names: the names of the arrays in the file, layers before biases, each from the input to the output.
        dtypes: their types in the file.
        own_layout: whether it is an NPZ file with the names of `save_weights`, which is in NTK parametrisation unless
            someone says otherwise; of any other file it must be said.
    """

    weights: Weights
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    own_layout: bool

    def parametrisation(self, stated: str | None) -> str:
        """Return the parametrisation of the numbers: as stated, or the one that goes without saying.

        Raises:
            InputError: unknown, or neither stated nor known.
        """
        if stated is None and not self.own_layout:
            raise InputError(
                "is it the standard parametrisation, z = Wx + b, or the NTK parametrisation, z = σ_w n^(-1/2) Wx + βb? "
                "Say --parametrisation standard or ntk"
            )
        if stated is not None and stated not in PARAMETRISATIONS:
            raise InputError(f"unknown parametrisation {stated!r}; there are {', '.join(PARAMETRISATIONS)}")
        return stated or "ntk"


# Files ----------------------------------------------------------------------------------------------------------


def save_weights(weights: Weights, path: Path | str) -> None:
    """Write weights in NTK parametrisation to an NPZ file, atomically; equal weights give equal files.

    The arrays are ``W1 … W{D+1}``, ``b1 …`` if there are biases, and the boolean ``mirrored`` if it is true, as in
    `Weights`; numbers that all fit float16 or float32 are stored so.  The step size is not in the file.

    Raises:
        InputError: the name does not end with ``.npz``, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{printable(str(path))}: a file of weights must be called NAME.npz")
    arrays = {
        f"{letter}{k}": _shortest(array)
        for letter, group in (("W", weights.layers), ("b", weights.biases))
        for k, array in enumerate(group, 1)
    }
    if weights.mirrored:
        arrays["mirrored"] = np.array(True)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    write_files({path: stream.getvalue()})


def _shortest(array: Floats) -> NDArray[Any]:
    for dtype in ("<f2", "<f4"):
        with np.errstate(over="ignore", under="ignore"):
            short = array.astype(dtype)
        if (short.astype(np.float64) == array).all():
            return short
    return array.astype("<f8")


def open_weights(path: Path | str) -> WeightsFile:
    """Read a file of weights as it is: ``.npz``, ``.safetensors``, or ``.pt`` and ``.pth`` with PyTorch.

    Raises:
        InputError: unreadable, arrays that are unknown, missing or do not fit together, NaN, absurd sizes; one line
            that names the file and the array.
    """
    try:
        tensors = read_tensors(path)
        mirrored = take_mirrored(tensors)
        layers = ordered(tensors)
        require_layers(tensors, layers)
        matrices, vectors = [name for name, _ in layers], [bias for _, bias in layers if bias is not None]
        arrays, biases = (tuple(tensors[name].values for name in group) for group in (matrices, vectors))
        names = (*matrices, *vectors)
        own = Path(path).suffix.lower() == ".npz" and not any("." in name for name in names)
        return WeightsFile(Weights(arrays, biases, mirrored), names, tuple(tensors[name].dtype for name in names), own)
    except InputError as error:
        raise InputError(f"{printable(str(path))}: {error}") from None


def load_weights(path: Path | str, network: Network | None = None) -> Weights:
    """Read an NPZ file of `save_weights`, bit for bit; if a network is given, the weights must fit it.

    Raises:
        InputError: as `open_weights`, or the file is not of this kind.
    """
    found = open_weights(path)
    try:
        if not found.own_layout:
            raise InputError("not an NPZ file with the arrays W1, W2, …")
        if network is not None:
            _require_fit(found, network)
    except InputError as error:
        raise InputError(f"{printable(str(path))}: {error}") from None
    return found.weights


def read_weights(
    path: Path | str,
    network: Network,
    parametrisation: str | None = None,
    step_size: Fraction | int | float | str | None = None,
) -> Weights:
    """Read the weights of a network from a file, in NTK parametrisation.

    Args:
        path: as for `open_weights`.
        network: which they must fit; its σ_w, β and input scale define the parametrisation.
        parametrisation: of the numbers in the file, ``ntk`` or ``standard``; None is ``ntk`` for files of
            `save_weights`, and an error for others.
        step_size: the step of gradient descent, or None for gradient flow; about the weights returned.

    Raises:
        InputError: as `open_weights`; weights that do not fit the network or leave the range of float64.
    """
    return converted(path, open_weights(path), network, parametrisation, step_size)[0]


def converted(
    path: Path | str,
    found: WeightsFile,
    network: Network,
    parametrisation: str | None = None,
    step_size: Fraction | int | float | str | None = None,
) -> tuple[Weights, float]:
    """Return what `read_weights` does, and the largest relative rounding of `from_standard`.

    Raises:
        InputError: as `read_weights`.
    """
    try:
        kind = found.parametrisation(parametrisation)
        _require_fit(found, network)
        weights, rounding = from_standard(found.weights, network) if kind == "standard" else (found.weights, 0.0)
        return replace(weights, step_size=step_size), rounding
    except InputError as error:
        raise InputError(f"{printable(str(path))}: {error}") from None


def _require_fit(found: WeightsFile, network: Network) -> None:
    """Require what `Problem` does of weights and network; the data here are any of that dimension."""
    weights, d = found.weights, found.weights.layers[0].shape[1]
    if weights.biases and network.beta == 0:
        named = quoted(found.names[len(weights.layers)])
        raise InputError(f"the file has biases ({named} …), the network has none: say which β, such as --bias 1")
    Problem(Dataset(np.zeros((2, d)), np.zeros(2)), network, weights=weights)


# Parametrisations -----------------------------------------------------------------------------------------------


def from_standard(weights: Weights, network: Network) -> tuple[Weights, float]:
    """Return weights in NTK parametrisation, given those of the same function in standard parametrisation.

    Every number is the float64 nearest to the real one (up to 2^-50 of a unit in the last place).  The second result
    is the largest relative error of a number, in floating point; 0 if the conversion is exact, as it is for widths
    that are powers of 4 and σ_w = 1.

    Raises:
        InputError: a number leaves the normal range of float64, or β = 0 and there are biases.
    """
    widths = [len(layer) * (2 if weights.mirrored else 1) for layer in weights.layers[:-1]]
    first = weights.layers[0].shape[1] if network.input_scale == "fan-in" else 1
    squares = [Fraction(n) / network.sigma_w**2 for n in (first, *widths)]
    if weights.biases and network.beta == 0:
        raise InputError("biases need a bias scale β > 0")
    pairs = [
        *(
            _scaled(layer, square, f"W{k}")
            for k, (layer, square) in enumerate(zip(weights.layers, squares, strict=True), 1)
        ),
        *(_scaled(bias, 1 / network.beta**2, f"b{k}") for k, bias in enumerate(weights.biases, 1)),
    ]
    arrays, roundings = [array for array, _ in pairs], [rounding for _, rounding in pairs]
    depth = len(weights.layers)
    return replace(weights, layers=tuple(arrays[:depth]), biases=tuple(arrays[depth:])), max(roundings)


def _scaled(values: Floats, square: Fraction, name: str) -> tuple[Floats, float]:
    """Return the float64 numbers nearest to ``values · square^{1/2}`` and the largest relative error."""
    factor = _root(square)
    high = float(factor)
    low = float(factor - Fraction(high))
    scaled = np.empty_like(values)
    source, target, rounding = values.reshape(-1), scaled.reshape(-1), 0.0
    for k in range(0, values.size, _BLOCK):
        numbers, exponents, error = _times(source[k : k + _BLOCK], high, low)
        with np.errstate(over="ignore", under="ignore"):
            target[k : k + _BLOCK] = np.ldexp(numbers, exponents)
        lost = np.flatnonzero(np.ldexp(target[k : k + _BLOCK], -exponents) != numbers)
        if lost.size:
            where = [int(axis) for axis in np.unravel_index(k + lost[0], values.shape)]
            raise InputError(f"entry {where} of {name} leaves the range of float64 when it is converted")
        rounding = max(rounding, error)
    return scaled, rounding


def _times(values: Floats, high: float, low: float) -> tuple[Floats, NDArray[np.int32], float]:
    """Return ``values · (high + low)``, rounded, as numbers and exponents of 2, and the largest relative error.

    The product of mantissas with ``high`` is exact as a sum of two float64 (Dekker 1971).
    """
    mantissas, exponents = np.frexp(values)
    product = mantissas * high
    a, c = _head(mantissas), _head(high)
    b, d = mantissas - a, high - c
    tail = ((a * c - product) + a * d + b * c) + b * d + mantissas * low
    results = product + tail
    errors = np.abs((product - results) + tail)
    return results, exponents, float(np.max(errors / np.where(results == 0, 1, np.abs(results)), initial=0))


def _head(values: Any) -> Any:
    """Return the upper half of the bits of float64 numbers (Veltkamp 1968)."""
    product = values * _SPLITTER
    return product - (product - values)


def _root(square: Fraction) -> Fraction:
    """Return the square root of a positive rational, exact if it is rational, otherwise to some 190 bits."""
    return Fraction(math.isqrt(square.numerator * square.denominator << 400), square.denominator << 200)


def conversion_note(weights: Weights, rounding: float) -> str:
    """Return the sentence that a statement about converted weights needs beside it."""
    return (
        f"converted from the standard parametrisation, largest relative rounding {rounding:.2g}: the statement is "
        f"about the converted numbers (sha256 {weights.sha256[:16]}…) and about training them, which in the standard "
        "parametrisation is training with another step size for each layer"
    )


# Description ----------------------------------------------------------------------------------------------------


def describe_arrays(weights: Weights) -> list[dict[str, Any]]:
    """Return name, shape, largest magnitude, Frobenius norm and operator norm of every array, in floating point."""
    named = [
        *((f"W{k}", array) for k, array in enumerate(weights.layers, 1)),
        *((f"b{k}", array) for k, array in enumerate(weights.biases, 1)),
    ]
    return [{"name": name, "shape": list(array.shape), **_norms(array)} for name, array in named]


def _norms(array: Floats) -> dict[str, float]:
    largest = float(np.max(np.abs(array)))
    unit = np.atleast_2d(array / largest) if largest else np.atleast_2d(array)
    gram = unit @ unit.T if len(unit) <= unit.shape[1] else unit.T @ unit
    norm = largest * math.sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0))
    return {"largest": largest, "frobenius_norm": largest * float(np.linalg.norm(unit)), "operator_norm": norm}

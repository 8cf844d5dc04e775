"""The layers of a network in a file, found by the names of its arrays.

Arrays are known by one of three layouts of names: ``W1 … W{D+1}, b1 …``; ``W, a, b`` for one hidden layer with output
weights ``a``; ``NAME.weight, NAME.bias`` for the linear layers of a PyTorch ``state_dict``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np

from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.problem.network import MAX_DEPTH
from ntkproof.data.files import listed, quoted
from ntkproof.data.tensors import Tensor

_NUMBERED = re.compile(r"[Wb][1-9][0-9]?")
_LAYOUTS = "known are W1, b1, W2, … and mirrored; W, a, b; NAME.weight and NAME.bias"

Layer = tuple[str, str | None]  # the names of a matrix of weights and of its biases, if it has any


def take_mirrored(tensors: dict[str, Tensor]) -> bool:
    """Take the flag ``mirrored`` out of the arrays, and return it; False without one."""
    flag = tensors.pop("mirrored", None)
    if flag is not None and not flag.is_flag:
        raise InputError("array 'mirrored': expected one boolean")
    return flag is not None and bool(flag.values)


def ordered(tensors: dict[str, Tensor]) -> list[Layer]:
    """Return the layers from the input to the output, by one of the three layouts of names."""
    if not tensors:
        raise InputError("the file has no arrays of weights")
    if tensors.keys() <= {"W", "a", "b"}:
        return _two_layers(tensors)
    if any(_NUMBERED.fullmatch(name) for name in tensors):
        return _numbered(tensors)
    return _state_dict(tensors)


def _two_layers(tensors: dict[str, Tensor]) -> list[Layer]:
    for name, axes in (("W", 2), ("a", 1)):
        if name not in tensors:
            raise InputError(f"array {name!r} is missing: {_LAYOUTS}")
        _require_axes(name, tensors[name], axes)
    tensors["a"] = Tensor(tensors["a"].values[np.newaxis], tensors["a"].dtype)
    return [("W", "b" if "b" in tensors else None), ("a", None)]


def _numbered(tensors: dict[str, Tensor]) -> list[Layer]:
    depth = sum(name.startswith("W") for name in tensors)
    layers = [(f"W{k}", f"b{k}" if f"b{k}" in tensors else None) for k in range(1, depth + 1)]
    known = {name for layer in layers for name in layer}
    for name in tensors:
        if not _NUMBERED.fullmatch(name):
            raise InputError(f"array {quoted(name)} is unknown: {_LAYOUTS}")
    for name, _ in layers:
        if name not in tensors:
            raise InputError(f"array {name!r} is missing: the file has {listed(list(tensors))}")
    for name in tensors:
        if name not in known:
            raise InputError(f"array {quoted(name)}: there is no W{name[1:]}")
    return layers


def _state_dict(tensors: dict[str, Tensor]) -> list[Layer]:
    for name in tensors:
        if not name.endswith((".weight", ".bias")):
            raise InputError(f"array {quoted(name)} is unknown: {_LAYOUTS}")
        if name.endswith(".bias") and name.removesuffix("bias") + "weight" not in tensors:
            raise InputError(f"array {quoted(name)}: there is no weight beside this bias")
    stems = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]
    for stem in stems:
        _require_axes(f"{stem}.weight", tensors[f"{stem}.weight"], 2)
    if len(stems) > MAX_DEPTH + 1:
        raise InputError(f"{len(stems)} layers; at most {MAX_DEPTH + 1} are read")
    shapes = {stem: tensors[f"{stem}.weight"].values.shape for stem in stems}
    stems = _chain(shapes)
    return [(f"{stem}.weight", f"{stem}.bias" if f"{stem}.bias" in tensors else None) for stem in stems]


def _chain(shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """Return the one order of layers in which shapes fit and names that differ in numbers only are in their order.

    Layers that are called alike, such as ``net.0`` and ``net.2``, come in the order of their numbers, whether or not
    their shapes fit; the file's own order says nothing, for safetensors sorts by name.
    """
    families: dict[str, list[str]] = {}
    for name in sorted(shapes, key=lambda name: (_numbers(name), name)):
        families.setdefault(re.sub("[0-9]+", "0", name), []).append(name)
    if len(families) == 1:
        return next(iter(families.values()))
    orders = list(islice(_orders(shapes, list(families.values()), []), 2))
    if len(orders) == 1:
        return orders[0]
    shown = ", ".join(f"{quoted(name)} {_size(shape)}" for name, shape in shapes.items())
    if orders:
        raise InputError(f"the order of the layers {shown} is ambiguous; number them, as in net.0.weight, net.2.weight")
    raise InputError(f"the layers {shown} do not make a chain from the inputs to one output")


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall("[0-9]+", name)]


def _orders(shapes: dict[str, tuple[int, ...]], families: list[list[str]], after: list[str]) -> Iterator[list[str]]:
    """Yield the orders of the layers of all families that end with ``after``."""
    if not any(families):
        yield after
    needed = shapes[after[0]][1] if after else 1
    for k, family in enumerate(families):
        if family and shapes[family[-1]][0] == needed:
            yield from _orders(shapes, [*families[:k], family[:-1], *families[k + 1 :]], [family[-1], *after])


def _require_axes(name: str, tensor: Tensor, axes: int) -> None:
    shape = tensor.values.shape
    if len(shape) != axes:
        raise InputError(f"array {quoted(name)}: the shape is {_size(shape)}; {axes} dimension(s) are needed")


def require_layers(tensors: dict[str, Tensor], layers: list[Layer]) -> None:
    """Require matrices that fit each other and one output; biases of all layers, of none, or of one hidden layer."""
    for name, bias in layers:
        _require_axes(name, tensors[name], 2)
        if bias is not None:
            _require_axes(bias, tensors[bias], 1)
            entries, rows = len(tensors[bias].values), len(tensors[name].values)
            if entries != rows:
                raise InputError(f"array {quoted(bias)}: {entries} entries for the {rows} rows of {quoted(name)}")
    for (first, _), (second, _) in pairwise(layers):
        rows, columns = len(tensors[first].values), tensors[second].values.shape[1]
        if rows != columns:
            shown = f"takes {columns} inputs, {quoted(first)} before it has {rows} rows"
            raise InputError(f"array {quoted(second)}: {shown}")
    last = layers[-1][0]
    if len(tensors[last].values) != 1:
        raise InputError(f"array {quoted(last)}: {len(tensors[last].values)} outputs; only networks with one are read")
    lacking = [name for name, bias in layers if bias is None]
    if 0 < len(lacking) < len(layers) and (len(layers) > 2 or layers[0][1] is None):
        raise InputError(f"array {quoted(lacking[0])} has no biases, other layers have")


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"

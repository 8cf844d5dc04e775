"""What a statement is about: the dataset, the network and the kernel.

Trusted: the checker rebuilds these objects from a certificate, so their validation is part of the proof.
The data are the float64 numbers in the arrays, taken as exact real numbers; hyperparameters are exact
decimals.  Nothing here reads files of data (see ``ntkproof.datasets``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

MAX_ROWS = 20_000
MAX_COLUMNS = 100_000
MAX_DIMENSION = 1000
MAX_DEPTH = 10
MAX_LABEL = 2000
MAX_WIDTH = 10**60
MAX_WEIGHTS = 2**28
KERNELS = ("ntk", "nngp")
TRAINED = ("hidden", "output", "both", "all")
INPUT_SCALES = ("1", "fan-in")
INITS = ("signs", "balanced", "antisymmetric", "gaussian")
EXPRESSIONS = {
    "tanh": "tanh(x)",
    "sigmoid": "sigmoid(x)",
    "softplus": "softplus(x)",
    "gelu": "x*(1 + erf(x/sqrt(2)))/2",
    "silu": "x*sigmoid(x)",
    "gaussian": "exp(-x**2/2)",
}
ACTIVATIONS = ("relu", "leaky_relu", "abs", "identity", "erf", "sin", "cos", *EXPRESSIONS)
DEFAULT_LEAKY_SLOPE = Fraction(1, 100)
CONVERTERS: list[Callable[[Any], str]] = []  # from symbolic expressions to text; the text is what counts

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,399})(\.[0-9]{1,400})?(e-?(0|[1-9][0-9]{0,2}))?")


class InputError(ValueError):
    """The user's input is unusable; the message is one line that says what and where."""


def parse_decimal(text: str) -> Fraction:
    """Return the exact value of a decimal literal such as ``-1.25e-3``.

    At most 400 digits before and after the point, exponents of at most three digits.

    Raises:
        InputError: if ``text`` is anything else (``nan``, ``inf``, ``1_0``, ``+1``, ``.5`` …).
    """
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise InputError(f"not a decimal number: {str(text)[:60]!r}")
    return Fraction(text)


def exact(value: int | float | str | Fraction) -> Fraction:
    """Return a hyperparameter as an exact rational; a float means its shortest decimal (0.1 is 1/10)."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"not a number: {value!r}")
    text = value if isinstance(value, str) else repr(float(value)) if isinstance(value, float) else repr(int(value))
    return parse_decimal(text if isinstance(value, str) else text.replace("e+", "e").replace("e-0", "e-"))


def decimal(value: Fraction) -> str:
    """Return the decimal string of a rational whose denominator divides a power of ten.

    Raises:
        InputError: if the decimal expansion does not end.
    """
    rest, places = value.denominator, 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    for prime in (2, 5):
        while rest % prime == 0:
            rest, places = rest // prime, places + 1
    if rest != 1:
        raise InputError(f"{value} has no finite decimal expansion")
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset of ``n`` samples with ``d`` inputs: the float64 numbers themselves.

    Args:
        inputs: array of shape ``(n, d)``; converted to float64 only if that is exact.
        targets: array of shape ``(n,)`` or None.
        label: where the data came from; a comment, never part of a statement.

    Raises:
        InputError: wrong shape, fewer than two rows, absurd sizes, NaN or infinity, or a lossy conversion.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64] | None = None
    label: str = ""

    def __post_init__(self) -> None:
        if len(self.label) > MAX_LABEL or not self.label.isprintable():
            raise InputError(f"the label must be printable and at most {MAX_LABEL} characters")
        inputs = _float64(self.inputs, "inputs", 2)
        n, d = inputs.shape
        if n == 0 or d == 0:
            raise InputError(f"the dataset is empty: {n} rows, {d} columns")
        if n == 1:
            raise InputError("the dataset has one row; at least two are needed")
        if n > MAX_ROWS or d > MAX_COLUMNS:
            raise InputError(f"the dataset is {n} x {d}; the limits are {MAX_ROWS} rows and {MAX_COLUMNS} columns")
        object.__setattr__(self, "inputs", inputs)
        if self.targets is not None:
            targets = _float64(self.targets, "targets", 1)
            if targets.shape != (n,):
                raise InputError(f"{targets.shape[0]} targets for {n} rows")
            object.__setattr__(self, "targets", targets)

    @property
    def n(self) -> int:
        """Number of samples (rows)."""
        return int(self.inputs.shape[0])

    @property
    def d(self) -> int:
        """Number of inputs (columns)."""
        return int(self.inputs.shape[1])

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the inputs as little-endian float64 in row-major order, then of the targets if any."""
        digest = hashlib.sha256(self.inputs.astype("<f8").tobytes())
        if self.targets is not None:
            digest.update(self.targets.astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def exponent(self) -> int:
        """The largest ``k`` (at most 0 if all inputs are zero) such that ``inputs * 2**-k`` are integers."""
        numbers = self.inputs[self.inputs != 0]
        if numbers.size == 0:
            return 0
        mantissas, exponents = np.frexp(numbers)
        integers = (mantissas * 2.0**53).astype(np.int64)
        trailing = np.bitwise_count((integers & -integers) - 1).astype(np.int64)
        return int((exponents.astype(np.int64) - 53 + trailing).min())

    def integer_rows(self) -> list[list[int]]:
        """Return the integers ``inputs * 2**-exponent`` as ``n`` lists of ``d``."""
        shift = -self.exponent  # an entry is a/b with b a power of two; a 2^shift / b is an integer

        def scaled(value: float) -> int:
            a, b = value.as_integer_ratio()
            return (a << shift if shift > 0 else a >> -shift) // b

        return [[scaled(value) for value in row] for row in self.inputs.tolist()]


def _float64(array: Any, name: str, dimensions: int) -> NDArray[np.float64]:
    raw = np.asarray(array)
    if raw.ndim != dimensions:
        raise InputError(f"{name} must have {dimensions} dimension(s), not {raw.ndim}")
    if raw.dtype.kind not in "fiu":
        raise InputError(f"{name} must be real numbers, not {raw.dtype}")
    values = np.array(raw, dtype=np.float64, order="C")
    if not np.isfinite(values).all():
        where = ", ".join(str(int(k)) for k in np.argwhere(~np.isfinite(values))[0])
        raise InputError(f"{name} contain NaN or infinity at [{where}] (counted from 0)")
    if raw.dtype.kind == "f" and raw.dtype.itemsize > 8 and not (values.astype(raw.dtype) == raw).all():
        raise InputError(f"{name} of type {raw.dtype} do not fit float64 exactly")
    if raw.dtype.kind in "iu":
        large = np.abs(values) >= 2.0**53
        if any(int(integer) != int(number) for integer, number in zip(raw[large], values[large], strict=True)):
            raise InputError(f"{name} contain integers that do not fit float64 exactly")
    values.setflags(write=False)
    return values


@dataclass(frozen=True)
class Sphere:
    """The unit sphere ``S^{d−1}`` of ``ℝ^d`` with its uniform distribution, in place of a dataset.

    Args:
        dimension: ``d``, from 2 to 1000.

    Raises:
        InputError: another dimension.
    """

    dimension: int
    exponent: ClassVar[int] = 0  # as in `Dataset`: the inner products of points are numbers t in [-1, 1], unscaled

    def __post_init__(self) -> None:
        if type(self.dimension) is not int or not 2 <= self.dimension <= MAX_DIMENSION:
            raise InputError(f"the dimension must be an integer from 2 to {MAX_DIMENSION}, not {self.dimension!r}")

    @property
    def d(self) -> int:
        """Number of inputs, the dimension."""
        return self.dimension


@dataclass(frozen=True)
class Network:
    """A fully connected network in the NTK parametrisation (Jacot et al. 2018, section 2).

    ``z¹ = σ_w s W¹x + β b¹``, ``z^{l+1} = σ_w n_l^{-1/2} W^{l+1} σ(z^l) + β b^{l+1}``, ``f = z^{depth+1}``, all
    entries of the ``W`` and ``b`` standard normal, ``s = 1`` or ``d^{-1/2}``.

    Args:
        activation: ``relu``, ``leaky_relu(slope)``, ``abs``, ``identity``, ``erf``, ``sin``, ``cos``, one of
            `EXPRESSIONS`, ``expr(…)`` with an expression in x such as ``expr(x*tanh(x))``, or a SymPy expression.
        depth: number of hidden layers, 1 to 10.
        train: which parameters the NTK is taken over.  ``all`` (any depth): every weight and bias.  For depth 1
            also ``hidden`` (``W¹, b¹``), ``output`` (``W²``) and ``both`` (``W¹, b¹, W²``; no output bias, as in
            Du et al. 2019: there ``all`` and ``both`` differ by ``β²``).
        bias: ``β ≥ 0``; a float means its shortest decimal.
        weight_std: ``σ_w > 0``.
        input_scale: ``"1"`` or ``"fan-in"`` (``s = d^{-1/2}``).

    Raises:
        InputError: unknown names or values out of range.
    """

    activation: str = "relu"
    depth: int = 1
    train: str = "all"
    bias: Fraction | int | float | str = Fraction(0)
    weight_std: Fraction | int | float | str = Fraction(1)
    input_scale: str = "1"

    def __post_init__(self) -> None:
        text: Any = self.activation
        for convert in CONVERTERS if hasattr(text, "free_symbols") else ():
            text = convert(text)
        name, slope = split_activation(text)
        if slope is not None:
            name = f"{name}({decimal(slope)})"
        object.__setattr__(self, "activation", name)
        if type(self.depth) is not int or not 1 <= self.depth <= MAX_DEPTH:
            raise InputError(f"depth must be an integer from 1 to {MAX_DEPTH}, not {self.depth!r}")
        if self.train not in TRAINED:
            raise InputError(f"unknown train {self.train!r}; there are {', '.join(TRAINED)}")
        if self.depth > 1 and self.train != "all":
            raise InputError(f"train={self.train} is for depth 1; at depth {self.depth} use train=all")
        object.__setattr__(self, "bias", exact(self.bias))
        object.__setattr__(self, "weight_std", exact(self.weight_std))
        if not 0 <= self.beta <= 10**6:
            raise InputError(f"bias must be from 0 to 10^6, not {decimal(self.beta)}")
        if not Fraction(1, 10**6) <= self.sigma_w <= 10**6:
            raise InputError(f"weight std must be from 10^-6 to 10^6, not {decimal(self.sigma_w)}")
        if str(self.input_scale) not in INPUT_SCALES:
            raise InputError(f"unknown input scale {self.input_scale!r}; there are {', '.join(INPUT_SCALES)}")
        object.__setattr__(self, "input_scale", str(self.input_scale))

    @property
    def beta(self) -> Fraction:
        """The bias scale β."""
        return exact(self.bias)

    @property
    def sigma_w(self) -> Fraction:
        """The weight scale σ_w."""
        return exact(self.weight_std)


def split_activation(text: str) -> tuple[str, Fraction | None]:
    """Return the name of an activation and the slope of ``leaky_relu(slope)`` (0.01 if not given).

    The name of an expression is its canonical text: ``expr(x*tanh(x))``.

    Raises:
        InputError: unknown name (the message lists those that exist), a slope outside ``[-10, 10]``, or an
            expression outside the language of ``ntkproof.checker.expressions``.
    """
    if isinstance(text, str) and text.startswith("expr(") and text.endswith(")"):
        from ntkproof.checker.expressions import normalise  # which imports this module

        return f"expr({normalise(text[5:-1])})", None
    match = re.fullmatch(r"([a-z_]+)(?:\(([^()]*)\))?", text) if isinstance(text, str) else None
    if match is None or match[1] not in ACTIVATIONS:
        known = ", ".join("leaky_relu(slope)" if name == "leaky_relu" else name for name in ACTIVATIONS)
        raise InputError(f"unknown activation {str(text)[:60]!r}; there are {known}, expr(…)")
    if match[1] != "leaky_relu":
        if match[2] is not None:
            raise InputError(f"the activation {match[1]} takes no parameter")
        return match[1], None
    slope = DEFAULT_LEAKY_SLOPE if match[2] is None else parse_decimal(match[2])
    if abs(slope) > 10:
        raise InputError(f"the slope of leaky_relu must be from -10 to 10, not {match[2]}")
    return match[1], slope


def expression_of(name: str) -> str | None:
    """Return the expression in ``x`` of an activation that has no closed form here, given its canonical name."""
    return name[5:-1] if name.startswith("expr(") else EXPRESSIONS.get(name)


@dataclass(frozen=True)
class Training:
    """How a two-layer network of finite width is initialised and trained on the loss ``½‖f(X) − y‖²``.

    Args:
        width: number ``m`` of hidden neurons.
        init: the output weights ``a``: ``signs`` (iid ±1), ``balanced`` (±1, half of each), ``antisymmetric``
            (±1, every neuron twice with opposite sign, so the network starts at 0) or ``gaussian``; the hidden
            weights are standard normal (for ``antisymmetric``: those of ``m/2`` neurons).
        step_size: the step of gradient descent, or None for gradient flow.

    Raises:
        InputError: unknown names or values out of range.
    """

    width: int
    init: str = "antisymmetric"
    step_size: Fraction | int | float | str | None = None

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 1 <= self.width <= MAX_WIDTH:
            raise InputError(f"the width must be an integer from 1 to {MAX_WIDTH:.0e}, not {self.width!r}")
        if self.init not in INITS:
            raise InputError(f"unknown init {self.init!r}; there are {', '.join(INITS)}")
        if self.init in ("balanced", "antisymmetric") and self.width % 2:
            raise InputError(f"init={self.init} needs an even width, not {self.width}")
        if self.step_size is not None:
            object.__setattr__(self, "step_size", _step_size(self.step_size))

    @property
    def independent_neurons(self) -> int:
        """Number of independent hidden neurons at initialisation."""
        return self.width // 2 if self.init == "antisymmetric" else self.width


def _step_size(value: Fraction | int | float | str) -> Fraction:
    step = exact(value)
    if not 0 < step <= 10**6:
        raise InputError(f"the step size must be from 0 to 10^6, not {value}")
    return step


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights a network starts from, the float64 numbers themselves, and how it is trained from there.

    They are the ``W`` and ``b`` of `Network` (NTK parametrisation: scales are applied to them, not in them).

    Args:
        layers: ``W¹ … W^{depth+1}``; ``W^l`` of shape ``(n_l, n_{l−1})``, ``n_0`` the inputs, ``n_{depth+1} = 1``.
        biases: ``b^l`` of shape ``(n_l,)``: none for β = 0; else ``b¹`` for ``train`` hidden or both, which have no
            output bias, and ``b¹ … b^{depth+1}`` for ``all``.
        mirrored: for depth 1: the arrays are one half of the hidden neurons, and the other half is the same with
            opposite output weights, so the network starts at 0 (at its output bias, if there is one).
        step_size: the step of gradient descent, or None for gradient flow; the loss is ``½‖f(X) − y‖²``.

    Raises:
        InputError: shapes that do not fit together, absurd sizes, NaN or infinity, or a step size out of range.
    """

    layers: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...] = ()
    mirrored: bool = False
    step_size: Fraction | int | float | str | None = None

    def __post_init__(self) -> None:
        layers = tuple(_float64(array, f"the weights W{k}", 2) for k, array in enumerate(self.layers, 1))
        biases = tuple(_float64(array, f"the biases b{k}", 1) for k, array in enumerate(self.biases, 1))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "biases", biases)
        if not 2 <= len(layers) <= MAX_DEPTH + 1:
            raise InputError(f"weights of 2 to {MAX_DEPTH + 1} layers are needed, not {len(layers)}")
        if type(self.mirrored) is not bool or (self.mirrored and len(layers) != 2):
            raise InputError("only networks with one hidden layer can be mirrored")
        for k, (first, second) in enumerate(pairwise(layers), 1):
            if first.size == 0 or second.shape[1] != first.shape[0]:
                raise InputError(f"W{k} of shape {first.shape} does not fit W{k + 1} of shape {second.shape}")
        if layers[-1].shape[0] != 1:
            raise InputError(f"W{len(layers)} must have one row, the one output, not {layers[-1].shape[0]}")
        for k, (layer, bias) in enumerate(zip(layers, biases, strict=False), 1):
            if bias.shape[0] != layer.shape[0]:
                raise InputError(f"b{k} has {bias.shape[0]} entries for the {layer.shape[0]} rows of W{k}")
        if sum(array.size for array in (*layers, *biases)) > MAX_WEIGHTS:
            raise InputError(f"more than {MAX_WEIGHTS} weights")
        if self.step_size is not None:
            object.__setattr__(self, "step_size", _step_size(self.step_size))

    @property
    def width(self) -> int:
        """Number of hidden neurons of the widest layer, both halves counted."""
        return max(len(layer) for layer in self.layers[:-1]) * (2 if self.mirrored else 1)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of ``mirrored`` if they are, then shape and little-endian float64 of each layer, then each bias."""
        digest = hashlib.sha256(b"mirrored" if self.mirrored else b"")
        for array in (*self.layers, *self.biases):
            digest.update(str(array.shape).encode() + array.astype("<f8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Problem:
    """Data, a network and which of its kernels: together they define the Gram matrix ``H``, or a kernel on the sphere.

    Args:
        domain: the samples, or the sphere; ``dataset`` and ``sphere`` give it, if it is that.
        network: the network.
        kernel: ``ntk`` or ``nngp``; the NNGP kernel is the covariance of ``f`` and ignores no parameter, so it
            asks for ``train="all"``.
        training: for statements about a randomly initialised network of finite width; these need targets.
        weights: for statements about a network with given weights; these need targets, too.

    Raises:
        InputError: unknown kernel, ``nngp`` with a choice of trained layers, training without targets, or weights
            that do not fit the data and the network.
    """

    domain: Dataset | Sphere
    network: Network
    kernel: str = "ntk"
    training: Training | None = None
    weights: Weights | None = None

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise InputError(f"unknown kernel {self.kernel!r}; there are {', '.join(KERNELS)}")
        if self.kernel == "nngp" and self.network.train != "all":
            raise InputError("the nngp kernel does not depend on what is trained; leave train out (train=all)")
        if self.training is not None or self.weights is not None:
            if self.dataset.targets is None:
                raise InputError("a statement about training needs targets")
            if self.kernel != "ntk":
                raise InputError("a statement about training needs the ntk kernel")
        if self.weights is not None:
            if self.training is not None:
                raise InputError("weights are either random or given, not both")
            self._fit(self.weights)

    def _fit(self, weights: Weights) -> None:
        network, inputs = self.network, weights.layers[0].shape[1]
        if network.train == "output":
            raise InputError("given weights are for train=hidden, both or all")
        if len(weights.layers) != network.depth + 1:
            raise InputError(f"{len(weights.layers)} layers of weights for a network of depth {network.depth}")
        if inputs != self.dataset.d:
            raise InputError(f"W1 takes {inputs} inputs, the dataset has {self.dataset.d}")
        biases = 0 if network.beta == 0 else len(weights.layers) if network.train == "all" else 1
        if len(weights.biases) != biases:
            raise InputError(f"{len(weights.biases)} bias vectors where the network has {biases}")

    @property
    def dataset(self) -> Dataset:
        """The samples. Raises InputError if the problem is about the sphere."""
        if not isinstance(self.domain, Dataset):
            raise InputError("the problem is about the sphere, not about a dataset")
        return self.domain

    @property
    def sphere(self) -> Sphere:
        """The sphere. Raises InputError if the problem is about a dataset."""
        if not isinstance(self.domain, Sphere):
            raise InputError("the problem is about a dataset, not about the sphere")
        return self.domain

"""Activations, outputs and losses: a row for each, which kernels, engines, validation, export and docs read.

A new activation needs a code and a row here, and its case in `kernels/activations.py`. A new loss needs a row here,
and its case in `kernels/losses.py` and in `engines/python.py`. The formulas in NumPy are what the engine "numpy"
computes with, and so the reference of everything compiled.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

DType = np.dtype[Any]
Array = np.ndarray[Any, DType]

# Codes by which kernels know an activation, of hidden layers or of the output: its index in ACTIVATIONS.
SIGMOID, TANH, RELU, SOFTMAX, IDENTITY = range(5)

# Codes of the losses. Kernels get one code for the output layer (`network.layer_table`), so a loss has the code of the
# output whose default it is. A second loss for an output needs a code of its own, and a column of its own there.
CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, SQUARED_ERROR = SIGMOID, SOFTMAX, IDENTITY

# Steps of the gradient check's central differences. A central difference errs by step**2/6 of the third derivative.
# The kernel subtracts no two numbers that are nearly equal, so its rounding does not grow when the step shrinks; and at
# the root of float64's epsilon, 1.5e-8, the error of the stencil, 4e-17 where the third derivative is about the first,
# is under the rounding too. A smaller step gains nothing: at the course's weights 2**-22 leaves a norm ratio of
# 1.7e-14, and 2**-26, 2**-30, 2**-36 and 2**-40 leave 1.8e-15.
STEP = 2.0**-26

# A relu is straight but for its kink, and a shorter step meets fewer kinks. Of 40 random directions at each of four
# networks on the digits, 35 met a kink within STEP, none within this; theta + step is still a number of its own.
STEP_NEAR_KINKS = 2.0**-40

# Ranges of targets (m, K), as documentation names them.
UNIT_INTERVAL, DISTRIBUTION, ANY = "in [0, 1]", "a distribution over the classes", "any"


class Activation(NamedTuple):
    """Activation of hidden layers, of the output, or of both."""

    name: str
    code: int
    doc: str  # its formula
    value: Callable[..., Array]  # value(z, out=None); z may be complex, and out z itself
    onnx: str  # operation of ONNX
    c: str = ""  # C99 expression of a unit's value z, {f} the suffix of float functions; "" if a layer has one only
    scale_by_slope: Callable[[Array, Array], object] = lambda a, D: (
        None
    )  # D *= slope where the value is a; overwrites a
    steepest: float = 1.0  # its largest slope
    flat: tuple[float, float] = (np.nan, np.nan)  # outside, the slope is under a hundredth of the largest; NaN: no end
    stuck: str = "saturated"  # word for a unit at a flat end
    stuck_share: float = 0.9  # share of the examples for which such a unit is there
    step: float = STEP  # of the gradient check
    aliases: tuple[str, ...] = ()  # other names that users may pass; scikit-learn's is the last
    hidden: bool = True  # hidden layers may have it
    onnx_attributes: Mapping[str, int] = {}

    def slope(self, a: Array) -> Array:
        """Return the slope where the value is a."""
        D = np.ones_like(a)
        self.scale_by_slope(a.copy(), D)
        return D


class Loss(NamedTuple):
    """Loss of an example: what is summed over the outputs, averaged over the examples and minimised."""

    name: str
    code: int
    value: Callable[[Array, Array, Array | None], tuple[Array, Array]]  # see `_cross_entropy`
    targets: str  # range of targets (m, K)


class Output(NamedTuple):
    """Activation of the output layer, and the loss that goes with it."""

    activation: Activation
    loss: Loss
    doc: str  # completes "the outputs are ..."
    saturated: tuple[float, float] | None = None  # pre-activations beyond which float64 outputs are equal


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """Return 1/(1 + exp(-z)); 0 for real z whose exponential overflows."""
    out = np.negative(z, out=np.empty_like(z) if out is None else out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1.0
    return np.reciprocal(out, out=out)


def softmax(z: Array, out: Array | None = None) -> Array:
    """Return exp(z) over its sum in each row; the exponential is never of a positive number."""
    out = np.subtract(z, z.real.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


def _relu(z: Array, out: Array | None = None) -> Array:
    return np.where(z.real < 0.0, 0.0, z) if np.iscomplexobj(z) else np.maximum(z, 0.0, out=out)


def _tanh(z: Array, out: Array | None = None) -> Array:
    return np.tanh(z, out=out)


def _identity(z: Array, out: Array | None = None) -> Array:
    return z


# Slopes overwrite the values: with new arrays instead of those of a workspace, a million examples of a 28-64-2 network
# take 1.1 to 3 times as long, and each time another.


def _scale_by_slope_of_sigmoid(a: Array, D: Array) -> None:
    D *= a
    D *= np.subtract(1.0, a, out=a)


def _scale_by_slope_of_tanh(a: Array, D: Array) -> None:
    D *= 1.0 - a
    D *= np.add(1.0, a, out=a)


def _scale_by_slope_of_relu(a: Array, D: Array) -> None:
    D *= a > 0.0


def _cross_entropy(Z: Array, y: Array, T: Array | None) -> tuple[Array, Array]:
    """Return the losses (m,) and their derivatives (m, K) by the pre-activations Z (m, K), which are overwritten.

    Targets are T (m, K), or if that is None the classes y (m,). For a target t and an output h = g(z) the loss is
    -t log h - (1 - t) log(1 - h). For t in {0, 1}, with s = (1 - 2t) z, it is softplus(s), and its derivative by z is
    (1 - 2t) g(s): exact for every finite z, where log(h) and log(1 - h) end at z = 37. For any t it is
    log(1 + exp(-|z|)) plus (1 - t) z or t |z|, with the derivative (1 - t) g(z) - t g(-z).
    """
    if T is None:
        own = (np.arange(len(Z)), y)
        sign = np.ones_like(Z)
        sign[own] = -1.0
        Z *= sign
        losses, D = _softplus_and_sigmoid(Z)
        D *= sign
    else:
        size, upper = _positive(Z), Z.real > 0.0
        e = np.exp(-size)
        losses = np.log1p(e) + np.where(upper, 1.0 - T, T) * size
        D = np.where(upper, (1.0 - T) - T * e, (1.0 - T) * e - T) / (1.0 + e)
    return losses.sum(axis=1), D


def _softplus_and_sigmoid(z: Array) -> tuple[Array, Array]:
    """Return log(1 + exp(z)) and its derivative, from one exponential, never of a positive number."""
    e = np.exp(-_positive(z))
    softplus = np.log1p(e)
    softplus += _relu(z)
    slope = np.where(z.real >= 0.0, np.ones_like(e), e)
    e += 1.0
    slope /= e
    return softplus, slope


def _positive(z: Array) -> Array:
    """Return |z|; for the complex step z or -z, whichever has the positive real part."""
    return np.where(z.real >= 0.0, z, -z) if np.iscomplexobj(z) else np.abs(z)


def _softmax_cross_entropy(Z: Array, y: Array, T: Array | None) -> tuple[Array, Array]:
    """Return the sums over the classes of -t log h, and their derivatives h - t; for a class, t is 1 there and else 0.

    Arguments are those of `_cross_entropy`.
    """
    top = Z.real.max(axis=1, keepdims=True)
    e = np.exp(Z - top)
    total = e.sum(axis=1)
    D = e / total[:, np.newaxis]
    if T is None:
        own = (np.arange(len(Z)), y)
        losses = np.log(total) + top[:, 0] - Z[own]
        D[own] -= 1.0
    else:
        losses = (T * (np.log(total)[:, np.newaxis] + top - Z)).sum(axis=1)
        D *= T.sum(axis=1, keepdims=True)
        D -= T
    return losses, D


def _squared_error(Z: Array, y: Array, T: Array | None) -> tuple[Array, Array]:
    """Return half the sums of (z - t)**2, and their derivatives z - t. Arguments are those of `_cross_entropy`."""
    if T is None:
        Z[np.arange(len(Z)), y] -= 1.0
    else:
        Z -= T
    return (Z * Z).sum(axis=1) / 2.0, Z


ACTIVATIONS = (
    Activation("sigmoid", SIGMOID, "1/(1 + exp(-z))", sigmoid, "Sigmoid", "1 / (1 + exp{f}(-z))",
               _scale_by_slope_of_sigmoid, steepest=0.25, flat=(-6.0, 6.0), aliases=("logistic",)),
    Activation("tanh", TANH, "tanh(z)", _tanh, "Tanh", "tanh{f}(z)",
               _scale_by_slope_of_tanh, flat=(-3.0, 3.0)),
    Activation("relu", RELU, "max(z, 0)", _relu, "Relu", "z < 0 ? 0 : z",
               _scale_by_slope_of_relu, flat=(0.0, np.nan), step=STEP_NEAR_KINKS,
               stuck="dead", stuck_share=1.0),  # 0 for most examples is its ordinary way
    Activation("softmax", SOFTMAX, "exp(z) over its sum", softmax, "Softmax", hidden=False,
               onnx_attributes={"axis": 1}),
    Activation("identity", IDENTITY, "z", _identity, "Identity", "z"),
)  # fmt: skip
HIDDEN = {row.name: row for row in ACTIVATIONS if row.hidden}

_losses = (
    Loss("summed cross-entropy", CROSS_ENTROPY, _cross_entropy, UNIT_INTERVAL),
    Loss("cross-entropy", SOFTMAX_CROSS_ENTROPY, _softmax_cross_entropy, DISTRIBUTION),
    Loss("half the squared error", SQUARED_ERROR, _squared_error, ANY),
)
LOSSES = {row.name: row for row in _losses}
LOSS_OF_CODE = {row.code: row for row in _losses}

_outputs = (
    Output(ACTIVATIONS[SIGMOID], LOSSES["summed cross-entropy"], "K separate probabilities, as in the course",
           saturated=(-745.0, 37.0)),  # in float32, 1 comes from 20 on
    Output(ACTIVATIONS[SOFTMAX], LOSSES["cross-entropy"], "one distribution over the classes"),
    Output(ACTIVATIONS[IDENTITY], LOSSES["half the squared error"], "numbers as they are, for regression"),
)  # fmt: skip
OUTPUTS = {row.activation.name: row for row in _outputs}

# {another name that users may pass: name}
ALIASES = {alias: row.name for row in ACTIVATIONS for alias in row.aliases}


def quoted(names: Iterable[str]) -> str:
    """Return the names as numpydoc lists choices: {"a", "b"}."""
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


def listed(names: Iterable[str]) -> str:
    """Return the names in words, the first of which is the default: "a (default), b or c"."""
    default, *others, last = names
    return f"{', '.join([f'{default} (default)', *others])} or {last}"

"""The NumPy twin of every kernel, vectorised over the examples: the engine "numpy".

The same names and arguments as in `fastnn.kernels`, written to be read beside the equations
(Ng, Machine Learning, exercise 4, 2011; backpropagation: Rumelhart, Hinton and Williams, 1986).
The fast path never imports it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..network import CODES, matrices
from ..validation import Array


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """1/(1 + exp(-z)); of real z for which the exponential overflows, 0."""
    out = np.negative(z, out=np.empty_like(z) if out is None else out)
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1.0
    return np.reciprocal(out, out=out)


def softplus_and_sigmoid(z: Array) -> tuple[Array, Array]:
    """log(1 + exp(z)) and its derivative, from one exponential, never of a positive number."""
    e = np.exp(-_positive(z))
    softplus = np.log1p(e)
    softplus += relu(z)
    slope = np.where(z.real >= 0.0, np.ones_like(e), e)
    e += 1.0
    slope /= e
    return softplus, slope


def _positive(z: Array) -> Array:
    """|z|; for the complex step z or -z, whichever has the positive real part."""
    return np.where(z.real >= 0.0, z, -z) if np.iscomplexobj(z) else np.abs(z)


def sigmoid_gradient(z: Array) -> Array:
    """The slope of the sigmoid: g(z) (1 - g(z))."""
    return sigmoid(z) * sigmoid(-z)


def softmax(z: Array, out: Array | None = None) -> Array:
    """exp(z) over its sum in each row; the exponential is never of a positive number."""
    out = np.subtract(z, z.real.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


def relu(z: Array, out: Array | None = None) -> Array:
    """max(z, 0)."""
    return np.where(z.real < 0.0, 0.0, z) if np.iscomplexobj(z) else np.maximum(z, 0.0, out=out)


def tanh(z: Array, out: Array | None = None) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(z, out=out)


# The activations by code.
FUNCTIONS = {CODES[function.__name__]: function for function in (sigmoid, tanh, relu, softmax)}


def scale_by_slope(a: Array, D: Array, code: int) -> None:
    """D *= the slope of the activation, a function of its values a: a (1 - a), 1 - a**2, or whether a > 0.

    Overwrites a: with new arrays instead of those of `workspace`, a million examples of a 28-64-2
    network take 1.1 to 3 times as long, and each time another.
    """
    if code == CODES["sigmoid"]:
        D *= a
        D *= np.subtract(1.0, a, out=a)
    elif code == CODES["tanh"]:
        D *= 1.0 - a
        D *= np.add(1.0, a, out=a)
    else:
        D *= a > 0.0


def _sizes(layers: Array) -> tuple[int, ...]:
    return (*layers[:, 0].tolist(), int(layers[-1, 1]))


def _activations(theta: Array, layers: Array, X: Array, room: Sequence[Array | None]) -> list[Array]:
    """Of layers 0..L, (m, s[l]) each, of X's type; the last one before its activation. In `room` where there is any."""
    values = [X]
    for l, W in enumerate(matrices(theta.astype(X.dtype, copy=False), _sizes(layers))):
        Z = np.matmul(values[-1], W[:, 1:].T, out=room[l])
        Z += W[:, 0]
        values.append(FUNCTIONS[layers[l, 2]](Z, out=Z) if l < len(layers) - 1 else Z)
    return values


def _losses_and_deltas(Z: Array, y: Array, code: int) -> tuple[Array, Array]:
    """Of every example its loss (m,) and its derivatives by the output's pre-activations Z (m, K); overwrites Z.

    For a sigmoid with target t in {0, 1} the cross-entropy is -t log h - (1 - t) log(1 - h), h =
    g(z). With s = (1 - 2t) z it is softplus(s), and its derivative by z is (1 - 2t) g(s): exact
    for every finite z, where log(h) and log(1 - h) end at z = 37. For a softmax it is
    -log h of the own class, with derivatives h - t.
    """
    own = (np.arange(len(Z)), y)
    if code == CODES["softmax"]:
        top = Z.real.max(axis=1, keepdims=True)
        e = np.exp(Z - top)
        total = e.sum(axis=1)
        losses = np.log(total) + top[:, 0] - Z[own]
        D = e / total[:, np.newaxis]
        D[own] -= 1.0
        return losses, D
    sign = np.ones_like(Z)
    sign[own] = -1.0
    Z *= sign
    losses, D = softplus_and_sigmoid(Z)
    D *= sign
    return losses.sum(axis=1), D


def forward(theta: Array, layers: Array, X: Array, A: Array) -> None:
    """A[:] = output activations (m, K)."""
    A[:] = FUNCTIONS[layers[-1, 2]](_activations(theta, layers, X, [None] * len(layers))[-1])


Room = tuple[list[Array], list[Array]]


def workspace(layers: Array, X: Array) -> Room:
    """Room for the activations of layers 1..L and the deltas of the hidden ones, (m, s[l]) each."""
    activations = [np.empty((len(X), units), X.dtype) for units in layers[:, 1]]
    return activations, [np.empty_like(a) for a in activations[:-1]]


def cost_and_gradient(
    theta: Array, layers: Array, X: Array, y: Array, weight: Array, decay: Array, work: Room, dtheta: Array
) -> float:
    """dtheta[:] = gradient, returns the cost: means over the examples, weighted if weight (m,) is not empty."""
    activations, deltas = work
    values = _activations(theta, layers, X, activations)
    losses, D = _losses_and_deltas(values[-1], y, layers[-1, 2])
    total = float(len(X))
    if len(weight):
        total = weight.sum()
        losses = losses * weight
        D *= weight[:, np.newaxis].astype(D.dtype)
    cost = losses.sum(dtype=np.float64) / total + decay @ theta**2 / (2 * total)

    weights = matrices(theta.astype(X.dtype, copy=False), _sizes(layers))
    dweights = matrices(dtheta, _sizes(layers))
    for l in range(len(weights) - 1, -1, -1):
        dweights[l][:, 0] = D.sum(axis=0) / total
        dweights[l][:, 1:] = D.T @ values[l] / total
        if l > 0:
            D = np.matmul(D, weights[l][:, 1:], out=deltas[l - 1])
            scale_by_slope(values[l], D, layers[l - 1, 2])
    dtheta += decay / total * theta
    return float(cost)


def _cost(theta: Array, layers: Array, X: Array, y: Array, weight: Array, decay: Array) -> Any:
    """The cost alone; complex if theta and X are."""
    losses, _ = _losses_and_deltas(_activations(theta, layers, X, [None] * len(layers))[-1], y, layers[-1, 2])
    total = weight.sum() if len(weight) else len(X)
    return ((losses @ weight if len(weight) else losses.sum()) + decay @ theta**2 / 2) / total


def numerical_gradient(
    theta: Array,
    layers: Array,
    X: Array,
    y: Array,
    weight: Array,
    decay: Array,
    step: float,
    parameters: Array,
    dtheta: Array,
) -> None:
    """dtheta[:] = (J(theta_p + step) - J(theta_p - step)) / (2 step) for each p of parameters.

    Two whole evaluations for each. Subtracting the two costs loses digits: about 1e-16 J/step is left.
    """
    moved = theta.copy()
    for i, p in enumerate(parameters):
        costs = []
        for here in (theta[p] + step, theta[p] - step):
            moved[p] = here
            costs.append(_cost(moved, layers, X, y, weight, decay))
        dtheta[i] = (costs[0] - costs[1]) / (2 * step)
        moved[p] = theta[p]


def complex_step_gradient(
    theta: Array,
    layers: Array,
    X: Array,
    y: Array,
    weight: Array,
    decay: Array,
    parameters: Array,
    dtheta: Array,
) -> None:
    """dtheta[:] = Im J(theta_p + i step) / step for each p of parameters, to the last digits.

    J(theta + i h) = J + i h J' - h**2 J''/2 - ...: nothing is subtracted, so h = 1e-100 does, and what is
    cut off is 1e-200 of it (Squire and Trapp, SIAM Review 40, 1998). A referee for small problems:
    one whole evaluation in complex numbers for each parameter.
    """
    step = 1e-100
    moved, X = theta.astype(complex), X.astype(complex)
    for i, p in enumerate(parameters):
        moved[p] = theta[p] + 1j * step
        dtheta[i] = _cost(moved, layers, X, y, weight, decay).imag / step
        moved[p] = theta[p]

"""The NumPy twin of every kernel, vectorised over the examples: the engine "numpy".

The same names and arguments as the compiled ones have, written to be read beside the equations
(Ng, Machine Learning, exercise 4, 2011; backpropagation: Rumelhart, Hinton and Williams, 1986).
The fast path never imports it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..inputs.streams import widened
from ..inputs.validation import Array
from ..kernels.arguments import (
    ACTIVATION,
    ACTIVATIONS,
    IDENTITY,
    INPUTS,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
    UNITS,
    Run,
    Targets,
    arithmetic,
    equal_runs,
)
from ..network import matrices

# What overflows is infinite, as in the compiled engines: without a warning, whatever the caller's settings are.
in_silence = np.errstate(all="ignore")


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


def identity(z: Array, out: Array | None = None) -> Array:
    """z."""
    return z


# The activations by code.
FUNCTIONS = {ACTIVATIONS.index(function.__name__): function for function in (sigmoid, tanh, relu, softmax, identity)}


def scale_by_slope(a: Array, D: Array, code: int) -> None:
    """D *= the slope of the activation, a function of its values a: a (1 - a), 1 - a**2, whether a > 0, or 1.

    Overwrites a: with new arrays instead of those of `workspace`, a million examples of a 28-64-2
    network take 1.1 to 3 times as long, and each time another.
    """
    if code == SIGMOID:
        D *= a
        D *= np.subtract(1.0, a, out=a)
    elif code == TANH:
        D *= 1.0 - a
        D *= np.add(1.0, a, out=a)
    elif code == RELU:
        D *= a > 0.0


def _sizes(layers: Array) -> tuple[int, ...]:
    return (*layers[:, INPUTS].tolist(), int(layers[-1, UNITS]))


def _activations(theta: Array, layers: Array, X: Array, work: Sequence[Array | None]) -> list[Array]:
    """Of layers 0..L, (m, s[l]) each, of X's type; the last one before its activation. In `work` where there is any."""
    values = [X]
    for l, W in enumerate(matrices(theta.astype(X.dtype, copy=False), _sizes(layers))):
        Z = np.matmul(values[-1], W[:, 1:].T, out=work[l])
        Z += W[:, 0]
        if not np.isfinite(Z.sum()):  # an overflow: its infinity may have the wrong sign
            Z[:] = np.nan
        values.append(FUNCTIONS[layers[l, ACTIVATION]](Z, out=Z) if l < len(layers) - 1 else Z)
    return values


def _losses_and_deltas(Z: Array, targets: Targets, output: int) -> tuple[Array, Array]:
    """Of every example its loss (m,) and its derivatives by the output's pre-activations Z (m, K); overwrites Z."""
    T = targets.values.astype(Z.real.dtype, copy=False) if len(targets.values) else None
    function = {SIGMOID: _sigmoid_loss, SOFTMAX: _softmax_loss, IDENTITY: _squared_error}[output]
    return function(Z, targets.classes, T)


def _sigmoid_loss(Z: Array, y: Array, T: Array | None) -> tuple[Array, Array]:
    """For a target t the cross-entropy is -t log h - (1 - t) log(1 - h), h = g(z).

    For t in {0, 1}, with s = (1 - 2t) z, it is softplus(s), and its derivative by z is (1 - 2t) g(s): exact
    for every finite z, where log(h) and log(1 - h) end at z = 37. For any t it is log(1 + exp(-|z|)) plus
    (1 - t) z or t |z|, with the derivative (1 - t) g(z) - t g(-z).
    """
    if T is None:
        own = (np.arange(len(Z)), y)
        sign = np.ones_like(Z)
        sign[own] = -1.0
        Z *= sign
        losses, D = softplus_and_sigmoid(Z)
        D *= sign
    else:
        size, upper = _positive(Z), Z.real > 0.0
        e = np.exp(-size)
        losses = np.log1p(e) + np.where(upper, 1.0 - T, T) * size
        D = np.where(upper, (1.0 - T) - T * e, (1.0 - T) * e - T) / (1.0 + e)
    return losses.sum(axis=1), D


def _softmax_loss(Z: Array, y: Array, T: Array | None) -> tuple[Array, Array]:
    """The sum over the classes of -t log h, with derivatives h - t; for a class, t is 1 there and 0 elsewhere."""
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
    """Half the sum of (z - t)**2, with derivatives z - t."""
    if T is None:
        Z[np.arange(len(Z)), y] -= 1.0
    else:
        Z -= T
    return (Z * Z).sum(axis=1) / 2.0, Z


@in_silence
def forward(theta: Array, layers: Array, X: Array, scale: float, A: Array) -> None:
    """A[:] = output activations (m, K)."""
    A[:] = FUNCTIONS[layers[-1, ACTIVATION]](_activations(theta, layers, widened(X, scale), [None] * len(layers))[-1])


class Workspace(NamedTuple):
    """Of the longest run."""

    scale: float  # of X
    activations: list[Array]  # of layers 1..L, (m, s[l]) each
    deltas: list[Array]  # of the hidden ones


def workspace(layers: Array, m: int, kept: Any, scale: float, most: int | None = None) -> tuple[Workspace, list[Run]]:
    """What `accumulate` works with, and the runs of examples that it takes."""
    cut = equal_runs(m, most)
    dtype = arithmetic(kept)
    longest = max(run.stop - run.start for run in cut)
    activations = [np.empty((longest, units), dtype) for units in layers[:, UNITS]]
    return Workspace(scale, activations, [np.empty_like(a) for a in activations[:-1]]), cut


@in_silence
def accumulate(
    theta: Array, layers: Array, X: Array, targets: Targets, weight: Array, work: Workspace, run: Run, sums: Array
) -> None:
    """sums[:P] += the examples' gradients, sums[P] += their losses; weighted if weight is not empty.

    The first run overwrites what is in sums.
    """
    if run.start == 0:
        sums[:] = 0.0
    X = widened(X, work.scale)
    values = _activations(theta, layers, X, [a[: len(X)] for a in work.activations])
    losses, D = _losses_and_deltas(values[-1], targets, layers[-1, ACTIVATION])
    if len(weight):
        losses = losses * weight
        D *= weight[:, np.newaxis].astype(D.dtype)

    weights = matrices(theta.astype(X.dtype, copy=False), _sizes(layers))
    dweights = matrices(sums[:-1], _sizes(layers))
    for l in range(len(weights) - 1, -1, -1):
        dweights[l][:, 0] += D.sum(axis=0)
        dweights[l][:, 1:] += D.T @ values[l]
        if l > 0:
            D = np.matmul(D, weights[l][:, 1:], out=work.deltas[l - 1][: len(X)])
            scale_by_slope(values[l], D, layers[l - 1, ACTIVATION])
    sums[-1] += float(losses.sum(dtype=np.float64))


@in_silence
def regularised_mean(theta: Array, decay: Array, total: float, loss: float, dtheta: Array) -> float:
    """From sums over examples of that total weight to the regularised mean: changes dtheta, returns the cost."""
    shrinking = decay * theta
    dtheta += shrinking
    dtheta /= total
    return float((loss + shrinking @ theta / 2.0) / total)  # decay @ theta**2 would be NaN for a bias of 1e200


@in_silence
def cost(theta: Array, problem: Any) -> Any:
    """The cost of a `fastnn.problem.Problem` alone; complex if theta and its X are."""
    layers, weight = problem.network.layers, problem.data.weight
    Z = _activations(theta, layers, problem.data.X, [None] * len(layers))[-1]
    losses, _ = _losses_and_deltas(Z, problem.data.targets, layers[-1, ACTIVATION])
    loss = losses @ weight if len(weight) else losses.sum()
    return (loss + (problem.network.decay * theta) @ theta / 2) / problem.data.total


def numerical_gradient(theta: Array, problem: Any, step: float, parameters: Array, dtheta: Array) -> None:
    """dtheta[:] = (J(theta_p + step) - J(theta_p - step)) / (2 step) for each p of parameters.

    Two whole evaluations for each. Subtracting the two costs loses digits: about 1e-16 J/step is left.
    """
    moved = theta.copy()
    for i, p in enumerate(parameters):
        costs = []
        for here in (theta[p] + step, theta[p] - step):
            moved[p] = here
            costs.append(cost(moved, problem))
        dtheta[i] = (costs[0] - costs[1]) / (2 * step)
        moved[p] = theta[p]


def complex_step_gradient(theta: Array, problem: Any, parameters: Array, dtheta: Array) -> None:
    """dtheta[:] = Im J(theta_p + i step) / step for each p of parameters, to the last digits.

    J(theta + i h) = J + i h J' - h**2 J''/2 - ...: nothing is subtracted, so h = 1e-100 does, and what is
    cut off is 1e-200 of it (Squire and Trapp, SIAM Review 40, 1998). A referee for small problems:
    one whole evaluation in complex numbers for each parameter.
    """
    step = 1e-100
    data = replace(problem.data, X=problem.data.X.astype(complex))
    moved, problem = theta.astype(complex), problem._replace(data=data)
    for i, p in enumerate(parameters):
        moved[p] = theta[p] + 1j * step
        dtheta[i] = cost(moved, problem).imag / step
        moved[p] = theta[p]

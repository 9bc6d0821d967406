"""NumPy reference of every kernel, vectorised over the examples. Engine "numpy".

Names and arguments are those of the compiled engines. It is written to be read beside the equations
(Ng, Machine Learning, exercise 4, 2011; backpropagation: Rumelhart, Hinton and Williams, 1986).
The fast path never imports it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..inputs.streams import widened
from ..kernels.arguments import ACTIVATION, INPUTS, UNITS, Run, Targets, arithmetic, equal_runs
from ..network import Weights, matrices
from ..spec import ACTIVATIONS, LOSS_OF_CODE, Array, DType, sigmoid

# What overflows is infinite, as in the compiled engines: without a warning, whatever the caller's settings are.
in_silence = np.errstate(all="ignore")


def sigmoid_gradient(z: Array) -> Array:
    """Return the slope of the sigmoid at z, g(z) (1 - g(z)): the course's `sigmoidGradient`."""
    return sigmoid(z) * sigmoid(-z)


def weights_in(theta: Array, layers: Array, X: Array) -> Weights:
    """Return the matrices in theta, of X's type."""
    sizes = (*layers[:, INPUTS].tolist(), int(layers[-1, UNITS]))
    return matrices(theta.astype(X.dtype, copy=False), sizes)


def _activations(theta: Array, layers: Array, X: Array, work: Sequence[Array | None]) -> list[Array]:
    """Of layers 0..L, (m, s[l]) each, of X's type; the last one before its activation. In `work` where there is any."""
    values = [X]
    for l, W in enumerate(weights_in(theta, layers, X)):
        Z = np.matmul(values[-1], W[:, 1:].T, out=work[l])
        Z += W[:, 0]
        if not np.isfinite(Z.sum()):  # an overflow: its infinity may have the wrong sign
            Z[:] = np.nan
        values.append(ACTIVATIONS[layers[l, ACTIVATION]].value(Z, out=Z) if l < len(layers) - 1 else Z)
    return values


def _losses_and_deltas(Z: Array, targets: Targets, code: int) -> tuple[Array, Array]:
    """Return each example's loss (m,), and the derivatives by the output's pre-activations Z (m, K); overwrites Z."""
    T = targets.values.astype(Z.real.dtype, copy=False) if len(targets.values) else None
    return LOSS_OF_CODE[code].value(Z, targets.classes, T)


@in_silence
def forward(theta: Array, layers: Array, X: Array, scale: float, A: Array) -> None:
    """A[:] = output activations (m, K)."""
    Z = _activations(theta, layers, widened(X, scale), [None] * len(layers))[-1]
    A[:] = ACTIVATIONS[layers[-1, ACTIVATION]].value(Z)


class Workspace(NamedTuple):
    """Of the longest run."""

    scale: float  # of X
    activations: list[Array]  # of layers 1..L, (m, s[l]) each
    deltas: list[Array]  # of the hidden ones


def workspace(layers: Array, m: int, kept: DType, scale: float, most: int | None = None) -> tuple[Workspace, list[Run]]:
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

    weights, dweights = weights_in(theta, layers, X), weights_in(sums[:-1], layers, sums)
    for l in range(len(weights) - 1, -1, -1):
        dweights[l][:, 0] += D.sum(axis=0)
        dweights[l][:, 1:] += D.T @ values[l]
        if l > 0:
            D = np.matmul(D, weights[l][:, 1:], out=work.deltas[l - 1][: len(X)])
            ACTIVATIONS[layers[l - 1, ACTIVATION]].scale_by_slope(values[l], D)
    sums[-1] += float(losses.sum(dtype=np.float64))


@in_silence
def regularised_mean(theta: Array, decay: Array, total: float, loss: float, dtheta: Array) -> float:
    """From sums over examples of that total weight to the regularised mean: changes dtheta, returns the cost."""
    shrinking = decay * theta
    dtheta += shrinking
    dtheta /= total
    return float((loss + shrinking @ theta / 2.0) / total)  # decay @ theta**2 would be NaN for a bias of 1e200


@in_silence
def cost(theta: Array, problem: Any) -> complex:
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

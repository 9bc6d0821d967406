"""The NumPy twin of every kernel, vectorised over the examples: the engine "numpy".

The same names and arguments as in `fastnn.kernels`, written to be read beside the equations
(Ng, Machine Learning, exercise 4, 2011; backpropagation: Rumelhart, Hinton and Williams, 1986).
The fast path never imports it.
"""

import numpy as np

from .network import matrices
from .validation import Array


def sigmoid(z: Array) -> Array:
    """1/(1 + exp(-z)); the exponential is never of a positive number, so it cannot overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0.0, np.ones_like(e), e) / (1.0 + e)


def softplus_and_sigmoid(z: Array) -> tuple[Array, Array]:
    """log(1 + exp(z)) and its derivative, from one exponential."""
    e = np.exp(-np.abs(z))
    return np.maximum(z, 0.0) + np.log1p(e), np.where(z >= 0.0, np.ones_like(e), e) / (1.0 + e)


def sigmoid_gradient(z: Array) -> Array:
    """The slope of the sigmoid: g(z) (1 - g(z))."""
    return sigmoid(z) * sigmoid(-z)


def _activations(theta: Array, sizes: Array, X: Array) -> list[Array]:
    """Layers 0..L, (m, s[l]) each, of X's type; the last one before its sigmoid."""
    layers = [X]
    weights = matrices(theta.astype(X.dtype, copy=False), tuple(sizes))
    for l, W in enumerate(weights):
        Z = layers[-1] @ W[:, 1:].T
        Z += W[:, 0]
        layers.append(sigmoid(Z) if l < len(weights) - 1 else Z)
    return layers


def forward(theta: Array, sizes: Array, X: Array, A: Array) -> None:
    """A[:] = output activations (m, K)."""
    A[:] = sigmoid(_activations(theta, sizes, X)[-1])


def workspace(sizes: Array, X: Array) -> None:
    """NumPy makes its arrays as it goes."""


def cost_and_gradient(theta: Array, sizes: Array, X: Array, y: Array, decay: Array, work: None, dtheta: Array) -> float:
    """dtheta[:] = gradient, returns the cost.

    For target t in {0, 1} the cross-entropy is -t log h - (1 - t) log(1 - h), h = g(z). With
    s = (1 - 2t) z it is softplus(s), and its derivative by z is (1 - 2t) g(s): exact for every
    finite z, where log(h) and log(1 - h) end at z = 37.
    """
    m = len(X)
    layers = _activations(theta, sizes, X)
    sign = np.ones_like(layers[-1])
    sign[np.arange(m), y] = -1.0
    losses, D = softplus_and_sigmoid(sign * layers[-1])
    cost = losses.sum(dtype=np.float64) / m + decay @ theta**2 / (2 * m)

    D *= sign
    weights, dweights = matrices(theta.astype(X.dtype, copy=False), tuple(sizes)), matrices(dtheta, tuple(sizes))
    for l in range(len(weights) - 1, -1, -1):
        dweights[l][:, 0] = D.sum(axis=0) / m
        dweights[l][:, 1:] = D.T @ layers[l] / m
        if l > 0:
            D = D @ weights[l][:, 1:]
            D *= layers[l] * (1.0 - layers[l])
    dtheta += decay / m * theta
    return float(cost)


def numerical_gradient(
    theta: Array, sizes: Array, X: Array, y: Array, decay: Array, step: float, first: int, dtheta: Array
) -> None:
    """dtheta[:] = central differences of the cost by parameters first, first + 1, ...

    (J(theta_p + step) - J(theta_p - step)) / (2 step), one parameter at a time.
    """
    m = len(X)
    moved = theta.copy()
    sign = np.ones((m, sizes[-1]))
    sign[np.arange(m), y] = -1.0
    for i in range(len(dtheta)):
        p = first + i
        costs = []
        for here in (theta[p] + step, theta[p] - step):
            moved[p] = here
            losses, _ = softplus_and_sigmoid(sign * _activations(moved, sizes, X)[-1])
            costs.append((losses.sum() + decay[p] * here**2 / 2) / m)
        dtheta[i] = (costs[0] - costs[1]) / (2 * step)
        moved[p] = theta[p]

"""The per-example loop of the exercise in Python, NumPy for the vectors of one example. Engine "python".

What a solution of the course does, example after example, and the first rung of the ladder: some
hundred times slower than the same loop in tiles. The same functions as every engine has
(fastnn/engines/__init__.py); nothing is compiled.
"""

import numpy as np
from scipy.special import expit

from ..network import CODES, Weights, matrices
from ..validation import Array

# By code: the activation of one layer of an example, and its slope as a function of its value.
_ACTIVATIONS = {
    CODES["sigmoid"]: expit,
    CODES["tanh"]: np.tanh,
    CODES["relu"]: lambda z: np.maximum(z, 0.0),
    CODES["softmax"]: lambda z: _softmax(z)[1],
}
_SLOPES = {
    CODES["sigmoid"]: lambda a: a * (1.0 - a),
    CODES["tanh"]: lambda a: (1.0 - a) * (1.0 + a),
    CODES["relu"]: lambda a: a > 0.0,
}


def _softmax(z: Array) -> tuple[float, Array]:
    """log(sum(exp(z))), and exp(z) over that sum."""
    e = np.exp(z - z.max())
    return float(np.log(e.sum()) + z.max()), e / e.sum()


def _forward_example(weights: Weights, layers: Array, x: Array) -> list[Array]:
    """The example's layers 0..L, (s[l],) each; the last one before its activation."""
    a = [x]
    for l, W in enumerate(weights):
        z = W[:, 1:] @ a[l] + W[:, 0]
        a.append(_ACTIVATIONS[layers[l, 2]](z) if l < len(weights) - 1 else z)
    return a


def _loss_and_delta(z: Array, target: int, code: int) -> tuple[float, Array]:
    """The cross-entropy at the outputs' pre-activations z (K,), and its derivatives by them."""
    if code == CODES["softmax"]:
        log_total, delta = _softmax(z)
        delta[target] -= 1.0
        return log_total - z[target], delta
    sign = np.ones_like(z)
    sign[target] = -1.0
    return np.logaddexp(0.0, sign * z).sum(), sign * expit(sign * z)


def _accumulate_example(
    weights: Weights, layers: Array, x: Array, target: int, weight: float, dweights: Weights
) -> float:
    """dweights += the gradient of the example's loss; returns that loss."""
    a = _forward_example(weights, layers, x)
    loss, delta = _loss_and_delta(a[-1], target, layers[-1, 2])
    delta *= weight
    for l in range(len(weights) - 1, -1, -1):
        dweights[l][:, 0] += delta
        dweights[l][:, 1:] += np.outer(delta, a[l])
        if l > 0:
            delta = (delta @ weights[l][:, 1:]) * _SLOPES[layers[l - 1, 2]](a[l])
    return weight * float(loss)


def _weights(theta: Array, layers: Array, X: Array) -> Weights:
    """The matrices in theta, of X's type."""
    sizes = (*layers[:, 0].tolist(), int(layers[-1, 1]))
    return matrices(theta.astype(X.dtype, copy=False), sizes)


def forward(theta: Array, layers: Array, X: Array, A: Array) -> None:
    """A[:] = output activations (m, K)."""
    weights = _weights(theta, layers, X)
    for i, x in enumerate(X):
        A[i] = _ACTIVATIONS[layers[-1, 2]](_forward_example(weights, layers, x)[-1])


def workspace(layers: Array, X: Array) -> None:
    """NumPy makes its arrays as it goes."""


def cost_and_gradient(
    theta: Array, layers: Array, X: Array, y: Array, weight: Array, decay: Array, work: None, dtheta: Array
) -> float:
    """dtheta[:] = gradient, returns the cost."""
    weights, dweights = _weights(theta, layers, X), _weights(dtheta, layers, dtheta)
    dtheta[:] = 0.0
    loss = 0.0
    for i, x in enumerate(X):
        loss += _accumulate_example(weights, layers, x, y[i], weight[i] if len(weight) else 1.0, dweights)
    total = weight.sum() if len(weight) else len(X)
    dtheta += decay * theta
    dtheta /= total
    return float((loss + decay @ theta**2 / 2.0) / total)

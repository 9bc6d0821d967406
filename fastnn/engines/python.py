"""The per-example loop of the exercise in Python, NumPy for the vectors of one example. Engine "python".

A typical solution of the exercise works like this, example by example. It is some 80 times slower
than the same loop in tiles (5,000 x 400-25-10). Nothing is compiled.
"""

import numpy as np
from scipy.special import expit

from ..inputs.streams import widened
from ..kernels.arguments import ACTIVATION, UNITS, Run, Targets, equal_runs
from ..network import Weights
from ..spec import ACTIVATIONS, SIGMOID, SOFTMAX, SOFTMAX_CROSS_ENTROPY, SQUARED_ERROR, Array, DType
from .numpy import in_silence, regularised_mean, weights_in

__all__ = ["accumulate", "forward", "regularised_mean", "workspace"]


def _activation(z: Array, code: int) -> Array:
    """Return the activations (s[l],) of one layer of an example."""
    if code == SIGMOID:
        return np.asarray(expit(z))
    return _softmax(z)[1] if code == SOFTMAX else ACTIVATIONS[code].value(z)


def _softmax(z: Array) -> tuple[float, Array]:
    """log(sum(exp(z))), and exp(z) over that sum."""
    e = np.exp(z - z.max())
    return float(np.log(e.sum()) + z.max()), e / e.sum()


def _forward_example(weights: Weights, layers: Array, x: Array) -> list[Array]:
    """The example's layers 0..L, (s[l],) each; the last one before its activation."""
    a = [x]
    for l, W in enumerate(weights):
        z = W[:, 1:] @ a[l] + W[:, 0]
        z += 0.0 * z  # NaN of an overflow, whose infinity may have the wrong sign
        a.append(_activation(z, layers[l, ACTIVATION]) if l < len(weights) - 1 else z)
    return a


def _loss_and_delta(z: Array, t: Array, code: int) -> tuple[float, Array]:
    """The loss at the outputs' pre-activations z (K,) for targets t (K,), and its derivatives by z."""
    if code == SQUARED_ERROR:
        return ((z - t) ** 2).sum() / 2.0, z - t
    if code == SOFTMAX_CROSS_ENTROPY:
        log_total, h = _softmax(z)
        return (t * (log_total - z)).sum(), t.sum() * h - t
    loss = t * np.logaddexp(0.0, -z) + (1.0 - t) * np.logaddexp(0.0, z)
    return loss.sum(), (1.0 - t) * expit(z) - t * expit(-z)


def _accumulate_example(weights: Weights, layers: Array, x: Array, t: Array, weight: float, dweights: Weights) -> float:
    """dweights += the gradient of the example's loss; returns that loss."""
    a = _forward_example(weights, layers, x)
    loss, delta = _loss_and_delta(a[-1], t, layers[-1, ACTIVATION])
    delta *= weight
    for l in range(len(weights) - 1, -1, -1):
        dweights[l][:, 0] += delta
        dweights[l][:, 1:] += np.outer(delta, a[l])
        if l > 0:
            delta = (delta @ weights[l][:, 1:]) * ACTIVATIONS[layers[l - 1, ACTIVATION]].slope(a[l])
    return weight * float(loss)


@in_silence
def forward(theta: Array, layers: Array, X: Array, scale: float, A: Array) -> None:
    """A[:] = output activations (m, K)."""
    X = widened(X, scale)
    weights = weights_in(theta, layers, X)
    for i, x in enumerate(X):
        A[i] = _activation(_forward_example(weights, layers, x)[-1], layers[-1, ACTIVATION])


def workspace(layers: Array, m: int, kept: DType, scale: float, most: int | None = None) -> tuple[float, list[Run]]:
    """The scale, as NumPy makes new arrays for each example; and the runs of examples that `accumulate` takes."""
    return scale, equal_runs(m, most)


@in_silence
def accumulate(
    theta: Array, layers: Array, X: Array, targets: Targets, weight: Array, scale: float, run: Run, sums: Array
) -> None:
    """sums[:P] += the examples' gradients, sums[P] += their losses; the first run overwrites what is in sums."""
    if run.start == 0:
        sums[:] = 0.0
    X = widened(X, scale)
    weights, dweights = weights_in(theta, layers, X), weights_in(sums[:-1], layers, sums)
    one_hot = np.eye(layers[-1, UNITS], dtype=X.dtype)
    for i, x in enumerate(X):
        t = one_hot[targets.classes[i]] if len(targets.classes) else targets.values[i].astype(X.dtype)
        sums[-1] += _accumulate_example(weights, layers, x, t, weight[i] if len(weight) else 1.0, dweights)

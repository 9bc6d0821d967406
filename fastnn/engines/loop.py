"""The per-example loop of the exercise, as a textbook writes it, compiled. Engine "loop".

One example at a time goes forward and back, and adds its part to the gradient. Kept simple on
purpose: it is what `fused` is compared with. The layers of an example, or their deltas, stand
one behind the other in one vector.
"""

import numpy as np
from numba import prange

from ..kernels.activations import activate, losses_and_deltas, scale_by_slope
from ..kernels.batches import INPUTS, KIND, UNITS, group_bounds, regularise, total_weight
from ..kernels.jit import batch, inner


@inner()
def forward_example(theta, layers, a):
    """From the example at the start of `a`, fill layers 1..L; the last stays before its activation."""
    row, below = 0, 0
    for l in range(len(layers)):
        above = below + layers[l, INPUTS]
        end = above + layers[l, UNITS]
        x = a[below:above]
        for j in range(above, end):
            w = theta[row + 1 : row + 1 + len(x)]
            z = theta[row]
            for k in range(len(x)):
                z += w[k] * x[k]
            a[j] = z
            row += 1 + len(x)
        if l < len(layers) - 1:
            activate(a[above:end], layers[l, UNITS], layers[l, KIND])
        below = above


@inner()
def _accumulate_example(theta, layers, a, target, weight, delta, dtheta):
    """dtheta += the gradient of the loss of the example at the start of `a`; returns that loss.

    `target` is (1,), `weight` (1,) or empty. Overwrites the outputs in `a`.
    """
    forward_example(theta, layers, a)
    last = len(layers) - 1
    above = len(a) - layers[last, UNITS]
    loss = losses_and_deltas(a[above:], target, weight, delta[above:], layers[last, KIND])

    row = len(theta)
    for l in range(last, -1, -1):
        row -= layers[l, UNITS] * (1 + layers[l, INPUTS])
        below = above - layers[l, INPUTS]
        x = a[below:above]
        delta_x = delta[below:above]
        for k in range(len(x)):
            delta_x[k] = 0.0
        for j in range(layers[l, UNITS]):
            start = row + j * (1 + len(x))
            w = theta[start + 1 : start + 1 + len(x)]
            dw = dtheta[start + 1 : start + 1 + len(x)]
            d = delta[above + j]
            dtheta[start] += d
            for k in range(len(x)):
                dw[k] += d * x[k]
            if l > 0:
                for k in range(len(x)):
                    delta_x[k] += d * w[k]
        if l > 0:
            scale_by_slope(x, delta_x, layers[l - 1, KIND])
        above = below
    return loss


@batch
def _evaluate(theta, layers, X, y, weight, decay, bounds, buffers, losses, dthetas, dtheta):
    """Each group of examples into its own gradient; then these are added up."""
    for g in prange(len(losses)):
        a, delta, dtheta_g = buffers[g, 0], buffers[g, 1], dthetas[g]
        for p in range(len(dtheta_g)):
            dtheta_g[p] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1]):
            for k in range(layers[0, INPUTS]):
                a[k] = X[i, k]
            loss += _accumulate_example(theta, layers, a, y[i : i + 1], weight[i : i + 1], delta, dtheta_g)
        losses[g] = loss
    _sum_groups(dthetas, dtheta)
    return regularise(theta, total_weight(weight, len(y)), decay, losses, dtheta)


@inner()
def _sum_groups(dthetas, dtheta):
    """dtheta = the sum of the rows of dthetas."""
    for p in range(len(dtheta)):
        dtheta[p] = 0.0
    for g in range(len(dthetas)):
        for p in range(len(dtheta)):
            dtheta[p] += dthetas[g, p]


def _numbers(layers):
    """How many numbers an example has in all its layers."""
    return layers[0, INPUTS] + layers[:, UNITS].sum()


def workspace(layers, X):
    """Where the groups start and end, their layers and deltas, losses and gradients."""
    P = int((layers[:, UNITS] * (layers[:, INPUTS] + 1)).sum())
    bounds = group_bounds(len(X), 1, P)
    groups = len(bounds) - 1
    return bounds, np.empty((groups, 2, _numbers(layers))), np.empty(groups), np.empty((groups, P))


def cost_and_gradient(theta, layers, X, y, weight, decay, work, dtheta):
    """dtheta[:] = gradient, returns the cost."""
    return _evaluate(theta, layers, X, y, weight, decay, *work, dtheta)


@batch
def _forward_groups(theta, layers, X, bounds, buffers, A):
    for g in prange(len(bounds) - 1):
        a = buffers[g]
        outputs = a[len(a) - A.shape[1] :]
        for i in range(bounds[g], bounds[g + 1]):
            for k in range(layers[0, INPUTS]):
                a[k] = X[i, k]
            forward_example(theta, layers, a)
            activate(outputs, len(outputs), layers[len(layers) - 1, KIND])
            for k in range(len(outputs)):
                A[i, k] = outputs[k]


def forward(theta, layers, X, A):
    """A[:] = output activations (m, K)."""
    bounds = group_bounds(len(X), 1, 1)
    buffers = np.empty((len(bounds) - 1, _numbers(layers)))
    _forward_groups(theta, layers, X, bounds, buffers, A)

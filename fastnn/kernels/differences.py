"""Central differences of the cost, one parameter at a time: nothing of backpropagation in it."""

import numpy as np
from numba import prange

from .activations import losses_and_deltas
from .batches import INPUTS, KIND, UNITS, group_bounds, total_weight
from .jit import EXACT, batch, inner
from .loop import forward_example


@inner(EXACT)
def _difference(theta, p, step, layers, X, y, weight, a, unused):
    """Sum over the examples of loss(theta_p + step) - loss(theta_p - step), over the distance.

    Differences are taken example by example: each loses only its own digits, and the sum of
    small numbers keeps what subtracting two large costs would round away. `theta` is moved and
    put back.
    """
    here = theta[p]
    up, down = here + step, here - step
    last = len(layers) - 1
    z = a[len(a) - layers[last, UNITS] :]
    total = 0.0
    for i in range(len(y)):
        target, factor = y[i : i + 1], weight[i : i + 1]
        for k in range(layers[0, INPUTS]):
            a[k] = X[i, k]
        theta[p] = up
        forward_example(theta, layers, a)
        higher = losses_and_deltas(z, target, factor, unused, layers[last, KIND])
        theta[p] = down
        forward_example(theta, layers, a)
        total += higher - losses_and_deltas(z, target, factor, unused, layers[last, KIND])
    theta[p] = here
    return total / (up - down)


@batch
def _difference_groups(theta, layers, X, y, weight, decay, step, first, bounds, thetas, buffers, dtheta):
    """The regularisation's own difference, ((theta_p + step)**2 - (theta_p - step)**2) / (2 step), is 2 theta_p."""
    total = total_weight(weight, len(y))
    for g in prange(len(bounds) - 1):
        moved = thetas[g]
        for p in range(len(theta)):
            moved[p] = theta[p]
        for i in range(bounds[g], bounds[g + 1]):
            p = first + i
            loss = _difference(moved, p, step, layers, X, y, weight, buffers[g, 0], buffers[g, 1])
            dtheta[i] = (loss + decay[p] * theta[p]) / total


def numerical_gradient(theta, layers, X, y, weight, decay, step, first, dtheta):
    """dtheta[:] = central differences of the cost by parameters first, first + 1, ..."""
    bounds = group_bounds(len(dtheta), 1, len(theta))
    groups = len(bounds) - 1
    thetas = np.empty((groups, len(theta)))
    buffers = np.empty((groups, 2, layers[0, INPUTS] + layers[:, UNITS].sum()))
    _difference_groups(theta, layers, X, y, weight, decay, step, first, bounds, thetas, buffers, dtheta)

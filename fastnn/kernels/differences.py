"""Central differences of the cost, one parameter at a time: nothing of backpropagation in it."""

import numpy as np
from numba import prange

from .batches import group_bounds
from .jit import EXACT, batch, inner
from .loop import forward_example, loss_of_example


@inner(EXACT)
def _difference(theta, p, step, sizes, X, y, a):
    """Sum over the examples of loss(theta_p + step) - loss(theta_p - step), over the distance.

    Differences are taken example by example: each loses only its own digits, and the sum of
    small numbers keeps what subtracting two large costs would round away. `theta` is moved and
    put back.
    """
    here = theta[p]
    up, down = here + step, here - step
    z = a[sizes[: len(sizes) - 1].sum() :]
    total = 0.0
    for i in range(len(y)):
        for k in range(sizes[0]):
            a[k] = X[i, k]
        theta[p] = up
        forward_example(theta, sizes, a)
        higher = loss_of_example(z, y[i])
        theta[p] = down
        forward_example(theta, sizes, a)
        total += higher - loss_of_example(z, y[i])
    theta[p] = here
    return total / (up - down)


@batch
def _difference_groups(theta, sizes, X, y, step, first, bounds, thetas, buffers, dtheta):
    for g in prange(len(bounds) - 1):
        moved = thetas[g]
        for p in range(len(theta)):
            moved[p] = theta[p]
        for i in range(bounds[g], bounds[g + 1]):
            dtheta[i] = _difference(moved, first + i, step, sizes, X, y, buffers[g])


def numerical_gradient(theta, sizes, X, y, decay, step, first, dtheta):
    """dtheta[:] = central differences of the cost by parameters first, first + 1, ...

    The regularisation's own difference, ((theta_p + step)**2 - (theta_p - step)**2) / (2 step),
    is 2 theta_p exactly.
    """
    bounds = group_bounds(len(dtheta), 1, len(theta))
    thetas = np.empty((len(bounds) - 1, len(theta)))
    buffers = np.empty((len(bounds) - 1, sizes.sum()))
    _difference_groups(theta, sizes, X, y, step, first, bounds, thetas, buffers, dtheta)
    here = slice(first, first + len(dtheta))
    dtheta += decay[here] * theta[here]
    dtheta /= len(X)

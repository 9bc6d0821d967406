"""The per-example loop of the exercise, as a textbook writes it, compiled. Engine "loop".

One example at a time goes forward and back, and adds its part to the gradient. Kept simple on
purpose: it is what `fused` is compared with. The layers of an example, or their deltas, stand
one behind the other in one vector.
"""

import numpy as np
from numba import prange

from .batches import group_bounds, regularise
from .elementary import sigmoid, softplus
from .jit import batch, inner


@inner()
def forward_example(theta, sizes, a):
    """From the example in layer 0 of `a`, fill layers 1..L; the last stays before its sigmoid."""
    row, below = 0, 0
    for l in range(len(sizes) - 1):
        above = below + sizes[l]
        x = a[below:above]
        for j in range(sizes[l + 1]):
            w = theta[row + 1 : row + 1 + len(x)]
            z = theta[row]
            for k in range(len(x)):
                z += w[k] * x[k]
            a[above + j] = sigmoid(z) if l < len(sizes) - 2 else z
            row += 1 + len(x)
        below = above


@inner()
def loss_of_example(z, target):
    """The summed cross-entropy of K sigmoid outputs with pre-activations z."""
    loss = 0.0
    for k in range(len(z)):
        loss += softplus(-z[k] if k == target else z[k])
    return loss


@inner()
def _accumulate_example(theta, sizes, a, target, delta, dtheta):
    """dtheta += the gradient of the loss of the example in layer 0 of `a`; returns that loss."""
    forward_example(theta, sizes, a)
    above = len(a) - sizes[len(sizes) - 1]
    z = a[above:]
    for k in range(len(z)):
        delta[above + k] = -sigmoid(-z[k]) if k == target else sigmoid(z[k])

    row = len(theta)
    for l in range(len(sizes) - 2, -1, -1):
        row -= sizes[l + 1] * (1 + sizes[l])
        below = above - sizes[l]
        x = a[below:above]
        delta_x = delta[below:above]
        for k in range(len(x)):
            delta_x[k] = 0.0
        for j in range(sizes[l + 1]):
            start = row + j * (1 + sizes[l])
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
            for k in range(len(x)):
                delta_x[k] *= x[k] * (1.0 - x[k])
        above = below
    return loss_of_example(z, target)


@batch
def _evaluate(theta, sizes, X, y, decay, bounds, buffers, losses, dthetas, dtheta):
    """Each group of examples into its own gradient; then these are added up."""
    for g in prange(len(losses)):
        a, delta, dtheta_g = buffers[g, 0], buffers[g, 1], dthetas[g]
        for p in range(len(dtheta_g)):
            dtheta_g[p] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1]):
            for k in range(sizes[0]):
                a[k] = X[i, k]
            loss += _accumulate_example(theta, sizes, a, y[i], delta, dtheta_g)
        losses[g] = loss
    _sum_groups(dthetas, dtheta)
    return regularise(theta, len(y), decay, losses, dtheta)


@inner()
def _sum_groups(dthetas, dtheta):
    """dtheta = the sum of the rows of dthetas."""
    for p in range(len(dtheta)):
        dtheta[p] = 0.0
    for g in range(len(dthetas)):
        for p in range(len(dtheta)):
            dtheta[p] += dthetas[g, p]


def workspace(sizes, X):
    """Where the groups start and end, their layers and deltas, losses and gradients."""
    P = int((sizes[1:] * (sizes[:-1] + 1)).sum())
    bounds = group_bounds(len(X), 1, P)
    groups = len(bounds) - 1
    return bounds, np.empty((groups, 2, sizes.sum())), np.empty(groups), np.empty((groups, P))


def cost_and_gradient(theta, sizes, X, y, decay, work, dtheta):
    """dtheta[:] = gradient, returns the cost."""
    return _evaluate(theta, sizes, X, y, decay, *work, dtheta)


@batch
def _forward_groups(theta, sizes, X, bounds, buffers, A):
    for g in prange(len(bounds) - 1):
        a = buffers[g]
        z = a[len(a) - A.shape[1] :]
        for i in range(bounds[g], bounds[g + 1]):
            for k in range(sizes[0]):
                a[k] = X[i, k]
            forward_example(theta, sizes, a)
            for k in range(len(z)):
                A[i, k] = sigmoid(z[k])


def forward(theta, sizes, X, A):
    """A[:] = output activations (m, K)."""
    bounds = group_bounds(len(X), 1, 1)
    buffers = np.empty((len(bounds) - 1, sizes.sum()))
    _forward_groups(theta, sizes, X, bounds, buffers, A)

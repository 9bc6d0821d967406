"""The per-example loop in tiles: one pass over X, which is read from memory once.

A block of examples goes forward and backward while its rows of X are in the cache; the
weights' gradients are summed in registers over the block. Engine "fused".
"""

import numpy as np
from numba import prange

from .batches import finish, group_bounds
from .elementary import exp, log1p, sigmoid
from .jit import batch, inner
from .tiles import SHAPE, dot_tile, outer_tile

# Examples in a block. Its rows of X should stay in L2 (64 x 400 doubles: 205 KB) from the
# forward pass to the gradient, and a longer block means fewer additions into the gradient buffer.
BLOCK = 64

DOT_ROWS, DOT_COLUMNS = SHAPE.dot_rows, SHAPE.dot_columns
OUTER_ROWS, OUTER_COLUMNS = SHAPE.outer_rows, SHAPE.outer_vectors * SHAPE.lanes


@inner()
def _affine(examples, inputs, units, A, a, W, w, Z, z):
    """Z (examples, units) = A (examples, inputs) W[:, 1:].T + W[:, 0]."""
    for v in range(0, units, DOT_COLUMNS):
        columns = min(DOT_COLUMNS, units - v)
        for r in range(0, examples, DOT_ROWS):
            rows = min(DOT_ROWS, examples - r)
            dot_tile(rows, columns, A, a + r * inputs, inputs, W, w + v * (inputs + 1) + 1, inputs + 1, inputs,
                     Z, z + r * units + v, units)  # fmt: skip


@inner()
def _accumulate_gradient(examples, inputs, units, A, a, D, d, dW, w):
    """dW (units, 1 + inputs) += D.T [1 A], with D (examples, units) the deltas."""
    for v in range(0, inputs, OUTER_COLUMNS):
        columns = min(OUTER_COLUMNS, inputs - v)
        for r in range(0, units, OUTER_ROWS):
            rows = min(OUTER_ROWS, units - r)
            outer_tile(rows, columns, D, d + r, 1, units, A, a + v, inputs, examples, 1,
                       dW, w + r * (inputs + 1) + 1 + v, inputs + 1)  # fmt: skip
    for i in range(examples):
        for r in range(units):
            dW[w + r * (inputs + 1)] += D[d + i * units + r]


@inner()
def _pull_back(examples, inputs, units, D, d, W, w, E, e):
    """E (examples, inputs) = D (examples, units) W[:, 1:]."""
    for v in range(0, inputs, OUTER_COLUMNS):
        columns = min(OUTER_COLUMNS, inputs - v)
        for r in range(0, examples, OUTER_ROWS):
            rows = min(OUTER_ROWS, examples - r)
            outer_tile(rows, columns, D, d + r * units, units, 1, W, w + 1 + v, inputs + 1, units, 0,
                       E, e + r * inputs + v, inputs)  # fmt: skip


@inner()
def _activate(A):
    """A[:] = sigmoid(A)."""
    for i in range(len(A)):
        A[i] = sigmoid(A[i])


@inner()
def _scale_by_slope(A, E):
    """E *= A (1 - A): the slope of the sigmoid whose value is A."""
    for i in range(len(A)):
        E[i] *= A[i] * (1.0 - A[i])


@inner()
def _losses_and_deltas(Z, y, D):
    """Sum of the losses; D (flat, examples x K, like Z) = the deltas of pre-activations Z.

    With s = -z for the example's own class and z for the others, the loss is softplus(s) and
    the delta sigmoid(s), negative for the own class. Exact for every z. Overwrites Z.
    """
    K = len(Z) // len(y)
    for i in range(len(y)):
        Z[i * K + y[i]] *= -1.0
    loss = 0.0
    for i in range(len(Z)):
        s = Z[i]
        e = exp(-abs(s))
        loss += (s if s > 0.0 else 0.0) + log1p(e)
        D[i] = (1.0 if s >= 0.0 else e) / (1.0 + e)
    for i in range(len(y)):
        D[i * K + y[i]] *= -1.0
    return loss


@inner()
def _forward_block(theta, sizes, X, x, examples, A):
    """Fill A with the block's layers 1..L, one behind the other; the last stays before its sigmoid."""
    last = len(sizes) - 2
    source, below, above, w = X, x, 0, 0
    for l in range(last + 1):
        inputs, units = sizes[l], sizes[l + 1]
        _affine(examples, inputs, units, source, below, theta, w, A, above)
        source, below = A, above
        w += units * (inputs + 1)
        above += examples * units
        if l < last:
            _activate(A[below:above])


@inner()
def _last_layer(sizes, examples):
    """Where the last layer of a block starts in its buffers."""
    start = 0
    for l in range(1, len(sizes) - 1):
        start += examples * sizes[l]
    return start


@inner()
def _accumulate_block(theta, sizes, X, x, y, A, D, dtheta):
    """One pass over a block: dtheta += its gradients; returns the sum of its losses.

    A holds the activations of layers 1..L, one behind the other, and D their deltas.
    """
    examples = len(y)
    _forward_block(theta, sizes, X, x, examples, A)
    above = _last_layer(sizes, examples)
    end = above + examples * sizes[len(sizes) - 1]
    loss = _losses_and_deltas(A[above:end], y, D[above:end])
    w = len(theta)
    for l in range(len(sizes) - 2, -1, -1):
        inputs, units = sizes[l], sizes[l + 1]
        w -= units * (inputs + 1)
        below = above - examples * inputs
        source, a = (A, below) if l > 0 else (X, x)
        _accumulate_gradient(examples, inputs, units, source, a, D, above, dtheta, w)
        if l > 0:
            _pull_back(examples, inputs, units, D, above, theta, w, D, below)
            _scale_by_slope(A[below:above], D[below:above])
        above = below
    return loss


@batch
def _accumulate_groups(theta, sizes, X, y, bounds, buffers, losses, dthetas):
    """losses[g], dthetas[g] = sums over the examples bounds[g] .. bounds[g + 1]."""
    n = sizes[0]
    for g in prange(len(losses)):
        dtheta = dthetas[g]
        for p in range(len(dtheta)):
            dtheta[p] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1], BLOCK):
            examples = y[i : min(i + BLOCK, bounds[g + 1])]
            loss += _accumulate_block(theta, sizes, X, i * n, examples, buffers[g, 0], buffers[g, 1], dtheta)
        losses[g] = loss


def cost_and_gradient(theta, sizes, X, y, decay, dtheta):
    """dtheta[:] = gradient, returns the cost."""
    bounds = group_bounds(len(X), BLOCK)
    groups = len(bounds) - 1
    buffers = np.empty((groups, 2, BLOCK * sizes[1:].sum()))
    losses = np.empty(groups)
    dthetas = np.empty((groups, len(theta)))
    _accumulate_groups(theta, sizes, X.ravel(), y, bounds, buffers, losses, dthetas)
    return finish(theta, len(X), decay, losses, dthetas, dtheta)


@batch
def _forward_groups(theta, sizes, X, bounds, buffers, A):
    n, K = sizes[0], sizes[len(sizes) - 1]
    for g in prange(len(bounds) - 1):
        for i in range(bounds[g], bounds[g + 1], BLOCK):
            examples = min(BLOCK, bounds[g + 1] - i)
            _forward_block(theta, sizes, X, i * n, examples, buffers[g])
            last = _last_layer(sizes, examples)
            for k in range(examples * K):
                A[i * K + k] = sigmoid(buffers[g, last + k])


def forward(theta, sizes, X, A):
    """A[:] = output activations (m, K)."""
    bounds = group_bounds(len(X), BLOCK)
    buffers = np.empty((len(bounds) - 1, BLOCK * sizes[1:].sum()))
    _forward_groups(theta, sizes, X.ravel(), bounds, buffers, A.reshape(-1))

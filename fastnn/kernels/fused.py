"""The per-example loop in tiles: one pass over X, which is read from memory once.

A block of examples goes forward and backward while its rows of X are in the cache; the
weights' gradients are summed in registers over the block. Engine "fused".
"""

import numpy as np
from numba import prange

from .batches import finish, group_bounds
from .elementary import exp, log1p, sigmoid
from .jit import batch, inner
from .tiles import SHAPE, dot_strip, outer_strip

# Examples in a block. Its rows of X should stay in L2 (64 x 400 doubles: 205 KB) from the
# forward pass to the gradient, and a longer block means fewer additions into the gradient buffer.
BLOCK = 64

DOT_COLUMNS = SHAPE.dot_columns
ONE = np.ones(1)
OUTER_ROWS, OUTER_COLUMNS = SHAPE.outer_rows, SHAPE.outer_vectors * SHAPE.lanes


@inner()
def _affine(examples, inputs, units, A, a, W, w, Z, z):
    """Z (examples, units) = A (examples, inputs) W[:, 1:].T + W[:, 0]."""
    row = inputs + 1
    for v in range(0, units, DOT_COLUMNS):
        columns = min(DOT_COLUMNS, units - v)
        dot_strip(examples, columns, A, a, inputs, W, w + v * row + 1, row, inputs, Z, z + v, units)


@inner()
def _accumulate_gradient(examples, inputs, units, A, a, D, d, dW, w, db, b, ahead):
    """dW (units, 1 + inputs)[:, 1:] += D.T A, db (units) += D.T 1, with D (examples, units) the deltas.

    On the way as many examples, `ahead` of A, are fetched from memory, a little with every step
    of the tiles: the next block of X arrives behind the arithmetic. Left to the hardware's own
    prefetching, the two large products of the seed's network take 1.17 times as long (2 cores,
    AVX2).
    """
    row = inputs + 1
    tiles = -(-units // OUTER_ROWS)
    stride = min(8, -(-inputs // (tiles * -(-inputs // OUTER_COLUMNS))))
    fetch = a + ahead
    for v in range(0, inputs, OUTER_COLUMNS):
        columns = min(OUTER_COLUMNS, inputs - v)
        outer_strip(units, columns, D, d, 1, units, A, a + v, inputs, examples, 1,
                    dW, w + 1 + v, row, fetch, stride)  # fmt: skip
        fetch += tiles * examples * stride
    for v in range(0, units, OUTER_COLUMNS):
        columns = min(OUTER_COLUMNS, units - v)
        outer_strip(1, columns, ONE, 0, 0, 0, D, d + v, units, examples, 1, db, b + v, units, d, 0)


@inner()
def _pull_back(examples, inputs, units, D, d, W, w, E, e):
    """E (examples, inputs) = D (examples, units) W[:, 1:]."""
    for v in range(0, inputs, OUTER_COLUMNS):
        columns = min(OUTER_COLUMNS, inputs - v)
        outer_strip(examples, columns, D, d, units, 1, W, w + 1 + v, inputs + 1, units, 0,
                    E, e + v, inputs, w, 0)  # fmt: skip


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
def _accumulate_block(theta, sizes, X, x, y, A, D, dtheta, dbiases):
    """One pass over a block: dtheta, dbiases += its gradients; returns the sum of its losses.

    A holds the activations of layers 1..L, one behind the other, D their deltas and dbiases, in
    the same order, the gradients of their biases, whose places in dtheta stay as they are.
    """
    examples = len(y)
    _forward_block(theta, sizes, X, x, examples, A)
    above = _last_layer(sizes, examples)
    end = above + examples * sizes[len(sizes) - 1]
    loss = _losses_and_deltas(A[above:end], y, D[above:end])
    w, b = len(theta), len(dbiases)
    for l in range(len(sizes) - 2, -1, -1):
        inputs, units = sizes[l], sizes[l + 1]
        w -= units * (inputs + 1)
        b -= units
        below = above - examples * inputs
        source, a, ahead = (A, below, 0) if l > 0 else (X, x, examples * inputs)
        _accumulate_gradient(examples, inputs, units, source, a, D, above, dtheta, w, dbiases, b, ahead)
        if l > 0:
            _pull_back(examples, inputs, units, D, above, theta, w, D, below)
            _scale_by_slope(A[below:above], D[below:above])
        above = below
    return loss


@inner()
def _insert_biases(sizes, dbiases, dtheta):
    """Put the biases' gradients into their places, column 0 of every matrix."""
    p = 0
    b = 0
    for l in range(len(sizes) - 1):
        for _ in range(sizes[l + 1]):
            dtheta[p] = dbiases[b]
            p += 1 + sizes[l]
            b += 1


@batch
def _accumulate_groups(theta, sizes, X, y, bounds, buffers, biases, losses, dthetas):
    """losses[g], dthetas[g] = sums over the examples bounds[g] .. bounds[g + 1]."""
    n = sizes[0]
    for g in prange(len(losses)):
        dtheta, dbiases = dthetas[g], biases[g]
        for p in range(len(dtheta)):
            dtheta[p] = 0.0
        for b in range(len(dbiases)):
            dbiases[b] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1], BLOCK):
            examples = y[i : min(i + BLOCK, bounds[g + 1])]
            loss += _accumulate_block(theta, sizes, X, i * n, examples, buffers[g, 0], buffers[g, 1], dtheta, dbiases)
        losses[g] = loss
        _insert_biases(sizes, dbiases, dtheta)


def cost_and_gradient(theta, sizes, X, y, decay, dtheta):
    """dtheta[:] = gradient, returns the cost."""
    bounds = group_bounds(len(X), BLOCK)
    groups = len(bounds) - 1
    units = sizes[1:].sum()
    buffers = np.empty((groups, 2, BLOCK * units))
    biases = np.empty((groups, units))
    losses = np.empty(groups)
    dthetas = np.empty((groups, len(theta)))
    _accumulate_groups(theta, sizes, X.ravel(), y, bounds, buffers, biases, losses, dthetas)
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

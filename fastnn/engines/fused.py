"""The per-example loop in tiles: one pass over X, which is read from memory once.

A block of examples goes forward and back while its rows of X are in the cache; the weights'
gradients are summed in registers over the block. Engine "fused".

Inside, parameters and their gradients stand in *padded* order: for each layer its weights
without the biases, every row padded to whole cache lines, then the biases. So the tiles load
weights that are aligned, and add up biases like any other row. Of float32 X, they and all
products, activations and deltas are float32; theta, the gradient's sums over blocks, and the
cost stay float64. Activations of a block stand layer behind layer, (examples, units) each; so do
their deltas. (The other way round, one unit's values in a row, took up to 1.2 times as long with
narrow layers; it was faster only with AVX2 and wide ones.)
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from ..kernels.activations import activate, scale_by_slope
from ..kernels.arguments import ACTIVATION, INPUTS, UNITS, Targets
from ..kernels.batches import group_bounds, ordered_sum, regularised_mean
from ..kernels.jit import batch, inner
from ..kernels.losses import losses_and_deltas
from ..kernels.tiles import Matrix, add_product, affine

__all__ = ["forward", "regularised_mean", "sums", "workspace"]

# In here `layers` has these columns more: where the layer's weights start, how far apart their rows are, where
# its biases start, and how many units all layers before it have.
WEIGHTS, ROW, BIASES, BEFORE = range(3, 7)

# Numbers of X in a block: 205 KB. They should stay in L2 from the forward pass to the gradient,
# together with the next block, which arrives meanwhile; and a longer block means fewer additions
# into the gradient buffer. Of 16, 24, 32, 48, 64, 80, 96, 128 examples of the seed's network, 48
# to 96 are as good as each other, 16 take 1.17 and 128 1.08 times as long (512 KB of L2).
BLOCK_NUMBERS = 25_600
BLOCK_MIN, BLOCK_MAX = 16, 256

# Rows of padded parameters start at a multiple of this many numbers, a cache line of float32.
PAD = 16


def _block(n: int) -> int:
    """How many examples are in a block."""
    return int(np.clip(BLOCK_NUMBERS // n, BLOCK_MIN, BLOCK_MAX))


def _placed(layers):
    """`layers` with the columns that are needed here, and the length of padded parameters."""
    rows, biases = (-(-layers[:, column] // PAD) * PAD for column in (INPUTS, UNITS))
    numbers = layers[:, UNITS] * rows + biases
    ends, units = numbers.cumsum(), layers[:, UNITS].cumsum()
    table = [ends - numbers, rows, ends - biases, units - layers[:, UNITS]]
    return np.column_stack([layers, *table]), int(ends[-1])


def _aligned(shape, dtype):
    """Zeros that start at a cache line, as each of its rows does if they are whole cache lines."""
    size = int(np.prod(shape))
    memory = np.zeros(size + 64, dtype)
    start = -memory.ctypes.data % 64 // memory.itemsize
    return memory[start : start + size].reshape(shape)


@inner(inline=True)
def _forward_block(W, layers, X, x, examples, A):
    """Fill A with the block's layers 1..L; the last stays before its activation. The block starts at X[x]."""
    source, below = X, x  # not one Matrix: of a read-only X and of A they would be two types
    for l in range(len(layers)):
        inputs, units, biases = layers[l, INPUTS], layers[l, UNITS], layers[l, BIASES]
        above = examples * layers[l, BEFORE]
        a, z = Matrix(source, below, inputs, 1), Matrix(A, above, units, 1)
        affine(examples, units, inputs, a, Matrix(W, layers[l, WEIGHTS], layers[l, ROW], 1), biases, z)
        source, below = A, above
        if l < len(layers) - 1:
            activate(A[above : above + examples * units], units, layers[l, ACTIVATION])


@inner(inline=True)
def _accumulate_block(work, g, X, x, targets, weight):
    """One pass over the block that starts at X[x]: work.dWs[g] += its gradients; returns the sum of its losses."""
    W, layers, dW, A, D = work.W, work.layers, work.dWs[g], work.buffers[g, 0], work.buffers[g, 1]
    ones = Matrix(work.one, 0, 0, 0)
    examples = max(len(targets.classes), len(targets.values))
    _forward_block(W, layers, X, x, examples, A)
    last = len(layers) - 1
    above = examples * layers[last, BEFORE]
    end = above + examples * layers[last, UNITS]
    loss = losses_and_deltas(A[above:end], targets, weight, D[above:end], layers[last, ACTIVATION])
    for l in range(last, -1, -1):
        inputs, units, biases = layers[l, INPUTS], layers[l, UNITS], layers[l, BIASES]
        above = examples * layers[l, BEFORE]
        below = above - examples * inputs
        source, start, ahead = (A, below, 0) if l > 0 else (X, x, examples * inputs)
        a, d, d_transposed = Matrix(source, start, inputs, 1), Matrix(D, above, units, 1), Matrix(D, above, 1, units)
        dw, db = Matrix(dW, layers[l, WEIGHTS], layers[l, ROW], 1), Matrix(dW, biases, units, 1)
        add_product(units, inputs, examples, d_transposed, a, 1, dw, ahead)
        add_product(1, units, examples, ones, d, 1, db, 0)
        if l > 0:
            w = Matrix(W, layers[l, WEIGHTS], layers[l, ROW], 1)
            add_product(examples, inputs, units, d, w, 0, Matrix(D, below, inputs, 1), 0)
            scale_by_slope(A[below:above], D[below:above], layers[l - 1, ACTIVATION])
    return loss


@inner()
def _pad(theta, layers, W):
    """W (padded) = theta."""
    p = 0
    for l in range(len(layers)):
        inputs, biases = layers[l, INPUTS], layers[l, BIASES]
        for j in range(layers[l, UNITS]):
            w = layers[l, WEIGHTS] + j * layers[l, ROW]
            W[biases + j] = theta[p]
            for k in range(inputs):
                W[w + k] = theta[p + 1 + k]
            p += 1 + inputs


@inner()
def _sum_groups(dWs, layers, dtheta):
    """dtheta = the sum of the rows of dWs, which are padded; overwrites the first."""
    dW = dWs[0]
    for g in range(1, len(dWs)):
        for p in range(len(dW)):
            dW[p] += dWs[g, p]
    p = 0
    for l in range(len(layers)):
        inputs, biases = layers[l, INPUTS], layers[l, BIASES]
        for j in range(layers[l, UNITS]):
            w = layers[l, WEIGHTS] + j * layers[l, ROW]
            dtheta[p] = dW[biases + j]
            for k in range(inputs):
                dtheta[p + 1 + k] = dW[w + k]
            p += 1 + inputs


class Workspace(NamedTuple):
    """Everything that an evaluation writes to, made once, and where its blocks are."""

    layers: np.ndarray  # (L, 7)
    block: int  # examples in a block
    bounds: np.ndarray  # (G + 1,) where the groups start and end
    W: np.ndarray  # padded parameters
    buffers: np.ndarray  # (G, 2, block * units) of a block, activations and deltas
    one: np.ndarray  # [1.0], of X's type: the input of the biases
    losses: np.ndarray  # (G,)
    dWs: np.ndarray  # (G, padded parameters) float64


def workspace(layers, X):
    """What `sums` writes to."""
    layers, padded = _placed(layers)
    block = _block(X.shape[1])
    bounds = group_bounds(len(X), block, padded)
    groups = len(bounds) - 1
    W = _aligned((padded,), X.dtype)
    buffers = _aligned((groups, 2, block * int(layers[:, UNITS].sum())), X.dtype)
    one = np.ones(1, X.dtype)
    return Workspace(layers, block, bounds, W, buffers, one, np.empty(groups), _aligned((groups, padded), np.float64))


@batch
def sums(theta, layers, X, targets, weight, work, dtheta):
    """dtheta[:] = the sum of the examples' gradients, returns that of their losses: all in one compiled call."""
    n, x, block, bounds = X.shape[1], X.ravel(), work.block, work.bounds
    losses, dWs = work.losses, work.dWs  # numba loses what is stored through the tuple inside the parallel loop
    _pad(theta, work.layers, work.W)
    for g in prange(len(losses)):
        dW = dWs[g]
        for p in range(len(dW)):
            dW[p] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1], block):
            end = min(i + block, bounds[g + 1])
            own = Targets(targets.classes[i:end], targets.values[i:end])
            loss += _accumulate_block(work, g, x, i * n, own, weight[i:end])
        losses[g] = loss
    _sum_groups(dWs, work.layers, dtheta)
    return ordered_sum(losses)


@batch
def _forward(theta, X, layers, block, bounds, W, buffers, A):
    n, K = layers[0, INPUTS], layers[len(layers) - 1, UNITS]
    _pad(theta, layers, W)
    for g in prange(len(bounds) - 1):
        for i in range(bounds[g], bounds[g + 1], block):
            examples = min(block, bounds[g + 1] - i)
            _forward_block(W, layers, X, i * n, examples, buffers[g])
            last = examples * layers[len(layers) - 1, BEFORE]
            outputs = buffers[g, last : last + examples * K]
            activate(outputs, K, layers[len(layers) - 1, ACTIVATION])
            for k in range(examples * K):
                A[i * K + k] = outputs[k]


def forward(theta, layers, X, A):
    """A[:] = output activations (m, K)."""
    layers, padded = _placed(layers)
    block = _block(X.shape[1])
    bounds = group_bounds(len(X), block, padded)
    W = _aligned((padded,), X.dtype)
    buffers = _aligned((len(bounds) - 1, block * int(layers[:, UNITS].sum())), X.dtype)
    _forward(theta, X.ravel(), layers, block, bounds, W, buffers, A.reshape(-1))

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

In here, `layers` has four columns more, which say where a layer is.
"""

import numpy as np
from numba import prange

from ..kernels.activations import activate, losses_and_deltas, scale_by_slope
from ..kernels.batches import INPUTS, KIND, UNITS, group_bounds, regularise, total_weight
from ..kernels.jit import batch, inner
from ..kernels.tiles import SHAPE, dot_strip, outer_strip

# Where its weights start, how far apart their rows are, where its biases start; and how many units
# all layers before it have.
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
    """`layers` with its four columns more, and the length of padded parameters."""
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


@inner()
def _chunk(whole, number, chunks):
    """Where the chunk of that number starts when `whole` is cut into `chunks` as even as can be."""
    return whole * number // chunks


@inner(inline=True)
def _affine(examples, inputs, units, A, a, W, w, row, bias, Z, z):
    """Z (examples, units) = A (examples, inputs) W.T + bias."""
    chunks = -(-units // SHAPE.dot_columns)
    for chunk in range(chunks):
        v = _chunk(units, chunk, chunks)
        columns = _chunk(units, chunk + 1, chunks) - v
        dot_strip(examples, columns, A, a, inputs, W, w + v * row, row, W, bias + v, inputs, Z, z + v, units)


@inner(inline=True)
def _add_products(rows, columns, A, a, row_step, step, B, b, ldb, length, keep, C, c, ldc, ahead):
    """C (rows, columns) = keep C + A B, with A's rows row_step apart and its columns step.

    On the way as many numbers as B has, `ahead` of it, are fetched from memory, a little with
    every step of the tiles (0: nothing): the next block of X arrives behind the arithmetic. Left
    to the hardware's own prefetching, the two large products of the seed's network take 1.07 to
    1.17 times as long; fetching in the forward pass too gains nothing (2 cores, AVX2).
    """
    lanes = SHAPE.bytes // B.itemsize
    vectors = -(-columns // lanes)
    chunks = -(-vectors // SHAPE.outer_vectors)
    stride = min(8, -(-columns * SHAPE.outer_rows // (chunks * rows))) if ahead > 0 else 0
    for chunk in range(chunks):
        v = _chunk(vectors, chunk, chunks) * lanes
        width = min(columns, _chunk(vectors, chunk + 1, chunks) * lanes) - v
        fetch = b + ahead + chunk * (rows * length * stride // SHAPE.outer_rows)
        outer_strip(rows, width, A, a, row_step, step, B, b + v, ldb, length, keep, C, c + v, ldc, fetch, stride)


@inner(inline=True)
def _forward_block(W, layers, X, x, examples, A):
    """Fill A with the block's layers 1..L; the last stays before its activation."""
    source, below = X, x
    for l in range(len(layers)):
        inputs, units, w, row = layers[l, INPUTS], layers[l, UNITS], layers[l, WEIGHTS], layers[l, ROW]
        above = examples * layers[l, BEFORE]
        _affine(examples, inputs, units, source, below, W, w, row, layers[l, BIASES], A, above)
        source, below = A, above
        if l < len(layers) - 1:
            activate(A[above : above + examples * units], units, layers[l, KIND])


@inner(inline=True)
def _accumulate_block(W, layers, X, x, y, weight, A, D, dW, one):
    """One pass over a block: dW += its gradients, padded like W; returns the sum of its losses.

    A and D hold the activations and deltas of layers 1..L; one = [1.0].
    """
    examples = len(y)
    _forward_block(W, layers, X, x, examples, A)
    last = len(layers) - 1
    above = examples * layers[last, BEFORE]
    end = above + examples * layers[last, UNITS]
    loss = losses_and_deltas(A[above:end], y, weight, D[above:end], layers[last, KIND])
    for l in range(last, -1, -1):
        inputs, units, w, row = layers[l, INPUTS], layers[l, UNITS], layers[l, WEIGHTS], layers[l, ROW]
        above = examples * layers[l, BEFORE]
        below = above - examples * inputs
        source, a, ahead = (A, below, 0) if l > 0 else (X, x, examples * inputs)
        _add_products(units, inputs, D, above, 1, units, source, a, inputs, examples, 1, dW, w, row, ahead)
        _add_products(1, units, one, 0, 0, 0, D, above, units, examples, 1, dW, layers[l, BIASES], units, 0)
        if l > 0:
            _add_products(examples, inputs, D, above, units, 1, W, w, row, units, 0, D, below, inputs, 0)
            scale_by_slope(A[below:above], D[below:above], layers[l - 1, KIND])
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


@batch
def _evaluate(theta, X, y, weight, decay, layers, block, bounds, W, buffers, one, losses, dWs, dtheta):
    """Everything between theta and cost and gradient: one compiled call, one parallel loop."""
    n = layers[0, INPUTS]
    _pad(theta, layers, W)
    for g in prange(len(losses)):
        dW = dWs[g]
        for p in range(len(dW)):
            dW[p] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1], block):
            end = min(i + block, bounds[g + 1])
            A, D = buffers[g, 0], buffers[g, 1]
            loss += _accumulate_block(W, layers, X, i * n, y[i:end], weight[i:end], A, D, dW, one)
        losses[g] = loss
    _sum_groups(dWs, layers, dtheta)
    return regularise(theta, total_weight(weight, len(y)), decay, losses, dtheta)


def workspace(layers, X):
    """Everything that an evaluation writes to, made once."""
    layers, padded = _placed(layers)
    block = _block(X.shape[1])
    bounds = group_bounds(len(X), block, padded)
    groups = len(bounds) - 1
    W = _aligned((padded,), X.dtype)
    buffers = _aligned((groups, 2, block * int(layers[:, UNITS].sum())), X.dtype)
    one = np.ones(1, X.dtype)
    return layers, block, bounds, W, buffers, one, np.empty(groups), _aligned((groups, padded), np.float64)


def cost_and_gradient(theta, layers, X, y, weight, decay, work, dtheta):
    """dtheta[:] = gradient, returns the cost."""
    return _evaluate(theta, X.ravel(), y, weight, decay, *work, dtheta)


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
            activate(outputs, K, layers[len(layers) - 1, KIND])
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

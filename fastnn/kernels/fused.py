"""The per-example loop in tiles: one pass over X, which is read from memory once.

A block of examples goes forward and back while its rows of X are in the cache; the weights'
gradients are summed in registers over the block. Engine "fused".

Inside, parameters and their gradients stand in *padded* order: for each layer its weights
without the biases, every row padded to whole cache lines, then the biases. So the tiles load
weights that are aligned, and add up biases like any other row. Of float32 X, they and all
products are float32; theta, the sums over a block, and the cost stay float64. Activations of a block stand
layer behind layer, (examples, units) each; so do their deltas.

`layers` (L, 5) says where, in columns INPUTS .. BEFORE.
"""

import numpy as np
from numba import prange

from .batches import group_bounds, regularise
from .elementary import like, sigmoid, softplus
from .jit import batch, inner
from .tiles import SHAPE, dot_strip, outer_strip

INPUTS, UNITS, WEIGHTS, BIASES, BEFORE = range(5)  # sizes, two offsets, and the units of all layers before

# Numbers of X in a block: 205 KB. They should stay in L2 from the forward pass to the gradient,
# together with the next block, which arrives meanwhile; and a longer block means fewer additions
# into the gradient buffer. Of 16, 24, 32, 48, 64, 80, 96, 128 examples of the seed's network, 48
# to 96 are as good as each other, 16 take 1.17 and 128 1.08 times as long (512 KB of L2).
BLOCK_NUMBERS = 25_600
BLOCK_MIN, BLOCK_MAX = 16, 256

# Rows of padded parameters start at a multiple of this many numbers, a cache line of float32.
PAD = 16


def _padded(count: int) -> int:
    return -(-count // PAD) * PAD


def _block(n: int) -> int:
    """How many examples are in a block."""
    return int(np.clip(BLOCK_NUMBERS // n, BLOCK_MIN, BLOCK_MAX))


def _layers(sizes):
    """The table `layers`, and the length of padded parameters."""
    table = []
    end = before = 0
    for inputs, units in zip(sizes[:-1].tolist(), sizes[1:].tolist(), strict=True):
        biases = end + units * _padded(inputs)
        table.append((inputs, units, end, biases, before))
        end = biases + _padded(units)
        before += units
    return np.array(table, dtype=np.int64), end


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


@inner()
def _affine(examples, inputs, units, A, a, W, w, bias, Z, z):
    """Z (examples, units) = A (examples, inputs) W.T + bias."""
    row = -(-inputs // PAD) * PAD
    chunks = -(-units // SHAPE.dot_columns)
    for chunk in range(chunks):
        v = _chunk(units, chunk, chunks)
        columns = _chunk(units, chunk + 1, chunks) - v
        dot_strip(examples, columns, A, a, inputs, W, w + v * row, row, W, bias + v, inputs, Z, z + v, units)


@inner()
def _accumulate_outer(examples, inputs, units, A, a, D, d, step, dW, w, row, ahead):
    """dW (units, inputs) += D.T A, with D (examples, units) the deltas, `step` numbers from one to the next.

    On the way as many examples, `ahead` of A, are fetched from memory, a little with every step
    of the tiles: the next block of X arrives behind the arithmetic. Left to the hardware's own
    prefetching, the two large products of the seed's network take 1.07 to 1.17 times as long;
    fetching in the forward pass too gains nothing (2 cores, AVX2).
    """
    lanes = SHAPE.bytes // A.itemsize
    vectors = -(-inputs // lanes)
    chunks = -(-vectors // SHAPE.outer_vectors)
    stride = min(8, -(-inputs * SHAPE.outer_rows // (chunks * units)))
    for chunk in range(chunks):
        v = _chunk(vectors, chunk, chunks) * lanes
        columns = min(inputs, _chunk(vectors, chunk + 1, chunks) * lanes) - v
        fetch = a + ahead + chunk * (units * examples * stride // SHAPE.outer_rows)
        outer_strip(units, columns, D, d, 1, step, A, a + v, inputs, examples, 1, dW, w + v, row, fetch, stride)


@inner()
def _pull_back(examples, inputs, units, D, d, W, w, E, e):
    """E (examples, inputs) = D (examples, units) W."""
    row = -(-inputs // PAD) * PAD
    lanes = SHAPE.bytes // W.itemsize
    vectors = -(-inputs // lanes)
    chunks = -(-vectors // SHAPE.outer_vectors)
    for chunk in range(chunks):
        v = _chunk(vectors, chunk, chunks) * lanes
        columns = min(inputs, _chunk(vectors, chunk + 1, chunks) * lanes) - v
        outer_strip(examples, columns, D, d, units, 1, W, w + v, row, units, 0, E, e + v, inputs, w, 0)


@inner()
def _activate(A):
    """A[:] = sigmoid(A)."""
    for i in range(len(A)):
        A[i] = sigmoid(A[i])


@inner()
def _scale_by_slope(A, E):
    """E *= A (1 - A): the slope of the sigmoid whose value is A."""
    for i in range(len(A)):
        E[i] *= A[i] * (like(A[i], 1.0) - A[i])


@inner()
def _losses_and_deltas(Z, y, D):
    """Sum of the losses; D (flat, examples x K, like Z) = the deltas of pre-activations Z.

    With s = -z for the example's own class and z for the others, the loss is softplus(s) and
    the delta sigmoid(s), negative for the own class. Exact for every z. Overwrites Z.
    """
    K = len(Z) // len(y)
    for i in range(len(y)):
        Z[i * K + y[i]] = -Z[i * K + y[i]]
    loss = 0.0
    for i in range(len(Z)):
        loss += softplus(Z[i])
        D[i] = sigmoid(Z[i])
    for i in range(len(y)):
        D[i * K + y[i]] = -D[i * K + y[i]]
    return loss


@inner()
def _forward_block(W, layers, X, x, examples, A):
    """Fill A with the block's layers 1..L; the last stays before its sigmoid."""
    source, below = X, x
    for l in range(len(layers)):
        inputs, units = layers[l, INPUTS], layers[l, UNITS]
        above = examples * layers[l, BEFORE]
        _affine(examples, inputs, units, source, below, W, layers[l, WEIGHTS], layers[l, BIASES], A, above)
        source, below = A, above
        if l < len(layers) - 1:
            _activate(A[above : above + examples * units])


@inner()
def _accumulate_block(W, layers, X, x, y, A, D, dW, one):
    """One pass over a block: dW += its gradients, padded like W; returns the sum of its losses.

    A and D hold the activations and deltas of layers 1..L; one = [1.0].
    """
    examples = len(y)
    _forward_block(W, layers, X, x, examples, A)
    last = len(layers) - 1
    above = examples * layers[last, BEFORE]
    end = above + examples * layers[last, UNITS]
    loss = _losses_and_deltas(A[above:end], y, D[above:end])
    for l in range(last, -1, -1):
        inputs, units, w, biases = layers[l, INPUTS], layers[l, UNITS], layers[l, WEIGHTS], layers[l, BIASES]
        above = examples * layers[l, BEFORE]
        below = above - examples * inputs
        source, a, ahead = (A, below, 0) if l > 0 else (X, x, examples * inputs)
        row = -(-inputs // PAD) * PAD
        _accumulate_outer(examples, inputs, units, source, a, D, above, units, dW, w, row, ahead)
        _accumulate_outer(examples, units, 1, D, above, one, 0, 0, dW, biases, units, 0)
        if l > 0:
            _pull_back(examples, inputs, units, D, above, W, w, D, below)
            _scale_by_slope(A[below:above], D[below:above])
    return loss


@inner()
def _pad(theta, layers, W):
    """W (padded) = theta."""
    p = 0
    for l in range(len(layers)):
        inputs, biases = layers[l, INPUTS], layers[l, BIASES]
        row = -(-inputs // PAD) * PAD
        for j in range(layers[l, UNITS]):
            w = layers[l, WEIGHTS] + j * row
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
        row = -(-inputs // PAD) * PAD
        for j in range(layers[l, UNITS]):
            w = layers[l, WEIGHTS] + j * row
            dtheta[p] = dW[biases + j]
            for k in range(inputs):
                dtheta[p + 1 + k] = dW[w + k]
            p += 1 + inputs


@batch
def _evaluate(theta, X, y, decay, layers, block, bounds, W, buffers, one, losses, dWs, dtheta):
    """Everything between theta and cost and gradient: one compiled call, one parallel loop."""
    n = layers[0, INPUTS]
    _pad(theta, layers, W)
    for g in prange(len(losses)):
        dW = dWs[g]
        for p in range(len(dW)):
            dW[p] = 0.0
        loss = 0.0
        for i in range(bounds[g], bounds[g + 1], block):
            examples = y[i : min(i + block, bounds[g + 1])]
            loss += _accumulate_block(W, layers, X, i * n, examples, buffers[g, 0], buffers[g, 1], dW, one)
        losses[g] = loss
    _sum_groups(dWs, layers, dtheta)
    return regularise(theta, len(y), decay, losses, dtheta)


def workspace(sizes, X):
    """Everything that an evaluation writes to, made once."""
    layers, padded = _layers(sizes)
    block = _block(X.shape[1])
    bounds = group_bounds(len(X), block, padded)
    groups = len(bounds) - 1
    W = _aligned((padded,), X.dtype)
    buffers = _aligned((groups, 2, block * int(sizes[1:].sum())), X.dtype)
    one = np.ones(1, X.dtype)
    return layers, block, bounds, W, buffers, one, np.empty(groups), _aligned((groups, padded), np.float64)


def cost_and_gradient(theta, sizes, X, y, decay, work, dtheta):
    """dtheta[:] = gradient, returns the cost."""
    return _evaluate(theta, X.ravel(), y, decay, *work, dtheta)


@batch
def _forward(theta, X, layers, block, bounds, W, buffers, A):
    n, K = layers[0, INPUTS], layers[len(layers) - 1, UNITS]
    _pad(theta, layers, W)
    for g in prange(len(bounds) - 1):
        for i in range(bounds[g], bounds[g + 1], block):
            examples = min(block, bounds[g + 1] - i)
            _forward_block(W, layers, X, i * n, examples, buffers[g])
            last = examples * layers[len(layers) - 1, BEFORE]
            for k in range(examples * K):
                A[i * K + k] = sigmoid(buffers[g, last + k])


def forward(theta, sizes, X, A):
    """A[:] = output activations (m, K)."""
    layers, padded = _layers(sizes)
    block = _block(X.shape[1])
    bounds = group_bounds(len(X), block, padded)
    W = _aligned((padded,), X.dtype)
    buffers = _aligned((len(bounds) - 1, block * int(sizes[1:].sum())), X.dtype)
    _forward(theta, X.ravel(), layers, block, bounds, W, buffers, A.reshape(-1))

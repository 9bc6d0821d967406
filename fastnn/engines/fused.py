"""The per-example loop in tiles: one pass over X, which is read from memory once.

A block of examples goes forward and back while its rows of X are in the cache; the weights'
gradients are summed in registers over the block. Engine "fused".

Inside, parameters and their gradients stand in *padded* order: for each layer its weights
without the biases, every row padded to whole cache lines, then the biases. So the tiles load
weights that are aligned, and add up biases like any other row. Behind them stand once more, in
panels for the way forward (`tiles.panel`), the weights of layers where that pays. Of float32 X, they and all
products, activations and deltas are float32; theta, the gradient's sums over blocks, and the
cost stay float64. Activations of a block stand layer behind layer, (examples, units) each; so do
their deltas. (The other way round, one unit's values in a row, took up to 1.2 times as long with
narrow layers; it was faster only with AVX2 and wide ones.)
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numba import prange

from ..kernels.activations import activate, scale_by_slope
from ..kernels.arguments import ACTIVATION, INPUTS, UNITS, Targets, arithmetic, equal_runs
from ..kernels.batches import OPERATIONS, add_in_order, group_count, group_start, regularised_mean, runs
from ..kernels.elementary import like
from ..kernels.losses import losses_and_deltas
from ..kernels.tiles import Matrix, add_product, affine, affine_by_panels, panel, panel_count, panels_pay
from ..kernels.widening import bits, widened
from ..runtime.jit import apart, batch, inner, serial
from ..runtime.pool import threads

__all__ = ["accumulate", "forward", "outputs", "prepared", "regularised_mean", "workspace"]

# In here `layers` has these columns more: where the layer's weights start, how far apart their rows are, where
# its biases start, how many units all layers before it have, and where its panels start, or -1 if it has none.
WEIGHTS, ROW, BIASES, BEFORE, PANELS = range(3, 8)

# Bytes of X in a block. They should stay in L2 from the forward pass to the gradient, together with the next block,
# which arrives meanwhile; and a longer block means fewer additions into the gradient buffer. With half of it networks
# of 400 and 784 inputs take 1.00 to 1.11 times as long, with 1.5 and 2 times as much 0.95 to 1.05 (1 MB of L2); with
# 512 KB of L2, 16 examples of the course's network took 1.17 and 128 1.08 times as long as 48 to 96. One number
# serves all.
BLOCK_BYTES = 204_800
BLOCK_MIN, BLOCK_MAX = 16, 256

# Rows of padded parameters start at a multiple of this many numbers, a cache line of float32.
PAD = 16


def _longest_block(n, dtype):
    """How many examples a block has at most."""
    return min(max(BLOCK_BYTES // (n * dtype.itemsize), BLOCK_MIN), BLOCK_MAX)


# Up to how many multiply-adds a call runs on one thread. For more the second one pays, though what it reads and
# writes goes from core to core: 16 us for the course's network, of 67 us that 100 examples take (2 cores, AMD Zen 4).
FEW = 500_000


# Rows of examples that a forward pass deals to each thread: they are its longest, and the shortest by a block.
LANES = 4


@lru_cache  # uncached, this takes a tenth of the time of one row's outputs
def _cut(m, n, dtype, numbers):
    """Return (block length, serial): equal blocks; serial means one thread is enough for `numbers` parameters."""
    serial = m * numbers <= FEW
    blocks = max(-(-m // _longest_block(n, dtype)), 1 if serial else 2)
    return -(-m // blocks), serial


def _placed(layers, dtype):
    """`layers` with the columns needed here, all units, the length of padded parameters, and that with panels."""
    return _placed_layers(tuple(map(tuple, layers.tolist())), dtype.itemsize)


@lru_cache
def _placed_layers(layers, size):
    """The same of a tuple, for numbers of so many bytes: made once, as it takes longer than an example does."""
    table, end, units_before = [], 0, 0
    for inputs, units, code in layers:
        row, biases = (-(-count // PAD) * PAD for count in (inputs, units))
        table.append([inputs, units, code, end, row, end + units * row, units_before, -1])
        end, units_before = end + units * row + biases, units_before + units
    padded = end
    for layer in table:
        if panels_pay(layer[INPUTS], layer[UNITS], size):
            layer[PANELS] = end
            end += layer[INPUTS] * (-(-layer[UNITS] // PAD) * PAD)
    return np.array(table), units_before, padded, end


def _aligned(shape, dtype):
    """An array that starts at a cache line, as each of its rows does if they are whole cache lines."""
    size = prod(shape)
    memory = np.empty(size + 64, dtype)
    start = -memory.__array_interface__["data"][0] % 64 // memory.itemsize
    return memory[start : start + size].reshape(shape)


@apart
def _forward_block(W, layers, X, x, examples, A):
    """Fill A with the block's layers 1..L; the last stays before its activation. The block starts at X[x].

    Returns 0, or NaN if a pre-activation is not finite. So it is where something in X or W is not (0 times infinity
    is NaN), and where a sum overflows: with fused multiply-adds its infinity may then have the wrong sign.
    """
    source, below, told = X, x, like(A[0], 0.0)  # not one Matrix: of a read-only X and of A they would be two types
    for l in range(len(layers)):
        inputs, units, biases = layers[l, INPUTS], layers[l, UNITS], layers[l, BIASES]
        above = examples * layers[l, BEFORE]
        a, z = Matrix(source, below, inputs, 1), Matrix(A, above, units, 1)
        if layers[l, PANELS] < 0:
            affine(examples, units, inputs, a, Matrix(W, layers[l, WEIGHTS], layers[l, ROW], 1), biases, z)
        else:
            affine_by_panels(examples, units, inputs, a, W, layers[l, PANELS], biases, z)
        own = A[above : above + examples * units]
        for i in range(len(own)):
            told += like(own[i], 0.0) * own[i]
        source, below = A, above
        if l < len(layers) - 1:
            activate(own, units, layers[l, ACTIVATION])
    return told


@apart
def _accumulate_block(work, lane, g, more, X, x, targets, weight):
    """One pass over the block that starts at X[x]: its gradients into work.dWs[g]; returns the sum of its losses.

    They are added there if `more` is 1, and overwrite what is there if it is 0. NaN is the sum of an overflow.
    """
    W, layers, dW, A, D = work.W, work.layers, work.dWs[g], work.buffers[lane, 0], work.buffers[lane, 1]
    ones = Matrix(work.one, 0, 0, 0)
    examples = max(len(targets.classes), len(targets.values))
    told = _forward_block(W, layers, X, x, examples, A)
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
        add_product(units, inputs, examples, d_transposed, a, more, dw, ahead)
        add_product(1, units, examples, ones, d, more, db, 0)
        if l > 0:
            w = Matrix(W, layers[l, WEIGHTS], layers[l, ROW], 1)
            add_product(examples, inputs, units, d, w, 0, Matrix(D, below, inputs, 1), 0)
            scale_by_slope(A[below:above], D[below:above], layers[l - 1, ACTIVATION])
    return loss + told


@apart
def _pad(theta, first, layers, backwards, W):
    """W (padded, with panels) = theta, all of it or the layers from `first` on that it holds; returns how many.

    `backwards`: with those rows too that only backpropagation needs.
    """
    p, l = 0, first
    while p < len(theta):
        inputs, units, biases, panels = layers[l, INPUTS], layers[l, UNITS], layers[l, BIASES], layers[l, PANELS]
        for j in range(units):
            W[biases + j] = theta[p + j * (1 + inputs)]
        if panels < 0 or (backwards and l > 0):
            for j in range(units):
                w, t = layers[l, WEIGHTS] + j * layers[l, ROW], p + j * (1 + inputs) + 1
                row, own = W[w : w + inputs], theta[t : t + inputs]  # an index would be asked whether it is negative
                for k in range(inputs):
                    row[k] = own[k]
        if panels >= 0:
            chunks = panel_count(units, W.itemsize)
            for chunk in range(chunks):
                v, width = panel(units, chunk, chunks, W.itemsize)
                count = min(width, units - v)
                for k in range(inputs):
                    w, t = panels + v * inputs + k * width, p + v * (1 + inputs) + 1 + k
                    row, column = W[w : w + count], theta[t : t + (count - 1) * (1 + inputs) + 1 : 1 + inputs]
                    for j in range(count):
                        row[j] = column[j]
        p += units * (1 + inputs)
        l += 1
    return l - first


@inner()
def _add_unit(dWs, run, layers, u, sums):
    """sums += what the run's rows of dWs, which are padded, hold of a unit's parameters, row by row.

    The first run overwrites what is in sums.
    """
    l, p, j = 0, 0, u
    while j >= layers[l, UNITS]:
        p += layers[l, UNITS] * (1 + layers[l, INPUTS])
        j -= layers[l, UNITS]
        l += 1
    inputs = layers[l, INPUTS]
    p += j * (1 + inputs)
    bias, w = layers[l, BIASES] + j, layers[l, WEIGHTS] + j * layers[l, ROW]
    row, more = sums[p + 1 : p + 1 + inputs], 0
    if run.start == 0:
        sums[p], more = 0.0, 1
        own = dWs[0, w : w + inputs]
        for k in range(inputs):
            row[k] = own[k]
    add_in_order(dWs[:, bias], run.groups, sums, p)
    for g in range(more, run.groups):
        own = dWs[g, w : w + inputs]
        for k in range(inputs):
            row[k] += own[k]


# From how many numbers on all threads add the groups' sums together.
TOGETHER = 1 << 17


class Workspace(NamedTuple):
    """Everything that an evaluation writes to, made once, and how its examples are cut.

    Groups of a run are dealt to lanes: what a lane does is done by one thread, one group after another.
    """

    layers: np.ndarray  # (L, 8)
    units: int  # of all layers
    m: int  # examples, of all runs
    groups: int  # of all runs
    block: int  # examples in a block
    scale: float  # of X
    W: np.ndarray  # padded parameters, with panels
    rows: np.ndarray  # (lanes, block * n) of X as they are computed with, where that is not as they are kept
    inputs: np.ndarray  # the same, read-only as X is
    buffers: np.ndarray  # (lanes, 2, block * units) of a block, activations and deltas
    one: np.ndarray  # [1.0], of X's type: the input of the biases
    losses: np.ndarray  # (groups of a run,)
    dWs: np.ndarray  # (groups of a run, padded parameters) float64


def workspace(layers, m, kept, scale, most=None):
    """What `accumulate` works with, and the runs of examples that it takes."""
    dtype, n = arithmetic(kept), int(layers[0, INPUTS])
    layers, units, padded, numbers = _placed(layers, dtype)
    block, serial = _cut(m, n, dtype, padded)
    groups = group_count(m, -(-m // block), padded)
    count = 1 if serial else threads()
    cut = runs(m, block, groups, padded, count, most)
    together = cut[0].groups
    lanes = 1 if serial else min(together, LANES * count)
    rows, inputs = _rows(lanes, block * n, kept, scale)
    work = Workspace(
        layers, units, m, groups, block, scale, _aligned((numbers,), dtype), rows, inputs,
        _aligned((lanes, 2, block * units), dtype), np.ones(1, dtype),
        np.empty(together), _aligned((together, padded), np.float64),
    )  # fmt: skip
    return work, cut


def _rows(lanes, numbers, kept, scale):
    """Where blocks of X become what they are computed with, and a view of it; nothing if they are that already."""
    dtype = arithmetic(kept)
    return _nothing(dtype) if kept == dtype and scale == 1.0 else _with_view(_aligned((lanes, numbers), dtype))


@lru_cache
def _nothing(dtype):
    return _with_view(np.empty((1 << 20, 0), dtype))  # for any number of lanes


def _with_view(rows):
    view = rows.view()
    view.flags.writeable = False
    return rows, view


@inner()
def _sum_group(work, lane, g, run, X, targets, weight):
    """work.dWs[g] = the sum of the gradients of that group of the run; returns that of their losses."""
    n, block, loss = work.layers[0, INPUTS], work.block, 0.0
    start = group_start(run.first + g, work.groups, work.m, block) - run.start
    end = group_start(run.first + g + 1, work.groups, work.m, block) - run.start
    for i in range(start, end, block):
        stop = min(i + block, end)
        own = Targets(targets.classes[i:stop], targets.values[i:stop])
        source, x = widened(X, i * n, (stop - i) * n, work.scale, work.rows[lane], work.inputs[lane])
        loss += _accumulate_block(work, lane, g, 1 if i > start else 0, source, x, own, weight[i:stop])
    return loss


@inner()
def _sum_lane(work, lane, run, X, targets, weight, losses):
    """The groups of a run that are this lane's."""
    lanes = len(work.buffers)
    for g in range(run.groups * lane // lanes, run.groups * (lane + 1) // lanes):
        losses[g] = _sum_group(work, lane, g, run, X, targets, weight)


@batch
def _accumulate(theta, X, targets, weight, work, run, sums):
    x, dWs, losses, lanes = X.ravel(), work.dWs, work.losses, len(work.buffers)
    _pad(theta, 0, work.layers, True, work.W)
    for lane in prange(lanes):  # in uint64, for which all would be compiled once more
        _sum_lane(work, np.int64(lane), run, x, targets, weight, losses)
    if run.groups * dWs.shape[1] < TOGETHER:
        for u in range(work.units):
            _add_unit(dWs, run, work.layers, u, sums)
    else:
        for u in prange(work.units):
            _add_unit(dWs, run, work.layers, np.int64(u), sums)
    if run.start == 0:
        sums[-1] = 0.0
    add_in_order(losses, run.groups, sums, len(sums) - 1)


def accumulate(theta, layers, X, targets, weight, work, run, sums):
    """sums[:P] += the gradients of a run's examples, group after group, and sums[P] += their losses.

    The first run overwrites what is in sums.
    """
    kernel = _accumulate.serial if len(work.buffers) == 1 else _accumulate
    kernel(theta, bits(X), targets, weight, work, run, sums)


class Network(NamedTuple):
    """A network as `outputs` takes it, for X of one type, times scale."""

    layers: np.ndarray  # (L, 8)
    W: np.ndarray  # padded parameters, with panels
    units: int  # of all layers
    scale: float


@serial
def _prepare(theta, first, layers, W):
    return _pad(theta, first, layers, False, W)


def prepared(parts, layers, kept, scale):
    """The network for X of that type, once for any number of calls; `parts` are theta, or its layers one by one."""
    dtype = arithmetic(kept)
    layers, units, _, numbers = _placed(layers, dtype)
    W = _aligned((numbers,), dtype)
    first = 0
    for part in parts:
        first += _prepare(part, first, layers, W)
    return Network(layers, W, units, scale)


@inner()
def _forward_group(network, g, X, block, buffers, rows, inputs, A):
    """The outputs of that group of examples; returns what `_forward_block` tells.

    A row of `buffers` holds a block's activations; rows and inputs are as in `Workspace`.
    """
    layers, buffer = network.layers, buffers[g]
    last = len(layers) - 1
    n, K, code = layers[0, INPUTS], layers[last, UNITS], layers[last, ACTIVATION]
    m, groups, told = len(X) // n, len(buffers), 0.0
    end = group_start(g + 1, groups, m, block)
    for i in range(group_start(g, groups, m, block), end, block):
        examples = min(block, end - i)
        source, x = widened(X, i * n, examples * n, network.scale, rows[g], inputs[g])
        told += _forward_block(network.W, layers, source, x, examples, buffer)
        first = examples * layers[last, BEFORE]
        a = buffer[first : first + examples * K]
        activate(a, K, code)
        for k in range(examples * K):
            A[i * K + k] = a[k]
    return told


@batch
def _outputs(network, X, block, buffers, rows, inputs, told, A):
    for g in prange(len(told)):
        told[g] = _forward_group(network, np.int64(g), X, block, buffers, rows, inputs, A)
    finite = True
    for g in range(len(told)):  # Numba would make a parallel loop of told.sum(), and wait for all threads
        finite = finite and told[g] == 0.0
    return finite


def outputs(network, X, A):
    """A[:] = output activations (m, K); returns False if a pre-activation on the way was not finite."""
    (m, n), dtype = X.shape, network.W.dtype
    block, serial = _cut(m, n, dtype, len(network.W))
    if not serial and m > (most := max(block, int(threads() * OPERATIONS / (2 * len(network.W))))):
        return all(outputs(network, X[run.start : run.stop], A[run.start : run.stop]) for run in equal_runs(m, most))
    groups = 1 if serial else min(-(-m // block), LANES * threads())
    rows, inputs = _rows(groups, block * n, X.dtype, network.scale)
    buffers, x, told = np.empty((groups, block * network.units), dtype), bits(X).reshape(-1), np.empty(groups)
    kernel = _outputs.serial if groups == 1 else _outputs
    return kernel(network, x, block, buffers, rows, inputs, told, A.reshape(-1))


def forward(theta, layers, X, scale, A):
    """A[:] = output activations (m, K)."""
    outputs(prepared([theta], layers, X.dtype, scale), X, A)

"""Central differences of the cost: of the forward function alone, nothing of backpropagation.

One weight moves one unit, and that moves what lies above it; everything else stays where it was.
So the pre-activations Z of all units are computed once, and then, for every weight and example,
only how far the values move, not where they arrive. The formulas stand with the activations
(`activations.move`) and the losses (`losses.loss_ratios`): they equal the differences for a step of any
size, but no two numbers that are nearly equal are subtracted, and each difference is right to the
last bits however small it is. That is what lets the step be small enough for the differences to be
derivatives (`fastnn.spec.STEP`).

The examples of a block stand side by side, a unit's values in a row: loops run along them, and need
no sums to be reordered. Where an input is 0, as half of all pixels are, its weights move nothing:
such examples are left out of the row.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import prange

from ..runtime.jit import EXACT, apart, batch, inner
from ..spec import ACTIVATIONS
from .activations import activation, before_move, move
from .arguments import ACTIVATION, INPUTS, UNITS
from .elementary import TINY, log1p
from .losses import before_loss_move, has_shift, loss_ratios, loss_shifts
from .tiles import Matrix, add_product

# In here, `layers` has two columns more: where its weights start in theta, and its units in Z.
START, BEFORE = range(3, 5)

# Examples in a block of pre-activations or slopes, and the most in one of differences by parameters. Of the course's
# network 128, 256, 512 and 1024 take 1.17, 1.05, 1 and 0.97 times as long (2 cores, AVX-512): half of them are
# left out, and few are left then for a row.
BLOCK, BLOCK_MIN = 512, 64

# But rows of all units, of which a team has four each, should stay in the cache: a team's and all teams' together
# take so many bytes at most, or what BLOCK_MIN examples and two teams need. Of 400-64-32-10 a team's 0.4, 0.8 and
# 1.6 MB took 3.9, 3.3 and 3.0 s (2 cores, AMD Zen 4, 1 MB of L2): a short row costs more than a far one.
TEAM_BYTES, ALL_BYTES = 1_600_000, 64_000_000

# Rows are filled up to a multiple of this, so that a vector leaves no rest: float64 of AVX-512.
LANES = 8

# Parts of a batch that threads share, each with its own rows. 16 parts take 1.03 times as long. Columns are dealt to
# them in turn, far ones one after another: of neighbours, as the pixels at an edge are, each thread gets its share.
TEAMS, SPREAD = 32, 0.618

# What |up| + |down| may be for log1p's polynomial to serve: it needs (up - down)/(1 + down) >= -0.29.
SMALL = 0.22

# The rows of `Workspace.lines`; a side's is UP or UP_SHIFT, and the one after it.
X_LINE, WEIGHT, UP, DOWN, UP_SHIFT, DOWN_SHIFT, LOSS, SIZE, OWN_MOVE = range(9)


class Network(NamedTuple):
    theta: np.ndarray
    layers: np.ndarray  # (L, 5)
    slopes: np.ndarray  # (L,) how far an activation moves at most when its pre-activation moves by 1
    reach: np.ndarray  # (L,) how far a layer's pre-activations move at most when all of its inputs move by 1


class Data(NamedTuple):
    X: np.ndarray
    classes: np.ndarray  # the fields of `Targets`: numba's parallel loops take tuples, but none in tuples
    values: np.ndarray
    weight: np.ndarray
    Z: np.ndarray  # (all units, m) from `pre_activations`


class Workspace(NamedTuple):
    """Of one team, or with one axis more of all: what is known of the chosen examples of a block."""

    lines: np.ndarray  # (9, block)
    factors: np.ndarray  # (all units,)
    units: np.ndarray  # (4, all units, block): how far each has moved, p and q, and how far its pre-activations have
    chosen: np.ndarray  # (block,) int64: which examples they are
    own: np.ndarray  # (block,) int64: their classes


class Differences(NamedTuple):
    """Of N parameters, or directions."""

    values: np.ndarray  # (N,) float64
    sizes: np.ndarray  # (N,) float64: the same sums with every term taken positive, what rounding is relative to
    kinks: np.ndarray  # (N,) int64: how often a unit has passed a kink within the step


def zeros(count: int) -> Differences:
    """Return the differences of no examples."""
    return Differences(np.zeros(count), np.zeros(count), np.zeros(count, np.int64))


def _placed(layers):
    """`layers` with its two columns more."""
    numbers = layers[:, UNITS] * (layers[:, INPUTS] + 1)
    return np.column_stack([layers, numbers.cumsum() - numbers, layers[:, UNITS].cumsum() - layers[:, UNITS]])


@inner(EXACT)
def _choose(net, data, examples, layer, column, work):
    """Choose the examples of a range whose input `column` of that layer is not 0; fill their x and weight.

    Column 0 is the constant 1. Returns how many there are, filled up with zeros to whole LANES.
    """
    layers, chosen, x, w = net.layers, work.chosen, work.lines[X_LINE], work.lines[WEIGHT]
    start, end = examples
    count = 0
    for i in range(start, end):
        value = 1.0
        if column > 0 and layer == 0:
            value = data.X[i, column - 1]
        elif column > 0:
            z = data.Z[layers[layer - 1, BEFORE] + column - 1, i]
            value = activation(z, layers[layer - 1, ACTIVATION])
        chosen[count], x[count] = i, value
        w[count] = data.weight[i] if len(data.weight) > 0 else 1.0
        count += value != 0.0
    while count % LANES > 0:
        chosen[count], x[count], w[count] = start, 0.0, 0.0
        count += 1
    return count


@inner(EXACT)
def _gather(net, data, layer, count, work):
    """Of the chosen examples their classes, and p and q of all units from that layer on."""
    layers, chosen, p, q = net.layers, work.chosen[:count], work.units[1], work.units[2]
    last = len(layers) - 1
    for l in range(layer, last):
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            before_move(data.Z[j], chosen, layers[l, ACTIVATION], p[j, :count], q[j, :count])
    outputs, code, w = layers[last, BEFORE], layers[last, ACTIVATION], work.lines[WEIGHT, :count]
    before_loss_move(data.Z[outputs:], chosen, data, code, work.own, p[outputs:], q[outputs:], w)


@inner(EXACT)
def _propagate(net, layer, row, count, step, distance, work):
    """The pre-activations of unit `row` of that layer move by step * X_LINE: fill d of all that moves.

    `distance` is the largest of these moves. Of the outputs d stays that of their pre-activations; those that moved
    are first .. last - 1. Returns (first, last), the largest |d| of them at most, and how many units have passed a
    kink on the way.
    """
    theta, layers, factors = net.theta, net.layers, work.factors
    d, p, q, z = work.units[0], work.units[1], work.units[2], work.units[3]
    moves, arrived, stride = d.reshape(d.size), z.reshape(z.size), d.shape[1]
    kinks, first, last, outputs = 0, row, row + 1, len(layers) - 1
    for l in range(layer, len(layers)):
        width = layers[l, INPUTS] + 1
        if l > layer:
            first, last = 0, layers[l, UNITS]
            distance *= net.slopes[l - 1]
        start, end = layers[l, BEFORE] + first, layers[l, BEFORE] + last
        source = z[start:end]
        for r in range(last - first):
            factors[r] = 1.0
        if l == layer:
            source, factors[0] = work.lines[X_LINE : X_LINE + 1], step
        elif l == layer + 1:
            source = d[layers[layer, BEFORE] + row : layers[layer, BEFORE] + row + 1]
            largest = 0.0
            for r in range(last):
                factors[r] = theta[layers[l, START] + r * width + 1 + row]
                largest = max(largest, abs(factors[r]))
            distance *= largest
        else:
            distance *= net.reach[l]
            w, below = Matrix(theta, layers[l, START] + 1, width, 1), layers[l - 1, BEFORE] * stride
            to = Matrix(moves if l == outputs else arrived, start * stride, stride, 1)
            add_product(last, count, width - 1, w, Matrix(moves, below, stride, 1), 0, to, 0)
        if l < outputs:
            code, tiny = layers[l, ACTIVATION], distance <= 0.5 * TINY
            kinks += move(factors, source, p[start:end], q[start:end], code, tiny, d[start:end], count)
        elif l <= layer + 1:
            for r in range(last - first):
                dr, factor = d[start + r], factors[r]
                for i in range(count):
                    dr[i] = factor * source[0, i]
    return (first, last), distance, kinks


@inner(EXACT)
def _sum(lines, count, shifts):
    """Sum of weight * (log((1 + up)/(1 + down)) + up_shift - down_shift), and of its terms' sizes.

    Summed in halves, laid one on the other. Overwrites LOSS and SIZE.
    """
    weight, up, down = lines[WEIGHT, :count], lines[UP, :count], lines[DOWN, :count]
    losses, sizes = lines[LOSS], lines[SIZE]
    for i in range(count):
        losses[i] = weight[i] * log1p((up[i] - down[i]) / (1.0 + down[i]))
    for i in range(count):
        if not abs(up[i]) + abs(down[i]) <= SMALL:
            losses[i] = weight[i] * (math.log1p(up[i]) - math.log1p(down[i]))
    for i in range(count):
        sizes[i] = abs(losses[i])
    if shifts:
        for i in range(count):
            shift = weight[i] * (lines[UP_SHIFT, i] - lines[DOWN_SHIFT, i])
            losses[i] += shift
            sizes[i] += abs(shift)
    while count > LANES:
        half = count // LANES // 2 * LANES
        for i in range(half):
            losses[i] += losses[count - half + i]
            sizes[i] += sizes[count - half + i]
        count -= half
    total, size = 0.0, 0.0
    for i in range(count):
        total += losses[i]
        size += sizes[i]
    return total, size


@inner(EXACT)
def _column_block(net, data, examples, step, parameters, work, found):
    """Add to `found` the differences of a range of examples by parameters, all in one column of a layer."""
    layer, column = parameters[0, 0], parameters[0, 2]
    count = _choose(net, data, examples, layer, column, work)
    if count == 0:
        return
    _gather(net, data, layer, count, work)
    d, p, q, lines, own = work.units[0], work.units[1], work.units[2], work.lines, work.own[:count]
    outputs, code = net.layers[len(net.layers) - 1, BEFORE], net.layers[len(net.layers) - 1, ACTIVATION]
    x, own_move, shifts, largest = lines[X_LINE], lines[OWN_MOVE, :count], has_shift(data, code), 0.0
    for i in range(count):
        largest = max(largest, abs(x[i]))
    for number in range(len(parameters)):
        row = parameters[number, 1]
        for side in range(2):
            distance = step if side == 0 else -step
            moved, reached, kinks = _propagate(net, layer, row, count, distance, step * largest, work)
            tiny = reached <= 0.5 * TINY
            loss_ratios(d[outputs:], p[outputs:], own, moved, code, tiny, own_move, lines[UP + side, :count])
            if shifts:
                shift = lines[UP_SHIFT + side, :count]
                loss_shifts(d[outputs:], p[outputs:], q[outputs:], moved, code, own_move, shift)
            found.kinks[number] += kinks
        total, size = _sum(lines, count, shifts)
        found.values[number] += total
        found.sizes[number] += size


@partial(apart, fastmath=EXACT)
def _column(net, data, decay, step, parameters, work, found):
    """found = the differences by parameters that are all in one column: sums over the blocks, in order."""
    for i in range(len(parameters)):
        found.values[i], found.sizes[i], found.kinks[i] = 0.0, 0.0, 0
    block = len(work.own)
    for start in range(0, len(data.X), block):
        _column_block(net, data, (start, min(start + block, len(data.X))), step, parameters, work, found)
    for i in range(len(parameters)):
        layer, row, column = parameters[i]
        p = net.layers[layer, START] + row * (net.layers[layer, INPUTS] + 1) + column
        found.values[i] = found.values[i] / (2.0 * step) + decay[p] * net.theta[p]
        found.sizes[i] = found.sizes[i] / (2.0 * step) + abs(decay[p] * net.theta[p])


def _workspace(parts, units, block):
    """Of the teams that share so many parts, for a network of that many units."""
    teams = min(TEAMS, parts, max(2, ALL_BYTES // (32 * units * block)))
    lines, factors, rows = np.empty((teams, 9, block)), np.empty((teams, units)), np.empty((teams, 4, units, block))
    return Workspace(lines, factors, rows, np.empty((teams, block), np.int64), np.empty((teams, block), np.int64))


def _column_workspace(columns, units):
    block = TEAM_BYTES // (32 * units) // LANES * LANES
    return _workspace(columns, units, min(max(block, BLOCK_MIN), BLOCK))


@partial(batch, fastmath=EXACT)
def _numerical_gradient(net, data, decay, step, parameters, columns, work, found):
    """Every column is one team's: the bits are the same for any number of threads."""
    for team in prange(len(work.lines)):
        own_work = Workspace(work.lines[team], work.factors[team], work.units[team], work.chosen[team], work.own[team])
        for number in range(team, len(columns), len(work.lines)):
            first, last = columns[number]
            own = Differences(found.values[first:last], found.sizes[first:last], found.kinks[first:last])
            _column(net, data, decay, step, parameters[first:last], own_work, own)


def numerical_gradient(theta, problem, Z, step, parameters, found):
    """found.values[:] = differences of the total weight times the cost by parameters (N, 3): layer, row, column.

    Neighbours in the same layer and column share work. `problem` is a `fastnn.problem.Problem` of float64,
    Z from `pre_activations`. The regularisation's own difference,
    ((theta_p + step)**2 - (theta_p - step)**2) / (2 step), is 2 theta_p.
    """
    net, data = _bundles(theta, problem, Z)
    new = np.any(parameters[1:, ::2] != parameters[:-1, ::2], axis=1)
    bounds = np.concatenate([[0], np.flatnonzero(new) + 1, [len(parameters)]])
    columns = np.column_stack([bounds[:-1], bounds[1:]])[np.argsort(np.arange(len(bounds) - 1) * SPREAD % 1.0)]
    work = _column_workspace(len(columns), len(Z))
    _numerical_gradient(net, data, problem.network.decay, step, parameters, columns, work, found)


def _bundles(theta, problem, Z):
    """The arguments of kernels."""
    return _network(theta, problem.network.layers), Data(problem.data.X, *problem.data.targets, problem.data.weight, Z)


def _network(theta, layers):
    layers, reach = _placed(layers), np.empty(len(layers))
    slopes = np.array([ACTIVATIONS[code].steepest for code in layers[:, ACTIVATION]])
    for l, (inputs, units, _, start, _) in enumerate(layers):
        rows = theta[start : start + units * (1 + inputs)].reshape(units, 1 + inputs)
        reach[l] = np.abs(rows[:, 1:]).sum(axis=1).max()
    return Network(theta, layers, slopes, reach)


@partial(batch, fastmath=EXACT)
def _pre_activations(net, X, buffers, Z):
    for team in prange(len(buffers)):
        for block in range(team, -(-len(X) // BLOCK), len(buffers)):
            _forward_block(net, X, block * BLOCK, buffers[team], Z)


@partial(apart, fastmath=EXACT)
def _forward_block(net, X, start, a, Z):
    """Z of the examples from `start` on; a (n + units, BLOCK) are their inputs and activations."""
    theta, layers = net.theta, net.layers
    n, count = layers[0, INPUTS], min(BLOCK, len(X) - start)
    for i in range(count):
        for k in range(n):
            a[k, i] = X[start + i, k]
    below = 0
    for l in range(len(layers)):
        p = layers[l, START]
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            z, aj = Z[j, start : start + count], a[n + j]
            for i in range(count):
                z[i] = theta[p]
            for k in range(layers[l, INPUTS]):
                w, x = theta[p + 1 + k], a[below + k]
                for i in range(count):
                    z[i] += w * x[i]
            if l < len(layers) - 1:
                for i in range(count):
                    aj[i] = activation(z[i], layers[l, ACTIVATION])
            p += 1 + layers[l, INPUTS]
        below += layers[l, INPUTS]


def pre_activations(theta, layers, X):
    """Z (all units, m): the pre-activations, layer behind layer."""
    net = _network(theta, layers)
    Z = np.empty((layers[:, UNITS].sum(), len(X)))
    teams = min(TEAMS, -(-len(X) // BLOCK))
    _pre_activations(net, X, np.empty((teams, layers[0, INPUTS] + len(Z), BLOCK)), Z)
    return Z


@inner(EXACT)
def _move_all(net, step, direction, count, a, work):
    """All parameters have moved by step * direction: fill d of every unit; returns how many have passed a kink.

    a (n + units, examples) are the inputs and activations before the move. Of the outputs d stays
    that of their pre-activations.
    """
    theta, layers = net.theta, net.layers
    d, p, q, z = work.units[0], work.units[1], work.units[2], work.units[3]
    n, kinks, below, parameter = layers[0, INPUTS], 0, 0, 0
    for l in range(len(layers)):
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            dj = z[j] if l < len(layers) - 1 else d[j]
            for i in range(count):
                dj[i] = step * direction[parameter]
            for k in range(below, below + layers[l, INPUTS]):
                parameter += 1
                ak, distance, w = a[k], step * direction[parameter], theta[parameter]
                if l == 0:
                    for i in range(count):
                        dj[i] += distance * ak[i]
                else:
                    dk = d[k - n]
                    for i in range(count):
                        dj[i] += distance * (ak[i] + dk[i]) + w * dk[i]
            parameter += 1
        if l < len(layers) - 1:
            start, end, code = layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS], layers[l, ACTIVATION]
            for r in range(end - start):
                work.factors[r] = 1.0
            kinks += move(work.factors, z[start:end], p[start:end], q[start:end], code, False, d[start:end], count)
        below += layers[l, INPUTS]
    return kinks


@partial(apart, fastmath=EXACT)
def _direction_block(net, data, examples, step, directions, work, a, found):
    """`found` = the differences of a range of examples along each direction; a as in `_move_all`."""
    layers, chosen, n = net.layers, work.chosen, net.layers[0, INPUTS]
    count = _choose(net, data, examples, 0, 0, work)
    _gather(net, data, 0, count, work)
    for i in range(count):
        for k in range(n):
            a[k, i] = data.X[chosen[i], k]
    for l in range(len(layers) - 1):
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            for i in range(count):
                a[n + j, i] = activation(data.Z[j, chosen[i]], layers[l, ACTIVATION])
    d, p, q, lines, own = work.units[0], work.units[1], work.units[2], work.lines, work.own[:count]
    outputs, code = layers[len(layers) - 1, BEFORE], layers[len(layers) - 1, ACTIVATION]
    every, own_move, shifts = (0, layers[len(layers) - 1, UNITS]), lines[OWN_MOVE, :count], has_shift(data, code)
    for v in range(len(directions)):
        found.kinks[v] = 0
        for side in range(2):
            distance = step if side == 0 else -step
            found.kinks[v] += _move_all(net, distance, directions[v], count, a, work)
            loss_ratios(d[outputs:], p[outputs:], own, every, code, False, own_move, lines[UP + side, :count])
            if shifts:
                shift = lines[UP_SHIFT + side, :count]
                loss_shifts(d[outputs:], p[outputs:], q[outputs:], every, code, own_move, shift)
        found.values[v], found.sizes[v] = _sum(lines, count, shifts)


@partial(batch, fastmath=EXACT)
def _slopes(net, data, step, directions, work, a, found):
    """`found` (blocks, directions): every block is one team's."""
    m, blocks = len(data.X), len(found.values)
    for team in prange(len(work.lines)):
        own_work = Workspace(work.lines[team], work.factors[team], work.units[team], work.chosen[team], work.own[team])
        for block in range(team, blocks, len(work.lines)):
            examples = block * BLOCK, min((block + 1) * BLOCK, m)
            own = Differences(found.values[block], found.sizes[block], found.kinks[block])
            _direction_block(net, data, examples, step, directions, own_work, a[team], own)


def slopes(theta, problem, Z, step, directions, found):
    """found.values (V,) = those along directions (V, P), as in `numerical_gradient`."""
    net, data = _bundles(theta, problem, Z)
    shape = -(-len(problem.data.X) // BLOCK), len(directions)
    work = _workspace(shape[0], len(Z), BLOCK)
    a = np.empty((len(work.lines), problem.data.X.shape[1] + len(Z), BLOCK))
    parts = Differences(np.empty(shape), np.empty(shape), np.empty(shape, np.int64))
    _slopes(net, data, step, directions, work, a, parts)
    decayed, sums, sizes = problem.network.decay * theta, parts.values.sum(axis=0), parts.sizes.sum(axis=0)
    found.values[:] = sums / (2.0 * step) + directions @ decayed
    found.sizes[:] = sizes / (2.0 * step) + np.abs(directions) @ np.abs(decayed)
    found.kinks[:] = parts.kinks.sum(axis=0)

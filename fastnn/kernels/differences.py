"""Central differences of the cost: of the forward function alone, nothing of backpropagation.

One weight moves one unit, and that moves what lies above it; everything else stays where it was.
So the pre-activations Z of all units are computed once, and then, for every weight and example,
not where the moved values arrive but how far they go:

    unit      sigmoid(z + d) - sigmoid(z) = p q E / (1 + p E)    p = sigmoid(z), q = sigmoid(-z), E = exp(d) - 1
              tanh                          twice that, of 2 z and 2 d, since tanh(z) = 2 sigmoid(2 z) - 1
              relu                          d, or 0, or what is left of d beyond the bend
    loss      of K sigmoids                 log(1 + r): 1 + r is the product of all 1 + sigmoid(s) E,
                                            s = -z and E = exp(-d) - 1 for the own class, z and d for the others
              of a softmax                  log(1 + r): r is the sum over the other classes k of
                                            softmax(z)_k (exp(d_k - d_own) - 1)

These are equal to the differences for a d of any size (only that of a loss that falls by t within the
step keeps no more digits than 1e-16 exp(t)); but no two numbers that are nearly equal are
subtracted, and each difference is right to the last bits however small it is. That is what
lets the step be small enough for the differences to be derivatives (`fastnn.check.STEP`).

The examples of a block stand side by side, a unit's values in a row: loops run along them, and need
no sums to be reordered. Where an input is 0, as half of all pixels are, its weights move nothing:
such examples are left out of the row.
"""

import math
from functools import partial

import numpy as np
from numba import prange

from .activations import RELU, SOFTMAX, TANH
from .batches import INPUTS, KIND, UNITS
from .elementary import exp, expm1, log1p, sigmoid, tanh
from .jit import EXACT, batch, inner

# In here, `layers` has two columns more: where its weights start in theta, and its units in Z.
START, BEFORE = range(3, 5)

# Examples in a block. Of the seed's network 128, 256, 512 and 1024 take 1.17, 1.05, 1 and 0.97 times as
# long (2 cores, AVX-512): half of them are left out, and few are left then for a row. But rows of
# all units and the outputs' should stay in the cache, where inputs are not 0 and layers wide.
BLOCK = 512

# Rows are filled up to a multiple of this, so that a vector leaves no rest: float64 of AVX-512.
LANES = 8

# Parts of a batch that threads share, each with its own rows. Columns are dealt to them in turn: of
# neighbours, as the pixels at an edge are, each gets its share. 16 parts take 1.03 times as long.
TEAMS = 32

# What |up| + |down| may be for log1p's polynomial to serve: it needs (up - down)/(1 + down) >= -0.29.
SMALL = 0.22


def _placed(layers):
    """`layers` with its two columns more."""
    numbers = layers[:, UNITS] * (layers[:, INPUTS] + 1)
    return np.column_stack([layers, numbers.cumsum() - numbers, layers[:, UNITS].cumsum() - layers[:, UNITS]])


@inner(EXACT)
def _activation(z, code):
    if code == TANH:
        return tanh(z)
    if code == RELU:
        return max(z, 0.0)
    return sigmoid(z)


@inner(EXACT)
def _move_units(d, p, q, code):
    """d, how far the pre-activations of a unit move, become how far it moves; returns how many bend.

    p and q are as in `_gather_units`.
    """
    bends = 0
    if code == RELU:
        for i in range(len(d)):
            before, after = max(p[i], 0.0), max(p[i] + d[i], 0.0)
            bends += (before > 0.0) != (after > 0.0)
            d[i] = d[i] if before > 0.0 and after > 0.0 else after - before
    else:
        scale = 2.0 if code == TANH else 1.0
        for i in range(len(d)):
            E = expm1(scale * d[i])
            d[i] = scale * p[i] * q[i] * E / (1.0 + p[i] * E)
    return bends


@inner(EXACT)
def _gather_units(z, chosen, code, p, q):
    """Of one unit, for the chosen examples: p and q of the formulas above; p = z for a relu."""
    if code == RELU:
        for i in range(len(chosen)):
            p[i] = z[chosen[i]]
    else:
        scale = 2.0 if code == TANH else 1.0
        for i in range(len(chosen)):
            p[i] = scale * z[chosen[i]]
        for i in range(len(chosen)):
            q[i] = sigmoid(-p[i])
            p[i] = sigmoid(p[i])


@inner(EXACT)
def _gather_outputs(Z, chosen, y, code, p):
    """For the chosen examples, p (K, chosen): sigmoid(s) of the formulas above, or the softmax."""
    K = len(p)
    for k in range(K):
        for i in range(len(chosen)):
            p[k, i] = Z[k, chosen[i]]
    if code != SOFTMAX:
        for k in range(K):
            for i in range(len(chosen)):
                p[k, i] = sigmoid(-p[k, i] if y[i] == k else p[k, i])
        return
    for i in range(len(chosen)):
        top, total = p[0, i], 0.0
        for k in range(1, K):
            top = max(top, p[k, i])
        for k in range(K):
            p[k, i] = exp(p[k, i] - top)
            total += p[k, i]
        for k in range(K):
            p[k, i] /= total


@inner(EXACT)
def _gather(layers, layer, y, Z, chosen, own, p, q):
    """Of the chosen examples their class, and p and q of all units from that layer on."""
    count, last = len(chosen), len(layers) - 1
    for i in range(count):
        own[i] = y[chosen[i]]
    for l in range(layer, last):
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            _gather_units(Z[j], chosen, layers[l, KIND], p[j, :count], q[j, :count])
    outputs = layers[last, BEFORE]
    _gather_outputs(Z[outputs:], chosen, own, layers[last, KIND], p[outputs:])


@inner(EXACT)
def _ratios(d, p, y, first, last, code, r):
    """r of the formulas above, when outputs first .. last - 1 have moved by d (K, examples)."""
    for i in range(len(r)):
        r[i] = 0.0
    if code != SOFTMAX:
        for k in range(first, last):
            dk, pk = d[k], p[k]
            for i in range(len(r)):
                more = pk[i] * expm1(-dk[i] if y[i] == k else dk[i])
                r[i] += more + more * r[i]
        return
    for k in range(len(p)):
        for i in range(len(r)):
            own = d[y[i], i] if first <= y[i] < last else 0.0
            moved = d[k, i] if first <= k < last else 0.0
            r[i] += p[k, i] * expm1(moved - own)  # 0 for the own class


@inner(EXACT)
def _sum(up, down, weight, losses, sizes):
    """Sum of weight * log((1 + up)/(1 + down)), and of its size: in halves, laid one on the other.

    Overwrites losses and sizes.
    """
    for i in range(len(up)):
        losses[i] = weight[i] * log1p((up[i] - down[i]) / (1.0 + down[i]))
    for i in range(len(up)):
        if not abs(up[i]) + abs(down[i]) <= SMALL:
            losses[i] = weight[i] * (math.log1p(up[i]) - math.log1p(down[i]))
    for i in range(len(up)):
        sizes[i] = abs(losses[i])
    count = len(up)
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
def _choose(layers, X, weight, Z, start, end, layer, column, chosen, x, w):
    """The examples of start .. end - 1 whose input `column` of that layer is not 0; fills chosen, x and w.

    Column 0 is the constant 1. Returns how many there are, filled up with zeros to whole LANES.
    """
    count = 0
    for i in range(start, end):
        value = 1.0
        if column > 0 and layer == 0:
            value = X[i, column - 1]
        elif column > 0:
            value = _activation(Z[layers[layer - 1, BEFORE] + column - 1, i], layers[layer - 1, KIND])
        chosen[count], x[count] = i, value
        w[count] = weight[i] if len(weight) > 0 else 1.0
        count += value != 0.0
    while count % LANES > 0:
        chosen[count], x[count], w[count] = start, 0.0, 0.0
        count += 1
    return count


@inner(EXACT)
def _propagate(theta, layers, layer, row, count, d, p, q):
    """Unit `row` of that layer has moved by d[its place], a pre-activation: fill d of all that moves above.

    Of the outputs d stays that of their pre-activations; those that moved are first .. last - 1.
    Returns first, last, and how many units have bent on the way.
    """
    bends, first, last = 0, row, row + 1
    for l in range(layer, len(layers) - 1):
        below, above = layers[l, BEFORE], layers[l + 1, BEFORE]
        for j in range(below + first, below + last):
            bends += _move_units(d[j, :count], p[j, :count], q[j, :count], layers[l, KIND])
        width = layers[l + 1, INPUTS] + 1
        for r in range(layers[l + 1, UNITS]):
            w = layers[l + 1, START] + r * width + 1
            dr, dj, wj = d[above + r], d[below + first], theta[w + first]
            for i in range(count):
                dr[i] = wj * dj[i]
            for j in range(first + 1, last):
                dj, wj = d[below + j], theta[w + j]
                for i in range(count):
                    dr[i] += wj * dj[i]
        first, last = 0, layers[l + 1, UNITS]
    return first, last, bends


@inner(EXACT)
def _column_block(theta, layers, X, y, weight, Z, start, end, step, places, lines, units, integers, sums, sizes, bends):
    """Add to sums, sizes, bends what examples start .. end - 1 have to say of places, all in one column of a layer."""
    layer, column = places[0, 0], places[0, 2]
    chosen, own = integers[0], integers[1]
    x, w, up, down, losses, absolute = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]
    count = _choose(layers, X, weight, Z, start, end, layer, column, chosen, x, w)
    if count == 0:
        return
    d, p, q, own = units[0], units[1], units[2], own[:count]
    outputs, code = layers[len(layers) - 1, BEFORE], layers[len(layers) - 1, KIND]
    _gather(layers, layer, y, Z, chosen[:count], own, p, q)
    for number in range(len(places)):
        row = places[number, 1]
        moved = d[layers[layer, BEFORE] + row]
        for sign in range(2):
            distance, r = (step, up) if sign == 0 else (-step, down)
            for i in range(count):
                moved[i] = distance * x[i]
            first, last, bent = _propagate(theta, layers, layer, row, count, d, p, q)
            _ratios(d[outputs:], p[outputs:], own, first, last, code, r[:count])
            bends[number] += bent
        total, size = _sum(up[:count], down[:count], w[:count], losses, absolute)
        sums[number] += total
        sizes[number] += size


def _total(weight, m):
    return weight.sum() if len(weight) else m


def _room(teams, units):
    """For each team: lines x, weight, up, down, losses, sizes; d, p, q of all units; the chosen examples, their y."""
    return np.empty((teams, 6, BLOCK)), np.empty((teams, 3, units, BLOCK)), np.empty((teams, 2, BLOCK), np.int64)


@partial(batch, fastmath=EXACT)
def _numerical_gradient(
    theta, layers, X, y, weight, decay, Z, step, places, bounds, lines, units, integers, dtheta, sizes, bends
):
    """Every column is one team's: its sums run over the blocks in order, for any number of threads."""
    m, columns = len(y), len(bounds) - 1
    for team in prange(len(lines)):
        for number in range(team, columns, len(lines)):
            first, last = bounds[number], bounds[number + 1]
            for i in range(first, last):
                dtheta[i], sizes[i], bends[i] = 0.0, 0.0, 0
            for start in range(0, m, BLOCK):
                end = min(start + BLOCK, m)
                _column_block(
                    theta, layers, X, y, weight, Z, start, end, step, places[first:last],
                    lines[team], units[team], integers[team], dtheta[first:last], sizes[first:last], bends[first:last],
                )  # fmt: skip
            for i in range(first, last):
                layer, row, column = places[i]
                p = layers[layer, START] + row * (layers[layer, INPUTS] + 1) + column
                dtheta[i] = dtheta[i] / (2.0 * step) + decay[p] * theta[p]
                sizes[i] = sizes[i] / (2.0 * step) + abs(decay[p] * theta[p])


def numerical_gradient(theta, layers, X, y, weight, decay, Z, step, places, dtheta, sizes, bends):
    """dtheta[:] = central differences of the cost by the parameters at `places` (N, 3): layer, row, column.

    Neighbours in the same layer and column share work. Z is from `pre_activations`. sizes (N,) = the
    same with every term of the sums taken positive: what rounding is relative to. bends (N,) int64 = how
    often a relu has bent within the step. The regularisation's own difference,
    ((theta_p + step)**2 - (theta_p - step)**2) / (2 step), is 2 theta_p.
    """
    layers = _placed(layers)
    new = np.any(places[1:, ::2] != places[:-1, ::2], axis=1)
    bounds = np.concatenate([[0], np.flatnonzero(new) + 1, [len(places)]])
    room = _room(min(TEAMS, len(bounds) - 1), len(Z))
    _numerical_gradient(theta, layers, X, y, weight, decay, Z, step, places, bounds, *room, dtheta, sizes, bends)
    dtheta /= _total(weight, len(X))
    sizes /= _total(weight, len(X))


@partial(batch, fastmath=EXACT)
def _pre_activations(theta, layers, X, buffers, Z):
    for team in prange(len(buffers)):
        for block in range(team, -(-len(X) // BLOCK), len(buffers)):
            _forward_block(theta, layers, X, block * BLOCK, buffers[team], Z)


@inner(EXACT)
def _forward_block(theta, layers, X, start, a, Z):
    """Z of the examples from `start` on; a (n + units, BLOCK) are their inputs and activations."""
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
                    aj[i] = _activation(z[i], layers[l, KIND])
            p += 1 + layers[l, INPUTS]
        below += layers[l, INPUTS]


def pre_activations(theta, layers, X):
    """Z (all units, m): the pre-activations, layer behind layer."""
    layers = _placed(layers)
    Z = np.empty((layers[:, UNITS].sum(), len(X)))
    teams = min(TEAMS, -(-len(X) // BLOCK))
    _pre_activations(theta, layers, X, np.empty((teams, layers[0, INPUTS] + len(Z), BLOCK)), Z)
    return Z


@inner(EXACT)
def _move_all(theta, layers, step, direction, count, a, d, p, q):
    """All parameters have moved by step * direction: fill d of every unit; returns how many have bent.

    a (n + units, examples) are the inputs and activations before the move. Of the outputs d stays
    that of their pre-activations.
    """
    n, bends, below, parameter = layers[0, INPUTS], 0, 0, 0
    for l in range(len(layers)):
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            dj = d[j]
            for i in range(count):
                dj[i] = step * direction[parameter]
            for k in range(below, below + layers[l, INPUTS]):
                parameter += 1
                ak, move, w = a[k], step * direction[parameter], theta[parameter]
                if l == 0:
                    for i in range(count):
                        dj[i] += move * ak[i]
                else:
                    dk = d[k - n]
                    for i in range(count):
                        dj[i] += move * (ak[i] + dk[i]) + w * dk[i]
            parameter += 1
        if l < len(layers) - 1:
            for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
                bends += _move_units(d[j, :count], p[j, :count], q[j, :count], layers[l, KIND])
        below += layers[l, INPUTS]
    return bends


@inner(EXACT)
def _direction_block(
    theta, layers, X, y, weight, Z, start, end, step, directions, lines, units, a, integers, sums, sizes, bends
):
    """sums, sizes and bends of each direction = what examples start .. end - 1 have to say of it."""
    n = layers[0, INPUTS]
    chosen, own = integers[0], integers[1]
    x, w, up, down, losses, absolute = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]
    count = _choose(layers, X, weight, Z, start, end, 0, 0, chosen, x, w)
    d, p, q, own = units[0], units[1], units[2], own[:count]
    outputs, code = layers[len(layers) - 1, BEFORE], layers[len(layers) - 1, KIND]
    _gather(layers, 0, y, Z, chosen[:count], own, p, q)
    for i in range(count):
        for k in range(n):
            a[k, i] = X[chosen[i], k]
    for l in range(len(layers) - 1):
        for j in range(layers[l, BEFORE], layers[l, BEFORE] + layers[l, UNITS]):
            for i in range(count):
                a[n + j, i] = _activation(Z[j, chosen[i]], layers[l, KIND])
    for v in range(len(directions)):
        bends[v] = 0
        for sign in range(2):
            distance, r = (step, up) if sign == 0 else (-step, down)
            bends[v] += _move_all(theta, layers, distance, directions[v], count, a, d, p, q)
            _ratios(d[outputs:], p[outputs:], own, 0, len(Z) - outputs, code, r[:count])
        sums[v], sizes[v] = _sum(up[:count], down[:count], w[:count], losses, absolute)


@partial(batch, fastmath=EXACT)
def _slopes(theta, layers, X, y, weight, Z, step, directions, lines, units, a, integers, sums, sizes, bends):
    m = len(y)
    for team in prange(len(lines)):
        for block in range(team, len(sums), len(lines)):
            start, end = block * BLOCK, min((block + 1) * BLOCK, m)
            _direction_block(
                theta, layers, X, y, weight, Z, start, end, step, directions,
                lines[team], units[team], a[team], integers[team], sums[block], sizes[block], bends[block],
            )  # fmt: skip


def slopes(theta, layers, X, y, weight, decay, Z, step, directions, dcost, sizes, bends):
    """dcost (V,) = central differences of the cost along directions (V, P); the rest as in `numerical_gradient`."""
    layers = _placed(layers)
    shape = -(-len(X) // BLOCK), len(directions)
    teams = min(TEAMS, shape[0])
    lines, units, integers = _room(teams, len(Z))
    a = np.empty((teams, X.shape[1] + len(Z), BLOCK))
    sums, absolute, bent = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)
    _slopes(theta, layers, X, y, weight, Z, step, directions, lines, units, a, integers, sums, absolute, bent)
    bends[:] = bent.sum(axis=0)
    total = _total(weight, len(X))
    dcost[:] = (sums.sum(axis=0) / (2.0 * step) + directions @ (decay * theta)) / total
    sizes[:] = (absolute.sum(axis=0) / (2.0 * step) + np.abs(directions) @ np.abs(decay * theta)) / total

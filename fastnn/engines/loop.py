"""The per-example loop of the exercise, as a textbook writes it, compiled. Engine "loop".

One example at a time goes forward and back, and adds its part to the gradient. Kept simple on
purpose: it is what `fused` is compared with. The layers of an example, or their deltas, stand
one behind the other in one vector.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from ..kernels.activations import activate, scale_by_slope
from ..kernels.arguments import ACTIVATION, INPUTS, UNITS, Targets
from ..kernels.batches import add_in_order, group_count, group_start, regularised_mean, runs
from ..kernels.losses import losses_and_deltas
from ..kernels.widening import bits, number
from ..runtime.jit import EXACT, batch, inner
from ..runtime.pool import threads

__all__ = ["accumulate", "forward", "regularised_mean", "workspace"]


@inner()
def forward_example(theta, layers, a):
    """From the example at the start of `a`, fill layers 1..L; the last stays before its activation.

    Returns 0, or NaN if a pre-activation is not finite: an overflow, whose infinity may have the wrong sign.
    """
    row, below, told = 0, 0, 0.0
    for l in range(len(layers)):
        above = below + layers[l, INPUTS]
        end = above + layers[l, UNITS]
        x = a[below:above]
        for j in range(above, end):
            w = theta[row + 1 : row + 1 + len(x)]
            z = theta[row]
            for k in range(len(x)):
                z += w[k] * x[k]
            a[j] = z
            told += 0.0 * z
            row += 1 + len(x)
        if l < len(layers) - 1:
            activate(a[above:end], layers[l, UNITS], layers[l, ACTIVATION])
        below = above
    return told


@inner()
def _accumulate_example(theta, layers, a, targets, weight, delta, dtheta):
    """dtheta += the gradient of the loss of the example at the start of `a`; returns that loss.

    `targets` are of this example, `weight` is (1,) or empty. Overwrites the outputs in `a`.
    """
    told = forward_example(theta, layers, a)
    last = len(layers) - 1
    above = len(a) - layers[last, UNITS]
    loss = losses_and_deltas(a[above:], targets, weight, delta[above:], layers[last, ACTIVATION])

    row = len(theta)
    for l in range(last, -1, -1):
        row -= layers[l, UNITS] * (1 + layers[l, INPUTS])
        below = above - layers[l, INPUTS]
        x = a[below:above]
        delta_x = delta[below:above]
        for k in range(len(x)):
            delta_x[k] = 0.0
        for j in range(layers[l, UNITS]):
            start = row + j * (1 + len(x))
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
            scale_by_slope(x, delta_x, layers[l - 1, ACTIVATION])
        above = below
    return loss + told


class Workspace(NamedTuple):
    """Of G groups of examples, those of a run."""

    m: int  # examples, of all runs
    groups: int  # of all runs
    scale: float  # of X
    buffers: np.ndarray  # (G, 2, n + units) the layers of an example, and their deltas
    losses: np.ndarray  # (G,)
    dthetas: np.ndarray  # (G, P)


@batch
def _accumulate(theta, layers, X, targets, weight, work, run, sums):
    buffers, losses, dthetas = work.buffers, work.losses, work.dthetas
    for g in prange(run.groups):
        a, delta, dtheta = buffers[g, 0], buffers[g, 1], dthetas[g]
        for p in range(len(dtheta)):
            dtheta[p] = 0.0
        loss = 0.0
        first = group_start(run.first + np.int64(g), work.groups, work.m, 1) - run.start
        end = group_start(run.first + np.int64(g) + 1, work.groups, work.m, 1) - run.start
        for i in range(first, end):
            _read(X, i, work.scale, layers, a)
            own = Targets(targets.classes[i : i + 1], targets.values[i : i + 1])
            loss += _accumulate_example(theta, layers, a, own, weight[i : i + 1], delta, dtheta)
        losses[g] = loss
    if run.start == 0:
        for p in range(len(sums)):
            sums[p] = 0.0
    _add_groups(dthetas, losses, run.groups, sums)


@inner()
def _read(X, i, scale, layers, a):
    """The inputs of example i, at the start of a."""
    for k in range(layers[0, INPUTS]):
        a[k] = scale * number(X[i, k])


@inner(EXACT)  # groups are added in their order
def _add_groups(dthetas, losses, count, sums):
    """sums += the groups' gradients and their losses."""
    for g in range(count):
        for p in range(dthetas.shape[1]):
            sums[p] += dthetas[g, p]
    add_in_order(losses, count, sums, len(sums) - 1)


def accumulate(theta, layers, X, targets, weight, work, run, sums):
    """sums[:P] += the gradients of a run's examples, group after group, and sums[P] += their losses.

    The first run overwrites what is in sums.
    """
    _accumulate(theta, layers, bits(X), targets, weight, work, run, sums)


def _numbers(layers):
    """How many numbers an example has in all its layers."""
    return layers[0, INPUTS] + layers[:, UNITS].sum()


def workspace(layers, m, kept, scale, most=None):
    """What `accumulate` works with, and the runs of examples that it takes."""
    P = int((layers[:, UNITS] * (layers[:, INPUTS] + 1)).sum())
    groups = group_count(m, m, P)
    cut = runs(m, 1, groups, P, threads(), most)
    G = cut[0].groups
    return Workspace(m, groups, scale, np.empty((G, 2, _numbers(layers))), np.empty(G), np.empty((G, P))), cut


@batch
def _forward_groups(theta, layers, X, scale, buffers, A):
    groups = len(buffers)
    for g in prange(groups):
        a = buffers[g]
        outputs = a[len(a) - A.shape[1] :]
        for i in range(group_start(g, groups, len(X), 1), group_start(g + 1, groups, len(X), 1)):
            _read(X, i, scale, layers, a)
            told = forward_example(theta, layers, a)
            activate(outputs, len(outputs), layers[len(layers) - 1, ACTIVATION])
            for k in range(len(outputs)):
                A[i, k] = outputs[k] + told


def forward(theta, layers, X, scale, A):
    """A[:] = output activations (m, K)."""
    buffers = np.empty((group_count(len(X), len(X), 1), _numbers(layers)))
    _forward_groups(theta, layers, bits(X), scale, buffers, A)

"""How a batch is cut for the threads, and how their results are put together.

The examples are cut into at most GROUPS runs, by their number alone; a run is one thread's
work, with its own gradient buffer. The buffers are summed in a fixed order. So the result has
the same bits for any number of threads, and the buffers do not grow with m.
"""

import numpy as np

from .jit import inner

# Enough runs for 16 threads; each costs one more buffer of P doubles to fill and to sum.
GROUPS = 16


def group_bounds(m: int, block: int) -> np.ndarray:
    """Where the runs start and end: every run but the last holds whole blocks of examples."""
    blocks = -(-m // block)
    groups = min(GROUPS, blocks)
    return np.minimum(np.arange(groups + 1) * blocks // groups * block, m)


@inner()
def finish(theta, m, decay, losses, dthetas, dtheta):
    """From sums over groups to the regularised mean: dtheta[:] = gradient, returns the cost.

    losses (G,) and dthetas (G, P) hold each group's sums over its examples; decay (P,) is lmbda
    for a weight, 0 for a bias. Ng, Machine Learning, exercise 4 (2011), sections 1.4 and 2.5.
    """
    for p in range(len(dtheta)):
        dtheta[p] = decay[p] * theta[p]
    loss = 0.0
    for g in range(len(losses)):
        loss += losses[g]
        for p in range(len(dtheta)):
            dtheta[p] += dthetas[g, p]
    squares = 0.0
    for p in range(len(dtheta)):
        squares += decay[p] * theta[p] * theta[p]
        dtheta[p] /= m
    return (loss + 0.5 * squares) / m

"""How a batch is cut for the threads, and how their results are put together.

The examples are cut into groups, by their number and the layer sizes alone. A group is one thread's
work, with its own gradient buffer. The buffers are summed in a fixed order. So the result has
the same bits for any number of threads, and the buffers do not grow with m.
"""

from .jit import inner, serial

# More groups serve more threads, but each costs one more buffer of P doubles to fill and to sum (the
# seed's network on 2 cores: 16 instead of 8 cost 1.5 %), which a large batch does not notice. A network
# so large that the buffers would take more than BUFFER_BYTES has fewer.
GROUPS, GROUPS_OF_MANY, MANY = 8, 32, 20_000
BUFFER_BYTES = 32e6


def group_count(m: int, block: int, parameters: int) -> int:
    """How many groups there are."""
    most = GROUPS_OF_MANY if m >= MANY else GROUPS
    return min(most, -(-m // block), max(2, int(BUFFER_BYTES / (8 * parameters))))


@inner()
def group_start(g, groups, m, block):
    """The first example of that group, or m: every group but the last holds whole blocks of examples."""
    return min(-(-m // block) * g // groups * block, m)


@inner()
def ordered_sum(losses):
    """The sum of the groups' losses."""
    loss = 0.0
    for g in range(len(losses)):
        loss += losses[g]
    return loss


@serial
def regularised_mean(theta, decay, total, loss, dtheta):
    """From sums over the examples to the regularised mean: changes dtheta, returns the cost.

    `loss` and dtheta (P,) are sums over examples of that total weight; decay (P,) is lmbda for a
    weight, 0 for a bias. Ng, Machine Learning, exercise 4 (2011), sections 1.4 and 2.5.
    """
    squares = 0.0
    for p in range(len(dtheta)):
        squares += decay[p] * theta[p] * theta[p]
        dtheta[p] = (dtheta[p] + decay[p] * theta[p]) / total
    return (loss + 0.5 * squares) / total

"""How a batch is cut for the threads, and how their results are put together.

The examples are cut into groups, by their number and the layer sizes alone. A group's sums are computed by one
thread, in a buffer of their own, and the groups' sums are added in their order. So the result has the same bits
for any number of threads, and for any number of groups that are computed together: a *run* of groups, as many as
there are buffers for, is what a call of a kernel works on, and all that has to be in memory of X.
"""

from .arguments import Run
from .jit import EXACT, inner, serial

# A group costs a buffer of P doubles to fill and to sum. With 8 groups at least, 4 threads have two each; more of them
# come with the work, one for so many examples, and a machine of 64 cores is busy from 40,000 examples on. The seed's
# network, 5,000 examples, 2 cores: 16 instead of 8 cost 1.5 %. Fewer than 8 have networks whose buffers would take
# more than BUFFER_BYTES: these sums come from memory.
GROUPS, EXAMPLES = 8, 625

# What the buffers of a run take, or one for each thread. More of them would leave the cache.
BUFFER_BYTES = 32e6


def group_count(m: int, blocks: int, parameters: int) -> int:
    """How many groups m examples have that are cut into so many blocks."""
    fewest = min(GROUPS, max(2, int(BUFFER_BYTES / (8 * parameters))))
    return min(blocks, max(fewest, m // EXAMPLES))


def runs(m: int, block: int, groups: int, parameters: int, threads: int, most: int | None) -> list[Run]:
    """The runs, of about `most` examples at most; each but the last has groups for every thread alike."""
    together = max(int(BUFFER_BYTES / (8 * parameters)), threads)
    if most is not None:
        together = min(together, max(most * groups // m, threads))
    if together < groups:
        together = -(-groups // -(-groups // together))
        together = min(-(-together // threads) * threads, groups)
    together = min(together, groups)
    found = []
    for first in range(0, groups, together):
        end = min(first + together, groups)
        start, stop = (_start(g, groups, m, block) for g in (first, end))
        found.append(Run(start, stop, first, end - first))
    return found


def _start(g: int, groups: int, m: int, block: int) -> int:
    """The first example of that group, or m: every group but the last holds whole blocks of examples."""
    return min(-(-m // block) * g // groups * block, m)


group_start = inner()(_start)


@inner(EXACT)  # or the order would be the compiler's, and another for another number of groups
def add_in_order(numbers, count, sums, p):
    """sums[p] += numbers[0], numbers[1], ..., so many of them, one after another."""
    for i in range(count):
        sums[p] += numbers[i]


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

"""How a batch is cut for the threads, and how their results are put together.

The examples are cut into groups, by their number and the layer sizes alone. A group's sums are computed by one
thread, in a buffer of their own, and the groups' sums are added in their order. So the result has the same bits
for any number of threads, and for any number of groups that are computed together: a *run* of groups, as many as
there are buffers for, is what a call of a kernel works on, and all that has to be in memory of X.
"""

from .arguments import Run
from .jit import EXACT, inner, serial

# A group costs a buffer of P doubles to fill and to sum. There are 16, if there are as many blocks, and more as the
# work grows: one for every so many examples, so that 64 threads are all busy from 40,000 on. Of 5,000 x 400-25-10, 8
# groups took 1.37 times as long on 16 threads (0.91 ms), and as long on 2 to 8 (Intel, 16 cores); of 1,000, 1.55 times.
# Groups of 312 and 156 examples took 1.00 to 1.05 times as long as of 625 at 60,000 on any number of threads, and of
# 20,000 x 784-512-10 the 9 groups that there used to be took 1.6 times as long on 16. Fewer than 16 have few examples
# of networks whose buffers would take more than BUFFER_BYTES: these sums come from memory.
GROUPS, EXAMPLES = 16, 625

# What the buffers of a run take, or one for each thread. More of them would leave the cache.
BUFFER_BYTES = 32e6


def group_count(m: int, blocks: int, parameters: int) -> int:
    """How many groups m examples have that are cut into so many blocks."""
    fewest = 1 << max(1, int(BUFFER_BYTES / (8 * parameters)).bit_length() - 1)  # 9 would leave one of 2 threads alone
    fewest = min(GROUPS, fewest)
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

"""How a batch is cut for the threads, and how their results are put together.

The examples are cut into groups, by their number and the layer sizes alone. A group's sums are computed by one
thread, in a buffer of their own, and the groups' sums are added in their order. So the result has the same bits
for any number of threads, and for any number of groups that are computed together: a *run* of groups, as many as
there are buffers for, is what a call of a kernel works on, and all that has to be in memory of X.
"""

from math import log2

from ..runtime.jit import EXACT, inner, serial
from .arguments import Run

# How many groups. One costs a buffer of P doubles to fill and to sum, from memory if that is too large for the caches;
# but threads beyond their number have nothing to do. So their number grows with the root of the number of examples: 8
# of 1,000, 16 of 5,000, 64 of 60,000, 256 of a million; as if there were fewer examples, where a buffer takes more than
# LARGE bytes. It is a power of two, as most numbers of threads are. Measured against 8 groups (32 from 20,000 examples
# on): on 2 cores (Zen 4) 16 groups cost 1 to 2 % at 5,000 x 400-25-10 and 7 % at 1,000, and a group for every 625
# examples of a million 2 to 4 %; on 16 (Intel) 16 groups take 0.73 of the time at 5,000, 32 take 0.63 of that of the
# 9 that 20,000 x 784-512-10 used to have.
FEWEST, SHARE, LARGE = 8, 16, 1_000_000

# A call of a kernel makes about so many floating-point operations on each thread at most, for Python hears Ctrl-C
# between two calls: 0.05 s of the fused engine and 0.16 s of the loop (Zen 4).
OPERATIONS = 2e9

# What the buffers of a run take, or one for each thread. More of them would leave the cache.
BUFFER_BYTES = 32e6


def group_count(m: int, blocks: int, parameters: int) -> int:
    """How many groups m examples have that are cut into so many blocks."""
    size = max(8 * parameters / LARGE, 1.0)
    fewest = FEWEST if size == 1.0 else 2
    return min(blocks, max(fewest, 2 ** round(log2(max(m / (SHARE * size), 1.0)) / 2)))


def runs(m: int, block: int, groups: int, parameters: int, threads: int, most: int | None) -> list[Run]:
    """The runs, of about `most` examples at most; each but the last has groups for every thread alike."""
    together = max(int(BUFFER_BYTES / (8 * parameters)), threads)
    most = min(most or m, int(threads * OPERATIONS / (4 * parameters)))
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

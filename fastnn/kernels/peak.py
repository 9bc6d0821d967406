"""The machine's peak: fused multiply-adds on registers alone, by all threads.

The inner loop is SUMS of them, a decrement and a jump: no loads, no stores. AMD Zen 4 runs 512 bits as two
halves, which is 16 float64 operations a cycle, 59 GFLOP/s a core at 3.69 GHz. There one thread reached
100 % of that, with any number of sums from 4 to 24, and two threads 99 %, in float32 too.
"""

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from ..runtime.jit import batch, by_address
from ..runtime.pool import threads
from .tiles import SHAPE
from .vectors import INDEX, SIZE, Vectors, counted

# Vectors of sums for each thread. Two pipes with a latency of five cycles need ten, or an addition waits
# for the one before; twelve and the two factors fit in the sixteen registers of AVX2.
SUMS = 12


def _multiply_adds(builder, steps, factors, sums, first):
    real = sums.type.pointee
    vec = Vectors(builder, SHAPE.bytes // SIZE[str(real)], real)
    x, y = (vec.splat(builder.load(vec.at(factors, INDEX(i)))) for i in range(2))
    pointers = [vec.at(sums, first, INDEX(i * vec.lanes)) for i in range(SUMS)]
    slots = vec.sums(SUMS)
    for slot, pointer in zip(slots, pointers, strict=True):
        builder.store(vec.load(pointer), slot)
    with counted(builder, steps):
        for slot in slots:
            vec.add_product(slot, x, y)
    for slot, pointer in zip(slots, pointers, strict=True):
        vec.store(builder.load(slot), pointer)


@intrinsic
def multiply_adds(typing_context, steps, factors, sums, first):
    """sums[first + i] += factors[0] * factors[1], `steps` times, for each number i of SUMS vectors."""
    return types.void(steps, factors, sums, first), by_address(_multiply_adds)


def zeros(dtype):
    """Sums (threads, SUMS vectors) for `on_all_threads`."""
    return np.zeros((threads(), SUMS * SHAPE.bytes // np.dtype(dtype).itemsize), dtype)


@batch
def on_all_threads(steps, factors, sums):
    """`multiply_adds` with a row of sums for each thread."""
    rows, width = sums.shape
    flat = sums.reshape(-1)
    for thread in numba.prange(rows):
        multiply_adds(steps, factors, flat, thread * width)

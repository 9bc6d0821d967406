"""Arguments of kernels: the columns of `layers`, the types of X, runs of examples, and targets.

Imported without numba, as `forks` and `notice` are, and nothing else among the kernels.
"""

from typing import NamedTuple

import numpy as np

from ..spec import Array, DType

# The columns of `layers` (L, 3): a layer's inputs, its units, and the code of its activation.
INPUTS, UNITS, ACTIVATION = range(3)

# Types of X that kernels read as they are; others become float64 before. With float32 the arithmetic is float32.
KEPT = tuple(map(np.dtype, (np.float64, np.float32, np.float16, np.uint8)))


FLOAT64, FLOAT32, FLOAT16, _ = KEPT  # comparing a dtype with np.float32 itself takes longer


def arithmetic(kept: DType) -> DType:
    """Return the type in which products with X of that type are computed."""
    return kept if kept == FLOAT32 else FLOAT64


class Run(NamedTuple):
    """Consecutive examples that one call of an engine adds up: which they are, the first of their groups
    (`batches`), and how many they are."""

    start: int
    stop: int
    first: int = 0
    groups: int = 0


def equal_runs(m: int, most: int | None) -> list[Run]:
    """m examples in as few runs of `most` at most as there can be, all about as long."""
    count = -(-m // (most or m))
    return [Run(m * i // count, m * (i + 1) // count) for i in range(count)]


class Targets(NamedTuple):
    """What the outputs of m examples should be: a class for each, or K numbers.

    The other array is empty, so that one compiled kernel serves both.
    """

    classes: Array  # (m,) int64, 0..K-1: 1 for this output, 0 for the others
    values: Array  # (m, K) float64

    @property
    def array(self) -> Array:
        """The array that is not empty."""
        return self.classes if len(self.classes) else self.values

    def take(self, examples: Array | slice) -> "Targets":
        """Return the targets of these examples; the empty array stays empty."""
        return Targets(*(array[examples] if len(array) else array for array in self))

"""What kernels are told in numbers: the columns of `layers`, the codes of activations, and targets.

Imported without numba, as `forks` and `notice` are, and nothing else among the kernels.
"""

from typing import NamedTuple

import numpy as np

# The columns of `layers` (L, 3): a layer's inputs, its units, and the code of its activation.
INPUTS, UNITS, ACTIVATION = range(3)

# The code of an activation, of hidden layers or of the output, is its place in this list.
ACTIVATIONS = ("sigmoid", "tanh", "relu", "softmax", "identity")
SIGMOID, TANH, RELU, SOFTMAX, IDENTITY = range(len(ACTIVATIONS))

# Which of them hidden layers may have, and the output.
HIDDEN = ("sigmoid", "tanh", "relu", "identity")
OUTPUTS = ("sigmoid", "softmax", "identity")


class Targets(NamedTuple):
    """What the outputs of m examples should be: a class for each, or K numbers.

    The other array is empty, so that one compiled kernel serves both.
    """

    classes: np.ndarray  # (m,) int64, 0..K-1: 1 for this output, 0 for the others
    values: np.ndarray  # (m, K) float64

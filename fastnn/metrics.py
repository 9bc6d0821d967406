"""How right outputs are: accuracy, the share of rows that are all right, R2."""

import numpy as np

from .inputs.validation import Array
from .kernels.arguments import Targets

# From here on a sigmoid output says yes, of several labels at once.
YES = 0.5


def score(A: Array, targets: Targets, weight: Array, output: str) -> float:
    """The score of outputs A (m, K) against their targets; examples count by their weight (m,), if it is not empty.

    Of classes the share of examples whose largest output is theirs; of several labels at once the share whose
    labels are all right; of numbers R2, the mean over the outputs.
    """
    weight = weight if len(weight) else np.ones(len(A))
    if output == "identity":
        return _r2(A, targets.values, weight)
    if len(targets.classes):
        right = A.argmax(axis=1) == targets.classes
    else:
        right = ((A > YES) == (targets.values > YES)).all(axis=1)
    return float(weight[right].sum() / weight.sum())


def _r2(A: Array, T: Array, weight: Array) -> float:
    """1 - squared error / squared deviation; of an output that is constant 1 if it is met exactly, else 0."""
    # By powers of two, so that no square overflows, or all underflow: numbers of any size have the same R2.
    exponents = -np.frexp(np.maximum(np.abs(A).max(axis=0), np.abs(T).max(axis=0)))[1]
    A, T = np.ldexp(A, exponents), np.ldexp(T, exponents)
    mean = np.einsum("i,ij->j", weight, T) / weight.sum()
    error, deviation = (np.einsum("i,ij->j", weight, D**2) for D in (A - T, T - mean))
    constant = (T.min(axis=0) == T.max(axis=0)) | (deviation == 0.0)
    shares = np.where(constant, error > 0.0, error / np.where(constant, 1.0, deviation))
    return float(np.mean(1.0 - shares))

"""Standardised inputs: every column with mean 0 and deviation 1, by numbers that the model keeps."""

from typing import NamedTuple

import numpy as np

from .validation import Array

# Rows that are converted together: a temporary of some megabytes, not a second X in float64.
ROWS = 4096


class Scaling(NamedTuple):
    """What makes of a column x the column (x - mean) / deviation.

    Attributes
    ----------
    mean : float64 array (n,)
    deviation : float64 array (n,)
        1 for a column that is constant, which becomes 0 so.
    """

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, X: Array, weight: Array) -> "Scaling":
        """That of X (m, n), whose examples have these weights, or all the same if it is empty; reads X twice."""
        weight = weight if len(weight) else np.ones(len(X))
        X, weight = (X, weight) if weight.all() else (X[weight > 0.0], weight[weight > 0.0])
        # From the first example on, so that a level far from 0 costs no digits, and in units of the
        # column's span, so that no square overflows. A constant column comes out with exactly 0.
        origin = X[0].astype(np.float64)
        low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        span = np.where(high > low, high - low, 1.0)
        share = weight / weight.sum()
        mean, square = np.zeros_like(origin), np.zeros_like(origin)
        for start in range(0, len(X), ROWS):
            rows = slice(start, start + ROWS)
            mean += np.einsum("i,ij->j", share[rows], (X[rows] - origin) / span)
        for start in range(0, len(X), ROWS):
            rows = slice(start, start + ROWS)
            square += np.einsum("i,ij->j", share[rows], ((X[rows] - origin) / span - mean) ** 2)
        mean, deviation = origin + mean * span, np.sqrt(square) * span
        # Values that differ by their rounding only are constant too: scaled up, that would be noise.
        constant = deviation <= np.finfo(X.dtype).eps * np.maximum(np.abs(low), np.abs(high))
        return cls(np.where(constant, origin, mean), np.where(constant, 1.0, deviation))

    def apply(self, X: Array) -> Array:
        """X (m, n) standardised, a new array of its type; computed in float64."""
        scaled = np.empty(X.shape, X.dtype)
        for start in range(0, len(X), ROWS):
            scaled[start : start + ROWS] = (X[start : start + ROWS] - self.mean) / self.deviation
        return scaled

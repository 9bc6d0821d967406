"""Standardised inputs: every column with mean 0 and deviation 1, by numbers that the model keeps."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from . import validation
from .inputs import Stored, each, runs_of, widened
from .kernels.arguments import arithmetic
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
    def of(cls, X: Array | Stored, weight: Array, scale: float = 1.0) -> "Scaling":
        """That of X (m, n) times scale, whose examples have these weights, or all the same if it is empty.

        Reads X three times. ValueError if it holds NaN or infinities.
        """
        m, n = X.shape
        weight = weight if len(weight) else np.ones(m)
        share = weight / weight.sum()
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        origin: Any = None
        for _, some in _blocks(X, scale, share):
            origin = some[0].astype(np.float64) if origin is None else origin
            low, high = np.minimum(low, some.min(axis=0)), np.maximum(high, some.max(axis=0))
        if isinstance(X, Stored) and not np.isfinite(high - low).all():
            validation.look_through(X)
        # From the first example on, so that a level far from 0 costs no digits, and in units of the
        # column's span, so that no square overflows. A constant column comes out with exactly 0.
        span = np.where(high > low, high - low, 1.0)
        mean, square = np.zeros(n), np.zeros(n)
        for own, some in _blocks(X, scale, share):
            mean += np.einsum("i,ij->j", own, (some - origin) / span)
        for own, some in _blocks(X, scale, share):
            square += np.einsum("i,ij->j", own, ((some - origin) / span - mean) ** 2)
        mean, deviation = origin + mean * span, np.sqrt(square) * span
        # Values that differ by their rounding only are constant too: scaled up, that would be noise.
        constant = deviation <= np.finfo(arithmetic(X.dtype)).eps * np.maximum(np.abs(low), np.abs(high))
        return cls(np.where(constant, origin, mean), np.where(constant, 1.0, deviation))

    def apply(self, X: Array) -> Array:
        """X (m, n) standardised, a new array of its type; computed in float64."""
        scaled = np.empty(X.shape, X.dtype)
        for start in range(0, len(X), ROWS):
            scaled[start : start + ROWS] = (X[start : start + ROWS] - self.mean) / self.deviation
        return scaled


def _blocks(X: Array | Stored, scale: float, share: Array) -> Iterator[tuple[Array, Array]]:
    """The shares of some examples and their inputs, then of the next ones; without those that do not count."""
    for run, examples in each(X, runs_of(X)):
        for start in range(0, len(examples), ROWS):
            own = share[run.start + start : run.start + min(start + ROWS, len(examples))]
            some = widened(examples[start : start + ROWS], scale)
            if own.all():
                yield own, some
            elif own.any():
                yield own[own > 0.0], some[own > 0.0]

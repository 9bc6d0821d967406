"""Standardised inputs: every column with mean 0 and deviation 1, by numbers that the model keeps."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..kernels.arguments import Run, arithmetic
from . import validation
from .streams import Standardised, Stored, each, examples_of_a_run, widened
from .validation import Array

# Rows, and numbers, that are converted together at most: a temporary of some megabytes, not a second X in float64.
ROWS, NUMBERS = 4096, 1 << 22

# So many deviations from the mean no number is among the m that gave both, as none is farther than sqrt(m). Others may
# be in another unit, or in a column that says nothing: two of the shipped digits' are of about 1e-19, what resampling
# leaves of background, and in some digits 0.002, for which a network said whatever (an R2 of -1e25, without a word).
FAR = 1e8


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
        return cls.asked(lambda function, *more: [function(X, weight, scale, *more)])

    @classmethod
    def asked(cls, ask: Callable[..., list[Any]]) -> "Scaling":
        """The same of X in parts: `ask(function, *more)` gives function(X, weight, scale, *more) of each of them."""
        lows, highs, origins, weights, epsilons = zip(*ask(_extremes), strict=True)
        low, high, total = np.min(lows, axis=0), np.max(highs, axis=0), sum(weights)
        # From the first example on, so that a level far from 0 costs no digits, and in units of the
        # column's span, so that no square overflows. A constant column comes out with exactly 0.
        origin = next((one for one in origins if one is not None), None)
        if origin is None:
            raise ValueError("sample_weight is zero for every example; a positive weight is wanted")
        span = np.where(high > low, high - low, 1.0)
        mean = np.sum(ask(_mean, total, origin, span), axis=0)
        square = np.sum(ask(_square, total, origin, span, mean), axis=0)
        mean, deviation = origin + mean * span, np.sqrt(square) * span
        # Values that differ by their rounding only are constant too: scaled up, that would be noise.
        constant = deviation <= max(epsilons) * np.maximum(np.abs(low), np.abs(high))
        return cls(np.where(constant, origin, mean), np.where(constant, 1.0, deviation))

    def apply(self, X: Array, names: Sequence[str] | None = None) -> Array:
        """X (m, n) standardised, a new array of its type; computed in float64. Warns of what no model can know."""
        scaled = np.empty(X.shape, X.dtype)
        farthest = np.zeros(X.shape[1])
        for start in range(0, len(X), ROWS):
            some = (X[start : start + ROWS] - self.mean) / self.deviation
            farthest = np.maximum(farthest, np.abs(some).max(axis=0))
            scaled[start : start + ROWS] = some
        column = int(farthest.argmax())
        if farthest[column] > FAR:
            name = repr(names[column]) if names else f"{column}, counted from 0"
            warnings.warn(
                f"X has a number {farthest[column]:.1g} deviations from the mean in column {name}, "
                f"whose deviation is {self.deviation[column]:.2g}: no answer to that is to be trusted",
                stacklevel=2,
            )
        return scaled


def standardised(
    X: Array | Stored, scale: float, scaling: Scaling, names: Sequence[str] | None = None
) -> Array | Stored:
    """X times scale, standardised: a new array, or of what is not in memory run by run."""
    return Standardised(X, scale, scaling.apply) if isinstance(X, Stored) else scaling.apply(widened(X, scale), names)


def _extremes(X: Array | Stored, weight: Array, scale: float) -> tuple[Array, Array, Array | None, float, float]:
    """Of each column the lowest and the highest value, and the first; the examples' weight; the epsilon of X."""
    low, high, origin = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf), None
    for _, some in _blocks(X, weight, scale):
        origin = some[0].astype(np.float64) if origin is None else origin
        low, high = np.minimum(low, some.min(axis=0)), np.maximum(high, some.max(axis=0))
    if isinstance(X, Stored) and origin is not None and not np.isfinite(high - low).all():
        validation.look_through(X)
    total = float(weight.sum()) if len(weight) else float(len(X))
    return low, high, origin, total, float(np.finfo(arithmetic(X.dtype)).eps)


def _mean(X: Array | Stored, weight: Array, scale: float, total: float, origin: Array, span: Array) -> Array:
    """What X adds to the mean of all the weight in the columns so shifted and scaled."""
    mean = np.zeros(X.shape[1])
    for own, some in _blocks(X, weight, scale):
        mean += np.einsum("i,ij->j", own / total, (some - origin) / span)
    return mean


def _square(
    X: Array | Stored, weight: Array, scale: float, total: float, origin: Array, span: Array, mean: Array
) -> Array:
    """What it adds to the mean square around that mean."""
    square = np.zeros(X.shape[1])
    for own, some in _blocks(X, weight, scale):
        square += np.einsum("i,ij->j", own / total, ((some - origin) / span - mean) ** 2)
    return square


def _blocks(X: Array | Stored, weight: Array, scale: float) -> Iterator[tuple[Array, Array]]:
    """The weights of some examples and their inputs, then of the next ones; without those that do not count."""
    m, n = X.shape
    rows = max(1, min(ROWS, NUMBERS // n))
    step = rows * max(1, examples_of_a_run(X) // rows)  # the same blocks, and so the same bits, wherever X is
    for run, examples in each(X, [Run(start, min(start + step, m)) for start in range(0, m, step)]):
        for start in range(0, len(examples), rows):
            some = widened(examples[start : start + rows], scale)
            own = weight[run.start + start :][: len(some)] if len(weight) else np.ones(len(some))
            if own.all():
                yield own, some
            elif own.any():
                yield own[own > 0.0], some[own > 0.0]

"""What a training works on: a problem for each part of the data, and what is done with all of them.

`Here` has all examples as one part, in this process; `dask.There` has many, on the workers of a cluster.
Both give `each`, which makes something else of every part, and `ask`, which gets an answer of every part back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..inputs.scaling import Scaling, standardised
from ..inputs.streams import Standardised, Stored
from ..inputs.validation import Array
from ..kernels.arguments import arithmetic
from ..objective import Part
from ..problem import Problem

# Up to so many numbers, 256 MB of float64, bytes and float16 become a standardised copy. With more of them they are
# standardised anew in every evaluation, which takes a tenth of the memory and some times as long.
COPIED = 1 << 25


class Here:
    """One part, in this process."""

    def __init__(self, problem: Problem):
        self._part: Any = problem
        self.held_out: Array | None = None  # bool (m,), the examples that `split` has taken out

    def each(self, function: Callable[..., Any], *more: Any) -> None:
        self._part = function(self._part, *more)

    def ask(self, function: Callable[..., Any], *more: Any) -> list[Any]:
        return [function(self._part, *more)]

    def split(self, fraction: float, generator: np.random.Generator) -> Problem:
        """Take that share of the examples out, of each class alike, and return them."""
        problem = self._part
        m, classes = len(problem.X), problem.targets.classes
        (shares,) = shares_of(fraction, [counts_of(problem, classes)])
        held = chosen(classes, m, shares, generator)
        refuse_split(fraction, m, weight_of(problem, held), weight_of(problem, ~held))
        self.held_out = held
        taken: Problem = problem.subset(held)
        self._part = problem.subset(~held)
        return (
            taken.in_memory()
            if isinstance(taken.X, Stored) and taken.X.shape[0] * taken.X.shape[1] <= COPIED
            else taken
        )

    def sample(self) -> Problem:
        """What tells whether X wants scaling."""
        problem: Problem = self._part
        return problem

    def source(self, engine: str) -> Part:
        """What an objective adds up."""
        return Part(self._part, engine)


def weight_of(problem: Problem, chosen: Array) -> float:
    """What those examples weigh together."""
    return float(problem.weight[chosen].sum() if len(problem.weight) else np.count_nonzero(chosen))


def class_totals(problem: Problem) -> Array | None:
    """What the examples of each class weigh together, of one yes or no those of 0 and 1; None where there are none."""
    classes = classes_of(problem)
    if not len(classes):
        return None
    weight = problem.weight if len(problem.weight) else None
    return np.bincount(classes, weight, max(2, problem.sizes[-1])).astype(np.float64)


def reweighted(problem: Problem, factors: Array) -> Problem:
    """The same with examples that count by their class as well."""
    weight = factors[classes_of(problem)]
    return replace(problem, weight=problem.weight * weight if len(problem.weight) else weight)


def classes_of(problem: Problem) -> Array:
    """The class of each example, 0 or 1 where one output says which of two; empty of several labels and of numbers."""
    classes, values = problem.targets
    return (
        values[:, 0].astype(np.int64)
        if problem.output == "sigmoid" and values.shape == (len(problem.X), 1)
        else classes
    )


def chosen(classes: Array, m: int, shares: Array, seed: Any) -> Array:
    """Which of m examples are held out, bool (m,): of each class so many, shares (K,); of no classes shares (1,)."""
    taken = np.zeros(m, bool)
    order = np.random.default_rng(seed).permutation(m)
    ends = np.bincount(classes, minlength=len(shares)).cumsum() if len(classes) else np.array([m])
    if len(classes):
        order = order[np.argsort(classes[order], kind="stable")]
    for members, share in zip(np.split(order, ends[:-1]), shares.tolist(), strict=True):
        taken[members[:share]] = True
    return taken


def shares_of(fraction: float, counts: Sequence[Array]) -> Array:
    """How many examples of each class (parts, K) every part holds out: of all of them that fraction, but never all.

    By the counts up to a part, so that what is rounded off in one is made good in the next.
    """
    before = np.vstack([np.zeros_like(counts[0]), np.cumsum(counts, axis=0)])
    most = np.maximum(before[-1] - 1, 0)
    return np.diff(np.minimum(np.rint(fraction * before).astype(np.int64), most), axis=0)


def counts_of(problem: Problem, classes: Array) -> Array:
    """How many examples each class has; of no classes, how many there are."""
    return np.bincount(classes, minlength=max(2, problem.sizes[-1])) if len(classes) else np.array([len(problem.X)])


def refuse_split(fraction: float, m: int, held: float, left: float) -> None:
    """Raise ValueError if what is held out, or what is left, weighs nothing."""
    for weight, what in ((held, "hold out"), (left, "train on")):
        if not weight > 0.0:
            raise ValueError(
                f"validation is {fraction:g}, which leaves no example to {what}; another fraction of {m} is wanted"
            )


def on_inputs(problem: Problem, function: Callable[..., Any], *more: Any) -> Any:
    """For `Scaling.asked`."""
    return function(problem.X, problem.weight, problem.scale, *more)


def standardise(problem: Problem, scaling: Scaling) -> Problem:
    """The same of standardised inputs: a new array, or run by run of what would become too large in memory."""
    X = problem.X
    if isinstance(X, np.ndarray) and arithmetic(X.dtype) != X.dtype and X.size > COPIED:
        return replace(problem, X=Standardised(X, problem.scale, scaling), scale=1.0)
    return replace(problem, X=standardised(X, problem.scale, scaling), scale=1.0)

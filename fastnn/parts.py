"""What a training works on: a problem for each part of the data, and what is done with all of them.

`Here` has all examples as one part, in this process; `fastnn.distributed.There` has many, on the workers of a cluster.
Both give `each`, which makes something else of every part, and `ask`, which gets an answer of every part back.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .inputs import Standardised, Stored
from .kernels.arguments import arithmetic
from .objective import Part
from .problem import Problem
from .scaling import Scaling
from .validation import Array

# Up to so many numbers, 256 MB of float64, bytes and float16 become a standardised copy. With more of them they are
# standardised anew in every evaluation, which takes a tenth of the memory and some times as long.
COPIED = 1 << 25


class Here:
    """One part, in this process."""

    def __init__(self, problem: Problem):
        self._part: Any = problem

    def each(self, function: Callable[..., Any], *more: Any) -> None:
        self._part = function(self._part, *more)

    def ask(self, function: Callable[..., Any], *more: Any) -> list[Any]:
        return [function(self._part, *more)]

    def split(self, fraction: float, generator: np.random.Generator) -> Problem:
        """Take that share of the examples out, and return them."""
        chosen = held_out(self._part, fraction, generator)
        for examples, what in ((chosen, "hold out"), (~chosen, "train on")):
            if not weight_of(self._part, examples):
                raise ValueError(
                    f"validation is {fraction:g}, which leaves no example to {what}; "
                    f"another fraction of {len(chosen)} is wanted"
                )
        taken: Problem = self._part.subset(chosen)
        self._part = self._part.subset(~chosen)
        return taken

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
    classes = _classes_of(problem)
    if not len(classes):
        return None
    weight = problem.weight if len(problem.weight) else None
    return np.bincount(classes, weight, max(2, problem.sizes[-1])).astype(np.float64)


def reweighted(problem: Problem, factors: Array) -> Problem:
    """The same with examples that count by their class as well."""
    weight = factors[_classes_of(problem)]
    return replace(problem, weight=problem.weight * weight if len(problem.weight) else weight)


def _classes_of(problem: Problem) -> Array:
    """The class of each example, 0 or 1 where one output says which of two; empty of several labels and of numbers."""
    classes, values = problem.targets
    return (
        values[:, 0].astype(np.int64)
        if problem.output == "sigmoid" and values.shape == (len(problem.X), 1)
        else classes
    )


def held_out(problem: Problem, fraction: float, generator: np.random.Generator) -> Array:
    """Which examples are held out, bool (m,): of each class that fraction, but never the last example."""
    m, classes = len(problem.X), problem.targets.classes
    chosen = np.zeros(m, bool)
    order = generator.permutation(m)
    ends = np.bincount(classes).cumsum() if len(classes) else np.array([m])
    if len(classes):
        order = order[np.argsort(classes[order], kind="stable")]
    for members in np.split(order, ends[:-1]):
        chosen[members[: min(round(fraction * len(members)), len(members) - 1)]] = True
    return chosen


def on_inputs(problem: Problem, function: Callable[..., Any], *more: Any) -> Any:
    """For `Scaling.asked`."""
    return function(problem.X, problem.weight, problem.scale, *more)


def standardised(problem: Problem, scaling: Scaling) -> Problem:
    """The same of standardised inputs: a new array, or block by block of what would become too large in memory."""
    X = problem.X
    if isinstance(X, Stored) or (arithmetic(X.dtype) != X.dtype and X.size > COPIED):
        return replace(problem, X=Standardised(X, problem.scale, scaling), scale=1.0)
    return replace(problem, X=scaling.apply(problem.inputs()), scale=1.0)

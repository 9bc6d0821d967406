"""What a minimisation has behind it, from which it can go on as if nothing had happened.

SciPy does not show the state of its solvers. But a solver does nothing but ask for costs and gradients, and what it
asks next follows from where it started and from the answers. So the answers are kept: a solver that starts there
again, and gets them again, is where it was, to the last bit and without an evaluation.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..inputs.validation import Array
from ..objective import Objective

# Answers that are kept take so many bytes at most, but for LEAST of them; then the solver starts anew where it is, and
# forgets them: after 815 evaluations of the seed's network, 82 KB each. What that costs where it happens after so many
# evaluations, in evaluations to costs of 0.4, 0.35, 0.32 and 0.315 (digits, lmbda 1, "l-bfgs", median of five starts):
#   never  48, 73, 172, 216      300  48, 73, 172, 216      100  48, 73, 178, 237      50  48, 80, 208, 264
KEPT_BYTES = 1 << 26
LEAST = 100


class Point(NamedTuple):
    """A point that was evaluated."""

    cost: float
    norm: float
    theta: Array


class Answer(NamedTuple):
    """To a question of a solver."""

    mark: bytes  # of theta: whether it asks the same again
    cost: float
    gradient: Array


class Trail(NamedTuple):
    """A minimisation at a moment between two questions.

    Attributes
    ----------
    start : float64 array (P,)
        Where the solver started.
    answers : sequence of Answer
        What it got since.
    evaluations_before, rows_before : int
        What the minimisation had at that start.
    rows : sequence of tuple
        Of the history.
    seconds, compile_seconds : float
        All time so far, and the part of it that kernels took to be compiled or loaded.
    lowest : Point
    lowest_held_out : (validation cost, row, Point), or None
    """

    start: Array
    answers: Sequence[Answer]
    evaluations_before: int
    rows_before: int
    rows: Sequence[tuple[float | int, ...]]
    seconds: float
    compile_seconds: float
    lowest: Point
    lowest_held_out: tuple[float, int, Point] | None


class Keeper(Protocol):
    """Who keeps trails."""

    def due(self, iterations: int) -> bool:
        """Whether a trail is wanted now."""

    def keep(self, trail: Trail, found: Any) -> None:
        """A trail, and what `solvers.minimize` would return here."""


class Diverged(Exception):
    """A solver asks something else than it did: other processors and versions of SciPy round differently."""


class Log:
    """What a solver asks, from one start on: an objective whose answers are kept, if they are wanted.

    After a resumption those that it had are given first.

    Attributes
    ----------
    start : float64 array (P,)
    answers : list of Answer
    evaluations_before, rows_before : int
        What the whole minimisation had at the start.
    known : bool
        Whether the last answer is one that it had.
    """

    def __init__(
        self,
        objective: Objective,
        start: Array,
        evaluations_before: int = 0,
        rows_before: int = 0,
        answers: Sequence[Answer] = (),
        *,
        keeping: bool = True,
    ):
        self._objective, self._keeping = objective, keeping
        self.start, self.evaluations_before, self.rows_before = start, evaluations_before, rows_before
        self.answers = [*answers]
        self._given = 0
        self._evaluated = objective.evaluations - len(answers)  # before the first of the answers, as it were
        self.known = self._retracing = bool(answers)

    @property
    def evaluations(self) -> int:
        """Of the whole minimisation."""
        since = self._given if self._retracing else self._objective.evaluations - self._evaluated
        return self.evaluations_before + since

    @property
    def full(self) -> bool:
        """Whether it is time to start anew."""
        return len(self.answers) >= max(LEAST, KEPT_BYTES // self.start.nbytes)

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """As `Objective.evaluate`."""
        if self._retracing:
            mark = _mark(theta)
            if not (self._given and mark == self.answers[self._given - 1].mark):  # cost and gradient are asked apart
                self._given += 1
            if self._given <= len(self.answers):
                _, cost, gradient = answer = self.answers[self._given - 1]
                if answer.mark != mark:
                    raise Diverged
                return cost, gradient
            self._retracing = False
        before = self._objective.evaluations
        cost, gradient = self._objective.evaluate(theta)
        self.known = False
        if self._keeping and self._objective.evaluations != before:
            self.answers.append(Answer(_mark(theta), cost, gradient.copy()))
        return cost, gradient


def _mark(theta: Array) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(theta).data).digest()[:16]

"""Save a training where it can be resumed as if nothing had happened.

SciPy does not show the state of its solvers. But a solver does nothing but ask for costs and gradients, and its next
question follows from its start and from the answers. So the evaluations are logged: a solver that starts there again,
and gets them again, is where it was, to the last bit and without an evaluation. Solvers that show their state are saved
with that instead.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..inputs.containers import Array
from ..objective import Objective
from .control import Callback, Found, Limits, ValidationSet
from .observer import Arrays, CostFunction, Observer, Progress

# A log takes at most LOG_BYTES, or LOG_LEAST evaluations where these take more; then the solver starts anew where it
# is, with an empty log: after 815 evaluations of the course's network, 82 KB each. Cost of starting anew after so many
# evaluations, in evaluations to costs of 0.4, 0.35, 0.32 and 0.315 (digits, lmbda 1, "l-bfgs", median of five starts):
#   never  48, 73, 172, 216      300  48, 73, 172, 216      100  48, 73, 178, 237      50  48, 80, 208, 264
LOG_BYTES = 1 << 26
LOG_LEAST = 100

Run = Callable[..., None]  # a solver's (objective, theta, observer)


class Evaluation(NamedTuple):
    """Cost and gradient that a solver got, with a digest of the point it asked for."""

    digest: bytes
    cost: float
    gradient: Array


class Snapshot(NamedTuple):
    """A minimisation at a moment from which it can go on.

    Attributes
    ----------
    progress : Progress
        State of the observer.
    start : float64 array (P,)
        Point where the solver started.
    log : sequence of Evaluation
        Evaluations since that start; empty for a solver with a state.
    rows_before : int
        Rows of the history that there were at that start.
    state : mapping of str to array
        State of the solver; empty for one whose evaluations are logged.
    """

    progress: Progress
    start: Array
    log: Sequence[Evaluation] = ()
    rows_before: int = 0
    state: Mapping[str, Array] = {}

    @property
    def iterations(self) -> int:
        return max(0, len(self.progress.rows) - 1)


class Keeper(Protocol):
    """Writes snapshots to a file."""

    def due(self, iterations: int) -> bool:
        """Return whether it is time for a snapshot."""

    def keep(self, snapshot: Snapshot, found: Found) -> None:
        """Write a snapshot, and the result that `minimize` would return here."""


class Saving(Observer):
    """An observer that saves the training whenever the keeper wants it; alone, for a solver that gives its state."""

    going_on = "resume"

    def __init__(
        self,
        keeper: Keeper,
        begin: Snapshot,
        objective: Objective,
        limits: Limits,
        validation_set: ValidationSet | None,
        callbacks: Sequence[Callback],
    ):
        super().__init__(objective, limits, validation_set, callbacks, begin.progress)
        self._keeper, self._begin, self.state = keeper, begin, begin.state
        self._noted: Callable[[], Snapshot] | None = None

    def note(self, snapshot: Callable[[Progress], Snapshot]) -> None:
        """Note that the minimisation can go on from here; save it if that is due. Nothing is copied before."""
        count, evaluations, best = len(self.rows), self.evaluations, self.best

        def noted() -> Snapshot:
            seconds = self.clock.wall_seconds, self.clock.compile_seconds
            return snapshot(Progress(self.rows[:count], evaluations, *seconds, best))

        self._noted = noted
        if self._keeper.due(self.iterations):
            self.save()

    def save(self, found: Found | None = None) -> None:
        if self._noted:
            self._keeper.keep(self._noted(), found or self.found("interrupted"))

    def iteration(self, theta: Array, cost: float, norm: float = math.nan, state: Arrays | None = None) -> None:
        if state is not None and self.best.lowest:
            copied = {name: np.array(array) for name, array in state.items()}
            self.note(lambda progress: self._begin._replace(progress=progress, state=copied))
        super().iteration(theta, cost, norm)


class Replaying(Saving):
    """Observer of a solver without a state: it logs the evaluations, and sees none of those that it gives again."""

    def _start(self, theta: Array, rows_before: int, log: Sequence[Evaluation] = ()) -> None:
        """Begin a log at theta, where the history has so many rows."""
        self._logged = Logged(self._objective, theta, log, before=self._note)
        self._rows_before = rows_before
        # The solver reports its start, which is the last of the rows before, and then its iterations.
        self._repeated = len(self.rows) - max(0, rows_before - 1)

    def _start_anew(self, theta: Array) -> None:
        self._objective.forget()  # so that the first evaluation is logged too
        self._start(theta, len(self.rows))

    def run(self, solver: Run) -> None:
        """Run the solver until it is stopped, or returns because it finds no way down any more."""
        self._start(self._begin.start, self._begin.rows_before, self._begin.log)
        while True:
            try:
                solver(self._logged, self._logged.start.copy(), self)
                return
            except _LogFull as full:
                self._start_anew(full.args[0])
            except Diverged:
                warnings.warn(
                    "the solver does not repeat its steps: the checkpoint is from another processor, or other versions "
                    "of packages; it starts anew from the best weights, and the last bits will be others",
                    stacklevel=2,
                )
                self._start_anew(self.best_point.theta)

    def evaluation(self, theta: Array, cost: float, norm: float) -> None:
        if not self._logged.known:
            super().evaluation(theta, cost, norm)

    def iteration(self, theta: Array, cost: float, norm: float = math.nan, state: Arrays | None = None) -> None:
        if self._repeated:
            self._repeated -= 1
            return
        super().iteration(theta, cost, norm)
        if self._logged.full:
            raise _LogFull(np.array(theta))

    def _note(self) -> None:
        """Note, before an evaluation, that all evaluations so far have been dealt with."""
        if self.best.lowest:
            log, start, rows_before = self._logged.log, self._logged.start, self._rows_before
            count = len(log)
            self.note(lambda progress: Snapshot(progress, start, log[:count], rows_before))


class _LogFull(Exception):
    """Ends a solver, which then starts anew at theta, `args[0]`."""


class Diverged(Exception):
    """A solver asks something else than it did: other processors and versions of SciPy round differently."""


class Logged:
    """A cost function that logs its evaluations, from the start of a solver on, and gives those of a log again first.

    Attributes
    ----------
    start : float64 array (P,)
    log : list of Evaluation
    known : bool
        The last evaluation came from the log.
    """

    def __init__(
        self, objective: CostFunction, start: Array, log: Sequence[Evaluation] = (), *, before: Callable[[], None]
    ):
        """`before` is called before each question whose answer is not in the log."""
        self._objective, self._before = objective, before
        self.start, self.log = start, [*log]
        self._given = 0
        self._evaluated = objective.evaluations - len(log)  # as if those of the log had been evaluated here
        self.known = self._retracing = bool(log)

    @property
    def evaluations(self) -> int:
        """Evaluations since the start."""
        return self._given if self._retracing else self._objective.evaluations - self._evaluated

    @property
    def full(self) -> bool:
        return len(self.log) >= max(LOG_LEAST, LOG_BYTES // self.start.nbytes)

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Return cost and gradient, as `Objective.evaluate`."""
        if not self.known:
            self._before()
        if self._retracing:
            digest = _digest(theta)
            if not (self._given and digest == self.log[self._given - 1].digest):  # cost and gradient are asked apart
                self._given += 1
            if self._given <= len(self.log):
                evaluation = self.log[self._given - 1]
                if evaluation.digest != digest:
                    raise Diverged
                return evaluation.cost, evaluation.gradient
            self._retracing = False
        before = self._objective.evaluations
        cost, gradient = self._objective.evaluate(theta)
        self.known = False
        if self._objective.evaluations != before:
            self.log.append(Evaluation(_digest(theta), cost, gradient.copy()))
        return cost, gradient


def _digest(theta: Array) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(theta).data).digest()[:16]

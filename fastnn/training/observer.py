"""Observe a solver: keep its best point and its history, end it at the limits, and call callbacks."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..inputs.containers import Array
from ..objective import Objective
from ..outcome import ENDINGS, VALIDATION, Finding, Outcome, history
from ..runtime.notice import kernel_seconds
from .control import Callback, Found, Limits, State, Stop, ValidationSet

# Costs that differ by a smaller share differ by the rounding of products in float32 at most.
ROUNDING = float(np.finfo(np.float32).eps)

Row = tuple[float | int, ...]  # of the history
Arrays = Mapping[str, Array]  # the state of a solver


class Point(NamedTuple):
    """A point that was evaluated; `norm` is the largest absolute entry of the gradient."""

    cost: float
    norm: float
    theta: Array


class BestPoint(NamedTuple):
    """The point of lowest cost, and that of lowest validation cost among the iterations, with its row.

    It is replaced as a whole, because Ctrl-C may come between any two instructions.
    """

    lowest: Point | None = None
    lowest_validation: tuple[float, int, Point] | None = None

    def see(self, cost: float, norm: float, theta: Array) -> BestPoint:
        """Return the best point when another one is known."""
        if self.lowest is None or cost <= self.lowest.cost:
            return self._replace(lowest=Point(cost, norm, theta.copy()))
        return self

    def see_validation(self, cost: float, row: int, point: Point) -> BestPoint:
        """Return the best point when another validation cost is known."""
        if self.lowest_validation is None or cost < self.lowest_validation[0]:
            return self._replace(lowest_validation=(cost, row, point))
        return self


class Progress(NamedTuple):
    """Progress of a minimisation, from which another observer goes on.

    Attributes
    ----------
    rows : sequence of tuple
        The history so far.
    evaluations : int
    seconds, compile_seconds : float
        All time so far, and the part of it that kernels took to be compiled or loaded.
    best : BestPoint
    """

    rows: Sequence[Row] = ()
    evaluations: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    best: BestPoint = BestPoint()


class Clock:
    """Seconds since a minimisation began, with those of an earlier process."""

    def __init__(self, seconds: float, compile_seconds: float):
        self._start = time.perf_counter() - seconds
        self._kernels_start = kernel_seconds() - compile_seconds

    @property
    def wall_seconds(self) -> float:
        return time.perf_counter() - self._start

    @property
    def compile_seconds(self) -> float:
        return kernel_seconds() - self._kernels_start

    @property
    def seconds(self) -> float:
        """Seconds without compiling or loading kernels."""
        return self.wall_seconds - self.compile_seconds


class Observer:
    """Receiver of a solver's reports, which raises Stop in them when the minimisation is to end.

    Attributes
    ----------
    limits : Limits
    evaluations : int
        Of cost and gradient, by batches or by all examples.
    best : BestPoint
    rows : list of tuple
        The history: a row for the start and for each iteration.
    clock : Clock
    state : mapping of str to array
        Arrays that the solver gave to `iteration` before the training was interrupted; empty at the start.
    """

    going_on = "start"  # the remedy of a training that was interrupted

    def __init__(
        self,
        objective: Objective,
        limits: Limits,
        validation_set: ValidationSet | None = None,
        callbacks: Sequence[Callback] = (),
        progress: Progress = Progress(),  # noqa: B008  it is immutable
    ):
        self._objective, self._validation_set, self._callbacks = objective, validation_set, callbacks
        self.limits = limits
        self.state: Arrays = {}
        self.evaluations, self.best, self.rows = progress.evaluations, progress.best, [*progress.rows]
        self.clock = Clock(progress.seconds, progress.compile_seconds)

    def evaluation(self, theta: Array, cost: float, norm: float) -> None:
        """Report an evaluation of all examples; `norm` is the largest absolute entry of the gradient."""
        self.evaluations += 1
        _check_finite(cost + norm)
        self._see(theta, cost, norm)
        self.limits.check_effort(self.clock.wall_seconds, self.evaluations)

    def batch(self, cost: float) -> None:
        """Report an evaluation of some examples, whose cost says nothing of the others."""
        self.evaluations += 1
        _check_finite(cost)
        self.limits.check_effort(self.clock.wall_seconds, self.evaluations)

    def iteration(self, theta: Array, cost: float, norm: float = math.nan, state: Arrays | None = None) -> None:
        """Report the start, and each iteration.

        Parameters
        ----------
        theta : float64 array (P,)
            Copied.
        cost : float
            Of all examples, or the mean over the batches of an epoch.
        norm : float
            Largest absolute entry of the gradient. NaN if batches alone were evaluated: then this report is the one
            that tells of the point, where else `evaluation` does.
        state : mapping of str to array, optional
            State of a solver that goes on from it: if the training is resumed, `Observer.state` has these arrays, and
            the solver begins with the report that it gave them to. Copied.
        """
        theta, rows = np.array(theta), self.rows
        if math.isnan(norm):
            _check_finite(cost)
            self._see(theta, cost, norm)
        measured = math.nan, math.nan
        if self._validation_set:
            measured = self._validation_set.measure(theta)
            self.best = self.best.see_validation(measured[0], len(rows), Point(cost, norm, theta))
        row = cost, norm, self.evaluations, self.clock.seconds
        more = [*measured, self._objective.regularisation(theta)] if self._validation_set else []
        rows.append((*row, *more))
        iterations = self.iterations
        if iterations:
            self._call_back(State(iterations, *row, *measured, theta.copy(), self._objective.sizes))
        lowest, validated = self.best
        if norm <= self.limits.tol and lowest and cost - lowest.cost <= ROUNDING * abs(cost):
            self.best = BestPoint(Point(cost, norm, theta), validated)
            raise Stop("converged")
        self.limits.check_iterations(iterations, iterations - validated[1] if validated else 0)

    def _call_back(self, state: State) -> None:
        """Call all callbacks; then raise Stop if one has returned a true value, or raised StopIteration as in SciPy."""
        stop = False
        for callback in self._callbacks:
            try:
                stop = bool(callback(state)) or stop
            except StopIteration:
                stop = True
        if stop:
            raise Stop("stopped by callback")

    def _see(self, theta: Array, cost: float, norm: float) -> None:
        self.best = self.best.see(cost, norm, theta)
        self.limits.check_target(cost)

    @property
    def iterations(self) -> int:
        return max(0, len(self.rows) - 1)

    @property
    def best_point(self) -> Point:
        """Point of lowest cost; with patience that of lowest validation cost."""
        if self.limits.patience < math.inf and self.best.lowest_validation:
            return self.best.lowest_validation[2]
        assert self.best.lowest is not None
        return self.best.lowest

    def found(self, status: str, seconds: float | None = None, finding: Finding | None = None) -> Found:
        """Return the result of a minimisation that ends so, now or after `seconds`."""
        point, seconds = self.best_point, self.clock.seconds if seconds is None else seconds
        unmeasured = [math.nan] * len(VALIDATION) if self._validation_set else []
        first = point.cost, point.norm, self.evaluations, seconds, *unmeasured  # if no iteration was reported
        return point.theta, self._outcome(status, point, seconds, finding), history(self.rows or [first])

    def _outcome(self, status: str, point: Point, seconds: float, finding: Finding | None) -> Outcome:
        lowest, compile_seconds = self.best.lowest or point, self.clock.compile_seconds
        fact, remedy = ENDINGS[status]
        fact = fact.format(
            norm=lowest.norm,
            slope="" if math.isnan(lowest.norm) else f" with largest gradient entry {lowest.norm:.1e}",
            cost=lowest.cost,
            limits=self.limits,
            waited=f" (compiling or loading kernels took {compile_seconds:.3g})" if compile_seconds >= 0.005 else "",
        )
        if self.limits.patience < math.inf and self.best.lowest_validation:
            cost, row, _ = self.best.lowest_validation
            fact += f"; these are the weights of iteration {row}, whose validation cost {cost:.6g} is the lowest"
        text, remedy = finding or ("", self.going_on if status == "interrupted" else remedy)
        outcome = Outcome(
            status, "", point.cost, point.norm, self.iterations, self.evaluations, seconds,
            compile_seconds=compile_seconds, fact=fact, finding=text, remedy=remedy,
        )  # fmt: skip
        return outcome.reworded({})

    def save(self, found: Found | None = None) -> None:
        """Save the training where it can be resumed, with the result so far; observers of `replay` do."""


def _check_finite(value: float) -> None:
    if not math.isfinite(value):
        raise Stop("non-finite")


class CostFunction(Protocol):
    """The part of an `Objective` that full-batch solvers use."""

    @property
    def evaluations(self) -> int: ...

    def evaluate(self, theta: Array) -> tuple[float, Array]: ...


class Observed:
    """A cost function as SciPy's solvers use it, which reports every evaluation and iteration to an observer."""

    def __init__(self, objective: CostFunction, observer: Observer):
        self._objective, self._observer = objective, observer
        self._seen = -1  # the number of evaluations when `_norm` was taken
        self._norm = math.nan

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Return cost and gradient; the next evaluation overwrites the gradient."""
        cost, gradient = self._objective.evaluate(theta)
        if self._seen != self._objective.evaluations:
            self._seen = self._objective.evaluations
            self._norm = max(float(gradient.max()), -float(gradient.min()))
            self._observer.evaluation(theta, cost, self._norm)
        return cost, gradient

    def cost(self, theta: Array) -> float:
        return self.evaluate(theta)[0]

    def cost_and_gradient(self, theta: Array) -> tuple[float, Array]:
        cost, gradient = self.evaluate(theta)
        return cost, gradient.copy()

    def iteration(self, theta: Array) -> None:
        """Report the start, or an iteration: nearly always at the point evaluated last."""
        cost, _ = self.evaluate(theta)
        self._observer.iteration(theta, cost, self._norm)

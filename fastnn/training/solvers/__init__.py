"""SciPy's minimisers, and what they say, in one form.

Whatever happens in them, the best point they evaluated is what comes back.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from ...inputs.validation import Array
from ...objective import Objective
from ...outcome import ENDINGS, VALIDATION, Finding, Outcome, history, remedy_in
from ...runtime import blas
from ...runtime.notice import kernel_seconds
from ..control import Callback, ClusterLost, HeldOut, Limits, State, Stop
from ..replay import Diverged, Keeper, Log, Point, Trail

# L-BFGS remembers so many steps. From five starts to costs of 0.5, 0.4, 0.35 and 0.32 on the digits (lmbda 1), median:
#   30 pairs  34, 48, 73, 172 evaluations   126, 188, 299, 716 ms
#   10        36, 53, 84, 187               122, 178, 274, 595    SciPy's own number
#    5        37, 56, 92, 219               119, 164, 275, 688
# SciPy's work on them is 1.9 ms an iteration with 30 and 0.8 with 10, an evaluation 2.6 (Zen 4, 2 cores). So 30 wins
# where evaluations are longer: with 20,000 examples it takes as long as 10, with more less. "L-BFGS-B" has 10.
PAIRS = 30

# Costs that differ by so small a share differ by the rounding of products in float32 at most.
ROUNDING = float(np.finfo(np.float32).eps)

_NEVER = 2**31 - 1
_L_BFGS = {"gtol": 0.0, "ftol": 0.0, "maxiter": _NEVER, "maxfun": _NEVER}

# By name: SciPy's method, and what keeps it from stopping by itself: a cost's own rule would end in the middle of a
# plateau. "cg" is its `fmin_cg`.
SOLVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "cg": ("CG", {}),
    "l-bfgs": ("L-BFGS-B", _L_BFGS | {"maxcor": PAIRS}),
    "L-BFGS-B": ("L-BFGS-B", _L_BFGS),
    "BFGS": ("BFGS", {"gtol": 0.0, "maxiter": _NEVER}),
    "Newton-CG": ("Newton-CG", {"xtol": 0.0, "maxiter": _NEVER}),
    "TNC": ("TNC", {"gtol": 0.0, "ftol": 0.0, "xtol": 0.0, "maxfun": _NEVER}),
    "SLSQP": ("SLSQP", {"ftol": 0.0, "maxiter": _NEVER}),
    "trust-constr": ("trust-constr", {"gtol": 0.0, "xtol": 0.0, "maxiter": _NEVER}),
}

Found = tuple[Array, Outcome, Any]  # theta (P,), how it ended, and the history


class NonFiniteStart(ValueError):
    """The cost or its gradient is not finite where a minimisation begins; `args` are those of a `Finding`."""

    def __str__(self) -> str:
        return self.sentence({})

    def sentence(self, words: Mapping[str, str]) -> str:
        """Return the message with other words for the remedy, as `Outcome.sentence`."""
        text, remedy = self.args
        return "; ".join(filter(None, ["weights give a cost that is not finite", text, remedy_in(words, remedy)]))


class _Vector(np.ndarray):
    """A gradient whose dot products are summed by NumPy itself, not by its BLAS.

    `fmin_cg` takes half a dozen between two evaluations. From 10,000 entries on, OpenBLAS starts
    its threads for each; they then spin, for 20 ms after the last, on the cores that the kernel
    needs (2 cores, the seed's network: 16.5 ms for an iteration's evaluation instead of 6.6), and
    the sum's last bits, and so the trained weights, depend on their number.
    """

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.dot:
            return np.einsum("i,i->", *(np.asarray(vector) for vector in args))
        if function is np.linalg.norm:
            return np.sqrt(np.dot(self, self))
        return super().__array_function__(function, types, args, kwargs)


class _StartAnew(Exception):
    """From inside a solver: it starts anew, where it is; `args[0]` is theta."""


class _Record:
    """What a solver sees of the objective: it keeps the best point and the history, and ends the minimisation."""

    def __init__(
        self,
        objective: Objective,
        theta: Array,
        limits: Limits,
        held_out: HeldOut | None = None,
        callbacks: Sequence[Callback] = (),
        keeper: Keeper | None = None,
        trail: Trail | None = None,
    ):
        self.objective = objective
        self.limits = limits
        self.held_out = held_out
        self.callbacks = callbacks
        self.keeper = keeper
        self.norm = np.nan
        self.seen = -1  # the number of evaluations when `norm` was taken
        # Each is replaced as a whole, because Ctrl-C may come between any two instructions.
        if trail is None:
            self.log = Log(objective, theta.copy(), keeping=keeper is not None)
            self.rows: list[tuple[float | int, ...]] = []
            self.lowest: Point | None = None
            self.lowest_held_out: tuple[float, int, Point] | None = None  # validation cost, iteration
        else:
            self.log = Log(objective, trail.start, trail.evaluations_before, trail.rows_before, trail.answers)
            self.rows, self.lowest, self.lowest_held_out = [*trail.rows], trail.lowest, trail.lowest_held_out
        self.start = time.perf_counter() - (trail.seconds if trail else 0.0)
        self.kernels_start = kernel_seconds() - (trail.compile_seconds if trail else 0.0)
        self.passed = self.log.rows_before  # rows of the history that the solver has come by
        self._noted: Any = None

    @property
    def best(self) -> Point:
        """That of lowest cost, on the examples held out if the training has patience with those."""
        if self.limits.patience < math.inf and self.lowest_held_out:
            return self.lowest_held_out[2]
        assert self.lowest is not None
        return self.lowest

    def cost_and_gradient(self, theta: Array) -> tuple[float, Array]:
        cost, gradient = self._evaluate(theta)
        return cost, gradient.copy()

    def cost(self, theta: Array) -> float:
        return self._evaluate(theta)[0]

    def gradient(self, theta: Array) -> Array:
        return self._evaluate(theta)[1].copy().view(_Vector)

    def _evaluate(self, theta: Array) -> tuple[float, Array]:
        if self.keeper and self.lowest and not self.log.known:
            # All that was answered so far has been dealt with: here the minimisation can be resumed.
            self._noted = self.log, len(self.log.answers), len(self.rows), self.lowest, self.lowest_held_out
            if self.keeper.due(self.iterations):
                self.keep()
        cost, gradient = self.log.evaluate(theta)
        if self.seen != self.evaluations:
            self.seen = self.evaluations
            self.norm = max(float(gradient.max()), -float(gradient.min()))
            if self.log.known:  # it has been here before, and went on
                return cost, gradient
            if not np.isfinite(cost + self.norm):
                raise Stop("non-finite")
            if self.lowest is None or cost <= self.lowest.cost:
                self.lowest = Point(cost, self.norm, theta.copy())
            if cost <= self.limits.target_cost:
                raise Stop("target reached")
            if self.wall_seconds >= self.limits.max_seconds:
                raise Stop("time limit")
            if self.evaluations >= self.limits.max_evaluations:
                raise Stop("evaluation limit")
        return cost, gradient

    def keep(self, found: Found | None = None) -> None:
        """Have kept where this can be resumed, and what has been found."""
        if self.keeper is None or self._noted is None:
            return
        log, answers, rows, lowest, lowest_held_out = self._noted
        behind = log.answers[:answers], log.evaluations_before, log.rows_before, self.rows[:rows]
        seconds = self.wall_seconds, self.compile_seconds
        trail = Trail(log.start, *behind, *seconds, lowest, lowest_held_out)
        self.keeper.keep(trail, found or self.found("interrupted"))

    def start_anew(self, theta: Array) -> None:
        """The solver does, there."""
        evaluations = self.log.evaluations_before + len(self.log.answers)
        self.passed = len(self.rows)
        self.objective.forget()  # so that the answer to the first question is kept too
        self.log = Log(self.objective, theta, evaluations, self.passed)

    def found(self, status: str, seconds: float | None = None, finding: Finding | None = None) -> Found:
        """What `minimize` returns."""
        best, seconds = self.best, self.seconds if seconds is None else seconds
        rows = self.rows or [  # stopped by the very first evaluation
            (best.cost, best.norm, self.evaluations, seconds, *([np.nan] * len(VALIDATION) if self.held_out else []))
        ]
        return best.theta, _outcome(status, self, seconds, finding), history(rows)

    @property
    def evaluations(self) -> int:
        return self.log.evaluations

    @property
    def wall_seconds(self) -> float:
        return time.perf_counter() - self.start

    @property
    def compile_seconds(self) -> float:
        return kernel_seconds() - self.kernels_start

    @property
    def seconds(self) -> float:
        """Seconds of the minimisation, without compiling or loading kernels."""
        return self.wall_seconds - self.compile_seconds

    @property
    def iterations(self) -> int:
        return max(0, len(self.rows) - 1)

    def iteration(self, theta: Array) -> None:
        """Called at the start and after every iteration, nearly always at the point evaluated last."""
        theta = np.array(theta)  # some solvers give theirs, and change it
        cost, _ = self._evaluate(theta)
        if self.passed < len(self.rows):
            self.passed += 1
            return
        norm = self.norm
        held_out = self.held_out.measure(theta) if self.held_out else None
        if held_out and (not self.lowest_held_out or held_out[0] < self.lowest_held_out[0]):
            self.lowest_held_out = held_out[0], len(self.rows), Point(cost, norm, theta)
        row = (cost, norm, self.evaluations, self.seconds)
        self.rows.append((*row, *held_out, self.objective.regularisation(theta)) if held_out else row)
        self.passed += 1
        if self.iterations:
            unknown = (np.nan, np.nan)
            self._call(State(self.iterations, *row, *(held_out or unknown), theta.copy(), self.objective.sizes))
        if norm <= self.limits.tol and self.lowest and cost - self.lowest.cost <= ROUNDING * abs(cost):
            self.lowest = Point(cost, norm, theta)
            raise Stop("converged")
        if self.lowest_held_out and self.iterations - self.lowest_held_out[1] >= self.limits.patience:
            raise Stop("no improvement")
        if self.iterations >= self.limits.maxiter:
            raise Stop("iteration limit")
        if self.log.full:
            raise _StartAnew(theta)

    def _call(self, state: State) -> None:
        stop = False
        for callback in self.callbacks:
            try:
                stop = bool(callback(state)) or stop
            except StopIteration:  # SciPy's way to say it
                stop = True
        if stop:
            raise Stop("stopped by callback")


def minimize(
    objective: Objective,
    theta: Array,
    solver: str,
    limits: Limits,
    *,
    held_out: HeldOut | None = None,
    callbacks: Sequence[Callback] = (),
    diagnose: Callable[[Array], Finding | None] = lambda theta: None,
    keeper: Keeper | None = None,
    trail: Trail | None = None,
) -> Found:
    """Minimise from theta (P,), which is not changed.

    `solver` is "cg", the nonlinear conjugate gradients of Polak and Ribiere as in the course
    (Nocedal and Wright, 2006, p. 122), "l-bfgs" (Byrd, Lu, Nocedal and Zhu, 1995), or another of SOLVERS.
    `callbacks` are called after every iteration. `diagnose(theta)` says of the point that comes back what keeps it
    from being good; that takes the place of what is usually tried next. Returns the best point seen, on the examples
    held out if the limits speak of patience, how it ended, and the history: a record array with one row for the start
    and one per iteration. So does Ctrl-C, once there is a point; and `ClusterLost`, as the attribute `found` of that
    exception. The `keeper` gets a trail when it is due, and at the end, whatever that is. From a `trail` that it has
    kept the minimisation goes on to the same end, to the bit; `theta` is not used then.
    """
    import scipy.optimize  # noqa: F401  before the clock starts, and before the guard, which holds loaded libraries

    record = _Record(objective, theta, limits, held_out, callbacks, keeper, trail)
    try:
        found = _minimized(record, solver, diagnose)
    except BaseException as error:
        record.keep(error.found if isinstance(error, ClusterLost) else None)
        raise
    record.keep(found)
    return found


def _minimized(record: _Record, solver: str, diagnose: Callable[[Array], Finding | None]) -> Found:
    lost = None
    # L-BFGS and the others cannot keep their vectors away from BLAS threads like `_Vector`: 8.2 ms an evaluation with
    # these, 2.9 without (the seed's network).
    with nullcontext() if solver == "cg" else blas.one_thread():
        try:
            try:
                _run(solver, record)
                status = "precision loss"  # it has ended by itself
            except Stop as stop:
                status = stop.args[0]
        except (KeyboardInterrupt, ClusterLost) as error:
            if record.lowest is None:
                raise
            status = "interrupted"
            lost = error if isinstance(error, ClusterLost) else None
        if record.lowest is None:
            raise NonFiniteStart(*(diagnose(record.log.start) or ("", "smaller start")))
        seconds = record.seconds
        try:
            finding = diagnose(record.best.theta)
        except KeyboardInterrupt:
            status, finding = "interrupted", None
    found = record.found(status, seconds, finding)
    if lost is not None:
        lost.found = found
        raise lost
    return found


def _run(solver: str, record: _Record) -> None:
    """Until `record` stops it; it returns only where it finds no way down any more."""
    if record.log.rows_before == 0:
        record.iteration(record.log.start)
    while True:
        try:
            _solve(solver, record, record.log.start.copy())
            return
        except _StartAnew as anew:
            record.start_anew(anew.args[0])
        except Diverged:
            warnings.warn(
                "the solver does not repeat its steps: the checkpoint is from another processor, or other versions of "
                "packages; it starts anew from the best weights, and the last bits will be others",
                stacklevel=2,
            )
            record.start_anew(record.best.theta)


def _solve(solver: str, record: _Record, theta: Array) -> None:
    import scipy.optimize

    method, options = SOLVERS[solver]
    if method == "CG":
        options = {"gtol": record.limits.tol, "maxiter": _NEVER, "disp": False}
        scipy.optimize.fmin_cg(record.cost, theta, record.gradient, callback=record.iteration, **options)
        return
    scipy.optimize.minimize(
        record.cost_and_gradient,
        theta,
        jac=True,
        method=method,
        callback=lambda xk, *more: record.iteration(xk),
        options=options,
    )


def _outcome(status: str, record: _Record, seconds: float, finding: Finding | None) -> Outcome:
    best, lowest = record.best, record.lowest or record.best
    fact, remedy = ENDINGS[status]
    waited = f" (compiling or loading kernels took {record.compile_seconds:.3g})" * (record.compile_seconds >= 0.005)
    fact = fact.format(norm=lowest.norm, cost=lowest.cost, limits=record.limits, waited=waited)
    if record.limits.patience < math.inf and record.lowest_held_out:
        cost, iteration, _ = record.lowest_held_out
        fact += f"; these are the weights of iteration {iteration}, whose validation cost {cost:.6g} is the lowest"
    if status == "interrupted" and record.keeper:
        remedy = "resume"
    text, remedy = finding or ("", remedy)
    counts = record.iterations, record.evaluations, seconds
    outcome = Outcome(
        status, "", best.cost, best.norm, *counts,
        compile_seconds=record.compile_seconds, fact=fact, finding=text, remedy=remedy,
    )  # fmt: skip
    return outcome.reworded({})

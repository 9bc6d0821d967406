"""SciPy's minimisers, and what they say, in one form.

Whatever happens in them, the best point they evaluated is what comes back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .objective import Objective
from .validation import Array

SOLVERS = ("cg", "l-bfgs")

# Both solvers stop when no entry of the gradient is larger: SciPy's default for either.
GRADIENT_TOLERANCE = 1e-5

HISTORY = {"cost": np.float64, "gradient_norm": np.float64, "evaluations": np.int64, "seconds": np.float64}


def history(rows: Any) -> Any:
    """A record array with the fields of HISTORY, from one tuple for each row."""
    return np.array(rows, dtype=list(HISTORY.items())).view(np.recarray)


@dataclass(frozen=True)
class Outcome:
    """How a minimisation ended.

    Attributes
    ----------
    status : str
        "converged", "iteration limit", "precision loss" or "non-finite".
    message : str
        The same in a sentence, with what to try next.
    cost, gradient_norm : float
        At the best point seen; the norm is the largest absolute entry.
    iterations, evaluations : int
    seconds : float
    advice : str
        What kept the network from learning, and the remedy; part of `message`, and empty if nothing was seen.
    """

    status: str
    message: str
    cost: float
    gradient_norm: float
    iterations: int
    evaluations: int
    seconds: float
    advice: str = ""


class _NonFinite(Exception):
    """The cost or its gradient is not finite: nothing further out can be better."""


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


class _Record:
    """What a solver sees of the objective: keeps the best point and the history."""

    def __init__(self, objective: Objective, progress: Callable[[int, float], None]):
        self.objective = objective
        self.progress = progress
        self.start = time.perf_counter()
        self.evaluations_before = objective.evaluations
        self.best_cost = np.inf
        self.best_theta = np.full(objective.P, np.nan)
        self.best_norm = np.nan
        self.norm = np.nan
        self.seen = -1  # the objective's number of evaluations when `norm` was taken
        self.rows: list[tuple[float, float, int, float]] = []

    def cost_and_gradient(self, theta: Array) -> tuple[float, Array]:
        cost, gradient = self._evaluate(theta)
        return cost, gradient.copy()

    def cost(self, theta: Array) -> float:
        return self._evaluate(theta)[0]

    def gradient(self, theta: Array) -> Array:
        return self._evaluate(theta)[1].copy().view(_Vector)

    def _evaluate(self, theta: Array) -> tuple[float, Array]:
        cost, gradient = self.objective.evaluate(theta)
        if self.seen != self.objective.evaluations:
            self.seen = self.objective.evaluations
            self.norm = max(float(gradient.max()), -float(gradient.min()))
            if not np.isfinite(cost + self.norm):
                raise _NonFinite
            if cost < self.best_cost:
                self.best_cost, self.best_norm = cost, self.norm
                self.best_theta[:] = theta
        return cost, gradient

    @property
    def evaluations(self) -> int:
        return self.objective.evaluations - self.evaluations_before

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def iteration(self, theta: Array) -> None:
        """Called at the start and after every iteration, nearly always at the point evaluated last."""
        cost, _ = self._evaluate(theta)
        self.rows.append((cost, self.norm, self.evaluations, self.seconds))
        if len(self.rows) > 1:
            self.progress(len(self.rows) - 1, cost)


def minimize(
    objective: Objective,
    theta: Array,
    solver: str,
    maxiter: int,
    progress: Callable[[int, float], None],
    diagnose: Callable[[Array], str] = lambda theta: "",
) -> tuple[Array, Outcome, Any]:
    """Minimise from theta (P,), which is not changed.

    `solver` is "cg", the nonlinear conjugate gradients of Polak and Ribiere as in the course
    (Nocedal and Wright, 2006, p. 122), or "l-bfgs" (Byrd, Lu, Nocedal and Zhu, 1995).
    `progress(iteration, cost)` is called after every iteration. `diagnose(theta)` says of the best
    point what keeps it from being good; that takes the place of what is usually tried next. Returns
    the best point seen, how it ended, and the history: a record array with one row for the start and
    one per iteration.
    """
    record = _Record(objective, progress)
    run = {"cg": _conjugate_gradients, "l-bfgs": _l_bfgs}[solver]
    try:
        record.iteration(theta)
        status = run(record, theta.copy(), maxiter)
    except _NonFinite:
        if not record.rows:
            advice = diagnose(theta) or "smaller weights are wanted"
            raise ValueError(f"weights give a cost that is not finite; {advice}") from None
        status = "non-finite"
    seconds = record.seconds
    advice = diagnose(record.best_theta)
    fact, hint = _MESSAGES[status]
    fact = fact.format(norm=record.best_norm, limit=maxiter, tolerance=GRADIENT_TOLERANCE)
    outcome = Outcome(
        status,
        "; ".join(filter(None, [fact, advice or hint])),
        record.best_cost,
        record.best_norm,
        len(record.rows) - 1,
        record.evaluations,
        seconds,
        advice,
    )
    return record.best_theta, outcome, history(record.rows)


def _conjugate_gradients(record: _Record, theta: Array, maxiter: int) -> str:
    from scipy.optimize import fmin_cg

    *_, flag = fmin_cg(
        record.cost,
        theta,
        record.gradient,
        gtol=GRADIENT_TOLERANCE,
        maxiter=maxiter,
        full_output=True,
        disp=False,
        callback=record.iteration,
    )
    return {0: "converged", 1: "iteration limit", 2: "precision loss"}[flag]


def _l_bfgs(record: _Record, theta: Array, maxiter: int) -> str:
    from scipy.optimize import minimize as scipy_minimize
    from threadpoolctl import threadpool_limits

    # In C its vectors cannot keep away from BLAS threads like `_Vector`. The seed's network: 8.2 ms an evaluation
    # with BLAS threads, 2.9 without.
    with threadpool_limits(1, user_api="blas"):
        result = scipy_minimize(
            record.cost_and_gradient,
            theta,
            jac=True,
            method="L-BFGS-B",
            callback=lambda xk: record.iteration(xk.copy()),
            # The cost's own stopping rule is off: it would end in the middle of a plateau.
            options={"maxiter": maxiter, "maxfun": np.iinfo(np.int32).max, "gtol": GRADIENT_TOLERANCE, "ftol": 0.0},
        )
    if record.best_norm <= GRADIENT_TOLERANCE:
        return "converged"
    return "iteration limit" if result.nit >= maxiter else "precision loss"


# How it ended, and what to try next if nothing is known to be wrong.
_MESSAGES = {
    "converged": ("converged: the largest gradient entry is {norm:.1e}, at most {tolerance:g}", ""),
    "iteration limit": (
        "stopped at the limit of {limit} iterations with largest gradient entry {norm:.1e}",
        "a higher maxiter would lower the cost further",
    ),
    "precision loss": (
        "stopped with largest gradient entry {norm:.1e} because rounding hides any further decrease of the cost",
        "if that is too early, try the other solver or a larger lmbda",
    ),
    "non-finite": (
        "stopped because the cost or its gradient became infinite or NaN on the way; "
        "these are the best weights before that",
        "try smaller starting weights or a larger lmbda",
    ),
}

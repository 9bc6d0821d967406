"""Control of a training: limits, the state that callbacks get, the validation set, and exceptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import network
from ..forward import outputs
from ..inputs.containers import Array
from ..network import Weights
from ..objective import Objective
from ..outcome import Finding, Outcome, Records, sentence_of
from ..problem import Data, Network, Problem
from ..targets import Kind

if TYPE_CHECKING:
    from ..model import Model

# Largest gradient entry at which a training has converged: SciPy's default for its conjugate gradients and its L-BFGS.
GRADIENT_TOLERANCE = 1e-5

Found = tuple[Array, Outcome, Records]  # theta (P,), how the minimisation ended, and the history


@dataclass(frozen=True)
class State:
    """A training after an iteration, as callbacks get it; it prints as a line.

    Attributes
    ----------
    iteration : int
        From 1.
    cost, gradient_norm : float
        At these weights; the norm is the gradient's largest absolute entry.
    evaluations : int
        Of cost and gradient, so far.
    seconds : float
        Since the minimisation began, without the time for compiling or loading kernels.
    validation_cost, validation_score : float
        NaN without validation.
    weights : tuple of L float64 arrays
        New copies every time it is asked for: changing them does not change the training.

    Examples
    --------
    >>> def watch(state):
    ...     if state.iteration % 5 == 0:
    ...         print(f"{state.iteration:2}  cost {state.cost:.1f}, largest weight {abs(state.weights[1]).max():.1f}")
    ...     return state.cost < 1.0  # true stops the training
    >>> X, y = fastnn.load_digits()
    >>> fastnn.train(X, y, callback=watch).outcome.status
     5  cost 2.1, largest weight 1.2
    10  cost 1.3, largest weight 2.6
    15  cost 1.0, largest weight 3.3
    'stopped by callback'
    """

    iteration: int
    cost: float
    gradient_norm: float
    evaluations: int
    seconds: float
    validation_cost: float
    validation_score: float
    _theta: Array
    _sizes: tuple[int, ...]

    @property
    def weights(self) -> Weights:
        return network.weights_of(self._theta, self._sizes)

    def __str__(self) -> str:
        line = f"iteration {self.iteration:4d}  cost {self.cost:.6f}  gradient {self.gradient_norm:.1e}"
        line += f"  evaluations {self.evaluations}  {self.seconds:.2f} s"
        if math.isnan(self.validation_cost):
            return line
        return f"{line}  validation cost {self.validation_cost:.6f}, score {self.validation_score:.4f}"


Callback = Callable[[State], object]


class Stop(Exception):
    """End a minimisation from inside a solver; `args[0]` is the status."""


@dataclass(frozen=True)
class Limits:
    """Conditions that end a minimisation."""

    maxiter: int
    tol: float = GRADIENT_TOLERANCE
    target_cost: float = -math.inf
    max_seconds: float = math.inf
    max_evaluations: float = math.inf
    patience: float = math.inf  # iterations without a lower validation cost

    def check_target(self, cost: float) -> None:
        """Raise Stop if the cost is as low as is asked for."""
        if cost <= self.target_cost:
            raise Stop("target reached")

    def check_effort(self, seconds: float, evaluations: int) -> None:
        """Raise Stop after the last second, compiling included, or the last evaluation that is allowed."""
        if seconds >= self.max_seconds:
            raise Stop("time limit")
        if evaluations >= self.max_evaluations:
            raise Stop("evaluation limit")

    def check_iterations(self, iterations: int, since_validation: int) -> None:
        """Raise Stop after the last iteration, or after too many of them since the lowest validation cost."""
        if since_validation >= self.patience:
            raise Stop("no improvement")
        if iterations >= self.maxiter:
            raise Stop("iteration limit")


class NonFiniteStart(ValueError):
    """The cost or its gradient is not finite where a minimisation begins. `args` are the message and its finding."""

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def of(cls, finding: Finding) -> NonFiniteStart:
        """Return the error with Python's words for the remedy."""
        return cls(sentence_of(_NON_FINITE, finding, {}), finding)

    def sentence(self, words: Mapping[str, str]) -> str:
        """Return the message with other words for the remedy, as `Outcome.sentence`."""
        return sentence_of(_NON_FINITE, self.args[1], words)


_NON_FINITE = "weights give a cost that is not finite"


class ClusterLost(RuntimeError):
    """A cluster that computes is gone, for good as far as one can see.

    `fastnn.train` raises it when there is no worker or no scheduler for half a minute, when workers die again and
    again, or when nobody answers any more.

    Attributes
    ----------
    model : Model or None
        The best so far, where a training is lost; None before its first evaluation.

    Examples
    --------
    >>> from dask.distributed import Client
    >>> from fastnn.distributed import ClusterLost
    >>> X, y = fastnn.load_digits()
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     try:
    ...         model = fastnn.train(X, y, maxiter=5, client=client)
    ...     except ClusterLost as lost:
    ...         model = lost.model
    >>> model.outcome.iterations
    5
    """

    model: Model | None = None
    found: Found | None = None  # the return value that `minimize` would have had


class ValidationSet:
    """Examples that a training does not see: its cost and score on them."""

    def __init__(self, network: Network, data: Data, kind: Kind, score_weight: Array, engine: str):
        """Weights of `data` count in the cost, which is not regularised; `score_weight` (m,) or empty in the score."""
        self._network, self._data, self._kind, self._weight = network, data, kind, score_weight
        self._objective = Objective.of(Problem(network.without_regularisation(), data), engine)
        self._engine = engine
        self._outputs = np.empty((len(data), network.sizes[-1]))

    def measure(self, theta: Array) -> tuple[float, float]:
        """Return cost and score."""
        cost, _ = self._objective.evaluate(theta)
        outputs(theta, self._network.layers, self._data.X, self._data.scale, self._outputs, self._engine)
        return cost, self._kind.score(self._outputs, self._data.targets, self._weight)

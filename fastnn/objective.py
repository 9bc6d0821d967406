"""theta -> cost and gradient: an engine's sums over the examples, and their mean; keeps the last point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from . import engines, network
from .inputs import validation
from .inputs.streams import Stored, each, examples_of_a_run
from .inputs.validation import Array
from .kernels.arguments import Run
from .network import Weights
from .problem import Data, Network, Problem, documented, read_only, validated
from .runtime import notice


class Source(Protocol):
    """Examples that an objective sums over, in this process or elsewhere.

    Attributes
    ----------
    network : Network
    m : int
    total : float
        The weight of all examples.
    long : bool
        True if `add_up` may take a second.
    """

    network: Network
    m: int
    total: float
    long: bool

    def add_up(self, theta: Array, sums: Array, done: Callable[[int], object] = ...) -> None:
        """sums[:P] = the examples' gradients, sums[P] = their losses; `done` gets counts of examples on the way."""


# Function like an engine's `workspace`.
Workspace = Callable[..., tuple[object, list[Run]]]


class Shard:
    """Examples in this process, and an engine's sums over them."""

    def __init__(self, network: Network, data: Data, engine: str, workspace: Workspace | None = None):
        """`workspace` may give a common one to shards that are never added up at the same time."""
        self.network, self.data = network, data
        self.m, self.total = len(data), data.total
        self._module = engines.module(engine)
        max_rows = examples_of_a_run(data.X) if isinstance(data.X, Stored) else None
        self._work, self._runs = (workspace or self._module.workspace)(
            network.layers, self.m, data.X.dtype, data.scale, max_rows
        )
        self.long = len(self._runs) > 1
        rows = [slice(run.start, run.stop) for run in self._runs]
        self._answers = [(data.targets.take(some), data.weight[some]) for some in rows]
        self._unchecked = isinstance(data.X, Stored)  # for NaN and infinities
        self._in_memory = [] if self._unchecked else list(each(data.X, self._runs))
        self._made_of = network, data, engine

    def __reduce__(self) -> tuple[type[Shard], tuple[Network, Data, str]]:
        return Shard, self._made_of

    def __sizeof__(self) -> int:
        return self.data.__sizeof__()

    def add_up(self, theta: Array, sums: Array, done: Callable[[int], object] = lambda examples: None) -> None:
        """sums[:P] = the examples' gradients, sums[P] = their losses; `done` gets counts of examples on the way."""
        accumulate, layers, work = self._module.accumulate, self.network.layers, self._work
        runs = self._in_memory or ((run, read_only(X)) for run, X in each(self.data.X, self._runs))
        for (run, X), (targets, weight) in zip(runs, self._answers, strict=True):
            accumulate(theta, layers, X, targets, weight, work, run, sums)
            done(run.stop - run.start)
        if self._unchecked and not np.isfinite(sums).all():
            validation.look_through(self.data.X)
            self._unchecked = False


@documented
class Objective:
    """The cost of a network on fixed data, and its gradient, as functions of a flat vector.

    This is what SciPy's minimisers want. They ask for the cost and for the gradient separately; both come from one
    evaluation, because the last point and its results are kept.

    Parameters
    ----------
    {X, y, sizes, lmbda, engine, activation, output, sample_weight, scale}

    Attributes
    ----------
    evaluations : int
        How often the engine has run.
    P : int
        The number of parameters, the length of theta.
    sizes : tuple of int
        As given.
    lmbda : float
        As given.

    {raises}

    See Also
    --------
    train : minimises this, and keeps the best point whatever happens.
    pack, unpack : from weights to theta, and back.

    Notes
    -----
    An evaluation costs about 4 m P floating-point operations and reads X once ("fused", "loop").

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> X, y = fastnn.load_digits()
    >>> objective = fastnn.Objective(X, y, (400, 25, 10), lmbda=1.0)
    >>> start = fastnn.pack(fastnn.init_weights((400, 25, 10)))
    >>> found = minimize(objective.cost, start, jac=objective.gradient, method="L-BFGS-B", options={"maxiter": 10})
    >>> f"from {objective.cost(start):.2f} to {found.fun:.2f}"
    'from 6.85 to 1.51'
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sizes: Sequence[int],
        lmbda: float = 0.0,
        *,
        engine: str = "fused",
        activation: str = "sigmoid",
        output: str = "sigmoid",
        sample_weight: ArrayLike | None = None,
        scale: float = 1.0,
    ):
        problem = validated(
            X, y, validation.sizes(sizes), lmbda,
            activation=activation, output=output, sample_weight=sample_weight, scale=scale,
        )  # fmt: skip
        self._prepare(Shard(*problem, engine), engine)

    @classmethod
    def of(cls, problem: Problem, engine: str = "fused") -> Objective:
        """The objective of examples that fastnn itself has validated.

        Parameters
        ----------
        problem : fastnn.problem.Problem
            Network and data.
        engine : str
            As in `Objective`.

        Returns
        -------
        Objective

        Examples
        --------
        >>> from fastnn.problem import validated
        >>> problem = validated(np.eye(3), [0, 1, 2], (3, 4, 3))
        >>> fastnn.Objective.of(problem).P
        31
        """
        return cls.over(Shard(*problem, engine), engine)

    @classmethod
    def over(cls, source: Source, engine: str, progress: bool | None = False) -> Objective:
        """The objective of a source of sums over examples, which may be on other machines.

        Parameters
        ----------
        source : fastnn.objective.Source
            What adds up the examples.
        engine : str
            Whose mean and regularisation it is.
        progress : bool, optional
            A bar inside a long evaluation, on standard error; None: if that is a terminal.

        Returns
        -------
        Objective

        Examples
        --------
        >>> from fastnn.objective import Shard
        >>> from fastnn.problem import validated
        >>> shard = Shard(*validated(np.eye(3), [0, 1, 2], (3, 4, 3)), "fused")
        >>> f"{fastnn.Objective.over(shard, 'fused').cost(np.zeros(31)):.4f}"  # three sigmoids of 0: 3 ln 2
        '2.0794'
        """
        objective = cls.__new__(cls)
        objective._prepare(source, engine, progress)
        return objective

    def _prepare(self, source: Source, engine: str, progress: bool | None = False) -> None:
        self.sizes, self.lmbda, self.P = source.network.sizes, source.network.lmbda, source.network.P
        self.evaluations = 0
        self._source = source
        self._engine = engines.module(engine)
        self._progress = progress if source.long else False
        self._theta = np.full(self.P, np.nan)
        self._point = read_only(self._theta)  # the type that kernels are compiled for
        self._cost = np.nan
        self._sums = np.empty(self.P + 1)
        self._gradient = self._sums[:-1]

    def cost(self, theta: ArrayLike) -> float:
        """The cost at theta.

        Parameters
        ----------
        theta : array (P,)
            All weights, as `fastnn.pack` has them; it is not changed.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If theta does not fit, or a sum overflows.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> objective = fastnn.Objective(X, y, (400, 10))
        >>> f"{objective.cost(np.zeros(objective.P)):.4f}"  # ten outputs of 1/2: 10 ln 2
        '6.9315'
        """
        return self.cost_and_gradient(theta)[0]

    def gradient(self, theta: ArrayLike) -> Array:
        """The gradient at theta.

        Parameters
        ----------
        theta : array (P,)
            All weights, as `fastnn.pack` has them; it is not changed.

        Returns
        -------
        float64 array (P,)
            A new array.

        Raises
        ------
        ValueError, TypeError
            If theta does not fit, or a sum overflows.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> objective = fastnn.Objective(X, y, (400, 10))
        >>> dtheta = objective.gradient(np.zeros(objective.P))
        >>> f"{dtheta[0]:.2f}"  # of the first bias: every output is 1/2, and one digit in ten is a zero
        '0.40'
        """
        return self.cost_and_gradient(theta)[1]

    def cost_and_gradient(self, theta: ArrayLike) -> tuple[float, Array]:
        """The cost and the gradient at theta, from one evaluation.

        Parameters
        ----------
        theta : array (P,)
            All weights, as `fastnn.pack` has them; it is not changed.

        Returns
        -------
        cost : float
        gradient : float64 array (P,)
            A new array.

        Raises
        ------
        ValueError, TypeError
            If theta does not fit, or a sum overflows.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> objective = fastnn.Objective(X, y, (400, 10))
        >>> J, dtheta = objective.cost_and_gradient(np.zeros(objective.P))
        >>> f"{J:.4f}", dtheta.shape, objective.evaluations
        ('6.9315', (4010,), 1)
        """
        cost, gradient = self.evaluate(validation.theta(theta, self.P))
        validation.computed((cost, gradient), "theta, X, y, scale and lmbda")
        return cost, gradient.copy()

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """The cost and the gradient at theta, for solvers: unchecked, and not copied.

        Parameters
        ----------
        theta : float64 array (P,)
            Unchecked; it is not changed.

        Returns
        -------
        cost : float
            NaN or infinite where a sum overflows.
        gradient : float64 array (P,)
            The next evaluation overwrites it; do not write into it.

        Examples
        --------
        >>> objective = fastnn.Objective(np.eye(3), [0, 1, 2], (3, 4, 3))
        >>> _, gradient = objective.evaluate(np.zeros(31))
        >>> _, again = objective.evaluate(np.zeros(31))
        >>> again is gradient, objective.evaluations
        (True, 1)
        """
        # Most questions are about another point, and nearly all of those differ in the first entry.
        if theta[0] != self._theta[0] or not np.array_equal(theta, self._theta):
            self._theta[:] = theta
            try:
                self._cost = self._evaluate(self._point, self._gradient)
            except BaseException:  # Ctrl-C, say: what is kept is of no point then
                self.forget()
                raise
            self.evaluations += 1
        return self._cost, self._gradient

    def regularisation(self, theta: Array) -> float:
        """Return the part of the cost at theta that is regularisation.

        Parameters
        ----------
        theta : float64 array (P,)
            As in `cost`.

        Returns
        -------
        float
            lmbda/(2m) times the sum of the squared weights, biases left out. Nothing is evaluated.

        Examples
        --------
        >>> objective = fastnn.Objective(np.eye(3), [0, 1, 2], (3, 4, 3), lmbda=2.0)
        >>> objective.regularisation(np.ones(31))  # 24 of the 31 are no biases, and m is 3
        8.0
        """
        # Not by a product of BLAS: its threads would spin on the cores that the next evaluation needs.
        return float(np.einsum("i,i,i->", self._source.network.decay, theta, theta) / (2.0 * self._source.total))

    def forget(self) -> None:
        """Forget the last point: the next question is evaluated, even at that point.

        Examples
        --------
        >>> objective = fastnn.Objective(np.eye(3), [0, 1, 2], (3, 4, 3))
        >>> J = objective.cost(np.zeros(31))
        >>> objective.forget()
        >>> objective.cost(np.zeros(31)) == J, objective.evaluations
        (True, 2)
        """
        self._theta[:] = np.nan  # equal to no point

    def _evaluate(self, theta: Array, gradient: Array) -> float:
        """The sums over the examples, and the mean of that."""
        source, sums = self._source, self._sums
        if self._progress is False:
            source.add_up(theta, sums)
        else:
            with examples_bar(source.m, self._progress) as done:
                source.add_up(theta, sums, done)
        cost: float = self._engine.regularised_mean(theta, source.network.decay, source.total, sums[-1], gradient)
        return cost


@contextmanager
def examples_bar(m: int, progress: bool | None) -> Iterator[Callable[[int], object]]:
    """A function that is told how many examples more are done, and shows a bar where they take more than a second."""
    disable = None if progress is None else not progress
    with notice.progress_bar(
        total=m, unit=" examples", unit_scale=True, leave=False, delay=1.0, disable=disable
    ) as bar:
        yield bar.update


@documented
def cost_and_gradient(
    weights: Sequence[ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    lmbda: float = 0.0,
    *,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
    scale: float = 1.0,
) -> tuple[float, Weights]:
    """The cost of a network and its gradient, by backpropagation.

    Parameters
    ----------
    {weights, X, y, lmbda, engine, activation, output, sample_weight, scale}

    Returns
    -------
    J : float
        The cost: the mean over the examples, and the regularisation.
    gradient : tuple of L float64 arrays
        Shaped like weights.

    {raises}

    See Also
    --------
    Objective : the same for many weights and one set of data, which is validated once.
    check_gradient : is the gradient right?

    Notes
    -----
    About 4 m P floating-point operations. Ng, Machine Learning, exercise 4 (2011), sections 1.4
    (cost) and 2.3 to 2.5 (gradient).

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> weights = fastnn.init_weights((400, 25, 10))
    >>> J, gradient = fastnn.cost_and_gradient(weights, X, y, lmbda=1.0)
    >>> [dW.shape for dW in gradient]
    [(25, 401), (10, 26)]
    >>> downhill = [W - 0.1 * dW for W, dW in zip(weights, gradient)]
    >>> f"from {J:.2f} to {fastnn.cost_and_gradient(downhill, X, y, lmbda=1.0)[0]:.2f}"
    'from 6.85 to 5.59'
    """
    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    objective = Objective(
        X, y, sizes, lmbda,
        engine=engine, activation=activation, output=output, sample_weight=sample_weight, scale=scale,
    )  # fmt: skip
    cost, gradient = objective.evaluate(network.theta_of(weights))
    validation.computed((cost, gradient))
    return cost, network.matrices(gradient, sizes)


@documented
def cost_and_gradient_sums(
    weights: Sequence[ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    *,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
    scale: float = 1.0,
) -> tuple[float, Weights, float]:
    """The sums over examples that make cost and gradient, for parts that are added up.

    No mean is taken, and nothing is regularised. Add up what the parts give, on whatever machines they are, and divide
    losses and gradients by the weights: that is the cost of the whole, and its gradient. What regularises comes on
    top, lmbda/(2 weight) times the sum of squared weights without the biases.

    Parameters
    ----------
    {weights, X, y, engine, activation, output, sample_weight, scale}

    Returns
    -------
    loss_sum : float
        Of the losses, without regularisation.
    gradient_sums : tuple of L float64 arrays
        Shaped like weights.
    weight_sum : float
        The number of examples, or what they weigh; 0 is allowed here.

    {raises}

    See Also
    --------
    cost_and_gradient : the mean, of all examples together.

    Notes
    -----
    About 4 m P floating-point operations.

    Examples
    --------
    The cost of the whole, from two halves:

    >>> X, y = fastnn.load_digits()
    >>> weights = fastnn.init_weights((400, 25, 10))
    >>> halves = [fastnn.cost_and_gradient_sums(weights, X[some], y[some]) for some in np.split(np.arange(5000), 2)]
    >>> losses, gradients, counts = zip(*halves)
    >>> counts
    (2500.0, 2500.0)
    >>> np.isclose(sum(losses) / sum(counts), fastnn.cost_and_gradient(weights, X, y)[0], rtol=1e-12).item()
    True
    """
    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    problem = validated(
        X, y, sizes, activation=activation, output=output, sample_weight=sample_weight, scale=scale, part=True
    )
    sums = np.empty(problem.network.P + 1)
    Shard(*problem, engine).add_up(read_only(network.theta_of(weights)), sums)
    validation.computed((sums,))
    return float(sums[-1]), network.matrices(sums[:-1], sizes), problem.data.total

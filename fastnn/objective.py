"""theta -> cost and gradient: adds an engine's sums over parts, makes the mean; keeps the last point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import engines, network, validation
from .network import Weights
from .problem import Problem, documented, read_only, validated
from .validation import Array


class _Part:
    """Some examples, and an engine's sums over them."""

    def __init__(self, problem: Problem, engine: Any):
        self._problem = problem
        self._engine = engine
        self._workspace = self._engine.workspace(problem.layers, problem.X)

    def sums(self, theta: Array, dtheta: Array) -> float:
        """dtheta[:] = the sum of the examples' gradients, returns that of their losses."""
        some = self._problem
        loss: float = self._engine.sums(theta, some.layers, some.X, some.targets, some.weight, self._workspace, dtheta)
        return loss


@documented
class Objective:
    """The cost of a network on fixed data as a function of its flat parameters.

    `fmin_cg` asks for the cost and for the gradient separately; both come from one evaluation,
    because the last point and its results are kept.

    Parameters
    ----------
    {X, y, sizes, lmbda, engine, activation, output, sample_weight}

    Attributes
    ----------
    evaluations : int
        How often the engine has run.

    {raises}

    Notes
    -----
    An evaluation costs about 4 m P floating-point operations and reads X once ("fused", "loop").
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sizes: Any,
        lmbda: float = 0.0,
        *,
        engine: str = "fused",
        activation: str = "sigmoid",
        output: str = "sigmoid",
        sample_weight: ArrayLike | None = None,
    ):
        sizes = validation.sizes(sizes)
        family: dict[str, Any] = {"activation": activation, "output": output, "sample_weight": sample_weight}
        self._prepare([validated(X, y, sizes, lmbda, **family)], engine)

    @classmethod
    def of(cls, parts: Sequence[Problem], engine: str = "fused") -> "Objective":
        """The objective of all their examples; the parts have the same network and regularisation."""
        objective = cls.__new__(cls)
        objective._prepare(parts, engine)
        return objective

    def _prepare(self, parts: Sequence[Problem], engine: str) -> None:
        self.sizes = parts[0].sizes
        self.lmbda = parts[0].lmbda
        self.P = parts[0].P
        self.evaluations = 0
        self._engine = engines.module(engine)
        self._parts = [_Part(part, self._engine) for part in parts]
        self._decay = parts[0].decay
        self._total = sum(part.total for part in parts)
        self._theta = np.full(self.P, np.nan)  # equal to no point
        self._point = read_only(self._theta)  # the type that kernels are compiled for
        self._cost = np.nan
        self._gradient = np.empty(self.P)
        self._more = np.empty(self.P if len(parts) > 1 else 0)  # the sums of the second part, the third, ...

    def cost(self, theta: ArrayLike) -> float:
        """The cost at theta (P,)."""
        return self.evaluate(validation.theta(theta, self.P))[0]

    def gradient(self, theta: ArrayLike) -> Array:
        """The gradient at theta (P,), a new array (P,)."""
        return self.evaluate(validation.theta(theta, self.P))[1].copy()

    def cost_and_gradient(self, theta: ArrayLike) -> tuple[float, Array]:
        """Both, from one evaluation; the gradient is a new array."""
        cost, gradient = self.evaluate(validation.theta(theta, self.P))
        return cost, gradient.copy()

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """For solvers: theta float64 (P,), unchecked; the gradient lives until the next evaluation."""
        # Most questions are about another point, and nearly all of those differ in the first entry.
        if theta[0] != self._theta[0] or not np.array_equal(theta, self._theta):
            self._theta[:] = theta
            try:
                self._cost = self._evaluate(self._point, self._gradient)
            except BaseException:  # Ctrl-C, say: what is kept is of no point then
                self._theta[:] = np.nan
                raise
            self.evaluations += 1
        return self._cost, self._gradient

    def _evaluate(self, theta: Array, gradient: Array) -> float:
        """The parts' sums, added in their order, and the mean of that."""
        first, *others = self._parts
        loss = first.sums(theta, gradient)
        for part in others:
            loss += part.sums(theta, self._more)
            gradient += self._more
        cost: float = self._engine.regularised_mean(theta, self._decay, self._total, loss, gradient)
        return cost


class Forward:
    """The forward pass of a network, by the fused engine: its weights are laid out once, for any number of calls.

    Nobody looks through X, or the weights, before the pass: they are looked through if its sums tell of NaN or
    infinities.
    """

    def __init__(self, weights: Weights, activation: str, output: str):
        self._weights = weights
        self._layers = network.layer_table(network.sizes_of(weights), activation, output)
        self._engine = engines.module("fused")
        self._prepared: dict[Any, Any] = {}  # by the type of X

    def __call__(self, X: ArrayLike) -> Array:
        """The outputs (m, K); X as a user brings it."""
        array = validation.inputs(X, self._weights[0].shape[1] - 1, look=False)
        if array.dtype not in self._prepared:
            parts = [read_only(matrix.reshape(-1)) for matrix in self._weights]
            self._prepared[array.dtype] = self._engine.prepared(parts, self._layers, array.dtype)
        A = np.empty((len(array), len(self._weights[-1])))
        if not self._engine.outputs(self._prepared[array.dtype], read_only(array), A):
            validation.finite(array, X, "X")
            validation.weights(self._weights)
        return A


@documented
def forward(
    weights: Any, X: ArrayLike, *, engine: str = "fused", activation: str = "sigmoid", output: str = "sigmoid"
) -> Array:
    """The network's outputs: K activations for every example.

    Parameters
    ----------
    {weights, X, engine, activation, output}

    Returns
    -------
    float64 array (m, K)

    {raises}

    Notes
    -----
    About 2 m P floating-point operations. Ng, Machine Learning, exercise 4 (2011), section 1.3.
    """
    if validation.choice(engine, engines.ENGINES, "engine") == "fused":
        return Forward(validation.weights(weights, look=False), activation, output)(X)
    module = engines.module(engine)
    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    X = validation.inputs(X, sizes[0])
    A = np.empty((len(X), sizes[-1]))
    module.forward(network.theta_of(weights), network.layer_table(sizes, activation, output), read_only(X), A)
    return A


@documented
def cost_and_gradient(
    weights: Any,
    X: ArrayLike,
    y: ArrayLike,
    lmbda: float = 0.0,
    *,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Weights]:
    """The cost and its gradient by backpropagation, from one evaluation.

    Parameters
    ----------
    {weights, X, y, lmbda, engine, activation, output, sample_weight}

    Returns
    -------
    J : float
    gradient : tuple of L float64 arrays, shaped like weights

    {raises}

    Notes
    -----
    About 4 m P floating-point operations. Ng, Machine Learning, exercise 4 (2011), sections 1.4
    (cost) and 2.3 to 2.5 (gradient).
    """
    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    objective = Objective(
        X, y, sizes, lmbda, engine=engine, activation=activation, output=output, sample_weight=sample_weight
    )
    cost, gradient = objective.evaluate(network.theta_of(weights))
    return cost, network.matrices(gradient, sizes)


@documented
def cost_and_gradient_sums(
    weights: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Weights, float]:
    """Sums over the examples, not their mean, and without regularisation: what several machines add up.

    Of parts of the data that are added together, the loss and the gradient divided by the weight, and
    lmbda/(2 weight) times the squares of the weights, are cost and gradient of the whole.

    Parameters
    ----------
    {weights, X, y, engine, activation, output, sample_weight}

    Returns
    -------
    loss sum : float
    gradient sums : tuple of L float64 arrays, shaped like weights
    weight sum : float
        The number of examples, or what they weigh; 0 is allowed here.

    {raises}

    Notes
    -----
    About 4 m P floating-point operations.

    Examples
    --------
    The cost of the whole, and its gradient by the first layer, from two halves:

    >>> parts = [fastnn.cost_and_gradient_sums(weights, X[rows], y[rows]) for rows in (slice(2500), slice(2500, None))]
    >>> loss, weight = (sum(part[i] for part in parts) for i in (0, 2))
    >>> cost, dW = loss / weight, sum(part[1][0] for part in parts) / weight
    """
    weights = validation.weights(weights)
    family: dict[str, Any] = {"activation": activation, "output": output, "sample_weight": sample_weight}
    some = validated(X, y, network.sizes_of(weights), **family, part=True)
    gradient = np.empty(some.P)
    theta = read_only(network.theta_of(weights))
    loss = _Part(some, engines.module(engine)).sums(theta, gradient)
    return loss, network.matrices(gradient, some.sizes), some.total

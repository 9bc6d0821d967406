"""theta -> cost and gradient, by one of the engines, each point evaluated once."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import engines, network, validation
from .network import Weights
from .validation import Array


class Objective:
    """The cost of a network on fixed data as a function of its flat parameters.

    `fmin_cg` asks for the cost and for the gradient separately; both come from one evaluation,
    because the last point and its results are kept.

    Parameters
    ----------
    X : array (m, n)
        Inputs; used in place if they are C-contiguous, and must then not be changed. Products
        with float32 are computed in float32; parameters and results are float64 all the same.
    y : int array (m,)
        Class indices 0..K-1.
    sizes : sequence of int
        Layer sizes (n, hidden..., K).
    lmbda : float
        Regularisation, at least 0.
    engine : {"fused", "numpy", "loop", "python"}
        The same numbers from each.
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.
    output : {"sigmoid", "softmax"}
        K separate sigmoids, as in the course, or one softmax over the classes.
    sample_weight : array (m,), optional
        How much each example counts, at least 0: 2 is as if it were there twice.

    Attributes
    ----------
    evaluations : int
        How often the engine has run.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit; here or, for theta, in the methods.

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
        self.sizes = validation.sizes(sizes)
        self.X = validation.inputs(X, self.sizes[0])
        self.y = validation.class_indices(y, len(self.X), self.sizes[-1])
        self.lmbda = validation.real(lmbda, "lmbda", minimum=0.0)
        self.P = network.parameter_count(self.sizes)
        self.evaluations = 0
        self._module = engines.module(engine)
        self._layers = network.layer_table(self.sizes, activation, output)
        self._weight = validation.sample_weight(sample_weight, len(self.X))
        self._decay = network.decay(self.sizes, self.lmbda)
        self._work = self._module.workspace(self._layers, self.X)
        self._theta = np.full(self.P, np.nan)  # equal to no point
        self._cost = np.nan
        self._gradient = np.empty(self.P)

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
            self._cost = self._module.cost_and_gradient(
                self._theta,
                self._layers,
                self.X,
                self.y,
                self._weight,
                self._decay,
                self._work,
                self._gradient,
            )
            self.evaluations += 1
        return self._cost, self._gradient


def forward(
    weights: Any, X: ArrayLike, *, engine: str = "fused", activation: str = "sigmoid", output: str = "sigmoid"
) -> Array:
    """The network's outputs: K activations for every example.

    Parameters
    ----------
    weights : tuple of L arrays
        weights[l] is (s[l+1], s[l] + 1), column 0 the biases.
    X : array (m, n)
    engine : {"fused", "numpy", "loop", "python"}
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.
    output : {"sigmoid", "softmax"}
        K separate sigmoids, as in the course, or one softmax over the classes.

    Returns
    -------
    float64 array (m, K)

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    Notes
    -----
    About 2 m P floating-point operations. Ng, Machine Learning, exercise 4 (2011), section 1.3.
    """
    module = engines.module(engine)
    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    X = validation.inputs(X, sizes[0])
    A = np.empty((len(X), sizes[-1]))
    module.forward(network.pack(weights), network.layer_table(sizes, activation, output), X, A)
    return A


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
    weights : tuple of L arrays
        weights[l] is (s[l+1], s[l] + 1), column 0 the biases.
    X : array (m, n)
    y : int array (m,)
        Class indices 0..K-1.
    lmbda : float
        Regularisation, at least 0; biases are left out of it.
    engine : {"fused", "numpy", "loop", "python"}
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.
    output : {"sigmoid", "softmax"}
        K separate sigmoids, as in the course, or one softmax over the classes.
    sample_weight : array (m,), optional
        How much each example counts, at least 0: 2 is as if it were there twice.

    Returns
    -------
    J : float
    gradient : tuple of L float64 arrays, shaped like weights

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

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
    cost, gradient = objective.evaluate(network.pack(weights))
    return cost, network.matrices(gradient, sizes)

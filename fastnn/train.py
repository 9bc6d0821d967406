"""Training: data in, model out."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import network, solvers, validation
from .model import Model
from .objective import Objective


def train(
    X: ArrayLike,
    y: ArrayLike,
    hidden: int | tuple[int, ...] = 25,
    lmbda: float = 1.0,
    *,
    solver: str = "cg",
    maxiter: int = 50,
    seed: Any = 0,
    weights: Any = None,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    sample_weight: ArrayLike | None = None,
    progress: bool | None = None,
) -> Model:
    """Train a network by minimising its cost on all examples.

    Parameters
    ----------
    X : array (m, n)
        Inputs, one example a row.
    y : array (m,)
        Labels of any one kind: numbers, strings or booleans; at least two different ones.
    hidden : int or tuple of int
        Sizes of the hidden layers, input side first; `()` for none.
    lmbda : float
        Regularisation, at least 0.
    solver : {"cg", "l-bfgs"}
        `scipy.optimize.fmin_cg`, as in the course, or L-BFGS. Install the extra `threads` with
        L-BFGS: SciPy's code for it starts BLAS threads, which then slow the kernels down.
    maxiter : int
        Limit on iterations.
    seed : int, None or numpy.random.Generator
        For the random weights to start from (`fastnn.init_weights`).
    weights : tuple of L arrays, optional
        Where to start instead. The layers are then those of these weights, and `hidden` and
        `seed` are not used.
    engine : {"fused", "numpy", "loop", "python"}
        What evaluates cost and gradient; the same numbers from each.
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.
    output : {"sigmoid", "softmax"}
        K separate sigmoids, as in the course, or one softmax over the classes.
    sample_weight : array (m,), optional
        How much each example counts, at least 0: 2 is as if it were there twice.
    progress : bool, optional
        A bar over the iterations with the current cost, on standard error. Default: if that is
        a terminal.

    Returns
    -------
    Model
        With the weights of lowest cost that were seen; `model.outcome.message` says in words
        how training ended.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit; nothing has been computed then.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, seed=1)
    >>> model.score(X, y) > 0.953
    True
    """
    from tqdm import tqdm

    X = validation.inputs(X)
    classes, indices = np.unique(validation.labels(y, len(X)), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y holds one label only, {classes[0]!r}; at least two classes are wanted")
    solver = validation.choice(solver, solvers.SOLVERS, "solver")
    maxiter = validation.positive(maxiter, "maxiter")
    if weights is None:
        weights = network.init_weights((X.shape[1], *validation.hidden(hidden), len(classes)), seed)
    else:
        weights = validation.weights(weights, X.shape[1], len(classes))
    sizes = network.sizes_of(weights)
    objective = Objective(
        X, indices, sizes, lmbda, engine=engine, activation=activation, output=output, sample_weight=sample_weight
    )

    with tqdm(
        total=maxiter, desc="training", unit="it", leave=False, disable=None if progress is None else not progress
    ) as bar:

        def show(iteration: int, cost: float) -> None:
            bar.set_postfix_str(f"cost {cost:.6f}", refresh=False)
            bar.update()

        theta, outcome, history = solvers.minimize(objective, network.pack(weights), solver, maxiter, show)
    return Model(network.unpack(theta, sizes), classes, objective.lmbda, history, outcome, activation, output)

"""Training: data in, model out."""

from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from . import diagnosis, network, solvers, validation
from .kernels.arguments import CLASS_OUTPUTS
from .kernels.notice import silence
from .model import Model
from .objective import Objective
from .problem import Problem, documented


@documented
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
    {X}
    y : array (m,)
        Labels of any one kind: numbers, text or booleans; at least two different ones, none missing.
    hidden : int or tuple of int
        Sizes of the hidden layers, input side first; `()` for none.
    {lmbda}
    solver : {"cg", "l-bfgs"}
        `scipy.optimize.fmin_cg`, as in the course, or SciPy's L-BFGS-B, which takes fewer evaluations.
    maxiter : int
        Limit on iterations.
    seed : int, None or numpy.random.Generator
        For the random weights to start from (`fastnn.init_weights`).
    weights : tuple of L arrays, optional
        Where to start instead. The layers are then those of these weights, and `hidden` and
        `seed` are not used.
    {engine, activation}
    output : {"sigmoid", "softmax"}
        K separate sigmoids, as in the course, or one softmax over the classes.
    {sample_weight}
    progress : bool, optional
        A bar over the iterations with the current cost, on standard error. Default: if that is
        a terminal.

    Returns
    -------
    Model
        With the weights of lowest cost that were seen; `model.outcome.message` says in words
        how training ended, and what is wrong if X wants scaling or hidden units are saturated.

    {raises}

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, seed=1)
    >>> model.score(X, y) > 0.953
    True
    """
    from tqdm import tqdm

    names = validation.feature_names(X)
    X = validation.inputs(X)
    classes, targets = validation.classes(y, len(X))
    solver = validation.choice(solver, solvers.SOLVERS, "solver")
    maxiter = validation.positive(maxiter, "maxiter")
    output = validation.choice(output, CLASS_OUTPUTS, "output")
    if weights is None:
        weights = network.init_weights((X.shape[1], *validation.hidden(hidden), len(classes)), seed)
    else:
        weights = validation.weights(weights, X.shape[1], len(classes))
    weight = validation.sample_weight(sample_weight, len(X))
    lmbda = validation.real(lmbda, "lmbda", minimum=0.0)
    problem = Problem(X, targets, weight, network.sizes_of(weights), lmbda, activation, output)
    objective = Objective.of([problem], engine)

    disable = None if progress is None else not progress
    with (
        silence(progress is False),
        tqdm(total=maxiter, desc="training", unit="it", leave=False, disable=disable) as bar,
    ):

        def show(iteration: int, cost: float) -> None:
            bar.set_postfix_str(f"cost {cost:.6f}", refresh=False)
            bar.update()

        diagnose = partial(diagnosis.advice, problem)
        theta, outcome, history = solvers.minimize(
            objective, network.theta_of(weights), solver, maxiter, show, diagnose
        )
    trained = network.weights_of(theta, problem.sizes)
    return Model(trained, classes, lmbda, history, outcome, activation, output, feature_names=names)

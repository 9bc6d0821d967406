"""Training: data in, model out."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import containers, diagnosis, engines, network, solvers
from . import validation as valid
from .control import GRADIENT_TOLERANCE, ClusterLost, HeldOut, Limits, State
from .inputs import Stored
from .kernels.arguments import OUTPUTS
from .kernels.notice import silence
from .model import Model
from .objective import Objective
from .parts import Here, class_totals, on_inputs, reweighted, standardise
from .problem import Problem, documented
from .scaling import Scaling
from .validation import Array


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
    multilabel: bool = False,
    sample_weight: ArrayLike | None = None,
    class_weight: Any = None,
    standardize: bool = False,
    scale: float = 1.0,
    validation: Any = None,
    patience: int | None = None,
    callback: Callable[[State], Any] | None = None,
    target_cost: float | None = None,
    max_seconds: float | None = None,
    max_evaluations: int | None = None,
    tol: float = GRADIENT_TOLERANCE,
    verbose: bool = False,
    progress: bool | None = None,
    client: Any = None,
) -> Model:
    """Train a network by minimising its cost on all examples.

    Parameters
    ----------
    {X}
    y : array (m,) or array (m, K)
        Labels (m,) of any one kind, numbers, text or booleans: at least two different ones, none missing.
        With `multilabel` 0 and 1 (m, K), with `output="identity"` numbers (m,) or (m, K).
    hidden : int or tuple of int
        Sizes of the hidden layers, input side first; `()` for none.
    {lmbda}
    solver : str
        "cg", `scipy.optimize.fmin_cg` as in the course; "l-bfgs", which takes fewer evaluations; or by SciPy's name
        "L-BFGS-B" (the same with 10 remembered steps instead of 30), "Newton-CG", "TNC", "BFGS", "SLSQP" or
        "trust-constr". The last three keep P x P numbers.
    maxiter : int
        Limit on iterations.
    seed : int, None or numpy.random.Generator
        For the random weights to start from (`fastnn.init_weights`), and then for the examples held out.
    weights : tuple of L arrays, optional
        Where to start instead, those of another model say. The layers are then those of these weights, and `hidden`
        is not used.
    {engine, activation}
    output : {"sigmoid", "softmax", "identity"}
        K separate sigmoids, as in the course, or one softmax over the classes; or numbers as they are, for regression,
        where the loss is half the squared error summed over the outputs.
    multilabel : bool
        Several labels at once, each a sigmoid output of its own.
    {sample_weight}
    class_weight : dict or "balanced", optional
        How much the examples of a class count, {label: weight}, 1 where nothing is said; "balanced", all classes the
        same together. It multiplies `sample_weight`, in the validation cost too. With `multilabel` and one column
        the classes are its 0 and 1.
    standardize : bool
        Train on columns of mean 0 and deviation 1. The model keeps what made them so, and does the same with whatever
        it predicts. A constant column becomes 0.
    scale : float
        Multiplies X, greater than 0, before all else: 1 / 255 for bytes that are pixels. The model keeps it, and
        multiplies whatever it predicts.
    validation : float, (X, y) or (X, y, sample_weight), optional
        Examples that are watched and not trained on: a fraction of those given, of each class alike, or others. Cost
        (without regularisation) and score are then in the history.
    patience : int, optional
        Stop after so many iterations without a lower validation cost. However training ends then, the weights of the
        lowest one come back.
    callback : callable, optional
        `callback(state)` after each iteration, with iteration, cost, gradient_norm, evaluations, seconds,
        validation_cost, validation_score and weights (copies) of a `fastnn.control.State`. What is true stops.
    target_cost, max_seconds, max_evaluations : number, optional
        Stop at the first evaluation at which the cost is so low, so much time has gone, or that is the last allowed.
    tol : float
        Stop when no entry of the gradient is larger.
    verbose : bool
        A line after each iteration, on standard output.
    progress : bool, optional
        A bar over the iterations with the current cost, on standard error. Default: if that is
        a terminal, and `verbose` is off. A second one, over the examples, where an evaluation takes over a second.
    client : distributed.Client, optional
        The cluster of Dask to train on; default, for X of Dask, the current one. What is not of Dask is sent there.

    Returns
    -------
    Model
        With the weights of lowest cost that were seen; `model.outcome.status` says in a word and `.message` in a
        sentence how training ended, and what is wrong if X wants scaling or hidden units are saturated. Ctrl-C ends
        it too: after its first evaluation the best weights so far come back, as "interrupted".

    {raises}
    ClusterLost
        A RuntimeError, if a cluster is lost; its `model` is the best so far.

    Notes
    -----
    On a cluster the chunks of rows of X are the parts whose sums are added, in an order that depends on their number
    alone: the weights have the same bits on any number of workers. Examples held out, and 5,000 others that tell
    whether X wants scaling, are brought to this process.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, seed=1)
    >>> model.score(X, y) > 0.953
    True
    >>> model = fastnn.train(X, y, solver="l-bfgs", maxiter=500, validation=0.2, patience=10)
    >>> model.outcome.status
    'no improvement'
    """
    from tqdm import tqdm

    output = valid.choice(output, OUTPUTS, "output")
    multilabel = valid.flag(multilabel, "multilabel")
    examples = _examples(X, y, sample_weight, output, multilabel, client)
    names, classes, n, K = examples.names, examples.classes, examples.n, examples.K
    others = valid.held_out(validation)
    limits = Limits(
        valid.positive(maxiter, "maxiter"),
        valid.real(tol, "tol", minimum=0.0),
        -math.inf if target_cost is None else valid.real(target_cost, "target_cost"),
        math.inf if max_seconds is None else valid.real(max_seconds, "max_seconds", above=0.0),
        math.inf if max_evaluations is None else valid.positive(max_evaluations, "max_evaluations"),
        math.inf if patience is None else valid.patience(patience, others),
    )
    solver = valid.choice(solver, tuple(solvers.SOLVERS), "solver")
    callback = valid.function(callback, "callback")
    generator = valid.seed(seed)
    if weights is None:
        weights = network.init_weights((n, *valid.hidden(hidden), K), generator)
    else:
        weights = valid.weights(weights, n, K)
    lmbda = valid.real(lmbda, "lmbda", minimum=0.0)
    scale = valid.real(scale, "scale", above=0.0)
    standardize, verbose = valid.flag(standardize, "standardize"), valid.flag(verbose, "verbose")
    engine = valid.choice(engine, engines.ENGINES, "engine")

    like = Problem.without_examples(network.sizes_of(weights), lmbda, activation, output, scale)
    parts = examples.parts(like)
    held_out = None
    if isinstance(others, float):
        held_out = parts.split(others, generator)
    elif others is not None:
        held_out = _others(others, like, names, classes, multilabel)
    score_weight = held_out.weight if held_out else np.empty(0)
    if class_weight is not None:
        sides = np.arange(2) if multilabel and K == 1 else classes
        totals = parts.ask(class_totals)
        factors = valid.class_weights(class_weight, sides, None if totals[0] is None else np.sum(totals, axis=0))
        parts.each(reweighted, factors)
        valid.positive_sum(np.array([some @ factors for some in totals]), "class_weight, times sample_weight,")
        held_out = reweighted(held_out, factors) if held_out else None
    scaling = None
    if standardize:
        scaling = Scaling.asked(partial(parts.ask, on_inputs))
        parts.each(standardise, scaling)
        held_out = standardise(held_out, scaling) if held_out else None

    def model_of(theta: Array, outcome: Any, history: Any) -> Model:
        trained = network.weights_of(theta, like.sizes)
        return Model(
            trained, classes, lmbda, history, outcome, activation, output,
            feature_names=names, multilabel=multilabel, scaling=scaling, scale=scale,
        )  # fmt: skip

    sample = parts.sample()
    disable = verbose or None if progress is None else not progress
    with (
        silence(progress is False),
        tqdm(total=maxiter, desc="training", unit="it", leave=False, disable=disable) as bar,
    ):

        def show(state: State) -> None:
            bar.set_postfix_str(f"cost {state.cost:.6f}", refresh=False)
            bar.update()

        try:
            found = solvers.minimize(
                Objective.over(parts.source(engine), engine, progress=False if verbose else progress),
                network.theta_of(weights),
                solver,
                limits,
                held_out=HeldOut(replace(held_out, lmbda=0.0), score_weight, engine) if held_out else None,
                callbacks=[show, *[partial(print, flush=True)] * verbose, *([callback] if callback else [])],
                diagnose=partial(diagnosis.advice, sample),
            )
        except ClusterLost as lost:
            lost.model = model_of(*lost.found) if lost.found else None
            raise
    return model_of(*found)


class _Brought:
    """Examples in this process, as a user brings them."""

    def __init__(self, X: Any, y: Any, sample_weight: Any, output: str, multilabel: bool):
        self.names = valid.feature_names(X)
        self._X = valid.inputs(X)
        m, self.n = self._X.shape
        self.classes, self._targets = valid.answers(y, m, output, multilabel)
        self.K = self._targets.values.shape[1] if self.classes is None else len(self.classes)
        self._weight = valid.sample_weight(sample_weight, m)

    def parts(self, like: Problem) -> Here:
        """As problems with that network."""
        return Here(replace(like, X=self._X, targets=self._targets, weight=self._weight))


def _examples(X: Any, y: Any, sample_weight: Any, output: str, multilabel: bool, client: Any) -> Any:
    """What is trained on, and what is known of it: names, classes, n, K."""
    if client is None and not containers.is_dask(X):
        return _Brought(X, y, sample_weight, output, multilabel)
    from .distributed import There

    return There(X, y, sample_weight, output, multilabel, client)


def _others(
    others: tuple[Any, Any, Any], like: Problem, names: Any, classes: Array | None, multilabel: bool
) -> Problem:
    """The examples that the user brings to be held out, (X, y, weights): of the same columns and answers."""
    X, y, weight = others
    with valid.about("validation"):
        if names is not None and (theirs := valid.feature_names(X)) is not None:
            valid.same_names(theirs, names, "X")
        X, y, weight = map(containers.brought, (X, y, weight))
        X = valid.inputs(X, like.sizes[0])
        if isinstance(X, Stored):  # now, and not in the midst of the training
            valid.look_through(X)
        targets = valid.known_answers(y, len(X), classes, like.sizes[-1], multilabel)
        return replace(like, X=X, targets=targets, weight=valid.sample_weight(weight, len(X)))

"""Training: data in, model out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import engines
from .inputs import containers
from .inputs import validation as valid
from .inputs.scaling import Scaling
from .inputs.streams import Stored
from .model import Model
from .network import init_weights, sizes_of, theta_of, weights_of
from .objective import Objective
from .outcome import Outcome, Records
from .problem import Data, Network, documented
from .runtime.notice import progress_bar, silence
from .spec import OUTPUTS, Array
from .training import checkpoint as checkpoints
from .training import diagnosis
from .training.checkpoint import TrainingConfig
from .training.control import GRADIENT_TOLERANCE, Callback, ClusterLost, Limits, State, ValidationSet
from .training.minimize import minimize
from .training.partition import Dataset, LocalData, class_totals, of_inputs, reweighted, standardise
from .training.replay import Snapshot
from .training.solvers import SOLVERS

Examples = tuple[ArrayLike, ArrayLike, ArrayLike | None]  # X, y and weights


@documented
def train(
    X: ArrayLike,
    y: ArrayLike,
    hidden: int | tuple[int, ...] = 25,
    lmbda: float = 1.0,
    *,
    solver: str = "cg",
    maxiter: int = 50,
    seed: int | np.random.Generator | None = 0,
    weights: Sequence[ArrayLike] | None = None,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    multilabel: bool = False,
    sample_weight: ArrayLike | None = None,
    class_weight: object = None,
    standardize: bool = False,
    scale: float = 1.0,
    validation: object = None,
    patience: int | None = None,
    callback: Callback | None = None,
    target_cost: float | None = None,
    max_seconds: float | None = None,
    max_evaluations: int | None = None,
    tol: float = GRADIENT_TOLERANCE,
    verbose: bool = False,
    progress: bool | None = None,
    client: object = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | float | None = None,
) -> Model:
    """Train a network on examples, and return it as a model.

    Parameters
    ----------
    {X}
    y : array (m,) or array (m, K)
        Labels (m,) of any one kind, numbers, text or booleans: at least two different ones, none missing.
        With `multilabel` 0 and 1 (m, K); with `output="identity"` numbers (m,) or (m, K).
    hidden : int or tuple of int
        Sizes of the hidden layers, input side first; `()` for none.
    {lmbda}
    solver : str
        What minimises the cost. "cg" is `scipy.optimize.fmin_cg`, as in the course; "l-bfgs" takes fewer evaluations.
        By SciPy's names also "L-BFGS-B" (with 10 remembered steps instead of 30), "Newton-CG", "TNC", "BFGS", "SLSQP"
        and "trust-constr"; the last three keep P x P numbers. "lbfgs", scikit-learn's name, is "L-BFGS-B".
    maxiter : int
        Limit on iterations.
    seed : int, None or numpy.random.Generator
        For the random weights to start from (`fastnn.init_weights`), and then for the examples held out.
    weights : tuple of L arrays, optional
        Where to start instead: the weights of another model, say. They say what the layers are, and `hidden` is not
        used.
    {engine, activation, output}
    multilabel : bool
        Several labels at once, each a sigmoid output of its own.
    {sample_weight}
    class_weight : dict or "balanced", optional
        How much the examples of each class count: {label: weight}, 1 for a label that it leaves out; or "balanced",
        where every class counts the same, however many examples it has. It multiplies `sample_weight`, in the
        validation cost too. With `multilabel` and one column the classes are its 0 and 1.
    standardize : bool
        Train on columns of mean 0 and deviation 1. The model keeps what made them so, and does the same with whatever
        it predicts. A constant column becomes 0.
    scale : float
        What X is multiplied by before all else, greater than 0: 1 / 255 for bytes that are pixels. The model keeps it,
        and multiplies whatever it predicts.
    validation : float, (X, y) or (X, y, sample_weight), optional
        Examples that are watched and not trained on: a fraction of those given, the same of each class, or others.
        The history then has the cost (without regularisation) and the score on them, and of a fraction
        `model.held_out` says which examples these are.
    patience : int, optional
        Stop after so many iterations without a lower validation cost. However training ends then, the weights of the
        lowest one come back.
    callback : callable, optional
        `callback(state)` is called after each iteration, with a `fastnn.training.control.State`: iteration, cost,
        gradient_norm, evaluations, seconds, validation_cost, validation_score and weights (copies). Training stops if
        it returns what is true.
    target_cost, max_seconds, max_evaluations : number, optional
        Stop at the first evaluation whose cost is as low as that, that is over after so many seconds, or that is the
        last allowed. `max_seconds` includes compiling of kernels; `history.seconds` does not.
    tol : float
        Stop when no entry of the gradient is larger.
    verbose : bool
        A line after each iteration, on standard output.
    progress : bool, optional
        A bar over the iterations with the current cost, on standard error. Default: if that is
        a terminal, and `verbose` is off. A second one, over the examples, where an evaluation takes over a second.
    client : distributed.Client, optional
        The cluster of Dask to train on; default, for X of Dask, the current one. What is not of Dask is sent there.
    checkpoint : str or path, optional
        An `.npz` file in which the training is kept, whole or not at all, from its second evaluation on and whatever
        ends it: `fastnn.resume` goes on from it as if nothing had happened, `fastnn.load` has the best weights so far.
        A file in which a training has not ended is refused.
    checkpoint_every : int or float, optional
        How often: an integer is in iterations, a float in seconds. Default: every 60.0 seconds.

    Returns
    -------
    Model
        With the weights of lowest cost that were seen. `model.outcome.status` says in a word how training ended, and
        `.message` in a sentence, with what is wrong if X wants scaling or hidden units are saturated. Ctrl-C ends
        it too: after its first evaluation the best weights so far come back, as "interrupted".

    {raises}
    ClusterLost
        A RuntimeError, if a cluster is lost; its `model` is the best so far.

    See Also
    --------
    resume : goes on with a training that a checkpoint has kept.
    Objective : the cost that is minimised, for a solver of your own.
    fastnn.estimator.FastNNClassifier : the same for scikit-learn.

    Notes
    -----
    An iteration takes two or three evaluations of cost and gradient with "cg", one with "l-bfgs"; an evaluation about
    4 m P floating-point operations.

    On a cluster the chunks of rows of X are the parts whose sums are added, in an order that depends on their number
    alone: the weights have the same bits on any number of workers. Examples held out, and 5,000 others that tell
    whether X wants scaling, are brought to this process.

    With a checkpoint X is read once more, to be compared when the training is resumed, and SIGTERM, the notice of
    batch systems and containers, keeps the training and ends the process with status 143, if nobody else handles it.
    All answers that the solver got are kept, not its state, which SciPy does not show: 64 MB of them, or 100 if those
    are more. Then the solver starts anew where it is, which the training without a checkpoint does not.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, hidden=25, lmbda=1.0, maxiter=20)
    >>> f"{model.score(X, y):.0%} right of the 5,000 trained on"
    '91% right of the 5,000 trained on'

    A fifth of the digits is held out, and training stops when it gets no better on these:

    >>> model = fastnn.train(X, y, solver="l-bfgs", maxiter=500, validation=0.2, patience=5)
    >>> model.outcome.status, f"{model.history.validation_score.max():.0%}"
    ('no improvement', '93%')
    """
    output = valid.choice(output, OUTPUTS, "output")
    multilabel = valid.flag(multilabel, "multilabel")
    scale = valid.real(scale, "scale", above=0.0)
    data = _dataset(X, y, sample_weight, output, multilabel, scale, client)
    validation = valid.held_out(validation)
    limits = Limits(
        **_limits(validation, maxiter=maxiter, tol=tol, target_cost=target_cost, max_seconds=max_seconds,
                  max_evaluations=max_evaluations, patience=patience)
    )  # fmt: skip
    solver = valid.choice(solver, tuple(SOLVERS), "solver")
    watch = _Watch.of(callback, verbose, progress)
    generator = valid.seed(seed)
    hidden = valid.hidden(hidden)
    if weights is None:
        sizes = valid.no_giant((data.n, *hidden, data.kind.K), "hidden")
        weights = init_weights(sizes, generator)
    else:
        weights = valid.weights(weights, data.n, data.kind.K)
        sizes = sizes_of(weights)
    lmbda = valid.real(lmbda, "lmbda", minimum=0.0)
    standardize = valid.flag(standardize, "standardize")
    engine = valid.choice(engine, engines.ENGINES, "engine")
    every = checkpoints.interval(checkpoint_every)
    kept = None if checkpoint is None else checkpoints.place(checkpoint)

    network = Network(sizes, lmbda, activation, output)
    training = _Training(data, network, scale, validation)
    state, fingerprints = generator.bit_generator.state, training.fingerprints() if kept else {}
    training.hold_out(generator)
    factors = training.class_factors(class_weight)
    training.reweight(factors)
    training.standardise(training.scaling_of() if standardize else None)
    fraction = validation if isinstance(validation, float) else None
    config = TrainingConfig(solver, engine, limits, every, fraction, state, factors, fingerprints)
    return training.run(theta_of(weights), config, watch, kept)


@documented
def resume(
    path: str | os.PathLike[str],
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    validation: object = None,
    maxiter: int | None = None,
    max_seconds: float | None = None,
    max_evaluations: int | None = None,
    target_cost: float | None = None,
    tol: float | None = None,
    patience: int | None = None,
    callback: Callback | None = None,
    verbose: bool = False,
    progress: bool | None = None,
    client: object = None,
) -> Model:
    """Go on with a training that `train(..., checkpoint=path)` has kept, wherever it ended.

    What comes back has the bits that the training without the interruption has. The file is kept on.

    Parameters
    ----------
    path : str or path
        The checkpoint.
    X, y, sample_weight : arrays
        As they were given to `train`: the same numbers.
    validation : (X, y) or (X, y, sample_weight), optional
        As given to `train`. A fraction need not be given again: which examples are held out is known.
    maxiter, max_seconds, max_evaluations, target_cost, tol, patience : number, optional
        Other limits than those of the training, counted from its beginning: a higher `maxiter`, where that has ended
        it.
    callback : callable, optional
        As in `train`. It is not in the file, and has to be given again.
    verbose, progress : bool, optional
        As in `train`.
    client : distributed.Client, optional
        As in `train`.

    Returns
    -------
    Model
        As in `train`.

    Raises
    ------
    ModelFileError
        If the file is no whole checkpoint.
    ValueError, TypeError
        If an argument does not fit, or the data are others than those of the training.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If the solver does not repeat its steps, because this processor or these versions of SciPy and NumPy round
        differently; it then starts anew from the best weights.

    See Also
    --------
    load : the best weights so far, as a model, without the data.

    Notes
    -----
    The data are read once to be compared. The solver's steps since it last started are repeated, without an
    evaluation: 0.5 to 2 ms each for the course's network.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=5, checkpoint="training.npz")  # ends here, or is killed
    >>> model = fastnn.resume("training.npz", X, y, maxiter=10)
    >>> model.outcome.iterations
    10
    >>> model.outcome.cost == fastnn.train(X, y, maxiter=10).outcome.cost  # to the bit
    True
    """
    model, config, snapshot = checkpoints.read(path)
    kept = Path(path)
    data = _dataset(X, y, sample_weight, model.output, model.multilabel, model.scale, client)
    others = valid.held_out(validation)
    if (isinstance(others, float) or (others and config.validation)) and others != config.validation:
        held_out = f"holds out {config.validation:g}" if config.validation else "has no fraction to hold out"
        raise ValueError(
            f"validation is {containers.described(validation)}; the training in {str(kept)!r} {held_out}, "
            "and the same is wanted"
        )
    others = others or config.validation
    given = {
        "maxiter": maxiter, "tol": tol, "target_cost": target_cost, "max_seconds": max_seconds,
        "max_evaluations": max_evaluations, "patience": patience,
    }  # fmt: skip
    anew = _limits(others, **{name: value for name, value in given.items() if value is not None})
    config = replace(config, limits=replace(config.limits, **anew))
    watch = _Watch.of(callback, verbose, progress)

    network = Network(model.sizes, model.lmbda, model.activation, model.output)
    checkpoints.refuse_other("X", data.n, model.sizes[0], kept)
    checkpoints.refuse_other("y", data.kind.K, model.sizes[-1], kept)
    training = _Training(data, network, model.scale, others)
    checkpoints.refuse_other_data(config, training.fingerprints(), kept)
    training.hold_out(checkpoints.generator(config.generator))
    training.reweight(config.factors)
    training.standardise(model.scaling)
    return training.run(snapshot.start, config, watch, kept, snapshot)


def _limits(validation: object, **limits: object) -> dict[str, Any]:
    """Return the limits, validated by name."""
    return {name: valid.limit(value, name, validation) for name, value in limits.items()}


class _Watch(NamedTuple):
    """What looks on while a training runs, as users give it."""

    callback: Callback | None
    verbose: bool
    progress: bool | None

    @classmethod
    def of(cls, callback: Callback | None, verbose: object, progress: object) -> _Watch:
        """Those, if they fit."""
        callback, verbose = valid.function(callback, "callback"), valid.flag(verbose, "verbose")
        return cls(callback, verbose, valid.optional_flag(progress, "progress"))


class _Training:
    """Training from its data on; the steps are the same where it begins and where it resumes."""

    def __init__(self, data: Dataset, network: Network, scale: float, validation: Examples | float | None):
        """`validation` is the fraction to hold out, or (X, y, sample_weight) of other examples, or None."""
        self._data, self._network, self._scale, self._validation = data, network, scale, validation
        self._held_out = _others(validation, data, scale) if isinstance(validation, tuple) else None
        self._scaling: Scaling | None = None

    def fingerprints(self) -> dict[str, str]:
        """Return the hashes of the data as they come, by argument."""
        return checkpoints.fingerprints_of(self._data, self._held_out)

    def hold_out(self, generator: np.random.Generator) -> None:
        """Take a fraction of the examples out, if that is wanted."""
        if isinstance(self._validation, float):
            self._held_out = self._data.split(self._validation, generator)
        self._score_weight = np.empty(0) if self._held_out is None else self._held_out.weight

    def class_factors(self, class_weight: object) -> Array | None:
        """Return the factor of each class in the weights of its examples."""
        if class_weight is None:
            return None
        totals = [one for one in self._data.ask(class_totals, self._data.kind) if one is not None]
        factors = self._data.kind.class_weights(class_weight, np.sum(totals, axis=0) if totals else None)
        with np.errstate(over="ignore"):
            weights = np.array([shard @ factors for shard in totals])
        valid.positive_sum(weights, "class_weight, times sample_weight,")
        return factors

    def reweight(self, factors: Array | None) -> None:
        if factors is not None:
            self._each(reweighted, self._data.kind, factors)

    def scaling_of(self) -> Scaling:
        """Return the means and standard deviations of the columns."""
        return Scaling.asked(partial(self._data.ask, of_inputs))

    def standardise(self, scaling: Scaling | None) -> None:
        self._scaling = scaling
        if scaling is not None:
            self._each(standardise, scaling)

    def _each(self, function: Callable[..., Data], *more: object) -> None:
        self._data.each(function, *more)
        if self._held_out is not None:
            self._held_out = function(self._held_out, *more)

    def model_of(self, theta: Array, outcome: Outcome, history: Records) -> Model:
        """Return what a minimisation has found as a model."""
        network, data = self._network, self._data
        return Model(
            weights_of(theta, network.sizes), data.kind.labels, network.lmbda, history, outcome,
            network.activation, network.output, feature_names=data.names, multilabel=data.kind.multilabel,
            scaling=self._scaling, scale=self._scale, held_out=data.held_out,
        )  # fmt: skip

    def run(
        self, theta: Array, config: TrainingConfig, watch: _Watch, kept: Path | None, snapshot: Snapshot | None = None
    ) -> Model:
        """Train from theta on, or from the snapshot; the training is `kept` in that file."""
        data, network, limits, engine = self._data, self._network, config.limits, config.engine
        sample = data.sample()
        keeper = checkpoints.Checkpoint(kept, config, self.model_of, written=snapshot is not None) if kept else None
        verbose, progress = watch.verbose, watch.progress
        disable = verbose or None if progress is None else not progress
        with (
            silence(progress is False),
            progress_bar(total=limits.maxiter, desc="training", unit="it", leave=False, disable=disable) as bar,
            checkpoints.ended_by_sigterm() if kept else nullcontext(),
        ):
            bar.update(snapshot.iterations if snapshot else 0)

            def show(state: State) -> None:
                bar.set_postfix_str(f"cost {state.cost:.6f}", refresh=False)
                bar.update()

            callbacks: list[Callback] = [show, *[partial(print, flush=True)] * verbose]
            callbacks += [watch.callback] if watch.callback else []
            validation_set = None
            if self._held_out is not None:
                validation_set = ValidationSet(network, self._held_out, data.kind, self._score_weight, engine)
            try:
                found = minimize(
                    Objective.over(data.source(network, engine), engine, progress=False if verbose else progress),
                    theta,
                    config.solver,
                    limits,
                    validation_set=validation_set,
                    callbacks=callbacks,
                    diagnose=partial(diagnosis.advice, network, sample, names=data.names),
                    keeper=keeper,
                    snapshot=snapshot,
                )
            except ClusterLost as lost:
                lost.model = self.model_of(*lost.found) if lost.found else None
                raise
        return self.model_of(*found)


def _dataset(
    X: ArrayLike, y: ArrayLike, weight: ArrayLike | None, output: str, multilabel: bool, scale: float, client: object
) -> Dataset:
    """Return the examples in this process, or on the workers of a cluster."""
    if client is None and not containers.is_dask(X):
        return LocalData(X, y, weight, output, multilabel, scale)
    from .training.dask import DaskData

    return DaskData(X, y, weight, output, multilabel, scale, client)


def _others(others: Examples, data: Dataset, scale: float) -> Data:
    """Return the user's own examples for validation, (X, y, weights): the same columns and kind of y."""
    X, y, weight = others
    with valid.about("validation"):
        if data.names is not None and (names := valid.feature_names(X)) is not None:
            valid.same_names(names, data.names, "X")
        X, y, weight = map(containers.brought, (X, y, weight))
        X = valid.inputs(X, data.n)
        if isinstance(X, Stored):  # now, and not in the midst of the training
            valid.look_through(X)
        return Data(X, data.kind.encode(y, len(X)), valid.sample_weight(weight, len(X)), scale)

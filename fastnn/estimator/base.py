"""Base of the estimators.

What is fitted stands in `coefs_` and `intercepts_`, as users of `MLPClassifier` read and set it; fastnn's weights are
made of these wherever something is computed.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.utils import Tags, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import network
from ..forward import Predictor
from ..inputs import validation
from ..inputs.containers import is_dask, with_names
from ..inputs.scaling import Scaling
from ..inputs.validation import Array
from ..model import Model
from ..outcome import Outcome, history
from ..spec import HIDDEN, DType, quoted
from ..train import train
from ..training.control import NonFiniteStart, State
from ..training.solvers import SOLVERS
from .convert import STOCHASTIC, Conversion, layer_weights, restandardized

# Remedies in the names of scikit-learn's parameters.
REMEDIES = {
    "maxiter": "a higher max_iter would lower the cost further",
    "solver": "if that is too early, try another solver or a larger alpha",
    "smaller": "try smaller starting weights or a larger alpha",
    "start": "warm_start=True goes on from them",
    "seed": "train again, from smaller weights if you passed some, else with another seed or a larger alpha",
}

# Endings that leave something to be gained.
UNFINISHED = ("iteration limit", "evaluation limit", "time limit", "precision loss", "non-finite", "interrupted")

# In scikit-learn's own words.
_NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)

# Types of X that are computed with as they are.
TYPES = (np.float64, np.float32)

# Numbers of a sparse X that are made dense together where it is predicted: 32 MiB.
BLOCK = 1 << 22


def _costs(history: Any) -> list[str]:
    """Return the names of a history's columns that are costs."""
    return [name for name in ("cost", "validation_cost", "regularisation") if name in history.dtype.names]


class BaseNetwork(Conversion, BaseEstimator):
    """Base of the two estimators; their docstrings take these sections.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of the hidden layers, input side first; `()` for none.
    activation : ACTIVATIONS, default="relu"
        Activation of the hidden layers; "sigmoid", the name in `fastnn.train`, is "logistic".
    solver : str, default="lbfgs"
        "lbfgs", SciPy's with 10 remembered steps; or by the names of `fastnn.train` "l-bfgs" (the same with 30), "cg",
        "BFGS", "Newton-CG", "TNC", "SLSQP" or "trust-constr". All see the whole data at every step; "sgd" and "adam",
        which do not, and what belongs to them are not there.
    alpha : float, default=0.0001
        Regularisation: alpha/2 times the sum of squared coefficients, over the number of examples (or what they weigh).
    max_iter : int, default=200
        Limit on iterations.
    max_fun : int, default=15000
        Limit on evaluations of the loss.
    tol : float, default=0.0001
        Stop when no entry of the gradient is larger. There is no other rule: a loss that hardly falls goes on falling.
    random_state : int, RandomState instance or None, default=None
        For the coefficients to start from, which are those of scikit-learn's MLP, and then for the examples held out.
    warm_start : bool, default=False
        Go on from the coefficients of the last fit.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the examples, of each class alike unless there are several labels at once, and
        stop after `n_iter_no_change` iterations in which the loss on them (without regularisation) was not lower than
        before: the score, scikit-learn's criterion, moves in steps. The coefficients of the lowest one are kept.
    validation_fraction : float, default=0.1
        Between 0 and 1.
    n_iter_no_change : int or inf, default=10
        With inf it never stops by this, and the best coefficients are kept all the same.
    standardize : bool, default=False
        Train on columns of mean 0 and deviation 1, and do the same with what is predicted. Coefficients are those of
        the standardised columns then.
    callback : callable, default=None
        `callback(state)` after each iteration, with a `fastnn.training.control.State`: iteration, cost, gradient_norm,
        evaluations, seconds, validation_cost, validation_score, and weights, copies in the form of `fastnn.train`. A
        true return stops.
    max_seconds : float, default=None
        Limit on the time of a fit, including compilation of kernels.
    verbose : bool, int or "bar", default=False
        True or a positive number: a line with the loss after each iteration, on standard output. "bar": a progress bar,
        on standard error.

    Attributes
    ----------
    coefs_ : list of arrays (units below, units)
        Of each layer, of the type of X, float64 or float32.
    intercepts_ : list of arrays (units,)
        Of each layer, of that type.
    loss_ : float
        With these coefficients.
    loss_curve_ : list of float
        After each iteration.
    best_loss_ : float or None
        The same as `loss_`; None with early stopping.
    validation_scores_ : list of float or None
        After each iteration, with early stopping: accuracy, or R2.
    best_validation_score_ : float or None
        The highest of them; the coefficients are those of the lowest loss on these examples.
    history_ : record array
        One row for the start and one for each iteration, with fields cost (the loss), gradient_norm, evaluations,
        seconds and, with early stopping, validation_cost, validation_score and regularisation.
    outcome_ : fastnn.outcome.Outcome
        How training ended: status in a word, message in a sentence, cost, evaluations, seconds.
    n_iter_, n_layers_, n_outputs_ : int
        Iterations, layers with that of the inputs, and outputs.
    out_activation_ : str
        "logistic", "softmax" or "identity".
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str
        If X was a frame whose columns all have text for a name.
    mean_, scale_ : float64 arrays (n_features_in_,) or None
        What standardises: a column less its mean, over its deviation (1 for a constant column).
    model_ : fastnn.Model
        The network as `fastnn.train` returns one, rebuilt from `coefs_` at each access. `fastnn.plot` and
        `fastnn.export` take the estimator itself, or a pipeline of scalers that ends in it.

    Notes
    -----
    A sparse X, csr or csc, is made dense once where it is fitted, which takes m n numbers; `predict` and the like take
    blocks of it, 32 MiB at a time.

    skops saves a fitted estimator: `skops.io.dump(estimator, path)`, and `skops.io.load(path, trusted=names)`, where
    `names` must contain "fastnn.estimator.FastNNClassifier". The loaded estimator predicts the same bits.

    Of a float32 X products are computed in float32, but parameters, gradient and loss in float64; the coefficients, and
    what is predicted, are rounded to float32 in the end.

    Fitting ends with a ConvergenceWarning if a limit was reached, if rounding hid any further decrease before `tol` was
    reached, if X wants scaling or hidden units are saturated; it says what to try. So does Ctrl-C, which keeps the best
    coefficients so far.
    """

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (100,),
        activation: str = "relu",
        *,
        solver: str = "lbfgs",
        alpha: float = 0.0001,
        max_iter: int = 200,
        max_fun: int = 15000,
        tol: float = 0.0001,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        standardize: bool = False,
        callback: Callable[[State], object] | None = None,
        max_seconds: float | None = None,
        verbose: bool | int | str = False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.max_iter = max_iter
        self.max_fun = max_fun
        self.tol = tol
        self.random_state = random_state
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.standardize = standardize
        self.callback = callback
        self.max_seconds = max_seconds
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the network to examples.

        Parameters
        ----------
        X : array, frame or sparse matrix (m, n)
            Or an array or frame of Dask: fitted on the current cluster, as `fastnn.train` says. What is predicted of
            such an X is an array of Dask, of which nothing is computed yet.
        y : array (m,) or (m, K)
            Labels, or 0 and 1 for each of K labels; for a regressor numbers.
        sample_weight : array (m,), default=None
            How much each example counts, at least 0: 2 is as if it were there twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument does not fit.

        Warns
        -----
        ConvergenceWarning
            If training ended before it converged, or could not learn; the notes of the class say when.

        Examples
        --------
        >>> from fastnn.estimator import FastNNClassifier
        >>> X, y = fastnn.load_digits()
        >>> network = FastNNClassifier((25,), alpha=1.0, tol=0.01, random_state=0).fit(X[::5], y[::5])
        >>> f"{network.outcome_.status}, {network.score(X, y):.0%} right of all 5,000, 1,000 of them trained on"
        'converged, 90% right of all 5,000, 1,000 of them trained on'
        """
        settings = self._settings()
        going_on = self.warm_start and hasattr(self, "coefs_")
        if is_dask(X):
            from . import dask

            dask.fit(self, X, y, sample_weight, settings, going_on)
            return self
        X, y = validate_data(
            self, X, y,
            accept_sparse=["csr", "csc"], dtype=TYPES, order="C",
            multi_output=True, y_numeric=self._peer is MLPRegressor, reset=not going_on,
        )  # fmt: skip
        X = X.toarray(order="C") if issparse(X) else X
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        targets, strata, out_activation = self._targets(y, going_on)
        weight = validation.sample_weight(sample_weight, len(X))

        K = len(self.classes_) if targets.ndim == 1 else targets.shape[1]
        sizes = self._sizes(X.shape[1], K)
        random_state = check_random_state(self.random_state)
        start = self._last(sizes) if going_on else self._first(sizes, random_state, X.dtype)
        held_out = None
        if self.early_stopping:
            X, targets, weight, held_out = self._split(X, targets, weight, strata, random_state)
        scaling = Scaling.of(X, weight) if validation.flag(self.standardize, "standardize") else None
        if going_on:
            start = restandardized(start, self._scaling(), scaling)
        if scaling:
            X = scaling.apply(X)
            held_out = (scaling.apply(held_out[0]), *held_out[1:]) if held_out else None

        settings |= {"sample_weight": weight if len(weight) else None, "validation": held_out}
        settings["class_weight"] = self._class_weight()
        self._train(X, targets, start, out_activation, scaling, X.dtype, **settings)
        return self

    def _train(
        self, X: ArrayLike, targets: ArrayLike, start: tuple[Array, ...], out_activation: str, scaling: Scaling | None,
        dtype: DType, **settings: Any,
    ) -> None:  # fmt: skip
        """Train from these weights, and keep what comes out in that type; `scaling` is what has standardised X."""
        times = self._times(len(start[-1]))
        try:
            model = train(
                with_names(X, tuple(getattr(self, "feature_names_in_", ()))), targets, lmbda=times * float(self.alpha),
                weights=start, output=out_activation, multilabel=out_activation == "logistic",
                callback=self._watch(times), **settings,
            )  # fmt: skip
        except NonFiniteStart as error:
            raise ValueError(f"{_NON_FINITE} ({error})") from None
        self.out_activation_ = out_activation
        self._keep(model, scaling or model.scaling, dtype, times)
        if self.outcome_.status in UNFINISHED or self.outcome_.advice:
            warnings.warn(self.outcome_.message, ConvergenceWarning, stacklevel=3)

    def _targets_on_a_cluster(self, y: Any, going_on: bool) -> tuple[ArrayLike, int, str]:
        """Return y of Dask in the form that `train` takes, the number of outputs, and their activation."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coefs_")  # a fit that fails may leave other names

    def __getstate__(self) -> dict[str, object]:
        """The state in types that skops trusts: arrays and dicts, in place of a record array and an Outcome."""
        state = super().__getstate__()
        if "outcome_" in state:
            rows = np.array(self.history_.tolist(), self.history_.dtype.descr)
            state = state | {"history_": rows, "outcome_": self.outcome_.saved()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(state.get("outcome_"), dict):  # not in a pickle of an earlier version
            rows, outcome = state["history_"].view(np.recarray), Outcome(**state["outcome_"])
            state = state | {"history_": rows, "outcome_": outcome}
        super().__setstate__(state)

    def _settings(self) -> dict[str, Any]:
        """The parameters, valid, as arguments of `train`."""
        if isinstance(self.solver, str) and self.solver in STOCHASTIC:
            raise ValueError(
                f"solver is {self.solver!r}, which sees a part of the data at a time; fastnn is full-batch, "
                "and 'lbfgs' or 'cg' is wanted"
            )
        validation.real(self.alpha, "alpha", minimum=0.0)
        validation.flag(self.warm_start, "warm_start")
        validation.real(self.validation_fraction, "validation_fraction", above=0.0, below=1.0)
        max_iter = validation.positive(self.max_iter, "max_iter")
        patience = self.n_iter_no_change
        # Never reached, but the coefficients of the lowest loss on the examples held out come back all the same.
        endless = isinstance(patience, Real) and patience == math.inf
        patience = max_iter + 1 if endless else validation.positive(patience, "n_iter_no_change")
        return {
            "activation": validation.choice(self.activation, HIDDEN, "activation"),
            "solver": validation.choice(self.solver, tuple(SOLVERS), "solver"),
            "maxiter": max_iter,
            "max_evaluations": validation.positive(self.max_fun, "max_fun"),
            "max_seconds": self.max_seconds,
            "tol": self.tol,
            "patience": patience if validation.flag(self.early_stopping, "early_stopping") else None,
            "progress": validation.verbosity(self.verbose) == "bar",
        }

    def _targets(self, y: Array, going_on: bool) -> tuple[Array, Array | None, str]:
        """Return y in the form that `train` takes, the strata of a split or None, and the output's activation."""
        raise NotImplementedError

    def _class_weight(self) -> Mapping[Any, float] | str | None:
        """Return the class weights in the form that `train` takes."""
        return None

    def _sizes(self, n: int, K: int) -> tuple[int, ...]:
        name = "hidden_layer_sizes"
        return validation.no_giant((n, *validation.hidden(self.hidden_layer_sizes, name), K), name)

    def _first(self, sizes: tuple[int, ...], random_state: np.random.RandomState, dtype: DType) -> tuple[Array, ...]:
        """Weights to start from, drawn as scikit-learn draws them: of each layer coefficients, then intercepts.

        Uniform (Glorot and Bengio, 2010, eq. 16; for the logistic function the bound is divided by sqrt(3)).
        """
        weights = []
        for below, units in pairwise(sizes):
            bound = np.sqrt((2.0 if validation.canonical(self.activation) == "sigmoid" else 6.0) / (below + units))
            coefs = random_state.uniform(-bound, bound, (below, units)).astype(dtype)
            weights.append(layer_weights(coefs, random_state.uniform(-bound, bound, units).astype(dtype)))
        return tuple(weights)

    def _last(self, sizes: tuple[int, ...]) -> tuple[Array, ...]:
        """The weights of the last fit, if it had the same layers."""
        weights = self._weights()
        if network.sizes_of(weights) != sizes:
            raise ValueError(
                f"warm_start goes on from the layers {network.sizes_of(weights)}, but hidden_layer_sizes, X and y "
                f"make {sizes}; the same are wanted"
            )
        return weights

    def _split(
        self, X: Array, targets: Array, weight: Array, strata: Array | None, random_state: np.random.RandomState
    ) -> tuple[Array, Array, Array, tuple[Array, ...]]:
        """X, targets and weights to train on, and (X, targets, weights) of the examples held out."""
        weighted = [weight] if len(weight) else []
        parts = train_test_split(
            X, targets, *weighted, test_size=self.validation_fraction, random_state=random_state, stratify=strata
        )
        (X, targets, *weighted), held_out = parts[::2], tuple(parts[1::2])
        if len(held_out[0]) < 2:
            remedy = "Increase 'validation_fraction' or the size of your dataset."
            raise ValueError(f"The validation set is too small. {remedy}")
        if targets.ndim == 1 and len(lacking := np.setdiff1d(held_out[1], targets)):
            raise ValueError(
                f"validation_fraction is {self.validation_fraction}, which leaves no example of the class "
                f"{self.classes_[lacking[0]]!r} to train on; a smaller one is wanted"
            )
        return X, targets, weighted[0] if weighted else weight, held_out

    def _watch(self, times: int) -> Callable[[State], object] | None:
        """Return the callback of `train`, whose cost is `times` the loss."""
        callback = validation.function(self.callback, "callback")
        lines = self.verbose not in (False, "bar")
        if not lines and (callback is None or times == 1):
            return callback

        def watch(state: State) -> object:
            state = replace(state, cost=state.cost / times, validation_cost=state.validation_cost / times)
            if lines:
                watched = not math.isnan(state.validation_score)
                score = f", validation score = {state.validation_score:.6f}" * watched
                print(f"Iteration {state.iteration}, loss = {state.cost:.8f}{score}")
            return callback(state) if callback else None

        return watch

    def _keep(self, model: Model, scaling: Scaling | None, dtype: DType, times: int) -> None:
        """Set the attributes of a fitted estimator."""
        self.mean_, self.scale_ = scaling or (None, None)
        self.coefs_ = [W[:, 1:].T.astype(dtype, order="C") for W in model.weights]
        self.intercepts_ = [W[:, 0].astype(dtype) for W in model.weights]
        if not all(np.isfinite(part).all() for part in [*self.coefs_, *self.intercepts_]):
            raise ValueError(_NON_FINITE)
        self.n_layers_, self.n_outputs_ = len(model.sizes), model.sizes[-1]
        self.outcome_ = replace(model.outcome.reworded(REMEDIES), cost=model.outcome.cost / times)
        self.history_ = model.history
        watched = "validation_score" in self.history_.dtype.names
        for name in _costs(self.history_):
            self.history_[name] /= times
        self.n_iter_ = self.outcome_.iterations
        self.loss_ = self.outcome_.cost
        self.loss_curve_ = self.history_.cost[1:].tolist()
        self.best_loss_ = None if watched else self.loss_
        self.validation_scores_ = scores = self.history_.validation_score[1:].tolist() if watched else None
        self.best_validation_score_ = None if scores is None else max(scores, default=math.nan)

    @property
    def model_(self) -> Model:
        """Fitted network as a Model of equal predictions, loss and regularisation; two classes become a softmax."""
        check_is_fitted(self)
        weights, output, labels, multilabel = self._outputs_of_model(self._weights())
        times = self._times(len(weights[-1]))
        names = getattr(self, "feature_names_in_", None)
        return Model(
            weights, labels, times * float(self.alpha), *self._history_and_outcome(times), self.activation, output,
            feature_names=None if names is None else tuple(map(str, names)),
            multilabel=multilabel, scaling=self._scaling(),
        )  # fmt: skip

    def _times(self, K: int) -> int:
        """Return how many times the loss is what is minimised."""
        return 1

    def _outputs_of_model(self, weights: tuple[Array, ...]) -> tuple[tuple[Array, ...], str, Array | None, bool]:
        """Return weights, output, labels and multilabel of an equal Model."""
        return weights, self.out_activation_, None, False

    def _history_and_outcome(self, times: int) -> tuple[Any, Outcome]:
        """Return a model's history and outcome, whose costs are `times` the loss."""
        if hasattr(self, "outcome_"):
            rows = self.history_.copy()
            for name in _costs(rows):
                rows[name] *= times
            return rows, replace(self.outcome_, cost=times * self.outcome_.cost)
        # scikit-learn keeps only the losses.
        losses = getattr(self, "loss_curve_", None) or [*[math.nan] * (self.n_iter_ - 1), self.loss_]
        words, rows = "trained by scikit-learn", [(times * loss, math.nan, 0, math.nan) for loss in [math.nan, *losses]]
        return history(rows), Outcome(words, words, times * self.loss_, math.nan, self.n_iter_, 0, math.nan)

    def _valid(self, X: ArrayLike) -> Any:
        """X as `validate_data` returns it.

        Finite C-contiguous arrays of the right type and width skip it: for one row it takes longer than the forward
        pass.
        """
        if (
            type(X) is np.ndarray and X.ndim == 2 and X.dtype in TYPES and X.flags.c_contiguous
            and 0 < X.size <= BLOCK and X.shape[1] == getattr(self, "n_features_in_", None)
            and not hasattr(self, "feature_names_in_") and np.isfinite(X).all()
        ):  # fmt: skip
            return X
        return validate_data(self, X, accept_sparse=["csr"], dtype=TYPES, order="C", reset=False)

    def _outputs(self, X: ArrayLike) -> Array:
        """The network's K outputs (m, K), of X's type."""
        array = self._valid(X)
        m, n = array.shape
        weights, scaling = self._weights(look=False), self._scaling()  # the predictor looks, if a sum is not finite
        inputs = weights[0].shape[1] - 1
        if inputs != n:
            raise ValueError(f"X has {n} columns; {inputs} are wanted, as coefs_[0] has rows")
        forward = Predictor(weights, self.activation, self.out_activation_)
        A = np.empty((m, len(weights[-1])))
        step = max(1, BLOCK // n) if issparse(array) else m
        for start in range(0, m, step):
            some = array[start : start + step]
            some = some.toarray(order="C") if issparse(array) else some
            some = scaling.apply(some) if scaling else some
            A[start : start + step] = forward(some)
        return A.astype(array.dtype, copy=False)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def shared_documentation() -> dict[str, str]:
    """Return the sections of the base class that `documented` puts into the docstrings of the estimators."""
    if not BaseNetwork.__doc__:  # python -OO has no docstrings
        return {}
    text = inspect.cleandoc(BaseNetwork.__doc__)
    text = text.replace("ACTIVATIONS", quoted((row.name, *row.aliases)[-1] for row in HIDDEN.values()))
    _, parameters, attributes, notes = re.split(r"\n\n(?:Parameters|Attributes|Notes)\n-+\n", text)
    first, standardize, last = parameters.partition("standardize : ")  # class_weight of the classifier stands before it
    notes = f"Notes\n-----\n{notes}"
    return {
        "parameters": first.rstrip(),
        "last_parameters": standardize + last,
        "attributes": attributes,
        "notes": notes,
    }

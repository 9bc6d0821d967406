"""The network as scikit-learn's estimators. Needs scikit-learn 1.7 or later.

What is fitted stands in `coefs_` and `intercepts_`, as users of `MLPClassifier` read and set it; fastnn's weights are
made of these wherever something is computed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from dataclasses import asdict, replace
from functools import partial, wraps
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from .. import network
from ..forward import Predictor
from ..inputs import containers, validation
from ..inputs.containers import brought, is_dask, with_names
from ..inputs.scaling import Scaling
from ..inputs.validation import Array
from ..model import Model
from ..outcome import Outcome, history
from ..problem import documented
from ..spec import HIDDEN, quoted
from ..targets import class_weights
from ..train import train
from ..training.control import State
from ..training.solvers import SOLVERS, NonFiniteStart

try:
    from scipy.sparse import issparse
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import LabelBinarizer
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.multiclass import unique_labels
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise ImportError(validation.needs("fastnn.estimator", "scikit-learn>=1.7")) from None

__all__ = ["FastNNClassifier", "FastNNRegressor"]

# Solvers of scikit-learn's MLPs that fastnn does not have.
STOCHASTIC = ("sgd", "adam")

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

# What a fitted estimator and a fitted MLP have in common.
FITTED = (
    "coefs_", "intercepts_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "feature_names_in_",
    "classes_", "_label_binarizer", "n_iter_", "loss_", "loss_curve_", "best_loss_", "validation_scores_",
    "best_validation_score_",
)  # fmt: skip

# Types of X that are computed with as they are.
TYPES = (np.float64, np.float32)

# So many numbers of a sparse X are made dense together where it is predicted: 32 MiB.
BLOCK = 1 << 22

ARGUMENTS = {
    "parameters": """
hidden_layer_sizes : int or array-like of int, default=(100,)
    Units of the hidden layers, input side first; `()` for none.
activation : """
    + quoted((row.name, *row.aliases)[-1] for row in HIDDEN.values())
    + """, default="relu"
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
    With inf it never stops by this, and the best coefficients are kept all the same.""",
    "last_parameters": """
standardize : bool, default=False
    Train on columns of mean 0 and deviation 1, and do the same with what is predicted. Coefficients are those of the
    standardised columns then.
callback : callable, default=None
    `callback(state)` after each iteration, with a `fastnn.training.control.State`: iteration, cost, gradient_norm,
    evaluations, seconds, validation_cost, validation_score, and weights, copies in the form of `fastnn.train`. A true
    return stops.
max_seconds : float, default=None
    Limit on the time of a fit, including compilation of kernels.
verbose : bool, int or "bar", default=False
    True or a positive number: a line with the loss after each iteration, on standard output. "bar": a progress bar,
    on standard error.""",
    "attributes": """
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
    `fastnn.export` take the estimator itself, or a pipeline of scalers that ends in it.""",
    "notes": """
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
coefficients so far.""",
}
_documented = partial(documented, arguments=ARGUMENTS)


def _by_chunks(method: Callable[[Any, Any], Array]) -> Any:
    """The method, which gives of an X of Dask an array of Dask, of which nothing is computed yet."""

    @wraps(method)
    def predict(self: Any, X: Any) -> Any:
        check_is_fitted(self)
        if not is_dask(X):
            return method(self, X)
        from ..inputs.dask import by_chunks

        names = validation.feature_names(X)
        if names is not None and hasattr(self, "feature_names_in_"):
            validation.same_names(names, self.feature_names_in_.tolist(), "X")
        plain = copy(self)  # chunks are arrays, which have no names
        vars(plain).pop("feature_names_in_", None)
        function = getattr(plain, method.__name__)
        return by_chunks(
            X, self.n_features_in_, function, function(np.zeros((1, self.n_features_in_), _type_of(X)))[:0]
        )

    return predict


def _type_of(X: Any) -> Any:
    """Of the coefficients, and of what is predicted, for X of Dask."""
    return np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64


def _unique(y: Any) -> Any:
    """The labels that occur in a column of Dask."""
    if hasattr(y, "unique"):
        return y.unique()
    import dask.array

    return dask.array.unique(y)


def _costs(history: Any) -> list[str]:
    """Return the names of a history's columns that are costs."""
    return [name for name in ("cost", "validation_cost", "regularisation") if name in history.dtype.names]


class _Network(BaseEstimator):
    """What both estimators share."""

    _peer: Any  # scikit-learn's estimator of the same network

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "lbfgs",
        alpha: float = 0.0001,
        max_iter: int = 200,
        max_fun: int = 15000,
        tol: float = 0.0001,
        random_state: Any = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        standardize: bool = False,
        callback: Callable[[State], Any] | None = None,
        max_seconds: float | None = None,
        verbose: Any = False,
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
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
            self._fit_on_a_cluster(X, y, sample_weight, settings, going_on)
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
            start = _restandardized(start, self._scaling(), scaling)
        if scaling:
            X = scaling.apply(X)
            held_out = (scaling.apply(held_out[0]), *held_out[1:]) if held_out else None

        data = {
            "sample_weight": weight if len(weight) else None,
            "validation": held_out,
            "class_weight": self._class_weight(),
        }
        self._train(X, targets, start, out_activation, scaling, X.dtype, **data, **settings)
        return self

    def _train(
        self, X: Any, targets: Any, start: tuple[Array, ...], out_activation: str, scaling: Scaling | None, dtype: Any,
        **settings: Any,
    ) -> None:  # fmt: skip
        """Train from these weights, and keep what comes out in that type; `scaling` is what has standardised X."""
        # A regressor's loss is the mean over the outputs; what is minimised is K times that, because the
        # gradient that scikit-learn goes by, and its `tol`, are those of the sum.
        times = len(start[-1]) if out_activation == "identity" else 1
        try:
            model = train(
                with_names(X, tuple(getattr(self, "feature_names_in_", ()))),
                targets,
                lmbda=times * float(self.alpha),
                weights=start,
                output=out_activation,
                multilabel=out_activation == "logistic",
                callback=self._watch(times),
                **settings,
            )
        except NonFiniteStart as error:
            raise ValueError(f"{_NON_FINITE} ({error})") from None
        self.out_activation_ = out_activation
        self._keep(model, scaling or model.scaling, dtype, times)
        if self.outcome_.status in UNFINISHED or self.outcome_.advice:
            warnings.warn(self.outcome_.message, ConvergenceWarning, stacklevel=3)

    def _fit_on_a_cluster(self, X: Any, y: Any, sample_weight: Any, settings: dict[str, Any], going_on: bool) -> None:
        """The same with X and y of Dask, which stay where they are."""
        standardize = validation.flag(self.standardize, "standardize")
        if going_on and standardize:
            raise ValueError("warm_start is True, with standardize=True and X of Dask; one of the two is wanted")
        names = validation.feature_names(X)
        if X.ndim != 2:
            raise ValueError(f"X has shape {X.shape}; (m, n), one example a row, is wanted")
        if going_on and (names or ()) != tuple(getattr(self, "feature_names_in_", ())):
            raise ValueError("X has other columns than in the last fit; with warm_start the same are wanted")
        y = y if is_dask(y) else containers.plain(y, "y")
        y = y.iloc[:, 0] if hasattr(y, "iloc") and y.ndim == 2 and y.shape[1] == 1 else y
        targets, K, out_activation = self._targets_on_a_cluster(y, going_on)
        sizes = self._sizes(int(X.shape[1]), K)
        random_state = check_random_state(self.random_state)
        dtype = np.dtype(_type_of(X))
        start = self._last(sizes) if going_on else self._first(sizes, random_state, dtype)
        self.n_features_in_ = sizes[0]
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        data = {
            "sample_weight": sample_weight,
            "validation": self.validation_fraction if self.early_stopping else None,
            "class_weight": self._class_weight() if out_activation != "softmax" else self._class_weight_by_label(),
            "seed": int(random_state.randint(2**31 - 1)),
            "standardize": standardize,
        }
        self._train(X, targets, start, out_activation, None, dtype, **data, **settings)

    def _class_weight_by_label(self) -> Any:
        """As `train` takes it where y has labels, and not their indices."""
        value = self._class_weight()
        return {self.classes_.tolist()[k]: one for k, one in value.items()} if isinstance(value, Mapping) else value

    def _targets_on_a_cluster(self, y: Any, going_on: bool) -> tuple[Any, int, str]:
        """What `train` takes for y of Dask, the number of outputs, and their activation."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coefs_")  # a fit that fails may leave other names

    def __getstate__(self) -> dict[str, Any]:
        """The state in types that skops trusts: arrays and dicts, in place of a record array and an Outcome."""
        state = super().__getstate__()
        if "outcome_" in state:
            rows = np.array(self.history_.tolist(), self.history_.dtype.descr)
            state = state | {"history_": rows, "outcome_": asdict(self.outcome_)}
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
        """What `train` takes for y, what a split keeps the shares of, and the output's activation."""
        raise NotImplementedError

    def _class_weight(self) -> Any:
        """As `train` takes it."""
        return None

    def _sizes(self, n: int, K: int) -> tuple[int, ...]:
        name = "hidden_layer_sizes"
        return validation.no_giant((n, *validation.hidden(self.hidden_layer_sizes, name), K), name)

    def _first(self, sizes: tuple[int, ...], random_state: Any, dtype: Any) -> tuple[Array, ...]:
        """Weights to start from, drawn as scikit-learn draws them: of each layer coefficients, then intercepts.

        Uniform (Glorot and Bengio, 2010, eq. 16; for the logistic function the bound is divided by sqrt(3)).
        """
        weights = []
        for below, units in pairwise(sizes):
            bound = np.sqrt((2.0 if validation.canonical(self.activation) == "sigmoid" else 6.0) / (below + units))
            coefs = random_state.uniform(-bound, bound, (below, units)).astype(dtype)
            weights.append(_matrix(coefs, random_state.uniform(-bound, bound, units).astype(dtype)))
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

    def _split(self, X: Array, targets: Array, weight: Array, strata: Array | None, random_state: Any) -> Any:
        """X, targets and weights to train on, and (X, targets, weights) of the examples held out."""
        weighted = [weight] if len(weight) else []
        parts = train_test_split(
            X, targets, *weighted, test_size=self.validation_fraction, random_state=random_state, stratify=strata
        )
        (X, targets, *weighted), held_out = parts[::2], tuple(parts[1::2])
        if len(held_out[0]) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if targets.ndim == 1 and len(lacking := np.setdiff1d(held_out[1], targets)):
            raise ValueError(
                f"validation_fraction is {self.validation_fraction}, which leaves no example of the class "
                f"{self.classes_[lacking[0]]!r} to train on; a smaller one is wanted"
            )
        return X, targets, weighted[0] if weighted else weight, held_out

    def _watch(self, times: int) -> Callable[[State], Any] | None:
        """What is called after each iteration, with a cost that is so many times the loss."""
        callback = validation.function(self.callback, "callback")
        lines = self.verbose not in (False, "bar")
        if not lines and (callback is None or times == 1):
            return callback

        def watch(state: State) -> Any:
            state = replace(state, cost=state.cost / times, validation_cost=state.validation_cost / times)
            if lines:
                score = (
                    "" if math.isnan(state.validation_score) else f", validation score = {state.validation_score:.6f}"
                )
                print(f"Iteration {state.iteration}, loss = {state.cost:.8f}{score}")
            return callback(state) if callback else None

        return watch

    def _keep(self, model: Model, scaling: Scaling | None, dtype: Any, times: int) -> None:
        """What is fitted, as attributes."""
        self.mean_: Array | None
        self.scale_: Array | None
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
        scores = self.history_.validation_score[1:].tolist() if watched else None
        self.validation_scores_ = scores
        self.best_validation_score_ = None if scores is None else max(scores, default=math.nan)

    def _weights(self, look: bool = True) -> tuple[Array, ...]:
        """fastnn's weights of the coefficients, whoever has set them; `look` as in `validation.weights`."""
        return validation.weights([*map(_matrix, self.coefs_, self.intercepts_)], look=look)

    @property
    def model_(self) -> Model:
        """Fitted network as a Model of equal predictions, loss and regularisation; two classes become a softmax."""
        check_is_fitted(self)
        weights, output = self._weights(), validation.canonical(self.out_activation_)
        classes, multilabel = None, False
        if hasattr(self, "classes_"):
            classes = containers.labels(self.classes_, "classes_")
            multilabel = self._label_binarizer.y_type_.startswith("multilabel")
        if classes is not None and not multilabel and output == "sigmoid":
            *others, last = weights
            if len(classes) == 1:  # LabelBinarizer codes a single class as 0
                weights = (*others, -last)
            else:  # a softmax of 0 and z has the outputs, the loss and the regularisation of a sigmoid of z
                weights, output = (*others, np.vstack([np.zeros_like(last), last])), "softmax"
        times = len(weights[-1]) if output == "identity" else 1  # as in `_train`
        names = getattr(self, "feature_names_in_", None)
        return Model(
            weights, classes, times * float(self.alpha), *self._history_and_outcome(times), self.activation, output,
            feature_names=None if names is None else tuple(map(str, names)),
            multilabel=multilabel, scaling=self._scaling(),
        )  # fmt: skip

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

    def _scaling(self) -> Scaling | None:
        mean, deviation = getattr(self, "mean_", None), getattr(self, "scale_", None)
        return None if mean is None or deviation is None else Scaling(mean, deviation)

    def _valid(self, X: Any) -> Any:
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

    def _outputs(self, X: Any) -> Array:
        """The network's K outputs (m, K), of X's type."""
        X = self._valid(X)
        m, n = X.shape
        weights, scaling = self._weights(look=False), self._scaling()  # the predictor looks, if a sum is not finite
        inputs = weights[0].shape[1] - 1
        if inputs != n:
            raise ValueError(f"X has {n} columns; {inputs} are wanted, as coefs_[0] has rows")
        forward = Predictor(weights, self.activation, self.out_activation_)
        A = np.empty((m, len(weights[-1])))
        step = max(1, BLOCK // n) if issparse(X) else m
        for start in range(0, m, step):
            some = X[start : start + step]
            some = some.toarray(order="C") if issparse(X) else some
            some = scaling.apply(some) if scaling else some
            A[start : start + step] = forward(some)
        return A.astype(X.dtype, copy=False)

    @classmethod
    def from_sklearn(cls, mlp: Any) -> Any:
        """An estimator of fastnn with the parameters and coefficients of scikit-learn's MLP.

        Parameters
        ----------
        mlp : MLPClassifier or MLPRegressor
            The one of the same kind; it need not be fitted. Solver "sgd" or "adam" becomes "lbfgs"; what only these
            use is left out.

        Returns
        -------
        FastNNClassifier or FastNNRegressor
            It predicts the same, to rounding.

        Raises
        ------
        TypeError
            If mlp is of another kind.
        ValueError
            If its loss is "poisson".

        Examples
        --------
        >>> from fastnn.estimator import FastNNClassifier
        >>> from sklearn.neural_network import MLPClassifier
        >>> X, y = fastnn.load_digits()
        >>> mlp = MLPClassifier((5,), max_iter=1000, tol=0.01, random_state=0).fit(X[::10], y[::10])
        >>> network = FastNNClassifier.from_sklearn(mlp)
        >>> np.array_equal(network.predict(X), mlp.predict(X))
        True
        >>> network.get_params()["solver"]  # for the next fit
        'lbfgs'
        """
        if not isinstance(mlp, cls._peer):
            raise TypeError(f"mlp is a {type(mlp).__name__}; scikit-learn's {cls._peer.__name__} is wanted")
        if mlp.loss == "poisson":
            raise ValueError("mlp has the loss 'poisson', which fastnn does not have; 'squared_error' is wanted")
        parameters = _common(mlp, cls())
        if parameters["solver"] in STOCHASTIC:
            parameters["solver"] = "lbfgs"
        estimator = cls(**parameters)
        _copy_fitted(mlp, estimator)
        return estimator

    def to_sklearn(self) -> Any:
        """The same estimator as scikit-learn's MLPClassifier or MLPRegressor, with solver "lbfgs".

        What standardises X goes into the first layer. Parameters that scikit-learn does not have are left out.

        Returns
        -------
        MLPClassifier or MLPRegressor
            It predicts the same, to rounding.

        Examples
        --------
        >>> from fastnn.estimator import FastNNClassifier
        >>> X, y = fastnn.load_digits()
        >>> network = FastNNClassifier((25,), alpha=1.0, tol=0.01, random_state=0).fit(X[::5], y[::5])
        >>> mlp = network.to_sklearn()
        >>> type(mlp).__name__, [coefs.shape for coefs in mlp.coefs_]
        ('MLPClassifier', [(400, 25), (25, 10)])
        >>> np.array_equal(mlp.predict(X), network.predict(X))
        True
        """
        parameters = _common(self, self._peer()) | {"solver": "lbfgs"}
        if validation.canonical(self.activation) == "sigmoid":
            parameters["activation"] = "logistic"
        if parameters["verbose"] == "bar":
            parameters["verbose"] = True
        mlp = self._peer(**parameters)
        _copy_fitted(self, mlp)
        if (scaling := self._scaling()) is not None:
            first, *_ = _restandardized(self._weights(), scaling, None)
            mlp.coefs_[0], mlp.intercepts_[0] = first[:, 1:].T.copy(), first[:, 0].copy()
        return mlp

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@_documented
class FastNNClassifier(ClassifierMixin, _Network):
    """scikit-learn's MLPClassifier with solver "lbfgs", faster, and with control of training.

    The same loss at the same coefficients: cross-entropy of one logistic output for two classes, of a softmax for
    more, of a logistic output for each of several labels. It is exact however sure an output is, where scikit-learn's
    is cut off at probabilities of 1e-16.

    Parameters
    ----------
    {parameters}
    class_weight : dict or "balanced", default=None
        How much the examples of a class count, {label: weight}, or all classes the same together. It multiplies
        `sample_weight`; it is not there for several labels at once.
    {last_parameters}

    Attributes
    ----------
    classes_ : array (K,)
        The labels, sorted; of several labels at once their columns.
    {attributes}

    {notes}

    Examples
    --------
    >>> from fastnn.estimator import FastNNClassifier
    >>> X, y = fastnn.load_digits()
    >>> network = FastNNClassifier((25,), alpha=1.0, early_stopping=True, random_state=0).fit(X, y)
    >>> f"{network.best_validation_score_:.0%} of the examples held out, {network.score(X, y):.0%} of all"
    '92% of the examples held out, 94% of all'
    """

    _peer = MLPClassifier

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "lbfgs",
        alpha: float = 0.0001,
        max_iter: int = 200,
        max_fun: int = 15000,
        tol: float = 0.0001,
        random_state: Any = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        class_weight: Any = None,
        standardize: bool = False,
        callback: Callable[[State], Any] | None = None,
        max_seconds: float | None = None,
        verbose: Any = False,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            max_iter=max_iter,
            max_fun=max_fun,
            tol=tol,
            random_state=random_state,
            warm_start=warm_start,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            standardize=standardize,
            callback=callback,
            max_seconds=max_seconds,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def _targets_on_a_cluster(self, y: Any, going_on: bool) -> tuple[Any, int, str]:
        if y.ndim == 2 and y.shape[1] > 1:  # several labels: as many columns of 0 and 1 say what scikit-learn asks
            labels = np.vstack([np.eye(y.shape[1], dtype=np.int64), np.ones((1, y.shape[1]), np.int64)])
            _, _, out_activation = self._targets(labels, going_on)
            return y, y.shape[1], out_activation
        y = y[:, 0] if y.ndim == 2 else y
        labels = containers.labels(brought(_unique(y)) if is_dask(y) else y, "y")
        _, _, out_activation = self._targets(labels, going_on)
        if out_activation == "softmax":
            return y, len(self.classes_), out_activation
        column = (y == self.classes_[-1]).astype(np.float64)
        column = column.to_dask_array() if hasattr(column, "to_dask_array") else column
        return column[:, None], 1, out_activation

    def _targets(self, y: Array, going_on: bool) -> tuple[Array, Array | None, str]:
        if not (going_on and hasattr(self, "classes_")):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        elif set(classes := unique_labels(y)) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )
        kind = self._label_binarizer.y_type_
        if kind == "multiclass":
            return np.searchsorted(self.classes_, y), y, "softmax"
        indicator = self._label_binarizer.transform(y)
        return indicator, indicator.astype(bool) if kind == "binary" else None, "logistic"

    def _class_weight(self) -> Any:
        value, labels = self.class_weight, self.classes_.tolist()
        if not isinstance(value, Mapping) or self._label_binarizer.y_type_.startswith("multilabel"):
            return value
        # A part of the data, as in cross-validation, need not have every class that has a weight.
        value = {label: value[label] for label in labels} if set(labels) <= set(value) else value
        return dict(enumerate(class_weights(value, self.classes_, np.ones(len(labels)))))

    @_by_chunks
    def predict(self, X: Any) -> Array:
        """The label of every example, or 0 and 1 for each of several labels.

        Parameters
        ----------
        X : array, frame or sparse matrix (m, n)
            Inputs, one example a row.

        Returns
        -------
        array (m,) or (m, K)
            Of the type of the labels that it was fitted on.

        Examples
        --------
        >>> from fastnn.estimator import FastNNClassifier
        >>> X, y = fastnn.load_digits()
        >>> network = FastNNClassifier((25,), alpha=1.0, tol=0.01, random_state=0).fit(X[::5], y[::5])
        >>> network.predict(X[::500])
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        """
        A = self._outputs(X)
        if self._label_binarizer.y_type_ == "multiclass":  # as `inverse_transform`, which takes longer than the outputs
            return self._label_binarizer.classes_[A.argmax(axis=1)]
        return self._label_binarizer.inverse_transform(A.ravel() if A.shape[1] == 1 else A)

    @_by_chunks
    def predict_proba(self, X: Any) -> Array:
        """The probability of every class, or of each of several labels.

        Parameters
        ----------
        X : array, frame or sparse matrix (m, n)
            Inputs, one example a row.

        Returns
        -------
        array (m, K)
            In the order of `classes_`, of the type of X. None is exactly 0 or 1.

        Examples
        --------
        >>> from fastnn.estimator import FastNNClassifier
        >>> X, y = fastnn.load_digits()
        >>> network = FastNNClassifier((25,), alpha=1.0, tol=0.01, random_state=0).fit(X[::5], y[::5])
        >>> P = network.predict_proba(X)
        >>> P.shape, f"{P[0].sum():.3f}"
        ((5000, 10), '1.000')
        """
        A = self._outputs(X)
        A = np.hstack([1.0 - A, A]) if A.shape[1] == 1 else A
        # No probability is 0 or 1, but some round to it; scikit-learn's checks want none that does.
        return np.clip(A, np.finfo(A.dtype).tiny, 1.0 - np.finfo(A.dtype).epsneg)

    @_by_chunks
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        X : array, frame or sparse matrix (m, n)
            Inputs, one example a row.

        Returns
        -------
        array (m, K)
            In the order of `classes_`, of the type of X.

        Examples
        --------
        >>> from fastnn.estimator import FastNNClassifier
        >>> X, y = fastnn.load_digits()
        >>> network = FastNNClassifier((25,), alpha=1.0, tol=0.01, random_state=0).fit(X[::5], y[::5])
        >>> mean = -network.predict_log_proba(X)[np.arange(5000), y].mean()
        >>> f"the cross-entropy is {mean:.1f}, that of guessing {np.log(10):.1f}"
        'the cross-entropy is 0.4, that of guessing 2.3'
        """
        return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@_documented
class FastNNRegressor(RegressorMixin, _Network):
    """scikit-learn's MLPRegressor with solver "lbfgs", faster, and with control of training.

    The same loss at the same coefficients: half the squared error, the mean over the outputs. Of several outputs
    scikit-learn's gradient is not that of its loss, but of the sum over the outputs; here loss and gradient belong
    together, and the regularisation in the loss is alpha/(2m). What is minimised is that sum, K times the loss, and
    `tol`, `outcome_.message` and the gradient's norm are about it.

    Parameters
    ----------
    {parameters}
    {last_parameters}

    Attributes
    ----------
    {attributes}

    {notes}

    Examples
    --------
    >>> from fastnn.estimator import FastNNRegressor
    >>> X, y = fastnn.load_digits()
    >>> ink = X.mean(axis=1)
    >>> network = FastNNRegressor((25,), tol=0.001, random_state=0).fit(X, ink)
    >>> f"R2 {network.score(X, ink):.2f} of the 5,000 trained on, {network.outcome_.status}"
    'R2 0.91 of the 5,000 trained on, converged'
    """

    _peer = MLPRegressor

    def _targets_on_a_cluster(self, y: Any, going_on: bool) -> tuple[Any, int, str]:
        return y, 1 if y.ndim == 1 else int(y.shape[1]), "identity"

    def _targets(self, y: Array, going_on: bool) -> tuple[Array, Array | None, str]:
        return y[:, None] if y.ndim == 1 else y, None, "identity"

    @_by_chunks
    def predict(self, X: Any) -> Array:
        """The numbers of every example.

        Parameters
        ----------
        X : array, frame or sparse matrix (m, n)
            Inputs, one example a row.

        Returns
        -------
        array (m,) or (m, K)
            (m, K) if there are several outputs; of the type of X.

        Examples
        --------
        >>> from fastnn.estimator import FastNNRegressor
        >>> X, y = fastnn.load_digits()
        >>> ink = X.mean(axis=1)
        >>> network = FastNNRegressor((25,), tol=0.001, random_state=0).fit(X[::5], ink[::5])
        >>> f"{ink[1007]:.1f}, and {network.predict(X[1007:1008])[0]:.1f} by the network"
        '0.2, and 0.2 by the network'
        """
        A = self._outputs(X)
        return A[:, 0] if A.shape[1] == 1 else A


def _matrix(coefs: Array, intercepts: Array) -> Array:
    """A layer's weights as fastnn has them, (units, 1 + units below)."""
    return np.column_stack([intercepts, np.transpose(coefs)])


def _restandardized(weights: tuple[Array, ...], old: Scaling | None, new: Scaling | None) -> tuple[Array, ...]:
    """The same network, for columns that `new` standardises instead of `old`; None is nothing."""
    if old is new or (old is not None and new is not None and all(map(np.array_equal, old, new))):
        return weights
    first = weights[0].astype(np.float64)
    if old is not None:
        first[:, 1:] /= old.deviation
        first[:, 0] -= first[:, 1:] @ old.mean
    if new is not None:
        first[:, 0] += first[:, 1:] @ new.mean
        first[:, 1:] *= new.deviation
    return first, *weights[1:]


def _common(estimator: Any, other: Any) -> dict[str, Any]:
    """The parameters of an estimator that the other has as well, copies of them."""
    theirs = other.get_params()
    return {name: value for name, value in clone(estimator).get_params().items() if name in theirs}


def _copy_fitted(estimator: Any, other: Any) -> None:
    """What is fitted of one becomes that of the other."""
    for name in FITTED:
        if hasattr(estimator, name):
            setattr(other, name, deepcopy(getattr(estimator, name)))

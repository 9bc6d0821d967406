"""scikit-learn's MLPClassifier, with this network inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import Tags
from sklearn.utils.multiclass import unique_labels

from ..inputs import containers
from ..inputs.containers import Array, brought, is_dask
from ..problem import documented
from ..targets import class_weights
from ..training.control import State
from .base import BaseNetwork, shared_documentation
from .dask import lazy_for_dask, unique


@partial(documented, arguments=shared_documentation())
class FastNNClassifier(ClassifierMixin, BaseNetwork):
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

    __module__ = "fastnn.estimator"  # the path that files of skops and pickles name
    _peer = MLPClassifier

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
        class_weight: Mapping[Any, float] | str | None = None,
        standardize: bool = False,
        callback: Callable[[State], object] | None = None,
        max_seconds: float | None = None,
        verbose: bool | int | str = False,
    ):
        super().__init__(
            hidden_layer_sizes, activation, solver=solver, alpha=alpha, max_iter=max_iter, max_fun=max_fun, tol=tol,
            random_state=random_state, warm_start=warm_start, early_stopping=early_stopping,
            validation_fraction=validation_fraction, n_iter_no_change=n_iter_no_change, standardize=standardize,
            callback=callback, max_seconds=max_seconds, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    def _targets_on_a_cluster(self, y: Any, going_on: bool) -> tuple[ArrayLike, int, str]:
        if y.ndim == 2 and y.shape[1] > 1:  # several labels: as many columns of 0 and 1 say what scikit-learn asks
            labels = np.vstack([np.eye(y.shape[1], dtype=np.int64), np.ones((1, y.shape[1]), np.int64)])
            _, _, out_activation = self._targets(labels, going_on)
            return y, y.shape[1], out_activation
        y = y[:, 0] if y.ndim == 2 else y
        labels = containers.labels(brought(unique(y)) if is_dask(y) else y, "y")
        _, _, out_activation = self._targets(labels, going_on)
        if self._multiclass:
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
        if self._multiclass:
            return np.searchsorted(self.classes_, y), y, "softmax"
        indicator = self._label_binarizer.transform(y)
        return indicator, None if self._several_labels else indicator.astype(bool), "logistic"

    @property
    def _multiclass(self) -> bool:
        return self._label_binarizer.y_type_ == "multiclass"

    @property
    def _several_labels(self) -> bool:
        return self._label_binarizer.y_type_.startswith("multilabel")

    def _outputs_of_model(self, weights: tuple[Array, ...]) -> tuple[tuple[Array, ...], str, Array | None, bool]:
        labels, (*others, last) = containers.labels(self.classes_, "classes_"), weights
        if self._several_labels or len(last) > 1:
            return weights, self.out_activation_, labels, self._several_labels
        if len(labels) == 1:  # LabelBinarizer codes a single class as 0
            return (*others, -last), self.out_activation_, labels, False
        # A softmax of 0 and z has the outputs, the loss and the regularisation of a sigmoid of z.
        return (*others, np.vstack([np.zeros_like(last), last])), "softmax", labels, False

    def _class_weight(self) -> Mapping[Any, float] | str | None:
        value, labels = self.class_weight, self.classes_.tolist()
        if not isinstance(value, Mapping) or self._several_labels:
            return value
        # A part of the data, as in cross-validation, need not have every class that has a weight.
        value = {label: value[label] for label in labels} if set(labels) <= set(value) else value
        return dict(enumerate(class_weights(value, self.classes_, np.ones(len(labels)))))

    @lazy_for_dask
    def predict(self, X: ArrayLike) -> Array:
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
        if self._multiclass:  # as `inverse_transform`, which takes longer than the outputs
            return self._label_binarizer.classes_[A.argmax(axis=1)]
        return self._label_binarizer.inverse_transform(A.ravel() if A.shape[1] == 1 else A)

    @lazy_for_dask
    def predict_proba(self, X: ArrayLike) -> Array:
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

    @lazy_for_dask
    def predict_log_proba(self, X: ArrayLike) -> Array:
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

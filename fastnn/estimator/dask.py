"""Estimators on a Dask cluster: fits of X where it is, and lazy predictions."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..inputs import containers, validation
from ..inputs.containers import Array, is_dask
from .convert import Conversion

Estimator = TypeVar("Estimator", bound=Conversion)


def lazy_for_dask(method: Callable[[Estimator, ArrayLike], Array]) -> Callable[[Estimator, ArrayLike], Array]:
    """Make a method of X return a Dask array for X of Dask, of which nothing is computed yet."""

    @wraps(method)
    def predict(self: Estimator, X: ArrayLike) -> Array:
        check_is_fitted(self)
        if not is_dask(X):
            return method(self, X)
        from ..inputs.dask import by_chunks

        names = validation.feature_names(X)
        if names is not None and hasattr(self, "feature_names_in_"):
            validation.same_names(names, self.feature_names_in_.tolist(), "X")
        nameless = copy(self)  # chunks are arrays, which have no names
        vars(nameless).pop("feature_names_in_", None)
        function = getattr(nameless, method.__name__)
        empty = function(np.zeros((1, self.n_features_in_), float_type(X)))[:0]
        lazy: Any = by_chunks(X, self.n_features_in_, function, empty)
        return lazy

    return predict


def float_type(X: object) -> type[np.float32] | type[np.float64]:
    """Return the type of coefficients and predictions for X of Dask."""
    return np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64


def unique(y: Any) -> object:
    """Return the labels that occur in a column of Dask."""
    if hasattr(y, "unique"):
        return y.unique()
    import dask.array

    return dask.array.unique(y)


def fit(
    estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None, settings: dict[str, Any], going_on: bool
) -> None:
    """Fit an estimator to X and y of Dask, which stay where they are."""
    standardize = validation.flag(estimator.standardize, "standardize")
    if going_on and standardize:
        raise ValueError("warm_start is True, with standardize=True and X of Dask; one of the two is wanted")
    names = validation.feature_names(X)
    if X.ndim != 2:
        raise ValueError(f"X has shape {X.shape}; (m, n), one example a row, is wanted")
    if going_on and (names or ()) != tuple(getattr(estimator, "feature_names_in_", ())):
        raise ValueError("X has other columns than in the last fit; with warm_start the same are wanted")
    y = y if is_dask(y) else containers.plain(y, "y")
    y = y.iloc[:, 0] if hasattr(y, "iloc") and y.ndim == 2 and y.shape[1] == 1 else y
    targets, K, out_activation = estimator._targets_on_a_cluster(y, going_on)
    sizes = estimator._sizes(int(X.shape[1]), K)
    random_state = check_random_state(estimator.random_state)
    dtype = np.dtype(float_type(X))
    start = estimator._last(sizes) if going_on else estimator._first(sizes, random_state, dtype)
    estimator.n_features_in_ = sizes[0]
    estimator.__dict__.pop("feature_names_in_", None)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    class_weight = estimator._class_weight()
    if out_activation == "softmax" and isinstance(class_weight, Mapping):  # y has labels, not their indices
        class_weight = {estimator.classes_.tolist()[k]: factor for k, factor in class_weight.items()}
    settings |= {"sample_weight": sample_weight, "class_weight": class_weight, "standardize": standardize}
    settings["validation"] = estimator.validation_fraction if estimator.early_stopping else None
    settings["seed"] = int(random_state.randint(2**31 - 1))
    estimator._train(X, targets, start, out_activation, None, dtype, **settings)

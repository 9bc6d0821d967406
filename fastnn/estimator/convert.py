"""Conversion from and to scikit-learn's MLPs, and between forms of weights."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..inputs import validation
from ..inputs.containers import Array
from ..inputs.scaling import Scaling

# Solvers of scikit-learn's MLPs that fastnn does not have.
STOCHASTIC = ("sgd", "adam")

# Attributes that a fitted estimator and a fitted MLP have in common.
FITTED = (
    "coefs_", "intercepts_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "feature_names_in_",
    "classes_", "_label_binarizer", "n_iter_", "loss_", "loss_curve_", "best_loss_", "validation_scores_",
    "best_validation_score_",
)  # fmt: skip


class Conversion:
    """Part of the estimators that converts coefficients to fastnn's weights, and from and to scikit-learn's MLPs."""

    _peer: Any  # scikit-learn's estimator of the same network
    activation: str
    coefs_: list[Array]
    intercepts_: list[Array]
    n_features_in_: int
    feature_names_in_: Array
    mean_: Array | None
    scale_: Array | None

    def _weights(self, look: bool = True) -> tuple[Array, ...]:
        """Return the weights of the coefficients, whoever has set them; `look` as in `validation.weights`."""
        return validation.weights([*map(layer_weights, self.coefs_, self.intercepts_)], look=look)

    def _scaling(self) -> Scaling | None:
        mean, deviation = getattr(self, "mean_", None), getattr(self, "scale_", None)
        return None if mean is None or deviation is None else Scaling(mean, deviation)

    @classmethod
    def from_sklearn(cls, mlp: object) -> Self:
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

    def to_sklearn(self) -> MLPClassifier | MLPRegressor:
        """Return scikit-learn's MLP of this network, with solver "lbfgs".

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
            first, *_ = restandardized(self._weights(), scaling, None)
            mlp.coefs_[0], mlp.intercepts_[0] = first[:, 1:].T.copy(), first[:, 0].copy()
        return mlp


def layer_weights(coefs: Array, intercepts: Array) -> Array:
    """Return a layer's weights as fastnn has them, (units, 1 + units below)."""
    return np.column_stack([intercepts, np.transpose(coefs)])


def restandardized(weights: tuple[Array, ...], old: Scaling | None, new: Scaling | None) -> tuple[Array, ...]:
    """Return the weights of an equal network for columns that `new` standardises instead of `old`; None is neither."""
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


def _common(estimator: BaseEstimator, other: BaseEstimator) -> dict[str, object]:
    """Return copies of the parameters of an estimator that the other has, too."""
    theirs = other.get_params()
    return {name: value for name, value in clone(estimator).get_params().items() if name in theirs}


def _copy_fitted(estimator: object, other: object) -> None:
    """Copy the fitted attributes of an estimator to the other."""
    for name in FITTED:
        if hasattr(estimator, name):
            setattr(other, name, deepcopy(getattr(estimator, name)))

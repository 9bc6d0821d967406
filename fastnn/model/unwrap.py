"""The model inside a fitted estimator, or inside a pipeline of scikit-learn that ends in one."""

import sys
from copy import copy
from typing import Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import described
from ..inputs.scaling import Scaling
from ..spec import Array
from . import Model

_ALLOWED = (
    "a fastnn.Model, a fitted FastNNClassifier or FastNNRegressor, or a Pipeline of StandardScaler, MinMaxScaler or "
    "MaxAbsScaler that ends in one"
)


def to_model(value: object, name: str = "model") -> Model:
    """Return the model itself, the model of a fitted estimator, or a pipeline folded into one model.

    Does not import scikit-learn: without it no pipeline can exist. Raises its NotFittedError, or TypeError.
    """
    if isinstance(value, Model):
        return value
    pipelines = sys.modules.get("sklearn.pipeline")
    if pipelines is not None and isinstance(value, pipelines.Pipeline):
        return _folded(value, name)
    # hasattr(value, ...) would swallow NotFittedError, which is an AttributeError.
    estimator: Any = value
    if hasattr(type(value), "model_") and isinstance(model := estimator.model_, Model):
        return model
    kind = type(value).__name__
    peer = kind in ("MLPClassifier", "MLPRegressor")
    remedy = f". Convert it: FastNN{kind[3:]}.from_sklearn(mlp)" if peer else ""
    raise TypeError(f"{name} must be {_ALLOWED}, got {described(value)}{remedy}")


def _folded(pipeline: Any, name: str) -> Model:
    """Return the pipeline's model with the scalers folded into its scaling."""
    *before, (last, estimator) = pipeline.steps
    scalers = [step for step in before if step[1] is not None and step[1] != "passthrough"]
    model = to_model(estimator, f"step {last!r} of {name}")
    if not scalers:
        return model
    n = model.sizes[0]
    scalings = [_scaling_of(scaler, f"step {step!r} of {name}") for step, scaler in scalers]
    for step, scaler in scalers:
        if scaler.n_features_in_ != n:
            got = scaler.n_features_in_
            raise ValueError(f"step {step!r} of {name} must be fitted on {n} columns, as the network is, got {got}")
    shift, unit = np.zeros(n), np.ones(n)  # the next step sees (x - shift) / unit
    for mean, std in scalings if model.scaling is None else [*scalings, model.scaling]:
        shift, unit = shift + mean * unit, unit * std
    folded = copy(model)
    with validation.about(name):
        folded.scaling = Scaling(*validation.saved_scaling(shift, unit, n))
    names = getattr(scalers[0][1], "feature_names_in_", None)
    folded.feature_names = None if names is None else tuple(map(str, names))
    return folded


def _scaling_of(scaler: Any, name: str) -> tuple[Array, Array]:
    """Return (mean, std) of a fitted scaler, which makes (x - mean) / std of a column x."""
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
    from sklearn.utils.validation import check_is_fitted

    kind = type(scaler)  # exactly: a subclass may do anything
    if kind not in (StandardScaler, MinMaxScaler, MaxAbsScaler):
        raise TypeError(
            f"{name} must be a StandardScaler, MinMaxScaler or MaxAbsScaler, got {described(scaler)}. "
            "Pass the last step, and X transformed by the earlier steps"
        )
    check_is_fitted(scaler)
    if getattr(scaler, "clip", False):
        raise ValueError(f"{name} must have clip=False, got clip=True. A model's scaling does not clip")
    if kind is StandardScaler:
        mean, std = scaler.mean_ if scaler.with_mean else 0.0, scaler.scale_ if scaler.with_std else 1.0
    elif kind is MinMaxScaler:  # x * scale_ + min_
        std = 1.0 / np.asarray(scaler.scale_, np.float64)
        mean = -scaler.min_ * std
    else:
        mean, std = 0.0, scaler.scale_
    return np.asarray(mean, np.float64), np.asarray(std, np.float64)

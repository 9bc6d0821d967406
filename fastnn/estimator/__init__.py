"""The network as scikit-learn's estimators. Needs scikit-learn 1.7 or later."""

from ..inputs.validation import needs

try:
    import sklearn.utils.validation

    sklearn.utils.validation.validate_data  # noqa: B018  missing in older versions
except (ImportError, AttributeError):
    raise ImportError(needs("fastnn.estimator", "scikit-learn>=1.7")) from None

from .classifier import FastNNClassifier
from .regressor import FastNNRegressor

__all__ = ["FastNNClassifier", "FastNNRegressor"]

"""scikit-learn's MLPRegressor, with this network inside."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.neural_network import MLPRegressor

from ..inputs.containers import Array
from ..problem import documented
from .base import BaseNetwork, shared_documentation
from .dask import lazy_for_dask


@partial(documented, arguments=shared_documentation())
class FastNNRegressor(RegressorMixin, BaseNetwork):
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

    __module__ = "fastnn.estimator"  # the path that files of skops and pickles name
    _peer = MLPRegressor

    def _times(self, K: int) -> int:
        """Return K: the loss is a mean over outputs; scikit-learn's gradient, and so its `tol`, is that of the sum."""
        return K

    def _targets_on_a_cluster(self, y: Any, going_on: bool) -> tuple[ArrayLike, int, str]:
        return y, 1 if y.ndim == 1 else int(y.shape[1]), "identity"

    def _targets(self, y: Array, going_on: bool) -> tuple[Array, Array | None, str]:
        return y[:, None] if y.ndim == 1 else y, None, "identity"

    @lazy_for_dask
    def predict(self, X: ArrayLike) -> Array:
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

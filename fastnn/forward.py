"""Outputs of a network: one `Predictor` for `forward`, models and estimators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import engines, network
from .inputs import validation
from .inputs.containers import Array, is_dask
from .inputs.scaling import Scaling, standardised
from .inputs.streams import Stored, each, runs_of
from .kernels.arguments import Run
from .network import Weights
from .problem import documented, read_only
from .spec import DType


def all_outputs(A: Array) -> Array:
    """Return the outputs themselves."""
    return A


class Predictor:
    """The outputs of a network for any number of calls; the fused engine lays out its weights once for each type of X.

    X and weights are not checked for NaN and infinities before the pass, but afterwards if its sums tell of some.

    Parameters
    ----------
    weights : tuple of L float64 arrays
        Valid but for NaN and infinities. They must not change while the predictor is in use.
    activation, output : str
    scale : float
        X is multiplied by this first.
    scaling : Scaling, optional
        Standardises X next.
    names : sequence of str, optional
        Column names that an X with names must have.
    """

    def __init__(
        self,
        weights: Weights,
        activation: str,
        output: str,
        *,
        scale: float = 1.0,
        scaling: Scaling | None = None,
        names: Sequence[str] | None = None,
    ):
        self._made_by = partial(Predictor, weights, activation, output, scale=scale, scaling=scaling, names=names)
        self._weights, self._scaling, self._names = weights, scaling, names
        self._n, *_, self._K = sizes = network.sizes_of(weights)
        self._layers = network.layer_table(sizes, activation, output)
        self._input_scale, self._scale = scale, 1.0 if scaling else scale
        self._engine = engines.module("fused")
        self._prepared: dict[DType, object] = {}  # by the type of X

    def __reduce__(self) -> tuple[partial[Predictor], tuple[()]]:
        return self._made_by, ()

    def __call__(self, X: object, answer: Callable[[Array], Array] = all_outputs) -> Any:
        """Return the outputs (m, K), or `answer` of the outputs of some examples at a time; lazily for X of Dask."""
        if self._names is not None and (names := validation.feature_names(X)) is not None:
            validation.same_names(names, self._names, "X")
        if is_dask(X):
            from .inputs.dask import by_chunks

            return by_chunks(X, self._n, partial(self, answer=answer), answer(np.empty((0, self._K))))
        if self._scaling:
            X = standardised(validation.inputs(X, self._n), self._input_scale, self._scaling, self._names)
        array = validation.inputs(X, self._n, look=False)
        if array.dtype not in self._prepared:
            parts = [read_only(matrix.reshape(-1)) for matrix in self._weights]
            self._prepared[array.dtype] = self._engine.prepared(parts, self._layers, array.dtype, self._scale)
        if not isinstance(array, Stored):
            return answer(self._outputs(array, X))
        return np.concatenate([answer(self._outputs(chunk, array)) for _, chunk in each(array, runs_of(array))])

    def _outputs(self, chunk: Array, X: object) -> Array:
        """Return the outputs of a chunk of X."""
        A = np.empty((len(chunk), self._K))
        if not self._engine.outputs(self._prepared[chunk.dtype], read_only(chunk), A):
            validation.look_through(X) if isinstance(X, Stored) else validation.finite(chunk, X, "X")
            validation.weights(self._weights)
            validation.computed((np.nan,), "weights, X and scale")  # they are finite
        return A


@documented
def forward(
    weights: Sequence[ArrayLike],
    X: ArrayLike,
    *,
    engine: str = "fused",
    activation: str = "sigmoid",
    output: str = "sigmoid",
    scale: float = 1.0,
) -> Array:
    """The outputs of a network for every example.

    Parameters
    ----------
    {weights, X, engine, activation, output, scale}

    Returns
    -------
    float64 array (m, K)
        Activations of the output layer, a new array.

    {raises}

    See Also
    --------
    Model.predict_proba : the same of a trained model, standardised as it was trained.

    Notes
    -----
    About 2 m P floating-point operations. Ng, Machine Learning, exercise 4 (2011), section 1.3.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=20)
    >>> A = fastnn.forward(model.weights, X)
    >>> A.shape, f"{np.mean(A.argmax(axis=1) == y):.0%}"
    ((5000, 10), '91%')
    """
    scale = validation.real(scale, "scale", above=0.0)
    if validation.choice(engine, engines.ENGINES, "engine") == "fused" and not is_dask(X):
        return Predictor(validation.weights(weights, look=False), activation, output, scale=scale)(X)
    weights = validation.weights(weights)
    sizes = network.sizes_of(weights)
    X = validation.inputs(X, sizes[0])
    if isinstance(X, Stored):  # now, as a sigmoid of an infinity tells nothing of it
        validation.look_through(X)
    A = np.empty((len(X), sizes[-1]))
    outputs(network.theta_of(weights), network.layer_table(sizes, activation, output), X, scale, A, engine)
    validation.computed((A,), "weights, X and scale")
    return A


def outputs(theta: Array, layers: Array, X: Array | Stored, scale: float, A: Array, engine: str) -> None:
    """A[:] = output activations (m, K), by any engine."""
    module = engines.module(engine)
    runs = runs_of(X) if isinstance(X, Stored) else [Run(0, len(X))]
    for run, some in each(X, runs):
        module.forward(read_only(theta), layers, read_only(some), scale, A[run.start : run.stop])

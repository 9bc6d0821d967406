"""A trained network: what it predicts, and how it is kept."""

import dataclasses
import json
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import files, network, solvers, validation
from .kernels.arguments import CLASS_OUTPUTS, HIDDEN
from .network import Weights
from .objective import forward
from .solvers import HISTORY, Outcome
from .validation import Array


class Model:
    """A trained network, as `fastnn.train` and `fastnn.load` return it.

    Attributes
    ----------
    weights : tuple of L float64 arrays
        weights[l] is (s[l+1], s[l] + 1), column 0 the biases.
    classes : array (K,)
        The label of each output, sorted.
    lmbda : float
        The regularisation it was trained with.
    history : record array, fields cost, gradient_norm, evaluations, seconds
        One row for the start and one per iteration, counted from the start;
        `history.cost` or `history["cost"]`. The norm is the gradient's largest entry.
    outcome : Outcome
        How training ended: status, message, cost, gradient_norm, iterations, evaluations, seconds.
    activation, output : str
        Of the hidden layers and of the output.
    sizes : tuple of int
        Layer sizes (n, hidden..., K).
    """

    def __init__(
        self,
        weights: Weights,
        classes: Array,
        lmbda: float,
        history: Any,
        outcome: Outcome,
        activation: str = "sigmoid",
        output: str = "sigmoid",
    ):
        self.weights = weights
        self.classes = classes
        self.lmbda = lmbda
        self.history = history
        self.outcome = outcome
        self.activation = activation
        self.output = output

    @property
    def sizes(self) -> tuple[int, ...]:
        return network.sizes_of(self.weights)

    def __repr__(self) -> str:
        return f"<fastnn.Model {'-'.join(map(str, self.sizes))}, cost {self.outcome.cost:.6f}, {self.outcome.status}>"

    def predict_proba(self, X: ArrayLike) -> Array:
        """The K outputs for every example, (m, K), in the order of `classes`.

        Of sigmoid outputs each is the probability of that class against all others: K separate
        answers, so that a row need not sum to 1. Of a softmax it does.
        """
        return forward(self.weights, X, activation=self.activation, output=self.output)

    def predict(self, X: ArrayLike) -> Array:
        """The label of the largest output for every example (m,); the first of equal ones."""
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """The fraction of examples whose label is predicted right."""
        predicted = self.predict(X)
        labels = validation.labels(y, len(predicted))
        if (labels.dtype.kind == "U") != (self.classes.dtype.kind == "U"):
            raise TypeError(
                f"y has dtype {labels.dtype}; labels like the model's classes, {self.classes.dtype}, are wanted"
            )
        return float(np.mean(predicted == labels))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, all of it or nothing.

        Parameters
        ----------
        path : str or path
            `.npz` (no pickle in it), or `.mat` for the course's tools. Both hold Theta1,
            Theta2, ... and `classes`. An existing file is replaced.
        """
        path = files._path(path)
        arrays = {f"Theta{l + 1}": matrix for l, matrix in enumerate(self.weights)}
        arrays |= {
            "classes": self.classes,
            "lmbda": np.array(self.lmbda),
            "activation": np.array(self.activation),
            "output": np.array(self.output),
            "outcome": np.array(json.dumps(dataclasses.asdict(self.outcome))),
        }
        arrays |= {f"history_{name}": self.history[name] for name in HISTORY}
        files.write_arrays(path, arrays)


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote.

    Parameters
    ----------
    path : str or path
        `.npz` or `.mat`; a .mat file must come from a source that you trust.

    Raises
    ------
    ValueError
        If the file does not hold a whole model.
    OSError
        If it cannot be read.
    """
    path = files._path(path)
    arrays = files.read_arrays(path)
    weights = files.weights_in(arrays, path)
    try:
        classes = (
            np.char.rstrip(arrays["classes"].ravel())
            if arrays["classes"].dtype.kind == "U"
            else arrays["classes"].ravel()
        )
        columns = [arrays[f"history_{name}"].ravel().tolist() for name in HISTORY]
        history = solvers.history(list(zip(*columns, strict=True)))
        outcome = Outcome(**json.loads(str(arrays["outcome"].item())))
        lmbda = float(arrays["lmbda"].item())
        activation = validation.choice(str(arrays["activation"].item()), HIDDEN, "activation")
        output = validation.choice(str(arrays["output"].item()), CLASS_OUTPUTS, "output")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path is {str(path)!r}, which is not a saved model: {error!r}") from None
    if len(classes) != weights[-1].shape[0]:
        raise ValueError(
            f"path is {str(path)!r}, which names {len(classes)} classes for {weights[-1].shape[0]} outputs"
        )
    return Model(weights, classes, lmbda, history, outcome, activation, output)

"""A trained network: what it predicts, and how it is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import files, network
from ..forward import Predictor, all_outputs
from ..inputs import validation
from ..inputs.containers import brought, few
from ..inputs.scaling import Scaling
from ..inputs.validation import Array
from ..network import Weights
from ..outcome import HISTORY, VALIDATION, Outcome
from ..outcome import history as outcome_history
from ..spec import HIDDEN, OUTPUTS
from ..targets import Values, class_names, kind_of, of_outputs
from . import html


class Model:
    """A trained network, as `fastnn.train` and `fastnn.load` return it.

    Attributes
    ----------
    weights : tuple of L float64 arrays
        weights[l] is (s[l+1], s[l] + 1), column 0 the biases. Their entries are read-only; other weights may be
        assigned.
    classes : array (K,), or None
        The label of each output, sorted; of several labels at once their names; None for numbers.
    lmbda : float
        The regularisation it was trained with; 0 if its file holds weights alone.
    history : record array, fields cost, gradient_norm, evaluations, seconds
        One row for the start and one for each iteration; `history.cost` or `history["cost"]` is a column. Evaluations
        and seconds are counted from the start; seconds exclude compiling and loading of kernels. The norm is the
        gradient's largest absolute entry. With validation also validation_cost, which is without regularisation,
        validation_score, and regularisation: `cost - regularisation` is to be compared with validation_cost.
    outcome : fastnn.outcome.Outcome
        How training ended: status, message, cost, gradient_norm, iterations, evaluations, seconds,
        advice, compile_seconds.
    activation, output : str
        Of the hidden layers and of the output.
    sizes : tuple of int
        Layer sizes (n, hidden..., K); those of the weights.
    feature_names : tuple of str, or None
        The columns of the frame that it was trained on, if they had names that are text. A frame with
        other columns, or in another order, is refused then; arrays have no names and go by position.
    multilabel : bool
        Several labels at once.
    kind : fastnn.targets.Kind
        Kind of y: labels of classes, several labels at once, or numbers. It decodes outputs and scores them.
    scaling : Scaling, or None
        What standardises X before the weights see it: `mean` and `deviation`, float64 arrays (n,).
    scale : float
        What X is multiplied by, before all else.
    held_out : bool array (m,), or None
        Examples that a fraction `validation` held out of training: `model.score(X[model.held_out], y[model.held_out])`
        is the score on these. None without such a fraction, for a model from a file, and on a cluster.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, hidden=25, maxiter=20)
    >>> model.sizes, model.classes.tolist()
    ((400, 25, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> [f"{cost:.1f}" for cost in model.history.cost[::5]]  # at the start, and after 5, 10, 15 and 20 iterations
    ['6.8', '2.1', '1.3', '1.0', '0.8']
    >>> images = model.weights[0][:, 1:].reshape(25, 20, 20).transpose(0, 2, 1)  # what each hidden unit looks for
    """

    _predictor: Predictor | None

    def __init__(
        self,
        weights: Weights,
        classes: Array | None,
        lmbda: float,
        history: Any,
        outcome: Outcome,
        activation: str = "sigmoid",
        output: str = "sigmoid",
        *,
        feature_names: Sequence[str] | None = None,
        multilabel: bool = False,
        scaling: Scaling | None = None,
        scale: float = 1.0,
        held_out: Array | None = None,
    ):
        self.weights = weights
        self.kind = of_outputs(classes, multilabel, len(weights[-1]))
        self.lmbda = lmbda
        self.history = history
        self.outcome = outcome
        self.activation = validation.canonical(activation)
        self.output = validation.canonical(output)
        self.feature_names = feature_names
        self.scaling = scaling
        self.scale = scale
        self.held_out = held_out

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, and forget the predictor, which depends on most of them."""
        super().__setattr__(name, value)
        self.__dict__["_predictor"] = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_predictor": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        labels, multilabel = state.pop("classes", None), state.pop("multilabel", False)  # of earlier versions
        self.__dict__.update(state)
        self.weights = self._weights  # read-only again
        if "kind" not in state:
            self.kind = of_outputs(labels, multilabel, self.sizes[-1])

    @property
    def weights(self) -> Weights:
        return self._weights

    @weights.setter
    def weights(self, weights: Weights) -> None:
        self._weights = tuple(matrix.copy() for matrix in weights)
        for matrix in self._weights:  # the predictor has its own copy, which would not change with them
            matrix.flags.writeable = False

    @property
    def classes(self) -> Array | None:
        return self.kind.labels

    @classes.setter
    def classes(self, classes: Array | None) -> None:
        self.kind = of_outputs(classes, self.multilabel, self.sizes[-1])

    @property
    def multilabel(self) -> bool:
        return self.kind.multilabel

    @multilabel.setter
    def multilabel(self, multilabel: bool) -> None:
        self.kind = of_outputs(self.classes, multilabel, self.sizes[-1])

    @property
    def sizes(self) -> tuple[int, ...]:
        return network.sizes_of(self.weights)

    def __repr__(self) -> str:
        outcome = self.outcome
        ended = outcome.status + (f", but {outcome.advice.partition(':')[0]}" if outcome.advice else "")
        return f"<fastnn.Model {'-'.join(map(str, self.sizes))}, cost {outcome.cost:.6f}, {ended}>"

    def _repr_html_(self) -> str:
        """For notebooks: sizes, how it ended, and a small curve of the cost."""
        outcome = self.outcome
        layers = " - ".join(f"{size:,}" for size in self.sizes)
        waited = f", and {outcome.compile_seconds:.3g} s for kernels to compile or load" * bool(outcome.compile_seconds)
        counts = f"{outcome.iterations:,}, {outcome.evaluations:,} evaluations, {outcome.seconds:.3g} s"
        facts = {
            "layers": f"{layers}, {self.activation} and {self.output}",
            "lmbda": f"{self.lmbda:g}",
            "cost": f"{outcome.cost:.6g}",
            "iterations": f"{counts}{waited}",
            "ended": outcome.message,
        }
        if self.classes is not None:
            facts["classes"] = few([*map(str, self.classes)], 10)
        return html.card("fastnn.Model", facts, self.history)

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probability of every class, for every example.

        Parameters
        ----------
        X : array or frame (m, n)
            As in `train`; nothing is written into it.

        Returns
        -------
        float64 array (m, K)
            The outputs, in the order of `classes`. Of sigmoid outputs each is the probability of that class against
            all others: K separate answers, so that a row need not sum to 1. Of a softmax it does. Of X from Dask an
            array of Dask, of which nothing is computed yet.

        Raises
        ------
        ValueError, TypeError
            If X does not fit, or the model is one of numbers.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> model = fastnn.train(X, y, maxiter=20, output="softmax")
        >>> P = model.predict_proba(X)
        >>> P.shape, f"{P[0].sum():.3f}"
        ((5000, 10), '1.000')
        >>> sure = P.max(axis=1) > 0.9
        >>> f"{model.score(X, y):.0%} right of all trained on, {model.score(X[sure], y[sure]):.0%} of the sure ones"
        '92% right of all trained on, 99% of the sure ones'
        """
        if self.output == "identity":
            got = "the model predicts numbers, without probabilities"
            raise ValueError(f"output is 'identity': {got}; predict has them")
        return self._outputs(X)

    def predict(self, X: ArrayLike) -> Array:
        """What the model says of every example: its label, or numbers.

        Parameters
        ----------
        X : array or frame (m, n)
            As in `train`; nothing is written into it.

        Returns
        -------
        array (m,) or (m, K)
            The label of the largest output (m,), the first of equal ones. Of several labels at once int64 0 and 1
            (m, K), 1 for outputs above 0.5. Numbers are float64 (m, K), or (m,) if there is one output. Of X from
            Dask an array of Dask, of which nothing is computed yet.

        Raises
        ------
        ValueError, TypeError
            If X does not fit.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> names = np.array("zero one two three four five six seven eight nine".split())
        >>> model = fastnn.train(X, names[y], maxiter=20)
        >>> model.predict(X[:1500:500]).tolist()
        ['zero', 'one', 'two']
        """
        return self._outputs(X, self.kind.decode)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """How right the predictions are: the share of labels, or R2.

        Parameters
        ----------
        X : array or frame (m, n)
            As in `train`; nothing is written into it.
        y : array (m,) or array (m, K)
            What is right: labels, 0 and 1 for each of several, or numbers, as in `train`.

        Returns
        -------
        float
            The fraction of examples whose label is predicted right, or all of whose labels are. Of numbers R2, the
            share of their variance that is predicted, the mean over the outputs.

        Raises
        ------
        ValueError, TypeError
            If X or y does not fit.

        Warns
        -----
        UserWarning
            If y has a label that the model has never seen; it counts as wrong.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> model = fastnn.train(X[::2], y[::2], maxiter=20)
        >>> f"{model.score(X[::2], y[::2]):.0%} of those trained on, {model.score(X[1::2], y[1::2]):.0%} of the others"
        '92% of those trained on, 89% of the others'
        """
        return self.kind.agreement(brought(self._outputs(X, self.kind.condensed)), brought(y))

    def _outputs(self, X: ArrayLike, answer: Callable[[Array], Array] = all_outputs) -> Array:
        """Return the outputs (m, K), or `answer` of them, computed for some examples at a time."""
        predictor = self._predictor
        if predictor is None:
            network = self.weights, self.activation, self.output
            predictor = Predictor(*network, scale=self.scale, scaling=self.scaling, names=self.feature_names)
            self.__dict__["_predictor"] = predictor
        return predictor(X, answer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, all of it or nothing, with a checksum that `load` compares.

        Parameters
        ----------
        path : str or path
            `.npz` (no pickle in it), `.mat` for the course's tools, or `.safetensors`, which needs the library of that
            name. All hold Theta1, Theta2, ... and `classes` (text in a .mat as a cell array, in .safetensors in its
            metadata). An existing file is replaced.

        Raises
        ------
        ValueError, TypeError
            If path is no such name, or the file would not give the classes back as they are; nothing is written then.
        OSError
            If it cannot be written.

        Examples
        --------
        >>> X, y = fastnn.load_digits()
        >>> model = fastnn.train(X, y, maxiter=5)
        >>> model.save("digits.npz")
        >>> model.save("digits.mat")  # in Octave: load digits.mat
        >>> with np.load("digits.npz") as file:
        ...     file["Theta1"].shape, file["Theta2"].shape
        ((25, 401), (10, 26))
        """
        path = files.checked_path(path)
        files.check_format(path, "path")
        files.write_arrays(path, self.arrays(path))

    def arrays(self, path: Path) -> dict[str, Array]:
        """What a file of that name holds of the model.

        Parameters
        ----------
        path : pathlib.Path
            Only its suffix counts: text is kept in another way in a `.mat`. Nothing is written.

        Returns
        -------
        dict of str to array
            Weights as Theta1, Theta2, ..., and what else is needed to make the model again.

        Examples
        --------
        >>> from pathlib import Path
        >>> model = fastnn.train(np.eye(4), ["a", "b", "a", "b"], hidden=3, maxiter=5)
        >>> arrays = model.arrays(Path("letters.npz"))
        >>> arrays["Theta1"].shape, arrays["classes"].tolist()
        ((3, 5), ['a', 'b'])
        """
        names = validation.saved_names(self.feature_names, self.sizes[0])
        arrays = {f"Theta{l + 1}": matrix for l, matrix in enumerate(self.weights)}
        if self.classes is not None:
            arrays |= _classes_to(path, class_names(self.classes, self.sizes[-1]))
        arrays |= self.scaling._asdict() if self.scaling else {}
        kept = {name: getattr(self, name) for name in ("lmbda", "activation", "output", "multilabel", "scale")}
        kept |= {"outcome": json.dumps(self.outcome.saved()), "feature_names": json.dumps(names)}
        arrays |= {name: np.array(value) for name, value in kept.items()}
        return arrays | {f"history_{name}": self.history[name] for name in self.history.dtype.names}


# Of a saved model the arrays beside its weights.
_KEPT = {
    *("classes", "classes_dtype", "mean", "deviation", "lmbda", "activation", "output", "multilabel", "scale"),
    *("outcome", "feature_names", *(f"history_{name}" for name in (*HISTORY, *VALIDATION))),
    *("plan", "factors", "trail_start", "trail_marks", "trail_costs", "trail_gradients"),  # these of a checkpoint
    *("trail_counts", "trail_seconds", "trail_lowest", "trail_lowest_held_out"),
}


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote, or weights of the course.

    Parameters
    ----------
    path : str or path
        `.npz`, `.mat` or `.safetensors`; a .mat file must come from a source that you trust. A file that holds Theta1,
        Theta2, ... and nothing else, as the course's `ex4weights.mat`, becomes a network of sigmoids.

    Returns
    -------
    Model
        It predicts the same, to the bit. Weights alone have the labels 1..K, as the course numbers the outputs: 10 is
        the digit 0 there. Their cost is NaN, and their `outcome.status` "unknown".

    Raises
    ------
    ModelFileError
        If the file does not hold a whole model, exactly the one that was saved. (Files of versions that wrote no
        checksum are read: damage of a .mat file is not always seen then.)
    OSError
        If it cannot be read.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> fastnn.train(X, y, maxiter=5).save("digits.npz")
    >>> model = fastnn.load("digits.npz")
    >>> model.sizes, model.outcome.status
    ((400, 25, 10), 'iteration limit')
    """
    path = files.checked_path(path)
    return model_in(files.read_arrays(path), path)


def model_in(arrays: dict[str, Array], path: Path) -> Model:
    """The model of a file that has been read."""
    weights = files.weights_in(arrays, path)
    if len(arrays) == len(weights):
        return _of_weights(weights, path)
    unknown = set(arrays) - {f"Theta{l + 1}" for l in range(len(weights))} - _KEPT
    unknown = {name for name in unknown if not name.startswith("trail_state_")}  # a solver's, in a checkpoint
    if unknown:  # one of the others, perhaps, or the checksum, whose name is damaged
        got = f"which holds {files.named(unknown)}"
        raise files.ModelFileError(f"path is {str(path)!r}, {got}: no saved model has these")
    try:
        n, K = weights[0].shape[1] - 1, weights[-1].shape[0]
        output = validation.choice(str(arrays["output"].item()), OUTPUTS, "output")
        fields = [*HISTORY, *(VALIDATION if "history_validation_cost" in arrays else [])]
        missing = {"history_regularisation": np.full(arrays["history_cost"].shape, np.nan)}  # older files lack it
        arrays = missing | arrays
        columns = [arrays[f"history_{name}"].ravel().tolist() for name in fields]
        history = outcome_history(list(zip(*columns, strict=True)))
        outcome = Outcome(**json.loads(str(arrays["outcome"].item())))
        lmbda = float(arrays["lmbda"].item())
        activation = validation.choice(str(arrays["activation"].item()), HIDDEN, "activation")
        names = json.loads(str(arrays["feature_names"].item())) if "feature_names" in arrays else None
        names = validation.saved_names(names, n)
        multilabel = bool(arrays["multilabel"].item()) if "multilabel" in arrays else False
        classes = None if kind_of(output, multilabel) is Values else class_names(_classes_from(path, arrays), K)
        scale = validation.real(float(arrays["scale"].item()) if "scale" in arrays else 1.0, "scale", above=0.0)
        scaling = None
        if "mean" in arrays:
            scaling = Scaling(*validation.saved_scaling(arrays["mean"], arrays["deviation"], n))
    except Exception as error:  # whatever arrays of any kind lead to
        raise files.ModelFileError(f"path is {str(path)!r}, which is not a saved model: {error!r}") from None
    return Model(
        weights, classes, lmbda, history, outcome, activation, output,
        feature_names=names, multilabel=multilabel, scaling=scaling, scale=scale,
    )  # fmt: skip


def _of_weights(weights: Weights, path: Path) -> Model:
    """Return the model of weights alone, its outputs labelled from 1 as the course does."""
    K = len(weights[-1])
    if K < 2:
        raise files.ModelFileError(f"path is {str(path)!r}, weights alone: the outputs must be at least 2, got {K}")
    message = "not known: the file holds weights alone"
    outcome = Outcome("unknown", message, np.nan, np.nan, iterations=0, evaluations=0, seconds=0.0)
    return Model(weights, np.arange(1, K + 1), 0.0, outcome_history([(np.nan, np.nan, 0, 0.0)]), outcome)


def _classes_to(path: Path, classes: Array) -> dict[str, Array]:
    """The arrays that hold the classes in a file of that name; ValueError if it would give back others."""
    suffix = path.suffix.lower()
    text_in_cells = suffix == ".mat" and classes.dtype.kind == "U"  # a char matrix would pad them with spaces
    arrays = {
        "classes": classes.astype(object) if text_in_cells else classes,
        "classes_dtype": np.array(classes.dtype.str),
    }
    try:
        again = _classes_from(path, files.as_read(path, arrays))
        lost = [label for label, kept in zip(classes.tolist(), again.tolist(), strict=True) if kept != label]
    except UnicodeEncodeError as error:
        lost = [error.object]
    if lost:
        raise ValueError(f"path is {str(path)!r}, but {suffix} cannot keep the class {lost[0]!r}; .npz is wanted")
    return arrays


def _classes_from(path: Path, arrays: dict[str, Array]) -> Array:
    """The classes that a file holds, those of earlier versions of this package too."""
    classes = arrays["classes"].ravel()
    if classes.dtype == object:
        return np.array(["".join(np.asarray(cell).ravel()) for cell in classes])
    if "classes_dtype" not in arrays:
        return np.char.rstrip(classes) if path.suffix.lower() == ".mat" and classes.dtype.kind == "U" else classes
    return classes if classes.dtype.kind == "U" else classes.astype(str(arrays["classes_dtype"].item()))

"""Kinds of y: labels of classes, several labels at once, or numbers.

`train` chooses the kind once, by `kind_of`, and the model keeps it. A kind reads y, encodes it for kernels, decodes
outputs, and scores them. To add a kind, write a class like these and return it from `kind_of`.

    y --read--> labels (m,) or numbers (m, K) --to_targets--> kernels.arguments.Targets
    outputs (m, K) --decode--> predictions;  --condensed--> what `agreement` needs of them
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from . import metrics, spec
from .inputs import containers, validation
from .inputs.containers import Array, described, few
from .kernels.arguments import Targets

# Sigmoid outputs above this threshold mean yes, where an example may have several labels.
THRESHOLD = 0.5

# Tolerated difference from 1 of a distribution's sum, for each entry: rounding of float32.
DISTRIBUTION_TOLERANCE = float(np.finfo(np.float32).eps)


class Kind:
    """Kind of y.

    Attributes
    ----------
    labels : array (K,), or None
        Label of each output; None where outputs are numbers.
    K : int
        Outputs.
    multilabel : bool
        True where an example may have several labels.
    numeric : bool
        True where y is numbers (m, K), False where it is labels (m,).
    measure : str
        Name of the score.
    noun : str
        Name of the kind in sentences.
    """

    multilabel: ClassVar[bool] = False
    numeric: ClassVar[bool] = True
    measure: ClassVar[str] = "accuracy"
    noun: ClassVar[str]

    labels: Array | None = None
    K: int

    @staticmethod
    def read(y: ArrayLike, m: int, K: int | None = None) -> Array:
        """Return y as valid labels (m,) or numbers (m, K)."""
        raise NotImplementedError

    @staticmethod
    def summary(values: Array) -> Array:
        """Return all that `joined` needs to know of the values of a shard."""
        return np.empty((0, *values.shape[1:]))

    @classmethod
    def joined(cls, summaries: Sequence[Array], y: object, m: int) -> "Kind":
        """Return the kind of m examples in shards; y is the whole as the user passed it."""
        raise NotImplementedError

    def to_targets(self, values: Array) -> Targets:
        """Return the targets of values that were read."""
        return Targets(np.empty(0, np.int64), values)

    def encode(self, y: ArrayLike, m: int) -> Targets:
        """Return the targets of m other examples; raise ValueError if no output stands for one."""
        return self.to_targets(self.read(y, m, self.K))

    def decode(self, A: Array) -> Array:
        """Return what outputs A (m, K) predict."""
        raise NotImplementedError

    def condensed(self, A: Array) -> Array:
        """Return the part of outputs A (m, K) that `agreement` needs."""
        return A

    def agreement(self, condensed: Array, y: ArrayLike) -> float:
        """Return the score of condensed outputs for y, as the user passed it."""
        return self._score(condensed, self.encode(y, len(condensed)), np.empty(0))

    def score(self, A: Array, targets: Targets, weight: Array) -> float:
        """Return the score of outputs A (m, K); examples count by their weight (m,), if it is not empty."""
        return self._score(self.condensed(A), targets, weight)

    def _score(self, condensed: Array, targets: Targets, weight: Array) -> float:
        raise NotImplementedError

    def shown(self, score: float) -> str:
        """Return a score as text."""
        return f"{100 * score:.2f} %"

    def strata(self, targets: Targets) -> Array:
        """Return the class of each example, int64 (m,); empty where examples have no class, or several."""
        return targets.classes

    def class_weights(self, value: object, totals: Array | None) -> Array:
        """Return the factor of each class; raise ValueError if there are no classes."""
        return class_weights(value, np.empty(0), None)


class Classes(Kind):
    """One label an example, y (m,): numbers, text or booleans."""

    numeric = False
    noun = "classes"
    labels: Array

    def __init__(self, labels: Array):
        self.labels, self.K = labels, len(labels)

    @staticmethod
    def read(y: ArrayLike, m: int, K: int | None = None) -> Array:
        array = containers.labels(y, "y")
        one_per_example(y, array, m)
        return array

    @staticmethod
    def summary(values: Array) -> Array:
        return np.unique(values)

    @classmethod
    def joined(cls, summaries: Sequence[Array], y: object, m: int) -> "Classes":
        if len({"f" if labels.dtype.kind in "iuf" else labels.dtype.kind for labels in summaries}) > 1:
            dtypes = few(sorted(str(labels.dtype) for labels in summaries))
            raise TypeError(f"y has labels of dtypes {dtypes}; one kind is wanted")
        labels = np.unique(np.concatenate(summaries))
        _refuse_measurements(labels, m)
        return cls(labels)

    def to_targets(self, values: Array) -> Targets:
        return Targets(np.searchsorted(self.labels, values).astype(np.int64, copy=False), np.empty((0, self.K)))

    def encode(self, y: ArrayLike, m: int) -> Targets:
        indices, labels = self._indices(y, m)
        if indices.min() < 0:
            unknown, names = labels[indices.argmin()].item(), few([*map(repr, self.labels.tolist())])
            raise ValueError(f"y holds {unknown!r}, a label that the network has no output for; {names} are wanted")
        return Targets(indices, np.empty((0, self.K)))

    def _indices(self, y: ArrayLike, m: int) -> tuple[Array, Array]:
        """Return (class indices, labels), both (m,); the index of an unknown label is -1."""
        array = self.read(y, m)
        if (array.dtype.kind == "U") != (self.labels.dtype.kind == "U"):
            want = f"labels like the model's classes, {self.labels.dtype}, are wanted"
            raise TypeError(f"y has dtype {array.dtype}; {want}")
        places = np.minimum(np.searchsorted(self.labels, array), self.K - 1)
        return np.where(self.labels[places] == array, places, -1), array

    def decode(self, A: Array) -> Array:
        label: Array = self.labels[A.argmax(axis=1)]
        return label

    def condensed(self, A: Array) -> Array:
        best: Array = A.argmax(axis=1)
        return best

    def agreement(self, condensed: Array, y: ArrayLike) -> float:
        """Return the share of right labels. Unknown labels are wrong, with a warning."""
        indices, _ = self.known(y, len(condensed), stacklevel=4)
        return metrics.share(condensed == indices, np.empty(0))

    def known(self, y: ArrayLike, m: int, *, stacklevel: int) -> tuple[Array, Array]:
        """Return (class indices, labels), both (m,); the index of an unknown label is -1, and a warning names it."""
        indices, labels = self._indices(y, m)
        unknown = labels[indices < 0]
        if len(unknown):
            names = few([*map(repr, np.unique(unknown).tolist())])
            warnings.warn(
                f"y holds labels that the model has never seen, {names}: {len(unknown)} of {len(indices)} examples, "
                "which count as wrong",
                stacklevel=stacklevel,
            )
        return indices, labels

    def _score(self, condensed: Array, targets: Targets, weight: Array) -> float:
        return metrics.share(condensed == targets.classes, weight)

    def class_weights(self, value: object, totals: Array | None) -> Array:
        return class_weights(value, self.labels, totals)


class MultiLabel(Kind):
    """Several labels at once, y (m, K) of 0 and 1: which labels each example has."""

    multilabel = True
    noun = "several labels at once"
    labels: Array

    def __init__(self, labels: Array):
        self.labels, self.K = labels, len(labels)

    @staticmethod
    def read(y: ArrayLike, m: int, K: int | None = None) -> Array:
        T = validation.numbers(y, "y")
        if T.ndim != 2 or len(T) != m or T.shape[1] < 1 or K not in (None, T.shape[1]):
            want = f"({m}, {K or 'K'}) of 0 and 1 is wanted with multilabel=True, for each of the {m} examples of X"
            raise ValueError(f"y has shape {T.shape}; {want}")
        wrong = (T != 0.0) & (T != 1.0)
        if wrong.any():
            i, k = np.argwhere(wrong)[0]
            raise ValueError(f"y holds {T[i, k]:g} at index ({i}, {k}); 0 and 1 are wanted with multilabel=True")
        return T

    @classmethod
    def joined(cls, summaries: Sequence[Array], y: object, m: int) -> "MultiLabel":
        K = validation.same_in_chunks([len(one.T) for one in summaries], "y", "columns")
        return cls(np.array(validation.feature_names(y, "y") or range(K)))

    def decode(self, A: Array) -> Array:
        return (A > THRESHOLD).astype(np.int64)

    def _score(self, condensed: Array, targets: Targets, weight: Array) -> float:
        return metrics.share(((condensed > THRESHOLD) == (targets.values > THRESHOLD)).all(axis=1), weight)

    def strata(self, targets: Targets) -> Array:
        return targets.values[:, 0].astype(np.int64) if self.K == 1 else targets.classes

    def class_weights(self, value: object, totals: Array | None) -> Array:
        """Return the factors of 0 and 1 in a single column."""
        return class_weights(value, np.arange(2), totals) if self.K == 1 else super().class_weights(value, totals)


class Values(Kind):
    """Numbers to be fitted, y (m,) or (m, K)."""

    measure = "R2"
    noun = "numbers"

    def __init__(self, K: int):
        self.K = K

    @staticmethod
    def read(y: ArrayLike, m: int, K: int | None = None) -> Array:
        T = validation.numbers(y, "y")
        T = T[:, None] if T.ndim == 1 else T
        if T.ndim != 2 or len(T) != m or T.shape[1] < 1 or K not in (None, T.shape[1]):
            want = f"({m}, K)" if K is None else f"({m}, {K})"
            want = want if K not in (None, 1) else f"({m},) or {want}"
            raise ValueError(f"y has shape {np.shape(y)}; {want} is wanted, numbers for each of the {m} examples of X")
        return T

    @classmethod
    def joined(cls, summaries: Sequence[Array], y: object, m: int) -> "Values":
        return cls(validation.same_in_chunks([len(one.T) for one in summaries], "y", "columns"))

    def decode(self, A: Array) -> Array:
        return A[:, 0] if self.K == 1 else A

    def shown(self, score: float) -> str:
        return f"{score:.4f}"

    def _score(self, condensed: Array, targets: Targets, weight: Array) -> float:
        return metrics.r2(condensed, targets.values, weight)


def kind_of(output: str, multilabel: bool) -> type[Kind]:
    """Return the kind of y that a network with this output is trained on."""
    if multilabel:
        if output != "sigmoid":
            raise ValueError(f"output is {output!r}, with multilabel=True; 'sigmoid' is wanted")
        return MultiLabel
    return Values if output == "identity" else Classes


def of_outputs(labels: Array | None, multilabel: bool, K: int) -> Kind:
    """Return the kind of y for K outputs with these labels, None for numbers."""
    if labels is None:
        return Values(K)
    return MultiLabel(labels) if multilabel else Classes(labels)


def validated_targets(y: ArrayLike, m: int, K: int, output: str) -> Targets:
    """Return the targets of y: class indices (m,), each in 0..K-1, or numbers (m, K) in the range of the output."""
    array = containers.plain(y, "y")
    if (array.ndim == 2 and 1 not in array.shape) or array.shape == (m, K):
        return Targets(np.empty(0, np.int64), _numbers_for(output, y, m, K))
    array = containers.labels(y, "y")
    # Files from Octave hold class indices as floats. Numbers for an identity are (m, K), and floats (m,) seem such.
    if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and output == "identity"):
        raise TypeError(f"y has dtype {array.dtype}; integer class indices (m,), or numbers (m, K), are wanted")
    one_per_example(y, array, m)
    wrong = (array < 0) | (array >= K)
    if array.dtype.kind == "f":
        wrong |= array != np.floor(array)
    if wrong.any():
        got = array[wrong.argmax()]
        raise ValueError(f"y holds {got}; class indices 0..{K - 1} are wanted, one for each of the {K} outputs")
    return Targets(np.ascontiguousarray(array, dtype=np.int64), np.empty((0, K)))


def _numbers_for(output: str, y: ArrayLike, m: int, K: int) -> Array:
    """Return y (m, K) float64: in [0, 1] for a sigmoid, rows that sum to 1 for a softmax."""
    T = validation.numbers(y, "y")
    if T.shape != (m, K):
        raise ValueError(
            f"y has shape {T.shape}; ({m},) or ({m}, {K}) is wanted, a class index or {K} numbers for each example"
        )
    wanted = spec.OUTPUTS[output].loss.targets
    if wanted == spec.UNIT_INTERVAL and not (T.min() >= 0.0 and T.max() <= 1.0):
        i, k = np.argwhere((T < 0.0) | (T > 1.0))[0]
        raise ValueError(f"y holds {T[i, k]:g} at index ({i}, {k}); numbers in [0, 1] are wanted for sigmoid outputs")
    if wanted == spec.DISTRIBUTION:
        sums = T.sum(axis=1)
        wrong = (T.min(axis=1) < 0.0) | (np.abs(sums - 1.0) > K * DISTRIBUTION_TOLERANCE)
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(
                f"y has in row {i} the sum {sums[i]:g} and the least entry {T[i].min():g}; "
                "numbers of at least 0 whose sum is 1 are wanted for a softmax"
            )
    return T


def _refuse_measurements(labels: Array, m: int) -> None:
    """Raise ValueError unless these labels, sorted, are classes: two at least, and no measurements."""
    K = len(labels)
    if K < 2:
        raise ValueError(f"y holds one label only, {labels[0].item()!r}; at least two classes are wanted")
    fitted = "numbers are fitted with output='identity'"
    if labels.dtype.kind == "f" and max(2, m / 2) < K and (labels != np.floor(labels)).any():
        raise ValueError(
            f"y holds {K:,} different numbers for {m:,} examples; labels of a few classes are wanted ({fitted})"
        )
    if K == m > 2 and not np.array_equal(labels, np.arange(m)):
        hint = "" if labels.dtype.kind == "U" else f"; {fitted}"
        warnings.warn(f"y holds {K:,} classes for {m:,} examples, each a class of its own{hint}", stacklevel=6)


def class_names(value: object, K: int) -> Array:
    """Return the labels (K,) of a model's outputs, all different."""
    array = containers.labels(value, "classes")
    if array.shape != (K,):
        raise ValueError(f"classes has shape {array.shape}; ({K},) is wanted, a label for each of the {K} outputs")
    different, counts = np.unique(array, return_counts=True)
    if len(different) < K:
        raise ValueError(f"classes holds {different[counts.argmax()]!r} more than once; different labels are wanted")
    return array


def class_weights(value: object, labels: Array, totals: Array | None) -> Array:
    """Return the factor of each class (K,), from {label: weight}, where 1 may be left out, or "balanced".

    Balanced, all classes count the same together, and all examples as much as before. `totals` (K,) is the weight of
    each class's examples together; None if examples have no class.
    """
    if totals is None:
        want = "one label an example is wanted"
        raise ValueError(f"class_weight is {described(value)}, but y holds no classes; {want}")
    if isinstance(value, str) and value == "balanced":
        there = totals > 0.0
        return np.where(there, totals.sum() / (there.sum() * np.where(there, totals, 1.0)), 1.0)
    if not isinstance(value, Mapping):
        raise TypeError(f"class_weight is {described(value)}; a dict {{label: weight}} or 'balanced' is wanted")
    names, factors = labels.tolist(), np.ones(len(labels))
    for label, number in value.items():
        if label not in names:
            raise ValueError(
                f"class_weight has {label!r}, which is no label in y; of {few([*map(repr, names)])} some are wanted"
            )
        factors[names.index(label)] = validation.real(number, f"class_weight[{label!r}]", minimum=0.0)
    return factors


def one_per_example(y: object, array: Array, m: int) -> None:
    """Raise ValueError unless the array that y became holds one label for each of m examples."""
    if array.ndim != 1:
        raise ValueError(f"y has shape {array.shape}; (m,), one label for each example, is wanted{_hint(y, array)}")
    if len(array) != m:
        raise ValueError(f"y has {len(array)} labels; X has {m} examples, and one label for each is wanted")


def _hint(y: object, array: Array) -> str:
    """Return the advice for labels that are a matrix."""
    if array.ndim != 2 or 0 in array.shape:
        return ""
    flat = "y" if type(y) is np.ndarray else "np.asarray(y)"
    if 1 in array.shape:
        return f"; {flat}.ravel() has it"
    if array.dtype.kind == "U":
        return ""
    if np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all():
        return f"; {flat}.argmax(axis=1) has it"
    return "; multilabel=True takes several labels for an example, output='identity' several numbers"

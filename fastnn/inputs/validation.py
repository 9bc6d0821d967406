"""The only place that refuses bad input, with `containers` for what is no array.

Each function takes what a user passed as the argument `name`, and returns it in the form that
the rest of the package works with, or raises ValueError or TypeError with one sentence: the
argument, what came, what is wanted. Nothing passed in is changed.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..kernels.arguments import KEPT, Targets, arithmetic
from . import containers
from .containers import Array, described, few
from .streams import Stored, each, runs_of, stored

# How far from 1 rounding may leave the sum of a distribution, for each entry: they may have been float32.
DISTRIBUTION_TOLERANCE = float(np.finfo(np.float32).eps)

# No more parameters than so many: 8 TB.
MOST_PARAMETERS = 1 << 40

# What Python or NumPy counts among the integers. A time difference has a unit, and most of them are no float.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)

# scikit-learn's names of choices, and the names that fastnn and its files use.
ALIASES = {"lbfgs": "L-BFGS-B", "logistic": "sigmoid"}

# How many numbers are checked together: the check then needs a megabyte, not a byte for each number.
_CHUNK = 1 << 20


def _numbers(value: Any, name: str, keep: Sequence[Any] = (np.dtype(np.float64),), look: bool = True) -> Array:
    """`value` as a float64 array in C order, or as it is if its type is in `keep`; finite, if that is looked for."""
    if type(value) is np.ndarray and value.dtype in keep and value.flags.c_contiguous and value.ndim:
        array: Array = value
    else:
        array = containers.numbers(value, name)
        dtype = array.dtype if array.dtype in keep and array.dtype.isnative else np.dtype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # of long doubles, which become infinite
            array = np.ascontiguousarray(array, dtype=dtype) if array.ndim else array.astype(dtype)
    if look:
        finite(array, value, name)
    return array


def finite(array: Array, value: Any, name: str) -> None:
    """Raise ValueError if the array that was made of `value` holds NaN or infinities."""
    if array.dtype.kind != "f":
        return
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        chunk = np.isfinite(flat[start : start + _CHUNK])
        if not chunk.all():
            place = int(start + chunk.argmin())
            names, where = containers.column_names(value), containers.place(array, place)
            if names:
                row, column = divmod(place, len(names))
                name, where = f"{name}[{names[column]!r}]", str(row)
            raise ValueError(f"{name} holds {flat[place]} at index {where}; finite numbers are wanted")


def computed(results: Iterable[Any], name: str = "weights, X, y, scale and lmbda") -> None:
    """Raise ValueError if one of the results of finite numbers holds NaN: a sum on the way has overflowed."""
    if any(np.isnan(result).any() for result in results):
        raise ValueError(f"{name} are too large together: their sums overflow; smaller numbers in them are wanted")


def inputs(X: Any, n: int | None = None, name: str = "X", look: bool = True) -> Array:
    """X (m, n), m and n at least 1: an array of a type in KEPT, or what is not in memory, as it is.

    Without `look`, and where it is not in memory, it may hold NaN or infinities (`look_through`).
    """
    if containers.is_dask(X):
        raise TypeError(f"{name} is of Dask, which train and predict take; an array is wanted here: {name}.compute()")
    array: Any = stored(X, name)
    array = _numbers(X, name, KEPT, look) if array is None else array
    if array.shape == (n,):
        row = f"{name}[None]" if hasattr(type(X), "reshape") else f"[{name}]"
        raise ValueError(f"{name} must have shape (m, {n}), got ({n},). For one example pass {row}.")
    if len(array.shape) != 2 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; (m, n), one example a row, is wanted, m and n at least 1")
    if n is not None and array.shape[1] != n:
        raise ValueError(f"{name} has {array.shape[1]} columns; the network has {n} inputs")
    return array


def look_through(X: Stored, name: str = "X") -> None:
    """Raise ValueError if X, read from the first example to the last, holds NaN or infinities."""
    for run, examples in each(X, runs_of(X)):
        if not np.isfinite(examples).all():
            i, j = np.argwhere(~np.isfinite(examples))[0].tolist()
            place = X.number(run.start + i), j
            raise ValueError(f"{name} holds {examples[i, j]} at index {place}; finite numbers are wanted")


def feature_names(X: Any, name: str = "X") -> tuple[str, ...] | None:
    """The names of a frame's columns; None for what has no names, or only numbers."""
    names = containers.column_names(X) or []
    text = [isinstance(column, str) for column in names]
    if not any(text):
        return None
    if not all(text):
        got = f"{names[text.index(True)]!r} and {names[text.index(False)]!r}"
        raise TypeError(f"{name} has columns named {got}; names that are all text, or none of them, are wanted")
    return tuple(map(str, names))


def same_names(got: Sequence[str], want: Sequence[str], name: str) -> None:
    """Raise ValueError unless the columns got are those that a model was trained on, in their order."""
    missing, unknown = (
        list((Counter(some) - Counter(others)).elements()) for some, others in ((want, got), (got, want))
    )
    if missing or unknown:
        faults = [f"lacks {few([*map(repr, missing)])}"] * bool(missing)
        faults += [f"has {few([*map(repr, unknown)])}, which the model does not know"] * bool(unknown)
        raise ValueError(f"{name} {' and '.join(faults)}; the columns that the model was trained on are wanted")
    if list(got) != list(want):
        i = next(i for i, pair in enumerate(zip(got, want, strict=True)) if pair[0] != pair[1])
        remedy = f": {name}[list(model.feature_names)]" if name.isidentifier() else ""
        raise ValueError(
            f"{name} has column {got[i]!r} where the model was trained on {want[i]!r}; "
            f"the columns in the model's order are wanted{remedy}"
        )


def saved_names(value: Any, n: int) -> tuple[str, ...] | None:
    """A model's names of its n inputs: text, or None if they have none."""
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or not all(isinstance(column, str) for column in value):
        raise TypeError(f"feature_names is {described(value)}; a tuple of text is wanted, or None")
    if len(value) != n:
        raise ValueError(f"feature_names has {len(value)} names; {n} are wanted, one for each input")
    return tuple(value)


def saved_scaling(mean: Any, deviation: Any, n: int) -> tuple[Array, Array]:
    """A model's mean and deviation of its n inputs, float64 (n,); no deviation is 0."""
    mean, deviation = theta(np.ravel(mean), n, "mean"), theta(np.ravel(deviation), n, "deviation")
    if deviation.min() <= 0.0:
        raise ValueError(f"deviation holds {deviation.min():g}; numbers greater than 0 are wanted")
    return mean, deviation


def targets(y: ArrayLike, m: int, K: int, output: str) -> Targets:
    """y (m,) class indices, every one in 0..K-1, or (m, K) numbers that suit the output."""
    array = containers.plain(y, "y")
    if (array.ndim == 2 and 1 not in array.shape) or array.shape == (m, K):
        return Targets(np.empty(0, np.int64), _target_values(y, m, K, output))
    array = containers.labels(y, "y")
    # Files from Octave hold class indices as floats. Numbers for an identity are (m, K), and floats (m,) seem such.
    if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and output == "identity"):
        raise TypeError(f"y has dtype {array.dtype}; integer class indices (m,), or numbers (m, K), are wanted")
    _one_per_example(y, array, m)
    wrong = (array < 0) | (array >= K)
    if array.dtype.kind == "f":
        wrong |= array != np.floor(array)
    if wrong.any():
        got = array[wrong.argmax()]
        raise ValueError(f"y holds {got}; class indices 0..{K - 1} are wanted, one for each of the {K} outputs")
    return Targets(np.ascontiguousarray(array, dtype=np.int64), np.empty((0, K)))


def _target_values(y: ArrayLike, m: int, K: int, output: str) -> Array:
    """y (m, K) float64: in [0, 1] for a sigmoid, rows that sum to 1 for a softmax."""
    T = _numbers(y, "y")
    if T.shape != (m, K):
        raise ValueError(
            f"y has shape {T.shape}; ({m},) or ({m}, {K}) is wanted, a class index or {K} numbers for each example"
        )
    if output == "sigmoid" and not (T.min() >= 0.0 and T.max() <= 1.0):
        i, k = np.argwhere((T < 0.0) | (T > 1.0))[0]
        raise ValueError(f"y holds {T[i, k]:g} at index ({i}, {k}); numbers in [0, 1] are wanted for sigmoid outputs")
    if output == "softmax":
        sums = T.sum(axis=1)
        wrong = (T.min(axis=1) < 0.0) | (np.abs(sums - 1.0) > K * DISTRIBUTION_TOLERANCE)
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(
                f"y has in row {i} the sum {sums[i]:g} and the least entry {T[i].min():g}; "
                "numbers of at least 0 whose sum is 1 are wanted for a softmax"
            )
    return T


def labels(y: ArrayLike, m: int) -> Array:
    """y (m,), labels of any one kind: numbers, text or booleans."""
    array = containers.labels(y, "y")
    _one_per_example(y, array, m)
    return array


def classes(y: ArrayLike, m: int) -> tuple[Array, Targets]:
    """Of labels (m,) the classes, sorted, at least two; and which of them each label is."""
    array = labels(y, m)
    found, indices = np.unique(array, return_inverse=True)
    some_classes(found, m)
    return found, Targets(indices.astype(np.int64, copy=False), np.empty((0, len(found))))


def some_classes(found: Array, m: int) -> None:
    """Raise ValueError unless the labels found, sorted, are classes: two at least, and no measurements."""
    K = len(found)
    if K < 2:
        raise ValueError(f"y holds one label only, {found[0].item()!r}; at least two classes are wanted")
    fitted = "numbers are fitted with output='identity'"
    if found.dtype.kind == "f" and max(2, m / 2) < K and (found != np.floor(found)).any():
        raise ValueError(
            f"y holds {K:,} different numbers for {m:,} examples; labels of a few classes are wanted ({fitted})"
        )
    if K == m > 2 and not np.array_equal(found, np.arange(m)):
        hint = "" if found.dtype.kind == "U" else f"; {fitted}"
        warnings.warn(f"y holds {K:,} classes for {m:,} examples, each a class of its own{hint}", stacklevel=7)


def answers(y: ArrayLike, m: int, output: str, multilabel: bool) -> tuple[Array | None, Targets]:
    """What a training's y means: the classes, the names of several labels, or None for numbers; and the targets."""
    if multilabel:
        if output != "sigmoid":
            raise ValueError(f"output is {output!r}, with multilabel=True; 'sigmoid' is wanted")
        T = several_labels(y, m)
        return np.array(feature_names(y, "y") or range(T.shape[1])), Targets(np.empty(0, np.int64), T)
    if output == "identity":
        return None, Targets(np.empty(0, np.int64), values(y, m))
    return classes(y, m)


def values(y: ArrayLike, m: int, K: int | None = None) -> Array:
    """y (m,) or (m, K), numbers to be fitted, as float64 (m, K)."""
    T = _numbers(y, "y")
    T = T[:, None] if T.ndim == 1 else T
    if T.ndim != 2 or len(T) != m or T.shape[1] < 1 or K not in (None, T.shape[1]):
        want = f"({m}, K)" if K is None else f"({m}, {K})"
        want = want if K not in (None, 1) else f"({m},) or {want}"
        raise ValueError(f"y has shape {np.shape(y)}; {want} is wanted, numbers for each of the {m} examples of X")
    return T


def several_labels(y: ArrayLike, m: int, K: int | None = None) -> Array:
    """y (m, K) of 0 and 1 as float64: which of K labels each example has."""
    T = _numbers(y, "y")
    if T.ndim != 2 or len(T) != m or T.shape[1] < 1 or K not in (None, T.shape[1]):
        want = f"({m}, {K or 'K'}) of 0 and 1 is wanted with multilabel=True, for each of the {m} examples of X"
        raise ValueError(f"y has shape {T.shape}; {want}")
    wrong = (T != 0.0) & (T != 1.0)
    if wrong.any():
        i, k = np.argwhere(wrong)[0]
        raise ValueError(f"y holds {T[i, k]:g} at index ({i}, {k}); 0 and 1 are wanted with multilabel=True")
    return T


def class_indices(y: ArrayLike, m: int, classes: Array) -> Array:
    """Of labels (m,) which of the classes, sorted, each is: int64 (m,), -1 for one that is none of them."""
    array = labels(y, m)
    if (array.dtype.kind == "U") != (classes.dtype.kind == "U"):
        raise TypeError(f"y has dtype {array.dtype}; labels like the model's classes, {classes.dtype}, are wanted")
    places = np.minimum(np.searchsorted(classes, array), len(classes) - 1)
    return np.where(classes[places] == array, places, -1)


def known_answers(y: ArrayLike, m: int, like: Array | None, K: int, multilabel: bool) -> Targets:
    """The targets of other examples than those of a training, whose classes or names are `like`."""
    if multilabel:
        return Targets(np.empty(0, np.int64), several_labels(y, m, K))
    if like is None:
        return Targets(np.empty(0, np.int64), values(y, m, K))
    indices = class_indices(y, m, like)
    if indices.min() < 0:
        unknown = labels(y, m)[indices.argmin()].item()
        names = few([*map(repr, like.tolist())])
        raise ValueError(f"y holds {unknown!r}, a label that the network has no output for; {names} are wanted")
    return Targets(indices, np.empty((0, K)))


def class_weights(value: Any, classes: Array | None, totals: Array | None) -> Array:
    """What each class counts (K,): of a dict {label: weight}, where 1 need not be said, or "balanced".

    Balanced, all classes count the same together, and all examples as much as before. `totals` (K,) is what the
    examples of each class weigh together; None if they have no classes, or several.
    """
    if classes is None or totals is None:
        raise ValueError(f"class_weight is {described(value)}, but y holds no classes; one label an example is wanted")
    if isinstance(value, str) and value == "balanced":
        there = totals > 0.0
        return np.where(there, totals.sum() / (there.sum() * np.where(there, totals, 1.0)), 1.0)
    if not isinstance(value, Mapping):
        raise TypeError(f"class_weight is {described(value)}; a dict {{label: weight}} or 'balanced' is wanted")
    names, found = classes.tolist(), np.ones(len(classes))
    for label, number in value.items():
        if label not in names:
            raise ValueError(
                f"class_weight has {label!r}, which is no label in y; of {few([*map(repr, names)])} some are wanted"
            )
        found[names.index(label)] = real(number, f"class_weight[{label!r}]", minimum=0.0)
    return found


def held_out(value: Any) -> float | tuple[Any, Any, Any] | None:
    """The argument `validation`: a fraction of the examples, or others, (X, y) or (X, y, weights)."""
    if value is None:
        return None
    if isinstance(value, (tuple, list)) and len(value) in (2, 3):
        return value[0], value[1], value[2] if len(value) == 3 else None
    want = "a fraction between 0 and 1, (X, y) or (X, y, sample_weight) is wanted"
    if not _is_a(value, Real):
        raise TypeError(f"validation is {described(value)}; {want}")
    if not 0.0 < (fraction := _float(value)) < 1.0:
        raise ValueError(f"validation is {described(value)}; {want}")
    return fraction


def limit(value: Any, name: str, others: Any) -> float:
    """Where a training ends, by the name of the argument; None is nowhere. `others` are watched by `patience`."""
    if value is None and name not in ("maxiter", "tol"):
        return -math.inf if name == "target_cost" else math.inf
    if name == "patience" and others is None:
        raise ValueError(f"patience is {described(value)}, but there is no validation; both are wanted")
    if name in ("maxiter", "max_evaluations", "patience"):
        return positive(value, name)
    if name == "max_seconds":
        return real(value, name, above=0.0)
    return real(value, name, minimum=0.0) if name == "tol" else real(value, name)


@contextmanager
def about(argument: str) -> Iterator[None]:
    """What is refused in here is refused as a part of that argument."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"{argument}: {error}") from None


def class_names(value: Any, K: int) -> Array:
    """What a model's K outputs stand for: labels (K,), all different."""
    array = containers.labels(value, "classes")
    if array.shape != (K,):
        raise ValueError(f"classes has shape {array.shape}; ({K},) is wanted, a label for each of the {K} outputs")
    found, counts = np.unique(array, return_counts=True)
    if len(found) < K:
        raise ValueError(f"classes holds {found[counts.argmax()]!r} more than once; different labels are wanted")
    return array


def sample_weight(value: ArrayLike | None, m: int, *, part: bool = False) -> Array:
    """A weight for each of m examples, none negative, and all 0 only in a part of the data; empty for None."""
    if value is None:
        return np.empty(0)
    array = _numbers(value, "sample_weight")
    if array.shape != (m,):
        raise ValueError(f"sample_weight has shape {array.shape}; ({m},) is wanted, one weight for each example")
    if array.min() < 0.0:
        raise ValueError(f"sample_weight holds {array.min():g}; weights of at least 0 are wanted")
    if not array.any():
        if part:
            return array
        raise ValueError("sample_weight is zero for every example; a positive weight is wanted")
    return positive_sum(array, "sample_weight")


def in_range(weight: Array, dtype: Any) -> None:
    """Raise ValueError if losses times weights (m,) could be too small or too large where X is of that type.

    Half the range of exponents is left to the losses.
    """
    largest, most = weight.max(initial=0.0), 2.0 ** (np.finfo(arithmetic(dtype)).maxexp // 2)
    if largest and not 1.0 / most <= largest <= most:
        raise ValueError(
            f"sample_weight, times class_weight, has the largest entry {largest:g}; with X of {dtype} one from "
            f"{1 / most:.1g} to {most:.1g} is wanted: all weights, and lmbda, times a number mean the same"
        )


def positive_sum(array: Array, name: str) -> Array:
    """Weights (m,) of at least 0, not all of them 0."""
    with np.errstate(over="ignore"):
        total = array.sum()
    if not 0.0 < total < math.inf:
        raise ValueError(f"{name} has the sum {total:g}; a positive, finite one is wanted")
    return array


def _one_per_example(y: ArrayLike, array: Array, m: int) -> None:
    """Raise unless the array that y became holds one label for each of m examples."""
    if array.ndim != 1:
        raise ValueError(f"y has shape {array.shape}; (m,), one label for each example, is wanted{_hint(y, array)}")
    if len(array) != m:
        raise ValueError(f"y has {len(array)} labels; X has {m} examples, and one label for each is wanted")


def _hint(y: ArrayLike, array: Array) -> str:
    """What to pass instead of labels that are a matrix."""
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


def weights(
    value: Any, n: int | None = None, K: int | None = None, name: str = "weights", look: bool = True
) -> tuple[Array, ...]:
    """A tuple of matrices, each with one column more than the one before has rows; `look` as of `inputs`."""
    if not isinstance(value, (tuple, list)) or not value:
        raise TypeError(f"{name} is {described(value)}; a tuple of matrices, one for each layer, is wanted")
    matrices = tuple(_numbers(matrix, f"{name}[{l}]", look=look) for l, matrix in enumerate(value))
    for l, matrix in enumerate(matrices):
        if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
            raise ValueError(
                f"{name}[{l}] has shape {matrix.shape}; (units, 1 + inputs) is wanted, column 0 the biases"
            )
        if l and matrix.shape[1] != matrices[l - 1].shape[0] + 1:
            raise ValueError(
                f"{name}[{l}] has {matrix.shape[1]} columns; "
                f"{matrices[l - 1].shape[0] + 1} are wanted, one more than {name}[{l - 1}] has rows"
            )
    if n is not None and matrices[0].shape[1] != n + 1:
        raise ValueError(f"{name}[0] has {matrices[0].shape[1]} columns; {n + 1} are wanted for the {n} columns of X")
    if K is not None and matrices[-1].shape[0] != K:
        raise ValueError(f"{name}[{len(matrices) - 1}] has {matrices[-1].shape[0]} rows; {K} are wanted, one per class")
    return matrices


def like_weights(value: Any, like: tuple[Array, ...], name: str) -> tuple[Array, ...]:
    """A tuple of matrices of the same shapes as `like`."""
    matrices = weights(value, name=name)
    got, want = [matrix.shape for matrix in matrices], [matrix.shape for matrix in like]
    if got != want:
        raise ValueError(f"{name} has shapes {got}; {want}, those of the weights, are wanted")
    return matrices


def sizes(value: Any, name: str = "sizes") -> tuple[int, ...]:
    """Layer sizes (n, hidden..., K): at least two positive integers."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 2:
        raise TypeError(f"{name} is {described(value)}; layer sizes (n, hidden..., K) are wanted")
    return no_giant(tuple(positive(size, f"{name}[{i}]") for i, size in enumerate(value)), name)


def no_giant(sizes: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Layer sizes whose parameters a machine's memory may hold."""
    if sum(above * (below + 1) for below, above in pairwise(sizes)) > MOST_PARAMETERS:
        raise ValueError(f"{name} makes more than {MOST_PARAMETERS:.1e} parameters; fewer are wanted")
    return sizes


def hidden(value: Any, name: str = "hidden") -> tuple[int, ...]:
    """The sizes of the hidden layers: a positive integer or a sequence of them, empty for none."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, Integral):
        return (positive(value, name),)
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} is {described(value)}; an integer or a tuple of integers is wanted")
    return tuple(positive(size, f"{name}[{i}]") for i, size in enumerate(value))


def parameters(value: ArrayLike, P: int) -> Array:
    """Positions in theta: int64 (N,), N at least 1, every entry in 0..P-1."""
    array = containers.numbers(value, "parameters")
    if array.dtype.kind not in "iu" or array.ndim != 1 or not array.size:
        got = f"shape {array.shape} and dtype {array.dtype}"
        raise ValueError(f"parameters has {got}; a list of positions in theta, integers, is wanted")
    if array.min() < 0 or array.max() >= P:
        wrong = array[(array < 0) | (array >= P)][0]
        raise ValueError(f"parameters holds {wrong}; positions in theta, 0..{P - 1}, are wanted")
    return np.ascontiguousarray(array, dtype=np.int64)


def theta(value: ArrayLike, P: int, name: str = "theta") -> Array:
    """A flat vector of P parameters."""
    array = _numbers(value, name)
    if array.shape != (P,):
        raise ValueError(f"{name} has shape {array.shape}; ({P},) is wanted, one entry for each parameter")
    return array


def positive(value: Any, name: str) -> int:
    """An integer, at least 1."""
    if not _is_a(value, Integral):
        raise TypeError(f"{name} is {described(value)}; a positive integer is wanted")
    if value < 1:
        raise ValueError(f"{name} is {described(value)}; a positive integer is wanted")
    return int(value)


def natural(value: Any, name: str) -> int:
    """An integer, at least 0."""
    if not _is_a(value, Integral):
        raise TypeError(f"{name} is {described(value)}; an integer of at least 0 is wanted")
    if value < 0:
        raise ValueError(f"{name} is {described(value)}; an integer of at least 0 is wanted")
    return int(value)


def span(start: Any, stop: Any) -> tuple[int, int]:
    """The integers from start to stop - 1, at least one, none of them negative; stop at most 2**62."""
    start, stop = natural(start, "start"), natural(stop, "stop")
    if not start < stop <= 2**62:
        want = f"an integer greater than start, {start}," if stop <= start else "an integer of at most 2**62"
        raise ValueError(f"stop is {stop}; {want} is wanted")
    return start, stop


def real(
    value: Any, name: str, *, above: float = -math.inf, minimum: float = -math.inf, below: float = math.inf
) -> float:
    """A finite number, greater than `above`, at least `minimum` and less than `below`."""
    want = "a finite number"
    want += f" greater than {above:g}" if above > -math.inf else ""
    want += f" of at least {minimum:g}" if minimum > -math.inf else ""
    want += f" and less than {below:g}" if below < math.inf else ""
    if not _is_a(value, Real):
        raise TypeError(f"{name} is {described(value)}; {want} is wanted")
    number = _float(value)
    if not (math.isfinite(number) and number > above and minimum <= number < below):
        raise ValueError(f"{name} is {described(value)}; {want} is wanted")
    return number


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, _NO_NUMBERS)


def _float(value: Real) -> float:
    """Infinity for an integer, or a fraction of two, that is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def function(value: Any, name: str) -> Any:
    """What can be called, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} is {described(value)}; a function is wanted, or None")
    return value


def optional_flag(value: Any, name: str) -> bool | None:
    """True, False or None."""
    return None if value is None else flag(value, name)


def flag(value: Any, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {described(value)}; True or False is wanted")
    return bool(value)


def verbosity(value: Any) -> Any:
    """False, True, a number of at least 0, or "bar"."""
    if not isinstance(value, (bool, np.bool_, Real)) and not (isinstance(value, str) and value == "bar"):
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"verbose is {described(value)}; True, False, a number or 'bar' is wanted")
    return value if isinstance(value, (bool, np.bool_, str)) else real(value, "verbose", minimum=0.0)


def canonical(name: Any) -> Any:
    """Return fastnn's name for an alias; any other value unchanged."""
    return ALIASES.get(name, name) if isinstance(name, str) else name


def choice(value: Any, choices: Sequence[str], name: str) -> str:
    """One of a few words, by its canonical name."""
    own = canonical(value)
    if not isinstance(own, str) or own not in choices:
        error = ValueError if isinstance(value, str) else TypeError
        allowed = [*choices, *(alias for alias, meant in ALIASES.items() if meant in choices)]
        raise error(f"{name} is {described(value)}; one of {', '.join(map(repr, allowed))} is wanted")
    return own


def needs(subject: str, *requirements: str) -> str:
    """Return the sentence that says which libraries `subject` needs, and the command that installs them.

    It never names an extra of this package: on PyPI the name fastnn belongs to another project.
    """
    names = " and ".join(re.sub("(.+)>=(.+)", r"\1 \2 or later", requirement) for requirement in requirements)
    quoted = " ".join(f'"{requirement}"' if ">" in requirement else requirement for requirement in requirements)
    return f"{subject} needs {names}: python -m pip install {quoted}"


def seed(value: Any) -> np.random.Generator:
    """A random generator: of a seed, of the system's entropy (None), or one that the user brings."""
    if isinstance(value, np.random.Generator):
        return value
    if value is None:
        return np.random.default_rng()
    if not _is_a(value, Integral):
        raise TypeError(f"seed is {described(value)}; an integer, None or a numpy Generator is wanted")
    if value < 0:
        raise ValueError(f"seed is {described(value)}; an integer of at least 0 is wanted")
    return np.random.default_rng(int(value))

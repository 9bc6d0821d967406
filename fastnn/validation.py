"""The only place that refuses bad input.

Each function takes what a user passed as the argument `name`, and returns it in the form that
the rest of the package works with, or raises ValueError or TypeError with one sentence: the
argument, what came, what is wanted. Nothing passed in is changed.
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .kernels.arguments import Targets

Array = np.ndarray[Any, np.dtype[Any]]

# How far from 1 rounding may leave the sum of a distribution, for each entry: they may have been float32.
DISTRIBUTION_TOLERANCE = float(np.finfo(np.float32).eps)

# How many numbers are checked together: the check then needs a megabyte, not a byte for each number.
_CHUNK = 1 << 20


def _numbers(value: Any, name: str, keep: type | None = None) -> Array:
    """`value` as a float64 array in C order, or as it is if its type is `keep`; finite."""
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is sparse ({type(value).__name__}); a dense array is wanted: {name}.toarray()")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} has rows of different lengths; a rectangular array is wanted") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are wanted")
    dtype = array.dtype if array.dtype == keep and array.dtype.isnative else np.dtype(np.float64)
    array = np.ascontiguousarray(array, dtype=dtype) if array.ndim else array.astype(dtype)
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        finite = np.isfinite(flat[start : start + _CHUNK])
        if not finite.all():
            place = tuple(int(i) for i in np.unravel_index(start + finite.argmin(), array.shape))
            raise ValueError(f"{name} holds {array[place]} at index {place}; finite numbers are wanted")
    return array


def inputs(X: ArrayLike, n: int | None = None, name: str = "X") -> Array:
    """X (m, n), float64 or float32, m and n at least 1."""
    array = _numbers(X, name, keep=np.float32)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; (m, n), one example a row, is wanted, m and n at least 1")
    if n is not None and array.shape[1] != n:
        raise ValueError(f"{name} has {array.shape[1]} columns; the network has {n} inputs")
    return array


def targets(y: ArrayLike, m: int, K: int, output: str) -> Targets:
    """y (m,) integer class indices, every one in 0..K-1, or (m, K) numbers that suit the output."""
    array = np.asarray(y)
    if (array.ndim == 2 and 1 not in array.shape) or array.shape == (m, K):
        return Targets(np.empty(0, np.int64), _target_values(y, m, K, output))
    if array.dtype.kind not in "iu":
        raise TypeError(f"y has dtype {array.dtype}; integer class indices (m,), or numbers (m, K), are wanted")
    _one_per_example(array, m)
    if array.min() < 0 or array.max() >= K:
        wrong = array[(array < 0) | (array >= K)][0]
        raise ValueError(f"y holds {wrong}; class indices 0..{K - 1} are wanted, one for each of the {K} outputs")
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
    """y (m,), labels of any one kind: numbers, strings or booleans."""
    array = np.asarray(y)
    if array.dtype.kind == "O" and all(isinstance(label, str) for label in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in "biufU":
        raise TypeError(f"y has dtype {array.dtype}; labels that are numbers, strings or booleans are wanted")
    _one_per_example(array, m)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"y holds {array[~np.isfinite(array)][0]}; a label for every example is wanted")
    return array


def classes(y: ArrayLike, m: int) -> tuple[Array, Targets]:
    """Of labels (m,) the classes, sorted, at least two; and which of them each label is."""
    found, indices = np.unique(labels(y, m), return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"y holds one label only, {found[0]!r}; at least two classes are wanted")
    return found, Targets(indices.astype(np.int64, copy=False), np.empty((0, len(found))))


def sample_weight(value: ArrayLike | None, m: int, *, part: bool = False) -> Array:
    """A weight for each of m examples, none negative, and all 0 only in a part of the data; empty for None."""
    if value is None:
        return np.empty(0)
    array = _numbers(value, "sample_weight")
    if array.shape != (m,):
        raise ValueError(f"sample_weight has shape {array.shape}; ({m},) is wanted, one weight for each example")
    if array.min() < 0.0:
        raise ValueError(f"sample_weight holds {array.min():g}; weights of at least 0 are wanted")
    with np.errstate(over="ignore"):
        total = array.sum()
    if not (total > 0.0 or part) or total == math.inf:
        raise ValueError(f"sample_weight has the sum {total:g}; a positive, finite one is wanted")
    return array


def _one_per_example(y: Array, m: int) -> None:
    if y.ndim != 1:
        hint = "; y.ravel() has it" if y.ndim == 2 and 1 in y.shape else ""
        raise ValueError(f"y has shape {y.shape}; (m,), one label for each example, is wanted{hint}")
    if len(y) != m:
        raise ValueError(f"y has {len(y)} labels; X has {m} examples, and one label for each is wanted")


def weights(value: Any, n: int | None = None, K: int | None = None, name: str = "weights") -> tuple[Array, ...]:
    """A tuple of matrices, each with one column more than the one before has rows."""
    if not isinstance(value, (tuple, list)) or not value:
        raise TypeError(f"{name} is {_described(value)}; a tuple of matrices, one for each layer, is wanted")
    matrices = tuple(_numbers(matrix, f"{name}[{l}]") for l, matrix in enumerate(value))
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
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str) or len(value) < 2:
        raise TypeError(f"{name} is {_described(value)}; layer sizes (n, hidden..., K) are wanted")
    return tuple(positive(size, f"{name}[{i}]") for i, size in enumerate(value))


def hidden(value: Any) -> tuple[int, ...]:
    """The sizes of the hidden layers: a positive integer or a sequence of them, empty for none."""
    if isinstance(value, Integral):
        return (positive(value, "hidden"),)
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"hidden is {_described(value)}; an integer or a tuple of integers is wanted")
    return tuple(positive(size, f"hidden[{i}]") for i, size in enumerate(value))


def parameters(value: ArrayLike, P: int) -> Array:
    """Positions in theta: int64 (N,), N at least 1, every entry in 0..P-1."""
    array = np.asarray(value)
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
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {_described(value)}; a positive integer is wanted")
    if value < 1:
        raise ValueError(f"{name} is {value}; a positive integer is wanted")
    return int(value)


def real(value: Any, name: str, *, above: float = -math.inf, minimum: float = -math.inf) -> float:
    """A finite number, greater than `above` and at least `minimum`."""
    want = "a finite number"
    want += f" greater than {above:g}" if above > -math.inf else ""
    want += f" of at least {minimum:g}" if minimum > -math.inf else ""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} is {_described(value)}; {want} is wanted")
    number = float(value)
    if not (math.isfinite(number) and number > above and number >= minimum):
        raise ValueError(f"{name} is {value}; {want} is wanted")
    return number


def choice(value: Any, choices: Sequence[str], name: str) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} is {_described(value)}; one of {', '.join(map(repr, choices))} is wanted")
    return value


def seed(value: Any) -> np.random.Generator:
    """A random generator: of a seed, of the system's entropy (None), or one that the user brings."""
    if isinstance(value, np.random.Generator):
        return value
    if value is None:
        return np.random.default_rng()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"seed is {_described(value)}; an integer, None or a numpy Generator is wanted")
    if value < 0:
        raise ValueError(f"seed is {value}; an integer of at least 0 is wanted")
    return np.random.default_rng(int(value))


def _described(value: Any) -> str:
    """`value` in a few words: what it is if it is short, else its type."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else f"a {type(value).__name__}"

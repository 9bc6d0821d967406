"""The only place that refuses bad input, with `containers` for what is no array.

Each function takes what a user passed as the argument `name`, and returns it in the form that
the rest of the package works with, or raises ValueError or TypeError with one sentence: the
argument, what came, what is wanted. Nothing passed in is changed.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .. import spec
from ..kernels.arguments import KEPT, arithmetic
from ..spec import DType
from . import containers
from .containers import Array, described, few
from .streams import Stored, each, runs_of, stored

T = TypeVar("T")

# No more parameters than so many: 8 TB.
MOST_PARAMETERS = 1 << 40

# What Python or NumPy counts among the integers. A time difference has a unit, and most of them are no float.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)

# scikit-learn's names of choices, and the names that fastnn and its files use.
ALIASES = {"lbfgs": "L-BFGS-B", **spec.ALIASES}

# How many numbers are checked together: the check then needs a megabyte, not a byte for each number.
_CHUNK = 1 << 20


def numbers(value: object, name: str, keep: Sequence[DType] = (np.dtype(np.float64),), look: bool = True) -> Array:
    """Return `value` as a float64 array in C order, or as it is if its type is in `keep`; finite, if `look`."""
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


def finite(array: Array, value: object, name: str) -> None:
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


def computed(results: Iterable[ArrayLike], name: str = "weights, X, y, scale and lmbda") -> None:
    """Raise ValueError if one of the results of finite numbers holds NaN: a sum on the way has overflowed."""
    if any(np.isnan(result).any() for result in results):
        raise ValueError(f"{name} are too large together: their sums overflow; smaller numbers in them are wanted")


def inputs(X: object, n: int | None = None, name: str = "X", look: bool = True) -> Array:
    """X (m, n), m and n at least 1: an array of a type in KEPT, or what is not in memory, as it is.

    Without `look`, and where it is not in memory, it may hold NaN or infinities (`look_through`).
    """
    if containers.is_dask(X):
        raise TypeError(f"{name} is of Dask, which train and predict take; an array is wanted here: {name}.compute()")
    array: Any = stored(X, name)
    array = numbers(X, name, KEPT, look) if array is None else array
    if array.shape == (n,):
        row = f"{name}[None]" if hasattr(type(X), "reshape") else f"[{name}]"
        raise ValueError(f"{name} must have shape (m, {n}), got ({n},). For one example pass {row}.")
    if len(array.shape) != 2 or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; (m, n), one example a row, is wanted, m and n at least 1")
    if n is not None and array.shape[1] != n:
        raise ValueError(f"{name} has {array.shape[1]} columns; the network has {n} inputs")
    return array


def look_through(X: Array | Stored, name: str = "X") -> None:
    """Raise ValueError if X, read from the first example to the last, holds NaN or infinities."""
    for run, examples in each(X, runs_of(X)):
        if not np.isfinite(examples).all():
            i, j = np.argwhere(~np.isfinite(examples))[0].tolist()
            place = X.number(run.start + i) if isinstance(X, Stored) else run.start + i, j
            raise ValueError(f"{name} holds {examples[i, j]} at index {place}; finite numbers are wanted")


def feature_names(X: object, name: str = "X") -> tuple[str, ...] | None:
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


def saved_names(value: object, n: int) -> tuple[str, ...] | None:
    """A model's names of its n inputs: text, or None if they have none."""
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or not all(isinstance(column, str) for column in value):
        raise TypeError(f"feature_names is {described(value)}; a tuple of text is wanted, or None")
    if len(value) != n:
        raise ValueError(f"feature_names has {len(value)} names; {n} are wanted, one for each input")
    return tuple(value)


def saved_scaling(mean: ArrayLike, deviation: ArrayLike, n: int) -> tuple[Array, Array]:
    """A model's mean and deviation of its n inputs, float64 (n,); no deviation is 0."""
    mean, deviation = theta(np.ravel(mean), n, "mean"), theta(np.ravel(deviation), n, "deviation")
    if deviation.min() <= 0.0:
        raise ValueError(f"deviation holds {deviation.min():g}; numbers greater than 0 are wanted")
    return mean, deviation


def held_out(value: object) -> float | tuple[ArrayLike, ArrayLike, ArrayLike | None] | None:
    """The argument `validation`: a fraction of the examples, or others, (X, y) or (X, y, weights)."""
    if value is None:
        return None
    if isinstance(value, (tuple, list)) and len(value) in (2, 3):
        return value[0], value[1], value[2] if len(value) == 3 else None
    want = "a fraction between 0 and 1, (X, y) or (X, y, sample_weight) is wanted"
    fraction = _float(value) if _is_real(value) else math.nan
    if not 0.0 < fraction < 1.0:
        raise _wrong(_is_real(value))(f"validation is {described(value)}; {want}")
    return fraction


def limit(value: object, name: str, others: object) -> float:
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


def sample_weight(value: ArrayLike | None, m: int, *, part: bool = False) -> Array:
    """A weight for each of m examples, none negative, and all 0 only in a part of the data; empty for None."""
    if value is None:
        return np.empty(0)
    array = numbers(value, "sample_weight")
    if array.shape != (m,):
        raise ValueError(f"sample_weight has shape {array.shape}; ({m},) is wanted, one weight for each example")
    if array.min() < 0.0:
        raise ValueError(f"sample_weight holds {array.min():g}; weights of at least 0 are wanted")
    if not array.any():
        if part:
            return array
        raise ValueError("sample_weight is zero for every example; a positive weight is wanted")
    return positive_sum(array, "sample_weight")


def in_range(weight: Array, dtype: DType) -> None:
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


def weights(
    value: object, n: int | None = None, K: int | None = None, name: str = "weights", look: bool = True
) -> tuple[Array, ...]:
    """A tuple of matrices, each with one column more than the one before has rows; `look` as of `inputs`."""
    if not isinstance(value, (tuple, list)) or not value:
        raise TypeError(f"{name} is {described(value)}; a tuple of matrices, one for each layer, is wanted")
    matrices = tuple(numbers(matrix, f"{name}[{l}]", look=look) for l, matrix in enumerate(value))
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


def like_weights(value: object, like: tuple[Array, ...], name: str) -> tuple[Array, ...]:
    """A tuple of matrices of the same shapes as `like`."""
    matrices = weights(value, name=name)
    got, want = [matrix.shape for matrix in matrices], [matrix.shape for matrix in like]
    if got != want:
        raise ValueError(f"{name} has shapes {got}; {want}, those of the weights, are wanted")
    return matrices


def sizes(value: object, name: str = "sizes") -> tuple[int, ...]:
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


def hidden(value: object, name: str = "hidden") -> tuple[int, ...]:
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
    array = numbers(value, name)
    if array.shape != (P,):
        raise ValueError(f"{name} has shape {array.shape}; ({P},) is wanted, one entry for each parameter")
    return array


def positive(value: object, name: str) -> int:
    """An integer, at least 1."""
    return _integer(value, name, 1, "a positive integer")


def natural(value: object, name: str) -> int:
    """An integer, at least 0."""
    return _integer(value, name, 0, "an integer of at least 0")


def _integer(value: object, name: str, least: int, want: str) -> int:
    """Return an integer that is large enough; `want` says so in a message."""
    if _is_integer(value) and int(value) >= least:
        return int(value)
    raise _wrong(_is_integer(value))(f"{name} is {described(value)}; {want} is wanted")


def span(start: object, stop: object) -> tuple[int, int]:
    """The integers from start to stop - 1, at least one, none of them negative; stop at most 2**62."""
    start, stop = natural(start, "start"), natural(stop, "stop")
    if not start < stop <= 2**62:
        want = f"an integer greater than start, {start}," if stop <= start else "an integer of at most 2**62"
        raise ValueError(f"stop is {stop}; {want} is wanted")
    return start, stop


def real(
    value: object, name: str, *, above: float = -math.inf, minimum: float = -math.inf, below: float = math.inf
) -> float:
    """A finite number, greater than `above`, at least `minimum` and less than `below`."""
    want = "a finite number"
    want += f" greater than {above:g}" if above > -math.inf else ""
    want += f" of at least {minimum:g}" if minimum > -math.inf else ""
    want += f" and less than {below:g}" if below < math.inf else ""
    number = _float(value) if _is_real(value) else math.nan
    if not (math.isfinite(number) and number > above and minimum <= number < below):
        raise _wrong(_is_real(value))(f"{name} is {described(value)}; {want} is wanted")
    return number


def _wrong(of_its_type: bool) -> type[ValueError] | type[TypeError]:
    return ValueError if of_its_type else TypeError


def _is_integer(value: object) -> TypeGuard[Integral]:
    return isinstance(value, Integral) and not isinstance(value, _NO_NUMBERS)


def _is_real(value: object) -> TypeGuard[Real]:
    return isinstance(value, Real) and not isinstance(value, _NO_NUMBERS)


def _float(value: Real) -> float:
    """Infinity for an integer, or a fraction of two, that is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def function(value: T, name: str) -> T:
    """What can be called, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} is {described(value)}; a function is wanted, or None")
    return value


def optional_flag(value: object, name: str) -> bool | None:
    """True, False or None."""
    return None if value is None else flag(value, name)


def flag(value: object, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {described(value)}; True or False is wanted")
    return bool(value)


def verbosity(value: object) -> object:
    """False, True, a number of at least 0, or "bar"."""
    if not isinstance(value, (bool, np.bool_, Real)) and not (isinstance(value, str) and value == "bar"):
        raise _wrong(isinstance(value, str))(f"verbose is {described(value)}; True, False, a number or 'bar' is wanted")
    return value if isinstance(value, (bool, np.bool_, str)) else real(value, "verbose", minimum=0.0)


def canonical(name: T) -> T | str:
    """Return fastnn's name for an alias; any other value unchanged."""
    return ALIASES.get(name, name) if isinstance(name, str) else name


def choice(value: object, choices: Collection[str], name: str) -> str:
    """One of a few words, by its canonical name."""
    own = canonical(value)
    if not isinstance(own, str) or own not in choices:
        allowed = [*choices, *(alias for alias, meant in ALIASES.items() if meant in choices)]
        raise _wrong(isinstance(value, str))(
            f"{name} is {described(value)}; one of {', '.join(map(repr, allowed))} is wanted"
        )
    return own


def needs(subject: str, *requirements: str) -> str:
    """Return the sentence that says which libraries `subject` needs, and the command that installs them.

    It never names an extra of this package: on PyPI the name fastnn belongs to another project.
    """
    names = " and ".join(re.sub("(.+)>=(.+)", r"\1 \2 or later", requirement) for requirement in requirements)
    quoted = " ".join(f'"{requirement}"' if ">" in requirement else requirement for requirement in requirements)
    return f"{subject} needs {names}: python -m pip install {quoted}"


def seed(value: object) -> np.random.Generator:
    """A random generator: of a seed, of the system's entropy (None), or one that the user brings."""
    if isinstance(value, np.random.Generator):
        return value
    if value is None:
        return np.random.default_rng()
    if not _is_integer(value):
        raise TypeError(f"seed is {described(value)}; an integer, None or a numpy Generator is wanted")
    return np.random.default_rng(natural(value, "seed"))


def same_in_chunks(counts: Sequence[int], name: str, what: str) -> int:
    """Return the number that all chunks of X have; raise ValueError if one has another."""
    for number, count in enumerate(counts):
        if count != counts[0]:
            raise ValueError(
                f"{name} has {count} {what} in chunk {number} and {counts[0]} in the first; the same is wanted"
            )
    return counts[0]

"""What people bring, as plain NumPy arrays: lists, frames and their columns, tensors, masked arrays.

No other library is imported: its objects are known by what they can do. What is no array of the kind
that is asked for, or would lose something on the way, is refused as in `validation`.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Integral, Real
from operator import ne
from typing import Any, TypeGuard, TypeVar

import numpy as np

from ..spec import Array as Array
from ..spec import DType

T = TypeVar("T")

# What entries of an array of objects may be; in this order, as a bool is an integer too.
KINDS: dict[type, Any] = {str: str, bool: (bool, np.bool_), int: Integral, float: (Real, Decimal)}


def plain(value: Any, name: str) -> Array:
    """`value` as a NumPy array, of any type and shape; nothing in it is masked."""
    if type(value) is np.ndarray:
        return value
    for method in ("toarray", "todense", "to_dense"):  # a dense tensor of torch has to_dense too, and says how it lies
        if hasattr(type(value), method) and "strided" not in str(getattr(value, "layout", "")):
            raise TypeError(f"{name} is sparse ({type(value).__name__}); a dense array is wanted: {name}.{method}()")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        where = f" at index {place(value, np.flatnonzero(np.ma.getmaskarray(value))[0])}" if value.ndim else ""
        raise ValueError(f"{name} is masked{where}; an array with nothing masked is wanted")
    if _is_list(value) and any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, value))):
        value = [plain(part, f"{name}[{i}]") for i, part in enumerate(value)]
    try:
        # Some libraries' tensors can be read by DLPack alone.
        dlpack = hasattr(value, "__dlpack__") and not hasattr(value, "__array__")
        array = np.from_dlpack(value) if dlpack else np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # of the library that it is from
        if isinstance(error, ValueError) and _is_list(value):
            raise ValueError(f"{name} has rows of different lengths; a rectangular array is wanted") from None
        kind = type(value).__name__
        raise TypeError(f"{name} is of type {kind}, which NumPy cannot read; {_remedy(value, name, error)}") from None
    if array.ndim == 0 and array.dtype == object:
        raise TypeError(f"{name} is {described(value)}; an array is wanted")
    return array


class Named:
    """Array with column names, which validation reads like a frame."""

    columns: Sequence[str] = ()

    def __init__(self, array: Array, columns: Sequence[str]):
        self._array, self.columns = array, columns

    def __array__(self, dtype: DType | None = None, copy: bool | None = None) -> Array:
        return self._array

    def items(self) -> Iterable[tuple[str, Array]]:
        return zip(self.columns, self._array.T, strict=True)


def with_names(X: T, names: Sequence[str] | None) -> T | Named:
    """Give an array in memory the names of its columns, if there are any."""
    return Named(X, names) if names and isinstance(X, np.ndarray) and type(X) is np.ndarray else X


def is_dask(value: object) -> bool:
    """Whether it is an array, a frame or a column of Dask."""
    kind = type(value)
    return (
        kind is not np.ndarray and kind.__module__.partition(".")[0] in ("dask", "dask_expr") and hasattr(value, "dask")
    )


def brought(value: Any) -> Any:
    """What Dask has, in this process; anything else as it is."""
    return value.compute() if is_dask(value) else value


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether it is a list or like one: entries of any type, which NumPy makes one type of."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, memoryview))


def _remedy(value: object, name: str, error: Exception) -> str:
    """What to pass instead of a tensor; of anything else what its library says."""
    try:
        calls = ".detach()" if getattr(value, "requires_grad", False) else ""
        calls += ".cpu()" if str(getattr(value, "device", "cpu")) != "cpu" else ""
        calls += ".float()" if "bfloat16" in str(getattr(value, "dtype", "")) else ""
    except Exception:  # it is no tensor, but whatever is asked of it fails
        calls = ""
    said, _, _ = str(error).partition("\n")
    return f"{name}{calls} is wanted" if calls else f"it says: {said}"


def numbers(value: Any, name: str) -> Array:
    """`value` as an array of numbers or booleans, which may still be NaN or infinite."""
    names = column_names(value)
    if not names or hasattr(type(value), "items"):  # pandas makes numbers of numbers alone; others, of dates too
        array = plain(value, name)
        if not names or array.dtype.kind in "biuf":
            return _real(array, name)
    frame = f"{name}.to_pandas()" if hasattr(type(value), "to_pandas") else name
    dummies = f"{name}.to_dummies()" if hasattr(type(value), "to_dummies") else f"pandas.get_dummies({frame})"
    columns = []
    for label, column in zip(names, _columns(value), strict=True):
        own = f"{name}[{label!r}]"
        columns.append(_real(plain(column, own), own, f"; {dummies} makes columns of numbers from text"))
        if columns[-1].ndim != 1:
            raise TypeError(f"{own} has shape {columns[-1].shape}; a column with one number a row is wanted")
    return np.column_stack(columns)


def _real(array: Array, name: str, hint: str = "") -> Array:
    """An array of any type as one of numbers or booleans; text is never read as numbers."""
    if array.dtype.kind in "OT":
        elements, kinds = _elements(array, name, "a finite number", "real numbers are")
        if str in kinds:
            i = next(i for i, element in enumerate(elements) if isinstance(element, str))
            got = f"{described(elements[i])} at index {place(array, i)}"
            raise TypeError(f"{name} holds text, {got}; real numbers are wanted{hint}")
        try:
            return np.array(elements, dtype=np.float64).reshape(array.shape)
        except OverflowError:
            raise ValueError(f"{name} holds an integer too large for float64; real numbers are wanted") from None
    if array.dtype.kind not in "biuf":
        hint = hint if array.dtype.kind == "U" else ""
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are wanted{hint}")
    return array


def labels(value: object, name: str) -> Array:
    """`value` as an array of labels: all of them numbers, or text, or booleans, and none missing."""
    array = plain(value, name)
    if _is_list(value):  # what is mixed NumPy has made all text or all numbers, without a word
        array = np.array(value, dtype=object)
    if array.dtype.kind in "OT":
        array = _one_kind(array, name)
    if array.dtype.kind not in "biufU":
        raise TypeError(f"{name} has dtype {array.dtype}; labels that are numbers, text or booleans are wanted")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        i = int(np.isfinite(array).argmin())
        raise ValueError(f"{name} holds {array.flat[i]} at index {place(array, i)}; a label is wanted there")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _one_kind(array: Array, name: str) -> Array:
    """Labels that are objects, in the type that NumPy has for their kind; equal to what they were."""
    elements, kinds = _elements(array, name, "a label", "labels that are numbers, text or booleans are")
    if len(kinds) > 1 and kinds != {int, float}:
        i = next(i for i, element in enumerate(elements) if _kind(type(element)) is not _kind(type(elements[0])))
        first, other = (f"{described(elements[j])} at index {place(array, j)}" for j in (0, i))
        raise TypeError(f"{name} holds {first} and {other}; labels of one kind are wanted")
    if str in kinds:
        elements = [str.__str__(element) for element in elements]  # a member of an enum is its value, not its name
    found = np.array(elements)
    if kinds == {int} and found.dtype.kind not in "iu":  # some are too large, and told from the 0 in their place
        fitting = [element if -(2**63) <= element < 2**63 else 0 for element in elements]
        found = np.array(fitting, dtype=np.int64)
    if float in kinds and found.dtype.kind != "f":
        found = found.astype(np.float64)
    if found.tolist() != elements:
        i = next(i for i, (kept, element) in enumerate(zip(found.tolist(), elements, strict=True)) if kept != element)
        got = f"{described(elements[i])} at index {place(array, i)}"
        raise ValueError(f"{name} holds {got}, which NumPy cannot keep as it is; another label is wanted")
    return found.reshape(array.shape)


def _elements(array: Array, name: str, want: str, others: str) -> tuple[list[Any], set[type | None]]:
    """What an array of objects holds, in C order, and of which kinds; nothing missing, nothing of another kind."""
    elements = array.astype(object).ravel().tolist()
    kinds = set(map(_kind, set(map(type, elements))))
    if None in kinds or (float in kinds and any(map(ne, elements, elements))):
        for i, element in enumerate(elements):
            if getattr(element, "ndim", None) == 0 and not isinstance(element, (np.generic, np.ma.MaskedArray)):
                elements[i] = element = element.item()  # an array or a tensor of one number
            if _is_missing(element):
                raise ValueError(
                    f"{name} holds {described(element)} at index {place(array, i)}; {want} is wanted there"
                )
            if _kind(type(element)) is None:
                raise TypeError(f"{name} holds {described(element)} at index {place(array, i)}; {others} wanted")
        kinds = set(map(_kind, set(map(type, elements))))
    return elements, kinds


def _kind(kind: type) -> type | None:
    """str, bool, int or float, whichever values of that type are, NumPy's own too; None if they are nothing of it."""
    for common, types in KINDS.items():
        if issubclass(kind, types) and not issubclass(kind, np.timedelta64):
            return common
    return None


def _is_missing(value: object) -> bool:
    """None, NaN, NaT, pandas.NA, a masked value: they are not equal to themselves, or do not say."""
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)
    except TypeError:
        return True
    except Exception:  # of an array, that it is neither
        return False


def column_names(value: Any) -> list[object] | None:
    """The names of a frame's columns, of any type (pandas, polars, pyarrow, and what is like them); else None."""
    kind = type(value)
    if hasattr(kind, "column_names"):
        return list(value.column_names)
    if hasattr(kind, "columns") and (hasattr(kind, "items") or hasattr(kind, "iter_columns")):
        return list(value.columns)
    return None


def _columns(frame: Any) -> Iterable[object]:
    for method in ("itercolumns", "iter_columns"):  # pyarrow, polars
        if hasattr(type(frame), method):
            return getattr(frame, method)()
    return [column for _, column in frame.items()]


def place(array: Array, position: int) -> str:
    """The index of the entry at that position in C order."""
    index = tuple(map(int, np.unravel_index(position, array.shape)))
    return str(index[0]) if len(index) == 1 else str(index)


def described(value: object) -> str:
    """`value` in a few words: what it is if it is short and says more than an address, else its type."""
    try:
        text = repr(value)
    except Exception:  # its own, or that an integer has too many digits
        text = ""
    return text if 0 < len(text) <= 40 and "\n" not in text and " at 0x" not in text else f"a {type(value).__name__}"


def few(words: Sequence[str], shown: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(words) - shown:,} more" if len(words) > shown else ""
    return ", ".join(words[:shown]) + more

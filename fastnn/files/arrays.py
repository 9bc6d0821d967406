"""Examples in files of named arrays: X, y, or others that the user names. In HDF5 X is read in chunks."""

import os
from collections.abc import Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from .paths import named, one_line, unreadable
from .reader import Examples, Format, Options, Reader

if TYPE_CHECKING:
    import h5py

# Most memory that arrays of a file may take, as a multiple of its size. zip and MATLAB pack data to 1/1,032 at best: a
# file that announces more holds something twice, or packed twice.
PACKING = 1_100

# Memory, in bytes, that arrays of any file may take: short files of zeros, say, pack better.
ALWAYS_ALLOWED = 1 << 25


def reader(module: Format) -> Reader:
    """Return the reader of a format of named arrays."""
    return Reader(partial(_examples, module), partial(_labels, module), module, is_named=True)


def read(
    path: Path,
    module: Format,
    *,
    name: str = "path",
    large: str = "",
    packing: int = PACKING,
    error: type[ValueError] = ValueError,
) -> dict[str, Array]:
    """Read all arrays of the file that is the argument `name`; nothing in it is ever executed.

    Raise `error` if the file is damaged, holds a sparse matrix, or announces more than `packing` times its size.
    """
    with open(path, "rb") as file:
        try:
            most = max(ALWAYS_ALLOWED, packing * file.seek(0, os.SEEK_END))
            file.seek(0)
            arrays = module.read(file, most, large)
        except ImportError:  # the library that reads it is missing
            raise
        except Exception as fault:  # readers raise various exceptions for damaged files
            raise error(unreadable(path, fault, name)) from None
    sparse = [name for name, value in arrays.items() if hasattr(value, "toarray")]
    if sparse or {"format", "shape", "data"} <= set(arrays):  # scipy.sparse.save_npz writes these
        matrix = sparse[0] if sparse else "matrix"
        raise error(f"{name} is {str(path)!r}, whose {matrix} is sparse; dense arrays are wanted")
    return arrays


def _examples(module: Format, path: Path, options: Options) -> Examples:
    arrays = read(path, module, large=options.inputs or "X")
    inputs, label = array_names(path, arrays, options)
    return Examples(arrays[inputs], None if label is None else arrays[label])


def _labels(module: Format, path: Path, options: Options, m: int) -> tuple[Array, list[str]]:
    arrays = read(path, module, name="labels")
    if "y" not in arrays:
        raise ValueError(f"labels is {str(path)!r}, which holds {named(arrays)}; an array y is wanted")
    return arrays["y"], []


def array_names(path: Path, found: Collection[str], options: Options) -> tuple[str, str | None]:
    """Choose a file's arrays for X and y; None if its y is not wanted, or not there and not required.

    y labels X. For inputs="Xval" it is not used, even if its length fits.
    """
    for option, name in (("inputs", options.inputs), ("label", options.label)):
        if name is not None and name not in found:
            raise ValueError(f"{option} must name an array in {str(path)!r}, got {name!r}. It holds {named(found)}")
    if options.inputs is None and "X" not in found:
        want = "arrays X and y are wanted. Name others by inputs and label"
        raise ValueError(f"path is {str(path)!r}, which holds {named(found)}; {want}")
    inputs = options.inputs or "X"
    if options.labels is not None:
        return inputs, None
    label = options.label or ("y" if inputs == "X" or "X" not in found else None)
    if isinstance(label, str) and label in found:
        return inputs, label
    if options.n is None and options.labelled:
        got = f"holds no y{f' for {inputs}' if options.inputs else ''}; it holds {named(found)}"
        remedy = "Set label to the name of its labels, or labels to a file of labels"
        raise ValueError(f"path is {str(path)!r}, which {got}. {remedy}")
    return inputs, None


def hdf5_examples(path: Path, options: Options) -> Examples:
    """Open a file for X, a dataset, and read y, which `labels` may name."""
    with open(path, "rb"):
        pass  # the system's own words are best for a file that it cannot open
    try:
        import h5py
    except ImportError:
        raise ValueError(validation.needs(f"path {str(path)!r}", "h5py")) from None
    try:
        file = h5py.File(path, "r")  # stays open as long as a dataset of it is in use
        found: dict[str, Any] = {}
        file.visititems(lambda name, node: found.update({name: node} if isinstance(node, h5py.Dataset) else {}))
    except Exception as error:
        raise ValueError(unreadable(path, error)) from None
    with ExitStack() as unless_sound:
        unless_sound.callback(file.close)
        inputs, label = array_names(path, found, options)
        if options.labels is not None:
            label = Path(options.labels).as_posix()
        try:
            X, y = found[inputs], found.get(label or "")
            _check_datasets(X, y, inputs, options)
            result = Examples(X, None if y is None else _read_labels(y))
        except Exception as error:  # ours, or HDF5's
            raise ValueError(f"path is {str(path)!r}, {one_line(error)}") from None
        unless_sound.pop_all()
    return result


def _check_datasets(X: "h5py.Dataset", y: "h5py.Dataset | None", inputs: str, options: Options) -> None:
    """Raise ValueError unless X is numbers (m, n), y holds a label for each, and both were written."""
    if len(X.shape or ()) != 2 or X.dtype.kind not in "biuf":
        raise ValueError(f"whose {inputs} is {X.shape} of {X.dtype}; numbers (m, n), one example a row, are wanted")
    for data in [X] if y is None else [X, y]:
        if not data.is_virtual and data.nbytes > max(ALWAYS_ALLOWED, PACKING * data.id.get_storage_size()):
            got = f"whose {data.name.lstrip('/')} announces shape {data.shape}, but never was written"
            raise ValueError(f"{got}; all numbers are wanted")
    if y is not None and (not y.shape or (y.size != len(X) and not (options.numbers and len(y) == len(X)))):
        got = f"whose {y.name.lstrip('/')} is {y.shape} of {y.dtype}"
        raise ValueError(f"{got}; a label for each of the {len(X)} examples of {inputs} is wanted")


def _read_labels(y: "h5py.Dataset") -> Array:
    """Read a dataset of labels, text as an array of strings."""
    import h5py

    return np.array(y.asstr()[()], str) if h5py.check_string_dtype(y.dtype) else np.asarray(y[()])

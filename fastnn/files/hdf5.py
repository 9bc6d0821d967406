"""Examples in HDF5 files: X is a dataset that is read in chunks."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from .arrays import ALWAYS_ALLOWED, PACKING, array_names
from .paths import one_line, suffix_of
from .reader import Examples, Options

if TYPE_CHECKING:
    import h5py


def examples(path: Path, options: Options) -> Examples:
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
        raise ValueError(
            f"path is {str(path)!r}, which cannot be read as {suffix_of(path)}: {one_line(error)}"
        ) from None
    with ExitStack() as unless_sound:
        unless_sound.callback(file.close)
        inputs, label = array_names(path, found, options)
        if options.labels is not None:
            label = Path(options.labels).as_posix()
        try:
            X, y = found[inputs], found.get(label or "")
            _check(X, y, inputs, options)
            result = Examples(X, None if y is None else _read(y))
        except Exception as error:  # ours, or HDF5's
            raise ValueError(f"path is {str(path)!r}, {one_line(error)}") from None
        unless_sound.pop_all()
    return result


def _check(X: "h5py.Dataset", y: "h5py.Dataset | None", inputs: str, options: Options) -> None:
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


def _read(y: "h5py.Dataset") -> Array:
    """Read a dataset of labels, text as an array of strings."""
    import h5py

    return np.array(y.asstr()[()], str) if h5py.check_string_dtype(y.dtype) else np.asarray(y[()])

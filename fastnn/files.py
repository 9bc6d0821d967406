"""Users' files: examples, weights and arrays; writing a file whole or not at all."""

import csv
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from . import validation
from .network import Weights
from .validation import Array


def read_data(path: str | os.PathLike[str]) -> tuple[Array, Array]:
    """Examples and labels from a file.

    Parameters
    ----------
    path : str or path
        `.mat` or `.npz` with the arrays X (m, n) and y (m labels), or `.csv` with an example a
        row, the label last, and at most one header line. A .mat file must come from a source
        that you trust: SciPy's reader is not hardened.

    Returns
    -------
    X : float64 array (m, n)
    y : array (m,)
        The labels as they stand in the file.

    Raises
    ------
    ValueError
        If the file does not hold that.
    OSError
        If it cannot be read.
    """
    X, y = _read(_path(path))
    if y is None:
        raise ValueError(f"path is {str(path)!r}, which holds no y; arrays X and y are wanted")
    return X, y


def read_examples(path: str | os.PathLike[str], n: int) -> tuple[Array, Array | None]:
    """Examples with n inputs, and their labels if the file has any: y, or a column after n."""
    return _read(_path(path), n)


def _read(path: Path, n: int | None = None) -> tuple[Array, Array | None]:
    """X, and y or None; with n given, a .csv of n columns has no labels."""
    if path.suffix in TABLES:
        X, y = TABLES[path.suffix](path, n)
    else:
        arrays = read_arrays(path)
        if "X" not in arrays:
            raise ValueError(f"path is {str(path)!r}, which holds {_names(arrays)}; arrays X and y are wanted")
        X, y = arrays["X"], arrays.get("y")
    X = validation.inputs(X, n)
    if y is None:
        return X, None
    return X, validation.labels(y.ravel() if 1 in y.shape else y, len(X))


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """Weights from a .mat file with Theta1, Theta2, ... or from a saved model.

    Parameters
    ----------
    path : str or path
        `.mat` (the course's `ex4weights.mat`, or a model saved as .mat) or `.npz` (a saved
        model). A .mat file must come from a source that you trust.

    Returns
    -------
    tuple of L float64 arrays, weights[l] (s[l+1], s[l] + 1)

    Raises
    ------
    ValueError
        If the file does not hold weights whose shapes fit together.
    OSError
        If it cannot be read.
    """
    path = _path(path)
    return weights_in(read_arrays(path), path)


def weights_in(arrays: dict[str, Array], path: Path) -> Weights:
    """Theta1, Theta2, ... of a file that has been read."""
    if "Theta1" not in arrays:
        raise ValueError(f"path is {str(path)!r}, which holds {_names(arrays)}; arrays Theta1, Theta2, ... are wanted")
    layers = 1
    while f"Theta{layers + 1}" in arrays:
        layers += 1
    try:
        return validation.weights(tuple(arrays[f"Theta{l + 1}"] for l in range(layers)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"path is {str(path)!r}: {error}") from None


def read_arrays(path: Path) -> dict[str, Array]:
    """All arrays of a file of one of the FORMATS; nothing in it is ever executed."""
    if path.suffix not in FORMATS:
        want = f"{', '.join(FORMATS)} or, for data, {', '.join(TABLES)}"
        raise ValueError(f"path is {str(path)!r}; a file that ends in {want} is wanted")
    with open(path, "rb") as file:
        try:
            return FORMATS[path.suffix].read(file)
        except Exception as error:  # the readers raise whatever a damaged file leads them to
            raise ValueError(f"path is {str(path)!r}, which cannot be read as {path.suffix}: {error}") from None


def write_arrays(path: Path, arrays: dict[str, Array]) -> None:
    """A file of that format with these arrays, all of it or nothing."""
    check_format(path, "path")
    write_atomically(path, lambda file: FORMATS[path.suffix].write(file, arrays))


def check_format(path: Path, name: str) -> None:
    """Raise ValueError if arrays cannot be written to a file of that name."""
    if path.suffix not in FORMATS:
        raise ValueError(f"{name} is {str(path)!r}; a name that ends in {' or '.join(FORMATS)} is wanted")


def _read_mat(file: IO[bytes]) -> dict[str, Array]:
    from scipy.io import loadmat

    return {name: value for name, value in loadmat(file).items() if isinstance(value, np.ndarray)}


def _write_mat(file: IO[bytes], arrays: dict[str, Array]) -> None:
    from scipy.io import savemat

    savemat(file, arrays)


def _read_npz(file: IO[bytes]) -> dict[str, Array]:
    """Like np.load without pickle, but no header can ask for more memory than the file holds."""
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as member:
                version = np.lib.format.read_magic(member)
                header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = header(member)
                if int(np.prod(shape, dtype=object)) * dtype.itemsize > entry.file_size:
                    raise ValueError(f"{entry.filename} announces shape {shape}, more than it holds")
            with archive.open(entry) as member:
                arrays[entry.filename.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
    return arrays


def _write_npz(file: IO[bytes], arrays: dict[str, Array]) -> None:
    np.savez(file, allow_pickle=False, **arrays)


def _read_csv(path: Path, n: int | None) -> tuple[Array, Array | None]:
    """Numbers, and the label last unless there are n columns; a first line of other things is a header."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [[field.strip() for field in row] for row in csv.reader(file) if row]
    columns = len(rows[0]) if rows else 0
    inputs = columns if columns == n else columns - 1
    first = 1
    if rows and not _is_numbers(rows[0][:inputs]):
        rows, first = rows[1:], 2
    if not rows or inputs < 1:
        raise ValueError(f"path is {str(path)!r}, which holds no rows of numbers with a label behind them")
    for line, row in enumerate(rows, first):
        if len(row) != columns or not _is_numbers(row[:inputs]):
            raise ValueError(
                f"path is {str(path)!r}, whose row {line} is not {inputs} numbers with a label behind them"
            )
    X = np.array([row[:inputs] for row in rows], dtype=np.float64)
    return X, _labels([row[-1] for row in rows]) if inputs < columns else None


def _labels(fields: list[str]) -> Array:
    """Integers if all are, else numbers if all are, else text."""
    for kind in (np.int64, np.float64):
        try:
            return np.array(fields).astype(kind)
        except ValueError:
            continue
    return np.array(fields)


def _is_numbers(fields: list[str]) -> bool:
    try:
        np.array(fields, dtype=np.float64)
    except ValueError:
        return False
    return True


class Format(NamedTuple):
    """How arrays are read from an open file, and written to one."""

    read: Callable[[IO[bytes]], dict[str, Array]]
    write: Callable[[IO[bytes], dict[str, Array]], None]


# By suffix: files of named arrays, for data, weights and models; and tables of examples, for data only.
FORMATS = {".npz": Format(_read_npz, _write_npz), ".mat": Format(_read_mat, _write_mat)}
TABLES = {".csv": _read_csv}


def _path(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {path!r}; a file name is wanted")
    return Path(path)


def _names(arrays: dict[str, Array]) -> str:
    return "arrays " + ", ".join(sorted(arrays)) if arrays else "no arrays"


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """`write(file)`, and only when all of it is on the disk does `path` become that file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:  # whatever it is, Ctrl-C too: it goes on to the caller, and leaves no half a file
        os.unlink(name)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

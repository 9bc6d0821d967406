"""Users' files: examples, weights and arrays; writing a file whole or not at all."""

import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from . import matlab, tables, validation
from .network import Weights
from .validation import Array


class Examples(NamedTuple):
    """What a file of examples holds.

    Attributes
    ----------
    X : array (m, n)
    y : array (m,), numbers (m, K) where these are wanted, or None where labels may be missing
    names : tuple of str, or None
        Of the inputs, from a table's header.
    layout : str
        How a table was read, in a few words.
    notes : sequence of str
        What to know before trusting a table.
    """

    X: Array
    y: Any
    names: tuple[str, ...] | None = None
    layout: str = ""
    notes: Sequence[str] = ()


def read_data(
    path: str | os.PathLike[str],
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    label: str | int | None = None,
) -> tuple[Array, Array]:
    """Examples and labels from a file.

    Parameters
    ----------
    path : str or path
        `.mat` or `.npz` with the arrays X (m, n) and y (m labels); or a table, `.csv` or `.tsv`, either also `.gz`,
        with an example a row and its label in one column. A .mat file must come from a source that you trust: SciPy's
        reader is not hardened. MATLAB's version 7.3 needs h5py.
    header : bool, optional
        Whether the table's first row holds names. Default: if it has text among the inputs, or behind numbers a label
        that no other row has, where these are 0, 1, 2, ... or all other labels are numbers. A first row of numbers
        only is an example.
    delimiter : str, optional
        What fields are split at. Default: the comma, semicolon, tab or bar that makes most of the file numbers. With
        any but the comma numbers may have decimal commas.
    encoding : str, optional
        Default: what the file's byte order mark says, else UTF-8.
    label : str or int, optional
        The label's column, by name or by position from 0, or from -1 backwards. Default: the last one.

    Returns
    -------
    X : float64 or float32 array (m, n)
        float32 only from .mat and .npz.
    y : array (m,)
        The labels as they stand in the file. Integers are int64, MATLAB's logical is bool, its cells of text are text.
        Those of a table are text, unless every one is written as Python writes that integer or float.

    Raises
    ------
    ValueError, TypeError
        If the file does not hold that; of a table it names the row.
    OSError
        If it cannot be read.

    Warns
    -----
    UserWarning
        If a column of a table has no name, the same value in every row or the row's number, and if its first row is
        taken for an example but may be a header.
    """
    examples = read_examples(path, header=header, delimiter=delimiter, encoding=encoding, label=label)
    for note in examples.notes:
        warnings.warn(f"path is {str(path)!r}: {note}", UserWarning, stacklevel=2)
    return examples.X, examples.y


def read_examples(
    path: str | os.PathLike[str],
    n: int | None = None,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    label: str | int | None = None,
    numbers: bool = False,
) -> Examples:
    """What `read_data` reads, and what is known beside it; `numbers` (m, K) to be fitted where these are wanted.

    Where n inputs are wanted, the array y may be missing; or a table's labels, if it has n columns and `label` is None.
    """
    path = _path(path)
    options = tables.checked(header, delimiter, encoding, label)
    if is_table(path):
        table = tables.read(path, options, n, numbers=numbers)
        y = table.y[:, np.newaxis] if numbers and table.y is not None else table.y
        return Examples(validation.inputs(table.X, n), y, table.names, table.layout, table.notes)
    given = [name for name, value in options._asdict().items() if value is not None]
    if given:
        raise ValueError(f"{given[0]} is given, but {str(path)!r} is no table; a file in {', '.join(TABLES)} is wanted")
    arrays = read_arrays(path)
    if "X" not in arrays:
        raise ValueError(f"path is {str(path)!r}, which holds {_names(arrays)}; arrays X and y are wanted")
    X = validation.inputs(arrays["X"], n)
    y = arrays.get("y")
    if y is None:
        if n is None:
            raise ValueError(f"path is {str(path)!r}, which holds no y; arrays X and y are wanted")
        return Examples(X, None)
    if numbers:
        return Examples(X, validation.values(y.ravel() if y.size == len(X) else y, len(X)))
    y = validation.labels(y.ravel() if 1 in y.shape else y, len(X))
    if y.dtype.kind in "iu":
        if y.max() > np.iinfo(np.int64).max:
            raise ValueError(f"path is {str(path)!r}, whose y holds {y.max()}; integers that fit 64 bits are wanted")
        y = y.astype(np.int64)
    return Examples(X, y)


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
    suffix = _suffix(path)
    if suffix not in FORMATS:
        want = f"{', '.join(FORMATS)} or, for data, {', '.join(TABLES)}"
        raise ValueError(f"path is {str(path)!r}; a file that ends in {want} is wanted")
    with open(path, "rb") as file:
        try:
            arrays = FORMATS[suffix].read(file)
        except Exception as error:  # the readers raise whatever a damaged file leads them to
            raise ValueError(f"path is {str(path)!r}, which cannot be read as {suffix}: {error}") from None
    sparse = [name for name, value in arrays.items() if hasattr(value, "toarray")]
    if sparse or {"format", "shape", "data"} <= set(arrays):  # in .npz, what scipy.sparse.save_npz writes
        what = sparse[0] if sparse else "matrix"
        raise ValueError(f"path is {str(path)!r}, whose {what} is sparse; dense arrays are wanted")
    return arrays


def write_arrays(path: Path, arrays: dict[str, Array]) -> None:
    """A file of that format with these arrays, all of it or nothing."""
    check_format(path, "path")
    write_atomically(path, lambda file: FORMATS[_suffix(path)].write(file, arrays))


def check_format(path: Path, name: str) -> None:
    """Raise ValueError if arrays cannot be written to a file of that name."""
    if _suffix(path) not in FORMATS:
        raise ValueError(f"{name} is {str(path)!r}; a name that ends in {' or '.join(FORMATS)} is wanted")


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


class Format(NamedTuple):
    """How arrays are read from an open file, and written to one."""

    read: Callable[[IO[bytes]], dict[str, Array]]
    write: Callable[[IO[bytes], dict[str, Array]], None]


# By suffix: files of named arrays, for data, weights and models; and tables of examples (`tables.read`), for data only.
FORMATS = {".npz": Format(_read_npz, _write_npz), ".mat": Format(matlab.read, matlab.write)}
TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def is_table(path: Path) -> bool:
    """Whether the name is a table's."""
    return _suffix(path) in TABLES


def _suffix(path: Path) -> str:
    """In small letters; .gz with the one before it."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def _path(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {path!r}; a file name is wanted")
    return Path(path)


def _names(arrays: dict[str, Array]) -> str:
    return "arrays " + ", ".join(sorted(arrays)) if arrays else "no arrays"


# Files half written, by name, for what ends the process before they can be removed here.
unfinished: set[str] = set()


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """`write(file)`, and only when all of it is on the disk does `path` become that file."""
    write_together([path], lambda opened: write(opened[0]))


def write_together(paths: Sequence[Path], write: Callable[[list[IO[bytes]]], None]) -> None:
    """The same for files of one folder: `write(opened)`, and then each of the paths becomes its file."""
    names: list[str] = []
    try:
        with ExitStack() as stack:
            opened: list[IO[bytes]] = []
            for path in paths:
                handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
                names.append(name)
                unfinished.add(name)
                opened.append(stack.enter_context(os.fdopen(handle, "wb")))
            write(opened)
            for file in opened:
                file.flush()
                os.fsync(file.fileno())
        for name in names:
            os.chmod(name, 0o666 & ~_umask())
        for name, path in zip(names, paths, strict=True):
            os.replace(name, path)
    except BaseException:  # whatever it is, Ctrl-C too: it goes on to the caller, and leaves no half a file
        for name in names:
            Path(name).unlink(missing_ok=True)
        raise
    finally:
        unfinished.difference_update(names)
    if os.name == "posix":
        folder = os.open(paths[0].parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

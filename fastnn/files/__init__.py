"""Users' files: examples, weights and arrays; writing a file whole or not at all.

Large X stays in its file: .npy is mapped into memory, and so is a large X in an .npz that is not compressed; of .h5 the
dataset itself is handed on. Both are read run by run (`inputs`).
"""

from __future__ import annotations

import ast
import glob
import hashlib
import io
import math
import os
import re
import secrets
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..inputs import validation
from ..inputs.containers import described, few
from ..inputs.streams import Stored
from ..inputs.validation import Array
from ..network import Weights
from ..targets import Classes, Values
from . import mat, safetensors, tables

# From how many bytes on X in an .npz is mapped into memory, not read: as much as a run, below which nothing is saved.
# Numbers begin at any byte there, and a copy of each run goes to kernels: an evaluation of 60,000 x 784-25-10 takes 90
# ms of float64 and 52 of float32, from memory or .npy 61 and 32 (two cores of an EPYC); bytes as long from anywhere.
MAPPED = 32_000_000

# How many times its size a file's arrays may take: packed weights are half as long at best; of data as much as zip and
# MATLAB's packing can reach, 1,032 times, so that only what lies in a file twice, or is packed twice, is refused.
_UNPACKED, _UNPACKED_DATA = 100, 1_100

# So many bytes any file's arrays may take: short files of zeros, say, are packed better.
_LITTLE = 1 << 25

# How many bytes of an array are read together, and of an .npy file's header at most, as NumPy has it.
_PIECE, _LONGEST_HEADER = 1 << 20, 10_000

# The array in each file of ours that says whether the others are those that were saved.
CHECKSUM = "checksum"

# What every model has since there are checksums: with these two and without one a file is not whole.
_SINCE_CHECKSUMS = {"scale", "outcome"}


class ModelFileError(ValueError):
    """A model's file is not whole and sound: cut off, damaged, changed, foreign or hostile.

    `fastnn.load`, `fastnn.resume` and `fastnn.read_weights` raise it, with one sentence that says what is wrong. A file
    that cannot be opened is an OSError.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> fastnn.train(X, y, maxiter=2).save("digits.npz")
    >>> with open("digits.npz", "r+b") as file:  # a download that was cut off, say
    ...     size = file.truncate(5_000)
    >>> fastnn.load("digits.npz")
    Traceback (most recent call last):
        ...
    fastnn.files.ModelFileError: path is 'digits.npz', which cannot be read as .npz: File is not a zip file
    """


class Examples(NamedTuple):
    """What a file of examples holds.

    Attributes
    ----------
    X : array (m, n), or what is read run by run: a memory map, a dataset of h5py
    y : array (m,), numbers (m, K) where these are wanted, or None where labels may be missing
    names : tuple of str, or None
        Of the inputs, from a table's header.
    layout : str
        How a table was read, in a few words.
    notes : sequence of str
        What to know before trusting a table.
    """

    X: Any
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
    labels: str | os.PathLike[str] | None = None,
    inputs: str | None = None,
) -> tuple[Any, Array]:
    """Examples and labels from a file.

    Parameters
    ----------
    path : str or path
        `.mat` or `.npz` with the arrays X (m, n) and y (m labels), or others that `inputs` and `label` name; `.h5` or
        `.hdf5` with such datasets;
        `.npy` with X alone; or a table, `.csv` or `.tsv`, either also `.gz`, with an example a row and its label in one
        column. A .mat, .h5 or .hdf5 file must come from a source that you trust: it is looked at first, but SciPy and
        HDF5, which read it, are not hardened. MATLAB's version 7.3, .h5 and .hdf5 need h5py.
    header : bool, optional
        Whether the table's first row holds names. Default: if it has text among the inputs, or behind numbers a label
        that no other row has, where these are 0, 1, 2, ... or all other labels are numbers. A first row of numbers
        only is an example, unless it is 0, 1, 2, ... over three columns or more, as pandas numbers columns. A first
        column that has no name and counts the rows, the index of pandas or R, is left out.
    delimiter : str, optional
        What fields are split at. Default: the comma, semicolon, tab or bar that makes most of the file numbers. With
        any but the comma numbers may have decimal commas.
    encoding : str, optional
        Default: what the file's byte order mark says, else UTF-8.
    label : str or int, optional
        The label's column, by name or by position from 0, or from -1 backwards, all columns of the file counted, an
        index too. Default: the last one. Of .mat, .npz, .h5 and .hdf5 the name of the array with the labels. Default:
        y. With other `inputs`, y is used only if the file holds no X.
    labels : str or path, optional
        A file with the labels, which then count, and not those beside X: `.npy` (m,); `.npz` or `.mat` with y; or one
        column of text or numbers, `.csv`, `.tsv` or `.txt`, either also `.gz`. Of .h5 and .hdf5 also the name of a
        dataset in it. All columns of a table are inputs then, but for one that `label` names. Where X is no table,
        `header`, `delimiter` and `encoding` are those of the labels.
    inputs : str, optional
        The name of the array that is read for X, in .mat, .npz, .h5 and .hdf5. Default: X.

    Returns
    -------
    X : array (m, n), np.memmap or h5py.Dataset
        From a table float64, from .mat and .npz float64, float32, float16 or uint8. A read-only memory map from .npy,
        and from an .npz that is not compressed if X has 32 MB or more; the dataset itself from .h5 and .hdf5, whose
        file stays open as long as it is in use. NaN in these is found when they are used.
    y : array (m,)
        The labels as they stand in the file. Integers are int64, MATLAB's logical is bool, its cells of text are text.
        Those of a table are text, unless every one is written as Python writes that integer or float.

    Raises
    ------
    ValueError, TypeError
        If the file does not hold that, is damaged, or announces more than a file of its size can hold; of a table it
        names the row.
    OSError
        If it cannot be read.

    Warns
    -----
    UserWarning
        If a column of a table has no name, is constant, counts the rows or is left out. If it is unclear whether the
        first row is a header.

    Notes
    -----
    pyarrow, where it is installed, reads large tables five to ten times as fast. Of a table that is larger than memory
    `fastnn convert` makes a file that can be mapped.

    Examples
    --------
    >>> rows = ["length,width,kind", "5.1,3.5,setosa", "7.0,3.2,versicolor", "6.3,3.3,virginica"]
    >>> np.savetxt("flowers.csv", rows, fmt="%s")
    >>> X, y = fastnn.read_data("flowers.csv")
    >>> X.tolist(), y.tolist()
    ([[5.1, 3.5], [7.0, 3.2], [6.3, 3.3]], ['setosa', 'versicolor', 'virginica'])
    >>> np.savez("exercise.npz", X=X, y=y, Xval=X[:2] + 0.1, yval=y[:2])
    >>> fastnn.read_data("exercise.npz", inputs="Xval", label="yval")[1].tolist()
    ['setosa', 'versicolor']
    """
    table: dict[str, Any] = {"header": header, "delimiter": delimiter, "encoding": encoding, "label": label}
    examples = read_examples(path, labels=labels, inputs=inputs, **table)
    for note in examples.notes:
        warnings.warn(f"path is {str(path)!r}: {note}", UserWarning, stacklevel=2)
    return examples.X, examples.y


def read_examples(
    path: str | os.PathLike[str],
    n: int | None = None,
    names: Sequence[str] | None = None,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    label: str | int | None = None,
    labels: str | os.PathLike[str] | None = None,
    inputs: str | None = None,
    numbers: bool = False,
    labelled: bool = True,
) -> Examples:
    """What `read_data` reads, and what is known beside it; `numbers` (m, K) to be fitted where these are wanted.

    Where n inputs are wanted, of these names if they have any, or the examples need not be `labelled`, the array y may
    be missing; or a table's labels, if it has n columns and `label` is None.
    """
    path = _path(path)
    other = None if labels is None else _path(labels, "labels")
    options = tables.checked(header, delimiter, encoding, label)
    found_arrays: Collection[str] = ()
    if inputs is not None and not isinstance(inputs, str):
        raise TypeError(f"inputs must be the name of an array, got {described(inputs)}")
    if inputs is not None and _suffix(path) in (*TABLES, ".npy"):
        raise ValueError(f"inputs must be left out, got {inputs!r}: {str(path)!r} has no arrays with names")
    if _suffix(path) in TABLES:
        options = options._replace(names=names)
        found, options = _table(path, options, n, numbers, other is not None), tables.Options()
    else:
        own = label is None and other is not None and _suffix(other) in COLUMNS
        chosen = _suffix(path) in (*FORMATS, *HDF5) and other is None and isinstance(label, str)  # an array
        said = options._replace(label=None) if chosen else options
        given = [name for name, value in said._asdict().items() if value is not None and not own]
        if given == ["label"] and _suffix(path) in (*FORMATS, *HDF5):
            if other is not None:
                raise ValueError(f"label must be left out beside labels, got {label!r}")
            raise ValueError(f"label must be the name of an array in {str(path)!r}, got {label!r}")
        if given:
            want = f"a file in {', '.join(TABLES)} is wanted"
            raise ValueError(f"{given[0]} is given, but {str(path)!r} is no table; {want}")
        if _suffix(path) in HDF5:
            X, y, found_arrays, inside = _datasets(path, other, numbers, inputs, label)
            other = None if inside else other
        elif _suffix(path) == ".npy":
            X, y = _map_npy(path, "path"), None
        else:
            found_arrays = arrays = read_arrays(path, large=inputs or "X", data=True)
            name_of_X, name_of_y = _array_names(path, arrays, inputs, label)
            X, y = arrays[name_of_X], arrays.get(name_of_y)
        with validation.about(f"path is {str(path)!r}"):
            valid = validation.inputs(X, n)
        found = Examples(X if isinstance(valid, Stored) else valid, y)
        if y is not None and other is None:
            with validation.about(f"path is {str(path)!r}"):
                found = found._replace(y=_answers(y, len(X), numbers))
    if other is not None:
        y, notes = _read_labels(other, options, len(found.X), numbers)
        found = found._replace(y=y, notes=[*found.notes, *notes])
    if found.y is None and n is None and labelled:
        of = f" for {inputs}" if inputs else ""
        want = "labels, a file with them, is wanted (on the command line --labels)"
        if found_arrays:
            want = f"it holds {named(found_arrays)}. Set label to the name of its labels, or labels to a file of labels"
        raise ValueError(f"path is {str(path)!r}, which holds no y{of}; {want}")
    return found


def _array_names(path: Path, found: Collection[str], inputs: str | None, label: Any) -> tuple[str, str]:
    """Return the names of a file's arrays for X and y; "" if it has no labels for these inputs.

    y labels X. For inputs="Xval" it is not used, even if its length fits.
    """
    for option, name in (("inputs", inputs), ("label", label)):
        if name is not None and name not in found:
            raise ValueError(f"{option} must name an array in {str(path)!r}, got {name!r}. It holds {named(found)}")
    if inputs is None and "X" not in found:
        want = "arrays X and y are wanted. Name others by inputs and label (on the command line --inputs, --label)"
        raise ValueError(f"path is {str(path)!r}, which holds {named(found)}; {want}")
    return inputs or "X", label or ("y" if inputs in (None, "X") or "X" not in found else "")


def _table(path: Path, options: tables.Options, n: int | None, numbers: bool, labels: bool) -> Examples:
    """The examples of a table; if there are other `labels`, without its own, which it has if the options say so."""
    if labels and n is None and options.label is None:
        with suppress(tables.Unfit):  # reading it says what is wrong
            n = len(tables.find_layout(tables.text_of(path, options.encoding), path, options, labelled=False).inputs)
    table = tables.read(path, options, n, numbers=numbers and not labels)
    y = table.y[:, np.newaxis] if numbers and not labels and table.y is not None else table.y
    return Examples(validation.inputs(table.X, n), y, table.names, table.layout, table.notes)


def _answers(y: Array, m: int, numbers: bool) -> Array:
    """The labels of m examples, or numbers, as they stand in a file."""
    if numbers:
        return Values.read(y.ravel() if y.size == m else y, m)
    y = Classes.read(y.ravel() if 1 in y.shape else y, m)
    if y.dtype.kind in "iu":
        if y.max() > np.iinfo(np.int64).max:
            raise ValueError(f"y holds {y.max()}; integers that fit 64 bits are wanted")
        y = y.astype(np.int64)
    return y


def _read_labels(path: Path, options: tables.Options, m: int, numbers: bool) -> tuple[Array, list[str]]:
    """What a file of labels says of m examples, and what to know before trusting it."""
    source = f"labels is {str(path)!r}"
    notes: list[str] = []
    if _suffix(path) in COLUMNS:
        y, notes = _read_column(path, options, m, numbers)
    elif _suffix(path) == ".npy":
        y = _map_npy(path, "labels")
        if y.size != m and not numbers:  # seen before it is read, as it may be all of X
            raise ValueError(f"{source}, an array {y.shape}; one label for each of the {m} examples is wanted")
        y = np.array(y)
    elif _suffix(path) in FORMATS:
        arrays = read_arrays(path, name="labels", data=True)
        if "y" not in arrays:
            raise ValueError(f"{source}, which holds {named(arrays)}; an array y is wanted")
        y = arrays["y"]
    else:
        want = (
            f"a file that ends in .npy, {', '.join((*FORMATS, *COLUMNS))}, or a dataset in the .h5 file of X, is wanted"
        )
        raise ValueError(f"{source}; {want}")
    with validation.about(source):
        return _answers(y, m, numbers), notes


def _read_column(path: Path, options: tables.Options, m: int, numbers: bool) -> tuple[Array, list[str]]:
    """The labels of a text file with one in each row for m examples, by the rules for a table's labels."""
    source = f"labels is {str(path)!r}"
    # Only a comma can be told from the text around it, and in plain text it is a part of that.
    delimiter = options.delimiter or ("," if ".csv" in _suffix(path) else "\t")
    kinds, marks = tables.number_kinds(delimiter), tables.marks(delimiter)
    try:
        rows = list(tables.rows(tables.text_of(path, options.encoding), delimiter))
    except tables.Unfit as error:
        raise ValueError(f"{source}, {error}") from None
    index = options.header is not False and tables.is_indexed_column(rows, marks)
    if index:
        rows = [row._replace(fields=row.fields[1:]) for row in rows]
    wrong = [row for row in rows if len(row.fields) > 1 or row.fields[0].strip() in tables.MISSING]
    if wrong:
        got = f"{len(wrong[0].fields)} fields" if len(wrong[0].fields) > 1 else f"the label {wrong[0].fields[0]!r}"
        raise ValueError(f"{source}, whose row {wrong[0].line} has {got}; one label in each row is wanted")
    fields = [row.fields[0] for row in rows]
    text = bool(fields) and tables.is_text(fields[0].strip(), delimiter)
    header, notes = index or options.header, []
    if index:
        notes = [f"labels {path}: column 1 counts the rows, as an index without a name; it is left out"]
    elif header is None and fields[:1] == ["0"] and len(fields) == m + 1:  # a series of pandas without a name
        header, notes = True, [f"labels {path}: row 1 is '0', above {m} others; it is taken for a header"]
    elif header is None:
        others = set(fields[1:])
        alone = text and bool(others) and fields[0] not in others
        header = alone and (numbers or tables.typed(sorted(others), kinds).dtype.kind != "U")
        if alone and not header and len(others) < len(fields) - 1:
            notes = [f"labels {path}: row {rows[0].line} is {fields[0]!r}, as no other row; it is taken for a label"]
    if header:
        rows, fields = rows[1:], fields[1:]
    if not fields:
        raise ValueError(f"{source}, which holds no labels; one for each example is wanted")
    if not numbers:
        return tables.typed(fields, kinds), notes
    found = [tables.number(field.strip(), marks) for field in fields]
    if None in found:
        row = rows[found.index(None)]
        raise ValueError(f"{source}, whose row {row.line} has {row.fields[0].strip()!r}; a finite number is wanted")
    return np.array(found, dtype=np.float64), notes


def _map_npy(path: Path, name: str) -> Array:
    """The array of an .npy file, mapped into memory: X of examples as `path`, or their `labels`."""
    with open(path, "rb") as file:
        try:
            header = _npy_header(file, os.fstat(file.fileno()).st_size)
        except Exception as error:  # as of the other formats
            raise ValueError(f"{name} is {str(path)!r}, which cannot be read as .npy: {_why(error)}") from None
        want, kinds = ("numbers (m, n), m and n", "biuf") if name == "path" else ("labels (m,), m", "biufU")
        fits = header.dtype.kind in kinds and (name != "path" or len(header.shape) == 2)
        if not fits or 0 in header.shape:
            got = f"an array {header.shape} of {header.dtype}"
            raise ValueError(f"{name} is {str(path)!r}, which holds {got}; {want} at least 1, are wanted")
        return _map(file, header, 0)


def _datasets(
    path: Path, labels: Path | None, numbers: bool, inputs: str | None, label: Any
) -> tuple[Any, Array | None, Collection[str], bool]:
    """X of an HDF5 file as the dataset it is, y or None, all names, and whether y is what `labels` names in there."""
    with open(path, "rb"):
        pass  # what keeps the system from opening it, the system says best
    try:
        import h5py
    except ImportError:
        raise ValueError(validation.needs(f"path {str(path)!r}", "h5py")) from None
    try:
        file = h5py.File(path, "r")  # stays open as long as a dataset of it is in use
        found: dict[str, Any] = {}
        file.visititems(lambda name, node: found.update({name: node} if isinstance(node, h5py.Dataset) else {}))
    except Exception as error:
        raise ValueError(f"path is {str(path)!r}, which cannot be read as {_suffix(path)}: {_why(error)}") from None
    try:
        names = _array_names(path, found, inputs, label)
    except ValueError:
        file.close()
        raise
    try:
        X, y, inside = _checked_datasets(found, *names, labels, numbers)
        return X, y, found, inside
    except Exception as error:  # of ours, or of HDF5
        file.close()
        raise ValueError(f"path is {str(path)!r}, {_why(error)}") from None


def _checked_datasets(
    found: dict[str, Any], name_of_X: str, name_of_y: str, labels: Path | None, numbers: bool
) -> tuple[Any, Array | None, bool]:
    import h5py

    X = found[name_of_X]
    if len(X.shape or ()) != 2 or X.dtype.kind not in "biuf":
        raise ValueError(f"whose {name_of_X} is {X.shape} of {X.dtype}; numbers (m, n), one example a row, are wanted")
    inside = labels is not None and labels.as_posix() in found
    y = found.get(labels.as_posix() if labels is not None and inside else name_of_y)
    if labels is not None and not inside:
        y = None
    for data in [X] if y is None else [X, y]:
        if not data.is_virtual and data.nbytes > max(_LITTLE, _UNPACKED_DATA * data.id.get_storage_size()):
            got = f"whose {data.name.lstrip('/')} announces shape {data.shape}, but never was written"
            raise ValueError(f"{got}; all numbers are wanted")
    if y is None:
        return X, None, False
    if not y.shape or (y.size != len(X) and not (numbers and len(y) == len(X))):
        got = f"whose {y.name.lstrip('/')} is {y.shape} of {y.dtype}"
        raise ValueError(f"{got}; a label for each of the {len(X)} examples of {name_of_X} is wanted")
    return X, np.array(y.asstr()[()], str) if h5py.check_string_dtype(y.dtype) else y[()], inside


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """Weights from a .mat file of the course, or from a saved model.

    Parameters
    ----------
    path : str or path
        `.mat` with Theta1, Theta2, ... (the course's `ex4weights.mat`, or a model saved as .mat) or `.npz` (a saved
        model), `.safetensors` too. A .mat file must come from a source that you trust.

    Returns
    -------
    tuple of L float64 arrays
        weights[l] is (s[l+1], s[l] + 1), column 0 the biases.

    Raises
    ------
    ModelFileError
        If the file is not whole, or does not hold weights whose shapes fit together.
    OSError
        If it cannot be read.

    See Also
    --------
    load : the whole model.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=5)
    >>> model.save("digits.mat")
    >>> weights = fastnn.read_weights("digits.mat")
    >>> [W.shape for W in weights]
    [(25, 401), (10, 26)]
    >>> more = fastnn.train(X, y, weights=weights, maxiter=5)  # goes on from these
    """
    path = _path(path)
    return weights_in(read_arrays(path), path)


def weights_in(arrays: dict[str, Array], path: Path) -> Weights:
    """Theta1, Theta2, ... of a file that has been read."""
    if "Theta1" not in arrays:
        want = "arrays Theta1, Theta2, ... are wanted"
        raise ModelFileError(f"path is {str(path)!r}, which holds {named(arrays)}; {want}")
    layers = 1
    while f"Theta{layers + 1}" in arrays:
        layers += 1
    try:
        return validation.weights(tuple(arrays[f"Theta{l + 1}"] for l in range(layers)))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"path is {str(path)!r}: {error}") from None


def read_arrays(path: Path, *, large: str = "", name: str = "path", data: bool = False) -> dict[str, Array]:
    """All arrays of a file of one of the FORMATS; nothing in it is ever executed.

    Those that we wrote are the same, by their checksum; ModelFileError says what is wrong, of users' `data` ValueError.
    The array `large` is mapped into memory where the file allows it and that pays. `name` is the argument.
    """
    refused = ValueError if data else ModelFileError
    suffix = _suffix(path)
    if suffix not in FORMATS:
        want = f"{', '.join(FORMATS)} or, for data, {', '.join(('.npy', *HDF5, *TABLES))}"
        raise refused(f"{name} is {str(path)!r}; a file that ends in {want} is wanted")
    with open(path, "rb") as file:
        try:
            most = max(_LITTLE, (_UNPACKED_DATA if data else _UNPACKED) * file.seek(0, os.SEEK_END))
            file.seek(0)
            arrays = _read_npz(file, most, large) if suffix == ".npz" else FORMATS[suffix].read(file, most)
        except ImportError:  # of what reads them
            raise
        except Exception as error:  # the readers raise whatever a damaged file leads them to
            raise refused(f"{name} is {str(path)!r}, which cannot be read as {suffix}: {_why(error)}") from None
    sparse = [name for name, value in arrays.items() if hasattr(value, "toarray")]
    if sparse or {"format", "shape", "data"} <= set(arrays):  # in .npz, what scipy.sparse.save_npz writes
        what = sparse[0] if sparse else "matrix"
        raise refused(f"{name} is {str(path)!r}, whose {what} is sparse; dense arrays are wanted")
    if not data and (CHECKSUM in arrays or set(arrays) >= _SINCE_CHECKSUMS):
        saved = arrays.pop(CHECKSUM, np.empty(0)).ravel().tolist()
        if saved != [_checksum(arrays)]:
            got = "whose checksum is not that of what it holds" if saved else "which has lost its checksum"
            raise ModelFileError(f"{name} is {str(path)!r}, {got}: it was damaged, or changed after it was saved")
    return arrays


def write_arrays(path: Path, arrays: dict[str, Array]) -> None:
    """A file of that format with these arrays and their checksum, all of it or nothing."""
    check_format(path, "path")
    # First, so that no file that is cut off is one without a checksum: of some weights, say.
    checked = {CHECKSUM: np.array(_checksum(as_read(path, arrays)))} | arrays
    write_atomically(path, lambda file: FORMATS[_suffix(path)].write(file, checked))


def as_read(path: Path, arrays: dict[str, Array]) -> dict[str, Array]:
    """These arrays as a file of that name gives them back: .mat changes shapes and types."""
    file = io.BytesIO()
    FORMATS[_suffix(path)].write(file, arrays)
    file.seek(0)
    return FORMATS[_suffix(path)].read(file, sys.maxsize)


def _checksum(arrays: dict[str, Array]) -> str:
    """Of names, types, shapes and bytes, the same on every machine."""
    checksum = hashlib.sha256()
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        values = np.asarray(values, values.dtype.newbyteorder("<"), order="C")
        checksum.update(ascii((name, values.dtype.str, values.shape)).encode())
        checksum.update(values.tobytes())
    return checksum.hexdigest()


def check_format(path: Path, name: str) -> None:
    """Raise ValueError if arrays cannot be written to a file of that name."""
    if _suffix(path) not in FORMATS:
        raise ValueError(f"{name} is {str(path)!r}; a name that ends in one of {', '.join(FORMATS)} is wanted")


class _Header(NamedTuple):
    """What an .npy file says of its array."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: Any
    end: int  # where the numbers begin

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


# {'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }, in any order. NumPy evaluates it as Python, which warns
# where it is damaged, and takes half of the time that a small model is read in.
_KIND = r"'[<>|=]?[?biufcmMOSUV]\d{0,9}(?:\[\w+\])?'"
_FIELD = rf"\(\s*'[^'\\]*'\s*,\s*{_KIND}\s*(?:,\s*\([\d\s,]*\)\s*)?\)"
_SHAPE = r"\((?:\s*\d{1,19}L?\s*,)*(?:\s*\d{1,19}L?)?\s*\)"
_ITEM = rf"\s*'(\w+)'\s*:\s*({_KIND}|\[\s*{_FIELD}(?:\s*,\s*{_FIELD})*\s*,?\s*\]|True|False|{_SHAPE})\s*"
_HEADER = re.compile(rf"\{{{_ITEM},{_ITEM},{_ITEM},?\s*\}}\s*", re.ASCII)


def _npy_header(file: IO[bytes], size: int) -> _Header:
    """Of an .npy file of that size, which is what it says: no more, no less."""
    length = struct.Struct("<H" if np.lib.format.read_magic(file) == (1, 0) else "<I")
    count = length.unpack(file.read(length.size))[0]
    match = _HEADER.fullmatch(file.read(count).decode("latin-1")) if count <= _LONGEST_HEADER else None
    words = dict(zip(match.groups()[::2], match.groups()[1::2], strict=True)) if match else {}
    kind, fortran, sizes = (words.get(name, "") for name in ("descr", "fortran_order", "shape"))
    if kind[:1] not in ("'", "[") or fortran not in ("True", "False") or sizes[:1] != "(":
        raise ValueError("its header is damaged")
    dtype, shape = np.dtype(ast.literal_eval(kind)), tuple(int(size) for size in re.findall(r"\d+", sizes))
    header = _Header(shape, fortran == "True", dtype, 8 + length.size + count)
    if not dtype.hasobject and (header.end + header.bytes != size or not dtype.itemsize):
        than = "more" if header.end + header.bytes > size else "less"
        raise ValueError(f"it announces shape {shape} of {dtype}, {than} than it holds")
    return header


def _map(file: IO[bytes], header: _Header, start: int) -> Array:
    """The array of the .npy that starts there in an open file, which may be closed then; read-only."""
    order: Any = "F" if header.fortran else "C"
    mapped: Any = file
    return np.memmap(mapped, header.dtype, "r", start + header.end, header.shape, order)


def _read_npz(file: IO[bytes], most: int, large: str = "") -> dict[str, Array]:
    """Like np.load without pickle, but no header can ask for more memory than the file holds, packed or not.

    The array `large` is mapped if it takes MAPPED bytes and lies in the file as it is, row by row. It is looked through
    for its checksum: 2 GB a second of what is in the system's cache, as long as two evaluations.
    """
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if _entries(file) not in (len(entries), 0xFFFF):
            raise ValueError("its directory is damaged")
        if sum(entry.file_size for entry in entries) > most:
            raise ValueError("it announces much more than it can hold")
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if name in arrays:
                raise ValueError(f"it holds {name} twice")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others need memory of their own
                raise ValueError(f"its {entry.filename} is packed in another way than NumPy's")
            with archive.open(entry) as member, validation.about(entry.filename):
                header = _npy_header(member, entry.file_size)
                plain = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
                there = plain and name == large and header.bytes >= MAPPED and not header.fortran
                if there and header.dtype.kind in "biuf":
                    while member.read(_PIECE):  # at its end the checksum is compared
                        pass
                    arrays[name] = _map(file, header, _start_in_zip(file, entry))
                else:
                    arrays[name] = _read_array(member, header)
    return arrays


def _entries(file: IO[bytes]) -> int:
    """How many members a zip says that it has, 0xFFFF for more: the length of one's comment may hide others.

    PKWARE, APPNOTE.TXT, section 4.3.16: at byte 10 of what ends a zip, but for a comment of 65,535 bytes at most.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - 22 - 0xFFFF))
    tail = file.read()
    return int(struct.unpack_from("<H", tail, tail.rfind(b"PK\5\6") + 10)[0])


def _read_array(member: IO[bytes], header: _Header) -> Array:
    """The array behind that header, to the end."""
    if header.dtype.hasobject:
        raise ValueError("it holds objects of Python, which are not read (allow_pickle=False)")
    array = np.empty(header.bytes, np.uint8)
    start = 0
    while content := member.read(_PIECE):
        array[start : start + len(content)] = np.frombuffer(content, np.uint8)
        start += len(content)
    if start < header.bytes:
        raise ValueError("it is cut off")
    order: Any = "F" if header.fortran else "C"
    return array.view(header.dtype).reshape(header.shape, order=order)


def _start_in_zip(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin: behind its local header, whose name and extra may be others than the directory's.

    PKWARE, APPNOTE.TXT, section 4.3.7: their lengths are at byte 26 of 30.
    """
    file.seek(entry.header_offset + 26)
    return entry.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))


def _write_npz(file: IO[bytes], arrays: dict[str, Array]) -> None:
    np.savez(file, allow_pickle=False, **arrays)


class Format(NamedTuple):
    """How arrays are read from an open file, and written to one."""

    read: Callable[[IO[bytes], int], dict[str, Array]]  # ValueError if they would take more bytes than that
    write: Callable[[IO[bytes], dict[str, Array]], None]


# By suffix: files of named arrays, for data, weights and models; and tables of examples (`tables.read`), for data only.
FORMATS = {
    ".npz": Format(_read_npz, _write_npz),
    ".mat": Format(mat.read, mat.write),
    ".safetensors": Format(safetensors.read, safetensors.write),
}
TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
HDF5 = (".h5", ".hdf5")  # of X and y, for data only
COLUMNS = (*TABLES, ".txt", ".txt.gz")  # of labels


def is_table(path: Path) -> bool:
    """Whether the name is a table's."""
    return _suffix(path) in TABLES


def _suffix(path: Path) -> str:
    """In small letters; .gz with the one before it."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def _path(path: Any, name: str = "path") -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} is {described(path)}; a file name is wanted")
    try:
        found = Path(path)
    except Exception as error:  # of what says that it is one
        raise TypeError(f"{name} is {described(path)}, which is no file name: {error}") from None
    try:
        if b"\0" not in os.fsencode(found):
            return found
    except UnicodeEncodeError:
        pass
    raise ValueError(f"{name} is {str(found)!r}; a name that a file can have is wanted")


def named(arrays: Collection[str]) -> str:
    return "arrays " + few([printable(name) for name in sorted(arrays)], 20) if arrays else "no arrays"


def _why(error: Exception) -> str:
    """What a reader says, on one line."""
    return printable(" ".join(str(error).split()) or repr(error))


def printable(text: str) -> str:
    """The same, without what a damaged file may do to a terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]


# Files half written, by name, for what ends the process before they can be removed here.
unfinished: set[str] = set()


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """`write(file)`, and only when all of it is on the disk does `path` become that file."""
    write_together([path], lambda opened: write(opened[0]))


def write_together(paths: Sequence[Path], write: Callable[[list[IO[bytes]]], None]) -> None:
    """The same for files of one folder: `write(opened)`, and then each of the paths becomes its file."""
    # Named before they are there: a signal may come as soon as one is.
    names = [str(path.absolute().parent / f".{path.name}.{secrets.token_hex(8)}") for path in paths]
    unfinished.update(names)
    try:
        with ExitStack() as stack:
            opened: list[IO[bytes]] = [stack.enter_context(open(name, "xb", opener=_for_the_owner)) for name in names]
            write(opened)
            for file in opened:
                file.flush()
                os.fsync(file.fileno())
        for name in names:
            with suppress(OSError):  # of a file system without modes
                os.chmod(name, 0o666 & ~_umask())
        for name, path in zip(names, paths, strict=True):
            os.replace(name, path)
    except BaseException:  # whatever it is, Ctrl-C too: it goes on to the caller, and leaves no half a file
        for name in names:
            Path(name).unlink(missing_ok=True)
        raise
    finally:
        unfinished.difference_update(names)
    with suppress(OSError):  # Windows opens no folder, some network file systems sync none; the files are on the disk
        folder = os.open(paths[0].parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_unfinished(path: Path) -> None:
    """What processes that were killed have left beside a file that they were to replace, and no other writes."""
    for leftover in path.absolute().parent.glob(f".{glob.escape(path.name)}.*"):
        if re.fullmatch(r"[0-9a-f]{16}", leftover.suffix[1:]) and leftover.stem == f".{path.name}":
            leftover.unlink(missing_ok=True)


def _for_the_owner(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

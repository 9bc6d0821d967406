"""Examples of any file: `read_data` for users, `read_examples` with their names and what to know of them.

Large X stays in its file and is read in chunks (`inputs.streams`): .npy is mapped into memory, and so is a large X in
an .npz that is not packed; of .h5 the dataset itself is handed on.
"""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from ..inputs.streams import Stored
from ..targets import Classes, Values
from .paths import checked_path, suffix_of
from .reader import Examples, Options, Reader
from .registry import READERS, SUFFIXES, TABLES, is_table, is_text


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
    """Read examples and labels from a file.

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
    examples = read_examples(path, Options(header, delimiter, encoding, label, labels, inputs))
    for note in examples.notes:
        warnings.warn(f"path is {str(path)!r}: {note}", UserWarning, stacklevel=2)
    return examples.X, examples.y


def read_examples(path: str | os.PathLike[str], options: Options) -> Examples:
    """Read a file of examples, of the network and in the form that the options ask for."""
    path = checked_path(path)
    labels = None if options.labels is None else checked_path(options.labels, "labels")
    options = options.check()._replace(labels=labels)
    reader = READERS.get(suffix_of(path))
    _check_fit(path, options, reader)
    if reader is None or reader.examples is None:
        raise ValueError(f"path is {str(path)!r}; a file that ends in {SUFFIXES} is wanted")
    found = reader.examples(path, options)
    with validation.about(f"path is {str(path)!r}"):
        X = validation.inputs(found.X, options.n, look=not is_table(path))  # a table's numbers are finite
        y = None if found.y is None else _answers(found.y, len(X), options.numbers)
    found = found._replace(X=found.X if isinstance(X, Stored) else X, y=y)
    if labels is not None and y is None:
        if is_table(path):  # these options are the table's
            options = options._replace(header=None, delimiter=None, encoding=None)
        y, notes = _read_labels(labels, options, len(X))
        found = found._replace(y=y, notes=[*found.notes, *notes])
    if y is None and options.n is None and options.labelled:
        want = "labels, a file with them, is wanted"
        raise ValueError(f"path is {str(path)!r}, which holds no y; {want}")
    return found


def _check_fit(path: Path, options: Options, reader: Reader | None) -> None:
    """Raise ValueError if an option is given that a file of this name does not take."""
    inputs, label, labels = options.inputs, options.label, options.labels
    is_named = reader is not None and reader.is_named
    if inputs is not None and reader is not None and not is_named:
        raise ValueError(f"inputs must be left out, got {inputs!r}: {str(path)!r} has no arrays with names")
    if is_table(path):
        return
    given = [name for name in ("header", "delimiter", "encoding") if getattr(options, name) is not None]
    if labels is not None and label is None and is_text(Path(labels)):  # whose options these are
        given = []
    if label is not None and not is_named:
        given.append("label")
    if given:
        raise ValueError(f"{given[0]} is given, but {str(path)!r} is no table; a file in {', '.join(TABLES)} is wanted")
    if label is not None and labels is not None:
        raise ValueError(f"label must be left out beside labels, got {label!r}")
    if label is not None and not isinstance(label, str):
        raise ValueError(f"label must be the name of an array in {str(path)!r}, got {label!r}")


def _read_labels(path: Path, options: Options, m: int) -> tuple[Array, list[str]]:
    """Read the labels of m examples from a file of their own, and what to know before trusting them."""
    source = f"labels is {str(path)!r}"
    reader = READERS.get(suffix_of(path))
    if reader is None or reader.labels is None:
        suffixes = ", ".join(suffix for suffix, reader in READERS.items() if reader.labels)
        want = f"a file that ends in {suffixes}, or a dataset in the .h5 file of X, is wanted"
        raise ValueError(f"{source}; {want}")
    y, notes = reader.labels(path, options, m)
    with validation.about(source):
        return _answers(y, m, options.numbers), notes


def _answers(y: Array, m: int, numbers: bool) -> Array:
    """Return the labels of m examples as they stand in a file, integers as int64; or numbers (m, K)."""
    if numbers:
        return Values.read(y.ravel() if y.size == m else y, m)
    y = Classes.read(y.ravel() if 1 in y.shape else y, m)
    if y.dtype.kind in "iu":
        if y.max() > np.iinfo(np.int64).max:
            raise ValueError(f"y holds {y.max()}; integers that fit 64 bits are wanted")
        y = y.astype(np.int64)
    return y

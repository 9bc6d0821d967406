"""Contract of a reader: the options that it gets, and the examples, labels or arrays that it returns."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from ..inputs.containers import Array, described


class Options(NamedTuple):
    """A user's options for a file of examples, and the network that the examples are for.

    Attributes
    ----------
    header, delimiter, encoding, label, labels, inputs
        Options of `read_data`. None means the default, or that the file shows it.
    n : int, optional
        Number of inputs of a network. Its file needs no labels: a table of n columns has none, unless `label` is given.
    names : sequence of str, optional
        Input names of a model. A table's first row equal to them is a header.
    numbers : bool
        Read y as numbers to fit, (m, K), instead of labels.
    labelled : bool
        Require labels.
    has_index : bool, optional
        None: leave out an unnamed row index, if a table has one. False: keep the first column.
    inputs_only : bool
        A table has no label column.
    """

    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    label: str | int | None = None
    labels: str | os.PathLike[str] | None = None
    inputs: str | None = None
    n: int | None = None
    names: Sequence[str] | None = None
    numbers: bool = False
    labelled: bool = True
    has_index: bool | None = None
    inputs_only: bool = False

    def check(self) -> "Options":
        """Return the options; TypeError or ValueError if one of a user's is not allowed."""
        header, delimiter, encoding, label, inputs = self.header, self.delimiter, self.encoding, self.label, self.inputs
        if header is not None and not isinstance(header, bool):
            raise TypeError(f"header is {described(header)}; True, False or None is wanted")
        for name, value in (("delimiter", delimiter), ("encoding", encoding)):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} is {described(value)}; a string is wanted")
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise ValueError(f"delimiter is {delimiter!r}; one character is wanted, not a quote or the end of a line")
        if encoding is not None:
            try:
                "a".encode(encoding)
            except (LookupError, ValueError):  # ValueError: a name with a NUL, or a codec that encodes no text
                raise ValueError(f"encoding is {encoding!r}; one that Python knows is wanted, as 'cp1252'") from None
        if label is not None and (isinstance(label, bool) or not isinstance(label, (str, int))):
            raise TypeError(f"label is {described(label)}; the name or the position of a column is wanted")
        if isinstance(label, str) and header is False:
            raise ValueError(f"label is {label!r}; the position of a column is wanted where header is False")
        if inputs is not None and not isinstance(inputs, str):
            raise TypeError(f"inputs must be the name of an array, got {described(inputs)}")
        return self


class Examples(NamedTuple):
    """Examples read from a file.

    Attributes
    ----------
    X : array (m, n), or an array that is read in chunks: a memory map, a dataset of h5py
    y : array (m,), numbers (m, K) where these are wanted, or None if there are no labels
    names : tuple of str, or None
        Names of the inputs, from a table's header.
    layout : str
        How a table was read, in a few words.
    notes : sequence of str
        Warnings about a table: columns that say nothing, doubts about the header.
    """

    X: Any
    y: Any
    names: tuple[str, ...] | None = None
    layout: str = ""
    notes: Sequence[str] = ()


class Format(Protocol):
    """Module that keeps named arrays in files."""

    def read(self, file: IO[bytes], most: int, large: str = "") -> dict[str, Array]:
        """Read all arrays of an open file; ValueError if they would take more than `most` bytes.

        The array named `large` may be mapped into memory, if the format allows that.
        """

    def write(self, file: IO[bytes], arrays: dict[str, Array]) -> None:
        """Write the arrays to an open file."""


class Reader(NamedTuple):
    """Type of files.

    Attributes
    ----------
    examples : callable, optional
        Takes a path and options, returns Examples. It leaves y None if the options name other `labels` than its own.
    labels : callable, optional
        Takes a path, options and m, returns m labels, or numbers, and warnings. None: no labels alone.
    arrays : Format, optional
        Reads and writes named arrays. Weights and models are kept in such files too.
    is_named : bool
        `inputs` and `label` name arrays in it.
    is_text : bool
        `header`, `delimiter` and `encoding` say how it is read.
    """

    examples: Callable[[Path, Options], Examples] | None = None
    labels: Callable[[Path, Options, int], tuple[Array, list[str]]] | None = None
    arrays: Format | None = None
    is_named: bool = False
    is_text: bool = False

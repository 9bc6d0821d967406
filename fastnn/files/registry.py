"""File types: one reader for each suffix.

A new type is a module with the functions of its reader (`reader.Reader`), and a line here.
"""

from pathlib import Path

from . import arrays, column, mat, npz, safetensors, tables
from .paths import suffix_of
from .reader import Format, Reader

_TABLE = Reader(tables.examples, column.labels, is_text=True)
_COLUMN = Reader(labels=column.labels, is_text=True)

READERS = {
    ".npy": Reader(npz.examples, npz.labels),
    ".npz": arrays.reader(npz),
    ".mat": arrays.reader(mat),
    ".safetensors": arrays.reader(safetensors),
    ".h5": Reader(arrays.hdf5_examples, is_named=True),
    ".hdf5": Reader(arrays.hdf5_examples, is_named=True),
    ".csv": _TABLE,
    ".tsv": _TABLE,
    ".csv.gz": _TABLE,
    ".tsv.gz": _TABLE,
    ".txt": _COLUMN,
    ".txt.gz": _COLUMN,
}

# Suffixes: of weights and models; of tables; of all examples, in words.
FORMATS: dict[str, Format] = {suffix: reader.arrays for suffix, reader in READERS.items() if reader.arrays}
TABLES = [suffix for suffix, reader in READERS.items() if reader.is_text and reader.examples]
_OTHERS = [suffix for suffix, reader in READERS.items() if reader.examples and not reader.arrays]
SUFFIXES = f"{', '.join(FORMATS)} or, for data, {', '.join(_OTHERS)}"


def is_table(path: Path) -> bool:
    """Return whether the name is a table's."""
    return suffix_of(path) in TABLES


def is_text(path: Path) -> bool:
    """Return whether the name is of a text file: a table, or a column of labels."""
    reader = READERS.get(suffix_of(path))
    return reader is not None and reader.is_text

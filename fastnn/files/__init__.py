"""File formats of data, weights and models."""

from .archive import ModelFileError, as_read, check_format, read_arrays, read_weights, weights_in, write_arrays
from .examples import read_data, read_examples
from .paths import checked_path, named, printable, remove_unfinished, unfinished, write_atomically
from .reader import Examples, Options
from .registry import FORMATS, is_table

__all__ = [
    "FORMATS", "Examples", "ModelFileError", "Options", "as_read", "check_format", "checked_path", "is_table", "named",
    "printable", "read_arrays", "read_data", "read_examples", "read_weights", "remove_unfinished", "unfinished",
    "weights_in", "write_arrays", "write_atomically",
]  # fmt: skip

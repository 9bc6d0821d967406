"""Examples in files of named arrays: X, y, or others that the user names."""

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path

from ..inputs.containers import Array
from .paths import named, one_line, suffix_of
from .reader import Examples, Format, Options, Reader

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
            raise error(
                f"{name} is {str(path)!r}, which cannot be read as {suffix_of(path)}: {one_line(fault)}"
            ) from None
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
        raise ValueError(
            f"path is {str(path)!r}, which {got}. Set label to the name of its labels, or labels to a file of labels"
        )
    return inputs, None

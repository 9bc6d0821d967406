"""Files of arrays that fastnn writes: models, checkpoints, weights. A checksum shows that nothing changed since."""

import hashlib
import io
import os
import sys
from pathlib import Path

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from ..network import Weights
from . import arrays as files_of_arrays
from .paths import checked_path, named, suffix_of, write_atomically
from .registry import FORMATS, SUFFIXES

# Most memory that the arrays may take, as a multiple of the file's size: packed weights are half as long at best.
_PACKING = 100

# Name of the array that holds the checksum of all others.
CHECKSUM = "checksum"

# Present in every model since checksums exist. Without a checksum, such a file is damaged.
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
    fastnn.ModelFileError: path is 'digits.npz', which cannot be read as .npz: File is not a zip file
    """

    __module__ = "fastnn"


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """Read weights from a .mat file of the course, or from a saved model.

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
    path = checked_path(path)
    return weights_in(read_arrays(path), path)


def weights_in(arrays: dict[str, Array], path: Path) -> Weights:
    """Return Theta1, Theta2, ... among the arrays of the file at `path`."""
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


def read_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of a file; ModelFileError if it is damaged, or changed since fastnn wrote it."""
    module = FORMATS.get(suffix_of(path))
    if module is None:
        raise ModelFileError(f"path is {str(path)!r}; a file that ends in {SUFFIXES} is wanted")
    arrays = files_of_arrays.read(path, module, packing=_PACKING, error=ModelFileError)
    if CHECKSUM in arrays or set(arrays) >= _SINCE_CHECKSUMS:
        saved = arrays.pop(CHECKSUM, np.empty(0)).ravel().tolist()
        if saved != [checksum(arrays)]:
            got = "whose checksum is not that of what it holds" if saved else "which has lost its checksum"
            raise ModelFileError(f"path is {str(path)!r}, {got}: it was damaged, or changed after it was saved")
    return arrays


def write_arrays(path: Path, arrays: dict[str, Array]) -> None:
    """Write a file with these arrays and their checksum, whole or not at all."""
    check_format(path, "path")
    # The checksum comes first: a file that is cut off must not look like one that never had a checksum.
    checked = {CHECKSUM: np.array(checksum(as_read(path, arrays)))} | arrays
    write_atomically(path, lambda file: FORMATS[suffix_of(path)].write(file, checked))


def as_read(path: Path, arrays: dict[str, Array]) -> dict[str, Array]:
    """Return the arrays as a file of that name gives them back: .mat changes shapes and types."""
    file, module = io.BytesIO(), FORMATS[suffix_of(path)]
    module.write(file, arrays)
    file.seek(0)
    return module.read(file, sys.maxsize)


def checksum(arrays: dict[str, Array]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes, equal on every machine."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        values = np.asarray(values, values.dtype.newbyteorder("<"), order="C")
        digest.update(ascii((name, values.dtype.str, values.shape)).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def check_format(path: Path, name: str) -> None:
    """Raise ValueError if arrays cannot be written to a file of that name."""
    if suffix_of(path) not in FORMATS:
        raise ValueError(f"{name} is {str(path)!r}; a name that ends in one of {', '.join(FORMATS)} is wanted")

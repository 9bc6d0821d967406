"""A trained network for other programs, by the suffix of the file: ONNX, a C header, or one of fastnn's own formats."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import files
from ..files import FORMATS
from ..inputs import validation
from ..spec import Array
from . import Model
from .unwrap import to_model


class _Writer(NamedTuple):
    """Module with the function `encode(model, weights, about, name) -> bytes`, and the default of `dtype`."""

    module: str
    dtype: str


WRITERS = {".onnx": _Writer("export_onnx", "float32"), ".h": _Writer("export_c", "float64")}


def export(model: object, path: str | os.PathLike[str], *, dtype: str | None = None) -> None:
    """Write a model for a program that has no fastnn.

    Parameters
    ----------
    model : Model, fitted estimator or pipeline
        A model, an estimator of `fastnn.estimator`, or a pipeline of scalers that ends in one.
    path : str or path
        The suffix says what is written, and an existing file is replaced:

        - `.onnx`, the whole of `predict` as a graph of ONNX. It takes `X` (m, n) of type `dtype`, and gives `label` and
          `probabilities`, as `predict` and `predict_proba` do; of a model of numbers `value`. It needs onnx.
        - `.h`, one function in C99 with the weights beside it, for microcontrollers. It takes an example, fills in the
          outputs, and returns the number of the largest one. The file's name is the prefix of its names.
        - `.npz`, `.mat` and `.safetensors` are written by `Model.save`.
    dtype : {"float32", "float64"}, optional
        Of the arithmetic of a graph or a header. Default: float32 of ONNX, which runtimes are made for, float64 of C.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, or the format has no place for the classes or the weights; nothing is written then.
    OSError
        If it cannot be written.

    Notes
    -----
    Probabilities of digits agree with those of `predict_proba` to 1e-14 in float64, and in float32 to about 1e-6, by
    the rounding of sums of 400 products: 0.8e-6 of the usual network, 1.5e-6 where weights are as large as 11. Where
    inputs are standardised, the mean is taken off in float64 in both: beside a large one float32 loses what differs.

    Examples
    --------
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=5)
    >>> fastnn.export(model, "digits.h")
    >>> with open("digits.h") as file:
    ...     print(file.readline())
    /* A network 400-25-10, sigmoid and sigmoid, written by fastnn.
    <BLANKLINE>
    """
    model = to_model(model)
    path = files.checked_path(path)
    suffix = path.suffix.lower()
    if suffix in WRITERS:
        write(model, path, suffix, dtype)
        return
    if suffix not in FORMATS:
        want = ", ".join([*WRITERS, *FORMATS])
        raise ValueError(f"path is {str(path)!r}; a name that ends in one of {want} is wanted")
    if dtype is not None:
        want = f"it is wanted of {' and '.join(WRITERS)} alone"
        raise ValueError(f"dtype is {dtype!r}, but {suffix} keeps float64; {want}")
    model.save(path)


def write(model: Model, path: Path, suffix: str, dtype: str | None = None) -> None:
    """Write a model in the format of a suffix of WRITERS, whatever the file's own is."""
    module, default = WRITERS[suffix]
    encode = import_module(f"{__package__}.{module}").encode
    kind = validation.choice(dtype or default, ("float32", "float64"), "dtype")
    layers = "-".join(map(str, model.sizes))
    about = f"a network {layers}, {model.activation} and {model.output}, written by fastnn"
    try:
        content = encode(model, _weights_in(kind, model.weights), about, path.name)
    except UnicodeEncodeError as error:
        got = f"model has the class {error.object!r}, which is no text in Unicode"
        raise ValueError(f"{got}; such text is wanted") from None
    files.write_atomically(path, lambda file: file.write(content))


def _weights_in(kind: str, weights: Sequence[Array]) -> list[Array]:
    """Return the weights in that type; ValueError if it cannot hold them."""
    with np.errstate(over="ignore"):
        converted = [W.astype(kind) for W in weights]
    if not all(np.isfinite(W).all() for W in converted):
        largest = max(float(np.abs(W).max()) for W in weights)
        raise ValueError(f"dtype is {kind!r}, but the largest weight is {largest:.3g}; 'float64' is wanted")
    return converted

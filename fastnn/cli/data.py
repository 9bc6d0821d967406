"""Examples for a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .options import refuse_without, table
from .output import note

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..files import Examples
    from ..inputs.containers import Array
    from ..model import Model


def numeric(output: str | None) -> bool:
    """Return True if a network with this output is trained on numbers; None is the default output."""
    from ..targets import kind_of

    return kind_of(output or "sigmoid", multilabel=False).numeric


def examples(
    options: argparse.Namespace, model: Model | None = None, *, numbers: bool = False, labelled: bool = True
) -> Examples:
    """Return the user's examples, or the shipped digits.

    With a model its inputs are wanted; with `numbers` y is numbers. Examples that need not be `labelled` may lack y.
    """
    from .. import files
    from ..datasets import digits

    if options.data:
        n, names = (model.sizes[0], model.feature_names) if model else (None, None)
        arrays = {"inputs": options.inputs, "labels": options.labels}
        return _read(options, "--data", options.data, n, names, numbers=numbers, labelled=labelled, **arrays)
    # Without --data, options of a table may describe that of --validation.
    described = isinstance(getattr(options, "validation", None), str)
    refuse_without("--data", options, "labels", "inputs", *(() if described else table(options)))
    X, y = digits.load_digits()
    if model and (labels := model.kind.labels) is not None and labels.tolist() == [*range(1, 11)]:
        y = np.where(y == 0, 10, y)  # as the course labels them
    return files.Examples(X, y)


def held_out(options: argparse.Namespace, training: Examples, numbers: bool) -> float | tuple[ArrayLike, Array] | None:
    """Return the fraction of --validation, or (X, y) from a file or from other arrays of --data; None without it."""
    from .. import files

    if not isinstance(options.validation, str):
        return options.validation
    path, arrays = options.validation, {"inputs": options.inputs}
    inputs, comma, label = path.partition(",")
    if options.data and not Path(path).exists() and (comma or not Path(path).suffix):
        is_table = files.is_table(Path(options.data))
        if not comma or is_table:
            arrays_too = "" if is_table else ", or two arrays of --data, as Xval,yval"
            raise ValueError(f"--validation must be a fraction or a file that exists{arrays_too}, got {path!r}")
        if inputs == (options.inputs or "X"):
            raise ValueError(f"--validation must name other arrays than those trained on, got {inputs!r}")
        path, arrays = options.data, {"inputs": inputs, "label": label}
    elif options.data and Path(path).resolve() == Path(options.data).resolve():
        remedy = "Name two arrays in it, as Xval,yval, or a fraction, as 0.2"
        raise ValueError(f"--validation must hold other examples than --data, got the same file. {remedy}")
    n, names = training.X.shape[1], training.names
    others = _read(options, "--validation", path, n, names, numbers=numbers, **arrays)
    return others.X, answers(others, "--validation")


def _read(
    options: argparse.Namespace, name: str, path: str, n: int | None, names: Sequence[str] | None, **more: Any
) -> Examples:
    """Read examples of n inputs, with these names if they have any; print the notes about them."""
    from .. import files
    from ..inputs import validation

    found = files.read_examples(path, files.Options(n=n, names=names, **(table(options) | more)))
    if names and found.names:
        validation.same_names(found.names, names, name)
    note(options, f"{name} {path}", found.notes)
    return found


def answers(found: Examples, name: str) -> Array:
    """Return y; raise ValueError if there is none."""
    if found.y is None:
        raise ValueError(f"{name} has no labels; one for every example is wanted")
    return found.y


def rows(X: Any, indices: Array) -> Any:
    """Return these rows of X, in ascending order; a streamed X is read later."""
    from ..inputs import streams

    streamed = streams.stored(X)
    return streams.Chosen(streamed, indices) if streamed else X[indices]


def spread(m: int, count: int) -> Array:
    """Return the indices of `count` of m examples, evenly spaced."""
    return np.arange(count) * m // count

"""Pictures, as PNG files. Needs matplotlib: the extra `plot`."""

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import validation
from .validation import Array


def save_images(X: ArrayLike, path: str | os.PathLike[str], *, order: str = "F") -> None:
    """Write the rows of X as one picture: a grid of square grey images.

    Parameters
    ----------
    X : array (m, n)
        One image a row, n a square number: examples, or `weights[0][:, 1:]`, what each hidden
        unit looks for. Each image is scaled to its own largest absolute value: 0 is grey, the
        largest value white, its negative black.
    path : str or path
        A name that ends in .png.
    order : {"F", "C"}
        Whether a row holds its image column by column (the course's digits) or row by row.
    """
    X = validation.inputs(X)
    order = validation.choice(order, ("F", "C"), "order")
    side = round(X.shape[1] ** 0.5)
    if side * side != X.shape[1]:
        raise ValueError(f"X has {X.shape[1]} columns; a square number, the pixels of a square image, is wanted")
    if not str(path).endswith(".png"):
        raise ValueError(f"path is {str(path)!r}; a name that ends in .png is wanted")
    images = X.reshape(-1, side, side)
    figure = _figure(_mosaic(images.transpose(0, 2, 1) if order == "F" else images))
    figure.savefig(path, dpi=100)


def _mosaic(images: Array) -> Array:
    """Images (m, side, side) in a grid as square as they allow, one grey level of gap between them."""
    m, side, _ = images.shape
    columns = int(np.ceil(np.sqrt(m)))
    rows = -(-m // columns)
    step = side + 1
    mosaic = np.zeros((rows * step + 1, columns * step + 1))
    for i, image in enumerate(images):
        top, left = i // columns * step + 1, i % columns * step + 1
        mosaic[top : top + side, left : left + side] = image / (np.abs(image).max() or 1.0)
    return mosaic


def _figure(mosaic: Array) -> Any:
    """A figure of that image alone, at least three screen pixels for each of its own."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('pictures need matplotlib; python -m pip install "fastnn[plot]" brings it') from None
    zoom = max(3, -(-800 // max(mosaic.shape)))
    figure = Figure(figsize=(mosaic.shape[1] * zoom / 100, mosaic.shape[0] * zoom / 100))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(mosaic, cmap="gray", vmin=-1.0, vmax=1.0, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return figure

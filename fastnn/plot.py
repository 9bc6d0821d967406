"""Pictures, as PNG files. Needs matplotlib: the extra `plot`."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import validation
from .benchmark import comparison
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
    check_path(path)
    images = X.reshape(-1, side, side)
    figure = _picture(_mosaic(images.transpose(0, 2, 1) if order == "F" else images))
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


def _picture(mosaic: Array) -> Any:
    """A figure of that image alone, at least three screen pixels for each of its own."""
    zoom = max(3, -(-800 // max(mosaic.shape)))
    figure = _figure(mosaic.shape[1] * zoom / 100, mosaic.shape[0] * zoom / 100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(mosaic, cmap="gray", vmin=-1.0, vmax=1.0, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return figure


_RUNG, _FUSED, _PEER = "#9db4c8", "#1f5a8c", "#d0c7b8"


def save_ladder(groups: Sequence[comparison.Group], path: str | os.PathLike[str], *, note: str = "") -> None:
    """Draw how long every implementation took: a panel for each group, time on a logarithmic axis.

    Parameters
    ----------
    groups : sequence of comparison.Group
    path : str or path
        A name that ends in .png.
    note : str
        A line below: what it was measured on.
    """
    check_path(path)
    heights = [len(group.results) for group in groups]
    figure = _figure(8.0, 0.62 * len(groups) + 0.27 * sum(heights) + 0.4)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, group in zip(panels, groups, strict=True):
        names = comparison.ranked(group)[::-1]
        seconds = [float(np.median(group.results[name].seconds)) for name in names]
        colours = [
            _FUSED if name == comparison.FUSED else _RUNG if name in comparison.RUNGS.values() else _PEER
            for name in names
        ]
        axes.barh(names, seconds, color=colours, height=0.72)
        axes.set_xscale("log")
        axes.set_xlim(min(seconds) / 3.0, max(seconds) * 12.0)
        for row, (name, value) in enumerate(zip(names, seconds, strict=True)):
            label = comparison.duration(value)
            if name != comparison.BASELINE and comparison.BASELINE in group.results:
                times = comparison.ratio(group.results[comparison.BASELINE], group.results[name]).median
                label += f",  {_factor(times)} x {comparison.BASELINE}"
            axes.text(value * 1.08, row, label, va="center", fontsize=8)
        axes.set_title(group.title, loc="left", fontsize=9, fontweight="bold")
        axes.tick_params(axis="both", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("seconds, logarithmic", fontsize=8)
    if note:
        figure.supxlabel(note, fontsize=6.5, color="#555555", wrap=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _factor(times: float) -> str:
    """A ratio, or one over it: 1/40 says more than 0.025."""
    return comparison.three_digits(times) if times >= 1.0 else f"1/{comparison.three_digits(1.0 / times)}"


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise what saving a picture under this name would raise, before there is any work to lose."""
    if not str(path).endswith(".png"):
        raise ValueError(f"path is {str(path)!r}; a name that ends in .png is wanted")
    _figure(1.0, 1.0)


def _figure(width: float, height: float) -> Any:
    """An empty figure of so many inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('pictures need matplotlib; python -m pip install "fastnn[plot]" brings it') from None
    return Figure(figsize=(width, height))

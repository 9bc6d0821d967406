"""Pictures, as PNG files. Needs matplotlib: the extra `plot`."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import validation
from .benchmark import comparison
from .files import write_atomically
from .inputs import read
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
    X = read(X, 0, len(X))
    order = validation.choice(order, ("F", "C"), "order")
    side = round(X.shape[1] ** 0.5)
    if side * side != X.shape[1]:
        raise ValueError(f"X has {X.shape[1]} columns; a square number, the pixels of a square image, is wanted")
    check_path(path)
    images = X.reshape(-1, side, side)
    figure = _picture(_mosaic(images.transpose(0, 2, 1) if order == "F" else images))
    _write(figure, path, dpi=100)


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


# Colour and marker of a dot, by what it stands for: they differ in both, to be told apart in grey too.
_KINDS = {
    "fused": ("#0072b2", "o"),
    "other engines of fastnn": ("#7f7f7f", "s"),
    "other libraries": ("#d55e00", "^"),
}
_LABEL = 0.27  # share of an axis' width that is left for the label of its last dot
_EXPLANATION = (
    f"Titles: examples x layers, type. Axes are logarithmic. x {comparison.BASELINE}: how many times as fast as "
    f"{comparison.BASELINE}. *: a part was timed, and scaled to the whole."
)


def save_ladder(groups: Sequence[comparison.Group], path: str | os.PathLike[str], *, note: str = "") -> None:
    """Draw how long every implementation took: a panel for each group, a dot for each time, on a logarithmic axis.

    Parameters
    ----------
    groups : sequence of comparison.Group
    path : str or path
        A name that ends in .png.
    note : str
        A line below: what it was measured on.
    """
    check_path(path)
    _write(_ladder(groups, note), path, dpi=150, metadata={"Software": None})


def _ladder(groups: Sequence[comparison.Group], note: str) -> Any:
    heights = [len(group.results) for group in groups]
    figure = _figure(8.0, 0.68 * len(groups) + 0.25 * sum(heights) + 1.1)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    panels = figure.subplots(len(groups), 1, height_ratios=[height + 0.5 for height in heights], squeeze=False)[:, 0]
    handles: dict[str, Any] = {}
    for axes, group in zip(panels, groups, strict=True):
        _panel(axes, group, handles)
    order = [kind for kind in (*_KINDS, "NumPy, the baseline") if kind in handles]
    figure.legend(
        [handles[kind] for kind in order], order, loc="outside upper left", ncols=4, fontsize=8, frameon=False
    )
    lines = [_EXPLANATION, *textwrap.wrap(note, 155)]
    figure.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=6.5, color="#404040")
    return figure


def _panel(axes: Any, group: comparison.Group, handles: dict[str, Any]) -> None:
    """Draw a group, the fastest on top; `handles` collects what the legend shows."""
    from matplotlib.ticker import LogLocator

    names = comparison.ranked(group)[::-1]
    seconds = [float(np.median(group.results[name].seconds)) for name in names]
    baseline = group.results.get(comparison.BASELINE)
    if baseline:
        line = axes.axvline(np.median(baseline.seconds), color="#7f7f7f", linewidth=0.8, linestyle="--", zorder=1)
        handles["NumPy, the baseline"] = line
    for row, (name, value) in enumerate(zip(names, seconds, strict=True)):
        kind = _kind(name)
        colour, marker = _KINDS[kind]
        (handles[kind],) = axes.plot([value], [row], marker, color=colour, markersize=6.5, linestyle="")
        label = comparison.duration(value) + ("*" if group.results[name].share < 1.0 else "")
        if baseline and name != comparison.BASELINE:
            times = comparison.ratio(baseline, group.results[name]).median
            label += f", {comparison.three_digits(times)} x {comparison.BASELINE}"
        axes.annotate(
            label,
            (value, row),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    low = min(seconds) / 1.3
    decades = max(1.0, np.log10(max(seconds) / low) / (1.0 - _LABEL))
    axes.set_xscale("log")
    axes.set_xlim(low, low * 10.0**decades)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_yticks(range(len(names)), names)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.0 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value))
    axes.xaxis.set_minor_formatter("")
    axes.tick_params(axis="both", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(f"Time of {group.title}", loc="left", fontsize=9, fontweight="bold")


def _kind(name: str) -> str:
    """Which of _KINDS an implementation is."""
    rung = comparison.rung(name)
    return "other libraries" if rung is None else "fused" if rung == comparison.FUSED else "other engines of fastnn"


def _tick(seconds: float) -> str:
    """1e-3 as 1 ms."""
    return comparison.duration(1.000001 * seconds).replace(".00", "").replace(".0", "")


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise what saving a picture under this name would raise, before there is any work to lose."""
    if not str(path).endswith(".png"):
        raise ValueError(f"path is {str(path)!r}; a name that ends in .png is wanted")
    _figure(1.0, 1.0)


def _write(figure: Any, path: str | os.PathLike[str], **options: Any) -> None:
    """All of the picture, or what was there before."""
    write_atomically(Path(path), lambda file: figure.savefig(file, format="png", **options))


def _figure(width: float, height: float) -> Any:
    """An empty figure of so many inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('pictures need matplotlib; python -m pip install "fastnn[plot]" brings it') from None
    return Figure(figsize=(width, height))

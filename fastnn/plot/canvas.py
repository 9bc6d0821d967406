"""Figures, what they have in common, and how they become files."""

import io
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..files import printable, write_atomically
from ..inputs.containers import described
from ..problem import documented as _documented

# Twice the resolution that screens once had: figures are laid out for 100 points an inch.
DPI, _POINTS = 200, 100

# Lines that the docstrings of pictures share: `documented` puts them in place of {name, name}.
ARGUMENTS = {
    "model": """
model : Model, fitted estimator or pipeline
    A model of classes.""",
    "X": """
X : array (m, n)
    An image a row, n a square number.""",
    "order": """
order : {"F", "C"}
    Whether a row of X holds its image column by column (the course's digits) or row by row (MNIST).""",
    "ax": """
ax : matplotlib.axes.Axes, optional
    Where to draw. Default: in a figure of its own.
""",
    "figure": """
Returns
-------
matplotlib.figure.Figure""",
    "raises": """
Raises
------
ValueError, TypeError
    If an argument does not fit.""",
}
documented = partial(_documented, arguments=ARGUMENTS)

# The dark ones of the colours that the colour-blind tell apart (Okabe and Ito, 2008), and markers, for grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#9b4f81", "#000000")
MARKERS = ("o", "s", "^", "D", "v")
WRONG = "#d55e00"  # with a thick frame or bold letters: it is seen in grey, too
PALE = "#e6e6e6"

SMALL, MEDIUM = 7.5, 9.0  # letters, in points


class Picture(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        file = io.BytesIO()
        self.savefig(file, format="png")
        width, height = (round(_POINTS * inches) for inches in self.get_size_inches())
        return file.getvalue(), {"width": width, "height": height}


def figure(width: float, height: float) -> Picture:
    """An empty one of so many inches."""
    return Picture(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def axes(ax: object, width: float, height: float) -> Axes:
    """The user's axes, or those of a new figure of that size."""
    if ax is None:
        return figure(width, height).subplots()
    if not isinstance(ax, Axes):
        raise TypeError(f"ax is {described(ax)}; axes of matplotlib, or None, are wanted")
    return ax


def pair(ax: object, width: float, heights: tuple[float, float]) -> tuple[Axes, Axes | None]:
    """Two axes, one below the other: the user's, those of a new figure; or the first alone, if these are the user's."""
    if ax is None:
        return tuple(figure(width, sum(heights)).subplots(2, 1, height_ratios=heights))
    if isinstance(ax, Axes):
        return ax, None
    if not isinstance(ax, Sequence | np.ndarray) or len(ax) != 2 or not all(isinstance(one, Axes) for one in ax):
        raise TypeError(f"ax is {described(ax)}; axes of matplotlib, a pair of them, or None are wanted")
    return ax[0], ax[1]


def label(value: object, most: int = 24) -> str:
    """Any label as matplotlib can draw it: no formula between dollars, no half a character, not too long."""
    text = printable(str(value))
    return (text if len(text) <= most else f"{text[: most - 3]}...").replace("$", r"\$")


def title(ax: Axes, words: str) -> Figure:
    """Write the finding above the axes, on the left; return their figure."""
    ax.set_title(words, loc="left", fontsize=MEDIUM, fontweight="bold")
    return figure_of(ax)


def figure_of(ax: Axes) -> Figure:
    """Return the figure that the axes are in."""
    return cast(Figure, ax.figure)


def plain(ax: Axes) -> None:
    """Small numbers, a pale grid behind, and no frame but the two axes."""
    ax.tick_params(axis="both", labelsize=SMALL)
    ax.grid(color=PALE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def save(figure: object, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, all of it, or leave what was there before.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Any, these pictures or yours.
    path : str or path
        A name that ends in .png.

    Raises
    ------
    ValueError, TypeError
        If it is no figure, or the name ends otherwise.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> from fastnn import plot
    >>> X, y = fastnn.load_digits()
    >>> plot.save(plot.digits(X[::50], y[::50]), "digits.png")
    >>> from matplotlib.image import imread
    >>> imread("digits.png").shape[1]
    1700
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"figure is {described(figure)}; a figure of matplotlib is wanted")
    check_path(path)
    metadata = {"Software": None}  # a figure gives the same file with every version of matplotlib that draws it so
    write_atomically(Path(path), lambda file: figure.savefig(file, format="png", metadata=metadata))


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise what saving a picture under this name would raise, before there is any work to lose."""
    if not str(path).endswith(".png"):
        raise ValueError(f"path is {str(path)!r}; a name that ends in .png is wanted")

"""Rows of X, and of the first layer's weights, as images."""

from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from ..inputs import validation
from ..inputs.containers import brought
from ..inputs.streams import read, stored
from ..model import Model
from ..model.unwrap import to_model
from ..spec import Array
from ..targets import Classes
from .canvas import SMALL, WRONG, axes, documented, figure_of, label, title

# So many images can be seen at a glance; more in a picture cannot be seen at all.
_MOST = 400

# From the lowest weight over zero to the highest: dark blue to light yellow, which the colour-blind see as others do,
# and which is dark to light in grey, too.
_SIGNED = ("#081d58", "#2c5fa8", "#9a9a9a", "#e8cf6a", "#fff7bc")

# Resampled digits are a little below the background next to ink: it is still background.
_OVERSHOOT = 0.2

# Letters of a label that have room below an image.
_SHORT = 12

# Columns of mistakes, which have two lines of words below each: a picture that is broader than high.
_BROAD = 10


@documented
def digits(
    X: ArrayLike,
    y: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    *,
    order: str = "F",
    ax: Axes | None = None,
) -> Figure:
    """Examples as images, with their labels and what a model says; the wrong ones are marked.

    Parameters
    ----------
    X : array (m, n)
        An image a row, n a square number, m at most 400. Ink is dark: the largest value is black, 0 is white.
    y : array (m,), optional
        The labels, below the images.
    predictions : array (m,), optional
        What a model says, `model.predict(X)`: it stands below each image, and beside it the label if there is another.
    {order, ax, figure}

    {raises}

    Examples
    --------
    >>> from fastnn import plot
    >>> X, y = fastnn.load_digits()
    >>> figure = plot.digits(X[::50], y[::50])
    >>> figure.axes[0].get_title(loc="left")
    '100 examples, 10 labels'
    """
    X = _in_memory(X)
    m = len(X)
    images = _images(X, order, "X")
    labels = None if y is None else Classes.read(y, m)
    count = f"{m:,} example{'s' * (m > 1)}"
    if predictions is None:
        different = 0 if labels is None else len(np.unique(labels))
        words = f", {different:,} label{'s' * (different > 1)}" if different else ""
        captions = [[]] * m if labels is None else [[label(b, _SHORT)] for b in labels]
        return _grid(images, captions, np.zeros(m, bool), f"{count}{words}", ax)
    with validation.about("predictions"):
        said = Classes.read(predictions, m)
    if labels is None:
        captions = [[label(a, _SHORT)] for a in said]
        return _grid(images, captions, np.zeros(m, bool), f"What the model says of {count}", ax)
    wrong = labels != said
    captions = [
        [label(a, _SHORT) + (f", is {label(b, _SHORT)}" if a != b else "")] for a, b in zip(said, labels, strict=True)
    ]
    return _grid(images, captions, wrong, f"{wrong.sum():,} of {m:,} wrong", ax)


@documented
def errors(
    model: object, X: ArrayLike, y: ArrayLike, *, order: str = "F", count: int = 50, ax: Axes | None = None
) -> Figure:
    """The examples that a model gets wrong, the surest mistakes first.

    Below each image stands what the model says, its probability, and what it is. A model makes fewer mistakes on the
    examples that it was trained on: `X[model.held_out]` are others.

    Parameters
    ----------
    {model, X}
    y : array (m,)
        The labels. One that the model has never seen counts as wrong; a UserWarning names it.
    {order}
    count : int
        How many are drawn at most, 400 or less.
    {ax, figure}

    {raises}

    Examples
    --------
    >>> from fastnn import plot
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=5)
    >>> figure = plot.errors(model, X, y, count=20)
    >>> figure.axes[0].get_title(loc="left").split(": ")[1]
    'the 20 surest'
    """
    model, classes = of_classes(model)
    count = validation.positive(count, "count")
    X = brought(X)
    A = model.predict_proba(X)
    said = A.argmax(axis=1)
    sure = A[np.arange(len(A)), said]
    indices, labels = classes.known(y, len(A), stacklevel=3)
    wrong = np.flatnonzero(said != indices)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    labels = labels[surest]
    kept = stored(X)
    rows = kept.rows(surest) if kept else validation.inputs(X)[surest]
    captions = [
        [f"{label(a, _SHORT)} ({percent:.0f} %)", f"is {label(b, _SHORT)}"]
        for a, percent, b in zip(classes.labels[said[surest]], 100.0 * sure[surest], labels, strict=True)
    ]
    words = f"{len(wrong):,} of {len(A):,} wrong ({100.0 * len(wrong) / len(A):.2f} %)"
    if len(surest) < len(wrong):
        words += f": the {len(surest)} surest"
    return _grid(_images(rows, order, "X"), captions, np.ones(len(surest), bool), words, ax, columns=_BROAD)


@documented
def units(model: object, *, order: str = "F", ax: Axes | None = None) -> Figure:
    """What each hidden unit of the first layer looks for: its weights, all on one scale.

    Parameters
    ----------
    model : Model, fitted estimator or pipeline
        Of any kind.
    {order, ax, figure}
        An image for each unit if the number of inputs is a square, else one row for each unit and one column for each
        input, with its name if it has one. The biases are left out.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, or there are more than 400 units.

    Examples
    --------
    >>> from fastnn import plot
    >>> model = fastnn.train(*fastnn.load_digits(), maxiter=5)
    >>> figure = plot.units(model)
    >>> figure.axes[0].get_title(loc="left").split(":")[0]
    'What 25 hidden units look for'
    """
    model = to_model(model)
    W = model.weights[0][:, 1:]
    side = _side(W.shape[1])
    first = "hidden unit" if len(model.weights) > 1 else "output"
    words = f"What {len(W):,} {first}s look for" if len(W) > 1 else f"What the {first} looks for"
    if side > 1:
        foot = max(1, round(0.15 * side))  # for the unit's number
        mosaic = _mosaic(_images(W, order, "weights"), 1, foot)
        high, wide = mosaic.pixels.shape
        width = min(8.0, max(4.0, 0.95 * mosaic.columns))
        ax = axes(ax, width + 1.0, width * high / wide + 0.5)
        drawn = _signed(ax, mosaic.pixels)
        letters = min(SMALL, 60.0 * foot * width / wide)
        for i, (top, left) in enumerate(mosaic.corners):
            x, y = left + side / 2 - 0.5, top + side + foot / 2 - 0.5
            ax.text(x, y, str(i), ha="center", va="center", fontsize=letters)
        ax.set_axis_off()
    else:
        n = W.shape[1]
        ax = axes(ax, min(12.0, 2.5 + 0.3 * n), min(12.0, 1.8 + 0.25 * len(W)))
        drawn = _signed(ax, W, aspect="auto")
        names = [label(name) for name in model.feature_names or range(n)]
        step = -(-n // 40)
        ax.set_xticks(range(0, n, step), names[::step], rotation=90 if model.feature_names else 0)
        ax.set_xlabel("input", fontsize=SMALL)
        ax.set_ylabel(first, fontsize=SMALL)
        ax.tick_params(labelsize=SMALL)
    bar = figure_of(ax).colorbar(drawn, ax=ax, shrink=0.7, pad=0.02)
    bar.set_label("weight of a standardised input" if model.scaling else "weight of an input", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    unit, place = np.unravel_index(np.abs(W).argmax(), W.shape)
    return title(ax, f"{words}: the largest weight is {W[unit, place]:.3g}, of unit {unit}")


def of_classes(model: object) -> tuple[Model, Classes]:
    """Return the model and its classes; raise ValueError if it has none."""
    model = to_model(model)
    if not isinstance(model.kind, Classes):
        raise ValueError(f"model is one of {model.kind.noun}; one of classes is wanted")
    return model, model.kind


def _in_memory(X: ArrayLike) -> Array:
    """X, if it is not too much for one picture."""
    X = validation.inputs(X)
    if len(X) > _MOST:
        raise ValueError(f"X has {len(X):,} rows; at most {_MOST} images, as X[:100], are wanted in a picture")
    return read(X, 0, len(X))


def _side(n: int) -> int:
    """Of a square image of n pixels; 0 if there is none."""
    side = round(n**0.5)
    return side if side * side == n else 0


def _images(rows: Array, order: str, name: str) -> Array:
    """Rows as (m, side, side)."""
    order = validation.choice(order, ("F", "C"), "order")
    side = _side(rows.shape[1])
    if not side:
        raise ValueError(
            f"{name} has {rows.shape[1]} columns; a square number, the pixels of a square image, is wanted"
        )
    if len(rows) > _MOST:
        raise ValueError(f"{name} has {len(rows):,} rows; at most {_MOST} can be seen in a picture")
    images = rows.reshape(-1, side, side)
    return images.transpose(0, 2, 1) if order == "F" else images


class _Mosaic(NamedTuple):
    """Images in a grid, as square as they allow if nothing is said, and their top left corners; NaN is white."""

    pixels: Array
    corners: Array
    columns: int


def _mosaic(images: Array, gap: int, foot: int = 0, columns: int | None = None) -> _Mosaic:
    """With a gap between images, and `foot` more rows below each; at most so many columns."""
    m, side, _ = images.shape
    columns = max(1, min(m, columns) if columns else int(np.ceil(np.sqrt(m))))
    rows = max(1, -(-m // columns))
    high, wide = side + gap + foot, side + gap
    corners = np.stack([np.arange(m) // columns * high, np.arange(m) % columns * wide], axis=1)
    pixels = np.full((rows * high - gap, columns * wide - gap), np.nan)
    for image, (top, left) in zip(images, corners, strict=True):
        pixels[top : top + side, left : left + side] = image
    return _Mosaic(pixels, corners, columns)


def _signed(ax: Axes, values: Array, aspect: Literal["auto"] | None = None) -> AxesImage:
    """Values on a scale with zero in its middle."""
    scale, top = LinearSegmentedColormap.from_list("signed", _SIGNED), float(np.nanmax(np.abs(values))) or 1.0
    return ax.imshow(values, cmap=scale, vmin=-top, vmax=top, interpolation="nearest", aspect=aspect)


def _grid(
    images: Array, captions: list[list[str]], marked: Array, words: str, ax: Axes | None, *, columns: int | None = None
) -> Figure:
    """Images as dark ink on white, lines of words below each, and a frame around those that are marked."""
    side = images.shape[1]
    line, gap = 0.27 * side, max(1, round(0.15 * side))  # in pixels of the images
    mosaic = _mosaic(images, gap, round(line * max(map(len, captions), default=0)), columns)
    high, wide = mosaic.pixels.shape
    longest = max([8, *(len(text) for lines in captions for text in lines)])
    cell = min(1.3, max(0.85, 0.08 * longest))  # inches
    width = min(10.0 / 0.85 * cell, max(4.0, cell * mosaic.columns))
    ax = axes(ax, width, width * high / wide + 0.4)
    if len(images):
        paper, ink = float(images.min()), float(images.max())
        paper = paper if paper < -_OVERSHOOT * ink else 0.0
        ax.imshow(mosaic.pixels, cmap="gray_r", vmin=paper, vmax=max(ink, paper + 1e-9), interpolation="nearest")
    letters = min(9.0, 72.0 * width / mosaic.columns / (0.7 * longest))  # bold ones are 0.7 of their height wide
    for (top, left), lines, wrong in zip(mosaic.corners, captions, marked, strict=True):
        if wrong:
            corner = left - 0.5, top - 0.5
            # Clipped to the axes, a frame at their edge would be half as thick there.
            ax.add_patch(Rectangle(corner, side, side, edgecolor=WRONG, linewidth=2.0, fill=False, clip_on=False))
        for row, text in enumerate(lines):
            style: dict[str, Any] = {"color": WRONG, "fontweight": "bold"} if wrong and row == 0 else {}
            below = top + side + (row + 0.5) * line
            ax.text(left + side / 2 - 0.5, below, text, ha="center", va="center", fontsize=letters, **style)
    ax.set_axis_off()
    return title(ax, words)

"""Two lists of the same things against each other: labels, and entries of a gradient."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..check import ENTRY, TOLERANCE, Entry, compare, relative_errors
from ..inputs import validation
from ..inputs.containers import brought
from ..network import theta_of
from .canvas import COLOURS, MARKERS, SMALL, WRONG, axes, documented, figure_of, label, pair, plain, title
from .images import of_classes

# From so many labels on counts cannot be read in their cells, and from so many on not every label is written.
_COUNTED, _LABELLED = 30, 60

# Errors below half of float64's epsilon are drawn as that: a logarithmic axis has no place for 0.
_LEAST = 2.0**-53


@documented
def confusion(model: object, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None) -> Figure:
    """Which labels a model takes for which: a row for each label, a column for what it says.

    Parameters
    ----------
    {model}
    X : array (m, n)
        The examples.
    y : array (m,)
        The labels. One that the model has never seen has a row below the others; a UserWarning names it.
    {ax, figure}
        Cells hold counts. Mistakes are the darker the larger their share of the row is; what is right is white.

    {raises}

    Examples
    --------
    >>> from fastnn import plot
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.train(X, y, maxiter=5)
    >>> figure = plot.confusion(model, X, y)
    >>> figure.axes[0].get_xlabel()
    'what the model says'
    """
    model, classes = of_classes(model)
    A = brought(model.predict_proba(X))
    said, (indices, labels) = A.argmax(axis=1), classes.known(y, len(A), stacklevel=3)
    K = classes.K
    others, place = np.unique(labels[indices < 0], return_inverse=True)
    rows = indices.copy()
    rows[indices < 0] = K + place
    counts = np.zeros((K + len(others), K), dtype=np.int64)
    np.add.at(counts, (rows, said), 1)
    names = [label(name) for name in (*classes.labels, *others)]

    mistakes = counts.copy()
    mistakes[np.arange(K), np.arange(K)] = 0
    shares = mistakes / np.maximum(1, counts.sum(axis=1, keepdims=True))
    size = min(10.0, max(4.0, 0.5 * K + 1.2))
    ax = axes(ax, size, size * len(counts) / K)
    top = float(shares.max()) or 1.0
    drawn = ax.imshow(np.where(mistakes > 0, shares, np.nan), cmap="Blues", vmin=0.0, vmax=1.3 * top)
    if K <= _COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.75 * top else "black"
                weight = "bold" if row == column else "normal"
                ax.text(column, row, f"{count:,}", ha="center", va="center", size=SMALL, color=colour, weight=weight)
    step = -(-K // _LABELLED)
    long = max(map(len, names)) > 4
    ax.set_xticks(range(0, K, step), names[:K:step], rotation=90 if long else 0)
    ax.set_yticks(range(0, len(names), step), names[::step])
    ax.set_xlabel("what the model says", fontsize=SMALL)
    ax.set_ylabel("label", fontsize=SMALL)
    ax.tick_params(labelsize=SMALL, length=0)
    ax.spines[:].set_visible(False)
    grid: dict[str, Any] = {"color": "#d9d9d9", "clip_on": False}  # clipped, the outer lines would be half as thick
    for line in range(len(counts) + 1):
        ax.axhline(line - 0.5, linewidth=0.6 if line != K or not len(others) else 2.0, **grid)
    for line in range(K + 1):
        ax.axvline(line - 0.5, linewidth=0.6, **grid)
    if K > _COUNTED:
        figure_of(ax).colorbar(drawn, ax=ax, shrink=0.7, pad=0.02).set_label(
            "share of the label's examples", fontsize=SMALL
        )
    right = int(np.trace(counts))
    words = f"{100.0 * right / len(A):.2f} % of {len(A):,} right"
    if right < len(A):
        row, column = np.unravel_index(mistakes.argmax(), mistakes.shape)
        words += f"\nmost often {names[row]} is taken for {names[column]}: {mistakes[row, column]:,}"
    return title(ax, words)


@documented
def check(gradient: object, numerical: object, *, ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """The entries of a gradient against differences of the cost; the worst is marked.

    Parameters
    ----------
    gradient : tuple of L arrays
        By backpropagation: `fastnn.cost_and_gradient(...)[1]`, or yours.
    numerical : tuple of L arrays, shaped alike
        By differences: `fastnn.numerical_gradient(...)`.
    ax : matplotlib.axes.Axes, or a pair of them, optional
        Where to draw the entries, and their errors; of one axes the errors are left out. Default: in a figure of its
        own.

    {figure}
        Above right entries lie on the diagonal; both axes are logarithmic away from zero. Below stands the relative
        error of each entry, and what passes in float64. All errors are those of `fastnn.check_gradient`.

    {raises}

    Examples
    --------
    >>> from fastnn import plot
    >>> X, y = fastnn.load_digits()
    >>> weights, some = fastnn.init_weights((400, 5, 10)), slice(None, None, 250)
    >>> J, gradient = fastnn.cost_and_gradient(weights, X[some], y[some])
    >>> figure = plot.check(gradient, fastnn.numerical_gradient(weights, X[some], y[some]))
    >>> figure.axes[0].get_title(loc="left").split(":")[0]
    '2,065 entries'
    """
    gradient = validation.weights(gradient, name="gradient")
    numerical = validation.like_weights(numerical, gradient, "numerical")
    compared = compare(gradient, numerical)
    a, d = theta_of(gradient), theta_of(numerical)
    worst = cast(Entry, compared.worst)  # weights are never empty
    errors = relative_errors(a, d, a)
    upper, lower = pair(ax, 7.0, (5.0, 2.5))
    ring: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 12, "fillstyle": "none", "color": WRONG}
    ring["markeredgewidth"] = 1.8
    first = 0
    for l, matrix in enumerate(gradient):
        own = slice(first, first := first + matrix.size)
        colour, marker = COLOURS[l % len(COLOURS)], MARKERS[l % len(MARKERS)]
        style: dict[str, Any] = {"color": colour, "markeredgewidth": 0.0, "alpha": 0.6, "markersize": 4}
        upper.plot(a[own], d[own], marker, label=f"layer {l}", **style)
        if lower is not None:
            lower.plot(np.arange(len(a))[own], np.maximum(errors[own], _LEAST), marker, **style)
    largest = max(float(np.abs(a).max()), float(np.abs(d).max())) or 1.0
    ends = [-1.5 * largest, 1.5 * largest]
    upper.plot(ends, ends, color="#7f7f7f", linewidth=0.8, linestyle="--", zorder=0)
    where = f"the worst: layer {worst.layer}, row {worst.row}, column {worst.column}"
    upper.plot([worst.analytic], [worst.numerical], label=where, **ring)
    near = 10.0 ** np.floor(np.log10(largest) - 2.0)
    ticks = [sign * near * 10.0**power for sign in (-1, 1) for power in (1, 2, 3)]
    for scale, set_ticks in ((upper.set_xscale, upper.set_xticks), (upper.set_yscale, upper.set_yticks)):
        scale("symlog", linthresh=near)
        set_ticks([0.0, *ticks], minor=False)
    upper.set(xlim=ends, ylim=ends)
    upper.set_xlabel("gradient", fontsize=SMALL)
    upper.set_ylabel("differences of the cost", fontsize=SMALL)
    upper.legend(fontsize=SMALL, frameon=False, loc="upper left")
    plain(upper)
    norm, most = compared.relative_norm_error, compared.max_relative_error
    title(upper, f"{len(a):,} entries: norm ratio {norm:.1e}, error of the worst {most:.1e}")
    if lower is not None:
        place = int(errors.argmax())
        lower.plot([place], [max(errors[place], _LEAST)], **ring)
        passes = ENTRY * TOLERANCE["float64"]
        lower.axhline(passes, color="#7f7f7f", linewidth=0.8, linestyle="--")
        lower.annotate("passes below", (0.0, passes), xytext=(0, -9), textcoords="offset points", fontsize=SMALL)
        lower.set_yscale("log")
        lower.set_xlabel("position in theta", fontsize=SMALL)
        lower.set_ylabel("relative error", fontsize=SMALL)
        plain(lower)
    return figure_of(upper)

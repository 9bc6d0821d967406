"""How long every implementation took."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from ..benchmark import comparison
from .canvas import COLOURS, PALE, axes, documented, figure, figure_of, title

# Colour and marker of a dot, by what it stands for: they differ in both, to be told apart in grey too.
_KINDS = {"fused": (COLOURS[0], "o"), "other engines of fastnn": ("#7f7f7f", "s"), "other libraries": (COLOURS[1], "^")}
_LABEL = 0.27  # share of an axis' width that is left for the label of its last dot
_EXPLANATION = (
    f"Times, on logarithmic axes. Titles: examples x layers, type. x {comparison.BASELINE}: how many times as fast as "
    f"{comparison.BASELINE}. *: a part was timed, and scaled to the whole."
)


@documented
def benchmark(groups: Sequence[comparison.Group], *, note: str = "", ax: Axes | None = None) -> Figure:
    """How long every implementation took: a panel for each group, a dot for each time.

    Parameters
    ----------
    groups : sequence of comparison.Group
        As `fastnn.benchmark.ladder.measure_all` returns them.
    note : str
        Lines below: what it was measured on. Left out in axes of yours.
    ax : matplotlib.axes.Axes, optional
        Where to draw the group, if it is one. Default: in a figure of its own.

    {figure}

    {raises}

    Examples
    --------
    What `measure_all` gives, here of times that are made up:

    >>> from fastnn import plot
    >>> from fastnn.benchmark.comparison import Group, Reference, Result
    >>> reference = Reference(np.ones(3), 1.0)
    >>> results = {
    ...     name: Result(np.full(3, seconds), error=0.0, compile_seconds=0.0, operations=None, share=1.0)
    ...     for name, seconds in [("fused", 0.001), ("NumPy", 0.003)]
    ... }
    >>> figure = plot.benchmark([Group("forward", results, reference, reference)])
    >>> figure.axes[0].get_title(loc="left")
    'forward: fused is 3.00 times as fast as NumPy'
    """
    if not groups:
        raise ValueError("groups holds none; at least one is wanted")
    if ax is not None:
        if len(groups) > 1:
            raise ValueError(f"ax is given for {len(groups)} groups; one is wanted, or a figure of their own")
        _panel(axes(ax, 0.0, 0.0), groups[0], {})
        return figure_of(ax)
    heights = [len(group.results) for group in groups]
    drawn = figure(8.0, 0.68 * len(groups) + 0.25 * sum(heights) + 1.1)
    drawn.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    panels = drawn.subplots(len(groups), 1, height_ratios=[height + 0.5 for height in heights], squeeze=False)[:, 0]
    handles: dict[str, Line2D] = {}
    for panel, group in zip(panels, groups, strict=True):
        _panel(panel, group, handles)
    order = [kind for kind in (*_KINDS, "NumPy, the baseline") if kind in handles]
    drawn.legend([handles[kind] for kind in order], order, loc="outside upper left", ncols=4, fontsize=8, frameon=False)
    lines = [_EXPLANATION, *textwrap.wrap(note, 155)]
    drawn.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=6.5, color="#404040")
    return drawn


def _panel(ax: Axes, group: comparison.Group, handles: dict[str, Line2D]) -> None:
    """Draw a group, the fastest on top; `handles` collects what the legend shows."""
    names = comparison.ranked(group)[::-1]
    seconds = [float(np.median(group.results[name].seconds)) for name in names]
    baseline = group.results.get(comparison.BASELINE)
    if baseline:
        line = ax.axvline(np.median(baseline.seconds), color="#7f7f7f", linewidth=0.8, linestyle="--", zorder=1)
        handles["NumPy, the baseline"] = line
    for row, (name, value) in enumerate(zip(names, seconds, strict=True)):
        kind = _kind(name)
        colour, marker = _KINDS[kind]
        (handles[kind],) = ax.plot([value], [row], marker, color=colour, markersize=6.5, linestyle="")
        label = comparison.duration(value) + ("*" if group.results[name].share < 1.0 else "")
        if baseline and name != comparison.BASELINE:
            times = comparison.ratio(baseline, group.results[name]).median
            label += f", {comparison.three_digits(times)} x {comparison.BASELINE}"
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        ax.annotate(label, (value, row), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8, bbox=box)
    low = min(seconds) / 1.3
    decades = max(1.0, np.log10(max(seconds) / low) / (1.0 - _LABEL))
    ax.set_xscale("log")
    ax.set_xlim(low, low * 10.0**decades)
    ax.set_ylim(-0.7, len(names) - 0.3)
    ax.set_yticks(range(len(names)), names)
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.0 else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(lambda value, _: _tick(value))
    ax.xaxis.set_minor_formatter("")
    ax.tick_params(axis="both", labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    title(ax, f"{group.title}{_finding(group)}")


def _finding(group: comparison.Group) -> str:
    """Where `fused` stands, beside the fastest of the others."""
    first, *others = comparison.ranked(group)
    if comparison.FUSED not in group.results or not others:
        return ""
    other = others[0] if first == comparison.FUSED else first
    fast, slow = (comparison.FUSED, other) if first == comparison.FUSED else (other, comparison.FUSED)
    times = comparison.ratio(group.results[slow], group.results[fast]).median
    return f": {fast} is {comparison.three_digits(times)} times as fast as {slow}"


def _kind(name: str) -> str:
    """Which of _KINDS an implementation is."""
    rung = comparison.rung(name)
    return "other libraries" if rung is None else "fused" if rung == comparison.FUSED else "other engines of fastnn"


def _tick(seconds: float) -> str:
    """1e-3 as 1 ms."""
    return comparison.duration(1.000001 * seconds).replace(".00", "").replace(".0", "")

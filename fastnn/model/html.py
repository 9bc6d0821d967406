"""Models and reports as a notebook shows them: HTML with a curve in SVG, which need no library."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from ..outcome import cost_without_regularisation
from ..spec import Array

_WIDTH, _HEIGHT, _MARGIN = 240, 72, 4


def card(title: str, facts: Mapping[str, str], history: Any) -> str:
    """The facts in a table, and beside it the cost of each iteration, dashed of examples held out.

    `history` is a training's, of at least one row. The curves are in the colour of the text around them.
    """
    return f"<div style='display:flex;gap:1.5em;align-items:center'>{table(title, facts)}{_curve(history)}</div>"


def table(title: str, facts: Mapping[str, str]) -> str:
    """The facts in a table, a row for each, below the title."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table style='margin:0'><caption style='text-align:left'><b>{escape(title)}</b></caption>{rows}</table>"


def _curve(history: Any) -> str:
    trained_on, comparable = cost_without_regularisation(history)
    costs = {"": trained_on}
    if "validation_cost" in history.dtype.names:
        costs["stroke-dasharray='4 3' "] = history.validation_cost
    together = np.concatenate([*costs.values()])
    together = together[np.isfinite(together)]
    if len(history) < 2 or not len(together):
        return ""
    logarithmic = bool(together.min() > 0.0)
    ends = np.log(together) if logarithmic else together
    lines = []
    for style, cost in costs.items():
        with np.errstate(all="ignore"):
            points = _places(np.log(cost) if logarithmic else cost, ends.min(), ends.max())
        lines.append(f"<polyline points='{points}' {style}fill='none' stroke='currentColor' stroke-width='1.5'/>")
    axis = "logarithmic" if logarithmic else "linear"
    words = f"cost over {len(history) - 1} iterations, {together.max():.3g} to {together.min():.3g}, {axis}"
    if len(costs) > 1:
        words += "; dashed: of the examples held out"
        words += "; both without regularisation" if comparable else ", without regularisation"
    return (
        f"<figure style='margin:0'><svg width='{_WIDTH}' height='{_HEIGHT}' role='img' aria-label='{words}'>"
        f"{''.join(lines)}</svg><figcaption><small>{words}</small></figcaption></figure>"
    )


def _places(values: Array, low: float, high: float) -> str:
    """The points of a curve, from left to right, the lowest value at the bottom."""
    x = _MARGIN + (_WIDTH - 2 * _MARGIN) * np.arange(len(values)) / (len(values) - 1)
    y = _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (values - low) / (high - low or 1.0)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(b))

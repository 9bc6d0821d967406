"""What a training was like."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..inputs import validation
from ..model import Model
from ..model.unwrap import to_model
from ..outcome import Outcome, cost_without_regularisation
from .canvas import COLOURS, MARKERS, SMALL, axes, documented, label, pair, plain, title

# From this ratio on the highest cost to the lowest one is drawn on a logarithmic axis.
_LOGARITHMIC = 3.0


@documented
def history(trainings: object, *, over: str = "iterations", ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Cost, validation cost and score of a training, or of several together.

    Where examples are held out both costs are drawn without regularisation, so that they can be compared.

    Parameters
    ----------
    trainings : Model or fitted estimator, or dict of str -> Model or fitted estimator
        With the names that are to stand beside their curves.
    over : {"iterations", "seconds"}
        What is drawn to the right.
    ax : matplotlib.axes.Axes, or a pair of them, optional
        Where to draw the costs, and the scores on the examples held out, if there are any; of one axes these are left
        out. Default: in a figure of its own.

    {figure}
        Solid: examples trained on. Dashed: examples held out; a ring marks their lowest cost.

    {raises}

    Examples
    --------
    >>> from fastnn import plot
    >>> X, y = fastnn.load_digits()
    >>> models = {solver: fastnn.train(X, y, solver=solver, maxiter=5) for solver in ("cg", "l-bfgs")}
    >>> figure = plot.history(models, over="seconds")
    >>> [text.get_text() for text in figure.axes[0].get_legend().texts]
    ['cg', 'l-bfgs']
    """
    over = validation.choice(over, ("iterations", "seconds"), "over")
    given = trainings if isinstance(trainings, Mapping) else {"": trainings}
    if not given:
        raise ValueError("trainings holds no model; at least one is wanted")
    models = {name: to_model(model) for name, model in given.items()}
    if any(model.outcome.status == "unknown" for model in models.values()):
        raise ValueError("trainings must have a history, got a model of weights alone")
    if over == "seconds" and any(np.isnan(model.history.seconds).all() for model in models.values()):
        raise ValueError("over must be 'iterations' for a network of scikit-learn, whose times are unknown")
    scored = any(_held_out(model) for model in models.values())
    upper, lower = pair(ax, 7.0, (3.8, 2.2)) if scored else (axes(ax, 7.0, 4.0), None)
    mixed = scored and not all(cost_without_regularisation(model.history)[1] for model in models.values())
    for number, (name, model) in enumerate(models.items()):
        name = label(name)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.5}
        kept = model.history
        x = np.arange(len(kept)) if over == "iterations" else kept.seconds
        style["markevery"] = max(1, len(kept) // 8)
        cost, comparable = cost_without_regularisation(kept)
        penalty = ", with regularisation" if mixed and not comparable and model.lmbda else ""
        upper.plot(x, cost, label=f"{name or 'examples trained on'}{penalty}", **style)
        if _held_out(model):
            best = int(np.argmin(kept.validation_cost))
            words = f"{name}, held out" if name else "examples held out"
            upper.plot(x, kept.validation_cost, linestyle="--", label=words, **style)
            ring: dict[str, Any] = {
                "color": colour,
                "marker": "o",
                "markersize": 9,
                "fillstyle": "none",
                "markeredgewidth": 1.5,
            }
            upper.plot(x[best], kept.validation_cost[best], **ring)
            if lower is not None:
                lower.plot(x, kept.validation_score, linestyle="--", **style)
                lower.plot(x[best], kept.validation_score[best], **ring)
    costs = np.concatenate([line.get_ydata() for line in upper.lines])
    costs = costs[np.isfinite(costs)]  # scikit-learn does not tell all of its networks'
    if costs.min() > 0.0 and costs.max() > _LOGARITHMIC * costs.min():
        upper.set_yscale("log")
        upper.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        upper.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if costs.max() < 30 * costs.min() else "")
        upper.tick_params(axis="y", which="minor", labelsize=SMALL)
    upper.set_ylabel("cost without regularisation" if scored and not mixed else "cost", fontsize=SMALL)
    if len(upper.lines) > 1:
        upper.legend(fontsize=SMALL, frameon=False)
    if lower is not None:
        lower.set_ylabel(f"{_score(models)} on examples held out", fontsize=SMALL)
        lower.sharex(upper)
        plain(lower)
    plain(upper)
    if over == "iterations":
        upper.xaxis.set_major_locator(MaxNLocator(integer=True))
    (lower or upper).set_xlabel({"iterations": "iteration", "seconds": "seconds"}[over], fontsize=SMALL)
    return title(upper, _finding(models))


def _held_out(model: Model) -> bool:
    return "validation_cost" in model.history.dtype.names


def _score(models: dict[str, Model]) -> str:
    measures = {model.kind.measure for model in models.values()}
    return measures.pop() if len(measures) == 1 else "accuracy"


def _finding(models: dict[str, Model]) -> str:
    """In a sentence."""
    if len(models) == 1:
        (model,) = models.values()
        kept, outcome = model.history, model.outcome
        first = kept.cost[np.isfinite(kept.cost)][0]
        words = f"Cost {first:.3g} to {outcome.cost:.3g}{_with_penalty(models)} in {_length(outcome)}"
        if _held_out(model):
            best = int(np.argmin(kept.validation_cost))
            words += f"\nLowest on examples held out: {kept.validation_cost[best]:.3g} at iteration {best}"
        return f"{words} ({outcome.status})"
    name = min(models, key=lambda name: models[name].outcome.cost)
    outcome = models[name].outcome
    cost = f"{outcome.cost:.3g}{_with_penalty(models)}"
    return f"Lowest: {label(name)}, {cost} after {_length(outcome)}"


def _length(outcome: Outcome) -> str:
    """Return the iterations and, if they are known, the seconds."""
    return f"{outcome.iterations} iterations" + f", {outcome.seconds:.2g} s" * (not np.isnan(outcome.seconds))


def _with_penalty(models: dict[str, Model]) -> str:
    """Return ", with regularisation," if the curves leave it out; else ""."""
    return ", with regularisation," if any(_held_out(model) and model.lmbda for model in models.values()) else ""

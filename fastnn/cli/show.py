"""`fastnn show`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import data, output
from .options import SAVED, add, add_data, add_output, file_name

if TYPE_CHECKING:
    from ..inputs.containers import Array
    from ..model import Model

_PICTURES = ("digits", "errors", "units", "history", "confusion")


USAGE = "show WHAT"
PURPOSE = "draw digits, a model's errors, its hidden units, its training or what it confuses, as a PNG"
EXAMPLE = "show errors --model fastnn-model.npz"


def add_options(parser: argparse.ArgumentParser) -> None:
    models = f"a saved model (default: {SAVED}); of digits: what it says; of history as many as you like"
    add(parser, "WHAT", f"{', '.join(_PICTURES)} (default: digits)", nargs="?", choices=_PICTURES)
    add(parser, "--model FILE", models, file_name, action="append")
    add(parser, "--over WHAT", "history over iterations (default), seconds", default="iterations")
    add(parser, "--seed N", "which 100 digits (default: 0)", int, default=0)
    add(parser, "--order F|C", "pixels by column, F (default, as in the digits), or by row, C", default="F")
    add_data(parser)
    add_output(parser, "WHAT.png; of units hidden-units.png")


def run(options: argparse.Namespace) -> int:
    from .. import plot

    what = options.what or ("units" if options.model else "digits")
    out = options.out or Path("hidden-units.png" if what == "units" else f"{what}.png")
    output.check_picture(out)
    models = _models(options) if options.model or what != "digits" else {}
    if len(models) > 1 and what != "history":
        raise ValueError(f"--model is given {len(models)} times; of {what} once is wanted")
    model: Any = next(iter(models.values()), None)
    unseen = ""
    if what == "history":
        figure = plot.history(models if len(models) > 1 else model, over=options.over)
    elif what == "units":
        figure = plot.units(model, order=options.order)
    elif what == "digits":
        figure = plot.digits(*_some_digits(options, model), order=options.order)
    else:
        examples = data.examples(options, model)
        X, y = examples.X, data.answers(examples, "--data")
        figure = plot.errors(model, X, y, order=options.order) if what == "errors" else plot.confusion(model, X, y)
        unseen = " (the model may have been trained on these examples)"
    plot.save(figure, out)
    output.tell(options, {"saved": out}, [f"saved {out}{unseen}"])
    return 0


def _models(options: argparse.Namespace) -> dict[str, Model]:
    """Return the models of --model by name, or the one that fastnn train saved here."""
    from ..model import load

    if not options.model and not Path(SAVED).exists():
        raise ValueError(f"--model is not given, and {SAVED}, which fastnn train saves, is not here; one is wanted")
    return {path: load(path) for path in options.model or [SAVED]}


def _some_digits(options: argparse.Namespace, model: Model | None) -> tuple[Array, Array | None, Array | None]:
    """Return a hundred examples, their labels and the model's predictions; None where there are none."""
    from ..inputs import streams, validation

    X, y, *_ = data.examples(options, model, labelled=False)
    some = validation.seed(options.seed).permutation(len(X))[:100]
    streamed = streams.stored(X)
    X = streamed.rows(some) if streamed else X[some]
    return X, None if y is None else y[some], None if model is None else model.predict(X)

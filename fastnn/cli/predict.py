"""`fastnn predict`."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import data, output
from .options import add, add_data, add_output, file_name, path, refuse_without

if TYPE_CHECKING:
    from ..inputs.containers import Array
    from ..model import Model


USAGE = "predict MODEL [IMAGE]"
PURPOSE = "print what a saved model predicts: for each example, or for a photo or drawing of one digit"
EXAMPLE = "predict fastnn-model.npz --data new.csv --proba --output csv"


def add_options(parser: argparse.ArgumentParser) -> None:
    add(parser, "MODEL", "a saved model, or .mat with Theta1, Theta2, ...", file_name)
    add(parser, "IMAGE", "a picture of one digit; what the network sees is drawn", path, nargs="?")
    add_data(parser)
    add(parser, "--order F|C", "of the pixels of IMAGE: by column, F (default, as in the digits), or by row, C")
    group = add_output(parser, "seen.png, of an IMAGE")
    add(group, "--proba", "the probability of every class behind the label")
    group.add_argument("--output", choices=("text", "csv"), default="text", help="text (default), or csv with names")


def run(options: argparse.Namespace) -> int:
    from ..model import load

    model = load(options.model)
    if options.image:
        return _predict_image(options, model)
    refuse_without("IMAGE", options, "out", "order")
    kind, K = model.kind, model.sizes[-1]
    examples = data.examples(options, model, numbers=kind.numeric)
    if model.outcome.status == "unknown" and not options.json and not options.quiet:
        zero = "; 10 is the digit 0" * (K == 10)
        output.note(options, options.model, [f"weights alone; labels are 1..{K}, as in the course{zero}"])
    score = None if examples.y is None else model.score(examples.X, examples.y)
    _print_predictions(options, model, examples.X, {kind.measure: score})
    if score is not None:
        unseen = "" if options.data else " (the model may have been trained on them)"
        output.remark(options, f"{kind.measure} {kind.shown(score)} of {len(examples.X):,} examples{unseen}")
    return 0


def _predict_image(options: argparse.Namespace, model: Model) -> int:
    """Predict the digit in a photo or a drawing, and draw the network's input."""
    from .. import plot
    from ..datasets import photo

    if options.data or options.labels:
        raise ValueError("IMAGE and --data are both given; one of them is wanted")
    out, order = options.out or Path("seen.png"), options.order or "F"
    output.check_picture(out)
    x = photo.read_digit(options.image, model.sizes[0], order) / model.scale
    seen = " ".join(map(str, model.predict(x).ravel().tolist()))
    if not model.kind.numeric:
        seen += f" ({100.0 * model.predict_proba(x).max():.0f} %)"
    figure = plot.digits(x, order=order)
    plot.canvas.title(figure.axes[0], f"The network sees {seen}")
    plot.save(figure, out)
    _print_predictions(options, model, x, {"saved": out})
    output.remark(options, f"{seen}; what the network saw: {out}")
    return 0


def _print_predictions(options: argparse.Namespace, model: Model, X: Array, facts: dict[str, object]) -> None:
    """Print a line for each example: the prediction, and with --proba the probability of every class."""
    predictions, labels = model.predict(X), model.kind.labels
    facts = {"predictions": predictions, **facts}
    columns = predictions.reshape(len(predictions), -1).astype(object)  # as Python writes them, in full
    outputs = range(model.sizes[-1]) if labels is None else labels.tolist()
    names = ["prediction"] if columns.shape[1] == 1 else [f"prediction {name}" for name in outputs]
    if options.proba:
        A = model.predict_proba(X)
        facts |= {"classes": labels, "probabilities": A}
        columns = np.concatenate([columns, A.astype(object)], axis=1)
        names += [f"P({name})" for name in outputs]
    if options.output == "csv" and not options.json:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(columns)
    else:
        output.tell(options, facts, (" ".join(map(str, row)) for row in columns), wanted=True)
    if options.proba and model.output == "sigmoid":
        output.remark(options, "each probability is of one class against all others: a row need not sum to 1")

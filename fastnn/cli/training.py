"""The common part of `train` and `resume`: their options, the training, the saved model and the report."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.containers import few, with_names
from ..runtime import notice
from . import data, output, shell, words
from .options import SAVED, Group, add, add_data, add_output, file_name, given, path

if TYPE_CHECKING:
    from ..files import Examples
    from ..model import Model

# Number of classes that are listed with their counts.
_SHOWN = 20


def add_examples(parser: argparse.ArgumentParser, validation: str) -> Group:
    """Add the options of the examples trained on and held out; `validation` is the help of the latter."""
    group = add_data(parser)
    add(group, "--validation DATA", validation, _held_out)
    return group


def add_stop_and_output(parser: argparse.ArgumentParser, maxiter: str, tol: str) -> None:
    """Add the limits, whose defaults are named, and the options of what is printed and written."""
    stop = parser.add_argument_group("when to stop")
    add(stop, "--maxiter N", f"limit on iterations (default: {maxiter})", int)
    add(stop, "--max-seconds S", "limit on time", float)
    add(stop, "--target-cost C", "as soon as the cost is no higher", float)
    add(stop, "--tol T", f"if no gradient entry is larger (default: {tol})", float)
    add(stop, "--patience N", "after N iterations without a lower validation cost", int)
    group = add_output(parser, f"{SAVED}; .mat, .safetensors")
    add(group, "--plot FILE", "draw it (default: history.png)", path, nargs="?", const=Path("history.png"))
    add(group, "--verbose", "a line after each iteration")


def _held_out(text: str) -> float | str:
    """Return a fraction, or the name of a file or of arrays."""
    try:
        fraction = float(text)
    except ValueError:
        return file_name(text)
    if not 0.0 < fraction < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}; a fraction between 0 and 1, or a file, is wanted")
    return fraction


def as_labels(weights: dict[str, float] | str | None, y: Any) -> dict[Any, float] | str | None:
    """Return --class-weight with the labels of y instead of text."""
    if not isinstance(weights, dict):
        return weights
    labels = {str(label): label for label in np.unique(y).tolist()}
    return {labels.get(text, text): weight for text, weight in weights.items()}


def fit(options: argparse.Namespace, numbers: bool, start: Callable[..., Model]) -> int:
    """Train by `start(X, y, **options)`, which a signal ends; save the model and report. Return the exit status."""
    from .. import files
    from ..training.control import NonFiniteStart

    out = options.out or Path(SAVED)
    files.check_format(out, "--out")
    if options.plot:
        output.check_picture(options.plot, "--plot")
    output.check_file(out)  # the last one is what a signal's sentence is about
    examples = data.examples(options, numbers=numbers)
    options.validation = data.held_out(options, examples, numbers)
    settings = given(options, "maxiter", "max_seconds", "target_cost", "tol", "patience", "validation", "verbose")
    with shell.ends_training() as ending, redirect_stdout(output.stream(options)):
        try:
            X = with_names(examples.X, examples.names)
            model = start(X, examples.y, callback=ending.begin, progress=output.progress(options), **settings)
        except NonFiniteStart as error:
            raise ValueError(error.sentence(words.REMEDIES)) from None
    model.feature_names = examples.names
    facts, lines = _report(options, examples, model, out)  # may compile: saving is the last step that a signal can stop
    moved, replaced = _make_room(out, model) if options.out is None else (None, False)
    model.save(out)
    if options.plot:
        from .. import plot

        plot.save(plot.history(model), options.plot)
    output.tell(options, facts | {"moved": moved, "replaced": replaced}, lines)
    lost = [f"moved        the file that was {out} to {moved}"] * bool(moved)
    lost += [f"replaced     a model of the same layers and labels in {out}"] * replaced
    for line in lost * (not options.json):
        print(line, file=sys.stderr if options.quiet else sys.stdout)
    signum = ending.signum or (signal.SIGINT if model.outcome.status == "interrupted" else 0)
    return 128 + signum if signum else 0


def _make_room(out: Path, model: Model) -> tuple[Path | None, bool]:
    """Rename an existing file unless it holds a model of the same layers, labels and column names.

    Return (its new name or None, True if another model will be replaced).
    """
    from ..model import load

    if not out.is_file():
        return None, False
    earlier = None
    with suppress(OSError, ValueError):  # a file that is no model is renamed, too
        earlier = load(out)
    if earlier is not None and _identity(earlier) == _identity(model):
        return None, not all(map(np.array_equal, earlier.weights, model.weights))
    names = (out.with_stem(f"{out.stem}-{number}") for number in count(1))
    return out.rename(next(name for name in names if not name.exists())), False


def _identity(model: Model) -> tuple[object, ...]:
    """Return the properties that two models share if one may replace the other."""
    labels = model.kind.labels
    names = None if labels is None else labels.tolist()
    return model.sizes, model.activation, model.output, model.multilabel, names, model.feature_names


def _report(
    options: argparse.Namespace, examples: Examples, model: Model, out: Path
) -> tuple[dict[str, object], list[str]]:
    """Return what is printed of a training: facts for a script, and lines for a person."""
    X, y, outcome, kind = examples.X, examples.y, model.outcome, model.kind
    m, n = X.shape
    rows = None if model.held_out is None else np.flatnonzero(~model.held_out)
    trained_on = m if rows is None else len(rows)
    score = model.score(X, y) if rows is None else model.score(data.rows(X, rows), y[rows])
    validation = _validation(options, model, m - trained_on)
    classes = None
    if kind.labels is not None:
        counts = zip(*np.unique(y, return_counts=True), strict=True)
        classes = [{"label": label, "examples": number} for label, number in counts]
    facts: dict[str, object] = {"data": options.data, "examples": m, "inputs": n, "layout": examples.layout or None}
    facts |= {"classes": classes, "sizes": model.sizes, "lmbda": model.lmbda}
    facts[kind.measure] = model.score(X, y) if options.json and rows is not None else score  # of all, for scripts only
    facts |= {"trained_on": {"examples": trained_on, kind.measure: score}, "validation": validation}
    facts |= {**outcome.reworded(words.REMEDIES).saved(), "saved": out, "plot": options.plot}
    layout = f", {examples.layout}" * bool(examples.layout)
    held_out = f", {options.validation:g} of them held out" if isinstance(options.validation, float) else ""
    kernels = f", and {outcome.compile_seconds:.3g} {notice.kernel_work()}" * (outcome.compile_seconds >= 0.005)
    lines = {"data": f"{options.data or 'the digits'}: {m:,} examples of {n} inputs{layout}"}
    if classes is None:
        lines["numbers"] = f"{y.min():g} to {y.max():g}"
    else:
        lines["classes"] = few([f"{one['label']} ({one['examples']:,})" for one in classes], _SHOWN)
    lines |= {
        "network": f"{'-'.join(map(str, model.sizes))}, lmbda {model.lmbda:g}, on {m:,} examples{held_out}",
        "cost": f"{outcome.cost:.6f}",
        kind.measure: f"{kind.shown(score)} of the {trained_on:,} trained on",
    }
    if validation:
        right = f"{kind.measure} {kind.shown(validation[kind.measure])} of the {validation['examples']:,} held out"
        lines["validation"] = f"{right}, cost {validation['cost']:.6f} at iteration {validation['iteration']}"
    lines |= {
        "iterations": f"{outcome.iterations}",
        "evaluations": f"{outcome.evaluations}",
        "seconds": f"{outcome.seconds:.2f}{kernels}",
        "ended": outcome.sentence(words.REMEDIES),
        "saved": f"{out}",
    }
    if options.plot:
        lines["drawn"] = f"{options.plot}"
    return facts, [f"{name:<12} {text}" for name, text in lines.items()]


def _validation(options: argparse.Namespace, model: Model, m: int) -> dict[str, float] | None:
    """Return the facts about the examples held out, m of them if they are a fraction of the user's."""
    if options.validation is None:
        return None
    history = model.history
    # Without patience the weights of lowest cost came back: those of an iteration, or met on the way to the next.
    row = int((history.cost if options.patience is None else history.validation_cost).argmin())
    return {
        "examples": len(options.validation[0]) if model.held_out is None else m,
        "iteration": row,
        "cost": history.validation_cost[row],
        model.kind.measure: history.validation_score[row],
    }

"""`fastnn train`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from . import data, resume, training
from .options import add, add_network, given, path, refuse_without, wants

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..inputs.containers import Array
    from ..model import Model


USAGE = "train"
PURPOSE = "train a network and save it"
EXAMPLE = "train --data flowers.csv --validation 0.2 --plot"


def add_options(parser: argparse.ArgumentParser) -> None:
    examples = training.add_examples(parser, "hold out 0.2 of all, a FILE, or Xval,yval of --data")
    add(examples, "--regression", "fit numbers, not classes: --output identity")
    add_network(parser)
    group = parser.add_argument_group("training")
    add(group, "--standardize", "scale columns to mean 0, deviation 1")
    add(group, "--class-weight WEIGHTS", "balanced, or LABEL=WEIGHT,... (default: 1)", _class_weights)
    add(group, "--solver NAME", "cg (default), l-bfgs or another of SciPy's")
    add(group, "--checkpoint FILE", "an .npz that keeps it, to survive a kill", path)
    add(group, "--checkpoint-every N", "10 iterations, or 5.0 seconds (default: 60.0)", _interval)
    add(group, "--resume", "go on from --checkpoint FILE, if it is there", default=None)
    training.add_stop_and_output(parser, "50", "1e-5")


def run(options: argparse.Namespace) -> int:
    from .. import files
    from ..train import train

    if options.regression and options.output not in (None, "identity"):
        raise ValueError(f"--regression and --output {options.output} are both given; one of them is wanted")
    if options.regression:
        options.output = "identity"
    numbers = data.numeric(options.output)
    if numbers and options.class_weight:
        raise ValueError("--class-weight is given, but numbers have no classes; it is wanted without --regression")
    if options.checkpoint is None:
        refuse_without("--checkpoint", options, "resume", "checkpoint_every")
    if options.resume and options.checkpoint.exists():
        return resume.run(options)

    def start(X: ArrayLike, y: Array, **shared: Any) -> Model:
        network = given(options, "hidden", "lmbda", "seed", "activation", "output", "scale")
        method = given(options, "solver", "standardize", "checkpoint", "checkpoint_every")
        weights = files.read_weights(options.weights) if options.weights else None
        class_weight = training.as_labels(options.class_weight, y)
        return train(X, y, weights=weights, class_weight=class_weight, **network, **method, **shared)

    return training.fit(options, numbers, start)


@wants("iterations, as 10, or seconds, as 5.0, are wanted")
def _interval(text: str) -> int | float:
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


@wants("balanced, or LABEL=WEIGHT with commas between them, is wanted")
def _class_weights(text: str) -> dict[str, float] | str:
    if text == "balanced":
        return text
    weights = {label: float(weight) for label, _, weight in (pair.rpartition("=") for pair in text.split(","))}
    if "" in weights:
        raise ValueError
    return weights

"""`fastnn check`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from . import data, output
from .options import add, add_data, add_network, add_output, file_name, given

if TYPE_CHECKING:
    from ..inputs.containers import Array
    from ..model import Model
    from ..network import Weights


USAGE = "check"
PURPOSE = "check the gradient against differences of the cost; exit status 1 if it is wrong"
EXAMPLE = "check --hidden 64,32 --activation tanh --quick"


def add_options(parser: argparse.ArgumentParser) -> None:
    add(parser, "--model FILE", "check at a saved model: its weights, activations and lmbda", file_name)
    add(parser, "--examples M", "on M examples, evenly spaced (default: all)", int)
    parameters = parser.add_mutually_exclusive_group()
    add(parameters, "--all", "every parameter (default): a second on the digits, minutes at 784-256-128-10")
    add(parameters, "--quick", "ten random directions, where --all takes too long")
    add_data(parser)
    add_network(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    from ..check import check_gradient
    from ..inputs import validation
    from ..inputs.scaling import standardised
    from ..model import load

    for name in given(options, "weights", "scale") if options.model else ():
        raise ValueError(f"--model and --{name} are both given; one of them is wanted")
    model = load(options.model) if options.model else None
    family: dict[str, Any]
    if model:
        family = {"lmbda": model.lmbda, "activation": model.activation, "output": model.output, "scale": model.scale}
    else:
        family = {"lmbda": 1.0, **given(options, "lmbda", "activation", "output", "scale")}
    numbers = model.kind.numeric if model else data.numeric(options.output)
    examples = data.examples(options, model, numbers=numbers)
    X, y = examples.X, data.answers(examples, "--data")
    weights, y = (model.weights, _encoded(model, y)) if model else _untrained(options, X.shape[1], y, numbers)
    m = len(X) if options.examples is None else min(validation.positive(options.examples, "--examples"), len(X))
    if m < len(X):
        some = data.spread(len(X), m)
        X, y = data.rows(X, some), y[some]
    if model and model.scaling:
        X = standardised(validation.inputs(X), model.scale, model.scaling)
        family["scale"] = 1.0
    family |= {"directions": 10 if options.quick else None, "seed": options.seed or 0}
    report = check_gradient(weights, X, y, progress=output.progress(options), **family)
    facts = {"passed": report.passed, **dataclasses.asdict(report)}
    output.tell(options, facts, [str(report)], wanted=not report.passed)
    return 0 if report.passed else 1


def _encoded(model: Model, y: Array) -> Array:
    """Return y as class indices (m,) or numbers (m, K) of the model's outputs."""
    from ..inputs import validation

    with validation.about("--data"):
        return model.kind.encode(y, len(y)).array


def _untrained(options: argparse.Namespace, n: int, y: Array, numbers: bool) -> tuple[Weights, Array]:
    """Return the weights of --weights or random ones, and y as class indices (m,) or numbers (m, K)."""
    from .. import files, network
    from ..inputs import validation
    from ..targets import Values

    if numbers:
        y = Values.read(y, len(y))
        K = y.shape[1]
    else:
        classes, y = np.unique(y, return_inverse=True)
        K = len(classes)
    if options.weights:
        return validation.weights(files.read_weights(options.weights), n, K), y
    return network.init_weights((n, *(options.hidden or (25,)), K), options.seed or 0), y

"""`fastnn resume`, and `fastnn train --resume`."""

from __future__ import annotations

import argparse
import math
from functools import partial
from typing import TYPE_CHECKING

from . import data, training
from .options import add, flag, path

if TYPE_CHECKING:
    from ..model import Model
    from ..training.checkpoint import TrainingConfig


USAGE = "resume CHECKPOINT"
PURPOSE = "go on with a training that fastnn train --checkpoint kept"
EXAMPLE = "resume training.npz --data flowers.csv --maxiter 200"


def add_options(parser: argparse.ArgumentParser) -> None:
    add(parser, "CHECKPOINT", "the file; the training is kept there on", path)
    training.add_examples(parser, "as in the training: a FILE, or Xval,yval")
    training.add_stop_and_output(parser, "as before", "as before")


def run(options: argparse.Namespace) -> int:
    from ..train import resume
    from ..training import checkpoint

    model, config, _ = checkpoint.read(options.checkpoint)
    _refuse_others(options, model, config)
    options.validation = options.validation or config.validation
    options.patience = options.patience or (config.limits.patience if math.isfinite(config.limits.patience) else None)
    return training.fit(options, model.kind.numeric, partial(resume, options.checkpoint))


def _refuse_others(options: argparse.Namespace, model: Model, config: TrainingConfig) -> None:
    """Raise ValueError if options of `train` are others than those of the training; where it began may differ."""
    from ..inputs import validation

    began_with = {"hidden": model.sizes[1:-1], "lmbda": model.lmbda, "activation": model.activation}
    began_with |= {"regression": data.numeric(model.output), "output": model.output, "scale": model.scale}
    began_with |= {"solver": config.solver, "standardize": model.scaling is not None, "checkpoint_every": config.every}
    refusal = f"but the training in {str(options.checkpoint)!r} has"
    want = "the same is wanted, or nothing said of it"
    for name, before in began_with.items():
        given = getattr(options, name, None)
        if validation.canonical(given) not in (None, False, before):
            raise ValueError(f"{flag(name)} is {given}, {refusal} {before}; {want}")
    labels, factors = model.kind.labels, None if config.factors is None else config.factors.tolist()
    asked: object = training.as_labels(getattr(options, "class_weight", None), labels)
    if isinstance(asked, dict) and labels is not None:
        asked = [asked.get(label, 1.0) for label in labels.tolist()]
    if asked not in (None, factors) and (asked != "balanced" or factors is None):
        raise ValueError(f"--class-weight is another, {refusal} {factors}; {want}")

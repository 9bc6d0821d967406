"""`fastnn bench`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import data, output
from .options import add, add_data, add_output, layers

if TYPE_CHECKING:
    from ..benchmark.ladder import Task


USAGE = "bench"
PURPOSE = "time the ladder: loop in Python, compiled loop, NumPy, fused; and draw it"
EXAMPLE = "bench --sizes 784,128,10"


def add_options(parser: argparse.ArgumentParser) -> None:
    add(parser, "--hidden SIZES", "as 25 or 64,32 (default: 25)", layers, default=(25,))
    add(parser, "--sizes SIZES", "random data for these layers, as 784,128,10", layers)
    add(parser, "--examples M", "how many (default: as a minute allows)", int)
    add(parser, "--lmbda L", "regularisation (default: 1)", float, default=1.0)
    add_data(parser)
    add_output(parser, "ladder.png, if matplotlib is there")


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..benchmark import comparison, ladder, timing
    from ..inputs import validation

    out = options.out or Path("ladder.png")
    drawn = options.out is not None or find_spec("matplotlib") is not None
    if drawn:
        output.check_picture(out)
    task, note = workload(options)
    machine = timing.machine()
    forced = timing.forced_kernels(os.environ.get("OPENBLAS_CORETYPE"))
    for line in (timing.busy(), forced, note, timing.described(machine)):
        if line:
            print(line, file=output.stream(options))
    with tqdm(total=ladder.STEPS, unit=" blocks", leave=False, disable=options.quiet or None) as bar:

        def progress(name: str, done: int) -> None:
            bar.set_description(name, refresh=False)
            bar.update(done)

        groups = ladder.measure_all(task, progress)
    if drawn:
        from .. import plot

        plot.save(plot.benchmark(groups, note=timing.described(machine)), out)
    else:
        print(validation.needs(f"drawing {out}", "matplotlib"), file=sys.stderr)
    facts = {"machine": machine, "groups": [*map(comparison.facts, groups)], "saved": out if drawn else None}
    lines = [line for group in groups for line in ("", *comparison.summary(group))]
    lines += ["", *comparison.NOTES, "", *map(comparison.headline, groups), *[f"saved {out}"] * drawn]
    output.tell(options, facts, lines, wanted=True)
    return 0


def workload(options: argparse.Namespace) -> tuple[Task, str]:
    """Return the task on the user's data, or on random data of --sizes; and a note if examples are left out."""
    from ..benchmark import ladder
    from ..inputs import streams, validation

    lmbda = validation.real(options.lmbda, "lmbda", minimum=0.0)
    m = None if options.examples is None else validation.positive(options.examples, "--examples")
    if options.sizes:
        if options.data:
            raise ValueError("--sizes and --data are both given; one of them is wanted")
        sizes = validation.sizes(options.sizes, "--sizes")
        if sizes[-1] < 2:
            raise ValueError(f"--sizes ends in {sizes[-1]}; at least two classes are wanted")
        return ladder.random_task(m or min(5_000, ladder.examples_within_limit(sizes)), sizes, lmbda=lmbda), ""
    examples = data.examples(options)
    classes, y = np.unique(examples.y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"--data holds one label only, {classes[0]!r}; at least two classes are wanted")
    count, n = examples.X.shape
    sizes = (n, *options.hidden, len(classes))
    used = min(m or ladder.examples_within_limit(sizes), count)
    some = data.spread(count, used)
    X = data.rows(examples.X, some)
    if isinstance(X, streams.Stored):
        validation.look_through(X)
        X = X.read(0, used)
    X = streams.widened(X, 1.0)  # in memory, and of a type that every implementation knows
    note = ""
    if m is None and used < count:
        note = f"on {used:,} of {count:,} examples, to end within a minute; --examples {count} takes all"
    return ladder.task(X, y[some], sizes, lmbda), note

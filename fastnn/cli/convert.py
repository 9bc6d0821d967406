"""`fastnn convert`."""

import argparse

from . import output
from .options import add, add_output, add_table, path, table

USAGE = "convert SOURCE TARGET"
PURPOSE = "turn a table of any length into arrays that can be mapped"
EXAMPLE = "convert pixels.csv.gz pixels.npz --dtype uint8"


def add_options(parser: argparse.ArgumentParser) -> None:
    add(parser, "SOURCE", "a table: .csv or .tsv, also .gz", path)
    add(parser, "TARGET", ".npz, or .npy with the labels beside it", path)
    add(parser, "--dtype NAME", "float64 (default), float32, float16, uint8", default="float64")
    add_table(parser.add_argument_group("table; what is not said is found in it"))
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..files import convert

    source, target = options.source, options.target
    output.check_file(target, "target")
    size, disable = source.stat().st_size, options.quiet or None
    with tqdm(total=size, desc="converting", unit="B", unit_scale=True, leave=False, disable=disable) as bar:
        done = convert.convert(source, target, dtype=options.dtype, progress=bar.update, **table(options))
    output.note(options, str(source), done.notes)
    classes = "many different labels" if done.classes is None else f"{done.classes:,} classes"
    line = f"{done.examples:,} examples of {done.inputs:,} inputs, {classes}, {done.bytes:,} bytes; {done.layout}"
    output.tell(options, done._asdict(), [f"saved {' and '.join(map(str, done.saved))}: {line}"])
    return 0

"""Printing: facts for scripts, lines for people, remarks on standard error; and the files that a command writes."""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from . import shell


def tell(
    options: argparse.Namespace, facts: Mapping[str, object], lines: Iterable[str], *, wanted: bool = False
) -> None:
    """Print the facts as JSON if the user asked for it, else the lines.

    With --quiet lines are printed only if they are the answer that the command is `wanted` for.
    """
    if options.json:
        lines = [json.dumps(_plain(facts), allow_nan=False)]  # ASCII, which any encoding of the output can write
    elif options.quiet and not wanted:
        lines = []
    for line in lines:
        print(line)


def remark(options: argparse.Namespace, line: str) -> None:
    """Print a line on standard error, behind all output, for people."""
    if not options.json and not options.quiet:
        sys.stdout.flush()  # where nobody reads on, as behind head, this ends the command
        print(line, file=sys.stderr)


def note(options: argparse.Namespace, subject: str, notes: Sequence[str]) -> None:
    """Print each note about the subject on standard error."""
    for text in notes:
        line = text.replace("header=False", "--no-header")
        print(f"fastnn {options.command}: {subject}: {line}", file=sys.stderr)


def stream(options: argparse.Namespace) -> TextIO:
    """Return the stream of lines that are printed on the way: standard output, if no JSON is there."""
    return sys.stderr if options.json else sys.stdout


def progress(options: argparse.Namespace) -> bool | None:
    """Return False for no progress bar, None for one where standard error is a terminal."""
    return False if options.quiet else None


def check_file(out: Path, name: str = "--out") -> None:
    """Raise ValueError if the command cannot write that file, which a signal's sentence is about then."""
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{name} is {str(out)!r}, in a folder that does not exist")
    shell.writes(out)


def check_picture(out: Path, name: str = "--out") -> None:
    """Do the same for a picture."""
    from ..plot import canvas

    canvas.check_path(out)
    check_file(out, name)


def _plain(value: object) -> object:
    """Return the value as JSON has it: paths as text, null for a number that is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value

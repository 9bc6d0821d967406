"""What a person sees while kernels compile. Imported without numba."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_silent = ContextVar("silent", default=False)


@contextmanager
def silence(wanted: bool) -> Iterator[None]:
    """Nothing is said inside, if so wanted."""
    token = _silent.set(_silent.get() or wanted)
    try:
        yield
    finally:
        _silent.reset(token)


@contextmanager
def compiling(kept: bool) -> Iterator[None]:
    """A line on the terminal, below a progress bar that is there already, which goes away at the end."""
    from tqdm import tqdm

    line = "compiling kernels for this processor" + (", the first time only" if kept else "")
    unseen = _silent.get() or sys.stderr is None or not sys.stderr.isatty()
    with tqdm(desc=line, bar_format="{desc}", leave=False, disable=unseen):
        yield

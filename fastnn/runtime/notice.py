"""Progress bars and the line about compiling kernels. Imported without numba."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

_silent = ContextVar("silent", default=False)


@contextmanager
def silence(wanted: bool) -> Iterator[None]:
    """Nothing is said inside, if so wanted."""
    token = _silent.set(_silent.get() or wanted)
    try:
        yield
    finally:
        _silent.reset(token)


class _Kernels(threading.local):
    """Time that one thread has waited for kernels."""

    seconds = 0.0
    waiting = False


_kernels = _Kernels()
_work = "loading kernels"


def kernel_seconds() -> float:
    """Seconds that this thread has waited until kernels were compiled, or loaded from the cache."""
    return _kernels.seconds


def kernel_work() -> str:
    """Return "compiling kernels" if this process has compiled any, else "loading kernels"."""
    return _work


@contextmanager
def waiting_for_kernels() -> Iterator[None]:
    """Add the time inside to this thread's `kernel_seconds`. A block inside another one adds nothing."""
    if _kernels.waiting:
        yield
        return
    start = time.perf_counter()
    try:
        _kernels.waiting = True
        yield
    finally:
        _kernels.waiting = False
        _kernels.seconds += time.perf_counter() - start


@contextmanager
def compiling(kept: bool) -> Iterator[None]:
    """Say that kernels compile, on the terminal or in a notebook. The line goes away at the end."""
    global _work
    _work = "compiling kernels" + (" (the first time only)" if kept else "")
    line = "compiling kernels for this processor" + (", the first time only" if kept else "")
    unseen = not bars_are_widgets() and (sys.stderr is None or not sys.stderr.isatty())
    bar = progress_bar(desc=line, bar_format="{desc}", leave=False, disable=_silent.get() or unseen)
    with bar, silence(True):  # nested compilations show no line of their own: a notebook showed nine
        yield


def progress_bar(**options: object) -> tqdm:
    """Start a bar of tqdm with these options: a widget in a notebook, else a line on standard error."""
    return _tqdm()(**options)


def bars_are_widgets() -> bool:
    """Return True if bars are widgets: in a notebook that has ipywidgets."""
    return bool(_tqdm().__module__ == "tqdm.notebook")


@cache
def _tqdm() -> type[tqdm]:
    """Choose tqdm's class as `tqdm.auto` does, without its asyncio, whose import takes 0.1 s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets a notebook has no bar; the user did not ask for one
        from tqdm.autonotebook import tqdm
    return tqdm

"""What a shell expects of a command: signals, pipes, encodings and statuses.

Light on purpose: signals are watched before NumPy is imported, whose threads would take them otherwise.
"""

import _thread
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

# Seconds that a signal leaves the main thread to remove a file half written and to clear its line on the
# terminal. Python hears signals between its own instructions only, and LLVM compiles for seconds.
GRACE = 1.0

_FAULTS = (ValueError, TypeError, ArithmeticError, OSError, ImportError, MemoryError)


def main() -> int:
    """The command line in a process of its own; `cli.main` is the same inside another program."""
    signals = _block_signals()
    name = " ".join(["fastnn", *sys.argv[1:2]])
    warnings.formatwarning = lambda message, *_: f"{name}: {message}\n"
    if sys.stderr is None:  # closed by the shell; print would write to standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        _say(f"{name}: standard output is closed; a file, a pipe or a terminal is wanted")
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")  # another handler of errors is the user's own choice

    over, unwound = threading.Lock(), threading.Event()
    watch = threading.Thread(target=_watch, name="fastnn signals", args=(name, over, unwound, signals), daemon=True)
    watch.start()
    try:
        result = status(name, _command)
        finished = over.acquire(blocking=False)
    except BaseException:  # the signal's, in whatever form it arrives; without a signal it goes on
        if over.acquire(blocking=False):
            raise
        finished = False
    while not finished:
        with suppress(KeyboardInterrupt):
            unwound.set()
            watch.join()  # it ends the process
    return result


def status(name: str, command: Callable[[], int]) -> int:
    """What `command` returns; if it raises, 2 and one sentence, or 141 if nobody reads its output any more."""
    try:
        result = command()
        sys.stdout.flush()  # that a disk is full is known only now
    except BrokenPipeError:
        result = 128 + 13  # as if SIGPIPE had ended it
    except _FAULTS as error:
        _say(f"{name}: {str(error) or type(error).__name__}")
        result = 2
    _settle()
    return result


def _command() -> int:
    from .cli import main

    try:
        return main()
    except SystemExit as ended:  # from argparse, whose help is still to be flushed
        return int(ended.code or 0)


def _block_signals() -> set[signal.Signals]:
    """Those that `_watch` waits for, in no thread's way; what the parent had ignored, with nohup say, stays so."""
    if not hasattr(signal, "sigwait"):  # Windows
        return set()
    signals = {s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) is not signal.SIG_IGN}
    for one in signals:
        signal.signal(one, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    return signals


def _watch(name: str, over: threading.Lock, unwound: threading.Event, signals: set[signal.Signals]) -> None:
    """Wait for a signal, and end the process: once the main thread has unwound, or without it."""
    if not signals:
        return
    signum = signal.sigwait(signals)
    if not over.acquire(blocking=False):
        return
    # What an exception at any moment leads to, others and tracebacks, is not to be seen.
    stderr, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115
    _thread.interrupt_main(signal.Signals(signum))
    line_is_free = unwound.wait(GRACE) or not stderr.isatty()
    what = "interrupted" if signum == signal.SIGINT else "terminated"
    _say(f"{'' if line_is_free else chr(10)}{name}: {what}, nothing was saved", stderr)
    os._exit(128 + signum)


def _say(sentence: str, stream: TextIO | None = None) -> None:
    with suppress(OSError):  # nobody reads this either
        print(sentence, file=stream or sys.stderr)


def _settle() -> None:
    """Drop what cannot be written: Python would try it again at exit, with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

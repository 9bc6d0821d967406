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
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from socket import socket

# Seconds that a signal leaves the main thread to remove a file half written and to clear its line on the
# terminal. Python hears signals between its own instructions only, and a library may read or unpack for seconds.
GRACE = 0.4

_FAULTS = (ValueError, TypeError, ArithmeticError, OSError, ImportError, MemoryError)


def run(command: Callable[[], int]) -> int:
    """Run the command in a process of its own: signals are watched, pipes and closed streams expected."""
    signals = _Signals(_watch.hear)
    name = " ".join(["fastnn", *sys.argv[1:2]])
    warnings.formatwarning = lambda message, *_: f"{name}: {message}\n"
    if sys.stderr is None:  # closed by the shell; print would write to standard output instead
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        _say(f"{name}: standard output is closed; a file, a pipe or a terminal is wanted")
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")  # another handler of errors is the user's own choice

    thread = threading.Thread(target=_watch.wait, name="fastnn signals", args=(name, signals), daemon=True)
    thread.start()
    try:
        result = status(name, lambda: _ended(command))
        finished = _watch.finish()
    except BaseException:  # the signal's, in whatever form it arrives; without a signal it goes on
        _watch.unwinding = True
        finished = _watch.finish()
        if finished and not _watch.signum:
            raise
        result = 128 + _watch.signum
        if finished:  # the training that the signal ended gave no model
            _say(_watch.sentence(name, _watch.signum))
            _settle()
    while not finished:
        with suppress(KeyboardInterrupt):
            _watch.unwound.set()
            thread.join()  # it ends the process
    return result


def ends_training() -> "_Watch":
    """A context in which, from its `begin` on, the first signal ends the training and not the process."""
    return _watch


def writes(path: Path) -> None:
    """Say which file the command replaces: the words with which a signal ends it depend on whether it has done that."""
    _watch.path, _watch.before = path, _identity(path)


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


def _ended(command: Callable[[], int]) -> int:
    try:
        return command()
    except SystemExit as ended:  # from argparse, whose help is still to be flushed
        return int(ended.code or 0)


class _Signals:
    """Signals that `_watch` waits for, blocked in all threads.

    A signal that the parent ignored, as under nohup, stays ignored. Windows cannot block signals; there Python's C
    handler writes each signal to a socket at once.
    """

    def __init__(self, hear: Callable[[int, FrameType | None], None]) -> None:
        self.watched = {s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) is not signal.SIG_IGN}
        self.written: socket | None = None
        for one in self.watched:
            signal.signal(one, hear)
        if hasattr(signal, "sigwait"):
            signal.pthread_sigmask(signal.SIG_BLOCK, self.watched)
        else:
            from socket import socketpair

            self.written, self.wakeup = socketpair()
            self.wakeup.setblocking(False)
            signal.set_wakeup_fd(self.wakeup.fileno())

    def wait(self) -> signal.Signals:
        """Return the next signal."""
        return signal.Signals(self.written.recv(1)[0] if self.written else signal.sigwait(self.watched))

    def interrupt_main(self, signum: signal.Signals) -> None:
        """Make the main thread call `hear`."""
        _thread.interrupt_main(signum)
        if self.written:
            self.written.recv(1)  # Python wrote this signal too


class _Watch:
    """Waits for signals in a thread of its own, and ends the process; or the training only, and the command goes on.

    The lock makes either the main thread or this one the one that ends the process. The handler `hear` runs in the
    main thread: between two of its instructions, so that what only these two write needs no lock.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.over = False  # who ends the process is decided
        self.ending = False  # this thread does
        self.unwound = threading.Event()
        self.training = False  # a signal ends the training and not the process; the main thread writes it
        self.signum = 0  # of the signal that did
        self.due = False  # `hear` acts on its next call only: Windows also calls it for the signal itself
        self.raised = False  # in the main thread
        self.unwinding = False  # the main thread has nothing more to interrupt
        self.path: Path | None = None
        self.before: tuple[int, ...] | None = None

    def wait(self, name: str, signals: _Signals) -> None:
        """Of two signals in a training the second ends the process: an evaluation may take minutes."""
        while signals.watched:
            signum = signals.wait()
            with self.lock:
                if self.over:
                    return
                if self.training and not self.signum:
                    self.signum = signum
                else:
                    self.over = self.ending = True
            if self.ending:
                self._end(name, signum, signals)
            newline = "\n" * sys.stderr.isatty()  # behind the bar
            _say(f"{newline}{name}: {_WORDS[signum]}, the best weights will be saved; a second signal ends at once")
            self.due = True
            signals.interrupt_main(signum)

    def _end(self, name: str, signum: signal.Signals, signals: _Signals) -> None:
        """End the process: once the main thread has unwound, or without it."""
        # What an exception at any moment leads to, others and tracebacks, is not to be seen.
        stderr, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115
        self.due = True
        signals.interrupt_main(signum)
        line_is_free = self.unwound.wait(GRACE) or not stderr.isatty()
        for path in list(getattr(sys.modules.get("fastnn.files"), "unfinished", ())):
            with suppress(OSError):  # the main thread does it too, unless the disk holds it
                os.unlink(path)
        _say(f"{'' if line_is_free else chr(10)}{self.sentence(name, signum)}", stderr)
        os._exit(128 + signum)

    def sentence(self, name: str, signum: int) -> str:
        """What a signal did to the command."""
        saved = self.path is not None and _identity(self.path) not in (None, self.before)
        return f"{name}: {_WORDS[signum]}, {f'{self.path} was' if saved else 'nothing was'} saved"

    def hear(self, signum: int, frame: FrameType | None) -> None:
        """The handler of signals. It does nothing where one came too late for a training, which ended by itself."""
        if self.due and (self.training or self.ending) and not self.unwinding:
            self.due, self.raised = False, True
            raise KeyboardInterrupt

    def finish(self) -> bool:
        """Whether the main thread ends the process; if not, this one is about to."""
        with self.lock:
            finished = not self.ending
            self.over = True
            return finished

    def begin(self, state: object = None) -> None:
        """A callback of the training: from here on it has something to give back."""
        self.training = True
        if self.raised:  # and lost: an exception in a destructor, say, goes nowhere
            raise KeyboardInterrupt

    def __enter__(self) -> "_Watch":
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.training = False
        with self.lock:  # from here on `signum` says whether there was a signal
            interrupted = self.ending or (error and self.signum)
        if interrupted:
            raise KeyboardInterrupt


_WORDS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_watch = _Watch()


def _identity(path: Path) -> tuple[int, ...] | None:
    """What is another when another file has taken the place of this one."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns


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

"""What a fork loses: numba's threads, of which a child has none that its parent had started, and who holds its lock.

The package imports this at once, without numba, so that no fork goes unseen.
"""

import os
from pathlib import Path
from typing import Any

from .numba_internals import imported_compiler_lock, threads_started


def _forked() -> bool:
    """Whether Linux says that no program was started in this process since its parent forked (PF_FORKNOEXEC)."""
    try:
        flags = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[6]
    except OSError:
        return False
    return bool(int(flags) & 0x40)


# If this is imported in a child, its threads may have been started after the fork: it then runs on one for nothing.
_lost = threads_started() and _forked()
_process = os.getpid()


def threads_lost() -> bool:
    """Whether a parallel loop must not be launched in this process."""
    if os.getpid() != _process:  # a library in C has forked, and did not tell Python
        _after_fork()
    return _lost


def _after_fork() -> None:
    global _lost, _process
    _lost, _process = threads_started(), os.getpid()
    _compiler_free()


# A fork waits until what numba compiles in another thread is done: its lock would never be released in the child.
_held: Any = None


def _compiler_held() -> None:
    global _held
    lock = imported_compiler_lock()
    if lock is not None:
        lock.acquire()
        _held = lock


def _compiler_free() -> None:
    global _held
    if _held is not None:
        lock, _held = _held, None
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_compiler_held, after_in_parent=_compiler_free, after_in_child=_after_fork)

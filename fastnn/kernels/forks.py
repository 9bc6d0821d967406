"""Whether numba's threads were lost in a fork: a child has none of those that its parent had started.

The package imports this at once, without numba, so that no fork goes unseen.
"""

import os
import sys
from pathlib import Path
from typing import Any


def _threads_started() -> bool:
    """By any package, in this process or, before a fork, in its parent."""
    parallel: Any = sys.modules.get("numba.np.ufunc.parallel")
    return parallel is not None and parallel._is_initialized


def _forked() -> bool:
    """Whether Linux says that no program was started in this process since its parent forked (PF_FORKNOEXEC)."""
    try:
        flags = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[6]
    except OSError:
        return False
    return bool(int(flags) & 0x40)


# If this is imported in a child, its threads may have been started after the fork: it then runs on one for nothing.
_lost = _threads_started() and _forked()
_process = os.getpid()


def threads_lost() -> bool:
    """Whether a parallel loop must not be launched in this process."""
    if os.getpid() != _process:  # a library in C has forked, and did not tell Python
        _after_fork()
    return _lost


def _after_fork() -> None:
    global _lost, _process
    _lost, _process = _threads_started(), os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

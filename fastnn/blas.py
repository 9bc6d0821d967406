"""NumPy's and SciPy's matrix library on one thread, for as long as the kernels own the cores."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_users = 0
_limits: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS uses one thread, in the whole process; then as many as before, once the last Python thread has left.

    Its threads spin for some 20 ms after every product or long dot product. Keeping from them costs 3 ms, which is
    the search for loaded libraries.
    """
    global _users, _limits
    from threadpoolctl import threadpool_limits

    with _lock:
        if _users == 0:
            _limits = threadpool_limits(1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limits.restore_original_limits()


def _after_fork() -> None:
    """Other threads, which may have held the lock, are not in the child."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

"""NumPy's and SciPy's matrix library on one thread, for as long as the kernels own the cores."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.RLock()  # a signal's handler may come here in the middle of it
_users: list[int] = []  # Python threads, by their numbers
_limits: Any = None  # what is to be restored


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS uses one thread, in the whole process; then as many as before, once the last Python thread has left.

    Its threads spin for some 20 ms after every product or long dot product. Keeping from them costs 3 ms, which is
    the search for loaded libraries.
    """
    global _limits
    from threadpoolctl import threadpool_limits

    with _lock:
        if _limits is None:  # or else nobody has restored them: after a fork, or an exception that came right here
            _limits = threadpool_limits(1, user_api="blas")
        _users.append(threading.get_ident())
    try:
        yield
    finally:
        with _lock:
            _users.remove(threading.get_ident())
            if not _users:
                _limits.restore_original_limits()
                _limits = None


def _after_fork() -> None:
    """Other threads, which may have held the lock, are not in the child."""
    global _lock
    _lock = threading.RLock()
    _users[:] = [one for one in _users if one == threading.get_ident()]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

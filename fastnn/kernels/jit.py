"""How kernels are compiled, cached and launched: decided here, once.

`inner` compiles the example and block storeys, `batch` the one that is called from outside,
and `serial` what is called from outside without a parallel loop.
"""

import hashlib
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
from numba.core.caching import FunctionCache

# Sums may be reordered (without that no reduction vectorises) and a*b + c fused. Never "nnan"
# or "ninf": a NaN has to reach the caller.
FAST = {"contract", "reassoc", "nsz", "arcp"}

# Where an order of operations is part of the algorithm (range reduction, differences).
EXACT = {"contract"}

_PACKAGE = Path(__file__).parent.parent


def inner(fastmath: set[str] = FAST, inline: bool = False) -> Callable[[Callable], Any]:
    """Compile a function that only other kernels call.

    With `inline`, numba copies it into its callers instead of compiling it. That is for functions
    between the batch and the tiles: numba makes a finished library of every function, with all
    that it calls in it, and the tiles would be optimised five times over (15 s instead of 10).
    """
    how = "always" if inline else "never"
    return numba.njit(inline=how, **_options(fastmath))


def batch(function: Callable, fastmath: set[str] = FAST) -> Callable:
    """Compile the outer storey of a kernel: its `prange` runs on all of numba's threads.

    Numba's portable threading layer aborts the process when two Python threads launch at once,
    and a forked child cannot use its parent's threads. So a lock lets one launch run at a time, and a
    process forked after the first launch runs the same function, to the same bits, on one thread.
    """
    options = _options(fastmath)
    parallel = _cached(numba.njit(parallel=True, **options)(function))
    alone = numba.njit(**options)(function)

    @wraps(function)
    def launch(*arguments: Any) -> Any:
        global _launching_process
        with _launch_lock:
            _launching_process = _launching_process or os.getpid()
            return (parallel if _launching_process == os.getpid() else alone)(*arguments)

    return launch


def serial(function: Callable) -> Any:
    """Compile a function that is called from outside and has no parallel loop: it needs no lock."""
    return _cached(numba.njit(**_options(FAST))(function))


def _options(fastmath: set[str]) -> dict[str, Any]:
    return {"fastmath": fastmath, "error_model": "numpy", "nogil": True}


_launch_lock = threading.Lock()
_launching_process: int | None = None


def _new_lock() -> None:
    """A fork may copy the lock while another thread holds it: the child starts with its own."""
    global _launch_lock
    _launch_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def threading_layer() -> str:
    """The threading layer that numba uses; it is known once a parallel kernel has run."""
    _launch_nothing(1)
    return str(numba.threading_layer())


def threads() -> int:
    """On how many threads a parallel loop runs when it is launched from here."""
    return int(numba.get_num_threads())


def cpu_features() -> str:
    """The features that numba compiles for, "+avx2,-avx512f,...": this machine's, or NUMBA_CPU_FEATURES."""
    chosen = numba.config.CPU_FEATURES
    return str(chosen if chosen is not None else llvmlite.binding.get_host_cpu_features().flatten())


def cache_folder() -> Path | None:
    """Where compiled kernels are kept: None if `FASTNN_CACHE` is 0.

    `FASTNN_CACHE` = 0 | 1 | a folder; 1, the default, is the user's cache folder. The name of
    the inner folder is made of everything that the machine code depends on, all kernel sources
    among it: numba itself does not notice an edit in a file other than the kernel's own.
    """
    setting = os.environ.get("FASTNN_CACHE", "1")
    if setting == "0":
        return None
    if setting != "1":
        root = Path(setting).expanduser()
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastnn"
    what = hashlib.sha256()
    for source in (file for folder in ("kernels", "engines") for file in sorted((_PACKAGE / folder).glob("*.py"))):
        what.update(source.read_bytes())
    cpu = numba.config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    what.update(f"{numba.__version__} {llvmlite.__version__} {cpu} {cpu_features()}".encode())
    return root / what.hexdigest()[:16]


class _Cache(FunctionCache):
    """numba's cache of a function, where nothing that is wrong with a file reaches the caller."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is on disk, if it is whole, and for these types; else None, and it will be written anew.

        Two processes that write variants for different types at the same time may give both files
        the same name.
        """
        try:
            found = super().load_overload(sig, target_context)
        except (EOFError, pickle.UnpicklingError, OSError):  # cut off in the middle
            found = None
            self._write(self.flush)
        return found if found is not None and tuple(found.signature.args) == tuple(sig) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        self._write(super().save_overload, sig, data)

    def _write(self, write: Callable, *arguments: Any) -> None:
        try:
            write(*arguments)
        except OSError as error:  # a full disk, say
            _warn(error)


def _cached(dispatcher: Any) -> Any:
    """Turn the disk cache on for a kernel, or leave it off where no folder can be written."""
    before = numba.config.CACHE_DIR
    try:
        folder = cache_folder()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            numba.config.CACHE_DIR = str(folder)
            dispatcher._cache = _Cache(dispatcher.py_func)
    except (OSError, RuntimeError) as error:
        _warn(error)
    finally:
        numba.config.CACHE_DIR = before
    return dispatcher


def _warn(error: Exception) -> None:
    global _warned
    if not _warned:
        warnings.warn(f"kernels are compiled anew in every process: {error}", RuntimeWarning, stacklevel=2)
    _warned = True


_warned = False


@batch
def _launch_nothing(n):
    total = 0
    for i in numba.prange(n):
        total += i
    return total

"""Numba's thread pool: how it is started, how many threads a kernel gets, and when it must run on one."""

import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache

import numba
from llvmlite import binding, ir
from numba import types

from . import cores, forks
from .numba_internals import PARALLEL_FOR, compiler_lock, new_library, threads_started

# Turns that GNU OpenMP spins at a barrier before it sleeps; 300,000 by default. With 1,000, 3,000, 10,000, 30,000 and
# 300,000 turns an evaluation of 100 examples takes 300, 217, 202, 181 and 184 us on a quiet machine, and 292, 468, 768,
# 1,600 and 1,600 to 5,200 us beside one process that computes (2 cores, AMD Zen 3; medians of processes in turns). For
# 5,000 examples 10,000 turns are as good as any, quiet or not. The layers tbb and workqueue do not spin.
SPIN_COUNT = 10_000

_launch_lock = threading.RLock()


def _new_lock() -> None:
    """Give a forked child a new lock: another thread may have held the old one."""
    global _launch_lock
    _launch_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def usable() -> bool:
    """Return True if a parallel loop may be launched now.

    False in a forked child whose parent had started Numba's threads: GNU OpenMP would end the process. False also
    beside other Python threads on a workqueue layer without guard: Numba would end the process if two threads launched
    at once.
    """
    if forks.threads_lost():
        return False
    return threading_layer() != "workqueue" or _launches_guarded or _no_other_python_thread()


@contextmanager
def launching() -> Iterator[None]:
    """Hold the launch lock inside, with the number of threads set to `threads()`.

    The lock is reentrant: a signal handler may launch during a launch.
    """
    with _launch_lock, nullcontext() if _max_threads() == numba.config.NUMBA_NUM_THREADS else at_most():
        yield


@contextmanager
def at_most(limit: float = math.inf) -> Iterator[None]:
    """Run kernels that this Python thread launches inside on at most `limit` threads."""
    allowed = int(min(threads(), max(1, limit)))
    before = numba.get_num_threads()
    numba.set_num_threads(allowed)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def threads() -> int:
    """Number of threads of a parallel loop that is launched from here."""
    if not usable():
        return 1
    wanted = int(numba.get_num_threads())
    return wanted if wanted < numba.config.NUMBA_NUM_THREADS else _max_threads()


@lru_cache
def _max_threads() -> int:
    """Number of Numba's threads, but no more than there are cores, unless the user has set that number."""
    started = int(numba.config.NUMBA_NUM_THREADS)
    set_by_user = "NUMBA_NUM_THREADS" in os.environ or started != numba.config.NUMBA_DEFAULT_NUM_THREADS
    return started if set_by_user else min(started, max(1, math.ceil(cores.usable())))


@lru_cache
def threading_layer() -> str:
    """Name of Numba's threading layer; the first call starts its threads."""
    with compiler_lock():  # no other package links a parallel loop meanwhile
        started_by_others = threads_started()
        try:
            with _short_spin():
                numba.get_num_threads()
        except ValueError as error:
            raise ValueError(
                "NUMBA_THREADING_LAYER must be default, omp, tbb, workqueue, safe, threadsafe or forksafe, and "
                f"installed, got {numba.config.THREADING_LAYER!r}. Numba says: {str(error).splitlines()[0]}"
            ) from error
        layer = str(numba.threading_layer())
        if layer == "workqueue" and not started_by_others:
            _guard_launches()
    return layer


@contextmanager
def _short_spin() -> Iterator[None]:
    """Set `GOMP_SPINCOUNT` inside, unless the user has configured spinning. GNU OpenMP reads it once, when loaded."""
    if os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
    try:
        yield
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)


_launches_guarded = False
_library = None  # keeps the machine code of `_guard_launches`


def _guard_launches() -> None:
    """Make launches on the workqueue layer safe, those of other packages too.

    Workqueue ends the process where two threads launch at once, or a launch is nested in another. The symbol that
    Numba links parallel loops to gets a wrapper: while one loop runs on the pool, any other runs on the thread that
    launches it. Loops that were linked before would keep the unsafe symbol, so this is for a pool not used before.
    """
    global _launches_guarded, _library
    pointer, integer, flag = ir.IntType(8).as_pointer(), ir.IntType(types.intp.bitwidth), ir.IntType(32)
    loop = ir.FunctionType(ir.VoidType(), [pointer] * 4)
    launch = ir.FunctionType(ir.VoidType(), [pointer] * 5 + [integer] * 3)
    library = new_library("fastnn.pool")
    module = library.create_ir_module("fastnn.pool")
    busy = ir.GlobalVariable(module, flag, "fastnn.pool.busy")
    busy.linkage, busy.initializer = "internal", flag(0)
    function = ir.Function(module, launch, "fastnn.pool.parallel_for")
    body = ir.IRBuilder(function.append_basic_block())
    taken = body.extract_value(body.cmpxchg(busy, flag(0), flag(1), "acq_rel", "monotonic"), 1)
    with body.if_else(taken) as (free, otherwise):
        with free:
            parallel_for = integer(binding.address_of_symbol(PARALLEL_FOR))
            body.call(body.inttoptr(parallel_for, launch.as_pointer()), function.args)
            body.store_atomic(flag(0), busy, "release", 4)
        with otherwise:
            body.call(body.bitcast(function.args[0], loop.as_pointer()), function.args[1:5])
    body.ret_void()
    library.add_ir_module(module)
    library.finalize()
    binding.add_symbol(PARALLEL_FOR, library.get_pointer_to_function(function.name))
    _launches_guarded, _library = True, library


def _no_other_python_thread() -> bool:
    """Return True if no other Python thread can launch; fastnn's own threads and tqdm's monitor cannot."""
    from tqdm import TMonitor

    known = [
        thread for thread in threading.enumerate() if isinstance(thread, TMonitor) or thread.name.startswith("fastnn")
    ]
    known.append(threading.current_thread())
    # `enumerate` misses threads that `threading` did not start, `_current_frames` threads that have not run yet.
    return len(known) == threading.active_count() and sys._current_frames().keys() <= {thread.ident for thread in known}


def report() -> str:
    """The threading layer and what is safe with it, or why there is none."""
    try:
        layer = threading_layer()
    except ValueError as error:
        return f"none: {error}"
    return f"{layer}, {threads()} threads; thread-safe; on one thread in a forked child"

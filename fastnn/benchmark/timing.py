"""Timing implementations in turns in one process, block by block, and what they ran on."""

import hashlib
import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from ..runtime import cores
from ..spec import Array, DType

REST = 0.1  # seconds before a block: meanwhile the threads of the implementation before stop spinning
WARM = 3  # untimed calls at the start of a block
BLOCK = 0.15  # seconds of timed calls in a block
LONG = 1.0  # a call of so many seconds is timed alone

# Width of the matrices of the reference GEMM: 1000, 1500, 2000 and 4000 were within a fifth of each other (2 cores
# with AVX-512, not in order), 500 slower than all; 1500 takes 50 ms.
GEMM_WIDTH = 1500

# Steps of the loop at the machine's peak: 7 ms on Zen 4, half of that with two pipes of 512 bits. To launch
# the threads takes some 20 us.
PEAK_STEPS = 2_000_000

# Seconds for which `busy` computes on all cores. In 120 tries it got 0.92 to 1.00 of their time on a quiet machine of
# 2 cores, 0.50 to 0.75 beside one computing process, 0.39 to 0.62 beside two.
BUSY_SECONDS, QUIET_SHARE = 0.2, 0.9

# What the two references are, in words.
GEMM = f"the reference GEMM, a {GEMM_WIDTH} x {GEMM_WIDTH} matrix product by NumPy's BLAS"
PEAK = "the machine's peak, multiply-adds on registers alone by all threads"


def interleave(
    implementations: Mapping[str, Callable[[], object]], rounds: int, progress: Callable[[], object] = lambda: None
) -> dict[str, Array]:
    """Median seconds of a call, for each implementation and round (rounds,).

    In every round each implementation has one block of calls. Two of them are compared by their ratio
    within a round, where both met the machine in the same state. The order changes from round to round.
    `progress()` is called after every block.
    """
    medians: dict[str, list[float]] = {name: [] for name in implementations}
    names = list(implementations)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            medians[name].append(_block(implementations[name]))
            progress()
    return {name: np.array(times) for name, times in medians.items()}


def _block(call: Callable[[], object]) -> float:
    """Median seconds of a block of calls, after WARM untimed ones: after one if a call takes BLOCK, none if LONG."""
    time.sleep(REST)
    for _ in range(WARM):
        seconds = _timed(call)
        if seconds >= LONG:
            return seconds
        if seconds >= BLOCK:
            break
    times, total = [], 0.0
    while total < BLOCK:
        times.append(_timed(call))
        total += times[-1]
    return float(np.median(times))


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def busy() -> str | None:
    """Return a warning if other processes use the cores, else None. Compares CPU seconds with wall seconds."""
    available = cores.usable()
    count = math.ceil(available)
    with ThreadPoolExecutor(count) as pool:
        seconds = np.array([*pool.map(_keep_a_core_busy, range(count))]).sum(axis=0)
    share = seconds[0] / seconds[1] * count / available
    if share >= QUIET_SHARE:
        return None
    unit = "core" if available == 1.0 else "cores"
    return (
        f"The machine is busy: of {available:g} {unit} this process got {share:.0%}. "
        "Times and ratios are not those of a quiet machine; end other programs and repeat."
    )


def _keep_a_core_busy(number: int) -> tuple[float, float]:
    """Hash, which needs no interpreter lock, for BUSY_SECONDS; return this thread's CPU seconds and wall seconds."""
    block, start, start_cpu = bytes(1_000_000), time.perf_counter(), time.thread_time()
    while time.perf_counter() - start < BUSY_SECONDS:
        hashlib.sha256(block)
    return time.thread_time() - start_cpu, time.perf_counter() - start


def gemm(dtype: DType) -> tuple[Callable[[], object], float]:
    """A call of the reference GEMM, and how many operations it does."""
    square = np.random.default_rng(0).standard_normal((GEMM_WIDTH, GEMM_WIDTH)).astype(dtype)
    out = np.empty_like(square)
    return lambda: np.dot(square, square, out=out), 2.0 * GEMM_WIDTH**3


def peak(dtype: DType) -> tuple[Callable[[], object], float]:
    """A call that runs at the machine's peak, and how many operations it does."""
    from ..kernels import peak

    sums, factors = peak.zeros(dtype), np.full(2, 1e-3, dtype)
    peak.on_all_threads(1, factors, sums)  # compiles
    return lambda: peak.on_all_threads(PEAK_STEPS, factors, sums), 2.0 * PEAK_STEPS * sums.size


# What `machine` tells.
MACHINE = (
    "cpu", "cores", "threads", "threading_layer", "vector_bits", "blas", "blas_kernels", "blas_threads",
    "openblas_coretype", "python", "numpy", "scipy", "numba",
)  # fmt: skip


def machine() -> dict[str, object]:
    """What times are measured on: processor, cores, threads, BLAS, versions."""
    from ..kernels import tiles
    from ..runtime import pool

    blas: Any = np.show_config(mode="dicts")
    blas = blas["Build Dependencies"]["blas"]
    loaded = _loaded_blas()
    values = (
        _cpu(),
        os.cpu_count(),
        pool.threads(),
        pool.threading_layer(),
        8 * tiles.SHAPE.bytes,
        f"{blas['name']} {blas['version']}",
        loaded.get("architecture"),
        loaded.get("num_threads"),
        os.environ.get("OPENBLAS_CORETYPE") or None,
        platform.python_version(),
        *map(version, MACHINE[-3:]),
    )
    return dict(zip(MACHINE, values, strict=True))


def described(machine: Mapping[str, object]) -> str:
    """The same in a line."""
    kernels, threads = machine["blas_kernels"], machine["blas_threads"]
    details = [f"{kernels} kernels"] * bool(kernels) + [f"{threads} threads"] * bool(threads)
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"vectors of {machine['vector_bits']} bits; Python {machine['python']}, NumPy {machine['numpy']} "
        f"with {machine['blas']}{' (' + ', '.join(details) + ')' if details else ''}, "
        f"SciPy {machine['scipy']}, Numba {machine['numba']}"
    )


def forced_kernels(coretype: str | None) -> str | None:
    """Why ratios to NumPy are not to be trusted if OPENBLAS_CORETYPE is set to that; None if it is not set."""
    if not coretype:
        return None
    return (
        f"OPENBLAS_CORETYPE is {coretype!r}, so that NumPy's BLAS may run kernels for an older processor than this one "
        "and ratios to NumPy may flatter fastnn; unset it before you measure"
    )


def _loaded_blas() -> dict[str, object]:
    """What threadpoolctl tells of NumPy's BLAS; nothing if it cannot say which library that is."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # A wheel brings its own in numpy/.dylibs or numpy.libs; elsewhere all packages share one.
    wheel = os.path.realpath(os.path.dirname(np.__file__))
    own = [library for library in libraries if library["filepath"].startswith(wheel)]
    return next(iter(own or (libraries if len(libraries) == 1 else [])), {})


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

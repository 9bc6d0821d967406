"""Timing contestants against each other in one process, block by block, and what they ran on."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from ..validation import Array

REST = 0.1  # seconds before a block: thread pools of the contestant before stop spinning
WARM = 3  # calls of a block that are not timed
BLOCK = 0.15  # seconds of calls that are
LONG = 1.0  # seconds from which on a call stands alone

# Width of the square matrix product that says what the machine can do: 1000, 1500, 2000 and 4000 were within a
# fifth of each other (2 cores with AVX-512, not in order), 500 slower than all; 1500 takes 50 ms.
SQUARE = 1500


def interleave(
    contestants: Mapping[str, Callable[[], object]], rounds: int, progress: Callable[[], object] = lambda: None
) -> dict[str, Array]:
    """Median seconds of a call, for each contestant and round (rounds,).

    In every round each contestant has one block of calls. Two of them are compared by the ratio
    within a round: both met the machine in the same state. The order changes from round to round.
    `progress()` is called after every block.
    """
    medians: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            medians[name].append(_block(contestants[name]))
            progress()
    return {name: np.array(times) for name, times in medians.items()}


def _block(call: Callable[[], object]) -> float:
    """The median of a block of calls, after a few that do not count; of a long call one, of a very long one none."""
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


def square_product(dtype: Any) -> Callable[[], object]:
    """A call of NumPy's BLAS that does 2 SQUARE**3 operations."""
    square = np.random.default_rng(0).standard_normal((SQUARE, SQUARE)).astype(dtype)
    out = np.empty_like(square)
    return lambda: np.dot(square, square, out=out)


# What `machine` tells.
MACHINE = ("cpu", "cores", "threads", "threading_layer", "vector_bits", "blas", "python", "numpy", "scipy", "numba")


def machine() -> dict[str, Any]:
    """What times are measured on: processor, cores, threads, BLAS, versions."""
    from ..kernels import jit, tiles

    blas: Any = np.show_config(mode="dicts")
    blas = blas["Build Dependencies"]["blas"]
    values = (
        _cpu(),
        os.cpu_count(),
        jit.threads(),
        jit.threading_layer(),
        8 * tiles.SHAPE.bytes,
        f"{blas['name']} {blas['version']}",
        platform.python_version(),
        *map(version, MACHINE[-3:]),
    )
    return dict(zip(MACHINE, values, strict=True))


def described(machine: Mapping[str, Any]) -> str:
    """The same in a line."""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"vectors of {machine['vector_bits']} bits; Python {machine['python']}, NumPy {machine['numpy']} "
        f"with {machine['blas']}, SciPy {machine['scipy']}, Numba {machine['numba']}"
    )


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

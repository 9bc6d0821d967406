"""Timing contestants against each other in one process, block by block."""

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

REST = 0.1  # seconds before a block: thread pools of the contestant before stop spinning
WARM = 3  # calls of a block that are not timed
BLOCK = 0.15  # seconds of calls that are


def interleave(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Median seconds of a call, for each contestant and round (rounds,).

    In every round each contestant has one block of calls. Two of them are compared by the ratio
    within a round: both met the machine in the same state. The order changes from round to round.
    """
    medians: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            medians[name].append(_block(contestants[name]))
    return {name: np.array(times) for name, times in medians.items()}


def _block(call: Callable[[], object]) -> float:
    time.sleep(REST)
    for _ in range(WARM):
        call()
    times = []
    start = now = time.perf_counter()
    while now - start < BLOCK or len(times) < 3:
        before = now
        call()
        now = time.perf_counter()
        times.append(now - before)
    return float(np.median(times))


def machine() -> str:
    """What the times were measured on, in a line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba"))
    return f"{_cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

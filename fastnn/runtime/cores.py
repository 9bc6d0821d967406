"""How many cores this process may use. Imported without numba, which sees no container's limit."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path


@lru_cache
def usable() -> float:
    """As many as it may run on, or the part of their time that its container leaves it: 1.5, say."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(float(cores), limit())


def limit(root: Path = Path("/")) -> float:
    """Of Linux's control groups, version 1 or 2: the least of this process's own and those above it, or inf.

    Threads use up a group's share of each tenth of a second, and are stopped until the next. Those that wait for
    others use it up too: of half a core's time, 506 gradients of the digits in 6 s on one thread, 359 on two.
    """
    with suppress(OSError, ValueError, ArithmeticError):  # no such files, or what no kernel writes
        return min(map(_quota, _groups(root)), default=math.inf)
    return math.inf


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the groups that hold this process, as far as they are seen from here."""
    process = root / "proc" / "self"
    paths = {}
    for line in _text(process / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))  # version 2 names no controllers
    for line in _text(process / "mountinfo").splitlines():
        mount, _, kind = line.partition(" - ")
        kind, _, options = kind.split(" ", 2)
        controller = {"cgroup": "cpu", "cgroup2": ""}.get(kind)
        if controller in paths and (kind == "cgroup2" or "cpu" in options.split(",")):
            top, point = mount.split()[3:5]  # which group is mounted, and where
            here = root / point.lstrip("/")
            yield here
            # In a container the path may be its host's, of which nothing is to be seen.
            below = os.path.relpath(paths[controller], top)
            if not below.startswith(".."):
                for part in Path(below).parts:
                    here /= part
                    yield here


def _quota(group: Path) -> float:
    """In cores."""
    with suppress(OSError):
        quota, period = _text(group / "cpu.max").split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with suppress(OSError):
        share = int(_text(group / "cpu.cfs_quota_us"))
        return math.inf if share < 0 else share / int(_text(group / "cpu.cfs_period_us"))
    return math.inf


def _text(path: Path) -> str:
    return path.read_text(errors="surrogateescape")

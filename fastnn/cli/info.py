"""`fastnn info`."""

import argparse
import os
import platform
from importlib.metadata import version

from .. import __version__
from . import output
from .options import add_output

USAGE = "info"
PURPOSE = "versions, cores, vector width, threading layer, cache folder"
EXAMPLE = "info --json"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    from ..kernels import tiles
    from ..runtime import cache, cores, pool

    python = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    packages = {package: version(package) for package in ("numpy", "scipy", "numba", "llvmlite")}
    count, usable, width = os.cpu_count(), cores.usable(), tiles.SHAPE.bytes
    facts: dict[str, object] = {"fastnn": __version__, **python, **packages, "cores": count, "usable_cores": usable}
    facts |= {"vector_bits": 8 * width, "threading": pool.report()}
    facts |= {"cache": cache.report(), "cache_folder": cache.folder()}
    lines = {
        "fastnn": __version__,
        "python": "{python} on {system} {machine}".format(**python),
        **packages,
        "cores": f"{count}" + f", of which this process may use {usable:g}" * (usable < (count or 1)),
        "vector width": f"{8 * width} bits, {width // 8} float64",
        "threading layer": facts["threading"],
        "cache folder": facts["cache"],
    }
    output.tell(options, facts, [f"{name:<16} {text}" for name, text in lines.items()], wanted=True)
    return 0

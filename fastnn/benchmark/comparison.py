"""Implementations that were timed in turns: ratios, places, and a summary that a person can read."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..spec import Array
from . import timing

# The rungs of the ladder: fastnn's engines, usually from the slowest to the fastest, and what they are called here.
RUNGS = {"python": "Python loop", "loop": "compiled loop", "numpy": "NumPy", "fused": "fused"}
BASELINE, FUSED = RUNGS["numpy"], RUNGS["fused"]

TIE = 1.1  # an implementation that takes this many times as long as another is clearly slower


@dataclass(frozen=True)
class Result:
    """What an implementation needed for the whole workload, in each round."""

    seconds: Array
    error: float
    compile_seconds: float
    operations: float | None
    share: float


class Reference(NamedTuple):
    """What a reference of `timing` needed for its operations, in each round."""

    seconds: Array
    operations: float


@dataclass(frozen=True)
class Group:
    """Implementations that were timed in turns, and the references that were timed in the same rounds."""

    title: str
    results: dict[str, Result]
    gemm: Reference
    peak: Reference


class Ratio(NamedTuple):
    """Of the times of two implementations, over the rounds."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{three_digits(self.median)} ({three_digits(self.lowest)} - {three_digits(self.highest)})"


def ratio(slow: Result, fast: Result) -> Ratio:
    """How many times as fast as `slow` the other is."""
    ratios = slow.seconds / fast.seconds
    return Ratio(float(np.median(ratios)), float(ratios.min()), float(ratios.max()))


def ranked(group: Group) -> list[str]:
    """The implementations' names, the fastest first: by the ratio to the baseline, or to the first there is."""
    base = group.results.get(BASELINE) or next(iter(group.results.values()))
    return sorted(group.results, key=lambda name: ratio(group.results[name], base).median)


def places(group: Group) -> dict[str, int]:
    """The place of each implementation: 1 is the fastest.

    An implementation shares the place of the next faster one if it takes less than TIE times as long, or was
    the faster of the two in some round: such pairs change their order from run to run.
    """
    found: dict[str, int] = {}
    before = None
    for number, name in enumerate(ranked(group), start=1):
        behind = ratio(group.results[name], group.results[before]) if before else None
        found[name] = found[before] if before and behind and (behind.lowest < 1.0 or behind.median < TIE) else number
        before = name
    return found


def best_peer(group: Group) -> str | None:
    """The fastest implementation that is no rung of the ladder."""
    return next((name for name in ranked(group) if rung(name) is None), None)


def rung(name: str) -> str | None:
    """The rung that an implementation is, be it on fewer threads ("fused, 1 thread"); None if it is a peer."""
    first = name.split(",")[0]
    return first if first in RUNGS.values() else None


def gflops(group: Group, name: str) -> float | None:
    """How many 1e9 floating-point operations a second an implementation does."""
    result = group.results[name]
    return None if result.operations is None else result.operations / float(np.median(result.seconds)) / 1e9


def share(group: Group, name: str, reference: Reference) -> float | None:
    """An implementation's operations a second over those of a reference, median over the rounds."""
    result = group.results[name]
    if result.operations is None:
        return None
    return float(np.median(result.operations / result.seconds * reference.seconds / reference.operations))


def percent(share: float | None) -> str:
    """A share in words; nothing if there is none."""
    return "" if share is None else f"{100 * share:.0f} %"


def columns(group: Group) -> list[list[str]]:
    """The group as a table of words: its head, then a row for each implementation, the fastest first."""
    peer, place = best_peer(group), places(group)
    ratios = [f"x {BASELINE} (rounds)", f"x {peer} (rounds)"]
    table = [["", "", "time", *ratios, "GFLOP/s", "of BLAS", "of peak", "error"]]
    for name in ranked(group):
        result = group.results[name]
        speed = gflops(group, name)
        table.append(
            [
                f"{place[name]}.",
                name,
                duration(float(np.median(result.seconds))) + ("*" if result.share < 1.0 else ""),
                str(ratio(group.results[BASELINE], result)) if BASELINE in group.results else "",
                str(ratio(group.results[peer], result)) if peer else "",
                "" if speed is None else three_digits(speed),
                percent(share(group, name, group.gemm)),
                percent(share(group, name, group.peak)),
                f"{result.error:.0e}" if result.error else "reference",
            ]
        )
    empty = [column for column, cells in enumerate(zip(*table[1:], strict=True)) if not any(cells)]
    return [[cell for column, cell in enumerate(row) if column not in empty] for row in table]


def summary(group: Group) -> list[str]:
    """The same as lines of text under the group's title."""
    table = columns(group)
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = [group.title]
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = row[1].ljust(widths[1])
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def facts(group: Group) -> dict[str, object]:
    """The same as numbers under names, the fastest implementation first; seconds of each round."""
    place, base = places(group), group.results.get(BASELINE)
    return {
        "title": group.title,
        "implementations": [
            {
                "name": name,
                "place": place[name],
                "seconds": float(np.median(result.seconds)),
                "rounds": result.seconds.tolist(),
                "times_numpy": ratio(base, result)._asdict() if base else None,
                "gflops": gflops(group, name),
                "of_blas": share(group, name, group.gemm),
                "of_peak": share(group, name, group.peak),
                "error": result.error,
                "compile_seconds": result.compile_seconds,
                "share": result.share,
            }
            for name in ranked(group)
            for result in [group.results[name]]
        ],
    }


NOTES = (
    f"x {BASELINE}: how many times as fast as {BASELINE}, median of the rounds (lowest - highest).",
    f"of BLAS: share of the GFLOP/s of {timing.GEMM}, in the same rounds.",
    f"of peak: share of the GFLOP/s of {timing.PEAK}, in the same rounds.",
    "error: |got - want| / |want|, want by the NumPy engine in float64.",
    "*: a part was timed, and scaled to the whole. Equal places: the order changes from run to run.",
)


def headline(group: Group) -> str:
    """How fast `fused` is, in a sentence."""
    fused = group.results[FUSED]
    others = [name for name in (BASELINE, best_peer(group)) if name in group.results]
    ratios = {name: ratio(group.results[name], fused).median for name in others}
    said = " and ".join(f"{three_digits(value)} times as fast as {name}" for name, value in ratios.items())
    return f"{group.title}: fused takes {duration(float(np.median(fused.seconds)))}, {said}"


def duration(seconds: float) -> str:
    """Seconds, milliseconds or microseconds, with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-6)} us"


def three_digits(number: float) -> str:
    """A number with three digits and without an exponent."""
    digits = 2 - int(np.floor(np.log10(number))) if number > 0.0 else 2
    return f"{number:,.{max(0, digits)}f}"

"""Contestants that ran against each other: ratios, places, and a summary that a person can read."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..validation import Array
from . import timing

# From the slowest to the fastest, as a rule; the names are those of the engines.
RUNGS = {"python": "Python loop", "loop": "compiled loop", "numpy": "NumPy", "fused": "fused"}
BASELINE, FUSED = RUNGS["numpy"], RUNGS["fused"]

TIE = 1.1  # how many times as long takes who is clearly behind


@dataclass(frozen=True)
class Result:
    """What a contestant needed for the whole workload, in each round."""

    seconds: Array
    error: float
    compile_seconds: float
    operations: float | None
    share: float


@dataclass(frozen=True)
class Group:
    """Contestants that ran against each other; `square` is what a square product took in the same rounds."""

    title: str
    results: dict[str, Result]
    square: Array


class Ratio(NamedTuple):
    """Of two contestants' times, over the rounds."""

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
    """The contestants' names, the fastest first: by the ratio to the baseline, or to the first there is."""
    base = group.results.get(BASELINE) or next(iter(group.results.values()))
    return sorted(group.results, key=lambda name: ratio(group.results[name], base).median)


def places(group: Group) -> dict[str, int]:
    """Who is first, second, ...; no clear winner, equal places.

    Whoever is less than a tenth behind the one before, or ahead of it in some round, shares its place:
    two runs on a shared machine rank such pairs one way and the other.
    """
    found: dict[str, int] = {}
    before = None
    for number, name in enumerate(ranked(group), start=1):
        behind = ratio(group.results[name], group.results[before]) if before else None
        found[name] = found[before] if before and behind and (behind.lowest < 1.0 or behind.median < TIE) else number
        before = name
    return found


def best_peer(group: Group) -> str | None:
    """The fastest that is no rung of the ladder."""
    return next((name for name in ranked(group) if name.split(",")[0] not in RUNGS.values()), None)


def gflops(group: Group, name: str) -> float | None:
    """Of a contestant, 1e9 floating-point operations a second."""
    result = group.results[name]
    return None if result.operations is None else result.operations / float(np.median(result.seconds)) / 1e9


def share_of_square(group: Group, name: str) -> float | None:
    """A contestant's speed over that of the square product, median over the rounds."""
    operations = group.results[name].operations
    if operations is None:
        return None
    speeds = operations / group.results[name].seconds
    return float(np.median(speeds / (2.0 * timing.SQUARE**3 / group.square)))


def columns(group: Group) -> list[list[str]]:
    """The group as a table of words, head first, a contestant each, the fastest first."""
    peer, place = best_peer(group), places(group)
    table = [["", "", "time", f"x {BASELINE} (rounds)", f"x {peer} (rounds)", "GFLOP/s", "of BLAS", "error"]]
    for name in ranked(group):
        result = group.results[name]
        speed, part = gflops(group, name), share_of_square(group, name)
        table.append(
            [
                f"{place[name]}.",
                name,
                duration(float(np.median(result.seconds))) + ("*" if result.share < 1.0 else ""),
                str(ratio(group.results[BASELINE], result)) if BASELINE in group.results else "",
                str(ratio(group.results[peer], result)) if peer else "",
                "" if speed is None else three_digits(speed),
                "" if part is None else f"{100 * part:.0f} %",
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


NOTES = (
    f"x {BASELINE}: how many times as fast, median of the rounds (lowest - highest); in a round all ran in turns.",
    f"of BLAS: GFLOP/s as a share of those of a {timing.SQUARE} x {timing.SQUARE} matrix product in the same rounds.",
    "error: |got - want| / |want|, want by the NumPy reference in float64.",
    "*: a part was timed, and scaled to the whole. Equal places: no clear winner.",
)


def headline(group: Group) -> str:
    """In a sentence, how fast `fused` is."""
    fused = group.results[FUSED]
    others = [name for name in (BASELINE, best_peer(group)) if name in group.results]
    ratios = {name: ratio(group.results[name], fused).median for name in others}
    said = " and ".join(f"{three_digits(value)} times as fast as {name}" for name, value in ratios.items())
    return f"{group.title}: fused takes {duration(float(np.median(fused.seconds)))}, {said}"


def duration(seconds: float) -> str:
    """With three digits, in a unit that suits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-6)} us"


def three_digits(number: float) -> str:
    """Three digits, and no exponent."""
    digits = 2 - int(np.floor(np.log10(number))) if number > 0.0 else 2
    return f"{number:,.{max(0, digits)}f}"

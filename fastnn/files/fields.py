"""Fields of a table: which are numbers, text or missing, and what type labels have."""

import math
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from ..inputs.containers import Array

# Fields that mean a missing value: those of pandas (`read_csv`), and the question mark of UCI's data sets.
MISSING = {
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null"),
    *("None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
}

_SWAPPED = str.maketrans(".,", ",.")


def with_point(field: str, mark: str) -> str:
    """Write a number whose decimal mark is `mark` with a decimal point."""
    return field.translate(_SWAPPED) if mark == "," else field


def number(field: str, marks: Sequence[str]) -> float | None:
    """Return the number that a field is with one of the decimal marks, or None."""
    if "_" in field:  # Python reads 1_000
        return None
    for mark in marks:
        try:
            return float(with_point(field, mark))
        except ValueError:
            continue
    return None


def decimal_marks(delimiter: str) -> tuple[str, ...]:
    """Return the decimal marks that numbers may have beside this delimiter."""
    return (".",) if delimiter == "," else (".", ",")


def is_text(field: str, delimiter: str) -> bool:
    """Return whether a field is neither a number nor missing."""
    return field not in MISSING and number(field, decimal_marks(delimiter)) is None


class Kind(NamedTuple):
    """Type of labels that are numbers, each written as Python writes it but for the decimal mark."""

    parse: Callable[[str], float]
    dtype: type
    mark: str


def number_kinds(delimiter: str) -> list[Kind]:
    """Return the kinds that labels of a table may have; the first that fits all of them counts."""
    return [Kind(int, np.int64, "."), *(Kind(float, np.float64, mark) for mark in decimal_marks(delimiter))]


def fitting_kinds(fields: Collection[str], kinds: list[Kind]) -> list[Kind]:
    """Return the kinds that fit all labels. A kind that fits two sets fits their union, but for 0.0 beside -0.0."""
    return [kind for kind in kinds if as_numbers(fields, kind) is not None]


def as_numbers(fields: Collection[str], kind: Kind) -> Array | None:
    """Return labels as numbers if each is written as Python writes that number, so that nothing is lost."""
    words = {field: with_point(field, kind.mark) for field in set(fields)}
    with suppress(ValueError, OverflowError):
        numbers = {field: kind.parse(word) for field, word in words.items()}
        exact = {str(value) for value in set(numbers.values())} == set(words.values())
        if exact and all(map(math.isfinite, numbers.values())):
            return np.array([numbers[field] for field in fields], dtype=kind.dtype)
    return None


def typed(fields: Collection[str], kinds: list[Kind]) -> Array:
    """Return labels as numbers of the first kind that fits; else as text."""
    arrays = (as_numbers(fields, kind) for kind in kinds)
    return next((array for array in arrays if array is not None), np.array([*fields]))

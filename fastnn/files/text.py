"""Text of table files: unpacked, decoded, split into rows that are numbered as the lines of the file.

Fields of rows are numbers, text or missing, and labels have a type.
"""

import codecs
import csv
import gzip
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ..inputs.containers import Array

# Bytes of a file that are decoded together.
PIECE = 1 << 22

# Longest line, in characters: a million numbers. A file without ends of lines is no table, and its fields would take up
# to 70 times its size.
_LONGEST = 1 << 23

# Largest unpacked size, as a multiple of the file's, and the size that is always allowed. Tables pack to a third or a
# fiftieth, and reading takes up to 70 times the text.
_UNPACKED, _ALWAYS_ALLOWED = 100, 1 << 23

_BYTE_ORDER_MARKS = {  # the first two bytes of UTF-32's marks are UTF-16's mark
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")


class Unfit(Exception):
    """A table that cannot be read: the end of a sentence that begins with the file's name, and the row at fault."""

    def __init__(self, sentence: str, line: int = 0):
        super().__init__(sentence)
        self.line = line


class Row(NamedTuple):
    """Fields of a row, and the number of its first line."""

    line: int
    fields: list[str]


def text_of(path: Path, encoding: str | None) -> str:
    """Return the text of a file, unpacked and decoded."""
    with open(path, "rb") as file:
        return "".join(pieces(file, path, encoding))


def pieces(file: IO[bytes], path: Path, encoding: str | None) -> Iterator[str]:
    """Yield the text of an open file, unpacked and decoded, some megabytes at a time."""
    decoder, lines, first, length = None, 0, True, 0
    for content in _unpacked(file, path):
        if decoder is None:
            encoding, codec = _encoding(content, encoding)
            decoder = codecs.getincrementaldecoder(codec)()
        try:
            text = decoder.decode(content, final=not content)
        except UnicodeError as error:
            start = getattr(error, "start", 0)
            head = getattr(error, "object", b"")[: start + 1]
            raise _wrong_encoding(encoding, lines + head[:start].count(b"\n") + 1, zero=b"\0" in head) from None
        if "\0" in text:
            raise _wrong_encoding(encoding, lines + text[: text.index("\0")].count("\n") + 1, zero=True)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        length = len(text) - end + (0 if end else length)
        if length > _LONGEST:
            raise Unfit(f"whose row {lines + text.count(chr(10)) + 1} goes on for more than {_LONGEST:,} characters")
        lines += text.count("\n")
        if text:
            yield text.removeprefix("\ufeff") if first else text
            first = False


def _unpacked(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield the unpacked content of a file in pieces, the last of which is empty."""
    packed = path.name.lower().endswith(".gz")
    stream: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=file) if packed else file
    most = max(_ALWAYS_ALLOWED, _UNPACKED * os.fstat(file.fileno()).st_size)
    content = None
    while content != b"":
        try:
            content = stream.read(PIECE)
        except (OSError, EOFError, zlib.error) as error:
            if not packed:
                raise
            raise Unfit(f"which cannot be unpacked: {error}") from None
        most -= len(content) if packed else 0
        if most < 0:
            raise Unfit(f"which unpacks to more than {_UNPACKED} times its size; if it is a table, unpack it first")
        yield content


def _encoding(content: bytes, encoding: str | None) -> tuple[str, str]:
    """Return the encoding of a file that begins with `content`: its name for people, and Python's codec."""
    marks = [name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    encoding = encoding or (marks[0] if marks else "utf-8")
    codec = codecs.lookup(encoding).name
    if codec in ("utf-16", "utf-32") and codec not in marks:  # an incremental decoder requires a mark
        codec += "-le" if sys.byteorder == "little" else "-be"
    return encoding, codec


def _wrong_encoding(encoding: str | None, row: int, *, zero: bool) -> Unfit:
    what, want = ("holds a zero byte", "utf-16-le") if zero else (f"is not {encoding}", "cp1252")
    return Unfit(f"whose row {row} {what}; text is wanted, and its encoding, as encoding={want!r}")


def lines_of(text: str) -> Iterator[str]:
    """Yield lines with their ends. Unlike for `str.splitlines`, a form feed ends no line."""
    return (line[0] for line in _LINE.finditer(text))


def count_lines(text: str) -> int:
    """Count the ends of lines."""
    returns = text.count("\r")
    return text.count("\n") + (returns and returns - text.count("\r\n"))


def rows(text: str, delimiter: str, spaced: bool = False, before: int = 0) -> Iterator[Row]:
    """Yield the rows that are not blank, where `before` lines precede the text."""
    reader = csv.reader(lines_of(text), delimiter=delimiter, skipinitialspace=spaced, strict=True)
    while True:
        line = before + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unfit(f"whose row {line} cannot be split: {error}; is a quote in it never closed?") from None
        if len(fields) > 1 or (fields and fields[0].strip()):
            yield Row(line, fields)


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

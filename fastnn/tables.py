"""Tables of examples in text files: one example a row, its label in one column.

The rules stand here, on the standard library's csv module. pyarrow, where it is installed, reads large files
faster; what it stumbles over is read again by the rules, which name the row. (5,000 rows of 400 numbers, AMD Zen 4, 2
cores: 1.5 to 2.2 s by the rules, 0.3 with pyarrow. pandas took 1.2, and does not notice a row that is too long.)

Rows are numbered as lines of the file are, from 1, the header's line counted.
"""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .containers import few
from .validation import Array

# What a file is split at when nobody says: the first of these that makes most of it numbers.
DELIMITERS = (",", ";", "\t", "|")

# How a missing value is written: what pandas takes for one (`read_csv`), and the question mark of UCI's data sets.
MISSING = {
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null"),
    *("None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
}

# From how many characters on pyarrow is asked: below, importing it takes longer than the rules do.
PYARROW_PAYS = 5_000_000

# From how many rows the delimiter is found; how many become numbers together (their fields take 60 bytes each).
_HEAD, _BLOCK = 50, 4096

_BYTE_ORDER_MARKS = {  # the first two bytes of UTF-32's are UTF-16's
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


class Options(NamedTuple):
    """What a user says of a table; None: found in the file."""

    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    label: str | int | None = None


class Table(NamedTuple):
    """What a table holds.

    Attributes
    ----------
    X : float64 array (m, n)
    y : array (m,) or None
        int64, float64 or text, float64 where numbers are wanted; None if the table has inputs only.
    names : tuple of str, or None
        Of the n inputs, if there is a header.
    layout : str
        How it was read, in a few words.
    notes : list of str
        What to know before trusting it: columns that say nothing, doubts about the header.
    """

    X: Array
    y: Array | None
    names: tuple[str, ...] | None
    layout: str
    notes: list[str]


class _Row(NamedTuple):
    line: int
    fields: list[str]


class _Layout(NamedTuple):
    """How the file is to be read."""

    delimiter: str
    spaced: bool  # "5.1, 3.5, a": every delimiter is followed by a space, which belongs to it
    first: _Row
    inputs: list[int]  # columns
    label: int | None  # column
    numbers: bool  # labels are: they are read as one more input
    header: bool = False

    def __str__(self) -> str:
        what = "numbers" if self.numbers else "labels"
        label = f"no {what}" if self.label is None else f"{what} from {self.column(self.label)}"
        return f"header {'yes' if self.header else 'no'}, split at {self.delimiter!r}, {label}"

    def all_inputs(self) -> "_Layout":
        """The same, where labels are numbers, of a table without labels."""
        return self._replace(inputs=list(range(len(self.first.fields))), label=None) if self.numbers else self

    def column(self, j: int) -> str:
        """A column as a person counts, and its name."""
        return f"column {j + 1} ({self.first.fields[j].strip()!r})" if self.header else f"column {j + 1}"


class _Unfit(Exception):
    """The end of a sentence that begins with the file's name; and the row that it is about, if it is about numbers."""

    def __init__(self, sentence: str, line: int = 0):
        super().__init__(sentence)
        self.line = line


def checked(header: Any, delimiter: Any, encoding: Any, label: Any) -> Options:
    """The options of a user."""
    if header is not None and not isinstance(header, bool):
        raise TypeError(f"header is {header!r}; True, False or None is wanted")
    for name, value in (("delimiter", delimiter), ("encoding", encoding)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is {value!r}; a string is wanted")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"delimiter is {delimiter!r}; one character is wanted, not a quote or the end of a line")
    if encoding is not None:
        try:
            "a".encode(encoding)
        except LookupError:
            raise ValueError(f"encoding is {encoding!r}; one that Python knows is wanted, as 'cp1252'") from None
    if label is not None and (isinstance(label, bool) or not isinstance(label, (str, int))):
        raise TypeError(f"label is {label!r}; the name or the position of a column is wanted")
    if isinstance(label, str) and header is False:
        raise ValueError(f"label is {label!r}; the position of a column is wanted where header is False")
    return Options(header, delimiter, encoding, label)


def read(path: Path, options: Options, n: int | None = None, *, numbers: bool = False) -> Table:
    """The table in a file. For n inputs, a table of n columns has no labels, unless the options say which they are.

    Where `numbers` are wanted labels are read as inputs are, however they are written.
    """
    try:
        text = _text(path, options.encoding)
        layout = _layout(text, path, options, n, numbers)
        X, fields = _read_fast(text, layout.all_inputs()) or _read(text, layout.all_inputs())
    except _Unfit as error:
        raise ValueError(f"path is {str(path)!r}, {error}") from None
    y = _labels(fields, _marks(layout.delimiter)) if fields else None
    if numbers and layout.label is not None:
        X, y = X[:, layout.inputs], X[:, layout.label]
    names = tuple(layout.first.fields[j].strip() for j in layout.inputs) if layout.header else None
    doubts = [] if options.delimiter else _other_delimiters(text, layout)
    doubts += _doubts(layout, fields) if options.header is None else []
    return Table(X, y, names, str(layout), [*doubts, *_alike(fields), *_idle_columns(X, layout)])


def _text(path: Path, encoding: str | None) -> str:
    with open(path, "rb") as file:
        content = file.read()
    if path.name.lower().endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise _Unfit(f"which cannot be unpacked: {error}") from None
    marks = (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    encoding = encoding or next(marks, "utf-8")
    what, want = f"is not {encoding}", "cp1252"
    try:
        text = content.decode(encoding)
        wrong = text.find("\0")
    except UnicodeError as error:
        text, wrong = "", getattr(error, "start", 0)
    if wrong < 0:
        return text.removeprefix("\ufeff")
    if b"\0" in content[: wrong + 1]:
        what, want = "holds a zero byte", "utf-16-le"
    line = content[:wrong].count(b"\n") + 1
    raise _Unfit(f"whose row {line} {what}; text is wanted, and its encoding, as encoding={want!r}")


def _lines(text: str) -> Iterator[str]:
    """With their ends; a form feed, say, ends no line here, as it does for `str.splitlines`."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def _rows(text: str, delimiter: str, spaced: bool = False) -> Iterator[_Row]:
    """The rows that are not blank."""
    reader = csv.reader(_lines(text), delimiter=delimiter, skipinitialspace=spaced, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Unfit(f"whose row {line} cannot be split: {error}; is a quote in it never closed?") from None
        if len(fields) > 1 or (fields and fields[0].strip()):
            yield _Row(line, fields)


def _layout(text: str, path: Path, options: Options, n: int | None, numbers: bool) -> _Layout:
    tab = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else None
    delimiter = options.delimiter or tab or max(DELIMITERS, key=lambda one: _sense(text, one, options.label))
    spaced = all(field.startswith(" ") for row in _head(text, delimiter) for field in row.fields[1:])
    first = next(_rows(text, delimiter, spaced), _Row(1, []))
    label = _label_column(first, options.label, n)
    inputs = [j for j in range(len(first.fields)) if j != label]
    if not inputs:
        got = f"whose row {first.line} holds no {delimiter!r}" if first.fields else "which holds no rows"
        raise _Unfit(f"{got}; numbers with a label behind them are wanted, or another delimiter")
    layout = _Layout(delimiter, spaced, first, inputs, label, numbers)
    if options.header is not None or isinstance(options.label, str):
        return layout._replace(header=options.header is not False)
    return layout._replace(header=_looks_like_header(text, layout.all_inputs()))


def _sense(text: str, delimiter: str, label: str | int | None) -> tuple[int, int, int]:
    """What splitting the head there makes of it: inputs that are numbers, their characters, columns."""
    head = _head(text, delimiter)
    width = min((len(row.fields) for row in head), default=1)
    if width == 1:
        return 0, 0, 1
    try:
        column = _label_column(head[0], label, None)
    except _Unfit:
        return 0, 0, 1
    fields = [field.strip() for row in head for j, field in enumerate(row.fields) if j != column]
    numbers = [field for field in fields if _number(field, _marks(delimiter)) is not None]
    return len(numbers), sum(map(len, numbers)), width


def _head(text: str, delimiter: str) -> list[_Row]:
    """The first rows, up to one that cannot be split."""
    rows = []
    with suppress(_Unfit):
        for row in islice(_rows(text, delimiter), _HEAD):
            rows.append(row)  # one by one, so that those before it are kept
    return rows


def _label_column(first: _Row, label: str | int | None, n: int | None) -> int | None:
    """The last one if nobody says."""
    width = len(first.fields)
    if label is None:
        return None if width == n else width - 1
    if isinstance(label, int):
        if not -width <= label < width:
            raise _Unfit(f"which has {width} columns; label is {label}, a position in -{width}..{width - 1} is wanted")
        return label % width
    names = [field.strip() for field in first.fields]
    if names.count(label) != 1:
        got = "no column" if label not in names else "more than one column"
        raise _Unfit(f"whose row {first.line} has {got} {label!r}; label is wanted as one of {few(names)}")
    return names.index(label)


def _looks_like_header(text: str, layout: _Layout) -> bool:
    """Whether the first row has text among its inputs, or is numbers and behind them a label that no example has.

    Such numbers are 0, 1, 2, ... (a frame's that had no names), or those of any columns above labels that are numbers.
    """
    fields = [field.strip() for field in layout.first.fields]
    inputs = [fields[j] for j in layout.inputs]
    if any(_is_text(field, layout.delimiter) for field in inputs):
        return True
    named = [field for field in inputs if field]
    counts = len(named) > 1 and _counts(named)
    if len(named) < len(inputs):  # the column of an index has no name
        return counts
    if layout.label is None or not _is_text(fields[layout.label], layout.delimiter):
        return False
    rows = (row.fields for row in islice(_rows(text, layout.delimiter, layout.spaced), 1, None))
    others = {row[layout.label] for row in rows if len(row) == len(fields)}
    if fields[layout.label] in map(str.strip, others):
        return False
    return bool(others) and (counts or _labels(sorted(others), _marks(layout.delimiter)).dtype.kind != "U")


def _read(text: str, layout: _Layout) -> tuple[Array, list[str]]:
    """Numbers and labels as they stand in the file; with decimal commas if decimal points do not do."""
    point, *comma = _marks(layout.delimiter)
    try:
        return _read_rows(text, layout, point)
    except _Unfit as fault:
        if not comma:
            raise
        try:
            return _read_rows(text, layout, *comma)
        except _Unfit as other:
            raise max(fault, other, key=lambda one: one.line) from None


def _read_rows(text: str, layout: _Layout, mark: str) -> tuple[Array, list[str]]:
    rows = islice(_rows(text, layout.delimiter, layout.spaced), 1 if layout.header else 0, None)
    numbers, labels = [], []
    while block := list(islice(rows, _BLOCK)):
        for row in block:
            _check_row(row, layout)
        numbers.append(_numbers(block, layout, mark))
        if layout.label is not None:
            labels += [row.fields[layout.label] for row in block]
    if not numbers:
        raise _Unfit("which holds no rows of numbers under its header")
    return np.concatenate(numbers), labels


def _check_row(row: _Row, layout: _Layout) -> None:
    got, want = len(row.fields), len(layout.first.fields)
    if got != want:
        raise _Unfit(f"whose row {row.line} has {got} fields; {want} are wanted, as in row {layout.first.line}")
    if any("\n" in field or "\r" in field for field in row.fields):
        raise _Unfit(f"whose row {row.line} goes on over several lines; is a quote in it never closed?")
    if layout.label is not None and row.fields[layout.label].strip() in MISSING:
        raise _Unfit(
            f"whose row {row.line} has the label {row.fields[layout.label]!r}; a label for every row is wanted"
        )


def _numbers(block: list[_Row], layout: _Layout, mark: str) -> Array:
    """The inputs of some rows."""
    fields = [[row.fields[j] for j in layout.inputs] for row in block]
    if mark == ",":
        fields = [[field.translate(_SWAPPED) for field in row] for row in fields]
    with suppress(ValueError):
        X = np.array(fields, dtype=np.float64)
        if np.isfinite(X).all() and not any("_" in field for row in fields for field in row):
            return X
    values = ((row, j, _number(row.fields[j], mark)) for row in block for j in layout.inputs)
    row, j, _ = next(found for found in values if found[2] is None or not math.isfinite(found[2]))
    got, want = row.fields[j].strip(), "a finite number" + " with a decimal comma" * (mark == ",")
    raise _Unfit(f"whose row {row.line} has {got!r} in {layout.column(j)}; {want} is wanted", row.line)


def _read_fast(text: str, layout: _Layout) -> tuple[Array, list[str]] | None:
    """The same by pyarrow, or None where it is not installed, is not worth it or finds anything unusual."""
    if len(text) < PYARROW_PAYS or not (layout.delimiter.isascii() and find_spec("pyarrow")):
        return None
    # It forgives a quote in the middle of a field, and with that one that is never closed.
    edge = re.escape(layout.delimiter) + '\n\r"'
    if '"' in text and re.search(f'[^{edge}]"[^{edge}]', text):
        return None
    import pyarrow
    from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

    before = sum(map(len, islice(_lines(text), layout.first.line - (not layout.header))))
    content = pyarrow.BufferReader(text[before:].encode())
    names = [str(j) for j in range(len(layout.first.fields))]
    types = {name: pyarrow.string() if j == layout.label else pyarrow.float64() for j, name in enumerate(names)}
    for mark in _marks(layout.delimiter):
        content.seek(0)
        with suppress(pyarrow.ArrowInvalid):
            table = read_csv(
                content,
                ReadOptions(column_names=names),
                ParseOptions(delimiter=layout.delimiter),
                ConvertOptions(column_types=types, null_values=[], decimal_point=mark),
            )
            X = np.column_stack([table.column(j).to_numpy() for j in layout.inputs])
            labels = [] if layout.label is None else table.column(layout.label).to_pylist()
            if layout.spaced:
                labels = [label.lstrip(" ") for label in labels]
            broken = any(label.strip() in MISSING or "\n" in label or "\r" in label for label in set(labels))
            if len(X) and np.isfinite(X).all() and not broken:
                return X, labels
    return None


def _labels(fields: list[str], marks: Sequence[str]) -> Array:
    """Numbers if every one is written as Python writes that number, so that nothing is lost; else text as it stands.

    But for the decimal mark, which may be the table's.
    """
    for kind, dtype, mark in [(int, np.int64, "."), *((float, np.float64, mark) for mark in marks)]:
        words = {field: field.translate(_SWAPPED) if mark == "," else field for field in set(fields)}
        with suppress(ValueError, OverflowError):
            numbers = {field: kind(word) for field, word in words.items()}
            if {str(number) for number in set(numbers.values())} == set(words.values()) and all(
                map(math.isfinite, numbers.values())
            ):
                return np.array([numbers[field] for field in fields], dtype=dtype)
    return np.array(fields)


def _other_delimiters(text: str, layout: _Layout) -> list[str]:
    """About what splits the rows as evenly; but commas are in every row where they are decimal marks."""
    evenly = []
    for delimiter in DELIMITERS[1:]:
        widths = {len(row.fields) for row in _head(text, delimiter)}
        if delimiter != layout.delimiter and len(widths) == 1 and widths != {1}:
            evenly.append(repr(delimiter))
    return [f"split at {layout.delimiter!r}; every row can be split at {' and '.join(evenly)} too"] if evenly else []


def _doubts(layout: _Layout, labels: list[str]) -> list[str]:
    """About a first row that may be what it was not taken for, a header or an example."""
    line, fields = layout.first.line, [field.strip() for field in layout.first.fields]
    if layout.header:
        named = [fields[j] for j in layout.inputs if fields[j]]
        if not (all(_is_text(field, layout.delimiter) for field in named) or _counts(named)):
            return [f"row {line} has numbers among its inputs, {few(named)}; it is taken for a header"]
    elif len(fields) > 2 and _counts(fields):
        return [
            f"row {line} counts, {few(fields)}, like the header of columns without names; it is taken for an example"
        ]
    elif (
        labels
        and _is_text(labels[0], layout.delimiter)
        and labels.count(labels[0]) == 1
        and len(set(labels)) < len(labels)
    ):
        return [f"row {line} has a label that no other row has, {labels[0]!r}; it is taken for an example"]
    return []


def _alike(labels: list[str]) -> list[str]:
    """About labels that differ by spaces alone."""
    seen: dict[str, str] = {}
    for label in sorted(set(labels)):
        if seen.setdefault(label.strip(), label) != label:
            return [f"labels {seen[label.strip()]!r} and {label!r} differ by spaces alone; they are two classes"]
    return []


def _idle_columns(X: Array, layout: _Layout) -> list[str]:
    """About columns that cannot tell examples apart, or only by their place in the file."""
    m, n = X.shape
    if m < 3:
        return []
    with np.errstate(over="ignore"):
        places = [j for j in range(n) if X[-1, j] - X[0, j] == m - 1 and (np.diff(X[:, j]) == 1.0).all()]
    unnamed = [j for j in range(n) if layout.header and not layout.first.fields[layout.inputs[j]].strip()]
    constant = [j for j in range(n) if X[:, j].min() == X[:, j].max()]
    notes = {
        "that count the rows, as an index does": places,
        "without a name": [j for j in unnamed if j not in places],
        "with one value in every row": constant,
    }
    return [
        f"inputs {what}: {few([layout.column(layout.inputs[j]) for j in which])}"
        for what, which in notes.items()
        if len(which)
    ]


def _number(field: str, marks: Sequence[str]) -> float | None:
    """What a field says with one of the decimal marks, if it is a number."""
    for mark in marks:
        with suppress(ValueError):
            if "_" not in field:  # Python's 1_000
                return float(field.translate(_SWAPPED) if mark == "," else field)
    return None


def _marks(delimiter: str) -> tuple[str, ...]:
    """What may stand before the decimals."""
    return (".",) if delimiter == "," else (".", ",")


def _is_text(field: str, delimiter: str) -> bool:
    return field not in MISSING and _number(field, _marks(delimiter)) is None


def _counts(fields: list[str]) -> bool:
    return fields == [str(i) for i in range(len(fields))]


_SWAPPED = str.maketrans(".,", ",.")
_LINE_END = re.compile("\r\n?|\n")

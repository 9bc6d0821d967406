"""Tables of examples in text files: one example a row, its label in one column.

The rules stand here, on the standard library's csv module. pyarrow, where it is installed, reads large files
faster; what it stumbles over is read again by the rules, which name the row. (5,000 rows of 400 numbers, AMD Zen 4, 2
cores: 1.5 to 2.2 s by the rules, 0.3 with pyarrow. pandas took 1.2, and does not notice a row that is too long.)

Rows are numbered as lines of the file are, from 1, the header's line counted.
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
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..inputs.containers import described, few
from ..inputs.validation import Array

# What a file is split at when nobody says: the first of these that makes most of it numbers.
DELIMITERS = (",", ";", "\t", "|")

# How a missing value is written: what pandas takes for one (`read_csv`), and the question mark of UCI's data sets.
MISSING = {
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null"),
    *("None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
}

# From how many characters on pyarrow is asked: below, importing it takes longer than the rules do.
PYARROW_PAYS = 5_000_000

# Up to how many columns it is asked: of 200 rows with 10,000 it takes 2.4 s and 250 MB, the rules 2.5 s and 215 MB; of
# 10 rows with 100,000 13.1 s and 983 MB, the rules 3.6 s and 141 MB.
_WIDE = 10_000

# From how many rows the delimiter is found; how many become numbers together (their fields take 60 bytes each).
_HEAD, _BLOCK = 50, 4096

# How many bytes of a file become text together.
PIECE = 1 << 22

# So many characters a line may have: a million numbers. What has no ends of lines is no table, but what its fields
# take would be up to 70 times as much.
_LONGEST = 1 << 23

# How many times its size a packed table may be, and what any may be: packed tables are 3 to 50 times as long, and
# what is read may take 70 times its text.
_UNPACKED, _LITTLE = 100, 1 << 23

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
    names: Sequence[str] | None = None  # input names of a model; a first row equal to them is a header
    has_index: bool | None = None  # None: detect an unnamed row index; False: keep the first column


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


class Row(NamedTuple):
    line: int
    fields: list[str]


class Layout(NamedTuple):
    """How the file is to be read."""

    delimiter: str
    spaced: bool  # "5.1, 3.5, a": every delimiter is followed by a space, which belongs to it
    first: Row
    inputs: list[int]  # columns
    label: int | None  # column
    numbers: bool  # labels are: they are read as one more input
    marks: tuple[str, ...]  # that numbers may have before their decimals
    header: bool = False
    has_index: bool = False  # column 0 is an unnamed row index: parsed, checked, dropped

    def __str__(self) -> str:
        what = "numbers" if self.numbers else "labels"
        label = f"no {what}" if self.label is None else f"{what} from {self.column(self.label)}"
        return f"header {'yes' if self.header else 'no'}, split at {self.delimiter!r}, {label}"

    def has_names(self, names: Sequence[str] | None) -> bool:
        """Return whether the first row holds these names of the inputs."""
        return names is not None and self.names() == [*names]

    def all_inputs(self) -> "Layout":
        """The same, where labels are numbers, of a table without labels."""
        inputs = [*range(self.has_index, len(self.first.fields))]
        return self._replace(inputs=inputs, label=None) if self.numbers else self

    def all_numbers(self) -> "Layout":
        """Return the layout whose inputs are all columns that are read as numbers: index and numeric labels too."""
        layout = self.all_inputs()
        return layout._replace(inputs=[0, *layout.inputs]) if self.has_index else layout

    def names(self) -> list[str]:
        """Fields of the inputs in the first row, which are their names if it is a header."""
        return [self.first.fields[j].strip() for j in self.inputs]

    def column(self, j: int) -> str:
        """A column as a person counts, and its name."""
        return f"column {j + 1} ({self.first.fields[j].strip()!r})" if self.header else f"column {j + 1}"


class Unfit(Exception):
    """The end of a sentence that begins with the file's name; and the row that it is about, if it is about numbers."""

    def __init__(self, sentence: str, line: int = 0):
        super().__init__(sentence)
        self.line = line


def checked(header: Any, delimiter: Any, encoding: Any, label: Any) -> Options:
    """The options of a user."""
    if header is not None and not isinstance(header, bool):
        raise TypeError(f"header is {described(header)}; True, False or None is wanted")
    for name, value in (("delimiter", delimiter), ("encoding", encoding)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is {described(value)}; a string is wanted")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"delimiter is {delimiter!r}; one character is wanted, not a quote or the end of a line")
    if encoding is not None:
        try:
            "a".encode(encoding)
        except (LookupError, ValueError):  # the second of a name with a NUL, or of one that encodes nothing
            raise ValueError(f"encoding is {encoding!r}; one that Python knows is wanted, as 'cp1252'") from None
    if label is not None and (isinstance(label, bool) or not isinstance(label, (str, int))):
        raise TypeError(f"label is {described(label)}; the name or the position of a column is wanted")
    if isinstance(label, str) and header is False:
        raise ValueError(f"label is {label!r}; the position of a column is wanted where header is False")
    return Options(header, delimiter, encoding, label)


def read(path: Path, options: Options, n: int | None = None, *, numbers: bool = False) -> Table:
    """The table in a file. For n inputs, a table of n columns has no labels, unless the options say which they are.

    Where `numbers` are wanted labels are read as inputs are, however they are written.
    """
    try:
        text = text_of(path, options.encoding)
        layout = find_layout(text, path, options, n, numbers)
        examples, before = body(text, layout)
        fast = len(examples) >= PYARROW_PAYS and find_spec("pyarrow") is not None
        X, fields = read_block(examples, layout.all_numbers(), before, fast=fast)
        if not len(X):
            raise Unfit(NO_ROWS)
    except Unfit as error:
        raise ValueError(f"path is {str(path)!r}, {error}") from None
    if layout.has_index and not counts_rows(X[:, 0]):
        return read(path, options._replace(has_index=False), n, numbers=numbers)
    y = typed(fields, number_kinds(layout.delimiter)) if fields else None
    if numbers and layout.label is not None:
        X, y = X[:, layout.inputs], X[:, layout.label]
    elif layout.has_index:
        X = X[:, 1:]
    names = tuple(layout.names()) if layout.header else None
    notes = layout_notes(text, layout, options, fields)
    return Table(X, y, names, str(layout), [*notes, *_alike(fields), *_idle_columns(X, layout)])


def text_of(path: Path, encoding: str | None) -> str:
    """The text of a file, unpacked and decoded."""
    with open(path, "rb") as file:
        return "".join(pieces(file, path, encoding))


def pieces(file: IO[bytes], path: Path, encoding: str | None) -> Iterator[str]:
    """The text of an open file, unpacked and decoded, some megabytes at a time."""
    decoder, lines, first, line = None, 0, True, 0
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
        line = len(text) - end + (0 if end else line)
        if line > _LONGEST:
            raise Unfit(f"whose row {lines + text.count(chr(10)) + 1} goes on for more than {_LONGEST:,} characters")
        lines += text.count("\n")
        if text:
            yield text.removeprefix("\ufeff") if first else text
            first = False


def _unpacked(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """What a file holds, in pieces; the last one is empty."""
    packed = path.name.lower().endswith(".gz")
    stream: Any = gzip.GzipFile(fileobj=file) if packed else file
    most = max(_LITTLE, _UNPACKED * os.fstat(file.fileno()).st_size)
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
    """What a file that begins so is decoded from: in words for people, and for Python."""
    marks = [name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    encoding = encoding or (marks[0] if marks else "utf-8")
    codec = codecs.lookup(encoding).name
    if codec in ("utf-16", "utf-32") and codec not in marks:  # of pieces Python wants a mark; of a whole it takes this
        codec += "-le" if sys.byteorder == "little" else "-be"
    return encoding, codec


def _wrong_encoding(encoding: str | None, row: int, *, zero: bool) -> Unfit:
    what, want = ("holds a zero byte", "utf-16-le") if zero else (f"is not {encoding}", "cp1252")
    return Unfit(f"whose row {row} {what}; text is wanted, and its encoding, as encoding={want!r}")


def _lines(text: str) -> Iterator[str]:
    """With their ends; a form feed, say, ends no line here, as it does for `str.splitlines`."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def count_lines(text: str) -> int:
    """Ends of lines in it."""
    returns = text.count("\r")
    return text.count("\n") + (returns and returns - text.count("\r\n"))


def rows(text: str, delimiter: str, spaced: bool = False, before: int = 0) -> Iterator[Row]:
    """The rows that are not blank; before them are so many lines."""
    reader = csv.reader(_lines(text), delimiter=delimiter, skipinitialspace=spaced, strict=True)
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


def find_layout(
    text: str, path: Path, options: Options, n: int | None = None, numbers: bool = False, labelled: bool = True
) -> Layout:
    """Find how to read a table that begins with this text; without `labelled` all its columns are inputs."""
    tab = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else None
    delimiter = options.delimiter or tab or max(DELIMITERS, key=lambda one: _sense(text, one, options.label))
    spaced = all(field.startswith(" ") for row in _head(text, delimiter) for field in row.fields[1:])
    first = next(rows(text, delimiter, spaced), Row(1, []))

    def columns(index: bool) -> Layout:
        label = _label_column(first, options.label, None if n is None else n + index) if labelled else None
        inputs = [j for j in range(index, len(first.fields)) if j != label]
        return Layout(delimiter, spaced, first, inputs, label, numbers, marks(delimiter), has_index=index)

    layout = columns(True)
    if not _has_index(text, layout, options):
        layout = columns(False)
    if not layout.inputs:
        got = f"whose row {first.line} holds no {delimiter!r}" if first.fields else "which holds no rows"
        raise Unfit(f"{got}; numbers with a label behind them are wanted, or another delimiter")
    if options.header is not None or isinstance(options.label, str):
        return layout._replace(header=options.header is not False)
    return layout._replace(header=layout.has_names(options.names) or _looks_like_header(text, layout.all_inputs()))


def _has_index(text: str, layout: Layout, options: Options) -> bool:
    """Return whether column 0 is an unnamed row index in the first rows; `read` checks the others."""
    fields = [field.strip() for field in layout.first.fields]
    if options.has_index is False or options.header is False or layout.label == 0 or not layout.inputs:
        return False
    if not _NO_NAME.fullmatch(fields[0]):
        return False
    if options.header is None and not isinstance(options.label, str):  # an example may lack its first number
        texts = any(is_text(name, layout.delimiter) for name in layout.names())
        if not texts and not _counts_columns(layout) and not _counts(fields[1:]):
            return False
    return _is_index(_head(text, layout.delimiter)[1:], layout.marks)


def _is_index(rows: list[Row], marks: Sequence[str]) -> bool:
    """Return whether the first fields of these rows rise by 1 from row to row."""
    places = [number(row.fields[0], marks) for row in rows]
    return None not in places and counts_rows(np.array(places, dtype=np.float64))


def counts_rows(column: Array, before: float | None = None) -> bool:
    """Return whether each number is one more than the number in the row above, `before` for the first."""
    column = column if before is None else np.concatenate([[before], column])
    with np.errstate(over="ignore"):
        whole = not len(column) or (column[0] >= 0.0 and column[0] == np.floor(column[0]))
        return bool(whole and (np.diff(column) == 1.0).all())


def _sense(text: str, delimiter: str, label: str | int | None) -> tuple[int, int, int]:
    """What splitting the head there makes of it: inputs that are numbers, their characters, columns."""
    head = _head(text, delimiter)
    width = min((len(row.fields) for row in head), default=1)
    if width == 1:
        return 0, 0, 1
    try:
        column = _label_column(head[0], label, None)
    except Unfit:
        return 0, 0, 1
    fields = [field.strip() for row in head for j, field in enumerate(row.fields) if j != column]
    numbers = [field for field in fields if number(field, marks(delimiter)) is not None]
    return len(numbers), sum(map(len, numbers)), width


def _head(text: str, delimiter: str) -> list[Row]:
    """The first rows, up to one that cannot be split."""
    head = []
    with suppress(Unfit):
        for row in islice(rows(text, delimiter), _HEAD):
            head.append(row)  # one by one, so that those before it are kept
    return head


def _label_column(first: Row, label: str | int | None, n: int | None) -> int | None:
    """The last one if nobody says."""
    width = len(first.fields)
    if label is None:
        return None if width == n else width - 1
    if isinstance(label, int):
        if not -width <= label < width:
            raise Unfit(f"which has {width} columns; label is {label}, a position in -{width}..{width - 1} is wanted")
        return label % width
    names = [field.strip() for field in first.fields]
    if names.count(label) != 1:
        got = "no column" if label not in names else "more than one column"
        raise Unfit(f"whose row {first.line} has {got} {label!r}; label is wanted as one of {few(names)}")
    return names.index(label)


def _looks_like_header(text: str, layout: Layout) -> bool:
    """Return whether the first row counts, has text among its inputs, or has numbers and a label like no other row.

    Such numbers are 0, 1, 2, ... (a frame's that had no names), or those of any columns above labels that are numbers.
    """
    told = _header_by_inputs(layout)
    if told is not None or layout.label is None:
        return bool(told)
    others = (row.fields for row in islice(rows(text, layout.delimiter, layout.spaced), 1, None))
    labels = {fields[layout.label] for fields in others if len(fields) == len(layout.first.fields)}
    return bool(labels) and not denies_header(layout, labels, fitting_kinds(labels, number_kinds(layout.delimiter)))


def _header_by_inputs(layout: Layout) -> bool | None:
    """What the first row says alone; None if its label is to be compared with others."""
    fields, inputs = [field.strip() for field in layout.first.fields], layout.names()
    if layout.has_index or _is_numbered(fields):
        return True
    if any(is_text(field, layout.delimiter) for field in inputs):
        return True
    if not all(inputs):  # the column of an index has no name
        return _counts_columns(layout)
    return None if layout.label is not None and is_text(fields[layout.label], layout.delimiter) else False


def _counts_columns(layout: Layout) -> bool:
    named = [name for name in layout.names() if name]
    return len(named) > 1 and _counts(named)


def _is_numbered(fields: list[str]) -> bool:
    """Return whether a first row is 0, 1, 2, ...: what pandas writes above columns without names.

    Two fields may as well be an example, 0 with the label 1.
    """
    return len(fields) > 2 and _counts(fields)


def denies_header(layout: Layout, labels: Collection[str], kinds: "list[Kind]") -> bool:
    """Whether labels further down, numbers of these kinds if any, show that a row of numbers is no header after all.

    It is an example if one of them is its label too, or if neither its numbers count nor the labels are numbers.
    """
    if layout.label is None or _header_by_inputs(layout) is not None:
        return False
    label = layout.first.fields[layout.label].strip()
    return label in map(str.strip, labels) or not (kinds or _counts_columns(layout))


def is_indexed_column(rows: list[Row], marks: Sequence[str]) -> bool:
    """Return whether the table is one named column behind an unnamed row index."""
    if len(rows) < 2 or {len(row.fields) for row in rows} != {2} or not _NO_NAME.fullmatch(rows[0].fields[0].strip()):
        return False
    return _is_index(rows[1:], marks)


def body(text: str, layout: Layout) -> tuple[str, int]:
    """What is behind the header, and how many lines are before that."""
    behind = islice(rows(text, layout.delimiter, layout.spaced), int(layout.header), None)
    first = next(behind, None)
    if first is None:
        return "", count_lines(text)
    before = first.line - 1
    return text[sum(map(len, islice(_lines(text), before))) :], before


def read_block(text: str, layout: Layout, before: int, *, fast: bool) -> tuple[Array, list[str]]:
    """Inputs (m, n) as numbers, and labels as they stand there; before them are so many lines.

    With decimal commas if decimal points do not do. Those of a table that the rules refuse raise Unfit.
    """
    return (_read_fast(text, layout) if fast else None) or _read(text, layout, before)


def _read(text: str, layout: Layout, before: int) -> tuple[Array, list[str]]:
    """By the rules; of two faults with two decimal marks the one further down is told."""
    faults = []
    for mark in layout.marks:
        try:
            return _read_rows(text, layout, mark, before)
        except Unfit as fault:
            faults.append(fault)
    raise max(faults, key=lambda one: one.line) from None


def _read_rows(text: str, layout: Layout, mark: str, before: int) -> tuple[Array, list[str]]:
    examples = rows(text, layout.delimiter, layout.spaced, before)
    numbers, labels = [np.empty((0, len(layout.inputs)))], []
    while block := list(islice(examples, _BLOCK)):
        for row in block:
            _check_row(row, layout)
        numbers.append(_numbers(block, layout, mark))
        if layout.label is not None:
            labels += [row.fields[layout.label] for row in block]
    return np.concatenate(numbers), labels


def _check_row(row: Row, layout: Layout) -> None:
    got, want = len(row.fields), len(layout.first.fields)
    if got != want:
        raise Unfit(f"whose row {row.line} has {got} fields; {want} are wanted, as in row {layout.first.line}")
    if any("\n" in field or "\r" in field for field in row.fields):
        raise Unfit(f"whose row {row.line} goes on over several lines; is a quote in it never closed?")
    if layout.label is not None and row.fields[layout.label].strip() in MISSING:
        raise Unfit(f"whose row {row.line} has the label {row.fields[layout.label]!r}; a label for every row is wanted")


def _numbers(block: list[Row], layout: Layout, mark: str) -> Array:
    """The inputs of some rows."""
    fields = [[row.fields[j] for j in layout.inputs] for row in block]
    if mark == ",":
        fields = [[field.translate(_SWAPPED) for field in row] for row in fields]
    with suppress(ValueError):
        X = np.array(fields, dtype=np.float64)
        if np.isfinite(X).all() and not any("_" in field for row in fields for field in row):
            return X
    values = ((row, j, number(row.fields[j], mark)) for row in block for j in layout.inputs)
    row, j, _ = next(found for found in values if found[2] is None or not math.isfinite(found[2]))
    got, want = row.fields[j].strip(), "a finite number" + " with a decimal comma" * (mark == ",")
    raise Unfit(f"whose row {row.line} has {got!r} in {layout.column(j)}; {want} is wanted", row.line)


def _read_fast(text: str, layout: Layout) -> tuple[Array, list[str]] | None:
    """The same by pyarrow, or None where it finds anything unusual."""
    if not layout.delimiter.isascii() or len(layout.first.fields) > _WIDE:
        return None
    # It forgives a quote in the middle of a field, and with that one that is never closed.
    edge = re.escape(layout.delimiter) + '\n\r"'
    if '"' in text and re.search(f'[^{edge}]"[^{edge}]', text):
        return None
    import pyarrow
    from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

    content = pyarrow.BufferReader(text.encode())
    names = [str(j) for j in range(len(layout.first.fields))]
    types = {name: pyarrow.string() if j == layout.label else pyarrow.float64() for j, name in enumerate(names)}
    for mark in layout.marks:
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


class Kind(NamedTuple):
    """A kind of numbers that labels may be, as Python writes them but for the decimal mark."""

    of: Callable[[str], Any]
    dtype: type
    mark: str


def number_kinds(delimiter: str) -> list[Kind]:
    """Those of a table; the first that fits all labels is theirs."""
    return [Kind(int, np.int64, "."), *(Kind(float, np.float64, mark) for mark in marks(delimiter))]


def fitting_kinds(fields: Collection[str], kinds: list[Kind]) -> list[Kind]:
    """Of these kinds those that every label fits. What two sets fit fits both together, but for 0.0 beside -0.0."""
    return [kind for kind in kinds if as_numbers(fields, kind) is not None]


def as_numbers(fields: Collection[str], kind: Kind) -> Array | None:
    """The numbers if every one is written as Python writes that number, so that nothing is lost."""
    words = {field: field.translate(_SWAPPED) if kind.mark == "," else field for field in set(fields)}
    with suppress(ValueError, OverflowError):
        numbers = {field: kind.of(word) for field, word in words.items()}
        if {str(number) for number in set(numbers.values())} == set(words.values()) and all(
            map(math.isfinite, numbers.values())
        ):
            return np.array([numbers[field] for field in fields], dtype=kind.dtype)
    return None


def typed(fields: list[str], kinds: list[Kind]) -> Array:
    """Numbers of the first of these kinds that fits; else text as it stands."""
    for kind in kinds:
        numbers = as_numbers(fields, kind)
        if numbers is not None:
            return numbers
    return np.array(fields)


def other_delimiters(text: str, layout: Layout) -> list[str]:
    """About what splits the rows as evenly; but commas are in every row where they are decimal marks."""
    evenly = []
    for delimiter in DELIMITERS[1:]:
        widths = {len(row.fields) for row in _head(text, delimiter)}
        if delimiter != layout.delimiter and len(widths) == 1 and widths != {1}:
            evenly.append(repr(delimiter))
    return [f"split at {layout.delimiter!r}; every row can be split at {' and '.join(evenly)} too"] if evenly else []


def layout_notes(text: str, layout: Layout, options: Options, labels: list[str]) -> list[str]:
    """Return what to know before trusting how a table was read."""
    notes = [] if options.delimiter else other_delimiters(text, layout)
    if options.header is None and not layout.has_names(options.names) and not layout.has_index:
        notes += _header_doubts(layout, labels)
    if layout.has_index:
        notes.append(f"{layout.column(0)} is an unnamed row index; it is left out. Name the column to keep it")
    unnamed = [j for j in layout.inputs if layout.header and _NO_NAME.fullmatch(layout.first.fields[j].strip())]
    if unnamed:
        remedy = ". If that is an index, leave it out of the file" if unnamed[0] == layout.has_index else ""
        notes.append(f"inputs without a name: {few([*map(layout.column, unnamed)])}{remedy}")
    name = str(options.label)
    if isinstance(options.label, int) and layout.header and layout.label is not None:
        names = [field.strip() for field in layout.first.fields]
        if name in names and names[layout.label] != name:
            column = layout.column(layout.label)
            notes.append(f"label {name} is the position of {column}; another column is named {name!r}")
    return notes


def _header_doubts(layout: Layout, labels: list[str]) -> list[str]:
    """About a first row that may be what it was not taken for, a header or an example."""
    line, fields = layout.first.line, [field.strip() for field in layout.first.fields]
    if layout.header:
        if _is_numbered(fields):
            return [f"row {line} counts, {few(fields)}; it is taken for a header. With header=False it is an example"]
        named = [name for name in layout.names() if name]
        if not (all(is_text(field, layout.delimiter) for field in named) or _counts(named)):
            return [f"row {line} has numbers among its inputs, {few(named)}; it is taken for a header"]
    elif fields == ["0", "1"]:
        return [
            f"row {line} counts, {few(fields)}, like the header of columns without names; it is taken for an example"
        ]
    elif (
        labels
        and is_text(labels[0], layout.delimiter)
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


def _idle_columns(X: Array, layout: Layout) -> list[str]:
    """About columns that cannot tell examples apart, or only by their place in the file."""
    m, n = X.shape
    if m < 3:
        return []
    with np.errstate(over="ignore"):
        places = [j for j in range(n) if X[-1, j] - X[0, j] == m - 1 and (np.diff(X[:, j]) == 1.0).all()]
    constant = [j for j in range(n) if X[:, j].min() == X[:, j].max()]
    notes = {
        "that count the rows, as an index does": places,
        "with one value in every row": constant,
    }
    return [
        f"inputs {what}: {few([layout.column(layout.inputs[j]) for j in which])}"
        for what, which in notes.items()
        if len(which)
    ]


def number(field: str, marks: Sequence[str]) -> float | None:
    """What a field says with one of the decimal marks, if it is a number."""
    for mark in marks:
        with suppress(ValueError):
            if "_" not in field:  # Python's 1_000
                return float(field.translate(_SWAPPED) if mark == "," else field)
    return None


def marks(delimiter: str) -> tuple[str, ...]:
    """What may stand before the decimals."""
    return (".",) if delimiter == "," else (".", ",")


def is_text(field: str, delimiter: str) -> bool:
    return field not in MISSING and number(field, marks(delimiter)) is None


def _counts(fields: list[str]) -> bool:
    return fields == [str(i) for i in range(len(fields))]


# Header of an unnamed column. pandas writes "Unnamed: 0" when it rewrites a table with an index, then "Unnamed: 0.1".
_NO_NAME = re.compile(r"(Unnamed: 0(\.\d+)?)?")

NO_ROWS = "which holds no rows of numbers under its header"

_SWAPPED = str.maketrans(".,", ",.")
_LINE_END = re.compile("\r\n?|\n")

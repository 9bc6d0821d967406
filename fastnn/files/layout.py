"""Layout of a table: delimiter, header, row index, label column, decimal marks. Found from the first rows.

Notes on it are warnings: other ways to read a table, and columns or labels that look like a mistake.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..inputs.containers import Array, few
from .reader import Options
from .text import Kind, Row, Unfit, decimal_marks, fitting_kinds, is_text, number, number_kinds, rows

# Delimiters that are tried: the first that makes most of the file numbers is taken.
DELIMITERS = (",", ";", "\t", "|")

# Rows from which the delimiter is found.
_HEAD = 50

# Header of an unnamed column. pandas writes "Unnamed: 0" when it rewrites a table with an index, then "Unnamed: 0.1".
NO_NAME = re.compile(r"(Unnamed: 0(\.\d+)?)?")


class Layout(NamedTuple):
    """Rules by which a table is read."""

    delimiter: str
    spaced: bool  # "5.1, 3.5, a": a space follows every delimiter and belongs to it
    first: Row
    inputs: list[int]  # columns
    label: int | None  # column
    numbers: bool  # the label column is read as one more input
    marks: tuple[str, ...]  # decimal marks that numbers may have
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
        """Return the layout in which a label column of numbers is an input."""
        inputs = [*range(self.has_index, len(self.first.fields))]
        return self._replace(inputs=inputs, label=None) if self.numbers else self

    def all_numbers(self) -> "Layout":
        """Return the layout whose inputs are all columns that are read as numbers: index and numeric labels too."""
        layout = self.all_inputs()
        return layout._replace(inputs=[0, *layout.inputs]) if self.has_index else layout

    def names(self) -> list[str]:
        """Return the first row's fields of the inputs, which are their names if it is a header."""
        return [self.first.fields[j].strip() for j in self.inputs]

    def column(self, j: int) -> str:
        """Name a column for a message: counted from 1, with its header."""
        return f"column {j + 1} ({self.first.fields[j].strip()!r})" if self.header else f"column {j + 1}"


def find_layout(text: str, path: Path, options: Options) -> Layout:
    """Find the layout of a table that begins with this text."""
    tab = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else None
    delimiter = options.delimiter or tab or max(DELIMITERS, key=lambda one: _sense(text, one, options.label))
    spaced = all(field.startswith(" ") for row in head_of(text, delimiter) for field in row.fields[1:])
    first = next(rows(text, delimiter, spaced), Row(1, []))

    def columns(index: bool) -> Layout:
        label = _label_column(first, options.label, options.n, index) if not options.inputs_only else None
        inputs = [j for j in range(index, len(first.fields)) if j != label]
        marks = decimal_marks(delimiter)
        return Layout(delimiter, spaced, first, inputs, label, options.numbers, marks, has_index=index)

    layout = columns(True)
    if not _has_index(text, layout, options):
        layout = columns(False)
    if not layout.inputs:
        got = f"whose row {first.line} holds no {delimiter!r}" if first.fields else "which holds no rows"
        raise Unfit(f"{got}; numbers with a label behind them are wanted, or another delimiter")
    if options.header is not None or isinstance(options.label, str):
        return layout._replace(header=options.header is not False)
    return layout._replace(header=layout.has_names(options.names) or _looks_like_header(text, layout.all_inputs()))


def head_of(text: str, delimiter: str) -> list[Row]:
    """Return the first rows, up to one that cannot be split."""
    head = []
    with suppress(Unfit):
        for row in islice(rows(text, delimiter), _HEAD):
            head.append(row)  # one by one, so that rows before an unfit one are kept
    return head


def _sense(text: str, delimiter: str, label: str | int | None) -> tuple[int, int, int]:
    """Rate a delimiter by the first rows: count of inputs that are numbers, their characters, columns."""
    head = head_of(text, delimiter)
    width = min((len(row.fields) for row in head), default=1)
    if width == 1:
        return 0, 0, 1
    try:
        column = _label_column(head[0], label)
    except Unfit:
        return 0, 0, 1
    fields = [field.strip() for row in head for j, field in enumerate(row.fields) if j != column]
    numbers = [field for field in fields if number(field, decimal_marks(delimiter)) is not None]
    return len(numbers), sum(map(len, numbers)), width


def _label_column(first: Row, label: str | int | None, n: int | None = None, index: bool = False) -> int | None:
    """Return the label's column, by default the last one; None if a row has n inputs only."""
    width = len(first.fields)
    if label is None:
        return None if n is not None and width == n + index else width - 1
    if isinstance(label, int):
        if not -width <= label < width:
            raise Unfit(f"which has {width} columns; label is {label}, a position in -{width}..{width - 1} is wanted")
        return label % width
    names = [field.strip() for field in first.fields]
    if names.count(label) != 1:
        got = "no column" if label not in names else "more than one column"
        raise Unfit(f"whose row {first.line} has {got} {label!r}; label is wanted as one of {few(names)}")
    return names.index(label)


# Row index


def _has_index(text: str, layout: Layout, options: Options) -> bool:
    """Return whether column 0 is an unnamed row index in the first rows; `tables.read` checks the other rows."""
    fields = [field.strip() for field in layout.first.fields]
    if options.has_index is False or options.header is False or layout.label == 0 or not layout.inputs:
        return False
    if not NO_NAME.fullmatch(fields[0]):
        return False
    if options.header is None and not isinstance(options.label, str):  # an example may lack its first number
        texts = any(is_text(name, layout.delimiter) for name in layout.names())
        if not texts and not _counts_columns(layout) and not counts(fields[1:]):
            return False
    return _is_index(head_of(text, layout.delimiter)[1:], layout.marks)


def is_indexed_column(rows: list[Row], marks: Sequence[str]) -> bool:
    """Return whether a table is one named column behind an unnamed row index."""
    if len(rows) < 2 or {len(row.fields) for row in rows} != {2} or not NO_NAME.fullmatch(rows[0].fields[0].strip()):
        return False
    return _is_index(rows[1:], marks)


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


# Header


def _looks_like_header(text: str, layout: Layout) -> bool:
    """Return whether the first row counts, has text among its inputs, or has numbers and a label like no other row.

    Such numbers are 0, 1, 2, ... (a frame without column names), or any numbers above labels that are numbers.
    """
    decided = _header_by_inputs(layout)
    if decided is not None or layout.label is None:
        return bool(decided)
    others = (row.fields for row in islice(rows(text, layout.delimiter, layout.spaced), 1, None))
    labels = {fields[layout.label] for fields in others if len(fields) == len(layout.first.fields)}
    return bool(labels) and not denies_header(layout, labels, fitting_kinds(labels, number_kinds(layout.delimiter)))


def _header_by_inputs(layout: Layout) -> bool | None:
    """Return whether the first row alone shows a header; None if its label must be compared with others."""
    fields, inputs = [field.strip() for field in layout.first.fields], layout.names()
    if layout.has_index or is_numbered(fields) or any(is_text(field, layout.delimiter) for field in inputs):
        return True
    if not all(inputs):  # the column of an index has no name
        return _counts_columns(layout)
    return None if layout.label is not None and is_text(fields[layout.label], layout.delimiter) else False


def denies_header(layout: Layout, labels: Collection[str], kinds: list[Kind]) -> bool:
    """Return whether labels further down, numbers of these kinds if any, show that a first row of numbers is no header.

    It is an example if its label occurs again, or if neither its numbers count nor the labels are numbers.
    """
    if layout.label is None or _header_by_inputs(layout) is not None:
        return False
    label = layout.first.fields[layout.label].strip()
    return label in map(str.strip, labels) or not (kinds or _counts_columns(layout))


def _counts_columns(layout: Layout) -> bool:
    named = [name for name in layout.names() if name]
    return len(named) > 1 and counts(named)


def is_numbered(fields: list[str]) -> bool:
    """Return whether a first row is 0, 1, 2, ...: the header that pandas writes for columns without names.

    Two fields may as well be an example, 0 with the label 1.
    """
    return len(fields) > 2 and counts(fields)


def counts(fields: list[str]) -> bool:
    """Return whether fields are 0, 1, 2, ..."""
    return fields == [str(i) for i in range(len(fields))]


def layout_notes(text: str, layout: Layout, options: Options, labels: list[str]) -> list[str]:
    """Return warnings about how a table was read."""
    notes = [] if options.delimiter else _other_delimiters(text, layout)
    if options.header is None and not layout.has_names(options.names) and not layout.has_index:
        notes += _header_doubts(layout, labels)
    if layout.has_index:
        notes.append(f"{layout.column(0)} is an unnamed row index; it is left out. Name the column to keep it")
    unnamed = [j for j in layout.inputs if layout.header and NO_NAME.fullmatch(layout.first.fields[j].strip())]
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


def _other_delimiters(text: str, layout: Layout) -> list[str]:
    """Name delimiters that split the rows as evenly. Not the comma: decimal commas may be in every row."""
    evenly = []
    for delimiter in DELIMITERS[1:]:
        widths = {len(row.fields) for row in head_of(text, delimiter)}
        if delimiter != layout.delimiter and len(widths) == 1 and widths != {1}:
            evenly.append(repr(delimiter))
    return [f"split at {layout.delimiter!r}; every row can be split at {' and '.join(evenly)} too"] if evenly else []


def _header_doubts(layout: Layout, labels: list[str]) -> list[str]:
    """Warn of a first row that may be a header but was read as an example, or the other way round."""
    line, fields = layout.first.line, [field.strip() for field in layout.first.fields]
    if layout.header:
        if is_numbered(fields):
            return [f"row {line} counts, {few(fields)}; it is taken for a header. With header=False it is an example"]
        named = [name for name in layout.names() if name]
        if not (all(is_text(field, layout.delimiter) for field in named) or counts(named)):
            return [f"row {line} has numbers among its inputs, {few(named)}; it is taken for a header"]
    elif fields == ["0", "1"]:
        doubt = f"counts, {few(fields)}, like the header of columns without names"
        return [f"row {line} {doubt}; it is taken for an example"]
    elif len({*labels}) < len(labels) and labels.count(labels[0]) == 1 and is_text(labels[0], layout.delimiter):
        return [f"row {line} has a label that no other row has, {labels[0]!r}; it is taken for an example"]
    return []


def label_notes(labels: list[str]) -> list[str]:
    """Warn of labels that differ by spaces alone."""
    seen: dict[str, str] = {}
    for label in sorted(set(labels)):
        if seen.setdefault(label.strip(), label) != label:
            return [f"labels {seen[label.strip()]!r} and {label!r} differ by spaces alone; they are two classes"]
    return []


def column_notes(X: Array, layout: Layout) -> list[str]:
    """Warn of inputs that cannot tell examples apart, or only by their place in the file."""
    m, n = X.shape
    if m < 3:
        return []
    with np.errstate(over="ignore"):
        places = [j for j in range(n) if X[-1, j] - X[0, j] == m - 1 and (np.diff(X[:, j]) == 1.0).all()]
    constant = [j for j in range(n) if X[:, j].min() == X[:, j].max()]
    notes = {"that count the rows, as an index does": places, "with one value in every row": constant}
    return [
        f"inputs {what}: {few([layout.column(layout.inputs[j]) for j in which])}"
        for what, which in notes.items()
        if which
    ]

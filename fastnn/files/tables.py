"""Tables of examples in text files: one example a row, its label in one column.

The rules stand here, on the standard library's csv module, and name the row that they refuse. pyarrow, if installed,
reads large files faster; a file that it stumbles over is read again by the rules. (5,000 rows of 400 numbers, AMD Zen
4, 2 cores: 1.5 to 2.2 s by the rules, 0.3 with pyarrow. pandas took 1.2 and does not notice a row that is too long.
np.loadtxt took two thirds of the rules' time; it refuses rows of spaces and forgives a quote that is never closed.)

Rows are numbered as lines of the file are, from 1, the header's line counted.
"""

import math
import re
from array import array
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from .layout import Layout, column_notes, counts_rows, find_layout, label_notes, layout_notes
from .reader import Examples, Options
from .text import (
    MISSING,
    Row,
    Unfit,
    count_lines,
    lines_of,
    number,
    number_kinds,
    rows,
    text_of,
    typed,
    with_point,
)

# Shortest text, in characters, that pyarrow reads: below, importing it takes longer than the rules do.
PYARROW_PAYS = 5_000_000

# Most columns that pyarrow reads: of 200 rows with 10,000 it takes 2.4 s and 250 MB, the rules 2.5 s and 215 MB; of 10
# rows with 100,000 13.1 s and 983 MB, the rules 3.6 s and 141 MB.
_WIDE = 10_000

NO_ROWS = "which holds no rows of numbers under its header"


def examples(path: Path, options: Options) -> Examples:
    """Read a table: X, and y unless the labels are elsewhere."""
    if options.labels is not None:
        inputs_only = options.n is None and options.label is None
        options = options._replace(numbers=False, inputs_only=inputs_only)
    found = _read(path, options)
    X = validation.inputs(found.X, options.n, look=False)
    return found._replace(X=X, y=found.y if options.labels is None else None)


def _read(path: Path, options: Options) -> Examples:
    try:
        text = text_of(path, options.encoding)
        layout = find_layout(text, path, options)
        below, before = body(text, layout)
        fast = len(below) >= PYARROW_PAYS and find_spec("pyarrow") is not None
        X, labels = read_block(below, layout.all_numbers(), before, fast=fast)
        if not len(X):
            raise Unfit(NO_ROWS)
    except Unfit as error:
        raise ValueError(f"path is {str(path)!r}, {error}") from None
    if layout.has_index and not counts_rows(X[:, 0]):
        return _read(path, options._replace(has_index=False))
    y = typed(labels, number_kinds(layout.delimiter)) if labels else None
    if layout.numbers and layout.label is not None:
        X, y = X[:, layout.inputs], X[:, [layout.label]]
    elif layout.has_index:
        X = X[:, 1:]
    names = tuple(layout.names()) if layout.header else None
    notes = [*layout_notes(text, layout, options, labels), *label_notes(labels), *column_notes(X, layout)]
    return Examples(X, y, names, str(layout), notes)


def body(text: str, layout: Layout) -> tuple[str, int]:
    """Return the text below the header, and how many lines precede it."""
    below = islice(rows(text, layout.delimiter, layout.spaced), int(layout.header), None)
    first = next(below, None)
    if first is None:
        return "", count_lines(text)
    before = first.line - 1
    return text[sum(map(len, islice(lines_of(text), before))) :], before


def read_block(text: str, layout: Layout, before: int, *, fast: bool) -> tuple[Array, list[str]]:
    """Return inputs (m, n) as numbers and labels as text, where `before` lines precede the text.

    Numbers have decimal points or, if those do not fit, decimal commas. Raise Unfit for a row that the rules refuse; if
    both marks fail, for the row further down.
    """
    if fast and (found := _read_fast(text, layout)):
        return found
    faults = []
    for mark in layout.marks:
        try:
            return _read_rows(text, layout, mark, before)
        except Unfit as fault:
            faults.append(fault)
    raise max(faults, key=lambda fault: fault.line) from None


def _read_rows(text: str, layout: Layout, mark: str, before: int) -> tuple[Array, list[str]]:
    """Read a block by the rules."""
    numbers, labels = array("d"), []
    for row in rows(text, layout.delimiter, layout.spaced, before):
        _check_row(row, layout)
        numbers.extend(_numbers(row, layout, mark))
        if layout.label is not None:
            labels.append(row.fields[layout.label])
    return np.array(numbers).reshape(-1, len(layout.inputs)), labels


def _check_row(row: Row, layout: Layout) -> None:
    got, want = len(row.fields), len(layout.first.fields)
    if got != want:
        raise Unfit(f"whose row {row.line} has {got} fields; {want} are wanted, as in row {layout.first.line}")
    if any("\n" in field or "\r" in field for field in row.fields):
        raise Unfit(f"whose row {row.line} goes on over several lines; is a quote in it never closed?")
    if layout.label is not None and row.fields[layout.label].strip() in MISSING:
        raise Unfit(f"whose row {row.line} has the label {row.fields[layout.label]!r}; a label for every row is wanted")


def _numbers(row: Row, layout: Layout, mark: str) -> list[float]:
    """Return the inputs of a row, all finite."""
    fields = [row.fields[j] for j in layout.inputs]
    words = [with_point(field, mark) for field in fields] if mark == "," else fields
    with suppress(ValueError):
        numbers = [*map(float, words)]
        if all(map(math.isfinite, numbers)) and "_" not in "".join(words):  # Python reads 1_000
            return numbers
    values = [number(field, mark) for field in fields]
    i = next(i for i, value in enumerate(values) if value is None or not math.isfinite(value))
    want = "a finite number" + " with a decimal comma" * (mark == ",")
    got = f"{fields[i].strip()!r} in {layout.column(layout.inputs[i])}"
    raise Unfit(f"whose row {row.line} has {got}; {want} is wanted", row.line)


def _read_fast(text: str, layout: Layout) -> tuple[Array, list[str]] | None:
    """Read a block by pyarrow; None if it holds anything unusual."""
    if not layout.delimiter.isascii() or len(layout.first.fields) > _WIDE:
        return None
    # pyarrow forgives a quote in the middle of a field, and with it a quote that is never closed.
    edge = re.escape(layout.delimiter) + '\n\r"'
    if '"' in text and re.search(f'[^{edge}]"[^{edge}]', text):
        return None
    import pyarrow
    from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

    content = pyarrow.BufferReader(text.encode())
    names = [str(j) for j in range(len(layout.first.fields))]
    types = {name: pyarrow.string() if j == layout.label else pyarrow.float64() for j, name in enumerate(names)}
    rules = ReadOptions(column_names=names), ParseOptions(delimiter=layout.delimiter)
    for mark in layout.marks:
        content.seek(0)
        with suppress(pyarrow.ArrowInvalid):
            numbers = ConvertOptions(column_types=types, null_values=[], decimal_point=mark)
            table = read_csv(content, *rules, numbers)
            X = np.column_stack([table.column(j).to_numpy() for j in layout.inputs])
            labels = [] if layout.label is None else table.column(layout.label).to_pylist()
            if layout.spaced:
                labels = [label.lstrip(" ") for label in labels]
            broken = any(label.strip() in MISSING or "\n" in label or "\r" in label for label in set(labels))
            if len(X) and np.isfinite(X).all() and not broken:
                return X, labels
    return None

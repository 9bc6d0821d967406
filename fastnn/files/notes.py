"""Warnings about a table: other ways to read it, and columns or labels that look like a mistake."""

import numpy as np

from ..inputs.containers import Array, few
from .fields import is_text
from .layout import DELIMITERS, NO_NAME, Layout, counts, head_of, is_numbered
from .reader import Options


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

"""Labels in text files, one in each row, by the rules for a table's labels."""

from pathlib import Path

import numpy as np

from ..inputs.containers import Array
from .layout import is_indexed_column
from .paths import suffix_of
from .reader import Options
from .text import MISSING, Unfit, decimal_marks, is_text, number, number_kinds, rows, text_of, typed


def labels(path: Path, options: Options, m: int) -> tuple[Array, list[str]]:
    """Read the labels of m examples, or numbers, and what to know before trusting them."""
    source = f"labels is {str(path)!r}"
    # Only a comma can be told from the text around it, and in plain text it is a part of that.
    delimiter = options.delimiter or ("," if ".csv" in suffix_of(path) else "\t")
    marks = decimal_marks(delimiter)
    try:
        found = list(rows(text_of(path, options.encoding), delimiter))
    except Unfit as error:
        raise ValueError(f"{source}, {error}") from None
    has_index = options.header is not False and is_indexed_column(found, marks)
    if has_index:
        found = [row._replace(fields=row.fields[1:]) for row in found]
    wrong = next((row for row in found if len(row.fields) > 1 or row.fields[0].strip() in MISSING), None)
    if wrong:
        got = f"{len(wrong.fields)} fields" if len(wrong.fields) > 1 else f"the label {wrong.fields[0]!r}"
        raise ValueError(f"{source}, whose row {wrong.line} has {got}; one label in each row is wanted")
    fields = [row.fields[0] for row in found]
    header, notes = options.header, []
    if has_index:
        header, notes = True, ["column 1 counts the rows, as an index without a name; it is left out"]
    elif header is None:
        header, note = _header(fields, delimiter, m, numbers=options.numbers)
        notes = [f"row {found[0].line} {note}"] if note else []
    if header:
        found, fields = found[1:], fields[1:]
    if not fields:
        raise ValueError(f"{source}, which holds no labels; one for each example is wanted")
    notes = [f"labels {path}: {note}" for note in notes]
    if not options.numbers:
        return typed(fields, number_kinds(delimiter)), notes
    values = [number(field.strip(), marks) for field in fields]
    if None in values:
        row = found[values.index(None)]
        raise ValueError(f"{source}, whose row {row.line} has {row.fields[0].strip()!r}; a finite number is wanted")
    return np.array(values, dtype=np.float64), notes


def _header(fields: list[str], delimiter: str, m: int, *, numbers: bool) -> tuple[bool, str]:
    """Return whether the first field is a header, and a doubt about that or ""."""
    if fields[:1] == ["0"] and len(fields) == m + 1:  # pandas writes it for a series without a name
        return True, f"is '0', above {m} others; it is taken for a header"
    others = set(fields[1:])
    if not others or fields[0] in others or not is_text(fields[0].strip(), delimiter):
        return False, ""
    if numbers or typed(others, number_kinds(delimiter)).dtype.kind != "U":
        return True, ""
    if len(others) < len(fields) - 1:
        return False, f"is {fields[0]!r}, as no other row; it is taken for a label"
    return False, ""

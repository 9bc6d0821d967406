"""Tables larger than memory, as files that can be mapped: read, checked and written a block of lines at a time.

The text is unpacked, decoded and cut into blocks at ends of lines. The first block says how the table is laid out.
pyarrow makes numbers of each, or the rules of `tables.py` do, which name the row that is wrong. X goes into its file at
once; the header there is written anew when the number of rows is known. Labels wait in another file until all of them
have been seen: only then their type is known.
"""

import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from ..spec import DType
from . import tables
from .layout import Layout, counts_rows, denies_header, find_layout, layout_notes
from .paths import write_together
from .reader import Options
from .registry import TABLES, is_table
from .text import Unfit, count_lines, fitting_kinds, number_kinds, pieces, rows, typed

# Types that X may be written in.
DTYPES = ("float64", "float32", "float16", "uint8")

# Characters that are read together: MB of text a second, and MB of memory in all, on a machine with 2 shared cores.
#                                 2 million       8 million       32 million
# 401 columns, 16 digits each   80 - 111, 166   91 - 131, 224   119 - 137, 373
# 785 columns, 0 to 255          45 - 47, 176    52 - 57, 280     47 - 51, 620
# 4 columns, 6 digits            51 - 55, 177    53 - 55, 259     30 - 37, 543
BLOCK = 8_000_000

# Labels that get their type together.
LABELS = 1 << 16

# Most different labels that are counted: numbers that all differ would fill the memory.
MANY = 100_000

# Most bytes that the system may keep for later: no signal ends the process until all of them are on the disk.
UNWRITTEN = 1 << 26

# Alignment of arrays in the file, in bytes: a vector's load then never crosses two lines of the cache.
ALIGNED = 64


class Converted(NamedTuple):
    """Result of a conversion.

    Attributes
    ----------
    saved : list of Path
    bytes : int
        Size of all files together.
    examples, inputs : int
    classes : int, or None
        Number of different labels; None if there are very many.
    layout : str
        How the table was read, in a few words.
    notes : list of str
        Warnings: another delimiter that fits, a doubt about the header.
    """

    saved: list[Path]
    bytes: int
    examples: int
    inputs: int
    classes: int | None
    layout: str
    notes: list[str]


class _OtherOptions(Exception):
    """Rows further down deny what the first block shows: its header, or its index. Its argument are other options."""


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    dtype: str = "float64",
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    label: str | int | None = None,
    progress: Callable[[int], object] = lambda count: None,
) -> Converted:
    """Write the arrays that `read_data` gives of a table, of one too that does not fit into memory.

    Parameters
    ----------
    source : str or path
        `.csv` or `.tsv`, either also `.gz`.
    target : str or path
        `.npz`, for X (m, n) and y (m,), not compressed; or `.npy`, for X alone, with y in a file of its own beside it,
        whose name has `-labels` before `.npy`. The numbers of X begin at a multiple of 64 bytes of the file.
    dtype : str
        Of X: float64, or rounded to float32 or float16; uint8 for integers in 0..255.
    header, delimiter, encoding, label
        As of `read_data`. What is left out is found in the first megabytes.
    progress : callable
        Called with a number of bytes of the table whenever so many more have been read; with a number below 0 if
        it has to be read again.

    Returns
    -------
    Converted

    Raises
    ------
    ValueError, TypeError
        If the table does not hold that, or a number does not fit the dtype, with the row. The files are then as before.
    ImportError
        Without pyarrow.
    OSError
        If a file cannot be read or written.
    """
    options = Options(header, delimiter, encoding, label).check()
    source, target = Path(source), Path(target)
    if not is_table(source):
        raise ValueError(f"source is {str(source)!r}; a name that ends in {' or '.join(TABLES)} is wanted")
    outputs(target)
    kind = np.dtype(validation.choice(dtype, DTYPES, "dtype"))
    if not find_spec("pyarrow"):
        raise ImportError(validation.needs("converting a table", "pyarrow"))
    try:
        while True:
            try:
                return _convert(source, target, kind, options, progress)
            except _OtherOptions as found:
                (options,) = found.args
    except Unfit as error:
        raise ValueError(f"path is {str(source)!r}, {error}") from None


def outputs(target: Path) -> list[Path]:
    """Return the files that are written for a target: one for X and y, or one for each."""
    if target.suffix.lower() not in (".npz", ".npy"):
        raise ValueError(f"target is {str(target)!r}; a name that ends in .npz or .npy is wanted")
    return [target] if target.suffix.lower() == ".npz" else [target, target.with_stem(f"{target.stem}-labels")]


def _convert(
    source: Path, target: Path, dtype: DType, options: Options, progress: Callable[[int], object]
) -> Converted:
    saved = outputs(target)
    with open(source, "rb") as file, tempfile.TemporaryFile(dir=target.parent) as waiting:
        blocks = _cut(pieces(file, source, options.encoding))
        head = next(blocks, "")
        layout = find_layout(head, source, options)
        guessed = layout.header and options.header is None and not isinstance(options.label, str)
        labels = _Labels(waiting, layout.delimiter)

        def inputs() -> Iterator[Array]:
            """Yield X block by block, and put the labels aside."""
            read = 0
            for X, fields in _examples(head, blocks, layout, dtype):
                progress(file.tell() - read)
                read = file.tell()
                if X is None:
                    progress(-read)
                    raise _OtherOptions(options._replace(has_index=False))
                labels.add(fields)
                if guessed and denies_header(layout, set(fields), labels.kinds):
                    progress(-read)
                    raise _OtherOptions(options._replace(header=False))
                yield X

        def write(opened: list[IO[bytes]]) -> None:
            n = len(layout.inputs)
            if len(opened) == 1:
                _write_npz(opened[0], inputs(), n, dtype, labels)
            else:
                _write_rows(opened[0], opened[0], inputs(), n, dtype)
                labels.write(opened[1], opened[1])

        write_together(saved, write)
    notes = layout_notes(head, layout, options, [])
    size = sum(path.stat().st_size for path in saved)
    return Converted(saved, size, labels.count, len(layout.inputs), labels.classes, str(layout), notes)


def _cut(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the text in blocks of whole lines."""
    held = ""
    for piece in pieces:
        held += piece
        while end := _LINE_END.search(held, BLOCK - 1):
            yield held[: end.end()]
            held = held[end.end() :]
    if held:
        yield held


def _examples(
    head: str, blocks: Iterator[str], layout: Layout, dtype: DType
) -> Iterator[tuple[Array | None, list[str]]]:
    """Yield X and labels as text, block by block; None for X where the column of an index stops counting."""
    first, before = tables.body(head, layout)
    m, place = 0, None
    for text in chain([first], blocks):
        if len(layout.marks) > 1 and ("." in text or "," in text):
            layout = _fitting(text, layout, before)
        X, fields = tables.read_block(text, layout.all_numbers(), before, fast=True)
        if layout.has_index and len(X):
            if not counts_rows(X[:, 0], place):
                yield None, fields
                return
            place, X = X[-1, 0], X[:, 1:]
        yield _cast(X, dtype, text, layout, before), fields
        m += len(X)
        before += count_lines(text)
    if not m:
        raise Unfit(tables.NO_ROWS)


def _fitting(text: str, layout: Layout, before: int) -> Layout:
    """Return the layout with the decimal marks that fit this block too; with all of them if none does."""

    def fits(mark: str) -> bool:
        try:
            tables.read_block(text, layout._replace(marks=(mark,)), before, fast=True)
        except Unfit:
            return False
        return True

    return layout._replace(marks=tuple(filter(fits, layout.marks)) or layout.marks)


def _cast(X: Array, dtype: DType, text: str, layout: Layout, before: int) -> Array:
    """Return the inputs of a block in the type that is written; Unfit if one does not fit it."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = X.astype(dtype, order="C", copy=False)
    wrong = rounded != X if dtype.kind == "u" else ~np.isfinite(rounded)
    if wrong.any():
        i, column = np.argwhere(wrong)[0]
        j = layout.inputs[column]
        row = next(islice(rows(text, layout.delimiter, layout.spaced, before), int(i), None))
        want = "an integer in 0..255" if dtype.kind == "u" else f"a number of at most {np.finfo(dtype).max:g}"
        got = f"whose row {row.line} has {row.fields[j].strip()!r} in {layout.column(j)}"
        raise Unfit(f"{got}; {want} is wanted for {dtype}")
    return rounded


class _Labels:
    """Labels on a disk, and facts about all of them.

    Attributes
    ----------
    count : int
    kinds : list of Kind
        Kinds of numbers that fit all of them.
    classes : int or None
        Number of different labels, None if too many to be remembered.
    """

    def __init__(self, file: IO[bytes], delimiter: str):
        self.file = file  # with a label a line: none has an end of a line in it
        self.kinds = number_kinds(delimiter)
        self.zeros: set[str] = set()
        self.count = self.width = 0
        self.seen: set[str] | None = set()

    def add(self, fields: list[str]) -> None:
        some = set(fields)
        self.file.write("\n".join([*fields, ""]).encode())
        self.count += len(fields)
        self.zeros |= some & _SIGNED_ZEROS
        self.kinds = fitting_kinds(some | self.zeros, self.kinds)
        self.width = max(self.width, max(map(len, some), default=0))
        if self.seen is not None:
            self.seen |= some
            self.seen = self.seen if len(self.seen) <= MANY else None

    @property
    def classes(self) -> int | None:
        return None if self.seen is None else len(self.seen)

    @property
    def dtype(self) -> DType:
        return np.dtype(self.kinds[0].dtype if self.kinds else f"U{self.width}")

    def write(self, file: IO[bytes], stream: IO[bytes]) -> None:
        """Write them as an .npy file into a stream that goes to `file`."""
        stream.write(_npy_header(file.tell(), self.dtype, (self.count,)))
        self.file.seek(0)
        while lines := list(islice(self.file, LABELS)):
            fields = b"".join(lines).decode().split("\n")[:-1]
            stream.write(np.asarray(typed(fields, self.kinds), self.dtype).data)


def _write_npz(file: IO[bytes], blocks: Iterator[Array], n: int, dtype: DType, labels: _Labels) -> None:
    """Write X and y like np.savez, where the number of rows is unknown before the last one."""
    with zipfile.ZipFile(file, "w") as archive:
        X, y = zipfile.ZipInfo("X.npy"), zipfile.ZipInfo("y.npy")
        with archive.open(X, "w", force_zip64=True) as member:
            old, new = _write_rows(file, member, blocks, n, dtype)
        # The archive has the checksum of what was written first.
        X.CRC ^= _shifted(zlib.crc32(old) ^ zlib.crc32(new), X.file_size - len(new))
        _overwrite(file, X.header_offset + 14, struct.pack("<L", X.CRC))
        y.file_size = labels.count * labels.dtype.itemsize + 4 * ALIGNED  # about: large entries have another form
        with archive.open(y, "w") as member:
            labels.write(file, member)


def _write_rows(
    file: IO[bytes], stream: IO[bytes], blocks: Iterator[Array], n: int, dtype: DType
) -> tuple[bytes, bytes]:
    """Write X as an .npy file into a stream that goes to `file`; return its first and its final header."""
    start = file.tell()
    waiting = _npy_header(start, dtype, (0, n))
    stream.write(waiting)
    m = unwritten = 0
    for X in blocks:
        stream.write(X.data)
        m += len(X)
        unwritten += X.nbytes
        if unwritten > UNWRITTEN:
            file.flush()
            os.fsync(file.fileno())
            unwritten = 0
    header = _npy_header(start, dtype, (m, n))
    _overwrite(file, start, header)
    return waiting, header


def _npy_header(start: int, dtype: DType, shape: tuple[int, ...]) -> bytes:
    """Return the header of an .npy file that begins at byte `start` of a file, in which its numbers are aligned.

    Its length does not depend on the shape.
    """
    length = 2 * ALIGNED + -start % ALIGNED
    words = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    text = repr(words).ljust(length - 11) + "\n"
    return np.lib.format.magic(1, 0) + struct.pack("<H", len(text)) + text.encode("ascii")


def _overwrite(file: IO[bytes], start: int, content: bytes) -> None:
    end = file.tell()
    file.seek(start)
    file.write(content)
    file.seek(end)


def _shifted(difference: int, length: int) -> int:
    """Return the difference of two CRC-32 checksums after `length` more bytes, equal for both.

    A checksum is linear but for its inverted bits (RFC 1952, section 8): zeros shift a difference as any bytes do. They
    take 0.4 s a GB.
    """
    crc = difference ^ 0xFFFFFFFF
    for start in range(0, length, len(_ZEROS)):
        crc = zlib.crc32(_ZEROS[: length - start], crc)
    return crc ^ 0xFFFFFFFF


# Labels that are equal as numbers, where each is written as Python writes it. No others are.
_SIGNED_ZEROS = {"0.0", "-0.0", "0,0", "-0,0"}

_ZEROS = bytes(1 << 20)

# A return that is the last character may be the first half of an end.
_LINE_END = re.compile("\n|\r(?=[^\n])")

"""Arrays in .npy and .npz files, read without trust in what the file says of itself."""

import ast
import math
import os
import re
import struct
import zipfile
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from ..spec import DType
from .paths import unreadable
from .reader import Examples, Options

# Longest header that is read, in bytes: NumPy's own limit.
_LONGEST_HEADER = 10_000

# A header is {'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }, its items in any order. NumPy evaluates it as
# Python, which warns if it is damaged and takes half of the time that reading a small model takes.
_KIND = r"'[<>|=]?[?biufcmMOSUV]\d{0,9}(?:\[\w+\])?'"
_FIELD = rf"\(\s*'[^'\\]*'\s*,\s*{_KIND}\s*(?:,\s*\([\d\s,]*\)\s*)?\)"
_SHAPE = r"\((?:\s*\d{1,19}L?\s*,)*(?:\s*\d{1,19}L?)?\s*\)"
_ITEM = rf"\s*'(\w+)'\s*:\s*({_KIND}|\[\s*{_FIELD}(?:\s*,\s*{_FIELD})*\s*,?\s*\]|True|False|{_SHAPE})\s*"
_HEADER = re.compile(rf"\{{{_ITEM},{_ITEM},{_ITEM},?\s*\}}\s*", re.ASCII)


class Header(NamedTuple):
    """Type and place of the array in an .npy file."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: DType
    end: int  # where the numbers begin, in bytes

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * int(self.dtype.itemsize)


def read_header(file: IO[bytes], size: int) -> Header:
    """Read the header of an .npy file of `size` bytes; ValueError if it announces more or fewer."""
    length = struct.Struct("<H" if np.lib.format.read_magic(file) == (1, 0) else "<I")
    count = length.unpack(file.read(length.size))[0]
    match = _HEADER.fullmatch(file.read(count).decode("latin-1")) if count <= _LONGEST_HEADER else None
    words = dict(zip(match.groups()[::2], match.groups()[1::2], strict=True)) if match else {}
    kind, fortran, sizes = (words.get(name, "") for name in ("descr", "fortran_order", "shape"))
    if kind[:1] not in ("'", "[") or fortran not in ("True", "False") or sizes[:1] != "(":
        raise ValueError("its header is damaged")
    shape = tuple(int(size) for size in re.findall(r"\d+", sizes))
    order: Literal["C", "F"] = "F" if fortran == "True" else "C"
    header = Header(shape, order, np.dtype(ast.literal_eval(kind)), 8 + length.size + count)
    if not header.dtype.hasobject and (header.end + header.bytes != size or not header.dtype.itemsize):
        than = "more" if header.end + header.bytes > size else "less"
        raise ValueError(f"it announces shape {shape} of {header.dtype}, {than} than it holds")
    return header


def map_array(file: IO[bytes], header: Header, start: int = 0) -> Array:
    """Map the array of the .npy content that begins at byte `start`, read-only; the file may be closed then."""
    mapped: Any = file
    return np.memmap(mapped, header.dtype, "r", start + header.end, header.shape, header.order)


def examples(path: Path, options: Options) -> Examples:
    """Map X of an .npy file, which holds no labels."""
    return Examples(_mapped(path, "path", "biuf", 2, "numbers (m, n), m and n"), None)


def labels(path: Path, options: Options, m: int) -> tuple[Array, list[str]]:
    """Read the labels of m examples from an .npy file."""
    y = _mapped(path, "labels", "biufU", None, "labels (m,), m")
    if y.size != m and not options.numbers:  # refused before it is read: it may be all of X
        want = f"one label for each of the {m} examples is wanted"
        raise ValueError(f"labels is {str(path)!r}, an array {y.shape}; {want}")
    return np.array(y), []


def _mapped(path: Path, name: str, kinds: str, ndim: int | None, want: str) -> Array:
    """Map the array of a file that is the argument `name`; ValueError unless its type and axes are as wanted."""
    with open(path, "rb") as file:
        try:
            header = read_header(file, os.fstat(file.fileno()).st_size)
        except Exception as error:  # NumPy raises various exceptions for damaged files
            raise ValueError(unreadable(path, error, name)) from None
        if header.dtype.kind not in kinds or ndim not in (None, len(header.shape)) or 0 in header.shape:
            got = f"an array {header.shape} of {header.dtype}"
            raise ValueError(f"{name} is {str(path)!r}, which holds {got}; {want} at least 1, are wanted")
        return map_array(file, header)


# Smallest X, in bytes, that is mapped instead of read: as large as a row chunk, below which mapping saves nothing.
# Numbers begin at any byte there, and a copy of each chunk goes to kernels: an evaluation of 60,000 x 784-25-10 takes
# 90 ms of float64 and 52 of float32, from memory or .npy 61 and 32 (two cores of an EPYC); bytes as long from anywhere.
MAPPED = 32_000_000

# Bytes of an array that are read together.
_PIECE = 1 << 20


def read(file: IO[bytes], most: int, large: str = "") -> dict[str, Array]:
    """Read all arrays like np.load without pickle; ValueError if they would take more than `most` bytes.

    The array named `large` is mapped if it has MAPPED bytes or more and lies in the file unpacked, row by row. Its
    checksum is compared first: 2 GB a second from the system's cache, as long as two evaluations.
    """
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if _entry_count(file) not in (len(entries), 0xFFFF):
            raise ValueError("its directory is damaged")
        if sum(entry.file_size for entry in entries) > most:
            raise ValueError("it announces much more than it can hold")
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if name in arrays:
                raise ValueError(f"it holds {name} twice")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others need memory of their own
                raise ValueError(f"its {entry.filename} is packed in another way than NumPy's")
            with archive.open(entry) as member, validation.about(entry.filename):
                header = read_header(member, entry.file_size)
                unpacked = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
                wanted = name == large and header.bytes >= MAPPED and header.dtype.kind in "biuf"
                if unpacked and wanted and header.order == "C":
                    while member.read(_PIECE):  # the end of the member compares its checksum
                        pass
                    arrays[name] = map_array(file, header, _start_of(file, entry))
                else:
                    arrays[name] = _read_array(member, header)
    return arrays


def write(file: IO[bytes], arrays: dict[str, Array]) -> None:
    """Write the arrays unpacked."""
    if any(np.asarray(value).dtype.hasobject for value in arrays.values()):
        raise ValueError("arrays must hold no Python objects")
    members: dict[str, Any] = arrays
    np.savez(file, **members)  # its allow_pickle is new in NumPy 2.1: an older one would write an array of that name


def _entry_count(file: IO[bytes]) -> int:
    """Return how many members a zip announces, 0xFFFF for more: a damaged comment length may hide some.

    PKWARE, APPNOTE.TXT, section 4.3.16: byte 10 of the end record, which a comment of up to 65,535 bytes follows.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - 22 - 0xFFFF))
    tail = file.read()
    return int(struct.unpack_from("<H", tail, tail.rfind(b"PK\5\6") + 10)[0])


def _read_array(member: IO[bytes], header: Header) -> Array:
    """Read the array behind a header, to the end of the member."""
    if header.dtype.hasobject:
        raise ValueError("it holds objects of Python, which are not read (allow_pickle=False)")
    content = np.empty(header.bytes, np.uint8)
    start = 0
    while piece := member.read(_PIECE):
        content[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        start += len(piece)
    if start < header.bytes:
        raise ValueError("it is cut off")
    array: Array = content.view(header.dtype)
    return array.reshape(header.shape, order=header.order)


def _start_of(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin: name and extra of its local header may be longer than the directory's.

    PKWARE, APPNOTE.TXT, section 4.3.7: their lengths are at byte 26 of 30.
    """
    file.seek(entry.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    return entry.header_offset + 30 + int(name) + int(extra)

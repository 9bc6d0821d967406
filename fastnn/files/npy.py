"""Arrays in .npy files: their headers, and X or labels mapped into memory."""

import ast
import math
import os
import re
import struct
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from ..inputs.containers import Array
from ..spec import DType
from .paths import one_line
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
        raise ValueError(
            f"labels is {str(path)!r}, an array {y.shape}; one label for each of the {m} examples is wanted"
        )
    return np.array(y), []


def _mapped(path: Path, name: str, kinds: str, ndim: int | None, want: str) -> Array:
    """Map the array of a file that is the argument `name`; ValueError unless its type and axes are as wanted."""
    with open(path, "rb") as file:
        try:
            header = read_header(file, os.fstat(file.fileno()).st_size)
        except Exception as error:  # NumPy raises various exceptions for damaged files
            raise ValueError(f"{name} is {str(path)!r}, which cannot be read as .npy: {one_line(error)}") from None
        if header.dtype.kind not in kinds or ndim not in (None, len(header.shape)) or 0 in header.shape:
            got = f"an array {header.shape} of {header.dtype}"
            raise ValueError(f"{name} is {str(path)!r}, which holds {got}; {want} at least 1, are wanted")
        return map_array(file, header)

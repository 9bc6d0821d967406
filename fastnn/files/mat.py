"""MATLAB's files as named arrays: numbers, logical as bool, text and cells of text as arrays of strings.

Other variables, a structure say, are left out. A sparse matrix becomes an empty one, which the caller refuses.

SciPy's reader believes what a file says of itself: four bytes can ask for 4 GB, or for a place outside its own tables.
So the elements are looked at first (MathWorks, "MAT-File Format", Level 5), packed ones are unpacked to their checksum,
and SciPy is asked only for variables of which every element is where and what it has to be.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array

if TYPE_CHECKING:
    import h5py

# Elements by the number of their type: variables; of numbers, with how many bytes each has; of characters.
_MATRIX, _PACKED = 14, 15
_NUMBERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_CODES = (1, 2, 3, 4, 16, 17, 18)
_NONE = 0, 0, 0

# Of level 4, how many bytes a number has, by the number of its type.
_LEVEL_4 = 8, 4, 4, 2, 2, 1

# Variables by the number of their class, and two of their flags.
_CELLS, _TEXT, _SPARSE, _NUMERIC, _OPAQUE, _CLASSES = 1, 4, 5, range(6, 16), 17, range(1, 19)
_LOGICAL, _COMPLEX = 0x200, 0x800

# What SciPy has room for; MATLAB's names have 63 bytes at most.
_DIMENSIONS, _LONGEST_NAME = 32, 4096

# Bytes that a cell takes as an array of its own, about; bytes that are unpacked together.
_CELL, _PIECE = 200, 1 << 16


def read(file: IO[bytes], most: int, large: str = "") -> dict[str, Array]:
    """Read the variables of an open file, version 7.3 (HDF5) or older; ValueError if they would take more bytes."""
    head = file.read(128)
    if head.startswith(b"MATLAB 7.3"):
        return _read_hdf5(file, most)
    return _read_level_4(file) if 0 in head[:4] else _read_level_5(file, "<" if head[126:] == b"IM" else ">", most)


def write(file: IO[bytes], arrays: dict[str, Array]) -> None:
    from scipy.io import savemat

    savemat(file, arrays)


def _read_level_4(file: IO[bytes]) -> dict[str, Array]:
    from scipy.io import loadmat

    file.seek(0)
    order = "<" if 0 <= struct.unpack("<i", file.read(4))[0] <= 5000 else ">"
    start, stop = 0, file.seek(0, io.SEEK_END)
    while start < stop:
        file.seek(start)
        kind, rows, columns, imaginary, name = struct.unpack(order + "5i", file.read(20))
        if min(kind, rows, columns, name) < 0 or kind >= 2000 or kind // 10 % 10 > 5:  # other machines' numbers
            raise ValueError("it holds a variable of no kind that is known")
        start += 20 + name + rows * columns * _LEVEL_4[kind // 10 % 10] * (2 if imaginary == 1 else 1)
    if start != stop:
        raise ValueError("it is cut off")
    file.seek(0)
    with np.errstate(all="ignore"):  # of what should be indices
        values = loadmat(file)
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray) or hasattr(value, "toarray")}


def _read_level_5(file: IO[bytes], order: str, most: int) -> dict[str, Array]:
    from scipy.io import loadmat

    kinds = _kinds(file, order, most)
    file.seek(0)
    values = loadmat(file, variable_names=[name for name, kind in kinds.items() if kind not in ("", "sparse")])
    found: dict[str, Any] = {name: _sparse() for name, kind in kinds.items() if kind == "sparse"}
    for name, value in values.items():
        if name in kinds:
            if not isinstance(value, np.ndarray):
                raise ValueError(f"{name} is damaged")
            value = value.astype(bool) if kinds[name] == "logical" else value
            found[name] = _text_cells(value) if kinds[name] == "cells" else value
    return {name: value for name, value in found.items() if value is not None}


def _kinds(file: IO[bytes], order: str, most: int) -> dict[str, str]:
    """Return the kind of each variable: logical, numbers, text, cells of text, sparse; "" for anything else."""
    kinds: dict[str, str] = {}
    for kind, start, size in _elements(file, order, 128, file.seek(0, io.SEEK_END)):
        source, end = file, 0
        if kind == _PACKED:
            source = _unpacked(file, start, size, most)
            end = source.tell()
            kind, start, size = next(_elements(source, order, 0, end), _NONE)
        name, what = _variable(source, order, kind, start, size, most)
        most -= end
        if name in kinds:
            raise ValueError(f"it holds {name} twice")
        if name and not name.startswith("__"):
            kinds[name] = what
    return kinds


def _variable(file: IO[bytes], order: str, kind: int, start: int, size: int, most: int) -> tuple[str, str]:
    """Return name and kind of a variable; ValueError unless SciPy can read it, in `most` bytes."""
    of, flags, name, length, parts = _head(file, order, kind, start, size)
    fits, what = True, ""
    if of in _NUMERIC:
        data = list(islice(parts, 3))
        fits = all(_NUMBERS.get(kind, 0) * length == bytes_ and kind in _NUMBERS for kind, _, bytes_ in data)
        fits = fits and len(data) == (2 if flags & _COMPLEX else 1)
        what = "logical" if flags & _LOGICAL else "numbers"
    elif of == _TEXT:
        fits, what = _is_text(parts, length, most), "text"
    elif of == _CELLS:
        fits, what = length * _CELL <= most, "cells"
        found = 0
        for kind, start, size in parts if fits else []:
            if not size:  # an empty array
                return name, ""
            inner = _head(file, order, kind, start, size)
            if inner.of != _TEXT:
                return name, ""
            fits = fits and size % 8 == 0 and _is_text(inner.parts, inner.length, 0)
            found += 1
        fits = fits and found == length
    elif of == _SPARSE:
        what = "sparse"
    if not fits:
        raise ValueError(f"its variable {name} is damaged")
    return name, what


def _is_text(parts: Iterator[tuple[int, int, int]], length: int, most: int) -> bool:
    """Return whether the parts are `length` characters. Of no bytes SciPy makes spaces, four bytes each."""
    data = list(islice(parts, 2))
    return len(data) == 1 and data[0][0] in _CODES and (length <= data[0][2] or (not data[0][2] and 4 * length <= most))


class _Head(NamedTuple):
    """Head of a variable."""

    of: int  # its class
    flags: int
    name: str
    length: int  # how many numbers, characters or cells it has
    parts: Iterator[tuple[int, int, int]]  # elements that hold them


def _head(file: IO[bytes], order: str, kind: int, start: int, size: int) -> _Head:
    parts = _elements(file, order, start, start + size)
    flags_, flags_at, flags_size = next(parts, _NONE)
    if kind != _MATRIX or flags_ != 6 or flags_size != 8:
        raise ValueError(f"it holds an element of type {kind} that is no variable")
    file.seek(flags_at)
    (flags,) = struct.unpack(order + "I4x", file.read(8))
    if flags & 0xFF not in _CLASSES:
        raise ValueError("it holds a variable of no class that is known")
    if flags & 0xFF == _OPAQUE:
        return _Head(_OPAQUE, flags, "", 0, parts)
    sizes_, sizes_at, sizes_size = next(parts, _NONE)
    file.seek(sizes_at)
    if sizes_ not in (5, 6) or sizes_size % 4 or sizes_size > 4 * _DIMENSIONS:
        raise ValueError("it holds a variable of no shape")
    shape = struct.unpack(f"{order}{sizes_size // 4}i", file.read(sizes_size))
    name_, name_at, name_size = next(parts, _NONE)
    file.seek(name_at)
    if min(shape, default=-1) < 0 or name_ not in (1, 16) or name_size > _LONGEST_NAME:
        raise ValueError("it holds a variable of no shape or name")
    return _Head(flags & 0xFF, flags, file.read(name_size).decode("latin-1"), math.prod(shape), parts)


def _elements(file: IO[bytes], order: str, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and length of the content of each element between two places of a file."""
    while start < stop:
        file.seek(start)
        tag = file.read(8)
        if len(tag) < 8:
            raise ValueError("it is cut off")
        kind, size = struct.unpack(order + "2I", tag)
        if kind >> 16:  # a little one, all of it in these bytes
            kind, size, start, content = kind & 0xFFFF, kind >> 16, start + 8, start + 4
        else:
            content = start + 8
            start = content + size + (0 if kind in (_MATRIX, _PACKED) else -size % 8)
        if content + size > min(start, stop):
            raise ValueError("an element of it is longer than the file")
        yield kind, content, size


def _unpacked(file: IO[bytes], start: int, size: int, most: int) -> IO[bytes]:
    """Unpack an element and compare its checksum; ValueError if it is damaged, or has more than `most` bytes."""
    content, inflate, stop = io.BytesIO(), zlib.decompressobj(), start + size
    while not inflate.eof:
        packed = inflate.unconsumed_tail
        if not packed:
            file.seek(start)
            packed = file.read(min(_PIECE, stop - start))
            start += len(packed)
        piece = inflate.decompress(packed, _PIECE)
        if not (packed or piece or inflate.eof):
            raise ValueError("a packed variable of it is cut off")
        content.write(piece)
        if content.tell() > most:
            raise ValueError("it unpacks to much more than it is long")
    return content


def _sparse() -> object:
    from scipy.sparse import csc_array

    return csc_array((1, 1))


def _text_cells(cells: Array) -> Array | None:
    """Return cells that each hold one line of text as an array of strings; None for others."""
    if not all(isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1 for cell in cells.flat):
        return None
    return np.array([str(cell.item()) if cell.size else "" for cell in cells.flat], dtype=str).reshape(cells.shape)


def _read_hdf5(file: IO[bytes], most: int) -> dict[str, Array]:
    try:
        import h5py
    except ImportError:
        raise ValueError(f"{validation.needs('its version 7.3', 'h5py')}, or save it with -v7") from None
    found: dict[str, Any] = {}
    with h5py.File(file, "r") as variables:
        for name in variables:
            if not name.startswith("#"):
                found[name] = _hdf5_value(variables, variables[name], most)
                most -= getattr(variables[name], "nbytes", 0)
    return {name: value for name, value in found.items() if value is not None}


def _hdf5_value(variables: "h5py.File", node: "h5py.Dataset", most: int) -> object:
    """Read a variable of `most` bytes at most: HDF5 also gives what was never written. MATLAB's axes are reversed."""
    kind = _hdf5_kind(node)
    if "MATLAB_sparse" in node.attrs:
        return _sparse()
    if not getattr(node, "shape", None):
        return None
    if node.nbytes > most:
        raise ValueError(f"its variable {node.name} announces shape {node.shape}, much more than it can hold")
    values = node[()].T
    if "MATLAB_empty" in node.attrs:
        shape = [int(size) for size in values]
        return np.zeros(shape, dtype=str if kind == "char" else float) if 0 in shape else None
    if kind == "cell":
        return _hdf5_cells(variables, values, most - node.nbytes)
    if values.dtype.kind not in "biuf":
        return None
    if kind == "logical":
        return values.astype(bool)
    return np.array(["".join(map(chr, row)) for row in values]) if kind == "char" else values


def _hdf5_cells(variables: "h5py.File", references: Array, most: int) -> Array | None:
    cells = np.empty(references.shape, dtype=object)
    for place, reference in np.ndenumerate(references):
        node = variables[reference]
        if _hdf5_kind(node) != "char":
            return None
        cells[place] = _hdf5_value(variables, node, most)
        most -= node.nbytes + _CELL
    return _text_cells(cells)


def _hdf5_kind(node: "h5py.Dataset") -> str:
    return bytes(node.attrs.get("MATLAB_class", b"")).decode()

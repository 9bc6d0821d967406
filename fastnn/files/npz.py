"""Arrays in .npz files, read without trust in what the file says of itself."""

import os
import struct
import zipfile
from typing import IO, Any

import numpy as np

from ..inputs import validation
from ..inputs.containers import Array
from . import npy

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
                header = npy.read_header(member, entry.file_size)
                unpacked = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
                wanted = name == large and header.bytes >= MAPPED and header.dtype.kind in "biuf"
                if unpacked and wanted and header.order == "C":
                    while member.read(_PIECE):  # the end of the member compares its checksum
                        pass
                    arrays[name] = npy.map_array(file, header, _start_of(file, entry))
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


def _read_array(member: IO[bytes], header: npy.Header) -> Array:
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

"""Damaged and hostile files: refused with one sentence, or read as what was written; in little memory, without a hang.

Files are damaged in processes of their own, which have a limit on memory: this file is their program too.
"""

import faulthandler
import gzip
import io
import json
import math
import random
import re
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.io import savemat

import fastnn
from fastnn import files
from fastnn.files import archive, npz
from fastnn.training import checkpoint

every_format = pytest.mark.parametrize("suffix", [".npz", ".mat", ".safetensors"])

# Memory that reading a damaged file of some KB may take: twice the 32 MB of `arrays.ALWAYS_ALLOWED`, and some more.
MEMORY = 100_000_000

# Where files are in memory.
SHARED = Path("/dev/shm")

# How many files of a kind a process damages.
PART = 25_000

# How long no file takes to be read, on however slow a machine.
SECONDS = 60


def trained(**options):
    """A model with all that a file can hold."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 2)), np.array(["ant", "bee", "naïve"])[np.arange(30) % 3]
    return fastnn.train(X, y, 2, maxiter=2, standardize=True, scale=0.5, **options)


def told(value):
    """What a value is, to the bit: arrays, what holds them, and a model."""
    if isinstance(value, fastnn.Model):
        parts = {name: part for name, part in vars(value).items() if name not in ("_predictor", "kind")}
        value = parts | {"classes": value.classes, "multilabel": value.multilabel}
    if is_dataclass(value):
        value = astuple(value)
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [told(part) for part in value]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return value


def data():
    rng = np.random.default_rng(1)
    return rng.standard_normal((12, 3)), np.arange(12) % 3


def weights():
    return {"Theta1": np.eye(3), "Theta2": np.ones((2, 4))}


def read_data(path):
    X, y = fastnn.read_data(path, labels=path.with_name("labels.npy") if path.suffix == ".npy" else None)
    if type(X).__name__ == "Dataset":
        try:
            X = X[:]
        except OSError:  # of h5py, whose words name no file
            return "damaged where it is used"
    return np.array(X), y


def write_npy(path):
    np.save(path, data()[0])
    np.save(path.with_name("labels.npy"), data()[1])


def write_table(path, mark=","):
    X, y = data()
    text = "".join(
        mark.join(map(repr, [*row.tolist(), label])) + "\n" for row, label in zip(X, y.tolist(), strict=True)
    )
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_hdf5(path):
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=data()[0], chunks=(5, 3), compression="gzip", fletcher32=True)
        file["y"] = data()[1]


def write_recent(path):
    """MATLAB's version 7.3."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in zip("Xy", data(), strict=True):
            file.create_dataset(name, data=np.atleast_2d(value.T)).attrs["MATLAB_class"] = np.bytes_("double")
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\x02IM" + content[128:])


class Kind(NamedTuple):
    """Files of one kind.

    Attributes
    ----------
    suffix : str
    write : callable
        Of a path.
    read : callable
        Of a path: what it holds.
    exact : bool
        Whether the format has a checksum, so that what is read is what was written.
    error : type
        Of what refuses it.
    trusted : bool
        Whether it has to come from a source that is trusted: the library that reads it may end the process. HDF5 2.0
        does so for one in some thousand damaged files.
    """

    suffix: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    exact: bool = True
    error: Any = fastnn.ModelFileError
    trusted: bool = False


REFUSED = ValueError, TypeError, OSError

# What is kept by us, and is the same to the bit or refused.
KEPT = {
    "model .npz": Kind(".npz", lambda path: trained().save(path), fastnn.load),
    "model .mat": Kind(".mat", lambda path: trained().save(path), fastnn.load),
    "model .safetensors": Kind(".safetensors", lambda path: trained().save(path), fastnn.load),
    "checkpoint .npz": Kind(
        ".npz", lambda path: trained(validation=0.3, class_weight="balanced", checkpoint=path), checkpoint.read
    ),
}

# What users bring.
BROUGHT = {
    "weights of a model .npz": Kind(".npz", lambda path: trained().save(path), fastnn.read_weights),
    "weights of a model .mat": Kind(".mat", lambda path: trained().save(path), fastnn.read_weights),
    "weights .npz": Kind(".npz", lambda path: np.savez(path, **weights()), fastnn.read_weights),
    "weights .mat": Kind(".mat", lambda path: savemat(path, weights()), fastnn.read_weights, exact=False),
    "data .npz": Kind(".npz", lambda path: np.savez(path, X=data()[0], y=data()[1]), read_data, True, REFUSED),
    "data packed .npz": Kind(
        ".npz", lambda path: np.savez_compressed(path, X=data()[0], y=data()[1]), read_data, True, REFUSED
    ),
    "data .mat": Kind(
        ".mat", lambda path: savemat(path, {"X": data()[0], "y": [*"abcabcabcabc"]}), read_data, False, REFUSED
    ),
    "data packed .mat": Kind(
        ".mat",
        lambda path: savemat(path, {"X": data()[0], "y": np.array([*"abcabcabcabc"], object)}, do_compression=True),
        read_data,
        True,
        REFUSED,
    ),
    "data .npy": Kind(".npy", write_npy, read_data, False, REFUSED),
    "data .csv": Kind(".csv", write_table, read_data, False, REFUSED),
    "data .tsv": Kind(".tsv", lambda path: write_table(path, "\t"), read_data, False, REFUSED),
    "data .csv.gz": Kind(".csv.gz", write_table, read_data, True, REFUSED),
    "data .h5": Kind(".h5", write_hdf5, read_data, False, REFUSED, trusted=True),
    "data 7.3 .mat": Kind(".mat", write_recent, read_data, False, REFUSED, trusted=True),
}
KINDS = KEPT | BROUGHT


# How a file is damaged: functions of its bytes, of other bytes, and of chance.


def cut(content, other, rng):
    return content[: rng.randrange(len(content) + 1)]


def flip(content, other, rng):
    return flipped(content, rng.randrange(8 * len(content))) if content else content


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def place(content, rng):
    """Where some bytes begin and where they end; few of them more often than many."""
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + int(2 ** rng.uniform(0, 10)))


def overwrite(content, other, rng):
    start, end = place(content, rng)
    return content[:start] + rng.choice([bytes, b"\xff".__mul__, rng.randbytes])(end - start) + content[end:]


def insert(content, other, rng):
    start, end = place(content, rng)
    return content[:start] + rng.randbytes(end - start) + content[start:]


def delete(content, other, rng):
    start, end = place(content, rng)
    return content[:start] + content[end:]


def duplicate(content, other, rng):
    start, end = place(content, rng)
    return content[:end] + content[start:]


def splice(content, other, rng):
    start, end = place(other, rng)
    at = rng.randrange(len(content) + 1)
    return content[:at] + other[start:end] + content[at + rng.choice([0, end - start]) :]


def number(content, other, rng):
    """Of a header: one that says how long something is, or where."""
    at = 4 * rng.randrange(len(content) // 4 + 1)
    value = rng.choice([0, 1, 7, 8, 9, 2**16, 2**31 - 8, 2**31, 2**32 - 8, 2**32 - 1, len(content), len(content) - at])
    return content[:at] + struct.pack("<I", value) + content[at + 4 :]


def directory(content, other, rng):
    """Of a zip, which has it at its end."""
    start = content.find(b"PK\x01\x02")
    return content[:start] + rng.choice(BYTES)(content[start:], other, rng) if start > 0 else content


def header(content, other, rng):
    """Of an array in a zip."""
    start = content.find(b"{'descr'", rng.randrange(len(content) + 1))
    if start < 0:
        return content
    end = content.find(b"\n", start)
    text = content[start:end]
    old, new = rng.choice(
        [
            (b"<", b">"),
            (b"f8", b"i8"),
            (b"f8", b"O8"),
            (b"<f8", b"<f4"),
            (b"<U", b">U"),
            (b"False", b"True "),
            (b"(", b"(-"),
        ]
        + [(b",)", b"9,)"), (b"2", b"1"), (b"3", b"9" * 9), (b"descr", b"desc\\"), (b"U", b"U9"), (b"(", b"(0x1or 3,")]
    )
    changed = text.replace(old, new)[: len(text)].ljust(len(text))
    return content[:start] + changed + content[end:]


BYTES = [cut, flip, flip, overwrite, insert, delete, duplicate, splice, number]
DAMAGES = [*BYTES, directory, header]


def rewritten(path, kind, rng):
    """Arrays of a file of ours as somebody else may change them, in a sound file of that format."""
    with open(path, "rb") as file:
        arrays = files.FORMATS[kind.suffix].read(file, sys.maxsize)
    one, other = rng.sample(sorted(arrays), 2)
    change = rng.randrange(6)
    if change == 0:
        del arrays[one]
    elif change == 1:
        arrays[one], arrays[other] = arrays[other], arrays[one]
    elif change == 2:
        arrays[f"{one}_"] = arrays.pop(one)
    elif change == 3:
        arrays[one] = arrays[one].reshape(-1, *(1,) * rng.randrange(3))
    elif change == 4:
        arrays[one] = arrays[one].astype(rng.choice(["U", "f4", "f8", "i8", "?"])) if arrays[one].size > 9 else 1.5
    else:
        changed = arrays[one].copy()
        changed.view(np.uint8).reshape(-1)[-1:] ^= 1
        arrays[one] = changed
    file = io.BytesIO()
    files.FORMATS[kind.suffix].write(file, arrays)
    return file.getvalue()


def damaged(kind, path, content, step, first, count):
    """Contents of damaged files: every cut and every bit, or one in so many; and so many by chance."""
    if step:
        yield from (content[:size] for size in range(0, len(content), step))
        yield from (flipped(content, bit) for bit in range(0, 8 * len(content), step))
    whole = path.with_name(f"whole{kind.suffix}")
    whole.write_bytes(content)
    others = [content, content[::-1], bytes(1024)]
    for i in range(first, first + count):
        rng = random.Random(i)
        changed = content
        if b"checksum" in content and rng.random() < 0.05:
            with suppress(ValueError, TypeError):  # what cannot be written
                changed = rewritten(whole, kind, rng)
        else:
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                changed = rng.choice(DAMAGES)(changed, rng.choice(others), rng)
        yield changed


def fault(kind, path, want):
    """What reading a damaged file does that it must not do; else how it ends."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        try:
            got = told(kind.read(path))
        except kind.error as error:
            if str(path) not in str(error) or not str(error).isprintable():
                return f"says {str(error)!r}"
            if isinstance(error.__context__, MemoryError):
                return f"takes memory: {error}"
            got = "refused"
        except BaseException as error:
            return f"raises {error!r}"
    strange = [str(note.message) for note in noted if not str(note.message).startswith(f"path is {str(path)!r}")]
    if strange:
        return f"warns {strange}"
    if got == "refused":
        return got
    return "the same" if got == want else "wrong" if kind.exact else "other"


def main(folder, name, step, first, count):
    """Damage so many files; the counts of how it ended, and the first of each fault, as JSON."""
    import resource

    kind = KINDS[name]
    path = Path(folder) / f"file{kind.suffix}"
    kind.write(path)
    content = path.read_bytes()
    want = told(kind.read(path))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    ends, faults = Counter(), {}
    for i, changed in enumerate(damaged(kind, path, content, step, first, count)):
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        path.write_bytes(changed)
        end = fault(kind, path, want)
        if end not in ("refused", "the same", "other"):
            faults.setdefault(end.replace(folder, "")[:300], (i, zlib.crc32(changed)))
            end = "faults"
        ends[end] += 1
    print(json.dumps([ends, faults]))


def ends(names, step, count, processes=2):
    """How reading damaged files of these kinds ended; AssertionError for any fault."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("no such limit here")
    # Each part a process: whatever one did to it ends with it.
    parts = []
    for name in names:
        size = 1_000 if KINDS[name].trusted else PART
        parts += [(name, 0 if first else step, first, min(size, count - first)) for first in range(0, count, size)]

    def run(part):
        with tempfile.TemporaryDirectory(dir=SHARED if SHARED.is_dir() else None) as folder:
            command = [sys.executable, "-P", __file__, folder, *map(str, part)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode < 0 and KINDS[part[0]].trusted:
            return part[0], {"the process's end": 1}, {}
        assert done.returncode == 0, (part, done.stderr[-2000:])
        return part[0], *json.loads(done.stdout)

    total = {name: Counter() for name in names}
    with ThreadPoolExecutor(processes) as pool:
        for name, counts, faults in pool.map(run, parts):
            assert not faults, (name, faults)
            total[name].update(counts)
    return total


@pytest.mark.slow
def test_damaged_files_of_ours_are_refused_or_the_same(long):
    total = ends(list(KEPT), 1 if long else 53, 500_000 if long else 4_500)
    print(total)
    for counts in total.values():
        assert counts["refused"] > 0.8 * counts.total()
        assert counts["the same"] > 0  # a bit that says nothing: a date, say


@pytest.mark.slow
def test_damaged_files_of_users_are_one_sentence(long):
    total = ends(list(BROUGHT), 1 if long else 53, 20_000 if long else 200)
    print(total)
    for name, counts in total.items():
        assert counts["refused"] > 0 or KINDS[name].trusted


@every_format
def test_a_changed_file_is_refused(tmp_path, suffix):
    """Whatever wrote the change; without a checksum too."""
    model = trained()
    path = tmp_path / f"model{suffix}"
    model.save(path)
    arrays = files.as_read(path, files.read_arrays(path))
    checksum = {"checksum": np.array(archive.checksum(arrays))}
    write = files.FORMATS[suffix].write
    changes = [
        ({"lmbda": np.array(2.0)}, "whose checksum is not that of what it holds"),
        ({"Theta1": arrays["Theta1"].T}, "whose checksum is not that"),
        ({"Theta1": arrays["Theta1"].reshape(3, 2)}, "whose checksum is not that"),
        ({"Theta1": arrays["Theta1"].astype(np.float32)}, "whose checksum is not that"),
        ({"other": np.array(2.0)}, "whose checksum is not that"),
        ({"checksum": np.array([1.0, 2.0])}, "whose checksum is not that"),
        ({"checksum": None}, "which has lost its checksum"),
    ]
    for change, message in changes:
        changed = {name: value for name, value in (arrays | checksum | change).items() if value is not None}
        with open(path, "wb") as file:
            write(file, changed)
        for read in (fastnn.load, fastnn.read_weights):
            with pytest.raises(fastnn.ModelFileError, match=rf"path is '.*model{suffix}', {message}.*: it was damaged"):
                read(path)
    with open(path, "wb") as file:
        write(file, arrays | checksum)
    assert fastnn.load(path).lmbda == model.lmbda


def element(kind, content, size=None):
    """Of a .mat file, which says that it has so many bytes."""
    size = len(content) if size is None else size
    return struct.pack("<2I", kind, size) + content + bytes(-len(content) % 8 if kind not in (14, 15) else 0)


def variable(of, shape, *parts, name=b"Theta1"):
    head = element(6, struct.pack("<2I", of, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, head + b"".join(parts))


def nested(depth):
    """Cells in cells: a stack without end."""
    inside = variable(4, (1, 1), element(17, b"a\0"))
    for _ in range(depth):
        inside = variable(1, (1, 1), inside)
    return inside


# What hostile files hold; made only where they are wanted.
ZEROS = bytes(1 << 26)
MAT = {
    "an element that says it has 4 GB": lambda: element(14, bytes(64), 2**32 - 8),
    "an element in a variable": lambda: variable(6, (1, 1), element(9, bytes(8), 2**32 - 8)),
    "text that says it has 4 GB": lambda: variable(4, (1, 1), element(16, b"a", 2**32 - 8)),
    "a packed element in a packed one": lambda: element(15, zlib.compress(element(14, bytes(64), 2**32 - 8))),
    "a packed variable": lambda: element(15, zlib.compress(variable(6, (1, 1 << 23), element(9, ZEROS)))),
    "a packed variable with much behind it": lambda: element(
        15, zlib.compress(variable(6, (1, 1), element(9, bytes(8))) + ZEROS)
    ),
    "many packed variables": lambda: b"".join(
        element(15, zlib.compress(variable(6, (1, 1 << 20), element(9, ZEROS[: 1 << 23]), name=b"Theta%d" % (i + 1))))
        for i in range(5)
    ),
    "cells that are not there": lambda: variable(1, (2**31 - 1, 2**31 - 1)),
    "cells that are": lambda: element(15, zlib.compress(variable(1, (1, 1 << 20), element(14, b"") * (1 << 20)))),
    "spaces": lambda: variable(4, (1, 2**31 - 1), element(16, b"")),
    "spaces in cells": lambda: variable(1, (1, 64), *[variable(4, (1, 2**20), element(16, b""))] * 64),
    "numbers of no type": lambda: variable(6, (1, 1), element(200, bytes(8))),
    "a variable of no class": lambda: variable(200, (1, 1), element(9, bytes(8))),
    "more axes than there is room for": lambda: variable(6, (1,) * 500, element(9, bytes(8))),
    "axes that go backwards": lambda: variable(6, (-1, -1), element(9, bytes(8))),
    "a name without end": lambda: variable(6, (1, 1), element(9, bytes(8)), name=b"a" * 9999),
    "a variable twice": lambda: variable(6, (1, 1), element(9, bytes(8))) * 2,
    "a packed one that is cut off": lambda: element(15, zlib.compress(variable(6, (1, 1), element(9, bytes(8))))[:-4]),
}


def refused_in_little_memory(path, read, *arguments, **keywords):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"^path is '{re.escape(str(path))}'") as caught:
            read(path, *arguments, **keywords)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert not isinstance(caught.value.__context__, MemoryError)
    return str(caught.value)


@pytest.mark.parametrize("name", MAT)
def test_hostile_mat_files(tmp_path, name):
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\x01IM" + MAT[name]())
    assert "which cannot be read as .mat" in refused_in_little_memory(path, fastnn.read_weights)


OBJECT = (b"d", b"MCOS", b"string")  # its name, the kind of object and its class


def test_what_is_no_number_or_text_in_a_mat_file_is_left_out(tmp_path):
    """Cells in cells too, where SciPy's reader would go as deep as they do; and an object of a class."""
    path = tmp_path / "a.mat"
    number = variable(13, (1, 1), element(6, bytes(4)), name=b"")
    others = [
        variable(1, (1, 1), nested(9_000), name=b"a"),
        variable(1, (1, 2), element(14, b""), name=b"b"),
        variable(2, (1, 1), name=b"c"),
        element(14, element(6, struct.pack("<2I", 17, 0)) + b"".join(element(1, word) for word in OBJECT) + number),
    ]
    theta = variable(6, (1, 2), element(9, struct.pack("<2d", 1.5, 2.5)))
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\x01IM" + b"".join(others) + theta)
    assert fastnn.read_weights(path)[0].tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
    ("rows", "columns", "kind"),
    [(2**30, 2**30, 0), (2**14, 2**14, 0), (-1, -1, 0), (2, 2, 0), (1, 1, 3000), (1, 1, 90)],
)
def test_hostile_mat_files_of_level_4(tmp_path, rows, columns, kind):
    path = tmp_path / "a.mat"
    path.write_bytes(struct.pack("<5i", kind, rows, columns, 0, 7) + b"Theta1\0" + bytes(8))
    words = "of no kind that is known" if kind or rows < 0 else "it is cut off"
    assert words in refused_in_little_memory(path, fastnn.read_weights)


def test_mat_files_of_level_4_are_read(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, weights() | {"c": np.ones((2, 3)) * 1j, "t": "text", "b": np.arange(3, dtype=np.uint8)}, format="4")
    assert told(fastnn.read_weights(path)) == told(tuple(weights().values()))


def npy(values, shape=None):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue().replace(str(values.shape).encode(), str(shape or values.shape).encode())


def test_hostile_npz_files(tmp_path):
    path = tmp_path / "a.npz"
    zeros = npy(np.frombuffer(ZEROS, float).reshape(1, -1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Theta1.npy", zeros)
    assert "announces much more than it can hold" in refused_in_little_memory(path, fastnn.read_weights)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("Theta1.npy", npy(np.ones((1, 2))))
        assert "packed in another way" in refused_in_little_memory(path, fastnn.read_weights)
    # One member under many names.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", npy(np.zeros((1000, 1000))))
        archive.filelist *= 1000
    for read in (fastnn.read_data, fastnn.read_weights):
        assert "announces much more than it can hold" in refused_in_little_memory(path, read)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", npy(np.zeros((2, 2))))
        archive.filelist *= 2
    assert "it holds X twice" in refused_in_little_memory(path, fastnn.read_data)
    # A directory that says that a member is as long as its header does.
    for shape in ((2, 3), (10**9, 1), (10**9, 10**9), (2, 1)):
        content = npy(np.ones((2, 2)), shape)
        length = len(content) - 32 + 8 * math.prod(shape)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X.npy", content)
            archive.filelist[0].file_size = length
        refused_in_little_memory(path, fastnn.read_data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<f8", "|O8"),
        ("<f8", "<U0"),
        ("False", "'<f8'"),
        ("(2, 2)", "True"),
        ("(2, 2)", "(0x2, 2)"),
        ("(2, 2)", "(2or 2,)"),
        ("(2, 2)", "(2, 2" + ")" * 50),
        ("fortran_order", "descr"),
        ("<f8", "<f8\\d"),
    ],
)
def test_headers_are_not_evaluated(tmp_path, old, new):
    """NumPy's way, as Python, warns of some of these."""
    for name in ("a.npz", "a.npy"):
        text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n".replace(old, new).encode()
        content = b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + bytes(32)
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("X.npy", content)
        (tmp_path / "a.npy").write_bytes(content)
        refused_in_little_memory(tmp_path / name, fastnn.read_data)


def test_headers_of_other_writers_are_read(tmp_path):
    path = tmp_path / "a.npz"
    for text in (
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 2L)}",
        "{ 'shape':(2,2),'descr' :'<f8' , 'fortran_order': False,}  ",
        "{'descr': [('a', '<f8'), ('b', '<f4', (2,))], 'fortran_order': True, 'shape': (2,)}",
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name, head in [("X", "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}"), ("other", text)]:
                content = b"\x93NUMPY\x02\0" + struct.pack("<I", len(head)) + head.encode() + bytes(32)
                archive.writestr(f"{name}.npy", content)
            archive.writestr("y.npy", npy(np.arange(2)))
        assert np.array_equal(fastnn.read_data(path)[0], np.zeros((2, 2)))


def test_a_large_X_that_is_mapped_has_its_checksum_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MAPPED", 0)
    path = tmp_path / "a.npz"
    np.savez(path, X=np.ones((300, 7)), y=np.arange(300) % 2)
    content = path.read_bytes()
    assert type(fastnn.read_data(path)[0]) is np.memmap
    path.write_bytes(flipped(content, 8 * 5000))
    assert "Bad CRC-32" in refused_in_little_memory(path, fastnn.read_data)


def test_hostile_hdf5_files(tmp_path):
    h5py = pytest.importorskip("h5py")
    for name, rows in [("X", 1), ("y", 2)]:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            for other, value in zip("Xy", data(), strict=True):
                shape = (10**12, *value.shape[1:]) if rows == 1 or other == name else value.shape
                file.create_dataset(other, shape, value.dtype, chunks=True)
                file[other][:12] = value
        assert "never was written" in refused_in_little_memory(path, fastnn.read_data)
    path = tmp_path / "a.mat"
    for shape, attributes in [((10**12, 3), {}), ((2,), {"MATLAB_empty": np.uint8(1)})]:
        write_recent(path)
        with h5py.File(path, "r+") as file:
            del file["X"]
            file.create_dataset("X", shape, "u8", fillvalue=10**9).attrs.update(attributes)
        refused_in_little_memory(path, fastnn.read_data)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_hostile_tables(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for text, words in [
        (b"1," * 4_300_000, "whose row 1 goes on for more than 8,388,608 characters"),
        (b"1,2\n" + b"1 " * 4_300_000, "whose row 2 goes on"),
        (b"1,2\n" * 10**7, "which unpacks to more than 100 times its size; if it is a table, unpack it first"),
    ]:
        if suffix == ".csv.gz" or "unpacks" not in words:
            noise = random.Random(0).randbytes(10**5).hex().encode() if "goes on" in words else b""  # packs badly
            path.write_bytes(gzip.compress(text + noise) if suffix == ".csv.gz" else text)
            assert words in refused_in_little_memory(path, fastnn.read_data)


def test_a_small_file_may_be_packed_as_well_as_it_can(tmp_path):
    X, y = np.zeros((20_000, 20)), np.arange(20_000) % 2
    np.savez_compressed(tmp_path / "a.npz", X=X, y=y)
    savemat(tmp_path / "a.mat", {"X": X, "y": y}, do_compression=True)
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("1,2,0\n1,2,1\n" * 10_000)
    for name in ("a.npz", "a.mat", "a.csv.gz"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert fastnn.read_data(tmp_path / name)[1].tolist() == y.tolist()


@every_format
def test_arrays_that_are_of_no_model_are_refused(tmp_path, suffix):
    """The checksum's name may be damaged, and the one of what says that there should be one."""
    path = tmp_path / f"model{suffix}"
    trained().save(path)
    arrays = files.read_arrays(path)
    arrays["shale"] = arrays.pop("scale")
    with open(path, "wb") as file:
        files.FORMATS[suffix].write(file, arrays | {"cecksum": np.array("")})
    with pytest.raises(fastnn.ModelFileError, match="which holds arrays cecksum, shale: no saved model has these"):
        fastnn.load(path)


def test_files_that_hide_a_part_are_refused(tmp_path):
    """A .mat that ends behind any of its variables, a zip whose directory says that an entry is another's comment."""
    trained().save(tmp_path / "a.mat")
    whole = (tmp_path / "a.mat").read_bytes()
    end, found = 128, 0
    while end < len(whole):
        (tmp_path / "a.mat").write_bytes(whole[:end])
        for read in (fastnn.load, fastnn.read_weights):
            with pytest.raises(fastnn.ModelFileError):
                read(tmp_path / "a.mat")
        end, found = end + 8 + struct.unpack_from("<I", whole, end + 4)[0], found + 1
    assert found > 15
    np.savez(tmp_path / "a.npz", **weights())
    whole = (tmp_path / "a.npz").read_bytes()
    entry = whole.index(b"PK\1\2")
    length = whole.index(b"PK\5\6") - whole.index(b"PK\1\2", entry + 1)
    (tmp_path / "a.npz").write_bytes(whole[: entry + 32] + struct.pack("<H", length) + whole[entry + 34 :])
    assert np.load(tmp_path / "a.npz").files == ["Theta1"]
    with pytest.raises(fastnn.ModelFileError, match="its directory is damaged"):
        fastnn.read_weights(tmp_path / "a.npz")


if __name__ == "__main__":
    folder, name, *numbers = sys.argv[1:]
    main(folder, name, *map(int, numbers))

"""Damaged and hostile files: refused with one sentence, or read as what was written; in little memory, without a hang.

Files are damaged in processes of their own, which have a limit on memory: this file is their program too.
"""

import faulthandler
import gzip
import io
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import warnings
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

every_format = pytest.mark.parametrize("suffix", [".npz", ".mat"])

# What reading a damaged file of some KB may take beside what the process has: arrays of 32 MB (`files._LITTLE`), twice.
MEMORY = 100_000_000

# How many files of a kind a process damages.
PART = 25_000

# How long no file takes to be read, on however slow a machine.
SECONDS = 60


def trained():
    """A model with all that a file can hold."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 2)), np.array(["ant", "bee", "naïve"])[np.arange(30) % 3]
    return fastnn.train(X, y, 2, maxiter=2, standardize=True, scale=0.5)


def told(value):
    """What a value is, to the bit: arrays, what holds them, and a model."""
    if isinstance(value, fastnn.Model):
        value = {name: part for name, part in vars(value).items() if name != "_forward"}
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
    """

    suffix: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    exact: bool = True
    error: Any = fastnn.ModelFileError


REFUSED = ValueError, TypeError, OSError

# What is kept by us, and is the same to the bit or refused.
KEPT = {
    "model .npz": Kind(".npz", lambda path: trained().save(path), fastnn.load),
    "model .mat": Kind(".mat", lambda path: trained().save(path), fastnn.load),
}

# What users bring.
BROUGHT = {
    "weights of a model .npz": Kind(".npz", lambda path: trained().save(path), fastnn.read_weights),
    "weights of a model .mat": Kind(".mat", lambda path: trained().save(path), fastnn.read_weights),
    "weights .mat": Kind(".mat", lambda path: savemat(path, {"Theta1": np.eye(3)}), fastnn.read_weights, exact=False),
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
    "data .h5": Kind(".h5", write_hdf5, read_data, False, REFUSED),
    "data 7.3 .mat": Kind(".mat", write_recent, read_data, False, REFUSED),
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
    """Of an array in a zip; with a fitting checksum half of the time."""
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
        if kind.exact and kind.error is fastnn.ModelFileError and rng.random() < 0.05:
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


def main(name, step, first, count):
    """Damage so many files; the counts of how it ended, and the first of each fault, as JSON."""
    kind = KINDS[name]
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
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
    # Each part a process: the long version has many, and whatever one of them did to it ends with it.
    parts = [
        (name, step if first == 0 else 0, first, min(PART, count - first))
        for name in names
        for first in range(0, count, PART)
    ]

    def run(part):
        command = [sys.executable, "-P", __file__, *map(str, part)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (part, done.stderr[-2000:])
        return part[0], *json.loads(done.stdout)

    total = {name: Counter() for name in names}
    with ThreadPoolExecutor(processes) as pool:
        for name, counts, faults in pool.map(run, parts):
            assert not faults, (name, faults)
            total[name].update(counts)
    return total


@pytest.mark.parametrize("names", [tuple(KEPT)], ids=["kept"])
def test_damaged_files_of_ours_are_refused_or_the_same(names, long):
    total = ends(names, 1 if long else 53, 500_000 if long else 4_000)
    print(total)
    for counts in total.values():
        assert counts["refused"] > 0.9 * counts.total()
        assert counts["the same"] > 0  # a bit that says nothing: a date, say


def test_damaged_files_of_users_are_one_sentence(long):
    total = ends(list(BROUGHT), 1 if long else 53, 20_000 if long else 200)
    print(total)
    for counts in total.values():
        assert counts["refused"] > 0


@every_format
def test_a_changed_file_is_refused(tmp_path, suffix):
    """Whatever wrote the change; without a checksum too."""
    model = trained()
    path = tmp_path / f"model{suffix}"
    model.save(path)
    arrays = files.as_read(path, files.read_arrays(path))
    checksum = {"checksum": np.array(files._checksum(arrays))}
    write = files.FORMATS[suffix].write
    changes = [
        ({"lmbda": np.array(2.0)}, "whose checksum is not that of what it holds"),
        ({"Theta1": arrays["Theta1"].T}, "whose checksum is not that"),
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


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    main(name, *map(int, numbers))

"""X where it is: in memory, in a file that is mapped into it, or behind slices that something reads from a file.

What is not in memory is `Stored`: it is read one run of examples at a time, and never as a whole.
"""

import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np

from ..kernels.arguments import KEPT, Run, arithmetic, equal_runs
from ..spec import Array, DType
from . import containers

# Bytes of X that are read together, about: while the kernels work on them a thread reads the next ones. Of HDF5 files
# in the system's cache, uint8, 784-25-10 and 784-128-10, 16 MB reached 0.86 and 0.98 of the speed in memory, 2 MB 0.81
# and 0.74 (more calls), 64 MB 0.65 and 0.87 (what was read has left the processor's caches again).
RUN_BYTES = 16_000_000

# Of a mapped file nothing is read ahead, and so many times as much is a run. float32, 400-25-10: runs of 64 and 256 MB
# reach 0.88 and 0.91 of the speed in memory, of 16 MB 0.75; to give the pages back costs a tenth of the time.
MAPPED_RUNS = 4


class Stored:
    """m examples that are read a run at a time.

    Attributes
    ----------
    shape : tuple of int
        (m, n).
    dtype : numpy dtype
        Of what is read, one that kernels take (`fastnn.kernels.arguments.KEPT`); others become float64.
    """

    # Whether reading takes so long that a thread of its own should read ahead.
    slow = True

    def __init__(self, shape: tuple[int, ...], dtype: DType):
        self.shape = shape
        self.dtype = np.dtype(dtype) if dtype in KEPT else np.dtype(np.float64)

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Array:
        """Those examples, an array (stop - start, n) in C order of that type."""
        raise NotImplementedError

    def read_into(self, buffer: Array | None, start: int, stop: int) -> Array:
        """The same, in the first rows of the buffer if X has such (`new_buffer`)."""
        return self.read(start, stop)

    def new_buffer(self, examples: int) -> Array | None:
        """An array that is read into, again and again; None if what is read is a new array anyway."""
        return None

    def free(self, start: int, stop: int) -> None:
        """Nobody needs what was read of them any more."""

    def rows(self, examples: Array) -> Array:
        """The examples of those numbers, one by one."""
        found = np.empty((len(examples), self.shape[1]), self.dtype)
        for k, i in enumerate(examples.tolist()):
            found[k] = self.read(i, i + 1)
            if k % 256 == 255 or k == len(examples) - 1:
                self.free(0, len(self))  # of a map many pages came with each of them
        return found

    def number(self, i: int) -> int:
        """Which example of what a user brought example i is."""
        return i


class Sliced(Stored):
    """What has a shape and a type, and gives an array for X[start:stop]: a dataset of h5py, zarr, a user's class."""

    def __init__(self, X: Any, name: str):
        super().__init__(tuple(map(int, X.shape)), np.dtype(X.dtype))
        self._X, self._name, self._found = X, name, np.dtype(X.dtype)
        self._step = (getattr(X, "chunks", None) or [1])[0]

    def read(self, start: int, stop: int) -> Array:
        block = self._X[start:stop]
        if np.ma.is_masked(block):
            raise ValueError(
                f"{self._name} is masked in {self._name}[{start}:{stop}]; numbers for all of it are wanted"
            )
        block = np.asarray(block)
        want = stop - start, self.shape[1]
        if block.shape != want or block.dtype != self._found:
            raise ValueError(
                f"{self._name} gives an array {block.shape} of {block.dtype} for {self._name}[{start}:{stop}]; "
                f"{want} of {self._found} is wanted, as its shape and dtype say"
            )
        found = np.ascontiguousarray(block, self.dtype)
        # A class may fill the same buffer for the next run while kernels still work on this one. These do not.
        own = type(self._X).__module__.partition(".")[0] in ("h5py", "zarr") and found.flags.owndata
        return found if own or found is not block else found.copy()

    def rows(self, examples: Array) -> Array:
        """The examples of those numbers; of chunks, which may have to be unpacked, each is read once."""
        found = np.empty((len(examples), self.shape[1]), self.dtype)
        order = np.argsort(examples, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(examples[order] // self._step)) + 1):
            first = int(examples[some[0]])
            found[some] = self.read(first, int(examples[some[-1]]) + 1)[examples[some] - first]
        return found

    def new_buffer(self, examples: int) -> Array | None:
        """Of h5py's datasets, which would take half as long again to make a new array every time."""
        plain = hasattr(self._X, "read_direct") and self.dtype == self._found
        return np.empty((examples, self.shape[1]), self.dtype) if plain else None

    def read_into(self, buffer: Array | None, start: int, stop: int) -> Array:
        if buffer is None:
            return self.read(start, stop)
        self._X.read_direct(buffer, np.s_[start:stop], np.s_[: stop - start])
        return buffer[: stop - start]


class Mapped(Stored):
    """An array in a file that is mapped into memory; what was read leaves memory again, but not the system's cache."""

    slow = False

    def __init__(self, X: Array, mapped: np.memmap):
        super().__init__(X.shape, X.dtype)
        self._X = X.view(np.ndarray)
        self._file: Any = getattr(mapped, "_mmap", None)
        # Of a private mapping the system would forget what was written to it.
        if mapped.mode == "c" or not X.flags.c_contiguous or not hasattr(mmap, "MADV_DONTNEED"):
            self._file = None
        if self._file is not None:
            self._start = X.__array_interface__["data"][0] - np.frombuffer(self._file, np.uint8).ctypes.data

    def read(self, start: int, stop: int) -> Array:
        # In an .npz numbers may start at any byte; kernels are compiled for aligned ones.
        return np.require(self._X[start:stop], self.dtype, ["C_CONTIGUOUS", "ALIGNED"])

    def free(self, start: int, stop: int) -> None:
        if self._file is None:
            return
        row = self._X.shape[1] * self._X.itemsize
        first, end = (-(-(self._start + i * row) // mmap.PAGESIZE) * mmap.PAGESIZE for i in (start, stop))
        if end > first:
            with suppress(OSError, ValueError):  # it is advice only
                self._file.madvise(mmap.MADV_DONTNEED, first, end - first)


class Standardised(Stored):
    """Another X, times its scale and standardised by a function (`Scaling.apply`): float64, or float32 of float32."""

    def __init__(self, X: "Array | Stored", scale: float, apply: Callable[[Array], Array]):
        super().__init__(X.shape, arithmetic(X.dtype))
        self._X, self._scale, self._apply = X, scale, apply

    def read(self, start: int, stop: int) -> Array:
        return self._apply(widened(read(self._X, start, stop), self._scale))

    def number(self, i: int) -> int:
        return self._X.number(i) if isinstance(self._X, Stored) else i

    def free(self, start: int, stop: int) -> None:
        free(self._X, start, stop)


class Chosen(Stored):
    """Some examples of another X, by their numbers, which ascend."""

    def __init__(self, X: Stored, examples: Array):
        super().__init__((len(examples), X.shape[1]), X.dtype)
        self._X, self._examples, self.slow = X, examples, X.slow

    def read(self, start: int, stop: int) -> Array:
        """From pieces that are no longer than a run is, however far apart the examples are."""
        most, found = examples_of_a_run(self._X), np.empty((stop - start, self.shape[1]), self.dtype)
        some = self._examples[start:stop]
        done = 0
        while done < len(some):
            first = int(some[done])
            end = int(np.searchsorted(some, first + most))
            last = int(some[end - 1]) + 1
            found[done:end] = self._X.read(first, last)[some[done:end] - first]
            self._X.free(first, last)
            done = end
        return found

    def rows(self, examples: Array) -> Array:
        return self._X.rows(self._examples[examples])

    def number(self, i: int) -> int:
        return self._X.number(int(self._examples[i]))


def stored(X: Any, name: str = "X") -> Stored | None:
    """X if it is not in memory, else None."""
    if isinstance(X, Stored):
        return X
    if isinstance(X, np.ma.MaskedArray):  # what is masked in it is looked for in memory
        return None
    if isinstance(X, np.ndarray):
        mapped: Any = X
        while mapped is not None and not isinstance(mapped, np.memmap):
            mapped = mapped.base if isinstance(mapped, np.ndarray) else None
        return Mapped(X, mapped) if mapped is not None and X.dtype.kind in "biuf" and X.ndim == 2 else None
    kind = type(X)
    in_memory = any(hasattr(kind, name) for name in ("__dlpack__", "__array_interface__", "toarray", "to_dense"))
    if in_memory or not hasattr(kind, "__getitem__"):
        return None
    try:
        plain = isinstance(X.shape, tuple) and len(X.shape) == 2 and containers.column_names(X) is None
        if not (plain and np.dtype(X.dtype).kind in "biuf"):
            return None
    except Exception:  # of a class of the user's; `containers` asks again, and refuses it in a sentence
        return None
    mapped = _mapped_dataset(X)
    return Sliced(X, name) if mapped is None else Mapped(mapped, mapped)


def _mapped_dataset(X: Any) -> np.memmap | None:
    """A dataset of h5py as a map, if its numbers stand in the file as they are and in one piece; else None."""
    if type(X).__module__.partition(".")[0] != "h5py" or not isinstance(offset := X.id.get_offset(), int):
        return None
    plain = not X.is_virtual and X.external is None and X.file.driver == "sec2" and X.file.mode == "r"
    if not plain or X.dtype.kind not in "iuf":  # booleans are an enumeration there
        return None
    try:
        # Opened anew, as h5py's own is locked until all that use it are closed.
        with open(X.file.filename, "rb") as file:
            same = os.path.samestat(os.fstat(file.fileno()), os.fstat(X.file.id.get_vfd_handle()))
            return np.memmap(file, X.dtype, "r", offset, X.shape) if same else None
    except OSError:
        return None


def widened(X: Array, scale: float) -> Array:
    """X as it is computed with: times scale, and float64 unless it is float32."""
    dtype = arithmetic(X.dtype)
    if X.dtype == dtype and scale == 1.0:
        return X
    with np.errstate(over="ignore"):  # infinite, as in the kernels
        return np.multiply(X, scale, dtype=np.float64).astype(dtype, copy=False)


def read(X: "Array | Stored", start: int, stop: int) -> Array:
    """Those examples."""
    return X[start:stop] if isinstance(X, np.ndarray) else X.read(start, stop)


def free(X: "Array | Stored", start: int, stop: int) -> None:
    """Nobody needs what was read of them any more."""
    if isinstance(X, Stored):
        X.free(start, stop)


def examples_of_a_run(X: "Array | Stored") -> int:
    """How many are read together, about."""
    return max(1, RUN_BYTES * (MAPPED_RUNS if isinstance(X, Mapped) else 1) // (X.shape[1] * X.dtype.itemsize))


def runs_of(X: "Array | Stored") -> list[Run]:
    """All examples, in runs."""
    return equal_runs(len(X), examples_of_a_run(X))


def each(X: "Array | Stored", runs: Iterable[Run]) -> Iterator[tuple[Run, Array]]:
    """The runs, which follow one another, and their examples; the next one is read while this one is in use."""
    if isinstance(X, np.ndarray) or not X.slow:
        for run in runs:
            yield run, read(X, run.start, run.stop)
            free(X, run.start, run.stop)
        return
    runs = list(runs)
    longest = max(run.stop - run.start for run in runs)
    buffers = [X.new_buffer(longest) for _ in runs[:2]]  # one is in use, and one is read into
    with ThreadPoolExecutor(1, "fastnn-reader") as reader:
        coming = reader.submit(X.read_into, buffers[0], runs[0].start, runs[0].stop)
        for i, run in enumerate(runs):
            examples = coming.result()
            if i + 1 < len(runs):
                coming = reader.submit(X.read_into, buffers[(i + 1) % 2], runs[i + 1].start, runs[i + 1].stop)
            yield run, examples
            X.free(run.start, run.stop)

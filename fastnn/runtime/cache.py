"""Where compiled kernels are kept, in what files, and for how long.

A folder holds the kernels of one build: of these sources, versions, settings and this processor. What is wrong with
a file, or with the folder, never reaches the caller: kernels are compiled anew then.
"""

import hashlib
import os
import pickle
import re
import shutil
import sys
import time
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import llvmlite
import llvmlite.binding
import numba

from .numba_internals import pickled

_PACKAGE = Path(__file__).parent.parent

# Sources that machine code is made of: modules and folders.
_SOURCES = ("spec.py", "runtime", "kernels", "engines")

NO_HOME = "there is no home folder"

# Variable that names the user's folder of caches, and its usual place at home; other systems follow the XDG rule.
_CACHES = {"darwin": ("", "Library/Caches"), "win32": ("LOCALAPPDATA", "AppData/Local")}

# Those of numba's settings that change machine code. Numba does not notice: NUMBA_BOUNDSCHECK=1 checks nothing in
# kernels that were cached without it.
_SETTINGS = (
    "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "DEBUG_ARRAY_OPT_RUNTIME", "DEBUG_NRT", "DISABLE_INTEL_SVML", "ENABLE_AVX",
    "ENABLE_PROFILING", "EXTEND_VARIABLE_LIFETIMES", "LLVM_REFPRUNE_FLAGS", "LLVM_REFPRUNE_PASS", "LOOP_VECTORIZE",
    "NRT_STATS", "OPT", "PARFOR_MAX_TUPLE_SIZE", "SLP_VECTORIZE", "USING_SVML",
)  # fmt: skip

_DAY = 24 * 3600.0
_KEPT = 30 * _DAY  # so long a folder stays that nobody uses

# The names of folders; ".old" is one that is being removed. And of files; ".tmp" is one that is being written, and
# earlier versions wrote ".nbi", too.
_FOLDER = re.compile(r"[0-9a-f]{16}(\.old)?")
_FILE = re.compile(r".*\.nb[ic](\.tmp\.[0-9a-f]{16})?")


def off() -> bool:
    """Whether the user wants no cache."""
    return os.environ.get("FASTNN_CACHE") == "0"


def cpu_features() -> str:
    """The features that numba compiles for, "+avx2,-avx512f,...": this machine's, or NUMBA_CPU_FEATURES."""
    chosen = numba.config.CPU_FEATURES
    return str(chosen if chosen is not None else llvmlite.binding.get_host_cpu_features().flatten())


@lru_cache
def build() -> str:
    """Of everything that the machine code depends on, all kernel sources among it.

    Numba itself does not notice an edit in a file other than the kernel's own.
    """
    what = hashlib.sha256()
    for name in _SOURCES:
        path = _PACKAGE / name
        for source in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            what.update(source.read_bytes())
    cpu = numba.config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    settings = [str(getattr(numba.config, name, None)) for name in _SETTINGS]
    python = f"{sys.implementation.cache_tag}{getattr(sys, 'abiflags', '')}"
    versions = [python, llvmlite.binding.get_process_triple(), numba.__version__, llvmlite.__version__]
    what.update(" ".join([*versions, cpu, cpu_features(), *settings]).encode())
    return what.hexdigest()[:16]


def folder() -> Path | None:
    """Where compiled kernels are kept: None if `FASTNN_CACHE` is 0, or if there is no home folder.

    `FASTNN_CACHE` = 0 | 1 | a folder; 1, the default, is the user's cache folder.
    """
    setting = os.environ.get("FASTNN_CACHE") or "1"
    if off():
        return None
    try:
        if setting != "1":
            root = Path(setting).expanduser()
        else:
            variable, usual = _CACHES.get(sys.platform, ("XDG_CACHE_HOME", ".cache"))
            root = Path(os.environ.get(variable, ""))
            if not root.is_absolute():  # to be ignored then, as the XDG rule says
                root = Path.home() / usual
            if not root.is_absolute():  # HOME is, then: a folder here and there, wherever a process works
                return None
            root /= "fastnn"
    except RuntimeError:  # neither a variable nor the list of users knows a home
        return None
    return root / build()


def report() -> str:
    """Where compiled kernels are kept, or why they are not."""
    own = folder()
    if own is None:
        return f"none: {'FASTNN_CACHE is 0' if off() else NO_HOME}"
    try:
        own.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=own).close()
    except OSError as error:
        return f"{own}, not written to: {error}"
    return str(own)


class File:
    """Machine code of a tile, or of a kernel for certain types, checksum first.

    Machine code with one wrong bit may end the process, and so may that of another kernel or processor: the checksum
    is also of the build and of the file's name. Nothing is unpickled before it is compared.
    """

    def __init__(self, folder: Path, name: str):
        self.path = folder / f"{name}.nbc"

    def load(self) -> Any:
        """Return the content, or None if it is not there, cannot be read or is not ours: it is written anew then."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        checksum, content = content[:32], content[32:]
        # numba's own format; what is in the user's cache folder is run as machine code, so no format can make it safer
        return pickle.loads(content) if self._checksum(content) == checksum else None

    def save(self, data: object) -> None:
        """Write the file whole, or warn that it cannot be written."""
        content = pickled(data)
        for again in (True, False):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                return self._write(self._checksum(content) + content)
            except FileNotFoundError as error:  # somebody has removed the folder since
                if not again:
                    warn(error)
            except OSError as error:  # a full disk, a folder that can only be read or is a file
                return warn(error)

    def _write(self, content: bytes) -> None:
        unfinished = self.path.with_name(f"{self.path.name}.tmp.{os.urandom(8).hex()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(self.path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def _checksum(self, content: bytes) -> bytes:
        return hashlib.sha256(f"{build()}/{self.path.name}\0".encode() + content).digest()


@lru_cache
def note_use(own: Path) -> None:
    """Once a process: that folder is used today; once a day, what nobody has used for 30 days is removed.

    A folder's own time says when it was used. Where it cannot be set, as in an image, somebody else's folder, nothing
    can be removed either. Others may use or remove the same folders at the same moment: `File.save` does not mind.
    """
    now = time.time()
    with suppress(OSError):  # it is not there yet
        if own.stat().st_mtime > now - _DAY:
            return
    with suppress(OSError):
        os.utime(own)
    for found, seconds, remove in ((own.parent, _KEPT, _remove_folder), (own, _DAY, _remove_unfinished)):
        with suppress(OSError):
            for path in found.iterdir():
                with suppress(OSError):
                    if path != own and path.lstat().st_mtime < now - seconds:
                        remove(path)


def _remove_folder(path: Path) -> None:
    """If it is one of ours, with nothing but our files in it.

    At once, by renaming: a process that uses it then makes it anew, and does not write into what is being removed.
    """
    if not _FOLDER.fullmatch(path.name) or path.is_symlink():
        return
    with os.scandir(path) as files:
        if not all(_FILE.fullmatch(file.name) and file.is_file(follow_symlinks=False) for file in files):
            return
    if not path.suffix:
        path = path.rename(path.with_suffix(".old"))
    shutil.rmtree(path, ignore_errors=True)


def _remove_unfinished(path: Path) -> None:
    """What a process was writing when it was killed."""
    if ".tmp." in path.name and _FILE.fullmatch(path.name):
        path.unlink()


def warn(why: object) -> None:
    """Say once why nothing is kept."""
    global _warned
    if not _warned:
        warnings.warn(
            f"kernels are compiled anew in every process: {why} (FASTNN_CACHE may name another folder, or be 0)",
            RuntimeWarning,
            stacklevel=2,
        )
    _warned = True


_warned = False

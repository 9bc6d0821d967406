"""Path arguments, suffixes, words about files that are safe to print; files that are written whole or not at all."""

import glob
import os
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from ..inputs.containers import described, few


def checked_path(path: object, name: str = "path") -> Path:
    """Return the argument `name` as a Path; TypeError or ValueError if no file can have that name."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} is {described(path)}; a file name is wanted")
    try:
        found = Path(path)
    except Exception as error:  # raised by the user's own __fspath__
        raise TypeError(f"{name} is {described(path)}, which is no file name: {error}") from None
    try:
        if b"\0" not in os.fsencode(found):
            return found
    except UnicodeEncodeError:
        pass
    raise ValueError(f"{name} is {str(found)!r}; a name that a file can have is wanted")


def suffix_of(path: Path) -> str:
    """Return the suffix in lower case; .gz together with the suffix before it."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def named(arrays: Collection[str]) -> str:
    """List the names of a file's arrays for a message."""
    return "arrays " + few([printable(name) for name in sorted(arrays)], 20) if arrays else "no arrays"


def one_line(error: Exception) -> str:
    """Return a reader's message on one printable line."""
    return printable(" ".join(str(error).split()) or repr(error))


def unreadable(path: Path, error: Exception, name: str = "path") -> str:
    """Return the sentence that the file of the argument `name` cannot be read, with its reader's message."""
    return f"{name} is {str(path)!r}, which cannot be read as {suffix_of(path)}: {one_line(error)}"


def printable(text: str) -> str:
    """Return the text with escapes for characters that could disturb a terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]


# Names of half-written files. Code that ends the process before `write_together` can clean up removes them.
unfinished: set[str] = set()


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write(file)`, and replace `path` by that file once all of it is on the disk."""
    write_together([path], lambda opened: write(opened[0]))


def write_together(paths: Sequence[Path], write: Callable[[list[IO[bytes]]], object]) -> None:
    """Call `write(opened)` with a file for each path of one folder, then replace all paths by these files."""
    # Named before they exist: a signal may come as soon as one does.
    names = [str(path.absolute().parent / f".{path.name}.{secrets.token_hex(8)}") for path in paths]
    unfinished.update(names)
    try:
        with ExitStack() as stack:
            opened: list[IO[bytes]] = [stack.enter_context(open(name, "xb", opener=_for_the_owner)) for name in names]
            write(opened)
            for file in opened:
                file.flush()
                os.fsync(file.fileno())
        for name in names:
            with suppress(OSError):  # a file system without modes
                os.chmod(name, 0o666 & ~_umask())
        for name, path in zip(names, paths, strict=True):
            os.replace(name, path)
    except BaseException:  # Ctrl-C too: the caller sees it, and no half-written file stays
        for name in names:
            Path(name).unlink(missing_ok=True)
        raise
    finally:
        unfinished.difference_update(names)
    with suppress(OSError):  # Windows opens no folder, some network file systems sync none; the files are on the disk
        folder = os.open(paths[0].parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_unfinished(path: Path) -> None:
    """Remove half-written files that killed processes left beside `path`, which no other process is writing."""
    for leftover in path.absolute().parent.glob(f".{glob.escape(path.name)}.*"):
        if re.fullmatch(r"[0-9a-f]{16}", leftover.suffix[1:]) and leftover.stem == f".{path.name}":
            leftover.unlink(missing_ok=True)


def _for_the_owner(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Path arguments, suffixes, and words about files that are safe to print."""

import os
from collections.abc import Collection
from pathlib import Path

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


def printable(text: str) -> str:
    """Return the text with escapes for characters that could disturb a terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]

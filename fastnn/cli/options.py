"""Options that several commands share, and the types of their values."""

import argparse
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from .. import spec

Group: TypeAlias = "argparse._ActionsContainer"
T = TypeVar("T")

# File of the trained model, without --out.
SAVED = "fastnn-model.npz"


def add(group: Group, usage: str, purpose: str, kind: Callable[[str], object] = str, **more: Any) -> None:
    """Add an option, of usage as "--tol T" with a value, or "--json" without; or an argument, as "MODEL"."""
    name, _, metavar = usage.rpartition(" ")
    if name or not usage.startswith("-"):
        group.add_argument(name or usage.lower(), type=kind, metavar=metavar, help=purpose, **more)
    else:
        group.add_argument(usage, help=purpose, **({"action": "store_true"} | more))


def add_data(parser: argparse.ArgumentParser) -> Group:
    """Add the options of `data.examples`."""
    data = parser.add_argument_group("data; what is not said of a table is found in it")
    add(data, "--data FILE", ".csv, .tsv, .npz, .mat, .h5, .npy (default: digits)", file_name)
    add(data, "--inputs NAME", "the array X of .npz, .mat, .h5; --label for y")
    add(data, "--labels FILE", "y in .npy, .npz or a text column, or a name in .h5", file_name)
    add_table(data)
    return data


def add_table(group: Group) -> None:
    """Add the options of `table`."""
    add(group, "--header", "whether the first row holds names", action=argparse.BooleanOptionalAction)
    add(group, "--delimiter CHAR", "between fields, \\t for a tab", _delimiter)
    add(group, "--encoding NAME", "as cp1252")
    add(group, "--label COLUMN", "by name, or position from 0 (default: last)", _column)


def table(options: argparse.Namespace) -> dict[str, Any]:
    """Return the layout of a table as the user describes it; None for the rest."""
    return {name: getattr(options, name) for name in ("header", "delimiter", "encoding", "label")}


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add the options of a network that is not trained yet."""
    network = parser.add_argument_group("network")
    add(network, "--hidden SIZES", "25 (default), or as 64,32", layers)
    add(network, "--activation NAME", spec.listed(spec.HIDDEN))
    add(network, "--output NAME", spec.listed(spec.OUTPUTS))
    add(network, "--scale NUMBER", "multiplies X: 1/255 for bytes (default: 1)", _scale)
    add(network, "--lmbda L", "regularisation (default: 1)", float)
    add(network, "--seed N", "of the random weights (default: 0)", int)
    add(network, "--weights FILE", "to start from: a model, or .mat with Theta1, ...", file_name)


def add_output(parser: argparse.ArgumentParser, default: str = "") -> Group:
    """Add the options of `output`, and --out if there is a default for it."""
    output = parser.add_argument_group("output")
    if default:
        add(output, "--out FILE", f"default: {default}", path)
    add(output, "--json", "print one JSON object, for scripts")
    add(output, "--quiet", "only what was asked for, and what is wrong")
    return output


def given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options that are set; the library has defaults for the others."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def refuse_without(other: str, options: argparse.Namespace, *names: str) -> None:
    """Raise ValueError if one of these options is given, since they are for the other, which is missing."""
    for name in given(options, *names):
        raise ValueError(f"{flag(name)} is given without {other}; both are wanted")


def flag(name: str) -> str:
    """Return the option as it is typed."""
    return f"--{name.replace('_', '-')}"


def wants(words: str) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Make a function the type of an option: text for which it raises ValueError is refused in these words."""

    def decorate(read: Callable[[str], T]) -> Callable[[str], T]:
        @wraps(read)
        def typed(text: str) -> T:
            try:
                return read(text)
            except (ValueError, ZeroDivisionError):
                raise argparse.ArgumentTypeError(f"{text!r}; {words}") from None

        return typed

    return decorate


def file_name(text: str) -> str:
    """Refuse an empty name, which an unset variable of the shell leaves."""
    if not text:
        raise argparse.ArgumentTypeError("must be the name of a file, got ''")
    return text


def path(text: str) -> Path:
    """Return the name of a file as a path."""
    return Path(file_name(text))


@wants("positive integers with commas between them, as 64,32, are wanted")
def layers(text: str) -> tuple[int, ...]:
    """Return sizes of layers from text as 25 or 64,32."""
    sizes = tuple(map(int, text.split(",")))
    if min(sizes) < 1:
        raise ValueError
    return sizes


@wants("a number, or a fraction as 1/255, is wanted")
def _scale(text: str) -> float:
    above, stroke, below = text.partition("/")
    return float(above) / float(below) if stroke else float(above)


def _column(text: str) -> int | str:
    """Return a position if the text is an integer, else a name."""
    try:
        return int(text)
    except ValueError:
        return text


def _delimiter(text: str) -> str:
    """Return a tab for \\t, since a tab is hard to type in a shell."""
    return "\t" if text == "\\t" else text

"""The parser of the whole command line.

To add a command, write a module with USAGE, PURPOSE, EXAMPLE, `add_options(parser)`, and `run(options)`, which
returns the exit status; and list it here.
"""

import argparse
from collections.abc import Iterable
from functools import partial
from importlib import import_module

from .. import __version__

# Modules of this folder, in the order of the help.
COMMANDS = ("train", "resume", "predict", "check", "show", "bench", "convert", "export", "info")

# Placeholders of values that are names of files.
_FILES = ("FILE", "DATA", "MODEL", "IMAGE", "CHECKPOINT", "SOURCE", "TARGET")


def build() -> argparse.ArgumentParser:
    """Return the parser; what it parses has the command's `run`."""
    parser = argparse.ArgumentParser(
        prog="fastnn", description="The course's neural network on handwritten digits, trained by compiled loops."
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        module = import_module(f".{name}", __package__)
        command = commands.add_parser(
            name, help=module.PURPOSE, description=module.PURPOSE, usage=f"fastnn {module.USAGE} [options]",
            epilog=f"example: fastnn {module.EXAMPLE}",
            formatter_class=partial(argparse.HelpFormatter, max_help_position=26),
        )  # fmt: skip
        module.add_options(command)
        command.set_defaults(run=module.run)
    _add_completion(parser, commands.choices.values())
    return parser


def _add_completion(parser: argparse.ArgumentParser, commands: Iterable[argparse.ArgumentParser]) -> None:
    """Add `--print-completion SHELL`, which prints a script for the shell, if shtab is installed."""
    try:
        import shtab
    except ImportError:
        return
    shtab.add_argument_to(parser, help="of bash, zsh or tcsh; print what makes it complete commands, options and files")
    for command in commands:
        for action in command._actions:
            if action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]

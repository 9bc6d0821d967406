"""The parser of the whole command line.

To add a command, write a module with `add_parser(commands)`, which calls `options.add_command`, and `run(options)`,
which returns the exit status; and list it here.
"""

import argparse
from importlib import import_module

from .. import __version__
from .options import Commands

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
        module.add_parser(commands)
        commands.choices[name].set_defaults(run=module.run)
    _add_completion(parser, commands)
    return parser


def _add_completion(parser: argparse.ArgumentParser, commands: Commands) -> None:
    """Add `--print-completion SHELL`, which prints a script for the shell, if shtab is installed."""
    try:
        import shtab
    except ImportError:
        return
    shtab.add_argument_to(parser, help="of bash, zsh or tcsh; print what makes it complete commands, options and files")
    for command in commands.choices.values():
        for action in command._actions:
            if action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]

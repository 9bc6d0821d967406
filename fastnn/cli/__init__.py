"""The command line: `fastnn` or `python -m fastnn`.

Each command is a module with `add_options` and `run`, listed in `parser.COMMANDS`.
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in this process, and return its exit status; argparse may raise SystemExit.

    The status is 0, 1 for a failed gradient check, 128 + a signal, or that of `shell.status`.
    """
    from . import parser, shell

    options = parser.build().parse_args(arguments)
    return shell.status(f"fastnn {options.command}", lambda: options.run(options))


def run() -> int:
    """Run the command line as a process of its own, with a shell's manners."""
    from . import shell

    return shell.run(main)

"""The command line: `fastnn` or `python -m fastnn`."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in this process, and return its exit status; argparse may raise SystemExit."""
    from . import training

    return training.main(arguments)


def run() -> int:
    """Run the command line as a process of its own, with a shell's manners."""
    from . import shell

    return shell.run(main)

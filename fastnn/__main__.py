"""python -m fastnn."""

import sys

from .cli import run

sys.exit(run())

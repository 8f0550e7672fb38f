"""How a sweep speaks: at once, also into a pipe."""

import sys


def say(text: str, end: str = "\n") -> None:
    """Write a line to standard output; with another `end`, a part of one."""
    sys.stdout.write(text + end)
    sys.stdout.flush()

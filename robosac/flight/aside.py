"""The process that writes a recording: `python -m robosac.flight.aside`, the log on standard input.

It begins with the priority of whoever started it, and gives that back before it imports anything
that takes time.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

NICENESS: Final = 10


def yield_to_others() -> None:
    """Run behind everything else, whatever priority the robot's process has."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(NICENESS)


if __name__ == "__main__":
    yield_to_others()
    from robosac.errors import FlightFileError
    from robosac.flight.writer import receive_and_save

    try:
        receive_and_save(sys.stdin.buffer)
    except FlightFileError as failure:
        sys.exit(str(failure))

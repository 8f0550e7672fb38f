"""The process that writes a recording: `python -m robosac.flight.aside`, the log on standard input.

It begins with the priority of whoever started it, and gives that back before it imports anything
that takes time.
"""

from __future__ import annotations

import sys

from robosac.stand_back import stand_back

if __name__ == "__main__":
    stand_back()
    from robosac.errors import FlightFileError
    from robosac.flight.writer import receive_and_save

    try:
        receive_and_save(sys.stdin.buffer)
    except FlightFileError as failure:
        sys.exit(str(failure))

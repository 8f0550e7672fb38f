"""A host process that drives served legs until it is killed.

Run as a program with the port's path; says "driving" once every controller holds its position.
"""

import math
import sys
import time

import numpy as np

from drivers.moteus import Mode, MoteusBus, PositionCommand
from drivers.wire import SerialWire

IDS = range(1, 9)
PERIOD_S = 0.005
TIMEOUT_S = 0.1


def hold(position: np.ndarray) -> PositionCommand:
    """Stay there; the watchdog ends it after TIMEOUT_S of silence."""
    zero, one = np.zeros(8), np.ones(8)
    nan = np.full(8, math.nan)
    return PositionCommand(
        position, zero, zero, one, one, 3.5 * one, nan, TIMEOUT_S * one, nan, -one
    )


def main(path: str) -> None:
    bus = MoteusBus(SerialWire(path, 921600), IDS, time.monotonic)
    while bus.stop_all(attempts=5):
        continue
    here = bus.last_readings().position_rev
    told = False
    due = time.monotonic()
    while True:
        readings = bus.exchange(hold(here), due + PERIOD_S)
        if not told and (readings.valid & (readings.mode == Mode.POSITION)).all():
            sys.stdout.write("driving\n")
            sys.stdout.flush()
            told = True
        due = max(due + PERIOD_S, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1])

"""A host process that drives served motors within `powered`, until SIGINT or SIGTERM ends it.

Run as a module with the kind of motors and the port's path; says "driving" once they are on. Exit
code 0 only if all were read back without torque.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from drivers.dynamixel import (
    DynamixelBus,
    OperatingMode,
    PositionGoal,
    ServoArming,
    ServoSetup,
)
from drivers.errors import DeviceError
from drivers.moteus import Mode, MoteusBus, PositionCommand
from drivers.motor_bus import MotorBus
from drivers.powered import powered
from drivers.wire import SerialWire

SERVO_IDS = (10, 11, 12, 20, 21, 22, 30, 31, 32, 50)
CONTROLLER_IDS = tuple(range(1, 9))
PERIOD_S = 0.01
OK, UNCONFIRMED = 0, 3
Bus = MotorBus[Any, Any, Any]


def servos(path: str) -> tuple[Bus, Callable[[], Any]]:
    """The hand's bus, and what switches it on and returns what to command."""
    bus = DynamixelBus(SerialWire(path, 1_000_000), SERVO_IDS, time.monotonic)

    def engage() -> PositionGoal:
        while len(bus.probe()) < len(SERVO_IDS):
            continue
        arming = ServoArming(bus, dict.fromkeys(SERVO_IDS, ServoSetup(OperatingMode.POSITION)))
        arming.configure()
        arming.engage(watchdog_s=1.0)
        reads = [arming.registers.read(id, "present_position") for id in SERVO_IDS]
        return PositionGoal(np.array(reads))

    return bus, engage


def controllers(path: str) -> tuple[Bus, Callable[[], Any]]:
    """The legs' bus, likewise."""
    bus = MoteusBus(SerialWire(path, 921_600), CONTROLLER_IDS, time.monotonic)

    def engage() -> PositionCommand:
        while bus.stop_all(attempts=5):
            continue
        count = len(CONTROLLER_IDS)
        zero, one, nan = np.zeros(count), np.ones(count), np.full(count, math.nan)
        hold = PositionCommand(
            *(nan, zero, zero, one, one, 3.5 * one, nan, one, nan, -one),
        )
        while True:
            readings = bus.exchange(hold, time.monotonic() + PERIOD_S)
            if (readings.valid & (readings.mode == Mode.POSITION)).all():
                return hold

    return bus, engage


MAKERS = {"dynamixel": servos, "moteus": controllers}


def interrupted(number: int, frame: FrameType | None) -> None:
    """A signal as an exception."""
    raise KeyboardInterrupt


def main(kind: str, path: str) -> int:
    # Both: a process of the background is born with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    bus, engage = MAKERS[kind](path)
    try:
        with powered(bus):
            command = engage()
            sys.stdout.write("driving\n")
            sys.stdout.flush()
            while True:
                bus.exchange(command, time.monotonic() + PERIOD_S)
                time.sleep(PERIOD_S / 2)
    except KeyboardInterrupt:
        return OK
    except DeviceError as error:
        sys.stderr.write(f"{error}\n")
        return UNCONFIRMED
    finally:
        # Too late to change anything, and too early to be heard.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        bus.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
